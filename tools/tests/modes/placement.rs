//! What runs where, and what it costs.

use crate::{configuration, done, json, run, tensor, text};
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb_dialects::ElementType;
use serde_json::Value;
use std::path::Path;

#[test]
fn a_node_goes_to_the_cpu_where_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let requests = "node_info: {'residual_2/Add': {ON: CPU}, 'residual_1/Conv': {ON: BPU}}";
    configuration(folder.path(), "cfg.yaml", &[("model_parameters", requests)]);
    let output = done(folder.path(), "hb_compile", &["-c", "cfg.yaml", "--json"]);
    let report = json(&output);
    let nodes = report["nodes"].as_array().expect("nodes");
    let made_from = |name: &str| {
        let all = nodes.iter().filter(|node| node["made_from"].as_array().expect("names").contains(&name.into()));
        all.cloned().collect::<Vec<_>>()
    };
    for node in made_from("residual_2/Add") {
        assert_eq!((&node["on"], &node["reason"]), (&"CPU".into(), &"node_info asks for the CPU".into()), "{node}");
        assert!(
            node["crossings"].as_array().expect("a list").iter().any(|way| way["direction"] == "from BPU"),
            "{node}"
        );
    }
    assert!(!made_from("residual_2/Add").is_empty());
    assert!(made_from("residual_1/Conv").iter().all(|node| node["on"] == "BPU"));
    let shown = text(&output.stderr);
    assert!(shown.contains("runs on the CPU: node_info asks for the CPU; "), "{shown}");
    // hb-opt's pipeline has the request, too.
    let output = done(folder.path(), "hb_compile", &["-c", "cfg.yaml", "--print-pipeline", "--quiet"]);
    assert!(
        text(&output.stdout).contains("quant-assign-placement{cpu=residual_2/Add others=leave}"),
        "{}",
        text(&output.stdout)
    );
}

/// A request for one node says nothing of others: what reads values behind scales that the network brings runs where it runs without.
#[test]
fn others_behind_given_scales_stay_where_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let scalar = |value: f32| Tensor::from_f32s(&[value]).reshaped(vec![]).expect("a scalar");
    let zero = Tensor::new(ElementType::I8, vec![], vec![0].into()).expect("a scalar");
    let weights: Vec<f32> = (0..24).map(|index| (index % 7) as f32 / 7.0 - 0.4).collect();
    let weights = Tensor::from_f32s(&weights).reshaped(vec![8, 3, 1, 1]).expect("a tensor");
    let integers = |name: &str| onnx::model::Value { shape: None, ..tensor(name, ElementType::I64, &[]) };
    let reals = |name: &str| onnx::model::Value { shape: None, ..tensor(name, ElementType::F32, &[]) };
    let node = Node::new;
    let graph = Graph {
        name: "scales".into(),
        nodes: vec![
            node("q0", "QuantizeLinear", &["x", "s", "z"], &["xq"]),
            node("d0", "DequantizeLinear", &["xq", "s", "z"], &["xd"]),
            node("conv", "Conv", &["xd", "w"], &["c"]),
            node("q1", "QuantizeLinear", &["c", "s", "z"], &["cq"]),
            node("d1", "DequantizeLinear", &["cq", "s", "z"], &["cd"]),
            node("best", "ArgMax", &["cd"], &["m"]).with("axis", Attribute::Int(1)),
            node("exp", "Exp", &["cd"], &["y"]),
        ],
        inputs: vec![tensor("x", ElementType::F32, &[1, 3, 8, 8])],
        outputs: vec![integers("m"), reals("y")],
        initializers: vec![("w".into(), weights), ("s".into(), scalar(0.05)), ("z".into(), zero)],
        ..Graph::default()
    };
    onnx::save(&Model::new(8, 17, graph), &folder.join("scales.onnx")).expect("a model");
    let yaml = "model_parameters: {onnx_model: scales.onnx, march: nash-e, run_on_cpu: exp}
input_parameters: {input_type_train: featuremap, input_type_rt: featuremap}
calibration_parameters: {calibration_type: skip}
";
    std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
    let report = json(&done(folder, "hb_compile", &["-c", "cfg.yaml", "--json"]));
    let nodes = report["nodes"].as_array().expect("nodes").iter();
    let places: Vec<[&str; 2]> =
        nodes.map(|node| ["name", "on"].map(|field| node[field].as_str().unwrap_or("?"))).collect();
    assert_eq!(places, [["conv", "BPU"], ["best", "BPU"], ["exp", "CPU"]]);
}

/// A product, and a branch that negates it where its sum is not positive.
fn save_branch(path: &Path) {
    let value = |name: &str| tensor(name, ElementType::F32, &[1, 4]);
    let branch = |node: &str, operator: &str, result: &str| Graph {
        name: node.into(),
        nodes: vec![Node::new(node, operator, &["product"], &[result])],
        outputs: vec![onnx::model::Value { shape: None, ..value(result) }],
        ..Graph::default()
    };
    let weights = Tensor::from_f32s(&[0.5, -0.25, 1.0, 0.75]).reshaped(vec![4, 1]).expect("a tensor");
    let graph = Graph {
        name: "branch".into(),
        nodes: vec![
            Node::new("product", "Mul", &["x", "x"], &["product"]),
            Node::new("sum", "MatMul", &["product", "weights"], &["sum"]),
            Node::new("positive", "Greater", &["sum", "zero"], &["positive"]),
            Node::new("branch", "If", &["positive"], &["y"])
                .with("then_branch", Attribute::Graph(Box::new(branch("keep", "Relu", "kept"))))
                .with("else_branch", Attribute::Graph(Box::new(branch("turn", "Neg", "turned")))),
        ],
        inputs: vec![value("x")],
        outputs: vec![value("y")],
        initializers: vec![
            ("weights".into(), weights),
            ("zero".into(), Tensor::from_f32s(&[0.0]).reshaped(vec![1, 1]).expect("a tensor")),
        ],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), path).expect("written");
}

#[test]
fn nodes_inside_of_a_branch_are_known_and_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    save_branch(&folder.join("branch.onnx"));
    let compile = |model: &str, types: &str| {
        let yaml = format!(
            "model_parameters:\n  onnx_model: branch.onnx\n  march: nash-e\n{model}input_parameters:\n  \
             input_type_train: featuremap\n  input_type_rt: featuremap\n\
             calibration_parameters:\n  calibration_type: skip\n{types}"
        );
        std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
        run(folder, "hb_compile", &["-c", "cfg.yaml"])
    };
    let told = |model: &str, types: &str, sentences: &[&str]| {
        let shown = text(&compile(model, types).stderr);
        for sentence in sentences {
            assert!(shown.contains(sentence), "{shown}\nholds {sentence}");
        }
    };
    told(
        "  node_info: {keep: {ON: BPU}}\n",
        "  quant_config: {node_config: {turn: {type: int16}}}\n",
        &[
            "node_info: node 'keep' is inside of node 'branch' (If), which runs on the CPU as a whole",
            "node 'turn' stays float32: it is inside of node 'branch' (If)",
        ],
    );
    let quiet = text(&compile("  node_info: {keep: {ON: CPU}}\n", "").stderr);
    assert!(!quiet.contains("'keep'") && !quiet.contains("no code for the board"), "{quiet}");
    let inside = "node 'keep' is inside of node 'branch' (If), whose results alone can be outputs";
    told("  output_nodes: keep\n", "", &[inside]);
    let inside = "node 'keep' cannot be removed: it is inside of node 'branch' (If), which stays whole";
    told("  remove_node_name: keep\n", "", &[inside]);
}

#[test]
fn advice_names_what_alignment_costs() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let value = |name: &str, shape: [usize; 4]| tensor(name, ElementType::F32, &shape);
    // 3 channels to 8 over 256 x 256 cells: the array has 16 multipliers for each of 32 sums.
    let weights: Vec<f32> = (0..8 * 3 * 9).map(|index| (index % 7) as f32 / 7.0 - 0.4).collect();
    let weights = Tensor::from_f32s(&weights).reshaped(vec![8, 3, 3, 3]).expect("a tensor");
    let graph = Graph {
        name: "narrow".into(),
        nodes: vec![
            Node::new("narrow/Conv", "Conv", &["x", "w"], &["y"]).with("pads", Attribute::Ints(vec![1, 1, 1, 1])),
        ],
        inputs: vec![value("x", [1, 3, 256, 256])],
        outputs: vec![value("y", [1, 8, 256, 256])],
        initializers: vec![("w".into(), weights)],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.join("narrow.onnx")).expect("written");
    let yaml = "model_parameters:\n  onnx_model: narrow.onnx\n  march: nash-e\n  output_model_file_prefix: narrow\n\
                input_parameters:\n  input_type_train: featuremap\n  input_type_rt: featuremap\n  \
                input_layout_train: NCHW\n  norm_type: no_preprocess\n\
                calibration_parameters:\n  calibration_type: skip\n\
                compiler_parameters:\n  advice: 1\n";
    std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
    let shown = text(&done(folder, "hb_compile", &["-c", "cfg.yaml"]).stderr);
    let file = std::fs::read(folder.join("model_output/narrow_advice.json")).expect("a file");
    let advice: Value = serde_json::from_slice(&file).expect("JSON");
    let all = advice.as_array().expect("a list");
    for one in all {
        let number = |name: &str| one[name].as_f64().expect("a number");
        assert!(number("increase_us") > 1.0, "{one}");
        assert!((number("ideal_us") + number("increase_us") - number("actual_us")).abs() < 1e-6, "{one}");
        assert!(shown.contains(&format!("advice: layer '{}'", one["layer"].as_str().expect("a name"))), "{shown}");
    }
    let products = all.iter().find(|one| one["engine"] == "TAE").expect("the convolution");
    let sizes = |name: &str| -> Vec<u64> {
        products[name].as_array().expect("sizes").iter().map(|size| size.as_u64().expect("a size")).collect()
    };
    let (before, after) = (sizes("shape"), sizes("aligned_shape"));
    assert_eq!(after[..2], [before[0].next_multiple_of(16), before[1].next_multiple_of(32)]);
    assert!(products["padding_ratio"].as_f64().expect("a share") > 0.5, "{products}");
}
