//! ONNX CumSum-14.

use half::{bf16, f16};
use hb_dialects::hfloat::{attributes, normalize_axis};
use hb_dialects::ir::IrError;
use melior::ir::OperationRef;

use super::super::array::ArrayElement;
use super::super::executable::ArrayView;
use super::super::routine::{BoardCode, Fault, ResultView, Routine};
use super::{for_number, number, operand, result, split_at_axis, values};

/// Operands: the input, and the axis. Result: the sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CumSum {
    /// Whether an element is not in its own sum.
    pub exclusive: bool,
    /// Whether sums begin at the end.
    pub reverse: bool,
}

impl CumSum {
    /// As the attributes of the operation say.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn of(operation: OperationRef<'_, '_>) -> Result<CumSum, IrError> {
        Ok(CumSum { exclusive: attributes::exclusive(operation)?, reverse: attributes::reverse(operation)? })
    }
}

impl Routine for CumSum {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let element = operand(operands, 0)?.element;
        for_number!(element, run(self, operands, results))
    }

    fn board_code(&self) -> BoardCode {
        let parameters = vec![i64::from(self.exclusive), i64::from(self.reverse)];
        BoardCode::Function { symbol: "hb_cum_sum", parameters }
    }
}

/// How elements add up: integers wrap, halves are summed as f32.
trait Summed: ArrayElement {
    type Sum: Copy + Default;

    fn plus(self, sum: Self::Sum) -> Self::Sum;

    fn of(sum: Self::Sum) -> Self;
}

macro_rules! summed {
    ($($type:ty as $sum:ty: $plus:expr, $of:expr;)*) => { $(
        impl Summed for $type {
            type Sum = $sum;

            fn plus(self, sum: $sum) -> $sum {
                $plus(sum, self)
            }

            fn of(sum: $sum) -> $type {
                $of(sum)
            }
        }
    )* };
}

summed! {
    f64 as f64: |sum: f64, x: f64| sum + x, |sum| sum;
    f32 as f32: |sum: f32, x: f32| sum + x, |sum| sum;
    f16 as f32: |sum: f32, x: f16| sum + x.to_f32(), f16::from_f32;
    bf16 as f32: |sum: f32, x: bf16| sum + x.to_f32(), bf16::from_f32;
    i64 as i64: i64::wrapping_add, |sum| sum;
    i32 as i32: i32::wrapping_add, |sum| sum;
    i16 as i16: i16::wrapping_add, |sum| sum;
    i8 as i8: i8::wrapping_add, |sum| sum;
    u64 as u64: u64::wrapping_add, |sum| sum;
    u32 as u32: u32::wrapping_add, |sum| sum;
    u16 as u16: u16::wrapping_add, |sum| sum;
    u8 as u8: u8::wrapping_add, |sum| sum;
}

fn run<T: Summed>(routine: &CumSum, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
    let (input, shape) = (values::<T>(operands, 0)?, operand(operands, 0)?.shape);
    let (_, along, inner) = split_at_axis(shape, axis(operands, shape.len())?);
    let output = result(results, 0)?.values::<T>()?;
    let plane = (along * inner).max(1);
    for (input, output) in input.chunks_exact(plane).zip(output.chunks_exact_mut(plane)) {
        let mut sums = vec![T::Sum::default(); inner];
        for step in 0..along {
            let row = if routine.reverse { along - 1 - step } else { step } * inner;
            let (Some(input), Some(output)) = (input.get(row..row + inner), output.get_mut(row..row + inner)) else {
                continue;
            };
            for ((sum, x), y) in sums.iter_mut().zip(input).zip(output) {
                let next = x.plus(*sum);
                *y = T::of(if routine.exclusive { *sum } else { next });
                *sum = next;
            }
        }
    }
    Ok(())
}

/// The dimension that the second operand names.
fn axis(operands: &[ArrayView<'_>], rank: usize) -> Result<usize, Fault> {
    let axis = match operand(operands, 1)?.element {
        hb_dialects::ElementType::I32 => number::<i32>(operands, 1)?.map(i64::from),
        _ => number::<i64>(operands, 1)?,
    };
    let axis = axis.ok_or_else(|| Fault::Reason("has an empty axis".to_owned()))?;
    normalize_axis(axis, rank).map_err(Fault::Reason)
}
