//! From an ONNX file to simulated results, through everything that `hb_compile` and `hb_sim` use. The processes themselves, with their
//! exit statuses and logs, are tested in `tools/tests`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/arrays.rs"]
mod arrays;
mod bias_correction;
mod borders;
mod channels;
mod choices;
#[path = "../common/mod.rs"]
mod common;
mod control;
mod digits;
mod editing;
mod float16;
mod large;
mod precision;
mod quantized;
mod races;
mod ranges;
mod recurrent;
mod reports;
mod types;
mod weights;

use hb::cpu::Array;
use hb::driver::compile::{CompileError, Stages, compile};
use hb::driver::configuration::{Configuration, Environment};
use hb::driver::progress::{Console, Verbosity};
use hb::sim::open::{OpenModel, OpenOptions, open};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// `examples/digits` of the repository.
fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/digits")
}

/// Compiles what `text`, a configuration in the folder `folder`, says, with so many threads.
fn compile_text(folder: &Path, text: &str, jobs: usize) -> Result<(), CompileError> {
    let file = folder.join("config.yaml");
    std::fs::write(&file, text.replace("jobs: 2", &format!("jobs: {jobs}"))).unwrap();
    // The parameter may not ask for more than the machine has; here it must not matter.
    let environment = Environment { cores: jobs, ..Environment::of_this_machine() };
    let configuration = Configuration::read(&file, &environment)?;
    compile(&configuration, &Stages::all(&Console::new(Verbosity::Quiet))).map(|_| ())
}

/// The configuration of the example, its paths made absolute where they point to what the repository ships.
fn digits_configuration() -> String {
    let text = std::fs::read_to_string(example().join("config.yaml")).unwrap();
    let absolute = |name: &str| example().join(name).display().to_string();
    let text = text.replace("'model.onnx'", &format!("'{}'", absolute("model.onnx")));
    text.replace("'./data/calibration'", &format!("'{}'", absolute("data/calibration")))
}

/// Compiles the example into `model_output` of a new folder.
fn compile_digits(jobs: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    compile_text(folder.path(), &digits_configuration(), jobs).unwrap();
    folder
}

/// The example, compiled once for this process. The folder is left to the system's care.
fn digits() -> &'static Path {
    static OUTPUT: OnceLock<TempDir> = OnceLock::new();
    OUTPUT.get_or_init(|| compile_digits(2)).path()
}

/// A file of the compiled example: `.hbm`, `_ptq_model.onnx`, ...
fn result(ending: &str) -> PathBuf {
    digits().join(format!("model_output/digits{ending}"))
}

/// Files of a folder and their bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

fn open_model(path: &Path) -> OpenModel {
    open(path, &OpenOptions::default()).unwrap()
}

/// The outputs of a model for one array.
fn run(model: &OpenModel, input: &Array) -> Vec<Array> {
    model.executor.run(std::slice::from_ref(input)).unwrap().outputs
}

fn floats(array: &Array) -> Vec<f32> {
    array.values().unwrap().to_vec()
}

fn cosine(left: &[f32], right: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}
