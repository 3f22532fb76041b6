//! The dialects of `hb`: ODS-generated C++ behind a thin shim, with verifiers, folders and passes in Rust.
//!
//! * [`ElementType`] is what tensors are made of, in every room.
//! * [`ir`] reads and builds operations, attributes, constants, locations.
//! * [`hfloat`], [`cpu`] hold the rules of their dialects: verifiers, shapes, folders. Those of `bpu` rest on the plain model in
//!   `hb::bpu` and are in `src/bpu/rules.rs`, those of `nash` on the instruction set and are in `src/nash/mlir`;
//!   [`hooks::add`] brings them in. [`nash`] holds the attributes of instructions.
//! * [`names`] are those of inputs and outputs; [`quant`] is MLIR's dialect of casts.
//! * [`registry`] says what the records in `tablegen/` hold: an enum `Op` per dialect, tables, and accessors of attributes.
//! * [`pass`] describes passes and pipelines in Rust and registers them with MLIR.
//!
//! Call [`context`] for a context in which all of it is known.

#![warn(missing_docs)]

pub mod bpu;
pub mod cpu;
mod element_type;
pub mod hfloat;
pub mod hooks;
pub mod ir;
pub mod names;
pub mod nash;
pub mod pass;
pub mod quant;
pub mod registry;
mod shim;
pub mod tools;

pub use element_type::MlirElementType;
pub use hb_runtime::ElementType;

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
