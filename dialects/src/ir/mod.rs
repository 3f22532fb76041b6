//! Reading and building IR: types, attributes, constants, origins, edits.
//!
//! melior wraps MLIR's C API; this module adds what the rooms of `hb` need on top of it, in one place.

pub mod attribute;
mod constant;
mod diagnostic;
mod edit;
mod origin;
mod shared;
mod signature;
mod types;

pub use attribute::OperationAttributes;
pub use constant::{
    Constant, constant_attribute, constant_of, elements_of, f32s, keep_resources, renamed_resource,
    shared_constant_attribute,
};
pub use diagnostic::{emit_error, emit_remark, emit_warning};
pub use edit::{
    address, argument_attribute, arguments, body, build, copy_before, copy_into, copy_module, defining_operation,
    erase, function_named, functions, insert_after, insert_argument, insert_before, move_before, operations,
    remove_argument_attributes, remove_attribute, replace_all_uses, results, set_argument_attribute, set_attribute,
    set_location, set_operand, set_operands, set_result_type, update_function_type, users,
};
pub use origin::{
    Names, Origin, annotated_location, annotation, holder_of, inner_nodes, is_new, named_location, names_are_unique,
};
pub use shared::aligned_copy;
pub use signature::{
    erase_argument, erase_block_argument, insert_argument_alike, result_attribute, set_result_attribute, set_returned,
};
pub use types::{Affine, Element, Quantized, Scale, TensorType};

/// Why a piece of IR could not be read or built.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum IrError {
    #[error("'{operation}' of node '{node}' has no attribute '{attribute}' of kind {expected}")]
    Attribute { operation: String, node: String, attribute: String, expected: &'static str },
    #[error("{0} is not a tensor type that the compiler knows")]
    Type(String),
    #[error("the shape of {0} is not known")]
    DynamicShape(String),
    #[error("'{operation}' of node '{node}' has no operand {index}")]
    Operand { operation: String, node: String, index: usize },
    #[error("the constant of node '{node}' {reason}")]
    Constant { node: String, reason: String },
    #[error("the segment '{name}' {reason}")]
    Segment { name: String, reason: String },
    #[error("MLIR refused to build '{operation}' for node '{node}'")]
    Build { operation: String, node: String },
}
