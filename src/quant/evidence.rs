//! What is measured of a float network on samples: the ranges of its values, and what decides on rounding and precision.

use super::{
    calibrate::{CalibrationError, Measured, Measurement, Samples, Values, measure, threads, thresholds},
    groups::ScaleGroups,
    info::{CalibrationInfo, Judge, QuantInfo, ValueInfo},
    linear::LinearLayer,
    moments::{Moments, MomentsPlan},
    observer::Observer,
    thresholds::{assign_thresholds, value_name},
};
use crate::cpu::{Array, FloatExecutable};
use hb_dialects::ir::{self, IrError};
use melior::ir::OperationRef;
use std::collections::{BTreeMap, HashMap, HashSet};

/// At most so many samples decide how weights are rounded, and as many others judge the precision of the quantized network.
const SHARE_SAMPLES: usize = 16;
/// With fewer samples than this all do both.
const FEWEST_SAMPLES: usize = 8;

/// How ranges are measured.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// The share of the values of a tensor that lies within its threshold: 0.5 to 1.
    pub percentile: f64,
    /// Samples are random numbers: they give ranges, and say nothing of the network's use.
    pub random: bool,
}

/// What calibration gives.
#[derive(Debug)]
pub struct Calibrated {
    /// Every activation as int8.
    pub info: QuantInfo,
    /// None where samples are random.
    pub evidence: Option<Evidence>,
    /// What the float network makes of the first sample.
    pub first: Values,
}

/// What decides on the rounding of weights and the widths of activations.
#[derive(Debug)]
pub struct Evidence {
    /// The largest magnitudes of values by name.
    pub(super) largest: HashMap<String, f64>,
    /// Second moments of the inputs of layers.
    pub moments: Moments,
    /// The samples that judge, and the float network's outputs for each.
    pub(super) judged: Vec<usize>,
    pub(super) outputs: Vec<Vec<Array>>,
}

/// Measures a float function on samples, by an executable of it that observes everything, and writes the thresholds as attributes of its
/// values. `done` is called after each sample.
///
/// # Errors
/// When a sample cannot be read or run, or a value is not finite.
pub fn calibrate(
    function: OperationRef<'_, '_>,
    executable: &FloatExecutable,
    samples: &Samples<'_>,
    method: Method,
    done: &(dyn Fn() + Sync),
) -> Result<Calibrated, CalibrationError> {
    let groups = ScaleGroups::of(function)?;
    let layers = layers(function)?;
    let own: Vec<String> = groups.measured().map(|value| value_name(function, value)).collect();
    // The results of layers show how much of the noise of their inputs matters, also where nothing rounds them.
    let names: HashSet<String> = own.iter().cloned().chain(layers.iter().map(|layer| layer.node.clone())).collect();
    let (learned, judged) = if method.random { Default::default() } else { shares(samples.count) };
    let channels = names.iter().cloned().chain(groups.quantized().map(|value| value_name(function, value)));
    let plan = MomentsPlan::new(layers, channels.collect(), learned);
    let measured = Measured { names: &names, percentile: method.percentile, outputs_of: &judged, moments: &plan };
    let Measurement { observers, outputs, taken, first } = measure(executable, &measured, samples, done)?;
    let info = info(&own, &observers, samples.count, method);
    let ranges = info.ranges();
    assign_thresholds(function, |name| ranges.get(name).copied()).map_err(CalibrationError::Threshold)?;
    let evidence = if method.random {
        None
    } else {
        let largest = largest(function, &groups, &observers);
        let moments = Moments::of(&plan, &taken, &largest, &threads(samples.jobs)?);
        Some(Evidence { largest, moments, judged, outputs })
    };
    Ok(Calibrated { info, evidence, first })
}

fn info(names: &[String], observers: &BTreeMap<String, Observer>, samples: usize, method: Method) -> QuantInfo {
    let judge = match method {
        Method { random: true, .. } => Judge::Random,
        Method { percentile, .. } if percentile < 1.0 => Judge::Percentile,
        _ => Judge::Max,
    };
    let thresholds = thresholds(observers, method.percentile);
    let value = |name: &String| {
        let (range, observer) = (thresholds.get(name)?, observers.get(name)?);
        Some((name.clone(), ValueInfo::new(*range, f64::from(observer.largest()), judge)))
    };
    let calibration = CalibrationInfo { samples, random: method.random, percentile: method.percentile };
    QuantInfo { calibration: Some(calibration), precision: None, values: names.iter().filter_map(value).collect() }
}

/// The largest magnitudes of values by name: of those that were observed, and of those that share their scale.
fn largest(
    function: OperationRef<'_, '_>,
    groups: &ScaleGroups<'_, '_>,
    observers: &BTreeMap<String, Observer>,
) -> HashMap<String, f64> {
    let observed = observers.iter().map(|(name, observer)| (name.clone(), f64::from(observer.largest())));
    let mut largest: HashMap<String, f64> = observed.collect();
    for value in groups.quantized() {
        if let Some(&top) = largest.get(&value_name(function, groups.source(value))) {
            largest.insert(value_name(function, value), top);
        }
    }
    largest
}

/// The layers of a network with constant weights.
fn layers(function: OperationRef<'_, '_>) -> Result<Vec<LinearLayer>, IrError> {
    let mut layers = Vec::new();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        layers.extend(LinearLayer::of(function, operation)?);
    }
    Ok(layers)
}

/// The samples that decide on rounding and those that judge it: every other one each, evenly spread.
fn shares(count: usize) -> (Vec<usize>, Vec<usize>) {
    if count < FEWEST_SAMPLES {
        return ((0..count).collect(), (0..count).collect());
    }
    let pairs = (count / 2).min(SHARE_SAMPLES);
    (0..pairs).map(|i| 2 * (i * (count / 2) / pairs)).map(|first| (first, first + 1)).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sample_judges_what_it_decided() {
        assert_eq!(shares(3), (vec![0, 1, 2], vec![0, 1, 2]));
        assert_eq!(shares(8), (vec![0, 2, 4, 6], vec![1, 3, 5, 7]));
        let (learned, judged) = shares(1000);
        assert_eq!((learned.len(), judged.len()), (16, 16));
        assert!(learned.iter().all(|index| !judged.contains(index)) && judged.iter().all(|&index| index < 1000));
    }
}
