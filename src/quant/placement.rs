//! `quant-assign-placement`: what will run on the BPU, decided before quantization.

use super::rules::{ACTIVATION_BITS, row_of};
use crate::bpu::lower::{Placement, place, placement_of};
use hb_dialects::{
    ir,
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::OperationRef;

pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-assign-placement",
    summary: "Decide before quantization which operations can run on the BPU",
    description: "Asks the BPU for its form of every operation that could be quantized, with int8 activations and scales that are not \
known yet. One that has a form gets `hfloat.placement = \"bpu\"`. Every other one gets `\"cpu\"` and, as \
`hfloat.placement_reason`, the sentence that says why: it stays float. A placement of `cpu` that is already there stays.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    for operation in ir::operations(block) {
        if matches!(placement_of(operation), Some(Placement::Cpu { .. })) {
            continue;
        }
        if let Some(rule) = row_of(operation)? {
            let placement = match rule.form(operation, ACTIVATION_BITS)? {
                Ok(()) => Placement::Bpu,
                Err(reason) => Placement::Cpu { reason },
            };
            place(operation, &placement);
        }
    }
    Ok(())
}
