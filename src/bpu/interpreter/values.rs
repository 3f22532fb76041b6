//! Integers in bytes, and bytes as arrays.

use crate::bpu::model::{BpuElement, BpuTensor, Clamp};
use crate::numerics::Destination;
use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn};

/// An operand: its description and its elements.
#[derive(Clone, Copy)]
pub(super) struct OperandBytes<'a> {
    pub(super) tensor: &'a BpuTensor,
    pub(super) bytes: &'a [u8],
}

impl OperandBytes<'_> {
    /// The one scale of an activation.
    pub(super) fn scale(&self) -> Result<f64, String> {
        scale_of(self.tensor)
    }

    /// The distances of all elements from the zero point, one after the other.
    pub(super) fn distances(&self) -> impl Iterator<Item = i32> + '_ {
        let zero_point = self.tensor.scale.zero_point();
        self.integers().map(move |q| q.wrapping_sub(zero_point))
    }

    /// All elements, one after the other, as integers.
    pub(super) fn integers(&self) -> impl Iterator<Item = i32> + '_ {
        let element = self.tensor.element;
        self.bytes.chunks_exact(element.bytes() as usize).map(move |bytes| integer(element, bytes))
    }

    /// The elements as an array that has one more dimension: the bytes of an element.
    pub(super) fn cells(&self) -> Result<ArrayViewD<'_, u8>, String> {
        ArrayViewD::from_shape(cells_shape(self.tensor.element, &self.tensor.shape), self.bytes)
            .map_err(|e| e.to_string())
    }

    /// The distances of an int8 or int16 tensor, which all fit an i16: only int8 has zero points.
    pub(super) fn narrow(&self) -> Vec<i16> {
        self.distances().map(|value| value as i16).collect()
    }
}

/// The one scale of a tensor.
pub(super) fn scale_of(tensor: &BpuTensor) -> Result<f64, String> {
    let affine = tensor.scale.per_tensor();
    affine.map(|affine| affine.scale).ok_or_else(|| format!("tensor `{}` does not have one scale", tensor.name))
}

fn integer(element: BpuElement, bytes: &[u8]) -> i32 {
    match (element, bytes) {
        (BpuElement::I8, [a]) => i32::from(*a as i8),
        (BpuElement::I16, [a, b]) => i32::from(i16::from_le_bytes([*a, *b])),
        (_, [a, b, c, d]) => i32::from_le_bytes([*a, *b, *c, *d]),
        _ => 0,
    }
}

/// Writes integers that fit the element type.
pub(super) fn store(element: BpuElement, values: impl IntoIterator<Item = i32>, bytes: &mut [u8]) {
    let size = element.bytes() as usize;
    for (value, bytes) in values.into_iter().zip(bytes.chunks_exact_mut(size)) {
        // Little-endian: the low bytes of a value in range are the value in the narrower type.
        bytes.copy_from_slice(&value.to_le_bytes()[..size]);
    }
}

/// As many zero bytes as the tensor takes; its size was bounded by the verifier.
pub(super) fn allocate(tensor: &BpuTensor) -> Vec<u8> {
    vec![0; tensor.byte_count().unwrap_or(0)]
}

/// Bytes of integers, as many as the tensor has elements.
pub(super) fn collect(tensor: &BpuTensor, values: impl IntoIterator<Item = i32>) -> Vec<u8> {
    let mut bytes = allocate(tensor);
    store(tensor.element, values, &mut bytes);
    bytes
}

/// Where results land: at their zero point, in the interval of a fused activation or all of their type.
pub(super) fn destination(clamp: Option<Clamp>, output: &BpuTensor) -> Destination {
    let clamp = clamp.or(output.element.range()).unwrap_or(Clamp::I32);
    Destination { zero_point: output.scale.zero_point(), clamp }
}

/// A shape whose last dimension is the bytes of an element.
pub(super) fn cells_shape(element: BpuElement, shape: &[usize]) -> IxDyn {
    let mut shape = shape.to_vec();
    shape.push(element.bytes() as usize);
    IxDyn(&shape)
}

/// The bytes of a result as [`OperandBytes::cells`] are.
pub(super) fn cells_mut<'a>(output: &BpuTensor, bytes: &'a mut [u8]) -> Result<ArrayViewMutD<'a, u8>, String> {
    ArrayViewMutD::from_shape(cells_shape(output.element, &output.shape), bytes).map_err(|error| error.to_string())
}
