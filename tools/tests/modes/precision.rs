//! What types values have, and what is said of it.

use crate::{configuration, done, json, run, tensor, text};
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb_dialects::ElementType;
use serde_json::Value;

/// The first channel has the largest weights, and is 0 in every sample: the search splits the convolution, and measures again.
#[test]
fn what_is_odd_is_told_once_where_layers_are_split() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let weights = Tensor::from_f32s(&[127.0, 0.3, 90.0, -0.2]).reshaped(vec![2, 2, 1, 1]).expect("a tensor");
    let value = |name: &str| tensor(name, ElementType::F32, &[1, 2, 4, 4]);
    let graph = Graph {
        name: "split".into(),
        nodes: vec![
            Node::new("gone", "Identity", &["x"], &["same"]),
            Node::new("Conv_1", "Conv", &["same", "weights"], &["a"]),
            Node::new("Sigmoid_2", "Sigmoid", &["a"], &["y"]),
        ],
        inputs: vec![value("x")],
        outputs: vec![value("y")],
        initializers: vec![("weights".into(), weights)],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.join("split.onnx")).expect("written");
    std::fs::create_dir(folder.join("samples")).expect("a folder");
    for sample in 0..10 {
        let number = |index: usize| ((index * 37 + sample * 101) % 64) as f32 / 8.0 - 4.0;
        let bytes = (0..32).flat_map(|index| if index < 16 { 0.0 } else { number(index - 16) }.to_le_bytes());
        std::fs::write(folder.join(format!("samples/{sample}.bin")), bytes.collect::<Vec<u8>>()).expect("a sample");
    }
    let told = |nodes: &str| {
        let yaml = format!(
            "model_parameters: {{onnx_model: split.onnx, march: nash-e}}\ninput_parameters: {{input_type_train: featuremap, input_type_rt: \
             featuremap}}\ncalibration_parameters:\n  cal_data_dir: samples\n  quant_config: {{node_config: {{{nodes}}}}}\n"
        );
        std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
        text(&done(folder, "hb_compile", &["-c", "cfg.yaml"]).stderr)
    };
    let shown = told("gone: {type: int16}");
    assert!(shown.contains("1 layer with weights of 16 bits"), "{shown}");
    let warnings: Vec<&str> = shown.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert!(warnings.iter().any(|line| line.contains("'gone' has nothing left to compute")), "{shown}");
    assert!(warnings.iter().all(|line| warnings.iter().filter(|other| *other == line).count() == 1), "{shown}");
    // What is made of the layer is no node of the user's.
    let shown = told("Conv_1: {input1: int16}, Conv_1/low: {output: int8}");
    assert!(shown.contains("'Conv_1/low' is a part of a layer whose weights have 16 bits"), "{shown}");
}

/// A product of activations, whose second operand the BPU takes as int8 only, and a softmax, which runs on the CPU.
#[test]
fn int16_that_cannot_be_is_rolled_back_with_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let value = |name: &str| tensor(name, ElementType::F32, &[1, 4, 4]);
    let graph = Graph {
        name: "attention".into(),
        nodes: vec![
            Node::new("Sigmoid_0", "Sigmoid", &["x"], &["a"]),
            Node::new("Relu_1", "Relu", &["x"], &["b"]),
            Node::new("MatMul_2", "MatMul", &["a", "b"], &["c"]),
            Node::new("LRN_3", "LRN", &["c"], &["y"]).with("size", Attribute::Int(3)),
        ],
        inputs: vec![value("x")],
        outputs: vec![value("y")],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.join("attention.onnx")).expect("written");
    let compile = |lines: &str| {
        let yaml = format!(
            "model_parameters:\n  onnx_model: attention.onnx\n  march: nash-e\n  output_model_file_prefix: attention\n\
             input_parameters:\n  input_type_train: featuremap\n  input_type_rt: featuremap\n  input_layout_train: NCHW\n  \
             norm_type: no_preprocess\ncalibration_parameters:\n  calibration_type: skip\n{lines}compiler_parameters:\n  jobs: 1\n"
        );
        std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
        run(folder, "hb_compile", &["-c", "cfg.yaml"])
    };
    let told = |lines: &str, expected: &[&str]| {
        let output = compile(lines);
        let shown = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        for part in expected {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    };
    told(
        "  optimization: 'set_MatMul_input_int16;set_LRN_input_int16'\n",
        &[
            "int16 is rolled back: input 1 of node 'MatMul_2' (MatMul), the value of 'Relu_1', is int8: ",
            "node 'LRN_3' (LRN) stays float32: ",
        ],
    );
    told(
        "  quant_config: {node_config: {Relu_1: {output: int8}, MatMul_2: {type: int16}}}\n",
        &["input 1 of node 'MatMul_2' (MatMul) stays int8: the output of node 'Relu_1' (Relu) asks for it"],
    );
    told("  optimization: set_model_output_int16\n", &["output 'y' of the model stays as it is"]);
    told(
        "  quant_config: {op_config: {MatMul: {type: float16}}, node_config: {Sigmoid_0: {type: float16}}}\n",
        &[
            "float16 is rolled back: node 'MatMul_2' (MatMul) stays as it is: only the VPU computes in float16: sums of products are for the matrix engine, not for the VPU",
        ],
    );
    told("  optimization: lstm_batch_last\n", &["lstm_batch_last changes nothing: no recurrent layer runs on the BPU"]);
    // What is not in the model.
    for (lines, expected) in [
        (
            "  quant_config: {node_config: {MatMul_3: {type: int16}}}\n",
            "has no node 'MatMul_3'; did you mean 'MatMul_2'",
        ),
        ("  optimization: set_Matmul_input_int16\n", "has no operator 'Matmul'; did you mean 'MatMul'"),
    ] {
        let output = compile(lines);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(expected), "{expected}: {}", text(&output.stderr));
    }
}

#[test]
fn what_is_not_accurate_enough_ends_with_its_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    configuration(folder, "cfg.yaml", &[]);
    let json = |least: &str, status: i32| {
        let output = run(folder, "hb_compile", &["-c", "cfg.yaml", "--min-cosine", least, "--json"]);
        assert_eq!(output.status.code(), Some(status), "{}", text(&output.stderr));
        (json(&output), text(&output.stderr))
    };
    let (good, _) = json("0.9", 0);
    let cosine = good["cosine"].as_f64().expect("a number");
    assert!(cosine > 0.99 && cosine < 1.0, "{cosine}");
    let (bad, told) = json("1", 1);
    assert_eq!((&bad["cosine"], &bad["status"]), (&good["cosine"], &Value::from("failed")));
    assert!(bad["errors"][0].as_str().is_some_and(|error| told.contains(error)), "{}", bad["errors"]);
    assert!(told.contains(&format!("has a mean cosine of {cosine:.6}")) && told.contains("--min-cosine 1"), "{told}");
    let file = std::fs::read_to_string(folder.join("model_output/digits_accuracy.json")).expect("a file");
    let accuracy: Value = serde_json::from_str(&file).expect("JSON");
    assert_eq!(accuracy["judged"]["cosine"], good["cosine"]);
    let nodes = accuracy["nodes"].as_array().expect("a list");
    assert_eq!(nodes.len(), good["nodes"].as_array().expect("a list").len());
    for node in nodes.iter().filter(|node| node["output_data_type"] == "int8") {
        let levels = node["levels_used"].as_f64().expect("a share");
        assert!(levels > 0.0 && levels <= 1.0 && node["threshold"].as_f64().is_some_and(|most| most > 0.0), "{node}");
    }
    let early = run(folder, "hb_compile", &["-c", "cfg.yaml", "--min-cosine", "0.9", "--stop-after", "optimize"]);
    assert!(early.status.code() == Some(1) && text(&early.stderr).contains("nothing is judged before"));
    let check = run(folder, "hb_compile", &["-c", "cfg.yaml", "--min-cosine", "2"]);
    assert!(check.status.code() == Some(2) && text(&check.stderr).contains("a number from 0 to 1"));
}
