//! Recurrent layers: LSTM, GRU, RNN.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;
use hb_dialects::ElementType;

/// The normal form has all inputs; absent ones are empty.
pub(super) fn adapt(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let element = rewriter.input_element(&node, 0)?;
    let optional = [
        (3, "bias", element),
        (4, "sequence_lens", ElementType::I32),
        (5, "initial_h", element),
        (6, "initial_c", element),
        (7, "peepholes", element),
    ];
    let most = super::find(&node.operator).and_then(|operator| operator.inputs_at(rewriter.opset()));
    let most = most.map_or(0, |inputs| inputs.most);
    for (index, suffix, element) in optional.into_iter().take_while(|(index, ..)| *index < most) {
        let absent = Tensor::new(element, vec![0], Vec::new().into());
        let absent = absent.map_err(|reason| OnnxError::node(&node, reason))?;
        rewriter.complete_input(&mut node, index, suffix, absent)?;
    }
    rewriter.push(node)
}
