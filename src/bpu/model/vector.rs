//! Vector programs on tensors: which elements make up a row.

use super::verify::{Check, ensure};
use super::{BpuTensor, MAX_RANK, MAX_TENSOR_BYTES, TensorScale, broadcast_shape, element_count};
use crate::numerics::{MAX_ROW, MAX_VECTOR_OPERANDS, VectorProgram};

/// What a vector program runs over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorFrame {
    /// The shape that the operands broadcast to.
    pub shape: Vec<usize>,
    /// Elements of a row.
    pub row: usize,
    /// The shape with a 1 for each dimension of a row: that of a result of one element for each row.
    pub rows: Vec<usize>,
}

/// The frame of operands of these shapes with rows along `axes`.
///
/// # Errors
/// When the operands do not broadcast, or an axis is none of theirs or does not follow the one before.
pub fn vector_frame(operands: &[&[usize]], axes: &[usize]) -> Result<VectorFrame, String> {
    let shape = operands.iter().try_fold(Vec::new(), |shape, operand| broadcast_shape(&shape, operand));
    let shape = shape.map_err(|error| error.0)?;
    ensure(shape.len() <= MAX_RANK, || {
        format!("the operands have rank {}; at most {MAX_RANK} is possible", shape.len())
    })?;
    ensure(axes.is_sorted_by(|a, b| a < b) && axes.iter().all(|axis| *axis < shape.len()), || {
        format!("the axes {axes:?} are not ascending dimensions of the shape {shape:?}")
    })?;
    ensure(element_count(&shape).is_some_and(|count| count <= MAX_TENSOR_BYTES), || {
        format!("the operands broadcast to {shape:?}, which has more than {MAX_TENSOR_BYTES} elements")
    })?;
    let rows: Vec<usize> =
        shape.iter().enumerate().map(|(axis, size)| if axes.contains(&axis) { 1 } else { *size }).collect();
    let along: Vec<usize> = axes.iter().filter_map(|axis| shape.get(*axis).copied()).collect();
    let row = element_count(&along).ok_or("a row has too many elements to count")?;
    Ok(VectorFrame { shape, row, rows })
}

/// Whether a program can run on operands that way.
pub(super) fn check(program: &VectorProgram, axes: &[usize], operands: &[&BpuTensor], output: &BpuTensor) -> Check {
    let shapes: Vec<&[usize]> = operands.iter().map(|operand| operand.shape.as_slice()).collect();
    let frame = vector_frame(&shapes, axes)?;
    ensure((1..=MAX_VECTOR_OPERANDS).contains(&operands.len()), || {
        format!("a program has 1 to {MAX_VECTOR_OPERANDS} operands, not {}", operands.len())
    })?;
    ensure(program.operands() <= operands.len(), || {
        format!("the program loads operand {}, but there are {}", program.operands().saturating_sub(1), operands.len())
    })?;
    ensure(!program.reduces() || frame.row <= MAX_ROW, || {
        format!("a row has {} elements; at most {MAX_ROW} can be combined", frame.row)
    })?;
    // One element stands for a row where all of its elements are one number.
    ensure(output.shape == frame.shape || (output.shape == frame.rows && program.reduces()), || {
        format!("the result has shape {:?}; the operands have rows of {:?} along {axes:?}", output.shape, frame.shape)
    })?;
    for (index, tensor) in operands.iter().enumerate() {
        number(tensor, &format!("operand {index}"))?;
    }
    number(output, "the result")
}

/// f32 or f16, or int8 or int16 with one scale.
fn number(tensor: &BpuTensor, what: &str) -> Check {
    let fits = match tensor.element.is_real() {
        true => tensor.scale == TensorScale::None,
        false => tensor.element.is_activation() && tensor.scale.per_tensor().is_some(),
    };
    ensure(fits, || format!("{what} must be f32 or f16, or i8 or i16 with one scale for the whole tensor"))
}
