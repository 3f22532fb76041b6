//! Sums of products with `vpdpbusd`: four products of an unsigned and a signed byte, added to an i32 without saturation.
//!
//! Inputs are made unsigned by adding 128, which is an exclusive or of the highest bit; see [`super::Level::offset`].

use std::arch::x86_64::*;

use super::{BLOCK, DEPTHWISE_GROUP, DenseWeights, LANES, PIXELS, STEP, Sums};

/// 128 in every byte.
const HIGH_BITS: i32 = i32::from_ne_bytes([0x80; 4]);

/// # Safety
/// Cells have `weights.tap_stride / BLOCK` bytes, a multiple of [`STEP`]; `weights.data` has `BLOCKS` blocks for all of them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn dense<const BLOCKS: usize>(cells: &[[&[u8]; PIXELS]], weights: DenseWeights<'_>, sums: &mut Sums) {
    let high_bits = _mm512_set1_epi32(HIGH_BITS);
    let groups = weights.tap_stride / (BLOCK * STEP);
    // SAFETY: a row of sums has at least BLOCKS * 16 elements; everything else by the contract of this function.
    unsafe {
        let mut accumulators = [[_mm512_setzero_si512(); BLOCKS]; PIXELS];
        for (row, sums) in accumulators.iter_mut().zip(sums.iter()) {
            for (block, accumulator) in row.iter_mut().enumerate() {
                *accumulator = _mm512_loadu_si512(sums.as_ptr().add(block * BLOCK).cast());
            }
        }
        for (tap, cells) in cells.iter().enumerate() {
            let data = weights.data.as_ptr().add(tap * weights.tap_stride);
            let inputs = cells.map(<[u8]>::as_ptr);
            for group in 0..groups {
                let mut factors = [_mm512_setzero_si512(); BLOCKS];
                for (block, factor) in factors.iter_mut().enumerate() {
                    let address = data.add(block * weights.block_stride + group * BLOCK * STEP);
                    *factor = _mm512_loadu_si512(address.cast());
                }
                for (row, input) in accumulators.iter_mut().zip(inputs) {
                    let four = input.add(group * STEP).cast::<i32>().read_unaligned();
                    let four = _mm512_xor_si512(_mm512_set1_epi32(four), high_bits);
                    for (accumulator, factor) in row.iter_mut().zip(factors) {
                        *accumulator = _mm512_dpbusd_epi32(*accumulator, four, factor);
                    }
                }
            }
        }
        for (row, sums) in accumulators.iter().zip(sums.iter_mut()) {
            for (block, accumulator) in row.iter().enumerate() {
                _mm512_storeu_si512(sums.as_mut_ptr().add(block * BLOCK).cast(), *accumulator);
            }
        }
    }
}

/// # Safety
/// Cells have at least `first + count` channels, `count` is at most [`LANES`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn depthwise(
    cells: &[[&[u8]; STEP]],
    first: usize,
    count: usize,
    weights: &[[u8; DEPTHWISE_GROUP]],
    sums: &mut [i32; LANES],
) {
    let high_bits = _mm512_set1_epi32(HIGH_BITS);
    let mask = if count >= LANES { u64::MAX } else { (1 << count) - 1 };
    // SAFETY: masked loads touch only the bytes of the cell; a group of weights has 4 times 64 bytes, the sums are 4 times 16.
    unsafe {
        // Quarter q holds channels 4q to 4q + 3 of each part of 16.
        let mut quarters = [_mm512_setzero_si512(); 4];
        for (cells, weights) in cells.iter().zip(weights) {
            let [a, b, c, d] = cells.map(|cell| {
                let bytes = _mm512_maskz_loadu_epi8(mask, cell.as_ptr().add(first).cast());
                _mm512_xor_si512(bytes, high_bits)
            });
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
        // A 4 x 4 transposition of parts of 128 bits puts the channels in order.
        let [a, b, c, d] = quarters;
        let (even, odd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
        let (even2, odd2) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
        let ordered = [
            _mm512_shuffle_i32x4::<0x88>(even, even2),
            _mm512_shuffle_i32x4::<0x88>(odd, odd2),
            _mm512_shuffle_i32x4::<0xdd>(even, even2),
            _mm512_shuffle_i32x4::<0xdd>(odd, odd2),
        ];
        for (index, added) in ordered.into_iter().enumerate() {
            let place = sums.as_mut_ptr().add(index * 16).cast();
            _mm512_storeu_si512(place, _mm512_add_epi32(_mm512_loadu_si512(place), added));
        }
    }
}
