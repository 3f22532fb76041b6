//! Constants as bytes: dense and out-of-line attributes, read and made.

use super::shared::{self, aligned_copy};
use super::types::context_of;
use super::{Element, IrError, TensorType, defining_operation};
use crate::{ElementType, bpu, hfloat, shim};
use bytes::Bytes;
use half::{bf16, f16};
use melior::{
    Context,
    ir::{Attribute, AttributeLike, OperationRef, Type, TypeLike, Value, operation::OperationLike},
};
use mlir_sys::MlirStringRef;
use std::{borrow::Cow, ffi::c_void};

/// Larger constants are stored out of line, as resources.
const INLINE_BYTES: usize = 64;
/// LLVM reads pipes and small files to addresses that are multiples of 16; of bytecode whose resources ask for more, MLIR
/// then reads nothing.
const RESOURCE_ALIGNMENT: usize = 16;

/// A splat is one element in a file and this many bytes at most in memory.
const LARGEST_SPLAT: usize = 1 << 30;

/// A constant tensor: row-major little-endian elements; a bool is one byte, 0 or 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant<'a> {
    /// Its shape and elements.
    pub r#type: TensorType,
    /// Row-major, little-endian.
    pub bytes: Cow<'a, [u8]>,
}

impl Constant<'_> {
    /// The bytes with what owns them, where they are those of a resource that this crate made. Those of a parsed file have no owner that is known.
    #[must_use]
    pub fn owner(&self) -> Option<Bytes> {
        match &self.bytes {
            Cow::Borrowed(bytes) => shared::find(bytes),
            Cow::Owned(_) => None,
        }
    }

    /// The bytes as a value of their own: copied where they have no [`Constant::owner`].
    #[must_use]
    pub fn shared(&self) -> Bytes {
        self.owner().unwrap_or_else(|| Bytes::copy_from_slice(&self.bytes))
    }

    /// The values widened to i64.
    ///
    /// # Errors
    /// When the elements are no integers or bools, or one is beyond i64.
    pub fn to_i64s(&self) -> Result<Vec<i64>, IrError> {
        macro_rules! widen {
            ($type:ty) => {
                self.chunks().map(|chunk| i64::from(<$type>::from_le_bytes(chunk))).collect()
            };
        }
        Ok(match self.plain("integers")? {
            ElementType::I8 => widen!(i8),
            ElementType::U8 | ElementType::Bool => widen!(u8),
            ElementType::I16 => widen!(i16),
            ElementType::U16 => widen!(u16),
            ElementType::I32 => widen!(i32),
            ElementType::U32 => widen!(u32),
            ElementType::I64 => widen!(i64),
            ElementType::U64 => {
                let narrow = |chunk| i64::try_from(u64::from_le_bytes(chunk));
                let values: Result<_, _> = self.chunks().map(narrow).collect();
                values.map_err(|_| self.unlike("values of int64"))?
            }
            ElementType::F16 | ElementType::BF16 | ElementType::F32 | ElementType::F64 => {
                return Err(self.unlike("integers"));
            }
        })
    }

    /// The values of an f32 tensor, where they are if this machine can read them there.
    ///
    /// # Errors
    /// When the elements are no f32.
    pub fn f32s(&self) -> Result<Cow<'_, [f32]>, IrError> {
        if self.r#type.element != ElementType::F32 {
            return Err(self.unlike("float32"));
        }
        Ok(f32s(&self.bytes))
    }

    /// The values of a tensor of numbers as f64; i64 beyond 2^53 is rounded.
    ///
    /// # Errors
    /// When the elements are of another type.
    pub fn to_f64s(&self) -> Result<Vec<f64>, IrError> {
        Ok(match self.plain("numbers")? {
            ElementType::F32 => self.chunks().map(|chunk| f64::from(f32::from_le_bytes(chunk))).collect(),
            ElementType::F64 => self.chunks().map(f64::from_le_bytes).collect(),
            ElementType::F16 => self.chunks().map(|chunk| f16::from_le_bytes(chunk).to_f64()).collect(),
            ElementType::BF16 => self.chunks().map(|chunk| bf16::from_le_bytes(chunk).to_f64()).collect(),
            ElementType::U64 => self.chunks().map(|chunk| u64::from_le_bytes(chunk) as f64).collect(),
            _ => self.to_i64s()?.into_iter().map(|value| value as f64).collect(),
        })
    }

    fn plain(&self, wanted: &str) -> Result<ElementType, IrError> {
        self.r#type.element.plain().ok_or_else(|| self.unlike(wanted))
    }

    fn unlike(&self, wanted: &str) -> IrError {
        let reason = format!("holds {}, not {wanted}", self.r#type.element);
        IrError::Constant { node: String::new(), reason }
    }

    fn chunks<const N: usize>(&self) -> impl Iterator<Item = [u8; N]> + '_ {
        self.bytes.as_chunks().0.iter().copied()
    }
}

/// Little-endian f32, where they are if this machine can read them there.
#[must_use]
pub fn f32s(bytes: &[u8]) -> Cow<'_, [f32]> {
    // SAFETY: every bit pattern is a number.
    let (before, values, after) = unsafe { bytes.align_to() };
    if cfg!(target_endian = "little") && before.is_empty() && after.is_empty() {
        return Cow::Borrowed(values);
    }
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// The constant that a value is, when an `hfloat.constant` or `bpu.constant` defines it.
pub fn constant_of<'a>(value: Value<'_, '_>) -> Option<Constant<'a>> {
    let operation = defining_operation(value)?;
    let constant = hfloat::Op::Constant.is(operation) || bpu::Op::Constant.is(operation);
    constant.then(|| elements_of(operation.attribute("value").ok()?)).flatten()
}

/// The bytes of an elements attribute: `dense`, `dense_resource`, splats expanded. `None` for other attributes, missing
/// resources, resources whose size does not fit their type, and splats above 1 GiB.
pub fn elements_of<'a>(attribute: Attribute<'_>) -> Option<Constant<'a>> {
    let raw = attribute.to_raw();
    // SAFETY: getters of an attribute that is alive; the type is that of an elements attribute.
    unsafe {
        if !mlir_sys::mlirAttributeIsAElements(raw) {
            return None;
        }
        let r#type = TensorType::from_type(Type::from_raw(mlir_sys::mlirAttributeGetType(raw))).ok()?;
        let count = r#type.elements()?;
        let size = count.checked_mul(r#type.element.bytes())?;
        let (mut data, mut length) = (std::ptr::null(), 0);
        if shim::hbDenseResourceData(raw, &mut data, &mut length) {
            if length != size {
                return None;
            }
            // The blob belongs to the context, which outlives every IR handle.
            let bytes = if size == 0 { &[][..] } else { std::slice::from_raw_parts(data, size) };
            return Some(Constant { r#type, bytes: Cow::Borrowed(bytes) });
        }
        if !mlir_sys::mlirAttributeIsADenseElements(raw) {
            return None;
        }
        if mlir_sys::mlirDenseElementsAttrIsSplat(raw) && size > LARGEST_SPLAT {
            return None;
        }
        let bytes = dense_bytes(raw, &r#type.element, count, size)?;
        Some(Constant { r#type, bytes: Cow::Owned(bytes) })
    }
}

/// # Safety
/// `raw` must be a dense elements attribute of `count` elements.
unsafe fn dense_bytes(raw: mlir_sys::MlirAttribute, element: &Element, count: usize, size: usize) -> Option<Vec<u8>> {
    // SAFETY: as the caller vouches; bools are read one by one because MLIR may pack them.
    unsafe {
        if *element == ElementType::Bool {
            if mlir_sys::mlirDenseElementsAttrIsSplat(raw) {
                let value = mlir_sys::mlirDenseElementsAttrGetBoolSplatValue(raw) != 0;
                return Some(vec![u8::from(value); count]);
            }
            let value = |index| u8::from(mlir_sys::mlirDenseElementsAttrGetBoolValue(raw, index as isize));
            return Some((0..count).map(value).collect());
        }
        if count == 0 {
            return Some(Vec::new());
        }
        let data = mlir_sys::mlirDenseElementsAttrGetRawData(raw).cast::<u8>();
        if mlir_sys::mlirDenseElementsAttrIsSplat(raw) {
            return Some(std::slice::from_raw_parts(data, element.bytes()).repeat(count));
        }
        Some(std::slice::from_raw_parts(data, size).to_vec())
    }
}

/// An elements attribute of these bytes: inline when small, else a resource called `name` (made unique by MLIR) with a copy of them.
///
/// # Errors
/// When the number of bytes does not fit the type.
pub fn constant_attribute<'c>(
    context: &'c Context,
    name: &str,
    r#type: &TensorType,
    bytes: &[u8],
) -> Result<Attribute<'c>, IrError> {
    match inline_attribute(context, name, r#type, bytes)? {
        Some(attribute) => Ok(attribute),
        None => resource_attribute(context, name, r#type, aligned_copy(bytes).ok_or_else(|| too_large(name))?),
    }
}

/// As [`constant_attribute`], but a resource is these bytes and no copy, where they are aligned.
///
/// # Errors
/// When the number of bytes does not fit the type.
pub fn shared_constant_attribute<'c>(
    context: &'c Context,
    name: &str,
    r#type: &TensorType,
    bytes: Bytes,
) -> Result<Attribute<'c>, IrError> {
    match inline_attribute(context, name, r#type, &bytes)? {
        Some(attribute) => Ok(attribute),
        None => resource_attribute(context, name, r#type, bytes),
    }
}

/// The attribute of bytes that are few, or of truth values that are all the same.
fn inline_attribute<'c>(
    context: &'c Context,
    name: &str,
    r#type: &TensorType,
    bytes: &[u8],
) -> Result<Option<Attribute<'c>>, IrError> {
    let expected = r#type.elements().and_then(|count| count.checked_mul(r#type.element.bytes()));
    if expected != Some(bytes.len()) {
        return Err(IrError::Constant {
            node: name.to_owned(),
            reason: format!("has {} bytes, but its type {:?} needs {expected:?}", bytes.len(), r#type),
        });
    }
    let mlir_type = r#type.to_type(context).to_raw();
    let is_bool = r#type.element == ElementType::Bool;
    // SAFETY: the type belongs to the context; the buffers are as long as said; inline data is copied.
    let raw = unsafe {
        match bytes.first() {
            // MLIR takes bits one by one, which takes seconds for tens of millions.
            Some(first) if is_bool && bytes.windows(2).all(|pair| matches!(pair, [a, b] if a == b)) => {
                mlir_sys::mlirDenseElementsAttrBoolSplatGet(mlir_type, *first != 0)
            }
            _ if bytes.len() > INLINE_BYTES => return Ok(None),
            _ if is_bool => {
                let values: Vec<i32> = bytes.iter().map(|&byte| i32::from(byte != 0)).collect();
                mlir_sys::mlirDenseElementsAttrBoolGet(mlir_type, values.len() as isize, values.as_ptr())
            }
            _ => mlir_sys::mlirDenseElementsAttrRawBufferGet(mlir_type, bytes.len(), bytes.as_ptr().cast()),
        }
    };
    // SAFETY: the attribute was just made in `context`.
    unsafe { Attribute::from_option_raw(raw) }.ok_or_else(|| refused(name)).map(Some)
}

/// A resource of as many bytes as its type needs.
fn resource_attribute<'c>(
    context: &'c Context,
    name: &str,
    r#type: &TensorType,
    bytes: Bytes,
) -> Result<Attribute<'c>, IrError> {
    // Any byte but 0 is true, and what reads resources expects 1.
    let bytes: Bytes = match r#type.element == ElementType::Bool && bytes.iter().any(|byte| *byte > 1) {
        true => bytes.iter().map(|byte| u8::from(*byte != 0)).collect(),
        false => bytes,
    };
    let bytes = match bytes.as_ptr().addr().is_multiple_of(RESOURCE_ALIGNMENT) {
        true => bytes,
        false => aligned_copy(&bytes).ok_or_else(|| too_large(name))?,
    };
    let (data, length) = shared::give(bytes);
    // SAFETY: the type belongs to the context; the bytes stay where they are until `free_resource`.
    unsafe {
        Attribute::from_option_raw(mlir_sys::mlirUnmanagedDenseResourceElementsAttrGet(
            r#type.to_type(context).to_raw(),
            MlirStringRef { data: name.as_ptr().cast(), length: name.len() },
            data.cast_mut().cast(),
            length,
            RESOURCE_ALIGNMENT,
            false,
            Some(free_resource),
            std::ptr::null_mut(),
        ))
    }
    .ok_or_else(|| refused(name))
}

fn too_large(name: &str) -> IrError {
    IrError::Constant { node: name.to_owned(), reason: "is too large".into() }
}

fn refused(name: &str) -> IrError {
    IrError::Constant { node: name.to_owned(), reason: "was refused by MLIR".into() }
}

/// The same bytes as those of a `dense_resource` under another name, copied where they have no [`Constant::owner`]; none for other attributes.
///
/// # Errors
/// When MLIR refuses the attribute.
pub fn renamed_resource<'c>(attribute: Attribute<'c>, name: &str) -> Result<Option<Attribute<'c>>, IrError> {
    let constant = elements_of(attribute).filter(|constant| matches!(constant.bytes, Cow::Borrowed(_)));
    let renamed = |constant: Constant<'_>| {
        let bytes = constant.owner().or_else(|| aligned_copy(&constant.bytes)).ok_or_else(|| too_large(name))?;
        resource_attribute(context_of(attribute.context()), name, &constant.r#type, bytes)
    };
    constant.map(renamed).transpose()
}

/// Lets go of the bytes of every resource of the context that none of `operations`, or of what is in them, reads: MLIR itself keeps them
/// until the context ends. Other operations of the context then have constants without bytes, which is an error of theirs.
///
/// # Safety
/// No [`Constant`] that was read from another operation of the context may be used afterwards, and nothing else may use the context
/// meanwhile.
pub unsafe fn keep_resources(context: &Context, operations: &[OperationRef<'_, '_>]) {
    let operations: Vec<_> = operations.iter().map(|operation| operation.to_raw()).collect();
    // SAFETY: the operations are alive; the rest is what the caller vouches for.
    unsafe { shim::hbKeepResources(context.to_raw(), operations.len() as isize, operations.as_ptr()) };
}

unsafe extern "C" fn free_resource(_user: *mut c_void, data: *const c_void, size: usize, _align: usize) {
    shared::take_back(data.cast(), size);
}

#[cfg(test)]
mod tests {
    use super::*;
    use melior::ir::{BlockLike, Module, operation::OperationLike};

    #[test]
    fn only_the_constants_of_what_is_kept_stay() {
        let context = crate::context();
        let text = |name: &str, value: u32| {
            let element = format!("{value:02X}000000").repeat(64);
            format!(
                "%0 = hfloat.constant dense_resource<{name}> : tensor<64xf32>\n\
                 {{-# dialect_resources: {{ builtin: {{ {name}: \"0x04000000{element}\" }} }} #-}}"
            )
        };
        let module = |name: &str, value| Module::parse(&context, &text(name, value)).unwrap();
        let constant = |module: &Module<'_>| {
            let operation = crate::ir::operations(module.body()).remove(0);
            elements_of(operation.attribute("value").unwrap()).map(|constant| constant.bytes.into_owned())
        };
        let (dead, kept, copy) = (module("a", 1), module("b", 2), module("b", 3));
        assert!(constant(&dead).is_some());
        // SAFETY: the bytes above are copies.
        unsafe { keep_resources(&context, &[kept.as_operation(), copy.as_operation()]) };
        assert_eq!(constant(&dead), None);
        assert_eq!(constant(&kept).unwrap(), [2, 0, 0, 0].repeat(64));
        assert_eq!(constant(&copy).unwrap(), [3, 0, 0, 0].repeat(64));
        // SAFETY: as above.
        unsafe { keep_resources(&context, &[]) };
        assert_eq!((constant(&kept), constant(&copy)), (None, None));
    }

    #[test]
    fn a_renamed_resource_outlives_the_first() {
        let context = crate::context();
        let r#type = TensorType::new(ElementType::F32, &[64]);
        let first = constant_attribute(&context, "first", &r#type, &[7; 256]).unwrap();
        let bytes = elements_of(first).unwrap().shared();
        let address = bytes.as_ptr();
        let renamed = renamed_resource(first, "second").unwrap().unwrap();
        assert_eq!(elements_of(renamed).unwrap().bytes.as_ptr(), address);
        drop(bytes);
        let location = melior::ir::Location::unknown(&context);
        let module = Module::new(location);
        let constant = crate::ir::build(
            &context,
            hfloat::Op::Constant.name(),
            &[],
            &[("value", renamed)],
            &[r#type.to_type(&context)],
            vec![],
            location,
        );
        module.body().append_operation(constant.unwrap());
        // SAFETY: nothing was read of the first that is used below.
        unsafe { keep_resources(&context, &[module.as_operation()]) };
        let kept = elements_of(renamed).unwrap().shared();
        drop((module, context));
        assert_eq!((kept.as_ptr(), &kept[..]), (address, [7; 256].as_slice()));
    }

    #[test]
    fn shared_bytes_are_copied_where_they_must_be() {
        let context = crate::context();
        let made = |r#type: &TensorType, bytes: Bytes| {
            let attribute = shared_constant_attribute(&context, "shared", r#type, bytes).unwrap();
            elements_of(attribute).unwrap().shared()
        };
        let bytes = aligned_copy(&[3; 257]).unwrap();
        let numbers = TensorType::new(ElementType::F32, &[64]);
        assert_eq!(made(&numbers, bytes.slice(..256)).as_ptr(), bytes.as_ptr());
        // At another address than MLIR is told.
        let moved = made(&numbers, bytes.slice(1..));
        assert!(moved.as_ptr().addr().is_multiple_of(RESOURCE_ALIGNMENT) && moved == bytes.slice(1..));
        // Any byte but 0 is true.
        let mask: Bytes = (0..256).map(|index| (index % 3) as u8).collect();
        let truths: Vec<u8> = mask.iter().map(|byte| (*byte).min(1)).collect();
        assert_eq!(made(&TensorType::new(ElementType::Bool, &[256]), mask)[..], truths[..]);
    }

    /// Of all equal ones, of few and of many.
    #[test]
    fn truth_values_are_read_as_they_were_written() {
        let context = crate::context();
        for (count, period) in [(3, 2), (64, 3), (65, 3), (5000, 7), (5000, 5001), (0, 1)] {
            let r#type = TensorType::new(ElementType::Bool, &[count]);
            // Any byte but 0 is true.
            let bytes: Vec<u8> = (0..count).map(|index| if index % period == 1 { 200 } else { 0 }).collect();
            let attribute = constant_attribute(&context, "mask", &r#type, &bytes).unwrap();
            let read = elements_of(attribute).unwrap().bytes.into_owned();
            assert_eq!(read, bytes.iter().map(|&byte| u8::from(byte != 0)).collect::<Vec<_>>());
        }
    }
}
