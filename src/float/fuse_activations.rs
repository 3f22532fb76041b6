//! `hfloat-fuse-activations`: a Relu, Clip or the like becomes an attribute of the operation before it.

use hb_dialects::{
    hfloat::{Op, attributes},
    ir::{self, OperationAttributes, Origin, TensorType, attribute},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-fuse-activations",
    summary: "Fuse clamping activations into the operation before them",
    description: "A `relu`, or a `clip` with constant bounds, of f32 whose input is the only use of a `conv`, `conv_transpose`, `gemm`, `mat_mul`, `add`, `sub` or \
`mul` without activation becomes its `activation`. The nodes of both go into it, under the name of the first.",
    anchor: "func.func",
    options: &[],
    run,
};

/// Operations that clamp their result for nothing.
const PRODUCERS: &[Op] = &[Op::Conv, Op::ConvTranspose, Op::Gemm, Op::MatMul, Op::Add, Op::Sub, Op::Mul];

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    for operation in ir::operations(block) {
        fuse_activation(operation)?;
    }
    Ok(())
}

/// Makes a clamp the activation of the operation before it, where that can have one; says whether it did, and the clamp is gone.
pub(crate) fn fuse_activation(operation: OperationRef<'_, '_>) -> Result<bool, PassFailure> {
    match clamp_of(operation) {
        Some(clamp) => fuse(operation, &clamp),
        None => Ok(false),
    }
}

/// The interval to which an operation clamps operand `input`, when that is all it does.
struct Clamp {
    input: usize,
    lower: f64,
    upper: f64,
}

fn clamp_of(operation: OperationRef<'_, '_>) -> Option<Clamp> {
    match Op::of(operation)? {
        Op::Relu => Some(Clamp { input: 0, lower: 0.0, upper: f64::INFINITY }),
        Op::Clip => Some(Clamp { input: 0, lower: single(operation, 1)?, upper: single(operation, 2)? }),
        op @ (Op::Max | Op::Min) => {
            let (input, bound) = match (single(operation, 0), single(operation, 1)) {
                (None, Some(bound)) => (0, bound),
                (Some(bound), None) => (1, bound),
                _ => return None,
            };
            let (lower, upper) = if op == Op::Max { (bound, f64::INFINITY) } else { (f64::NEG_INFINITY, bound) };
            Some(Clamp { input, lower, upper })
        }
        _ => None,
    }
}

/// The value of an operand that is a constant of one f32.
fn single(operation: OperationRef<'_, '_>, index: usize) -> Option<f64> {
    match *ir::constant_of(operation.operand(index).ok()?)?.f32s().ok()? {
        [value] => Some(f64::from(value)),
        _ => None,
    }
}

fn fuse(operation: OperationRef<'_, '_>, clamp: &Clamp) -> Result<bool, PassFailure> {
    let input = operation.operand_at(clamp.input)?;
    let Some(producer) = ir::defining_operation(input) else { return Ok(false) };
    let same_type = ir::results(operation).iter().all(|result| result.r#type() == input.r#type());
    let fits = Op::of(producer).is_some_and(|op| PRODUCERS.contains(&op))
        && TensorType::from_type(input.r#type())?.element.is_float()
        && same_type
        && ir::users(input).len() == 1;
    // Crossed bounds make a constant, which no activation is; comparisons with NaN fail as well.
    if !fits || !matches!(clamp.lower.partial_cmp(&clamp.upper), Some(std::cmp::Ordering::Less)) {
        return Ok(false);
    }
    let before = attributes::activation(producer)?.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    let within = |bound: f64| bound.clamp(clamp.lower, clamp.upper);
    let (lower, upper) = (within(before.0), within(before.1));
    if lower == upper {
        return Ok(false);
    }
    let context = operation.context_reference();
    ir::set_attribute(producer, "activation", attribute::clamp(context, lower, upper));
    let origin = Origin::united([producer.origin(), operation.origin()]);
    ir::set_location(producer, origin.location(context));
    for result in ir::results(operation) {
        ir::replace_all_uses(result, input);
    }
    // SAFETY: its results are replaced, and the walk over the block is past it.
    unsafe { ir::erase(operation) };
    Ok(true)
}
