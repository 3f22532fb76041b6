//! Tensors of an ONNX model: element type, shape, and little-endian bytes.

use hb_dialects::ir::Element;
use prost::bytes::Bytes;

use super::proto::tensor_proto::DataType;

/// Element types that the compiler reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// IEEE 754 binary16.
    F16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
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
    /// One byte per element, 0 or 1.
    Bool,
}

impl ElementType {
    /// Every type that is read.
    pub const ALL: [Self; 12] = [
        Self::F16,
        Self::F32,
        Self::F64,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::Bool,
    ];

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::F16 => DataType::Float16,
            Self::F32 => DataType::Float,
            Self::F64 => DataType::Double,
            Self::I8 => DataType::Int8,
            Self::I16 => DataType::Int16,
            Self::I32 => DataType::Int32,
            Self::I64 => DataType::Int64,
            Self::U8 => DataType::Uint8,
            Self::U16 => DataType::Uint16,
            Self::U32 => DataType::Uint32,
            Self::U64 => DataType::Uint64,
            Self::Bool => DataType::Bool,
        }
    }

    /// The number that ONNX gives the type (`TensorProto.DataType`).
    pub fn code(self) -> i32 {
        self.data_type().into()
    }

    /// The reason names the type, so that the message can be shown as it is.
    pub fn from_code(code: i32) -> Result<Self, String> {
        if let Some(element) = Self::ALL.into_iter().find(|element| element.code() == code) {
            return Ok(element);
        }
        match DataType::try_from(code) {
            Ok(DataType::Undefined) => Err("the element type is not given".to_owned()),
            Ok(known) => Err(format!("element type {} is not supported", known.as_str_name())),
            Err(_) => Err(format!("element type {code} is not known")),
        }
    }

    /// Name as ONNX spells it.
    pub fn name(self) -> &'static str {
        self.data_type().as_str_name()
    }

    /// Bytes of one element.
    pub fn width(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// The same type in the IR.
    pub fn to_ir(self) -> Element {
        match self {
            Self::F16 => Element::F16,
            Self::F32 => Element::F32,
            Self::F64 => Element::F64,
            Self::I8 => Element::I8,
            Self::I16 => Element::I16,
            Self::I32 => Element::I32,
            Self::I64 => Element::I64,
            Self::U8 => Element::U8,
            Self::U16 => Element::U16,
            Self::U32 => Element::U32,
            Self::U64 => Element::U64,
            Self::Bool => Element::Bool,
        }
    }

    /// `None` for quantized types, which ONNX expresses with nodes.
    pub fn from_ir(element: &Element) -> Option<Self> {
        Self::ALL.into_iter().find(|candidate| candidate.to_ir() == *element)
    }

    /// Whether it is a floating point type.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::F32 | Self::F64)
    }
}

/// A constant. `data` has exactly `element.width()` bytes for each of the elements, row-major, little-endian.
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
        let needed = count.checked_mul(element.width()).ok_or("the tensor is too large")?;
        if needed != data.len() {
            return Err(format!(
                "the shape {shape:?} of {} needs {needed} bytes, {} are given",
                element.name(),
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
        let data: Vec<u8> = match element {
            ElementType::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
            ElementType::F32 => value.to_le_bytes().to_vec(),
            ElementType::F64 => f64::from(value).to_le_bytes().to_vec(),
            ElementType::I8 => (value as i8).to_le_bytes().to_vec(),
            ElementType::I16 => (value as i16).to_le_bytes().to_vec(),
            ElementType::I32 => (value as i32).to_le_bytes().to_vec(),
            ElementType::I64 => (value as i64).to_le_bytes().to_vec(),
            ElementType::U8 => (value as u8).to_le_bytes().to_vec(),
            ElementType::U16 => (value as u16).to_le_bytes().to_vec(),
            ElementType::U32 => (value as u32).to_le_bytes().to_vec(),
            ElementType::U64 => (value as u64).to_le_bytes().to_vec(),
            ElementType::Bool => vec![u8::from(value != 0.0)],
        };
        Self { element, shape: Vec::new(), data: data.into() }
    }

    /// The scalar at the low end of the type's range; of floats the finite one.
    pub fn lowest(element: ElementType) -> Self {
        match element {
            ElementType::F16 => Self::scalar(element, f32::from(half::f16::MIN)),
            ElementType::F32 => Self::scalar(element, f32::MIN),
            ElementType::F64 => Self { element, shape: Vec::new(), data: f64::MIN.to_le_bytes().to_vec().into() },
            // The conversion of -infinity saturates.
            _ => Self::scalar(element, if element == ElementType::Bool { 0.0 } else { f32::NEG_INFINITY }),
        }
    }

    /// The scalar at the high end of the type's range; of floats the finite one.
    pub fn highest(element: ElementType) -> Self {
        match element {
            ElementType::F16 => Self::scalar(element, f32::from(half::f16::MAX)),
            ElementType::F32 => Self::scalar(element, f32::MAX),
            ElementType::F64 => Self { element, shape: Vec::new(), data: f64::MAX.to_le_bytes().to_vec().into() },
            _ => Self::scalar(element, f32::INFINITY),
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

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.data.len() / self.element.width()
    }

    /// The elements of an integer or boolean tensor; `None` for floats and for values that i64 does not hold.
    pub fn to_i64s(&self) -> Option<Vec<i64>> {
        let width = self.element.width();
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
                    ElementType::I8 | ElementType::I16 | ElementType::I32 | ElementType::I64 => {
                        Some(((raw << unused) as i64) >> unused)
                    }
                    ElementType::U8 | ElementType::U16 | ElementType::U32 | ElementType::U64 | ElementType::Bool => {
                        i64::try_from(raw).ok()
                    }
                    ElementType::F16 | ElementType::F32 | ElementType::F64 => None,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_onnx() {
        assert_eq!(ElementType::F32.code(), 1);
        assert_eq!(ElementType::F16.code(), 10);
        assert_eq!(ElementType::U64.code(), 13);
        assert_eq!(ElementType::from_code(7), Ok(ElementType::I64));
        assert_eq!(ElementType::from_code(16), Err("element type BFLOAT16 is not supported".to_owned()));
        assert_eq!(ElementType::from_code(99), Err("element type 99 is not known".to_owned()));
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
