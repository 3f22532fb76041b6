//! Routines: what is sequential, sorts or scatters, and so is no expression over loops.
//!
//! A routine fills whole tensors. It is code of `hb-runtime`, which the executable calls between its kernels, and of which an object for the
//! board holds a copy; see `docs/decisions/0035-routines-and-regions.md`. Here is what the compiler knows of it besides.

use std::fmt::Debug;
use std::sync::Arc;

use hb_runtime::board::{BoardRoutine, CompiledBody, Description, TensorFacts};
use hb_runtime::{Fault, Routine, with_routines};

use super::error::Error;
use super::executable::ExecutableOptions;
use super::graph::{ExpressionGraph, GraphTensor};
use super::work::Work;

/// How an object for the board does what a routine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardCall {
    /// The function of the runtime that it calls.
    pub symbol: &'static str,
    /// The call's [`Description`] as the function reads it.
    pub description: Vec<u8>,
}

impl BoardCall {
    /// The call of a routine for tensors of these element types and sizes.
    ///
    /// # Errors
    /// When the description cannot be written.
    pub(crate) fn of<R: BoardRoutine>(
        routine: R,
        results: Vec<TensorFacts>,
        operands: Vec<TensorFacts>,
    ) -> Result<BoardCall, Error> {
        let description = Description { routine, results, operands };
        let description = postcard::to_allocvec(&description)
            .map_err(|error| Error::invalid(R::SYMBOL, format!("cannot be described to the board: {error}")))?;
        Ok(BoardCall { symbol: R::SYMBOL, description })
    }
}

/// A routine that a graph may call.
pub trait Callable: Routine + Debug + Send + Sync {
    /// The call in an object for the board. `compile` makes code of a graph inside of it, in the order of its regions.
    ///
    /// # Errors
    /// When a graph inside cannot be compiled.
    fn board_call(
        &self,
        results: Vec<TensorFacts>,
        operands: Vec<TensorFacts>,
        compile: &mut dyn FnMut(&ExpressionGraph) -> Result<CompiledBody, Error>,
    ) -> Result<BoardCall, Error>;

    /// The same routine with the graphs inside of it compiled; `None` when there are none.
    ///
    /// # Errors
    /// When a graph inside cannot be compiled.
    fn compiled(&self, _options: &ExecutableOptions) -> Result<Option<Arc<dyn Callable>>, Error> {
        Ok(None)
    }

    /// What it takes, from the tensors it reads and fills.
    fn work(&self, operands: &[&GraphTensor], results: &[&GraphTensor]) -> Work {
        let shapes: Vec<&[usize]> = operands.iter().map(|tensor| tensor.shape.as_slice()).collect();
        let [operations, functions] = self.arithmetic(&shapes);
        let own = Work { operations, functions, ..Work::default() };
        own.and(Work::of_elements(operands.iter().chain(results).copied()))
    }

    /// Whether it may run while the network is compiled, when its operands are constants.
    fn may_fold(&self) -> bool {
        true
    }
}

/// Implements [`Callable`] for routines without graphs inside.
macro_rules! callable {
    ($($routine:ident => $symbol:ident;)*) => { $(
        impl Callable for hb_runtime::routines::$routine {
            fn board_call(
                &self,
                results: Vec<TensorFacts>,
                operands: Vec<TensorFacts>,
                _: &mut dyn FnMut(&ExpressionGraph) -> Result<CompiledBody, Error>,
            ) -> Result<BoardCall, Error> {
                BoardCall::of(self.clone(), results, operands)
            }
        }
    )* };
}
with_routines!(callable);

/// What went wrong in the routine of a node.
pub(crate) fn fault_at(fault: Fault, node: &str) -> Error {
    match fault {
        Fault::Reason(reason) => Error::invalid(node, reason),
        Fault::Array(error) => error.of_tensor(node).into(),
        Fault::Inner(error) => match error.downcast::<Error>() {
            Ok(inner) => *inner,
            Err(other) => Error::invalid(node, other.to_string()),
        },
    }
}
