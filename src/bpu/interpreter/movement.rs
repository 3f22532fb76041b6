//! `docs/numerics.md`, section 9: operators that copy elements.

use super::values::{Operand, Sources, allocate, strides, visit};
use crate::bpu::model::{PadMode, Tensor};

/// Copies to each index of the result the element at its source; where there is none the result keeps what it has.
pub(super) fn gather(x: Operand, sources: &Sources, result: &mut [u8]) {
    let size = x.tensor.element.bytes() as usize;
    let mut cells = result.chunks_exact_mut(size);
    visit(sources, &mut |offset| {
        if let (Some(cell), Some(offset)) = (cells.next(), offset) {
            cell.copy_from_slice(&x.bytes[offset * size..(offset + 1) * size]);
        }
    });
}

fn gathered(x: Operand, sources: &Sources, output: &Tensor) -> Vec<u8> {
    let mut bytes = allocate(output);
    gather(x, sources, &mut bytes);
    bytes
}

pub(super) fn transpose(permutation: &[usize], x: Operand, output: &Tensor) -> Vec<u8> {
    let strides = strides(&x.tensor.shape);
    let sources = permutation
        .iter()
        .map(|&axis| (0..x.tensor.shape[axis]).map(|index| Some(index * strides[axis])).collect())
        .collect();
    gathered(x, &sources, output)
}

pub(super) fn slice(starts: &[usize], steps: &[isize], x: Operand, output: &Tensor) -> Vec<u8> {
    let strides = strides(&x.tensor.shape);
    let sources = (0..output.shape.len())
        .map(|axis| {
            (0..output.shape[axis])
                .map(|index| starts[axis].checked_add_signed(index as isize * steps[axis]))
                .map(|cell| cell.map(|cell| cell * strides[axis]))
                .collect()
        })
        .collect();
    gathered(x, &sources, output)
}

pub(super) fn pad(before: &[usize], mode: PadMode, x: Operand, output: &Tensor) -> Vec<u8> {
    let mut bytes = allocate(output);
    if let PadMode::Constant(value) = mode {
        let size = output.element.bytes() as usize;
        // For reals the verifier allows only 0, whose bytes are those of the integer.
        for cell in bytes.chunks_exact_mut(size) {
            cell.copy_from_slice(&value.to_le_bytes()[..size]);
        }
    }
    let strides = strides(&x.tensor.shape);
    let sources = (0..output.shape.len())
        .map(|axis| {
            (0..output.shape[axis])
                .map(|index| padded_source(index, before[axis], x.tensor.shape[axis], mode))
                .map(|cell| cell.map(|cell| cell * strides[axis]))
                .collect()
        })
        .collect();
    gather(x, &sources, &mut bytes);
    bytes
}

/// The cell of a dimension of `size` cells that index `index` of the padded dimension shows.
fn padded_source(index: usize, before: usize, size: usize, mode: PadMode) -> Option<usize> {
    if let Some(inside) = index.checked_sub(before).filter(|inside| *inside < size) {
        return Some(inside);
    }
    match mode {
        PadMode::Constant(_) => None,
        PadMode::Edge => Some(if index < before { 0 } else { size - 1 }),
        PadMode::Reflect if index < before => Some(before - index),
        PadMode::Reflect => (2 * (size - 1)).checked_sub(index - before),
    }
}

pub(super) fn concat(axis: usize, operands: &[Operand], output: &Tensor) -> Vec<u8> {
    let mut bytes = allocate(output);
    // Everything from `axis` inwards is one contiguous block per operand.
    let inner = output.shape[axis + 1..].iter().product::<usize>() * output.element.bytes() as usize;
    let row = output.shape[axis] * inner;
    let mut start = 0;
    for operand in operands {
        let block = operand.tensor.shape[axis] * inner;
        for (target, source) in bytes.chunks_exact_mut(row).zip(operand.bytes.chunks_exact(block)) {
            target[start..start + block].copy_from_slice(source);
        }
        start += block;
    }
    bytes
}
