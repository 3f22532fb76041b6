//! Sums of products with `vpmaddwd`: two products of i16, added in i32. Products of bytes are exact in it.

use std::arch::x86_64::*;

use super::{BLOCK, DEPTHWISE_GROUP, DenseWeights, LANES, PIXELS, STEP, Sums};

/// The sums of four channels from two halves each: two vectors of eight i32 to one.
#[target_feature(enable = "avx2")]
fn join(first: __m256i, second: __m256i) -> __m256i {
    // Within parts of 128 bits, hadd gives two channels of `first`, then two of `second`.
    _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(first, second))
}

/// # Safety
/// Cells have `weights.tap_stride / BLOCK` bytes, a multiple of [`STEP`]; `weights.data` has `blocks` blocks for all of them.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn dense(cells: &[[&[u8]; PIXELS]], weights: DenseWeights<'_>, blocks: usize, sums: &mut Sums) {
    /// Output cells at once: their accumulators fill half of the registers.
    const ROWS: usize = 2;
    let groups = weights.tap_stride / (BLOCK * STEP);
    for block in 0..blocks {
        for (pair, sums) in sums.chunks_exact_mut(ROWS).enumerate() {
            // SAFETY: reads of cells and weights by the contract of this function; a row of sums has 16 per block.
            unsafe {
                // Four channels in each, a channel as two halves.
                let mut accumulators = [[_mm256_setzero_si256(); 4]; ROWS];
                for (tap, cells) in cells.iter().enumerate() {
                    let data = weights.data.as_ptr().add(block * weights.block_stride + tap * weights.tap_stride);
                    let inputs = [cells[pair * ROWS].as_ptr(), cells[pair * ROWS + 1].as_ptr()];
                    for group in 0..groups {
                        let inputs = inputs.map(|input| {
                            let four = input.add(group * STEP).cast::<i32>().read_unaligned();
                            _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)))
                        });
                        for quarter in 0..4 {
                            let address = data.add(group * BLOCK * STEP + quarter * 16);
                            let factors = _mm256_cvtepi8_epi16(_mm_loadu_si128(address.cast()));
                            for (row, input) in accumulators.iter_mut().zip(inputs) {
                                row[quarter] = _mm256_add_epi32(row[quarter], _mm256_madd_epi16(input, factors));
                            }
                        }
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

/// # Safety
/// Cells have at least `first + count` channels, `count` is at most [`LANES`].
#[target_feature(enable = "avx2")]
pub(super) unsafe fn depthwise(
    cells: &[[&[u8]; STEP]],
    first: usize,
    count: usize,
    weights: &[[u8; DEPTHWISE_GROUP]],
    sums: &mut [i32; LANES],
) {
    for part in 0..count.div_ceil(16) {
        let channels = (count - part * 16).min(16);
        // SAFETY: sixteen channels are read of a cell that has them, else of a copy; a group of weights and the
        // sums have all 64 channels.
        unsafe {
            let mut accumulators = [_mm256_setzero_si256(); 4];
            for (cells, weights) in cells.iter().zip(weights) {
                let [a, b, c, d] = cells.map(|cell| {
                    let bytes = &cell[first + part * 16..][..channels];
                    if channels == 16 {
                        return _mm_loadu_si128(bytes.as_ptr().cast());
                    }
                    let mut whole = [0u8; 16];
                    whole[..channels].copy_from_slice(bytes);
                    _mm_loadu_si128(whole.as_ptr().cast())
                });
                let (low, low2) = (_mm_unpacklo_epi8(a, b), _mm_unpacklo_epi8(c, d));
                let (high, high2) = (_mm_unpackhi_epi8(a, b), _mm_unpackhi_epi8(c, d));
                let inputs = [
                    _mm_unpacklo_epi16(low, low2),
                    _mm_unpackhi_epi16(low, low2),
                    _mm_unpacklo_epi16(high, high2),
                    _mm_unpackhi_epi16(high, high2),
                ];
                for (quarter, (accumulator, input)) in accumulators.iter_mut().zip(inputs).enumerate() {
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
