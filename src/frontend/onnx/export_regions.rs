//! Regions become graphs inside of nodes, which read what was captured by its name.

use std::collections::HashSet;

use hb_dialects::hfloat::{self, NO_TRIP_LIMIT, carried_count, region_block};
use hb_dialects::ir::{self, OperationAttributes, constant_of};
use melior::ir::operation::OperationLike;
use melior::ir::{OperationRef, Value as MlirValue};

use super::error::OnnxError;
use super::export::{Exporter, failed, value_of};
use super::model::{Attribute, Graph, Node};

impl Exporter {
    pub(super) fn branch(&mut self, operation: OperationRef) -> Result<(), OnnxError> {
        let operands: Vec<MlirValue> = operation.operands().collect();
        let (condition, captured) = operands.split_first().ok_or_else(|| failed(operation, "it has no condition"))?;
        let mut node = self.region_node(operation, "If");
        node.inputs.push(self.operand(*condition)?);
        for (index, name) in ["then_branch", "else_branch"].into_iter().enumerate() {
            let graph = self.subgraph(operation, index, &node.name, 0, captured)?;
            node.attributes.push((name.to_owned(), Attribute::Graph(Box::new(graph))));
        }
        self.finish(operation, node);
        Ok(())
    }

    pub(super) fn repeat(&mut self, operation: OperationRef) -> Result<(), OnnxError> {
        let carried = carried_count(operation).map_err(|reason| failed(operation, reason))?;
        let operands: Vec<MlirValue> = operation.operands().collect();
        let [trip_count, condition, values @ ..] = operands.as_slice() else {
            return Err(failed(operation, "it has no trip count or no condition"));
        };
        let mut node = self.region_node(operation, "Loop");
        let is = |value: MlirValue, bytes: &[u8]| constant_of(value).is_some_and(|constant| *constant.bytes == *bytes);
        let absent = [is(*trip_count, &NO_TRIP_LIMIT.to_le_bytes()), is(*condition, &[1])];
        for (value, absent) in [*trip_count, *condition].into_iter().zip(absent) {
            node.inputs.push(if absent { String::new() } else { self.operand(value)? });
        }
        for value in values.iter().take(carried) {
            node.inputs.push(self.operand(*value)?);
        }
        let captured = values.get(carried..).unwrap_or_default();
        let body = self.subgraph(operation, 0, &node.name, carried + 2, captured)?;
        node.attributes.push(("body".to_owned(), Attribute::Graph(Box::new(body))));
        self.finish(operation, node);
        Ok(())
    }

    fn region_node(&mut self, operation: OperationRef, operator: &str) -> Node {
        let name = self.node_name(&operation.node());
        Node::new(&name, operator, &[], &[])
    }

    fn finish(&mut self, operation: OperationRef, mut node: Node) {
        for value in ir::results(operation) {
            let output = self.define(value, &node.name);
            node.outputs.push(output);
        }
        self.nodes.push(node);
    }

    /// A region as a graph: the first `own` arguments are its inputs, the others what it captures.
    fn subgraph(
        &mut self,
        operation: OperationRef,
        index: usize,
        node: &str,
        own: usize,
        captured: &[MlirValue],
    ) -> Result<Graph, OnnxError> {
        if let Some(fault) = hfloat::undecided_fault(operation).map_err(|reason| failed(operation, reason))? {
            return Err(failed(operation, fault));
        }
        let block = region_block(operation, index).map_err(|reason| failed(operation, reason))?;
        let arguments = ir::arguments(block);
        for (argument, value) in arguments.iter().skip(own).zip(captured) {
            let name = self.operand(*value)?;
            self.values.insert(ir::address(*argument), name);
        }
        let (nodes, initializers) = (std::mem::take(&mut self.nodes), std::mem::take(&mut self.initializers));
        let mut inputs = Vec::new();
        for (number, argument) in arguments.iter().take(own).enumerate() {
            let name = self.value_name(&format!("{node}/input_{number}"));
            inputs.push(value_of(&name, *argument)?);
            self.values.insert(ir::address(*argument), name);
        }
        for inner in ir::operations(block) {
            self.operation(inner)?;
        }
        let yielded = hfloat::yielded(block).map_err(|reason| failed(operation, reason))?;
        let mut outputs = Vec::new();
        let mut given = HashSet::new();
        for value in yielded {
            let source = self.operand(value)?;
            // An output is made by a node of the graph, and by one name only.
            let made = self.nodes.iter().any(|node| node.outputs.contains(&source)) && given.insert(source.clone());
            let name = if made {
                source
            } else {
                let identity = self.node_name(&format!("{node}/output"));
                let name = self.value_name(&identity);
                self.nodes.push(Node::new(&identity, "Identity", &[&source], &[&name]));
                name
            };
            outputs.push(value_of(&name, value)?);
        }
        let nodes = std::mem::replace(&mut self.nodes, nodes);
        let initializers = std::mem::replace(&mut self.initializers, initializers);
        let name = format!("{node}/graph_{index}");
        Ok(Graph { name, nodes, inputs, outputs, initializers, value_info: Vec::new(), fault: None })
    }
}
