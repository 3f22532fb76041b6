//! Sizes that follow from those of operands.

use alloc::format;
use alloc::vec::Vec;

use super::{operand, result, values};
use crate::array::{ArrayView, ResultView};
use crate::{Fault, Routine};
use serde::{Deserialize, Serialize};

/// What a size is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Size {
    /// This.
    Known(i64),
    /// What stands at each of these places, as (operand, position): the operands must agree.
    Same(Vec<(usize, usize)>),
    /// What stands at these places, and this many more.
    Sum(Vec<(usize, usize)>, i64),
    /// What stands at this place, or this, whichever is smaller.
    AtMost((usize, usize), i64),
}

/// Operands: sizes of some tensors. Result: sizes of another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SameSizes {
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
                Size::AtMost(place, most) => read(place)?.min(*most),
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
}
