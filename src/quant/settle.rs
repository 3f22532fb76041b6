//! In which types each operation runs: what quantization asks the BPU once scales are known.

use super::{
    groups::ScaleGroups,
    rules::{ACTIVATION_BITS, BIAS_BITS, QuantizationRule, QuantizedRole, ResultScale, WIDE_BITS, rule_of},
    thresholds::{
        OPERAND_BITS, RANGE, ThresholdRange, assigned, assigned_bits, assigned_narrow_threshold, assigned_threshold,
        assigned_zero_point, value_name,
    },
};
use crate::bpu::lower::{Placement, Types, form_with_scales, place};
use crate::numerics::{bias_scale, largest_magnitude, least_weight_scale, scale_of_threshold};
use hb_dialects::{
    ElementType,
    ir::{self, Affine, Constant, Element, OperationAttributes, Quantized, Scale},
    names::{SCALE_AXIS, SCALES},
    pass::PassFailure,
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::HashMap;

/// The integers of an activation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activation {
    threshold: f64,
    bits: u32,
    /// The threshold for readers that see int8.
    narrow: f64,
    /// Of int8.
    zero_point: i32,
    /// Whether only integers of it exist.
    integer_born: bool,
}

impl Activation {
    fn affine(self) -> Affine {
        let Self { threshold, bits, zero_point, .. } = self;
        ThresholdRange { threshold, bits, narrow_threshold: None, zero_point }.affine()
    }

    fn scale(self) -> f64 {
        self.affine().scale
    }

    pub(super) fn quantized(self) -> Quantized {
        Quantized { bits: self.bits, scale: Scale::PerTensor(self.affine()) }
    }

    /// With the zero point 0 and what shows as much: for a reader that has no form with zero points.
    fn symmetric(self) -> Self {
        Self { zero_point: 0, ..self }
    }

    /// The value as a reader sees it that asks for so many bits; 0: as it is.
    fn seen_as(self, bits: u32) -> Self {
        match bits {
            0 => self,
            _ if bits == self.bits => self,
            ACTIVATION_BITS => Self { threshold: self.narrow, bits, ..self },
            _ => Self { bits, ..self },
        }
    }
}

/// The integers of values, by their address.
pub(super) type Activations = HashMap<usize, Activation>;

pub(super) fn activation_of(activations: &Activations, value: Value<'_, '_>) -> Option<Activation> {
    activations.get(&ir::address(value)).copied()
}

/// What is quantized, and how.
pub(super) struct Settled<'c, 'a> {
    pub(super) groups: ScaleGroups<'c, 'a>,
    pub(super) activations: Activations,
    /// Of the operations that run on the BPU.
    pub(super) types: Vec<(OperationRef<'c, 'a>, Types)>,
    /// Operations that see operands in another type than that of the value because there is no form of them for that, with the reason.
    pub(super) narrowed: Vec<(OperationRef<'c, 'a>, String)>,
    /// Operations without any form, with the reason.
    pub(super) refused: Vec<(OperationRef<'c, 'a>, String)>,
}

/// Asks the BPU about every quantized operation again, now that scales are known. One without a form for them goes to the CPU and
/// stays float, which may change what others see: until all have one.
pub(super) fn settle<'c, 'a>(function: OperationRef<'c, 'a>) -> Result<Settled<'c, 'a>, PassFailure> {
    loop {
        let settled = ask(function)?;
        if settled.refused.is_empty() {
            return Ok(settled);
        }
        for (operation, reason) in settled.refused {
            keep_threshold(function, &settled.groups, operation);
            place(operation, &Placement::Cpu { reason });
        }
    }
}

/// Asks the BPU once.
pub(super) fn ask<'c, 'a>(function: OperationRef<'c, 'a>) -> Result<Settled<'c, 'a>, PassFailure> {
    let groups = ScaleGroups::of(function)?;
    let activations = activations(function, &groups)?;
    let (mut types, mut narrowed, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        let Some(rule) = rule_of(operation)? else { continue };
        let form = match ir::results(operation).into_iter().any(|result| groups.is_float16(result)) {
            true => float16_form(operation, &rule)?,
            false => form_of(operation, &rule, &activations)?,
        };
        match form {
            Form::None => {}
            Form::Asked(found) => types.push((operation, found)),
            Form::Narrowed(found, reason) => {
                types.push((operation, found));
                narrowed.push((operation, reason));
            }
            Form::Refused(reason) => refused.push((operation, reason)),
        }
    }
    Ok(Settled { groups, activations, types, narrowed, refused })
}

/// In which types the BPU runs an operation.
enum Form {
    /// Its activations are not quantized.
    None,
    /// As its operands are, or were asked for.
    Asked(Types),
    /// With operands as int8 that are int16, or without their zero points, and why.
    Narrowed(Types, String),
    /// Not at all, and why.
    Refused(String),
}

/// The types of an operation in float16.
fn float16_form(operation: OperationRef<'_, '_>, rule: &QuantizationRule) -> Result<Form, PassFailure> {
    let types = rule.float16_types(operation)?;
    Ok(match form_with_scales(operation, &types) {
        Ok(_) => Form::Asked(types),
        Err(reason) => Form::Refused(reason),
    })
}

/// How an operation sees its activations.
#[derive(Clone, Copy)]
struct Views<'s> {
    activations: &'s Activations,
    /// Bits that are asked for each operand; 0, and what is left out: as the value is.
    bits: &'s [u32],
    symmetric: Symmetric,
}

/// Which operands have the zero point 0 whatever their values have.
#[derive(Clone, Copy, PartialEq)]
enum Symmetric {
    None,
    Operand(usize),
    All,
}

impl Views<'_> {
    fn of(&self, index: usize, value: Value<'_, '_>) -> Option<Activation> {
        let own = activation_of(self.activations, value)?;
        let seen = own.seen_as(self.bits.get(index).copied().unwrap_or(0));
        let symmetric = self.symmetric == Symmetric::All || self.symmetric == Symmetric::Operand(index);
        Some(if symmetric { seen.symmetric() } else { seen })
    }
}

/// The types in which the BPU runs an operation: as its operands are or as they were asked for; where it has no form for these, with
/// int16 operands as int8, the last alone first, because the second operand of a product is int8, then without zero points, the last alone first too. The reason is the
/// first one.
fn form_of(
    operation: OperationRef<'_, '_>,
    rule: &QuantizationRule,
    activations: &Activations,
) -> Result<Form, PassFailure> {
    let bits = operand_bits(operation, rule)?;
    let asked_views = Views { activations, bits: &bits, symmetric: Symmetric::None };
    let asked = match types_of(operation, rule, asked_views)? {
        Ok(None) => return Ok(Form::None),
        Ok(Some(found)) => form_with_scales(operation, &found).map(|_| found),
        Err(reason) => Err(reason),
    };
    let reason = match asked {
        Ok(found) => return Ok(Form::Asked(found)),
        Err(reason) => reason,
    };
    let narrow = narrower(operation, rule, asked_views)?;
    let mut views: Vec<(&Vec<u32>, Symmetric)> = narrow.iter().map(|bits| (bits, Symmetric::None)).collect();
    for bits in narrow.iter().chain([&bits]) {
        let single = (0..operation.operand_count()).rev().map(Symmetric::Operand);
        views.extend(single.chain([Symmetric::All]).map(|symmetric| (bits, symmetric)));
    }
    for (bits, symmetric) in views {
        if let Ok(Some(found)) = types_of(operation, rule, Views { activations, bits, symmetric })?
            && form_with_scales(operation, &found).is_ok()
        {
            return Ok(Form::Narrowed(found, reason));
        }
    }
    Ok(Form::Refused(reason))
}

/// The bits of each operand as int8 where it is int16 now: of one operand, the last first, then of all. Nothing for operations whose result
/// has the type of their input.
fn narrower(
    operation: OperationRef<'_, '_>,
    rule: &QuantizationRule,
    views: Views<'_>,
) -> Result<Vec<Vec<u32>>, PassFailure> {
    if rule.result(operation)? == ResultScale::LikeInput {
        return Ok(Vec::new());
    }
    let mut wide = Vec::new();
    for (index, operand) in operation.operands().enumerate() {
        let is_constant =
            rule.role(operation, index)? == QuantizedRole::Activation && ir::constant_of(operand).is_some();
        if is_constant || views.of(index, operand).is_some_and(|seen| seen.bits > ACTIVATION_BITS) {
            wide.push(index);
        }
    }
    let without = |indices: &[usize]| {
        let mut narrow = views.bits.to_vec();
        narrow.resize(operation.operand_count(), 0);
        for &index in indices {
            narrow[index] = ACTIVATION_BITS;
        }
        narrow
    };
    let mut all: Vec<Vec<u32>> = wide.iter().rev().map(|&index| without(&[index])).collect();
    if wide.len() > 1 {
        all.push(without(&wide));
    }
    Ok(all)
}

/// The bits that were asked for each operand; 0, and what is left out: as the value is.
fn operand_bits(operation: OperationRef<'_, '_>, rule: &QuantizationRule) -> Result<Vec<u32>, PassFailure> {
    if !operation.has_attribute(OPERAND_BITS) {
        return Ok(Vec::new());
    }
    let failure = |reason: &str| PassFailure::Message(format!("node '{}': {reason}", operation.node()));
    if rule.result(operation)? == ResultScale::LikeInput {
        let reason = format!(
            "its result has the type of its input, so that it takes no {OPERAND_BITS}; give it to what reads the result"
        );
        return Err(failure(&reason));
    }
    let known = |bits: &i64| [0, i64::from(ACTIVATION_BITS), i64::from(WIDE_BITS)].contains(bits);
    let bits = operation.integers(OPERAND_BITS)?;
    if bits.len() > operation.operand_count() || !bits.iter().all(known) {
        return Err(failure(&format!(
            "{OPERAND_BITS} has one number per operand: 0, {ACTIVATION_BITS} or {WIDE_BITS}"
        )));
    }
    Ok(bits.into_iter().map(|bits| bits as u32).collect())
}

/// The integers of every quantized value.
fn activations(function: OperationRef<'_, '_>, groups: &ScaleGroups<'_, '_>) -> Result<Activations, PassFailure> {
    let mut activations = Activations::new();
    for value in groups.quantized() {
        let source = groups.source(value);
        let threshold = assigned_threshold(function, source).ok_or_else(|| {
            let name = value_name(function, source);
            PassFailure::Message(format!(
                "the value of '{name}' has no threshold; calibrate first, or run quant-assign-thresholds"
            ))
        })?;
        let bits = assigned_bits(function, source).map_err(PassFailure::Message)?;
        let narrow = assigned_narrow_threshold(function, source).unwrap_or(threshold);
        let zero_point = assigned_zero_point(function, source).map_err(PassFailure::Message)?;
        let integer_born = groups.is_integer_born(value);
        let activation = Activation { threshold, bits, narrow, zero_point, integer_born };
        activations.insert(ir::address(value), activation);
    }
    Ok(activations)
}

/// The result of an operation that stays float has no scale from its input any more: its readers quantize it with a threshold of its own.
fn keep_threshold<'c, 'a>(
    function: OperationRef<'c, 'a>,
    groups: &ScaleGroups<'c, 'a>,
    operation: OperationRef<'c, 'a>,
) {
    let Some(result) = ir::results(operation).into_iter().next() else { return };
    let source = groups.source(result);
    if source.to_raw().ptr == result.to_raw().ptr {
        return;
    }
    for name in RANGE {
        if let Some(attribute) = assigned(function, source, name) {
            ir::set_attribute(operation, name, attribute);
        }
    }
}

/// The types of an operation with these activations; none for one whose activations are not quantized, the reason for one whose
/// constants cannot be.
fn types_of(
    operation: OperationRef<'_, '_>,
    rule: &QuantizationRule,
    views: Views<'_>,
) -> Result<Result<Option<Types>, String>, PassFailure> {
    let seen = |index: usize, value| views.of(index, value);
    let result = ir::results(operation).into_iter().next();
    let result = result.and_then(|result| activation_of(views.activations, result));
    let input_scale = seen(0, operation.operand_at(0)?).map(Activation::scale);
    // A constant among activations is as wide as the widest of them, unless that has no form.
    let activations = operation.operands().enumerate().filter_map(|(index, value)| seen(index, value)).chain(result);
    let widest = activations.map(|activation| activation.bits).max().unwrap_or(ACTIVATION_BITS);
    let constant_bits = |index: usize| views.bits.get(index).copied().filter(|bits| *bits != 0).unwrap_or(widest);
    let floats = rule.result(operation)? == ResultScale::OwnOrFloat;
    let mut weight_scales = Vec::new();
    let mut operands: Vec<Option<Quantized>> = Vec::with_capacity(operation.operand_count());
    for index in 0..operation.operand_count() {
        let operand = operation.operand_at(index)?;
        let constant = ir::constant_of(operand).filter(|constant| constant.r#type.element == ElementType::F32);
        operands.push(match (rule.role(operation, index)?, constant) {
            (QuantizedRole::Plain, _) => None,
            (_, None) => match seen(index, operand) {
                // What gives f32 takes f32, too, where there is such a value.
                seen if floats && !seen.is_some_and(|seen| seen.integer_born) => None,
                Some(activation) => Some(activation.quantized()),
                None => return Ok(Ok(None)),
            },
            (QuantizedRole::Activation, Some(_))
                if let Some(scale) = one_given_scale(operand, constant_bits(index)) =>
            {
                Some(Quantized { bits: ACTIVATION_BITS, scale: Scale::symmetric(scale) })
            }
            (QuantizedRole::Activation, Some(constant)) => {
                let threshold = f64::from(largest_magnitude(&constant.f32s()?));
                let (bits, narrow) = (constant_bits(index), threshold);
                Some(Activation { threshold, bits, narrow, zero_point: 0, integer_born: false }.quantized())
            }
            (QuantizedRole::Weight { axis }, Some(constant)) => {
                let largest = channel_magnitudes(&constant, axis)?;
                let given = given_scales(operand, &constant, axis)?;
                // What the network says holds, save for zeros, which are zeros at any scale.
                let may_rise = |channel| given.is_none() || largest.get(channel) == Some(&0.0);
                weight_scales = given.clone().unwrap_or_else(|| channel_scales(&largest));
                if let Some(input_scale) = input_scale {
                    let bias = bias_of(operation, rule)?;
                    raise(&mut weight_scales, may_rise, input_scale, result.map(Activation::scale), &bias);
                }
                let scale = Scale::PerAxis { axis, scales: weight_scales.clone() };
                Some(Quantized { bits: ACTIVATION_BITS, scale })
            }
            (QuantizedRole::Bias, Some(constant)) => match input_scale {
                Some(input_scale) => match bias_type(&constant, input_scale, &weight_scales)? {
                    Ok(quantized) => Some(quantized),
                    Err(reason) => return Ok(Err(reason)),
                },
                None => return Ok(Ok(None)),
            },
        });
    }
    let elements = operands.into_iter().map(|operand| operand.map(Element::Quantized)).collect();
    let result = result.map(|result| Element::Quantized(result.quantized()));
    Ok(Ok(Some(Types { operands: elements, result })))
}

/// The scales that the network brings for a constant, and their axis.
fn scales_of(operand: Value<'_, '_>) -> Option<(Vec<f64>, Option<usize>)> {
    let operation = ir::defining_operation(operand)?;
    let scales = operation.attribute(SCALES).ok().and_then(ir::attribute::float_elements)?;
    Some((scales, operation.integer(SCALE_AXIS).ok().and_then(|axis| usize::try_from(axis).ok())))
}

/// Those of weights: one for each index of `axis`; none where the network says others.
pub(super) fn given_scales(
    operand: Value<'_, '_>,
    constant: &Constant<'_>,
    axis: usize,
) -> Result<Option<Vec<f64>>, PassFailure> {
    let channels = constant.r#type.static_shape()?.get(axis).copied().unwrap_or(1);
    Ok(scales_of(operand).and_then(|(scales, own)| match scales.as_slice() {
        &[single] => Some(vec![single; channels]),
        several if own == Some(axis) && several.len() == channels => Some(scales),
        _ => None,
    }))
}

/// That of a constant among int8 activations.
fn one_given_scale(operand: Value<'_, '_>, bits: u32) -> Option<f64> {
    match scales_of(operand)?.0.as_slice() {
        &[single] if bits == ACTIVATION_BITS => Some(single),
        _ => None,
    }
}

/// The largest magnitude for each index of `axis`.
fn channel_magnitudes(constant: &Constant<'_>, axis: usize) -> Result<Vec<f32>, PassFailure> {
    let shape = constant.r#type.static_shape()?;
    let channels = shape.get(axis).copied().unwrap_or(1);
    let inner: usize = shape.iter().skip(axis + 1).product::<usize>().max(1);
    let mut largest = vec![0f32; channels];
    for (line, values) in constant.f32s()?.chunks(inner).enumerate() {
        if let Some(largest) = largest.get_mut(line % channels.max(1)) {
            *largest = largest.max(largest_magnitude(values));
        }
    }
    Ok(largest)
}

/// The scales of weights with these largest magnitudes.
fn channel_scales(largest: &[f32]) -> Vec<f64> {
    largest.iter().map(|&threshold| scale_of_threshold(f64::from(threshold), ACTIVATION_BITS)).collect()
}

/// The values of the constant bias of an operation; empty without one.
fn bias_of(operation: OperationRef<'_, '_>, rule: &QuantizationRule) -> Result<Vec<f32>, PassFailure> {
    for index in 0..operation.operand_count() {
        let constant = ir::constant_of(operation.operand_at(index)?);
        if let Some(constant) = constant.filter(|constant| constant.r#type.element == ElementType::F32)
            && rule.role(operation, index)? == QuantizedRole::Bias
        {
            return Ok(constant.f32s()?.into_owned());
        }
    }
    Ok(Vec::new())
}

/// Raises the scales of channels whose weights are next to nothing, of those that may rise. Other channels keep theirs.
fn raise(
    weight_scales: &mut [f64],
    may_rise: impl Fn(usize) -> bool,
    input_scale: f64,
    result_scale: Option<f64>,
    bias: &[f32],
) {
    let count = weight_scales.len();
    for (channel, scale) in weight_scales.iter_mut().enumerate().filter(|(channel, _)| may_rise(*channel)) {
        // The scales of a transposed convolution are those of one group.
        let biases = bias.iter().skip(channel).step_by(count);
        let largest = biases.fold(0f64, |most, &bias| most.max(f64::from(bias.abs())));
        *scale = scale.max(least_weight_scale(input_scale, result_scale, largest));
    }
}

/// The type of a bias: int32 with the scale of the accumulator, per channel when the weights are. The reason when it does not fit them.
fn bias_type(
    constant: &Constant<'_>,
    input_scale: f64,
    weight_scales: &[f64],
) -> Result<Result<Quantized, String>, PassFailure> {
    let shape = constant.r#type.static_shape()?;
    let scales: Vec<f64> = weight_scales.iter().map(|scale| bias_scale(input_scale, *scale)).collect();
    let channels = shape.last().copied().unwrap_or(1);
    let scale = match scales.as_slice() {
        [] => Scale::symmetric(input_scale),
        // A scalar has no axis.
        [scale] if shape.is_empty() => Scale::symmetric(*scale),
        // The scales of a transposed convolution are those of one group.
        group if channels.is_multiple_of(group.len()) => {
            Scale::PerAxis { axis: shape.len().saturating_sub(1), scales: group.repeat(channels / group.len()) }
        }
        _ => {
            return Ok(Err(format!(
                "its bias has {channels} values for {} channels, of which each has a scale of its own",
                weight_scales.len()
            )));
        }
    };
    Ok(Ok(Quantized { bits: BIAS_BITS, scale }))
}
