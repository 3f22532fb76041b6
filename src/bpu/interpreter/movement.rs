//! `docs/numerics.md`, section 9: operators that copy elements.

use super::values::{OperandBytes, allocate, cells_mut};
use crate::bpu::model::{BpuTensor, PadMode};
use ndarray::{ArrayViewD, ArrayViewMutD, Axis, Slice, concatenate};

/// The bytes of an array in row-major order.
pub(super) fn dense(cells: &ArrayViewD<'_, u8>) -> Vec<u8> {
    cells.as_standard_layout().iter().copied().collect()
}

pub(super) fn transpose(permutation: &[usize], x: OperandBytes) -> Result<Vec<u8>, String> {
    let bytes_of_an_element = permutation.len();
    let permutation: Vec<usize> = permutation.iter().copied().chain([bytes_of_an_element]).collect();
    Ok(dense(&x.cells()?.permuted_axes(permutation)))
}

pub(super) fn slice(starts: &[usize], steps: &[isize], x: OperandBytes, output: &BpuTensor) -> Result<Vec<u8>, String> {
    let mut cells = x.cells()?;
    for (axis, ((&start, &step), &count)) in starts.iter().zip(steps).zip(&output.shape).enumerate() {
        let last =
            start.checked_add_signed(count.saturating_sub(1) as isize * step).ok_or("a slice begins before 0")?;
        // With a negative step `ndarray` goes from the end of the range to its begin.
        let range = if count == 0 { 0..0 } else { start.min(last)..start.max(last) + 1 };
        cells.slice_axis_inplace(Axis(axis), Slice::from(range).step_by(step));
    }
    Ok(dense(&cells))
}

pub(super) fn pad(before: &[usize], mode: PadMode, x: OperandBytes, output: &BpuTensor) -> Result<Vec<u8>, String> {
    let mut bytes = allocate(output);
    match mode {
        PadMode::Constant(value) => {
            let size = output.element.bytes() as usize;
            // For reals the verifier allows only 0, whose bytes are those of the integer.
            for cell in bytes.chunks_exact_mut(size) {
                cell.copy_from_slice(&value.to_le_bytes()[..size]);
            }
            let mut inside: ArrayViewMutD<u8> = cells_mut(output, &mut bytes)?;
            for (axis, (&before, &size)) in before.iter().zip(&x.tensor.shape).enumerate() {
                inside.slice_axis_inplace(Axis(axis), Slice::from(before..before + size));
            }
            inside.assign(&x.cells()?);
            Ok(bytes)
        }
        PadMode::Edge | PadMode::Reflect => {
            let mut cells = x.cells()?.into_owned();
            for (axis, ((&before, &size), &padded)) in before.iter().zip(&x.tensor.shape).zip(&output.shape).enumerate()
            {
                let sources: Vec<usize> = (0..padded).map(|index| padded_source(index, before, size, mode)).collect();
                cells = cells.select(Axis(axis), &sources);
            }
            Ok(dense(&cells.view()))
        }
    }
}

/// The cell of a dimension of `size` cells that index `index` of the dimension shows whose first `before` cells are padding.
fn padded_source(index: usize, before: usize, size: usize, mode: PadMode) -> usize {
    let last = size.saturating_sub(1);
    let mirrored = match mode {
        PadMode::Reflect if index < before => before - index,
        PadMode::Reflect if index - before > last => (2 * last).saturating_sub(index - before),
        _ => index.saturating_sub(before),
    };
    mirrored.min(last)
}

pub(super) fn concat(axis: usize, operands: &[OperandBytes]) -> Result<Vec<u8>, String> {
    let cells = operands.iter().map(OperandBytes::cells).collect::<Result<Vec<_>, _>>()?;
    let joined = concatenate(Axis(axis), &cells).map_err(|error| error.to_string())?;
    Ok(dense(&joined.view()))
}
