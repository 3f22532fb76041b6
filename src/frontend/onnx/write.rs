//! [`Model`] to file. Equal models give equal bytes.

use std::io::Write;
use std::path::Path;

use prost::Message;

use hb_dialects::ElementType;

use super::error::OnnxError;
use super::file_buffer::FileBuffer;
use super::model::{Attribute, Dimension, Graph, MadeOf, Model, Node, Value};
use super::proto::attribute_proto::AttributeType;
use super::proto::tensor_shape_proto::{Dimension as DimensionProto, dimension};
use super::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use super::read::MAX_FILE;
use super::tensor::Tensor;

/// Writes `model` to `path`; the file appears whole or not at all.
pub fn save(model: &Model, path: &Path) -> Result<(), OnnxError> {
    let bytes = to_bytes(model)?;
    Ok(crate::files::write_atomically(path, &bytes)?)
}

/// The bytes of a model file.
///
/// # Errors
/// As [`ModelFile::of`].
pub fn to_bytes(model: &Model) -> Result<Vec<u8>, OnnxError> {
    Ok(ModelFile::of(model)?.0.encode_to_vec())
}

/// A model as its file says it. It shares the weights with the model that it was made of.
#[derive(Debug)]
pub struct ModelFile(ModelProto);

impl ModelFile {
    /// Weights are inside.
    ///
    /// # Errors
    /// When an attribute cannot be written, or the model is beyond the 2 GiB of protobuf.
    pub fn of(model: &Model) -> Result<Self, OnnxError> {
        let proto = model_proto(model)?;
        let size = proto.encoded_len();
        if size as u64 >= MAX_FILE {
            return Err(OnnxError::model(format!("the model needs {size} bytes, an ONNX file has at most {MAX_FILE}")));
        }
        Ok(Self(proto))
    }

    /// Writes the bytes of [`to_bytes`].
    ///
    /// # Errors
    /// When the file does not take them.
    pub fn write_to(&self, file: &mut dyn Write) -> std::io::Result<()> {
        let mut buffer = FileBuffer::new(file);
        self.0.encode(&mut buffer).map_err(std::io::Error::other)?;
        buffer.finish()
    }
}

fn model_proto(model: &Model) -> Result<ModelProto, OnnxError> {
    let mut opset_import = vec![OperatorSetIdProto { domain: String::new(), version: model.opset }];
    let other = model.other_opsets.iter();
    opset_import
        .extend(other.map(|(domain, version)| OperatorSetIdProto { domain: domain.clone(), version: *version }));
    let metadata = model.metadata.iter();
    let metadata_props = metadata.map(|(key, value)| StringStringEntryProto { key: key.clone(), value: value.clone() });
    Ok(ModelProto {
        ir_version: model.ir_version,
        producer_name: model.producer_name.clone(),
        producer_version: model.producer_version.clone(),
        domain: model.domain.clone(),
        model_version: model.model_version,
        doc_string: model.doc_string.clone(),
        graph: Some(graph(&model.graph, model.ir_version)?),
        opset_import,
        metadata_props: metadata_props.collect(),
        functions: Vec::new(),
    })
}

fn graph(graph: &Graph, ir_version: i64) -> Result<GraphProto, OnnxError> {
    if let Some(fault) = &graph.fault {
        return Err(OnnxError::graph(&graph.name, fault));
    }
    let mut input: Vec<_> = graph.inputs.iter().map(value).collect();
    if ir_version < 4 {
        input.extend(graph.initializers.iter().map(|(name, tensor)| value(&tensor_value(name, tensor))));
    }
    Ok(GraphProto {
        node: graph.nodes.iter().map(|item| node(item, ir_version)).collect::<Result<_, _>>()?,
        name: graph.name.clone(),
        initializer: graph.initializers.iter().map(|(name, tensor)| tensor_proto(name, tensor)).collect(),
        doc_string: String::new(),
        input,
        output: graph.outputs.iter().map(value).collect(),
        value_info: graph.value_info.iter().map(value).collect(),
        sparse_initializer: Vec::new(),
    })
}

fn tensor_value(name: &str, tensor: &Tensor) -> Value {
    let shape = tensor.shape().iter().map(|size| Dimension::Fixed(*size)).collect();
    Value { name: name.to_owned(), element: Some(tensor.element()), shape: Some(shape) }
}

fn node(node: &Node, ir_version: i64) -> Result<NodeProto, OnnxError> {
    let mut attributes = Vec::with_capacity(node.attributes.len());
    for (name, value) in &node.attributes {
        attributes.push(attribute(node, name, value, ir_version)?);
    }
    Ok(NodeProto {
        input: node.inputs.clone(),
        output: node.outputs.clone(),
        name: node.name.clone(),
        op_type: node.operator.clone(),
        attribute: attributes,
        doc_string: String::new(),
        domain: node.domain.clone(),
        overload: String::new(),
        // Nodes have metadata since version 10 of the format.
        metadata_props: node.made_of.iter().filter(|_| ir_version >= 10).flat_map(MadeOf::metadata).collect(),
    })
}

fn attribute(node: &Node, name: &str, value: &Attribute, ir_version: i64) -> Result<AttributeProto, OnnxError> {
    let mut proto = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    let kind = match value {
        Attribute::Float(value) => {
            proto.f = Some(*value);
            AttributeType::Float
        }
        Attribute::Int(value) => {
            proto.i = Some(*value);
            AttributeType::Int
        }
        Attribute::String(value) => {
            proto.s = Some(value.clone());
            AttributeType::String
        }
        Attribute::Tensor(value) => {
            proto.t = Some(tensor_proto("", value));
            AttributeType::Tensor
        }
        Attribute::Floats(values) => {
            proto.floats = values.clone();
            AttributeType::Floats
        }
        Attribute::Ints(values) => {
            proto.ints = values.clone();
            AttributeType::Ints
        }
        Attribute::Strings(values) => {
            proto.strings = values.clone();
            AttributeType::Strings
        }
        Attribute::Graph(inner) => {
            proto.g = Some(graph(inner, ir_version)?);
            AttributeType::Graph
        }
        Attribute::Unsupported(kind) => {
            return Err(OnnxError::node(node, format!("attribute {name:?} of kind {kind} cannot be written")));
        }
    };
    proto.set_type(kind);
    Ok(proto)
}

fn tensor_proto(name: &str, tensor: &Tensor) -> TensorProto {
    TensorProto {
        dims: tensor.shape().iter().map(|size| *size as i64).collect(),
        data_type: tensor.element().onnx_code(),
        name: name.to_owned(),
        raw_data: Some(tensor.data().clone()),
        ..TensorProto::default()
    }
}

fn value(value: &Value) -> ValueInfoProto {
    let dimension = |dimension: &Dimension| {
        let value = match dimension {
            Dimension::Fixed(size) => Some(dimension::Value::DimValue(*size as i64)),
            Dimension::Named(name) if name.is_empty() => None,
            Dimension::Named(name) => Some(dimension::Value::DimParam(name.clone())),
        };
        DimensionProto { value }
    };
    let shape = value.shape.as_ref().map(|shape| TensorShapeProto { dim: shape.iter().map(dimension).collect() });
    let tensor = |element: ElementType| type_proto::Tensor { elem_type: element.onnx_code(), shape };
    let r#type = value.element.map(|element| TypeProto { tensor_type: Some(tensor(element)), ..TypeProto::default() });
    ValueInfoProto { name: value.name.clone(), r#type, doc_string: String::new() }
}
