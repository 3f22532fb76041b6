//! Regions on the way to static types: what passes do before they look at an `hfloat.if` or `hfloat.loop`.

use super::infer_shapes::run_block;
use hb_dialects::{
    hfloat::{Op, carried_count, infer_types, region_block, yielded},
    ir::{self, OperationAttributes, constant_of},
    pass::PassFailure,
};
use melior::ir::{BlockLike, BlockRef, OperationRef, Value, ValueLike, operation::OperationLike};

/// Where a walk goes on.
pub(super) enum Next<'c, 'a> {
    /// With the types of the operation itself.
    Infer,
    /// At this operation, or at the end of the block: the one that was asked about is gone.
    At(Option<OperationRef<'c, 'a>>),
}

/// Puts a branch that is always taken in the place of its operation; else gives the arguments of the regions the types of the
/// operands, and everything inside its types.
pub(super) fn prepare<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Next<'c, 'a>, PassFailure> {
    let is_if = is_if(operation);
    if is_if
        && let Some(condition) = constant_of(operation.operand_at(0)?)
        && condition.r#type.elements() == Some(1)
    {
        let taken = usize::from(condition.bytes.first() == Some(&0));
        return inline(operation, taken).map_err(|reason| failure(operation, &reason)).map(Next::At);
    }
    let passed = if is_if { 1 } else { 2 };
    // A loop's body takes the number of the iteration and the condition first.
    let own = if is_if { 0 } else { 2 };
    let carried = if is_if { Ok(0) } else { carried_count(operation) };
    let carried = carried.map_err(|reason| failure(operation, &reason))?;
    for index in 0..if is_if { 2 } else { 1 } {
        let block = region_block(operation, index).map_err(|reason| failure(operation, &reason))?;
        for (number, argument) in ir::arguments(block).into_iter().enumerate().skip(own) {
            let Ok(operand) = operation.operand_at(number - own + passed) else { continue };
            ir::set_result_type(argument, operand.r#type());
            if number - own >= carried {
                sink_constant(block, argument, operand);
            }
        }
        run_block(block)?;
    }
    Ok(Next::Infer)
}

fn is_if(operation: OperationRef<'_, '_>) -> bool {
    Op::of(operation) == Some(Op::If)
}

fn failure(operation: OperationRef<'_, '_>, reason: &str) -> PassFailure {
    let name = operation.operation_name();
    ir::emit_error(operation.location(), &format!("node '{}' ({name}): {reason}", operation.node()));
    PassFailure::Reported
}

/// A constant that a region captures is a constant inside of it: shapes there may depend on it. Its bytes are not copied.
fn sink_constant<'c>(block: BlockRef<'c, '_>, argument: Value<'c, '_>, operand: Value<'c, '_>) {
    let definition = ir::defining_operation(operand).filter(|operation| Op::of(*operation) == Some(Op::Constant));
    if let (Some(constant), Some(first), false) = (definition, block.first_operation(), ir::users(argument).is_empty())
    {
        let copy = ir::copy_before(first, constant);
        if let Some(value) = ir::results(copy).into_iter().next() {
            ir::replace_all_uses(argument, value);
        }
    }
}

/// Moves the operations of a region before its operation, which they replace. Gives the first of them, or what comes next.
fn inline<'c, 'a>(operation: OperationRef<'c, 'a>, index: usize) -> Result<Option<OperationRef<'c, 'a>>, String> {
    // The fault of a branch that cannot be built.
    infer_types(operation)?;
    let block = region_block(operation, index)?;
    for (number, argument) in ir::arguments(block).into_iter().enumerate() {
        ir::replace_all_uses(argument, operation.operand_at(number + 1).map_err(|error| error.to_string())?);
    }
    let values = yielded(block)?;
    let mut first = None;
    let inside = ir::operations(block);
    let end = inside.len().saturating_sub(1);
    for inner in inside.into_iter().take(end) {
        let moved = ir::move_before(operation, inner);
        first.get_or_insert(moved);
    }
    for (result, value) in ir::results(operation).into_iter().zip(values) {
        ir::replace_all_uses(result, value);
    }
    let next = first.or(operation.next_in_block());
    // SAFETY: its results have no readers any more, what was in its region has moved, and the walk goes on behind it.
    unsafe { ir::erase(operation) };
    Ok(next)
}
