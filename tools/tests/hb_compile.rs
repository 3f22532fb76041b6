//! `hb_compile` as a process: exit status, where messages go, the log.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

fn hb_compile(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hb_compile")).current_dir(folder).args(arguments).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn help_teaches_and_ends_well() {
    let folder = tempfile::tempdir().expect("a folder");
    for option in ["-h", "--help", "--version"] {
        let output = hb_compile(folder.path(), &[option]);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stderr.is_empty());
        assert_eq!(text(&output.stdout).contains("hb_compile --fast-perf --model"), option != "--version");
    }
    assert!(!folder.path().join("hb_compile.log").exists());
}

#[test]
fn wrong_usage_is_2() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [&[] as &[&str], &["--nonsense"], &["-c"], &["--fast-perf"], &["-c", "a", "--fast-perf"]] {
        let output = hb_compile(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_faulty_configuration_is_1_and_all_of_it_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("cfg.yaml"), "model_parameters:\n  march: 'nash_e'\n  wrong: 1\n")
        .expect("a file");
    let output = hb_compile(folder.path(), &["-c", "cfg.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("\ncfg.yaml:2:10: model_parameters.march: 'nash_e' is not how the target is written"),
        "{errors}"
    );
    assert!(errors.contains("\ncfg.yaml:3:3: model_parameters.wrong: no such parameter"), "{errors}");
    assert!(errors.contains("cfg.yaml:1:1: input_parameters.input_type_rt: the parameter is required"), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    let log = std::fs::read_to_string(folder.path().join("hb_compile.log")).expect("a log");
    assert!(log.contains(" file: src/driver/run.rs func: hb::driver::run line No: "), "{log}");
    assert!(log.contains("cfg.yaml:2:10: "), "{log}");
}

#[test]
fn a_missing_configuration_or_model_is_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = hb_compile(folder.path(), &["-c", "none.yaml", "--quiet"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("none.yaml:1:1: the configuration cannot be read"));
    for mode in [&["--fast-perf"] as &[&str], &[]] {
        let output = hb_compile(folder.path(), &[mode, &["-m", "none.onnx", "--march", "nash-e"]].concat());
        assert_eq!(output.status.code(), Some(1));
    }
    let output = hb_compile(folder.path(), &["--fast-perf", "-m", "a", "--march", "nash-e", "--proto", "b"]);
    assert!(text(&output.stderr).contains("b: there is no such file"), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(1));
}

/// The example that the repository ships, through the stages that there are.
#[test]
fn both_modes_import_the_example() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    std::fs::copy(example.join("model.onnx"), folder.path().join("model.onnx")).expect("a copy");
    let fast =
        ["--fast-perf", "-m", "model.onnx", "--march", "nash-e", "-i", "image", "1x1x8x8", "--stop-after", "import"];
    let output = hb_compile(folder.path(), &fast);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let written = std::fs::read_to_string(folder.path().join(".fast_perf/hb_compile.yaml")).expect("a configuration");
    assert!(
        written.contains("onnx_model: \"../model.onnx\"") && written.contains("input_shape: \"1x1x8x8\""),
        "{written}"
    );
    assert!(folder.path().join(".fast_perf/hb_compile.log").exists(), "the log is copied");
    let shown = text(&output.stderr);
    assert!(shown.contains("\nimport: start\nimport: done in "), "{shown}");

    // The file that fast-perf wrote is a configuration like any other; here with a shape of another rank, and with another size, which the
    // nodes of this model take.
    let with_shape = |shape: &str, status: i32| {
        let other = written.replace("1x1x8x8", shape);
        std::fs::write(folder.path().join(".fast_perf/other.yaml"), other).expect("a file");
        let output = hb_compile(folder.path(), &["-c", ".fast_perf/other.yaml", "--stop-after", "optimize"]);
        assert_eq!(output.status.code(), Some(status));
        text(&output.stderr)
    };
    let errors = with_shape("1x1x9", 1);
    assert!(
        errors.contains(".fast_perf/other.yaml:10:16: input_parameters.input_shape: input 'image': 1x1x9 is not"),
        "{errors}"
    );
    let shown = with_shape("1x1x16x16", 0);
    assert!(shown.contains("input_shape makes input 'image' 1x1x16x16, the model says 1x1x8x8"), "{shown}");
}

/// Names in a folder, sorted; none where there is no folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The configuration of examples/digits, with `model` for its model; results go to `model_output` of the folder it lies in.
fn example_configuration(folder: &Path, model: &Path) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    let text = std::fs::read_to_string(example.join("config.yaml")).expect("a configuration");
    let calibration = example.join("data/calibration").display().to_string();
    let text = text.replace("'./data/calibration'", &format!("'{calibration}'"));
    let text = text.replace("'model.onnx'", &format!("'{}'", model.display()));
    std::fs::write(folder.join("cfg.yaml"), text).expect("a file");
}

#[test]
fn the_example_is_compiled_with_its_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits/model.onnx");
    example_configuration(folder.path(), &model);
    let output = hb_compile(folder.path(), &["-c", "cfg.yaml"]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(output.stdout.is_empty());
    // The outputs are on the console; nodes and parameters, which may be many, in the log.
    let log = std::fs::read_to_string(folder.path().join("model_output/hb_compile.log")).expect("a log");
    assert!(shown.contains("TensorName") && log.contains("TensorName"), "{shown}");
    for long in ["residual_2/Add", "calibration_parameters.calibration_type: max"] {
        assert!(log.contains(long) && !shown.contains(long), "{long} in {shown}");
    }
    let last = shown.lines().last().expect("a line");
    assert!(last.starts_with("results are in './model_output'; predicted latency "), "{last}");
    let expected = [
        "digits.hbm",
        "digits.html",
        "digits.json",
        "digits_accuracy.json",
        "digits_calibrated_model.onnx",
        "digits_node_info.csv",
        "digits_optimized_float_model.onnx",
        "digits_original_float_model.onnx",
        "digits_ptq_model.onnx",
        "digits_quant_config.json",
        "digits_quant_info.json",
        "digits_quant_weights.safetensors",
        "digits_quantized_model.bc",
        "hb_compile.log",
    ];
    assert_eq!(names(&folder.path().join("model_output")), expected);
    assert!(folder.path().join("hb_compile.log").exists());
}

/// A folder that may not be written to is no obstacle where the results may be. (A folder in the place of the log stands in the way of every
/// user, the permissions of a folder not of root.)
#[test]
fn a_log_that_cannot_be_here_is_among_the_results() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits/model.onnx");
    example_configuration(folder.path(), &model);
    std::fs::create_dir(folder.path().join("hb_compile.log")).expect("a folder");
    let output = hb_compile(folder.path(), &["-c", "cfg.yaml"]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let told =
        shown.lines().filter(|line| line.contains("cannot be written") && line.contains("with the results alone"));
    assert_eq!(told.count(), 1, "{shown}");
    let results = folder.path().join("model_output");
    let log = std::fs::read_to_string(results.join("hb_compile.log")).expect("a log");
    assert!(log.contains("results are in") && log.contains("calibration_type: max"), "{log}");
    // A run that fails has no other place for its log either.
    let cut = std::fs::read_to_string(folder.path().join("cfg.yaml")).expect("a configuration");
    let cut = cut.replace("model_parameters:\n", "model_parameters:\n  remove_node_name: 'nothing'\n");
    std::fs::write(folder.path().join("cfg.yaml"), cut).expect("a file");
    assert_eq!(hb_compile(folder.path(), &["-c", "cfg.yaml"]).status.code(), Some(1));
    let log = std::fs::read_to_string(results.join("hb_compile.log")).expect("a log");
    assert!(log.contains("no node 'nothing'"), "{log}");
}

/// A latency says nothing without what the inputs were taken for.
#[test]
fn fast_perf_says_what_it_takes_inputs_for() {
    use hb::frontend::onnx::{self, model};
    let folder = tempfile::tempdir().expect("a folder");
    let value = |name: &str, shape: &[usize]| model::Value {
        name: name.into(),
        element: Some(hb_dialects::ElementType::F32),
        shape: Some(shape.iter().copied().map(model::Dimension::Fixed).collect()),
    };
    let nodes = vec![
        model::Node::new("Relu_0", "Relu", &["image"], &["y"]),
        model::Node::new("Abs_1", "Abs", &["map"], &["z"]),
    ];
    let graph = model::Graph {
        name: "two".into(),
        nodes,
        inputs: vec![value("image", &[1, 3, 6, 4]), value("map", &[1, 5])],
        outputs: vec![value("y", &[1, 3, 6, 4]), value("z", &[1, 5])],
        ..model::Graph::default()
    };
    onnx::save(&model::Model::new(9, 19, graph), &folder.path().join("two.onnx")).expect("a model");
    let output = hb_compile(folder.path(), &["--fast-perf", "-m", "two.onnx", "--march", "nash-e"]);
    let shown = text(&output.stderr);
    for line in [
        "input 'image' (1x3x6x4) is taken for an image: nv12 at run time, trained on bgr in NCHW",
        "input 'map' (1x5) is taken for a featuremap",
    ] {
        assert!(shown.lines().any(|told| told == line), "{shown}\nholds {line}");
    }
}

/// The number of threads leaves no trace in any result but the log.
#[test]
fn jobs_change_no_byte() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits/model.onnx");
    let folders = ["1", "2"].map(|jobs| {
        let folder = tempfile::tempdir().expect("a folder");
        example_configuration(folder.path(), &model);
        let file = folder.path().join("cfg.yaml");
        let configuration = std::fs::read_to_string(&file).expect("a configuration");
        assert!(configuration.contains("jobs: 2"), "{configuration}");
        std::fs::write(&file, configuration.replace("jobs: 2", &format!("jobs: {jobs}"))).expect("a file");
        let output = hb_compile(folder.path(), &["-c", "cfg.yaml"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        folder
    });
    let [one, two] = folders.each_ref().map(|folder| folder.path().join("model_output"));
    assert_eq!(names(&one), names(&two));
    for name in names(&one).iter().filter(|name| !name.ends_with(".log")) {
        let read = |folder: &Path| std::fs::read(folder.join(name)).expect("a file");
        assert!(read(&one) == read(&two), "{name} differs");
    }
}

#[test]
fn a_model_of_another_kind_is_told_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, remedy) in [
        ("a.bc", "hb_compile -c CONFIG -m MODEL"),
        ("a.hbm", "it is compiled already"),
        ("a.caffemodel", "--proto FILE"),
    ] {
        std::fs::write(folder.path().join(name), "no ONNX").expect("a file");
        let output = hb_compile(folder.path(), &["-m", name, "--march", "nash-e"]);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(name) && errors.contains(remedy), "{errors}");
    }
}

#[test]
fn a_model_that_is_no_model_is_1_and_leaves_no_results() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in [("none.onnx", None), ("text.onnx", Some("this is no model")), ("empty.onnx", Some(""))] {
        let model = folder.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&model, bytes).expect("a file");
        }
        example_configuration(folder.path(), &model);
        let output = hb_compile(folder.path(), &["-c", "cfg.yaml"]);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(name) && !errors.contains("panicked"), "{errors}");
        let left = names(&folder.path().join("model_output"));
        assert!(left.iter().all(|name| name == "hb_compile.log"), "{left:?}");
    }
}
