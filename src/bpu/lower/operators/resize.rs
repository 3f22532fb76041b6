//! Resizing: repeated and picked elements are copies, interpolation is a product with a constant matrix.

use super::layout::{axis_in, form_of, input, runs};
use crate::bpu::lower::{
    builder::{Builder, ValueForm, shape_in},
    values::{QuantizedConstant, Worth},
};
use crate::bpu::model::{BpuElement, Operator, TensorId};
use hb_dialects::{
    hfloat::{Resize, ResizedAxis, Sample},
    ir::{Scale, attribute},
};
use melior::ir::{OperationRef, operation::OperationLike};

/// Picked elements become at most this many slices; beyond that a matrix of zeros and ones.
const MOST_SLICES: usize = 8;

/// What happens along one dimension of a tensor `[outer, size, inner]`.
enum Along {
    /// Every element this often.
    Repeat(usize),
    /// First, step, count.
    Slices(Vec<(usize, isize, usize)>),
    Matrix(Interpolation),
}

impl Along {
    fn of(resized: &ResizedAxis) -> Result<Self, String> {
        let outside = resized.samples.iter().any(|sample| sample.outside);
        let picked: Option<Vec<usize>> = resized.samples.iter().map(picked).collect();
        let Some(picked) = picked.filter(|_| !outside) else { return matrix(resized).map(Along::Matrix) };
        let times = picked.len() / resized.size.max(1);
        if times > 0 && picked.len() == times * resized.size && picked.iter().enumerate().all(|(i, &p)| p == i / times)
        {
            return Ok(Along::Repeat(times));
        }
        match runs(&picked) {
            runs if runs.len() <= MOST_SLICES => Ok(Along::Slices(runs)),
            _ => matrix(resized).map(Along::Matrix),
        }
    }

    /// Elements per element of the result: what shrinks goes first.
    fn growth(&self, resized: &ResizedAxis) -> f64 {
        resized.samples.len() as f64 / resized.size.max(1) as f64
    }
}

/// The one element that a sample is.
fn picked(sample: &Sample) -> Option<usize> {
    match sample.taps.as_slice() {
        &[(at, 1.0)] => Some(at),
        _ => None,
    }
}

/// Weights `[result, size]`.
struct Interpolation {
    /// As int8: exact where a power of two makes all weights whole, else with rows that add up to 127.
    weights: QuantizedConstant,
    /// What is left of weights that are not exact, in 128ths of the steps of the others: int16 values show it.
    rest: Option<QuantizedConstant>,
}

impl Interpolation {
    /// The largest sum of what is left of the weights of a result.
    fn largest_rest(rest: &QuantizedConstant) -> f64 {
        let columns = rest.shape.last().copied().unwrap_or(1).max(1);
        let sums = rest.integers.as_deref().unwrap_or_default().chunks(columns);
        let sums = sums.map(|row| row.iter().map(|rest| rest.unsigned_abs()).sum::<u32>());
        let scale = if let Scale::PerTensor(affine) = rest.scale { affine.scale } else { 1.0 };
        f64::from(sums.max().unwrap_or(0)) * scale
    }
}

/// Parts of a step of weights that are not exact.
const PARTS: f64 = 128.0;

/// Taps of one element are one.
fn merged(taps: &[(usize, f64)]) -> Vec<(usize, f64)> {
    let mut merged: Vec<(usize, f64)> = Vec::with_capacity(taps.len());
    for &(at, weight) in taps {
        match merged.iter_mut().find(|tap| tap.0 == at) {
            Some(tap) => tap.1 += weight,
            None => merged.push((at, weight)),
        }
    }
    merged
}

fn matrix(resized: &ResizedAxis) -> Result<Interpolation, String> {
    let (rows, columns) = (resized.samples.len(), resized.size);
    let count = rows.checked_mul(columns).filter(|&count| count <= 1 << 24);
    let count = count.ok_or_else(|| format!("its matrix of {rows} by {columns} is too large"))?;
    let weights = || resized.samples.iter().filter(|sample| !sample.outside).flat_map(|sample| &sample.taps);
    let whole = |steps: &f64| weights().all(|(_, weight)| (weight * steps).fract() == 0.0);
    let steps = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0].into_iter().find(whole).unwrap_or(127.0);
    let (mut integers, mut rests) = (vec![0; count], vec![0; count]);
    let lines = integers.chunks_mut(columns.max(1)).zip(rests.chunks_mut(columns.max(1)));
    for ((row, rest), sample) in lines.zip(&resized.samples).filter(|(_, sample)| !sample.outside) {
        let taps = merged(&sample.taps);
        for ((at, share), (_, weight)) in shares(&taps, steps).into_iter().zip(&taps) {
            if let (Some(slot), Some(rest)) = (row.get_mut(at), rest.get_mut(at)) {
                *slot = share;
                *rest = ((weight * steps - f64::from(share)) * PARTS).round().clamp(-128.0, 127.0) as i32;
            }
        }
    }
    let constant = |steps: f64, integers: Vec<i32>| {
        let scale = Scale::symmetric(1.0 / steps);
        QuantizedConstant { element: BpuElement::I8, shape: vec![rows, columns], scale, integers: Some(integers) }
    };
    let rest = rests.iter().any(|rest| *rest != 0).then(|| constant(steps * PARTS, rests));
    Ok(Interpolation { weights: constant(steps, integers), rest })
}

/// Weights in `steps` parts whose sum is that of the weights: those that are rounded farthest down get what is left.
fn shares(taps: &[(usize, f64)], steps: f64) -> Vec<(usize, i32)> {
    let mut shares: Vec<(usize, i32)> =
        taps.iter().map(|(at, weight)| (*at, (weight * steps).floor() as i32)).collect();
    let total = (taps.iter().map(|(_, weight)| weight).sum::<f64>() * steps).round() as i32;
    let left = total - shares.iter().map(|(_, share)| share).sum::<i32>();
    let mut order: Vec<usize> = (0..taps.len()).collect();
    order.sort_by(|&a, &b| (taps[b].1 * steps).fract().total_cmp(&(taps[a].1 * steps).fract()));
    for &tap in order.iter().take(usize::try_from(left).unwrap_or(0)) {
        shares[tap].1 += 1;
    }
    shares
}

pub fn resize<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let mode = operation.attribute("mode").ok().and_then(attribute::text);
    if mode.as_deref() == Some("cubic") {
        return Err("its cubic interpolation leaves the range of its input, whose scale the result has".into());
    }
    let plan = Resize::of(operation)?;
    if plan.extrapolation_value != 0.0 && plan.axes.iter().flat_map(|axis| &axis.samples).any(|sample| sample.outside) {
        return Err(format!("it fills with {} outside of its input; the BPU with 0", plan.extrapolation_value));
    }
    let form = if input.shape.len() == 4 { ValueForm::ChannelsLast } else { form_of(builder, &input) };
    let mut id = builder.tensor(&input, form)?;
    let mut parts =
        plan.axes.iter().map(|resized| Ok((resized, Along::of(resized)?))).collect::<Result<Vec<_>, String>>()?;
    // Of those that grow, the last dimension first: it moves the fewest bytes.
    parts.sort_by(|(a, x), (b, y)| {
        x.growth(a).total_cmp(&y.growth(b)).then(axis_in(form, b.axis).cmp(&axis_in(form, a.axis)))
    });
    for (resized, along) in &parts {
        id = resized_along(builder, id, axis_in(form, resized.axis), along, input.worth)?;
    }
    let shape = shape_in(form, &output.shape).ok_or("its result has no height and width")?;
    if builder.shape(id) != shape {
        return Err(format!("its result has the shape {shape:?}, not {:?}", builder.shape(id)));
    }
    let id = builder.rescale(id, input.worth, output.worth);
    builder.define(&output, form, id);
    Ok(())
}

/// One dimension of a tensor.
fn resized_along(
    builder: &mut Builder<'_, '_>,
    from: TensorId,
    axis: usize,
    along: &Along,
    worth: Worth,
) -> Result<TensorId, String> {
    let shape = builder.shape(from);
    let scale = worth.scale();
    let product = |sizes: &[usize]| sizes.iter().product::<usize>();
    let (Some(outer), Some(&size), Some(inner)) =
        (shape.get(..axis).map(product), shape.get(axis), shape.get(axis + 1..).map(product))
    else {
        return Err(format!("its dimension {axis} does not exist"));
    };
    let with = |size: usize| {
        let mut shape = shape.clone();
        shape[axis] = size;
        shape
    };
    let id = match along {
        Along::Repeat(1) => return Ok(from),
        Along::Repeat(times) => {
            let flat = builder.reshape(from, &[outer * size, inner], &scale);
            let repeated = vec![outer * size, times * inner];
            let copies = vec![flat; *times];
            let id = builder.compute("repeat", Operator::Concat { axis: 1 }, &copies, repeated, worth);
            builder.reshape(id, &with(size * times), &scale)
        }
        Along::Slices(runs) => {
            let mut slices = Vec::new();
            for &(start, step, count) in runs {
                let (mut starts, mut steps, sizes) = (vec![0; shape.len()], vec![1; shape.len()], with(count));
                (starts[axis], steps[axis]) = (start, step);
                let operator = Operator::Slice { starts, steps, sizes: sizes.clone() };
                slices.push(builder.compute("slice", operator, &[from], sizes, worth));
            }
            match slices.as_slice() {
                [single] => *single,
                _ => {
                    let total = runs.iter().map(|run| run.2).sum();
                    builder.compute("concat", Operator::Concat { axis }, &slices, with(total), worth)
                }
            }
        }
        Along::Matrix(Interpolation { weights: matrix, rest }) => {
            let rows = matrix.shape.first().copied().unwrap_or(0);
            let flat = builder.reshape(from, &[outer, size, inner], &scale);
            let operator = Operator::MatMul { clamp: None };
            let id = if worth.element == BpuElement::I8 && worth.affine.is_symmetric() {
                let matrix = builder.constant("weights", matrix);
                builder.compute("interpolate", operator, &[matrix, flat], vec![outer, rows, inner], worth)
            } else {
                // The second operand of a product is int8 with the zero point 0: the matrix then.
                let turned = builder.transpose(flat, &[0, 2, 1], &scale);
                let shape = vec![outer, inner, rows];
                let matrix = builder.constant("weights", &matrix.transposed(&[1, 0]));
                let mut id = builder.compute("interpolate", operator.clone(), &[turned, matrix], shape.clone(), worth);
                if let Some(rest) = rest.as_ref().filter(|_| worth.element == BpuElement::I16) {
                    let small = Worth::int16(worth.affine.scale * Interpolation::largest_rest(rest));
                    let matrix = builder.constant("rest", &rest.transposed(&[1, 0]));
                    let part = builder.compute("correction", operator, &[turned, matrix], shape.clone(), small);
                    let add = Operator::Add { clamp: None };
                    id = builder.compute("sum", add, &[id, part], shape, worth);
                }
                builder.transpose(id, &[0, 2, 1], &scale)
            };
            builder.reshape(id, &with(rows), &scale)
        }
    };
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(taps: &[(usize, f64)]) -> Sample {
        Sample { taps: taps.to_vec(), outside: false }
    }

    #[test]
    fn shares_keep_the_sum() {
        let third = 1.0 / 3.0;
        let parts = shares(&[(0, third), (1, third), (2, third)], 127.0);
        assert_eq!(parts.iter().map(|part| part.1).sum::<i32>(), 127);
        assert!(parts.iter().all(|part| (42..=43).contains(&part.1)));
    }

    #[test]
    fn forms_of_a_dimension() {
        let of = |size: usize, samples: Vec<Sample>| Along::of(&ResizedAxis { axis: 0, size, samples }).unwrap();
        let pick = |at: &[usize]| at.iter().map(|&at| sample(&[(at, 1.0)])).collect::<Vec<_>>();
        assert!(matches!(of(2, pick(&[0, 0, 0, 1, 1, 1])), Along::Repeat(3)));
        assert!(matches!(of(6, pick(&[0, 2, 4])), Along::Slices(runs) if runs == [(0, 2, 3)]));
        let halves = of(2, vec![sample(&[(0, 1.0)]), sample(&[(0, 0.75), (1, 0.25)])]);
        let Along::Matrix(matrix) = halves else { panic!("interpolation is a matrix") };
        assert_eq!(matrix.weights.integers, Some(vec![4, 0, 3, 1]));
        assert_eq!(matrix.weights.scale, Scale::symmetric(0.25));
        assert!(matrix.rest.is_none());
    }

    #[test]
    fn what_is_left_of_weights() {
        let third = 1.0 / 3.0;
        // Of 127 parts, 42 1/3 and 84 2/3, which become 42 and 85; both taps of the second are one element.
        let samples = vec![sample(&[(0, third), (1, 2.0 * third)]), sample(&[(1, third), (1, 2.0 * third)])];
        let Along::Matrix(matrix) = Along::of(&ResizedAxis { axis: 0, size: 2, samples }).unwrap() else {
            panic!("interpolation is a matrix")
        };
        assert_eq!(matrix.weights.integers, Some(vec![42, 85, 0, 127]));
        // 128 / 3 = 42.7.
        let rest = matrix.rest.unwrap();
        assert_eq!(rest.integers, Some(vec![43, -43, 0, 0]));
        assert_eq!(rest.scale, Scale::symmetric(1.0 / 16256.0));
        assert!((Interpolation::largest_rest(&rest) - 86.0 / 16256.0).abs() < 1e-12);
    }
}
