//! Evaluation of one operation on constants.

use crate::cpu;
use hb_dialects::ir::Constant;
use melior::ir::OperationRef;

/// The results of an operation whose operands are these constants, computed by the CPU backend.
///
/// # Errors
/// When the CPU backend has no definition of the operation or of its types.
pub fn evaluate(operation: OperationRef<'_, '_>, operands: &[Constant<'_>]) -> Result<Vec<Constant<'static>>, String> {
    let arrays: Result<Vec<cpu::Array>, cpu::Error> = operands.iter().map(cpu::array_of).collect();
    let arrays = arrays.map_err(|error| error.to_string())?;
    let results = cpu::fold(operation, &arrays.iter().collect::<Vec<_>>()).map_err(|error| error.to_string())?;
    Ok(results.iter().map(cpu::constant_of).collect())
}
