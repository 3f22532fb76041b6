//! Normalization by statistics of the input itself.

use super::attributes;
use super::{layout::normalize_axis, operands::*};
use crate::ir::TensorType;
use melior::ir::{OperationRef, operation::OperationLike};

/// The input, checked to have channels, and scale and bias, checked to have one value per channel.
fn per_channel(operation: OperationRef<'_, '_>) -> Result<TensorType, String> {
    let input = operand_type(operation, 0)?;
    if let Some(dimensions) = input.dimensions.as_ref().filter(|dimensions| dimensions.len() < 3) {
        return Err(format!("has an input of rank {}; it needs at least 3", dimensions.len()));
    }
    let channels = input.dimensions.as_ref().and_then(|dimensions| dimensions[1]);
    for (index, name) in [(1, "scale"), (2, "bias")] {
        let parameter = operand_type(operation, index)?;
        same_element(&input, &parameter, &format!("input and {name}"))?;
        match (parameter.dimensions.as_deref(), channels) {
            (Some(&[Some(size)]), Some(channels)) if size != channels => {
                return Err(format!("has {channels} channels, but '{name}' has {size} elements"));
            }
            (Some(&[_]) | None, _) => {}
            _ => return Err(format!("'{name}' is not one-dimensional")),
        }
    }
    Ok(input)
}

pub(super) fn instance_normalization(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    per_channel(operation).map(|input| vec![input])
}

pub(super) fn group_normalization(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = per_channel(operation)?;
    let groups = attributes::num_groups(operation).map_err(|error| error.to_string())?;
    let channels = input.dimensions.as_ref().and_then(|dimensions| dimensions[1]);
    match u64::try_from(groups).ok().filter(|&groups| groups > 0) {
        None => Err(format!("has {groups} groups")),
        Some(groups) if channels.is_some_and(|channels| !channels.is_multiple_of(groups)) => {
            Err(format!("has {} channels, which {groups} groups do not divide", channels.unwrap_or_default()))
        }
        _ => Ok(vec![input]),
    }
}

pub(super) fn layer_normalization(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    if let Some(dimensions) = &input.dimensions {
        normalize_axis(attributes::axis(operation).map_err(|error| error.to_string())?, dimensions.len())?;
    }
    for index in 1..operation.operand_count() {
        let parameter = operand_type(operation, index)?;
        same_element(&input, &parameter, "input, scale and bias")?;
        if let (Some(joint), Some(own)) = (broadcast(&input.dimensions, &parameter.dimensions)?, &input.dimensions) {
            let grows = joint.iter().zip(own).any(|(joint, size)| size.is_some() && joint != size);
            if joint.len() != own.len() || grows {
                return Err("scale and bias do not broadcast to the shape of the input".into());
            }
        }
    }
    Ok(vec![input])
}

pub(super) fn lrn(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    if let Some(dimensions) = input.dimensions.as_ref().filter(|dimensions| dimensions.len() < 2) {
        return Err(format!("has an input of rank {}; it needs at least 2", dimensions.len()));
    }
    let size = attributes::size(operation).map_err(|error| error.to_string())?;
    if !(1..=1 << 20).contains(&size) {
        return Err(format!("has size {size}; it must be positive"));
    }
    Ok(vec![input])
}
