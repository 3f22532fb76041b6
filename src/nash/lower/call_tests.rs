//! Programs in function calls: the same bytes, no races, and no call over the limit.

use proptest::prelude::*;

use super::tests::{convolution, data, random_network, run_plan, target};
use super::*;
use crate::bpu::interpreter;
use crate::bpu::model::Convolution;
use crate::nash::calls::{call_spans, uncut};
use crate::nash::isa::Engine;
use crate::nash::timing::time;

/// Input and outputs of a segment.
struct Sample {
    input: Vec<u8>,
    outputs: Vec<Vec<u8>>,
}

impl Sample {
    fn new(segment: &Segment) -> Self {
        let input = data(segment.tensor(segment.inputs[0]).unwrap(), 77);
        let outputs = interpreter::run(segment, &[&input]).unwrap();
        Self { input, outputs }
    }

    /// The program of a plan in function calls that begin at these positions, which computes what the segment does.
    fn run(&self, segment: &Segment, target: &Target, plan: LoweringPlan, calls: Vec<usize>) -> Lowered<'static> {
        run_plan(segment, target, LoweringPlan { calls, ..plan }, &[&self.input], &self.outputs).0
    }
}

/// Cycles of each function call, its start included.
fn calls_of(lowered: &Lowered<'_>, target: &Target) -> Vec<u64> {
    let timing = time(&lowered.program, target).unwrap();
    let is_yield = lowered.program.instructions.iter().map(|instruction| instruction.engine() == Engine::Spu);
    let spans = call_spans(is_yield.zip(timing.spans));
    spans.iter().map(|span| span.end - span.start + target.run_overhead_cycles()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Wherever a program is cut, be it before each of its instructions.
    #[test]
    fn cuts_change_no_byte(
        sizes in [2usize..12, 2usize..9], channels in 1usize..12, picks in prop::collection::vec(any::<u16>(), 40),
        length in 2usize..9, memory in 1000u64..30_000, level in prop::sample::select(Effort::ALL.to_vec()),
        chosen in prop::collection::vec(any::<bool>(), 1..9),
    ) {
        let segment = random_network(sizes, channels, picks, length);
        let target = target(memory);
        let Ok(plan) = assign(&segment, &target, level.into()) else { return Ok(()) };
        let whole = apply(&segment, &target, plan.clone()).unwrap();
        let sample = Sample::new(&segment);
        let all = 1..whole.program.instructions.len();
        let some: Vec<usize> = all.clone().zip(chosen.iter().cycle()).filter(|(_, chosen)| **chosen).map(|(at, _)| at).collect();
        for calls in [all.collect(), some] {
            let number = calls.len() + 1;
            let lowered = sample.run(&segment, &target, plan.clone(), calls);
            prop_assert_eq!(calls_of(&lowered, &target).len(), number);
            // Taking the cuts out again gives a program as good as the first, but for what runs ahead less far.
            if let Some(again) = uncut(&lowered.program) {
                let moved = |program: &Program| program.instructions.iter().map(|one| one.operation.cost(&target).ddr_bytes).sum::<u64>();
                prop_assert!(moved(&again) <= moved(&whole.program));
            }
        }
    }
}

/// Four convolutions of 64 channels at 128 x 128: a megabyte each.
pub(super) fn stack() -> Segment {
    let mut segment = Segment::default();
    let mut x = segment.add_input(BpuTensor::new("x", [1, 128, 128, 64], BpuElement::I8, TensorScale::symmetric(0.5)));
    for index in 0..4 {
        let data: Vec<u8> = (0..64 * 9 * 64).map(|byte| (byte * 7 + index) as u8).collect();
        let w = BpuTensor::new("w", [64, 3, 3, 64], BpuElement::I8, TensorScale::symmetric(0.01)).with_data(data);
        let w = segment.add_tensor(w);
        let attributes = Convolution { pads: [1; 4], ..Convolution::default() };
        let y = BpuTensor::new("y", [1, 128, 128, 64], BpuElement::I8, TensorScale::symmetric(30.0));
        x = segment.add_node(format!("conv{index}"), Operator::Convolution(attributes), &[x, w], y);
    }
    segment.outputs.push(x);
    segment
}

#[test]
fn no_call_is_over_the_limit() {
    let (segment, target) = (stack(), Target::named("nash-e").unwrap());
    let sample = Sample::new(&segment);
    for level in Effort::ALL {
        let whole = lower(&segment, &target, level.into()).unwrap();
        assert_eq!(calls_of(&whole, &target).len(), 1);
        let whole = time(&whole.program, &target).unwrap().cycles();
        // Starting alone takes 50 us, and storing and loading what one layer hands to the next 75.
        for call_us in [180, 300, 100_000] {
            let objective = Objective { call_us, ..level.into() };
            let plan = assign(&segment, &target, objective).unwrap();
            let calls = plan.calls.clone();
            let lowered = sample.run(&segment, &target, plan, calls);
            let calls = calls_of(&lowered, &target);
            assert!(calls.iter().all(|&cycles| cycles <= target.cycles_in(call_us)), "{calls:?} at {call_us} us");
            let cycles = time(&lowered.program, &target).unwrap().cycles();
            let starts = (calls.len() as u64 - 1) * target.run_overhead_cycles();
            assert!(cycles >= whole + starts, "{cycles} cycles in {} calls, {whole} in one", calls.len());
            assert_eq!(calls.len() == 1, whole + target.run_overhead_cycles() <= target.cycles_in(call_us));
            // Nothing more is stored than what lives: at most a result of a layer, once for each cut.
            assert!(lowered.program.workspace <= 4 << 20);
        }
    }
}

#[test]
fn an_instruction_that_is_too_long_is_told() {
    let target = Target::named("nash-e").unwrap();
    // 31 x 31 taps on 64 x 64 cells: 64 blocks of cells, 961 taps, 4 x 2 blocks of channels in one instruction.
    let attributes = Convolution { pads: [15; 4], ..Convolution::default() };
    let segment = convolution(&[1, 64, 64, 64], &[64, 31, 31, 64], attributes);
    let objective = Objective { call_us: 80, ..Effort::O0.into() };
    let error = assign(&segment, &target, objective).unwrap_err();
    assert_eq!(error.node(), Some("conv"));
    let text = error.to_string();
    assert!(text.starts_with("node 'conv' (conv2d): no function call of at most 80 us has room"), "{text}");
}

#[test]
fn cuts_that_are_none_are_refused() {
    let target = target(4096);
    let segment = convolution(&[1, 12, 12, 16], &[16, 3, 3, 16], Convolution::default());
    let good = assign(&segment, &target, Effort::O0.into()).unwrap();
    let length = apply(&segment, &target, good.clone()).unwrap().program.instructions.len();
    for calls in [vec![0], vec![length], vec![2, 2], vec![3, 1]] {
        let error = apply(&segment, &target, LoweringPlan { calls, ..good.clone() }).unwrap_err();
        assert!(error.to_string().contains("its function calls do not cut"), "{error}");
    }
}
