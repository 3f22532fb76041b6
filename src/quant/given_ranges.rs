//! What a QuantizeLinear or DequantizeLinear of a network says of the reals beside it.

use super::{
    rules::{ACTIVATION_BITS, WIDE_BITS},
    thresholds::ThresholdRange,
};
use crate::numerics::{largest_integer, threshold_of_affine};
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{Affine, Constant, IrError, OperationAttributes, constant_of},
};
use melior::ir::OperationRef;

/// Ends that lie closer than this share of a step are the same: symmetric integers leave one unused.
const TOLERANCE: f64 = 1.5;

/// What a network says of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GivenRange {
    /// The integers that the value has here: of 16 bits those with the zero point 0 that reach as far.
    pub(super) range: ThresholdRange,
    /// The least and the largest real that the integers of the network show.
    pub(super) ends: (f64, f64),
    /// Whether the integers of the network have 16 bits and another zero point.
    pub(super) made_symmetric: bool,
}

/// The least and the largest real that integers show.
fn ends(range: ThresholdRange) -> (f64, f64) {
    let Affine { scale, zero_point } = range.affine();
    let (zero_point, last) = (f64::from(zero_point), largest_integer(range.bits));
    ((-last - 1.0 - zero_point) * scale, (last - zero_point) * scale)
}

impl GivenRange {
    /// The interval to which the network clips what integers of this range show; infinite at an end where these end as early, to a step. Nothing where
    /// both do.
    pub(super) fn clips(&self, other: ThresholdRange) -> Option<(f64, f64)> {
        let ((low, high), step) = (ends(other), self.range.affine().scale * TOLERANCE);
        let least = if self.ends.0 > low + step { self.ends.0 } else { f64::NEG_INFINITY };
        let largest = if self.ends.1 < high - step { self.ends.1 } else { f64::INFINITY };
        (least.is_finite() || largest.is_finite()).then_some((least, largest))
    }
}

/// The range of the reals beside a `quantize_linear` or `dequantize_linear`, or why it has none here; nothing for other operations.
pub(super) fn given_range(operation: OperationRef<'_, '_>) -> Result<Option<Result<GivenRange, String>>, IrError> {
    if !matches!(Op::of(operation), Some(Op::QuantizeLinear | Op::DequantizeLinear)) {
        return Ok(None);
    }
    Ok(Some(match [operation.operand_at(1)?, operation.operand_at(2)?].map(constant_of) {
        [Some(scale), Some(zero_point)] => range_of(&scale, &zero_point)?,
        _ => Err("its scale or zero point is no constant".to_owned()),
    }))
}

fn range_of(scale: &Constant<'_>, zero_point: &Constant<'_>) -> Result<Result<GivenRange, String>, IrError> {
    let (scales, zero_points) = (scale.f32s()?, zero_point.to_i64s()?);
    let (&[scale], &[point]) = (scales.as_ref(), zero_points.as_slice()) else {
        return Ok(Err(format!("it has {} scales; the integers of an activation have one", scales.len())));
    };
    if !(scale.is_normal() && scale > 0.0) {
        return Ok(Err(format!("its scale is {scale}")));
    }
    let (bits, middle) = match zero_point.r#type.element.plain() {
        Some(ElementType::I8) => (ACTIVATION_BITS, 0),
        Some(ElementType::U8) => (ACTIVATION_BITS, 128),
        Some(ElementType::I16) => (WIDE_BITS, 0),
        Some(ElementType::U16) => (WIDE_BITS, 1 << 15),
        _ => return Ok(Err("its integers have neither 8 nor 16 bits".to_owned())),
    };
    let Ok(zero_point) = i32::try_from(point - middle) else {
        return Ok(Err(format!("its zero point is {point}")));
    };
    let affine = Affine { scale: f64::from(scale), zero_point };
    let real = |integer: f64| (integer - f64::from(zero_point)) * affine.scale;
    let ends = (real(-largest_integer(bits) - 1.0), real(largest_integer(bits)));
    let made_symmetric = bits == WIDE_BITS && zero_point != 0;
    let (threshold, zero_point) = match made_symmetric {
        true => (ends.1.max(-ends.0), 0),
        false => (threshold_of_affine(affine, bits), zero_point),
    };
    let range = ThresholdRange { threshold, bits, narrow_threshold: None, zero_point };
    Ok(Ok(GivenRange { range, ends, made_symmetric }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(scale: f32, zero_point: (ElementType, i64)) -> GivenRange {
        let (element, point) = zero_point;
        let bytes: Vec<u8> = point.to_le_bytes()[..element.bytes()].to_vec();
        let constant = |element, bytes: Vec<u8>| Constant {
            r#type: hb_dialects::ir::TensorType::new(element, &[]),
            bytes: bytes.into(),
        };
        let scale = constant(ElementType::F32, scale.to_le_bytes().to_vec());
        range_of(&scale, &constant(element, bytes)).expect("constants").expect("a range")
    }

    #[test]
    fn sixteen_bits_become_symmetric_and_reach_as_far() {
        // 0 to 65535 halves; all of it is positive.
        let positive = range(0.5, (ElementType::U16, 0));
        assert_eq!((positive.range.threshold, positive.range.zero_point, positive.range.bits), (32767.5, 0, 16));
        assert_eq!(positive.ends, (0.0, 32767.5));
        assert!(positive.made_symmetric);
        // Above, the integers end by themselves.
        assert_eq!(positive.clips(positive.range), Some((0.0, f64::INFINITY)));
        // -32768 - 84 to 32767 - 84.
        let both = range(1.0, (ElementType::I16, 84));
        assert_eq!((both.range.threshold, both.ends), (32852.0, (-32852.0, 32683.0)));
        assert_eq!(both.clips(both.range), Some((f64::NEG_INFINITY, 32683.0)));
        // The middle is the zero point, as it is here.
        for middle in [range(1.0, (ElementType::I16, 0)), range(1.0, (ElementType::U16, 32768))] {
            assert_eq!((middle.range.threshold, middle.ends), (32767.0, (-32768.0, 32767.0)));
            assert_eq!((middle.made_symmetric, middle.clips(middle.range)), (false, None));
        }
    }

    #[test]
    fn eight_bits_keep_their_zero_points() {
        let bytes = range(0.5, (ElementType::U8, 0));
        assert_eq!((bytes.range.threshold, bytes.range.zero_point), (127.5, -128));
        assert_eq!(bytes.ends, (0.0, 127.5));
        assert_eq!((bytes.made_symmetric, bytes.clips(bytes.range)), (false, None));
        assert_eq!(bytes.clips(range(1.0, (ElementType::U8, 0)).range), Some((f64::NEG_INFINITY, 127.5)));
    }
}
