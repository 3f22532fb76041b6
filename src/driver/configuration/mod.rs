//! The configuration of a compilation, read from a YAML file through one table.
//!
//! [`Configuration::read`] reads and checks a file on its own; [`Configuration::check_against`] checks it against the
//! inputs that the model really has. Both collect everything that is wrong before they give up.

mod checking;
mod collecting;
mod documentation;
mod fast_perf;
mod foreign;
mod generator;
mod input_guess;
mod input_rules;
mod keys;
mod lists;
mod model_check;
mod node_info;
mod optimization;
mod parameters;
mod problem;
mod quant_config;
mod questions;
mod reading;
mod rules;
mod schema;
mod source_text;
mod table;
mod values;

pub use documentation::{documentation, parameter_help};
pub use fast_perf::{FastPerf, FastPerfError, Purpose, configuration_text};
pub use foreign::{Answer, FOREIGN_KEYS, ForeignKey, KeyOrigin, march_of};
pub use generator::{ConfigurationExtent, generated};
pub use input_rules::batch_fault;
pub use keys::{InputKey, Key, List, Word};
pub use model_check::{CheckedInput, LoadModel, ModelFacts, ModelInput, ModelNode, declared_shape};
pub use node_info::NodeRequest;
pub use optimization::Optimization;
pub use parameters::*;
pub use problem::{Location, Problem, Problems, Severity, counted};
pub use quant_config::{QuantConfig, Ranges, StatedChooser, StatedMethod, StatedTypes};
pub use questions::{
    question_constant, question_magnitude, question_normalized, question_raw_images, question_samples,
};
pub use schema::schema;
pub use source_text::LARGEST_FILE;
pub use table::{
    Choice, Condition, Group, Multiplicity, Named, Parameter, ParameterDefault, ParameterKind, ParameterPass, Required,
    Status,
};
use values::ParameterValue;
pub use values::{MOST_ELEMENTS, shape_option};

pub use crate::float::preprocessing::{InputType, Layout, SpaceAndRange};

use crate::frontend::ModelFiles;
use crate::wording::printable;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the check of a configuration depends on beside the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The targets that `march` may name.
    pub marches: Vec<String>,
    /// The cores of this machine, the most that `jobs` comes to.
    pub cores: usize,
}

impl Environment {
    /// The targets we have data for, and this machine's cores.
    pub fn of_this_machine() -> Self {
        Self { marches: known_marches(), cores: std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

/// The targets that `targets/` holds.
pub fn known_marches() -> Vec<String> {
    crate::target::Target::names().into_iter().map(str::to_owned).collect()
}

/// A parameter as the log and the .hbm keep it.
///
/// The text is the file's own, with no absolute paths and nothing of this machine in it, so that equal inputs give equal bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredParameter {
    /// Its row.
    pub parameter: &'static Parameter,
    /// As the file gives it.
    pub given: Option<String>,
    /// What holds.
    pub effective: String,
}

impl InputSettings {
    /// What holds of a parameter of inputs.
    pub fn get<T>(&self, key: &InputKey<T>) -> &T {
        (key.of)(self)
    }

    /// `pass` with the options that parameters of this input set and with `others`, as a pipeline says it.
    pub fn pass(&self, pass: &str, others: &[&str]) -> String {
        with_options(pass, others, self.options())
    }
}

/// Whether what a configuration names must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Files {
    Needed,
    /// What they hold is in a stored model.
    Unneeded,
}

/// A configuration that is sound in itself.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The YAML file.
    pub file: PathBuf,
    cores: usize,
    settings: Settings,
    /// At least one. In the order of `input_name`.
    pub inputs: Vec<InputSettings>,
    /// Every parameter of the table, in its order.
    pub parameters: Vec<StoredParameter>,
    /// What is odd but stops nothing.
    pub warnings: Vec<Problem>,
    /// What is given or derived, and where.
    given: BTreeMap<&'static str, (Location, Vec<ParameterValue>)>,
}

impl Configuration {
    /// Reads and checks a configuration file. Relative paths in it count from its folder.
    pub fn read(path: &Path, environment: &Environment) -> Result<Self, Problems> {
        Self::read_file(path, environment, (None, Files::Needed))
    }

    /// [`Self::read`] for a file whose model can be read: where something is wrong, what the model shows to be wrong is told as well.
    /// Where nothing is, [`Self::check_against`] is still to be asked.
    pub fn read_with_model(path: &Path, environment: &Environment, load: &LoadModel<'_>) -> Result<Self, Problems> {
        Self::read_file(path, environment, (Some(load), Files::Needed))
    }

    /// [`Self::read`] for the compilation of a stored model: the files and folders that the configuration names need not be there.
    /// Samples are missed when they are read.
    pub fn read_for_stored_model(path: &Path, environment: &Environment) -> Result<Self, Problems> {
        Self::read_file(path, environment, (None, Files::Unneeded))
    }

    fn read_file(
        path: &Path,
        environment: &Environment,
        (load, files): (Option<&LoadModel<'_>>, Files),
    ) -> Result<Self, Problems> {
        let file_problem = |what: String, remedy: &str| {
            Problems(vec![Problem {
                file: printable(&path.display().to_string()),
                location: Location::START,
                subject: String::new(),
                what,
                remedy: remedy.to_owned(),
                severity: Severity::Error,
            }])
        };
        let bytes = source_text::read(path).map_err(|error| {
            file_problem(format!("the configuration cannot be read: {error}"), "give the path of a readable YAML file")
        })?;
        checking::check(&bytes, path, environment, (load, files))
    }

    /// Checks the bytes of a configuration file as if they had been read from `path`.
    pub fn from_bytes(bytes: &[u8], path: &Path, environment: &Environment) -> Result<Self, Problems> {
        checking::check(bytes, path, environment, (None, Files::Needed))
    }

    /// The files of the network.
    pub fn model_files(&self) -> ModelFiles {
        match (self.get(&ONNX_MODEL), self.get(&CAFFE_MODEL)) {
            (None, Some(model)) => ModelFiles { model: model.clone(), proto: self.get(&PROTOTXT).clone() },
            // That one is given was checked.
            (onnx, _) => ModelFiles { model: onnx.clone().unwrap_or_default(), proto: None },
        }
    }

    /// What a run reads: no result takes the place of these files, or of folders that hold them.
    pub fn files_read(&self) -> Vec<PathBuf> {
        let ModelFiles { model, proto } = self.model_files();
        let quant_config = self.get(&QUANT_CONFIG).as_ref().and_then(|config| config.file.clone());
        let samples = self.inputs.iter().filter_map(|input| input.get(&CAL_DATA_DIR).clone());
        [self.file.clone(), model].into_iter().chain(proto).chain(quant_config).chain(samples).collect()
    }

    /// What holds of a parameter of the model.
    pub fn get<T>(&self, key: &Key<T>) -> &T {
        (key.of)(&self.settings)
    }

    /// The threads that `jobs` comes to, between 1 and the cores of this machine.
    pub fn threads(&self) -> usize {
        match usize::try_from(*self.get(&JOBS)) {
            Ok(wanted) if wanted > 0 => wanted.min(self.cores),
            _ => self.cores,
        }
    }

    /// `pass` with the options that parameters of the model set and with `others`, as a pipeline says it:
    /// `bpu-to-nash{march=nash-e}`.
    pub fn pass(&self, pass: &str, others: &[&str]) -> String {
        with_options(pass, others, self.settings.options())
    }

    /// A problem of this configuration, located where `parameter` is given. For the stages that find out later that a
    /// parameter cannot hold, such as a folder of samples of the wrong shape.
    pub fn problem(&self, parameter: &Parameter, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem {
            file: printable(&self.file.display().to_string()),
            location: self.location(parameter),
            subject: parameter.path(),
            what: what.into(),
            remedy: remedy.into(),
            severity: Severity::Error,
        }
    }

    /// Where a parameter is given, else where the file begins.
    fn location(&self, parameter: &Parameter) -> Location {
        self.given.get(parameter.name).map_or(Location::START, |(location, _)| *location)
    }

    /// The path of the result `{prefix}{ending}` in `working_dir`; `ending` is such as `_ptq_model.onnx` or `.hbm`.
    pub fn output_path(&self, ending: &str) -> PathBuf {
        self.get(&WORKING_DIR).join(format!("{}{ending}", self.get(&OUTPUT_MODEL_FILE_PREFIX)))
    }
}

fn with_options(pass: &str, others: &[&str], set: Vec<(ParameterPass, String)>) -> String {
    let set = set.into_iter().filter(|(set, _)| set.pass == pass);
    let set = set.map(|(set, text)| format!("{}={text}", set.option));
    let options: Vec<String> = others.iter().map(|other| (*other).to_owned()).chain(set).collect();
    if options.is_empty() { pass.to_owned() } else { format!("{pass}{{{}}}", options.join(" ")) }
}
