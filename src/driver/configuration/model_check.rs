//! The configuration against the inputs that the model really has.

use super::input_rules::{joined, shape_faults};
use super::problem::{Problem, Problems, suggestion};
use super::{Configuration, InputConfiguration, InputType, Layout};
use std::path::PathBuf;

/// An input as the model declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInput {
    pub name: String,
    /// Sizes; None where the model leaves a dimension open.
    pub shape: Vec<Option<u64>>,
    /// The element type as ONNX spells it, in lower case: `float`, `float16`, `double`, `int64`.
    pub element: String,
}

/// An input of which everything is known.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedInput {
    pub name: String,
    pub shape: Vec<u64>,
    /// The element type, as in [`ModelInput`].
    pub element: String,
    pub type_train: InputType,
    pub type_rt: InputType,
    pub layout: Layout,
    /// Subtracted first: one number per channel. None where there is nothing to subtract.
    pub mean: Option<Vec<f64>>,
    /// Multiplied then: one number per channel. None where there is nothing to multiply with.
    pub scale: Option<Vec<f64>>,
    pub calibration_directory: Option<PathBuf>,
}

impl Configuration {
    /// Checks names, number, shapes and element types of the inputs, and gives them back in the order of the model.
    pub fn check_against(&self, model: &[ModelInput]) -> Result<Vec<CheckedInput>, Problems> {
        let mut problems = Vec::new();
        let mut checked = Vec::new();
        for (declared, input) in self.matched(model, &mut problems) {
            checked.extend(self.checked(declared, input, &mut problems));
        }
        if problems.is_empty() { Ok(checked) } else { Err(Problems(problems)) }
    }

    /// Pairs of model inputs and what the configuration says of them, in the model's order.
    fn matched<'a>(
        &'a self,
        model: &'a [ModelInput],
        problems: &mut Vec<Problem>,
    ) -> Vec<(&'a ModelInput, &'a InputConfiguration)> {
        let names = || model.iter().map(|input| input.name.as_str());
        let listed = || names().collect::<Vec<_>>().join("; ");
        if let [unnamed @ InputConfiguration { name: None, .. }] = self.inputs.as_slice() {
            if let [only] = model {
                return vec![(only, unnamed)];
            }
            let what = format!("the model has {} inputs, so their names are needed", model.len());
            problems.push(self.problem("input_name", what, format!("add input_name: '{}'", listed())));
            return Vec::new();
        }
        let before = problems.len();
        for name in self.inputs.iter().filter_map(|input| input.name.as_deref()) {
            if !names().any(|known| known == name) {
                let remedy = suggestion(name, names(), &format!("the inputs are '{}'", listed()));
                problems.push(self.problem("input_name", format!("the model has no input '{name}'"), remedy));
            }
        }
        let mut pairs = Vec::new();
        let mut missing = Vec::new();
        for declared in model {
            match self.inputs.iter().find(|input| input.name.as_deref() == Some(&declared.name)) {
                Some(input) => pairs.push((declared, input)),
                None => missing.push(format!("'{}'", declared.name)),
            }
        }
        // A wrong name leaves the right one missing, which needs no message of its own.
        if !missing.is_empty() && problems.len() == before {
            let what = format!("the model also has the input(s) {}", missing.join(", "));
            problems.push(self.problem("input_name", what, format!("name all inputs: '{}'", listed())));
        }
        pairs
    }

    fn checked(
        &self,
        declared: &ModelInput,
        input: &InputConfiguration,
        problems: &mut Vec<Problem>,
    ) -> Option<CheckedInput> {
        let before = problems.len();
        let label = format!("input '{}'", declared.name);
        let shape = self.shape(declared, input, &label, problems)?;
        // Where the configuration gives a shape these were checked when it was read.
        if input.shape.is_none() {
            for fault in shape_faults(input, Some(&shape), &label) {
                problems.push(self.problem(fault.parameter, fault.what, fault.remedy));
            }
        }
        let float = matches!(declared.element.as_str(), "float" | "float16" | "double");
        if !float && input.type_rt != InputType::Featuremap {
            let what = format!("{label}: its elements are {}, but images become float", declared.element);
            problems.push(self.problem("input_type_rt", what, "use featuremap"));
        } else if !float && (input.mean.is_some() || input.scale.is_some()) {
            let what = format!("{label}: its elements are {}, which cannot be preprocessed", declared.element);
            problems.push(self.problem("norm_type", what, "use no_preprocess"));
        }
        if problems.len() > before {
            return None;
        }
        let channels = shape.get(input.layout.channel_dimension()).copied().filter(|_| shape.len() == 4);
        let per_channel = |numbers: &Option<Vec<f64>>| match (numbers.as_deref(), channels) {
            (Some([number]), Some(channels)) => Some(vec![*number; usize::try_from(channels).ok()?]),
            (numbers, _) => numbers.map(<[f64]>::to_vec),
        };
        Some(CheckedInput {
            name: declared.name.clone(),
            element: declared.element.clone(),
            type_train: input.type_train,
            type_rt: input.type_rt,
            layout: input.layout,
            mean: per_channel(&input.mean),
            scale: per_channel(&input.scale),
            calibration_directory: input.calibration_directory.clone(),
            shape,
        })
    }

    fn shape(
        &self,
        declared: &ModelInput,
        input: &InputConfiguration,
        label: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Vec<u64>> {
        match &input.shape {
            Some(shape) if fits(shape, &declared.shape) => Some(shape.clone()),
            Some(shape) => {
                let what =
                    format!("{label}: {} is not the model's shape {}", joined(shape), declared_shape(&declared.shape));
                problems.push(self.problem(
                    "input_shape",
                    what,
                    "change only dimensions that the model leaves open (?)",
                ));
                None
            }
            None => match static_shape(&declared.shape) {
                Ok(shape) => Some(shape),
                Err(dimension) => {
                    let shape = declared_shape(&declared.shape);
                    let what = format!("{label}: the model leaves dimension {dimension} of {shape} open");
                    problems.push(self.problem(
                        "input_shape",
                        what,
                        "add input_shape; only the first becomes 1 by itself",
                    ));
                    None
                }
            },
        }
    }
}

fn fits(shape: &[u64], declared: &[Option<u64>]) -> bool {
    shape.len() == declared.len()
        && shape.iter().zip(declared).all(|(size, declared)| declared.is_none_or(|declared| declared == *size))
}

/// The shape with an open first dimension set to 1; the number of the first other open dimension is the error.
pub fn static_shape(declared: &[Option<u64>]) -> Result<Vec<u64>, usize> {
    let size = |(index, size): (usize, &Option<u64>)| match size {
        Some(size) => Ok(*size),
        None if index == 0 => Ok(1),
        None => Err(index),
    };
    declared.iter().enumerate().map(size).collect()
}

/// A shape with `?` for what is open.
pub fn declared_shape(shape: &[Option<u64>]) -> String {
    shape.iter().map(|size| size.map_or_else(|| "?".to_owned(), |size| size.to_string())).collect::<Vec<_>>().join("x")
}
