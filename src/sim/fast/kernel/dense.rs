//! Sums of products of all input channels: convolutions other than depthwise ones, and matrix products.

use super::lanes::ChannelLanes;
use super::{Input, Instructions, Level, Results, STEP, portable};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::numerics::Destination;

/// Output cells that [`dense`] computes together, at most.
pub const PIXELS: usize = 8;
/// Output channels of a block of dense weights.
pub const BLOCK: usize = 16;
/// Blocks that [`dense`] computes together, at most.
pub const BLOCKS: usize = 3;

/// Sums of one call of [`dense`], by output cell, then output channel.
pub type Sums = [[i32; BLOCKS * BLOCK]; PIXELS];

/// What the windows of all output cells have in common: runs of neighbouring input bytes, each as long as a run of weights.
#[derive(Debug)]
pub struct WindowRuns {
    starts: Vec<usize>,
    length: usize,
    /// One past the last byte of a window.
    end: usize,
}

impl WindowRuns {
    /// Runs of `length` bytes that begin at `starts`, counted from the first byte of a window.
    pub fn new(starts: Vec<usize>, length: usize) -> WindowRuns {
        let length = length.next_multiple_of(STEP);
        let end = starts.iter().max().map_or(0, |last| last.saturating_add(length));
        WindowRuns { starts, length, end }
    }

    /// Where each begins.
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// Steps of a run.
    pub fn steps(&self) -> usize {
        self.length / STEP
    }

    /// One past the last byte of a window.
    pub fn end(&self) -> usize {
        self.end
    }
}

/// An output cell.
#[derive(Clone, Copy, Debug, Default)]
pub struct DenseCell {
    /// Where its window begins in the panel.
    pub window: usize,
    /// Where its results begin.
    pub place: usize,
}

/// Some output cells, at most [`PIXELS`], and their inputs.
#[derive(Clone, Copy)]
pub struct DenseInputs<'a> {
    /// Input cells, with [`Level::offset`] added to each element.
    pub panel: &'a [u8],
    /// The cells; at least one.
    pub cells: &'a [DenseCell],
    /// What their windows are.
    pub runs: &'a WindowRuns,
}

/// Dense weights, as `super::super::pack` lays them out: by block of [`BLOCK`] output channels, run, step of inputs, output channel of the
/// block, input of the step.
#[derive(Clone, Copy)]
pub struct DenseWeights<'a> {
    /// What they are packed for.
    pub input: Input,
    /// Of the first block.
    pub data: &'a [u8],
    /// Bytes of a block.
    pub block_stride: usize,
}

/// Where sums begin.
#[derive(Clone, Copy)]
pub enum Begin<'a> {
    /// At these, one per output channel, padded to whole blocks.
    At(&'a [i32]),
    /// Where they are.
    There,
}

/// How sums become int8 results.
#[derive(Clone, Copy)]
pub struct DenseFinish<'a> {
    /// The multiplier of each output channel; there are more than `blocks - 1` blocks, and at most `blocks`.
    pub channels: ChannelLanes<'a>,
    /// Lies in i8.
    pub to: Destination,
    /// Where the results go.
    pub results: Results<'a>,
    /// Bytes from the place of a cell to the first of these results.
    pub offset: usize,
}

/// Computes the sums of some output cells, and their results where these are int8:
/// `sums[p][o] = begin[o] + Σ_{r, i} panel[cells[p].window + runs[r] + i] · weights[o, r, i]`
/// for the output channels of the first `blocks` blocks, 1 to [`BLOCKS`].
///
/// False when the sums are in `sums` and no results were written, because none were asked for, or they are not certain to be right.
///
/// # Panics
/// When a window is not in the panel, weights or starts are too few, or a result has no place.
pub fn dense(
    level: Level,
    inputs: DenseInputs<'_>,
    weights: DenseWeights<'_>,
    blocks: usize,
    (begin, sums): (Begin<'_>, &mut Sums),
    finish: Option<DenseFinish<'_>>,
) -> bool {
    check(inputs, weights, blocks, begin);
    #[cfg(target_arch = "x86_64")]
    if level.0 == Instructions::Avx512Vnni {
        if let Some(finish) = finish {
            let channels = finish.channels.scale.len();
            assert!(channels.div_ceil(BLOCK) == blocks, "a scale for each channel");
            let has_place = |place: usize| {
                place.checked_add(finish.offset).is_some_and(|first| finish.results.has(first, channels))
            };
            assert!(inputs.cells.iter().all(|cell| has_place(cell.place)), "a place for each result");
        }
        // SAFETY: the level proves the instructions; lengths were checked above.
        return unsafe { avx512_dense(inputs, weights, blocks, (begin, sums), finish) };
    }
    if let Begin::At(starts) = begin {
        sums.iter_mut().for_each(|sums| sums[..blocks * BLOCK].copy_from_slice(&starts[..blocks * BLOCK]));
    }
    match (level.0, weights.input) {
        // SAFETY: the level proves the instructions; lengths were checked above.
        #[cfg(target_arch = "x86_64")]
        (Instructions::Avx2, Input::I8) => unsafe { avx2::dense(inputs, weights, blocks, sums) },
        // SAFETY: as before.
        #[cfg(target_arch = "x86_64")]
        (Instructions::Avx2, Input::I16) => unsafe { avx2::dense_i16(inputs, weights, blocks, sums) },
        _ => portable::dense(inputs, weights, blocks, sums),
    }
    false
}

fn check(inputs: DenseInputs<'_>, weights: DenseWeights<'_>, blocks: usize, begin: Begin<'_>) {
    assert!((1..=BLOCKS).contains(&blocks), "blocks of output channels");
    assert!((1..=PIXELS).contains(&inputs.cells.len()), "output cells");
    let runs = inputs.runs;
    let last = inputs.cells.iter().fold(0, |last, cell| last.max(cell.window));
    assert!(last.checked_add(runs.end()).is_some_and(|end| end <= inputs.panel.len()), "every window");
    let block = runs.starts().len() * runs.steps() * BLOCK * STEP;
    assert!((blocks - 1) * weights.block_stride + block <= weights.data.len(), "weights for every input");
    if let Begin::At(starts) = begin {
        assert!(starts.len() >= blocks * BLOCK, "starts of whole blocks");
    }
}

/// The kernel for as many cells, or the next larger one: one more cell takes no longer than a kernel of its own.
///
/// # Safety
/// The processor has the instructions; windows, weights, starts and places are there, as [`dense`] checks.
#[cfg(target_arch = "x86_64")]
unsafe fn avx512_dense(
    inputs: DenseInputs<'_>,
    weights: DenseWeights<'_>,
    blocks: usize,
    sums: (Begin<'_>, &mut Sums),
    finish: Option<DenseFinish<'_>>,
) -> bool {
    macro_rules! for_blocks {
        ($cells:literal, $wide:literal) => {
            match blocks {
                1 => avx512::dense::<$cells, 1, $wide>(inputs, weights, sums, finish),
                2 => avx512::dense::<$cells, 2, $wide>(inputs, weights, sums, finish),
                _ => avx512::dense::<$cells, 3, $wide>(inputs, weights, sums, finish),
            }
        };
    }
    // SAFETY: by the contract of this function.
    unsafe {
        match (weights.input, inputs.cells.len()) {
            (Input::I8, 1) => for_blocks!(1, false),
            (Input::I8, 2) => for_blocks!(2, false),
            (Input::I8, 3..=4) => for_blocks!(4, false),
            (Input::I8, _) => for_blocks!(8, false),
            (Input::I16, 1) => for_blocks!(1, true),
            (Input::I16, 2) => for_blocks!(2, true),
            (Input::I16, 3..=4) => for_blocks!(4, true),
            (Input::I16, _) => for_blocks!(8, true),
        }
    }
}
