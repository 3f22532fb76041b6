//! VAE and VPU: one output element from the input elements in the same place.

use crate::nash::isa::{Add, BpuElement, Dequantize, Lookup, Mul, Normalize, PRelu, Quantize, RANK, Requantize, View};
use crate::numerics::{self, Destination, LookupTable, Multiplier, SumMultipliers};
use crate::sim::machine::{Fault, full_range, slope_multipliers};
use crate::team::TeamRun;

use super::kernel::{Level, lanes};
use super::lines;
use super::walk::{CHUNK, Line, Walk, WalkLayout, chunks};

/// An operand and its element type.
type Typed<'a> = (&'a View, BpuElement);

/// The threads of a run, and what they compute with.
pub(super) type Workers<'a, 'b> = (&'a mut TeamRun<'b>, Level);

/// Makes integers distances from their zero point.
fn centre(level: Level, values: &mut [i32], zero_point: i32) {
    if zero_point != 0 {
        lanes::subtract(level, values, zero_point);
    }
}

/// Computes the output from some operands, some elements at a time: `compute` is given those of each operand, and puts the results in the place of the
/// first.
fn each<const INPUTS: usize, const OPERANDS: usize>(
    (team, level): Workers<'_, '_>,
    memory: &mut [u8],
    shape: &[u32; RANK],
    (inputs, output): ([Typed<'_>; INPUTS], Typed<'_>),
    compute: impl Fn([&mut [i32]; INPUTS]) + Sync,
) -> Result<(), Fault> {
    let mut layouts = [WalkLayout::from(output.0); OPERANDS];
    layouts.iter_mut().zip(inputs).for_each(|(layout, input)| *layout = WalkLayout::from(input.0));
    let walk = Walk::new(shape, layouts)?;
    let line = |starts: &[usize; OPERANDS], operand: usize, element| Line {
        start: starts[operand],
        step: walk.steps[operand],
        element,
    };
    let compute = |values: &mut [[i32; CHUNK]; INPUTS], count: usize| {
        compute(values.each_mut().map(|values| &mut values[..count]))
    };
    let lines = |starts: &[usize; OPERANDS]| {
        (std::array::from_fn(|input| line(starts, input, inputs[input].1)), line(starts, INPUTS, output.1))
    };
    if let Some(starts) = walk.only_line()
        && lines::in_parts((team, level), memory, walk.length, lines(&starts), compute)
    {
        return Ok(());
    }
    let mut values = [[0; CHUNK]; INPUTS];
    walk.for_each(|starts| {
        let (inputs, output): ([Line; INPUTS], Line) = lines(&starts);
        chunks(walk.length, |first, count| {
            for (line, values) in inputs.iter().zip(&mut values) {
                line.read(level, memory, first, &mut values[..count])?;
            }
            compute(&mut values, count);
            output.write(level, memory, first, &values[0][..count])
        })
    })
}

/// Computes the output from one operand.
pub(super) fn map(
    workers: Workers<'_, '_>,
    memory: &mut [u8],
    shape: &[u32; RANK],
    [input, output]: [Typed<'_>; 2],
    compute: impl Fn(&mut [i32]) + Sync,
) -> Result<(), Fault> {
    each::<1, 2>(workers, memory, shape, ([input], output), |[values]| compute(values))
}

/// Computes the output from the distances of two operands from their zero points; the first is replaced by the result.
fn join(
    workers: Workers<'_, '_>,
    memory: &mut [u8],
    shape: &[u32; RANK],
    [a, b, output]: [Typed<'_>; 3],
    [a_zero, b_zero]: [i32; 2],
    compute: impl Fn(&mut [i32], &[i32]) + Sync,
) -> Result<(), Fault> {
    let level = workers.1;
    each::<2, 3>(workers, memory, shape, ([a, b], output), |[a, b]| {
        centre(level, a, a_zero);
        centre(level, b, b_zero);
        compute(a, b);
    })
}

pub(super) fn add((team, level): Workers<'_, '_>, memory: &mut [u8], o: &Add) -> Result<(), Fault> {
    let multipliers = SumMultipliers { lhs: o.multiplier_a, rhs: o.multiplier_b, shift: o.shift };
    let operands = [(&o.a, o.a_element), (&o.b, o.b_element), (&o.output, o.output_element)];
    let [a_zero, b_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    let walk = Walk::new(&o.shape, operands.map(|(view, _)| WalkLayout::from(view)))?;
    let line = |start: usize, operand: usize| Line { start, step: walk.steps[operand], element: operands[operand].1 };
    if let Some([a, b, output]) = walk.only_line()
        && lines::in_parts_of_bytes(
            team,
            memory,
            walk.length,
            ([line(a, 0), line(b, 1)], line(output, 2)),
            |[a, b], results| {
                lanes::add_i8(level, a, b, [a_zero, b_zero], multipliers, to, results);
            },
        )
    {
        return Ok(());
    }
    let zero_points = [a_zero, b_zero];
    join((team, level), memory, &o.shape, operands, zero_points, |a, b| lanes::add(level, a, b, multipliers, to))
}

pub(super) fn mul(workers: Workers<'_, '_>, memory: &mut [u8], o: &Mul) -> Result<(), Fault> {
    let level = workers.1;
    let multiplier = Multiplier { mantissa: o.mantissa, shift: o.shift };
    let operands = [(&o.a, o.a_element), (&o.b, o.b_element), (&o.output, o.output_element)];
    let [a_zero, b_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    join(workers, memory, &o.shape, operands, [a_zero, b_zero], |a, b| {
        lanes::multiply(level, a, b);
        lanes::rescale(level, a, multiplier, to);
    })
}

pub(super) fn p_relu(workers: Workers<'_, '_>, memory: &mut [u8], o: &PRelu) -> Result<(), Fault> {
    let level = workers.1;
    let multipliers = slope_multipliers(o);
    let operands = [(&o.input, o.input_element), (&o.slope, o.slope_element), (&o.output, o.output_element)];
    let [input_zero, slope_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    let zero_points = [input_zero, slope_zero];
    join(workers, memory, &o.shape, operands, zero_points, |x, slope| lanes::p_relu(level, x, slope, multipliers, to))
}

pub(super) fn requantize(workers: Workers<'_, '_>, memory: &mut [u8], o: &Requantize) -> Result<(), Fault> {
    let level = workers.1;
    let multiplier = Multiplier { mantissa: o.mantissa, shift: o.shift };
    let operands = [(&o.input, o.input_element), (&o.output, o.output_element)];
    let [input_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    map(workers, memory, &o.shape, operands, |values| {
        centre(level, values, input_zero);
        lanes::rescale(level, values, multiplier, to);
    })
}

pub(super) fn lookup(workers: Workers<'_, '_>, memory: &mut [u8], o: &Lookup) -> Result<(), Fault> {
    let level = workers.1;
    let line = Line { start: o.table.address as usize, step: i64::from(o.table.strides[0]), element: BpuElement::I8 };
    let mut entries = [0; 256];
    line.read(level, memory, 0, &mut entries).ok_or_else(super::walk::outside)?;
    let table: LookupTable = entries.map(|entry| entry as i8);
    let operands = [(&o.input, BpuElement::I8), (&o.output, BpuElement::I8)];
    map(workers, memory, &o.shape, operands, |values| {
        values.iter_mut().for_each(|value| *value = numerics::lookup(&table, *value as i8).into());
    })
}

pub(super) fn quantize(workers: Workers<'_, '_>, memory: &mut [u8], o: &Quantize) -> Result<(), Fault> {
    let level = workers.1;
    let to = Destination { zero_point: o.zero_point, clamp: full_range(o.output_element) };
    let operands = [(&o.input, BpuElement::F32), (&o.output, o.output_element)];
    map(workers, memory, &o.shape, operands, |values| lanes::quantize(level, values, o.scale, to))
}

pub(super) fn normalize(workers: Workers<'_, '_>, memory: &mut [u8], o: &Normalize) -> Result<(), Fault> {
    let level = workers.1;
    let to = Destination { zero_point: o.zero_point, clamp: full_range(o.output_element) };
    let inputs = [&o.input, &o.means, &o.factors].map(|view| (view, BpuElement::F32));
    each::<3, 4>(workers, memory, &o.shape, (inputs, (&o.output, o.output_element)), |[x, means, factors]| {
        lanes::normalize(level, x, means, factors);
        lanes::quantize(level, x, o.scale, to);
    })
}

pub(super) fn dequantize(workers: Workers<'_, '_>, memory: &mut [u8], o: &Dequantize) -> Result<(), Fault> {
    let level = workers.1;
    let (input, output) = ((&o.input, o.input_element), (&o.output, BpuElement::F32));
    match &o.scales {
        None => map(workers, memory, &o.shape, [input, output], |values| {
            centre(level, values, o.zero_point);
            lanes::dequantize(level, values, o.scale);
        }),
        Some(scales) => {
            let operands = [input, (scales, BpuElement::F32), output];
            let zero_points = [o.zero_point, 0];
            join(workers, memory, &o.shape, operands, zero_points, |values, scales| {
                lanes::dequantize_each(level, values, scales);
            })
        }
    }
}
