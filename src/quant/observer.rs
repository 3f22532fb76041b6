//! Observers: what calibration remembers of a tensor.

use super::repeats::without_repeats;
use crate::numerics::FiniteEnds;

/// Bins of a histogram. A threshold read from it is at most one part in 4096 of the range above the exact percentile.
const BINS: usize = 8192;
/// The smallest range: 2^-40. Ranges are powers of two times it, so that the result does not depend on the order of samples.
const SMALLEST_RANGE: f64 = 1.0 / (1u64 << 40) as f64;
/// Values that are looked at together.
const CHUNK: usize = 1 << 12;

/// A tensor over all samples: its ends, and a histogram of magnitudes whose range grows by doubling.
#[derive(Debug, Clone, PartialEq)]
pub struct Observer {
    /// At most 0.
    least: f32,
    /// At least 0.
    greatest: f32,
    range: f64,
    /// Of all values; none of the ends alone.
    all: Option<Histogram>,
    /// Of all but repeats; none where there were no repeats.
    distinct: Option<Histogram>,
    not_finite: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Histogram {
    bins: Vec<u64>,
    /// Values that are exactly 0; no bin counts them.
    zeros: u64,
}

/// How often magnitudes were seen.
#[derive(Debug, Clone, Copy)]
pub struct Magnitudes<'a> {
    /// Values per bin, from 0 on; those that are exactly 0 are left out.
    pub bins: &'a [u64],
    /// The width of a bin.
    pub width: f64,
    /// Values that are exactly 0: every scale shows them without an error.
    pub zeros: u64,
}

impl Histogram {
    fn new() -> Self {
        Self { bins: vec![0; BINS], zeros: 0 }
    }

    /// Counts values below `range`.
    fn count(&mut self, values: &[f32], range: f64) {
        // A power of two: products with it are exact.
        let per_bin = (BINS as f64 / range) as f32;
        let mut places = [0i32; CHUNK];
        for chunk in values.chunks(CHUNK) {
            let mut zeros = 0u32;
            for (place, value) in places.iter_mut().zip(chunk) {
                *place = (value.abs() * per_bin) as i32;
                zeros += u32::from(*value == 0.0);
            }
            for place in places.iter().take(chunk.len()) {
                if let Some(bin) = self.bins.get_mut(*place as usize) {
                    *bin += 1;
                }
            }
            self.zeros += u64::from(zeros);
            if let Some(bin) = self.bins.first_mut() {
                *bin -= u64::from(zeros);
            }
        }
    }

    fn add(&mut self, other: &Histogram) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            *bin += more;
        }
        self.zeros += other.zeros;
    }

    fn double(&mut self) {
        for i in 0..BINS {
            let pair = self.bins.get(2 * i..2 * i + 2).map_or(0, |pair| pair.iter().sum());
            if let Some(bin) = self.bins.get_mut(i) {
                *bin = pair;
            }
        }
    }
}

impl Default for Observer {
    /// With a histogram.
    fn default() -> Self {
        Self { all: Some(Histogram::new()), ..Self::of_ends() }
    }
}

impl Observer {
    /// One that finds the ends only: faster, and small.
    pub fn of_ends() -> Self {
        Self { least: 0.0, greatest: 0.0, range: SMALLEST_RANGE, all: None, distinct: None, not_finite: 0 }
    }

    /// Takes the values of one sample in, a tensor of this shape.
    pub fn observe(&mut self, values: &[f32], shape: &[usize]) {
        // What is the same in a sample does not depend on the others.
        let sample = Self::ends_of(values);
        self.merge_ends(&sample);
        while self.all.is_some() && f64::from(self.largest()) >= self.range {
            self.double();
        }
        let Some(all) = &mut self.all else { return };
        let distinct = without_repeats(values, shape, sample.largest());
        if distinct.is_some() || self.distinct.is_some() {
            self.distinct.get_or_insert_with(|| all.clone()).count(distinct.as_deref().unwrap_or(values), self.range);
        }
        all.count(values, self.range);
    }

    /// The ends and what is not finite.
    fn ends_of(values: &[f32]) -> Self {
        let FiniteEnds { least, greatest, not_finite } = FiniteEnds::of(values);
        Self { least: least.min(0.0), greatest: greatest.max(0.0), not_finite, ..Self::of_ends() }
    }

    fn merge_ends(&mut self, other: &Observer) {
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.not_finite += other.not_finite;
    }

    /// Joins what another observer of the same kind saw of the same tensor.
    pub fn merge(&mut self, other: &Observer) {
        let mut other = other.clone();
        self.merge_ends(&other);
        while self.range < other.range {
            self.double();
        }
        while other.range < self.range {
            other.double();
        }
        if self.distinct.is_some() || other.distinct.is_some() {
            let (own, others) = (self.distinct.take().or(self.all.clone()), other.distinct.or(other.all.clone()));
            self.distinct = joined(own, others);
        }
        self.all = joined(self.all.take(), other.all);
    }

    fn double(&mut self) {
        self.range *= 2.0;
        self.all.iter_mut().chain(&mut self.distinct).for_each(Histogram::double);
    }

    /// The largest finite magnitude.
    pub fn largest(&self) -> f32 {
        self.greatest.max(-self.least)
    }

    /// The least and the greatest finite value, and 0.
    pub fn ends(&self) -> (f32, f32) {
        (self.least, self.greatest)
    }

    /// Values that were infinite or no number: a network that gives them cannot be calibrated.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }

    /// The histogram; none of an observer of the ends alone.
    pub fn magnitudes(&self) -> Option<Magnitudes<'_>> {
        self.seen(self.all.as_ref()?)
    }

    /// The histogram in which an area where nothing changes counts as one slice; none of an observer of the ends alone.
    pub fn distinct_magnitudes(&self) -> Option<Magnitudes<'_>> {
        self.seen(self.distinct.as_ref().or(self.all.as_ref())?)
    }

    fn seen<'a>(&self, histogram: &'a Histogram) -> Option<Magnitudes<'a>> {
        let last = (f64::from(self.largest()) / self.range * BINS as f64) as usize;
        let bins = histogram.bins.get(..=last)?;
        Some(Magnitudes { bins, width: self.range / BINS as f64, zeros: histogram.zeros })
    }
}

fn joined(one: Option<Histogram>, other: Option<Histogram>) -> Option<Histogram> {
    let mut one = one?;
    one.add(&other?);
    Some(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_finite_is_counted_apart() {
        for mut observer in [Observer::default(), Observer::of_ends()] {
            observer.observe(&[f32::NAN, 1.0, f32::INFINITY, -1.5], &[4]);
            assert_eq!((observer.not_finite(), observer.largest(), observer.ends()), (2, 1.5, (-1.5, 1.0)));
        }
    }

    /// Twenty rows of four columns, the last three of which are 3.
    #[test]
    fn an_area_counts_once_for_what_is_distinct() {
        let values: Vec<f32> = (0..80).map(|i| if i % 4 == 0 { i as f32 / 4.0 } else { 3.0 }).collect();
        let count = |observer: &Observer, magnitudes: Magnitudes<'_>| {
            assert!(f64::from(observer.largest()) < magnitudes.bins.len() as f64 * magnitudes.width);
            (magnitudes.zeros, magnitudes.bins.iter().sum::<u64>())
        };
        let mut observer = Observer::default();
        observer.observe(&values, &[1, 1, 20, 4]);
        assert_eq!(observer.magnitudes().map(|all| count(&observer, all)), Some((1, 79)));
        assert_eq!(observer.distinct_magnitudes().map(|distinct| count(&observer, distinct)), Some((1, 39)));
        // A sample without an area, in any order.
        let other: Vec<f32> = (0..80).map(|i| i as f32).collect();
        let mut before = Observer::default();
        before.observe(&other, &[1, 1, 20, 4]);
        let mut merged = before.clone();
        merged.merge(&observer);
        before.observe(&values, &[1, 1, 20, 4]);
        observer.observe(&other, &[1, 1, 20, 4]);
        assert_eq!((&merged, &before), (&observer, &observer));
        assert_eq!(observer.distinct_magnitudes().map(|distinct| count(&observer, distinct)), Some((2, 118)));
    }

    proptest! {
        #[test]
        fn every_value_is_counted_once(values in prop::collection::vec(prop_oneof![Just(0.0), -1e3f32..1e3, -1e-3f32..1e-3], 1..300)) {
            let mut observer = Observer::default();
            observer.observe(&values, &[values.len()]);
            let Magnitudes { bins, width, zeros } = observer.magnitudes().expect("a histogram");
            prop_assert_eq!(zeros + bins.iter().sum::<u64>(), values.len() as u64);
            prop_assert!(f64::from(observer.largest()) < bins.len() as f64 * width);
            let ends = values.iter().fold((0f32, 0f32), |ends, &value| (ends.0.min(value), ends.1.max(value)));
            prop_assert_eq!(observer.ends(), ends);
        }

        #[test]
        fn order_and_merging_do_not_matter(values in prop::collection::vec(-1e6f32..1e6, 1..200), split in 0usize..200) {
            let split = split.min(values.len());
            let mut whole = Observer::default();
            whole.observe(&values, &[values.len()]);
            let (mut left, mut right) = (Observer::default(), Observer::default());
            left.observe(&values[..split], &[split]);
            right.observe(&values[split..], &[values.len() - split]);
            right.merge(&left);
            prop_assert_eq!(&whole, &right);
            let (mut left, mut right) = (Observer::of_ends(), Observer::of_ends());
            left.observe(&values[..split], &[split]);
            right.observe(&values[split..], &[values.len() - split]);
            right.merge(&left);
            prop_assert_eq!(whole.ends(), right.ends());
        }
    }
}
