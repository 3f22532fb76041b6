//! TAE.
//!
//! Operands are packed first, so that the inner loops run over neighbours. Indexing below is into these packed vectors, whose
//! sizes follow from the shapes that index them.

use rayon::prelude::*;

use crate::nash::isa::{BpuElement, Convolution, View, Window, valid_taps};
use crate::numerics::{self, Destination, Multiplier};

use super::memory::{BytePlace, Fault, decode, read, write};

/// Multiply-accumulates from which threads pay off.
const PARALLEL_FROM: u128 = 1 << 22;

/// The packed operands, the input as distances from its zero point. Products of i16 are exact in i32, so widening i8 to i16 changes nothing and helps the compiler.
struct Operands<'a> {
    o: &'a Convolution,
    input: Vec<i16>,
    /// Dense: output channel, row, column, input channel. Depthwise: row, column, channel.
    weights: Vec<i16>,
    channels: usize,
    columns: usize,
    kernel_columns: usize,
}

pub(super) fn convolution(l1m: &mut [u8], o: &Convolution) -> Result<(), Fault> {
    let operands = Operands {
        o,
        input: distances(pack(l1m, &o.input, &o.input_shape, o.input_element)?, o.zero_points[0]),
        weights: pack_weights(l1m, o)?,
        channels: o.input_shape[3] as usize,
        columns: o.input_shape[2] as usize,
        kernel_columns: o.window.kernel[1] as usize,
    };
    let elements: usize = o.output_shape.iter().map(|size| *size as usize).product();
    let mut sums = match &o.accumulate {
        Some(view) => read(l1m, view, &o.output_shape, BpuElement::I32)?,
        None => vec![0; elements],
    };
    let row = o.output_shape[2] as usize * o.output_shape[3] as usize;
    let work = elements as u128 * o.weights_shape()[1..].iter().map(|size| u128::from(*size)).product::<u128>();
    if work >= PARALLEL_FROM {
        sums.par_chunks_mut(row).enumerate().for_each(|(index, sums)| operands.row(index, sums));
    } else {
        sums.chunks_mut(row).enumerate().for_each(|(index, sums)| operands.row(index, sums));
    }
    finish(l1m, o, &mut sums)?;
    write(l1m, &o.output, &o.output_shape, o.output_element, &sums)
}

fn pack(l1m: &[u8], view: &View<4>, shape: &[u32; 4], element: BpuElement) -> Result<Vec<i16>, Fault> {
    let bytes = BytePlace::new(view, shape, element.bytes())?.pack(l1m)?;
    Ok(match element {
        BpuElement::I8 => bytes.iter().map(|byte| i16::from(*byte as i8)).collect(),
        _ => bytes.as_chunks::<2>().0.iter().map(|word| i16::from_le_bytes(*word)).collect(),
    })
}

/// Of i8, the only type with zero points: they fit.
fn distances(mut integers: Vec<i16>, zero_point: i32) -> Vec<i16> {
    integers.iter_mut().for_each(|integer| *integer = integer.wrapping_sub(zero_point as i16));
    integers
}

fn pack_weights(l1m: &[u8], o: &Convolution) -> Result<Vec<i16>, Fault> {
    let [outputs, rows, columns, _] = o.weights_shape();
    if !o.depthwise {
        return pack(l1m, &o.weights, &o.weights_shape(), BpuElement::I8);
    }
    let [output, row, column, _] = o.weights.strides;
    let by_channel = View::new(o.weights.address, [0, row, column, output]);
    pack(l1m, &by_channel, &[1, rows, columns, outputs], BpuElement::I8)
}

/// The input row or column of the first kernel cell.
fn start(window: &Window, axis: usize, position: usize) -> i64 {
    position as i64 * i64::from(window.strides[axis]) - i64::from(window.pads[axis])
}

impl Operands<'_> {
    /// Adds to the sums of one output row; `index` counts rows through the batch.
    fn row(&self, index: usize, sums: &mut [i32]) {
        let o = self.o;
        let (rows, output_rows) = (o.input_shape[1] as usize, o.output_shape[1] as usize);
        let (image, y) = (index / output_rows, index % output_rows);
        let start_y = start(&o.window, 0, y);
        let vertical = valid_taps(start_y, o.window.dilations[0], o.window.kernel[0], o.input_shape[1]);
        for (x, sums) in sums.chunks_mut(o.output_shape[3] as usize).enumerate() {
            let start_x = start(&o.window, 1, x);
            let horizontal = valid_taps(start_x, o.window.dilations[1], o.window.kernel[1], o.input_shape[2]);
            for j in vertical.0..vertical.1 {
                // A valid tap lies in the tile: not negative.
                let row = (start_y + i64::from(j) * i64::from(o.window.dilations[0])) as usize;
                let input = &self.input[(image * rows + row) * self.columns * self.channels..];
                self.taps(input, start_x, j as usize, horizontal, sums);
            }
        }
    }

    /// Adds what one kernel row contributes to one output cell. `input` begins at the input row.
    fn taps(&self, input: &[i16], start_x: i64, j: usize, taps: (u32, u32), sums: &mut [i32]) {
        if taps.0 >= taps.1 {
            return;
        }
        let dilation = self.o.window.dilations[1] as usize;
        let (first, count) = (taps.0 as usize, (taps.1 - taps.0) as usize);
        let column = (start_x + i64::from(taps.0) * dilation as i64) as usize;
        if self.o.depthwise {
            for i in 0..count {
                let cells = &input[(column + i * dilation) * self.channels..][..self.channels];
                let weights = &self.weights[(j * self.kernel_columns + first + i) * self.channels..][..self.channels];
                for ((sum, cell), weight) in sums.iter_mut().zip(cells).zip(weights) {
                    *sum = numerics::accumulate(*sum, i32::from(*cell), i32::from(*weight));
                }
            }
            return;
        }
        let row = self.kernel_columns * self.channels;
        let kernel = self.o.window.kernel[0] as usize * row;
        // Without dilation, the cells of several taps are neighbours: one long product.
        let (pieces, length, step) = if dilation == 1 {
            (1, count * self.channels, 0)
        } else {
            (count, self.channels, dilation * self.channels)
        };
        for piece in 0..pieces {
            let cells = &input[column * self.channels + piece * step..][..length];
            let offset = j * row + (first + piece) * self.channels;
            for (sum, weights) in sums.iter_mut().zip(self.weights.chunks_exact(kernel)) {
                *sum = sum.wrapping_add(dot(cells, &weights[offset..][..length]));
            }
        }
    }
}

fn dot(cells: &[i16], weights: &[i16]) -> i32 {
    let products = cells.iter().zip(weights).map(|(cell, weight)| i32::from(*cell) * i32::from(*weight));
    products.fold(0, i32::wrapping_add)
}

/// With parameters, turns sums into results.
fn finish(l1m: &[u8], o: &Convolution, sums: &mut [i32]) -> Result<(), Fault> {
    let Some(view) = &o.parameters else { return Ok(()) };
    let packed = BytePlace::new(view, &[o.output_shape[3]], 12)?.pack(l1m)?;
    let words = decode(&packed, BpuElement::I32);
    let parameters: Vec<(i32, Multiplier)> = words
        .as_chunks::<3>()
        .0
        .iter()
        .map(|&[bias, mantissa, shift]| (bias, Multiplier { mantissa, shift: shift as u32 }))
        .collect();
    if let Some(channel) = parameters.iter().position(|(_, multiplier)| !multiplier.is_normal()) {
        return Err(format!("the multiplier of output channel {channel} is not normal"));
    }
    let to = Destination { zero_point: o.zero_points[1], clamp: o.clamp };
    for sums in sums.chunks_mut(parameters.len()) {
        for (sum, (bias, multiplier)) in sums.iter_mut().zip(&parameters) {
            *sum = numerics::finish(sum.wrapping_add(*bias), *multiplier, to);
        }
    }
    Ok(())
}
