//! The tools that look at what a compilation left: `hb_verifier` and `hb_model_info`.

use crate::{COMPILED, configuration, done, json, run, sample, tensor, text};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Graph, Model, Node};
use hb::sim::npy;
use hb_dialects::ElementType;
use serde_json::Value;

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
