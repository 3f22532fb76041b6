//! ONNX ScatterElements-18 and ScatterND-18.

use alloc::format;
use alloc::vec::Vec;

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

use super::gather_nd::Slices;
use super::{for_number, integers, operand, place, result, values};
use crate::array::{ArrayElement, ArrayView, ResultView};
use crate::{Fault, Routine};

/// Where updates go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Places {
    /// Each element to its own place, with its index along this axis.
    AlongAxis(usize),
    /// Each slice to where the last dimension of the indices says.
    Slices,
}

/// What becomes of an update and what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reduction {
    /// The update.
    Last,
    /// Their sum.
    Add,
    /// Their product.
    Multiply,
    /// The larger.
    Maximum,
    /// The smaller.
    Minimum,
}

/// Operands: data, indices, updates, and where they are counted the actual sizes of indices and updates. Result: the data with the updates in it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Scatter {
    /// Whether operands 3 and 4 hold actual sizes: how many rows of indices there are is known only when the network runs.
    pub is_counted: bool,
    /// Where updates go.
    pub places: Places,
    /// What becomes of an update and what is there.
    pub reduction: Reduction,
}

impl Routine for Scatter {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let (data, updates) = (operand(operands, 0)?, operand(operands, 2)?);
        let slices = self.slices(operands)?;
        result(results, 0)?.bytes.iter_mut().zip(data.bytes).for_each(|(to, from)| *to = *from);
        if self.reduction != Reduction::Last {
            return for_number!(data.element, join(self.reduction, &slices, operands, results));
        }
        let width = data.element.bytes();
        let bytes = slices.length * width;
        for (start, from) in slices.starts.iter().zip(updates.bytes.chunks_exact(bytes.max(1))) {
            let start = start * width;
            if let Some(to) = result(results, 0)?.bytes.get_mut(start..start + bytes) {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }
}

impl Scatter {
    /// Where each update goes; an update of one element is a slice of one.
    fn slices(&self, operands: &[ArrayView<'_>]) -> Result<Slices, Fault> {
        let Places::AlongAxis(axis) = self.places else {
            if self.is_counted {
                let [indices, updates] = [3, 4].map(|sizes| integers(operands, sizes));
                let (indices, updates) = (indices?.first().copied(), updates?.first().copied());
                if indices != updates {
                    let [indices, updates] = [indices, updates].map(Option::unwrap_or_default);
                    return Err(Fault::Reason(format!(
                        "has {indices} rows of indices and {updates} updates; they must be as many"
                    )));
                }
            }
            return Slices::of(operands, 0, self.is_counted.then_some(3));
        };
        let (shape, counts) = (operand(operands, 0)?.shape, operand(operands, 1)?.shape);
        let mut starts = Vec::new();
        for (position, index) in integers(operands, 1)?.into_iter().enumerate() {
            let (mut rest, mut start, mut stride) = (position, 0, 1);
            for (d, (size, count)) in shape.iter().zip(counts).enumerate().rev() {
                let own = if d == axis { place(index, *size)? } else { rest % count };
                start += own * stride;
                stride *= size;
                rest /= count;
            }
            starts.push(start);
        }
        Ok(Slices { starts, length: 1 })
    }
}

/// Integers wrap, halves are joined as f32.
trait Joined: ArrayElement {
    fn join(self, update: Self, reduction: Reduction) -> Self;
}

macro_rules! joined {
    ($($type:ty: $widen:expr, $add:expr, $multiply:expr, $maximum:expr, $minimum:expr, $of:expr;)*) => { $(
        impl Joined for $type {
            fn join(self, update: Self, reduction: Reduction) -> Self {
                let (there, update) = ($widen(self), $widen(update));
                $of(match reduction {
                    Reduction::Last => update,
                    Reduction::Add => $add(there, update),
                    Reduction::Multiply => $multiply(there, update),
                    Reduction::Maximum => $maximum(there, update),
                    Reduction::Minimum => $minimum(there, update),
                })
            }
        }
    )* };
    (integers $($type:ty),*) => { joined! {
        $($type: |x| x, <$type>::wrapping_add, <$type>::wrapping_mul, <$type as Ord>::max, <$type as Ord>::min, |x| x;)*
    } };
}

/// The larger, or NaN where one is.
fn maximum<T: PartialOrd>(a: T, b: T) -> T {
    if a >= b || a.partial_cmp(&a).is_none() { a } else { b }
}

/// The smaller, or NaN where one is.
fn minimum<T: PartialOrd>(a: T, b: T) -> T {
    if a <= b || a.partial_cmp(&a).is_none() { a } else { b }
}

joined! {
    f64: |x| x, |a: f64, b: f64| a + b, |a: f64, b: f64| a * b, maximum, minimum, |x| x;
    f32: |x| x, |a: f32, b: f32| a + b, |a: f32, b: f32| a * b, maximum, minimum, |x| x;
    f16: f16::to_f32, |a: f32, b: f32| a + b, |a: f32, b: f32| a * b, maximum, minimum, f16::from_f32;
    bf16: bf16::to_f32, |a: f32, b: f32| a + b, |a: f32, b: f32| a * b, maximum, minimum, bf16::from_f32;
}
joined!(integers i64, i32, i16, i8, u64, u32, u16, u8);

fn join<T: Joined>(
    reduction: Reduction,
    slices: &Slices,
    operands: &[ArrayView<'_>],
    results: &mut [ResultView<'_>],
) -> Result<(), Fault> {
    let updates = values::<T>(operands, 2)?;
    let output = result(results, 0)?.values::<T>()?;
    for (start, updates) in slices.starts.iter().zip(updates.chunks_exact(slices.length.max(1))) {
        for (there, update) in output.iter_mut().skip(*start).zip(updates) {
            *there = there.join(*update, reduction);
        }
    }
    Ok(())
}
