//! Observers: what calibration remembers of a tensor.

/// Bins of a histogram. A threshold read from it is at most one part in 4096 of the range above the exact percentile.
const BINS: usize = 8192;
/// The smallest range: 2^-40. Ranges are powers of two times it, so that the result does not depend on the order of samples.
const SMALLEST_RANGE: f64 = 1.0 / (1u64 << 40) as f64;
/// Values that are looked at together.
const CHUNK: usize = 1 << 12;
/// Values whose ends are found side by side.
const LANES: usize = 16;

/// A tensor over all samples: its ends, and a histogram of magnitudes whose range grows by doubling.
#[derive(Debug, Clone, PartialEq)]
pub struct Observer {
    /// At most 0.
    least: f32,
    /// At least 0.
    greatest: f32,
    range: f64,
    /// None of the ends alone.
    bins: Vec<u64>,
    /// Values that are exactly 0; no bin counts them.
    zeros: u64,
    not_finite: u64,
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

impl Default for Observer {
    /// With a histogram.
    fn default() -> Self {
        Self { least: 0.0, greatest: 0.0, range: SMALLEST_RANGE, bins: vec![0; BINS], zeros: 0, not_finite: 0 }
    }
}

impl Observer {
    /// One that finds the ends only: faster, and small.
    pub fn of_ends() -> Self {
        Self { bins: Vec::new(), ..Self::default() }
    }

    /// Takes the values of one sample in.
    pub fn observe(&mut self, values: &[f32]) {
        self.observe_ends(values);
        if self.bins.is_empty() {
            return;
        }
        while f64::from(self.largest()) >= self.range {
            self.double();
        }
        // A power of two: products with it are exact.
        let per_bin = (BINS as f64 / self.range) as f32;
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

    /// The ends and what is not finite, in a form that becomes vector instructions.
    fn observe_ends(&mut self, values: &[f32]) {
        for chunk in values.chunks(CHUNK) {
            // Lanes of their own: a minimum is not joined before the end.
            let (mut least, mut greatest, mut not_finite) = ([0f32; LANES], [0f32; LANES], [0u32; LANES]);
            let (lines, rest) = chunk.as_chunks::<LANES>();
            for line in lines {
                for (lane, &value) in line.iter().enumerate() {
                    let finite = value.abs() < f32::INFINITY;
                    let value = if finite { value } else { 0.0 };
                    least[lane] = if value < least[lane] { value } else { least[lane] };
                    greatest[lane] = if value > greatest[lane] { value } else { greatest[lane] };
                    not_finite[lane] += u32::from(!finite);
                }
            }
            let finite = rest.iter().copied().filter(|value| value.is_finite());
            self.least = least.into_iter().chain(finite.clone()).fold(self.least, f32::min);
            self.greatest = greatest.into_iter().chain(finite).fold(self.greatest, f32::max);
            let infinite = rest.iter().filter(|value| !value.is_finite()).count() as u64;
            self.not_finite += infinite + not_finite.into_iter().map(u64::from).sum::<u64>();
        }
    }

    /// Joins what another observer of the same kind saw of the same tensor.
    pub fn merge(&mut self, other: &Observer) {
        if self.bins.is_empty() || other.bins.is_empty() {
            self.bins = Vec::new();
        } else {
            let mut other = other.clone();
            while self.range < other.range {
                self.double();
            }
            while other.range < self.range {
                other.double();
            }
            for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
                *bin += more;
            }
        }
        self.zeros += other.zeros;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.not_finite += other.not_finite;
    }

    fn double(&mut self) {
        self.range *= 2.0;
        for i in 0..BINS {
            let pair = self.bins.get(2 * i..2 * i + 2).map_or(0, |pair| pair.iter().sum());
            if let Some(bin) = self.bins.get_mut(i) {
                *bin = pair;
            }
        }
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
        if self.bins.is_empty() {
            return None;
        }
        let last = (f64::from(self.largest()) / self.range * BINS as f64) as usize;
        let bins = self.bins.get(..=last)?;
        Some(Magnitudes { bins, width: self.range / BINS as f64, zeros: self.zeros })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_finite_is_counted_apart() {
        for mut observer in [Observer::default(), Observer::of_ends()] {
            observer.observe(&[f32::NAN, 1.0, f32::INFINITY, -1.5]);
            assert_eq!((observer.not_finite(), observer.largest(), observer.ends()), (2, 1.5, (-1.5, 1.0)));
        }
    }

    proptest! {
        #[test]
        fn every_value_is_counted_once(values in prop::collection::vec(prop_oneof![Just(0.0), -1e3f32..1e3, -1e-3f32..1e-3], 1..300)) {
            let mut observer = Observer::default();
            observer.observe(&values);
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
            whole.observe(&values);
            let (mut left, mut right) = (Observer::default(), Observer::default());
            left.observe(&values[..split]);
            right.observe(&values[split..]);
            right.merge(&left);
            prop_assert_eq!(&whole, &right);
            let (mut left, mut right) = (Observer::of_ends(), Observer::of_ends());
            left.observe(&values[..split]);
            right.observe(&values[split..]);
            right.merge(&left);
            prop_assert_eq!(whole.ends(), right.ends());
        }
    }
}
