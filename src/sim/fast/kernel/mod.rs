//! Inner loops, for the processor at hand.
//!
//! Every loop exists for several [`Level`]s of a processor, and all give the same bits: sums of products are exact in i32 and
//! wrap, so their order does not matter, and everything else is integer arithmetic that `numerics` defines or a single
//! correctly rounded float operation. Most loops are written once and compiled per level ([`lanes`]); sums of int8 products
//! use the instructions made for them ([`dense`], [`depthwise`]).
//!
//! Unsafe code is confined to this folder: calls of functions compiled for a level that the processor has, which a [`Level`]
//! proves, and loads and stores through pointers of slices, whose lengths each function checks first.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod lanes;
mod portable;

/// Output cells that [`dense`] computes together.
pub const PIXELS: usize = 8;
/// Output channels of a block of dense weights.
pub const BLOCK: usize = 16;
/// Blocks that [`dense`] computes together, at most.
pub const BLOCKS: usize = 3;
/// Input channels, or kernel cells of a depthwise convolution, that are multiplied and added in one step.
pub const STEP: usize = 4;
/// Channels of a block of depthwise weights.
pub const LANES: usize = 64;

/// Sums of one call of [`dense`], by output cell, then output channel.
pub type Sums = [[i32; BLOCKS * BLOCK]; PIXELS];

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
    /// The dot product instruction of AVX-512 wants one factor unsigned, which 128 more makes of an i8.
    pub fn offset(self) -> i32 {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512Vnni => 128,
            _ => 0,
        }
    }
}

/// Dense weights, as [`super::pack`] lays them out: by block of [`BLOCK`] output channels, kernel cell, group of [`STEP`]
/// input channels, output channel of the block, input channel of the group.
#[derive(Clone, Copy)]
pub struct DenseWeights<'a> {
    /// Of the first block.
    pub data: &'a [u8],
    /// Bytes from one block to the next.
    pub block_stride: usize,
    /// Bytes per kernel cell.
    pub tap_stride: usize,
}

/// Where sums begin.
#[derive(Clone, Copy)]
pub enum Begin<'a> {
    /// At these, one per output channel, padded to whole blocks.
    At(&'a [i32]),
    /// Where they are.
    There,
}

/// Adds to `sums` what some cells of the kernel contribute: `sums[p][o] += Σ_{t, c} (cells[t][p][c] + offset) · weights[o, t, c]`
/// for the output channels of the first `blocks` blocks, 1 to [`BLOCKS`]. `weights.data` begins at the first of these cells.
///
/// # Panics
/// When cells differ from `tap_stride / BLOCK` bytes, the input channels, or weights are too few.
pub fn dense(
    level: Level,
    cells: &[[&[u8]; PIXELS]],
    weights: DenseWeights<'_>,
    blocks: usize,
    begin: Begin<'_>,
    sums: &mut Sums,
) {
    assert!((1..=BLOCKS).contains(&blocks), "blocks of output channels");
    assert!(weights.tap_stride.is_multiple_of(BLOCK * STEP), "whole groups of input channels");
    let channels = weights.tap_stride / BLOCK;
    assert!(cells.iter().flatten().all(|cell| cell.len() == channels), "every cell has all input channels");
    let needed = (blocks - 1) * weights.block_stride + cells.len() * weights.tap_stride;
    assert!(needed <= weights.data.len(), "weights for every cell");
    if let Begin::At(starts) = begin {
        assert!(starts.len() >= blocks * BLOCK, "starts of whole blocks");
    }
    let set = |sums: &mut Sums| {
        if let Begin::At(starts) = begin {
            sums.iter_mut().for_each(|sums| sums[..blocks * BLOCK].copy_from_slice(&starts[..blocks * BLOCK]));
        }
    };
    match level.0 {
        Instructions::Portable => {
            set(sums);
            portable::dense(cells, weights, blocks, sums);
        }
        // SAFETY: the level proves the instructions; lengths were checked above.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => unsafe {
            set(sums);
            avx2::dense(cells, weights, blocks, sums);
        },
        // SAFETY: as before.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512Vnni => unsafe {
            match blocks {
                1 => avx512::dense::<1>(cells, weights, begin, sums),
                2 => avx512::dense::<2>(cells, weights, begin, sums),
                _ => avx512::dense::<3>(cells, weights, begin, sums),
            }
        },
    }
}

/// Bytes of depthwise weights for [`LANES`] channels and [`STEP`] cells of the kernel.
pub const DEPTHWISE_GROUP: usize = LANES * STEP;

/// Where the weight of a channel of a block and a cell of a group is in its [`DEPTHWISE_GROUP`] bytes.
///
/// The order is that of bytes which `punpck` instructions of AVX-512 interleave within parts of 128 bits.
pub fn depthwise_position(channel: usize, cell: usize) -> usize {
    let (part, quarter, lane) = (channel / 16, channel % 16 / 4, channel % 4);
    ((quarter * 4 + part) * 4 + lane) * STEP + cell
}

/// Adds to `sums` what some cells of the kernel contribute to `count` channels from `first` on, at most [`LANES`]:
/// `sums[c] += Σ_t (cells[t][first + c] + offset) · weights[c, t]`. The number of cells is a multiple of [`STEP`].
///
/// # Panics
/// When a cell has fewer channels, or there are not [`DEPTHWISE_GROUP`] bytes of weights for each [`STEP`] cells.
pub fn depthwise(level: Level, cells: &[&[u8]], first: usize, count: usize, weights: &[u8], sums: &mut [i32; LANES]) {
    assert!(count <= LANES && cells.iter().all(|cell| cell.len() >= first + count), "cells with all channels");
    assert!(cells.len() / STEP * DEPTHWISE_GROUP <= weights.len(), "weights for every cell");
    let (cells, weights) = (cells.as_chunks::<STEP>().0, weights.as_chunks::<DEPTHWISE_GROUP>().0);
    match level.0 {
        Instructions::Portable => portable::depthwise(cells, first, count, weights, sums),
        // SAFETY: the level proves the instructions; lengths were checked above.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => unsafe { avx2::depthwise(cells, first, count, weights, sums) },
        // SAFETY: as before.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512Vnni => unsafe { avx512::depthwise(cells, first, count, weights, sums) },
    }
}
