//! Operators that compute every element on its own.

use hb_dialects::ir::OperationAttributes;

use super::super::error::Error;
use super::super::expression::{self, Expression, axis, select};
use super::Definition;
use super::node::{Node, Results, at_least, wide};

pub(super) const OPERATORS: &[Definition] = &[
    ("hfloat.exp", |node| unary(node, Expression::exponential)),
    ("hfloat.hard_sigmoid", |node| with_parameters(node, [("alpha", 0.2), ("beta", 0.5)], hard_sigmoid)),
    ("hfloat.hard_swish", |node| unary(node, hard_swish)),
    ("hfloat.relu", |node| unary(node, |x| at_least(x, 0.0))),
    ("hfloat.sigmoid", |node| unary(node, sigmoid)),
    ("hfloat.clip", clip),
    ("hfloat.add", |node| binary(node, |a, b| a + b)),
    ("hfloat.div", |node| binary(node, |a, b| a / b)),
    ("hfloat.mul", |node| binary(node, |a, b| a * b)),
    ("hfloat.sub", |node| binary(node, |a, b| a - b)),
    ("hfloat.cast", cast),
    ("hfloat.batch_normalization", batch_normalization),
];

fn unary(node: &mut Node, formula: fn(Expression) -> Expression) -> Results {
    let value = formula(node.broadcast(0)?);
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

/// max(0, min(1, alpha * x + beta)).
fn hard_sigmoid(x: Expression, [alpha, beta]: [Expression; 2]) -> Expression {
    let one = x.like(1.0);
    at_least(x * alpha + beta, 0.0).minimum(one)
}

/// 1 / (1 + e^-x). The exponential may overflow to infinity, whose reciprocal is the right 0.
fn sigmoid(x: Expression) -> Expression {
    x.like(1.0) / ((-x.clone()).exponential() + x.like(1.0))
}

/// min(max(x, min), max) that keeps the NaN of x; where the bounds cross, max wins.
fn clip(node: &mut Node) -> Results {
    let x = node.broadcast(0)?;
    let bound = |index: usize| -> Result<Expression, Error> {
        let id = node.operand(index)?;
        let rank = node.shape(id)?.len();
        Ok(wide(node.graph.load(id, vec![expression::index(0); rank])))
    };
    let (low, high) = (bound(1)?, bound(2)?);
    let raised = select(x.clone().less(low.clone()), low, x);
    let value = select(high.clone().less(raised.clone()), high, raised);
    node.fill_result(value)
}

/// x * max(0, min(1, x / 6 + 1 / 2)).
fn hard_swish(x: Expression) -> Expression {
    let slope = x.like(1.0 / 6.0);
    let gate = x.clone() * slope + x.like(0.5);
    x.clone() * at_least(gate, 0.0).minimum(x.like(1.0))
}

fn binary(node: &mut Node, formula: fn(Expression, Expression) -> Expression) -> Results {
    let value = node.activate(formula(node.broadcast(0)?, node.broadcast(1)?))?;
    node.fill_result(value)
}

/// Without widening: f16 to i32 would else round twice.
fn cast(node: &mut Node) -> Results {
    let rank = node.result_shape()?.len();
    let value = node.graph.load_broadcast(node.operand(0)?, rank);
    node.fill_result(value)
}

/// x * factor + offset, where factor = scale / sqrt(variance + epsilon) and offset = bias - mean * factor.
fn batch_normalization(node: &mut Node) -> Results {
    let epsilon = node.operation.float_or("epsilon", 1e-5)?;
    let channels = node.shape(node.operand(1)?)?;
    if channels.len() != 1 {
        return Err(node.invalid(format!("its scale has shape {channels:?}, but one dimension is needed")));
    }
    let parameter = |node: &Node, index: usize| -> Result<Expression, Error> {
        Ok(wide(node.graph.load(node.operand(index)?, vec![axis(0)])))
    };
    let variance = parameter(node, 4)?;
    let factor = parameter(node, 1)? / (variance.clone() + variance.like(epsilon)).square_root();
    let factor = node.fill(&channels, factor)?;
    let factor_at = node.graph.load(factor, vec![axis(0)]);
    let offset = parameter(node, 2)? - parameter(node, 3)? * factor_at;
    let offset = node.fill(&channels, offset)?;
    let channel = |id| node.graph.load(id, vec![axis(1)]);
    let element = node.element(factor)?;
    let value = node.broadcast(0)?.cast(element) * channel(factor) + channel(offset);
    node.fill_result(value)
}
