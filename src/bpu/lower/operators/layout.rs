//! Operations that move elements.

use crate::bpu::lower::{
    builder::{Builder, ITSELF, TO_CHANNELS_LAST, ValueForm, shape_in},
    values::{QuantizedOperand, QuantizedValue, Worth},
};
use crate::bpu::model::{Operator, PadMode, TensorId};
use hb_dialects::{
    hfloat::{attributes, gather_axis, normalize_axis, pad_amounts, slice_ranges},
    ir::{OperationAttributes, constant_of},
};
use melior::ir::{OperationRef, operation::OperationLike};

/// The permutation of `[N, H, W, C]` that gives `[N, C, H, W]`.
const FROM_CHANNELS_LAST: [i64; 4] = [0, 3, 1, 2];

/// A gather becomes at most this many slices.
const MOST_SLICES: usize = 64;

pub(super) fn input<'c, 'a>(
    builder: &Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
) -> Result<QuantizedValue<'c, 'a>, String> {
    match builder.operand(operation, 0)? {
        QuantizedOperand::Value(value) => Ok(value),
        QuantizedOperand::Constant(_) => Err("its operand is a constant".into()),
    }
}

/// NHWC when the value is an image that exists only so.
pub(super) fn form_of<'c, 'a>(builder: &Builder<'c, 'a>, value: &QuantizedValue<'c, 'a>) -> ValueForm {
    let image = value.shape.len() == 4
        && builder.has(value, ValueForm::ChannelsLast)
        && !builder.has(value, ValueForm::Network);
    if image { ValueForm::ChannelsLast } else { ValueForm::Network }
}

/// Values given per dimension in network order, in the order of a form.
pub(super) fn in_form<T: Clone>(form: ValueForm, values: &[T]) -> Vec<T> {
    match form {
        ValueForm::ChannelsLast if values.len() == 4 => TO_CHANNELS_LAST.iter().map(|&i| values[i].clone()).collect(),
        _ => values.to_vec(),
    }
}

/// Where a dimension stands in a form.
pub(super) fn axis_in(form: ValueForm, axis: usize) -> usize {
    match form {
        ValueForm::Network => axis,
        ValueForm::ChannelsLast => TO_CHANNELS_LAST.iter().position(|&i| i == axis).unwrap_or(axis),
    }
}

pub fn reshape<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let id = builder.tensor(&input, ValueForm::Network)?;
    let id = builder.reshape(id, &output.shape, &input.worth.scale());
    let id = builder.rescale(id, input.worth, output.worth);
    builder.define(&output, ValueForm::Network, id);
    Ok(())
}

pub fn transpose<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let form = form_of(builder, &input);
    let id = builder.tensor(&input, form)?;
    let permutation = attributes::perm(operation).map_err(|error| error.to_string())?;
    if form == ValueForm::Network && permutation == FROM_CHANNELS_LAST {
        // What the result is with its channels last, it was before. Who wants it otherwise moves it.
        let id = builder.rescale(id, input.worth, output.worth);
        builder.define(&output, ValueForm::ChannelsLast, id);
        return Ok(());
    }
    let permutation: Vec<usize> = permutation.iter().map(|&axis| axis_in(form, axis as usize)).collect();
    let id = builder.transpose(id, &permutation, &input.worth.scale());
    let id = builder.rescale(id, input.worth, output.worth);
    builder.define(&output, ValueForm::Network, id);
    Ok(())
}

pub fn concat<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let output = builder.result(operation)?;
    let mut values = Vec::new();
    for index in 0..operation.operand_count() {
        match builder.operand(operation, index)? {
            QuantizedOperand::Value(value) => values.push(value),
            QuantizedOperand::Constant(_) => return Err(format!("its operand {index} is a constant")),
        }
    }
    let images = values.iter().all(|value| form_of(builder, value) == ValueForm::ChannelsLast);
    let form = if images { ValueForm::ChannelsLast } else { ValueForm::Network };
    let axis = attributes::axis(operation).map_err(|error| error.to_string())?;
    let axis = axis_in(form, normalize_axis(axis, output.shape.len())?);
    let mut ids = Vec::new();
    for value in &values {
        let id = builder.tensor(value, form)?;
        ids.push(builder.rescale(id, value.worth, output.worth));
    }
    let shape = shape_in(form, &output.shape).ok_or("its result has no height and width")?;
    let id = builder.compute(ITSELF, Operator::Concat { axis }, &ids, shape, output.worth);
    builder.define(&output, form, id);
    Ok(())
}

pub fn slice<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let ranges = slice_ranges(operation)?.ok_or("its bounds are not known when the network is compiled")?;
    let ranges: Option<Vec<_>> = ranges.into_iter().collect();
    let ranges = ranges.ok_or("the shape of its input is not known")?;
    let form = form_of(builder, &input);
    let id = builder.tensor(&input, form)?;
    let ranges = in_form(form, &ranges);
    let operator = Operator::Slice {
        starts: ranges.iter().map(|range| range.start as usize).collect(),
        steps: ranges.iter().map(|range| range.step as isize).collect(),
        sizes: ranges.iter().map(|range| range.count as usize).collect(),
    };
    let shape = shape_in(form, &output.shape).ok_or("its result has no height and width")?;
    let id = builder.compute(ITSELF, operator, &[id], shape, input.worth);
    let id = builder.rescale(id, input.worth, output.worth);
    builder.define(&output, form, id);
    Ok(())
}

pub fn pad<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let mode = match attributes::mode(operation).map_err(|error| error.to_string())? {
        "constant" if pads_with_zero(operation)? => PadMode::Constant(input.worth.affine.zero_point),
        "constant" => return Err("it pads with another value than 0, which may be none of its input's integers".into()),
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Edge,
        other => return Err(format!("the BPU does not pad with mode '{other}'")),
    };
    let amounts = pad_amounts(operation)?.ok_or("its pads are not known when the network is compiled")?;
    let form = form_of(builder, &input);
    let mut id = builder.tensor(&input, form)?;
    let amounts = in_form(form, &amounts);
    if amounts.iter().any(|&(before, after)| before < 0 || after < 0) {
        id = crop(builder, id, &amounts, input.worth)?;
    }
    let positive = |amount: i64| usize::try_from(amount).unwrap_or(0);
    let operator = Operator::Pad {
        before: amounts.iter().map(|amount| positive(amount.0)).collect(),
        after: amounts.iter().map(|amount| positive(amount.1)).collect(),
        mode,
    };
    let shape = shape_in(form, &output.shape).ok_or("its result has no height and width")?;
    let id = builder.compute(ITSELF, operator, &[id], shape, input.worth);
    let id = builder.rescale(id, input.worth, output.worth);
    builder.define(&output, form, id);
    Ok(())
}

/// A border of zeros is exact at any scale, other values may not be.
fn pads_with_zero(operation: OperationRef<'_, '_>) -> Result<bool, String> {
    if operation.operand_count() < 3 {
        return Ok(true);
    }
    let value = constant_of(operation.operand_at(2).map_err(|error| error.to_string())?);
    let value = value.ok_or("the value that it pads with is not known when the network is compiled")?;
    Ok(value.to_f64s().map_err(|error| error.to_string())?.iter().all(|value| *value == 0.0))
}

/// Cuts off what negative pads take away.
fn crop(builder: &mut Builder<'_, '_>, id: TensorId, amounts: &[(i64, i64)], worth: Worth) -> Result<TensorId, String> {
    let shape = builder.shape(id);
    let cut = |amount: i64| usize::try_from(amount.saturating_neg()).unwrap_or(0);
    let starts: Vec<usize> = amounts.iter().map(|amount| cut(amount.0)).collect();
    let sizes: Option<Vec<usize>> = shape
        .iter()
        .zip(amounts)
        .map(|(size, amount)| size.checked_sub(cut(amount.0))?.checked_sub(cut(amount.1)))
        .collect();
    let sizes = sizes.ok_or("it cuts off more than there is")?;
    let operator = Operator::Slice { starts, steps: vec![1; shape.len()], sizes: sizes.clone() };
    Ok(builder.compute("slice", operator, &[id], sizes, worth))
}

pub fn gather<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let indices = operation.operand_at(1).map_err(|error| error.to_string())?;
    let indices = constant_of(indices).ok_or("its indices are not known when the network is compiled")?;
    let indices = indices.to_i64s().map_err(|error| error.to_string())?;
    let axis = gather_axis(operation)?;
    let size = input.shape.get(axis).copied().unwrap_or(0) as i64;
    let indices: Vec<usize> =
        indices.iter().map(|&index| if index < 0 { index + size } else { index } as usize).collect();
    let runs = runs(&indices);
    if runs.len() > MOST_SLICES {
        return Err(format!("its indices fall into {} runs; at most {MOST_SLICES} become slices", runs.len()));
    }
    let from = builder.tensor(&input, ValueForm::Network)?;
    let mut parts = Vec::new();
    for (start, step, count) in runs {
        let rank = input.shape.len();
        let (mut starts, mut steps, mut sizes) = (vec![0; rank], vec![1isize; rank], input.shape.clone());
        (starts[axis], steps[axis], sizes[axis]) = (start, step, count);
        let operator = Operator::Slice { starts, steps, sizes: sizes.clone() };
        parts.push(builder.compute("slice", operator, &[from], sizes, input.worth));
    }
    let mut joined = input.shape.clone();
    joined[axis] = indices.len();
    let id = match parts.as_slice() {
        [] => return Err("it takes nothing".into()),
        [single] => *single,
        _ => builder.compute(ITSELF, Operator::Concat { axis }, &parts, joined, input.worth),
    };
    let id = builder.reshape(id, &output.shape, &input.worth.scale());
    let id = builder.rescale(id, input.worth, output.worth);
    builder.define(&output, ValueForm::Network, id);
    Ok(())
}

/// Cuts indices into runs of one step: first index, step, count.
pub(super) fn runs(indices: &[usize]) -> Vec<(usize, isize, usize)> {
    let mut runs: Vec<(usize, isize, usize)> = Vec::new();
    for &index in indices {
        if let Some((start, step, count)) = runs.last_mut() {
            let last = *start as isize + *step * (*count as isize - 1);
            let distance = index as isize - last;
            if distance != 0 && (*count == 1 || distance == *step) {
                *step = distance;
                *count += 1;
                continue;
            }
        }
        runs.push((index, 1, 1));
    }
    runs
}

#[cfg(test)]
mod tests {
    #[test]
    fn indices_become_runs_of_one_step() {
        assert_eq!(super::runs(&[3]), [(3, 1, 1)]);
        assert_eq!(super::runs(&[4, 2, 0]), [(4, -2, 3)]);
        assert_eq!(super::runs(&[0, 1, 5, 6]), [(0, 1, 2), (5, 1, 2)]);
        assert_eq!(super::runs(&[2, 2]), [(2, 1, 1), (2, 1, 1)]);
    }
}
