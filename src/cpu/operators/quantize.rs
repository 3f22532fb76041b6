//! Real quantization, as ONNX QuantizeLinear and DequantizeLinear define it: the operators of a network, and `quant.qcast` and `quant.dcast`.

use std::sync::Arc;

use hb_dialects::ElementType;
use hb_dialects::ir::{self, Element, Scale, TensorType};
use hb_dialects::{hfloat, quant};
use hb_runtime::{Array, ArrayElement};
use melior::ir::operation::OperationLike;
use melior::ir::{OperationRef, ValueLike};

use super::super::error::Error;
use super::super::expression::{Expression, axis, index, select};
use super::Definition;
use super::node::{OperatorNode, Results};
use crate::numerics::{self, Clamp, Destination, quantize_constant};

/// How the results of a cast are computed; none where the operation is none.
pub(super) fn definition(operation: OperationRef<'_, '_>) -> Option<Definition> {
    match quant::Op::of(operation)? {
        quant::Op::QuantizeCast => Some(quantize),
        quant::Op::DequantizeCast => Some(dequantize),
        quant::Op::StorageCast => None,
    }
}

/// The scale of a quantized tensor.
fn scale_of<'q>(node: &OperatorNode, quantized: &'q TensorType) -> Result<&'q Scale, Error> {
    match &quantized.element {
        Element::Quantized(quantized) => Ok(&quantized.scale),
        _ => Err(node.invalid("converts between types of which none is quantized")),
    }
}

/// The scale at the axes of the result, as f32. It is read from memory, so that casts with different scales are one kernel.
fn scale(node: &mut OperatorNode, quantized: &TensorType) -> Result<Expression, Error> {
    let (scales, at) = match scale_of(node, quantized)? {
        Scale::PerTensor(affine) => (vec![affine.scale as f32], index(0)),
        Scale::PerAxis { scales, .. } if scales.len() == 1 => {
            (scales.iter().map(|&scale| scale as f32).collect(), index(0))
        }
        Scale::PerAxis { axis: along, scales } => (scales.iter().map(|&scale| scale as f32).collect(), axis(*along)),
    };
    let scales = node.constant(Array::from_values(&[scales.len()], &scales)?)?;
    Ok(node.graph.load(scales, vec![at]))
}

/// The zero point as f32, from memory as the scale is; none where it is 0.
fn zero_point(node: &mut OperatorNode, quantized: &TensorType) -> Result<Option<Expression>, Error> {
    let zero_point = scale_of(node, quantized)?.zero_point();
    if zero_point == 0 {
        return Ok(None);
    }
    // Integers of 8 bits are floats exactly.
    let memory = node.constant(Array::from_values(&[1], &[zero_point as f32])?)?;
    Ok(Some(node.graph.load(memory, vec![index(0)])))
}

/// The data of the operand, when it is a constant: its cast is computed now.
fn constant_operand(node: &OperatorNode) -> Result<Option<Arc<Array>>, Error> {
    Ok(node.tensor(node.operand(0)?)?.data.clone())
}

/// The integers of a constant, as the compiler quantizes all constants; `None` for element types that no constant has.
fn quantized_constant(data: &Array, element: ElementType, scale: &Scale) -> Result<Option<Array>, Error> {
    let Some(values) = data.values::<f32>() else { return Ok(None) };
    let shape = data.shape();
    let (scales, inner) = scale.lines(shape);
    let zero_point = scale.zero_point();
    let integers = |clamp| quantize_constant(values, scales, inner, Destination { zero_point, clamp });
    // Each clamp keeps the integers inside the type.
    Ok(Some(match element {
        ElementType::I8 => {
            Array::from_values(shape, &integers(Clamp::I8).iter().map(|&q| q as i8).collect::<Vec<_>>())?
        }
        ElementType::I16 => {
            Array::from_values(shape, &integers(Clamp::I16).iter().map(|&q| q as i16).collect::<Vec<_>>())?
        }
        ElementType::I32 => Array::from_values(shape, &integers(Clamp::I32))?,
        _ => return Ok(None),
    }))
}

/// round_half_even(x / s) + z, saturated; NaN becomes z. The cast saturates, and makes NaN 0.
pub(super) fn quantize(node: &mut OperatorNode) -> Results {
    let Some(quantized) = node.results.first().cloned() else { return Err(node.invalid("has no result")) };
    if let Some(data) = constant_operand(node)?
        && let Some(done) = quantized_constant(&data, node.result_element()?, scale_of(node, &quantized)?)?
    {
        return replace_constant(node, done);
    }
    let scale = scale(node, &quantized)?;
    let rounded = (node.broadcast(0)?.cast(ElementType::F32) / scale).round();
    let Some(zero_point) = zero_point(node, &quantized)? else { return node.fill_result(rounded) };
    let is_number = rounded.clone().equal(rounded.clone());
    node.fill_result(select(is_number, rounded + zero_point.clone(), zero_point))
}

/// Makes the result a constant. Where it takes the place of one that nothing else reads, the memory of that is freed: a network's
/// weights pass through here.
fn replace_constant(node: &mut OperatorNode, done: Array) -> Results {
    let operand = node.operation.operand(0).map_err(|_| node.invalid("has no operand"))?;
    // A constant or the cast of one is a tensor of its own; other operations may give their operand.
    let alone = ir::users(operand).len() == 1
        && ir::defining_operation(operand)
            .is_some_and(|by| hfloat::Op::Constant.is(by) || quant::Op::QuantizeCast.is(by));
    if alone {
        let tensor = node.operand(0)?;
        node.graph.forget_data(tensor);
    }
    Ok(vec![node.graph.add_constant(&node.name, Arc::new(done))?])
}

/// What the integers of a constant are; `None` when they are of another type.
fn reals<Integer: ArrayElement + Into<i32>>(data: &Array, scale: &Scale) -> Result<Option<Array>, Error> {
    let Some(integers) = data.values::<Integer>() else { return Ok(None) };
    let ((scales, inner), zero_point) = (scale.lines(data.shape()), scale.zero_point());
    let mut array = Array::zeros(ElementType::F32, data.shape())?;
    let reals = array.values_mut::<f32>().unwrap_or_default();
    for ((reals, integers), &scale) in reals.chunks_mut(inner).zip(integers.chunks(inner)).zip(scales.iter().cycle()) {
        for (real, &q) in reals.iter_mut().zip(integers) {
            *real = numerics::dequantize(q.into().wrapping_sub(zero_point), scale as f32);
        }
    }
    Ok(Some(array))
}

/// (q - z) * s in f32.
pub(super) fn dequantize(node: &mut OperatorNode) -> Results {
    let operand = node.operation.operand(0).map_err(|_| node.invalid("has no operand"))?;
    let quantized = TensorType::from_type(operand.r#type())?;
    if let Some(data) = constant_operand(node)? {
        let scale = scale_of(node, &quantized)?;
        let done = match data.element() {
            ElementType::I8 => reals::<i8>(&data, scale)?,
            ElementType::I16 => reals::<i16>(&data, scale)?,
            _ => reals::<i32>(&data, scale)?,
        };
        if let Some(done) = done {
            return replace_constant(node, done);
        }
    }
    let scale = scale(node, &quantized)?;
    let integer = node.broadcast(0)?.cast(ElementType::F32);
    let distance = match zero_point(node, &quantized)? {
        Some(zero_point) => integer - zero_point,
        None => integer,
    };
    node.fill_result(distance * scale)
}

/// A scale or zero point at the axes of the result, as f32.
fn parameter(node: &OperatorNode, number: usize) -> Result<Expression, Error> {
    let id = node.operand(number)?;
    let shape = node.shape(id)?;
    let at = match shape.as_slice() {
        [] => Vec::new(),
        [1] => vec![index(0)],
        _ => {
            let rank = node.result_shape()?.len();
            let along = hfloat::normalize_axis(hfloat::attributes::axis(node.operation)?, rank);
            vec![axis(along.map_err(|reason| node.invalid(reason))?)]
        }
    };
    Ok(node.graph.load(id, at).cast(ElementType::F32))
}

/// ONNX QuantizeLinear-25.
pub(super) fn quantize_linear(node: &mut OperatorNode) -> Results {
    let (scale, zero_point) = (parameter(node, 1)?, parameter(node, 2)?);
    let Some((low, high)) = node.result_element()?.integer_range() else {
        return Err(node.invalid("gives no integers"));
    };
    let moved = (node.broadcast(0)? / scale).round() + zero_point;
    let (low, high) = (moved.like(low as f64), moved.like(high as f64));
    node.fill_result(moved.maximum(low).minimum(high))
}

/// ONNX DequantizeLinear-25.
pub(super) fn dequantize_linear(node: &mut OperatorNode) -> Results {
    let (scale, zero_point) = (parameter(node, 1)?, parameter(node, 2)?);
    let value = (node.broadcast(0)?.cast(ElementType::F32) - zero_point) * scale;
    node.fill_result(value)
}
