//! The configuration of a compilation, read from a YAML file through one table.
//!
//! [`Configuration::read`] reads and checks a file on its own; [`Configuration::check_against`] checks it against the
//! inputs that the model really has. Both collect everything that is wrong before they give up.

mod checking;
mod documentation;
mod fast_perf;
mod input_rules;
mod model_check;
mod parameters;
mod problem;
mod reading;
mod table;
mod values;

pub use documentation::documentation;
pub use fast_perf::{FastPerf, FastPerfError, configuration_text};
pub use model_check::{CheckedInput, ModelInput};
pub use parameters::{LEGAL_INPUT_TYPES, PARAMETERS};
pub use problem::{Location, Problem, Problems, Severity, printable};
pub use reading::LARGEST_FILE;
pub use table::{Choice, DefaultValue, Group, Kind, Multiplicity, Parameter, Required, Status};
pub use values::is_shape;

pub use crate::float::preprocessing::{InputType, Layout};

use std::collections::BTreeMap;
use std::io::Read;
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

/// Everything that the configuration says of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct InputConfiguration {
    /// None where the model's only input is meant, whatever its name.
    pub name: Option<String>,
    pub type_train: InputType,
    pub type_rt: InputType,
    pub layout: Layout,
    /// As given, or None where the model's own shape holds.
    pub shape: Option<Vec<u64>>,
    /// Subtracted first: one number, or one per channel. None where `norm_type` has no mean.
    pub mean: Option<Vec<f64>>,
    /// Multiplied then: one number, or one per channel. None where `norm_type` has no scale.
    pub scale: Option<Vec<f64>>,
    /// The folder of this input's samples, absolute or relative to where the program runs. None if not given.
    pub calibration_directory: Option<PathBuf>,
}

/// How value ranges are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Calibration {
    /// The largest magnitude, or less so that the share `percentile` (0.5 to 1) of the values is within it.
    Max { percentile: f64 },
    /// Max over random data, for speed figures only.
    Skip,
}

/// `optimize_level`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OptimizeLevel {
    O0,
    O1,
    O2,
}

/// A parameter as the log and the .hbm keep it.
///
/// The text is the file's own, with no absolute paths and nothing of this machine in it, so that equal inputs give equal bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredParameter {
    /// `group.name`
    pub key: String,
    /// As the file gives it.
    pub given: Option<String>,
    /// What holds.
    pub effective: String,
}

impl StoredParameter {
    /// Whether the parameter has any say in what is compiled. The others stay out of the results, so that these are the same bytes
    /// however they were made: `docs/decisions/0030-parameters-in-the-hbm.md`.
    pub fn shapes_results(&self) -> bool {
        self.key != "compiler_parameters.jobs"
    }
}

/// A configuration that is sound in itself.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The YAML file.
    pub file: PathBuf,
    pub onnx_model: PathBuf,
    pub march: String,
    pub output_model_file_prefix: String,
    pub working_dir: PathBuf,
    /// At least one. In the order of `input_name`.
    pub inputs: Vec<InputConfiguration>,
    pub calibration: Calibration,
    pub optimize_level: OptimizeLevel,
    /// Between 1 and the cores of this machine.
    pub jobs: usize,
    /// Every parameter of the table, in its order.
    pub parameters: Vec<StoredParameter>,
    /// What is odd but stops nothing.
    pub warnings: Vec<Problem>,
    locations: BTreeMap<&'static str, Location>,
}

impl Configuration {
    /// Reads and checks a configuration file. Relative paths in it count from its folder.
    pub fn read(path: &Path, environment: &Environment) -> Result<Self, Problems> {
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
        let read = || -> std::io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            std::fs::File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error| {
            file_problem(format!("the configuration cannot be read: {error}"), "give the path of a readable YAML file")
        })?;
        Self::from_bytes(&bytes, path, environment)
    }

    /// Checks the bytes of a configuration file as if they had been read from `path`.
    pub fn from_bytes(bytes: &[u8], path: &Path, environment: &Environment) -> Result<Self, Problems> {
        checking::check(bytes, path, environment)
    }

    /// A problem of this configuration, located where `parameter` is given. For the stages that find out later that a
    /// parameter cannot hold, such as a folder of samples of the wrong shape.
    pub fn problem(&self, parameter: &str, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem {
            file: printable(&self.file.display().to_string()),
            location: self.locations.get(parameter).copied().unwrap_or(Location::START),
            subject: Parameter::named(parameter).map_or_else(|| parameter.to_owned(), Parameter::key),
            what: what.into(),
            remedy: remedy.into(),
            severity: Severity::Error,
        }
    }

    /// The path of the result `{prefix}{ending}` in `working_dir`; `ending` is such as `_ptq_model.onnx` or `.hbm`.
    pub fn output_path(&self, ending: &str) -> PathBuf {
        self.working_dir.join(format!("{}{ending}", self.output_model_file_prefix))
    }
}
