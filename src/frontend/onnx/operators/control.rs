//! Operators with graphs inside: If, Loop.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Graph, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;
use hb_dialects::ElementType;
use hb_dialects::hfloat::NO_TRIP_LIMIT;

fn take_graph(node: &mut Node, name: &str) -> Result<Graph, OnnxError> {
    match node.take_attribute(name) {
        Some(Attribute::Graph(graph)) => Ok(*graph),
        _ => Err(OnnxError::node(node, format!("attribute {name:?} is missing"))),
    }
}

pub(super) fn adapt_if(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let mut counts = Vec::new();
    for name in ["then_branch", "else_branch"] {
        let graph = take_graph(&mut node, name)?;
        if let Some(input) = graph.inputs.first() {
            return Err(OnnxError::node(
                &node,
                format!("its {name} takes the input {:?}; branches take none", input.name),
            ));
        }
        counts.push(graph.outputs.len());
        let graph = rewriter.inner(graph)?;
        node.set_attribute(name, Attribute::Graph(Box::new(graph)));
    }
    if counts.first() != counts.last() || counts.first().is_none_or(|count| node.outputs.len() > *count) {
        let reason = format!("it has {} outputs, its branches {counts:?}", node.outputs.len());
        return Err(OnnxError::node(&node, reason));
    }
    rewriter.push(node)
}

/// The normal form has a trip count and a condition.
pub(super) fn adapt_loop(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let condition = Tensor::new(ElementType::Bool, Vec::new(), vec![1].into());
    let condition = condition.map_err(|reason| OnnxError::node(&node, reason))?;
    rewriter.complete_input(&mut node, 0, "trip_count", Tensor::from_i64s(&[NO_TRIP_LIMIT]))?;
    rewriter.complete_input(&mut node, 1, "condition", condition)?;
    let mut body = take_graph(&mut node, "body")?;
    let carried = node.inputs.len() - 2;
    if body.inputs.len() != carried + 2 || body.outputs.len() < carried + 1 {
        let (inputs, outputs) = (body.inputs.len(), body.outputs.len());
        let reason = format!(
            "it carries {carried} values, its body has {inputs} inputs and {outputs} outputs; it must take the number of the \
             iteration, the condition and the values, and give the condition and the values"
        );
        return Err(OnnxError::node(&node, reason));
    }
    if node.outputs.len() + 1 > body.outputs.len() {
        let reason = format!("it has {} outputs, its body gives {}", node.outputs.len(), body.outputs.len() - 1);
        return Err(OnnxError::node(&node, reason));
    }
    for (index, input) in body.inputs.iter_mut().enumerate() {
        input.element = Some(match index {
            0 => ElementType::I64,
            1 => ElementType::Bool,
            _ => rewriter.input_element(&node, index)?,
        });
    }
    let body = rewriter.inner(body)?;
    node.set_attribute("body", Attribute::Graph(Box::new(body)));
    rewriter.push(node)
}
