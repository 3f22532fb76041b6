//! Which values are int16: those whose rounding to int8 costs the outputs most for the time that they take.

use super::{
    evidence::Evidence,
    groups::ScaleGroups,
    linear::{LinearLayer, weights_of},
    rules::{ACTIVATION_BITS, ResultScale, WIDE_BITS, rule_of},
    thresholds::{ThresholdRange, has_pole, value_name},
};
use crate::numerics::{accumulator_fits, largest_integer};
use hb_dialects::ElementType;
use hb_dialects::ir::{self, IrError, TensorType};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use ndarray::{ArrayView1, s};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// What a wider element costs beside products: it is written and read several times.
const ELEMENT: u64 = 64;

/// A bias has at most so many steps of the accumulator: `quant-insert-casts` raises the scale of its weights otherwise.
const MOST_BIAS: f64 = (1u32 << 30) as f64;

/// A value that could be int16, with the values that share its scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The name of the value whose threshold decides the scale.
    pub value: String,
    /// What int16 costs, in products of an int8 by an int8: those of the layers that read it, which take twice as long, and
    /// `ELEMENT` for each element of the values that become wider.
    pub cost: u64,
    /// Its range as int16, without that of its int8 readers.
    pub wide: ThresholdRange,
}

/// Every quantized value that may be int16: something that reads it, or what is moved of it, can work with that.
///
/// # Errors
/// When attributes or types cannot be read.
pub fn candidates(function: OperationRef<'_, '_>, evidence: &Evidence) -> Result<Vec<Candidate>, IrError> {
    let groups = ScaleGroups::of(function)?;
    // By the address of the value whose scale the others have.
    let mut found: HashMap<usize, Candidate> = HashMap::new();
    let mut order = Vec::new();
    for value in groups.quantized() {
        let source = groups.source(value);
        let name = value_name(function, source);
        let Some(&top) = evidence.largest.get(&name) else { continue };
        let wide =
            ThresholdRange { narrow_threshold: None, ..ThresholdRange::from(top).widened(top, has_pole(source)) };
        if !may_be_wide(function, value, wide.threshold / largest_integer(WIDE_BITS))? {
            continue;
        }
        let key = ir::address(source);
        let candidate = found.entry(key).or_insert_with(|| {
            order.push(key);
            Candidate { value: name, cost: 0, wide }
        });
        candidate.cost += cost(function, value)?;
    }
    Ok(order.iter().filter_map(|key| found.remove(key)).collect())
}

/// The candidates that leave at most the share `left` of all noise when they are int16: those with the most noise for their cost first; all of them for 0. Noise
/// is by candidate.
pub fn choose(candidates: &[Candidate], noise: &[f64], left: f64) -> BTreeMap<String, ThresholdRange> {
    let total: f64 = noise.iter().sum();
    let mut remaining = total;
    let needed = by_worth(candidates, noise).into_iter().take_while(|(_, noise)| {
        let wanted = left == 0.0 || remaining > left * total;
        remaining -= noise;
        wanted
    });
    needed.map(|(candidate, _)| (candidate.value.clone(), candidate.wide)).collect()
}

/// As many candidates, those with the most noise for their cost first.
pub fn first(candidates: &[Candidate], noise: &[f64], count: usize) -> BTreeMap<String, ThresholdRange> {
    let order = by_worth(candidates, noise).into_iter().take(count);
    order.map(|(candidate, _)| (candidate.value.clone(), candidate.wide)).collect()
}

/// The largest number of candidates, those with the most noise for their cost first, that costs no more than halfway between what `less` and
/// `more` of them cost; `less` where there are not as many.
pub fn halfway(candidates: &[Candidate], noise: &[f64], less: usize, more: usize) -> usize {
    let costs: Vec<u64> = by_worth(candidates, noise).iter().map(|(candidate, _)| candidate.cost).collect();
    let between = costs.get(less..more).unwrap_or_default();
    let half = between.iter().sum::<u64>() / 2;
    let mut sum = 0;
    let reached = between.iter().position(|cost| {
        sum += cost;
        sum > half
    });
    less + reached.unwrap_or(0)
}

/// Candidates with their noise, those with the most for their cost first.
fn by_worth<'s>(candidates: &'s [Candidate], noise: &[f64]) -> Vec<(&'s Candidate, f64)> {
    let mut order: Vec<(&Candidate, f64)> = candidates.iter().zip(noise.iter().copied()).collect();
    let worth = |(candidate, noise): &(&Candidate, f64)| noise / candidate.cost.max(1) as f64;
    order.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
    order
}

/// Whether a reader can see a value as int16 of this step, or moves it.
fn may_be_wide(function: OperationRef<'_, '_>, value: Value<'_, '_>, step: f64) -> Result<bool, IrError> {
    let mut narrow = false;
    for reader in ir::users(value) {
        let Some(rule) = rule_of(reader)? else { continue };
        if !rule.takes_int16(reader)? {
            // It sees the value as int8 whatever the others do.
            narrow = true;
            continue;
        }
        let first = reader.operand(0).is_ok_and(|operand| operand.to_raw().ptr == value.to_raw().ptr);
        if first && rule.result(reader)? == ResultScale::LikeInput {
            // What reads the moved values counts.
            return Ok(true);
        }
        match first.then(|| LinearLayer::of(function, reader)).transpose()?.flatten() {
            Some(layer) if !sums_fit(&layer, reader, step)? => narrow = true,
            _ => return Ok(true),
        }
    }
    // What nothing reads that is quantized is an output.
    Ok(!narrow)
}

/// What a value costs as int16.
fn cost(function: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<u64, IrError> {
    let mut cost = ELEMENT * TensorType::from_type(value.r#type())?.elements().unwrap_or(0) as u64;
    for reader in ir::users(value) {
        if let Some(layer) = LinearLayer::of(function, reader)? {
            cost += layer.products();
        }
    }
    Ok(cost)
}

/// Whether the 32-bit sums of a layer over an int16 input of this step cannot overflow.
fn sums_fit(layer: &LinearLayer, operation: OperationRef<'_, '_>, step: f64) -> Result<bool, IrError> {
    let weights = weights_of(operation)?;
    let weights = weights.as_ref().map(|weights| weights.f32s()).transpose()?.unwrap_or_default();
    let bias = operation.operand(2).ok().and_then(ir::constant_of);
    let bias = bias.filter(|bias| bias.r#type.element == ElementType::F32);
    let bias = bias.as_ref().map(|bias| bias.f32s()).transpose()?.unwrap_or_default();
    let weights = layer.by_row(&weights)?;
    let most = f64::from(1u32 << (WIDE_BITS - 1));
    let fits = |(group, row)| {
        let (sum, largest) = magnitudes(weights.slice(s![group, row, ..]));
        if largest == 0.0 {
            return true;
        }
        let scale = largest / largest_integer(ACTIVATION_BITS);
        let bias = bias.get(layer.channel(group, row)).map_or(0.0, |&bias| f64::from(bias.abs()));
        let sum = sum / scale + layer.terms as f64 / 2.0;
        accumulator_fits((sum * most + (bias / scale / step).min(MOST_BIAS)) as u64)
    };
    Ok((0..layer.groups * layer.rows).into_par_iter().map(|row| (row / layer.rows, row % layer.rows)).all(fits))
}

/// The sum of the magnitudes of the weights of a row, and the largest of them.
fn magnitudes(weights: ArrayView1<'_, f32>) -> (f64, f64) {
    weights.iter().fold((0.0, 0.0), |(sum, largest), weight| {
        let weight = f64::from(weight.abs());
        (sum + weight, largest.max(weight))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_cost_between_two_numbers_of_candidates() {
        let candidate = |cost: u64| Candidate { value: cost.to_string(), cost, wide: ThresholdRange::from(1.0) };
        // In this order: each has ten times less noise for its cost than the one before.
        let candidates: Vec<Candidate> = [1, 2, 3, 10, 4].map(candidate).into();
        let noise = [1e4, 2e3, 300.0, 100.0, 4.0];
        // Beyond the first two there are 17: 3 are less than half of that, 13 more.
        assert_eq!(halfway(&candidates, &noise, 2, 5), 3);
        // Of 20 the first three have 6.
        assert_eq!(halfway(&candidates, &noise, 0, 5), 3);
        assert_eq!((halfway(&candidates, &noise, 3, 4), halfway(&candidates, &noise, 4, 4)), (3, 4));
        assert_eq!((halfway(&candidates, &noise, 2, 9), halfway(&[], &[], 0, 0)), (2, 0));
    }

    #[test]
    fn the_noisiest_for_their_cost_come_first() {
        let candidate = |value: &str, cost| Candidate {
            value: value.into(),
            cost,
            wide: ThresholdRange { bits: WIDE_BITS, ..1.0.into() },
        };
        let all = [candidate("large", 1000), candidate("small", 10), candidate("quiet", 1000)];
        let names = |left| choose(&all, &[0.5, 0.3, 0.2], left).into_keys().collect::<Vec<_>>();
        assert!(names(1.0).is_empty());
        assert_eq!(names(0.75), ["small"]);
        assert_eq!(names(0.5), ["large", "small"]);
        assert_eq!(names(0.0), ["large", "quiet", "small"]);
        assert_eq!(choose(&all, &[0.0; 3], 0.0).len(), 3);
        assert_eq!(first(&all, &[0.5, 0.3, 0.2], 1).into_keys().collect::<Vec<_>>(), ["small"]);
    }
}
