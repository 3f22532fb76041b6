//! The types of elements that networks compute in: one enumeration for every room, and every fact about them.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The type of one element of a tensor, always little-endian in memory and in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ElementType {
    /// One byte per element, 0 or 1.
    Bool,
    /// 8 bits, two's complement.
    I8,
    /// 16 bits, two's complement.
    I16,
    /// 32 bits, two's complement.
    I32,
    /// 64 bits, two's complement.
    I64,
    /// 8 bits, unsigned.
    U8,
    /// 16 bits, unsigned.
    U16,
    /// 32 bits, unsigned.
    U32,
    /// 64 bits, unsigned.
    U64,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32: 8 bits of precision.
    BF16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

/// What the bits of an element mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
}

/// One row of the table of types.
struct Facts {
    name: &'static str,
    onnx_name: &'static str,
    onnx_code: i32,
    bytes: usize,
    kind: Kind,
}

impl ElementType {
    /// Every type, in the order of the enumeration.
    pub const ALL: [Self; 13] = [
        Self::Bool,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::F16,
        Self::BF16,
        Self::F32,
        Self::F64,
    ];

    const fn facts(self) -> Facts {
        let (name, onnx_name, onnx_code, bytes, kind) = match self {
            Self::Bool => ("bool", "BOOL", 9, 1, Kind::Bool),
            Self::I8 => ("int8", "INT8", 3, 1, Kind::Signed),
            Self::I16 => ("int16", "INT16", 5, 2, Kind::Signed),
            Self::I32 => ("int32", "INT32", 6, 4, Kind::Signed),
            Self::I64 => ("int64", "INT64", 7, 8, Kind::Signed),
            Self::U8 => ("uint8", "UINT8", 2, 1, Kind::Unsigned),
            Self::U16 => ("uint16", "UINT16", 4, 2, Kind::Unsigned),
            Self::U32 => ("uint32", "UINT32", 12, 4, Kind::Unsigned),
            Self::U64 => ("uint64", "UINT64", 13, 8, Kind::Unsigned),
            Self::F16 => ("float16", "FLOAT16", 10, 2, Kind::Float),
            Self::BF16 => ("bfloat16", "BFLOAT16", 16, 2, Kind::Float),
            Self::F32 => ("float32", "FLOAT", 1, 4, Kind::Float),
            Self::F64 => ("float64", "DOUBLE", 11, 8, Kind::Float),
        };
        Facts { name, onnx_name, onnx_code, bytes, kind }
    }

    /// The name that numpy users know: `float32`, `uint8`.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The name in ONNX' `TensorProto.DataType`: `FLOAT`, `UINT8`.
    pub const fn onnx_name(self) -> &'static str {
        self.facts().onnx_name
    }

    /// The number in ONNX' `TensorProto.DataType`.
    pub const fn onnx_code(self) -> i32 {
        self.facts().onnx_code
    }

    /// The type of a number of `TensorProto.DataType`; `None` for numbers that are none, and for types that are not known here.
    pub fn from_onnx_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|element| element.onnx_code() == code)
    }

    /// Bytes of one element.
    #[inline]
    pub const fn bytes(self) -> usize {
        self.facts().bytes
    }

    /// Whether it is a floating point type.
    pub const fn is_float(self) -> bool {
        matches!(self.facts().kind, Kind::Float)
    }

    /// Whether it is an integer; a bool is none.
    pub const fn is_integer(self) -> bool {
        matches!(self.facts().kind, Kind::Signed | Kind::Unsigned)
    }

    /// Whether it has negative values.
    pub const fn is_signed(self) -> bool {
        matches!(self.facts().kind, Kind::Signed | Kind::Float)
    }

    /// The smallest and the largest value of an integer, 0 and 1 of a bool; `None` for floats.
    pub const fn integer_range(self) -> Option<(i128, i128)> {
        let bits = 8 * self.bytes() as u32;
        match self.facts().kind {
            Kind::Bool => Some((0, 1)),
            Kind::Signed => Some((-(1 << (bits - 1)), (1 << (bits - 1)) - 1)),
            Kind::Unsigned => Some((0, (1 << bits) - 1)),
            Kind::Float => None,
        }
    }

    /// The largest finite value of a float; `None` for the others.
    pub fn largest_float(self) -> Option<f64> {
        match self {
            Self::F16 => Some(65_504.0),
            // The upper half of an f32: (2 - 2^-7) * 2^127.
            Self::BF16 => Some(f32::from_bits(0x7f7f_0000).into()),
            Self::F32 => Some(f32::MAX.into()),
            Self::F64 => Some(f64::MAX),
            _ => None,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from `onnx.proto` (TensorProto.DataType), ranges from `numpy.iinfo` and `ml_dtypes.finfo`.
    #[test]
    fn facts_are_those_of_onnx_and_numpy() {
        assert_eq!(ElementType::F32.onnx_code(), 1);
        assert_eq!(ElementType::F16.onnx_code(), 10);
        assert_eq!(ElementType::U64.onnx_code(), 13);
        assert_eq!(ElementType::from_onnx_code(16), Some(ElementType::BF16));
        assert_eq!(ElementType::from_onnx_code(8), None);
        assert_eq!(ElementType::I16.integer_range(), Some((-32768, 32767)));
        assert_eq!(ElementType::U64.integer_range(), Some((0, 18_446_744_073_709_551_615)));
        assert_eq!(ElementType::I64.integer_range(), Some((i64::MIN.into(), i64::MAX.into())));
        assert_eq!(ElementType::Bool.integer_range(), Some((0, 1)));
        assert_eq!(ElementType::BF16.largest_float(), Some(3.389_531_389_251_535_5e38));
        assert_eq!(ElementType::F16.integer_range(), None);
    }

    #[test]
    fn every_type_is_once_in_all() {
        for (position, element) in ElementType::ALL.into_iter().enumerate() {
            assert_eq!(element as usize, position);
            assert_eq!(ElementType::from_onnx_code(element.onnx_code()), Some(element));
        }
    }
}
