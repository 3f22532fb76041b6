//! ONNX BitCast-26.

use super::super::executable::ArrayView;
use super::super::routine::{BoardCode, Fault, ResultView, Routine};
use super::{operand, result};

/// Operand and result: the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BitCast;

impl Routine for BitCast {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let (from, to) = (operand(operands, 0)?.bytes, result(results, 0)?);
        to.bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn board_code(&self) -> BoardCode {
        BoardCode::Function { symbol: "hb_bit_cast", parameters: Vec::new() }
    }
}
