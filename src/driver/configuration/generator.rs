//! Configuration files that `hb_config_generator` writes: from the table, filled from a model.

use super::input_guess::InputGuess;
use super::keys::Word;
use super::model_check::{ModelInput, declared_shape, static_shape};
use super::parameters::{
    CAL_DATA_DIR, CAL_IMAGE_PREPROCESSING, CALIBRATION_TYPE, CalibrationType, INPUT_LAYOUT_TRAIN, INPUT_NAME,
    INPUT_SHAPE, INPUT_TYPE_RT, INPUT_TYPE_TRAIN, MARCH, MEAN_VALUE, NORM_TYPE, ONNX_MODEL, OPTIMIZE_LEVEL,
    OUTPUT_MODEL_FILE_PREFIX, OptimizeLevel, SCALE_VALUE, WORKING_DIR,
};
use super::table::{Group, Parameter, ParameterDefault, Status};
use super::values::NOTHING;
use super::{FastPerfError, Layout, documentation, fast_perf};
use crate::files::file_names;
use crate::frontend::ModelFiles;
use std::fmt::Write;

/// How much a generated file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigurationExtent {
    /// What must be given, and what nearly everyone gives.
    Simple,
    /// Every parameter, with its explanation.
    Full,
}

impl ConfigurationExtent {
    /// The file, as in the vendor's tool.
    pub fn file(self) -> &'static str {
        match self {
            Self::Simple => "simple_compile_config.yaml",
            Self::Full => "full_compile_config.yaml",
        }
    }
}

/// What the model cannot tell of images, beside the parameters that are guessed or left out in the simple form: a value for each image where there
/// is one, what stands for other inputs, and a note. The numbers are in the order of the type that is guessed.
static HINTS: [Hint; 5] = [
    Hint {
        parameter: &INPUT_TYPE_TRAIN.parameter,
        values: None,
        note: "guessed: rgb or bgr, as the network was trained",
    },
    Hint {
        parameter: &NORM_TYPE.parameter,
        values: Some(("data_mean_and_scale", "no_preprocess")),
        note: "what is done with the numbers below; no_preprocess: nothing",
    },
    Hint {
        parameter: &MEAN_VALUE.parameter,
        values: Some(("103.53 116.28 123.675", NOTHING)),
        note: "per channel, in the order of input_type_train, on pixels of 0 to 255",
    },
    Hint {
        parameter: &SCALE_VALUE.parameter,
        values: Some(("0.01742919 0.017507 0.01712475", NOTHING)),
        note: "1 / standard deviation, in the same order",
    },
    Hint {
        parameter: &CAL_IMAGE_PREPROCESSING.parameter,
        values: Some(("center_crop", NOTHING)),
        note: "if the samples are JPEG or PNG",
    },
];

/// See [`HINTS`].
struct Hint {
    parameter: &'static Parameter,
    values: Option<(&'static str, &'static str)>,
    note: &'static str,
}

impl Hint {
    /// What stands behind the name of the parameter, for inputs of which these are images.
    fn text(&self, is_image: &[bool]) -> String {
        let Some((image, other)) = self.values else { return self.note.to_owned() };
        let values: Vec<&str> = is_image.iter().map(|is_image| if *is_image { image } else { other }).collect();
        format!("'{}'  # {}", values.join("; "), self.note)
    }
}

/// The text of a configuration. `model` are the files of a network, counted from where the text will be, with its inputs; where it is not
/// given, what it would say is left to be filled in.
///
/// # Errors
/// What stands in the way of a file that says what the model is: a path that is not UTF-8, a name of an input with a `;`, no input.
pub fn generated(
    extent: ConfigurationExtent,
    model: Option<(&ModelFiles, &[ModelInput])>,
    march: &str,
) -> Result<String, FastPerfError> {
    let values = values(model, march)?;
    let mut text = format!(
        "# A configuration of hb_compile ({} form). hb_compile --help-config explains every parameter.\n\
         # Correct what the model cannot tell: the kind of its input data, its preprocessing, the calibration samples.\n",
        match extent {
            ConfigurationExtent::Simple => "simple",
            ConfigurationExtent::Full => "full",
        }
    );
    let image = InputGuess::image(Layout::Nchw).train.word();
    let trained = values.iter().find(|(parameter, _)| parameter.name == INPUT_TYPE_TRAIN.name);
    let trained = trained.map_or("", |(_, value)| value.as_str());
    let is_image: Vec<bool> = trained.split(';').map(|word| word.trim() == image).collect();
    for group in Group::ALL {
        let value = |parameter: &Parameter| {
            values.iter().find(|(known, _)| known.name == parameter.name).map(|(_, value)| value.as_str())
        };
        let simple = extent == ConfigurationExtent::Simple;
        // A group of which there is nothing to say is left out.
        if simple && Parameter::of_group(group).all(|parameter| value(parameter).is_none()) {
            continue;
        }
        let _ = writeln!(text, "{}:", group.name());
        for parameter in Parameter::of_group(group) {
            let value = value(parameter);
            let hint = HINTS.iter().find(|hint| is_image.contains(&true) && hint.parameter.name == parameter.name);
            let hint = hint.map(|hint| hint.text(&is_image));
            match (extent, value) {
                (ConfigurationExtent::Simple, None) => {
                    let _ = hint.map_or(Ok(()), |hint| writeln!(text, "  # {}: {hint}", parameter.name));
                }
                (ConfigurationExtent::Simple, Some(value)) => {
                    let hint = hint.map(|hint| format!("  # {hint}")).unwrap_or_default();
                    let _ = writeln!(text, "  {}: {}{hint}", parameter.name, fast_perf::quoted(value));
                }
                (ConfigurationExtent::Full, value) => text += &explained(parameter, value),
            }
        }
    }
    Ok(text)
}

/// A parameter with its explanation; what would only repeat the default is a comment.
fn explained(parameter: &Parameter, value: Option<&str>) -> String {
    let mut text = String::new();
    for line in documentation::wrapped(parameter.meaning, 110) {
        let _ = writeln!(text, "  # {line}");
    }
    let status = match parameter.status {
        Status::Supported => String::new(),
        other => format!(" {other}."),
    };
    let (range, required) = (parameter.range(), parameter.required);
    let _ = writeln!(text, "  # Range: {range}. {required}, {}.{status}", parameter.multiplicity);
    let _ = match (value, parameter.default) {
        (Some(value), _) => writeln!(text, "  {}: {}", parameter.name, fast_perf::quoted(value)),
        (None, ParameterDefault::Value(default)) => writeln!(text, "  # {}: {default}", parameter.name),
        (None, _) => writeln!(text, "  # {}:", parameter.name),
    };
    text
}

/// What a file is filled with.
fn values(
    model: Option<(&ModelFiles, &[ModelInput])>,
    march: &str,
) -> Result<Vec<(&'static Parameter, String)>, FastPerfError> {
    let mut values: Vec<(&'static Parameter, String)> = vec![
        (&MARCH, march.to_owned()),
        (&WORKING_DIR, "model_output".to_owned()),
        (&CALIBRATION_TYPE, CalibrationType::Default.word().to_owned()),
    ];
    // The fastest model, once the level does something.
    if OPTIMIZE_LEVEL.parameter.status == Status::Supported {
        values.push((&OPTIMIZE_LEVEL, OptimizeLevel::O2.word().to_owned()));
    }
    let Some((files, inputs)) = model else {
        let images = InputGuess::image(Layout::Nchw);
        values.extend([
            (&*ONNX_MODEL, "<path of the ONNX file>".to_owned()),
            (&*OUTPUT_MODEL_FILE_PREFIX, "model".to_owned()),
            (&*INPUT_TYPE_TRAIN, images.train.word().to_owned()),
            (&*INPUT_TYPE_RT, images.runtime.word().to_owned()),
            (&*INPUT_LAYOUT_TRAIN, images.layout.word().to_owned()),
            (&*CAL_DATA_DIR, "calibration_data".to_owned()),
        ]);
        return Ok(values);
    };
    let guesses: Vec<InputGuess> = inputs.iter().map(InputGuess::of).collect();
    let each = |word: &dyn Fn(&InputGuess) -> &'static str| guesses.iter().map(word).collect::<Vec<_>>().join("; ");
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let folders: Vec<String> =
        file_names(names.iter().copied()).iter().map(|name| format!("calibration_data/{name}")).collect();
    values.extend(fast_perf::model_settings(files, inputs)?);
    values.extend([
        (&*OUTPUT_MODEL_FILE_PREFIX, fast_perf::prefix(&files.model)),
        (&*INPUT_NAME, names.join("; ")),
        (&*INPUT_TYPE_TRAIN, each(&|guess| guess.train.word())),
        (&*INPUT_TYPE_RT, each(&|guess| guess.runtime.word())),
        (&*INPUT_LAYOUT_TRAIN, each(&|guess| guess.layout.word())),
        (&*INPUT_SHAPE, inputs.iter().map(shape).collect::<Vec<_>>().join("; ")),
        (&*CAL_DATA_DIR, folders.join("; ")),
    ]);
    Ok(values)
}

/// The shape of an input; where dimensions are open, a text that has to be filled in.
fn shape(input: &ModelInput) -> String {
    match static_shape(&input.shape) {
        Ok(shape) => fast_perf::shape_item(&shape),
        Err(_) => format!("<{}>", declared_shape(&input.shape)),
    }
}
