//! Functions of one int8 value as tables (`docs/numerics.md`, section 6).

use super::quantize::quantize_f64;
use super::round::Clamp;

/// What a function gives for each int8 value; the entry for `q` is at index `q + 128`.
pub type LookupTable = [i8; 256];

/// The table's entry for `q`.
#[must_use]
#[inline]
pub fn lookup(table: &LookupTable, q: i8) -> i8 {
    // The exclusive or adds 128 modulo 256; a u8 is always inside the table.
    table[usize::from(q as u8 ^ 0x80)]
}

/// Tabulates `f` from scale `s_x` to scale `s_y`: entry `q` is `sat(round_half_even(f(s_x · q) / s_y))`, all in f64.
///
/// Where `f` is infinite the entry saturates, where it is NaN the entry is 0.
#[must_use]
pub fn lookup_table(f: impl Fn(f64) -> f64, s_x: f64, s_y: f64) -> LookupTable {
    std::array::from_fn(|index| {
        let q = index as i32 - 128;
        // The clamp keeps the value inside i8.
        quantize_f64(f(s_x * f64::from(q)), s_y, Clamp::I8) as i8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_index_is_q_plus_128() {
        let table: LookupTable = std::array::from_fn(|index| (index as i32 - 128) as i8);
        assert_eq!([-128, -1, 0, 1, 127].map(|q| lookup(&table, q)), [-128, -1, 0, 1, 127]);
    }

    #[test]
    fn tables_on_paper() {
        let halves = lookup_table(|x| x, 0.5, 1.0);
        // -1.5, -0.5, 0.5, 1.5, 2.5 round half to even.
        assert_eq!([-3, -1, 1, 3, 5].map(|q| lookup(&halves, q)), [-2, 0, 0, 2, 2]);
        let logarithm = lookup_table(f64::ln, 1.0, 0.01);
        // ln of a negative number is NaN, of 0 it is -inf; ln 2 = 0.693, ln 4 = 1.386.
        assert_eq!([-5, 0, 1, 2, 4].map(|q| lookup(&logarithm, q)), [0, -128, 0, 69, 127]);
    }

    proptest! {
        #[test]
        fn the_identity_is_a_requantization(q: i8, s_x in 1e-3f64..1.0, s_y in 1e-3f64..1.0) {
            let real = s_x * f64::from(q) / s_y;
            let got = f64::from(lookup(&lookup_table(|x| x, s_x, s_y), q));
            prop_assert!((got - real.clamp(-128.0, 127.0)).abs() <= 0.5 + 1e-9);
        }
    }
}
