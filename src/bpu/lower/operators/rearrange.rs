//! Operators that repeat and regroup elements, as copies.

use super::layout::{axis_in, form_of, in_form, input};
use crate::bpu::lower::{
    builder::{Builder, ValueForm},
    values::{QuantizedValue, Worth},
};
use crate::bpu::model::{Operator, TensorId};
use hb_dialects::{hfloat::attributes, ir::attribute};
use melior::ir::{OperationRef, operation::OperationLike};

/// Every copy is an instruction or more.
const MOST_COPIES: usize = 256;

/// A tensor one behind the other `times` times along a dimension.
fn repeated(
    builder: &mut Builder<'_, '_>,
    from: TensorId,
    (axis, times): (usize, usize),
    worth: Worth,
) -> Result<TensorId, String> {
    if times == 1 {
        return Ok(from);
    }
    if times > MOST_COPIES {
        return Err(format!("it repeats a dimension {times} times; at most {MOST_COPIES} become copies"));
    }
    let mut shape = builder.shape(from);
    if let Some(size) = shape.get_mut(axis) {
        *size *= times;
    }
    let operator = Operator::Concat { axis };
    Ok(builder.compute("repeat", operator, &vec![from; times], shape, worth))
}

/// Repeats each dimension of a value, which is of the result's rank in network form, as often as the result asks.
fn grown<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    (id, form, shape): (TensorId, ValueForm, &[usize]),
    (input, output): (&QuantizedValue<'c, 'a>, &QuantizedValue<'c, 'a>),
) -> Result<(), String> {
    let mut id = id;
    // The last dimension first: it moves the fewest bytes.
    for (axis, (&size, &total)) in shape.iter().zip(&output.shape).enumerate().rev() {
        if size == 0 || !total.is_multiple_of(size) {
            return Err(format!("a dimension of {size} does not become {total} by repeating"));
        }
        id = repeated(builder, id, (axis_in(form, axis), total / size), input.worth)?;
    }
    let id = builder.rescale(id, input.worth, output.worth);
    builder.define(output, form, id);
    Ok(())
}

pub fn tile<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let form = form_of(builder, &input);
    let id = builder.tensor(&input, form)?;
    grown(builder, (id, form, &input.shape), (&input, &output))
}

pub fn expand<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let Some(more) = output.shape.len().checked_sub(input.shape.len()) else {
        return Err("its result has fewer dimensions than its input".into());
    };
    if more == 0 {
        return tile(builder, operation);
    }
    let id = builder.tensor(&input, ValueForm::Network)?;
    let shape = [vec![1; more], input.shape.clone()].concat();
    let id = builder.reshape(id, &shape, &input.worth.scale());
    grown(builder, (id, ValueForm::Network, &shape), (&input, &output))
}

fn block(operation: OperationRef<'_, '_>, value: &QuantizedValue<'_, '_>) -> Result<([usize; 4], usize), String> {
    let block = attributes::blocksize(operation).map_err(|error| error.to_string())?;
    let block = usize::try_from(block).ok().filter(|&block| block > 0).ok_or("its blocksize is not positive")?;
    let shape = <[usize; 4]>::try_from(value.shape.as_slice()).map_err(|_| "its input has no rank 4")?;
    Ok((shape, block))
}

/// The image, seen as six dimensions, with these in another order.
fn regrouped<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    seen: [usize; 6],
    permutation: [usize; 6],
    (input, output): (&QuantizedValue<'c, 'a>, &QuantizedValue<'c, 'a>),
) -> Result<(), String> {
    let scale = input.worth.scale();
    let id = builder.tensor(input, ValueForm::ChannelsLast)?;
    let id = builder.reshape(id, &seen, &scale);
    let id = builder.transpose(id, &permutation, &scale);
    let id = builder.reshape(id, &in_form(ValueForm::ChannelsLast, &output.shape), &scale);
    let id = builder.rescale(id, input.worth, output.worth);
    builder.define(output, ValueForm::ChannelsLast, id);
    Ok(())
}

/// `[N, H, W, b, b, C]`, or with mode CRD `[N, H, W, C, b, b]`, to `[N, H, b, W, b, C]`.
pub fn depth_to_space<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let ([n, c, h, w], b) = block(operation, &input)?;
    let channels = c / (b * b);
    let mode = operation.attribute("mode").ok().and_then(attribute::text);
    let (seen, permutation) = match mode.as_deref() {
        Some("CRD") => ([n, h, w, channels, b, b], [0, 1, 4, 2, 5, 3]),
        _ => ([n, h, w, b, b, channels], [0, 1, 3, 2, 4, 5]),
    };
    regrouped(builder, seen, permutation, (&input, &output))
}

/// `[N, H, b, W, b, C]` to `[N, H, W, b, b, C]`.
pub fn space_to_depth<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let ([n, c, h, w], b) = block(operation, &input)?;
    regrouped(builder, [n, h / b, b, w / b, b, c], [0, 1, 3, 2, 4, 5], (&input, &output))
}
