//! Walks over output cells and hands the input cells of their windows to the kernels, rows on all threads.
//!
//! Indexing below is into slices whose sizes follow from the instruction's shapes, which validation has checked.

use crate::nash::isa::{BpuElement, Convolution, Window};
use crate::numerics::Destination;
use crate::team::TeamRun;

use super::kernel::lanes;
use super::kernel::{self, BLOCK, BLOCKS, Begin, CellRun, Finish, Input, LANES, Level, PIXELS, RUN, STEP, Sums};
use super::pack::{Parameters, Weights};

/// Multiply-accumulates from which threads pay off.
const PARALLEL_FROM: u64 = 1 << 18;
/// How many times as long one takes in a depthwise convolution.
const DEPTHWISE_COST: usize = 16;
/// Kernel cells whose input cells are looked up at once; a multiple of [`STEP`].
const TAPS: usize = 32;
/// Rows to aim at where rows mean nothing, and the most cells that they have.
const ROWS: usize = 8;
const ROW: usize = 64;

/// The input tile: cells whose channels are neighbours.
pub(super) struct Tile<'a> {
    pub bytes: &'a [u8],
    pub start: i64,
    /// From one image, row, column to the next.
    pub strides: [i64; 3],
    /// Rows and columns.
    pub size: [i64; 2],
    /// Bytes of a cell.
    pub cell: usize,
    /// As many, each the zero point, for cells outside of the tile.
    pub zeros: &'a [u8],
}

/// Where a kernel cell meets an output row.
#[derive(Clone, Copy, Default)]
struct Tap {
    /// First byte of the input row; none outside of the tile.
    row: Option<i64>,
    /// The input column less that of the window.
    column: i64,
}

/// A convolution with all that its rows share.
pub(super) struct Job<'a> {
    pub o: &'a Convolution,
    pub level: Level,
    pub input: Tile<'a>,
    pub weights: &'a Weights,
    /// What the sums of each output channel begin with; padded.
    pub starts: &'a [i32],
    pub parameters: Option<&'a Parameters>,
    /// Sums of earlier parts, without gaps.
    pub accumulate: Option<&'a [i32]>,
    /// Bytes from one output column to the next.
    pub step: usize,
    /// Images, rows and columns of the output.
    pub shape: [usize; 3],
}

/// The input row or column of the first kernel cell.
fn start(window: &Window, axis: usize, position: usize) -> i64 {
    position as i64 * i64::from(window.strides[axis]) - i64::from(window.pads[axis])
}

impl Job<'_> {
    /// Computes all rows, `row` bytes apart, images `image` bytes apart.
    pub fn run(mut self, team: &mut TeamRun<'_>, results: &mut [u8], row: usize, image: usize) {
        let row = self.flatten(row, image).unwrap_or(row);
        let [images, rows, columns] = self.shape;
        let sums = (images * rows * columns) as u64 * u64::from(self.o.output_shape[3]);
        let work = sums * (self.taps() * if self.o.depthwise { DEPTHWISE_COST } else { self.input.cell }) as u64;
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

    /// Makes one image of even rows of a convolution that sees every cell by itself, where its cells follow one another evenly. The
    /// last row may then have fewer cells. Gives the bytes from one row to the next.
    fn flatten(&mut self, row: usize, image: usize) -> Option<usize> {
        let [images, rows, columns] = self.shape;
        let is_even = |column: i64, row: i64, image: i64| {
            let whole_row = column * columns as i64;
            (rows == 1 || row == whole_row) && (images == 1 || image == whole_row * rows as i64)
        };
        let [input_image, input_row, input_column] = self.input.strides;
        let pointwise = matches!(self.o.window, Window { kernel: [1, 1], strides: [1, 1], pads: [0, 0], .. });
        // The stride of a single column means nothing.
        let even = columns > 1
            && self.input.size == [rows as i64, columns as i64]
            && is_even(input_column, input_row, input_image)
            && is_even(self.step as i64, row as i64, image as i64);
        if self.o.depthwise || !pointwise || !even {
            return None;
        }
        let cells = images * rows * columns;
        let row = cells.div_ceil(ROWS).next_multiple_of(PIXELS).min(ROW);
        self.shape = [1, cells.div_ceil(row), row];
        self.input.size = [self.shape[1] as i64, row as i64];
        self.input.strides = [0, input_column * row as i64, input_column];
        Some(row * self.step)
    }

    fn taps(&self) -> usize {
        self.o.window.kernel[0] as usize * self.o.window.kernel[1] as usize
    }

    fn row(&self, image: usize, y: usize, results: &mut [u8]) {
        if self.o.depthwise { self.depthwise_row(image, y, results) } else { self.dense_row(image, y, results) }
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

    /// The input cells that a kernel cell meets at `count` output columns from `x` on; beyond, the last one again.
    #[inline(always)]
    fn cells<'b>(&'b self, tap: &Tap, x: usize, count: usize, cells: &mut [&'b [u8]; PIXELS]) {
        let stride = i64::from(self.o.window.strides[1]);
        let first = x as i64 * stride + tap.column;
        let columns = 0..self.input.size[1];
        let Some(row) = tap.row else {
            *cells = [self.input.zeros; PIXELS];
            return;
        };
        if columns.contains(&first) && columns.contains(&(first + (count as i64 - 1) * stride)) {
            let (mut at, step) = (row + first * self.input.strides[2], stride * self.input.strides[2]);
            for (index, cell) in cells.iter_mut().enumerate() {
                *cell = &self.input.bytes[at as usize..][..self.input.cell];
                at += if index + 1 < count { step } else { 0 };
            }
            return;
        }
        for (index, cell) in cells.iter_mut().enumerate() {
            let column = first + index.min(count - 1) as i64 * stride;
            *cell = if columns.contains(&column) {
                &self.input.bytes[(row + column * self.input.strides[2]) as usize..][..self.input.cell]
            } else {
                self.input.zeros
            };
        }
    }

    fn dense_row(&self, image: usize, y: usize, results: &mut [u8]) {
        let outputs = self.o.output_shape[3] as usize;
        // A last row may be cut off.
        let columns = self.shape[2].min(results.len().div_ceil(self.step.max(1)));
        let (taps, blocks) = (self.taps(), outputs.div_ceil(BLOCK));
        // Blocks in equal groups.
        let together = blocks.div_ceil(blocks.div_ceil(BLOCKS));
        let mut cells = [[self.input.zeros; PIXELS]; TAPS];
        let mut sums: Sums = [[0; BLOCKS * BLOCK]; PIXELS];
        let mut places = [Tap::default(); TAPS];
        for x in (0..columns).step_by(PIXELS) {
            let pixels = PIXELS.min(columns - x);
            for block in (0..blocks).step_by(together) {
                let (first, count) = (block * BLOCK, together.min(blocks - block));
                let channels = (count * BLOCK).min(outputs - first);
                let (mut begin, mut is_done) = (Begin::At(&self.starts[first..]), false);
                if self.accumulate.is_some() {
                    for (pixel, sums) in sums.iter_mut().enumerate().take(pixels) {
                        self.begin(image, y, x + pixel, first, &mut sums[..channels]);
                    }
                    begin = Begin::There;
                }
                for tap in (0..taps).step_by(TAPS) {
                    let cells = &mut cells[..TAPS.min(taps - tap)];
                    let places = &mut places[..cells.len()];
                    // What was looked up once serves all columns and blocks, unless there are more.
                    if x == 0 && block == 0 || taps > TAPS {
                        self.taps_of_row(image, y, tap, places);
                    }
                    if block == 0 || taps > TAPS {
                        for (place, cells) in places.iter().zip(cells.iter_mut()) {
                            self.cells(place, x, pixels, cells);
                        }
                    }
                    let weights = self.weights.dense(block, tap);
                    if let Some(finish) = self.finish_i8(first, channels).filter(|_| tap + TAPS >= taps) {
                        let results = &mut results[x * self.step + first..];
                        is_done =
                            kernel::dense_i8(self.level, cells, weights, (begin, &mut sums), pixels, finish, results);
                    } else {
                        kernel::dense(self.level, cells, weights, count, begin, &mut sums);
                    }
                    begin = Begin::There;
                }
                if !is_done {
                    self.end(x, first, channels, sums[..pixels].as_flattened_mut(), results);
                }
            }
        }
    }

    fn depthwise_row(&self, image: usize, y: usize, results: &mut [u8]) {
        let columns = self.shape[2];
        let mut places = [Tap::default(); TAPS];
        let places = &mut places[..TAPS.min(self.taps())];
        self.taps_of_row(image, y, 0, places);
        let inside = self.columns_inside();
        let together = self.taps() <= TAPS && self.input.strides[2] >= 0;
        let mut x = 0;
        while x < columns {
            let end = if together && inside.contains(&x) { inside.end.min(x + RUN) } else { x + 1 };
            self.depthwise_run(image, y, x..end, places, results);
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
        let limit = |column: i64| column.clamp(0, self.shape[2] as i64) as usize;
        limit(first)..limit(last + 1)
    }

    /// Computes neighbouring cells. There is one, unless their windows lie inside of the tile and all kernel cells are in `places`.
    fn depthwise_run(
        &self,
        image: usize,
        y: usize,
        columns: std::ops::Range<usize>,
        places: &mut [Tap],
        results: &mut [u8],
    ) {
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
        let zeros = CellRun { bytes: self.input.zeros, step: 0 };
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
        let ([_, rows, columns], outputs) = (self.shape, self.o.output_shape[3] as usize);
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
    /// and writes them to their row. Every cell has [`BLOCKS`] dense blocks or [`LANES`] depthwise channels of sums.
    fn end(&self, x: usize, first: usize, channels: usize, sums: &mut [i32], results: &mut [u8]) {
        let bytes = self.o.output_element.bytes() as usize;
        let results = &mut results[x * self.step + first * bytes..];
        let stride = if self.o.depthwise { LANES } else { BLOCKS * BLOCK };
        if let Some(finish) = self.finish_i8(first, channels) {
            return kernel::finish_i8(self.level, sums, stride, finish, results);
        }
        if let Some(parameters) = self.parameters {
            lanes::finish(self.level, sums, stride, parameters.from(first, channels), self.destination());
        }
        for (cell, sums) in sums.chunks(stride).enumerate() {
            let results = &mut results[cell * self.step..][..channels * bytes];
            match self.o.output_element {
                BpuElement::I8 | BpuElement::U8 => lanes::narrow_i8(self.level, sums, results),
                BpuElement::I16 | BpuElement::F16 => lanes::narrow_i16(self.level, sums, results.as_chunks_mut().0),
                BpuElement::I32 | BpuElement::F32 => lanes::write_words(self.level, sums, results.as_chunks_mut().0),
            }
        }
    }
}
