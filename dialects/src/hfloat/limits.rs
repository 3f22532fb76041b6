//! How large a number that is known only when the network runs can be.

use super::{Op, attributes};
use crate::{
    ElementType,
    ir::{OperationAttributes, TensorType, constant_of, defining_operation},
};
use melior::ir::{Value, ValueLike, operation::OperationLike};

/// So many operations are looked at: a value may be reached on very many ways.
const MOST_OPERATIONS: usize = 256;

/// More sizes than this are no shape of a tensor.
const MOST_SIZES: usize = 64;

/// The largest value that any element of an integer tensor can have, as far as its definition tells: a constant, what `min` and
/// `clip` leave of one, or what its element type holds. `None` when nothing bounds it.
pub fn upper_bound(value: Value<'_, '_>) -> Option<i64> {
    bound_of(value, &mut { MOST_OPERATIONS })
}

/// `left` is how many operations may be looked at yet.
fn bound_of(value: Value<'_, '_>, left: &mut usize) -> Option<i64> {
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
    let mut found = || {
        *left = left.checked_sub(1)?;
        let operation = defining_operation(value)?;
        let operand = |index: usize| operation.operand_at(index).ok();
        match Op::of(operation)? {
            Op::Min => least(&mut operation.operands().map(|operand| bound_of(operand, left))),
            Op::Clip => least(&mut [operand(0)?, operand(2)?].into_iter().map(|value| bound_of(value, left))),
            Op::Max => most(&mut operation.operands().map(|operand| bound_of(operand, left))),
            Op::Where => {
                let chosen = [operand(1)?, operand(2)?];
                let bounds = &mut chosen.into_iter().map(|value| bound_of(value, left));
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
            | Op::Expand => bound_of(operand(0)?, left),
            Op::Cast => {
                let source = operand(0)?;
                let integers = !TensorType::from_type(source.r#type()).ok()?.element.is_float();
                if integers { bound_of(source, left) } else { None }
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

/// The dimensions of a tensor whose sizes are the elements of `value`, where these are made of the shapes of tensors and of constants: known ones, and bounds of
/// those that are known only when the network runs. `None` where something else may be among them, which could be negative.
pub(super) fn shape_bounds(value: Value<'_, '_>) -> Option<TensorType> {
    let sizes = sizes_in(value, &mut { MOST_OPERATIONS })?;
    let (bounds, unknown): (Vec<u64>, Vec<bool>) = sizes.into_iter().map(|size| (size.bound, size.is_unknown)).unzip();
    Some(TensorType::bounded(ElementType::I64, &bounds, &unknown))
}

/// A size, or the bound of one.
#[derive(Clone, Copy)]
struct BoundedSize {
    bound: u64,
    is_unknown: bool,
}

/// The sizes in a vector, or the one that a scalar is. `left` is how many operations may be looked at yet.
fn sizes_in(value: Value<'_, '_>, left: &mut usize) -> Option<Vec<BoundedSize>> {
    *left = left.checked_sub(1)?;
    let r#type = TensorType::from_type(value.r#type()).ok()?;
    let (shape, element) = (r#type.static_shape().ok()?, r#type.element.plain()?);
    // In a matrix of sizes axes would count.
    if shape.len() > 1 || shape.first().is_some_and(|count| *count > MOST_SIZES) {
        return None;
    }
    let Some(constant) = constant_of(value) else { return made_sizes(value, element, left) };
    let known = |size| Some(BoundedSize { bound: u64::try_from(size).ok()?, is_unknown: false });
    constant.to_i64s().ok()?.into_iter().map(known).collect()
}

/// The same of what an operation gives.
fn made_sizes(value: Value<'_, '_>, element: ElementType, left: &mut usize) -> Option<Vec<BoundedSize>> {
    let operation = defining_operation(value)?;
    let operand = operation.operand_at(0).ok()?;
    let integers = |index| constant_of(operation.operand_at(index).ok()?)?.to_i64s().ok();
    match Op::of(operation)? {
        Op::Shape => {
            let r#type = TensorType::from_type(operand.r#type()).ok()?;
            let all = r#type.dimensions.as_ref()?.iter().zip(r#type.bound_shape()?);
            let all =
                all.map(|(size, bound)| BoundedSize { bound: bound as u64, is_unknown: size.is_none() }).collect();
            part_of(all, attributes::start(operation).ok()?, attributes::end(operation).ok()?.unwrap_or(i64::MAX))
        }
        Op::Identity | Op::Reshape | Op::Squeeze | Op::Unsqueeze => sizes_in(operand, left),
        Op::Cast => {
            let most = largest_exact(element)?;
            sizes_in(operand, left).filter(|sizes| sizes.iter().all(|size| size.bound <= most))
        }
        Op::Concat => {
            let parts: Option<Vec<_>> = operation.operands().map(|part| sizes_in(part, left)).collect();
            Some(parts?.concat())
        }
        Op::Slice => match (&*integers(1)?, &*integers(2)?, &*integers(4)?) {
            (&[start], &[end], &[1]) => part_of(sizes_in(operand, left)?, start, end),
            _ => None,
        },
        Op::Gather => {
            let all = sizes_in(operand, left)?;
            let place = |index: i64| if index < 0 { index.saturating_add(all.len() as i64) } else { index };
            integers(1)?.into_iter().map(|index| all.get(usize::try_from(place(index)).ok()?).copied()).collect()
        }
        _ => None,
    }
}

/// Every size up to this one is a number of an element type; none of types that hold few.
fn largest_exact(element: ElementType) -> Option<u64> {
    match element {
        ElementType::I64 => Some(i64::MAX as u64),
        ElementType::I32 => Some(i32::MAX as u64),
        ElementType::F32 => Some(1 << f32::MANTISSA_DIGITS),
        _ => None,
    }
}

/// Those from `start` to before `end`, which may count from the end.
fn part_of(all: Vec<BoundedSize>, start: i64, end: i64) -> Option<Vec<BoundedSize>> {
    let count = all.len() as i64;
    let place = |index: i64| (if index < 0 { index.saturating_add(count) } else { index }).clamp(0, count) as usize;
    Some(all.get(place(start)..place(end).max(place(start)))?.to_vec())
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
