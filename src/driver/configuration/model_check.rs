//! The configuration against the inputs that the model really has.

use super::input_rules::shape_faults;
use super::keys::{InputKey, joined};
use super::parameters::{
    INPUT_LAYOUT_TRAIN, INPUT_NAME, INPUT_SHAPE, INPUT_TYPE_RT, InputSettings, NORM_TYPE, NormType,
};
use super::problem::{Problem, Problems, suggestion};
use super::{Configuration, InputType};
use hb_dialects::pass::word;

/// An input as the model declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInput {
    /// The name that the model gives it.
    pub name: String,
    /// Sizes; None where the model leaves a dimension open.
    pub shape: Vec<Option<u64>>,
    /// The element type as ONNX spells it, in lower case: `float`, `float16`, `double`, `int64`.
    pub element: String,
}

/// An input of which everything is known.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedInput {
    /// The name that the model gives it.
    pub name: String,
    /// Its sizes, all of them known.
    pub shape: Vec<u64>,
    /// The element type, as in [`ModelInput`].
    pub element: String,
    /// What the configuration says of it.
    pub settings: InputSettings,
}

impl CheckedInput {
    /// What holds of a parameter of inputs.
    pub fn get<T>(&self, key: &InputKey<T>) -> &T {
        self.settings.get(key)
    }

    /// `pass` with the name of this input and the options that its parameters set.
    pub fn pass(&self, pass: &str) -> String {
        self.settings.pass(pass, &[&format!("input={}", word(&self.name))])
    }

    /// `mean_value` or `scale_value` with one number per channel; empty where there is none.
    pub fn per_channel(&self, key: &InputKey<Option<Vec<f64>>>) -> Vec<f64> {
        let channels =
            self.shape.get(self.get(&INPUT_LAYOUT_TRAIN).channel_dimension()).filter(|_| self.shape.len() == 4);
        let channels = channels.and_then(|channels| usize::try_from(*channels).ok());
        match (self.get(key).as_deref(), channels) {
            (Some([number]), Some(channels)) => vec![*number; channels],
            (numbers, _) => numbers.unwrap_or_default().to_vec(),
        }
    }
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
    ) -> Vec<(&'a ModelInput, &'a InputSettings)> {
        let names = || model.iter().map(|input| input.name.as_str());
        let listed = || names().collect::<Vec<_>>().join("; ");
        if let [unnamed] = self.inputs.as_slice()
            && unnamed.get(&INPUT_NAME).is_none()
        {
            match model {
                [] => return Vec::new(),
                [only] => return vec![(only, unnamed)],
                _ => {}
            }
            let what = format!("the model has {} inputs, so their names are needed", model.len());
            problems.push(self.problem(&INPUT_NAME, what, format!("add input_name: '{}'", listed())));
            return Vec::new();
        }
        let before = problems.len();
        for name in self.inputs.iter().filter_map(|input| input.get(&INPUT_NAME).as_deref()) {
            if !names().any(|known| known == name) {
                let remedy = suggestion(name, names(), &format!("the inputs are '{}'", listed()));
                problems.push(self.problem(&INPUT_NAME, format!("the model has no input '{name}'"), remedy));
            }
        }
        let mut pairs = Vec::new();
        let mut missing = Vec::new();
        for declared in model {
            match self.inputs.iter().find(|input| input.get(&INPUT_NAME).as_deref() == Some(&declared.name)) {
                Some(input) => pairs.push((declared, input)),
                None => missing.push(format!("'{}'", declared.name)),
            }
        }
        // A wrong name leaves the right one missing, which needs no message of its own.
        if !missing.is_empty() && problems.len() == before {
            let what = format!("the model also has the input(s) {}", missing.join(", "));
            problems.push(self.problem(&INPUT_NAME, what, format!("name all inputs: '{}'", listed())));
        }
        pairs
    }

    fn checked(
        &self,
        declared: &ModelInput,
        input: &InputSettings,
        problems: &mut Vec<Problem>,
    ) -> Option<CheckedInput> {
        let before = problems.len();
        let label = format!("input '{}'", declared.name);
        let shape = self.shape(declared, input, &label, problems)?;
        // Where the configuration gives a shape these were checked when it was read.
        if input.get(&INPUT_SHAPE).is_none() {
            for fault in shape_faults(input, Some(&shape), &label) {
                problems.push(self.problem(fault.parameter, fault.what, fault.remedy));
            }
        }
        let float = matches!(declared.element.as_str(), "float" | "float16" | "bfloat16" | "double");
        if !float && *input.get(&INPUT_TYPE_RT) != InputType::Featuremap {
            let what = format!("{label}: its elements are {}, but images become float", declared.element);
            problems.push(self.problem(&INPUT_TYPE_RT, what, "use featuremap"));
        } else if !float && *input.get(&NORM_TYPE) != NormType::NoPreprocess {
            let what = format!("{label}: its elements are {}, which cannot be preprocessed", declared.element);
            problems.push(self.problem(&NORM_TYPE, what, "use no_preprocess"));
        }
        if problems.len() > before {
            return None;
        }
        let (name, element) = (declared.name.clone(), declared.element.clone());
        Some(CheckedInput { name, shape, element, settings: input.clone() })
    }

    fn shape(
        &self,
        declared: &ModelInput,
        input: &InputSettings,
        label: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Vec<u64>> {
        match input.get(&INPUT_SHAPE) {
            Some(shape) if fits(shape, &declared.shape) => Some(shape.clone()),
            Some(shape) => {
                let what =
                    format!("{label}: {} is not the model's shape {}", joined(shape), declared_shape(&declared.shape));
                problems.push(self.problem(&INPUT_SHAPE, what, "give as many sizes as the model does"));
                None
            }
            None => match static_shape(&declared.shape) {
                Ok(shape) => Some(shape),
                Err(dimension) => {
                    let shape = declared_shape(&declared.shape);
                    let what = format!("{label}: the model leaves dimension {dimension} of {shape} open");
                    problems.push(self.problem(
                        &INPUT_SHAPE,
                        what,
                        "add input_shape; only the first becomes 1 by itself",
                    ));
                    None
                }
            },
        }
    }
}

/// Whether a shape can be that of an input: sizes that the model fixes may be others, its rank not.
fn fits(shape: &[u64], declared: &[Option<u64>]) -> bool {
    shape.len() == declared.len()
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
