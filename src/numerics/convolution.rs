//! Convolution and matrix product (`docs/numerics.md`, section 4).

use super::multiplier::Multiplier;
use super::round::Destination;

/// One step of a sum of products.
///
/// The accumulator is an i32. The lowering proves with [`accumulator_bound`] that no partial sum leaves it, in whatever
/// order the terms come, so sums are exact and may be split and reordered. Should a broken program overflow all the same,
/// it wraps as a 32-bit adder does.
#[must_use]
#[inline(always)]
pub fn accumulate(acc: i32, x: i32, w: i32) -> i32 {
    acc.wrapping_add(x.wrapping_mul(w))
}

/// `clamp(rescale(acc) + zero point)`: from the accumulator, bias included, to the output's integer.
#[must_use]
#[inline]
pub fn finish(acc: i32, multiplier: Multiplier, to: Destination) -> i32 {
    to.apply(multiplier.rescale(i64::from(acc)))
}

/// The largest magnitude that any partial sum of one output channel can have: `Σ|w| · |x|max + |bias|`.
///
/// `x_magnitude` is the largest distance of x from its zero point: 128 for int8 with the zero point 0, 32768 for int16. Saturates at `u64::MAX`.
#[must_use]
pub fn accumulator_bound(weights: impl IntoIterator<Item = i32>, x_magnitude: u32, bias: i32) -> u64 {
    let sum = weights.into_iter().fold(0u64, |sum, w| sum.saturating_add(u64::from(w.unsigned_abs())));
    sum.saturating_mul(u64::from(x_magnitude)).saturating_add(u64::from(bias.unsigned_abs()))
}

/// Whether a sum with this bound stays inside the i32 accumulator.
#[must_use]
pub fn accumulator_fits(bound: u64) -> bool {
    bound <= i32::MAX as u64
}

#[cfg(test)]
mod tests {
    use super::super::round::Clamp;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bound_on_paper() {
        // (1 + 2 + 128) * 128 + 7 = 16775
        assert_eq!(accumulator_bound([1, -2, -128], 128, -7), 16_775);
        // 131071 products of -128 * -128 are 2147467264 and fit; one more is 2^31.
        assert!(accumulator_fits(accumulator_bound(std::iter::repeat_n(-128, 131_071), 128, 0)));
        assert!(!accumulator_fits(accumulator_bound(std::iter::repeat_n(-128, 131_072), 128, 0)));
        assert_eq!(accumulator_bound([i32::MIN; 3], u32::MAX, 1), u64::MAX);
    }

    #[test]
    fn finish_on_paper() {
        let tenth = Multiplier::from_real(0.1).unwrap();
        assert_eq!(finish(1234, tenth, Destination::I8), 123);
        assert_eq!(finish(2000, tenth, Destination::I8), 127);
        assert_eq!(finish(2000, tenth, Destination::I16), 200);
        assert_eq!(finish(-5, tenth, Destination::symmetric(Clamp { low: 0, high: 127 })), 0);
        // The zero point is added to what was rounded: 0.5 and 1.5 tie to 0 and 2 whatever it is.
        let shifted = Destination { zero_point: -3, clamp: Clamp { low: -3, high: 100 } };
        let half = Multiplier::from_real(0.5).unwrap();
        assert_eq!([1, 3, -40, 2000].map(|acc| finish(acc, half, shifted)), [-3, -1, -3, 100]);
    }

    proptest! {
        #[test]
        fn sums_stay_inside_the_bound(terms in prop::collection::vec((-128i32..=127, -128i32..=127), 0..64), bias in -1_000_000i32..1_000_000) {
            let bound = accumulator_bound(terms.iter().map(|t| t.1), 128, bias);
            let exact = terms.iter().fold(i64::from(bias), |sum, t| sum + i64::from(t.0) * i64::from(t.1));
            let acc = terms.iter().fold(bias, |acc, t| accumulate(acc, t.0, t.1));
            prop_assert_eq!(i64::from(acc), exact);
            prop_assert!(exact.unsigned_abs() <= bound);
        }
    }
}
