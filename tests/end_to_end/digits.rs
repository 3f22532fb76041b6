//! `examples/digits`. `tests/data/end_to_end` holds what onnxruntime gave for its test images.

use super::common;
use super::{compile_digits, compile_text, cosine, digits, digits_configuration, example, files, floats};
use super::{open_model, result, run};
use hb::cpu::Array;
use hb::driver::compile::Stage;
use hb::sim::npy;
use hb::sim::open::{Detail, OpenModel, OpenOptions, open};
use rayon::prelude::*;

const CLASSES: usize = 10;

/// The test images in sorted order.
fn images() -> Vec<Array> {
    let entries = std::fs::read_dir(example().join("data/test")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| npy::read(path).unwrap()).collect()
}

/// What onnxruntime gave: the logits of each test image.
fn recorded(name: &str) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(common::data_folder().join("end_to_end").join(name)).unwrap();
    let array = common::Array::read_npy(&mut bytes.as_slice());
    assert_eq!(array.shape, [297, CLASSES]);
    array.to_f32().chunks(CLASSES).map(<[f32]>::to_vec).collect()
}

fn logits(model: &OpenModel) -> Vec<Vec<f32>> {
    images().par_iter().map(|image| floats(&run(model, image)[0])).collect()
}

/// Percentage of images whose largest logit is at the label.
fn accuracy(logits: &[Vec<f32>]) -> f64 {
    let labels = npy::read(&example().join("data/test_labels.npy")).unwrap();
    let labels = labels.values::<i64>().unwrap();
    assert_eq!(labels.len(), logits.len());
    let largest = |row: &[f32]| (0..CLASSES).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap() as i64;
    let right = logits.iter().zip(labels).filter(|(row, label)| largest(row) == **label).count();
    100.0 * right as f64 / labels.len() as f64
}

#[test]
fn every_file_of_the_contract_is_there() {
    let found: Vec<String> = files(&digits().join("model_output")).into_keys().collect();
    // The log belongs to the process: tools/tests/hb_compile.rs.
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
    ];
    assert_eq!(found, expected);
}

#[test]
fn at_most_one_point_of_accuracy_is_lost() {
    let float = accuracy(&recorded("digits_float.npy"));
    let quantized = accuracy(&logits(&open_model(&result(".hbm"))));
    // onnxruntime's, as examples/digits/README.md says.
    assert!((float - 98.65).abs() < 0.01, "{float}");
    assert!(quantized >= float - 1.0, "float {float}, quantized {quantized}");
}

#[test]
fn the_float_levels_agree_with_onnxruntime() {
    let expected = recorded("digits_float.npy");
    let all = || expected.iter().flatten();
    let range = all().fold(f32::MIN, |a, b| a.max(*b)) - all().fold(f32::MAX, |a, b| a.min(*b));
    let model = example().join("model.onnx");
    for path in [model, result("_original_float_model.onnx"), result("_optimized_float_model.onnx")] {
        let found = logits(&open_model(&path));
        let distances = found.iter().flatten().zip(all()).map(|(found, expected)| (found - expected).abs());
        let farthest = distances.fold(0f32, f32::max);
        assert!(farthest <= 1e-4 * range, "{}: {farthest} of a range of {range}", path.display());
    }
}

#[test]
fn the_hbm_agrees_with_the_qdq_model_in_onnxruntime() {
    let hbm = logits(&open_model(&result(".hbm")));
    for (index, (found, expected)) in hbm.iter().zip(recorded("digits_ptq.npy")).enumerate() {
        let found = cosine(found, &expected);
        assert!(found >= 0.999, "image {index}: cosine {found}");
    }
}

#[test]
fn interpreter_and_simulator_agree_to_the_byte() {
    let interpreter = open_model(&result("_quantized_model.bc"));
    let races = OpenOptions { detail: Detail::Races, ..OpenOptions::default() };
    let simulator = open(&result(".hbm"), &races).unwrap();
    assert_eq!(interpreter.executor.outputs(), simulator.executor.outputs());
    images().par_iter().enumerate().for_each(|(index, image)| {
        assert!(run(&interpreter, image) == run(&simulator, image), "image {index}");
    });
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let first = files(&digits().join("model_output"));
    for jobs in [2, 1] {
        let again = compile_digits(jobs);
        let again = files(&again.path().join("model_output"));
        assert_eq!(first.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
        for (name, bytes) in &first {
            assert!(*bytes == again[name], "{name} differs, {jobs} jobs");
        }
    }
}

#[test]
fn a_failed_compilation_leaves_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let text = digits_configuration();
    // A sample of another shape shows only when calibration comes to it; the files of earlier stages are ready then.
    let samples = folder.path().join("samples");
    std::fs::create_dir(&samples).unwrap();
    std::fs::copy(example().join("data/calibration/000.npy"), samples.join("000.npy")).unwrap();
    std::fs::copy(example().join("data/test_labels.npy"), samples.join("001.npy")).unwrap();
    let calibration = example().join("data/calibration").display().to_string();
    let wrong_samples = text.replace(&calibration, &samples.display().to_string());
    let error = compile_text(folder.path(), &wrong_samples, 2).unwrap_err();
    let stage = match &error {
        hb::driver::compile::CompileError::Stage { stage, .. } => Some(*stage),
        _ => None,
    };
    assert!(stage.is_none_or(|stage| stage == Stage::Calibrate), "{error}");
    assert!(error.to_string().contains("001.npy"), "{error}");
    assert!(files(&folder.path().join("model_output")).is_empty());
}
