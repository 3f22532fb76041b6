//! fast-perf mode and the check of a model: a configuration made from a model and a few options, written as a file and read through the
//! same table.

use super::input_guess::InputGuess;
use super::keys::{Word, joined};
use super::model_check::{ModelInput, declared_shape, static_shape};
use super::parameters::{
    CAFFE_MODEL, CALIBRATION_TYPE, COMPILE_MODE, CORE_NUM, CalibrationType, CompileMode, INPUT_LAYOUT_TRAIN,
    INPUT_NAME, INPUT_SHAPE, INPUT_TYPE_RT, INPUT_TYPE_TRAIN, JOBS, MARCH, NORM_TYPE, NormType, ONNX_MODEL,
    OPTIMIZE_LEVEL, OUTPUT_MODEL_FILE_PREFIX, OptimizeLevel, PROTOTXT, REMOVE_NODE_TYPE, WORKING_DIR,
};
use super::table::{Group, Parameter};
use super::values::{NOTHING, shape_of};
use crate::frontend::ModelFiles;
use crate::wording::suggestion;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What a model is compiled for with built-in settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To see how fast it can be: fast-perf mode.
    Speed,
    /// To see whether it compiles, and what runs where: quickly, with inputs as the model has them.
    Check,
}

impl Purpose {
    /// Where the configuration and the results go, below the current directory.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Speed => ".fast_perf",
            Self::Check => ".hb_compile",
        }
    }

    /// How a message begins.
    pub fn name(self) -> &'static str {
        match self {
            Self::Speed => "fast-perf",
            Self::Check => "check",
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::Speed => "hb_compile --fast-perf",
            Self::Check => "the check of hb_compile --model",
        }
    }

    fn optimize_level(self) -> OptimizeLevel {
        match self {
            Self::Speed => OptimizeLevel::O2,
            Self::Check => OptimizeLevel::O0,
        }
    }
}

/// What the options of fast-perf mode and of the check say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastPerf {
    /// What for.
    pub purpose: Purpose,
    /// The ONNX or Caffe model, each file absolute or relative to where the program runs.
    pub files: ModelFiles,
    /// The target.
    pub march: String,
    /// Names and shapes of `--input-shape`, as given.
    pub shapes: Vec<(String, String)>,
    /// `--core-num`.
    pub core_num: Option<i64>,
}

/// Why no configuration can be made from the options.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum FastPerfError {
    #[error("--input-shape: the model has no input '{name}'; {remedy}")]
    UnknownInput { name: String, remedy: String },
    #[error("--input-shape {name}: {shape} has another number of sizes than the model's {declared}; give as many")]
    Rank { name: String, shape: String, declared: String },
    #[error("--input-shape: '{0}' is given twice; give each input once")]
    Twice(String),
    /// Inputs with their shapes, and the options that give these; `?` for each size that is open.
    #[error("the model leaves sizes of {inputs} open; add {options} with a number in place of each ?")]
    Open { inputs: String, options: String },
    #[error(
        "the name of input '{0}' holds a sign that separates names or lines, or begins or ends with a blank, which configurations cannot express; \
         rename it in the model"
    )]
    Inexpressible(String),
    #[error("the path '{0}' is not UTF-8, so it cannot be written into a configuration; rename it")]
    Path(PathBuf),
    #[error("the model has no inputs, so there is nothing to run")]
    NoInputs,
}

/// The text of the configuration, as a file in a folder of the current directory (so a model gets a `../` in front if it
/// is relative). Results go to that folder.
pub fn configuration_text(options: &FastPerf, inputs: &[ModelInput]) -> Result<String, FastPerfError> {
    let from_folder = |path: &PathBuf| if path.is_absolute() { path.clone() } else { Path::new("..").join(path) };
    let files =
        ModelFiles { model: from_folder(&options.files.model), proto: options.files.proto.as_ref().map(from_folder) };
    let model_settings = model_settings(&files, inputs)?;
    let shapes = shapes(options, inputs)?;
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let guesses: Vec<InputGuess> =
        inputs.iter().zip(&shapes).map(|(input, shape)| options.guess(input, shape)).collect();
    let each = |word: &dyn Fn(&InputGuess) -> &'static str| guesses.iter().map(word).collect::<Vec<_>>().join("; ");
    let mut settings = model_settings;
    let built_in: [(&Parameter, String); 13] = [
        (&MARCH, options.march.clone()),
        (&OUTPUT_MODEL_FILE_PREFIX, prefix(&options.files.model)),
        (&WORKING_DIR, ".".to_owned()),
        (&INPUT_NAME, names.join("; ")),
        (&INPUT_SHAPE, shapes.join("; ")),
        (&INPUT_TYPE_TRAIN, each(&|guess| guess.train.word())),
        (&INPUT_TYPE_RT, each(&|guess| guess.runtime.word())),
        (&INPUT_LAYOUT_TRAIN, each(&|guess| guess.layout.word())),
        (&NORM_TYPE, each(&|_| NormType::NoPreprocess.word())),
        (&CALIBRATION_TYPE, CalibrationType::Skip.word().to_owned()),
        (&COMPILE_MODE, CompileMode::Latency.word().to_owned()),
        (&OPTIMIZE_LEVEL, options.purpose.optimize_level().word().to_owned()),
        (&JOBS, "0".to_owned()),
    ];
    settings.extend(built_in);
    if options.purpose == Purpose::Speed {
        settings.push((&REMOVE_NODE_TYPE, REMOVE_NODE_TYPE.usable_words().join(";")));
    }
    settings.extend(options.core_num.map(|cores| (&*CORE_NUM, cores.to_string())));
    let mut text =
        format!("# Written by {}; it may be copied, changed, and used with --config.\n", options.purpose.command());
    for group in Group::ALL {
        let _ = writeln!(text, "{}:", group.name());
        for (parameter, value) in settings.iter().filter(|(parameter, _)| parameter.group == group) {
            let _ = writeln!(text, "  {}: {}", parameter.name, quoted(value));
        }
    }
    Ok(text)
}

/// What a configuration says of the files of a model.
///
/// # Errors
/// When it cannot say what the model is: its paths, its inputs.
pub(super) fn model_settings(
    files: &ModelFiles,
    inputs: &[ModelInput],
) -> Result<Vec<(&'static Parameter, String)>, FastPerfError> {
    if inputs.is_empty() {
        return Err(FastPerfError::NoInputs);
    }
    let separates = |input: &&ModelInput| {
        let name = &input.name;
        name.contains([';', '；', '，']) || name.trim() != name || name.contains(char::is_control)
    };
    if let Some(input) = inputs.iter().find(separates) {
        return Err(FastPerfError::Inexpressible(input.name.clone()));
    }
    let text = |path: &PathBuf| path.to_str().map(str::to_owned).ok_or_else(|| FastPerfError::Path(path.clone()));
    Ok(match &files.proto {
        Some(proto) => vec![(&*PROTOTXT, text(proto)?), (&*CAFFE_MODEL, text(&files.model)?)],
        None => vec![(&*ONNX_MODEL, text(&files.model)?)],
    })
}

/// A shape as an item of input_shape. An input without dimensions has none to give, and an empty item would be none.
pub(super) fn shape_item(shape: &[u64]) -> String {
    if shape.is_empty() { NOTHING.to_owned() } else { joined(shape) }
}

/// A YAML scalar that is read back as this very text. Numbers in quotes are numbers to our reader.
pub(super) fn quoted(text: &str) -> String {
    // JSON strings are YAML's double-quoted scalars, with every control character escaped.
    serde_json::Value::from(text).to_string()
}

pub(super) fn prefix(model: &Path) -> String {
    let stem = model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut prefix = String::new();
    for character in stem.trim_start_matches('.').chars() {
        let safe = if character.is_control() || character == '\\' { '_' } else { character };
        if prefix.len() + safe.len_utf8() > 200 {
            break;
        }
        prefix.push(safe);
    }
    if prefix.trim().is_empty() { "model".to_owned() } else { prefix }
}

impl FastPerf {
    /// What an input of this shape is taken for. The check leaves inputs as the model has them.
    fn guess(&self, input: &ModelInput, shape: &str) -> InputGuess {
        match self.purpose {
            Purpose::Speed => {
                let shape = shape_of(shape).into_iter().flatten().map(Some).collect();
                InputGuess::of(&ModelInput { shape, ..input.clone() })
            }
            Purpose::Check => InputGuess::FEATUREMAP,
        }
    }
}

fn shapes(options: &FastPerf, inputs: &[ModelInput]) -> Result<Vec<String>, FastPerfError> {
    for (index, (name, shape)) in options.shapes.iter().enumerate() {
        if options.shapes.iter().take(index).any(|(known, _)| known == name) {
            return Err(FastPerfError::Twice(name.clone()));
        }
        let known = || inputs.iter().map(|input| input.name.as_str());
        let Some(input) = inputs.iter().find(|input| input.name == *name) else {
            let all = format!("its inputs are {}", known().collect::<Vec<_>>().join(", "));
            return Err(FastPerfError::UnknownInput { name: name.clone(), remedy: suggestion(name, known(), &all) });
        };
        // One without dimensions has another answer.
        let fits = input.shape.is_empty() || shape_of(shape).is_none_or(|sizes| sizes.len() == input.shape.len());
        if !fits {
            let (name, shape, declared) = (name.clone(), shape.clone(), declared_shape(&input.shape));
            return Err(FastPerfError::Rank { name, shape, declared });
        }
    }
    let given = |input: &ModelInput| options.shapes.iter().find(|(name, _)| *name == input.name);
    let open: Vec<&ModelInput> =
        inputs.iter().filter(|input| given(input).is_none() && static_shape(&input.shape).is_err()).collect();
    if !open.is_empty() {
        return Err(open_sizes(&open));
    }
    let shape = |input: &ModelInput| match given(input) {
        Some((_, shape)) => shape.clone(),
        None => shape_item(&static_shape(&input.shape).unwrap_or_default()),
    };
    Ok(inputs.iter().map(shape).collect())
}

/// What to write for inputs of which the model leaves sizes open that do not become 1 by themselves.
fn open_sizes(inputs: &[&ModelInput]) -> FastPerfError {
    let shown = |input: &&ModelInput| format!("input '{}' ({})", input.name, declared_shape(&input.shape));
    let option = |input: &&ModelInput| {
        let mut shape: Vec<_> = input.shape.iter().map(|size| size.filter(|size| *size > 0)).collect();
        if let Some(first @ None) = shape.first_mut() {
            *first = Some(1);
        }
        format!("--input-shape {} {}", input.name, declared_shape(&shape))
    };
    let listed = |text: &dyn Fn(&&ModelInput) -> String, between: &str| {
        inputs.iter().map(text).collect::<Vec<_>>().join(between)
    };
    FastPerfError::Open { inputs: listed(&shown, ", "), options: listed(&option, " ") }
}
