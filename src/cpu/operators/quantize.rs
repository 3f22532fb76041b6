//! `quant.qcast` and `quant.dcast`: real quantization, as ONNX QuantizeLinear and DequantizeLinear define it.

use hb_dialects::ir::{Element as IrElement, Scale, TensorType};
use melior::ir::ValueLike;
use melior::ir::operation::OperationLike;

use super::super::array::Array;
use super::super::element::Element;
use super::super::error::Error;
use super::super::expression::{Expression, axis};
use super::Definition;
use super::node::{Node, Results};

pub(super) const OPERATORS: &[Definition] = &[("quant.qcast", quantize), ("quant.dcast", dequantize)];

/// The scale of a quantized tensor at the axes of the result, in f32.
fn scale(node: &mut Node, quantized: &TensorType) -> Result<Expression, Error> {
    let IrElement::Quantized(quantized) = &quantized.element else {
        return Err(node.invalid("converts between types of which none is quantized"));
    };
    let (scales, at) = match &quantized.scale {
        Scale::PerTensor(scale) => (vec![*scale as f32], super::super::expression::index(0)),
        Scale::PerAxis { axis: along, scales } => (scales.iter().map(|scale| *scale as f32).collect(), axis(*along)),
    };
    if scales.len() == 1 {
        let value = super::super::Scalar::Float(scales.first().copied().map_or(1.0, f64::from));
        return Ok(super::super::expression::constant(Element::F32, value));
    }
    let scales = node.constant(Array::from_values(&[scales.len()], &scales)?)?;
    Ok(node.graph.load(scales, vec![at]))
}

/// round_half_even(x / s), saturated; NaN becomes 0. The cast saturates.
fn quantize(node: &mut Node) -> Results {
    let Some(quantized) = node.results.first().cloned() else { return Err(node.invalid("has no result")) };
    let scale = scale(node, &quantized)?;
    let value = node.broadcast(0)?.cast(Element::F32) / scale;
    node.fill_result(value.round())
}

/// q * s in f32.
fn dequantize(node: &mut Node) -> Results {
    let operand = node.operation.operand(0).map_err(|_| node.invalid("has no operand"))?;
    let quantized = TensorType::from_type(operand.r#type())?;
    let scale = scale(node, &quantized)?;
    let value = node.broadcast(0)?.cast(Element::F32) * scale;
    node.fill_result(value)
}
