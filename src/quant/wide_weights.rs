//! Weights that a network holds as integers of 16 bits.

use super::{
    groups::ScaleGroups,
    linear::{LinearLayer, weights_of},
    rules::WIDE_BITS,
    split_weights::split_weights,
    thresholds::{ThresholdRange, Thresholds, range_here, value_name, write_range},
};
use hb_dialects::{
    ir::{self, IrError, OperationAttributes},
    names::{SUM_OF_PARTS, WIDE},
    pass::PassFailure,
};
use melior::ir::{OperationRef, operation::OperationLike};
use std::collections::BTreeSet;

/// The part of a layer that has what rounding to int8 left may be larger than its weights say: its own rounding to int8.
const ROUNDING: f64 = 1.0 + 1.0 / 127.0;

/// Makes each layer whose weights the network holds as integers of 16 bits the sum of two; gives their names.
///
/// # Errors
/// When attributes or types cannot be read.
pub fn split_wide_weights(function: OperationRef<'_, '_>) -> Result<Vec<String>, IrError> {
    let mut layers = BTreeSet::new();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if LinearLayer::of(function, operation)?.is_some()
            && ir::defining_operation(operation.operand_at(1)?).is_some_and(|weights| weights.has_attribute(WIDE))
        {
            layers.insert(operation.node());
        }
    }
    split_weights(function, &layers)?;
    Ok(layers.into_iter().collect())
}

/// The ranges of the parts of layers, as far as they follow from those of the layers' inputs and results: no sample is needed. What is small of the sum is at most
/// `L`, the sum of the magnitudes of its weights times the largest input. What is large reaches `2 L` beyond the result: where it ends, the sum does, too.
///
/// # Errors
/// When attributes or types cannot be read.
pub(super) fn part_ranges(function: OperationRef<'_, '_>) -> Result<Thresholds, PassFailure> {
    let groups = ScaleGroups::of(function)?;
    let here = |value| range_here(function, groups.source(value)).map_err(PassFailure::Message);
    let mut ranges = Thresholds::new();
    for sum in ir::body(function).map(ir::operations).unwrap_or_default() {
        if !sum.has_attribute(SUM_OF_PARTS) {
            continue;
        }
        let [high, low] = [sum.operand_at(0)?, sum.operand_at(1)?];
        let Some(part) = ir::defining_operation(low) else { continue };
        let (Some(input), None) = (here(part.operand_at(0)?)?, here(low)?) else { continue };
        let reach = largest_sum(function, part)? * (input.threshold + input.affine().scale) * ROUNDING;
        let mut said = vec![(low, reach)];
        for result in ir::results(sum) {
            said.extend(here(result)?.map(|range| (high, range.threshold + 2.0 * reach)));
        }
        for (value, threshold) in said {
            let range = ThresholdRange { threshold, bits: WIDE_BITS, narrow_threshold: None, zero_point: 0 };
            write_range(function, value, range);
            ranges.insert(value_name(function, value), range);
        }
    }
    Ok(ranges)
}

/// The largest sum of the magnitudes of the weights of a row.
fn largest_sum(function: OperationRef<'_, '_>, part: OperationRef<'_, '_>) -> Result<f64, IrError> {
    let (Some(layer), Some(weights)) = (LinearLayer::of(function, part)?, weights_of(part)?) else { return Ok(0.0) };
    let weights = weights.f32s()?;
    let rows = layer.by_row(&weights)?;
    let sum = |row: ndarray::ArrayView1<'_, f32>| row.iter().map(|weight| f64::from(weight.abs())).sum::<f64>();
    Ok(rows.rows().into_iter().map(sum).fold(0.0, f64::max))
}
