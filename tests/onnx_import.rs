//! ONNX files: every recorded operator case is read and brought to the normal form, and what is broken is an error, never a
//! panic.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use hb::frontend::onnx::model::{Attribute, Graph};
use hb::frontend::onnx::{self, OnnxError};
use hb_dialects::ir::{self, OperationAttributes, TensorType};
use hb_dialects::names;
use melior::ir::operation::OperationLike;
use melior::ir::{RegionLike, ValueLike};

/// Files do not say of which node a node was made.
fn forget_origins(graph: &mut Graph) {
    for node in &mut graph.nodes {
        (node.made_of, node.name_in_file) = (None, None);
        for (_, attribute) in &mut node.attributes {
            if let Attribute::Graph(inner) = attribute {
                forget_origins(inner);
            }
        }
    }
}

/// Reads, brings to opset 27, writes, reads again.
fn round_trip(bytes: Vec<u8>, folder: &std::path::Path) -> Result<(), OnnxError> {
    let mut model = onnx::from_bytes(bytes.into(), Some(folder))?;
    forget_origins(&mut model.graph);
    let written = onnx::to_bytes(&model)?;
    let again = onnx::from_bytes(written.clone().into(), None)?;
    assert_eq!(model, again);
    assert_eq!(onnx::to_bytes(&again)?, written);
    let context = hb_dialects::context();
    let mut normal = onnx::normalize::normalize(&context, model)?;
    assert_eq!(normal.opset, 27);
    forget_origins(&mut normal.graph);
    let again = onnx::from_bytes(onnx::to_bytes(&normal)?.into(), None)?;
    assert_eq!(normal, again);
    // The normal form of the normal form is itself.
    assert_eq!(onnx::normalize::normalize(&context, again)?, normal);
    Ok(())
}

#[test]
fn every_recorded_case_is_read() {
    let mut failures = Vec::new();
    for case in common::operator_cases() {
        let name = case.name();
        let bytes = fs::read(&case.model).unwrap();
        match round_trip(bytes, case.model.parent().unwrap()) {
            Ok(()) => {}
            // Cases of operators that come later are recorded already.
            Err(OnnxError::UnsupportedOperators(_)) if onnx::operators::find(&case.operator).is_none() => {}
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A graph that has most kinds of fields, made of the recorded cases.
fn specimens() -> Vec<Vec<u8>> {
    let names =
        ["networks/conv_batch_normalization_relu", "networks/torch_pad_shortcut", "encodings/uint8_in_int32_data"];
    let cases = common::operator_cases().into_iter().filter(|case| names.contains(&case.name().as_str()));
    let bytes: Vec<_> = cases.map(|case| fs::read(case.model).unwrap()).collect();
    assert_eq!(bytes.len(), names.len());
    bytes
}

/// Reading must end, in a module or an error; what the model says does not matter.
fn survive(context: &melior::Context, bytes: Vec<u8>) {
    if let Ok(model) = onnx::from_bytes(bytes.into(), None) {
        let _ = onnx::to_bytes(&model);
        if let Ok(module) = onnx::import(context, model, &onnx::ImportOptions::default()) {
            let _ = onnx::export(module.as_operation());
        }
    }
}

#[test]
fn every_truncation_is_survived() {
    let context = hb_dialects::context();
    for bytes in specimens() {
        for length in 0..bytes.len() {
            survive(&context, bytes[..length].to_vec());
        }
    }
}

#[test]
fn every_bit_flip_is_survived() {
    let context = hb_dialects::context();
    for bytes in specimens() {
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            survive(&context, flipped);
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn several_broken_bytes_are_survived(
        specimen in 0..3_usize,
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), 0..=255_u8), 1..8),
    ) {
        let mut bytes = specimens().swap_remove(specimen);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        survive(&hb_dialects::context(), bytes);
    }
}

/// Result types that import infers are those that onnxruntime computed, where they do not depend on folding.
#[test]
fn every_recorded_case_becomes_hfloat() {
    let context = hb_dialects::context();
    let (mut failures, mut known) = (Vec::new(), 0);
    for case in common::operator_cases() {
        let name = case.name();
        let later = onnx::operators::find(&case.operator).is_none();
        if later && !["networks", "encodings"].contains(&case.operator.as_str()) {
            continue;
        }
        let input_shapes = case.inputs.iter().map(|(name, array)| (name.clone(), array.shape.clone())).collect();
        let module = match onnx::import_file(&context, &case.model, &onnx::ImportOptions { input_shapes }) {
            Ok(module) => module,
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        let function = ir::function_named(module.as_operation(), names::FUNCTION).unwrap();
        let inputs: Vec<_> = case.inputs.iter().map(|(name, _)| name.clone()).collect();
        let outputs: Vec<_> = case.outputs.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(names::input_names(function), inputs, "{name}");
        assert_eq!(names::output_names(function), outputs, "{name}");
        let last = ir::operations(function.region(0).unwrap().first_block().unwrap()).pop().unwrap();
        for (index, (output, array)) in case.outputs.iter().enumerate() {
            let r#type = TensorType::from_type(last.operand_at(index).unwrap().r#type()).unwrap();
            if let Some(shape) = r#type.shape() {
                assert_eq!(shape, array.shape, "{name}, output {output}");
                known += 1;
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(known > 400, "{known}");
}

/// The types of the arguments, as MLIR prints the function.
fn arguments(case: &str, shapes: &[(&str, &[usize])]) -> Result<String, String> {
    let context = hb_dialects::context();
    let case = common::operator_cases().into_iter().find(|known| known.name() == case).unwrap();
    let input_shapes = shapes.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect();
    let module = onnx::import_file(&context, &case.model, &onnx::ImportOptions { input_shapes });
    let text = module.map_err(|error| error.to_string())?.as_operation().to_string();
    let line = text.lines().find(|line| line.contains("func.func @main")).unwrap();
    Ok(line.split(") -> (").next().unwrap().trim().to_owned())
}

#[test]
fn dynamic_dimensions_are_resolved() {
    let batch = arguments("networks/dynamic_batch", &[]).unwrap();
    assert!(batch.contains("%arg0: tensor<1x"), "{batch}");
    let error = arguments("networks/dynamic_batch_height_width", &[]).unwrap_err();
    assert!(error.starts_with("input \"x\": it has the shape ["), "{error}");
    assert!(error.contains("give its sizes (input_shape, or -i with --fast-perf)"), "{error}");
    let error = arguments("networks/dynamic_batch", &[("nothing", &[1])]).unwrap_err();
    assert_eq!(error, "input \"nothing\": the model has no such input, it has x");
    let error = arguments("networks/dynamic_batch", &[("x", &[1])]).unwrap_err();
    assert_eq!(error, "input \"x\": 1 dimensions are asked for, the model says 4");
    // Fixed sizes may be others; what does not fit is named.
    let error = arguments("networks/dynamic_batch", &[("x", &[2, 99, 8, 8])]).unwrap_err();
    assert!(error.starts_with("node ") && error.contains("Conv"), "{error}");
}

/// A BatchNormalization that names its running statistics, in the normal form.
fn batch_normalization(opset: i64, outputs: &[&str]) -> Result<Vec<String>, String> {
    use hb::frontend::onnx::model::{Graph, Model, Node, Value};
    let value = |name: &str| Value { name: name.to_owned(), element: Some(hb_dialects::ElementType::F32), shape: None };
    let graph = Graph {
        nodes: vec![Node::new("n", "BatchNormalization", &["x", "s", "b", "m", "v"], &["y", "mean", "variance"])],
        inputs: ["x", "s", "b", "m", "v"].map(value).to_vec(),
        outputs: outputs.iter().copied().map(value).collect(),
        ..Graph::default()
    };
    let model = Model::new(8, opset, graph);
    let normal = onnx::normalize::normalize(&hb_dialects::context(), model).map_err(|error| error.to_string())?;
    Ok(normal.graph.nodes[0].outputs.clone())
}

/// In the definition before opset 14 the number of outputs says that the node trains, and onnxruntime normalizes by the batch then.
#[test]
fn statistics_are_dropped_where_nobody_reads_them() {
    assert_eq!(batch_normalization(15, &["y"]).unwrap(), ["y"]);
    for (opset, outputs) in [(15, &["y", "mean"][..]), (9, &["y"])] {
        let error = batch_normalization(opset, outputs).unwrap_err();
        assert_eq!(error, "node 'n' (BatchNormalization): it is in training mode; export the model for inference");
    }
}

/// The operators that a node of an old operator set becomes.
fn upgraded(opset: i64, node: onnx::model::Node) -> Result<Vec<String>, String> {
    use hb::frontend::onnx::model::{Dimension, Graph, Model, Value};
    let value = |name: &str, shape: &[usize]| {
        let shape = Some(shape.iter().copied().map(Dimension::Fixed).collect());
        Value { name: name.to_owned(), element: Some(hb_dialects::ElementType::F32), shape }
    };
    let graph = Graph {
        nodes: vec![node],
        inputs: vec![value("x", &[2, 3, 4, 5]), value("s", &[3])],
        outputs: vec![value("y", &[2, 3, 4, 5])],
        ..Graph::default()
    };
    let normal = onnx::normalize::normalize(&hb_dialects::context(), Model::new(3, opset, graph));
    let nodes = normal.map_err(|error| error.to_string())?.graph.nodes;
    Ok(nodes.into_iter().map(|node| node.operator).collect())
}

/// Before opset 7 the second operand of Add begins at a dimension, and the slope of PRelu is that of channels: `[3]` is `[3, 1, 1]`.
#[test]
fn operands_of_old_operator_sets_get_their_dimensions() {
    use hb::frontend::onnx::model::Node;
    let add = Node::new("n", "Add", &["x", "s"], &["y"]);
    let add = add.with("broadcast", Attribute::Int(1)).with("axis", Attribute::Int(1));
    assert_eq!(upgraded(6, add.clone()).unwrap(), ["Constant", "Unsqueeze", "Add"]);
    let slope = Node::new("n", "PRelu", &["x", "s"], &["y"]);
    assert_eq!(upgraded(6, slope.clone()).unwrap(), ["Constant", "Unsqueeze", "PRelu"]);
    assert!(upgraded(7, slope).unwrap_err().contains("broadcast"));
    assert!(upgraded(7, add.clone()).unwrap_err().contains("does not exist in opset 7"));
    let beyond = add.with("axis", Attribute::Int(-1));
    assert!(upgraded(6, beyond.with("axis", Attribute::Int(4))).unwrap_err().contains("axis"));
}

#[test]
fn forms_before_opset_6_are_read_where_it_did_not_change_them() {
    use hb::frontend::onnx::model::Node;
    let error = upgraded(5, Node::new("n", "Relu", &["x"], &["y"])).unwrap_err();
    assert_eq!(error, "node 'n' (Relu): its form of opset 5 is not supported, that of 6 and later is");
    assert_eq!(upgraded(1, Node::new("n", "Softsign", &["x"], &["y"])).unwrap(), ["Softsign"]);
}

/// What people get in place of a model is told by what it is.
#[test]
fn files_that_are_no_models() {
    let told = |bytes: &'static [u8]| onnx::from_bytes(bytes.into(), None).unwrap_err().to_string();
    assert!(told(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n").contains("git lfs pull"));
    assert!(told(b"\n<!DOCTYPE html><html></html>").contains("HTML"));
    assert!(told(b"PK\x03\x04archive/data.pkl").contains("torch.onnx.export"));
}

/// As onnxruntime: "Type Error: Type (tensor(int64)) of output arg (y) of node (relu) does not match expected type (tensor(float))".
#[test]
fn outputs_of_another_type_than_declared_are_errors() {
    let value = |name: &str, element| onnx::model::Value { name: name.into(), element: Some(element), shape: None };
    let x = onnx::model::Value {
        shape: Some(vec![onnx::model::Dimension::Fixed(2)]),
        ..value("x", hb_dialects::ElementType::F32)
    };
    let graph = onnx::model::Graph {
        name: "g".into(),
        nodes: vec![onnx::model::Node::new("relu", "Relu", &["x"], &["y"])],
        inputs: vec![x],
        outputs: vec![value("y", hb_dialects::ElementType::I64)],
        ..onnx::model::Graph::default()
    };
    let context = hb_dialects::context();
    let error = onnx::import(&context, onnx::model::Model::new(9, 19, graph), &onnx::ImportOptions::default())
        .err()
        .map(|error| error.to_string());
    assert!(
        error.as_ref().is_some_and(|error| error.contains("\"y\" is declared int64, but the network gives float32")),
        "{error:?}"
    );
}

/// What nothing says through which shape its indices count is no unpooling that could be right.
#[test]
fn unpooling_says_what_its_indices_lack() {
    use onnx::model::{Attribute, Dimension, Graph, Model, Node, Value};
    let error = |output_shape: [i64; 4], between: Option<&str>| {
        let mut pool = Node::new("pool", "MaxPool", &["x"], &["p", "i"]);
        let mut unpool = Node::new("unpool", "MaxUnpool", &["p", "j", "s"], &["y"]);
        for node in [&mut pool, &mut unpool] {
            node.set_attribute("kernel_shape", Attribute::Ints(vec![2, 2]));
            node.set_attribute("strides", Attribute::Ints(vec![2, 2]));
        }
        let between = Node::new("between", between.unwrap_or("Identity"), &["i"], &["j"]);
        let shape = [1, 1, 9, 7].map(Dimension::Fixed).to_vec();
        let x = Value { name: "x".into(), element: Some(hb_dialects::ElementType::F32), shape: Some(shape) };
        let bytes: Vec<u8> = output_shape.iter().flat_map(|size| size.to_le_bytes()).collect();
        let sizes = onnx::tensor::Tensor::new(hb_dialects::ElementType::I64, vec![4], bytes.into()).unwrap();
        let graph = Graph {
            name: "g".into(),
            nodes: vec![pool, between, unpool],
            inputs: vec![x],
            outputs: vec![Value { name: "y".into(), element: None, shape: None }],
            initializers: vec![("s".into(), sizes)],
            ..Graph::default()
        };
        let context = hb_dialects::context();
        let imported = onnx::import(&context, Model::new(9, 19, graph), &onnx::ImportOptions::default());
        imported.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(error([1, 1, 9, 7], None), "");
    let larger = error([1, 1, 10, 7], None);
    assert!(larger.contains("'unpool'") && larger.contains("of shape [1, 1, 9, 7]"), "{larger}");
    let changed = error([1, 1, 9, 7], Some("Neg"));
    assert!(changed.contains("'unpool'") && changed.contains("indices from Neg"), "{changed}");
    let channels = error([1, 2, 9, 7], None);
    assert!(channels.contains("'unpool'") && channels.contains("input of the shape [1, 1, 4, 3]"), "{channels}");
}

/// Indices of the user count through what windows cover, which a smaller shape would cut.
#[test]
fn unpooling_to_less_than_its_windows_is_an_error() {
    use hb_dialects::ElementType;
    use onnx::model::{Attribute, Dimension, Graph, Model, Node, Value};
    let error = |size: i64| {
        let mut unpool = Node::new("unpool", "MaxUnpool", &["p", "i", "s"], &["y"]);
        unpool.set_attribute("kernel_shape", Attribute::Ints(vec![2, 2]));
        unpool.set_attribute("strides", Attribute::Ints(vec![2, 2]));
        let shape = Some([1, 1, 2, 2].map(Dimension::Fixed).to_vec());
        let input = |name: &str, element| Value { name: name.into(), element: Some(element), shape: shape.clone() };
        let bytes: Vec<u8> = [1, 1, size, size].iter().flat_map(|size| size.to_le_bytes()).collect();
        let sizes = onnx::tensor::Tensor::new(ElementType::I64, vec![4], bytes.into()).unwrap();
        let graph = Graph {
            name: "g".into(),
            nodes: vec![unpool],
            inputs: vec![input("p", ElementType::F32), input("i", ElementType::I64)],
            outputs: vec![Value { name: "y".into(), element: None, shape: None }],
            initializers: vec![("s".into(), sizes)],
            ..Graph::default()
        };
        let context = hb_dialects::context();
        let imported = onnx::import(&context, Model::new(9, 19, graph), &onnx::ImportOptions::default());
        imported.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!((error(4), error(5)), (String::new(), String::new()));
    let smaller = error(3);
    assert!(smaller.contains("'unpool'") && smaller.contains("smaller than the [1, 1, 4, 4]"), "{smaller}");
}

/// What was known of the values of a branch is forgotten with them: memory gives their addresses to others.
#[test]
fn values_of_a_branch_leave_nothing_behind() {
    use hb_dialects::ElementType;
    use onnx::model::{Attribute, Dimension, Graph, Model, Node, Value};
    let value = |name: &str, element, sizes: &[usize]| {
        let shape = Some(sizes.iter().copied().map(Dimension::Fixed).collect());
        Value { name: name.into(), element: Some(element), shape }
    };
    // A branch that cannot be built, behind many values that follow from constants.
    let branch = |operator: &str| {
        let relus = (0..2000).map(|index| Node::new(&format!("r{index}"), "Relu", &["c"], &[&format!("r{index}")]));
        Graph {
            name: operator.into(),
            nodes: relus.chain([Node::new("end", operator, &["r0"], &["o"])]).collect(),
            outputs: vec![value("o", ElementType::F32, &[2])],
            initializers: vec![("c".into(), onnx::tensor::Tensor::from_f32s(&[1.0, 2.0]))],
            ..Graph::default()
        }
    };
    let bounds = |has_branch: bool| {
        let mut nodes = Vec::new();
        if has_branch {
            let mut choice = Node::new("if", "If", &["condition"], &["chosen"]);
            choice.set_attribute("then_branch", Attribute::Graph(branch("Bernoulli").into()));
            choice.set_attribute("else_branch", Attribute::Graph(branch("Identity").into()));
            nodes.push(choice);
        }
        for index in 0..100 {
            let (relu, places) = (format!("relu{index}"), format!("places{index}"));
            nodes.push(Node::new(&relu, "Relu", &["x"], &[&relu]));
            nodes.push(Node::new(&places, "NonZero", &[&relu], &[&places]));
        }
        let outputs = (0..100).map(|index| Value { name: format!("places{index}"), element: None, shape: None });
        let graph = Graph {
            name: "g".into(),
            nodes,
            inputs: vec![value("condition", ElementType::Bool, &[]), value("x", ElementType::F32, &[2, 3])],
            outputs: outputs.collect(),
            ..Graph::default()
        };
        let context = hb_dialects::context();
        let imported = onnx::import(&context, Model::new(9, 19, graph), &onnx::ImportOptions::default()).unwrap();
        let text = imported.as_operation().to_string();
        text.lines().filter(|line| line.contains("non_zero") && line.contains("hfloat.bounds")).count()
    };
    assert_eq!((bounds(false), bounds(true)), (100, 100));
}

/// Values that are reached on very many ways, each of which tells nothing new: two to the power of 40 of them.
#[test]
fn sizes_that_are_joined_again_and_again_end_soon() {
    use hb_dialects::ElementType;
    use onnx::model::{Dimension, Graph, Model, Node, Value};
    let vector = |values: &[i64]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        onnx::tensor::Tensor::new(ElementType::I64, vec![values.len()], bytes.into()).unwrap()
    };
    let import = |is_cut: bool| {
        let mut nodes = vec![Node::new("shape", "Shape", &["x"], &["s0"])];
        for step in 0..40 {
            let (own, joined, next) = (format!("s{step}"), format!("j{step}"), format!("s{}", step + 1));
            nodes.push(Node::new(&format!("join{step}"), "Concat", &[&own, &own], &[&joined]));
            let rest = if is_cut { "Slice" } else { "Identity" };
            let inputs = if is_cut { vec![joined.as_str(), "zero", "two"] } else { vec![joined.as_str()] };
            nodes.push(Node::new(&format!("cut{step}"), rest, &inputs, &[&next]));
        }
        for node in nodes.iter_mut().filter(|node| node.operator == "Concat") {
            node.set_attribute("axis", onnx::model::Attribute::Int(0));
        }
        nodes.push(Node::new("filled", "ConstantOfShape", &["s40"], &["y"]));
        let shape = Some([2, 3].map(Dimension::Fixed).to_vec());
        let graph = Graph {
            name: "g".into(),
            nodes,
            inputs: vec![Value { name: "x".into(), element: Some(ElementType::F32), shape }],
            outputs: vec![Value { name: "y".into(), element: None, shape: None }],
            initializers: vec![("zero".into(), vector(&[0])), ("two".into(), vector(&[2]))],
            ..Graph::default()
        };
        let context = hb_dialects::context();
        onnx::import(&context, Model::new(9, 19, graph), &onnx::ImportOptions::default()).map(|_| ())
    };
    assert!(import(true).is_ok());
    // A vector of 2^41 sizes: what it is for is asked when it is computed.
    assert!(import(false).is_ok());
}
