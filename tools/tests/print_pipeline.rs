//! `hb_compile --print-pipeline`: the commands that it prints, run by a shell, make the same `.hbm` from the files that a compilation left.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hb::frontend::onnx::{self, model, tensor};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the tools that belong to this test.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_hb_compile")).parent().expect("a folder").to_owned()
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(tools()).chain(std::env::split_paths(&paths));
    let output = Command::new(program)
        .current_dir(folder)
        .args(arguments)
        .env("PATH", std::env::join_paths(paths).expect("paths"))
        .output()
        .expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Compiles what the configuration in `folder` says, takes the .hbm away, and makes it again by the printed commands.
fn check(folder: &Path, configuration: &str, hbm: &str) {
    run(folder, "hb_compile", &["--quiet", "--config", configuration]);
    let first = std::fs::read(folder.join(hbm)).expect("a .hbm");
    std::fs::remove_file(folder.join(hbm)).expect("removed");
    let commands = run(folder, "hb_compile", &["--quiet", "--config", configuration, "--print-pipeline"]);
    assert!(!folder.join(hbm).exists(), "printing compiles nothing");
    run(folder, "sh", &["-c", &format!("set -e\n{commands}")]);
    assert!(std::fs::read(folder.join(hbm)).expect("a .hbm") == first, "{commands}");
}

/// Eight files of so many numbers each, in the folder `samples`.
fn samples(folder: &Path, count: usize) {
    let samples = folder.join("samples");
    std::fs::create_dir(&samples).expect("a folder");
    for seed in 0..8usize {
        let values = (0..count).map(|index| ((index * 29 + seed * 13) % 101) as f32 / 50.0 - 1.0);
        let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        std::fs::write(samples.join(format!("{seed}.bin")), bytes).expect("a sample");
    }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits")
}

#[test]
fn the_example() {
    let folder = tempfile::tempdir().expect("a folder");
    let absolute = |name: &str| format!("'{}'", example().join(name).display());
    let text = std::fs::read_to_string(example().join("config.yaml")).expect("a configuration");
    let text = text.replace("'./data/calibration'", &absolute("data/calibration"));
    let text = text.replace("'model.onnx'", &absolute("model.onnx"));
    let per_channel = text.replace("max_percentile: 1.0", "per_channel: True");
    assert_ne!(per_channel, text);
    for text in [text, per_channel] {
        std::fs::write(folder.path().join("config.yaml"), text).expect("a file");
        check(folder.path(), "config.yaml", "model_output/digits.hbm");
    }
}

/// A convolution for the BPU, then powers for the CPU with exponents that are too many to be printed in line.
fn images() -> model::Model {
    let value = |name: &str, channels: usize| model::Value {
        name: name.into(),
        element: Some(hb_dialects::ElementType::F32),
        shape: Some([1, channels, 6, 8].map(model::Dimension::Fixed).to_vec()),
    };
    let numbers = |count: usize| (0..count).map(|i| ((i * 37 % 23) as f32 - 11.0) / 16.0).collect::<Vec<f32>>();
    let weight = tensor::Tensor::from_f32s(&numbers(2 * 27)).reshaped(vec![2, 3, 3, 3]).expect("a tensor");
    let powers = tensor::Tensor::from_f32s(&numbers(2 * 48)).reshaped(vec![1, 2, 6, 8]).expect("a tensor");
    model::Model::new(
        9,
        19,
        model::Graph {
            name: "network".into(),
            nodes: vec![
                model::Node::new("Conv_0", "Conv", &["the image", "weight"], &["sums"])
                    .with("pads", model::Attribute::Ints(vec![1, 1, 1, 1])),
                model::Node::new("Abs_1", "Abs", &["sums"], &["magnitudes"]),
                model::Node::new("Pow_2", "Pow", &["magnitudes", "powers"], &["result"]),
            ],
            inputs: vec![value("the image", 3)],
            outputs: vec![value("result", 2)],
            initializers: vec![("weight".into(), weight), ("powers".into(), powers)],
            ..model::Graph::default()
        },
    )
}

/// Random samples, an image as input, segments on the CPU, and names that a shell and the syntax of passes do not take as they are.
#[test]
fn images_and_odd_names() {
    let folder = tempfile::tempdir().expect("a folder");
    onnx::save(&images(), &folder.path().join("it's {a}, b.onnx")).expect("a model");
    let text = "
model_parameters: {onnx_model: \"it's {a}, b.onnx\", march: nash-m, output_model_file_prefix: net, working_dir: \"o'u{t %41, $HOME\"}
input_parameters: {input_type_train: rgb, input_type_rt: bgr, input_layout_train: NCHW, norm_type: data_mean_and_scale,
  mean_value: 128 121.5 97, scale_value: 0.017}
calibration_parameters: {calibration_type: skip}
compiler_parameters: {optimize_level: O2}
";
    std::fs::write(folder.path().join("the config.yaml"), text).expect("a file");
    check(folder.path(), "the config.yaml", "o'u{t %41, $HOME/net.hbm");
}

/// Other outputs, nodes that are removed, and a batch whose samples are inputs of their own.
#[test]
fn edits() {
    let folder = tempfile::tempdir().expect("a folder");
    onnx::save(&images(), &folder.path().join("network.onnx")).expect("a model");
    for (name, edits) in [
        ("types", "remove_node_type: 'Quantize;Transpose;Dequantize;Cast;Reshape;Softmax'"),
        ("names", "remove_node_name: 'Conv_0/quantize'"),
    ] {
        let text = format!(
            "
model_parameters: {{onnx_model: network.onnx, march: nash-e, output_model_file_prefix: net, working_dir: {name}, output_nodes: Conv_0, {edits}}}
input_parameters: {{input_type_train: featuremap, input_type_rt: featuremap, input_layout_train: NCHW, input_batch: 3,
  separate_batch: {}}}
calibration_parameters: {{calibration_type: skip}}
compiler_parameters: {{optimize_level: O2}}
",
            if name == "types" { "True" } else { "False" }
        );
        std::fs::write(folder.path().join("config.yaml"), text).expect("a file");
        check(folder.path(), "config.yaml", &format!("{name}/net.hbm"));
    }
}

/// Two recurrent layers as their steps, and one of them whole for the CPU.
#[test]
fn recurrent_layers() {
    let value = |name: &str, shape: &[usize]| model::Value {
        name: name.into(),
        element: Some(hb_dialects::ElementType::F32),
        shape: Some(shape.iter().copied().map(model::Dimension::Fixed).collect()),
    };
    let constant = |name: &str, shape: &[usize]| {
        let numbers: Vec<f32> =
            (0..shape.iter().product()).map(|i: usize| ((i * 37 % 23) as f32 - 11.0) / 16.0).collect();
        (name.to_owned(), tensor::Tensor::from_f32s(&numbers).reshaped(shape.to_vec()).expect("a tensor"))
    };
    let axes = ("axes".to_owned(), tensor::Tensor::from_i64s(&[1]));
    let graph = model::Graph {
        name: "network".into(),
        nodes: vec![
            model::Node::new("the first", "GRU", &["x", "w", "r"], &["all"])
                .with("hidden_size", model::Attribute::Int(4)),
            model::Node::new("flat", "Squeeze", &["all", "axes"], &["states"]),
            model::Node::new("RNN_2", "RNN", &["states", "v", "s"], &["", "last"])
                .with("hidden_size", model::Attribute::Int(4)),
        ],
        inputs: vec![value("x", &[3, 1, 5])],
        outputs: vec![value("last", &[1, 1, 4])],
        initializers: vec![
            constant("w", &[1, 12, 5]),
            constant("r", &[1, 12, 4]),
            constant("v", &[1, 4, 4]),
            constant("s", &[1, 4, 4]),
            axes,
        ],
        ..model::Graph::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    onnx::save(&model::Model::new(9, 19, graph), &folder.path().join("network.onnx")).expect("a model");
    std::fs::create_dir(folder.path().join("samples")).expect("a folder");
    for sample in 0..8 {
        let numbers = (0..15).flat_map(|i| (((i * 7 + sample * 5) % 16) as f32 / 8.0 - 1.0).to_le_bytes());
        std::fs::write(folder.path().join(format!("samples/{sample}.bin")), numbers.collect::<Vec<u8>>())
            .expect("a sample");
    }
    for (name, cpu) in [("steps", ""), ("whole", ", run_on_cpu: the first")] {
        let text = format!(
            "
model_parameters: {{onnx_model: network.onnx, march: nash-e, output_model_file_prefix: net, working_dir: {name}{cpu}}}
input_parameters: {{input_type_train: featuremap, input_type_rt: featuremap, norm_type: no_preprocess}}
calibration_parameters: {{cal_data_dir: samples, calibration_type: default}}
"
        );
        std::fs::write(folder.path().join("config.yaml"), text).expect("a file");
        check(folder.path(), "config.yaml", &format!("{name}/net.hbm"));
    }
}

/// A convolution between scales that the network brings, in the form of QDQ or of QLinearConv; and one behind it with none, where asked for.
fn quantized(integers: bool, more: bool) -> model::Model {
    let value = |name: &str, channels: usize| model::Value {
        name: name.into(),
        element: Some(hb_dialects::ElementType::F32),
        shape: Some([1, channels, 5, 6].map(model::Dimension::Fixed).to_vec()),
    };
    let scale = |name: &str, scale: f32| {
        (name.to_owned(), tensor::Tensor::from_f32s(&[scale]).reshaped(vec![]).expect("a scalar"))
    };
    let bytes = |count: usize| (0..count).map(|index| (index * 37 % 251) as u8).collect::<Vec<u8>>();
    let int8 = |name: &str, shape: &[usize]| {
        let count = shape.iter().product();
        let bytes = if count == 1 { vec![3] } else { bytes(count) };
        (
            name.to_owned(),
            tensor::Tensor::new(hb_dialects::ElementType::I8, shape.to_vec(), bytes.into()).expect("a tensor"),
        )
    };
    let node = model::Node::new;
    let mut nodes = vec![node("Q_0", "QuantizeLinear", &["x", "sx", "zero"], &["xq"])];
    if integers {
        let operands = ["xq", "sx", "zero", "wq", "sw", "none", "sy", "zero"];
        nodes.push(node("Conv_1", "QLinearConv", &operands, &["yq"]));
    } else {
        nodes.extend([
            node("D_0", "DequantizeLinear", &["xq", "sx", "zero"], &["xd"]),
            node("D_w", "DequantizeLinear", &["wq", "sw", "none"], &["w"]),
            node("Conv_1", "Conv", &["xd", "w"], &["c"]),
            node("Q_1", "QuantizeLinear", &["c", "sy", "zero"], &["yq"]),
        ]);
    }
    nodes.push(node("D_1", "DequantizeLinear", &["yq", "sy", "zero"], &["d"]));
    let last = if more { "Conv_2" } else { "Relu_2" };
    nodes.push(if more { node(last, "Conv", &["d", "v"], &["y"]) } else { node(last, "Relu", &["d"], &["y"]) });
    let floats: Vec<f32> = (0..8).map(|index| (index as f32 - 3.4) / 4.0).collect();
    let none = tensor::Tensor::new(hb_dialects::ElementType::I8, vec![], vec![0].into()).expect("a tensor");
    let mut initializers =
        vec![scale("sx", 0.02), scale("sw", 0.01), scale("sy", 0.05), int8("zero", &[]), ("none".into(), none)];
    initializers.push(int8("wq", &[4, 3, 1, 1]));
    if more {
        initializers
            .push(("v".into(), tensor::Tensor::from_f32s(&floats).reshaped(vec![2, 4, 1, 1]).expect("a tensor")));
    }
    let (inputs, outputs) = (vec![value("x", 3)], vec![value("y", if more { 2 } else { 4 })]);
    let name = "quantized".into();
    model::Model::new(9, 19, model::Graph { name, nodes, inputs, outputs, initializers, ..model::Graph::default() })
}

/// Networks that bring scales: of all values, with samples and without, and of some.
#[test]
fn networks_that_are_quantized() {
    let folder = tempfile::tempdir().expect("a folder");
    samples(folder.path(), 90);
    for (integers, more, calibration) in [
        (false, false, "cal_data_dir: samples"),
        (false, false, "calibration_type: skip"),
        (false, true, "cal_data_dir: samples, calibration_type: max"),
        (true, false, "calibration_type: skip"),
        (true, true, "cal_data_dir: samples"),
    ] {
        onnx::save(&quantized(integers, more), &folder.path().join("network.onnx")).expect("a model");
        let text = format!(
            "
model_parameters: {{onnx_model: network.onnx, march: nash-e, output_model_file_prefix: net, working_dir: out}}
input_parameters: {{input_type_train: featuremap, input_type_rt: featuremap}}
calibration_parameters: {{{calibration}}}
"
        );
        std::fs::write(folder.path().join("config.yaml"), text).expect("a file");
        check(folder.path(), "config.yaml", "out/net.hbm");
    }
}

/// float16 next to operations whose form on the BPU depends on where their neighbours run: a cast of truth values, and the positions of maxima.
#[test]
fn float16_behind_a_cast_and_behind_positions() {
    let node = model::Node::new;
    let window = |node: model::Node| {
        let two = || model::Attribute::Ints(vec![2, 2]);
        node.with("kernel_shape", two()).with("strides", two())
    };
    let first = || node("a", "Conv", &["x", "w"], &["a"]);
    let cast = vec![
        first(),
        node("g", "Greater", &["a", "t"], &["g"]),
        node("k", "Cast", &["g"], &["k"]).with("to", model::Attribute::Int(1)),
        node("m", "Mul", &["a", "k"], &["m"]),
        node("y", "Conv", &["m", "w"], &["y"]),
    ];
    let positions = vec![
        first(),
        window(node("p", "MaxPool", &["a"], &["p", "i"])),
        node("r", "Relu", &["p"], &["r"]),
        window(node("m", "MaxUnpool", &["r", "i"], &["m"])),
        node("y", "Conv", &["m", "w"], &["y"]),
    ];
    let value = |name: &str| model::Value {
        name: name.into(),
        element: Some(hb_dialects::ElementType::F32),
        shape: Some([1, 8, 6, 8].map(model::Dimension::Fixed).to_vec()),
    };
    let numbers: Vec<f32> = (0..64).map(|i| ((i * 37 % 23) as f32 - 11.0) / 16.0).collect();
    let weight = tensor::Tensor::from_f32s(&numbers).reshaped(vec![8, 8, 1, 1]).expect("a tensor");
    let limit = tensor::Tensor::from_f32s(&[0.1]).reshaped(vec![]).expect("a scalar");
    let folder = tempfile::tempdir().expect("a folder");
    samples(folder.path(), 8 * 48);
    for nodes in [cast, positions] {
        let graph = model::Graph {
            name: "network".into(),
            nodes,
            inputs: vec![value("x")],
            outputs: vec![value("y")],
            initializers: vec![("w".into(), weight.clone()), ("t".into(), limit.clone())],
            ..model::Graph::default()
        };
        onnx::save(&model::Model::new(9, 19, graph), &folder.path().join("network.onnx")).expect("a model");
        let text = "
model_parameters: {onnx_model: network.onnx, march: nash-e, output_model_file_prefix: net, working_dir: out}
input_parameters: {input_type_train: featuremap, input_type_rt: featuremap}
calibration_parameters: {cal_data_dir: samples, calibration_type: max, quant_config: {node_config: {m: {qtype: float16}}}}
";
        std::fs::write(folder.path().join("config.yaml"), text).expect("a file");
        check(folder.path(), "config.yaml", "out/net.hbm");
    }
}
