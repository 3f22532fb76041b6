//! Between real numbers and integers (`docs/numerics.md`, section 8).

use super::round::Clamp;

/// ONNX QuantizeLinear (opset 10 to 23) with zero point 0: `sat(round_half_even(x / scale))`, the division in f32.
///
/// ±inf saturates; NaN gives 0. `scale` is positive and finite.
#[must_use]
#[inline]
pub fn quantize(x: f32, scale: f32, clamp: Clamp) -> i32 {
    saturate(f64::from((x / scale).round_ties_even()), clamp)
}

/// The same in f64, for bounds that the compiler quantizes itself.
#[must_use]
#[inline]
pub fn quantize_f64(x: f64, scale: f64, clamp: Clamp) -> i32 {
    saturate((x / scale).round_ties_even(), clamp)
}

/// ONNX DequantizeLinear (opset 10 to 23) with zero point 0: `q · scale`, the product in f32.
#[must_use]
#[inline]
pub fn dequantize(q: i32, scale: f32) -> f32 {
    q as f32 * scale
}

fn saturate(rounded: f64, clamp: Clamp) -> i32 {
    // `as` saturates infinities and makes NaN 0; clamping after it loses nothing.
    clamp.apply(rounded as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantize_on_paper() {
        let cases = [(0.25, 0), (0.75, 2), (1.25, 2), (-0.25, 0), (-0.75, -2), (100.0, 127), (-100.0, -128)];
        for (x, q) in cases {
            assert_eq!(quantize(x, 0.5, Clamp::I8), q, "{x}");
        }
        assert_eq!(quantize(f32::NAN, 0.5, Clamp::I8), 0);
        assert_eq!(quantize(f32::INFINITY, 0.5, Clamp::I8), 127);
        assert_eq!(quantize(f32::NEG_INFINITY, 0.5, Clamp::I16), -32768);
        assert_eq!(quantize(f32::MAX, f32::MIN_POSITIVE, Clamp::I8), 127);
        assert_eq!(quantize_f64(1e300, 1e-300, Clamp::I32), i32::MAX);
    }

    #[test]
    fn the_division_is_in_f32() {
        // 0.35f32 / 0.1f32: the exact quotient 3.49999989... rounds to 3.5 in f32, which ties to 4; f64 would say 3.
        assert_eq!(quantize(0.35, 0.1, Clamp::I8), 4);
        assert_eq!(quantize_f64(f64::from(0.35f32), f64::from(0.1f32), Clamp::I8), 3);
    }

    proptest! {
        #[test]
        fn integers_survive_the_round_trip(q: i16, scale in 1e-6f32..1e6) {
            prop_assert_eq!(quantize(dequantize(q.into(), scale), scale, Clamp::I16), i32::from(q));
        }

        #[test]
        fn quantize_is_within_half_a_step(x in -100f32..100.0, scale in 0.01f32..10.0) {
            let q = quantize(x, scale, Clamp::I32);
            prop_assert!((f64::from(q) - f64::from(x) / f64::from(scale)).abs() <= 0.5 + 1e-3);
        }
    }
}
