//! The routines: one file each.

use alloc::format;
use alloc::vec::Vec;
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

pub use activation::{Activation, Kind as ActivationKind};
pub use bit_cast::BitCast;
pub use branch::Branch;
pub use cumulative::{Cumulative, Joined};
pub use det::Det;
pub use gather_nd::GatherNd;
pub use grid_sample::{GridSample, Interpolation, Outside};
pub use max_roi_pool::MaxRoiPool;
pub use non_max_suppression::NonMaxSuppression;
pub use non_zero::NonZero;
pub use recurrence::{Cell, Direction, Recurrence, RecurrentSizes};
pub use region::{Body, Region};
pub use repeat::Repeat;
pub use roi_align::RoiAlign;
pub use same_sizes::{SameSizes, Size};
pub use scatter::{Places, Reduction, Scatter};
pub use top_k::TopK;
pub use unique::Unique;

/// Gives the macro of this name the routines, but for branches and loops: each with the function that objects for the board call.
#[macro_export]
macro_rules! with_routines {
    ($then:ident) => {
        $then! {
            BitCast => hb_bit_cast;
            Cumulative => hb_cumulative;
            Det => hb_det;
            GatherNd => hb_gather_nd;
            GridSample => hb_grid_sample;
            MaxRoiPool => hb_max_roi_pool;
            NonMaxSuppression => hb_non_max_suppression;
            NonZero => hb_non_zero;
            Recurrence => hb_recurrence;
            RoiAlign => hb_roi_align;
            SameSizes => hb_same_sizes;
            Scatter => hb_scatter;
            TopK => hb_top_k;
            Unique => hb_unique;
        }
    };
}

use crate::Fault;
use crate::array::{ArrayElement, ArrayView, ResultView};
use crate::scalar::Scalar;

/// The operand with this number.
fn operand<'v, 'a>(operands: &'v [ArrayView<'a>], index: usize) -> Result<&'v ArrayView<'a>, Fault> {
    operands.get(index).ok_or_else(|| Fault::Reason(format!("has no operand {index}")))
}

/// The values of the operand with this number, of this element type.
fn values<'a, T: ArrayElement>(operands: &[ArrayView<'a>], index: usize) -> Result<&'a [T], Fault> {
    let view = operand(operands, index)?;
    view.values().ok_or_else(|| Fault::Reason(format!("operand {index} is {}, not {}", view.element, T::ELEMENT)))
}

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
            $crate::ElementType::F32 => $function::<f32>($($argument),*),
            $crate::ElementType::F64 => $function::<f64>($($argument),*),
            $crate::ElementType::F16 => $function::<half::f16>($($argument),*),
            $crate::ElementType::BF16 => $function::<half::bf16>($($argument),*),
            $crate::ElementType::I64 => $function::<i64>($($argument),*),
            $crate::ElementType::I32 => $function::<i32>($($argument),*),
            $crate::ElementType::I16 => $function::<i16>($($argument),*),
            $crate::ElementType::I8 => $function::<i8>($($argument),*),
            $crate::ElementType::U64 => $function::<u64>($($argument),*),
            $crate::ElementType::U32 => $function::<u32>($($argument),*),
            $crate::ElementType::U16 => $function::<u16>($($argument),*),
            $crate::ElementType::U8 => $function::<u8>($($argument),*),
            $crate::ElementType::Bool => {
                Err($crate::Fault::Reason("does not take elements of type bool".into()))
            }
        }
    };
}
use for_number;
