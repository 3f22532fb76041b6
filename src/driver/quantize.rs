//! The stages calibrate and quantize: from samples to ranges, and from ranges to integers that keep the network's accuracy.

use super::compare::{self, Values, cosine};
use super::compile::{CompileError, Network, StageError, copied};
use super::configuration::{Calibration, CheckedInput, Problems};
use super::samples::Samples;
use crate::cpu::{Array, FloatExecutable};
use crate::pipeline::{self, INSERT_CASTS, on_functions};
use crate::quant::{
    self, Range, Thresholds, calibrate,
    groups::Groups,
    linear::LinearLayer,
    moments::{Moments, Plan},
    precision,
};
use hb_dialects::ir;
use melior::ir::{Module, OperationRef};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Random samples of calibration type `skip`.
const RANDOM_SAMPLES: usize = 4;
/// At most so many samples decide how weights are rounded, and as many others judge the precision of the quantized network.
const SHARE_SAMPLES: usize = 16;
/// With fewer samples than this all do both.
const FEWEST_SAMPLES: usize = 8;
/// The mean cosine that every output shall have with that of the float network: a little above the 0.99 that users of such tools ask for,
/// because inputs of another kind than those of calibration fare a little worse.
const WANTED_COSINE: f64 = 0.993;
/// The share of the noise that is left is multiplied by a factor between these from one trial to the next.
const SMALLEST_STEP: f64 = 0.3;
const LARGEST_STEP: f64 = 0.85;
/// The power of the share that the error of the outputs is taken for at first, and the least that two trials may show.
const USUAL_POWER: f64 = 1.5;
const LEAST_POWER: f64 = 0.5;
/// Below this share of the noise everything becomes int16.
const LEAST_SHARE: f64 = 0.001;

/// What calibration leaves for the later stages.
pub(super) struct Reference {
    /// The first sample, and what the float network makes of it: levels are compared by it.
    pub(super) sample: Vec<Array>,
    pub(super) float: Values,
    source: SampleSource,
    /// None where samples are random and say nothing of the network's use.
    measured: Option<Measured>,
}

/// What decides on the rounding of weights and the widths of activations.
struct Measured {
    thresholds: Thresholds,
    /// The largest magnitudes of values by name.
    largest: HashMap<String, f64>,
    moments: Moments,
    /// The samples that judge, and the float network's outputs for each.
    judged: Vec<usize>,
    outputs: Vec<Vec<Array>>,
}

impl Network<'_> {
    fn samples(&self, inputs: &[CheckedInput]) -> Result<SampleSource, StageError> {
        if self.configuration.calibration == Calibration::Skip {
            return Ok(SampleSource::Random);
        }
        let mut folders = Vec::new();
        for input in inputs {
            let folder = input.calibration_directory.clone().ok_or_else(|| {
                let what = format!("input '{}' has no calibration samples", input.name);
                let remedy = "name a folder of .npy files, or set calibration_type to skip";
                CompileError::from(Problems(vec![self.configuration.problem("cal_data_dir", what, remedy)]))
            })?;
            folders.push((folder, input.shape.iter().map(|&size| size as usize).collect()));
        }
        let samples = Samples::open(&folders).map_err(|error| {
            let remedy = "give one folder of .npy files for each input";
            CompileError::from(Problems(vec![self.configuration.problem("cal_data_dir", error.to_string(), remedy)]))
        })?;
        Ok(SampleSource::Files(samples))
    }

    /// Measures thresholds and writes them as attributes; measures what decides on precision.
    pub(super) fn calibrate(&self, module: &Module<'_>, inputs: &[CheckedInput]) -> Result<Reference, StageError> {
        let function = compare::network(module.as_operation())?;
        let groups = Groups::of(function)?;
        let layers = layers(function)?;
        // The results of layers show how much of the noise of their inputs matters, also where nothing rounds them.
        let measured = groups.measured().map(|value| quant::value_name(function, value));
        let names: HashSet<String> = measured.chain(layers.iter().map(|layer| layer.node.clone())).collect();
        let executable = self.observed(module)?;
        let source = self.samples(inputs)?;
        let count = source.len();
        let progress = self.stages.console.progress("calibrating", count as u64);
        let read = |index: usize| source.read(&executable, index);
        let percentile = match self.configuration.calibration {
            Calibration::Max { percentile } => percentile,
            Calibration::Skip => 1.0,
        };
        let (jobs, done) = (self.configuration.jobs, || progress.advance(1));
        let observers = calibrate::measure(&executable, (&names, percentile), count, &read, jobs, &done)?;
        let thresholds = calibrate::thresholds(&observers, percentile);
        quant::assign_thresholds(function, |name| thresholds.get(name).copied())?;
        let sample = read(0)?;
        let float = compare::run_float(&executable, &sample)?;
        let measured = if self.configuration.calibration == Calibration::Skip {
            None
        } else {
            let mut largest: HashMap<String, f64> =
                observers.iter().map(|(name, observer)| (name.clone(), f64::from(observer.largest()))).collect();
            for value in groups.quantized() {
                let of = |value| quant::value_name(function, value);
                if let Some(&top) = largest.get(&of(groups.source(value))) {
                    largest.insert(of(value), top);
                }
            }
            let (learned, judged) = shares(count);
            let plan = Plan::new(layers, largest.clone(), learned.len());
            let moments = calibrate::measure_moments(&executable, &plan, &learned, &read, jobs)?;
            let outputs = calibrate::outputs(&executable, &judged, &read, jobs)?;
            Some(Measured { thresholds, largest, moments, judged, outputs })
        };
        Ok(Reference { sample, float, source, measured })
    }

    /// Turns the calibrated network into its QDQ form; gives what that makes of the first sample.
    ///
    /// All activations are int8 where that keeps the outputs; else those whose rounding costs most become int16, more and more of them.
    pub(super) fn quantize(&self, module: &mut Module<'_>, reference: &Reference) -> Result<Values, StageError> {
        let Some(measured) = &reference.measured else {
            let (quantized, executable) = self.qdq_form(module)?;
            let values = compare::run_float(&executable, &reference.sample)?;
            *module = quantized;
            return Ok(values);
        };
        let function = compare::network(module.as_operation())?;
        let candidates = precision::candidates(function, &measured.moments, &measured.largest)?;
        quant::round_weights(function, &measured.moments, &calibrate::threads(self.configuration.jobs)?)?;
        let attempt = |wide: BTreeMap<String, Range>| -> Result<Trial<'_>, StageError> {
            quant::assign_thresholds(function, |name| {
                wide.get(name).or_else(|| measured.thresholds.get(name)).copied()
            })?;
            let (module, executable) = self.qdq_form(module)?;
            let reached = self.judge(&executable, reference, measured)?;
            tracing::debug!("{} of {} activations int16: output cosine {reached:.6}", wide.len(), candidates.len());
            Ok(Trial { module, executable, wide, reached })
        };
        let mut trial = attempt(BTreeMap::new())?;
        let int8_alone = trial.reached;
        let mut search = Search::new(trial.reached);
        // What was reached with how many: they are chosen in one order.
        let mut known = BTreeMap::from([(0, trial.reached)]);
        while let Some(share) = search.next(trial.wide.len() < candidates.len()) {
            let wide = precision::choose(&candidates, if share < LEAST_SHARE { 0.0 } else { share });
            if let Some(&reached) = known.get(&wide.len()) {
                search.saw(share, reached);
                continue;
            }
            let next = attempt(wide)?;
            known.insert(next.wide.len(), next.reached);
            search.saw(share, next.reached);
            if next.reached >= WANTED_COSINE || trial.reached < WANTED_COSINE {
                trial = next;
            }
        }
        trial.report(int8_alone, candidates.len());
        let values = compare::run_float(&trial.executable, &reference.sample)?;
        *module = trial.module;
        Ok(values)
    }

    /// The QDQ form of a network with assigned ranges, also for a few runs.
    fn qdq_form<'c>(&self, module: &Module<'c>) -> Result<(Module<'c>, FloatExecutable), StageError> {
        let mut module = copied(module)?;
        pipeline::run(self.context, &mut module, &on_functions(INSERT_CASTS))?;
        let executable = self.observed(&module)?;
        Ok((module, executable))
    }

    /// The least of the outputs' mean cosines with the float network's.
    fn judge(
        &self,
        executable: &FloatExecutable,
        reference: &Reference,
        measured: &Measured,
    ) -> Result<f64, StageError> {
        let read = |index: usize| reference.source.read(executable, index);
        let outputs = calibrate::outputs(executable, &measured.judged, &read, self.configuration.jobs)?;
        let count = measured.outputs.first().map_or(0, Vec::len);
        let mean = |output: usize| {
            let pairs = measured.outputs.iter().zip(&outputs);
            let cosines = pairs.filter_map(|(float, own)| {
                cosine(&compare::array_floats(float.get(output)?), &compare::array_floats(own.get(output)?))
            });
            let cosines: Vec<f64> = cosines.collect();
            cosines.iter().sum::<f64>() / cosines.len().max(1) as f64
        };
        Ok((0..count).map(mean).fold(1.0, f64::min))
    }
}

/// Looks for the largest share of the noise that may stay: the error of the outputs is about a power of it.
struct Search {
    /// Share and error of the last trial that was not good enough.
    failed: (f64, f64),
    /// The power.
    power: f64,
    /// The largest share that is good enough.
    good: Option<f64>,
    done: bool,
}

impl Search {
    /// After a trial with all the noise.
    fn new(reached: f64) -> Self {
        Self { failed: (1.0, 1.0 - reached), power: USUAL_POWER, good: None, done: reached >= WANTED_COSINE }
    }

    /// The share to try next; none at the end, which is there when nothing is left that could be wider.
    fn next(&self, more: bool) -> Option<f64> {
        let (share, error) = self.failed;
        match self.good {
            _ if self.done => None,
            // The last step may have been larger than needed.
            Some(good) => Some((share * good).sqrt()),
            None if !more || share < LEAST_SHARE => None,
            None => {
                Some(share * ((1.0 - WANTED_COSINE) / error).powf(1.0 / self.power).clamp(SMALLEST_STEP, LARGEST_STEP))
            }
        }
    }

    fn saw(&mut self, share: f64, reached: f64) {
        let error = 1.0 - reached;
        self.done = self.good.is_some();
        if reached >= WANTED_COSINE {
            self.good = Some(share);
        } else if self.good.is_none() {
            let power = (self.failed.1 / error).ln() / (self.failed.0 / share).ln();
            self.power = if power.is_finite() { power.clamp(LEAST_POWER, USUAL_POWER) } else { LEAST_POWER };
            self.failed = (share, error);
        }
    }
}

/// A QDQ form with some activations as int16.
struct Trial<'c> {
    module: Module<'c>,
    executable: FloatExecutable,
    wide: BTreeMap<String, Range>,
    /// How it is judged.
    reached: f64,
}

impl Trial<'_> {
    /// Says what became int16, and why.
    fn report(&self, int8_alone: f64, candidates: usize) {
        let reached = self.reached;
        if reached < WANTED_COSINE {
            tracing::warn!(
                "the outputs of the quantized network have a mean cosine of {reached:.4} with the float network's; wanted is {WANTED_COSINE}. \
                 The table of nodes shows where it is lost; more calibration samples or another max_percentile may help"
            );
        }
        if !self.wide.is_empty() {
            let names: Vec<&str> = self.wide.keys().map(String::as_str).collect();
            tracing::info!(
                "{} of {candidates} activations are int16: with int8 alone the mean cosine of the outputs is {int8_alone:.4}, with them \
                 {reached:.4} (wanted {WANTED_COSINE}): {}",
                names.len(),
                names.join(", ")
            );
        }
    }
}

/// Where calibration samples come from.
enum SampleSource {
    Random,
    Files(Samples),
}

impl SampleSource {
    fn len(&self) -> usize {
        match self {
            SampleSource::Random => RANDOM_SAMPLES,
            SampleSource::Files(samples) => samples.len(),
        }
    }

    fn read(&self, executable: &FloatExecutable, index: usize) -> Result<Vec<Array>, calibrate::CalibrationError> {
        match self {
            SampleSource::Random => calibrate::random_inputs(executable, index as u64),
            SampleSource::Files(samples) => samples.read(index),
        }
    }
}

/// The layers of a network with constant weights.
fn layers(function: OperationRef<'_, '_>) -> Result<Vec<LinearLayer>, StageError> {
    let mut layers = Vec::new();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        layers.extend(LinearLayer::of(function, operation)?);
    }
    Ok(layers)
}

/// The samples that decide on rounding and those that judge it: every other one each, evenly spread.
fn shares(count: usize) -> (Vec<usize>, Vec<usize>) {
    if count < FEWEST_SAMPLES {
        return ((0..count).collect(), (0..count).collect());
    }
    let pairs = (count / 2).min(SHARE_SAMPLES);
    (0..pairs).map(|i| 2 * (i * (count / 2) / pairs)).map(|first| (first, first + 1)).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trials until the search ends, and the share that it settles on, where a share `s` has the error `e(s)`.
    fn search(error: impl Fn(f64) -> f64) -> (usize, f64) {
        let mut search = Search::new(1.0 - error(1.0));
        let mut trials = 1;
        while let Some(share) = search.next(true) {
            search.saw(share, 1.0 - error(share));
            trials += 1;
        }
        (trials, search.good.unwrap_or(search.failed.0))
    }

    #[test]
    fn searches_are_short_and_end_at_what_was_wanted() {
        let wanted = 1.0 - WANTED_COSINE;
        assert_eq!(search(|_| wanted / 2.0), (1, 1.0));
        for (largest, power) in [(0.012, 1.7), (0.02, 0.6), (0.05, 1.0), (0.3, 0.8)] {
            let error = |share: f64| largest * share.powf(power);
            let (trials, share) = search(error);
            assert!(trials <= 7 && error(share) <= wanted && error(share) > wanted / 3.0, "{trials} trials to {share}");
        }
        // What cannot be reached ends, too.
        assert!(search(|_| 0.5).0 < 20);
    }

    #[test]
    fn no_sample_judges_what_it_decided() {
        assert_eq!(shares(3), (vec![0, 1, 2], vec![0, 1, 2]));
        assert_eq!(shares(8), (vec![0, 2, 4, 6], vec![1, 3, 5, 7]));
        let (learned, judged) = shares(1000);
        assert_eq!((learned.len(), judged.len()), (16, 16));
        assert!(learned.iter().all(|index| !judged.contains(index)) && judged.iter().all(|&index| index < 1000));
    }
}
