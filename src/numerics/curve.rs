//! Functions of one int16 or int8 value as pieces of quadratics (`docs/numerics.md`, section 6).

use super::round::{Clamp, round_half_even_shift_wide};

/// The largest number of pieces of a [`Curve`].
pub const MAX_PIECES: usize = 64;

/// The largest shift of a [`Curve`].
pub const MAX_SHIFT: u32 = 62;

/// A quadratic that holds from `start` up to the start of the next piece.
///
/// With `d = q - start` it is `(quadratic · d² + linear · d + constant) / 2^shift`, in steps of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Piece {
    /// The least value that it covers.
    pub start: i16,
    /// Coefficient of d².
    pub quadratic: i64,
    /// Coefficient of d.
    pub linear: i64,
    /// The value at its start.
    pub constant: i64,
}

impl Piece {
    /// The sum before the shift, exact: below 2^97 for any coefficients, because d is below 2^16.
    #[must_use]
    #[inline]
    pub fn sum(&self, q: i16) -> i128 {
        let distance = i128::from(q) - i128::from(self.start);
        (i128::from(self.quadratic) * distance + i128::from(self.linear)) * distance + i128::from(self.constant)
    }
}

/// A function of one integer: up to [`MAX_PIECES`] quadratics over one shift.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Curve {
    pieces: Vec<Piece>,
    shift: u32,
}

/// Why pieces are no curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CurveError {
    /// None, or too many.
    #[error("a curve has 1 to {MAX_PIECES} pieces, not {0}")]
    Count(usize),
    /// A piece that covers nothing.
    #[error("piece {index} starts at {start}, which is not above the start of the one before")]
    Order {
        /// Position of the piece.
        index: usize,
        /// Where it starts.
        start: i16,
    },
    /// A shift that is too large.
    #[error("the shift {0} of a curve is above {MAX_SHIFT}")]
    Shift(u32),
}

impl Curve {
    /// A curve of these pieces.
    ///
    /// # Errors
    /// When there are none or too many, their starts do not ascend, or the shift is too large.
    pub fn new(pieces: Vec<Piece>, shift: u32) -> Result<Curve, CurveError> {
        if pieces.is_empty() || pieces.len() > MAX_PIECES {
            return Err(CurveError::Count(pieces.len()));
        }
        if shift > MAX_SHIFT {
            return Err(CurveError::Shift(shift));
        }
        for (index, pair) in pieces.windows(2).enumerate() {
            if let [before, piece] = pair
                && piece.start <= before.start
            {
                return Err(CurveError::Order { index: index + 1, start: piece.start });
            }
        }
        Ok(Curve { pieces, shift })
    }

    /// The pieces, in ascending order; at least one.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// What the sums are divided by, as a power of two.
    #[must_use]
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// The least value that a piece covers.
    #[must_use]
    pub fn first(&self) -> i16 {
        self.pieces.first().map_or(0, |piece| piece.start)
    }

    /// The piece that covers `q`. What lies before the first belongs to the first, so that the function is total.
    #[must_use]
    #[inline]
    pub fn piece(&self, q: i16) -> Piece {
        let index = self.pieces.partition_point(|piece| piece.start <= q).saturating_sub(1);
        self.pieces.get(index).copied().unwrap_or_default()
    }

    /// `clamp(rhe(sum / 2^shift))` of the piece that covers `q`.
    #[must_use]
    #[inline]
    pub fn evaluate(&self, q: i16, clamp: Clamp) -> i32 {
        let value = round_half_even_shift_wide(self.piece(q).sum(q), self.shift);
        // The first clamp only makes it an i64.
        clamp.apply(value.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece(start: i16, quadratic: i64, linear: i64, constant: i64) -> Piece {
        Piece { start, quadratic, linear, constant }
    }

    #[test]
    fn pieces_on_paper() {
        // 7 up to -1, then d / 2, from 10 on d² / 4 + 3.
        let curve = Curve::new(vec![piece(-32768, 0, 0, 28), piece(0, 0, 2, 0), piece(10, 1, 0, 12)], 2).unwrap();
        let at = |q| curve.evaluate(q, Clamp::I16);
        assert_eq!([-32768, -1].map(at), [7, 7]);
        // 0, 0.5, 1, 1.5, 2.5, 4.5: half to even.
        assert_eq!([0, 1, 2, 3, 5, 9].map(at), [0, 0, 1, 2, 2, 4]);
        // 3, 3.25, 4, 5.25; 1000² / 4 saturates.
        assert_eq!([10, 11, 12, 13, 1010].map(at), [3, 3, 4, 5, 32767]);
        assert_eq!(curve.evaluate(12, Clamp { low: -1, high: 2 }), 2);
    }

    #[test]
    fn extremes_are_exact() {
        let whole = |quadratic, linear, constant| Curve::new(vec![piece(-32768, quadratic, linear, constant)], 62);
        let curve = whole(i64::MAX, i64::MAX, i64::MAX).unwrap();
        assert_eq!(curve.evaluate(32767, Clamp::I16), 32767);
        assert_eq!(whole(i64::MIN, i64::MIN, i64::MIN).unwrap().evaluate(32767, Clamp::I16), -32768);
        // (2^62 · d² - 2^62 · 65535 · d) / 2^62 is 0 at d = 65535 and -65534 at d = 1, although the terms pass 2^93.
        let curve = whole(1 << 46, -65535 << 46, 0).unwrap();
        assert_eq!(curve.evaluate(32767, Clamp::I16), 0);
        // -65534 · 2^46 / 2^62 is just above -1.
        assert_eq!(curve.evaluate(-32767, Clamp::I16), -1);
        // Before the first piece the first one goes on.
        let late = Curve::new(vec![piece(0, 0, 3, 0), piece(5, 0, 0, 0)], 0).unwrap();
        assert_eq!(late.evaluate(-2, Clamp::I16), -6);
    }

    #[test]
    fn what_is_no_curve() {
        assert_eq!(Curve::new(vec![], 0), Err(CurveError::Count(0)));
        let many: Vec<Piece> = (0..65).map(|start| piece(start, 0, 0, 0)).collect();
        assert_eq!(Curve::new(many.clone(), 0), Err(CurveError::Count(65)));
        assert!(Curve::new(many[..64].to_vec(), 62).is_ok());
        assert_eq!(Curve::new(many[..2].to_vec(), 63), Err(CurveError::Shift(63)));
        let twice = vec![piece(3, 0, 0, 0), piece(3, 0, 0, 0)];
        assert_eq!(Curve::new(twice, 0), Err(CurveError::Order { index: 1, start: 3 }));
    }

    proptest! {
        #[test]
        fn a_line_is_a_requantization(q: i16, mantissa in 1i64 << 30..1 << 31, shift in 0u32..=62) {
            // q · mantissa = (q + 32768) · mantissa - 32768 · mantissa.
            let curve = Curve::new(vec![piece(i16::MIN, 0, mantissa, -32768 * mantissa)], shift).unwrap();
            let expected = crate::numerics::round_half_even_shift(i64::from(q) * mantissa, shift);
            prop_assert_eq!(i64::from(curve.evaluate(q, Clamp::I16)), expected.clamp(-32768, 32767));
        }

        #[test]
        fn a_parabola_agrees_with_f64(q: i16, quadratic in -8i64..=8, linear in -999i64..=999, constant in -99999i64..=99999, shift in 0u32..=20) {
            let curve = Curve::new(vec![piece(-100, quadratic, linear, constant)], shift).unwrap();
            let d = f64::from(q) + 100.0;
            // Below 2^53, so f64 is exact.
            let sum = (quadratic as f64 * d + linear as f64) * d + constant as f64;
            let expected = (sum / 2f64.powi(shift as i32)).round_ties_even().clamp(-32768.0, 32767.0);
            prop_assert_eq!(f64::from(curve.evaluate(q, Clamp::I16)), expected);
        }
    }
}
