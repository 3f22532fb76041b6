//! MaxPool, AveragePool, GlobalAveragePool.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::window::{ints, make_explicit};

/// Maxima and their positions are nodes of their own: only the first have integers. A node of which only the positions are read is those.
pub(super) fn adapt_max_pool(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.drop_unread_outputs(&mut node);
    let Some(indices) = node.output(1).map(str::to_owned) else {
        node.take_attribute("storage_order");
        return adapt_pool(rewriter, node);
    };
    let mut positions = node.clone();
    positions.outputs = vec![String::new(), indices];
    if node.output(0).is_some_and(|maxima| rewriter.is_read(maxima)) {
        positions.name = rewriter.derived_name(&node, "indices");
        node.outputs.truncate(1);
        node.take_attribute("storage_order");
        adapt_pool(rewriter, node)?;
    }
    adapt_pool(rewriter, positions)
}

pub(super) fn adapt_pool(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let spatial = ints(&node, "kernel_shape").map_or(0, <[i64]>::len);
    if spatial == 0 {
        return Err(OnnxError::node(&node, "its kernel_shape is empty"));
    }
    make_explicit(&mut node, spatial)?;
    rewriter.push(node)
}
