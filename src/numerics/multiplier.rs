//! Fixed-point multipliers (`docs/numerics.md`, section 3).

use super::round::round_half_even_shift;

/// A positive real number as `mantissa / 2^shift`, with 31 significant bits.
///
/// `mantissa` lies in [2^30, 2^31) and `shift` in [0, 62], so one product of a 33-bit accumulator and the mantissa fits an i64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Multiplier {
    /// The significant bits, in [2^30, 2^31).
    pub mantissa: i32,
    /// The negated exponent, in [0, 62].
    pub shift: u32,
}

/// Why a ratio of scales has no [`Multiplier`].
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum MultiplierError {
    /// Zero, negative, infinite or NaN.
    #[error(
        "the ratio of scales is {0}, which is not a positive finite number; check the scales of the tensors around it"
    )]
    NotPositive(f64),
    /// Below 2^-32 or not below 2^31.
    #[error(
        "the ratio of scales {0:e} is outside the range [2^-32, 2^31) that the machine can multiply by; \
         calibrate again, the ranges of the tensors around it do not fit together"
    )]
    OutOfRange(f64),
}

/// The largest magnitude that [`Multiplier::rescale`] takes unchanged: 2^32 - 1.
const ACCUMULATOR_LIMIT: i64 = (1 << 32) - 1;
const MANTISSA_BITS: i32 = 30;
const MAX_SHIFT: i32 = 62;

impl Multiplier {
    /// Exactly 1.
    pub const ONE: Multiplier = Multiplier { mantissa: 1 << MANTISSA_BITS, shift: MANTISSA_BITS as u32 };

    /// The multiplier nearest to `ratio` (ties to the even mantissa).
    ///
    /// # Errors
    /// When `ratio` is not positive and finite, or its multiplier would need a shift outside [0, 62].
    pub fn from_real(ratio: f64) -> Result<Multiplier, MultiplierError> {
        let shift = normal_shift(ratio)?;
        // A product with a power of two is exact here: 2^-33 <= ratio < 2^32.
        let scaled = (ratio * 2f64.powi(shift)).round_ties_even();
        let (mantissa, shift) = if scaled >= 2f64.powi(MANTISSA_BITS + 1) {
            (1 << MANTISSA_BITS, shift - 1)
        } else {
            (scaled as i32, shift)
        };
        if !(0..=MAX_SHIFT).contains(&shift) {
            return Err(MultiplierError::OutOfRange(ratio));
        }
        Ok(Multiplier { mantissa, shift: shift as u32 })
    }

    /// `acc * mantissa / 2^shift`, rounded half to even: one rounding, of the exact product.
    ///
    /// Every accumulator of the machine fits an i32, well inside the domain |acc| < 2^32. A larger `acc` is first
    /// saturated to ±(2^32 - 1), so that the function is total.
    #[must_use]
    pub fn rescale(self, acc: i64) -> i64 {
        let acc = acc.clamp(-ACCUMULATOR_LIMIT, ACCUMULATOR_LIMIT);
        round_half_even_shift(acc * i64::from(self.mantissa), self.shift)
    }

    /// The real number it stands for (exact).
    #[must_use]
    pub fn to_real(self) -> f64 {
        f64::from(self.mantissa) / 2f64.powi(self.shift as i32)
    }

    /// Whether both fields are in their ranges; what comes from a file has to be asked.
    #[must_use]
    pub fn is_normal(self) -> bool {
        self.mantissa >= 1 << MANTISSA_BITS && self.shift <= MAX_SHIFT as u32
    }
}

/// The shift that brings `ratio` into [2^30, 2^31) before rounding. One beyond the legal range is let through:
/// rounding may carry it back in.
fn normal_shift(ratio: f64) -> Result<i32, MultiplierError> {
    if !(ratio.is_finite() && ratio > 0.0) {
        return Err(MultiplierError::NotPositive(ratio));
    }
    // Subnormal numbers read as exponent -1023 here, far out of range anyway.
    let exponent = ((ratio.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let shift = MANTISSA_BITS - exponent;
    if (-1..=MAX_SHIFT + 1).contains(&shift) { Ok(shift) } else { Err(MultiplierError::OutOfRange(ratio)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn powers_of_two_are_exact() {
        for exponent in -32..=30 {
            let multiplier = Multiplier::from_real(2f64.powi(exponent)).unwrap();
            assert_eq!(multiplier, Multiplier { mantissa: 1 << 30, shift: (30 - exponent) as u32 });
            assert!(multiplier.is_normal());
        }
    }

    #[test]
    fn one_third() {
        // 2^32 / 3 = 1431655765.33
        assert_eq!(Multiplier::from_real(1.0 / 3.0), Ok(Multiplier { mantissa: 1_431_655_765, shift: 32 }));
    }

    #[test]
    fn carry_renormalises() {
        // 1 - 2^-40 rounds up to 2^31 / 2^31, which is written 2^30 / 2^30.
        assert_eq!(Multiplier::from_real(1.0 - 2f64.powi(-40)), Ok(Multiplier::ONE));
        let below = Multiplier::from_real(2f64.powi(-32) * (1.0 - 2f64.powi(-40)));
        assert_eq!(below, Ok(Multiplier { mantissa: 1 << 30, shift: 62 }));
    }

    #[test]
    fn mantissa_ties_go_to_even() {
        let unit = 2f64.powi(-30);
        assert_eq!(Multiplier::from_real(1.0 + 0.5 * unit).unwrap().mantissa, 1 << 30);
        assert_eq!(Multiplier::from_real(1.0 + 1.5 * unit).unwrap().mantissa, (1 << 30) + 2);
    }

    #[test]
    fn out_of_range_is_an_error() {
        for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(matches!(Multiplier::from_real(bad), Err(MultiplierError::NotPositive(_))), "{bad}");
        }
        for bad in [2f64.powi(-33), 2f64.powi(31), 2f64.powi(31) - 2f64.powi(-20), 1e300, 5e-324] {
            assert!(matches!(Multiplier::from_real(bad), Err(MultiplierError::OutOfRange(_))), "{bad}");
        }
        assert!(Multiplier::from_real(2f64.powi(31) - 1.0).is_ok());
    }

    #[test]
    fn rescale_by_one_half_rounds_to_even() {
        let half = Multiplier::from_real(0.5).unwrap();
        assert_eq!((-3..=3).map(|acc| half.rescale(acc)).collect::<Vec<_>>(), [-2, -1, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn rescale_is_total() {
        let largest = Multiplier { mantissa: i32::MAX, shift: 0 };
        assert_eq!(largest.rescale(i64::MAX), ((1i64 << 32) - 1) * i64::from(i32::MAX));
        assert_eq!(largest.rescale(i64::MIN), -((1i64 << 32) - 1) * i64::from(i32::MAX));
    }

    proptest! {
        #[test]
        fn is_the_nearest(fraction in 1.0f64..2.0, exponent in -32i32..=30) {
            let ratio = fraction * 2f64.powi(exponent);
            let multiplier = Multiplier::from_real(ratio).unwrap();
            prop_assert!(multiplier.is_normal());
            // Half of a unit in the last of 31 bits.
            prop_assert!((multiplier.to_real() - ratio).abs() <= 2f64.powi(exponent - 31));
        }

        #[test]
        fn rescale_agrees_with_rationals(acc in -ACCUMULATOR_LIMIT..=ACCUMULATOR_LIMIT, mantissa in (1i32 << 30)..=i32::MAX, shift in 0u32..=62) {
            let product = i128::from(acc) * i128::from(mantissa);
            let divisor = 1i128 << shift;
            let got = i128::from(Multiplier { mantissa, shift }.rescale(acc));
            // Nearest: twice the error is at most the divisor, and at a tie the result is even.
            let twice = 2 * (product - got * divisor).abs();
            prop_assert!(twice < divisor || (twice == divisor && got % 2 == 0) || (divisor == 1 && twice == 0));
        }

        #[test]
        fn rescale_is_monotonic(a in -ACCUMULATOR_LIMIT..=ACCUMULATOR_LIMIT, b in -ACCUMULATOR_LIMIT..=ACCUMULATOR_LIMIT, ratio in 1e-9f64..1e9) {
            let multiplier = Multiplier::from_real(ratio).unwrap();
            prop_assert!(multiplier.rescale(a.min(b)) <= multiplier.rescale(a.max(b)));
        }
    }
}
