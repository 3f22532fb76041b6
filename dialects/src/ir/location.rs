//! Locations are names: DESIGN decision 4.

use crate::shim;
use melior::{
    Context,
    ir::{Attribute, Location},
};
use std::ffi::CString;

/// The name of the node that a location stands for; empty when it has none.
///
/// A fused location has the name of its first part: a convolution that took over its activation is still that convolution.
pub fn node_name(location: Location<'_>) -> String {
    if location.is_name() {
        // melior reads an empty name through a null pointer.
        // SAFETY: the identifier belongs to the context, which outlives the location.
        return unsafe { shim::text(mlir_sys::mlirIdentifierStr(location.name_value().to_raw())) }.to_owned();
    }
    if location.is_fused() {
        return (0..location.fused_num_locations())
            .map(|i| node_name(location.fused_location(i)))
            .find(|name| !name.is_empty())
            .unwrap_or_default();
    }
    if location.is_call_site() {
        return node_name(location.call_site_callee());
    }
    String::new()
}

/// The location of a node.
pub fn named_location<'c>(context: &'c Context, name: &str) -> Location<'c> {
    Location::name(context, name, Location::unknown(context))
}

/// The location of an operation made from a node, such as `Conv_3/pad`.
pub fn derived_location<'c>(context: &'c Context, location: Location<'c>, suffix: &str) -> Location<'c> {
    named_location(context, &format!("{}/{suffix}", node_name(location)))
}

/// The location of an operation made from several nodes, in the order in which they ran.
pub fn fused_location<'c>(context: &'c Context, locations: &[Location<'c>]) -> Location<'c> {
    // SAFETY: a null attribute means that there is no metadata.
    Location::fused(context, locations, unsafe { Attribute::from_raw(mlir_sys::mlirAttributeGetNull()) })
}

/// The location of an operation, with something that is to be known of it besides its name.
pub fn annotated_location<'c>(context: &'c Context, name: &str, annotation: Attribute<'c>) -> Location<'c> {
    Location::fused(context, &[named_location(context, name)], annotation)
}

/// What [`annotated_location`] was given.
pub fn annotation<'c>(location: Location<'c>) -> Option<Attribute<'c>> {
    if !location.is_fused() {
        return None;
    }
    // SAFETY: the location is fused; its metadata belongs to the context, and is null where there is none.
    unsafe { Attribute::from_option_raw(mlir_sys::mlirLocationFusedGetMetadata(location.to_raw())) }
}

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
