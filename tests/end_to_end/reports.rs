//! The table of nodes: every node is compared in one order of elements.

use super::borders::{array, compile_and_run, constant, graph};
use hb::frontend::onnx::model::{Attribute, Graph, Node};
use hb::frontend::onnx::tensor::Tensor;

/// Numbers in [-1, 1] of which neighbours differ, so that another order of elements is another vector.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 41 + i / 7) % 65) as f32 / 32.0 - 1.0).collect()
}

/// Compiles and gives each node with its quantized cosine.
fn cosines(graph: Graph) -> Vec<(String, f64)> {
    let folder = tempfile::tempdir().unwrap();
    let sizes: Vec<Vec<usize>> = graph
        .inputs
        .iter()
        .map(|input| {
            let shape = input.shape.iter().flatten();
            shape
                .map(|size| if let hb::frontend::onnx::model::Dimension::Fixed(size) = size { *size } else { 1 })
                .collect()
        })
        .collect();
    let inputs: Vec<_> = sizes.iter().map(|shape| array(shape, &numbers(shape.iter().product()))).collect();
    compile_and_run(folder.path(), graph, &inputs);
    let csv = std::fs::read_to_string(folder.path().join("out/network_node_info.csv")).unwrap();
    let title = csv.lines().next().unwrap().split(',').position(|title| title == "Quantized Cosine").unwrap();
    let cells = csv.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    cells.map(|cells| (cells[0].to_owned(), cells[title].parse().unwrap())).collect()
}

#[test]
fn rows_of_products() {
    let weight = [("w", constant(&[6, 5], &numbers(30)))];
    for operator in ["MatMul", "Gemm"] {
        let nodes =
            vec![Node::new("product", operator, &["x", "w"], &["p"]), Node::new("relu", "Relu", &["p"], &["y"])];
        for (node, cosine) in cosines(graph(&[("x", &[7, 6])], &weight, nodes, &["y"])) {
            assert!(cosine > 0.99, "{operator}: {node} {cosine}");
        }
    }
}

#[test]
fn last_axes() {
    let weight = [
        ("w", constant(&[3, 2, 1, 1], &numbers(6))),
        ("starts", Tensor::from_i64s(&[1])),
        ("ends", Tensor::from_i64s(&[4])),
        ("axes", Tensor::from_i64s(&[-1])),
    ];
    let nodes = vec![
        Node::new("conv", "Conv", &["x", "w"], &["c"]),
        Node::new("slice", "Slice", &["c", "starts", "ends", "axes"], &["s"]),
        Node::new("join", "Concat", &["s", "c"], &["j"]).with("axis", Attribute::Int(3)),
        Node::new("other_slice", "Slice", &["x", "starts", "ends", "axes"], &["o"]),
        Node::new("other_join", "Concat", &["o", "x"], &["k"]).with("axis", Attribute::Int(3)),
        Node::new("relu", "Relu", &["j"], &["y"]),
        Node::new("sigmoid", "Sigmoid", &["k"], &["z"]),
    ];
    let cosines = cosines(graph(&[("x", &[1, 2, 4, 5])], &weight, nodes, &["y", "z"]));
    assert_eq!(cosines.len(), 7);
    for (node, cosine) in cosines {
        assert!(cosine > 0.99, "{node} {cosine}");
    }
}
