//! Conv, ConvTranspose.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::window::{ints, make_explicit};

pub(super) fn adapt_convolution(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    make_window_explicit(rewriter, &mut node)?;
    rewriter.push(node)
}

pub(super) fn adapt_transposed(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let spatial = make_window_explicit(rewriter, &mut node)?;
    for name in ["output_padding", "output_shape"] {
        match ints(&node, name).map(<[i64]>::len) {
            Some(length) if length != spatial => {
                let reason = format!("attribute {name:?} has {length} values, {spatial} are needed");
                return Err(OnnxError::node(&node, reason));
            }
            None if name == "output_padding" => node.set_attribute(name, Attribute::Ints(vec![0; spatial])),
            _ => {}
        }
    }
    rewriter.push(node)
}

/// Gives strides, dilations and pads; the kernel is that of the weights. Gives the number of spatial dimensions.
fn make_window_explicit(rewriter: &mut Rewriter, node: &mut Node) -> Result<usize, OnnxError> {
    let kernel = ints(node, "kernel_shape").map(<[i64]>::to_vec);
    let weight = rewriter.shape(node, 1);
    let rank = match (&weight, &kernel) {
        (Some(weight), _) => weight.len(),
        (None, Some(kernel)) => kernel.len() + 2,
        (None, None) => rewriter.rank(node, 0)?,
    };
    let Some(spatial) = rank.checked_sub(2) else {
        return Err(OnnxError::node(node, format!("its weights have {rank} dimensions, at least 3 are needed")));
    };
    if let (Some(kernel), Some(weight)) = (&kernel, &weight) {
        let sizes = weight.iter().skip(2);
        let agrees = |(given, size): (&i64, &Option<u64>)| size.is_none_or(|size| i64::try_from(size) == Ok(*given));
        if kernel.len() != spatial || !kernel.iter().zip(sizes).all(agrees) {
            return Err(OnnxError::node(node, format!("kernel_shape {kernel:?} is not that of its weights")));
        }
    }
    make_explicit(node, spatial)?;
    node.take_attribute("kernel_shape");
    Ok(spatial)
}
