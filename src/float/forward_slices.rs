//! `hfloat-forward-slices`: what is cut out of a concat is cut out of the operand that it came from.

use super::expand_splits::indices_before;
use hb_dialects::{
    hfloat::{Op, SliceRange, attributes, normalize_axis, slice_ranges},
    ir::{self, OperationAttributes, TensorType},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-forward-slices",
    summary: "Let slices of a concat read its operand",
    description: "A `slice` of a `concat` whose elements all come from one operand becomes a slice of that operand, and nothing where it takes all of \
it. The operands of a `concat` share one scale as integers: what is joined only to be taken apart again would lose the digits of the smaller part.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    for operation in ir::operations(block) {
        let mut slice = Some(operation).filter(|operation| Op::Slice.is(*operation));
        // The operand may be a concat again.
        while let Some(next) = slice {
            slice = forward(next)?;
        }
    }
    Ok(())
}

/// The part of a concat's operand that a slice of it shows.
struct Part<'c, 'a> {
    operand: Value<'c, 'a>,
    ranges: Vec<SliceRange>,
}

/// Replaces a slice of a concat by one of the operand.
fn forward<'c, 'a>(slice: OperationRef<'c, 'a>) -> Result<Option<OperationRef<'c, 'a>>, PassFailure> {
    let Some(Part { operand, ranges }) = part_of(slice)? else { return Ok(None) };
    // The end of a range that goes backwards to the first element is what no size reaches.
    let end = |range: &SliceRange| {
        let end = range.start.saturating_add(range.step.saturating_mul(range.count as i64));
        if end < 0 { i64::MIN } else { end }
    };
    let columns: [(&str, Vec<i64>); 4] = [
        ("starts", ranges.iter().map(|range| range.start).collect()),
        ("ends", ranges.iter().map(end).collect()),
        ("axes", (0..ranges.len() as i64).collect()),
        ("steps", ranges.iter().map(|range| range.step).collect()),
    ];
    let context = slice.context_reference();
    let mut operands = vec![operand];
    for (suffix, values) in &columns {
        operands.push(indices_before(slice, suffix, values)?);
    }
    let types: Vec<_> = ir::results(slice).iter().map(|result| result.r#type()).collect();
    let new = ir::build(context, Op::Slice.name(), &operands, &[], &types, vec![], slice.location())?;
    let new = ir::insert_before(slice, new);
    for (old, new) in ir::results(slice).into_iter().zip(ir::results(new)) {
        ir::replace_all_uses(old, new);
    }
    // SAFETY: its results are replaced, and the walk over the block is past it.
    unsafe { ir::erase(slice) };
    Ok(Some(new))
}

/// The part of one operand that holds all elements of a slice of a concat; none of other slices.
fn part_of<'c, 'a>(slice: OperationRef<'c, 'a>) -> Result<Option<Part<'c, 'a>>, PassFailure> {
    let fail = |reason: String| PassFailure::Message(format!("node '{}' {reason}", slice.node()));
    let concat = ir::defining_operation(slice.operand_at(0)?).filter(|operation| Op::Concat.is(*operation));
    let Some(concat) = concat else { return Ok(None) };
    let ranges = slice_ranges(slice).map_err(fail)?.unwrap_or_default();
    let Some(mut ranges) = ranges.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
    let axis = normalize_axis(attributes::axis(concat)?, ranges.len()).map_err(fail)?;
    let Some(range) = ranges.get_mut(axis).filter(|range| range.count > 0) else { return Ok(None) };
    let last = range.start.saturating_add(range.step.saturating_mul(range.count as i64 - 1));
    let (lowest, highest) = (range.start.min(last), range.start.max(last));
    let mut offset = 0i64;
    for operand in concat.operands() {
        let shape = TensorType::from_type(operand.r#type())?.static_shape().ok();
        let Some(&size) = shape.as_ref().and_then(|shape| shape.get(axis)) else { return Ok(None) };
        let next = offset.saturating_add(size as i64);
        if (offset..next).contains(&lowest) && highest < next {
            range.start -= offset;
            return Ok(Some(Part { operand, ranges }));
        }
        offset = next;
    }
    Ok(None)
}
