//! Constant, ConstantOfShape, Shape.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::{ElementType, Tensor};
use super::rule::{Kind, Operator, ResultElement, attribute, inputs};
use super::shape;

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "Constant",
        dialect: "hfloat.constant",
        versions: &[1, 9, 11, 12, 13, 19, 21],
        inputs: &[inputs(0, 0)],
        attributes: &[
            attribute("value", Kind::Tensor),
            attribute("sparse_value", Kind::Any).since(11).consumed(),
            attribute("value_float", Kind::Float).since(12).consumed(),
            attribute("value_floats", Kind::Floats).since(12).consumed(),
            attribute("value_int", Kind::Int).since(12).consumed(),
            attribute("value_ints", Kind::Ints).since(12).consumed(),
            attribute("value_string", Kind::Any).since(12).consumed(),
            attribute("value_strings", Kind::Any).since(12).consumed(),
        ],
        results: &[ResultElement::Tensor("value")],
        shape: shape::constant,
        adapt: adapt_constant,
    },
    Operator {
        name: "ConstantOfShape",
        dialect: "hfloat.constant_of_shape",
        versions: &[9, 20, 21],
        inputs: &[inputs(1, 1)],
        attributes: &[attribute("value", Kind::Tensor)],
        results: &[ResultElement::Tensor("value")],
        shape: shape::constant_of_shape,
        adapt: adapt_constant_of_shape,
    },
    Operator {
        name: "Shape",
        dialect: "hfloat.shape",
        versions: &[1, 13, 15, 19, 21],
        inputs: &[inputs(1, 1)],
        attributes: &[attribute("start", Kind::Int).since(15).int(0), attribute("end", Kind::Int).since(15)],
        results: &[ResultElement::Fixed(ElementType::I64)],
        shape: shape::shape_of,
        adapt: super::rule::keep,
    },
];

fn adapt_constant(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
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

fn adapt_constant_of_shape(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let value = match node.take_attribute("value") {
        Some(Attribute::Tensor(value)) if value.count() != 1 => {
            return Err(OnnxError::node(&node, format!("its value has {} elements, it must have one", value.count())));
        }
        Some(Attribute::Tensor(value)) => value,
        _ => Tensor::from_f32s(&[0.0]),
    };
    rewriter.push(node.with("value", Attribute::Tensor(value)))
}
