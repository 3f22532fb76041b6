//! Resizing, one dimension after the other: every result is a weighted sum along one dimension, by tables.

use hb_dialects::ElementType;
use hb_dialects::hfloat::{Resize, ResizedAxis, Sample};
use hb_runtime::{Array, Scalar};

use super::super::error::Error;
use super::super::expression::{Expression, GraphTensorId, accumulator, axis, constant, index, select};
use super::super::graph::Combiner;
use super::node::{OperatorNode, Results, axes, wide};
use super::rearrange::Splits;
use std::collections::HashMap;

/// Up to this many taps are written out, more are a loop.
const WRITTEN_OUT: usize = 4;

/// ONNX Resize-19.
pub(super) fn resize(node: &mut OperatorNode) -> Results {
    let plan = Resize::of(node.operation).map_err(|reason| node.unsupported(reason))?;
    if let Some(factors) = repetitions(&plan) {
        return repeated(node, &factors);
    }
    let picks = |sample: &Sample| matches!(sample.taps.as_slice(), [(_, 1.0)]);
    let value = if plan.axes.iter().flat_map(|axis| &axis.samples).all(picks) {
        picked(node, &plan)?
    } else {
        interpolated(node, &plan)?
    };
    let value = extrapolated(node, &plan, value)?;
    node.fill_result(value)
}

/// Element `tap` of every sample of a dimension.
fn tap(axis: &ResizedAxis, tap: usize) -> impl Iterator<Item = (usize, f64)> {
    // A sample with fewer taps takes its first again, times 0.
    axis.samples.iter().map(move |sample| match (sample.taps.get(tap), sample.taps.first()) {
        (Some(&tap), _) => tap,
        (None, first) => (first.map_or(0, |first| first.0), 0.0),
    })
}

/// The position of a tap: `tap` is an expression, the element of the result is that of axis `resized.axis`.
fn position(
    node: &mut OperatorNode,
    resized: &ResizedAxis,
    taps: usize,
    tap_at: Expression,
) -> Result<Expression, Error> {
    let positions: Vec<i64> = (0..taps).flat_map(|t| tap(resized, t)).map(|(at, _)| at as i64).collect();
    let table = node.constant(Array::from_values(&[taps, resized.samples.len()], &positions)?)?;
    let position = node.graph.load(table, vec![tap_at, axis(resized.axis)]);
    Ok(position.clamp(0, (resized.size as i64 - 1).max(0)))
}

/// By dimension: how often each element is there one after the other, where nothing else is done.
fn repetitions(plan: &Resize) -> Option<HashMap<usize, usize>> {
    let factor = |resized: &ResizedAxis| {
        let factor = resized.samples.len().checked_div(resized.size).filter(|factor| *factor > 0)?;
        let repeats = |(at, sample): (usize, &Sample)| !sample.outside && sample.taps == [(at / factor, 1.0)];
        let whole = resized.samples.len() == factor * resized.size;
        (whole && resized.samples.iter().enumerate().all(repeats)).then_some((resized.axis, factor))
    };
    plan.axes.iter().map(factor).collect()
}

fn repeated(node: &mut OperatorNode, factors: &HashMap<usize, usize>) -> Results {
    let mut splits = Splits::default();
    for (dimension, size) in node.shape(node.operand(0)?)?.into_iter().enumerate() {
        splits.read(size);
        splits.extents.extend(factors.get(&dimension).copied().filter(|factor| *factor > 1));
    }
    splits.fill(node)
}

/// Every dimension by its first tap, in one go.
fn picked(node: &mut OperatorNode, plan: &Resize) -> Result<Expression, Error> {
    let input = node.operand(0)?;
    let mut at = axes(0, node.shape(input)?.len());
    for resized in &plan.axes {
        let position = position(node, resized, 1, index(0))?;
        if let Some(slot) = at.get_mut(resized.axis) {
            *slot = position;
        }
    }
    Ok(node.graph.load(input, at))
}

fn interpolated(node: &mut OperatorNode, plan: &Resize) -> Result<Expression, Error> {
    let mut input = node.operand(0)?;
    if !node.element(input)?.is_float() {
        return Err(node.unsupported(format!("interpolation of {}; cast to float before", node.element(input)?)));
    }
    // What makes the tensor smaller first.
    let mut order: Vec<&ResizedAxis> = plan.axes.iter().collect();
    order.sort_by(|a, b| (a.samples.len() * b.size).cmp(&(b.samples.len() * a.size)));
    for resized in order {
        input = interpolate(node, input, resized)?;
    }
    let rank = node.shape(input)?.len();
    Ok(node.graph.load(input, axes(0, rank)))
}

/// The weighted sums along one dimension, as a temporary.
fn interpolate(node: &mut OperatorNode, input: GraphTensorId, resized: &ResizedAxis) -> Result<GraphTensorId, Error> {
    let mut shape = node.shape(input)?;
    let rank = shape.len();
    if let Some(size) = shape.get_mut(resized.axis) {
        *size = resized.samples.len();
    }
    let element = if node.element(input)? == ElementType::F64 { ElementType::F64 } else { ElementType::F32 };
    let taps = resized.samples.iter().map(|sample| sample.taps.len()).max().unwrap_or(1).max(1);
    let weights: Vec<f64> = (0..taps).flat_map(|t| tap(resized, t)).map(|(_, weight)| weight).collect();
    let weights = match element {
        ElementType::F64 => Array::from_values(&[taps, resized.samples.len()], &weights)?,
        _ => {
            let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
            Array::from_values(&[taps, resized.samples.len()], &weights)?
        }
    };
    let weights = node.constant(weights)?;
    let product = |node: &mut OperatorNode, tap: Expression| -> Result<Expression, Error> {
        let mut at = axes(0, rank);
        let position = position(node, resized, taps, tap.clone())?;
        if let Some(slot) = at.get_mut(resized.axis) {
            *slot = position;
        }
        let value = wide(node.graph.load(input, at)).cast(element);
        Ok(value * node.graph.load(weights, vec![tap, axis(resized.axis)]))
    };
    if taps > WRITTEN_OUT {
        let body = product(node, axis(rank))?;
        let output = node.temporary(element, &shape)?;
        node.reduce_into(output, &[taps], Combiner::SumOfProducts, body, accumulator(element))?;
        return Ok(output);
    }
    let mut sum = product(node, index(0))?;
    for tap in 1..taps {
        sum = sum + product(node, index(tap as i64))?;
    }
    node.fill(&shape, sum)
}

/// The extrapolation value where a position lies outside.
fn extrapolated(node: &mut OperatorNode, plan: &Resize, value: Expression) -> Result<Expression, Error> {
    let mut value = value;
    for resized in &plan.axes {
        if !resized.samples.iter().any(|sample| sample.outside) {
            continue;
        }
        let outside: Vec<i64> = resized.samples.iter().map(|sample| i64::from(sample.outside)).collect();
        let table = node.constant(Array::from_values(&[outside.len()], &outside)?)?;
        let inside = node.graph.load(table, vec![axis(resized.axis)]).equal(index(0));
        let other = constant(value.element(), Scalar::Float(plan.extrapolation_value));
        value = select(inside, value, other);
    }
    Ok(value)
}
