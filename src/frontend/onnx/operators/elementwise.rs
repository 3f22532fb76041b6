//! Operators that work element by element, with multidirectional broadcasting where they take two inputs (since opset 7;
//! the `axis` and `broadcast` attributes of older ones are out of reach).

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::{ElementType, Tensor};
use super::rule::{AttributeRule, Inputs, Kind, Operator, ResultElement, attribute, inputs, keep, since};
use super::shape;

const SAME: &[ResultElement] = &[ResultElement::Input(0)];
const ONE: &[Inputs] = &[inputs(1, 1)];
const TWO: &[Inputs] = &[inputs(2, 2)];

/// A function of one tensor.
const fn unary(
    name: &'static str,
    dialect: &'static str,
    versions: &'static [i64],
    attributes: &'static [AttributeRule],
) -> Operator {
    Operator { name, dialect, versions, inputs: ONE, attributes, results: SAME, shape: shape::same, adapt: keep }
}

/// A function of two tensors that broadcast.
const fn binary(name: &'static str, dialect: &'static str, versions: &'static [i64]) -> Operator {
    let shape = shape::broadcast;
    Operator { name, dialect, versions, inputs: TWO, attributes: &[], results: SAME, shape, adapt: keep }
}

/// A FLOAT attribute of every version.
const fn float(name: &'static str, default: f32) -> AttributeRule {
    attribute(name, Kind::Float).float(default)
}

pub const OPERATORS: &[Operator] = &[
    unary("Exp", "hfloat.exp", &[1, 6, 13], &[]),
    unary("HardSigmoid", "hfloat.hard_sigmoid", &[1, 6, 22], &[float("alpha", 0.2), float("beta", 0.5)]),
    unary("HardSwish", "hfloat.hard_swish", &[14, 22], &[]),
    unary("Relu", "hfloat.relu", &[1, 6, 13, 14], &[]),
    unary("Sigmoid", "hfloat.sigmoid", &[1, 6, 13], &[]),
    binary("Add", "hfloat.add", &[1, 6, 7, 13, 14]),
    binary("Div", "hfloat.div", &[1, 6, 7, 13, 14]),
    binary("Mul", "hfloat.mul", &[1, 6, 7, 13, 14]),
    binary("Sub", "hfloat.sub", &[1, 6, 7, 13, 14]),
    Operator {
        name: "Clip",
        dialect: "hfloat.clip",
        versions: &[1, 6, 11, 12, 13],
        // The bounds became inputs.
        inputs: &[inputs(1, 1), since(11, 1, 3)],
        attributes: &[
            attribute("min", Kind::Float).until(10).consumed(),
            attribute("max", Kind::Float).until(10).consumed(),
        ],
        results: SAME,
        shape: shape::same,
        adapt: adapt_clip,
    },
    Operator {
        name: "Identity",
        dialect: "hfloat.identity",
        versions: &[1, 13, 14, 16, 19, 21],
        inputs: &[inputs(1, 1)],
        attributes: &[],
        results: SAME,
        shape: shape::same,
        adapt: keep,
    },
    Operator {
        name: "Cast",
        dialect: "hfloat.cast",
        versions: &[1, 6, 9, 13, 19, 21],
        inputs: &[inputs(1, 1)],
        attributes: &[
            // The type of the result in the dialect.
            attribute("to", Kind::Int).required().consumed(),
            // Says how float8 overflows, and nothing else; float8 is not a type that we have.
            attribute("saturate", Kind::Flag).since(19).consumed(),
        ],
        results: &[ResultElement::Code("to")],
        shape: shape::same,
        adapt: |rewriter, mut node| {
            node.take_attribute("saturate");
            rewriter.push(node)
        },
    },
];

/// The normal form always has both bounds; an absent one is the end of the element type's range.
fn adapt_clip(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let element = rewriter.input_element(&node, 0)?;
    let bounds: [(&str, fn(ElementType) -> Tensor); 2] = [("min", Tensor::lowest), ("max", Tensor::highest)];
    for (index, (name, absent)) in (1..).zip(bounds) {
        let given = node.take_attribute(name);
        if node.input(index).is_none() {
            let bound = match given {
                Some(Attribute::Float(value)) => Tensor::scalar(element, value),
                _ => absent(element),
            };
            let name = rewriter.push_constant(&node, name, bound)?;
            rewriter.set_input(&mut node, index, name);
        }
    }
    rewriter.push(node)
}
