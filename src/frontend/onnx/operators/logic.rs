//! Comparisons, truth values, and what chooses by them.

use super::super::tensor::ElementType;
use super::rule::{Inputs, Operator, ResultElement, inputs, keep};
use super::shape::{self, ShapeRule};

const ONE: &[Inputs] = &[inputs(1, 1)];
const TWO: &[Inputs] = &[inputs(2, 2)];
const THREE: &[Inputs] = &[inputs(3, 3)];
const BOOL: ResultElement = ResultElement::Fixed(ElementType::Bool);

const fn row(
    name: &'static str,
    dialect: &'static str,
    versions: &'static [i64],
    inputs: &'static [Inputs],
    results: &'static [ResultElement],
    shape: ShapeRule,
) -> Operator {
    Operator { name, dialect, versions, inputs, attributes: &[], results, shape, adapt: keep }
}

pub const OPERATORS: &[Operator] = &[
    row("And", "hfloat.and", &[1, 7], TWO, &[BOOL], shape::broadcast),
    row("Equal", "hfloat.equal", &[1, 7, 11, 13, 19], TWO, &[BOOL], shape::broadcast),
    row("Greater", "hfloat.greater", &[1, 7, 9, 13], TWO, &[BOOL], shape::broadcast),
    row("GreaterOrEqual", "hfloat.greater_or_equal", &[12, 16], TWO, &[BOOL], shape::broadcast),
    row("Less", "hfloat.less", &[1, 7, 9, 13], TWO, &[BOOL], shape::broadcast),
    row("LessOrEqual", "hfloat.less_or_equal", &[12, 16], TWO, &[BOOL], shape::broadcast),
    row("Not", "hfloat.not", &[1], ONE, &[BOOL], shape::same),
    row("Or", "hfloat.or", &[1, 7], TWO, &[BOOL], shape::broadcast),
    row("Range", "hfloat.range", &[11], THREE, &[ResultElement::Input(0)], shape::vector),
    row("Where", "hfloat.where", &[9, 16], THREE, &[ResultElement::Input(1)], shape::broadcast),
    row("Xor", "hfloat.xor", &[1, 7], TWO, &[BOOL], shape::broadcast),
];
