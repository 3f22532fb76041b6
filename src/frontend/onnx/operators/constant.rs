//! Constant, ConstantOfShape, Shape.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;

pub(super) fn adapt_constant(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let [(name, value)] = node.attributes.as_slice() else {
        let reason = format!("it has {} attributes, exactly one must give its value", node.attributes.len());
        return Err(OnnxError::node(&node, reason));
    };
    let scalar = |tensor: Tensor| tensor.reshaped(Vec::new()).map_err(|reason| OnnxError::node(&node, reason));
    let value = match value {
        Attribute::Tensor(tensor) => tensor.clone(),
        Attribute::Float(value) => scalar(Tensor::from_f32s(&[*value]))?,
        Attribute::Floats(values) => Tensor::from_f32s(values),
        Attribute::Int(value) => scalar(Tensor::from_i64s(&[*value]))?,
        Attribute::Ints(values) => Tensor::from_i64s(values),
        _ => {
            return Err(OnnxError::node(&node, format!("a constant given as {name:?} is not supported")));
        }
    };
    node.attributes.clear();
    rewriter.push(node.with("value", Attribute::Tensor(value)))
}

pub(super) fn adapt_constant_of_shape(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let value = match node.take_attribute("value") {
        Some(Attribute::Tensor(value)) if value.count() != 1 => {
            return Err(OnnxError::node(&node, format!("its value has {} elements, it must have one", value.count())));
        }
        Some(Attribute::Tensor(value)) => value,
        _ => Tensor::from_f32s(&[0.0]),
    };
    rewriter.push(node.with("value", Attribute::Tensor(value)))
}
