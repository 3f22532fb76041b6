//! Values recorded from onnxruntime and numpy (`tests/data/interpreter/record.py`), arithmetic on paper, and properties.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::bpu::model::{AveragePool, BpuElement, Clamp, Convolution, MaxPool, PadMode, TensorScale};

#[derive(Deserialize)]
struct Case {
    name: String,
    operator: serde_json::Value,
    inputs: Vec<Recorded>,
    output: Recorded,
}

#[derive(Deserialize)]
struct Recorded {
    shape: Vec<usize>,
    element: String,
    scale: serde_json::Value,
    data: Vec<f64>,
}

impl Recorded {
    /// Scales run along the first dimension of an operand with several, unless `axis` says otherwise.
    fn tensor(&self, axis: usize) -> BpuTensor {
        let element = [BpuElement::I8, BpuElement::I16, BpuElement::I32, BpuElement::F32]
            .into_iter()
            .find(|element| element.name() == self.element)
            .unwrap();
        let scale = match &self.scale {
            serde_json::Value::Null => TensorScale::None,
            serde_json::Value::Array(scales) => {
                TensorScale::PerChannel { axis, scales: scales.iter().map(|scale| scale.as_f64().unwrap()).collect() }
            }
            scale => TensorScale::symmetric(scale.as_f64().unwrap()),
        };
        BpuTensor::new("recorded", self.shape.clone(), element, scale)
    }

    fn bytes(&self) -> Vec<u8> {
        let bytes = |value: f64| match self.element.as_str() {
            "f32" => (value as f32).to_le_bytes().to_vec(),
            "i8" => vec![value as i8 as u8],
            "i16" => (value as i16).to_le_bytes().to_vec(),
            _ => (value as i32).to_le_bytes().to_vec(),
        };
        self.data.iter().copied().flat_map(bytes).collect()
    }
}

fn field<T: serde::de::DeserializeOwned + Default>(operator: &serde_json::Value, name: &str) -> T {
    operator.get(name).map_or_else(T::default, |value| serde_json::from_value(value.clone()).unwrap())
}

fn operator_of(json: &serde_json::Value) -> Operator {
    let clamp = field::<Option<[i32; 2]>>(json, "clamp").map(|[low, high]| Clamp { low, high });
    let (strides, pads, dilations) = (field(json, "strides"), field(json, "pads"), field(json, "dilations"));
    let kernel = field(json, "kernel");
    match field::<String>(json, "kind").as_str() {
        "convolution" => {
            Operator::Convolution(Convolution { strides, pads, dilations, group: field(json, "group"), clamp })
        }
        "matmul" => Operator::MatMul { clamp },
        "add" => Operator::Add { clamp },
        "sub" => Operator::Sub { clamp },
        "mul" => Operator::Mul { clamp },
        "p_relu" => Operator::PRelu { clamp },
        "requantize" => Operator::Requantize { clamp },
        "max_pool" => Operator::MaxPool(MaxPool { kernel, strides, pads, dilations }),
        "average_pool" => {
            let count_include_pad = field(json, "count_include_pad");
            Operator::AveragePool(AveragePool { kernel, strides, pads, count_include_pad, clamp })
        }
        "transpose" => Operator::Transpose { permutation: field(json, "permutation") },
        "slice" => {
            Operator::Slice { starts: field(json, "starts"), steps: field(json, "steps"), sizes: field(json, "sizes") }
        }
        "concat" => Operator::Concat { axis: field(json, "axis") },
        "pad" => {
            let mode = match field::<String>(json, "mode").as_str() {
                "constant" => PadMode::Constant(field(json, "value")),
                "reflect" => PadMode::Reflect,
                _ => PadMode::Edge,
            };
            Operator::Pad { before: field(json, "before"), after: field(json, "after"), mode }
        }
        "reshape" => Operator::Reshape,
        "quantize" => Operator::Quantize,
        "dequantize" => Operator::Dequantize,
        other => panic!("no operator {other}"),
    }
}

#[test]
fn recorded_cases_agree_to_the_byte() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/data/interpreter/cases.json")).unwrap();
    assert!(cases.len() > 50);
    for case in cases {
        let operator = operator_of(&case.operator);
        // Weights have their scales along axis 0; the one other operand with several is [rows, channels].
        let axis = usize::from(matches!(operator, Operator::Dequantize));
        let mut segment = Segment::default();
        let ids: Vec<TensorId> = case.inputs.iter().map(|input| segment.add_input(input.tensor(axis))).collect();
        let output = segment.add_node(case.name.as_str(), operator, &ids, case.output.tensor(axis));
        segment.outputs.push(output);
        let inputs: Vec<Vec<u8>> = case.inputs.iter().map(Recorded::bytes).collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let found = run(&segment, &inputs).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(found, [case.output.bytes()], "{}", case.name);
    }
}

fn i8(shape: &[usize], scale: f64) -> BpuTensor {
    BpuTensor::new("t", shape, BpuElement::I8, TensorScale::symmetric(scale))
}

fn single(operator: Operator, operands: Vec<BpuTensor>, output: BpuTensor) -> Segment {
    let mut segment = Segment::default();
    let ids: Vec<TensorId> = operands
        .into_iter()
        .map(|tensor| if tensor.data.is_some() { segment.add_tensor(tensor) } else { segment.add_input(tensor) })
        .collect();
    let output = segment.add_node("node", operator, &ids, output);
    segment.outputs.push(output);
    segment
}

#[test]
fn a_table_is_applied_by_value() {
    let table: Box<[i8; 256]> = Box::new(std::array::from_fn(|index| (127 - index as i32) as i8));
    // Entry q + 128 holds 127 - (q + 128) = -1 - q.
    let segment = single(Operator::Lookup { table }, vec![i8(&[3], 1.0)], i8(&[3], 1.0));
    assert_eq!(run(&segment, &[&[0x80, 0, 127]]).unwrap(), [[127, 0xff, 0x80]]);
}

#[test]
fn a_curve_is_applied_by_piece() {
    // -d up to -1, then d² / 2.
    let piece = |start, quadratic, linear| crate::numerics::Piece { start, quadratic, linear, constant: 0 };
    let curve = crate::numerics::Curve::new(vec![piece(-32768, 0, -2), piece(0, 1, 0)], 1).unwrap();
    let i16 = |shape: &[usize]| BpuTensor::new("t", shape, BpuElement::I16, TensorScale::symmetric(1.0));
    let operator = Operator::Curve { curve: Box::new(curve) };
    let input: Vec<u8> = [-32768i16, -32758, 0, 3, 5, 300].iter().flat_map(|q| q.to_le_bytes()).collect();
    let run = |output: BpuTensor| run(&single(operator.clone(), vec![i16(&[6])], output), &[&input]).unwrap();
    // 4.5 and 12.5 round to even.
    let expected: Vec<u8> = [0i16, -10, 0, 4, 12, 32767].iter().flat_map(|y| y.to_le_bytes()).collect();
    assert_eq!(run(i16(&[6])), [expected]);
    assert_eq!(run(i8(&[6], 1.0)), [[0, 246, 0, 4, 12, 127]]);
}

#[test]
fn nodes_run_in_order_and_are_shown() {
    let mut segment = Segment::default();
    let x = segment.add_input(i8(&[2], 1.0));
    let two = segment.add_tensor(i8(&[1], 1.0).with_data(vec![2]));
    let sum = segment.add_node("sum", Operator::Add { clamp: None }, &[x, two], i8(&[2], 1.0));
    let product = segment.add_node("product", Operator::Mul { clamp: None }, &[sum, two], i8(&[2], 1.0));
    segment.outputs = vec![product, x, two, product];
    let mut seen = Vec::new();
    let outputs = run_with(&segment, &[&[3, 100]], |node, _, bytes| seen.push((node.name.clone(), bytes.to_vec())));
    assert_eq!(outputs.unwrap(), [vec![10, 127], vec![3, 100], vec![2], vec![10, 127]]);
    assert_eq!(seen, [("sum".to_owned(), vec![5, 102]), ("product".to_owned(), vec![10, 127])]);
}

#[test]
fn wrong_arrays_are_errors() {
    let segment = single(Operator::Reshape, vec![i8(&[2], 1.0)], i8(&[2, 1], 1.0));
    assert_eq!(run(&segment, &[]), Err(InterpretError::InputCount { expected: 1, found: 0 }));
    let error = InterpretError::InputSize { name: "t".to_owned(), expected: 2, found: 3 };
    assert_eq!(run(&segment, &[&[1, 2, 3]]), Err(error));
    let malformed = single(Operator::Reshape, vec![i8(&[2], 1.0)], i8(&[3], 1.0));
    assert!(matches!(run(&malformed, &[&[1, 2]]), Err(InterpretError::Model(_))));
}

fn message(segment: &Segment, inputs: &[&[u8]]) -> String {
    run(segment, inputs).unwrap_err().to_string()
}

#[test]
fn undefined_arithmetic_is_an_error() {
    let requantize = single(Operator::Requantize { clamp: None }, vec![i8(&[1], 1e20)], i8(&[1], 1e-20));
    let found = message(&requantize, &[&[1]]);
    assert!(found.starts_with("node `node`") && found.contains("2^-32"), "{found}");

    // 132104 products of 127 by 128 are 2147482624; one more is 2147498880, above 2^31 - 1 = 2147483647.
    for (terms, good) in [(132_104usize, true), (132_105, false)] {
        let x = i8(&[1, 1, 1, terms], 1.0);
        let w = i8(&[1, 1, 1, terms], 1.0).with_data(vec![127; terms]);
        let y = BpuTensor::new("y", [1, 1, 1, 1], BpuElement::I32, TensorScale::symmetric(1.0));
        let segment = single(Operator::Convolution(Convolution::default()), vec![x, w], y);
        let found = run(&segment, &[&vec![0x80; terms]]);
        if good {
            assert_eq!(found.unwrap(), [(-128 * 127 * terms as i32).to_le_bytes().to_vec()]);
        } else {
            assert!(found.unwrap_err().to_string().contains("overflows the 32-bit accumulator"));
        }
    }
}

#[test]
fn hostile_windows_do_not_allocate() {
    let pool = |kernel: [usize; 2], pads: [usize; 4]| {
        let pool = AveragePool { kernel, strides: [1, 1], pads, count_include_pad: true, clamp: None };
        single(Operator::AveragePool(pool), vec![i8(&[1, 1, 1, 1], 1.0)], i8(&[1, 1, 1, 1], 1.0))
    };
    let half = (1 << 23) - 1;
    assert!(message(&pool([2 * half + 1; 2], [half; 4]), &[&[1]]).contains("too large"));
    assert!(message(&pool([usize::MAX; 2], [usize::MAX / 2; 4]), &[&[1]]).contains("node"));
}

proptest! {
    /// Splitting the input channels over groups is a convolution with zeros outside the groups.
    #[test]
    fn groups_are_zeros_elsewhere(x in prop::collection::vec(any::<i8>(), 4 * 4 * 4), w in prop::collection::vec(any::<i8>(), 6 * 2 * 2 * 2)) {
        let x: Vec<u8> = x.into_iter().map(|q| q as u8).collect();
        let w: Vec<u8> = w.into_iter().map(|q| q as u8).collect();
        let mut dense = vec![0u8; 6 * 2 * 2 * 4];
        for (cell, source) in w.chunks(2).enumerate() {
            let group = cell / 4 / 3;
            dense[cell * 4 + group * 2..][..2].copy_from_slice(source);
        }
        let result = |weights: Vec<u8>, depth: usize, group: usize| {
            let convolution = Convolution { group, pads: [1, 0, 0, 1], ..Convolution::default() };
            let y = BpuTensor::new("y", [1, 4, 4, 6], BpuElement::I32, TensorScale::symmetric(1.0));
            let w = i8(&[6, 2, 2, depth], 1.0).with_data(weights);
            run(&single(Operator::Convolution(convolution), vec![i8(&[1, 4, 4, 4], 1.0), w], y), &[&x]).unwrap()
        };
        prop_assert_eq!(result(w, 2, 2), result(dense, 4, 1));
    }

    /// A pointwise convolution is a matrix product.
    #[test]
    fn pointwise_is_a_matrix_product(x in prop::collection::vec(any::<i8>(), 5 * 3), w in prop::collection::vec(any::<i8>(), 4 * 3), s in 0.001f64..0.1) {
        let x: Vec<u8> = x.into_iter().map(|q| q as u8).collect();
        let w: Vec<u8> = w.into_iter().map(|q| q as u8).collect();
        let transposed: Vec<u8> = (0..12).map(|i| w[i % 4 * 3 + i / 4]).collect();
        let convolution = Operator::Convolution(Convolution::default());
        let operands = vec![i8(&[1, 1, 5, 3], s), i8(&[4, 1, 1, 3], 0.1).with_data(w)];
        let left = run(&single(convolution, operands, i8(&[1, 1, 5, 4], 0.2)), &[&x]).unwrap();
        let operands = vec![i8(&[5, 3], s), i8(&[3, 4], 0.1).with_data(transposed)];
        let right = run(&single(Operator::MatMul { clamp: None }, operands, i8(&[5, 4], 0.2)), &[&x]).unwrap();
        prop_assert_eq!(left, right);
    }
}
