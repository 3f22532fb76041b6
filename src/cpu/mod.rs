//! The CPU backend: `hfloat` operators to LLVM IR, run by JIT or stored as objects for the board.
//!
//! An operator is defined once, as scalar [`expression`]s over a [`graph`]. Two executors share the definition:
//! [`interpret`] evaluates it point by point, and [`executable`] emits LLVM IR for static shapes, optimised for the host.
//! See `docs/decisions/0010-cpu-backend.md`.

mod board_runtime;
mod contraction;
mod convert;
mod emit;
mod error;
pub mod executable;
pub mod expression;
mod float;
mod fuse;
pub mod graph;
mod interpret;
mod jit;
mod kernel;
mod kernel_cache;
mod kernel_job;
mod memory;
mod object;
mod operators;
mod prepare;
mod range;
mod region;
mod routine;
mod run;
mod scalar_formula;
mod segment;
mod target;
mod work;

pub use convert::{ConversionError, convert};
pub use error::Error;
pub use executable::{Executable, ExecutableOptions, Observe};
pub use float::{FloatExecutable, FloatProgress, FloatVariant};
pub use graph::ExpressionGraph;
pub(crate) use hb_runtime::routines::{Activation, ActivationKind, Cell, Direction, Recurrence};
pub use hb_runtime::{Array, ArrayElement, ArrayError, ArrayView, Scalar};
pub use interpret::interpret;
pub use kernel_cache::KernelCache;
pub use object::BoardObject;
pub(crate) use operators::recurrence_of;
pub use operators::{array_of, constant_of, fold, operation_graph};
pub use scalar_formula::{RealFunction, argument, real_function, scalar_formula};
#[cfg(test)]
pub(crate) use scalar_formula::{formula_of, formulas};
pub use segment::segment_module;
pub use target::CpuTarget;
pub use work::{Work, work};

#[cfg(test)]
mod tests;
