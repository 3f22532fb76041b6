//! The rules of the `cpu` dialect.

use crate::ir::{self, OperationAttributes};
pub use operations::Op;

/// The registry of the dialect.
mod operations {
    crate::registry::dialect!("cpu_registry.rs");
}

use melior::ir::{BlockLike, OperationRef, RegionLike, ValueLike, operation::OperationLike};

/// Checks an operation; the message of an error follows its name.
pub(crate) fn verify(operation: OperationRef<'_, '_>) -> Result<(), String> {
    match Op::of(operation) {
        Some(Op::Segment) => verify_segment(operation),
        // Its segment is what checks it.
        Some(Op::Yield) | None => Ok(()),
    }
}

fn verify_segment(operation: OperationRef<'_, '_>) -> Result<(), String> {
    verify_segment_of(operation, &["hfloat", "quant", "cpu"])
}

/// A segment's block takes its operands, its yield gives its results, and its operations are of the dialects named.
///
/// # Errors
/// The first that does not hold, worded to follow the name of the operation.
pub fn verify_segment_of(operation: OperationRef<'_, '_>, dialects: &[&str]) -> Result<(), String> {
    let block = operation.region(0).ok().and_then(|region| region.first_block()).ok_or("has no body")?;
    if block.argument_count() != operation.operand_count() {
        return Err(format!(
            "has {} operands, but its body takes {} arguments",
            operation.operand_count(),
            block.argument_count()
        ));
    }
    for (index, operand) in operation.operands().enumerate() {
        let argument = block.argument(index).map_err(|error| error.to_string())?;
        if argument.r#type() != operand.r#type() {
            return Err(format!("operand {index} is {}, but the body takes {}", operand.r#type(), argument.r#type()));
        }
    }
    for inner in ir::operations(block) {
        let name = inner.operation_name();
        if !dialects.iter().any(|dialect| name.split('.').next() == Some(dialect)) {
            return Err(format!("holds '{name}', but only {} operations may be inside", dialects.join(" and ")));
        }
    }
    let end = block.terminator().ok_or("has no terminator")?;
    if end.operand_count() != operation.result_count() {
        return Err(format!("has {} results, but its body yields {}", operation.result_count(), end.operand_count()));
    }
    for (index, (yielded, result)) in end.operands().zip(operation.results()).enumerate() {
        if yielded.r#type() != result.r#type() {
            return Err(format!("result {index} is {}, but the body yields {}", result.r#type(), yielded.r#type()));
        }
    }
    Ok(())
}
