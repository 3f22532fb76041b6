//! Resize, and Upsample, which it replaced.

use hb_dialects::ElementType;

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;

/// Up to opset 9 Upsample, whose scales were an attribute first.
pub(super) fn adapt_upsample(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if rewriter.opset() >= 10 {
        return Err(OnnxError::node(&node, "Upsample is no operator of opset 10 and later; Resize took its place"));
    }
    if let Some(Attribute::Floats(scales)) = node.take_attribute("scales") {
        let name = rewriter.push_constant(&node, "scales", Tensor::from_f32s(&scales))?;
        rewriter.set_input(&mut node, 1, name);
    }
    node.operator = "Resize".to_owned();
    scales_only(rewriter, node)
}

/// The first form, with input and scales: positions are `x / scale`. onnxruntime rounds them down where there is more of
/// the result than of the input, and up where there is less.
fn scales_only(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let scales = rewriter.constant(&node, 1);
    let scales = scales.as_ref().and_then(|scales| scales.f32s().ok()).unwrap_or_default();
    let smaller = scales.iter().any(|&scale| scale < 1.0);
    let nearest = node.attribute("mode") != Some(&Attribute::String(b"linear".to_vec()));
    if nearest && smaller && scales.iter().any(|&scale| scale > 1.0) {
        let reason =
            "it makes some dimensions larger and others smaller; use Resize of opset 11, which says how to round";
        return Err(OnnxError::node(&node, reason));
    }
    node.set_attribute("coordinate_transformation_mode", Attribute::String(b"asymmetric".to_vec()));
    let rounding: &[u8] = if smaller { b"ceil" } else { b"floor" };
    node.set_attribute("nearest_mode", Attribute::String(rounding.to_vec()));
    if let Some(scales) = node.inputs.pop() {
        rewriter.set_input(&mut node, 2, scales);
    }
    complete(rewriter, node)
}

pub(super) fn adapt_resize(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if rewriter.opset() < 11 {
        return scales_only(rewriter, node);
    }
    if node.attribute("coordinate_transformation_mode") == Some(&Attribute::String(b"tf_half_pixel_for_nn".to_vec())) {
        without_tf_half_pixel(&mut node)?;
    }
    complete(rewriter, node)
}

/// `tf_half_pixel_for_nn`, which opset 13 dropped, lies half an element behind `half_pixel`: another rounding says the same.
fn without_tf_half_pixel(node: &mut Node) -> Result<(), OnnxError> {
    let text = |name: &str| match node.attribute(name) {
        Some(Attribute::String(text)) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    let (mode, rounding) = (text("mode"), text("nearest_mode"));
    let rounding: &[u8] = match (mode.as_str(), rounding.as_str()) {
        ("linear" | "cubic", _) => {
            return Err(OnnxError::node(node, "tf_half_pixel_for_nn is only supported with mode nearest"));
        }
        (_, "floor") => b"round_prefer_ceil",
        (_, "" | "round_prefer_floor") => b"ceil",
        (_, other) => {
            let reason = format!("tf_half_pixel_for_nn is not supported with nearest_mode {other}");
            return Err(OnnxError::node(node, reason));
        }
    };
    node.set_attribute("coordinate_transformation_mode", Attribute::String(b"half_pixel".to_vec()));
    node.set_attribute("nearest_mode", Attribute::String(rounding.to_vec()));
    Ok(())
}

/// The normal form always has the region and the scales, empty when they are not used, and no empty sizes.
fn complete(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let empty = |rewriter: &Rewriter, node: &Node, index| {
        rewriter.shape(node, index).is_some_and(|shape| shape.as_slice() == [Some(0)])
    };
    if node.input(3).is_some() && empty(rewriter, &node, 3) {
        node.inputs.truncate(3);
    }
    let nothing = Tensor::new(ElementType::F32, vec![0], Vec::new().into());
    let nothing = nothing.map_err(|reason| OnnxError::node(&node, reason))?;
    for (index, suffix) in [(1, "roi"), (2, "scales")] {
        if node.input(index).is_none() {
            let name = rewriter.push_constant(&node, suffix, nothing.clone())?;
            rewriter.set_input(&mut node, index, name);
        }
    }
    rewriter.push(node)
}
