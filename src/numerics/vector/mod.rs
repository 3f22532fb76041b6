//! Vector programs: what the VPU does with the elements of a row (`docs/numerics.md`, section 12).
//!
//! A program is a straight line of steps. Each gives a vector as long as the row: of elements that were loaded, of one number, of a function of
//! vectors of earlier steps, or of what all elements of an earlier one are combined to. The last step is the result.

mod row;
mod step;
#[cfg(test)]
pub(crate) mod tests;
mod text;

/// Polynomials that the CPU's functions share.
pub mod coefficients {
    pub use hb_runtime::functions::{ERF, EXP, LOG_ERFC};
}

pub use row::{VECTOR_ACCUMULATORS, canonical, reduce, run_row};
pub use step::{
    MAX_ROW, MAX_VECTOR_OPERANDS, MAX_VECTOR_STEPS, VectorBinary, VectorCost, VectorProgram, VectorReduction,
    VectorStep, VectorUnary,
};
