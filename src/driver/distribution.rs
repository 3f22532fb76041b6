//! How the values of a node are spread, in numbers that a picture is drawn from.

use crate::numerics::FiniteEnds;
use serde::Serialize;

/// So many parts of the span are told apart.
const PARTS: usize = 48;

/// How many values of the float network and of the quantized one lie in each of equal parts of the span of both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// The least value of both.
    least: f32,
    /// The greatest.
    greatest: f32,
    /// Of the float network.
    float: Vec<u32>,
    /// Of the integers, as the reals that they stand for.
    quantized: Vec<u32>,
}

impl Distribution {
    /// Of the finite values; none where there are no two different ones.
    pub fn of(float: &[f32], quantized: &[f32]) -> Option<Self> {
        let [of_float, of_quantized] = [float, quantized].map(FiniteEnds::of);
        let (least, greatest) = (of_float.least.min(of_quantized.least), of_float.greatest.max(of_quantized.greatest));
        if least >= greatest {
            return None;
        }
        let counted = |values| counts(values, f64::from(least), f64::from(greatest));
        Some(Self { least, greatest, float: counted(float), quantized: counted(quantized) })
    }
}

/// How many of the finite values lie in each part from the least to the greatest, which is in the last.
fn counts(values: &[f32], least: f64, greatest: f64) -> Vec<u32> {
    let mut counts = vec![0u32; PARTS];
    let per_unit = PARTS as f64 / (greatest - least);
    for value in values.iter().filter(|value| value.is_finite()) {
        let part = ((f64::from(*value) - least) * per_unit) as usize;
        if let Some(count) = counts.get_mut(part.min(PARTS - 1)) {
            *count = count.saturating_add(1);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_value_is_in_one_part() {
        // From -1 to 2 a part is 1/16 wide: 0 begins part 16, 0.5 part 24, and 2 is in the last.
        let found = Distribution::of(&[-1.0, 0.0, 0.5, f32::NAN], &[0.0, 0.03, 2.0, f32::INFINITY]).unwrap();
        assert_eq!((found.least, found.greatest), (-1.0, 2.0));
        let held =
            |counts: &[u32]| counts.iter().copied().enumerate().filter(|(_, count)| *count > 0).collect::<Vec<_>>();
        assert_eq!(held(&found.float), [(0, 1), (16, 1), (24, 1)]);
        assert_eq!(held(&found.quantized), [(16, 2), (47, 1)]);
    }

    #[test]
    fn one_value_is_not_spread() {
        assert_eq!(Distribution::of(&[3.0, 3.0], &[3.0]), None);
        assert_eq!((Distribution::of(&[], &[]), Distribution::of(&[f32::NAN], &[])), (None, None));
        // The span of all floats is no float.
        let widest = Distribution::of(&[f32::MIN, f32::MAX], &[]).unwrap();
        assert_eq!((widest.float[0], widest.float[PARTS - 1]), (1, 1));
    }
}
