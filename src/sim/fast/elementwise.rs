//! VAE and VPU: one output element from the input elements in the same place.

use crate::nash::isa::{Add, BpuElement, Dequantize, Lookup, Mul, Normalize, PRelu, Quantize, RANK, Requantize, View};
use crate::numerics::{self, Destination, LookupTable, Multiplier, SumMultipliers};
use crate::sim::machine::{Fault, full_range, slope_multipliers};

use super::kernel::{Level, lanes};
use super::walk::{CHUNK, Line, Walk, WalkLayout, chunks};

/// An operand and its element type.
type Typed<'a> = (&'a View, BpuElement);

/// Makes integers distances from their zero point.
fn centre(level: Level, values: &mut [i32], zero_point: i32) {
    if zero_point != 0 {
        lanes::subtract(level, values, zero_point);
    }
}

/// Computes the output from one operand, some elements at a time.
pub(super) fn map(
    memory: &mut [u8],
    level: Level,
    shape: &[u32; RANK],
    [input, output]: [Typed<'_>; 2],
    compute: impl Fn(&mut [i32]),
) -> Result<(), Fault> {
    let walk = Walk::new(shape, [WalkLayout::from(input.0), WalkLayout::from(output.0)])?;
    let mut values = [0; CHUNK];
    walk.for_each(|[from, to]| {
        let from = Line { start: from, step: walk.steps[0], element: input.1 };
        let to = Line { start: to, step: walk.steps[1], element: output.1 };
        chunks(walk.length, |first, count| {
            let values = &mut values[..count];
            from.read(level, memory, first, values)?;
            compute(values);
            to.write(level, memory, first, values)
        })
    })
}

/// Computes the output from the distances of two operands from their zero points, some elements at a time; the first is replaced by the result.
fn join(
    memory: &mut [u8],
    level: Level,
    shape: &[u32; RANK],
    [a, b, output]: [Typed<'_>; 3],
    [a_zero, b_zero]: [i32; 2],
    compute: impl Fn(&mut [i32], &[i32]),
) -> Result<(), Fault> {
    let walk = Walk::new(shape, [a, b, output].map(|operand| WalkLayout::from(operand.0)))?;
    let (mut first_values, mut second_values) = ([0; CHUNK], [0; CHUNK]);
    walk.for_each(|[start_a, start_b, start_output]| {
        let line_a = Line { start: start_a, step: walk.steps[0], element: a.1 };
        let line_b = Line { start: start_b, step: walk.steps[1], element: b.1 };
        let line_output = Line { start: start_output, step: walk.steps[2], element: output.1 };
        chunks(walk.length, |first, count| {
            let (a, b) = (&mut first_values[..count], &mut second_values[..count]);
            line_a.read(level, memory, first, a)?;
            line_b.read(level, memory, first, b)?;
            centre(level, a, a_zero);
            centre(level, b, b_zero);
            compute(a, b);
            line_output.write(level, memory, first, a)
        })
    })
}

pub(super) fn add(memory: &mut [u8], level: Level, o: &Add) -> Result<(), Fault> {
    let multipliers = SumMultipliers { lhs: o.multiplier_a, rhs: o.multiplier_b, shift: o.shift };
    let operands = [(&o.a, o.a_element), (&o.b, o.b_element), (&o.output, o.output_element)];
    let [a_zero, b_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    join(memory, level, &o.shape, operands, [a_zero, b_zero], |a, b| lanes::add(level, a, b, multipliers, to))
}

pub(super) fn mul(memory: &mut [u8], level: Level, o: &Mul) -> Result<(), Fault> {
    let multiplier = Multiplier { mantissa: o.mantissa, shift: o.shift };
    let operands = [(&o.a, o.a_element), (&o.b, o.b_element), (&o.output, o.output_element)];
    let [a_zero, b_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    join(memory, level, &o.shape, operands, [a_zero, b_zero], |a, b| {
        lanes::multiply(level, a, b);
        lanes::rescale(level, a, multiplier, to);
    })
}

pub(super) fn p_relu(memory: &mut [u8], level: Level, o: &PRelu) -> Result<(), Fault> {
    let multipliers = slope_multipliers(o);
    let operands = [(&o.input, o.input_element), (&o.slope, o.slope_element), (&o.output, o.output_element)];
    let [input_zero, slope_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    let zero_points = [input_zero, slope_zero];
    join(memory, level, &o.shape, operands, zero_points, |x, slope| lanes::p_relu(level, x, slope, multipliers, to))
}

pub(super) fn requantize(memory: &mut [u8], level: Level, o: &Requantize) -> Result<(), Fault> {
    let multiplier = Multiplier { mantissa: o.mantissa, shift: o.shift };
    let operands = [(&o.input, o.input_element), (&o.output, o.output_element)];
    let [input_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    map(memory, level, &o.shape, operands, |values| {
        centre(level, values, input_zero);
        lanes::rescale(level, values, multiplier, to);
    })
}

pub(super) fn lookup(memory: &mut [u8], level: Level, o: &Lookup) -> Result<(), Fault> {
    let line = Line { start: o.table.address as usize, step: i64::from(o.table.strides[0]), element: BpuElement::I8 };
    let mut entries = [0; 256];
    line.read(level, memory, 0, &mut entries).ok_or_else(super::walk::outside)?;
    let table: LookupTable = entries.map(|entry| entry as i8);
    let operands = [(&o.input, BpuElement::I8), (&o.output, BpuElement::I8)];
    map(memory, level, &o.shape, operands, |values| {
        values.iter_mut().for_each(|value| *value = numerics::lookup(&table, *value as i8).into());
    })
}

pub(super) fn quantize(memory: &mut [u8], level: Level, o: &Quantize) -> Result<(), Fault> {
    let to = Destination { zero_point: o.zero_point, clamp: full_range(o.output_element) };
    let operands = [(&o.input, BpuElement::F32), (&o.output, o.output_element)];
    map(memory, level, &o.shape, operands, |values| lanes::quantize(level, values, o.scale, to))
}

pub(super) fn normalize(memory: &mut [u8], level: Level, o: &Normalize) -> Result<(), Fault> {
    let to = Destination { zero_point: o.zero_point, clamp: full_range(o.output_element) };
    let walk = Walk::new(&o.shape, [&o.input, &o.means, &o.factors, &o.output].map(WalkLayout::from))?;
    let mut values = [[0; CHUNK]; 3];
    walk.for_each(|starts| {
        let line =
            |operand: usize, element: BpuElement| Line { start: starts[operand], step: walk.steps[operand], element };
        chunks(walk.length, |first, count| {
            for (operand, values) in values.iter_mut().enumerate() {
                line(operand, BpuElement::F32).read(level, memory, first, &mut values[..count])?;
            }
            let [x, means, factors] = &mut values;
            lanes::normalize(level, &mut x[..count], &means[..count], &factors[..count]);
            lanes::quantize(level, &mut x[..count], o.scale, to);
            line(3, o.output_element).write(level, memory, first, &x[..count])
        })
    })
}

pub(super) fn dequantize(memory: &mut [u8], level: Level, o: &Dequantize) -> Result<(), Fault> {
    let (input, output) = ((&o.input, o.input_element), (&o.output, BpuElement::F32));
    match &o.scales {
        None => map(memory, level, &o.shape, [input, output], |values| {
            centre(level, values, o.zero_point);
            lanes::dequantize(level, values, o.scale);
        }),
        Some(scales) => {
            let operands = [input, (scales, BpuElement::F32), output];
            let zero_points = [o.zero_point, 0];
            join(memory, level, &o.shape, operands, zero_points, |values, scales| {
                lanes::dequantize_each(level, values, scales);
            })
        }
    }
}
