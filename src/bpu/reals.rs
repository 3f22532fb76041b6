//! What the bytes of a tensor mean, in the order of the network.

use super::model::{BpuElement, BpuTensor, TensorScale, ValueLayout};
use crate::numerics;
use ndarray::ArrayView4;

/// The reals that a tensor's little-endian bytes stand for; `None` for integers without a scale.
pub fn reals(tensor: &BpuTensor, layout: ValueLayout, bytes: &[u8]) -> Option<Vec<f32>> {
    let reals = match tensor.element {
        BpuElement::I8 => dequantized(tensor, bytes.iter().map(|&q| i32::from(q as i8))),
        BpuElement::I16 => dequantized(tensor, bytes.as_chunks().0.iter().map(|q| i32::from(i16::from_le_bytes(*q)))),
        BpuElement::I32 => dequantized(tensor, bytes.as_chunks().0.iter().map(|q| i32::from_le_bytes(*q))),
        BpuElement::U8 => None,
        BpuElement::F16 => {
            Some(bytes.as_chunks().0.iter().map(|real| numerics::of_float16(u16::from_le_bytes(*real))).collect())
        }
        BpuElement::F32 => Some(bytes.as_chunks().0.iter().map(|real| f32::from_le_bytes(*real)).collect()),
    }?;
    match layout {
        ValueLayout::Network => Some(reals),
        ValueLayout::ChannelsLast => to_network_order(reals, &tensor.shape),
    }
}

/// Integers of a tensor as reals; `None` where it has no scale.
fn dequantized(tensor: &BpuTensor, integers: impl Iterator<Item = i32>) -> Option<Vec<f32>> {
    let zero_point = tensor.scale.zero_point();
    let real = |q: i32, scale: f32| numerics::dequantize(q.wrapping_sub(zero_point), scale);
    match &tensor.scale {
        TensorScale::PerTensor(affine) => {
            let scale = affine.scale as f32;
            Some(integers.map(|q| real(q, scale)).collect())
        }
        // Several scales run along the last dimension: they are those of sums of products.
        TensorScale::PerChannel { scales, .. } if !scales.is_empty() => {
            let scales = scales.iter().map(|scale| *scale as f32).cycle();
            Some(integers.zip(scales).map(|(q, scale)| real(q, scale)).collect())
        }
        TensorScale::PerChannel { .. } | TensorScale::None => None,
    }
}

/// NHWC to NCHW, other ranks as they are; `None` when there are not as many values as the shape says.
pub fn to_network_order<T: Copy>(values: Vec<T>, shape: &[usize]) -> Option<Vec<T>> {
    let &[n, h, w, c] = shape else { return Some(values) };
    let values = ArrayView4::from_shape((n, h, w, c), &values).ok()?;
    Some(values.permuted_axes([0, 3, 1, 2]).iter().copied().collect())
}
