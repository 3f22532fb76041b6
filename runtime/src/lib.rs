//! What runs here and on the board alike: element types, arrays, and the routines, which are whole kernels that are no loops.
//!
//! Here the compiler links it as any crate. For the board, the build script of `hb` compiles it once more, without the standard library and with
//! the flag `board`, to LLVM bitcode; an object for the board holds those parts of it that its network calls ([`board`]). So there
//! is one definition of a routine, and both sides run it (`docs/decisions/0078-board-runtime.md`).

#![cfg_attr(board, no_std)]
#![warn(missing_docs)]

extern crate alloc;

pub mod array;
pub mod board;
mod element_type;
mod fault;
pub mod functions;
pub mod routines;
mod scalar;

pub use array::{Array, ArrayElement, ArrayError, ArrayView, ResultView};
pub use element_type::ElementType;
pub use fault::Fault;
pub use scalar::Scalar;

/// A computation of whole tensors.
pub trait Routine {
    /// Fills the results. Elements and shapes are those that the definition of the operator gave to the call.
    ///
    /// # Errors
    /// When values are out of their range.
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault>;

    /// What it computes beside an operation for each element of its operands and results, from the operands' sizes: additions and
    /// multiplications, and values of functions like `exp`.
    fn arithmetic(&self, _operands: &[&[usize]]) -> [u64; 2] {
        [0, 0]
    }
}
