//! ONNX NonZero-13.

use super::{clear, operand, result, write_sizes};
use crate::array::{ArrayView, ResultView};
use crate::scalar::Scalar;
use crate::{Fault, Routine};
use serde::{Deserialize, Serialize};

/// Operand: the input. Results: the positions, one column each with room for all elements, and the sizes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct NonZero;

impl Routine for NonZero {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        clear(results);
        let input = operand(operands, 0)?;
        let rank = input.shape.len();
        let room = result(results, 0)?.shape.get(1).copied().unwrap_or(0);
        let mut found = 0;
        for (position, bytes) in input.bytes.chunks_exact(input.element.bytes()).enumerate() {
            if !Scalar::read(input.element, bytes).is_some_and(Scalar::as_bool) {
                continue;
            }
            let columns = result(results, 0)?.values::<i64>()?;
            let mut rest = position;
            for (dimension, &size) in input.shape.iter().enumerate().rev() {
                if let Some(slot) = columns.get_mut(dimension * room + found) {
                    *slot = (rest % size) as i64;
                }
                rest /= size;
            }
            found += 1;
        }
        write_sizes(results, 1, &[rank, found])
    }
}
