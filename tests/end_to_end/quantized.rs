//! Networks that are quantized already, as onnxruntime.quantization made them: no samples, and the integers that onnxruntime computes.

use super::{common, compile_text, floats, open_model};
use hb::cpu::Array;
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
