//! ONNX BitCast-26.

use super::{operand, result};
use crate::array::{ArrayView, ResultView};
use crate::{Fault, Routine};
use serde::{Deserialize, Serialize};

/// Operand and result: the same bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct BitCast;

impl Routine for BitCast {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let (from, to) = (operand(operands, 0)?.bytes, result(results, 0)?);
        to.bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}
