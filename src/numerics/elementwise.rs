//! Sums, products and changes of scale (`docs/numerics.md`, section 5).

use super::multiplier::{Multiplier, MultiplierError};
use super::round::{Destination, round_half_even_shift};

/// The two factors of an addition over one common shift, so that the sum is rounded once.
///
/// `lhs / 2^shift` ≈ s_a / s_y and `rhs / 2^shift` ≈ ± s_b / s_y; the larger magnitude has 31 significant bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SumMultipliers {
    /// Factor of the first operand, in [0, 2^31).
    pub lhs: i32,
    /// Factor of the second operand, in (-2^31, 2^31); negative for a subtraction.
    pub rhs: i32,
    /// Common shift, in [0, 62].
    pub shift: u32,
}

impl SumMultipliers {
    /// Factors of `y = a + b`, from the scales of both operands and the result.
    ///
    /// The smaller ratio may round to the factor 0: its operand is then below the resolution of the result.
    ///
    /// # Errors
    /// When a ratio of an operand to the result is not positive and finite, or the larger one has no [`Multiplier`].
    pub fn add(s_a: f64, s_b: f64, s_y: f64) -> Result<SumMultipliers, MultiplierError> {
        let (lhs_ratio, rhs_ratio) = (s_a / s_y, s_b / s_y);
        for ratio in [lhs_ratio, rhs_ratio] {
            if !(ratio.is_finite() && ratio > 0.0) {
                return Err(MultiplierError::NotPositive(ratio));
            }
        }
        let larger = lhs_ratio.max(rhs_ratio);
        let shift = Multiplier::from_real(larger)?.shift;
        let factor = |ratio: f64| (ratio * 2f64.powi(shift as i32)).round_ties_even() as i32;
        Ok(SumMultipliers { lhs: factor(lhs_ratio), rhs: factor(rhs_ratio), shift })
    }

    /// Factors of `y = a - b`: those of the addition with the second one negated.
    ///
    /// # Errors
    /// As [`SumMultipliers::add`].
    pub fn sub(s_a: f64, s_b: f64, s_y: f64) -> Result<SumMultipliers, MultiplierError> {
        let sum = SumMultipliers::add(s_a, s_b, s_y)?;
        Ok(SumMultipliers { rhs: -sum.rhs, ..sum })
    }

    /// Whether the fields are in their ranges; what comes from a file has to be asked.
    #[must_use]
    pub fn is_normal(self) -> bool {
        self.lhs >= 0 && self.rhs > i32::MIN && self.shift <= 62
    }
}

/// `(a · lhs + b · rhs) / 2^shift`, rounded half to even once. Subtraction is a negative `rhs`; operands are distances from
/// their zero points, here and below.
///
/// Exact for all i32 operands: the sum of products is below 2^63.
#[must_use]
#[inline]
pub fn add(a: i32, b: i32, multipliers: SumMultipliers, to: Destination) -> i32 {
    // 2 · 2^31 · (2^31 - 1) < 2^63, except for the factor i32::MIN, which `is_normal` excludes; wrapping keeps it total.
    let sum = (i64::from(a) * i64::from(multipliers.lhs)).wrapping_add(i64::from(b) * i64::from(multipliers.rhs));
    to.apply(round_half_even_shift(sum, multipliers.shift))
}

/// `rescale(a · b)` with the multiplier of `s_a · s_b / s_y`, for operands of at most 16 bits.
#[must_use]
#[inline]
pub fn multiply(a: i32, b: i32, multiplier: Multiplier, to: Destination) -> i32 {
    to.apply(multiplier.rescale(i64::from(a) * i64::from(b)))
}

/// What values that are not negative are rescaled with, and products with a slope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlopeMultipliers {
    /// Of s_x / s_y.
    pub positive: Multiplier,
    /// Of s_x · s_slope / s_y.
    pub negative: Multiplier,
}

impl SlopeMultipliers {
    /// From the scales of the input, the slope and the result.
    ///
    /// # Errors
    /// When one of the ratios has no [`Multiplier`].
    pub fn new(s_x: f64, s_slope: f64, s_y: f64) -> Result<SlopeMultipliers, MultiplierError> {
        let positive = Multiplier::of_change(s_x, s_y)?;
        Ok(SlopeMultipliers { positive, negative: Multiplier::of_product(s_x, s_slope, s_y)? })
    }
}

/// `rescale(x)` where x is not negative, `rescale(x · slope)` elsewhere, for operands of at most 16 bits.
#[must_use]
#[inline]
pub fn p_relu(x: i32, slope: i32, multipliers: SlopeMultipliers, to: Destination) -> i32 {
    to.apply(match x {
        0.. => multipliers.positive.rescale(i64::from(x)),
        _ => multipliers.negative.rescale(i64::from(x) * i64::from(slope)),
    })
}

/// `rescale(a)` with the multiplier of `s_x / s_y`.
#[must_use]
#[inline]
pub fn requantize(a: i32, multiplier: Multiplier, to: Destination) -> i32 {
    to.apply(multiplier.rescale(i64::from(a)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_scales_add_integers() {
        let one = SumMultipliers::add(1.0, 1.0, 1.0).unwrap();
        assert_eq!(one, SumMultipliers { lhs: 1 << 30, rhs: 1 << 30, shift: 30 });
        assert_eq!(add(100, 27, one, Destination::I8), 127);
        assert_eq!(add(100, 28, one, Destination::I8), 127);
        assert_eq!(add(-100, -29, one, Destination::I8), -128);
        assert_eq!(add(100, 27, SumMultipliers::sub(1.0, 1.0, 1.0).unwrap(), Destination::I8), 73);
    }

    #[test]
    fn a_slope_counts_below_zero() {
        // x in halves, slopes in quarters, results in eighths: 3 / 2 = 12 / 8; -3 / 2 * 3 / 4 = -9 / 8.
        let multipliers = SlopeMultipliers::new(0.5, 0.25, 0.125).unwrap();
        assert_eq!(p_relu(3, -100, multipliers, Destination::I8), 12);
        assert_eq!(p_relu(-3, 3, multipliers, Destination::I8), -9);
        assert_eq!(p_relu(-3, -3, multipliers, Destination::I8), 9);
        assert_eq!(p_relu(0, 127, multipliers, Destination::I8), 0);
        assert_eq!(p_relu(-128, 127, multipliers, Destination::I8), -128);
        // Ties to even: -1 * 1 * 1/2 and -3 * 1 * 1/2 of a step.
        let halves = SlopeMultipliers::new(1.0, 0.5, 1.0).unwrap();
        assert_eq!([-1, -3].map(|x| p_relu(x, 1, halves, Destination::I8)), [0, -2]);
    }

    #[test]
    fn one_rounding_not_two() {
        // 1 · 0.5 + 1 · 0.25 = 0.75 rounds to 1; rounding each term first would give 0.
        assert_eq!(add(1, 1, SumMultipliers::add(0.5, 0.25, 1.0).unwrap(), Destination::I8), 1);
        // 1 · 0.5 + 2 · 0.5 = 1.5 ties to 2, 0.5 ties to 0.
        assert_eq!(add(1, 2, SumMultipliers::add(0.5, 0.5, 1.0).unwrap(), Destination::I8), 2);
        assert_eq!(add(1, 0, SumMultipliers::add(0.5, 0.5, 1.0).unwrap(), Destination::I8), 0);
    }

    #[test]
    fn a_negligible_operand_has_factor_zero() {
        let sum = SumMultipliers::add(1.0, 1e-12, 1.0).unwrap();
        assert_eq!((sum.lhs, sum.rhs), (1 << 30, 0));
        assert_eq!(add(5, 127, sum, Destination::I8), 5);
    }

    #[test]
    fn a_carry_moves_both_factors() {
        let sum = SumMultipliers::add(1.0 - 2f64.powi(-40), 0.5, 1.0).unwrap();
        assert_eq!(sum, SumMultipliers { lhs: 1 << 30, rhs: 1 << 29, shift: 30 });
    }

    #[test]
    fn bad_ratios_are_errors() {
        assert!(SumMultipliers::add(1.0, 0.0, 1.0).is_err());
        assert!(SumMultipliers::add(f64::NAN, 1.0, 1.0).is_err());
        assert!(SumMultipliers::add(1.0, 2f64.powi(31), 1.0).is_err());
        assert!(SumMultipliers::add(2f64.powi(-40), 2f64.powi(-41), 1.0).is_err());
    }

    #[test]
    fn products_on_paper() {
        // s_a · s_b / s_y = 0.02 · 0.05 / 0.1 = 0.01: 100 · 127 / 100 = 127, 100 · 50 / 100 = 50.
        let multiplier = Multiplier::from_real(0.01).unwrap();
        assert_eq!(multiply(100, 127, multiplier, Destination::I8), 127);
        assert_eq!(multiply(100, -50, multiplier, Destination::I8), -50);
        assert_eq!(multiply(-32768, -32768, Multiplier::from_real(2f64.powi(-15)).unwrap(), Destination::I16), 32767);
        assert_eq!(requantize(-7, Multiplier::from_real(0.5).unwrap(), Destination::I8), -4);
    }

    proptest! {
        #[test]
        fn sum_agrees_with_rationals(a: i32, b: i32, lhs in 0..=i32::MAX, rhs in -i32::MAX..=i32::MAX, shift in 0u32..=62) {
            let sum = i128::from(a) * i128::from(lhs) + i128::from(b) * i128::from(rhs);
            let divisor = 1i128 << shift;
            let floor = sum.div_euclid(divisor);
            let twice = 2 * sum.rem_euclid(divisor);
            let up = twice > divisor || (twice == divisor && floor % 2 != 0);
            let expected = (floor + i128::from(up)).clamp(-32768, 32767);
            let got = add(a, b, SumMultipliers { lhs, rhs, shift }, Destination::I16);
            prop_assert_eq!(i128::from(got), expected);
        }

        #[test]
        fn sum_is_within_half_a_step_of_the_reals(a in -128i32..=127, b in -128i32..=127, s_a in 1e-3f64..1.0, s_b in 1e-3f64..1.0, s_y in 1e-3f64..1.0) {
            let got = add(a, b, SumMultipliers::add(s_a, s_b, s_y).unwrap(), Destination::I32);
            let real = (f64::from(a) * s_a + f64::from(b) * s_b) / s_y;
            // Beyond half a step only what 31 bits of the larger factor cannot hold.
            let slack = 256.0 * (s_a.max(s_b) / s_y) * 2f64.powi(-31);
            prop_assert!((f64::from(got) - real).abs() <= 0.5 + slack + 1e-9, "{} for {}", got, real);
        }

        #[test]
        fn adding_commutes(a in -32768i32..=32767, b in -32768i32..=32767, r in 1e-6f64..1e6, t in 1e-6f64..1e6) {
            let (forward, back) = (SumMultipliers::add(r, t, 1.0).unwrap(), SumMultipliers::add(t, r, 1.0).unwrap());
            prop_assert_eq!(add(a, b, forward, Destination::I16), add(b, a, back, Destination::I16));
        }
    }
}
