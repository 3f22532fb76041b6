//! Sums of products with `vpmaddwd`: two products of i16, added in i32.
//!
//! Exact: weights are i8, so a product has a magnitude of at most 32768 · 128 = 2^22 and two of them at most 2^23. (The
//! instruction overflows only when all four factors are -32768.)

use std::arch::x86_64::*;

use super::{BLOCK, DEPTHWISE_GROUP, DenseInputs, DenseWeights, DepthwiseInputs, DepthwiseWeights, LANES, STEP, Sums};

/// The sums of four channels from two halves each: two vectors of eight i32 to one.
#[target_feature(enable = "avx2")]
fn join(first: __m256i, second: __m256i) -> __m256i {
    // Within parts of 128 bits, hadd gives two channels of `first`, then two of `second`.
    _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(first, second))
}

/// Where the windows of `CELLS` cells from cell `first` on begin; behind the last one it comes again.
fn windows<const CELLS: usize>(inputs: DenseInputs<'_>, first: usize) -> [*const u8; CELLS] {
    let last = inputs.cells.len() - 1;
    std::array::from_fn(|cell| inputs.panel[inputs.cells[(first + cell).min(last)].window..].as_ptr())
}

/// # Safety
/// There is a window of the runs at each cell; `weights.data` has `blocks` blocks for them.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn dense(inputs: DenseInputs<'_>, weights: DenseWeights<'_>, blocks: usize, sums: &mut Sums) {
    /// Output cells at once: their accumulators fill half of the registers.
    const ROWS: usize = 2;
    for block in 0..blocks {
        for (pair, sums) in sums.chunks_exact_mut(ROWS).enumerate().take(inputs.cells.len().div_ceil(ROWS)) {
            let windows: [_; ROWS] = windows(inputs, pair * ROWS);
            // SAFETY: reads of windows and weights by the contract of this function; a row of sums has 16 per block.
            unsafe {
                // Four channels in each, a channel as two halves.
                let mut accumulators = [[_mm256_setzero_si256(); 4]; ROWS];
                let mut data = weights.data.as_ptr().add(block * weights.block_stride);
                for start in inputs.runs.starts() {
                    for step in 0..inputs.runs.steps() {
                        let inputs = windows.map(|window| {
                            let four = window.add(start + step * STEP).cast::<i32>().read_unaligned();
                            _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)))
                        });
                        for quarter in 0..4 {
                            let factors = _mm256_cvtepi8_epi16(_mm_loadu_si128(data.add(quarter * 16).cast()));
                            for (row, input) in accumulators.iter_mut().zip(inputs) {
                                row[quarter] = _mm256_add_epi32(row[quarter], _mm256_madd_epi16(input, factors));
                            }
                        }
                        data = data.add(BLOCK * STEP);
                    }
                }
                for (row, sums) in accumulators.iter().zip(sums) {
                    for (half, added) in [join(row[0], row[1]), join(row[2], row[3])].into_iter().enumerate() {
                        let place = sums.as_mut_ptr().add(block * BLOCK + half * 8).cast();
                        _mm256_storeu_si256(place, _mm256_add_epi32(_mm256_loadu_si256(place), added));
                    }
                }
            }
        }
    }
}

/// As [`dense`] for i16.
///
/// # Safety
/// As [`dense`].
#[target_feature(enable = "avx2")]
pub(super) unsafe fn dense_i16(inputs: DenseInputs<'_>, weights: DenseWeights<'_>, blocks: usize, sums: &mut Sums) {
    /// Output cells at once: their accumulators fill half of the registers.
    const ROWS: usize = 4;
    for block in 0..blocks {
        for (part, sums) in sums.chunks_exact_mut(ROWS).enumerate().take(inputs.cells.len().div_ceil(ROWS)) {
            let windows: [_; ROWS] = windows(inputs, part * ROWS);
            // SAFETY: reads of windows and weights by the contract of this function; a row of sums has 16 per block.
            unsafe {
                // Eight channels in each.
                let mut accumulators = [[_mm256_setzero_si256(); 2]; ROWS];
                let mut data = weights.data.as_ptr().add(block * weights.block_stride);
                for start in inputs.runs.starts() {
                    for step in 0..inputs.runs.steps() {
                        let address = data.cast::<__m256i>();
                        let factors = [_mm256_loadu_si256(address), _mm256_loadu_si256(address.add(1))];
                        for (row, window) in accumulators.iter_mut().zip(windows) {
                            let two = window.add(start + step * STEP).cast::<i32>().read_unaligned();
                            let two = _mm256_set1_epi32(two);
                            for (accumulator, factor) in row.iter_mut().zip(factors) {
                                *accumulator = _mm256_add_epi32(*accumulator, _mm256_madd_epi16(two, factor));
                            }
                        }
                        data = data.add(BLOCK * STEP);
                    }
                }
                for (row, sums) in accumulators.iter().zip(sums) {
                    for (half, added) in row.iter().enumerate() {
                        let place = sums.as_mut_ptr().add(block * BLOCK + half * 8).cast();
                        _mm256_storeu_si256(place, _mm256_add_epi32(_mm256_loadu_si256(place), *added));
                    }
                }
            }
        }
    }
}

/// # Safety
/// The weights fit the inputs of one cell.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn depthwise(inputs: DepthwiseInputs<'_>, weights: DepthwiseWeights<'_>, sums: &mut [i32; LANES]) {
    let DepthwiseWeights { data, first, count, .. } = weights;
    let weights = data.as_chunks::<DEPTHWISE_GROUP>().0;
    for part in 0..count.div_ceil(16) {
        let channels = (count - part * 16).min(16);
        // SAFETY: sixteen channels are read of a cell that has them, else of a copy; a group of weights and the
        // sums have all 64 channels.
        unsafe {
            let mut accumulators = [_mm256_setzero_si256(); 4];
            for (taps, weights) in inputs.taps.starts().as_chunks::<STEP>().0.iter().zip(weights) {
                let [a, b, c, d] = taps.map(|tap| {
                    let bytes = &inputs.panel[inputs.window + tap + first + part * 16..][..channels];
                    if channels == 16 {
                        return _mm_loadu_si128(bytes.as_ptr().cast());
                    }
                    let mut whole = [0u8; 16];
                    whole[..channels].copy_from_slice(bytes);
                    _mm_loadu_si128(whole.as_ptr().cast())
                });
                let (low, low2) = (_mm_unpacklo_epi8(a, b), _mm_unpacklo_epi8(c, d));
                let (high, high2) = (_mm_unpackhi_epi8(a, b), _mm_unpackhi_epi8(c, d));
                let quarters = [
                    _mm_unpacklo_epi16(low, low2),
                    _mm_unpackhi_epi16(low, low2),
                    _mm_unpacklo_epi16(high, high2),
                    _mm_unpackhi_epi16(high, high2),
                ];
                for (quarter, (accumulator, input)) in accumulators.iter_mut().zip(quarters).enumerate() {
                    let factors = _mm_loadu_si128(weights.as_ptr().add((quarter * 4 + part) * 16).cast());
                    let products = _mm256_madd_epi16(_mm256_cvtepi8_epi16(input), _mm256_cvtepi8_epi16(factors));
                    *accumulator = _mm256_add_epi32(*accumulator, products);
                }
            }
            let [a, b, c, d] = accumulators;
            for (half, added) in [join(a, b), join(c, d)].into_iter().enumerate() {
                let place = sums.as_mut_ptr().add(part * 16 + half * 8).cast();
                _mm256_storeu_si256(place, _mm256_add_epi32(_mm256_loadu_si256(place), added));
            }
        }
    }
}

/// As [`depthwise`] for i16.
///
/// # Safety
/// As [`depthwise`].
#[target_feature(enable = "avx2")]
pub(super) unsafe fn depthwise_i16(
    inputs: DepthwiseInputs<'_>,
    weights: DepthwiseWeights<'_>,
    sums: &mut [i32; LANES],
) {
    let DepthwiseWeights { data, first, count, .. } = weights;
    let weights = data.as_chunks::<DEPTHWISE_GROUP>().0;
    for part in 0..count.div_ceil(16) {
        let bytes = (count - part * 16).min(16) * 2;
        // SAFETY: sixteen channels are read of a cell that has them, else of a copy; a group of weights and the sums have all
        // 64 channels.
        unsafe {
            let (mut low, mut high) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for (taps, weights) in inputs.taps.starts().as_chunks::<2>().0.iter().zip(weights) {
                let [a, b] = taps.map(|tap| {
                    let bytes_of_cell = &inputs.panel[inputs.window + tap + (first + part * 16) * 2..][..bytes];
                    if bytes == 32 {
                        return _mm256_loadu_si256(bytes_of_cell.as_ptr().cast());
                    }
                    let mut whole = [0u8; 32];
                    whole[..bytes].copy_from_slice(bytes_of_cell);
                    _mm256_loadu_si256(whole.as_ptr().cast())
                });
                // The low halves of 32 channels, then their high ones; of each the half for these 16.
                let factors = weights.as_ptr().add(part / 2 * 128 + part % 2 * 32);
                let factors = [factors, factors.add(64)].map(|factors| _mm256_loadu_si256(factors.cast()));
                low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), factors[0]));
                high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), factors[1]));
            }
            let ordered = [_mm256_permute2x128_si256::<0x20>(low, high), _mm256_permute2x128_si256::<0x31>(low, high)];
            for (half, added) in ordered.into_iter().enumerate() {
                let place = sums.as_mut_ptr().add(part * 16 + half * 8).cast();
                _mm256_storeu_si256(place, _mm256_add_epi32(_mm256_loadu_si256(place), added));
            }
        }
    }
}
