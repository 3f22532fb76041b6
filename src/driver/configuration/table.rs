//! What a row of the parameter table says. The rows are in [`super::parameters`].

use super::parameters::PARAMETERS;
use std::fmt;

/// The groups of the manual's configuration file. One that is not there is an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// What is compiled, for what, and where the results go.
    Model,
    /// The inputs of the network and of the compiled model.
    Input,
    /// How value ranges are found.
    Calibration,
    /// How the compiler works.
    Compiler,
}

impl Group {
    /// In the order of the manual.
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

    /// The group of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }
}

/// When a parameter must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// Never.
    Optional,
    /// In every file.
    Always,
    /// One of `onnx_model` and the Caffe pair.
    ForOnnx,
    /// With the other one of the Caffe pair.
    ForCaffe,
    /// For a model with more than one input.
    ForSeveralInputs,
    /// Unless all inputs are feature maps.
    ForImages,
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Optional => "optional",
            Self::Always => "required",
            Self::ForOnnx => "required for an ONNX model",
            Self::ForCaffe => "required for a Caffe model",
            Self::ForSeveralInputs => "required for more than one input",
            Self::ForImages => "required unless every input is a featuremap",
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

/// A word that a parameter may be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// As the file spells it.
    pub word: &'static str,
}

/// A word that is supported.
pub const fn supported(word: &'static str) -> Choice {
    Choice { word }
}

/// The type and range of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParameterKind {
    /// True or False.
    Boolean,
    /// Whole number, both ends included.
    Integer {
        /// The smallest that is accepted.
        least: i64,
        /// The largest that is accepted; `i64::MAX` stands for no limit.
        most: i64,
    },
    /// 0, or a whole number between the two, both included.
    IntegerOrZero {
        /// The smallest that is accepted beside 0.
        least: i64,
        /// The largest that is accepted.
        most: i64,
    },
    /// Real number, both ends included.
    Number {
        /// The smallest that is accepted.
        least: f64,
        /// The largest that is accepted.
        most: f64,
    },
    /// One of these words.
    Choice(&'static [Choice]),
    /// The name of a target; the targets are data, see [`super::Environment`].
    March,
    /// A name that the model has.
    Name(Named),
    /// What the names of files start with.
    Prefix,
    /// A command, as a shell takes it.
    Command,
    /// Path of an existing file.
    File,
    /// Path of an existing directory.
    Directory,
    /// Path of a directory that is made where it does not exist.
    NewDirectory,
    /// Dimensions separated by `x`.
    Shape,
    /// 'None', one number, or one number per channel, separated by spaces or commas.
    ChannelNumbers,
    /// A YAML mapping from input names to one of these words.
    InputMapping(&'static [Choice]),
    /// `name:type`, or a YAML mapping from node names to what is asked for them: [`super::NodeRequest`].
    NodeRequests,
    /// One of the words of [`super::Optimization`].
    Optimization,
    /// The path of a JSON file, or a YAML mapping: [`super::QuantConfig`].
    QuantConfig,
}

/// What of a model a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// An input.
    Input,
    /// A node.
    Node,
}

/// What holds where a parameter is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterDefault {
    /// Nothing.
    None,
    /// Written as it would be in the file, without quotes.
    Value(&'static str),
    /// Chosen from other parameters, and how, for the reader of the documentation.
    Automatic(&'static str),
}

impl ParameterDefault {
    /// Whether the row itself says no value.
    pub fn is_nothing(self) -> bool {
        !matches!(self, Self::Value(_))
    }
}

/// Whether a parameter does anything yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does what the manual says.
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

/// A parameter has an effect only where another one is one of these words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// The other parameter, of one value.
    pub parameter: &'static Parameter,
    /// What it must be.
    pub words: &'static [&'static str],
}

/// The option of a pass or a pipeline that a parameter sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterPass {
    /// As `hb-opt` calls it.
    pub pass: &'static str,
    /// The name of the option.
    pub option: &'static str,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Where in the file it stands.
    pub group: Group,
    /// Unique over all groups.
    pub name: &'static str,
    /// What one value of it is.
    pub kind: ParameterKind,
    /// What holds where it is not given.
    pub default: ParameterDefault,
    /// When it must be given.
    pub required: Required,
    /// How many values it has.
    pub multiplicity: Multiplicity,
    /// Whether it does anything.
    pub status: Status,
    /// None where it always has an effect.
    pub condition: Option<Condition>,
    /// None where code of the driver acts on it.
    pub sets: Option<ParameterPass>,
    /// The parameter that it is another way to write, and that is read in its place.
    pub stands_for: Option<&'static Parameter>,
    /// Whether it has any say in the results, not only in how they are made.
    pub shapes_results: bool,
    /// The release of the vendor's tool that it is known from; None for what the manual has.
    pub since: Option<&'static str>,
    /// What later releases of the vendor's tool do otherwise; the manual holds.
    pub later: Option<&'static str>,
    /// What it does, in a sentence or two.
    pub meaning: &'static str,
}

impl Parameter {
    /// `group.name`
    pub fn path(&self) -> String {
        format!("{}.{}", self.group.name(), self.name)
    }

    /// The row of `name` in `group`.
    pub fn find(group: Group, name: &str) -> Option<&'static Self> {
        Self::named(name).filter(|parameter| parameter.group == group)
    }

    /// The row of `name` in whatever group it is; names are unique over the groups.
    pub fn named(name: &str) -> Option<&'static Self> {
        PARAMETERS.iter().copied().find(|parameter| parameter.name == name)
    }

    /// Every parameter of `group`.
    pub fn of_group(group: Group) -> impl Iterator<Item = &'static Self> {
        PARAMETERS.iter().copied().filter(move |parameter| parameter.group == group)
    }

    /// The words it may be set to; none where it is not a choice.
    pub fn choices(&self) -> &'static [Choice] {
        match self.kind {
            ParameterKind::Choice(choices) | ParameterKind::InputMapping(choices) => choices,
            _ => &[],
        }
    }

    /// The words that are supported.
    pub fn usable_words(&self) -> Vec<&'static str> {
        self.choices().iter().map(|choice| choice.word).collect()
    }

    /// The type, as documentation names it.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            ParameterKind::Boolean => "boolean",
            ParameterKind::Integer { .. } | ParameterKind::IntegerOrZero { .. } => "integer",
            ParameterKind::Number { .. } => "number",
            ParameterKind::ChannelNumbers => "number(s)",
            ParameterKind::InputMapping(_) => "mapping",
            ParameterKind::NodeRequests => "string or mapping",
            ParameterKind::QuantConfig => "path or mapping",
            ParameterKind::File | ParameterKind::Directory | ParameterKind::NewDirectory => "path",
            ParameterKind::Choice(_)
            | ParameterKind::March
            | ParameterKind::Name(_)
            | ParameterKind::Optimization
            | ParameterKind::Prefix
            | ParameterKind::Command
            | ParameterKind::Shape => "string",
        }
    }

    /// The range of one value, as documentation names it.
    pub fn range(&self) -> String {
        match self.kind {
            ParameterKind::Boolean => "True, False".into(),
            ParameterKind::Integer { least, most: i64::MAX } => format!("at least {least}"),
            ParameterKind::Integer { least, most } => match least == most {
                true => least.to_string(),
                false => format!("{least} to {most}"),
            },
            ParameterKind::IntegerOrZero { least, most } => format!("0, or {least} to {most}"),
            ParameterKind::Number { least, most } => format!("{least} to {most}"),
            ParameterKind::Choice(choices) | ParameterKind::InputMapping(choices) => words(choices),
            ParameterKind::March => super::known_marches().join(", "),
            ParameterKind::Name(Named::Input) => "names of the model's inputs".into(),
            ParameterKind::Name(Named::Node) => "names of the model's nodes".into(),
            ParameterKind::NodeRequests => super::node_info::range(),
            ParameterKind::Optimization => super::optimization::range(),
            ParameterKind::QuantConfig => super::quant_config::range(),
            ParameterKind::Prefix => "a file name without its ending".into(),
            ParameterKind::Command => "a command, as a shell takes it".into(),
            ParameterKind::File => "the path of an existing file".into(),
            ParameterKind::Directory => "the path of an existing directory".into(),
            ParameterKind::NewDirectory => "the path of a directory".into(),
            ParameterKind::Shape => "sizes separated by `x`, such as 1x3x224x224".into(),
            ParameterKind::ChannelNumbers => {
                "None, one number, or one per channel (separated by spaces or commas)".into()
            }
        }
    }
}

/// The words of `choices` for a reader.
pub fn words(choices: &[Choice]) -> String {
    choices.iter().map(|choice| choice.word).collect::<Vec<_>>().join(", ")
}
