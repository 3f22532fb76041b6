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
        let pairs = || before.iter().zip(&after);
        let mixes = |(before, after): (&Array, &Array)| {
            let mut axes = sample_axes(before, samples).into_iter().peekable();
            axes.peek().is_some() && axes.all(|axis| differ(before, after, Some((axis, samples))))
        };
        let outputs = executable.outputs().map(|(name, ..)| name).zip(pairs());
        let mixed: Vec<String> =
            outputs.filter(|(_, pair)| mixes(*pair)).map(|(name, _)| format!("'{name}'")).collect();
        let (name, advice) = (&input.name, "export the model for this batch, or leave it to input_batch");
        if before.iter().all(|output| sample_axes(output, samples).is_empty()) {
            tracing::warn!(
                "input_shape: input '{name}' has {samples} at dimension 0, which the file does not say, and no output has a dimension of so many. If \
                 these are samples of a batch, they are mixed or lost: {advice}"
            );
        } else if !mixed.is_empty() {
            let outputs = mixed.join(", ");
            tracing::warn!(
                "input_shape: input '{name}' has {samples} at dimension 0, which the file does not say, and what is behind the first changes \
                 output {outputs} at its first, too. If these are samples of a batch, they are mixed: {advice}"
            );
        } else if !pairs().any(|(before, after)| differ(before, after, None)) {
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

/// The dimensions of an output that may be those of its samples: the first, where it has as many or a multiple, and others of exactly so many, such as that of
/// `[T, N, C]`.
fn sample_axes(output: &Array, samples: usize) -> Vec<usize> {
    let is_of_samples =
        |(axis, size): &(usize, &usize)| **size == samples || (*axis == 0 && size.is_multiple_of(samples));
    output.shape().iter().enumerate().filter(is_of_samples).map(|(axis, _)| axis).collect()
}

/// Whether two outputs differ: as a whole, or in the first of so many samples along an axis.
fn differ(before: &Array, after: &Array, part: Option<(usize, usize)>) -> bool {
    if before.shape() != after.shape() {
        return true;
    }
    // Elements of the axis that are the first sample's, of all of it, and from one to the next.
    let (first, size, inner) = part.map_or((1, 1, 1), |(axis, samples)| {
        let size = before.shape().get(axis).copied().unwrap_or(1);
        (size / samples.max(1), size, before.shape().iter().skip(axis + 1).product())
    });
    let (before, after) = (before.to_f64(), after.to_f64());
    let largest = before.iter().filter(|value| value.is_finite()).fold(0f64, |most, value| most.max(value.abs()));
    let differ = |(a, b): (&f64, &f64)| (a - b).abs() > TOLERANCE * largest && !(a.is_nan() && b.is_nan());
    let is_first = |index: usize| index / usize::max(inner, 1) % usize::max(size, 1) < first;
    before.iter().zip(&after).enumerate().any(|(index, pair)| is_first(index) && differ(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_compared_where_they_lie() {
        let array = |shape: &[usize], values: &[f32]| Array::from_values(shape, values).unwrap();
        // Steps, samples, channels: only the second sample differs.
        let before = array(&[2, 2, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        let after = array(&[2, 2, 2], &[1.0, 2.0, 0.0, 0.0, 5.0, 6.0, 0.0, 0.0]);
        let differing: Vec<bool> = (0..3).map(|axis| differ(&before, &after, Some((axis, 2)))).collect();
        assert_eq!((differing, differ(&before, &after, None)), (vec![true, false, true], true));
        // A first dimension of regions, two for each sample.
        let (before, after) = (array(&[4], &[1.0, 2.0, 3.0, 4.0]), array(&[4], &[1.0, 2.0, 0.0, 4.0]));
        assert!(!differ(&before, &after, Some((0, 2))) && differ(&before, &after, Some((0, 1))));
        assert_eq!((sample_axes(&before, 2), sample_axes(&before, 3)), (vec![0], vec![]));
        assert_eq!(sample_axes(&array(&[1, 2, 4], &[0.0; 8]), 2), [1]);
    }
}
