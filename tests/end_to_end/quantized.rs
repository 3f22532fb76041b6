//! Networks that are quantized already, as onnxruntime.quantization made them: no samples, and the integers that onnxruntime computes.

use super::borders::{array, constant, graph};
use super::types::configuration;
use super::{common, compile_text, floats, open_model, run};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb_dialects::ElementType;
use std::path::Path;

/// Compiles a recorded network without calibration data.
fn compiled(folder: &Path, (kind, form): (&str, &str)) -> (common::Case, Vec<Array>) {
    let case = common::cases_of(kind).into_iter().find(|case| case.form == form).unwrap();
    let text = format!(
        "model_parameters:\n  onnx_model: '{}'\n  march: 'nash-e'\n  output_model_file_prefix: 'net'\n  \
         working_dir: '{}'\ninput_parameters:\n  input_name: 'x'\n  input_type_rt: 'featuremap'\n  input_type_train: 'featuremap'\n  \
         input_layout_train: 'NCHW'\n  norm_type: 'no_preprocess'\ncompiler_parameters:\n  optimize_level: 'O2'\n\
         calibration_parameters:\n  calibration_type: 'skip'\n",
        case.model.display(),
        folder.join("out").display(),
    );
    compile_text(folder, &text, 1).unwrap();
    let inputs =
        case.inputs.iter().map(|(_, array)| Array::from_bytes(array.element, &array.shape, &array.bytes).unwrap());
    let inputs = inputs.collect();
    (case, inputs)
}

/// The outputs of the `.hbm`, which these nodes compute, are at most one step of integers from those of onnxruntime, and most are the same.
fn check_nodes(kind: &str, form: &str, nodes: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (case, inputs) = compiled(folder.path(), (kind, form));
    let output = folder.path().join("out");
    let info: serde_json::Value =
        serde_json::from_slice(&std::fs::read(output.join("net_quant_info.json")).unwrap()).unwrap();
    assert!(info.get("calibration").is_none(), "{form}");
    let values = info["values"].as_object().unwrap();
    for (name, value) in values {
        assert_eq!(value["judged_by"], "network", "{form} {name}");
        assert_eq!(value["type"], "int8", "{form} {name}");
    }
    let run = |name: &str| open_model(&output.join(name)).executor.run(&inputs).unwrap().outputs;
    let found = run("net.hbm");
    assert_eq!(found, run("net_quantized_model.bc"), "{form}");
    for ((output, node), found) in case.outputs.iter().zip(nodes).zip(&found) {
        let (name, expected) = output;
        let scale = values[*node]["scale"].as_f64().unwrap();
        let steps = floats(found).into_iter().zip(expected.to_f32()).map(|(found, expected)| {
            let steps = (f64::from(found) - f64::from(expected)) / scale;
            assert!(
                (steps - steps.round()).abs() < 1e-3,
                "{form} {name}: {found} and {expected} are no integers apart"
            );
            steps.round().abs() as usize
        });
        let steps: Vec<usize> = steps.collect();
        assert_eq!(steps.len(), expected.shape.iter().product::<usize>());
        assert!(steps.iter().all(|steps| *steps <= 1), "{form} {name}: {steps:?}");
        let different = steps.iter().filter(|steps| **steps > 0).count();
        assert!(different * 20 <= steps.len(), "{form} {name}: {different} of {} differ", steps.len());
    }
}

fn check(form: &str) {
    check_nodes("quantized_networks", form, &["add2", "fc"]);
}

/// QLinearConv and QLinearMatMul with a MaxPool of integers between them.
#[test]
fn operators_on_integers() {
    check_nodes("quantized_operators", "uint8", &["product_quant"]);
    check_nodes("quantized_operators", "int8", &["product_quant"]);
}

#[test]
fn uint8() {
    check("uint8_asymmetric");
    check("uint8_symmetric");
}

#[test]
fn int8() {
    check("int8_asymmetric");
    check("int8_symmetric");
}

/// One scale for all weights of a layer.
#[test]
fn per_tensor() {
    check("uint8_asymmetric_per_tensor");
    check("int8_asymmetric_per_tensor");
}

/// x, then integers whose zero point is at their lower end, which is a Relu: of a convolution that negates, and of what reads that.
fn negated() -> Graph {
    let integer = |value: i8| Tensor::new(ElementType::I8, vec![], vec![value as u8].into()).unwrap();
    let pair = |number: usize, from: &str, zero: &str, to: &str| {
        let integers = format!("{to}_q");
        [
            Node::new(&format!("q{number}"), "QuantizeLinear", &[from, "step", zero], &[&integers]),
            Node::new(&format!("d{number}"), "DequantizeLinear", &[&integers, "step", zero], &[to]),
        ]
    };
    let nodes = [
        pair(0, "x", "middle", "a").to_vec(),
        vec![Node::new("c1", "Conv", &["a", "minus"], &["b"])],
        pair(1, "b", "low", "c").to_vec(),
        vec![Node::new("c2", "Conv", &["c", "minus"], &["y"])],
    ];
    let constants = [
        ("step", constant(&[], &[4.0 / 127.0])),
        ("middle", integer(0)),
        ("low", integer(-128)),
        ("minus", constant(&[1, 1, 1, 1], &[-1.0])),
    ];
    graph(&[("x", &[1, 1, 4, 4])], &constants, nodes.concat(), &["y"])
}

/// Wherever nodes run and whatever is asked of them, the Relu that is in the integers stays: y = -relu(-x).
#[test]
fn integers_clip_wherever_they_are() {
    let x: Vec<f32> = (0..16).map(|index| index as f32 / 2.0 - 3.75).collect();
    for asked in
        ["", "  run_on_cpu: 'c1;c2'\n", "  node_info: 'c1:int16'\n", "  node_info: {c2: {InputType1: int16}}\n"]
    {
        let folder = tempfile::tempdir().unwrap();
        onnx::save(&Model::new(9, 19, negated()), &folder.path().join("network.onnx")).unwrap();
        compile_text(folder.path(), &configuration(asked, "  calibration_type: skip\n"), 1).unwrap();
        let found = run(&open_model(&folder.path().join("out/network.hbm")), &array(&[1, 1, 4, 4], &x));
        for (found, x) in floats(&found[0]).into_iter().zip(&x) {
            let expected = -(-x).max(0.0);
            // Half a step for each of the two values that are rounded.
            assert!((found - expected).abs() <= 4.0 / 127.0 + 1e-4, "{asked}: {found} {expected}");
        }
    }
}
