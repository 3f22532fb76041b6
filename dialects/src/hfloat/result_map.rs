//! What becomes of the values of a function besides: `result_scale` and `result_shift`.

use super::{Op, attributes};
use crate::ir::{self, IrError, OperationAttributes, attribute};
use melior::ir::OperationRef;

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

    /// This one, and then another; none where its numbers are no f32, or the scale would lose digits of it.
    #[must_use]
    pub fn then(self, next: Self) -> Option<Self> {
        let rounded = |value: f64| value as f32;
        let (scale, shift) = (rounded(self.scale * next.scale), rounded(self.shift * next.scale + next.shift));
        let both = Self { scale: scale.into(), shift: shift.into() };
        (scale.is_normal() && shift.is_finite()).then_some(both)
    }

    /// Gives an operation this map.
    pub fn set(self, operation: OperationRef<'_, '_>) {
        let context = operation.context_reference();
        for (name, value) in [("result_scale", self.scale), ("result_shift", self.shift)] {
            ir::set_attribute(operation, name, attribute::f32(context, value as f32));
        }
    }
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
}
