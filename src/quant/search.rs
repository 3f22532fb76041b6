//! The search for precision: which activations become int16, so that the outputs stay as close to the float network's as is wanted.

use super::{
    calibrate::{CalibrationError, Samples, floats, outputs},
    evidence::{Calibrated, Evidence},
    info::{Judge, PrecisionInfo, QuantInfo, ValueInfo},
    insert_casts::insert_casts,
    precision::{Candidate, choose},
    thresholds::{ThresholdRange, assign_thresholds},
};
use crate::cpu::FloatExecutable;
use hb_dialects::names::FUNCTION;
use hb_dialects::{ir, pass::PassFailure};
use melior::ir::{Module, OperationRef};
use std::collections::BTreeMap;

/// The mean cosine that every output shall have with that of the float network: a little above the 0.99 that users of such tools ask for,
/// because inputs of another kind than those of calibration fare a little worse.
pub const WANTED_COSINE: f64 = 0.993;
/// The share of the noise that is left is multiplied by a factor between these from one trial to the next.
const SMALLEST_STEP: f64 = 0.3;
const LARGEST_STEP: f64 = 0.85;
/// The power of the share that the error of the outputs is taken for at first, and the least that two trials may show.
const USUAL_POWER: f64 = 1.5;
const LEAST_POWER: f64 = 0.5;
/// Below this share of the noise everything becomes int16.
const LEAST_SHARE: f64 = 0.001;

/// Makes an executable of the QDQ form of a function, for a few runs.
pub type Compile<'a> = dyn Fn(OperationRef<'_, '_>) -> Result<FloatExecutable, CalibrationError> + 'a;

/// What a search settles on.
pub struct Found {
    /// The ranges, some of them of int16.
    pub info: QuantInfo,
    /// The QDQ form with these.
    pub executable: FloatExecutable,
    /// How it is judged.
    pub precision: PrecisionInfo,
    /// The output that decided it.
    pub worst_output: String,
    /// The names of the int16 values, and how many there could be.
    pub wide: Vec<String>,
    /// How many values could be int16.
    pub candidates: usize,
}

/// A search on one network.
pub struct Search<'s, 'c> {
    /// The float network with rounded weights.
    pub module: &'s Module<'c>,
    /// What could be int16.
    pub candidates: &'s [Candidate],
    /// What calibration measured.
    pub calibrated: &'s Calibrated,
    /// What decides on widths.
    pub evidence: &'s Evidence,
    /// Those of calibration.
    pub samples: &'s Samples<'s>,
    /// Makes a QDQ form ready to run.
    pub compile: &'s Compile<'s>,
}

/// A QDQ form with some activations as int16.
struct Trial {
    executable: FloatExecutable,
    wide: BTreeMap<String, ThresholdRange>,
    /// How it is judged: by its worst output.
    reached: f64,
    worst_output: String,
}

impl Search<'_, '_> {
    /// All activations are int8 where that keeps the outputs; else those whose rounding costs most become int16, more and more of them.
    ///
    /// # Errors
    /// When a form of the network cannot be made or run.
    pub fn run(&self) -> Result<Found, CalibrationError> {
        let mut trial = self.attempt(BTreeMap::new())?;
        let int8_cosine = trial.reached;
        let mut steps = Steps::new(trial.reached);
        // What was reached with how many: they are chosen in one order.
        let mut known = BTreeMap::from([(0, trial.reached)]);
        while let Some(share) = steps.next(trial.wide.len() < self.candidates.len()) {
            let wide = choose(self.candidates, if share < LEAST_SHARE { 0.0 } else { share });
            if let Some(&reached) = known.get(&wide.len()) {
                steps.saw(share, reached);
                continue;
            }
            let next = self.attempt(wide)?;
            known.insert(next.wide.len(), next.reached);
            steps.saw(share, next.reached);
            if next.reached >= WANTED_COSINE || trial.reached < WANTED_COSINE {
                trial = next;
            }
        }
        let precision = PrecisionInfo { wanted_cosine: WANTED_COSINE, int8_cosine, cosine: trial.reached };
        let mut info = self.calibrated.info.clone();
        info.precision = Some(precision);
        for (name, range) in &trial.wide {
            let largest = self.evidence.largest.get(name).copied().unwrap_or(range.threshold);
            info.values.insert(name.clone(), ValueInfo::new(*range, largest, Judge::Precision));
        }
        let wide = trial.wide.into_keys().collect();
        let (executable, worst_output) = (trial.executable, trial.worst_output);
        Ok(Found { info, executable, precision, worst_output, wide, candidates: self.candidates.len() })
    }

    fn attempt(&self, wide: BTreeMap<String, ThresholdRange>) -> Result<Trial, CalibrationError> {
        let ranges = self.calibrated.info.ranges();
        let copy = ir::copy_module(self.module)?;
        let function = ir::function_named(copy.as_operation(), FUNCTION)
            .ok_or_else(|| CalibrationError::Threshold(format!("there is no function @{FUNCTION}")))?;
        assign_thresholds(function, |name| wide.get(name).or_else(|| ranges.get(name)).copied())
            .map_err(CalibrationError::Threshold)?;
        insert_casts(function).map_err(|failure| match failure {
            PassFailure::Message(message) => CalibrationError::Threshold(message),
            PassFailure::Reported => CalibrationError::Threshold("casts cannot be inserted".into()),
        })?;
        let executable = (self.compile)(function)?;
        let (reached, worst) = self.judge(&executable)?;
        let worst_output = executable.outputs().nth(worst).map(|(name, ..)| name.to_owned()).unwrap_or_default();
        tracing::debug!("{} of {} activations int16: output cosine {reached:.6}", wide.len(), self.candidates.len());
        Ok(Trial { executable, wide, reached, worst_output })
    }

    /// The least of the outputs' mean cosines with the float network's, and the position of the output that has it.
    fn judge(&self, executable: &FloatExecutable) -> Result<(f64, usize), CalibrationError> {
        let outputs = outputs(executable, &self.evidence.judged, self.samples)?;
        let count = self.evidence.outputs.first().map_or(0, Vec::len);
        let mean = |output: usize| {
            let pairs = self.evidence.outputs.iter().zip(&outputs);
            let cosines =
                pairs.filter_map(|(float, own)| cosine(&floats(float.get(output)?), &floats(own.get(output)?)));
            let cosines: Vec<f64> = cosines.collect();
            // An empty output is as it should be.
            if cosines.is_empty() { 1.0 } else { cosines.iter().sum::<f64>() / cosines.len() as f64 }
        };
        let each = (0..count).map(|output| (mean(output), output));
        Ok(each.fold((1.0, 0), |least, next| if next.0 < least.0 { next } else { least }))
    }
}

/// Cosine similarity in f64. Two zero vectors are the same; a zero vector and another are not alike at all.
pub fn cosine(left: &[f32], right: &[f32]) -> Option<f64> {
    if left.len() != right.len() || left.is_empty() {
        return None;
    }
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let (ll, rr) = (dot(left, left), dot(right, right));
    if ll == 0.0 && rr == 0.0 {
        return Some(1.0);
    }
    if ll == 0.0 || rr == 0.0 {
        return Some(0.0);
    }
    Some(dot(left, right) / (ll.sqrt() * rr.sqrt()))
}

/// Looks for the largest share of the noise that may stay: the error of the outputs is about a power of it.
struct Steps {
    /// Share and error of the last trial that was not good enough.
    failed: (f64, f64),
    /// The power.
    power: f64,
    /// The largest share that is good enough.
    good: Option<f64>,
    done: bool,
}

impl Steps {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Trials until the search ends, and the share that it settles on, where a share `s` has the error `e(s)`.
    fn search(error: impl Fn(f64) -> f64) -> (usize, f64) {
        let mut steps = Steps::new(1.0 - error(1.0));
        let mut trials = 1;
        while let Some(share) = steps.next(true) {
            steps.saw(share, 1.0 - error(share));
            trials += 1;
        }
        (trials, steps.good.unwrap_or(steps.failed.0))
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
}
