//! Operators that work element by element, with multidirectional broadcasting where they take two inputs (since opset 7;
//! the `axis` and `broadcast` attributes of older ones are out of reach).

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;

/// The normal form always has both bounds; an absent one is the end of the element type's range.
pub(super) fn adapt_clip(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let element = rewriter.input_element(&node, 0)?;
    for (index, name) in [(1, "min"), (2, "max")] {
        let given = node.take_attribute(name);
        if node.input(index).is_some() {
            continue;
        }
        let bound = match given {
            Some(Attribute::Float(value)) => Tensor::scalar(element, value),
            _ if index == 1 => Tensor::lowest(element),
            _ => Tensor::highest(element),
        };
        let name = rewriter.push_constant(&node, name, bound)?;
        rewriter.set_input(&mut node, index, name);
    }
    rewriter.push(node)
}

/// Drops what says how float8 overflows; float8 is not a type that we have.
pub(super) fn adapt_cast(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    node.take_attribute("saturate");
    rewriter.push(node)
}

/// An operator of any number of inputs becomes a chain of itself with two.
pub(super) fn chain_of_itself(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let operator = node.operator.clone();
    chain(rewriter, node, &operator)
}

/// f(a, b, c) becomes g(g(a, b), c), and f(a) becomes a; `operator` is g.
pub(super) fn chain(rewriter: &mut Rewriter, mut node: Node, operator: &str) -> Result<(), OnnxError> {
    if node.inputs.iter().any(String::is_empty) {
        return Err(OnnxError::node(&node, "one of its inputs is absent"));
    }
    let mut inputs = std::mem::take(&mut node.inputs).into_iter();
    let (mut left, last) = (inputs.next(), inputs.next_back());
    for (index, right) in inputs.enumerate() {
        let name = rewriter.derived_name(&node, &format!("partial_{index}"));
        rewriter.push(Node::new(&name, operator, &[left.as_deref().unwrap_or_default(), &right], &[&name]))?;
        left = Some(name);
    }
    node.operator = if last.is_some() { operator.to_owned() } else { "Identity".to_owned() };
    node.inputs = left.into_iter().chain(last).collect();
    rewriter.push(node)
}

/// The sum over the number of inputs.
pub(super) fn adapt_mean(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if node.inputs.len() == 1 {
        return chain(rewriter, node, "Add");
    }
    let element = rewriter.input_element(&node, 0)?;
    let count = Tensor::scalar(element, node.inputs.len() as f32);
    let [sum, outputs] = [vec![rewriter.derived_name(&node, "sum")], node.outputs.clone()];
    let mut addition = node.clone();
    addition.name = sum.concat();
    addition.outputs = sum.clone();
    chain(rewriter, addition, "Add")?;
    let count = rewriter.push_constant(&node, "count", count)?;
    node.operator = "Div".to_owned();
    node.inputs = [sum, vec![count]].concat();
    node.outputs = outputs;
    rewriter.push(node)
}
