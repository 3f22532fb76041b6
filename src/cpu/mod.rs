//! The CPU backend: `hfloat` operators to LLVM IR, run by JIT or stored as objects for the board.
