//! An ONNX model as plain Rust: what the wire format says, checked, without its redundancies.

use std::collections::HashMap;

use hb_dialects::ElementType;

use super::tensor::Tensor;

/// A model with one graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Version of the format.
    pub ir_version: i64,
    /// Version of the default operator set.
    pub opset: i64,
    /// Other operator sets that the file imports: domain, version. No node that passes the checks uses one.
    pub other_opsets: Vec<(String, i64)>,
    /// The tool that wrote the file.
    pub producer_name: String,
    /// Its version.
    pub producer_version: String,
    /// A name space, as a reversed internet domain.
    pub domain: String,
    /// As its author counts.
    pub model_version: i64,
    /// Text for people.
    pub doc_string: String,
    /// Key, value; in the order of the file.
    pub metadata: Vec<(String, String)>,
    /// The network.
    pub graph: Graph,
}

impl Model {
    /// A model that says nothing of itself but its graph and the versions of the format and of the default operator set.
    pub fn new(ir_version: i64, opset: i64, graph: Graph) -> Self {
        Self {
            ir_version,
            opset,
            other_opsets: Vec::new(),
            producer_name: String::new(),
            producer_version: String::new(),
            domain: String::new(),
            model_version: 0,
            doc_string: String::new(),
            metadata: Vec::new(),
            graph,
        }
    }
}

/// Nodes in topological order; every value that is read is defined before by an input, an initializer or a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// May be empty.
    pub name: String,
    /// In an order in which they can be computed.
    pub nodes: Vec<Node>,
    /// Without initializers: before IR version 4 every initializer is also an input of the file, and later ones may be; such
    /// an input is a constant here.
    pub inputs: Vec<Value>,
    /// What a run gives.
    pub outputs: Vec<Value>,
    /// Name, value; in the order of the file, names are unique.
    pub initializers: Vec<(String, Tensor)>,
    /// Types that the file states for values inside the graph. Not checked: they may be wrong.
    pub value_info: Vec<Value>,
    /// Why a branch cannot be brought to the normal form; then it has no nodes and no outputs. That matters only if it is taken.
    pub fault: Option<String>,
}

/// One operator with its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique in the graph, never empty.
    pub name: String,
    /// The name that the file gives it, where an input or another node has that.
    pub name_in_file: Option<String>,
    /// The nodes of the user's model that it was made of, where it is not the one of its name.
    pub made_of: Option<MadeOf>,
    /// Empty: the default domain.
    pub domain: String,
    /// `op_type` of ONNX.
    pub operator: String,
    /// Names of values; empty: the optional input is absent.
    pub inputs: Vec<String>,
    /// Names of values; empty: the optional output is not used.
    pub outputs: Vec<String>,
    /// Name, value; in the order of the file, names are unique.
    pub attributes: Vec<(String, Attribute)>,
}

/// What a node is made of. A file that a compilation leaves says it in the metadata of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MadeOf {
    /// Nodes of the user's model, each once, in the order in which they ran.
    pub nodes: Vec<String>,
    /// The one whose result the first output is; none where that is the result of none.
    pub result_of: Option<String>,
}

impl MadeOf {
    /// A part of a node, whose result is that of no node.
    pub fn part_of(nodes: &[String]) -> Self {
        Self { nodes: nodes.to_vec(), result_of: None }
    }

    /// Of a node that says nothing of itself: it is itself.
    pub fn itself(name: &str) -> Self {
        Self { nodes: vec![name.to_owned()], result_of: Some(name.to_owned()) }
    }
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// FLOAT
    Float(f32),
    /// INT
    Int(i64),
    /// ONNX strings are bytes; those of operators that we have are ASCII.
    String(Vec<u8>),
    /// TENSOR
    Tensor(Tensor),
    /// FLOATS
    Floats(Vec<f32>),
    /// INTS
    Ints(Vec<i64>),
    /// STRINGS
    Strings(Vec<Vec<u8>>),
    /// GRAPH
    Graph(Box<Graph>),
    /// A kind that no supported operator takes; its name, for the message.
    Unsupported(&'static str),
}

impl Attribute {
    /// Name of the kind as ONNX spells it (`AttributeProto.AttributeType`).
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Float(_) => "FLOAT",
            Self::Int(_) => "INT",
            Self::String(_) => "STRING",
            Self::Tensor(_) => "TENSOR",
            Self::Floats(_) => "FLOATS",
            Self::Ints(_) => "INTS",
            Self::Strings(_) => "STRINGS",
            Self::Graph(_) => "GRAPH",
            Self::Unsupported(kind) => kind,
        }
    }
}

/// A named tensor type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Unique in its graph.
    pub name: String,
    /// `None`: not given. Inputs of the model always have one.
    pub element: Option<ElementType>,
    /// `None`: not even the rank is known.
    pub shape: Option<Vec<Dimension>>,
}

impl Value {
    /// Sizes as users of a model see them, none where it leaves one open; empty where not even the rank is known. A first dimension of 0 before others
    /// is a batch that the exporter did not know (manual, `--input-shape`).
    pub fn sizes(&self) -> Vec<Option<usize>> {
        let rank = self.shape.as_ref().map_or(0, Vec::len);
        let size = |(axis, dimension): (usize, &Dimension)| match dimension {
            Dimension::Fixed(0) if axis == 0 && rank > 1 => None,
            Dimension::Fixed(size) => Some(*size),
            Dimension::Named(_) => None,
        };
        self.shape.iter().flatten().enumerate().map(size).collect()
    }
}

/// A size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Known.
    Fixed(usize),
    /// The same name is meant to be the same size throughout the model, which files do not always keep. Empty: unknown without a name.
    Named(String),
}

impl Node {
    /// Node of the default domain without attributes.
    pub fn new(name: &str, operator: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            name: name.to_owned(),
            name_in_file: None,
            made_of: None,
            domain: String::new(),
            operator: operator.to_owned(),
            inputs: own(inputs),
            outputs: own(outputs),
            attributes: Vec::new(),
        }
    }

    /// The node with one more attribute.
    pub fn with(mut self, name: &str, attribute: Attribute) -> Self {
        self.set_attribute(name, attribute);
        self
    }

    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, attribute)| attribute)
    }

    /// Adds an attribute or replaces its value.
    pub fn set_attribute(&mut self, name: &str, attribute: Attribute) {
        match self.attributes.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = attribute,
            None => self.attributes.push((name.to_owned(), attribute)),
        }
    }

    /// Removes an attribute and gives its value.
    pub fn take_attribute(&mut self, name: &str) -> Option<Attribute> {
        let position = self.attributes.iter().position(|(key, _)| key == name)?;
        Some(self.attributes.remove(position).1)
    }

    /// Name of an input that is present.
    pub fn input(&self, index: usize) -> Option<&str> {
        self.inputs.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Name of an output that is used.
    pub fn output(&self, index: usize) -> Option<&str> {
        self.outputs.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// `Name` of the default domain, `domain.Name` of another.
    pub fn qualified_operator(&self) -> String {
        if self.domain.is_empty() { self.operator.clone() } else { format!("{}.{}", self.domain, self.operator) }
    }
}

impl Graph {
    /// Makes inputs constants.
    pub fn fix_inputs(&mut self, values: Vec<(String, Tensor)>) {
        self.inputs.retain(|input| values.iter().all(|(name, _)| *name != input.name));
        self.initializers.extend(values);
    }

    /// Initializers by name.
    pub fn initializer_map(&self) -> HashMap<&str, &Tensor> {
        self.initializers.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect()
    }
}
