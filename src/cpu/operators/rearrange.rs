//! Operators that cut, repeat and regroup elements.

use hb_dialects::hfloat::attributes;
use hb_dialects::hfloat::split_sizes;
use hb_dialects::ir::attribute;
use melior::ir::operation::OperationLike;

use super::super::error::Error;
use super::super::expression::{Expression, axis};
use super::super::graph::Compute;
use super::node::{OperatorNode, Results, axes};

/// ONNX Split-18. The results are the node's, `node#1`, `node#2`...
pub(super) fn split(node: &mut OperatorNode) -> Results {
    let (along, sizes) = split_sizes(node.operation).map_err(|reason| node.invalid(reason))?;
    let input = node.operand(0)?;
    let mut start = 0;
    let mut outputs = Vec::new();
    for (number, (size, result)) in sizes.into_iter().zip(node.results.clone()).enumerate() {
        let unknown = || node.unsupported("the sizes of its parts are not known");
        let shape = result.shape().ok_or_else(unknown)?;
        let name = if number == 0 { node.name.clone() } else { format!("{}#{number}", node.name) };
        let mut at = axes(0, shape.len());
        if let Some(slot) = at.get_mut(along) {
            *slot = axis(along) + start;
        }
        start += size.and_then(|size| i64::try_from(size).ok()).ok_or_else(unknown)?;
        let output = node.graph.add_tensor(&name, result.element.storage(), &shape)?;
        let body = node.graph.load(input, at);
        node.graph.push(Compute::elementwise(&node.name, output, &shape, body))?;
        outputs.push(output);
    }
    Ok(outputs)
}

/// ONNX Expand-13.
pub(super) fn expand(node: &mut OperatorNode) -> Results {
    let rank = node.result_shape()?.len();
    let value = node.graph.load_broadcast(node.operand(0)?, rank);
    node.fill_sized(value, 1)
}

/// ONNX Tile-13.
pub(super) fn tile(node: &mut OperatorNode) -> Results {
    let input = node.operand(0)?;
    let (shape, result) = (node.shape(input)?, node.result_shape()?);
    let mut splits = Splits::default();
    for (&size, &total) in shape.iter().zip(&result) {
        if size != total {
            splits.extents.push(total / size.max(1));
        }
        splits.read(size);
    }
    splits.fill(node)
}

/// A result whose dimensions are split, so that every element is read at dimensions as they are: loops over them move runs of memory, where
/// divisions and remainders of one index would gather element by element.
#[derive(Default)]
pub(super) struct Splits {
    /// Of the split result; joined they are its dimensions.
    pub extents: Vec<usize>,
    /// Where the input is read, for each of its dimensions.
    at: Vec<Expression>,
}

impl Splits {
    /// Adds a dimension that reads the next one of the input.
    pub fn read(&mut self, size: usize) {
        self.at.push(axis(self.extents.len()));
        self.extents.push(size);
    }

    /// Fills a temporary of these dimensions, whose memory is the result.
    pub fn fill(self, node: &mut OperatorNode) -> Results {
        regrouped(node, &self.extents, self.at)
    }
}

/// The shape of the image, and the block.
fn block(node: &OperatorNode) -> Result<([usize; 4], usize), Error> {
    let shape = node.shape(node.operand(0)?)?;
    let sizes = <[usize; 4]>::try_from(shape.as_slice()).map_err(|_| node.invalid("its input has no rank 4"))?;
    let block = usize::try_from(attributes::blocksize(node.operation)?).ok().filter(|&block| block > 0);
    Ok((sizes, block.ok_or_else(|| node.invalid("its blocksize is not positive"))?))
}

/// Fills a temporary of more dimensions, whose memory is the result.
fn regrouped(node: &mut OperatorNode, extents: &[usize], at: Vec<Expression>) -> Results {
    let value = node.graph.load(node.operand(0)?, at);
    let filled = node.fill(extents, value)?;
    let shape = node.result_shape()?;
    Ok(vec![node.graph.add_view(&node.name, filled, &shape)?])
}

/// ONNX DepthToSpace-13: the result is [N, C, H, b, W, b].
pub(super) fn depth_to_space(node: &mut OperatorNode) -> Results {
    let ([n, c, h, w], b) = block(node)?;
    let channels = c / (b * b);
    let pixel = axis(3) * b as i64 + axis(5);
    let mode = node.operation.attribute("mode").ok().and_then(attribute::text);
    let channel = match mode.as_deref() {
        Some("CRD") => axis(1) * (b * b) as i64 + pixel,
        _ => pixel * channels as i64 + axis(1),
    };
    regrouped(node, &[n, channels, h, b, w, b], vec![axis(0), channel, axis(2), axis(4)])
}

/// ONNX SpaceToDepth-13: the result is [N, b, b, C, H, W].
pub(super) fn space_to_depth(node: &mut OperatorNode) -> Results {
    let ([n, c, h, w], b) = block(node)?;
    let (row, column) = (axis(4) * b as i64 + axis(1), axis(5) * b as i64 + axis(2));
    regrouped(node, &[n, b, b, c, h / b, w / b], vec![axis(0), axis(3), row, column])
}
