//! What all commands of hb share.

/// Keeps the memory of large arrays for the next ones of their size: the system's allocator gives it back, and the kernel clears it anew page by
/// page, which takes longer than most operators (`docs/decisions/0075-allocator.md`). It serves MLIR and LLVM, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
