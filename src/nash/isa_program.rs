//! The program that an instruction of the float engine holds: types of operands, and steps.

use super::isa::{BpuElement, RANK, Run, View};
use super::isa_fields::{DecodeError, Field, Reader};
use super::isa_numbers::{FieldKind, Numbers};
use crate::numerics::{
    MAX_VECTOR_OPERANDS, MAX_VECTOR_STEPS, VectorBinary, VectorProgram, VectorReduction, VectorStep, VectorUnary,
};

/// How the elements of an operand become real numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowOperand {
    /// i8, i16 or f32.
    pub element: BpuElement,
    /// What a step of its integers is worth; not used with f32.
    pub scale: f32,
    /// The integer of the real 0; 0 with f32. Others than 0 are for i8.
    pub zero_point: i32,
}

/// A program with the types of its operands. What was read is well-formed; whether it can run is validated with its instruction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowProgram {
    /// At most [`MAX_VECTOR_OPERANDS`].
    pub operands: Vec<RowOperand>,
    /// At most [`MAX_VECTOR_STEPS`].
    pub steps: Vec<VectorStep>,
}

const OPERAND_BYTES: usize = 9;
const STEP_BYTES: usize = 8;

/// Numbers of steps that are no functions; functions have their own.
const LOAD: u8 = 0;
const SELECT: u8 = 48;
const CONSTANT: u8 = 49;

/// A step as its number, three values and the bits of a constant. What a step has not is 0.
fn parts(step: VectorStep) -> (u8, [u8; 3], u32) {
    match step {
        VectorStep::Load(operand) => (LOAD, [operand, 0, 0], 0),
        VectorStep::Constant(value) => (CONSTANT, [0; 3], value.to_bits()),
        VectorStep::Unary(function, a) => (function as u8, [a, 0, 0], 0),
        VectorStep::Binary(function, a, b) => (function as u8, [a, b, 0], 0),
        VectorStep::Select(a, b, c) => (SELECT, [a, b, c], 0),
        VectorStep::Reduce(reduction, a) => (reduction as u8, [a, 0, 0], 0),
    }
}

/// The step of these parts; none where they are not those that a step has.
fn step_of(code: u8, values: [u8; 3], bits: u32) -> Option<VectorStep> {
    let [a, b, c] = values;
    let unary = VectorUnary::ALL.iter().find(|function| **function as u8 == code);
    let binary = VectorBinary::ALL.iter().find(|function| **function as u8 == code);
    let reduction = VectorReduction::ALL.iter().find(|reduction| **reduction as u8 == code);
    let step = match (code, unary, binary, reduction) {
        (_, Some(function), ..) => VectorStep::Unary(*function, a),
        (_, _, Some(function), _) => VectorStep::Binary(*function, a, b),
        (_, _, _, Some(reduction)) => VectorStep::Reduce(*reduction, a),
        (LOAD, ..) => VectorStep::Load(a),
        (SELECT, ..) => VectorStep::Select(a, b, c),
        (CONSTANT, ..) => VectorStep::Constant(f32::from_bits(bits)),
        _ => return None,
    };
    let is_nan = matches!(step, VectorStep::Constant(value) if value.is_nan());
    (!is_nan && parts(step) == (code, values, bits)).then_some(step)
}

/// A number of things of which there are at most so many.
fn count(reader: &mut Reader<'_>, most: usize, what: &'static str) -> Result<usize, DecodeError> {
    let at = reader.at();
    let value = u8::read(reader)?;
    if usize::from(value) > most {
        return Err(DecodeError::BadValue { at, value: value.into(), what });
    }
    Ok(value.into())
}

/// What follows the last of the things that there are.
fn filler(reader: &mut Reader<'_>, bytes: usize) -> Result<(), DecodeError> {
    let at = reader.at();
    match reader.take(bytes, "filler of a program")?.iter().find(|byte| **byte != 0) {
        None => Ok(()),
        Some(byte) => Err(DecodeError::BadValue { at, value: u64::from(*byte), what: "filler of a program (0)" }),
    }
}

impl Field for RowProgram {
    const BYTES: usize = 1 + OPERAND_BYTES * MAX_VECTOR_OPERANDS + 1 + STEP_BYTES * MAX_VECTOR_STEPS;
    fn layout() -> String {
        format!(
            "u8 number of operands; {MAX_VECTOR_OPERANDS} x (element u8, scale f32, zero point i32), zeros behind the last; u8 number of steps; \
             {MAX_VECTOR_STEPS} x (u8 step, 3 x u8 values, f32 constant), zeros behind the last"
        )
    }
    fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + Self::BYTES;
        // What would be too many is refused when it is read, and by validation.
        out.push(self.operands.len() as u8);
        for operand in self.operands.iter().take(MAX_VECTOR_OPERANDS) {
            operand.element.write(out);
            operand.scale.write(out);
            operand.zero_point.write(out);
        }
        out.resize(end - STEP_BYTES * MAX_VECTOR_STEPS - 1, 0);
        out.push(self.steps.len() as u8);
        for step in self.steps.iter().take(MAX_VECTOR_STEPS) {
            let (code, values, bits) = parts(*step);
            out.push(code);
            out.extend_from_slice(&values);
            bits.write(out);
        }
        out.resize(end, 0);
    }
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut program = RowProgram::default();
        let operands = count(reader, MAX_VECTOR_OPERANDS, "number of operands")?;
        for _ in 0..operands {
            let (element, scale) = (Field::read(reader)?, Field::read(reader)?);
            program.operands.push(RowOperand { element, scale, zero_point: Field::read(reader)? });
        }
        filler(reader, (MAX_VECTOR_OPERANDS - operands) * OPERAND_BYTES)?;
        let steps = count(reader, MAX_VECTOR_STEPS, "number of steps")?;
        for _ in 0..steps {
            let at = reader.at();
            let [code, values @ ..]: [u8; 4] = reader.array("a step")?;
            let step = step_of(code, values, u32::read(reader)?);
            program.steps.push(step.ok_or(DecodeError::BadValue { at, value: code.into(), what: "step" })?);
        }
        filler(reader, (MAX_VECTOR_STEPS - steps) * STEP_BYTES)?;
        Ok(program)
    }
    fn text(&self) -> String {
        format!("{{{}}}", self.lines().join("; "))
    }
    const KIND: FieldKind = FieldKind::Program;
    fn put(&self, numbers: &mut Vec<i64>) {
        numbers.push(self.operands.len() as i64);
        for operand in &self.operands {
            operand.element.put(numbers);
            operand.scale.put(numbers);
            operand.zero_point.put(numbers);
        }
        numbers.push(self.steps.len() as i64);
        for step in &self.steps {
            let (code, values, bits) = parts(*step);
            numbers.push(code.into());
            numbers.extend(values.map(i64::from));
            numbers.push(bits.into());
        }
    }
    fn take(numbers: &mut Numbers<'_>) -> Result<Self, String> {
        let mut program = RowProgram::default();
        let few = |count: u8, most: usize, what: &str| {
            if usize::from(count) <= most {
                Ok(count)
            } else {
                Err(format!("has {count} {what}; at most {most} are possible"))
            }
        };
        for _ in 0..few(numbers.next_as()?, MAX_VECTOR_OPERANDS, "operands")? {
            let (element, scale) = (Field::take(numbers)?, Field::take(numbers)?);
            program.operands.push(RowOperand { element, scale, zero_point: Field::take(numbers)? });
        }
        for _ in 0..few(numbers.next_as()?, MAX_VECTOR_STEPS, "steps")? {
            let code = numbers.next_as()?;
            let values = [numbers.next_as()?, numbers.next_as()?, numbers.next_as()?];
            let step = step_of(code, values, numbers.next_as()?);
            program
                .steps
                .push(step.ok_or_else(|| format!("has the number {code}, which is no step with these values"))?);
        }
        Ok(program)
    }
}

/// Begins the line of an operand.
const OPERAND: &str = "operand";

impl RowProgram {
    /// A line for each operand, as in `operand i8 scale 0.5 zero_point -128`, then one for each step.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let operands = self.operands.iter().map(|operand| {
            let has_none = operand.element.is_real() && operand.scale == 1.0;
            let scale = if has_none { String::new() } else { format!(" scale {:?}", operand.scale) };
            let zero_point = operand.zero_point;
            let zero_point = if zero_point == 0 { String::new() } else { format!(" zero_point {zero_point}") };
            format!("{OPERAND} {}{scale}{zero_point}", operand.element)
        });
        let steps = self.steps.iter().enumerate().map(|(number, step)| format!("%{number} = {step}"));
        operands.chain(steps).collect()
    }

    /// The program of such lines.
    ///
    /// # Errors
    /// When a line is none.
    pub fn parse(lines: &[String]) -> Result<RowProgram, String> {
        let is_operand = |line: &&String| line.split_whitespace().next() == Some(OPERAND);
        let operands: Result<Vec<RowOperand>, String> =
            lines.iter().take_while(is_operand).map(|line| parse_operand(line)).collect();
        let steps = lines.iter().skip_while(is_operand).map(String::as_str);
        Ok(RowProgram { operands: operands?, steps: VectorProgram::parse_steps(steps)? })
    }
}

fn parse_operand(line: &str) -> Result<RowOperand, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let refused = || {
        format!(
            "line '{line}' is not 'operand f32', 'operand f16', 'operand i8 scale S', 'operand i8 scale S zero_point Z' or 'operand i16 scale S'"
        )
    };
    let element = |name: &str| BpuElement::OF_INSTRUCTIONS.into_iter().find(|element| element.name() == name);
    match words.as_slice() {
        [_, name] => {
            let element = element(name).filter(|element| element.is_real()).ok_or_else(refused)?;
            Ok(RowOperand { element, scale: 1.0, zero_point: 0 })
        }
        [_, name, "scale", scale, rest @ ..] => Ok(RowOperand {
            element: element(name).ok_or_else(refused)?,
            scale: scale.parse().map_err(|_| refused())?,
            zero_point: match rest {
                [] => 0,
                ["zero_point", zero_point] => zero_point.parse().map_err(|_| refused())?,
                _ => return Err(refused()),
            },
        }),
        _ => Err(refused()),
    }
}

impl Run {
    /// The fields of operands, by their names.
    pub fn operands(&self) -> [(&'static str, Option<&View>); MAX_VECTOR_OPERANDS] {
        [
            ("operand0", self.operand0.as_ref()),
            ("operand1", self.operand1.as_ref()),
            ("operand2", self.operand2.as_ref()),
            ("operand3", self.operand3.as_ref()),
            ("operand4", self.operand4.as_ref()),
            ("operand5", self.operand5.as_ref()),
        ]
    }

    /// The sizes of the dimensions of a row.
    pub fn row(&self) -> &[u32] {
        let outer = RANK.saturating_sub(self.row_dimensions as usize);
        self.shape.get(outer..).unwrap_or_default()
    }

    /// The sizes of the output.
    pub fn output_shape(&self) -> [u32; RANK] {
        let outer = RANK.saturating_sub(self.row_dimensions as usize);
        let mut shape = self.shape;
        if self.reduced {
            shape.iter_mut().skip(outer).for_each(|size| *size = 1);
        }
        shape
    }
}
