//! Functions of one value, and their tables and curves: what a `bpu.lookup` or a `bpu.curve` may hold.
//!
//! One row per ONNX operator, named as ONNX names it. Evaluated in f64 with `libm`, so that a table does not depend on the
//! machine that compiles.

use super::model::{BpuElement, Clamp};
use crate::numerics::{self, Curve, CurveFitError, FittedCurve, LookupTable, Piece, quantize_f64};

/// A function from real to real with up to two parameters.
pub struct Function {
    /// The ONNX operator.
    pub name: &'static str,
    /// Its parameters, named as the ONNX attributes or inputs.
    pub parameters: &'static [Parameter],
    /// What it computes, for documentation; `a` and `b` are the parameters.
    pub formula: &'static str,
    /// The function of x and the values of the parameters, in their order.
    pub evaluate: fn(f64, [f64; 2]) -> f64,
}

/// A parameter of a [`Function`].
pub struct Parameter {
    /// Name of the ONNX attribute or input.
    pub name: &'static str,
    /// The value when ONNX leaves it out; none when it must be given.
    pub default: Option<f64>,
}

/// Why there is no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// The table of functions has no such name.
    #[error("{0} is not a function of one value that a table can hold")]
    Unknown(String),
    /// The function does not have this parameter.
    #[error("{function} has no parameter {parameter}")]
    UnknownParameter {
        /// Name of the function.
        function: &'static str,
        /// Name given.
        parameter: String,
    },
    /// The parameter has no default and was not given.
    #[error("{function} needs the parameter {parameter}")]
    MissingParameter {
        /// Name of the function.
        function: &'static str,
        /// Name of the parameter.
        parameter: &'static str,
    },
}

impl Function {
    /// The values of the parameters: those given by name, the defaults for the others.
    ///
    /// # Errors
    /// When a name is unknown or a parameter without default is missing.
    pub fn bind(&self, given: &[(&str, f64)]) -> Result<[f64; 2], FunctionError> {
        if let Some((name, _)) = given.iter().find(|(name, _)| self.parameters.iter().all(|p| p.name != *name)) {
            return Err(FunctionError::UnknownParameter { function: self.name, parameter: (*name).to_owned() });
        }
        let mut values = [0.0; 2];
        for (value, parameter) in values.iter_mut().zip(self.parameters) {
            let given = given.iter().find(|(name, _)| *name == parameter.name).map(|(_, value)| *value);
            *value = given
                .or(parameter.default)
                .ok_or(FunctionError::MissingParameter { function: self.name, parameter: parameter.name })?;
        }
        Ok(values)
    }

    /// The int8 table from scale `s_x` to scale `s_y` (`docs/numerics.md`, section 6).
    ///
    /// # Errors
    /// As [`Function::bind`].
    pub fn table(&self, given: &[(&str, f64)], s_x: f64, s_y: f64) -> Result<LookupTable, FunctionError> {
        let values = self.bind(given)?;
        Ok(numerics::lookup_table(|x| (self.evaluate)(x, values), s_x, s_y))
    }
}

/// The curve of a function between two types, of which one at least is int16 (`docs/numerics.md`, section 6).
///
/// # Errors
/// When the function has no curve that follows it.
pub fn curve(
    f: impl Fn(f64) -> f64,
    (input, s_x): (BpuElement, f64),
    (output, s_y): (BpuElement, f64),
) -> Result<FittedCurve, CurveFitError> {
    let range = |element: BpuElement| if element == BpuElement::I8 { Clamp::I8 } else { Clamp::I16 };
    numerics::fit_curve(f, (s_x, range(input)), (s_y, range(output)))
}

/// A curve in the place of one that is not fitted yet, because scales are not known.
///
/// # Errors
/// None.
pub fn any_curve() -> Result<Curve, String> {
    let piece = Piece { start: i16::MIN, ..Piece::default() };
    Curve::new(vec![piece], 0).map_err(|error| error.to_string())
}

/// Every function, by name.
#[must_use]
pub fn functions() -> &'static [Function] {
    FUNCTIONS
}

/// The function of an ONNX operator.
///
/// # Errors
/// When no row has the name.
pub fn function(name: &str) -> Result<&'static Function, FunctionError> {
    FUNCTIONS.iter().find(|function| function.name == name).ok_or_else(|| FunctionError::Unknown(name.to_owned()))
}

/// The interval in integers of a fused Relu, Clip or the like, whose real interval is [low, high] (either may be infinite).
///
/// Clamping integers to it equals clipping the reals before they are quantized, since rounding is monotonic. As in ONNX Clip,
/// `high` wins when it is below `low`. None for f32, which has no integers.
#[must_use]
pub fn activation_clamp(low: f64, high: f64, scale: f64, element: BpuElement) -> Option<Clamp> {
    let range = element.range()?;
    let high = quantize_f64(high, scale, range);
    Some(Clamp { low: quantize_f64(low, scale, range).min(high), high })
}

const NONE: &[Parameter] = &[];

const fn row(
    name: &'static str,
    parameters: &'static [Parameter],
    formula: &'static str,
    evaluate: fn(f64, [f64; 2]) -> f64,
) -> Function {
    Function { name, parameters, formula, evaluate }
}

/// A parameter with a default. ONNX keeps attributes as f32, which is the value that other runtimes calculate with.
const fn parameter(name: &'static str, default: f32) -> Parameter {
    Parameter { name, default: Some(default as f64) }
}

const SELU_ALPHA: f32 = 1.673_263_2;
const SELU_GAMMA: f32 = 1.050_701;
const HARD_SWISH_ALPHA: f64 = (1.0f32 / 6.0) as f64;

const FUNCTIONS: &[Function] = &[
    row("Abs", NONE, "|x|", |x, _| x.abs()),
    row("Acos", NONE, "acos x", |x, _| libm::acos(x)),
    row("Acosh", NONE, "acosh x", |x, _| libm::acosh(x)),
    row("Asin", NONE, "asin x", |x, _| libm::asin(x)),
    row("Asinh", NONE, "asinh x", |x, _| libm::asinh(x)),
    row("Atan", NONE, "atan x", |x, _| libm::atan(x)),
    row("Atanh", NONE, "atanh x", |x, _| libm::atanh(x)),
    row("Ceil", NONE, "ceil x", |x, _| x.ceil()),
    row("Celu", &[parameter("alpha", 1.0)], "max(0, x) + min(0, a (exp(x / a) - 1))", |x, [a, _]| {
        x.max(0.0) + (a * libm::expm1(x / a)).min(0.0)
    }),
    row(
        "Clip",
        &[parameter("min", f32::NEG_INFINITY), parameter("max", f32::INFINITY)],
        "min(max(x, a), b)",
        |x, [low, high]| x.max(low).min(high),
    ),
    row("Cos", NONE, "cos x", |x, _| libm::cos(x)),
    row("Cosh", NONE, "cosh x", |x, _| libm::cosh(x)),
    row("Elu", &[parameter("alpha", 1.0)], "x for x >= 0, otherwise a (exp x - 1)", |x, [a, _]| {
        if x < 0.0 { a * libm::expm1(x) } else { x }
    }),
    row("Erf", NONE, "erf x", |x, _| libm::erf(x)),
    row("Exp", NONE, "exp x", |x, _| libm::exp(x)),
    row("Floor", NONE, "floor x", |x, _| x.floor()),
    row(
        "Gelu",
        &[parameter("approximate", 0.0)],
        "x (1 + erf(x / sqrt 2)) / 2; with a = 1 its approximation by tanh",
        |x, [approximate, _]| if approximate == 0.0 { gelu(x) } else { gelu_tanh(x) },
    ),
    row("HardSigmoid", &[parameter("alpha", 0.2), parameter("beta", 0.5)], "min(max(a x + b, 0), 1)", |x, [a, b]| {
        (a * x + b).clamp(0.0, 1.0)
    }),
    row("HardSwish", NONE, "x min(max(x / 6 + 1/2, 0), 1)", |x, _| x * (HARD_SWISH_ALPHA * x + 0.5).clamp(0.0, 1.0)),
    row("Identity", NONE, "x", |x, _| x),
    row(
        "LeakyRelu",
        &[parameter("alpha", 0.01)],
        "x for x >= 0, otherwise a x",
        |x, [a, _]| {
            if x < 0.0 { a * x } else { x }
        },
    ),
    row("Log", NONE, "ln x", |x, _| libm::log(x)),
    row("Mish", NONE, "x tanh(ln(1 + exp x))", |x, _| x * libm::tanh(softplus(x))),
    row("Neg", NONE, "-x", |x, _| -x),
    row("Pow", &[Parameter { name: "exponent", default: None }], "x to the power of a", |x, [a, _]| libm::pow(x, a)),
    row("Reciprocal", NONE, "1 / x", |x, _| 1.0 / x),
    row("Relu", NONE, "max(x, 0)", |x, _| x.max(0.0)),
    row("Round", NONE, "nearest integer, ties to even", |x, _| x.round_ties_even()),
    row(
        "Selu",
        &[parameter("alpha", SELU_ALPHA), parameter("gamma", SELU_GAMMA)],
        "b x for x > 0, otherwise b a (exp x - 1)",
        |x, [alpha, gamma]| gamma * if x > 0.0 { x } else { alpha * libm::expm1(x) },
    ),
    row(
        "Shrink",
        &[parameter("lambd", 0.5), parameter("bias", 0.0)],
        "x + b for x < -a, x - b for x > a, otherwise 0",
        |x, [lambd, bias]| match x {
            x if x < -lambd => x + bias,
            x if x > lambd => x - bias,
            _ => 0.0,
        },
    ),
    row("Sigmoid", NONE, "1 / (1 + exp -x)", |x, _| 1.0 / (1.0 + libm::exp(-x))),
    row("Sign", NONE, "-1, 0 or 1", |x, _| if x == 0.0 { 0.0 } else { x.signum() }),
    row("Sin", NONE, "sin x", |x, _| libm::sin(x)),
    row("Sinh", NONE, "sinh x", |x, _| libm::sinh(x)),
    row("Softplus", NONE, "ln(1 + exp x)", |x, _| softplus(x)),
    row("Softsign", NONE, "x / (1 + |x|)", |x, _| x / (1.0 + x.abs())),
    row("Sqrt", NONE, "square root of x", |x, _| x.sqrt()),
    row("Tan", NONE, "tan x", |x, _| libm::tan(x)),
    row("Tanh", NONE, "tanh x", |x, _| libm::tanh(x)),
    row(
        "ThresholdedRelu",
        &[parameter("alpha", 1.0)],
        "x for x > a, otherwise 0",
        |x, [a, _]| {
            if x > a { x } else { 0.0 }
        },
    ),
];

/// Without overflow of the exponential.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

fn gelu_tanh(x: f64) -> f64 {
    // FRAC_2_SQRT_PI / SQRT_2 is the square root of 2 / pi.
    let inner = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2 * (x + 0.044715 * x * x * x);
    0.5 * x * (1.0 + libm::tanh(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::lookup;
    use std::collections::{BTreeMap, BTreeSet};

    #[derive(serde::Deserialize)]
    struct Recorded {
        x: Vec<f64>,
        functions: Vec<Row>,
    }

    #[derive(serde::Deserialize)]
    struct Row {
        name: String,
        parameters: BTreeMap<String, f64>,
        y: Vec<serde_json::Value>,
    }

    #[test]
    fn every_function_agrees_with_the_evaluator_of_onnx() {
        let text = include_str!("../../tests/data/functions/functions.json");
        let recorded: Recorded = serde_json::from_str(text).unwrap();
        for Row { name, parameters, y } in &recorded.functions {
            let function = function(name).unwrap();
            let given: Vec<(&str, f64)> = parameters.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            let values = function.bind(&given).unwrap();
            // The evaluator computes the error function in f32, everything else in f64.
            let tolerance = if ["Erf", "Gelu"].contains(&name.as_str()) { 2e-7 } else { 1e-12 };
            for (x, y) in recorded.x.iter().zip(y) {
                let expected = y.as_f64().unwrap_or_else(|| y.as_str().unwrap().parse().unwrap());
                let found = (function.evaluate)(*x, values);
                let near = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
                assert!(
                    near || found == expected || (found.is_nan() && expected.is_nan()),
                    "{name} {x}: {found} {expected}"
                );
            }
        }
        let tested: BTreeSet<&str> = recorded.functions.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(tested, functions().iter().map(|function| function.name).collect());
    }

    #[test]
    fn the_error_function_has_double_precision() {
        let erf = |x| (function("Erf").unwrap().evaluate)(x, [0.0; 2]);
        // Python's math.erf.
        assert!((erf(0.5) - 0.520_499_877_813_046_5).abs() < 1e-15);
        assert!((erf(-1.5) + 0.966_105_146_475_310_7).abs() < 1e-15);
    }

    #[test]
    fn tables_on_paper() {
        let table = function("Relu").unwrap().table(&[], 0.5, 0.25).unwrap();
        assert_eq!([-128, -1, 0, 1, 63, 64].map(|q| lookup(&table, q)), [0, 0, 0, 2, 126, 127]);
        let table = function("Sigmoid").unwrap().table(&[], 1.0, 1.0 / 128.0).unwrap();
        // 128 / (1 + e) = 34.42; 128 / 2 = 64; the rest of 128 is 93.58.
        assert_eq!([-1, 0, 1, 127].map(|q| lookup(&table, q)), [34, 64, 94, 127]);
        let table = function("LeakyRelu").unwrap().table(&[("alpha", 0.5)], 1.0, 1.0).unwrap();
        assert_eq!([-3, -1, 5].map(|q| lookup(&table, q)), [-2, 0, 5]);
    }

    /// The scale that shows the largest finite result of a function within [-8, 8].
    fn result_scale(function: &Function, values: [f64; 2]) -> f64 {
        let results = (-8000..=8000).map(|i| (function.evaluate)(f64::from(i) / 1000.0, values).abs());
        let largest = results.filter(|y| y.is_finite()).fold(0.0, f64::max);
        largest / 32767.0
    }

    #[test]
    fn curves_follow_every_function() {
        let exact = "Abs Clip HardSigmoid HardSwish Identity LeakyRelu Neg Pow Relu Shrink Sign ThresholdedRelu";
        for function in functions() {
            let values = function.bind(&[]).unwrap_or([2.0, 0.0]);
            let (s_x, s_y) = (8.0 / 32767.0, result_scale(function, values));
            let f = |x: f64| (function.evaluate)(x, values);
            let fitted = curve(f, (BpuElement::I16, s_x), (BpuElement::I16, s_y));
            let Ok(fitted) = fitted else {
                // Poles, of which none is at an end.
                assert_eq!(function.name, "Tan");
                continue;
            };
            if exact.split(' ').any(|name| name == function.name) {
                assert!(fitted.error < 1e-4 && fitted.curve.pieces().len() <= 3, "{}: {fitted:?}", function.name);
            }
            for q in i16::MIN..=i16::MAX {
                let real = f(s_x * f64::from(q)) / s_y;
                let real = if real.is_nan() { 0.0 } else { real.clamp(-32768.0, 32767.0) };
                let found = f64::from(fitted.curve.evaluate(q, Clamp::I16));
                assert!((found - real).abs() <= 0.5 + fitted.error + 1e-9, "{} {q}: {found} {real}", function.name);
            }
        }
    }

    #[test]
    fn parameters_are_checked() {
        assert!(matches!(function("Softmax"), Err(FunctionError::Unknown(_))));
        let pow = function("Pow").unwrap();
        assert_eq!(pow.bind(&[]), Err(FunctionError::MissingParameter { function: "Pow", parameter: "exponent" }));
        assert!(matches!(pow.bind(&[("alpha", 1.0)]), Err(FunctionError::UnknownParameter { .. })));
        assert!(functions().iter().all(|function| function.parameters.len() <= 2));
        assert!(functions().is_sorted_by_key(|function| function.name));
    }

    #[test]
    fn clamps_of_activations() {
        let clamp = |low, high, scale| activation_clamp(low, high, scale, BpuElement::I8).unwrap();
        assert_eq!(clamp(0.0, f64::INFINITY, 0.1), Clamp { low: 0, high: 127 });
        assert_eq!(clamp(0.0, 6.0, 0.1), Clamp { low: 0, high: 60 });
        assert_eq!(clamp(f64::NEG_INFINITY, f64::INFINITY, 0.1), Clamp::I8);
        assert_eq!(clamp(3.0, -1.0, 0.5), Clamp { low: -2, high: -2 });
        assert_eq!(activation_clamp(-1.0, 1.0, 0.001, BpuElement::I16), Some(Clamp { low: -1000, high: 1000 }));
        assert_eq!(activation_clamp(0.0, 6.0, 0.1, BpuElement::F32), None);
    }
}
