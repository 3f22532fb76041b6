//! `hfloat-fuse-activations`: a Relu or Clip becomes an attribute of the operation before it.

use hb_dialects::{
    ir::{self, OperationAttributes, TensorType, attribute},
    pass::{Options, PassDefinition, PassFailure},
};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-fuse-activations",
    summary: "Fuse clamping activations into the operation before them",
    description: "A `relu`, or a `clip` with constant bounds, of f32 whose input is the only use of a `conv`, `conv_transpose`, `gemm`, `add`, `sub` or `mul` \
without activation becomes its `activation`. The location becomes the fusion of both.",
    anchor: "func.func",
    options: &[],
    run,
};

/// Operations that clamp their result for nothing.
const PRODUCERS: &[&str] =
    &["hfloat.conv", "hfloat.conv_transpose", "hfloat.gemm", "hfloat.add", "hfloat.sub", "hfloat.mul"];

fn run(function: OperationRef<'_, '_>, _options: &Options) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    for operation in ir::operations(block) {
        if let Some((lower, upper)) = bounds(operation) {
            fuse(operation, lower, upper)?;
        }
    }
    Ok(())
}

/// The interval to which an operation clamps its input, when that is all it does.
fn bounds(operation: OperationRef<'_, '_>) -> Option<(f64, f64)> {
    match operation.operation_name().as_str() {
        "hfloat.relu" => Some((0.0, f64::INFINITY)),
        "hfloat.clip" => {
            let (lower, upper) = (bound(operation, 1)?, bound(operation, 2)?);
            // Crossed bounds make a constant, which no activation is; comparisons with NaN fail as well.
            (lower < upper).then_some((lower, upper))
        }
        _ => None,
    }
}

/// The value of a bound that is a constant of f32.
fn bound(operation: OperationRef<'_, '_>, index: usize) -> Option<f64> {
    let values = ir::constant_of(operation.operand(index).ok()?)?.to_f32s().ok()?;
    values.first().map(|&value| f64::from(value))
}

fn fuse(operation: OperationRef<'_, '_>, lower: f64, upper: f64) -> Result<(), PassFailure> {
    let input = operation.operand_at(0)?;
    let Some(producer) = ir::defining_operation(input) else { return Ok(()) };
    let fits = PRODUCERS.contains(&producer.operation_name().as_str())
        && TensorType::from_type(input.r#type())?.element.is_float()
        && producer.clamp("activation")?.is_none()
        && ir::users(input).len() == 1;
    if !fits {
        return Ok(());
    }
    let context = operation.context_reference();
    ir::set_attribute(producer, "activation", attribute::clamp(context, lower, upper));
    ir::set_location(producer, ir::fused_location(context, &[producer.location(), operation.location()]));
    for result in ir::results(operation) {
        ir::replace_all_uses(result, input);
    }
    ir::erase(operation);
    Ok(())
}
