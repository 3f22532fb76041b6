//! Parts are made where they are joined: the same bytes whatever the axis and the operators that make them, and nothing is copied.

use proptest::prelude::*;

use super::tests::{compare, compare_grouped, data, lag, target};
use super::*;
use crate::bpu::model::{Convolution, MaxPool};
use crate::nash::isa::Operation;

/// Branches of different operators from one input, joined along an axis, and read by a convolution, or joined once more with the input.
fn network(sizes: [usize; 3], channels: usize, makers: &[usize], axis: usize, again: bool) -> Segment {
    let mut segment = Segment::default();
    let i8 = |shape: &[usize]| BpuTensor::new("t", shape, BpuElement::I8, TensorScale::symmetric(0.5));
    let shape = [sizes[0], sizes[1], sizes[2], channels];
    let x = segment.add_input(i8(&shape));
    let constant = |segment: &mut Segment, shape: &[usize], seed| {
        let w = BpuTensor::new("w", shape, BpuElement::I8, TensorScale::symmetric(0.02));
        let bytes = data(&w, seed);
        segment.add_tensor(w.with_data(bytes))
    };
    let mut parts = Vec::new();
    for (index, maker) in makers.iter().enumerate() {
        let filters = if axis == 3 { 1 + (index * 7 + channels) % 9 } else { channels };
        let (operator, operands, made) = match maker {
            0 => {
                let w = constant(&mut segment, &[filters, 3, 3, channels], index as u64);
                let convolution = Convolution { pads: [1; 4], ..Convolution::default() };
                (Operator::Convolution(convolution), vec![x, w], [shape[0], shape[1], shape[2], filters])
            }
            1 => (Operator::Add { clamp: None }, vec![x, x], shape),
            2 => {
                let pool = MaxPool { kernel: [3; 2], strides: [1; 2], pads: [1; 4], dilations: [1; 2] };
                (Operator::MaxPool(pool), vec![x], shape)
            }
            3 => {
                let table: Vec<i8> = (0..=255).map(|entry: u8| (entry ^ 0x5a) as i8).collect();
                (Operator::Lookup { table: Box::new(table.try_into().unwrap()) }, vec![x], shape)
            }
            _ => {
                let slice = Operator::Slice { starts: vec![0; 4], steps: vec![1; 4], sizes: shape.to_vec() };
                (slice, vec![x], shape)
            }
        };
        parts.push(segment.add_node("part", operator, &operands, i8(&made)));
    }
    let join = |segment: &mut Segment, parts: &[TensorId]| {
        let mut joined = segment.tensor(parts[0]).unwrap().shape.clone();
        joined[axis] = parts.iter().map(|part| segment.tensor(*part).unwrap().shape[axis]).sum();
        segment.add_node("concat", Operator::Concat { axis }, parts, i8(&joined))
    };
    let mut y = join(&mut segment, &parts);
    if again {
        y = join(&mut segment, &[y, x]);
    }
    let joined = segment.tensor(y).unwrap().shape.clone();
    let w = constant(&mut segment, &[4, 1, 1, joined[3]], 9);
    let made = i8(&[joined[0], joined[1], joined[2], 4]);
    let y = segment.add_node("conv", Operator::Convolution(Convolution::default()), &[y, w], made);
    segment.outputs.push(y);
    segment
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// In local memory and in DDR, alone and with any group.
    #[test]
    fn parts_of_any_axis(
        sizes in [1usize..3, 1usize..7, 1usize..7], channels in 1usize..40, makers in prop::collection::vec(0usize..5, 1..4),
        axis in 0usize..4, again: bool, first in 0usize..6, length in 1usize..6, pieces in 1usize..5, lag in lag(), memory in 3000u64..60_000,
    ) {
        let segment = network(sizes, channels, &makers, axis, again);
        prop_assume!(compare(&segment, memory).is_some());
        let first = first.min(segment.nodes.len() - 1);
        let groups = [NodeGroup { first, end: (first + length).min(segment.nodes.len()), pieces, lag }];
        compare_grouped(&segment, &groups, memory);
    }

    /// Plans are looked at side by side, but what is found does not depend on which is done first: parts that are joined in place lie otherwise in one plan
    /// than in the next.
    #[test]
    fn the_same_plan_in_any_number_of_threads(
        sizes in [1usize..3, 2usize..7, 2usize..7], channels in 1usize..40, makers in prop::collection::vec(0usize..5, 2..5),
        axis in 0usize..4, again: bool, memory in 3000u64..60_000,
    ) {
        let (segment, target) = (network(sizes, channels, &makers, axis, again), target(memory));
        let plan = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| assign(&segment, &target, Effort::O2.into())).ok()
        };
        let alone = plan(1);
        prop_assert!((2..5).all(|threads| plan(threads) == alone));
    }
}

#[test]
fn nothing_is_copied() {
    for axis in 1..4 {
        let segment = network([1, 8, 8], 32, &[0, 2, 3], axis, false);
        let lowered = lower(&segment, &target(1 << 20), Effort::O0.into()).unwrap();
        let copies = lowered.program.instructions.iter().filter(|one| matches!(one.operation, Operation::Copy(_)));
        assert_eq!(copies.count(), 0, "axis {axis}");
    }
}
