//! Arrays that go into and come out of models, and conversions between element types that lose nothing.

use half::{bf16, f16};

use hb_dialects::ElementType;

/// A dense row-major array; elements are little-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    /// How each element is stored.
    pub element_type: ElementType,
    /// Sizes, outermost first; empty for a scalar.
    pub dims: Vec<usize>,
    /// The elements, one after the other: as many bytes as the sizes and the element type say.
    pub bytes: Vec<u8>,
}

/// Number of elements of a shape; `None` when it does not fit the address space.
pub fn element_count(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim))
}

/// A value that another element type cannot hold.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error(
    "element {index} is {value}, which {to} cannot hold; convert the array yourself, for example with numpy's astype"
)]
pub struct ConversionError {
    /// Position in row-major order.
    pub index: usize,
    /// The element, in decimal.
    pub value: String,
    /// The type that cannot hold it.
    pub to: ElementType,
}

/// An element of any type, exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Float(f64),
    Integer(i128),
}

impl Array {
    /// The same values as `to`, if every one of them survives; the array itself when it already is of that type.
    pub fn convert(self, to: ElementType) -> Result<Array, ConversionError> {
        if self.element_type == to {
            return Ok(self);
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() / self.element_type.bytes() * to.bytes());
        for (index, element) in self.bytes.chunks_exact(self.element_type.bytes()).enumerate() {
            let number = read(element, self.element_type);
            match write(number, to) {
                Some(element) => bytes.extend_from_slice(element.get(..to.bytes()).unwrap_or_default()),
                None => {
                    let value = match number {
                        Number::Float(value) => value.to_string(),
                        Number::Integer(value) => value.to_string(),
                    };
                    return Err(ConversionError { index, value, to });
                }
            }
        }
        Ok(Array { element_type: to, dims: self.dims, bytes })
    }
}

/// The first `N` bytes of an element, whose length the caller has from its type.
fn take<const N: usize>(element: &[u8]) -> [u8; N] {
    element.first_chunk::<N>().copied().unwrap_or([0; N])
}

fn read(element: &[u8], element_type: ElementType) -> Number {
    match element_type {
        ElementType::F32 => Number::Float(f32::from_le_bytes(take(element)).into()),
        ElementType::F16 => Number::Float(f16::from_le_bytes(take(element)).to_f64()),
        ElementType::BF16 => Number::Float(bf16::from_le_bytes(take(element)).to_f64()),
        ElementType::F64 => Number::Float(f64::from_le_bytes(take(element))),
        ElementType::I8 => Number::Integer(i8::from_le_bytes(take(element)).into()),
        ElementType::I16 => Number::Integer(i16::from_le_bytes(take(element)).into()),
        ElementType::I32 => Number::Integer(i32::from_le_bytes(take(element)).into()),
        ElementType::I64 => Number::Integer(i64::from_le_bytes(take(element)).into()),
        ElementType::U8 | ElementType::Bool => Number::Integer(u8::from_le_bytes(take(element)).into()),
        ElementType::U16 => Number::Integer(u16::from_le_bytes(take(element)).into()),
        ElementType::U32 => Number::Integer(u32::from_le_bytes(take(element)).into()),
        ElementType::U64 => Number::Integer(u64::from_le_bytes(take(element)).into()),
    }
}

/// The number's bytes as `to`, at the front of eight; `None` when `to` cannot hold it.
fn write(number: Number, to: ElementType) -> Option<[u8; 8]> {
    fn front<const N: usize>(bytes: [u8; N]) -> [u8; 8] {
        let mut eight = [0; 8];
        for (slot, byte) in eight.iter_mut().zip(bytes) {
            *slot = byte;
        }
        eight
    }
    let same = |back: f64, value: f64| back == value || (back.is_nan() && value.is_nan());
    match to {
        ElementType::F32 => {
            let value = as_float(number)?;
            same((value as f32).into(), value).then(|| front((value as f32).to_le_bytes()))
        }
        ElementType::F16 => {
            let value = as_float(number)?;
            let half = f16::from_f64(value);
            same(half.to_f64(), value).then(|| front(half.to_le_bytes()))
        }
        ElementType::BF16 => {
            let value = as_float(number)?;
            let narrow = bf16::from_f64(value);
            same(narrow.to_f64(), value).then(|| front(narrow.to_le_bytes()))
        }
        ElementType::F64 => Some(as_float(number)?.to_le_bytes()),
        ElementType::I8 => Some(front(i8::try_from(as_integer(number)?).ok()?.to_le_bytes())),
        ElementType::I16 => Some(front(i16::try_from(as_integer(number)?).ok()?.to_le_bytes())),
        ElementType::I32 => Some(front(i32::try_from(as_integer(number)?).ok()?.to_le_bytes())),
        ElementType::I64 => Some(i64::try_from(as_integer(number)?).ok()?.to_le_bytes()),
        ElementType::U8 => Some(front(u8::try_from(as_integer(number)?).ok()?.to_le_bytes())),
        ElementType::U16 => Some(front(u16::try_from(as_integer(number)?).ok()?.to_le_bytes())),
        ElementType::U32 => Some(front(u32::try_from(as_integer(number)?).ok()?.to_le_bytes())),
        ElementType::U64 => Some(u64::try_from(as_integer(number)?).ok()?.to_le_bytes()),
        ElementType::Bool => {
            let value = as_integer(number)?;
            (0..=1).contains(&value).then(|| front([value as u8]))
        }
    }
}

fn as_float(number: Number) -> Option<f64> {
    match number {
        Number::Float(value) => Some(value),
        Number::Integer(value) => ((value as f64) as i128 == value).then_some(value as f64),
    }
}

fn as_integer(number: Number) -> Option<i128> {
    match number {
        Number::Integer(value) => Some(value),
        // 2^64 bounds every integer type, and below it the conversion of a whole number is exact.
        Number::Float(value) => (value.fract() == 0.0 && value.abs() <= 2f64.powi(64)).then_some(value as i128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f64s(values: &[f64]) -> Array {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Array { element_type: ElementType::F64, dims: vec![values.len()], bytes }
    }

    #[test]
    fn what_fits_is_converted() {
        let array = f64s(&[0.0, 1.0, 255.0]).convert(ElementType::U8).unwrap();
        assert_eq!((array.element_type, array.bytes), (ElementType::U8, vec![0, 1, 255]));
        let array = f64s(&[0.5, f64::NAN, f64::INFINITY]).convert(ElementType::F32).unwrap();
        let values: Vec<f32> =
            array.bytes.chunks(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect();
        assert!(values[0] == 0.5 && values[1].is_nan() && values[2].is_infinite());
        let array = Array { element_type: ElementType::I64, dims: vec![1], bytes: (-3i64).to_le_bytes().to_vec() };
        assert_eq!(array.convert(ElementType::F16).unwrap().bytes, f16::from_f32(-3.0).to_le_bytes());
    }

    #[test]
    fn what_does_not_fit_is_an_error_that_names_the_element() {
        let refused = |value: f64, to| f64s(&[0.0, value]).convert(to).unwrap_err().index == 1;
        // 0.1 has no f32; 2^24 + 1 is the first integer without one.
        assert!(refused(0.1, ElementType::F32));
        assert!(refused(16_777_217.0, ElementType::F32));
        assert!(refused(1e39, ElementType::F32));
        assert!(refused(65_520.0, ElementType::F16));
        assert!(refused(256.0, ElementType::U8));
        assert!(refused(-1.0, ElementType::U64));
        assert!(refused(0.5, ElementType::I32));
        assert!(refused(f64::NAN, ElementType::I32));
        assert!(refused(2f64.powi(64), ElementType::U64));
        assert!(refused(2.0, ElementType::Bool));
        let odd =
            Array { element_type: ElementType::I64, dims: vec![1], bytes: ((1i64 << 53) + 1).to_le_bytes().to_vec() };
        assert!(odd.convert(ElementType::F64).is_err());
    }
}
