//! Ranges of several methods in one network: for each value whose rounding matters, that which costs the outputs least.

use super::{
    calibrate::{CalibrationError, network},
    evidence::ChosenRanges,
    info::{ActivationType, ValueInfo},
    search::Search,
    sensitivity::costs,
    thresholds::ThresholdRange,
};

/// Values whose costs together are this share of those of all matter.
const SENSITIVE: f64 = 0.9;
/// Another range has to cost less than this share: costs are those of two samples.
const CHEAPER: f64 = 0.9;

impl Search<'_, '_> {
    /// The best ranges with those of other methods where they cost the outputs less, each measured alone on the samples that decide; none where
    /// none does.
    ///
    /// # Errors
    /// When the network cannot be run.
    pub(super) fn mix(&self, (methods, info): &ChosenRanges) -> Result<Option<ChosenRanges>, CalibrationError> {
        let function = network(self.module)?;
        let executable = (self.compile)(function)?;
        let cost = |values: &[(&str, ThresholdRange)]| {
            costs(function, &executable, values, &self.evidence.learned, self.samples)
        };
        let own: Vec<(&str, ThresholdRange)> = info
            .values
            .iter()
            .filter(|(_, value)| value.element == ActivationType::Int8)
            .map(|(name, value)| (name.as_str(), value.range()))
            .collect();
        let mut costly: Vec<((&str, ThresholdRange), f64)> = own.iter().copied().zip(cost(&own)?).collect();
        costly.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut left = SENSITIVE * costly.iter().map(|(_, cost)| cost).sum::<f64>();
        costly.retain(|(_, cost)| {
            left -= cost;
            left + cost > 0.0
        });
        // The value, and the position of the method in what was calibrated.
        let mut others = Vec::new();
        for (position, (other, ranges)) in self.calibrated.ranges.iter().enumerate() {
            for &((name, range), _) in costly.iter().filter(|_| other != methods) {
                let found = ranges.values.get(name).map(ValueInfo::range);
                let is_new = |found: &ThresholdRange| {
                    *found != range && others.iter().all(|(other, known, _)| (*other, known) != (name, found))
                };
                if let Some(found) = found.filter(is_new) {
                    others.push((name, found, position));
                }
            }
        }
        let values: Vec<(&str, ThresholdRange)> = others.iter().map(|(name, range, _)| (*name, *range)).collect();
        let found = cost(&values)?;
        let (mut methods, mut info) = (methods.clone(), info.clone());
        for ((name, _), own_cost) in costly {
            let of_name = others.iter().zip(&found).filter(|((other, ..), _)| *other == name);
            let Some(((_, _, position), least)) = of_name.min_by(|a, b| a.1.total_cmp(b.1)) else { continue };
            let Some((other, ranges)) = self.calibrated.ranges.get(*position) else { continue };
            if let Some(value) = ranges.values.get(name).filter(|_| *least < CHEAPER * own_cost) {
                tracing::debug!(
                    "'{name}': {} costs the outputs {least:.3e}, {} {own_cost:.3e}",
                    other.of(name),
                    methods.of(name)
                );
                methods.others.insert(name.to_owned(), other.of(name));
                info.values.insert(name.to_owned(), value.clone());
            }
        }
        Ok((!methods.others.is_empty()).then_some((methods, info)))
    }
}
