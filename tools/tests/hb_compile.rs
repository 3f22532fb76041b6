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
    assert!(errors.contains("\ncfg.yaml:2:10: model_parameters.march: 'nash_e' is not a known target"), "{errors}");
    assert!(errors.contains("\ncfg.yaml:3:3: model_parameters.wrong: no such parameter"), "{errors}");
    assert!(errors.contains("cfg.yaml:1:1: input_parameters: the group is missing"), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    let log = std::fs::read_to_string(folder.path().join("hb_compile.log")).expect("a log");
    assert!(log.contains(" file: src/driver/command_line.rs func: hb::driver::command_line line No: "), "{log}");
    assert!(log.contains("cfg.yaml:2:10: "), "{log}");
}

#[test]
fn a_missing_configuration_or_model_is_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = hb_compile(folder.path(), &["-c", "none.yaml", "--quiet"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("none.yaml:1:1: the configuration cannot be read"));
    let output = hb_compile(folder.path(), &["--fast-perf", "-m", "none.onnx", "--march", "nash-e"]);
    assert_eq!(output.status.code(), Some(1));
    let output = hb_compile(folder.path(), &["--fast-perf", "-m", "a", "--march", "nash-e", "--proto", "b"]);
    assert!(text(&output.stderr).contains("--proto: Caffe models are known to the manual, not supported yet"));
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

    // The file that fast-perf wrote is a configuration like any other; here with a shape that the model has not.
    let wrong = written.replace("1x1x8x8", "1x1x9x9");
    std::fs::write(folder.path().join(".fast_perf/wrong.yaml"), wrong).expect("a file");
    let output = hb_compile(folder.path(), &["-c", ".fast_perf/wrong.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains(".fast_perf/wrong.yaml:9:16: input_parameters.input_shape: input 'image': 1x1x9x9 is not"),
        "{errors}"
    );
}
