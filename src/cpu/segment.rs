//! A `cpu.segment` as a module of its own, for the container.

use std::collections::HashMap;

use hb_dialects::ir::{self, IrError};
use hb_dialects::names::RETURN;
use hb_dialects::{cpu, hfloat};
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{
    Block, BlockLike, BlockRef, Location, Module, OperationRef, Region, RegionLike, Type, Value, ValueLike,
};

/// A module whose function `entry` computes what a `cpu.segment` does.
///
/// # Errors
/// When the segment has no body, or reads from outside.
pub fn segment_module<'c>(
    context: &'c Context,
    segment: OperationRef<'c, '_>,
    entry: &str,
) -> Result<Module<'c>, IrError> {
    let broken = |reason: &str| IrError::Segment { name: entry.to_owned(), reason: reason.to_owned() };
    let body = ir::body(segment).ok_or_else(|| broken("has no body"))?;
    let location = segment.location();
    let arguments: Vec<(Type<'_>, Location<'_>)> =
        ir::arguments(body).iter().map(|argument| (argument.r#type(), location)).collect();
    let block = Block::new(&arguments);
    // SAFETY: the block lives in the module that is built from it below.
    let inside = unsafe { BlockRef::from_raw(block.to_raw()) };
    let mut known: HashMap<usize, Value<'_, '_>> = HashMap::new();
    for (index, old) in ir::arguments(body).into_iter().enumerate() {
        let new = block.argument(index).map_err(|_| broken("has an argument without a copy"))?;
        known.insert(ir::address(old), new.into());
    }
    let mut results = Vec::new();
    for operation in ir::operations(body) {
        let operands: Option<Vec<_>> =
            operation.operands().map(|operand| known.get(&ir::address(operand)).copied()).collect();
        let operands = operands.ok_or_else(|| broken("reads from outside"))?;
        if cpu::Op::Yield.is(operation) {
            results = operands.iter().map(|operand| operand.r#type()).collect();
            block.append_operation(ir::build(context, RETURN, &operands, &[], &[], vec![], location)?);
            break;
        }
        let copy = ir::copy_into(inside, operation, operands);
        name_constants(copy, &format!("{entry}#{}", known.len()))?;
        for (old, new) in ir::results(operation).into_iter().zip(ir::results(copy)) {
            known.insert(ir::address(old), new);
        }
    }
    let types: Vec<_> = arguments.iter().map(|(r#type, _)| *r#type).collect();
    let function_type = melior::ir::r#type::FunctionType::new(context, &types, &results);
    let region = Region::new();
    region.append_block(block);
    let attributes = [
        ("sym_name", ir::attribute::string(context, entry)),
        ("function_type", melior::ir::attribute::TypeAttribute::new(function_type.into()).into()),
    ];
    let function = ir::build(context, "func.func", &[], &attributes, &[], vec![region], location)?;
    let module = Module::new(location);
    module.body().append_operation(function);
    Ok(module)
}

/// Gives the bytes of a constant, and of those in regions, a name that depends on its place alone: MLIR makes names unique among all
/// that the process has made.
fn name_constants(operation: OperationRef<'_, '_>, name: &str) -> Result<(), IrError> {
    let mut number = 0;
    for block in (0..).map_while(|index| hfloat::region_block(operation, index).ok()) {
        for inner in ir::operations(block) {
            number += 1;
            name_constants(inner, &format!("{name}.{number}"))?;
        }
    }
    if let Ok(value) = operation.attribute("value")
        && let Some(renamed) = ir::renamed_resource(value, name)?
    {
        ir::set_attribute(operation, "value", renamed);
    }
    Ok(())
}
