//! Conversions between element types that lose nothing.

use hb_dialects::ElementType;
use hb_runtime::{Array, ArrayError, Scalar};

/// Why an array cannot be had in another element type.
#[derive(Debug, thiserror::Error)]
pub enum ConversionError {
    /// A value that the type cannot hold.
    #[error(
        "element {index} is {value}, which {to} cannot hold; convert the array yourself, for example with numpy's astype"
    )]
    Value {
        /// Position in row-major order.
        index: usize,
        /// The element, in decimal.
        value: String,
        /// The type that cannot hold it.
        to: ElementType,
    },
    /// The result is too large for this machine.
    #[error(transparent)]
    Memory(Box<ArrayError>),
}

impl From<ArrayError> for ConversionError {
    fn from(error: ArrayError) -> Self {
        Self::Memory(Box::new(error))
    }
}

/// The values of an array as `to`, if every one of them survives; the array itself when it already is of that type.
///
/// # Errors
/// [`ConversionError::Value`] names the first value that does not.
pub fn convert(array: Array, to: ElementType) -> Result<Array, ConversionError> {
    if array.element() == to {
        return Ok(array);
    }
    let mut converted = Array::zeros(to, array.shape())?;
    let from = array.element();
    let elements = array.as_bytes().chunks_exact(from.bytes());
    for (index, (element, bytes)) in elements.zip(converted.as_bytes_mut().chunks_exact_mut(to.bytes())).enumerate() {
        // Never none: as many bytes are read as an element has.
        let Some(scalar) = Scalar::read(from, element) else { continue };
        let cast = scalar.cast(to);
        if !same(scalar, cast) {
            let value = match scalar {
                // Neither 300 digits nor 300 zeros.
                Scalar::Float(value) if value.fract() != 0.0 || value.abs() >= 1e16 => format!("{value:?}"),
                Scalar::Float(value) => value.to_string(),
                other => other.as_integer().to_string(),
            };
            return Err(ConversionError::Value { index, value, to });
        }
        cast.write(to, bytes);
    }
    Ok(converted)
}

/// Whether two scalars are the same number, or both are none.
fn same(a: Scalar, b: Scalar) -> bool {
    match (a, b) {
        (Scalar::Float(a), Scalar::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        // 2^64 bounds every integer type, and below it the conversion of a whole number is exact.
        (Scalar::Float(float), other) | (other, Scalar::Float(float)) => {
            float.fract() == 0.0 && float.abs() <= 2f64.powi(64) && float as i128 == other.as_integer()
        }
        (a, b) => a.as_integer() == b.as_integer(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    fn f64s(values: &[f64]) -> Array {
        Array::from_values(&[values.len()], values).unwrap()
    }

    #[test]
    fn what_fits_is_converted() {
        let array = convert(f64s(&[0.0, 1.0, 255.0]), ElementType::U8).unwrap();
        assert_eq!(array.values::<u8>().unwrap(), [0, 1, 255]);
        let array = convert(f64s(&[0.5, f64::NAN, f64::INFINITY]), ElementType::F32).unwrap();
        let values = array.values::<f32>().unwrap();
        assert!(values[0] == 0.5 && values[1].is_nan() && values[2].is_infinite());
        let array = Array::from_values(&[1], &[-3i64]).unwrap();
        assert_eq!(convert(array, ElementType::F16).unwrap().values(), Some([f16::from_f32(-3.0)].as_slice()));
    }

    #[test]
    fn what_does_not_fit_is_an_error_that_names_the_element() {
        let refused =
            |value: f64, to| matches!(convert(f64s(&[0.0, value]), to), Err(ConversionError::Value { index: 1, .. }));
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
        assert!(refused(2f64.powi(63), ElementType::I64));
        assert!(refused(f64::INFINITY, ElementType::I64));
        assert!(refused(2.0, ElementType::Bool));
        let odd = Array::from_values(&[1], &[(1i64 << 53) + 1]).unwrap();
        assert!(convert(odd, ElementType::F64).is_err());
    }
}
