//! The search for precision: which activations become int16, so that the outputs stay as close to the float network's as is wanted.

use super::{
    calibrate::{CalibrationError, Samples, network, outputs},
    evidence::{Calibrated, ChosenRanges, Evidence, RangeMethods},
    groups::{Sources, measured_values, sources},
    info::{Judge, PrecisionInfo, QuantInfo, ValueInfo},
    insert_casts::insert_casts,
    judge::{Likeness, same_best_class},
    precision::Candidate,
    sensitivity::{costs, likenesses, pairs, worst},
    tail::Tail,
    thresholds::{ThresholdRange, assign_float16, assign_thresholds},
};
use crate::cpu::{Array, FloatExecutable};
use hb_dialects::ir;
use melior::ir::{Module, OperationRef};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

/// A trial with more int16 that is no better than this share of the error of one with less is not worth it.
const WORTHWHILE: f64 = 0.95;

/// Makes an executable of the QDQ form of a function, for hundreds of runs.
pub type Compile<'a> = dyn Fn(OperationRef<'_, '_>) -> Result<FloatExecutable, CalibrationError> + 'a;

/// Gives outputs a number, the larger the better, by the samples that judge. The executable says which outputs they are.
pub type UserJudge<'a> = dyn Fn(&FloatExecutable, &[Vec<Array>]) -> Result<f64, CalibrationError> + 'a;

/// Gives what could be int16.
pub type FindCandidates<'a> = dyn Fn() -> Result<Vec<Candidate>, CalibrationError> + 'a;

/// How much slower int16 may make a network.
pub struct LatencyBudget<'a> {
    /// Percent above the latency with int8 alone.
    pub percent: f64,
    /// The predicted latency of a QDQ form.
    pub latency: &'a dyn Fn(&Module<'_>) -> Result<f64, CalibrationError>,
}

/// What a search settles on.
pub struct Found {
    /// The ranges, some of them of int16.
    pub info: QuantInfo,
    /// The QDQ form with these; none where what judges it is not its outputs.
    pub executable: Option<FloatExecutable>,
    /// How it is judged.
    pub precision: PrecisionInfo,
    /// The part of an output that decided it: the name of the output, and of its slice where there is one.
    pub worst: String,
    /// Outputs that are vectors, and on how many of the samples that judge their largest value is where that of the float network is.
    pub best_classes: Vec<(String, usize)>,
    /// How many samples judge.
    pub judged: usize,
    /// Whose ranges they are.
    pub methods: RangeMethods,
    /// What the ranges of each reach with int8 alone.
    pub reached: Vec<(RangeMethods, f64)>,
    /// The names of the int16 values, and how many there could be.
    pub wide: Vec<String>,
    /// Operations that are computed in float16 because not even int16 would do.
    pub float16: BTreeSet<String>,
    /// How many values could be int16.
    pub candidates: usize,
    /// What each of them alone costs the outputs of their cosine as int8; empty where int8 is good enough for all.
    pub noise: BTreeMap<String, f64>,
}

/// A search on one network.
pub struct Search<'s, 'c> {
    /// The float network with rounded weights.
    pub module: &'s Module<'c>,
    /// Finds what could be int16. That takes forms of all that it would change, so it is asked only where int8 is not good enough.
    pub find_candidates: &'s FindCandidates<'s>,
    /// What was found.
    pub candidates: OnceCell<Vec<Candidate>>,
    /// What follows the last layers, which is int16 where that gains anything.
    pub tail: &'s Tail,
    /// What could be float16: for each value of those the operations between which it would be.
    pub float16: &'s BTreeMap<String, BTreeSet<String>>,
    /// What calibration measured.
    pub calibrated: &'s Calibrated,
    /// The mean cosine that every output shall have with that of the float network; none is int8 whatever comes of it.
    pub wanted_cosine: Option<f64>,
    /// Whether values may have ranges of several methods.
    pub mixes: bool,
    /// What judges outputs in place of their cosine: then the wanted cosine is the wanted share of the float network's number.
    pub judge: Option<&'s UserJudge<'s>>,
    /// The number of the float network, once it is known.
    pub float_number: OnceCell<f64>,
    /// None: as slow as it comes to.
    pub budget: Option<&'s LatencyBudget<'s>>,
    /// What decides on widths.
    pub evidence: &'s Evidence,
    /// Those of calibration.
    pub samples: &'s Samples<'s>,
    /// Makes a network or a QDQ form ready to run that gives what judges it.
    pub compile: &'s Compile<'s>,
    /// One that gives its outputs, for the user's judge.
    pub compile_outputs: &'s Compile<'s>,
}

/// What a QDQ form is made with.
#[derive(Clone)]
pub(super) struct Form {
    /// What decides on what the others do not.
    pub base: Rc<ChosenRanges>,
    /// The int16 values.
    pub wide: BTreeMap<String, ThresholdRange>,
    /// The operations that are computed in float16.
    pub float16: BTreeSet<String>,
}

/// A QDQ form that was judged.
pub(super) struct Trial {
    executable: FloatExecutable,
    pub form: Form,
    /// The values that still have integers.
    measured: HashSet<String>,
    /// What had their ranges before operations became float16.
    sources: Sources,
    pub verdict: Verdict,
    /// Where there is a budget for it.
    latency: Option<f64>,
}

/// How the outputs of a trial are like those of the float network.
pub(super) struct Verdict {
    /// The mean cosine of the worst part.
    reached: f64,
    /// What the worst part has for other samples at least, as far as these tell.
    pub at_least: f64,
    /// The name of that part.
    worst: String,
    /// By output, how far its worst part is from that of the float network.
    errors: Vec<f64>,
    /// How often best classes are the same, by output.
    best_classes: Vec<(String, usize)>,
}

/// What a search is after.
#[derive(Clone, Copy)]
pub(super) struct Goal {
    /// The mean cosine, or share of the judge's number.
    pub wanted: f64,
    /// The most latency; none where any will do.
    pub latency: Option<f64>,
}

impl Goal {
    pub(super) fn allows(&self, trial: &Trial) -> bool {
        self.latency.zip(trial.latency).is_none_or(|(most, own)| own <= most)
    }
}

/// What a trial reaches for other samples too, and with how many int16 activations.
type Outcome = (f64, usize);

/// Whether a trial is to be preferred to another: it reaches what is wanted with less int16, or it comes closer by more than int16 costs.
pub(super) fn is_better((reached, wide): Outcome, (others_reached, others_wide): Outcome, wanted: f64) -> bool {
    match (reached >= wanted, others_reached >= wanted) {
        (true, true) => wide < others_wide,
        (false, false) if wide > others_wide => 1.0 - reached < WORTHWHILE * (1.0 - others_reached),
        (false, false) => reached > others_reached,
        (is_reached, _) => is_reached,
    }
}

impl Verdict {
    /// Whether an output is closer to the float network's by more than int16 costs, and the worst part no farther, or as close as is wanted.
    fn gains_over(&self, other: &Self, wanted: f64) -> bool {
        let mut errors = self.errors.iter().zip(&other.errors);
        (self.reached >= other.reached || self.at_least >= wanted)
            && errors.any(|(own, other)| *own < WORTHWHILE * other)
    }
}

impl Trial {
    pub(super) fn outcome(&self) -> Outcome {
        (self.verdict.at_least, self.form.wide.keys().filter(|name| self.measured.contains(*name)).count())
    }
}

impl<'s> Search<'s, '_> {
    /// The ranges are those of the chooser that keeps the outputs best with int8. Where that is not enough, those activations whose rounding
    /// costs the outputs most become int16, more and more of them.
    ///
    /// # Errors
    /// When a form of the network cannot be made or run.
    pub fn run(&self) -> Result<Found, CalibrationError> {
        let (mut best, reached) = self.choose_ranges()?;
        let int8_cosine = best.verdict.reached;
        let mut noise = Vec::new();
        if let Some(wanted) = self.wanted_cosine {
            let goal = Goal { wanted, latency: self.most_latency(&best) };
            if best.verdict.at_least < wanted {
                self.ask_for_candidates()?;
                noise = self.noise(&best.form.base.1)?;
                best = self.widen(best, &noise, goal)?;
                if best.verdict.at_least < wanted {
                    best = self.with_float16(best, noise.clone(), goal)?;
                }
            }
            best = self.widen_tail(best, goal)?;
        }
        let Trial { executable, form: Form { base, wide, float16 }, verdict, measured, sources, .. } = best;
        let (methods, base) = &*base;
        let precision = PrecisionInfo { wanted_cosine: self.wanted_cosine, int8_cosine, cosine: verdict.reached };
        let mut info = base.clone();
        info.precision = Some(precision);
        info.float16.extend(float16.iter().cloned());
        for (name, range) in &wide {
            let largest = self.evidence.largest.get(name).copied().unwrap_or(range.threshold);
            info.values.insert(name.clone(), ValueInfo::new(*range, largest, Judge::Precision));
        }
        info.keep_measured(&measured, &sources);
        Ok(Found {
            info,
            executable: Some(executable).filter(|_| self.judges_outputs()),
            precision,
            worst: verdict.worst,
            best_classes: verdict.best_classes,
            judged: self.evidence.judged.len(),
            methods: methods.clone(),
            reached,
            wide: wide.into_keys().filter(|name| measured.contains(name)).collect(),
            float16,
            candidates: self.candidates().len(),
            noise: self.candidates().iter().map(|candidate| candidate.value.clone()).zip(noise).collect(),
        })
    }

    /// Whether it is the outputs that judge, not what selections read.
    fn judges_outputs(&self) -> bool {
        self.judge.is_some() || self.evidence.selected_from.is_none()
    }

    fn ask_for_candidates(&self) -> Result<(), CalibrationError> {
        if self.candidates.get().is_none() {
            let found = (self.find_candidates)()?;
            self.candidates.get_or_init(|| found);
        }
        Ok(())
    }

    /// What follows the last layers as int16, too, where an output is closer to the float network's then.
    fn widen_tail(&self, best: Trial, goal: Goal) -> Result<Trial, CalibrationError> {
        if self.tail.is_empty() {
            return Ok(best);
        }
        self.ask_for_candidates()?;
        let mut wide = self.tail.wide(self.candidates());
        wide.retain(|name, _| !best.form.wide.contains_key(name));
        if wide.is_empty() {
            return Ok(best);
        }
        let count = wide.len();
        wide.extend(best.form.wide.clone());
        let next = self.attempt(Form { wide, ..best.form.clone() })?;
        if !(next.verdict.gains_over(&best.verdict, goal.wanted) && goal.allows(&next)) {
            return Ok(best);
        }
        tracing::info!(
            "{count} of the activations behind the last layers are int16 because that costs few products and brings an output closer, not \
             because int8 fell short"
        );
        Ok(next)
    }

    /// What could be int16; nothing before it is needed.
    pub(super) fn candidates(&self) -> &[Candidate] {
        self.candidates.get().map_or(&[], Vec::as_slice)
    }

    /// The best of the int8 forms, and what each of them reaches.
    fn choose_ranges(&self) -> Result<(Trial, Vec<(RangeMethods, f64)>), CalibrationError> {
        let mut best: Option<Trial> = None;
        let mut reached = Vec::new();
        let mut ranges: Vec<ChosenRanges> = self.calibrated.ranges.iter().rev().cloned().collect();
        let mut mixes = self.mixes;
        while let Some(base) = ranges.pop() {
            let form = Form { base: Rc::new(base), wide: BTreeMap::new(), float16: BTreeSet::new() };
            let trial = self.attempt(form)?;
            reached.push((trial.form.base.0.clone(), trial.verdict.reached));
            // The wanted cosine is not asked: of what is good enough, the best still is the safest.
            if best.as_ref().is_none_or(|best| trial.verdict.reached > best.verdict.reached) {
                best = Some(trial);
            }
            if let Some(best) = best.as_ref().filter(|_| ranges.is_empty() && std::mem::take(&mut mixes)) {
                ranges.extend(self.mix(&best.form.base)?);
            }
        }
        let best = best.ok_or_else(|| CalibrationError::Threshold("nothing was to choose ranges".into()))?;
        Ok((best, reached))
    }

    /// The latency that the budget allows, by that of the int8 form.
    fn most_latency(&self, int8: &Trial) -> Option<f64> {
        self.budget.zip(int8.latency).map(|(budget, latency)| latency * (1.0 + budget.percent / 100.0))
    }

    /// What each candidate alone costs the outputs as int8.
    fn noise(&self, ranges: &QuantInfo) -> Result<Vec<f64>, CalibrationError> {
        let function = network(self.module)?;
        let executable = (self.compile)(function)?;
        fn threshold<'n>(
            ranges: &QuantInfo,
            candidate: &'n Candidate,
        ) -> Result<(&'n str, ThresholdRange), CalibrationError> {
            let value = ranges.values.get(&candidate.value);
            let value =
                value.ok_or_else(|| CalibrationError::Threshold(format!("'{}' has no range", candidate.value)))?;
            Ok((candidate.value.as_str(), value.range()))
        }
        let values = self.candidates().iter().map(|candidate| threshold(ranges, candidate));
        let values = values.collect::<Result<Vec<_>, CalibrationError>>()?;
        let noise = costs(function, &executable, &values, &self.evidence.learned, self.samples)?;
        for ((value, _), noise) in values.iter().zip(&noise) {
            tracing::debug!(
                "'{value}' alone as int8 costs the outputs, before a closing Softmax or Sigmoid, {noise:.3e} of their cosine"
            );
        }
        Ok(noise)
    }

    /// Makes a form and judges it.
    pub(super) fn attempt(&self, mut form: Form) -> Result<Trial, CalibrationError> {
        let Form { base, wide, float16 } = &mut form;
        let (methods, info) = &**base;
        let ranges = info.ranges();
        for (name, range) in wide.iter_mut() {
            if let Some(narrow) = ranges.get(name) {
                (range.narrow_threshold, range.zero_point) = (Some(narrow.threshold), narrow.zero_point);
            }
        }
        let copy = ir::copy_module(self.module)?;
        let function = network(&copy)?;
        let sources = sources(function)?;
        assign_float16(function, float16).map_err(CalibrationError::Threshold)?;
        let measured = measured_values(function)?;
        let own = |name: &str| wide.get(name).or_else(|| ranges.get(name)).copied();
        assign_thresholds(function, |name| own(name).or_else(|| own(sources.get(name)?)))
            .map_err(CalibrationError::Threshold)?;
        insert_casts(function)?;
        let compile = if self.judge.is_some() { self.compile_outputs } else { self.compile };
        let executable = compile(function)?;
        let latency = self.budget.map(|budget| (budget.latency)(&copy)).transpose()?;
        let verdict = self.judge(&executable)?;
        let (wide_count, reached) = (wide.len(), verdict.reached);
        tracing::debug!(
            "ranges by {methods}, {wide_count} activations int16, {} nodes float16: output cosine {reached:.6}, for \
             other samples at least {:.6}",
            float16.len(),
            verdict.at_least
        );
        Ok(Trial { executable, form, measured, sources, verdict, latency })
    }

    fn judge(&self, executable: &FloatExecutable) -> Result<Verdict, CalibrationError> {
        let own = outputs(executable, &self.evidence.judged, self.samples)?;
        let mut verdict =
            Verdict { reached: 1.0, at_least: 1.0, worst: String::new(), errors: Vec::new(), best_classes: Vec::new() };
        let float = if self.judge.is_some() { &self.evidence.outputs } else { self.evidence.shown() };
        let all = likenesses(executable, float, &own);
        verdict.errors = all.iter().map(|(_, likeness)| 1.0 - likeness.cosine).collect();
        if let Some((name, Likeness { cosine, at_least, slice })) = worst(all) {
            let slice = slice.map_or_else(String::new, |slice| format!(" ({slice})"));
            (verdict.reached, verdict.at_least, verdict.worst) = (cosine, at_least, format!("'{name}'{slice}"));
        }
        // Before a selection there are candidates, not classes.
        for (output, (name, _, shape)) in executable.outputs().enumerate().filter(|_| self.judges_outputs()) {
            let same = same_best_class(shape, &pairs(float, &own, output));
            verdict.best_classes.extend(same.map(|count| (name.to_owned(), count)));
        }
        if let Some(judge) = self.judge {
            let share = judge(executable, &own)? / self.float_number(judge, executable)?;
            (verdict.reached, verdict.at_least, verdict.worst) = (share, share, "accuracy_command".to_owned());
            verdict.errors = vec![1.0 - share];
        }
        Ok(verdict)
    }

    /// What the user's judge says of the float network.
    fn float_number(&self, judge: &UserJudge<'_>, executable: &FloatExecutable) -> Result<f64, CalibrationError> {
        if let Some(number) = self.float_number.get() {
            return Ok(*number);
        }
        let number = judge(executable, &self.evidence.outputs)?;
        if number <= 0.0 {
            let reason = format!(
                "accuracy_command gives the float network {number}; it must be more than 0, and the larger the better"
            );
            return Err(CalibrationError::Threshold(reason));
        }
        Ok(*self.float_number.get_or_init(|| number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: f64 = 0.993;

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
}
