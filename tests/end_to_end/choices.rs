//! Comparisons, truth values, choices, positions of extremes and casts on the float engine: what onnxruntime computes, to the bit.

use super::borders::{array, constant, graph};
use super::types::{configuration, conv};
use super::{arrays, common, compile_text, floats, open_model};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb::hbm::{Hbm, SegmentBody};
use hb_dialects::ElementType;
use std::path::Path;

/// The processors of the segments of a `.hbm`, in order.
fn processors(hbm: &Path) -> Vec<&'static str> {
    let of = |body: &SegmentBody| if matches!(body, SegmentBody::Bpu(_)) { "bpu" } else { "cpu" };
    Hbm::open(hbm).unwrap().manifest().segments.iter().map(|segment| of(&segment.body)).collect()
}

/// Compiles a recorded case without samples; its outputs are those that onnxruntime computed, and the BPU has a part in them.
fn check(case: &common::Case) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<&str> = case.inputs.iter().map(|(name, _)| name.as_str()).collect();
    let each = |value: &str| vec![value; names.len()].join(";");
    let text = format!(
        "model_parameters:\n  onnx_model: '{}'\n  march: 'nash-e'\n  output_model_file_prefix: 'network'\n  working_dir: 'out'\n\
         input_parameters:\n  input_name: '{}'\n  input_type_rt: '{}'\n  input_type_train: '{}'\n  input_layout_train: '{}'\n\
         compiler_parameters:\n  optimize_level: 'O1'\ncalibration_parameters:\n  calibration_type: 'skip'\n",
        case.model.display(),
        names.join(";"),
        each("featuremap"),
        each("featuremap"),
        each("NCHW"),
    );
    compile_text(folder.path(), &text, 1).unwrap();
    let hbm = folder.path().join("out/network.hbm");
    if !processors(&hbm).contains(&"bpu") {
        return Err(format!("{} has no segment of the BPU", case.name()));
    }
    let inputs: Vec<Array> = case.inputs.iter().map(|(_, given)| arrays::given(given)).collect();
    let outputs = open_model(&hbm).executor.run(&inputs).unwrap().outputs;
    let outputs: Vec<common::Array> = outputs.iter().map(arrays::recorded).collect();
    case.compare(&outputs)
}

/// The cases of an operator whose first input that is no condition is f32, and that have dimensions.
fn check_all(operator: &str, least: usize) {
    let cases = common::cases_of(operator);
    let of_reals = |case: &&common::Case| {
        let numbers = case.inputs.iter().filter(|(_, given)| given.element != ElementType::Bool);
        numbers.clone().count() > 0
            && numbers.clone().all(|(_, given)| given.element == ElementType::F32)
            && case.inputs.iter().all(|(_, given)| !given.shape.is_empty())
    };
    let cases: Vec<_> = cases.iter().filter(of_reals).collect();
    assert!(cases.len() >= least, "{operator}: {} cases", cases.len());
    let failures: Vec<String> = cases.into_iter().filter_map(|case| check(case).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Ties, the last of them, dimensions that stay or go; numbers that are none.
#[test]
fn positions_of_extremes() {
    check_all("ArgMax", 15);
    check_all("ArgMin", 15);
}

#[test]
fn comparisons() {
    for operator in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"] {
        check_all(operator, 4);
    }
}

#[test]
fn choices() {
    check_all("Where", 3);
}

/// Compiles a graph with int8 activations and runs it.
fn run(folder: &Path, graph: Graph, inputs: &[Array]) -> Vec<Array> {
    onnx::save(&Model::new(9, 19, graph), &folder.join("network.onnx")).unwrap();
    compile_text(folder, &configuration("", "  calibration_type: skip\n"), 1).unwrap();
    open_model(&folder.join("out/network.hbm")).executor.run(inputs).unwrap().outputs
}

/// The head of a segmentation: a map of scores, made larger, and the best class of each pixel, which leaves the BPU as f32 and becomes int64 on the
/// CPU. The classes are those of the scores that the BPU gives beside.
#[test]
fn the_classes_of_a_segmentation() {
    let sizes = Tensor::new(
        ElementType::F32,
        vec![4],
        [1.0f32, 1.0, 2.0, 2.0].iter().flat_map(|size| size.to_le_bytes()).collect::<Vec<_>>().into(),
    );
    let weights: Vec<f32> = (0..15).map(|index| ((index * 7 % 15) as f32 - 7.0) / 8.0).collect();
    for last in [0, 1] {
        let nodes = vec![
            conv("Conv_0", "x", "w", "a"),
            Node::new("Resize_1", "Resize", &["a", "", "sizes"], &["b"])
                .with("mode", Attribute::String("linear".into())),
            Node::new("ArgMax_2", "ArgMax", &["b"], &["y"])
                .with("axis", Attribute::Int(1))
                .with("keepdims", Attribute::Int(0))
                .with("select_last_index", Attribute::Int(last)),
        ];
        let constants = [("w", constant(&[5, 3, 1, 1], &weights)), ("sizes", sizes.clone().unwrap())];
        let x: Vec<f32> = (0..3 * 36).map(|index| ((index * 29 % 64) as f32 - 32.0) / 32.0).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut network = graph(&[("x", &[1, 3, 6, 6])], &constants, nodes, &["y", "b"]);
        network.outputs[0].element = Some(ElementType::I64);
        let outputs = run(folder.path(), network, &[array(&[1, 3, 6, 6], &x)]);
        assert_eq!(processors(&folder.path().join("out/network.hbm")), ["bpu", "cpu"]);
        assert_eq!((outputs[0].element(), outputs[0].shape()), (ElementType::I64, [1, 12, 12].as_slice()));
        let scores = floats(&outputs[1]);
        for (pixel, found) in outputs[0].values::<i64>().unwrap().iter().enumerate() {
            let of = |class: usize| scores[class * 144 + pixel];
            let best = (0..5).map(of).fold(f32::NEG_INFINITY, f32::max);
            let mut holders = (0..5).filter(|class| of(*class) == best);
            let expected = if last == 1 { holders.next_back() } else { holders.next() };
            assert_eq!(*found, expected.unwrap() as i64, "{pixel}");
        }
    }
}

/// Truth values and casts between operations of the BPU stay there: y = x where x > 0 and not x > 1, else -x, times whether x < 2.
#[test]
fn truth_values_stay_in_their_segment() {
    let nodes = vec![
        conv("Conv_0", "x", "one", "a"),
        Node::new("Greater_1", "Greater", &["a", "zero"], &["above"]),
        Node::new("Greater_2", "Greater", &["a", "unit"], &["far"]),
        Node::new("Not_3", "Not", &["far"], &["near"]),
        Node::new("And_4", "And", &["above", "near"], &["chosen"]),
        Node::new("Neg_5", "Neg", &["a"], &["n"]),
        Node::new("Where_6", "Where", &["chosen", "a", "n"], &["b"]),
        Node::new("Less_7", "Less", &["a", "two"], &["small"]),
        Node::new("Cast_8", "Cast", &["small"], &["f"]).with("to", Attribute::Int(1)),
        Node::new("Mul_9", "Mul", &["b", "f"], &["c"]),
        conv("Conv_10", "c", "one", "y"),
    ];
    let constants = [
        ("one", constant(&[1, 1, 1, 1], &[1.0])),
        ("zero", constant(&[], &[0.0])),
        ("unit", constant(&[], &[1.0])),
        ("two", constant(&[], &[2.0])),
    ];
    // Not near 0, 1 or 2, where a step of int8 decides.
    let x: Vec<f32> = (0..16).map(|index| (index as f32 - 8.0) * 0.4 + 0.2).collect();
    let folder = tempfile::tempdir().unwrap();
    onnx::save(
        &Model::new(9, 19, graph(&[("x", &[1, 1, 4, 4])], &constants, nodes, &["y"])),
        &folder.path().join("network.onnx"),
    )
    .unwrap();
    let data = folder.path().join("samples");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("0.npy"), hb::sim::npy::encode(&array(&[1, 1, 4, 4], &x)).unwrap()).unwrap();
    let lines = format!("  cal_data_dir: '{}'\n  calibration_type: max\n", data.display());
    compile_text(folder.path(), &configuration("", &lines), 1).unwrap();
    let hbm = folder.path().join("out/network.hbm");
    assert_eq!(processors(&hbm), ["bpu"]);
    let outputs = open_model(&hbm).executor.run(&[array(&[1, 1, 4, 4], &x)]).unwrap().outputs;
    for (x, found) in x.iter().zip(floats(&outputs[0])) {
        let chosen = if *x > 0.0 && *x <= 1.0 { *x } else { -x };
        let expected = if *x < 2.0 { chosen } else { 0.0 };
        // A few roundings to steps of 3.2 / 127.
        assert!((found - expected).abs() <= 3.0 * 3.2 / 127.0, "{x}: {found} is {expected}");
    }
}

/// Minus infinity where a score does not count, moved before something on the CPU, or nothing, reads it: no integers show that, so it stays f32.
#[test]
fn what_is_infinite_and_only_moved_stays_f32() {
    let x: Vec<f32> = (0..16).map(|index| ((index * 7 % 16) as f32 - 8.0) * 0.1 + 0.05).collect();
    let score = |index: usize| if x[index] > 0.0 { x[index] } else { f32::NEG_INFINITY };
    let greatest = |indices: &[usize]| indices.iter().map(|index| score(*index)).fold(f32::NEG_INFINITY, f32::max);
    let ints = |values: &[i64]| Attribute::Ints(values.to_vec());
    let turned: Vec<f32> = (0..16).map(|index| score(index % 4 * 4 + index / 4)).collect();
    let rows: Vec<f32> = (0..4).map(|row| greatest(&[row * 4, row * 4 + 1, row * 4 + 2, row * 4 + 3])).collect();
    let squares = [0, 2, 8, 10].map(|first| greatest(&[first, first + 1, first + 4, first + 5]));
    let transpose = Node::new("last", "Transpose", &["s"], &["y"]).with("perm", ints(&[0, 1, 3, 2]));
    let pool =
        Node::new("last", "MaxPool", &["s"], &["y"]).with("kernel_shape", ints(&[2, 2])).with("strides", ints(&[2, 2]));
    for (last, expected) in [
        (transpose, turned),
        (Node::new("last", "Flatten", &["s"], &["y"]), (0..16).map(score).collect()),
        (Node::new("last", "ReduceMax", &["s", "axis"], &["y"]), rows),
        (pool, squares.to_vec()),
    ] {
        let operator = last.operator.clone();
        let nodes = vec![
            conv("Conv_0", "x", "one", "a"),
            Node::new("Greater_1", "Greater", &["a", "zero"], &["counts"]),
            Node::new("Where_2", "Where", &["counts", "a", "nothing"], &["s"]),
            last,
        ];
        let axis = Tensor::new(ElementType::I64, vec![1], 3i64.to_le_bytes().to_vec().into()).unwrap();
        let constants = [
            ("one", constant(&[1, 1, 1, 1], &[1.0])),
            ("zero", constant(&[], &[0.0])),
            ("nothing", constant(&[], &[f32::NEG_INFINITY])),
            ("axis", axis),
        ];
        let folder = tempfile::tempdir().unwrap();
        let network = graph(&[("x", &[1, 1, 4, 4])], &constants, nodes, &["y"]);
        let outputs = run(folder.path(), network, &[array(&[1, 1, 4, 4], &x)]);
        let found = floats(&outputs[0]);
        assert_eq!(found.len(), expected.len(), "{operator}");
        for (found, expected) in found.iter().zip(&expected) {
            // Two roundings to steps of less than 1 / 64.
            assert!(found == expected || (found - expected).abs() < 0.03, "{operator}: {found} is {expected}");
        }
    }
}
