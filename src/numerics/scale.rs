//! Scales and their ratios (`docs/numerics.md`, sections 3 to 7): f64, from left to right.

use super::multiplier::{Multiplier, MultiplierError};
use hb_dialects::ir::Affine;

/// The largest integer of symmetric integers of `bits` bits, from 2 to 32: 127 of int8, 32767 of int16.
#[must_use]
pub const fn largest_integer(bits: u32) -> f64 {
    let bits = if bits < 2 {
        2
    } else if bits > 32 {
        32
    } else {
        bits
    };
    ((1u32 << (bits - 1)) - 1) as f64
}

/// The scale of symmetric integers of `bits` bits that show magnitudes up to `threshold`, as the f32 that ONNX stores.
///
/// Tensors that are all zero have threshold 0; any scale is exact for them, and 1/127 keeps ratios of scales moderate.
#[must_use]
pub fn scale_of_threshold(threshold: f64, bits: u32) -> f64 {
    let largest = largest_integer(bits);
    let scale = finite_scale(threshold, largest);
    if scale.is_normal() { f64::from(scale) } else { f64::from((1.0 / largest) as f32) }
}

/// The f32 nearest to the scale of integers that reach `largest`; the one below where rounding alone makes what the largest stands for infinite as f32: a mask of
/// the least f32 would be minus infinity, and 0 times that no number.
fn finite_scale(threshold: f64, largest: f64) -> f32 {
    let scale = (threshold / largest) as f32;
    // int16 has twice the range that was seen, which may well be beyond f32.
    let is_rounding = threshold < 1.5 * f64::from(f32::MAX);
    if is_rounding && (scale * largest as f32).is_infinite() { scale.next_down() } else { scale }
}

/// What int8 or int16 integers are whose largest distance from the zero point shows a magnitude of `threshold`. Symmetric ones leave the
/// least integer unused, so that both signs show the same; with a zero point all 256 have their use.
#[must_use]
pub fn affine_of_threshold(threshold: f64, bits: u32, zero_point: i32) -> Affine {
    if zero_point == 0 {
        return Affine::symmetric(scale_of_threshold(threshold, bits));
    }
    let scale = finite_scale(threshold, largest_distance(zero_point));
    // As for symmetric integers, any scale shows zeros.
    if scale.is_normal() { Affine { scale: scale.into(), zero_point } } else { affine_of_threshold(0.0, bits, 0) }
}

/// The threshold that [`affine_of_threshold`] makes such integers of.
#[must_use]
pub fn threshold_of_affine(affine: Affine, bits: u32) -> f64 {
    affine.scale * if affine.zero_point == 0 { largest_integer(bits) } else { largest_distance(affine.zero_point) }
}

/// The largest distance of an int8 from a zero point.
fn largest_distance(zero_point: i32) -> f64 {
    let [below, above] = [i8::MIN, i8::MAX].map(|end| i32::from(end).abs_diff(zero_point));
    f64::from(below.max(above))
}

/// Threshold and zero point of int8 integers that show the reals from `low` to `high`, and 0, in as fine steps as 256 integers allow.
#[must_use]
pub fn asymmetric_range(low: f64, high: f64) -> (f64, i32) {
    let (low, high) = (low.min(0.0), high.max(0.0));
    let scale = f64::from(((high - low) / 255.0) as f32);
    if scale < f64::from(f32::MIN_POSITIVE) {
        return (high.max(-low), 0);
    }
    // The zero point is whole, which leaves up to half a step of one end out: no more than rounding does.
    let zero_point = (f64::from(i8::MIN) - low / scale).round_ties_even().clamp(-128.0, 127.0) as i32;
    (scale * largest_distance(zero_point), zero_point)
}

/// What a step of the sums of products of two operands is worth.
#[must_use]
pub fn accumulator_scale(s_a: f64, s_b: f64) -> f64 {
    s_a * s_b
}

/// The scale of a bias: that of the accumulator, as the f32 that ONNX stores, so that every reader sees the same bias.
#[must_use]
pub fn bias_scale(s_x: f64, s_w: f64) -> f64 {
    f64::from(accumulator_scale(s_x, s_w) as f32)
}

/// The least scale of the weights of one output channel, as the f32 that ONNX stores. Training leaves channels whose weights are next to
/// nothing beside their bias and their result when it gives them up: a bias of magnitude `bias` must stay below 2^30 steps of the
/// accumulator, and a step of the accumulator above 2^-31 of one of the result.
#[must_use]
pub fn least_weight_scale(s_x: f64, s_y: Option<f64>, bias: f64) -> f64 {
    let by_result = s_y.map_or(0.0, |scale| scale * 0.5f64.powi(31) / s_x);
    let by_bias = bias.abs() / (s_x * f64::from(1u32 << 30));
    f64::from(by_result.max(by_bias) as f32)
}

impl Multiplier {
    /// From a product, or a sum of products, to the result: `s_a * s_b / s_y`.
    ///
    /// # Errors
    /// When the ratio has no multiplier.
    pub fn of_product(s_a: f64, s_b: f64, s_y: f64) -> Result<Multiplier, MultiplierError> {
        Multiplier::from_real(accumulator_scale(s_a, s_b) / s_y)
    }

    /// From one scale to another: `s_x / s_y`.
    ///
    /// # Errors
    /// When the ratio has no multiplier.
    pub fn of_change(s_x: f64, s_y: f64) -> Result<Multiplier, MultiplierError> {
        Multiplier::from_real(s_x / s_y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scales_on_paper() {
        assert_eq!([2, 8, 16, 32].map(largest_integer), [1.0, 127.0, 32767.0, 2147483647.0]);
        assert_eq!(scale_of_threshold(127.0, 8), 1.0);
        assert_eq!(scale_of_threshold(1.0, 16), f64::from((1.0f64 / 32767.0) as f32));
        // What f32 does not hold in full is taken for zero.
        assert_eq!(scale_of_threshold(0.0, 8), f64::from((1.0f64 / 127.0) as f32));
        assert_eq!(scale_of_threshold(1e-40, 8), scale_of_threshold(0.0, 8));
        // The nearest f32 is 2.6793887e36, of which 127 are infinite.
        let most = f64::from(f32::MAX);
        assert_eq!(scale_of_threshold(most, 8), f64::from(2.6793887e36_f32.next_down()));
        for (low, high) in [(-most, 0.0), (0.0, most), (-most, most / 3.0)] {
            let (threshold, zero_point) = asymmetric_range(low, high);
            let Affine { scale, zero_point } = affine_of_threshold(threshold, 8, zero_point);
            let ends = [-128, 127].map(|integer: i32| (integer - zero_point) as f32 * scale as f32);
            assert!(ends.iter().all(|end| end.is_finite()), "{low} to {high}: {ends:?}");
        }
        assert_eq!(bias_scale(0.1, 0.3), f64::from((0.1f64 * 0.3) as f32));
    }

    #[test]
    fn ranges_with_a_zero_point_on_paper() {
        // 0 to 25.5 in steps of a tenth, from -128 on; and the same below 0.
        let tenth = f64::from(0.1f32);
        assert_eq!(asymmetric_range(0.0, 25.5), (tenth * 255.0, -128));
        assert_eq!(asymmetric_range(-25.5, 0.0), (tenth * 255.0, 127));
        assert_eq!(affine_of_threshold(tenth * 255.0, 8, -128), Affine { scale: tenth, zero_point: -128 });
        // What lies on one side of 0 shows 0 all the same.
        assert_eq!(asymmetric_range(3.0, 25.5), asymmetric_range(0.0, 25.5));
        // -1 to 3: steps of 4 / 255 put 0 at -64.25; of the zero point -64 the integer 127 is 191 steps away.
        let (threshold, zero_point) = asymmetric_range(-1.0, 3.0);
        let step = f64::from((4.0f64 / 255.0) as f32);
        assert_eq!((threshold, zero_point), (step * 191.0, -64));
        assert_eq!(affine_of_threshold(threshold, 8, zero_point).scale, step);
        assert_eq!((asymmetric_range(0.0, 0.0), asymmetric_range(0.0, 1e-40)), ((0.0, 0), (1e-40, 0)));
        assert_eq!(affine_of_threshold(5.0, 8, 0), Affine::symmetric(scale_of_threshold(5.0, 8)));
    }

    proptest! {
        #[test]
        fn both_ends_of_a_range_are_shown(low in -1e3f64..1.0, size in 1e-3f64..1e3) {
            let high = low + size;
            let (threshold, zero_point) = asymmetric_range(low, high);
            let Affine { scale, zero_point } = affine_of_threshold(threshold, 8, zero_point);
            for end in [low.min(0.0), high.max(0.0)] {
                let q = ((end / scale).round_ties_even() + f64::from(zero_point)).clamp(-128.0, 127.0);
                let shown = (q - f64::from(zero_point)) * scale;
                prop_assert!((shown - end).abs() <= scale * 0.5001, "{} is {}", end, shown);
            }
            // 255 steps for the whole range, or what symmetric integers have.
            let size = high.max(0.0) - low.min(0.0);
            prop_assert!(zero_point == 0 || (scale * 255.0 / size - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_weight_of_next_to_nothing_keeps_a_scale_that_the_machine_can_multiply_by() {
        let least = |s_y, bias| least_weight_scale(0.5, s_y, bias);
        // A bias of 3 is 2^30 steps of 0.5 * 3 / 2^29; a result's step of 2 is 2^31 steps of 0.5 * 2^-29.
        assert_eq!(least(None, -3.0), 3.0 * 0.5f64.powi(29));
        assert_eq!(least(Some(2.0), 0.0), 0.5f64.powi(29));
        assert_eq!(least(Some(2.0), -3.0), 3.0 * 0.5f64.powi(29));
        assert_eq!(least(None, 0.0), 0.0);
        assert!(Multiplier::of_product(0.5, least(Some(0.3), 0.0), 0.3).is_ok());
    }

    #[test]
    fn ratios_are_evaluated_from_left_to_right() {
        // 3 * 0.1 = 0.30000000000000004 in f64, which over 0.3 is the next number above 1: its multiplier is that of 1.
        assert_eq!(Multiplier::of_product(3.0, 0.1, 0.3), Multiplier::from_real(3.0 * 0.1 / 0.3));
        assert_eq!(Multiplier::of_change(1.0, 4.0), Multiplier::from_real(0.25));
        assert!(Multiplier::of_change(1.0, 0.0).is_err());
    }
}
