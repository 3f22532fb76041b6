//! `hfloat` and quantized functions become ONNX. That onnxruntime computes the same from the exported files as from the
//! originals was checked by hand (`tests/data/check_exported_cases.py`); here: names, structure, and that nothing changes
//! when the exported file is read and exported again.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use hb::frontend::onnx::model::{Attribute, Dimension, Graph, MadeOf, Model, Node, Value};
use hb::frontend::{mlir, onnx};
use hb_dialects::ElementType;
use hb_dialects::ir::{self, OperationAttributes};
use hb_dialects::names::FUNCTION;

fn export(text: &str) -> Model {
    let context = hb_dialects::context();
    let module = mlir::parse(&context, text.as_bytes(), "test").unwrap();
    onnx::export(module.as_operation()).unwrap()
}

fn export_error(text: &str) -> String {
    let context = hb_dialects::context();
    let module = mlir::parse(&context, text.as_bytes(), "test").unwrap();
    onnx::export(module.as_operation()).unwrap_err().to_string()
}

/// Folder that the exported cases are left in, for `check_exported_cases.py`.
fn kept() -> Option<std::path::PathBuf> {
    std::env::var_os("HB_KEEP_EXPORTED").map(Into::into)
}

#[test]
fn every_recorded_case_goes_out_and_in_again() {
    let context = hb_dialects::context();
    let mut exported = 0;
    for case in common::operator_cases() {
        let name = case.name();
        let input_shapes = case.inputs.iter().map(|(name, array)| (name.clone(), array.shape.clone())).collect();
        let options = onnx::ImportOptions { input_shapes };
        // What cannot be imported is the business of the import tests.
        let Ok(module) = onnx::import_file(&context, &case.model, &options) else { continue };
        let first = onnx::export(module.as_operation()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let bytes = onnx::to_bytes(&first).unwrap();
        let read = onnx::from_bytes(bytes.clone().into(), None).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read, first, "{name}");
        let module = onnx::import(&context, read, &onnx::ImportOptions::default()).unwrap();
        assert_eq!(onnx::export(module.as_operation()).unwrap(), first, "{name}");
        let original = onnx::normalize::normalize(&context, onnx::load(&case.model).unwrap()).unwrap().graph;
        // A copy to an output, what a Swish is spelled out with, and the second output of a MaxPool, which is one node again.
        let added = ["/identity", "/scaled", "/gate", "/indices"];
        let is_added = |node: &Node| added.iter().any(|end| node.name.ends_with(end));
        let names = |nodes: &[Node]| -> BTreeSet<String> {
            let kept = nodes.iter().filter(|node| node.operator != "Constant" && !is_added(node));
            kept.map(|node| node.name.clone()).collect()
        };
        assert_eq!(names(&first.graph.nodes), names(&original.nodes), "{name}");
        let outputs = |model: &[onnx::model::Value]| model.iter().map(|value| value.name.clone()).collect::<Vec<_>>();
        assert_eq!(outputs(&first.graph.inputs), outputs(&original.inputs), "{name}");
        assert_eq!(outputs(&first.graph.outputs), outputs(&original.outputs), "{name}");
        if let Some(folder) = kept() {
            std::fs::write(folder.join(format!("{}.onnx", name.replace('/', "__"))), bytes).unwrap();
        }
        exported += 1;
    }
    assert!(exported > 500, "{exported}");
}

#[test]
fn fused_activations_become_nodes() {
    let model = export(
        r#"
        func.func @main(%x: tensor<1x2x4x4xf32> {hfloat.name = "x"}, %w: tensor<3x2x1x1xf32> {hfloat.name = "w"})
            -> (tensor<1x3x4x4xf32> {hfloat.name = "y"}) {
          %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>,
            dilations = array<i64: 1, 1>, activation = #hfloat.clamp<0.0 : f64, 6.0 : f64>}
            : (tensor<1x2x4x4xf32>, tensor<3x2x1x1xf32>) -> tensor<1x3x4x4xf32> loc(fused["Conv_0", "Norm_1", "Clip_2"])
          %1 = hfloat.add %0, %0 {activation = #hfloat.clamp<0.0 : f64, 0x7FF0000000000000 : f64>}
            : (tensor<1x3x4x4xf32>, tensor<1x3x4x4xf32>) -> tensor<1x3x4x4xf32> loc("Add_3")
          return %1 : tensor<1x3x4x4xf32>
        }"#,
    );
    let graph = model.graph;
    let nodes: Vec<_> = graph.nodes.iter().map(|node| (node.name.as_str(), node.operator.as_str())).collect();
    // The convolution keeps the name by which reports and messages speak of it, though it took Norm_1 over.
    assert_eq!(nodes, [("Conv_0", "Conv"), ("Clip_2", "Clip"), ("Add_3", "Add"), ("Add_3/activation", "Relu")]);
    let clip = &graph.nodes[1];
    assert_eq!(clip.inputs, ["Conv_0", "Clip_2/min", "Clip_2/max"]);
    assert_eq!(graph.initializers[1].1.data()[..], 6.0_f32.to_le_bytes());
    assert_eq!(graph.nodes[2].inputs, ["Clip_2", "Clip_2"]);
    assert_eq!(graph.nodes[3].outputs, ["y"]);
    assert_eq!(graph.nodes[0].attribute("pads"), Some(&Attribute::Ints(vec![0; 4])));
}

#[test]
fn maps_of_functions_become_nodes() {
    let model = export(
        r#"
        func.func @main(%x: tensor<1x4xf32> {hfloat.name = "x"}) -> (tensor<1x4xf32> {hfloat.name = "y"}) {
          %0 = hfloat.hard_swish %x {result_scale = 2.0 : f32, result_shift = -1.0 : f32}
            : (tensor<1x4xf32>) -> tensor<1x4xf32> loc(fused["Swish_0", "Mul_1", "Add_2"])
          %1 = hfloat.swish %0 {result_scale = 0.5 : f32} : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("Swish_3")
          %2 = hfloat.tanh %1 {result_shift = 0.25 : f32} : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("Tanh_4")
          return %2 : tensor<1x4xf32>
        }"#,
    );
    if let Some(folder) = kept() {
        std::fs::write(folder.join("maps.onnx"), onnx::to_bytes(&model).unwrap()).unwrap();
    }
    let graph = model.graph;
    let nodes: Vec<_> = graph.nodes.iter().map(|node| (node.name.as_str(), node.operator.as_str())).collect();
    assert_eq!(
        nodes,
        [
            ("Swish_0", "HardSwish"),
            ("Add_2/scaled", "Mul"),
            ("Add_2", "Add"),
            ("Swish_3/gate", "Sigmoid"),
            ("Swish_3", "Mul"),
            ("Swish_3/map", "Mul"),
            ("Tanh_4", "Tanh"),
            ("Tanh_4/map", "Add"),
        ]
    );
    let numbers: Vec<Vec<u8>> = graph.initializers.iter().map(|(_, tensor)| tensor.data().to_vec()).collect();
    assert_eq!(numbers, [2.0_f32, -1.0, 0.5, 0.25].map(|number| number.to_le_bytes().to_vec()));
    // The attributes are ours: no checker knows them.
    assert!(graph.nodes.iter().all(|node| node.attributes.is_empty()));
    assert_eq!(graph.nodes[7].outputs, ["y"]);
}

/// A quantized Conv as the quantizer leaves it.
const QUANTIZED: &str = r#"
    func.func @main(%x: tensor<1x1x2x2xf32> {hfloat.name = "x"}) -> (tensor<1x2x2x2xf32> {hfloat.name = "y"}) {
      %w = hfloat.constant dense<[[[[0.5]]], [[[-4.0]]]]> : tensor<2x1x1x1xf32> loc("w")
      %b = hfloat.constant dense<[1.0, -1.0]> : tensor<2xf32> loc("b")
      %xq = quant.qcast %x : tensor<1x1x2x2xf32> to tensor<1x1x2x2x!quant.uniform<i8:f32, 0.5>>
      %xd = quant.dcast %xq : tensor<1x1x2x2x!quant.uniform<i8:f32, 0.5>> to tensor<1x1x2x2xf32>
      %wq = quant.qcast %w : tensor<2x1x1x1xf32> to tensor<2x1x1x1x!quant.uniform<i8:f32:0, {0.25, 0.125}>>
      %wd = quant.dcast %wq : tensor<2x1x1x1x!quant.uniform<i8:f32:0, {0.25, 0.125}>> to tensor<2x1x1x1xf32>
      %bq = quant.qcast %b : tensor<2xf32> to tensor<2x!quant.uniform<i32:f32:0, {0.125, 0.0625}>>
      %bd = quant.dcast %bq : tensor<2x!quant.uniform<i32:f32:0, {0.125, 0.0625}>> to tensor<2xf32>
      %0 = hfloat.conv %xd, %wd, %bd {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>,
        dilations = array<i64: 1, 1>} : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
        loc("Conv_0")
      %yq = quant.qcast %0 : tensor<1x2x2x2xf32> to tensor<1x2x2x2x!quant.uniform<i8:f32, 1.0>>
      %yd = quant.dcast %yq : tensor<1x2x2x2x!quant.uniform<i8:f32, 1.0>> to tensor<1x2x2x2xf32>
      return %yd : tensor<1x2x2x2xf32>
    }"#;

#[test]
fn quantized_functions_become_qdq_models() {
    let model = export(QUANTIZED);
    if let Some(folder) = kept() {
        std::fs::write(folder.join("quantized.onnx"), onnx::to_bytes(&model).unwrap()).unwrap();
    }
    let graph = model.graph;
    let operators: Vec<_> = graph.nodes.iter().map(|node| node.operator.as_str()).collect();
    let (q, d) = ("QuantizeLinear", "DequantizeLinear");
    assert_eq!(operators, [q, d, d, d, "Conv", q, d]);
    assert_eq!(graph.nodes[6].outputs, ["y"]);
    let tensor = |name: &str| &graph.initializers.iter().find(|(key, _)| key == name).unwrap().1;
    let weights = &graph.nodes[2];
    // 0.5 / 0.25 and -4 / 0.125.
    assert_eq!(tensor(&weights.inputs[0]).to_i64s(), Some(vec![2, -32]));
    assert_eq!(tensor(&weights.inputs[0]).element(), ElementType::I8);
    assert_eq!(tensor(&weights.inputs[2]).shape(), [2]);
    assert_eq!(weights.attribute("axis"), Some(&Attribute::Int(0)));
    let bias = &graph.nodes[3];
    assert_eq!(tensor(&bias.inputs[0]).to_i64s(), Some(vec![8, -16]));
    assert_eq!(tensor(&bias.inputs[0]).element(), ElementType::I32);
    assert_eq!(bias.inputs.len(), 2);
    // The float weights are gone.
    assert!(graph.initializers.iter().all(|(_, tensor)| tensor.shape().len() < 4 || !tensor.element().is_float()));
}

/// A convolution that a Relu and a normalization went into, as a file says it.
fn made_model(nodes: &[&str], result_of: Option<&str>) -> Model {
    let value = |name: &str| Value {
        name: name.into(),
        element: Some(ElementType::F32),
        shape: Some(vec![Dimension::Fixed(2)]),
    };
    let mut node = Node::new("conv", "Relu", &["x"], &["y"]);
    let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
    node.made_of = Some(MadeOf { nodes, result_of: result_of.map(str::to_owned) });
    let graph = Graph {
        name: "g".into(),
        nodes: vec![node, Node::new("end", "Neg", &["y"], &["z"])],
        inputs: vec![value("x")],
        outputs: vec![value("z")],
        ..Graph::default()
    };
    Model::new(10, 21, graph)
}

#[test]
fn what_a_node_is_made_of_goes_out_and_in_again() {
    let odd = "last\n\"line\" 激活";
    for (nodes, result_of) in [(&["conv", odd] as &[&str], Some(odd)), (&["norm"], None), (&[], None)] {
        let model = made_model(nodes, result_of);
        let read = onnx::from_bytes(onnx::to_bytes(&model).unwrap().into(), None).unwrap();
        assert_eq!(read, model);
        let context = hb_dialects::context();
        let module = onnx::import(&context, read, &onnx::ImportOptions::default()).unwrap();
        let function = ir::function_named(module.as_operation(), FUNCTION).unwrap();
        let origins: Vec<ir::Origin> = ir::operations(ir::body(function).unwrap())
            .iter()
            .map(OperationAttributes::origin)
            .filter(|origin| !origin.name.is_empty())
            .collect();
        assert_eq!(origins[0].nodes, nodes);
        assert_eq!((origins[0].name.as_str(), origins[0].result_node()), ("conv", result_of));
        assert_eq!(origins[1], ir::Origin::from("end"));
        let exported = onnx::export(module.as_operation()).unwrap().graph.nodes;
        let made = |nodes: &[Node]| nodes.iter().map(|node| node.made_of.clone()).collect::<Vec<_>>();
        assert_eq!(made(&exported), made(&model.graph.nodes));
    }
    // Nodes of older versions of the format have no metadata.
    let old = Model { ir_version: 9, opset: 19, ..made_model(&["conv", "norm"], Some("norm")) };
    let read = onnx::from_bytes(onnx::to_bytes(&old).unwrap().into(), None).unwrap();
    assert_eq!(read.graph.nodes[0].made_of, None);
    // A list that is none is an error with the node and what to do.
    let bytes = onnx::to_bytes(&made_model(&["conv", ""], None)).unwrap();
    let error = onnx::from_bytes(bytes.into(), None).unwrap_err().to_string();
    assert!(error.starts_with("node 'conv' (Relu): its metadata \"hb.made_of\" is no JSON list"), "{error}");
    assert!(error.ends_with("remove that entry from the file"), "{error}");
    // Each part of a node has the list: a long one, or one name again and again, would fill the memory.
    let many: Vec<String> = (0..65).map(|index| format!("n{index}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (nodes, is_read) in [(&many[..64], true), (&["conv", "conv"], false)] {
        let bytes = onnx::to_bytes(&made_model(nodes, None)).unwrap();
        assert_eq!(onnx::from_bytes(bytes.into(), None).is_ok(), is_read, "{nodes:?}");
    }
    // More are not written.
    let read = onnx::from_bytes(onnx::to_bytes(&made_model(&many, None)).unwrap().into(), None).unwrap();
    assert_eq!(read.graph.nodes[0].made_of, Some(MadeOf::default()));
}

#[test]
fn what_onnx_cannot_say_is_an_error() {
    let text = export_error(
        "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
           %0 = quant.qcast %x : tensor<2xf32> to tensor<2x!quant.uniform<i32:f32, 0.5>> loc(\"q\")
           %1 = quant.dcast %0 : tensor<2x!quant.uniform<i32:f32, 0.5>> to tensor<2xf32>
           return %1 : tensor<2xf32>
         }",
    );
    assert_eq!(text, "node 'q' (quant.qcast): ONNX quantizes to 8 or 16 bits; only constants may have 32");
    let text = export_error("func.func @other() { return }");
    assert_eq!(text, "the module has no function @main to export");
    let text = export_error(
        "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
           %0 = arith.addf %x, %x : tensor<2xf32> loc(\"a\")
           return %0 : tensor<2xf32>
         }",
    );
    assert_eq!(text, "node 'a' (arith.addf): it has no form in ONNX");
}

/// Maxima and positions are one node of ONNX where their windows are the same ones.
#[test]
fn positions_of_other_windows_are_a_node_of_their_own() {
    let exported = |dilation: i64, ceil_mode: bool| {
        let text = format!(
            "func.func @main(%x: tensor<1x1x6x6xf32>) -> (tensor<1x1x5x5xf32>, tensor<1x1x{size}x{size}xi64>) {{
               %0 = hfloat.max_pool %x {{kernel_shape = array<i64: 2, 2>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>,
                 dilations = array<i64: 1, 1>}} : (tensor<1x1x6x6xf32>) -> tensor<1x1x5x5xf32> loc(\"a\")
               %1 = hfloat.max_pool_indices %x {{kernel_shape = array<i64: 2, 2>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>,
                 dilations = array<i64: {dilation}, {dilation}>, ceil_mode = {ceil_mode}, storage_order = true}}
                 : (tensor<1x1x6x6xf32>) -> tensor<1x1x{size}x{size}xi64> loc(\"b\")
               return %0, %1 : tensor<1x1x5x5xf32>, tensor<1x1x{size}x{size}xi64>
             }}",
            size = 6 - dilation,
        );
        export(&text).graph.nodes.into_iter().filter(|node| node.operator == "MaxPool").collect::<Vec<_>>()
    };
    let one = exported(1, false);
    assert_eq!((one.len(), one[0].outputs.len()), (1, 2));
    assert_eq!(one[0].attribute("storage_order"), Some(&Attribute::Int(1)));
    for (dilation, ceil_mode) in [(2, false), (1, true)] {
        let two = exported(dilation, ceil_mode);
        assert_eq!(two.iter().map(|node| node.outputs.len()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(two[0].attribute("dilations"), None);
        let dilations = (dilation > 1).then(|| Attribute::Ints(vec![dilation; 2]));
        assert_eq!(two[1].attribute("dilations"), dilations.as_ref());
    }
}

/// Rounding makes 0 / 0 of what had an epsilon: our integers have 0 for it, and so has the model that other runtimes read.
#[test]
fn what_may_be_no_number_is_zero_before_it_is_quantized() {
    let quantized = |operation: &str| {
        let text = r#"
            func.func @main(%x: tensor<2xf32> {hfloat.name = "x"}) -> (tensor<2xf32> {hfloat.name = "y"}) {
              %xq = quant.qcast %x : tensor<2xf32> to tensor<2x!quant.uniform<i8:f32, 0.5>>
              %xd = quant.dcast %xq : tensor<2x!quant.uniform<i8:f32, 0.5>> to tensor<2xf32>
              OPERATION
              %yq = quant.qcast %0 : tensor<2xf32> to tensor<2x!quant.uniform<i8:f32, 1.0>>
              %yd = quant.dcast %yq : tensor<2x!quant.uniform<i8:f32, 1.0>> to tensor<2xf32>
              return %yd : tensor<2xf32>
            }"#;
        let nodes = export(&text.replace("OPERATION", operation)).graph.nodes;
        nodes.into_iter().map(|node| node.operator).collect::<Vec<_>>()
    };
    let (q, d) = ("QuantizeLinear", "DequantizeLinear");
    let divided =
        quantized("%0 = hfloat.div %xd, %xd : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> loc(\"Div_0\")");
    assert_eq!(divided, [q, d, "Div", "IsNaN", "Where", q, d]);
    let through = quantized(
        "%r = hfloat.sqrt %xd : (tensor<2xf32>) -> tensor<2xf32> loc(\"Sqrt_0\")
         %0 = hfloat.neg %r : (tensor<2xf32>) -> tensor<2xf32> loc(\"Neg_1\")",
    );
    assert_eq!(through, [q, d, "Sqrt", "Neg", "IsNaN", "Where", q, d]);
    let always = quantized("%0 = hfloat.exp %xd : (tensor<2xf32>) -> tensor<2xf32> loc(\"Exp_0\")");
    assert_eq!(always, [q, d, "Exp", q, d]);
    // 1 / 0 is infinite, which integers show as their end, and times 0 it is no number.
    let times = quantized(
        "%r = hfloat.reciprocal %xd : (tensor<2xf32>) -> tensor<2xf32> loc(\"Reciprocal_0\")
         %0 = hfloat.mul %xd, %r : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> loc(\"Mul_1\")",
    );
    assert_eq!(times, [q, d, "Reciprocal", "Mul", "IsNaN", "Where", q, d]);
    // Only what follows is in doubt.
    let beside = quantized(
        "%r = hfloat.sqrt %xd : (tensor<2xf32>) -> tensor<2xf32> loc(\"Sqrt_0\")
         %0 = hfloat.neg %xd : (tensor<2xf32>) -> tensor<2xf32> loc(\"Neg_1\")",
    );
    assert_eq!(beside, [q, d, "Sqrt", "Neg", q, d]);
}
