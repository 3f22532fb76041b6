//! The modes of `hb_compile` on the example and on small networks, and the tools that look at what it left: `hb_model_info`, `hb_verifier`.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod comparison;
mod kept;
mod placement;
mod precision;
mod samples;
mod stages;
mod template;

use hb::frontend::onnx;
use hb::frontend::onnx::model::Dimension;
use hb_dialects::ElementType;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

pub(crate) fn example() -> PathBuf {
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

pub(crate) fn run(folder: &Path, name: &str, arguments: &[&str]) -> Output {
    Command::new(tool(name)).current_dir(folder).args(arguments).output().expect("runs")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[track_caller]
pub(crate) fn done(folder: &Path, name: &str, arguments: &[&str]) -> Output {
    let output = run(folder, name, arguments);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    output
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}

/// The configuration of the example with more lines of each group; results go to `model_output`.
pub(crate) fn configuration(folder: &Path, name: &str, more: &[(&str, &str)]) {
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
pub(crate) fn sample() -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(example().join("data/calibration"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files[0].display().to_string()
}

/// The example, compiled once for all tests, with every layer as an output, advice, and its samples kept.
pub(crate) static COMPILED: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let more = [
        ("model_parameters", "layer_out_dump: True\n  debug_mode: dump_calibration_data"),
        ("compiler_parameters", "advice: 1\n  core_num: 1"),
    ];
    configuration(folder.path(), "cfg.yaml", &more);
    done(folder.path(), "hb_compile", &["-c", "cfg.yaml"]);
    folder
});

/// An input or output of a graph.
pub(crate) fn tensor(name: &str, element: ElementType, shape: &[usize]) -> onnx::model::Value {
    let shape = shape.iter().copied().map(Dimension::Fixed).collect();
    onnx::model::Value { name: name.into(), element: Some(element), shape: Some(shape) }
}
