//! BatchNormalization and Dropout, in their inference forms.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;

const TRAINING: &str = "it is in training mode; export the model for inference";

pub(super) fn adapt_batch_normalization(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    // From opset 14 on, and before 7, an attribute says whether it is training. Between, the further outputs say so, also where nobody
    // reads them.
    if !(7..14).contains(&rewriter.opset()) {
        rewriter.drop_unread_outputs(&mut node);
    }
    if node.attribute("training_mode") == Some(&Attribute::Int(1)) || node.outputs.len() > 1 {
        return Err(OnnxError::node(&node, TRAINING));
    }
    if node.attribute("spatial") == Some(&Attribute::Int(0)) {
        let reason = "spatial = 0 (one mean per activation) is not supported; ONNX itself dropped it in opset 9";
        return Err(OnnxError::node(&node, reason));
    }
    if rewriter.opset() < 7 && node.take_attribute("is_test") != Some(Attribute::Int(1)) {
        return Err(OnnxError::node(&node, TRAINING));
    }
    for attribute in ["momentum", "spatial", "training_mode"] {
        node.take_attribute(attribute);
    }
    rewriter.push(node)
}

pub(super) fn adapt_dropout(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.drop_unread_outputs(&mut node);
    if rewriter.opset() < 7 && node.attribute("is_test") != Some(&Attribute::Int(1)) {
        return Err(OnnxError::node(&node, TRAINING));
    }
    if node.input(2).is_some() {
        let mode = rewriter.constant(&node, 2).and_then(|mode| mode.to_i64s().ok());
        // Nothing is dropped either where the ratio is 0.
        let ratio = rewriter.constant(&node, 1).and_then(|ratio| ratio.to_f64s().ok());
        match mode.as_deref() {
            Some([0]) => {}
            Some(_) if ratio.as_deref() == Some(&[0.0]) => {}
            Some(_) => return Err(OnnxError::node(&node, TRAINING)),
            None => {
                return Err(OnnxError::node(&node, "its training_mode must be a constant false"));
            }
        }
    }
    node.attributes.clear();
    node.inputs.truncate(1);
    if node.output(1).is_some() {
        return super::masks::everything_is_kept(rewriter, node);
    }
    node.operator = "Identity".to_owned();
    rewriter.push(node)
}
