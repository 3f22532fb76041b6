//! Second moments: how far the channels of values spread, and how the inputs of linear layers go together.
//!
//! Everything is summed in integers, so that neither the order of samples nor the number of threads changes a sum.

use super::linear::LinearLayer;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Terms whose products are kept together. Weights are rounded block by block; what larger blocks gain is not measurable.
pub const BLOCK: usize = 32;
/// Values are taken as integers of at most this magnitude.
const STEPS: f32 = 1023.0;
/// Columns that a layer takes of all samples together: 32 for each term of a block.
const COLUMNS: usize = 1024;
/// Values that a channel takes of one sample.
const PER_CHANNEL: usize = 64;

/// What is measured.
#[derive(Debug)]
pub struct MomentsPlan {
    layers: Vec<LinearLayer>,
    /// The layers that read a value.
    readers: HashMap<String, Vec<usize>>,
    /// The largest magnitude of each value.
    largest: HashMap<String, f64>,
    columns: usize,
}

impl MomentsPlan {
    /// Measures `layers`, and the channels of values with known largest magnitudes, on `samples` samples.
    pub fn new(layers: Vec<LinearLayer>, largest: HashMap<String, f64>, samples: usize) -> Self {
        let mut readers: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, layer) in layers.iter().enumerate() {
            readers.entry(layer.input.clone()).or_default().push(index);
        }
        Self { layers, readers, largest, columns: COLUMNS.div_ceil(samples.max(1)) }
    }
}

/// Sum and sum of squares of a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Channel {
    count: u64,
    sum: i64,
    squares: i64,
}

/// Sums of products of the terms of a block, row after row.
#[derive(Debug, Clone, PartialEq)]
struct Products {
    size: usize,
    sums: Vec<i64>,
}

/// From values to integers.
#[derive(Clone, Copy)]
struct Step {
    per_unit: f32,
}

impl Step {
    /// The nearest integer, by a conversion that is one instruction on every processor: rounding functions are not.
    fn of(self, value: f32) -> i16 {
        let positive = (value * self.per_unit).clamp(-STEPS, STEPS) + STEPS + 0.5;
        (positive as i32 - STEPS as i32) as i16
    }
}

/// What was measured, by names of values and of nodes.
#[derive(Debug, Default, PartialEq)]
pub struct Moments {
    channels: BTreeMap<String, Vec<Channel>>,
    products: BTreeMap<String, Vec<Products>>,
}

impl Moments {
    /// Takes in a value of one sample.
    pub fn observe(&mut self, plan: &MomentsPlan, name: &str, shape: &[usize], values: &[f32]) {
        let Some(&largest) = plan.largest.get(name) else { return };
        let step = Step { per_unit: if largest > 0.0 { STEPS / largest as f32 } else { 0.0 } };
        self.observe_channels(name, shape, values, step);
        for layer in plan.readers.get(name).into_iter().flatten().filter_map(|&index| plan.layers.get(index)) {
            self.observe_columns(layer, values, plan.columns, step);
        }
    }

    fn observe_channels(&mut self, name: &str, shape: &[usize], values: &[f32], step: Step) {
        let count = shape.get(1).copied().unwrap_or(1).max(1);
        let inner = shape.iter().skip(2).product::<usize>().max(1);
        let channels = self.channels.entry(name.to_owned()).or_insert_with(|| vec![Channel::default(); count]);
        for (index, cells) in values.chunks(inner).enumerate() {
            let Some(channel) = channels.get_mut(index % count) else { continue };
            for &value in cells.iter().step_by(inner.div_ceil(PER_CHANNEL)) {
                let value = i64::from(step.of(value));
                channel.count += 1;
                channel.sum += value;
                channel.squares += value * value;
            }
        }
    }

    fn observe_columns(&mut self, layer: &LinearLayer, values: &[f32], columns: usize, step: Step) {
        let positions = layer.positions();
        let stride = positions.div_ceil(columns.max(1)).max(1);
        let taken = positions.div_ceil(stride);
        let mut lines = vec![0i16; layer.groups * layer.terms * taken];
        for (column, position) in (0..positions).step_by(stride).enumerate() {
            layer.column(values, position, |place, value| {
                if let Some(cell) = lines.get_mut(place * taken + column) {
                    *cell = step.of(value);
                }
            });
        }
        let products = self.products.entry(layer.node.clone()).or_default();
        let groups = lines.chunks(layer.terms * taken.max(1));
        let blocks = groups.flat_map(|group| group.chunks(BLOCK * taken.max(1)));
        for (index, block) in blocks.enumerate() {
            let size = block.len() / taken.max(1);
            if products.len() == index {
                products.push(Products { size, sums: vec![0; size * size] });
            }
            if let Some(products) = products.get_mut(index) {
                products.add(block, taken);
            }
        }
    }

    /// Joins what was measured on other samples.
    pub fn merge(mut self, other: Self) -> Self {
        for (name, theirs) in other.channels {
            let own = self.channels.entry(name).or_insert_with(|| vec![Channel::default(); theirs.len()]);
            for (own, theirs) in own.iter_mut().zip(theirs) {
                own.count += theirs.count;
                own.sum += theirs.sum;
                own.squares += theirs.squares;
            }
        }
        for (node, theirs) in other.products {
            match self.products.entry(node) {
                Entry::Vacant(entry) => {
                    entry.insert(theirs);
                }
                Entry::Occupied(mut entry) => entry.get_mut().iter_mut().zip(theirs).for_each(|(own, theirs)| {
                    own.sums.iter_mut().zip(theirs.sums).for_each(|(own, theirs)| *own += theirs);
                }),
            }
        }
        self
    }

    /// The mean over the channels of a value of their variances, in squares of its largest magnitude; none when it was not measured.
    pub fn variance(&self, name: &str) -> Option<f64> {
        let channels = self.channels.get(name)?;
        let variance = |channel: &Channel| {
            let count = channel.count.max(1) as f64;
            let mean = channel.sum as f64 / count;
            (channel.squares as f64 / count - mean * mean).max(0.0) / f64::from(STEPS * STEPS)
        };
        Some(channels.iter().map(variance).sum::<f64>() / channels.len().max(1) as f64)
    }

    /// The sums of products of the terms of a node's blocks, group after group: the size of each and its rows.
    pub fn products(&self, node: &str) -> impl Iterator<Item = (usize, &[i64])> {
        self.products.get(node).into_iter().flatten().map(|products| (products.size, products.sums.as_slice()))
    }
}

impl Products {
    /// Adds the products of `taken` columns; their sums fit 32 bits because there are at most [`COLUMNS`] of 20 bits.
    fn add(&mut self, lines: &[i16], taken: usize) {
        let lines: Vec<&[i16]> = lines.chunks(taken.max(1)).collect();
        for (i, left) in lines.iter().enumerate() {
            for (j, right) in lines.iter().enumerate().take(i + 1) {
                let sum: i32 = left.iter().zip(*right).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
                for cell in [i * self.size + j, j * self.size + i].into_iter().take(1 + usize::from(i != j)) {
                    if let Some(cell) = self.sums.get_mut(cell) {
                        *cell += i64::from(sum);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> MomentsPlan {
        MomentsPlan::new(Vec::new(), HashMap::from([("x".to_owned(), 2.0)]), 1)
    }

    #[test]
    fn variance_on_paper() {
        let mut moments = Moments::default();
        // Channel 0 is 2 and -2: variance 4, the largest magnitude's square. Channel 1 does not vary.
        moments.observe(&plan(), "x", &[1, 2, 2], &[2.0, -2.0, 1.0, 1.0]);
        moments.observe(&plan(), "unknown", &[1], &[1.0]);
        assert_eq!(moments.variance("x"), Some(0.5));
        assert_eq!(moments.variance("unknown"), None);
    }

    #[test]
    fn products_on_paper() {
        let mut products = Products { size: 2, sums: vec![0; 4] };
        // Two terms in three columns.
        products.add(&[1, 2, 3, -4, 5, 6], 3);
        assert_eq!(products.sums, [14, 24, 24, 77]);
    }

    #[test]
    fn the_order_of_samples_does_not_matter() {
        let sample = |values: &[f32]| {
            let mut moments = Moments::default();
            moments.observe(&plan(), "x", &[1, 3], values);
            moments
        };
        let [a, b, c] = [[0.1, -0.7, 1.9], [1.3, 0.2, -0.4], [-1.1, 1.6, 0.9]];
        let left = sample(&a).merge(sample(&b)).merge(sample(&c));
        assert_eq!(left, sample(&c).merge(sample(&a).merge(sample(&b))));
    }
}
