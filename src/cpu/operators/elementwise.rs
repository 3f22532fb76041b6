//! Operators that compute every element on its own; those of one operand are in `functions.rs`.

use hb_dialects::ElementType;
use hb_dialects::hfloat::attributes;

use super::super::error::Error;
use super::super::expression::{self, Binary, Expression, Unary, axis, select};
use super::node::{OperatorNode, Results, wide};

/// min(max(x, min), max) that keeps the NaN of x; where the bounds cross, max wins.
pub(super) fn clip(node: &mut OperatorNode) -> Results {
    let x = node.broadcast(0)?;
    let (low, high) = (single(node, 1)?, single(node, 2)?);
    let raised = select(x.clone().less(low.clone()), low, x);
    let value = select(high.clone().less(raised.clone()), high, raised);
    node.fill_result(value)
}

pub(super) fn binary(node: &mut OperatorNode, formula: fn(Expression, Expression) -> Expression) -> Results {
    let value = node.activate(formula(node.broadcast(0)?, node.broadcast(1)?))?;
    node.fill_result(value)
}

pub(super) fn p_relu(node: &mut OperatorNode) -> Results {
    binary(node, |x, slope| select(x.clone().less(x.like(0.0)), x.clone() * slope, x))
}

pub(super) fn not(node: &mut OperatorNode) -> Results {
    let value = node.broadcast(0)?.unary(Unary::Not);
    node.fill_result(value)
}

/// The one element of an operand.
fn single(node: &OperatorNode, index: usize) -> Result<Expression, Error> {
    let id = node.operand(index)?;
    let rank = node.shape(id)?.len();
    Ok(wide(node.graph.load(id, vec![expression::index(0); rank])))
}

/// Integers by way of f64, as onnxruntime. Squares, which normalizations compute, are products.
pub(super) fn pow(node: &mut OperatorNode) -> Results {
    let (base, exponent) = (node.broadcast(0)?, node.broadcast(1)?);
    let constant = node.tensor(node.operand(1)?)?.data.as_ref().map(|data| data.to_f64());
    if constant.is_some_and(|values| values == [2.0]) {
        return node.fill_result(base.clone() * base);
    }
    let element = if base.element() == ElementType::F32 && exponent.element().is_float() {
        ElementType::F32
    } else {
        ElementType::F64
    };
    node.fill_result(base.cast(element).binary(Binary::Power, exponent.cast(element)))
}

/// With the sign of the divisor, or in the manner of C with that of the dividend.
pub(super) fn remainder(node: &mut OperatorNode) -> Results {
    let operation = if attributes::fmod(node.operation)? { Binary::Remainder } else { Binary::Modulo };
    let value = node.broadcast(0)?.binary(operation, node.broadcast(1)?);
    node.fill_result(value)
}

/// Without widening: what is chosen is stored as it is.
pub(super) fn r#where(node: &mut OperatorNode) -> Results {
    let rank = node.result_shape()?.len();
    let load =
        |index: usize| -> Result<Expression, Error> { Ok(node.graph.load_broadcast(node.operand(index)?, rank)) };
    let value = select(load(0)?, load(1)?, load(2)?);
    node.fill_result(value)
}

/// start + position * delta. Positions are exact in f64, which rounds once; integers wrap nowhere between start and limit.
pub(super) fn range(node: &mut OperatorNode) -> Results {
    let (start, delta) = (single(node, 0)?, single(node, 2)?);
    let element = if start.element().is_float() { ElementType::F64 } else { ElementType::I64 };
    node.fill_result(start.cast(element) + axis(0).cast(element) * delta.cast(element))
}

/// Without widening: f16 to i32 would else round twice.
pub(super) fn cast(node: &mut OperatorNode) -> Results {
    let rank = node.result_shape()?.len();
    let value = node.graph.load_broadcast(node.operand(0)?, rank);
    node.fill_result(value)
}

/// x * factor + offset, where factor = scale / sqrt(variance + epsilon) and offset = bias - mean * factor.
pub(super) fn batch_normalization(node: &mut OperatorNode) -> Results {
    let epsilon = attributes::epsilon(node.operation)?;
    let channels = node.shape(node.operand(1)?)?;
    if channels.len() != 1 {
        return Err(node.invalid(format!("its scale has shape {channels:?}, but one dimension is needed")));
    }
    let parameter = |node: &OperatorNode, index: usize| -> Result<Expression, Error> {
        Ok(wide(node.graph.load(node.operand(index)?, vec![axis(0)])))
    };
    let variance = parameter(node, 4)?;
    let factor = parameter(node, 1)? / (variance.clone() + variance.like(epsilon)).square_root();
    let factor = node.fill(&channels, factor)?;
    let factor_at = node.graph.load(factor, vec![axis(0)]);
    let offset = parameter(node, 2)? - parameter(node, 3)? * factor_at;
    let offset = node.fill(&channels, offset)?;
    // A tensor of one dimension has a single channel.
    let place = if node.shape(node.operand(0)?)?.len() > 1 { axis(1) } else { expression::index(0) };
    let channel = |id| node.graph.load(id, vec![place.clone()]);
    let element = node.element(factor)?;
    let value = node.broadcast(0)?.cast(element) * channel(factor) + channel(offset);
    node.fill_result(value)
}
