//! Scales, zero points and integer weights of a quantized model.

use std::collections::HashMap;

use hb_dialects::ElementType;
use hb_dialects::hfloat::{Op, has_unknown_sizes};
use hb_dialects::ir::{self, Quantized, Scale, TensorType};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

use super::tensor::Tensor;
use crate::numerics::{Clamp, Destination, low_bytes, quantize_constant};

/// What values may be although all that the network reads is finite: rounding makes 0 of an epsilon, and less than 0 of a variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Infinite, which an integer saturates at. It may be NaN once it meets 0 or its like.
    Infinite,
    /// NaN.
    Nan,
}

/// What an operation may give. `known` has that of values, by address; those that the operation reads among them.
pub fn doubt(operation: OperationRef<'_, '_>, known: &HashMap<usize, Doubt>) -> Option<Doubt> {
    let is_integers = |value: Value<'_, '_>| {
        TensorType::from_type(value.r#type()).is_ok_and(|r#type| r#type.element.plain().is_none())
    };
    match Op::of(operation) {
        Some(
            Op::Acos
            | Op::Acosh
            | Op::Asin
            | Op::Atanh
            | Op::Div
            | Op::Log
            | Op::Mod
            | Op::Pow
            | Op::ReduceLogSum
            | Op::Sqrt,
        ) => Some(Doubt::Nan),
        // Of a graph nothing is known here.
        Some(Op::If | Op::Loop) => Some(Doubt::Nan),
        // There may be nothing of which it is the mean.
        Some(Op::ReduceMean) if has_unknown_sizes(operation) => Some(Doubt::Nan),
        None if operation.operands().chain(ir::results(operation)).any(is_integers) => None,
        op => {
            let reads_doubt = operation.operands().any(|operand| known.contains_key(&ir::address(operand)));
            let is_infinite = matches!(op, Some(Op::Cosh | Op::Exp | Op::Reciprocal | Op::Sinh));
            if reads_doubt { Some(Doubt::Nan) } else { is_infinite.then_some(Doubt::Infinite) }
        }
    }
}

/// A scalar, or one value per channel. ONNX holds scales as FLOAT: the products that are scales of biases are rounded.
pub fn scale_tensor(quantized: &Quantized) -> Result<Tensor, String> {
    let narrow = |scale: f64| {
        let narrow = scale as f32;
        if narrow.is_normal() && narrow > 0.0 {
            Ok(narrow)
        } else {
            Err(format!("the scale {scale} is not a positive normal f32, which ONNX needs"))
        }
    };
    match &quantized.scale {
        Scale::PerTensor(affine) => Ok(Tensor::scalar(ElementType::F32, narrow(affine.scale)?)),
        Scale::PerAxis { scales, .. } => {
            Ok(Tensor::from_f32s(&scales.iter().map(|scale| narrow(*scale)).collect::<Result<Vec<_>, _>>()?))
        }
    }
}

/// The zero points, which also say the integer type. INT32, which only DequantizeLinear takes, goes without.
pub fn zero_point(quantized: &Quantized) -> Option<Tensor> {
    let element = quantized.storage();
    let shape = match &quantized.scale {
        Scale::PerTensor(_) => Vec::new(),
        Scale::PerAxis { scales, .. } => vec![scales.len()],
    };
    if element == ElementType::I32 {
        return None;
    }
    let integers = vec![quantized.scale.zero_point(); shape.iter().product()];
    Tensor::new(element, shape, low_bytes(&integers, element.bytes()).into()).ok()
}

/// The integers that a constant of FLOAT is quantized to (`docs/numerics.md`).
pub fn integers(tensor: &Tensor, quantized: &Quantized) -> Result<Tensor, String> {
    if tensor.element() != ElementType::F32 {
        return Err(format!("constants of {} cannot be quantized", tensor.element()));
    }
    let (element, clamp) = match quantized.storage() {
        ElementType::I8 => (ElementType::I8, Clamp::I8),
        ElementType::I16 => (ElementType::I16, Clamp::I16),
        _ => (ElementType::I32, Clamp::I32),
    };
    if let Scale::PerAxis { axis, scales } = &quantized.scale
        && tensor.shape().get(*axis) != Some(&scales.len())
    {
        return Err(format!("{} scales on dimension {axis} of {:?}", scales.len(), tensor.shape()));
    }
    let (scales, inner) = quantized.scale.lines(tensor.shape());
    let values = ir::f32s(tensor.data());
    let integers =
        quantize_constant(&values, scales, inner, Destination { zero_point: quantized.scale.zero_point(), clamp });
    Tensor::new(element, tensor.shape().to_vec(), low_bytes(&integers, element.bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_rounded_per_channel() {
        let weights = Tensor::from_f32s(&[0.5, 1.5, -2.5, 0.5, 1000.0, -1000.0]).reshaped(vec![2, 3]).unwrap();
        let scale = Scale::PerAxis { axis: 0, scales: vec![1.0, 0.25] };
        let integers = integers(&weights, &Quantized { bits: 8, scale }).unwrap();
        // Half to even: 0.5 -> 0, 1.5 -> 2, -2.5 -> -2; 0.5 / 0.25 = 2; the rest saturates.
        assert_eq!(integers.to_i64s(), Some(vec![0, 2, -2, 2, 127, -128]));
        assert_eq!(integers.element(), ElementType::I8);
        let scale = Scale::PerAxis { axis: 1, scales: vec![1.0, 0.25, 0.5] };
        let integers = super::integers(&weights, &Quantized { bits: 16, scale }).unwrap();
        assert_eq!(integers.to_i64s(), Some(vec![0, 6, -5, 0, 4000, -2000]));
    }

    #[test]
    fn scales_that_f32_cannot_hold_are_errors() {
        let scale = |scale| scale_tensor(&Quantized { bits: 8, scale: Scale::symmetric(scale) });
        assert_eq!(scale(0.1).unwrap().data()[..], 0.1_f32.to_le_bytes());
        assert!(scale(1e-39).is_err());
        assert!(scale(1e39).is_err());
        assert!(scale(-0.5).is_err());
    }
}
