//! Operators that move elements without computing: Concat, Flatten, Gather, Pad, Reshape, Slice, Transpose, Unsqueeze.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::{MAX_RANK, Tensor};
use super::rule::{Kind, Operator, ResultElement, attribute, inputs, keep, since};
use super::shape;

const SAME: &[ResultElement] = &[ResultElement::Input(0)];

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "Concat",
        dialect: "hfloat.concat",
        versions: &[1, 4, 11, 13],
        inputs: &[inputs(1, usize::MAX)],
        attributes: &[attribute("axis", Kind::Int).required()],
        results: SAME,
        shape: shape::concat,
        adapt: adapt_concat,
    },
    Operator {
        name: "Flatten",
        dialect: "hfloat.flatten",
        versions: &[1, 9, 11, 13, 21],
        inputs: &[inputs(1, 1)],
        attributes: &[attribute("axis", Kind::Int).int(1)],
        results: SAME,
        shape: shape::matrix,
        adapt: keep,
    },
    Operator {
        name: "Gather",
        dialect: "hfloat.gather",
        versions: &[1, 11, 13],
        inputs: &[inputs(2, 2)],
        attributes: &[attribute("axis", Kind::Int).int(0)],
        results: SAME,
        shape: shape::gather,
        adapt: keep,
    },
    Operator {
        name: "Pad",
        dialect: "hfloat.pad",
        versions: &[1, 2, 11, 13, 18, 19, 21],
        // Pads and value became inputs, then axes came.
        inputs: &[inputs(1, 1), since(11, 2, 3), since(18, 2, 4)],
        attributes: &[
            attribute("mode", Kind::Choice(&["constant", "reflect", "edge"])).until(18).string("constant"),
            attribute("mode", Kind::Choice(&["constant", "reflect", "edge", "wrap"])).since(19).string("constant"),
            attribute("pads", Kind::Ints).until(10).required().consumed(),
            attribute("value", Kind::Float).until(10).consumed(),
        ],
        results: SAME,
        shape: shape::pad,
        adapt: adapt_pad,
    },
    Operator {
        name: "Reshape",
        dialect: "hfloat.reshape",
        versions: &[1, 5, 13, 14, 19, 21],
        inputs: &[inputs(2, 2)],
        attributes: &[attribute("allowzero", Kind::Flag).since(14).int(0)],
        results: SAME,
        shape: shape::reshape,
        adapt: keep,
    },
    Operator {
        name: "Slice",
        dialect: "hfloat.slice",
        versions: &[1, 10, 11, 13],
        // Starts, ends and axes became inputs, and steps came.
        inputs: &[inputs(1, 1), since(10, 3, 5)],
        attributes: &[
            attribute("starts", Kind::Ints).until(9).required().consumed(),
            attribute("ends", Kind::Ints).until(9).required().consumed(),
            attribute("axes", Kind::Ints).until(9).consumed(),
        ],
        results: SAME,
        shape: shape::slice,
        adapt: adapt_slice,
    },
    Operator {
        name: "Transpose",
        dialect: "hfloat.transpose",
        versions: &[1, 13, 21],
        inputs: &[inputs(1, 1)],
        attributes: &[attribute("perm", Kind::Ints)],
        results: SAME,
        shape: shape::transpose,
        adapt: adapt_transpose,
    },
    Operator {
        name: "Unsqueeze",
        dialect: "hfloat.unsqueeze",
        versions: &[1, 11, 13, 21],
        // Axes became an input.
        inputs: &[inputs(1, 1), since(13, 2, 2)],
        attributes: &[attribute("axes", Kind::Ints).until(12).required().consumed()],
        results: SAME,
        shape: shape::unsqueeze,
        adapt: |rewriter, mut node| {
            rewriter.attribute_to_input(&mut node, "axes", 1)?;
            rewriter.push(node)
        },
    },
];

fn adapt_concat(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    if node.inputs.iter().any(String::is_empty) {
        return Err(OnnxError::node(&node, "one of its inputs is absent"));
    }
    rewriter.push(node)
}

/// Absent `perm` reverses the dimensions.
fn adapt_transpose(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if node.attribute("perm").is_none() {
        let rank = rewriter.rank(&node, 0)? as i64;
        node.set_attribute("perm", Attribute::Ints((0..rank).rev().collect()));
    }
    rewriter.push(node)
}

/// The normal form always has the value and the axes.
fn adapt_pad(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.attribute_to_input(&mut node, "pads", 1)?;
    if node.input(2).is_none() {
        let value = match node.take_attribute("value") {
            Some(Attribute::Float(value)) => value,
            _ => 0.0,
        };
        let element = rewriter.input_element(&node, 0)?;
        let name = rewriter.push_constant(&node, "constant_value", Tensor::scalar(element, value))?;
        rewriter.set_input(&mut node, 2, name);
    }
    if node.input(3).is_none() {
        let rank = rewriter.rank(&node, 0)? as i64;
        let axes = Tensor::from_i64s(&(0..rank).collect::<Vec<_>>());
        let name = rewriter.push_constant(&node, "axes", axes)?;
        rewriter.set_input(&mut node, 3, name);
    }
    rewriter.push(node)
}

/// The normal form always has axes and steps.
fn adapt_slice(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    for (index, attribute) in ["starts", "ends", "axes"].into_iter().enumerate() {
        rewriter.attribute_to_input(&mut node, attribute, index + 1)?;
    }
    let length = match (rewriter.shape(&node, 1).map(Vec::as_slice), rewriter.shape(&node, 2).map(Vec::as_slice)) {
        (Some([Some(length)]), _) | (_, Some([Some(length)])) => Some(*length),
        _ => None,
    };
    for (index, suffix) in [(3, "axes"), (4, "steps")] {
        if node.input(index).is_none() {
            let length = length.filter(|length| *length <= MAX_RANK).ok_or_else(|| {
                OnnxError::node(&node, format!("without {suffix:?}, the number of its starts must be known"))
            })?;
            let values = if index == 3 { (0..length as i64).collect() } else { vec![1; length] };
            let name = rewriter.push_constant(&node, suffix, Tensor::from_i64s(&values))?;
            rewriter.set_input(&mut node, index, name);
        }
    }
    rewriter.push(node)
}
