//! Moments of the inputs of linear layers: their means, and how they go together.
//!
//! Everything is summed in integers, so that neither the order of samples nor the number of threads changes a sum.

use super::linear::LinearLayer;
use rayon::prelude::*;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

/// Terms whose products are kept together. Weights are rounded block by block; what larger blocks gain is not measurable.
pub const BLOCK: usize = 32;
/// Values are taken as integers of at most this magnitude.
const STEPS: f32 = 1023.0;
/// Columns that a layer takes of all samples together: 32 for each term of a block.
const COLUMNS: usize = 1024;
/// Numbers that are kept in one piece, or more where one layer has more of a sample: 16 MiB.
const PIECE: usize = 1 << 22;

/// What is measured.
#[derive(Debug)]
pub struct MomentsPlan {
    /// The first of those that have the same weights stands for all.
    layers: Vec<LinearLayer>,
    /// By node: the node whose moments it has.
    first: HashMap<String, String>,
    /// The layers that read a value.
    readers: HashMap<String, Vec<usize>>,
    /// The samples that are measured.
    samples: Vec<usize>,
    columns: usize,
}

impl MomentsPlan {
    /// Measures the inputs of `layers` on `samples`.
    pub fn new(layers: Vec<LinearLayer>, samples: Vec<usize>) -> Self {
        let mut readers: HashMap<String, Vec<usize>> = HashMap::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let (mut kept, mut first): (Vec<LinearLayer>, HashMap<String, String>) = Default::default();
        for layer in layers {
            let index = *known.entry(layer.weights_name().to_owned()).or_insert(kept.len());
            readers.entry(layer.input.clone()).or_default().push(index);
            if let Some(stands_for) = kept.get(index) {
                first.insert(layer.node, stands_for.node.clone());
            } else {
                kept.push(layer);
            }
        }
        let columns = COLUMNS.div_ceil(samples.len().max(1));
        Self { layers: kept, first, readers, samples, columns }
    }
}

/// What is kept of the values of samples until their largest magnitudes are known, in which everything is counted.
#[derive(Debug, Default)]
pub struct TakenValues {
    /// All numbers, in pieces so large that their memory goes back to the system as soon as it is not needed. None of them grows: what grows is copied, and
    /// the system clears the memory of each copy.
    pieces: Vec<Vec<f32>>,
    /// Of each layer of the plan and sample.
    columns: HashMap<usize, Vec<TakenColumns>>,
}

/// Where the numbers of some columns of the input of a layer are: `columns` of them for each term of each group.
#[derive(Debug)]
struct TakenColumns {
    columns: usize,
    piece: usize,
    numbers: Range<usize>,
}

impl TakenValues {
    /// Takes from a value of a sample what the plan asks for.
    pub fn take(&mut self, plan: &MomentsPlan, sample: usize, name: &str, values: &[f32]) {
        if !plan.samples.contains(&sample) {
            return;
        }
        for &index in plan.readers.get(name).into_iter().flatten() {
            if let Some(layer) = plan.layers.get(index) {
                let taken = self.take_columns(layer, values, plan.columns);
                self.columns.entry(index).or_default().push(taken);
            }
        }
    }

    fn take_columns(&mut self, layer: &LinearLayer, values: &[f32], columns: usize) -> TakenColumns {
        let positions = layer.positions();
        let stride = positions.div_ceil(columns.max(1)).max(1);
        let columns = positions.div_ceil(stride);
        let count = layer.groups * layer.terms * columns;
        let (piece, numbers) = self.piece_for(count);
        let start = numbers.len();
        numbers.resize(start + count, 0.0);
        let lines = numbers.get_mut(start..).unwrap_or_default();
        layer.columns(values, &(0..positions).step_by(stride).collect::<Vec<_>>(), lines);
        TakenColumns { columns, piece, numbers: start..start + count }
    }

    /// A piece with room for so many numbers, and its position.
    fn piece_for(&mut self, count: usize) -> (usize, &mut Vec<f32>) {
        let has_room = |piece: &Vec<f32>| piece.capacity() - piece.len() >= count;
        if !self.pieces.last().is_some_and(has_room) {
            self.pieces.push(Vec::new());
        }
        let position = self.pieces.len() - 1;
        let piece = &mut self.pieces[position];
        if piece.is_empty() {
            piece.reserve_exact(count.max(PIECE));
        }
        (position, piece)
    }

    /// The columns of a layer, sample after sample, with their numbers.
    fn columns_of(&self, layer: usize) -> impl Iterator<Item = (&TakenColumns, &[f32])> {
        let samples = self.columns.get(&layer).into_iter().flatten();
        samples.map(|taken| {
            let piece = self.pieces.get(taken.piece);
            (taken, piece.and_then(|piece| piece.get(taken.numbers.clone())).unwrap_or_default())
        })
    }
}

/// Sums of the terms of a block and of their products, row after row.
#[derive(Debug, Clone, PartialEq)]
struct Products {
    size: usize,
    sums: Vec<i64>,
    totals: Vec<i64>,
    /// Columns that were added.
    columns: u64,
}

/// What was measured of a layer.
#[derive(Debug, PartialEq)]
struct LayerMoments {
    step: Step,
    /// Of its blocks, group after group.
    blocks: Vec<Products>,
}

/// From values to integers.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    per_unit: f32,
}

impl Step {
    /// The step in which the largest magnitude is the largest integer.
    fn spanning(largest: f64) -> Self {
        Self { per_unit: if largest > 0.0 { STEPS / largest as f32 } else { 0.0 } }
    }

    /// The nearest integer, by a conversion that is one instruction on every processor: rounding functions are not.
    fn of(self, value: f32) -> i16 {
        let positive = (value * self.per_unit).clamp(-STEPS, STEPS) + STEPS + 0.5;
        (positive as i32 - STEPS as i32) as i16
    }
}

/// What was measured, by names of values and of nodes.
#[derive(Debug, Default, PartialEq)]
pub struct Moments {
    layers: BTreeMap<String, LayerMoments>,
    /// By node: the node whose moments it has, where that is another.
    first: HashMap<String, String>,
}

impl Moments {
    /// The moments of what was taken of values with these largest magnitudes, in parts of the samples. Works in the threads of `pool`.
    pub fn of(
        plan: &MomentsPlan,
        taken: &[TakenValues],
        largest: &HashMap<String, f64>,
        pool: &rayon::ThreadPool,
    ) -> Self {
        let moments = |(index, layer): (usize, &LinearLayer)| {
            let step = Step::spanning(*largest.get(&layer.input)?);
            Some((layer.node.clone(), LayerMoments { step, blocks: products(taken, index, layer, step)? }))
        };
        let layers = pool.install(|| plan.layers.par_iter().enumerate().filter_map(moments).collect());
        Self { layers, first: plan.first.clone() }
    }

    /// Whether they are known of a node.
    pub fn knows(&self, node: &str) -> bool {
        self.of_node(node).is_some()
    }

    /// Takes those of these nodes from others.
    pub fn take<'n>(&mut self, mut others: Self, nodes: impl Iterator<Item = &'n str>) {
        for node in nodes {
            let stands_for = others.first.remove(node);
            let measured = stands_for.as_deref().unwrap_or(node);
            if let Some(moments) = others.layers.remove(measured) {
                self.layers.insert(measured.to_owned(), moments);
            }
            self.first.extend(stands_for.map(|stands_for| (node.to_owned(), stands_for)));
        }
    }

    fn of_node(&self, node: &str) -> Option<&LayerMoments> {
        self.layers.get(self.first.get(node).map_or(node, String::as_str))
    }

    /// The sums of products of the terms of a node's blocks, group after group: the size of each and its rows.
    pub fn products(&self, node: &str) -> impl Iterator<Item = (usize, &[i64])> {
        let blocks = self.of_node(node).into_iter().flat_map(|layer| &layer.blocks);
        blocks.map(|products| (products.size, products.sums.as_slice()))
    }

    /// The mean of each term of a node's columns, group after group; none where its input was not measured.
    pub fn means(&self, node: &str) -> Option<Vec<f64>> {
        let LayerMoments { step, blocks } = self.of_node(node)?;
        let unit = if step.per_unit > 0.0 { 1.0 / f64::from(step.per_unit) } else { 0.0 };
        let means = |block: &Products| {
            let of_one = unit / block.columns.max(1) as f64;
            block.totals.iter().map(move |&total| total as f64 * of_one).collect::<Vec<f64>>()
        };
        Some(blocks.iter().flat_map(means).collect())
    }
}

/// The products of a layer; none when nothing was taken of its input.
fn products(taken: &[TakenValues], index: usize, layer: &LinearLayer, step: Step) -> Option<Vec<Products>> {
    let mut products = Vec::new();
    // Of all samples in the same memory: the system clears what is allocated anew.
    let mut lines: Vec<i16> = Vec::new();
    for (&TakenColumns { columns, .. }, numbers) in taken.iter().flat_map(|taken| taken.columns_of(index)) {
        lines.clear();
        lines.extend(numbers.iter().map(|&value| step.of(value)));
        let groups = lines.chunks((layer.terms * columns).max(1));
        let blocks = groups.flat_map(|group| group.chunks((BLOCK * columns).max(1)));
        for (index, block) in blocks.enumerate() {
            let size = block.len() / columns.max(1);
            if products.len() == index {
                products.push(Products { size, sums: vec![0; size * size], totals: vec![0; size], columns: 0 });
            }
            if let Some(products) = products.get_mut(index) {
                products.add(block, columns);
            }
        }
    }
    (!products.is_empty()).then_some(products)
}

impl Products {
    /// Adds `taken` columns and their products; their sums fit 32 bits because there are at most [`COLUMNS`] of 20 bits.
    fn add(&mut self, lines: &[i16], taken: usize) {
        let lines: Vec<&[i16]> = lines.chunks(taken.max(1)).collect();
        self.columns += taken as u64;
        for (total, line) in self.totals.iter_mut().zip(&lines) {
            *total += line.iter().map(|&a| i64::from(a)).sum::<i64>();
        }
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
        MomentsPlan::new(vec![LinearLayer::gemm(3)], vec![0, 1, 2])
    }

    fn moments(taken: &[TakenValues]) -> Moments {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        Moments::of(&plan(), taken, &HashMap::from([("x".to_owned(), 2.0)]), &pool)
    }

    #[test]
    fn products_on_paper() {
        let mut products = Products { size: 2, sums: vec![0; 4], totals: vec![0; 2], columns: 0 };
        // Two terms in three columns.
        products.add(&[1, 2, 3, -4, 5, 6], 3);
        assert_eq!(products.sums, [14, 24, 24, 77]);
        assert_eq!((products.totals.as_slice(), products.columns), ([6, 7].as_slice(), 3));
    }

    #[test]
    fn what_is_not_asked_for_is_not_taken() {
        let mut taken = TakenValues::default();
        taken.take(&plan(), 0, "x", &[2.0, -2.0, 0.0]);
        taken.take(&plan(), 0, "unknown", &[1.0]);
        // A sample that is not measured.
        taken.take(&plan(), 3, "x", &[1.0; 3]);
        let moments = moments(&[taken]);
        let square = 1023 * 1023;
        let products: Vec<(usize, &[i64])> = moments.products("gemm").collect();
        assert_eq!(products, [(3, [square, -square, 0, -square, square, 0, 0, 0, 0].as_slice())]);
        assert_eq!(moments.products("unknown").count(), 0);
        let means = moments.means("gemm").unwrap_or_default();
        assert!(means.iter().zip([2.0, -2.0, 0.0]).all(|(found, mean)| (found - mean).abs() < 1e-6), "{means:?}");
        assert_eq!((means.len(), moments.means("unknown")), (3, None));
    }

    #[test]
    fn the_order_of_samples_does_not_matter() {
        let samples = [[0.1, -0.7, 1.9], [1.3, 0.2, -0.4], [-1.1, 1.6, 0.9]];
        let take = |taken: &mut TakenValues, sample: usize| taken.take(&plan(), sample, "x", &samples[sample]);
        let mut whole = TakenValues::default();
        (0..3).for_each(|sample| take(&mut whole, sample));
        let (mut first, mut second) = (TakenValues::default(), TakenValues::default());
        [2, 0].into_iter().for_each(|sample| take(&mut first, sample));
        take(&mut second, 1);
        assert_eq!(moments(&[whole]), moments(&[first, second]));
    }
}
