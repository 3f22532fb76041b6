//! `{prefix}_accuracy.json`: how far the quantized network is from the float one, where that is lost, and what decided on each type.

use super::compare::NodeFacts;
use super::distribution::Distribution;
use super::tables::{NodeRow, OutputRow};
use crate::bpu::lower::Placement;
use crate::bpu::model::Clamp;
use crate::quant::calibrate::Values;
use crate::quant::info::{Judge, PrecisionInfo, QuantInfo};
use crate::quant::search::Found;
use hb_dialects::ir::{Affine, Quantized, Scale};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How the QDQ form was judged: with eight samples or more, on those that had no part in rounding its weights.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The mean cosine of the worst part of the outputs.
    pub precision: PrecisionInfo,
    /// That part: the name of the output, and of its slice where there is one.
    pub worst: String,
    /// How many samples judge.
    pub samples: usize,
    noise: BTreeMap<String, f64>,
    info: QuantInfo,
}

impl Judgement {
    /// Of what a search settled on.
    pub fn of(found: &Found) -> Self {
        Self {
            precision: found.precision,
            worst: found.worst.clone(),
            samples: found.judged,
            noise: found.noise.clone(),
            info: found.info.clone(),
        }
    }
}

/// The file. Cosines, errors and shares of nodes and outputs are those of the first calibration sample.
#[derive(Debug, Serialize)]
pub struct Accuracy<'r> {
    /// None where samples are random: they judge nothing.
    judged: Option<Judged<'r>>,
    outputs: Vec<OutputAccuracy<'r>>,
    /// What costs most comes first.
    nodes: Vec<NodeAccuracy<'r>>,
}

#[derive(Debug, Serialize)]
struct Judged<'r> {
    samples: usize,
    #[serde(flatten)]
    precision: PrecisionInfo,
    worst: &'r str,
}

#[derive(Debug, Serialize)]
struct OutputAccuracy<'r> {
    name: &'r str,
    calibrated_cosine: Option<f64>,
    quantized_cosine: Option<f64>,
    quantized_sqnr_db: Option<f64>,
}

#[derive(Debug, Serialize)]
struct NodeAccuracy<'r> {
    name: &'r str,
    operator: &'r str,
    made_from: &'r [String],
    on: &'r str,
    /// Why it runs on the CPU.
    reason: Option<&'r str>,
    output_data_type: &'r str,
    /// What decided on range and type.
    judged_by: Option<Judge>,
    threshold: Option<f64>,
    /// The least and the greatest real that its integers stand for.
    range: Option<[f64; 2]>,
    /// What its rounding to int8 alone costs the outputs of their cosine; none where int8 was good enough for all, so that nobody asked.
    cost_as_int8: Option<f64>,
    calibrated_cosine: Option<f64>,
    quantized_cosine: Option<f64>,
    calibrated_sqnr_db: Option<f64>,
    quantized_sqnr_db: Option<f64>,
    /// The share of values at an end of the range.
    saturated: Option<f64>,
    /// The share of the integers that occur.
    levels_used: Option<f64>,
    /// The report draws it.
    #[serde(skip)]
    distribution: Option<Distribution>,
}

impl Accuracy<'_> {
    /// What the file says, and beside it of each node how its values are spread.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn with_distributions(&self) -> Result<Value, serde_json::Error> {
        let distributions = self.nodes.iter().map(|node| serde_json::to_value(&node.distribution));
        let distributions = distributions.collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "accuracy": self, "distributions": distributions }))
    }
}

/// The values of the levels: of the float network, of its QDQ form, and of the integers.
#[derive(Clone, Copy)]
pub struct Levels<'r> {
    /// Of the float network.
    pub float: &'r Values,
    /// Of its QDQ form.
    pub calibrated: &'r Values,
    /// Of the `bpu` level.
    pub quantized: &'r Values,
}

/// What the file says.
pub fn accuracy<'r>(
    facts: &'r [NodeFacts],
    rows: &'r [NodeRow],
    outputs: &'r [OutputRow],
    levels: Levels<'_>,
    judgement: Option<&'r Judgement>,
) -> Accuracy<'r> {
    let mut nodes: Vec<NodeAccuracy> =
        facts.par_iter().zip(rows).map(|(fact, row)| node(fact, row, levels, judgement)).collect();
    let cost = |node: &NodeAccuracy| {
        let lost = node.quantized_cosine.map_or(0.0, |cosine| 1.0 - cosine);
        // Of what is wider now it is no cost any more.
        let is_narrow = node.output_data_type == "int8";
        (node.cost_as_int8.filter(|_| is_narrow).unwrap_or_default(), lost)
    };
    nodes.sort_by(|a, b| {
        let ((a, a_lost), (b, b_lost)) = (cost(a), cost(b));
        b.total_cmp(&a).then(b_lost.total_cmp(&a_lost))
    });
    let pairs = levels.float.outputs.iter().zip(&levels.quantized.outputs);
    let outputs = outputs.iter().zip(pairs).map(|(row, (float, own))| OutputAccuracy {
        name: &row.tensor_name,
        calibrated_cosine: row.calibrated_cosine,
        quantized_cosine: row.quantized_cosine,
        quantized_sqnr_db: sqnr(float, own),
    });
    let judged = judgement.map(|Judgement { precision, worst, samples, .. }| Judged {
        samples: *samples,
        precision: *precision,
        worst,
    });
    Accuracy { judged, outputs: outputs.collect(), nodes }
}

fn node<'r>(
    fact: &'r NodeFacts,
    row: &'r NodeRow,
    levels: Levels<'_>,
    judgement: Option<&'r Judgement>,
) -> NodeAccuracy<'r> {
    let float = levels.float.nodes.get(&fact.name);
    let against = |other: &Values| sqnr(float?, other.nodes.get(&fact.name)?);
    let values = levels.quantized.nodes.get(&fact.name);
    let use_of_range = fact.integers.as_ref().zip(values).and_then(|(integers, values)| RangeUse::of(values, integers));
    NodeAccuracy {
        name: &fact.name,
        operator: &fact.operator,
        made_from: &fact.origins,
        on: &row.on,
        reason: match &fact.placement {
            Placement::Cpu { reason } => Some(reason),
            Placement::Bpu => None,
        },
        output_data_type: &fact.output_data_type,
        judged_by: judgement.and_then(|judgement| judgement.info.values.get(&fact.name)?.judged_by),
        threshold: fact.threshold,
        range: fact.integers.as_ref().and_then(range),
        cost_as_int8: judgement.and_then(|judgement| judgement.noise.get(&fact.name).copied()),
        calibrated_cosine: row.calibrated_cosine,
        quantized_cosine: row.quantized_cosine,
        calibrated_sqnr_db: against(levels.calibrated),
        quantized_sqnr_db: against(levels.quantized),
        saturated: use_of_range.map(|range| range.saturated),
        levels_used: use_of_range.map(|range| range.levels),
        distribution: float.zip(values).and_then(|(float, values)| Distribution::of(float, values)),
    }
}

/// The least and the greatest real of integers of 8 or 16 bits with one scale; none of others.
fn range(integers: &Quantized) -> Option<[f64; 2]> {
    let Scale::PerTensor(Affine { scale, zero_point }) = integers.scale else { return None };
    let Clamp { low, high } = clamp(integers.bits)?;
    Some([low, high].map(|end| f64::from(end - zero_point) * scale))
}

fn clamp(bits: u32) -> Option<Clamp> {
    match bits {
        8 => Some(Clamp::I8),
        16 => Some(Clamp::I16),
        _ => None,
    }
}

/// Signal over error in dB; none where there is no error, or no signal, or they cannot be compared.
fn sqnr(float: &[f32], own: &[f32]) -> Option<f64> {
    if float.len() != own.len() {
        return None;
    }
    let (signal, error) = float.iter().zip(own).fold((0.0, 0.0), |(signal, error), (a, b)| {
        let (a, b) = (f64::from(*a), f64::from(*b));
        (signal + a * a, error + (a - b) * (a - b))
    });
    let decibels = 10.0 * (signal / error).log10();
    decibels.is_finite().then_some(decibels)
}

/// How integers make use of their range.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RangeUse {
    saturated: f64,
    levels: f64,
}

impl RangeUse {
    /// Of the reals of integers of 8 or 16 bits with one scale; none of others.
    fn of(values: &[f32], integers: &Quantized) -> Option<Self> {
        let Scale::PerTensor(Affine { scale, zero_point }) = integers.scale else { return None };
        let Clamp { low, high } = clamp(integers.bits)?;
        let (per_unit, zero) = (1.0 / scale as f32, zero_point - low);
        let mut occurs = vec![false; (high - low) as usize + 1];
        // Symmetric integers leave the lowest one unused. An end that is the real 0 is none: there a function is 0.
        let lowest = if zero_point == 0 { 1 } else { 0 };
        let (lowest, highest) = (lowest as usize, occurs.len() - 1);
        let mut at_an_end = 0u32;
        for value in values {
            // Level 0 is the lowest integer. A conversion rounds down, which is one instruction on every processor.
            let level = (value * per_unit + zero as f32 + 0.5) as usize;
            at_an_end += u32::from((level <= lowest || level >= highest) && level != zero as usize);
            if let Some(occurs) = occurs.get_mut(level) {
                *occurs = true;
            }
        }
        let different = occurs.iter().filter(|occurs| **occurs).count();
        Some(Self {
            saturated: f64::from(at_an_end) / values.len().max(1) as f64,
            levels: different as f64 / occurs.len() as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_on_paper() {
        let asymmetric = |bits| Quantized { bits, scale: Scale::PerTensor(Affine { scale: 0.5, zero_point: -100 }) };
        // From (-128 + 100) / 2 to (127 + 100) / 2.
        assert_eq!((range(&asymmetric(8)), range(&asymmetric(32))), (Some([-14.0, 113.5]), None));
    }

    #[test]
    fn figures_on_paper() {
        // Signal 25, error 2.
        let found = sqnr(&[3.0, 4.0], &[4.0, 3.0]).unwrap();
        assert!((found - 10.0 * 12.5f64.log10()).abs() < 1e-12);
        assert_eq!((sqnr(&[1.0], &[1.0]), sqnr(&[0.0], &[1.0]), sqnr(&[1.0], &[])), (None, None, None));
        // Of 256 integers 0, 1, 127 and -128 occur; three of five values are at an end.
        let quantized = |bits, scale| Quantized { bits, scale };
        let found = RangeUse::of(&[0.0, 1.0, 127.0, -128.0, 127.0], &quantized(8, Scale::symmetric(1.0)));
        assert_eq!(found, Some(RangeUse { saturated: 0.6, levels: 4.0 / 256.0 }));
        // From -128 on: 0 is no end, 255 is.
        let relu = Scale::PerTensor(Affine { scale: 1.0, zero_point: -128 });
        let found = RangeUse::of(&[0.0, 0.0, 1.0, 255.0], &quantized(8, relu));
        assert_eq!(found, Some(RangeUse { saturated: 0.25, levels: 3.0 / 256.0 }));
    }
}
