//! float16, as `node_info`, `optimization` and `quant_config` ask for it, read from the `.hbm`.

use super::borders::{array, constant, graph};
use super::types::{configuration, conv};
use super::{compile_text, files};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::hbm::Hbm;
use hb::quant::info::QuantInfo;
use hb_dialects::ElementType::{self, F16, F32, I8};
use std::path::Path;
use tempfile::TempDir;

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 7919) % 2003) as f32 / 1001.5 - 1.0).collect()
}

/// Convolutions, and between them a sum of two values, a softmax, and a product.
fn network() -> Graph {
    let nodes = vec![
        conv("Conv_0", "x", "w", "a"),
        Node::new("Sigmoid_1", "Sigmoid", &["a"], &["b"]),
        Node::new("Add_2", "Add", &["a", "b"], &["c"]),
        Node::new("Softmax_3", "Softmax", &["c"], &["d"]).with("axis", Attribute::Int(1)),
        Node::new("Mul_4", "Mul", &["d", "a"], &["e"]),
        conv("Conv_5", "e", "v", "y"),
    ];
    let constants = [("w", constant(&[4, 3, 1, 1], &numbers(12))), ("v", constant(&[2, 4, 1, 1], &numbers(8)))];
    graph(&[("x", &[1, 3, 8, 8])], &constants, nodes, &["y"])
}

fn compiled(graph: &Graph, model: &str, calibration: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    onnx::save(&Model::new(9, 19, graph.clone()), &folder.path().join("network.onnx")).unwrap();
    compile_text(folder.path(), &configuration(model, &format!("  calibration_type: skip\n{calibration}")), 1).unwrap();
    folder
}

/// The types of the values of all layers, by what asks for them.
fn types(model: &str, calibration: &str) -> Vec<ElementType> {
    let folder = compiled(&network(), &format!("  layer_out_dump: True\n{model}"), calibration);
    let manifest = Hbm::open(&folder.path().join("out/network.hbm")).unwrap().manifest().clone();
    let layer = |name: &str| {
        let found = manifest.outputs.iter().find(|output| output.name == name);
        found.unwrap_or_else(|| panic!("no layer '{name}': {:?}", manifest.outputs)).element_type
    };
    ["Conv_0", "Sigmoid_1", "Add_2", "Softmax_3", "Mul_4", "Conv_5"].map(layer).to_vec()
}

/// In each form, of single nodes. Neighbours keep their types.
#[test]
fn it_does_not_spread() {
    assert_eq!(types("", ""), [I8, I8, I8, I8, I8, F32]);
    let softmax = [I8, I8, I8, F16, I8, F32];
    assert_eq!(types("  node_info: 'Softmax_3:float16'\n", ""), softmax);
    assert_eq!(types("  node_info: {Softmax_3: {InputType: float16, OutputType: float16}}\n", ""), softmax);
    assert_eq!(types("  node_info: {Add_2: {InputType1: float16}}\n", ""), [I8, I8, F16, I8, I8, F32]);
    let calibration = |line: &str| types("", &format!("  {line}\n"));
    assert_eq!(calibration("quant_config: {node_config: {Softmax_3: {type: float16}}}"), softmax);
    assert_eq!(calibration("quant_config: {node_config: {Softmax_3: {qtype: float16}}}"), softmax);
    assert_eq!(calibration("quant_config: {op_config: {Softmax: {type: float16}}}"), softmax);
    assert_eq!(calibration("optimization: set_Softmax_input_float16"), softmax);
    assert_eq!(calibration("optimization: set_Softmax_output_float16"), softmax);
}

/// Of all nodes, the convolutions are rolled back.
#[test]
fn all_nodes() {
    let all = [I8, F16, F16, F16, F16, F32];
    let calibration = |line: &str| types("", &format!("  {line}\n"));
    assert_eq!(calibration("quant_config: {model_config: {all_node_type: float16}}"), all);
    assert_eq!(calibration("optimization: set_all_nodes_float16"), all);
    // The narrower level wins.
    let narrower = "quant_config: {model_config: {all_node_type: float16}, node_config: {Add_2: {type: int8}}}";
    assert_eq!(calibration(narrower), [I8, F16, I8, F16, F16, F32]);
}

/// The file of what was chosen says float16, and gives the same bytes again; integers that nothing has are not in it.
#[test]
fn the_written_quant_config_gives_the_same_bytes() {
    let folder = compiled(&network(), "", "  optimization: set_all_nodes_float16\n");
    let out = folder.path().join("out");
    let first = files(&out);
    let info = QuantInfo::read(&out.join("network_quant_info.json")).unwrap();
    assert_eq!(info.float16.iter().collect::<Vec<_>>(), ["Add_2", "Mul_4", "Sigmoid_1", "Softmax_3"]);
    assert_eq!(info.values.keys().collect::<Vec<_>>(), ["Conv_0", "Mul_4", "x"]);
    std::fs::write(folder.path().join("types.json"), &first["network_quant_config.json"]).unwrap();
    let text = configuration("", "  calibration_type: skip\n  quant_config: types.json\n");
    compile_text(folder.path(), &text, 1).unwrap();
    let again = files(&out);
    for name in ["network_quant_config.json", "network_ptq_model.onnx", "network_quant_info.json"] {
        assert!(first[name] == again[name], "{name}");
    }
}

/// x / 4 + 4 with 2^-8 steps around 4: int8 shows 16 numbers of [4, 4.25], float16 every one of 2^-8 from 4 on.
#[test]
fn values_between_nodes_in_float16_are_not_rounded_to_integers() {
    let x: Vec<f32> = (0..64).map(|index| index as f32 / 64.0).collect();
    let nodes = vec![
        Node::new("Mul_0", "Mul", &["x", "quarter"], &["a"]),
        Node::new("Add_1", "Add", &["a", "four"], &["b"]),
        Node::new("Sub_2", "Sub", &["b", "four"], &["y"]),
    ];
    let constants = [("quarter", constant(&[1], &[0.25])), ("four", constant(&[1], &[4.0]))];
    let folder =
        compiled(&graph(&[("x", &[1, 64])], &constants, nodes, &["y"]), "", "  optimization: set_all_nodes_float16\n");
    let outputs = run(folder.path(), &[array(&[1, 64], &x)]);
    let expected: Vec<f32> = x.iter().map(|x| x / 4.0).collect();
    assert_eq!(outputs, [array(&[1, 64], &expected)]);
}

fn run(folder: &Path, inputs: &[Array]) -> Vec<Array> {
    super::open_model(&folder.join("out/network.hbm")).executor.run(inputs).unwrap().outputs
}

/// What only moves a value has a range of its own once it is float16: that of what it moves.
#[test]
fn what_moves_values_can_be_asked_for() {
    let nodes = vec![
        conv("Conv_0", "x", "w", "a"),
        Node::new("GlobalAveragePool_1", "GlobalAveragePool", &["a"], &["b"]),
        Node::new("Flatten_2", "Flatten", &["b"], &["c"]),
        Node::new("Gemm_3", "Gemm", &["c", "v"], &["y"]),
    ];
    let constants = [("w", constant(&[4, 3, 1, 1], &numbers(12))), ("v", constant(&[4, 2], &numbers(8)))];
    let classifier = graph(&[("x", &[1, 3, 8, 8])], &constants, nodes, &["y"]);
    for asked in [
        "  quant_config: {op_config: {Flatten: {type: float16}}}\n",
        "  quant_config: {model_config: {all_node_type: float16}}\n",
        "  optimization: set_all_nodes_float16\n",
    ] {
        let folder = compiled(&classifier, "", asked);
        let info = QuantInfo::read(&folder.path().join("out/network_quant_info.json")).unwrap();
        assert!(info.float16.contains("Flatten_2") && info.values.contains_key("Flatten_2"), "{asked}{info:?}");
    }
}
