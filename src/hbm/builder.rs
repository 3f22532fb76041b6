//! Writing a `.hbm`.

use std::borrow::Cow;
use std::path::Path;

use super::layout::{ENTRY_BYTES, HEADER_BYTES, MAXIMUM_SECTIONS, place_after, sha256};
use super::{Hbm, HbmError, MAXIMUM_ALIGNMENT, Manifest, ManifestRule, Section, SectionKind, layout, wire};

/// Collects the raw sections of a model, then writes them behind their manifest. The same sections and manifest give the same bytes.
#[derive(Debug, Default)]
pub struct HbmBuilder<'a> {
    sections: Vec<(SectionKind, usize, Cow<'a, [u8]>)>,
}

impl<'a> HbmBuilder<'a> {
    /// A file without sections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a section and returns the index by which the manifest names it. `alignment` is in bytes, a power of two up to
    /// [`MAXIMUM_ALIGNMENT`]; [`HbmBuilder::finish`] refuses others.
    pub fn add_section(&mut self, kind: SectionKind, alignment: usize, bytes: impl Into<Cow<'a, [u8]>>) -> usize {
        self.sections.push((kind, alignment, bytes.into()));
        self.sections.len()
    }

    /// The file's bytes. What comes out was read back and verified: a manifest that a reader would refuse is refused here, by the same rule.
    pub fn finish(self, manifest: &Manifest) -> Result<Vec<u8>, HbmError> {
        let encoded = wire::encode(manifest);
        let mut parts: Vec<(SectionKind, usize, &[u8])> = vec![(SectionKind::Manifest, 8, &encoded)];
        parts.extend(self.sections.iter().map(|(kind, alignment, bytes)| (*kind, *alignment, bytes.as_ref())));
        let file = assemble(&parts)?;
        drop(self);
        Hbm::from_bytes(file).map(Hbm::into_bytes)
    }

    /// [`HbmBuilder::finish`] into a file that appears whole or not at all.
    pub fn write(self, manifest: &Manifest, path: &Path) -> Result<(), HbmError> {
        Ok(crate::files::write_atomically(path, &self.finish(manifest)?)?)
    }
}

/// Places the parts one behind the other, each at its alignment, and writes header and table before them.
pub(super) fn assemble(parts: &[(SectionKind, usize, &[u8])]) -> Result<Vec<u8>, HbmError> {
    if parts.len() > MAXIMUM_SECTIONS {
        return Err(HbmError::broken(
            ManifestRule::HeaderSectionCount,
            format!("the model has {} sections", parts.len()),
        ));
    }
    let mut end = HEADER_BYTES + parts.len() * ENTRY_BYTES;
    let mut sections = Vec::with_capacity(parts.len());
    for (index, &(kind, alignment, bytes)) in parts.iter().enumerate() {
        if !alignment.is_power_of_two() || alignment > MAXIMUM_ALIGNMENT {
            return Err(HbmError::broken(
                ManifestRule::SectionAlignment,
                format!("section {index} has alignment {alignment}"),
            ));
        }
        let placed = place_after(end, alignment).and_then(|offset| Some((offset, offset.checked_add(bytes.len())?)));
        let Some((offset, behind)) = placed else {
            return Err(HbmError::broken(
                ManifestRule::SectionBounds,
                format!("section {index} does not fit the address space"),
            ));
        };
        sections.push(Section { kind, offset, size: bytes.len(), alignment, sha256: sha256(bytes) });
        end = behind;
    }
    let mut file = layout::write(&sections, end);
    file.reserve_exact(end - file.len());
    for (section, (_, _, bytes)) in sections.iter().zip(parts) {
        file.resize(section.offset, 0);
        file.extend_from_slice(bytes);
    }
    Ok(file)
}
