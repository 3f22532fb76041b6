//! `docs/numerics.md`, section 4.

use rayon::prelude::*;

use super::values::{OperandBytes, allocate, destination, scale_of, store};
use crate::bpu::model::{BpuElement, BpuTensor, Clamp, Convolution};
use crate::numerics::{self, Destination, Multiplier, accumulate, accumulator_bound, accumulator_fits};
use ndarray::{Array, IxDyn};

/// From accumulator to result; without multiplier the result is the accumulator itself.
struct Finish {
    /// One per output channel, or one for all.
    multipliers: Option<Vec<Multiplier>>,
    to: Destination,
}

impl Finish {
    fn new(
        channels: usize,
        clamp: Option<Clamp>,
        a: OperandBytes,
        b: OperandBytes,
        output: &BpuTensor,
    ) -> Result<Finish, String> {
        let to = destination(clamp, output);
        if output.element == BpuElement::I32 {
            return Ok(Finish { multipliers: None, to });
        }
        let (s_a, s_y) = (a.scale()?, scale_of(output)?);
        let multipliers = (0..channels)
            .map(|channel| {
                let s_b = b.tensor.scale.of_channel(channel).ok_or("the second operand has no scale")?;
                Multiplier::of_product(s_a, s_b, s_y).map_err(|error| error.to_string())
            })
            .collect::<Result<Vec<_>, String>>()?;
        Ok(Finish { multipliers: Some(multipliers), to })
    }

    fn apply(&self, channel: usize, acc: i32) -> i32 {
        match &self.multipliers {
            Some(multipliers) => numerics::finish(acc, multipliers[channel], self.to),
            None => acc,
        }
    }
}

/// Output cells that a filter meets one after the other, while its weights are in the nearest cache.
const POSITIONS: usize = 8;

/// Cells that lie one after the other in the input as well as in the weight.
struct Run {
    x: usize,
    w: usize,
    length: usize,
}

/// The shape of a convolution, taken apart.
struct Geometry<'a> {
    attributes: &'a Convolution,
    input: [usize; 3],
    kernel: [usize; 2],
    /// Input channels of one group.
    depth: usize,
    output: [usize; 3],
}

impl Geometry<'_> {
    /// The products of one output cell, the same for every output channel of the first group.
    fn runs(&self, image: usize, row: usize, column: usize) -> Vec<Run> {
        let Geometry { attributes, input: [height, width, channels], kernel, depth, .. } = self;
        let inside = |axis: usize, position: usize, k: usize, size: usize| {
            (position * attributes.strides[axis] + k * attributes.dilations[axis])
                .checked_sub(attributes.pads[axis])
                .filter(|cell| *cell < size)
        };
        let mut runs: Vec<Run> = Vec::new();
        for i in 0..kernel[0] {
            let Some(y) = inside(0, row, i, *height) else {
                continue;
            };
            for j in 0..kernel[1] {
                let Some(x) = inside(1, column, j, *width) else {
                    continue;
                };
                let run = Run {
                    x: ((image * height + y) * width + x) * channels,
                    w: (i * kernel[1] + j) * depth,
                    length: *depth,
                };
                match runs.last_mut() {
                    Some(last) if last.x + last.length == run.x && last.w + last.length == run.w => {
                        last.length += run.length;
                    }
                    _ => runs.push(run),
                }
            }
        }
        runs
    }
}

pub(super) fn convolution(
    attributes: &Convolution,
    x: OperandBytes,
    w: OperandBytes,
    bias: Option<OperandBytes>,
    output: &BpuTensor,
) -> Result<Vec<u8>, String> {
    let (&[_, height, width, channels], &[filters, kernel_height, kernel_width, depth], &[_, out_height, out_width, _]) =
        (&x.tensor.shape[..], &w.tensor.shape[..], &output.shape[..])
    else {
        return Err("input, weight and result must have rank 4".to_owned());
    };
    let geometry = Geometry {
        attributes,
        input: [height, width, channels],
        kernel: [kernel_height, kernel_width],
        depth,
        output: [out_height, out_width, filters],
    };
    let bias = bias.map_or_else(|| vec![0; filters], |bias| bias.integers().collect());
    let finish = Finish::new(filters, attributes.clamp, x, w, output)?;
    let weights = w.narrow();
    check_accumulators(&weights, &bias, x.tensor.magnitude())?;
    Ok(convolve(&geometry, &x.narrow(), &weights, &bias, &finish, output))
}

fn convolve(
    geometry: &Geometry,
    x: &[i16],
    weights: &[i16],
    bias: &[i32],
    finish: &Finish,
    output: &BpuTensor,
) -> Vec<u8> {
    let pixel = geometry.output[2] * output.element.bytes() as usize;
    let convolution = Cells { geometry, x, weights, bias, finish, element: output.element };
    let mut bytes = allocate(output);
    bytes
        .par_chunks_mut(POSITIONS * pixel)
        .enumerate()
        .for_each(|(part, bytes)| convolution.compute(part * POSITIONS, bytes));
    bytes
}

/// What cells of the result are computed from.
struct Cells<'a> {
    geometry: &'a Geometry<'a>,
    x: &'a [i16],
    weights: &'a [i16],
    bias: &'a [i32],
    finish: &'a Finish,
    element: BpuElement,
}

impl Cells<'_> {
    /// The cells from `first` on, as many as `bytes` hold.
    fn compute(&self, first: usize, bytes: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            #[target_feature(enable = "avx2")]
            fn wide(cells: &Cells<'_>, first: usize, bytes: &mut [u8]) {
                cells.plainly(first, bytes);
            }
            // SAFETY: the processor has the instructions.
            return unsafe { wide(self, first, bytes) };
        }
        self.plainly(first, bytes);
    }

    #[inline(always)]
    fn plainly(&self, first: usize, bytes: &mut [u8]) {
        let [height, width, filters] = self.geometry.output;
        let filter_size = self.weights.len() / filters;
        let filters_per_group = filters / self.geometry.attributes.group;
        let element = self.element.bytes() as usize;
        let pixel = filters * element;
        let runs = |position: usize| {
            self.geometry.runs(position / (height * width), position / width % height, position % width)
        };
        let all: Vec<Vec<Run>> = (0..bytes.len() / pixel).map(|index| runs(first + index)).collect();
        for (filter, (weight, bias)) in self.weights.chunks_exact(filter_size).zip(self.bias).enumerate() {
            let group = filter / filters_per_group * self.geometry.depth;
            for (runs, bytes) in all.iter().zip(bytes.chunks_exact_mut(pixel)) {
                let acc = runs.iter().fold(*bias, |acc, run| {
                    let x = &self.x[run.x + group..run.x + group + run.length];
                    dot(acc, x, &weight[run.w..run.w + run.length])
                });
                store(self.element, [self.finish.apply(filter, acc)], &mut bytes[filter * element..]);
            }
        }
    }
}

#[inline(always)]
fn dot(acc: i32, x: &[i16], w: &[i16]) -> i32 {
    x.iter().zip(w).fold(acc, |acc, (x, w)| accumulate(acc, i32::from(*x), i32::from(*w)))
}

/// The law's bound, from the weights: without it the accumulator might wrap.
fn check_accumulators(weights: &[i16], bias: &[i32], magnitude: u32) -> Result<(), String> {
    let filter_size = weights.len() / bias.len();
    for (filter, (weight, bias)) in weights.chunks_exact(filter_size).zip(bias).enumerate() {
        let bound = accumulator_bound(weight.iter().map(|w| i32::from(*w)), magnitude, *bias);
        if !accumulator_fits(bound) {
            return Err(format!("output channel {filter} can reach {bound}, which overflows the 32-bit accumulator"));
        }
    }
    Ok(())
}

pub(super) fn matmul(
    clamp: Option<Clamp>,
    a: OperandBytes,
    b: OperandBytes,
    output: &BpuTensor,
) -> Result<Vec<u8>, String> {
    let ([batch_a @ .., _, k], [batch_b @ .., _, n]) = (&a.tensor.shape[..], &b.tensor.shape[..]) else {
        return Err("both operands must have at least rank 2".to_owned());
    };
    let (k, n) = (*k, *n);
    let [batch @ .., m, _] = &output.shape[..] else {
        return Err("the result must have at least rank 2".to_owned());
    };
    let finish = Finish::new(1, clamp, a, b, output)?;
    let (matrices_a, matrices_b) = (numbers(batch_a, batch)?, numbers(batch_b, batch)?);
    let magnitude = b.tensor.magnitude();
    let (a, b) = (a.narrow(), b.narrow());
    // Each row of `a` meets every column of `b` as weights meet data.
    for row in a.chunks_exact(k) {
        let bound = accumulator_bound(row.iter().map(|a| i32::from(*a)), magnitude, 0);
        if !accumulator_fits(bound) {
            return Err(format!("a row of {k} products can reach {bound}, which overflows the 32-bit accumulator"));
        }
    }
    let mut bytes = allocate(output);
    bytes.par_chunks_exact_mut(n * output.element.bytes() as usize).enumerate().for_each(|(position, bytes)| {
        let (matrix, row) = (position / m, position % m);
        let a = &a[(matrices_a[matrix] * m + row) * k..][..k];
        let b = &b[matrices_b[matrix] * k * n..][..k * n];
        let mut accumulators = vec![0; n];
        for (a, b) in a.iter().zip(b.chunks_exact(n)) {
            for (acc, b) in accumulators.iter_mut().zip(b) {
                *acc = accumulate(*acc, i32::from(*a), i32::from(*b));
            }
        }
        store(output.element, accumulators.iter().map(|acc| finish.apply(0, *acc)), bytes);
    });
    Ok(bytes)
}

/// For each matrix of the result the number of the operand's matrix that it is made of.
fn numbers(batch: &[usize], target: &[usize]) -> Result<Vec<usize>, String> {
    let own = Array::from_iter(0..batch.iter().product()).into_shape_with_order(IxDyn(batch));
    let own = own.map_err(|error| error.to_string())?;
    let broadcast =
        own.broadcast(IxDyn(target)).ok_or_else(|| format!("{batch:?} does not broadcast to {target:?}"))?;
    Ok(broadcast.iter().copied().collect())
}
