//! Operators that move elements without computing: Concat, Flatten, Gather, Pad, Reshape, Slice, Transpose, Unsqueeze.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;
use super::rule::{Kind, Operator, ResultElement, attribute, inputs, keep, since};

const SAME: &[ResultElement] = &[ResultElement::Input(0)];

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "Concat",
        dialect: "hfloat.concat",
        versions: &[1, 4, 11, 13],
        inputs: &[inputs(1, usize::MAX)],
        attributes: &[attribute("axis", Kind::Int).required()],
        results: SAME,
        adapt: adapt_concat,
    },
    Operator {
        name: "Flatten",
        dialect: "hfloat.flatten",
        versions: &[1, 9, 11, 13, 21],
        inputs: &[inputs(1, 1)],
        attributes: &[attribute("axis", Kind::Int).int(1)],
        results: SAME,
        adapt: keep,
    },
    Operator {
        name: "Gather",
        dialect: "hfloat.gather",
        versions: &[1, 11, 13],
        inputs: &[inputs(2, 2)],
        attributes: &[attribute("axis", Kind::Int).int(0)],
        results: SAME,
        adapt: keep,
    },
    Operator {
        name: "Pad",
        dialect: "hfloat.pad",
        versions: &[1, 2, 11, 13, 18, 19, 21],
        // Pads and value became inputs, then axes came.
        inputs: &[inputs(1, 1), since(11, 2, 3), since(18, 2, 4)],
        attributes: &[
            attribute("mode", Kind::Choice(&["constant", "reflect", "edge"]))
                .until(18)
                .string("constant"),
            attribute(
                "mode",
                Kind::Choice(&["constant", "reflect", "edge", "wrap"]),
            )
            .since(19)
            .string("constant"),
            attribute("pads", Kind::Ints)
                .until(10)
                .required()
                .consumed(),
            attribute("value", Kind::Float).until(10).consumed(),
        ],
        results: SAME,
        adapt: adapt_pad,
    },
    Operator {
        name: "Reshape",
        dialect: "hfloat.reshape",
        versions: &[1, 5, 13, 14, 19, 21],
        inputs: &[inputs(2, 2)],
        attributes: &[attribute("allowzero", Kind::Flag).since(14).int(0)],
        results: SAME,
        adapt: keep,
    },
    Operator {
        name: "Slice",
        dialect: "hfloat.slice",
        versions: &[1, 10, 11, 13],
        // Starts, ends and axes became inputs, and steps came.
        inputs: &[inputs(1, 1), since(10, 3, 5)],
        attributes: &[
            attribute("starts", Kind::Ints)
                .until(9)
                .required()
                .consumed(),
            attribute("ends", Kind::Ints).until(9).required().consumed(),
            attribute("axes", Kind::Ints).until(9).consumed(),
        ],
        results: SAME,
        adapt: adapt_slice,
    },
    Operator {
        name: "Transpose",
        dialect: "hfloat.transpose",
        versions: &[1, 13, 21],
        inputs: &[inputs(1, 1)],
        attributes: &[attribute("perm", Kind::Ints)],
        results: SAME,
        adapt: keep,
    },
    Operator {
        name: "Unsqueeze",
        dialect: "hfloat.unsqueeze",
        versions: &[1, 11, 13, 21],
        // Axes became an input.
        inputs: &[inputs(1, 1), since(13, 2, 2)],
        attributes: &[attribute("axes", Kind::Ints)
            .until(12)
            .required()
            .consumed()],
        results: SAME,
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

fn adapt_pad(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if rewriter.opset() < 11 {
        rewriter.attribute_to_input(&mut node, "pads", 1)?;
        let value = match node.take_attribute("value") {
            Some(Attribute::Float(value)) => value,
            _ => 0.0,
        };
        if value != 0.0 {
            let element = rewriter.input_element(&node, 0)?;
            let value = Tensor::scalar_float(element, value).ok_or_else(|| {
                OnnxError::node(
                    &node,
                    format!("{} cannot be padded before opset 11", element.name()),
                )
            })?;
            let name = rewriter.push_constant(&node, "constant_value", value)?;
            rewriter.set_input(&mut node, 2, name);
        }
    }
    rewriter.widen_input(&mut node, 3, "axes")?;
    rewriter.push(node)
}

fn adapt_slice(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if rewriter.opset() < 10 {
        let starts = match node.attribute("starts") {
            Some(Attribute::Ints(starts)) => starts.len(),
            _ => 0,
        };
        if node.attribute("axes").is_none() {
            node.set_attribute("axes", Attribute::Ints((0..starts as i64).collect()));
        }
        for (index, attribute) in ["starts", "ends", "axes"].into_iter().enumerate() {
            rewriter.attribute_to_input(&mut node, attribute, index + 1)?;
        }
    }
    for (index, suffix) in [(1, "starts"), (2, "ends"), (3, "axes"), (4, "steps")] {
        rewriter.widen_input(&mut node, index, suffix)?;
    }
    rewriter.push(node)
}
