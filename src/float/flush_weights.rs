//! `hfloat-flush-weights`: weights of channels that training left to die become 0.

use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, OperationAttributes, TensorType},
    names::{SCALES, WIDE},
    pass::{PassDefinition, PassFailure, PassOptions},
    registry::Role,
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// Weights below this, 2^-100, become 0.
const LEAST: f32 = 1.0 / (1u128 << 100) as f32;
/// The largest of the weights must be so many times as large: where all of them are small, that may be what is meant.
const BELOW_LARGEST: f32 = (1u64 << 40) as f32;

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-flush-weights",
    summary: "Make weights 0 that are next to nothing",
    description: "Training leaves channels that nothing reads any more with weights of 1e-35 and less. They change no sum by more than 8e-31 times what they \
multiply, but what rounding makes of them are subnormal numbers (below 1.2e-38), of which a processor computes products many times slower: in every run of \
calibration, and in the exported models. Weights below 2^-100 become 0 where the largest of the constant is at least 2^40 times that, and layers \
read it as their weights and nothing else reads it. The integers of a network that brings its scales stay. The log says how many did.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let (mut flushed, mut constants) = (0, 0);
    for operation in ir::operations(block).into_iter().filter(|operation| Op::Constant.is(*operation)) {
        let count = flush(operation)?;
        flushed += count;
        constants += usize::from(count > 0);
    }
    if flushed > 0 {
        tracing::info!(
            "{flushed} weights of {constants} constants are next to nothing, as training leaves them of dead channels, and become 0; the log \
             file says which"
        );
    }
    Ok(())
}

/// How many weights of a constant became 0.
fn flush(operation: OperationRef<'_, '_>) -> Result<usize, PassFailure> {
    let Some(result) = ir::results(operation).into_iter().next() else { return Ok(0) };
    // Integers that a network brings stay what they are.
    if operation.has_attribute(SCALES) || operation.has_attribute(WIDE) || !is_weight_alone(result) {
        return Ok(0);
    }
    let constant = ir::constant_of(result).filter(|constant| constant.r#type.element == ElementType::F32);
    let Some(constant) = constant else { return Ok(0) };
    let values = constant.f32s()?;
    let is_next_to_nothing = |value: &f32| *value != 0.0 && value.abs() < LEAST;
    let count = values.iter().filter(|value| is_next_to_nothing(value)).count();
    let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    if count == 0 || largest < LEAST * BELOW_LARGEST {
        return Ok(0);
    }
    let kept = values.iter().map(|value| if is_next_to_nothing(value) { 0.0 } else { *value });
    let bytes: Vec<u8> = kept.flat_map(f32::to_le_bytes).collect();
    let name = operation.node();
    tracing::debug!("{count} of the {} weights '{name}' are below 2^-100 and become 0", values.len());
    let context = operation.context_reference();
    ir::set_attribute(operation, "value", ir::constant_attribute(context, &name, &constant.r#type, &bytes)?);
    Ok(count)
}

/// Whether layers read a value as their weights, and nothing reads it as something else.
fn is_weight_alone(value: Value<'_, '_>) -> bool {
    let users = ir::users(value);
    !users.is_empty() && users.into_iter().all(|user| reads_as_weights(user, value))
}

fn reads_as_weights(user: OperationRef<'_, '_>, value: Value<'_, '_>) -> bool {
    let Some(quantization) = Op::of(user).and_then(Op::quantization) else { return false };
    let is_matrix =
        TensorType::from_type(value.r#type()).is_ok_and(|r#type| r#type.shape().is_some_and(|shape| shape.len() == 2));
    let mut own = user.operands().enumerate().filter(|(_, operand)| operand.to_raw().ptr == value.to_raw().ptr);
    own.all(|(index, _)| match quantization.role(index) {
        Role::Weight => true,
        Role::WeightOrActivation => is_matrix,
        _ => false,
    })
}
