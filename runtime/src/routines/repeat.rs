//! ONNX Loop: a region that runs again and again.

use alloc::format;
use alloc::vec::Vec;

use super::region::{Body, Given, Region, arrays, store};
use super::{clear, number, operand, result, write_sizes};
use crate::array::{Array, ArrayError, ArrayView, ResultView, copy_box};
use crate::{ElementType, Fault, Routine};
use serde::{Deserialize, Serialize};

/// Operands: trip count, condition, the carried values, what the body reads besides, then the sizes of the values in
/// `bounded_values`. Results: the carried values, the parts of all iterations, then the sizes of those in `bounded`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Repeat<B> {
    /// What runs again and again.
    pub body: Region<B>,
    /// How many values go from one iteration to the next.
    pub carried: usize,
    /// The values that the body takes whose sizes are known only when running.
    pub bounded_values: Vec<usize>,
    /// The results whose sizes are known only when running.
    pub bounded: Vec<usize>,
}

impl<B: Body> Routine for Repeat<B> {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        clear(results);
        let most = number::<i64>(operands, 0)?.unwrap_or(0);
        let mut goes_on = operand(operands, 1)?.bytes.first().is_some_and(|byte| *byte != 0);
        let mut values = arrays(operands.get(2..).unwrap_or_default())?;
        let values_end = results.len() - self.bounded.len().min(results.len());
        let mut trips = 0i64;
        while goes_on && trips < most {
            let own = [Array::from_values(&[], &[trips])?, one_bool(goes_on)?];
            let given = self.body.run(&own.iter().chain(&values).collect::<Vec<_>>())?;
            let mut given = given.into_iter();
            goes_on = given.next().is_some_and(|given| given.array.as_bytes().first().is_some_and(|byte| *byte != 0));
            for index in 0..self.carried {
                if let Some(next) = given.next() {
                    self.carry(index, next, &mut values)?;
                }
            }
            for (part, result) in given.zip(results.iter_mut().take(values_end).skip(self.carried)) {
                keep_part(&part.array, trips, result)?;
            }
            trips += 1;
        }
        let sizes_of = |index: usize| self.sizes_of(index, &values);
        for (index, value) in values.iter().take(self.carried).enumerate() {
            let given =
                Given { array: value.clone(), sizes: sizes_of(index).unwrap_or_else(|| value.shape().to_vec()) };
            store(&given, result(results, index)?);
        }
        for (position, index) in self.bounded.iter().enumerate() {
            let sizes = if *index < self.carried {
                sizes_of(*index).unwrap_or_default()
            } else {
                let mut sizes = result(results, *index)?.shape.to_vec();
                sizes.iter_mut().take(1).for_each(|size| *size = usize::try_from(trips).unwrap_or(0));
                sizes
            };
            write_sizes(results, values_end + position, &sizes)?;
        }
        Ok(())
    }
}

impl<B> Repeat<B> {
    /// Where the sizes of a value stand among the values.
    fn size_position(&self, index: usize, values: usize) -> Option<usize> {
        let position = self.bounded_values.iter().position(|bounded| *bounded == index)?;
        (values + position).checked_sub(self.bounded_values.len())
    }

    fn sizes_of(&self, index: usize, values: &[Array]) -> Option<Vec<usize>> {
        values.get(self.size_position(index, values.len())?).map(Array::to_sizes)
    }

    /// What an iteration gave becomes what the next one takes.
    fn carry(&self, index: usize, next: Given, values: &mut [Array]) -> Result<(), Fault> {
        if let Some(position) = self.size_position(index, values.len())
            && let Some(slot) = values.get_mut(position)
        {
            let sizes: Vec<i64> = next.sizes.iter().map(|size| i64::try_from(*size).unwrap_or(i64::MAX)).collect();
            *slot = Array::from_values(&[sizes.len()], &sizes)?;
        }
        let Some(slot) = values.get_mut(index) else { return Ok(()) };
        if next.array.shape() == slot.shape() {
            *slot = next.array;
            return Ok(());
        }
        let mut room = Array::zeros(slot.element(), slot.shape())?;
        let to_shape = room.shape().to_vec();
        copy_box(&next.array, &next.sizes, &to_shape, room.as_bytes_mut());
        *slot = room;
        Ok(())
    }
}

fn one_bool(value: bool) -> Result<Array, ArrayError> {
    Array::from_bytes(ElementType::Bool, &[], &[u8::from(value)])
}

/// The part of one iteration into its row of the result.
fn keep_part(part: &Array, trip: i64, result: &mut ResultView<'_>) -> Result<(), Fault> {
    let bytes = part.as_bytes();
    let start = usize::try_from(trip).ok().and_then(|trip| trip.checked_mul(bytes.len()));
    let end = start.and_then(|start| start.checked_add(bytes.len()));
    let row = start.zip(end).and_then(|(start, end)| result.bytes.get_mut(start..end));
    let row = row
        .ok_or_else(|| Fault::Reason(format!("runs more often than the {:?} that there is room for", result.shape)))?;
    row.copy_from_slice(bytes);
    Ok(())
}
