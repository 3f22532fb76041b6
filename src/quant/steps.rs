//! How much of the noise of rounding may stay: the steps of a search.

/// The share of the noise that is left is multiplied by a factor between these from one trial to the next.
const SMALLEST_STEP: f64 = 0.3;
const LARGEST_STEP: f64 = 0.85;
/// The power of the share that the error of the outputs is taken for at first, and the least that two trials may show.
const USUAL_POWER: f64 = 1.5;
const LEAST_POWER: f64 = 0.5;
/// Below this share of the noise everything becomes int16.
pub(super) const LEAST_SHARE: f64 = 0.001;

/// Looks for the largest share of the noise that may stay: the error of the outputs is about a power of it.
pub(super) struct Steps {
    wanted: f64,
    /// Share and error of the last trial that was not good enough.
    failed: (f64, f64),
    /// The power.
    power: f64,
    /// The largest share that is good enough.
    good: Option<f64>,
    done: bool,
}

impl Steps {
    /// After a trial with all the noise.
    pub(super) fn new(reached: f64, wanted: f64) -> Self {
        let failed = (1.0, 1.0 - reached);
        Self { wanted, failed, power: USUAL_POWER, good: None, done: reached >= wanted }
    }

    /// The share to try next; none at the end, which is there when nothing is left that could be wider.
    pub(super) fn next(&self, more: bool) -> Option<f64> {
        let (share, error) = self.failed;
        match self.good {
            _ if self.done => None,
            // The last step may have been larger than needed.
            Some(good) => Some((share * good).sqrt()),
            None if !more || share < LEAST_SHARE => None,
            None => {
                Some(share * ((1.0 - self.wanted) / error).powf(1.0 / self.power).clamp(SMALLEST_STEP, LARGEST_STEP))
            }
        }
    }

    pub(super) fn saw(&mut self, share: f64, reached: f64) {
        let error = 1.0 - reached;
        self.done = self.good.is_some();
        if reached >= self.wanted {
            self.good = Some(share);
        } else if self.good.is_none() {
            let power = (self.failed.1 / error).ln() / (self.failed.0 / share).ln();
            self.power = if power.is_finite() { power.clamp(LEAST_POWER, USUAL_POWER) } else { LEAST_POWER };
            self.failed = (share, error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: f64 = 0.993;

    /// Trials until the search ends, and the share that it settles on, where a share `s` has the error `e(s)`.
    fn search(error: impl Fn(f64) -> f64) -> (usize, f64) {
        let mut steps = Steps::new(1.0 - error(1.0), WANTED);
        let mut trials = 1;
        while let Some(share) = steps.next(true) {
            steps.saw(share, 1.0 - error(share));
            trials += 1;
        }
        (trials, steps.good.unwrap_or(steps.failed.0))
    }

    #[test]
    fn searches_are_short_and_end_at_what_was_wanted() {
        let wanted = 1.0 - WANTED;
        assert_eq!(search(|_| wanted / 2.0), (1, 1.0));
        for (largest, power) in [(0.012, 1.7), (0.02, 0.6), (0.05, 1.0), (0.3, 0.8)] {
            let error = |share: f64| largest * share.powf(power);
            let (trials, share) = search(error);
            assert!(trials <= 7 && error(share) <= wanted && error(share) > wanted / 3.0, "{trials} trials to {share}");
        }
        // What cannot be reached ends, too.
        assert!(search(|_| 0.5).0 < 20);
    }
}
