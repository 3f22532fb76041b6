//! The `.hbm` container: write, read, verify.
//!
//! A fixed header, a table of sections, one protobuf [`Manifest`], and raw aligned sections; `docs/hbm-format.md` lays out every byte.
//! The format is this project's own and says so in its magic: it does not load on vendor boards, and vendor files do not load here.
//!
//! [`HbmBuilder`] writes and [`Hbm`] reads. Reading checks everything before anything is used; a bad file is an [`HbmError`] that names
//! the [`ManifestRule`] it breaks. Memory stays below twice the file's size plus a fixed allowance, whatever the file claims.

mod builder;
mod check;
mod error;
pub mod information;
mod layout;
mod manifest;
#[cfg(test)]
mod properties;
mod reader;
#[cfg(test)]
mod tests;
mod wire;

pub use builder::HbmBuilder;
pub use error::{HbmError, ManifestRule};
pub use layout::{MAJOR, MAXIMUM_ALIGNMENT, MINOR, Section, SectionKind};
pub use manifest::{
    BpuSegment, Buffer, CpuSegment, Layer, Manifest, ModelParameter, SegmentBody, SegmentDescription,
    TensorDescription, TensorQuantization, Version, dense_strides,
};
pub use reader::Hbm;

/// Identifies the numbers of a target, whatever the notes beside them say: SHA-256 of its name and of `path=value` for each number.
pub fn target_digest(target: &crate::target::Target) -> [u8; 32] {
    let mut text = format!("{}\n", target.name);
    for (path, value) in target.fields() {
        text.push_str(&format!("{path}={value}\n"));
    }
    layout::sha256(text.as_bytes())
}
