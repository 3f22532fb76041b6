//! Pooling (`docs/numerics.md`, section 7).

use super::multiplier::{Multiplier, MultiplierError};
use super::round::Destination;

/// The larger of two values; a maximum pool folds it over the cells of the window that lie inside the input.
#[must_use]
#[inline]
pub fn maximum(a: i32, b: i32) -> i32 {
    a.max(b)
}

/// The multiplier of an average over `count` cells: that of `s_x / (s_y · count)`, evaluated in f64 in this order.
///
/// # Errors
/// When `count` is 0 (no cell to average) or the ratio has no [`Multiplier`].
pub fn average_multiplier(s_x: f64, s_y: f64, count: u32) -> Result<Multiplier, MultiplierError> {
    Multiplier::from_real(s_x / (s_y * f64::from(count)))
}

/// `rescale(sum)`: the average of cells whose distances from their zero point have the i32 sum `sum`.
#[must_use]
#[inline]
pub fn average(sum: i32, multiplier: Multiplier, to: Destination) -> i32 {
    to.apply(multiplier.rescale(i64::from(sum)))
}

/// The multipliers of every count that windows of one pool can have, so that none is computed twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolMultipliers(Vec<Multiplier>);

impl PoolMultipliers {
    /// Multipliers for the counts 1 to `largest`, the number of cells of the full window.
    ///
    /// # Errors
    /// When one of them is not representable.
    pub fn new(s_x: f64, s_y: f64, largest: u32) -> Result<PoolMultipliers, MultiplierError> {
        (1..=largest)
            .map(|count| average_multiplier(s_x, s_y, count))
            .collect::<Result<Vec<_>, _>>()
            .map(PoolMultipliers)
    }

    /// The multiplier for `count` cells; none for 0 or beyond the full window.
    #[must_use]
    pub fn get(&self, count: u32) -> Option<Multiplier> {
        self.0.get((count as usize).checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn averages_on_paper() {
        let quarter = average_multiplier(1.0, 1.0, 4).unwrap();
        // 10 / 4 = 2.5 and 14 / 4 = 3.5 are ties.
        assert_eq!([10, 14, -10, 11, 508].map(|sum| average(sum, quarter, Destination::I8)), [2, 4, -2, 3, 127]);
        assert!(average_multiplier(1.0, 1.0, 0).is_err());
        let table = PoolMultipliers::new(0.5, 0.25, 9).unwrap();
        assert_eq!(table.get(1).unwrap().to_real(), 2.0);
        assert_eq!(table.get(8).unwrap().to_real(), 0.25);
        assert_eq!((table.get(0), table.get(10)), (None, None));
        assert_eq!(maximum(-3, -7), -3);
    }

    proptest! {
        #[test]
        fn the_average_is_nearest(sum in -8_000_000i32..8_000_000, count in 1u32..=65_536) {
            let got = average(sum, average_multiplier(1.0, 1.0, count).unwrap(), Destination::I32);
            // 31 bits of the multiplier leave an error of |sum| / count · 2^-31.
            let real = f64::from(sum) / f64::from(count);
            prop_assert!((f64::from(got) - real).abs() <= 0.5 + real.abs() * 2f64.powi(-30));
        }
    }
}
