//! Rounding and saturation (`docs/numerics.md`, sections 1 and 2).

/// The closed interval that a result is saturated to, in integers of the output.
///
/// An activation such as Relu or Clip narrows it; it never leaves the range of the output's element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clamp {
    /// Smallest value that comes out.
    pub low: i32,
    /// Largest value that comes out.
    pub high: i32,
}

impl Clamp {
    /// All of int8: [-128, 127].
    pub const I8: Clamp = Clamp { low: i8::MIN as i32, high: i8::MAX as i32 };
    /// All of int16: [-32768, 32767].
    pub const I16: Clamp = Clamp { low: i16::MIN as i32, high: i16::MAX as i32 };
    /// All of int32.
    pub const I32: Clamp = Clamp { low: i32::MIN, high: i32::MAX };

    /// Brings `value` into the interval. An empty interval (`low > high`) yields `high`, so the function is total.
    #[must_use]
    pub fn apply(self, value: i64) -> i32 {
        if value > i64::from(self.high) {
            self.high
        } else if value < i64::from(self.low) {
            self.low.min(self.high)
        } else {
            // Between two i32 bounds, so the conversion keeps the value.
            value as i32
        }
    }

    /// What both intervals allow.
    #[must_use]
    pub fn intersect(self, other: Clamp) -> Clamp {
        Clamp { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    /// Whether `other` lies inside this interval.
    #[must_use]
    pub fn contains(self, other: Clamp) -> bool {
        self.low <= other.low && other.high <= self.high
    }

    /// Whether no value at all is allowed.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.low > self.high
    }
}

/// Where a result that was rounded lands: its zero point is added, then it is saturated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The integer of the real 0.
    pub zero_point: i32,
    /// Of the integers as they are stored, zero point included.
    pub clamp: Clamp,
}

impl Destination {
    /// All of int8, zero point 0.
    pub const I8: Destination = Destination::symmetric(Clamp::I8);
    /// All of int16, zero point 0.
    pub const I16: Destination = Destination::symmetric(Clamp::I16);
    /// All of int32, zero point 0.
    pub const I32: Destination = Destination::symmetric(Clamp::I32);

    /// With the zero point 0.
    #[must_use]
    pub const fn symmetric(clamp: Clamp) -> Destination {
        Destination { zero_point: 0, clamp }
    }

    /// The integer of a rounded result.
    #[must_use]
    #[inline]
    pub fn apply(self, rounded: i64) -> i32 {
        self.clamp.apply(rounded.saturating_add(i64::from(self.zero_point)))
    }
}

/// `value / 2^shift`, rounded to the nearest integer, ties to the even one. Exact for every input.
///
/// ```
/// use hb::numerics::round_half_even_shift;
/// assert_eq!(round_half_even_shift(5, 1), 2); // 2.5
/// assert_eq!(round_half_even_shift(7, 1), 4); // 3.5
/// assert_eq!(round_half_even_shift(-5, 1), -2); // -2.5
/// ```
#[must_use]
pub fn round_half_even_shift(value: i64, shift: u32) -> i64 {
    if shift == 0 {
        return value;
    }
    if shift > 63 {
        // |value| <= 2^63 is at most half of 2^64, and the tie at a half goes to the even 0.
        return 0;
    }
    let floor = value >> shift;
    let remainder = (value as u64) & ((1u64 << shift) - 1);
    let half = 1u64 << (shift - 1);
    if remainder > half || (remainder == half && floor & 1 == 1) { floor + 1 } else { floor }
}

/// [`round_half_even_shift`] for sums that an i64 does not hold.
#[must_use]
pub fn round_half_even_shift_wide(value: i128, shift: u32) -> i128 {
    if shift == 0 {
        return value;
    }
    if shift > 127 {
        return 0;
    }
    let floor = value >> shift;
    let remainder = (value as u128) & ((1u128 << shift) - 1);
    let half = 1u128 << (shift - 1);
    if remainder > half || (remainder == half && floor & 1 == 1) { floor + 1 } else { floor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition written another way: compare twice the distance to the floor with the divisor, in i128.
    fn rational(value: i64, shift: u32) -> i128 {
        let divisor = 1i128 << shift;
        let floor = i128::from(value).div_euclid(divisor);
        let twice = 2 * i128::from(value).rem_euclid(divisor);
        match twice.cmp(&divisor) {
            std::cmp::Ordering::Less => floor,
            std::cmp::Ordering::Greater => floor + 1,
            std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
        }
    }

    #[test]
    fn ties_go_to_even() {
        let rounded: Vec<i64> = (-7..=7).map(|v| round_half_even_shift(v, 1)).collect();
        assert_eq!(rounded, [-4, -3, -2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2, 3, 4]);
    }

    #[test]
    fn extremes_are_defined() {
        assert_eq!(round_half_even_shift(i64::MIN, 0), i64::MIN);
        assert_eq!(round_half_even_shift(i64::MIN, 63), -1);
        assert_eq!(round_half_even_shift(i64::MAX, 63), 1);
        assert_eq!(round_half_even_shift(i64::MIN, 64), 0);
        assert_eq!(round_half_even_shift(i64::MAX, 200), 0);
    }

    #[test]
    fn clamp_saturates() {
        assert_eq!(Clamp::I8.apply(i64::MAX), 127);
        assert_eq!(Clamp::I8.apply(i64::MIN), -128);
        assert_eq!(Clamp { low: 0, high: 6 }.apply(-1), 0);
        assert_eq!(Clamp { low: 3, high: -3 }.apply(0), -3);
        assert!(Clamp::I16.contains(Clamp::I8) && !Clamp::I8.contains(Clamp::I16));
        assert!(Clamp::I8.intersect(Clamp { low: 200, high: 300 }).is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_rationals(value: i64, shift in 0u32..=64) {
            prop_assert_eq!(i128::from(round_half_even_shift(value, shift)), rational(value, shift));
            prop_assert_eq!(round_half_even_shift_wide(value.into(), shift), rational(value, shift));
        }

        #[test]
        fn the_wide_form_scales(value: i64, shift in 0u32..=62, more in 0u32..=62) {
            // A factor of 2^more on both sides changes nothing.
            let wide = round_half_even_shift_wide(i128::from(value) << more, shift + more);
            prop_assert_eq!(wide, rational(value, shift));
        }

        #[test]
        fn agrees_near_ties(half in -(1i64 << 20)..(1i64 << 20), off in -1i64..=1, shift in 1u32..=40) {
            let value = (half << (shift - 1)) + off;
            prop_assert_eq!(i128::from(round_half_even_shift(value, shift)), rational(value, shift));
        }

        #[test]
        fn agrees_with_f64_where_exact(value in -(1i64 << 52)..(1i64 << 52), shift in 0u32..=62) {
            let real = value as f64 / 2f64.powi(shift as i32);
            prop_assert_eq!(round_half_even_shift(value, shift), real.round_ties_even() as i64);
        }

        #[test]
        fn clamp_is_max_then_min(value: i64, a: i32, b: i32) {
            let clamp = Clamp { low: a.min(b), high: a.max(b) };
            prop_assert_eq!(i64::from(clamp.apply(value)), value.clamp(clamp.low.into(), clamp.high.into()));
        }
    }
}
