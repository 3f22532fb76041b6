//! A program as bytes, and back. `docs/nash-isa.md` describes the format byte by byte.
//!
//! ```text
//!   0  4  "NASH"
//!   4  2  major version          readers refuse another one
//!   6  2  minor version          readers refuse a higher one
//!   8  4  number of inputs (I)
//!  12  4  number of outputs (O)
//!  16  4  number of names (N)
//!  20  4  number of instructions
//!  24  8  bytes of the constants
//!  32  8  bytes of the workspace
//!  40  8*I  bytes of each input
//!      8*O  bytes of each output
//!      N names: u32 length, UTF-8
//!      the instructions: u16 opcode, u8 number of waits, u8 0, u32 source,
//!        per wait u8 engine, 3 bytes 0, u32 count,
//!        then the fields of the operation in order
//! ```
//!
//! All little-endian, nothing is padded. A program has exactly one encoding.

use super::isa::{Engine, Instruction, Operation, Program, Wait};
use super::isa_fields::Field;
pub use super::isa_fields::{DecodeError, FieldRow, OperationTable, Reader};

const MAGIC: [u8; 4] = *b"NASH";

/// Version of the instruction set and its encoding: (major, minor).
pub const VERSION: (u16, u16) = (2, 2);

/// Bytes of the shortest instruction: opcode, waits, filler, source.
const MINIMUM_INSTRUCTION: usize = 8;

/// Waits of one instruction; one per engine is all that is ever useful.
const MAX_WAITS: usize = u8::MAX as usize;

/// Why a program has no encoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum EncodeError {
    #[error("{count} {what}; the format holds at most {max}")]
    TooMany { what: &'static str, count: usize, max: usize },
}

/// Writes a program. The result depends on the program only.
///
/// # Errors
/// When there are more names, regions, instructions or waits than their counts can hold.
pub fn encode(program: &Program) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC);
    VERSION.0.write(&mut out);
    VERSION.1.write(&mut out);
    for (what, count) in [
        ("inputs", program.inputs.len()),
        ("outputs", program.outputs.len()),
        ("names", program.names.len()),
        ("instructions", program.instructions.len()),
    ] {
        count_u32(what, count)?.write(&mut out);
    }
    program.constants.write(&mut out);
    program.workspace.write(&mut out);
    program.inputs.iter().chain(&program.outputs).for_each(|bytes| bytes.write(&mut out));
    for name in &program.names {
        count_u32("bytes of a name", name.len())?.write(&mut out);
        out.extend_from_slice(name.as_bytes());
    }
    for instruction in &program.instructions {
        write_instruction(instruction, &mut out)?;
    }
    Ok(out)
}

fn count_u32(what: &'static str, count: usize) -> Result<u32, EncodeError> {
    u32::try_from(count).map_err(|_| EncodeError::TooMany { what, count, max: u32::MAX as usize })
}

fn write_instruction(instruction: &Instruction, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let count = instruction.waits.len();
    let waits = u8::try_from(count).map_err(|_| EncodeError::TooMany { what: "waits", count, max: MAX_WAITS })?;
    instruction.operation.opcode().write(out);
    waits.write(out);
    0u8.write(out);
    instruction.source.write(out);
    for wait in &instruction.waits {
        out.extend_from_slice(&[wait.engine as u8, 0, 0, 0]);
        wait.count.write(out);
    }
    instruction.operation.write_fields(out);
    Ok(())
}

/// Reads what [`encode`] wrote. Any bytes give a program or an error, and never more memory than a small multiple of their
/// length. What comes back is well-formed, not yet valid: see [`Program::validate`].
///
/// # Errors
/// Names the byte and the rule.
pub fn decode(bytes: &[u8]) -> Result<Program, DecodeError> {
    let mut reader = Reader::new(bytes);
    let found: [u8; 4] = reader.array("the magic")?;
    if found != MAGIC {
        return Err(DecodeError::Magic { found });
    }
    let (major, minor) = (u16::read(&mut reader)?, u16::read(&mut reader)?);
    if major != VERSION.0 || minor > VERSION.1 {
        return Err(DecodeError::Version { major, minor, known_major: VERSION.0, known_minor: VERSION.1 });
    }
    let counts: [u32; 4] = Field::read(&mut reader)?;
    let (constants, workspace) = (u64::read(&mut reader)?, u64::read(&mut reader)?);
    let [inputs, outputs, names, instructions] = counts;
    Ok(Program {
        constants,
        workspace,
        inputs: read_list(&mut reader, inputs, 8, "inputs", u64::read)?,
        outputs: read_list(&mut reader, outputs, 8, "outputs", u64::read)?,
        names: read_list(&mut reader, names, 4, "names", read_name)?,
        instructions: read_instructions(&mut reader, instructions)?,
    })
    .and_then(|program| match reader.left() {
        0 => Ok(program),
        left => Err(DecodeError::Trailing { left }),
    })
}

/// Reads `count` items of at least `minimum` bytes each; a count that the bytes cannot hold is refused before allocating.
fn read_list<T>(
    reader: &mut Reader<'_>,
    count: u32,
    minimum: usize,
    what: &'static str,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let most = reader.left() / minimum;
    let count = match usize::try_from(count) {
        Ok(count) if count <= most => count,
        _ => {
            return Err(DecodeError::TooMany { count: count.into(), what, left: reader.left() });
        }
    };
    let mut list = Vec::new();
    for _ in 0..count {
        list.push(item(reader)?);
    }
    Ok(list)
}

fn read_name(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let length = u32::read(reader)?;
    let at = reader.at();
    let bytes = reader.take(usize::try_from(length).unwrap_or(usize::MAX), "a name")?;
    String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::Name { at })
}

fn read_instructions(reader: &mut Reader<'_>, count: u32) -> Result<Vec<Instruction>, DecodeError> {
    let mut index = 0;
    read_list(reader, count, MINIMUM_INSTRUCTION, "instructions", |reader| {
        let instruction = read_instruction(reader);
        let numbered = instruction.map_err(|error| DecodeError::Instruction { index, error: Box::new(error) });
        index += 1;
        numbered
    })
}

fn read_instruction(reader: &mut Reader<'_>) -> Result<Instruction, DecodeError> {
    let opcode = u16::read(reader)?;
    let waits = u8::read(reader)?;
    zeros::<1>(reader)?;
    let source = u32::read(reader)?;
    let waits = read_list(reader, waits.into(), 8, "waits", read_wait)?;
    Ok(Instruction { waits, source, operation: Operation::read_fields(opcode, reader)? })
}

fn read_wait(reader: &mut Reader<'_>) -> Result<Wait, DecodeError> {
    let at = reader.at();
    let number = u8::read(reader)?;
    zeros::<3>(reader)?;
    let engine = Engine::ALL.get(usize::from(number)).copied();
    let engine = engine.ok_or(DecodeError::BadValue { at, value: number.into(), what: "engine" })?;
    Ok(Wait { engine, count: u32::read(reader)? })
}

fn zeros<const COUNT: usize>(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let at = reader.at();
    let filler: [u8; COUNT] = reader.array("filler")?;
    match filler.iter().find(|byte| **byte != 0) {
        None => Ok(()),
        Some(byte) => Err(DecodeError::BadValue { at, value: u64::from(*byte), what: "filler (0)" }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::nash::isa::*;

    /// Any operation, by decoding random bytes that were made acceptable field by field.
    fn operations() -> impl Strategy<Value = Operation> {
        let opcodes: Vec<u16> = operation_tables().iter().map(|table| table.opcode).collect();
        (prop::sample::select(opcodes), vec(0u8..=3, 1000)).prop_filter_map("not canonical", |(opcode, mut bytes)| {
            for _ in 0..200 {
                match Operation::read_fields(opcode, &mut Reader::new(&bytes)) {
                    Ok(operation) => return Some(operation),
                    Err(DecodeError::BadValue { at, .. }) => {
                        // Absent fields are zeros; flags and regions come right with zeros as well.
                        if let Some(slice) = bytes.get_mut(at..at + 60) {
                            slice.fill(0);
                        }
                    }
                    Err(_) => return None,
                }
            }
            None
        })
    }

    pub(crate) fn programs() -> impl Strategy<Value = Program> {
        let waits = vec((prop::sample::select(Engine::ALL.to_vec()), any::<u32>()), 0..3);
        let instruction = (waits, any::<u32>(), operations()).prop_map(|(waits, source, operation)| Instruction {
            waits: waits.into_iter().map(|(engine, count)| Wait { engine, count }).collect(),
            source,
            operation,
        });
        let regions = (vec(any::<u64>(), 0..3), vec(any::<u64>(), 0..3), any::<u64>(), any::<u64>());
        (regions, vec(instruction, 0..6), vec(".{0,8}", 0..3)).prop_map(
            |((inputs, outputs, constants, workspace), instructions, names)| Program {
                inputs,
                outputs,
                constants,
                workspace,
                instructions,
                names,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(program in programs()) {
            prop_assert_eq!(decode(&encode(&program).unwrap()).unwrap(), program);
        }

        #[test]
        fn one_program_has_one_encoding(program in programs(), at in any::<prop::sample::Index>(), flip in 1u8..) {
            // Whatever still decodes after a change encodes to exactly the changed bytes.
            let mut bytes = encode(&program).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(other) = decode(&bytes) {
                let minor_changed = at == 6 || at == 7;
                prop_assert!(minor_changed || encode(&other).unwrap() == bytes);
            }
        }

        #[test]
        fn any_cut_is_an_error(program in programs(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&program).unwrap();
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn any_bytes_are_safe(tail in vec(any::<u8>(), 0..400)) {
            let mut bytes = b"NASH\x01\x00\x00\x00".to_vec();
            bytes.extend(&tail);
            let _ = decode(&bytes);
            let _ = decode(&tail);
        }
    }

    #[test]
    fn operations_have_numbers_and_names_of_their_own() {
        let tables = operation_tables();
        let opcodes: std::collections::BTreeSet<u16> = tables.iter().map(|table| table.opcode).collect();
        let names: std::collections::BTreeSet<&str> = tables.iter().map(|table| table.mnemonic()).collect();
        assert_eq!((opcodes.len(), names.len()), (tables.len(), tables.len()));
        for table in &tables {
            assert!(table.mnemonic().starts_with(&format!("{}.", table.engine)), "{}", table.mnemonic());
        }
    }

    #[test]
    fn field_sizes_are_those_written() {
        let bytes = [0u8; 1024];
        for table in operation_tables() {
            let mut reader = Reader::new(&bytes);
            let operation = Operation::read_fields(table.opcode, &mut reader).unwrap();
            let size: usize = table.fields.iter().map(|field| field.bytes).sum();
            let mut out = Vec::new();
            operation.write_fields(&mut out);
            assert_eq!((reader.at(), out.len()), (size, size), "{}", table.mnemonic());
        }
    }

    #[test]
    fn the_header_on_paper() {
        let fill = Fill {
            shape: [1, 1, 1, 1, 1, 5],
            element_bytes: 1,
            value: 7,
            destination: View::new(0x100, [0, 0, 0, 0, 0, 1]),
        };
        let program = Program {
            inputs: vec![16],
            constants: 3,
            names: vec!["a".into()],
            instructions: vec![Instruction {
                waits: vec![Wait { engine: Engine::Tae, count: 9 }],
                source: 0,
                operation: fill.into(),
            }],
            ..Program::default()
        };
        let mut expected = b"NASH\x02\0\x02\0".to_vec();
        for count in [1u32, 0, 1, 1] {
            expected.extend(count.to_le_bytes());
        }
        for bytes in [3u64, 0, 16] {
            expected.extend(bytes.to_le_bytes());
        }
        expected.extend([1, 0, 0, 0, b'a']);
        expected.extend([0x02, 0x05, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0]);
        for size in [1u32, 1, 1, 1, 1, 5] {
            expected.extend(size.to_le_bytes());
        }
        expected.push(1);
        for word in [7u32, 0x100, 0, 0, 0, 0, 0, 1] {
            expected.extend(word.to_le_bytes());
        }
        assert_eq!(encode(&program).unwrap(), expected);
    }

    #[test]
    fn a_huge_count_allocates_nothing() {
        let mut bytes = encode(&Program::default()).unwrap();
        bytes[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = decode(&bytes).unwrap_err();
        assert_eq!(error, DecodeError::TooMany { count: u32::MAX.into(), what: "instructions", left: 0 });
    }

    #[test]
    fn other_versions_are_refused() {
        let mut bytes = encode(&Program::default()).unwrap();
        bytes[6] = 3;
        assert!(decode(&bytes).unwrap_err().to_string().starts_with("version 2.3 of the instruction set"));
    }
}
