//! Between real numbers and integers (`docs/numerics.md`, section 8).

use super::round::Destination;
use rayon::prelude::*;

/// ONNX QuantizeLinear (opset 10 to 23): `sat(round_half_even(x / scale) + zero_point)`, the division in f32.
///
/// ±inf saturates; NaN gives the zero point. `scale` is positive and finite.
#[must_use]
#[inline]
pub fn quantize(x: f32, scale: f32, to: Destination) -> i32 {
    land(f64::from((x / scale).round_ties_even()), to)
}

/// The same in f64, for bounds that the compiler quantizes itself.
#[must_use]
#[inline]
pub fn quantize_f64(x: f64, scale: f64, to: Destination) -> i32 {
    land((x / scale).round_ties_even(), to)
}

/// The largest magnitude of values, NaN aside; 0 of none.
#[must_use]
pub fn largest_magnitude(values: &[f32]) -> f32 {
    // Magnitudes are ordered as their bits are, and whole vectors of these are compared at once; NaN is beyond infinity.
    const INFINITY: u32 = f32::INFINITY.to_bits();
    let magnitudes = values.iter().map(|value| value.abs().to_bits());
    f32::from_bits(magnitudes.fold(0, |largest, bits| largest.max(if bits <= INFINITY { bits } else { 0 })))
}

/// What is quantized of a value with a mean and a factor: `(x - mean) · factor`, each step in f32.
#[must_use]
#[inline]
pub fn normalize(x: f32, mean: f32, factor: f32) -> f32 {
    (x - mean) * factor
}

/// Fewer elements are not worth waking other threads.
const WORTH_SHARING: usize = 1 << 16;

/// The integers of a constant, as the compiler quantizes all of them: [`quantize_f64`] of every element.
///
/// The elements come in lines of `inner`, and the lines have the `scales` in turn: one scale per tensor is one in the list, scales
/// per index of an axis have `inner` elements per index. Without a scale there are no integers.
#[must_use]
pub fn quantize_constant(values: &[f32], scales: &[f64], inner: usize, to: Destination) -> Vec<i32> {
    if scales.is_empty() {
        return Vec::new();
    }
    let Destination { zero_point, clamp } = to;
    let [low, high] = [clamp.low, clamp.high].map(|bound| f64::from(bound) - f64::from(zero_point));
    let inner = inner.max(1);
    let mut integers = vec![0; values.len()];
    let quantize_line = |(line, (integers, values)): (usize, (&mut [i32], &[f32]))| {
        let Some(&scale) = scales.get(line % scales.len()) else { return };
        for (integer, &value) in integers.iter_mut().zip(values) {
            // Bounds are integers, so that clamping first gives the same; NaN stays NaN and becomes 0.
            *integer = (nearest((f64::from(value) / scale).clamp(low, high)) as i32).wrapping_add(zero_point);
        }
    };
    if values.len() < WORTH_SHARING {
        integers.chunks_mut(inner).zip(values.chunks(inner)).enumerate().for_each(quantize_line);
    } else {
        integers.par_chunks_mut(inner).zip(values.par_chunks(inner)).enumerate().for_each(quantize_line);
    }
    integers
}

/// The low `bytes` of each integer, little-endian: the integer itself where an integer type of 1, 2 or 4 bytes holds it.
pub fn low_bytes(integers: &[i32], bytes: usize) -> Vec<u8> {
    match bytes {
        1 => integers.iter().map(|q| *q as u8).collect(),
        2 => integers.iter().flat_map(|q| (*q as i16).to_le_bytes()).collect(),
        _ => integers.iter().flat_map(|q| q.to_le_bytes()).collect(),
    }
}

/// Half to even, for magnitudes below 2^51: a sum in [2^52, 2^53) has no room for a fraction. Without a function for it in every
/// processor this is many times faster than one.
#[inline(always)]
fn nearest(value: f64) -> f64 {
    const ROUND: f64 = (3u64 << 51) as f64;
    (value + ROUND) - ROUND
}

/// ONNX DequantizeLinear (opset 10 to 23) of the distance of an integer from its zero point: `q · scale`, the product in f32.
#[must_use]
#[inline]
pub fn dequantize(q: i32, scale: f32) -> f32 {
    q as f32 * scale
}

fn land(rounded: f64, to: Destination) -> i32 {
    // `as` saturates infinities and makes NaN 0; clamping after it loses nothing.
    to.apply(rounded as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_magnitude_is_no_nan() {
        assert_eq!(largest_magnitude(&[]), 0.0);
        assert_eq!(largest_magnitude(&[0.5, f32::NAN, -2.0, 1.0, -0.0]), 2.0);
        assert_eq!(largest_magnitude(&[-f32::NAN, f32::MIN, f32::NEG_INFINITY]), f32::INFINITY);
    }

    #[test]
    fn quantize_on_paper() {
        let cases = [(0.25, 0), (0.75, 2), (1.25, 2), (-0.25, 0), (-0.75, -2), (100.0, 127), (-100.0, -128)];
        for (x, q) in cases {
            assert_eq!(quantize(x, 0.5, Destination::I8), q, "{x}");
        }
        assert_eq!(quantize(f32::NAN, 0.5, Destination::I8), 0);
        assert_eq!(quantize(f32::INFINITY, 0.5, Destination::I8), 127);
        assert_eq!(quantize(f32::NEG_INFINITY, 0.5, Destination::I16), -32768);
        assert_eq!(quantize(f32::MAX, f32::MIN_POSITIVE, Destination::I8), 127);
        assert_eq!(quantize_f64(1e300, 1e-300, Destination::I32), i32::MAX);
    }

    #[test]
    fn the_division_is_in_f32() {
        // 0.35f32 / 0.1f32: the exact quotient 3.49999989... rounds to 3.5 in f32, which ties to 4; f64 would say 3.
        assert_eq!(quantize(0.35, 0.1, Destination::I8), 4);
        assert_eq!(quantize_f64(f64::from(0.35f32), f64::from(0.1f32), Destination::I8), 3);
    }

    /// `struct` of Python: 0.9f - 3.3f = -2.4f, times 1.6f is -3.84000015 (0xc075c290) when each step is rounded, -3.83999991 in f64.
    #[test]
    fn each_step_of_normalization_is_rounded() {
        assert_eq!(normalize(0.9, 3.3, 1.6).to_bits(), 0xc075_c290);
        assert_eq!(normalize(16_777_216.0, -1.0, 0.5), 8_388_608.0);
        assert_eq!(quantize(normalize(f32::INFINITY, 3.0, -2.0), 1.0, Destination::I8), -128);
    }

    #[test]
    fn bytes_on_paper() {
        assert_eq!(low_bytes(&[-1, 127, -128], 1), [255, 127, 128]);
        assert_eq!(low_bytes(&[-2, 258], 2), [254, 255, 2, 1]);
        assert_eq!(low_bytes(&[-2, 0x0102_0304], 4), [254, 255, 255, 255, 4, 3, 2, 1]);
    }

    #[test]
    fn constants_on_paper() {
        // Two lines of two scales, then the first scale again; half to even, saturated.
        let values = [0.5, 1.5, 1.0, -0.375, 2.5, 1e9];
        assert_eq!(quantize_constant(&values, &[1.0, 0.25], 2, Destination::I8), [0, 2, 4, -2, 2, 127]);
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX];
        assert_eq!(quantize_constant(&odd, &[1.0], 1, Destination::I32), [0, i32::MAX, i32::MIN, i32::MAX]);
        // More bits than f32 has: 0.7 / 1e-9 in f64.
        assert_eq!(quantize_constant(&[0.7], &[1e-9], 1, Destination::I32), [699_999_988]);
    }

    proptest! {
        #[test]
        fn constants_are_quantized_one_by_one(values in prop::collection::vec(-1e3f32..1e3, 0..40), scales in prop::collection::vec(1e-9f64..10.0, 1..4), inner in 1usize..5) {
            for to in [Destination::I8, Destination::I16, Destination::I32] {
                let all = quantize_constant(&values, &scales, inner, to);
                let each = values.iter().enumerate().map(|(i, &x)| quantize_f64(x.into(), scales[i / inner % scales.len()], to));
                prop_assert_eq!(all, each.collect::<Vec<_>>());
            }
        }

        #[test]
        fn integers_survive_the_round_trip(q: i16, scale in 1e-6f32..1e6) {
            prop_assert_eq!(quantize(dequantize(q.into(), scale), scale, Destination::I16), i32::from(q));
        }

        #[test]
        fn quantize_is_within_half_a_step(x in -100f32..100.0, scale in 0.01f32..10.0) {
            let q = quantize(x, scale, Destination::I32);
            prop_assert!((f64::from(q) - f64::from(x) / f64::from(scale)).abs() <= 0.5 + 1e-3);
        }
    }
}
