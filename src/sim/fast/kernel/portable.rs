//! Sums of products without particular instructions.

use super::{
    BLOCK, DEPTHWISE_GROUP, DenseInputs, DenseWeights, DepthwiseInputs, DepthwiseWeights, Input, LANES, STEP, Sums,
    depthwise_position,
};
use crate::numerics::accumulate;

pub(super) fn dense(inputs: DenseInputs<'_>, weights: DenseWeights<'_>, blocks: usize, sums: &mut Sums) {
    let runs = inputs.runs;
    let run_weights = runs.steps() * BLOCK * STEP;
    for block in 0..blocks {
        for (cell, sums) in inputs.cells.iter().zip(sums.iter_mut()) {
            let sums = &mut sums[block * BLOCK..][..BLOCK];
            for (run, start) in runs.starts().iter().enumerate() {
                let inputs = inputs.panel[cell.window + start..][..runs.steps() * STEP].as_chunks::<STEP>().0;
                let data = &weights.data[block * weights.block_stride + run * run_weights..][..run_weights];
                for (inputs, weights_of_step) in inputs.iter().zip(data.as_chunks::<{ BLOCK * STEP }>().0) {
                    for (sum, factors) in sums.iter_mut().zip(weights_of_step.as_chunks::<STEP>().0) {
                        *sum = match weights.input {
                            Input::I8 => dot(*sum, inputs, factors),
                            Input::I16 => dot_i16(*sum, inputs, factors),
                        };
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

#[inline(always)]
fn dot_i16(sum: i32, inputs: &[u8; STEP], weights: &[u8; STEP]) -> i32 {
    let pairs = inputs.as_chunks().0.iter().zip(weights.as_chunks().0);
    pairs.fold(sum, |sum, (x, w)| accumulate(sum, i16::from_le_bytes(*x).into(), i16::from_le_bytes(*w).into()))
}

pub(super) fn depthwise(inputs: DepthwiseInputs<'_>, weights: DepthwiseWeights<'_>, sums: &mut [i32; LANES]) {
    let DepthwiseWeights { input, data, first, count } = weights;
    let groups = data.as_chunks::<DEPTHWISE_GROUP>().0;
    for (taps, weights) in inputs.taps.starts().chunks_exact(input.per_step()).zip(groups) {
        for (position, tap) in taps.iter().enumerate() {
            let channels = &inputs.panel[inputs.window + tap + first * input.bytes()..][..count * input.bytes()];
            match input {
                Input::I8 => {
                    for (channel, (sum, x)) in sums.iter_mut().zip(channels).enumerate() {
                        let weight = weights[depthwise_position(input, channel, position)];
                        *sum = accumulate(*sum, i32::from(*x as i8), i32::from(weight as i8));
                    }
                }
                Input::I16 => {
                    for (channel, (sum, x)) in sums.iter_mut().zip(channels.as_chunks().0).enumerate() {
                        // The high byte repeats the sign.
                        let weight = weights[depthwise_position(input, channel, position)];
                        *sum = accumulate(*sum, i16::from_le_bytes(*x).into(), i32::from(weight as i8));
                    }
                }
            }
        }
    }
}
