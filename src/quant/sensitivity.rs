//! What the rounding of each value alone costs the outputs.

use super::{
    calibrate::{CalibrationError, Samples, floats, in_parallel, threads},
    groups::{ScaleGroups, Sources, observed_values},
    judge::{Likeness, likeness},
    rules::{ACTIVATION_BITS, QuantizationRule, ResultScale, rule_of},
    selections::{judged_values, returned},
    thresholds::{ThresholdRange, value_name},
};
use crate::cpu::{Array, FloatExecutable};
use crate::numerics::{Clamp, Destination, dequantize, quantize};
use hb_dialects::{
    hfloat::{Op, gives_plain_result},
    ir::{self, Affine, IrError, OperationAttributes, TensorType},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use rayon::prelude::*;
use std::collections::HashSet;

/// So many samples show it: costs differ by orders of magnitude, and each value takes a run of the network.
const SAMPLES: usize = 4;

/// For each value of a float network, given by its name and its range, how far the worst part of the outputs is from that of the float network
/// when this value alone has these integers: 1 minus the mean cosine over the first of these samples. An output that a Softmax or Sigmoid closes is
/// seen before it: probabilities are 0 or 1 nearly everywhere, so that a few samples would show by chance which roundings change them.
/// `executable` is the network with its values observed.
///
/// # Errors
/// When a sample cannot be read or run, or attributes cannot be read.
pub fn costs(
    function: OperationRef<'_, '_>,
    executable: &FloatExecutable,
    values: &[(&str, ThresholdRange)],
    learned: &[usize],
    samples: &Samples<'_>,
) -> Result<Vec<f64>, CalibrationError> {
    let learned = learned.get(..SAMPLES).unwrap_or(learned);
    let inputs = learned.iter().map(|&index| (samples.read)(executable, index)).collect::<Result<Vec<_>, _>>()?;
    let before = Shown::new(function, executable)?;
    let at_the_end = Shown { executable, closed: vec![None; before.closed.len()] };
    let behind = behind_closing(function)?;
    let observed = observed_values(function, &ScaleGroups::of(function)?)?;
    let run = |network: &Shown<'_>| {
        inputs.iter().map(|inputs| network.run(inputs, &mut |_, _| {})).collect::<Result<Vec<_>, _>>()
    };
    let (whole_before, whole_at_the_end) = (run(&before)?, run(&at_the_end)?);
    let cost = |(name, range): &(&str, ThresholdRange)| {
        let (network, whole) = match behind.contains(*name) {
            true => (&at_the_end, &whole_at_the_end),
            false => (&before, &whole_before),
        };
        let rounded = inputs.iter().map(|inputs| network.run_rounded(inputs, (name, *range), &observed));
        let rounded = rounded.collect::<Result<Option<Vec<_>>, CalibrationError>>()?;
        // Of a value that is not there nothing is known, so that it counts as lost.
        Ok(rounded.map_or(1.0, |rounded| network.error(whole, &rounded)))
    };
    threads(samples.jobs)?.install(|| values.par_iter().map(cost).collect())
}

/// What the Softmax or Sigmoid that closes an output is made of, by name and shape; none where nothing closes it.
type Closed = Option<(String, Vec<usize>)>;

fn closed_outputs(function: OperationRef<'_, '_>) -> Result<Vec<Closed>, IrError> {
    let closed = |output| {
        let Some((_, value)) = closing(output)? else { return Ok(None) };
        let shape = TensorType::from_type(value.r#type())?.static_shape().ok();
        Ok(shape.map(|shape| (value_name(function, value), shape)))
    };
    shown(function)?.into_iter().map(closed).collect()
}

/// The names of what closes outputs, and of what moves that: only the outputs show what their rounding costs.
fn behind_closing(function: OperationRef<'_, '_>) -> Result<HashSet<String>, IrError> {
    let mut names = HashSet::new();
    for output in shown(function)? {
        names.extend(closing(output)?.into_iter().flat_map(|(behind, _)| behind));
    }
    Ok(names)
}

/// What judges a network: its outputs, or what selections read.
fn shown<'c: 'a, 'a>(function: OperationRef<'c, 'a>) -> Result<Vec<Value<'c, 'a>>, IrError> {
    let judged = judged_values(function)?.map(|judged| judged.into_iter().map(|(_, value)| value).collect());
    Ok(judged.unwrap_or_else(|| returned(function)))
}

/// The names of the operations from the Softmax or Sigmoid that gives a value, which may be moved since, and what that is made of.
fn closing<'c: 'a, 'a>(mut value: Value<'c, 'a>) -> Result<Option<(Vec<String>, Value<'c, 'a>)>, IrError> {
    let mut behind = Vec::new();
    while let Some(operation) = ir::defining_operation(value) {
        let Ok(operand) = operation.operand(0) else { break };
        behind.push(operation.node());
        if gives_plain_result(operation)? && matches!(Op::of(operation), Some(Op::Softmax | Op::Sigmoid)) {
            return Ok(Some((behind, operand)));
        }
        let variable = operation.operands().filter(|operand| ir::constant_of(*operand).is_none()).count();
        let moves = |rule: QuantizationRule| Ok::<_, IrError>(rule.result(operation)? == ResultScale::LikeInput);
        if variable != 1 || !rule_of(operation)?.map(moves).transpose()?.unwrap_or_default() {
            break;
        }
        value = operand;
    }
    Ok(None)
}

/// What a network shows of a sample: by output its values, or those before what closes it.
type Seen = Vec<Vec<f32>>;

/// A float network, and where it shows what rounding costs.
pub(super) struct Shown<'e> {
    executable: &'e FloatExecutable,
    /// By output: the value before it that is looked at instead.
    closed: Vec<Closed>,
}

impl<'e> Shown<'e> {
    /// Of a network that `executable` runs with its values observed.
    ///
    /// # Errors
    /// When attributes or types cannot be read.
    pub(super) fn new(function: OperationRef<'_, '_>, executable: &'e FloatExecutable) -> Result<Self, IrError> {
        Ok(Self { executable, closed: closed_outputs(function)? })
    }

    /// What is looked at of each of these samples.
    ///
    /// # Errors
    /// When a sample cannot be read or run.
    pub(super) fn of_samples(&self, indices: &[usize], samples: &Samples<'_>) -> Result<Vec<Seen>, CalibrationError> {
        let run = |index: &usize| self.run(&(samples.read)(self.executable, *index)?, &mut |_, _| {});
        let parts =
            in_parallel(indices, samples.jobs, |indices| indices.iter().map(run).collect::<Result<Vec<_>, _>>())?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// What is looked at of one run with altered values.
    fn run(&self, inputs: &[Array], alter: &mut dyn FnMut(&str, &mut [f32])) -> Result<Seen, CalibrationError> {
        let mut seen: Vec<Option<Vec<f32>>> = vec![None; self.closed.len()];
        let watch = &mut |observed: &str, values: &mut [f32]| {
            alter(observed, values);
            for (seen, closed) in seen.iter_mut().zip(&self.closed) {
                if closed.as_ref().is_some_and(|(name, _)| name == observed) {
                    *seen = Some(values.to_vec());
                }
            }
        };
        let outputs = self.executable.run_altered(&inputs.iter().collect::<Vec<_>>(), watch)?;
        Ok(outputs.iter().zip(seen).map(|(output, seen)| seen.unwrap_or_else(|| floats(output))).collect())
    }

    /// The same with one value rounded, and with it those that have its range; none where there is no such value.
    fn run_rounded(
        &self,
        inputs: &[Array],
        (name, range): (&str, ThresholdRange),
        observed: &Sources,
    ) -> Result<Option<Seen>, CalibrationError> {
        let Affine { scale, zero_point } = range.affine();
        let clamp = if range.bits == ACTIVATION_BITS { Clamp::I8 } else { Clamp::I16 };
        let (scale, to) = (scale as f32, Destination { zero_point, clamp });
        let round = |values: &mut [f32]| {
            values.iter_mut().for_each(|value| *value = dequantize(quantize(*value, scale, to) - zero_point, scale));
        };
        let mut inputs = inputs.to_vec();
        let named = self.executable.inputs().position(|(input, ..)| input == name);
        let mut found = named.is_some();
        if let Some(values) = named.and_then(|input| inputs.get_mut(input)).and_then(|input| input.values_mut::<f32>())
        {
            round(values);
        }
        let shown = self.run(&inputs, &mut |value: &str, values: &mut [f32]| {
            if observed.get(value).is_some_and(|source| source == name) {
                found = true;
                round(values);
            }
        })?;
        Ok(found.then_some(shown))
    }

    /// 1 minus the mean cosine of the worst part.
    pub(super) fn error(&self, float: &[Seen], own: &[Seen]) -> f64 {
        let outputs = self.executable.outputs().zip(&self.closed).enumerate();
        let cosines = outputs.map(|(output, ((_, _, shape), closed))| {
            let value = |sample: &Seen| sample.get(output).cloned().unwrap_or_default();
            let pairs: Vec<_> = float.iter().zip(own).map(|(float, own)| (value(float), value(own))).collect();
            let before = closed.as_ref().map(|(_, shape)| shape.as_slice());
            let is_before =
                |shape: &&[usize]| pairs.iter().all(|(left, _)| left.len() == shape.iter().product::<usize>());
            likeness(before.filter(is_before).unwrap_or(shape), &pairs).cosine
        });
        1.0 - cosines.fold(1.0, f64::min)
    }
}

/// How alike each output is, by its name.
pub(super) fn likenesses<'e>(
    executable: &'e FloatExecutable,
    float: &[Vec<Array>],
    own: &[Vec<Array>],
) -> Vec<(&'e str, Likeness)> {
    let each = executable.outputs().enumerate();
    each.map(|(output, (name, _, shape))| (name, likeness(shape, &pairs(float, own, output)))).collect()
}

/// How alike the worst part of the outputs is, the least of the cosines with the least of what other samples have, and the name of its
/// output; none where there is no output.
pub(super) fn worst(all: Vec<(&str, Likeness)>) -> Option<(&str, Likeness)> {
    all.into_iter().reduce(|(name, worst), (other, next)| {
        let at_least = worst.at_least.min(next.at_least);
        let (name, worst) = if next.cosine < worst.cosine { (other, next) } else { (name, worst) };
        (name, Likeness { at_least, ..worst })
    })
}

/// How far the worst part of the outputs is from that of the float network: 1 minus its mean cosine.
pub(super) fn error(executable: &FloatExecutable, float: &[Vec<Array>], own: &[Vec<Array>]) -> f64 {
    worst(likenesses(executable, float, own)).map_or(0.0, |(_, worst)| 1.0 - worst.cosine)
}

/// The values of an output of two networks, sample after sample.
pub(super) fn pairs(float: &[Vec<Array>], own: &[Vec<Array>], output: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
    let pairs = float.iter().zip(own);
    pairs.filter_map(|(float, own)| Some((floats(float.get(output)?), floats(own.get(output)?)))).collect()
}
