//! Normalization by statistics of the input itself.

use hb_dialects::ElementType;
use hb_dialects::hfloat::attributes;

use super::super::error::Error;
use super::super::expression::{Binary, Expression, GraphTensorId, accumulator, axis, index, select};
use super::super::graph::Combiner;
use super::node::{OperatorNode, Results, axes, wide};

pub(super) fn group_normalization(node: &mut OperatorNode) -> Results {
    let groups = usize::try_from(attributes::num_groups(node.operation)?).unwrap_or(0);
    per_channel(node, groups)
}

pub(super) fn instance_normalization(node: &mut OperatorNode) -> Results {
    let channels = node.shape(node.operand(0)?)?.get(1).copied().unwrap_or(0);
    per_channel(node, channels)
}

/// `(x - mean) / sqrt(variance + epsilon)`, in the shape of the input, where mean and variance are those of each of `outer` parts.
fn standardized(node: &mut OperatorNode, outer: usize) -> Result<GraphTensorId, Error> {
    let input = node.operand(0)?;
    let shape = node.shape(input)?;
    let count: usize = shape.iter().product();
    let inner = count / outer.max(1);
    let epsilon = attributes::epsilon(node.operation)?;
    let parts = node.graph.add_view("", input, &[outer, inner])?;
    let element = if node.element(input)? == ElementType::F64 { ElementType::F64 } else { ElementType::F32 };
    let x = |node: &OperatorNode| wide(node.graph.load(parts, axes(0, 2)));
    let average = accumulator(element) / accumulator(element).like(inner as f64);
    let mean = node.temporary(element, &[outer])?;
    let body = x(node);
    node.reduce_into(mean, &[inner], Combiner::Sum, body, average.clone())?;
    let centered = |node: &OperatorNode| x(node) - node.graph.load(mean, vec![axis(0)]);
    let factor = node.temporary(element, &[outer])?;
    let (distance, one) = (centered(node), average.like(1.0));
    let deviation = (average.clone() + average.like(epsilon)).square_root();
    node.reduce_into(factor, &[inner], Combiner::Sum, distance.clone() * distance, one / deviation)?;
    let body = centered(node) * node.graph.load(factor, vec![axis(0)]);
    let filled = node.fill(&[outer, inner], body)?;
    node.graph.add_view("", filled, &shape)
}

/// ONNX InstanceNormalization-6 and GroupNormalization-21: scale and bias per channel.
fn per_channel(node: &mut OperatorNode, groups: usize) -> Results {
    let shape = node.shape(node.operand(0)?)?;
    let batch = shape.first().copied().unwrap_or(1);
    if groups == 0 || !shape.get(1).is_some_and(|channels| channels.is_multiple_of(groups)) {
        return Err(node.invalid(format!("its {groups} groups do not fit the shape {shape:?}")));
    }
    let standard = standardized(node, batch * groups)?;
    let parameter = |node: &OperatorNode, index: usize| -> Result<Expression, Error> {
        Ok(wide(node.graph.load(node.operand(index)?, vec![axis(1)])))
    };
    let value = node.graph.load(standard, axes(0, shape.len())) * parameter(node, 1)? + parameter(node, 2)?;
    node.fill_result(value)
}

/// ONNX LayerNormalization-17, the first output.
pub(super) fn layer_normalization(node: &mut OperatorNode) -> Results {
    let shape = node.shape(node.operand(0)?)?;
    let rank = shape.len() as i64;
    let axis = attributes::axis(node.operation)?;
    let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).unwrap_or(0);
    let standard = standardized(node, shape.iter().take(axis).product())?;
    let mut value = node.graph.load(standard, axes(0, shape.len())) * node.broadcast(1)?;
    if node.optional_operand(2).is_some() {
        value = value + node.broadcast(2)?;
    }
    node.fill_result(value)
}

/// ONNX LRN-13.
pub(super) fn lrn(node: &mut OperatorNode) -> Results {
    let input = node.operand(0)?;
    let shape = node.shape(input)?;
    let (rank, channels) = (shape.len(), shape.get(1).copied().unwrap_or(1) as i64);
    let size = attributes::size(node.operation)?;
    let (alpha, beta) = (attributes::alpha(node.operation)?, attributes::beta(node.operation)?);
    let bias = attributes::bias(node.operation)?;
    let channel = axis(1) + axis(rank) - (size - 1) / 2;
    let mut at = axes(0, rank);
    if let Some(slot) = at.get_mut(1) {
        *slot = channel.clone().clamp(0, (channels - 1).max(0));
    }
    let x = wide(node.graph.load(input, at));
    let inside = index(0).less_or_equal(channel.clone()).and(channel.less(index(channels)));
    let body = select(inside, x.clone() * x.clone(), x.like(0.0));
    let total = accumulator(body.element());
    let base = total.clone() * total.like(alpha / size.max(1) as f64) + total.like(bias);
    let value = wide(node.graph.load(input, axes(0, rank)));
    let finish = (value / base.binary(Binary::Power, total.like(beta))).cast(node.result_element()?);
    let output = node.result_tensor()?;
    node.reduce_into(output, &[usize::try_from(size).unwrap_or(1)], Combiner::Sum, body, finish)?;
    Ok(vec![output])
}
