//! Curves and clamps of functions of one value. The functions themselves are the formulas of [`crate::cpu`], evaluated in f64.

use super::model::{BpuElement, Clamp};
use crate::numerics::{self, Curve, CurveFitError, Destination, FittedCurve, Piece, quantize_f64};
use hb_dialects::ir::Affine;

/// The curve of a function between two types, of which one at least is int16 (`docs/numerics.md`, section 6).
///
/// # Errors
/// When the function has no curve that follows it.
pub fn curve(
    f: impl Fn(f64) -> f64,
    (input, x): (BpuElement, Affine),
    (output, y): (BpuElement, Affine),
) -> Result<FittedCurve, CurveFitError> {
    let range = |element: BpuElement| if element == BpuElement::I8 { Clamp::I8 } else { Clamp::I16 };
    numerics::fit_curve(f, (x, range(input)), (y, range(output)))
}

/// A curve in the place of one that is not fitted yet, because scales are not known.
///
/// # Errors
/// None.
pub fn any_curve() -> Result<Curve, String> {
    let piece = Piece { start: i16::MIN, ..Piece::default() };
    Curve::new(vec![piece], 0).map_err(|error| error.to_string())
}

/// The interval in integers of a fused Relu, Clip or the like, whose real interval is [low, high] (either may be infinite).
///
/// Clamping integers to it equals clipping the reals before they are quantized, since rounding is monotonic. As in ONNX Clip,
/// `high` wins when it is below `low`. None for f32, which has no integers.
#[must_use]
pub fn activation_clamp(low: f64, high: f64, affine: Affine, element: BpuElement) -> Option<Clamp> {
    let to = Destination { zero_point: affine.zero_point, clamp: element.range()? };
    let high = quantize_f64(high, affine.scale, to);
    Some(Clamp { low: quantize_f64(low, affine.scale, to).min(high), high })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{ScalarFormula, formula_of, formulas};
    use crate::numerics::{lookup, lookup_table};
    use hb_dialects::hfloat::Op;

    fn table(op: Op, attributes: &str, s_x: f64, s_y: f64) -> numerics::LookupTable {
        lookup_table(formula_of(op, attributes), Affine::symmetric(s_x), Affine::symmetric(s_y))
    }

    #[test]
    fn tables_on_paper() {
        let relu = table(Op::Relu, "", 0.5, 0.25);
        assert_eq!([-128, -1, 0, 1, 63, 64].map(|q| lookup(&relu, q)), [0, 0, 0, 2, 126, 127]);
        let sigmoid = table(Op::Sigmoid, "", 1.0, 1.0 / 128.0);
        // 128 / (1 + e) = 34.42; 128 / 2 = 64; the rest of 128 is 93.58.
        assert_eq!([-1, 0, 1, 127].map(|q| lookup(&sigmoid, q)), [34, 64, 94, 127]);
        let leaky = table(Op::LeakyRelu, "alpha = 0.5 : f32", 1.0, 1.0);
        assert_eq!([-3, -1, 5].map(|q| lookup(&leaky, q)), [-2, 0, 5]);
    }

    /// The scale that shows the largest finite result of a function within [-8, 8].
    fn result_scale(f: &ScalarFormula) -> f64 {
        let results = (-8000..=8000).map(|i| f(f64::from(i) / 1000.0).abs());
        results.filter(|y| y.is_finite()).fold(0.0, f64::max) / 32767.0
    }

    #[test]
    fn curves_follow_every_function() {
        let exact = [
            Op::Abs,
            Op::HardSigmoid,
            Op::HardSwish,
            Op::LeakyRelu,
            Op::Neg,
            Op::Relu,
            Op::Shrink,
            Op::Sign,
            Op::ThresholdedRelu,
        ];
        for (op, f) in formulas() {
            let (s_x, s_y) = (8.0 / 32767.0, result_scale(&f));
            let (x, y) = (Affine::symmetric(s_x), Affine::symmetric(s_y));
            let fitted = curve(&f, (BpuElement::I16, x), (BpuElement::I16, y));
            let Ok(fitted) = fitted else {
                // Poles, of which none is at an end.
                assert_eq!(op, Op::Tan);
                continue;
            };
            if exact.contains(&op) {
                assert!(fitted.error < 1e-4 && fitted.curve.pieces().len() <= 3, "{op:?}: {fitted:?}");
            }
            for q in i16::MIN..=i16::MAX {
                let real = f(s_x * f64::from(q)) / s_y;
                let real = if real.is_nan() { 0.0 } else { real.clamp(-32768.0, 32767.0) };
                let found = f64::from(fitted.curve.evaluate(q, Clamp::I16));
                assert!((found - real).abs() <= 0.5 + fitted.error + 1e-9, "{op:?} {q}: {found} {real}");
            }
        }
    }

    #[test]
    fn clamps_of_activations() {
        let clamp = |low, high, scale| activation_clamp(low, high, Affine::symmetric(scale), BpuElement::I8).unwrap();
        assert_eq!(clamp(0.0, f64::INFINITY, 0.1), Clamp { low: 0, high: 127 });
        assert_eq!(clamp(0.0, 6.0, 0.1), Clamp { low: 0, high: 60 });
        assert_eq!(clamp(f64::NEG_INFINITY, f64::INFINITY, 0.1), Clamp::I8);
        assert_eq!(clamp(3.0, -1.0, 0.5), Clamp { low: -2, high: -2 });
        assert_eq!(
            activation_clamp(-1.0, 1.0, Affine::symmetric(0.001), BpuElement::I16),
            Some(Clamp { low: -1000, high: 1000 })
        );
        assert_eq!(activation_clamp(0.0, 6.0, Affine::symmetric(0.1), BpuElement::F32), None);
        let shifted = Affine { scale: 0.1, zero_point: -100 };
        assert_eq!(activation_clamp(0.0, 6.0, shifted, BpuElement::I8), Some(Clamp { low: -100, high: -40 }));
    }
}
