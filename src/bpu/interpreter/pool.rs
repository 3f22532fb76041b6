//! `docs/numerics.md`, section 7.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::values::{OperandBytes, allocate, destination, scale_of, store};
use crate::bpu::model::{AveragePool, BpuTensor, MaxPool};
use crate::numerics::{self, Multiplier};

/// A window over height and width of an NHWC image.
struct PooledCells<'a> {
    kernel: [usize; 2],
    strides: [usize; 2],
    pads: [usize; 4],
    dilations: [usize; 2],
    x: OperandBytes<'a>,
}

impl PooledCells<'_> {
    /// The cells of the input, along `axis` (0 height, 1 width), that the window at `position` covers.
    fn cells(&self, axis: usize, position: usize) -> impl Iterator<Item = usize> + '_ {
        let (size, before) = (self.x.tensor.shape[axis + 1], self.pads[axis]);
        (0..self.kernel[axis])
            .filter_map(move |k| (position * self.strides[axis] + k * self.dilations[axis]).checked_sub(before))
            .filter(move |cell| *cell < size)
    }

    /// Folds the cells of every window over all channels at once: `step` takes a value into its channel's accumulator, `finish`
    /// makes results of the accumulators and the number of cells.
    fn fold(
        &self,
        output: &BpuTensor,
        initial: i32,
        step: impl Fn(i32, i32) -> i32 + Sync,
        finish: impl Fn(&mut [i32], usize) + Sync,
    ) -> Vec<u8> {
        let (height, width, channels) = (self.x.tensor.shape[1], self.x.tensor.shape[2], self.x.tensor.shape[3]);
        let (out_height, out_width) = (output.shape[1], output.shape[2]);
        let x = self.x.narrow();
        let mut bytes = allocate(output);
        let pixel = channels * output.element.bytes() as usize;
        bytes.par_chunks_exact_mut(out_width * pixel).enumerate().for_each(|(row, bytes)| {
            let image = row / out_height * height;
            let rows: Vec<usize> = self.cells(0, row % out_height).collect();
            for (column, bytes) in bytes.chunks_exact_mut(pixel).enumerate() {
                let columns: Vec<usize> = self.cells(1, column).collect();
                let mut accumulators = vec![initial; channels];
                for row in &rows {
                    for column in &columns {
                        let start = ((image + row) * width + column) * channels;
                        for (accumulator, value) in accumulators.iter_mut().zip(&x[start..start + channels]) {
                            *accumulator = step(*accumulator, i32::from(*value));
                        }
                    }
                }
                finish(&mut accumulators, rows.len() * columns.len());
                store(output.element, accumulators, bytes);
            }
        });
        bytes
    }
}

pub(super) fn max_pool(pool: &MaxPool, x: OperandBytes, output: &BpuTensor) -> Vec<u8> {
    let window =
        PooledCells { kernel: pool.kernel, strides: pool.strides, pads: pool.pads, dilations: pool.dilations, x };
    // The greatest distance from the zero point is that of the greatest integer.
    let zero_point = output.scale.zero_point();
    let integers = |distances: &mut [i32], _| distances.iter_mut().for_each(|q| *q = q.wrapping_add(zero_point));
    window.fold(output, i32::MIN, numerics::maximum, integers)
}

pub(super) fn average_pool(pool: &AveragePool, x: OperandBytes, output: &BpuTensor) -> Result<Vec<u8>, String> {
    let window = PooledCells { kernel: pool.kernel, strides: pool.strides, pads: pool.pads, dilations: [1, 1], x };
    let multipliers = multipliers(pool, &window, output)?;
    let full = pool.kernel[0] * pool.kernel[1];
    let to = destination(pool.clamp, output);
    Ok(window.fold(output, 0, i32::wrapping_add, |sums, cells| {
        let count = if pool.count_include_pad { full } else { cells };
        // Every count that occurs has a multiplier; see below.
        if let Some(multiplier) = multipliers.get(&count) {
            for sum in sums {
                *sum = numerics::average(*sum, *multiplier, to);
            }
        }
    }))
}

/// The multiplier of each count that occurs.
fn multipliers(
    pool: &AveragePool,
    window: &PooledCells,
    output: &BpuTensor,
) -> Result<BTreeMap<usize, Multiplier>, String> {
    let (s_x, s_y) = (window.x.scale()?, scale_of(output)?);
    let largest = |axis: usize| (0..output.shape[axis + 1]).map(|p| window.cells(axis, p).count()).max().unwrap_or(0);
    let cells = largest(0) * largest(1);
    if u64::from(window.x.tensor.magnitude()) * cells as u64 > i32::MAX as u64 {
        return Err(format!("the sum of {cells} cells can overflow the 32-bit accumulator"));
    }
    let counts = |axis: usize| {
        let mut counts: Vec<usize> = (0..output.shape[axis + 1]).map(|p| window.cells(axis, p).count()).collect();
        counts.sort_unstable();
        counts.dedup();
        counts
    };
    let mut occurring: Vec<usize> = if pool.count_include_pad {
        vec![pool.kernel[0] * pool.kernel[1]]
    } else {
        counts(0).iter().flat_map(|rows| counts(1).into_iter().map(move |columns| rows * columns)).collect()
    };
    occurring.sort_unstable();
    occurring.dedup();
    let multiplier = |count: usize| {
        let divisor = u32::try_from(count).map_err(|_| format!("a window of {count} cells is too large"))?;
        let multiplier = numerics::average_multiplier(s_x, s_y, divisor).map_err(|error| error.to_string())?;
        Ok((count, multiplier))
    };
    occurring.into_iter().map(multiplier).collect()
}
