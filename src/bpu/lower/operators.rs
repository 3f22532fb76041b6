//! The lowering of each operation: one table.

mod conv_transpose;
mod elementwise;
mod layout;
mod matrix;
mod rearrange;
mod reduce;
mod resize;
mod window;

use super::builder::Builder;
use hb_dialects::ir::OperationAttributes;
use melior::ir::OperationRef;

/// Adds the nodes of an operation to a segment and defines its result there. The error is the reason why the BPU cannot run it.
pub type Lower = for<'c, 'a> fn(&mut Builder<'c, 'a>, OperationRef<'c, 'a>) -> Result<(), String>;

const OPERATORS: &[(&str, Lower)] = &[
    ("hfloat.conv", window::convolution),
    ("hfloat.conv_transpose", conv_transpose::conv_transpose),
    ("hfloat.max_pool", window::max_pool),
    ("hfloat.average_pool", window::average_pool),
    ("hfloat.global_average_pool", window::global_average_pool),
    ("hfloat.gemm", matrix::gemm),
    ("hfloat.mat_mul", matrix::mat_mul),
    ("hfloat.add", elementwise::add),
    ("hfloat.mul", elementwise::mul),
    ("hfloat.sub", elementwise::sub),
    ("hfloat.div", elementwise::div),
    ("hfloat.clip", elementwise::clip),
    ("hfloat.relu", elementwise::relu),
    ("hfloat.resize", resize::resize),
    ("hfloat.squeeze", layout::reshape),
    ("hfloat.expand", rearrange::expand),
    ("hfloat.tile", rearrange::tile),
    ("hfloat.depth_to_space", rearrange::depth_to_space),
    ("hfloat.space_to_depth", rearrange::space_to_depth),
    ("hfloat.max", elementwise::max),
    ("hfloat.min", elementwise::min),
    ("hfloat.p_relu", elementwise::p_relu),
    ("hfloat.pow", elementwise::pow),
    ("hfloat.reduce_max", reduce::maximum),
    ("hfloat.reduce_mean", reduce::mean),
    ("hfloat.reduce_min", reduce::minimum),
    ("hfloat.reduce_sum", reduce::sum),
    ("hfloat.global_max_pool", reduce::global_maximum),
    ("hfloat.concat", layout::concat),
    ("hfloat.slice", layout::slice),
    ("hfloat.pad", layout::pad),
    ("hfloat.flatten", layout::reshape),
    ("hfloat.reshape", layout::reshape),
    ("hfloat.unsqueeze", layout::reshape),
    ("hfloat.identity", layout::reshape),
    ("hfloat.transpose", layout::transpose),
    ("hfloat.gather", layout::gather),
];

/// Functions of one operand, which are tables or curves, and their rows in [`crate::bpu::functions`].
const TABLES: &[(&str, &str)] = &[
    ("hfloat.abs", "Abs"),
    ("hfloat.acos", "Acos"),
    ("hfloat.acosh", "Acosh"),
    ("hfloat.asin", "Asin"),
    ("hfloat.asinh", "Asinh"),
    ("hfloat.atan", "Atan"),
    ("hfloat.atanh", "Atanh"),
    ("hfloat.ceil", "Ceil"),
    ("hfloat.celu", "Celu"),
    ("hfloat.cos", "Cos"),
    ("hfloat.cosh", "Cosh"),
    ("hfloat.elu", "Elu"),
    ("hfloat.erf", "Erf"),
    ("hfloat.exp", "Exp"),
    ("hfloat.floor", "Floor"),
    ("hfloat.gelu", "Gelu"),
    ("hfloat.hard_sigmoid", "HardSigmoid"),
    ("hfloat.hard_swish", "HardSwish"),
    ("hfloat.leaky_relu", "LeakyRelu"),
    ("hfloat.log", "Log"),
    ("hfloat.mish", "Mish"),
    ("hfloat.neg", "Neg"),
    ("hfloat.reciprocal", "Reciprocal"),
    ("hfloat.round", "Round"),
    ("hfloat.selu", "Selu"),
    ("hfloat.shrink", "Shrink"),
    ("hfloat.sigmoid", "Sigmoid"),
    ("hfloat.sign", "Sign"),
    ("hfloat.sin", "Sin"),
    ("hfloat.sinh", "Sinh"),
    ("hfloat.softplus", "Softplus"),
    ("hfloat.softsign", "Softsign"),
    ("hfloat.sqrt", "Sqrt"),
    ("hfloat.tan", "Tan"),
    ("hfloat.tanh", "Tanh"),
    ("hfloat.thresholded_relu", "ThresholdedRelu"),
];

/// Operations that have a hardware form.
pub fn names() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|(name, _)| *name).chain(TABLES.iter().map(|(name, _)| *name))
}

/// Lowers one operation.
///
/// # Errors
/// The reason why the BPU cannot run it, as a sentence about the operation.
pub fn lower<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let name = operation.operation_name();
    if let Some((_, function)) = TABLES.iter().find(|(known, _)| *known == name) {
        return elementwise::table(builder, operation, function);
    }
    let lower = OPERATORS.iter().find(|(known, _)| *known == name).map(|(_, lower)| *lower);
    let lower = lower.ok_or_else(|| format!("'{name}' has no hardware form"))?;
    lower(builder, operation)
}
