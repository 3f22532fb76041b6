//! Operators that only move elements.

use hb_dialects::ElementType;
use hb_dialects::hfloat::attributes;
use hb_runtime::Scalar;

use super::super::error::Error;
use super::super::expression::{Expression, GraphTensorId, axis, constant, index, select};
use super::super::graph::{Compute, RunCheck};
use super::node::{OperatorNode, Results, axes};
use super::sizes;

/// An axis that may count from the end.
fn positive_axis(node: &OperatorNode, value: i64, rank: usize) -> Result<usize, Error> {
    let rank = rank as i64;
    let positive = if value < 0 { value + rank } else { value };
    if (0..rank).contains(&positive) {
        Ok(positive as usize)
    } else {
        Err(node.invalid(format!("axis {value} is outside a tensor of rank {rank}")))
    }
}

pub(super) fn transpose(node: &mut OperatorNode) -> Results {
    let input = node.operand(0)?;
    let permutation = attributes::perm(node.operation)?;
    let mut indices = vec![index(0); permutation.len()];
    for (position, source) in permutation.iter().enumerate() {
        let source = positive_axis(node, *source, permutation.len())?;
        if let Some(slot) = indices.get_mut(source) {
            *slot = axis(position);
        }
    }
    let value = node.graph.load(input, indices);
    node.fill_result(value)
}

pub(super) fn concat(node: &mut OperatorNode) -> Results {
    let rank = node.result_shape()?.len();
    let along = positive_axis(node, attributes::axis(node.operation)?, rank)?;
    if (0..node.operands.len()).any(|operand| sizes::of_unknown(node, operand, along).is_some()) {
        return joined(node, along, rank);
    }
    let output = node.result_tensor()?;
    let mut start = 0;
    for operand in node.operands.clone() {
        let shape = node.shape(operand)?;
        let mut offset = vec![0; rank];
        if let Some(slot) = offset.get_mut(along) {
            *slot = start;
        }
        let value = node.graph.load(operand, axes(0, rank));
        node.fill_region(output, offset, &shape, value)?;
        start += shape.get(along).copied().unwrap_or(0);
    }
    Ok(vec![output])
}

/// Where the sizes of operands along the axis are known only when running: each element looks for the operand that it comes from.
fn joined(node: &mut OperatorNode, along: usize, rank: usize) -> Results {
    // The place in what comes after the operands before.
    let mut place = axis(along);
    let mut parts = Vec::new();
    for (number, operand) in node.operands.clone().into_iter().enumerate() {
        let most = node.shape(operand)?.get(along).copied().unwrap_or(0) as i64;
        if most == 0 {
            continue;
        }
        let size = match sizes::of_unknown(node, number, along) {
            Some(sizes) => node.graph.load(sizes, vec![index(along as i64)]),
            None => index(most),
        };
        let mut at = axes(0, rank);
        if let Some(slot) = at.get_mut(along) {
            *slot = place.clone().clamp(0, most - 1);
        }
        parts.push((place.clone().less(size.clone()), node.graph.load(operand, at)));
        place = place - size;
    }
    let joined = parts.into_iter().rev().reduce(|(_, after), (inside, value)| {
        let chosen = select(inside.clone(), value, after);
        (inside, chosen)
    });
    match joined {
        Some((_, value)) => node.fill_result(value),
        None => {
            let zero = constant(node.result_element()?, Scalar::Integer(0));
            node.fill_result(zero)
        }
    }
}

pub(super) fn slice(node: &mut OperatorNode) -> Results {
    let input = node.operand(0)?;
    let shape = node.shape(input)?;
    let starts = node.constant_integers(1, "starts")?;
    let along = node.constant_integers(3, "axes")?;
    let steps = node.constant_integers(4, "steps")?;
    let mut indices = axes(0, shape.len());
    for ((start, along), step) in starts.iter().zip(&along).zip(&steps) {
        let along = positive_axis(node, *along, shape.len())?;
        let size = shape.get(along).copied().unwrap_or(0) as i64;
        let start = if *start < 0 { start.saturating_add(size) } else { *start };
        // ONNX clamps a start to the tensor; walking backwards begins at the last element at most.
        let start = if *step < 0 { start.clamp(0, (size - 1).max(0)) } else { start.clamp(0, size) };
        if let Some(slot) = indices.get_mut(along) {
            *slot = axis(along) * *step + start;
        }
    }
    let value = node.graph.load(input, indices);
    node.fill_result(value)
}

pub(super) fn pad(node: &mut OperatorNode) -> Results {
    let input = node.operand(0)?;
    let (shape, result) = (node.shape(input)?, node.result_shape()?);
    let pads = node.constant_integers(1, "pads")?;
    let along = node.constant_integers(3, "axes")?;
    let (mut begins, mut ends) = (vec![0i64; shape.len()], vec![0i64; shape.len()]);
    for (position, value) in along.iter().enumerate() {
        let value = positive_axis(node, *value, shape.len())?;
        for (amounts, at) in [(&mut begins, position), (&mut ends, position + along.len())] {
            if let (Some(slot), Some(pad)) = (amounts.get_mut(value), pads.get(at)) {
                *slot = *pad;
            }
        }
    }
    match attributes::mode(node.operation)? {
        "constant" => pad_constant(node, &begins, &shape, &result),
        mode => {
            // As onnxruntime does, what negative pads cut off is gone before the rest is repeated.
            let cut = |pad: i64| pad.saturating_neg().max(0);
            let map = |(d, ((&begin, &end), &size)): (usize, ((&i64, &i64), &usize))| {
                let kept = (size as i64).saturating_sub(cut(begin)).saturating_sub(cut(end));
                mirrored(mode, axis(d) - begin.max(0), kept) + cut(begin)
            };
            let indices: Vec<Expression> = begins.iter().zip(&ends).zip(&shape).enumerate().map(map).collect();
            let value = node.graph.load(input, indices);
            node.fill_result(value)
        }
    }
}

/// Where a position outside of `0..size` reads.
fn mirrored(mode: &str, position: Expression, size: i64) -> Expression {
    match mode {
        "wrap" => position.modulo(size.max(1)),
        "reflect" if size > 1 => {
            let period = 2 * (size - 1);
            let forth = position.modulo(period);
            forth.clone().minimum(forth * -1 + period).clamp(0, size - 1)
        }
        _ => position.clamp(0, (size - 1).max(0)),
    }
}

/// Fills everything with the value, then copies what remains of the input.
fn pad_constant(node: &mut OperatorNode, begins: &[i64], shape: &[usize], result: &[usize]) -> Results {
    let (input, value) = (node.operand(0)?, node.operand(2)?);
    let output = node.result_tensor()?;
    let rank = node.shape(value)?.len();
    let value = node.graph.load(value, vec![index(0); rank]);
    node.fill_region(output, vec![0; result.len()], result, value)?;
    let (mut offset, mut extents, mut indices) = (Vec::new(), Vec::new(), Vec::new());
    for (d, ((&begin, &size), &total)) in begins.iter().zip(shape).zip(result).enumerate() {
        let (cropped, start) = ((-begin).max(0), begin.max(0) as usize);
        let kept = (size as i64 - cropped).max(0) as usize;
        offset.push(start.min(total));
        extents.push(kept.min(total.saturating_sub(start)));
        indices.push(axis(d) + cropped);
    }
    if !extents.contains(&0) {
        let value = node.graph.load(input, indices);
        node.fill_region(output, offset, &extents, value)?;
    }
    Ok(vec![output])
}

/// Each element at its own place, with its index along the axis.
pub(super) fn gather_elements(node: &mut OperatorNode) -> Results {
    let (data, indices) = (node.operand(0)?, node.operand(1)?);
    let (shape, rank) = (node.shape(data)?, node.shape(indices)?.len());
    let along = positive_axis(node, attributes::axis(node.operation)?, shape.len())?;
    let size = shape.get(along).copied().unwrap_or(0) as i64;
    let chosen = from_front(node.graph.load(indices, axes(0, rank)), size, index(size));
    let mut at = axes(0, rank);
    if let Some(slot) = at.get_mut(along) {
        *slot = chosen;
    }
    let value = node.graph.load(data, at);
    fill_checked(node, value, indices, size, None)
}

/// An index that may count from the end, within an axis of this size, for which there is room for `most`.
fn from_front(chosen: Expression, most: i64, size: Expression) -> Expression {
    let chosen = chosen.cast(ElementType::I64);
    let chosen = select(chosen.clone().less(index(0)), chosen.clone() + size, chosen);
    chosen.clamp(0, (most - 1).max(0))
}

/// Fills the result with what is read at `indices`, which must lie within an axis of this size; see [`RunCheck::along`].
fn fill_checked(
    node: &mut OperatorNode,
    value: Expression,
    indices: GraphTensorId,
    size: i64,
    along: Option<(GraphTensorId, usize)>,
) -> Results {
    let (output, extents) = (node.result_tensor()?, node.result_shape()?);
    let mut compute = Compute::elementwise(&node.name, output, &extents, value);
    let sizes = node.tensor(indices)?.sizes;
    compute.checks.push(RunCheck { tensor: indices, sizes, low: -size, high: size - 1, along });
    node.graph.push(compute)?;
    Ok(vec![output])
}

pub(super) fn gather(node: &mut OperatorNode) -> Results {
    let (data, indices) = (node.operand(0)?, node.operand(1)?);
    let (shape, index_rank) = (node.shape(data)?, node.shape(indices)?.len());
    let along = positive_axis(node, attributes::axis(node.operation)?, shape.len())?;
    let size = shape.get(along).copied().unwrap_or(0) as i64;
    let unknown = sizes::of_unknown(node, 0, along).map(|sizes| (sizes, along));
    let actual = match unknown {
        Some((sizes, along)) => node.graph.load(sizes, vec![index(along as i64)]),
        None => index(size),
    };
    let chosen = from_front(node.graph.load(indices, axes(along, index_rank)), size, actual);
    let mut at = axes(0, along);
    at.push(chosen);
    at.extend(axes(along + index_rank, shape.len() - along - 1));
    let value = node.graph.load(data, at);
    fill_checked(node, value, indices, size, unknown)
}
