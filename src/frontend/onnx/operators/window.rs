//! Attributes that Conv and the pools share: strides, dilations and pads become explicit.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};

/// Gives `strides`, `dilations` (1 per spatial dimension) and `pads` (0 at each end) where they are absent, and checks the
/// lengths of those that are present. Pads have no meaning with automatic padding; they are dropped then.
pub fn make_explicit(node: &mut Node, spatial: usize) -> Result<(), OnnxError> {
    for (name, length, default) in [("strides", spatial, 1), ("dilations", spatial, 1), ("pads", 2 * spatial, 0)] {
        match node.attribute(name) {
            None => node.set_attribute(name, Attribute::Ints(vec![default; length])),
            Some(Attribute::Ints(values)) if values.len() != length => {
                let reason = format!("attribute {name:?} has {} values, {length} are needed", values.len());
                return Err(OnnxError::node(node, reason));
            }
            Some(_) => {}
        }
    }
    if is_automatic(node) {
        node.take_attribute("pads");
    }
    Ok(())
}

/// Whether the pads follow from the sizes.
pub fn is_automatic(node: &Node) -> bool {
    matches!(node.attribute("auto_pad"), Some(Attribute::String(mode)) if mode != b"NOTSET")
}

/// Pads of a node that has none because they are automatic; the dialect wants them written.
pub fn absent_pads(node: &Node) -> Attribute {
    Attribute::Ints(vec![0; 2 * ints(node, "strides").map_or(0, <[i64]>::len)])
}

/// Values of an INTS attribute, if it is present.
pub fn ints<'a>(node: &'a Node, name: &str) -> Option<&'a [i64]> {
    match node.attribute(name) {
        Some(Attribute::Ints(values)) => Some(values),
        _ => None,
    }
}
