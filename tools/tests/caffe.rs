//! Caffe networks through every command that takes them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The network that `tests/data/make_caffe_cases.py` recorded: a convolution, a ReLU and a Dropout on one blob.
fn network(extension: &str) -> String {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/caffe/Networks");
    cases.join(format!("in_place.{extension}")).display().to_string()
}

/// What a command says on both streams, when it ends with that status.
fn run(tool: &str, folder: &Path, arguments: &[&str], status: i32) -> String {
    let output = Command::new(tool).current_dir(folder).args(arguments).output().expect("runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    said
}

/// Input and expected output of the network, as `.npy` files of their own.
fn arrays(folder: &Path) -> [PathBuf; 2] {
    let bytes = std::fs::read(network("npys")).expect("recorded");
    let second = bytes.windows(6).rposition(|window| window == b"\x93NUMPY").expect("two arrays");
    let paths = [folder.join("x.npy"), folder.join("y.npy")];
    std::fs::write(&paths[0], &bytes[..second]).expect("a file");
    std::fs::write(&paths[1], &bytes[second..]).expect("a file");
    paths
}

/// The floats of a `.npy` file.
fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("an array");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[start..].chunks_exact(4).map(|chunk| f32::from_le_bytes(chunk.try_into().expect("four bytes"))).collect()
}

const COMPILER: &str = env!("CARGO_BIN_EXE_hb_compile");
const SIMULATOR: &str = env!("CARGO_BIN_EXE_hb_sim");
const INFORMATION: &str = env!("CARGO_BIN_EXE_hb_model_info");
const GENERATOR: &str = env!("CARGO_BIN_EXE_hb_config_generator");
const VERIFIER: &str = env!("CARGO_BIN_EXE_hb_verifier");

#[test]
fn a_network_runs_compiles_and_keeps_its_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let (proto, model) = (network("prototxt"), network("caffemodel"));
    let [input, expected] = arrays(folder.path());
    let input = input.display().to_string();
    let near = |output: &str, tolerance: f32| {
        let (found, expected) = (floats(&folder.path().join(output)), floats(&expected));
        let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let differs =
            found.iter().zip(&expected).any(|(found, expected)| (found - expected).abs() > tolerance * largest);
        assert!(found.len() == expected.len() && !differs, "{output}: {found:?}, not {expected:?}");
    };
    run(SIMULATOR, folder.path(), &["infer", &model, "--proto", &proto, "--input", &input, "--output-dir", "float"], 0);
    near("float/b.npy", 1e-5);

    let configuration = format!(
        "model_parameters: {{caffe_model: '{model}', prototxt: '{proto}', march: nash-e, output_model_file_prefix: net}}\n\
         input_parameters: {{input_type_train: featuremap, input_type_rt: featuremap, input_layout_train: NCHW, norm_type: no_preprocess}}\n\
         calibration_parameters: {{cal_data_dir: samples, calibration_type: max}}\n"
    );
    std::fs::write(folder.path().join("config.yaml"), configuration).expect("a file");
    std::fs::create_dir(folder.path().join("samples")).expect("a folder");
    std::fs::copy(&input, folder.path().join("samples/x.npy")).expect("a file");
    run(COMPILER, folder.path(), &["-c", "config.yaml"], 0);
    run(SIMULATOR, folder.path(), &["infer", "model_output/net.hbm", "--input", &input, "--output-dir", "hbm"], 0);
    near("hbm/b.npy", 0.05);
    // The ONNX that is kept is the network.
    let onnx = "model_output/net_original_float_model.onnx";
    run(SIMULATOR, folder.path(), &["infer", onnx, "--input", &input, "--output-dir", "onnx"], 0);
    near("onnx/b.npy", 1e-5);
    let nodes = std::fs::read_to_string(folder.path().join("model_output/net_node_info.csv")).expect("a table");
    assert!(["conv", "relu"].iter().all(|layer| nodes.contains(layer)), "{nodes}");
    let models = format!("{model},model_output/net.hbm");
    run(VERIFIER, folder.path(), &["-m", &models, "--proto", &proto, "-i", &input, "--min-cosine", "0.99"], 0);
}

#[test]
fn models_are_described_checked_and_estimated() {
    let folder = tempfile::tempdir().expect("a folder");
    let (proto, model) = (network("prototxt"), network("caffemodel"));
    let shown = run(INFORMATION, folder.path(), &[&model, "--proto", &proto], 0);
    assert!(shown.contains("(caffe)") && shown.contains("1x3x6x6") && shown.contains("1x4x6x6"), "{shown}");
    assert!(run(INFORMATION, folder.path(), &[&proto], 0).contains("in place"));
    assert!(run(INFORMATION, folder.path(), &[&model], 1).contains("--proto FILE"));
    assert!(run(INFORMATION, folder.path(), &[&network("npys"), "-p", &proto], 1).contains("belongs to a .caffemodel"));
    let check = ["-m", model.as_str(), "--proto", &proto, "--march", "nash-e", "--json"];
    assert!(run(COMPILER, folder.path(), &check, 0).contains("\"conv\""));
    // The rows and columns of what follows come from the input.
    run(
        COMPILER,
        folder.path(),
        &["--fast-perf", "-m", &model, "--proto", &proto, "--march", "nash-e", "-i", "x", "1x3x16x24"],
        0,
    );
    let generated = run(GENERATOR, folder.path(), &["-s", "-m", &model, "-p", &proto], 0);
    assert!(generated.contains("simple_compile_config.yaml"), "{generated}");
    let file = std::fs::read_to_string(folder.path().join("simple_compile_config.yaml")).expect("a file");
    assert!(file.contains("caffe_model: ") && file.contains("prototxt: ") && file.contains("1x3x6x6"), "{file}");
}

#[test]
fn faults_have_line_and_column_and_end_with_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        std::fs::read_to_string(network("prototxt")).expect("recorded").replace("kernel_size: 3", "kernel_size: three");
    std::fs::write(folder.path().join("net.prototxt"), text).expect("a file");
    let model = network("caffemodel");
    let arguments = ["-m", model.as_str(), "--proto", "net.prototxt", "--march", "nash-e"];
    let said = run(COMPILER, folder.path(), &arguments, 1);
    assert!(said.contains("net.prototxt:4:") && said.contains("a whole number is expected, not 'three'"), "{said}");
    assert!(run(COMPILER, folder.path(), &["-m", &model, "--march", "nash-e"], 1).contains("--proto FILE"));
}
