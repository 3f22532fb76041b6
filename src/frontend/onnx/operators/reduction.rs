//! Reductions over axes.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;
use hb_dialects::ElementType;

/// The normal form always has axes; absent ones are an empty list, which means the same.
pub(super) fn adapt(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let is_extreme = matches!(node.operator.as_str(), "ReduceMax" | "ReduceMin");
    if is_extreme && rewriter.input_element(&node, 0)? == ElementType::Bool {
        return super::masks::extreme_of_bool(rewriter, node);
    }
    rewriter.attribute_to_input(&mut node, "axes", 1)?;
    if node.input(1).is_none() {
        let name = rewriter.push_constant(&node, "axes", Tensor::from_i64s(&[]))?;
        rewriter.set_input(&mut node, 1, name);
    }
    rewriter.push(node)
}
