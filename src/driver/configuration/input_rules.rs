//! The rules of `input_parameters` and of `cal_data_dir`: counts, types, preprocessing, shapes.

use super::checking::{Checker, counted};
use super::keys::{InputKey, ParameterState, Word, joined};
use super::parameters::{
    CAL_DATA_DIR, CALIBRATION_TYPE, CalibrationType, INPUT_LAYOUT_TRAIN, INPUT_NAME, INPUT_SHAPE, INPUT_SOURCE,
    INPUT_SPACE_AND_RANGE, INPUT_TYPE_RT, INPUT_TYPE_TRAIN, InputSettings, LEGAL_INPUT_TYPES, MEAN_VALUE, NORM_TYPE,
    NormType, SCALE_VALUE,
};
use super::table::Parameter;
use super::values::ParameterValue;
use super::{InputType, Layout, SpaceAndRange};
use std::collections::BTreeSet;

/// Checks the inputs and gives their settings. None where something faulty or missing has been reported.
pub fn check(checker: &mut Checker) -> Option<Vec<InputSettings>> {
    let (count, named) = match checker.state(&INPUT_NAME) {
        ParameterState::Absent => (1, false),
        ParameterState::Faulty => return None,
        ParameterState::Given(names) => (names.len(), true),
    };
    check_names(checker)?;
    checker.check_counts(count, named);
    check_directories(checker);
    let inputs: Vec<Option<InputSettings>> = (0..count).map(|index| input(checker, index)).collect();
    inputs.into_iter().collect()
}

fn check_names(checker: &mut Checker) -> Option<()> {
    let ParameterState::Given(names) = checker.state(&INPUT_NAME) else { return Some(()) };
    let mut seen = BTreeSet::new();
    let twice = names.iter().filter_map(ParameterValue::text).find(|name| !seen.insert(*name)).map(str::to_owned);
    let Some(name) = twice else { return Some(()) };
    checker.error(&INPUT_NAME, format!("'{name}' is given twice"), "name each input once");
    None
}

fn check_directories(checker: &mut Checker) {
    if checker.state(&CAL_DATA_DIR) != ParameterState::Absent {
        return;
    }
    if let Some(kind @ CalibrationType::Max) = checker.value(&CALIBRATION_TYPE) {
        checker.error(
            &CAL_DATA_DIR,
            format!("not given, but calibration_type {} needs samples", kind.word()),
            "add it, or use calibration_type skip to judge speed only",
        );
    }
}

fn input(checker: &mut Checker, index: usize) -> Option<InputSettings> {
    let label = match checker.item(&INPUT_NAME, index) {
        Some(Some(name)) => format!("input '{name}'"),
        _ => "the input".to_owned(),
    };
    let before = checker.problems();
    check_types(checker, index, &label);
    check_normalization(checker, index, &label);
    let settings = checker.input_settings(index)?;
    check_source(checker, &settings, &label);
    // What is wrong already is not reported again as a shape that does not fit.
    if checker.problems() == before {
        for fault in shape_faults(&settings, settings.get(&INPUT_SHAPE).as_deref(), &label) {
            checker.error(fault.parameter, fault.what, fault.remedy);
        }
    }
    Some(settings)
}

fn check_types(checker: &mut Checker, index: usize, label: &str) {
    // That one is missing has been reported.
    if [&*INPUT_TYPE_TRAIN, &*INPUT_TYPE_RT].iter().any(|parameter| checker.state(parameter) == ParameterState::Absent)
    {
        return;
    }
    let (Some(train), Some(runtime)) = (checker.item(&INPUT_TYPE_TRAIN, index), checker.item(&INPUT_TYPE_RT, index))
    else {
        return;
    };
    let legal = LEGAL_INPUT_TYPES.iter().find(|(from, _)| *from == train.word()).map_or(&[][..], |(_, legal)| *legal);
    if !legal.contains(&runtime.word()) {
        let what = format!("{label}: '{runtime}' cannot be turned into input_type_train '{train}'");
        checker.error(&INPUT_TYPE_RT, what, format!("use one of {}", legal.join(", ")));
    }
    let colour = matches!(train, InputType::Rgb | InputType::Bgr);
    if checker.item(&INPUT_SPACE_AND_RANGE, index) == Some(SpaceAndRange::Bt601Video)
        && !(runtime == InputType::Nv12 && colour)
    {
        let what = format!("{label}: bt601_video is for input_type_rt nv12 and input_type_train rgb or bgr only");
        checker.error(&INPUT_SPACE_AND_RANGE, what, "use regular, or leave it out");
    }
}

/// Whether what an input is given comes from where `input_source` says. The manual's own template has yuv444 from the pyramid, so
/// that is no error.
fn check_source(checker: &mut Checker, settings: &InputSettings, label: &str) {
    let ParameterState::Given([ParameterValue::Mapping(entries)]) = checker.state(&INPUT_SOURCE) else { return };
    let name = settings.get(&INPUT_NAME).as_deref();
    let own = entries.iter().filter(|(input, _)| name.is_none_or(|name| name == input));
    let own: Vec<String> = own.map(|(_, source)| source.clone()).collect();
    let is = |word: &str| own.iter().any(|source| source == word);
    let type_rt = *settings.get(&INPUT_TYPE_RT);
    if is("resizer") {
        let what = format!(
            "{label}: 'resizer' is known to the manual, not supported yet: nothing resizes a region that is known only when the model runs"
        );
        checker.error(&INPUT_SOURCE, what, "use pyramid, and resize before the model");
    } else if is("pyramid") && !matches!(type_rt, InputType::Nv12 | InputType::Gray) {
        let what = format!("{label}: the pyramid writes nv12 and gray only, not {type_rt}");
        checker.warning(&INPUT_SOURCE, what, "the data is taken from memory, as for ddr");
    }
}

fn check_normalization(checker: &mut Checker, index: usize, label: &str) {
    let Some(norm_type) = checker.item(&NORM_TYPE, index) else { return };
    let explicit = checker.state(&NORM_TYPE) != ParameterState::Absent;
    let word = norm_type.word();
    let mut check = |key: &InputKey<Option<Vec<f64>>>, wanted: bool| match (checker.item(key, index), wanted) {
        (Some(None), true) => {
            let what = format!("{label}: norm_type {word} needs it, but it is not given");
            checker.error(key, what, "add the numbers, or change norm_type");
        }
        (Some(Some(_)), false) => {
            let says = if explicit { "says" } else { "is not given, so it is" };
            let what = format!("{label}: would have no effect, because norm_type {says} '{word}'");
            checker.error(key, what, "set norm_type to what is meant, or remove the numbers (None for one input)");
        }
        _ => {}
    };
    check(&MEAN_VALUE, matches!(norm_type, NormType::Mean | NormType::MeanAndScale));
    check(&SCALE_VALUE, matches!(norm_type, NormType::Scale | NormType::MeanAndScale));
    if let Some(Some(numbers)) = checker.item(&SCALE_VALUE, index)
        && numbers.contains(&0.0)
    {
        checker.error(&SCALE_VALUE, format!("{label}: a scale of 0 erases the data"), "give another scale");
    }
}

/// What is wrong with an input of a certain shape.
pub struct InputFault {
    pub parameter: &'static Parameter,
    pub what: String,
    pub remedy: String,
}

/// Whether types, layout and preprocessing of an input agree with a shape (`None` while it is not known).
pub fn shape_faults(input: &InputSettings, shape: Option<&[u64]>, label: &str) -> Vec<InputFault> {
    let mut faults = Vec::new();
    let mut fault = |parameter: &'static Parameter, what: String, remedy: &str| {
        faults.push(InputFault { parameter, what, remedy: remedy.to_owned() });
    };
    let (mean, scale) = (input.get(&MEAN_VALUE), input.get(&SCALE_VALUE));
    let normalized = mean.is_some() || scale.is_some();
    let (layout, type_rt) = (*input.get(&INPUT_LAYOUT_TRAIN), *input.get(&INPUT_TYPE_RT));
    let channels = match (type_rt.channels(), shape) {
        (Some(channels), None) => Some(channels),
        (None, None) => None,
        (expected, Some(shape)) => {
            let actual = shape.get(layout.channel_dimension()).copied().filter(|_| shape.len() == 4);
            match (expected, actual) {
                (Some(_), None) => {
                    let what = format!("{label}: {type_rt} needs a shape of rank 4, not {}", joined(shape));
                    fault(&INPUT_TYPE_RT, what, "use featuremap for data that is no image");
                }
                (Some(expected), Some(actual)) if expected != actual => {
                    let what = format!(
                        "{label}: {type_rt} has {expected} channels, but with {} the shape {} has {actual}",
                        layout.name(),
                        joined(shape)
                    );
                    fault(&INPUT_LAYOUT_TRAIN, what, "correct the layout or the type");
                }
                (None, None) if normalized => {
                    let what = format!("{label}: a featuremap of shape {} can only have no_preprocess", joined(shape));
                    fault(&NORM_TYPE, what, "use no_preprocess; only rank 4 has channels");
                }
                _ => {}
            }
            // After a wrong number of channels the expected one is judged by, lest one slip is reported twice.
            expected.or(actual)
        }
    };
    let spatial = shape.filter(|shape| type_rt == InputType::Nv12 && shape.len() == 4).map(|shape| match layout {
        Layout::Nchw => [shape[2], shape[3]],
        Layout::Nhwc => [shape[1], shape[2]],
    });
    if let Some([height, width]) = spatial
        && (height % 2 != 0 || width % 2 != 0)
    {
        let what = format!("{label}: nv12 needs an even height and width, not {height}x{width}");
        fault(&INPUT_TYPE_RT, what, "use yuv444, or a network for another size");
    }
    for (parameter, numbers) in [(&*MEAN_VALUE, mean), (&*SCALE_VALUE, scale)] {
        if let (Some(numbers), Some(channels)) = (numbers, channels)
            && numbers.len() != 1
            && numbers.len() as u64 != channels
        {
            let what =
                format!("{label}: has {}, but the input has {channels} channels", counted(numbers.len(), "number"));
            fault(parameter, what, "give one number for all channels, or one for each");
        }
    }
    faults
}
