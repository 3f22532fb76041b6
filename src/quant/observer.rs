//! Observers: what calibration remembers of a tensor.

/// Bins of a histogram. A threshold read from it is at most one part in 4096 of the range above the exact percentile.
const BINS: usize = 8192;
/// The smallest range: 2^-40. Ranges are powers of two times it, so that the result does not depend on the order of samples.
const SMALLEST_RANGE: f64 = 1.0 / (1u64 << 40) as f64;

/// The magnitudes of a tensor over all samples: largest value, and a histogram whose range grows by doubling.
#[derive(Debug, Clone)]
pub struct Observer {
    largest: f32,
    range: f64,
    /// None of the largest value alone.
    bins: Vec<u64>,
    count: u64,
    not_finite: u64,
}

impl Default for Observer {
    /// With a histogram.
    fn default() -> Self {
        Self { largest: 0.0, range: SMALLEST_RANGE, bins: vec![0; BINS], count: 0, not_finite: 0 }
    }
}

impl Observer {
    /// One that finds the largest magnitude only: faster, and small. Its thresholds are those of percentile 1.
    pub fn of_largest() -> Self {
        Self { bins: Vec::new(), ..Self::default() }
    }

    /// One that can give the threshold of this percentile.
    pub fn for_percentile(percentile: f64) -> Self {
        if percentile >= 1.0 { Self::of_largest() } else { Self::default() }
    }

    /// Takes the values of one sample in.
    pub fn observe(&mut self, values: &[f32]) {
        if self.bins.is_empty() {
            return self.observe_largest(values);
        }
        let mut largest = self.largest;
        for value in values {
            let magnitude = value.abs();
            if magnitude > largest && magnitude.is_finite() {
                largest = magnitude;
            }
        }
        self.largest = largest;
        while f64::from(largest) >= self.range {
            self.double();
        }
        let per_bin = BINS as f64 / self.range;
        for value in values {
            if value.is_finite() {
                let bin = (f64::from(value.abs()) * per_bin) as usize;
                if let Some(bin) = self.bins.get_mut(bin) {
                    *bin += 1;
                }
                self.count += 1;
            } else {
                self.not_finite += 1;
            }
        }
    }

    /// As [`Self::observe`] without a histogram, in a form that becomes vector instructions.
    fn observe_largest(&mut self, values: &[f32]) {
        // Magnitudes are ordered as their bits are; beyond those of infinity there is no number.
        const INFINITY: u32 = f32::INFINITY.to_bits();
        for chunk in values.chunks(1 << 12) {
            let (mut largest, mut not_finite) = (0u32, 0u32);
            for value in chunk {
                let magnitude = value.abs().to_bits();
                let finite = magnitude < INFINITY;
                largest = largest.max(if finite { magnitude } else { 0 });
                not_finite += u32::from(!finite);
            }
            self.largest = self.largest.max(f32::from_bits(largest));
            self.not_finite += u64::from(not_finite);
            self.count += chunk.len() as u64 - u64::from(not_finite);
        }
    }

    /// Joins what another observer of the same kind saw of the same tensor.
    pub fn merge(&mut self, other: &Observer) {
        if self.bins.is_empty() || other.bins.is_empty() {
            self.bins = Vec::new();
            self.largest = self.largest.max(other.largest);
            self.count += other.count;
            self.not_finite += other.not_finite;
            return;
        }
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
        self.largest = self.largest.max(other.largest);
        self.count += other.count;
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
        self.largest
    }

    /// Values that were infinite or no number: a network that gives them cannot be calibrated.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }

    /// The magnitude below which the share `percentile` of all values lies: the manual's `max_percentile`.
    /// 1.0 gives the largest magnitude exactly; less gives the upper edge of a bin, never more than the largest magnitude.
    pub fn threshold(&self, percentile: f64) -> f32 {
        if percentile >= 1.0 || self.count == 0 || self.bins.is_empty() {
            return self.largest;
        }
        let wanted = percentile.max(0.0) * self.count as f64;
        let mut seen = 0u64;
        for (i, bin) in self.bins.iter().enumerate() {
            seen += bin;
            if seen as f64 >= wanted {
                let edge = (i + 1) as f64 * self.range / BINS as f64;
                return (edge as f32).min(self.largest);
            }
        }
        self.largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn full_percentile_is_the_largest_magnitude() {
        let mut observer = Observer::default();
        observer.observe(&[0.5, -3.25, 2.0]);
        assert_eq!(observer.threshold(1.0), 3.25);
    }

    #[test]
    fn percentile_cuts_outliers_off() {
        let mut observer = Observer::default();
        let mut values: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        values[999] = 50.0;
        observer.observe(&values);
        // 990 of 1000 values lie below 0.99; a bin is 64 / 8192 wide.
        let threshold = observer.threshold(0.99);
        assert!((0.98..0.99 + 2.0 * 64.0 / 8192.0).contains(&threshold), "{threshold}");
    }

    #[test]
    fn what_is_not_finite_is_counted_apart() {
        for mut observer in [Observer::default(), Observer::of_largest()] {
            observer.observe(&[f32::NAN, 1.0, f32::INFINITY, -1.5]);
            assert_eq!((observer.not_finite(), observer.largest()), (2, 1.5));
        }
    }

    proptest! {
        #[test]
        fn order_and_merging_do_not_matter(values in prop::collection::vec(-1e6f32..1e6, 1..200), split in 0usize..200, p in 0.5f64..1.0) {
            let split = split.min(values.len());
            let mut whole = Observer::default();
            whole.observe(&values);
            let (mut left, mut right) = (Observer::default(), Observer::default());
            left.observe(&values[..split]);
            right.observe(&values[split..]);
            right.merge(&left);
            prop_assert_eq!(whole.threshold(p), right.threshold(p));
            prop_assert_eq!(whole.threshold(1.0), right.threshold(1.0));
            let (mut left, mut right) = (Observer::of_largest(), Observer::of_largest());
            left.observe(&values[..split]);
            right.observe(&values[split..]);
            right.merge(&left);
            prop_assert_eq!(whole.threshold(1.0), right.threshold(1.0));
        }

        #[test]
        fn at_least_the_wanted_share_lies_below(values in prop::collection::vec(-1e3f32..1e3, 1..300), p in 0.5f64..1.0) {
            let mut observer = Observer::default();
            observer.observe(&values);
            let threshold = observer.threshold(p);
            let below = values.iter().filter(|value| value.abs() <= threshold).count();
            prop_assert!(below as f64 >= p * values.len() as f64);
        }
    }
}
