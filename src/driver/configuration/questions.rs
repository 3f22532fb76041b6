//! What is allowed, and still more likely a mistake than meant: numbers of the preprocessing, and samples that contradict them.

use super::InputType;
use super::checking::Checker;
use super::keys::Word;
use super::model_check::CheckedInput;
use super::parameters::{INPUT_TYPE_RT, INPUT_TYPE_TRAIN, InputSettings, MEAN_VALUE, SCALE_VALUE, STD_VALUE};
use super::problem::counted;
use super::table::Parameter;
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

/// What ImageNet's pixels are on average, of red, green and blue.
const IMAGENET_MEAN: [f64; 3] = [123.675, 116.28, 103.53];
/// How far apart the numbers are that people write for them.
const IMAGENET_SLACK: f64 = 1.5;
/// Scales of pixels are smaller, and standard deviations of pixels from 0 to 1 larger.
const LARGEST_SCALE: f64 = 0.1;

/// The numbers of an image input.
#[derive(Clone, Copy)]
struct Numbers<'a> {
    mean: Option<&'a [f64]>,
    scales: Option<&'a [f64]>,
    /// Where the scales are given by them.
    deviations: Option<&'a [f64]>,
}

/// Asks about the numbers of an image input.
pub fn ask(checker: &mut Checker, input: &InputSettings, label: &str) {
    // The numbers of what is around 0 may be small.
    if *input.get(&INPUT_TYPE_RT) == InputType::Featuremap || *input.get(&INPUT_TYPE_TRAIN) == InputType::Yuv444_128 {
        return;
    }
    let numbers = Numbers {
        mean: input.get(&MEAN_VALUE).as_deref(),
        scales: input.get(&SCALE_VALUE).as_deref(),
        deviations: checker.texts.contains_key(STD_VALUE.name).then(|| input.get(&STD_VALUE).as_deref()).flatten(),
    };
    let doubt = numbers.swapped().or_else(|| numbers.of_small_pixels()).or_else(|| numbers.deviations_as_scales());
    if let Some((parameter, what, remedy)) =
        doubt.or_else(|| numbers.channels_turned_round(*input.get(&INPUT_TYPE_TRAIN)))
    {
        checker.warning(parameter, format!("{label}: {what}"), remedy);
    }
}

/// Of which parameter there is a doubt, what it is, and what to do.
type Doubt = (&'static Parameter, String, String);

/// Whether these can only be about pixels from 0 to 1.
fn small(numbers: &[f64]) -> bool {
    numbers.iter().all(|number| number.abs() <= 1.0) && numbers.iter().any(|number| *number != 0.0)
}

fn like_deviations_of_small_pixels(numbers: &[f64]) -> bool {
    numbers.iter().all(|number| (LARGEST_SCALE..1.0).contains(number))
}

fn written(numbers: &[f64], factor: f64, digits: usize) -> String {
    let numbers: Vec<String> = numbers.iter().map(|number| format!("{:.digits$}", number * factor)).collect();
    format!("'{}'", numbers.join(" "))
}

impl Numbers<'_> {
    fn swapped(self) -> Option<Doubt> {
        let (mean, scales) = (self.mean?, self.scales.filter(|_| self.deviations.is_none())?);
        let is = !mean.is_empty()
            && mean.iter().all(|number| (0.0..LARGEST_SCALE).contains(number) && *number != 0.0)
            && scales.iter().all(|scale| *scale > MOST_NORMALIZED);
        let what = "mean_value and scale_value look as if each held the numbers of the other".to_owned();
        is.then(|| (&*MEAN_VALUE, what, "swap them, if so".to_owned()))
    }

    /// Numbers of pixels from 0 to 1.
    fn of_small_pixels(self) -> Option<Doubt> {
        let what = "the numbers look like those of images in 0 to 1, but the data is 0 to 255".to_owned();
        if let Some(mean) = self.mean.filter(|mean| small(mean)) {
            let mean = written(mean, WHITE, 3);
            let remedy = match (self.deviations.filter(|numbers| small(numbers)), self.scales) {
                (Some(deviations), _) => {
                    format!("write {mean}, and std_value {}, if so", written(deviations, WHITE, 3))
                }
                (None, Some(scales)) if like_deviations_of_small_pixels(scales) => {
                    format!("write {mean}, and std_value {} in place of scale_value, if so", written(scales, WHITE, 3))
                }
                (None, Some(scales)) if scales.iter().all(|scale| *scale >= 1.0) && self.deviations.is_none() => {
                    format!("write {mean}, and scale_value {}, if so", written(scales, 1.0 / WHITE, 8))
                }
                _ => format!("write {mean}, if so"),
            };
            return Some((&MEAN_VALUE, what, remedy));
        }
        let deviations = self.deviations.filter(|numbers| small(numbers))?;
        Some((&STD_VALUE, what, format!("write {}, if so", written(deviations, WHITE, 3))))
    }

    /// Scales that are standard deviations.
    fn deviations_as_scales(self) -> Option<Doubt> {
        let scales = self.scales.filter(|_| self.deviations.is_none())?;
        if scales.iter().all(|scale| *scale > 1.0) {
            let what = "the data of 0 to 255 is multiplied by these numbers, which look like standard deviations";
            return Some((&SCALE_VALUE, what.to_owned(), "write them as std_value, if so".to_owned()));
        }
        let what = "the data of 0 to 255 is multiplied by these numbers, which look like standard deviations of images in 0 to 1";
        let remedy = || format!("write std_value {} in place of it, if so", written(scales, WHITE, 3));
        like_deviations_of_small_pixels(scales).then(|| (&*SCALE_VALUE, what.to_owned(), remedy()))
    }

    /// ImageNet's means for red, green and blue where the network takes blue, green and red, or the other way round.
    fn channels_turned_round(self, train: InputType) -> Option<Doubt> {
        let mean: [f64; 3] = self.mean?.try_into().ok()?;
        let near = |expected: [f64; 3]| {
            mean.iter().zip(expected).all(|(number, expected)| (number - expected).abs() <= IMAGENET_SLACK)
        };
        let [red, green, blue] = IMAGENET_MEAN;
        let (other, turned) = match train {
            InputType::Bgr => ("rgb", near(IMAGENET_MEAN)),
            InputType::Rgb => ("bgr", near([blue, green, red])),
            _ => return None,
        };
        let what = format!(
            "the numbers are those of ImageNet in the order of {other}, but input_type_train is {}",
            train.word()
        );
        let remedy = format!("turn them and those of scale_value round, or write input_type_train {other}, if so");
        turned.then_some((&*MEAN_VALUE, what, remedy))
    }
}

/// What is doubtful about images that go to a network as they are.
pub fn question_raw_images(input: &str) -> String {
    format!(
        "input '{input}': neither mean_value nor scale_value is given, so the network gets pixels of 0 to 255 as they are"
    )
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
