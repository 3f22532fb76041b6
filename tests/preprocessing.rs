//! Deployed images against the float input that the network was trained with.
//!
//! Scales are powers of two and means are integers, so that every level computes exactly and results must be equal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hb::cpu::Array;
use hb::driver::compile::{Stages, compile};
use hb::driver::configuration::{Configuration, Environment};
use hb::driver::package::{Compilation, package};
use hb::driver::progress::{Console, Verbosity};
use hb::float::preprocessing::{InputType, Layout, Preprocessing, SpaceAndRange, assign_preprocessing};
use hb::frontend::onnx::{self, model, tensor};
use hb::hbm::Hbm;
use hb::pipeline::on_functions;
use hb::sim::executor::ModelExecutor;
use hb::sim::infer::{InferRequest, infer};
use hb::sim::network::JitLoader;
use hb::sim::npy;
use hb::sim::open::{Detail, OpenOptions, open};
use hb::sim::runner::Runner;
use hb::sim::segmented::SegmentedNetwork;
use hb_dialects::ElementType;
use hb_dialects::ir;

const HEIGHT: usize = 4;
const WIDTH: usize = 6;
/// Output channels of the network.
const FILTERS: usize = 2;

/// Bytes of an image with `channels` in NHWC, whose distance from 97 and from 128 an int8 holds.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| 1 + ((index * 97 + index * index * 31 % 253) % 224) as u8).collect()
}

/// Numbers of the weights' 1/64ths; in each filter is a 127, so that the scales are 1/64.
fn weights(channels: usize) -> Vec<f32> {
    let number = |index: usize| match index % (channels * 9) {
        0 => 127,
        _ => (index * 71 % 255) as i32 - 127,
    };
    (0..FILTERS * channels * 9).map(|index| number(index) as f32 / 64.0).collect()
}

/// What a deployed model is given, as bytes of NHWC of full size (of yuv444_128 those of yuv444), and as the arrays of its inputs.
struct Given {
    pixels: Vec<u8>,
    arrays: Vec<Array>,
}

fn given(type_rt: InputType) -> Given {
    let channels = type_rt.channels().unwrap() as usize;
    let mut pixels = bytes(HEIGHT * WIDTH * channels);
    let array = |shape: [usize; 4], bytes: &[u8]| Array::from_values(&shape, bytes).unwrap();
    if type_rt == InputType::Yuv444_128 {
        let integers: Vec<i8> = pixels.iter().map(|byte| (i16::from(*byte) - 128) as i8).collect();
        let arrays = vec![Array::from_values(&[1, HEIGHT, WIDTH, channels], &integers).unwrap()];
        return Given { pixels, arrays };
    }
    if type_rt != InputType::Nv12 {
        let arrays = vec![array([1, HEIGHT, WIDTH, channels], &pixels)];
        return Given { pixels, arrays };
    }
    let (mut y, mut uv) = (Vec::new(), Vec::new());
    for row in 0..HEIGHT {
        for column in 0..WIDTH {
            let from = |row: usize, column: usize| (row * WIDTH + column) * 3;
            y.push(pixels[from(row, column)]);
            // Each pair of chroma is that of the pixel above and to the left, for all four.
            for channel in 1..3 {
                let byte = pixels[from(row / 2 * 2, column / 2 * 2) + channel];
                pixels[from(row, column) + channel] = byte;
                if row % 2 == 0 && column % 2 == 0 {
                    uv.push(byte);
                }
            }
        }
    }
    let arrays = vec![array([1, HEIGHT, WIDTH, 1], &y), array([1, HEIGHT / 2, WIDTH / 2, 2], &uv)];
    Given { pixels, arrays }
}

/// Red, green and blue of luma and chroma (BT.601), of the bytes of a pixel.
fn red_green_blue(pixel: &[f64], range: SpaceAndRange) -> [f64; 3] {
    let [y, u, v] = [pixel[0], pixel[1] - 128.0, pixel[2] - 128.0];
    let (y, u, v) = match range {
        SpaceAndRange::Regular => (y, u, v),
        SpaceAndRange::Bt601Video => ((y - 16.0) * 255.0 / 219.0, u * 255.0 / 224.0, v * 255.0 / 224.0),
    };
    [y + 1.402 * v, y - 0.344_136_286 * u - 0.714_136_286 * v, y + 1.772 * u]
}

/// What the manual says: the image in the order of the network's channels, minus the mean, times the scale, in CHW.
fn prepared(pixels: &[u8], preprocessing: &Preprocessing) -> Vec<f64> {
    let (rt, train) = (preprocessing.type_rt, preprocessing.type_train);
    let channels = rt.channels().unwrap_or(3) as usize;
    let of = |numbers: &[f64], channel: usize, default: f64| match numbers {
        [] => default,
        [number] => *number,
        numbers => numbers[channel],
    };
    let mut values = vec![0.0; channels * HEIGHT * WIDTH];
    for (position, pixel) in pixels.chunks(channels).enumerate() {
        let mut pixel: Vec<f64> = pixel.iter().copied().map(f64::from).collect();
        let colour = matches!(train, InputType::Rgb | InputType::Bgr);
        if colour && matches!(rt, InputType::Yuv444 | InputType::Yuv444_128 | InputType::Nv12) {
            pixel = red_green_blue(&pixel, preprocessing.space_and_range).to_vec();
        }
        if train == InputType::Yuv444_128 {
            pixel.iter_mut().for_each(|value| *value -= 128.0);
        }
        let is_red_first = rt != InputType::Bgr;
        if colour && is_red_first != (train == InputType::Rgb) {
            pixel.reverse();
        }
        for (channel, value) in pixel.into_iter().enumerate() {
            let (mean, scale) = (of(&preprocessing.mean, channel, 0.0), of(&preprocessing.scale, channel, 1.0));
            values[channel * HEIGHT * WIDTH + position] = (value - mean) * scale;
        }
    }
    values
}

/// What the network computes of a prepared image, in CHW: 3x3 cells, with zeros around the image.
fn convolved(image: &[f64], channels: usize) -> Vec<f64> {
    let weights = weights(channels);
    let mut sums = Vec::new();
    for (filter, y, x) in
        (0..FILTERS).flat_map(|filter| (0..HEIGHT * WIDTH).map(move |at| (filter, at / WIDTH, at % WIDTH)))
    {
        let mut sum = 0.0;
        for (index, weight) in weights.iter().enumerate().skip(filter * channels * 9).take(channels * 9) {
            let (channel, j, i) = (index / 9 % channels, index / 3 % 3, index % 3);
            let (row, column) = ((y + j).wrapping_sub(1), (x + i).wrapping_sub(1));
            if row < HEIGHT && column < WIDTH {
                sum += f64::from(*weight) * image[(channel * HEIGHT + row) * WIDTH + column];
            }
        }
        sums.push(sum);
    }
    sums
}

/// What reads the input first.
#[derive(Debug, Clone, Copy, PartialEq)]
enum First {
    /// The convolution, which takes the conversion in.
    Convolution,
    /// Something else, which reads the converted image.
    Pool,
    /// Both.
    Two,
}

/// A convolution of 3x3 from the input to 2 channels, for an input of either layout, perhaps behind a pool of one cell.
fn network(layout: Layout, channels: usize, first: First) -> String {
    let weights: Vec<String> = weights(channels).iter().map(|weight| format!("{weight:?}")).collect();
    // `dense` takes nested lists only.
    let nested = |items: &[String], size: usize| -> Vec<String> {
        items.chunks(size).map(|row| format!("[{}]", row.join(", "))).collect()
    };
    let filters = nested(&nested(&nested(&weights, 3), 3), channels);
    let image = format!("tensor<1x{channels}x4x6xf32>");
    let (shape, mut start, mut input) = match layout {
        Layout::Nchw => (image.clone(), String::new(), "%x"),
        Layout::Nhwc => {
            let shape = format!("tensor<1x4x6x{channels}xf32>");
            let text = format!(
                "%t = hfloat.transpose %x {{perm = array<i64: 0, 3, 1, 2>}} : ({shape}) -> {image} loc(\"Transpose_0\")"
            );
            (shape, text, "%t")
        }
    };
    let second = input;
    if first != First::Convolution {
        start += &format!(
            "\n%p = hfloat.max_pool {input} {{kernel_shape = array<i64: 1, 1>, strides = array<i64: 1, 1>,
             pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}} : ({image}) -> {image} loc(\"MaxPool_0\")"
        );
        input = "%p";
    }
    let convolution = |result: &str, input: &str, name: &str| {
        format!(
            "{result} = hfloat.conv {input}, %w {{strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
             dilations = array<i64: 1, 1>}} : ({image}, tensor<2x{channels}x3x3xf32>) -> tensor<1x2x4x6xf32> loc(\"{name}\")"
        )
    };
    let (mut body, mut results) = (convolution("%0", input, "Conv_0"), vec!["%0"]);
    if first == First::Two {
        body += "\n";
        body += &convolution("%1", second, "Conv_1");
        results.push("%1");
    }
    let types = vec!["tensor<1x2x4x6xf32>"; results.len()].join(", ");
    format!(
        "func.func @main(%x: {shape} {{hfloat.name = \"image\"}}) -> ({types}) {{
           {start}
           %w = hfloat.constant dense<[{}]> : tensor<2x{channels}x3x3xf32> loc(\"weight\")
           {body}
           return {} : {types}
         }}",
        filters.join(", "),
        results.join(", ")
    )
}

/// The QDQ form with scales of 1/64 for the input and 1 for the result.
fn quantized<'c>(context: &'c melior::Context, text: &str, preprocessing: &Preprocessing) -> melior::ir::Module<'c> {
    let mut module = hb::frontend::mlir::parse(context, text.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    let threshold = |name: &str| Some(if name.starts_with("Conv") { 127.0 } else { 127.0 / 64.0 });
    hb::quant::assign_thresholds(function, threshold).unwrap();
    hb::pipeline::run(context, &mut module, &on_functions("quant-insert-casts,hfloat-verify")).unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    assign_preprocessing(function, 0, preprocessing);
    module
}

/// The segments and the .hbm of a network, on what a deployed model is given. Both give the same, in one segment of the BPU.
fn outputs(preprocessing: &Preprocessing, first: First, given: &Given) -> Vec<Array> {
    let context = hb::pipeline::context();
    let channels = preprocessing.type_train.channels().unwrap() as usize;
    let mut module = quantized(&context, &network(preprocessing.layout, channels, first), preprocessing);
    hb::pipeline::run(&context, &mut module, "qdq-to-bpu").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    let segments = SegmentedNetwork::new(function).unwrap();
    let found = segments.run(&given.arrays).unwrap().outputs;
    let (hbm, runner) = runner(&context, &mut module);
    assert_eq!(hbm.manifest().segments.len(), 1, "{preprocessing:?}");
    let inputs = &hbm.manifest().inputs;
    for (input, array) in inputs.iter().zip(&given.arrays) {
        let described = (input.element_type, input.dims.as_slice(), input.layout.as_str());
        let is_signed = preprocessing.type_rt == InputType::Yuv444_128;
        let element = if is_signed { ElementType::I8 } else { ElementType::U8 };
        assert_eq!(described, (element, array.shape(), "NHWC"));
        let scales = input.quantization.as_ref().map(|quantization| quantization.scales.as_slice());
        assert_eq!(scales, is_signed.then_some([1.0].as_slice()));
    }
    let described: Vec<_> = inputs.iter().map(|input| (input.name.as_str(), input.strides.as_slice())).collect();
    // Rows of planes begin at multiples of 32 bytes, packed pixels follow one another.
    match preprocessing.type_rt {
        InputType::Nv12 => {
            assert_eq!(described, [("image_y", [128, 32, 1, 1].as_slice()), ("image_uv", &[64, 32, 2, 1])])
        }
        InputType::Gray => assert_eq!(described, [("image", [128, 32, 1, 1].as_slice())]),
        _ => assert_eq!(described, [("image", [72, 18, 3, 1].as_slice())]),
    }
    assert_eq!(runner.run(&given.arrays).unwrap().outputs, found, "hbm, {preprocessing:?}");
    found
}

/// What every output should be, and what is.
fn compared(preprocessing: &Preprocessing, first: First) -> Vec<(f64, f64)> {
    let given = given(preprocessing.type_rt);
    let channels = preprocessing.type_train.channels().unwrap() as usize;
    let expected = convolved(&prepared(&given.pixels, preprocessing), channels);
    let outputs = outputs(preprocessing, first, &given);
    let found = outputs.iter().flat_map(|output| output.values::<f32>().unwrap().to_vec());
    let expected = expected.iter().copied().cycle().zip(found);
    let pairs: Vec<_> = expected.map(|(expected, found)| (expected, f64::from(found))).collect();
    assert!(pairs.iter().any(|pair| (pair.1 - pairs[0].1).abs() > 10.0), "the test shows nothing");
    pairs
}

fn preprocessing(type_rt: InputType, type_train: InputType, layout: Layout) -> Preprocessing {
    let mean = match type_train {
        InputType::Gray => vec![121.0],
        InputType::Yuv444_128 => vec![0.0, -7.0, -31.0],
        _ => vec![128.0, 121.0, 97.0],
    };
    let space_and_range = SpaceAndRange::Regular;
    Preprocessing { type_rt, type_train, space_and_range, resized: false, layout, mean, scale: vec![0.015_625] }
}

/// Where scales are powers of two, means integers and no colours mix, nothing is rounded: the last convolution gives its sums.
#[test]
fn images_give_what_prepared_floats_give() {
    let pairs = [
        (InputType::Rgb, InputType::Rgb),
        (InputType::Rgb, InputType::Bgr),
        (InputType::Bgr, InputType::Rgb),
        (InputType::Bgr, InputType::Bgr),
        (InputType::Yuv444, InputType::Yuv444),
        (InputType::Nv12, InputType::Yuv444),
        (InputType::Yuv444_128, InputType::Yuv444),
        (InputType::Yuv444_128, InputType::Yuv444_128),
        (InputType::Gray, InputType::Gray),
    ];
    for (type_rt, type_train) in pairs {
        for layout in [Layout::Nchw, Layout::Nhwc] {
            for first in [First::Convolution, First::Pool, First::Two] {
                for (expected, found) in compared(&preprocessing(type_rt, type_train, layout), first) {
                    assert_eq!(found, expected, "{type_rt} for {type_train}, {layout:?}, {first:?}");
                }
            }
        }
    }
}

/// The result of colours that mix is within what rounding of weights can make of it, at the border of the image, too.
#[test]
fn colours_and_scales_of_channels_go_into_the_weights() {
    let uneven = Preprocessing {
        scale: vec![0.015_625, 0.02, 0.007],
        mean: vec![],
        ..preprocessing(InputType::Rgb, InputType::Bgr, Layout::Nchw)
    };
    let mut all = vec![uneven];
    for type_train in [InputType::Rgb, InputType::Bgr] {
        for type_rt in [InputType::Yuv444, InputType::Yuv444_128, InputType::Nv12] {
            all.push(preprocessing(type_rt, type_train, Layout::Nchw));
        }
        let space_and_range = SpaceAndRange::Bt601Video;
        all.push(Preprocessing { space_and_range, ..preprocessing(InputType::Nv12, type_train, Layout::Nhwc) });
    }
    for preprocessing in all {
        // The largest weight is 127/64, the largest factor of a colour below 2.1 times the largest scale; weights are rounded to half a
        // 127th of the largest, and multiplied with up to 128. The last convolution gives its sums.
        let scale = preprocessing.scale.iter().fold(0.0f64, |largest, scale| largest.max(*scale));
        let allowed = 27.0 * 0.5 / 127.0 * (127.0 / 64.0 * 2.1 * scale * 2.0) * 128.0;
        let mut most = 0.0f64;
        for (expected, found) in compared(&preprocessing, First::Convolution) {
            most = most.max((found - expected).abs());
        }
        assert!(most <= allowed, "{preprocessing:?}: {most} is more than {allowed}");
        assert!(most <= 1.0, "{preprocessing:?}: {most}");
    }
}

/// The .hbm of segments of the BPU, ready to run.
fn runner(context: &melior::Context, module: &mut melior::ir::Module<'_>) -> (Hbm, Runner) {
    hb::pipeline::run(context, module, "bpu-to-nash").unwrap();
    let origin = Compilation { march: None, model_name: "test".into(), prefix: "test", parameters: &[] };
    let hbm = Hbm::from_bytes(package(context, module.as_operation(), &origin).unwrap()).unwrap();
    let runner = Runner::new(&hbm, &JitLoader, true).unwrap();
    (hbm, runner)
}

/// A feature map of these pixels in the layout of the network, and what the network makes of it.
fn feature_map(layout: Layout, preprocessing: &Preprocessing) -> (Array, Vec<f32>) {
    // As bytes of rgb they are in NHWC.
    let pixels = bytes(HEIGHT * WIDTH * 3);
    let as_rgb = Preprocessing { type_rt: InputType::Rgb, type_train: InputType::Rgb, ..preprocessing.clone() };
    let expected = convolved(&prepared(&pixels, &as_rgb), 3).iter().map(|value| *value as f32).collect();
    let (shape, values): (_, Vec<f32>) = match layout {
        Layout::Nhwc => ([1, HEIGHT, WIDTH, 3], pixels.iter().copied().map(f32::from).collect()),
        Layout::Nchw => {
            let plain = Preprocessing { mean: vec![], scale: vec![], ..as_rgb };
            ([1, 3, HEIGHT, WIDTH], prepared(&pixels, &plain).iter().map(|value| *value as f32).collect())
        }
    };
    (Array::from_values(&shape, &values).unwrap(), expected)
}

/// Where the network quantizes its input the BPU normalizes it, in the one segment that there is.
#[test]
fn feature_maps_are_normalized() {
    for layout in [Layout::Nchw, Layout::Nhwc] {
        let all = preprocessing(InputType::Featuremap, InputType::Featuremap, layout);
        let each_channel = Preprocessing { scale: vec![0.015_625, -0.015_625, 0.015_625], ..all.clone() };
        for (first, preprocessing) in [
            (First::Convolution, all.clone()),
            (First::Pool, all.clone()),
            (First::Two, all.clone()),
            (First::Convolution, each_channel),
        ] {
            let context = hb::pipeline::context();
            let mut module = quantized(&context, &network(layout, 3, first), &preprocessing);
            hb::pipeline::run(&context, &mut module, "qdq-to-bpu").unwrap();
            let function = ir::function_named(module.as_operation(), "main").unwrap();
            let (given, expected) = feature_map(layout, &preprocessing);
            let found = SegmentedNetwork::new(function).unwrap().run(std::slice::from_ref(&given)).unwrap().outputs;
            let (hbm, runner) = runner(&context, &mut module);
            assert_eq!(hbm.manifest().segments.len(), 1, "{preprocessing:?}");
            let inputs = &hbm.manifest().inputs;
            assert_eq!((inputs[0].element_type, inputs[0].layout.as_str()), (ElementType::F32, layout.name()));
            assert_eq!(runner.run(&[given]).unwrap().outputs, found);
            for output in &found {
                assert_eq!(output.values::<f32>().unwrap(), expected, "{preprocessing:?}, {first:?}");
            }
        }
    }
}

/// What reads the feature map in float, here the float engine, reads it normalized on the CPU, beside what the BPU normalizes for itself.
#[test]
fn feature_maps_may_have_readers_of_both_kinds() {
    let preprocessing = preprocessing(InputType::Featuremap, InputType::Featuremap, Layout::Nchw);
    let context = hb::pipeline::context();
    let text = network(Layout::Nchw, 3, First::Convolution)
        .replace("-> (tensor<1x2x4x6xf32>)", "-> (tensor<1x2x4x6xf32>, tensor<1x3x4x6xf32>)")
        .replace("return %0 : tensor<1x2x4x6xf32>", "%r = hfloat.softmax %x {axis = 1 : si64} : (tensor<1x3x4x6xf32>) -> tensor<1x3x4x6xf32> loc(\"Softmax_0\")\n return %0, %r : tensor<1x2x4x6xf32>, tensor<1x3x4x6xf32>");
    let mut module = quantized(&context, &text, &preprocessing);
    hb::pipeline::run(&context, &mut module, "qdq-to-bpu").unwrap();
    let (given, expected) = feature_map(Layout::Nchw, &preprocessing);
    let (hbm, runner) = runner(&context, &mut module);
    assert_eq!(hbm.manifest().segments.len(), 3);
    let found = runner.run(&[given]).unwrap().outputs;
    assert_eq!(found[0].values::<f32>().unwrap(), expected);
    // softmax(x)[c] / softmax(x)[0] = exp(x[c] - x[0]) of the normalized values.
    let image = prepared(
        &bytes(HEIGHT * WIDTH * 3),
        &Preprocessing { type_rt: InputType::Rgb, type_train: InputType::Rgb, ..preprocessing },
    );
    let shares = found[1].values::<f32>().unwrap();
    for at in 0..HEIGHT * WIDTH {
        let ratio = f64::from(shares[HEIGHT * WIDTH + at] / shares[at]);
        let expected = (image[HEIGHT * WIDTH + at] - image[at]).exp();
        assert!((ratio / expected - 1.0).abs() < 1e-5, "{ratio} is not {expected}");
    }
}

/// The convolution of an image, plus a feature map of the same shape as its result.
fn onnx_model() -> model::Model {
    let value = |name: &str, channels: usize| model::Value {
        name: name.into(),
        element: Some(ElementType::F32),
        shape: Some([1, channels, HEIGHT, WIDTH].map(model::Dimension::Fixed).to_vec()),
    };
    let weight = tensor::Tensor::from_f32s(&weights(3)).reshaped(vec![FILTERS, 3, 3, 3]).unwrap();
    model::Model::new(
        9,
        19,
        model::Graph {
            name: "network".into(),
            nodes: vec![
                model::Node::new("Conv_0", "Conv", &["image", "weight"], &["sums"])
                    .with("pads", model::Attribute::Ints(vec![1, 1, 1, 1])),
                model::Node::new("Add_0", "Add", &["sums", "features"], &["total"]),
            ],
            inputs: vec![value("image", 3), value("features", FILTERS)],
            outputs: vec![value("total", FILTERS)],
            initializers: vec![("weight".into(), weight)],
            ..model::Graph::default()
        },
    )
}

/// An image in two planes and a feature map, from files to files: the float sums within what int8 makes of them.
#[test]
fn a_compiled_model_takes_planes_beside_a_feature_map() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    onnx::save(&onnx_model(), &path("model.onnx")).unwrap();
    let preprocessing = Preprocessing {
        space_and_range: SpaceAndRange::Bt601Video,
        scale: vec![0.017, 0.0175, 0.018],
        ..preprocessing(InputType::Nv12, InputType::Bgr, Layout::Nchw)
    };
    let mut given = given(InputType::Nv12);
    let image = prepared(&given.pixels, &preprocessing);
    let features: Vec<f32> =
        (0..FILTERS * HEIGHT * WIDTH).map(|index| (index * 37 % 101) as f32 / 2.0 - 25.0).collect();
    let floats: Vec<f32> = image.iter().map(|value| *value as f32).collect();
    for (name, channels, values) in [("image", 3, &floats), ("features", FILTERS, &features)] {
        std::fs::create_dir(path(name)).unwrap();
        let array = Array::from_values(&[1, channels, HEIGHT, WIDTH], values).unwrap();
        std::fs::write(path(name).join("0.npy"), npy::encode(&array).unwrap()).unwrap();
    }
    let text =
        "model_parameters: {onnx_model: model.onnx, march: nash-e, output_model_file_prefix: m, working_dir: out}
input_parameters:
  input_name: image; features
  input_type_train: bgr; featuremap
  input_type_rt: nv12; featuremap
  input_space_and_range: bt601_video; regular
  input_layout_train: NCHW; NCHW
  norm_type: data_mean_and_scale; no_preprocess
  mean_value: 128 121 97; None
  scale_value: 0.017 0.0175 0.018; None
calibration_parameters: {cal_data_dir: image; features, calibration_type: max}
compiler_parameters: {jobs: 1}
";
    std::fs::write(path("m.yaml"), text).unwrap();
    let configuration = Configuration::read(&path("m.yaml"), &Environment::of_this_machine()).unwrap();
    compile(&configuration, &Stages::all(&Console::new(Verbosity::Quiet))).unwrap();
    let model = open(&path("out/m.hbm"), &OpenOptions { detail: Detail::Races, ..OpenOptions::default() }).unwrap();
    let inputs = model.executor.inputs().iter().map(|input| (input.name.as_str(), input.element_type, input.shape()));
    let expected = [
        ("image_y", ElementType::U8, "1x4x6x1".into()),
        ("image_uv", ElementType::U8, "1x2x3x2".into()),
        ("features", ElementType::F32, "1x2x4x6".into()),
    ];
    assert_eq!(inputs.collect::<Vec<_>>(), expected);
    given.arrays.push(Array::from_values(&[1, FILTERS, HEIGHT, WIDTH], &features).unwrap());
    let found = model.executor.run(&given.arrays).unwrap().outputs.remove(0);
    let expected = convolved(&image, 3).into_iter().zip(&features).map(|(sum, feature)| sum + f64::from(*feature));
    let expected: Vec<f64> = expected.collect();
    let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.values::<f32>().unwrap().iter().zip(&expected) {
        // Three values are rounded to a 127th of their largest, and the weights to a 127th of theirs.
        assert!((f64::from(*found) - expected).abs() <= 0.03 * largest, "{found} is not {expected}");
    }
}

/// An odd size has no nv12, and the planes' names may be taken.
#[test]
fn what_no_image_can_be_is_refused() {
    let refused = |text: &str, preprocessing: &Preprocessing| {
        let context = hb::pipeline::context();
        let mut module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
        assign_preprocessing(ir::function_named(module.as_operation(), "main").unwrap(), 0, preprocessing);
        hb::pipeline::run(&context, &mut module, "qdq-to-bpu").unwrap_err().to_string()
    };
    let identity = |arguments: &str, shape: &str| {
        format!("func.func @main({arguments}) -> tensor<{shape}xf32> {{ return %x : tensor<{shape}xf32> }}")
    };
    let nv12 = preprocessing(InputType::Nv12, InputType::Bgr, Layout::Nchw);
    let odd = identity("%x: tensor<1x3x4x5xf32> {hfloat.name = \"x\"}", "1x3x4x5");
    assert!(refused(&odd, &nv12).contains("nv12 needs an even height and width, and it has 4x5"));
    let taken = "%x: tensor<1x3x4x4xf32> {hfloat.name = \"x\"}, %y: tensor<1xf32> {hfloat.name = \"x_uv\"}";
    assert!(refused(&identity(taken, "1x3x4x4"), &nv12).contains("there are two inputs 'x_uv'"));
}

/// Both levels of a network whose image is what the resizer gives, or the image itself.
fn levels(preprocessing: &Preprocessing) -> (SegmentedNetwork, Hbm, Runner) {
    let context = hb::pipeline::context();
    let channels = preprocessing.type_train.channels().unwrap() as usize;
    let text = network(preprocessing.layout, channels, First::Convolution);
    let mut module = quantized(&context, &text, preprocessing);
    hb::pipeline::run(&context, &mut module, "qdq-to-bpu").unwrap();
    let segments = SegmentedNetwork::new(ir::function_named(module.as_operation(), "main").unwrap()).unwrap();
    let (hbm, runner) = runner(&context, &mut module);
    (segments, hbm, runner)
}

/// The planes of a picture: luma, and chroma of half its size where there is any.
fn picture(chroma: bool, height: usize, width: usize) -> Vec<Array> {
    let plane = |shape: [usize; 4], first: usize| {
        let count: usize = shape.iter().product();
        let values: Vec<u8> =
            (first..first + count).map(|index| (index * 89 + index * index * 7 % 241) as u8).collect();
        Array::from_values(&shape, &values).unwrap()
    };
    let luma = plane([1, height, width, 1], 0);
    if chroma { vec![luma, plane([1, height / 2, width / 2, 2], 5)] } else { vec![luma] }
}

fn region(left: i32, top: i32, right: i32, bottom: i32) -> Array {
    Array::from_values(&[1, 4], &[left, top, right, bottom]).unwrap()
}

/// A part of an NHWC plane.
fn cut(plane: &Array, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> Array {
    let &[_, _, width, channels] = plane.shape() else { panic!("a plane") };
    let values: Vec<u8> = rows
        .clone()
        .flat_map(|row| {
            let start = (row * width + columns.start) * channels;
            plane.as_bytes()[start..start + columns.len() * channels].to_vec()
        })
        .collect();
    Array::from_values(&[1, rows.len(), columns.len(), channels], &values).unwrap()
}

/// A region of the size of the image is that part of the picture, and both levels agree on every other region.
#[test]
fn regions_of_pictures_become_images() {
    for (type_rt, type_train, layout) in [
        (InputType::Nv12, InputType::Bgr, Layout::Nchw),
        (InputType::Nv12, InputType::Yuv444, Layout::Nhwc),
        (InputType::Gray, InputType::Gray, Layout::Nchw),
    ] {
        let plain = preprocessing(type_rt, type_train, layout);
        let (_, _, direct) = levels(&plain);
        let (segments, hbm, runner) = levels(&Preprocessing { resized: true, ..plain });
        let chroma = type_rt == InputType::Nv12;
        let names: Vec<&str> = hbm.manifest().inputs.iter().map(|input| input.name.as_str()).collect();
        let regions: Vec<Option<usize>> = hbm.manifest().inputs.iter().map(|input| input.region).collect();
        match chroma {
            true => {
                assert_eq!((names, regions), (vec!["image_y", "image_uv", "image_roi"], vec![Some(2), Some(2), None]))
            }
            false => assert_eq!((names, regions), (vec!["image", "image_roi"], vec![Some(1), None])),
        }
        assert_eq!(hbm.manifest().segments.len(), 1);
        let shapes = |model: &dyn ModelExecutor| model.inputs().iter().map(|input| input.shape()).collect::<Vec<_>>();
        assert_eq!(shapes(&runner)[0], "1x?x?x1");
        assert_eq!(shapes(&runner), shapes(&segments));
        let run = |picture: &[Array], region: Array| {
            let inputs: Vec<Array> = picture.iter().cloned().chain([region]).collect();
            let found = runner.run(&inputs).map(|outcome| outcome.outputs).map_err(|error| error.to_string());
            let expected = segments.run(&inputs).map(|outcome| outcome.outputs).map_err(|error| error.to_string());
            assert_eq!(found, expected);
            found
        };
        let large = picture(chroma, 10, 14);
        let whole = picture(chroma, HEIGHT, WIDTH);
        let direct = |planes: &[Array]| direct.run(planes).unwrap().outputs;
        assert_eq!(run(&whole, region(0, 0, 6, 4)).unwrap(), direct(&whole));
        let part: Vec<Array> = large
            .iter()
            .zip([1, 2])
            .map(|(plane, block)| cut(plane, 4 / block..8 / block, 2 / block..8 / block))
            .collect();
        assert_eq!(run(&large, region(2, 4, 8, 8)).unwrap(), direct(&part));
        for region in [region(0, 0, 14, 10), region(3, 1, 8, 10), region(13, 9, 14, 10), region(1, 0, 2, 9)] {
            assert_ne!(run(&large, region).unwrap(), direct(&part));
        }
        for (region, reason) in [
            (region(0, 0, 15, 10), "is not inside of the picture, which is 14 wide and 10 high"),
            (region(0, -1, 14, 10), "is not inside of the picture"),
            (region(i32::MIN, 0, i32::MAX, 10), "is not inside of the picture"),
            (region(8, 0, 2, 10), "is empty"),
            (region(0, 3, 14, 3), "is empty"),
        ] {
            let error = run(&large, region).unwrap_err();
            assert!(error.contains("input 'image_roi': the region [") && error.contains(reason), "{error}");
        }
        let wide = picture(chroma, 2, 4098);
        assert!(run(&wide, region(0, 0, 2, 2)).unwrap_err().contains("the largest that the model takes"));
    }
}

/// From files to files: the region is an input of the model that `hb_sim infer` feeds, and hb_compile's own check runs.
#[test]
fn a_compiled_model_takes_a_region_of_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    onnx::save(&onnx_model(), &path("model.onnx")).unwrap();
    for (name, channels) in [("image", 3), ("features", FILTERS)] {
        std::fs::create_dir(path(name)).unwrap();
        let values: Vec<f32> =
            (0..channels * HEIGHT * WIDTH).map(|index| (index * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let array = Array::from_values(&[1, channels, HEIGHT, WIDTH], &values).unwrap();
        std::fs::write(path(name).join("0.npy"), npy::encode(&array).unwrap()).unwrap();
    }
    let text = |source: &str, prefix: &str| {
        format!(
            "model_parameters: {{onnx_model: model.onnx, march: nash-e, output_model_file_prefix: {prefix}, working_dir: out}}
input_parameters:
  input_name: image; features
  input_type_train: bgr; featuremap
  input_type_rt: nv12; featuremap
  input_layout_train: NCHW; NCHW
  norm_type: data_mean_and_scale; no_preprocess
  mean_value: 128 121 97; None
  scale_value: 0.017 0.0175 0.018; None
calibration_parameters: {{cal_data_dir: image; features, calibration_type: max}}
compiler_parameters: {{jobs: 1, input_source: {{image: {source}, features: ddr}}}}
"
        )
    };
    let compiled = |source: &str, prefix: &str| {
        std::fs::write(path("m.yaml"), text(source, prefix)).unwrap();
        let configuration = Configuration::read(&path("m.yaml"), &Environment::of_this_machine()).unwrap();
        compile(&configuration, &Stages::all(&Console::new(Verbosity::Quiet))).unwrap();
        open(&path(&format!("out/{prefix}.hbm")), &OpenOptions { detail: Detail::Races, ..OpenOptions::default() })
            .unwrap()
    };
    let (direct, resized) = (compiled("pyramid", "direct"), compiled("resizer", "resized"));
    let names: Vec<String> =
        resized.executor.inputs().iter().map(|input| format!("{} {}", input.name, input.shape())).collect();
    assert_eq!(names, ["image_y 1x?x?x1", "image_uv 1x?x?x2", "image_roi 1x4", "features 1x2x4x6"]);
    let planes = picture(true, HEIGHT, WIDTH);
    let features = npy::read(&path("features").join("0.npy")).unwrap();
    let expected = direct.executor.run(&[planes[0].clone(), planes[1].clone(), features.clone()]).unwrap().outputs;
    let large = picture(true, 20, 30);
    let whole = [planes[0].clone(), planes[1].clone(), region(0, 0, 6, 4), features.clone()];
    assert_eq!(resized.executor.run(&whole).unwrap().outputs, expected);
    let given = [
        ("image_y", &large[0]),
        ("image_uv", &large[1]),
        ("image_roi", &region(4, 2, 30, 19)),
        ("features", &features),
    ];
    let arguments: Vec<String> = given
        .iter()
        .map(|(name, array)| {
            let file = path(&format!("{name}.npy"));
            std::fs::write(&file, npy::encode(array).unwrap()).unwrap();
            format!("{name}={}", file.display())
        })
        .collect();
    let output_dir = path("results");
    let request = InferRequest { inputs: &arguments, output_dir: &output_dir, jobs: 1 };
    infer(resized.executor.as_ref(), &request).unwrap();
    let found = npy::read(&output_dir.join("total.npy")).unwrap();
    let again: Vec<Array> = given.iter().map(|(_, array)| (*array).clone()).collect();
    assert_eq!(found, resized.executor.run(&again).unwrap().outputs[0]);
    std::fs::write(path("image_roi.npy"), npy::encode(&region(4, 2, 31, 19)).unwrap()).unwrap();
    let error = infer(resized.executor.as_ref(), &request).unwrap_err().to_string();
    assert!(error.contains("input 'image_roi'") && error.contains("30 wide and 20 high"), "{error}");
}

/// The manual gives the resizer nv12 and gray alone; one image at a time.
#[test]
fn what_the_resizer_does_not_give_is_refused() {
    let refused = |shape: &str, type_rt: InputType, type_train: InputType| {
        let context = hb::pipeline::context();
        let text = format!(
            "func.func @main(%x: tensor<{shape}xf32> {{hfloat.name = \"x\"}}) -> tensor<{shape}xf32> {{ return %x : tensor<{shape}xf32> }}"
        );
        let mut module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
        let preprocessing = Preprocessing { resized: true, ..preprocessing(type_rt, type_train, Layout::Nchw) };
        assign_preprocessing(ir::function_named(module.as_operation(), "main").unwrap(), 0, &preprocessing);
        hb::pipeline::run(&context, &mut module, "qdq-to-bpu").unwrap_err().to_string()
    };
    let error = refused("1x3x4x4", InputType::Rgb, InputType::Rgb);
    assert!(error.contains("input 'x': the resizer gives nv12 and gray, not rgb"), "{error}");
    let error = refused("1x3x4x4", InputType::Featuremap, InputType::Featuremap);
    assert!(error.contains("the resizer gives nv12 and gray, not featuremap"), "{error}");
    let error = refused("2x3x4x4", InputType::Nv12, InputType::Bgr);
    assert!(error.contains("the resizer gives one image, and the input takes 2"), "{error}");
}
