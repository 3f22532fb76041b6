//! Sums of products without particular instructions.

use super::{BLOCK, DEPTHWISE_GROUP, DenseWeights, LANES, PIXELS, STEP, Sums, depthwise_position};
use crate::numerics::accumulate;

pub(super) fn dense(cells: &[[&[u8]; PIXELS]], weights: DenseWeights<'_>, blocks: usize, sums: &mut Sums) {
    for (tap, cells) in cells.iter().enumerate() {
        for block in 0..blocks {
            let first = block * weights.block_stride + tap * weights.tap_stride;
            let weights = weights.data[first..first + weights.tap_stride].as_chunks::<{ BLOCK * STEP }>().0;
            for (cell, sums) in cells.iter().zip(sums.iter_mut()) {
                let sums = &mut sums[block * BLOCK..][..BLOCK];
                for (inputs, weights) in cell.as_chunks::<STEP>().0.iter().zip(weights) {
                    for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<STEP>().0) {
                        *sum = dot(*sum, inputs, weights);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn dot(sum: i32, inputs: &[u8; STEP], weights: &[u8; STEP]) -> i32 {
    inputs.iter().zip(weights).fold(sum, |sum, (x, w)| accumulate(sum, i32::from(*x as i8), i32::from(*w as i8)))
}

pub(super) fn depthwise(
    cells: &[[&[u8]; STEP]],
    first: usize,
    count: usize,
    weights: &[[u8; DEPTHWISE_GROUP]],
    sums: &mut [i32; LANES],
) {
    for (cells, weights) in cells.iter().zip(weights) {
        for (position, cell) in cells.iter().enumerate() {
            for (channel, (sum, x)) in sums.iter_mut().zip(&cell[first..first + count]).enumerate() {
                let weight = weights[depthwise_position(channel, position)];
                *sum = accumulate(*sum, i32::from(*x as i8), i32::from(weight as i8));
            }
        }
    }
}
