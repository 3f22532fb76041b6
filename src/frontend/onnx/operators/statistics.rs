//! Normalization by statistics of the input itself: GroupNormalization, InstanceNormalization, LayerNormalization, LRN.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;

pub(super) fn adapt_layer_normalization(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.drop_unread_outputs(&mut node);
    if node.outputs.len() > 1 {
        return super::norms::compose_layer_normalization(rewriter, node);
    }
    node.take_attribute("stash_type");
    rewriter.push(node)
}

pub(super) fn adapt_group_normalization(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    node.take_attribute("stash_type");
    if rewriter.opset() < 21 {
        for (index, suffix) in [(1, "scale"), (2, "bias")] {
            parameter_per_channel(rewriter, &mut node, index, suffix)?;
        }
    }
    rewriter.push(node)
}

/// Repeats a parameter per group for each channel of the group: `[G]` to `[G, 1]`, `[G, C / G]`, `[C]`.
fn parameter_per_channel(
    rewriter: &mut Rewriter,
    node: &mut Node,
    index: usize,
    suffix: &str,
) -> Result<(), OnnxError> {
    let channels = rewriter.shape(node, 0).and_then(|shape| shape.get(1).copied().flatten());
    let Some(channels) = channels.and_then(|channels| i64::try_from(channels).ok()) else {
        let reason =
            "the number of its channels must be known to repeat its parameters, which are per group before opset 21";
        return Err(OnnxError::node(node, reason));
    };
    let groups = match node.attribute("num_groups") {
        Some(Attribute::Int(groups)) if *groups > 0 && channels % groups == 0 => *groups,
        _ => return Err(OnnxError::node(node, format!("its num_groups does not divide its {channels} channels"))),
    };
    let mut value = node.input(index).unwrap_or_default().to_owned();
    let steps =
        [("Reshape", vec![groups, 1]), ("Expand", vec![groups, channels / groups]), ("Reshape", vec![channels])];
    for (number, (operator, shape)) in steps.into_iter().enumerate() {
        let shape = rewriter.push_constant(node, &format!("{suffix}_{number}_shape"), Tensor::from_i64s(&shape))?;
        let result = rewriter.derived_name(node, &format!("{suffix}_{number}"));
        rewriter.push(Node::new(&result, operator, &[&value, &shape], &[&result]))?;
        value = result;
    }
    rewriter.set_input(node, index, value);
    Ok(())
}
