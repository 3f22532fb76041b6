//! Networks that are cut, trimmed, widened and batched: what the `.hbm` gives then follows from what the network gives as it is.

use super::borders::{constant, graph};
use super::{compile_text, floats, open_model};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb::hbm::{Hbm, TensorDescription};
use hb_dialects::ElementType;
use tempfile::TempDir;

/// A compiled network.
struct Compiled(TempDir);

impl Compiled {
    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("out/network.hbm")
    }

    fn run(&self, inputs: &[Array]) -> Vec<Array> {
        open_model(&self.path()).executor.run(inputs).unwrap().outputs
    }

    fn inputs(&self) -> Vec<TensorDescription> {
        Hbm::open(&self.path()).unwrap().manifest().inputs.clone()
    }

    fn outputs(&self) -> Vec<TensorDescription> {
        Hbm::open(&self.path()).unwrap().manifest().outputs.clone()
    }
}

/// Compiles a graph with feature maps as inputs and further parameters; random samples are the same each time.
fn compile(graph: &Graph, model: &str, input: &str) -> Result<Compiled, String> {
    compile_as(graph, model, input, "featuremap")
}

fn compile_as(graph: &Graph, model: &str, input: &str, kind: &str) -> Result<Compiled, String> {
    let folder = tempfile::tempdir().unwrap();
    onnx::save(&Model::new(9, 19, graph.clone()), &folder.path().join("network.onnx")).unwrap();
    let names: Vec<&str> = graph.inputs.iter().map(|input| input.name.as_str()).collect();
    let each = |value: &str| vec![value; names.len()].join("; ");
    let text = format!(
        "model_parameters:\n  onnx_model: network.onnx\n  march: nash-e\n  working_dir: out\n  output_model_file_prefix: network\n{model}\
         input_parameters:\n  input_name: '{}'\n  input_type_rt: '{}'\n  input_type_train: '{}'\n  input_layout_train: '{}'\n  \
         norm_type: '{}'\n{input}calibration_parameters:\n  calibration_type: skip\ncompiler_parameters:\n  optimize_level: O2\n",
        names.join("; "),
        each(kind),
        each(kind),
        each("NCHW"),
        each("no_preprocess"),
    );
    compile_text(folder.path(), &text, 1).map_err(|error| error.to_string())?;
    Ok(Compiled(folder))
}

/// Numbers between -1 and 1 without a pattern that a layout could hide in.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
}

fn array(shape: &[usize], seed: usize) -> Array {
    Array::from_values(shape, &numbers(shape.iter().product(), seed)).unwrap()
}

fn weight(shape: &[usize], seed: usize) -> Tensor {
    constant(shape, &numbers(shape.iter().product(), seed))
}

fn integers(values: &[i64]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(ElementType::I64, vec![values.len()], bytes.into()).unwrap()
}

fn conv(name: &str, x: &str, w: &str, y: &str) -> Node {
    Node::new(name, "Conv", &[x, w], &[y])
}

fn transpose(name: &str, x: &str, y: &str, permutation: &[i64]) -> Node {
    Node::new(name, "Transpose", &[x], &[y]).with("perm", Attribute::Ints(permutation.to_vec()))
}

/// Two branches and a second input that only the last node reads.
fn branches(outputs: &[&str]) -> Graph {
    let nodes = vec![
        conv("Conv_0", "x", "w", "c"),
        Node::new("Relu_1", "Relu", &["c"], &["r"]),
        Node::new("Split_2", "Split", &["r"], &["s", "t"])
            .with("axis", Attribute::Int(1))
            .with("num_outputs", Attribute::Int(2)),
        conv("Conv_3", "s", "v", "d"),
        Node::new("Add_4", "Add", &["d", "z"], &["y"]),
    ];
    let constants = [("w", weight(&[4, 3, 3, 3], 1)), ("v", weight(&[2, 2, 1, 1], 2))];
    graph(&[("x", &[1, 3, 8, 8]), ("z", &[1, 2, 6, 6])], &constants, nodes, outputs)
}

/// What a node gives as an output is what the same tensor gives as an output of the file; the input that nothing needs is gone.
#[test]
fn output_nodes_in_the_middle() {
    let cut = compile(&branches(&["y"]), "  output_nodes: 'Split_2; Conv_3'\n", "").unwrap();
    let names = |tensors: Vec<TensorDescription>| tensors.into_iter().map(|tensor| tensor.name).collect::<Vec<_>>();
    assert_eq!(names(cut.outputs()), ["Split_2_0", "Split_2_1", "Conv_3"]);
    assert_eq!(names(cut.inputs()), ["x"]);
    let x = array(&[1, 3, 8, 8], 3);
    let found = cut.run(std::slice::from_ref(&x));
    let mut said = branches(&["s", "t", "d"]);
    said.nodes.truncate(4);
    said.inputs.truncate(1);
    assert_eq!(found, compile(&said, "", "").unwrap().run(&[x]));
    assert!(floats(&found[2]).iter().any(|value| *value != 0.0));
    // The file of the user's model is as it was.
    let original = onnx::load(&cut.0.path().join("out/network_original_float_model.onnx")).unwrap();
    assert_eq!(original.graph.outputs.len(), 1);
}

#[test]
fn names_of_no_node() {
    let refused = |parameter: &str| compile(&branches(&["y"]), &format!("  {parameter}\n"), "").err().unwrap();
    let error = refused("output_nodes: 'Relu_1; Conv_O'");
    assert!(
        error.contains(
            "model_parameters.output_nodes: the model has no node 'Conv_O'; did you mean 'Conv_0' or 'Conv_3'?"
        ),
        "{error}"
    );
    let error = refused("remove_node_name: 'Softmax_9'");
    assert!(
        error.contains("config.yaml:6:21: model_parameters.remove_node_name: the model has no node 'Softmax_9'"),
        "{error}"
    );
    let error = refused("remove_node_name: 'Conv_3'");
    assert!(error.contains("node 'Conv_3' cannot be removed: it is part of a"), "{error}");
    let error = refused("remove_node_name: 'Conv_0/quantise'");
    assert!(error.contains("no node 'Conv_0/quantise'; did you mean 'Conv_0/quantize'?"), "{error}");
}

/// A node before a convolution, and one behind it.
fn between(first: Node, last: Node, x: &[usize], more: &[(&str, Tensor)]) -> Graph {
    let mut constants = vec![("w", weight(&[4, 3, 1, 1], 5))];
    constants.extend(more.iter().cloned());
    graph(&[("x", x)], &constants, vec![first, conv("Conv_1", "a", "w", "c"), last], &["y"])
}

/// The integers of an input, as `docs/numerics.md` rounds: to the nearest, halves to the even one.
fn quantized(values: &[f32], scale: f64) -> Vec<i8> {
    values.iter().map(|value| (f64::from(*value) / scale).round_ties_even().clamp(-128.0, 127.0) as i8).collect()
}

/// `[C, H * W]` to `[H * W, C]`.
fn channels_last<T: Copy>(values: &[T], channels: usize) -> Vec<T> {
    let cells = values.len() / channels;
    (0..values.len()).map(|index| values[index % channels * cells + index / channels]).collect()
}

/// Without quantization the input is the integers and the output the sums of products; the manifest says what they mean.
#[test]
fn quantize_and_dequantize_are_removed() {
    let network =
        graph(&[("x", &[1, 3, 4, 5])], &[("w", weight(&[4, 3, 1, 1], 5))], vec![conv("Conv_0", "x", "w", "y")], &["y"]);
    let x = array(&[1, 3, 4, 5], 6);
    let whole = floats(&compile(&network, "", "").unwrap().run(std::slice::from_ref(&x))[0]);
    for (types, image) in [("Quantize; Dequantize", "NCHW"), ("Quantize;Dequantize;Transpose;Reshape;", "NHWC")] {
        let found = compile(&network, &format!("  remove_node_type: '{types}'\n"), "").unwrap();
        let (inputs, outputs) = (found.inputs(), found.outputs());
        let (input, output) = (&inputs[0], &outputs[0]);
        assert_eq!((input.element_type, output.element_type), (ElementType::I8, ElementType::I32), "{types}");
        assert_eq!((input.layout.as_str(), output.layout.as_str()), (image, image));
        let [sent, given] = [input, output].map(|tensor| tensor.quantization.clone().unwrap());
        assert_eq!((sent.axis, sent.zero_points), (None, vec![0]));
        assert_eq!(given.axis, Some(if image == "NCHW" { 1 } else { 3 }));
        assert_eq!((given.scales.len(), given.zero_points), (4, vec![0; 4]));
        let last = image == "NHWC";
        let integers = quantized(&floats(&x), sent.scales[0]);
        let integers = if last { channels_last(&integers, 3) } else { integers };
        let integers = Array::from_values(&input.dims, &integers).unwrap();
        let sums = found.run(&[integers]).remove(0);
        // A sum and its scale are multiplied as float32.
        let channel = |index: usize| if last { index % 4 } else { index / 20 };
        let sums = sums.values::<i32>().unwrap().iter().enumerate();
        let reals: Vec<f32> = sums.map(|(index, sum)| *sum as f32 * given.scales[channel(index)] as f32).collect();
        assert_eq!(reals, if last { channels_last(&whole, 4) } else { whole.clone() }, "{types}");
    }
}

#[test]
fn transposes_are_removed_by_name() {
    let first = transpose("Transpose_0", "x", "a", &[0, 3, 1, 2]);
    let last = transpose("Transpose_2", "c", "y", &[0, 2, 3, 1]);
    let network = between(first, last, &[1, 4, 5, 3], &[]);
    let values = numbers(60, 8);
    let nchw = Array::from_values(&[1, 3, 4, 5], &values).unwrap();
    let nhwc = Array::from_values(&[1, 4, 5, 3], &channels_last(&values, 3)).unwrap();
    let whole = compile(&network, "", "").unwrap().run(&[nhwc]).remove(0);
    let found = compile(&network, "  remove_node_name: 'Transpose_2; Transpose_0'\n", "").unwrap();
    assert_eq!((&found.inputs()[0].dims, &found.outputs()[0].dims), (&vec![1, 3, 4, 5], &vec![1, 4, 4, 5]));
    assert_eq!(channels_last(&floats(&found.run(&[nchw])[0]), 4), floats(&whole));
    // One behind the other: the second is at the border only when the first is gone.
    let error = compile(&network, "  remove_node_name: 'Conv_1/transpose'\n", "").err().unwrap();
    assert!(error.contains("Conv_1/transpose") && error.contains("remove"), "{error}");
}

#[test]
fn casts_reshapes_and_softmaxes_are_removed() {
    let to = |kind: i64| move |node: Node| node.with("to", Attribute::Int(kind));
    // A cast to integers cuts the fraction off.
    let mut network = between(
        to(1)(Node::new("Cast_0", "Cast", &["x"], &["a"])),
        to(6)(Node::new("Cast_2", "Cast", &["c"], &["y"])),
        &[1, 3, 4, 5],
        &[],
    );
    network.inputs[0].element = Some(ElementType::I32);
    let whole: Vec<i32> = (0..60).map(|index| index * 37 % 9 - 4).collect();
    let reals: Vec<f32> = whole.iter().map(|value| *value as f32).collect();
    let x = Array::from_values(&[1, 3, 4, 5], &whole).unwrap();
    let expected = compile(&network, "", "").unwrap().run(&[x]).remove(0);
    let found = compile(&network, "  remove_node_type: 'Cast'\n", "").unwrap();
    let found = floats(&found.run(&[Array::from_values(&[1, 3, 4, 5], &reals).unwrap()])[0]);
    assert_eq!(found.iter().map(|value| *value as i32).collect::<Vec<_>>(), expected.values::<i32>().unwrap());

    let shapes = [("image", integers(&[1, 3, 4, 5])), ("row", integers(&[1, -1]))];
    let first = Node::new("Reshape_0", "Reshape", &["x", "image"], &["a"]);
    let network = between(first, Node::new("Reshape_2", "Reshape", &["c", "row"], &["y"]), &[60], &shapes);
    let expected = compile(&network, "", "").unwrap().run(&[array(&[60], 9)]).remove(0);
    let found = compile(&network, "  remove_node_type: 'Reshape'\n", "").unwrap();
    let found = found.run(&[array(&[1, 3, 4, 5], 9)]).remove(0);
    assert_eq!((expected.shape(), found.shape()), (&[1, 80][..], &[1, 4, 4, 5][..]));
    assert_eq!(floats(&found), floats(&expected));

    let first = Node::new("Softmax_0", "Softmax", &["x"], &["a"]).with("axis", Attribute::Int(3));
    let last = Node::new("Softmax_2", "Softmax", &["c"], &["y"]).with("axis", Attribute::Int(1));
    let network = between(first, last, &[1, 3, 4, 5], &[]);
    let x = numbers(60, 10);
    let softmax = |row: &[f32]| {
        let sum: f32 = row.iter().map(|value| value.exp()).sum();
        row.iter().map(|value| value.exp() / sum).collect::<Vec<f32>>()
    };
    let shares: Vec<f32> = x.chunks(5).flat_map(softmax).collect();
    let expected = compile(&network, "", "").unwrap().run(&[Array::from_values(&[1, 3, 4, 5], &x).unwrap()]).remove(0);
    let found = compile(&network, "  remove_node_type: 'Softmax'\n", "").unwrap();
    let found = found.run(&[Array::from_values(&[1, 3, 4, 5], &shares).unwrap()]).remove(0);
    let found: Vec<f32> = channels_last(&floats(&found), 4).chunks(4).flat_map(softmax).collect();
    // A share on the edge between two integers may be rounded to the other one.
    for (found, expected) in found.iter().zip(channels_last(&floats(&expected), 4)) {
        assert!((found - expected).abs() < 2e-2, "{found} {expected}");
    }
}

/// An image network with a frozen reshape, behind it matrix products, on the BPU and the CPU.
fn classifier() -> Graph {
    let nodes = vec![
        conv("Conv_0", "x", "w", "c"),
        Node::new("Relu_1", "Relu", &["c"], &["r"]),
        Node::new("MaxPool_2", "MaxPool", &["r"], &["p"])
            .with("kernel_shape", Attribute::Ints(vec![2, 2]))
            .with("strides", Attribute::Ints(vec![2, 2])),
        Node::new("Reshape_3", "Reshape", &["p", "row"], &["f"]),
        Node::new("Gemm_4", "Gemm", &["f", "g", "b"], &["h"]),
        Node::new("Softmax_5", "Softmax", &["h"], &["y"]),
        Node::new("TopK_6", "TopK", &["y", "two"], &["best", "places"]),
    ];
    let constants = [
        ("w", weight(&[4, 3, 3, 3], 11)),
        ("row", integers(&[1, 36])),
        ("g", weight(&[36, 5], 12)),
        ("b", weight(&[5], 13)),
        ("two", integers(&[2])),
    ];
    let mut graph = graph(&[("x", &[1, 3, 8, 8])], &constants, nodes, &["y", "places"]);
    graph.outputs[1].element = Some(ElementType::I64);
    graph
}

/// One attention over four rows and a token, with two heads.
fn attention() -> Graph {
    let product = |name: &str, a: &str, b: &str, y: &str| Node::new(name, "MatMul", &[a, b], &[y]);
    let mut nodes = vec![Node::new("Concat_0", "Concat", &["token", "x"], &["t"]).with("axis", Attribute::Int(1))];
    for part in ["q", "k", "v"] {
        let permutation: &[i64] = if part == "k" { &[0, 2, 3, 1] } else { &[0, 2, 1, 3] };
        nodes.extend([
            product(&format!("MatMul_{part}"), "t", &format!("w{part}"), &format!("m{part}")),
            Node::new(&format!("Reshape_{part}"), "Reshape", &[&format!("m{part}"), "heads"], &[&format!("r{part}")]),
            transpose(&format!("Transpose_{part}"), &format!("r{part}"), part, permutation),
        ]);
    }
    nodes.extend([
        product("MatMul_scores", "q", "k", "scores"),
        Node::new("Softmax_1", "Softmax", &["scores"], &["shares"]).with("axis", Attribute::Int(-1)),
        product("MatMul_values", "shares", "v", "values"),
        transpose("Transpose_2", "values", "moved", &[0, 2, 1, 3]),
        Node::new("Reshape_2", "Reshape", &["moved", "joined"], &["all"]),
        Node::new("LayerNormalization_3", "LayerNormalization", &["all", "s", "o"], &["y"]),
    ]);
    let mut constants = vec![
        ("token", weight(&[1, 1, 8], 14)),
        ("heads", integers(&[1, 5, 2, 4])),
        ("joined", integers(&[1, 5, 8])),
        ("s", weight(&[8], 15)),
        ("o", weight(&[8], 16)),
    ];
    constants.extend([("wq", weight(&[8, 8], 17)), ("wk", weight(&[8, 8], 18)), ("wv", weight(&[8, 8], 19))]);
    graph(&[("x", &[1, 4, 8])], &constants, nodes, &["y"])
}

/// The bytes of arrays, one behind the other.
fn joined(arrays: &[Array], shape: &[usize]) -> Array {
    let bytes: Vec<u8> = arrays.iter().flat_map(|array| array.as_bytes().to_vec()).collect();
    Array::from_bytes(arrays[0].element(), shape, &bytes).unwrap()
}

/// How samples are given, and how many of them at once.
struct Batches<'b> {
    samples: &'b [usize],
    /// Whether also each as an input of its own.
    separate: &'b [&'b str],
}

const ALL: Batches<'_> = Batches { samples: &[1, 2, 8], separate: &["False", "True"] };

/// A batch gives, to the byte, what its samples give one by one; together or each as an input of its own.
fn check_batches(
    batches: &Batches<'_>,
    (graph, shape): (&Graph, &[usize]),
    model: &str,
    kind: &str,
    sample: &dyn Fn(usize) -> Array,
) {
    let one = compile_as(graph, model, "", kind).unwrap();
    for &samples in batches.samples {
        let inputs: Vec<Array> = (0..samples).map(sample).collect();
        let alone: Vec<Vec<Array>> = inputs.iter().map(|input| one.run(std::slice::from_ref(input))).collect();
        for &separate in batches.separate {
            let parameters = format!("  input_batch: {samples}\n  separate_batch: {separate}\n");
            let batch = compile_as(graph, model, &parameters, kind).unwrap();
            let together = separate == "False" || samples == 1;
            let mut all = shape.to_vec();
            all[0] = samples;
            let given = if together { vec![joined(&inputs, &all)] } else { inputs.clone() };
            let names: Vec<String> = batch.inputs().into_iter().map(|input| input.name).collect();
            let expected: Vec<String> = (0..samples).map(|number| format!("x_{number}")).collect();
            assert_eq!(names, if together { vec!["x".to_owned()] } else { expected });
            for (index, output) in batch.run(&given).into_iter().enumerate() {
                let expected: Vec<u8> = alone.iter().flat_map(|outputs| outputs[index].as_bytes().to_vec()).collect();
                assert!(output.as_bytes() == expected, "output {index}, {samples} samples, separate {separate}");
                assert_eq!(output.shape()[0], samples * alone[0][index].shape()[0]);
            }
        }
    }
}

#[test]
fn batches_of_a_classifier() {
    check_batches(&ALL, (&classifier(), &[1, 3, 8, 8]), "", "featuremap", &|seed| array(&[1, 3, 8, 8], seed));
}

#[test]
fn batches_of_an_attention() {
    // The softmax of 8 samples differs in the last digits on the CPU, which `hb_compile` warns of.
    let batches = Batches { samples: &[1, 2], ..ALL };
    check_batches(&batches, (&attention(), &[1, 4, 8]), "", "featuremap", &|seed| array(&[1, 4, 8], seed));
}

#[test]
fn batches_of_images() {
    let image = |seed: usize| {
        let bytes: Vec<u8> = (0..192).map(|index| (index * 37 + seed * 53) as u8).collect();
        Array::from_bytes(ElementType::U8, &[1, 8, 8, 3], &bytes).unwrap()
    };
    // Images as inputs of their own are converted by themselves, which `hb_compile` warns of.
    let batches = Batches { separate: &["False"], ..ALL };
    check_batches(&batches, (&classifier(), &[1, 8, 8, 3]), "", "rgb", &image);
}

#[test]
fn batches_of_integers() {
    let removed = "  remove_node_type: 'Quantize; Transpose; Softmax; Dequantize'\n";
    let one = compile(&classifier(), removed, "").unwrap();
    let dims = one.inputs()[0].dims.clone();
    let sample = |seed: usize| {
        let bytes: Vec<u8> = (0..192).map(|index| (index * 41 + seed * 59) as u8).collect();
        Array::from_bytes(ElementType::I8, &dims, &bytes).unwrap()
    };
    // As inputs of their own they keep the layout of the network: they are joined before it changes.
    let batches = Batches { separate: &["False"], ..ALL };
    check_batches(&batches, (&classifier(), &dims), removed, "featuremap", &sample);
}

#[test]
fn what_is_no_batch() {
    let nodes = vec![conv("Conv_0", "x", "w", "c"), Node::new("ReduceMean_1", "ReduceMean", &["c", "axes"], &["y"])];
    let constants = [("w", weight(&[4, 3, 1, 1], 20)), ("axes", integers(&[0]))];
    let network = graph(&[("x", &[1, 3, 4, 4])], &constants, nodes, &["y"]);
    let error = compile(&network, "", "  input_batch: 4\n").err().unwrap();
    assert!(error.contains("node 'ReduceMean_1' (ReduceMean) cannot take 4 samples at once"), "{error}");
    let error = compile(&branches(&["y"]), "", "  input_batch: 4\n").err().unwrap();
    assert!(error.contains("input_parameters.input_batch: 4 is only for a model with one input"), "{error}");
    let mut wide = classifier();
    wide.inputs[0].shape = Some([2, 3, 8, 8].map(onnx::model::Dimension::Fixed).to_vec());
    wide.initializers[1].1 = integers(&[2, 36]);
    let error = compile(&wide, "", "  input_batch: 4\n").err().unwrap();
    assert!(error.contains("4 needs an input whose first dimension is 1, and its shape is 2x3x8x8"), "{error}");
}

/// Another size than the file fixes: the network is the one that a file with that size gives. A frozen reshape is named.
#[test]
fn shapes_that_the_file_fixes() {
    let mut said = branches(&["d"]);
    said.nodes.truncate(4);
    said.inputs.truncate(1);
    let mut other = said.clone();
    other.inputs[0].shape = Some([1, 3, 12, 10].map(onnx::model::Dimension::Fixed).to_vec());
    let x = array(&[1, 3, 12, 10], 21);
    let changed = compile(&said, "", "  input_shape: 1x3x12x10\n").unwrap();
    assert_eq!(changed.outputs()[0].dims, [1, 2, 10, 8]);
    assert_eq!(changed.run(std::slice::from_ref(&x)), compile(&other, "", "").unwrap().run(&[x]));
    let error = compile(&classifier(), "", "  input_shape: 1x3x12x12\n").err().unwrap();
    assert!(error.contains("Reshape_3"), "{error}");
    assert!(error.contains("input_shape makes input 'x' 1x3x12x12, the model says 1x3x8x8"), "{error}");
}
