//! Matrix products and normalization.

use super::{attributes, elementwise::check_activation, operands::*};
use crate::ir::TensorType;
use melior::ir::OperationRef;

pub(super) fn gemm(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (a, b) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    same_element(&a, &b, "A and B")?;
    check_activation(operation, &a.element)?;
    let (rows, depth_of_a) = matrix(&a, attributes::trans_a(operation).map_err(|error| error.to_string())?, "A")?;
    let (depth_of_b, columns) = matrix(&b, attributes::trans_b(operation).map_err(|error| error.to_string())?, "B")?;
    check_depth(depth_of_a, depth_of_b)?;
    if let Some(c) = optional_operand_type(operation, 2)? {
        same_element(&a, &c, "A and C")?;
        let result = Some(vec![rows, columns]);
        let joint = broadcast(&c.dimensions, &result)?;
        if let (Some(joint), Some(result)) = (joint, result) {
            let grows = joint.iter().zip(&result).any(|(joint, size)| size.is_some() && joint != size);
            if joint.len() != 2 || grows {
                return Err("C does not broadcast to the shape of the product".into());
            }
        }
    }
    one(a.element, Some(vec![rows, columns]))
}

/// Rows and columns of a two-dimensional operand.
fn matrix(r#type: &TensorType, transposed: bool, name: &str) -> Result<(Option<u64>, Option<u64>), String> {
    match r#type.dimensions.as_deref() {
        None => Ok((None, None)),
        Some(&[rows, columns]) => Ok(if transposed { (columns, rows) } else { (rows, columns) }),
        Some(dimensions) => Err(format!("{name} has rank {}; it must be a matrix", dimensions.len())),
    }
}

fn check_depth(left: Option<u64>, right: Option<u64>) -> Result<(), String> {
    match (left, right) {
        (Some(left), Some(right)) if left != right => {
            Err(format!("multiplies rows of {left} elements with columns of {right}"))
        }
        _ => Ok(()),
    }
}

pub(super) fn mat_mul(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (a, b) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    same_element(&a, &b, "operands")?;
    check_activation(operation, &a.element)?;
    let (Some(left), Some(right)) = (a.dimensions, b.dimensions) else { return one(a.element, None) };
    if left.is_empty() || right.is_empty() {
        return Err("has a scalar operand".into());
    }
    let vector_left = left.len() == 1;
    let vector_right = right.len() == 1;
    let left = if vector_left { vec![Some(1), left[0]] } else { left };
    let right = if vector_right { vec![right[0], Some(1)] } else { right };
    let (batch_left, matrix_left) = left.split_at(left.len() - 2);
    let (batch_right, matrix_right) = right.split_at(right.len() - 2);
    check_depth(matrix_left[1], matrix_right[0])?;
    let batch = broadcast(&Some(batch_left.to_vec()), &Some(batch_right.to_vec()))?;
    let mut result = batch.unwrap_or_default();
    if !vector_left {
        result.push(matrix_left[0]);
    }
    if !vector_right {
        result.push(matrix_right[1]);
    }
    one(a.element, Some(result))
}

pub(super) fn batch_normalization(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let channels = match &input.dimensions {
        // ONNX takes a tensor of rank 1 as one with a single channel.
        Some(dimensions) if dimensions.len() == 1 => Some(1),
        Some(dimensions) if dimensions.is_empty() => return Err("has a scalar input".into()),
        Some(dimensions) => dimensions[1],
        None => None,
    };
    for (index, name) in ["scale", "bias", "mean", "variance"].iter().enumerate() {
        let statistics = operand_type(operation, index + 1)?;
        let Some(dimensions) = statistics.dimensions else { continue };
        match (dimensions.as_slice(), channels) {
            (&[Some(size)], Some(channels)) if size != channels => {
                return Err(format!("has {channels} channels, but '{name}' has {size} elements"));
            }
            (&[_], _) => {}
            _ => return Err(format!("'{name}' is not one-dimensional")),
        }
    }
    Ok(vec![input])
}

pub(super) fn det(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let Some(dimensions) = input.dimensions else { return one(input.element, None) };
    match dimensions.as_slice() {
        [outer @ .., rows, columns] if rows.is_none() || columns.is_none() || rows == columns => {
            one(input.element, Some(outer.to_vec()))
        }
        other => Err(format!("has an input of {other:?}; its last two dimensions must be equal")),
    }
}
