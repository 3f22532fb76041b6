//! What becomes of the values of a function besides: `result_scale` and `result_shift`.

use super::{Op, attributes};
use crate::ir::{self, IrError, OperationAttributes, attribute};
use melior::ir::OperationRef;

/// A shift above this leaves an f32 no finer step than 2^-11, and one that is so many times what is left of it is there for its rounding.
const MOST_CANCELLED: f64 = 4096.0;

/// The map `scale * y + shift` of what a function gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResultMap {
    /// `result_scale`.
    pub scale: f64,
    /// `result_shift`.
    pub shift: f64,
}

impl ResultMap {
    /// The map that changes nothing.
    pub const IDENTITY: Self = Self { scale: 1.0, shift: 0.0 };

    /// That of an operation; none where it cannot have one.
    ///
    /// # Errors
    /// When its attributes cannot be read.
    pub fn of(operation: OperationRef<'_, '_>) -> Result<Option<Self>, IrError> {
        let can_have = Op::of(operation).is_some_and(|op| op.definition().attribute("result_scale").is_some());
        if !can_have {
            return Ok(None);
        }
        Ok(Some(Self { scale: attributes::result_scale(operation)?, shift: attributes::result_shift(operation)? }))
    }

    /// This one, and then another; none where its numbers are no f32, the scale would lose digits of it, or a large shift that is taken back would
    /// have rounded what lies between, which may be what it is for: adding `1.5 * 2^23` to an f32 and taking it away again rounds to integers.
    #[must_use]
    pub fn then(self, next: Self) -> Option<Self> {
        let rounded = |value: f64| value as f32;
        let (scale, shift) = (rounded(self.scale * next.scale), rounded(self.shift * next.scale + next.shift));
        let both = Self { scale: scale.into(), shift: shift.into() };
        let rounds = shifts_round(self.shift, next);
        (scale.is_normal() && shift.is_finite() && !rounds).then_some(both)
    }

    /// Gives an operation this map.
    pub fn set(self, operation: OperationRef<'_, '_>) {
        let context = operation.context_reference();
        for (name, value) in [("result_scale", self.scale), ("result_shift", self.shift)] {
            ir::set_attribute(operation, name, attribute::f32(context, value as f32));
        }
    }
}

/// Whether a shift of f32 rounds what is shifted and `next` takes most of it back.
pub fn shifts_round(shift: f64, next: ResultMap) -> bool {
    let (carried, back) = (shift * next.scale, next.shift);
    let cancels = carried.abs().max(back.abs()) > MOST_CANCELLED * (carried + back).abs();
    cancels && shift.abs().max(back.abs()) > MOST_CANCELLED
}

/// Whether an operation gives what its kind says: no activation and no map is behind it.
///
/// # Errors
/// When its attributes cannot be read.
pub fn gives_plain_result(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    let is_plain = ResultMap::of(operation)?.is_none_or(|map| map == ResultMap::IDENTITY);
    Ok(is_plain && attributes::activation(operation)?.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_follow_each_other() {
        let first = ResultMap { scale: 2.0, shift: 3.0 };
        let next = ResultMap { scale: -0.5, shift: 1.0 };
        // -0.5 * (2 y + 3) + 1.
        assert_eq!(first.then(next), Some(ResultMap { scale: -1.0, shift: -0.5 }));
        assert_eq!(ResultMap::IDENTITY.then(next), Some(next));
        assert_eq!(first.then(ResultMap { scale: 0.0, shift: 1.0 }), None);
        assert_eq!(first.then(ResultMap { scale: 1e300, shift: 0.0 }), None);
        assert_eq!(first.then(ResultMap { scale: 1.0, shift: f64::NAN }), None);
    }

    #[test]
    fn shifts_that_round_are_not_joined() {
        // The way to round f32 without a function for it.
        let up = ResultMap { scale: 1.0, shift: 12_582_912.0 };
        assert_eq!(up.then(ResultMap { scale: 1.0, shift: -12_582_912.0 }), None);
        // Taken back after a scale, and of what was scaled before.
        assert_eq!(up.then(ResultMap { scale: 0.5, shift: -6_291_456.0 }), None);
        assert_eq!(up.then(ResultMap { scale: 1e-4, shift: -1258.2912 }), None);
        let scaled = ResultMap { scale: 1e4, ..up };
        assert_eq!(scaled.then(ResultMap { scale: 1.0, shift: -12_582_912.0 }), None);
        let small = ResultMap { scale: 1.0, shift: 3.0 };
        assert_eq!(small.then(ResultMap { scale: 1.0, shift: -3.0 }), Some(ResultMap::IDENTITY));
        // An offset of pixels, whatever the scale of what it is added to.
        let fine = ResultMap { scale: 0.003, shift: 128.0 };
        assert_eq!(
            fine.then(ResultMap { scale: 1.0, shift: -128.0 }),
            Some(ResultMap { scale: f64::from(0.003_f32), shift: 0.0 })
        );
        // What stays was there before.
        let stays = ResultMap { scale: 1.0, shift: 1.0 };
        assert_eq!(up.then(stays), Some(ResultMap { scale: 1.0, shift: 12_582_913.0 }));
    }
}
