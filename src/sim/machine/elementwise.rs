//! VAE and VPU: one output element from the input elements in the same place.

use crate::nash::isa::{Add, Dequantize, ElementType, Lookup, Mul, Quantize, Requantize};
use crate::numerics::{self, Clamp, LookupTable, Multiplier, SumMultipliers};

use super::memory::{Fault, read, write};

pub(super) fn add(l1m: &mut [u8], o: &Add) -> Result<(), Fault> {
    let multipliers = SumMultipliers { lhs: o.multiplier_a, rhs: o.multiplier_b, shift: o.shift };
    let mut a = read(l1m, &o.a, &o.shape, o.a_element)?;
    let b = read(l1m, &o.b, &o.shape, o.b_element)?;
    a.iter_mut().zip(b).for_each(|(a, b)| *a = numerics::add(*a, b, multipliers, o.clamp));
    write(l1m, &o.output, &o.shape, o.output_element, &a)
}

pub(super) fn mul(l1m: &mut [u8], o: &Mul) -> Result<(), Fault> {
    let multiplier = Multiplier { mantissa: o.mantissa, shift: o.shift };
    let mut a = read(l1m, &o.a, &o.shape, o.a_element)?;
    let b = read(l1m, &o.b, &o.shape, o.b_element)?;
    a.iter_mut().zip(b).for_each(|(a, b)| *a = numerics::multiply(*a, b, multiplier, o.clamp));
    write(l1m, &o.output, &o.shape, o.output_element, &a)
}

pub(super) fn requantize(l1m: &mut [u8], o: &Requantize) -> Result<(), Fault> {
    let multiplier = Multiplier { mantissa: o.mantissa, shift: o.shift };
    let mut values = read(l1m, &o.input, &o.shape, o.input_element)?;
    values.iter_mut().for_each(|value| *value = numerics::requantize(*value, multiplier, o.clamp));
    write(l1m, &o.output, &o.shape, o.output_element, &values)
}

pub(super) fn lookup(l1m: &mut [u8], o: &Lookup) -> Result<(), Fault> {
    let entries = read(l1m, &o.table, &[256], ElementType::I8)?;
    let mut table: LookupTable = [0; 256];
    table.iter_mut().zip(entries).for_each(|(entry, value)| *entry = value as i8);
    let mut values = read(l1m, &o.input, &o.shape, ElementType::I8)?;
    values.iter_mut().for_each(|value| *value = numerics::lookup(&table, *value as i8).into());
    write(l1m, &o.output, &o.shape, ElementType::I8, &values)
}

pub(super) fn quantize(l1m: &mut [u8], o: &Quantize) -> Result<(), Fault> {
    let clamp = if o.output_element == ElementType::I8 { Clamp::I8 } else { Clamp::I16 };
    let mut values = read(l1m, &o.input, &o.shape, ElementType::F32)?;
    values.iter_mut().for_each(|value| *value = numerics::quantize(f32::from_bits(*value as u32), o.scale, clamp));
    write(l1m, &o.output, &o.shape, o.output_element, &values)
}

pub(super) fn dequantize(l1m: &mut [u8], o: &Dequantize) -> Result<(), Fault> {
    let mut values = read(l1m, &o.input, &o.shape, o.input_element)?;
    let real = |value: i32, scale: f32| numerics::dequantize(value, scale).to_bits() as i32;
    match &o.scales {
        None => values.iter_mut().for_each(|value| *value = real(*value, o.scale)),
        Some(scales) => {
            let scales = read(l1m, scales, &o.shape, ElementType::F32)?;
            values.iter_mut().zip(scales).for_each(|(q, scale)| *q = real(*q, f32::from_bits(scale as u32)));
        }
    }
    write(l1m, &o.output, &o.shape, ElementType::F32, &values)
}
