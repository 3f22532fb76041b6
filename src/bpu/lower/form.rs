//! The one question about an operation and the BPU: what is its form there for these types, or why has it none? Quantization asks it
//! before it gives anything integers, placement asks it of the QDQ form.

use super::{
    builder::Builder,
    operators::{self, Engines},
    typing::{Types, Typing},
};
use crate::bpu::{
    constraints::{self, Known},
    model::{Operator, Segment},
};
use hb_dialects::ir::{self, TensorType};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};

/// The form of an operation for types whose scales may be any numbers, 1 for instance: they are not known yet.
///
/// # Errors
/// The reason why the BPU has none, as a sentence about the operation.
pub fn form(operation: OperationRef<'_, '_>, types: &Types) -> Result<Segment, String> {
    integers_or_floats(operation, || Typing::Supposed(types.clone()), &[Known::Types])
}

/// Whether a form is a program of the float engine, which may give f32.
#[must_use]
pub fn is_program(form: &Segment) -> bool {
    form.nodes.iter().any(|node| matches!(node.operator, Operator::Vector { .. }))
}

/// The form of an operation for types with their scales. Weights have their data only where they decided.
///
/// # Errors
/// As for [`form`].
pub fn form_with_scales(operation: OperationRef<'_, '_>, types: &Types) -> Result<Segment, String> {
    integers_or_floats(operation, || Typing::Supposed(types.clone()), &[Known::Scales, Known::Values])
}

/// The form of an operation of the QDQ form.
///
/// # Errors
/// As for [`form`].
pub(super) fn form_of_casts(operation: OperationRef<'_, '_>) -> Result<Segment, String> {
    integers_or_floats(operation, || Typing::Casts, &[Known::Scales, Known::Values])
}

/// The form on the integer engines, or else that on the float engine. With each, what is known is taken into account bit by bit.
fn integers_or_floats(
    operation: OperationRef<'_, '_>,
    typing: impl Fn() -> Typing,
    known: &[Known],
) -> Result<Segment, String> {
    let last = |engines: Engines| {
        let mut found = Err(String::new());
        for &known in known {
            found = lowered(operation, typing(), known, engines);
            if found.is_ok() {
                break;
            }
        }
        found
    };
    if !operators::is_on(operation, Engines::Integer) {
        return last(Engines::Float);
    }
    // Of two reasons, the first one is about the form that was to be expected.
    last(Engines::Integer).or_else(|reason| last(Engines::Float).map_err(|_| reason))
}

/// Lowers the operation alone and asks the constraints about every node.
fn lowered(operation: OperationRef<'_, '_>, typing: Typing, known: Known, engines: Engines) -> Result<Segment, String> {
    let mut values = operation.operands().chain(ir::results(operation));
    if values.any(|value| TensorType::from_type(value.r#type()).is_ok_and(|r#type| r#type.is_bounded())) {
        return Err("It has a value whose size is known only when the network runs, which the BPU cannot have.".into());
    }
    let mut builder = Builder::asking(typing, known);
    operators::lower(&mut builder, operation, engines)?;
    for node in &builder.segment.nodes {
        constraints::explain(&builder.segment, node, known).map_err(|broken| broken.join(" "))?;
    }
    Ok(builder.segment)
}
