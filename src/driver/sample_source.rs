//! Where calibration samples come from, and what is odd about them.

use super::configuration::{CheckedInput, question_constant, question_normalized, question_samples};
use super::samples;
use crate::cpu::{Array, FloatExecutable};
use crate::float::own_normalization::own_normalizations;
use crate::quant::calibrate::{CalibrationError, random_inputs};
use hb_dialects::ElementType;
use melior::ir::OperationRef;

/// Random samples of calibration type `skip`.
const RANDOM_SAMPLES: usize = 4;
/// The samples whose range is compared with what the preprocessing gives.
const QUESTIONED_SAMPLES: usize = 8;

/// Where calibration samples come from.
pub(super) enum SampleSource {
    /// Random numbers: they say nothing of the network's use.
    Random,
    /// Those of the configuration.
    Files(samples::SampleFiles),
}

impl SampleSource {
    pub(super) fn len(&self) -> usize {
        match self {
            SampleSource::Random => RANDOM_SAMPLES,
            SampleSource::Files(samples) => samples.len(),
        }
    }

    /// Where a sample comes from, as `accuracy_command` is told.
    pub(super) fn name(&self, index: usize) -> String {
        match self {
            SampleSource::Random => "random".to_owned(),
            SampleSource::Files(samples) => samples.name(index),
        }
    }

    pub(super) fn read(&self, executable: &FloatExecutable, index: usize) -> Result<Vec<Array>, CalibrationError> {
        match self {
            SampleSource::Random => random_inputs(executable, index as u64),
            SampleSource::Files(samples) => samples.read(index),
        }
    }
}

/// Asks in the log about samples that the preprocessing contradicts, or that cannot belong to the network.
pub(super) fn question_ranges(
    source: &SampleSource,
    executable: &FloatExecutable,
    function: OperationRef<'_, '_>,
    inputs: &[CheckedInput],
) -> Result<(), CalibrationError> {
    if matches!(source, SampleSource::Random) {
        return Ok(());
    }
    let normalizations = own_normalizations(function)?;
    let count = source.len().min(QUESTIONED_SAMPLES);
    let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); inputs.len()];
    let mut is_one_value = vec![true; inputs.len()];
    for index in 0..count {
        for ((range, one), array) in ranges.iter_mut().zip(&mut is_one_value).zip(source.read(executable, index)?) {
            *one &= array.len() > 1 && array.element() == ElementType::F32;
            for value in array.to_f64() {
                *range = (range.0.min(value), range.1.max(value));
            }
        }
    }
    let elements = executable.inputs().map(|(_, element, _)| element);
    for (((input, (least, most)), is_one_value), element) in inputs.iter().zip(ranges).zip(is_one_value).zip(elements) {
        // Integers cannot be as small as a normalization may want them.
        let own = normalizations.iter().find(|own| own.input == input.name && element == ElementType::F32);
        if is_one_value && least == most {
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
        }
    }
    Ok(())
}
