//! `quant-take-scales`: what a network says of its own integers.

use super::{
    groups::ScaleGroups,
    requests::round_result,
    rules::{ACTIVATION_BITS, ResultScale, WIDE_BITS, rule_of},
    thresholds::{ThresholdRange, Thresholds, range_here, value_name, write_range},
};
use crate::numerics::{largest_integer, threshold_of_affine};
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, Affine, IrError, OperationAttributes},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, Value, ValueLike};
use std::collections::{BTreeMap, HashMap};

pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-take-scales",
    summary: "Take the scales that a network brings",
    description: "A value that goes through `hfloat.quantize_linear` and `hfloat.dequantize_linear` of the same constant scale and zero point is read as it is, \
and the integers are what quantization will make of it: `hfloat.threshold`, `hfloat.bits` and `hfloat.zero_point` of the value whose scale it has say so. So they do of a \
value that only one of both is about. Integers also clip: a pair stays where its value would be real numbers for some reader, or where another range holds that \
ends later. uint8 becomes int8, whose zero point is lower by 128. Where two scales are said of values that share one, the first holds.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    take_scales(function).map(|_| ())
}

/// What a network says of its own integers.
#[derive(Debug, Default)]
pub struct TakenScales {
    /// The ranges of values by their names.
    pub ranges: Thresholds,
    /// By the names of values: the node whose result was what the network made of the value. Integers also clip, so that it may be all that
    /// is left of a Relu.
    pub shown_by: BTreeMap<String, String>,
}

/// Does what the pass does.
///
/// # Errors
/// When attributes or types cannot be read.
pub fn take_scales(function: OperationRef<'_, '_>) -> Result<TakenScales, PassFailure> {
    round_results(function)?;
    let mut taken = TakenScales::default();
    let mut said: Vec<(Value<'_, '_>, ThresholdRange)> = Vec::new();
    let mut firsts =
        FirstRanges { function, groups: ScaleGroups::of(function)?, gone: HashMap::new(), first: HashMap::new() };
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        let Some(range) = range_of(operation)? else { continue };
        let operand = operation.operand_at(0)?;
        if Op::QuantizeLinear.is(operation) {
            said.push((operand, range));
            continue;
        }
        let result = operation.result(0).map_err(|error| PassFailure::Message(error.to_string()))?.into();
        let Some(quantize) = quantize_of(operand, range)? else {
            said.push((result, range));
            continue;
        };
        let value = quantize.operand_at(0)?;
        let is_real = !has_integers(value, result, range)?;
        if is_real || clips_more(range, firsts.of(value, range)?) {
            said.push((result, range));
            if !is_real {
                // What is before the pair keeps its own range.
                said.retain(|(said, of)| address(*said) != address(value) || *of != range);
            }
            continue;
        }
        firsts.gone.insert(address(result), value);
        taken.shown_by.entry(value_name(function, value)).or_insert_with(|| operation.node());
        ir::replace_all_uses(result, value);
        // SAFETY: nothing reads its result any more, and the walk is past it.
        unsafe { ir::erase(operation) };
        if ir::users(operand).is_empty() {
            // SAFETY: as above.
            unsafe { ir::erase(quantize) };
        }
    }
    taken.ranges = write_ranges(function, said)?;
    Ok(taken)
}

/// What the network makes integers of is wanted as such, also where it ends the network. Which pairs stay depends on that, so it is known first.
fn round_results(function: OperationRef<'_, '_>) -> Result<(), PassFailure> {
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if Op::QuantizeLinear.is(operation)
            && range_of(operation)?.is_some()
            && let Some(by) = ir::defining_operation(operation.operand_at(0)?)
        {
            round_result(by)?;
        }
    }
    Ok(())
}

/// Writes the ranges of values whose scales were said, the first of each.
fn write_ranges(
    function: OperationRef<'_, '_>,
    said: Vec<(Value<'_, '_>, ThresholdRange)>,
) -> Result<Thresholds, IrError> {
    let groups = ScaleGroups::of(function)?;
    let mut ranges = Thresholds::new();
    for (value, range) in said {
        let source = groups.source(value);
        let name = value_name(function, source);
        let first = *ranges.entry(name.clone()).or_insert(range);
        if first == range {
            write_range(function, source, range);
        } else {
            let [kept, other] = [first, range].map(|range| range.affine().scale);
            tracing::info!(
                "the value of '{name}' has the scale {kept} wherever it goes; the network says {other}, too"
            );
        }
    }
    Ok(ranges)
}

/// The `quantize_linear` of these integers, if it has this range.
fn quantize_of<'c: 'a, 'a>(
    integers: Value<'c, 'a>,
    range: ThresholdRange,
) -> Result<Option<OperationRef<'c, 'a>>, IrError> {
    let Some(by) = ir::defining_operation(integers).filter(|by| Op::QuantizeLinear.is(*by)) else { return Ok(None) };
    Ok((range_of(by)? == Some(range)).then_some(by))
}

fn address(value: Value<'_, '_>) -> usize {
    value.to_raw().ptr as usize
}

/// The ranges that hold because they are said first, while pairs go.
struct FirstRanges<'c, 'a> {
    function: OperationRef<'c, 'a>,
    /// As the network was, where each pair ends a group.
    groups: ScaleGroups<'c, 'a>,
    /// By the address of the result of a pair that is gone: the value that is read in its place.
    gone: HashMap<usize, Value<'c, 'a>>,
    /// By the address of the value whose scale others have.
    first: HashMap<usize, ThresholdRange>,
}

impl<'c, 'a> FirstRanges<'c, 'a> {
    /// The range of a value, which is `range` if it has none yet.
    fn of(&mut self, value: Value<'c, 'a>, range: ThresholdRange) -> Result<ThresholdRange, PassFailure> {
        let mut source = self.groups.source(value);
        while let Some(kept) = self.gone.get(&address(source)) {
            source = self.groups.source(*kept);
        }
        let assigned = range_here(self.function, source).map_err(PassFailure::Message)?;
        Ok(*self.first.entry(address(source)).or_insert(assigned.unwrap_or(range)))
    }
}

/// Whether a value will have integers of this range wherever it is read, so that they clip it as the pair that gives `result` does: because what
/// computes it gives integers, or all that reads it sees such.
fn has_integers(value: Value<'_, '_>, result: Value<'_, '_>, range: ThresholdRange) -> Result<bool, IrError> {
    let mut maker = ir::defining_operation(value);
    while let Some(operation) = maker {
        let Some(rule) = rule_of(operation)? else { break };
        match rule.result(operation)? {
            ResultScale::LikeInput => maker = ir::defining_operation(operation.operand_at(0)?),
            scale => return Ok(scale == ResultScale::Own),
        }
    }
    sees_integers(result, range)
}

/// Whether all that reads a value sees integers, or clips to this range itself.
fn sees_integers(value: Value<'_, '_>, range: ThresholdRange) -> Result<bool, IrError> {
    for reader in ir::users(value) {
        let sees = match rule_of(reader)? {
            Some(rule) => match rule.result(reader)? {
                ResultScale::OwnOrFloat => false,
                ResultScale::LikeInput => {
                    let mut results = ir::results(reader).into_iter();
                    results.try_fold(true, |all, result| Ok::<_, IrError>(all && sees_integers(result, range)?))?
                }
                ResultScale::Own | ResultScale::OwnOrExact => true,
            },
            None => Op::QuantizeLinear.is(reader) && range_of(reader)? == Some(range),
        };
        if !sees {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a range ends before another one does.
fn clips_more(range: ThresholdRange, other: ThresholdRange) -> bool {
    let ends = |range: ThresholdRange| {
        let (Affine { scale, zero_point }, last) = (range.affine(), largest_integer(range.bits));
        let zero_point = f64::from(zero_point);
        [(-last - 1.0 - zero_point) * scale, (last - zero_point) * scale]
    };
    let ([low, high], [other_low, other_high], step) = (ends(range), ends(other), range.affine().scale);
    low > other_low + step || high < other_high - step
}

/// The range of the reals beside a `quantize_linear` or `dequantize_linear` whose one scale and zero point are constant and have a form.
fn range_of(operation: OperationRef<'_, '_>) -> Result<Option<ThresholdRange>, IrError> {
    if !matches!(Op::of(operation), Some(Op::QuantizeLinear | Op::DequantizeLinear)) {
        return Ok(None);
    }
    let [scale, zero_point] = [operation.operand_at(1)?, operation.operand_at(2)?].map(ir::constant_of);
    let (Some(scale), Some(zero_point)) = (scale, zero_point) else { return Ok(None) };
    let (scales, zero_points) = (scale.f32s()?, zero_point.to_i64s()?);
    let (&[scale], &[zero_point]) = (scales.as_ref(), zero_points.as_slice()) else { return Ok(None) };
    let (bits, middle) = match zero_point_type(operation)? {
        Some(ElementType::I8) => (ACTIVATION_BITS, 0),
        Some(ElementType::U8) => (ACTIVATION_BITS, 128),
        Some(ElementType::I16) => (WIDE_BITS, 0),
        Some(ElementType::U16) => (WIDE_BITS, 1 << 15),
        _ => return Ok(None),
    };
    let Ok(zero_point) = i32::try_from(zero_point - middle) else { return Ok(None) };
    // Integers of 16 bits have the zero point 0.
    if !(scale.is_normal() && scale > 0.0) || (bits == WIDE_BITS && zero_point != 0) {
        return Ok(None);
    }
    let threshold = threshold_of_affine(Affine { scale: f64::from(scale), zero_point }, bits);
    Ok(Some(ThresholdRange { threshold, bits, narrow_threshold: None, zero_point }))
}

fn zero_point_type(operation: OperationRef<'_, '_>) -> Result<Option<ElementType>, IrError> {
    Ok(ir::TensorType::from_type(operation.operand_at(2)?.r#type())?.element.plain())
}
