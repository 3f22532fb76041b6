//! What can be wrong with a Caffe network.

use super::tokens::{Position, TextFault};
use crate::reading::unread;
use crate::wording::{hint, quoted};
use std::io;
use std::path::PathBuf;

/// Caffe files that cannot be read, understood or converted. Messages name the file, line and column, the layer, the reason, and,
/// where there is one, the remedy.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum CaffeError {
    #[error("{}", unread(path, source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{} has {size} bytes, at most {limit} are read", path.display())]
    FileTooLarge { path: PathBuf, size: u64, limit: u64 },
    #[error("{file} is not text: {reason}")]
    NotText { file: String, reason: String },
    #[error("{}", lines(.faults.iter().map(|fault| format!("{file}:{fault}"))))]
    Text { file: String, faults: Vec<TextFault> },
    #[error("{file}: {reason}")]
    Network { file: String, reason: String },
    #[error("the weights are not those of a .caffemodel: {reason}")]
    Malformed { reason: String },
    #[error("the .caffemodel: {reason}")]
    Weights { reason: String },
    #[error("{} layer(s) of the network are of types that are not supported:\n{}", .0.len(), lines(.0.iter().map(unknown_type)))]
    UnknownLayers(Vec<LayerPlace>),
    #[error("the network is written for training; what to change to run it:\n{}", lines(.0.iter().cloned()))]
    Training(Vec<String>),
    #[error("{place}: {reason}")]
    Layer { place: LayerPlace, reason: String },
    /// An input, or a shape that was asked for it.
    #[error("input {input:?}: {reason}")]
    Input { input: String, reason: String },
    /// Each is of its own; what only follows from another is left out.
    #[error("{}", lines(.0.iter().map(ToString::to_string)))]
    Several(Vec<CaffeError>),
}

/// A layer, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerPlace {
    /// What messages call the prototxt.
    pub file: String,
    /// Where the layer begins.
    pub position: Position,
    /// Its name.
    pub layer: String,
    /// Its type.
    pub kind: String,
}

impl std::fmt::Display for LayerPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, position, layer, kind } = self;
        write!(f, "{file}:{position}: layer {} ({kind})", quoted(layer))
    }
}

/// A layer of an unknown type, and the type that was meant.
fn unknown_type(place: &LayerPlace) -> String {
    format!("{place}{}", hint(&place.kind, super::layers::types()))
}

impl CaffeError {
    /// One error of all of `faults`; none of none.
    pub(super) fn all(mut faults: Vec<Self>) -> Option<Self> {
        if faults.len() > 1 { Some(Self::Several(faults)) } else { faults.pop() }
    }
}

/// At most so many errors or layers are printed; the rest is counted.
const SHOWN: usize = 40;

fn lines(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(SHOWN);
    let mut lines: Vec<String> = all.into_iter().take(SHOWN).collect();
    if more > 0 {
        lines.push(format!("... and {more} more"));
    }
    lines.join("\n")
}
