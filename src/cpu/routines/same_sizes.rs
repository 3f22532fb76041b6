//! Sizes that follow from those of operands.

use super::super::executable::ArrayView;
use super::super::routine::{BoardCode, Fault, ResultView, Routine};
use super::{operand, result, values};

/// What a size is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Known(i64),
    /// What stands at each of these places, as (operand, position): the operands must agree.
    Same(Vec<(usize, usize)>),
    /// What stands at these places, and this many more.
    Sum(Vec<(usize, usize)>, i64),
}

/// Operands: sizes of some tensors. Result: sizes of another.
#[derive(Clone, Debug)]
pub(crate) struct SameSizes {
    /// One for each number of the result.
    pub sizes: Vec<Size>,
}

impl Routine for SameSizes {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let read = |&(operand, position): &(usize, usize)| {
            let size = values::<i64>(operands, operand)?.get(position).copied();
            size.ok_or_else(|| Fault::Reason(format!("has no size {position} of operand {operand}")))
        };
        for (dimension, size) in self.sizes.iter().enumerate() {
            let size = match size {
                Size::Known(known) => *known,
                Size::Sum(places, more) => {
                    places.iter().try_fold(*more, |sum, place| Ok::<_, Fault>(sum + read(place)?))?
                }
                Size::Same(places) => {
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
        // How many places a size has, then the places; 0 places, then the size that is known; as a negative number, how many places are
        // added, then the places and how many more there are.
        let numbers = |places: &[(usize, usize)]| {
            places.iter().flat_map(|(operand, position)| [*operand as i64, *position as i64]).collect::<Vec<i64>>()
        };
        let parameters = self.sizes.iter().flat_map(|size| match size {
            Size::Known(known) => vec![0, *known],
            Size::Same(places) => [vec![places.len() as i64], numbers(places)].concat(),
            Size::Sum(places, more) => [vec![-(places.len() as i64)], numbers(places), vec![*more]].concat(),
        });
        BoardCode::Function { symbol: "hb_same_sizes", parameters: parameters.collect() }
    }
}
