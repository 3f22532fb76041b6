//! What is allowed, and still more likely a mistake than meant: numbers of the preprocessing, and samples that contradict them.

use super::InputType;
use super::checking::Checker;
use super::model_check::CheckedInput;
use super::parameters::{INPUT_TYPE_RT, INPUT_TYPE_TRAIN, InputSettings, MEAN_VALUE, SCALE_VALUE, STD_VALUE};
use super::problem::counted;
use crate::float::own_normalization::OwnNormalization;

/// What networks normalize lies within a few units of 0; beyond this nobody trains one.
const MOST_NORMALIZED: f64 = 16.0;
/// Samples of images hold a value beyond this.
const BRIGHT: f64 = 200.0;
/// The largest value of 8-bit data.
const WHITE: f64 = 255.0;
/// What yuv444_128 is less than yuv444.
const CENTRE: f64 = 128.0;
/// The part of the expected range that samples may go beyond, on either side.
const SLACK: f64 = 0.1;
/// Samples that use less than this part of the expected range are not what it is expected of.
const LEAST_USE: f64 = 0.02;
/// Largest magnitudes of samples that networks are trained on lie between these; masks of the largest float apart.
const LARGEST_USUAL: f64 = 1e7;
const SMALLEST_USUAL: f64 = 1e-5;

/// Asks about the numbers of an image input.
pub fn ask(checker: &mut Checker, input: &InputSettings, label: &str) {
    // The numbers of what is around 0 may be small.
    if *input.get(&INPUT_TYPE_RT) == InputType::Featuremap || *input.get(&INPUT_TYPE_TRAIN) == InputType::Yuv444_128 {
        return;
    }
    let deviations = checker.texts.contains_key(STD_VALUE.name).then(|| input.get(&STD_VALUE).as_deref()).flatten();
    let scales = input.get(&SCALE_VALUE).as_deref();
    let mean = input.get(&MEAN_VALUE).as_deref();
    let small = |numbers: &&[f64]| {
        numbers.iter().all(|number| number.abs() <= 1.0) && numbers.iter().any(|number| *number != 0.0)
    };
    let times_white = |numbers: &[f64]| {
        let numbers: Vec<String> = numbers.iter().map(|number| format!("{:.3}", number * WHITE)).collect();
        numbers.join(" ")
    };
    if let Some(mean) = mean.filter(small) {
        let what = format!("{label}: the numbers look like those of images in 0 to 1, but the data is 0 to 255");
        return checker.warning(
            &MEAN_VALUE,
            what,
            format!("write '{}', and divide the scale by 255, if so", times_white(mean)),
        );
    }
    if let Some(deviations) = deviations.filter(small) {
        let what = format!("{label}: the numbers look like those of images in 0 to 1, but the data is 0 to 255");
        return checker.warning(&STD_VALUE, what, format!("write '{}', if so", times_white(deviations)));
    }
    if deviations.is_none()
        && let Some(scales) = scales
        && scales.iter().all(|scale| *scale > 1.0)
    {
        let what = format!(
            "{label}: the data of 0 to 255 is multiplied by these numbers, which look like standard deviations"
        );
        checker.warning(&SCALE_VALUE, what, "write them as std_value, if so");
    }
}

/// What is doubtful about samples of an input whose values are in a range, where the network begins with a normalization of its own: what that
/// makes of pixels from 0 to 255 is far from what networks are trained on, and of pixels from 0 to 1 it makes values on both sides of 0.
pub fn question_normalized(normalization: &OwnNormalization, least: f64, most: f64) -> Option<String> {
    let reach = |(least, most): (f64, f64)| least.abs().max(most.abs());
    let range = normalization.range(least, most);
    let meant = normalization.range(least / WHITE, most / WHITE);
    let pixels = least >= 0.0 && most > BRIGHT && most <= WHITE;
    let normalizes = meant.0 < 0.0 && meant.1 > 0.0 && (1.0..=MOST_NORMALIZED).contains(&reach(meant));
    (pixels && normalizes && reach(range) > MOST_NORMALIZED).then(|| {
        format!(
            "input '{}': the samples are {least:.4} to {most:.4}, which the network's own normalization makes {:.4} to {:.4}; of values \
             that are 255 times as small it makes {:.4} to {:.4}",
            normalization.input, range.0, range.1, meant.0, meant.1
        )
    })
}

/// What is doubtful about samples of an input that are all of one value.
pub fn question_constant(input: &str, samples: usize, value: f64) -> String {
    format!(
        "input '{input}': nothing but {value} in the first {}, so that its range is not known",
        counted(samples, "sample")
    )
}

/// What is doubtful about samples whose largest magnitude is far from anything that networks are trained on. All layers follow it, so that
/// the precision that is found for such samples says nothing of others.
pub fn question_magnitude(input: &str, largest: f64) -> Option<String> {
    let doubt = if largest > LARGEST_USUAL { "large" } else { "small" };
    let unusual = largest > LARGEST_USUAL || (largest > 0.0 && largest < SMALLEST_USUAL);
    unusual.then(|| {
        format!("input '{input}': the largest magnitude in the samples is {largest:.4e}, which is too {doubt} for what networks are trained on")
    })
}

/// Why samples between `least` and `most` are hardly what the network was trained on, whose input is an image and its preprocessing.
/// `None` where they may be.
pub fn question_samples(input: &CheckedInput, least: f64, most: f64) -> Option<String> {
    let train = *input.get(&INPUT_TYPE_TRAIN);
    if train == InputType::Featuremap {
        return None;
    }
    let black = if train == InputType::Yuv444_128 { -CENTRE } else { 0.0 };
    let (means, scales) = (input.per_channel(&MEAN_VALUE), input.per_channel(&SCALE_VALUE));
    let channels = means.len().max(scales.len()).max(1);
    let mut range = (f64::INFINITY, f64::NEG_INFINITY);
    for channel in 0..channels {
        let mean = means.get(channel).copied().unwrap_or(0.0);
        let scale = scales.get(channel).copied().unwrap_or(1.0);
        for pixel in [black, black + WHITE] {
            let value = (pixel - mean) * scale;
            range = (range.0.min(value), range.1.max(value));
        }
    }
    let width = range.1 - range.0;
    let beyond = least < range.0 - SLACK * width || most > range.1 + SLACK * width;
    let within = most - least < LEAST_USE * width;
    // Pixels of 0 to 1 that nobody normalized: nothing below 0, where images have it, and nothing above 1.
    let raw = least >= 0.0 && most <= 1.0 && range.0 < -SLACK * width && range.1 > 1.0 + SLACK * width;
    (beyond || within || raw).then(|| {
        let doubt = if raw { ", and never below 0 or above 1, as pixels divided by 255" } else { "" };
        format!(
            "input '{}': the samples are {least:.4} to {most:.4}{doubt}, but images that are preprocessed by mean_value and scale_value are \
             {:.4} to {:.4}",
            input.name, range.0, range.1
        )
    })
}
