//! Sums of products with `vpdpbusd`, four products of an unsigned and a signed byte, and `vpdpwssd`, two products of i16, both
//! added to an i32 without saturation.
//!
//! Bytes of inputs are made unsigned by adding 128, which is an exclusive or of the highest bit, before they come to [`dense`] and in
//! registers of [`depthwise`]; see [`super::Level::offset`].
//! Weights are i8 in either case: the two products of i16 are at most 2^22 each, and their sum is exact.

use std::arch::x86_64::*;

use super::{
    BLOCK, Begin, CellRun, DEPTHWISE_GROUP, DenseCell, DenseFinish, DenseInputs, DenseWeights, DepthwiseWeights,
    Finish, LANES, Runs, STEP, Sums,
};
use crate::numerics::Destination;

/// 128 in every byte.
const HIGH_BITS: i32 = i32::from_ne_bytes([0x80; 4]);

/// The sums of `CELLS` cells in registers. Inputs are i16 when `WIDE`, else bytes that are unsigned already.
///
/// # Safety
/// `windows` begin windows of the runs; `weights.data` has `BLOCKS` blocks for all of them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn dense_sums<const CELLS: usize, const BLOCKS: usize, const WIDE: bool>(
    windows: [*const u8; CELLS],
    runs: &Runs,
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
    let scales = finish.channels.scale;
    let clamp = Int8Clamp::new(finish.to);
    let mut distance = _mm512_setzero_ps();
    for block in 0..BLOCKS {
        let first = block * BLOCK;
        let mask = u16::MAX >> (BLOCK - (scales.len() - first).min(BLOCK));
        // SAFETY: masked accesses touch only elements of the slices; everything else by the contract of this function.
        unsafe {
            let scale = _mm512_maskz_loadu_ps(mask, scales.as_ptr().add(first));
            for (row, cell) in accumulators.iter().zip(cells) {
                let (values, farthest) = rounded(row[block], scale, distance);
                distance = farthest;
                let place = finish.results.pointer(cell.place + first).cast();
                _mm_mask_storeu_epi8(place, mask, clamp.bytes(values));
            }
        }
    }
    is_certain(distance)
}

/// From rounded products to results of int8.
#[derive(Clone, Copy)]
struct Int8Clamp {
    low: __m128i,
    high: __m128i,
    zero_point: __m512i,
}

impl Int8Clamp {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(to: Destination) -> Int8Clamp {
        let (low, high) = (_mm_set1_epi8(to.clamp.low as i8), _mm_set1_epi8(to.clamp.high as i8));
        Int8Clamp { low, high, zero_point: _mm512_set1_epi32(to.zero_point) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn bytes(self, values: __m512i) -> __m128i {
        let values = _mm512_add_epi32(values, self.zero_point);
        _mm_min_epi8(_mm_max_epi8(_mm512_cvtsepi32_epi8(values), self.low), self.high)
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

/// The sums of an output cell, in quarters as [`transposed`] takes them.
///
/// # Safety
/// The weights fit the runs to cell `cell`; `mask` has a bit per channel, `quarters` are what sums begin with.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn depthwise_sums(
    runs: &[CellRun<'_>],
    cell: usize,
    weights: DepthwiseWeights<'_>,
    mask: __mmask64,
    mut quarters: [__m512i; 4],
) -> [__m512i; 4] {
    let DepthwiseWeights { data, first, .. } = weights;
    let weights = data.as_chunks::<DEPTHWISE_GROUP>().0;
    let high_bits = _mm512_set1_epi32(HIGH_BITS);
    for (runs, weights) in runs.as_chunks::<STEP>().0.iter().zip(weights) {
        // SAFETY: masked loads touch only the bytes of the cell; the weights of a step have 4 times 64 bytes.
        unsafe {
            let load = |run: &CellRun<'_>| {
                let from = run.bytes.as_ptr().add(cell * run.step + first);
                _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, from.cast()), high_bits)
            };
            let [a, b, c, d] = [load(&runs[0]), load(&runs[1]), load(&runs[2]), load(&runs[3])];
            let (low, low2) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
            let (high, high2) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
            let inputs = [
                _mm512_unpacklo_epi16(low, low2),
                _mm512_unpackhi_epi16(low, low2),
                _mm512_unpacklo_epi16(high, high2),
                _mm512_unpackhi_epi16(high, high2),
            ];
            for (index, (quarter, input)) in quarters.iter_mut().zip(inputs).enumerate() {
                let factors = _mm512_loadu_si512(weights.as_ptr().add(index * LANES).cast());
                *quarter = _mm512_dpbusd_epi32(*quarter, input, factors);
            }
        }
    }
    quarters
}

/// # Safety
/// The weights fit the runs to cell `cell`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn depthwise(
    runs: &[CellRun<'_>],
    cell: usize,
    weights: DepthwiseWeights<'_>,
    sums: &mut [i32; LANES],
) {
    // SAFETY: by the contract of this function; the sums are 4 times 16.
    unsafe {
        let zeros = [_mm512_setzero_si512(); 4];
        let quarters = depthwise_sums(runs, cell, weights, first_of(weights.count), zeros);
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
    runs: &[CellRun<'_>],
    cell: usize,
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
            for (runs, weights) in runs.as_chunks::<2>().0.iter().zip(weights) {
                let [a, b] = runs.map(|run| {
                    let from = run.bytes.as_ptr().add(cell * run.step + (first + half * 32) * 2);
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

/// `sum · scale` rounded half to even, limited to about [`LARGE`] on either side; and the largest distance of a product
/// from the integer that it was rounded to, of this and of `distance`.
///
/// The sum, the scale (a multiplier rounded to f32) and their product are each off by at most 2^-24 of themselves: a product up
/// to 260 by less than [`DOUBT`]. One that lies farther than that from all halves rounds to the exact result. What is farther
/// from 0 than 260 is so exactly as well, and its result is a limit of the clamp.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn rounded(sums: __m512i, scale: __m512, distance: __m512) -> (__m512i, __m512) {
    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    /// The larger magnitude, without sign.
    const LARGER: i32 = 0b1011;
    let product = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), scale);
    let product = _mm512_max_ps(_mm512_min_ps(product, _mm512_set1_ps(LARGE)), _mm512_set1_ps(-LARGE));
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
/// The weights fit the runs to `cells` cells; starts and scales have an element per channel; results have a place for each result
/// of each cell.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn depthwise_i8(
    runs: &[CellRun<'_>],
    cells: usize,
    weights: DepthwiseWeights<'_>,
    starts: &[i32],
    finish: Finish<'_>,
    results: &mut [u8],
) -> u64 {
    let mask = first_of(weights.count);
    let clamp = finish.to.clamp;
    let (low, high) = (_mm512_set1_epi8(clamp.low as i8), _mm512_set1_epi8(clamp.high as i8));
    let zero_point = _mm512_set1_epi32(finish.to.zero_point);
    let mut uncertain = 0;
    // SAFETY: masked accesses touch only elements of the slices; everything else by the contract of this function.
    unsafe {
        let quarters = |values: *const i32| {
            transposed([0, 1, 2, 3].map(|part| {
                let mask = (mask >> (part * 16)) as __mmask16;
                _mm512_maskz_loadu_epi32(mask, values.add(if mask == 0 { 0 } else { part * 16 }))
            }))
        };
        let starts = quarters(starts.as_ptr());
        let scales = quarters(finish.channels.scale.as_ptr().cast()).map(|bits| _mm512_castsi512_ps(bits));
        for cell in 0..cells {
            let [a, b, c, d] = depthwise_sums(runs, cell, weights, mask, starts);
            let distance = _mm512_setzero_ps();
            let (a, distance) = rounded(a, scales[0], distance);
            let (b, distance) = rounded(b, scales[1], distance);
            let (c, distance) = rounded(c, scales[2], distance);
            let (d, distance) = rounded(d, scales[3], distance);
            let [a, b, c, d] = [a, b, c, d].map(|quarter| _mm512_add_epi32(quarter, zero_point));
            // Packing joins the quarters of each part of 128 bits, and so puts the channels in order.
            let bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            let bytes = _mm512_min_epi8(_mm512_max_epi8(bytes, low), high);
            _mm512_mask_storeu_epi8(results.as_mut_ptr().add(cell * finish.step).cast(), mask, bytes);
            uncertain |= u64::from(!is_certain(distance)) << cell;
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
                (values, distance) = rounded(sum, scale, distance);
                let place = results.as_mut_ptr().add(cell * finish.step + first).cast();
                _mm_mask_storeu_epi8(place, mask, clamp.bytes(values));
            }
        }
    }
    is_certain(distance)
}
