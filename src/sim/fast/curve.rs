//! Curves: many elements are looked up in the table of all values, which costs little to compute piece by piece.

use crate::nash::isa;
use crate::numerics::{Clamp, Curve, Piece, round_half_even_shift};
use crate::sim::machine::{Fault, full_range, read_curve};

use super::elementwise::{Workers, map};

/// The table pays off from one element per this many of its entries on.
const ENTRIES_PER_ELEMENT: u64 = 4;

pub(super) fn curve(workers: Workers<'_, '_>, memory: &mut [u8], o: &isa::Curve) -> Result<(), Fault> {
    let curve = read_curve(memory, o)?;
    let (input, clamp) = (full_range(o.input_element), full_range(o.output_element));
    let operands = [(&o.input, o.input_element), (&o.output, o.output_element)];
    let elements = o.shape.iter().fold(1u64, |product, size| product.saturating_mul(u64::from(*size)));
    let entries = u64::from(input.high.abs_diff(input.low)) + 1;
    if elements.saturating_mul(ENTRIES_PER_ELEMENT) < entries {
        return map(workers, memory, &o.shape, operands, |values| {
            values.iter_mut().for_each(|value| *value = curve.evaluate(*value as i16, clamp));
        });
    }
    let table = tabulate(&curve, input, clamp);
    map(workers, memory, &o.shape, operands, |values| {
        for value in values {
            // Values are in the range of the input's type, so each has an entry.
            let entry = table.get(value.abs_diff(input.low) as usize).copied();
            *value = entry.unwrap_or_default().into();
        }
    })
}

/// [`Curve::evaluate`] of every value of an int8 or int16 input, clamped to a range of 16 bits at most.
fn tabulate(curve: &Curve, input: Clamp, clamp: Clamp) -> Vec<i16> {
    let mut table = Vec::with_capacity(input.high.abs_diff(input.low) as usize + 1);
    let ends = curve.pieces().iter().skip(1).map(|piece| i32::from(piece.start)).chain([input.high + 1]);
    let mut from = input.low;
    for (piece, end) in curve.pieces().iter().zip(ends) {
        let end = end.min(input.high + 1);
        if from >= end {
            continue;
        }
        // Both lie in the range of the input.
        let (first, last) = (from as i16, (end - 1) as i16);
        if fits(piece, first, last) {
            table.extend((from..end).map(|q| narrow(piece, q, curve.shift(), clamp)));
        } else {
            // The clamp leaves 16 bits.
            table.extend((first..=last).map(|q| curve.evaluate(q, clamp) as i16));
        }
        from = end;
    }
    table
}

/// Whether the sums of a piece fit an i64 for all values from `first` to `last`: at the ends and around the vertex.
fn fits(piece: &Piece, first: i16, last: i16) -> bool {
    let slope = 2 * i128::from(piece.quadratic);
    let vertex = (-i128::from(piece.linear)).checked_div_euclid(slope).map(|d| i128::from(piece.start) + d);
    // The division rounds up where the slope is negative, and down elsewhere.
    let around = vertex.into_iter().flat_map(|q| [q - 1, q, q + 1]).filter_map(|q| i16::try_from(q).ok());
    let extremes = around.filter(|q| (first..=last).contains(q)).chain([first, last]);
    extremes.into_iter().all(|q| i64::try_from(piece.sum(q)).is_ok())
}

/// A value of a piece whose sum fits an i64: what wraps around on the way does not matter.
fn narrow(piece: &Piece, q: i32, shift: u32, clamp: Clamp) -> i16 {
    let distance = i64::from(q - i32::from(piece.start));
    let sum = piece.quadratic.wrapping_mul(distance).wrapping_add(piece.linear);
    let sum = sum.wrapping_mul(distance).wrapping_add(piece.constant);
    clamp.apply(round_half_even_shift(sum, shift)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn coefficient() -> impl Strategy<Value = i64> {
        prop_oneof![any::<i64>(), -1000i64..1000, Just(0), Just(i64::MIN), Just(i64::MAX), -1i64 << 45..1 << 45]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Of every curve, every entry.
        #[test]
        fn tables_are_the_definition(
            starts in prop::collection::btree_set(any::<i16>(), 1..=8),
            coefficients in prop::collection::vec([coefficient(), coefficient(), coefficient()], 8),
            shift in 0u32..=62, wide: bool, wide_result: bool,
        ) {
            let pieces = starts.into_iter().zip(coefficients);
            let pieces = pieces.map(|(start, [quadratic, linear, constant])| Piece { start, quadratic, linear, constant });
            let curve = Curve::new(pieces.collect(), shift).unwrap();
            let input = if wide { Clamp::I16 } else { Clamp::I8 };
            let clamp = if wide_result { Clamp::I16 } else { Clamp::I8 };
            let table = tabulate(&curve, input, clamp);
            let expected: Vec<i16> = (input.low..=input.high).map(|q| curve.evaluate(q as i16, clamp) as i16).collect();
            prop_assert!(table == expected);
        }
    }

    #[test]
    fn a_vertex_between_two_values_is_seen_from_both() {
        // The vertex is at -0.502: at 0 the sum is 2^63 - 1, at -1 it is 2^63.
        let piece = Piece { start: 0, quadratic: -316, linear: -317, constant: i64::MAX };
        assert!(!fits(&piece, i16::MIN, i16::MAX));
        let curve = Curve::new(vec![piece], 8).unwrap();
        let table = tabulate(&curve, Clamp::I16, Clamp::I16);
        assert_eq!([table[32767], table[32768]], [i16::MAX, i16::MAX]);
        // The same around 0.498, opening upward, from -2^63.
        let piece = Piece { start: 0, quadratic: 316, linear: -317, constant: i64::MIN };
        assert!(!fits(&piece, i16::MIN, i16::MAX));
    }

    #[test]
    fn a_vertex_beyond_64_bits_is_seen() {
        // 2^44 · d · (65535 - d) is 0 at both ends and 2^74 in the middle.
        let piece = Piece { start: i16::MIN, quadratic: -1 << 44, linear: 65535 << 44, constant: 0 };
        assert!(!fits(&piece, i16::MIN, i16::MAX));
        assert!(fits(&piece, i16::MIN, i16::MIN + 2));
        let curve = Curve::new(vec![piece], 62).unwrap();
        let table = tabulate(&curve, Clamp::I16, Clamp::I16);
        // 2^44 · 32767 · 32768 / 2^62 = 4095.875.
        assert_eq!([table[0], table[32767], table[65535]], [0, 4096, 0]);
    }
}
