//! ONNX Unique-11.

use alloc::vec;
use alloc::vec::Vec;

use core::cmp::Ordering;
use serde::{Deserialize, Serialize};

use super::{clear, operand, result, scalars, split_at_axis, write_sizes};
use crate::array::{ArrayView, ResultView};
use crate::scalar::Scalar;
use crate::{Fault, Routine};

/// Operand: the input. Results: the slices along the axis that there are, where each first occurs, for each slice its place among them,
/// how often each occurs; then the sizes of the first, the second and the last of them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Unique {
    /// The dimension that slices are cut along.
    pub axis: usize,
    /// Whether slices are in order, not as they first occur.
    pub sorted: bool,
}

/// Equal slices.
struct Group {
    first: usize,
    members: Vec<usize>,
}

impl Routine for Unique {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        clear(results);
        let input = *operand(operands, 0)?;
        let (outer, along, inner) = split_at_axis(input.shape, self.axis);
        let all: Vec<Scalar> = scalars(operands, 0)?.collect();
        let places =
            |slice: usize| (0..outer).flat_map(move |o| (0..inner).map(move |i| (o * along + slice) * inner + i));
        let compare = |a: &usize, b: &usize| {
            let pairs = places(*a).zip(places(*b)).map(|(a, b)| in_order(all.get(a), all.get(b)));
            pairs.fold(Ordering::Equal, Ordering::then)
        };
        let mut order: Vec<usize> = (0..along).collect();
        // Stable, so that the first of equal slices stays the first.
        order.sort_by(compare);
        let mut groups: Vec<Group> = Vec::new();
        for slice in order {
            match groups.last_mut().filter(|group| compare(&group.first, &slice) == Ordering::Equal) {
                Some(group) => group.members.push(slice),
                None => groups.push(Group { first: slice, members: vec![slice] }),
            }
        }
        if !self.sorted {
            groups.sort_by_key(|group| group.first);
        }
        let width = input.element.bytes();
        for (number, group) in groups.iter().enumerate() {
            for (from, to) in places(group.first).zip(places(number)) {
                let (from, to) = (from * width, to * width);
                if let (Some(from), Some(to)) =
                    (input.bytes.get(from..from + width), result(results, 0)?.bytes.get_mut(to..to + width))
                {
                    to.copy_from_slice(from);
                }
            }
            let members = group.members.iter().map(|slice| (2, *slice, number));
            let own = [(1, number, group.first), (3, number, group.members.len())];
            for (index, place, value) in own.into_iter().chain(members) {
                if let Some(slot) = result(results, index)?.values::<i64>()?.get_mut(place) {
                    *slot = value as i64;
                }
            }
        }
        let mut sizes = input.shape.to_vec();
        if let Some(size) = sizes.get_mut(self.axis) {
            *size = groups.len();
        }
        write_sizes(results, 4, &sizes)?;
        write_sizes(results, 5, &[groups.len()])?;
        write_sizes(results, 6, &[groups.len()])
    }
}

/// Numbers as they are; NaN is larger than all of them, and equal to itself.
fn in_order(a: Option<&Scalar>, b: Option<&Scalar>) -> Ordering {
    match (a, b) {
        (Some(Scalar::Float(a)), Some(Scalar::Float(b))) => {
            a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        }
        (Some(a), Some(b)) => a.as_integer().cmp(&b.as_integer()),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}
