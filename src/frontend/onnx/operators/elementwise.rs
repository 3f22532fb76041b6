//! Operators that work element by element, with multidirectional broadcasting where they take two inputs.

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

/// Before opset 7, `axis` is the dimension of the first operand where those of the second begin.
pub(super) fn adapt_broadcast(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let axis = node.take_attribute("axis");
    if let (Some(Attribute::Int(1)), Some(Attribute::Int(axis))) = (node.take_attribute("broadcast"), axis) {
        let (whole, part) = (rewriter.rank(&node, 0)?, rewriter.rank(&node, 1)?);
        let axis = hb_dialects::hfloat::normalize_axis(axis, whole).map_err(|reason| OnnxError::node(&node, reason))?;
        let behind = whole.checked_sub(axis + part);
        let behind =
            behind.ok_or_else(|| OnnxError::node(&node, format!("has {part} dimensions from {axis} on of {whole}")))?;
        append_dimensions(rewriter, &mut node, behind)?;
    }
    rewriter.push(node)
}

/// Before opset 7 the slope is one number, or one for each channel.
pub(super) fn adapt_p_relu(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let slope = rewriter.shape(&node, 1);
    if rewriter.opset() < 7 && slope.is_some_and(|shape| shape.len() == 1 && shape != [Some(1)]) {
        let behind = rewriter.rank(&node, 0)?.saturating_sub(2);
        append_dimensions(rewriter, &mut node, behind)?;
    }
    rewriter.push(node)
}

/// Gives the second operand more dimensions, of size 1, behind its own.
fn append_dimensions(rewriter: &mut Rewriter, node: &mut Node, count: usize) -> Result<(), OnnxError> {
    let rank = rewriter.rank(node, 1)? as i64;
    if count == 0 {
        return Ok(());
    }
    let axes = Tensor::from_i64s(&(rank..rank + count as i64).collect::<Vec<_>>());
    let axes = rewriter.push_constant(node, "axes", axes)?;
    let wide = rewriter.derived_name(node, "unsqueeze");
    rewriter.push(Node::new(&wide, "Unsqueeze", &[node.input(1).unwrap_or_default(), &axes], &[&wide]))?;
    rewriter.set_input(node, 1, wide);
    Ok(())
}

/// Drops the precision that 16-bit positions are asked to be computed in; ours is f64.
pub(super) fn adapt_range(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    node.take_attribute("stash_type");
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
