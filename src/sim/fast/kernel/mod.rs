//! Inner loops, for the processor at hand.
//!
//! Every loop exists for several [`Level`]s of a processor, and all give the same bits: sums of products are exact in i32 and
//! wrap, so their order does not matter, and everything else is integer arithmetic that `numerics` defines or a single
//! correctly rounded float operation. Most loops are written once and compiled per level ([`lanes`]); sums of products use
//! the instructions made for them ([`dense`], [`depthwise`]), as does finishing int8 results ([`finish_i8`]).
//!
//! Unsafe code is confined to this folder: calls of functions compiled for a level that the processor has, which a [`Level`]
//! proves, loads and stores through pointers of slices, whose lengths each function checks first, and [`Results`] that threads share.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dense;
pub mod lanes;
mod portable;
mod results;
pub mod vector;

pub use dense::{BLOCK, BLOCKS, Begin, DenseCell, DenseFinish, DenseInputs, DenseWeights, PIXELS, Runs, Sums, dense};
pub use results::Results;

use crate::numerics::Destination;
use lanes::ChannelLanes;
/// Bytes that are multiplied and added to one sum in one step: of input channels, or of kernel cells of a depthwise convolution.
pub const STEP: usize = 4;
/// Channels of a block of depthwise weights.
pub const LANES: usize = 64;
/// Cells that [`depthwise_i8`] computes in one call, at most.
pub const RUN: usize = 64;

/// What inputs are. Weights are i8, packed as the type of the inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Input {
    /// int8.
    #[default]
    I8,
    /// int16.
    I16,
}

impl Input {
    /// The size of one element.
    pub fn bytes(self) -> usize {
        match self {
            Input::I8 => 1,
            Input::I16 => 2,
        }
    }

    /// Inputs in a step of [`STEP`] bytes.
    pub fn per_step(self) -> usize {
        STEP / self.bytes()
    }
}

/// What a processor can do. That a value exists proves that this processor can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Instructions);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl Level {
    /// What this processor can do, slowest first. The first one is always there.
    pub fn available() -> Vec<Level> {
        #[allow(unused_mut)]
        let mut levels = vec![Level(Instructions::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                levels.push(Level(Instructions::Avx2));
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
            {
                levels.push(Level(Instructions::Avx512Vnni));
            }
        }
        levels
    }

    /// The fastest one.
    pub fn best() -> Level {
        Level::available().pop().unwrap_or(Level(Instructions::Portable))
    }

    /// What [`dense`] and [`depthwise`] add to every input before they multiply.
    ///
    /// The dot product instruction of AVX-512 for bytes wants one factor unsigned, which 128 more makes of an i8.
    pub fn offset(self, input: Input) -> i32 {
        match (self.0, input) {
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx512Vnni, Input::I8) => 128,
            _ => 0,
        }
    }
}

/// The input cells that a kernel cell meets at neighbouring output cells.
#[derive(Clone, Copy, Default)]
pub struct CellRun<'a> {
    /// From the first cell on.
    pub bytes: &'a [u8],
    /// Bytes from one cell to the next.
    pub step: usize,
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
    /// Whether the cells of some runs have these channels, and there are weights for each of them.
    fn fits(&self, runs: &[CellRun<'_>], cells: usize) -> bool {
        let needed = (self.first + self.count) * self.input.bytes();
        self.count <= LANES
            && runs.len() / self.input.per_step() * DEPTHWISE_GROUP <= self.data.len()
            && runs.iter().all(|run| {
                let last = (cells - 1).checked_mul(run.step).and_then(|last| last.checked_add(needed));
                last.is_some_and(|end| end <= run.bytes.len())
            })
    }
}

/// Bytes of depthwise weights for [`LANES`] channels and [`STEP`] bytes of kernel cells.
pub const DEPTHWISE_GROUP: usize = LANES * STEP;

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

/// Adds to `sums` what some cells of the kernel contribute to the channels of the weights at output cell `cell` of the runs:
/// `sums[c] += Σ_t (runs[t][cell][first + c] + offset) · weights[c, t]`. The number of runs is a multiple of
/// [`Input::per_step`].
///
/// # Panics
/// When a cell has fewer channels, or there are not enough weights.
pub fn depthwise(
    level: Level,
    runs: &[CellRun<'_>],
    cell: usize,
    weights: DepthwiseWeights<'_>,
    sums: &mut [i32; LANES],
) {
    assert!(weights.fits(runs, cell + 1), "cells and weights with all channels");
    match level.0 {
        Instructions::Portable => portable::depthwise(runs, cell, weights, sums),
        // SAFETY: the level proves the instructions; lengths were checked above.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => unsafe {
            match weights.input {
                Input::I8 => avx2::depthwise(runs, cell, weights, sums),
                Input::I16 => avx2::depthwise_i16(runs, cell, weights, sums),
            }
        },
        // SAFETY: as before.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512Vnni => unsafe {
            match weights.input {
                Input::I8 => avx512::depthwise(runs, cell, weights, sums),
                Input::I16 => avx512::depthwise_i16(runs, cell, weights, sums),
            }
        },
    }
}

/// How sums become int8 results.
#[derive(Clone, Copy)]
pub struct Finish<'a> {
    /// The multiplier of each output channel.
    pub channels: ChannelLanes<'a>,
    /// Lies in i8.
    pub to: Destination,
    /// Bytes from the results of one cell to those of the next.
    pub step: usize,
}

/// Computes `cells` neighbouring output cells, at most [`RUN`]: int8 results from int8 inputs, sums beginning at `starts`, which
/// has an element per channel. Gives the cells that it could not compute, one bit each from the lowest; [`depthwise`] and
/// [`finish_i8`] can.
///
/// # Panics
/// When a slice is too short.
pub fn depthwise_i8(
    level: Level,
    runs: &[CellRun<'_>],
    cells: usize,
    weights: DepthwiseWeights<'_>,
    starts: &[i32],
    finish: Finish<'_>,
    results: &mut [u8],
) -> u64 {
    assert!((1..=RUN).contains(&cells) && weights.fits(runs, cells), "cells and weights with all channels");
    assert!(starts.len() == weights.count && finish.channels.scale.len() == weights.count, "a start for each channel");
    assert!((cells - 1) * finish.step + weights.count <= results.len(), "a place for each result");
    #[cfg(target_arch = "x86_64")]
    if level.0 == Instructions::Avx512Vnni && weights.input == Input::I8 {
        // SAFETY: the level proves the instructions; lengths were checked above.
        return unsafe { avx512::depthwise_i8(runs, cells, weights, starts, finish, results) };
    }
    u64::MAX >> (RUN - cells)
}

/// `clamp(rescale(sum) + zero point)` as i8, for cells whose sums are `stride` apart.
///
/// # Panics
/// When a slice is too short.
pub fn finish_i8(level: Level, sums: &[i32], stride: usize, finish: Finish<'_>, results: &mut [u8]) {
    let count = finish.channels.mantissa.len();
    let cells = sums.len().div_ceil(stride);
    #[cfg(target_arch = "x86_64")]
    if level.0 == Instructions::Avx512Vnni && cells > 0 {
        assert!((cells - 1) * stride + count <= sums.len(), "a sum for each result");
        assert!((cells - 1) * finish.step + count <= results.len(), "a place for each result");
        assert!(finish.channels.scale.len() == count, "a scale for each channel");
        // SAFETY: the level proves the instructions; lengths were checked above.
        if unsafe { avx512::finish_i8(sums, stride, cells, finish, results) } {
            return;
        }
    }
    for (cell, sums) in sums.chunks(stride).enumerate() {
        lanes::finish_cell(level, sums, finish.channels, finish.to, &mut results[cell * finish.step..][..count]);
    }
}
