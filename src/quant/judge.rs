//! How alike the outputs of two networks are.

use crate::numerics::largest_magnitude;
use ndarray::{ArrayViewD, Axis, IxDyn};
use std::fmt;

/// Slices of more than this many along an axis are not judged by themselves: they are positions, not quantities.
const MOST_SLICES: usize = 128;
/// Slices with fewer values than this are not judged by themselves: their cosine says nothing.
const FEWEST_VALUES: usize = 64;
/// Slices have ranges of their own where the largest of them has this many times the range of the smallest.
const RATIO_OF_RANGES: f32 = 4.0;
/// A slice whose range is a smaller share of the whole output's is not judged by itself: not even int16 shows it.
const LEAST_RANGE: f32 = 1.0 / (1 << 15) as f32;

/// A part of an output: all that have this index along this axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputSlice {
    /// From 0.
    pub axis: usize,
    /// From 0.
    pub index: usize,
}

impl fmt::Display for OutputSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slice {} of axis {}", self.index, self.axis)
    }
}

/// How much an output is like that of another network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// Mean over the samples of the cosine: of the output, or of its worst slice.
    pub cosine: f64,
    /// What it is at least for other samples, as far as these tell: a standard error less.
    pub at_least: f64,
    /// The slice, where one is worse than the whole.
    pub slice: Option<OutputSlice>,
}

/// One output of two networks for some samples, as `(values, values)`, of one shape.
///
/// The cosine of a whole output hides small quantities beside large ones, such as scores beside boxes in pixels. So each slice
/// along an axis counts as well, where slices have ranges of their own: ranges that differ by a factor of four at least, in at most 128 slices
/// of at least 64 values. Axes of positions do not: rows and columns of a map are one quantity, and at its border there may be next to
/// nothing. The worst counts.
pub fn likeness(shape: &[usize], samples: &[(Vec<f32>, Vec<f32>)]) -> Likeness {
    let whole = samples.iter().filter_map(|(left, right)| cosine(left, right));
    let largest = samples.iter().fold(0f32, |most, (left, _)| most.max(largest_magnitude(left)));
    let mut worst = Likeness::of(whole, None).unwrap_or(Likeness { cosine: 1.0, at_least: 1.0, slice: None });
    for axis in own_ranges(shape, samples) {
        for index in 0..shape.get(axis).copied().unwrap_or_default() {
            let slice = OutputSlice { axis, index };
            if range_of(shape, samples, slice) < LEAST_RANGE * largest {
                continue;
            }
            let of = |values: &[f32]| Some(slice_of(shape, values, slice)?.iter().copied().collect::<Vec<f32>>());
            // A quantity that is not there at all has no direction.
            let cosines = samples.iter().filter_map(|(left, right)| {
                let (left, right) = (of(left)?, of(right)?);
                if left.iter().all(|value| *value == 0.0) { None } else { cosine(&left, &right) }
            });
            if let Some(likeness) = Likeness::of(cosines, Some(slice)).filter(|slice| slice.cosine < worst.cosine) {
                worst = likeness;
            }
        }
    }
    worst
}

impl Likeness {
    /// Of the cosines of samples; none without a sample.
    fn of(cosines: impl Iterator<Item = f64>, slice: Option<OutputSlice>) -> Option<Self> {
        let cosines: Vec<f64> = cosines.collect();
        let count = cosines.len() as f64;
        let cosine = cosines.iter().sum::<f64>() / count;
        let squares = cosines.iter().map(|one| (one - cosine).powi(2)).sum::<f64>();
        // One sample tells nothing of others.
        let error = if cosines.len() > 1 { (squares / (count - 1.0) / count).sqrt() } else { 0.0 };
        (count > 0.0).then_some(Self { cosine, at_least: cosine - error, slice })
    }
}

fn slice_of<'v>(shape: &[usize], values: &'v [f32], slice: OutputSlice) -> Option<ArrayViewD<'v, f32>> {
    let view = ArrayViewD::from_shape(IxDyn(shape), values).ok()?;
    Some(view.index_axis_move(Axis(slice.axis), slice.index))
}

/// The axes whose slices have ranges of their own.
fn own_ranges(shape: &[usize], samples: &[(Vec<f32>, Vec<f32>)]) -> Vec<usize> {
    let elements: usize = shape.iter().product();
    let is_judged = |&axis: &usize| {
        let count = shape.get(axis).copied().unwrap_or_default();
        if !(2..=MOST_SLICES).contains(&count) || elements / count < FEWEST_VALUES {
            return false;
        }
        let ranges = (0..count).map(|index| range_of(shape, samples, OutputSlice { axis, index }));
        let ranges = ranges.filter(|range| *range > 0.0);
        let (least, most) =
            ranges.fold((f32::INFINITY, 0f32), |(least, most), range| (least.min(range), most.max(range)));
        most >= least * RATIO_OF_RANGES
    };
    (0..shape.len()).filter(|axis| !is_position(*axis, shape.len())).filter(is_judged).collect()
}

/// Whether an axis is one of positions in a map, `[N, C, H, W]` or, of rank 5 and more, `[N, A, H, W, C]`.
fn is_position(axis: usize, rank: usize) -> bool {
    match rank {
        0..=3 => false,
        4 => axis >= 2,
        _ => axis >= 2 && axis + 1 < rank,
    }
}

/// The largest magnitude in a slice.
fn range_of(shape: &[usize], samples: &[(Vec<f32>, Vec<f32>)], slice: OutputSlice) -> f32 {
    let slices = samples.iter().filter_map(|(left, _)| slice_of(shape, left, slice));
    slices.fold(0f32, |most, slice| slice.iter().fold(most, |most, value| most.max(value.abs())))
}

/// On how many samples the largest value of an output is at the same place; none for an output that is no vector.
pub fn same_best_class(shape: &[usize], samples: &[(Vec<f32>, Vec<f32>)]) -> Option<usize> {
    let is_vector = shape.iter().filter(|size| **size != 1).count() == 1;
    let best = |values: &[f32]| values.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(index, _)| index);
    is_vector.then(|| samples.iter().filter(|(left, right)| best(left) == best(right)).count())
}

/// Cosine similarity in f64 of what is finite on the left. Two zero vectors are the same; a zero vector and another are not alike at all, nor is one
/// that is infinite or no number where the left is finite.
pub fn cosine(left: &[f32], right: &[f32]) -> Option<f64> {
    if left.len() != right.len() || left.is_empty() {
        return None;
    }
    let (mut ll, mut rr, mut lr) = (0.0, 0.0, 0.0);
    for (&a, &b) in left.iter().zip(right).filter(|(a, _)| a.is_finite()) {
        let (a, b) = (f64::from(a), f64::from(b));
        ll += a * a;
        rr += b * b;
        lr += a * b;
    }
    if ll == 0.0 && rr == 0.0 {
        return Some(1.0);
    }
    if ll == 0.0 || rr == 0.0 || !rr.is_finite() {
        return Some(0.0);
    }
    Some(lr / (ll.sqrt() * rr.sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_infinite_is_not_alike() {
        assert_eq!(cosine(&[3.0, 4.0], &[4.0, 3.0]), Some(24.0 / 25.0));
        assert_eq!(cosine(&[3.0, 4.0], &[3.0, f32::NEG_INFINITY]), Some(0.0));
        assert_eq!(cosine(&[3.0, 4.0], &[f32::NAN, 4.0]), Some(0.0));
        // A mask of the float network has no direction.
        assert_eq!(cosine(&[3.0, f32::NEG_INFINITY, 4.0], &[3.0, -100.0, 4.0]), Some(1.0));
        assert_eq!((cosine(&[0.0], &[0.0]), cosine(&[0.0], &[1.0])), (Some(1.0), Some(0.0)));
    }

    /// A blob in the middle of a map; in its first rows there is noise that int8 does not show.
    #[test]
    fn the_border_of_a_map_is_not_judged_by_itself() {
        let value = |index: usize| if (20..40).contains(&(index / 64)) { 0.9 } else { 1e-4 };
        let float: Vec<f32> = (0..64 * 64).map(value).collect();
        let own: Vec<f32> = float.iter().map(|value| (value * 127.0).round() / 127.0).collect();
        for shape in [vec![1, 1, 64, 64], vec![1, 1, 64, 64, 1]] {
            let found = likeness(&shape, &[(float.clone(), own.clone())]);
            assert!(found.slice.is_none() && found.cosine > 0.9999, "{found:?}");
        }
    }

    /// Squares of 0.25, 0, 0 and 0.25 over 3 are the variance, and over 4 again that of the mean.
    #[test]
    fn what_holds_for_other_samples_is_less_than_the_mean() {
        let found = Likeness::of([0.0, 0.5, 0.5, 1.0].into_iter(), None).unwrap();
        let error = (0.5f64 / 3.0 / 4.0).sqrt();
        assert!((found.cosine - 0.5).abs() < 1e-12 && (found.at_least - (0.5 - error)).abs() < 1e-12);
        assert_eq!(Likeness::of([0.9].into_iter(), None).map(|found| found.at_least), Some(0.9));
        assert_eq!(Likeness::of(std::iter::empty(), None), None);
    }

    #[test]
    fn what_not_even_int16_shows_is_not_judged() {
        let float: Vec<f32> = (0..128).map(|index| if index < 64 { 100.0 } else { 1e-3 }).collect();
        let own: Vec<f32> = float.iter().map(|value| if *value > 1.0 { 100.0 } else { 0.0 }).collect();
        assert!(likeness(&[1, 2, 64], &[(float, own)]).slice.is_none());
    }

    #[test]
    fn scores_that_vanish_beside_boxes_are_seen() {
        // Rows of four coordinates in pixels and a score.
        let row = |index: usize, score: f32| {
            let place = index as f32;
            [100.0 + place, 200.0 + place, 50.0, 60.0 + place, score]
        };
        let rows =
            |score: &dyn Fn(usize) -> f32| (0..64).flat_map(|index| row(index, score(index))).collect::<Vec<f32>>();
        let float = rows(&|index| (index % 7) as f32 / 7.0);
        let lost = rows(&|_| 0.0);
        assert!(cosine(&float, &lost).is_some_and(|cosine| cosine > 0.9999));
        let judged = likeness(&[1, 64, 5], &[(float.clone(), lost)]);
        assert_eq!(judged, Likeness { cosine: 0.0, at_least: 0.0, slice: Some(OutputSlice { axis: 2, index: 4 }) });
        assert!(likeness(&[1, 64, 5], &[(float.clone(), float)]).cosine > 1.0 - 1e-12);
    }

    #[test]
    fn short_slices_and_equal_ranges_are_judged_as_a_whole() {
        let values: Vec<f32> = (0..160).map(|index| ((index * 7) % 13) as f32 - 6.0).collect();
        let other: Vec<f32> = values.iter().map(|value| value + 0.5).collect();
        let whole = cosine(&values, &other).expect("as long");
        for shape in [[1, 2, 80], [1, 160, 1], [2, 1, 80]] {
            let found = likeness(&shape, &[(values.clone(), other.clone())]);
            assert_eq!(found, Likeness { cosine: whole, at_least: whole, slice: None });
        }
        assert_eq!(likeness(&[0], &[(Vec::new(), Vec::new())]), Likeness { cosine: 1.0, at_least: 1.0, slice: None });
    }

    #[test]
    fn best_classes_are_those_of_vectors() {
        let samples = [(vec![0.1, 0.7, 0.2], vec![0.2, 0.5, 0.3]), (vec![0.9, 0.0, 0.1], vec![0.4, 0.0, 0.6])];
        assert_eq!(same_best_class(&[1, 3], &samples), Some(1));
        assert_eq!(same_best_class(&[3, 3], &samples), None);
    }
}
