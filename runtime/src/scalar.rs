//! One number of any type: how constants are held, and what the interpreter and the routines compute with.

use core::hash::{Hash, Hasher};

use crate::ElementType;
use half::{bf16, f16};

/// One value, in the widest type of its kind. Which element it stands for is known where it is used.
#[derive(Clone, Copy, Debug)]
pub enum Scalar {
    /// Of a floating point type.
    Float(f64),
    /// Of an integer type.
    Integer(i128),
    /// A truth value.
    Boolean(bool),
}

/// The bits are the same: a NaN equals itself, and -0 differs from 0.
impl PartialEq for Scalar {
    fn eq(&self, other: &Scalar) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

impl Scalar {
    /// Its kind and its bits.
    fn bits(self) -> (u8, u128) {
        match self {
            Scalar::Float(value) => (0, value.to_bits().into()),
            Scalar::Integer(value) => (1, value as u128),
            Scalar::Boolean(value) => (2, value.into()),
        }
    }

    /// The nearest f64; 1 for true.
    pub fn as_f64(self) -> f64 {
        match self {
            Scalar::Float(value) => value,
            Scalar::Integer(value) => {
                let (high, scale) = leading_bits(value);
                signed(value, high as f64) * f64::from_bits(u64::from(scale + 1023) << 52)
            }
            Scalar::Boolean(value) => f64::from(u8::from(value)),
        }
    }

    /// Truncates towards zero; NaN is 0.
    pub fn as_integer(self) -> i128 {
        match self {
            Scalar::Float(value) => truncated(value),
            Scalar::Integer(value) => value,
            Scalar::Boolean(value) => i128::from(value),
        }
    }

    /// Truncates towards zero and saturates; NaN is 0.
    pub fn as_i64(self) -> i64 {
        self.as_integer().clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// Whether it is not 0.
    pub fn as_bool(self) -> bool {
        match self {
            Scalar::Float(value) => value != 0.0,
            Scalar::Integer(value) => value != 0,
            Scalar::Boolean(value) => value,
        }
    }

    /// Straight from an integer: going through f64 would round twice.
    fn as_f32(self) -> f32 {
        match self {
            Scalar::Integer(value) => {
                let (high, scale) = leading_bits(value);
                signed(value, high as f32) * f32::from_bits((scale + 127) << 23)
            }
            other => other.as_f64() as f32,
        }
    }

    /// The value as `element` holds it: floats are rounded to nearest even (to bfloat16 by way of f32, as ml_dtypes and
    /// onnxruntime do), floats to integers truncate and saturate, integers to integers wrap, anything to bool is `!= 0`
    /// (ONNX Cast).
    pub fn cast(self, element: ElementType) -> Scalar {
        match (element, self) {
            (ElementType::F64, _) => Scalar::Float(self.as_f64()),
            (ElementType::F32, _) => Scalar::Float(self.as_f32().into()),
            (ElementType::F16, Scalar::Integer(_)) => Scalar::Float(f16::from_f32(self.as_f32()).into()),
            (ElementType::F16, _) => Scalar::Float(f16::from_f64(self.as_f64()).into()),
            (ElementType::BF16, _) => Scalar::Float(bf16::from_f32(self.as_f32()).into()),
            (ElementType::Bool, _) => Scalar::Boolean(self.as_bool()),
            (integer, Scalar::Float(_)) => {
                let (low, high) = integer.integer_range().unwrap_or_default();
                Scalar::Integer(self.as_integer().clamp(low, high))
            }
            (integer, _) => Scalar::Integer(wrap(self.as_integer(), integer)),
        }
    }

    /// The element that these bytes are; `None` when they are too few or too many.
    pub fn read(element: ElementType, bytes: &[u8]) -> Option<Scalar> {
        Some(match element {
            ElementType::F32 => Scalar::Float(f32::from_le_bytes(bytes.try_into().ok()?).into()),
            ElementType::F64 => Scalar::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
            ElementType::F16 => Scalar::Float(f16::from_le_bytes(bytes.try_into().ok()?).into()),
            ElementType::BF16 => Scalar::Float(bf16::from_le_bytes(bytes.try_into().ok()?).into()),
            ElementType::I64 => Scalar::Integer(i64::from_le_bytes(bytes.try_into().ok()?).into()),
            ElementType::I32 => Scalar::Integer(i32::from_le_bytes(bytes.try_into().ok()?).into()),
            ElementType::I16 => Scalar::Integer(i16::from_le_bytes(bytes.try_into().ok()?).into()),
            ElementType::I8 => Scalar::Integer(i8::from_le_bytes(bytes.try_into().ok()?).into()),
            ElementType::U64 => Scalar::Integer(u64::from_le_bytes(bytes.try_into().ok()?).into()),
            ElementType::U32 => Scalar::Integer(u32::from_le_bytes(bytes.try_into().ok()?).into()),
            ElementType::U16 => Scalar::Integer(u16::from_le_bytes(bytes.try_into().ok()?).into()),
            ElementType::U8 => Scalar::Integer((*bytes.first()?).into()),
            ElementType::Bool => Scalar::Boolean(*bytes.first()? != 0),
        })
    }

    /// Writes the value, already cast to `element`.
    pub fn write(self, element: ElementType, bytes: &mut [u8]) {
        let put = |bytes: &mut [u8], from: &[u8]| bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        match element {
            ElementType::F32 => put(bytes, &self.as_f32().to_le_bytes()),
            ElementType::F64 => put(bytes, &self.as_f64().to_le_bytes()),
            ElementType::F16 => put(bytes, &f16::from_f64(self.as_f64()).to_le_bytes()),
            ElementType::BF16 => put(bytes, &bf16::from_f32(self.as_f32()).to_le_bytes()),
            _ => put(bytes, &self.as_integer().to_le_bytes()),
        }
    }
}

// Conversions of 128 bits are functions of a library that an object for the board has not: these are instructions of 64.

/// The magnitude's first 64 bits, the last of them set where bits behind it are, and the power of two that they count: a float of fewer bits
/// rounds them as it rounds the number.
fn leading_bits(value: i128) -> (u64, u32) {
    let magnitude = value.unsigned_abs();
    let scale = 64u32.saturating_sub(magnitude.leading_zeros());
    let lost = magnitude & ((1 << scale) - 1) != 0;
    ((magnitude >> scale) as u64 | u64::from(lost), scale)
}

fn signed<T: core::ops::Neg<Output = T>>(value: i128, magnitude: T) -> T {
    if value < 0 { -magnitude } else { magnitude }
}

/// Towards zero, saturated; NaN is 0.
fn truncated(value: f64) -> i128 {
    const FRACTION: u64 = (1 << 52) - 1;
    // 2^63.
    if value.is_nan() || value.abs() < 9_223_372_036_854_775_808.0 {
        return (value as i64).into();
    }
    let bits = value.to_bits();
    let places = (bits >> 52 & 0x7ff) as u32 - 1075;
    let magnitude = i128::from(bits & FRACTION | (FRACTION + 1)).checked_shl(places).filter(|_| places < 75);
    match magnitude {
        Some(magnitude) => signed(value as i64 as i128, magnitude),
        None if value < 0.0 => i128::MIN,
        None => i128::MAX,
    }
}

/// The low bits of the integer, as the element reads them.
fn wrap(value: i128, element: ElementType) -> i128 {
    let unused = 128 - 8 * element.bytes() as u32;
    if element.is_signed() { value << unused >> unused } else { (((value as u128) << unused) >> unused) as i128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_follow_onnx() {
        assert_eq!(Scalar::Float(-1.9).cast(ElementType::I32), Scalar::Integer(-1));
        assert_eq!(Scalar::Integer(300).cast(ElementType::U8), Scalar::Integer(44));
        assert_eq!(Scalar::Integer(200).cast(ElementType::I8), Scalar::Integer(-56));
        assert_eq!(Scalar::Float(0.5).cast(ElementType::Bool), Scalar::Boolean(true));
        assert_eq!(Scalar::Float(f64::NAN).cast(ElementType::I64), Scalar::Integer(0));
        assert_eq!(Scalar::Integer(-1).cast(ElementType::U64), Scalar::Integer(u64::MAX.into()));
        assert_eq!(Scalar::Integer(u64::MAX.into()).cast(ElementType::I64), Scalar::Integer(-1));
        assert_eq!(Scalar::Float(1e30).cast(ElementType::U64), Scalar::Integer(u64::MAX.into()));
        assert_eq!(Scalar::Float(-1.0).cast(ElementType::U16), Scalar::Integer(0));
        // 8 bits of precision: 257 lies halfway between 256 and 258, 259 between 258 and 260.
        assert_eq!(Scalar::Integer(257).cast(ElementType::BF16), Scalar::Float(256.0));
        assert_eq!(Scalar::Float(259.0).cast(ElementType::BF16), Scalar::Float(260.0));
        // 2049 lies halfway between the f16 values 2048 and 2050.
        assert_eq!(Scalar::Integer(2049).cast(ElementType::F16), Scalar::Float(2048.0));
        // 16777217 = 2^24 + 1 lies halfway between two f32 values.
        assert_eq!(Scalar::Integer(16_777_217).cast(ElementType::F32), Scalar::Float(16_777_216.0));
    }

    /// As the conversions of the language, which are exact.
    #[test]
    fn conversions_of_128_bits() {
        let powers = (0..127).map(|bits| 1i128 << bits);
        let near = powers.flat_map(|power| [power, power - 1, power + 1, power + (power >> 24), power + (power >> 53)]);
        let odd = near.flat_map(|value| [value, -value, value | 1, value ^ (value >> 25), value.wrapping_mul(3)]);
        for value in odd.chain([0, i128::MAX, i128::MIN]) {
            assert_eq!(Scalar::Integer(value).as_f64().to_bits(), (value as f64).to_bits(), "{value}");
            assert_eq!(Scalar::Integer(value).as_f32().to_bits(), (value as f32).to_bits(), "{value}");
            for float in [value as f64, value as f64 / 3.0, value as f64 * 1e9, value as f64 / 1e30] {
                assert_eq!(Scalar::Float(float).as_integer(), float as i128, "{float}");
            }
        }
        for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX, f64::MIN] {
            assert_eq!(Scalar::Float(float).as_integer(), float as i128, "{float}");
        }
    }
}
