//! The routines: one file each.

mod activation;
mod bit_cast;
mod branch;
mod cumulative;
mod det;
mod gather_nd;
mod grid_sample;
mod max_roi_pool;
mod non_max_suppression;
mod non_zero;
mod recurrence;
mod region;
mod repeat;
mod roi_align;
mod same_sizes;
mod scatter;
mod top_k;
mod unique;

pub(crate) use activation::{Activation, Kind as ActivationKind};
pub(crate) use bit_cast::BitCast;
pub(crate) use branch::Branch;
pub(crate) use cumulative::{Cumulative, Joined};
pub(crate) use det::Det;
pub(crate) use gather_nd::GatherNd;
pub(crate) use grid_sample::{GridSample, Interpolation, Outside};
pub(crate) use max_roi_pool::MaxRoiPool;
pub(crate) use non_max_suppression::NonMaxSuppression;
pub(crate) use non_zero::NonZero;
pub(crate) use recurrence::{Cell, Direction, Recurrence};
pub(crate) use region::Region;
pub(crate) use repeat::Repeat;
pub(crate) use roi_align::RoiAlign;
pub(crate) use same_sizes::{SameSizes, Size};
pub(crate) use scatter::{Places, Reduction, Scatter};
pub(crate) use top_k::TopK;
pub(crate) use unique::Unique;

use super::array::ArrayElement;
use super::executable::ArrayView;
use super::routine::{Fault, ResultView, operand, values};
use super::scalar::Scalar;

/// Bytes of the unused part of a result are zero.
fn clear(results: &mut [ResultView<'_>]) {
    results.iter_mut().for_each(|result| result.bytes.fill(0));
}

/// Writes the actual sizes into the result with this number, when the call has it.
fn write_sizes(results: &mut [ResultView<'_>], index: usize, sizes: &[usize]) -> Result<(), Fault> {
    let Some(result) = results.get_mut(index) else { return Ok(()) };
    for (to, size) in result.values::<i64>()?.iter_mut().zip(sizes) {
        *to = i64::try_from(*size).unwrap_or(i64::MAX);
    }
    Ok(())
}

/// The sizes that an operand has. Those of `bounded` operands, which are known only when running, are the last operands, in order.
fn actual_sizes(operands: &[ArrayView<'_>], index: usize, bounded: &[usize]) -> Result<Vec<usize>, Fault> {
    let shape = operand(operands, index)?.shape;
    let Some(position) = bounded.iter().position(|bounded| *bounded == index) else { return Ok(shape.to_vec()) };
    let sizes = integers(operands, (operands.len() + position).saturating_sub(bounded.len()))?;
    let within = |(size, most): (i64, &usize)| usize::try_from(size).unwrap_or(0).min(*most);
    Ok(sizes.into_iter().zip(shape).map(within).collect())
}

fn result<'v, 'a>(results: &'v mut [ResultView<'a>], index: usize) -> Result<&'v mut ResultView<'a>, Fault> {
    results.get_mut(index).ok_or_else(|| Fault::Reason(format!("has no result {index}")))
}

/// The one number of an operand; `None` when the operand is empty.
fn number<T: ArrayElement>(operands: &[ArrayView<'_>], index: usize) -> Result<Option<T>, Fault> {
    Ok(values::<T>(operands, index)?.first().copied())
}

/// The elements of an operand, of any type.
fn scalars<'a>(operands: &[ArrayView<'a>], index: usize) -> Result<impl Iterator<Item = Scalar> + use<'a>, Fault> {
    let view = *operand(operands, index)?;
    Ok(view.bytes.chunks_exact(view.element.bytes()).filter_map(move |bytes| Scalar::read(view.element, bytes)))
}

/// The elements of an operand as f64.
fn reals(operands: &[ArrayView<'_>], index: usize) -> Result<Vec<f64>, Fault> {
    Ok(scalars(operands, index)?.map(Scalar::as_f64).collect())
}

/// The elements of an operand of integers.
fn integers(operands: &[ArrayView<'_>], index: usize) -> Result<Vec<i64>, Fault> {
    Ok(scalars(operands, index)?.map(Scalar::as_i64).collect())
}

/// Writes the elements of a result, each rounded to its type.
fn write_reals(result: &mut ResultView<'_>, values: impl IntoIterator<Item = f64>) {
    let element = result.element;
    for (bytes, value) in result.bytes.chunks_exact_mut(element.bytes()).zip(values) {
        Scalar::Float(value).cast(element).write(element, bytes);
    }
}

/// A place along an axis; negative ones count from the end.
fn place(index: i64, size: usize) -> Result<usize, Fault> {
    let from_front = if index < 0 { index.saturating_add(size as i64) } else { index };
    usize::try_from(from_front)
        .ok()
        .filter(|place| *place < size)
        .ok_or_else(|| Fault::Reason(format!("has the index {index}, which lies outside of {size} elements")))
}

/// Elements outside, along and inside of an axis.
fn split_at_axis(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    let product = |sizes: &[usize]| sizes.iter().product::<usize>();
    let (outer, rest) = shape.split_at(axis.min(shape.len()));
    let (along, inner) = rest.split_at(rest.len().min(1));
    (product(outer), product(along), product(inner))
}

/// Calls a generic function for the element type of a tensor.
macro_rules! for_number {
    ($element:expr, $function:ident($($argument:expr),*)) => {
        match $element {
            hb_dialects::ElementType::F32 => $function::<f32>($($argument),*),
            hb_dialects::ElementType::F64 => $function::<f64>($($argument),*),
            hb_dialects::ElementType::F16 => $function::<half::f16>($($argument),*),
            hb_dialects::ElementType::BF16 => $function::<half::bf16>($($argument),*),
            hb_dialects::ElementType::I64 => $function::<i64>($($argument),*),
            hb_dialects::ElementType::I32 => $function::<i32>($($argument),*),
            hb_dialects::ElementType::I16 => $function::<i16>($($argument),*),
            hb_dialects::ElementType::I8 => $function::<i8>($($argument),*),
            hb_dialects::ElementType::U64 => $function::<u64>($($argument),*),
            hb_dialects::ElementType::U32 => $function::<u32>($($argument),*),
            hb_dialects::ElementType::U16 => $function::<u16>($($argument),*),
            hb_dialects::ElementType::U8 => $function::<u8>($($argument),*),
            hb_dialects::ElementType::Bool => {
                Err($crate::cpu::routine::Fault::Reason("does not take elements of type bool".to_owned()))
            }
        }
    };
}
use for_number;
