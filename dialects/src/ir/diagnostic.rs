//! Diagnostics at the locations of operations.

use crate::shim;
use melior::ir::Location;
use std::ffi::CString;

/// Reports an error at a location through MLIR's diagnostics.
pub fn emit_error(location: Location<'_>, message: &str) {
    emit(location, message, mlir_sys::mlirEmitError);
}

fn emit(
    location: Location<'_>,
    message: &str,
    door: unsafe extern "C" fn(mlir_sys::MlirLocation, *const std::ffi::c_char),
) {
    let text = CString::new(message.replace('\0', " ")).unwrap_or_default();
    // SAFETY: the location is alive; the text ends with a null byte and is copied.
    unsafe { door(location.to_raw(), text.as_ptr()) }
}

/// Reports a warning at a location through MLIR's diagnostics.
pub fn emit_warning(location: Location<'_>, message: &str) {
    emit(location, message, shim::hbEmitWarning);
}

/// Reports a remark at a location through MLIR's diagnostics.
pub fn emit_remark(location: Location<'_>, message: &str) {
    emit(location, message, shim::hbEmitRemark);
}
