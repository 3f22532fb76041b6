//! How each operation takes part in quantization: one table, read by calibration and by the insertion of casts.

use crate::bpu::lower::{self, Placement, Types};
use hb_dialects::ElementType;
use hb_dialects::ir::{
    self, Constant, IrError, OperationAttributes, Quantized, Scale, TensorType, constant_of, defining_operation,
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// Bits of weights, and of activations that nothing gave more.
pub const ACTIVATION_BITS: u32 = 8;
/// Bits of activations where 8 cost too much.
pub const WIDE_BITS: u32 = 16;
/// Bits of a bias, which has the scale of the accumulator.
pub const BIAS_BITS: u32 = 32;

/// The scale of what has none yet: forms do not depend on it.
const ANY_SCALE: f64 = 1.0;

/// Where the scale of a result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultScale {
    /// It is measured.
    Own,
    /// It is measured when an operation of this table reads it. Otherwise the result stays as exact as the 32-bit sums are:
    /// nothing rounds it to int8, and its readers see these sums times the scales of operand 0 and of the weight.
    OwnOrExact,
    /// The operation moves values or picks among them: the scale is that of operand 0, and either both are quantized or none.
    LikeInput,
}

/// What an operand is for quantization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// int8 or int16 with one scale.
    Activation,
    /// int8 with one scale per index of an axis.
    Weight {
        /// The dimension of output channels.
        axis: usize,
    },
    /// int32 with the scale of operand 0 times that of the weight.
    Bias,
    /// Sizes, positions and the like: never quantized.
    Plain,
}

/// One row: what an operation needs to be quantized.
pub struct Rule {
    /// Its name.
    pub operation: &'static str,
    result: ResultScale,
    /// The role of operand `index`.
    role: fn(OperationRef<'_, '_>, usize) -> Result<Role, IrError>,
    /// Whether int16 activations are not to be counted on: functions that turn too often for the pieces of a curve when their range is large.
    of_int8: bool,
}

impl Rule {
    const fn new(
        operation: &'static str,
        result: ResultScale,
        role: fn(OperationRef<'_, '_>, usize) -> Result<Role, IrError>,
    ) -> Self {
        Self { operation, result, role, of_int8: false }
    }

    const fn of_int8(mut self) -> Self {
        self.of_int8 = true;
        self
    }

    /// Whether an operation of this row sees int16 activations, for all that is known without their scales.
    ///
    /// # Errors
    /// When an attribute or type that decides it cannot be read.
    pub fn takes_int16(&self, operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
        Ok(!self.of_int8 && self.form(operation, WIDE_BITS)?.is_ok())
    }

    /// Whether the BPU has a form of an operation of this row with activations of so many bits; if not, the reason.
    ///
    /// # Errors
    /// When an attribute or type that decides it cannot be read.
    pub fn form(&self, operation: OperationRef<'_, '_>, bits: u32) -> Result<Result<(), String>, IrError> {
        let of_bits = |bits| Some(Quantized { bits, scale: Scale::PerTensor(ANY_SCALE) });
        let mut operands = Vec::with_capacity(operation.operand_count());
        for (index, operand) in operation.operands().enumerate() {
            let r#type = TensorType::from_type(operand.r#type())?;
            operands.push(match self.role(operation, index)? {
                _ if r#type.element != ElementType::F32 => None,
                Role::Plain => None,
                Role::Activation => of_bits(bits),
                Role::Bias => of_bits(BIAS_BITS),
                Role::Weight { axis } => {
                    let channels = r#type.shape().and_then(|shape| shape.get(axis).copied()).unwrap_or(1);
                    let scale = Scale::PerAxis { axis, scales: vec![ANY_SCALE; channels] };
                    Some(Quantized { bits: ACTIVATION_BITS, scale })
                }
            });
        }
        Ok(lower::form(operation, &Types { operands, result: of_bits(bits) }).map(|_| ()))
    }

    /// Where the scale of the result of an operation of this row comes from.
    ///
    /// # Errors
    /// When an attribute that decides it cannot be read.
    pub fn result(&self, operation: OperationRef<'_, '_>) -> Result<ResultScale, IrError> {
        match self.result {
            ResultScale::OwnOrExact if !has_exact_form(operation)? => Ok(ResultScale::Own),
            result => Ok(result),
        }
    }

    /// The role of operand `index` of an operation of this row.
    ///
    /// # Errors
    /// When an attribute that decides it cannot be read.
    pub fn role(&self, operation: OperationRef<'_, '_>, index: usize) -> Result<Role, IrError> {
        (self.role)(operation, index)
    }
}

use ResultScale::{LikeInput, Own, OwnOrExact};

const RULES: &[Rule] = &[
    Rule::new("hfloat.conv", OwnOrExact, conv_role),
    Rule::new("hfloat.conv_transpose", Own, conv_transpose_role),
    Rule::new("hfloat.gemm", OwnOrExact, gemm_role),
    Rule::new("hfloat.mat_mul", Own, all_activations),
    Rule::new("hfloat.add", Own, all_activations),
    Rule::new("hfloat.mul", Own, all_activations),
    Rule::new("hfloat.sub", Own, all_activations),
    Rule::new("hfloat.div", Own, function_role),
    Rule::new("hfloat.max", Own, function_role),
    Rule::new("hfloat.min", Own, function_role),
    Rule::new("hfloat.p_relu", Own, function_role),
    Rule::new("hfloat.pow", Own, function_role),
    Rule::new("hfloat.clip", Own, first_is_activation),
    Rule::new("hfloat.abs", Own, all_activations),
    Rule::new("hfloat.acos", Own, all_activations),
    Rule::new("hfloat.acosh", Own, all_activations),
    Rule::new("hfloat.asin", Own, all_activations),
    Rule::new("hfloat.asinh", Own, all_activations),
    Rule::new("hfloat.atan", Own, all_activations),
    Rule::new("hfloat.atanh", Own, all_activations),
    Rule::new("hfloat.ceil", Own, all_activations),
    Rule::new("hfloat.celu", Own, all_activations),
    Rule::new("hfloat.cos", Own, all_activations).of_int8(),
    Rule::new("hfloat.cosh", Own, all_activations),
    Rule::new("hfloat.elu", Own, all_activations),
    Rule::new("hfloat.erf", Own, all_activations),
    Rule::new("hfloat.exp", Own, all_activations),
    Rule::new("hfloat.floor", Own, all_activations),
    Rule::new("hfloat.gelu", Own, all_activations),
    Rule::new("hfloat.hard_sigmoid", Own, all_activations),
    Rule::new("hfloat.hard_swish", Own, all_activations),
    Rule::new("hfloat.leaky_relu", Own, all_activations),
    Rule::new("hfloat.log", Own, all_activations),
    Rule::new("hfloat.mish", Own, all_activations),
    Rule::new("hfloat.neg", Own, all_activations),
    Rule::new("hfloat.reciprocal", Own, all_activations),
    Rule::new("hfloat.relu", Own, all_activations),
    Rule::new("hfloat.round", Own, all_activations),
    Rule::new("hfloat.selu", Own, all_activations),
    Rule::new("hfloat.shrink", Own, all_activations),
    Rule::new("hfloat.sigmoid", Own, all_activations),
    Rule::new("hfloat.sign", Own, all_activations),
    Rule::new("hfloat.sin", Own, all_activations).of_int8(),
    Rule::new("hfloat.sinh", Own, all_activations),
    Rule::new("hfloat.softplus", Own, all_activations),
    Rule::new("hfloat.softsign", Own, all_activations),
    Rule::new("hfloat.sqrt", Own, all_activations),
    Rule::new("hfloat.tan", Own, all_activations).of_int8(),
    Rule::new("hfloat.tanh", Own, all_activations),
    Rule::new("hfloat.thresholded_relu", Own, all_activations),
    Rule::new("hfloat.reduce_max", LikeInput, first_is_activation),
    Rule::new("hfloat.reduce_mean", Own, first_is_activation),
    Rule::new("hfloat.reduce_min", LikeInput, first_is_activation),
    Rule::new("hfloat.reduce_sum", Own, first_is_activation),
    Rule::new("hfloat.global_max_pool", LikeInput, first_is_activation),
    Rule::new("hfloat.average_pool", Own, all_activations),
    Rule::new("hfloat.global_average_pool", Own, all_activations),
    Rule::new("hfloat.concat", Own, all_activations),
    Rule::new("hfloat.max_pool", LikeInput, first_is_activation),
    Rule::new("hfloat.squeeze", LikeInput, first_is_activation),
    Rule::new("hfloat.expand", LikeInput, first_is_activation),
    Rule::new("hfloat.tile", LikeInput, first_is_activation),
    Rule::new("hfloat.depth_to_space", LikeInput, first_is_activation),
    Rule::new("hfloat.space_to_depth", LikeInput, first_is_activation),
    Rule::new("hfloat.resize", LikeInput, first_is_activation),
    Rule::new("hfloat.slice", LikeInput, first_is_activation),
    Rule::new("hfloat.pad", LikeInput, first_is_activation),
    Rule::new("hfloat.flatten", LikeInput, first_is_activation),
    Rule::new("hfloat.reshape", LikeInput, first_is_activation),
    Rule::new("hfloat.unsqueeze", LikeInput, first_is_activation),
    Rule::new("hfloat.transpose", LikeInput, first_is_activation),
    Rule::new("hfloat.identity", LikeInput, first_is_activation),
    Rule::new("hfloat.gather", LikeInput, first_is_activation),
];

/// The row of an operation that computes on f32.
///
/// # Errors
/// When its types cannot be read.
pub fn row_of(operation: OperationRef<'_, '_>) -> Result<Option<&'static Rule>, IrError> {
    let name = operation.operation_name();
    let Some(rule) = RULES.iter().find(|rule| rule.operation == name) else { return Ok(None) };
    let Ok(input) = operation.operand(0) else { return Ok(None) };
    Ok((TensorType::from_type(input.r#type())?.element == ElementType::F32).then_some(rule))
}

/// The rule of an operation, when it is quantized: it has a row, and it will run on the BPU. Where no placement says so, the BPU
/// is asked for its form.
///
/// # Errors
/// When its attributes or types cannot be read.
pub fn rule_of(operation: OperationRef<'_, '_>) -> Result<Option<&'static Rule>, IrError> {
    let Some(rule) = row_of(operation)? else { return Ok(None) };
    let on_bpu = match lower::placement_of(operation) {
        Some(placement) => placement == Placement::Bpu,
        None => rule.form(operation, ACTIVATION_BITS)?.is_ok(),
    };
    Ok(on_bpu.then_some(rule))
}

/// The constant that a value is, also behind the casts that quantization put around it.
fn constant_behind_casts<'v>(value: Value<'_, '_>) -> Option<Constant<'v>> {
    let operation = defining_operation(value)?;
    match operation.operation_name().as_str() {
        "quant.qcast" | "quant.dcast" => constant_behind_casts(operation.operand(0).ok()?),
        _ => constant_of(value),
    }
}

fn all_activations(_operation: OperationRef<'_, '_>, _index: usize) -> Result<Role, IrError> {
    Ok(Role::Activation)
}

fn first_is_activation(_operation: OperationRef<'_, '_>, index: usize) -> Result<Role, IrError> {
    Ok(if index == 0 { Role::Activation } else { Role::Plain })
}

/// Whether an operand is a constant of one element: a parameter of a function of the other operands.
fn is_parameter(operation: OperationRef<'_, '_>, index: usize) -> Result<bool, IrError> {
    let constant = constant_behind_casts(operation.operand_at(index)?);
    Ok(constant.is_some_and(|constant| constant.r#type.elements() == Some(1)))
}

/// Of a function of one variable: its parameters stay as they are.
fn function_role(operation: OperationRef<'_, '_>, index: usize) -> Result<Role, IrError> {
    Ok(if is_parameter(operation, index)? { Role::Plain } else { Role::Activation })
}

fn conv_role(_operation: OperationRef<'_, '_>, index: usize) -> Result<Role, IrError> {
    Ok(match index {
        0 => Role::Activation,
        1 => Role::Weight { axis: 0 },
        _ => Role::Bias,
    })
}

/// Weights are `[C, M/group, K...]`: one scale per output channel of a group, or of all where each group has just one.
fn conv_transpose_role(operation: OperationRef<'_, '_>, index: usize) -> Result<Role, IrError> {
    Ok(match index {
        0 => Role::Activation,
        1 => {
            let shape = TensorType::from_type(operation.operand_at(1)?.r#type())?.shape().unwrap_or_default();
            let group = operation.integer_or("group", 1)?;
            let one_each = shape.get(1) == Some(&1) && shape.first().is_some_and(|&size| size as i64 == group);
            Role::Weight { axis: usize::from(!one_each) }
        }
        _ => Role::Bias,
    })
}

fn gemm_role(operation: OperationRef<'_, '_>, index: usize) -> Result<Role, IrError> {
    Ok(match index {
        1 if constant_behind_casts(operation.operand_at(1)?).is_some() => {
            Role::Weight { axis: usize::from(!operation.boolean_or("transB", false)?) }
        }
        0 | 1 => Role::Activation,
        _ => Role::Bias,
    })
}

/// The 32-bit sums have a scale of their own only next to constant weights, and no activation clamps them. Moving them would
/// take four times the bytes, so that readers of the table get int8.
fn has_exact_form(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    if operation.clamp("activation")?.is_some() || constant_behind_casts(operation.operand_at(1)?).is_none() {
        return Ok(false);
    }
    for reader in ir::results(operation).into_iter().flat_map(ir::users) {
        if rule_of(reader)?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}
