//! Names from the ONNX file to every report: whatever a user calls his nodes, and whatever becomes of them, he finds them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hb::driver::compile::{Stages, compile};
use hb::driver::configuration::{Configuration, Environment};
use hb::driver::progress::{Console, Verbosity};
use hb::frontend::mlir;
use hb::frontend::onnx::{self, model::*, tensor::Tensor};
use hb::hbm::Hbm;
use hb_dialects::ElementType;
use hb_dialects::ir::{self, OperationAttributes, Origin};
use hb_dialects::names::FUNCTION;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn value(name: &str, channels: usize) -> Value {
    let shape = [1, channels, 8, 8].map(Dimension::Fixed).to_vec();
    Value { name: name.into(), element: Some(ElementType::F32), shape: Some(shape) }
}

fn numbers(count: usize) -> Tensor {
    Tensor::from_f32s(&(0..count).map(|index| 0.25 + (index * 37 % 29) as f32 / 32.0).collect::<Vec<_>>())
}

/// What the user calls his nodes here, in the order of the file. The second `same`, the one without a name and the one that is
/// called like the input get names of their own when the file is read.
const NODES: [&str; 11] = [
    "a/Conv one",
    "a: \"norm\"",
    "schön/激活",
    "lrn",
    "Conv_4",
    "two/parts",
    "two/parts/slice_0",
    "same",
    "same_1",
    "x_1",
    "last\nline",
];

fn network() -> Model {
    let convolution = |name: &str, input: &str, output: &str| {
        Node::new(name, "Conv", &[input, "weight"], &[output]).with("pads", Attribute::Ints(vec![1, 1, 1, 1]))
    };
    let nodes = vec![
        convolution(NODES[0], "x", "c0"),
        Node::new(NODES[1], "BatchNormalization", &["c0", "scale", "bias", "mean", "variance"], &["c1"]),
        Node::new(NODES[2], "Relu", &["c1"], &["c2"]),
        Node::new(NODES[3], "LRN", &["c2"], &["c3"]).with("size", Attribute::Int(3)),
        convolution("", "c3", "c4"),
        Node::new(NODES[5], "Split", &["c4"], &["s0", "s1"])
            .with("axis", Attribute::Int(1))
            .with("num_outputs", Attribute::Int(2)),
        Node::new(NODES[6], "Sigmoid", &["s0"], &["c6"]),
        Node::new("same", "Tanh", &["s1"], &["c7"]),
        Node::new("same", "Tanh", &["c6"], &["c8"]),
        Node::new("x", "Add", &["c7", "c8"], &["y"]),
        Node::new(NODES[10], "Softmax", &["c7"], &["z"]).with("axis", Attribute::Int(1)),
    ];
    let per_channel = ["scale", "bias", "mean", "variance"].map(|name| (name.to_owned(), numbers(2)));
    let weight = numbers(2 * 2 * 9).reshaped(vec![2, 2, 3, 3]).unwrap();
    Model::new(
        9,
        19,
        Graph {
            name: "network".into(),
            nodes,
            inputs: vec![value("x", 2)],
            outputs: vec![value("y", 1), value("z", 1)],
            initializers: per_channel.into_iter().chain([("weight".to_owned(), weight)]).collect(),
            ..Graph::default()
        },
    )
}

fn compiled(folder: &Path) {
    onnx::save(&network(), &folder.join("model.onnx")).unwrap();
    let text =
        "model_parameters: {onnx_model: model.onnx, march: nash-e, output_model_file_prefix: p, working_dir: out}
input_parameters: {input_type_train: featuremap, input_type_rt: featuremap, input_layout_train: NCHW}
calibration_parameters: {calibration_type: skip}
compiler_parameters: {optimize_level: O2}
";
    let path = folder.join("config.yaml");
    std::fs::write(&path, text).unwrap();
    let configuration = Configuration::read(&path, &Environment::of_this_machine()).unwrap();
    compile(&configuration, &Stages::all(&Console::new(Verbosity::Quiet))).unwrap();
}

#[test]
fn every_node_is_in_every_report() {
    let folder = tempfile::tempdir().unwrap();
    compiled(folder.path());
    let out = |ending: &str| std::fs::read(folder.path().join(format!("out/p{ending}"))).unwrap();

    let hbm = Hbm::from_bytes(out(".hbm")).unwrap();
    let layers = &hbm.manifest().layers;
    let names: BTreeSet<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names.len(), layers.len(), "{layers:?}");
    let mentioned: BTreeSet<&str> = layers.iter().flat_map(|layer| &layer.origins).map(String::as_str).collect();
    assert_eq!(mentioned, NODES.into_iter().collect());
    let origins = |name: &str| layers.iter().find(|layer| layer.name == name).map(|layer| layer.origins.clone());
    let fused = &NODES[..3];
    assert_eq!(origins(NODES[0]).unwrap(), fused);
    assert_eq!(origins("two/parts/slice_1").unwrap(), ["two/parts"]);
    // The name that the first part of the split would have is that of a node of the user's.
    assert_eq!(origins("two/parts/slice_0").unwrap(), ["two/parts/slice_0"]);
    assert_eq!(origins("two/parts/slice_0_1").unwrap(), ["two/parts"]);
    assert_eq!(layers.iter().find(|layer| layer.name == "lrn").unwrap().operator_type, "LRN");

    let performance: serde_json::Value = serde_json::from_slice(&out(".json")).unwrap();
    let details = performance["summary"]["layer details"].as_array().unwrap();
    let detail =
        details.iter().find(|detail| detail["layer name"] == NODES[0]).unwrap_or_else(|| panic!("{details:?}"));
    assert_eq!(detail["origin ops"], serde_json::json!(fused));

    let table = String::from_utf8(out("_node_info.csv")).unwrap();
    assert!(
        table.starts_with("Node,NodeType,ON,Threshold,Calibrated Cosine,Quantized Cosine,Output Data Type,Made From\n")
    );
    assert!(table.contains("\na/Conv one,Conv,BPU,"), "{table}");
    assert!(table.contains(",\"a/Conv one + a: \"\"norm\"\" + schön/激活\"\n"), "{table}");
    assert!(table.contains("\nlrn,LRN,CPU,"), "{table}");

    // The quantized network that is written is read back with all of it.
    let context = hb::pipeline::context();
    let module = mlir::parse(&context, &out("_quantized_model.bc"), "p").unwrap();
    let text = module.as_operation().to_string();
    let function = ir::function_named(module.as_operation(), FUNCTION).unwrap();
    let mut found = BTreeMap::new();
    for segment in ir::operations(ir::body(function).unwrap()) {
        for operation in ir::body(segment).map(ir::operations).unwrap_or_default() {
            let Origin { name, nodes } = operation.origin();
            found.insert(name, nodes);
        }
    }
    assert_eq!(found.get(NODES[0]).unwrap_or_else(|| panic!("{text}")), fused);
    assert_eq!(found.get("lrn").unwrap(), &["lrn"]);
}

/// Values of a file of decisions go by any node that went into them.
#[test]
fn a_fused_node_is_found_in_quant_info() {
    let context = hb::pipeline::context();
    let folder = tempfile::tempdir().unwrap();
    onnx::save(&network(), &folder.path().join("model.onnx")).unwrap();
    let assigned = |values: &[&str]| {
        let model = onnx::load(&folder.path().join("model.onnx")).unwrap();
        let mut module = onnx::import(&context, model, &onnx::ImportOptions::default()).unwrap();
        hb::pipeline::run(&context, &mut module, "hfloat-optimize").unwrap();
        let values =
            values.iter().map(|name| ((*name).to_owned(), serde_json::json!({"type": "int8", "threshold": 7.0})));
        let info = serde_json::json!({"values": values.collect::<serde_json::Map<_, _>>()});
        let file = folder.path().join("info.json");
        std::fs::write(&file, info.to_string()).unwrap();
        let pass = format!("func.func(quant-assign-thresholds{{default=1 file={}}})", file.display());
        hb::pipeline::run(&context, &mut module, &pass).map_err(|error| error.to_string())?;
        let function = ir::function_named(module.as_operation(), FUNCTION).unwrap();
        let operations = ir::operations(ir::body(function).unwrap());
        let convolution = operations.into_iter().find(|operation| operation.node() == NODES[0]).unwrap();
        convolution.float("hfloat.threshold").map_err(|error| error.to_string())
    };
    for name in &NODES[..3] {
        assert_eq!(assigned(&[name]), Ok(7.0), "{name}");
    }
    assert_eq!(assigned(&[]), Ok(1.0));
    let twice = assigned(&[NODES[0], NODES[2]]).unwrap_err();
    assert!(twice.contains("the value of 'a/Conv one' stands twice"), "{twice}");
    let nothing = assigned(&["nothing"]).unwrap_err();
    assert!(nothing.contains("no value of the network that needs a threshold is called 'nothing'"), "{nothing}");
}

/// A node of an older operator set that becomes several: each is a part of it.
#[test]
fn forms_of_older_operator_sets() {
    let mut model = network();
    model.opset = 11;
    model.graph.nodes = vec![Node::new("n/s", "Softmax", &["x"], &["y"]).with("axis", Attribute::Int(2))];
    model.graph.outputs.truncate(1);
    let context = hb::pipeline::context();
    let model = onnx::from_bytes(onnx::to_bytes(&model).unwrap().into(), None).unwrap();
    let module = onnx::import(&context, model, &onnx::ImportOptions::default()).unwrap();
    let function = ir::function_named(module.as_operation(), FUNCTION).unwrap();
    let operations = ir::operations(ir::body(function).unwrap());
    let origins: Vec<Origin> = operations.iter().map(|operation| operation.origin()).collect();
    let names: Vec<&str> = origins.iter().map(|origin| origin.name.as_str()).collect();
    assert_eq!(names, ["n/s/shape", "n/s/flatten", "n/s", "n/s/reshape", ""]);
    assert!(origins[..4].iter().all(|origin| origin.nodes == ["n/s"]), "{origins:?}");
}
