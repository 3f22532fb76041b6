//! Elementwise functions of one operand: formulas.

use hb_dialects::ir::OperationAttributes;
use melior::ir::operation::OperationLike;

use super::super::expression::{Expression, Function, Unary, select};
use super::Definition;
use super::node::{Node, Results, at_least};

pub(super) const OPERATORS: &[Definition] = &[
    ("hfloat.abs", |node| unary(node, |x| x.unary(Unary::Absolute))),
    ("hfloat.acos", |node| library(node, Function::Acos)),
    ("hfloat.acosh", |node| library(node, Function::Acosh)),
    ("hfloat.asin", |node| library(node, Function::Asin)),
    ("hfloat.asinh", |node| library(node, Function::Asinh)),
    ("hfloat.atan", |node| library(node, Function::Atan)),
    ("hfloat.atanh", |node| library(node, Function::Atanh)),
    ("hfloat.ceil", |node| unary(node, |x| x.unary(Unary::Ceil))),
    ("hfloat.celu", |node| with_parameters(node, [("alpha", 1.0)], celu)),
    ("hfloat.cos", |node| unary(node, |x| x.unary(Unary::Cosine))),
    ("hfloat.cosh", |node| library(node, Function::Cosh)),
    ("hfloat.elu", |node| {
        with_parameters(node, [("alpha", 1.0)], |x, [alpha]| below_zero(x.clone(), alpha * less_one(x)))
    }),
    ("hfloat.erf", |node| unary(node, |x| x.unary(Unary::Erf))),
    ("hfloat.exp", |node| unary(node, Expression::exponential)),
    ("hfloat.floor", |node| unary(node, |x| x.unary(Unary::Floor))),
    ("hfloat.gelu", gelu),
    ("hfloat.hard_sigmoid", |node| with_parameters(node, [("alpha", 0.2), ("beta", 0.5)], hard_sigmoid)),
    ("hfloat.hard_swish", |node| unary(node, hard_swish)),
    ("hfloat.leaky_relu", |node| {
        with_parameters(node, [("alpha", 0.01)], |x, [alpha]| below_zero(x.clone(), alpha * x))
    }),
    ("hfloat.log", |node| unary(node, |x| x.unary(Unary::Logarithm))),
    ("hfloat.mish", |node| unary(node, |x| x.clone() * softplus(x).unary(Unary::Tanh))),
    ("hfloat.neg", |node| unary(node, |x| -x)),
    ("hfloat.not", |node| unary(node, |x| x.unary(Unary::Not))),
    ("hfloat.reciprocal", |node| unary(node, |x| x.like(1.0) / x)),
    ("hfloat.relu", |node| unary(node, |x| at_least(x, 0.0))),
    ("hfloat.round", |node| unary(node, Expression::round)),
    ("hfloat.selu", |node| with_parameters(node, [("alpha", 1.673_263_2), ("gamma", 1.050_701)], selu)),
    ("hfloat.shrink", |node| with_parameters(node, [("lambd", 0.5), ("bias", 0.0)], shrink)),
    ("hfloat.sigmoid", |node| unary(node, sigmoid)),
    ("hfloat.sign", |node| unary(node, sign)),
    ("hfloat.sin", |node| unary(node, |x| x.unary(Unary::Sine))),
    ("hfloat.sinh", |node| library(node, Function::Sinh)),
    ("hfloat.softplus", |node| unary(node, softplus)),
    ("hfloat.softsign", |node| unary(node, |x| x.clone() / (x.clone().unary(Unary::Absolute) + x.like(1.0)))),
    ("hfloat.sqrt", |node| unary(node, Expression::square_root)),
    ("hfloat.tan", |node| library(node, Function::Tan)),
    ("hfloat.tanh", |node| unary(node, |x| x.unary(Unary::Tanh))),
    ("hfloat.thresholded_relu", |node| {
        with_parameters(node, [("alpha", 1.0)], |x, [alpha]| select(alpha.less(x.clone()), x.clone(), x.like(0.0)))
    }),
];

fn unary(node: &mut Node, formula: fn(Expression) -> Expression) -> Results {
    let value = formula(node.broadcast(0)?);
    node.fill_result(value)
}

fn library(node: &mut Node, function: Function) -> Results {
    let value = node.broadcast(0)?.unary(Unary::Library(function));
    node.fill_result(value)
}

/// A function whose parameters are f32 attributes with these defaults, which it gets as constants of the element of x.
fn with_parameters<const N: usize>(
    node: &mut Node,
    parameters: [(&str, f32); N],
    formula: fn(Expression, [Expression; N]) -> Expression,
) -> Results {
    let x = node.broadcast(0)?;
    let mut values = [0.0; N];
    for (value, (name, default)) in values.iter_mut().zip(parameters) {
        *value = node.operation.float_or(name, f64::from(default))?;
    }
    let constants = values.map(|value| x.like(value));
    node.fill_result(formula(x, constants))
}

/// x, but `negative` below zero.
fn below_zero(x: Expression, negative: Expression) -> Expression {
    select(x.clone().less(x.like(0.0)), negative, x)
}

/// e^x - 1.
fn less_one(x: Expression) -> Expression {
    x.clone().exponential() - x.like(1.0)
}

/// max(0, x) + min(0, alpha * (e^(x / alpha) - 1)).
fn celu(x: Expression, [alpha]: [Expression; 1]) -> Expression {
    let negative = alpha.clone() * less_one(x.clone() / alpha);
    at_least(x.clone(), 0.0) + select(x.like(0.0).less(negative.clone()), x.like(0.0), negative)
}

/// gamma * x above zero, gamma * alpha * (e^x - 1) elsewhere.
fn selu(x: Expression, [alpha, gamma]: [Expression; 2]) -> Expression {
    gamma * select(x.like(0.0).less(x.clone()), x.clone(), alpha * less_one(x))
}

/// x - bias above lambd, x + bias below -lambd, 0 between.
fn shrink(x: Expression, [lambd, bias]: [Expression; 2]) -> Expression {
    let above = select(lambd.clone().less(x.clone()), x.clone() - bias.clone(), x.like(0.0));
    select(x.clone().less(-lambd), x + bias, above)
}

/// -1, 0 or 1; NaN stays.
fn sign(x: Expression) -> Expression {
    let zero = x.like(0.0);
    let negative = if !x.element().is_signed() { x.clone() } else { x.like(-1.0) };
    let below = select(x.clone().less(zero.clone()), negative, x.clone());
    select(zero.less(x.clone()), x.like(1.0), below)
}

/// max(0, min(1, alpha * x + beta)).
fn hard_sigmoid(x: Expression, [alpha, beta]: [Expression; 2]) -> Expression {
    let one = x.like(1.0);
    at_least(x * alpha + beta, 0.0).minimum(one)
}

/// x * max(0, min(1, x / 6 + 1 / 2)).
fn hard_swish(x: Expression) -> Expression {
    let slope = x.like(1.0 / 6.0);
    let gate = x.clone() * slope + x.like(0.5);
    x.clone() * at_least(gate, 0.0).minimum(x.like(1.0))
}

/// 1 / (1 + e^-x). The exponential may overflow to infinity, whose reciprocal is the right 0.
fn sigmoid(x: Expression) -> Expression {
    x.like(1.0) / ((-x.clone()).exponential() + x.like(1.0))
}

/// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), where nothing overflows.
fn softplus(x: Expression) -> Expression {
    let power = (-x.clone().unary(Unary::Absolute)).exponential();
    at_least(x.clone(), 0.0) + (power + x.like(1.0)).unary(Unary::Logarithm)
}

/// x * (1 + erf(x / sqrt 2)) / 2, or with the approximation by tanh.
fn gelu(node: &mut Node) -> Results {
    let x = node.broadcast(0)?;
    let tanh = node.operation.has_attribute("approximate") && node.operation.string("approximate")? == "tanh";
    let inner = if tanh {
        let slope = x.like(std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
        let cube = x.clone() * x.clone() * x.clone();
        (slope * (x.clone() + cube * x.like(0.044715))).unary(Unary::Tanh)
    } else {
        (x.clone() * x.like(std::f64::consts::FRAC_1_SQRT_2)).unary(Unary::Erf)
    };
    let value = x.clone() * x.like(0.5) * (inner + x.like(1.0));
    node.fill_result(value)
}
