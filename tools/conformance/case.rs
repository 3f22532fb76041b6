//! One case: a model, and data sets of what it takes and gives.

use std::fmt;
use std::path::{Path, PathBuf};

use hb::cpu::Array;
use hb::frontend::onnx::{self, tensor::Tensor};
use hb::sim::executor::{ModelExecutor, TensorSpecification};
use hb::sim::open::{OpenError, OpenOptions, open};

use super::Result;
use super::compare::difference;

/// Folders of the package, each a kind of cases. `light` holds models without folders of their own.
const KINDS: [&str; 4] = ["node", "simple", "pytorch-converted", "pytorch-operator"];
const LIGHT: &str = "light";

/// How a case ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Every output of every data set is right.
    Passed,
    /// The network is not supported, for this reason.
    Refused(String),
    /// A wrong output, or none.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => write!(f, "passed"),
            Self::Refused(reason) => write!(f, "refused\t{reason}"),
            Self::Failed(reason) => write!(f, "failed\t{reason}"),
        }
    }
}

impl Outcome {
    /// What `Display` wrote.
    pub fn parse(line: &str) -> Option<Self> {
        match line.split_once('\t') {
            None if line == "passed" => Some(Self::Passed),
            Some(("refused", reason)) => Some(Self::Refused(reason.to_owned())),
            Some(("failed", reason)) => Some(Self::Failed(reason.to_owned())),
            _ => None,
        }
    }
}

/// A model and its data.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file of the model.
    model: PathBuf,
}

/// Inputs and outputs of one run, in the order of the model.
struct DataSet {
    inputs: Vec<Array>,
    outputs: Vec<Array>,
}

impl Case {
    /// The case of a model's file.
    pub fn new(model: &Path) -> Self {
        Self { model: model.to_owned() }
    }

    /// All cases below `onnx/backend/test/data`, in the order of their names.
    pub fn find(data: &Path) -> Result<Vec<Self>> {
        let mut models = Vec::new();
        for kind in KINDS {
            for entry in std::fs::read_dir(data.join(kind))? {
                models.push(entry?.path().join("model.onnx"));
            }
        }
        for entry in std::fs::read_dir(data.join(LIGHT))? {
            models.push(entry?.path());
        }
        models.retain(|model| model.extension().is_some_and(|extension| extension == "onnx") && model.is_file());
        models.sort();
        Ok(models.iter().map(|model| Self::new(model)).collect())
    }

    /// The file of the model.
    pub fn model(&self) -> &Path {
        &self.model
    }

    fn is_light(&self) -> bool {
        self.model.parent().is_some_and(|folder| folder.ends_with(LIGHT))
    }

    /// Kind and name, such as `node/test_abs`.
    pub fn name(&self) -> String {
        let path = if self.is_light() { self.model.with_extension("") } else { self.folder().to_owned() };
        let parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
        parts.into_iter().rev().collect::<Vec<_>>().join("/")
    }

    fn folder(&self) -> &Path {
        self.model.parent().unwrap_or(Path::new(""))
    }

    /// Imports, compiles, runs and compares.
    pub fn run(&self) -> Outcome {
        let model = match open(&self.model, &OpenOptions::default()) {
            Ok(model) => model.executor,
            Err(OpenError::Network { source, .. }) => return Outcome::Refused(one_line(source)),
            Err(error) => return Outcome::Failed(one_line(error)),
        };
        let sets = match self.data_sets(model.inputs()) {
            Ok(sets) if sets.is_empty() => return Outcome::Failed("it has no data".to_owned()),
            Ok(sets) => sets,
            Err(error) => return Outcome::Failed(format!("its data cannot be read: {error}")),
        };
        for set in sets {
            if set.inputs.len() != model.inputs().len() {
                let (given, taken) = (set.inputs.len(), model.inputs().len());
                return Outcome::Failed(format!("{given} inputs are given, the model takes {taken}"));
            }
            if let Err(error) = model.prepare(&set.inputs) {
                return Outcome::Refused(one_line(error));
            }
            if let Err(reason) = self.compare(model.as_ref(), &set) {
                return Outcome::Failed(reason);
            }
        }
        Outcome::Passed
    }

    fn data_sets(&self, inputs: &[TensorSpecification]) -> Result<Vec<DataSet>> {
        if self.is_light() {
            let inputs = inputs.iter().map(ramp).collect::<Result<_>>()?;
            return Ok(vec![DataSet { inputs, outputs: tensors(&self.model.with_extension(""), "_output")? }]);
        }
        let mut sets = Vec::new();
        for number in 0.. {
            let folder = self.folder().join(format!("test_data_set_{number}"));
            if !folder.is_dir() {
                break;
            }
            let file = |name: &str| folder.join(name);
            sets.push(DataSet { inputs: tensors(&file("input"), "")?, outputs: tensors(&file("output"), "")? });
        }
        Ok(sets)
    }

    fn compare(&self, model: &dyn ModelExecutor, set: &DataSet) -> std::result::Result<(), String> {
        let outputs = model.run(&set.inputs).map_err(one_line)?.outputs;
        if outputs.len() != set.outputs.len() {
            return Err(format!("{} outputs instead of {}", outputs.len(), set.outputs.len()));
        }
        let name = self.name();
        for (output, (found, wanted)) in model.outputs().iter().zip(outputs.iter().zip(&set.outputs)) {
            difference(&name, wanted, found).map_err(|reason| format!("output {output:?}: {reason}"))?;
        }
        Ok(())
    }
}

/// Models of `light` have no inputs on file: those are i / n for element i of n.
fn ramp(input: &TensorSpecification) -> Result<Array> {
    let shape: Vec<usize> = input.dims.iter().map(|size| size.unwrap_or(1)).collect();
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|index| (index as f64 / count as f64) as f32).collect();
    Ok(Array::from_values(&shape, &values)?)
}

/// The tensors of `{path}{suffix}_0.pb` and so on.
fn tensors(path: &Path, suffix: &str) -> Result<Vec<Array>> {
    let mut arrays = Vec::new();
    for number in 0.. {
        let mut file = path.as_os_str().to_owned();
        file.push(format!("{suffix}_{number}.pb"));
        if !Path::new(&file).is_file() {
            break;
        }
        let tensor: Tensor = onnx::tensor_from_bytes(std::fs::read(&file)?.into())?;
        arrays.push(Array::from_bytes(tensor.element(), tensor.shape(), tensor.data())?);
    }
    Ok(arrays)
}

fn one_line(error: impl ToString) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
