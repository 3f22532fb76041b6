use hb_runtime::ArrayError;
use thiserror::Error;

/// What can go wrong when a float network is compiled for, or run on, the CPU.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum Error {
    /// The node is well formed, but the CPU backend has no emission for this form of it.
    #[error("node '{node}': {reason}")]
    Unsupported { node: String, reason: String },
    /// The node contradicts itself or its operands.
    #[error("node '{node}': {reason}")]
    Invalid { node: String, reason: String },
    /// An array given to `run` does not fit the network's input.
    #[error("input '{name}': {reason}")]
    Input { name: String, reason: String },
    /// An index read from a tensor points outside the tensor it selects from.
    #[error("node '{node}': the index {index} lies outside {low}..={high}; the indices come from tensor '{tensor}'")]
    IndexOutOfRange { node: String, tensor: String, index: i64, low: i64, high: i64 },
    /// A tensor would need more bytes than this machine can address or than the limit in the options.
    #[error("tensor '{tensor}' of shape {shape:?} is too large: {reason}")]
    TooLarge { tensor: String, shape: Vec<usize>, reason: String },
    /// The IR itself could not be read.
    #[error(transparent)]
    Ir(#[from] hb_dialects::ir::IrError),
    /// LLVM refused something. The network is not at fault.
    #[error("LLVM, while {doing}: {message}")]
    Llvm { doing: String, message: String },
}

impl Error {
    pub(crate) fn invalid(node: &str, reason: impl Into<String>) -> Error {
        Error::Invalid { node: node.to_string(), reason: reason.into() }
    }

    pub(crate) fn unsupported(node: &str, reason: impl Into<String>) -> Error {
        Error::Unsupported { node: node.to_string(), reason: reason.into() }
    }

    pub(crate) fn llvm(doing: &str, message: impl std::fmt::Display) -> Error {
        Error::Llvm { doing: doing.to_string(), message: message.to_string() }
    }
}

impl From<ArrayError> for Error {
    fn from(error: ArrayError) -> Error {
        match error {
            ArrayError::TooLarge { tensor, shape, reason } => Error::TooLarge { tensor, shape, reason },
            ArrayError::Mismatch(reason) => Error::Input { name: String::new(), reason },
        }
    }
}

impl From<inkwell::builder::BuilderError> for Error {
    fn from(error: inkwell::builder::BuilderError) -> Error {
        Error::llvm("building instructions", error)
    }
}
