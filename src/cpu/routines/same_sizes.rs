//! Operands whose sizes are known only when running must agree.

use super::super::executable::ArrayView;
use super::super::routine::{BoardCode, Fault, ResultView, Routine};
use super::{operand, result, values};

/// Operands: sizes of some tensors. Result: what all of them are at the positions that are compared.
#[derive(Clone, Debug)]
pub(crate) struct SameSizes {
    /// For each number of the result: where it stands in the operands, as (operand, position); or the size.
    pub sources: Vec<Result<Vec<(usize, usize)>, i64>>,
}

impl Routine for SameSizes {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        for (dimension, source) in self.sources.iter().enumerate() {
            let size = match source {
                Err(known) => *known,
                Ok(places) => {
                    let read = |&(operand, position): &(usize, usize)| {
                        let size = values::<i64>(operands, operand)?.get(position).copied();
                        size.ok_or_else(|| Fault::Reason(format!("has no size {position} of operand {operand}")))
                    };
                    let sizes = places.iter().map(read).collect::<Result<Vec<i64>, Fault>>()?;
                    let first = sizes.first().copied().unwrap_or(0);
                    if sizes.iter().any(|size| *size != first) {
                        let reason =
                            format!("has operands of the sizes {sizes:?} in dimension {dimension}; they must be equal");
                        return Err(Fault::Reason(reason));
                    }
                    first
                }
            };
            if let Some(slot) = result(results, 0)?.values::<i64>()?.get_mut(dimension) {
                *slot = size;
            }
        }
        operand(operands, 0).map(|_| ())
    }

    fn board_code(&self) -> BoardCode {
        // How many places a size has, then the places; 0 places, then the size that is known.
        let parameters = self.sources.iter().flat_map(|source| match source {
            Ok(places) => {
                let places = places.iter().flat_map(|(operand, position)| [*operand as i64, *position as i64]);
                std::iter::once(places.clone().count() as i64 / 2).chain(places).collect::<Vec<i64>>()
            }
            Err(known) => vec![0, *known],
        });
        BoardCode::Function { symbol: "hb_same_sizes", parameters: parameters.collect() }
    }
}
