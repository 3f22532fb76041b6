//! `docs/numerics.md`, section 12: programs on rows.

use super::values::{OperandBytes, destination, scale_of, store};
use crate::bpu::model::{BpuElement, BpuTensor, VectorProgram, vector_frame};
use crate::numerics;

/// An operand as real numbers, and how its elements follow the dimensions of the frame.
struct Reals {
    values: Vec<f32>,
    /// In elements; 0 along dimensions that repeat it.
    strides: Vec<usize>,
}

impl Reals {
    fn of(operand: OperandBytes<'_>, rank: usize) -> Result<Reals, String> {
        let values = match operand.tensor.element {
            BpuElement::F16 => {
                let halves = operand.bytes.as_chunks().0.iter();
                halves.map(|bytes| numerics::of_float16(u16::from_le_bytes(*bytes))).collect()
            }
            BpuElement::F32 => operand.bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            _ => {
                let scale = scale_of(operand.tensor)? as f32;
                operand.distances().map(|q| numerics::dequantize(q, scale)).collect()
            }
        };
        let shape = &operand.tensor.shape;
        let mut strides = vec![0; rank];
        let mut step = 1;
        for (stride, size) in strides.iter_mut().rev().zip(shape.iter().rev()) {
            *stride = if *size == 1 { 0 } else { step };
            step *= size;
        }
        Ok(Reals { values, strides })
    }

    fn at(&self, cell: &[usize]) -> f32 {
        let index: usize = self.strides.iter().zip(cell).map(|(stride, index)| stride * index).sum();
        self.values[index]
    }
}

/// The index of a place in a box of these sizes, row-major; along dimensions that do not count it is 0.
fn cell(sizes: &[usize], counts: impl Fn(usize) -> bool, mut place: usize) -> Vec<usize> {
    let mut cell = vec![0; sizes.len()];
    for (axis, size) in sizes.iter().enumerate().rev().filter(|(axis, _)| counts(*axis)) {
        cell[axis] = place % size;
        place /= size;
    }
    cell
}

/// The bytes of the result. Program, axes, operands and result have passed the verifier.
pub(super) fn run(
    program: &VectorProgram,
    axes: &[usize],
    operands: &[OperandBytes<'_>],
    output: &BpuTensor,
) -> Result<Vec<u8>, String> {
    let shapes: Vec<&[usize]> = operands.iter().map(|operand| operand.tensor.shape.as_slice()).collect();
    let frame = vector_frame(&shapes, axes)?;
    let sizes = &frame.shape;
    let operands =
        operands.iter().map(|operand| Reals::of(*operand, sizes.len())).collect::<Result<Vec<Reals>, String>>()?;
    let along: Vec<Vec<usize>> = (0..frame.row).map(|place| cell(sizes, |axis| axes.contains(&axis), place)).collect();
    let is_whole = output.shape == frame.shape;
    let mut result = vec![0.0; output.shape.iter().product()];
    for row in 0..frame.rows.iter().product() {
        let start = cell(sizes, |axis| !axes.contains(&axis), row);
        let cells: Vec<Vec<usize>> =
            along.iter().map(|place| place.iter().zip(&start).map(|(a, b)| a + b).collect()).collect();
        let load = |operand: usize, place: usize| operands[operand].at(&cells[place]);
        let values = numerics::run_row(program, frame.row, load);
        let stored = if is_whole { values.len() } else { 1 };
        for (cell, value) in cells.iter().zip(values).take(stored) {
            let index = output.shape.iter().zip(cell).fold(0, |index, (size, cell)| index * size + cell);
            result[index] = value;
        }
    }
    if output.element == BpuElement::F32 {
        return Ok(result.into_iter().flat_map(|value| numerics::canonical(value).to_le_bytes()).collect());
    }
    if output.element == BpuElement::F16 {
        return Ok(result.into_iter().flat_map(|value| numerics::to_float16(value).to_le_bytes()).collect());
    }
    let (scale, to) = (scale_of(output)? as f32, destination(None, output));
    let mut bytes = vec![0; output.byte_count().unwrap_or(0)];
    store(output.element, result.into_iter().map(|value| numerics::quantize(value, scale, to)), &mut bytes);
    Ok(bytes)
}
