//! The searches of `hb_compile` on the example: ranges value by value, a judge of the user's, a budget of latency.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits")
}

/// The configuration of the example with these calibration parameters in place of its own; results go to `model_output`.
fn configuration(folder: &Path, calibration: &str) {
    let text = std::fs::read_to_string(example().join("config.yaml")).expect("a configuration");
    let own = ["calibration_type", "max_percentile"];
    let lines = text.lines().filter(|line| !own.iter().any(|own| line.trim_start().starts_with(own)));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    for (old, new) in [("'./data/calibration'", "data/calibration"), ("'model.onnx'", "model.onnx")] {
        text = text.replace(old, &format!("'{}'", example().join(new).display()));
    }
    let text = text.replace("calibration_parameters:\n", &format!("calibration_parameters:\n{calibration}"));
    std::fs::write(folder.join("config.yaml"), text).expect("a file");
}

fn compile(folder: &Path, calibration: &str) -> Output {
    configuration(folder, calibration);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hb_compile"));
    command.current_dir(folder).args(["-c", "config.yaml"]).output().expect("runs")
}

/// What was said, of a run that ended well.
#[track_caller]
fn told(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    text
}

fn result(folder: &Path, ending: &str) -> PathBuf {
    let results = std::fs::read_dir(folder.join("model_output")).expect("results");
    let mut files = results.map(|entry| entry.expect("a file").path());
    files.find(|path| path.display().to_string().ends_with(ending)).expect("the result")
}

fn info(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(result(folder, "_quant_info.json")).expect("a file")).expect("JSON")
}

/// How many values are int16.
fn wide(folder: &Path) -> usize {
    let info = info(folder);
    info["values"].as_object().expect("values").values().filter(|value| value["type"] == "int16").count()
}

fn latency(folder: &Path) -> f64 {
    let report: Value =
        serde_json::from_slice(&std::fs::read(result(folder, "digits.json")).expect("a file")).expect("JSON");
    let find = |value: &Value| value.pointer("/summary/performance/latency (us)").and_then(Value::as_f64);
    find(&report).unwrap_or_else(|| panic!("a latency in {report}"))
}

/// What is never negative is counted from -128 on, and the file of types gives the same ranges again.
#[test]
fn ranges_value_by_value_can_be_carried_on() {
    let folder = tempfile::tempdir().expect("a folder");
    told(&compile(folder.path(), "  calibration_type: mix\n  accuracy_target: 0\n"));
    let values = info(folder.path());
    let shifted = values["values"].as_object().expect("values").values().filter(|value| value["zero_point"] == -128);
    assert!(shifted.count() > 0, "{values}");
    let types = folder.path().join("types.json");
    std::fs::copy(result(folder.path(), "_quant_config.json"), &types).expect("a copy");
    told(&compile(folder.path(), "  calibration_type: default\n  quant_config: types.json\n"));
    assert_eq!(info(folder.path())["values"], values["values"]);
}

#[test]
fn a_program_of_the_user_judges() {
    let folder = tempfile::tempdir().expect("a folder");
    // As good as the float network whatever comes: nothing needs int16.
    let text = told(&compile(
        folder.path(),
        "  calibration_type: default\n  accuracy_target: 1.0\n  accuracy_command: 'cat samples.txt 2>/dev/null; echo 2 #'\n",
    ));
    assert_eq!(wide(folder.path()), 0, "{text}");
    // It sees the outputs of each sample that judges, and their files.
    std::fs::write(
        folder.path().join("judge.sh"),
        "test -f \"$1\"/*/000000.npy && head -1 \"$1/samples.txt\" >> seen; echo 3\n",
    )
    .expect("a file");
    told(&compile(folder.path(), "  calibration_type: default\n  accuracy_command: sh judge.sh\n"));
    let seen = std::fs::read_to_string(folder.path().join("seen")).expect("the program ran");
    assert!(seen.lines().count() > 1 && seen.lines().all(|line| line.contains("calibration")), "{seen}");
    let output = compile(folder.path(), "  calibration_type: default\n  accuracy_command: 'echo not a number #'\n");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("accuracy_command") && text.contains("must be one number"), "{text}");
}

#[test]
fn int16_stays_within_the_budget() {
    let folder = tempfile::tempdir().expect("a folder");
    let compiled = |more: &str| {
        told(&compile(folder.path(), &format!("  calibration_type: default\n{more}")));
        (latency(folder.path()), wide(folder.path()))
    };
    let (int8, none) = compiled("  accuracy_target: 0\n");
    let (unbounded, all) = compiled("  accuracy_target: 1.0\n");
    assert!(none == 0 && all > 0 && unbounded >= int8, "{int8} {unbounded} {all}");
    let (bounded, _) = compiled("  accuracy_target: 1.0\n  latency_budget: 0\n");
    assert!(bounded <= int8, "{bounded} for {int8}");
}
