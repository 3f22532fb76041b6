//! The casts of MLIR's own dialect `quant`. Their records are MLIR's, so their names stand here.

use melior::ir::{OperationRef, operation::OperationLike};

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

    /// Whether an operation is a cast between reals and a quantized type.
    pub fn is_cast(operation: OperationRef<'_, '_>) -> bool {
        Self::QuantizeCast.is(operation) || Self::DequantizeCast.is(operation)
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
