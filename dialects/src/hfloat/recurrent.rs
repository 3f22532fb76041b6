//! Recurrent layers.

use super::{attributes, operands::*};
use crate::{ElementType, ir::TensorType};
use melior::ir::OperationRef;

/// The sizes of an LSTM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LstmSizes {
    /// Elements of a sequence.
    pub steps: usize,
    /// Sequences.
    pub batch: usize,
    /// Features of each element.
    pub inputs: usize,
    /// One, or two when it is bidirectional.
    pub directions: usize,
    /// Features of the state.
    pub hidden: usize,
}

/// The number of directions of an `hfloat.lstm`.
///
/// # Errors
/// When the attribute cannot be read.
pub fn lstm_directions(operation: OperationRef<'_, '_>) -> Result<usize, String> {
    let direction = attributes::direction(operation).map_err(|error| error.to_string())?;
    Ok(if direction == "bidirectional" { 2 } else { 1 })
}

/// The sizes of an `hfloat.lstm`, when those of its operands are known.
///
/// # Errors
/// When the operands do not fit each other.
pub fn lstm_sizes(operation: OperationRef<'_, '_>) -> Result<Option<LstmSizes>, String> {
    let types: Vec<TensorType> = (0..8).map(|index| operand_type(operation, index)).collect::<Result<_, _>>()?;
    let directions = lstm_directions(operation)?;
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
    let gates = hidden.checked_mul(4).ok_or("has a hidden size that is too large")?;
    let state = if batch_first { vec![batch, directions, hidden] } else { vec![directions, batch, hidden] };
    let expected = [
        ("weight", 1, vec![directions, gates, inputs], false),
        ("recurrence", 2, vec![directions, gates, hidden], false),
        ("bias", 3, vec![directions, gates.saturating_mul(2)], true),
        ("sequence_lens", 4, vec![batch], true),
        ("initial_h", 5, state.clone(), true),
        ("initial_c", 6, state, true),
        ("peepholes", 7, vec![directions, hidden.saturating_mul(3)], true),
    ];
    for (name, index, shape, optional) in expected {
        if shapes[index] != shape && !(optional && shapes[index] == [0]) {
            return Err(format!("has a '{name}' of shape {:?}; it must be {shape:?}", shapes[index]));
        }
    }
    Ok(Some(LstmSizes { steps, batch, inputs, directions, hidden }))
}

pub(super) fn lstm(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    for (index, name) in
        [(1, "weight"), (2, "recurrence"), (3, "bias"), (5, "initial_h"), (6, "initial_c"), (7, "peepholes")]
    {
        same_element(&input, &operand_type(operation, index)?, &format!("the input and '{name}'"))?;
    }
    if operand_type(operation, 4)?.element != ElementType::I32 {
        return Err("has a 'sequence_lens' that is not of 32-bit integers".into());
    }
    let result = |dimensions: Vec<Option<u64>>| TensorType::with_dimensions(input.element.clone(), Some(dimensions));
    let Some(LstmSizes { steps, batch, directions, hidden, .. }) = lstm_sizes(operation)? else {
        return Ok(vec![result(vec![None; 4]), result(vec![None; 3]), result(vec![None; 3])]);
    };
    let [steps, batch, directions, hidden] = [steps, batch, directions, hidden].map(|size| Some(size as u64));
    let batch_first = attributes::layout(operation).map_err(|error| error.to_string())?;
    let (all, last) = if batch_first {
        (vec![batch, steps, directions, hidden], vec![batch, directions, hidden])
    } else {
        (vec![steps, directions, batch, hidden], vec![directions, batch, hidden])
    };
    Ok(vec![result(all), result(last.clone()), result(last)])
}
