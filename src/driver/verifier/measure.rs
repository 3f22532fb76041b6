//! How far two tensors are apart.

use crate::quant::judge;

/// The difference of two tensors, over all samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Difference {
    /// Of all samples.
    pub elements: usize,
    /// Of how alike they are: the lowest of a sample, and the sum over the samples; none once one has no direction.
    cosines: Option<(f64, f64)>,
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
        let cosine = cosine(first, second);
        self.cosines = match (self.samples, self.cosines, cosine) {
            (0, _, Some(cosine)) => Some((cosine, cosine)),
            (_, Some((lowest, sum)), Some(cosine)) => Some((lowest.min(cosine), sum + cosine)),
            _ => None,
        };
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

    /// The lowest of a sample; none where a tensor has no direction.
    pub fn cosine(&self) -> Option<f64> {
        self.cosines.map(|(lowest, _)| lowest)
    }

    /// Over the samples.
    pub fn mean_cosine(&self) -> Option<f64> {
        self.cosines.map(|(_, sum)| sum / self.samples as f64)
    }

    /// Signal over error in dB; infinite where there is no error.
    pub fn sqnr(&self) -> f64 {
        if self.noise == 0.0 { f64::INFINITY } else { 10.0 * (self.signal / self.noise).log10() }
    }

    /// Whether it is that of one sample.
    pub fn is_first(&self) -> bool {
        self.samples == 1
    }

    /// Whether all elements are the same.
    pub fn is_none(&self) -> bool {
        self.noise == 0.0 && self.absolute == 0.0
    }
}

/// What hb_compile measures; none of tensors with what is no number.
fn cosine(first: &[f64], second: &[f64]) -> Option<f64> {
    if first.is_empty() && second.is_empty() {
        return Some(1.0);
    }
    let is_finite = first.iter().chain(second).all(|value| value.is_finite());
    judge::cosine(first, second).filter(|_| is_finite)
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
