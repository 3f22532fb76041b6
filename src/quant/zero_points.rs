//! Which values may have a zero point as int8.

use super::{
    groups::ScaleGroups,
    rules::{ACTIVATION_BITS, QuantizedRole, rule_of},
    thresholds::value_name,
};
use hb_dialects::ir::{self, IrError};
use melior::ir::{OperationRef, operation::OperationLike};
use std::collections::HashSet;

/// The integers whose distances from their zero point are the largest: what has a form with them has one with every other.
const FARTHEST: i32 = -128;

/// The names of the values whose thresholds decide a scale, where everything that reads or computes a value of that scale on the BPU has a form with
/// zero points. Where one has none, it would have to see the value in another type, which costs more than a zero point gains.
///
/// # Errors
/// When attributes or types cannot be read.
pub(super) fn allowed(
    function: OperationRef<'_, '_>,
    groups: &ScaleGroups<'_, '_>,
) -> Result<HashSet<String>, IrError> {
    let mut allowed: HashSet<String> = groups.measured().map(|value| value_name(function, value)).collect();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        let Some(rule) = rule_of(operation)? else { continue };
        if rule.form(operation, ACTIVATION_BITS, FARTHEST)?.is_ok() {
            continue;
        }
        let mut values = ir::results(operation);
        for (index, operand) in operation.operands().enumerate() {
            if rule.role(operation, index)? == QuantizedRole::Activation {
                values.push(operand);
            }
        }
        for value in values {
            allowed.remove(&value_name(function, groups.source(value)));
        }
    }
    Ok(allowed)
}
