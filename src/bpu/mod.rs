//! The integer level: constraints, placement, legalisation, `quant` to `bpu`, the reference interpreter.

pub mod constraints;
pub mod functions;
pub mod interpreter;
pub mod lower;
pub mod mlir;
pub mod model;
pub mod reals;
pub mod rules;
pub mod verify;
