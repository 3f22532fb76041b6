//! Instructions, tiles, schedules: `bpu` to `nash`, encoding, disassembly.

pub mod allocate;
pub mod hazard;
pub mod isa;
mod isa_access;
mod isa_cycles;
mod isa_fields;
mod isa_operations;
pub mod region;
