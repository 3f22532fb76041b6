//! Constants and shapes.

use super::attributes;
use super::operands::*;
use super::rearrange::filled_shape;
use crate::{
    ElementType,
    hooks::Folded,
    ir::{TensorType, elements_of},
};
use melior::ir::{Attribute, OperationRef, Value, ValueLike, operation::OperationLike};

/// Tensors of a network are bounded so that sizes in bytes fit 63 bits whatever the element.
const LARGEST_TENSOR: i64 = 1 << 40;

pub(super) fn constant(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let result = operation.result(0).map_err(|error| error.to_string())?;
    let declared = TensorType::from_type(result.r#type()).map_err(|error| error.to_string())?;
    if declared.shape().is_none() {
        return Err("has a result of unknown shape".into());
    }
    let value = operation.attribute("value").map_err(|error| error.to_string())?;
    elements_of(value).ok_or("has a value whose bytes are missing or do not fit its type")?;
    Ok(vec![declared])
}

pub(super) fn fold_constant<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    _operands: &[Option<Attribute<'c>>],
) -> Option<Folded<'c, 'a>> {
    operation.attribute("value").ok().map(Folded::Constant)
}

pub(super) fn constant_of_shape(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let value = operation.attribute("value").map_err(|error| error.to_string())?;
    let value = elements_of(value).ok_or("has a value whose bytes are missing or do not fit its type")?;
    if value.r#type.elements() != Some(1) {
        return Err("has a value that is not one element".into());
    }
    let shape = operand_type(operation, 0)?;
    if shape.dimensions.as_ref().is_some_and(|dimensions| dimensions.len() != 1) {
        return Err("has a shape operand that is not one-dimensional".into());
    }
    let Some(sizes) = constant_integers(operation, 0)? else {
        if let Some(filled) = filled_shape(operation, 0, value.r#type.element.clone())? {
            return Ok(vec![filled]);
        }
        let rank = shape.dimensions.and_then(|dimensions| dimensions.first().copied().flatten());
        return one(value.r#type.element, rank.filter(|&rank| rank <= 16).map(|rank| vec![None; rank as usize]));
    };
    let product = sizes.iter().try_fold(1i64, |product, &size| {
        if size < 0 { None } else { product.checked_mul(size).filter(|&product| product <= LARGEST_TENSOR) }
    });
    if product.is_none() {
        return Err(format!("has the shape {sizes:?}, which is negative or too large"));
    }
    one(value.r#type.element, Some(sizes.iter().map(|&size| Some(size as u64)).collect()))
}

pub(super) fn shape(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let Some(dimensions) = input.dimensions else { return one(ElementType::I64, Some(vec![None])) };
    let rank = dimensions.len() as i64;
    let clamp = |value: i64| if value < 0 { (value + rank).max(0) } else { value.min(rank) };
    let start = clamp(attributes::start(operation).map_err(|error| error.to_string())?);
    let end = attributes::end(operation).map_err(|error| error.to_string())?;
    let end = clamp(end.unwrap_or(rank));
    one(ElementType::I64, Some(vec![Some((end - start).max(0) as u64)]))
}

pub(super) fn identity(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    Ok(vec![operand_type(operation, 0)?])
}

pub(super) fn cast(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let result = operation.result(0).map_err(|error| error.to_string())?;
    let declared = TensorType::from_type(result.r#type()).map_err(|error| error.to_string())?;
    one(declared.element, operand_type(operation, 0)?.dimensions)
}

pub(super) fn bit_cast(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (input, result) = (operand_type(operation, 0)?, cast(operation)?);
    match result.first().map(|result| &result.element) {
        Some(to) if to.bytes() == input.element.bytes() && to.storage() != ElementType::Bool => Ok(result),
        Some(to) => {
            Err(format!("reads {} as {to}; the sizes must be equal, and bool has no bits of its own", input.element))
        }
        None => Ok(result),
    }
}

/// An operation that changes nothing but the shape folds to its input when the shape stays the same. Equal types do not
/// say so where a dimension is unknown.
pub(super) fn fold_same_shape<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    operands: &[Option<Attribute<'c>>],
) -> Option<Folded<'c, 'a>> {
    operand_type(operation, 0).ok()?.shape()?;
    fold_to_input(operation, operands)
}

/// An operation that leaves its input as it is, recognised by equal types, folds to it.
pub(super) fn fold_to_input<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    _operands: &[Option<Attribute<'c>>],
) -> Option<Folded<'c, 'a>> {
    let input: Value<'c, 'a> = operation.operand(0).ok()?;
    (input.r#type() == operation.result(0).ok()?.r#type()).then_some(Folded::Value(input))
}
