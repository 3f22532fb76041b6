//! The encodings of a tensor's values: raw bytes, typed lists, and files beside the model.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use prost::bytes::Bytes;

use hb_dialects::ElementType;

use super::error::OnnxError;
use super::proto::tensor_proto::DataLocation;
use super::proto::{SparseTensorProto, TensorProto};
use super::tensor::{Tensor, element_count, element_type};
use crate::reading;

/// Bytes that all external tensors of a model may take together; many tensors may name the same part of a file.
const MAX_EXTERNAL: usize = 8 << 30;

/// Where external tensors are read from.
pub struct ExternalData<'a> {
    folder: Option<&'a Path>,
    read: usize,
    /// Bytes that sparse tensors took so far.
    dense: usize,
}

impl<'a> ExternalData<'a> {
    pub fn new(folder: Option<&'a Path>) -> Self {
        Self { folder, read: 0, dense: 0 }
    }

    /// `expected` bytes of the file that the tensor names.
    fn bytes(&mut self, proto: &TensorProto, expected: usize) -> Result<Bytes, String> {
        let entry = |key: &str| proto.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let number = |key: &str| {
            entry(key)
                .map(|text| text.parse::<u64>().map_err(|_| format!("external data: {key} {text:?} is not a number")))
                .transpose()
        };
        let location = entry("location").ok_or("external data without a location")?;
        let offset = number("offset")?.unwrap_or(0);
        let path = self.resolve(location)?;
        let failed = |source: io::Error| format!("external data {}: {source}", path.display());
        let (mut file, size) = reading::open(&path).map_err(failed)?;
        let rest = size.checked_sub(offset);
        let available =
            rest.ok_or_else(|| format!("external data: offset {offset} is beyond the end of {location:?}"))?;
        let length = number("length")?.unwrap_or(expected as u64);
        if length != expected as u64 {
            return Err(format!("external data has {length} bytes, its type and shape need {expected}"));
        }
        if available < length {
            return Err(format!(
                "external data: {location:?} has {available} bytes after {offset}, {length} are needed"
            ));
        }
        self.read = self.read.saturating_add(expected);
        if self.read > MAX_EXTERNAL {
            return Err(format!("the external tensors of the model take more than {MAX_EXTERNAL} bytes"));
        }
        let mut bytes = vec![0; expected];
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes.into())
    }

    /// A file inside the folder of the model, also after symbolic links are followed.
    fn resolve(&self, location: &str) -> Result<PathBuf, String> {
        let folder = self.folder.ok_or("external data can be read only when the model is read from a file")?;
        let relative = Path::new(location);
        let plain = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
        if location.is_empty() || location.contains('\0') || !relative.components().all(plain) {
            return Err(format!("external data {location:?} must be a path inside the folder of the model"));
        }
        let failed = |source: io::Error| format!("external data {location:?}: {source}");
        let folder = folder.canonicalize().map_err(failed)?;
        let path = folder.join(relative).canonicalize().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => format!(
                "external data {location:?} does not exist in the folder of the model, {}; put it there",
                folder.display()
            ),
            _ => failed(source),
        })?;
        if !path.starts_with(&folder) {
            return Err(format!("external data {location:?} leads out of the folder of the model"));
        }
        Ok(path)
    }
}

/// Checks shape and type against the values given, in any encoding of ONNX.
pub fn tensor(proto: TensorProto, external: &mut ExternalData) -> Result<Tensor, OnnxError> {
    let name = proto.name.clone();
    decode(proto, external).map_err(|reason| OnnxError::tensor(&name, reason))
}

/// Bytes that all sparse tensors of a model may take together when they are dense: a few bytes of a file can ask for any number.
const LARGEST_SPARSE: usize = 1 << 30;

/// A sparse tensor as a dense one.
pub fn sparse_tensor(proto: SparseTensorProto, external: &mut ExternalData) -> Result<Tensor, OnnxError> {
    let name = proto.values.as_ref().map(|values| values.name.clone()).unwrap_or_default();
    let fault = |reason: String| OnnxError::tensor(&name, reason);
    let part = |part: Option<TensorProto>, what: &str, external: &mut ExternalData| {
        tensor(part.ok_or_else(|| fault(format!("it is sparse and has no {what}")))?, external)
    };
    let values = part(proto.values, "values", external)?;
    let indices = part(proto.indices, "indices", external)?;
    let whole = dense(&values, &indices, (&proto.dims, LARGEST_SPARSE - external.dense)).map_err(fault)?;
    external.dense += whole.data().len();
    Ok(whole)
}

/// `indices` are places in the whole tensor `[n]`, or one for each dimension `[n, rank]`.
fn dense(values: &Tensor, indices: &Tensor, (dims, room): (&[i64], usize)) -> Result<Tensor, String> {
    let shape = shape_of(dims)?;
    let width = values.element().bytes();
    let bytes = element_count(&shape)?.checked_mul(width).filter(|bytes| *bytes <= room);
    let mut data = vec![
        0;
        bytes.ok_or_else(|| format!(
            "its shape {shape:?} takes more than the {room} bytes that are left for sparse tensors"
        ))?
    ];
    let count = values.count();
    let per_value = match indices.shape() {
        &[rows] if rows == count => 1,
        &[rows, rank] if rows == count && rank == shape.len() => rank,
        other => {
            return Err(format!("its indices have the shape {other:?}, for {count} values of rank {}", shape.len()));
        }
    };
    let places = indices.to_i64s().ok_or("its indices are no integers")?;
    let whole = [data.len() / width];
    let sizes = if indices.shape().len() == 1 { &whole } else { shape.as_slice() };
    for (value, place) in values.data().chunks_exact(width).zip(places.chunks(per_value.max(1))) {
        let mut at = Some(0usize);
        for (index, size) in place.iter().zip(sizes) {
            let index = usize::try_from(*index).ok().filter(|index| index < size);
            at = at.zip(index).map(|(at, index)| at * size + index);
        }
        let at = at.ok_or_else(|| format!("its index {place:?} lies outside of {shape:?}"))? * width;
        if let Some(slot) = data.get_mut(at..at + width) {
            slot.copy_from_slice(value);
        }
    }
    Tensor::new(values.element(), shape, data.into())
}

fn shape_of(dims: &[i64]) -> Result<Vec<usize>, String> {
    let size = |size: &i64| usize::try_from(*size).map_err(|_| format!("dimension {size} is negative"));
    dims.iter().map(size).collect()
}

fn decode(proto: TensorProto, external: &mut ExternalData) -> Result<Tensor, String> {
    let element = element_type(proto.data_type)?;
    if proto.segment.is_some() {
        return Err("tensors in segments are not supported".to_owned());
    }
    let shape = shape_of(&proto.dims)?;
    let count = element_count(&shape)?;
    let expected = count.checked_mul(element.bytes()).ok_or("the tensor is too large")?;
    let typed = typed_lists(&proto).into_iter().filter(|(_, length)| *length > 0).collect::<Vec<_>>();
    let data = if proto.data_location() == DataLocation::External {
        if proto.raw_data.is_some() || !typed.is_empty() {
            return Err("it has both external data and values of its own".to_owned());
        }
        external.bytes(&proto, expected)?
    } else if let Some(raw) = proto.raw_data {
        if !typed.is_empty() {
            return Err("it has both raw_data and a typed list".to_owned());
        }
        raw
    } else {
        match typed.as_slice() {
            [] => Bytes::new(),
            [(list, _)] if *list == list_of(element) => typed_data(element, &proto)?,
            [(list, _)] => {
                return Err(format!("{} values belong in {}, not {list}", element.onnx_name(), list_of(element)));
            }
            _ => return Err("it has values in more than one list".to_owned()),
        }
    };
    Tensor::new(element, shape, normalise_booleans(element, data))
}

fn typed_lists(proto: &TensorProto) -> [(&'static str, usize); 6] {
    [
        ("float_data", proto.float_data.len()),
        ("int32_data", proto.int32_data.len()),
        ("string_data", proto.string_data.len()),
        ("int64_data", proto.int64_data.len()),
        ("double_data", proto.double_data.len()),
        ("uint64_data", proto.uint64_data.len()),
    ]
}

/// The list that ONNX prescribes for values of a type.
fn list_of(element: ElementType) -> &'static str {
    use ElementType::{BF16, Bool, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    match element {
        F32 => "float_data",
        F64 => "double_data",
        I64 => "int64_data",
        U32 | U64 => "uint64_data",
        F16 | BF16 | I8 | I16 | I32 | U8 | U16 | Bool => "int32_data",
    }
}

fn typed_data(element: ElementType, proto: &TensorProto) -> Result<Bytes, String> {
    use ElementType::{BF16, Bool, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    let bytes: Vec<u8> = match element {
        F32 => proto.float_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        F64 => proto.double_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        I64 => proto.int64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        U64 => proto.uint64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        U32 => narrow(&proto.uint64_data, u32::to_le_bytes)?,
        I32 => proto.int32_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        I16 => narrow(&proto.int32_data, i16::to_le_bytes)?,
        I8 => narrow(&proto.int32_data, i8::to_le_bytes)?,
        // Floats of 16 bits are stored as their bits.
        U16 | F16 | BF16 => narrow(&proto.int32_data, u16::to_le_bytes)?,
        U8 | Bool => narrow(&proto.int32_data, u8::to_le_bytes)?,
    };
    Ok(bytes.into())
}

fn narrow<From, To, const WIDTH: usize>(values: &[From], bytes: fn(To) -> [u8; WIDTH]) -> Result<Vec<u8>, String>
where
    From: Copy + std::fmt::Display,
    To: TryFrom<From>,
{
    let mut all = Vec::with_capacity(values.len() * WIDTH);
    for value in values {
        let narrow = To::try_from(*value).map_err(|_| format!("value {value} does not fit its element type"))?;
        all.extend_from_slice(&bytes(narrow));
    }
    Ok(all)
}

/// Any byte but 0 is true in ONNX; inside the compiler true is 1.
fn normalise_booleans(element: ElementType, data: Bytes) -> Bytes {
    if element != ElementType::Bool || data.iter().all(|byte| *byte <= 1) {
        return data;
    }
    data.iter().map(|byte| u8::from(*byte != 0)).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sparse(indices: Tensor, dims: &[i64]) -> Result<Tensor, String> {
        dense(&Tensor::from_f32s(&[5.0, 7.0]), &indices, (dims, LARGEST_SPARSE))
    }

    /// Places in the whole tensor, and places along each dimension, of the same two elements.
    #[test]
    fn sparse_tensors_become_dense() {
        let expected = Tensor::from_f32s(&[0.0, 5.0, 0.0, 0.0, 0.0, 7.0]).reshaped(vec![2, 3]).unwrap();
        assert_eq!(sparse(Tensor::from_i64s(&[1, 5]), &[2, 3]).unwrap(), expected);
        let pairs = Tensor::from_i64s(&[0, 1, 1, 2]).reshaped(vec![2, 2]).unwrap();
        assert_eq!(sparse(pairs, &[2, 3]).unwrap(), expected);
    }

    #[test]
    fn sparse_tensors_that_do_not_fit_are_errors() {
        let message = |indices: &[i64], dims: &[i64]| sparse(Tensor::from_i64s(indices), dims).unwrap_err();
        assert_eq!(message(&[1, 6], &[2, 3]), "its index [6] lies outside of [2, 3]");
        assert_eq!(message(&[1], &[2, 3]), "its indices have the shape [1], for 2 values of rank 2");
        assert_eq!(message(&[0, 1], &[-1]), "dimension -1 is negative");
        assert!(message(&[0, 1], &[1 << 40]).contains("left for sparse tensors"));
    }
}
