//! The rules of `input_parameters`: counts, what one parameter implies for another, types, preprocessing, shapes.

use super::checking::{Checker, Holds};
use super::keys::{InputKey, ParameterState, Word, joined};
use super::parameters::{
    INPUT_BATCH, INPUT_LAYOUT_TRAIN, INPUT_NAME, INPUT_SHAPE, INPUT_SPACE_AND_RANGE, INPUT_TYPE_RT, INPUT_TYPE_TRAIN,
    InputSettings, MEAN_VALUE, NORM_TYPE, NormType, OUTPUT_NODES, SCALE_VALUE, STD_VALUE, legal_input_types,
};
use super::problem::counted;
use super::questions;
use super::table::Parameter;
use super::values::{NOTHING, ParameterValue};
use super::{InputType, Layout, SpaceAndRange};
use std::collections::BTreeSet;

/// Checks the inputs and gives their settings, None for an input of which something faulty or missing has been reported.
pub fn check(checker: &mut Checker) -> Vec<Option<InputSettings>> {
    let (count, named) = match checker.state(&INPUT_NAME) {
        ParameterState::Absent => (1, false),
        ParameterState::Faulty => return vec![None],
        ParameterState::Given(names) => (names.len(), true),
    };
    if !names_are_sound(checker, count) {
        return vec![None; count];
    }
    share_norm_type(checker, count);
    derive_layout(checker, count);
    checker.check_counts(count, named);
    derive_scale(checker, count);
    derive_norm_type(checker, count);
    check_batch(checker, count);
    (0..count).map(|index| input(checker, index)).collect()
}

/// Whether each name is there once. A comma that may have been meant to separate names is told where the counts show it, and then
/// nothing else is.
fn names_are_sound(checker: &mut Checker, count: usize) -> bool {
    let ParameterState::Given(names) = checker.state(&INPUT_NAME) else { return true };
    let mut seen = BTreeSet::new();
    let twice = names.iter().filter_map(ParameterValue::text).find(|name| !seen.insert(*name)).map(str::to_owned);
    if let Some(name) = twice {
        checker.error(&INPUT_NAME, format!("'{name}' is given twice"), "name each input once");
        return false;
    }
    let other_count = |parameter: &Parameter| match checker.state(parameter) {
        ParameterState::Given(values) => values.len() > count,
        _ => false,
    };
    let comma = checker.comma(&INPUT_NAME);
    if comma.is_some() && (other_count(&INPUT_TYPE_TRAIN) || other_count(&INPUT_TYPE_RT)) {
        checker.report_comma(&INPUT_NAME);
        checker.spoil(&INPUT_NAME, Holds::Fault(Vec::new()));
        return false;
    }
    true
}

/// Whether there are numbers for the input of this number.
fn gives(checker: &Checker, key: &InputKey<Option<Vec<f64>>>, index: usize) -> bool {
    matches!(checker.item(key, index), Some(Some(_)))
}

/// One `norm_type` is enough for all inputs.
fn share_norm_type(checker: &mut Checker, count: usize) {
    let ParameterState::Given([norm_type]) = checker.state(&NORM_TYPE) else { return };
    if count == 1 {
        return;
    }
    let word = norm_type.text().unwrap_or_default().to_owned();
    // 'None' for the numbers of an input says that nothing is done with it, where another input has numbers.
    let numbers =
        |index: usize| [&MEAN_VALUE, &SCALE_VALUE, &STD_VALUE].into_iter().any(|key| gives(checker, key, index));
    let some = (0..count).any(numbers);
    let of = |index: usize| if some && !numbers(index) { NormType::NoPreprocess.word() } else { word.as_str() };
    let words: Vec<&str> = (0..count).map(of).collect();
    let (text, values) = (words.join(";"), words.iter().map(|word| ParameterValue::Text((*word).to_owned())).collect());
    let what = match words.iter().all(|other| *other == word) {
        true => format!("one value for {count} inputs: '{word}' holds for all"),
        false => format!("one value for {count} inputs, of which some have no numbers: '{text}' holds"),
    };
    checker.derive(&NORM_TYPE, &NORM_TYPE, values, text);
    checker.warning(&NORM_TYPE, what, "give one value for each");
}

/// The layout of feature maps matters only to numbers for each channel, which `input` asks for.
fn derive_layout(checker: &mut Checker, count: usize) {
    let feature_maps = match checker.state(&INPUT_TYPE_TRAIN) {
        ParameterState::Given(types) => {
            types.len() == count && types.iter().all(|kind| kind.text() == Some(InputType::Featuremap.word()))
        }
        _ => false,
    };
    let layout = Layout::Nchw.word();
    if let ParameterState::Given(layouts) = checker.state(&INPUT_LAYOUT_TRAIN)
        && layouts.contains(&ParameterValue::Nothing)
    {
        let stated: Vec<Option<String>> = layouts.iter().map(|value| value.text().map(str::to_owned)).collect();
        let is_image = |index| checker.word(&INPUT_TYPE_TRAIN, index) != Some(InputType::Featuremap.word());
        if let Some(index) = (0..stated.len()).find(|index| stated.get(*index) == Some(&None) && is_image(*index)) {
            let what = format!("item {}: None is for feature maps, and this input is an image", index + 1);
            checker.error(&INPUT_LAYOUT_TRAIN, what, "write NCHW or NHWC");
            return checker.spoil(&INPUT_LAYOUT_TRAIN, Holds::Fault(Vec::new()));
        }
        let words: Vec<String> = stated.into_iter().map(|word| word.unwrap_or_else(|| layout.to_owned())).collect();
        let text = words.join(";");
        let values = words.into_iter().map(ParameterValue::Text).collect();
        checker.derive(&INPUT_LAYOUT_TRAIN, &INPUT_LAYOUT_TRAIN, values, text);
    } else if feature_maps && !checker.is_given(&INPUT_LAYOUT_TRAIN) {
        let values = vec![ParameterValue::Text(layout.to_owned()); count];
        checker.derive(&INPUT_LAYOUT_TRAIN, &INPUT_TYPE_TRAIN, values, vec![layout; count].join(";"));
    }
}

/// `std_value` gives `scale_value`.
fn derive_scale(checker: &mut Checker, count: usize) {
    let ParameterState::Given(given) = checker.state(&STD_VALUE) else { return };
    let given = given.to_vec();
    let mut scales = Vec::new();
    let mut text = Vec::new();
    for (index, value) in given.iter().enumerate() {
        let scale = checker.item(&SCALE_VALUE, index).flatten();
        match (value, scale) {
            (ParameterValue::Channels(_), Some(_)) => {
                let what = "excludes scale_value, which is given as well";
                checker.error(&STD_VALUE, what, "keep one: scale_value is 1 / std_value");
                return checker.spoil(&STD_VALUE, Holds::Fault(Vec::new()));
            }
            (ParameterValue::Channels(deviations), None) if deviations.iter().any(|deviation| *deviation <= 0.0) => {
                checker.error(&STD_VALUE, "a standard deviation is more than 0", "correct it");
                return checker.spoil(&STD_VALUE, Holds::Fault(Vec::new()));
            }
            (ParameterValue::Channels(deviations), None) => {
                let numbers: Vec<f64> = deviations.iter().map(|deviation| 1.0 / deviation).collect();
                text.push(numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
                scales.push(ParameterValue::Channels(numbers));
            }
            (_, Some(numbers)) => {
                text.push(numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
                scales.push(ParameterValue::Channels(numbers));
            }
            (_, None) => {
                text.push(NOTHING.to_owned());
                scales.push(ParameterValue::Nothing);
            }
        }
    }
    if scales.len() == count {
        checker.derive(&SCALE_VALUE, &STD_VALUE, scales, text.join(";"));
    }
}

/// Which numbers are given says what is to be done with them.
fn derive_norm_type(checker: &mut Checker, count: usize) {
    if checker.is_given(&NORM_TYPE) {
        return;
    }
    let words: Vec<&str> = (0..count)
        .map(|index| match (gives(checker, &MEAN_VALUE, index), gives(checker, &SCALE_VALUE, index)) {
            (true, true) => NormType::MeanAndScale,
            (true, false) => NormType::Mean,
            (false, true) => NormType::Scale,
            (false, false) => NormType::NoPreprocess,
        })
        .map(Word::word)
        .collect();
    if words.iter().all(|word| *word == NormType::NoPreprocess.word()) {
        return;
    }
    let text = words.join("; ");
    let values = words.iter().map(|word| ParameterValue::Text((*word).to_owned())).collect();
    let candidates: [&'static Parameter; 3] = [&MEAN_VALUE, &STD_VALUE, &SCALE_VALUE];
    let from = candidates.into_iter().find(|parameter| checker.is_given(parameter)).unwrap_or(&NORM_TYPE);
    checker.derive(&NORM_TYPE, from, values, text.clone());
    let given: Vec<&str> = candidates
        .iter()
        .filter(|parameter| checker.texts.contains_key(parameter.name))
        .map(|parameter| parameter.name)
        .collect();
    let verb = if given.len() == 1 { "implies" } else { "imply" };
    checker.warning(
        &NORM_TYPE,
        format!("not given; {} {verb} '{text}'", given.join(" and ")),
        format!("add norm_type: '{text}'"),
    );
}

fn check_batch(checker: &mut Checker, count: usize) {
    // Outputs that are chosen may need fewer inputs than the model has.
    let Some(batch) = checker.value(&INPUT_BATCH).filter(|_| !checker.is_given(&OUTPUT_NODES)) else { return };
    let shapes: Vec<_> = (0..count).map(|index| checker.item(&INPUT_SHAPE, index).flatten()).collect();
    if let Some(InputFault { parameter, what, remedy }) = batch_fault(batch, "input_name names", &shapes) {
        checker.error(parameter, what, remedy);
    }
}

/// Why a batch cannot be made of inputs of these shapes, each None while it is not known. `counted_by` says who counts them.
pub fn batch_fault(batch: i64, counted_by: &str, shapes: &[Option<Vec<u64>>]) -> Option<InputFault> {
    let (what, remedy) = match shapes {
        _ if batch == 1 => return None,
        [Some(shape)] if shape.first() != Some(&1) => (
            format!("{batch} needs an input whose first dimension is 1, and its shape is {}", joined(shape)),
            "remove it, or give a model whose first dimension is 1",
        ),
        [_] => return None,
        several => (
            format!("{batch} is only for a model with one input, and {counted_by} {}", several.len()),
            "remove it, and export the model with the batch that is wanted",
        ),
    };
    Some(InputFault { parameter: &INPUT_BATCH, what, remedy: remedy.to_owned() })
}

fn input(checker: &mut Checker, index: usize) -> Option<InputSettings> {
    let label = match checker.item(&INPUT_NAME, index) {
        Some(Some(name)) => format!("input '{name}'"),
        _ => "the input".to_owned(),
    };
    let before = checker.errors();
    check_types(checker, index, &label);
    check_space(checker, index, &label);
    check_normalization(checker, index, &label);
    let settings = checker.input_settings(index)?;
    // What is wrong already is not reported again as a shape that does not fit.
    if checker.errors() > before {
        return None;
    }
    for fault in shape_faults(&settings, settings.get(&INPUT_SHAPE).as_deref(), &label) {
        checker.error(fault.parameter, fault.what, fault.remedy);
    }
    check_channels_have_a_layout(checker, &settings, &label);
    questions::ask(checker, &settings, &label);
    (checker.errors() == before).then_some(settings)
}

fn check_channels_have_a_layout(checker: &mut Checker, settings: &InputSettings, label: &str) {
    let several = [&MEAN_VALUE, &SCALE_VALUE]
        .into_iter()
        .any(|key| settings.get(key).as_ref().is_some_and(|numbers| numbers.len() > 1));
    if several && !checker.texts.contains_key(INPUT_LAYOUT_TRAIN.name) {
        let what = format!("{label}: not given, but there is one number per channel");
        checker.error(&INPUT_LAYOUT_TRAIN, what, "add it, so that the channels are known");
    }
}

fn check_types(checker: &mut Checker, index: usize, label: &str) {
    // That one is missing has been reported.
    if [&*INPUT_TYPE_TRAIN, &*INPUT_TYPE_RT].iter().any(|parameter| checker.state(parameter) == ParameterState::Absent)
    {
        return;
    }
    let (Some(train), Some(runtime)) = (checker.word(&INPUT_TYPE_TRAIN, index), checker.word(&INPUT_TYPE_RT, index))
    else {
        return;
    };
    let legal = legal_input_types().into_iter().find(|(from, _)| *from == train);
    let legal = legal.map_or_else(Vec::new, |(_, legal)| legal);
    if !legal.contains(&runtime) {
        let what = format!("{label}: '{runtime}' cannot be turned into input_type_train '{train}'");
        let usable = INPUT_TYPE_RT.usable_words();
        let usable: Vec<&str> = legal.iter().copied().filter(|word| usable.contains(word)).collect();
        let remedy = match usable.as_slice() {
            [] => "change input_type_train".to_owned(),
            words => format!("use one of {}", words.join(", ")),
        };
        checker.error(&INPUT_TYPE_RT, what, remedy);
    }
}

/// The range of video is one of nv12 that becomes rgb or bgr.
fn check_space(checker: &mut Checker, index: usize, label: &str) {
    if checker.word(&INPUT_SPACE_AND_RANGE, index) != Some(SpaceAndRange::Bt601Video.word()) {
        return;
    }
    let (Some(train), Some(runtime)) = (checker.word(&INPUT_TYPE_TRAIN, index), checker.word(&INPUT_TYPE_RT, index))
    else {
        return;
    };
    if runtime != "nv12" || !matches!(train, "rgb" | "bgr") {
        let what = format!(
            "{label}: bt601_video needs input_type_rt nv12 and input_type_train rgb or bgr, not '{runtime}' and '{train}'"
        );
        checker.error(&INPUT_SPACE_AND_RANGE, what, "remove it, or correct the types");
    }
}

fn check_normalization(checker: &mut Checker, index: usize, label: &str) {
    let Some(norm_type) = checker.item(&NORM_TYPE, index) else { return };
    let word = norm_type.word();
    let deviations = checker.texts.contains_key(STD_VALUE.name) && checker.is_given(&STD_VALUE);
    let scale: &Parameter = if deviations { &STD_VALUE } else { &SCALE_VALUE };
    let wanted = [
        (&MEAN_VALUE, &*MEAN_VALUE, matches!(norm_type, NormType::Mean | NormType::MeanAndScale)),
        (&SCALE_VALUE, scale, matches!(norm_type, NormType::Scale | NormType::MeanAndScale)),
    ];
    for (key, parameter, wanted) in wanted {
        // What is wrong with it has been reported.
        if checker.state(parameter) == ParameterState::Faulty {
            continue;
        }
        match (checker.item(key, index), wanted) {
            (Some(None), true) => {
                let what = format!("{label}: norm_type {word} needs it, but it is not given");
                checker.error(parameter, what, "add the numbers, or change norm_type");
            }
            (Some(Some(_)), false) => {
                let what = format!("{label}: would have no effect, because norm_type says '{word}'");
                checker.error(
                    parameter,
                    what,
                    "set norm_type to what is meant, or remove the numbers (None for one input)",
                );
            }
            _ => {}
        }
    }
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
    let stated = if input.get(&INPUT_SHAPE).is_some() { "correct input_shape if that is wrong, or " } else { "" };
    if let (Some(shape), "nv12") = (shape, type_rt.word()) {
        let (height, width) = layout.image_dimensions();
        let odd = [height, width].iter().any(|dimension| shape.get(*dimension).is_some_and(|size| size % 2 == 1));
        // With another layout than the model's it is the channels that are odd, which is told below.
        let in_layout = shape.get(layout.channel_dimension()).copied() == type_rt.channels();
        if shape.len() == 4 && odd && in_layout {
            let what = format!(
                "{label}: nv12 has colours for squares of 2 by 2 pixels, but the shape {} is odd",
                joined(shape)
            );
            fault(&INPUT_TYPE_RT, what, &format!("{stated}use another type, or a model of even height and width"));
        }
    }
    let channels = match (type_rt.channels(), shape) {
        (Some(channels), None) => Some(channels),
        (None, None) => None,
        (expected, Some(shape)) => {
            let actual = shape.get(layout.channel_dimension()).copied().filter(|_| shape.len() == 4);
            match (expected, actual) {
                (Some(_), None) => {
                    let what = format!("{label}: {type_rt} needs a shape of rank 4, not {}", joined(shape));
                    fault(&INPUT_TYPE_RT, what, &format!("{stated}use featuremap for data that is no image"));
                }
                (Some(expected), Some(actual)) if expected != actual => {
                    let what = format!(
                        "{label}: {type_rt} has {expected} channels, but with {} the shape {} has {actual}",
                        layout.name(),
                        joined(shape)
                    );
                    fault(&INPUT_LAYOUT_TRAIN, what, &format!("{stated}correct the layout or the type"));
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
