//! What the rounding of each value alone costs the outputs.

use super::{
    calibrate::{CalibrationError, Samples, floats, of_each, threads},
    groups::{ScaleGroups, Sources, observed_values},
    judge::{Likeness, OutputParts, likeness},
    rules::{ACTIVATION_BITS, QuantizationRule, ResultScale, rule_of},
    selections::{judged_values, returned},
    thresholds::{ThresholdRange, value_name},
};
use crate::cpu::{Array, Error as CpuError, FloatExecutable, FloatProgress, FloatVariant};
use crate::numerics::{Clamp, Destination, dequantize, quantize};
use hb_dialects::{
    hfloat::{Op, gives_plain_result},
    ir::{self, Affine, IrError, OperationAttributes, TensorType},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

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
    let (before, at_the_end) = (Compared::new(&before, &inputs)?, Compared::new(&at_the_end, &inputs)?);
    let compared = |name: &str| if behind.contains(name) { &at_the_end } else { &before };
    let mut order = begins(executable, values, &observed).into_iter().enumerate().collect::<Vec<_>>();
    order.sort_by_key(|(_, begin)| *begin);
    // Each thread goes through the network once for its share of the values: what comes before a value is the same without its rounding.
    let jobs = samples.jobs.clamp(1, order.len().max(1));
    let share = |job: usize| {
        let own = order.iter().skip(job).step_by(jobs);
        let own = own.filter_map(|&(index, begin)| values.get(index).map(|value| (index, begin, value)));
        let mut rounded: Vec<_> = own
            .map(|(index, begin, value)| (index, begin, Rounded::new(*value, &observed, compared(value.0))))
            .collect();
        for (sample, inputs) in inputs.iter().enumerate() {
            let given: Vec<&Array> = inputs.iter().collect();
            let mut progress = executable.progress(&given)?;
            for (_, begin, rounded) in &mut rounded {
                match *begin {
                    Some(begin) => {
                        progress.advance(begin)?;
                        rounded.run(sample, &progress)?;
                    }
                    None => rounded.run_input(sample, inputs)?,
                }
            }
        }
        Ok(rounded.iter().map(|(index, _, rounded)| (*index, rounded.cost())).collect::<Vec<_>>())
    };
    let costs: Result<Vec<_>, CalibrationError> =
        threads(samples.jobs)?.install(|| (0..jobs).into_par_iter().map(share).collect());
    let mut costs: Vec<(usize, f64)> = costs?.into_iter().flatten().collect();
    costs.sort_by_key(|(index, _)| *index);
    Ok(costs.into_iter().map(|(_, cost)| cost).collect())
}

/// Where the rounding of each value begins to show: the step that computes it, or the first one of those that have its range; none for an
/// input.
fn begins(executable: &FloatExecutable, values: &[(&str, ThresholdRange)], observed: &Sources) -> Vec<Option<usize>> {
    let steps = executable.steps_of_values();
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (value, source) in observed {
        if let Some(&step) = steps.get(value.as_str()) {
            first.entry(source).and_modify(|first| *first = step.min(*first)).or_insert(step);
        }
    }
    let inputs: HashSet<&str> = executable.inputs().map(|(input, ..)| input).collect();
    let begin = |(name, _): &(&str, ThresholdRange)| first.get(name).copied().filter(|_| !inputs.contains(name));
    values.iter().map(begin).collect()
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
pub(super) type Seen = Vec<Vec<f32>>;

/// Changes values of a run, by their names.
type Alter<'a> = dyn FnMut(&str, &mut [f32]) + 'a;

/// A float network, and what it shows of samples.
struct Compared<'n> {
    network: &'n Shown<'n>,
    /// Of each sample.
    whole: Vec<Seen>,
    /// By output: what is compared with that.
    parts: Vec<OutputParts>,
}

impl<'n> Compared<'n> {
    fn new(network: &'n Shown<'n>, inputs: &[Vec<Array>]) -> Result<Self, CalibrationError> {
        let whole = inputs.iter().map(|inputs| network.run(inputs, &mut |_, _| {})).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { network, parts: network.parts(&whole), whole })
    }
}

/// A value that is rounded to its integers and back, and with it those that have its range.
struct Rounded<'r> {
    name: &'r str,
    scale: f32,
    to: Destination,
    /// The value whose range each has.
    observed: &'r Sources,
    /// The network without that.
    compared: &'r Compared<'r>,
    /// How the outputs are like those, sample after sample.
    parts: Vec<OutputParts>,
    /// Whether there was such a value.
    found: bool,
}

impl<'r> Rounded<'r> {
    fn new((name, range): (&'r str, ThresholdRange), observed: &'r Sources, compared: &'r Compared<'r>) -> Self {
        let Affine { scale, zero_point } = range.affine();
        let clamp = if range.bits == ACTIVATION_BITS { Clamp::I8 } else { Clamp::I16 };
        let (scale, to, parts) = (scale as f32, Destination { zero_point, clamp }, compared.parts.clone());
        Self { name, scale, to, observed, compared, parts, found: false }
    }

    fn round(&mut self, values: &mut [f32]) {
        self.found = true;
        let Self { scale, to, .. } = *self;
        values.iter_mut().for_each(|value| *value = dequantize(quantize(*value, scale, to) - to.zero_point, scale));
    }

    /// Rounds a value of a run where it is one of them.
    fn alter(&mut self, value: &str, values: &mut [f32]) {
        if self.observed.get(value).is_some_and(|source| source == self.name) {
            self.round(values);
        }
    }

    /// Adds a sample by a run that stands before the step at which the rounding begins to show, or before an earlier one.
    fn run(&mut self, sample: usize, progress: &FloatProgress<'_>) -> Result<(), CalibrationError> {
        let Compared { network, whole, .. } = self.compared;
        let whole = whole.get(sample).map_or(&[][..], Vec::as_slice);
        let mut alter = |value: &str, values: &mut [f32]| self.alter(value, values);
        let seen = network.see_from(whole, &mut alter, &|watch| progress.run_altered(watch))?;
        self.add(sample, &seen);
        Ok(())
    }

    /// The same of an input.
    fn run_input(&mut self, sample: usize, inputs: &[Array]) -> Result<(), CalibrationError> {
        let network = self.compared.network;
        let named = network.executable.inputs().position(|(input, ..)| input == self.name);
        let mut inputs = inputs.to_vec();
        let own = named.and_then(|input| inputs.get_mut(input)).and_then(|input| input.values_mut::<f32>());
        own.into_iter().for_each(|values| self.round(values));
        let seen = network.run(&inputs, &mut |value, values| self.alter(value, values))?;
        self.add(sample, &seen);
        Ok(())
    }

    fn add(&mut self, sample: usize, seen: &Seen) {
        let whole = self.compared.whole.get(sample).into_iter().flatten();
        for (parts, (whole, own)) in self.parts.iter_mut().zip(whole.zip(seen)) {
            parts.add(whole, own);
        }
    }

    /// 1 minus the mean cosine of the worst part. Of a value that is not there nothing is known, so that it counts as lost.
    fn cost(&self) -> f64 {
        if self.found { error_of(&self.parts) } else { 1.0 }
    }
}

/// 1 minus the mean cosine of the worst part.
fn error_of(parts: &[OutputParts]) -> f64 {
    1.0 - parts.iter().filter_map(OutputParts::worst).fold(1.0, |worst: f64, next| worst.min(next.cosine))
}

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
        of_each(indices, samples.jobs, |index| self.run(&(samples.read)(self.executable, index)?, &mut |_, _| {}))
    }

    /// What is looked at of one run with altered values.
    fn run(&self, inputs: &[Array], alter: &mut Alter<'_>) -> Result<Seen, CalibrationError> {
        let run = |watch: &mut Alter<'_>| self.executable.run_altered(&inputs.iter().collect::<Vec<_>>(), watch);
        self.see(vec![None; self.closed.len()], alter, &run)
    }

    /// What is looked at of each of some samples by a variant of the network: runs of the network are brought to step `begin`, and go on from there.
    ///
    /// # Errors
    /// When a run fails, or the two differ before it.
    pub(super) fn of_variant(
        &self,
        (variant, begin): (&FloatVariant<'_>, usize),
        runs: &mut [FloatProgress<'_>],
        whole: &[Seen],
    ) -> Result<Vec<Seen>, CalibrationError> {
        let one = |(progress, whole): (&mut FloatProgress<'_>, &Seen)| {
            progress.advance(begin)?;
            self.see_from(whole, &mut |_, _| {}, &|watch| progress.run_variant(variant, watch))
        };
        // Of samples that fail the first is told.
        let all: Vec<Result<Seen, CalibrationError>> = runs.par_iter_mut().zip(whole).map(one).collect();
        all.into_iter().collect()
    }

    /// What is looked at of a run that `run` does from a step on. What closes an output may lie before that: it is what it is in the whole run.
    fn see_from(
        &self,
        whole: &[Vec<f32>],
        alter: &mut Alter<'_>,
        run: &dyn Fn(&mut Alter<'_>) -> Result<Vec<Array>, CpuError>,
    ) -> Result<Seen, CalibrationError> {
        let known = whole.iter().zip(&self.closed).map(|(whole, closed)| closed.as_ref().map(|_| whole.clone()));
        self.see(known.collect(), alter, run)
    }

    /// What is looked at of a run that `run` does; `seen` is known of it by output.
    fn see(
        &self,
        mut seen: Vec<Option<Vec<f32>>>,
        alter: &mut Alter<'_>,
        run: &dyn Fn(&mut Alter<'_>) -> Result<Vec<Array>, CpuError>,
    ) -> Result<Seen, CalibrationError> {
        let outputs = run(&mut |observed: &str, values: &mut [f32]| {
            alter(observed, values);
            for (seen, closed) in seen.iter_mut().zip(&self.closed) {
                if closed.as_ref().is_some_and(|(name, _)| name == observed) {
                    *seen = Some(values.to_vec());
                }
            }
        })?;
        Ok(outputs.iter().zip(seen).map(|(output, seen)| seen.unwrap_or_else(|| floats(output))).collect())
    }

    /// By output: what will be compared with this.
    fn parts(&self, whole: &[Seen]) -> Vec<OutputParts> {
        let outputs = self.executable.outputs().zip(&self.closed).enumerate();
        let parts = outputs.map(|(output, ((_, _, shape), closed))| {
            let own = || whole.iter().filter_map(|seen| seen.get(output)).map(Vec::as_slice);
            let before = closed.as_ref().map(|(_, shape)| shape.as_slice());
            let is_before = |shape: &&[usize]| own().all(|values| values.len() == shape.iter().product::<usize>());
            OutputParts::beside(before.filter(is_before).unwrap_or(shape), own())
        });
        parts.collect()
    }

    /// 1 minus the mean cosine of the worst part.
    pub(super) fn error(&self, float: &[Seen], own: &[Seen]) -> f64 {
        let mut parts = self.parts(float);
        for (float, own) in float.iter().zip(own) {
            for (parts, (float, own)) in parts.iter_mut().zip(float.iter().zip(own)) {
                parts.add(float, own);
            }
        }
        error_of(&parts)
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
