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
mod depthwise;
pub mod lanes;
mod portable;
mod results;
pub mod vector;

pub use dense::{
    BLOCK, BLOCKS, Begin, DenseCell, DenseFinish, DenseInputs, DenseWeights, PIXELS, Sums, WindowRuns, dense,
};
pub use depthwise::{
    DEPTHWISE_GROUP, DepthwiseInputs, DepthwiseWeights, LANES, TapColumns, Taps, depthwise, depthwise_i8,
    depthwise_position,
};
pub use results::Results;

use crate::numerics::Destination;
use lanes::ChannelLanes;

/// Bytes that are multiplied and added to one sum in one step: of input channels, or of kernel cells of a depthwise convolution.
pub const STEP: usize = 4;

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
