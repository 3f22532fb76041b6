//! Graphs inside of nodes become regions. What they read from outside becomes operands of the operation and arguments of the
//! region.

use std::collections::HashSet;

use hb_dialects::ElementType;
use hb_dialects::hfloat::{Op, YIELD};
use hb_dialects::ir::{TensorType, attribute, build, named_location};
use hb_dialects::registry::{Occurrence, OnnxOperator, ResultElement};
use melior::ir::{
    Attribute as MlirAttribute, Block, BlockLike, Region, RegionLike, Type, Value as MlirValue, ValueLike,
};

use super::check::captures;
use super::error::OnnxError;
use super::import::Importer;
use super::model::{Attribute, Graph, Node};

/// What an operation with regions is built from.
pub(super) struct Regions<'c, 'a> {
    /// What the graphs read from outside, to be appended to the operands.
    pub captured: Vec<MlirValue<'c, 'a>>,
    pub regions: Vec<Region<'c>>,
    pub attributes: Vec<(&'static str, MlirAttribute<'c>)>,
}

fn graph<'n>(node: &'n Node, name: &str) -> Result<&'n Graph, OnnxError> {
    match node.attribute(name) {
        Some(Attribute::Graph(graph)) => Ok(graph),
        _ => Err(OnnxError::node(node, format!("attribute {name:?} is missing"))),
    }
}

/// That graph, or another one of the node where it has a fault: both give the same.
pub(super) fn whole_graph<'n>(node: &'n Node, name: &str) -> Result<&'n Graph, OnnxError> {
    let named = graph(node, name)?;
    let all = node.attributes.iter().filter_map(|(_, attribute)| match attribute {
        Attribute::Graph(graph) => Some(graph.as_ref()),
        _ => None,
    });
    Ok(std::iter::once(named).chain(all).find(|graph| graph.fault.is_none()).unwrap_or(named))
}

/// How many results the operation of a node has, whether they are used or not.
pub(super) fn result_count(node: &Node, op: Op, operator: &OnnxOperator) -> Result<usize, OnnxError> {
    let results = op.definition().results;
    if let ResultElement::Graph { attribute, first } = operator.result_element(0) {
        return Ok(whole_graph(node, attribute)?.outputs.len().saturating_sub(first));
    }
    let is_variadic = results.iter().any(|result| result.count == Occurrence::Variadic);
    Ok(if is_variadic { node.outputs.len() } else { results.len() })
}

impl<'c, 'a> Importer<'c, 'a> {
    /// The regions of a node; nothing for one without graphs. `operands` are those of the node.
    pub(super) fn regions(
        &self,
        node: &Node,
        op: Op,
        operands: &[MlirValue<'c, 'a>],
    ) -> Result<Regions<'c, 'a>, OnnxError> {
        let context = self.context;
        match op {
            Op::If => {
                let graphs = [graph(node, "then_branch")?, graph(node, "else_branch")?];
                let names = captured_names(&graphs);
                let captured = self.captured(node, &names)?;
                let regions = graphs.iter().map(|graph| self.region(graph, Vec::new(), &names, &captured));
                let regions = regions.collect::<Result<_, _>>()?;
                Ok(Regions { regions, captured, attributes: self.faults(&graphs) })
            }
            Op::Loop => {
                let body = graph(node, "body")?;
                let names = captured_names(&[body]);
                let captured = self.captured(node, &names)?;
                let iteration = TensorType::new(ElementType::I64, &[]).to_type(context);
                let condition = TensorType::new(ElementType::Bool, &[]).to_type(context);
                let carried: Vec<Type<'c>> = operands.iter().skip(2).map(|value| value.r#type()).collect();
                let count = i64::try_from(carried.len()).unwrap_or(i64::MAX);
                let own = [iteration, condition].into_iter().chain(carried).collect();
                let regions = vec![self.region(body, own, &names, &captured)?];
                Ok(Regions { captured, regions, attributes: vec![("carried", attribute::si64(context, count))] })
            }
            _ => Ok(Regions { captured: Vec::new(), regions: Vec::new(), attributes: Vec::new() }),
        }
    }

    /// Which branches cannot be built, and why.
    fn faults(&self, branches: &[&Graph]) -> Vec<(&'static str, MlirAttribute<'c>)> {
        if branches.iter().all(|graph| graph.fault.is_none()) {
            return Vec::new();
        }
        let text = |graph: &&Graph| attribute::string(self.context, graph.fault.as_deref().unwrap_or_default());
        vec![("faults", attribute::array(self.context, &branches.iter().map(text).collect::<Vec<_>>()))]
    }

    fn captured(&self, node: &Node, names: &[String]) -> Result<Vec<MlirValue<'c, 'a>>, OnnxError> {
        let find = |name: &String| {
            let value = self.values.get(name).copied();
            value.ok_or_else(|| OnnxError::node(node, format!("a graph inside of it reads {name:?}, which is absent")))
        };
        names.iter().map(find).collect()
    }

    /// A region whose block takes values of the types `own` for the graph's inputs, then what is captured.
    fn region(
        &self,
        graph: &Graph,
        own: Vec<Type<'c>>,
        names: &[String],
        captured: &[MlirValue<'c, 'a>],
    ) -> Result<Region<'c>, OnnxError> {
        let inputs = graph.inputs.iter().map(|input| &input.name).chain(names);
        let types = own.into_iter().chain(captured.iter().map(|value| value.r#type()));
        let arguments: Vec<_> =
            types.zip(inputs.clone()).map(|(r#type, name)| (r#type, named_location(self.context, name))).collect();
        let region = Region::new();
        let block = region.append_block(Block::new(&arguments));
        let values = inputs.cloned().zip(hb_dialects::ir::arguments(block)).collect();
        let mut inside = Importer { context: self.context, block, values, folding: HashSet::new() };
        let results = inside.body(graph)?;
        let location = named_location(self.context, &graph.name);
        block.append_operation(build(self.context, YIELD, &results, &[], &[], Vec::new(), location)?);
        Ok(region)
    }
}

/// What graphs read from outside, each once, in the order of first use.
fn captured_names(graphs: &[&Graph]) -> Vec<String> {
    let mut seen = HashSet::new();
    let all = graphs.iter().flat_map(|graph| captures(graph));
    all.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}
