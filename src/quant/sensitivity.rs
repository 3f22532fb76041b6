//! What the rounding of each value alone costs the outputs.

use super::{
    calibrate::{CalibrationError, Samples, floats, outputs, threads},
    judge::{Likeness, likeness},
    thresholds::ThresholdRange,
};
use crate::cpu::{Array, FloatExecutable};
use crate::numerics::{Clamp, Destination, dequantize, quantize};
use hb_dialects::ir::Affine;
use rayon::prelude::*;

/// So many samples show it: costs differ by orders of magnitude, and each value takes a run of the network.
const SAMPLES: usize = 2;

/// For each value, given by its name and its range as int8, how far the worst part of the outputs is from that of the float network when this value alone is
/// int8: 1 minus the mean cosine over the first of these samples. `executable` is the float network with its values observed.
///
/// # Errors
/// When a sample cannot be read or run.
pub fn costs(
    executable: &FloatExecutable,
    values: &[(&str, ThresholdRange)],
    learned: &[usize],
    samples: &Samples<'_>,
) -> Result<Vec<f64>, CalibrationError> {
    let learned = learned.get(..SAMPLES).unwrap_or(learned);
    let whole = outputs(executable, learned, samples)?;
    let inputs = learned.iter().map(|&index| (samples.read)(executable, index)).collect::<Result<Vec<_>, _>>()?;
    let cost = |(name, range): &(&str, ThresholdRange)| {
        let rounded = inputs.iter().map(|inputs| run_rounded(executable, inputs, name, range.affine()));
        let rounded = rounded.collect::<Result<Option<Vec<_>>, CalibrationError>>()?;
        // Of a value that is not there nothing is known, so that it counts as lost.
        Ok(rounded.map_or(1.0, |rounded| 1.0 - worst(executable, &whole, &rounded).cosine))
    };
    threads(samples.jobs)?.install(|| values.par_iter().map(cost).collect())
}

/// The outputs with one value rounded; none where there is no such value.
fn run_rounded(
    executable: &FloatExecutable,
    inputs: &[Array],
    name: &str,
    Affine { scale, zero_point }: Affine,
) -> Result<Option<Vec<Array>>, CalibrationError> {
    let (scale, to) = (scale as f32, Destination { zero_point, clamp: Clamp::I8 });
    let round = |values: &mut [f32]| {
        values.iter_mut().for_each(|value| *value = dequantize(quantize(*value, scale, to) - zero_point, scale));
    };
    let mut inputs = inputs.to_vec();
    let named = executable.inputs().position(|(input, ..)| input == name);
    let mut found = named.is_some();
    if let Some(values) = named.and_then(|input| inputs.get_mut(input)).and_then(|input| input.values_mut::<f32>()) {
        round(values);
    }
    let alter = &mut |observed: &str, values: &mut [f32]| {
        if observed == name {
            found = true;
            round(values);
        }
    };
    let outputs = executable.run_altered(&inputs.iter().collect::<Vec<_>>(), alter)?;
    Ok(found.then_some(outputs))
}

/// How alike the worst part of the outputs is: the least of the cosines, and the least of what other samples have.
pub(super) fn worst(executable: &FloatExecutable, float: &[Vec<Array>], own: &[Vec<Array>]) -> Likeness {
    let shapes = executable.outputs().map(|(_, _, shape)| shape);
    let each = shapes.enumerate().map(|(output, shape)| likeness(shape, &pairs(float, own, output)));
    each.fold(Likeness { cosine: 1.0, at_least: 1.0, slice: None }, |worst, next| Likeness {
        at_least: worst.at_least.min(next.at_least),
        ..if next.cosine < worst.cosine { next } else { worst }
    })
}

/// The values of an output of two networks, sample after sample.
pub(super) fn pairs(float: &[Vec<Array>], own: &[Vec<Array>], output: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
    let pairs = float.iter().zip(own);
    pairs.filter_map(|(float, own)| Some((floats(float.get(output)?), floats(own.get(output)?)))).collect()
}
