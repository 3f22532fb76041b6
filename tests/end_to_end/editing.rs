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
    let train = if kind == "nv12" { "rgb" } else { kind };
    let normalization = if input.contains("mean_value") { "data_mean_and_scale" } else { "no_preprocess" };
    let text = format!(
        "model_parameters:\n  onnx_model: network.onnx\n  march: nash-e\n  working_dir: out\n  output_model_file_prefix: network\n{model}\
         input_parameters:\n  input_name: '{}'\n  input_type_rt: '{}'\n  input_type_train: '{}'\n  input_layout_train: '{}'\n  \
         norm_type: '{}'\n{input}calibration_parameters:\n  calibration_type: skip\ncompiler_parameters:\n  optimize_level: O2\n",
        names.join("; "),
        each(kind),
        each(train),
        each("NCHW"),
        each(normalization),
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
    let mut longer = branches(&["t5"]);
    longer.nodes.push(transpose("Transpose_5", "y", "t5", &[0, 2, 3, 1]));
    let cut = "  output_nodes: 'Conv_3'\n  remove_node_name: 'Transpose_5'\n";
    let error = compile(&longer, cut, "").err().unwrap();
    assert!(
        error.contains(
            "config.yaml:7:21: model_parameters.remove_node_name: up to output_nodes there is no node 'Transpose_5'"
        ),
        "{error}"
    );
    let error = refused("remove_node_name: 'Conv_3'");
    assert!(
        error.contains("config.yaml:6:21: model_parameters.remove_node_name: node 'Conv_3' (Conv) cannot be removed"),
        "{error}"
    );
    let error = refused("remove_node_name: 'Conv_0/quantise'");
    assert!(error.contains("no node 'Conv_0/quantise'; did you mean 'Conv_0/quantize'?"), "{error}");
}

/// What only the compiled network shows to be in the way is told with its place, too, and at once.
#[test]
fn names_that_are_not_at_an_end() {
    let transposes = || {
        vec![
            transpose("Transpose_0", "x", "a", &[0, 1, 3, 2]),
            conv("Conv_1", "a", "w", "b"),
            transpose("Transpose_2", "b", "c", &[0, 1, 3, 2]),
            Node::new("Relu_3", "Relu", &["c"], &["d"]),
            transpose("Transpose_4", "d", "e", &[0, 2, 3, 1]),
            conv("Conv_5", "e", "v", "y"),
        ]
    };
    let constants = [("w", weight(&[4, 3, 1, 1], 1)), ("v", weight(&[2, 4, 1, 1], 2))];
    let network = graph(&[("x", &[1, 3, 4, 4])], &constants, transposes(), &["y"]);
    let error = compile(&network, "  remove_node_name: 'Transpose_4; Transpose_2'\n", "").err().unwrap();
    for name in ["Transpose_4", "Transpose_2"] {
        let told = format!("config.yaml:6:21: model_parameters.remove_node_name: node '{name}' cannot be removed: ");
        assert!(error.contains(&told), "{error}");
    }
}

/// A node before a convolution, and one behind it.
fn between(first: Node, last: Node, x: &[usize], more: &[(&str, Tensor)]) -> Graph {
    let mut constants = vec![("w", weight(&[4, 3, 1, 1], 5))];
    constants.extend(more.iter().cloned());
    graph(&[("x", x)], &constants, vec![first, conv("Conv_1", "a", "w", "c"), last], &["y"])
}

/// What the convolution of `between` gives for `[1, 3, H, W]`, as numpy does: sums over the channels.
fn pointwise(x: &[f32]) -> Vec<f32> {
    let (weights, cells) = (numbers(12, 5), x.len() / 3);
    let sum = |map: usize, cell: usize| -> f64 {
        (0..3).map(|channel| f64::from(weights[map * 3 + channel]) * f64::from(x[channel * cells + cell])).sum()
    };
    (0..4 * cells).map(|index| sum(index / cells, index % cells) as f32).collect()
}

/// Numbers for `[1, 3, 4, 5]` whose sums stay in the range of those of random samples.
fn small(seed: usize) -> Vec<f32> {
    numbers(60, seed).into_iter().map(|number| number / 2.0).collect()
}

/// How far quantization may be off: half a step of three inputs of up to 1, of their weights, and of an output of up to 3, in steps of 1/127.
fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 4.5 / 127.0, "{found} {expected}");
    }
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
        // The configuration says that of the input; nothing says that of an output that stays as it was.
        let said = if image == "NHWC" { image } else { "" };
        assert_eq!((input.layout.as_str(), output.layout.as_str()), (image, said));
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
        assert_near(&whole, &pointwise(&floats(&x)));
    }
}

#[test]
fn transposes_are_removed_by_name() {
    let first = transpose("Transpose_0", "x", "a", &[0, 3, 1, 2]);
    let last = transpose("Transpose_2", "c", "y", &[0, 2, 3, 1]);
    let network = between(first, last, &[1, 4, 5, 3], &[]);
    let values = small(8);
    let nchw = Array::from_values(&[1, 3, 4, 5], &values).unwrap();
    let nhwc = Array::from_values(&[1, 4, 5, 3], &channels_last(&values, 3)).unwrap();
    let whole = compile(&network, "", "").unwrap().run(&[nhwc]).remove(0);
    let found = compile(&network, "  remove_node_name: 'Transpose_2; Transpose_0'\n", "").unwrap();
    assert_eq!((&found.inputs()[0].dims, &found.outputs()[0].dims), (&vec![1, 3, 4, 5], &vec![1, 4, 4, 5]));
    let moved = floats(&found.run(&[nchw])[0]);
    assert_eq!(channels_last(&moved, 4), floats(&whole));
    assert_near(&moved, &pointwise(&values));
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
    network.outputs[0].element = Some(ElementType::I32);
    // Random samples of integers are 0 and 1.
    let whole: Vec<i32> = (0..60).map(|index| index * 37 % 9 % 2).collect();
    let reals: Vec<f32> = whole.iter().map(|value| *value as f32).collect();
    let x = Array::from_values(&[1, 3, 4, 5], &whole).unwrap();
    let expected = compile(&network, "", "").unwrap().run(&[x]).remove(0);
    let found = compile(&network, "  remove_node_type: 'Cast'\n", "").unwrap();
    let found = floats(&found.run(&[Array::from_values(&[1, 3, 4, 5], &reals).unwrap()])[0]);
    assert_eq!(found.iter().map(|value| *value as i32).collect::<Vec<_>>(), expected.values::<i32>().unwrap());
    assert_near(&found, &pointwise(&reals));

    let shapes = [("image", integers(&[1, 3, 4, 5])), ("row", integers(&[1, -1]))];
    let first = Node::new("Reshape_0", "Reshape", &["x", "image"], &["a"]);
    let network = between(first, Node::new("Reshape_2", "Reshape", &["c", "row"], &["y"]), &[60], &shapes);
    let expected = compile(&network, "", "").unwrap().run(&[Array::from_values(&[60], &small(9)).unwrap()]).remove(0);
    let found = compile(&network, "  remove_node_type: 'Reshape'\n", "").unwrap();
    let found = found.run(&[Array::from_values(&[1, 3, 4, 5], &small(9)).unwrap()]).remove(0);
    assert_eq!((expected.shape(), found.shape()), (&[1, 80][..], &[1, 4, 4, 5][..]));
    assert_eq!(floats(&found), floats(&expected));
    assert_near(&floats(&found), &pointwise(&small(9)));

    let first = Node::new("Softmax_0", "Softmax", &["x"], &["a"]).with("axis", Attribute::Int(3));
    let last = Node::new("Softmax_2", "Softmax", &["c"], &["y"]).with("axis", Attribute::Int(1));
    let network = between(first, last, &[1, 3, 4, 5], &[]);
    let x = small(10);
    let softmax = |row: &[f32]| {
        let sum: f32 = row.iter().map(|value| value.exp()).sum();
        row.iter().map(|value| value.exp() / sum).collect::<Vec<f32>>()
    };
    let shares: Vec<f32> = x.chunks(5).flat_map(softmax).collect();
    let expected = compile(&network, "", "").unwrap().run(&[Array::from_values(&[1, 3, 4, 5], &x).unwrap()]).remove(0);
    let found = compile(&network, "  remove_node_type: 'Softmax'\n", "").unwrap();
    let found = found.run(&[Array::from_values(&[1, 3, 4, 5], &shares).unwrap()]).remove(0);
    assert_near(&floats(&found), &pointwise(&shares));
    let found: Vec<f32> = channels_last(&floats(&found), 4).chunks(4).flat_map(softmax).collect();
    // A share on the edge between two integers may be rounded to the other one.
    for (found, expected) in found.iter().zip(channels_last(&floats(&expected), 4)) {
        assert!((found - expected).abs() < 2e-2, "{found} {expected}");
    }
}

/// An image network with a frozen reshape, behind it matrix products, on the BPU and the CPU.
fn classifier() -> Graph {
    classifier_of(3)
}

/// The same for images of so many channels.
fn classifier_of(channels: usize) -> Graph {
    let nodes = vec![
        conv("Conv_0", "x", "w", "c").with("pads", Attribute::Ints(vec![1; 4])),
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
        ("w", weight(&[4, channels, 3, 3], 11)),
        ("row", integers(&[1, 64])),
        ("g", weight(&[64, 5], 12)),
        ("b", weight(&[5], 13)),
        ("two", integers(&[2])),
    ];
    let mut graph = graph(&[("x", &[1, channels, 8, 8])], &constants, nodes, &["y", "places"]);
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

/// A network whose batches are checked.
struct Batched {
    graph: Graph,
    /// Further parameters of the model and of its input.
    model: &'static str,
    input: &'static str,
    kind: &'static str,
    /// What is behind the name of the input: of an image of two planes `_y` and `_uv`.
    planes: &'static [&'static str],
}

impl Batched {
    fn new(graph: Graph, kind: &'static str) -> Self {
        Self { graph, model: "", input: "", kind, planes: &[""] }
    }

    fn compile(&self, samples: usize, separate: &str) -> Compiled {
        let batch = if samples == 1 && separate == "False" {
            self.input.to_owned()
        } else {
            format!("{}  input_batch: {samples}\n  separate_batch: {separate}\n", self.input)
        };
        compile_as(&self.graph, self.model, &batch, self.kind).unwrap()
    }

    /// 1, 2 and 8 samples give, to the byte, what they give one by one; together or each as an input of its own.
    fn check(&self, sample: &dyn Fn(usize) -> Vec<Array>) {
        let one = self.compile(1, "False");
        for samples in [1, 2, 8] {
            let given: Vec<Vec<Array>> = (0..samples).map(sample).collect();
            let alone: Vec<Vec<Array>> = given.iter().map(|planes| one.run(planes)).collect();
            assert!(samples == 1 || alone[0] != alone[1], "samples that differ give different outputs");
            for separate in ["False", "True"] {
                let what = format!("{samples} samples, separate {separate}");
                let batch = self.compile(samples, separate);
                let together = separate == "False" || samples == 1;
                let plane = |index: usize| -> Array {
                    let parts: Vec<Array> = given.iter().map(|planes| planes[index].clone()).collect();
                    joined(&parts, &[&[samples], &parts[0].shape()[1..]].concat())
                };
                let inputs: Vec<Array> = match together {
                    true => (0..self.planes.len()).map(plane).collect(),
                    false => given.iter().flatten().cloned().collect(),
                };
                let each = |number: usize| self.planes.iter().map(move |plane| format!("x_{number}{plane}"));
                let expected: Vec<String> = match together {
                    true => self.planes.iter().map(|plane| format!("x{plane}")).collect(),
                    false => (0..samples).flat_map(each).collect(),
                };
                assert_eq!(batch.inputs().into_iter().map(|input| input.name).collect::<Vec<_>>(), expected, "{what}");
                for (index, output) in batch.run(&inputs).into_iter().enumerate() {
                    let expected: Vec<u8> =
                        alone.iter().flat_map(|outputs| outputs[index].as_bytes().to_vec()).collect();
                    assert!(output.as_bytes() == expected, "output {index}, {what}");
                    assert_eq!(output.shape()[0], samples * alone[0][index].shape()[0], "{what}");
                }
            }
        }
    }
}

/// Bytes that differ from sample to sample.
fn bytes(element: ElementType, shape: &[usize], seed: usize) -> Array {
    let bytes: Vec<u8> =
        (0..shape.iter().product()).map(|index: usize| (index * 37 + seed * 53 + index / 7) as u8).collect();
    Array::from_bytes(element, shape, &bytes).unwrap()
}

#[test]
fn batches_of_a_classifier() {
    Batched::new(classifier(), "featuremap").check(&|seed| vec![array(&[1, 3, 8, 8], seed)]);
}

#[test]
fn batches_of_normalized_feature_maps() {
    let input = "  mean_value: 0.1 -0.2 0.3\n  scale_value: 0.9 1.1 1.3\n";
    Batched { input, ..Batched::new(classifier(), "featuremap") }.check(&|seed| vec![array(&[1, 3, 8, 8], seed)]);
}

#[test]
fn batches_of_an_attention() {
    Batched::new(attention(), "featuremap").check(&|seed| vec![array(&[1, 4, 8], seed)]);
}

/// All of it on the CPU, where rows are longer than vectors.
#[test]
fn batches_of_an_attention_on_the_cpu() {
    let nodes = vec![
        transpose("Transpose_0", "x", "k", &[0, 1, 3, 2]),
        Node::new("MatMul_1", "MatMul", &["x", "k"], &["scores"]),
        Node::new("Softmax_2", "Softmax", &["scores"], &["shares"]).with("axis", Attribute::Int(-1)),
        Node::new("MatMul_3", "MatMul", &["shares", "x"], &["values"]),
        Node::new("LayerNormalization_4", "LayerNormalization", &["values", "s", "o"], &["y"]),
    ];
    let constants = [("s", weight(&[80], 15)), ("o", weight(&[80], 16))];
    let graph = graph(&[("x", &[1, 2, 70, 80])], &constants, nodes, &["y"]);
    let model = "  node_info: {'MatMul_1': {'ON': 'CPU'}, 'Softmax_2': {'ON': 'CPU'}, 'MatMul_3': {'ON': 'CPU'}, 'LayerNormalization_4': {'ON': 'CPU'}}\n";
    Batched { model, ..Batched::new(graph, "featuremap") }.check(&|seed| vec![array(&[1, 2, 70, 80], seed)]);
}

/// Nodes that only move values run on the CPU for one sample too, where nothing quantizes what they move.
#[test]
fn batches_of_what_the_cpu_moves() {
    let nodes = vec![
        conv("Conv_0", "x", "w", "features"),
        transpose("Transpose_1", "features", "t", &[0, 2, 3, 1]),
        Node::new("Softmax_2", "Softmax", &["t"], &["shares"]).with("axis", Attribute::Int(-1)),
        transpose("Transpose_3", "shares", "y", &[0, 3, 1, 2]),
    ];
    let graph = graph(&[("x", &[1, 3, 8, 8])], &[("w", weight(&[4, 3, 3, 3], 1))], nodes, &["y"]);
    Batched::new(graph, "featuremap").check(&|seed| vec![array(&[1, 3, 8, 8], seed)]);
}

const NORMALIZED: &str = "  mean_value: 103.9 116.7 123.6\n  scale_value: 0.017 0.0175 0.018\n";

#[test]
fn batches_of_images() {
    let image = |seed: usize| vec![bytes(ElementType::U8, &[1, 8, 8, 3], seed)];
    Batched { input: NORMALIZED, ..Batched::new(classifier(), "rgb") }.check(&image);
}

#[test]
fn batches_of_images_of_two_planes() {
    let planes = |seed: usize| {
        vec![bytes(ElementType::U8, &[1, 8, 8, 1], seed), bytes(ElementType::U8, &[1, 4, 4, 2], seed + 100)]
    };
    Batched { input: NORMALIZED, planes: &["_y", "_uv"], ..Batched::new(classifier(), "nv12") }.check(&planes);
}

#[test]
fn batches_of_gray_images() {
    let input = "  mean_value: 128\n  scale_value: 0.0078125\n";
    let image = |seed: usize| vec![bytes(ElementType::U8, &[1, 8, 8, 1], seed)];
    Batched { input, ..Batched::new(classifier_of(1), "gray") }.check(&image);
}

#[test]
fn batches_of_images_around_0() {
    let input = "  mean_value: 1 -3 7\n  scale_value: 0.0078125\n";
    let image = |seed: usize| vec![bytes(ElementType::I8, &[1, 8, 8, 3], seed)];
    Batched { input, ..Batched::new(classifier(), "yuv444_128") }.check(&image);
}

/// An image that something else than a convolution reads is converted by itself, then by a convolution of its own.
#[test]
fn batches_of_images_that_are_added() {
    let nodes = vec![
        Node::new("MaxPool_0", "MaxPool", &["x"], &["p"]).with("kernel_shape", Attribute::Ints(vec![1, 1])),
        conv("Conv_1", "x", "w", "c"),
        Node::new("Add_2", "Add", &["p", "c"], &["y"]),
    ];
    let graph = graph(&[("x", &[1, 3, 8, 8])], &[("w", weight(&[3, 3, 1, 1], 11))], nodes, &["y"]);
    let image = |seed: usize| vec![bytes(ElementType::U8, &[1, 8, 8, 3], seed)];
    Batched { input: NORMALIZED, ..Batched::new(graph, "rgb") }.check(&image);
}

/// Without quantization and the transposes of layout the inputs are integers, NHWC, together and each by itself.
#[test]
fn batches_of_quantized_inputs() {
    let model = "  remove_node_type: 'Quantize; Transpose; Softmax; Dequantize'\n";
    let batched = Batched { model, ..Batched::new(classifier(), "featuremap") };
    let one = batched.compile(1, "False").inputs().remove(0);
    assert_eq!((one.element_type, one.layout.as_str()), (ElementType::I8, "NHWC"));
    for separate in ["False", "True"] {
        for input in batched.compile(2, separate).inputs() {
            assert_eq!(
                (input.element_type, input.layout.as_str(), &input.dims[1..]),
                (ElementType::I8, "NHWC", &one.dims[1..])
            );
        }
    }
    batched.check(&|seed| vec![bytes(ElementType::I8, &one.dims, seed)]);
}

#[test]
fn batches_of_integers() {
    let nodes = vec![
        Node::new("Cast_0", "Cast", &["x"], &["f"]).with("to", Attribute::Int(1)),
        conv("Conv_1", "f", "w", "c"),
        Node::new("Softmax_2", "Softmax", &["c"], &["y"]).with("axis", Attribute::Int(1)),
    ];
    let mut graph = graph(&[("x", &[1, 3, 8, 8])], &[("w", weight(&[4, 3, 3, 3], 11))], nodes, &["y"]);
    graph.inputs[0].element = Some(ElementType::I32);
    let sample = |seed: usize| {
        let values: Vec<i32> = (0..192).map(|index| ((index * 37 + seed * 53) % 19) as i32 - 9).collect();
        vec![Array::from_values(&[1, 3, 8, 8], &values).unwrap()]
    };
    Batched::new(graph, "featuremap").check(&sample);
}

/// A transpose of the user's network is removed from every sample alike.
#[test]
fn batches_without_the_first_transpose() {
    let mut graph = classifier();
    graph.inputs[0].shape = Some([1, 8, 8, 3].map(onnx::model::Dimension::Fixed).to_vec());
    graph.nodes.insert(0, transpose("Transpose_0", "x", "t", &[0, 3, 1, 2]));
    graph.nodes[1].inputs[0] = "t".to_owned();
    let model = "  remove_node_name: Transpose_0\n";
    Batched { model, ..Batched::new(graph, "featuremap") }.check(&|seed| vec![array(&[1, 3, 8, 8], seed)]);
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
    // What counts is the network that is compiled.
    let cut = compile(&branches(&["y"]), "  output_nodes: Conv_3\n", "  input_batch: 4\n").unwrap();
    assert_eq!((&cut.inputs()[0].dims, &cut.outputs()[0].dims), (&vec![4, 3, 8, 8], &vec![4, 2, 6, 6]));
    let error = compile(&branches(&["y"]), "  output_nodes: 'Conv_3; Add_4'\n", "  input_batch: 4\n").err().unwrap();
    assert!(error.contains("4 is only for a model with one input, and the model that is compiled has 2"), "{error}");
    // Without this transpose the samples would lie one inside the other.
    let nodes = vec![
        transpose("Transpose_0", "x", "t", &[1, 0, 2]),
        Node::new("MatMul_1", "MatMul", &["t", "w"], &["m"]),
        transpose("Transpose_2", "m", "y", &[1, 0, 2]),
    ];
    let rows = graph(&[("x", &[1, 4, 8])], &[("w", weight(&[8, 8], 23))], nodes, &["y"]);
    let error = compile(&rows, "  remove_node_name: Transpose_0\n", "  input_batch: 4\n").err().unwrap();
    assert!(
        error.contains("node 'Transpose_0' cannot be removed: without it an input does not hold its samples"),
        "{error}"
    );
    let mut wide = classifier();
    wide.inputs[0].shape = Some([2, 3, 8, 8].map(onnx::model::Dimension::Fixed).to_vec());
    wide.initializers[1].1 = integers(&[2, 64]);
    let error = compile(&wide, "", "  input_batch: 4\n").err().unwrap();
    assert!(error.contains("4 needs an input whose first dimension is 1, and its shape is 2x3x8x8"), "{error}");
}

/// A network whose batch the file leaves open as 0 is that of one sample.
#[test]
fn a_first_dimension_of_0_is_1() {
    let mut open = branches(&["d"]);
    open.nodes.truncate(4);
    open.inputs.truncate(1);
    let x = array(&[1, 3, 8, 8], 24);
    let one = compile(&open, "", "").unwrap().run(std::slice::from_ref(&x));
    open.inputs[0].shape = Some([0, 3, 8, 8].map(onnx::model::Dimension::Fixed).to_vec());
    let open = compile(&open, "", "").unwrap();
    assert_eq!((&open.inputs()[0].dims, open.run(&[x])), (&vec![1, 3, 8, 8], one));
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

/// Constant sizes that follow: any number of samples, and any size of image.
#[test]
fn sizes_that_follow() {
    let row = |shape: &str, batch: &[i64]| {
        let nodes = vec![conv("Conv_0", "x", "w", "c"), Node::new("Reshape_1", "Reshape", &["c", "shape"], &["y"])];
        let constants = [("w", weight(&[4, 3, 1, 1], 1)), ("shape", integers(batch))];
        compile(&graph(&[("x", &[1, 3, 4, 4])], &constants, nodes, &["y"]), "", &format!("  input_shape: {shape}\n"))
    };
    for (shape, sizes, dims) in
        [("2x3x4x4", [0, -1], [2, 64]), ("2x3x4x4", [-1, 64], [2, 64]), ("1x3x6x4", [1, -1], [1, 96])]
    {
        assert_eq!(row(shape, &sizes).unwrap().outputs()[0].dims, dims);
    }
}
