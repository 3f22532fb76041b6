//! Caffe networks against what numpy computed for them (`tests/data/make_caffe_cases.py`), and what is said of those that cannot be read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Array as Recorded, Case};
use hb::cpu::{Array, ExecutableOptions, FloatExecutable};
use hb::frontend::caffe::{self, InputShapes, layers::LAYERS};
use hb::frontend::onnx::{self, ImportOptions};
use hb::frontend::{ModelFiles, ModelSource};
use hb_dialects::ir::{self, OperationAttributes};
use std::collections::BTreeSet;
use std::fs;

/// All recorded cases; the operator is the layer.
fn cases() -> Vec<Case> {
    let folder = common::data_folder().join("caffe");
    let table = fs::read_to_string(folder.join("cases.tsv")).unwrap();
    let case = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [path, inputs, outputs] = columns[..] else { panic!("cases.tsv: {line}") };
        let (operator, form) = path.split_once('/').unwrap();
        let bytes = fs::read(folder.join(format!("{path}.npys"))).unwrap();
        let mut rest = bytes.as_slice();
        let mut named =
            |names: &str| names.split('|').map(|name| (name.to_owned(), Recorded::read_npy(&mut rest))).collect();
        let (inputs, outputs) = (named(inputs), named(outputs));
        assert!(rest.is_empty(), "{path}");
        let model = folder.join(format!("{path}.caffemodel"));
        Case { operator: operator.to_owned(), form: form.to_owned(), opset: 0, model, inputs, outputs }
    };
    table.lines().map(case).collect()
}

fn files(case: &Case) -> ModelFiles {
    ModelFiles { model: case.model.clone(), proto: Some(case.model.with_extension("prototxt")) }
}

fn run(case: &Case) -> Result<(), String> {
    let context = hb_dialects::context();
    let source = ModelSource::load(&files(case)).map_err(|error| error.to_string())?;
    let module = source.import(&context, &ImportOptions::default()).map_err(|error| error.to_string())?;
    let function = ir::function_named(module.as_operation(), "main").ok_or("no function main")?;
    let pass = hb::float::PASSES.iter().find(|pass| pass.argument == "hfloat-infer-shapes").unwrap();
    let options = hb_dialects::pass::PassOptions::default();
    let (result, reports) = hb::diagnostics::collect(&context, || (pass.run)(function, &options));
    result.map_err(|failure| format!("{failure:?} {}", hb::diagnostics::messages(&reports)))?;
    let options = ExecutableOptions { single_threaded: true, ..ExecutableOptions::default() };
    let executable = FloatExecutable::compile(function, options).map_err(|error| error.to_string())?;
    let given = |name: &str| {
        let (_, array) = case.inputs.iter().find(|(given, _)| given == name).expect("an input");
        Array::from_bytes(array.element, &array.shape, &array.bytes).unwrap()
    };
    let inputs: Vec<Array> = executable.inputs().map(|(name, ..)| given(name)).collect();
    let outputs = executable.run(&inputs.iter().collect::<Vec<_>>()).map_err(|error| error.to_string())?;
    let names: Vec<String> = executable.outputs().map(|(name, ..)| name.to_owned()).collect();
    for (name, expected) in &case.outputs {
        // An output that was written on the way to its last form has the name of the layer that wrote it, too.
        let index = names.iter().position(|own| own == name).ok_or_else(|| format!("no output {name} in {names:?}"))?;
        let output = outputs.get(index).ok_or("an output is missing")?;
        let result =
            Recorded { element: output.element(), shape: output.shape().to_vec(), bytes: output.as_bytes().to_vec() };
        common::difference(expected, &result).map_err(|why| format!("output {name}: {why}"))?;
    }
    if names.len() == case.outputs.len() { Ok(()) } else { Err(format!("the outputs are {names:?}")) }
}

#[test]
fn layers_compute_what_numpy_computed() {
    let failures: Vec<String> =
        cases().iter().filter_map(|case| run(case).err().map(|error| format!("{}: {error}", case.name()))).collect();
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_layer_is_recorded() {
    let recorded: BTreeSet<String> = cases().into_iter().map(|case| case.operator).collect();
    // Silence makes nothing; it is part of a network. The depthwise Deconvolution is the plain one with its group.
    let elsewhere = ["Silence", "DeconvolutionDepthwise"];
    for layer in LAYERS.iter().filter(|layer| !elsewhere.contains(&layer.name())) {
        assert!(layer.names.iter().any(|name| recorded.contains(*name)), "no case of {}", layer.name());
    }
}

#[test]
fn what_a_layer_becomes_says_of_which_layer_it_was_made() {
    let context = hb_dialects::context();
    for case in cases() {
        let caffe::CaffeNetwork { layers, .. } = caffe::load(&files(&case).proto.unwrap(), Some(&case.model)).unwrap();
        let mut names: BTreeSet<String> = layers.iter().map(|layer| layer.place.layer.clone()).collect();
        // Layers without a name, and of one that was there before, have names of their own.
        names.extend(["Power_2".to_owned(), "same name_1".to_owned()]);
        let source = ModelSource::load(&files(&case)).unwrap();
        let module = source.import(&context, &ImportOptions::default()).unwrap();
        let function = ir::function_named(module.as_operation(), "main").unwrap();
        let block = ir::body(function).unwrap();
        let computing = ir::operations(block).into_iter().filter(|operation| {
            hb_dialects::hfloat::Op::of(*operation).is_some_and(|op| op != hb_dialects::hfloat::Op::Constant)
        });
        for operation in computing {
            let origin = operation.origin();
            assert!(origin.nodes.iter().all(|node| names.contains(node)), "{}: {origin:?}", case.name());
            assert!(!origin.nodes.is_empty(), "{}: {origin:?}", case.name());
        }
    }
}

#[test]
fn every_network_is_written_as_onnx_and_read_again() {
    let context = hb_dialects::context();
    for case in cases() {
        let source = ModelSource::load(&files(&case)).unwrap();
        let module = source.import(&context, &ImportOptions::default()).unwrap();
        let exported = onnx::export(module.as_operation()).unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        let bytes = onnx::to_bytes(&exported).unwrap();
        let read = onnx::from_bytes(bytes.into(), None).unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        let again = onnx::import(&context, read, &ImportOptions::default());
        assert!(again.is_ok(), "{}: {}", case.name(), again.err().unwrap());
    }
}

fn error(text: &str) -> String {
    let network = caffe::from_bytes(text.as_bytes(), "net.prototxt", None);
    match network.and_then(|network| network.model(&InputShapes::new())) {
        Ok(_) => panic!("it is read: {text}"),
        Err(error) => error.to_string(),
    }
}

const INPUT: &str = "input: \"data\" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }\n";

#[test]
fn all_unknown_layers_are_listed_with_their_lines() {
    let text = format!(
        "{INPUT}layer {{ name: \"a\" type: \"Unheard\" bottom: \"data\" top: \"a\" }}\n\
         layer {{ name: \"b\" type: \"ReLU\" bottom: \"a\" top: \"b\" }}\n  layer {{ name: \"c\" type: \"Of\" bottom: \"b\" top: \"c\" }}"
    );
    assert_eq!(
        error(&text),
        "2 layer(s) of the network are of types that are not supported:\n\
         net.prototxt:2:1: layer 'a' (Unheard)\nnet.prototxt:4:3: layer 'c' (Of)"
    );
    // A slip is told from a stranger.
    let slip = text.replace("Unheard", "Convolutoin");
    assert!(error(&slip).contains("layer 'a' (Convolutoin); did you mean 'Convolution'?\n"), "{}", error(&slip));
}

#[test]
fn a_network_for_training_is_answered_with_what_to_change() {
    let text = "layer { name: \"mnist\" type: \"Data\" top: \"data\" top: \"label\" include { phase: TEST } }\n\
                layer { name: \"ip\" type: \"InnerProduct\" bottom: \"data\" top: \"ip\" inner_product_param { num_output: 2 } }\n\
                layer { name: \"accuracy\" type: \"Accuracy\" bottom: \"ip\" bottom: \"label\" top: \"accuracy\" include { phase: TEST } }\n\
                layer { name: \"loss\" type: \"SoftmaxWithLoss\" bottom: \"ip\" bottom: \"label\" top: \"loss\" }\n";
    let message = error(text);
    for part in [
        "what to change to run it",
        "net.prototxt:1:1: layer 'mnist' (Data): it reads samples: put in its place layer { name: \"data\" type: \"Input\"",
        "net.prototxt:3:1: layer 'accuracy' (Accuracy): it measures or writes results: take it away",
        "net.prototxt:4:1: layer 'loss' (SoftmaxWithLoss): it measures a loss: make it a layer of type Softmax",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn faults_of_layers_name_layer_line_and_reason() {
    for (layer, part) in [
        ("type: \"Convolution\" convolution_param { kernel_size: 3 }", "num_output is missing"),
        ("type: \"Convolution\" convolution_param { num_output: 2 kernel_size: 9 }", "leave nothing of the 8"),
        (
            "type: \"Convolution\" convolution_param { num_output: 2 kernel_size: 3 kernel_h: 3 }",
            "kernel_size is given twice",
        ),
        (
            "type: \"Convolution\" convolution_param { num_output: 2 kernel_size: 3 group: 2 }",
            "group 2 divides not both",
        ),
        ("type: \"Convolution\" convolution_param { num_output: 2 kernel_size: [1, 2, 3] }", "3 values"),
        ("type: \"Pooling\" pooling_param { kernel_size: 2 pad: 2 }", "pad 2 is not smaller than the kernel 2"),
        ("type: \"Pooling\" pooling_param { kernel_size: 1 stride: 5 }", "does not fit"),
        ("type: \"Pooling\" pooling_param { pool: STOCHASTIC kernel_size: 2 }", "random"),
        ("type: \"Pooling\" pooling_param { global_pooling: true kernel_size: 2 }", "takes no kernel_size"),
        ("type: \"Pooling\" top: \"mask\" pooling_param { pool: AVE kernel_size: 2 }", "only pool: MAX has a mask"),
        ("type: \"Upsample\" upsample_param { upsample_h: 4 upsample_w: 4 }", "needs the mask of a pooling"),
        ("type: \"Upsample\" bottom: \"data\" upsample_param { upsample_h: 0 }", "of 1 or more"),
        ("type: \"InnerProduct\" inner_product_param { num_output: 2 axis: 4 }", "axis 4 is no dimension"),
        ("type: \"Eltwise\"", "it has 1 bottom(s), it must have 2 or more"),
        ("type: \"Slice\" top: \"z\"", "3 of dimension 1 are not 2 equal parts"),
        ("type: \"Slice\" top: \"z\" slice_param { slice_point: 3 }", "do not rise"),
        ("type: \"Reshape\" reshape_param { shape { dim: 0 dim: 5 } }", "cannot have the shape [0, 5]"),
        ("type: \"Reshape\" reshape_param { shape { dim: -1 dim: -1 } }", "only one may be -1"),
        ("type: \"Permute\" permute_param { order: 1 order: 1 }", "names dimension 1 twice"),
        ("type: \"Permute\" permute_param { order: 4 }", "names dimension 4"),
        ("type: \"LRN\" lrn_param { local_size: 4 }", "must be odd"),
        ("type: \"Clip\" clip_param { min: 1 }", "needs min and max"),
        ("type: \"Tile\" tile_param { tiles: 0 }", "tiles is missing"),
        ("type: \"ArgMax\" argmax_param { top_k: 4 axis: 1 }", "1 to 3 are possible"),
        ("type: \"SPP\" spp_param { pyramid_height: 40 }", "1 to 16 are possible"),
        ("type: \"Exp\" exp_param { base: 0 }", "base is 0"),
        ("type: \"Reorg\" reorg_param { stride: 2 }", "3 channels are not blocks"),
        ("type: \"ReLU\" bottom: \"nowhere\"", "'nowhere' is made by no layer before it"),
        ("type: \"ReLU\" bottom: \"dat\"", "is no input; did you mean 'data'?"),
        ("type: \"Split\" top: \"y\"", "two of its tops are called \"y\""),
        ("type: \"Softmax\" softmax_param { axis: -5 }", "axis -5 is no dimension"),
    ] {
        let message = error(&format!("{INPUT}  layer {{ name: \"l\" bottom: \"data\" top: \"y\" {layer} }}"));
        assert!(message.starts_with("net.prototxt:2:3: layer 'l' ("), "{message}");
        assert!(message.contains(part), "{message}, not {part}");
    }
}

#[test]
fn faults_of_networks_say_what_to_do() {
    for (text, part) in [
        ("name: \"x\"", "it has no input; add layer"),
        ("input: \"x\"", "each input takes one input_shape"),
        ("input: \"x\" input_dim: 1 input_dim: 2", "four input_dim"),
        ("input: \"x\" input_dim: [1, 1, 1, -4]", "-4 of an input is not positive"),
        ("input_shape { dim: 1 }", "no input; name the input"),
        ("input: [\"x\", \"x\"] input_shape { dim: 1 } input_shape { dim: 1 }", "two inputs have this name"),
        ("input: \"x\" input_shape { dim: 4611686018427387904 dim: 4 }", "too many elements"),
        ("input: \"x\" input_shape { dim: 1 }", "it has no output"),
        ("layer { name: \"a\" }\nlayers { name: \"b\" }", "both layer and layers"),
        ("layer { name: \"a\" include { phase: TEST } exclude { phase: TEST } }", "alternatives"),
        ("layers { layer { name: \"a\" type: \"odd\" } }", "none of the form of 2013"),
        ("layer { name: \"a\" type: \"Input\" top: \"a\" }", "it has 0 shape(s) for 1 top(s)"),
    ] {
        let message = error(text);
        assert!(message.contains(part), "{message}, not {part}");
    }
    let both = error(&format!(
        "{INPUT}layer {{ name: \"l\" type: \"Tile\" bottom: \"data\" top: \"y\" }}\n\
         layer {{ name: \"behind\" type: \"ReLU\" bottom: \"y\" top: \"z\" }}\n\
         layer {{ name: \"m\" type: \"Clip\" bottom: \"data\" top: \"v\" }}"
    ));
    assert_eq!(both.lines().count(), 2, "what only follows is left out: {both}");
    let not_text = caffe::from_bytes(b"name: \"\xff", "net.prototxt", None).unwrap_err().to_string();
    assert!(not_text.contains("byte 7 is not UTF-8"), "{not_text}");
}

#[test]
fn weights_are_missed_by_layer_and_shape() {
    let case = cases().into_iter().find(|case| case.name() == "Convolution/plain").unwrap();
    let text = fs::read_to_string(files(&case).proto.unwrap()).unwrap();
    let weights = fs::read(&case.model).unwrap();
    for (from, to, part) in [
        (
            "\"l\"",
            "\"other name\"",
            "needs weights of the shape [6, 4, 3, 3] as its blob 0; the .caffemodel has 0 blob(s)",
        ),
        (
            "num_output: 6",
            "num_output: 5",
            "its blob 0 in the .caffemodel has the shape [6, 4, 3, 3], the layer needs [5, 4, 3, 3]",
        ),
    ] {
        let network =
            caffe::from_bytes(text.replace(from, to).as_bytes(), "net", Some(weights.clone().into())).unwrap();
        let message = network.model(&InputShapes::new()).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
    assert!(caffe::from_bytes(text.as_bytes(), "net", Some(Vec::new().into())).is_err());
}

/// The shapes of all that follows come from those that are asked for.
#[test]
fn inputs_may_have_other_shapes() {
    let text = format!(
        "{INPUT}layer {{ name: \"pool\" type: \"Pooling\" bottom: \"data\" top: \"p\" pooling_param {{ kernel_size: 3 stride: 2 }} }}\n\
         layer {{ name: \"flat\" type: \"Flatten\" bottom: \"p\" top: \"f\" }}"
    );
    let network = caffe::from_bytes(text.as_bytes(), "net", None).unwrap();
    let sizes = |shape: &[usize]| {
        let shapes = InputShapes::from([("data".to_owned(), shape.to_vec())]);
        let model = network.model(&shapes).map_err(|error| error.to_string())?;
        Ok::<_, String>(model.graph.outputs[0].sizes())
    };
    assert_eq!(sizes(&[1, 3, 8, 8]), Ok(vec![Some(1), Some(48)]));
    assert_eq!(sizes(&[2, 3, 9, 10]), Ok(vec![Some(2), Some(60)]));
    assert!(sizes(&[1, 3]).unwrap_err().contains("2 dimensions are asked for, the network says 4"));
    assert!(sizes(&[0, 3, 8, 8]).unwrap_err().contains("holds nothing"));
    let unknown = InputShapes::from([("image".to_owned(), vec![1])]);
    assert!(network.model(&unknown).unwrap_err().to_string().contains("no such input, it has data"));
}
