//! `docs/numerics.md`, sections 5, 6 and 8: one result for each element, or pair of elements.

use std::borrow::Cow;

use super::movement::dense;
use super::values::{OperandBytes, cells_shape, collect, destination, scale_of};
use crate::bpu::model::{BpuTensor, Clamp, TensorScale};
use crate::numerics::{self, Curve, LookupTable, Multiplier, SlopeMultipliers, SumMultipliers};

pub(super) fn add(
    clamp: Option<Clamp>,
    a: OperandBytes,
    b: OperandBytes,
    output: &BpuTensor,
) -> Result<Vec<u8>, String> {
    let multipliers = SumMultipliers::add(a.scale()?, b.scale()?, scale_of(output)?);
    sum(multipliers.map_err(|error| error.to_string())?, clamp, a, b, output)
}

pub(super) fn sub(
    clamp: Option<Clamp>,
    a: OperandBytes,
    b: OperandBytes,
    output: &BpuTensor,
) -> Result<Vec<u8>, String> {
    let multipliers = SumMultipliers::sub(a.scale()?, b.scale()?, scale_of(output)?);
    sum(multipliers.map_err(|error| error.to_string())?, clamp, a, b, output)
}

fn sum(
    multipliers: SumMultipliers,
    clamp: Option<Clamp>,
    a: OperandBytes,
    b: OperandBytes,
    output: &BpuTensor,
) -> Result<Vec<u8>, String> {
    let to = destination(clamp, output);
    zip(a, b, output, |a, b| numerics::add(a, b, multipliers, to))
}

pub(super) fn mul(
    clamp: Option<Clamp>,
    a: OperandBytes,
    b: OperandBytes,
    output: &BpuTensor,
) -> Result<Vec<u8>, String> {
    let multiplier =
        Multiplier::of_product(a.scale()?, b.scale()?, scale_of(output)?).map_err(|error| error.to_string())?;
    let to = destination(clamp, output);
    zip(a, b, output, |a, b| numerics::multiply(a, b, multiplier, to))
}

pub(super) fn p_relu(
    clamp: Option<Clamp>,
    x: OperandBytes,
    slope: OperandBytes,
    output: &BpuTensor,
) -> Result<Vec<u8>, String> {
    let multipliers = SlopeMultipliers::new(x.scale()?, slope.scale()?, scale_of(output)?);
    let (multipliers, to) = (multipliers.map_err(|error| error.to_string())?, destination(clamp, output));
    zip(x, slope, output, |x, slope| numerics::p_relu(x, slope, multipliers, to))
}

pub(super) fn requantize(clamp: Option<Clamp>, x: OperandBytes, output: &BpuTensor) -> Result<Vec<u8>, String> {
    let multiplier = Multiplier::of_change(x.scale()?, scale_of(output)?).map_err(|error| error.to_string())?;
    let to = destination(clamp, output);
    Ok(collect(output, x.distances().map(|x| numerics::requantize(x, multiplier, to))))
}

pub(super) fn lookup(table: &LookupTable, x: OperandBytes) -> Vec<u8> {
    x.bytes.iter().map(|byte| numerics::lookup(table, *byte as i8) as u8).collect()
}

pub(super) fn curve(curve: &Curve, x: OperandBytes, output: &BpuTensor) -> Vec<u8> {
    // The input is int8 or int16; zero points are in the curve.
    let clamp = destination(None, output).clamp;
    collect(output, x.integers().map(|q| curve.evaluate(q as i16, clamp)))
}

pub(super) fn quantize(x: OperandBytes, output: &BpuTensor) -> Result<Vec<u8>, String> {
    let scale = scale_of(output)? as f32;
    let to = destination(None, output);
    let reals = x.bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    Ok(collect(output, reals.map(|x| numerics::quantize(x, scale, to))))
}

pub(super) fn normalize(
    axis: usize,
    mean: &[f32],
    factor: &[f32],
    x: OperandBytes,
    output: &BpuTensor,
) -> Result<Vec<u8>, String> {
    let (scale, to) = (scale_of(output)? as f32, destination(None, output));
    let inner: usize = output.shape.iter().skip(axis + 1).product();
    let reals = x.bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    // There is one of each for every index of the axis.
    let channels = mean.iter().zip(factor).collect::<Vec<_>>();
    let normalized = reals.enumerate().map(|(index, x)| {
        let (mean, factor) = channels[index / inner % channels.len()];
        numerics::normalize(x, *mean, *factor)
    });
    Ok(collect(output, normalized.map(|x| numerics::quantize(x, scale, to))))
}

pub(super) fn dequantize(x: OperandBytes) -> Result<Vec<u8>, String> {
    let (channels, inner) = match &x.tensor.scale {
        TensorScale::PerChannel { axis, scales } => {
            (scales.len(), x.tensor.shape[axis + 1..].iter().product::<usize>())
        }
        _ => (1, 1),
    };
    let scales = (0..channels)
        .map(|channel| x.tensor.scale.of_channel(channel).map(|scale| scale as f32))
        .collect::<Option<Vec<f32>>>()
        .ok_or("the input has no scale")?;
    let reals = x.distances().enumerate().map(|(index, q)| numerics::dequantize(q, scales[index / inner % channels]));
    Ok(reals.flat_map(f32::to_le_bytes).collect())
}

/// Applies `f` to pairs of elements after broadcasting both operands to the result's shape.
fn zip(a: OperandBytes, b: OperandBytes, output: &BpuTensor, f: impl Fn(i32, i32) -> i32) -> Result<Vec<u8>, String> {
    let (bytes_a, bytes_b) = (expand(a, output)?, expand(b, output)?);
    let (a, b) = (OperandBytes { bytes: &bytes_a, ..a }, OperandBytes { bytes: &bytes_b, ..b });
    Ok(collect(output, a.distances().zip(b.distances()).map(|(a, b)| f(a, b))))
}

/// The bytes of an operand that is broadcast to the result's shape, in its own element type.
fn expand<'a>(x: OperandBytes<'a>, output: &BpuTensor) -> Result<Cow<'a, [u8]>, String> {
    if x.tensor.shape == output.shape {
        return Ok(Cow::Borrowed(x.bytes));
    }
    let cells = x.cells()?;
    let broadcast = cells.broadcast(cells_shape(x.tensor.element, &output.shape));
    Ok(Cow::Owned(dense(
        &broadcast.ok_or_else(|| format!("`{}` does not broadcast to {:?}", x.tensor.name, output.shape))?,
    )))
}
