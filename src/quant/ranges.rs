//! Choosers of ranges: from the magnitudes of a value to the threshold of its integers.

use super::{
    info::Judge,
    observer::{Magnitudes, Observer},
};
use super::{rules::ACTIVATION_BITS, thresholds::ThresholdRange};
use crate::numerics::{asymmetric_range, largest_integer};

/// A search tries so many thresholds from one to half of it.
const STEPS_PER_OCTAVE: f64 = 16.0;

/// The share of the values that are not 0 that may be cut off whatever they are.
const OUTLIERS: f64 = 1e-4;

/// Unless they hold more than this share of the sum of squares: then they are what the value is for.
const ENERGY_OF_OUTLIERS: f64 = 0.05;

/// Steps between the least and the greatest int8.
const ALL_STEPS: f64 = 255.0;

/// How the threshold of a value is chosen: the largest magnitude that its integers show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RangeChooser {
    /// The largest magnitude.
    Max,
    /// The magnitude below which this share of all values lies, 0 to 1: `max_percentile` of the manual. The upper edge of a bin, never more
    /// than the largest magnitude.
    Percentile(f64),
    /// The threshold that loses least information: the Kullback-Leibler divergence of the quantized distribution from the measured one is
    /// smallest (S. Migacz, "8-bit inference with TensorRT", 2017). Each bin goes to the integer that its middle rounds to, and what is exactly 0
    /// has no part: every scale shows it. The divergence does not ask how far a value is moved: of a gate that is mostly nearly shut
    /// it would cut off all that is open. So the mean square error must not be larger than with the largest magnitude, outliers aside.
    /// An area in which nothing changes, as padding is, counts as one slice.
    KullbackLeibler,
    /// The smallest mean square of the errors of rounding and of saturation.
    MeanSquaredError,
}

impl RangeChooser {
    /// Whether it needs more than the ends.
    pub fn needs_histogram(self) -> bool {
        !matches!(self, Self::Max | Self::Percentile(1.0..))
    }

    /// As files name it.
    pub fn judge(self) -> Judge {
        match self {
            Self::Max | Self::Percentile(1.0..) => Judge::Max,
            Self::Percentile(_) => Judge::Percentile,
            Self::KullbackLeibler => Judge::Kl,
            Self::MeanSquaredError => Judge::MeanSquaredError,
        }
    }

    /// The range of int8 for what was observed, with a zero point or without.
    pub fn range(self, observer: &Observer, asymmetric: bool) -> ThresholdRange {
        let symmetric = largest_integer(ACTIVATION_BITS);
        let (least, greatest) = observer.ends();
        let size = f64::from(greatest) - f64::from(least);
        if !asymmetric || size == 0.0 {
            return self.threshold(observer, symmetric).into();
        }
        // What is on one side of 0 has all the steps.
        let steps = ALL_STEPS * f64::from(observer.largest()) / size;
        let shown = self.threshold(observer, steps);
        let (threshold, zero_point) = asymmetric_range(f64::from(least).max(-shown), f64::from(greatest).min(shown));
        ThresholdRange { zero_point, ..threshold.into() }
    }

    /// The threshold for integers with so many steps from 0 to it.
    fn threshold(self, observer: &Observer, steps: f64) -> f64 {
        let largest = f64::from(observer.largest());
        let magnitudes = match self {
            Self::Max | Self::Percentile(_) | Self::MeanSquaredError => observer.magnitudes(),
            Self::KullbackLeibler => observer.distinct_magnitudes(),
        };
        let Some(magnitudes) = magnitudes.filter(|_| self.needs_histogram()) else { return largest };
        // Finer than the histogram nothing can be judged.
        let smallest = steps * magnitudes.width;
        let threshold = match self {
            Self::Max => largest,
            Self::Percentile(share) => percentile(magnitudes, share),
            Self::KullbackLeibler => {
                let sums = Sums::of(magnitudes);
                let usual = without_outliers(magnitudes);
                let most = square_error(usual, largest, steps);
                least(smallest, largest, |threshold| {
                    let is_worse = square_error(usual, threshold, steps) > most;
                    if is_worse { f64::INFINITY } else { divergence(&sums, threshold, steps) }
                })
            }
            Self::MeanSquaredError => least(smallest, largest, |threshold| square_error(magnitudes, threshold, steps)),
        };
        threshold.min(largest)
    }
}

/// The bins of all values but the largest, or all where those matter.
fn without_outliers(magnitudes: Magnitudes<'_>) -> Magnitudes<'_> {
    let least = percentile(Magnitudes { zeros: 0, ..magnitudes }, 1.0 - OUTLIERS);
    let energy = |(index, count): (usize, &u64)| *count as f64 * (index as f64 + 0.5).powi(2);
    let split = magnitudes.bins.split_at_checked((least / magnitudes.width) as usize);
    let matters = |(usual, outliers): &(&[u64], &[u64])| {
        let usual_energy: f64 = usual.iter().enumerate().map(energy).sum();
        let energy_of_outliers: f64 = (usual.len()..).zip(outliers.iter()).map(energy).sum();
        energy_of_outliers > ENERGY_OF_OUTLIERS * (usual_energy + energy_of_outliers)
    };
    match split.filter(|split| !matters(split)) {
        Some((usual, _)) => Magnitudes { bins: usual, ..magnitudes },
        None => magnitudes,
    }
}

/// The upper edge of the bin in which the share is reached.
fn percentile(magnitudes: Magnitudes<'_>, share: f64) -> f64 {
    let count = magnitudes.zeros + magnitudes.bins.iter().sum::<u64>();
    let wanted = share.max(0.0) * count as f64;
    let mut seen = magnitudes.zeros;
    let reached = magnitudes.bins.iter().position(|bin| {
        seen += bin;
        seen as f64 >= wanted
    });
    reached.map_or(f64::INFINITY, |bin| (bin + 1) as f64 * magnitudes.width)
}

/// The threshold with the least cost; the largest of several.
fn least(smallest: f64, largest: f64, cost: impl Fn(f64) -> f64) -> f64 {
    let candidates = (0u32..).map(|step| largest * (-f64::from(step) / STEPS_PER_OCTAVE).exp2());
    let costs = candidates.take_while(|threshold| *threshold >= smallest).map(|threshold| (threshold, cost(threshold)));
    costs.fold((largest, f64::INFINITY), |best, next| if next.1 < best.1 { next } else { best }).0
}

/// Sums over the bins before each bin, for costs that are sums over runs of bins.
struct Sums {
    width: f64,
    values: Vec<f64>,
    /// Of `n ln n`.
    information: Vec<f64>,
    /// Bins that hold values.
    held: Vec<f64>,
}

impl Sums {
    fn of(Magnitudes { bins, width, .. }: Magnitudes<'_>) -> Self {
        let running = |part: &dyn Fn(f64) -> f64| {
            let mut sum = 0.0;
            let next = |bin: &u64| {
                sum += part(*bin as f64);
                sum
            };
            std::iter::once(0.0).chain(bins.iter().map(next)).collect::<Vec<_>>()
        };
        Self {
            width,
            values: running(&|count| count),
            information: running(&times_logarithm),
            held: running(&|count| count.min(1.0)),
        }
    }

    /// The number of bins whose middle is below a magnitude.
    fn below(&self, magnitude: f64) -> usize {
        ((magnitude / self.width + 0.5) as usize).min(self.values.len() - 1)
    }
}

fn times_logarithm(count: f64) -> f64 {
    if count > 0.0 { count * count.ln() } else { 0.0 }
}

fn between(sums: &[f64], from: usize, to: usize) -> f64 {
    let at = |index: usize| sums.get(index).copied().unwrap_or_default();
    at(to) - at(from)
}

/// The divergence of what integers show from what was measured, where values beyond the threshold count as the threshold itself.
fn divergence(sums: &Sums, threshold: f64, steps: f64) -> f64 {
    let end = sums.below(threshold).max(1);
    let all = between(&sums.values, 0, sums.values.len() - 1);
    let shown = between(&sums.values, 0, end);
    let beyond = all - shown;
    if all == 0.0 || shown == 0.0 {
        return if all == 0.0 { 0.0 } else { f64::INFINITY };
    }
    // The last bin holds what is beyond as well.
    let last = between(&sums.values, end - 1, end);
    let mut divergence = between(&sums.information, 0, end) - times_logarithm(last) + times_logarithm(last + beyond);
    let step = threshold / steps;
    let (mut from, mut level) = (0, 0.0);
    while from < end {
        let to = sums.below((level + 0.5) * step).min(end);
        level += 1.0;
        if to <= from {
            continue;
        }
        let own = between(&sums.values, from, to);
        let (mut measured, mut held) = (own, between(&sums.held, from, to));
        if to == end && beyond > 0.0 {
            measured += beyond;
            held += if last == 0.0 { 1.0 } else { 0.0 };
        }
        from = to;
        if measured > 0.0 {
            // Nothing shows it.
            if own == 0.0 {
                return f64::INFINITY;
            }
            divergence -= measured * (own / held).ln();
        }
    }
    divergence / all - all.ln() + shown.ln()
}

/// The mean square of the errors.
fn square_error(Magnitudes { bins, width, .. }: Magnitudes<'_>, threshold: f64, most: f64) -> f64 {
    let step = threshold / most;
    let error = |(index, count): (usize, &u64)| {
        let middle = (index as f64 + 0.5) * width;
        let shown = (middle / step).round_ties_even().min(most) * step;
        *count as f64 * (middle - shown).powi(2)
    };
    bins.iter().enumerate().map(error).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn observed(values: &[f32]) -> Observer {
        let mut observer = Observer::default();
        observer.observe(values, &[values.len()]);
        observer
    }

    /// The divergence as it is defined, from two distributions written out.
    fn divergence_by_definition(magnitudes: Magnitudes<'_>, threshold: f64, steps: f64) -> f64 {
        let step = threshold / steps;
        let middle = |index: usize| (index as f64 + 0.5) * magnitudes.width;
        let end = (0..magnitudes.bins.len()).filter(|&index| middle(index) < threshold).count().max(1);
        let shown: Vec<f64> = magnitudes.bins[..end].iter().map(|&count| count as f64).collect();
        let mut measured = shown.clone();
        measured[end - 1] += magnitudes.bins[end..].iter().sum::<u64>() as f64;
        let level = |index: usize| (0u32..).find(|level| middle(index) < (f64::from(*level) + 0.5) * step).unwrap();
        let levels: Vec<usize> = (0..end).map(|index| level(index) as usize).collect();
        let mut sums = vec![(0.0, 0.0); levels.last().unwrap() + 1];
        for index in 0..end {
            let (sum, held) = &mut sums[levels[index]];
            *sum += shown[index];
            *held += f64::from(u8::from(measured[index] > 0.0));
        }
        let mean = |index: usize| sums[levels[index]].0 / sums[levels[index]].1;
        let quantized: Vec<f64> = (0..end).map(|index| if measured[index] > 0.0 { mean(index) } else { 0.0 }).collect();
        let (all, kept): (f64, f64) = (measured.iter().sum(), quantized.iter().sum());
        if kept == 0.0 {
            // Nothing lies below the threshold: what was measured has no levels of its own.
            return f64::INFINITY;
        }
        let parts = measured.iter().zip(&quantized).filter(|(p, _)| **p > 0.0);
        parts.map(|(p, q)| p / all * ((p / all) / (q / kept)).ln()).sum()
    }

    #[test]
    fn max_is_the_largest_magnitude() {
        let values = [0.5, -3_221_225_472.0, 2.0];
        let mut without_histogram = Observer::of_ends();
        without_histogram.observe(&values, &[3]);
        for observer in [observed(&values), without_histogram] {
            for chooser in [RangeChooser::Max, RangeChooser::Percentile(1.0)] {
                assert_eq!((chooser.threshold(&observer, 127.0), chooser.needs_histogram()), (3_221_225_472.0, false));
            }
        }
    }

    #[test]
    fn percentile_cuts_outliers_off() {
        let mut values: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        values[999] = 50.0;
        // 990 of 1000 values lie below 0.99; a bin is 64 / 8192 wide.
        let threshold = RangeChooser::Percentile(0.99).threshold(&observed(&values), 127.0);
        assert!((0.98..0.99 + 2.0 * 64.0 / 8192.0).contains(&threshold), "{threshold}");
    }

    /// A normal distribution: the Gaussian's best 8-bit range is 3.92 of its deviations by mean square (J. Max, "Quantizing for minimum
    /// distortion", 1960: 256 levels, step 0.0308).
    #[test]
    fn the_least_square_error_of_a_normal_distribution() {
        let count = 200_000;
        // Sums of twelve uniform numbers would end at 6; the inverse of the distribution is exact enough by bisection of its series.
        let quantile = |share: f64| {
            let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let (mut below, mut above) = (0.0f64, 6.0f64);
            let within = |x: f64| {
                let n = 400;
                let h = x / f64::from(n);
                let inner: f64 = (1..n).map(|i| density(f64::from(i) * h)).sum();
                2.0 * h * (density(0.0) / 2.0 + inner + density(x) / 2.0)
            };
            for _ in 0..30 {
                let middle = (below + above) / 2.0;
                if within(middle) < share { below = middle } else { above = middle }
            }
            below
        };
        let table: Vec<f64> = (0..1000).map(|i| quantile((f64::from(i) + 0.5) / 1000.0)).collect();
        let mut values: Vec<f32> = (0..count).map(|i| table[i % 1000] as f32).collect();
        // The tail that a thousand quantiles do not show.
        values.extend((0..40).map(|i| (3.3 + f64::from(i) * 0.02) as f32));
        let threshold = RangeChooser::MeanSquaredError.threshold(&observed(&values), 127.0);
        assert!((3.4..4.1).contains(&threshold), "{threshold}");
    }

    #[test]
    fn a_spike_of_zeros_has_no_part() {
        let values: Vec<f32> = (1..=4000).map(|i| i as f32 / 4000.0).collect();
        let with_zeros: Vec<f32> = values.iter().copied().chain(std::iter::repeat_n(0.0, 100_000)).collect();
        for chooser in [RangeChooser::KullbackLeibler, RangeChooser::MeanSquaredError] {
            let threshold = chooser.threshold(&observed(&values), 127.0);
            assert_eq!(chooser.threshold(&observed(&with_zeros), 127.0), threshold);
            assert!(threshold > 0.9, "a uniform distribution keeps its range: {threshold}");
        }
    }

    #[test]
    fn a_lone_outlier_is_given_up() {
        let mut values: Vec<f32> = (1..=100_000).map(|i| i as f32 / 100_000.0).collect();
        values.push(20.0);
        for chooser in [RangeChooser::KullbackLeibler, RangeChooser::MeanSquaredError] {
            let threshold = chooser.threshold(&observed(&values), 127.0);
            assert!(threshold < 20.0, "{chooser:?} {threshold}");
        }
        assert!(RangeChooser::KullbackLeibler.threshold(&observed(&values), 127.0) < 1.5);
    }

    /// 25 columns of numbers up to 1, most of them small, and 975 that are all the same.
    #[test]
    fn an_area_of_padding_counts_once() {
        let cell = |row: usize, column: usize| match column {
            0..25 => ((row * 25 + column) as f32 / 800.0).powi(8),
            _ => 0.01 * (1.0 + row as f32 / 32.0),
        };
        let of_columns =
            |columns: usize| -> Vec<f32> { (0..32 * columns).map(|i| cell(i / columns, i % columns)).collect() };
        let (mut padded, mut once) = (Observer::default(), Observer::default());
        padded.observe(&of_columns(1000), &[1, 1, 32, 1000]);
        once.observe(&of_columns(26), &[1, 1, 32, 26]);
        let kl = RangeChooser::KullbackLeibler;
        assert_eq!(kl.threshold(&padded, 127.0), kl.threshold(&once, 127.0));
        let all = observed(&of_columns(1000));
        let distinct = |observer: &Observer| observer.distinct_magnitudes().map(|seen| seen.bins.iter().sum::<u64>());
        assert_eq!([&padded, &once, &all].map(distinct), [Some(831), Some(831), Some(31_999)]);
        // The mean of the errors is that of all values (0.908 by numpy), and `max_percentile` a share of them.
        let mean = RangeChooser::MeanSquaredError;
        assert!((0.90..0.92).contains(&mean.threshold(&padded, 127.0)), "{}", mean.threshold(&padded, 127.0));
        // `max_percentile` is a share of all values.
        let percentile = RangeChooser::Percentile(0.75);
        assert_eq!(percentile.threshold(&padded, 127.0), percentile.threshold(&all, 127.0));
    }

    #[test]
    fn nothing_but_zeros_has_no_range() {
        for chooser in [RangeChooser::Percentile(0.9), RangeChooser::KullbackLeibler, RangeChooser::MeanSquaredError] {
            assert_eq!(chooser.threshold(&observed(&[0.0; 7]), 127.0), 0.0);
            assert_eq!(chooser.threshold(&Observer::default(), 127.0), 0.0);
        }
    }

    /// A map of scores: nearly 0 at most places, and nearly 1 at a few that are what it is for.
    #[test]
    fn what_a_gate_lets_through_is_kept() {
        let value = |index: usize| if index.is_multiple_of(30) { 0.99 } else { (index % 97) as f32 * 1e-5 };
        let values: Vec<f32> = (0..60_000).map(value).collect();
        assert!(RangeChooser::KullbackLeibler.threshold(&observed(&values), 127.0) > 0.9);
    }

    /// The exponential of twice a normal distribution: most of its sum of squares is in few values.
    #[test]
    fn a_tail_that_holds_the_energy_is_kept() {
        let normal = |index: usize| {
            // Box and Muller, from two sequences without a common period.
            let (u, v) = ((index as f64 + 0.5) / 50_000.0, index as f64 * 0.618_033_988_75);
            (-2.0 * u.ln()).sqrt() * (v.fract() * std::f64::consts::TAU).cos()
        };
        let values: Vec<f32> = (0..50_000).map(|index| (2.0 * normal(index)).exp() as f32).collect();
        let error = |threshold: f64| square_error(observed(&values).magnitudes().unwrap(), threshold, 127.0);
        let kl = RangeChooser::KullbackLeibler.threshold(&observed(&values), 127.0);
        assert!(error(kl) <= error(RangeChooser::Max.threshold(&observed(&values), 127.0)), "{kl}");
    }

    #[test]
    fn what_is_never_negative_has_all_the_steps() {
        let values: Vec<f32> = (0..=1000).map(|i| i as f32 * 0.0255).collect();
        let symmetric = RangeChooser::Max.range(&observed(&values), false);
        assert_eq!((symmetric.threshold, symmetric.zero_point), (25.5, 0));
        for chooser in [RangeChooser::Max, RangeChooser::MeanSquaredError, RangeChooser::KullbackLeibler] {
            let range = chooser.range(&observed(&values), true);
            assert_eq!(range.zero_point, -128);
            assert!((range.affine().scale - 0.1).abs() < 0.005, "{chooser:?}: {range:?}");
        }
        let negative: Vec<f32> = values.iter().map(|value| -value).collect();
        assert_eq!(RangeChooser::Max.range(&observed(&negative), true).zero_point, 127);
        let both: Vec<f32> = values.iter().chain(&negative).copied().collect();
        assert!(RangeChooser::Max.range(&observed(&both), true).zero_point.abs() <= 1);
    }

    proptest! {
        #[test]
        fn at_least_the_wanted_share_lies_below(values in prop::collection::vec(-1e3f32..1e3, 1..300), share in 0.5f64..1.0) {
            let threshold = RangeChooser::Percentile(share).threshold(&observed(&values), 127.0);
            let below = values.iter().filter(|value| f64::from(value.abs()) <= threshold).count();
            prop_assert!(below as f64 >= share * values.len() as f64);
        }

        #[test]
        fn sums_give_the_divergence_of_the_definition(values in prop::collection::vec(-1f32..1.0, 1..400), share in 0.2f64..1.0) {
            let observer = observed(&values);
            // Below the bins of the histogram there are no levels to tell apart.
            prop_assume!(observer.largest() > 1e-6);
            let magnitudes = observer.magnitudes().expect("a histogram");
            let threshold = share * f64::from(observer.largest());
            let (own, definition) =
                (divergence(&Sums::of(magnitudes), threshold, 127.0), divergence_by_definition(magnitudes, threshold, 127.0));
            prop_assert!(own == definition || (own - definition).abs() < 1e-9, "{own} {definition}");
        }

        #[test]
        fn no_threshold_is_beyond_what_was_seen(values in prop::collection::vec(-1e3f32..1e3, 1..300)) {
            let observer = observed(&values);
            for chooser in [RangeChooser::KullbackLeibler, RangeChooser::MeanSquaredError] {
                let threshold = chooser.threshold(&observer, 127.0);
                prop_assert!(threshold > 0.0 && threshold <= f64::from(observer.largest()) || observer.largest() == 0.0);
            }
        }
    }
}
