//! The table: every parameter that the manual knows, in its order. Reading, checking, defaults, messages and
//! `docs/configuration.md` come from here and nowhere else.

use super::table::{Choice, DefaultValue, Group, Kind, Multiplicity, Parameter, Required, Status, not_yet, supported};

const NONE: DefaultValue = DefaultValue::None;

/// An optional parameter of one value that is not supported yet: what most rows start from.
const fn row(group: Group, name: &'static str, kind: Kind, default: DefaultValue, meaning: &'static str) -> Parameter {
    Parameter {
        group,
        name,
        kind,
        default,
        required: Required::Optional,
        multiplicity: Multiplicity::One,
        status: Status::NotYet,
        meaning,
    }
}

impl Parameter {
    const fn supported(self) -> Self {
        Self { status: Status::Supported, ..self }
    }

    const fn required(self, required: Required) -> Self {
        Self { required, ..self }
    }

    const fn per_input(self) -> Self {
        Self { multiplicity: Multiplicity::PerInput, ..self }
    }

    const fn list(self) -> Self {
        Self { multiplicity: Multiplicity::List, ..self }
    }
}

const fn value(text: &'static str) -> DefaultValue {
    DefaultValue::Value(text)
}

const REMOVABLE_TYPES: &[Choice] = &[
    not_yet("Quantize"),
    not_yet("Transpose"),
    not_yet("Dequantize"),
    not_yet("Cast"),
    not_yet("Reshape"),
    not_yet("Softmax"),
];

/// What `input_type_train` and `input_type_rt` may say; which pairs make sense is [`LEGAL_INPUT_TYPES`].
const TYPES_TRAIN: &[Choice] = &[
    supported("rgb"),
    supported("bgr"),
    not_yet("yuv444"),
    not_yet("yuv444_128"),
    not_yet("gray"),
    supported("featuremap"),
];
const TYPES_RT: &[Choice] = &[
    supported("rgb"),
    supported("bgr"),
    not_yet("yuv444"),
    not_yet("yuv444_128"),
    not_yet("nv12"),
    not_yet("gray"),
    supported("featuremap"),
];

/// `input_type_train` and the `input_type_rt` that can be turned into it (manual, "input_type_rt/input_type_train
/// additional description"; the yuv444_128 entries are those of later releases of the vendor's tool).
pub const LEGAL_INPUT_TYPES: &[(&str, &[&str])] = &[
    ("rgb", &["rgb", "bgr", "nv12", "yuv444", "yuv444_128"]),
    ("bgr", &["bgr", "rgb", "nv12", "yuv444", "yuv444_128"]),
    ("yuv444", &["yuv444", "nv12", "yuv444_128"]),
    ("yuv444_128", &["yuv444_128"]),
    ("gray", &["gray"]),
    ("featuremap", &["featuremap"]),
];

/// Every parameter of the manual.
pub const PARAMETERS: &[Parameter] = &[
    // model_parameters
    row(
        Group::Model,
        "prototxt",
        Kind::File,
        NONE,
        "The structure of a Caffe model. Goes with `caffe_model`, excludes `onnx_model`.",
    )
    .required(Required::ForCaffe),
    row(
        Group::Model,
        "caffe_model",
        Kind::File,
        NONE,
        "The weights of a Caffe model. Goes with `prototxt`, excludes `onnx_model`.",
    )
    .required(Required::ForCaffe),
    row(Group::Model, "onnx_model", Kind::File, NONE, "The ONNX model. Excludes `caffe_model` and `prototxt`.")
        .required(Required::ForOnnx)
        .supported(),
    row(
        Group::Model,
        "march",
        Kind::March,
        NONE,
        "The target: 'nash-e' for the J6E processor, 'nash-m' for the J6M processor.",
    )
    .required(Required::Always)
    .supported(),
    row(
        Group::Model,
        "output_model_file_prefix",
        Kind::Text("a file name without its ending"),
        value("model"),
        "What the names of all results start with.",
    )
    .supported(),
    row(
        Group::Model,
        "working_dir",
        Kind::Text("path of a directory"),
        value("model_output"),
        "Where the results go. It is created where it does not exist.",
    )
    .supported(),
    row(
        Group::Model,
        "layer_out_dump",
        Kind::Boolean,
        value("False"),
        "Whether the compiled model also gives the results of its inner layers, for debugging. Excludes the resizer as \
         `input_source`.",
    ),
    row(
        Group::Model,
        "output_nodes",
        Kind::Text("names of nodes"),
        NONE,
        "The nodes whose results are the outputs of the model, instead of its own outputs.",
    )
    .list(),
    row(
        Group::Model,
        "remove_node_type",
        Kind::Choice(REMOVABLE_TYPES),
        NONE,
        "Nodes of these types are removed from the beginning and end of the model, again and again until none is left \
         there.",
    )
    .list(),
    row(
        Group::Model,
        "remove_node_name",
        Kind::Text("names of nodes"),
        NONE,
        "These nodes are removed from the beginning and end of the model.",
    )
    .list(),
    row(
        Group::Model,
        "debug_mode",
        Kind::Choice(&[not_yet("dump_calibration_data")]),
        NONE,
        "Keeps the calibration data as .npy for the accuracy tools.",
    ),
    row(
        Group::Model,
        "node_info",
        Kind::Structured("`name:int16` items, or a mapping from node names to ON, InputType, InputType0.., OutputType"),
        NONE,
        "Per node: asks for the CPU or the BPU, and for int16 inputs or outputs.",
    )
    .list(),
    // input_parameters
    row(
        Group::Input,
        "input_name",
        Kind::Text("names of the model's inputs"),
        NONE,
        "The inputs, in the order that all other parameters of inputs follow. May be left out or empty for a model with \
         one input.",
    )
    .required(Required::ForSeveralInputs)
    .per_input()
    .supported(),
    row(
        Group::Input,
        "input_type_train",
        Kind::Choice(TYPES_TRAIN),
        value("featuremap"),
        "The kind of data that the network was trained on.",
    )
    .required(Required::Always)
    .per_input()
    .supported(),
    row(
        Group::Input,
        "input_type_rt",
        Kind::Choice(TYPES_RT),
        value("featuremap"),
        "The kind of data that the compiled model is given. The conversion to `input_type_train` becomes part of the \
         model. Images are 8-bit, featuremap is float32.",
    )
    .required(Required::Always)
    .per_input()
    .supported(),
    row(
        Group::Input,
        "input_layout_train",
        Kind::Choice(&[supported("NHWC"), supported("NCHW")]),
        NONE,
        "The order of dimensions that the network was trained with.",
    )
    .required(Required::Always)
    .per_input()
    .supported(),
    row(
        Group::Input,
        "input_space_and_range",
        Kind::Choice(&[supported("regular"), not_yet("bt601_video")]),
        value("regular"),
        "The value range of nv12 data: regular is 0 to 255, bt601_video is 16 to 235 and needs `input_type_rt` nv12 and \
         `input_type_train` rgb or bgr.",
    )
    .per_input(),
    row(
        Group::Input,
        "input_shape",
        Kind::Shape,
        NONE,
        "The shape of the model's input. Read from the model where it is left out; needed for dimensions that the model \
         leaves open, except the first, which becomes 1.",
    )
    .per_input()
    .supported(),
    row(
        Group::Input,
        "input_batch",
        Kind::Integer { least: 1, most: 4096 },
        value("1"),
        "The batch size of the compiled model. Only for a model with one input whose first dimension is 1.",
    ),
    row(
        Group::Input,
        "separate_batch",
        Kind::Boolean,
        value("False"),
        "Whether each sample of a batch is an input of its own.",
    ),
    row(
        Group::Input,
        "norm_type",
        Kind::Choice(&[
            supported("data_mean_and_scale"),
            supported("data_mean"),
            supported("data_scale"),
            supported("no_preprocess"),
        ]),
        value("no_preprocess"),
        "The preprocessing that becomes part of the model: (data - `mean_value`) * `scale_value`, or a part of it. A \
         featuremap that is not of rank 4 can only have no_preprocess.",
    )
    .per_input()
    .supported(),
    row(
        Group::Input,
        "mean_value",
        Kind::ChannelNumbers,
        NONE,
        "What is subtracted from the data. Needed where `norm_type` says mean, 'None' for the other inputs.",
    )
    .per_input()
    .supported(),
    row(
        Group::Input,
        "scale_value",
        Kind::ChannelNumbers,
        NONE,
        "What the data is multiplied with. Needed where `norm_type` says scale, 'None' for the other inputs.",
    )
    .per_input()
    .supported(),
    // calibration_parameters
    row(
        Group::Calibration,
        "cal_data_dir",
        Kind::Directory,
        NONE,
        "A directory of calibration samples (.npy, float32, preprocessed as in training) for each input. Needed unless \
         `calibration_type` is skip.",
    )
    .per_input()
    .supported(),
    row(
        Group::Calibration,
        "calibration_type",
        Kind::Choice(&[not_yet("default"), not_yet("mix"), not_yet("kl"), supported("max"), supported("skip")]),
        value("default"),
        "How value ranges are found. skip uses max on random data, to judge speed without having data: such a model's \
         results mean nothing.",
    )
    .supported(),
    row(
        Group::Calibration,
        "max_percentile",
        Kind::Number { least: 0.5, most: 1.0 },
        value("1.0"),
        "The part of the values that the range found by max shall cover. Only with `calibration_type` max. Usual: \
         0.99999, 0.99995, 0.9999, 0.9995, 0.999.",
    )
    .supported(),
    row(
        Group::Calibration,
        "per_channel",
        Kind::Boolean,
        value("False"),
        "Whether each channel of a feature map has a range of its own. Not with `calibration_type` default or mix.",
    ),
    row(
        Group::Calibration,
        "optimization",
        Kind::Text(
            "set_model_output_int8, set_model_output_int16, set_{NodeKind}_input_int16, set_{NodeKind}_output_int16, \
             set_Softmax_input_int8, set_Softmax_output_int8, asymmetric, bias_correction, lstm_batch_last",
        ),
        NONE,
        "Ways to trade accuracy for speed.",
    )
    .list(),
    row(
        Group::Calibration,
        "quant_config",
        Kind::File,
        NONE,
        "A JSON file that sets int8, int16 or float16 for the model, for kinds of nodes and for single nodes.",
    ),
    // compiler_parameters
    row(
        Group::Compiler,
        "compile_mode",
        Kind::Choice(&[supported("latency"), not_yet("bandwidth"), not_yet("balance")]),
        value("latency"),
        "What is made small: the time of an inference, the bytes it moves, or a mixture by `balance_factor`.",
    ),
    row(
        Group::Compiler,
        "balance_factor",
        Kind::Integer { least: 0, most: 100 },
        NONE,
        "With `compile_mode` balance: 0 is bandwidth, 100 is latency. Without effect in the other modes.",
    ),
    row(
        Group::Compiler,
        "core_num",
        Kind::Integer { least: 1, most: 1 },
        value("1"),
        "The number of cores that run the model.",
    ),
    row(
        Group::Compiler,
        "optimize_level",
        Kind::Choice(&[supported("O0"), supported("O1"), supported("O2")]),
        value("O0"),
        "How hard the compiler tries: O0 compiles fastest, O2 gives the fastest model.",
    )
    .supported(),
    row(
        Group::Compiler,
        "input_source",
        Kind::InputMapping(&[supported("ddr"), not_yet("pyramid"), not_yet("resizer")]),
        DefaultValue::Automatic {
            accepted: "ddr",
            rule: "pyramid where `input_type_rt` is nv12 or gray, else ddr",
        },
        "Per input, where the board's data comes from: memory, or the camera's pyramid or resizer (nv12 and gray only).",
    ),
    row(
        Group::Compiler,
        "max_time_per_fc",
        Kind::Integer { least: 0, most: 4_294_967_295 },
        value("0"),
        "The longest time in microseconds that the model runs without a chance for others, 0 (no limit) or at least \
         1000.",
    ),
    row(
        Group::Compiler,
        "jobs",
        Kind::Integer { least: 0, most: 4096 },
        value("16"),
        "The number of parallel jobs of the compiler, at most the cores of this machine; 0 means all of them.",
    )
    .supported(),
    row(
        Group::Compiler,
        "advice",
        Kind::Integer { least: 0, most: i64::MAX },
        value("0"),
        "Reports operators that take this many microseconds longer than their theoretical time; 0 reports none.",
    ),
];

/// Parameters that only later releases of the vendor's tool have. They get a better message than a name nobody knows.
pub const LATER_NAMES: &[&str] = &[
    "std_value",
    "separate_name",
    "run_on_cpu",
    "run_on_bpu",
    "enable_vpu",
    "enable_spu",
    "debug",
    "cache_mode",
    "cache_path",
    "max_l2m_size",
    "ability_entry",
    "extra_params",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_over_all_groups() {
        let names: BTreeSet<&str> = PARAMETERS.iter().map(|parameter| parameter.name).collect();
        assert_eq!(names.len(), PARAMETERS.len());
        assert!(LATER_NAMES.iter().all(|name| !names.contains(name)));
    }

    #[test]
    fn legal_types_are_types() {
        let is = |choices: &[Choice], word: &str| choices.iter().any(|choice| choice.word == word);
        for (train, runtime) in LEGAL_INPUT_TYPES {
            assert!(is(TYPES_TRAIN, train));
            assert!(runtime.iter().all(|word| is(TYPES_RT, word)));
        }
        assert_eq!(LEGAL_INPUT_TYPES.len(), TYPES_TRAIN.len());
    }
}
