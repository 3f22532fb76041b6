//! The registry of the dialect.

crate::registry::dialect!("hfloat_registry.rs");

impl Op {
    /// The operator of ONNX that the operation is.
    pub const fn onnx(self) -> &'static OnnxOperator {
        &ONNX[self as usize]
    }

    /// How it takes part in quantization; none where it stays float.
    pub const fn quantization(self) -> Option<&'static Quantization> {
        QUANTIZATION[self as usize].as_ref()
    }
}

/// An operation as rooms treat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpKind {
    /// A formula says it all.
    Scalar(ScalarFunction),
    /// It has a rule of its own.
    Structured(StructuredOp),
}

/// Every operator of ONNX's default domain that the compiler reads.
pub fn onnx_operators() -> &'static [OnnxOperator] {
    ONNX
}
