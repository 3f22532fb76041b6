//! Links object code that this process has just emitted into this process.

use std::ffi::{CStr, CString};

use inkwell::llvm_sys::core::LLVMCreateMemoryBufferWithMemoryRangeCopy;
use inkwell::llvm_sys::error::{LLVMDisposeErrorMessage, LLVMErrorRef, LLVMGetErrorMessage};
use inkwell::llvm_sys::orc2::lljit::{
    LLVMOrcCreateLLJIT, LLVMOrcDisposeLLJIT, LLVMOrcLLJITAddObjectFile, LLVMOrcLLJITGetMainJITDylib,
    LLVMOrcLLJITLookup, LLVMOrcLLJITRef,
};

use super::error::Error;

/// `void kernel(table, begin, end, scratch)`; see `emit`.
pub(crate) type Entry = unsafe extern "C" fn(*const *mut u8, i64, i64, *mut u8);

/// Linked code. The functions found in it stay valid for as long as it lives.
pub(crate) struct Jit(LLVMOrcLLJITRef);

// SAFETY: LLJIT locks its session internally, and after construction only `Drop` uses it.
unsafe impl Send for Jit {}
// SAFETY: as above.
unsafe impl Sync for Jit {}

fn check(doing: &str, error: LLVMErrorRef) -> Result<(), Error> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: a non-null error owns a message; taking it consumes the error, and the message is freed after copying.
    let message = unsafe {
        let raw = LLVMGetErrorMessage(error);
        let message = CStr::from_ptr(raw).to_string_lossy().into_owned();
        LLVMDisposeErrorMessage(raw);
        message
    };
    Err(Error::llvm(doing, message))
}

impl Jit {
    /// Links objects; they may use the C library's mathematical functions.
    pub(crate) fn link(objects: &[Vec<u8>]) -> Result<Jit, Error> {
        let mut jit: LLVMOrcLLJITRef = std::ptr::null_mut();
        // SAFETY: a null builder asks for the defaults, which resolve symbols of this process.
        check("starting the linker", unsafe { LLVMOrcCreateLLJIT(&mut jit, std::ptr::null_mut()) })?;
        let jit = Jit(jit);
        for object in objects {
            // SAFETY: the bytes are copied; the linker takes the copy over.
            let error = unsafe {
                let buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(
                    object.as_ptr().cast(),
                    object.len(),
                    c"kernels".as_ptr(),
                );
                LLVMOrcLLJITAddObjectFile(jit.0, LLVMOrcLLJITGetMainJITDylib(jit.0), buffer)
            };
            check("linking", error)?;
        }
        Ok(jit)
    }

    pub(crate) fn entry(&self, name: &str) -> Result<Entry, Error> {
        let name = CString::new(name).map_err(|error| Error::llvm("looking up a kernel", error))?;
        let mut address = 0;
        // SAFETY: the session is alive and the name ends in a zero.
        check("looking up a kernel", unsafe { LLVMOrcLLJITLookup(self.0, &mut address, name.as_ptr()) })?;
        if address == 0 {
            return Err(Error::llvm("looking up a kernel", "it has no address"));
        }
        // SAFETY: `emit` gave every kernel this signature.
        Ok(unsafe { std::mem::transmute::<usize, Entry>(address as usize) })
    }
}

impl Drop for Jit {
    fn drop(&mut self) {
        // SAFETY: created by `link`, dropped once. Code that fails to unload is leaked, which harms nobody.
        let _ignored = check("unloading", unsafe { LLVMOrcDisposeLLJIT(self.0) });
    }
}
