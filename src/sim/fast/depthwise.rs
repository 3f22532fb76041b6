//! Depthwise convolutions: walks over output cells and hands the input cells of their windows to the kernels, rows on all threads.
//!
//! Indexing below is into slices whose sizes follow from the instruction's shapes, which validation has checked.

use crate::nash::isa::{BpuElement, Convolution, Window};
use crate::numerics::Destination;
use crate::team::TeamRun;

use super::kernel::{self, CellRun, Finish, Input, LANES, Level, RUN, STEP, lanes};
use super::pack::{Parameters, Weights};
use super::panel::Tile;

/// Multiply-accumulates from which threads pay off.
const PARALLEL_FROM: u64 = 1 << 18;
/// How many times as long one takes as in a dense convolution.
const COST: usize = 16;
/// Kernel cells whose input cells are looked up at once; a multiple of [`STEP`].
const TAPS: usize = 32;

/// Where a kernel cell meets an output row.
#[derive(Clone, Copy, Default)]
struct Tap {
    /// First byte of the input row; none outside of the tile.
    row: Option<i64>,
    /// The input column less that of the window.
    column: i64,
}

/// A depthwise convolution with all that its rows share.
pub(super) struct DepthwiseJob<'a> {
    pub o: &'a Convolution,
    pub level: Level,
    pub input: Tile<'a>,
    /// As many bytes as a cell, each the zero point, for cells outside of the tile.
    pub zeros: &'a [u8],
    pub weights: &'a Weights,
    /// What the sums of each output channel begin with; padded.
    pub starts: &'a [i32],
    pub parameters: Option<&'a Parameters>,
    /// Sums of earlier parts, without gaps.
    pub accumulate: Option<&'a [i32]>,
    /// Bytes from one output column to the next.
    pub step: usize,
}

/// The input row or column of the first kernel cell.
fn start(window: &Window, axis: usize, position: usize) -> i64 {
    position as i64 * i64::from(window.strides[axis]) - i64::from(window.pads[axis])
}

impl DepthwiseJob<'_> {
    /// Computes all rows, `row` bytes apart, images `image` bytes apart.
    pub fn run(&self, team: &mut TeamRun<'_>, results: &mut [u8], row: usize, image: usize) {
        let [images, rows, columns, channels] = self.o.output_shape.map(|size| size as usize);
        let work = (images * rows * columns * channels * self.taps() * COST) as u64;
        // Strides of dimensions of size 1 mean nothing.
        let row = if rows == 1 { results.len() } else { row };
        let image = if images == 1 { results.len() } else { image };
        for (index, results) in results.chunks_mut(image.max(1)).take(images).enumerate() {
            // Behind the last row there may be a gap.
            let length = results.len().min(row.saturating_mul(rows));
            let results = &mut results[..length];
            if work / (images as u64) < PARALLEL_FROM {
                results.chunks_mut(row.max(1)).enumerate().for_each(|(y, results)| self.row(index, y, results));
            } else {
                team.for_each_row(results, row, |y, results| self.row(index, y, results));
            }
        }
    }

    fn taps(&self) -> usize {
        self.o.window.kernel[0] as usize * self.o.window.kernel[1] as usize
    }

    /// Where the kernel cells from `first` on meet an output row.
    fn taps_of_row(&self, image: usize, y: usize, first: usize, taps: &mut [Tap]) {
        let window = &self.o.window;
        let columns = window.kernel[1] as usize;
        let [images, rows, _] = self.input.strides;
        for (index, tap) in taps.iter_mut().enumerate() {
            let (j, i) = ((first + index) / columns, (first + index) % columns);
            let row = start(window, 0, y) + j as i64 * i64::from(window.dilations[0]);
            let inside = (0..self.input.size[0]).contains(&row);
            tap.row = inside.then(|| self.input.start + image as i64 * images + row * rows);
            tap.column = i as i64 * i64::from(window.dilations[1]) - i64::from(window.pads[1]);
        }
    }

    fn row(&self, image: usize, y: usize, results: &mut [u8]) {
        let columns = self.o.output_shape[2] as usize;
        let mut places = [Tap::default(); TAPS];
        let places = &mut places[..TAPS.min(self.taps())];
        self.taps_of_row(image, y, 0, places);
        let inside = self.columns_inside();
        let together = self.taps() <= TAPS && self.input.strides[2] >= 0;
        let mut x = 0;
        while x < columns {
            let end = if together && inside.contains(&x) { inside.end.min(x + RUN) } else { x + 1 };
            self.cells(image, y, x..end, places, results);
            x = end;
        }
    }

    /// The output columns whose windows are inside of the tile.
    fn columns_inside(&self) -> std::ops::Range<usize> {
        let window = &self.o.window;
        let (stride, pad) = (i64::from(window.strides[1]), i64::from(window.pads[1]));
        let reach = i64::from(window.kernel[1] - 1) * i64::from(window.dilations[1]);
        let first = (pad + stride - 1).div_euclid(stride);
        let last = (self.input.size[1] - 1 - reach + pad).div_euclid(stride);
        let limit = |column: i64| column.clamp(0, self.o.output_shape[2].into()) as usize;
        limit(first)..limit(last + 1)
    }

    /// Computes neighbouring cells. There is one, unless their windows lie inside of the tile and all kernel cells are in `places`.
    fn cells(&self, image: usize, y: usize, columns: std::ops::Range<usize>, places: &mut [Tap], results: &mut [u8]) {
        let (outputs, taps) = (self.o.output_shape[3] as usize, self.taps());
        let mut runs = [CellRun::default(); TAPS];
        if taps <= TAPS {
            self.runs(places, &columns, &mut runs);
        }
        for first in (0..outputs).step_by(LANES) {
            let channels = LANES.min(outputs - first);
            let together = taps <= TAPS && self.weights.input == Input::I8 && self.accumulate.is_none();
            let left = match self.finish_i8(first, channels).filter(|_| together) {
                Some(finish) => {
                    let runs = &runs[..taps.next_multiple_of(STEP)];
                    let weights = self.weights.depthwise(first, channels, 0);
                    let starts = &self.starts[first..first + channels];
                    let results = &mut results[columns.start * self.step + first..];
                    kernel::depthwise_i8(self.level, runs, columns.len(), weights, starts, finish, results)
                }
                None => u64::MAX,
            };
            for (index, x) in columns.clone().enumerate().filter(|(index, _)| left >> index & 1 != 0) {
                let mut sums = [0; LANES];
                self.begin(image, y, x, first, &mut sums[..channels]);
                for tap in (0..taps).step_by(TAPS) {
                    if taps > TAPS {
                        let places = &mut places[..TAPS.min(taps - tap)];
                        self.taps_of_row(image, y, tap, places);
                        self.runs(places, &columns, &mut runs);
                    }
                    let runs = &runs[..TAPS.min(taps - tap).next_multiple_of(self.weights.input.per_step())];
                    let weights = self.weights.depthwise(first, channels, tap);
                    kernel::depthwise(self.level, runs, index, weights, &mut sums);
                }
                self.end(x, first, channels, &mut sums, results);
            }
        }
    }

    /// The input cells that kernel cells meet at some output columns; where there are no more kernel cells, zeros.
    fn runs<'b>(&'b self, places: &[Tap], columns: &std::ops::Range<usize>, runs: &mut [CellRun<'b>; TAPS]) {
        let [_, _, column_step] = self.input.strides;
        let step = i64::from(self.o.window.strides[1]) * column_step;
        let start = columns.start as i64 * i64::from(self.o.window.strides[1]);
        let zeros = CellRun { bytes: self.zeros, step: 0 };
        let place = |tap: &Tap| {
            let column = start + tap.column;
            let row = tap.row.filter(|_| (0..self.input.size[1]).contains(&column));
            let from = row.map(|row| (row + column * column_step) as usize)?;
            // A negative step is for single cells, which do not use it.
            Some(CellRun { bytes: &self.input.bytes[from..], step: usize::try_from(step).unwrap_or(0) })
        };
        for (run, tap) in runs.iter_mut().zip(places) {
            *run = place(tap).unwrap_or(zeros);
        }
        let end = places.len().next_multiple_of(STEP).min(TAPS);
        runs[places.len()..end].fill(zeros);
    }

    /// What the sums of an output cell begin with, from output channel `first` on.
    fn begin(&self, image: usize, y: usize, x: usize, first: usize, sums: &mut [i32]) {
        let [_, rows, columns, outputs] = self.o.output_shape.map(|size| size as usize);
        sums.copy_from_slice(&self.starts[first..first + sums.len()]);
        if let Some(earlier) = self.accumulate {
            let cell = ((image * rows + y) * columns + x) * outputs + first;
            lanes::sum(self.level, sums, &earlier[cell..][..sums.len()]);
        }
    }

    /// How sums of some output channels become results, where these are int8.
    fn finish_i8(&self, first: usize, channels: usize) -> Option<Finish<'_>> {
        let parameters = self.parameters.filter(|_| self.o.output_element == BpuElement::I8)?;
        Some(Finish { channels: parameters.from(first, channels), to: self.destination(), step: self.step })
    }

    fn destination(&self) -> Destination {
        Destination { zero_point: self.o.zero_points[1], clamp: self.o.clamp }
    }

    /// Turns the sums of neighbouring output cells from column `x` on, `channels` from output channel `first` on, into results
    /// and writes them to their row. Every cell has [`LANES`] sums.
    fn end(&self, x: usize, first: usize, channels: usize, sums: &mut [i32], results: &mut [u8]) {
        let bytes = self.o.output_element.bytes() as usize;
        let results = &mut results[x * self.step + first * bytes..];
        if let Some(finish) = self.finish_i8(first, channels) {
            return kernel::finish_i8(self.level, sums, LANES, finish, results);
        }
        if let Some(parameters) = self.parameters {
            lanes::finish(self.level, sums, LANES, parameters.from(first, channels), self.destination());
        }
        for (cell, sums) in sums.chunks(LANES).enumerate() {
            let results = &mut results[cell * self.step..][..channels * bytes];
            match self.o.output_element {
                BpuElement::I8 | BpuElement::U8 => lanes::narrow_i8(self.level, sums, results),
                BpuElement::I16 | BpuElement::F16 => lanes::narrow_i16(self.level, sums, results.as_chunks_mut().0),
                BpuElement::I32 | BpuElement::F32 => lanes::write_words(self.level, sums, results.as_chunks_mut().0),
            }
        }
    }
}
