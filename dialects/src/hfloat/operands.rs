//! Operands as shape rules read them.

use super::Dimensions;
use crate::ir::{Element, OperationAttributes, TensorType, constant_of};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};

/// The type of operand `index`.
pub fn operand_type(operation: OperationRef<'_, '_>, index: usize) -> Result<TensorType, String> {
    let value = operation.operand_at(index).map_err(|error| error.to_string())?;
    TensorType::from_type(value.r#type()).map_err(|error| error.to_string())
}

/// The shape of a type; the largest where it is known only when the network runs.
pub fn bound_shape(r#type: &TensorType) -> Result<Vec<usize>, String> {
    r#type.bound_shape().map_or_else(|| r#type.static_shape().map_err(|error| error.to_string()), Ok)
}

/// The type of operand `index`, when there are that many.
pub fn optional_operand_type(operation: OperationRef<'_, '_>, index: usize) -> Result<Option<TensorType>, String> {
    if index < operation.operand_count() { operand_type(operation, index).map(Some) } else { Ok(None) }
}

/// The integers of operand `index`, when it is a constant.
pub fn constant_integers(operation: OperationRef<'_, '_>, index: usize) -> Result<Option<Vec<i64>>, String> {
    let value = operation.operand_at(index).map_err(|error| error.to_string())?;
    constant_of(value).map(|constant| constant.to_i64s().map_err(|error| error.to_string())).transpose()
}

/// Checks that two operands have one element type.
pub fn same_element(left: &TensorType, right: &TensorType, what: &str) -> Result<(), String> {
    if left.element == right.element {
        Ok(())
    } else {
        Err(format!("{what} have different element types, {} and {}", left.element, right.element))
    }
}

/// numpy's broadcasting of two shapes.
pub fn broadcast(left: &Dimensions, right: &Dimensions) -> Result<Dimensions, String> {
    let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
    let rank = left.len().max(right.len());
    let at = |dimensions: &[Option<u64>], i: usize| {
        (i + dimensions.len()).checked_sub(rank).and_then(|i| dimensions.get(i).copied()).unwrap_or(Some(1))
    };
    (0..rank)
        .map(|i| match (at(left, i), at(right, i)) {
            (Some(1), size) | (size, Some(1)) => Ok(size),
            (Some(left), Some(right)) if left != right => {
                Err(format!("operands do not broadcast: {left} and {right} in dimension {i} of the result"))
            }
            (Some(size), _) | (_, Some(size)) => Ok(Some(size)),
            (None, None) => Ok(None),
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

/// A result of this element type and these sizes.
pub fn one(element: impl Into<Element>, dimensions: Dimensions) -> Result<Vec<TensorType>, String> {
    Ok(vec![TensorType::with_dimensions(element, dimensions)])
}
