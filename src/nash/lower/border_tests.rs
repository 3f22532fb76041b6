//! Networks between the user's order of dimensions and the machine's: the rows of inputs and outputs are boxes, and nothing passes DDR twice.

use proptest::prelude::*;

use super::tests::{compare_grouped, data, lag, target};
use super::*;
use crate::bpu::model::Convolution;

/// f32 in NCHW, integers in NHWC between `before` and `after` elementwise operators on each side of the transpositions, a convolution with a
/// 3x3 kernel, and back.
fn network([batch, channels, rows, columns]: [usize; 4], filters: usize, [before, after]: [bool; 2]) -> Segment {
    let mut segment = Segment::default();
    let i8 = |shape: &[usize]| BpuTensor::new("t", shape, BpuElement::I8, TensorScale::symmetric(0.5));
    let f32 = |shape: &[usize]| BpuTensor::new("t", shape, BpuElement::F32, TensorScale::None);
    let x = segment.add_input(f32(&[batch, channels, rows, columns]));
    let turned = Operator::Transpose { permutation: vec![0, 2, 3, 1] };
    let back = Operator::Transpose { permutation: vec![0, 3, 1, 2] };
    let (nchw, nhwc) = ([batch, channels, rows, columns], [batch, rows, columns, channels]);
    let x = if before {
        let q = segment.add_node("quantize", Operator::Quantize, &[x], i8(&nchw));
        segment.add_node("transpose", turned, &[q], i8(&nhwc))
    } else {
        let t = segment.add_node("transpose", turned, &[x], f32(&nhwc));
        segment.add_node("quantize", Operator::Quantize, &[t], i8(&nhwc))
    };
    let mut w = BpuTensor::new("w", [filters, 3, 3, channels], BpuElement::I8, TensorScale::symmetric(0.02));
    w.data = Some(data(&w, 3).into());
    let w = segment.add_tensor(w);
    let (nhwc, nchw) = ([batch, rows, columns, filters], [batch, filters, rows, columns]);
    let convolution = Convolution { pads: [1; 4], ..Convolution::default() };
    let y = segment.add_node("conv", Operator::Convolution(convolution), &[x, w], i8(&nhwc));
    let y = if after {
        let t = segment.add_node("transpose_1", back, &[y], i8(&nchw));
        segment.add_node("dequantize", Operator::Dequantize, &[t], f32(&nchw))
    } else {
        let d = segment.add_node("dequantize", Operator::Dequantize, &[y], f32(&nhwc));
        segment.add_node("transpose_1", back, &[d], f32(&nchw))
    };
    segment.outputs.push(y);
    segment
}

/// As [`network`], with a softmax over channels in NCHW behind it, on the dimensions that have more than one index.
fn with_softmax(sizes: [usize; 4], filters: usize, order: [bool; 2], again: bool) -> Segment {
    let mut segment = network(sizes, filters, order);
    let f32 = |shape: &[usize]| BpuTensor::new("t", shape, BpuElement::F32, TensorScale::None);
    let y = segment.outputs.remove(0);
    let whole = segment.tensor(y).unwrap().shape.clone();
    let squeezed: Vec<usize> = whole.iter().copied().filter(|&size| size > 1).collect();
    let channels = squeezed.iter().position(|&size| size == filters).unwrap();
    let lines = [
        "%0 = load 0",
        "%1 = reduce_maximum %0",
        "%2 = subtract %0 %1",
        "%3 = exp %2",
        "%4 = reduce_sum %3",
        "%5 = divide %3 %4",
    ];
    let program = Box::new(crate::numerics::VectorProgram::parse(lines).unwrap());
    let y = segment.add_node("squeeze", Operator::Reshape, &[y], f32(&squeezed));
    let softmax = Operator::Vector { axes: vec![channels], program };
    let mut y = segment.add_node("softmax", softmax, &[y], f32(&squeezed));
    if again {
        // A reader that needs its rows outermost.
        let starts = vec![0; squeezed.len()];
        let slice = Operator::Slice { starts, steps: vec![1; squeezed.len()], sizes: squeezed.clone() };
        y = segment.add_node("slice", slice, &[y], f32(&squeezed));
    }
    let y = segment.add_node("unsqueeze", Operator::Reshape, &[y], f32(&whole));
    segment.outputs.push(y);
    segment
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn softmax_over_channels_in_groups(
        sizes in [1usize..3, 1usize..6, 1usize..12, 1usize..9], filters in 13usize..17, order in any::<[bool; 2]>(), again: bool,
        first in 0usize..8, length in 1usize..9, pieces in 1usize..7, lag in lag(), memory in 8000u64..30_000,
    ) {
        let segment = with_softmax(sizes, filters, order, again);
        let groups = [NodeGroup { first, end: (first + length).min(segment.nodes.len()), pieces, lag }];
        compare_grouped(&segment, &groups, memory);
    }

    /// Whatever part of it is a group, in whatever number of stripes: the same bytes, and no races.
    #[test]
    fn borders_in_groups(
        sizes in [1usize..3, 1usize..6, 1usize..12, 1usize..9], filters in 1usize..6, order in any::<[bool; 2]>(), first in 0usize..5,
        length in 1usize..6, pieces in 1usize..7, lag in lag(), memory in 3000u64..30_000,
    ) {
        let segment = network(sizes, filters, order);
        let groups = [NodeGroup { first, end: (first + length).min(5), pieces, lag }];
        compare_grouped(&segment, &groups, memory);
    }
}

/// Maps that are larger than local memory: what is loaded and stored is the input, the weights and the output.
#[test]
fn nothing_passes_ddr_twice() {
    for (order, softmax) in [[true, true], [false, true], [true, false], [false, false]]
        .into_iter()
        .flat_map(|order| [(order, false), (order, true)])
    {
        let segment =
            if softmax { with_softmax([1, 4, 64, 64], 32, order, false) } else { network([1, 4, 64, 64], 32, order) };
        // Windows of f32 take room.
        let target = target(if softmax { 200_000 } else { 100_000 });
        let lowered = lower(&segment, &target, Effort::O1.into()).unwrap();
        let moved: u64 =
            lowered.program.instructions.iter().map(|instruction| instruction.operation.cost(&target).ddr_bytes).sum();
        let (input, weights, output) = (4 * 64 * 64 * 4, 32 * 9 * 4, 32 * 64 * 64 * 4);
        assert!(moved <= (input + weights + output) * 101 / 100, "{order:?} {softmax}: {moved} bytes");
    }
}
