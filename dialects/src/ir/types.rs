//! Tensor types as plain data.

use super::IrError;
use crate::{ElementType, MlirElementType, shim};
use melior::{
    Context, ContextRef,
    ir::{Type, TypeLike, r#type::IntegerType},
};
use std::{
    collections::HashMap,
    ffi::c_void,
    fmt,
    sync::{LazyLock, RwLock},
};

/// What a tensor of the IR holds: plain elements, or integers with a scale.
#[derive(Debug, Clone, PartialEq)]
pub enum Element {
    /// Numbers as they are.
    Plain(ElementType),
    /// Integers that stand for multiples of a scale.
    Quantized(Quantized),
}

/// `!quant.uniform<storage:f32, scale:zero_point>`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized {
    /// Bits of the signed storage integers: 8, 16 or 32.
    pub bits: u32,
    /// What one step is.
    pub scale: Scale,
}

/// What integers stand for: real = (integer - zero_point) * scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// What one step is.
    pub scale: f64,
    /// The integer of the real 0; 0 of symmetric integers.
    pub zero_point: i32,
}

impl Affine {
    /// With the zero point 0.
    pub const fn symmetric(scale: f64) -> Self {
        Self { scale, zero_point: 0 }
    }

    /// Whether the zero point is 0.
    pub const fn is_symmetric(self) -> bool {
        self.zero_point == 0
    }
}

/// The scale of quantized values.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// One for all elements.
    PerTensor(Affine),
    /// One for each index along a dimension, all with the zero point 0: real = integer * scale.
    PerAxis {
        /// The dimension.
        axis: usize,
        /// One for each of its indices.
        scales: Vec<f64>,
    },
}

impl Scale {
    /// One for all elements, with the zero point 0.
    pub const fn symmetric(scale: f64) -> Self {
        Self::PerTensor(Affine::symmetric(scale))
    }

    /// The integer of the real 0.
    pub const fn zero_point(&self) -> i32 {
        match self {
            Scale::PerTensor(affine) => affine.zero_point,
            Scale::PerAxis { .. } => 0,
        }
    }

    /// The scales, and how many elements of a tensor of `shape` after one another have each of them in turn.
    pub fn lines(&self, shape: &[usize]) -> (&[f64], usize) {
        match self {
            Scale::PerTensor(affine) => (std::slice::from_ref(&affine.scale), shape.iter().product::<usize>().max(1)),
            Scale::PerAxis { axis, scales } => (scales, shape.iter().skip(axis + 1).product::<usize>().max(1)),
        }
    }
}

impl Element {
    /// The type of what is stored: that of the integers when they are quantized.
    pub fn storage(&self) -> ElementType {
        match self {
            Element::Plain(element) => *element,
            Element::Quantized(quantized) => quantized.storage(),
        }
    }

    /// The element type, unless it is quantized.
    pub fn plain(&self) -> Option<ElementType> {
        match self {
            Element::Plain(element) => Some(*element),
            Element::Quantized(_) => None,
        }
    }

    /// Bytes of one stored element; a bool takes one.
    pub fn bytes(&self) -> usize {
        self.storage().bytes()
    }

    /// Whether it is a floating point type.
    pub fn is_float(&self) -> bool {
        self.plain().is_some_and(ElementType::is_float)
    }

    /// Reads an MLIR element type.
    ///
    /// # Errors
    /// When it is no [`ElementType`], or is quantized with an unusual storage range or a zero point that a [`Scale`] cannot have.
    pub fn from_type(r#type: Type<'_>) -> Result<Self, IrError> {
        if let Some(element) = ElementType::from_type(r#type) {
            return Ok(Element::Plain(element));
        }
        // SAFETY: only reads a type that is alive.
        let quantized = unsafe { Quantized::from_raw(r#type.to_raw()) };
        quantized.map(Element::Quantized).ok_or_else(|| IrError::Type(r#type.to_string()))
    }

    /// The MLIR type of this element.
    pub fn to_type<'c>(&self, context: &'c Context) -> Type<'c> {
        match self {
            Element::Plain(element) => element.to_type(context),
            Element::Quantized(quantized) => quantized.to_type(context),
        }
    }
}

impl From<ElementType> for Element {
    fn from(element: ElementType) -> Self {
        Element::Plain(element)
    }
}

impl PartialEq<ElementType> for Element {
    fn eq(&self, other: &ElementType) -> bool {
        self.plain() == Some(*other)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Plain(element) => write!(formatter, "{element}"),
            Element::Quantized(quantized) => write!(formatter, "quantized int{}", quantized.bits),
        }
    }
}

impl Quantized {
    /// The element type of the storage.
    pub fn storage(&self) -> ElementType {
        match self.bits {
            8 => ElementType::I8,
            16 => ElementType::I16,
            _ => ElementType::I32,
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
                Scale::PerTensor(Affine {
                    scale: mlir_sys::mlirUniformQuantizedTypeGetScale(raw),
                    zero_point: i32::try_from(mlir_sys::mlirUniformQuantizedTypeGetZeroPoint(raw)).ok()?,
                })
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
                Scale::PerTensor(Affine { scale, zero_point }) => mlir_sys::mlirUniformQuantizedTypeGet(
                    SIGNED,
                    storage.to_raw(),
                    expressed.to_raw(),
                    *scale,
                    i64::from(*zero_point),
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
    /// Upper bounds of all sizes, where one is known only when the network runs; a known size is its own bound.
    pub bounds: Option<Vec<u64>>,
}

impl TensorType {
    /// A type of known sizes.
    pub fn new(element: impl Into<Element>, shape: &[usize]) -> Self {
        Self::with_dimensions(element, Some(shape.iter().map(|&size| Some(size as u64)).collect()))
    }

    /// A type of unknown rank.
    pub fn unranked(element: impl Into<Element>) -> Self {
        Self::with_dimensions(element, None)
    }

    /// A tensor whose unknown sizes have no bounds.
    pub fn with_dimensions(element: impl Into<Element>, dimensions: Option<Vec<Option<u64>>>) -> Self {
        Self { element: element.into(), dimensions, bounds: None }
    }

    /// A tensor of at most these sizes; those in `unknown` are known only when the network runs.
    pub fn bounded(element: impl Into<Element>, bounds: &[u64], unknown: &[bool]) -> Self {
        let known = |(&bound, &unknown): (&u64, &bool)| (!unknown).then_some(bound);
        let dimensions: Vec<Option<u64>> = bounds.iter().zip(unknown).map(known).collect();
        let bounds = dimensions.contains(&None).then(|| bounds.to_vec());
        Self { element: element.into(), dimensions: Some(dimensions), bounds }
    }

    /// Whether sizes are known only when the network runs, up to bounds.
    pub fn is_bounded(&self) -> bool {
        self.bounds.is_some()
    }

    /// The upper bounds of the sizes: the shape where it is known. `None` when a size has no bound.
    pub fn bound_shape(&self) -> Option<Vec<usize>> {
        match &self.bounds {
            Some(bounds) => bounds.iter().map(|&size| usize::try_from(size).ok()).collect(),
            None => self.shape(),
        }
    }

    /// Reads a ranked or unranked tensor type.
    ///
    /// # Errors
    /// When it is no tensor, or its element type is not known.
    pub fn from_type(r#type: Type<'_>) -> Result<Self, IrError> {
        let raw = r#type.to_raw();
        // SAFETY: only reads a type that is alive; shape getters after the kind was checked.
        unsafe {
            let mut sizes: Vec<i64> = Vec::new();
            let ranked = shim::hbRankedTensorSizes(raw, keep_sizes, std::ptr::from_mut(&mut sizes).cast());
            if !ranked && !mlir_sys::mlirTypeIsAUnrankedTensor(raw) {
                return Err(IrError::Type(r#type.to_string()));
            }
            let element = Element::from_type(Type::from_raw(mlir_sys::mlirShapedTypeGetElementType(raw)))?;
            // A size that is not known is a negative number.
            let dimensions: Option<Vec<Option<u64>>> =
                ranked.then(|| sizes.into_iter().map(|size| u64::try_from(size).ok()).collect());
            let bounds = match &dimensions {
                Some(dimensions) => bounds_of(raw, dimensions).ok_or_else(|| IrError::Type(r#type.to_string()))?,
                None => None,
            };
            Ok(Self { element, dimensions, bounds })
        }
    }

    /// As MLIR has it.
    pub fn to_type<'c>(&self, context: &'c Context) -> Type<'c> {
        let element = self.element.to_type(context).to_raw();
        // SAFETY: the element type belongs to `context`; a null encoding means none; the bounds are as many as said.
        unsafe {
            let encoding = match &self.bounds {
                Some(bounds) => {
                    let bounds: Vec<i64> = bounds.iter().map(|&size| size as i64).collect();
                    shim::hbHfloatBoundsGet(context.to_raw(), bounds.len() as isize, bounds.as_ptr())
                }
                None => mlir_sys::mlirAttributeGetNull(),
            };
            let raw = match &self.dimensions {
                None => mlir_sys::mlirUnrankedTensorTypeGet(element),
                Some(dimensions) => {
                    let dynamic = mlir_sys::mlirShapedTypeGetDynamicSize();
                    let shape: Vec<i64> =
                        dimensions.iter().map(|size| size.map_or(dynamic, |size| size as i64)).collect();
                    mlir_sys::mlirRankedTensorTypeGet(shape.len() as isize, shape.as_ptr(), element, encoding)
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

/// Adds the numbers that the shim gives to the `Vec<i64>` that it was given.
unsafe extern "C" fn keep_sizes(count: isize, sizes: *const i64, user: *mut c_void) {
    // A shape without dimensions has no numbers, and may have no address.
    if count > 0 {
        // SAFETY: the shim gives `count` numbers and the vector that it was given.
        let (sizes, kept) =
            unsafe { (std::slice::from_raw_parts(sizes, count as usize), &mut *user.cast::<Vec<i64>>()) };
        kept.extend_from_slice(sizes);
    }
}

/// The bounds in the encoding of a ranked tensor type: none without an encoding, `None` when it is another one or does not fit.
///
/// # Safety
/// `raw` must be a ranked tensor type that is alive.
unsafe fn bounds_of(raw: mlir_sys::MlirType, dimensions: &[Option<u64>]) -> Option<Option<Vec<u64>>> {
    let mut sizes: Vec<i64> = Vec::new();
    // SAFETY: as the caller vouches; the vector outlives the call.
    let is_bounds = unsafe {
        let encoding = mlir_sys::mlirRankedTensorTypeGetEncoding(raw);
        if encoding.ptr.is_null() {
            return Some(None);
        }
        shim::hbHfloatBoundsSizes(encoding, keep_sizes, std::ptr::from_mut(&mut sizes).cast())
    };
    let sizes: Vec<u64> = sizes.into_iter().map(|size| u64::try_from(size).ok()).collect::<Option<_>>()?;
    let fits = sizes.len() == dimensions.len()
        && dimensions.contains(&None)
        && sizes.iter().zip(dimensions).all(|(bound, size)| size.is_none_or(|size| size == *bound));
    (is_bounds && fits).then_some(Some(sizes))
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
