//! `nash-verify`: programs are checked by the machine that would run them.

use super::machine::{Machine, SimError};
use crate::nash::mlir::{PROGRAM, ProgramMirrorError, march_of, program_from_mlir};
use hb_dialects::{
    cpu,
    ir::{self, Names, OperationAttributes},
    names::RETURN,
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, operation::OperationLike};

const CPU_SEGMENT: &str = cpu::Op::Segment.name();

/// The passes of this room.
pub const PASSES: &[&PassDefinition] = &[&VERIFY];

static VERIFY: PassDefinition = PassDefinition {
    argument: "nash-verify",
    summary: "Check programs of the machine for races",
    description: "The border after the `nash` level: only `nash.program` and `cpu.segment` are left, no instruction waits for ever, \
and every two instructions that touch the same bytes, one of them writing, are ordered by queues and waits; no byte is read \
that was never written. Names are unique among programs, what is inside CPU segments and what instructions belong to.",
    anchor: "func.func",
    options: &[],
    run: verify,
};

fn verify(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let mut names = Names::default();
    let mut good = ir::names_are_unique(function, &mut names);
    for operation in ir::operations(block) {
        let checked = match operation.operation_name().as_str() {
            PROGRAM => verify_program(operation, &mut names),
            CPU_SEGMENT | RETURN => Ok(()),
            name => Err(format!("'{name}' is left; only nash.program and cpu.segment may be")),
        };
        if let Err(reason) = checked {
            ir::emit_error(operation.location(), &reason);
            good = false;
        }
    }
    if good { Ok(()) } else { Err(PassFailure::Reported) }
}

fn verify_program(operation: OperationRef<'_, '_>, names: &mut Names) -> Result<(), String> {
    let text = |error: ProgramMirrorError| error.to_string();
    let target = march_of(operation).map_err(text)?.target().map_err(|error| error.to_string())?;
    let lowered = program_from_mlir(operation).map_err(text)?;
    if let Some(name) = lowered.program.names.iter().find(|name| !name.is_empty() && !names.take(name)) {
        return Err(format!(
            "the name '{name}' is given twice; everything that instructions belong to needs one of its own"
        ));
    }
    let checked = Machine::new(&lowered.program, &target).and_then(|machine| machine.check_races());
    checked.map_err(|error: SimError| error.to_string())
}
