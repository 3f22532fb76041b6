//! Evaluation of one operation on constants.

use hb_dialects::ir::Constant;
use melior::ir::OperationRef;

/// The results of an operation whose operands are these constants.
///
/// # Errors
/// Always, until the CPU backend evaluates operations.
pub fn evaluate(
    _operation: OperationRef<'_, '_>,
    _operands: &[Constant<'_>],
) -> Result<Vec<Constant<'static>>, String> {
    Err("constant folding is not wired to the CPU backend yet".into())
}
