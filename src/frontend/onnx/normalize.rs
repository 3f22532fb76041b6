//! Brings a model of opset 7 to 24 to the forms of opset 24, operator by operator.
//!
//! The result computes the same; attributes that became inputs are constants named `{node}/{input}`, attributes with a
//! default are explicit, and inference forms of training operators are gone.

use std::collections::{HashMap, HashSet};

use hb_dialects::ElementType;
use hb_dialects::ir::{Names, Origin};

use super::check::reads;
use super::error::{OnnxError, UnsupportedOperator};
use super::model::{Attribute, Dimension, Graph, Model, Node, Value};
use super::operators::shape::Shape;
use super::operators::{self, OnnxForm, ResultElement, shape};
use super::tensor::{Tensor, element_type};

/// Version of the normal form.
pub const NORMAL_OPSET: i64 = 24;

/// The first IR version whose models may use an opset from 21 on.
pub fn first_ir_version(opset: i64) -> i64 {
    match opset {
        ..=22 => 10,
        23 => 11,
        _ => 12,
    }
}

/// The same model in the forms of [`NORMAL_OPSET`].
pub fn normalize(mut model: Model) -> Result<Model, OnnxError> {
    check_operators(&model.graph)?;
    let mut rewriter = Rewriter::new(&model);
    for mut node in std::mem::take(&mut model.graph.nodes) {
        let operator = operators::find(&node.operator).ok_or_else(|| OnnxError::node(&node, "it is not supported"))?;
        operators::check(operator, &mut node, model.opset)?;
        rewriter.current.clone_from(&node.name);
        operators::upgrade(operator)(&mut rewriter, node)?;
    }
    model.graph.nodes = rewriter.nodes;
    model.opset = NORMAL_OPSET;
    model.ir_version = model.ir_version.max(first_ir_version(NORMAL_OPSET));
    model.other_opsets.clear();
    Ok(model)
}

/// One error that lists every operator that the table does not have, with all its nodes.
pub fn check_operators(graph: &Graph) -> Result<(), OnnxError> {
    let mut unsupported: Vec<UnsupportedOperator> = Vec::new();
    collect_unsupported(graph, &mut unsupported);
    unsupported.sort_by(|a, b| a.operator.cmp(&b.operator));
    if unsupported.is_empty() { Ok(()) } else { Err(OnnxError::UnsupportedOperators(unsupported)) }
}

fn collect_unsupported(graph: &Graph, unsupported: &mut Vec<UnsupportedOperator>) {
    for node in &graph.nodes {
        if !node.domain.is_empty() || operators::find(&node.operator).is_none() {
            let operator = node.qualified_operator();
            match unsupported.iter_mut().find(|known| known.operator == operator) {
                Some(known) => known.nodes.push(node.name.clone()),
                None => unsupported.push(UnsupportedOperator { operator, nodes: vec![node.name.clone()] }),
            }
        }
        for (_, attribute) in &node.attributes {
            if let Attribute::Graph(inner) = attribute {
                collect_unsupported(inner, unsupported);
            }
        }
    }
}

/// Takes the names of the nodes and values of a graph and of the graphs inside it.
fn take_names(graph: &Graph, names: &mut Names) {
    let inputs = graph.inputs.iter().map(|input| &input.name).chain(graph.initializers.iter().map(|(name, _)| name));
    names.extend(inputs.cloned());
    for node in &graph.nodes {
        names.extend(node.outputs.iter().chain([&node.name]).cloned());
        for (_, attribute) in &node.attributes {
            if let Attribute::Graph(inner) = attribute {
                take_names(inner, names);
            }
        }
    }
}

/// What an input says of its shape.
fn known_shape(input: &Value) -> Option<Shape> {
    let size = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => Some(*size),
        Dimension::Named(_) => None,
    };
    Some(input.shape.as_ref()?.iter().map(size).collect())
}

fn restore<T>(known: &mut HashMap<String, T>, name: &str, value: Option<T>) {
    match value {
        Some(value) => known.insert(name.to_owned(), value),
        None => known.remove(name),
    };
}

/// Collects the nodes of the normal form and knows the element type of every value so far.
pub struct Rewriter {
    opset: i64,
    elements: HashMap<String, ElementType>,
    shapes: HashMap<String, Shape>,
    /// Initializers and outputs of Constant nodes.
    constants: HashMap<String, Tensor>,
    names: Names,
    /// The name of the node at hand.
    current: String,
    /// Values that a node or an output of the model reads.
    read: HashSet<String>,
    nodes: Vec<Node>,
}

impl Rewriter {
    fn new(model: &Model) -> Self {
        let graph = &model.graph;
        let inputs = graph.inputs.iter().filter_map(|input| Some((input.name.clone(), input.element?)));
        let initializers = graph.initializers.iter().map(|(name, tensor)| (name.clone(), tensor.element()));
        let mut elements: HashMap<_, _> = inputs.chain(initializers).collect();
        let mut names = Names::default();
        take_names(graph, &mut names);
        elements.reserve(graph.nodes.len());
        let initializers = graph.initializers.iter();
        let known =
            initializers.map(|(name, tensor)| (name.clone(), tensor.shape().iter().copied().map(Some).collect()));
        let given = graph.inputs.iter().filter_map(|input| Some((input.name.clone(), known_shape(input)?)));
        let read = graph.nodes.iter().flat_map(reads).chain(graph.outputs.iter().map(|output| output.name.as_str()));
        Self {
            read: read.map(str::to_owned).collect(),
            opset: model.opset,
            elements,
            shapes: known.chain(given).collect(),
            constants: graph.initializers.iter().cloned().collect(),
            names,
            current: String::new(),
            nodes: Vec::with_capacity(graph.nodes.len()),
        }
    }

    /// The normal form of a graph inside of a node; its outputs know their element types.
    pub fn inner(&mut self, mut graph: Graph) -> Result<Graph, OnnxError> {
        let defined = graph.nodes.iter().flat_map(|node| &node.outputs);
        let given = graph.inputs.iter().map(|input| &input.name).chain(graph.initializers.iter().map(|(name, _)| name));
        let defined: Vec<String> = defined.chain(given).cloned().collect();
        // Both branches may use one name, and what is known inside ends with the graph.
        let hidden: Vec<_> = defined
            .iter()
            .map(|name| (self.elements.remove(name), self.shapes.remove(name), self.constants.remove(name)))
            .collect();
        for input in &graph.inputs {
            self.elements.extend(input.element.map(|element| (input.name.clone(), element)));
            self.shapes.extend(known_shape(input).map(|shape| (input.name.clone(), shape)));
        }
        for (name, tensor) in &graph.initializers {
            self.elements.insert(name.clone(), tensor.element());
            self.shapes.insert(name.clone(), tensor.shape().iter().copied().map(Some).collect());
            self.constants.insert(name.clone(), tensor.clone());
        }
        let read = graph.nodes.iter().flat_map(reads).chain(graph.outputs.iter().map(|output| output.name.as_str()));
        self.read.extend(read.map(str::to_owned));
        let outside = std::mem::take(&mut self.nodes);
        let outer = self.current.clone();
        for mut node in std::mem::take(&mut graph.nodes) {
            let operator =
                operators::find(&node.operator).ok_or_else(|| OnnxError::node(&node, "it is not supported"))?;
            operators::check(operator, &mut node, self.opset)?;
            self.current.clone_from(&node.name);
            operators::upgrade(operator)(self, node)?;
        }
        self.current = outer;
        graph.nodes = std::mem::replace(&mut self.nodes, outside);
        for output in &mut graph.outputs {
            output.element = self.elements.get(&output.name).copied();
        }
        for (name, (element, shape, constant)) in defined.iter().zip(hidden) {
            restore(&mut self.elements, name, element);
            restore(&mut self.shapes, name, shape);
            restore(&mut self.constants, name, constant);
        }
        Ok(graph)
    }

    /// Notes the rank of a value.
    pub fn know_rank(&mut self, value: String, rank: usize) {
        self.shapes.insert(value, vec![None; rank]);
    }

    /// Gives an input that is absent a constant.
    pub fn complete_input(
        &mut self,
        node: &mut Node,
        index: usize,
        suffix: &str,
        value: Tensor,
    ) -> Result<(), OnnxError> {
        if node.input(index).is_none() {
            let name = self.push_constant(node, suffix, value)?;
            self.set_input(node, index, name);
        }
        Ok(())
    }

    /// Opset of the model that is read.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// Takes away the further outputs of a node that nobody reads: ONNX lets exporters name optional outputs that are not used.
    pub fn drop_unread_outputs(&self, node: &mut Node) {
        for output in node.outputs.iter_mut().skip(1).filter(|output| !self.read.contains(*output)) {
            output.clear();
        }
        let used = node.outputs.iter().rposition(|output| !output.is_empty()).map_or(0, |last| last + 1);
        node.outputs.truncate(used);
    }

    /// Appends a node of the normal form.
    pub fn push(&mut self, mut node: Node) -> Result<(), OnnxError> {
        let operator = operators::find(&node.operator).ok_or_else(|| OnnxError::node(&node, "it is not supported"))?;
        let OnnxForm::Op(op) = operator.form else {
            return Err(OnnxError::node(&node, "it has no form in the dialect"));
        };
        operators::fill_defaults(operator, &mut node, NORMAL_OPSET);
        operators::check(operator, &mut node, NORMAL_OPSET)?;
        for (index, output) in node.outputs.iter().enumerate() {
            if !output.is_empty() {
                let element = self.result_element(&node, operator.result_element(index), index)?;
                self.elements.insert(output.clone(), element);
            }
        }
        if let (Some(output), Some(shape)) = (node.output(0), shape::rule_of(op.shape_rule())(self, &node)) {
            self.shapes.insert(output.to_owned(), shape);
        }
        if node.operator == "Split" {
            let rank = self.rank(&node, 0).ok();
            for output in node.outputs.iter().filter(|output| !output.is_empty()) {
                self.shapes.extend(rank.map(|rank| (output.clone(), vec![None; rank])));
            }
        }
        if node.operator == "Constant"
            && let (Some(output), Some(Attribute::Tensor(tensor))) = (node.output(0), node.attribute("value"))
        {
            self.constants.insert(output.to_owned(), tensor.clone());
        }
        node.made_of = (node.name != self.current).then(|| self.current.clone());
        self.nodes.push(node);
        Ok(())
    }

    fn result_element(&self, node: &Node, rule: ResultElement, output: usize) -> Result<ElementType, OnnxError> {
        match rule {
            ResultElement::Bool => Ok(ElementType::Bool),
            ResultElement::I64 => Ok(ElementType::I64),
            ResultElement::Operand(index) => self.input_element(node, index),
            ResultElement::Attribute(attribute) => match node.attribute(attribute) {
                Some(Attribute::Tensor(tensor)) => Ok(tensor.element()),
                Some(Attribute::Int(code)) => i32::try_from(*code)
                    .map_err(|_| format!("element type {code} is not known"))
                    .and_then(element_type)
                    .map_err(|reason| OnnxError::node(node, format!("attribute {attribute:?}: {reason}"))),
                _ => Err(OnnxError::node(node, format!("attribute {attribute:?} is missing"))),
            },
            ResultElement::Graph { attribute, first } => {
                let given = match node.attribute(attribute) {
                    Some(Attribute::Graph(graph)) => {
                        graph.outputs.get(output + first).and_then(|output| output.element)
                    }
                    _ => None,
                };
                given.ok_or_else(|| OnnxError::node(node, format!("output {output} has no element type")))
            }
        }
    }

    /// Element type of an input that is present.
    pub fn input_element(&self, node: &Node, index: usize) -> Result<ElementType, OnnxError> {
        let element = node.input(index).and_then(|name| self.elements.get(name));
        element.copied().ok_or_else(|| OnnxError::node(node, format!("input {index} is missing")))
    }

    /// What is known of the shape of an input.
    pub fn shape(&self, node: &Node, index: usize) -> Option<&Shape> {
        self.shapes.get(node.input(index)?)
    }

    /// Rank of an input that a form of the normal form needs.
    pub fn rank(&self, node: &Node, index: usize) -> Result<usize, OnnxError> {
        self.shape(node, index).map(Vec::len).ok_or_else(|| {
            let input = node.input(index).unwrap_or_default();
            let reason =
                format!("the rank of its input {input:?} must be known; fix the shapes when the model is exported");
            OnnxError::node(node, reason)
        })
    }

    /// Value of an input, if it is a constant.
    pub fn constant(&self, node: &Node, index: usize) -> Option<&Tensor> {
        self.constants.get(node.input(index)?)
    }

    /// A name for a node or value made out of `node`: `{node}/{suffix}`, with a number if it is taken.
    pub fn derived_name(&mut self, node: &Node, suffix: &str) -> String {
        self.names.derive(&Origin::from(node.name.as_str()), suffix).name
    }

    /// Appends a Constant made out of `node`; returns the name of its value.
    pub fn push_constant(&mut self, node: &Node, suffix: &str, value: Tensor) -> Result<String, OnnxError> {
        let name = self.derived_name(node, suffix);
        self.push(Node::new(&name, "Constant", &[], &[&name]).with("value", Attribute::Tensor(value)))?;
        Ok(name)
    }

    /// Moves an INTS attribute to a constant input.
    pub fn attribute_to_input(&mut self, node: &mut Node, attribute: &str, index: usize) -> Result<(), OnnxError> {
        let Some(Attribute::Ints(values)) = node.take_attribute(attribute) else {
            return Ok(());
        };
        let name = self.push_constant(node, attribute, Tensor::from_i64s(&values))?;
        self.set_input(node, index, name);
        Ok(())
    }

    /// Makes `name` the operand of this number; operands before it that are missing are left out by an empty name.
    pub fn set_input(&mut self, node: &mut Node, index: usize, name: String) {
        if node.inputs.len() <= index {
            node.inputs.resize(index + 1, String::new());
        }
        if let Some(input) = node.inputs.get_mut(index) {
            *input = name;
        }
    }
}
