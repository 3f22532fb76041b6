//! The one question about an operation and the BPU: what is its form there for these types, or why has it none? Quantization asks it
//! before it gives anything integers, placement asks it of the QDQ form.

use super::{
    builder::Builder,
    operators,
    typing::{Types, Typing},
};
use crate::bpu::{
    constraints::{self, Known},
    model::Segment,
};
use hb_dialects::ir::{self, TensorType};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};

/// The form of an operation for types whose scales may be any numbers, 1 for instance: they are not known yet.
///
/// # Errors
/// The reason why the BPU has none, as a sentence about the operation.
pub fn form(operation: OperationRef<'_, '_>, types: &Types) -> Result<Segment, String> {
    lowered(operation, Typing::Supposed(types.clone()), Known::Types)
}

/// The form of an operation for types with their scales. Weights have their data only where they decided.
///
/// # Errors
/// As for [`form`].
pub fn form_with_scales(operation: OperationRef<'_, '_>, types: &Types) -> Result<Segment, String> {
    lowered(operation, Typing::Supposed(types.clone()), Known::Scales)
        .or_else(|_| lowered(operation, Typing::Supposed(types.clone()), Known::Values))
}

/// The form of an operation of the QDQ form.
///
/// # Errors
/// As for [`form`].
pub(super) fn form_of_casts(operation: OperationRef<'_, '_>) -> Result<Segment, String> {
    lowered(operation, Typing::Casts, Known::Scales).or_else(|_| lowered(operation, Typing::Casts, Known::Values))
}

/// Lowers the operation alone and asks the constraints about every node.
fn lowered(operation: OperationRef<'_, '_>, typing: Typing, known: Known) -> Result<Segment, String> {
    let mut values = operation.operands().chain(ir::results(operation));
    if values.any(|value| TensorType::from_type(value.r#type()).is_ok_and(|r#type| r#type.is_bounded())) {
        return Err("It has a value whose size is known only when the network runs, which the BPU cannot have.".into());
    }
    let mut builder = Builder::asking(typing, known);
    operators::lower(&mut builder, operation)?;
    for node in &builder.segment.nodes {
        constraints::explain(&builder.segment, node, known).map_err(|broken| broken.join(" "))?;
    }
    Ok(builder.segment)
}
