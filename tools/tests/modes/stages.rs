//! What `hb_compile` does as a whole: the check of a model, a compilation, one of a stored model, and one that ends early.

use crate::{COMPILED, configuration, done, example, json, run, tensor, text};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Graph, Model, Node};
use hb::sim::npy;
use hb_dialects::ElementType;
use std::path::Path;
use std::process::Command;

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
    // What is stored has no stage left that would be skipped.
    let stored = folder.path().join("model_output/digits_quantized_model.bc").display().to_string();
    let output = run(folder.path(), "hb_compile", &["-c", "cfg.yaml", "-m", &stored, "--skip", "compile"]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        shown.contains("--skip or --stop-after cannot be used with -m") && shown.contains("after place"),
        "{shown}"
    );
}

/// Nobody makes files in `/proc`, not even root.
#[test]
fn a_check_needs_no_folder_that_may_be_written_and_fast_perf_names_the_one_it_needs() {
    let (nowhere, somewhere) = (Path::new("/proc"), tempfile::tempdir().expect("a folder"));
    let model = example().join("model.onnx").canonicalize().expect("a model").display().to_string();
    let check = |folder: &Path, model: &str| {
        done(folder, "hb_compile", &["-m", model, "--march", "nash-e", "-i", "image", "1x1x8x8", "--json"])
    };
    // Relative to where it runs.
    let output = check(nowhere, &format!("..{model}"));
    let (report, kept) = (json(&output), json(&check(somewhere.path(), &model)));
    for same in ["mode", "nodes", "predicted_latency_us"] {
        assert_eq!(report[same], kept[same], "{same}");
    }
    assert_eq!((&report["files"], &report["working_dir"]), (&serde_json::json!([]), &serde_json::Value::Null));
    let shown = text(&output.stderr);
    assert!(
        shown.contains("'.hb_compile' cannot be written: ") && shown.contains("no files of it are kept"),
        "{shown}"
    );
    assert!(!shown.contains("results are in") && shown.contains("\npredicted latency "), "{shown}");

    let output =
        run(nowhere, "hb_compile", &["--fast-perf", "-m", &model, "--march", "nash-e", "-i", "image", "1x1x8x8"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(
        shown.contains("its results go to the folder '.fast_perf' of the current one, which cannot be written: ")
            && shown.contains("compile with --config, whose working_dir says where results go"),
        "{shown}"
    );
}

/// Nodes and values are named apart in ONNX.
#[test]
fn a_node_may_have_the_name_of_an_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let graph = Graph {
        name: "same".into(),
        nodes: vec![Node::new("x", "Sigmoid", &["x"], &["a"]), Node::new("y", "Neg", &["a"], &["y"])],
        inputs: vec![tensor("x", ElementType::F32, &[1, 2, 4, 4])],
        outputs: vec![tensor("y", ElementType::F32, &[1, 2, 4, 4])],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.join("same.onnx")).expect("written");
    let compile = |line: &str| {
        let yaml = format!(
            "model_parameters: {{onnx_model: same.onnx, march: nash-e, {line}}}\ninput_parameters: {{input_name: x, input_type_train: \
             featuremap, input_type_rt: featuremap}}\ncalibration_parameters: {{calibration_type: skip}}\n"
        );
        std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
        run(folder, "hb_compile", &["-c", "cfg.yaml"])
    };
    for line in ["", "output_nodes: x_1", "node_info: {x_1: {ON: CPU}, y: {ON: BPU}}"] {
        let output = compile(line);
        let shown = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        let told = "nodes with the name of an input or of another node are called: x_1 (the file: x)";
        assert!(shown.contains(told), "{shown}");
        let values: Vec<f32> = (0..32).map(|index| index as f32 / 40.0 - 0.4).collect();
        let array = Array::from_values(&[1, 2, 4, 4], &values).expect("an array");
        std::fs::write(folder.join("x.npy"), npy::encode(&array).expect("encodes")).expect("a file");
        // Of a network that was cut the optimized one has the same outputs.
        let models = "model_output/model_optimized_float_model.onnx,model_output/model.hbm";
        done(folder, "hb_verifier", &["-m", models, "-i", "x.npy", "--min-cosine", "0.99"]);
    }
    let shown = text(&compile("output_nodes: x").stderr);
    assert!(shown.contains("the node of that name is called 'x_1' here; write that name"), "{shown}");
}
