//! numpy's `.npy` files: reading that trusts nothing, and writing.
//!
//! The format is numpy's NEP 1: a magic, a version, the length of a header, the header as the text of a Python dictionary with
//! `descr`, `fortran_order` and `shape`, then the elements. Only plain numbers are read; pickled objects never.

use std::borrow::Cow;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::npy_header::{Header, parse_header};
use crate::cpu::{Array, ArrayError, ConversionError, convert};
use crate::reading;
use hb_dialects::ElementType;
use ndarray::{ArrayViewD, IxDyn, ShapeBuilder};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// numpy itself stays below 64 KiB unless a structured type has thousands of fields, which we do not read.
const MAXIMUM_HEADER_BYTES: usize = 1 << 16;

/// Why a file is not an array that we can use.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct NpyError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: NpyProblem,
}

/// What can be wrong with a `.npy` file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum NpyProblem {
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("not a .npy file (it does not begin with \\x93NUMPY); save the array with numpy.save")]
    Magic,
    #[error("version {0}.{1} of the .npy format is unknown; 1.0, 2.0 and 3.0 are read")]
    Version(u8, u8),
    #[error("the .npy header is broken: {0}")]
    Header(String),
    #[error("elements of type {0} are not supported; use float32, float16, float64, an integer type or bool")]
    ElementType(String),
    #[error("the header announces {expected} bytes of elements, the file holds {found}; was it copied whole?")]
    Length { expected: String, found: u64 },
    #[error("a bool is neither 0 nor 1")]
    Bool,
    #[error(transparent)]
    Array(Box<ArrayError>),
}

/// Reads the array in the file at `path`.
pub fn read(path: &Path) -> Result<Array, NpyError> {
    let located = |problem| NpyError { path: path.to_owned(), problem };
    let read = || {
        let (mut file, length) = reading::open(path)?;
        read_from(&mut file, length)
    };
    read().map_err(located)
}

/// The shape of the array in the file at `path`.
pub fn shape(path: &Path) -> Result<Vec<usize>, NpyError> {
    let located = |problem| NpyError { path: path.to_owned(), problem };
    let (mut file, _) = reading::open(path).map_err(|error| located(error.into()))?;
    read_header(&mut file).map(|(header, _)| header.dims).map_err(located)
}

/// As [`read`], only these indices of the first dimension, and of the file no more than these.
pub fn read_rows(path: &Path, rows: Range<usize>) -> Result<Array, NpyError> {
    let located = |problem| NpyError { path: path.to_owned(), problem };
    let read = || -> Result<Array, NpyProblem> {
        let (mut file, length) = reading::open(path)?;
        let (header, before) = read_header(&mut file)?;
        let outside = || NpyProblem::Header(format!("its shape {:?} has no rows {rows:?}", header.dims));
        let (count, inner) = header.dims.split_first().ok_or_else(outside)?;
        if rows.start > rows.end || rows.end > *count {
            return Err(outside());
        }
        let size = inner.iter().try_fold(header.element_type.bytes(), |bytes, &dim| bytes.checked_mul(dim));
        let size = size.ok_or_else(outside)?;
        let dims: Vec<usize> = std::iter::once(rows.len()).chain(inner.iter().copied()).collect();
        if header.fortran_order
            || size.checked_mul(*count).map(|bytes| bytes as u64) != Some(length.saturating_sub(before))
        {
            // The whole is read, or refused with its length.
            file.rewind()?;
            let whole = read_from(&mut file, length)?;
            let bytes = whole.as_bytes().get(rows.start * size..rows.end * size).ok_or_else(outside)?;
            return Array::from_bytes(whole.element(), &dims, bytes).map_err(array_error);
        }
        file.seek(SeekFrom::Start(before + rows.start as u64 * size as u64))?;
        let part = Header { dims, ..header };
        read_elements(&mut file, &part)
    };
    read().map_err(located)
}

/// Reads an array of `length` bytes in all. Nothing is allocated by what the header says before it was compared with `length`.
fn read_from(reader: &mut dyn Read, length: u64) -> Result<Array, NpyProblem> {
    let (header, before) = read_header(reader)?;
    let found = length.saturating_sub(before);
    let size = header.element_type.bytes();
    let expected = header.dims.iter().try_fold(size, |bytes, &dim| bytes.checked_mul(dim));
    if expected.is_none_or(|bytes| bytes as u64 != found) {
        let expected = expected.map_or_else(|| "more than 2^64".to_owned(), |bytes| bytes.to_string());
        return Err(NpyProblem::Length { expected, found });
    }
    read_elements(reader, &header)
}

/// Reads as many elements as the header says.
fn read_elements(reader: &mut dyn Read, header: &Header) -> Result<Array, NpyProblem> {
    let size = header.element_type.bytes();
    let mut array = Array::zeros(header.element_type, &header.dims).map_err(array_error)?;
    let elements = array.as_bytes_mut();
    reader.read_exact(elements)?;
    if header.big_endian {
        elements.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    if header.element_type == ElementType::Bool && elements.iter().any(|&byte| byte > 1) {
        return Err(NpyProblem::Bool);
    }
    if header.fortran_order {
        return rows_first(&array);
    }
    Ok(array)
}

/// Reads what is before the elements; also returns how many bytes that is.
fn read_header(reader: &mut dyn Read) -> Result<(Header, u64), NpyProblem> {
    let mut start = [0; 8];
    reader.read_exact(&mut start).map_err(|_| NpyProblem::Magic)?;
    if !start.starts_with(MAGIC) {
        return Err(NpyProblem::Magic);
    }
    let [.., major, minor] = start;
    let short = |_| NpyProblem::Header("the file ends inside it".into());
    let (length, before) = match (major, minor) {
        (1, 0) => {
            let mut length = [0; 2];
            reader.read_exact(&mut length).map_err(short)?;
            (usize::from(u16::from_le_bytes(length)), 10)
        }
        (2 | 3, 0) => {
            let mut length = [0; 4];
            reader.read_exact(&mut length).map_err(short)?;
            (u32::from_le_bytes(length) as usize, 12)
        }
        _ => return Err(NpyProblem::Version(major, minor)),
    };
    if length > MAXIMUM_HEADER_BYTES {
        return Err(NpyProblem::Header(format!("{length} bytes long, at most {MAXIMUM_HEADER_BYTES} are read")));
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).map_err(short)?;
    let text = String::from_utf8(text).map_err(|_| NpyProblem::Header("it is not UTF-8".into()))?;
    Ok((parse_header(&text)?, before + length as u64))
}

fn array_error(error: ArrayError) -> NpyProblem {
    NpyProblem::Array(Box::new(error))
}

/// The array whose elements were read with the first index running fastest.
fn rows_first(columns: &Array) -> Result<Array, NpyProblem> {
    // The bytes of an element run faster still.
    let cells = IxDyn(&[&[columns.element().bytes()], columns.shape()].concat());
    let cells = ArrayViewD::from_shape(cells.f(), columns.as_bytes());
    let cells = cells.map_err(|error| NpyProblem::Header(error.to_string()))?;
    let order: Vec<usize> = (1..cells.ndim()).chain([0]).collect();
    let rows: Vec<u8> = cells.permuted_axes(order).iter().copied().collect();
    Array::from_bytes(columns.element(), columns.shape(), &rows).map_err(array_error)
}

/// The array as numpy can hold it: numpy has no bfloat16, so these become float32, which holds each of them.
///
/// # Errors
/// When there is not enough memory.
pub fn storable(array: &Array) -> Result<Cow<'_, Array>, ConversionError> {
    match array.element() {
        ElementType::BF16 => convert(array.clone(), ElementType::F32).map(Cow::Owned),
        _ => Ok(Cow::Borrowed(array)),
    }
}

/// What stands before the elements of a [`storable`] array in a `.npy` file, as numpy writes it: version 1.0, elements from a
/// multiple of 64 bytes.
pub fn header(element_type: ElementType, dims: &[usize]) -> Vec<u8> {
    let descr = match element_type {
        ElementType::F32 | ElementType::BF16 => "<f4",
        ElementType::F16 => "<f2",
        ElementType::F64 => "<f8",
        ElementType::I8 => "|i1",
        ElementType::I16 => "<i2",
        ElementType::I32 => "<i4",
        ElementType::I64 => "<i8",
        ElementType::U8 => "|u1",
        ElementType::U16 => "<u2",
        ElementType::U32 => "<u4",
        ElementType::U64 => "<u8",
        ElementType::Bool => "|b1",
    };
    let shape = match dims {
        [dim] => format!("({dim},)"),
        dims => format!("({})", dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let before = MAGIC.len() + 4;
    let end = (before + text.len() + 1).next_multiple_of(64);
    text.extend(std::iter::repeat_n(' ', end - before - text.len() - 1));
    text.push('\n');
    // Ten dimensions of twenty digits stay far below 64 KiB; the rank of what we write is bounded long before.
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [MAGIC.as_slice(), &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat()
}

/// A whole `.npy` file.
///
/// # Errors
/// When there is not enough memory.
pub fn encode(array: &Array) -> Result<Vec<u8>, ConversionError> {
    let array = storable(array)?;
    let mut bytes = header(array.element(), array.shape());
    bytes.extend_from_slice(array.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(bytes: &[u8]) -> Result<Array, NpyProblem> {
        read_from(&mut &bytes[..], bytes.len() as u64)
    }

    fn npy(header: &str, elements: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), elements].concat()
    }

    /// `numpy.save(f, numpy.array([[1, 2, 3], [4, 5, 6]], numpy.int16))`, recorded from numpy 2.4.
    #[test]
    fn writes_what_numpy_writes() {
        let text = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }";
        let recorded = [
            b"\x93NUMPY\x01\x00\x76\x00".as_slice(),
            format!("{text:<117}\n").as_bytes(),
            &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0],
        ]
        .concat();
        let array = parse(&recorded).unwrap();
        assert_eq!(array.shape(), [2, 3]);
        assert_eq!(array.element(), ElementType::I16);
        assert_eq!(encode(&array).unwrap(), recorded);
    }

    #[test]
    fn scalars_and_vectors() {
        for dims in [vec![], vec![1], vec![0], vec![2, 0, 3]] {
            let array = Array::from_values(&dims, &vec![9u8; dims.iter().product()]).unwrap();
            assert_eq!(parse(&encode(&array).unwrap()).unwrap(), array);
        }
    }

    #[test]
    fn fortran_order_and_big_endian() {
        // numpy.asfortranarray([[1, 2, 3], [4, 5, 6]]) lies in the file column by column.
        let file =
            npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3)}", &[0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6]);
        assert_eq!(parse(&file).unwrap().as_bytes(), [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0]);
    }

    /// 1, -2.5 and the largest bfloat16, whose bits are the upper half of those of the float32.
    #[test]
    fn bfloat16_is_written_as_float32() {
        let bytes = vec![0x80, 0x3f, 0x20, 0xc0, 0x7f, 0x7f];
        let file = encode(&Array::from_bytes(ElementType::BF16, &[3], &bytes).unwrap()).unwrap();
        let array = parse(&file).unwrap();
        assert_eq!(array.values::<f32>().unwrap(), [1.0, -2.5, 3.389_531_4e38]);
    }

    #[test]
    fn hostile_files_are_refused() {
        let header = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}");
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert!(refused(b"").contains("numpy.save"));
        assert!(refused(b"PK\x03\x04zipzipzip").contains("numpy.save"));
        assert!(refused(b"\x93NUMPY\x04\x00aaaa").contains("4.0"));
        assert!(refused(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("at most"));
        assert!(refused(b"\x93NUMPY\x01\x00\xff\x00{").contains("ends inside"));
        assert!(refused(&npy(&header("(4294967296, 4294967296)"), &[])).contains("more than"));
        assert!(refused(&npy(&header("(2,)"), &[0; 4])).contains("announces 8 bytes"));
        assert!(refused(&npy(&header("(2,)"), &[0; 12])).contains("holds 12"));
        assert!(refused(&npy("{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}", &[2])).contains("bool"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), with_magic in any::<bool>()) {
            let file = if with_magic { [b"\x93NUMPY\x01\x00".as_slice(), &bytes].concat() } else { bytes };
            let _ = parse(&file);
        }

        #[test]
        fn flipped_bytes_never_panic(position in any::<prop::sample::Index>(), value in any::<u8>()) {
            let mut file = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", &[1; 24]);
            let position = position.index(file.len());
            file[position] = value;
            let _ = parse(&file);
        }
    }
}
