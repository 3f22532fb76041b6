//! Attributes of the `nash` dialect. Its rules rest on the instruction set and are added by `hb::nash::mlir`.

pub use operations::{Op, attributes};

/// The registry of the dialect.
mod operations {
    crate::registry::dialect!("nash_registry.rs");
}

use crate::shim;
use melior::{
    Context,
    ir::{Attribute, AttributeLike},
};
use mlir_sys::MlirStringRef;
use std::ffi::c_void;

/// An attribute that is made of numbers, in the order of its parameters in `tablegen/nash/Attrs.td`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum NumbersKind {
    /// Number of the engine, count.
    Wait = 0,
    /// Address, strides.
    View = 1,
    /// Number of the region, its index, offset, strides.
    DdrView = 2,
    /// Kernel, strides, dilations, pads.
    Window = 3,
    /// Kernel, pads, extent, minimum, shape, address and strides of the table.
    Count = 4,
    /// Low, high.
    Clamp = 5,
}

/// A tensor at the border of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortAttribute {
    /// As the network calls it.
    pub name: String,
    /// Bytes of its region.
    pub bytes: i64,
    /// Bytes between neighbours, per dimension.
    pub strides: Vec<i64>,
}

/// The attribute of these numbers; `None` when they are too few or too many or name no engine or region.
pub fn attribute<'c>(context: &'c Context, kind: NumbersKind, numbers: &[i64]) -> Option<Attribute<'c>> {
    // SAFETY: the context is alive and holds the dialect; the numbers are as many as said.
    unsafe {
        Attribute::from_option_raw(shim::hbNashAttribute(
            context.to_raw(),
            kind as i32,
            numbers.len() as isize,
            numbers.as_ptr(),
        ))
    }
}

/// The numbers of an attribute; `None` when it is of another kind.
pub fn numbers(attribute: Attribute<'_>, kind: NumbersKind) -> Option<Vec<i64>> {
    let mut numbers = Vec::new();
    let user = std::ptr::from_mut(&mut numbers).cast();
    // SAFETY: `keep` gets the vector that lives here.
    unsafe { shim::hbNashNumbers(attribute.to_raw(), kind as i32, keep, user) }.then_some(numbers)
}

/// `#nash.port<...>`.
pub fn port<'c>(context: &'c Context, port: &PortAttribute) -> Attribute<'c> {
    // SAFETY: the context is alive and holds the dialect; the strides are as many as said.
    unsafe {
        Attribute::from_raw(shim::hbNashPort(
            context.to_raw(),
            shim::string_ref(&port.name),
            port.bytes,
            port.strides.len() as isize,
            port.strides.as_ptr(),
        ))
    }
}

/// What a `#nash.port` says; `None` for other attributes.
pub fn port_of(attribute: Attribute<'_>) -> Option<PortAttribute> {
    let mut name = MlirStringRef { data: std::ptr::null(), length: 0 };
    let (mut bytes, mut strides) = (0, Vec::new());
    let user = std::ptr::from_mut(&mut strides).cast();
    // SAFETY: `keep` gets the vector that lives here; the name lives as long as the context.
    unsafe {
        shim::hbNashPortParts(attribute.to_raw(), &mut name, &mut bytes, keep, user).then(|| PortAttribute {
            name: shim::text(name).to_owned(),
            bytes,
            strides,
        })
    }
}

unsafe extern "C" fn keep(count: isize, numbers: *const i64, user: *mut c_void) {
    if count > 0 {
        // SAFETY: the shim gives `count` numbers, and the vector that the caller passed.
        unsafe { (*user.cast::<Vec<i64>>()).extend_from_slice(std::slice::from_raw_parts(numbers, count as usize)) }
    }
}
