//! `bpu-assign-placement`: what runs on the BPU, and why the rest does not.

use super::{builder::Builder, operators};
use crate::bpu::constraints;
use crate::quant::rules::float_form;
use hb_dialects::{
    ir::{self, OperationAttributes, attribute},
    pass::{Options, PassDefinition, PassFailure},
};
use melior::ir::OperationRef;
use std::collections::HashMap;

/// The attribute that says where an operation runs: `bpu` or `cpu`.
pub const PLACEMENT: &str = "hfloat.placement";
/// The attribute that says why an operation runs on the CPU.
pub const REASON: &str = "hfloat.placement_reason";

pub static PASS: PassDefinition = PassDefinition {
    argument: "bpu-assign-placement",
    summary: "Decide which operations run on the BPU",
    description: "The assign step of placement. An operation whose operands and result are quantized, that has a hardware form, \
and that keeps every constraint of `docs/operators.md` gets `hfloat.placement = \"bpu\"`. Every other one gets `\"cpu\"` and, as \
`hfloat.placement_reason`, the sentence that says why. A placement of `cpu` that is already there stays.",
    anchor: "func.func",
    options: &[],
    run,
};

/// Where an operation runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// On the BPU.
    Bpu,
    /// On the CPU.
    Cpu {
        /// Why not on the BPU, in a sentence.
        reason: String,
    },
}

/// The placement that was assigned to an operation.
pub fn placement_of(operation: OperationRef<'_, '_>) -> Option<Placement> {
    match operation.string(PLACEMENT).ok()?.as_str() {
        "bpu" => Some(Placement::Bpu),
        _ => Some(Placement::Cpu { reason: operation.string(REASON).unwrap_or_default() }),
    }
}

fn run(function: OperationRef<'_, '_>, _options: &Options) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    for operation in ir::operations(block) {
        let name = operation.operation_name();
        if !name.starts_with("hfloat.") || name == "hfloat.constant" || placement_of(operation).is_some() {
            continue;
        }
        let context = operation.context_reference();
        let (place, reason) = match check(operation) {
            Ok(()) => ("bpu", None),
            Err(reason) => ("cpu", Some(reason)),
        };
        ir::set_attribute(operation, PLACEMENT, attribute::string(context, place));
        if let Some(reason) = reason {
            ir::set_attribute(operation, REASON, attribute::string(context, &reason));
        }
    }
    Ok(())
}

/// Lowers the operation alone and asks the constraints about every node. A form that quantization leaves to floats is none of the BPU,
/// also where its operand and result happen to be quantized for the sake of other operations.
fn check(operation: OperationRef<'_, '_>) -> Result<(), String> {
    if let Some(reason) = float_form(operation).map_err(|error| error.to_string())? {
        return Err(reason.to_owned());
    }
    let mut builder = Builder::new(HashMap::new());
    operators::lower(&mut builder, operation)?;
    builder.segment.verify().map_err(|error| error.to_string())?;
    for node in &builder.segment.nodes {
        constraints::explain(&builder.segment, node).map_err(|broken| broken.join(" "))?;
    }
    Ok(())
}
