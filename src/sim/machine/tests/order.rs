//! Races, deadlocks and time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const BLOCK: u32 = 64;

fn bytes(count: u32) -> [u32; RANK] {
    [1, 1, 1, 1, 1, count]
}

fn at(address: u32) -> View {
    View::new(address, [0, 0, 0, 0, 0, 1])
}

fn ddr(region: MemoryRegion, offset: u64) -> DdrView {
    DdrView { region, offset, strides: [0, 0, 0, 0, 0, 1] }
}

fn load(region: MemoryRegion, offset: u64, address: u32, count: u32) -> Load {
    Load { shape: bytes(count), element_bytes: 1, source: ddr(region, offset), destination: at(address) }
}

fn store(address: u32, region: MemoryRegion, offset: u64, count: u32) -> Store {
    Store { shape: bytes(count), element_bytes: 1, source: at(address), destination: ddr(region, offset) }
}

fn negate(from: u32, to: u32) -> Requantize {
    Requantize {
        zero_points: [0; 2],
        shape: bytes(BLOCK),
        input_element: BpuElement::I8,
        output_element: BpuElement::I8,
        mantissa: 1 << 30,
        shift: 30,
        clamp: Clamp { low: 0, high: 127 },
        input: at(from),
        output: at(to),
    }
}

/// Blocks of the input go through L1M with two buffers on either side of the vector engine.
fn double_buffered(blocks: u32) -> Program {
    let mut instructions = Vec::new();
    for block in 0..blocks {
        let (side, offset) = (block % 2, u64::from(block * BLOCK));
        // The buffers are free when the block before the last one has left them.
        let free = |engine, ahead: u32| if block >= 2 { vec![(engine, block + 1 - ahead)] } else { vec![] };
        instructions
            .push(instruction(load(MemoryRegion::Input(0), offset, side * BLOCK, BLOCK), &free(Engine::Vae, 2)));
        let mut waits = vec![(Engine::Load, block + 1)];
        waits.extend(free(Engine::Store, 2));
        instructions.push(instruction(negate(side * BLOCK, (2 + side) * BLOCK), &waits));
        let out = store((2 + side) * BLOCK, MemoryRegion::Output(0), offset, BLOCK);
        instructions.push(instruction(out, &[(Engine::Vae, block + 1)]));
    }
    let size = vec![u64::from(blocks * BLOCK)];
    Program { inputs: size.clone(), outputs: size, instructions, names: vec!["Relu_7".into()], ..Program::default() }
}

#[test]
fn double_buffering_is_free_of_races_and_right() {
    let (program, target) = (double_buffered(7), target());
    let machine = Machine::new(&program, &target).unwrap();
    machine.check_races().unwrap();
    let input: Vec<u8> = (0..7 * BLOCK).map(|i| (i * 37) as u8).collect();
    let expected: Vec<u8> = input.iter().map(|byte| (*byte as i8).max(0) as u8).collect();
    assert_eq!(machine.run(&[&input], &[]).unwrap(), [expected]);
}

#[test]
fn every_wait_of_double_buffering_is_needed() {
    let (program, target) = (double_buffered(4), target());
    for (position, instruction) in program.instructions.iter().enumerate() {
        for index in 0..instruction.waits.len() {
            let mut broken = program.clone();
            let wait = broken.instructions[position].waits.remove(index);
            match Machine::new(&broken, &target).unwrap().check_races() {
                Err(SimError::Race { first, second, start, end, .. }) => {
                    let found = BTreeSet::from([first.position, second.position]);
                    assert!(found.contains(&position), "{wait:?} of {position}: {found:?}");
                    assert_eq!((end - start, start % u64::from(BLOCK)), (u64::from(BLOCK), 0));
                }
                other => panic!("{wait:?} of {position}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_race_is_told_in_full() {
    let mut program = double_buffered(1);
    program.instructions[1].waits.clear();
    let message = Machine::new(&program, &target()).unwrap().check_races().unwrap_err().to_string();
    assert_eq!(
        message,
        "race on bytes 0x0 to 0x40 of l1m: instruction 0 (load.copy, load#1, of Relu_7) writes them and \
         instruction 1 (vae.requantize, vae#1, of Relu_7) reads them, and no wait orders the two"
    );
}

#[test]
fn reading_what_nobody_wrote_is_told() {
    let program = program(vec![instruction(negate(0, BLOCK), &[])]);
    let message = Machine::new(&program, &target()).unwrap().check_races().unwrap_err().to_string();
    assert_eq!(
        message,
        "instruction 0 (vae.requantize, vae#1, of node) reads bytes 0x0 to 0x40 of l1m, which nothing wrote"
    );
}

#[test]
fn what_a_function_call_leaves_in_l1m_is_lost() {
    let lost = Yield { bytes: L1M as u32 };
    let load = instruction(load(MemoryRegion::Input(0), 0, 0, BLOCK), &[]);
    let store = |waits: &[(Engine, u32)]| instruction(store(0, MemoryRegion::Output(0), 0, BLOCK), waits);
    let size = vec![u64::from(BLOCK)];
    let of = |instructions| Program { inputs: size.clone(), outputs: size.clone(), ..program(instructions) };
    let cut = of(vec![load.clone(), instruction(lost.clone(), &[(Engine::Load, 1)]), store(&[(Engine::Spu, 1)])]);
    let target = target();
    let machine = Machine::new(&cut, &target).unwrap();
    let message = machine.check_races().unwrap_err().to_string();
    assert_eq!(
        message,
        "instruction 2 (store.copy, store#1, of node) reads bytes 0x0 to 0x40 of l1m, which nothing wrote"
    );
    let input = [7; BLOCK as usize];
    assert_ne!(machine.run(&[&input], &[]).unwrap(), [input.to_vec()]);
    // It waits for nobody by itself.
    let racing = of(vec![load, instruction(lost, &[]), store(&[(Engine::Spu, 1)])]);
    let error = Machine::new(&racing, &target).unwrap().check_races().unwrap_err();
    assert!(matches!(error, SimError::Race { .. }), "{error}");
    // Another start of a run.
    let report = machine.report();
    assert_eq!(report.busy_cycles[Engine::Spu.index()], target.run_overhead_cycles());
}

#[test]
fn a_wait_that_cannot_hold_is_told() {
    let two = |first: &[(Engine, u32)], second: &[(Engine, u32)]| {
        let copy = Copy { shape: bytes(1), element_bytes: 1, source: at(0), destination: at(BLOCK) };
        let program = program(vec![instruction(negate(0, 2 * BLOCK), first), instruction(copy, second)]);
        Machine::new(&program, &target()).err().unwrap().to_string()
    };
    assert_eq!(
        two(&[(Engine::Dte, 1)], &[(Engine::Vae, 1)]),
        "deadlock: instruction 0 (vae.requantize, vae#1, of node) waits for 1 instructions of dte, of which only 0 can ever complete"
    );
    assert!(two(&[], &[(Engine::Dte, 1)]).starts_with("deadlock: instruction 1"));
    assert!(two(&[(Engine::Dte, 2)], &[]).ends_with("waits for 2 instructions of dte, which has 1"));
}

#[test]
fn a_hundred_thousand_instructions_are_checked_in_seconds() {
    let (program, target) = (double_buffered(33_334), target());
    let start = Instant::now();
    Machine::new(&program, &target).unwrap().check_races().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// Copies, fills and transfers of a few bytes at random places, with waits for earlier instructions only.
fn random_programs() -> impl Strategy<Value = Program> {
    let place = (0u32..20, 0u32..20, 1u32..4, 1u32..4, 1i32..5);
    vec(
        (0usize..4, place, vec((prop::sample::select(Engine::ALL.to_vec()), any::<prop::sample::Index>()), 0..3)),
        0..12,
    )
    .prop_map(|rows| {
        let mut counts = [0u32; Engine::COUNT];
        let mut instructions = Vec::new();
        for (kind, place, waits) in rows {
            let operation = random_operation(kind, place);
            let engine = operation.engine();
            let known = |(engine, count): &(Engine, prop::sample::Index)| {
                (*engine, count.index(counts[engine.index()] as usize + 1) as u32)
            };
            let waits: Vec<_> = waits.iter().map(known).collect();
            instructions.push(instruction(operation, &waits));
            counts[engine.index()] += 1;
        }
        Program { workspace: 128, ..program(instructions) }
    })
}

fn random_operation(kind: usize, (from, to, outer, inner, step): (u32, u32, u32, u32, i32)) -> Operation {
    let shape = [1, 1, 1, 1, outer, inner];
    let strides = [0, 0, 0, 0, inner as i32 * step, step];
    let (source, destination) = (View::new(from, strides), View::new(64 + to, strides));
    let far = DdrView { region: MemoryRegion::Workspace, offset: u64::from(to), strides: strides.map(i64::from) };
    match kind {
        0 => Fill { shape, element_bytes: 1, value: 1, destination: source }.into(),
        1 => Copy { shape, element_bytes: 1, source, destination }.into(),
        2 => Load { shape, element_bytes: 1, source: far, destination: source }.into(),
        _ => Store { shape, element_bytes: 1, source: destination, destination: far }.into(),
    }
}

/// Happens-before by transitive closure, and every byte by itself.
fn has_race(program: &Program) -> bool {
    let queues = program.queues();
    let total = program.instructions.len();
    let mut before = vec![BTreeSet::new(); total];
    for position in 0..total {
        let instruction = &program.instructions[position];
        let own = queues[instruction.engine().index()].iter().filter(|other| **other < position);
        let waited = instruction.waits.iter().flat_map(|wait| &queues[wait.engine.index()][..wait.count as usize]);
        let direct: BTreeSet<usize> = own.chain(waited).copied().collect();
        let indirect: BTreeSet<usize> = direct.iter().flat_map(|other| before[*other].clone()).collect();
        before[position] = direct.union(&indirect).copied().collect();
    }
    let touched: Vec<BTreeSet<(Space, i128, bool)>> = program
        .instructions
        .iter()
        .map(|instruction| {
            let one = |access: Access| {
                let runs: Vec<_> = access.region.intervals().flat_map(|(start, end)| start..end).collect();
                runs.into_iter().map(move |byte| (access.space, byte, access.write))
            };
            instruction.accesses().into_iter().flat_map(one).collect()
        })
        .collect();
    (0..total).any(|second| {
        (0..second).filter(|first| !before[second].contains(first)).any(|first| {
            touched[first].iter().any(|&(space, byte, write)| {
                touched[second].contains(&(space, byte, true))
                    || (write && touched[second].contains(&(space, byte, false)))
            })
        })
    })
}

/// Whether every read byte was written earlier in the program; right when there are no races.
fn reads_unwritten(program: &Program) -> bool {
    let mut written = BTreeSet::new();
    program.instructions.iter().any(|instruction| {
        instruction.accesses().into_iter().any(|access| {
            let bytes = access.region.intervals().flat_map(|(start, end)| start..end);
            let places: Vec<_> = bytes.map(|byte| (access.space, byte)).collect();
            let missing = !access.write && places.iter().any(|place| !written.contains(place));
            if access.write {
                written.extend(places);
            }
            missing
        })
    })
}

/// Fills and copies of random sizes on all L1M engines, loads, and waits for earlier instructions.
fn timed_programs() -> impl Strategy<Value = Program> {
    let row =
        (0usize..4, 1u32..2000, vec((prop::sample::select(Engine::ALL.to_vec()), any::<prop::sample::Index>()), 0..3));
    vec(row, 1..20).prop_map(|rows| {
        let mut counts = [0u32; Engine::COUNT];
        let mut instructions = Vec::new();
        for (kind, count, waits) in rows {
            let shape = bytes(count);
            let operation: Operation = match kind {
                0 => Fill { shape, element_bytes: 1, value: 1, destination: at(0) }.into(),
                1 => load(MemoryRegion::Workspace, 0, 0, count).into(),
                2 => Lookup { shape, input: at(0), table: View::new(4096, [1]), output: at(0) }.into(),
                _ => {
                    let input = View::new(0, [0, 0, 0, 0, 0, 4]);
                    let shape = bytes(count / 4 + 1);
                    Quantize {
                        zero_point: 0,
                        shape,
                        output_element: BpuElement::I8,
                        scale: 1.0,
                        input,
                        output: at(4096),
                    }
                    .into()
                }
            };
            let known = |(engine, count): &(Engine, prop::sample::Index)| {
                (*engine, count.index(counts[engine.index()] as usize + 1) as u32)
            };
            let waits: Vec<_> = waits.iter().map(known).collect();
            counts[operation.engine().index()] += 1;
            instructions.push(instruction(operation, &waits));
        }
        Program { workspace: 4096, ..program(instructions) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn finds_exactly_the_races(program in random_programs()) {
        let target = target();
        let machine = Machine::new(&program, &target).unwrap();
        let order = &machine.schedule.order;
        for found in [u128::MAX, 0].map(|many_runs| race::check_with(&program, order, many_runs)) {
            prop_assert_eq!(matches!(found, Err(SimError::Race { .. })), has_race(&program), "{:?}", found);
            if !has_race(&program) {
                prop_assert_eq!(matches!(found, Err(SimError::Unwritten { .. })), reads_unwritten(&program), "{:?}", found);
            }
        }
    }

    #[test]
    fn time_has_bounds(program in timed_programs()) {
        let target = target();
        let report = Machine::new(&program, &target).unwrap().report();
        let sum: u64 = report.busy_cycles.iter().sum();
        let waits = program.instructions.iter().map(|instruction| instruction.waits.len() as u64).sum::<u64>();
        prop_assert!(report.cycles <= sum + waits * target.wait_cycles.value, "something always runs, or is waited for");
        prop_assert!(report.busy_cycles.iter().all(|busy| *busy <= report.cycles));
        prop_assert!(target.ddr_cycles(report.ddr_bytes_loaded.into()) <= report.cycles);
        let by_source: u64 = report.source_cycles.iter().flatten().sum();
        prop_assert_eq!(by_source, sum);
        prop_assert_eq!(report.spans.iter().map(|span| span.end).max(), Some(report.cycles));
    }

    #[test]
    fn queues_and_waits_are_kept(program in timed_programs()) {
        let target = target();
        let spans = Machine::new(&program, &target).unwrap().report().spans;
        let queues = program.queues();
        for queue in &queues {
            prop_assert!(queue.windows(2).all(|pair| spans[pair[0]].end <= spans[pair[1]].start));
        }
        for (position, instruction) in program.instructions.iter().enumerate() {
            for wait in instruction.waits.iter().filter(|wait| wait.count > 0) {
                let last = queues[wait.engine.index()][wait.count as usize - 1];
                let delay = if wait.engine == instruction.engine() { 0 } else { target.wait_cycles.value };
                prop_assert!(spans[last].end + delay <= spans[position].start);
            }
        }
    }

    /// Without stores, so that no choice between LOAD and STORE at the DDR port depends on time.
    #[test]
    fn a_wait_never_makes_it_faster(program in timed_programs(), position in any::<prop::sample::Index>(), earlier in any::<prop::sample::Index>()) {
        let target = target();
        let position = position.index(program.instructions.len());
        let mut slower = program.clone();
        if position > 0 {
            let engine = program.instructions[earlier.index(position)].engine();
            let count = program.instructions[..position].iter().filter(|other| other.engine() == engine).count();
            slower.instructions[position].waits.push(Wait { engine, count: count as u32 });
        }
        let cycles = |program| Machine::new(program, &target).unwrap().report().cycles;
        prop_assert!(cycles(&slower) >= cycles(&program));
    }
}

#[test]
fn load_and_store_share_the_port() {
    // 3840 bytes take 3840 / 30e9 s = 156.25 cycles -> 157; the set-up of 64 cycles of one hides behind the other's transfer.
    let instructions = vec![
        instruction(load(MemoryRegion::Workspace, 0, 0, 3840), &[]),
        instruction(store(4096, MemoryRegion::Workspace, 4096, 3840), &[]),
    ];
    let program = Program { workspace: 8192, ..program(instructions) };
    let target = target();
    let report = Machine::new(&program, &target).unwrap().report();
    assert_eq!(report.cycles, 64 + 157 + 157);
    assert_eq!(report.spans, [Span { start: 0, end: 221 }, Span { start: 0, end: 378 }]);
    assert_eq!(report.busy_cycles[..2], [221, 221]);
    // 50 us at 1220703125 Hz
    assert_eq!(report.overhead_cycles, 61_036);
}

#[test]
fn costs_on_paper() {
    let target = Target::named("nash-e").unwrap();
    let cycles = |operation: Operation| operation.cost(&target).cycles();
    let window = Window { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1] };
    let shape = [1, 56, 56, 64];
    let convolution = Convolution {
        zero_points: [0; 2],
        depthwise: false,
        input_shape: shape,
        output_shape: shape,
        window,
        input_element: BpuElement::I8,
        input: View::new(0, [0; 4]),
        weights: View::new(0, [0; 4]),
        accumulate: None,
        parameters: None,
        output_element: BpuElement::I32,
        clamp: Clamp::I8,
        output: View::new(0, [0; 4]),
    };
    // 64 / 16 · 64 / 32 · 3136 / 64 · 9 blocks, full throughout, and 32 of set-up
    assert_eq!(cycles(convolution.clone().into()), 4 * 2 * 49 * 9 + 32);
    assert_eq!(
        cycles(Convolution { input_element: BpuElement::I16, ..convolution.clone() }.into()),
        2 * 4 * 2 * 49 * 9 + 32
    );
    assert_eq!(cycles(Convolution { depthwise: true, ..convolution }.into()), 2 * 49 * 9 + 32);
    let transpose = |strides| Copy {
        shape: [1, 1, 1, 1, 100, 64],
        element_bytes: 1,
        source: View::new(0, [0, 0, 0, 0, 64, 1]),
        destination: View::new(0, strides),
    };
    // 6400 bytes: in one run 25 cycles, byte by byte 400
    assert_eq!(cycles(transpose([0, 0, 0, 0, 64, 1]).into()), 25 + 16);
    assert_eq!(cycles(transpose([0, 0, 0, 0, 1, 100]).into()), 400 + 16);
    // 100 runs of 16 bytes cost 100 bursts of 64
    let mut strided = load(MemoryRegion::Workspace, 0, 0, 16);
    strided.shape = [1, 1, 1, 1, 100, 16];
    strided.source.strides = [0, 0, 0, 0, 128, 1];
    assert_eq!(Operation::from(strided).cost(&target).ddr_cycles, target.ddr_cycles(6400));
}
