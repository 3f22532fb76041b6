//! `bpu-assign-placement`: what runs on the BPU, and why the rest does not.

use super::{
    form::form_of_casts,
    operators::{self, Engines},
    typing::Typing,
    values::Output,
};
use crate::bpu::constraints::Known;
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, OperationAttributes, TensorType, attribute},
    names::{BATCH, ENGINE, PLACEMENT, PLACEMENT_REASON},
    pass::{PassDefinition, PassFailure, PassOptions},
    quant,
    registry::ResultScale,
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

pub static PASS: PassDefinition = PassDefinition {
    argument: "bpu-assign-placement",
    summary: "Decide which operations run on the BPU",
    description: "The assign step of placement. An operation whose operands and result are quantized, that has a hardware form, \
and that keeps every constraint of `docs/operators.md` gets `hfloat.placement = \"bpu\"`. Every other one gets `\"cpu\"` and, as \
`hfloat.placement_reason`, the sentence that says why. A placement of `cpu` that is already there stays. Of an operation that has a form for \
integers, but not for these, or that sees float16, `hfloat.engine = \"vpu\"` says that the float engine computes it.\n\n\
Of a network that `hfloat-set-batch` made one of several samples, an operation that has the placement `bpu` already must keep it: on the CPU \
it would round otherwise than for one sample.",
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
        _ => Some(Placement::Cpu { reason: operation.string(PLACEMENT_REASON).unwrap_or_default() }),
    }
}

/// The engines that were assigned to an operation on the BPU.
pub(super) fn engines_of(operation: OperationRef<'_, '_>) -> Engines {
    let is_float = operation.has_attribute(ENGINE) || !operators::is_on(operation, Engines::Integer);
    if is_float { Engines::Float } else { Engines::Integer }
}

/// Writes where an operation runs, instead of what it had.
pub fn place(operation: OperationRef<'_, '_>, placement: &Placement) {
    let context = operation.context_reference();
    ir::remove_attribute(operation, PLACEMENT_REASON);
    let place = match placement {
        Placement::Bpu => "bpu",
        Placement::Cpu { reason } => {
            ir::set_attribute(operation, PLACEMENT_REASON, attribute::string(context, reason));
            "cpu"
        }
    };
    ir::set_attribute(operation, PLACEMENT, attribute::string(context, place));
}

/// Whether all that must be integers is: otherwise it runs on the CPU for one sample, too.
fn is_quantized(operation: OperationRef<'_, '_>) -> bool {
    let varies = |value: Value<'_, '_>| {
        let float = TensorType::from_type(value.r#type()).is_ok_and(|r#type| r#type.element == ElementType::F32);
        float && ir::constant_of(value).is_none()
    };
    let mut operands = operation.operands().enumerate().filter(|(_, operand)| varies(*operand));
    let is_result = match Typing::Casts.output(operation) {
        Ok(Output::Quantized(_)) => true,
        // Only sums of products may stay sums, and only what the VPU computes may be f32.
        Ok(Output::Exact { .. }) => Op::of(operation).and_then(Op::quantization).is_some_and(|quantization| {
            matches!(quantization.result, ResultScale::OwnOrExact | ResultScale::OwnOrFloat)
        }),
        Err(_) => false,
    };
    is_result && operands.all(|(index, _)| Typing::Casts.operand(Known::Types, operation, index).is_ok())
}

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let samples = function.optional_integer(BATCH)?;
    let mut refused = false;
    for operation in ir::operations(block) {
        let before = placement_of(operation);
        let decided = matches!(before, Some(Placement::Cpu { .. }));
        if decided || matches!(Op::of(operation), None | Some(Op::Constant)) || quant::Op::is_cast(operation) {
            continue;
        }
        ir::remove_attribute(operation, ENGINE);
        let placement = match form_of_casts(operation) {
            Ok(form) => {
                // Where there is a choice, it is written down.
                if form.is_program() && operators::is_on(operation, Engines::Integer) {
                    ir::set_attribute(operation, ENGINE, attribute::string(operation.context_reference(), "vpu"));
                }
                Placement::Bpu
            }
            Err(reason) => Placement::Cpu { reason },
        };
        if let (Some(samples), Some(Placement::Bpu), Placement::Cpu { reason }) = (samples, before, &placement)
            && is_quantized(operation)
        {
            let node = operation.node();
            let message = format!(
                "node '{node}' runs on the BPU for one sample, but not for {samples} at once, so choose a smaller input_batch: {reason}"
            );
            ir::emit_error(operation.location(), &message);
            refused = true;
        }
        place(operation, &placement);
    }
    if refused { Err(PassFailure::Reported) } else { Ok(()) }
}
