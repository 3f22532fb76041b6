mod convolution;
mod elementwise;
mod order;
mod pool;
mod roi_resize;
mod vector;

use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::nash::encode::{decode, encode};
use crate::nash::isa::*;
use crate::sim::fast::FastProgram;
use crate::sim::fast::kernel::Level;

/// L1M of the test target, in bytes.
pub(in crate::sim) const L1M: usize = 8192;

fn target() -> Target {
    Target::named_with_overrides("nash-e", &[("local_memory.bytes", "8192")]).unwrap()
}

fn instruction(operation: impl Into<Operation>, waits: &[(Engine, u32)]) -> Instruction {
    let waits = waits.iter().map(|&(engine, count)| Wait { engine, count }).collect();
    Instruction { waits, source: 0, operation: operation.into() }
}

fn program(instructions: Vec<Instruction>) -> Program {
    Program { instructions, names: vec!["node".to_string()], ..Program::default() }
}

const ALL_OF_L1M: [u32; RANK] = [1, 1, 1, 1, 1, L1M as u32];

fn load_all() -> Load {
    let source = DdrView { region: MemoryRegion::Input(0), offset: 0, strides: [0, 0, 0, 0, 0, 1] };
    Load { shape: ALL_OF_L1M, element_bytes: 1, source, destination: View::new(0, [0, 0, 0, 0, 0, 1]) }
}

fn store_all() -> Store {
    let destination = DdrView { region: MemoryRegion::Output(0), offset: 0, strides: [0, 0, 0, 0, 0, 1] };
    Store { shape: ALL_OF_L1M, element_bytes: 1, source: View::new(0, [0, 0, 0, 0, 0, 1]), destination }
}

/// Fills L1M with an image, executes one operation, gives L1M back. Fast kernels of every level must do the same, whether the
/// image is data or constants.
pub(in crate::sim) fn try_execute(operation: impl Into<Operation>, image: &[u8]) -> Result<Vec<u8>, SimError> {
    let operation = operation.into();
    let engine = operation.engine();
    let mut program = program(vec![
        instruction(load_all(), &[]),
        instruction(operation, &[(Engine::Load, 1)]),
        instruction(store_all(), &[(engine, 1)]),
    ]);
    program.inputs = vec![L1M as u64];
    program.outputs = vec![L1M as u64];
    let mut padded = image.to_vec();
    padded.resize(L1M, 0);
    let target = target();
    let machine = Machine::new(&program, &target)?;
    machine.check_races()?;
    let expected = machine.run(&[&padded], &[]);
    let mut constant = program.clone();
    (constant.inputs, constant.constants) = (vec![], L1M as u64);
    for instruction in &mut constant.instructions {
        match &mut instruction.operation {
            Operation::Load(load) => load.source.region = MemoryRegion::Constants,
            Operation::RoiResize(resize) => {
                (resize.plane.region, resize.region.region) = (MemoryRegion::Constants, MemoryRegion::Constants);
            }
            _ => {}
        }
    }
    for level in Level::available() {
        let run = |program: &Program, inputs: &[&[u8]], constants: &[u8]| {
            let machine = Machine::owning(program.clone(), target.clone())?;
            let executable = FastProgram::for_level(machine, constants.to_vec(), level)?;
            let first = executable.run(inputs)?;
            // Memories are used again.
            assert_eq!(executable.run(inputs)?, first);
            Ok(first)
        };
        assert_eq!(run(&program, &[&padded], &[]), expected, "data, {level:?}");
        assert_eq!(run(&constant, &[], &padded), expected, "constants, {level:?}");
    }
    Ok(expected?.remove(0))
}

/// Executes operations one after the other on an L1M that holds an image, of which the bytes of a range are constants and all else is data. Gives the bytes of
/// another range, and how many convolutions fast kernels make of it. Kernels of every level must do the same as the definition.
pub(in crate::sim) fn try_sequence(
    operations: &[Operation],
    image: &[u8],
    constants: Range<usize>,
    results: Range<usize>,
) -> Result<(Vec<u8>, usize), SimError> {
    let line =
        |range: &Range<usize>| ([1, 1, 1, 1, 1, range.len() as u32], View::new(range.start as u32, [0, 0, 0, 0, 0, 1]));
    let outside =
        |region, range: &Range<usize>| DdrView { region, offset: range.start as u64, strides: [0, 0, 0, 0, 0, 1] };
    let load = |region, range: Range<usize>| {
        let (shape, destination) = line(&range);
        Load { shape, element_bytes: 1, source: outside(region, &range), destination }
    };
    let (shape, source) = line(&results);
    let store = Store { shape, element_bytes: 1, source, destination: outside(MemoryRegion::Output(0), &results) };
    let loads = [load(MemoryRegion::Input(0), 0..L1M), load(MemoryRegion::Constants, constants)].map(Operation::from);
    let all: Vec<Operation> = loads.into_iter().chain(operations.iter().cloned()).chain([store.into()]).collect();
    let mut counts = [0; Engine::COUNT];
    let mut instructions: Vec<Instruction> = Vec::new();
    for operation in all {
        let before = instructions.last().map(Instruction::engine);
        let waits: Vec<_> = before.map(|engine| (engine, counts[engine.index()])).into_iter().collect();
        counts[operation.engine().index()] += 1;
        instructions.push(instruction(operation, &waits));
    }
    let bytes = L1M as u64;
    let program = Program { inputs: vec![bytes], outputs: vec![bytes], constants: bytes, ..program(instructions) };
    let expected = Machine::owning(program.clone(), target())?.run(&[image], image)?;
    let mut convolutions = 0;
    for level in Level::available() {
        let executable = FastProgram::for_level(Machine::owning(program.clone(), target())?, image.to_vec(), level)?;
        for _ in 0..2 {
            assert_eq!(executable.run(&[image])?, expected, "{level:?}");
        }
        convolutions = executable.convolutions();
    }
    Ok((expected.concat()[results].to_vec(), convolutions))
}

fn execute(operation: impl Into<Operation>, image: &[u8]) -> Vec<u8> {
    try_execute(operation, image).unwrap()
}

/// An image with byte strings at addresses.
fn image(parts: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut image = vec![0; L1M];
    for (address, bytes) in parts {
        image[*address..address + bytes.len()].copy_from_slice(bytes);
    }
    image
}

fn i8s(values: &[i32]) -> Vec<u8> {
    values.iter().map(|value| i8::try_from(*value).unwrap() as u8).collect()
}

fn i16s(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| i16::try_from(*value).unwrap().to_le_bytes()).collect()
}

fn i32s(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn as_i8(bytes: &[u8]) -> Vec<i32> {
    bytes.iter().map(|byte| i32::from(*byte as i8)).collect()
}

fn as_i16(bytes: &[u8]) -> Vec<i32> {
    bytes.as_chunks::<2>().0.iter().map(|word| i16::from_le_bytes(*word).into()).collect()
}

fn as_i32(bytes: &[u8]) -> Vec<i32> {
    bytes.as_chunks::<4>().0.iter().map(|word| i32::from_le_bytes(*word)).collect()
}

#[test]
fn wrong_sizes_are_errors() {
    let mut program = program(vec![]);
    program.inputs = vec![4];
    program.constants = 2;
    let target = target();
    let machine = Machine::new(&program, &target).unwrap();
    let message = |inputs: &[&[u8]], constants| machine.run(inputs, constants).unwrap_err().to_string();
    assert_eq!(message(&[], &[0, 0]), "the program has 1 inputs, 0 were given");
    assert_eq!(message(&[&[1]], &[0, 0]), "input0 has 4 bytes, 1 were given");
    assert_eq!(message(&[&[1, 2, 3, 4]], &[]), "constants has 2 bytes, 0 were given");
    assert!(machine.run(&[&[1, 2, 3, 4]], &[0, 0]).unwrap().is_empty());
}

#[test]
fn memory_that_is_not_there_is_an_error() {
    let target = target();
    let huge = Program { workspace: (1 << 35) + 1, ..Program::default() };
    let message = Machine::new(&huge, &target).err().unwrap().to_string();
    assert_eq!(message, "workspace has 34359738369 bytes, more than 34359738368");
    // A thousand times the largest region: no machine of today has it, and nothing aborts.
    let many = Program { outputs: vec![1 << 35; 1 << 14], ..Program::default() };
    let message = Machine::new(&many, &target).unwrap().run(&[], &[]).unwrap_err().to_string();
    assert!(message.starts_with("no memory for the 34359738368 bytes of output"), "{message}");
}

/// One instruction of every kind, one after the other.
fn everything() -> Program {
    let shape = [1, 1, 1, 1, 2, 8];
    let (picture, pooled) = ([1, 4, 4, 2], [1, 2, 2, 2]);
    let view = |address, bytes| View::contiguous(address, shape, bytes);
    let window = Window { kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0] };
    let clamp = Clamp::I8;
    let (i8, i16, i32) = (BpuElement::I8, BpuElement::I16, BpuElement::I32);
    let (mantissa, shift) = (1 << 30, 30);
    let tile = |address, bytes| View::contiguous(address, pooled, bytes);
    let (input, parameters) = (View::contiguous(0, picture, 1), Some(View::new(600, [0])));
    let weights = View::contiguous(64, [2, 2, 2, 2], 1);
    let count = Count {
        kernel: [2, 2],
        pads: [0, 0],
        extent: [4, 4],
        minimum: [2, 2],
        shape: [1, 1],
        table: View::new(604, [8, 8]),
    };
    let operations: Vec<Operation> = vec![
        load_all().into(),
        Convolution {
            zero_points: [0; 2],
            depthwise: false,
            input_shape: picture,
            output_shape: pooled,
            window,
            input_element: i8,
            input,
            weights,
            accumulate: Some(tile(1024, 4)),
            parameters,
            output_element: i8,
            clamp,
            output: tile(2048, 1),
        }
        .into(),
        Add {
            zero_points: [0; 3],
            shape,
            a_element: i8,
            b_element: i16,
            output_element: i8,
            multiplier_a: 1,
            multiplier_b: -1,
            shift: 1,
            clamp,
            a: view(0, 1),
            b: view(64, 2),
            output: view(2048, 1),
        }
        .into(),
        Mul {
            zero_points: [0; 3],
            shape,
            a_element: i8,
            b_element: i8,
            output_element: i8,
            mantissa,
            shift,
            clamp,
            a: view(0, 1),
            b: view(64, 1),
            output: view(0, 1),
        }
        .into(),
        Requantize {
            zero_points: [0; 2],
            shape,
            input_element: i32,
            output_element: i8,
            mantissa,
            shift,
            clamp,
            input: view(0, 4),
            output: view(2048, 1),
        }
        .into(),
        Lookup { shape, input: view(0, 1), table: View::new(256, [1]), output: view(0, 1) }.into(),
        isa_curve(shape, [i8, BpuElement::I16], [view(0, 1), view(2048, 2)], (1, 700)).into(),
        MaxPool {
            input_shape: picture,
            output_shape: pooled,
            window,
            element: i8,
            input,
            accumulate: Some(tile(1024, 1)),
            output: tile(2048, 1),
        }
        .into(),
        AveragePool {
            zero_points: [0; 2],
            input_shape: picture,
            output_shape: pooled,
            window,
            input_element: i8,
            input,
            accumulate: Some(tile(1024, 4)),
            count: Some(count),
            output_element: i8,
            clamp,
            output: tile(2048, 1),
        }
        .into(),
        resize().into(),
        Copy { shape, element_bytes: 1, source: view(0, 1), destination: view(3000, 1) }.into(),
        Fill { shape, element_bytes: 4, value: 1, destination: view(3000, 4) }.into(),
        Quantize { zero_point: 0, shape, output_element: i8, scale: 0.5, input: view(0, 4), output: view(3000, 1) }
            .into(),
        Normalize {
            zero_point: 0,
            shape,
            output_element: i8,
            scale: 0.5,
            means: view(0, 4),
            factors: view(64, 4),
            input: view(128, 4),
            output: view(3000, 1),
        }
        .into(),
        Dequantize {
            zero_point: 0,
            shape,
            input_element: i8,
            scale: 0.5,
            scales: None,
            input: view(0, 1),
            output: view(3000, 4),
        }
        .into(),
        store_all().into(),
        Yield { bytes: L1M as u32 }.into(),
    ];
    let mut counts = [0; Engine::COUNT];
    let mut instructions: Vec<Instruction> = Vec::new();
    for operation in operations {
        let before = instructions.last().map(Instruction::engine);
        let waits: Vec<_> = before.map(|engine| (engine, counts[engine.index()])).into_iter().collect();
        counts[operation.engine().index()] += 1;
        instructions.push(instruction(operation, &waits));
    }
    Program { inputs: vec![L1M as u64], outputs: vec![L1M as u64], ..program(instructions) }
}

/// A curve of so many pieces at an address.
fn isa_curve(
    shape: [u32; RANK],
    [input_element, output_element]: [BpuElement; 2],
    [input, output]: [View; 2],
    (pieces, table): (u32, u32),
) -> Curve {
    Curve { shape, input_element, output_element, pieces, shift: 1, input, table: View::new(table, [26]), output }
}

/// Pieces of a curve: start, c2, c1, c0.
pub(in crate::sim) fn pieces(pieces: &[(i16, [i64; 3])]) -> Vec<u8> {
    let bytes = |&(start, coefficients): &(i16, [i64; 3])| {
        start.to_le_bytes().into_iter().chain(coefficients.into_iter().flat_map(i64::to_le_bytes)).collect::<Vec<_>>()
    };
    pieces.iter().flat_map(bytes).collect()
}

/// Where the input has a region of interest.
const REGION: usize = 5000;

/// The left half of a region of a plane of 4x4 cells, both in the input, as 2x4 cells.
fn resize() -> RoiResize {
    let in_input = |offset, strides| DdrView { region: MemoryRegion::Input(0), offset, strides };
    RoiResize {
        plane_shape: [4, 4, 1],
        plane: in_input(0, [0, 0, 0, 4, 1, 1]),
        region: in_input(REGION as u64, [0, 0, 0, 0, 0, 4]),
        block: 1,
        size: [2, 4],
        start: [0, 0],
        output_shape: [2, 2, 1],
        output: View::new(2048, [2, 1, 1]),
    }
}

/// An image whose parameters at 600 and table entry at 604 read as a multiplier of 1; with the region of [`resize`].
fn multipliers() -> Vec<u8> {
    image(&[(600, i32s(&[7, 1 << 30, 30])), (REGION, i32s(&[0, 0, 4, 4]))])
}

/// What one run leaves in local memory is not there in the next.
#[test]
fn bytes_that_are_read_unwritten_are_zero_in_every_run() {
    let destination = View::new(0, [0, 0, 0, 0, 0, 1]);
    let fill = Fill { shape: ALL_OF_L1M, element_bytes: 1, value: 7, destination };
    let mut program = program(vec![instruction(store_all(), &[]), instruction(fill, &[(Engine::Store, 1)])]);
    program.outputs = vec![L1M as u64];
    let machine = Machine::owning(program, target()).unwrap();
    let executable = FastProgram::new(machine, vec![]).unwrap();
    for _ in 0..3 {
        assert_eq!(executable.run(&[]).unwrap(), [vec![0; L1M]]);
    }
}

#[test]
fn everything_runs_one_after_the_other() {
    let (program, target) = (everything(), target());
    let machine = Machine::new(&program, &target).unwrap();
    machine.check_races().unwrap();
    machine.run(&[&multipliers()], &[]).unwrap();
    // In a chain nothing overlaps: the time is the sum, and what it takes from one engine to the next.
    let report = machine.report();
    let engines: Vec<Engine> = program.instructions.iter().map(Instruction::engine).collect();
    let changes = engines.windows(2).filter(|pair| pair[0] != pair[1]).count() as u64;
    assert_eq!(report.cycles, report.busy_cycles.iter().sum::<u64>() + changes * target.wait_cycles.value);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever is left of a program after some of its bytes were changed is refused or runs; it never panics.
    #[test]
    fn broken_programs_are_refused_or_run(changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), 0u8..4]), 1..4)) {
        let mut bytes = encode(&everything()).unwrap();
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        let Ok(program) = decode(&bytes) else { return Ok(()) };
        let target = target();
        if let Ok(machine) = Machine::new(&program, &target) {
            let _ = machine.check_races();
            let _ = machine.report();
            let result = machine.run(&[&multipliers()], &[]);
            let fast = Machine::owning(program.clone(), target.clone()).and_then(|machine| FastProgram::new(machine, vec![]));
            // Other inputs than the program says are refused alike. Bytes that nobody has written are 0 in the second run, too.
            let fast = fast.map(|fast| [fast.run(&[&multipliers()]), fast.run(&[&multipliers()])]);
            if program.constants == 0 {
                match fast {
                    Ok(fast) => fast.iter().try_for_each(|run| { prop_assert_eq!(run, &result); Ok(()) })?,
                    Err(error) => prop_assert_eq!(Err(error), result),
                }
            }
        }
        let _ = crate::nash::disassemble::disassemble(&program);
    }
}
