//! MaxPool, AveragePool, GlobalAveragePool.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::window::{ints, make_explicit};

pub(super) fn adapt_max_pool(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.drop_unread_outputs(&mut node);
    if node.output(1).is_some() {
        return Err(OnnxError::node(&node, "its second output (Indices) is not supported; use only the first"));
    }
    node.take_attribute("storage_order");
    adapt_pool(rewriter, node)
}

pub(super) fn adapt_pool(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let spatial = ints(&node, "kernel_shape").map_or(0, <[i64]>::len);
    if spatial == 0 {
        return Err(OnnxError::node(&node, "its kernel_shape is empty"));
    }
    make_explicit(&mut node, spatial)?;
    rewriter.push(node)
}
