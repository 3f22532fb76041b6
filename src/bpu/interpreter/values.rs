//! Integers in bytes, and walks over shapes.

use crate::bpu::model::{BpuElement, Clamp, Tensor};

/// An operand: its description and its elements.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    pub(super) tensor: &'a Tensor,
    pub(super) bytes: &'a [u8],
}

impl Operand<'_> {
    /// The one scale of an activation.
    pub(super) fn scale(&self) -> Result<f64, String> {
        scale_of(self.tensor)
    }

    /// All elements, one after the other, as integers.
    pub(super) fn integers(&self) -> impl Iterator<Item = i32> + '_ {
        let element = self.tensor.element;
        self.bytes.chunks_exact(element.bytes() as usize).map(move |bytes| integer(element, bytes))
    }

    /// The elements of an int8 or int16 tensor, which all fit an i16.
    pub(super) fn narrow(&self) -> Vec<i16> {
        self.integers().map(|value| value as i16).collect()
    }
}

/// The one scale of a tensor.
pub(super) fn scale_of(tensor: &Tensor) -> Result<f64, String> {
    tensor.scale.per_tensor().ok_or_else(|| format!("tensor `{}` does not have one scale", tensor.name))
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
pub(super) fn allocate(tensor: &Tensor) -> Vec<u8> {
    vec![0; tensor.byte_count().unwrap_or(0)]
}

/// Bytes of integers, as many as the tensor has elements.
pub(super) fn collect(tensor: &Tensor, values: impl IntoIterator<Item = i32>) -> Vec<u8> {
    let mut bytes = allocate(tensor);
    store(tensor.element, values, &mut bytes);
    bytes
}

/// The interval of a result: that of a fused activation or all of its type.
pub(super) fn interval(clamp: Option<Clamp>, output: &Tensor) -> Clamp {
    clamp.or(output.element.range()).unwrap_or(Clamp::I32)
}

/// Distance in elements from one index of each dimension to the next, in a dense row-major array.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Where an index of each dimension of a result is found: an offset in the source, added over the dimensions, or nowhere.
pub(super) type Sources = Vec<Vec<Option<usize>>>;

/// The sources of an operand of shape `shape` that is broadcast to `target`.
pub(super) fn broadcast_sources(shape: &[usize], target: &[usize]) -> Sources {
    let strides = strides(shape);
    let missing = target.len() - shape.len();
    (0..target.len())
        .map(|axis| {
            let stride = axis.checked_sub(missing).filter(|axis| shape[*axis] > 1).map_or(0, |axis| strides[axis]);
            (0..target[axis]).map(|index| Some(index * stride)).collect()
        })
        .collect()
}

/// Visits the indices of a result in row-major order with the offset of the source of each.
pub(super) fn visit(sources: &[Vec<Option<usize>>], visitor: &mut impl FnMut(Option<usize>)) {
    fn walk(sources: &[Vec<Option<usize>>], base: Option<usize>, visitor: &mut impl FnMut(Option<usize>)) {
        match sources {
            [] => visitor(base),
            [axis, rest @ ..] => {
                for offset in axis {
                    let offset = base.zip(*offset).map(|(base, offset)| base + offset);
                    walk(rest, offset, visitor);
                }
            }
        }
    }
    walk(sources, Some(0), visitor);
}
