//! Tensor types as plain data.

use super::IrError;
use melior::{
    Context, ContextRef,
    ir::{Type, TypeLike, r#type::IntegerType},
};
use std::{
    collections::HashMap,
    sync::{LazyLock, RwLock},
};

/// The element type of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Element {
    /// IEEE 754 binary16.
    F16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// 8 bits, two's complement.
    I8,
    /// 8 bits, unsigned.
    U8,
    /// 16 bits, two's complement.
    I16,
    /// 16 bits, unsigned.
    U16,
    /// 32 bits, two's complement.
    I32,
    /// 32 bits, unsigned.
    U32,
    /// 64 bits, two's complement.
    I64,
    /// 64 bits, unsigned.
    U64,
    /// A truth value.
    Bool,
    /// Integers that stand for multiples of a scale.
    Quantized(Quantized),
}

/// `!quant.uniform<storage:f32, scale>` with zero point 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized {
    /// Bits of the signed storage integers: 8, 16 or 32.
    pub bits: u32,
    /// What one step is.
    pub scale: Scale,
}

/// The scale of quantized values: real = integer * scale.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// One for all elements.
    PerTensor(f64),
    /// One for each index along a dimension.
    PerAxis { axis: usize, scales: Vec<f64> },
}

impl Scale {
    /// The scales, and how many elements of a tensor of `shape` after one another have each of them in turn.
    pub fn lines(&self, shape: &[usize]) -> (&[f64], usize) {
        match self {
            Scale::PerTensor(scale) => (std::slice::from_ref(scale), shape.iter().product::<usize>().max(1)),
            Scale::PerAxis { axis, scales } => (scales, shape.iter().skip(axis + 1).product::<usize>().max(1)),
        }
    }
}

impl Element {
    /// Bytes of one stored element; a bool takes one.
    pub fn bytes(&self) -> usize {
        match self {
            Element::Bool | Element::I8 | Element::U8 => 1,
            Element::F16 | Element::I16 | Element::U16 => 2,
            Element::F32 | Element::I32 | Element::U32 => 4,
            Element::F64 | Element::I64 | Element::U64 => 8,
            Element::Quantized(quantized) => (quantized.bits / 8) as usize,
        }
    }

    /// Whether it is a floating point type.
    pub fn is_float(&self) -> bool {
        matches!(self, Element::F16 | Element::F32 | Element::F64)
    }

    /// Reads an MLIR element type.
    ///
    /// # Errors
    /// When the type is none of those above, or is quantized with a zero point or an unusual storage range.
    pub fn from_type(r#type: Type<'_>) -> Result<Self, IrError> {
        let unknown = || IrError::Type(r#type.to_string());
        let raw = r#type.to_raw();
        // SAFETY: every call below only reads a type that is alive.
        unsafe {
            if mlir_sys::mlirTypeIsAF32(raw) {
                return Ok(Element::F32);
            }
            if mlir_sys::mlirTypeIsAF16(raw) {
                return Ok(Element::F16);
            }
            if mlir_sys::mlirTypeIsAF64(raw) {
                return Ok(Element::F64);
            }
            if mlir_sys::mlirTypeIsAInteger(raw) {
                let unsigned = mlir_sys::mlirIntegerTypeIsUnsigned(raw);
                return match (mlir_sys::mlirIntegerTypeGetWidth(raw), unsigned) {
                    (1, false) => Ok(Element::Bool),
                    (8, false) => Ok(Element::I8),
                    (8, true) => Ok(Element::U8),
                    (16, false) => Ok(Element::I16),
                    (16, true) => Ok(Element::U16),
                    (32, false) => Ok(Element::I32),
                    (32, true) => Ok(Element::U32),
                    (64, false) => Ok(Element::I64),
                    (64, true) => Ok(Element::U64),
                    _ => Err(unknown()),
                };
            }
            Quantized::from_raw(raw).map(Element::Quantized).ok_or_else(unknown)
        }
    }

    /// The MLIR type of this element.
    pub fn to_type<'c>(&self, context: &'c Context) -> Type<'c> {
        match self {
            Element::F16 => Type::float16(context),
            Element::F32 => Type::float32(context),
            Element::F64 => Type::float64(context),
            Element::Bool => IntegerType::new(context, 1).into(),
            Element::I8 => IntegerType::new(context, 8).into(),
            Element::I16 => IntegerType::new(context, 16).into(),
            Element::I32 => IntegerType::new(context, 32).into(),
            Element::I64 => IntegerType::new(context, 64).into(),
            Element::U8 => IntegerType::unsigned(context, 8).into(),
            Element::U16 => IntegerType::unsigned(context, 16).into(),
            Element::U32 => IntegerType::unsigned(context, 32).into(),
            Element::U64 => IntegerType::unsigned(context, 64).into(),
            Element::Quantized(quantized) => quantized.to_type(context),
        }
    }
}

impl Quantized {
    /// The element type of the storage.
    pub fn storage(&self) -> Element {
        match self.bits {
            8 => Element::I8,
            16 => Element::I16,
            _ => Element::I32,
        }
    }

    /// # Safety
    /// `raw` must be a type that is alive.
    unsafe fn from_raw(raw: mlir_sys::MlirType) -> Option<Self> {
        // SAFETY: as the caller vouches; each getter is called only after its kind was checked.
        unsafe {
            let per_tensor = mlir_sys::mlirTypeIsAUniformQuantizedType(raw);
            let per_axis = mlir_sys::mlirTypeIsAUniformQuantizedPerAxisType(raw);
            if !per_tensor && !per_axis {
                return None;
            }
            let bits = mlir_sys::mlirQuantizedTypeGetStorageTypeIntegralWidth(raw);
            let half = 1i64 << bits.checked_sub(1)?;
            let usual = mlir_sys::mlirQuantizedTypeIsSigned(raw)
                && matches!(bits, 8 | 16 | 32)
                && mlir_sys::mlirQuantizedTypeGetStorageTypeMin(raw) == -half
                && mlir_sys::mlirQuantizedTypeGetStorageTypeMax(raw) == half - 1
                && mlir_sys::mlirTypeIsAF32(mlir_sys::mlirQuantizedTypeGetExpressedType(raw));
            if !usual {
                return None;
            }
            let scale = if per_tensor {
                if mlir_sys::mlirUniformQuantizedTypeGetZeroPoint(raw) != 0 {
                    return None;
                }
                Scale::PerTensor(mlir_sys::mlirUniformQuantizedTypeGetScale(raw))
            } else {
                let count = mlir_sys::mlirUniformQuantizedPerAxisTypeGetNumDims(raw);
                if (0..count).any(|i| mlir_sys::mlirUniformQuantizedPerAxisTypeGetZeroPoint(raw, i) != 0) {
                    return None;
                }
                Scale::PerAxis {
                    axis: mlir_sys::mlirUniformQuantizedPerAxisTypeGetQuantizedDimension(raw) as usize,
                    scales: (0..count).map(|i| mlir_sys::mlirUniformQuantizedPerAxisTypeGetScale(raw, i)).collect(),
                }
            };
            Some(Quantized { bits, scale })
        }
    }

    fn to_type<'c>(&self, context: &'c Context) -> Type<'c> {
        let storage = IntegerType::new(context, self.bits);
        let expressed = Type::float32(context);
        let half = 1i64 << (self.bits - 1);
        const SIGNED: u32 = 1;
        // SAFETY: the types belong to `context`; the arrays are as long as said.
        unsafe {
            Type::from_raw(match &self.scale {
                Scale::PerTensor(scale) => mlir_sys::mlirUniformQuantizedTypeGet(
                    SIGNED,
                    storage.to_raw(),
                    expressed.to_raw(),
                    *scale,
                    0,
                    -half,
                    half - 1,
                ),
                Scale::PerAxis { axis, scales } => mlir_sys::mlirUniformQuantizedPerAxisTypeGet(
                    SIGNED,
                    storage.to_raw(),
                    expressed.to_raw(),
                    scales.len() as isize,
                    scales.as_ptr().cast_mut(),
                    vec![0i64; scales.len()].as_mut_ptr(),
                    *axis as i32,
                    -half,
                    half - 1,
                ),
            })
        }
    }
}

/// A tensor type: `None` for an unknown rank, `None` inside for an unknown dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorType {
    /// Of every element.
    pub element: Element,
    /// Sizes, outermost first, with none for what is not known; none where the rank is not known.
    pub dimensions: Option<Vec<Option<u64>>>,
}

impl TensorType {
    /// A type of known sizes.
    pub fn new(element: Element, shape: &[usize]) -> Self {
        Self { element, dimensions: Some(shape.iter().map(|&size| Some(size as u64)).collect()) }
    }

    /// A type of unknown rank.
    pub fn unranked(element: Element) -> Self {
        Self { element, dimensions: None }
    }

    /// Reads a ranked or unranked tensor type.
    ///
    /// # Errors
    /// When it is no tensor, or its element type is not known.
    pub fn from_type(r#type: Type<'_>) -> Result<Self, IrError> {
        let raw = r#type.to_raw();
        // SAFETY: only reads a type that is alive; shape getters after the kind was checked.
        unsafe {
            let ranked = mlir_sys::mlirTypeIsARankedTensor(raw);
            if !ranked && !mlir_sys::mlirTypeIsAUnrankedTensor(raw) {
                return Err(IrError::Type(r#type.to_string()));
            }
            let element = Element::from_type(Type::from_raw(mlir_sys::mlirShapedTypeGetElementType(raw)))?;
            let dimensions = ranked.then(|| {
                (0..mlir_sys::mlirShapedTypeGetRank(raw) as isize)
                    .map(|i| {
                        (!mlir_sys::mlirShapedTypeIsDynamicDim(raw, i))
                            .then(|| mlir_sys::mlirShapedTypeGetDimSize(raw, i) as u64)
                    })
                    .collect()
            });
            Ok(Self { element, dimensions })
        }
    }

    /// As MLIR has it.
    pub fn to_type<'c>(&self, context: &'c Context) -> Type<'c> {
        let element = self.element.to_type(context).to_raw();
        // SAFETY: the element type belongs to `context`; a null encoding means none.
        unsafe {
            let raw = match &self.dimensions {
                None => mlir_sys::mlirUnrankedTensorTypeGet(element),
                Some(dimensions) => {
                    let dynamic = mlir_sys::mlirShapedTypeGetDynamicSize();
                    let shape: Vec<i64> =
                        dimensions.iter().map(|size| size.map_or(dynamic, |size| size as i64)).collect();
                    mlir_sys::mlirRankedTensorTypeGet(
                        shape.len() as isize,
                        shape.as_ptr(),
                        element,
                        mlir_sys::mlirAttributeGetNull(),
                    )
                }
            };
            Type::from_raw(raw)
        }
    }

    /// # Errors
    /// When the rank is unknown.
    pub fn rank(&self) -> Result<usize, IrError> {
        self.dimensions.as_ref().map(Vec::len).ok_or_else(|| IrError::DynamicShape("a tensor of unknown rank".into()))
    }

    /// The shape when every dimension is known.
    pub fn shape(&self) -> Option<Vec<usize>> {
        self.dimensions.as_ref()?.iter().map(|size| size.map(|size| size as usize)).collect()
    }

    /// # Errors
    /// When a dimension is unknown.
    pub fn static_shape(&self) -> Result<Vec<usize>, IrError> {
        self.shape().ok_or_else(|| {
            let size = |size: &Option<u64>| size.map_or("?".to_owned(), |size| size.to_string());
            let sizes = self.dimensions.as_ref().map(|sizes| sizes.iter().map(size).collect::<Vec<_>>().join(", "));
            IrError::DynamicShape(sizes.map_or("a tensor of unknown rank".into(), |sizes| format!("[{sizes}]")))
        })
    }

    /// Elements, when the shape is known and their number fits.
    pub fn elements(&self) -> Option<usize> {
        self.shape()?.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
    }
}

/// The context of a handle as a reference.
///
/// melior's builders ask for `&Context`, but its handles give a [`ContextRef`] by value, whose own reference is to the
/// temporary. One word per context is kept for ever so that a reference can point to it.
pub(super) fn context_of<'c>(context: ContextRef<'c>) -> &'c Context {
    static KEPT: LazyLock<RwLock<HashMap<usize, usize>>> = LazyLock::new(RwLock::default);
    // SAFETY: the reference lives as long as this function's argument and is used at once.
    let raw = unsafe { context.to_ref() }.to_raw();
    let key = raw.ptr as usize;
    let known = KEPT.read().ok().and_then(|kept| kept.get(&key).copied());
    let kept = known.unwrap_or_else(|| {
        // SAFETY: the handle is only read back while its context is alive.
        let kept = Box::into_raw(Box::new(unsafe { ContextRef::from_raw(raw) })) as usize;
        if let Ok(mut map) = KEPT.write() {
            map.insert(key, kept);
        }
        kept
    });
    // SAFETY: the box was made above, is never freed, and its context outlives `'c`.
    unsafe { (*(kept as *const ContextRef<'c>)).to_ref() }
}
