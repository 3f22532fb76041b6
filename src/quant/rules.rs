//! How each operation takes part in quantization, as its record says; read by calibration and by the insertion of casts.

use crate::bpu::lower::{self, Form, Placement, Types};
use hb_dialects::ElementType;
use hb_dialects::hfloat::{Op, attributes};
use hb_dialects::ir::{
    self, Affine, Constant, Element, IrError, OperationAttributes, Quantized, Scale, TensorType, constant_of,
    defining_operation,
};
use hb_dialects::names::FLOAT16;
use hb_dialects::quant;
pub use hb_dialects::registry::ResultScale;
use hb_dialects::registry::{self, Quantization};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::HashSet;

/// Bits of weights, and of activations that nothing gave more.
pub const ACTIVATION_BITS: u32 = 8;
/// Bits of activations where 8 cost too much.
pub const WIDE_BITS: u32 = 16;
/// Bits of a bias, which has the scale of the accumulator.
pub const BIAS_BITS: u32 = 32;

/// The attribute of an operation whose result is an activation although nothing quantized reads it: its 32-bit sums do not leave it.
pub const ROUNDED: &str = "hfloat.rounded";

/// The scale of what has none yet: forms do not depend on it.
const ANY_SCALE: f64 = 1.0;

/// What an operand is for quantization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuantizedRole {
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

/// How an operation takes part in quantization, as its record says.
#[derive(Debug, Clone, Copy)]
pub struct QuantizationRule {
    op: Op,
    quantization: &'static Quantization,
}

impl QuantizationRule {
    /// Whether an operation of this row sees int16 activations, for all that is known without their scales.
    ///
    /// # Errors
    /// When an attribute or type that decides it cannot be read.
    pub fn takes_int16(&self, operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
        Ok(!self.quantization.narrow && self.form(operation, WIDE_BITS, 0)?.is_ok())
    }

    /// Whether the BPU has a form of an operation of this row with activations of so many bits and this zero point; if not, the reason.
    ///
    /// # Errors
    /// When an attribute or type that decides it cannot be read.
    pub fn form(
        &self,
        operation: OperationRef<'_, '_>,
        bits: u32,
        zero_point: i32,
    ) -> Result<Result<Form, String>, IrError> {
        let form = self.form_beside_constants(operation, (bits, zero_point), bits)?;
        if form.is_err() && bits != ACTIVATION_BITS {
            let narrow = self.form_beside_constants(operation, (bits, zero_point), ACTIVATION_BITS)?;
            return Ok(if narrow.is_ok() { narrow } else { form });
        }
        Ok(form)
    }

    /// As [`QuantizationRule::form`], with so many bits of the constants among the activations.
    fn form_beside_constants(
        &self,
        operation: OperationRef<'_, '_>,
        (bits, zero_point): (u32, i32),
        constant_bits: u32,
    ) -> Result<Result<Form, String>, IrError> {
        let gives = gives_reals(operation)?;
        let quantized = |bits, scale| Some(Element::Quantized(Quantized { bits, scale }));
        let activation = quantized(bits, Scale::PerTensor(Affine { scale: ANY_SCALE, zero_point }));
        let mut operands = Vec::with_capacity(operation.operand_count());
        for (index, operand) in operation.operands().enumerate() {
            let r#type = TensorType::from_type(operand.r#type())?;
            operands.push(match self.role(operation, index)? {
                _ if r#type.element != ElementType::F32 => None,
                QuantizedRole::Plain => None,
                // A constant has the zero point 0.
                QuantizedRole::Activation if constant_behind_casts(operand).is_some() => {
                    quantized(constant_bits, Scale::symmetric(ANY_SCALE))
                }
                QuantizedRole::Activation => activation.clone(),
                QuantizedRole::Bias => quantized(BIAS_BITS, Scale::symmetric(ANY_SCALE)),
                QuantizedRole::Weight { axis } => {
                    let channels = r#type.shape().and_then(|shape| shape.get(axis).copied()).unwrap_or(1);
                    quantized(ACTIVATION_BITS, Scale::PerAxis { axis, scales: vec![ANY_SCALE; channels] })
                }
            });
        }
        let result = activation.filter(|_| gives);
        Ok(lower::form(operation, &Types { operands, result }))
    }

    /// The types of an operation of this row that is computed in float16: those of all activations. Constants stay f32.
    ///
    /// # Errors
    /// When an attribute or type that decides it cannot be read.
    pub fn float16_types(&self, operation: OperationRef<'_, '_>) -> Result<Types, IrError> {
        let float16 = Some(Element::Plain(ElementType::F16));
        let mut operands = Vec::with_capacity(operation.operand_count());
        for (index, operand) in operation.operands().enumerate() {
            let is_real = TensorType::from_type(operand.r#type())?.element == ElementType::F32;
            let is_value = is_real && constant_behind_casts(operand).is_none();
            let is_activation = is_value && self.role(operation, index)? != QuantizedRole::Plain;
            operands.push(float16.clone().filter(|_| is_activation));
        }
        Ok(Types { operands, result: float16 })
    }

    /// The form of an operation of this row in float16; if it has none, the reason.
    ///
    /// # Errors
    /// When an attribute or type that decides it cannot be read.
    pub fn float16_form(&self, operation: OperationRef<'_, '_>) -> Result<Result<Form, String>, IrError> {
        if !gives_reals(operation)? {
            return Ok(Err("its result is no real number, and has no float16".to_owned()));
        }
        Ok(lower::form(operation, &self.float16_types(operation)?))
    }

    /// Where the scale of the result of an operation of this row comes from.
    ///
    /// # Errors
    /// When an attribute that decides it cannot be read.
    pub fn result(&self, operation: OperationRef<'_, '_>) -> Result<ResultScale, IrError> {
        match self.quantization.result {
            ResultScale::OwnOrExact if !has_exact_form(operation)? => Ok(ResultScale::Own),
            ResultScale::OwnOrFloat if !self.gives_float(operation)? => Ok(ResultScale::Own),
            result => Ok(result),
        }
    }

    /// The VPU gives f32 where nothing quantized reads the result, and then takes f32 as well; the other engines have integers only. Truth values and
    /// integers of the network are never quantized.
    fn gives_float(&self, operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
        Ok(!gives_reals(operation)? || self.may_give_float(operation)? && !has_quantized_reader(operation)?)
    }

    /// Whether an operation of this row gives f32 where nothing quantized reads that.
    fn may_give_float(&self, operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
        let floats = self.quantization.result == ResultScale::OwnOrFloat && !operation.has_attribute(ROUNDED);
        Ok(floats && self.form(operation, ACTIVATION_BITS, 0)?.is_ok_and(|form| form.is_program()))
    }

    /// The role of operand `index` of an operation of this row.
    ///
    /// # Errors
    /// When an attribute that decides it cannot be read.
    pub fn role(&self, operation: OperationRef<'_, '_>, index: usize) -> Result<QuantizedRole, IrError> {
        Ok(match self.quantization.role(index) {
            registry::Role::Activation => QuantizedRole::Activation,
            registry::Role::Weight => QuantizedRole::Weight { axis: self.output_channels(operation)? },
            registry::Role::WeightOrActivation => match constant_behind_casts(operation.operand_at(index)?) {
                Some(constant) if constant.r#type.shape().is_some_and(|shape| shape.len() == 2) => {
                    QuantizedRole::Weight { axis: self.output_channels(operation)? }
                }
                _ => QuantizedRole::Activation,
            },
            registry::Role::Bias => QuantizedRole::Bias,
            registry::Role::Argument if is_parameter(operation, index)? => QuantizedRole::Plain,
            registry::Role::Argument => QuantizedRole::Activation,
            registry::Role::Parameter => match constant_behind_casts(operation.operand_at(index)?) {
                Some(_) => QuantizedRole::Plain,
                None => QuantizedRole::Activation,
            },
            registry::Role::Plain => QuantizedRole::Plain,
        })
    }

    /// The dimension of a weight that its output channels are: one scale for each.
    fn output_channels(&self, operation: OperationRef<'_, '_>) -> Result<usize, IrError> {
        match self.op {
            Op::Gemm => Ok(usize::from(!attributes::trans_b(operation)?)),
            Op::MatMul => Ok(1),
            // `[C, M/group, K...]`: one scale per output channel of a group, or of all where each group has just one.
            Op::ConvTranspose => {
                let shape = TensorType::from_type(operation.operand_at(1)?.r#type())?.shape().unwrap_or_default();
                let group = attributes::group(operation)?;
                let one_each = shape.get(1) == Some(&1) && shape.first().is_some_and(|&size| size as i64 == group);
                Ok(usize::from(!one_each))
            }
            _ => Ok(0),
        }
    }
}

/// The element type of the first result.
fn element_of(operation: OperationRef<'_, '_>) -> Result<Option<ElementType>, IrError> {
    let Ok(result) = operation.result(0) else { return Ok(None) };
    Ok(TensorType::from_type(result.r#type())?.element.plain())
}

/// Whether an operation gives f32, and not truth values or integers.
fn gives_reals(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    Ok(element_of(operation)? == Some(ElementType::F32))
}

/// The rule of an operation that can be quantized: it computes f32, or what the float engine can give in its place.
///
/// # Errors
/// When its types cannot be read.
pub fn row_of(operation: OperationRef<'_, '_>) -> Result<Option<QuantizationRule>, IrError> {
    let rule = Op::of(operation).and_then(|op| Some(QuantizationRule { op, quantization: op.quantization()? }));
    let Some(rule) = rule.filter(|_| !quant::Op::is_cast(operation)) else { return Ok(None) };
    let has_form = match element_of(operation)? {
        Some(ElementType::F32) => true,
        Some(ElementType::Bool | ElementType::I32 | ElementType::I64) => {
            rule.quantization.result == ResultScale::OwnOrFloat
        }
        _ => false,
    };
    Ok(has_form.then_some(rule))
}

/// The rule of an operation, when it is quantized: its record says how, and it will run on the BPU. Where no placement says so, the BPU
/// is asked for its form.
///
/// # Errors
/// When its attributes or types cannot be read.
pub fn rule_of(operation: OperationRef<'_, '_>) -> Result<Option<QuantizationRule>, IrError> {
    let Some(rule) = row_of(operation)? else { return Ok(None) };
    let on_bpu = match lower::placement_of(operation) {
        Some(placement) => placement == Placement::Bpu,
        None => rule.form(operation, ACTIVATION_BITS, 0)?.is_ok(),
    };
    Ok(on_bpu.then_some(rule))
}

/// Whether an operation was asked to be computed in float16.
#[must_use]
pub fn is_float16(operation: OperationRef<'_, '_>) -> bool {
    operation.has_attribute(FLOAT16)
}

/// The constant that a value is, also behind the casts that quantization put around it.
fn constant_behind_casts<'v>(value: Value<'_, '_>) -> Option<Constant<'v>> {
    let operation = defining_operation(value)?;
    match quant::Op::is_cast(operation) {
        true => constant_behind_casts(operation.operand(0).ok()?),
        false => constant_of(value),
    }
}

/// Whether an operand is a constant of one element: a parameter of a function of the other operands.
fn is_parameter(operation: OperationRef<'_, '_>, index: usize) -> Result<bool, IrError> {
    let constant = constant_behind_casts(operation.operand_at(index)?);
    Ok(constant.is_some_and(|constant| constant.r#type.elements() == Some(1)))
}

/// The 32-bit sums have a scale of their own only next to constant weights, and no activation clamps them. Moving them would
/// take four times the bytes, so that readers of the table get int8.
fn has_exact_form(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    if operation.has_attribute(ROUNDED)
        || attributes::activation(operation)?.is_some()
        || constant_behind_casts(operation.operand_at(1)?).is_none()
    {
        return Ok(false);
    }
    Ok(!has_quantized_reader(operation)?)
}

/// Whether something quantized reads the result of an operation. What gives f32 takes f32, too: then its own readers decide, and so they do
/// where an infinite constant is only moved, which no integers show. A walk with a memory, because chains may be long, and branches may join again.
fn has_quantized_reader(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    let (mut waiting, mut known) = (vec![(operation, false)], HashSet::new());
    while let Some((next, is_moved)) = waiting.pop() {
        for reader in ir::results(next).into_iter().flat_map(ir::users) {
            let Some(rule) = rule_of(reader)?.filter(|_| known.insert(reader.to_raw().ptr as usize)) else { continue };
            // What compares takes what there is.
            if !gives_reals(reader)? {
                continue;
            }
            let moves = rule.quantization.result == ResultScale::LikeInput && not_finite(operation)?.is_some();
            if !moves && (is_moved || !rule.may_give_float(reader)?) {
                return Ok(true);
            }
            waiting.push((reader, moves));
        }
    }
    Ok(false)
}

/// The first value of the f32 constants of an operation that is not finite, with the number of its operand.
pub(super) fn not_finite(operation: OperationRef<'_, '_>) -> Result<Option<(usize, f32)>, IrError> {
    for (index, operand) in operation.operands().enumerate() {
        let constant = constant_of(operand).filter(|constant| constant.r#type.element == ElementType::F32);
        let Some(constant) = constant else { continue };
        if let Some(value) = constant.f32s()?.iter().find(|value| !value.is_finite()) {
            return Ok(Some((index, *value)));
        }
    }
    Ok(None)
}
