//! A program as text: a header, then one instruction per line.

use std::fmt::Write;

use super::isa::{Engine, Instruction, Program};

/// The text of a program. Not read back by anything; for people and for tests that compare it.
///
/// ```text
/// input0: 784 bytes
///    0  load#1  load.copy shape=[784] element_bytes=1 source=input0+0x0[1] ...  // "Conv_0"
///    1  tae#1   tae.convolution after load>=1 depthwise=false ...
/// ```
/// `engine#n` is the n-th instruction of its engine, the number that waits (`after`) count. Leading dimensions of size 1 are
/// left out of six-dimensional shapes and strides.
pub fn disassemble(program: &Program) -> String {
    let mut text = String::new();
    let mut line = |content: String| {
        text.push_str(&content);
        text.push('\n');
    };
    for (index, bytes) in program.inputs.iter().enumerate() {
        line(format!("input{index}: {bytes} bytes"));
    }
    for (index, bytes) in program.outputs.iter().enumerate() {
        line(format!("output{index}: {bytes} bytes"));
    }
    line(format!("constants: {} bytes", program.constants));
    line(format!("workspace: {} bytes", program.workspace));
    let mut counts = [0u32; Engine::COUNT];
    for (position, instruction) in program.instructions.iter().enumerate() {
        let engine = instruction.engine();
        let count = counts.get_mut(engine.index()).map_or(0, |count| {
            *count += 1;
            *count
        });
        let place = format!("{engine}#{count}");
        line(format!("{position:>5}  {place:<8} {}", instruction_text(program, instruction)));
    }
    text
}

/// One instruction without its place in the queues.
pub fn instruction_text(program: &Program, instruction: &Instruction) -> String {
    let mut text = instruction.operation.mnemonic().to_string();
    if !instruction.waits.is_empty() {
        let waits: Vec<String> =
            instruction.waits.iter().map(|wait| format!("{}>={}", wait.engine, wait.count)).collect();
        // Writing to a string cannot fail.
        let _ = write!(text, " after {}", waits.join(", "));
    }
    let fields = instruction.operation.fields();
    let skipped = leading_ones(&fields);
    for (name, value) in &fields {
        let _ = write!(text, " {name}={}", without_leading(value, skipped));
    }
    let _ = write!(text, "  // {:?}", program.source_name(instruction));
    text
}

/// How many outer dimensions of the field `shape` have size 1; the last one always stays.
fn leading_ones(fields: &[(&str, String)]) -> usize {
    let shape = fields.iter().find(|(name, _)| *name == "shape");
    let inner = shape.and_then(|(_, text)| text.strip_prefix('[')?.strip_suffix(']'));
    inner.map_or(0, |inner| {
        let sizes: Vec<&str> = inner.split(", ").collect();
        sizes.iter().take_while(|size| **size == "1").count().min(sizes.len() - 1)
    })
}

/// Drops outer entries of a bracketed list of six.
fn without_leading(text: &str, skipped: usize) -> String {
    let (Some(open), true) = (text.find('['), text.ends_with(']')) else {
        return text.to_string();
    };
    let entries: Vec<&str> = text[open + 1..text.len() - 1].split(", ").collect();
    if entries.len() != super::isa::RANK {
        return text.to_string();
    }
    format!("{}[{}]", &text[..open], entries.get(skipped..).unwrap_or_default().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nash::isa::*;

    #[test]
    fn reads_well() {
        let shape = [1, 1, 1, 1, 8, 16];
        let load = Load {
            shape,
            element_bytes: 1,
            source: DdrView { region: MemoryRegion::Input(0), offset: 32, strides: [0, 0, 0, 0, 64, 1] },
            destination: View::contiguous(0x400, shape, 1),
        };
        let lookup = Lookup {
            shape,
            input: View::contiguous(0x400, shape, 1),
            table: View::new(0, [1]),
            output: View::contiguous(0x400, shape, 1),
        };
        let program = Program {
            inputs: vec![1024],
            names: vec!["Relu_1".into()],
            instructions: vec![
                Instruction { waits: vec![], source: 0, operation: load.into() },
                Instruction {
                    waits: vec![Wait { engine: Engine::Load, count: 1 }],
                    source: 0,
                    operation: lookup.into(),
                },
            ],
            ..Program::default()
        };
        assert_eq!(
            disassemble(&program),
            "input0: 1024 bytes\nconstants: 0 bytes\nworkspace: 0 bytes\n    \
             0  load#1   load.copy shape=[8, 16] element_bytes=1 source=input0+0x20[64, 1] destination=@0x400[16, 1]  // \"Relu_1\"\n    \
             1  vae#1    vae.lookup after load>=1 shape=[8, 16] input=@0x400[16, 1] table=@0x0[1] output=@0x400[16, 1]  // \"Relu_1\"\n"
        );
    }
}
