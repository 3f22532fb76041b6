//! Quantized values of the QDQ form, as the lowering reads them.

use crate::bpu::model::{BpuElement, Clamp, TensorScale, row_major_strides};
use hb_dialects::ir::{Affine, Quantized, Scale};
use melior::ir::Value;
use rayon::prelude::*;

/// What the elements of an activation are: their type, and what integers are worth; a float16 is worth itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    pub element: BpuElement,
    pub affine: Affine,
}

impl Worth {
    pub const FLOAT16: Worth = Worth { element: BpuElement::F16, affine: Affine::symmetric(1.0) };

    pub fn int16(scale: f64) -> Worth {
        Worth { element: BpuElement::I16, affine: Affine::symmetric(scale) }
    }

    /// As tensors have it.
    pub fn scale(self) -> TensorScale {
        match self.element {
            BpuElement::F16 => TensorScale::None,
            _ => TensorScale::PerTensor(self.affine),
        }
    }

    /// All integers of the type.
    pub fn range(self) -> Clamp {
        self.element.range().unwrap_or(Clamp::I32)
    }

    /// The largest magnitude, as a real.
    pub fn largest(self) -> f64 {
        let Clamp { low, high } = self.range();
        let distance = |bound: i32| bound.abs_diff(self.affine.zero_point);
        self.affine.scale * f64::from(distance(low).max(distance(high)))
    }
}

/// A value that exists as int8, int16 or float16.
#[derive(Clone)]
pub struct QuantizedValue<'c, 'a> {
    /// Identifies the value.
    pub key: usize,
    /// The f32 value that is rounded, or the integers themselves where an operation of the BPU makes them.
    pub source: Value<'c, 'a>,
    /// Shape in ONNX order.
    pub shape: Vec<usize>,
    pub worth: Worth,
    /// What this value is made of, for readers that see it in another type.
    pub from: Option<Box<QuantizedValue<'c, 'a>>>,
}

impl<'c, 'a> QuantizedValue<'c, 'a> {
    /// The value as it was quantized first.
    pub fn root(&self) -> &Self {
        self.from.as_ref().map_or(self, |from| from.root())
    }
}

/// An operand of a quantized operation.
pub enum QuantizedOperand<'c, 'a> {
    Value(QuantizedValue<'c, 'a>),
    Constant(QuantizedConstant),
}

/// A constant with the integers that its casts give it.
#[derive(Clone)]
pub struct QuantizedConstant {
    /// int8, int16, or int32 for a bias.
    pub element: BpuElement,
    pub shape: Vec<usize>,
    pub scale: Scale,
    /// None when nobody asked for the values.
    pub integers: Option<Vec<i32>>,
}

impl QuantizedConstant {
    /// The elements in the order of another permutation of the dimensions.
    pub fn transposed(&self, permutation: &[usize]) -> QuantizedConstant {
        let shape: Vec<usize> = permutation.iter().map(|&i| self.shape[i]).collect();
        let strides = row_major_strides(&self.shape);
        let steps: Vec<usize> = permutation.iter().map(|&i| strides[i]).collect();
        let integers = self.integers.as_ref().map(|all| gathered(all, &shape, &steps));
        let scale = match &self.scale {
            Scale::PerAxis { axis, scales } => Scale::PerAxis {
                axis: permutation.iter().position(|i| i == axis).unwrap_or(*axis),
                scales: scales.clone(),
            },
            one => one.clone(),
        };
        QuantizedConstant { element: self.element, shape, scale, integers }
    }
}

/// The elements of an array of this shape in the order of another permutation of its dimensions.
pub fn permuted<T: Copy + Default + Send + Sync>(all: &[T], shape: &[usize], permutation: &[usize]) -> Vec<T> {
    let strides = row_major_strides(shape);
    let sizes: Vec<usize> = permutation.iter().map(|&i| shape[i]).collect();
    let steps: Vec<usize> = permutation.iter().map(|&i| strides[i]).collect();
    gathered(all, &sizes, &steps)
}

/// `all[Σ index[i] * steps[i]]` for every index of `shape` in row-major order.
fn gathered<T: Copy + Default + Send + Sync>(all: &[T], shape: &[usize], steps: &[usize]) -> Vec<T> {
    let (Some((&inner, outer)), Some((&step, outer_steps))) = (shape.split_last(), steps.split_last()) else {
        return all.to_vec();
    };
    let mut result = vec![T::default(); all.len()];
    result.par_chunks_mut(inner.max(1)).enumerate().for_each(|(mut line, cells)| {
        let mut start = 0;
        for (&size, step) in outer.iter().zip(outer_steps).rev() {
            start += line % size * step;
            line /= size;
        }
        for (index, cell) in cells.iter_mut().enumerate() {
            *cell = all[start + index * step];
        }
    });
    result
}

/// The type of the model that stores quantized elements.
pub(super) fn storage(element: &Quantized) -> BpuElement {
    match element.bits {
        8 => BpuElement::I8,
        16 => BpuElement::I16,
        _ => BpuElement::I32,
    }
}

/// What the result of a sum of products becomes.
pub enum Output<'c, 'a> {
    /// It is rounded to an activation's type.
    Quantized(QuantizedValue<'c, 'a>),
    /// No cast reads it: the 32-bit sums are dequantized as they are.
    Exact { value: Value<'c, 'a>, shape: Vec<usize> },
}

impl Output<'_, '_> {
    /// The shape in ONNX order.
    pub fn shape(&self) -> &[usize] {
        match self {
            Output::Quantized(value) => &value.shape,
            Output::Exact { shape, .. } => shape,
        }
    }
}
