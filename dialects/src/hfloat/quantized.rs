//! Operations between reals and the integers that a network itself makes of them.

use super::{attributes, normalize_axis, operands::*};
use crate::{
    ElementType,
    ir::{Element, TensorType},
};
use melior::ir::OperationRef;

/// Whether integers of this type are those that reals become.
fn holds_reals(element: &Element) -> bool {
    use ElementType::{I8, I16, U8, U16};
    matches!(element.plain(), Some(I8 | U8 | I16 | U16))
}

/// Scale and zero point are one number each, or one for each place along the axis.
fn check_parameters(operation: OperationRef<'_, '_>, input: &TensorType) -> Result<(), String> {
    let (scale, zero_point) = (operand_type(operation, 1)?, operand_type(operation, 2)?);
    if scale.element != ElementType::F32 || !holds_reals(&zero_point.element) {
        return Err(format!(
            "has a scale of {} and a zero point of {}; they must be float32 and an integer of 8 or 16 bits",
            scale.element, zero_point.element
        ));
    }
    let (Some(sizes), Some(zero_points)) = (&scale.dimensions, &zero_point.dimensions) else { return Ok(()) };
    let differ = |(a, b): (&Option<u64>, &Option<u64>)| matches!((a, b), (Some(a), Some(b)) if a != b);
    // Exporters write one number with a dimension and without.
    let single = |sizes: &[Option<u64>]| matches!(sizes, [] | [Some(1)]);
    let alike = sizes.len() == zero_points.len() && !sizes.iter().zip(zero_points).any(differ);
    if sizes.len() > 1 || !(alike || single(sizes) && single(zero_points)) {
        return Err(format!(
            "has scales of {sizes:?} and zero points of {zero_points:?}; they must be alike and have at most one dimension"
        ));
    }
    let (Some(Some(count)), Some(dimensions)) = (sizes.first().copied(), &input.dimensions) else { return Ok(()) };
    if count == 1 {
        return Ok(());
    }
    let axis = normalize_axis(attributes::axis(operation).map_err(|error| error.to_string())?, dimensions.len())?;
    match dimensions[axis] {
        Some(size) if size != count => Err(format!("has {count} scales for {size} places along dimension {axis}")),
        _ => Ok(()),
    }
}

pub(super) fn quantize_linear(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    if input.element != ElementType::F32 {
        return Err(format!("quantizes {}; it must be float32", input.element));
    }
    check_parameters(operation, &input)?;
    one(operand_type(operation, 2)?.element, input.dimensions)
}

pub(super) fn dequantize_linear(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    same_element(&input, &operand_type(operation, 2)?, "input and zero point")?;
    check_parameters(operation, &input)?;
    one(ElementType::F32, input.dimensions)
}
