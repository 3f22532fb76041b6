//! BatchNormalization and Dropout, in their inference forms.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;

const TRAINING: &str = "it is in training mode; export the model for inference";

pub(super) fn adapt_batch_normalization(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    // From opset 14 on an attribute says whether it is training. Before, the further outputs say so, also where nobody reads them.
    if rewriter.opset() >= 14 {
        rewriter.drop_unread_outputs(&mut node);
    }
    if node.attribute("training_mode") == Some(&Attribute::Int(1)) || node.outputs.len() > 1 {
        return Err(OnnxError::node(&node, TRAINING));
    }
    if node.attribute("spatial") == Some(&Attribute::Int(0)) {
        let reason = "spatial = 0 (one mean per activation) is not supported; ONNX itself dropped it in opset 9";
        return Err(OnnxError::node(&node, reason));
    }
    for attribute in ["momentum", "spatial", "training_mode"] {
        node.take_attribute(attribute);
    }
    rewriter.push(node)
}

pub(super) fn adapt_dropout(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    rewriter.drop_unread_outputs(&mut node);
    if node.output(1).is_some() {
        return Err(OnnxError::node(&node, "its second output (mask) is not supported; use only the first"));
    }
    if node.input(2).is_some() {
        let mode = rewriter.constant(&node, 2).and_then(|mode| mode.to_i64s().ok());
        match mode.as_deref() {
            Some([0]) => {}
            Some(_) => return Err(OnnxError::node(&node, TRAINING)),
            None => {
                return Err(OnnxError::node(&node, "its training_mode must be a constant false"));
            }
        }
    }
    node.attributes.clear();
    node.inputs.truncate(1);
    node.operator = "Identity".to_owned();
    rewriter.push(node)
}
