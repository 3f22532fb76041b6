//! The table: every parameter that the manual knows. Reading, checking, defaults, messages, options of passes, settings and
//! `docs/configuration.md` come from here and nowhere else.
//!
//! A row gives the key, the Rust type, and what the manual says; the comment above it is its meaning in the documentation:
//!
//! ```text
//! /// The number of parallel jobs of the compiler.
//! JOBS: i64 = row(Group::Compiler, "jobs", integer(0, 4096)).default("16").supported();
//! ```
//!
//! The code that acts asks `configuration.get(&JOBS)`, or `input.get(&MEAN_VALUE)` for a parameter of inputs.

use super::keys::{
    BOOLEAN, CHANNEL_NUMBERS, DIRECTORY, FILE, InputKey, Key, List, MARCH_NAME, NEW_DIRECTORY, PREFIX, ParameterState,
    Row, SHAPE, Setting, Unread, Word, choice, choice_of, input_mapping, integer, number, parameters, row, structured,
    text, words,
};
use super::table::{Choice, Group, Parameter, ParameterPass, Required, not_yet, supported};
use super::{InputType, Layout};
use std::path::PathBuf;

words! {
    /// `remove_node_type`
    RemovableType {
        /// float32 to integers.
        Quantize = "Quantize",
        /// Another order of dimensions.
        Transpose = "Transpose",
        /// Integers to float32.
        Dequantize = "Dequantize",
        /// One element type to another.
        Cast = "Cast",
        /// The same elements in another shape.
        Reshape = "Reshape",
        /// The softmax of the output.
        Softmax = "Softmax",
    }

    /// `debug_mode`
    DebugMode { "dump_calibration_data" }

    /// `input_space_and_range`
    SpaceAndRange {
        /// 0 to 255.
        Regular = "regular",
        "bt601_video",
    }

    /// `norm_type`
    NormType {
        /// (data - mean) * scale
        MeanAndScale = "data_mean_and_scale",
        /// data - mean
        Mean = "data_mean",
        /// data * scale
        Scale = "data_scale",
        /// The data as it is.
        NoPreprocess = "no_preprocess",
    }

    /// `calibration_type`: how value ranges are found.
    CalibrationType {
        "default",
        "mix",
        "kl",
        /// The largest magnitude, or less so that the share `max_percentile` of the values is within it.
        Max = "max",
        /// Max over random data, for speed figures only.
        Skip = "skip",
    }

    /// `compile_mode`
    CompileMode {
        /// The time of an inference is made small.
        Latency = "latency",
        "bandwidth",
        "balance",
    }

    /// `optimize_level`
    OptimizeLevel {
        /// Compiles fastest.
        O0 = "O0",
        /// Between the two.
        O1 = "O1",
        /// Gives the fastest model.
        O2 = "O2",
    }

    /// `input_source`
    InputSource {
        /// Memory.
        Ddr = "ddr",
        "pyramid",
        "resizer",
    }
}

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

impl Word for InputType {
    const CHOICES: &'static [Choice] = TYPES_RT;

    fn named(word: &str) -> Option<Self> {
        Self::named(word)
    }

    fn word(self) -> &'static str {
        self.name()
    }
}

impl Word for Layout {
    const CHOICES: &'static [Choice] = &[supported("NHWC"), supported("NCHW")];

    fn named(word: &str) -> Option<Self> {
        Self::named(word)
    }

    fn word(self) -> &'static str {
        self.name()
    }
}

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

/// The pass that most parameters of inputs are options of.
const ASSIGN_PREPROCESSING: &str = crate::float::preprocessing::PASS_NAME;

parameters! {
    inputs {
        /// The inputs, in the order that all other parameters of inputs follow. May be left out or empty for a model with
        /// one input.
        INPUT_NAME: Option<String> = row(Group::Input, "input_name", text("names of the model's inputs"))
            .required(Required::ForSeveralInputs)
            .supported();

        /// The kind of data that the network was trained on.
        INPUT_TYPE_TRAIN: InputType = row(Group::Input, "input_type_train", choice_of(TYPES_TRAIN))
            .default("featuremap")
            .required(Required::Always)
            .sets(ASSIGN_PREPROCESSING, "input-type-train")
            .supported();

        /// The kind of data that the compiled model is given. The conversion to `input_type_train` becomes part of the
        /// model. Images are 8-bit, featuremap is float32.
        INPUT_TYPE_RT: InputType = row(Group::Input, "input_type_rt", choice_of(TYPES_RT))
            .default("featuremap")
            .required(Required::Always)
            .sets(ASSIGN_PREPROCESSING, "input-type-rt")
            .supported();

        /// The order of dimensions that the network was trained with.
        INPUT_LAYOUT_TRAIN: Layout = row(Group::Input, "input_layout_train", choice())
            .needed(Required::Always)
            .sets(ASSIGN_PREPROCESSING, "input-layout-train")
            .supported();

        /// The value range of nv12 data: regular is 0 to 255, bt601_video is 16 to 235 and needs `input_type_rt` nv12 and
        /// `input_type_train` rgb or bgr.
        INPUT_SPACE_AND_RANGE: SpaceAndRange = row(Group::Input, "input_space_and_range", choice()).default("regular");

        /// The shape of the model's input. Read from the model where it is left out; needed for dimensions that the model
        /// leaves open, except the first, which becomes 1. Sizes that the model fixes may be changed, too: all shapes are inferred
        /// anew, and a node that does not fit is named.
        INPUT_SHAPE: Option<Vec<u64>> = row(Group::Input, "input_shape", SHAPE).supported();

        /// The preprocessing that becomes part of the model: (data - `mean_value`) * `scale_value`, or a part of it. A
        /// featuremap that is not of rank 4 can only have no_preprocess.
        NORM_TYPE: NormType = row(Group::Input, "norm_type", choice()).default("no_preprocess").supported();

        /// What is subtracted from the data. Needed where `norm_type` says mean, 'None' for the other inputs.
        MEAN_VALUE: Option<Vec<f64>> = row(Group::Input, "mean_value", CHANNEL_NUMBERS)
            .sets(ASSIGN_PREPROCESSING, "mean-value")
            .supported();

        /// What the data is multiplied with. Needed where `norm_type` says scale, 'None' for the other inputs.
        SCALE_VALUE: Option<Vec<f64>> = row(Group::Input, "scale_value", CHANNEL_NUMBERS)
            .sets(ASSIGN_PREPROCESSING, "scale-value")
            .supported();

        /// A directory of calibration samples (.npy, float32, preprocessed as in training) for each input.
        CAL_DATA_DIR: Option<PathBuf> = row(Group::Calibration, "cal_data_dir", DIRECTORY)
            .only_with(&CALIBRATION_TYPE.parameter, &["default", "mix", "kl", "max"])
            .supported();
    }

    model {
        /// The structure of a Caffe model. Goes with `caffe_model`, excludes `onnx_model`.
        PROTOTXT: Option<PathBuf> = row(Group::Model, "prototxt", FILE).required(Required::ForCaffe);

        /// The weights of a Caffe model. Goes with `prototxt`, excludes `onnx_model`.
        CAFFE_MODEL: Option<PathBuf> = row(Group::Model, "caffe_model", FILE).required(Required::ForCaffe);

        /// The ONNX model. Excludes `caffe_model` and `prototxt`.
        ONNX_MODEL: PathBuf = row(Group::Model, "onnx_model", FILE).needed(Required::ForOnnx).supported();

        /// The target: 'nash-e' for the J6E processor, 'nash-m' for the J6M processor.
        MARCH: String = row(Group::Model, "march", MARCH_NAME)
            .needed(Required::Always)
            .sets(crate::driver::compile::BPU_TO_NASH, "march")
            .supported();

        /// What the names of all results start with.
        OUTPUT_MODEL_FILE_PREFIX: String = row(Group::Model, "output_model_file_prefix", PREFIX)
            .default("model")
            .supported();

        /// Where the results go. It is created where it does not exist.
        WORKING_DIR: PathBuf = row(Group::Model, "working_dir", NEW_DIRECTORY).default("model_output").supported();

        /// Whether the compiled model also gives the results of its inner layers, for debugging. Excludes the resizer as
        /// `input_source`.
        LAYER_OUT_DUMP: bool = row(Group::Model, "layer_out_dump", BOOLEAN).default("False");

        /// The nodes whose results are the outputs of the model, instead of its own outputs.
        OUTPUT_NODES: List<String> = row(Group::Model, "output_nodes", text("names of nodes")).list().supported();

        /// Nodes of these types are removed from the beginning and end of the compiled model, again and again until none is
        /// left there. Without Quantize or Dequantize an input or output is the integers; the model says their scales.
        REMOVE_NODE_TYPE: List<RemovableType> = row(Group::Model, "remove_node_type", choice()).list().supported();

        /// These nodes are removed from the beginning and end of the compiled model. The log lists what can be removed.
        /// Where it is given, `remove_node_type` is not used.
        REMOVE_NODE_NAME: List<String> = row(Group::Model, "remove_node_name", text("names of nodes")).list().supported();

        /// Keeps the calibration data as .npy for the accuracy tools.
        DEBUG_MODE: Option<DebugMode> = row(Group::Model, "debug_mode", choice());

        /// Per node: asks for the CPU or the BPU, and for int16 inputs or outputs.
        NODE_INFO: List<Unread> = row(
            Group::Model,
            "node_info",
            structured("`name:int16` items, or a mapping from node names to ON, InputType, InputType0.., OutputType"),
        )
        .list();

        /// The batch size of the compiled model. Only for a model with one input whose first dimension is 1. Calibration and the ONNX
        /// files keep one sample; each sample of the batch gives the bytes that it gives alone.
        INPUT_BATCH: i64 = row(Group::Input, "input_batch", integer(1, 4096))
            .default("1")
            .sets(crate::float::batch::PASS_NAME, "size")
            .supported();

        /// Whether each sample of a batch is an input of its own: instead of `x` there are `x_0`, `x_1`..
        SEPARATE_BATCH: bool = row(Group::Input, "separate_batch", BOOLEAN).default("False").supported();

        /// How value ranges are found. skip uses max on random data, to judge speed without having data: such a model's
        /// results mean nothing.
        CALIBRATION_TYPE: CalibrationType = row(Group::Calibration, "calibration_type", choice())
            .default("default")
            .supported();

        /// The part of the values that the range found by max shall cover. Usual: 0.99999, 0.99995, 0.9999,
        /// 0.9995, 0.999.
        MAX_PERCENTILE: f64 = row(Group::Calibration, "max_percentile", number(0.5, 1.0))
            .default("1.0")
            .only_with(&CALIBRATION_TYPE.parameter, &["max"])
            .supported();

        /// Whether each channel of a feature map has a range of its own. Not with `calibration_type` default or mix.
        PER_CHANNEL: bool = row(Group::Calibration, "per_channel", BOOLEAN).default("False");

        /// Ways to trade accuracy for speed.
        OPTIMIZATION: List<String> = row(
            Group::Calibration,
            "optimization",
            text(
                "set_model_output_int8, set_model_output_int16, set_{NodeKind}_input_int16, set_{NodeKind}_output_int16, \
                 set_Softmax_input_int8, set_Softmax_output_int8, asymmetric, bias_correction, lstm_batch_last",
            ),
        )
        .list();

        /// A JSON file that sets int8, int16 or float16 for the model, for kinds of nodes and for single nodes.
        QUANT_CONFIG: Option<PathBuf> = row(Group::Calibration, "quant_config", FILE);

        /// What is made small: the time of an inference, the bytes it moves, or a mixture by `balance_factor`.
        COMPILE_MODE: CompileMode = row(Group::Compiler, "compile_mode", choice()).default("latency");

        /// 0 is bandwidth, 100 is latency.
        BALANCE_FACTOR: Option<i64> = row(Group::Compiler, "balance_factor", integer(0, 100))
            .only_with(&COMPILE_MODE.parameter, &["balance"]);

        /// The number of cores that run the model.
        CORE_NUM: i64 = row(Group::Compiler, "core_num", integer(1, 1)).default("1");

        /// How hard the compiler tries: O0 compiles fastest, O2 gives the fastest model. There is one level yet, whatever
        /// is given.
        OPTIMIZE_LEVEL: OptimizeLevel = row(Group::Compiler, "optimize_level", choice()).default("O0").without_effect();

        /// Per input, where the board's data comes from: memory, or the camera's pyramid or resizer (nv12 and gray only).
        INPUT_SOURCE: Option<Vec<(String, InputSource)>> = row(Group::Compiler, "input_source", input_mapping())
            .automatic("ddr", "pyramid where `input_type_rt` is nv12 or gray, else ddr");

        /// The longest time in microseconds that the model runs without a chance for others, 0 (no limit) or at least
        /// 1000.
        MAX_TIME_PER_FC: i64 = row(Group::Compiler, "max_time_per_fc", integer(0, 4_294_967_295)).default("0");

        /// The number of parallel jobs of the compiler, at most the cores of this machine; 0 means all of them.
        JOBS: i64 = row(Group::Compiler, "jobs", integer(0, 4096)).default("16").only_how().supported();

        /// Reports operators that take this many microseconds longer than their theoretical time; 0 reports none.
        ADVICE: i64 = row(Group::Compiler, "advice", integer(0, i64::MAX)).default("0");
    }
}

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
    use super::super::table::{ParameterDefault, ParameterKind, Status};
    use super::super::values::default_of;
    use super::*;
    use crate::pipeline;
    use std::collections::BTreeSet;
    use std::path::Path;

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

    /// Where a parameter is a choice, a word is supported if and only if its type has a value of that name.
    #[test]
    fn supported_words_have_values() {
        for choice in TYPES_TRAIN.iter().chain(TYPES_RT) {
            assert_eq!(choice.status == Status::Supported, InputType::named(choice.word).is_some(), "{}", choice.word);
        }
        for choice in <Layout as Word>::CHOICES {
            assert_eq!(choice.status == Status::Supported, Layout::named(choice.word).is_some(), "{}", choice.word);
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_own_kind() {
        for parameter in PARAMETERS {
            let has_default = matches!(parameter.default, ParameterDefault::Value(_));
            assert_eq!(has_default, default_of(parameter, Path::new("")).is_some(), "{}", parameter.name);
        }
    }

    #[test]
    fn conditions_name_words_of_choices_of_one_value() {
        for condition in PARAMETERS.iter().filter_map(|parameter| parameter.condition) {
            assert!(matches!(condition.parameter.kind, ParameterKind::Choice(_)));
            for word in condition.words {
                assert!(condition.parameter.choices().iter().any(|choice| choice.word == *word), "{word}");
            }
        }
    }

    #[test]
    fn options_that_are_set_exist() {
        for set in PARAMETERS.iter().filter_map(|parameter| parameter.sets) {
            let passes = pipeline::passes().map(|pass| (pass.argument, pass.options));
            let mut known = passes.chain(pipeline::pipelines().map(|pipeline| (pipeline.argument, pipeline.options)));
            let (_, options) = known.find(|(name, _)| *name == set.pass).expect("a pass or a pipeline");
            assert!(options.iter().any(|option| option.name == set.option), "{} of {}", set.option, set.pass);
        }
    }
}
