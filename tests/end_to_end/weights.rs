//! Weights of 16 bits: asked for, forbidden, and found where nothing else would do.

use super::borders::{array, constant, graph};
use super::types::{configuration, conv};
use super::{compile_text, files, floats, open_model, run};
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Graph, Model, Node};
use hb::quant::info::QuantInfo;
use hb::sim::npy;
use std::path::Path;
use tempfile::TempDir;

/// The first channel has the largest weights, and is 0 in every sample: what is left of 127 steps for the second is a third of one.
const WEIGHTS: [f32; 4] = [127.0, 0.3, 90.0, -0.2];

fn network() -> Graph {
    let nodes = vec![conv("Conv_0", "x", "w", "a"), Node::new("Sigmoid_1", "Sigmoid", &["a"], &["y"])];
    graph(&[("x", &[1, 2, 4, 4])], &[("w", constant(&[2, 2, 1, 1], &WEIGHTS))], nodes, &["y"])
}

fn sample(number: usize) -> Vec<f32> {
    let value = |index: usize| ((index * 37 + number * 101) % 64) as f32 / 8.0 - 4.0;
    [vec![0.0; 16], (0..16).map(value).collect()].concat()
}

fn compiled(model: &str, calibration: &str) -> TempDir {
    compiled_network(network(), model, calibration).unwrap()
}

fn compiled_network(network: Graph, model: &str, calibration: &str) -> Result<TempDir, String> {
    let folder = tempfile::tempdir().unwrap();
    onnx::save(&Model::new(9, 19, network), &folder.path().join("network.onnx")).unwrap();
    std::fs::create_dir(folder.path().join("samples")).unwrap();
    for number in 0..10 {
        let bytes = npy::encode(&array(&[1, 2, 4, 4], &sample(number))).unwrap();
        std::fs::write(folder.path().join(format!("samples/{number}.npy")), bytes).unwrap();
    }
    let calibration = format!("  cal_data_dir: samples\n{calibration}");
    compile_text(folder.path(), &configuration(model, &calibration), 1).map_err(|error| error.to_string())?;
    Ok(folder)
}

fn info(folder: &Path) -> QuantInfo {
    QuantInfo::read(&folder.join("out/network_quant_info.json")).unwrap()
}

/// The largest difference of the `.hbm` and the float network on a sample that calibration had not: sigmoid(0.3 x) and sigmoid(-0.2 x) on paper.
fn error(folder: &Path) -> f32 {
    let x = sample(77);
    let found = floats(&run(&open_model(&folder.join("out/network.hbm")), &array(&[1, 2, 4, 4], &x))[0]);
    let expected = [0.3f32, -0.2].map(|weight| x[16..].iter().map(move |x| 1.0 / (1.0 + (-weight * x).exp())));
    found
        .iter()
        .zip(expected.into_iter().flatten())
        .map(|(found, expected)| (found - expected).abs())
        .fold(0.0, f32::max)
}

/// A step of int8 of the sum is 1.2 / 127, of the result 0.77 / 127: together less than 0.01.
const ROUNDING: f32 = 0.01;

#[test]
fn small_weights_beside_large_ones_need_16_bits() {
    let narrow = compiled("", "  calibration_type: max\n");
    assert!(info(narrow.path()).wide_weights.is_empty() && error(narrow.path()) > 0.2, "{}", error(narrow.path()));
    for asked in
        ["  node_info: {Conv_0: {InputType1: int16}}\n", "  quant_config: {node_config: {Conv_0: {input1: int16}}}\n"]
    {
        let (model, calibration) = if asked.contains("node_info") { (asked, "") } else { ("", asked) };
        let wide = compiled(model, &format!("  calibration_type: max\n{calibration}"));
        assert!(info(wide.path()).wide_weights.contains("Conv_0"));
        assert!(error(wide.path()) < ROUNDING, "{asked}{}", error(wide.path()));
    }
}

#[test]
fn the_search_finds_them_unless_they_are_forbidden() {
    let found = compiled("", "  calibration_type: default\n");
    assert_eq!(info(found.path()).wide_weights.iter().collect::<Vec<_>>(), ["Conv_0"]);
    assert!(error(found.path()) < ROUNDING, "{}", error(found.path()));
    let forbidden = compiled("  node_info: {Conv_0: {InputType1: int8}}\n", "  calibration_type: default\n");
    assert!(info(forbidden.path()).wide_weights.is_empty());
    let off = compiled("", "  calibration_type: default\n  accuracy_target: 0\n");
    assert!(info(off.path()).wide_weights.is_empty());
    // What was found is carried on.
    let written = files(&found.path().join("out"))["network_quant_config.json"].clone();
    let text = String::from_utf8(written).unwrap();
    let again = compiled("", &format!("  calibration_type: kl\n  quant_config: {}\n", text.replace('\n', " ")));
    assert_eq!(info(again.path()).wide_weights, info(found.path()).wide_weights);
    let weights = |folder: &TempDir| files(&folder.path().join("out"))["network_quant_weights.safetensors"].clone();
    assert!(weights(&again) == weights(&found));
}

/// A layer at the end keeps its 32-bit sums: better weights must not make them int8.
#[test]
fn the_last_layer_loses_nothing() {
    let nodes = vec![conv("Conv_0", "x", "w", "y")];
    let last = graph(&[("x", &[1, 2, 4, 4])], &[("w", constant(&[2, 2, 1, 1], &WEIGHTS))], nodes, &["y"]);
    let error = |folder: &TempDir| {
        let x = sample(77);
        let found = floats(&run(&open_model(&folder.path().join("out/network.hbm")), &array(&[1, 2, 4, 4], &x))[0]);
        let expected = [0.3f32, -0.2].map(|weight| x[16..].iter().map(move |x| weight * x));
        found
            .iter()
            .zip(expected.into_iter().flatten())
            .map(|(found, expected)| (found - expected).abs())
            .fold(0.0, f32::max)
    };
    let wide = "  node_info: {Conv_0: {InputType1: int16}}\n";
    let wide = compiled_network(last, wide, "  calibration_type: max\n").unwrap();
    // Half a step of the input, 4 / 127, times 0.3, and next to nothing for an int16 result.
    assert!(error(&wide) < 0.3 * 0.5 * 4.0 / 127.0 + 1e-3, "{}", error(&wide));
}

/// What is asked for the inputs of a layer is not asked of the sum of its parts, nor is what is asked of additions.
#[test]
fn the_sum_is_no_node_of_the_users() {
    let asked = "  node_info: {Conv_0: {InputType0: int8, InputType1: int16, OutputType: int16}}\n";
    let folder = compiled(asked, "  calibration_type: max\n");
    assert!(info(folder.path()).operands.is_empty(), "{:?}", info(folder.path()).operands);
    let float16 = "  quant_config: {node_config: {Conv_0: {input1: int16}}}\n  optimization: set_all_nodes_float16\n";
    let folder = compiled("", &format!("  calibration_type: max\n{float16}"));
    assert!(!info(folder.path()).float16.contains("Conv_0/sum"), "{:?}", info(folder.path()).float16);
}

#[test]
fn weights_that_are_not_finite_are_named() {
    for (value, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let nodes = vec![conv("Conv_0", "x", "w", "a"), conv("Conv_1", "a", "v", "y")];
        let constants = [("w", constant(&[2, 2, 1, 1], &WEIGHTS)), ("v", constant(&[1, 2, 1, 1], &[1.0, value]))];
        let network = graph(&[("x", &[1, 2, 4, 4])], &constants, nodes, &["y"]);
        for calibration in ["  calibration_type: max\n", "  calibration_type: skip\n"] {
            let error = compiled_network(network.clone(), "", calibration).unwrap_err();
            assert!(error.contains(&format!("node 'Conv_1': its weights hold {text}")), "{error}");
        }
    }
}

/// A Gemm with one output may have a scalar for its bias.
#[test]
fn a_scalar_is_a_bias_of_one_channel() {
    let nodes = vec![Node::new("Gemm_0", "Gemm", &["x", "w", "b"], &["y"])];
    let constants = [("w", constant(&[2, 1], &[0.5, -0.25])), ("b", constant(&[], &[-0.75]))];
    let folder = tempfile::tempdir().unwrap();
    onnx::save(
        &Model::new(9, 19, graph(&[("x", &[3, 2])], &constants, nodes, &["y"])),
        &folder.path().join("network.onnx"),
    )
    .unwrap();
    compile_text(folder.path(), &configuration("", "  calibration_type: skip\n"), 1).unwrap();
    let x = [1.0, -1.0, 0.5, 0.25, -0.5, 0.75];
    let found = floats(&run(&open_model(&folder.path().join("out/network.hbm")), &array(&[3, 2], &x))[0]);
    for (found, x) in found.iter().zip(x.chunks(2)) {
        assert!((found - (0.5 * x[0] - 0.25 * x[1] - 0.75)).abs() < 0.01, "{found}");
    }
}
