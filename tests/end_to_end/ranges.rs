//! Ranges that a wrong scale would lose: beside a pole, and beside a much larger one.

use super::borders::{array, constant, graph};
use super::types::{configuration, conv};
use super::{compile_text, floats, open_model};
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::sim::npy;
use std::path::Path;

/// Compiles a network of an input `x` of this shape with one sample; gives what the .hbm makes of another.
fn run(folder: &Path, graph: &Graph, lines: &str, (shape, sample, input): (&[usize], &[f32], &[f32])) -> Vec<Vec<f32>> {
    onnx::save(&Model::new(9, 19, graph.clone()), &folder.join("network.onnx")).unwrap();
    let data = folder.join("samples");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("0.npy"), npy::encode(&array(shape, sample)).unwrap()).unwrap();
    let lines = format!("  cal_data_dir: '{}'\n{lines}", data.display());
    compile_text(folder, &configuration("", &lines), 1).unwrap();
    let model = open_model(&folder.join("out/network.hbm"));
    model.executor.run(&[array(shape, input)]).unwrap().outputs.iter().map(floats).collect()
}

/// The floor of a front end of speech: what is smaller than 1e-6 becomes 1e-6, and its logarithm -13.8.
#[test]
fn a_logarithm_has_the_floor_that_was_seen() {
    let nodes = vec![
        conv("Conv_0", "x", "w", "a"),
        Node::new("Clip_1", "Clip", &["a", "floor"], &["b"]),
        Node::new("Log_2", "Log", &["b"], &["y"]),
    ];
    let constants = [("w", constant(&[1, 1, 1, 1], &[1.0])), ("floor", constant(&[], &[1e-6]))];
    let shape = [1, 1, 4, 4];
    let graph = graph(&[("x", &shape)], &constants, nodes, &["y"]);
    // A half of it is silence.
    let energy: Vec<f32> = (0..16).map(|index| if index % 2 == 0 { 0.0 } else { index as f32 / 16.0 }).collect();
    let int16 = "  calibration_type: max\n  optimization: 'set_Log_input_int16;set_Log_output_int16'\n";
    for lines in ["  calibration_type: max\n", "  calibration_type: default\n", int16] {
        let folder = tempfile::tempdir().unwrap();
        let outputs = run(folder.path(), &graph, lines, (&shape, &energy, &[0.0; 16]));
        // Within a step of int8, which ends one beyond the largest magnitude.
        let floor = 1e-6f32.ln();
        assert!(
            outputs[0].iter().all(|value| (value - floor).abs() < 1.01 * floor.abs() / 127.0),
            "{lines}: {outputs:?} is {floor}"
        );
    }
}

/// A branch of a thousandth of the other's range, joined with it and read apart again.
#[test]
fn a_small_branch_beside_a_large_one_keeps_its_digits() {
    let apart = Node::new("Split_3", "Split", &["c", "sizes"], &["d", "e"]).with("axis", Attribute::Int(1));
    let nodes = vec![
        conv("Conv_0", "x", "large", "a"),
        conv("Conv_1", "x", "small", "b"),
        Node::new("Concat_2", "Concat", &["a", "b"], &["c"]).with("axis", Attribute::Int(1)),
        apart,
        conv("Conv_4", "d", "one", "y"),
        conv("Conv_5", "e", "one", "z"),
    ];
    let sizes = onnx::tensor::Tensor::new(
        hb_dialects::ElementType::I64,
        vec![2],
        [1i64, 1].iter().flat_map(|size| size.to_le_bytes()).collect::<Vec<_>>().into(),
    );
    let constants = [
        ("large", constant(&[1, 1, 1, 1], &[1000.0])),
        ("small", constant(&[1, 1, 1, 1], &[1.0])),
        ("one", constant(&[1, 1, 1, 1], &[1.0])),
        ("sizes", sizes.unwrap()),
    ];
    let shape = [1, 1, 4, 4];
    let graph = graph(&[("x", &shape)], &constants, nodes, &["y", "z"]);
    let values: Vec<f32> = (0..16).map(|index| (index as f32 - 7.0) / 8.0).collect();
    let folder = tempfile::tempdir().unwrap();
    let outputs = run(folder.path(), &graph, "  calibration_type: max\n", (&shape, &values, &values));
    for (output, factor) in outputs.iter().zip([1000.0, 1.0]) {
        // Four roundings to steps of a 127th of the range, each half a step.
        let most = factor * 2.0 / 127.0;
        assert!(output.iter().zip(&values).all(|(own, x)| (own - factor * x).abs() <= most), "{output:?}");
    }
}

/// Attentions as they are exported: what must not count is far below the rest before a Softmax, which gives 0 for it.
#[test]
fn masks_before_a_softmax_cost_the_others_no_digits() {
    let shape = [1, 4, 4];
    let values: Vec<f32> = (0..16).map(|index| (index * 5 % 16) as f32 / 4.0 - 2.0).collect();
    let is_hidden = |index: usize| index % 4 > index / 4;
    let number = |hidden: f32, shown: f32| -> Vec<f32> {
        (0..16).map(|index| if is_hidden(index) { hidden } else { shown }).collect()
    };
    // On paper: each row up to its diagonal.
    let expected: Vec<f32> = (0..16)
        .map(|index| {
            let row = index / 4 * 4;
            let sum: f32 = values[row..=row + index / 4].iter().map(|value| value.exp()).sum();
            if is_hidden(index) { 0.0 } else { values[index].exp() / sum }
        })
        .collect();
    for hidden in [-1e4, -65504.0, -1e9, f32::MIN, f32::NEG_INFINITY] {
        let shown = onnx::tensor::Tensor::new(
            hb_dialects::ElementType::Bool,
            shape.to_vec(),
            (0..16).map(|index| u8::from(!is_hidden(index))).collect::<Vec<_>>().into(),
        );
        let masks = [
            (Node::new("Mask_0", "Add", &["x", "m"], &["s"]), constant(&shape, &number(hidden, 0.0))),
            (Node::new("Mask_0", "Sub", &["x", "m"], &["s"]), constant(&shape, &number(-hidden, 0.0))),
            (Node::new("Mask_0", "Where", &["shown", "x", "m"], &["s"]), constant(&[], &[hidden])),
        ];
        for (mask, constant) in masks {
            let kind = mask.operator.clone();
            let nodes = vec![mask, Node::new("Softmax_1", "Softmax", &["s"], &["y"])];
            let constants = [("m", constant), ("shown", shown.clone().unwrap())];
            let graph = graph(&[("x", &shape)], &constants, nodes, &["y"]);
            let folder = tempfile::tempdir().unwrap();
            let found = run(folder.path(), &graph, "  calibration_type: max\n", (&shape, &values, &values));
            // Half a step of a range from 16 below the least of the rows' largest to 1.75, and half a step of the input's, in the exponent.
            for (found, expected) in found[0].iter().zip(&expected) {
                let most = 0.5 * (20.0 / 127.0 + 2.0 / 127.0);
                assert!((found - expected).abs() <= expected * most + 1e-5, "{kind} {hidden}: {found} is {expected}");
            }
        }
    }
}

/// What stands between a mask and its Softmax: its kind, the nodes from `s` to `t`, and what they make of the number at a place.
type Way<'w> = (&'w str, Vec<Node>, &'w dyn Fn(usize, f32) -> f32);
/// Whether two places are in one row of a Softmax.
type Together<'w> = &'w dyn Fn(usize, usize) -> bool;

/// What stands between a mask and its Softmax: what moves elements, another sum, a factor, a Clip; and a second Softmax along another axis.
#[test]
fn masks_are_followed_to_their_softmax() {
    let shape = [1, 4, 4];
    let values: Vec<f32> = (0..16).map(|index| (index * 5 % 16) as f32 / 4.0 - 2.0).collect();
    let bias: Vec<f32> = (0..16).map(|index| (index * 3 % 7) as f32 / 4.0 - 1.0).collect();
    let is_hidden = |index: usize| index % 4 > index / 4;
    let sizes = |sizes: &[i64]| {
        let bytes = sizes.iter().flat_map(|size| size.to_le_bytes()).collect::<Vec<_>>();
        onnx::tensor::Tensor::new(hb_dialects::ElementType::I64, vec![sizes.len()], bytes.into()).unwrap()
    };
    let turned = |name: &str, from: &str, to: &str| {
        Node::new(name, "Transpose", &[from], &[to]).with("perm", Attribute::Ints(vec![0, 2, 1]))
    };
    let softmax = |from: &str, to: &str, axis: i64| {
        Node::new(&format!("Softmax_{to}"), "Softmax", &[from], &[to]).with("axis", Attribute::Int(axis))
    };
    let same = |_: usize, value: f32| value;
    let plus = |index: usize, value: f32| value + bias[index];
    let half = |_: usize, value: f32| value * 0.5;
    let ways: [Way<'_>; 5] = [
        (
            "Reshape",
            vec![
                Node::new("Reshape_1", "Reshape", &["s", "rows"], &["r"]),
                Node::new("Reshape_2", "Reshape", &["r", "whole"], &["t"]),
            ],
            &same,
        ),
        ("Transpose", vec![turned("Transpose_1", "s", "r"), turned("Transpose_2", "r", "t")], &same),
        ("Add", vec![Node::new("Add_1", "Add", &["s", "bias"], &["t"])], &plus),
        ("Mul", vec![Node::new("Mul_1", "Mul", &["s", "half"], &["t"])], &half),
        ("Clip", vec![Node::new("Clip_1", "Clip", &["s", "low", "high"], &["t"])], &same),
    ];
    for hidden in [-1e4, -65504.0, f32::MIN] {
        let mask: Vec<f32> = (0..16).map(|index| if is_hidden(index) { hidden } else { 0.0 }).collect();
        for (kind, way, change) in &ways {
            let mut nodes = vec![Node::new("Mask_0", "Add", &["x", "m"], &["s"])];
            nodes.extend(way.iter().cloned());
            nodes.extend([softmax("t", "y", 2), softmax("t", "z", 1)]);
            let constants = [
                ("m", constant(&shape, &mask)),
                ("bias", constant(&shape, &bias)),
                ("half", constant(&[], &[0.5])),
                ("low", constant(&[], &[-1e9])),
                ("high", constant(&[], &[1e9])),
                ("rows", sizes(&[4, 4])),
                ("whole", sizes(&[1, 4, 4])),
            ];
            let graph = graph(&[("x", &shape)], &constants, nodes, &["y", "z"]);
            let folder = tempfile::tempdir().unwrap();
            let found = run(folder.path(), &graph, "  calibration_type: max\n", (&shape, &values, &values));
            let exponential = |index: usize| if is_hidden(index) { 0.0 } else { change(index, values[index]).exp() };
            let in_row = |index: usize, other: usize| index / 4 == other / 4;
            let in_column = |index: usize, other: usize| index % 4 == other % 4;
            let both: [(&[f32], Together<'_>); 2] = [(&found[0], &in_row), (&found[1], &in_column)];
            for (found, together) in both {
                for (index, found) in found.iter().enumerate() {
                    let sum: f32 = (0..16).filter(|other| together(index, *other)).map(exponential).sum();
                    let expected = exponential(index) / sum;
                    // Two ranges of less than 30 in 127 steps, one of 2: half a step of each, of the number and of the sum.
                    let most = (30.0 + 30.0 + 2.0) / 127.0;
                    assert!(
                        (found - expected).abs() <= expected * most + 1e-5,
                        "{kind} {hidden}: {found} is {expected}"
                    );
                }
            }
        }
    }
}
