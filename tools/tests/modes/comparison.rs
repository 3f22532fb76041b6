//! The tools that look at what a compilation left: `hb_verifier` and `hb_model_info`.

use crate::{COMPILED, configuration, done, json, run, sample, tensor, text};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Graph, MadeOf, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb::sim::npy;
use hb_dialects::ElementType;
use serde_json::Value;
use std::path::Path;

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
    let models = "model_output/digits_optimized_float_model.onnx,model_output/digits.hbm";
    done(folder, "hb_verifier", &["-m", models, "-i", &sample, "--min-cosine", "0.98"]);
    // The head of the whole network is in one of the two only: nothing was compared with it.
    let models = "whole.onnx,model_output/digits.hbm";
    done(folder, "hb_verifier", &["-m", models, "-i", &sample]);
    let output = run(folder, "hb_verifier", &["-m", models, "-i", &sample, "--min-cosine", "0.98"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("of whole.onnx is not compared: model_output/digits.hbm has no output of that name"),
        "{errors}"
    );
    assert!(!errors.contains("has cosine"), "{errors}");
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

/// A node may have the name of what another one computes: its layer is not compared with that.
#[test]
fn a_layer_with_the_name_of_another_nodes_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let value = |name: &str| tensor(name, ElementType::F32, &[1, 4]);
    let graph = Graph {
        name: "names".into(),
        nodes: vec![Node::new("o", "Relu", &["x"], &["h"]), Node::new("end", "Neg", &["h"], &["o"])],
        inputs: vec![value("x")],
        outputs: vec![value("o")],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.join("m.onnx")).expect("written");
    let array = Array::from_values(&[1, 4], &[0.5f32, -1.0, 2.0, 3.0]).expect("an array");
    std::fs::create_dir(folder.join("samples")).expect("a folder");
    for file in ["x.npy", "samples/0.npy"] {
        std::fs::write(folder.join(file), npy::encode(&array).expect("encodes")).expect("a file");
    }
    let yaml = "model_parameters: {onnx_model: m.onnx, march: nash-e, output_model_file_prefix: m, working_dir: out, layer_out_dump: true}\n\
                input_parameters: {input_type_train: featuremap, input_type_rt: featuremap}\n\
                calibration_parameters: {cal_data_dir: samples, calibration_type: max}\n";
    std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
    let log = text(&done(folder, "hb_compile", &["-c", "cfg.yaml"]).stderr);
    assert!(log.contains("layer 'o' is output 'o_1'"), "{log}");
    let report = json(&done(folder, "hb_verifier", &["-m", "m.onnx,out/m.hbm", "-i", "x.npy", "--json"]));
    let comparison = &report["comparisons"][0];
    assert!(comparison["outputs"][0]["cosine"].as_f64().is_some_and(|cosine| cosine > 0.999), "{comparison:#}");
    let layers = comparison["layers"].as_array().expect("a list");
    assert!(layers.iter().all(|layer| layer["cosine"].as_f64().is_some_and(|cosine| cosine > 0.999)), "{layers:#?}");
}

/// Weights whose channels differ, and a normalization that moves every value: what is fused is far from what it was fused into.
fn save_fused(folder: &Path) {
    let numbers = |shape: &[usize], step: usize| {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|index| (index * step % 23) as f32 / 11.0 - 1.0).collect();
        Tensor::from_f32s(&values).reshaped(shape.to_vec()).expect("a tensor")
    };
    let four = |values: [f32; 4]| Tensor::from_f32s(&values);
    let graph = Graph {
        name: "fused".into(),
        nodes: vec![
            Node::new("conv", "Conv", &["x", "w"], &["c"]),
            Node::new("norm", "BatchNormalization", &["c", "scale", "shift", "mean", "variance"], &["n"]),
            Node::new("relu", "Relu", &["n"], &["r"]),
            Node::new("head", "Conv", &["r", "v"], &["h"]),
            Node::new("scaled", "BatchNormalization", &["h", "scale", "shift", "mean", "variance"], &["y"]),
        ],
        inputs: vec![tensor("x", ElementType::F32, &[1, 3, 8, 8])],
        outputs: vec![tensor("y", ElementType::F32, &[1, 4, 6, 6])],
        initializers: vec![
            ("w".into(), numbers(&[4, 3, 3, 3], 7)),
            ("v".into(), numbers(&[4, 4, 1, 1], 5)),
            ("scale".into(), four([1.0, -2.0, 0.5, 3.0])),
            ("shift".into(), four([-1.0, 2.0, 0.25, -3.0])),
            ("mean".into(), four([2.0, -1.0, 0.5, 1.0])),
            ("variance".into(), four([4.0, 1.0, 0.5, 2.0])),
        ],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.join("m.onnx")).expect("written");
    let values: Vec<f32> = (0..192).map(|index| (index * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let array = Array::from_values(&[1, 3, 8, 8], &values).expect("an array");
    std::fs::create_dir(folder.join("samples")).expect("a folder");
    for file in ["x.npy", "samples/0.npy"] {
        std::fs::write(folder.join(file), npy::encode(&array).expect("encodes")).expect("a file");
    }
    let yaml = "model_parameters: {onnx_model: m.onnx, march: nash-e, output_model_file_prefix: m, working_dir: out, layer_out_dump: true}\n\
                input_parameters: {input_type_train: featuremap, input_type_rt: featuremap}\n\
                calibration_parameters: {cal_data_dir: samples, calibration_type: max}\n";
    std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
}

/// A convolution with its normalization and its Relu is the Relu: every pair that is compared is one tensor, at every stage.
#[test]
fn stages_of_a_fused_network_are_compared_tensor_by_tensor() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    save_fused(folder);
    done(folder, "hb_compile", &["-c", "cfg.yaml"]);
    let of = |stage: &str| format!("out/m_{stage}");
    let [original, optimized, calibrated, ptq, bc] = [
        "original_float_model.onnx",
        "optimized_float_model.onnx",
        "calibrated_model.onnx",
        "ptq_model.onnx",
        "quantized_model.bc",
    ]
    .map(of);
    for models in [
        format!("{original},{optimized},{calibrated}"),
        format!("m.onnx,{optimized},{ptq}"),
        format!("m.onnx,{optimized},{bc}"),
        format!("{calibrated},{ptq},out/m.hbm"),
    ] {
        let report =
            json(&done(folder, "hb_verifier", &["-m", &models, "-i", "x.npy", "--json", "--min-cosine", "0.98"]));
        for pair in report["comparisons"].as_array().expect("pairs") {
            let layers = pair["layers"].as_array().expect("layers");
            let names: Vec<&str> = layers.iter().map(|layer| layer["name"].as_str().expect("a name")).collect();
            assert!(names.contains(&"relu") && names.contains(&"scaled"), "{pair:#}");
            assert!(
                layers.iter().all(|layer| layer["cosine"].as_f64().is_some_and(|cosine| cosine > 0.98)),
                "{pair:#}"
            );
        }
        // What the user's own file has and no later stage.
        let first = &report["comparisons"][0];
        if models.starts_with("m.onnx") {
            let alone = first["layers_not_compared"].as_array().expect("a list");
            let reason = |name: &str| {
                let of_first = alone.iter().find(|layer| layer["name"] == name && layer["model"] == "m.onnx");
                of_first.expect("it is told")["reason"].as_str().expect("a text").to_owned()
            };
            assert!(reason("head").contains("which gives the result of node 'scaled'"), "{alone:#?}");
            assert!(reason("conv").contains(&optimized), "{alone:#?}");
        }
    }
    let shown = text(&done(folder, "hb_verifier", &["-m", &format!("m.onnx,{optimized}"), "-i", "x.npy"]).stdout);
    assert!(shown.contains("are not compared") && shown.contains("layer 'head' (Conv) of m.onnx"), "{shown}");
    // The file says it itself.
    let model = onnx::load(&folder.join(&optimized)).expect("a model");
    let made = |name: &str| model.graph.nodes.iter().find(|node| node.name == name).expect("a node").made_of.clone();
    let nodes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(made("conv"), Some(MadeOf { nodes: nodes(&["conv", "norm"]), result_of: None }));
    assert_eq!(made("relu"), None);
    let head = MadeOf { nodes: nodes(&["head", "scaled"]), result_of: Some("scaled".into()) };
    assert_eq!(made("head"), Some(head));
}

/// Two networks of one input and the output `y`.
fn save_pair(folder: &Path, names: [&str; 2], nodes: [Vec<Node>; 2], shape: &[usize], outputs: [&str; 2]) {
    for ((name, nodes), output) in names.into_iter().zip(nodes).zip(outputs) {
        let graph = Graph {
            name: name.into(),
            nodes,
            inputs: vec![tensor("x", ElementType::F32, shape)],
            outputs: vec![tensor(output, ElementType::F32, shape)],
            initializers: vec![("k".into(), Tensor::from_f32s(&[1.2]))],
            ..Graph::default()
        };
        onnx::save(&Model::new(9, 19, graph), &folder.join(name)).expect("written");
    }
}

#[test]
fn an_output_of_one_value_is_judged_by_its_size_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let nodes = [vec![Node::new("n", "Abs", &["x"], &["y"])], vec![Node::new("n", "Mul", &["x", "k"], &["y"])]];
    save_pair(folder, ["a.onnx", "b.onnx"], nodes, &[1, 1], ["y", "y"]);
    let array = Array::from_values(&[1, 1], &[0.183f32]).expect("an array");
    std::fs::write(folder.join("x.npy"), npy::encode(&array).expect("encodes")).expect("a file");
    let arguments = |least| ["-m", "a.onnx,b.onnx", "-i", "x.npy", "--json", "--min-cosine", least];
    // 2 * 1.2 / (1 + 1.2^2)
    let report = json(&done(folder, "hb_verifier", &arguments("0.98")));
    let cosine = report["comparisons"][0]["outputs"][0]["cosine"].as_f64().expect("a number");
    assert!((cosine - 2.4 / 2.44).abs() < 1e-6, "{cosine}");
    assert_eq!(run(folder, "hb_verifier", &arguments("0.99")).status.code(), Some(1));
}

#[test]
fn an_output_that_nothing_was_compared_with_is_no_success() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // Only the layer `n` is in both: the outputs have other names, and are no layers.
    let with_end = |output| vec![Node::new("n", "Abs", &["x"], &["h"]), Node::new("end", "Neg", &["h"], &[output])];
    let other = vec![Node::new("n", "Abs", &["x"], &["h"]), Node::new("last", "Neg", &["h"], &["z"])];
    save_pair(folder, ["a.onnx", "b.onnx"], [with_end("y"), other], &[1, 4], ["y", "z"]);
    let array = Array::from_values(&[1, 4], &[1.0f32, -2.0, 3.0, 0.5]).expect("an array");
    std::fs::write(folder.join("x.npy"), npy::encode(&array).expect("encodes")).expect("a file");
    let output = run(folder, "hb_verifier", &["-m", "a.onnx,b.onnx", "-i", "x.npy", "--min-cosine", "0.5"]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    for (own, model, other) in [("y", "a.onnx", "b.onnx"), ("z", "b.onnx", "a.onnx")] {
        assert!(
            errors.contains(&format!("output '{own}' of {model} is not compared: {other} has no output of that name")),
            "{errors}"
        );
    }
}

/// An output may be called like its node: it is one of the network all the same, where further layers are dumped behind it.
#[test]
fn outputs_are_told_from_dumped_layers() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let nodes = || vec![Node::new("a", "Relu", &["x"], &["a"]), Node::new("b", "Neg", &["a"], &["b"])];
    let value = |name: &str| tensor(name, ElementType::F32, &[1, 4]);
    for (file, outputs) in [("both.onnx", vec!["a", "b"]), ("one.onnx", vec!["a"])] {
        let graph = Graph {
            name: "names".into(),
            nodes: nodes().into_iter().take(outputs.len()).collect(),
            inputs: vec![value("x")],
            outputs: outputs.into_iter().map(value).collect(),
            ..Graph::default()
        };
        onnx::save(&Model::new(9, 19, graph), &folder.join(file)).expect("written");
    }
    let array = Array::from_values(&[1, 4], &[0.5f32, -1.0, 2.0, 3.0]).expect("an array");
    std::fs::create_dir(folder.join("samples")).expect("a folder");
    for file in ["x.npy", "samples/0.npy"] {
        std::fs::write(folder.join(file), npy::encode(&array).expect("encodes")).expect("a file");
    }
    for dumps in ["false", "true"] {
        let yaml = format!(
            "model_parameters: {{onnx_model: both.onnx, march: nash-e, output_model_file_prefix: m, working_dir: out, layer_out_dump: {dumps}}}\n\
             input_parameters: {{input_type_train: featuremap, input_type_rt: featuremap}}\n\
             calibration_parameters: {{cal_data_dir: samples, calibration_type: max}}\n"
        );
        std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
        done(folder, "hb_compile", &["-c", "cfg.yaml"]);
        let output = run(folder, "hb_verifier", &["-m", "one.onnx,out/m.hbm", "-i", "x.npy", "--min-cosine", "0.9"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains("output 'b' of out/m.hbm is not compared"), "{output:?}");
    }
    let info = json(&done(folder, "hb_model_info", &["out/m.hbm", "--json"]));
    let layers: Vec<&Value> =
        info["outputs"].as_array().expect("outputs").iter().map(|output| &output["layer"]).collect();
    assert_eq!(layers, [&Value::Null, &Value::Null, &"a".into(), &"b".into()]);
    let report = json(&done(folder, "hb_verifier", &["-m", "both.onnx,out/m.hbm", "-i", "x.npy", "--json"]));
    let layers = report["comparisons"][0]["layers"].as_array().expect("layers");
    let names: Vec<&Value> = layers.iter().map(|layer| &layer["name"]).collect();
    assert_eq!(names, ["a", "b"]);
}

/// An output of one network that is a layer inside of the other is judged by every sample, as outputs of one name are.
#[test]
fn an_output_that_is_a_layer_of_the_other_is_judged_by_every_sample() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let cut = vec![Node::new("n", "Relu", &["x"], &["y"])];
    let whole = vec![Node::new("n", "LeakyRelu", &["x"], &["h"]), Node::new("end", "Neg", &["h"], &["z"])];
    save_pair(folder, ["a.onnx", "b.onnx"], [cut, whole], &[1, 16], ["y", "z"]);
    std::fs::create_dir(folder.join("x")).expect("a folder");
    // Without negative values the two are the same.
    for (file, values) in [("x/0.npy", [1.0f32, 2.0, 3.0, 0.5]), ("x/1.npy", [-1.0, -2.0, -3.0, -0.5])] {
        let array = Array::from_values(&[1, 16], &values.repeat(4)).expect("an array");
        std::fs::write(folder.join(file), npy::encode(&array).expect("encodes")).expect("a file");
    }
    let output = run(folder, "hb_verifier", &["-m", "a.onnx,b.onnx", "-i", "x", "--min-cosine", "0.9"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = text(&output.stderr);
    assert!(errors.contains("output 'y' of a.onnx has cosine 0.000000"), "{errors}");
    assert!(
        errors.contains("on one of 2 samples (the mean is 0.500000)") && errors.contains("with layer 'n' of b.onnx"),
        "{errors}"
    );
    assert!(text(&output.stdout).contains("output 'y' of a.onnx is layer 'n' of b.onnx: cosine"), "{output:?}");
}

/// Scores beside boxes in pixels, which one cosine would hide.
#[test]
fn the_worst_slice_counts_and_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mask = |last: f32| {
        let keep = [1.0, 1.0, 1.0, 1.0, last];
        let name = format!("m{last}.onnx");
        let graph = Graph {
            name: "boxes".into(),
            nodes: vec![Node::new("n", "Mul", &["x", "keep"], &["y"])],
            inputs: vec![tensor("x", ElementType::F32, &[1, 64, 5])],
            outputs: vec![tensor("y", ElementType::F32, &[1, 64, 5])],
            initializers: vec![("keep".into(), Tensor::from_f32s(&keep))],
            ..Graph::default()
        };
        onnx::save(&Model::new(9, 19, graph), &folder.join(&name)).expect("written");
        name
    };
    let models = format!("{},{}", mask(1.0), mask(0.0));
    let row = |index: usize| [100.0 + index as f32, 200.0, 50.0, 60.0, (index % 7) as f32 / 7.0];
    let values: Vec<f32> = (0..64).flat_map(row).collect();
    let array = Array::from_values(&[1, 64, 5], &values).expect("an array");
    std::fs::write(folder.join("x.npy"), npy::encode(&array).expect("encodes")).expect("a file");
    let output = run(folder, "hb_verifier", &["-m", &models, "-i", "x.npy", "--min-cosine", "0.99"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("the worst part of output 'y' is slice 4 of axis 2: mean cosine 0.000000"),
        "{output:?}"
    );
    assert!(
        text(&output.stderr).contains("output 'y' of m0.onnx has in slice 4 of axis 2 a mean cosine of 0.000000"),
        "{output:?}"
    );
}

#[test]
fn files_that_do_not_fit_the_options_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("m.onnx"), b"").expect("a file");
    std::fs::write(folder.join("n.prototxt"), b"").expect("a file");
    let error = |program: &str, arguments: &[&str], status| {
        let output = run(folder, program, arguments);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        text(&output.stderr)
    };
    let absent = error("hb_verifier", &["-m", "no.onnx,m.onnx", "-i", "x.npy"], 1);
    assert_eq!(absent, "hb_verifier: no.onnx: there is no such file\n");
    let proto = ["-m", "m.onnx,m.onnx", "-i", "x.npy", "--proto", "n.prototxt"];
    assert!(error("hb_verifier", &proto, 2).contains("none of the models is one; leave it out"));
    let absent = error("hb_compile", &["-m", "no.onnx", "--march", "nash-e"], 1);
    assert!(absent.contains("no.onnx: there is no such file"), "{absent}");
    let both = error("hb_compile", &["-m", "m.onnx", "--proto", "n.prototxt", "--march", "nash-e"], 1);
    assert!(both.contains("m.onnx: an ONNX model holds its structure itself; leave out --proto"), "{both}");
}
