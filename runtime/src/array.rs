//! Tensor values in memory.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use ndarray::{ArrayViewD, ArrayViewMutD, Axis, Dimension, IxDyn, Slice};
use thiserror::Error;

use crate::scalar::Scalar;
use crate::{ElementType, Fault};

/// Why there is no array.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum ArrayError {
    /// A tensor would need more bytes than this machine can address or has.
    #[error("tensor '{tensor}' of shape {shape:?} is too large: {reason}")]
    TooLarge { tensor: String, shape: Vec<usize>, reason: String },
    /// Bytes that are not those of the element type and shape.
    #[error("{0}")]
    Mismatch(String),
}

impl ArrayError {
    /// The same with the name of the tensor, where the error does not know it.
    pub fn of_tensor(self, name: &str) -> ArrayError {
        match self {
            ArrayError::TooLarge { tensor, shape, reason } if tensor.is_empty() => {
                ArrayError::TooLarge { tensor: name.to_string(), shape, reason }
            }
            other => other,
        }
    }
}

/// A cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

/// The alignment of every tensor in memory, that of a cache line: vector loads never straddle lines needlessly.
pub const ALIGNMENT: usize = 64;

/// Bytes aligned to a cache line.
#[derive(Clone)]
pub struct AlignedBytes {
    lines: Vec<Line>,
    length: usize,
    /// Bytes that others hold, too, in place of `lines` until they are written.
    shared: Option<Bytes>,
}

impl AsRef<[u8]> for AlignedBytes {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AlignedBytes {
    /// `None` when there is not that much memory: sizes come from files, and a huge one must not abort the process.
    pub fn zeroed(length: usize) -> Option<AlignedBytes> {
        let count = length.div_ceil(64);
        if count == 0 {
            return Some(AlignedBytes { lines: Vec::new(), length, shared: None });
        }
        let layout = alloc::alloc::Layout::array::<Line>(count).ok()?;
        // SAFETY: the layout is not empty; on success it is `count` lines, all zero, of the allocator that `Vec` uses.
        let lines = unsafe {
            let start = alloc::alloc::alloc_zeroed(layout).cast::<Line>();
            if start.is_null() {
                return None;
            }
            Vec::from_raw_parts(start, count, count)
        };
        Some(AlignedBytes { lines, length, shared: None })
    }

    /// Memory for so many bytes that nobody has written yet: only its address is to be used. `None` as in [`AlignedBytes::zeroed`].
    pub fn reserved(length: usize) -> Option<AlignedBytes> {
        let mut lines: Vec<Line> = Vec::new();
        lines.try_reserve_exact(length.div_ceil(64)).ok()?;
        Some(AlignedBytes { lines, length: 0, shared: None })
    }

    /// Room for so many bytes that nobody has written yet, none of them readable before [`AlignedBytes::assume_written`].
    fn unwritten(length: usize) -> Option<AlignedBytes> {
        let mut bytes = AlignedBytes::reserved(length)?;
        if let Some(last) = length.div_ceil(64).checked_sub(1) {
            // SAFETY: there is room for it. Of the last line not all bytes are the caller's to write.
            unsafe { bytes.lines.as_mut_ptr().add(last).write(Line([0; 64])) };
        }
        Some(bytes)
    }

    /// # Safety
    /// They come from [`AlignedBytes::unwritten`] of the same length, and each of them was written.
    unsafe fn assume_written(&mut self, length: usize) {
        // SAFETY: there is room for as many lines, the caller has written them, and the end of the last was zero from the start.
        unsafe { self.lines.set_len(length.div_ceil(64)) };
        self.length = length;
    }

    /// A copy; `None` as in [`AlignedBytes::zeroed`].
    pub fn copied(bytes: &[u8]) -> Option<AlignedBytes> {
        let mut copy = AlignedBytes::unwritten(bytes.len())?;
        // SAFETY: there is room for as many bytes, and all of them are written.
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), copy.as_mut_ptr(), bytes.len());
            copy.assume_written(bytes.len());
        }
        Some(copy)
    }

    /// The same bytes in the same memory where that is whole cache lines, else a copy; `None` as in [`AlignedBytes::zeroed`].
    fn of_shared(bytes: Bytes) -> Option<AlignedBytes> {
        if !bytes.as_ptr().addr().is_multiple_of(ALIGNMENT) || !bytes.len().is_multiple_of(ALIGNMENT) {
            return AlignedBytes::copied(&bytes);
        }
        Some(AlignedBytes { lines: Vec::new(), length: bytes.len(), shared: Some(bytes) })
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match &self.shared {
            Some(shared) => shared,
            // SAFETY: `lines` owns at least `length` initialised bytes, and a line has no padding.
            None => unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) },
        }
    }

    /// The bytes, to be written. Those that somebody else may hold are copied first.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let start = self.as_mut_ptr();
        // SAFETY: as above, and the borrow is unique.
        unsafe { core::slice::from_raw_parts_mut(start, self.length) }
    }

    /// Where they are.
    pub fn as_ptr(&self) -> *const u8 {
        match &self.shared {
            Some(shared) => shared.as_ptr(),
            None => self.lines.as_ptr().cast(),
        }
    }

    /// Where they are, to be written. Those that somebody else may hold are copied first.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        if let Some(bytes) = self.shared.take() {
            // Only whole lines are shared.
            self.lines = bytes.as_chunks().0.iter().map(|line| Line(*line)).collect();
        }
        self.lines.as_mut_ptr().cast()
    }
}

/// A dense tensor value in row-major order, as networks take and give it: its element type is known when running, and its memory is
/// aligned for kernels. [`Array::view`] is the array that the host computes with.
#[derive(Clone)]
pub struct Array {
    element: ElementType,
    shape: Vec<usize>,
    bytes: AlignedBytes,
}

/// A Rust type that an [`Array`] can be read as without conversion.
pub trait ArrayElement: Copy + 'static {
    /// The element type that it is.
    const ELEMENT: ElementType;
}

macro_rules! array_element {
    ($($rust:ty => $element:ident),*) => { $(impl ArrayElement for $rust { const ELEMENT: ElementType = ElementType::$element; })* };
}
array_element!(f32 => F32, f64 => F64, half::f16 => F16, half::bf16 => BF16, i64 => I64, i32 => I32, i16 => I16, i8 => I8,
    u64 => U64, u32 => U32, u16 => U16, u8 => U8);

/// No tensor has more bytes: also one that never lies in memory, because its reader computes it, takes its time.
const LARGEST_TENSOR: usize = 1 << 36;

/// The number of bytes of a tensor, or an error when those are too many.
pub fn byte_count(name: &str, element: ElementType, shape: &[usize]) -> Result<usize, ArrayError> {
    let count = shape.iter().try_fold(element.bytes(), |bytes, &extent| bytes.checked_mul(extent));
    match count {
        Some(count) if count <= LARGEST_TENSOR => Ok(count),
        _ => Err(ArrayError::TooLarge {
            tensor: name.to_string(),
            shape: shape.to_vec(),
            reason: "it has more than 64 GiB".to_string(),
        }),
    }
}

/// The number of bytes of a tensor, or an error when other many are given.
fn matching_count(element: ElementType, shape: &[usize], bytes: &[u8]) -> Result<usize, ArrayError> {
    let expected = byte_count("", element, shape)?;
    if expected != bytes.len() {
        let reason = alloc::format!("{} bytes given, but {element} of shape {shape:?} has {expected}", bytes.len());
        return Err(ArrayError::Mismatch(reason));
    }
    Ok(expected)
}

impl Array {
    /// A tensor of zeros.
    pub fn zeros(element: ElementType, shape: &[usize]) -> Result<Array, ArrayError> {
        let count = byte_count("", element, shape)?;
        Array::of(element, shape, count, AlignedBytes::zeroed(count))
    }

    /// A tensor whose memory nobody has written yet. Only [`Array::as_mut_ptr`] is of use before [`Array::assume_written`]: the array has
    /// no element until then.
    pub fn unwritten(element: ElementType, shape: &[usize]) -> Result<Array, ArrayError> {
        let count = byte_count("", element, shape)?;
        Array::of(element, shape, count, AlignedBytes::unwritten(count))
    }

    /// Makes the elements of an array readable.
    ///
    /// # Safety
    /// It comes from [`Array::unwritten`], and every byte of it was written.
    pub unsafe fn assume_written(&mut self) {
        let count = self.shape.iter().product::<usize>() * self.element.bytes();
        // SAFETY: as many were reserved, and the caller has written them.
        unsafe { self.bytes.assume_written(count) };
    }

    /// `bytes` are `count` bytes, or none where memory has no room for them.
    fn of(
        element: ElementType,
        shape: &[usize],
        count: usize,
        bytes: Option<AlignedBytes>,
    ) -> Result<Array, ArrayError> {
        let bytes = bytes.ok_or_else(|| ArrayError::TooLarge {
            tensor: String::new(),
            shape: shape.to_vec(),
            reason: alloc::format!("there are no {count} bytes of memory"),
        })?;
        Ok(Array { element, shape: shape.to_vec(), bytes })
    }

    /// A tensor from its little-endian bytes in row-major order.
    pub fn from_bytes(element: ElementType, shape: &[usize], bytes: &[u8]) -> Result<Array, ArrayError> {
        let expected = matching_count(element, shape, bytes)?;
        Array::of(element, shape, expected, AlignedBytes::copied(bytes))
    }

    /// As [`Array::from_bytes`], in the same memory where that is whole cache lines.
    pub fn of_shared(element: ElementType, shape: &[usize], bytes: Bytes) -> Result<Array, ArrayError> {
        let expected = matching_count(element, shape, &bytes)?;
        Array::of(element, shape, expected, AlignedBytes::of_shared(bytes))
    }

    /// A tensor from its values in row-major order.
    pub fn from_values<T: ArrayElement>(shape: &[usize], values: &[T]) -> Result<Array, ArrayError> {
        // SAFETY: every `ArrayElement` is a plain number without padding.
        let bytes =
            unsafe { core::slice::from_raw_parts(values.as_ptr().cast::<u8>(), core::mem::size_of_val(values)) };
        Array::from_bytes(T::ELEMENT, shape, bytes)
    }

    /// How each element is stored.
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// Sizes, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.bytes.length / self.element.bytes()
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements in row-major order, as this machine stores them.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// As [`Array::as_bytes`], to be written.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.as_mut_slice()
    }

    /// The shape, and the bytes to write.
    pub fn parts_mut(&mut self) -> (&[usize], &mut [u8]) {
        (&self.shape, self.bytes.as_mut_slice())
    }

    /// The values, or `None` when the array holds another element type.
    pub fn values<T: ArrayElement>(&self) -> Option<&[T]> {
        // SAFETY: the bytes are initialised, aligned to 64, and every bit pattern is a valid number.
        (T::ELEMENT == self.element)
            .then(|| unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.len()) })
    }

    /// The values, or `None` when the array holds another element type.
    pub fn values_mut<T: ArrayElement>(&mut self) -> Option<&mut [T]> {
        let length = self.len();
        // SAFETY: as above, and the borrow is unique.
        (T::ELEMENT == self.element)
            .then(|| unsafe { core::slice::from_raw_parts_mut(self.bytes.as_mut_ptr().cast(), length) })
    }

    /// The values by their indices, or `None` when the array holds another element type.
    pub fn view<T: ArrayElement>(&self) -> Option<ArrayViewD<'_, T>> {
        ArrayViewD::from_shape(IxDyn(&self.shape), self.values()?).ok()
    }

    /// The same elements under another shape; the number of elements must agree.
    pub fn reshaped(mut self, shape: &[usize]) -> Result<Array, ArrayError> {
        if byte_count("", self.element, shape)? != self.bytes.length {
            let reason = alloc::format!("shape {:?} cannot be read as {shape:?}", self.shape);
            return Err(ArrayError::Mismatch(reason));
        }
        self.shape = shape.to_vec();
        Ok(self)
    }

    /// The elements below `sizes`; sizes beyond the shape are those of the shape.
    pub fn cropped(&self, sizes: &[usize]) -> Result<Array, ArrayError> {
        let sizes: Vec<usize> = self.shape.iter().zip(sizes).map(|(shape, size)| *shape.min(size)).collect();
        if sizes == self.shape {
            return Ok(self.clone());
        }
        let mut cropped = Array::zeros(self.element, &sizes)?;
        copy_box(self, &sizes, &sizes, cropped.bytes.as_mut_slice());
        Ok(cropped)
    }

    /// The values as sizes; what is negative is 0.
    pub fn to_sizes(&self) -> Vec<usize> {
        self.to_i64().into_iter().map(|size| usize::try_from(size).unwrap_or(0)).collect()
    }

    /// The element at a row-major position.
    pub fn get(&self, position: usize) -> Option<Scalar> {
        let size = self.element.bytes();
        let start = position.checked_mul(size)?;
        Scalar::read(self.element, self.as_bytes().get(start..start.checked_add(size)?)?)
    }

    /// Every value as f64; exact for all elements but 64-bit integers beyond 2^53.
    pub fn to_f64(&self) -> Vec<f64> {
        self.as_bytes()
            .chunks_exact(self.element.bytes())
            .filter_map(|b| Scalar::read(self.element, b))
            .map(Scalar::as_f64)
            .collect()
    }

    /// Every value as i64; floats truncate, what is beyond i64 saturates.
    pub fn to_i64(&self) -> Vec<i64> {
        self.as_bytes()
            .chunks_exact(self.element.bytes())
            .filter_map(|b| Scalar::read(self.element, b))
            .map(Scalar::as_i64)
            .collect()
    }

    /// Writes the element at a row-major position, already cast to the element type.
    pub fn set(&mut self, position: usize, value: Scalar) {
        let (element, size) = (self.element, self.element.bytes());
        if let Some(bytes) = self.bytes.as_mut_slice().chunks_exact_mut(size).nth(position) {
            value.write(element, bytes);
        }
    }

    /// Where the elements are.
    pub fn as_ptr(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    /// Where the elements are, to be written.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }
}

/// A tensor's value, borrowed from a running network.
#[derive(Clone, Copy, Debug)]
pub struct ArrayView<'a> {
    /// How each element is stored.
    pub element: ElementType,
    /// Sizes, outermost first.
    pub shape: &'a [usize],
    /// The elements in row-major order.
    pub bytes: &'a [u8],
}

impl<'a> ArrayView<'a> {
    /// The values, or `None` when the tensor holds another element type.
    pub fn values<T: ArrayElement>(&self) -> Option<&'a [T]> {
        // SAFETY: every bit pattern is a valid number; `align_to` takes care of the alignment.
        let (before, values, after) = unsafe { self.bytes.align_to::<T>() };
        (T::ELEMENT == self.element && before.is_empty() && after.is_empty()).then_some(values)
    }

    /// A copy.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn to_array(&self) -> Result<Array, ArrayError> {
        Array::from_bytes(self.element, self.shape, self.bytes)
    }
}

/// A result's memory, zeroed or left from an earlier run: a routine writes all of it.
#[derive(Debug)]
pub struct ResultView<'a> {
    /// How each element is stored.
    pub element: ElementType,
    /// Sizes, outermost first.
    pub shape: &'a [usize],
    /// The elements in row-major order.
    pub bytes: &'a mut [u8],
}

impl<'a> ResultView<'a> {
    /// All of an array.
    pub fn of(array: &'a mut Array) -> ResultView<'a> {
        let element = array.element();
        let (shape, bytes) = array.parts_mut();
        ResultView { element, shape, bytes }
    }

    /// The values, or an error when the tensor holds another element type.
    pub fn values<T: ArrayElement>(&mut self) -> Result<&mut [T], Fault> {
        // SAFETY: every bit pattern is a valid number; `align_to_mut` takes care of the alignment.
        let (before, values, after) = unsafe { self.bytes.align_to_mut::<T>() };
        if T::ELEMENT == self.element && before.is_empty() && after.is_empty() {
            Ok(values)
        } else {
            Err(Fault::Reason(alloc::format!("a result is {}, not {}", self.element, T::ELEMENT)))
        }
    }
}

/// Copies the elements of `from` below `sizes` into memory of the shape `to_shape`, to the same positions. Sizes beyond a shape are those
/// of the shape.
pub fn copy_box(from: &Array, sizes: &[usize], to_shape: &[usize], to: &mut [u8]) {
    // The bytes of an element are one more dimension.
    let cells = |shape: &[usize]| IxDyn(&[shape, &[from.element.bytes()]].concat());
    let (from_cells, to_cells) = (cells(&from.shape), cells(to_shape));
    let Some(to) = to.get_mut(..to_cells.size()) else { return };
    let from = ArrayViewD::from_shape(from_cells, from.as_bytes());
    if let (Ok(mut from), Ok(mut to)) = (from, ArrayViewMutD::from_shape(to_cells, to)) {
        for (axis, &size) in sizes.iter().enumerate().take(from.ndim().min(to.ndim())) {
            let below = Slice::from(..size.min(from.len_of(Axis(axis))).min(to.len_of(Axis(axis))));
            from.slice_axis_inplace(Axis(axis), below);
            to.slice_axis_inplace(Axis(axis), below);
        }
        to.assign(&from);
    }
}

impl core::fmt::Debug for Array {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Array({} {:?}, first {:?})",
            self.element,
            self.shape,
            self.to_f64().iter().take(8).collect::<Vec<_>>()
        )
    }
}

impl PartialEq for Array {
    /// Equal types, shapes and bytes: a NaN equals itself, and -0 differs from 0.
    fn eq(&self, other: &Array) -> bool {
        self.element == other.element && self.shape == other.shape && self.as_bytes() == other.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_keep_values_and_refuse_wrong_sizes() {
        let array = Array::from_values(&[2, 2], &[1.0f32, 2.0, 3.0, -4.5]).unwrap();
        assert_eq!(array.values::<f32>().unwrap(), &[1.0, 2.0, 3.0, -4.5]);
        assert!(array.values::<i32>().is_none());
        assert_eq!(array.get(3), Some(Scalar::Float(-4.5)));
        assert!(Array::from_values(&[3], &[1.0f32]).is_err());
        assert!(Array::zeros(ElementType::F32, &[usize::MAX, 2]).is_err());
        assert!(Array::zeros(ElementType::F32, &[1 << 58]).is_err());
        assert_eq!(Array::zeros(ElementType::F32, &[0, 3]).unwrap().len(), 0);
    }

    #[test]
    fn shared_bytes_are_copied_as_soon_as_one_holder_writes() {
        let floats = Array::from_values(&[32], &[1.5f32; 32]).unwrap();
        let shared = Bytes::from_owner(floats.bytes);
        let address = shared.as_ptr();
        let mut array = Array::of_shared(ElementType::F32, &[4, 8], shared.clone()).unwrap();
        assert_eq!((array.as_bytes().as_ptr(), array.values::<f32>().unwrap()), (address, [1.5; 32].as_slice()));
        array.as_bytes_mut()[3] = 0xBF;
        assert_ne!(array.as_bytes().as_ptr(), address);
        assert_eq!((array.values::<f32>().unwrap()[0], array.values::<f32>().unwrap()[31]), (-1.5, 1.5));
        assert_eq!(shared[3], 0x3F);
        // Another size, and an end within a line.
        assert!(Array::of_shared(ElementType::F32, &[33], shared).is_err());
        let odd = Bytes::from_owner(Array::from_values(&[3], &[1i32, 2, 3]).unwrap().bytes);
        assert_eq!(Array::of_shared(ElementType::I32, &[3], odd).unwrap().values::<i32>().unwrap(), [1, 2, 3]);
    }
}
