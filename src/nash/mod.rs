//! Instructions, tiles, schedules: `bpu` to `nash`, encoding, disassembly.

pub mod allocate;
pub mod calls;
pub mod disassemble;
pub mod encode;
pub mod hazard;
pub mod isa;
mod isa_access;
mod isa_cycles;
pub mod isa_document;
mod isa_fields;
mod isa_numbers;
mod isa_operations;
mod isa_program;
mod isa_validate;
pub mod lower;
pub mod mlir;
mod passes;
pub mod region;
pub mod schedule;
pub mod tile;
pub mod timing;

pub use passes::{BALANCE_FACTOR, COMPILE_MODE, MARCH, MAX_TIME_PER_FC, OPTIMIZE_LEVEL, OVERRIDE, PASSES};
