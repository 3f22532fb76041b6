//! File to [`Model`]: protobuf messages become checked plain Rust.

use std::collections::HashSet;
use std::path::Path;

use prost::Message;
use prost::bytes::Bytes;

use super::error::OnnxError;
use super::model::{Attribute, Dimension, Graph, MadeOf, Model, Node, Value};
use super::normalize::NORMAL_OPSET;
use super::proto::attribute_proto::AttributeType;
use super::proto::tensor_shape_proto::{self, dimension};
use super::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use super::tensor::{MAX_RANK, Tensor, element_type};
use super::tensor_data::{ExternalData, sparse_tensor, tensor};
use super::{WireMessage, check, functions};
use crate::frontend::wire;
use crate::reading::{self, FileFault};

/// Size of the file itself; protobuf allows no more.
pub const MAX_FILE: u64 = 2 << 30;
/// IR versions that differ in nothing that we read.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 3..=13;
/// Versions of the default operator set.
pub const OPSETS: std::ops::RangeInclusive<i64> = 1..=NORMAL_OPSET;

/// Reads and checks a model. External data is looked for in the folder of `path`, and nowhere else.
pub fn load(path: &Path) -> Result<Model, OnnxError> {
    let bytes = reading::read(path, MAX_FILE).map_err(|fault| match fault {
        FileFault::Read(source) => OnnxError::read(path, source),
        FileFault::TooLarge(size) => OnnxError::FileTooLarge { path: path.to_owned(), size, limit: MAX_FILE },
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    from_bytes(bytes.into(), Some(folder))
}

/// What is often downloaded in place of a model.
fn what_it_is(bytes: &[u8]) -> Option<&'static str> {
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"version https://git-lfs") {
        Some("it is a pointer of Git LFS, which stands for the file; `git lfs pull` brings the file itself")
    } else if text.starts_with(b"<") {
        Some("it is a page of HTML or XML; download the file itself, not the page that shows it")
    } else if text.starts_with(b"PK\x03\x04") {
        Some(
            "it is a zip archive, as PyTorch also writes its checkpoints; unpack it, or export the network to ONNX (torch.onnx.export)",
        )
    } else {
        None
    }
}

/// Reads and checks the bytes of a model file. Without `folder`, external data is an error.
pub fn from_bytes(bytes: Bytes, folder: Option<&Path>) -> Result<Model, OnnxError> {
    if bytes.is_empty() {
        return Err(OnnxError::malformed("it is empty"));
    }
    if let Some(other) = what_it_is(&bytes) {
        return Err(OnnxError::malformed(other));
    }
    wire::check(&bytes, WireMessage::Model).map_err(OnnxError::malformed)?;
    let proto = ModelProto::decode(bytes).map_err(OnnxError::malformed)?;
    if !IR_VERSIONS.contains(&proto.ir_version) {
        return Err(OnnxError::model(format!(
            "the model has IR version {}, supported are {} to {}",
            proto.ir_version,
            IR_VERSIONS.start(),
            IR_VERSIONS.end()
        )));
    }
    let mut proto = proto;
    let (opset, other_opsets) = opsets(&proto)?;
    functions::inline(&mut proto, opset)?;
    let mut reader = Reader { external: ExternalData::new(folder), ir_version: proto.ir_version };
    let graph = proto.graph.ok_or_else(|| OnnxError::model("the model has no graph"))?;
    let mut graph = reader.graph(graph)?;
    check::check(&mut graph)?;
    if let Some(input) = graph.inputs.iter().find(|input| input.element.is_none()) {
        return Err(OnnxError::graph(&graph.name, format!("input {:?} has no element type", input.name)));
    }
    Ok(Model {
        ir_version: proto.ir_version,
        opset,
        other_opsets,
        producer_name: proto.producer_name,
        producer_version: proto.producer_version,
        domain: proto.domain,
        model_version: proto.model_version,
        doc_string: proto.doc_string,
        metadata: proto.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect(),
        graph,
    })
}

/// Reads one tensor, as files of test data hold them. External data is an error.
pub fn tensor_from_bytes(bytes: Bytes) -> Result<Tensor, OnnxError> {
    wire::check(&bytes, WireMessage::Tensor).map_err(OnnxError::malformed)?;
    let proto = TensorProto::decode(bytes).map_err(OnnxError::malformed)?;
    tensor(proto, &mut ExternalData::new(None))
}

/// ONNX calls its default domain "" or "ai.onnx".
pub(super) fn is_default_domain(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

fn opsets(proto: &ModelProto) -> Result<(i64, Vec<(String, i64)>), OnnxError> {
    let (default, other): (Vec<_>, Vec<_>) =
        proto.opset_import.iter().partition(|entry| is_default_domain(&entry.domain));
    let version = match default.as_slice() {
        [] => {
            return Err(OnnxError::model("the model does not say which opset of the default domain it uses"));
        }
        [first, rest @ ..] if rest.iter().all(|entry| entry.version == first.version) => first.version,
        _ => {
            return Err(OnnxError::model("the model imports two different opsets of the default domain"));
        }
    };
    if !OPSETS.contains(&version) {
        return Err(OnnxError::model(format!(
            "the model uses opset {version}, supported are {} to {}; export it again with one of these",
            OPSETS.start(),
            OPSETS.end()
        )));
    }
    Ok((version, other.into_iter().map(|entry| (entry.domain.clone(), entry.version)).collect()))
}

struct Reader<'a> {
    external: ExternalData<'a>,
    ir_version: i64,
}

impl Reader<'_> {
    fn graph(&mut self, proto: GraphProto) -> Result<Graph, OnnxError> {
        let name = proto.name;
        let mut initializers = Vec::with_capacity(proto.initializer.len());
        let mut constants = HashSet::new();
        let mut values = Vec::with_capacity(proto.initializer.len());
        for initializer in proto.initializer {
            values.push((initializer.name.clone(), tensor(initializer, &mut self.external)?));
        }
        for sparse in proto.sparse_initializer {
            let name = sparse.values.as_ref().map(|values| values.name.clone()).unwrap_or_default();
            values.push((name, sparse_tensor(sparse, &mut self.external)?));
        }
        for (tensor_name, value) in values {
            if tensor_name.is_empty() {
                return Err(OnnxError::graph(&name, "an initializer has no name"));
            }
            if !constants.insert(tensor_name.clone()) {
                return Err(OnnxError::graph(&name, format!("initializer {tensor_name:?} is given twice")));
            }
            initializers.push((tensor_name, value));
        }
        let mut inputs = Vec::new();
        let mut seen = HashSet::new();
        for input in &proto.input {
            if !seen.insert(input.name.as_str()) {
                return Err(OnnxError::graph(&name, format!("input {:?} is given twice", input.name)));
            }
            if !constants.contains(&input.name) {
                inputs.push(value(&name, "input", input)?);
            }
        }
        if self.ir_version < 4
            && let Some(missing) = initializers.iter().find(|(initializer, _)| !seen.contains(initializer.as_str()))
        {
            return Err(OnnxError::graph(
                &name,
                format!("initializer {:?} is not an input, which IR version {} demands", missing.0, self.ir_version),
            ));
        }
        let outputs = proto.output.iter().map(|output| value(&name, "output", output)).collect::<Result<_, _>>()?;
        // Types inside the graph are hints: those that we cannot read are left out.
        let value_info = proto.value_info.iter().filter_map(|info| value(&name, "value", info).ok()).collect();
        let mut named: HashSet<String> = proto.node.iter().map(|node| node.name.clone()).collect();
        let mut nodes = Vec::with_capacity(proto.node.len());
        for (index, mut node) in proto.node.into_iter().enumerate() {
            if node.name.is_empty() {
                node.name = format!("{}_{index}", node.op_type);
                // Names that the file gives go before those that we make up.
                while !named.insert(node.name.clone()) {
                    node.name.push('_');
                }
            }
            nodes.push(self.node(node)?);
        }
        Ok(Graph { name, nodes, inputs, outputs, initializers, value_info, fault: None })
    }

    fn node(&mut self, proto: NodeProto) -> Result<Node, OnnxError> {
        let made_of = MadeOf::read(&proto.metadata_props);
        let mut node = Node {
            name: proto.name,
            name_in_file: None,
            made_of: None,
            domain: if is_default_domain(&proto.domain) { String::new() } else { proto.domain },
            operator: proto.op_type,
            inputs: proto.input,
            outputs: proto.output,
            attributes: Vec::with_capacity(proto.attribute.len()),
        };
        node.made_of = made_of.map_err(|reason| OnnxError::node(&node, reason))?;
        for attribute in proto.attribute {
            let name = attribute.name.clone();
            if node.attribute(&name).is_some() {
                return Err(OnnxError::node(&node, format!("attribute {name:?} is given twice")));
            }
            let value = self.attribute(attribute).map_err(|problem| match problem {
                Problem::Reason(reason) => OnnxError::node(&node, format!("attribute {name:?}: {reason}")),
                Problem::Error(error) => error,
            })?;
            node.attributes.push((name, value));
        }
        Ok(node)
    }

    fn attribute(&mut self, proto: AttributeProto) -> Result<Attribute, Problem> {
        let kind = AttributeType::try_from(proto.r#type).map_err(|_| format!("kind {} is not known", proto.r#type))?;
        if !proto.ref_attr_name.is_empty() {
            return Err("references to function attributes have no meaning outside of functions".to_owned().into());
        }
        let missing = || format!("it says to be {} but has no such value", kind.as_str_name());
        Ok(match kind {
            AttributeType::Undefined => return Err("it does not say its kind".to_owned().into()),
            // proto3 writers leave out values that are 0.
            AttributeType::Float => Attribute::Float(proto.f.unwrap_or_default()),
            AttributeType::Int => Attribute::Int(proto.i.unwrap_or_default()),
            AttributeType::String => Attribute::String(proto.s.unwrap_or_default()),
            AttributeType::Tensor => Attribute::Tensor(tensor(proto.t.ok_or_else(missing)?, &mut self.external)?),
            AttributeType::SparseTensor => {
                Attribute::Tensor(sparse_tensor(proto.sparse_tensor.ok_or_else(missing)?, &mut self.external)?)
            }
            AttributeType::Graph => Attribute::Graph(Box::new(self.graph(proto.g.ok_or_else(missing)?)?)),
            AttributeType::Floats => Attribute::Floats(proto.floats),
            AttributeType::Ints => Attribute::Ints(proto.ints),
            AttributeType::Strings => Attribute::Strings(proto.strings),
            other => Attribute::Unsupported(other.as_str_name()),
        })
    }
}

/// An error about the attribute at hand, or about something inside it that names itself.
enum Problem {
    Reason(String),
    Error(OnnxError),
}

impl From<String> for Problem {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
    }
}

impl From<OnnxError> for Problem {
    fn from(error: OnnxError) -> Self {
        Self::Error(error)
    }
}

fn value(graph: &str, role: &str, proto: &ValueInfoProto) -> Result<Value, OnnxError> {
    let name = proto.name.clone();
    let failed = |reason: String| OnnxError::graph(graph, format!("{role} {name:?}: {reason}"));
    if name.is_empty() {
        return Err(OnnxError::graph(graph, format!("an {role} has no name")));
    }
    let Some(kind) = &proto.r#type else {
        return Ok(Value { name, element: None, shape: None });
    };
    let others = [&kind.sequence_type, &kind.map_type, &kind.sparse_tensor_type, &kind.optional_type];
    let is_other = others.into_iter().any(Option::is_some);
    // Exporters leave the types of what a graph gives empty.
    let Some(tensor) = kind.tensor_type.as_ref().filter(|_| !is_other) else {
        if is_other || role == "input" {
            return Err(failed("only tensors are supported".to_owned()));
        }
        return Ok(Value { name, element: None, shape: None });
    };
    let element = match tensor.elem_type {
        0 => None,
        code => Some(element_type(code).map_err(failed)?),
    };
    let Some(shape) = &tensor.shape else {
        return Ok(Value { name, element, shape: None });
    };
    if shape.dim.len() > MAX_RANK {
        return Err(failed(format!("{} dimensions, at most {MAX_RANK} are supported", shape.dim.len())));
    }
    let shape = shape.dim.iter().map(|size| dimension(size).map_err(failed)).collect::<Result<_, _>>()?;
    Ok(Value { name, element, shape: Some(shape) })
}

fn dimension(proto: &tensor_shape_proto::Dimension) -> Result<Dimension, String> {
    match &proto.value {
        None => Ok(Dimension::Named(String::new())),
        Some(dimension::Value::DimParam(name)) => Ok(Dimension::Named(name.clone())),
        // Some exporters write -1 for a dimension that they do not know.
        Some(dimension::Value::DimValue(-1)) => Ok(Dimension::Named(String::new())),
        Some(dimension::Value::DimValue(size)) => {
            usize::try_from(*size).map(Dimension::Fixed).map_err(|_| format!("dimension {size} is negative"))
        }
    }
}
