//! The mains of `hb-opt` and `hb-lsp-server`.

use crate::{hooks, shim};
use std::{
    ffi::{CString, OsString, c_char, c_int},
    os::unix::ffi::OsStringExt,
};

/// Runs MLIR's `mlir-opt` main on the registered dialects and passes; returns the exit status.
pub fn opt_main(arguments: impl Iterator<Item = OsString>) -> i32 {
    run(arguments, shim::hbOptMain)
}

/// Runs MLIR's language server on the registered dialects; returns the exit status.
pub fn lsp_server_main(arguments: impl Iterator<Item = OsString>) -> i32 {
    run(arguments, shim::hbLspServerMain)
}

fn run(
    arguments: impl Iterator<Item = OsString>,
    main: unsafe extern "C" fn(c_int, *const *const c_char) -> c_int,
) -> i32 {
    hooks::install();
    // The operating system's arguments hold no null bytes.
    let arguments: Vec<CString> = arguments.filter_map(|argument| CString::new(argument.into_vec()).ok()).collect();
    let pointers: Vec<*const c_char> =
        arguments.iter().map(|argument| argument.as_ptr()).chain([std::ptr::null()]).collect();
    // SAFETY: the array is ended by null, as C expects, and outlives the call.
    unsafe { main(arguments.len() as c_int, pointers.as_ptr()) }
}
