//! Scalar functions in f64: the formula of an operation, for the tables and curves of the BPU and for whoever needs one value.

use hb_dialects::hfloat::{Op, OpKind};
use melior::ir::OperationRef;

use super::error::Error;
use super::expression::{Comparison, Expression, ExpressionKind, GraphTensorId, load};
use super::interpret::{binary_float, unary_float};
use super::operators::formula;
use hb_dialects::ElementType;

/// A function of one real number.
pub type RealFunction = Box<dyn Fn(f64) -> f64 + Send + Sync>;

/// What a scalar formula is made of: x, an f64.
pub fn argument() -> Expression {
    load(GraphTensorId(0), ElementType::F64, Vec::new())
}

/// The formula of the function that an operation applies to each element, with its attributes; `None` where it is no scalar function.
///
/// # Errors
/// When an attribute cannot be read.
pub fn scalar_formula(operation: OperationRef<'_, '_>) -> Result<Option<Expression>, Error> {
    let Some(OpKind::Scalar(function)) = Op::of(operation).map(Op::kind) else { return Ok(None) };
    Ok(Some(formula(function, operation, argument())?))
}

/// A formula as closures, which evaluate it in f64 with `libm`, so that it gives the same on every machine. What it loads is x.
pub fn real_function(formula: &Expression) -> RealFunction {
    match formula.kind() {
        ExpressionKind::Load { .. } => Box::new(|x| x),
        ExpressionKind::Constant(value) => {
            let value = value.as_f64();
            Box::new(move |_| value)
        }
        // A formula has neither positions nor sums.
        ExpressionKind::Axis(_) | ExpressionKind::Accumulator => Box::new(|_| f64::NAN),
        ExpressionKind::Unary(operation, a) => {
            let (operation, a) = (*operation, real_function(a));
            Box::new(move |x| unary_float(operation, a(x)))
        }
        ExpressionKind::Binary(operation, a, b) => {
            let (operation, a, b) = (*operation, real_function(a), real_function(b));
            Box::new(move |x| binary_float(operation, a(x), b(x)))
        }
        ExpressionKind::Compare(comparison, a, b) => {
            let (comparison, a, b) = (*comparison, real_function(a), real_function(b));
            Box::new(move |x| {
                let (a, b) = (a(x), b(x));
                f64::from(u8::from(match comparison {
                    Comparison::Less => a < b,
                    Comparison::LessOrEqual => a <= b,
                    Comparison::Equal => a == b,
                }))
            })
        }
        ExpressionKind::Select(condition, a, b) => {
            let (condition, a, b) = (real_function(condition), real_function(a), real_function(b));
            Box::new(move |x| if condition(x) != 0.0 { a(x) } else { b(x) })
        }
        ExpressionKind::Cast(a) => real_function(a),
    }
}

/// The formula of an operation with these attributes in MLIR's syntax.
#[cfg(test)]
pub(crate) fn formula_of(op: Op, attributes: &str) -> Expression {
    let (context, name) = (hb_dialects::context(), op.name());
    let text = format!(
        "func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {{ %0 = {name} %x {{{attributes}}} : (tensor<1xf32>) -> \
         tensor<1xf32> return %0 : tensor<1xf32> }}"
    );
    let module = melior::ir::Module::parse(&context, &text).unwrap();
    let function = hb_dialects::ir::functions(module.as_operation());
    let block = hb_dialects::ir::body(function[0]).unwrap();
    scalar_formula(hb_dialects::ir::operations(block)[0]).unwrap().unwrap()
}

/// Every scalar function with the defaults of its attributes.
#[cfg(test)]
pub(crate) fn formulas() -> impl Iterator<Item = (Op, Expression)> {
    let scalar = Op::ALL.iter().filter(|op| matches!(op.kind(), OpKind::Scalar(_)));
    scalar.map(|&op| (op, formula_of(op, "")))
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut tested = BTreeSet::new();
        for Row { name, parameters, y } in &recorded.functions {
            let op = Op::ALL.iter().find(|op| op.onnx().name == name).unwrap();
            let OpKind::Scalar(_) = op.kind() else { continue };
            tested.insert(op.name());
            let given: Vec<String> = parameters
                .iter()
                .map(|(name, value)| match name.as_str() {
                    "approximate" if *value == 1.0 => "approximate = \"tanh\"".to_owned(),
                    _ => format!("{name} = {value:?} : f32"),
                })
                .collect();
            let function = real_function(&formula_of(*op, &given.join(", ")));
            // The evaluator computes the error function in f32, everything else in f64.
            let tolerance = if ["Erf", "Gelu"].contains(&name.as_str()) { 2e-7 } else { 1e-12 };
            for (x, y) in recorded.x.iter().zip(y) {
                let expected = y.as_f64().unwrap_or_else(|| y.as_str().unwrap().parse().unwrap());
                let found = function(*x);
                let near = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
                assert!(
                    near || found == expected || (found.is_nan() && expected.is_nan()),
                    "{name} {x}: {found} {expected}"
                );
            }
        }
        assert_eq!(tested, formulas().map(|(op, _)| op.name()).collect());
    }

    #[test]
    fn results_are_scaled_and_shifted() {
        let function_of = |op, attributes| real_function(&formula_of(op, attributes));
        let f = function_of(Op::HardSwish, "result_scale = 2.0 : f32, result_shift = -1.0 : f32");
        // Beyond 3 a HardSwish is x, below -3 it is 0.
        assert_eq!([-4.0, 0.0, 3.0, 5.0].map(f), [-1.0, -1.0, 5.0, 9.0]);
        assert_eq!(function_of(Op::Sigmoid, "result_shift = -0.5 : f32")(0.0), 0.0);
    }

    #[test]
    fn the_error_function_has_double_precision() {
        let erf = real_function(&formula_of(Op::Erf, ""));
        // Python's math.erf.
        assert!((erf(0.5) - 0.520_499_877_813_046_5).abs() < 1e-15);
        assert!((erf(-1.5) + 0.966_105_146_475_310_7).abs() < 1e-15);
    }
}
