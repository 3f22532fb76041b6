//! Operators that move elements without computing: Concat, Flatten, Gather, Pad, Reshape, Slice, Transpose, Unsqueeze.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::{MAX_RANK, Tensor};

/// The axes of Squeeze and Unsqueeze were an attribute.
pub(super) fn axes_become_an_input(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.attribute_to_input(&mut node, "axes", 1)?;
    rewriter.push(node)
}

pub(super) fn adapt_concat(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    if node.inputs.iter().any(String::is_empty) {
        return Err(OnnxError::node(&node, "one of its inputs is absent"));
    }
    rewriter.push(node)
}

/// Absent `perm` reverses the dimensions.
pub(super) fn adapt_transpose(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if node.attribute("perm").is_none() {
        let rank = rewriter.rank(&node, 0)? as i64;
        node.set_attribute("perm", Attribute::Ints((0..rank).rev().collect()));
    }
    rewriter.push(node)
}

/// The normal form always has the value and the axes.
pub(super) fn adapt_pad(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.attribute_to_input(&mut node, "pads", 1)?;
    if node.input(2).is_none() {
        let value = match node.take_attribute("value") {
            Some(Attribute::Float(value)) => value,
            _ => 0.0,
        };
        let element = rewriter.input_element(&node, 0)?;
        let name = rewriter.push_constant(&node, "constant_value", Tensor::scalar(element, value))?;
        rewriter.set_input(&mut node, 2, name);
    }
    if node.input(3).is_none() {
        let rank = rewriter.rank(&node, 0)? as i64;
        let axes = Tensor::from_i64s(&(0..rank).collect::<Vec<_>>());
        let name = rewriter.push_constant(&node, "axes", axes)?;
        rewriter.set_input(&mut node, 3, name);
    }
    rewriter.push(node)
}

/// The normal form always has axes and steps.
pub(super) fn adapt_slice(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    for (index, attribute) in ["starts", "ends", "axes"].into_iter().enumerate() {
        rewriter.attribute_to_input(&mut node, attribute, index + 1)?;
    }
    let length = [1, 2].into_iter().find_map(|index| match rewriter.shape(&node, index)?.as_slice() {
        [Some(length)] => usize::try_from(*length).ok(),
        _ => None,
    });
    for (index, suffix) in [(3, "axes"), (4, "steps")] {
        if node.input(index).is_none() {
            let length = length.filter(|length| *length <= MAX_RANK).ok_or_else(|| {
                OnnxError::node(&node, format!("without {suffix:?}, the number of its starts must be known"))
            })?;
            let values = if index == 3 { (0..length as i64).collect() } else { vec![1; length] };
            let name = rewriter.push_constant(&node, suffix, Tensor::from_i64s(&values))?;
            rewriter.set_input(&mut node, index, name);
        }
    }
    rewriter.push(node)
}
