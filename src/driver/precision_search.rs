//! The search for the precision of a network whose ranges are known: which values may become int16, by whom and at what price.

use super::accuracy_command::judge;
use super::compare;
use super::compile::{BPU_TO_NASH, NetworkStages, QDQ_TO_BPU, StageError};
use super::configuration::{ACCURACY_COMMAND, CALIBRATION_TYPE, CalibrationType, LATENCY_BUDGET, WORKING_DIR, counted};
use super::log::tell_names;
use super::quantize::{Reference, is_given};
use super::{package, types};
use crate::cpu::{Array, FloatExecutable};
use crate::hbm::Hbm;
use crate::pipeline;
use crate::quant::{
    calibrate::{CalibrationError, Samples},
    evidence::Evidence,
    float_search::float16_values,
    given::keep_forms,
    info::{ActivationType, PrecisionInfo},
    precision::{self, Candidate},
    search::{Found, LatencyBudget, Search, UserJudge},
    tail::Tail,
};
use crate::sim::{perf::performance, runner::timelines};
use hb_dialects::ir;
use melior::ir::Module;
use std::cell::OnceCell;

/// Users of such tools ask for a cosine of 0.99; below this the log warns, whatever is asked for.
const USUAL_COSINE: f64 = 0.99;

impl NetworkStages<'_> {
    /// The values that may become int16: nothing else is asked of them, and if all of them do every operation keeps its form on the BPU.
    fn candidates(
        &self,
        module: &Module<'_>,
        reference: &Reference,
        evidence: &Evidence,
    ) -> Result<Vec<Candidate>, CalibrationError> {
        let function = compare::network(module.as_operation());
        let function = function.map_err(|error| CalibrationError::Threshold(error.to_string()))?;
        let candidates = precision::candidates(function, evidence)?;
        let info = reference.calibrated.info()?;
        let free = |candidate: &Candidate| {
            !reference.asked.values.contains_key(&candidate.value) && !is_given(info, &candidate.value)
        };
        let candidates: Vec<Candidate> = candidates.into_iter().filter(free).collect();
        let mut all = reference.asked.clone();
        all.values.extend(candidates.iter().map(|candidate| (candidate.value.clone(), ActivationType::Int16)));
        keep_forms(module, reference.calibrated.info()?, &mut all)?;
        Ok(candidates.into_iter().filter(|candidate| all.values.contains_key(&candidate.value)).collect())
    }

    /// Looks for the precision of a network whose weights are rounded.
    pub(super) fn search(
        &self,
        module: &Module<'_>,
        reference: &Reference,
        evidence: &Evidence,
    ) -> Result<Found, StageError> {
        let read = |executable: &FloatExecutable, index: usize| reference.source.read(executable, index);
        let judged = evidence.judged().iter().map(|index| reference.source.name(*index)).collect::<Vec<_>>();
        let command = self.configuration.get(&ACCURACY_COMMAND).as_ref();
        // The program may run in another folder.
        let folder = std::path::absolute(self.configuration.get(&WORKING_DIR))?;
        let judge = command.map(|command| {
            move |executable: &FloatExecutable, outputs: &[Vec<Array>]| {
                judge((command, &folder), executable, outputs, &judged)
            }
        });
        let latency = |module: &Module<'_>| {
            self.latency_of(module).map_err(|error| CalibrationError::Threshold(format!("latency_budget: {error}")))
        };
        let budget =
            self.configuration.get(&LATENCY_BUDGET).map(|percent| LatencyBudget { percent, latency: &latency });
        let mut float16 = float16_values(compare::network(module.as_operation())?, evidence, &reference.asked)?;
        let info = reference.calibrated.info()?;
        // Between scales that the network brings, it says what it wants.
        float16.retain(|name, _| !is_given(info, name));
        let found = Search {
            module,
            find_candidates: &|| self.candidates(module, reference, evidence),
            candidates: OnceCell::new(),
            tail: &Tail::of(compare::network(module.as_operation())?)?,
            float16: &float16,
            calibrated: &reference.calibrated,
            wanted_cosine: self.wanted_cosine(),
            mixes: *self.configuration.get(&CALIBRATION_TYPE) == CalibrationType::Mix
                && types::stated_methods(self.configuration).is_none(),
            judge: judge.as_ref().map(|judge| judge as &UserJudge<'_>),
            float_number: OnceCell::new(),
            budget: budget.as_ref(),
            evidence,
            samples: &Samples { count: reference.source.len(), read: &read, jobs: self.configuration.threads() },
            compile: &|function| self.judged(function),
            compile_outputs: &|function| Ok(self.observed(function)?),
        }
        .run()?;
        Ok(found)
    }

    /// The predicted latency of a QDQ form, in microseconds: that of the network without its preprocessing.
    fn latency_of(&self, module: &Module<'_>) -> Result<f64, StageError> {
        let mut lowered = ir::copy_module(module)?;
        let lower = self.configuration.pass(BPU_TO_NASH, &[]);
        pipeline::run(self.context, &mut lowered, &format!("{QDQ_TO_BPU},{lower}"))?;
        let compilation = package::Compilation::of(self.configuration);
        let hbm = Hbm::from_bytes(package::package(self.context, lowered.as_operation(), &compilation)?)?;
        Ok(performance(&hbm, self.target, &timelines(&hbm, self.target)?).summary.performance.latency_us)
    }
}

/// Says how alike the outputs are, what became int16, and why.
pub(super) fn report(found: &Found) {
    let PrecisionInfo { cosine: reached, wanted_cosine, int8_cosine } = found.precision;
    if let [_, _, ..] = found.reached.as_slice() {
        let each = found.reached.iter().map(|(methods, cosine)| format!("{methods} {cosine:.4}"));
        let each = each.collect::<Vec<_>>().join(", ");
        tracing::info!(
            "ranges are those of {}: the outputs have with int8 alone a mean cosine of: {each}",
            found.methods
        );
    }
    if reached < wanted_cosine.unwrap_or(USUAL_COSINE) {
        let (wanted, remedy) = match wanted_cosine {
            Some(wanted) => (format!("wanted is {wanted}"), "more calibration samples may help"),
            None => (
                "with int8 alone".to_owned(),
                "calibration_type: 'default' looks for better ranges, and for activations that int16 would help",
            ),
        };
        tracing::warn!(
            "output {} of the quantized network has a mean cosine of {reached:.4} with the float network's; {wanted}. \
             The table of nodes shows where it is lost; {remedy}",
            found.worst
        );
    }
    if let (Some(wanted), false) = (wanted_cosine, found.wide.is_empty()) {
        let what = format!(
            "{} of {} activations are int16: with int8 alone the mean cosine of the outputs is {int8_cosine:.4}, with them {reached:.4} \
             (wanted is {wanted}, also with the standard error of the mean taken off)",
            found.wide.len(),
            found.candidates
        );
        tell_names(&what, &found.wide);
    }
    if !found.float16.is_empty() {
        let nodes: Vec<&String> = found.float16.iter().collect();
        let what = format!(
            "{} computed in float16, because not even int16 shows what lies between them",
            counted(nodes.len(), "node")
        );
        tell_names(&what, &nodes);
    }
    for (output, same) in &found.best_classes {
        tracing::info!(
            "output '{output}': the best class is that of the float network on {same} of {}",
            counted(found.judged, "sample")
        );
    }
}
