//! ONNX Det-22.

use alloc::vec::Vec;

use super::{operand, reals, result, write_reals};
use crate::array::{ArrayView, ResultView};
use crate::{Fault, Routine};
use serde::{Deserialize, Serialize};

/// Operand: matrices `[..., n, n]`. Result: their determinants.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Det;

impl Routine for Det {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let size = operand(operands, 0)?.shape.last().copied().unwrap_or(0);
        let result = result(results, 0)?;
        if size == 0 {
            // The empty product.
            let count = result.shape.iter().product();
            write_reals(result, core::iter::repeat_n(1.0, count));
            return Ok(());
        }
        let values = reals(operands, 0)?;
        let matrices = values.chunks_exact(size * size);
        write_reals(
            result,
            matrices.map(|matrix| determinant(matrix.chunks_exact(size).map(<[f64]>::to_vec).collect())),
        );
        Ok(())
    }
}

/// By elimination; each step divides by the largest element that there is.
fn determinant(mut rows: Vec<Vec<f64>>) -> f64 {
    let mut product = 1.0;
    while let Some(column) = rows.first().map(|row| row.len() - 1) {
        let magnitude = |row: &Vec<f64>| row.get(column).map_or(0.0, |value| value.abs());
        let largest = (0..rows.len()).max_by(|a, b| {
            let [a, b] = [a, b].map(|index| rows.get(*index).map_or(0.0, magnitude));
            a.total_cmp(&b)
        });
        let at = largest.unwrap_or(0);
        let pivot = rows.remove(at);
        let divisor = pivot.get(column).copied().unwrap_or(0.0);
        // Moving a row to the end passes those behind it.
        product *= if (rows.len() - at).is_multiple_of(2) { divisor } else { -divisor };
        if divisor == 0.0 {
            return product;
        }
        for row in &mut rows {
            let factor = row.pop().unwrap_or(0.0) / divisor;
            row.iter_mut().zip(&pivot).for_each(|(value, above)| *value -= factor * above);
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::determinant;

    /// On paper: expansion along the first row; a matrix with two equal rows has none.
    #[test]
    fn determinants() {
        assert_eq!(determinant(vec![vec![3.0]]), 3.0);
        assert_eq!(determinant(vec![vec![1.0, 2.0], vec![3.0, 4.0]]), -2.0);
        assert_eq!(determinant(vec![vec![0.0, 1.0], vec![1.0, 0.0]]), -1.0);
        let rows = vec![vec![2.0, 0.0, 1.0], vec![1.0, 3.0, 2.0], vec![1.0, 1.0, 4.0]];
        assert!((determinant(rows) - 18.0).abs() < 1e-12);
        assert_eq!(determinant(vec![vec![1.0, 2.0], vec![1.0, 2.0]]), 0.0);
    }
}
