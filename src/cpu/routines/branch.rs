//! ONNX If: one of two regions.

use std::sync::Arc;

use super::super::error::Error;
use super::super::executable::{ArrayView, ExecutableOptions};
use super::super::graph::GraphTensor;
use super::super::routine::{BoardCode, Fault, ResultView, Routine, operand};
use super::super::work::Work;
use super::region::{Region, arrays, store};
use super::write_sizes;

/// Operands: the condition, then what both regions read. Results: the values, then the sizes of those in `bounded`.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub then: Region,
    pub otherwise: Region,
    /// The results whose sizes are known only when running.
    pub bounded: Vec<usize>,
}

impl Routine for Branch {
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

    /// That of the longer one.
    fn work(&self, operands: &[&GraphTensor], results: &[&GraphTensor]) -> Work {
        let longer =
            [self.then.work(), self.otherwise.work()].into_iter().max_by_key(|work| (work.operations, work.bytes));
        longer.unwrap_or_default().and(Work::of_elements(operands.iter().chain(results).copied()))
    }

    fn board_code(&self) -> BoardCode {
        BoardCode::Absent("branches and loops have no code for the board yet")
    }

    /// A branch may hold a loop.
    fn may_fold(&self) -> bool {
        false
    }

    fn compiled(&self, options: &ExecutableOptions) -> Result<Option<Arc<dyn Routine>>, Error> {
        let (then, otherwise) = (self.then.compiled(options)?, self.otherwise.compiled(options)?);
        Ok(Some(Arc::new(Branch { then, otherwise, bounded: self.bounded.clone() })))
    }
}
