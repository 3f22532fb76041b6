//! Softmax.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;

/// Before opset 13, Softmax sees its input as a matrix: dimensions from `axis` on are one. That is the same as today's form
/// on the last axis; elsewhere the matrix is made explicitly.
pub(super) fn adapt(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if rewriter.opset() >= 13 {
        return rewriter.push(node);
    }
    let axis = match node.take_attribute("axis") {
        Some(Attribute::Int(axis)) => axis,
        _ => 1,
    };
    let (Some(input), Some(output)) = (node.input(0).map(str::to_owned), node.output(0).map(str::to_owned)) else {
        return rewriter.push(node);
    };
    let rank = rewriter.shape(&node, 0).and_then(|shape| i64::try_from(shape.len()).ok());
    if axis == -1 || rank.is_some_and(|rank| axis == rank - 1) {
        return rewriter.push(node.with("axis", Attribute::Int(-1)));
    }
    let [shape, matrix, result] = ["shape", "flatten", "matrix"].map(|suffix| rewriter.derived_name(&node, suffix));
    rewriter.push(Node::new(&shape, "Shape", &[&input], &[&shape]))?;
    rewriter.push(Node::new(&matrix, "Flatten", &[&input], &[&matrix]).with("axis", Attribute::Int(axis)))?;
    node.inputs = vec![matrix];
    node.outputs = vec![result.clone()];
    let reshape = rewriter.derived_name(&node, "reshape");
    rewriter.push(node.with("axis", Attribute::Int(1)))?;
    rewriter.push(Node::new(&reshape, "Reshape", &[&result, &shape], &[&output]))
}
