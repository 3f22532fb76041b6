//! The simulator: results, cycles, races.

pub mod advice;
pub mod bpu_segment;
pub mod command;
mod cpu_time;
pub mod executor;
pub mod fast;
pub mod infer;
pub mod inputs;
pub mod machine;
pub mod network;
pub mod npy;
mod npy_header;
pub mod open;
mod passes;
pub mod perf;
pub mod regions;
pub mod runner;
pub mod segmented;
#[cfg(test)]
pub(crate) mod tests;

pub use passes::PASSES;
