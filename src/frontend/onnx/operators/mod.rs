//! Every ONNX operator that the compiler reads. What is data about one (versions, inputs, attributes) stands in its record in
//! `tablegen/hfloat/Ops.td`; here is how a form of an older operator set becomes that of the newest: one rule for each
//! [`UpgradeRule`] that records name, and one for each [`Composite`]. Reading, checking, import and export all work from these.

// These tables are to become fields of the records of `tablegen/hfloat`.
#![allow(missing_docs)]

mod constant;
mod control;
mod convolution;
mod elementwise;
mod layout;
mod normalization;
mod pooling;
mod rearrange;
mod recurrent;
mod reduction;
mod resize;
mod rule;
mod select;
mod softmax;
mod statistics;
pub mod window;

pub use hb_dialects::registry::{OnnxAttribute, OnnxForm, OnnxKind, OnnxOperator, ResultElement};
pub use rule::{check, default_attribute, fill_defaults};

use super::{error::OnnxError, model::Node, normalize::Rewriter};
use hb_dialects::hfloat::{Composite, UpgradeRule, onnx_operators};
use std::{collections::HashMap, sync::LazyLock};

/// Appends the newest form of a node to the rewriter. The node is checked against its row and has no trailing absent inputs.
type Upgrade = fn(&mut Rewriter, Node) -> Result<(), OnnxError>;

/// An operator of the default domain, by its ONNX name.
pub fn find(name: &str) -> Option<&'static OnnxOperator> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static OnnxOperator>> =
        LazyLock::new(|| onnx_operators().iter().map(|operator| (operator.name, operator)).collect());
    BY_NAME.get(name).copied()
}

/// How older forms of an operator become the newest one.
pub fn upgrade(operator: &OnnxOperator) -> Upgrade {
    match operator.form {
        OnnxForm::Op(op) => match op.upgrade_rule() {
            UpgradeRule::Axes => layout::axes_become_an_input,
            UpgradeRule::BatchNormalization => normalization::adapt_batch_normalization,
            UpgradeRule::Cast => elementwise::adapt_cast,
            UpgradeRule::Chain => elementwise::chain_of_itself,
            UpgradeRule::Clip => elementwise::adapt_clip,
            UpgradeRule::Concat => layout::adapt_concat,
            UpgradeRule::Constant => constant::adapt_constant,
            UpgradeRule::ConstantOfShape => constant::adapt_constant_of_shape,
            UpgradeRule::ConvTranspose => convolution::adapt_transposed,
            UpgradeRule::Convolution => convolution::adapt_convolution,
            UpgradeRule::GroupNormalization => statistics::adapt_group_normalization,
            UpgradeRule::If => control::adapt_if,
            UpgradeRule::Keep => |rewriter, node| rewriter.push(node),
            UpgradeRule::LayerNormalization => statistics::adapt_layer_normalization,
            UpgradeRule::Loop => control::adapt_loop,
            UpgradeRule::Lstm => recurrent::adapt,
            UpgradeRule::MaxPool => pooling::adapt_max_pool,
            UpgradeRule::NonMaxSuppression => select::adapt_non_max_suppression,
            UpgradeRule::Pad => layout::adapt_pad,
            UpgradeRule::Pool => pooling::adapt_pool,
            UpgradeRule::Reduce => reduction::adapt,
            UpgradeRule::Resize => resize::adapt_resize,
            UpgradeRule::Slice => layout::adapt_slice,
            UpgradeRule::Softmax => softmax::adapt,
            UpgradeRule::Split => rearrange::adapt_split,
            UpgradeRule::TopK => select::adapt_top_k,
            UpgradeRule::Transpose => layout::adapt_transpose,
        },
        OnnxForm::Composite(composite) => match composite {
            Composite::Dropout => normalization::adapt_dropout,
            Composite::Mean => elementwise::adapt_mean,
            Composite::Sum => |rewriter, node| elementwise::chain(rewriter, node, "Add"),
            Composite::Upsample => resize::adapt_upsample,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::normalize::NORMAL_OPSET;
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_are_consistent() {
        let mut names = HashSet::new();
        for operator in onnx_operators() {
            assert!(names.insert(operator.name), "{} twice", operator.name);
            assert!(
                operator.versions.is_sorted()
                    && operator.versions.iter().all(|version| (1..=NORMAL_OPSET).contains(version))
            );
            assert!(operator.inputs.is_sorted_by_key(|inputs| inputs.since), "{}", operator.name);
            assert!(operator.inputs.iter().all(|inputs| inputs.least <= inputs.most));
            for attribute in operator.attributes {
                assert!(attribute.since <= attribute.until, "{} {}", operator.name, attribute.name);
                assert!(!(attribute.required && attribute.default.is_some()), "{} {}", operator.name, attribute.name);
            }
        }
    }

    /// Attributes of one name must not overlap in versions, or the first would hide the second.
    #[test]
    fn attributes_do_not_overlap() {
        for operator in onnx_operators() {
            for (index, attribute) in operator.attributes.iter().enumerate() {
                for other in operator.attributes.iter().skip(index + 1) {
                    let apart = attribute.until < other.since || other.until < attribute.since;
                    assert!(attribute.name != other.name || apart, "{} {}", operator.name, attribute.name);
                }
            }
        }
    }
}
