//! Curves of real functions: pieces as long as a tolerance allows, the tolerance as small as the number of pieces allows.

use std::ops::Range;

use super::curve::{Curve, CurveError, MAX_PIECES, MAX_SHIFT, Piece};
use super::quantize::dequantize;
use super::round::Clamp;
use hb_dialects::ir::Affine;

/// A curve and how far it is from the function.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedCurve {
    /// The curve, its first piece at the least value of the input.
    pub curve: Curve,
    /// The largest distance of the quadratics from the function, before rounding, in steps of the result.
    pub error: f64,
}

/// Why a function has no curve.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CurveFitError {
    /// It bends or jumps too often.
    #[error("{MAX_PIECES} quadratic pieces do not follow the function within {limit} steps of its {bits}-bit result")]
    TooManyPieces {
        /// The distance that was allowed, in steps of the result.
        limit: f64,
        /// Bits of the result.
        bits: u32,
    },
    /// The pieces found are none of a curve; no function is known that gets here.
    #[error(transparent)]
    Curve(#[from] CurveError),
}

/// Tolerances that are tried, in steps of the result: each twice the one before. At the first one, what is piecewise
/// quadratic comes out exactly.
const FIRST_TOLERANCE: f64 = 1.0 / (1 << 20) as f64;

/// What separates a jump from the rounding of an argument to f32, in steps of the result. That rounding is at most 2^-9 steps of an
/// int16 argument: only a function that is 128 times as steep, as a jump is, turns it into this.
const JUMP: f64 = 0.25;

/// How often the interval between the last tolerance that failed and the first that was enough is halved.
const REFINEMENTS: usize = 4;

/// The largest distance that is allowed, in steps of a result of 16 bits and of 8 bits.
const LIMITS: (f64, f64) = (4.0, 0.25);

/// Coefficients and sums stay below this power of two, so that 64-bit arithmetic can evaluate the curve.
const SUM_BITS: i32 = 62;

/// The curve of `f` between the integers of two types: follows `f(s_x · (q - z_x)) / s_y + z_y` for every `q` of `input`.
///
/// Where `f` jumps between `s_x · (q - z_x)` and the f32 that the levels above see for it, the side of the f32 counts.
///
/// `input` and `output` are the ranges of int8 or int16. NaN counts as the real 0, and what leaves `output` by more than a step as a
/// step beyond it, so that saturation is a piece of its own. All in f64: the same function gives the same curve.
///
/// # Errors
/// When [`MAX_PIECES`] pieces are too far from the function.
pub fn fit_curve(
    f: impl Fn(f64) -> f64,
    (x, input): (Affine, Clamp),
    (y, output): (Affine, Clamp),
) -> Result<FittedCurve, CurveFitError> {
    let (low, high) = (f64::from(output.low) - 1.0, f64::from(output.high) + 1.0);
    let target = |q: i32| {
        let q = q - x.zero_point;
        let [exact, seen] =
            [x.scale * f64::from(q), f64::from(dequantize(q, x.scale as f32))].map(|argument| f(argument) / y.scale);
        let value = if (seen - exact).abs() <= JUMP { exact } else { seen };
        let zero_point = f64::from(y.zero_point);
        if value.is_nan() { zero_point } else { (value + zero_point).clamp(low, high) }
    };
    let values: Vec<f64> = (input.low..=input.high).map(target).collect();
    let wide = output.high > Clamp::I8.high;
    let limit = if wide { LIMITS.0 } else { LIMITS.1 };
    let parts =
        best_parts(&values, limit).ok_or(CurveFitError::TooManyPieces { limit, bits: if wide { 16 } else { 8 } })?;
    let curve = rounded(&parts, input.low, high + limit)?;
    let error = distance(&curve, &values, input.low);
    Ok(FittedCurve { curve, error })
}

/// A quadratic over a range of indices, by distance from the start of the range: constant, linear, quadratic.
type Part = (Range<usize>, [f64; 3]);

/// The parts that stay nearest to the values.
fn best_parts(values: &[f64], limit: f64) -> Option<Vec<Part>> {
    let mut enough = FIRST_TOLERANCE;
    let mut parts = parts_within(values, enough);
    while parts.is_none() && enough < limit {
        enough *= 2.0;
        parts = parts_within(values, enough);
    }
    let mut best = parts?;
    if enough > FIRST_TOLERANCE {
        let mut little = enough / 2.0;
        for _ in 0..REFINEMENTS {
            let middle = 0.5 * (little + enough);
            match parts_within(values, middle) {
                Some(parts) => (best, enough) = (parts, middle),
                None => little = middle,
            }
        }
    }
    Some(best)
}

/// Covers all values from left to right, each part as long as the tolerance allows; none when it takes too many.
fn parts_within(values: &[f64], tolerance: f64) -> Option<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    let mut start = 0;
    while start < values.len() {
        if parts.len() == MAX_PIECES {
            return None;
        }
        let (length, quadratic) = longest(values.get(start..)?, tolerance);
        parts.push((start..start + length, quadratic));
        start += length;
    }
    Some(parts)
}

/// How many of the values, from the first on, one quadratic follows.
fn longest(values: &[f64], tolerance: f64) -> (usize, [f64; 3]) {
    let try_length = |length: usize| values.get(..length).and_then(|values| following(values, tolerance));
    let first = values.first().copied().unwrap_or(0.0);
    let (mut good, mut quadratic) = (1, [first, 0.0, 0.0]);
    let mut bad = values.len() + 1;
    // Three values always have a quadratic.
    let mut length = 3.min(values.len());
    while good < length && length < bad {
        match try_length(length) {
            Some(found) => {
                (good, quadratic) = (length, found);
                length = (2 * length).min(values.len());
            }
            None => bad = length,
        }
    }
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match try_length(middle) {
            Some(found) => (good, quadratic) = (middle, found),
            None => bad = middle,
        }
    }
    (good, quadratic)
}

/// The quadratic through three of the values, if all of them are within the tolerance.
fn following(values: &[f64], tolerance: f64) -> Option<[f64; 3]> {
    let quadratic = through_nodes(values)?;
    let [constant, linear, square] = quadratic;
    let near = |index: usize, value: f64| {
        let distance = index as f64;
        ((square * distance + linear) * distance + constant - value).abs() <= tolerance
    };
    // A few first: most candidates that fail are far off.
    let stride = values.len() / 16 + 1;
    let sampled = values.iter().enumerate().step_by(stride).all(|(index, &value)| near(index, value));
    (sampled && values.iter().enumerate().all(|(index, &value)| near(index, value))).then_some(quadratic)
}

/// The polynomial of the least degree through the values nearest to the Chebyshev nodes, which keep the error even.
fn through_nodes(values: &[f64]) -> Option<[f64; 3]> {
    let last = values.len().checked_sub(1)?;
    let first_value = values.first().copied()?;
    if last == 0 {
        return Some([first_value, 0.0, 0.0]);
    }
    if last == 1 {
        return Some([first_value, values.get(1)? - first_value, 0.0]);
    }
    // (1 - cos 30°) / 2
    let inset = (last as f64 * 0.066_987_298_107_780_68).round() as usize;
    let nodes = [inset, last / 2, last - inset];
    let [x0, x1, x2] = nodes.map(|node| node as f64);
    let [y0, y1, y2] = [*values.get(nodes[0])?, *values.get(nodes[1])?, *values.get(nodes[2])?];
    let (slope, next) = ((y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1));
    let square = (next - slope) / (x2 - x0);
    Some([y0 - slope * x0 + square * x0 * x1, slope - square * (x0 + x1), square])
}

/// Integer coefficients over the largest shift that keeps them, and sums up to `largest`, in [`SUM_BITS`] bits.
fn rounded(parts: &[Part], low: i32, largest: f64) -> Result<Curve, CurveError> {
    let largest = parts.iter().flat_map(|(_, part)| part).fold(largest, |largest, value| largest.max(value.abs()));
    let (_, exponent) = libm::frexp(largest);
    let shift = u32::try_from(SUM_BITS - exponent).unwrap_or(0).min(MAX_SHIFT);
    let integer = |value: f64| (value * 2f64.powi(shift as i32)).round_ties_even() as i64;
    let pieces = parts.iter().map(|(range, [constant, linear, quadratic])| Piece {
        // At most 65536 values, from an i16 on.
        start: (range.start as i32 + low) as i16,
        quadratic: integer(*quadratic),
        linear: integer(*linear),
        constant: integer(*constant),
    });
    Curve::new(pieces.collect(), shift)
}

/// The largest distance from values that begin at `low`.
fn distance(curve: &Curve, values: &[f64], low: i32) -> f64 {
    let unit = 2f64.powi(-(curve.shift() as i32));
    let distances = values.iter().zip(low..).map(|(value, q)| {
        let q = q as i16;
        (curve.piece(q).sum(q) as f64 * unit - value).abs()
    });
    distances.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Clamp = Clamp::I16;

    fn hard_swish(x: f64) -> f64 {
        x * (x / 6.0 + 0.5).clamp(0.0, 1.0)
    }

    #[test]
    fn what_is_piecewise_quadratic_is_exact() {
        for (s_x, s_y) in [(8.0 / 32767.0, 8.0 / 32767.0), (5.3 / 32767.0, 4.1 / 32767.0), (40.0 / 32767.0, 1e-4)] {
            let fitted = fit_curve(hard_swish, (Affine::symmetric(s_x), WIDE), (Affine::symmetric(s_y), WIDE)).unwrap();
            assert!(fitted.error < 1e-4 && fitted.curve.pieces().len() <= 5, "{fitted:?}");
            let mut differ = 0;
            for q in i16::MIN..=i16::MAX {
                let expected = (hard_swish(s_x * f64::from(q)) / s_y).round_ties_even().clamp(-32768.0, 32767.0);
                let found = f64::from(fitted.curve.evaluate(q, WIDE));
                assert!((found - expected).abs() <= 1.0);
                differ += usize::from(found != expected);
            }
            // Only what lies within the error of a tie.
            assert!(differ <= 6, "{differ} differ for {s_x} to {s_y}");
        }
    }

    #[test]
    fn kinks_and_saturation_are_pieces() {
        let relu = fit_curve(|x| x.max(0.0), (Affine::symmetric(1.0), WIDE), (Affine::symmetric(1.0), WIDE)).unwrap();
        assert_eq!(relu.curve.pieces().len(), 2);
        assert_eq!(
            (relu.error, [-5, -1, 0, 1, 32767].map(|q| relu.curve.evaluate(q, WIDE))),
            (0.0, [0, 0, 0, 1, 32767])
        );
        // 4 x saturates from 8192 on and below -8192.
        let steep = fit_curve(|x| x, (Affine::symmetric(4.0), WIDE), (Affine::symmetric(1.0), WIDE)).unwrap();
        assert!(steep.curve.pieces().len() <= 5);
        let at = |q: i16| steep.curve.evaluate(q, WIDE);
        assert_eq!(
            [-32768, -8193, -8192, -8191, 0, 8191, 8192].map(at),
            [-32768, -32768, -32768, -32764, 0, 32764, 32767]
        );
    }

    #[test]
    fn nan_is_0_and_infinity_saturates() {
        let fitted = fit_curve(
            |x| if x < 0.0 { f64::NAN } else { f64::INFINITY },
            (Affine::symmetric(1.0), WIDE),
            (Affine::symmetric(1.0), WIDE),
        )
        .unwrap();
        assert_eq!([-9, -1, 0, 9].map(|q| fitted.curve.evaluate(q, WIDE)), [0, 0, 32767, 32767]);
    }

    #[test]
    fn eight_bits_on_either_side() {
        let narrow =
            fit_curve(f64::tanh, (Affine::symmetric(4.0 / 128.0), Clamp::I8), (Affine::symmetric(1.0 / 32767.0), WIDE))
                .unwrap();
        assert_eq!(narrow.curve.first(), -128);
        assert!(narrow.error < 0.1, "{}", narrow.error);
        // tanh 1 = 0.761594 of 32767 is 24955.2.
        assert_eq!(narrow.curve.evaluate(32, WIDE), 24955);
        let result =
            fit_curve(f64::tanh, (Affine::symmetric(4.0 / 32767.0), WIDE), (Affine::symmetric(1.0 / 127.0), Clamp::I8))
                .unwrap();
        // tanh 4 = 0.99933 of 127 is 126.9.
        assert_eq!([-32768, 0, 32767].map(|q| result.curve.evaluate(q, Clamp::I8)), [-127, 0, 127]);
    }

    #[test]
    fn what_bends_too_often_is_an_error() {
        let wave = fit_curve(f64::sin, (Affine::symmetric(1.0), WIDE), (Affine::symmetric(1.0 / 32767.0), WIDE));
        assert_eq!(wave, Err(CurveFitError::TooManyPieces { limit: 4.0, bits: 16 }));
        let steps = fit_curve(f64::floor, (Affine::symmetric(0.1), WIDE), (Affine::symmetric(0.1), Clamp::I8));
        // Saturation leaves fewer than 64 steps of 10.
        assert!(steps.is_ok());
    }

    #[test]
    fn the_same_function_gives_the_same_curve() {
        let fit =
            || fit_curve(libm::exp, (Affine::symmetric(8.0 / 32767.0), WIDE), (Affine::symmetric(0.1), WIDE)).unwrap();
        assert_eq!(fit(), fit());
    }
}
