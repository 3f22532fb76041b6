//! Instructions, tiles, schedules: `bpu` to `nash`, encoding, disassembly.
