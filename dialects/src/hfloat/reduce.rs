//! Reductions over axes.

use super::attributes;
use super::{normalize_axis, operands::*};
use crate::ElementType;
use crate::ir::TensorType;
use melior::ir::OperationRef;

/// Which dimensions of its input a reduction reduces; `None` when the axes or the rank are not known.
///
/// # Errors
/// When an axis lies outside of the rank or is given twice.
pub fn reduced_dimensions(operation: OperationRef<'_, '_>) -> Result<Option<Vec<bool>>, String> {
    let Some(dimensions) = operand_type(operation, 0)?.dimensions else { return Ok(None) };
    let Some(axes) = constant_integers(operation, 1)? else { return Ok(None) };
    if axes.is_empty() {
        let noop = attributes::noop_with_empty_axes(operation);
        return Ok(Some(vec![!noop.map_err(|error| error.to_string())?; dimensions.len()]));
    }
    let mut reduced = vec![false; dimensions.len()];
    for axis in axes {
        let position = normalize_axis(axis, dimensions.len())?;
        if std::mem::replace(&mut reduced[position], true) {
            return Err(format!("has axis {axis} twice"));
        }
    }
    Ok(Some(reduced))
}

pub(super) fn reduce(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let axes = operand_type(operation, 1)?.dimensions;
    if axes.as_ref().is_some_and(|dimensions| dimensions.len() != 1) {
        return Err("has axes that are not one-dimensional".into());
    }
    let keepdims = attributes::keepdims(operation).map_err(|error| error.to_string())?;
    let reduced = reduced_dimensions(operation)?;
    let dimensions = match (input.dimensions, reduced) {
        (Some(dimensions), Some(reduced)) => Some(without(&dimensions, &reduced, keepdims)),
        (Some(dimensions), None) if keepdims => Some(vec![None; dimensions.len()]),
        _ => None,
    };
    one(input.element, dimensions)
}

/// The dimensions that are left; those that are reduced are 1 when they are kept.
fn without(dimensions: &[Option<u64>], reduced: &[bool], keepdims: bool) -> Vec<Option<u64>> {
    dimensions
        .iter()
        .zip(reduced)
        .filter(|(_, reduced)| keepdims || !**reduced)
        .map(|(size, reduced)| if *reduced { Some(1) } else { *size })
        .collect()
}

pub(super) fn arg(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let axis = attributes::axis(operation).map_err(|error| error.to_string())?;
    let keepdims = attributes::keepdims(operation).map_err(|error| error.to_string())?;
    let Some(dimensions) = operand_type(operation, 0)?.dimensions else { return one(ElementType::I64, None) };
    let position = normalize_axis(axis, dimensions.len())?;
    if dimensions[position] == Some(0) {
        return Err(format!("looks for a position along axis {axis}, which has no elements"));
    }
    let reduced: Vec<bool> = (0..dimensions.len()).map(|index| index == position).collect();
    one(ElementType::I64, Some(without(&dimensions, &reduced, keepdims)))
}
