//! How far two tensors are apart.

use crate::quant::judge::{SampleProducts, whole_cosines};

/// The difference of two tensors, over all samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Difference {
    /// Of all samples.
    pub elements: usize,
    /// Of each sample that has values.
    products: Vec<SampleProducts>,
    /// Whether a sample has none, because its lengths differ or a value is infinite or no number.
    has_no_cosine: bool,
    samples: usize,
    /// The sum of the squares of the first, and of the differences.
    signal: f64,
    noise: f64,
    /// The largest |a - b|.
    pub absolute: f64,
    /// The largest |a - b| / max(|a|, |b|).
    pub relative: f64,
}

impl Difference {
    /// Of one sample.
    pub fn of(first: &[f64], second: &[f64]) -> Self {
        let mut difference = Self::default();
        difference.add(first, second);
        difference
    }

    /// Adds a sample. Tensors of different lengths differ without bound.
    pub fn add(&mut self, first: &[f64], second: &[f64]) {
        self.elements += first.len();
        self.products.extend(SampleProducts::of(first, second));
        let is_finite = first.iter().chain(second).all(|value| value.is_finite());
        self.has_no_cosine |= !is_finite || first.len() != second.len();
        self.samples += 1;
        if first.len() != second.len() {
            (self.absolute, self.relative, self.noise) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
        }
        for (&a, &b) in first.iter().zip(second) {
            self.signal += a * a;
            // The same infinity, and two that are no number, are the same.
            if a == b || (a.is_nan() && b.is_nan()) {
                continue;
            }
            let error = (a - b).abs();
            let error = if error.is_nan() { f64::INFINITY } else { error };
            self.noise += error * error;
            self.absolute = self.absolute.max(error);
            let relative = if error.is_finite() { error / a.abs().max(b.abs()) } else { f64::INFINITY };
            self.relative = self.relative.max(relative);
        }
    }

    /// The lowest of a sample, as hb_compile measures it; none where a tensor has no direction.
    pub fn cosine(&self) -> Option<f64> {
        self.cosines().map(|cosines| cosines.into_iter().fold(1.0, f64::min))
    }

    /// Over the samples.
    pub fn mean_cosine(&self) -> Option<f64> {
        let mean = |cosines: Vec<f64>| cosines.iter().sum::<f64>() / cosines.len() as f64;
        self.cosines().map(|cosines| if cosines.is_empty() { 1.0 } else { mean(cosines) })
    }

    /// Of the samples that have values.
    fn cosines(&self) -> Option<Vec<f64>> {
        (!self.has_no_cosine && self.samples > 0).then(|| whole_cosines(&self.products))
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Whether the first is 0 everywhere.
    pub fn has_no_signal(&self) -> bool {
        self.signal == 0.0
    }

    /// Signal over error in dB; infinite where there is no error.
    pub fn sqnr(&self) -> f64 {
        if self.noise == 0.0 { f64::INFINITY } else { 10.0 * (self.signal / self.noise).log10() }
    }

    /// Whether all elements are the same.
    pub fn is_none(&self) -> bool {
        self.noise == 0.0 && self.absolute == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_on_paper() {
        // a = (3, 4), b = (4, 3): cosine 24/25, error (1, 1), signal 25, noise 2; the largest share is 1/4.
        let difference = Difference::of(&[3.0, 4.0], &[4.0, 3.0]);
        assert!((difference.cosine().unwrap() - 0.96).abs() < 1e-12);
        assert!((difference.sqnr() - 10.0 * 12.5f64.log10()).abs() < 1e-12);
        assert_eq!((difference.absolute, difference.relative), (1.0, 0.25));
        assert!(!difference.is_none());
    }

    #[test]
    fn samples_are_added_and_the_worst_counts() {
        let mut difference = Difference::of(&[1.0, 0.0], &[1.0, 0.0]);
        assert!(difference.is_none() && difference.sqnr() == f64::INFINITY);
        difference.add(&[1.0, 0.0], &[0.0, 1.0]);
        assert_eq!((difference.cosine(), difference.mean_cosine()), (Some(0.0), Some(0.5)));
        assert_eq!(difference.elements, 4);
        // Signal 2, noise 2.
        assert_eq!(difference.sqnr(), 0.0);
    }

    /// Of few values distances count by what all samples are on the average (decision 0032): 0.001 in the place of 0.002 is no fault beside 0.9.
    #[test]
    fn values_near_zero_are_judged_beside_those_of_other_samples() {
        let mut difference = Difference::default();
        for value in [0.9, 0.95, 0.001, 0.85] {
            difference.add(&[value], &[value + 0.001]);
        }
        // The distance is 1e-6 each; the mean of |a|^2 + |b|^2 is 1.22 with three digits.
        let lowest = difference.cosine().unwrap();
        assert!((1.0 - lowest - 1e-6 / 1.2185).abs() < 1e-8, "{lowest}");
        assert!((difference.mean_cosine().unwrap() - lowest).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_number() {
        let (nan, infinity) = (f64::NAN, f64::INFINITY);
        let same = Difference::of(&[nan, infinity, 1.0], &[nan, infinity, 1.0]);
        assert!(same.is_none() && same.cosine().is_none());
        for other in [0.0, nan, -infinity] {
            let difference = Difference::of(&[infinity, 1.0], &[other, 1.0]);
            assert!(difference.absolute == infinity && difference.relative == infinity, "{other}");
            assert_eq!(difference.cosine(), None);
        }
        // Zeros: the same, or nothing alike.
        assert_eq!(Difference::of(&[0.0], &[0.0]).cosine(), Some(1.0));
        assert_eq!(Difference::of(&[0.0], &[2.0]).cosine(), Some(0.0));
        assert_eq!(Difference::of(&[0.0], &[2.0]).relative, 1.0);
        assert_eq!(Difference::of(&[1.0], &[1.0, 2.0]).absolute, infinity);
    }
}
