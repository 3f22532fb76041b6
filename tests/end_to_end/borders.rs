//! Networks at the borders of what ONNX allows: without inputs, with outputs that nothing computes, with tensors that are empty,
//! with sizes whose names do not hold. Every value is told by arithmetic on paper.

use super::{compile_text, floats, open_model};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Dimension, Graph, Model, Node, Value};
use hb::frontend::onnx::tensor::Tensor;
use hb::sim::infer::{InferRequest, infer};
use hb_dialects::ElementType;
use std::path::Path;

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(super) fn constant(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::new(ElementType::F32, shape.to_vec(), bytes(values).into()).unwrap()
}

/// An f32 array.
pub(super) fn array(shape: &[usize], values: &[f32]) -> Array {
    Array::from_values(shape, values).unwrap()
}

fn value(name: &str, shape: Option<&[usize]>) -> Value {
    let shape = shape.map(|shape| shape.iter().map(|size| Dimension::Fixed(*size)).collect());
    Value { name: name.to_owned(), element: Some(ElementType::F32), shape }
}

fn model(graph: Graph) -> Model {
    Model::new(9, 19, graph)
}

/// A graph of inputs with shapes, constants, nodes and outputs.
pub(super) fn graph(
    inputs: &[(&str, &[usize])],
    constants: &[(&str, Tensor)],
    nodes: Vec<Node>,
    outputs: &[&str],
) -> Graph {
    Graph {
        name: "borders".into(),
        nodes,
        inputs: inputs.iter().map(|(name, shape)| value(name, Some(shape))).collect(),
        outputs: outputs.iter().map(|name| value(name, None)).collect(),
        initializers: constants.iter().map(|(name, tensor)| ((*name).to_owned(), tensor.clone())).collect(),
        ..Graph::default()
    }
}

/// Writes a model, compiles it without samples, and runs the .hbm on arrays.
pub(super) fn compile_and_run(folder: &Path, graph: Graph, inputs: &[Array]) -> Vec<Array> {
    onnx::save(&model(graph), &folder.join("network.onnx")).unwrap();
    compile_and_run_file(folder, "", inputs)
}

fn compile_and_run_file(folder: &Path, input_parameters: &str, inputs: &[Array]) -> Vec<Array> {
    let text = format!(
        "model_parameters:\n  onnx_model: network.onnx\n  march: nash-e\n  working_dir: out\n  output_model_file_prefix: network\n\
         input_parameters:\n  input_type_rt: featuremap\n  input_type_train: featuremap\n  input_layout_train: NCHW\n  norm_type: no_preprocess\n\
         {input_parameters}calibration_parameters:\n  calibration_type: skip\ncompiler_parameters:\n  optimize_level: O2\n"
    );
    compile_text(folder, &text, 1).unwrap();
    open_model(&folder.join("out/network.hbm")).executor.run(inputs).unwrap().outputs
}

#[test]
fn a_network_without_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let constants = [("a", constant(&[1, 3], &[1.0, -2.0, 3.0])), ("b", constant(&[1, 3], &[0.5, 0.5, 0.5]))];
    let nodes = vec![Node::new("sum", "Add", &["a", "b"], &["y"])];
    let outputs = compile_and_run(folder.path(), graph(&[], &constants, nodes, &["y"]), &[]);
    assert_eq!(outputs, [array(&[1, 3], &[1.5, -1.5, 3.5])]);
    let model = open_model(&folder.path().join("out/network.hbm"));
    let results = folder.path().join("results");
    let report = infer(model.executor.as_ref(), &InferRequest { inputs: &[], output_dir: &results, jobs: 1 }).unwrap();
    assert_eq!((report.samples, report.outputs.len()), (1, 1));
    assert_eq!(hb::sim::npy::read(&results.join("y.npy")).unwrap(), outputs[0]);
}

#[test]
fn outputs_that_nothing_computes() {
    let folder = tempfile::tempdir().unwrap();
    // A constant, an input, and a value beside them that the BPU computes.
    let constants = [("c", constant(&[2], &[7.0, -0.25]))];
    let nodes = vec![Node::new("relu", "Relu", &["x"], &["y"])];
    let graph = graph(&[("x", &[1, 4])], &constants, nodes, &["c", "x", "y"]);
    // Within the range of the random samples that calibrate.
    let x = array(&[1, 4], &[-0.5, 0.0, 0.25, 0.5]);
    let outputs = compile_and_run(folder.path(), graph, std::slice::from_ref(&x));
    assert_eq!(outputs[..2], [array(&[2], &[7.0, -0.25]), x]);
    let y: Vec<f32> = super::floats(&outputs[2]);
    // Those samples lie within 1, so a step is at most 1/127; the input is rounded to one and the result to another.
    for (found, expected) in y.iter().zip([0.0, 0.0, 0.25, 0.5]) {
        assert!((found - expected).abs() <= 1.0 / 127.0, "{y:?}");
    }
}

#[test]
fn nothing_but_an_input_as_output() {
    let folder = tempfile::tempdir().unwrap();
    let x = array(&[1, 2], &[3.25, -4.5]);
    let outputs =
        compile_and_run(folder.path(), graph(&[("x", &[1, 2])], &[], vec![], &["x"]), std::slice::from_ref(&x));
    assert_eq!(outputs, [x]);
}

#[test]
fn one_value_as_several_outputs() {
    let folder = tempfile::tempdir().unwrap();
    // `same` is another name of `y`, and `y` is listed twice, which is once.
    let nodes = vec![Node::new("soft", "Softmax", &["x"], &["y"]), Node::new("copy", "Identity", &["y"], &["same"])];
    let graph = graph(&[("x", &[1, 2])], &[], nodes, &["y", "same", "y"]);
    let outputs = compile_and_run(folder.path(), graph, &[array(&[1, 2], &[0.0, 0.0])]);
    assert_eq!(outputs, [array(&[1, 2], &[0.5, 0.5]), array(&[1, 2], &[0.5, 0.5])]);
}

#[test]
fn empty_tensors() {
    let folder = tempfile::tempdir().unwrap();
    // The first 0 of 3 rows, and those 0 rows before the input again.
    let bounds = |values: &[i64]| Tensor::from_i64s(values);
    let constants = [("starts", bounds(&[0])), ("ends", bounds(&[0])), ("axes", bounds(&[0]))];
    let nodes = vec![
        Node::new("slice", "Slice", &["x", "starts", "ends", "axes"], &["none"]),
        Node::new("relu", "Relu", &["none"], &["still_none"]),
        Node::new("join", "Concat", &["still_none", "x"], &["y"]).with("axis", Attribute::Int(0)),
    ];
    let graph = graph(&[("x", &[3, 2])], &constants, nodes, &["still_none", "y"]);
    let x = array(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let outputs = compile_and_run(folder.path(), graph, std::slice::from_ref(&x));
    assert_eq!(outputs[0], array(&[0, 2], &[]));
    assert_eq!(outputs[1].shape(), [3, 2]);
}

/// PaddlePaddle writes `?` for every size that is not known.
#[test]
fn names_of_dimensions_that_do_not_hold() {
    for name in ["?", "size"] {
        let folder = tempfile::tempdir().unwrap();
        let mut graph = graph(&[("x", &[1, 1, 2, 3])], &[], vec![Node::new("soft", "Softmax", &["x"], &["y"])], &["y"]);
        let named = || Dimension::Named(name.to_owned());
        graph.inputs[0].shape = Some(vec![Dimension::Fixed(1), Dimension::Fixed(1), named(), named()]);
        onnx::save(&model(graph), &folder.path().join("network.onnx")).unwrap();
        let x = array(&[1, 1, 2, 3], &[0.0; 6]);
        let shape = "  input_name: x\n  input_shape: 1x1x2x3\n";
        let outputs = compile_and_run_file(folder.path(), shape, std::slice::from_ref(&x));
        assert_eq!(outputs, [array(&[1, 1, 2, 3], &[1.0 / 3.0; 6])], "{name}");
    }
}

/// The mean of a row of one value is that value but for its rounding, which a normalization divides by next to nothing: no level is at fault
/// where that is all of the result.
#[test]
fn rows_of_one_value_are_normalized() {
    let folder = tempfile::tempdir().unwrap();
    let repeats = Tensor::new(ElementType::I64, vec![3], [1i64, 1, 10].map(i64::to_le_bytes).concat().into()).unwrap();
    let constants = [("repeats", repeats), ("scale", constant(&[10], &[1.5; 10]))];
    let nodes = vec![
        Node::new("rows", "Tile", &["x", "repeats"], &["t"]),
        Node::new("norm", "LayerNormalization", &["t", "scale"], &["y"]).with("epsilon", Attribute::Float(1e-6)),
    ];
    let inputs = [array(&[1, 4, 1], &[1.37, -2.9, 0.0, 3.3])];
    let outputs = compile_and_run(folder.path(), graph(&[("x", &[1, 4, 1])], &constants, nodes, &["y"]), &inputs);
    assert!(floats(&outputs[0]).into_iter().all(|value| value.abs() < 5e-3), "{outputs:?}");
}
