//! Which activations become int16: as few as reach what is wanted.

use super::{
    calibrate::CalibrationError,
    precision::{choose, first, halfway},
    search::{Form, Goal, Search, Trial, is_better},
    steps::{LEAST_SHARE, Steps},
};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How often the cost of int16 is halved between what falls short and everything.
const HALVINGS: usize = 3;

impl Search<'_, '_> {
    /// What reaches the wanted cosine with the fewest activations as int16, or comes closest to it.
    pub(super) fn widen(&self, mut best: Trial, noise: &[f64], goal: Goal) -> Result<Trial, CalibrationError> {
        let Goal { wanted, .. } = goal;
        let (form, reached) = (best.form.clone(), best.verdict.at_least);
        let mut steps = Steps::new(reached, wanted);
        // What was reached with how many: they are chosen in one order.
        let mut known = BTreeMap::from([(0, reached)]);
        let mut most = 0;
        while let Some(share) = steps.next(most < self.candidates().len()) {
            let wide = choose(self.candidates(), noise, if share < LEAST_SHARE { 0.0 } else { share });
            most = wide.len();
            if let Some(&reached) = known.get(&most) {
                steps.saw(share, reached);
                continue;
            }
            let next = self.attempt(Form { wide, ..form.clone() })?;
            if !goal.allows(&next) {
                return self.within_budget(best, noise, goal, most);
            }
            known.insert(most, next.verdict.at_least);
            steps.saw(share, next.verdict.at_least);
            if is_better(next.outcome(), best.outcome(), wanted) {
                best = next;
            }
        }
        if best.form.wide.len() == self.candidates().len() && best.verdict.at_least >= wanted {
            let failed = known.iter().filter(|(_, reached)| **reached < wanted).map(|(count, _)| *count).max();
            return self.fewer(best, noise, goal, failed.unwrap_or(0));
        }
        Ok(best)
    }

    /// What still reaches the wanted cosine where all activations as int16 do and the first `failed` do not. Those that are left have nearly none of the noise and may
    /// have most of the products. With int16 for the first, other ranges may serve better for the rest than those that were best for int8 alone.
    fn fewer(&self, best: Trial, noise: &[f64], goal: Goal, failed: usize) -> Result<Trial, CalibrationError> {
        let wide = first(self.candidates(), noise, failed);
        // Of those with int8 alone the best is known.
        let others = if wide.is_empty() { &[] } else { self.calibrated.ranges.as_slice() };
        for base in others.iter().filter(|ranges| ranges.0 != best.form.base.0) {
            let form = Form { base: Rc::new(base.clone()), wide: wide.clone(), ..best.form.clone() };
            let next = self.attempt(form)?;
            if next.outcome().0 >= goal.wanted && goal.allows(&next) {
                return self.halve(next, noise, goal, 0);
            }
        }
        self.halve(best, noise, goal, failed)
    }

    /// Halves a few times what the activations of int16 cost, between those of the best and the first `failed`, which do not reach the wanted cosine.
    fn halve(&self, mut best: Trial, noise: &[f64], goal: Goal, mut failed: usize) -> Result<Trial, CalibrationError> {
        let form = best.form.clone();
        for _ in 0..HALVINGS {
            let count = halfway(self.candidates(), noise, failed, best.form.wide.len()).max(failed + 1);
            if count >= best.form.wide.len() {
                break;
            }
            let next = self.attempt(Form { wide: first(self.candidates(), noise, count), ..form.clone() })?;
            if is_better(next.outcome(), best.outcome(), goal.wanted) && goal.allows(&next) {
                best = next;
            } else {
                failed = count;
            }
        }
        Ok(best)
    }

    /// The best of what is within the budget, where `beyond` activations as int16 are not: int16 makes a network slower, so that half of what is
    /// left to ask is ruled out by each trial.
    fn within_budget(
        &self,
        mut best: Trial,
        noise: &[f64],
        goal: Goal,
        mut beyond: usize,
    ) -> Result<Trial, CalibrationError> {
        let (form, mut allowed) = (best.form.clone(), best.form.wide.len());
        while beyond.saturating_sub(allowed) > 1 {
            let count = allowed + (beyond - allowed) / 2;
            let wide = first(self.candidates(), noise, count);
            let next = self.attempt(Form { wide, ..form.clone() })?;
            if !goal.allows(&next) {
                beyond = count;
                continue;
            }
            allowed = count;
            if is_better(next.outcome(), best.outcome(), goal.wanted) {
                best = next;
            }
        }
        Ok(best)
    }
}
