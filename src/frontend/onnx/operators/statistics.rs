//! Normalization by statistics of the input itself: GroupNormalization, InstanceNormalization, LayerNormalization, LRN.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;

pub(super) fn adapt_layer_normalization(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if node.outputs.len() > 1 {
        return Err(OnnxError::node(
            &node,
            "its further outputs (Mean, InvStdDev) are not supported; use only the first",
        ));
    }
    node.take_attribute("stash_type");
    rewriter.push(node)
}

pub(super) fn adapt_group_normalization(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    node.take_attribute("stash_type");
    rewriter.push(node)
}
