//! `bpu-verify`: the border after the integer level.

use super::{
    constraints::{self, Known},
    mlir,
};
use hb_dialects::{
    bpu::Op,
    cpu,
    ir::{self, Names, OperationAttributes},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, operation::OperationLike};

/// What `hb-opt` calls [`PASS`].
pub const PASS_NAME: &str = "bpu-verify";

/// `bpu-verify`
pub static PASS: PassDefinition = PassDefinition {
    argument: PASS_NAME,
    summary: "Check that a function is ready for the machine",
    description: "Only `bpu.segment`, `cpu.segment` and the return are left. Of every `bpu.segment` the plain model is well formed, \
and each of its nodes keeps every constraint of `docs/operators.md`. No two operations of all segments have one name. Run at the border between the bpu and the nash level.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let mut good = ir::names_are_unique(function, &mut Names::default());
    for operation in ir::operations(block) {
        if Op::Segment.is(operation) {
            good &= segment_is_good(operation);
        } else if !cpu::Op::Segment.is(operation) && operation.operation_name() != "func.return" {
            let name = operation.operation_name();
            let reason = format!("'{name}' is neither a segment nor the return; run bpu-form-segments first");
            ir::emit_error(operation.location(), &reason);
            good = false;
        }
    }
    if good { Ok(()) } else { Err(PassFailure::Reported) }
}

/// Reports what is wrong with a segment at the operations themselves.
fn segment_is_good(operation: OperationRef<'_, '_>) -> bool {
    let checked = mlir::from_mlir(operation).map_err(|error| error.to_string());
    let segment =
        match checked.and_then(|segment| segment.verify().map(|()| segment).map_err(|error| error.to_string())) {
            Ok(segment) => segment,
            Err(reason) => {
                ir::emit_error(operation.location(), &reason);
                return false;
            }
        };
    let mut good = true;
    // The model's nodes are the operations that compute, in the same order.
    let computing = ir::body(operation)
        .map(ir::operations)
        .unwrap_or_default()
        .into_iter()
        .filter(|operation| !matches!(Op::of(*operation), Some(Op::Constant | Op::Yield)));
    for (inner, node) in computing.zip(&segment.nodes) {
        if let Err(broken) = constraints::explain(&segment, node, Known::Values) {
            let what = node.operator.name();
            let reason = format!("node '{}' ({what}) cannot run on the BPU: {}", node.name, broken.join(" "));
            ir::emit_error(inner.location(), &reason);
            good = false;
        }
    }
    good
}
