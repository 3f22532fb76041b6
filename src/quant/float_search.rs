//! Operations that a search computes in float16, because the values between them have more orders of magnitude than int16 shows: powers of a
//! spectrum are one such kind.

use super::{
    calibrate::{CalibrationError, network},
    evidence::Evidence,
    groups::ScaleGroups,
    requests::AskedTypes,
    rules::{ResultScale, rule_of},
    search::{Form, Goal, Search, Trial, is_better},
    sensitivity::costs,
    thresholds::{ThresholdRange, value_name},
};
use crate::numerics::LARGEST_FLOAT16;
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, IrError, OperationAttributes, TensorType},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::{BTreeMap, BTreeSet};

/// A value that as int16 costs more than this share of the error that the outputs may have is worth float16.
const SHARE: f64 = 0.1;
/// float16 must show this many times what calibration saw.
const HEADROOM: f64 = 2.0;

/// What one value is read and computed by.
#[derive(Default)]
struct Neighbours {
    /// Those that can be float16.
    nodes: BTreeSet<String>,
    /// Whether it is there with more than integers show: an input, 32-bit sums, or what float16 gives.
    is_exact: bool,
    /// Whether a reader can be float16.
    is_read: bool,
}

/// The values that could be float16, by name, with the operations that would be computed in it: what computes a value gives more than int16 then,
/// and something reads more. Nothing of which integers are asked.
///
/// # Errors
/// When attributes or types cannot be read.
pub fn float16_values(
    function: OperationRef<'_, '_>,
    evidence: &Evidence,
    asked: &AskedTypes,
) -> Result<BTreeMap<String, BTreeSet<String>>, IrError> {
    let groups = ScaleGroups::of(function)?;
    let mut found: BTreeMap<String, Neighbours> = BTreeMap::new();
    for argument in ir::body(function).map(ir::arguments).unwrap_or_default() {
        found.entry(value_name(function, argument)).or_default().is_exact = true;
    }
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        let Some(rule) = rule_of(operation)?.filter(|_| Op::of(operation).is_some_and(|op| op != Op::Constant)) else {
            continue;
        };
        let named = |value| value_name(function, groups.source(value));
        let scale = rule.result(operation)?;
        let results: Vec<String> = ir::results(operation).into_iter().map(named).collect();
        if scale == ResultScale::OwnOrExact {
            results.iter().for_each(|name| found.entry(name.clone()).or_default().is_exact = true);
        }
        let is_real = |value: &Value<'_, '_>| {
            TensorType::from_type(value.r#type()).is_ok_and(|r#type| r#type.element == ElementType::F32)
        };
        let variable = operation.operands().filter(|operand| ir::constant_of(*operand).is_none());
        let operands: Vec<String> = variable.filter(is_real).map(named).collect();
        let node = operation.node();
        let is_asked = asked.operands.contains_key(&node)
            || asked.wide.iter().any(|(asked, _)| *asked == node)
            || operands.iter().chain(&results).any(|name| asked.values.contains_key(name));
        let fits = |name: &String| {
            evidence.largest.get(name).is_some_and(|largest| largest * HEADROOM <= f64::from(LARGEST_FLOAT16))
        };
        // What only moves a value goes with it.
        if scale == ResultScale::LikeInput
            || is_asked
            || !operands.iter().chain(&results).all(fits)
            || rule.float16_form(operation)?.is_err()
        {
            continue;
        }
        for (name, is_read) in
            operands.into_iter().map(|name| (name, true)).chain(results.into_iter().map(|name| (name, false)))
        {
            let neighbours = found.entry(name).or_default();
            neighbours.nodes.insert(node.clone());
            neighbours.is_read |= is_read;
            neighbours.is_exact |= !is_read;
        }
    }
    let serves = |neighbours: &Neighbours| neighbours.is_exact && neighbours.is_read;
    Ok(found.into_iter().filter(|(_, it)| serves(it)).map(|(name, it)| (name, it.nodes)).collect())
}

impl Search<'_, '_> {
    /// What comes closer than `best`, or `best`: with float16 between the operations whose values int16 does not show, and int16 anew for the
    /// others. `noise` is what candidates cost as int8.
    ///
    /// # Errors
    /// When a form of the network cannot be made or run.
    pub(super) fn with_float16(&self, best: Trial, mut noise: Vec<f64>, goal: Goal) -> Result<Trial, CalibrationError> {
        let function = network(self.module)?;
        let executable = (self.compile)(function)?;
        let can_be = self.candidates().iter().filter(|candidate| self.float16.contains_key(&candidate.value));
        let values: Vec<(&str, ThresholdRange)> =
            can_be.map(|candidate| (candidate.value.as_str(), candidate.wide)).collect();
        let costs = costs(function, &executable, &values, &self.evidence.learned, self.samples)?;
        let most = SHARE * (1.0 - goal.wanted);
        let mut float16 = BTreeSet::new();
        for ((value, _), cost) in values.iter().zip(costs).filter(|(_, cost)| *cost > most) {
            tracing::debug!("'{value}' alone as int16 costs the outputs {cost:.3e} of their cosine: float16 is tried");
            float16.extend(self.float16.get(*value).into_iter().flatten().cloned());
            for (candidate, noise) in self.candidates().iter().zip(&mut noise) {
                if candidate.value == *value {
                    *noise = 0.0;
                }
            }
        }
        if float16.is_empty() {
            return Ok(best);
        }
        let start = self.attempt(Form { wide: BTreeMap::new(), float16, ..best.form.clone() })?;
        if !goal.allows(&start) {
            return Ok(best);
        }
        let next = self.widen(start, &noise, goal)?;
        Ok(if is_better(next.outcome(), best.outcome(), goal.wanted) { next } else { best })
    }
}
