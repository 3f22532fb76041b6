//! Sums of products of single channels: depthwise convolutions.

use super::{Finish, Input, Instructions, Level, STEP, portable};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// Channels of a block of depthwise weights.
pub const LANES: usize = 64;
/// Cells that [`depthwise_i8`] computes in one call, at most.
pub const RUN: usize = 64;
/// Bytes of depthwise weights for [`LANES`] channels and [`STEP`] bytes of kernel cells.
pub const DEPTHWISE_GROUP: usize = LANES * STEP;
/// Steps of panel columns that [`depthwise_i8`] puts in the order of weights before it multiplies, at most.
pub(super) const COLUMN_STEPS: usize = 64;

/// Kernel cells whose weights go column by column, a whole number of steps in each: then what is read of a column of the panel is the
/// same for all output cells that see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapColumns {
    /// How many there are.
    pub count: usize,
    /// Steps of each.
    pub steps: usize,
    /// Panel columns from one to the next.
    pub dilation: usize,
    /// Panel columns from the window of an output cell to that of the next one.
    pub stride: usize,
    /// Bytes of a cell of the panel.
    pub cell: usize,
}

impl TapColumns {
    /// Panel columns that the windows of some cells reach over.
    pub(super) fn width(&self, cells: usize) -> usize {
        (cells - 1) * self.stride + (self.count - 1) * self.dilation + 1
    }

    /// Cells whose columns fit.
    fn cells(&self) -> usize {
        let reach = self.width(1);
        (COLUMN_STEPS / self.steps.max(1)).checked_sub(reach).map_or(0, |rest| rest / self.stride.max(1) + 1)
    }
}

/// Where the kernel cells are in a window, in the order of the weights. A step that they do not fill has others, with weights 0.
#[derive(Debug)]
pub struct Taps {
    starts: Vec<usize>,
    last: usize,
    columns: Option<TapColumns>,
}

impl Taps {
    /// In any order.
    pub fn new(starts: Vec<usize>) -> Taps {
        let last = starts.iter().copied().max().unwrap_or(0);
        Taps { starts, last, columns: None }
    }

    /// Column by column; `rows` are those of the first one.
    pub fn in_columns(rows: &[usize], columns: TapColumns) -> Taps {
        let starts = |column: usize| rows.iter().map(move |row| row + column * columns.dilation * columns.cell);
        let columns_fit = !rows.is_empty() && rows.len() == columns.steps * STEP && columns.cells() > 0;
        Taps { columns: columns_fit.then_some(columns), ..Taps::new((0..columns.count).flat_map(starts).collect()) }
    }

    /// Where each begins.
    pub(super) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// The columns of the kernel, where they are used.
    pub(super) fn columns(&self) -> Option<TapColumns> {
        self.columns
    }

    /// How many cells [`depthwise_i8`] computes in one call, at most.
    pub fn cells(&self) -> usize {
        self.columns.map_or(RUN, |columns| columns.cells().min(RUN))
    }
}

/// Neighbouring output cells and their inputs.
#[derive(Clone, Copy)]
pub struct DepthwiseInputs<'a> {
    /// Input cells, with [`Level::offset`] added to each element.
    pub panel: &'a [u8],
    /// Where the window of the first cell begins.
    pub window: usize,
    /// Bytes from the window of a cell to that of the next.
    pub step: usize,
    /// What windows are.
    pub taps: &'a Taps,
}

/// A part of the channels of a depthwise convolution.
#[derive(Clone, Copy)]
pub struct DepthwiseWeights<'a> {
    /// What they are packed for.
    pub input: Input,
    /// A [`DEPTHWISE_GROUP`] per step of kernel cells.
    pub data: &'a [u8],
    /// The first channel.
    pub first: usize,
    /// How many channels: at most [`LANES`].
    pub count: usize,
}

impl DepthwiseWeights<'_> {
    /// Whether windows of some cells have these channels, and there are weights for each of their kernel cells.
    fn fits(&self, inputs: DepthwiseInputs<'_>, cells: usize) -> bool {
        let taps = inputs.taps;
        let needed = (self.first + self.count) * self.input.bytes();
        let last =
            (cells - 1).checked_mul(inputs.step).and_then(|last| last.checked_add(inputs.window + taps.last + needed));
        self.count <= LANES
            && taps.starts.len().is_multiple_of(self.input.per_step())
            && taps.starts.len() / self.input.per_step() * DEPTHWISE_GROUP <= self.data.len()
            && last.is_some_and(|end| end <= inputs.panel.len())
    }
}

/// Where the weight of a channel of a block and a kernel cell of a step is in its [`DEPTHWISE_GROUP`] bytes.
///
/// The order is that of elements which `punpck` instructions of AVX-512 interleave within parts of 128 bits.
pub fn depthwise_position(input: Input, channel: usize, cell: usize) -> usize {
    match input {
        Input::I8 => {
            let (part, quarter, lane) = (channel / 16, channel % 16 / 4, channel % 4);
            ((quarter * 4 + part) * 4 + lane) * STEP + cell
        }
        Input::I16 => {
            let (half, part, high, lane) = (channel / 32, channel % 32 / 8, channel % 8 / 4, channel % 4);
            (((half * 2 + high) * 4 + part) * 4 + lane) * STEP + cell * 2
        }
    }
}

/// Adds to `sums` what the kernel contributes to the channels of the weights at output cell `cell`:
/// `sums[c] += Σ_t panel[window of the cell + taps[t]][first + c] · weights[c, t]`.
///
/// # Panics
/// When a cell has fewer channels, or there are not enough weights.
pub fn depthwise(
    level: Level,
    inputs: DepthwiseInputs<'_>,
    cell: usize,
    weights: DepthwiseWeights<'_>,
    sums: &mut [i32; LANES],
) {
    assert!(weights.fits(inputs, cell + 1), "cells and weights with all channels");
    let inputs = DepthwiseInputs { window: inputs.window + cell * inputs.step, ..inputs };
    match level.0 {
        Instructions::Portable => portable::depthwise(inputs, weights, sums),
        // SAFETY: the level proves the instructions; lengths were checked above.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => unsafe {
            match weights.input {
                Input::I8 => avx2::depthwise(inputs, weights, sums),
                Input::I16 => avx2::depthwise_i16(inputs, weights, sums),
            }
        },
        // SAFETY: as before.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512Vnni => unsafe {
            match weights.input {
                Input::I8 => avx512::depthwise(inputs, weights, sums),
                Input::I16 => avx512::depthwise_i16(inputs, weights, sums),
            }
        },
    }
}

/// Computes `cells` neighbouring output cells, at most [`Taps::cells`]: int8 results from int8 inputs, sums beginning at `starts`, which
/// has an element per channel. Gives the cells that it could not compute, one bit each from the lowest; [`depthwise`] and
/// [`super::finish_i8`] can.
///
/// # Panics
/// When a slice is too short.
pub fn depthwise_i8(
    level: Level,
    inputs: DepthwiseInputs<'_>,
    cells: usize,
    weights: DepthwiseWeights<'_>,
    starts: &[i32],
    finish: Finish<'_>,
    results: &mut [u8],
) -> u64 {
    assert!((1..=inputs.taps.cells()).contains(&cells), "cells");
    assert!(weights.fits(inputs, cells), "cells and weights with all channels");
    assert!(starts.len() == weights.count && finish.channels.scale.len() == weights.count, "a start for each channel");
    assert!((cells - 1) * finish.step + weights.count <= results.len(), "a place for each result");
    #[cfg(target_arch = "x86_64")]
    if level.0 == Instructions::Avx512Vnni && weights.input == Input::I8 {
        let is_step = |columns: TapColumns| inputs.step == columns.stride * columns.cell;
        assert!(inputs.taps.columns().is_none_or(is_step), "cells of the panel");
        // SAFETY: the level proves the instructions; lengths were checked above.
        return unsafe { avx512::depthwise_i8(inputs, cells, weights, starts, finish, results) };
    }
    u64::MAX >> (RUN - cells)
}
