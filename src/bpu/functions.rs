//! Curves and clamps of functions of one value. The functions themselves are the formulas of [`crate::cpu`], evaluated in f64.

use super::model::{BpuElement, Clamp};
use crate::cpu::{expression::Expression, real_function};
use crate::numerics::{self, Curve, CurveFitError, Destination, FittedCurve, Piece, quantize_f64};
use hb_dialects::ir::Affine;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Integers of an activation.
type Integers = (BpuElement, Affine);

/// What decides on a curve: the formula, and both types with the bits of their scales and their zero points.
type CurveKey = (Expression, [(BpuElement, u64, i32); 2]);

/// So many curves are kept, and forgotten together: a curve has a few kilobytes at most.
const KEPT: usize = 1024;

/// The curve of a formula between two types, of which one at least is int16 (`docs/numerics.md`, section 6). It is fitted once: the steps of a
/// recurrent layer have the same few, and so have the trials of a search.
///
/// # Errors
/// When the function has no curve that follows it.
pub fn curve(formula: &Expression, x: Integers, y: Integers) -> Result<FittedCurve, CurveFitError> {
    static FITTED: Mutex<Option<HashMap<CurveKey, Result<FittedCurve, CurveFitError>>>> = Mutex::new(None);
    let fitted = || FITTED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (formula.clone(), [x, y].map(|(element, affine)| (element, affine.scale.to_bits(), affine.zero_point)));
    if let Some(known) = fitted().as_ref().and_then(|fitted| fitted.get(&key)) {
        return known.clone();
    }
    let range = |element: BpuElement| if element == BpuElement::I8 { Clamp::I8 } else { Clamp::I16 };
    let curve = numerics::fit_curve(real_function(formula), (x.1, range(x.0)), (y.1, range(y.0)));
    let mut fitted = fitted();
    let fitted = fitted.get_or_insert_default();
    if fitted.len() >= KEPT {
        fitted.clear();
    }
    fitted.insert(key, curve.clone());
    curve
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
    use crate::cpu::{RealFunction, formula_of, formulas};
    use crate::numerics::{lookup, lookup_table};
    use hb_dialects::hfloat::Op;

    fn table(op: Op, attributes: &str, s_x: f64, s_y: f64) -> numerics::LookupTable {
        lookup_table(real_function(&formula_of(op, attributes)), Affine::symmetric(s_x), Affine::symmetric(s_y))
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
    fn result_scale(f: &RealFunction) -> f64 {
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
        for (op, formula) in formulas() {
            let f = real_function(&formula);
            let (s_x, s_y) = (8.0 / 32767.0, result_scale(&f));
            let (x, y) = (Affine::symmetric(s_x), Affine::symmetric(s_y));
            let fitted = curve(&formula, (BpuElement::I16, x), (BpuElement::I16, y));
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

    /// What is kept is told apart by the formula and by both types.
    #[test]
    fn no_curve_is_taken_for_another() {
        let integers = |element, scale, zero_point| (element, Affine { scale, zero_point });
        let types = [
            integers(BpuElement::I16, 1e-4, 0),
            integers(BpuElement::I16, 2e-4, 0),
            integers(BpuElement::I16, 1e-4, 5),
            integers(BpuElement::I8, 1e-4, 0),
        ];
        let steep = formula_of(Op::LeakyRelu, "alpha = 0.5 : f32");
        for formula in [&steep, &formula_of(Op::LeakyRelu, "alpha = 0.25 : f32"), &formula_of(Op::Tanh, "")] {
            let f = real_function(formula);
            for (x, y) in types.iter().flat_map(|&x| types.map(|y| (x, y))) {
                let range = |element| if element == BpuElement::I8 { Clamp::I8 } else { Clamp::I16 };
                let fresh = numerics::fit_curve(&f, (x.1, range(x.0)), (y.1, range(y.0)));
                for _ in 0..2 {
                    assert_eq!(curve(formula, x, y), fresh, "{x:?} to {y:?}");
                }
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
