//! The arithmetic of the machine, defined once (`docs/numerics.md`).
