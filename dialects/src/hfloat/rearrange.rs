//! Operations that cut, repeat and regroup: split, squeeze, expand, tile, depth to space and back.

use super::attributes;
use super::{
    Dimensions,
    bounds::UNKNOWN_SIZE,
    control::MOST_ELEMENTS,
    layout::{axes_of, normalize_axis},
    limits::shape_bounds,
    operands::*,
};
use crate::ir::{Element, OperationAttributes, TensorType};
use melior::ir::{OperationRef, operation::OperationLike};

/// The axis of an `hfloat.split`, and the sizes of its parts as far as they are known.
///
/// # Errors
/// When axis or sizes do not fit the input, or the rank is not known.
pub fn split_sizes(operation: OperationRef<'_, '_>) -> Result<(usize, Vec<Option<u64>>), String> {
    let input = operand_type(operation, 0)?;
    let dimensions = input.dimensions.ok_or("has an input of unknown rank")?;
    let axis = attributes::axis(operation).map_err(|error| error.to_string())?;
    let axis = normalize_axis(axis, dimensions.len())?;
    let (count, size) = (operation.result_count(), dimensions[axis]);
    if operation.operand_count() < 2 {
        let parts = |size: u64| {
            let part = size.div_ceil(count.max(1) as u64);
            let last = size.checked_sub(part * (count as u64 - 1));
            let last = last.ok_or_else(|| format!("splits {size} elements into {count} parts"))?;
            Ok::<_, String>((0..count).map(|i| Some(if i + 1 == count { last } else { part })).collect())
        };
        return Ok((axis, size.map(parts).transpose()?.unwrap_or_else(|| vec![None; count])));
    }
    let Some(given) = constant_integers(operation, 1)? else { return Ok((axis, vec![None; count])) };
    let sizes = given.iter().map(|&part| u64::try_from(part).ok()).collect::<Option<Vec<_>>>();
    let sizes = sizes.ok_or_else(|| format!("has parts of {given:?} elements; they must not be negative"))?;
    if sizes.len() != count {
        return Err(format!("has {count} results, but {} sizes", sizes.len()));
    }
    let total = sizes.iter().try_fold(0u64, |total, &part| total.checked_add(part));
    match size {
        Some(size) if total != Some(size) => Err(format!("splits {size} elements into parts of {given:?}")),
        _ => Ok((axis, sizes.into_iter().map(Some).collect())),
    }
}

pub(super) fn split(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    if operation.result_count() == 0 {
        return Err("has no results".into());
    }
    let input = operand_type(operation, 0)?;
    let Some(dimensions) = input.dimensions.clone() else { return Ok(vec![input; operation.result_count()]) };
    let (axis, sizes) = split_sizes(operation)?;
    let part = |size: Option<u64>| {
        let mut dimensions = dimensions.clone();
        dimensions[axis] = size;
        TensorType::with_dimensions(input.element.clone(), Some(dimensions))
    };
    Ok(sizes.into_iter().map(part).collect())
}

pub(super) fn squeeze(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let Some(dimensions) = input.dimensions else { return one(input.element, None) };
    let axes = if operation.operand_count() > 1 {
        let Some(axes) = axes_of(operation, 1, dimensions.len())? else { return one(input.element, None) };
        axes
    } else {
        if dimensions.contains(&None) {
            return one(input.element, None);
        }
        (0..dimensions.len()).filter(|&axis| dimensions[axis] == Some(1)).collect()
    };
    for &axis in &axes {
        if let Some(size) = dimensions[axis].filter(|&size| size != 1) {
            return Err(format!("removes dimension {axis}, whose size is {size}"));
        }
    }
    let kept = dimensions.into_iter().enumerate().filter(|(i, _)| !axes.contains(i)).map(|(_, size)| size);
    one(input.element, Some(kept.collect()))
}

/// Sizes that a constant operand holds.
fn constant_sizes(operation: OperationRef<'_, '_>, index: usize) -> Result<Option<Vec<u64>>, String> {
    let Some(values) = constant_integers(operation, index)? else { return Ok(None) };
    let sizes = values.iter().map(|&value| u64::try_from(value).ok()).collect::<Option<Vec<_>>>();
    sizes.map(Some).ok_or_else(|| format!("has the sizes {values:?}; they must not be negative"))
}

/// The rank that the length of a one-dimensional operand says.
fn rank_of(operation: OperationRef<'_, '_>, index: usize) -> Result<Option<usize>, String> {
    let Some(dimensions) = operand_type(operation, index)?.dimensions else { return Ok(None) };
    match dimensions.as_slice() {
        &[length] => Ok(length.filter(|&length| length <= 16).map(|length| length as usize)),
        _ => Err(format!("has an operand {index} that is not one-dimensional")),
    }
}

pub(super) fn expand(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let rank = rank_of(operation, 1)?;
    if input.is_bounded() {
        return Err(UNKNOWN_SIZE.into());
    }
    if input.elements() == Some(1)
        && rank.zip(input.rank().ok()).is_some_and(|(rank, own)| own <= rank)
        && let Some(shape) = filled_shape(operation, 1, input.element.clone())?
    {
        return Ok(vec![shape]);
    }
    let dimensions = match constant_sizes(operation, 1)? {
        Some(sizes) => broadcast(&input.dimensions, &Some(sizes.into_iter().map(Some).collect()))?,
        None => input.dimensions.zip(rank).map(|(dimensions, rank)| vec![None; rank.max(dimensions.len())]),
    };
    bounded(dimensions.as_deref())?;
    one(input.element, dimensions)
}

/// What a single value fills where the sizes, operand `index`, are known only when running: up to the bounds of the tensors whose shapes they are.
pub(super) fn filled_shape(
    operation: OperationRef<'_, '_>,
    index: usize,
    element: Element,
) -> Result<Option<TensorType>, String> {
    let sizes = operation.operand_at(index).map_err(|error| error.to_string())?;
    let Some(shape) = shape_bounds(sizes).filter(TensorType::is_bounded) else { return Ok(None) };
    let count = shape.bounds.iter().flatten().try_fold(1u64, |count, size| count.checked_mul(*size));
    match count.filter(|count| *count <= MOST_ELEMENTS) {
        Some(_) => Ok(Some(TensorType { element, ..shape })),
        None => Err("has a result that may be too large: its sizes are known only when the network runs".into()),
    }
}

/// A small operand must not become a tensor that no memory holds.
fn bounded(dimensions: Option<&[Option<u64>]>) -> Result<(), String> {
    let total = dimensions.unwrap_or_default().iter().flatten().try_fold(1u64, |total, &size| total.checked_mul(size));
    match total {
        Some(total) if total <= 1 << 40 => Ok(()),
        _ => Err("has a result that is too large".into()),
    }
}

pub(super) fn tile(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    rank_of(operation, 1)?;
    let Some(dimensions) = input.dimensions else { return one(input.element, None) };
    let Some(repeats) = constant_sizes(operation, 1)? else {
        return one(input.element, Some(vec![None; dimensions.len()]));
    };
    if repeats.len() != dimensions.len() {
        return Err(format!("has {} repeats for {} dimensions", repeats.len(), dimensions.len()));
    }
    let times = |(size, repeats): (&Option<u64>, &u64)| match size {
        Some(size) => size.checked_mul(*repeats).map(Some).ok_or("has a result that is too large"),
        None => Ok(None),
    };
    let dimensions: Vec<Option<u64>> = dimensions.iter().zip(&repeats).map(times).collect::<Result<_, _>>()?;
    bounded(Some(&dimensions))?;
    one(input.element, Some(dimensions))
}

/// Sizes of `[N, C, H, W]`.
type Image = [Option<u64>; 4];

/// The sizes of an image, and the block.
fn block(operation: OperationRef<'_, '_>, input: &TensorType) -> Result<(Option<Image>, u64), String> {
    let block = attributes::blocksize(operation).map_err(|error| error.to_string())?;
    let block = u64::try_from(block).ok().filter(|block| (1..=1 << 15).contains(block));
    let block = block.ok_or("has a blocksize that is not between 1 and 32768")?;
    let Some(dimensions) = &input.dimensions else { return Ok((None, block)) };
    let sizes = Image::try_from(dimensions.as_slice());
    let sizes = sizes.map_err(|_| format!("has an input of rank {}; it needs rank 4", dimensions.len()))?;
    Ok((Some(sizes), block))
}

fn divided(size: Option<u64>, by: u64, what: &str) -> Result<Option<u64>, String> {
    match size {
        Some(size) if !size.is_multiple_of(by) => Err(format!("has {size} {what}, which {by} does not divide")),
        size => Ok(size.map(|size| size / by)),
    }
}

fn times(size: Option<u64>, by: u64) -> Result<Option<u64>, String> {
    size.map(|size| size.checked_mul(by).ok_or("has a result that is too large".to_owned())).transpose()
}

fn four(input: TensorType, sizes: Option<Image>) -> Result<Vec<TensorType>, String> {
    let dimensions: Dimensions = Some(sizes.map_or_else(|| vec![None; 4], |sizes| sizes.to_vec()));
    one(input.element, dimensions)
}

pub(super) fn depth_to_space(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let (sizes, block) = block(operation, &input)?;
    let Some([n, c, h, w]) = sizes else { return four(input, None) };
    let sizes = [n, divided(c, block * block, "channels")?, times(h, block)?, times(w, block)?];
    four(input, Some(sizes))
}

pub(super) fn space_to_depth(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let (sizes, block) = block(operation, &input)?;
    let Some([n, c, h, w]) = sizes else { return four(input, None) };
    let sizes = [n, times(c, block * block)?, divided(h, block, "rows")?, divided(w, block, "columns")?];
    four(input, Some(sizes))
}
