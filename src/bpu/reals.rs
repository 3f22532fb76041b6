//! What the bytes of a tensor mean, in the order of the network.

use super::model::{BpuElement, BpuTensor, TensorScale, ValueLayout};
use crate::numerics;

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

/// So many pixels are read together: a line of memory holds several of their channels, and is read from the cache for all but the first.
const PIXELS: usize = 16;

/// NHWC to NCHW, other ranks as they are; `None` when there are not as many values as the shape says.
pub fn to_network_order<T: Copy + Default>(values: Vec<T>, shape: &[usize]) -> Option<Vec<T>> {
    let &[_, height, width, channels] = shape else { return Some(values) };
    if shape.iter().try_fold(1usize, |count, size| count.checked_mul(*size)) != Some(values.len()) {
        return None;
    }
    let pixels = height.checked_mul(width)?;
    let mut ordered = vec![T::default(); values.len()];
    let size = pixels.checked_mul(channels)?.max(1);
    for (image, planes) in values.chunks(size).zip(ordered.chunks_mut(size)) {
        for (number, block) in image.chunks(PIXELS * channels).enumerate() {
            for (channel, plane) in planes.chunks_mut(pixels).enumerate() {
                let line = plane.iter_mut().skip(number * PIXELS);
                line.zip(block.iter().skip(channel).step_by(channels)).for_each(|(to, from)| *to = *from);
            }
        }
    }
    Some(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_planes() {
        // Each value says where it lies: image, channel, row, column.
        let (images, channels, height, width) = (2, 3, 5, 7);
        let value = |n: usize, c: usize, p: usize| 1000 * n + 100 * c + 10 * (p / width) + p % width;
        let pixels = height * width;
        let mut given = Vec::new();
        let mut expected = Vec::new();
        for n in 0..images {
            given.extend((0..pixels).flat_map(|p| (0..channels).map(move |c| value(n, c, p))));
            expected.extend((0..channels).flat_map(|c| (0..pixels).map(move |p| value(n, c, p))));
        }
        assert_eq!(to_network_order(given.clone(), &[images, height, width, channels]), Some(expected));
        assert_eq!(to_network_order(given.clone(), &[images, height, width, 4]), None);
        assert_eq!(to_network_order(given.clone(), &[210]), Some(given));
        assert_eq!(to_network_order(Vec::<f32>::new(), &[0, 5, 7, 3]), Some(Vec::new()));
        assert_eq!(to_network_order(Vec::<f32>::new(), &[1, 5, 7, 0]), Some(Vec::new()));
    }
}
