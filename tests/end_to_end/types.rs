//! The types that `node_info`, `optimization` and `quant_config` ask for, read from the `.hbm`.

use super::borders::{array, constant, graph};
use super::{compile_text, files};
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::hbm::{Hbm, Manifest, SectionKind};
use hb::quant::info::{ActivationType, Judge, QuantInfo};
use hb::sim::npy;
use hb_dialects::ElementType::{self, F32, I8, I16};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
}

pub(super) fn conv(name: &str, x: &str, w: &str, y: &str) -> Node {
    Node::new(name, "Conv", &[x, w], &[y])
}

/// Convolutions, a sum, a pool that moves values, and a convolution at the end.
fn network() -> Graph {
    let nodes = vec![
        conv("Conv_0", "x", "w", "a"),
        Node::new("Relu_1", "Relu", &["a"], &["b"]),
        conv("Conv_2", "b", "v", "c"),
        Node::new("Add_3", "Add", &["c", "b"], &["d"]),
        Node::new("MaxPool_4", "MaxPool", &["d"], &["e"]).with("kernel_shape", Attribute::Ints(vec![2, 2])),
        conv("Conv_5", "e", "u", "y"),
    ];
    let constants = [
        ("w", constant(&[4, 3, 3, 3], &numbers(108, 1))),
        ("v", constant(&[4, 4, 1, 1], &numbers(16, 2))),
        ("u", constant(&[2, 4, 1, 1], &numbers(8, 3))),
    ];
    graph(&[("x", &[1, 3, 8, 8])], &constants, nodes, &["y"])
}

pub(super) fn configuration(model: &str, calibration: &str) -> String {
    format!(
        "model_parameters:\n  onnx_model: network.onnx\n  march: nash-e\n  working_dir: out\n  output_model_file_prefix: network\n{model}\
         input_parameters:\n  input_type_rt: featuremap\n  input_type_train: featuremap\n  input_layout_train: NCHW\n  \
         norm_type: no_preprocess\ncalibration_parameters:\n{calibration}compiler_parameters:\n  optimize_level: O2\n"
    )
}

fn compiled(graph: &Graph, model: &str, calibration: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    onnx::save(&Model::new(9, 19, graph.clone()), &folder.path().join("network.onnx")).unwrap();
    compile_text(folder.path(), &configuration(model, &format!("  calibration_type: skip\n{calibration}")), 1).unwrap();
    folder
}

fn manifest(folder: &Path) -> Manifest {
    Hbm::open(&folder.join("out/network.hbm")).unwrap().manifest().clone()
}

fn info(folder: &Path) -> QuantInfo {
    QuantInfo::read(&folder.join("out/network_quant_info.json")).unwrap()
}

/// The types of the input and of the values of all layers, by what asks for them.
fn types(model: &str, calibration: &str) -> Vec<ElementType> {
    let model = format!("  layer_out_dump: True\n  remove_node_type: Quantize\n{model}");
    let folder = compiled(&network(), &model, calibration);
    let manifest = manifest(folder.path());
    let layer = |name: &str| {
        let found = manifest.outputs.iter().find(|output| output.name == name);
        found.unwrap_or_else(|| panic!("no layer '{name}': {:?}", manifest.outputs)).element_type
    };
    let layers = ["Conv_0", "Conv_2", "Add_3", "MaxPool_4", "Conv_5"].map(layer);
    [manifest.inputs[0].element_type].into_iter().chain(layers).collect()
}

/// Of the input, of `Conv_0` with its relu, `Conv_2`, `Add_3`, `MaxPool_4`, and of `Conv_5`, whose 32-bit sums leave it as float.
const NOTHING_ASKED: [ElementType; 6] = [I8, I8, I8, I8, I8, F32];

#[test]
fn nothing_is_int16_that_nobody_asks_for() {
    assert_eq!(types("", ""), NOTHING_ASKED);
    assert_eq!(types("", "  optimization: ''\n  quant_config: {}\n"), NOTHING_ASKED);
}

#[test]
fn node_info_in_each_form() {
    let node = |text: &str| types(&format!("  node_info: {text}\n"), "");
    assert_eq!(node("'Conv_2:int16'"), [I8, I8, I16, I8, I8, F32]);
    assert_eq!(node("'Conv_2:int16;Relu_1:int16'"), [I8, I16, I16, I8, I8, F32]);
    assert_eq!(node("{Conv_2: {ON: BPU, OutputType: int16}}"), [I8, I8, I16, I8, I8, F32]);
    // Both neighbours in front, one of them, and itself.
    assert_eq!(node("{Add_3: {InputType: int16}}"), [I8, I16, I16, I8, I8, F32]);
    assert_eq!(node("{Add_3: {InputType0: int16}}"), [I8, I8, I16, I8, I8, F32]);
    assert_eq!(node("{Add_3: {InputType1: int16}}"), [I8, I16, I8, I8, I8, F32]);
    assert_eq!(node("{Add_3: {InputType: int16, InputType1: int8, OutputType: int16}}"), [I8, I8, I16, I16, I16, F32]);
    // A pool moves values: what it gives has the type of what it is given.
    assert_eq!(node("{Conv_5: {InputType: int16}}"), [I8, I8, I8, I16, I16, F32]);
    assert_eq!(node("{Conv_0: {InputType: int16}}"), [I16, I8, I8, I8, I8, F32]);
    // The output of the model is rounded where a type is asked for it.
    assert_eq!(node("{Conv_5: {OutputType: int16}}"), [I8, I8, I8, I8, I8, I16]);
}

/// A value that the CPU alone reads is an input of a node, too.
#[test]
fn what_the_cpu_reads_is_an_input_of_a_node() {
    let all = "  optimization: set_all_nodes_int16\n";
    assert_eq!(types("  node_info: {MaxPool_4: {ON: CPU}}\n", ""), [I8, I8, I8, I8, F32, F32]);
    assert_eq!(types("  node_info: {MaxPool_4: {ON: CPU}}\n", all), [I16, I16, I16, I16, F32, F32]);
    assert_eq!(types("  node_info: {MaxPool_4: {ON: CPU, InputType: int16}}\n", ""), [I8, I8, I8, I16, F32, F32]);
}

#[test]
fn each_word_of_optimization() {
    let word = |text: &str| types("", &format!("  optimization: '{text}'\n"));
    assert_eq!(word("set_all_nodes_int16"), [I16, I16, I16, I16, I16, F32]);
    assert_eq!(word("set_Conv_input_int16"), [I16, I16, I8, I16, I16, F32]);
    assert_eq!(word("set_Add_input_int16"), [I8, I16, I16, I8, I8, F32]);
    assert_eq!(word("set_Add_output_int16"), [I8, I8, I8, I16, I16, F32]);
    assert_eq!(word("set_Relu_output_int16"), [I8, I16, I8, I8, I8, F32]);
    assert_eq!(word("set_Conv_output_int16"), [I8, I16, I16, I8, I8, I16]);
    assert_eq!(word("set_model_output_int8"), [I8, I8, I8, I8, I8, I8]);
    assert_eq!(word("set_model_output_int16"), [I8, I8, I8, I8, I8, I16]);
    assert_eq!(word("set_Add_output_int16;set_model_output_int8"), [I8, I8, I8, I16, I16, I8]);
}

#[test]
fn each_level_of_quant_config() {
    let config = |text: &str| types("", &format!("  quant_config: {text}\n"));
    assert_eq!(config("{model_config: {all_node_type: int16}}"), [I16, I16, I16, I16, I16, F32]);
    assert_eq!(config("{model_config: {model_output_type: int16}}"), [I8, I8, I8, I8, I8, I16]);
    assert_eq!(config("{model_config: {model_output_type: int8}}"), [I8, I8, I8, I8, I8, I8]);
    assert_eq!(config("{op_config: {Add: {type: int16}}}"), [I8, I16, I16, I8, I8, F32]);
    assert_eq!(config("{node_config: {Conv_2: {type: int16}}}"), [I8, I16, I8, I8, I8, F32]);
    // The later form.
    assert_eq!(config("{node_config: {Add_3: {qtype: int16}}}"), [I8, I16, I16, I8, I8, F32]);
    assert_eq!(config("{node_config: {Add_3: {input0: int16}}}"), [I8, I8, I16, I8, I8, F32]);
    assert_eq!(config("{node_config: {Add_3: {qtype: int16, input0: int8}}}"), [I8, I16, I8, I8, I8, F32]);
    assert_eq!(config("{node_config: {Add_3: {output: int16}}}"), [I8, I8, I8, I16, I16, F32]);
}

/// The manual: "There is no difference in usage between the two".
#[test]
fn a_softmax_of_int8() {
    let nodes = vec![
        conv("Conv_0", "x", "w", "a"),
        Node::new("Softmax_1", "Softmax", &["a"], &["y"]).with("axis", Attribute::Int(1)),
    ];
    let constants = [("w", constant(&[4, 3, 1, 1], &numbers(12, 1)))];
    let graph = graph(&[("x", &[1, 3, 8, 8])], &constants, nodes, &["y"]);
    let layers = |lines: &str| {
        let folder = compiled(&graph, "  layer_out_dump: True\n", lines);
        manifest(folder.path()).outputs.iter().map(|output| output.element_type).collect::<Vec<_>>()
    };
    let usual = layers("");
    assert!(usual.contains(&F32) && !usual.contains(&I8), "{usual:?}");
    for word in ["set_Softmax_input_int8", "set_Softmax_output_int8"] {
        let asked = layers(&format!("  optimization: {word}\n"));
        assert_eq!(asked.iter().filter(|element| **element == I8).count(), 2, "{asked:?}");
    }
}

/// The manual: "the smaller the configuration granularity, the higher the priority".
#[test]
fn the_narrower_level_wins() {
    let config = |text: &str| types("", &format!("  quant_config: {text}\n"));
    // Only Add_3 reads what Conv_2 gives.
    let kinds = "{model_config: {all_node_type: int16}, op_config: {Add: {type: int8}}";
    assert_eq!(config(&format!("{kinds}}}")), [I16, I16, I8, I16, I16, F32]);
    assert_eq!(
        config(&format!("{kinds}, node_config: {{Add_3: {{input0: int16}}}}}}")),
        [I16, I16, I16, I16, I16, F32]
    );
    let nodes = "{op_config: {Conv: {type: int16}}, node_config: {Conv_2: {type: int8}, Conv_0: {type: int8}}}";
    assert_eq!(config(nodes), [I8, I8, I8, I16, I16, F32]);
    // quant_config is asked last.
    let both = "  quant_config: {op_config: {Add: {type: int8}}}\n  optimization: set_Add_input_int16\n";
    assert_eq!(types("", both), NOTHING_ASKED);
}

/// One value, int16 for one reader and int8 for another.
#[test]
fn a_reader_may_ask_for_int8() {
    let config = "  quant_config: {op_config: {Conv: {type: int16}}, node_config: {Add_3: {type: int8}}}\n";
    let folder = compiled(&network(), "", config);
    let info = info(folder.path());
    assert_eq!(info.operands.get("Add_3"), Some(&vec![0, 8]));
    let relu = &info.values["Conv_0"];
    assert_eq!((relu.element, relu.judged_by), (ActivationType::Int16, Some(Judge::Asked)));
    // Twice what was seen, with the threshold of int8 beside it.
    assert_eq!(Some(relu.threshold), relu.largest.map(|largest| 2.0 * largest));
    assert_eq!(relu.narrow_threshold, relu.largest);
}

fn samples(folder: &Path) -> PathBuf {
    let data = folder.join("samples");
    std::fs::create_dir(&data).unwrap();
    for sample in 0..10 {
        let bytes = npy::encode(&array(&[1, 3, 8, 8], &numbers(192, sample))).unwrap();
        std::fs::write(data.join(format!("{sample}.npy")), bytes).unwrap();
    }
    data
}

/// What was chosen, with or without a search, is carried on by the file that says it.
#[test]
fn the_written_quant_config_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    onnx::save(&Model::new(9, 19, network()), &folder.path().join("network.onnx")).unwrap();
    let data = format!("  cal_data_dir: '{}'\n", samples(folder.path()).display());
    for asked in [
        "  calibration_type: default\n  accuracy_target: 1\n",
        "  calibration_type: kl\n  optimization: 'set_model_output_int8;set_Conv_output_int16'\n",
        "  calibration_type: max\n  max_percentile: 0.99\n  quant_config: {op_config: {Conv: {type: int16}}, node_config: {Add_3: {type: int8}}}\n",
    ] {
        let compile = |lines: &str| {
            compile_text(folder.path(), &configuration("", &format!("{data}{lines}")), 1).unwrap();
            files(&folder.path().join("out"))
        };
        let first = compile(asked);
        std::fs::write(folder.path().join("types.json"), &first["network_quant_config.json"]).unwrap();
        for kind in ["default", "kl", "max"] {
            let again = compile(&format!("  calibration_type: {kind}\n  quant_config: types.json\n"));
            for name in ["network_quant_config.json", "network_ptq_model.onnx", "network_quant_weights.safetensors"] {
                assert!(first[name] == again[name], "{asked}{kind}: {name}");
            }
            assert!(contents(&first["network.hbm"]) == contents(&again["network.hbm"]), "{asked}{kind}");
        }
    }
}

/// A `.hbm` without the parameters that it was made with: its manifest, and its programs, constants and code.
fn contents(bytes: &[u8]) -> (Manifest, Vec<Vec<u8>>) {
    let hbm = Hbm::from_bytes(bytes.to_vec()).unwrap();
    let manifest = Manifest { parameters: Vec::new(), ..hbm.manifest().clone() };
    let sections = hbm.sections().iter().enumerate().filter(|(_, section)| section.kind != SectionKind::Manifest);
    let sections = sections.map(|(index, _)| hbm.section(index).to_vec()).collect();
    (manifest, sections)
}
