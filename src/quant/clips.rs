//! Where integers of a network end before those of the value do that it becomes here: a Clip, in the operation before it where that has one.

use super::rules::{ResultScale, rule_of};
use crate::float::constant_before;
use hb_dialects::{
    ElementType,
    hfloat::{Op, ResultMap, attributes},
    ir::{self, IrError, Names, OperationAttributes, TensorType},
    pass::PassFailure,
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// Whether a value may lie beyond an interval, for all that what computes it says.
pub(super) fn may_leave(value: Value<'_, '_>, interval: (f64, f64)) -> Result<bool, IrError> {
    // The bounds of a Clip are f32.
    let (low, high) = (f64::from(interval.0 as f32), f64::from(interval.1 as f32));
    let mut maker = ir::defining_operation(value);
    while let Some(operation) = maker {
        let (least, largest) = bounds(operation)?;
        if least >= low && largest <= high {
            return Ok(false);
        }
        let moves = rule_of(operation)?.map(|rule| rule.result(operation)).transpose()? == Some(ResultScale::LikeInput);
        maker = if moves { ir::defining_operation(operation.operand_at(0)?) } else { None };
    }
    Ok(true)
}

/// Between which numbers the results of an operation lie, whatever it reads.
fn bounds(operation: OperationRef<'_, '_>) -> Result<(f64, f64), IrError> {
    if let Some(clamp) = attributes::activation(operation)? {
        return Ok(clamp);
    }
    let bound = |index| {
        let constant = operation.operand(index).ok().and_then(ir::constant_of);
        constant.and_then(|constant| constant.f32s().ok()?.first().copied()).map(f64::from)
    };
    let bounds = match Op::of(operation) {
        Some(Op::Relu | Op::Abs | Op::Exp | Op::Sqrt | Op::Softplus) => (0.0, f64::INFINITY),
        Some(Op::Sigmoid | Op::HardSigmoid | Op::Softmax) => (0.0, 1.0),
        Some(Op::Tanh) => (-1.0, 1.0),
        Some(Op::Clip) => (bound(1).unwrap_or(f64::NEG_INFINITY), bound(2).unwrap_or(f64::INFINITY)),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let Some(ResultMap { scale, shift }) = ResultMap::of(operation)? else { return Ok(bounds) };
    let (one, other) = (bounds.0 * scale + shift, bounds.1 * scale + shift);
    Ok((one.min(other), one.max(other)))
}

/// Puts a Clip of a value behind an operation.
pub(super) fn clip_after<'c, 'a>(
    place: OperationRef<'c, 'a>,
    value: Value<'c, 'a>,
    (low, high): (f64, f64),
    names: &mut Names,
) -> Result<OperationRef<'c, 'a>, PassFailure> {
    let context = place.context_reference();
    let scalar = TensorType::new(ElementType::F32, &[]);
    let mut operands = vec![value];
    for (bound, name) in [(low, "low"), (high, "high")] {
        operands.push(constant_before(place, name, &scalar, &[bound as f32])?);
    }
    let location = names.derive(&place.origin(), "clip").location(context);
    let clip = ir::build(context, Op::Clip.name(), &operands, &[], &[value.r#type()], vec![], location)?;
    Ok(ir::insert_after(place, clip))
}
