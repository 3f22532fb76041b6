//! Gemm, MatMul.

use super::rule::{Kind, Operator, ResultElement, attribute, inputs, keep, since};
use super::shape;

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "Gemm",
        dialect: "hfloat.gemm",
        versions: &[1, 6, 7, 9, 11, 13],
        // C became optional.
        inputs: &[inputs(3, 3), since(11, 2, 3)],
        attributes: &[
            attribute("alpha", Kind::Float).float(1.0),
            attribute("beta", Kind::Float).float(1.0),
            attribute("transA", Kind::Flag).int(0),
            attribute("transB", Kind::Flag).int(0),
        ],
        results: &[ResultElement::Input(0)],
        shape: shape::matrix,
        adapt: keep,
    },
    Operator {
        name: "MatMul",
        dialect: "hfloat.mat_mul",
        versions: &[1, 9, 13],
        inputs: &[inputs(2, 2)],
        attributes: &[],
        results: &[ResultElement::Input(0)],
        shape: shape::matrix_product,
        adapt: keep,
    },
];
