//! Programs of the float engine, row by row.

use crate::nash::isa::{BpuElement, RowOperand, Run};
use crate::numerics::{self, Destination, VectorProgram};

use super::full_range;
use super::memory::{Fault, read, write};

/// The real number that an element of an operand is; reals come as bits. The one place where operands of programs are converted.
pub(in crate::sim) fn real(operand: RowOperand, stored: i32) -> f32 {
    match operand.element {
        BpuElement::F32 => f32::from_bits(stored as u32),
        BpuElement::F16 => numerics::of_float16(stored as u16),
        // Only i8, whose difference has room, has zero points.
        _ => numerics::dequantize(stored.wrapping_sub(operand.zero_point), operand.scale),
    }
}

/// The program of an instruction.
pub(in crate::sim) fn program(o: &Run) -> Result<VectorProgram, Fault> {
    VectorProgram::new(o.program.steps.clone())
}

/// Elements of a row.
pub(in crate::sim) fn row_length(o: &Run) -> Result<usize, Fault> {
    let length = o.row().iter().try_fold(1usize, |length, size| length.checked_mul(*size as usize));
    length.filter(|length| *length > 0).ok_or_else(|| "its rows have no size that can be counted".to_string())
}

pub(super) fn run(l1m: &mut [u8], o: &Run) -> Result<(), Fault> {
    let (program, length) = (program(o)?, row_length(o)?);
    let mut operands = Vec::with_capacity(o.program.operands.len());
    for ((name, view), operand) in o.operands().into_iter().zip(&o.program.operands) {
        let view = view.ok_or_else(|| format!("{name} is absent"))?;
        let stored = read(l1m, view, &o.shape, operand.element)?;
        operands.push(stored.into_iter().map(|stored| real(*operand, stored)).collect::<Vec<f32>>());
    }
    let rows = o.shape.iter().fold(1usize, |count, size| count.saturating_mul(*size as usize)) / length;
    let mut results = Vec::new();
    for row in 0..rows {
        // What is not there reads as 0: validation has seen that the program loads what there is.
        let load = |operand: usize, place: usize| {
            operands.get(operand).and_then(|operand| operand.get(row * length + place)).copied().unwrap_or_default()
        };
        let values = numerics::run_row(&program, length, load);
        let count = if o.reduced { 1 } else { length };
        let stored = values.into_iter().take(count).map(|value| match o.output_element {
            BpuElement::F32 => numerics::canonical(value).to_bits() as i32,
            BpuElement::F16 => numerics::to_float16(value).into(),
            element => {
                let to = Destination { zero_point: o.output_zero_point, clamp: full_range(element) };
                numerics::quantize(value, o.output_scale, to)
            }
        });
        results.extend(stored);
    }
    write(l1m, &o.output, &o.output_shape(), o.output_element, &results)
}
