//! What C++ calls: one verifier and one folder for all operations, dispatched by operation name.

use crate::{cpu, hfloat, ir, shim};
use melior::ir::{Attribute, AttributeLike, OperationRef, Value, ValueLike, operation::OperationLike};
use mlir_sys::{MlirAttribute, MlirOperation, MlirValue};
use std::{
    collections::HashMap,
    sync::{LazyLock, Once, RwLock},
};

/// Checks one operation; the message of an error follows `'dialect.name' op `. An empty message: the error is reported already.
pub type VerifyFunction = fn(OperationRef<'_, '_>) -> Result<(), String>;
/// What an operation is equal to, if that is known. The attributes are those of constant operands.
pub type FoldFunction = for<'c, 'a> fn(OperationRef<'c, 'a>, &[Option<Attribute<'c>>]) -> Option<Folded<'c, 'a>>;

/// The result of a folder.
pub enum Folded<'c, 'a> {
    /// The operation is equal to this value.
    Value(Value<'c, 'a>),
    /// The operation is equal to this constant.
    Constant(Attribute<'c>),
}

/// The rules of one operation.
#[derive(Clone, Copy)]
pub struct Rules {
    pub name: &'static str,
    pub verify: VerifyFunction,
    pub fold: Option<FoldFunction>,
}

static RULES: LazyLock<RwLock<HashMap<&'static str, Rules>>> =
    LazyLock::new(|| RwLock::new(hfloat::rules().chain(cpu::rules()).map(|rules| (rules.name, rules)).collect()));

/// Adds the rules of operations whose meaning is defined above this crate: those of `bpu` and `nash` rest on
/// `hb::numerics` and `hb::nash`.
pub fn add(rules: impl Iterator<Item = Rules>) {
    if let Ok(mut known) = RULES.write() {
        known.extend(rules.map(|rules| (rules.name, rules)));
    }
}

/// Connects the shim to the rules; further calls do nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    // SAFETY: the hooks are functions of this crate and live for ever.
    ONCE.call_once(|| unsafe { shim::hbSetHooks(verify, fold) });
}

fn rules_of(operation: OperationRef<'_, '_>) -> Option<Rules> {
    let name = operation.name();
    RULES.read().ok()?.get(name.as_string_ref().as_str().ok()?).copied()
}

extern "C" fn verify(operation: MlirOperation) -> bool {
    // SAFETY: MLIR calls with an operation that is alive.
    let operation = unsafe { OperationRef::from_raw(operation) };
    let Some(rules) = rules_of(operation) else { return true };
    match (rules.verify)(operation) {
        Ok(()) => true,
        Err(message) if message.is_empty() => false,
        Err(message) => {
            ir::emit_error(operation.location(), &format!("'{}' op {message}", rules.name));
            false
        }
    }
}

unsafe extern "C" fn fold(
    operation: MlirOperation,
    count: isize,
    operands: *const MlirAttribute,
    value: *mut MlirValue,
    attribute: *mut MlirAttribute,
) -> bool {
    // SAFETY: MLIR calls with an operation that is alive and `count` attributes, null where an operand is no constant.
    let (operation, operands) = unsafe {
        let raw = if count == 0 { &[] } else { std::slice::from_raw_parts(operands, count as usize) };
        let operands: Vec<_> = raw.iter().map(|&raw| Attribute::from_option_raw(raw)).collect();
        (OperationRef::from_raw(operation), operands)
    };
    let Some(fold) = rules_of(operation).and_then(|rules| rules.fold) else { return false };
    // SAFETY: the shim gives places for both results.
    match fold(operation, &operands) {
        Some(Folded::Value(folded)) => unsafe { *value = folded.to_raw() },
        Some(Folded::Constant(folded)) => unsafe { *attribute = folded.to_raw() },
        None => return false,
    }
    true
}
