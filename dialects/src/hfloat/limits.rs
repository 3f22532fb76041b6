//! How large a number that is known only when the network runs can be.

use super::Op;
use crate::{
    ElementType,
    ir::{OperationAttributes, TensorType, constant_of, defining_operation},
};
use melior::ir::{Value, ValueLike, operation::OperationLike};

/// Chains of operations are followed this far.
const DEEPEST: usize = 64;

/// The largest value that any element of an integer tensor can have, as far as its definition tells: a constant, what `min` and
/// `clip` leave of one, or what its element type holds. `None` when nothing bounds it.
pub fn upper_bound(value: Value<'_, '_>) -> Option<i64> {
    bound_of(value, DEEPEST)
}

fn bound_of(value: Value<'_, '_>, depth: usize) -> Option<i64> {
    if let Some(constant) = constant_of(value) {
        return constant.to_i64s().ok()?.into_iter().max();
    }
    let held = match TensorType::from_type(value.r#type()).ok()?.element.plain()? {
        ElementType::Bool => Some(1),
        ElementType::I8 => Some(i64::from(i8::MAX)),
        ElementType::U8 => Some(i64::from(u8::MAX)),
        ElementType::I16 => Some(i64::from(i16::MAX)),
        ElementType::U16 => Some(i64::from(u16::MAX)),
        _ => None,
    };
    let least = |bounds: &mut dyn Iterator<Item = Option<i64>>| bounds.flatten().min();
    let most = |bounds: &mut dyn Iterator<Item = Option<i64>>| bounds.collect::<Option<Vec<i64>>>()?.into_iter().max();
    let found = || {
        let depth = depth.checked_sub(1)?;
        let operation = defining_operation(value)?;
        let operand = |index: usize| operation.operand_at(index).ok();
        match Op::of(operation)? {
            Op::Min => least(&mut operation.operands().map(|operand| bound_of(operand, depth))),
            Op::Clip => least(&mut [operand(0)?, operand(2)?].into_iter().map(|value| bound_of(value, depth))),
            Op::Max => most(&mut operation.operands().map(|operand| bound_of(operand, depth))),
            Op::Where => {
                let chosen = [operand(1)?, operand(2)?];
                let bounds = &mut chosen.into_iter().map(|value| bound_of(value, depth));
                if is_smaller(operand(0)?, chosen) { least(bounds) } else { most(bounds) }
            }
            Op::Identity
            | Op::Reshape
            | Op::Squeeze
            | Op::Unsqueeze
            | Op::Gather
            | Op::Slice
            | Op::ReduceMax
            | Op::ReduceMin
            | Op::Expand => bound_of(operand(0)?, depth),
            Op::Cast => {
                let source = operand(0)?;
                let integers = !TensorType::from_type(source.r#type()).ok()?.element.is_float();
                if integers { bound_of(source, depth) } else { None }
            }
            Op::Shape => {
                let sizes = TensorType::from_type(operand(0)?.r#type()).ok()?.bound_shape()?;
                sizes.into_iter().max().and_then(|size| i64::try_from(size).ok())
            }
            _ => None,
        }
    };
    match (held, found()) {
        (Some(held), Some(found)) => Some(held.min(found)),
        (held, found) => held.or(found),
    }
}

/// Whether a condition that is true chooses the first value because it is the smaller one.
fn is_smaller(condition: Value<'_, '_>, [then, otherwise]: [Value<'_, '_>; 2]) -> bool {
    let Some(comparison) = defining_operation(condition) else { return false };
    let compares = |first: Value<'_, '_>, second: Value<'_, '_>| {
        let is = |index: usize, value: Value<'_, '_>| {
            comparison.operand_at(index).is_ok_and(|operand| operand.to_raw().ptr == value.to_raw().ptr)
        };
        is(0, first) && is(1, second)
    };
    match Op::of(comparison) {
        Some(Op::Less | Op::LessOrEqual) => compares(then, otherwise),
        Some(Op::Greater | Op::GreaterOrEqual) => compares(otherwise, then),
        _ => false,
    }
}
