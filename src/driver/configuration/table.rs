//! What a row of the parameter table says. The rows are in [`super::parameters`].

use super::parameters::PARAMETERS;
use std::fmt;

/// The groups of the manual's configuration file. All four must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Model,
    Input,
    Calibration,
    Compiler,
}

impl Group {
    pub const ALL: [Self; 4] = [Self::Model, Self::Input, Self::Calibration, Self::Compiler];

    /// The name that the file uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model_parameters",
            Self::Input => "input_parameters",
            Self::Calibration => "calibration_parameters",
            Self::Compiler => "compiler_parameters",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }
}

/// When a parameter must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    Optional,
    Always,
    /// One of `onnx_model` and the Caffe pair.
    ForOnnx,
    ForCaffe,
    ForSeveralInputs,
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Optional => "optional",
            Self::Always => "required",
            Self::ForOnnx => "required for an ONNX model",
            Self::ForCaffe => "required for a Caffe model",
            Self::ForSeveralInputs => "required for more than one input",
        })
    }
}

/// How many values a parameter holds. Several values are one string, separated by `;`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplicity {
    /// One value for the model.
    One,
    /// One value for each input, in the order of `input_name`.
    PerInput,
    /// Any number of values.
    List,
}

impl fmt::Display for Multiplicity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "one per model",
            Self::PerInput => "one per input",
            Self::List => "list",
        })
    }
}

/// A word that a parameter may be set to, and whether we act on it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub word: &'static str,
    pub status: Status,
}

/// A word that is supported now.
pub const fn supported(word: &'static str) -> Choice {
    Choice { word, status: Status::Supported }
}

/// A word that the manual knows and we do not act on yet.
pub const fn not_yet(word: &'static str) -> Choice {
    Choice { word, status: Status::NotYet }
}

/// The type and range of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Boolean,
    /// Whole number, both ends included.
    Integer {
        least: i64,
        most: i64,
    },
    /// Real number, both ends included.
    Number {
        least: f64,
        most: f64,
    },
    Choice(&'static [Choice]),
    /// The name of a target; the targets are data, see [`super::Environment`].
    March,
    /// Text of any form; the second field says what it means.
    Text(&'static str),
    /// Path of an existing file.
    File,
    /// Path of an existing directory.
    Directory,
    /// Dimensions separated by `x`.
    Shape,
    /// 'None', one number, or one number per channel, separated by spaces or commas.
    ChannelNumbers,
    /// A YAML mapping from input names to one of these words.
    InputMapping(&'static [Choice]),
    /// Text or a YAML mapping with a form of its own.
    Structured(&'static str),
}

/// What holds where a parameter is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    None,
    /// Written as it would be in the file, without quotes.
    Value(&'static str),
    /// Chosen from other parameters. `accepted` is the only outcome that exists while this parameter is not yet
    /// supported, so giving it changes nothing.
    Automatic {
        accepted: &'static str,
        rule: &'static str,
    },
}

/// Whether a parameter or a word of it does anything yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Supported,
    /// Known to the manual. Giving anything but the default is an error that says so.
    NotYet,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Supported => "supported",
            Self::NotYet => "not supported yet",
        })
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    pub group: Group,
    pub name: &'static str,
    pub kind: Kind,
    pub default: DefaultValue,
    pub required: Required,
    pub multiplicity: Multiplicity,
    pub status: Status,
    /// What it does, in a sentence or two.
    pub meaning: &'static str,
}

impl Parameter {
    /// `group.name`
    pub fn key(&self) -> String {
        format!("{}.{}", self.group.name(), self.name)
    }

    /// The row of `name` in `group`.
    pub fn find(group: Group, name: &str) -> Option<&'static Self> {
        PARAMETERS.iter().find(|parameter| parameter.group == group && parameter.name == name)
    }

    /// The row of `name` in whatever group it is; names are unique over the groups.
    pub fn named(name: &str) -> Option<&'static Self> {
        PARAMETERS.iter().find(|parameter| parameter.name == name)
    }

    /// The type, as documentation names it.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Boolean => "boolean",
            Kind::Integer { .. } => "integer",
            Kind::Number { .. } => "number",
            Kind::ChannelNumbers => "number(s)",
            Kind::InputMapping(_) => "mapping",
            Kind::Structured(_) => "string or mapping",
            Kind::File | Kind::Directory => "path",
            Kind::Choice(_) | Kind::March | Kind::Text(_) | Kind::Shape => "string",
        }
    }

    /// The range of one value, as documentation names it.
    pub fn range(&self) -> String {
        match self.kind {
            Kind::Boolean => "True, False".into(),
            Kind::Integer { least, most: i64::MAX } => format!("at least {least}"),
            Kind::Integer { least, most } => match least == most {
                true => least.to_string(),
                false => format!("{least} to {most}"),
            },
            Kind::Number { least, most } => format!("{least} to {most}"),
            Kind::Choice(choices) | Kind::InputMapping(choices) => words(choices),
            Kind::March => "the targets that `targets/` holds".into(),
            Kind::Text(range) | Kind::Structured(range) => range.into(),
            Kind::File => "an existing file".into(),
            Kind::Directory => "an existing directory".into(),
            Kind::Shape => "sizes separated by `x`, such as 1x3x224x224".into(),
            Kind::ChannelNumbers => "None, one number, or one per channel (separated by spaces or commas)".into(),
        }
    }
}

/// The words of `choices` for a reader: `a, b (not supported yet), c`.
pub fn words(choices: &[Choice]) -> String {
    let word = |choice: &Choice| match choice.status {
        Status::Supported => choice.word.to_owned(),
        Status::NotYet => format!("{} (not supported yet)", choice.word),
    };
    choices.iter().map(word).collect::<Vec<_>>().join(", ")
}
