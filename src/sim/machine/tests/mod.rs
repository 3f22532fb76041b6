mod convolution;
mod elementwise;
mod order;
mod pool;

use super::*;
use crate::nash::isa::*;

/// L1M of the test target, in bytes.
const L1M: usize = 8192;

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
    let source = DdrView { region: Region::Input(0), offset: 0, strides: [0, 0, 0, 0, 0, 1] };
    Load { shape: ALL_OF_L1M, element_bytes: 1, source, destination: View::new(0, [0, 0, 0, 0, 0, 1]) }
}

fn store_all() -> Store {
    let destination = DdrView { region: Region::Output(0), offset: 0, strides: [0, 0, 0, 0, 0, 1] };
    Store { shape: ALL_OF_L1M, element_bytes: 1, source: View::new(0, [0, 0, 0, 0, 0, 1]), destination }
}

/// Fills L1M with an image, executes one operation, gives L1M back.
fn try_execute(operation: impl Into<Operation>, image: &[u8]) -> Result<Vec<u8>, SimError> {
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
    Ok(machine.run(&[&padded], &[])?.remove(0))
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
