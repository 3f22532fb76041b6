//! The casts of the QDQ form: those of MLIR's own dialect `quant`, whose records are MLIR's, so that their names stand here; and the `hfloat.cast`s to
//! float16 and back that quantization puts on edges, which `hfloat.edge` tells from the network's own.

use crate::{
    ElementType, hfloat,
    ir::{self, TensorType},
    names::EDGE,
};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};

/// An operation of `quant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// From reals to the quantized type of the result.
    QuantizeCast,
    /// From a quantized type to reals.
    DequantizeCast,
    /// Between a quantized type and its storage integers.
    StorageCast,
}

impl Op {
    const ALL: [Self; 3] = [Self::QuantizeCast, Self::DequantizeCast, Self::StorageCast];

    /// The operation of the dialect that this is; none where it is of another dialect.
    pub fn of(operation: OperationRef<'_, '_>) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.is(operation))
    }

    /// Whether an operation is this one.
    pub fn is(self, operation: OperationRef<'_, '_>) -> bool {
        operation.name().as_string_ref().as_str() == Ok(self.name())
    }

    /// Whether an operation is a cast between f32 and what the BPU holds: a quantized type, or float16.
    pub fn is_cast(operation: OperationRef<'_, '_>) -> bool {
        Self::is_quantize(operation) || Self::is_dequantize(operation)
    }

    /// Whether an operation is a cast of f32 to a quantized type, or on an edge to float16.
    pub fn is_quantize(operation: OperationRef<'_, '_>) -> bool {
        Self::QuantizeCast.is(operation) || is_on_edge(operation, ElementType::F16)
    }

    /// Whether an operation is a cast of what another one made of f32 back to it.
    pub fn is_dequantize(operation: OperationRef<'_, '_>) -> bool {
        Self::DequantizeCast.is(operation) || is_on_edge(operation, ElementType::F32)
    }

    /// As MLIR prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QuantizeCast => "quant.qcast",
            Self::DequantizeCast => "quant.dcast",
            Self::StorageCast => "quant.scast",
        }
    }
}

/// Whether an operation is a cast that quantization put on an edge, and gives such elements.
fn is_on_edge(operation: OperationRef<'_, '_>, element: ElementType) -> bool {
    let gives = |result: melior::ir::Value<'_, '_>| {
        TensorType::from_type(result.r#type()).is_ok_and(|r#type| r#type.element == element)
    };
    hfloat::Op::Cast.is(operation) && operation.has_attribute(EDGE) && ir::results(operation).into_iter().any(gives)
}
