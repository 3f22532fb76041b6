//! Elementwise operations.

use super::{Definition, operands::*};
use crate::ir::{Element, TensorType};
use melior::ir::OperationRef;

pub(super) const DEFINITIONS: &[Definition] = &[
    Definition::new("hfloat.exp", unary),
    Definition::new("hfloat.hard_sigmoid", unary),
    Definition::new("hfloat.hard_swish", unary),
    Definition::new("hfloat.relu", unary),
    Definition::new("hfloat.sigmoid", unary),
    Definition::new("hfloat.clip", clip),
    Definition::new("hfloat.add", binary),
    Definition::new("hfloat.div", binary),
    Definition::new("hfloat.mul", binary),
    Definition::new("hfloat.sub", binary),
    Definition::new("hfloat.softmax", softmax),
];

fn unary(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    Ok(vec![operand_type(operation, 0)?])
}

fn clip(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
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

fn binary(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (left, right) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    same_element(&left, &right, "operands")?;
    check_activation(operation, &left.element)?;
    one(left.element, broadcast(&left.dimensions, &right.dimensions)?)
}

/// A fused activation has ordered bounds and clamps floats.
pub(super) fn check_activation(operation: OperationRef<'_, '_>, element: &Element) -> Result<(), String> {
    use crate::ir::OperationAttributes;
    match operation.clamp("activation").map_err(|error| error.to_string())? {
        Some((lower, upper)) if !matches!(lower.partial_cmp(&upper), Some(std::cmp::Ordering::Less)) => {
            Err(format!("the activation's lower bound {lower} is not below its upper bound {upper}"))
        }
        Some(_) if !element.is_float() => Err(format!("has an activation on {element:?}; only floats are clamped")),
        _ => Ok(()),
    }
}

fn softmax(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    use crate::ir::OperationAttributes;
    let input = operand_type(operation, 0)?;
    let axis = operation.integer_or("axis", -1).map_err(|error| error.to_string())?;
    if let Some(dimensions) = &input.dimensions {
        super::normalize_axis(axis, dimensions.len())?;
    }
    Ok(vec![input])
}
