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
    BOOLEAN, CHANNEL_NUMBERS, COMMAND, DIRECTORY, FILE, InputKey, Key, List, MARCH_NAME, MODEL_INPUT_NAME,
    NEW_DIRECTORY, NODE_NAME, NODE_REQUESTS, OPTIMIZATION_WORD, PREFIX, ParameterState, QUANT_CONFIG_FILE, Row, SHAPE,
    Setting, Word, choice, choice_of, input_mapping, integer, integer_or_zero, number, parameters, row, words,
};
use super::node_info::NodeRequest;
use super::optimization::Optimization;
use super::quant_config::QuantConfig;
use super::table::{Choice, Group, Parameter, ParameterPass, Required, supported};
use super::{InputType, Layout, SpaceAndRange};
use crate::bpu::lower::border::Removable;
use std::path::PathBuf;

words! {
    /// `debug_mode`
    DebugMode {
        /// Keeps the samples that calibration saw.
        DumpCalibrationData = supported("dump_calibration_data"),
    }

    /// `cal_image_preprocessing`
    ImageFit {
        /// The image is resized until it covers the input, and the centre is cut out.
        CenterCrop = supported("center_crop"),
        /// The same at 8/7 of that size, as networks for ImageNet are used: 256 pixels for an input of 224.
        ImagenetCrop = supported("imagenet_crop"),
        /// The image is resized until it fits, and the rest is filled with grey (114).
        Letterbox = supported("letterbox"),
    }

    /// `ON` of `node_info`
    Processor {
        /// The host.
        Cpu = supported("CPU"),
        /// The accelerator.
        Bpu = supported("BPU"),
    }

    /// The types of `node_info`, `quant_config` and `optimization`.
    DataType {
        /// 8-bit integers.
        Int8 = supported("int8"),
        /// 16-bit integers.
        Int16 = supported("int16"),
        /// 16-bit real numbers, on the float engine.
        Float16 = supported("float16"),
    }

    /// `norm_type`
    NormType {
        /// (data - mean) * scale
        MeanAndScale = supported("data_mean_and_scale"),
        /// data - mean
        Mean = supported("data_mean"),
        /// data * scale
        Scale = supported("data_scale"),
        /// The data as it is.
        NoPreprocess = supported("no_preprocess"),
    }

    /// `calibration_type`: how value ranges are found.
    CalibrationType {
        /// Those of kl, max and others that keep the outputs best, on samples that had no part in choosing.
        Default = supported("default"),
        /// As default; values whose rounding costs the outputs most have the range, of any of these, that costs least.
        Mix = supported("mix"),
        /// The range that changes the distribution of values least.
        Kl = supported("kl"),
        /// The largest magnitude, or less so that the share `max_percentile` of the values is within it.
        Max = supported("max"),
        /// Max over random data, for speed figures only.
        Skip = supported("skip"),
    }

    /// `compile_mode`
    CompileMode {
        /// The time of an inference is made small.
        Latency = supported("latency"),
        /// The bytes that an inference moves are made few; time counts a hundredth.
        Bandwidth = supported("bandwidth"),
        /// A mixture of the two by `balance_factor`.
        Balance = supported("balance"),
    }

    /// `optimize_level`
    OptimizeLevel {
        /// Compiles fastest.
        O0 = supported("O0"),
        /// Between the two.
        O1 = supported("O1"),
        /// Gives the fastest model.
        O2 = supported("O2"),
    }

    /// `input_source`
    InputSource {
        /// Memory.
        Ddr = supported("ddr"),
        /// The levels of the camera's image.
        Pyramid = supported("pyramid"),
        /// A region of the camera's image, resized.
        Resizer = supported("resizer"),
    }
}

/// What `input_type_train` and `input_type_rt` may say; which pairs make sense is [`legal_input_types`].
const TYPES_TRAIN: &[Choice] = &[
    supported("rgb"),
    supported("bgr"),
    supported("yuv444"),
    supported("yuv444_128"),
    supported("gray"),
    supported("featuremap"),
];
const TYPES_RT: &[Choice] = &[
    supported("rgb"),
    supported("bgr"),
    supported("yuv444"),
    supported("yuv444_128"),
    supported("nv12"),
    supported("gray"),
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

impl Word for SpaceAndRange {
    const CHOICES: &'static [Choice] = &[supported("regular"), supported("bt601_video")];

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

impl Word for Removable {
    const CHOICES: &'static [Choice] = &[
        supported(Self::Quantize.name()),
        supported(Self::Transpose.name()),
        supported(Self::Dequantize.name()),
        supported(Self::Cast.name()),
        supported(Self::Reshape.name()),
        supported(Self::Softmax.name()),
    ];

    fn named(word: &str) -> Option<Self> {
        Self::named(word)
    }

    fn word(self) -> &'static str {
        self.name()
    }
}

/// Each `input_type_train` with the `input_type_rt` that can be turned into it.
pub fn legal_input_types() -> Vec<(&'static str, Vec<&'static str>)> {
    let types = || InputType::ALL.into_iter();
    let of = |train: InputType| types().filter(|given| given.becomes(train)).map(InputType::name).collect();
    let trained = TYPES_TRAIN.iter().filter_map(|choice| InputType::named(choice.word));
    trained.map(|train| (train.name(), of(train))).collect()
}

/// The `input_type_rt` that the camera's hardware gives as each `input_source` (manual, "input_source"). Memory gives all of them.
pub const LEGAL_INPUT_SOURCES: &[(&str, &[&str])] = &[("pyramid", &["nv12", "gray"]), ("resizer", &["nv12", "gray"])];

/// The release of the vendor's tool by whose public documents later parameters are known.
const LATER: &str = "3.5.16";
/// Where a release of the vendor's tool stands: the parameter is an extension of this project.
pub(super) const OWN: &str = "hb";

/// The pass that most parameters of inputs are options of.
const ASSIGN_PREPROCESSING: &str = crate::float::preprocessing::PASS_NAME;

parameters! {
    inputs {
        /// The inputs, in the order that all other parameters of inputs follow. May be left out or empty for a model with
        /// one input.
        INPUT_NAME: Option<String> = row(Group::Input, "input_name", MODEL_INPUT_NAME)
            .required(Required::ForSeveralInputs)
            .supported();

        /// The kind of data that the network was trained on.
        INPUT_TYPE_TRAIN: InputType = row(Group::Input, "input_type_train", choice_of(TYPES_TRAIN))
            .default("featuremap")
            .required(Required::Always)
            .sets(ASSIGN_PREPROCESSING, "input-type-train")
            .supported();

        /// The kind of data that the compiled model is given. The conversion to `input_type_train` becomes part of the
        /// model. Images are bytes, featuremap is float32; yuv444_128 is yuv444 minus 128 as int8, and so it is in
        /// `input_type_train`, where mean and scale are those of the values around 0.
        INPUT_TYPE_RT: InputType = row(Group::Input, "input_type_rt", choice_of(TYPES_RT))
            .default("featuremap")
            .required(Required::Always)
            .sets(ASSIGN_PREPROCESSING, "input-type-rt")
            .supported();

        /// The order of dimensions that the network was trained with.
        INPUT_LAYOUT_TRAIN: Layout = row(Group::Input, "input_layout_train", choice())
            .needed(Required::ForImages)
            .sets(ASSIGN_PREPROCESSING, "input-layout-train")
            .supported();

        /// The value range of nv12 data: regular is 0 to 255, bt601_video is 16 to 235 and needs `input_type_rt` nv12 and
        /// `input_type_train` rgb or bgr.
        INPUT_SPACE_AND_RANGE: SpaceAndRange = row(Group::Input, "input_space_and_range", choice())
            .default("regular")
            .sets(ASSIGN_PREPROCESSING, "input-space-and-range")
            .supported();

        /// The shape of the model's input. Read from the model where it is left out; needed for dimensions that the model
        /// leaves open, except the first, which becomes 1. Sizes that the model fixes may be changed, too: all shapes are inferred
        /// anew, and nodes that do not fit, or whose constant sizes do not follow, are named.
        INPUT_SHAPE: Option<Vec<u64>> = row(Group::Input, "input_shape", SHAPE).supported();

        /// The preprocessing that becomes part of the model: (data - `mean_value`) * `scale_value`, or a part of it. Where it
        /// is not given it follows from the numbers that are; one value holds for all inputs. A featuremap that is not of rank
        /// 4 can only have no_preprocess.
        NORM_TYPE: NormType = row(Group::Input, "norm_type", choice()).default("no_preprocess").supported();

        /// What is subtracted from the data. Needed where `norm_type` says mean, 'None' for the other inputs.
        MEAN_VALUE: Option<Vec<f64>> = row(Group::Input, "mean_value", CHANNEL_NUMBERS)
            .sets(ASSIGN_PREPROCESSING, "mean-value")
            .supported();

        /// What the data is multiplied with. Needed where `norm_type` says scale, 'None' for the other inputs.
        SCALE_VALUE: Option<Vec<f64>> = row(Group::Input, "scale_value", CHANNEL_NUMBERS)
            .sets(ASSIGN_PREPROCESSING, "scale-value")
            .supported();

        /// What the data is divided by: 1 / `scale_value`, which it excludes.
        STD_VALUE: Option<Vec<f64>> = row(Group::Input, "std_value", CHANNEL_NUMBERS)
            .stands_for(&SCALE_VALUE.parameter)
            .since(LATER)
            .supported();

        /// A directory of calibration samples for each input: .npy of any numeric type that the input takes without loss or raw files, preprocessed as in
        /// training, or images with `cal_image_preprocessing`.
        CAL_DATA_DIR: Option<PathBuf> = row(Group::Calibration, "cal_data_dir", DIRECTORY)
            .only_with(&CALIBRATION_TYPE.parameter, &["default", "mix", "kl", "max"])
            .supported();

        /// How images (JPEG, PNG) in `cal_data_dir` get the size of the input. The input's own `norm_type` follows. For
        /// rgb, bgr and gray in `input_type_train`.
        CAL_IMAGE_PREPROCESSING: Option<ImageFit> = row(Group::Calibration, "cal_image_preprocessing", choice())
            .only_with(&CALIBRATION_TYPE.parameter, &["default", "mix", "kl", "max"])
            .since(OWN)
            .supported();
    }

    model {
        /// The structure of a Caffe model. Goes with `caffe_model`, excludes `onnx_model`.
        PROTOTXT: Option<PathBuf> = row(Group::Model, "prototxt", FILE).required(Required::ForCaffe).supported();

        /// The weights of a Caffe model. Goes with `prototxt`, excludes `onnx_model`.
        CAFFE_MODEL: Option<PathBuf> =
            row(Group::Model, "caffe_model", FILE).required(Required::ForCaffe).supported();

        /// The ONNX model. Excludes `caffe_model` and `prototxt`.
        ONNX_MODEL: Option<PathBuf> = row(Group::Model, "onnx_model", FILE).required(Required::ForOnnx).supported();

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
        LAYER_OUT_DUMP: bool = row(Group::Model, "layer_out_dump", BOOLEAN).default("False").supported();

        /// The nodes whose results are the outputs of the model, instead of its own outputs.
        OUTPUT_NODES: List<String> = row(Group::Model, "output_nodes", NODE_NAME).list().supported();

        /// Nodes of these types are removed from the beginning and end of the compiled model, again and again until none is
        /// left there. Without Quantize or Dequantize an input or output is the integers; the model says their scales.
        REMOVE_NODE_TYPE: List<Removable> = row(Group::Model, "remove_node_type", choice()).list().supported();

        /// These nodes are removed from the beginning and end of the compiled model. The log lists what can be removed.
        /// Where it is given, `remove_node_type` is not used.
        REMOVE_NODE_NAME: List<String> = row(Group::Model, "remove_node_name", NODE_NAME).list().supported();

        /// Keeps the calibration data as .npy for the accuracy tools.
        DEBUG_MODE: Option<DebugMode> = row(Group::Model, "debug_mode", choice()).supported();

        /// Per node: asks for the CPU or the BPU, and for int8, int16 or float16 of inputs or outputs. `name:int16` asks for the outputs; `InputType1` of a layer is that
        /// of its weights. What the BPU has no form for is rolled back, and the log says why.
        NODE_INFO: List<NodeRequest> = row(Group::Model, "node_info", NODE_REQUESTS).list().supported();

        /// Nodes that shall run on the CPU. `node_info` says the same, and wins.
        RUN_ON_CPU: List<String> = row(Group::Model, "run_on_cpu", NODE_NAME)
            .list()
            .stands_for(&NODE_INFO.parameter)
            .since(LATER)
            .supported();

        /// Nodes that shall run on the BPU. `node_info` says the same, and wins.
        RUN_ON_BPU: List<String> = row(Group::Model, "run_on_bpu", NODE_NAME)
            .list()
            .stands_for(&NODE_INFO.parameter)
            .since(LATER)
            .supported();

        /// The batch size of the compiled model. Only for a model with one input whose first dimension is 1. Calibration and the ONNX
        /// files keep one sample; each sample of the batch gives the bytes that it gives alone.
        INPUT_BATCH: i64 = row(Group::Input, "input_batch", integer(1, 4096))
            .default("1")
            .sets(crate::float::batch::PASS_NAME, "size")
            .supported();

        /// Whether each sample of a batch is an input of its own: instead of `x` there are `x_0`, `x_1`..
        SEPARATE_BATCH: bool = row(Group::Input, "separate_batch", BOOLEAN).default("False").supported();

        /// How value ranges are found. kl and max are int8; default and mix may make activations int16, compute nodes in float16 and give weights 16 bits (`accuracy_target`). mix also chooses ranges value by value. skip uses max on random data, to judge speed without having data: such a model's
        /// results mean nothing.
        CALIBRATION_TYPE: CalibrationType = row(Group::Calibration, "calibration_type", choice())
            .default("default")
            .supported();

        /// The mean cosine that each output, and each part of it with a range of its own, shall keep with that of the float
        /// network, less its standard error, because other samples lose more than those that judge: as few weights and activations as reach it get 16 bits, and as few nodes float16. 0 keeps all of them int8.
        ACCURACY_TARGET: f64 = row(Group::Calibration, "accuracy_target", number(0.0, 1.0))
            .default("0.993")
            .only_with(&CALIBRATION_TYPE.parameter, &["default", "mix"])
            .since(OWN)
            .supported();

        /// A program that judges outputs in place of their cosine, such as `python judge.py`. Its last argument is a folder with `{output}/{index}.npy` and
        /// `samples.txt`, which names the files of each sample; the last line that it prints is a number, the larger the better. accuracy_target is
        /// the share of the float network's number then. Weights get no more bits than are asked for.
        ACCURACY_COMMAND: Option<String> = row(Group::Calibration, "accuracy_command", COMMAND)
            .only_with(&CALIBRATION_TYPE.parameter, &["default", "mix"])
            .since(OWN)
            .supported();

        /// How much slower int16 may make the network, in percent of the latency that is predicted with int8 alone; no limit when left out. With it weights get no more bits than are asked for.
        LATENCY_BUDGET: Option<f64> = row(Group::Calibration, "latency_budget", number(0.0, 10000.0))
            .only_with(&CALIBRATION_TYPE.parameter, &["default", "mix"])
            .since(OWN)
            .supported();

        /// The part of the values that the range found by max shall cover. Usual: 0.99999, 0.99995, 0.9999,
        /// 0.9995, 0.999.
        MAX_PERCENTILE: f64 = row(Group::Calibration, "max_percentile", number(0.5, 1.0))
            .default("1.0")
            .later("0 to 1")
            .only_with(&CALIBRATION_TYPE.parameter, &["max"])
            .supported();

        /// Whether each channel of a feature map has a range of its own. That is carried by weights, so it is done between two convolutions with nothing or a
        /// Relu between them; other feature maps keep one range, and the log says how many.
        PER_CHANNEL: bool = row(Group::Calibration, "per_channel", BOOLEAN)
            .default("False")
            .only_with(&CALIBRATION_TYPE.parameter, &["kl", "max", "skip"])
            .supported();

        /// Ways to trade accuracy for speed. A Softmax of int8 has int8 inputs and outputs, and is computed in between as ever. lstm_batch_last
        /// changes nothing: the batch of a recurrent layer always lies along the width.
        OPTIMIZATION: List<Optimization> = row(Group::Calibration, "optimization", OPTIMIZATION_WORD)
            .list()
            .supported();

        /// Types of inputs for the model, for kinds of nodes and for single nodes; the narrower level wins. A node of float16 runs on the VPU and
        /// its neighbours stay as they are. Of later releases `qtype`, `input0`.., `activation` and `weight` (`bias_correction`) of model_config are read; beside them a node may say `output`.
        /// `{prefix}_quant_config.json` gives the same types again.
        QUANT_CONFIG: Option<QuantConfig> = row(Group::Calibration, "quant_config", QUANT_CONFIG_FILE).supported();

        /// What is made small: the time of an inference, the bytes it moves, or a mixture by `balance_factor`.
        COMPILE_MODE: CompileMode = row(Group::Compiler, "compile_mode", choice())
            .default("latency")
            .sets(crate::driver::compile::BPU_TO_NASH, "compile-mode")
            .supported();

        /// 0 is bandwidth, 100 is latency; time never counts less than a hundredth.
        BALANCE_FACTOR: Option<i64> = row(Group::Compiler, "balance_factor", integer(0, 100))
            .only_with(&COMPILE_MODE.parameter, &["balance"])
            .sets(crate::driver::compile::BPU_TO_NASH, "balance-factor")
            .supported();

        /// The number of cores that run the model.
        CORE_NUM: i64 = row(Group::Compiler, "core_num", integer(1, 1)).default("1").supported();

        /// How hard the compiler tries. O0 compiles fastest: operators run one after the other, and loads ahead of them. O1 also computes
        /// groups of operators in stripes, where that is faster. O2 also tries changes of the groups. A higher level never gives a slower model.
        OPTIMIZE_LEVEL: OptimizeLevel = row(Group::Compiler, "optimize_level", choice())
            .default("O0")
            .later("the default is O2")
            .sets(crate::driver::compile::BPU_TO_NASH, "optimize-level")
            .supported();

        /// Per input, where the board's data comes from: memory, or the camera's pyramid or resizer (nv12 and gray only).
        /// Planes lie in memory as the pyramid writes them, so one model serves both. With the resizer the planes are a picture of any size up
        /// to 4096x4096, and an input more, `NAME_roi`, says which region of it becomes the image: int32 left, top, right, bottom in pixels,
        /// right and bottom the first beyond it.
        INPUT_SOURCE: Option<Vec<(String, InputSource)>> = row(Group::Compiler, "input_source", input_mapping())
            .automatic("pyramid where `input_type_rt` is nv12 or gray, else ddr")
            .supported();

        /// The longest time in microseconds that the model runs without a chance for others; 0 is no limit. The program is cut into function
        /// calls that each take no longer by prediction; what is needed on both sides of a cut is stored and loaded again, which takes time.
        MAX_TIME_PER_FC: i64 = row(Group::Compiler, "max_time_per_fc", integer_or_zero(1000, 4_294_967_295))
            .default("0")
            .later("at most 10000000")
            .sets(crate::driver::compile::BPU_TO_NASH, "max-time-per-fc")
            .supported();

        /// The number of parallel jobs of the compiler, at most the cores of this machine; 0 means all of them.
        JOBS: i64 = row(Group::Compiler, "jobs", integer(0, 4096)).default("16").only_how().supported();

        /// Reports operators that take this many microseconds longer than their theoretical time; 0 reports none.
        ADVICE: i64 = row(Group::Compiler, "advice", integer(0, i64::MAX)).default("0").supported();
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{ParameterDefault, ParameterKind};
    use super::super::values::default_of;
    use super::*;
    use crate::pipeline;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn names_are_unique_over_all_groups() {
        let names: BTreeSet<&str> = PARAMETERS.iter().map(|parameter| parameter.name).collect();
        assert_eq!(names.len(), PARAMETERS.len());
    }

    #[test]
    fn every_choice_has_a_partner() {
        let partners = legal_input_types();
        assert_eq!(partners.len(), TYPES_TRAIN.len());
        let is_given = |choice: &Choice| partners.iter().any(|(_, given)| given.contains(&choice.word));
        assert!(TYPES_RT.iter().all(is_given) && partners.iter().all(|(_, given)| !given.is_empty()));
        assert_eq!(<Removable as Word>::CHOICES.len(), Removable::ALL.len());
    }

    /// Where a parameter is a choice, its type has a value of each word.
    #[test]
    fn words_have_values() {
        for choice in TYPES_TRAIN.iter().chain(TYPES_RT) {
            assert!(InputType::named(choice.word).is_some(), "{}", choice.word);
        }
        for choice in <Layout as Word>::CHOICES {
            assert!(Layout::named(choice.word).is_some(), "{}", choice.word);
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
