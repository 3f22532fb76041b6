//! The modes of `hb_compile` on the example, and the tools that look at what it left: `hb_model_info`, `hb_verifier`.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Dimension, Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb::sim::npy;
use hb_dialects::ElementType;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits")
}

fn tool(name: &str) -> &'static str {
    match name {
        "hb_compile" => env!("CARGO_BIN_EXE_hb_compile"),
        "hb_model_info" => env!("CARGO_BIN_EXE_hb_model_info"),
        "hb_verifier" => env!("CARGO_BIN_EXE_hb_verifier"),
        _ => panic!("{name} is no tool"),
    }
}

fn run(folder: &Path, name: &str, arguments: &[&str]) -> Output {
    Command::new(tool(name)).current_dir(folder).args(arguments).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[track_caller]
fn done(folder: &Path, name: &str, arguments: &[&str]) -> Output {
    let output = run(folder, name, arguments);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}

/// The configuration of the example with more lines of each group; results go to `model_output`.
fn configuration(folder: &Path, name: &str, more: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(example().join("config.yaml")).expect("a configuration");
    for (old, new) in [("'./data/calibration'", "data/calibration"), ("'model.onnx'", "model.onnx")] {
        let path = example().join(new).display().to_string();
        text = text.replace(old, &format!("'{path}'"));
    }
    for (group, line) in more {
        text = text.replace(&format!("{group}:\n"), &format!("{group}:\n  {line}\n"));
    }
    std::fs::write(folder.join(name), text).expect("a file");
}

/// An image of the example.
fn sample() -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(example().join("data/calibration"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files[0].display().to_string()
}

/// The example, compiled once for all tests, with every layer as an output, advice, and its samples kept.
static COMPILED: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let more = [
        ("model_parameters", "layer_out_dump: True\n  debug_mode: dump_calibration_data"),
        ("compiler_parameters", "advice: 1\n  core_num: 1"),
    ];
    configuration(folder.path(), "cfg.yaml", &more);
    done(folder.path(), "hb_compile", &["-c", "cfg.yaml"]);
    folder
});

#[test]
fn a_check_says_where_each_node_runs_and_leaves_its_files_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = example().join("model.onnx").display().to_string();
    let output =
        done(folder.path(), "hb_compile", &["-m", &model, "--march", "nash-e", "-i", "image", "1x1x8x8", "--json"]);
    let report = json(&output);
    assert_eq!((&report["status"], &report["mode"]), (&"done".into(), &"check".into()));
    assert!(report["predicted_latency_us"].as_f64().expect("a latency") > 50.0);
    let nodes = report["nodes"].as_array().expect("nodes");
    let on = |place: &str| nodes.iter().filter(|node| node["on"] == place).count() as u64;
    assert_eq!(report["nodes_on_bpu"], on("BPU"));
    assert_eq!(report["nodes_on_cpu"], on("CPU"));
    for node in nodes.iter().filter(|node| node["on"] == "CPU") {
        assert!(node["reason"].as_str().expect("a reason").len() > 10, "{node}");
    }
    let shown = text(&output.stderr);
    assert!(shown.contains(" nodes run on the BPU, ") && shown.contains("results are in '.hb_compile"), "{shown}");
    let mut left: Vec<String> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, [".hb_compile", "hb_compile.log"]);
}

#[test]
fn a_recompilation_gives_the_same_bytes_and_notes_what_cannot_act() {
    let folder = tempfile::tempdir().expect("a folder");
    let stored = COMPILED.path().join("model_output/digits_quantized_model.bc").display().to_string();
    let more = [
        ("model_parameters", "layer_out_dump: True\n  debug_mode: dump_calibration_data"),
        ("compiler_parameters", "advice: 1\n  core_num: 1"),
    ];
    configuration(folder.path(), "cfg.yaml", &more);
    let output = done(folder.path(), "hb_compile", &["-c", "cfg.yaml", "-m", &stored, "--json"]);
    assert!(json(&output)["predicted_latency_us"].as_f64().expect("a latency") > 50.0);
    assert!(!text(&output.stderr).contains("which stays"), "{}", text(&output.stderr));
    let hbm = |folder: &Path| std::fs::read(folder.join("model_output/digits.hbm")).expect("a .hbm");
    assert!(hbm(folder.path()) == hbm(COMPILED.path()), "the same bytes");
    // What the model was made of need not be there any more.
    let text_before = std::fs::read_to_string(folder.path().join("cfg.yaml")).expect("a configuration");
    let example = example().display().to_string();
    assert!(text_before.contains(&example));
    std::fs::write(folder.path().join("cfg.yaml"), text_before.replace(&example, "gone")).expect("a file");
    std::fs::remove_file(folder.path().join("model_output/digits.hbm")).expect("a file");
    let moved = done(folder.path(), "hb_compile", &["-c", "cfg.yaml", "-m", &stored]);
    // What it was made of stays in it.
    assert!(hbm(folder.path()) == hbm(COMPILED.path()), "the same bytes");
    assert!(text(&moved.stderr).contains("onnx_model: is "), "{}", text(&moved.stderr));
    // A network of floats still needs its samples.
    let import = Command::new(env!("CARGO_BIN_EXE_hb-translate"))
        .args(["--import-onnx", "--emit-bytecode", &format!("{example}/model.onnx"), "-o", "float.bc"])
        .current_dir(folder.path())
        .output()
        .expect("runs");
    assert_eq!(import.status.code(), Some(0), "{}", text(&import.stderr));
    let refused = run(folder.path(), "hb_compile", &["-c", "cfg.yaml", "-m", "float.bc"]);
    let shown = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("calibration_parameters.cal_data_dir") && shown.contains("gone/data/calibration"),
        "{shown}"
    );
    std::fs::write(folder.path().join("cfg.yaml"), &text_before).expect("a file");
    // Another percentile would need another calibration.
    let changed = text_before.replace("max_percentile: 1.0", "max_percentile: 0.999");
    assert_ne!(changed, text_before);
    std::fs::write(folder.path().join("cfg.yaml"), changed).expect("a file");
    let output = done(folder.path(), "hb_compile", &["-c", "cfg.yaml", "-m", &stored]);
    let shown = text(&output.stderr);
    assert!(shown.contains("max_percentile: is 0.999, but the model was made with 1, which stays"), "{shown}");
    assert!(hbm(folder.path()) == hbm(COMPILED.path()), "the same bytes");
    // A damaged file is refused by its checksum.
    let mut bytes = std::fs::read(&stored).expect("bytecode");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(folder.path().join("damaged.bc"), bytes).expect("a file");
    let output = run(folder.path(), "hb_compile", &["-c", "cfg.yaml", "-m", "damaged.bc", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert_eq!(report["status"], "failed");
    assert!(report["errors"][0].as_str().expect("an error").contains("changed after hb wrote it"), "{report}");
}

#[test]
fn skipped_steps_leave_what_is_there_by_then() {
    let folder = tempfile::tempdir().expect("a folder");
    configuration(folder.path(), "cfg.yaml", &[]);
    let output = done(folder.path(), "hb_compile", &["-c", "cfg.yaml", "--skip", "convert", "--json"]);
    let report = json(&output);
    assert_eq!(report["last_stage"], "quantize");
    let exists = |ending: &str| folder.path().join(format!("model_output/digits{ending}")).exists();
    assert!(exists("_ptq_model.onnx") && !exists("_quantized_model.bc") && !exists(".hbm"));
    done(folder.path(), "hb_compile", &["-c", "cfg.yaml", "--skip", "compile"]);
    assert!(exists("_quantized_model.bc") && !exists(".hbm"));
}

#[test]
fn every_layer_of_the_hbm_is_the_interpreters_to_the_byte() {
    let folder = COMPILED.path();
    let models = "model_output/digits_quantized_model.bc,model_output/digits.hbm";
    let report = json(&done(folder, "hb_verifier", &["-m", models, "-i", &sample(), "--json", "--min-cosine", "1"]));
    let pair = &report["comparisons"][0];
    let layers = pair["layers"].as_array().expect("layers");
    assert!(layers.len() > 5, "{}", layers.len());
    assert_eq!(pair["first_differing_layer"], Value::Null);
    assert!(layers.iter().all(|layer| layer["equal"] == true));
    assert_eq!(pair["outputs"][0]["differing_bytes"], 0);
    // As many as the report of the compilation has nodes that compute a value of the network.
    let extra = pair["outputs_of_second_only"].as_array().expect("outputs").len();
    assert_eq!(extra, layers.len());
    // Integers say what they mean.
    let info = json(&done(folder, "hb_model_info", &["model_output/digits.hbm", "--json"]));
    let outputs = info["outputs"].as_array().expect("outputs");
    assert_eq!(outputs.len(), extra + 1);
    assert!(
        outputs
            .iter()
            .any(|output| output["element_type"] == "int8" && output["quantization"]["scales"][0].is_number())
    );
}

#[test]
fn three_models_are_compared_with_each_other() {
    let folder = COMPILED.path();
    let models =
        "model_output/digits_original_float_model.onnx,model_output/digits_quantized_model.bc,model_output/digits.hbm";
    let output = done(folder, "hb_verifier", &["-m", models, "-i", &format!("image={}", sample()), "--json"]);
    let report = json(&output);
    let pairs = report["comparisons"].as_array().expect("pairs");
    assert_eq!(pairs.len(), 3);
    for pair in &pairs[..2] {
        let cosine = pair["outputs"][0]["cosine"].as_f64().expect("a cosine");
        assert!((0.98..1.0).contains(&cosine), "{cosine}");
        assert!(pair["outputs"][0]["sqnr_db"].as_f64().expect("a ratio") > 10.0);
        assert!(pair["first_differing_layer"]["name"].is_string());
        // A convolution with its normalization and its Relu is what the Relu computes: compared with the bare one they are not alike.
        let layers = pair["layers"].as_array().expect("layers");
        assert!(layers.iter().any(|layer| layer["name"] == "stem/Relu"), "{layers:?}");
        assert!(layers.iter().all(|layer| layer["cosine"].as_f64().is_some_and(|cosine| cosine > 0.95)), "{layers:?}");
    }
    // A bound that quantization does not reach.
    let output = run(folder, "hb_verifier", &["-m", models, "-i", &sample(), "--min-cosine", "0.9999999"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("at least 0.9999999 is wanted"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("is the first that differs"), "{}", text(&output.stdout));
}

#[test]
fn integers_of_every_level_mean_what_their_scales_say_and_a_network_that_was_cut_is_compared_at_the_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    configuration(folder, "integers.yaml", &[("model_parameters", "remove_node_type: Dequantize")]);
    done(folder, "hb_compile", &["-c", "integers.yaml"]);
    let models =
        "model_output/digits_original_float_model.onnx,model_output/digits_quantized_model.bc,model_output/digits.hbm";
    let sample = sample();
    let arguments = ["-m", models, "-i", &sample, "--json", "--min-cosine", "0.98"];
    for pair in json(&done(folder, "hb_verifier", &arguments))["comparisons"].as_array().expect("pairs") {
        let output = &pair["outputs"][0];
        // The logits go up to some tens: without their scale integers would be off by more.
        assert!(output["max_absolute_error"].as_f64().expect("a number") < 2.0, "{output}");
    }
    let types = json(&done(folder, "hb_model_info", &["model_output/digits.hbm", "--json"]));
    assert_ne!(types["outputs"][0]["element_type"], "float32");

    // Without its head, and a bound that what is left reaches.
    configuration(folder, "cut.yaml", &[("model_parameters", "output_nodes: residual_1/Relu")]);
    let original = folder.join("model_output/digits_original_float_model.onnx");
    std::fs::copy(&original, folder.join("whole.onnx")).expect("a copy");
    done(folder, "hb_compile", &["-c", "cut.yaml"]);
    let models = "whole.onnx,model_output/digits.hbm";
    done(folder, "hb_verifier", &["-m", models, "-i", &sample, "--min-cosine", "0.98"]);
    let output = run(folder, "hb_verifier", &["-m", models, "-i", &sample, "--min-cosine", "0.9999999"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("output 'residual_1/Relu'"), "{}", text(&output.stderr));
}

#[test]
fn what_cannot_be_compared_is_said() {
    let folder = COMPILED.path();
    let hbm = "model_output/digits.hbm";
    for (models, input, message) in [
        (format!("{hbm},none.hbm"), sample(), "none.hbm"),
        (format!("{hbm},{hbm}"), "other=x.npy".into(), "no input \"other\""),
        (format!("{hbm},{hbm}"), "none.npy".into(), "none.npy"),
    ] {
        let output = run(folder, "hb_verifier", &["-m", &models, "-i", &input]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(message), "{}", text(&output.stderr));
    }
    // Two files for one input, of which both models take the first.
    let (models, sample) = (format!("{hbm},{hbm}"), sample());
    let output = run(folder, "hb_verifier", &["-m", &models, "-i", &sample, "-i", &format!("image={sample}")]);
    assert!(text(&output.stderr).contains("used by no model"), "{}", text(&output.stderr));
    for arguments in
        [&["-m", "a.onnx", "-i", "x"] as &[&str], &["-m", "a,b"], &["-m", "a,b", "-i", "x", "--min-cosine", "2"]]
    {
        assert_eq!(run(folder, "hb_verifier", arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn model_info_knows_every_kind() {
    let folder = COMPILED.path();
    let info = |path: &str| json(&done(folder, "hb_model_info", &[path, "--json"]));
    let onnx = info("model_output/digits_original_float_model.onnx");
    assert_eq!((&onnx["kind"], &onnx["inputs"][0]["shape"]), (&"onnx".into(), &serde_json::json!([1, 1, 8, 8])));
    let (bc, hbm) = (info("model_output/digits_quantized_model.bc"), info("model_output/digits.hbm"));
    assert_eq!((&bc["kind"], &hbm["kind"]), (&"bpu".into(), &"hbm".into()));
    // The same parameters in both files, with what was given.
    assert_eq!(bc["parameters"], hbm["parameters"]);
    let given = |name: &str| {
        let rows = hbm["parameters"].as_array().expect("rows");
        rows.iter().find(|row| row["name"] == name).expect("a row")["given"].clone()
    };
    assert_eq!(given("layer_out_dump"), "true");
    assert_eq!(given("balance_factor"), Value::Null);
    assert!(bc["removable_nodes"].as_array().expect("nodes").iter().any(|node| node["type"] == "Quantize"), "{bc}");
    assert!(hbm["memory"]["constant_bytes"].as_u64().expect("bytes") > 0);
    assert_eq!(hbm["memory"]["input_bytes"], 256);
    let shown = text(&done(folder, "hb_model_info", &["model_output/digits_quantized_model.bc"]).stdout);
    assert!(shown.contains("Removable nodes") && shown.contains("calibration_type"), "{shown}");
}

#[test]
fn samples_are_kept_and_advice_is_written() {
    let folder = COMPILED.path().join("model_output");
    let kept = |index: usize| folder.join(format!("calibration_data/image/{index:06}.npy"));
    let count = std::fs::read_dir(example().join("data/calibration")).expect("a folder").count();
    assert!(kept(count - 1).exists() && !kept(count).exists());
    // What is kept is what the model takes.
    let models = "model_output/digits_original_float_model.onnx,model_output/digits_quantized_model.bc";
    let path = kept(0).display().to_string();
    done(COMPILED.path(), "hb_verifier", &["-m", models, "-i", &path]);
    // The layers of the example are small.
    assert_eq!(std::fs::read_to_string(folder.join("digits_advice.json")).expect("a file"), "[]\n");
}

/// An input or output of a graph.
fn tensor(name: &str, element: ElementType, shape: &[usize]) -> onnx::model::Value {
    let shape = shape.iter().copied().map(Dimension::Fixed).collect();
    onnx::model::Value { name: name.into(), element: Some(element), shape: Some(shape) }
}

/// Rows of a table by number, then a product: a network with an integer input.
fn save_lookup(path: &Path) {
    let numbers = |shape: &[usize], step: usize| {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|index| (index * step % 41) as f32 / 20.0 - 1.0).collect();
        Tensor::from_f32s(&values).reshaped(shape.to_vec()).expect("a tensor")
    };
    let graph = Graph {
        name: "lookup".into(),
        nodes: vec![
            // A sum of integers is no normalization.
            Node::new("moved", "Add", &["ids", "one"], &["places"]),
            Node::new("rows", "Gather", &["table", "places"], &["found"]).with("axis", Attribute::Int(0)),
            Node::new("product", "MatMul", &["found", "weights"], &["sums"]),
            Node::new("positive", "Relu", &["sums"], &["y"]),
        ],
        inputs: vec![tensor("ids", ElementType::I64, &[1, 4])],
        outputs: vec![tensor("y", ElementType::F32, &[1, 4, 16])],
        initializers: vec![
            (
                "one".into(),
                Tensor::new(ElementType::I64, vec![1], 1i64.to_le_bytes().to_vec().into()).expect("a tensor"),
            ),
            ("table".into(), numbers(&[11, 8], 7)),
            ("weights".into(), numbers(&[8, 16], 11)),
        ],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), path).expect("written");
}

#[test]
fn an_integer_input_has_integer_samples() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    save_lookup(&folder.join("lookup.onnx"));
    std::fs::create_dir(folder.join("samples")).expect("a folder");
    let save = |name: &str, array: &Array| {
        std::fs::write(folder.join(name), npy::encode(array).expect("encodes")).expect("a file");
    };
    // int64, another integer type without the batch, and several in one file as doubles that are whole numbers.
    save("samples/a.npy", &Array::from_values(&[1, 4], &[0i64, 3, 9, 1]).expect("an array"));
    save("samples/b.npy", &Array::from_values(&[4], &[5u8, 2, 7, 7]).expect("an array"));
    save(
        "samples/c.npy",
        &Array::from_values(&[2, 1, 4], &[4.0f64, 6.0, 8.0, 0.0, 1.0, 1.0, 2.0, 3.0]).expect("an array"),
    );
    let yaml = "model_parameters:\n  onnx_model: lookup.onnx\n  march: nash-e\n  output_model_file_prefix: lookup\n\
                input_parameters:\n  input_name: ids\n  input_type_train: featuremap\n  input_type_rt: featuremap\n  \
                input_layout_train: NCHW\n  norm_type: no_preprocess\n\
                calibration_parameters:\n  cal_data_dir: samples\n  calibration_type: max\n\
                compiler_parameters:\n  jobs: 1\n";
    std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
    done(folder, "hb_compile", &["-c", "cfg.yaml"]);
    save("x.npy", &Array::from_values(&[1, 4], &[2i64, 9, 5, 8]).expect("an array"));
    let models = "lookup.onnx,model_output/lookup_quantized_model.bc,model_output/lookup.hbm";
    let report = json(&done(folder, "hb_verifier", &["-m", models, "-i", "x.npy", "--min-cosine", "0.98", "--json"]));
    assert_eq!(report["comparisons"][2]["outputs"][0]["differing_bytes"], 0);
    // What the input cannot hold is no sample.
    save("samples/d.npy", &Array::from_values(&[4], &[0.5f32, 1.0, 2.0, 3.0]).expect("an array"));
    let output = run(folder, "hb_compile", &["-c", "cfg.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(errors.contains("d.npy") && errors.contains("0.5"), "{errors}");
}

#[test]
fn a_node_goes_to_the_cpu_where_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let requests = "node_info: {'residual_2/Add': {ON: CPU}, 'residual_1/Conv': {ON: BPU}}";
    configuration(folder.path(), "cfg.yaml", &[("model_parameters", requests)]);
    let output = done(folder.path(), "hb_compile", &["-c", "cfg.yaml", "--json"]);
    let report = json(&output);
    let nodes = report["nodes"].as_array().expect("nodes");
    let made_from = |name: &str| {
        let all = nodes.iter().filter(|node| node["made_from"].as_array().expect("names").contains(&name.into()));
        all.cloned().collect::<Vec<_>>()
    };
    for node in made_from("residual_2/Add") {
        assert_eq!((&node["on"], &node["reason"]), (&"CPU".into(), &"node_info asks for the CPU".into()), "{node}");
        assert!(
            node["crossings"].as_array().expect("a list").iter().any(|way| way["direction"] == "from BPU"),
            "{node}"
        );
    }
    assert!(!made_from("residual_2/Add").is_empty());
    assert!(made_from("residual_1/Conv").iter().all(|node| node["on"] == "BPU"));
    let shown = text(&output.stderr);
    assert!(shown.contains("runs on the CPU: node_info asks for the CPU; "), "{shown}");
    // hb-opt's pipeline has the request, too.
    let output = done(folder.path(), "hb_compile", &["-c", "cfg.yaml", "--print-pipeline", "--quiet"]);
    assert!(text(&output.stdout).contains("quant-assign-placement{cpu=residual_2/Add}"), "{}", text(&output.stdout));
}

/// A product, and a branch that negates it where its sum is not positive.
fn save_branch(path: &Path) {
    let value = |name: &str| tensor(name, ElementType::F32, &[1, 4]);
    let branch = |node: &str, operator: &str, result: &str| Graph {
        name: node.into(),
        nodes: vec![Node::new(node, operator, &["product"], &[result])],
        outputs: vec![onnx::model::Value { shape: None, ..value(result) }],
        ..Graph::default()
    };
    let weights = Tensor::from_f32s(&[0.5, -0.25, 1.0, 0.75]).reshaped(vec![4, 1]).expect("a tensor");
    let graph = Graph {
        name: "branch".into(),
        nodes: vec![
            Node::new("product", "Mul", &["x", "x"], &["product"]),
            Node::new("sum", "MatMul", &["product", "weights"], &["sum"]),
            Node::new("positive", "Greater", &["sum", "zero"], &["positive"]),
            Node::new("branch", "If", &["positive"], &["y"])
                .with("then_branch", Attribute::Graph(Box::new(branch("keep", "Relu", "kept"))))
                .with("else_branch", Attribute::Graph(Box::new(branch("turn", "Neg", "turned")))),
        ],
        inputs: vec![value("x")],
        outputs: vec![value("y")],
        initializers: vec![
            ("weights".into(), weights),
            ("zero".into(), Tensor::from_f32s(&[0.0]).reshaped(vec![1, 1]).expect("a tensor")),
        ],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), path).expect("written");
}

#[test]
fn nodes_inside_of_a_branch_are_known_and_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    save_branch(&folder.join("branch.onnx"));
    let compile = |model: &str, types: &str| {
        let yaml = format!(
            "model_parameters:\n  onnx_model: branch.onnx\n  march: nash-e\n{model}input_parameters:\n  \
             input_type_train: featuremap\n  input_type_rt: featuremap\n\
             calibration_parameters:\n  calibration_type: skip\n{types}"
        );
        std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
        run(folder, "hb_compile", &["-c", "cfg.yaml"])
    };
    let told = |model: &str, types: &str, sentences: &[&str]| {
        let shown = text(&compile(model, types).stderr);
        for sentence in sentences {
            assert!(shown.contains(sentence), "{shown}\nholds {sentence}");
        }
    };
    told(
        "  node_info: {keep: {ON: BPU}}\n",
        "  quant_config: {node_config: {turn: {type: int16}}}\n",
        &[
            "node_info: node 'keep' is inside of node 'branch' (If), which runs on the CPU as a whole",
            "node 'turn' stays float32: it is inside of node 'branch' (If)",
            "has no code for the board, so only the simulator runs it: node 'branch'",
        ],
    );
    let quiet = text(&compile("  node_info: {keep: {ON: CPU}}\n", "").stderr);
    assert!(!quiet.contains("'keep'"), "{quiet}");
    let inside = "node 'keep' is inside of node 'branch' (If), whose results alone can be outputs";
    told("  output_nodes: keep\n", "", &[inside]);
    let inside = "node 'keep' cannot be removed: it is inside of node 'branch' (If), which stays whole";
    told("  remove_node_name: keep\n", "", &[inside]);
}

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
    assert!(shown.contains("the weights of 1 layers have 16 bits"), "{shown}");
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
    // What is not there yet, and what is not in the model.
    for (lines, expected) in [
        ("  optimization: lstm_batch_last\n", "'lstm_batch_last' is known to the manual, not supported yet"),
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

/// A network that normalizes by itself, and samples that it cannot mean.
#[test]
fn samples_that_cannot_belong_to_the_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let value = |name: &str| tensor(name, ElementType::F32, &[1, 3, 4, 4]);
    let constant =
        |values: &[f32], shape: &[usize]| Tensor::from_f32s(values).reshaped(shape.to_vec()).expect("a tensor");
    let graph = Graph {
        name: "normalizes".into(),
        nodes: vec![
            Node::new("Sub_0", "Sub", &["x", "mean"], &["a"]),
            Node::new("Div_1", "Div", &["a", "deviation"], &["b"]),
            Node::new("Relu_2", "Relu", &["b"], &["y"]),
        ],
        inputs: vec![value("x")],
        outputs: vec![value("y")],
        initializers: vec![
            ("mean".into(), constant(&[0.485, 0.456, 0.406], &[1, 3, 1, 1])),
            ("deviation".into(), constant(&[0.229, 0.224, 0.225], &[1, 3, 1, 1])),
        ],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.join("network.onnx")).expect("written");
    let yaml = "model_parameters:\n  onnx_model: network.onnx\n  march: nash-e\n  output_model_file_prefix: network\n\
                input_parameters:\n  input_type_train: featuremap\n  input_type_rt: featuremap\n  \
                input_layout_train: NCHW\n  norm_type: no_preprocess\n\
                calibration_parameters:\n  cal_data_dir: samples\n  calibration_type: max\n\
                compiler_parameters:\n  jobs: 1\n";
    std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
    std::fs::create_dir(folder.join("samples")).expect("a folder");
    let compile = |values: &[f32]| {
        let array = Array::from_values(&[1, 3, 4, 4], values).expect("an array");
        std::fs::write(folder.join("samples/only.npy"), npy::encode(&array).expect("encodes")).expect("a file");
        run(folder, "hb_compile", &["-c", "cfg.yaml"])
    };
    let pixels: Vec<f32> = (0..48).map(|index| (index * 37 % 256) as f32).collect();
    let told = |values: &[f32]| text(&compile(values).stderr);
    let doubt = "which the network's own normalization makes";
    let shown = told(&pixels);
    assert!(shown.contains(doubt) && shown.contains("divide the samples by 255"), "{shown}");
    let meant: Vec<f32> = pixels.iter().map(|pixel| pixel / 255.0).collect();
    let shown = told(&meant);
    assert!(!shown.contains(doubt), "{shown}");
    for equal in [0.0, 0.5] {
        let shown = told(&[equal; 48]);
        assert!(
            shown.contains(&format!("input 'x': each of the first 1 samples holds nothing but {equal}")),
            "{shown}"
        );
    }
    let output = compile(&[f32::NAN; 48]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("only.npy: it holds NaN"), "{}", text(&output.stderr));
}

#[test]
fn advice_names_what_alignment_costs() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let value = |name: &str, shape: [usize; 4]| tensor(name, ElementType::F32, &shape);
    // 3 channels to 8 over 256 x 256 cells: the array has 16 multipliers for each of 32 sums.
    let weights: Vec<f32> = (0..8 * 3 * 9).map(|index| (index % 7) as f32 / 7.0 - 0.4).collect();
    let weights = Tensor::from_f32s(&weights).reshaped(vec![8, 3, 3, 3]).expect("a tensor");
    let graph = Graph {
        name: "narrow".into(),
        nodes: vec![
            Node::new("narrow/Conv", "Conv", &["x", "w"], &["y"]).with("pads", Attribute::Ints(vec![1, 1, 1, 1])),
        ],
        inputs: vec![value("x", [1, 3, 256, 256])],
        outputs: vec![value("y", [1, 8, 256, 256])],
        initializers: vec![("w".into(), weights)],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.join("narrow.onnx")).expect("written");
    let yaml = "model_parameters:\n  onnx_model: narrow.onnx\n  march: nash-e\n  output_model_file_prefix: narrow\n\
                input_parameters:\n  input_type_train: featuremap\n  input_type_rt: featuremap\n  \
                input_layout_train: NCHW\n  norm_type: no_preprocess\n\
                calibration_parameters:\n  calibration_type: skip\n\
                compiler_parameters:\n  advice: 1\n";
    std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
    let shown = text(&done(folder, "hb_compile", &["-c", "cfg.yaml"]).stderr);
    let file = std::fs::read(folder.join("model_output/narrow_advice.json")).expect("a file");
    let advice: Value = serde_json::from_slice(&file).expect("JSON");
    let all = advice.as_array().expect("a list");
    for one in all {
        let number = |name: &str| one[name].as_f64().expect("a number");
        assert!(number("increase_us") > 1.0, "{one}");
        assert!((number("ideal_us") + number("increase_us") - number("actual_us")).abs() < 1e-6, "{one}");
        assert!(shown.contains(&format!("advice: layer '{}'", one["layer"].as_str().expect("a name"))), "{shown}");
    }
    let products = all.iter().find(|one| one["engine"] == "TAE").expect("the convolution");
    let sizes = |name: &str| -> Vec<u64> {
        products[name].as_array().expect("sizes").iter().map(|size| size.as_u64().expect("a size")).collect()
    };
    let (before, after) = (sizes("shape"), sizes("aligned_shape"));
    assert_eq!(after[..2], [before[0].next_multiple_of(16), before[1].next_multiple_of(32)]);
    assert!(products["padding_ratio"].as_f64().expect("a share") > 0.5, "{products}");
}
