//! The manual's template of a configuration, with real names and paths put in.

use crate::{done, json, tensor, text};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb::sim::npy;
use hb_dialects::ElementType;
use std::path::Path;

/// A convolution of an image, and a Transpose behind it.
fn save_network(path: &Path) {
    let weights: Vec<f32> = (0..8 * 3 * 8 * 8).map(|index| (index * 29 % 67) as f32 / 670.0 - 0.05).collect();
    let graph = Graph {
        name: "template".into(),
        nodes: vec![
            Node::new("stem", "Conv", &["data", "weights"], &["found"]).with("strides", Attribute::Ints(vec![8, 8])),
            Node::new("positive", "Relu", &["found"], &["kept"]),
            Node::new("turned", "Transpose", &["kept"], &["y"]).with("perm", Attribute::Ints(vec![0, 2, 3, 1])),
        ],
        inputs: vec![tensor("data", ElementType::F32, &[1, 3, 224, 224])],
        outputs: vec![tensor("y", ElementType::F32, &[1, 28, 28, 8])],
        initializers: vec![(
            "weights".into(),
            Tensor::from_f32s(&weights).reshaped(vec![8, 3, 8, 8]).expect("a tensor"),
        )],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), path).expect("written");
}

#[test]
fn the_manuals_template_compiles() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    save_network(&folder.join("model.onnx"));
    std::fs::create_dir(folder.join("calibration_data")).expect("a folder");
    for sample in 0..3 {
        // Pixels of 0 to 255, normalised as the template says.
        let means = [103.94f32, 116.78, 123.68];
        let values: Vec<f32> = (0..3 * 224 * 224)
            .map(|index: usize| (((index * 37 + sample * 11) % 256) as f32 - means[index / (224 * 224)]) * 0.017)
            .collect();
        let array = Array::from_values(&[1, 3, 224, 224], &values).expect("an array");
        let bytes = npy::encode(&array).expect("encodes");
        std::fs::write(folder.join(format!("calibration_data/{sample}.npy")), bytes).expect("a file");
    }
    let template = include_str!("../../../tests/data/configuration/template.yaml").replace("OP_name", "turned");
    std::fs::write(folder.join("cfg.yaml"), template).expect("a file");
    let output = done(folder, "hb_compile", &["-c", "cfg.yaml", "--json"]);
    let hbm = "model_output_dir/mobilenetv1.hbm";
    assert!(folder.join(hbm).exists(), "{}", text(&output.stderr));
    // What a parameter of the template asks for is there, or a warning says why not.
    let report = json(&done(folder, "hb_model_info", &[hbm, "--json"]));
    let (input, result) = (&report["inputs"][0], &report["outputs"][0]);
    assert_eq!((&input["name"], &input["element_type"]), (&"data".into(), &"uint8".into()));
    assert_eq!(input["shape"], serde_json::json!([1, 224, 224, 3]));
    // The Transpose is gone; the template gives the Dequantize by its type, too, and names win.
    assert_eq!((&result["element_type"], &result["shape"]), (&"float32".into(), &serde_json::json!([1, 8, 28, 28])));
    let warnings = json(&output)["warnings"].to_string();
    for warning in ["pyramid does not give input_type_rt 'yuv444'", "so remove_node_type is not used"] {
        assert!(warnings.contains(warning), "{warnings} holds {warning}");
    }
}
