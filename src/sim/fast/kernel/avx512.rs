//! Sums of products with `vpdpbusd`: four products of an unsigned and a signed byte, added to an i32 without saturation.
//!
//! Inputs are made unsigned by adding 128, which is an exclusive or of the highest bit; see [`super::Level::offset`].

use std::arch::x86_64::*;

use crate::numerics::Clamp;

use super::{BLOCK, Begin, DEPTHWISE_GROUP, DenseWeights, LANES, PIXELS, STEP, Sums};

/// 128 in every byte.
const HIGH_BITS: i32 = i32::from_ne_bytes([0x80; 4]);

/// # Safety
/// Cells have `weights.tap_stride / BLOCK` bytes, a multiple of [`STEP`]; `weights.data` has `BLOCKS` blocks for all of them, and
/// starts are as many.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn dense<const BLOCKS: usize>(
    cells: &[[&[u8]; PIXELS]],
    weights: DenseWeights<'_>,
    begin: Begin<'_>,
    sums: &mut Sums,
) {
    let high_bits = _mm512_set1_epi32(HIGH_BITS);
    let groups = weights.tap_stride / (BLOCK * STEP);
    // SAFETY: a row of sums has at least BLOCKS * 16 elements; everything else by the contract of this function.
    unsafe {
        let mut accumulators = [[_mm512_setzero_si512(); BLOCKS]; PIXELS];
        for (row, sums) in accumulators.iter_mut().zip(sums.iter()) {
            for (block, accumulator) in row.iter_mut().enumerate() {
                let from = match begin {
                    Begin::At(starts) => starts.as_ptr(),
                    Begin::There => sums.as_ptr(),
                };
                *accumulator = _mm512_loadu_si512(from.add(block * BLOCK).cast());
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

/// 1.5 · 2^23: added to a float of less than 2^22, it rounds to an integer, ties to even, in the low bits.
const ROUND: f32 = 12_582_912.0;
/// More than 128 · 3 · 2^-24, with room for the terms of higher order.
const DOUBT: f32 = 1.0 / 16384.0;

/// `clamp((sum + bias) · scale)` in f32, rounded half to even to i8. Whether all results are certain to be those of the exact
/// product.
///
/// The sum, the scale (a multiplier rounded to f32) and their product are each off by at most 2^-24 of themselves: the product,
/// limited to i8, by less than [`DOUBT`]. A product that lies farther than that from all halves rounds to the exact result.
///
/// # Safety
/// All slices have the same length. The clamp lies in i8.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn finish(sums: &[i32], bias: &[i32], scale: &[f32], clamp: Clamp, results: &mut [u8]) -> bool {
    let (low, high) = (_mm512_set1_ps(clamp.low as f32), _mm512_set1_ps(clamp.high as f32));
    let (round, limit) = (_mm512_set1_ps(ROUND), _mm512_set1_ps(0.5 - DOUBT));
    let mut doubtful = 0;
    for first in (0..results.len()).step_by(16) {
        let mask: __mmask16 = if results.len() - first >= 16 { u16::MAX } else { (1 << (results.len() - first)) - 1 };
        // SAFETY: masked accesses touch only elements of the slices.
        unsafe {
            let sum = _mm512_maskz_loadu_epi32(mask, sums.as_ptr().add(first));
            let sum = _mm512_add_epi32(sum, _mm512_maskz_loadu_epi32(mask, bias.as_ptr().add(first)));
            let scale = _mm512_maskz_loadu_ps(mask, scale.as_ptr().add(first));
            let product = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
            let product = _mm512_min_ps(_mm512_max_ps(product, low), high);
            let rounded = _mm512_add_ps(product, round);
            let distance = _mm512_abs_ps(_mm512_sub_ps(product, _mm512_sub_ps(rounded, round)));
            doubtful |= _mm512_mask_cmp_ps_mask::<_CMP_NLT_UQ>(mask, distance, limit);
            let place = results.as_mut_ptr().add(first).cast();
            _mm512_mask_cvtepi32_storeu_epi8(place, mask, _mm512_castps_si512(rounded));
        }
    }
    doubtful == 0
}
