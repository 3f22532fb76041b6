//! `per_channel`: a range for each channel of a feature map.

use super::borders::{array, constant, graph};
use super::types::configuration;
use super::{compile_text, floats, open_model, run};
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::quant::info::QuantInfo;
use hb::sim::npy;
use tempfile::TempDir;

/// The second channel is a 64th of the first between the two convolutions, and as large as the first behind the second one, which is depthwise.
fn network() -> Graph {
    let nodes = vec![
        Node::new("Conv_0", "Conv", &["x", "w", "b"], &["a"]),
        Node::new("Relu_1", "Relu", &["a"], &["c"]),
        Node::new("Conv_2", "Conv", &["c", "v"], &["y"]).with("group", Attribute::Int(2)),
    ];
    let constants = [
        ("w", constant(&[2, 2, 1, 1], &[1.0, 0.0, 0.0, 1.0 / 64.0])),
        ("b", constant(&[2], &[0.0, 1.0 / 64.0])),
        ("v", constant(&[2, 1, 1, 1], &[1.0, 64.0])),
    ];
    graph(&[("x", &[1, 2, 4, 4])], &constants, nodes, &["y"])
}

fn sample(number: usize) -> Vec<f32> {
    (0..32).map(|index| ((index * 37 + number * 101) % 65) as f32 / 8.0 - 4.0).collect()
}

fn compiled(calibration: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    onnx::save(&Model::new(9, 19, network()), &folder.path().join("network.onnx")).unwrap();
    std::fs::create_dir(folder.path().join("samples")).unwrap();
    for number in 0..10 {
        let bytes = npy::encode(&array(&[1, 2, 4, 4], &sample(number))).unwrap();
        std::fs::write(folder.path().join(format!("samples/{number}.npy")), bytes).unwrap();
    }
    let calibration = format!("  cal_data_dir: samples\n{calibration}");
    compile_text(folder.path(), &configuration("", &calibration), 1).unwrap();
    folder
}

fn info(folder: &TempDir) -> QuantInfo {
    QuantInfo::read(&folder.path().join("out/network_quant_info.json")).unwrap()
}

/// The largest difference of each channel of the `.hbm` from what the network is on paper: relu(x), and relu(x + 1).
fn errors(folder: &TempDir) -> [f32; 2] {
    let x = sample(77);
    let found = floats(&run(&open_model(&folder.path().join("out/network.hbm")), &array(&[1, 2, 4, 4], &x))[0]);
    let expected = |index: usize| (x[index] + if index < 16 { 0.0 } else { 1.0 }).max(0.0);
    let error = |channel: usize| {
        let range = channel * 16..(channel + 1) * 16;
        range.map(|index| (found[index] - expected(index)).abs()).fold(0.0, f32::max)
    };
    [error(0), error(1)]
}

/// Half a step of the input, and of what is between: 4 / 127, of the second channel times 64, or 4 where it was scaled by 16.
#[test]
fn a_small_channel_keeps_its_bits() {
    let step = 4.0 / 127.0;
    let whole = compiled("  calibration_type: max\n");
    assert!(info(&whole).channel_ranges.is_empty());
    assert!(errors(&whole)[1] > 10.0 * step, "{:?}", errors(&whole));
    for kind in ["max", "kl"] {
        let own = compiled(&format!("  calibration_type: {kind}\n  per_channel: True\n"));
        assert_eq!(info(&own).channel_ranges["Conv_0"], [4.0, 5.0 / 64.0]);
        // Steps are somewhat larger with zero points, and kl may cut.
        let [first, second] = errors(&own);
        assert!(first < 2.0 * step && second < 5.0 * step, "{kind}: {first} {second}");
    }
}

/// The manual: not with default and mix, which say so.
#[test]
fn it_acts_with_stated_methods_only() {
    let own = compiled("  calibration_type: default\n  per_channel: True\n");
    assert!(info(&own).channel_ranges.is_empty());
    let log = std::fs::read_to_string(own.path().join("out/hb_compile.log")).unwrap_or_default();
    assert!(log.is_empty() || log.contains("per_channel"), "{log}");
}
