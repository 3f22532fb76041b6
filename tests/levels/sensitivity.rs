//! What the rounding of one value costs the outputs.

use hb::cpu::{Array, ExecutableOptions, FloatExecutable, Observe};
use hb::quant::ThresholdRange;
use hb::quant::calibrate::Samples;
use hb::quant::sensitivity::costs;
use hb_dialects::ir;

const NETWORK: &str = r#"
func.func @main(%x: tensor<1x4xf32> {hfloat.name = "x"}) -> tensor<1x4xf32> {
  %0 = hfloat.relu %x : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("relu")
  %1 = hfloat.abs %0 : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("abs")
  %2 = hfloat.add %0, %1 : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32> loc("add")
  return %2 : tensor<1x4xf32>
}"#;

/// `|a - b|^2 / (|a|^2 + |b|^2)`: outputs of few values are judged by their length, too (decision 0032).
fn distance(left: &[f64], right: &[f64]) -> f64 {
    let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    let difference: Vec<f64> = left.iter().zip(right).map(|(a, b)| a - b).collect();
    square(&difference) / (square(left) + square(right))
}

#[test]
fn costs_on_paper() {
    let context = hb::pipeline::context();
    let module = hb::frontend::mlir::parse(&context, NETWORK.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    let options =
        ExecutableOptions { observe: Observe::Everything, single_threaded: true, ..ExecutableOptions::default() };
    let executable = FloatExecutable::compile(function, options).unwrap();
    let read = |_: &FloatExecutable, _| Ok(vec![Array::from_values(&[1, 4], &[1.0f32, 2.0, 3.0, 127.0]).unwrap()]);
    let samples = Samples { count: 1, read: &read, jobs: 2 };
    // A step of 1 shows all of it; one of 0.1 ends at 12.7.
    let values = [("x", 127.0), ("relu", 127.0), ("x", 12.7), ("relu", 12.7), ("abs", 12.7), ("add", 25.4)];
    let values = values.map(|(name, threshold)| (name, ThresholdRange::from(threshold)));
    let found = costs(function, &executable, &values, &[0], &samples).unwrap();
    let float = [2.0, 4.0, 6.0, 254.0];
    let cut = distance(&float, &[2.0, 4.0, 6.0, 25.4]);
    // Only one of the two operands of the sum is cut.
    let half = distance(&float, &[2.0, 4.0, 6.0, 127.0 + 12.7]);
    for (own, expected) in found.iter().zip([0.0, 0.0, cut, cut, half, cut]) {
        assert!((own - expected).abs() < 1e-6, "{found:?}");
    }
    // Of what is not there nothing is known.
    assert_eq!(costs(function, &executable, &[("unknown", 1.0.into())], &[0], &samples).unwrap(), [1.0]);
    // What was altered once is not altered for the next.
    assert_eq!(costs(function, &executable, &values, &[0], &samples).unwrap(), found);
}

/// Probabilities of 0 and 1 show nothing: what the Sigmoid is made of does.
#[test]
fn what_closes_an_output_is_looked_through() {
    let context = hb::pipeline::context();
    let text = NETWORK.replace(
        "return %2",
        "%3 = hfloat.sigmoid %2 : (tensor<1x4xf32>) -> tensor<1x4xf32> loc(\"sigmoid\")
  %4 = hfloat.flatten %3 : (tensor<1x4xf32>) -> tensor<1x4xf32> loc(\"flatten\")
  return %4",
    );
    let module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    let options = ExecutableOptions { observe: Observe::Everything, ..ExecutableOptions::default() };
    let executable = FloatExecutable::compile(function, options).unwrap();
    let read =
        |_: &FloatExecutable, _| Ok(vec![Array::from_values(&[1, 4], &[100.0f32, 110.0, 120.0, 127.0]).unwrap()]);
    let samples = Samples { count: 1, read: &read, jobs: 1 };
    let values = [("relu", ThresholdRange::from(110.0)), ("sigmoid", ThresholdRange::from(1.0))];
    let found = costs(function, &executable, &values, &[0], &samples).unwrap();
    let step = 110.0 / 127.0;
    let cut = [100.0f64, 110.0, 110.0, 110.0].map(|value| 2.0 * (value / step).round() * step);
    let expected = distance(&[200.0, 220.0, 240.0, 254.0], &cut);
    assert!(expected > 1e-3 && (found[0] - expected).abs() < 1e-6, "{found:?} {expected}");
    // It is behind what is looked at.
    assert!(found[1].abs() < 1e-12, "{found:?}");
}

/// What closes an output is measured at the output.
#[test]
fn what_closes_an_output_costs_something() {
    let context = hb::pipeline::context();
    let text = NETWORK.replace(
        "return %2",
        "%3 = hfloat.sigmoid %2 : (tensor<1x4xf32>) -> tensor<1x4xf32> loc(\"sigmoid\")
  return %3",
    );
    let module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    let options = ExecutableOptions { observe: Observe::Everything, ..ExecutableOptions::default() };
    let executable = FloatExecutable::compile(function, options).unwrap();
    let read = |_: &FloatExecutable, _| Ok(vec![Array::from_values(&[1, 4], &[0.0f32, 0.5, 1.0, 10.0]).unwrap()]);
    let samples = Samples { count: 1, read: &read, jobs: 1 };
    // A threshold of 0.5 cuts all but the first.
    let values = [("sigmoid", ThresholdRange::from(0.5))];
    let found = costs(function, &executable, &values, &[0], &samples).unwrap();
    let float = [0.0f64, 1.0, 2.0, 20.0].map(|value| 1.0 / (1.0 + (-value).exp()));
    let expected = distance(&float, &[0.5; 4]);
    assert!(expected > 1e-3 && (found[0] - expected).abs() < 1e-6, "{found:?} {expected}");
}

/// A value that is computed after what closes another output costs only its own: it is rounded in runs that go on from there.
#[test]
fn what_was_closed_before_stays_as_it_is() {
    let context = hb::pipeline::context();
    let text = r#"
func.func @main(%x: tensor<1x4xf32> {hfloat.name = "x"}) -> (tensor<1x4xf32>, tensor<1x4xf32>) {
  %0 = hfloat.relu %x : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("relu")
  %1 = hfloat.sigmoid %0 : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("sigmoid")
  %2 = hfloat.abs %1 : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("abs")
  %3 = hfloat.add %2, %2 : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32> loc("add")
  return %1, %3 : tensor<1x4xf32>, tensor<1x4xf32>
}"#;
    let module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    let options = ExecutableOptions { observe: Observe::Everything, ..ExecutableOptions::default() };
    let executable = FloatExecutable::compile(function, options).unwrap();
    let inputs = [[0.0f32, 0.5, 1.0, 10.0], [3.0, 0.25, 0.0, 1.0]];
    let read = |_: &FloatExecutable, index: usize| Ok(vec![Array::from_values(&[1, 4], &inputs[index]).unwrap()]);
    // A threshold of 0.6 cuts most probabilities: to 0.6 before the sum, to 0.3 of each term behind it.
    let values = ["add", "abs"].map(|name| (name, ThresholdRange::from(0.6)));
    let expected = [1.0, 2.0].map(|factor| {
        let step = 0.6 / 127.0;
        let float = inputs.concat().into_iter().map(|value| 2.0 / (1.0 + (-f64::from(value)).exp()));
        let float: Vec<f64> = float.collect();
        let own = float.iter().map(|value| factor * ((value / factor).min(0.6) / step).round() * step);
        // Of one vector of all samples.
        distance(&float, &own.collect::<Vec<f64>>())
    });
    for jobs in [1, 2, 5] {
        let samples = Samples { count: 2, read: &read, jobs };
        let found = costs(function, &executable, &values, &[0, 1], &samples).unwrap();
        for (own, expected) in found.iter().zip(expected) {
            assert!((own - expected).abs() < 1e-6, "{jobs} jobs: {found:?} {expected}");
        }
    }
}

/// Quotients by their own softmax, one after the other: each value has two readers, which join again.
#[test]
fn branches_that_join_again_take_linear_time() {
    let context = hb::pipeline::context();
    let kind = "tensor<1x4xf32>";
    let mut text = format!("func.func @main(%v0: {kind} {{hfloat.name = \"x\"}}) -> {kind} {{\n");
    for level in 0..64 {
        let next = level + 1;
        text += &format!(
            "%s{level} = hfloat.softmax %v{level} {{axis = -1 : si64}} : ({kind}) -> {kind} loc(\"s{level}\")\n"
        );
        text += &format!("%v{next} = hfloat.div %v{level}, %s{level} : ({kind}, {kind}) -> {kind} loc(\"d{level}\")\n");
    }
    text += &format!("return %v64 : {kind}\n}}");
    let module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    // A walk without a memory took 2^64 steps.
    hb::quant::measured_values(function).unwrap();
}
