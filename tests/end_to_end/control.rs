//! Convolutions on the BPU, then what only the CPU does: operators that sort, select, recur and branch, through to the `.hbm`.
//! Compared with what onnxruntime computed of the float network.

use super::arrays::given;
use super::{common, compile_text, cosine, floats, open_model};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node, Value};
use hb::frontend::onnx::tensor::Tensor;
use hb::hbm::Hbm;
use hb::sim::npy;
use hb_dialects::ElementType;
use std::path::Path;

/// Compiles a recorded network with its own inputs as calibration data.
pub(super) fn compiled(folder: &Path, (kind, form): (&str, &str)) -> (common::Case, Vec<Array>) {
    let case = common::cases_of(kind).into_iter().find(|case| case.form == form).unwrap();
    let inputs: Vec<Array> = case.inputs.iter().map(|(_, recorded)| given(recorded)).collect();
    let mut folders = Vec::new();
    for ((name, _), input) in case.inputs.iter().zip(&inputs) {
        let data = folder.join(name);
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("0.npy"), npy::encode(input).unwrap()).unwrap();
        folders.push(data.display().to_string());
    }
    let each = |value: &str| vec![value; case.inputs.len()].join(";");
    let names: Vec<&str> = case.inputs.iter().map(|(name, _)| name.as_str()).collect();
    let text = format!(
        "model_parameters:\n  onnx_model: '{}'\n  march: 'nash-e'\n  output_model_file_prefix: 'net'\n  \
         working_dir: '{}'\ninput_parameters:\n  input_name: '{}'\n  input_type_rt: '{}'\n  input_type_train: '{}'\n  \
         input_layout_train: '{}'\n  norm_type: '{}'\ncompiler_parameters:\n  optimize_level: 'O2'\n\
         calibration_parameters:\n  cal_data_dir: '{}'\n  calibration_type: 'max'\n",
        case.model.display(),
        folder.join("out").display(),
        names.join(";"),
        each("featuremap"),
        each("featuremap"),
        each("NCHW"),
        each("no_preprocess"),
        folders.join(";"),
    );
    compile_text(folder, &text, 1).unwrap();
    (case, inputs)
}

/// The `.hbm` gives what the quantized network gives, to the byte, and nearly what onnxruntime computed.
fn check(form: &str, least_cosine: f64) {
    check_on(form, least_cosine, &["bpu", "cpu"]);
}

/// As `check`, on these processors.
fn check_on(form: &str, least_cosine: f64, processors: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (case, inputs) = compiled(folder.path(), ("control_networks", form));
    let output = folder.path().join("out");
    let run = |ending: &str| open_model(&output.join(ending)).executor.run(&inputs).unwrap().outputs;
    let found = run("net.hbm");
    assert_eq!(found, run("net_quantized_model.bc"), "{form}");
    assert_eq!(found.len(), case.outputs.len());
    for ((name, expected), found) in case.outputs.iter().zip(&found) {
        assert_eq!(found.shape().len(), expected.shape.len(), "{form} {name}");
        if found.element() == ElementType::F32 {
            assert_eq!(found.shape(), expected.shape, "{form} {name}");
        }
        if found.element() == ElementType::F32 && !found.is_empty() {
            let cosine = cosine(&floats(found), &expected.to_f32());
            assert!(cosine > least_cosine, "{form} {name}: {cosine}");
        }
    }
    let hbm = Hbm::open(&output.join("net.hbm")).unwrap();
    let kinds: Vec<&str> = hbm
        .manifest()
        .segments
        .iter()
        .map(|segment| match segment.body {
            hb::hbm::SegmentBody::Bpu(_) => "bpu",
            hb::hbm::SegmentBody::Cpu(_) => "cpu",
        })
        .collect();
    assert!(processors.iter().all(|kind| kinds.contains(kind)), "{form}: {kinds:?}");
    assert!(kinds.iter().all(|kind| processors.contains(kind)), "{form}: {kinds:?}");
}

#[test]
fn top_k() {
    check("top_k", 0.999);
}

#[test]
fn unpooling() {
    check("segnet", 0.99);
}

#[test]
fn recurrent() {
    check_on("recurrent", 0.99, &["bpu"]);
}

#[test]
fn branches() {
    check("branch", 0.999);
    check("other_branch", 0.999);
}

#[test]
fn branches_of_an_input() {
    check("branch_of_input_true", 0.999);
    check("branch_of_input_false", 0.999);
}

#[test]
fn a_loop_of_an_input() {
    check("loop_of_input_0", 0.999);
    check("loop_of_input_3", 0.999);
    check("loop_of_input_9", 0.999);
}

#[test]
fn a_loop() {
    check("loop", 0.999);
}

/// How many boxes are selected is known only after a run; the output has that size.
#[test]
fn detector() {
    let folder = tempfile::tempdir().unwrap();
    let (case, inputs) = compiled(folder.path(), ("control_networks", "detector"));
    let output = folder.path().join("out");
    let hbm = Hbm::open(&output.join("net.hbm")).unwrap();
    // Two classes of at most five boxes.
    for (tensor, dims) in hbm.manifest().outputs.iter().zip([[10, 3], [10, 4]]) {
        assert_eq!(tensor.dims, dims);
        assert!(tensor.sizes_buffer.is_some());
    }
    let found = open_model(&output.join("net.hbm")).executor.run(&inputs).unwrap().outputs;
    assert_eq!(found, open_model(&output.join("net_quantized_model.bc")).executor.run(&inputs).unwrap().outputs);
    let rows = found[0].shape()[0];
    assert_eq!((found[0].shape()[1], found[1].shape()), (3, [rows, 4].as_slice()));
    assert!(rows > 0 && rows.abs_diff(case.outputs[0].1.shape[0]) <= 2, "{rows}");
}

/// The end of a detector that always gives a box: what is appended, counted and chosen has a size that is known only after a run.
#[test]
fn detector_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let (case, inputs) = compiled(folder.path(), ("control_networks", "detector_of_all"));
    let run = |name: &str| open_model(&folder.path().join("out").join(name)).executor.run(&inputs).unwrap().outputs;
    let found = run("net.hbm");
    assert_eq!(found, run("net_quantized_model.bc"));
    // At most eight are kept of those that were selected and the one of zeros.
    let count = found[0].shape()[1];
    assert_eq!(found[1].shape(), [1, count, 4]);
    assert_eq!(case.outputs[0].1.shape, [1, 8], "the recorded one has enough");
    assert_eq!(count, 8);
    let (widths, best) = (floats(&found[0]), case.outputs[0].1.to_f32());
    assert!(widths.is_sorted_by(|a, b| a >= b), "{widths:?}");
    for (found, expected) in widths.iter().zip(best) {
        assert!((found - expected).abs() < 0.1 * expected.abs().max(0.1), "{found} {expected}");
    }
}

/// ONNX: what Range takes are scalars.
#[test]
fn ranges_in_exported_models_take_scalars() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = vec![Node::new("Hardmax_0", "Hardmax", &["x"], &["y"])];
    let network = super::borders::graph(&[("x", &[2, 5])], &[], nodes, &["y"]);
    onnx::save(&Model::new(9, 19, network), &folder.path().join("network.onnx")).unwrap();
    let text = super::types::configuration("", "  calibration_type: skip\n");
    super::compile_text(folder.path(), &text, 1).unwrap();
    let model = onnx::load(&folder.path().join("out/network_original_float_model.onnx")).unwrap();
    let ranges: Vec<_> = model.graph.nodes.iter().filter(|node| node.operator == "Range").collect();
    assert!(!ranges.is_empty());
    for input in ranges.iter().flat_map(|node| &node.inputs) {
        let initializer = model.graph.initializers.iter().find(|(name, _)| name == input);
        let maker =
            model.graph.nodes.iter().find(|node| node.outputs.contains(input)).map(|node| node.operator.as_str());
        assert!(
            initializer.is_some_and(|(_, tensor)| tensor.shape().is_empty()) || maker == Some("Squeeze"),
            "{input}: {maker:?}"
        );
    }
}

/// y = -x where dimension 1 of x has this size, by an If whose other branch is the nodes given, from x to z.
fn decided_by_shape(size: i64, other: Vec<Node>) -> Graph {
    let branch = |name: &str, nodes: Vec<Node>, output: &str| {
        let output = Value { name: output.to_owned(), element: None, shape: None };
        Attribute::Graph(Box::new(Graph { name: name.to_owned(), nodes, outputs: vec![output], ..Graph::default() }))
    };
    let nodes = vec![
        Node::new("shape", "Shape", &["x"], &["sizes"]),
        Node::new("size", "Gather", &["sizes", "one"], &["found"]),
        Node::new("same", "Equal", &["found", "size"], &["condition"]),
        Node::new("choice", "If", &["condition"], &["y"])
            .with("then_branch", branch("then", vec![Node::new("negative", "Neg", &["x"], &["n"])], "n"))
            .with("else_branch", branch("else", other, "z")),
    ];
    let scalar = |value: i64| Tensor::from_i64s(&[value]).reshaped(vec![]).unwrap();
    let constants = [("one", scalar(1)), ("size", scalar(size)), ("axes", Tensor::from_i64s(&[1]))];
    super::borders::graph(&[("x", &[1, 3, 2])], &constants, nodes, &["y"])
}

/// Branches that cannot be built, and what their messages say: an operator that nobody knows, a shape that does not fit, and both.
fn impossible() -> [(Vec<Node>, &'static [&'static str]); 3] {
    let unknown = Node { domain: "com.acme".to_owned(), ..Node::new("mystery", "Mystery", &["x"], &["z"]) };
    let squeeze = |output: &str| Node::new("squeeze", "Squeeze", &["x", "axes"], &[output]);
    let fed = Node { inputs: vec!["narrow".to_owned()], ..unknown.clone() };
    [
        (vec![unknown], &["com.acme.Mystery: mystery"]),
        (vec![squeeze("z")], &["squeeze", "removes dimension 1"]),
        (vec![squeeze("narrow"), fed], &["squeeze", "com.acme.Mystery: mystery"]),
    ]
}

#[test]
fn only_the_branch_taken_must_be_possible() {
    let x: Vec<f32> = (0..6).map(|index| index as f32 / 4.0 - 0.75).collect();
    for (other, _) in impossible() {
        let folder = tempfile::tempdir().unwrap();
        let input = super::borders::array(&[1, 3, 2], &x);
        let outputs =
            super::borders::compile_and_run(folder.path(), decided_by_shape(3, other), std::slice::from_ref(&input));
        let float = open_model(&folder.path().join("network.onnx")).executor.run(&[input]).unwrap().outputs;
        // What is exported holds the branch that was taken.
        onnx::load(&folder.path().join("out/network_original_float_model.onnx")).unwrap();
        for (x, (float, found)) in x.iter().zip(floats(&float[0]).into_iter().zip(floats(&outputs[0]))) {
            assert_eq!(float, -x);
            assert!((found + x).abs() < 0.02, "{found} {x}");
        }
    }
}

#[test]
fn a_branch_that_is_taken_or_may_be_taken_must_be_possible() {
    let refused = |graph: Graph| {
        let folder = tempfile::tempdir().unwrap();
        onnx::save(&Model::new(9, 19, graph), &folder.path().join("network.onnx")).unwrap();
        let text = super::types::configuration("", "  calibration_type: skip\n");
        compile_text(folder.path(), &text, 1).unwrap_err().to_string()
    };
    for (other, reasons) in impossible() {
        let taken = refused(decided_by_shape(4, other.clone()));
        let mut graph = decided_by_shape(3, other);
        graph.nodes[2] = Node::new("nan", "IsNaN", &["x"], &["every"]);
        graph
            .nodes
            .insert(3, Node::new("any", "ReduceMax", &["number"], &["most"]).with("keepdims", Attribute::Int(0)));
        graph.nodes.insert(3, Node::new("number", "Cast", &["every"], &["number"]).with("to", Attribute::Int(1)));
        graph.nodes.insert(5, Node::new("condition", "Cast", &["most"], &["condition"]).with("to", Attribute::Int(9)));
        let open = refused(graph);
        assert!(taken.contains("takes a branch that cannot be built"), "{taken}");
        assert!(open.contains("known only when the network runs"), "{open}");
        for message in [taken, open] {
            assert!(message.contains("choice"), "{message}");
            assert!(reasons.iter().all(|reason| message.contains(reason)), "{message}");
        }
    }
}
