//! Every layer of Caffe that the compiler reads, one row each: what types it goes by, what it reads and makes, and what becomes of it. The
//! fields of its parameters and their defaults stand in `caffe.proto`. Checks, messages and `docs/caffe-layers.md` work from these rows.

mod convolution;
mod detection;
mod elementwise;
mod layout;
mod normalization;
mod pooling;
mod prior_box;
mod product;
mod proposal;
mod recurrent;
mod reduction;
mod regions;

use super::builder::{Blob, LayerBuilder};
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

/// The tops of a layer, or what is wrong with it, for a person.
type Built = Result<Vec<Blob>, String>;

/// A type of layers.
pub struct LayerType {
    /// The type, then other words for it.
    pub names: &'static [&'static str],
    /// The message of its parameters; empty when it has none.
    pub parameters: &'static str,
    /// How many blobs it reads.
    pub bottoms: RangeInclusive<usize>,
    /// How many it makes.
    pub tops: RangeInclusive<usize>,
    /// What it computes, for the page of layers.
    pub summary: &'static str,
    /// What is not supported of it, for the page; the error says the same. Empty when it is all.
    pub limits: &'static str,
    /// Appends its nodes.
    pub build: fn(&mut LayerBuilder<'_>) -> Built,
}

/// As many as a layer may name.
const ANY: usize = usize::MAX;

/// A row; most layers read one blob and make one.
const fn row(
    names: &'static [&'static str],
    parameters: &'static str,
    summary: &'static str,
    build: fn(&mut LayerBuilder<'_>) -> Built,
) -> LayerType {
    LayerType { names, parameters, bottoms: 1..=1, tops: 1..=1, summary, limits: "", build }
}

impl LayerType {
    const fn bottoms(self, bottoms: RangeInclusive<usize>) -> Self {
        Self { bottoms, ..self }
    }

    const fn tops(self, tops: RangeInclusive<usize>) -> Self {
        Self { tops, ..self }
    }

    const fn limits(self, limits: &'static str) -> Self {
        Self { limits, ..self }
    }

    /// What the layer is called where one name is enough.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

/// All rows, by name.
pub static LAYERS: &[LayerType] = &[
    row(&["AbsVal"], "", "absolute value", elementwise::abs_val),
    row(
        &["ArgMax"],
        "argmax_param",
        "positions or values of the `top_k` largest, along `axis` or over a sample; of equal values the last one",
        reduction::arg_max,
    ),
    row(&["Axpy"], "", "`a * x + y` with one `a` per sample and channel (SENet)", elementwise::axpy).bottoms(3..=3),
    row(
        &["BatchNorm"],
        "batch_norm_param",
        "normalizes channels by mean and variance of the file, each divided by the scale factor; with `use_global_stats: false` by those \
         of the batch",
        normalization::batch_norm,
    ),
    row(&["Bias"], "bias_param", "plus a blob of the file or the second bottom", normalization::bias).bottoms(1..=2),
    row(&["BNLL"], "", "`ln(1 + exp(x))`", elementwise::bnll),
    row(&["Clip"], "clip_param", "between `min` and `max`", elementwise::clip),
    row(&["Concat"], "concat_param", "bottoms one behind the other along `axis`", layout::concat).bottoms(1..=ANY),
    row(
        &["Convolution"],
        "convolution_param",
        "convolution of each bottom with the same weights",
        convolution::convolution,
    )
    .bottoms(1..=ANY)
    .tops(1..=ANY)
    .limits("`axis` other than 1"),
    row(
        &["ConvolutionDepthwise", "DepthwiseConvolution"],
        "convolution_param",
        "convolution with one group per channel, whether `group` is given or not",
        convolution::depthwise,
    ),
    row(&["CReLU"], "crelu_param", "ReLU of `x` and of `-x`, one behind the other", elementwise::c_relu),
    row(&["Crop"], "crop_param", "the sizes of the second bottom from `axis` on, at `offset`", layout::crop).bottoms(2..=2),
    row(&["Deconvolution"], "convolution_param", "transposed convolution of each bottom", convolution::deconvolution)
        .bottoms(1..=ANY)
        .tops(1..=ANY)
        .limits("`axis` other than 1"),
    row(
        &["DeconvolutionDepthwise", "DepthwiseDeconvolution"],
        "convolution_param",
        "transposed convolution with one group per channel",
        convolution::depthwise_deconvolution,
    ),
    row(
        &["DetectionOutput"],
        "detection_output_param",
        "decodes boxes, suppresses those that overlap a better one of their class, keeps the best of each image (SSD): rows of image, \
         class, score and corners",
        detection::detection_output,
    )
    .bottoms(3..=3)
    .limits("`eta` other than 1; the further bottoms of RefineDet"),
    row(&["Dropout"], "dropout_param", "passes on", elementwise::identity),
    row(
        &["Eltwise"],
        "eltwise_param",
        "product, sum with coefficients, or maximum of bottoms of one shape",
        elementwise::eltwise,
    )
    .bottoms(2..=ANY),
    row(&["ELU"], "elu_param", "`x` above 0, otherwise `alpha * (exp(x) - 1)`", elementwise::elu),
    row(&["Exp"], "exp_param", "`base ^ (shift + scale * x)`", elementwise::exp),
    row(&["Flatten"], "flatten_param", "dimensions from `axis` to `end_axis` become one", layout::flatten),
    row(
        &["InnerProduct"],
        "inner_product_param",
        "all dimensions from `axis` on, times a matrix, plus a bias",
        product::inner_product,
    ),
    row(
        &["Interp"],
        "interp_param",
        "linear interpolation between the corners, after `pad_beg` and `pad_end` are cut off",
        layout::interp,
    )
    .limits("a size from a second bottom"),
    row(&["Log"], "log_param", "logarithm of `shift + scale * x` for a base", elementwise::log),
    row(
        &["LRN"],
        "lrn_param",
        "divides by a power of the squares of the channels beside, or of the pixels around",
        normalization::lrn,
    ),
    row(
        &["LSTM"],
        "recurrent_param",
        "long short-term memory, step by step, with `cont`, a bottom that stays the same, and `expose_hidden`",
        recurrent::lstm,
    )
    .bottoms(2..=5)
    .tops(1..=3)
    .limits("a state that stays from run to run: each begins with zeros"),
    row(&["MatMul"], "matmul_param", "product of the last two dimensions", product::mat_mul).bottoms(2..=2),
    row(&["Mish"], "", "`x * tanh(ln(1 + exp(x)))`", elementwise::mish),
    row(
        &["MVN"],
        "mvn_param",
        "mean 0, and deviation 1 with `normalize_variance`, of each channel or sample",
        normalization::mvn,
    ),
    row(
        &["Normalize"],
        "norm_param",
        "divides by the root of the sum of squares of each pixel or sample, times a blob of the file (SSD)",
        normalization::normalize,
    ),
    row(
        &["PassThrough"],
        "passthrough_param",
        "blocks of pixels become channels, ordered by row and column in the block, then by channel",
        layout::pass_through,
    ),
    row(&["Permute"], "permute_param", "dimensions in another order (SSD)", layout::permute),
    row(
        &["Pooling"],
        "pooling_param",
        "maximum or mean of windows; their number is rounded up, or down with `round_mode: FLOOR`; means divide by the window in the \
         padded data; the second top is the mask: where in its channel each maximum lies",
        pooling::pooling,
    )
    .tops(1..=2)
    .limits("`STOCHASTIC`"),
    row(&["Power"], "power_param", "`(shift + scale * x) ^ power`", elementwise::power),
    row(&["PReLU"], "prelu_param", "ReLU with a slope of the file below 0", elementwise::p_relu),
    row(&["PriorBox"], "prior_box_param", "the boxes that a detector starts from (SSD): a constant", prior_box::prior_box)
        .bottoms(2..=2),
    row(
        &["Proposal"],
        "proposal_param",
        "moves anchors, cuts them to the image, and keeps the best that do not overlap (Faster R-CNN)",
        proposal::proposal,
    )
    .bottoms(3..=3)
    .tops(1..=2)
    .limits("more than one image"),
    row(
        &["PSROIPooling"],
        "psroi_pooling_param",
        "means over the bins of regions, each bin of channels of its own (R-FCN)",
        regions::psroi_pooling,
    )
    .bottoms(2..=2),
    row(&["Reduction"], "reduction_param", "sum, sum of absolutes or squares, or mean from `axis` on", reduction::reduction),
    row(&["ReLU", "LeakyReLU"], "relu_param", "`max(x, 0)`, or `negative_slope * x` below 0", elementwise::relu),
    row(&["ReLU6"], "relu6_param", "between 0 and 6", elementwise::relu6),
    row(
        &["Reorg"],
        "reorg_param",
        "Darknet's reorg: the data as an image of other sizes, whose blocks become channels",
        layout::reorg,
    ),
    row(&["Reshape"], "reshape_param", "other sizes; 0 keeps one, -1 is what is left", layout::reshape),
    row(&["RNN"], "recurrent_param", "a simple recurrent layer, step by step, as LSTM", recurrent::rnn)
        .bottoms(2..=4)
        .tops(1..=2)
        .limits("a state that stays from run to run: each begins with zeros"),
    row(&["ROIPooling"], "roi_pooling_param", "maxima over the bins of regions (Fast R-CNN)", regions::roi_pooling)
        .bottoms(2..=2),
    row(
        &["Scale"],
        "scale_param",
        "times a blob of the file or the second bottom, plus a bias",
        normalization::scale,
    )
    .bottoms(1..=2),
    row(
        &["ShuffleChannel"],
        "shuffle_channel_param",
        "channels of groups one after the other become channels of all groups in turn",
        layout::shuffle_channel,
    ),
    row(&["Sigmoid"], "sigmoid_param", "`1 / (1 + exp(-x))`", elementwise::sigmoid),
    row(&["Silence"], "", "takes its bottoms", elementwise::silence).bottoms(1..=ANY).tops(0..=0),
    row(&["Slice"], "slice_param", "parts along `axis`, equal ones or between points", layout::slice).tops(1..=ANY),
    row(&["Softmax"], "softmax_param", "softmax along `axis`", normalization::softmax),
    row(&["Split"], "", "passes on to several tops", elementwise::identity).tops(1..=ANY),
    row(&["SPP"], "spp_param", "pooling of 2^i by 2^i windows for each level, as one vector", pooling::spp),
    row(&["Swish"], "swish_param", "`x * sigmoid(beta * x)`", elementwise::swish),
    row(&["TanH"], "tanh_param", "hyperbolic tangent", elementwise::tan_h),
    row(&["Threshold"], "threshold_param", "1 above the threshold, otherwise 0", elementwise::threshold),
    row(&["Tile"], "tile_param", "the bottom several times along `axis`", layout::tile),
    row(
        &["Upsample"],
        "upsample_param",
        "each pixel several times; with the mask of a Pooling as second bottom, each value at its place there, the rest 0 (SegNet)",
        layout::upsample,
    )
    .bottoms(1..=2),
];

/// The row of a type.
pub fn find(kind: &str) -> Option<&'static LayerType> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static LayerType>> =
        LazyLock::new(|| LAYERS.iter().flat_map(|layer| layer.names.iter().map(move |name| (*name, layer))).collect());
    BY_NAME.get(kind).copied()
}

/// The types of all rows.
pub fn types() -> impl Iterator<Item = &'static str> {
    LAYERS.iter().flat_map(|layer| layer.names.iter().copied())
}

/// What to do about a layer that only training has; none for others.
pub fn training(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "AnnotatedData" | "Data" | "DummyData" | "HDF5Data" | "ImageData" | "MemoryData" | "VideoData"
        | "WindowData" => {
            "it reads samples: put in its place layer { name: \"data\" type: \"Input\" top: \"data\" input_param { shape { dim: 1 dim: 3 \
             dim: HEIGHT dim: WIDTH } } }, with the sizes of a sample"
        }
        "SoftmaxWithLoss" => "it measures a loss: make it a layer of type Softmax with the first bottom only",
        "SigmoidCrossEntropyLoss" => "it measures a loss: make it a layer of type Sigmoid with the first bottom only",
        "MultiBoxLoss" => {
            "it measures a loss: take it away, and let layers Softmax and DetectionOutput follow what it reads, as the deploy network does"
        }
        "ContrastiveLoss"
        | "EuclideanLoss"
        | "HingeLoss"
        | "InfogainLoss"
        | "MultinomialLogisticLoss"
        | "SmoothL1Loss"
        | "CenterLoss"
        | "LabelSpecificMarginInnerProduct" => {
            "it measures a loss: take it away; what its first bottom holds is then the output"
        }
        "Accuracy" | "DetectionEvaluate" | "HDF5Output" => "it measures or writes results: take it away",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Kind, MESSAGES, Message};
    use super::*;

    #[test]
    fn rows_are_sorted_and_their_parameters_are_in_the_schema() {
        assert!(LAYERS.is_sorted_by_key(|layer| layer.name().to_lowercase()));
        let layer = MESSAGES.iter().find(|message| message.name == "LayerParameter").unwrap();
        for row in LAYERS {
            let field = layer.field(row.parameters);
            assert!(row.parameters.is_empty() || matches!(field.unwrap().kind, Kind::Message(_)), "{}", row.name());
            assert!(row.names.iter().all(|name| find(name).unwrap().name() == row.name() && training(name).is_none()));
        }
        assert!(Message::net().unwrap().field("layer").unwrap().repeated);
    }
}
