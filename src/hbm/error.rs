//! The rules of the format, each with a name that `docs/hbm-format.md` explains.

use std::fmt;
use std::path::PathBuf;

use crate::files::FileError;

/// Why a `.hbm` could not be read or written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum HbmError {
    #[error("not a valid .hbm file: {detail} (rule {rule}: {})", rule.sentence())]
    Broken { rule: ManifestRule, detail: String },
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    InFile { path: PathBuf, source: Box<HbmError> },
    #[error(transparent)]
    Write(#[from] FileError),
}

impl HbmError {
    pub(super) fn broken(rule: ManifestRule, detail: impl Into<String>) -> Self {
        Self::Broken { rule, detail: detail.into() }
    }

    /// The rule that the file breaks; none when it could not be read at all.
    pub fn rule(&self) -> Option<ManifestRule> {
        match self {
            Self::Broken { rule, .. } => Some(*rule),
            Self::InFile { source, .. } => source.rule(),
            Self::Read { .. } | Self::Write(_) => None,
        }
    }
}

macro_rules! rules {
    ($($variant:ident $name:literal $sentence:literal,)*) => {
        /// One rule of the format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ManifestRule { $(#[doc = $sentence] $variant,)* }

        impl ManifestRule {
            /// Every rule, in the order of `docs/hbm-format.md`.
            pub const ALL: &[ManifestRule] = &[$(ManifestRule::$variant,)*];

            /// The name that messages and `docs/hbm-format.md` use.
            pub fn name(self) -> &'static str {
                match self { $(ManifestRule::$variant => $name,)* }
            }

            /// What the rule demands.
            pub fn sentence(self) -> &'static str {
                match self { $(ManifestRule::$variant => $sentence,)* }
            }
        }
    };
}

rules! {
    HeaderSize "header.size" "a file holds at least the header",
    HeaderMagic "header.magic" "a file begins with the magic of this format",
    HeaderMajor "header.major" "the major version equals the reader's",
    HeaderMinor "header.minor" "the minor version is at most the reader's",
    HeaderReserved "header.reserved" "reserved bytes of the header are zero",
    HeaderFileSize "header.file-size" "the size in the header is the file's size",
    HeaderSectionCount "header.section-count" "there are 1 to 65536 sections and their table fits into the file",
    TableHash "table.hash" "the section table has the SHA-256 in the header",
    SectionKind "section.kind" "every section is of a kind that the version defines",
    SectionFlags "section.flags" "flags and reserved bytes of a section are zero",
    SectionAlignment "section.alignment" "an alignment is a power of two up to 4096",
    SectionPlace "section.place" "a section begins where the one before ends, rounded up to its alignment",
    SectionBounds "section.bounds" "a section ends inside the file",
    SectionPadding "section.padding" "bytes between sections are zero",
    SectionHash "section.hash" "a section has the SHA-256 in the table",
    FileEnd "file.end" "the file ends with its last section",
    ManifestPlace "manifest.place" "section 0 is the manifest, and no other section is one",
    ManifestWire "manifest.wire" "the manifest is protobuf of the schema, in the one way that a writer emits it",
    ManifestText "manifest.text" "text is UTF-8",
    ManifestSize "manifest.size" "the decoded manifest is not much larger than the file",
    ManifestCount "manifest.count" "counts and sizes are within the format's limits",
    ManifestName "manifest.name" "names are present and unique among their kind",
    ManifestTarget "manifest.target" "march is present and the target's digest is 32 bytes",
    ManifestType "manifest.type" "every tensor and buffer has an element type that the version defines",
    ManifestShape "manifest.shape" "a shape's size in bytes fits its buffer",
    ManifestStrides "manifest.strides" "there is a stride per dimension, and elements do not overlap",
    ManifestQuantization "manifest.quantization" "there is one finite positive scale and one zero point for the tensor, or per index of the axis",
    ManifestSizes "manifest.sizes" "actual sizes are those of an output, one int64 for each of its dimensions",
    ManifestRegion "manifest.region" "only inputs of uint8 [1, H, W, C] name a region, which is an input of int32 [1, 4]; planes of one picture have its sizes or half of them",
    ManifestBuffer "manifest.buffer" "a buffer that is named exists",
    ManifestFlow "manifest.flow" "every buffer is written once, by a model input or a segment, before it is read",
    ManifestSegment "manifest.segment" "a segment that is named exists, and each has a body",
    ManifestSection "manifest.section" "a section that is named exists, is of the right kind, and every section is named",
}

impl fmt::Display for ManifestRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
