//! Routines: what is sequential, sorts or scatters, and so is no expression over loops.
//!
//! A routine fills whole tensors. On the host it is Rust code that the executable calls between its kernels. An object for the
//! board calls a function of the same meaning from the board's runtime; see `docs/decisions/0035-routines-and-regions.md`.

use std::fmt::Debug;
use std::sync::Arc;

use hb_dialects::ElementType;

use super::array::{Array, ArrayElement};
use super::error::Error;
use super::executable::{ArrayView, ExecutableOptions};
use super::graph::GraphTensor;
use super::work::Work;

/// A result's memory, zeroed or left from an earlier run: a routine writes all of it.
#[derive(Debug)]
pub struct ResultView<'a> {
    pub element: ElementType,
    pub shape: &'a [usize],
    pub bytes: &'a mut [u8],
}

impl<'a> ResultView<'a> {
    pub(crate) fn of(array: &'a mut Array) -> ResultView<'a> {
        let element = array.element();
        let (shape, bytes) = array.parts_mut();
        ResultView { element, shape, bytes }
    }

    /// The values, or an error when the tensor holds another element type.
    pub(crate) fn values<T: ArrayElement>(&mut self) -> Result<&mut [T], Fault> {
        // SAFETY: every bit pattern is a valid number; `align_to_mut` takes care of the alignment.
        let (before, values, after) = unsafe { self.bytes.align_to_mut::<T>() };
        if T::ELEMENT == self.element && before.is_empty() && after.is_empty() {
            Ok(values)
        } else {
            Err(Fault::Reason(format!("a result is {}, not {}", self.element, T::ELEMENT)))
        }
    }
}

/// Why a routine failed: a reason, which the caller puts the node's name before, or the error of a node inside of it.
#[derive(Debug)]
pub enum Fault {
    Reason(String),
    Inner(Error),
}

impl Fault {
    pub(crate) fn at(self, node: &str) -> Error {
        match self {
            Fault::Reason(reason) => Error::invalid(node, reason),
            Fault::Inner(error) => error,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Inner(error)
    }
}

/// How an object for the board does what a routine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoardCode {
    /// A call of this function of the board's runtime, with these numbers behind the shapes.
    Function { symbol: &'static str, parameters: Vec<i64> },
    /// There is none, for this reason.
    Absent(&'static str),
}

/// A computation of whole tensors.
pub trait Routine: Debug + Send + Sync {
    /// Fills the results. Elements and shapes are those that the definition of the operator gave to the call.
    ///
    /// # Errors
    /// When values are out of their range.
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault>;

    /// How it gets into an object for the board.
    fn board_code(&self) -> BoardCode;

    /// The same routine with the graphs inside of it compiled; `None` when there are none.
    ///
    /// # Errors
    /// When a graph inside cannot be compiled.
    fn compiled(&self, _options: &ExecutableOptions) -> Result<Option<Arc<dyn Routine>>, Error> {
        Ok(None)
    }

    /// What it takes, from the tensors it reads and fills: an operation for each of their elements where nothing else is said.
    fn work(&self, operands: &[&GraphTensor], results: &[&GraphTensor]) -> Work {
        Work::of_elements(operands.iter().chain(results).copied())
    }

    /// Whether it may run while the network is compiled, when its operands are constants.
    fn may_fold(&self) -> bool {
        true
    }
}

/// The operand with this number.
pub(crate) fn operand<'v, 'a>(operands: &'v [ArrayView<'a>], index: usize) -> Result<&'v ArrayView<'a>, Fault> {
    operands.get(index).ok_or_else(|| Fault::Reason(format!("has no operand {index}")))
}

/// The values of the operand with this number, of this element type.
pub(crate) fn values<'a, T: ArrayElement>(operands: &[ArrayView<'a>], index: usize) -> Result<&'a [T], Fault> {
    let view = operand(operands, index)?;
    view.values().ok_or_else(|| Fault::Reason(format!("operand {index} is {}, not {}", view.element, T::ELEMENT)))
}
