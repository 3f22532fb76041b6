//! Elementwise operations.

use super::attributes;
use super::operands::*;
use crate::ElementType;
use crate::ir::{Element, OperationAttributes, TensorType, constant_of};
use melior::ir::{OperationRef, operation::OperationLike};

/// Elements of a range; whole numbers up to this are exact in f64.
const LARGEST_RANGE: f64 = (1u64 << 40) as f64;

pub(super) fn unary(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    Ok(vec![operand_type(operation, 0)?])
}

pub(super) fn clip(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    for (index, name) in [(1, "min"), (2, "max")] {
        let bound = operand_type(operation, index)?;
        same_element(&input, &bound, &format!("the input and '{name}'"))?;
        if bound.shape().is_some_and(|shape| shape.iter().any(|size| *size != 1)) {
            return Err(format!("'{name}' is not one element"));
        }
    }
    Ok(vec![input])
}

pub(super) fn binary(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (left, right) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    same_element(&left, &right, "operands")?;
    check_activation(operation, &left.element)?;
    one(left.element, broadcast(&left.dimensions, &right.dimensions)?)
}

/// Bits, and remainders, which floats have only in the manner of C.
pub(super) fn integers(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let element = operand_type(operation, 0)?.element;
    let takes_floats = operation.boolean("fmod").unwrap_or(false);
    if element.is_float() && !takes_floats {
        return Err(format!("has operands of {element}; it takes integers"));
    }
    binary(operation)
}

pub(super) fn comparison(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (left, right) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    same_element(&left, &right, "operands")?;
    one(ElementType::Bool, broadcast(&left.dimensions, &right.dimensions)?)
}

/// The exponent may have another element type than the base.
pub(super) fn pow(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (base, exponent) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    one(base.element, broadcast(&base.dimensions, &exponent.dimensions)?)
}

/// The slope broadcasts to the input, not the other way round.
pub(super) fn p_relu(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (input, slope) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    same_element(&input, &slope, "the input and 'slope'")?;
    let joint = broadcast(&input.dimensions, &slope.dimensions)?;
    if let (Some(joint), Some(dimensions)) = (joint, &input.dimensions) {
        let grows = joint.iter().zip(dimensions).any(|(joint, size)| size.is_some() && joint != size);
        if joint.len() != dimensions.len() || grows {
            return Err("'slope' does not broadcast to the shape of the input".into());
        }
    }
    Ok(vec![input])
}

pub(super) fn r#where(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let condition = operand_type(operation, 0)?;
    let (left, right) = (operand_type(operation, 1)?, operand_type(operation, 2)?);
    same_element(&left, &right, "operands")?;
    let chosen = broadcast(&left.dimensions, &right.dimensions)?;
    one(left.element, broadcast(&condition.dimensions, &chosen)?)
}

/// As long as constant operands say.
pub(super) fn range(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let start = operand_type(operation, 0)?;
    let mut numbers = Vec::new();
    for (index, name) in ["start", "limit", "delta"].iter().enumerate() {
        let operand = operand_type(operation, index)?;
        same_element(&start, &operand, &format!("'start' and '{name}'"))?;
        if operand.shape().is_some_and(|shape| shape.iter().any(|size| *size != 1)) {
            return Err(format!("'{name}' is not one element"));
        }
        let value = operation.operand(index).map_err(|error| error.to_string())?;
        let constant = constant_of(value).map(|constant| constant.to_f64s()).transpose();
        numbers.extend(constant.map_err(|error| error.to_string())?.and_then(|values| values.first().copied()));
    }
    let &[start_value, limit, delta] = numbers.as_slice() else { return one(start.element, Some(vec![None])) };
    if delta == 0.0 {
        return Err("has a 'delta' of 0".into());
    }
    let count = ((limit - start_value) / delta).ceil().max(0.0);
    if count.is_nan() || count > LARGEST_RANGE {
        return Err(format!("counts from {start_value} to {limit} in steps of {delta}: that are too many elements"));
    }
    one(start.element, Some(vec![Some(count as u64)]))
}

/// A fused activation has ordered bounds and clamps floats.
pub(super) fn check_activation(operation: OperationRef<'_, '_>, element: &Element) -> Result<(), String> {
    match attributes::activation(operation).map_err(|error| error.to_string())? {
        Some((lower, upper)) if !matches!(lower.partial_cmp(&upper), Some(std::cmp::Ordering::Less)) => {
            Err(format!("the activation's lower bound {lower} is not below its upper bound {upper}"))
        }
        Some(_) if !element.is_float() => Err(format!("has an activation on {element}; only floats are clamped")),
        _ => Ok(()),
    }
}

pub(super) fn softmax(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let axis = attributes::axis(operation).map_err(|error| error.to_string())?;
    if let Some(dimensions) = &input.dimensions {
        super::normalize_axis(axis, dimensions.len())?;
    }
    Ok(vec![input])
}
