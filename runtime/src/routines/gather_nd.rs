//! ONNX GatherND-13.

use alloc::vec::Vec;

use super::{integers, operand, place, result};
use crate::array::{ArrayView, ResultView};
use crate::{Fault, Routine};
use serde::{Deserialize, Serialize};

/// Operands: data, and indices whose last dimension holds places along the first dimensions of the data, behind the batches. Result: the
/// slices there.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GatherNd {
    /// Leading dimensions that data and indices share.
    pub batch_dims: usize,
    /// Whether operand 2 holds the actual sizes of the indices: how many rows there are is known only when the network runs.
    pub is_counted: bool,
}

impl Routine for GatherNd {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let (data, result) = (operand(operands, 0)?, result(results, 0)?);
        let slices = Slices::of(operands, self.batch_dims, self.is_counted.then_some(2))?;
        let bytes = slices.length * data.element.bytes();
        for (start, to) in slices.starts.iter().zip(result.bytes.chunks_exact_mut(bytes.max(1))) {
            let start = start * data.element.bytes();
            if let Some(from) = data.bytes.get(start..start + bytes) {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }
}

/// The slices of operand 0 that operand 1 names.
pub(super) struct Slices {
    /// The first element of each.
    pub starts: Vec<usize>,
    /// Elements of each.
    pub length: usize,
}

impl Slices {
    /// `sizes` is the operand that holds the actual sizes of the indices; what lies beyond them is not looked at.
    pub fn of(operands: &[ArrayView<'_>], batch_dims: usize, sizes: Option<usize>) -> Result<Slices, Fault> {
        let (shape, indices) = (operand(operands, 0)?.shape, operand(operands, 1)?.shape);
        let depth = indices.last().copied().unwrap_or(0);
        let outer = |sizes: &[usize], count: usize| sizes.iter().take(count).product::<usize>();
        let (batches, rows) = (outer(indices, batch_dims), outer(indices, indices.len().saturating_sub(1)));
        let actual = sizes.map(|sizes| integers(operands, sizes)).transpose()?;
        let actual = actual.and_then(|sizes| usize::try_from(*sizes.first()?).ok());
        let all = indices.first().copied().unwrap_or(1).max(1);
        let there = actual.map_or(rows, |actual| rows / all * actual.min(all));
        let length = shape.iter().skip(batch_dims + depth).product::<usize>();
        let along: Vec<usize> = shape.iter().skip(batch_dims).take(depth).copied().collect();
        let (plane, per_batch) = (along.iter().product::<usize>() * length, rows.checked_div(batches).unwrap_or(0));
        let values = integers(operands, 1)?;
        let mut starts = Vec::with_capacity(rows);
        for row in 0..there {
            let mut start = 0;
            let own = values.get(row * depth..(row + 1) * depth).unwrap_or_default();
            for (index, size) in own.iter().zip(&along) {
                start = start * size + place(*index, *size)?;
            }
            starts.push(row.checked_div(per_batch).unwrap_or(0) * plane + start * length);
        }
        Ok(Slices { starts, length })
    }
}
