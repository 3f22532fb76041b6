//! Deployed images against the float input that the network was trained with.
//!
//! Scales are powers of two and means are integers, so that every level computes exactly and results must be equal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hb::cpu::Array;
use hb::cpu::{self, FloatExecutable};
use hb::driver::compile::{Stages, compile};
use hb::driver::configuration::{Configuration, Environment};
use hb::driver::package::{Compilation, package};
use hb::driver::progress::{Console, Verbosity};
use hb::float::preprocessing::{InputType, Layout, Preprocessing, assign_preprocessing};
use hb::frontend::onnx::{self, model, tensor};
use hb::hbm::Hbm;
use hb::pipeline::on_functions;
use hb::sim::executor::ModelExecutor;
use hb::sim::network::JitLoader;
use hb::sim::open::{Detail, OpenOptions, open};
use hb::sim::runner::Runner;
use hb::sim::segmented::SegmentedNetwork;
use hb_dialects::ElementType;
use hb_dialects::ir;

const HEIGHT: usize = 4;
const WIDTH: usize = 5;

/// An image in NHWC with bytes all over their range.
fn image() -> Vec<u8> {
    (0..HEIGHT * WIDTH * 3).map(|index| (index * 97 + index * index * 31 % 253) as u8).collect()
}

/// Numbers of the weights' 1/64ths; in each half is a 127, so that the scales are 1/64.
fn weights(count: usize) -> Vec<f32> {
    let number = |index: usize| if index.is_multiple_of(27) { 127 } else { (index * 71 % 255) as i32 - 127 };
    (0..count).map(|index| number(index) as f32 / 64.0).collect()
}

/// What the manual says: the image in the order of the network's channels, minus the mean, times the scale, in the network's layout.
fn prepared(image: &[u8], preprocessing: &Preprocessing) -> Vec<f32> {
    let swap = preprocessing.type_rt != preprocessing.type_train;
    let of = |numbers: &[f64], channel: usize, default: f64| match numbers {
        [] => default,
        [number] => *number,
        numbers => numbers[channel],
    };
    let value = |y: usize, x: usize, channel: usize| {
        let byte = image[(y * WIDTH + x) * 3 + if swap { 2 - channel } else { channel }];
        let (mean, scale) = (of(&preprocessing.mean, channel, 0.0), of(&preprocessing.scale, channel, 1.0));
        ((f64::from(byte) - mean) * scale) as f32
    };
    let mut values = Vec::new();
    match preprocessing.layout {
        Layout::Nchw => {
            for channel in 0..3 {
                values.extend((0..HEIGHT * WIDTH).map(|pixel| value(pixel / WIDTH, pixel % WIDTH, channel)));
            }
        }
        Layout::Nhwc => {
            values.extend((0..HEIGHT * WIDTH * 3).map(|i| value(i / 3 / WIDTH, i / 3 % WIDTH, i % 3)));
        }
    }
    values
}

/// A convolution of 3x3 from 3 channels to 2, for an input of either layout.
fn network(layout: Layout) -> String {
    let weights: Vec<String> = weights(2 * 27).iter().map(|weight| format!("{weight:?}")).collect();
    // `dense` takes nested lists only.
    let rows: Vec<String> = weights.chunks(3).map(|row| format!("[{}]", row.join(", "))).collect();
    let windows: Vec<String> = rows.chunks(3).map(|window| format!("[{}]", window.join(", "))).collect();
    let filters: Vec<String> = windows.chunks(3).map(|filter| format!("[{}]", filter.join(", "))).collect();
    let (shape, start) = match layout {
        Layout::Nchw => ("1x3x4x5", String::new()),
        Layout::Nhwc => (
            "1x4x5x3",
            "%t = hfloat.transpose %x {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x4x5x3xf32>) -> tensor<1x3x4x5xf32> \
             loc(\"Transpose_0\")"
                .to_owned(),
        ),
    };
    let input = if layout == Layout::Nchw { "%x" } else { "%t" };
    format!(
        "func.func @main(%x: tensor<{shape}xf32> {{hfloat.name = \"image\"}}) \
         -> tensor<1x2x4x5xf32> {{
           {start}
           %w = hfloat.constant dense<[{}]> : tensor<2x3x3x3xf32> loc(\"weight\")
           %0 = hfloat.conv {input}, %w {{strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
             dilations = array<i64: 1, 1>}}
             : (tensor<1x3x4x5xf32>, tensor<2x3x3x3xf32>) -> tensor<1x2x4x5xf32> loc(\"Conv_0\")
           return %0 : tensor<1x2x4x5xf32>
         }}",
        filters.join(", ")
    )
}

/// The QDQ network on prepared floats, the segments on the image, and the .hbm on the image: all the same.
fn check(preprocessing: &Preprocessing) {
    let context = hb::pipeline::context();
    let text = network(preprocessing.layout);
    let mut module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    let threshold = |name: &str| Some(if name == "Conv_0" { 127.0 } else { 127.0 / 64.0 });
    hb::quant::assign_thresholds(function, threshold).unwrap();
    hb::pipeline::run(&context, &mut module, &on_functions("quant-insert-casts,hfloat-verify")).unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();

    let shape = match preprocessing.layout {
        Layout::Nchw => [1, 3, HEIGHT, WIDTH],
        Layout::Nhwc => [1, HEIGHT, WIDTH, 3],
    };
    let floats = Array::from_values(&shape, &prepared(&image(), preprocessing)).unwrap();
    let qdq = FloatExecutable::compile(function, cpu::ExecutableOptions::default()).unwrap();
    let expected = qdq.run(&[&floats]).unwrap().remove(0);
    let values = expected.values::<f32>().unwrap();
    assert!(values.iter().any(|value| *value != values[0]), "the test shows nothing");

    assign_preprocessing(function, 0, preprocessing);
    hb::pipeline::run(&context, &mut module, "qdq-to-bpu").unwrap();
    let given = match preprocessing.type_rt {
        InputType::Featuremap => {
            // Not prepared: the image as floats, in the network's layout.
            let plain = Preprocessing { mean: vec![], scale: vec![], ..preprocessing.clone() };
            Array::from_values(&shape, &prepared(&image(), &plain)).unwrap()
        }
        _ => Array::from_values(&[1, HEIGHT, WIDTH, 3], &image()).unwrap(),
    };
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    let segments = SegmentedNetwork::new(function).unwrap();
    let found = segments.run(std::slice::from_ref(&given)).unwrap().outputs.remove(0);
    assert_eq!(found.as_bytes(), expected.as_bytes(), "segments, {preprocessing:?}");

    hb::pipeline::run(&context, &mut module, "bpu-to-nash").unwrap();
    let origin = Compilation { march: None, model_name: "test".into(), prefix: "test", parameters: &[] };
    let hbm = package(&context, module.as_operation(), &origin).unwrap();
    let hbm = Hbm::from_bytes(hbm).unwrap();
    let input = &hbm.manifest().inputs[0];
    let layout = if preprocessing.type_rt == InputType::Featuremap { preprocessing.layout.name() } else { "NHWC" };
    let found = (input.element_type, input.dims.as_slice(), input.layout.as_str());
    assert_eq!(found, (given.element(), given.shape(), layout));
    let runner = Runner::new(&hbm, &JitLoader, true).unwrap();
    assert_eq!(runner.run(&[given]).unwrap().outputs[0].as_bytes(), expected.as_bytes(), "hbm, {preprocessing:?}");
}

fn preprocessing(type_rt: InputType, type_train: InputType, layout: Layout) -> Preprocessing {
    Preprocessing { type_rt, type_train, layout, mean: vec![128.0, 121.0, 97.0], scale: vec![0.015_625] }
}

#[test]
fn images_give_what_prepared_floats_give() {
    for layout in [Layout::Nchw, Layout::Nhwc] {
        for type_rt in [InputType::Rgb, InputType::Bgr] {
            check(&preprocessing(type_rt, InputType::Rgb, layout));
        }
    }
    let scales = vec![0.015_625, 0.031_25, 0.007_812_5];
    check(&Preprocessing {
        scale: scales,
        mean: vec![],
        ..preprocessing(InputType::Rgb, InputType::Bgr, Layout::Nchw)
    });
}

#[test]
fn feature_maps_are_normalized() {
    for layout in [Layout::Nchw, Layout::Nhwc] {
        check(&preprocessing(InputType::Featuremap, InputType::Featuremap, layout));
    }
}

fn onnx_model() -> model::Model {
    let value = |name: &str, channels: usize| model::Value {
        name: name.into(),
        element: Some(ElementType::F32),
        shape: Some([1, channels, HEIGHT, WIDTH].map(model::Dimension::Fixed).to_vec()),
    };
    let weight = tensor::Tensor::from_f32s(&weights(2 * 27)).reshaped(vec![2, 3, 3, 3]).unwrap();
    model::Model::new(
        9,
        19,
        model::Graph {
            name: "network".into(),
            nodes: vec![
                model::Node::new("Conv_0", "Conv", &["image", "weight"], &["sums"])
                    .with("pads", model::Attribute::Ints(vec![1, 1, 1, 1])),
            ],
            inputs: vec![value("image", 3)],
            outputs: vec![value("sums", 2)],
            initializers: vec![("weight".into(), weight)],
            ..model::Graph::default()
        },
    )
}

/// Thresholds come from the same random samples whatever the deployed input is, so that a model for images and one for floats differ
/// in their input only.
#[test]
fn a_compiled_model_for_images_agrees_with_one_for_floats() {
    let folder = tempfile::tempdir().unwrap();
    onnx::save(&onnx_model(), &folder.path().join("model.onnx")).unwrap();
    let compiled = |prefix: &str, input: &str| {
        let text = format!(
            "model_parameters: {{onnx_model: model.onnx, march: nash-e, output_model_file_prefix: {prefix}, working_dir: out}}
input_parameters: {{{input}, input_layout_train: NCHW}}
calibration_parameters: {{calibration_type: skip}}
compiler_parameters: {{optimize_level: O2}}
"
        );
        let path = folder.path().join(format!("{prefix}.yaml"));
        std::fs::write(&path, text).unwrap();
        let configuration = Configuration::read(&path, &Environment::of_this_machine()).unwrap();
        let stages = Stages { console: &Console::new(Verbosity::Quiet), stop_after: None };
        compile(&configuration, &stages).unwrap();
        let out = |ending: &str| folder.path().join(format!("out/{prefix}{ending}"));
        // The quantized network says what the table of nodes compares, also where the deployed input is not float.
        let table = std::fs::read_to_string(out("_node_info.csv")).unwrap();
        let row = table.lines().find(|line| line.contains("Conv_0")).expect("a row of the node").to_owned();
        (open(&out(".hbm"), &OpenOptions { detail: Detail::Races, ..OpenOptions::default() }).unwrap(), row)
    };
    let (floats, float_row) = compiled("floats", "input_type_train: featuremap, input_type_rt: featuremap");
    let (images, image_row) = compiled(
        "images",
        "input_type_train: rgb, input_type_rt: bgr, norm_type: data_mean_and_scale, mean_value: 128 121 97, \
         scale_value: 0.015625",
    );
    assert_eq!(image_row, float_row);
    let input = &images.executor.inputs()[0];
    assert_eq!((input.name.as_str(), input.element_type, input.shape()), ("image", ElementType::U8, "1x4x5x3".into()));
    let prepared = prepared(&image(), &preprocessing(InputType::Bgr, InputType::Rgb, Layout::Nchw));
    let prepared = Array::from_values(&[1, 3, HEIGHT, WIDTH], &prepared).unwrap();
    let image = Array::from_values(&[1, HEIGHT, WIDTH, 3], &image()).unwrap();
    let (found, expected) = (images.executor.run(&[image]).unwrap(), floats.executor.run(&[prepared]).unwrap());
    assert_eq!(found.outputs, expected.outputs);
}
