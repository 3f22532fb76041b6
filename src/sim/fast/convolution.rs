//! TAE on int8 inputs: walks over output cells and hands the input cells of their windows to the kernels.
//!
//! Indexing below is into slices whose sizes follow from the instruction's shapes, which validation has checked.

use rayon::prelude::*;

use crate::nash::isa::{Convolution, ElementType, View, Window};
use crate::sim::machine::Fault;

use super::kernel::lanes::{self};
use super::kernel::{self, BLOCK, BLOCKS, Begin, LANES, Level, PIXELS, STEP, Sums};
use super::pack::{self, Parameters, Weights, gather};
use super::walk::outside;

/// Multiply-accumulates from which threads pay off.
const PARALLEL_FROM: u64 = 1 << 20;
/// Kernel cells whose input cells are looked up at once; a multiple of [`STEP`].
const TAPS: usize = 32;

/// Memory that convolutions use besides L1M; kept between instructions, so that running allocates nothing.
#[derive(Default)]
pub(super) struct Scratch {
    weights: Weights,
    parameters: Parameters,
    input: Vec<u8>,
    output: Vec<u8>,
    sums: Vec<i32>,
    zeros: Vec<u8>,
}

/// What was known of an instruction before it ran.
#[derive(Default)]
pub(super) struct Prepared {
    /// Nothing needs what it does.
    pub idle: bool,
    pub weights: Option<std::sync::Arc<Weights>>,
    pub parameters: Option<Parameters>,
}

/// The input tile: bytes whose channels are neighbours.
struct Input<'a> {
    bytes: &'a [u8],
    start: i64,
    /// From one image, row, column to the next.
    strides: [i64; 3],
    channels: usize,
    /// As many as channels, for cells outside of the tile.
    zeros: &'a [u8],
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
struct Job<'a> {
    o: &'a Convolution,
    level: Level,
    input: Input<'a>,
    weights: &'a Weights,
    parameters: Option<&'a Parameters>,
    /// Sums of earlier parts, without gaps.
    accumulate: Option<&'a [i32]>,
    /// Bytes from one output column to the next.
    step: usize,
}

/// Whether this convolution is for the kernels.
pub(super) fn is_supported(o: &Convolution) -> bool {
    o.input_element == ElementType::I8 && pack::is_worth_packing(o)
}

pub(super) fn convolution(
    memory: &mut [u8],
    level: Level,
    scratch: &mut Scratch,
    o: &Convolution,
    prepared: &Prepared,
) -> Result<(), Fault> {
    let Scratch { weights, parameters, input, output, sums, zeros } = scratch;
    let weights = match &prepared.weights {
        Some(weights) => &**weights,
        None => {
            weights.pack(level, memory, o)?;
            &*weights
        }
    };
    let parameters = match (&o.parameters, &prepared.parameters) {
        (None, _) => None,
        (Some(_), Some(known)) => Some(known),
        (Some(view), None) => {
            parameters.read(memory, view, o.output_shape[3])?;
            Some(&*parameters)
        }
    };
    let accumulate = match &o.accumulate {
        Some(view) => {
            pack::read_sums(level, memory, view, &o.output_shape, sums)?;
            Some(&**sums)
        }
        None => None,
    };
    let channels = o.input_shape[3] as usize;
    zeros.resize(zeros.len().max(channels.next_multiple_of(STEP)), 0);
    let gathered = o.input.strides[3] != 1 && channels > 1 || !o.depthwise && !channels.is_multiple_of(STEP);
    let in_place = output_range(o).filter(|range| gathered || !overlaps(range, &span(&o.input, &o.input_shape, 1)));
    let element = o.output_element.bytes();
    let job = |input, step| Job { o, level, input, weights, parameters, accumulate, step };
    let packed_channels = if gathered { gather(memory, &o.input, &o.input_shape, input)? } else { channels };
    let tile = |bytes, start, strides| Input {
        bytes,
        start,
        strides,
        channels: packed_channels,
        zeros: &zeros[..packed_channels],
    };
    let packed = || {
        let [_, rows, columns, _] = o.input_shape.map(i64::from);
        let column = packed_channels as i64;
        tile(input.as_slice(), 0, [rows * columns * column, columns * column, column])
    };
    let strides = [o.input.strides[0], o.input.strides[1], o.input.strides[2]].map(i64::from);
    let Some(range) = in_place else {
        let cells: usize = o.output_shape.iter().map(|size| *size as usize).product();
        output.clear();
        output.resize(cells * element as usize, 0);
        let view = View::contiguous(0, o.output_shape, element);
        let tile = if gathered { packed() } else { tile(memory, o.input.address.into(), strides) };
        job(tile, view.strides[2] as usize).run(output, view.strides[1] as usize, view.strides[0] as usize);
        return pack::scatter(output, element, memory, &o.output, &o.output_shape);
    };
    // The input lies before or after the output.
    let (before, rest) = memory.split_at_mut_checked(range.start).ok_or_else(outside)?;
    let (results, after) = rest.split_at_mut_checked(range.len()).ok_or_else(outside)?;
    let address = o.input.address as usize;
    let input = if gathered {
        packed()
    } else if address < range.start {
        tile(before, address as i64, strides)
    } else {
        tile(after, address as i64 - range.end as i64, strides)
    };
    job(input, o.output.strides[2] as usize).run(results, o.output.strides[1] as usize, o.output.strides[0] as usize);
    Ok(())
}

/// First byte to one past the last one that a view covers.
fn span(view: &View<4>, shape: &[u32; 4], bytes: u32) -> std::ops::Range<i64> {
    let (mut start, mut end) = (i64::from(view.address), i64::from(view.address) + i64::from(bytes));
    for (size, stride) in shape.iter().zip(view.strides) {
        let reach = (i64::from(*size) - 1) * i64::from(stride);
        (start, end) = (start + reach.min(0), end + reach.max(0));
    }
    start..end
}

fn overlaps(a: &std::ops::Range<usize>, b: &std::ops::Range<i64>) -> bool {
    (a.start as i64) < b.end && b.start < a.end as i64
}

/// The bytes of the output where its rows follow one another, so that they can be handed out to threads.
fn output_range(o: &Convolution) -> Option<std::ops::Range<usize>> {
    let [images, rows, columns, channels] = o.output_shape.map(i64::from);
    let [image, row, column, channel] = o.output.strides.map(i64::from);
    let bytes = i64::from(o.output_element.bytes());
    let cell = channels * bytes;
    let in_order = (channels == 1 || channel == bytes)
        && (columns == 1 || column >= cell)
        && (rows == 1 || row >= (columns - 1) * column.max(0) + cell)
        && (images == 1 || image >= rows * row && image % row.max(1) == 0);
    let range = span(&o.output, &o.output_shape, o.output_element.bytes());
    (in_order && row >= 0 && column >= 0)
        .then_some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

/// The input row or column of the first kernel cell.
fn start(window: &Window, axis: usize, position: usize) -> i64 {
    position as i64 * i64::from(window.strides[axis]) - i64::from(window.pads[axis])
}

impl Job<'_> {
    /// Computes all rows, `row` bytes apart, images `image` bytes apart.
    fn run(&self, results: &mut [u8], row: usize, image: usize) {
        let [images, rows, _, outputs] = self.o.output_shape.map(|size| size as usize);
        let cells: u64 = self.o.output_shape[..3].iter().map(|size| u64::from(*size)).product();
        let work =
            cells * outputs as u64 * (self.taps() * if self.o.depthwise { 1 } else { self.input.channels }) as u64;
        // Strides of dimensions of size 1 mean nothing.
        let row = if rows == 1 { results.len() } else { row };
        let image = if images == 1 { results.len() } else { image };
        for (index, results) in results.chunks_mut(image.max(1)).take(images).enumerate() {
            let rows_of_image = results.chunks_mut(row.max(1)).take(rows);
            if work / (images as u64) < PARALLEL_FROM {
                rows_of_image.enumerate().for_each(|(y, results)| self.row(index, y, results));
            } else {
                results
                    .par_chunks_mut(row.max(1))
                    .take(rows)
                    .enumerate()
                    .for_each(|(y, results)| self.row(index, y, results));
            }
        }
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
            let inside = (0..i64::from(self.o.input_shape[1])).contains(&row);
            tap.row = inside.then(|| self.input.start + image as i64 * images + row * rows);
            tap.column = i as i64 * i64::from(window.dilations[1]) - i64::from(window.pads[1]);
        }
    }

    /// The input cell that a kernel cell meets at an output column.
    #[inline(always)]
    fn cell(&self, tap: &Tap, x: usize) -> &[u8] {
        let column = x as i64 * i64::from(self.o.window.strides[1]) + tap.column;
        match tap.row {
            Some(row) if (0..i64::from(self.o.input_shape[2])).contains(&column) => {
                let start = row + column * self.input.strides[2];
                &self.input.bytes[start as usize..][..self.input.channels]
            }
            _ => self.input.zeros,
        }
    }

    fn dense_row(&self, image: usize, y: usize, results: &mut [u8]) {
        let [_, _, columns, outputs] = self.o.output_shape.map(|size| size as usize);
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
                let mut begin = Begin::At(&self.weights.starts[first..]);
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
                            for (pixel, cell) in cells.iter_mut().enumerate() {
                                *cell = self.cell(place, x + pixel.min(pixels - 1));
                            }
                        }
                    }
                    kernel::dense(self.level, cells, self.weights.dense(block, tap), count, begin, &mut sums);
                    begin = Begin::There;
                }
                self.end(x, first, channels, sums[..pixels].as_flattened_mut(), results);
            }
        }
    }

    fn depthwise_row(&self, image: usize, y: usize, results: &mut [u8]) {
        let [_, _, columns, outputs] = self.o.output_shape.map(|size| size as usize);
        let taps = self.taps();
        let mut cells = [self.input.zeros; TAPS];
        let mut places = [Tap::default(); TAPS];
        for x in 0..columns {
            for block in 0..outputs.div_ceil(LANES) {
                let (first, channels) = (block * LANES, LANES.min(outputs - block * LANES));
                let mut sums = [0; LANES];
                self.begin(image, y, x, first, &mut sums[..channels]);
                for tap in (0..taps).step_by(TAPS) {
                    let count = TAPS.min(taps - tap);
                    if x == 0 && block == 0 || taps > TAPS {
                        self.taps_of_row(image, y, tap, &mut places[..count]);
                    }
                    if block == 0 || taps > TAPS {
                        for (place, cell) in places[..count].iter().zip(cells.iter_mut()) {
                            *cell = self.cell(place, x);
                        }
                        // Their weights are 0.
                        cells[count..count.next_multiple_of(STEP)].fill(self.input.zeros);
                    }
                    let cells = &cells[..count.next_multiple_of(STEP)];
                    let weights = self.weights.depthwise(block, tap);
                    kernel::depthwise(self.level, cells, first, channels, weights, &mut sums);
                }
                self.end(x, first, channels, &mut sums, results);
            }
        }
    }

    /// What the sums of an output cell begin with, from output channel `first` on.
    fn begin(&self, image: usize, y: usize, x: usize, first: usize, sums: &mut [i32]) {
        let [_, rows, columns, outputs] = self.o.output_shape.map(|size| size as usize);
        sums.copy_from_slice(&self.weights.starts[first..first + sums.len()]);
        if let Some(earlier) = self.accumulate {
            let cell = ((image * rows + y) * columns + x) * outputs + first;
            lanes::sum(self.level, sums, &earlier[cell..][..sums.len()]);
        }
    }

    /// Turns the sums of neighbouring output cells from column `x` on, `channels` from output channel `first` on, into results
    /// and writes them to their row. Every cell has [`BLOCKS`] dense blocks or [`LANES`] depthwise channels of sums.
    fn end(&self, x: usize, first: usize, channels: usize, sums: &mut [i32], results: &mut [u8]) {
        let bytes = self.o.output_element.bytes() as usize;
        let results = &mut results[x * self.step + first * bytes..];
        let stride = if self.o.depthwise { LANES } else { BLOCKS * BLOCK };
        if let Some(parameters) = self.parameters {
            let parameters = parameters.from(first, channels);
            if self.o.output_element == ElementType::I8 {
                return lanes::finish_i8(self.level, sums, stride, parameters, self.o.clamp, results, self.step);
            }
            lanes::finish(self.level, sums, stride, parameters, self.o.clamp);
        }
        for (cell, sums) in sums.chunks(stride).enumerate() {
            let results = &mut results[cell * self.step..][..channels * bytes];
            match self.o.output_element {
                ElementType::I8 => lanes::narrow_i8(self.level, sums, results),
                ElementType::I16 => lanes::narrow_i16(self.level, sums, results.as_chunks_mut().0),
                ElementType::I32 | ElementType::F32 => lanes::write_words(self.level, sums, results.as_chunks_mut().0),
            }
        }
    }
}
