//! Operators that cut, repeat and regroup: Split, Squeeze, Expand, Tile, DepthToSpace, SpaceToDepth.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::rule::{Kind, Operator, ResultElement, attribute, inputs, keep, since};
use super::shape;

const SAME: &[ResultElement] = &[ResultElement::Input(0)];
/// More parts than any network has.
const PARTS: &[ResultElement] = &[ResultElement::Input(0); 1024];

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "DepthToSpace",
        dialect: "hfloat.depth_to_space",
        versions: &[1, 11, 13],
        inputs: &[inputs(1, 1)],
        attributes: &[
            attribute("blocksize", Kind::Int).required(),
            attribute("mode", Kind::Choice(&["DCR", "CRD"])).since(11).string("DCR"),
        ],
        results: SAME,
        shape: shape::pad,
        adapt: keep,
    },
    Operator {
        name: "Expand",
        dialect: "hfloat.expand",
        versions: &[8, 13],
        inputs: &[inputs(2, 2)],
        attributes: &[],
        results: SAME,
        shape: shape::expand,
        adapt: keep,
    },
    Operator {
        name: "SpaceToDepth",
        dialect: "hfloat.space_to_depth",
        versions: &[1, 13],
        inputs: &[inputs(1, 1)],
        attributes: &[attribute("blocksize", Kind::Int).required()],
        results: SAME,
        shape: shape::pad,
        adapt: keep,
    },
    Operator {
        name: "Split",
        dialect: "hfloat.split",
        versions: &[1, 2, 11, 13, 18],
        // The sizes became an input; then equal parts became a number.
        inputs: &[inputs(1, 1), since(13, 1, 2)],
        attributes: &[
            attribute("axis", Kind::Int).int(0),
            attribute("split", Kind::Ints).until(12).consumed(),
            attribute("num_outputs", Kind::Int).since(18).consumed(),
        ],
        results: PARTS,
        shape: shape::pad,
        adapt: adapt_split,
    },
    Operator {
        name: "Squeeze",
        dialect: "hfloat.squeeze",
        versions: &[1, 11, 13, 21],
        // Axes became an input.
        inputs: &[inputs(1, 1), since(13, 1, 2)],
        attributes: &[attribute("axes", Kind::Ints).until(12).consumed()],
        results: SAME,
        shape: shape::squeeze,
        adapt: |rewriter, mut node| {
            rewriter.attribute_to_input(&mut node, "axes", 1)?;
            rewriter.push(node)
        },
    },
    Operator {
        name: "Tile",
        dialect: "hfloat.tile",
        versions: &[1, 6, 13],
        inputs: &[inputs(2, 2)],
        attributes: &[],
        results: SAME,
        shape: shape::pad,
        adapt: keep,
    },
];

/// Without sizes, the number of parts is said.
fn adapt_split(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.attribute_to_input(&mut node, "split", 1)?;
    let count = i64::try_from(node.outputs.len()).unwrap_or(i64::MAX);
    match node.take_attribute("num_outputs") {
        Some(Attribute::Int(given)) if given != count => {
            let reason = format!("attribute \"num_outputs\" is {given}, but it has {count} outputs");
            return Err(OnnxError::node(&node, reason));
        }
        _ => {}
    }
    if node.input(1).is_none() {
        node.set_attribute("num_outputs", Attribute::Int(count));
    }
    rewriter.push(node)
}
