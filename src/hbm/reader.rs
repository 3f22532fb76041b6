//! Reading a `.hbm`: nothing is handed out before everything was checked.

use std::path::Path;

use crate::reading;

use super::{HbmError, Manifest, ManifestRule, Section, SectionKind, check, layout, wire};

/// The largest file that is read: many times what the memory of a board holds.
const LARGEST_FILE: u64 = 16 << 30;

/// A verified `.hbm` file in memory.
#[derive(Debug, Clone)]
pub struct Hbm {
    bytes: Vec<u8>,
    sections: Vec<Section>,
    manifest: Manifest,
}

impl Hbm {
    /// Reads and verifies the file at `path`. It is read rather than mapped: what was verified can then not change under us.
    pub fn open(path: &Path) -> Result<Self, HbmError> {
        let failed = |source| HbmError::Read { path: path.to_owned(), source };
        let bytes = reading::read(path, LARGEST_FILE).map_err(|fault| failed(fault.into()))?;
        Self::from_bytes(bytes).map_err(|source| HbmError::InFile { path: path.to_owned(), source: Box::new(source) })
    }

    /// Verifies the bytes of a file.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, HbmError> {
        let sections = layout::read(&bytes)?;
        let mut kinds = sections.iter().map(|section| section.kind);
        if kinds.next() != Some(SectionKind::Manifest) || kinds.any(|kind| kind == SectionKind::Manifest) {
            return Err(HbmError::broken(
                ManifestRule::ManifestPlace,
                "the manifest is missing, doubled or not the first section",
            ));
        }
        let encoded = sections.first().and_then(|section| bytes.get(section.offset..section.offset + section.size));
        let manifest = wire::decode(encoded.unwrap_or_default(), bytes.len())?;
        check::check(&manifest, &sections)?;
        Ok(Self { bytes, sections, manifest })
    }

    /// What the file says about its model.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The section table; section 0 is the manifest.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The bytes of a section, empty for an index that does not exist (indices in the manifest were checked to exist).
    pub fn section(&self, index: usize) -> &[u8] {
        self.sections
            .get(index)
            .and_then(|section| self.bytes.get(section.offset..section.offset + section.size))
            .unwrap_or_default()
    }

    /// Size of the whole file in bytes.
    pub fn file_size(&self) -> usize {
        self.bytes.len()
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As [`Self::bytes`], without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
