//! Whether the samples of a batch that `input_shape` makes stay apart.
//!
//! A model of one sample computes with more of them wherever its constants happen to fit, and may mix them: a reshape to `[1, -1]` puts two into
//! one row, an index takes the first. No type says so; what the outputs make of another second sample does.

use super::compile::StageError;
use super::configuration::CheckedInput;
use crate::cpu::{Array, FloatExecutable};
use crate::quant::calibrate::{CalibrationError, Draw, random_inputs};
use hb_dialects::ElementType;

/// The rounding of sums that are cut into other pieces, beside the largest result.
const TOLERANCE: f64 = 1e-4;

/// Warns of inputs of whose first dimension the file says 1, or nothing, where no output has samples, or where what is behind the first one changes
/// outputs at their first, or none.
///
/// # Errors
/// When the network cannot be run.
pub(super) fn tell_mixed(executable: &FloatExecutable, inputs: &[CheckedInput]) -> Result<(), StageError> {
    let sample = random_inputs(executable, 1, Draw::for_network(executable)?)?;
    let names: Vec<String> = executable.inputs().map(|(name, ..)| name.to_owned()).collect();
    for input in inputs.iter().filter(|input| input.batched) {
        let Some(index) = names.iter().position(|name| *name == input.name) else { continue };
        let mut other = sample.clone();
        let Some(samples) = other.get_mut(index).and_then(change_all_but_first) else { continue };
        let run = |arrays: &[Array]| executable.run(&arrays.iter().collect::<Vec<_>>()).map_err(CalibrationError::from);
        let (before, after) = (run(&sample)?, run(&other)?);
        let differs = |part: &dyn Fn(&Array) -> usize| {
            let pairs = before.iter().zip(&after);
            pairs.map(|(before, after)| differ(before, after, part(before))).collect::<Vec<bool>>()
        };
        let first = differs(&|output| first_sample(output, samples));
        let whole = differs(&|output| output.shape().iter().product());
        let outputs = executable.outputs().map(|(name, ..)| name);
        let mixed: Vec<String> =
            outputs.zip(first).filter(|(_, differs)| *differs).map(|(name, _)| format!("'{name}'")).collect();
        let (name, advice) = (&input.name, "export the model for this batch, or leave it to input_batch");
        if before.iter().all(|output| first_sample(output, samples) == 0) {
            tracing::warn!(
                "input_shape: input '{name}' has {samples} at dimension 0, which the file does not say, and no output has so many there. If \
                 these are samples of a batch, they are mixed or lost: {advice}"
            );
        } else if !mixed.is_empty() {
            let outputs = mixed.join(", ");
            tracing::warn!(
                "input_shape: input '{name}' has {samples} at dimension 0, which the file does not say, and what is behind the first changes \
                 output {outputs} at its first, too. If these are samples of a batch, they are mixed: {advice}"
            );
        } else if !whole.contains(&true) {
            tracing::warn!(
                "input_shape: input '{name}' has {samples} at dimension 0, which the file does not say, and no output depends on what is \
                 behind the first. If these are samples of a batch, they are lost: {advice}"
            );
        }
    }
    Ok(())
}

/// Gives other values to what is behind the first index of the first dimension, whose size it tells; none where there is nothing, or no number.
fn change_all_but_first(array: &mut Array) -> Option<usize> {
    let (&samples, element) = (array.shape().first()?, array.element());
    let first = array.shape().iter().skip(1).product::<usize>();
    if samples < 2 || first == 0 {
        return None;
    }
    if let Some(values) = array.values_mut::<f32>() {
        values.iter_mut().skip(first).for_each(|value| *value = 0.75 - *value);
        return Some(samples);
    }
    if matches!(element, ElementType::F16 | ElementType::BF16 | ElementType::F64) {
        return None;
    }
    // 0 and 1 of integers and truth values.
    let size = element.bytes();
    array.as_bytes_mut().iter_mut().skip(first * size).step_by(size).for_each(|byte| *byte ^= 1);
    Some(samples)
}

/// How many elements of an output belong to the first sample; none where its first dimension is not so many, or a multiple.
fn first_sample(output: &Array, samples: usize) -> usize {
    let rows = output.shape().first().copied().unwrap_or(0);
    if rows.is_multiple_of(samples) { output.shape().iter().product::<usize>() / samples } else { 0 }
}

/// Whether the first elements differ; all of them where an output has another size.
fn differ(before: &Array, after: &Array, count: usize) -> bool {
    if before.shape() != after.shape() {
        return count == before.shape().iter().product::<usize>();
    }
    let (before, after) = (before.to_f64(), after.to_f64());
    let largest = before.iter().filter(|value| value.is_finite()).fold(0f64, |most, value| most.max(value.abs()));
    let differ = |(a, b): (&f64, &f64)| (a - b).abs() > TOLERANCE * largest && !(a.is_nan() && b.is_nan());
    before.iter().zip(&after).take(count).any(differ)
}
