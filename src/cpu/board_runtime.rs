//! The routines as code of the board, linked into an object.

use std::mem;
use std::ptr;

use inkwell::GlobalVisibility;
use inkwell::context::Context;
use inkwell::llvm_sys::bit_reader::LLVMGetBitcodeModuleInContext2;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::{Linkage, Module};
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::TargetMachine;
use inkwell::values::FunctionValue;

use super::error::Error;

/// The routines as LLVM bitcode: `build.rs` compiles `runtime/`.
static RUNTIME: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/runtime.bc"));

/// What it leaves of the routines: nothing unwinds on the board, and the landing pads of `core` and `alloc` would need a library for it.
const PASSES: &str = "globaldce,function(lower-invoke,simplifycfg),globaldce";

/// Adds the routines that a module calls. They are optimized already.
///
/// # Errors
/// When LLVM cannot read or link them.
pub(super) fn link_runtime<'ctx>(
    context: &'ctx Context,
    module: &Module<'ctx>,
    machine: &TargetMachine,
) -> Result<(), Error> {
    let runtime = runtime(context)?;
    runtime.set_triple(&machine.get_triple());
    runtime.set_data_layout(&machine.get_target_data().get_data_layout());
    let functions = runtime.get_functions().filter(|function| !function.as_global_value().is_declaration());
    let (called, others): (Vec<_>, Vec<_>) = functions
        .partition(|function| function.get_name().to_str().is_ok_and(|name| module.get_function(name).is_some()));
    let called: Vec<String> =
        called.iter().map(|function| function.get_name().to_string_lossy().into_owned()).collect();
    // What is hidden and not called is not linked, nor even read.
    others.into_iter().for_each(hide);
    let linking = "linking the board's runtime";
    module.link_in_module(runtime).map_err(|error| Error::llvm(linking, error))?;
    module.strip_debug_info();
    called.iter().filter_map(|name| module.get_function(name)).for_each(hide);
    module.run_passes(PASSES, machine, PassBuilderOptions::create()).map_err(|error| Error::llvm(linking, error))?;
    module.verify().map_err(|error| Error::llvm(linking, error))
}

/// The module of [`RUNTIME`], of which a function is read when it is linked.
fn runtime(context: &Context) -> Result<Module<'_>, Error> {
    let buffer = MemoryBuffer::create_from_memory_range_copy(RUNTIME, "runtime");
    let mut module = ptr::null_mut();
    // SAFETY: context and buffer are alive; the module owns the buffer from here on, whose own end is therefore prevented.
    let failed = unsafe { LLVMGetBitcodeModuleInContext2(context.raw(), buffer.as_mut_ptr(), &mut module) } != 0;
    mem::forget(buffer);
    if failed || module.is_null() {
        return Err(Error::llvm("reading the board's runtime", "it is no bitcode of this LLVM"));
    }
    // SAFETY: it is a module of the context, and nobody else's.
    Ok(unsafe { Module::new(module) })
}

fn hide(function: FunctionValue<'_>) {
    function.as_global_value().set_visibility(GlobalVisibility::Default);
    function.set_linkage(Linkage::Internal);
}
