//! Which values are int16: those whose rounding to int8 costs the network most for the bytes that they take.

use super::{
    evidence::Evidence,
    groups::ScaleGroups,
    linear::{LinearLayer, weights_of},
    moments::Moments,
    rules::{ACTIVATION_BITS, ResultScale, WIDE_BITS, rule_of},
    thresholds::{ThresholdRange, assigned_threshold, value_name},
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
    /// The power of its rounding to int8, relative to what its readers compute: the largest share that it has in the spread of a result.
    pub noise: f64,
    /// What int16 costs, in products of an int8 by an int8: those of the layers that read it, which take twice as long, and
    /// `ELEMENT` for each element of the values that become wider.
    pub cost: u64,
    /// Its range as int16.
    pub wide: ThresholdRange,
}

/// Every quantized value that may be int16: something that reads it, or what is moved of it, can work with that.
///
/// # Errors
/// When attributes or types cannot be read.
pub fn candidates(function: OperationRef<'_, '_>, evidence: &Evidence) -> Result<Vec<Candidate>, IrError> {
    let groups = ScaleGroups::of(function)?;
    let largest = &evidence.largest;
    let noise = Noise { function, moments: &evidence.moments, largest };
    // By the address of the value whose scale the others have.
    let mut found: HashMap<usize, Candidate> = HashMap::new();
    let mut order = Vec::new();
    for value in groups.quantized() {
        let source = groups.source(value);
        let name = value_name(function, source);
        let (Some(threshold), Some(&top)) = (assigned_threshold(function, source), largest.get(&name)) else {
            continue;
        };
        let wide = ThresholdRange::wide(top, threshold);
        let steps = Steps { int8: step(threshold, ACTIVATION_BITS), int16: step(wide.threshold, WIDE_BITS) };
        let Some(share) = noise.of(value, steps, top)? else { continue };
        let key = source.to_raw().ptr as usize;
        let candidate = found.entry(key).or_insert_with(|| {
            order.push(key);
            Candidate { value: name, noise: 0.0, cost: 0, wide }
        });
        candidate.noise = candidate.noise.max(share);
        candidate.cost += noise.cost(value)?;
    }
    Ok(order.iter().filter_map(|key| found.remove(key)).collect())
}

/// The candidates that leave at most the share `left` of all noise when they are int16: those with the most noise for their cost first.
pub fn choose(candidates: &[Candidate], left: f64) -> BTreeMap<String, ThresholdRange> {
    let total: f64 = candidates.iter().map(|candidate| candidate.noise).sum();
    let mut order: Vec<&Candidate> = candidates.iter().collect();
    let worth = |candidate: &Candidate| candidate.noise / candidate.cost.max(1) as f64;
    order.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
    let mut remaining = total;
    let needed = order.into_iter().take_while(|candidate| {
        let wanted = remaining > left * total;
        remaining -= candidate.noise;
        wanted
    });
    needed.map(|candidate| (candidate.value.clone(), candidate.wide)).collect()
}

/// Not rounded to f32 as a scale is: only what is next to nothing matters less.
fn step(threshold: f64, bits: u32) -> f64 {
    threshold / largest_integer(bits)
}

/// The steps of a value in both widths.
#[derive(Clone, Copy)]
struct Steps {
    int8: f64,
    int16: f64,
}

struct Noise<'c, 'a, 'm> {
    function: OperationRef<'c, 'a>,
    moments: &'m Moments,
    largest: &'m HashMap<String, f64>,
}

impl Noise<'_, '_, '_> {
    /// The relative noise of rounding a value to int8; none when no reader can see it as int16.
    fn of(&self, value: Value<'_, '_>, steps: Steps, largest: f64) -> Result<Option<f64>, IrError> {
        // A rounding error is uniform over a step.
        let rounding = steps.int8 * steps.int8 / 12.0;
        let name = value_name(self.function, value);
        let own = self.share(rounding, self.moments.variance(&name).map(|variance| variance * largest * largest));
        let mut most = 0f64;
        let (mut moved, mut narrow, mut wide) = (false, false, false);
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
                moved = true;
                continue;
            }
            match first.then(|| LinearLayer::of(self.function, reader)).transpose()?.flatten() {
                Some(layer) => {
                    let rows = Rows::of(&layer, reader)?;
                    if !rows.fit(steps.int16) {
                        narrow = true;
                        continue;
                    }
                    wide = true;
                    most = most.max(self.share(rounding * rows.squares, self.spread(&layer.node)));
                }
                None => {
                    wide = true;
                    most = most.max(own);
                }
            }
        }
        if narrow && !wide && !moved {
            return Ok(None);
        }
        Ok(Some(if moved || most > 0.0 { most } else { own }))
    }

    /// What a value costs as int16.
    fn cost(&self, value: Value<'_, '_>) -> Result<u64, IrError> {
        let mut cost = ELEMENT * TensorType::from_type(value.r#type())?.elements().unwrap_or(0) as u64;
        for reader in ir::users(value) {
            if let Some(layer) = LinearLayer::of(self.function, reader)? {
                cost += (layer.positions() * layer.groups * layer.rows * layer.terms) as u64;
            }
        }
        Ok(cost)
    }

    /// The variance of a value by name.
    fn spread(&self, name: &str) -> Option<f64> {
        let largest = self.largest.get(name)?;
        Some(self.moments.variance(name)? * largest * largest)
    }

    /// At most all of it; of what does not vary or was not measured nothing is known, so that it counts as lost.
    fn share(&self, noise: f64, variance: Option<f64>) -> f64 {
        match variance {
            Some(variance) if variance > noise => noise / variance,
            _ => 1.0,
        }
    }
}

/// What matters of the weights of a layer.
struct Rows {
    /// The mean over rows of the sums of squares of their weights.
    squares: f64,
    /// Of each row: the sum of the magnitudes of its weights and of its bias, over the scale of its weights.
    magnitudes: Vec<(f64, f64)>,
}

impl Rows {
    fn of(layer: &LinearLayer, operation: OperationRef<'_, '_>) -> Result<Self, IrError> {
        let weights = weights_of(operation)?;
        let weights = weights.as_ref().map(|weights| weights.f32s()).transpose()?.unwrap_or_default();
        let bias = operation.operand(2).ok().and_then(ir::constant_of);
        let bias = bias.filter(|bias| bias.r#type.element == ElementType::F32);
        let bias = bias.as_ref().map(|bias| bias.f32s()).transpose()?.unwrap_or_default();
        let mut rows = Self { squares: 0.0, magnitudes: Vec::new() };
        let weights = layer.by_row(&weights)?;
        let places = (0..layer.groups * layer.rows).into_par_iter().map(|row| (row / layer.rows, row % layer.rows));
        let sums = |(group, row)| (group, row, RowSums::of(weights.slice(s![group, row, ..])));
        for (group, row, RowSums { squares, magnitudes, largest }) in places.map(sums).collect::<Vec<_>>() {
            rows.squares += squares;
            if largest > 0.0 {
                let scale = step(largest, ACTIVATION_BITS);
                let bias = bias.get(layer.channel(group, row)).map_or(0.0, |&bias| f64::from(bias.abs()));
                rows.magnitudes.push((magnitudes / scale + layer.terms as f64 / 2.0, bias / scale));
            }
        }
        rows.squares /= (layer.groups * layer.rows).max(1) as f64;
        Ok(rows)
    }

    /// Whether the 32-bit sums over an int16 input of this step cannot overflow.
    fn fit(&self, step: f64) -> bool {
        let most = f64::from(1u32 << (WIDE_BITS - 1));
        self.magnitudes
            .iter()
            .all(|(weights, bias)| accumulator_fits((weights * most + (bias / step).min(MOST_BIAS)) as u64))
    }
}

/// Of the weights of a row: the sums of their squares and of their magnitudes, and the largest of these.
#[derive(Default)]
struct RowSums {
    squares: f64,
    magnitudes: f64,
    largest: f64,
}

impl RowSums {
    fn of(weights: ArrayView1<'_, f32>) -> Self {
        weights.iter().fold(Self::default(), |sums, weight| {
            let weight = f64::from(weight.abs());
            Self {
                squares: sums.squares + weight * weight,
                magnitudes: sums.magnitudes + weight,
                largest: sums.largest.max(weight),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noisiest_for_their_cost_come_first() {
        let candidate = |value: &str, noise, cost| Candidate {
            value: value.into(),
            noise,
            cost,
            wide: ThresholdRange { threshold: 1.0, bits: WIDE_BITS, narrow_threshold: None },
        };
        let all = [candidate("large", 0.5, 1000), candidate("small", 0.3, 10), candidate("quiet", 0.2, 1000)];
        let names = |left| choose(&all, left).into_keys().collect::<Vec<_>>();
        assert!(names(1.0).is_empty());
        assert_eq!(names(0.75), ["small"]);
        assert_eq!(names(0.5), ["large", "small"]);
        assert_eq!(names(0.0), ["large", "quiet", "small"]);
    }
}
