//! `bias_correction`, as `optimization` and `quant_config` ask for it.

use super::borders::{array, constant, graph};
use super::types::configuration;
use super::{compile_text, files};
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Model, Node};
use hb::sim::npy;
use std::collections::BTreeMap;
use std::path::Path;

/// A product by the weights 1 and 0.3 of inputs that are 2 and 10 in every sample.
fn save(folder: &Path) {
    let nodes = vec![Node::new("Gemm_0", "Gemm", &["x", "w"], &["y"])];
    let graph = graph(&[("x", &[1, 2])], &[("w", constant(&[2, 1], &[1.0, 0.3]))], nodes, &["y"]);
    onnx::save(&Model::new(9, 19, graph), &folder.join("network.onnx")).unwrap();
    std::fs::create_dir(folder.join("samples")).unwrap();
    for sample in 0..8 {
        let bytes = npy::encode(&array(&[1, 2], &[2.0, 10.0])).unwrap();
        std::fs::write(folder.join(format!("samples/{sample}.npy")), bytes).unwrap();
    }
}

fn compiled(folder: &Path, lines: &str) -> BTreeMap<String, Vec<u8>> {
    let calibration = format!("  calibration_type: max\n  cal_data_dir: samples\n{lines}");
    compile_text(folder, &configuration("", &calibration), 1).unwrap();
    files(&folder.join("out"))
}

/// The step of the weights is 1/127, so that 0.3 becomes 38 of them: 0.1/127 too little, ten times in the mean.
#[test]
fn a_bias_on_paper() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path());
    let weights = |lines: &str| compiled(folder.path(), lines)["network_quant_weights.safetensors"].clone();
    let (plain, corrected) = (weights(""), weights("  optimization: bias_correction\n"));
    assert!(plain.ends_with(&[127, 38]));
    let (integers, bias) = corrected.split_at(corrected.len() - 4);
    assert!(integers.ends_with(&[127, 38]));
    let bias = f32::from_le_bytes(bias.try_into().unwrap());
    assert!((bias - 1.0 / 127.0).abs() < 1e-6, "{bias}");
}

#[test]
fn the_written_quant_config_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path());
    let first = compiled(folder.path(), "  optimization: bias_correction\n");
    std::fs::write(folder.path().join("types.json"), &first["network_quant_config.json"]).unwrap();
    let again = compiled(folder.path(), "  quant_config: types.json\n");
    for name in ["network_quant_config.json", "network_ptq_model.onnx", "network_quant_weights.safetensors"] {
        assert!(first[name] == again[name], "{name}");
    }
}
