//! Brings a model of opset 1 to 27 to the forms of opset 27, operator by operator.
//!
//! The result computes the same; attributes that became inputs are constants named `{node}/{input}`, attributes with a
//! default are explicit, and inference forms of training operators are gone.

use std::collections::{HashMap, HashSet};

use hb_dialects::ElementType;
use hb_dialects::hfloat::Op;
use hb_dialects::ir::{self, Names, Origin, TensorType};
use melior::Context;
use melior::ir::{Block, BlockRef, Value as MlirValue, ValueLike, block::BlockArgument};

use super::check::reads;
use super::error::{OnnxError, UnsupportedOperator};
use super::import::Importer;
use super::model::{Attribute, Graph, MadeOf, Model, Node};
use super::operators::{self, OnnxForm, OnnxOperator};
use super::tensor::Tensor;

/// Version of the normal form.
pub const NORMAL_OPSET: i64 = 27;

/// The first IR version whose models may use an opset from 21 on.
pub fn first_ir_version(opset: i64) -> i64 {
    match opset {
        ..=22 => 10,
        23 => 11,
        24 => 12,
        _ => 13,
    }
}

/// The same model in the forms of [`NORMAL_OPSET`].
///
/// # Errors
/// As [`super::import`]: what a form needs to know of shapes is asked of the operations that the import builds.
pub fn normalize(context: &Context, mut model: Model) -> Result<Model, OnnxError> {
    check_operators(&model.graph)?;
    let block = Block::new(&[]);
    // SAFETY: the block outlives the rewriter, which goes at the end of the inner scope.
    let inside = unsafe { BlockRef::from_raw(block.to_raw()) };
    let nodes = {
        let mut rewriter = Rewriter::new(context, inside, &model);
        rewriter.importer.inputs(&model.graph)?;
        rewriter.importer.initializers(&model.graph)?;
        rewriter.rewrite(std::mem::take(&mut model.graph.nodes))?;
        rewriter.nodes
    };
    model.graph.nodes = nodes;
    model.opset = NORMAL_OPSET;
    model.ir_version = model.ir_version.max(first_ir_version(NORMAL_OPSET));
    model.other_opsets.clear();
    Ok(model)
}

/// The row of a node's operator; none for an operator of another domain, and for one that the table has not.
fn operator_of(node: &Node) -> Option<&'static OnnxOperator> {
    operators::find(&node.operator).filter(|_| node.domain.is_empty())
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
        if operator_of(node).is_none() {
            let operator = node.qualified_operator();
            match unsupported.iter_mut().find(|known| known.operator == operator) {
                Some(known) => known.nodes.push(node.name.clone()),
                None => unsupported.push(UnsupportedOperator { operator, nodes: vec![node.name.clone()] }),
            }
        }
        // What a branch holds matters only if it is taken.
        if has_branches(node) {
            continue;
        }
        for (_, attribute) in &node.attributes {
            if let Attribute::Graph(inner) = attribute {
                collect_unsupported(inner, unsupported);
            }
        }
    }
}

fn has_branches(node: &Node) -> bool {
    operator_of(node).is_some_and(|operator| matches!(operator.form, OnnxForm::Op(Op::If)))
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

/// Brings nodes to the normal form, one after the other, and builds the operation of each at once: what a form needs to know of
/// the nodes before it, it asks of their values.
pub struct Rewriter<'c, 'a> {
    opset: i64,
    pub(super) importer: Importer<'c, 'a>,
    /// That of the network, not of a graph inside of it.
    outermost: BlockRef<'c, 'a>,
    names: Names,
    /// The node at hand, of which what is built is made: its name, and what it is made of itself.
    current: (String, Option<MadeOf>),
    /// Values that a node or an output of the model reads.
    read: HashSet<String>,
    nodes: Vec<Node>,
}

impl<'c, 'a> Rewriter<'c, 'a> {
    /// Builds operations into `block`.
    pub(super) fn new(context: &'c Context, block: BlockRef<'c, 'a>, model: &Model) -> Self {
        let graph = &model.graph;
        let mut names = Names::default();
        take_names(graph, &mut names);
        let read = graph.nodes.iter().flat_map(reads).chain(graph.outputs.iter().map(|output| output.name.as_str()));
        Self {
            opset: model.opset,
            importer: Importer { context, block, values: HashMap::new(), folding: HashSet::new() },
            outermost: block,
            names,
            current: Default::default(),
            read: read.map(str::to_owned).collect(),
            nodes: Vec::with_capacity(graph.nodes.len()),
        }
    }

    /// Whether a value is an input of the network.
    pub(super) fn is_input(&self, value: MlirValue<'c, 'a>) -> bool {
        BlockArgument::try_from(value).is_ok_and(|argument| argument.owner() == self.outermost)
    }

    /// Appends the normal form of nodes of the model's opset.
    ///
    /// # Errors
    /// Of each node that is at fault. A node that reads what such a node would have made is passed over, and so is an operator that the
    /// table has not: [`check_operators`] lists those.
    pub(super) fn rewrite(&mut self, nodes: Vec<Node>) -> Result<(), OnnxError> {
        let mut faults = Vec::new();
        let mut is_whole = true;
        for node in nodes {
            let is_fed = reads(&node).into_iter().all(|name| self.importer.values.contains_key(name));
            match operator_of(&node).filter(|_| is_fed) {
                Some(operator) => faults.extend(self.rewrite_node(node, operator).err()),
                None => is_whole = false,
            }
        }
        if is_whole && faults.is_empty() { Ok(()) } else { Err(OnnxError::all(faults)) }
    }

    fn rewrite_node(&mut self, mut node: Node, operator: &'static OnnxOperator) -> Result<(), OnnxError> {
        operators::check(operator, &mut node, self.opset)?;
        self.current = (node.name.clone(), node.made_of.clone());
        operators::upgrade(operator)(self, node)
    }

    /// The normal form of a graph inside of a node; its outputs know their element types.
    ///
    /// Its operations are built into a block that nobody keeps: the region is made when the operation of the node is.
    pub fn inner(&mut self, mut graph: Graph) -> Result<Graph, OnnxError> {
        let read = graph.nodes.iter().flat_map(reads).chain(graph.outputs.iter().map(|output| output.name.as_str()));
        self.read.extend(read.map(str::to_owned));
        let block = Block::new(&[]);
        // SAFETY: the block outlives the values in it, which are forgotten before it goes, and their addresses too.
        let inside = unsafe { BlockRef::from_raw(block.to_raw()) };
        // Both branches may use one name, and what is known inside ends with the graph.
        let outside = (
            std::mem::replace(&mut self.importer.block, inside),
            self.importer.values.clone(),
            self.importer.folding.clone(),
            std::mem::take(&mut self.nodes),
            self.current.clone(),
        );
        let done = self.inside(&mut graph);
        let nodes;
        (self.importer.block, self.importer.values, self.importer.folding, nodes, self.current) = outside;
        graph.nodes = std::mem::replace(&mut self.nodes, nodes);
        done.map(|()| graph)
    }

    /// The normal form of a branch. What stands in its way is its fault: it may never be taken.
    pub fn branch(&mut self, graph: Graph) -> Graph {
        let name = graph.name.clone();
        let unsupported = check_operators(&graph);
        match (unsupported, self.inner(graph)) {
            (Ok(()), Ok(graph)) => graph,
            (unsupported, normal) => {
                let faults = unsupported.err().into_iter().chain(normal.err()).collect();
                Graph { name, fault: Some(OnnxError::all(faults).to_string()), ..Graph::default() }
            }
        }
    }

    fn inside(&mut self, graph: &mut Graph) -> Result<(), OnnxError> {
        self.importer.inputs(graph)?;
        self.importer.initializers(graph)?;
        self.rewrite(std::mem::take(&mut graph.nodes))?;
        for output in &mut graph.outputs {
            output.element = self.importer.element(&output.name);
        }
        Ok(())
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

    /// Whether somebody reads an output of a node.
    pub fn is_read(&self, output: &str) -> bool {
        self.read.contains(output)
    }

    /// Appends a node of the normal form.
    pub fn push(&mut self, mut node: Node) -> Result<(), OnnxError> {
        let operator = operators::find_form(&node).ok_or_else(|| OnnxError::node(&node, "it is not supported"))?;
        operators::fill_defaults(operator, &mut node, NORMAL_OPSET);
        operators::check(operator, &mut node, NORMAL_OPSET)?;
        let (name, made_of) = &self.current;
        node.made_of = match made_of {
            own if node.name == *name => own.clone(),
            Some(own) => Some(MadeOf::part_of(&own.nodes)),
            None => Some(MadeOf::part_of(std::slice::from_ref(name))),
        };
        self.importer.node(&node)?;
        self.nodes.push(node);
        Ok(())
    }

    /// Element type of an input that is present.
    pub fn input_element(&self, node: &Node, index: usize) -> Result<ElementType, OnnxError> {
        let element = node.input(index).and_then(|name| self.importer.element(name));
        element.ok_or_else(|| OnnxError::node(node, format!("input {index} is missing")))
    }

    /// What is known of the sizes of an input: one entry per dimension.
    pub fn shape(&self, node: &Node, index: usize) -> Option<Vec<Option<u64>>> {
        TensorType::from_type(self.input(node, index)?.r#type()).ok()?.dimensions
    }

    fn input(&self, node: &Node, index: usize) -> Option<MlirValue<'c, 'a>> {
        self.importer.values.get(node.input(index)?).copied()
    }

    /// Rank of an input that a form of the normal form needs.
    pub fn rank(&self, node: &Node, index: usize) -> Result<usize, OnnxError> {
        self.shape(node, index).map(|shape| shape.len()).ok_or_else(|| {
            let input = node.input(index).unwrap_or_default();
            let reason =
                format!("the rank of its input {input:?} must be known; fix the shapes when the model is exported");
            OnnxError::node(node, reason)
        })
    }

    /// Value of an input, if it is a constant.
    pub fn constant(&self, node: &Node, index: usize) -> Option<ir::Constant<'a>> {
        ir::constant_of(self.input(node, index)?)
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
