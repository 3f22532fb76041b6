//! Recurrent layers.

use super::{Op, RecurrentSizes, attributes, operands::*};
use crate::{ElementType, ir::TensorType};
use melior::ir::{OperationRef, operation::OperationLike};

fn gates(operation: OperationRef<'_, '_>) -> usize {
    match Op::of(operation) {
        Some(Op::Lstm) => 4,
        Some(Op::Gru) => 3,
        _ => 1,
    }
}

/// The number of directions of a recurrent layer.
///
/// # Errors
/// When the attribute cannot be read.
pub fn recurrent_directions(operation: OperationRef<'_, '_>) -> Result<usize, String> {
    let direction = attributes::direction(operation).map_err(|error| error.to_string())?;
    Ok(if direction == "bidirectional" { 2 } else { 1 })
}

/// The sizes of a recurrent layer, when those of its operands are known.
///
/// # Errors
/// When the operands do not fit each other.
pub fn recurrent_sizes(operation: OperationRef<'_, '_>) -> Result<Option<RecurrentSizes>, String> {
    let operands = 0..operation.operand_count();
    let types: Vec<TensorType> = operands.map(|index| operand_type(operation, index)).collect::<Result<_, _>>()?;
    let directions = recurrent_directions(operation)?;
    let shapes: Option<Vec<Vec<usize>>> = types.iter().map(TensorType::shape).collect();
    let Some(shapes) = shapes else { return Ok(None) };
    let batch_first = attributes::layout(operation).map_err(|error| error.to_string())?;
    let (&[first, second, inputs], &[_, _, hidden]) = (shapes[0].as_slice(), shapes[2].as_slice()) else {
        return Err("has an input or a recurrence that is not of rank 3".into());
    };
    let (steps, batch) = if batch_first { (second, first) } else { (first, second) };
    if let Some(said) = attributes::hidden_size(operation).map_err(|error| error.to_string())?
        && usize::try_from(said) != Ok(hidden)
    {
        return Err(format!("has hidden_size {said}, but a recurrence of {hidden}"));
    }
    let gates = gates(operation);
    let rows = hidden.checked_mul(gates).ok_or("has a hidden size that is too large")?;
    let state = if batch_first { vec![batch, directions, hidden] } else { vec![directions, batch, hidden] };
    let expected = [
        ("weight", 1, vec![directions, rows, inputs], false),
        ("recurrence", 2, vec![directions, rows, hidden], false),
        ("bias", 3, vec![directions, rows.saturating_mul(2)], true),
        ("sequence_lens", 4, vec![batch], true),
        ("initial_h", 5, state.clone(), true),
        ("initial_c", 6, state, true),
        ("peepholes", 7, vec![directions, hidden.saturating_mul(3)], true),
    ];
    for (name, index, shape, optional) in expected.into_iter().take_while(|(_, index, ..)| *index < shapes.len()) {
        if shapes[index] != shape && !(optional && shapes[index] == [0]) {
            return Err(format!("has a '{name}' of shape {:?}; it must be {shape:?}", shapes[index]));
        }
    }
    Ok(Some(RecurrentSizes { steps, batch, inputs, directions, hidden, gates }))
}

pub(super) fn recurrent(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    for (index, name) in
        [(1, "weight"), (2, "recurrence"), (3, "bias"), (5, "initial_h"), (6, "initial_c"), (7, "peepholes")]
            .into_iter()
            .take_while(|(index, _)| *index < operation.operand_count())
    {
        same_element(&input, &operand_type(operation, index)?, &format!("the input and '{name}'"))?;
    }
    if operand_type(operation, 4)?.element != ElementType::I32 {
        return Err("has a 'sequence_lens' that is not of 32-bit integers".into());
    }
    let result = |dimensions: Vec<Option<u64>>| TensorType::with_dimensions(input.element.clone(), Some(dimensions));
    let states = operation.result_count().saturating_sub(1);
    let Some(RecurrentSizes { steps, batch, directions, hidden, .. }) = recurrent_sizes(operation)? else {
        return Ok(std::iter::once(result(vec![None; 4])).chain(vec![result(vec![None; 3]); states]).collect());
    };
    let [steps, batch, directions, hidden] = [steps, batch, directions, hidden].map(|size| Some(size as u64));
    let batch_first = attributes::layout(operation).map_err(|error| error.to_string())?;
    let (all, last) = if batch_first {
        (vec![batch, steps, directions, hidden], vec![batch, directions, hidden])
    } else {
        (vec![steps, directions, batch, hidden], vec![directions, batch, hidden])
    };
    Ok(std::iter::once(result(all)).chain(vec![result(last); states]).collect())
}
