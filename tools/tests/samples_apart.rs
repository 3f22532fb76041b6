//! What `hb_compile` tells of models of one sample that `input_shape` makes models of several.

#![allow(clippy::expect_used, reason = "a panic fails the test")]

use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Dimension, Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb_dialects::ElementType;
use std::process::Command;

fn integers(values: &[i64]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(ElementType::I64, vec![values.len()], bytes.into()).expect("a tensor")
}

/// What is told on the console where x of 10 tokens of 16 numbers, of which the file says nothing or 1, becomes two samples.
fn told(batch: Dimension, nodes: Vec<Node>, constants: &[(&str, Tensor)]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let shape = vec![batch, Dimension::Fixed(10), Dimension::Fixed(16)];
    let value = |name: &str, shape| onnx::model::Value { name: name.into(), element: Some(ElementType::F32), shape };
    let graph = Graph {
        name: "tokens".into(),
        nodes,
        inputs: vec![value("x", Some(shape))],
        outputs: vec![value("y", None)],
        initializers: constants.iter().map(|(name, tensor)| ((*name).to_owned(), tensor.clone())).collect(),
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.path().join("tokens.onnx")).expect("written");
    let yaml = "model_parameters: {onnx_model: tokens.onnx, march: nash-e}\ninput_parameters: {input_type_train: featuremap, \
                input_type_rt: featuremap, input_shape: 2x10x16}\ncalibration_parameters: {calibration_type: skip}\n";
    std::fs::write(folder.path().join("cfg.yaml"), yaml).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hb_compile"));
    let output = command.current_dir(folder.path()).args(["-c", "cfg.yaml"]).output().expect("it runs");
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{shown}");
    shown
}

fn reshape(name: &str, x: &str, shape: &str, y: &str) -> Node {
    Node::new(name, "Reshape", &[x, shape], &[y])
}

fn softmax(x: &str, y: &str, axis: i64) -> Node {
    Node::new("Softmax_9", "Softmax", &[x], &[y]).with("axis", Attribute::Int(axis))
}

const MIXED: &str =
    "what is behind the first changes output 'y' at its first, too. If these are samples of a batch, they are mixed";
const NOWHERE: &str = "no output has a dimension of so many. If these are samples of a batch, they are mixed or lost";
const LOST: &str = "no output depends on what is behind the first. If these are samples of a batch, they are lost";

/// The 1 of the batch is a constant, or went into another dimension before, or is asked for by its index.
#[test]
fn samples_that_are_mixed_or_lost() {
    let one = Dimension::Fixed(1);
    let row = || vec![reshape("Reshape_1", "x", "row", "r"), softmax("r", "y", 1)];
    let shown = told(one.clone(), row(), &[("row", integers(&[1, -1]))]);
    assert!(shown.contains(NOWHERE), "{shown}");
    let frozen = "node 'Reshape_1' (Reshape): dimension 0 of its input is 2 in place of 1, but sizes that are constant in the model do not \
                  follow: its result is 1x320, with the shapes of the file 1x160";
    assert!(shown.contains(frozen), "{shown}");
    let shown = told(Dimension::Named("N".into()), row(), &[("row", integers(&[1, -1]))]);
    assert!(shown.contains(NOWHERE), "{shown}");
    // Tokens of both samples in one Softmax, and apart again.
    let folded = vec![
        reshape("Reshape_1", "x", "tokens", "t"),
        reshape("Reshape_2", "t", "together", "u"),
        softmax("u", "v", 1),
        reshape("Reshape_3", "v", "apart", "y"),
    ];
    let sizes =
        [("tokens", integers(&[-1, 16])), ("together", integers(&[1, -1, 16])), ("apart", integers(&[-1, 10, 16]))];
    assert!(told(one.clone(), folded, &sizes).contains(MIXED));
    let first =
        vec![Node::new("Gather_1", "Gather", &["x", "index"], &["g"]), Node::new("Relu_2", "Relu", &["g"], &["y"])];
    let index = Tensor::new(ElementType::I64, vec![], vec![0; 8].into()).expect("a tensor");
    let shown = told(one, first, &[("index", index)]);
    assert!(shown.contains(LOST), "{shown}");
}

#[test]
fn samples_that_stay_apart() {
    for batch in [Dimension::Fixed(1), Dimension::Named("N".into())] {
        let nodes = vec![reshape("Reshape_1", "x", "row", "r"), softmax("r", "y", 1)];
        let shown = told(batch, nodes, &[("row", integers(&[-1, 160]))]);
        assert!(!shown.contains("If these are samples"), "{shown}");
    }
    // Steps first, as recurrent networks give them: [T, N, C].
    let steps = Node::new("Transpose_1", "Transpose", &["x"], &["t"]).with("perm", Attribute::Ints(vec![1, 0, 2]));
    let shown = told(Dimension::Named("N".into()), vec![steps, softmax("t", "y", 2)], &[]);
    assert!(!shown.contains("If these are samples"), "{shown}");
}
