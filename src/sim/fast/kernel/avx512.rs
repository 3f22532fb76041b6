//! Sums of products with `vpdpbusd`, four products of an unsigned and a signed byte, and `vpdpwssd`, two products of i16, both
//! added to an i32 without saturation.
//!
//! Bytes of inputs are made unsigned by adding 128, which is an exclusive or of the highest bit, before they come here; see [`super::Level::offset`].
//! Weights are i8 in either case: the two products of i16 are at most 2^22 each, and their sum is exact.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::depthwise::COLUMN_STEPS;
use super::{
    BLOCK, Begin, DEPTHWISE_GROUP, DenseCell, DenseFinish, DenseInputs, DenseWeights, DepthwiseInputs,
    DepthwiseWeights, Finish, LANES, STEP, Sums, TapColumns, Taps, WindowRuns,
};
use crate::numerics::Destination;

/// The sums of `CELLS` cells in registers. Inputs are i16 when `WIDE`, else bytes that are unsigned already.
///
/// # Safety
/// `windows` begin windows of the runs; `weights.data` has `BLOCKS` blocks for all of them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn dense_sums<const CELLS: usize, const BLOCKS: usize, const WIDE: bool>(
    windows: [*const u8; CELLS],
    runs: &WindowRuns,
    weights: DenseWeights<'_>,
    mut accumulators: [[__m512i; BLOCKS]; CELLS],
) -> [[__m512i; BLOCKS]; CELLS] {
    let mut data = weights.data.as_ptr();
    let bytes = runs.steps() * STEP;
    for start in runs.starts() {
        // SAFETY: by the contract of this function.
        unsafe {
            let inputs = windows.map(|window| window.add(*start));
            for step in (0..bytes).step_by(STEP) {
                let mut factors = [_mm512_setzero_si512(); BLOCKS];
                for (block, factor) in factors.iter_mut().enumerate() {
                    *factor = _mm512_loadu_si512(data.add(block * weights.block_stride).cast());
                }
                data = data.add(BLOCK * STEP);
                for (row, input) in accumulators.iter_mut().zip(inputs) {
                    let inputs = _mm512_set1_epi32(input.add(step).cast::<i32>().read_unaligned());
                    for (accumulator, factor) in row.iter_mut().zip(factors) {
                        *accumulator = if WIDE {
                            _mm512_dpwssd_epi32(*accumulator, inputs, factor)
                        } else {
                            _mm512_dpbusd_epi32(*accumulator, inputs, factor)
                        };
                    }
                }
            }
        }
    }
    accumulators
}

/// # Safety
/// There are `BLOCKS` blocks in each row of sums, and of starts; `CELLS` is at most the number of rows.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_sums<const CELLS: usize, const BLOCKS: usize>(
    begin: Begin<'_>,
    sums: &Sums,
) -> [[__m512i; BLOCKS]; CELLS] {
    let mut accumulators = [[_mm512_setzero_si512(); BLOCKS]; CELLS];
    for (row, sums) in accumulators.iter_mut().zip(sums) {
        let from = match begin {
            Begin::At(starts) => starts.as_ptr(),
            Begin::There => sums.as_ptr(),
        };
        for (block, accumulator) in row.iter_mut().enumerate() {
            // SAFETY: by the contract of this function.
            *accumulator = unsafe { _mm512_loadu_si512(from.add(block * BLOCK).cast()) };
        }
    }
    accumulators
}

/// # Safety
/// There are `BLOCKS` blocks in each row of sums.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_sums<const CELLS: usize, const BLOCKS: usize>(
    accumulators: &[[__m512i; BLOCKS]; CELLS],
    sums: &mut Sums,
) {
    for (row, sums) in accumulators.iter().zip(sums) {
        for (block, accumulator) in row.iter().enumerate() {
            // SAFETY: by the contract of this function.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().add(block * BLOCK).cast(), *accumulator) };
        }
    }
}

/// As [`super::dense`], of at most `CELLS` cells.
///
/// # Safety
/// There is at least one cell, and a window of the runs at each; `weights.data` has `BLOCKS` blocks for them; starts are as many; scales are more than
/// `BLOCKS - 1` blocks and at most `BLOCKS`, and each cell has a place for as many results.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn dense<const CELLS: usize, const BLOCKS: usize, const WIDE: bool>(
    inputs: DenseInputs<'_>,
    weights: DenseWeights<'_>,
    (begin, sums): (Begin<'_>, &mut Sums),
    finish: Option<DenseFinish<'_>>,
) -> bool {
    let cells = &inputs.cells[..inputs.cells.len().min(CELLS)];
    let last = cells.len() - 1;
    // SAFETY: by the contract of this function. Behind the last cell comes the last one again.
    let accumulators = unsafe {
        let windows = std::array::from_fn(|cell| inputs.panel.as_ptr().add(cells[cell.min(last)].window));
        dense_sums::<CELLS, BLOCKS, WIDE>(windows, inputs.runs, weights, load_sums(begin, sums))
    };
    // SAFETY: by the contract of this function.
    let is_done = finish.is_some_and(|finish| unsafe { finish_dense(&accumulators, cells, finish) });
    if !is_done {
        // SAFETY: a row of sums has at least so many blocks.
        unsafe { store_sums(&accumulators, sums) };
    }
    is_done
}

/// Writes the results of some cells. False where they are not certain to be right.
///
/// # Safety
/// As [`dense`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn finish_dense<const CELLS: usize, const BLOCKS: usize>(
    accumulators: &[[__m512i; BLOCKS]; CELLS],
    cells: &[DenseCell],
    finish: DenseFinish<'_>,
) -> bool {
    // SAFETY: by the contract of this function.
    unsafe {
        if finish.channels.is_small {
            finish_cells::<CELLS, BLOCKS, false>(accumulators, cells, finish)
        } else {
            finish_cells::<CELLS, BLOCKS, true>(accumulators, cells, finish)
        }
    }
}

/// As [`finish_dense`], with products [`rounded`] accordingly.
///
/// # Safety
/// As [`dense`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn finish_cells<const CELLS: usize, const BLOCKS: usize, const LIMITED: bool>(
    accumulators: &[[__m512i; BLOCKS]; CELLS],
    cells: &[DenseCell],
    finish: DenseFinish<'_>,
) -> bool {
    /// Cells whose results are made together.
    const TOGETHER: usize = 4;
    let scales = finish.channels.scale;
    let clamp = Int8Clamp::new(finish.to);
    let mut distance = _mm512_setzero_ps();
    for block in 0..BLOCKS {
        let first = block * BLOCK;
        let mask = u16::MAX >> (BLOCK - (scales.len() - first).min(BLOCK));
        // SAFETY: masked accesses touch only elements of the slices; everything else by the contract of this function.
        unsafe {
            let scale = _mm512_maskz_loadu_ps(mask, scales.as_ptr().add(first));
            for group in (0..CELLS).step_by(TOGETHER) {
                let mut values = [_mm512_setzero_si512(); TOGETHER];
                for (row, value) in accumulators[group..].iter().zip(&mut values) {
                    (*value, distance) = rounded::<LIMITED>(row[block], scale, distance);
                }
                let bytes = clamp.one_by_one(values);
                for (bytes, cell) in bytes.into_iter().zip(cells.iter().skip(group)) {
                    let place = finish.results.pointer(cell.place + finish.offset + first);
                    _mm_mask_storeu_epi8(place.cast(), mask, bytes);
                }
            }
        }
    }
    is_certain(distance)
}

/// From rounded products to results of int8.
#[derive(Clone, Copy)]
struct Int8Clamp {
    low: __m512i,
    high: __m512i,
    zero_point: __m512i,
    /// Brings together the four parts of each of four vectors.
    order: __m512i,
}

impl Int8Clamp {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn new(to: Destination) -> Int8Clamp {
        Int8Clamp {
            low: _mm512_set1_epi8(to.clamp.low as i8),
            high: _mm512_set1_epi8(to.clamp.high as i8),
            zero_point: _mm512_set1_epi16(to.zero_point as i16),
            order: _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        }
    }

    /// Of four vectors, four bytes of each in turn. Values that leave an i16, also by the zero point, stay beyond the limits of every clamp.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn in_turn(self, [a, b, c, d]: [__m512i; 4]) -> __m512i {
        let first = _mm512_adds_epi16(_mm512_packs_epi32(a, b), self.zero_point);
        let second = _mm512_adds_epi16(_mm512_packs_epi32(c, d), self.zero_point);
        _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(first, second), self.low), self.high)
    }

    /// Of four vectors, the bytes of one after the other.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn one_by_one(self, values: [__m512i; 4]) -> [__m128i; 4] {
        let bytes = _mm512_permutexvar_epi32(self.order, self.in_turn(values));
        [
            _mm512_castsi512_si128(bytes),
            _mm512_extracti32x4_epi32::<1>(bytes),
            _mm512_extracti32x4_epi32::<2>(bytes),
            _mm512_extracti32x4_epi32::<3>(bytes),
        ]
    }
}

/// Which of [`LANES`] bytes are there.
fn first_of(count: usize) -> __mmask64 {
    if count >= LANES { u64::MAX } else { (1 << count) - 1 }
}

/// Turns quarter q, channels 4q to 4q + 3 of each part of 16, into channels 16q to 16q + 15, and back: a 4 x 4 transposition of
/// parts of 128 bits.
#[target_feature(enable = "avx512f")]
fn transposed([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (even, odd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
    let (even2, odd2) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
    [
        _mm512_shuffle_i32x4::<0x88>(even, even2),
        _mm512_shuffle_i32x4::<0x88>(odd, odd2),
        _mm512_shuffle_i32x4::<0xdd>(even, even2),
        _mm512_shuffle_i32x4::<0xdd>(odd, odd2),
    ]
}

/// The same bytes of four kernel cells side by side, in the order in which [`transposed`] takes sums: quarters.
///
/// # Safety
/// There are bytes for the mask behind each of the pointers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn interleaved(cells: [*const u8; STEP], mask: __mmask64) -> [__m512i; 4] {
    // SAFETY: masked loads touch only the bytes that are there.
    let [a, b, c, d] = cells.map(|cell| unsafe { _mm512_maskz_loadu_epi8(mask, cell.cast()) });
    let (low, low2) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
    let (high, high2) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
    [
        _mm512_unpacklo_epi16(low, low2),
        _mm512_unpackhi_epi16(low, low2),
        _mm512_unpacklo_epi16(high, high2),
        _mm512_unpackhi_epi16(high, high2),
    ]
}

/// The sums of the output cell whose window begins at `window`, in quarters as [`transposed`] takes them.
///
/// # Safety
/// The weights fit the taps of a window that begins there; `mask` has a bit per channel, `quarters` are what sums begin with.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn depthwise_sums(
    window: *const u8,
    taps: &Taps,
    weights: DepthwiseWeights<'_>,
    mask: __mmask64,
    mut quarters: [__m512i; 4],
) -> [__m512i; 4] {
    let groups = weights.data.as_chunks::<DEPTHWISE_GROUP>().0;
    for (taps, weights_of_step) in taps.starts().as_chunks::<STEP>().0.iter().zip(groups) {
        // SAFETY: by the contract of this function; the weights of a step have 4 times 64 bytes.
        unsafe {
            let inputs = interleaved(taps.map(|tap| window.add(tap + weights.first)), mask);
            for (index, (quarter, input)) in quarters.iter_mut().zip(inputs).enumerate() {
                let factors = _mm512_loadu_si512(weights_of_step.as_ptr().add(index * LANES).cast());
                *quarter = _mm512_dpbusd_epi32(*quarter, input, factors);
            }
        }
    }
    quarters
}

/// # Safety
/// The weights fit the inputs of one cell.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn depthwise(inputs: DepthwiseInputs<'_>, weights: DepthwiseWeights<'_>, sums: &mut [i32; LANES]) {
    // SAFETY: by the contract of this function; the sums are 4 times 16.
    unsafe {
        let window = inputs.panel.as_ptr().add(inputs.window);
        let zeros = [_mm512_setzero_si512(); 4];
        let quarters = depthwise_sums(window, inputs.taps, weights, first_of(weights.count), zeros);
        for (index, added) in transposed(quarters).into_iter().enumerate() {
            let place = sums.as_mut_ptr().add(index * 16).cast();
            _mm512_storeu_si512(place, _mm512_add_epi32(_mm512_loadu_si512(place), added));
        }
    }
}

/// As [`depthwise`] for i16.
///
/// # Safety
/// As [`depthwise`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn depthwise_i16(
    inputs: DepthwiseInputs<'_>,
    weights: DepthwiseWeights<'_>,
    sums: &mut [i32; LANES],
) {
    let DepthwiseWeights { data, first, count, .. } = weights;
    let weights = data.as_chunks::<DEPTHWISE_GROUP>().0;
    // Parts of 64 bits of two vectors, the second with bit 3 set: low and high halves of 8 channels in turn.
    let orders = [_mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15)];
    for half in 0..count.div_ceil(32) {
        let channels = (count - half * 32).min(32);
        let mask = u32::MAX >> (32 - channels);
        let (mut low, mut high) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        // SAFETY: masked loads touch only the channels of the cell; the weights of a step have 4 times 64 bytes, the sums are 4
        // times 16.
        unsafe {
            for (taps, weights) in inputs.taps.starts().as_chunks::<2>().0.iter().zip(weights) {
                let [a, b] = taps.map(|tap| {
                    let from = inputs.panel.as_ptr().add(inputs.window + tap + (first + half * 32) * 2);
                    _mm512_maskz_loadu_epi16(mask, from.cast())
                });
                let factors = weights.as_ptr().add(half * 2 * LANES);
                let factors = [factors, factors.add(LANES)].map(|factors| _mm512_loadu_si512(factors.cast()));
                low = _mm512_dpwssd_epi32(low, _mm512_unpacklo_epi16(a, b), factors[0]);
                high = _mm512_dpwssd_epi32(high, _mm512_unpackhi_epi16(a, b), factors[1]);
            }
            for (index, order) in orders.into_iter().enumerate() {
                let added = _mm512_permutex2var_epi64(low, order, high);
                let place = sums.as_mut_ptr().add(half * 32 + index * 16).cast();
                _mm512_storeu_si512(place, _mm512_add_epi32(_mm512_loadu_si512(place), added));
            }
        }
    }
}

/// More than 260 · 3 · 2^-24, with room for the terms of higher order.
const DOUBT: f32 = 1.0 / 16384.0;
/// Beyond every distance of two i8, and an i32.
const LARGE: f32 = 1e6;

/// `sum · scale` rounded half to even; and the largest distance of a product from the integer that it was rounded to, of this and of `distance`. When
/// `LIMITED`, products are limited to about [`LARGE`] on either side; else they must be i32.
///
/// The sum, the scale (a multiplier rounded to f32) and their product are each off by at most 2^-24 of themselves: a product up
/// to 260 by less than [`DOUBT`]. One that lies farther than that from all halves rounds to the exact result. What is farther
/// from 0 than 260 is so exactly as well, and its result is a limit of the clamp.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn rounded<const LIMITED: bool>(sums: __m512i, scale: __m512, distance: __m512) -> (__m512i, __m512) {
    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    /// The larger magnitude, without sign.
    const LARGER: i32 = 0b1011;
    let mut product = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), scale);
    if LIMITED {
        product = _mm512_max_ps(_mm512_min_ps(product, _mm512_set1_ps(LARGE)), _mm512_set1_ps(-LARGE));
    }
    let distance = _mm512_range_ps::<LARGER>(distance, _mm512_reduce_ps::<NEAREST>(product));
    (_mm512_cvt_roundps_epi32::<NEAREST>(product), distance)
}

/// Whether no product was so near to a half that it may have been rounded to the wrong side.
#[inline]
#[target_feature(enable = "avx512f")]
fn is_certain(distance: __m512) -> bool {
    _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(distance, _mm512_set1_ps(0.5 - DOUBT)) == 0
}

/// # Safety
/// The weights fit the inputs of `cells` cells, which are at most [`Taps::cells`], and their step is that of the columns of the taps; starts and scales
/// have an element per channel; results have a place for each result of each cell.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn depthwise_i8(
    inputs: DepthwiseInputs<'_>,
    cells: usize,
    weights: DepthwiseWeights<'_>,
    starts: &[i32],
    finish: Finish<'_>,
    results: &mut [u8],
) -> u64 {
    let mask = first_of(weights.count);
    let quarters = |values: *const i32| {
        transposed([0, 1, 2, 3].map(|part| {
            let mask = (mask >> (part * 16)) as __mmask16;
            // SAFETY: masked loads touch only elements of the slice.
            unsafe { _mm512_maskz_loadu_epi32(mask, values.add(if mask == 0 { 0 } else { part * 16 })) }
        }))
    };
    let channels = DepthwiseChannels {
        mask,
        starts: quarters(starts.as_ptr()),
        scales: quarters(finish.channels.scale.as_ptr().cast()).map(|bits| _mm512_castsi512_ps(bits)),
        clamp: Int8Clamp::new(finish.to),
        is_small: finish.channels.is_small,
    };
    let mut uncertain = 0;
    // SAFETY: by the contract of this function.
    unsafe {
        if let Some(columns) = inputs.taps.columns() {
            return depthwise_columns(inputs, (columns, cells), weights, channels, (results.as_mut_ptr(), finish.step));
        }
        for cell in 0..cells {
            let window = inputs.panel.as_ptr().add(inputs.window + cell * inputs.step);
            let sums = depthwise_sums(window, inputs.taps, weights, mask, channels.starts);
            let is_certain = channels.finish(sums, results.as_mut_ptr().add(cell * finish.step));
            uncertain |= u64::from(!is_certain) << cell;
        }
    }
    uncertain
}

/// What results of some channels are made with; in quarters as [`transposed`] takes them.
#[derive(Clone, Copy)]
struct DepthwiseChannels {
    mask: __mmask64,
    starts: [__m512i; 4],
    scales: [__m512; 4],
    clamp: Int8Clamp,
    is_small: bool,
}

impl DepthwiseChannels {
    /// Writes results. Whether they are certain to be right.
    ///
    /// # Safety
    /// There is a place for each result.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn finish(&self, sums: [__m512i; 4], place: *mut u8) -> bool {
        // SAFETY: by the contract of this function.
        unsafe {
            if self.is_small {
                self.finish_limited::<false>(sums, place)
            } else {
                self.finish_limited::<true>(sums, place)
            }
        }
    }

    /// # Safety
    /// As [`DepthwiseChannels::finish`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn finish_limited<const LIMITED: bool>(&self, mut sums: [__m512i; 4], place: *mut u8) -> bool {
        let mut distance = _mm512_setzero_ps();
        for (sum, scale) in sums.iter_mut().zip(self.scales) {
            (*sum, distance) = rounded::<LIMITED>(*sum, scale, distance);
        }
        // Quarters in turn are the channels in their order.
        // SAFETY: masked stores touch only places of results.
        unsafe { _mm512_mask_storeu_epi8(place.cast(), self.mask, self.clamp.in_turn(sums)) };
        is_certain(distance)
    }
}

/// As [`depthwise_i8`], for kernel cells in columns: what is read of a column of the panel is put in order once for all cells that see it.
///
/// # Safety
/// As [`depthwise_i8`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn depthwise_columns(
    inputs: DepthwiseInputs<'_>,
    (columns, cells): (TapColumns, usize),
    weights: DepthwiseWeights<'_>,
    channels: DepthwiseChannels,
    (place, step): (*mut u8, usize),
) -> u64 {
    let mut steps = [const { MaybeUninit::<[__m512i; 4]>::uninit() }; COLUMN_STEPS];
    let (rows, _) = inputs.taps.starts().as_chunks::<STEP>();
    let rows = &rows[..columns.steps];
    // SAFETY: by the contract of this function: the last column of the last window is in the panel, and all columns fit.
    unsafe {
        let first = inputs.panel.as_ptr().add(inputs.window + weights.first);
        for column in 0..columns.width(cells) {
            for (step, rows) in rows.iter().enumerate() {
                let bytes = interleaved(rows.map(|row| first.add(row + column * columns.cell)), channels.mask);
                steps[column * columns.steps + step].write(bytes);
            }
        }
        let steps = steps.as_ptr().cast::<[__m512i; 4]>();
        let mut uncertain = 0;
        for cell in (0..cells).step_by(4) {
            let steps = steps.add(cell * columns.stride * columns.steps);
            let to = (place.add(cell * step), step);
            let found = match cells - cell {
                1 => depthwise_together::<1>(steps, columns, weights.data, channels, to),
                2 => depthwise_together::<2>(steps, columns, weights.data, channels, to),
                3 => depthwise_together::<3>(steps, columns, weights.data, channels, to),
                _ => depthwise_together::<4>(steps, columns, weights.data, channels, to),
            };
            uncertain |= found << cell;
        }
        uncertain
    }
}

/// Some cells of [`depthwise_columns`], of which the first sees the columns from `steps` on.
///
/// # Safety
/// There are steps for all of them, weights for all kernel cells, and places for all results.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn depthwise_together<const CELLS: usize>(
    steps: *const [__m512i; 4],
    columns: TapColumns,
    weights: &[u8],
    channels: DepthwiseChannels,
    (place, step): (*mut u8, usize),
) -> u64 {
    let mut sums = [channels.starts; CELLS];
    let mut factors = weights.as_ptr();
    let mut uncertain = 0;
    // SAFETY: by the contract of this function.
    unsafe {
        for column in 0..columns.count {
            let steps = steps.add(column * columns.dilation * columns.steps);
            for index in 0..columns.steps {
                let weights = [0, 1, 2, 3].map(|quarter| _mm512_loadu_si512(factors.add(quarter * LANES).cast()));
                factors = factors.add(DEPTHWISE_GROUP);
                for (cell, sums) in sums.iter_mut().enumerate() {
                    let inputs = *steps.add(cell * columns.stride * columns.steps + index);
                    for ((sum, input), weights) in sums.iter_mut().zip(inputs).zip(weights) {
                        *sum = _mm512_dpbusd_epi32(*sum, input, weights);
                    }
                }
            }
        }
        for (cell, sums) in sums.into_iter().enumerate() {
            uncertain |= u64::from(!channels.finish(sums, place.add(cell * step))) << cell;
        }
    }
    uncertain
}

/// Whether all results are certain to be those of the exact products; else they have to be computed otherwise.
///
/// # Safety
/// There are sums for all channels of `cells` cells, `stride` apart, and places for their results; scales have an element per
/// channel.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn finish_i8(
    sums: &[i32],
    stride: usize,
    cells: usize,
    finish: Finish<'_>,
    results: &mut [u8],
) -> bool {
    let scales = finish.channels.scale;
    let clamp = Int8Clamp::new(finish.to);
    let mut distance = _mm512_setzero_ps();
    for first in (0..scales.len()).step_by(16) {
        let mask = u16::MAX >> (16 - (scales.len() - first).min(16));
        // SAFETY: masked accesses touch only elements of the slices.
        unsafe {
            let scale = _mm512_maskz_loadu_ps(mask, scales.as_ptr().add(first));
            for cell in 0..cells {
                let sum = _mm512_maskz_loadu_epi32(mask, sums.as_ptr().add(cell * stride + first));
                let values;
                (values, distance) = if finish.channels.is_small {
                    rounded::<false>(sum, scale, distance)
                } else {
                    rounded::<true>(sum, scale, distance)
                };
                let [bytes, ..] = clamp.one_by_one([values; 4]);
                _mm_mask_storeu_epi8(results.as_mut_ptr().add(cell * finish.step + first).cast(), mask, bytes);
            }
        }
    }
    is_certain(distance)
}
