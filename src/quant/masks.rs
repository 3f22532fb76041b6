//! Masks: numbers so far below the others that a Softmax gives exactly 0 for them.
//!
//! Attentions add -1e4, -65504, the least float32 or minus infinity to what must not count. Integers whose range reaches that far show nothing of the
//! rest, and need not: a range ends where the Softmax sees no difference any more, and what lies below is shown as its end.
//!
//! Whether an element counts is seen where the Softmax reads it. From there it is followed back to the values that are measured, through what moves
//! elements or adds to them: of what does not count a value must show so little that the sum stays far below, whatever else is added.

use super::{
    groups::ScaleGroups,
    rules::rule_of,
    softmax_paths::{
        ALL_MASKED, Addend, AddendRange, Change, GIVES_NOTHING, SoftmaxPath, SoftmaxRows, Step, ends, softmax_paths,
    },
    thresholds::{ThresholdRange, range_here, value_name},
};
use crate::float::constant_before;
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, IrError, OperationAttributes},
    pass::PassFailure,
};
use melior::ir::{OperationRef, operation::OperationLike};
use std::collections::{HashMap, HashSet};

/// What is that far below is shown so far below: e^-16 is a step of float32 at 1.
const SHOWN_DISTANCE: f32 = 16.0;

/// Masks of the least float32 lie below this, whatever was added to them.
const LEAST_MASKS: f32 = f32::MIN / 2.0;

/// What is known before samples run: the ways to Softmaxes of the measured values that nothing else reads.
#[derive(Debug, Default)]
pub struct MaskPlan {
    /// By the name of the value.
    paths: HashMap<String, Vec<SoftmaxPath>>,
    /// By the name of what a Softmax reads: the values that come there, each with the number of the way.
    ends: HashMap<String, Vec<(String, usize)>>,
    /// By the name of what a Softmax reads: what is added on the ways there.
    addends: HashMap<String, Vec<Addend>>,
    /// The names of values among them.
    added: HashSet<String>,
}

impl MaskPlan {
    /// The plan of a function.
    ///
    /// # Errors
    /// When types or attributes cannot be read.
    pub(super) fn of<'c: 'a, 'a>(
        function: OperationRef<'c, 'a>,
        groups: &ScaleGroups<'c, 'a>,
    ) -> Result<Self, IrError> {
        let mut plan = Self::default();
        for value in groups.measured() {
            let Some(paths) = softmax_paths(function, value)? else { continue };
            let name = value_name(function, value);
            for (index, path) in paths.iter().enumerate() {
                plan.ends.entry(path.input.clone()).or_default().push((name.clone(), index));
                for step in &path.steps {
                    let (Change::Plus(addend) | Change::Minus(addend)) = &step.change else { continue };
                    let addends = plan.addends.entry(path.input.clone()).or_default();
                    if !addends.contains(addend) {
                        addends.push(addend.clone());
                    }
                    if let Addend::Value(name) = addend {
                        plan.added.insert(name.clone());
                    }
                }
            }
            plan.paths.insert(name, paths);
        }
        Ok(plan)
    }
}

/// The values of a sample that wait for their Softmaxes.
#[derive(Debug)]
pub(super) struct Masks<'p> {
    plan: &'p MaskPlan,
    waiting: HashMap<String, Waiting>,
    /// What is added on the way.
    added: HashMap<String, AddendRange>,
}

#[derive(Debug)]
struct Waiting {
    values: Vec<f32>,
    /// Up to where each element may be raised; minus infinity where it counts.
    limits: Vec<f32>,
    /// The Softmaxes that did not run yet.
    left: usize,
}

impl<'p> Masks<'p> {
    pub(super) fn new(plan: &'p MaskPlan) -> Self {
        Self { plan, waiting: HashMap::new(), added: HashMap::new() }
    }

    /// Takes a value that is measured; false where it can be measured as it is.
    pub(super) fn take(&mut self, name: &str, values: &[f32]) -> bool {
        let Some(paths) = self.plan.paths.get(name) else { return false };
        let (least, greatest) = ends(values);
        if greatest - least < GIVES_NOTHING {
            return false;
        }
        let limits = vec![f32::INFINITY; values.len()];
        self.waiting.insert(name.to_owned(), Waiting { values: values.to_vec(), limits, left: paths.len() });
        true
    }

    /// Sees a value as it is computed, and gives the measured values that no Softmax is left for, as far as ranges must show them.
    pub(super) fn see(&mut self, name: &str, values: &[f32]) -> Vec<(String, Vec<f32>)> {
        if self.plan.added.contains(name) {
            self.added.insert(name.to_owned(), AddendRange::of(values));
        }
        let mut shown = Vec::new();
        let has_mask = self
            .plan
            .addends
            .get(name)
            .into_iter()
            .flatten()
            .any(|addend| addend.range(&self.added).is_some_and(|range| range.is_mask));
        for (value, index) in self.plan.ends.get(name).into_iter().flatten() {
            let path = self.plan.paths.get(value).and_then(|paths| paths.get(*index));
            let (Some(path), Some(waiting)) = (path, self.waiting.get_mut(value)) else { continue };
            let limits = path.limits(values, &self.added, has_mask);
            if limits.len() != waiting.limits.len() {
                continue;
            }
            for (all, limit) in waiting.limits.iter_mut().zip(limits) {
                *all = all.min(limit);
            }
            waiting.left -= 1;
            if waiting.left == 0
                && let Some(Waiting { values, limits, .. }) = self.waiting.remove(value)
            {
                shown.push((value.clone(), raised(values, &limits)));
            }
        }
        shown
    }

    /// What still waits when the sample has run, as it is.
    pub(super) fn rest(self) -> Vec<(String, Vec<f32>)> {
        let mut rest: Vec<_> = self.waiting.into_iter().map(|(name, waiting)| (name, waiting.values)).collect();
        rest.sort_by(|(one, _), (other, _)| one.cmp(other));
        rest
    }
}

/// Values with each raised to its limit. What no Softmax reads has none.
fn raised(mut values: Vec<f32>, limits: &[f32]) -> Vec<f32> {
    for (value, limit) in values.iter_mut().zip(limits) {
        if limit.is_finite() && *value < *limit {
            *value = *limit;
        }
    }
    values
}

impl SoftmaxPath {
    /// Up to where each element of the value may be raised, by what the Softmax reads and what is added.
    fn limits(&self, input: &[f32], known: &HashMap<String, AddendRange>, has_mask: bool) -> Vec<f32> {
        let limits = self.rows.limits(input, has_mask);
        self.steps.iter().rev().fold(limits, |limits, step| step.limits(&limits, known))
    }
}

impl SoftmaxRows {
    /// Up to where each element may be raised; minus infinity where it counts. `has_mask` says that a mask was added to them.
    fn limits(&self, values: &[f32], has_mask: bool) -> Vec<f32> {
        let mut limits = vec![f32::NEG_INFINITY; values.len()];
        let block = self.length.saturating_mul(self.stride).max(1);
        let least = self.least_counting(values, block);
        for (block, limits) in values.chunks(block).zip(limits.chunks_mut(block)) {
            for first in 0..self.stride {
                let row = || block.iter().skip(first).step_by(self.stride);
                let (_, greatest) = ends(row());
                // A row of which nothing counts is no row.
                if !greatest.is_finite() {
                    continue;
                }
                // What is masked as a whole is shown as what is masked in another row: nobody reads its result. Masks that are put in the place
                // of scores leave nothing else.
                let holds_nothing = || has_mask || row().all(|value| *value == greatest || *value < LEAST_MASKS);
                let is_masked = greatest < ALL_MASKED && least.is_finite() && holds_nothing();
                let counting = if is_masked { least } else { greatest };
                let places = block.iter().zip(limits.iter_mut()).skip(first).step_by(self.stride);
                for (_, limit) in places.filter(|(value, _)| counting - **value >= GIVES_NOTHING) {
                    *limit = counting - SHOWN_DISTANCE;
                }
            }
        }
        limits
    }

    /// The least of the largest elements of rows that are not masked as a whole; infinity where there is none.
    fn least_counting(&self, values: &[f32], block: usize) -> f32 {
        let rows = values.chunks(block).flat_map(|block| (0..self.stride).map(move |first| (block, first)));
        let largest = rows.map(|(block, first)| ends(block.iter().skip(first).step_by(self.stride)).1);
        largest.filter(|largest| *largest >= ALL_MASKED && largest.is_finite()).fold(f32::INFINITY, f32::min)
    }
}

impl Step {
    /// The limits of its operand by those of its result: an element that goes to several places has the least.
    fn limits(&self, results: &[f32], known: &HashMap<String, AddendRange>) -> Vec<f32> {
        let mut limits = vec![f32::INFINITY; self.elements];
        let mut at = vec![0usize; self.sizes.len()];
        let mut place = 0;
        for result in results {
            if let Some(limit) = limits.get_mut(place) {
                *limit = limit.min(self.change.limit(*result, known));
            }
            for ((at, size), stride) in at.iter_mut().zip(&self.sizes).zip(&self.strides).rev() {
                *at += 1;
                place += stride;
                if *at < *size {
                    break;
                }
                place -= *at * stride;
                *at = 0;
            }
        }
        limits
    }
}

impl Change {
    /// The limit before the change. What else is added may itself be raised, at most to the largest that it holds.
    fn limit(&self, limit: f32, known: &HashMap<String, AddendRange>) -> f32 {
        let before = match self {
            Self::None => Some(limit),
            Self::Plus(addend) => addend.range(known).map(|range| limit - range.greatest),
            Self::Minus(addend) => addend.range(known).map(|range| limit + range.least),
            Self::Times(factor) => Some(limit / factor),
        };
        before.filter(|before| before.is_finite()).unwrap_or(f32::NEG_INFINITY)
    }
}

impl Addend {
    /// `known` are those of values, where they have run.
    fn range(&self, known: &HashMap<String, AddendRange>) -> Option<AddendRange> {
        match self {
            Self::Constant(range) => Some(*range),
            Self::Value(name) => known.get(name).copied(),
        }
    }
}

/// Brings the constants of sums to where the integers of the sum end: what is further out gives the same integer, and would only cost the
/// others their steps.
pub(super) fn clamp_addends(function: OperationRef<'_, '_>) -> Result<(), PassFailure> {
    let groups = ScaleGroups::of(function)?;
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        let is_sum = matches!(Op::of(operation), Some(Op::Add | Op::Sub));
        let (&[result], 2, true) = (ir::results(operation).as_slice(), operation.operand_count(), is_sum) else {
            continue;
        };
        // Floats do not end there.
        if groups.is_float16(result) || rule_of(operation)?.is_none() {
            continue;
        }
        let range = |value| range_here(function, groups.source(value)).map_err(PassFailure::Message);
        for (index, other) in [(0, 1), (1, 0)] {
            let (addend, other) = (operation.operand_at(index)?, operation.operand_at(other)?);
            let constant = ir::constant_of(addend).filter(|constant| constant.r#type.element == ElementType::F32);
            let (Some(constant), None) = (constant, ir::constant_of(other)) else { continue };
            let (Some(sum), Some(other)) = (range(result)?, range(other)?) else { continue };
            let limits = limits(Op::Sub.is(operation), index, reals(sum), reals(other));
            let values = constant.f32s()?;
            if values.iter().any(|value| *value < limits.0 || *value > limits.1) {
                let clamped: Vec<f32> = values.iter().map(|value| clamped(*value, limits)).collect();
                let value = constant_before(operation, "addend", &constant.r#type, &clamped)?;
                ir::set_operand(operation, index, value);
            }
        }
    }
    Ok(())
}

/// What is no number stays that.
fn clamped(value: f32, (least, greatest): (f32, f32)) -> f32 {
    if value.is_nan() { value } else { value.max(least).min(greatest) }
}

/// The least and the greatest real that integers show.
fn reals(range: ThresholdRange) -> (f64, f64) {
    let largest = range.threshold.max(range.narrow_threshold.unwrap_or_default());
    // A zero point leaves one end further out than the threshold by less than two steps.
    let step = range.affine().scale.max(largest / 127.0);
    (-largest - 2.0 * step, largest + 2.0 * step)
}

/// Between which numbers a constant must lie so that the sum, with an operand of the range `other`, is beyond its own range at both ends.
fn limits(is_difference: bool, index: usize, sum: (f64, f64), other: (f64, f64)) -> (f32, f32) {
    let (least, greatest) = match (is_difference, index) {
        (false, _) => (sum.0 - other.1, sum.1 - other.0),
        // c - x
        (true, 0) => (sum.0 + other.0, sum.1 + other.1),
        // x - c
        (true, _) => (other.0 - sum.1, other.1 - sum.0),
    };
    (least as f32, greatest as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of values that a Softmax reads behind these steps, where it reads `input`.
    fn shown(
        values: &[f32],
        steps: Vec<Step>,
        rows: SoftmaxRows,
        input: &[f32],
        addends: &[(&str, (f32, f32))],
    ) -> Vec<f32> {
        let range = |ends: &(f32, f32)| AddendRange { least: ends.0, greatest: ends.1, is_mask: false };
        let known = addends.iter().map(|(name, ends)| ((*name).to_owned(), range(ends))).collect();
        let path = SoftmaxPath { steps, input: "s".into(), rows };
        raised(values.to_vec(), &path.limits(input, &known, false))
    }

    #[test]
    fn masks_are_shown_next_to_what_counts() {
        let rows = SoftmaxRows { length: 3, stride: 1 };
        let direct = |values: &[f32]| shown(values, vec![], rows, values, &[]);
        let values = [1.0, 3.0, -1e4, f32::NEG_INFINITY, f32::MIN, -2.0];
        assert_eq!(direct(&values), [1.0, 3.0, -13.0, -18.0, -18.0, -2.0]);
        // What a Softmax sees stays, however far it is.
        let logits = [0.0, -103.0, -50.0];
        assert_eq!(direct(&logits), logits);
        // Nothing counts; no number; the other end.
        let nothing = [f32::NEG_INFINITY; 3];
        assert_eq!(direct(&nothing), nothing);
        assert!(direct(&[f32::NAN, 0.0, -1e9])[0].is_nan());
        assert_eq!(direct(&[f32::INFINITY, 0.0, 1.0])[0], f32::INFINITY);
    }

    /// Padding before a text: of the least row that counts, the others' ranges need no more.
    #[test]
    fn a_row_that_is_masked_as_a_whole_costs_no_range() {
        let rows = SoftmaxRows { length: 2, stride: 1 };
        let direct = |values: &[f32]| shown(values, vec![], rows, values, &[]);
        assert_eq!(direct(&[3.0, 2.0, -1e9, -1e9, 1.0, f32::MIN]), [3.0, 2.0, -15.0, -15.0, 1.0, -15.0]);
        // Where every row is, nobody says what else the range is for. Low scores are scores.
        let all = [-1e9, -1e9];
        assert_eq!((direct(&all), direct(&[3.0, 2.0, -900.0, -901.0])), (all.to_vec(), vec![3.0, 2.0, -900.0, -901.0]));
    }

    /// What was added tells a row of padding from one of great distances.
    #[test]
    fn low_rows_are_scores_where_nothing_masks_them() {
        let rows = SoftmaxRows { length: 2, stride: 1 };
        let values = [3.0, 2.0, -9000.0, -9080.0];
        assert_eq!(raised(values.to_vec(), &rows.limits(&values, false)), values);
        assert_eq!(raised(values.to_vec(), &rows.limits(&values, true)), [3.0, 2.0, -13.0, -13.0]);
        let is_mask = |values: &[f32]| AddendRange::of(values).is_mask;
        assert!(is_mask(&[0.0, -1e4, 1.5]) && is_mask(&[0.0, f32::NEG_INFINITY]));
        // Taken away.
        assert!(is_mask(&[0.0, 1e9]));
        assert!(!is_mask(&[0.0, -900.0, -1e4]) && !is_mask(&[-1e4, -1e4]) && !is_mask(&[0.0, -50.0]));
    }

    #[test]
    fn rows_may_lie_across() {
        let columns = SoftmaxRows { length: 2, stride: 3 };
        let values = [0.0, 1.0, -1e9, -1e9, 2.0, 5.0];
        assert_eq!(shown(&values, vec![], columns, &values, &[]), [0.0, 1.0, -11.0, -16.0, 2.0, 5.0]);
    }

    fn step(elements: usize, sizes: &[usize], strides: &[usize], change: Change) -> Step {
        Step { elements, sizes: sizes.to_vec(), strides: strides.to_vec(), change }
    }

    /// A mask `[1, 2]` that is transposed, repeated over two rows and added to scores: each element goes to both rows, and counts where it counts in one of them.
    #[test]
    fn a_mask_is_followed_through_what_moves_and_adds() {
        let rows = SoftmaxRows { length: 2, stride: 1 };
        let steps = || {
            vec![
                step(2, &[2, 1], &[1, 2], Change::None),
                step(2, &[2, 2], &[0, 1], Change::Plus(Addend::Value("scores".into()))),
            ]
        };
        let scores = [("scores", (-3.0, 4.0))];
        // Scores 1, -3 and 4, 2: the second column is masked, whose rows have the largest 1 and 4. The scores may add 4.
        let input = [1.0, -1e4, 4.0, -1e4];
        assert_eq!(shown(&[0.0, -1e4], steps(), rows, &input, &scores), [0.0, 1.0 - 16.0 - 4.0]);
        // In the second row nothing is far below the rest.
        let input = [1.0, -1e4, -300.0, -301.0];
        assert_eq!(shown(&[0.0, -1e4], steps(), rows, &input, &scores), [0.0, -1e4]);
        // What is added is not known, or is masked itself.
        let input = [1.0, -1e4, 4.0, -1e4];
        assert_eq!(shown(&[0.0, -1e4], steps(), rows, &input, &[]), [0.0, -1e4]);
        let masked = [("scores", (f32::NEG_INFINITY, 4.0))];
        assert_eq!(shown(&[0.0, -1e4], steps(), rows, &input, &masked), [0.0, -19.0]);
    }

    #[test]
    fn differences_and_factors_are_undone() {
        let rows = SoftmaxRows { length: 2, stride: 1 };
        let same = |change| vec![step(2, &[2], &[1], change)];
        let input = [1.0, -1e4];
        assert_eq!(shown(&[2.0, -2e4], same(Change::Times(0.5)), rows, &input, &[]), [2.0, -30.0]);
        let less = Change::Minus(Addend::Constant(AddendRange::of(&[-3.0, 5.0])));
        assert_eq!(shown(&[2.0, -2e4], same(less), rows, &input, &[]), [2.0, 1.0 - 16.0 - 3.0]);
    }

    #[test]
    fn constants_reach_beyond_the_sum() {
        let (sum, other) = ((-18.0, 2.0), (-3.0, 4.0));
        // c + x: below -22 the sum is below -18 for any x; above 5 it is above 2.
        assert_eq!(limits(false, 1, sum, other), (-22.0, 5.0));
        assert_eq!(limits(true, 0, sum, other), (-21.0, 6.0));
        assert_eq!(limits(true, 1, sum, other), (-5.0, 22.0));
    }
}
