//! Products with a constant matrix with a band: the same bytes, alone and in groups, and maps that do not fit stream.

use proptest::prelude::*;

use super::super::timing::time;
use super::tests::{compare, compare_grouped, data, lag, target};
use super::*;
use crate::bpu::model::Convolution;

/// Each row has `taps` values from a place on that rises with the rows; every fifth row has none.
fn band([rows, columns]: [usize; 2], taps: usize, seed: u64, turned: bool) -> BpuTensor {
    let shape = if turned { [columns, rows] } else { [rows, columns] };
    let tensor = BpuTensor::new("w", shape, BpuElement::I8, TensorScale::symmetric(0.02));
    let mut bytes = data(&tensor, seed);
    for row in 0..rows {
        let start = row * columns / rows;
        for column in 0..columns {
            let at = if turned { column * rows + row } else { row * columns + column };
            if row % 5 == 4 || !(start..start + taps).contains(&column) {
                bytes[at] = 0;
            }
        }
    }
    tensor.with_data(bytes)
}

/// A map that is resized along its columns and rows by products, as a linear interpolation is, then convolved.
fn network([rows, columns, channels]: [usize; 3], [tall, wide]: [usize; 2], taps: usize) -> Segment {
    let mut segment = Segment::default();
    let i8 = |shape: &[usize]| BpuTensor::new("t", shape, BpuElement::I8, TensorScale::symmetric(0.5));
    let matmul = Operator::MatMul { clamp: None };
    let x = segment.add_input(i8(&[1, rows, columns, channels]));
    let flat = segment.add_node("flat", Operator::Reshape, &[x], i8(&[rows, columns, channels]));
    let matrix = segment.add_tensor(band([wide, columns], taps, 1, false));
    let y = segment.add_node("columns", matmul.clone(), &[matrix, flat], i8(&[rows, wide, channels]));
    let flat = segment.add_node("flat_1", Operator::Reshape, &[y], i8(&[1, rows, wide * channels]));
    let matrix = segment.add_tensor(band([tall, rows], taps, 2, false));
    let y = segment.add_node("rows", matmul, &[matrix, flat], i8(&[1, tall, wide * channels]));
    let y = segment.add_node("image", Operator::Reshape, &[y], i8(&[1, tall, wide, channels]));
    let w = BpuTensor::new("w", [3, 3, 3, channels], BpuElement::I8, TensorScale::symmetric(0.02));
    let bytes = data(&w, 3);
    let w = segment.add_tensor(w.with_data(bytes));
    let convolution = Convolution { pads: [1; 4], ..Convolution::default() };
    let y = segment.add_node("conv", Operator::Convolution(convolution), &[y, w], i8(&[1, tall, wide, 3]));
    segment.outputs.push(y);
    segment
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn interpolations(
        sizes in [1usize..12, 1usize..12, 1usize..6], resized in [1usize..20, 1usize..20], taps in 1usize..4,
        first in 0usize..6, length in 1usize..7, pieces in 1usize..7, lag in lag(), memory in 3000u64..30_000,
    ) {
        let segment = network(sizes, resized, taps);
        prop_assume!(compare(&segment, memory).is_some());
        let groups = [NodeGroup { first, end: (first + length).min(6), pieces, lag }];
        compare_grouped(&segment, &groups, memory);
    }

    /// The matrix as the second operand, with int16 before it.
    #[test]
    fn bands_of_columns(
        rows in 1usize..9, shared in 1usize..20, columns in 1usize..20, taps in 1usize..4, batch in 1usize..3, memory in 1000u64..9000,
    ) {
        let mut segment = Segment::default();
        let i16 = |shape: &[usize]| BpuTensor::new("t", shape, BpuElement::I16, TensorScale::symmetric(0.005));
        let x = segment.add_input(i16(&[batch, rows, shared]));
        let matrix = segment.add_tensor(band([columns, shared], taps, 5, true));
        let y = segment.add_node("product", Operator::MatMul { clamp: None }, &[x, matrix], i16(&[batch, rows, columns]));
        segment.outputs.push(y);
        prop_assume!(compare(&segment, memory).is_some());
    }
}

/// Where bytes have a weight, what is loaded and stored is the input, the weights and the output, though the map between has five times the bytes of local memory.
/// Where time alone counts, more may move only for less time.
#[test]
fn a_resized_map_is_never_whole() {
    let segment = network([64, 64, 16], [256, 256], 2);
    let target = target(192 << 10);
    let measured = |latency| {
        let objective = Objective { latency, ..Effort::O1.into() };
        let program = lower(&segment, &target, objective).unwrap().program;
        let bytes = program.instructions.iter().map(|instruction| instruction.operation.cost(&target).ddr_bytes);
        (bytes.sum::<u64>(), time(&program, &target).unwrap().cycles())
    };
    let (input, weights, output) = (64 * 64 * 16, 2 * 256 * 64 + 3 * 9 * 16, 256 * 256 * 3);
    let [fewest, balanced] = [0, 50].map(measured);
    assert!(fewest.0 <= balanced.0 && balanced.0 <= (input + weights + output) * 102 / 100, "{fewest:?} {balanced:?}");
    let fastest = measured(100);
    assert!(fastest.1 < balanced.1 || fastest == balanced, "{fastest:?} {balanced:?}");
}
