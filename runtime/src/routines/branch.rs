//! ONNX If: one of two regions.

use alloc::vec::Vec;

use super::region::{Body, Region, arrays, store};
use super::{operand, write_sizes};
use crate::array::{ArrayView, ResultView};
use crate::{Fault, Routine};
use serde::{Deserialize, Serialize};

/// Operands: the condition, then what both regions read. Results: the values, then the sizes of those in `bounded`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Branch<B> {
    /// The region for true.
    pub then: Region<B>,
    /// The region for false.
    pub otherwise: Region<B>,
    /// The results whose sizes are known only when running.
    pub bounded: Vec<usize>,
}

impl<B: Body> Routine for Branch<B> {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let condition = operand(operands, 0)?.bytes.first().is_some_and(|byte| *byte != 0);
        let captured = arrays(operands.get(1..).unwrap_or_default())?;
        let region = if condition { &self.then } else { &self.otherwise };
        let given = region.run(&captured.iter().collect::<Vec<_>>())?;
        let values = results.len() - self.bounded.len().min(results.len());
        for (value, result) in given.iter().zip(results.iter_mut().take(values)) {
            store(value, result);
        }
        for (position, index) in self.bounded.iter().enumerate() {
            if let Some(value) = given.get(*index) {
                write_sizes(results, values + position, &value.sizes)?;
            }
        }
        Ok(())
    }
}
