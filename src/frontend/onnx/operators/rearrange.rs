//! Operators that cut, repeat and regroup: Split, Squeeze, Expand, Tile, DepthToSpace, SpaceToDepth.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;

/// Without sizes, the number of parts is said.
pub(super) fn adapt_split(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.attribute_to_input(&mut node, "split", 1)?;
    let count = i64::try_from(node.outputs.len()).unwrap_or(i64::MAX);
    match node.take_attribute("num_outputs") {
        Some(Attribute::Int(given)) if given != count => {
            let reason = format!("attribute \"num_outputs\" is {given}, but it has {count} outputs");
            return Err(OnnxError::node(&node, reason));
        }
        _ => {}
    }
    if node.input(1).is_none() {
        node.set_attribute("num_outputs", Attribute::Int(count));
    }
    rewriter.push(node)
}
