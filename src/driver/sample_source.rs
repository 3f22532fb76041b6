//! Where calibration samples come from, and what is odd about them.

use super::configuration::{
    CAL_IMAGE_PREPROCESSING, CheckedInput, MEAN_VALUE, SCALE_VALUE, question_constant, question_magnitude,
    question_normalized, question_raw_images, question_samples,
};
use super::samples;
use crate::cpu::{Array, FloatExecutable};
use crate::float::own_normalization::own_normalizations;
use crate::quant::calibrate::{CalibrationError, Draw, random_inputs};
use hb_dialects::ElementType;
use melior::ir::OperationRef;

/// Random samples of calibration type `skip`.
const RANDOM_SAMPLES: usize = 4;
/// The samples whose range is compared with what the preprocessing gives.
const QUESTIONED_SAMPLES: usize = 8;

/// Where calibration samples come from.
pub(super) enum SampleSource {
    /// Random numbers, drawn in this way: they say nothing of the network's use.
    Random(Draw),
    /// Those of the configuration.
    Files(samples::SampleFiles),
}

impl SampleSource {
    pub(super) fn len(&self) -> usize {
        match self {
            SampleSource::Random(_) => RANDOM_SAMPLES,
            SampleSource::Files(samples) => samples.len(),
        }
    }

    /// Where a sample comes from, as `accuracy_command` is told.
    pub(super) fn name(&self, index: usize) -> String {
        match self {
            SampleSource::Random(_) => "random".to_owned(),
            SampleSource::Files(samples) => samples.name(index),
        }
    }

    pub(super) fn read(&self, executable: &FloatExecutable, index: usize) -> Result<Vec<Array>, CalibrationError> {
        match self {
            SampleSource::Random(draw) => random_inputs(executable, index as u64, *draw),
            SampleSource::Files(samples) => samples.read(index),
        }
    }
}

/// `error`, by the file that holds what makes values infinite, where it is the samples.
pub(super) fn of_infinite_sample(
    error: CalibrationError,
    source: &SampleSource,
    executable: &FloatExecutable,
) -> CalibrationError {
    let value = match &error {
        CalibrationError::NotFinite { value, constant: None, .. } => value,
        CalibrationError::NotANumber { output, constant: None } => output,
        _ => return error,
    };
    if matches!(source, SampleSource::Random(_)) {
        return CalibrationError::Sample {
            sample: "random numbers".to_owned(),
            reason: format!(
                "the value of '{value}' is infinite or no number for them, of whichever sign; give samples of what the network is used for \
                 (cal_data_dir)"
            ),
        };
    }
    let is_infinite = |index: &usize| {
        let arrays = source.read(executable, *index).unwrap_or_default();
        arrays.iter().any(|array| array.to_f64().iter().any(|value| value.is_infinite()))
    };
    match (0..source.len()).find(is_infinite) {
        Some(index) => CalibrationError::Sample {
            sample: source.name(index).replace('\t', ", "),
            reason: format!(
                "it holds infinity, which makes the value of '{value}' infinite or no number; correct or remove the file"
            ),
        },
        None => error,
    }
}

/// Asks in the log about samples that the preprocessing contradicts, or that cannot belong to the network.
pub(super) fn question_ranges(
    source: &SampleSource,
    executable: &FloatExecutable,
    function: OperationRef<'_, '_>,
    inputs: &[CheckedInput],
) -> Result<(), CalibrationError> {
    if matches!(source, SampleSource::Random(_)) {
        return Ok(());
    }
    let normalizations = own_normalizations(function)?;
    let count = source.len().min(QUESTIONED_SAMPLES);
    let mut seen = vec![Seen::default(); inputs.len()];
    for index in 0..count {
        for (seen, array) in seen.iter_mut().zip(source.read(executable, index)?) {
            seen.see(&array);
        }
    }
    let elements = executable.inputs().map(|(_, element, _)| element);
    for ((input, seen), element) in inputs.iter().zip(seen).zip(elements) {
        // Integers cannot be as small as a normalization may want them.
        let is_float = element == ElementType::F32;
        let own = normalizations.iter().find(|own| own.input == input.name && is_float);
        let Seen { least, most, .. } = seen;
        if is_float && seen.has_many && least == most {
            tracing::warn!(
                "{}; give samples of what the network is used for",
                question_constant(&input.name, count, least)
            );
        } else if let Some(doubt) = question_samples(input, least, most) {
            tracing::warn!(
                "{doubt}; samples are stored normalised, as the network was trained: check them, and mean and scale"
            );
        } else if let Some(doubt) = own.and_then(|own| question_normalized(own, least, most)) {
            tracing::warn!("{doubt}; divide the samples by 255 if the network was trained on those");
        } else if input.get(&CAL_IMAGE_PREPROCESSING).is_some()
            && own.is_none()
            && [&MEAN_VALUE, &SCALE_VALUE].into_iter().all(|key| input.get(key).is_none())
        {
            tracing::warn!("{}; give them, if it was trained on others", question_raw_images(&input.name));
        } else if is_float
            && !seen.is_mask()
            && let Some(doubt) = question_magnitude(&input.name, least.abs().max(most.abs()))
        {
            tracing::warn!("{doubt}; the precision that is told below holds for such values alone: check the samples");
        }
    }
    Ok(())
}

/// What was seen of the samples of an input.
#[derive(Clone)]
struct Seen {
    least: f64,
    most: f64,
    /// Whether there are several elements.
    has_many: bool,
    /// Whether there are elements between the ends.
    has_between: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Self { least: f64::INFINITY, most: f64::NEG_INFINITY, has_many: true, has_between: false }
    }
}

impl Seen {
    fn see(&mut self, array: &Array) {
        self.has_many &= array.len() > 1;
        for value in array.to_f64() {
            let (least, most) = (self.least.min(value), self.most.max(value));
            // What was an end and is none any more lies between, too.
            let inner = |seen: f64| seen.is_finite() && seen != least && seen != most;
            self.has_between |= [self.least, self.most, value].into_iter().any(inner);
            (self.least, self.most) = (least, most);
        }
    }

    /// Whether elements have one of two values, of which one may be as good as infinite.
    fn is_mask(&self) -> bool {
        !self.has_between
    }
}
