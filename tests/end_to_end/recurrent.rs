//! Recurrent layers: what runs where, the types of the state as the `.hbm` has them, and a stream of many runs.

use super::borders::{array, constant, graph};
use super::{compile_text, cosine, files, floats, open_model};
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Model, Node};
use hb::hbm::{Hbm, SegmentBody};
use hb_dialects::ElementType::{self, F32, I8, I16};
use std::path::Path;
use tempfile::TempDir;

const STEPS: usize = 3;
const INPUTS: usize = 6;
const HIDDEN: usize = 8;

/// Numbers from -1 to 1.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
}

fn weights() -> (Vec<f32>, Vec<f32>) {
    (numbers(4 * HIDDEN * INPUTS, 1), numbers(4 * HIDDEN * HIDDEN, 2))
}

/// An LSTM that is given its state and gives it back, compiled with samples whose states all begin with zeros.
fn compiled(model: &str, calibration: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (w, r) = weights();
    let layer = Node::new("memory", "LSTM", &["x", "w", "r", "", "", "h", "c"], &["y", "hn", "cn"])
        .with("hidden_size", Attribute::Int(HIDDEN as i64));
    let state: &[usize] = &[1, 1, HIDDEN];
    let graph = graph(
        &[("x", &[STEPS, 1, INPUTS]), ("h", state), ("c", state)],
        &[("w", constant(&[1, 4 * HIDDEN, INPUTS], &w)), ("r", constant(&[1, 4 * HIDDEN, HIDDEN], &r))],
        vec![layer],
        &["y", "hn", "cn"],
    );
    onnx::save(&Model::new(9, 19, graph), &folder.path().join("network.onnx")).unwrap();
    for (input, count) in [("x", STEPS * INPUTS), ("h", HIDDEN), ("c", HIDDEN)] {
        std::fs::create_dir(folder.path().join(input)).unwrap();
        for sample in 0..12 {
            let values = if input == "x" { numbers(count, 10 + sample) } else { vec![0.0; count] };
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            std::fs::write(folder.path().join(format!("{input}/{sample:02}.bin")), bytes).unwrap();
        }
    }
    let all = |word: &str| [word; 3].join(";");
    let text = format!(
        "model_parameters:\n  onnx_model: network.onnx\n  march: nash-e\n  working_dir: out\n  output_model_file_prefix: network\n{model}\
         input_parameters:\n  input_name: 'x;h;c'\n  input_type_rt: '{0}'\n  input_type_train: '{0}'\n  norm_type: '{1}'\n  \
         input_shape: '{STEPS}x1x{INPUTS};1x1x{HIDDEN};1x1x{HIDDEN}'\n\
         calibration_parameters:\n  cal_data_dir: 'x;h;c'\n{calibration}compiler_parameters:\n  jobs: 1\n",
        all("featuremap"),
        all("no_preprocess")
    );
    compile_text(folder.path(), &text, 1).unwrap();
    folder
}

fn hbm(folder: &TempDir) -> Hbm {
    Hbm::open(&folder.path().join("out/network.hbm")).unwrap()
}

/// The types of what steps compute: the product of a gate, its sum, the terms of the cell state, the cell state and the hidden state.
fn types(model: &str, calibration: &str) -> Vec<ElementType> {
    let folder = compiled(&format!("  layer_out_dump: True\n{model}"), calibration);
    let manifest = hbm(&folder).manifest().clone();
    let layer = |name: &str| {
        let found = manifest.outputs.iter().find(|output| output.name == format!("memory/step_1/{name}"));
        found.unwrap_or_else(|| panic!("no layer '{name}': {:?}", manifest.outputs)).element_type
    };
    ["input_product", "input_sums", "kept", "fresh", "cell", "hidden"].map(layer).to_vec()
}

#[test]
fn the_state_is_int16_unless_int8_is_all_that_is_wanted() {
    assert_eq!(types("", "  calibration_type: default\n"), [I8, I8, I16, I16, I16, I16]);
    for int8 in ["max", "kl", "default\n  accuracy_target: 0"] {
        assert_eq!(types("", &format!("  calibration_type: {int8}\n")), [I8; 6], "{int8}");
    }
}

#[test]
fn what_is_asked_for_the_layer_holds_for_its_steps() {
    let max = "  calibration_type: max\n";
    assert_eq!(types("  node_info: {memory: {OutputType: int16}}\n", max), [I16; 6]);
    assert_eq!(types("", &format!("{max}  optimization: set_LSTM_output_int16\n")), [I16; 6]);
    let config = "  quant_config: {node_config: {memory: {type: int16}}}\n";
    assert_eq!(types("", &format!("{max}{config}")), [I16; 6]);
    // The state narrower than it is from the start.
    let narrow = "  calibration_type: default\n  quant_config: {node_config: {memory: {type: int8, output: int8}}}\n";
    assert_eq!(types("", narrow), [I8; 6]);
}

#[test]
fn a_layer_stays_whole_on_the_cpu_where_that_is_asked() {
    let folder = compiled("  run_on_cpu: memory\n", "  calibration_type: max\n");
    let hbm = hbm(&folder);
    assert!(hbm.manifest().segments.iter().all(|segment| matches!(segment.body, SegmentBody::Cpu(_))));
    assert_eq!(hbm.manifest().inputs.iter().map(|input| input.element_type).collect::<Vec<_>>(), [F32; 3]);
    let layers: Vec<&str> = hbm.manifest().layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(layers, ["memory"]);
}

/// A config that was written gives the same program again.
#[test]
fn what_was_chosen_can_be_carried_on() {
    let first = compiled("", "  calibration_type: default\n");
    let config = std::fs::read_to_string(first.path().join("out/network_quant_config.json")).unwrap();
    let again = compiled("", &format!("  calibration_type: default\n  quant_config: {}\n", config.replace('\n', " ")));
    let program = |folder: &Path| files(&folder.join("out"))["network_ptq_model.onnx"].clone();
    assert!(program(first.path()) == program(again.path()));
}

/// One step of an LSTM, as ONNX defines it: gates in the order input, output, forget, cell.
fn step(x: &[f32], h: &mut [f64], c: &mut [f64]) {
    let (w, r) = weights();
    let before = h.to_vec();
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for unit in 0..HIDDEN {
        let sum = |gate: usize| {
            let row = gate * HIDDEN + unit;
            let of_input = (0..INPUTS).map(|i| f64::from(w[row * INPUTS + i]) * f64::from(x[i])).sum::<f64>();
            of_input + (0..HIDDEN).map(|i| f64::from(r[row * HIDDEN + i]) * before[i]).sum::<f64>()
        };
        c[unit] = sigmoid(sum(2)) * c[unit] + sigmoid(sum(0)) * sum(3).tanh();
        h[unit] = sigmoid(sum(1)) * c[unit].tanh();
    }
}

/// What a run gives as state is what the next one takes, a hundred times over: it neither drifts nor clips.
#[test]
fn a_stream_follows_the_float_layer() {
    let folder = compiled("", "  calibration_type: default\n");
    let model = open_model(&folder.path().join("out/network.hbm"));
    let (mut h, mut c) = (vec![0.0; HIDDEN], vec![0.0; HIDDEN]);
    let mut state = [array(&[1, 1, HIDDEN], &[0.0; HIDDEN]), array(&[1, 1, HIDDEN], &[0.0; HIDDEN])];
    let (mut all, mut expected) = (Vec::new(), Vec::new());
    for run in 0..100 {
        let x = numbers(STEPS * INPUTS, 1000 + run);
        let [hidden, cell] = state;
        let outputs = model.executor.run(&[array(&[STEPS, 1, INPUTS], &x), hidden, cell]).unwrap().outputs;
        let [y, hidden, cell] = <[_; 3]>::try_from(outputs).unwrap();
        for x in x.chunks(INPUTS) {
            step(x, &mut h, &mut c);
            expected.extend(h.iter().map(|value| *value as f32));
        }
        all.extend(floats(&y));
        state = [hidden, cell];
    }
    let quarters = all.chunks(all.len() / 4).zip(expected.chunks(expected.len() / 4));
    for (number, (own, expected)) in quarters.enumerate() {
        let cosine = cosine(own, expected);
        assert!(cosine > 0.99, "quarter {number}: {cosine}");
    }
}
