//! Operations that move elements.

use super::attributes;
use super::{Dimensions, constants::fold_to_input, operands::*};
use crate::{hooks::Folded, ir::TensorType};
use melior::ir::{Attribute, OperationRef, operation::OperationLike};

/// The elements that a slice takes of one dimension: `start + i * step` for i below `count`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SliceRange {
    /// The first element.
    pub start: i64,
    /// Elements from one that is taken to the next; negative to go backwards.
    pub step: i64,
    /// How many are taken.
    pub count: u64,
}

/// An axis that may count from the end, as a position below `rank`.
///
/// # Errors
/// When there is no such axis.
pub fn normalize_axis(axis: i64, rank: usize) -> Result<usize, String> {
    let signed = rank as i64;
    let position = if axis < 0 { axis.checked_add(signed).unwrap_or(-1) } else { axis };
    if (0..signed).contains(&position) {
        Ok(position as usize)
    } else {
        Err(format!("has axis {axis}, but the rank is {rank}"))
    }
}

pub(super) fn axes_of(
    operation: OperationRef<'_, '_>,
    index: usize,
    rank: usize,
) -> Result<Option<Vec<usize>>, String> {
    let Some(axes) = constant_integers(operation, index)? else { return Ok(None) };
    let positions = axes.iter().map(|&axis| normalize_axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    for (i, position) in positions.iter().enumerate() {
        if positions[..i].contains(position) {
            return Err(format!("names axis {position} twice"));
        }
    }
    Ok(Some(positions))
}

/// The ranges of every dimension of an `hfloat.slice`; `None` where operands are no constants or sizes are unknown.
///
/// # Errors
/// When the operands do not fit the input.
pub fn slice_ranges(operation: OperationRef<'_, '_>) -> Result<Option<Vec<Option<SliceRange>>>, String> {
    let input = operand_type(operation, 0)?;
    let Some(dimensions) = input.dimensions else { return Ok(None) };
    let starts = constant_integers(operation, 1)?;
    let ends = constant_integers(operation, 2)?;
    let axes = axes_of(operation, 3, dimensions.len())?;
    let steps = constant_integers(operation, 4)?;
    let (Some(starts), Some(ends), Some(axes), Some(steps)) = (starts, ends, axes, steps) else { return Ok(None) };
    if [ends.len(), axes.len(), steps.len()].iter().any(|&length| length != starts.len()) {
        return Err("has starts, ends, axes and steps of different lengths".into());
    }
    let mut ranges: Vec<_> =
        dimensions.iter().map(|size| size.map(|size| SliceRange { start: 0, step: 1, count: size })).collect();
    for (i, &axis) in axes.iter().enumerate() {
        if steps[i] == 0 {
            return Err("has a step of 0".into());
        }
        ranges[axis] = dimensions[axis].map(|size| slice_range(starts[i], ends[i], steps[i], size as i64));
    }
    Ok(Some(ranges))
}

/// ONNX Slice-13: negative positions count from the end, then both are clamped as the direction asks.
fn slice_range(start: i64, end: i64, step: i64, size: i64) -> SliceRange {
    let from_end = |position: i64| if position < 0 { position.saturating_add(size) } else { position };
    let (lowest_start, highest_start, lowest_end, highest_end) =
        if step > 0 { (0, size, 0, size) } else { (0, size - 1, -1, size - 1) };
    let start = from_end(start).max(lowest_start).min(highest_start);
    let end = from_end(end).max(lowest_end).min(highest_end);
    let distance = if step > 0 { end - start } else { start - end };
    let count = if distance <= 0 { 0 } else { (distance as u64).div_ceil(step.unsigned_abs()) };
    SliceRange { start, step, count }
}

pub(super) fn slice(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let dimensions = match slice_ranges(operation)? {
        Some(ranges) => Some(ranges.iter().map(|range| range.map(|range| range.count)).collect()),
        None => input.dimensions.map(|dimensions| vec![None; dimensions.len()]),
    };
    one(input.element, dimensions)
}

pub(super) fn fold_slice<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    operands: &[Option<Attribute<'c>>],
) -> Option<Folded<'c, 'a>> {
    let ranges = slice_ranges(operation).ok()??;
    let whole = ranges.iter().all(|range| range.is_some_and(|range| range.start == 0 && range.step == 1));
    if whole { fold_to_input(operation, operands) } else { None }
}

/// Cells that an `hfloat.pad` adds before and after each dimension (negative ones are cut off), when known.
///
/// # Errors
/// When the operands do not fit the input.
pub fn pad_amounts(operation: OperationRef<'_, '_>) -> Result<Option<Vec<(i64, i64)>>, String> {
    let input = operand_type(operation, 0)?;
    let Some(dimensions) = input.dimensions else { return Ok(None) };
    let (Some(pads), Some(axes)) = (constant_integers(operation, 1)?, axes_of(operation, 3, dimensions.len())?) else {
        return Ok(None);
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("has {} pads for {} axes; it needs twice as many", pads.len(), axes.len()));
    }
    let mut amounts = vec![(0, 0); dimensions.len()];
    for (i, &axis) in axes.iter().enumerate() {
        amounts[axis] = (pads[i], pads[i + axes.len()]);
    }
    Ok(Some(amounts))
}

pub(super) fn pad(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (input, value) = (operand_type(operation, 0)?, operand_type(operation, 2)?);
    same_element(&input, &value, "input and value")?;
    if value.elements().is_some_and(|count| count != 1) {
        return Err("has a value that is no scalar".into());
    }
    let Some(amounts) = pad_amounts(operation)? else {
        return one(input.element, input.dimensions.map(|dimensions| vec![None; dimensions.len()]));
    };
    let grow = |(size, (before, after)): (&Option<u64>, &(i64, i64))| match size {
        None => Ok(None),
        Some(size) => i64::try_from(*size)
            .ok()
            .and_then(|size| size.checked_add(*before)?.checked_add(*after))
            .and_then(|size| u64::try_from(size).ok())
            .map(Some)
            .ok_or_else(|| format!("has pads {before} and {after} on a dimension of {size}")),
    };
    let dimensions = input.dimensions.iter().flatten().zip(&amounts).map(grow).collect::<Result<_, _>>()?;
    one(input.element, Some(dimensions))
}

pub(super) fn fold_pad<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    operands: &[Option<Attribute<'c>>],
) -> Option<Folded<'c, 'a>> {
    let amounts = pad_amounts(operation).ok()??;
    if amounts.iter().all(|&amount| amount == (0, 0)) { fold_to_input(operation, operands) } else { None }
}

pub(super) fn concat(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    if operation.operand_count() == 0 {
        return Err("has no operands".into());
    }
    let first = operand_type(operation, 0)?;
    let axis = attributes::axis(operation).map_err(|error| error.to_string())?;
    let mut joined: Dimensions = None;
    let mut total = Some(0u64);
    for index in 0..operation.operand_count() {
        let operand = operand_type(operation, index)?;
        same_element(&first, &operand, "operands")?;
        let Some(dimensions) = operand.dimensions else {
            total = None;
            continue;
        };
        let position = normalize_axis(axis, dimensions.len())?;
        total = total.zip(dimensions[position]).and_then(|(total, size)| total.checked_add(size));
        joined = Some(match joined {
            None => dimensions,
            Some(joined) => join(joined, &dimensions, position, index)?,
        });
    }
    if let Some(dimensions) = &mut joined {
        let position = normalize_axis(axis, dimensions.len())?;
        dimensions[position] = total;
    }
    one(first.element, joined)
}

fn join(joined: Vec<Option<u64>>, next: &[Option<u64>], axis: usize, index: usize) -> Result<Vec<Option<u64>>, String> {
    if joined.len() != next.len() {
        return Err(format!("operand {index} has rank {}, those before {}", next.len(), joined.len()));
    }
    joined
        .into_iter()
        .zip(next)
        .enumerate()
        .map(|(i, (left, right))| match (left, *right) {
            (Some(left), Some(right)) if i != axis && left != right => {
                Err(format!("operand {index} has size {right} in dimension {i}, those before {left}"))
            }
            (left, right) => Ok(left.or(right)),
        })
        .collect()
}

pub(super) fn flatten(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let Some(dimensions) = input.dimensions else { return one(input.element, Some(vec![None, None])) };
    let axis = attributes::axis(operation).map_err(|error| error.to_string())?;
    let rank = dimensions.len();
    let split = if axis == rank as i64 { rank } else { normalize_axis(axis, rank)? };
    let product = |part: &[Option<u64>]| part.iter().try_fold(1u64, |product, size| product.checked_mul((*size)?));
    one(input.element, Some(vec![product(&dimensions[..split]), product(&dimensions[split..])]))
}

pub(super) fn reshape(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let shape = operand_type(operation, 1)?;
    if shape.dimensions.as_ref().is_some_and(|dimensions| dimensions.len() != 1) {
        return Err("has a shape operand that is not one-dimensional".into());
    }
    let Some(sizes) = constant_integers(operation, 1)? else {
        let rank = shape.dimensions.and_then(|dimensions| dimensions.first().copied().flatten());
        return one(input.element, rank.filter(|&rank| rank <= 16).map(|rank| vec![None; rank as usize]));
    };
    let keep_zero = attributes::allowzero(operation).map_err(|error| error.to_string())?;
    let mut inferred = None;
    let mut result = Vec::with_capacity(sizes.len());
    for (i, &size) in sizes.iter().enumerate() {
        result.push(match size {
            -1 if inferred.is_some() => return Err(format!("has the shape {sizes:?} with more than one -1")),
            -1 => {
                inferred = Some(i);
                None
            }
            0 if !keep_zero => match &input.dimensions {
                None => None,
                Some(dimensions) => *dimensions
                    .get(i)
                    .ok_or_else(|| format!("copies dimension {i} of an input of rank {}", dimensions.len()))?,
            },
            size => Some(u64::try_from(size).map_err(|_| format!("has the shape {sizes:?}"))?),
        });
    }
    let known: Option<u64> = result
        .iter()
        .enumerate()
        .filter(|(i, _)| Some(*i) != inferred)
        .try_fold(1u64, |product, (_, size)| product.checked_mul((*size)?));
    if let (Some(total), Some(known)) = (input.elements().map(|count| count as u64), known) {
        match inferred {
            Some(i) if known > 0 && total % known == 0 => result[i] = Some(total / known),
            None if known == total => {}
            _ => return Err(format!("cannot give {total} elements the shape {sizes:?}")),
        }
    }
    one(input.element, Some(result))
}

/// Positions in the result at which an `hfloat.unsqueeze` inserts, when its axes are constant.
///
/// # Errors
/// When an axis does not fit, or is named twice.
pub fn unsqueeze_axes(operation: OperationRef<'_, '_>) -> Result<Option<Vec<usize>>, String> {
    let Some(rank) = operand_type(operation, 0)?.dimensions.map(|dimensions| dimensions.len()) else { return Ok(None) };
    let Some(axes) = constant_integers(operation, 1)? else { return Ok(None) };
    axes_of(operation, 1, rank + axes.len())
}

pub(super) fn unsqueeze(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let Some(axes) = unsqueeze_axes(operation)? else { return one(input.element, None) };
    let mut sizes = input.dimensions.unwrap_or_default().into_iter();
    let rank = sizes.len() + axes.len();
    let result = (0..rank).map(|i| if axes.contains(&i) { Some(1) } else { sizes.next().flatten() }).collect();
    one(input.element, Some(result))
}

pub(super) fn transpose(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let permutation = attributes::perm(operation).map_err(|error| error.to_string())?;
    let mut sorted = permutation.clone();
    sorted.sort_unstable();
    if sorted.iter().enumerate().any(|(i, &position)| position != i as i64) {
        return Err(format!("has perm {permutation:?}, which is no permutation"));
    }
    let Some(dimensions) = input.dimensions else { return one(input.element, Some(vec![None; permutation.len()])) };
    if dimensions.len() != permutation.len() {
        return Err(format!("permutes {} dimensions of an input of rank {}", permutation.len(), dimensions.len()));
    }
    one(input.element, Some(permutation.iter().map(|&position| dimensions[position as usize]).collect()))
}

pub(super) fn fold_transpose<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    operands: &[Option<Attribute<'c>>],
) -> Option<Folded<'c, 'a>> {
    let permutation = attributes::perm(operation).ok()?;
    let identity = permutation.iter().enumerate().all(|(i, &position)| position == i as i64);
    if identity { fold_to_input(operation, operands) } else { None }
}

/// The axis of an `hfloat.gather`, as a position.
///
/// # Errors
/// When the rank is unknown or has no such axis.
pub fn gather_axis(operation: OperationRef<'_, '_>) -> Result<usize, String> {
    let rank = operand_type(operation, 0)?.rank().map_err(|error| error.to_string())?;
    normalize_axis(attributes::axis(operation).map_err(|error| error.to_string())?, rank)
}

pub(super) fn gather(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (data, indices) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    let (Some(sizes), Some(taken)) = (&data.dimensions, &indices.dimensions) else { return one(data.element, None) };
    let axis = gather_axis(operation)?;
    if let (Some(size), Some(values)) = (sizes[axis], constant_integers(operation, 1)?) {
        let size = size as i64;
        if let Some(wrong) = values.iter().find(|&&index| !(-size..size).contains(&index)) {
            return Err(format!("takes index {wrong} of a dimension of {size}"));
        }
    }
    let result = [&sizes[..axis], taken.as_slice(), &sizes[axis + 1..]].concat();
    one(data.element.clone(), Some(result))
}
