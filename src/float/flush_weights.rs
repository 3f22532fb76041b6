//! `hfloat-flush-weights`: weights that are no normal float32 become 0.

use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, OperationAttributes},
    pass::{PassDefinition, PassFailure, PassOptions},
    registry::Role,
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-flush-weights",
    summary: "Make weights 0 that are below the least normal float32",
    description: "Training leaves channels that nothing reads any more with weights of 1e-39 and less. They change no sum by more than 1.2e-38 times \
what they multiply, but a processor computes products of such subnormal numbers many times slower, in every run of calibration and of the exported \
models. A constant is changed that layers read as their weights and nothing else reads. A debug line says how many of its values were.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    for operation in ir::operations(block).into_iter().filter(|operation| Op::Constant.is(*operation)) {
        let Some(result) = ir::results(operation).into_iter().next() else { continue };
        let Some(constant) = ir::constant_of(result).filter(|own| own.r#type.element == ElementType::F32) else {
            continue;
        };
        let values = constant.f32s()?;
        let count = values.iter().filter(|value| value.is_subnormal()).count();
        if count == 0 || !is_weight_alone(result) {
            continue;
        }
        let flushed = values.iter().map(|value| if value.is_subnormal() { 0.0 } else { *value });
        let bytes: Vec<u8> = flushed.flat_map(f32::to_le_bytes).collect();
        let name = operation.node();
        tracing::debug!(
            "{count} of the {} weights '{name}' are below the least normal float32 and become 0",
            values.len()
        );
        let context = operation.context_reference();
        ir::set_attribute(operation, "value", ir::constant_attribute(context, &name, &constant.r#type, &bytes)?);
    }
    Ok(())
}

/// Whether layers read a value as their weights, and nothing reads it as something else.
fn is_weight_alone(value: Value<'_, '_>) -> bool {
    let users = ir::users(value);
    !users.is_empty() && users.into_iter().all(|user| reads_as_weights(user, value))
}

fn reads_as_weights(user: OperationRef<'_, '_>, value: Value<'_, '_>) -> bool {
    let Some(quantization) = Op::of(user).and_then(Op::quantization) else { return false };
    let mut own = user.operands().enumerate().filter(|(_, operand)| operand.to_raw().ptr == value.to_raw().ptr);
    own.all(|(index, _)| matches!(quantization.role(index), Role::Weight | Role::WeightOrActivation))
}
