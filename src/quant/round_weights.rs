//! Rounding of weights that looks at what they multiply.
//!
//! Rounding each weight to the nearest step is best for the weights, not for the sums: inputs are rarely independent (after a
//! relu they are all positive), so that errors of one sign add up. Here weights are rounded one after another, and each makes up for the
//! errors of those before it, as far as the inputs of both go together. That is the nearest plane algorithm (Babai 1986) in
//! the lattice that the second moments of the inputs span; GPTQ (Frantar et al., 2023) takes the same steps.

use super::{
    linear::{LinearLayer, weights_of},
    moments::{BLOCK, Moments},
    rounded_weights::{RoundedWeight, RoundedWeights},
    rules::ACTIVATION_BITS,
};
use crate::numerics::largest_integer;
use hb_dialects::ir::{self, Constant, IrError, OperationAttributes};
use hb_dialects::names::SCALES;
use melior::ir::{OperationRef, operation::OperationLike};
use ndarray::{Array3, ArrayView3, s};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// The largest integer of a weight.
const LARGEST: f64 = largest_integer(ACTIVATION_BITS);
/// Rows that are rounded together: the terms of each depend on one another, rows do not.
const ROWS: usize = 8;
/// A number for each term of a block and each of some rows.
type Block = [[f64; ROWS]; BLOCK];
/// Part of the mean square that is added to all squares, for inputs that samples hardly show.
const DAMPING: f64 = 0.01;

/// The integers for the weights of every linear layer whose inputs were measured, on the grid of int8 that the largest weight of each
/// scale spans. Works in the threads of `pool`.
///
/// # Errors
/// When types cannot be read, or two layers have one name.
pub fn round_weights(
    function: OperationRef<'_, '_>,
    moments: &Moments,
    pool: &rayon::ThreadPool,
) -> Result<RoundedWeights, IrError> {
    let mut layers = Vec::new();
    // Layers with the same weights: each with the place of the first of them.
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut nodes = Vec::new();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if let (Some(layer), Some(weight)) = (LinearLayer::of(function, operation)?, weights_of(operation)?)
            && moments.products(&layer.node).next().is_some()
            // The integers of a quantized network are rounded already.
            && !has_given_scales(operation)?
        {
            let place = *known.entry(layer.weights_name().to_owned()).or_insert(layers.len());
            nodes.push((layer.node.clone(), place));
            if place == layers.len() {
                layers.push((layer, weight));
            }
        }
    }
    let round = |(layer, weight): &(LinearLayer, Constant<'_>)| -> Result<_, IrError> {
        let (shape, integers) = (weight.r#type.static_shape()?, rounded(layer, &weight.f32s()?, moments)?);
        Ok(RoundedWeight { shape, integers, bias: Vec::new() })
    };
    let all: Vec<RoundedWeight> = pool.install(|| layers.par_iter().map(round).collect::<Result<_, _>>())?;
    let mut weights = BTreeMap::new();
    for (node, place) in nodes {
        let Some(rounded) = all.get(place).cloned() else { continue };
        if weights.insert(node.clone(), rounded).is_some() {
            return Err(IrError::Constant { node, reason: "belongs to two layers of one name".into() });
        }
    }
    Ok(RoundedWeights(weights))
}

/// Whether the network brings the weights of an operation as integers.
pub(super) fn has_given_scales(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    let weight = ir::defining_operation(operation.operand_at(1)?);
    Ok(weight.is_some_and(|weight| weight.has_attribute(SCALES)))
}

fn rounded(layer: &LinearLayer, weights: &[f32], moments: &Moments) -> Result<Vec<i8>, IrError> {
    let weights = layer.by_row(weights)?;
    let scales = scales(layer, &weights);
    let mut result = Array3::zeros(weights.dim());
    let mut products = moments.products(&layer.node);
    for (group, (weights, mut result)) in weights.outer_iter().zip(result.outer_iter_mut()).enumerate() {
        for first in (0..layer.terms).step_by(BLOCK) {
            // Without moments weights are independent: to the nearest.
            let (size, sums) = products.next().unwrap_or((BLOCK.min(layer.terms - first), &[]));
            let basis = Basis::of(size, sums);
            for rows in (0..layer.rows).step_by(ROWS) {
                let block = s![rows..layer.rows.min(rows + ROWS), first..first + size];
                let mut steps = [[0.0; ROWS]; BLOCK];
                for (lane, weights) in weights.slice(block).outer_iter().enumerate() {
                    let scale = scales.get(layer.scale(group, rows + lane)).copied().filter(|scale| *scale > 0.0);
                    for (steps, &weight) in steps.iter_mut().zip(weights) {
                        steps.iter_mut().skip(lane).take(1).for_each(|cell| {
                            *cell = scale.map_or(0.0, |scale| f64::from(weight) / scale);
                        });
                    }
                }
                let integers = basis.nearest(&steps);
                for (lane, mut row) in result.slice_mut(block).outer_iter_mut().enumerate() {
                    for (cell, integers) in row.iter_mut().zip(&integers) {
                        *cell = integers.get(lane).map_or(0, |integer| *integer as i8);
                    }
                }
            }
        }
    }
    Ok(layer.in_order(result))
}

/// The weights that integers of a layer stand for: multiples of the scales that its largest weights span.
pub(super) fn weights_on_grid(layer: &LinearLayer, weights: &[f32], integers: &[i8]) -> Result<Vec<f32>, IrError> {
    let scales = scales(layer, &layer.by_row(weights)?);
    let integers = layer.by_row(integers)?;
    let mut weights = Array3::zeros(integers.dim());
    for (group, (mut weights, integers)) in weights.outer_iter_mut().zip(integers.outer_iter()).enumerate() {
        for (row, (mut weights, integers)) in weights.outer_iter_mut().zip(integers.outer_iter()).enumerate() {
            let scale = scales.get(layer.scale(group, row)).copied().unwrap_or(0.0);
            weights.zip_mut_with(&integers, |weight, &integer| *weight = (f64::from(integer) * scale) as f32);
        }
    }
    Ok(layer.in_order(weights))
}

/// The integers of weights that are rounded to the nearest.
pub(super) fn nearest(layer: &LinearLayer, weights: &[f32]) -> Result<Vec<i8>, IrError> {
    let weights = layer.by_row(weights)?;
    let scales = scales(layer, &weights);
    let mut result = Array3::zeros(weights.dim());
    for (group, (weights, mut result)) in weights.outer_iter().zip(result.outer_iter_mut()).enumerate() {
        for (row, (weights, mut result)) in weights.outer_iter().zip(result.outer_iter_mut()).enumerate() {
            let scale = scales.get(layer.scale(group, row)).copied().filter(|scale| *scale > 0.0);
            let integer = |weight: f32| scale.map_or(0.0, |scale| (f64::from(weight) / scale).round_ties_even());
            result.zip_mut_with(&weights, |result, &weight| *result = integer(weight).clamp(-LARGEST, LARGEST) as i8);
        }
    }
    Ok(layer.in_order(result))
}

/// The scales that the largest weights span.
fn scales(layer: &LinearLayer, weights: &ArrayView3<'_, f32>) -> Vec<f64> {
    let mut largest = vec![0f32; layer.scales()];
    for (group, weights) in weights.outer_iter().enumerate() {
        for (row, weights) in weights.outer_iter().enumerate() {
            if let Some(largest) = largest.get_mut(layer.scale(group, row)) {
                *largest = weights.fold(*largest, |largest, weight| largest.max(weight.abs()));
            }
        }
    }
    largest.into_iter().map(|largest| f64::from(largest) / LARGEST).collect()
}

/// The terms of a block in the order in which they are rounded, and how the error of one shows in the others.
struct Basis {
    /// Places in the block, from the last rounded to the first.
    order: Vec<usize>,
    /// The triangular root of the moments, column after column: `l[j * size + i]` for `i >= j`, over `l[j * size + j]`.
    roots: Vec<f64>,
}

impl Basis {
    /// Terms with the largest squares are rounded first, while others can make up for their errors.
    fn of(size: usize, sums: &[i64]) -> Self {
        let at = |i: usize, j: usize| sums.get(i * size + j).map_or(0.0, |&sum| sum as f64);
        let damping = (0..size).map(|i| at(i, i)).sum::<f64>() / size.max(1) as f64 * DAMPING;
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by_key(|&i| sums.get(i * size + i).copied());
        if damping <= 0.0 {
            // Inputs that are always zero: to the nearest.
            return Self { order, roots: vec![0.0; size * size] };
        }
        let mut matrix: Vec<f64> = Vec::with_capacity(size * size);
        for (j, &column) in order.iter().enumerate() {
            matrix
                .extend(order.iter().enumerate().map(|(i, &row)| at(row, column) + if i == j { damping } else { 0.0 }));
        }
        Self { order, roots: unit_cholesky(matrix, size) }
    }

    /// The integers for the weights of some rows in steps. The largest weight of a row stays as it is, because it spans the scale.
    fn nearest(&self, steps: &Block) -> Block {
        let size = self.order.len();
        let mut errors = [[0.0; ROWS]; BLOCK];
        let mut integers = [[0.0; ROWS]; BLOCK];
        for (i, &place) in self.order.iter().enumerate().rev() {
            let mut owed = [0.0; ROWS];
            let roots = self.roots.get(i * size..(i + 1) * size).unwrap_or_default();
            for (root, errors) in roots.iter().zip(&errors).skip(i + 1) {
                owed.iter_mut().zip(errors).for_each(|(owed, error)| *owed += root * error);
            }
            let (Some(steps), Some(errors), Some(integers)) =
                (steps.get(place), errors.get_mut(i), integers.get_mut(place))
            else {
                continue;
            };
            for (((step, owed), error), integer) in steps.iter().zip(owed).zip(errors).zip(integers) {
                let spans = step.abs() >= LARGEST - 0.5;
                *integer = nearest_integer(if spans { *step } else { step + owed }).clamp(-LARGEST, LARGEST);
                *error = step - *integer;
            }
        }
        integers
    }
}

/// Half to even, for magnitudes below 2^51: a sum in [2^52, 2^53) has no room for a fraction. Without a function for it in every
/// processor this is many times faster than one.
fn nearest_integer(value: f64) -> f64 {
    const ROUND: f64 = (3u64 << 51) as f64;
    (value + ROUND) - ROUND
}

/// The columns of the Cholesky root of a positive matrix, each over its first number; given and returned column after column.
fn unit_cholesky(mut matrix: Vec<f64>, size: usize) -> Vec<f64> {
    for j in 0..size {
        let (done, rest) = matrix.split_at_mut((j + 1) * size);
        let Some(column) = done.get_mut(j * size..) else { continue };
        let Some(pivot) = column.get(j).copied().filter(|pivot| *pivot > 0.0) else {
            column.fill(0.0);
            continue;
        };
        column.iter_mut().for_each(|value| *value /= pivot);
        for (k, later) in rest.chunks_mut(size).enumerate() {
            let factor = column.get(j + 1 + k).copied().unwrap_or(0.0) * pivot;
            later.iter_mut().zip(column.iter()).for_each(|(value, root)| *value -= factor * root);
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_on_paper() {
        // [[4, 2], [2, 5]] = L L' with L = [[2, 0], [1, 2]]; columns over their first number: (1, 1/2) and (_, 1).
        let roots = unit_cholesky(vec![4.0, 2.0, 2.0, 5.0], 2);
        assert_eq!((roots[0], roots[1], roots[3]), (1.0, 0.5, 1.0));
    }

    fn nearest(basis: &Basis, steps: &[f64]) -> Vec<f64> {
        let mut block = [[0.0; ROWS]; BLOCK];
        steps.iter().zip(&mut block).for_each(|(step, rows)| rows[ROWS - 1] = *step);
        basis.nearest(&block).iter().take(steps.len()).map(|rows| rows[ROWS - 1]).collect()
    }

    #[test]
    fn errors_of_inputs_that_go_together_cancel() {
        // Two inputs that are always equal: only the sum of their weights matters. 10.4 + 20.4 = 30.8 is nearest to 31.
        let basis = Basis::of(2, &[1000, 1000, 1000, 1000]);
        assert_eq!(nearest(&basis, &[10.4, 20.4]).iter().sum::<f64>(), 31.0);
        // Independent ones are rounded to the nearest.
        assert_eq!(nearest(&Basis::of(2, &[1000, 0, 0, 1000]), &[10.4, 20.6]), [10.0, 21.0]);
        // The weight that spans the scale stays.
        assert_eq!(nearest(&basis, &[127.0, 20.4])[0], 127.0);
        assert_eq!(nearest(&Basis::of(2, &[0; 4]), &[1.5, -0.6]), [2.0, -1.0]);
    }

    proptest::proptest! {
        /// What it is for: the expected square of the error of the sum is no larger than with weights rounded to the nearest,
        /// up to what damping takes away.
        #[test]
        fn sums_are_closer(samples in proptest::collection::vec(proptest::array::uniform4(0i64..1000), 8..40), steps in proptest::array::uniform4(-100.0f64..100.0)) {
            let mut sums = vec![0i64; 16];
            for sample in &samples {
                for i in 0..4 {
                    for j in 0..4 {
                        sums[i * 4 + j] += sample[i] * sample[j];
                    }
                }
            }
            let error = |integers: &[f64]| -> f64 {
                let e: Vec<f64> = steps.iter().zip(integers).map(|(s, q)| s - q).collect();
                (0..16).map(|k| e[k / 4] * e[k % 4] * sums[k] as f64).sum()
            };
            let plain: Vec<f64> = steps.iter().map(|s| s.round_ties_even()).collect();
            let damping = (0..4).map(|i| sums[i * 5]).sum::<i64>() as f64 / 4.0 * DAMPING;
            let own = error(&nearest(&Basis::of(4, &sums), &steps));
            // The nearest plane is at most half the sum of the squares of the orthogonal basis away, which are at most the diagonal.
            let bound = (0..4).map(|i| 0.25 * (sums[i * 5] as f64 + damping)).sum::<f64>();
            proptest::prop_assert!(own <= bound, "{own} > {bound}, nearest {}", error(&plain));
        }
    }
}
