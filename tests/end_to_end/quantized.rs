//! Networks that are quantized already, as onnxruntime.quantization made them: no samples, and the integers that onnxruntime computes.

use super::borders::{array, compile_and_run, constant, graph};
use super::types::configuration;
use super::{arrays, common, compile_text, floats, open_model, run};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb::hbm::{Hbm, SegmentBody};
use hb_dialects::ElementType;
use std::path::Path;

/// Compiles a recorded network without calibration data.
fn compiled(folder: &Path, (kind, form): (&str, &str)) -> (common::Case, Vec<Array>) {
    let case = common::cases_of(kind).into_iter().find(|case| case.form == form).unwrap();
    let text = format!(
        "model_parameters:\n  onnx_model: '{}'\n  march: 'nash-e'\n  output_model_file_prefix: 'net'\n  \
         working_dir: '{}'\ninput_parameters:\n  input_name: 'x'\n  input_type_rt: 'featuremap'\n  input_type_train: 'featuremap'\n  \
         input_layout_train: 'NCHW'\n  norm_type: 'no_preprocess'\ncompiler_parameters:\n  optimize_level: 'O2'\n\
         calibration_parameters:\n  calibration_type: 'skip'\n",
        case.model.display(),
        folder.join("out").display(),
    );
    compile_text(folder, &text, 1).unwrap();
    let inputs = case.inputs.iter().map(|(_, array)| arrays::given(array)).collect();
    (case, inputs)
}

/// The outputs of the `.hbm`, which these nodes compute, are at most one step of integers from those of onnxruntime, and most are the same.
fn check_nodes(kind: &str, form: &str, nodes: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (case, inputs) = compiled(folder.path(), (kind, form));
    let output = folder.path().join("out");
    let info: serde_json::Value =
        serde_json::from_slice(&std::fs::read(output.join("net_quant_info.json")).unwrap()).unwrap();
    assert!(info.get("calibration").is_none(), "{form}");
    let values = info["values"].as_object().unwrap();
    for (name, value) in values {
        assert_eq!(value["judged_by"], "network", "{form} {name}");
        assert_eq!(value["type"], "int8", "{form} {name}");
    }
    let run = |name: &str| open_model(&output.join(name)).executor.run(&inputs).unwrap().outputs;
    let found = run("net.hbm");
    assert_eq!(found, run("net_quantized_model.bc"), "{form}");
    for ((output, node), found) in case.outputs.iter().zip(nodes).zip(&found) {
        let (name, expected) = output;
        let scale = values[*node]["scale"].as_f64().unwrap();
        let steps = floats(found).into_iter().zip(expected.to_f32()).map(|(found, expected)| {
            let steps = (f64::from(found) - f64::from(expected)) / scale;
            assert!(
                (steps - steps.round()).abs() < 1e-3,
                "{form} {name}: {found} and {expected} are no integers apart"
            );
            steps.round().abs() as usize
        });
        let steps: Vec<usize> = steps.collect();
        assert_eq!(steps.len(), expected.shape.iter().product::<usize>());
        assert!(steps.iter().all(|steps| *steps <= 1), "{form} {name}: {steps:?}");
        let different = steps.iter().filter(|steps| **steps > 0).count();
        assert!(different * 20 <= steps.len(), "{form} {name}: {different} of {} differ", steps.len());
    }
}

fn check(form: &str) {
    check_nodes("quantized_networks", form, &["add2", "fc"]);
}

/// QLinearConv and QLinearMatMul with a MaxPool of integers between them.
#[test]
fn operators_on_integers() {
    check_nodes("quantized_operators", "uint8", &["product_quant"]);
    check_nodes("quantized_operators", "int8", &["product_quant"]);
}

/// What quantize_dynamic makes compiles as the network that it was made of, and wholly for the BPU.
#[test]
fn integers_whose_scales_follow_from_each_run() {
    let cases = common::cases_of("dynamic_networks");
    let forms: Vec<&str> =
        cases.iter().map(|case| case.form.as_str()).filter(|form| !form.ends_with("_float")).collect();
    assert_eq!(forms.len(), 7);
    for form in forms {
        let folder = tempfile::tempdir().unwrap();
        let (_, inputs) = super::control::compiled(folder.path(), ("dynamic_networks", form));
        let output = folder.path().join("out/net.hbm");
        let found = open_model(&output).executor.run(&inputs).unwrap().outputs;
        let float = cases.iter().find(|case| case.form == format!("{form}_float")).unwrap();
        let cosine = super::cosine(&floats(&found[0]), &float.outputs[0].1.to_f32());
        assert!(cosine > 0.999, "{form}: {cosine}");
        let hbm = Hbm::open(&output).unwrap();
        assert!(hbm.manifest().segments.iter().all(|segment| matches!(segment.body, SegmentBody::Bpu(_))), "{form}");
    }
}

#[test]
fn uint8() {
    check("uint8_asymmetric");
    check("uint8_symmetric");
}

#[test]
fn int8() {
    check("int8_asymmetric");
    check("int8_symmetric");
}

/// One scale for all weights of a layer.
#[test]
fn per_tensor() {
    check("uint8_asymmetric_per_tensor");
    check("int8_asymmetric_per_tensor");
}

/// Activations of 16 bits with zero points, beside weights of 8 and 16: each output is a few steps of symmetric int16 from what onnxruntime computes with the
/// network's integers, one for each rounding on the way, and in `mixed` one of the 8 bits that some values have. Nothing is left for the CPU.
#[test]
fn sixteen_bits_with_zero_points() {
    let cases = common::cases_of("wide_networks");
    assert_eq!(cases.len(), 8);
    for form in cases.iter().map(|case| case.form.as_str()) {
        let folder = tempfile::tempdir().unwrap();
        let (case, inputs) = compiled(folder.path(), ("wide_networks", form));
        let output = folder.path().join("out");
        let hbm = Hbm::open(&output.join("net.hbm")).unwrap();
        assert!(hbm.manifest().segments.iter().all(|segment| matches!(segment.body, SegmentBody::Bpu(_))), "{form}");
        let info: serde_json::Value =
            serde_json::from_slice(&std::fs::read(output.join("net_quant_info.json")).unwrap()).unwrap();
        for (name, value) in info["values"].as_object().unwrap() {
            assert_eq!(value["judged_by"], "network", "{form} {name}");
            assert!(form == "mixed" || value["type"] == "int16", "{form} {name}");
        }
        let found = open_model(&output.join("net.hbm")).executor.run(&inputs).unwrap().outputs;
        for ((name, expected), found) in case.outputs.iter().zip(&found) {
            let expected = expected.to_f32();
            let largest = expected.iter().fold(0f32, |most, value| most.max(value.abs()));
            // The values of 8 bits, and how far x stretches a step of them.
            let narrow =
                [("relu", "conv", 1.01), ("add", "add", 1.01), ("softmax", "softmax", 1.01), ("mul", "conv", 4.0)];
            let tolerance = match narrow.iter().find(|(output, ..)| form == "mixed" && output == name) {
                Some((_, value, steps)) => steps * info["values"][*value]["scale"].as_f64().unwrap() as f32,
                None => 4.0 * largest / 32767.0,
            };
            let furthest = floats(found)
                .into_iter()
                .zip(&expected)
                .map(|(found, value)| (found - value).abs())
                .fold(0.0, f32::max);
            assert!(furthest <= tolerance, "{form} {name}: {furthest} > {tolerance}");
        }
    }
}

/// x, then integers of 16 bits whose zero point is at their lower end: y = -relu(-x), also beyond what they show.
#[test]
fn sixteen_bits_clip_where_the_network_does() {
    let wide = |value: i16| Tensor::new(ElementType::I16, vec![], value.to_le_bytes().to_vec().into()).unwrap();
    let nodes = [
        pair("x", "step", "middle", "a"),
        vec![Node::new("c1", "Conv", &["a", "minus"], &["b"])],
        pair("b", "step", "low", "c"),
        vec![Node::new("moved", "Transpose", &["c"], &["d"]).with("perm", Attribute::Ints(vec![0, 1, 3, 2]))],
        pair("d", "half", "middle", "e"),
        vec![Node::new("c2", "Conv", &["e", "minus"], &["y"])],
    ];
    let step = 4.0 / 32767.0;
    let constants = [
        ("step", constant(&[], &[step])),
        ("half", constant(&[], &[step / 2.0])),
        ("middle", wide(0)),
        ("low", wide(-32768)),
        ("minus", constant(&[1, 1, 1, 1], &[-1.0])),
    ];
    let x: Vec<f32> = (0..16).map(|index| index as f32 / 2.0 - 3.75).collect();
    for asked in ["", "  run_on_cpu: 'c1;c2'\n", "  run_on_cpu: 'c1'\n"] {
        let folder = tempfile::tempdir().unwrap();
        let network = graph(&[("x", &[1, 1, 4, 4])], &constants, nodes.concat(), &["y"]);
        onnx::save(&Model::new(10, 21, network), &folder.path().join("network.onnx")).unwrap();
        compile_text(folder.path(), &configuration(asked, "  calibration_type: skip\n"), 1).unwrap();
        let found = run(&open_model(&folder.path().join("out/network.hbm")), &array(&[1, 1, 4, 4], &x));
        for (position, found) in floats(&found[0]).into_iter().enumerate() {
            // The second integers end at 2.
            let expected = -(-x[position % 4 * 4 + position / 4]).clamp(0.0, 2.0);
            assert!((found - expected).abs() <= 4.0 * step, "{asked}: {found} {expected}");
        }
    }
}

fn integer(value: i8) -> Tensor {
    Tensor::new(ElementType::I8, vec![], vec![value as u8].into()).unwrap()
}

/// QuantizeLinear and DequantizeLinear of the same scale and zero point.
fn pair(from: &str, scale: &str, zero: &str, to: &str) -> Vec<Node> {
    let integers = format!("{to}_q");
    vec![
        Node::new(&format!("{to}_quantize"), "QuantizeLinear", &[from, scale, zero], &[&integers]),
        Node::new(&format!("{to}_dequantize"), "DequantizeLinear", &[&integers, scale, zero], &[to]),
    ]
}

/// x, then integers whose zero point is at their lower end, which is a Relu: of a convolution that negates, and of what reads that.
fn negated() -> Graph {
    let nodes = [
        pair("x", "step", "middle", "a"),
        vec![Node::new("c1", "Conv", &["a", "minus"], &["b"])],
        pair("b", "step", "low", "c"),
        vec![Node::new("c2", "Conv", &["c", "minus"], &["y"])],
    ];
    let constants = [
        ("step", constant(&[], &[4.0 / 127.0])),
        ("middle", integer(0)),
        ("low", integer(-128)),
        ("minus", constant(&[1, 1, 1, 1], &[-1.0])),
    ];
    graph(&[("x", &[1, 1, 4, 4])], &constants, nodes.concat(), &["y"])
}

/// Wherever nodes run and whatever is asked of them, the Relu that is in the integers stays: y = -relu(-x).
#[test]
fn integers_clip_wherever_they_are() {
    let x: Vec<f32> = (0..16).map(|index| index as f32 / 2.0 - 3.75).collect();
    for asked in
        ["", "  run_on_cpu: 'c1;c2'\n", "  node_info: 'c1:int16'\n", "  node_info: {c2: {InputType1: int16}}\n"]
    {
        let folder = tempfile::tempdir().unwrap();
        onnx::save(&Model::new(9, 19, negated()), &folder.path().join("network.onnx")).unwrap();
        compile_text(folder.path(), &configuration(asked, "  calibration_type: skip\n"), 1).unwrap();
        let found = run(&open_model(&folder.path().join("out/network.hbm")), &array(&[1, 1, 4, 4], &x));
        for (found, x) in floats(&found[0]).into_iter().zip(&x) {
            let expected = -(-x).max(0.0);
            // Half a step for each of the two values that are rounded.
            assert!((found - expected).abs() <= 4.0 / 127.0 + 1e-4, "{asked}: {found} {expected}");
        }
    }
}

/// Whether the integers before a node are all that it sees follows from those that the network makes of its result, which stand behind it in
/// the file: a Softmax that ends the network.
#[test]
fn a_softmax_between_integers_ends_the_network() {
    let nodes = [
        pair("x", "step", "middle", "a"),
        vec![Node::new("softmax", "Softmax", &["a"], &["b"])],
        pair("b", "share", "low", "y"),
    ];
    let constants = [
        ("step", constant(&[], &[1.0 / 32.0])),
        ("middle", integer(0)),
        ("share", constant(&[], &[1.0 / 255.0])),
        ("low", integer(-128)),
    ];
    let network = graph(&[("x", &[1, 4])], &constants, nodes.concat(), &["y"]);
    let folder = tempfile::tempdir().unwrap();
    onnx::save(&Model::new(9, 19, network), &folder.path().join("network.onnx")).unwrap();
    compile_text(folder.path(), &configuration("", "  calibration_type: skip\n"), 1).unwrap();
    // 9 is more than the integers show.
    let x = [0.25, -1.5, 9.0, 3.0];
    let found = run(&open_model(&folder.path().join("out/network.hbm")), &array(&[1, 4], &x));
    let clipped = x.map(|x: f32| x.min(127.0 / 32.0).exp());
    let sum: f32 = clipped.iter().sum();
    for (found, exponential) in floats(&found[0]).into_iter().zip(clipped) {
        assert!((found - exponential / sum).abs() <= 1.01 / 255.0, "{found} instead of {}", exponential / sum);
    }
}

/// A second range that ends earlier holds where only what moves elements is between it and the first: y = clip(-x, -2, 2).
#[test]
fn a_second_range_clips_behind_what_moves() {
    let nodes = [
        pair("x", "step", "middle", "a"),
        vec![Node::new("c1", "Conv", &["a", "minus"], &["b"])],
        pair("b", "step", "middle", "c"),
        vec![Node::new("moved", "Transpose", &["c"], &["d"]).with("perm", Attribute::Ints(vec![0, 1, 3, 2]))],
        pair("d", "half", "middle", "e"),
        vec![Node::new("c2", "Conv", &["e", "one"], &["y"])],
    ];
    let constants = [
        ("step", constant(&[], &[4.0 / 127.0])),
        ("half", constant(&[], &[2.0 / 127.0])),
        ("middle", integer(0)),
        ("minus", constant(&[1, 1, 1, 1], &[-1.0])),
        ("one", constant(&[1, 1, 1, 1], &[1.0])),
    ];
    let x: Vec<f32> = (0..16).map(|index| index as f32 / 2.0 - 3.75).collect();
    let folder = tempfile::tempdir().unwrap();
    let found = compile_and_run(
        folder.path(),
        graph(&[("x", &[1, 1, 4, 4])], &constants, nodes.concat(), &["y"]),
        &[array(&[1, 1, 4, 4], &x)],
    );
    for (position, found) in floats(&found[0]).into_iter().enumerate() {
        let expected = (-x[position % 4 * 4 + position / 4]).clamp(-2.0, 2.0);
        assert!((found - expected).abs() <= 6.0 / 127.0 + 1e-4, "{position}: {found} {expected}");
    }
}

/// One scale for each channel, moved by MaxPool as integers, beside a QLinearConv: y = the largest of four, rounded to its channel's scale.
#[test]
fn scales_of_channels_stay_with_integers_that_move() {
    let integers = |values: &[i8]| {
        Tensor::new(
            ElementType::I8,
            vec![values.len()],
            values.iter().map(|value| *value as u8).collect::<Vec<_>>().into(),
        )
        .unwrap()
    };
    let axis = |node: Node| node.with("axis", Attribute::Int(1));
    let nodes = vec![
        axis(Node::new("q", "QuantizeLinear", &["x", "scales", "zeros"], &["a"])),
        Node::new("p", "MaxPool", &["a"], &["b"])
            .with("kernel_shape", Attribute::Ints(vec![2, 2]))
            .with("strides", Attribute::Ints(vec![2, 2])),
        axis(Node::new("d", "DequantizeLinear", &["b", "scales", "zeros"], &["y"])),
        Node::new("q2", "QuantizeLinear", &["x", "one", "zero"], &["e"]),
        Node::new("c", "QLinearConv", &["e", "one", "zero", "w", "one", "zero", "one", "zero"], &["f"]),
        Node::new("d2", "DequantizeLinear", &["f", "one", "zero"], &["z"]),
    ];
    let weights = Tensor::new(ElementType::I8, vec![1, 2, 1, 1], vec![1, 2].into()).unwrap();
    let constants = [
        ("scales", constant(&[2], &[0.25, 2.0])),
        ("zeros", integers(&[0, 0])),
        ("one", constant(&[], &[1.0])),
        ("zero", integer(0)),
        ("w", weights),
    ];
    let x = [-3.0, 1.1, 0.4, -0.2, 7.0, 9.2, -4.0, 8.0];
    let folder = tempfile::tempdir().unwrap();
    let found = compile_and_run(
        folder.path(),
        graph(&[("x", &[1, 2, 2, 2])], &constants, nodes, &["y", "z"]),
        &[array(&[1, 2, 2, 2], &x)],
    );
    // 1.1 / 0.25 rounds to 4, 9.2 / 2 to 5.
    assert_eq!(floats(&found[0]), [1.0, 10.0]);
    // Of -3, 1, 0, 0 and 7, 9, -4, 8.
    assert_eq!(floats(&found[1]), [11.0, 19.0, -8.0, 16.0]);
}

/// A channel of zeros for which the network says a scale that no bias can have: any scale does, so that the layer stays on the BPU.
#[test]
fn a_channel_of_zeros_has_any_scale() {
    let weights = Tensor::new(ElementType::I8, vec![2, 1, 1, 1], vec![64, 0].into()).unwrap();
    let nodes = [
        pair("x", "step", "middle", "a"),
        vec![
            Node::new("w_dequantize", "DequantizeLinear", &["w", "scales", "zeros"], &["weights"])
                .with("axis", Attribute::Int(0)),
            Node::new("c1", "Conv", &["a", "weights", "bias"], &["b"]),
        ],
        pair("b", "step", "middle", "y"),
    ];
    let constants = [
        ("step", constant(&[], &[4.0 / 127.0])),
        ("middle", integer(0)),
        ("w", weights),
        ("scales", constant(&[2], &[1.0 / 64.0, 1e-30])),
        ("zeros", Tensor::new(ElementType::I8, vec![2], vec![0, 0].into()).unwrap()),
        ("bias", constant(&[2], &[0.0, 1.5])),
    ];
    let folder = tempfile::tempdir().unwrap();
    let x = [-3.0, -1.0, 1.0, 3.0];
    let found = compile_and_run(
        folder.path(),
        graph(&[("x", &[1, 1, 2, 2])], &constants, nodes.concat(), &["y"]),
        &[array(&[1, 1, 2, 2], &x)],
    );
    for (found, expected) in floats(&found[0]).into_iter().zip(x.into_iter().chain([1.5; 4])) {
        assert!((found - expected).abs() <= 4.0 / 127.0, "{found} {expected}");
    }
    let info = std::fs::read_to_string(folder.path().join("out/network_node_info.csv")).unwrap();
    assert!(info.lines().any(|line| line.starts_with("c1,") && line.contains("BPU")), "{info}");
}

/// One scale without a dimension and one zero point with one, as onnxruntime takes them, too.
#[test]
fn one_number_has_a_dimension_or_not() {
    let nodes = pair("x", "step", "zero", "y");
    let zero = Tensor::new(ElementType::I8, vec![1], vec![3].into()).unwrap();
    let constants = [("step", constant(&[], &[0.5])), ("zero", zero)];
    let folder = tempfile::tempdir().unwrap();
    let x = [-70.0, 0.2, 1.3, 70.0];
    let found =
        compile_and_run(folder.path(), graph(&[("x", &[1, 4])], &constants, nodes, &["y"]), &[array(&[1, 4], &x)]);
    // (-128 - 3) / 2 and (127 - 3) / 2 at the ends.
    assert_eq!(floats(&found[0]), [-65.5, 0.0, 1.5, 62.0]);
}
