//! The rules of `input_parameters` and of `cal_data_dir`: counts, types, preprocessing, shapes.

use super::checking::{Checker, State};
use super::parameters::LEGAL_INPUT_TYPES;
use super::values::Value;
use super::{InputConfiguration, InputType, Layout};
use std::collections::BTreeSet;

/// Checks the inputs and builds them. None where something faulty or missing has been reported.
pub fn check(checker: &mut Checker) -> Option<Vec<InputConfiguration>> {
    let names = input_names(checker);
    let count = match &names {
        Names::Faulty => return None,
        Names::Unnamed => 1,
        Names::Given(names) => names.len(),
    };
    let rules = Rules { named: matches!(names, Names::Given(_)), count };
    let lists = Lists {
        type_train: rules.list(checker, "input_type_train"),
        type_rt: rules.list(checker, "input_type_rt"),
        layout: rules.list(checker, "input_layout_train"),
        shape: rules.list(checker, "input_shape"),
        norm_type: rules.list(checker, "norm_type"),
        mean: rules.list(checker, "mean_value"),
        scale: rules.list(checker, "scale_value"),
        directory: rules.list(checker, "cal_data_dir"),
    };
    let _ = rules.list(checker, "input_space_and_range");
    check_directories(checker, &lists.directory);
    let mut inputs = Some(Vec::new());
    for index in 0..count {
        let name = match &names {
            Names::Given(names) => names.get(index).cloned(),
            _ => None,
        };
        match (input(checker, &lists, index, name), &mut inputs) {
            (Some(input), Some(inputs)) => inputs.push(input),
            _ => inputs = None,
        }
    }
    inputs
}

enum Names {
    Faulty,
    Unnamed,
    Given(Vec<String>),
}

fn input_names(checker: &mut Checker) -> Names {
    let names: Vec<String> = match checker.state("input_name") {
        State::Absent => return Names::Unnamed,
        State::Faulty => return Names::Faulty,
        State::Given(values) => values.iter().filter_map(Value::text).map(str::to_owned).collect(),
    };
    let mut seen = BTreeSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(name.as_str())) {
        checker.error("input_name", format!("'{name}' is given twice"), "name each input once");
        return Names::Faulty;
    }
    Names::Given(names)
}

/// The values of a list, one per input.
enum List {
    Absent,
    Faulty,
    Given(Vec<Value>),
}

/// What an input is to have of a list.
enum Item<'a> {
    Absent,
    Faulty,
    Given(&'a Value),
}

impl List {
    fn item(&self, index: usize) -> Item<'_> {
        match self {
            Self::Absent => Item::Absent,
            Self::Faulty => Item::Faulty,
            Self::Given(values) => values.get(index).map_or(Item::Faulty, Item::Given),
        }
    }

    fn word(&self, index: usize) -> Option<&str> {
        match self.item(index) {
            Item::Given(value) => value.text(),
            _ => None,
        }
    }
}

struct Lists {
    type_train: List,
    type_rt: List,
    layout: List,
    shape: List,
    norm_type: List,
    mean: List,
    scale: List,
    directory: List,
}

struct Rules {
    named: bool,
    count: usize,
}

impl Rules {
    fn list(&self, checker: &mut Checker, name: &str) -> List {
        let values = match checker.state(name) {
            State::Absent => return List::Absent,
            State::Faulty => return List::Faulty,
            State::Given(values) => values.to_vec(),
        };
        if values.len() == self.count {
            return List::Given(values);
        }
        let given = count(values.len(), "value");
        if self.named {
            let what = format!("has {given}, but input_name names {}", count(self.count, "input"));
            checker.error(name, what, "give one value for each input, separated by ';'");
        } else {
            let what = format!("has {given}, but without input_name the model has one input");
            checker.error(name, what, "add input_name, or give one value");
        }
        List::Faulty
    }
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn check_directories(checker: &mut Checker, directories: &List) {
    let kind = checker.text("calibration_type");
    match (directories, kind.as_deref()) {
        (List::Absent, Some("max")) => checker.error(
            "cal_data_dir",
            "not given, but calibration_type max needs samples",
            "add it, or use calibration_type skip to judge speed only",
        ),
        (List::Given(_), Some("skip")) => {
            checker.warning("cal_data_dir", "is not used with calibration_type skip", "remove it, or use max");
        }
        (List::Given(values), _) => {
            for text in values.iter().filter_map(Value::text) {
                let path = checker.resolve(text);
                match std::fs::metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => {}
                    Ok(_) => checker.error(
                        "cal_data_dir",
                        format!("'{}' is not a directory", path.display()),
                        "give the folder that holds the .npy files",
                    ),
                    Err(error) => checker.error(
                        "cal_data_dir",
                        format!("'{}' cannot be read: {error}", path.display()),
                        "correct the path; it counts from the folder of the configuration file",
                    ),
                }
            }
        }
        _ => {}
    }
}

fn input(checker: &mut Checker, lists: &Lists, index: usize, name: Option<String>) -> Option<InputConfiguration> {
    let label = match &name {
        Some(name) => format!("input '{name}'"),
        None => "the input".to_owned(),
    };
    let types = input_types(checker, lists, index, &label);
    let layout = lists.layout.word(index).and_then(Layout::named);
    let shape = match lists.shape.item(index) {
        Item::Absent => Ok(None),
        Item::Given(Value::Shape(shape)) => Ok(Some(shape.clone())),
        _ => Err(()),
    };
    let normalization = normalization(checker, lists, index, &label);
    let directory = match lists.directory.item(index) {
        Item::Absent => Ok(None),
        Item::Given(Value::Text(text)) => Ok(Some(checker.resolve(text))),
        _ => Err(()),
    };
    let (type_train, type_rt) = types?;
    let (mean, scale) = normalization?;
    let input = InputConfiguration {
        name,
        type_train,
        type_rt,
        layout: layout?,
        shape: shape.ok()?,
        mean,
        scale,
        calibration_directory: directory.ok()?,
    };
    let faults = shape_faults(&input, input.shape.as_deref(), &label);
    let sound = faults.is_empty();
    for fault in faults {
        checker.error(fault.parameter, fault.what, fault.remedy);
    }
    sound.then_some(input)
}

fn input_types(checker: &mut Checker, lists: &Lists, index: usize, label: &str) -> Option<(InputType, InputType)> {
    let (train, runtime) = (lists.type_train.word(index)?, lists.type_rt.word(index)?);
    let legal = LEGAL_INPUT_TYPES.iter().find(|(from, _)| *from == train).map(|(_, legal)| *legal)?;
    if !legal.contains(&runtime) {
        checker.error(
            "input_type_rt",
            format!("{label}: '{runtime}' cannot be turned into input_type_train '{train}'"),
            format!("use one of {}", legal.join(", ")),
        );
        return None;
    }
    Some((InputType::named(train)?, InputType::named(runtime)?))
}

type Normalization = (Option<Vec<f64>>, Option<Vec<f64>>);

fn normalization(checker: &mut Checker, lists: &Lists, index: usize, label: &str) -> Option<Normalization> {
    let norm_type = match lists.norm_type.item(index) {
        Item::Absent => "no_preprocess",
        Item::Given(Value::Text(word)) => word.as_str(),
        _ => return None,
    };
    let explicit = matches!(lists.norm_type.item(index), Item::Given(_));
    let mut part = |list: &List, name: &str, wanted: bool| -> Result<Option<Vec<f64>>, ()> {
        let numbers = match list.item(index) {
            Item::Absent | Item::Given(Value::Channels(None)) => None,
            Item::Given(Value::Channels(Some(numbers))) => Some(numbers.clone()),
            _ => return Err(()),
        };
        match (numbers, wanted) {
            (Some(numbers), true) => Ok(Some(numbers)),
            (None, false) => Ok(None),
            (None, true) => {
                let what = format!("{label}: norm_type {norm_type} needs it, but it is not given");
                checker.error(name, what, "add the numbers, or change norm_type");
                Err(())
            }
            (Some(_), false) => {
                let says = if explicit { "says" } else { "is not given, so it is" };
                let what = format!("{label}: would have no effect, because norm_type {says} '{norm_type}'");
                checker.error(name, what, "set norm_type to what is meant, or remove the numbers (None for one input)");
                Err(())
            }
        }
    };
    let mean = part(&lists.mean, "mean_value", matches!(norm_type, "data_mean" | "data_mean_and_scale"));
    let scale = part(&lists.scale, "scale_value", matches!(norm_type, "data_scale" | "data_mean_and_scale"));
    if let Ok(Some(numbers)) = &scale
        && numbers.contains(&0.0)
    {
        checker.error("scale_value", format!("{label}: a scale of 0 erases the data"), "give another scale");
        return None;
    }
    Some((mean.ok()?, scale.ok()?))
}

/// What is wrong with an input of a certain shape.
pub struct InputFault {
    pub parameter: &'static str,
    pub what: String,
    pub remedy: String,
}

/// Whether types, layout and preprocessing of an input agree with a shape (`None` while it is not known).
pub fn shape_faults(input: &InputConfiguration, shape: Option<&[u64]>, label: &str) -> Vec<InputFault> {
    let mut faults = Vec::new();
    let mut fault = |parameter: &'static str, what: String, remedy: &str| {
        faults.push(InputFault { parameter, what, remedy: remedy.to_owned() });
    };
    let normalized = input.mean.is_some() || input.scale.is_some();
    let layout = input.layout;
    let channels = match (input.type_rt.channels(), shape) {
        (Some(channels), None) => Some(channels),
        (None, None) => None,
        (expected, Some(shape)) => {
            let actual = shape.get(layout.channel_dimension()).copied().filter(|_| shape.len() == 4);
            match (expected, actual) {
                (Some(_), None) => {
                    let what = format!("{label}: {} needs a shape of rank 4, not {}", input.type_rt, joined(shape));
                    fault("input_type_rt", what, "use featuremap for data that is no image");
                }
                (Some(expected), Some(actual)) if expected != actual => {
                    let what = format!(
                        "{label}: {} has {expected} channels, but with {} the shape {} has {actual}",
                        input.type_rt,
                        layout.name(),
                        joined(shape)
                    );
                    fault("input_layout_train", what, "correct the layout or the type");
                }
                (None, None) if normalized => {
                    let what = format!("{label}: a featuremap of shape {} can only have no_preprocess", joined(shape));
                    fault("norm_type", what, "use no_preprocess; only rank 4 has channels");
                }
                _ => {}
            }
            // After a wrong number of channels the expected one is judged by, lest one slip is reported twice.
            expected.or(actual)
        }
    };
    for (parameter, numbers) in [("mean_value", &input.mean), ("scale_value", &input.scale)] {
        if let (Some(numbers), Some(channels)) = (numbers, channels)
            && numbers.len() != 1
            && numbers.len() as u64 != channels
        {
            let what =
                format!("{label}: has {}, but the input has {channels} channels", count(numbers.len(), "number"));
            fault(parameter, what, "give one number for all channels, or one for each");
        }
    }
    faults
}

/// A shape as the configuration writes it.
pub fn joined(shape: &[u64]) -> String {
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join("x")
}
