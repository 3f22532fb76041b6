//! Operators that work element by element, with multidirectional broadcasting where they take two inputs (since opset 7;
//! the `axis` and `broadcast` attributes of older ones are out of reach).

use super::rule::{Kind, Operator, ResultElement, attribute, inputs, keep};
use super::shape;

const SAME: &[ResultElement] = &[ResultElement::Input(0)];

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "Relu",
        dialect: "hfloat.relu",
        versions: &[1, 6, 13, 14],
        inputs: &[inputs(1, 1)],
        attributes: &[],
        results: SAME,
        shape: shape::same,
        adapt: keep,
    },
    Operator {
        name: "HardSwish",
        dialect: "hfloat.hard_swish",
        versions: &[14, 22],
        inputs: &[inputs(1, 1)],
        attributes: &[],
        results: SAME,
        shape: shape::same,
        adapt: keep,
    },
    Operator {
        name: "Add",
        dialect: "hfloat.add",
        versions: &[1, 6, 7, 13, 14],
        inputs: &[inputs(2, 2)],
        attributes: &[],
        results: SAME,
        shape: shape::broadcast,
        adapt: keep,
    },
    Operator {
        name: "Mul",
        dialect: "hfloat.mul",
        versions: &[1, 6, 7, 13, 14],
        inputs: &[inputs(2, 2)],
        attributes: &[],
        results: SAME,
        shape: shape::broadcast,
        adapt: keep,
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
