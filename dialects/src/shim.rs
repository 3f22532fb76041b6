//! The functions of `dialects/cpp`.

use mlir_sys::{
    MlirAttribute, MlirContext, MlirDialectRegistry, MlirLocation, MlirOperation, MlirStringRef, MlirType, MlirValue,
};
use std::ffi::{c_char, c_int, c_void};

pub type Verify = extern "C" fn(MlirOperation) -> bool;
pub type Fold =
    unsafe extern "C" fn(MlirOperation, isize, *const MlirAttribute, *mut MlirValue, *mut MlirAttribute) -> bool;
pub type RunPass = unsafe extern "C" fn(*const c_void, MlirOperation, isize, *const MlirStringRef) -> bool;
pub type KeepNumbers = unsafe extern "C" fn(isize, *const i64, *mut c_void);
pub type EmitText = unsafe extern "C" fn(MlirStringRef, *mut c_void);
pub type BuildPipeline = unsafe extern "C" fn(*const c_void, MlirStringRef, EmitText, *mut c_void) -> bool;

#[repr(C)]
pub struct PassOption {
    pub name: MlirStringRef,
    pub description: MlirStringRef,
    pub initial: MlirStringRef,
}

#[repr(C)]
pub struct Pass {
    pub argument: MlirStringRef,
    pub summary: MlirStringRef,
    pub anchor: MlirStringRef,
    pub option_count: isize,
    pub options: *const PassOption,
    pub run: RunPass,
    pub data: *const c_void,
}

#[repr(C)]
pub struct Pipeline {
    pub argument: MlirStringRef,
    pub summary: MlirStringRef,
    pub build: BuildPipeline,
    pub data: *const c_void,
}

unsafe extern "C" {
    pub fn hbSetHooks(verify: Verify, fold: Fold);
    pub fn hbEmitWarning(location: MlirLocation, message: *const c_char);
    pub fn hbEmitRemark(location: MlirLocation, message: *const c_char);
    pub fn hbInsertAllDialects(registry: MlirDialectRegistry);
    pub fn hbRegisterPass(pass: *const Pass);
    pub fn hbRegisterPipeline(pipeline: *const Pipeline);
    pub fn hbRegisterUpstreamPasses();
    pub fn hbOptMain(count: c_int, arguments: *const *const c_char) -> c_int;
    pub fn hbLspServerMain(count: c_int, arguments: *const *const c_char) -> c_int;
    pub fn hbKeepResources(context: MlirContext, count: isize, operations: *const MlirOperation);
    pub fn hbDenseResourceData(attribute: MlirAttribute, data: *mut *const u8, size: *mut usize) -> bool;
    pub fn hbHfloatClampGet(context: MlirContext, lower: f64, upper: f64) -> MlirAttribute;
    pub fn hbHfloatClampBounds(attribute: MlirAttribute, lower: *mut f64, upper: *mut f64) -> bool;
    pub fn hbHfloatBoundsGet(context: MlirContext, count: isize, sizes: *const i64) -> MlirAttribute;
    pub fn hbHfloatBoundsSizes(attribute: MlirAttribute, keep: KeepNumbers, user: *mut c_void) -> bool;
    pub fn hbRankedTensorSizes(r#type: MlirType, keep: KeepNumbers, user: *mut c_void) -> bool;
    pub fn hbHfloatEnumName(attribute: MlirAttribute) -> MlirStringRef;
    pub fn hbNashAttribute(context: MlirContext, kind: c_int, count: isize, numbers: *const i64) -> MlirAttribute;
    pub fn hbNashNumbers(attribute: MlirAttribute, kind: c_int, keep: KeepNumbers, user: *mut c_void) -> bool;
    pub fn hbNashPort(
        context: MlirContext,
        name: MlirStringRef,
        bytes: i64,
        rank: isize,
        strides: *const i64,
    ) -> MlirAttribute;
    pub fn hbNashPortParts(
        attribute: MlirAttribute,
        name: *mut MlirStringRef,
        bytes: *mut i64,
        keep: KeepNumbers,
        user: *mut c_void,
    ) -> bool;
}

/// A borrowed string for C; valid as long as `text` is.
pub fn string_ref(text: &str) -> MlirStringRef {
    MlirStringRef { data: text.as_ptr().cast(), length: text.len() }
}

/// The text of a string that C++ owns; empty when null or not UTF-8.
///
/// # Safety
/// The bytes must be alive for `'a`.
pub unsafe fn text<'a>(string: MlirStringRef) -> &'a str {
    if string.data.is_null() {
        return "";
    }
    // SAFETY: the caller vouches for the bytes.
    let bytes = unsafe { std::slice::from_raw_parts(string.data.cast::<u8>(), string.length) };
    std::str::from_utf8(bytes).unwrap_or_default()
}
