//! `quant.qcast` and `quant.dcast`: real quantization, as ONNX QuantizeLinear and DequantizeLinear define it.

use std::sync::Arc;

use hb_dialects::ir::{Element as IrElement, Scale, TensorType};
use melior::ir::ValueLike;
use melior::ir::operation::OperationLike;

use super::super::array::{Array, ArrayElement};
use super::super::element::Element;
use super::super::error::Error;
use super::super::expression::{Expression, TensorId, axis, index};
use super::Definition;
use super::node::{Node, Results};

pub(super) const OPERATORS: &[Definition] = &[("quant.qcast", quantize), ("quant.dcast", dequantize)];

/// The scales of a quantized tensor in f32, and the axis along which they lie.
fn scales(node: &Node, quantized: &TensorType) -> Result<(Vec<f32>, usize), Error> {
    let IrElement::Quantized(quantized) = &quantized.element else {
        return Err(node.invalid("converts between types of which none is quantized"));
    };
    Ok(match &quantized.scale {
        Scale::PerTensor(scale) => (vec![*scale as f32], 0),
        Scale::PerAxis { axis: along, scales } => (scales.iter().map(|scale| *scale as f32).collect(), *along),
    })
}

/// The scale at the axes of the result. It is read from memory, so that casts with different scales are one kernel.
fn scale(node: &mut Node, quantized: &TensorType) -> Result<Expression, Error> {
    let (scales, along) = scales(node, quantized)?;
    let at = if scales.len() == 1 { index(0) } else { axis(along) };
    let scales = node.constant(Array::from_values(&[scales.len()], &scales)?)?;
    Ok(node.graph.load(scales, vec![at]))
}

/// The cast of a constant, computed now: `convert(value, scale)` of every element. `None` when the operand varies.
fn constant<From: ArrayElement, To: ArrayElement>(
    node: &mut Node,
    quantized: &TensorType,
    convert: impl Fn(From, f32) -> To,
) -> Result<Option<Vec<TensorId>>, Error> {
    let operand = node.operand(0)?;
    let Some(data) = node.tensor(operand)?.data.clone() else { return Ok(None) };
    let (Some(values), true) = (data.values::<From>(), node.result_element()? == To::ELEMENT) else { return Ok(None) };
    let (scales, along) = scales(node, quantized)?;
    let inner: usize = data.shape().iter().skip(along + 1).product::<usize>().max(1);
    let mut converted = Vec::with_capacity(values.len());
    for (line, values) in values.chunks(inner).enumerate() {
        let scale = scales.get(line % scales.len().max(1)).copied().unwrap_or(1.0);
        converted.extend(values.iter().map(|&value| convert(value, scale)));
    }
    let array = Array::from_values(data.shape(), &converted)?;
    Ok(Some(vec![node.graph.add_constant(&node.name, Arc::new(array))?]))
}

/// round_half_even(x / s), saturated; NaN becomes 0. The cast saturates.
fn quantize(node: &mut Node) -> Results {
    let Some(quantized) = node.results.first().cloned() else { return Err(node.invalid("has no result")) };
    // Conversions from float saturate and make NaN 0 in Rust, too.
    if let Some(done) = constant(node, &quantized, |x: f32, s| (x / s).round_ties_even() as i8)? {
        return Ok(done);
    }
    if let Some(done) = constant(node, &quantized, |x: f32, s| (x / s).round_ties_even() as i16)? {
        return Ok(done);
    }
    if let Some(done) = constant(node, &quantized, |x: f32, s| (x / s).round_ties_even() as i32)? {
        return Ok(done);
    }
    let scale = scale(node, &quantized)?;
    let value = node.broadcast(0)?.cast(Element::F32) / scale;
    node.fill_result(value.round())
}

/// q * s in f32.
fn dequantize(node: &mut Node) -> Results {
    let operand = node.operation.operand(0).map_err(|_| node.invalid("has no operand"))?;
    let quantized = TensorType::from_type(operand.r#type())?;
    if let Some(done) = constant(node, &quantized, |q: i8, s| f32::from(q) * s)? {
        return Ok(done);
    }
    if let Some(done) = constant(node, &quantized, |q: i16, s| f32::from(q) * s)? {
        return Ok(done);
    }
    if let Some(done) = constant(node, &quantized, |q: i32, s| q as f32 * s)? {
        return Ok(done);
    }
    let scale = scale(node, &quantized)?;
    let value = node.broadcast(0)?.cast(Element::F32) * scale;
    node.fill_result(value)
}
