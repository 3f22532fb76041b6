//! ONNX TopK-11.

use alloc::format;
use alloc::vec::Vec;

use core::cmp::Ordering;
use serde::{Deserialize, Serialize};

use super::{actual_sizes, clear, for_number, number, operand, result, split_at_axis, values, write_sizes};
use crate::array::{ArrayElement, ArrayView, ResultView};
use crate::{Fault, Routine};

/// Operands: the input, k, and the sizes of those in `bounded`. Results: values and indices, with room for the largest k; when sizes are
/// known only when running, those of each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TopK {
    /// The dimension that they are chosen along.
    pub axis: usize,
    /// Whether the largest are chosen, not the smallest.
    pub largest: bool,
    /// The operands whose sizes are known only when running.
    pub bounded: Vec<usize>,
}

/// Fewer are not chosen from at a time.
const SHORTEST_ROOM: usize = 64;

impl Routine for TopK {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        clear(results);
        let element = operand(operands, 0)?.element;
        for_number!(element, run(self, operands, results))
    }
}

fn run<T: ArrayElement + PartialOrd>(
    routine: &TopK,
    operands: &[ArrayView<'_>],
    results: &mut [ResultView<'_>],
) -> Result<(), Fault> {
    let (input, shape) = (values::<T>(operands, 0)?, operand(operands, 0)?.shape);
    let (outer, along, inner) = split_at_axis(shape, routine.axis);
    let mut sizes = actual_sizes(operands, 0, &routine.bounded)?;
    let count = sizes.get(routine.axis).copied().unwrap_or(1);
    let room = result(results, 0)?.shape.get(routine.axis).copied().unwrap_or(1);
    let asked = number::<i64>(operands, 1)?.unwrap_or(0);
    let k = usize::try_from(asked).ok().filter(|&k| k <= room.min(count));
    let k = k.ok_or_else(|| Fault::Reason(format!("takes {asked} of {} elements", room.min(count))))?;
    let compare = |a: &(T, usize), b: &(T, usize)| {
        let order = in_order(a.0, b.0);
        (if routine.largest { order.reverse() } else { order }).then(a.1.cmp(&b.1))
    };
    let mut order: Vec<(T, usize)> = Vec::new();
    for lane in 0..outer * inner {
        let (outside, inside) = (lane / inner, lane % inner);
        let first = (outside * along * inner).saturating_add(inside);
        choose(input.iter().skip(first).step_by(inner).take(count).copied().zip(0..), k, compare, &mut order);
        for (rank, (value, index)) in order.iter().enumerate() {
            let to = (outside * room + rank) * inner + inside;
            if let Some(slot) = result(results, 0)?.values::<T>()?.get_mut(to) {
                *slot = *value;
            }
            if let Some(slot) = result(results, 1)?.values::<i64>()?.get_mut(to) {
                *slot = *index as i64;
            }
        }
    }
    if let Some(size) = sizes.get_mut(routine.axis) {
        *size = k;
    }
    write_sizes(results, 2, &sizes)?;
    write_sizes(results, 3, &sizes)
}

/// The first `k` of the elements in order. They are kept a few more than that at a time, so that most of a long row are looked at once.
fn choose<E: Copy>(
    elements: impl Iterator<Item = E>,
    k: usize,
    compare: impl Fn(&E, &E) -> Ordering,
    chosen: &mut Vec<E>,
) {
    chosen.clear();
    let Some(last) = k.checked_sub(1) else { return };
    let room = k.saturating_mul(2).max(SHORTEST_ROOM);
    let mut bound = None;
    for element in elements {
        if bound.is_some_and(|bound| compare(&element, &bound).is_gt()) {
            continue;
        }
        chosen.push(element);
        if chosen.len() >= room {
            bound = Some(*chosen.select_nth_unstable_by(last, &compare).1);
            chosen.truncate(k);
        }
    }
    chosen.sort_unstable_by(compare);
    chosen.truncate(k);
}

/// Numbers as they are; NaN is larger than all of them.
fn in_order<T: PartialOrd>(a: T, b: T) -> Ordering {
    let is_nan = |value: &T| value.partial_cmp(value).is_none();
    a.partial_cmp(&b).unwrap_or_else(|| is_nan(&a).cmp(&is_nan(&b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against sorting everything, with values that occur often.
    #[test]
    fn the_first_few_are_those_of_the_sorted_row() {
        let mut state = 1u32;
        for length in [1usize, 2, 63, 64, 65, 129, 1000, 5000] {
            let next = |state: &mut u32| {
                *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *state >> 16
            };
            let row: Vec<(u32, usize)> = (0..length).map(|index| (next(&mut state) % 50, index)).collect();
            let mut sorted = row.clone();
            sorted.sort();
            for k in [0, 1, 2, 31, 32, 33, 64, 100, length / 2, length - 1, length] {
                let mut chosen = Vec::new();
                choose(row.iter().copied(), k.min(length), |a, b| a.cmp(b), &mut chosen);
                assert_eq!(chosen, sorted[..k.min(length)], "{k} of {length}");
            }
        }
    }
}
