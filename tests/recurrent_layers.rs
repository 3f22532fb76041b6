//! Recurrent layers as the operations of their steps, against what onnxruntime and the data of ONNX's own tests say of the layers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/arrays.rs"]
mod arrays;
mod common;

use common::Case;
use hb::cpu::{Array, ExecutableOptions, FloatExecutable};
use hb::frontend::onnx::{self, ImportOptions, tensor::Tensor};
use hb_dialects::{
    hfloat::Op,
    ir::{self, OperationAttributes},
    names::PLACEMENT_REASON,
};

/// The network of a case with everything but its first input as constants: weights and lengths are inputs in ONNX's own tests.
fn with_constants(case: &Case) -> onnx::model::Model {
    let mut model = onnx::load(&case.model).unwrap();
    for (name, array) in case.inputs.iter().skip(1) {
        let constant = Tensor::new(array.element, array.shape.clone(), array.bytes.clone().into()).unwrap();
        model.graph.inputs.retain(|input| input.name != *name);
        model.graph.initializers.push((name.clone(), constant));
    }
    model
}

/// The outputs of a case by its steps; the reason where a layer stays whole.
fn run(case: &Case, model: onnx::model::Model) -> Result<(), String> {
    let context = hb::pipeline::context();
    let is_input = |name: &String| model.graph.inputs.iter().any(|input| input.name == *name);
    let shapes = case.inputs.iter().filter(|(name, _)| is_input(name));
    let input_shapes = shapes.map(|(name, array)| (name.clone(), array.shape.clone())).collect();
    let mut module = onnx::import(&context, model, &ImportOptions { input_shapes }).unwrap();
    let passes = "func.func(hfloat-infer-shapes,hfloat-unroll-recurrences,hfloat-verify)";
    hb::pipeline::run(&context, &mut module, passes).unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    for operation in ir::operations(ir::body(function).unwrap()) {
        if matches!(Op::of(operation), Some(Op::Lstm | Op::Gru | Op::Rnn)) {
            return Err(operation.string(PLACEMENT_REASON).unwrap());
        }
    }
    let executable = FloatExecutable::compile(function, ExecutableOptions::default()).unwrap();
    let given = |name: &str| arrays::given(&case.inputs.iter().find(|(given, _)| given == name).unwrap().1);
    let inputs: Vec<Array> = executable.inputs().map(|(name, ..)| given(name)).collect();
    let outputs = executable.run(&inputs.iter().collect::<Vec<_>>()).unwrap();
    let outputs: Vec<common::Array> = outputs.iter().map(arrays::recorded).collect();
    case.compare(&outputs).map_err(|error| panic!("{error}"))
}

#[test]
fn the_steps_compute_the_layer() {
    let mut whole = Vec::new();
    let mut count = 0;
    for operator in ["LSTM", "GRU", "RNN"] {
        for case in common::cases_of(operator) {
            count += 1;
            if let Err(reason) = run(&case, with_constants(&case)) {
                whole.push(format!("{}: {reason}", case.name()));
            }
        }
    }
    assert!(count > 30 && whole.len() < count / 3, "{count} cases, whole:\n{}", whole.join("\n"));
    let expected = ["its values are not of 32 bits", "not all of its sequences have"];
    assert!(whole.iter().all(|line| expected.iter().any(|reason| line.contains(reason))), "{whole:#?}");
}

#[test]
fn what_is_known_only_when_it_runs_stays_whole() {
    let case = common::cases_of("GRU").into_iter().find(|case| case.form == "onnx_gru_defaults").unwrap();
    let reason = run(&case, onnx::load(&case.model).unwrap()).unwrap_err();
    assert_eq!(reason, "its weights are known only when it runs");
}
