//! `quant-insert-casts`: the QDQ form.

use super::{
    groups::Groups,
    rules::{ACTIVATION_BITS, BIAS_BITS, Role, Rule, rule_of},
    thresholds::{assigned_bits, assigned_threshold, value_name},
};
use hb_dialects::{
    ir::{self, Constant, Element, OperationAttributes, Quantized, Scale, TensorType},
    pass::{Options, PassDefinition, PassFailure},
};
use melior::ir::{BlockLike, Location, OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::HashMap;

pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-insert-casts",
    summary: "Put quantize and dequantize casts around quantized operations",
    description: "The apply step of quantization. Every value that a quantized operation computes or reads goes through \
`quant.qcast` and `quant.dcast` with the symmetric int8 scale threshold / 127 of its `hfloat.threshold`, or int16 and threshold / 32767 \
where `hfloat.bits` is 16; weights with one scale \
per output channel, biases as int32 with the scale of the accumulator. A convolution or matrix product whose result no quantized \
operation reads keeps its 32-bit sums: no cast follows it. Scales are f32 numbers, as ONNX stores them.",
    anchor: "func.func",
    options: &[],
    run,
};

/// The scale of symmetric integers of `bits` bits that show magnitudes up to `threshold`, as the f32 that ONNX stores.
///
/// Tensors that are all zero have threshold 0; any scale is exact for them, and 1/127 keeps ratios of scales moderate.
pub(super) fn scale_of(threshold: f64, bits: u32) -> f64 {
    let largest = f64::from((1u32 << (bits - 1)) - 1);
    let scale = (threshold / largest) as f32;
    if scale.is_normal() { f64::from(scale) } else { f64::from((1.0 / largest) as f32) }
}

/// The integers of an activation.
#[derive(Debug, Clone, Copy)]
struct Activation {
    scale: f64,
    bits: u32,
}

impl Activation {
    fn element(self) -> Element {
        Element::Quantized(Quantized { bits: self.bits, scale: Scale::PerTensor(self.scale) })
    }
}

/// The integers of values, by their address.
type Activations = HashMap<usize, Activation>;

fn activation_of(activations: &Activations, value: Value<'_, '_>) -> Option<Activation> {
    activations.get(&(value.to_raw().ptr as usize)).copied()
}

fn run(function: OperationRef<'_, '_>, _options: &Options) -> Result<(), PassFailure> {
    insert_casts(function)
}

/// What the pass does.
pub(super) fn insert_casts(function: OperationRef<'_, '_>) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let groups = Groups::of(function)?;
    let operations = ir::operations(block);
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
        activations.insert(value.to_raw().ptr as usize, Activation { scale: scale_of(threshold, bits), bits });
    }
    // Casts of constants first: they look at the scale of operand 0, which the casts of values do not change.
    for &operation in &operations {
        if let Some(rule) = rule_of(operation)? {
            cast_constants(operation, rule, &activations)?;
        }
    }
    let values: Vec<_> = groups.quantized().collect();
    for value in values {
        let Some(activation) = activation_of(&activations, value) else { continue };
        cast_value(block, value, activation, groups.is_integer_born(value))?;
    }
    Ok(())
}

/// Inserts the pair of casts of a value after it and gives it to the readers that see integers.
fn cast_value(
    block: melior::ir::BlockRef<'_, '_>,
    value: Value<'_, '_>,
    activation: Activation,
    integer_born: bool,
) -> Result<(), PassFailure> {
    let mut readers = Vec::new();
    for user in ir::users(value) {
        if integer_born || rule_of(user)?.is_some() {
            readers.push(user);
        }
    }
    let place = match ir::defining_operation(value) {
        Some(operation) => Place::After(operation),
        None => Place::Start(block),
    };
    let cast = cast_pair(place, value, activation.element())?;
    for reader in readers {
        for (index, operand) in reader.operands().enumerate().collect::<Vec<_>>() {
            if operand.to_raw().ptr == value.to_raw().ptr {
                ir::set_operand(reader, index, cast);
            }
        }
    }
    Ok(())
}

enum Place<'c, 'a> {
    After(OperationRef<'c, 'a>),
    Before(OperationRef<'c, 'a>),
    Start(melior::ir::BlockRef<'c, 'a>),
}

/// `quant.dcast(quant.qcast(value))` at a place; gives the result.
fn cast_pair<'c, 'a>(
    place: Place<'c, 'a>,
    value: Value<'c, 'a>,
    element: Element,
) -> Result<Value<'c, 'a>, PassFailure> {
    let float_type = TensorType::from_type(value.r#type())?;
    let quantized_type = TensorType { element, dimensions: float_type.dimensions.clone() };
    let (context, location): (_, Location<'c>) = match &place {
        Place::After(operation) | Place::Before(operation) => (operation.context_reference(), operation.location()),
        Place::Start(block) => match block.first_operation() {
            Some(operation) => (operation.context_reference(), value.location()),
            None => return Err(PassFailure::Message("the function is empty".into())),
        },
    };
    let types = [quantized_type.to_type(context)];
    let quantize_location = ir::derived_location(context, location, "quantize");
    let quantize = ir::build(context, "quant.qcast", &[value], &[], &types, vec![], quantize_location)?;
    let quantize = match place {
        Place::After(operation) => ir::insert_after(operation, quantize),
        Place::Before(operation) => ir::insert_before(operation, quantize),
        Place::Start(block) => block.insert_operation(0, quantize),
    };
    let quantized = first_result(quantize)?;
    let types = [float_type.to_type(context)];
    let dequantize_location = ir::derived_location(context, location, "dequantize");
    let dequantize = ir::build(context, "quant.dcast", &[quantized], &[], &types, vec![], dequantize_location)?;
    first_result(ir::insert_after(quantize, dequantize))
}

fn first_result<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Value<'c, 'a>, PassFailure> {
    let value = ir::results(operation).into_iter().next();
    value.ok_or_else(|| PassFailure::Message(format!("'{}' has no result", operation.operation_name())))
}

/// Casts the weights, the bias and the constant activations of an operation.
fn cast_constants(operation: OperationRef<'_, '_>, rule: &Rule, activations: &Activations) -> Result<(), PassFailure> {
    let input_scale = activation_of(activations, operation.operand_at(0)?).map(|input| input.scale);
    // A constant among activations is as wide as the widest of them.
    let values = operation.operands().chain(ir::results(operation));
    let bits = values.filter_map(|value| activation_of(activations, value)).map(|value| value.bits).max();
    let bits = bits.unwrap_or(ACTIVATION_BITS);
    let mut weight_scales = Vec::new();
    for index in 0..operation.operand_count() {
        let operand = operation.operand_at(index)?;
        let Some(constant) = ir::constant_of(operand).filter(|constant| constant.r#type.element == Element::F32) else {
            continue;
        };
        let element = match rule.role(operation, index)? {
            Role::Plain => continue,
            Role::Activation => Activation { scale: scale_of(largest(&constant.to_f32s()?), bits), bits }.element(),
            Role::Weight { axis } => {
                weight_scales = channel_scales(&constant, axis)?;
                if let Some(input_scale) = input_scale {
                    let result = ir::results(operation).into_iter().next();
                    let result_scale = result.and_then(|result| activation_of(activations, result)).map(|y| y.scale);
                    raise(&mut weight_scales, input_scale, result_scale, &bias_of(operation, rule)?);
                }
                let scale = Scale::PerAxis { axis, scales: weight_scales.clone() };
                Element::Quantized(Quantized { bits: ACTIVATION_BITS, scale })
            }
            Role::Bias => {
                let Some(input_scale) = input_scale else { continue };
                bias_element(&constant, input_scale, &weight_scales)?
            }
        };
        let cast = cast_pair(Place::Before(operation), operand, element)?;
        ir::set_operand(operation, index, cast);
    }
    Ok(())
}

fn largest(values: &[f32]) -> f64 {
    f64::from(values.iter().fold(0f32, |largest, value| largest.max(value.abs())))
}

/// One scale for each index of `axis`, from the largest magnitude there.
fn channel_scales(constant: &Constant<'_>, axis: usize) -> Result<Vec<f64>, PassFailure> {
    let shape = constant.r#type.static_shape()?;
    let channels = shape.get(axis).copied().unwrap_or(1);
    let inner: usize = shape.iter().skip(axis + 1).product::<usize>().max(1);
    let mut largest = vec![0f32; channels];
    for (line, values) in constant.to_f32s()?.chunks(inner).enumerate() {
        if let Some(largest) = largest.get_mut(line % channels.max(1)) {
            *largest = values.iter().fold(*largest, |largest, value| largest.max(value.abs()));
        }
    }
    Ok(largest.into_iter().map(|threshold| scale_of(f64::from(threshold), ACTIVATION_BITS)).collect())
}

/// The values of the constant bias of an operation; empty without one.
fn bias_of(operation: OperationRef<'_, '_>, rule: &Rule) -> Result<Vec<f32>, PassFailure> {
    for index in 0..operation.operand_count() {
        let constant = ir::constant_of(operation.operand_at(index)?);
        if let Some(constant) = constant.filter(|constant| constant.r#type.element == Element::F32)
            && rule.role(operation, index)? == Role::Bias
        {
            return Ok(constant.to_f32s()?);
        }
    }
    Ok(Vec::new())
}

/// Raises the scales of channels whose weights are next to nothing beside their bias and their result, as training leaves them
/// when it gives a channel up: a bias stays below 2^30 steps of the accumulator, and a step of the accumulator above 2^-31 of one
/// of the result. Other channels keep the scale of their largest weight.
fn raise(weight_scales: &mut [f64], input_scale: f64, result_scale: Option<f64>, bias: &[f32]) {
    let (most_steps, least_ratio) = (f64::from(1u32 << 30), 0.5f64.powi(31));
    let by_result = result_scale.map_or(0.0, |scale| scale * least_ratio / input_scale);
    let count = weight_scales.len();
    for (channel, scale) in weight_scales.iter_mut().enumerate() {
        // The scales of a transposed convolution are those of one group.
        let biases = bias.iter().skip(channel).step_by(count);
        let by_bias = biases.fold(0f64, |most, &bias| most.max(f64::from(bias.abs()) / (input_scale * most_steps)));
        let least = by_result.max(by_bias) as f32;
        if *scale < f64::from(least) {
            *scale = f64::from(least);
        }
    }
}

/// The type of a bias: int32 with the scale of the accumulator, per channel when the weights are.
fn bias_element(constant: &Constant<'_>, input_scale: f64, weight_scales: &[f64]) -> Result<Element, PassFailure> {
    let shape = constant.r#type.static_shape()?;
    // ONNX stores scales as f32; the product is rounded so that its reader sees the same bias.
    let scales: Vec<f64> = weight_scales.iter().map(|scale| f64::from((scale * input_scale) as f32)).collect();
    let channels = shape.last().copied().unwrap_or(1);
    let scale = match scales.as_slice() {
        [] => Scale::PerTensor(input_scale),
        // The scales of a transposed convolution are those of one group.
        group if channels.is_multiple_of(group.len()) => {
            Scale::PerAxis { axis: shape.len().saturating_sub(1), scales: group.repeat(channels / group.len()) }
        }
        _ => {
            return Err(PassFailure::Message(format!(
                "a bias of shape {shape:?} does not fit {} channels",
                weight_scales.len()
            )));
        }
    };
    Ok(Element::Quantized(Quantized { bits: BIAS_BITS, scale }))
}
