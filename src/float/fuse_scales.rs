//! `hfloat-fuse-scales`: per-channel scales and shifts go into the weights before them.

use super::equalize_channels::STATISTICS;
use hb_dialects::{
    ElementType,
    hfloat::{Op, ResultMap, attributes, has_unknown_sizes, shifts_round},
    ir::{self, Constant, IrError, Names, OperationAttributes, Origin, TensorType},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-fuse-scales",
    summary: "Fuse BatchNormalization and per-channel constants into convolutions and products",
    description: "A `batch_normalization`, or an `add`, `sub`, `mul` or `div` with a constant that has one value per channel, is the map \
`scale * x + shift`. After a `conv`, `conv_transpose` or `gemm` with constant weights and no other use it goes into weight and bias; \
where it is the same for all channels, after a function with no other use, into `result_scale` and `result_shift`: one table or curve of the BPU, \
rounded once. A shift that nearly cancels another stays, because f32 rounds between them. A \
`batch_normalization` elsewhere becomes a `mul` and an `add`, a `div` by f32 constants a `mul` by their reciprocals, which are \
rounded to f32: the quotient changes by one part in 2^23 at most. A `mat_mul` of a matrix with a constant matrix becomes a `gemm`.",
    anchor: "func.func",
    options: &[],
    run,
};

/// `scale[c] * x + shift[c]` on the channels of a tensor.
struct ChannelMap {
    scale: Vec<f64>,
    shift: Vec<f64>,
    /// Mean and deviation that a normalization gives the channels of its result, one after the other.
    statistics: Option<Vec<f64>>,
}

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let mut names = Names::of([function]);
    // What fusing gains is for the BPU.
    for operation in ir::operations(block).into_iter().filter(|operation| !has_unknown_sizes(*operation)) {
        match Op::of(operation) {
            Some(Op::MatMul) => matrix_product_to_gemm(operation)?,
            Some(Op::Gemm) => absorb_factors(operation)?,
            Some(Op::BatchNormalization) => {
                let Some(map) = map_of_batch_normalization(operation)? else { continue };
                let input = operation.operand_at(0)?;
                if !fuse_into_producer(operation, input, &map)? {
                    expand(operation, input, &map, &mut names)?;
                }
            }
            Some(op @ (Op::Add | Op::Div | Op::Mul | Op::Sub)) => {
                let fused = match map_of_binary(operation, op)? {
                    Some((input, map)) => fuse_into_producer(operation, input, &map)?,
                    None => false,
                };
                if !fused && op == Op::Div {
                    quotient_to_product(operation)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn static_type(value: Value<'_, '_>) -> Result<(TensorType, Vec<usize>), PassFailure> {
    let r#type = TensorType::from_type(value.r#type())?;
    let shape = r#type.static_shape()?;
    Ok((r#type, shape))
}

fn matrix_product_to_gemm(operation: OperationRef<'_, '_>) -> Result<(), PassFailure> {
    let (a, b) = (operation.operand_at(0)?, operation.operand_at(1)?);
    let matrices = static_type(a)?.1.len() == 2 && static_type(b)?.1.len() == 2;
    if !matrices || ir::constant_of(b).is_none() {
        return Ok(());
    }
    let context = operation.context_reference();
    let types: Vec<_> = ir::results(operation).iter().map(|result| result.r#type()).collect();
    let gemm = ir::build(context, Op::Gemm.name(), &[a, b], &[], &types, vec![], operation.location())?;
    replace(operation, ir::insert_before(operation, gemm))
}

/// A `gemm` with factors and constant weights takes them into its weights; a bias of one value becomes one per column.
fn absorb_factors(operation: OperationRef<'_, '_>) -> Result<(), PassFailure> {
    let result = ir::results(operation).into_iter().next();
    let shape = result.map(static_type).transpose()?.map(|(_, shape)| shape).unwrap_or_default();
    if let &[_, channels] = shape.as_slice() {
        let bias = operation.operand(2).ok().and_then(ir::constant_of);
        let single = bias.is_some_and(|bias| bias.r#type.elements() == Some(1)) && channels != 1;
        if !single && attributes::alpha(operation)? == 1.0 && attributes::beta(operation)? == 1.0 {
            return Ok(());
        }
        put_into_weights(
            operation,
            operation,
            &ChannelMap { scale: vec![1.0; channels], shift: vec![0.0; channels], statistics: None },
        )?;
    }
    Ok(())
}

/// Gives the uses of one operation to another and erases it.
fn replace(old: OperationRef<'_, '_>, new: OperationRef<'_, '_>) -> Result<(), PassFailure> {
    for (old, new) in ir::results(old).into_iter().zip(ir::results(new)) {
        ir::replace_all_uses(old, new);
    }
    // SAFETY: its results are replaced, and the walk over the block is past it.
    unsafe { ir::erase(old) };
    Ok(())
}

fn map_of_batch_normalization(operation: OperationRef<'_, '_>) -> Result<Option<ChannelMap>, PassFailure> {
    // Those of a float16 network may be f32.
    if TensorType::from_type(operation.operand_at(0)?.r#type())?.element != ElementType::F32 {
        return Ok(None);
    }
    let mut statistics = Vec::new();
    for index in 1..5 {
        let constant = ir::constant_of(operation.operand_at(index)?);
        let Some(constant) = constant.filter(|constant| constant.r#type.element == ElementType::F32) else {
            return Ok(None);
        };
        statistics.push(constant.f32s()?.into_owned());
    }
    let epsilon = attributes::epsilon(operation)?;
    let [scale, bias, mean, variance] = statistics.as_slice() else { return Ok(None) };
    let result = bias.iter().copied().chain(scale.iter().map(|scale| scale.abs())).map(f64::from).collect();
    let scale: Vec<f64> =
        scale.iter().zip(variance).map(|(&s, &v)| f64::from(s) / (f64::from(v) + epsilon).sqrt()).collect();
    let shift = bias.iter().zip(mean).zip(&scale).map(|((&b, &m), s)| f64::from(b) - f64::from(m) * s).collect();
    Ok(Some(ChannelMap { scale, shift, statistics: Some(result) }))
}

/// `x / c` becomes `x * (1 / c)` where every reciprocal is a normal number.
fn quotient_to_product(operation: OperationRef<'_, '_>) -> Result<(), PassFailure> {
    let (dividend, divisor) = (operation.operand_at(0)?, operation.operand_at(1)?);
    let constant = ir::constant_of(divisor).filter(|constant| constant.r#type.element == ElementType::F32);
    let Some(constant) = constant.filter(|_| ir::constant_of(dividend).is_none()) else { return Ok(()) };
    let reciprocals: Vec<f32> = constant.f32s()?.iter().map(|&value| (1.0 / f64::from(value)) as f32).collect();
    if !reciprocals.iter().all(|value| value.is_normal()) {
        return Ok(());
    }
    let reciprocal = constant_before(operation, "reciprocal", &constant.r#type, &reciprocals)?;
    let context = operation.context_reference();
    let types: Vec<_> = ir::results(operation).iter().map(|result| result.r#type()).collect();
    let product =
        ir::build(context, Op::Mul.name(), &[dividend, reciprocal], &[], &types, vec![], operation.location())?;
    replace(operation, ir::insert_before(operation, product))
}

/// The map that an operation of two operands, one of them a per-channel constant, is, and what it is applied to.
fn map_of_binary<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    op: Op,
) -> Result<Option<(Value<'c, 'a>, ChannelMap)>, PassFailure> {
    if attributes::activation(operation)?.is_some() {
        return Ok(None);
    }
    let (left, right) = (operation.operand_at(0)?, operation.operand_at(1)?);
    for (input, constant, swapped) in [(left, right, false), (right, left, true)] {
        let Some(constant) = ir::constant_of(constant) else { continue };
        if input.r#type() != operation.result(0).map_err(|error| PassFailure::Message(error.to_string()))?.r#type() {
            continue;
        }
        let shape = static_type(input)?.1;
        let Some(values) = channel_values(&constant, &shape) else { continue };
        let (one, zero) = (vec![1.0; values.len()], vec![0.0; values.len()]);
        let map = match (op, swapped) {
            (Op::Add, _) => ChannelMap { scale: one, shift: values, statistics: None },
            (Op::Mul, _) => ChannelMap { scale: values, shift: zero, statistics: None },
            (Op::Sub, false) => {
                ChannelMap { scale: one, shift: values.iter().map(|value| -value).collect(), statistics: None }
            }
            (Op::Sub, true) => ChannelMap { scale: vec![-1.0; values.len()], shift: values, statistics: None },
            (Op::Div, false) if values.iter().all(|value| (value.recip() as f32).is_normal()) => {
                ChannelMap { scale: values.iter().map(|value| value.recip()).collect(), shift: zero, statistics: None }
            }
            _ => return Ok(None),
        };
        return Ok(Some((input, map)));
    }
    Ok(None)
}

/// One value per channel (dimension 1), when a constant that broadcasts to `shape` varies along no other dimension.
fn channel_values(constant: &Constant<'_>, shape: &[usize]) -> Option<Vec<f64>> {
    let channels = *shape.get(1)?;
    let sizes = constant.r#type.shape()?;
    let offset = shape.len().checked_sub(sizes.len())?;
    if sizes.iter().enumerate().any(|(i, &size)| size != 1 && i + offset != 1) {
        return None;
    }
    let values = constant.f32s().ok()?;
    match *values {
        [single] => Some(vec![f64::from(single); channels]),
        _ if values.len() == channels => Some(values.iter().map(|&value| f64::from(value)).collect()),
        _ => None,
    }
}

/// Puts the map into the weights of the operation that computes `input`; false when that is not possible.
fn fuse_into_producer(
    operation: OperationRef<'_, '_>,
    input: Value<'_, '_>,
    map: &ChannelMap,
) -> Result<bool, PassFailure> {
    let Some(producer) = ir::defining_operation(input) else { return Ok(false) };
    if ir::users(input).len() != 1 {
        return Ok(false);
    }
    Ok(put_into_function(operation, producer, map)? || put_into_weights(operation, producer, map)?)
}

/// Makes a map that is the same for all channels that of the function `producer`, of which `operation` is the only reader.
fn put_into_function(
    operation: OperationRef<'_, '_>,
    producer: OperationRef<'_, '_>,
    map: &ChannelMap,
) -> Result<bool, PassFailure> {
    let Some(own) = ResultMap::of(producer)? else { return Ok(false) };
    let (Some(scale), Some(shift)) = (uniform(&map.scale), uniform(&map.shift)) else { return Ok(false) };
    let Some(both) = own.then(ResultMap { scale, shift }) else { return Ok(false) };
    both.set(producer);
    let origin = Origin::united([producer.origin(), operation.origin()]);
    ir::set_location(producer, origin.location(operation.context_reference()));
    replace(operation, producer)?;
    Ok(true)
}

/// The one value that all have.
fn uniform(values: &[f64]) -> Option<f64> {
    let first = *values.first()?;
    values.iter().all(|value| *value == first).then_some(first)
}

/// Builds `producer` again with the map in its weights, in the place of `operation`, which is its only reader or itself.
fn put_into_weights(
    operation: OperationRef<'_, '_>,
    producer: OperationRef<'_, '_>,
    map: &ChannelMap,
) -> Result<bool, PassFailure> {
    let Some(op @ (Op::Conv | Op::ConvTranspose | Op::Gemm)) = Op::of(producer) else { return Ok(false) };
    if attributes::activation(producer)?.is_some() {
        return Ok(false);
    }
    let Some(weight) = ir::constant_of(producer.operand_at(1)?) else { return Ok(false) };
    let bias = match producer.operand_count() {
        3 => match ir::constant_of(producer.operand_at(2)?) {
            None => return Ok(false),
            bias => bias,
        },
        _ => None,
    };
    if weight.r#type.element != ElementType::F32 {
        return Ok(false);
    }
    let Some(biases) = bias_values(bias.as_ref(), map.scale.len())? else { return Ok(false) };
    // The sum of a gemm is alpha * product + beta * C: both are scaled here, so that alpha and beta become 1.
    let (alpha, beta) = match op {
        Op::Gemm => (attributes::alpha(producer)?, attributes::beta(producer)?),
        _ => (1.0, 1.0),
    };
    let factors: Vec<f64> = map.scale.iter().map(|scale| scale * alpha).collect();
    let new_weight = scale_channels(producer, &weight, &factors)?;
    // The mean of a normalization cancels a bias, and is not there to round.
    let channels = || map.scale.iter().zip(&map.shift).map(|(&scale, &shift)| ResultMap { scale, shift });
    let biases: Vec<f64> = biases.iter().map(|&bias| f64::from(bias) * beta).collect();
    if map.statistics.is_none() && biases.iter().zip(channels()).any(|(&bias, next)| shifts_round(bias, next)) {
        return Ok(false);
    }
    let new_bias: Vec<f32> =
        biases.iter().zip(channels()).map(|(bias, next)| (bias * next.scale + next.shift) as f32).collect();
    rebuild(operation, producer, (&weight.r#type, &new_weight, &new_bias), map.statistics.as_deref())?;
    Ok(true)
}

/// The bias of each channel; zeros when there is none; `None` when it is not one value per channel.
fn bias_values(bias: Option<&Constant<'_>>, channels: usize) -> Result<Option<Vec<f32>>, PassFailure> {
    let Some(bias) = bias else { return Ok(Some(vec![0.0; channels])) };
    if bias.r#type.element != ElementType::F32 {
        return Ok(None);
    }
    let shape = bias.r#type.static_shape()?;
    let leading = shape.split_last().map_or(&[][..], |(_, leading)| leading);
    if leading.iter().any(|&size| size != 1) {
        return Ok(None);
    }
    let values = bias.f32s()?;
    Ok(match *values {
        [single] => Some(vec![single; channels]),
        _ if values.len() == channels => Some(values.into_owned()),
        _ => None,
    })
}

/// The weights of `producer`, each times the factor of its output channel.
pub(super) fn scale_channels(
    producer: OperationRef<'_, '_>,
    weight: &Constant<'_>,
    factors: &[f64],
) -> Result<Vec<f32>, PassFailure> {
    let shape = weight.r#type.static_shape()?;
    let size = |axis: usize| shape.get(axis).copied().unwrap_or(1).max(1);
    let inner = |axis: usize| shape.iter().skip(axis + 1).product::<usize>().max(1);
    let op = Op::of(producer);
    let transposed = op == Some(Op::ConvTranspose);
    let (axis, group) = match op {
        Some(Op::Conv) => (0, attributes::group(producer)?),
        Some(Op::ConvTranspose) => (1, attributes::group(producer)?),
        _ => (usize::from(!attributes::trans_b(producer)?), 1),
    };
    let group = usize::try_from(group).unwrap_or(1).max(1);
    // The weights of a transposed convolution name their output channel within the group of their input channel.
    let in_group = (size(0) / group).max(1);
    let channel = |i: usize| {
        let own = i / inner(axis) % size(axis);
        if transposed { i / inner(0) / in_group * size(1) + own } else { own }
    };
    let factor = |i: usize| factors.get(channel(i)).copied().unwrap_or(1.0);
    let values = weight.f32s()?;
    Ok(values.iter().enumerate().map(|(i, &value)| (f64::from(value) * factor(i)) as f32).collect())
}

fn rebuild(
    operation: OperationRef<'_, '_>,
    producer: OperationRef<'_, '_>,
    (weight_type, weight, bias): (&TensorType, &[f32], &[f32]),
    statistics: Option<&[f64]>,
) -> Result<(), PassFailure> {
    let context = operation.context_reference();
    let bias_type = TensorType::new(ElementType::F32, &[bias.len()]);
    let weight = constant_before(producer, "weight", weight_type, weight)?;
    let bias = constant_before(producer, "bias", &bias_type, bias)?;
    let mut attributes: Vec<_> = Vec::new();
    const KEPT: [&str; 9] =
        ["strides", "pads", "dilations", "group", "auto_pad", "output_padding", "output_shape", "transA", "transB"];
    for name in KEPT {
        if let Ok(value) = producer.attribute(name) {
            attributes.push((name, value));
        }
    }
    let origin = Origin::united([producer.origin(), operation.origin()]);
    let types: Vec<_> = ir::results(producer).iter().map(|result| result.r#type()).collect();
    let operands = [producer.operand_at(0)?, weight, bias];
    let name = producer.operation_name();
    let built = ir::build(context, &name, &operands, &attributes, &types, vec![], origin.location(context))?;
    let built = ir::insert_before(producer, built);
    if let Some(statistics) = statistics.filter(|_| Op::Conv.is(producer)) {
        ir::set_attribute(built, STATISTICS, ir::attribute::floats(context, statistics));
    }
    let absorbed = operation == producer;
    replace(operation, built)?;
    if !absorbed {
        // SAFETY: its results are replaced, and the walk over the block is past it.
        unsafe { ir::erase(producer) };
    }
    Ok(())
}

/// A new f32 constant in front of an operation, named after its node.
pub(crate) fn constant_before<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    suffix: &str,
    r#type: &TensorType,
    values: &[f32],
) -> Result<Value<'c, 'a>, IrError> {
    let context = operation.context_reference();
    let origin = operation.origin().part(suffix);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let value = ir::constant_attribute(context, &origin.name, r#type, &bytes)?;
    let types = [r#type.to_type(context)];
    let location = origin.location(context);
    let built = ir::build(context, Op::Constant.name(), &[], &[("value", value)], &types, vec![], location)?;
    let built = ir::insert_before(operation, built);
    let value = ir::results(built).into_iter().next();
    value.ok_or_else(|| IrError::Constant { node: operation.node(), reason: "has no result".into() })
}

/// A batch normalization that nothing before it can take over becomes a multiplication and an addition.
fn expand(
    operation: OperationRef<'_, '_>,
    input: Value<'_, '_>,
    map: &ChannelMap,
    names: &mut Names,
) -> Result<(), PassFailure> {
    let context = operation.context_reference();
    let (_, shape) = static_type(input)?;
    let mut sizes = vec![1; shape.len().saturating_sub(1).max(1)];
    sizes[0] = map.scale.len();
    let constant_type = TensorType::new(ElementType::F32, &sizes);
    let to_f32 = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
    let mut value = input;
    for (op, suffix, values) in [(Op::Mul, "scale", &map.scale), (Op::Add, "shift", &map.shift)] {
        let constant = constant_before(operation, suffix, &constant_type, &to_f32(values))?;
        let location = names.derive(&operation.origin(), op.definition().mnemonic()).location(context);
        let built = ir::build(context, op.name(), &[value, constant], &[], &[input.r#type()], vec![], location)?;
        let results = ir::results(ir::insert_before(operation, built));
        value = results.into_iter().next().ok_or_else(|| PassFailure::Message("an operation has no result".into()))?;
    }
    for result in ir::results(operation) {
        ir::replace_all_uses(result, value);
    }
    // SAFETY: its results are replaced, and the walk over the block is past it.
    unsafe { ir::erase(operation) };
    Ok(())
}
