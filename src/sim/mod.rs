//! The simulator: results, cycles, races.
