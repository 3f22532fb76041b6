//! What the CPU computes for a sample does not depend on what it computes beside it: each sample of a batch gives the bytes that it gives
//! alone, with any number of threads, whether operators are fused or not (`docs/numerics.md`, section 11).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hb::cpu::{Array, ExecutableOptions, FloatExecutable, KernelCache, Observe};
use hb::frontend::onnx::model::{Attribute, Dimension, Graph, Model, Node, Value};
use hb::frontend::onnx::tensor::Tensor;
use hb::frontend::onnx::{ImportOptions, import};
use hb_dialects::{ElementType, ir};
use std::sync::Arc;

/// Numbers between -1 and 1 whose sums all round.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn tensor(shape: &[usize], seed: u64) -> Tensor {
    let bytes: Vec<u8> = numbers(shape.iter().product(), seed).iter().flat_map(|number| number.to_le_bytes()).collect();
    Tensor::new(ElementType::F32, shape.to_vec(), bytes.into()).unwrap()
}

fn integers(values: &[i64]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(ElementType::I64, vec![values.len()], bytes.into()).unwrap()
}

/// Nodes in a row, each reading what the one before gives, and constants `c0`, `c1`..
struct Network {
    /// Of one sample, without the batch.
    shape: Vec<usize>,
    nodes: Vec<Node>,
    constants: Vec<Tensor>,
}

impl Network {
    fn compile(&self, samples: usize, options: ExecutableOptions) -> FloatExecutable {
        let value = |name: &str, shape: Option<&[usize]>| Value {
            name: name.to_owned(),
            element: Some(ElementType::F32),
            shape: shape.map(|shape| shape.iter().map(|size| Dimension::Fixed(*size)).collect()),
        };
        let graph = Graph {
            name: "graph".to_owned(),
            nodes: self.nodes.clone(),
            inputs: vec![value("x", Some(&[&[samples], self.shape.as_slice()].concat()))],
            outputs: vec![value("y", None)],
            initializers: (0..).map(|n| format!("c{n}")).zip(self.constants.iter().cloned()).collect(),
            ..Graph::default()
        };
        let context = hb_dialects::context();
        let module = import(&context, Model::new(9, 18, graph), &ImportOptions::default()).unwrap();
        let function = ir::function_named(module.as_operation(), "main").unwrap();
        let pass = hb::float::PASSES.iter().find(|pass| pass.argument == "hfloat-infer-shapes").unwrap();
        (pass.run)(function, &hb_dialects::pass::PassOptions::default()).unwrap();
        FloatExecutable::compile(function, options).unwrap()
    }

    /// What the network of as many samples gives for them.
    fn run(&self, executable: &FloatExecutable, samples: &[Vec<f32>]) -> Vec<u8> {
        let shape = [&[samples.len()], self.shape.as_slice()].concat();
        let x = Array::from_values(&shape, &samples.concat()).unwrap();
        executable.run(&[&x]).unwrap()[0].as_bytes().to_vec()
    }
}

/// Every way to run a network of several samples gives what each of them gives alone.
fn check(what: &str, network: &Network) {
    let size = network.shape.iter().product();
    let samples: Vec<Vec<f32>> = (0..8).map(|seed| numbers(size, seed + 100)).collect();
    // Code is made once for all thread counts, and anew for values that are not fused.
    let kernels = Arc::new(KernelCache::default());
    let fused = |single_threaded| ExecutableOptions {
        single_threaded,
        kernels: Some(Arc::clone(&kernels)),
        ..ExecutableOptions::default()
    };
    let observed = || ExecutableOptions { observe: Observe::Everything, quick: true, ..ExecutableOptions::default() };
    let one = network.compile(1, fused(false));
    let alone: Vec<Vec<u8>> = samples.iter().map(|sample| network.run(&one, std::slice::from_ref(sample))).collect();
    for count in [1, 2, 8] {
        for (way, options) in [("threads", fused(false)), ("one thread", fused(true)), ("observed", observed())] {
            let found = network.run(&network.compile(count, options), &samples[..count]);
            assert!(found == alone[..count].concat(), "{what}: {count} samples, {way}");
        }
    }
}

fn network(shape: &[usize], nodes: Vec<Node>, constants: Vec<Tensor>) -> Network {
    Network { shape: shape.to_vec(), nodes, constants }
}

fn ints(values: &[i64]) -> Attribute {
    Attribute::Ints(values.to_vec())
}

#[test]
fn normalizations() {
    for length in [5, 63, 65, 197] {
        for (shape, axis) in [(vec![3, length], 2), (vec![length, 9], 1), (vec![length, 3], 1)] {
            let node = Node::new("n", "Softmax", &["x"], &["y"]).with("axis", Attribute::Int(axis));
            check(&format!("softmax {shape:?} {axis}"), &network(&shape, vec![node], vec![]));
        }
        let node = Node::new("n", "LayerNormalization", &["x", "c0", "c1"], &["y"]);
        let constants = vec![tensor(&[length], 1), tensor(&[length], 2)];
        check(&format!("layer normalization {length}"), &network(&[4, length], vec![node], constants));
        let node = Node::new("n", "InstanceNormalization", &["x", "c0", "c1"], &["y"]);
        let constants = vec![tensor(&[3], 1), tensor(&[3], 2)];
        check(&format!("instance normalization {length}"), &network(&[3, length], vec![node], constants));
    }
}

#[test]
fn reductions() {
    for length in [7, 64, 300] {
        for (shape, axis) in [(vec![4, length], 2), (vec![length, 20], 1), (vec![length, 2], 1), (vec![length], 1)] {
            for operator in ["ReduceMean", "ReduceL2", "ReduceLogSumExp"] {
                // What comes before and behind is fused with it, or not: a product before a sum is still rounded.
                let nodes = vec![
                    Node::new("a", "Mul", &["x", "x"], &["a"]),
                    Node::new("n", operator, &["a", "c0"], &["b"]).with("keepdims", Attribute::Int(0)),
                    Node::new("m", "Mul", &["b", "b"], &["d"]),
                    Node::new("e", "Add", &["d", "b"], &["y"]),
                ];
                let constants = vec![integers(&[axis])];
                check(&format!("{operator} {shape:?} {axis}"), &network(&shape, nodes, constants));
            }
        }
    }
}

#[test]
fn products() {
    for (depth, columns) in [(33, 5), (130, 1), (200, 40)] {
        let node = |operator| Node::new("n", operator, &["x", "c0"], &["y"]);
        let products = vec![node("MatMul")];
        let constants = vec![tensor(&[depth, columns], 1)];
        check(&format!("row {depth} {columns}"), &network(&[depth], products.clone(), constants.clone()));
        check(&format!("rows {depth} {columns}"), &network(&[3, depth], products, constants));
        let turned = node("Gemm").with("transB", Attribute::Int(1));
        check("gemm", &network(&[depth], vec![turned], vec![tensor(&[columns, depth], 2)]));
        // Attention: both operands depend on the sample.
        let nodes = vec![
            Node::new("t", "Transpose", &["x"], &["a"]).with("perm", ints(&[0, 1, 3, 2])),
            Node::new("s", "MatMul", &["x", "a"], &["b"]),
            Node::new("p", "Softmax", &["b"], &["d"]).with("axis", Attribute::Int(-1)),
            Node::new("v", "MatMul", &["d", "x"], &["y"]),
        ];
        check("attention", &network(&[2, columns, depth], nodes, vec![]));
    }
}

#[test]
fn windows() {
    for (groups, kernel, strides) in [(1, 3, 1), (1, 3, 2), (6, 3, 1), (6, 9, 2), (2, 1, 1)] {
        let node = Node::new("n", "Conv", &["x", "c0", "c1"], &["y"])
            .with("group", Attribute::Int(groups))
            .with("strides", ints(&[strides, strides]));
        let constants = vec![tensor(&[6, 6 / groups as usize, kernel, kernel], 1), tensor(&[6], 2)];
        check(&format!("convolution {groups} {kernel} {strides}"), &network(&[6, 13, 14], vec![node], constants));
    }
    for kernel in [3, 9] {
        let node = Node::new("n", "AveragePool", &["x"], &["y"]).with("kernel_shape", ints(&[kernel, kernel]));
        check(&format!("average {kernel}"), &network(&[2, 12, 15], vec![node], vec![]));
    }
    let node = Node::new("n", "GlobalAveragePool", &["x"], &["y"]);
    check("global average", &network(&[5, 12, 15], vec![node], vec![]));
}
