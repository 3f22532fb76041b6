//! Instructions, tiles, schedules: `bpu` to `nash`, encoding, disassembly.

pub mod allocate;
pub mod hazard;
pub mod region;
