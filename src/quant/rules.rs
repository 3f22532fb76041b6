//! How each operation takes part in quantization: one table, read by calibration and by the insertion of casts.

use hb_dialects::ir::{
    self, Constant, Element, IrError, OperationAttributes, TensorType, attribute, constant_of, defining_operation,
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// Bits of weights, and of activations that nothing gave more.
pub const ACTIVATION_BITS: u32 = 8;
/// Bits of activations where 8 cost too much.
pub const WIDE_BITS: u32 = 16;
/// Bits of a bias, which has the scale of the accumulator.
pub const BIAS_BITS: u32 = 32;

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
    /// Forms that stay float although the table names the operation, and the sentence that says which.
    float_form: (fn(OperationRef<'_, '_>) -> Result<bool, IrError>, &'static str),
    /// Forms whose activations are int8 and never int16.
    int8_form: fn(OperationRef<'_, '_>) -> Result<bool, IrError>,
}

impl Rule {
    const fn new(
        operation: &'static str,
        result: ResultScale,
        role: fn(OperationRef<'_, '_>, usize) -> Result<Role, IrError>,
    ) -> Self {
        Self { operation, result, role, float_form: (never, ""), int8_form: never }
    }

    const fn unless(
        mut self,
        float_form: fn(OperationRef<'_, '_>) -> Result<bool, IrError>,
        sentence: &'static str,
    ) -> Self {
        self.float_form = (float_form, sentence);
        self
    }

    const fn int8_if(mut self, int8_form: fn(OperationRef<'_, '_>) -> Result<bool, IrError>) -> Self {
        self.int8_form = int8_form;
        self
    }

    /// Whether activations of an operation of this row may be int16.
    ///
    /// # Errors
    /// When an attribute that decides it cannot be read.
    pub fn takes_int16(&self, operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
        Ok(!(self.int8_form)(operation)?)
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

const NOT_CONSTANT: &str = "an operand after its first is not known when the network is compiled";
const OTHER_GEMM: &str = "its alpha or beta is not 1, or its bias is no constant with one value or one per column";
const SEVERAL_VARIABLES: &str = "it is no function of one variable: one operand must be a constant of one element";
const OTHER_RESIZE: &str = "cubic interpolation, and a border that is not 0, leave the range of its input";
const OTHER_BORDER: &str =
    "it pads with a value that is not 0, or not known when the network is compiled: the scale need not show it";

use ResultScale::{LikeInput, Own, OwnOrExact};

const RULES: &[Rule] = &[
    Rule::new("hfloat.conv", OwnOrExact, conv_role).unless(operands_not_constant, NOT_CONSTANT),
    Rule::new("hfloat.conv_transpose", Own, conv_transpose_role).unless(operands_not_constant, NOT_CONSTANT),
    Rule::new("hfloat.gemm", OwnOrExact, gemm_role)
        .unless(gemm_has_no_integer_form, OTHER_GEMM)
        .int8_if(second_is_activation),
    Rule::new("hfloat.mat_mul", Own, all_activations).int8_if(second_is_activation),
    Rule::new("hfloat.add", Own, all_activations),
    Rule::new("hfloat.mul", Own, all_activations),
    Rule::new("hfloat.sub", Own, all_activations),
    Rule::new("hfloat.div", Own, function_role).unless(not_of_one_variable, SEVERAL_VARIABLES),
    Rule::new("hfloat.max", Own, function_role),
    Rule::new("hfloat.min", Own, function_role),
    Rule::new("hfloat.p_relu", Own, function_role),
    Rule::new("hfloat.pow", Own, function_role).unless(not_of_one_variable, SEVERAL_VARIABLES),
    Rule::new("hfloat.clip", Own, first_is_activation).unless(operands_not_constant, NOT_CONSTANT),
    Rule::new("hfloat.abs", Own, all_activations),
    Rule::new("hfloat.acos", Own, all_activations),
    Rule::new("hfloat.acosh", Own, all_activations),
    Rule::new("hfloat.asin", Own, all_activations),
    Rule::new("hfloat.asinh", Own, all_activations),
    Rule::new("hfloat.atan", Own, all_activations),
    Rule::new("hfloat.atanh", Own, all_activations),
    Rule::new("hfloat.ceil", Own, all_activations),
    Rule::new("hfloat.celu", Own, all_activations),
    Rule::new("hfloat.cos", Own, all_activations).int8_if(always),
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
    Rule::new("hfloat.sin", Own, all_activations).int8_if(always),
    Rule::new("hfloat.sinh", Own, all_activations),
    Rule::new("hfloat.softplus", Own, all_activations),
    Rule::new("hfloat.softsign", Own, all_activations),
    Rule::new("hfloat.sqrt", Own, all_activations),
    Rule::new("hfloat.tan", Own, all_activations).int8_if(always),
    Rule::new("hfloat.tanh", Own, all_activations),
    Rule::new("hfloat.thresholded_relu", Own, all_activations),
    Rule::new("hfloat.reduce_max", LikeInput, first_is_activation).unless(operands_not_constant, NOT_CONSTANT),
    Rule::new("hfloat.reduce_mean", Own, first_is_activation).unless(operands_not_constant, NOT_CONSTANT),
    Rule::new("hfloat.reduce_min", LikeInput, first_is_activation).unless(operands_not_constant, NOT_CONSTANT),
    Rule::new("hfloat.reduce_sum", Own, first_is_activation).unless(operands_not_constant, NOT_CONSTANT),
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
    Rule::new("hfloat.resize", LikeInput, first_is_activation).unless(resize_has_no_integer_form, OTHER_RESIZE),
    Rule::new("hfloat.slice", LikeInput, first_is_activation),
    Rule::new("hfloat.pad", LikeInput, first_is_activation).unless(value_not_zero, OTHER_BORDER),
    Rule::new("hfloat.flatten", LikeInput, first_is_activation),
    Rule::new("hfloat.reshape", LikeInput, first_is_activation),
    Rule::new("hfloat.unsqueeze", LikeInput, first_is_activation),
    Rule::new("hfloat.transpose", LikeInput, first_is_activation),
    Rule::new("hfloat.identity", LikeInput, first_is_activation),
    Rule::new("hfloat.gather", LikeInput, first_is_activation),
];

/// The rule of an operation, when it is quantized: it has a row, computes on f32, and is not one of the row's float forms.
///
/// # Errors
/// When its attributes cannot be read.
pub fn rule_of(operation: OperationRef<'_, '_>) -> Result<Option<&'static Rule>, IrError> {
    let name = operation.operation_name();
    let Some(rule) = RULES.iter().find(|rule| rule.operation == name) else { return Ok(None) };
    let Ok(input) = operation.operand(0) else { return Ok(None) };
    if TensorType::from_type(input.r#type())?.element != Element::F32 || (rule.float_form.0)(operation)? {
        return Ok(None);
    }
    Ok(Some(rule))
}

/// Why an operation is a float form of its row; `None` when it is none, or has no row.
///
/// # Errors
/// When its attributes cannot be read.
pub fn float_form(operation: OperationRef<'_, '_>) -> Result<Option<&'static str>, IrError> {
    let name = operation.operation_name();
    let Some(rule) = RULES.iter().find(|rule| rule.operation == name) else { return Ok(None) };
    let (is_float_form, sentence) = rule.float_form;
    Ok(is_float_form(operation)?.then_some(sentence))
}

/// The constant that a value is, also behind the casts that quantization put around it.
fn constant_behind_casts<'v>(value: Value<'_, '_>) -> Option<Constant<'v>> {
    let operation = defining_operation(value)?;
    match operation.operation_name().as_str() {
        "quant.qcast" | "quant.dcast" => constant_behind_casts(operation.operand(0).ok()?),
        _ => constant_of(value),
    }
}

fn never(_operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    Ok(false)
}

/// Functions that turn too often for the pieces of a curve when their range is large.
fn always(_operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    Ok(true)
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

/// More than one operand, or none, is no parameter: the operation is no function of one variable.
fn not_of_one_variable(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    let mut variables = 0;
    for index in 0..operation.operand_count() {
        variables += usize::from(!is_parameter(operation, index)?);
    }
    Ok(variables != 1)
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

/// An operand behind the first is no constant.
fn operands_not_constant(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    for index in 1..operation.operand_count() {
        if constant_behind_casts(operation.operand_at(index)?).is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A product of two activations: the array takes one operand as weights, which are int8.
fn second_is_activation(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    Ok(rule_of(operation)?.map(|rule| rule.role(operation, 1)).transpose()? == Some(Role::Activation))
}

/// `hfloat-fuse-scales` takes alpha, beta and a bias of one value into constant weights; what is left has other weights.
fn gemm_has_no_integer_form(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    let scaled = operation.float_or("alpha", 1.0)? != 1.0 || operation.float_or("beta", 1.0)? != 1.0;
    if scaled || operation.operand_count() < 3 {
        return Ok(scaled);
    }
    let bias = operation.operand_at(2)?;
    if constant_behind_casts(bias).is_none() {
        return Ok(true);
    }
    // A bias has one scale per column, so it must have one value per column.
    let columns = operation.result(0).ok().map(|result| last_dimension(result.into())).transpose()?;
    Ok(Some(last_dimension(bias)?) != columns)
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

/// Picking and averaging stay within the values of the input; cubic interpolation and another border do not.
fn resize_has_no_integer_form(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    let text = |name| operation.attribute(name).ok().and_then(attribute::text).unwrap_or_default();
    let border = text("coordinate_transformation_mode") == "tf_crop_and_resize"
        && operation.float_or("extrapolation_value", 0.0)? != 0.0;
    Ok(text("mode") == "cubic" || border)
}

fn last_dimension(value: Value<'_, '_>) -> Result<Option<usize>, IrError> {
    Ok(TensorType::from_type(value.r#type())?.shape().and_then(|shape| shape.last().copied()))
}

/// A border of zeros is exact at any scale, other values may not be.
fn value_not_zero(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    if operation.enumeration_or("mode", "constant")? != "constant" {
        return Ok(false);
    }
    let value = constant_of(operation.operand_at(2)?).map(|value| value.to_f32s()).transpose()?;
    Ok(value.is_none_or(|value| value.iter().any(|&value| value != 0.0)))
}
