//! Masks: numbers so far below the others that a Softmax gives exactly 0 for them.
//!
//! Attentions add -1e4, -65504, the least float32 or minus infinity to what must not count. Integers whose range reaches that far show nothing of the
//! rest, and need not: a range ends where the Softmax sees no difference any more, and what lies below is shown as its end.

use super::{
    groups::ScaleGroups,
    rules::rule_of,
    thresholds::{ThresholdRange, range_here, value_name},
};
use crate::float::constant_before;
use hb_dialects::{
    ElementType,
    hfloat::{Op, attributes, normalize_axis},
    ir::{self, IrError, OperationAttributes, TensorType},
    pass::PassFailure,
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use std::borrow::Cow;
use std::collections::HashMap;

/// So far below the largest of its row a Softmax gives 0: e^-104 is less than half the least float32.
const GIVES_NOTHING: f32 = 104.0;

/// What is that far below is shown so far below: e^-16 is a step of float32 at 1.
const SHOWN_DISTANCE: f32 = 16.0;

/// How the rows of a Softmax lie in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftmaxRows {
    length: usize,
    /// From one element of a row to the next.
    stride: usize,
}

/// The rows of the measured values that nothing but a Softmax reads, by name.
///
/// # Errors
/// When types or attributes cannot be read.
pub(super) fn softmax_rows<'c: 'a, 'a>(
    function: OperationRef<'c, 'a>,
    groups: &ScaleGroups<'c, 'a>,
) -> Result<HashMap<String, SoftmaxRows>, IrError> {
    let mut found = HashMap::new();
    for value in groups.measured() {
        if let Some(rows) = rows_of(value)? {
            found.insert(value_name(function, value), rows);
        }
    }
    Ok(found)
}

fn rows_of(value: Value<'_, '_>) -> Result<Option<SoftmaxRows>, IrError> {
    let Ok(shape) = TensorType::from_type(value.r#type())?.static_shape() else { return Ok(None) };
    let mut rows = None;
    for reader in ir::users(value) {
        let axis = match Op::of(reader) {
            Some(Op::Softmax) => normalize_axis(attributes::axis(reader)?, shape.len()).ok(),
            _ => None,
        };
        let Some(sizes) = axis.and_then(|axis| shape.get(axis..)) else { return Ok(None) };
        let [length, inner @ ..] = sizes else { return Ok(None) };
        let own = SoftmaxRows { length: *length, stride: inner.iter().product() };
        if rows.is_some_and(|rows| rows != own) {
            return Ok(None);
        }
        rows = Some(own);
    }
    Ok(rows)
}

impl SoftmaxRows {
    /// The values as far as ranges must show them.
    pub(super) fn shown<'v>(&self, values: &'v [f32]) -> Cow<'v, [f32]> {
        let (least, greatest) = ends(values.iter());
        let block = self.length.saturating_mul(self.stride);
        if greatest - least < GIVES_NOTHING || block == 0 {
            return Cow::Borrowed(values);
        }
        let mut shown = values.to_vec();
        for block in shown.chunks_mut(block) {
            for first in 0..self.stride {
                let (_, greatest) = ends(block.iter().skip(first).step_by(self.stride));
                // A row of which nothing counts is no row.
                if !greatest.is_finite() {
                    continue;
                }
                for value in block.iter_mut().skip(first).step_by(self.stride) {
                    if greatest - *value >= GIVES_NOTHING {
                        *value = greatest - SHOWN_DISTANCE;
                    }
                }
            }
        }
        Cow::Owned(shown)
    }
}

fn ends<'v>(values: impl Iterator<Item = &'v f32>) -> (f32, f32) {
    values
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, greatest), value| (least.min(*value), greatest.max(*value)))
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

    #[test]
    fn masks_are_shown_next_to_what_counts() {
        let rows = SoftmaxRows { length: 3, stride: 1 };
        let values = [1.0, 3.0, -1e4, f32::NEG_INFINITY, f32::MIN, -2.0];
        assert_eq!(rows.shown(&values).as_ref(), [1.0, 3.0, -13.0, -18.0, -18.0, -2.0]);
        // What a Softmax sees stays, however far it is.
        let logits = [0.0, -103.0, -50.0];
        assert_eq!(rows.shown(&logits).as_ref(), logits);
        // Nothing counts; no number; the other end.
        let nothing = [f32::NEG_INFINITY; 3];
        assert_eq!(rows.shown(&nothing).as_ref(), nothing);
        assert!(rows.shown(&[f32::NAN, 0.0, -1e9]).as_ref()[0].is_nan());
        assert_eq!(rows.shown(&[f32::INFINITY, 0.0, 1.0]).as_ref()[0], f32::INFINITY);
    }

    #[test]
    fn rows_may_lie_across() {
        let columns = SoftmaxRows { length: 2, stride: 3 };
        let values = [0.0, 1.0, -1e9, -1e9, 2.0, 5.0];
        assert_eq!(columns.shown(&values).as_ref(), [0.0, 1.0, -11.0, -16.0, 2.0, 5.0]);
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
