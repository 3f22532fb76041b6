//! Scalar functions: one formula each, which the CPU's loops, the BPU's tables and its curves all evaluate.

use hb_dialects::hfloat::{Op, OpKind, ResultMap, ScalarFunction, attributes};
use hb_dialects::ir::IrError;
use melior::ir::OperationRef;

use super::super::error::Error;
use super::super::expression::{Expression, Function, Unary, select};
use super::node::{OperatorNode, Results, at_least};

/// Fills the result with the function of the operand.
pub(super) fn define(node: &mut OperatorNode) -> Results {
    let Some(OpKind::Scalar(function)) = Op::of(node.operation).map(Op::kind) else {
        return Err(node.invalid("is no scalar function"));
    };
    let value = formula(function, node.operation, node.broadcast(0)?)?;
    node.fill_result(value)
}

/// What an operation makes of x: its function, and the map of its result.
pub(crate) fn formula(
    function: ScalarFunction,
    operation: OperationRef<'_, '_>,
    x: Expression,
) -> Result<Expression, Error> {
    let mut value = function_of(function, operation, x)?;
    let ResultMap { scale, shift } = ResultMap::of(operation)?.unwrap_or(ResultMap::IDENTITY);
    if scale != 1.0 {
        value = value.clone() * value.like(scale);
    }
    if shift != 0.0 {
        value = value.clone() + value.like(shift);
    }
    Ok(value)
}

/// What a function makes of x. Its parameters, attributes of the operation, are constants of the element of x.
fn function_of(function: ScalarFunction, operation: OperationRef<'_, '_>, x: Expression) -> Result<Expression, Error> {
    let element = x.clone();
    let parameter = |read: fn(OperationRef<'_, '_>) -> Result<f64, IrError>| -> Result<Expression, Error> {
        Ok(element.like(read(operation)?))
    };
    let library = |function: Function| element.clone().unary(Unary::Library(function));
    use attributes::{alpha, beta, bias, gamma, lambd};
    Ok(match function {
        ScalarFunction::Abs => x.unary(Unary::Absolute),
        ScalarFunction::Acos => library(Function::Acos),
        ScalarFunction::Acosh => library(Function::Acosh),
        ScalarFunction::Asin => library(Function::Asin),
        ScalarFunction::Asinh => library(Function::Asinh),
        ScalarFunction::Atan => library(Function::Atan),
        ScalarFunction::Atanh => library(Function::Atanh),
        ScalarFunction::Ceil => x.unary(Unary::Ceil),
        ScalarFunction::Celu => celu(x, parameter(alpha)?),
        ScalarFunction::Cos => x.unary(Unary::Cosine),
        ScalarFunction::Cosh => library(Function::Cosh),
        ScalarFunction::Elu => below_zero(x.clone(), parameter(alpha)? * less_one(x)),
        ScalarFunction::Erf => x.unary(Unary::Erf),
        ScalarFunction::Exp => x.exponential(),
        ScalarFunction::Floor => x.unary(Unary::Floor),
        ScalarFunction::Gelu => gelu(x, attributes::approximate(operation)? == "tanh"),
        ScalarFunction::HardSigmoid => hard_sigmoid(x, parameter(alpha)?, parameter(beta)?),
        ScalarFunction::HardSwish => hard_swish(x),
        ScalarFunction::LeakyRelu => below_zero(x.clone(), parameter(alpha)? * x),
        ScalarFunction::Log => x.unary(Unary::Logarithm),
        ScalarFunction::Mish => x.clone() * softplus(x).unary(Unary::Tanh),
        ScalarFunction::Neg => -x,
        ScalarFunction::Reciprocal => x.like(1.0) / x,
        ScalarFunction::Relu => at_least(x, 0.0),
        ScalarFunction::Round => x.round(),
        ScalarFunction::Selu => selu(x, parameter(alpha)?, parameter(gamma)?),
        ScalarFunction::Shrink => shrink(x, parameter(lambd)?, parameter(bias)?),
        ScalarFunction::Sigmoid => sigmoid(x),
        ScalarFunction::Sign => sign(x),
        ScalarFunction::Sin => x.unary(Unary::Sine),
        ScalarFunction::Sinh => library(Function::Sinh),
        ScalarFunction::Softplus => softplus(x),
        ScalarFunction::Softsign => x.clone() / (x.clone().unary(Unary::Absolute) + x.like(1.0)),
        ScalarFunction::Sqrt => x.square_root(),
        ScalarFunction::Swish => x.clone() * sigmoid(parameter(alpha)? * x),
        ScalarFunction::Tan => library(Function::Tan),
        ScalarFunction::Tanh => x.unary(Unary::Tanh),
        ScalarFunction::ThresholdedRelu => select(parameter(alpha)?.less(x.clone()), x.clone(), x.like(0.0)),
    })
}

/// x, but `negative` below zero.
fn below_zero(x: Expression, negative: Expression) -> Expression {
    select(x.clone().less(x.like(0.0)), negative, x)
}

/// e^x - 1 = (e^x + 1) * tanh(x / 2), which loses no digits near 0.
fn less_one(x: Expression) -> Expression {
    (x.clone().exponential() + x.like(1.0)) * (x.clone() * x.like(0.5)).unary(Unary::Tanh)
}

/// max(0, x) + min(0, alpha * (e^(x / alpha) - 1)).
fn celu(x: Expression, alpha: Expression) -> Expression {
    let negative = alpha.clone() * less_one(x.clone() / alpha);
    at_least(x.clone(), 0.0) + select(x.like(0.0).less(negative.clone()), x.like(0.0), negative)
}

/// gamma * x above zero, gamma * alpha * (e^x - 1) elsewhere.
fn selu(x: Expression, alpha: Expression, gamma: Expression) -> Expression {
    gamma * select(x.like(0.0).less(x.clone()), x.clone(), alpha * less_one(x))
}

/// x - bias above lambd, x + bias below -lambd, 0 between.
fn shrink(x: Expression, lambd: Expression, bias: Expression) -> Expression {
    let above = select(lambd.clone().less(x.clone()), x.clone() - bias.clone(), x.like(0.0));
    select(x.clone().less(-lambd), x + bias, above)
}

/// -1, 0 or 1; NaN stays.
fn sign(x: Expression) -> Expression {
    let zero = x.like(0.0);
    let negative = if !x.element().is_signed() { x.clone() } else { x.like(-1.0) };
    let below = select(x.clone().less(zero.clone()), negative, x.clone());
    select(zero.less(x.clone()), x.like(1.0), below)
}

/// max(0, min(1, alpha * x + beta)).
fn hard_sigmoid(x: Expression, alpha: Expression, beta: Expression) -> Expression {
    let one = x.like(1.0);
    at_least(x * alpha + beta, 0.0).minimum(one)
}

/// x * max(0, min(1, x / 6 + 1 / 2)).
fn hard_swish(x: Expression) -> Expression {
    // The slope that ONNX means is the f32.
    let slope = x.like(f64::from(1.0f32 / 6.0));
    let gate = x.clone() * slope + x.like(0.5);
    x.clone() * at_least(gate, 0.0).minimum(x.like(1.0))
}

/// 1 / (1 + e^-x). The exponential may overflow to infinity, whose reciprocal is the right 0.
fn sigmoid(x: Expression) -> Expression {
    x.like(1.0) / ((-x.clone()).exponential() + x.like(1.0))
}

/// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), where nothing overflows.
fn softplus(x: Expression) -> Expression {
    let power = (-x.clone().unary(Unary::Absolute)).exponential();
    at_least(x, 0.0) + one_more_logarithm(power)
}

/// ln(1 + p) of p from 0 to 1. What rounding makes of 1 + p it makes of p, too (W. Kahan; D. Goldberg, "What Every Computer Scientist
/// Should Know About Floating-Point Arithmetic", theorem 4), so that a small p loses no digits.
fn one_more_logarithm(p: Expression) -> Expression {
    let one = p.like(1.0);
    let rounded = p.clone() + one.clone();
    let share = rounded.clone().unary(Unary::Logarithm) / (rounded.clone() - one.clone());
    select(one.less(rounded), p.clone() * share, p)
}

/// x * (1 + erf(x / sqrt 2)) / 2, or with the approximation by tanh.
fn gelu(x: Expression, tanh: bool) -> Expression {
    let inner = if tanh {
        let slope = x.like(std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
        let cube = x.clone() * x.clone() * x.clone();
        (slope * (x.clone() + cube * x.like(0.044715))).unary(Unary::Tanh)
    } else {
        (x.clone() * x.like(std::f64::consts::FRAC_1_SQRT_2)).unary(Unary::Erf)
    };
    x.clone() * x.like(0.5) * (inner + x.like(1.0))
}
