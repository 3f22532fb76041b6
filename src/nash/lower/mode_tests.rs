//! What is made small: more weight on time never gives a slower program, less never one that moves more bytes, and all give the same results.

use proptest::prelude::*;

use super::decide::{Front, Priced};
use super::tests::{data, random_network, run_plan, target};
use super::*;
use crate::bpu::interpreter;
use crate::nash::timing::time;

/// Weights of time, rising.
const FACTORS: [u32; 5] = [0, 25, 50, 75, 100];

/// Cycles of a program, and the bytes that it moves.
fn cost(program: &Program, target: &Target) -> (u64, u64) {
    let bytes = program.instructions.iter().map(|instruction| instruction.operation.cost(target).ddr_bytes).sum();
    (time(program, target).unwrap().cycles(), bytes)
}

/// Checks the law for one segment at a level; `run` sees every plan and gives its program.
fn check_factors(level: Effort, segment: &Segment, target: &Target, run: &dyn Fn(LoweringPlan) -> Lowered<'static>) {
    let mut before: Option<(u64, u64)> = None;
    for latency in FACTORS {
        let plan = assign(segment, target, Objective { latency, ..level.into() }).unwrap();
        let (cycles, bytes) = cost(&run(plan).program, target);
        if let Some((slower, fewer)) = before {
            assert!(cycles <= slower, "{level:?}: {cycles} cycles at {latency}, {slower} with less weight");
            assert!(bytes >= fewer, "{level:?}: {bytes} bytes at {latency}, {fewer} with less weight");
        }
        before = Some((cycles, bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 15, ..ProptestConfig::default() })]

    #[test]
    fn more_weight_on_time_is_never_slower(
        sizes in [2usize..12, 2usize..9], channels in 1usize..12, picks in prop::collection::vec(any::<u16>(), 40),
        length in 2usize..9, memory in 1000u64..20_000, level in prop::sample::select(Effort::ALL.to_vec()),
    ) {
        let segment = random_network(sizes, channels, picks, length);
        let target = target(memory);
        if assign(&segment, &target, level.into()).is_err() {
            return Ok(());
        }
        let inputs = [data(segment.tensor(segment.inputs[0]).unwrap(), 77)];
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let expected = interpreter::run(&segment, &inputs).unwrap();
        check_factors(level, &segment, &target, &|plan| run_plan(&segment, &target, plan, &inputs, &expected).0);
    }
}

#[test]
fn a_stack_of_convolutions_that_does_not_fit_obeys_at_every_level() {
    let segment = super::call_tests::stack();
    let target = Target::named_with_overrides("nash-e", &[("local_memory.bytes", "1048576")]).unwrap();
    let mut last = u64::MAX;
    for level in Effort::ALL {
        check_factors(level, &segment, &target, &|plan| apply(&segment, &target, plan).unwrap());
        let (cycles, _) = cost(&lower(&segment, &target, level.into()).unwrap().program, &target);
        assert!(cycles <= last, "{level:?} takes {cycles} cycles, the level before {last}");
        last = cycles;
    }
}

#[test]
fn bandwidth_does_not_pay_any_time_for_a_few_bytes() {
    let chosen = |transfers: u64| {
        let mut front = Front::default();
        for (cycles, transfers, calls) in [(600_000, transfers, vec![]), (990_000, 1_000, vec![1])] {
            let plan = LoweringPlan { calls, ..LoweringPlan::default() };
            front.add(Priced { plan, cycles, transfers, length: 1 });
        }
        let objective = Objective { latency: 0, ..Effort::O2.into() };
        front.choose(objective).unwrap().calls.len()
    };
    assert_eq!(chosen(1_002), 0, "two cycles of the port are not worth 390000 cycles");
    assert_eq!(chosen(100_000), 1, "a hundredth of the time saved is not worth so many bytes");
}
