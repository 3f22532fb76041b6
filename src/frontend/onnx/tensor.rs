//! Tensors of an ONNX model: element type, shape, and little-endian bytes.

use half::{bf16, f16};
use hb_dialects::ElementType;
use prost::bytes::Bytes;

use super::proto::tensor_proto::DataType;

/// The element type of a number of `TensorProto.DataType`. The reason names the type, so that the message can be shown as it is.
pub fn element_type(code: i32) -> Result<ElementType, String> {
    ElementType::from_onnx_code(code).ok_or_else(|| match DataType::try_from(code) {
        Ok(DataType::Undefined) => "the element type is not given".to_owned(),
        Ok(known) => format!("element type {} is not supported", known.as_str_name()),
        Err(_) => format!("element type {code} is not known"),
    })
}

/// A constant. `data` has exactly `element.bytes()` bytes for each of the elements, row-major, little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    element: ElementType,
    shape: Vec<usize>,
    data: Bytes,
}

/// Tensors have at most so many dimensions (the deepest that any ONNX operator test uses is 8).
pub const MAX_RANK: usize = 64;

/// Number of elements; dimensions whose product does not fit are an error even if another dimension is 0, so that later
/// products over a part of the shape cannot overflow either.
pub fn element_count(shape: &[usize]) -> Result<usize, String> {
    if shape.len() > MAX_RANK {
        return Err(format!("{} dimensions, at most {MAX_RANK} are supported", shape.len()));
    }
    let too_large = || format!("the shape {shape:?} has too many elements");
    let product = shape
        .iter()
        .filter(|size| **size != 0)
        .try_fold(1_usize, |product, size| product.checked_mul(*size))
        .filter(|product| *product <= isize::MAX as usize / 8)
        .ok_or_else(too_large)?;
    Ok(if shape.contains(&0) { 0 } else { product })
}

impl Tensor {
    /// A tensor of these elements, row-major and little-endian.
    ///
    /// # Errors
    /// When the number of bytes is not that of the shape.
    pub fn new(element: ElementType, shape: Vec<usize>, data: Bytes) -> Result<Self, String> {
        let count = element_count(&shape)?;
        let needed = count.checked_mul(element.bytes()).ok_or("the tensor is too large")?;
        if needed != data.len() {
            return Err(format!(
                "the shape {shape:?} of {} needs {needed} bytes, {} are given",
                element.onnx_name(),
                data.len()
            ));
        }
        Ok(Self { element, shape, data })
    }

    /// A vector of INT64.
    pub fn from_i64s(values: &[i64]) -> Self {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { element: ElementType::I64, shape: vec![values.len()], data: data.into() }
    }

    /// A vector of FLOAT.
    pub fn from_f32s(values: &[f32]) -> Self {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { element: ElementType::F32, shape: vec![values.len()], data: data.into() }
    }

    /// A scalar; `value` is rounded to the type, and saturates where it is an integer.
    pub fn scalar(element: ElementType, value: f32) -> Self {
        Self { element, shape: Vec::new(), data: Self::element_bytes(element, value.into()).into() }
    }

    /// The bytes of one element; `value` is rounded to the type, and saturates where it is an integer.
    pub fn element_bytes(element: ElementType, value: f64) -> Vec<u8> {
        match element {
            ElementType::F16 => f16::from_f64(value).to_le_bytes().to_vec(),
            ElementType::BF16 => bf16::from_f32(value as f32).to_le_bytes().to_vec(),
            ElementType::F32 => (value as f32).to_le_bytes().to_vec(),
            ElementType::F64 => value.to_le_bytes().to_vec(),
            ElementType::I8 => (value as i8).to_le_bytes().to_vec(),
            ElementType::I16 => (value as i16).to_le_bytes().to_vec(),
            ElementType::I32 => (value as i32).to_le_bytes().to_vec(),
            ElementType::I64 => (value as i64).to_le_bytes().to_vec(),
            ElementType::U8 => (value as u8).to_le_bytes().to_vec(),
            ElementType::U16 => (value as u16).to_le_bytes().to_vec(),
            ElementType::U32 => (value as u32).to_le_bytes().to_vec(),
            ElementType::U64 => (value as u64).to_le_bytes().to_vec(),
            ElementType::Bool => vec![u8::from(value != 0.0)],
        }
    }

    /// The scalar at the low end of the type's range; of floats the finite one.
    pub fn lowest(element: ElementType) -> Self {
        Self::bound(element, element.largest_float().map(|largest| -largest), f32::NEG_INFINITY)
    }

    /// The scalar at the high end of the type's range; of floats the finite one.
    pub fn highest(element: ElementType) -> Self {
        Self::bound(element, element.largest_float(), f32::INFINITY)
    }

    /// `finite` for floats; `beyond`, which saturates, for integers.
    fn bound(element: ElementType, finite: Option<f64>, beyond: f32) -> Self {
        match (element, finite) {
            (ElementType::F64, Some(finite)) => {
                Self { element, shape: Vec::new(), data: finite.to_le_bytes().to_vec().into() }
            }
            (_, Some(finite)) => Self::scalar(element, finite as f32),
            (ElementType::Bool, None) => Self::scalar(element, f32::from(u8::from(beyond > 0.0))),
            (_, None) => Self::scalar(element, beyond),
        }
    }

    /// The same bytes in another shape with as many elements.
    pub fn reshaped(&self, shape: Vec<usize>) -> Result<Self, String> {
        Self::new(self.element, shape, self.data.clone())
    }

    /// How each element is stored.
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// Sizes, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Row-major little-endian bytes.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Has its bytes in a copy of them from now on.
    pub fn move_to(&mut self, copy: &Bytes) {
        if copy.len() == self.data.len() {
            self.data = copy.clone();
        }
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.data.len() / self.element.bytes()
    }

    /// The elements of an integer or boolean tensor; `None` for floats and for values that i64 does not hold.
    pub fn to_i64s(&self) -> Option<Vec<i64>> {
        let width = self.element.bytes();
        let chunks = self.data.chunks_exact(width);
        chunks
            .map(|chunk| {
                let mut wide = [0; 8];
                for (to, from) in wide.iter_mut().zip(chunk) {
                    *to = *from;
                }
                let raw = u64::from_le_bytes(wide);
                let unused = 64 - 8 * width as u32;
                match self.element {
                    float if float.is_float() => None,
                    signed if signed.is_signed() => Some(((raw << unused) as i64) >> unused),
                    _ => i64::try_from(raw).ok(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_types_are_named() {
        assert_eq!(element_type(7), Ok(ElementType::I64));
        assert_eq!(element_type(17), Err("element type FLOAT8E4M3FN is not supported".to_owned()));
        assert_eq!(element_type(99), Err("element type 99 is not known".to_owned()));
    }

    #[test]
    fn shapes_are_checked_against_bytes() {
        assert!(Tensor::new(ElementType::F32, vec![2, 3], vec![0; 24].into()).is_ok());
        assert!(Tensor::new(ElementType::F32, vec![2, 3], vec![0; 23].into()).is_err());
        assert!(Tensor::new(ElementType::F32, vec![], vec![0; 4].into()).is_ok());
        assert!(Tensor::new(ElementType::U8, vec![usize::MAX, 3], vec![].into()).is_err());
        assert!(Tensor::new(ElementType::U8, vec![0, usize::MAX, 3], vec![].into()).is_err());
        assert!(Tensor::new(ElementType::U8, vec![0, 7], vec![].into()).is_ok());
    }

    /// The bits of `ml_dtypes.finfo(bfloat16).min`, and of 3.2: 0x404ccccd as a float, whose upper half is rounded up.
    #[test]
    fn bfloat16_is_the_upper_half_of_a_float() {
        assert_eq!(Tensor::lowest(ElementType::BF16).data().as_ref(), [0x7f, 0xff]);
        assert_eq!(Tensor::scalar(ElementType::BF16, 3.2).data().as_ref(), [0x4d, 0x40]);
        assert_eq!(Tensor::highest(ElementType::F16).data().as_ref(), [0xff, 0x7b]);
        assert_eq!(Tensor::highest(ElementType::Bool).data().as_ref(), [1]);
        assert_eq!(Tensor::lowest(ElementType::Bool).data().as_ref(), [0]);
    }

    #[test]
    fn integers_are_sign_extended() {
        let tensor = Tensor::new(ElementType::I8, vec![3], vec![0xff, 0x80, 0x7f].into()).unwrap();
        assert_eq!(tensor.to_i64s(), Some(vec![-1, -128, 127]));
        let tensor = Tensor::new(ElementType::U8, vec![2], vec![0xff, 0x01].into()).unwrap();
        assert_eq!(tensor.to_i64s(), Some(vec![255, 1]));
        let tensor = Tensor::new(ElementType::U64, vec![1], vec![0xff; 8].into()).unwrap();
        assert_eq!(tensor.to_i64s(), None);
        assert_eq!(Tensor::from_i64s(&[-5, i64::MAX]).to_i64s(), Some(vec![-5, i64::MAX]));
    }
}
