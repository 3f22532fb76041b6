//! What the fields of `onnx.proto` are to the walk over the encoding of a file ([`crate::frontend::wire`]).

use crate::frontend::wire::{Schema, WireField};

/// Messages of the schema that contain messages or lists.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the names are those of the schema")]
pub enum WireMessage {
    Model,
    Graph,
    Function,
    Node,
    Attribute,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Tensor,
    SparseTensor,
    /// Holds nothing that grows.
    Leaf,
}

impl Schema for WireMessage {
    /// WireField numbers as in `onnx.proto`.
    fn field(self, number: u64) -> WireField<Self> {
        use WireField::{Packed, Text};
        let inner = match (self, number) {
            (Self::Model, 7) => Self::Graph,
            (Self::Model, 8 | 14) => Self::Leaf,
            (Self::Model, 25) => Self::Function,
            (Self::Function, 7) => Self::Node,
            (Self::Function, 9) => Self::Leaf,
            (Self::Function, 11) => Self::Attribute,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) => Self::Tensor,
            (Self::Graph, 11..=13) => Self::ValueInfo,
            (Self::Graph, 15) => Self::SparseTensor,
            (Self::Node, 5) => Self::Attribute,
            (Self::Node, 9) => Self::Leaf,
            (Self::Attribute, 5) => Self::Tensor,
            (Self::Attribute, 6) => Self::Graph,
            (Self::Attribute, 22) => Self::SparseTensor,
            (Self::Attribute, 8) => return Packed,
            (Self::ValueInfo, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Shape, 1) => Self::Leaf,
            (Self::Tensor, 1 | 5 | 7 | 11) => return Packed,
            (Self::Tensor, 3 | 13) => Self::Leaf,
            (Self::SparseTensor, 1 | 2) => Self::Tensor,
            (Self::SparseTensor, 3) => return Packed,
            _ => return Text,
        };
        WireField::Message(inner)
    }
}
