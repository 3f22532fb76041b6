//! Header and section table: the fixed part of the file.
//!
//! ```text
//! header, 64 bytes                      section entry, 64 bytes
//!   0  12  magic                          0   4  kind
//!  12   2  major                          4   4  flags, zero
//!  14   2  minor                          8   8  offset from the start of the file
//!  16   8  file size                     16   8  size
//!  24   4  section count                 24   4  alignment
//!  28   4  reserved, zero                28   4  reserved, zero
//!  32  32  SHA-256 of the table          32  32  SHA-256 of the section's bytes
//! ```
//! All numbers are little-endian. The table follows the header at once.

use sha2::{Digest, Sha256};

use super::{HbmError, ManifestRule};

/// As PNG's: the first byte is no ASCII, and the line ends show when a transfer changed them.
pub const MAGIC: [u8; 12] = *b"\x89HB-OPEN\r\n\x1a\n";
/// A reader refuses every other major version.
pub const MAJOR: u16 = 1;
/// A reader refuses higher minor versions of its major.
pub const MINOR: u16 = 3;
/// Size of the header at the start of a file.
pub const HEADER_BYTES: usize = 64;
/// Size of one row of the section table.
pub const ENTRY_BYTES: usize = 64;
/// The most rows that the section table may have.
pub const MAXIMUM_SECTIONS: usize = 65536;
/// Bytes; a page, so that a section can be mapped.
pub const MAXIMUM_ALIGNMENT: usize = 4096;

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum SectionKind {
    /// What the file says about its model: [`super::Manifest`] as protobuf.
    Manifest = 1,
    /// Encoded instructions (`docs/nash-isa.md`).
    Program = 2,
    /// Weights, tables and parameters that a program loads.
    Constants = 3,
    /// A CPU segment as MLIR bytecode.
    CpuIr = 4,
    /// A CPU segment as an AArch64 object.
    CpuObject = 5,
}

impl SectionKind {
    /// Every kind, by its number.
    pub const ALL: [SectionKind; 5] = [Self::Manifest, Self::Program, Self::Constants, Self::CpuIr, Self::CpuObject];

    /// As `hb_model_info` shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Program => "program",
            Self::Constants => "constants",
            Self::CpuIr => "cpu IR",
            Self::CpuObject => "cpu object (AArch64)",
        }
    }

    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// One row of the section table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// Bytes from the start of the file.
    pub offset: usize,
    /// In bytes.
    pub size: usize,
    /// `offset` is a multiple of it: a power of two of at most [`MAXIMUM_ALIGNMENT`].
    pub alignment: usize,
    /// Of its bytes.
    pub sha256: [u8; 32],
}

impl Section {
    fn end(&self) -> usize {
        self.offset.saturating_add(self.size)
    }
}

/// The SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Where a section of `alignment` begins after one that ended at `end`.
pub fn place_after(end: usize, alignment: usize) -> Option<usize> {
    end.checked_next_multiple_of(alignment)
}

/// Header and table of a file whose sections are already placed.
pub fn write(sections: &[Section], file_size: usize) -> Vec<u8> {
    let mut table = Vec::with_capacity(sections.len() * ENTRY_BYTES);
    for section in sections {
        table.extend((section.kind as u32).to_le_bytes());
        table.extend(0u32.to_le_bytes());
        table.extend((section.offset as u64).to_le_bytes());
        table.extend((section.size as u64).to_le_bytes());
        table.extend((section.alignment as u32).to_le_bytes());
        table.extend(0u32.to_le_bytes());
        table.extend(section.sha256);
    }
    let mut bytes = Vec::with_capacity(HEADER_BYTES + table.len());
    bytes.extend(MAGIC);
    bytes.extend(MAJOR.to_le_bytes());
    bytes.extend(MINOR.to_le_bytes());
    bytes.extend((file_size as u64).to_le_bytes());
    bytes.extend((sections.len() as u32).to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(sha256(&table));
    bytes.extend(table);
    bytes
}

/// Reads header and table and checks every rule that does not need the manifest.
pub fn read(file: &[u8]) -> Result<Vec<Section>, HbmError> {
    let table = read_header(file)?;
    let mut end = HEADER_BYTES + table.len();
    let mut sections = Vec::with_capacity(table.len() / ENTRY_BYTES);
    for (index, entry) in table.chunks_exact(ENTRY_BYTES).enumerate() {
        let section = read_entry(index, entry)?;
        check_place(file, index, &section, end)?;
        end = section.end();
        sections.push(section);
    }
    if end != file.len() {
        let detail = format!("the last section ends at byte {end}, the file at {}", file.len());
        return Err(HbmError::broken(ManifestRule::FileEnd, detail));
    }
    Ok(sections)
}

/// Checks the header and returns the bytes of the table.
fn read_header(file: &[u8]) -> Result<&[u8], HbmError> {
    let Some((header, rest)) = file.split_at_checked(HEADER_BYTES) else {
        return Err(HbmError::broken(
            ManifestRule::HeaderSize,
            format!("the file has {} bytes, a header {HEADER_BYTES}", file.len()),
        ));
    };
    let mut fields = Fields(header);
    if fields.take::<12>() != MAGIC {
        let detail =
            "the file does not begin with \\x89HB-OPEN; is it from another compiler, or was it transferred as text?";
        return Err(HbmError::broken(ManifestRule::HeaderMagic, detail));
    }
    let (major, minor) = (u16::from_le_bytes(fields.take()), u16::from_le_bytes(fields.take()));
    if major != MAJOR {
        let detail =
            format!("the file has version {major}.{minor}, this program reads {MAJOR}.x; compile the model again");
        return Err(HbmError::broken(ManifestRule::HeaderMajor, detail));
    }
    if minor > MINOR {
        let detail =
            format!("the file has version {major}.{minor}, this program reads up to {MAJOR}.{MINOR}; use a newer hb");
        return Err(HbmError::broken(ManifestRule::HeaderMinor, detail));
    }
    let file_size = u64::from_le_bytes(fields.take());
    let count = u32::from_le_bytes(fields.take());
    let reserved = u32::from_le_bytes(fields.take());
    if reserved != 0 {
        return Err(HbmError::broken(ManifestRule::HeaderReserved, format!("bytes 28 to 31 hold {reserved:#x}")));
    }
    if file_size != file.len() as u64 {
        let detail =
            format!("the header says {file_size} bytes, the file has {}; was the transfer complete?", file.len());
        return Err(HbmError::broken(ManifestRule::HeaderFileSize, detail));
    }
    let count = count as usize;
    let table = match (count, count.checked_mul(ENTRY_BYTES).and_then(|bytes| rest.get(..bytes))) {
        (1..=MAXIMUM_SECTIONS, Some(table)) => table,
        _ => {
            return Err(HbmError::broken(
                ManifestRule::HeaderSectionCount,
                format!("the header says {count} sections"),
            ));
        }
    };
    if sha256(table) != fields.take::<32>() {
        return Err(HbmError::broken(ManifestRule::TableHash, "the section table was changed after it was written"));
    }
    Ok(table)
}

fn read_entry(index: usize, entry: &[u8]) -> Result<Section, HbmError> {
    let mut fields = Fields(entry);
    let kind = u32::from_le_bytes(fields.take());
    let flags = u32::from_le_bytes(fields.take());
    let offset = u64::from_le_bytes(fields.take());
    let size = u64::from_le_bytes(fields.take());
    let alignment = u32::from_le_bytes(fields.take());
    let reserved = u32::from_le_bytes(fields.take());
    let Some(kind) = SectionKind::from_number(kind) else {
        return Err(HbmError::broken(ManifestRule::SectionKind, format!("section {index} is of kind {kind}")));
    };
    if flags != 0 || reserved != 0 {
        return Err(HbmError::broken(
            ManifestRule::SectionFlags,
            format!("section {index} has flags {flags:#x}, reserved {reserved:#x}"),
        ));
    }
    let alignment = alignment as usize;
    if !alignment.is_power_of_two() || alignment > MAXIMUM_ALIGNMENT {
        return Err(HbmError::broken(
            ManifestRule::SectionAlignment,
            format!("section {index} has alignment {alignment}"),
        ));
    }
    let (Ok(offset), Ok(size)) = (usize::try_from(offset), usize::try_from(size)) else {
        return Err(HbmError::broken(
            ManifestRule::SectionBounds,
            format!("section {index}: offset {offset}, size {size}"),
        ));
    };
    Ok(Section { kind, offset, size, alignment, sha256: fields.take() })
}

/// Checks place, padding, bounds and hash of a section that follows one that ended at `end`.
fn check_place(file: &[u8], index: usize, section: &Section, end: usize) -> Result<(), HbmError> {
    if place_after(end, section.alignment) != Some(section.offset) {
        let detail = format!("section {index} begins at byte {} and the one before ends at {end}", section.offset);
        return Err(HbmError::broken(ManifestRule::SectionPlace, detail));
    }
    let bytes = section.offset.checked_add(section.size).and_then(|end| file.get(section.offset..end));
    let (Some(padding), Some(bytes)) = (file.get(end..section.offset), bytes) else {
        let detail = format!(
            "section {index} has {} bytes from byte {}, the file ends at {}",
            section.size,
            section.offset,
            file.len()
        );
        return Err(HbmError::broken(ManifestRule::SectionBounds, detail));
    };
    if padding.iter().any(|&byte| byte != 0) {
        return Err(HbmError::broken(
            ManifestRule::SectionPadding,
            format!("a byte before section {index} is not zero"),
        ));
    }
    if sha256(bytes) != section.sha256 {
        let detail = format!("section {index} ({}) was changed after it was written", section.kind.name());
        return Err(HbmError::broken(ManifestRule::SectionHash, detail));
    }
    Ok(())
}

/// Takes fields off the front of a record whose length was checked before; past its end it yields zeros.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => [0; N],
        }
    }
}
