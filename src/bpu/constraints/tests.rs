use super::*;
use crate::bpu::interpreter;
use crate::bpu::model::{AveragePool, BpuElement, Convolution, MaxPool, Operator, PadMode, TensorId, TensorScale};

fn tensor(element: BpuElement, shape: &[usize], scale: f64) -> BpuTensor {
    BpuTensor::new("t", shape, element, TensorScale::symmetric(scale))
}

fn i8(shape: &[usize], scale: f64) -> BpuTensor {
    tensor(BpuElement::I8, shape, scale)
}

fn real(shape: &[usize]) -> BpuTensor {
    BpuTensor::new("t", shape, BpuElement::F32, TensorScale::None)
}

fn segment(operator: Operator, operands: Vec<BpuTensor>, output: BpuTensor) -> Segment {
    let mut segment = Segment::default();
    let ids: Vec<TensorId> = operands
        .into_iter()
        .map(|tensor| if tensor.data.is_some() { segment.add_tensor(tensor) } else { segment.add_input(tensor) })
        .collect();
    let output = segment.add_node("n", operator, &ids, output);
    segment.outputs.push(output);
    segment
}

/// What is broken, by the words the sentences begin with or contain; empty when nothing is.
fn broken(operator: Operator, operands: Vec<BpuTensor>, output: BpuTensor) -> Vec<&'static str> {
    let segment = segment(operator, operands, output);
    explain(&segment, &segment.nodes[0], Known::Values).err().unwrap_or_default()
}

fn convolution(w: BpuTensor, output: BpuTensor) -> Vec<&'static str> {
    broken(Operator::Convolution(Convolution::default()), vec![i8(&[1, 1, 1, 2], 0.1), w], output)
}

fn has(sentences: &[&str], words: &str) -> bool {
    sentences.iter().any(|sentence| sentence.contains(words))
}

#[test]
fn good_nodes_break_nothing() {
    let weight = || i8(&[3, 1, 1, 2], 0.1).with_data(vec![1; 6]);
    assert!(convolution(weight(), i8(&[1, 1, 1, 3], 0.2)).is_empty());
    assert!(convolution(weight(), tensor(BpuElement::I32, &[1, 1, 1, 3], 0.1 * 0.1)).is_empty());
    assert!(broken(Operator::Reshape, vec![real(&[4])], real(&[2, 2])).is_empty());
    assert!(broken(Operator::Dequantize, vec![i8(&[4], 1.0)], real(&[4])).is_empty());
}

#[test]
fn convolutions() {
    let y = || i8(&[1, 1, 1, 3], 0.2);
    let w = |data: u8| i8(&[3, 1, 1, 2], 0.1).with_data(vec![data; 6]);
    assert!(has(&convolution(i8(&[3, 1, 1, 2], 0.1), y()), "constant of int8"));
    let wide = tensor(BpuElement::I16, &[3, 1, 1, 2], 0.1).with_data(vec![1; 12]);
    assert!(has(&convolution(wide, y()), "constant of int8"));
    assert!(has(&convolution(w(1), i8(&[1, 1, 1, 3], 1e-30)), "For every output channel"));
    assert!(has(&convolution(w(1), real(&[1, 1, 1, 3])), "Activations are"));
    assert!(has(&convolution(w(1), i8(&[1, 1, 1, 4], 0.2)), "fit the operator"));

    let bias = |value: i32| {
        let data: Vec<u8> = [0, value, 0].iter().flat_map(|value: &i32| value.to_le_bytes()).collect();
        BpuTensor::new("b", [3], BpuElement::I32, TensorScale::None).with_data(data)
    };
    // Two weights of magnitude 128 bound the sum of products by 2 · 128 · 128 = 32768.
    for (value, fits) in [(i32::MAX - 32768, true), (i32::MAX - 32767, false), (i32::MIN, false)] {
        let operands = vec![i8(&[1, 1, 1, 2], 0.1), w(0x80), bias(value)];
        let broken = broken(Operator::Convolution(Convolution::default()), operands, y());
        assert_eq!(has(&broken, "32-bit accumulator"), !fits, "{value}");
        assert_eq!(broken.is_empty(), fits);
    }
}

#[test]
fn matrix_products() {
    let product = |terms: usize, a: BpuElement, b: BpuTensor| {
        broken(Operator::MatMul { clamp: None }, vec![tensor(a, &[2, terms], 0.1), b], i8(&[2, 1], 0.1))
    };
    assert!(product(131_071, BpuElement::I8, i8(&[131_071, 1], 0.1)).is_empty());
    assert!(has(&product(131_072, BpuElement::I8, i8(&[131_072, 1], 0.1)), "32-bit accumulator"));
    assert!(product(131_072, BpuElement::I8, i8(&[131_072, 1], 0.1).with_data(vec![127; 131_072])).is_empty());
    assert!(has(&product(512, BpuElement::I16, i8(&[512, 1], 0.1)), "32-bit accumulator"));
    assert!(product(511, BpuElement::I16, i8(&[511, 1], 0.1)).is_empty());
    assert!(has(&product(1, BpuElement::I16, tensor(BpuElement::I16, &[1, 1], 0.1)), "second operand is int8"));
    assert!(has(&product(1, BpuElement::I8, i8(&[1, 1], 1e20)), "product of the scales"));
}

#[test]
fn elementwise() {
    let sum = |scale| broken(Operator::Add { clamp: None }, vec![i8(&[2], scale), i8(&[2], 1e-30)], i8(&[2], 1.0));
    assert!(sum(1.0).is_empty());
    assert!(has(&sum(1e10), "larger scale of the operands"));
    let requantize = broken(Operator::Requantize { clamp: None }, vec![i8(&[2], 1e-12)], i8(&[2], 1.0));
    assert!(has(&requantize, "scale of the input over"));
    let table = Operator::Lookup { table: Box::new([0; 256]) };
    assert!(has(&broken(table, vec![tensor(BpuElement::I16, &[2], 1.0)], i8(&[2], 1.0)), "are int8"));
    let piece = crate::numerics::Piece { start: i16::MIN, ..Default::default() };
    let curve = Operator::Curve { curve: Box::new(crate::numerics::Curve::new(vec![piece], 0).unwrap()) };
    let wide = || tensor(BpuElement::I16, &[2], 1.0);
    assert!(broken(curve.clone(), vec![wide()], wide()).is_empty());
    assert!(broken(curve.clone(), vec![wide()], i8(&[2], 1.0)).is_empty());
    assert!(has(&broken(curve.clone(), vec![i8(&[2], 1.0)], i8(&[2], 1.0)), "one of the two is int16"));
    assert!(has(&broken(curve, vec![wide()], real(&[2])), "are int8 or int16 with one scale"));
    let channels = TensorScale::PerChannel { axis: 0, scales: vec![1.0, 2.0] };
    let sums = BpuTensor::new("t", [2], BpuElement::I32, channels);
    assert!(broken(Operator::Dequantize, vec![sums.clone()], real(&[2])).is_empty());
    assert!(has(&broken(Operator::Dequantize, vec![sums], i8(&[2], 1.0)), "the result is float32"));
    assert!(has(&broken(Operator::Quantize, vec![i8(&[2], 1.0)], i8(&[2], 1.0)), "The input is float32"));
}

#[test]
fn pools() {
    let average = |size: [usize; 2], pads, scale| {
        let pool = AveragePool { kernel: size, strides: [1, 1], pads, count_include_pad: false, clamp: None };
        let x = i8(&[1, size[0], size[1], 1], scale);
        broken(Operator::AveragePool(pool), vec![x], i8(&[1, 1, 1, 1], 1.0))
    };
    assert!(average([4095, 4096], [0; 4], 1.0).is_empty());
    assert!(has(&average([4096, 4096], [0; 4], 1.0), "sum of a window"));
    assert!(has(&average([4, 4], [0; 4], 2f64.powi(-29)), "the number of cells"));
    let pool = MaxPool { kernel: [1, 1], strides: [2, 2], pads: [1, 1, 0, 0], dilations: [1, 1] };
    let outside = broken(Operator::MaxPool(pool), vec![i8(&[1, 1, 1, 1], 1.0)], i8(&[1, 1, 1, 1], 1.0));
    assert!(has(&outside, "at least one cell"));
}

#[test]
fn movement_and_every_tensor() {
    assert!(has(&broken(Operator::Concat { axis: 0 }, vec![i8(&[1], 1.0)], i8(&[1], 2.0)), "the same single scale"));
    let pad = Operator::Pad { before: vec![0], after: vec![0], mode: PadMode::Constant(300) };
    assert!(has(&broken(pad, vec![i8(&[1], 1.0)], i8(&[1], 1.0)), "fit the operator"));
    assert!(has(&broken(Operator::Reshape, vec![i8(&[1], 1.0)], i8(&[1; 7], 1.0)), "rank of at most 6"));
    let large = [1 << 16, 1 << 16];
    assert!(has(&broken(Operator::Reshape, vec![i8(&large, 1.0)], i8(&large, 1.0)), "at most 2 GiB"));
    assert!(has(&broken(Operator::Reshape, vec![i8(&[0], 1.0)], i8(&[0], 1.0)), "at least one element"));
}

#[test]
fn a_node_that_breaks_nothing_runs() {
    let extremes = [2f64.powi(-32), 2f64.powi(-33), 1.0, 2f64.powi(30), 2f64.powi(31)];
    for (s_x, s_y) in extremes.iter().flat_map(|s_x| extremes.map(|s_y| (*s_x, s_y))) {
        for operator in
            [Operator::Requantize { clamp: None }, Operator::Add { clamp: None }, Operator::Mul { clamp: None }]
        {
            let operands = if operator.op() == Op::Requantize { 1 } else { 2 };
            let segment = segment(operator, vec![i8(&[1], s_x); operands], i8(&[1], s_y));
            let runs = interpreter::run(&segment, &vec![&[5u8][..]; operands]).is_ok();
            assert_eq!(explain(&segment, &segment.nodes[0], Known::Values).is_ok(), runs, "{s_x} {s_y}");
        }
    }
}

#[test]
fn the_documentation_lists_every_operator() {
    let rows = documentation();
    assert_eq!(rows[0].operator, "every operator");
    for sentence in rows.iter().flat_map(|row| &row.sentences) {
        assert!(sentence.ends_with('.') && !sentence.contains("  "), "{sentence}");
    }
    // Every operator has a condition of its own; yields, segments and constants compute nothing.
    assert!(rows.iter().all(|row| !row.sentences.is_empty()));
    assert_eq!(rows.len(), 1 + Op::ALL.len() - 3);
}
