//! The search for precision: which activations become int16, so that the outputs stay as close to the float network's as is wanted.

use super::{
    calibrate::{CalibrationError, Samples, outputs},
    evidence::{Calibrated, Evidence, RangeMethod},
    info::{Judge, PrecisionInfo, QuantInfo, ValueInfo},
    insert_casts::insert_casts,
    judge::{Likeness, likeness, same_best_class},
    precision::{Candidate, choose},
    sensitivity::{costs, pairs},
    thresholds::{ThresholdRange, assign_thresholds},
};
use crate::cpu::FloatExecutable;
use hb_dialects::ir;
use hb_dialects::names::FUNCTION;
use melior::ir::{Module, OperationRef};
use std::collections::BTreeMap;

/// A trial with more int16 that is no better than this share of the error of one with less is not worth it.
const WORTHWHILE: f64 = 0.95;
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
    /// The part of an output that decided it: the name of the output, and of its slice where there is one.
    pub worst: String,
    /// Outputs that are vectors, and on how many of the samples that judge their largest value is where that of the float network is.
    pub best_classes: Vec<(String, usize)>,
    /// How many samples judge.
    pub judged: usize,
    /// Whose ranges they are.
    pub chooser: RangeMethod,
    /// What each chooser of ranges reaches with int8 alone.
    pub choosers: Vec<(RangeMethod, f64)>,
    /// The names of the int16 values, and how many there could be.
    pub wide: Vec<String>,
    /// How many values could be int16.
    pub candidates: usize,
    /// What each of them alone costs the outputs of their cosine as int8; empty where int8 is good enough for all.
    pub noise: BTreeMap<String, f64>,
}

/// A search on one network.
pub struct Search<'s, 'c> {
    /// The float network with rounded weights.
    pub module: &'s Module<'c>,
    /// What could be int16.
    pub candidates: &'s [Candidate],
    /// What calibration measured.
    pub calibrated: &'s Calibrated,
    /// The mean cosine that every output shall have with that of the float network; none is int8 whatever comes of it.
    pub wanted_cosine: Option<f64>,
    /// What decides on widths.
    pub evidence: &'s Evidence,
    /// Those of calibration.
    pub samples: &'s Samples<'s>,
    /// Makes a QDQ form ready to run.
    pub compile: &'s Compile<'s>,
}

/// A QDQ form with some activations as int16.
struct Trial<'s> {
    executable: FloatExecutable,
    /// What decides on the others.
    base: &'s (RangeMethod, QuantInfo),
    wide: BTreeMap<String, ThresholdRange>,
    verdict: Verdict,
}

/// How the outputs of a trial are like those of the float network.
struct Verdict {
    /// The mean cosine of the worst part.
    reached: f64,
    /// What the worst part has for other samples at least, as far as these tell.
    at_least: f64,
    /// The name of that part.
    worst: String,
    /// How often best classes are the same, by output.
    best_classes: Vec<(String, usize)>,
}

/// What a trial reaches for other samples too, and with how many int16 activations.
type Outcome = (f64, usize);

/// Whether a trial is to be preferred to another: it reaches what is wanted with less int16, or it comes closer by more than int16 costs.
fn is_better((reached, wide): Outcome, (others_reached, others_wide): Outcome, wanted: f64) -> bool {
    match (reached >= wanted, others_reached >= wanted) {
        (true, true) => wide < others_wide,
        (false, false) if wide > others_wide => 1.0 - reached < WORTHWHILE * (1.0 - others_reached),
        (false, false) => reached > others_reached,
        (is_reached, _) => is_reached,
    }
}

impl Trial<'_> {
    fn outcome(&self) -> Outcome {
        (self.verdict.at_least, self.wide.len())
    }
}

impl<'s> Search<'s, '_> {
    /// The ranges are those of the chooser that keeps the outputs best with int8. Where that is not enough, those activations whose rounding
    /// costs the outputs most become int16, more and more of them.
    ///
    /// # Errors
    /// When a form of the network cannot be made or run.
    pub fn run(&self) -> Result<Found, CalibrationError> {
        let (mut best, choosers) = self.choose_ranges()?;
        let int8_cosine = best.verdict.reached;
        let mut noise = Vec::new();
        if let Some(wanted) = self.wanted_cosine.filter(|wanted| best.verdict.at_least < *wanted) {
            noise = self.noise(&best.base.1)?;
            best = self.widen(best, &noise, wanted)?;
        }
        let Trial { executable, base: (chooser, base), wide, verdict } = best;
        let precision = PrecisionInfo { wanted_cosine: self.wanted_cosine, int8_cosine, cosine: verdict.reached };
        let mut info = base.clone();
        info.precision = Some(precision);
        for (name, range) in &wide {
            let largest = self.evidence.largest.get(name).copied().unwrap_or(range.threshold);
            info.values.insert(name.clone(), ValueInfo::new(*range, largest, Judge::Precision));
        }
        Ok(Found {
            info,
            executable,
            precision,
            worst: verdict.worst,
            best_classes: verdict.best_classes,
            judged: self.evidence.judged.len(),
            chooser: *chooser,
            choosers,
            wide: wide.into_keys().collect(),
            candidates: self.candidates.len(),
            noise: self.candidates.iter().map(|candidate| candidate.value.clone()).zip(noise).collect(),
        })
    }

    /// The best of the int8 forms, and what each of them reaches.
    fn choose_ranges(&self) -> Result<(Trial<'s>, Vec<(RangeMethod, f64)>), CalibrationError> {
        let mut best: Option<Trial> = None;
        let mut reached = Vec::new();
        for base in &self.calibrated.ranges {
            let trial = self.attempt(base, BTreeMap::new())?;
            reached.push((base.0, trial.verdict.reached));
            // The wanted cosine is not asked: of what is good enough, the best still is the safest.
            if best.as_ref().is_none_or(|best| trial.verdict.reached > best.verdict.reached) {
                best = Some(trial);
            }
        }
        let best = best.ok_or_else(|| CalibrationError::Threshold("nothing was to choose ranges".into()))?;
        Ok((best, reached))
    }

    /// What reaches the wanted cosine with the fewest activations as int16, or comes closest to it.
    fn widen(&self, mut best: Trial<'s>, noise: &[f64], wanted: f64) -> Result<Trial<'s>, CalibrationError> {
        let (base, reached) = (best.base, best.verdict.at_least);
        let mut steps = Steps::new(reached, wanted);
        // What was reached with how many: they are chosen in one order.
        let mut known = BTreeMap::from([(0, reached)]);
        let mut most = 0;
        while let Some(share) = steps.next(most < self.candidates.len()) {
            let wide = choose(self.candidates, noise, if share < LEAST_SHARE { 0.0 } else { share });
            most = wide.len();
            if let Some(&reached) = known.get(&most) {
                steps.saw(share, reached);
                continue;
            }
            let next = self.attempt(base, wide)?;
            known.insert(most, next.verdict.at_least);
            steps.saw(share, next.verdict.at_least);
            if is_better(next.outcome(), best.outcome(), wanted) {
                best = next;
            }
        }
        Ok(best)
    }

    /// What each candidate alone costs the outputs as int8.
    fn noise(&self, ranges: &QuantInfo) -> Result<Vec<f64>, CalibrationError> {
        let executable = (self.compile)(self.function(self.module)?)?;
        let threshold = |candidate: &'s Candidate| {
            let value = ranges.values.get(&candidate.value);
            let value =
                value.ok_or_else(|| CalibrationError::Threshold(format!("'{}' has no range", candidate.value)))?;
            Ok((candidate.value.as_str(), value.range()))
        };
        let values = self.candidates.iter().map(threshold).collect::<Result<Vec<_>, CalibrationError>>()?;
        let noise = costs(&executable, &values, &self.evidence.learned, self.samples)?;
        for ((value, _), noise) in values.iter().zip(&noise) {
            tracing::debug!("'{value}' alone as int8 costs the outputs {noise:.3e} of their cosine");
        }
        Ok(noise)
    }

    fn function<'m>(&self, module: &'m Module<'_>) -> Result<OperationRef<'m, 'm>, CalibrationError> {
        ir::function_named(module.as_operation(), FUNCTION)
            .ok_or_else(|| CalibrationError::Threshold(format!("there is no function @{FUNCTION}")))
    }

    fn attempt(
        &self,
        base: &'s (RangeMethod, QuantInfo),
        mut wide: BTreeMap<String, ThresholdRange>,
    ) -> Result<Trial<'s>, CalibrationError> {
        let (chooser, info) = base;
        let ranges = info.ranges();
        for (name, range) in &mut wide {
            if let Some(narrow) = ranges.get(name) {
                (range.narrow_threshold, range.zero_point) = (Some(narrow.threshold), narrow.zero_point);
            }
        }
        let copy = ir::copy_module(self.module)?;
        let function = self.function(&copy)?;
        assign_thresholds(function, |name| wide.get(name).or_else(|| ranges.get(name)).copied())
            .map_err(CalibrationError::Threshold)?;
        insert_casts(function)?;
        let executable = (self.compile)(function)?;
        let verdict = self.judge(&executable)?;
        let (wide_count, candidates, reached) = (wide.len(), self.candidates.len(), verdict.reached);
        tracing::debug!(
            "ranges by {chooser}, {wide_count} of {candidates} activations int16: output cosine {reached:.6}, for other samples at least {:.6}",
            verdict.at_least
        );
        Ok(Trial { executable, base, wide, verdict })
    }

    fn judge(&self, executable: &FloatExecutable) -> Result<Verdict, CalibrationError> {
        let own = outputs(executable, &self.evidence.judged, self.samples)?;
        let mut verdict = Verdict { reached: 1.0, at_least: 1.0, worst: String::new(), best_classes: Vec::new() };
        for (output, (name, _, shape)) in executable.outputs().enumerate() {
            let pairs = pairs(&self.evidence.outputs, &own, output);
            let Likeness { cosine, at_least, slice } = likeness(shape, &pairs);
            verdict.at_least = verdict.at_least.min(at_least);
            if cosine < verdict.reached || verdict.worst.is_empty() {
                verdict.worst = slice.map_or_else(|| format!("'{name}'"), |slice| format!("'{name}' ({slice})"));
                verdict.reached = verdict.reached.min(cosine);
            }
            verdict.best_classes.extend(same_best_class(shape, &pairs).map(|count| (name.to_owned(), count)));
        }
        Ok(verdict)
    }
}

/// Cosine similarity in f64 of what is finite on the left. Two zero vectors are the same; a zero vector and another are not alike at all, nor is one
/// that is infinite or no number where the left is finite.
pub fn cosine(left: &[f32], right: &[f32]) -> Option<f64> {
    if left.len() != right.len() || left.is_empty() {
        return None;
    }
    let (mut ll, mut rr, mut lr) = (0.0, 0.0, 0.0);
    for (&a, &b) in left.iter().zip(right).filter(|(a, _)| a.is_finite()) {
        let (a, b) = (f64::from(a), f64::from(b));
        ll += a * a;
        rr += b * b;
        lr += a * b;
    }
    if ll == 0.0 && rr == 0.0 {
        return Some(1.0);
    }
    if ll == 0.0 || rr == 0.0 || !rr.is_finite() {
        return Some(0.0);
    }
    Some(lr / (ll.sqrt() * rr.sqrt()))
}

/// Looks for the largest share of the noise that may stay: the error of the outputs is about a power of it.
struct Steps {
    wanted: f64,
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
    fn new(reached: f64, wanted: f64) -> Self {
        let failed = (1.0, 1.0 - reached);
        Self { wanted, failed, power: USUAL_POWER, good: None, done: reached >= wanted }
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
                Some(share * ((1.0 - self.wanted) / error).powf(1.0 / self.power).clamp(SMALLEST_STEP, LARGEST_STEP))
            }
        }
    }

    fn saw(&mut self, share: f64, reached: f64) {
        let error = 1.0 - reached;
        self.done = self.good.is_some();
        if reached >= self.wanted {
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

    const WANTED: f64 = 0.993;

    /// Trials until the search ends, and the share that it settles on, where a share `s` has the error `e(s)`.
    fn search(error: impl Fn(f64) -> f64) -> (usize, f64) {
        let mut steps = Steps::new(1.0 - error(1.0), WANTED);
        let mut trials = 1;
        while let Some(share) = steps.next(true) {
            steps.saw(share, 1.0 - error(share));
            trials += 1;
        }
        (trials, steps.good.unwrap_or(steps.failed.0))
    }

    #[test]
    fn no_trial_replaces_a_better_one() {
        // What a later trial with everything as int16 was kept for once.
        assert!(!is_better((0.121, 40), (0.519, 0), WANTED));
        // Hardly closer is not worth its int16, closer is.
        assert!(!is_better((0.522, 40), (0.519, 0), WANTED));
        assert!(is_better((0.6, 40), (0.519, 0), WANTED));
        assert!(is_better((0.6, 10), (0.59, 20), WANTED) && !is_better((0.6, 10), (0.61, 10), WANTED));
        // What is reached is reached; then less int16 is better, and how far beyond does not matter.
        assert!(is_better((0.994, 40), (0.99, 0), WANTED) && !is_better((0.99, 0), (0.994, 40), WANTED));
        assert!(is_better((0.994, 7), (0.999, 9), WANTED) && !is_better((0.999, 9), (0.994, 7), WANTED));
    }

    #[test]
    fn what_is_infinite_is_not_alike() {
        assert_eq!(cosine(&[3.0, 4.0], &[4.0, 3.0]), Some(24.0 / 25.0));
        assert_eq!(cosine(&[3.0, 4.0], &[3.0, f32::NEG_INFINITY]), Some(0.0));
        assert_eq!(cosine(&[3.0, 4.0], &[f32::NAN, 4.0]), Some(0.0));
        // A mask of the float network has no direction.
        assert_eq!(cosine(&[3.0, f32::NEG_INFINITY, 4.0], &[3.0, -100.0, 4.0]), Some(1.0));
        assert_eq!((cosine(&[0.0], &[0.0]), cosine(&[0.0], &[1.0])), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn searches_are_short_and_end_at_what_was_wanted() {
        let wanted = 1.0 - WANTED;
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
