//! The rules of the `nash` dialect.

use super::{ProgramMirrorError, instruction_from_mlir, march_of, program_from_mlir};
use crate::nash::isa::ValidateError;
use hb_dialects::{
    hooks::Rules,
    ir::{self, OperationAttributes},
    nash::Op,
};
use melior::ir::{OperationRef, operation::OperationLike};

/// What [`hb_dialects::hooks::add`] takes.
pub const RULES: Rules = Rules {
    verify: |operation| match Op::of(operation) {
        Some(Op::Program) => verify_program(operation),
        _ => verify_instruction(operation),
    },
    fold: |_, _| None,
};

/// Fields are there and in the range of their types; the program checks them against the machine.
fn verify_instruction(operation: OperationRef<'_, '_>) -> Result<(), String> {
    instruction_from_mlir(operation).map(|_| ())
}

/// Called after the instructions were.
fn verify_program(operation: OperationRef<'_, '_>) -> Result<(), String> {
    let target = march_of(operation).and_then(|march| Ok(march.target()?)).map_err(|error| error.to_string())?;
    let lowered = match program_from_mlir(operation) {
        Ok(lowered) => lowered,
        Err(ProgramMirrorError::Instruction { index, reason }) => return report(operation, index, &reason),
        Err(error) => return Err(error.to_string()),
    };
    match lowered.program.validate(&target) {
        Ok(()) => Ok(()),
        Err(ValidateError::Instruction { index, reason, .. }) => report(operation, index, &reason),
        Err(error) => Err(error.to_string()),
    }
}

/// Reports at an instruction.
fn report(program: OperationRef<'_, '_>, index: usize, reason: &str) -> Result<(), String> {
    let inner = ir::body(program).and_then(|block| ir::operations(block).into_iter().nth(index));
    let inner = inner.ok_or_else(|| format!("instruction {index}: {reason}"))?;
    ir::emit_error(inner.location(), &format!("'{}' op {reason}", inner.operation_name()));
    Err(String::new())
}
