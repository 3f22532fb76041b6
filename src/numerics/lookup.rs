//! Functions of one int8 value as tables (`docs/numerics.md`, section 6).

use super::quantize::{dequantize, quantize};
use super::round::{Clamp, Destination};
use hb_dialects::ir::Affine;

/// What a function gives for each int8 value; the entry for `q` is at index `q + 128`.
pub type LookupTable = [i8; 256];

/// The table's entry for `q`.
#[must_use]
#[inline]
pub fn lookup(table: &LookupTable, q: i8) -> i8 {
    // The exclusive or adds 128 modulo 256; a u8 is always inside the table.
    table[usize::from(q as u8 ^ 0x80)]
}

/// Tabulates `f` from the integers `x` to the integers `y`: what dequantization, `f` and quantization make of each `q`. Only `f` is in f64, and its
/// result is rounded to f32, so that a jump of `f` and a tie of its result lie where the levels above have them.
///
/// Where `f` is infinite the entry saturates, where it is NaN the entry is the zero point.
#[must_use]
pub fn lookup_table(f: impl Fn(f64) -> f64, x: Affine, y: Affine) -> LookupTable {
    let to = Destination { zero_point: y.zero_point, clamp: Clamp::I8 };
    std::array::from_fn(|index| {
        let q = index as i32 - 128;
        let real = f(f64::from(dequantize(q - x.zero_point, x.scale as f32)));
        // The clamp keeps the value inside i8.
        quantize(real as f32, y.scale as f32, to) as i8
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
        let halves = lookup_table(|x| x, Affine::symmetric(0.5), Affine::symmetric(1.0));
        // -1.5, -0.5, 0.5, 1.5, 2.5 round half to even.
        assert_eq!([-3, -1, 1, 3, 5].map(|q| lookup(&halves, q)), [-2, 0, 0, 2, 2]);
        let logarithm = lookup_table(f64::ln, Affine::symmetric(1.0), Affine::symmetric(0.01));
        // ln of a negative number is NaN, of 0 it is -inf; ln 2 = 0.693, ln 4 = 1.386.
        assert_eq!([-5, 0, 1, 2, 4].map(|q| lookup(&logarithm, q)), [0, -128, 0, 69, 127]);
    }

    #[test]
    fn zero_points_are_in_the_table() {
        // x = (q + 3) / 2, y = (table - 10) / 4; NaN is the real 0.
        let affine = |scale, zero_point| Affine { scale, zero_point };
        let root = lookup_table(f64::sqrt, affine(0.5, -3), affine(0.25, 10));
        // Roots of 0, 0.5 (2.83 quarters), 2 (5.66 quarters) and of a negative number.
        assert_eq!([-3, -2, 1, -4].map(|q| lookup(&root, q)), [10, 13, 16, 10]);
    }

    /// 127 steps of 1/127 are 1 where floats are multiplied, and a little less as an exact product with the rounded scale.
    #[test]
    fn jumps_are_where_f32_has_them() {
        for threshold in 1..=127u8 {
            let scale = f64::from(f32::from(threshold) / 127.0);
            for f in [f64::floor, f64::ceil, f64::round_ties_even, f64::signum] {
                let table = lookup_table(f, Affine::symmetric(scale), Affine::symmetric(scale));
                for q in i8::MIN..=i8::MAX {
                    // What a runtime of f32 computes: DequantizeLinear, the function, QuantizeLinear.
                    let y = f(f64::from(f32::from(q) * scale as f32)) as f32 / scale as f32;
                    assert_eq!(
                        f32::from(lookup(&table, q)),
                        y.round_ties_even().clamp(-128.0, 127.0),
                        "{threshold} {q}"
                    );
                }
            }
            assert_eq!(
                lookup(&lookup_table(f64::floor, Affine::symmetric(scale), Affine::symmetric(scale)), 127),
                127,
                "floor({threshold})"
            );
            assert_eq!(
                lookup(&lookup_table(f64::ceil, Affine::symmetric(scale), Affine::symmetric(scale)), 127),
                127,
                "ceil({threshold})"
            );
        }
    }

    proptest! {
        #[test]
        fn the_identity_is_a_requantization(q: i8, s_x in 1e-3f64..1.0, s_y in 1e-3f64..1.0) {
            let real = s_x * f64::from(q) / s_y;
            let got = f64::from(lookup(&lookup_table(|x| x, Affine::symmetric(s_x), Affine::symmetric(s_y)), q));
            prop_assert!((got - real.clamp(-128.0, 127.0)).abs() <= 0.5 + 1e-4);
        }
    }
}
