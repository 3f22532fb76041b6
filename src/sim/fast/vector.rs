//! Programs of the float engine: some rows at a time, step by step, so that every step is a loop over neighbouring numbers.

use crate::nash::isa::{BpuElement, RANK, RowOperand, Run, View};
use crate::numerics::{Destination, VectorProgram, VectorStep, reduce};
use crate::sim::machine::{Fault, full_range, row_length, vector_program};

use super::kernel::{Level, vector};
use super::walk::{CHUNK, Line, outside};

/// Elements that are computed together, unless a row has more.
const BLOCK: usize = 2048;

/// What a step gives for the rows of a block.
enum Value {
    /// One number for all.
    Constant(f32),
    /// One number for each row.
    Rows(Vec<f32>),
    /// Every element.
    Elements(Vec<f32>),
}

/// The elements of a view, in row-major order of some dimensions.
struct Elements {
    start: i64,
    element: BpuElement,
    /// Sizes and strides of dimensions that the view does not continue, outermost first; the last is a line.
    dimensions: Vec<(u64, i64)>,
}

impl Elements {
    fn new(view: &View, shape: &[u32; RANK], dimensions: std::ops::Range<usize>, element: BpuElement) -> Elements {
        let mut joined: Vec<(u64, i64)> = Vec::new();
        let pairs = shape.iter().zip(view.strides).take(dimensions.end).skip(dimensions.start);
        for (size, stride) in pairs.map(|(size, stride)| (u64::from(*size), i64::from(stride))) {
            match joined.last_mut() {
                _ if size == 1 => {}
                Some(last) if i64::try_from(size).ok().and_then(|size| stride.checked_mul(size)) == Some(last.1) => {
                    *last = (last.0.saturating_mul(size), stride);
                }
                _ => joined.push((size, stride)),
            }
        }
        if joined.is_empty() {
            joined.push((1, 0));
        }
        Elements { start: view.address.into(), element, dimensions: joined }
    }

    /// Whether one element is repeated.
    fn is_one(&self) -> bool {
        self.dimensions.iter().all(|(_, stride)| *stride == 0)
    }

    /// Calls `visit` with the parts of lines that hold `count` elements from `first` on: the line, the first element in it, and the range of
    /// the elements.
    fn for_each_line(
        &self,
        first: usize,
        count: usize,
        mut visit: impl FnMut(Line, usize, std::ops::Range<usize>) -> Option<()>,
    ) -> Result<(), Fault> {
        let Some(((length, step), outer)) = self.dimensions.split_last() else { return Ok(()) };
        let length = usize::try_from(*length).map_err(|_| outside())?;
        let mut done = 0;
        while done < count {
            let (mut line, within) = ((first + done) / length, (first + done) % length);
            let mut start = self.start;
            for (size, stride) in outer.iter().rev() {
                let size = usize::try_from(*size).map_err(|_| outside())?;
                let index = i64::try_from(line % size).map_err(|_| outside())?;
                start =
                    index.checked_mul(*stride).and_then(|distance| start.checked_add(distance)).ok_or_else(outside)?;
                line /= size;
            }
            let taken = (length - within).min(count - done).min(CHUNK);
            let line =
                Line { start: usize::try_from(start).map_err(|_| outside())?, step: *step, element: self.element };
            visit(line, within, done..done + taken).ok_or_else(outside)?;
            done += taken;
        }
        Ok(())
    }

    /// Reads elements from `first` on as real numbers.
    fn load(
        &self,
        level: Level,
        memory: &[u8],
        operand: RowOperand,
        first: usize,
        results: &mut [f32],
    ) -> Result<(), Fault> {
        let mut stored = [0; CHUNK];
        self.for_each_line(first, results.len(), |line, within, range| {
            let stored = stored.get_mut(..range.len())?;
            line.read(level, memory, within, stored)?;
            let results = results.get_mut(range)?;
            match operand.element {
                BpuElement::F32 => vector::load_bits(level, stored, results),
                BpuElement::F16 => vector::load_halves(level, stored, results),
                _ => vector::load(level, stored, operand.scale, operand.zero_point, results),
            }
            Some(())
        })
    }

    /// Writes elements from `first` on.
    fn store(
        &self,
        level: Level,
        memory: &mut [u8],
        (scale, zero_point): (f32, i32),
        first: usize,
        values: &[f32],
    ) -> Result<(), Fault> {
        let mut stored = [0; CHUNK];
        self.for_each_line(first, values.len(), |line, within, range| {
            let stored = stored.get_mut(..range.len())?;
            let values = values.get(range)?;
            match self.element {
                BpuElement::F32 => vector::store_bits(level, values, stored),
                BpuElement::F16 => vector::store_halves(level, values, stored),
                element => {
                    let to = Destination { zero_point, clamp: full_range(element) };
                    vector::store(level, values, scale, to, stored);
                }
            }
            line.write(level, memory, within, stored)
        })
    }
}

/// An operand, as its rows are read.
struct Operand {
    row: RowOperand,
    elements: Elements,
    /// By rows, where all elements of a row are one.
    rows: Option<Elements>,
}

/// Some rows in work.
struct Block<'p> {
    level: Level,
    program: &'p VectorProgram,
    operands: Vec<Operand>,
    /// Elements of a row.
    length: usize,
    /// Of the steps so far; memory of earlier blocks is used again.
    values: Vec<Value>,
}

pub(super) fn run(memory: &mut [u8], level: Level, o: &Run) -> Result<(), Fault> {
    let (program, length) = (vector_program(o)?, row_length(o)?);
    let outer = RANK.saturating_sub(o.row_dimensions as usize);
    let mut operands = Vec::with_capacity(o.program.operands.len());
    for ((name, view), row) in o.operands().into_iter().zip(&o.program.operands) {
        let view = view.ok_or_else(|| format!("{name} is absent"))?;
        let is_one = length > 1 && Elements::new(view, &o.shape, outer..RANK, row.element).is_one();
        operands.push(Operand {
            row: *row,
            elements: Elements::new(view, &o.shape, 0..RANK, row.element),
            rows: is_one.then(|| Elements::new(view, &o.shape, 0..outer, row.element)),
        });
    }
    let output = Elements::new(&o.output, &o.output_shape(), 0..RANK, o.output_element);
    let rows =
        o.shape.iter().try_fold(1usize, |count, size| count.checked_mul(*size as usize)).ok_or_else(outside)? / length;
    let mut block = Block { level, program: &program, operands, length, values: Vec::new() };
    let together = (BLOCK / length).max(1);
    for first in (0..rows).step_by(together) {
        let count = together.min(rows - first);
        block.compute(memory, first, count)?;
        let result = block.result(count, o.reduced)?;
        let first = if o.reduced { first } else { first * length };
        output.store(level, memory, (o.output_scale, o.output_zero_point), first, &result)?;
    }
    Ok(())
}

impl Block<'_> {
    /// Does all steps for `rows` rows from `first` on.
    fn compute(&mut self, memory: &[u8], first: usize, rows: usize) -> Result<(), Fault> {
        let mut used = std::mem::take(&mut self.values).into_iter();
        for step in self.program.steps() {
            // The memory of the same step of the block before.
            let mut buffer = match used.next() {
                Some(Value::Rows(values) | Value::Elements(values)) => values,
                _ => Vec::new(),
            };
            let value = match *step {
                VectorStep::Constant(constant) => Value::Constant(constant),
                VectorStep::Load(operand) => self.load(memory, operand.into(), first, rows, buffer)?,
                VectorStep::Unary(function, a) => match self.value(a)? {
                    Value::Constant(a) => Value::Constant(function.apply(*a)),
                    Value::Rows(a) => {
                        buffer.resize(a.len(), 0.0);
                        vector::unary(self.level, function, a, &mut buffer);
                        Value::Rows(buffer)
                    }
                    Value::Elements(a) => {
                        buffer.resize(a.len(), 0.0);
                        vector::unary(self.level, function, a, &mut buffer);
                        Value::Elements(buffer)
                    }
                },
                VectorStep::Binary(function, a, b) => self.binary(function, a, b, rows, buffer)?,
                VectorStep::Select(a, b, c) => {
                    let [a, b, c] = [self.expanded(a, rows)?, self.expanded(b, rows)?, self.expanded(c, rows)?];
                    buffer.resize(rows * self.length, 0.0);
                    vector::select(self.level, &a, &b, &c, &mut buffer);
                    Value::Elements(buffer)
                }
                VectorStep::Reduce(reduction, a) => {
                    buffer.clear();
                    buffer.resize(rows, 0.0);
                    match self.value(a)? {
                        Value::Elements(a) => {
                            for (row, result) in a.chunks(self.length).zip(&mut buffer) {
                                vector::reduce(self.level, reduction, row, result);
                            }
                        }
                        Value::Rows(a) => {
                            for (a, result) in a.iter().zip(&mut buffer) {
                                *result = reduce(reduction, &vec![*a; self.length]);
                            }
                        }
                        Value::Constant(a) => buffer.fill(reduce(reduction, &vec![*a; self.length])),
                    }
                    Value::Rows(buffer)
                }
            };
            self.values.push(value);
        }
        Ok(())
    }

    fn value(&self, number: u8) -> Result<&Value, Fault> {
        self.values.get(usize::from(number)).ok_or_else(|| format!("there is no value %{number}"))
    }

    fn load(
        &self,
        memory: &[u8],
        index: usize,
        first: usize,
        rows: usize,
        mut buffer: Vec<f32>,
    ) -> Result<Value, Fault> {
        let operand = self.operands.get(index).ok_or_else(|| format!("there is no operand {index}"))?;
        if let Some(elements) = &operand.rows {
            buffer.resize(rows, 0.0);
            elements.load(self.level, memory, operand.row, first, &mut buffer)?;
            return Ok(Value::Rows(buffer));
        }
        buffer.resize(rows * self.length, 0.0);
        operand.elements.load(self.level, memory, operand.row, first * self.length, &mut buffer)?;
        Ok(Value::Elements(buffer))
    }

    fn binary(
        &self,
        function: crate::numerics::VectorBinary,
        a: u8,
        b: u8,
        rows: usize,
        mut buffer: Vec<f32>,
    ) -> Result<Value, Fault> {
        let (level, length) = (self.level, self.length);
        let (a, b) = (self.value(a)?, self.value(b)?);
        if let (Value::Constant(a), Value::Constant(b)) = (a, b) {
            return Ok(Value::Constant(function.apply(*a, *b)));
        }
        let is_whole = matches!(a, Value::Elements(_)) || matches!(b, Value::Elements(_));
        buffer.resize(if is_whole { rows * length } else { rows }, 0.0);
        match (a, b) {
            (Value::Elements(a), Value::Elements(b)) | (Value::Rows(a), Value::Rows(b)) => {
                vector::binary(level, function, a, b, &mut buffer);
            }
            (Value::Elements(a) | Value::Rows(a), Value::Constant(b)) => {
                vector::binary_right(level, function, a, *b, &mut buffer);
            }
            (Value::Constant(a), Value::Elements(b) | Value::Rows(b)) => {
                vector::binary_left(level, function, *a, b, &mut buffer);
            }
            (Value::Elements(a), Value::Rows(b)) => {
                for ((a, b), results) in a.chunks(length).zip(b).zip(buffer.chunks_mut(length)) {
                    vector::binary_right(level, function, a, *b, results);
                }
            }
            (Value::Rows(a), Value::Elements(b)) => {
                for ((a, b), results) in a.iter().zip(b.chunks(length)).zip(buffer.chunks_mut(length)) {
                    vector::binary_left(level, function, *a, b, results);
                }
            }
            (Value::Constant(_), Value::Constant(_)) => {}
        }
        Ok(if is_whole { Value::Elements(buffer) } else { Value::Rows(buffer) })
    }

    /// Every element of a value.
    fn expanded(&self, number: u8, rows: usize) -> Result<std::borrow::Cow<'_, [f32]>, Fault> {
        Ok(match self.value(number)? {
            Value::Elements(values) => values.into(),
            Value::Constant(value) => vec![*value; rows * self.length].into(),
            Value::Rows(values) => {
                values.iter().flat_map(|value| std::iter::repeat_n(*value, self.length)).collect::<Vec<f32>>().into()
            }
        })
    }

    /// What is stored of the last step.
    fn result(&self, rows: usize, reduced: bool) -> Result<std::borrow::Cow<'_, [f32]>, Fault> {
        let last = u8::try_from(self.values.len().saturating_sub(1)).map_err(|error| error.to_string())?;
        match (self.value(last)?, reduced) {
            (Value::Rows(values), true) => Ok(values.into()),
            (Value::Constant(value), true) => Ok(vec![*value; rows].into()),
            (Value::Elements(values), true) => {
                Ok(values.iter().step_by(self.length).copied().collect::<Vec<f32>>().into())
            }
            (_, false) => self.expanded(last, rows),
        }
    }
}
