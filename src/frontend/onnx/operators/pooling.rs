//! MaxPool, AveragePool, GlobalAveragePool.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::super::tensor::ElementType;
use super::rule::{Kind, Operator, ResultElement, attribute, inputs, keep};
use super::shape;
use super::window::{AUTO_PAD, ints, make_explicit};

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "MaxPool",
        dialect: "hfloat.max_pool",
        versions: &[1, 8, 10, 11, 12, 22],
        inputs: &[inputs(1, 1)],
        attributes: &[
            attribute("auto_pad", AUTO_PAD).string("NOTSET"),
            attribute("ceil_mode", Kind::Flag).since(10).int(0),
            attribute("dilations", Kind::Ints).since(10),
            attribute("kernel_shape", Kind::Ints).required(),
            attribute("pads", Kind::Ints),
            // Order of the indices of the second output.
            attribute("storage_order", Kind::Flag).since(8).consumed(),
            attribute("strides", Kind::Ints),
        ],
        results: &[ResultElement::Input(0), ResultElement::Fixed(ElementType::I64)],
        shape: shape::pool,
        adapt: adapt_max_pool,
    },
    Operator {
        name: "AveragePool",
        dialect: "hfloat.average_pool",
        versions: &[1, 7, 10, 11, 19, 22],
        inputs: &[inputs(1, 1)],
        attributes: &[
            attribute("auto_pad", AUTO_PAD).string("NOTSET"),
            attribute("ceil_mode", Kind::Flag).since(10).int(0),
            attribute("count_include_pad", Kind::Flag).since(7).int(0),
            attribute("dilations", Kind::Ints).since(19),
            attribute("kernel_shape", Kind::Ints).required(),
            attribute("pads", Kind::Ints),
            attribute("strides", Kind::Ints),
        ],
        results: &[ResultElement::Input(0)],
        shape: shape::pool,
        adapt: adapt_pool,
    },
    Operator {
        name: "GlobalAveragePool",
        dialect: "hfloat.global_average_pool",
        versions: &[1, 22],
        inputs: &[inputs(1, 1)],
        attributes: &[],
        results: &[ResultElement::Input(0)],
        shape: shape::global_pool,
        adapt: keep,
    },
    Operator {
        name: "GlobalMaxPool",
        dialect: "hfloat.global_max_pool",
        versions: &[1, 22],
        inputs: &[inputs(1, 1)],
        attributes: &[],
        results: &[ResultElement::Input(0)],
        shape: shape::global_pool,
        adapt: keep,
    },
];

fn adapt_max_pool(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if node.output(1).is_some() {
        return Err(OnnxError::node(&node, "its second output (Indices) is not supported; use only the first"));
    }
    node.take_attribute("storage_order");
    adapt_pool(rewriter, node)
}

fn adapt_pool(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let spatial = ints(&node, "kernel_shape").map_or(0, <[i64]>::len);
    if spatial == 0 {
        return Err(OnnxError::node(&node, "its kernel_shape is empty"));
    }
    make_explicit(&mut node, spatial)?;
    rewriter.push(node)
}
