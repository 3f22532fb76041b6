//! How alike the outputs of two networks are.

use crate::numerics::largest_magnitude;
use ndarray::{ArrayViewD, Axis, IxDyn};
use std::collections::BTreeMap;
use std::fmt;

/// Slices of more than this many along an axis are not judged by themselves: they are positions, not quantities.
const MOST_SLICES: usize = 128;
/// Slices with fewer values than this are not judged by themselves: their cosine says nothing.
const FEWEST_VALUES: usize = 64;
/// An output of fewer values than this is judged by its length, too.
const FEW_VALUES: usize = 8;
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
    let mut parts = OutputParts::beside(shape, samples.iter().map(|(left, _)| left.as_slice()));
    samples.iter().for_each(|(left, right)| parts.add(left, right));
    parts.worst().unwrap_or(Likeness { cosine: 1.0, at_least: 1.0, slice: None })
}

/// An output and its slices that may count by themselves, sample after sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutputParts {
    shape: Vec<usize>,
    /// Axes whose slices are looked at.
    axes: Vec<usize>,
    whole: Vec<SampleProducts>,
    /// The largest magnitude on the left.
    range: f32,
    /// By axis and index.
    slices: BTreeMap<(usize, usize), SlicePart>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct SlicePart {
    range: f32,
    cosines: Vec<f64>,
}

impl OutputParts {
    /// Of an output of this shape, without samples.
    pub fn new(shape: &[usize]) -> Self {
        let axes = (0..shape.len()).filter(|axis| may_count(shape, *axis)).collect();
        Self { shape: shape.to_vec(), axes, ..Self::default() }
    }

    /// The same where all that will be added on the left is known.
    pub(super) fn beside<'v>(shape: &[usize], left: impl Iterator<Item = &'v [f32]>) -> Self {
        // Most axes need no cosine: their slices have one range.
        let mut ranges = Self::new(shape);
        left.for_each(|left| ranges.add_ranges(left));
        Self { axes: ranges.own_ranges(), ..Self::new(shape) }
    }

    /// Adds a sample.
    pub fn add(&mut self, left: &[f32], right: &[f32]) {
        self.add_ranges(left);
        self.whole.extend(SampleProducts::of(left, right));
        for (&(axis, index), part) in &mut self.slices {
            let slice = OutputSlice { axis, index };
            let of = |values| Some(slice_of(&self.shape, values, slice)?.iter().copied().collect::<Vec<f32>>());
            let (Some(left), Some(right)) = (of(left), of(right)) else { continue };
            // A quantity that is not there at all has no direction.
            if left.iter().any(|value| *value != 0.0) {
                part.cosines.extend(cosine(&left, &right));
            }
        }
    }

    fn add_ranges(&mut self, left: &[f32]) {
        self.range = self.range.max(largest_magnitude(left));
        for &axis in &self.axes {
            for index in 0..self.shape.get(axis).copied().unwrap_or_default() {
                if let Some(slice) = slice_of(&self.shape, left, OutputSlice { axis, index }) {
                    let part = self.slices.entry((axis, index)).or_default();
                    part.range = slice.iter().fold(part.range, |most, value| most.max(value.abs()));
                }
            }
        }
    }

    /// The axes whose slices have ranges of their own.
    fn own_ranges(&self) -> Vec<usize> {
        let differ = |axis: &usize| {
            let slices = self.slices.range((*axis, 0)..=(*axis, usize::MAX));
            let ranges = slices.map(|(_, part)| part.range).filter(|range| *range > 0.0);
            let (least, most) =
                ranges.fold((f32::INFINITY, 0f32), |(least, most), range| (least.min(range), most.max(range)));
            most >= least * RATIO_OF_RANGES
        };
        self.axes.iter().copied().filter(differ).collect()
    }

    /// The whole, or the slice that is worse; none without a sample.
    pub fn worst(&self) -> Option<Likeness> {
        let mut worst = Likeness::of(whole_cosines(&self.whole), None)?;
        let own = self.own_ranges();
        for (&(axis, index), part) in &self.slices {
            if !own.contains(&axis) || part.range < LEAST_RANGE * self.range {
                continue;
            }
            let slice = Likeness::of(part.cosines.iter().copied(), Some(OutputSlice { axis, index }));
            worst = slice.filter(|slice| slice.cosine < worst.cosine).unwrap_or(worst);
        }
        Some(worst)
    }
}

/// Whether slices along an axis may count by themselves.
fn may_count(shape: &[usize], axis: usize) -> bool {
    let count = shape.get(axis).copied().unwrap_or_default();
    let elements: usize = shape.iter().product();
    (2..=MOST_SLICES).contains(&count) && elements / count >= FEWEST_VALUES && !is_position(axis, shape.len())
}

impl Likeness {
    /// Of the cosines of samples; none without a sample.
    fn of(cosines: impl IntoIterator<Item = f64>, slice: Option<OutputSlice>) -> Option<Self> {
        let cosines: Vec<f64> = cosines.into_iter().collect();
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

/// Whether an axis is one of positions in a map, `[N, C, H, W]` or, of rank 5 and more, `[N, A, H, W, C]`.
fn is_position(axis: usize, rank: usize) -> bool {
    match rank {
        0..=3 => false,
        4 => axis >= 2,
        _ => axis >= 2 && axis + 1 < rank,
    }
}

/// On how many samples the largest value of an output is at the same place; none for an output that is no vector.
pub fn same_best_class(shape: &[usize], samples: &[(Vec<f32>, Vec<f32>)]) -> Option<usize> {
    let is_vector = shape.iter().filter(|size| **size != 1).count() == 1;
    let best = |values: &[f32]| values.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(index, _)| index);
    is_vector.then(|| samples.iter().filter(|(left, right)| best(left) == best(right)).count())
}

/// How alike two vectors are, in f64, of what is finite on the left: their cosine. Of a few values the length counts, too, for direction is
/// little of what they say, and of one value it is only the sign: `1 - |a - b|^2 / (|a|^2 + |b|^2)`, which is the cosine of vectors of one length and
/// less where their lengths differ.
///
/// Two zero vectors are the same; a zero vector and another are not alike at all, nor is one that is infinite or no number where the left is finite.
/// None where the two have other lengths, or no values.
pub fn cosine<T: Copy + Into<f64>>(left: &[T], right: &[T]) -> Option<f64> {
    whole_cosines(&[SampleProducts::of(left, right)?]).first().copied()
}

/// What the cosine of two vectors needs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SampleProducts {
    values: usize,
    /// Left by left, right by right, left by right.
    ll: f64,
    rr: f64,
    lr: f64,
    /// The square of the distance.
    dd: f64,
}

impl SampleProducts {
    /// Of what is finite on the left; none where the two have other lengths, or no values.
    pub fn of<T: Copy + Into<f64>>(left: &[T], right: &[T]) -> Option<Self> {
        if left.len() != right.len() || left.is_empty() {
            return None;
        }
        let mut sums = Self { values: left.len(), ..Self::default() };
        let pairs = left.iter().zip(right).map(|(a, b)| ((*a).into(), (*b).into()));
        for (a, b) in pairs.filter(|(a, _): &(f64, f64)| a.is_finite()) {
            sums.ll += a * a;
            sums.rr += b * b;
            sums.lr += a * b;
            sums.dd += (a - b) * (a - b);
        }
        Some(sums)
    }

    fn cosine(&self) -> f64 {
        let Self { ll, rr, lr, .. } = *self;
        if ll == 0.0 && rr == 0.0 {
            return 1.0;
        }
        if ll == 0.0 || rr == 0.0 || !rr.is_finite() {
            return 0.0;
        }
        lr / (ll.sqrt() * rr.sqrt())
    }
}

/// The cosines of a whole output, one per sample. Where it has few values the distance of a sample is measured by what all samples are on the
/// average: a probability of 0.001 in the place of 0.002 is no fault where others are 0.9. Their mean is then that of one vector of all samples.
pub fn whole_cosines(samples: &[SampleProducts]) -> Vec<f64> {
    let finite = || samples.iter().filter(|sample| sample.rr.is_finite());
    let mean = finite().map(|sample| sample.ll + sample.rr).sum::<f64>() / finite().count() as f64;
    let cosine = |sample: &SampleProducts| match sample {
        SampleProducts { values, .. } if *values >= FEW_VALUES => sample.cosine(),
        SampleProducts { rr, .. } if !rr.is_finite() => 0.0,
        SampleProducts { dd, .. } if *dd == 0.0 => 1.0,
        SampleProducts { dd, .. } => 1.0 - dd / mean,
    };
    samples.iter().map(cosine).collect()
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
        assert_eq!(cosine::<f32>(&[1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn of_few_values_the_length_counts() {
        // A probability of 0.183 against 0.220: 2ab / (aa + bb).
        let expected = 2.0 * 0.183 * 0.220 / (0.183 * 0.183 + 0.220 * 0.220);
        assert!((cosine(&[0.183], &[0.220]).unwrap() - expected).abs() < 1e-12 && expected < 0.984);
        assert_eq!(cosine(&[1.0], &[-1.0]), Some(-1.0));
        // Of the same length it is the cosine, whatever the number of values; of many values the length counts not at all.
        let turned = |count: usize| {
            let left: Vec<f64> = (0..count).map(|index| index as f64).collect();
            let right: Vec<f64> = left.iter().rev().copied().collect();
            (left, right)
        };
        for count in [2, FEW_VALUES - 1, FEW_VALUES, 100] {
            let (left, right) = turned(count);
            let dot: f64 = left.iter().zip(&right).map(|(a, b)| a * b).sum();
            let square: f64 = left.iter().map(|a| a * a).sum();
            assert!((cosine(&left, &right).unwrap() - dot / square).abs() < 1e-12, "{count}");
            let longer: Vec<f64> = left.iter().map(|value| value * 1.2).collect();
            let expected = if count < FEW_VALUES { 2.0 * 1.2 / (1.0 + 1.2 * 1.2) } else { 1.0 };
            assert!((cosine(&left, &longer).unwrap() - expected).abs() < 1e-12, "{count}");
        }
    }

    #[test]
    fn few_values_of_many_samples_are_one_vector() {
        let one = |left: f32, right: f32| (vec![left], vec![right]);
        // The small one is twice as large, which is nothing beside the large one.
        let found = likeness(&[1, 1], &[one(0.5, 0.5), one(0.25, 0.125)]);
        let expected = 1.0 - 0.125 * 0.125 / (0.5 + 0.0625 + 0.015625);
        assert!((found.cosine - expected).abs() < 1e-12, "{found:?}");
        assert!(likeness(&[1, 1], &[one(0.5, f32::NAN), one(0.25, 0.25)]).cosine == 0.5);
        assert!(likeness(&[1, 1], &[one(0.0, 0.0)]).cosine == 1.0);
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
        let found = Likeness::of([0.0, 0.5, 0.5, 1.0], None).unwrap();
        let error = (0.5f64 / 3.0 / 4.0).sqrt();
        assert!((found.cosine - 0.5).abs() < 1e-12 && (found.at_least - (0.5 - error)).abs() < 1e-12);
        assert_eq!(Likeness::of([0.9], None).map(|found| found.at_least), Some(0.9));
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
