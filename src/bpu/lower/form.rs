//! The one question about an operation and the BPU: what is its form there for these types, or why has it none? Quantization asks it
//! before it gives anything integers, placement asks it of the QDQ form.

use super::{
    builder::Builder,
    operators::{self, Engines},
    typing::{Types, Typing},
};
use crate::bpu::{
    constraints::{self, Known},
    model::Segment,
};
use hb_dialects::hfloat::has_unknown_sizes;
use melior::ir::OperationRef;

/// The nodes that an operation becomes, and what computes them.
pub struct Form {
    /// Its nodes alone.
    pub segment: Segment,
    engines: Engines,
}

impl Form {
    /// Whether it is a program of the float engine, which may give f32.
    #[must_use]
    pub fn is_program(&self) -> bool {
        self.engines == Engines::Float
    }
}

/// The form of an operation for types whose scales may be any numbers, 1 for instance: they are not known yet.
///
/// # Errors
/// The reason why the BPU has none, as a sentence about the operation.
pub fn form(operation: OperationRef<'_, '_>, types: &Types) -> Result<Form, String> {
    integers_or_floats(operation, || Typing::Supposed(types.clone()), &[Known::Types])
}

/// The form of an operation for types with their scales. Weights have their data only where they decided.
///
/// # Errors
/// As for [`form`].
pub fn form_with_scales(operation: OperationRef<'_, '_>, types: &Types) -> Result<Form, String> {
    integers_or_floats(operation, || Typing::Supposed(types.clone()), &[Known::Scales, Known::Values])
}

/// The form of an operation of the QDQ form.
///
/// # Errors
/// As for [`form`].
pub(super) fn form_of_casts(operation: OperationRef<'_, '_>) -> Result<Form, String> {
    integers_or_floats(operation, || Typing::Casts, &[Known::Scales, Known::Values])
}

/// The form on the integer engines, or else that on the float engine. With each, what is known is taken into account bit by bit. Of float16 the
/// engines of integers can only move elements.
fn integers_or_floats(
    operation: OperationRef<'_, '_>,
    typing: impl Fn() -> Typing,
    known: &[Known],
) -> Result<Form, String> {
    let last = |engines: Engines| {
        let mut found = Err(String::new());
        for &known in known {
            found = lowered(operation, typing(), known, engines).map(|segment| Form { segment, engines });
            if found.is_ok() {
                break;
            }
        }
        found
    };
    let is_float16 = typing().has_float16(operation);
    if is_float16 && !operators::moves(operation) {
        return last(Engines::Float).map_err(|reason| format!("only the VPU computes in float16: {reason}"));
    }
    if !operators::is_on(operation, Engines::Integer) {
        return last(Engines::Float);
    }
    // Of two reasons, the first one is about the form that was to be expected.
    last(Engines::Integer).or_else(|reason| last(Engines::Float).map_err(|_| reason))
}

/// Lowers the operation alone and asks the constraints about every node.
fn lowered(operation: OperationRef<'_, '_>, typing: Typing, known: Known, engines: Engines) -> Result<Segment, String> {
    if has_unknown_sizes(operation) {
        return Err("It has a value whose size is known only when the network runs, which the BPU cannot have.".into());
    }
    let mut builder = Builder::asking(typing, known);
    operators::lower(&mut builder, operation, engines)?;
    for node in &builder.segment.nodes {
        constraints::explain(&builder.segment, node, known).map_err(|broken| broken.join(" "))?;
    }
    Ok(builder.segment)
}
