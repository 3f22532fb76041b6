//! Normalization by statistics of the input itself: GroupNormalization, InstanceNormalization, LayerNormalization, LRN.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::super::tensor::ElementType;
use super::rule::{Kind, Operator, ResultElement, attribute, inputs, keep};
use super::shape;

const SAME: &[ResultElement] = &[ResultElement::Input(0)];

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "GroupNormalization",
        dialect: "hfloat.group_normalization",
        // The form of opset 18, with parameters per group, is deprecated in ONNX itself.
        versions: &[21],
        inputs: &[inputs(3, 3)],
        attributes: &[
            attribute("epsilon", Kind::Float).float(1e-5),
            attribute("num_groups", Kind::Int).required(),
            // Precision of the statistics: here at least f32.
            attribute("stash_type", Kind::Int).consumed(),
        ],
        results: SAME,
        shape: shape::same,
        adapt: adapt_group_normalization,
    },
    Operator {
        name: "InstanceNormalization",
        dialect: "hfloat.instance_normalization",
        versions: &[1, 6, 22],
        inputs: &[inputs(3, 3)],
        attributes: &[attribute("epsilon", Kind::Float).float(1e-5)],
        results: SAME,
        shape: shape::same,
        adapt: keep,
    },
    Operator {
        name: "LayerNormalization",
        dialect: "hfloat.layer_normalization",
        versions: &[17],
        inputs: &[inputs(2, 3)],
        attributes: &[
            attribute("axis", Kind::Int).int(-1),
            attribute("epsilon", Kind::Float).float(1e-5),
            attribute("stash_type", Kind::Int).consumed(),
        ],
        results: &[
            ResultElement::Input(0),
            ResultElement::Fixed(ElementType::F32),
            ResultElement::Fixed(ElementType::F32),
        ],
        shape: shape::same,
        adapt: adapt_layer_normalization,
    },
    Operator {
        name: "LRN",
        dialect: "hfloat.lrn",
        versions: &[1, 13],
        inputs: &[inputs(1, 1)],
        attributes: &[
            attribute("alpha", Kind::Float).float(1e-4),
            attribute("beta", Kind::Float).float(0.75),
            attribute("bias", Kind::Float).float(1.0),
            attribute("size", Kind::Int).required(),
        ],
        results: SAME,
        shape: shape::same,
        adapt: keep,
    },
];

fn adapt_layer_normalization(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if node.outputs.len() > 1 {
        return Err(OnnxError::node(
            &node,
            "its further outputs (Mean, InvStdDev) are not supported; use only the first",
        ));
    }
    node.take_attribute("stash_type");
    rewriter.push(node)
}

fn adapt_group_normalization(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    node.take_attribute("stash_type");
    rewriter.push(node)
}
