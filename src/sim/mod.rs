//! The simulator: results, cycles, races.

pub mod array;
pub mod machine;
pub mod npy;
mod npy_header;
