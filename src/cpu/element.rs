use std::fmt;

/// The element type of a tensor. Little-endian in memory; `Bool` is one byte, 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Element {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// IEEE 754 binary16.
    F16,
    /// 64 bits, two's complement.
    I64,
    /// 32 bits, two's complement.
    I32,
    /// 16 bits, two's complement.
    I16,
    /// 8 bits, two's complement.
    I8,
    /// 8 bits, unsigned.
    U8,
    /// One byte, 0 or 1.
    Bool,
}

impl Element {
    /// Size of one element.
    pub fn bytes(self) -> usize {
        match self {
            Element::F64 | Element::I64 => 8,
            Element::F32 | Element::I32 => 4,
            Element::F16 | Element::I16 => 2,
            Element::I8 | Element::U8 | Element::Bool => 1,
        }
    }

    /// Whether it is a floating point type.
    pub fn is_float(self) -> bool {
        matches!(self, Element::F32 | Element::F64 | Element::F16)
    }

    /// Whether it is an integer type; truth values are none.
    pub fn is_integer(self) -> bool {
        !self.is_float() && self != Element::Bool
    }

    /// The smallest and largest value of an integer element.
    pub(crate) fn integer_range(self) -> (i64, i64) {
        match self {
            Element::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            Element::I16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
            Element::I8 => (-128, 127),
            Element::U8 => (0, 255),
            Element::Bool => (0, 1),
            Element::I64 | Element::F32 | Element::F64 | Element::F16 => (i64::MIN, i64::MAX),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Element::F32 => "f32",
            Element::F64 => "f64",
            Element::F16 => "f16",
            Element::I64 => "i64",
            Element::I32 => "i32",
            Element::I16 => "i16",
            Element::I8 => "i8",
            Element::U8 => "ui8",
            Element::Bool => "i1",
        })
    }
}

/// One value, in the widest type of its kind. Which element it stands for is known where it is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Of a floating point type.
    Float(f64),
    /// Of an integer type.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
}

impl Scalar {
    /// The nearest f64; 1 for true.
    pub fn as_f64(self) -> f64 {
        match self {
            Scalar::Float(value) => value,
            Scalar::Integer(value) => value as f64,
            Scalar::Boolean(value) => f64::from(u8::from(value)),
        }
    }

    /// Truncates towards zero and saturates; NaN is 0.
    pub fn as_i64(self) -> i64 {
        match self {
            Scalar::Float(value) => value as i64,
            Scalar::Integer(value) => value,
            Scalar::Boolean(value) => i64::from(value),
        }
    }

    /// Whether it is not 0.
    pub fn as_bool(self) -> bool {
        match self {
            Scalar::Float(value) => value != 0.0,
            Scalar::Integer(value) => value != 0,
            Scalar::Boolean(value) => value,
        }
    }

    /// The value as `element` holds it: floats are rounded to nearest even, floats to integers truncate and saturate,
    /// integers to integers wrap, anything to bool is `!= 0` (ONNX Cast).
    pub fn cast(self, element: Element) -> Scalar {
        match element {
            Element::F64 => Scalar::Float(self.as_f64()),
            Element::F32 => Scalar::Float(f64::from(match self {
                // Straight from the integer: going through f64 would round twice.
                Scalar::Integer(value) => value as f32,
                other => other.as_f64() as f32,
            })),
            Element::F16 => Scalar::Float(match self {
                Scalar::Integer(value) => f64::from(half::f16::from_f32(value as f32)),
                other => f64::from(half::f16::from_f64(other.as_f64())),
            }),
            Element::Bool => Scalar::Boolean(self.as_bool()),
            integer => {
                let (low, high) = integer.integer_range();
                match self {
                    Scalar::Float(value) => Scalar::Integer((value as i64).clamp(low, high)),
                    other => Scalar::Integer(wrap(other.as_i64(), integer)),
                }
            }
        }
    }

    pub(crate) fn read(element: Element, bytes: &[u8]) -> Option<Scalar> {
        Some(match element {
            Element::F32 => Scalar::Float(f64::from(f32::from_le_bytes(bytes.try_into().ok()?))),
            Element::F64 => Scalar::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
            Element::F16 => Scalar::Float(f64::from(half::f16::from_le_bytes(bytes.try_into().ok()?))),
            Element::I64 => Scalar::Integer(i64::from_le_bytes(bytes.try_into().ok()?)),
            Element::I32 => Scalar::Integer(i64::from(i32::from_le_bytes(bytes.try_into().ok()?))),
            Element::I16 => Scalar::Integer(i64::from(i16::from_le_bytes(bytes.try_into().ok()?))),
            Element::I8 => Scalar::Integer(i64::from(i8::from_le_bytes(bytes.try_into().ok()?))),
            Element::U8 => Scalar::Integer(i64::from(*bytes.first()?)),
            Element::Bool => Scalar::Boolean(*bytes.first()? != 0),
        })
    }

    /// Writes the value, already cast to `element`.
    pub(crate) fn write(self, element: Element, bytes: &mut [u8]) {
        let put = |bytes: &mut [u8], from: &[u8]| bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        match element {
            Element::F32 => put(bytes, &(self.as_f64() as f32).to_le_bytes()),
            Element::F64 => put(bytes, &self.as_f64().to_le_bytes()),
            Element::F16 => put(bytes, &half::f16::from_f64(self.as_f64()).to_le_bytes()),
            _ => put(bytes, &self.as_i64().to_le_bytes()),
        }
    }
}

fn wrap(value: i64, element: Element) -> i64 {
    match element {
        Element::I32 => i64::from(value as i32),
        Element::I16 => i64::from(value as i16),
        Element::I8 => i64::from(value as i8),
        Element::U8 => i64::from(value as u8),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_follow_onnx() {
        assert_eq!(Scalar::Float(-1.9).cast(Element::I32), Scalar::Integer(-1));
        assert_eq!(Scalar::Integer(300).cast(Element::U8), Scalar::Integer(44));
        assert_eq!(Scalar::Integer(200).cast(Element::I8), Scalar::Integer(-56));
        assert_eq!(Scalar::Float(0.5).cast(Element::Bool), Scalar::Boolean(true));
        assert_eq!(Scalar::Float(f64::NAN).cast(Element::I64), Scalar::Integer(0));
        // 2049 lies halfway between the f16 values 2048 and 2050.
        assert_eq!(Scalar::Integer(2049).cast(Element::F16), Scalar::Float(2048.0));
        // 16777217 = 2^24 + 1 lies halfway between two f32 values.
        assert_eq!(Scalar::Integer(16_777_217).cast(Element::F32), Scalar::Float(16_777_216.0));
    }
}
