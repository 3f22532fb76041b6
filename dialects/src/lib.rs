//! The dialects of `hb`: ODS-generated C++ behind a thin shim, with verifiers, folders and passes in Rust.
//!
//! * [`ir`] reads and builds operations, attributes, constants, locations.
//! * [`hfloat`], [`bpu`], [`cpu`] hold the rules of each dialect: verifiers, shapes, folders.
//! * [`pass`] describes passes and pipelines in Rust and registers them with MLIR.
//!
//! Call [`context`] for a context in which all of it is known.

pub mod bpu;
pub mod cpu;
pub mod hfloat;
pub mod hooks;
pub mod ir;
pub mod pass;
mod shim;
pub mod tools;

use melior::{Context, dialect::DialectRegistry};

/// A context with the upstream dialects and those of `hb` loaded.
pub fn context() -> Context {
    hooks::install();
    let registry = DialectRegistry::new();
    // SAFETY: the registry is alive; the shim only inserts into it.
    unsafe { shim::hbInsertAllDialects(registry.to_raw()) };
    let context = Context::new();
    context.append_dialect_registry(&registry);
    context.load_all_available_dialects();
    context
}
