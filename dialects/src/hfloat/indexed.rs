//! Operations that read or write at places that other operands hold.

use super::{attributes, normalize_axis, operands::*};
use crate::ir::TensorType;
use melior::ir::OperationRef;

/// Dimensions of an image that is sampled.
const LARGEST_GRID_RANK: usize = 6;

/// The axis of an `hfloat.gather_elements` or `hfloat.scatter_elements`, as a position.
///
/// # Errors
/// When the rank is unknown or has no such axis.
pub fn elements_axis(operation: OperationRef<'_, '_>) -> Result<usize, String> {
    let rank = operand_type(operation, 0)?.rank().map_err(|error| error.to_string())?;
    normalize_axis(attributes::axis(operation).map_err(|error| error.to_string())?, rank)
}

/// Indices have the rank of the data, and along other axes than that of the indices they stay within it.
fn check_elements(operation: OperationRef<'_, '_>) -> Result<(), String> {
    let (data, indices) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    let (Some(data), Some(indices)) = (&data.dimensions, &indices.dimensions) else { return Ok(()) };
    if data.len() != indices.len() {
        return Err(format!("has data of rank {} and indices of rank {}", data.len(), indices.len()));
    }
    let axis = elements_axis(operation)?;
    let beyond = |(d, (size, count)): (usize, (&Option<u64>, &Option<u64>))| {
        d != axis && matches!((size, count), (Some(size), Some(count)) if count > size)
    };
    match data.iter().zip(indices).enumerate().find(|pair| beyond(*pair)) {
        Some((d, (size, count))) => {
            Err(format!("has indices for {count:?} of {size:?} elements in dimension {d}, which is not its axis"))
        }
        None => Ok(()),
    }
}

pub(super) fn gather_elements(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    check_elements(operation)?;
    let (data, indices) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    one(data.element, indices.dimensions)
}

pub(super) fn scatter_elements(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    check_elements(operation)?;
    let (data, indices, updates) =
        (operand_type(operation, 0)?, operand_type(operation, 1)?, operand_type(operation, 2)?);
    same_element(&data, &updates, "data and updates")?;
    if let (Some(indices), Some(updates)) = (indices.shape(), updates.shape())
        && indices != updates
    {
        return Err(format!("has indices of {indices:?} and updates of {updates:?}; they must be the same"));
    }
    one(data.element, data.dimensions)
}

/// Sizes as far as they are known.
type Sizes = Vec<Option<u64>>;

/// How many dimensions of the data one index is for, and the dimensions of the indices that are left.
fn places(operation: OperationRef<'_, '_>, batch_dims: usize) -> Result<Option<(usize, Sizes)>, String> {
    let (data, indices) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    let (Some(data), Some(mut indices)) = (data.dimensions, indices.dimensions) else { return Ok(None) };
    let last = indices.pop().ok_or("has indices of rank 0")?;
    let Some(depth) = last.and_then(|depth| usize::try_from(depth).ok()) else { return Ok(None) };
    if batch_dims > indices.len() || batch_dims.saturating_add(depth) > data.len() {
        return Err(format!(
            "has indices of {depth} places behind {batch_dims} dimensions, its data has rank {}",
            data.len()
        ));
    }
    let differ = |(size, count): (&Option<u64>, &Option<u64>)| matches!((size, count), (Some(size), Some(count)) if size != count);
    if data.iter().zip(&indices).take(batch_dims).any(differ) {
        return Err("has data and indices whose first dimensions differ".into());
    }
    Ok(Some((depth, indices)))
}

pub(super) fn gather_nd(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let data = operand_type(operation, 0)?;
    let batch_dims = attributes::batch_dims(operation).map_err(|error| error.to_string())?;
    let batch_dims = usize::try_from(batch_dims).map_err(|_| format!("has batch_dims of {batch_dims}"))?;
    let Some((depth, mut result)) = places(operation, batch_dims)? else { return one(data.element, None) };
    result.extend(data.dimensions.into_iter().flatten().skip(batch_dims + depth));
    one(data.element, Some(result))
}

pub(super) fn scatter_nd(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (data, updates) = (operand_type(operation, 0)?, operand_type(operation, 2)?);
    same_element(&data, &updates, "data and updates")?;
    if let (Some((depth, mut expected)), Some(updates)) = (places(operation, 0)?, &updates.dimensions) {
        expected.extend(data.dimensions.iter().flatten().skip(depth).copied());
        let fits = |(a, b): (&Option<u64>, &Option<u64>)| a.is_none() || b.is_none() || a == b;
        if expected.len() != updates.len() || !expected.iter().zip(updates).all(fits) {
            return Err(format!("has updates of {updates:?}, its indices need {expected:?}"));
        }
    }
    one(data.element, data.dimensions)
}

pub(super) fn grid_sample(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (input, grid) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    let (Some(sizes), Some(places)) = (&input.dimensions, &grid.dimensions) else { return one(input.element, None) };
    let (&[samples, channels, ref spatial @ ..], &[_, ref result @ .., depth]) = (sizes.as_slice(), places.as_slice())
    else {
        return Err(format!("has an input of rank {} and a grid of rank {}", sizes.len(), places.len()));
    };
    let spatial = spatial.len();
    // A place between pixels is a sum of up to 4 of them along each dimension.
    if spatial > LARGEST_GRID_RANK {
        return Err(format!("samples {spatial} dimensions; at most {LARGEST_GRID_RANK} are possible"));
    }
    if spatial == 0 || result.len() != spatial || depth.is_some_and(|depth| depth != spatial as u64) {
        return Err(format!("has an input of rank {} and a grid of {places:?}", sizes.len()));
    }
    if matches!((samples, places.first()), (Some(samples), Some(Some(grids))) if samples != *grids) {
        return Err("has an input and a grid of different numbers of samples".into());
    }
    one(input.element, Some([samples, channels].into_iter().chain(result.iter().copied()).collect()))
}
