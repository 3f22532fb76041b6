//! Makes a network that fails smaller: nodes and outputs go while it still fails in the same way.

use super::check::{Fault, check};
use super::network::{Network, tensor};
use hb::frontend::onnx::model::{Dimension, Value};
use hb_dialects::ElementType;
use melior::Context;
use std::collections::HashSet;

/// The smallest network that was found, and its fault.
pub fn minimise(context: &Context, network: &Network, fault: Fault, twice: bool) -> (Network, Fault) {
    let (mut best, mut fault) = (network.clone(), fault);
    let kind = fault.kind();
    loop {
        let mut smaller = false;
        // Behind the node at fault first, then before it.
        let mut position = best.model.graph.outputs.len() + best.model.graph.nodes.len();
        while position > 0 {
            position -= 1;
            let outputs = best.model.graph.outputs.len();
            let candidate = if position < outputs {
                without_output(&best, position)
            } else {
                without_node(&best, position - outputs)
            };
            let Some(candidate) = candidate else { continue };
            if let Err(other) = check(context, &candidate, twice)
                && other.kind() == kind
            {
                (best, fault, smaller) = (candidate, other, true);
                position = position.min(best.model.graph.outputs.len() + best.model.graph.nodes.len());
            }
        }
        if !smaller {
            return (best, fault);
        }
    }
}

fn without_output(network: &Network, index: usize) -> Option<Network> {
    let mut smaller = network.clone();
    smaller.model.graph.outputs.remove(index);
    (!smaller.model.graph.outputs.is_empty()).then(|| pruned(smaller))
}

/// Without a node: what it gave becomes an input, or a constant where it is no float; as an output it goes.
fn without_node(network: &Network, index: usize) -> Option<Network> {
    let mut smaller = network.clone();
    let graph = &mut smaller.model.graph;
    if index >= graph.nodes.len() {
        return None;
    }
    let node = graph.nodes.remove(index);
    graph.outputs.retain(|output| !node.outputs.contains(&output.name));
    if graph.outputs.is_empty() {
        // Its operands are what is left to look at.
        for input in node.inputs.iter().filter(|input| graph.nodes.iter().any(|node| node.outputs.contains(input))) {
            let array = network.values.get(input)?;
            let shape = array.shape().iter().map(|size| Dimension::Fixed(*size)).collect();
            graph.outputs.push(Value { name: input.clone(), element: Some(array.element()), shape: Some(shape) });
        }
    }
    for output in &node.outputs {
        // Constants as nodes are no values that were recorded.
        let Some(array) = network.values.get(output) else {
            let value = node.attributes.first().map(|(_, value)| value.clone());
            if let Some(hb::frontend::onnx::model::Attribute::Tensor(value)) = value {
                graph.initializers.push((output.clone(), value));
            }
            continue;
        };
        if array.element() == ElementType::F32 {
            let shape = array.shape().iter().map(|size| Dimension::Fixed(*size)).collect();
            graph.inputs.push(Value { name: output.clone(), element: Some(ElementType::F32), shape: Some(shape) });
        } else {
            graph.initializers.push((output.clone(), tensor(array)));
        }
    }
    (!graph.outputs.is_empty()).then(|| pruned(smaller))
}

/// Without what no output needs.
fn pruned(mut network: Network) -> Network {
    let graph = &mut network.model.graph;
    let mut needed: HashSet<String> = graph.outputs.iter().map(|output| output.name.clone()).collect();
    let mut nodes = std::mem::take(&mut graph.nodes);
    nodes.reverse();
    nodes.retain(|node| {
        let kept = node.outputs.iter().any(|output| needed.contains(output));
        if kept {
            needed.extend(node.inputs.iter().cloned());
        }
        kept
    });
    nodes.reverse();
    graph.nodes = nodes;
    graph.inputs.retain(|input| needed.contains(&input.name));
    graph.initializers.retain(|(name, _)| needed.contains(name));
    network
}
