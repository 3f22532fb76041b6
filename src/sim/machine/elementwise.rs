//! VAE and VPU: one output element from the input elements in the same place.

use crate::nash::isa::{
    self, Add, BpuElement, CURVE_PIECE_BYTES, Dequantize, Lookup, Mul, Normalize, PRelu, Quantize, Requantize,
};
use crate::numerics::{
    self, Clamp, Curve, Destination, LookupTable, Multiplier, Piece, SlopeMultipliers, SumMultipliers,
};

use super::memory::{BytePlace, Fault, read, write};

pub(super) fn add(l1m: &mut [u8], o: &Add) -> Result<(), Fault> {
    let multipliers = SumMultipliers { lhs: o.multiplier_a, rhs: o.multiplier_b, shift: o.shift };
    let [a_zero, b_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    let mut a = read(l1m, &o.a, &o.shape, o.a_element)?;
    let b = read(l1m, &o.b, &o.shape, o.b_element)?;
    a.iter_mut().zip(b).for_each(|(a, b)| *a = numerics::add(*a - a_zero, b - b_zero, multipliers, to));
    write(l1m, &o.output, &o.shape, o.output_element, &a)
}

pub(super) fn mul(l1m: &mut [u8], o: &Mul) -> Result<(), Fault> {
    let multiplier = Multiplier { mantissa: o.mantissa, shift: o.shift };
    let [a_zero, b_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    let mut a = read(l1m, &o.a, &o.shape, o.a_element)?;
    let b = read(l1m, &o.b, &o.shape, o.b_element)?;
    a.iter_mut().zip(b).for_each(|(a, b)| *a = numerics::multiply(*a - a_zero, b - b_zero, multiplier, to));
    write(l1m, &o.output, &o.shape, o.output_element, &a)
}

/// The multipliers that an instruction holds.
pub(in crate::sim) fn slope_multipliers(o: &PRelu) -> SlopeMultipliers {
    SlopeMultipliers {
        positive: Multiplier { mantissa: o.mantissa, shift: o.shift },
        negative: Multiplier { mantissa: o.slope_mantissa, shift: o.slope_shift },
    }
}

pub(super) fn p_relu(l1m: &mut [u8], o: &PRelu) -> Result<(), Fault> {
    let multipliers = slope_multipliers(o);
    let [input_zero, slope_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    let mut values = read(l1m, &o.input, &o.shape, o.input_element)?;
    let slopes = read(l1m, &o.slope, &o.shape, o.slope_element)?;
    values.iter_mut().zip(slopes).for_each(|(x, slope)| {
        *x = numerics::p_relu(*x - input_zero, slope - slope_zero, multipliers, to);
    });
    write(l1m, &o.output, &o.shape, o.output_element, &values)
}

pub(super) fn requantize(l1m: &mut [u8], o: &Requantize) -> Result<(), Fault> {
    let multiplier = Multiplier { mantissa: o.mantissa, shift: o.shift };
    let [input_zero, zero_point] = o.zero_points;
    let to = Destination { zero_point, clamp: o.clamp };
    let mut values = read(l1m, &o.input, &o.shape, o.input_element)?;
    // An i32 has the zero point 0.
    values.iter_mut().for_each(|value| *value = numerics::requantize(*value - input_zero, multiplier, to));
    write(l1m, &o.output, &o.shape, o.output_element, &values)
}

pub(super) fn lookup(l1m: &mut [u8], o: &Lookup) -> Result<(), Fault> {
    let entries = read(l1m, &o.table, &[256], BpuElement::I8)?;
    let mut table: LookupTable = [0; 256];
    table.iter_mut().zip(entries).for_each(|(entry, value)| *entry = value as i8);
    let mut values = read(l1m, &o.input, &o.shape, BpuElement::I8)?;
    values.iter_mut().for_each(|value| *value = numerics::lookup(&table, *value as i8).into());
    write(l1m, &o.output, &o.shape, BpuElement::I8, &values)
}

/// The pieces that an instruction finds in L1M.
pub(in crate::sim) fn read_curve(l1m: &[u8], o: &isa::Curve) -> Result<Curve, Fault> {
    let packed = BytePlace::new(&o.table, &[o.pieces], CURVE_PIECE_BYTES)?.pack(l1m)?;
    let pieces = packed.chunks_exact(CURVE_PIECE_BYTES as usize).filter_map(|bytes| {
        let (start, coefficients) = bytes.split_first_chunk()?;
        let &[quadratic, linear, constant] = coefficients.as_chunks().0 else { return None };
        let [quadratic, linear, constant] = [quadratic, linear, constant].map(i64::from_le_bytes);
        Some(Piece { start: i16::from_le_bytes(*start), quadratic, linear, constant })
    });
    Curve::new(pieces.collect(), o.shift).map_err(|error| error.to_string())
}

/// What a result of i8 or i16 can be.
pub(in crate::sim) fn full_range(element: BpuElement) -> Clamp {
    if element == BpuElement::I8 { Clamp::I8 } else { Clamp::I16 }
}

pub(super) fn curve(l1m: &mut [u8], o: &isa::Curve) -> Result<(), Fault> {
    let (curve, clamp) = (read_curve(l1m, o)?, full_range(o.output_element));
    let mut values = read(l1m, &o.input, &o.shape, o.input_element)?;
    values.iter_mut().for_each(|value| *value = curve.evaluate(*value as i16, clamp));
    write(l1m, &o.output, &o.shape, o.output_element, &values)
}

pub(super) fn quantize(l1m: &mut [u8], o: &Quantize) -> Result<(), Fault> {
    let to = Destination { zero_point: o.zero_point, clamp: full_range(o.output_element) };
    let mut values = read(l1m, &o.input, &o.shape, BpuElement::F32)?;
    values.iter_mut().for_each(|value| *value = numerics::quantize(f32::from_bits(*value as u32), o.scale, to));
    write(l1m, &o.output, &o.shape, o.output_element, &values)
}

pub(super) fn normalize(l1m: &mut [u8], o: &Normalize) -> Result<(), Fault> {
    let to = Destination { zero_point: o.zero_point, clamp: full_range(o.output_element) };
    let mut values = read(l1m, &o.input, &o.shape, BpuElement::F32)?;
    let means = read(l1m, &o.means, &o.shape, BpuElement::F32)?;
    let factors = read(l1m, &o.factors, &o.shape, BpuElement::F32)?;
    let real = |value: i32| f32::from_bits(value as u32);
    for ((value, mean), factor) in values.iter_mut().zip(means).zip(factors) {
        *value = numerics::quantize(numerics::normalize(real(*value), real(mean), real(factor)), o.scale, to);
    }
    write(l1m, &o.output, &o.shape, o.output_element, &values)
}

pub(super) fn dequantize(l1m: &mut [u8], o: &Dequantize) -> Result<(), Fault> {
    let mut values = read(l1m, &o.input, &o.shape, o.input_element)?;
    // An i32, whose difference could leave 32 bits, has the zero point 0.
    let real = |value: i32, scale: f32| numerics::dequantize(value - o.zero_point, scale).to_bits() as i32;
    match &o.scales {
        None => values.iter_mut().for_each(|value| *value = real(*value, o.scale)),
        Some(scales) => {
            let scales = read(l1m, scales, &o.shape, BpuElement::F32)?;
            values.iter_mut().zip(scales).for_each(|(q, scale)| *q = real(*q, f32::from_bits(scale as u32)));
        }
    }
    write(l1m, &o.output, &o.shape, BpuElement::F32, &values)
}
