//! Reductions over axes.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::super::tensor::{ElementType, Tensor};
use super::rule::{AttributeRule, Inputs, Kind, Operator, ResultElement, attribute, inputs, keep, since};
use super::shape;

/// Attributes of a reduction whose axes became an input in this version.
macro_rules! attributes {
    ($version:literal) => {
        &[
            attribute("axes", Kind::Ints).until($version - 1).consumed(),
            attribute("keepdims", Kind::Flag).int(1),
            attribute("noop_with_empty_axes", Kind::Flag).since($version).int(0),
        ]
    };
}

const SINCE_13: (&[AttributeRule], &[Inputs]) = (attributes!(13), &[inputs(1, 1), since(13, 1, 2)]);
const SINCE_18: (&[AttributeRule], &[Inputs]) = (attributes!(18), &[inputs(1, 1), since(18, 1, 2)]);

const ONE: &[Inputs] = &[inputs(1, 1)];
const SAME: &[ResultElement] = &[ResultElement::Input(0)];
const POSITION: &[ResultElement] = &[ResultElement::Fixed(ElementType::I64)];
const ARG: &[AttributeRule] = &[
    attribute("axis", Kind::Int).int(0),
    attribute("keepdims", Kind::Flag).int(1),
    attribute("select_last_index", Kind::Flag).since(12).int(0),
];

/// The last argument is [`SINCE_13`] or [`SINCE_18`]: when the axes became an input.
const fn reduce(
    name: &'static str,
    dialect: &'static str,
    versions: &'static [i64],
    (attributes, inputs): (&'static [AttributeRule], &'static [Inputs]),
) -> Operator {
    Operator { name, dialect, versions, inputs, attributes, results: SAME, shape: shape::reduce, adapt }
}

/// The position of an extreme value.
const fn arg(name: &'static str, dialect: &'static str) -> Operator {
    Operator {
        name,
        dialect,
        versions: &[1, 11, 12, 13],
        inputs: ONE,
        attributes: ARG,
        results: POSITION,
        shape: shape::reduce_one,
        adapt: keep,
    }
}

pub const OPERATORS: &[Operator] = &[
    arg("ArgMax", "hfloat.arg_max"),
    arg("ArgMin", "hfloat.arg_min"),
    reduce("ReduceL1", "hfloat.reduce_l1", &[1, 11, 13, 18], SINCE_18),
    reduce("ReduceL2", "hfloat.reduce_l2", &[1, 11, 13, 18], SINCE_18),
    reduce("ReduceLogSum", "hfloat.reduce_log_sum", &[1, 11, 13, 18], SINCE_18),
    reduce("ReduceLogSumExp", "hfloat.reduce_log_sum_exp", &[1, 11, 13, 18], SINCE_18),
    reduce("ReduceMax", "hfloat.reduce_max", &[1, 11, 12, 13, 18, 20], SINCE_18),
    reduce("ReduceMean", "hfloat.reduce_mean", &[1, 11, 13, 18], SINCE_18),
    reduce("ReduceMin", "hfloat.reduce_min", &[1, 11, 12, 13, 18, 20], SINCE_18),
    reduce("ReduceProd", "hfloat.reduce_prod", &[1, 11, 13, 18], SINCE_18),
    reduce("ReduceSum", "hfloat.reduce_sum", &[1, 11, 13], SINCE_13),
    reduce("ReduceSumSquare", "hfloat.reduce_sum_square", &[1, 11, 13, 18], SINCE_18),
];

/// The normal form always has axes; absent ones are an empty list, which means the same.
fn adapt(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.attribute_to_input(&mut node, "axes", 1)?;
    if node.input(1).is_none() {
        let name = rewriter.push_constant(&node, "axes", Tensor::from_i64s(&[]))?;
        rewriter.set_input(&mut node, 1, name);
    }
    rewriter.push(node)
}
