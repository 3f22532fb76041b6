//! The routines as code of the board, linked into an object.

use std::mem;
use std::ptr;

use inkwell::GlobalVisibility;
use inkwell::context::Context;
use inkwell::llvm_sys::bit_reader::LLVMGetBitcodeModuleInContext2;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::{Linkage, Module};
use inkwell::targets::TargetMachine;
use inkwell::values::GlobalValue;

use super::error::Error;

/// The routines as LLVM bitcode: `build.rs` compiles `runtime/`.
static RUNTIME: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/runtime.bc"));

/// Adds the routines that a module calls, which are optimized already, and hides all but what it exports.
///
/// # Errors
/// When LLVM cannot read or link them.
pub(super) fn link_runtime<'ctx>(
    context: &'ctx Context,
    module: &Module<'ctx>,
    machine: &TargetMachine,
    exported: &[GlobalValue<'ctx>],
) -> Result<(), Error> {
    let exported: Vec<_> = exported.iter().map(|global| global.get_name().to_owned()).collect();
    let runtime = runtime(context)?;
    runtime.set_triple(&machine.get_triple());
    runtime.set_data_layout(&machine.get_target_data().get_data_layout());
    // What is hidden and not called is not linked, nor even read.
    for global in definitions(&runtime) {
        if global.get_name().to_str().is_ok_and(|name| module.get_function(name).is_none()) {
            hide(global);
        }
    }
    module.link_in_module(runtime).map_err(|error| Error::llvm("linking the board's runtime", error))?;
    for global in definitions(module) {
        if !exported.iter().any(|name| name.as_c_str() == global.get_name()) {
            hide(global);
        }
    }
    Ok(())
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

/// The functions and data of a module that it does not only declare.
fn definitions<'ctx>(module: &Module<'ctx>) -> Vec<GlobalValue<'ctx>> {
    let functions = module.get_functions().map(|function| function.as_global_value());
    functions.chain(module.get_globals()).filter(|global| !global.is_declaration()).collect()
}

fn hide(global: GlobalValue<'_>) {
    global.set_visibility(GlobalVisibility::Default);
    global.set_linkage(Linkage::Internal);
}
