//! What a run must leave alone, and what it must not call done.

use crate::{configuration, done, example, run, tensor, text};
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb_dialects::ElementType;
use std::path::Path;

fn copy_samples(to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(example().join("data/calibration")).expect("a folder") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
    }
}

/// The samples are where those that are kept would go, or somebody else's files are.
#[test]
fn samples_of_the_users_are_not_replaced_by_those_that_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let samples = folder.join("model_output/calibration_data");
    copy_samples(&samples);
    let count = || std::fs::read_dir(&samples).expect("a folder").count();
    let before = count();
    configuration(folder, "cfg.yaml", &[("model_parameters", "debug_mode: dump_calibration_data")]);
    let output = run(folder, "hb_compile", &["-c", "cfg.yaml"]);
    assert_eq!((output.status.code(), count()), (Some(1), before));
    assert!(text(&output.stderr).contains("no results of an earlier run"), "{}", text(&output.stderr));
    let given = std::fs::read_to_string(folder.join("cfg.yaml")).expect("a file");
    let place = example().join("data/calibration").display().to_string();
    std::fs::write(folder.join("cfg.yaml"), given.replace(&place, "model_output/calibration_data")).expect("a file");
    let output = run(folder, "hb_compile", &["-c", "cfg.yaml"]);
    assert_eq!((output.status.code(), count()), (Some(1), before));
    assert!(text(&output.stderr).contains("is what this run reads"), "{}", text(&output.stderr));
}

#[test]
fn a_quant_config_that_is_read_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let file = folder.join("model_output/digits_quant_config.json");
    std::fs::create_dir(folder.join("model_output")).expect("a folder");
    let mine = "{ // mine\n  \"model_config\": {\"all_node_type\": \"int16\"}\n}\n";
    std::fs::write(&file, mine).expect("a file");
    let line = "quant_config: model_output/digits_quant_config.json";
    configuration(folder, "cfg.yaml", &[("calibration_parameters", line)]);
    let output = done(folder, "hb_compile", &["-c", "cfg.yaml"]);
    assert!(text(&output.stderr).contains("it stays as it is"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(file).expect("a file"), mine);
}

/// A network that brings its scales has no samples to judge it.
#[test]
fn a_cosine_that_nothing_judges_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let one = |value: f32| Tensor::from_f32s(&[value]).reshaped(vec![]).expect("a tensor");
    let zero = Tensor::new(ElementType::I8, vec![], vec![0].into()).expect("a tensor");
    let value = |name: &str| tensor(name, ElementType::F32, &[1, 4]);
    let graph = Graph {
        name: "quantized".into(),
        nodes: vec![
            Node::new("q0", "QuantizeLinear", &["x", "scale", "zero"], &["a"]),
            Node::new("d0", "DequantizeLinear", &["a", "scale", "zero"], &["b"]),
            Node::new("positive", "Relu", &["b"], &["c"]),
            Node::new("q1", "QuantizeLinear", &["c", "scale", "zero"], &["d"]),
            Node::new("d1", "DequantizeLinear", &["d", "scale", "zero"], &["y"]),
        ],
        inputs: vec![value("x")],
        outputs: vec![value("y")],
        initializers: vec![("scale".into(), one(0.05)), ("zero".into(), zero)],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.join("m.onnx")).expect("written");
    std::fs::create_dir(folder.join("samples")).expect("a folder");
    let array = hb::cpu::Array::from_values(&[1, 4], &[0.5f32, -1.0, 2.0, 3.0]).expect("an array");
    std::fs::write(folder.join("samples/0.npy"), hb::sim::npy::encode(&array).expect("encodes")).expect("a file");
    let yaml = "model_parameters: {onnx_model: m.onnx, march: nash-e, output_model_file_prefix: m, working_dir: out}\n\
                input_parameters: {input_type_train: featuremap, input_type_rt: featuremap}\n\
                calibration_parameters: {cal_data_dir: samples, calibration_type: max}\n";
    std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
    done(folder, "hb_compile", &["-c", "cfg.yaml"]);
    let output = run(folder, "hb_compile", &["-c", "cfg.yaml", "--min-cosine", "0.5"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nothing judged the outputs"), "{}", text(&output.stderr));
}
