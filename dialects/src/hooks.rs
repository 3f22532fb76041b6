//! What C++ calls: one verifier and one folder for all operations, dispatched by dialect.

use crate::{
    bpu, cpu, hfloat,
    ir::{self, OperationAttributes},
    nash, shim,
};
use melior::ir::{Attribute, AttributeLike, OperationRef, Value, ValueLike, operation::OperationLike};
use mlir_sys::{MlirAttribute, MlirOperation, MlirValue};
use std::sync::{Once, OnceLock};

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

/// The rules of the operations of one dialect.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Checks one operation of the dialect.
    pub verify: VerifyFunction,
    /// Folds one operation of the dialect.
    pub fold: FoldFunction,
}

/// A dialect whose meaning is defined above this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectAbove {
    /// Its rules rest on `hb::numerics`.
    Bpu,
    /// Its rules rest on `hb::nash`.
    Nash,
}

static BPU: OnceLock<Rules> = OnceLock::new();
static NASH: OnceLock<Rules> = OnceLock::new();

/// Brings in the rules of a dialect that is defined above this crate; the first ones stay.
pub fn add(dialect: DialectAbove, rules: Rules) {
    let place = match dialect {
        DialectAbove::Bpu => &BPU,
        DialectAbove::Nash => &NASH,
    };
    place.get_or_init(|| rules);
}

/// Connects the shim to the rules; further calls do nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    // SAFETY: the hooks are functions of this crate and live for ever.
    ONCE.call_once(|| unsafe { shim::hbSetHooks(verify, fold) });
}

/// The rules of the dialect that an operation is of.
fn rules_of(operation: OperationRef<'_, '_>) -> Option<Rules> {
    if hfloat::Op::of(operation).is_some() {
        Some(Rules { verify: hfloat::verify, fold: hfloat::fold })
    } else if cpu::Op::of(operation).is_some() {
        Some(Rules { verify: cpu::verify, fold: |_, _| None })
    } else if bpu::Op::of(operation).is_some() {
        BPU.get().copied()
    } else if nash::Op::of(operation).is_some() {
        NASH.get().copied()
    } else {
        None
    }
}

extern "C" fn verify(operation: MlirOperation) -> bool {
    // SAFETY: MLIR calls with an operation that is alive.
    let operation = unsafe { OperationRef::from_raw(operation) };
    let outcome = match rules_of(operation) {
        Some(rules) => (rules.verify)(operation),
        None => Err("cannot be verified: nothing brought in the rules of its dialect".to_owned()),
    };
    match outcome {
        Ok(()) => true,
        Err(message) if message.is_empty() => false,
        Err(message) => {
            ir::emit_error(operation.location(), &format!("'{}' op {message}", operation.operation_name()));
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
    let Some(rules) = rules_of(operation) else { return false };
    // SAFETY: the shim gives places for both results.
    match (rules.fold)(operation, &operands) {
        Some(Folded::Value(folded)) => unsafe { *value = folded.to_raw() },
        Some(Folded::Constant(folded)) => unsafe { *attribute = folded.to_raw() },
        None => return false,
    }
    true
}
