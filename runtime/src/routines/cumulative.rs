//! ONNX CumSum-14 and CumProd-26.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec;

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

use super::{for_number, number, operand, place, result, split_at_axis, values};
use crate::array::{ArrayElement, ArrayView, ResultView};
use crate::{Fault, Routine};

/// What elements become together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Joined {
    /// Their sum.
    Sum,
    /// Their product.
    Product,
}

/// Operands: the input, and the axis. Result: the sums or products.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Cumulative {
    /// What elements become together.
    pub joined: Joined,
    /// Whether an element is not in its own sum.
    pub exclusive: bool,
    /// Whether sums begin at the end.
    pub reverse: bool,
}

impl Routine for Cumulative {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let element = operand(operands, 0)?.element;
        for_number!(element, run(self, operands, results))
    }
}

/// How elements are joined: integers wrap, halves are joined as f32.
trait Cumulated: ArrayElement {
    type Wide: Copy;

    /// What stands before the first element.
    fn neutral(joined: Joined) -> Self::Wide;

    fn join(self, so_far: Self::Wide, joined: Joined) -> Self::Wide;

    fn of(wide: Self::Wide) -> Self;
}

macro_rules! cumulated {
    ($($type:ty as $wide:ty: $widen:expr, $add:expr, $multiply:expr, $of:expr;)*) => { $(
        impl Cumulated for $type {
            type Wide = $wide;

            fn neutral(joined: Joined) -> $wide {
                match joined {
                    Joined::Sum => 0 as $wide,
                    Joined::Product => 1 as $wide,
                }
            }

            fn join(self, so_far: $wide, joined: Joined) -> $wide {
                match joined {
                    Joined::Sum => $add(so_far, $widen(self)),
                    Joined::Product => $multiply(so_far, $widen(self)),
                }
            }

            fn of(wide: $wide) -> $type {
                $of(wide)
            }
        }
    )* };
    (integers $($type:ty),*) => {
        cumulated! { $($type as $type: |x| x, <$type>::wrapping_add, <$type>::wrapping_mul, |wide| wide;)* }
    };
}

cumulated! {
    f64 as f64: |x| x, |a: f64, b: f64| a + b, |a: f64, b: f64| a * b, |wide| wide;
    f32 as f32: |x| x, |a: f32, b: f32| a + b, |a: f32, b: f32| a * b, |wide| wide;
    f16 as f32: f16::to_f32, |a: f32, b: f32| a + b, |a: f32, b: f32| a * b, f16::from_f32;
    bf16 as f32: bf16::to_f32, |a: f32, b: f32| a + b, |a: f32, b: f32| a * b, bf16::from_f32;
}
cumulated!(integers i64, i32, i16, i8, u64, u32, u16, u8);

fn run<T: Cumulated>(
    routine: &Cumulative,
    operands: &[ArrayView<'_>],
    results: &mut [ResultView<'_>],
) -> Result<(), Fault> {
    let (input, shape) = (values::<T>(operands, 0)?, operand(operands, 0)?.shape);
    let (_, along, inner) = split_at_axis(shape, axis(operands, shape.len())?);
    let output = result(results, 0)?.values::<T>()?;
    let plane = (along * inner).max(1);
    for (input, output) in input.chunks_exact(plane).zip(output.chunks_exact_mut(plane)) {
        let mut joined = vec![T::neutral(routine.joined); inner];
        for step in 0..along {
            let row = if routine.reverse { along - 1 - step } else { step } * inner;
            let (Some(input), Some(output)) = (input.get(row..row + inner), output.get_mut(row..row + inner)) else {
                continue;
            };
            for ((so_far, x), y) in joined.iter_mut().zip(input).zip(output) {
                let next = x.join(*so_far, routine.joined);
                *y = T::of(if routine.exclusive { *so_far } else { next });
                *so_far = next;
            }
        }
    }
    Ok(())
}

/// The dimension that the second operand names.
fn axis(operands: &[ArrayView<'_>], rank: usize) -> Result<usize, Fault> {
    let axis = match operand(operands, 1)?.element {
        crate::ElementType::I32 => number::<i32>(operands, 1)?.map(i64::from),
        _ => number::<i64>(operands, 1)?,
    };
    let axis = axis.ok_or_else(|| Fault::Reason("has an empty axis".to_owned()))?;
    place(axis, rank).map_err(|_| Fault::Reason(format!("has the axis {axis}; its input has {rank} dimensions")))
}
