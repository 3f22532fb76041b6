//! Operators that sort and select: TopK, NonZero, NonMaxSuppression.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;
use hb_dialects::ElementType;

pub(super) fn adapt_top_k(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if let Some(Attribute::Int(k)) = node.take_attribute("k") {
        let name = rewriter.push_constant(&node, "k", Tensor::from_i64s(&[k]))?;
        rewriter.set_input(&mut node, 1, name);
    }
    rewriter.push(node)
}

/// Without an axis a vector of all elements is looked at.
pub(super) fn adapt_unique(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if node.attribute("axis").is_none() {
        let shape = rewriter.push_constant(&node, "shape", Tensor::from_i64s(&[-1]))?;
        let flat = rewriter.derived_name(&node, "flatten");
        rewriter.push(Node::new(&flat, "Reshape", &[node.input(0).unwrap_or_default(), &shape], &[&flat]))?;
        rewriter.set_input(&mut node, 0, flat);
        node.set_attribute("axis", Attribute::Int(0));
    }
    rewriter.push(node)
}

/// The normal form has all inputs: no boxes and no overlap where they are absent, and an empty threshold of the scores.
pub(super) fn adapt_non_max_suppression(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let nothing = Tensor::new(ElementType::F32, vec![0], Vec::new().into());
    let nothing = nothing.map_err(|reason| OnnxError::node(&node, reason))?;
    for (index, suffix, absent) in [
        (2, "max_output_boxes_per_class", Tensor::from_i64s(&[0])),
        (3, "iou_threshold", Tensor::from_f32s(&[0.0])),
        (4, "score_threshold", nothing),
    ] {
        rewriter.complete_input(&mut node, index, suffix, absent)?;
    }
    rewriter.push(node)
}
