//! Every ONNX operator that the compiler reads. What is data about one (versions, inputs, attributes) stands in its record in
//! `tablegen/hfloat/Ops.td`; here is how a form of an older operator set becomes that of the newest: one rule for each
//! [`UpgradeRule`] that records name, and one for each [`Composite`]. Reading, checking, import and export all work from these.

// These tables are to become fields of the records of `tablegen/hfloat`.
#![allow(missing_docs)]

mod attention;
mod compose;
mod constant;
mod control;
mod convolution;
mod einsum;
mod elementwise;
mod layout;
mod linear_attention;
mod logarithms;
mod masks;
mod normalization;
mod norms;
mod places;
mod pooling;
mod quantized;
mod rearrange;
mod recurrent;
mod reduction;
mod resize;
mod rule;
mod sampling;
mod select;
mod signals;
mod softmax;
mod statistics;
mod unpool;
pub mod window;

pub use hb_dialects::registry::{OnnxAttribute, OnnxForm, OnnxKind, OnnxOperator, ResultElement};
pub use rule::{check, default_attribute, fill_defaults};

use super::{error::OnnxError, model::Node, normalize::Rewriter};
use hb_dialects::hfloat::{Composite, UpgradeRule, onnx_operators};
use std::{collections::HashMap, sync::LazyLock};

/// Appends the newest form of a node to the rewriter. The node is checked against its row and has no trailing absent inputs.
type Upgrade = fn(&mut Rewriter, Node) -> Result<(), OnnxError>;

/// An operator of the default domain, by its ONNX name. Where it is several operations, the one that gives its first output.
pub fn find(name: &str) -> Option<&'static OnnxOperator> {
    find_from(name, 0)
}

/// The row of a node of the normal form: where its operator is several operations, the first output that it names says which one it is.
pub fn find_form(node: &Node) -> Option<&'static OnnxOperator> {
    let first = node.outputs.iter().position(|output| !output.is_empty()).unwrap_or(0);
    find_from(&node.operator, first).or_else(|| find(&node.operator))
}

/// Whether another operation gives further outputs of the operator.
pub fn has_further_outputs(operator: &OnnxOperator) -> bool {
    operator.first_output == 0 && find_from(operator.name, 1).is_some()
}

fn find_from(name: &str, first_output: usize) -> Option<&'static OnnxOperator> {
    static BY_NAME: LazyLock<HashMap<(&'static str, usize), &'static OnnxOperator>> = LazyLock::new(|| {
        onnx_operators().iter().map(|operator| ((operator.name, operator.first_output), operator)).collect()
    });
    BY_NAME.get(&(name, first_output)).copied()
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
            UpgradeRule::DequantizeLinear => quantized::adapt_dequantize_linear,
            UpgradeRule::GridSample => sampling::adapt_grid_sample,
            UpgradeRule::GroupNormalization => statistics::adapt_group_normalization,
            UpgradeRule::If => control::adapt_if,
            UpgradeRule::Keep => |rewriter, node| rewriter.push(node),
            UpgradeRule::LayerNormalization => statistics::adapt_layer_normalization,
            UpgradeRule::Loop => control::adapt_loop,
            UpgradeRule::MaxPool => pooling::adapt_max_pool,
            UpgradeRule::NonMaxSuppression => select::adapt_non_max_suppression,
            UpgradeRule::OldBroadcast => elementwise::adapt_broadcast,
            UpgradeRule::PRelu => elementwise::adapt_p_relu,
            UpgradeRule::Pad => layout::adapt_pad,
            UpgradeRule::Pool => pooling::adapt_pool,
            UpgradeRule::QuantizeLinear => quantized::adapt_quantize_linear,
            UpgradeRule::Range => elementwise::adapt_range,
            UpgradeRule::Recurrent => recurrent::adapt,
            UpgradeRule::Reduce => reduction::adapt,
            UpgradeRule::Resize => resize::adapt_resize,
            UpgradeRule::RoiAlign => sampling::adapt_roi_align,
            UpgradeRule::Slice => layout::adapt_slice,
            UpgradeRule::Softmax => softmax::adapt,
            UpgradeRule::Split => rearrange::adapt_split,
            UpgradeRule::TopK => select::adapt_top_k,
            UpgradeRule::Transpose => layout::adapt_transpose,
            UpgradeRule::Unique => select::adapt_unique,
        },
        OnnxForm::Composite(composite) => compose(composite),
    }
}

/// How an operator becomes others.
fn compose(composite: Composite) -> Upgrade {
    match composite {
        Composite::AffineGrid => sampling::compose_affine_grid,
        Composite::Attention => attention::compose_attention,
        Composite::BitShift => masks::compose_bit_shift,
        Composite::BitwiseNot => masks::compose_bitwise_not,
        Composite::BlackmanWindow => |rewriter, node| signals::compose_window(rewriter, node, [0.42, 0.5, 0.08]),
        Composite::CastLike => masks::compose_cast_like,
        Composite::CausalConvWithState => attention::compose_causal_conv,
        Composite::CenterCropPad => places::compose_center_crop_pad,
        Composite::Col2Im => places::compose_col2im,
        Composite::Compress => places::compose_compress,
        Composite::ConvInteger => quantized::compose_conv_integer,
        Composite::DFT => signals::compose_dft,
        Composite::DeformConv => sampling::compose_deform_conv,
        Composite::Dropout => normalization::adapt_dropout,
        Composite::DynamicQuantizeLinear => quantized::compose_dynamic_quantize_linear,
        Composite::Einsum => einsum::compose_einsum,
        Composite::EyeLike => masks::compose_eye_like,
        Composite::GlobalLpPool => norms::compose_global_lp_pool,
        Composite::HammingWindow => {
            |rewriter, node| signals::compose_window(rewriter, node, [25.0 / 46.0, 21.0 / 46.0, 0.0])
        }
        Composite::HannWindow => |rewriter, node| signals::compose_window(rewriter, node, [0.5, 0.5, 0.0]),
        Composite::Hardmax => logarithms::compose_hardmax,
        Composite::IsInf => masks::compose_is_inf,
        Composite::IsNaN => masks::compose_is_nan,
        Composite::LinearAttention => linear_attention::compose,
        Composite::LogSoftmax => logarithms::compose_log_softmax,
        Composite::LpNormalization => norms::compose_lp_normalization,
        Composite::LpPool => norms::compose_lp_pool,
        Composite::MatMulInteger => quantized::compose_mat_mul_integer,
        Composite::MaxUnpool => unpool::compose_max_unpool,
        Composite::Mean => elementwise::adapt_mean,
        Composite::MeanVarianceNormalization => norms::compose_mean_variance_normalization,
        Composite::MelWeightMatrix => signals::compose_mel_weight_matrix,
        Composite::NegativeLogLikelihoodLoss => logarithms::compose_negative_log_likelihood,
        Composite::OneHot => masks::compose_one_hot,
        Composite::QLinearConv => quantized::compose_qlinear_conv,
        Composite::QLinearMatMul => quantized::compose_qlinear_mat_mul,
        Composite::RMSNormalization => norms::compose_rms_normalization,
        Composite::ReverseSequence => places::compose_reverse_sequence,
        Composite::RotaryEmbedding => attention::compose_rotary_embedding,
        Composite::STFT => signals::compose_stft,
        Composite::Scan => control::compose_scan,
        Composite::Scatter => places::compose_scatter,
        Composite::Size => masks::compose_size,
        Composite::SoftmaxCrossEntropyLoss => logarithms::compose_softmax_cross_entropy,
        Composite::Sum => |rewriter, node| elementwise::chain(rewriter, node, "Add"),
        Composite::TensorScatter => places::compose_tensor_scatter,
        Composite::Trilu => masks::compose_trilu,
        Composite::Upsample => resize::adapt_upsample,
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
            assert!(names.insert((operator.name, operator.first_output)), "{} twice", operator.name);
            assert!(find(operator.name).is_some(), "nothing gives the first output of {}", operator.name);
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
