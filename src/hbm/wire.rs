//! The manifest to and from protobuf.
//!
//! Protobuf lets two bytes of input become a hundred bytes of structs, so before decoding, [`price`] walks the bytes along the schema
//! and adds up what the structs will take; a file whose manifest would grow past its allowance is refused before anything is allocated.

use hb_dialects::ElementType;
use prost::Message;

use super::manifest::{self as plain};
use super::{HbmError, ManifestRule};

mod proto {
    #![allow(clippy::doc_markdown, clippy::unwrap_used)]
    include!(concat!(env!("OUT_DIR"), "/hb.hbm.v1.rs"));
}

/// Small files may decode to this much beyond their own size.
const ALLOWANCE: usize = 16 << 20;

/// One field of the schema, as far as its cost in memory goes.
enum Field {
    /// A number: part of its message's struct.
    Number,
    /// Repeated numbers, packed.
    Numbers,
    Text,
    Bytes,
    Message(&'static Shape),
}

struct Shape {
    name: &'static str,
    /// Bytes of the protobuf struct and of the plain one made from it.
    bytes: usize,
    /// Fields by number, from 1.
    fields: &'static [Field],
}

const fn both<A, B>() -> usize {
    std::mem::size_of::<A>() + std::mem::size_of::<B>()
}

static MANIFEST: Shape = Shape {
    name: "Manifest",
    bytes: both::<proto::Manifest, plain::Manifest>(),
    fields: &[
        Field::Message(&VERSION),
        Field::Text,
        Field::Text,
        Field::Text,
        Field::Bytes,
        Field::Message(&PARAMETER),
        Field::Message(&TENSOR),
        Field::Message(&TENSOR),
        Field::Message(&BUFFER),
        Field::Message(&SEGMENT),
        Field::Message(&LAYER),
    ],
};
static VERSION: Shape =
    Shape { name: "Version", bytes: both::<proto::Version, plain::Version>(), fields: &[Field::Text, Field::Text] };
static PARAMETER: Shape = Shape {
    name: "Parameter",
    bytes: both::<proto::Parameter, plain::ModelParameter>(),
    fields: &[Field::Text, Field::Text, Field::Text, Field::Text],
};
static QUANTIZATION: Shape = Shape {
    name: "Quantization",
    bytes: both::<proto::Quantization, plain::TensorQuantization>(),
    fields: &[Field::Numbers, Field::Numbers, Field::Number],
};
static TENSOR: Shape = Shape {
    name: "Tensor",
    bytes: both::<proto::Tensor, plain::TensorDescription>(),
    fields: &[
        Field::Text,
        Field::Numbers,
        Field::Number,
        Field::Numbers,
        Field::Message(&QUANTIZATION),
        Field::Text,
        Field::Number,
        Field::Number,
        Field::Number,
        Field::Text,
    ],
};
static BUFFER: Shape = Shape {
    name: "Buffer",
    bytes: both::<proto::Buffer, plain::Buffer>(),
    fields: &[Field::Text, Field::Number, Field::Number, Field::Numbers],
};
static SEGMENT: Shape = Shape {
    name: "Segment",
    bytes: both::<proto::Segment, plain::SegmentDescription>(),
    fields: &[Field::Text, Field::Numbers, Field::Numbers, Field::Message(&BPU_SEGMENT), Field::Message(&CPU_SEGMENT)],
};
static BPU_SEGMENT: Shape = Shape {
    name: "BpuSegment",
    bytes: both::<proto::BpuSegment, plain::BpuSegment>(),
    fields: &[Field::Number, Field::Number, Field::Number],
};
static CPU_SEGMENT: Shape = Shape {
    name: "CpuSegment",
    bytes: both::<proto::CpuSegment, plain::CpuSegment>(),
    fields: &[Field::Number, Field::Number, Field::Text],
};
static LAYER: Shape = Shape {
    name: "Layer",
    bytes: both::<proto::Layer, plain::Layer>(),
    fields: &[Field::Text, Field::Text, Field::Number, Field::Text, Field::Number],
};

const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;

fn malformed(shape: &Shape, what: &str) -> HbmError {
    HbmError::broken(ManifestRule::ManifestWire, format!("in {}: {what}", shape.name))
}

/// Bytes that decoding `bytes` as `shape` allocates at most. Vectors grow by doubling, hence twice each element.
fn price(mut bytes: &[u8], shape: &'static Shape) -> Result<usize, HbmError> {
    let mut sum = shape.bytes.saturating_mul(2);
    while !bytes.is_empty() {
        let key = varint(&mut bytes, shape)?;
        let number = usize::try_from(key >> 3).unwrap_or(usize::MAX);
        let Some(field) = number.checked_sub(1).and_then(|index| shape.fields.get(index)) else {
            return Err(malformed(shape, &format!("unknown field {number}")));
        };
        if matches!(field, Field::Number) {
            if key & 7 != VARINT {
                return Err(malformed(shape, &format!("field {number} is not a number")));
            }
            varint(&mut bytes, shape)?;
            continue;
        }
        if key & 7 != LENGTH_DELIMITED {
            return Err(malformed(shape, &format!("field {number} has wire type {}", key & 7)));
        }
        let length = usize::try_from(varint(&mut bytes, shape)?).unwrap_or(usize::MAX);
        let Some((contents, rest)) = bytes.split_at_checked(length) else {
            return Err(malformed(shape, &format!("field {number} has {length} bytes, {} are left", bytes.len())));
        };
        bytes = rest;
        let cost = match field {
            Field::Message(inner) => price(contents, inner)?,
            // The smallest number takes one byte here and eight in memory, in the protobuf and in the plain struct.
            Field::Numbers => contents.len().saturating_mul(32),
            Field::Text => {
                if std::str::from_utf8(contents).is_err() {
                    let detail = format!("field {number} of {} is not UTF-8", shape.name);
                    return Err(HbmError::broken(ManifestRule::ManifestText, detail));
                }
                contents.len().saturating_add(2 * std::mem::size_of::<String>())
            }
            Field::Bytes | Field::Number => contents.len(),
        };
        sum = sum.saturating_add(cost);
    }
    Ok(sum)
}

fn varint(bytes: &mut &[u8], shape: &Shape) -> Result<u64, HbmError> {
    prost::encoding::decode_varint(bytes).map_err(|error| malformed(shape, &error.to_string()))
}

pub fn encode(manifest: &plain::Manifest) -> Vec<u8> {
    proto::Manifest::from(manifest).encode_to_vec()
}

/// Decodes a manifest out of a file of `file_size` bytes.
pub fn decode(bytes: &[u8], file_size: usize) -> Result<plain::Manifest, HbmError> {
    let size = price(bytes, &MANIFEST)?;
    if size > file_size.saturating_add(ALLOWANCE) {
        let detail = format!("{} bytes of manifest would decode to {size} bytes", bytes.len());
        return Err(HbmError::broken(ManifestRule::ManifestSize, detail));
    }
    let manifest = proto::Manifest::decode(bytes)
        .map_err(|error| HbmError::broken(ManifestRule::ManifestWire, format!("protobuf: {error}")))?;
    if manifest.encode_to_vec() != bytes {
        let detail = "fields are doubled, out of order or not in their shortest form";
        return Err(HbmError::broken(ManifestRule::ManifestWire, detail));
    }
    manifest.try_into()
}

fn indices(numbers: &[usize]) -> Vec<u32> {
    numbers.iter().copied().map(index).collect()
}

/// Indices beyond 32 bits cannot name anything (counts are bounded); they become one that cannot either, which the check then refuses.
fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn wide(numbers: &[usize]) -> Vec<u64> {
    numbers.iter().map(|&number| number as u64).collect()
}

fn narrow(numbers: Vec<u64>) -> Result<Vec<usize>, HbmError> {
    numbers.into_iter().map(size).collect()
}

fn size(number: u64) -> Result<usize, HbmError> {
    usize::try_from(number)
        .map_err(|_| HbmError::broken(ManifestRule::ManifestCount, format!("{number} does not fit the address space")))
}

fn unsigned(numbers: Vec<u32>) -> Vec<usize> {
    numbers.into_iter().map(|number| number as usize).collect()
}

impl From<&plain::Manifest> for proto::Manifest {
    fn from(manifest: &plain::Manifest) -> Self {
        Self {
            versions: manifest
                .versions
                .iter()
                .map(|version| proto::Version { name: version.name.clone(), version: version.version.clone() })
                .collect(),
            model_name: manifest.model_name.clone(),
            prefix: manifest.prefix.clone(),
            march: manifest.march.clone(),
            target_digest: manifest.target_digest.to_vec(),
            parameters: manifest.parameters.iter().map(Into::into).collect(),
            inputs: manifest.inputs.iter().map(Into::into).collect(),
            outputs: manifest.outputs.iter().map(Into::into).collect(),
            buffers: manifest.buffers.iter().map(Into::into).collect(),
            segments: manifest.segments.iter().map(Into::into).collect(),
            layers: manifest.layers.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<proto::Manifest> for plain::Manifest {
    type Error = HbmError;

    fn try_from(manifest: proto::Manifest) -> Result<Self, HbmError> {
        let digest = manifest.target_digest.len();
        Ok(Self {
            versions: manifest
                .versions
                .into_iter()
                .map(|version| plain::Version { name: version.name, version: version.version })
                .collect(),
            model_name: manifest.model_name,
            prefix: manifest.prefix,
            march: manifest.march,
            target_digest: manifest.target_digest.try_into().map_err(|_| {
                HbmError::broken(ManifestRule::ManifestTarget, format!("the target's digest has {digest} bytes"))
            })?,
            parameters: manifest.parameters.into_iter().map(Into::into).collect(),
            inputs: manifest.inputs.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            outputs: manifest.outputs.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            buffers: manifest.buffers.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            segments: manifest.segments.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            layers: manifest.layers.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<&plain::ModelParameter> for proto::Parameter {
    fn from(parameter: &plain::ModelParameter) -> Self {
        let plain::ModelParameter { group, name, given, effective } = parameter.clone();
        Self { group, name, given, effective }
    }
}

impl From<proto::Parameter> for plain::ModelParameter {
    fn from(parameter: proto::Parameter) -> Self {
        let proto::Parameter { group, name, given, effective } = parameter;
        Self { group, name, given, effective }
    }
}

fn element_to_proto(element: ElementType) -> i32 {
    let element = match element {
        ElementType::F32 => proto::ElementType::F32,
        ElementType::F16 => proto::ElementType::F16,
        ElementType::F64 => proto::ElementType::F64,
        ElementType::I8 => proto::ElementType::I8,
        ElementType::I16 => proto::ElementType::I16,
        ElementType::I32 => proto::ElementType::I32,
        ElementType::I64 => proto::ElementType::I64,
        ElementType::U8 => proto::ElementType::U8,
        ElementType::U16 => proto::ElementType::U16,
        ElementType::U32 => proto::ElementType::U32,
        ElementType::U64 => proto::ElementType::U64,
        ElementType::Bool => proto::ElementType::Bool,
        ElementType::BF16 => proto::ElementType::Bf16,
    };
    element as i32
}

fn element_from_proto(number: i32, whose: &str) -> Result<ElementType, HbmError> {
    ElementType::ALL
        .into_iter()
        .find(|element| element_to_proto(*element) == number)
        .ok_or_else(|| HbmError::broken(ManifestRule::ManifestType, format!("{whose:?} has element type {number}")))
}

impl From<&plain::TensorDescription> for proto::Tensor {
    fn from(tensor: &plain::TensorDescription) -> Self {
        Self {
            name: tensor.name.clone(),
            dims: wide(&tensor.dims),
            element_type: element_to_proto(tensor.element_type),
            strides: wide(&tensor.strides),
            quantization: tensor.quantization.as_ref().map(|quantization| proto::Quantization {
                scales: quantization.scales.clone(),
                zero_points: quantization.zero_points.clone(),
                axis: quantization.axis.map(index),
            }),
            layout: tensor.layout.clone(),
            buffer: index(tensor.buffer),
            sizes_buffer: tensor.sizes_buffer.map(index),
            region: tensor.region.map(index),
            layer: tensor.layer.clone().unwrap_or_default(),
        }
    }
}

impl TryFrom<proto::Tensor> for plain::TensorDescription {
    type Error = HbmError;

    fn try_from(tensor: proto::Tensor) -> Result<Self, HbmError> {
        Ok(Self {
            element_type: element_from_proto(tensor.element_type, &tensor.name)?,
            name: tensor.name,
            dims: narrow(tensor.dims)?,
            strides: narrow(tensor.strides)?,
            quantization: tensor.quantization.map(|quantization| plain::TensorQuantization {
                scales: quantization.scales,
                zero_points: quantization.zero_points,
                axis: quantization.axis.map(|axis| axis as usize),
            }),
            layout: tensor.layout,
            buffer: tensor.buffer as usize,
            sizes_buffer: tensor.sizes_buffer.map(|buffer| buffer as usize),
            region: tensor.region.map(|input| input as usize),
            layer: Some(tensor.layer).filter(|layer| !layer.is_empty()),
        })
    }
}

impl From<&plain::Buffer> for proto::Buffer {
    fn from(buffer: &plain::Buffer) -> Self {
        Self {
            name: buffer.name.clone(),
            bytes: buffer.bytes as u64,
            element_type: element_to_proto(buffer.element_type),
            dims: wide(&buffer.dims),
        }
    }
}

impl TryFrom<proto::Buffer> for plain::Buffer {
    type Error = HbmError;

    fn try_from(buffer: proto::Buffer) -> Result<Self, HbmError> {
        Ok(Self {
            element_type: element_from_proto(buffer.element_type, &buffer.name)?,
            name: buffer.name,
            bytes: size(buffer.bytes)?,
            dims: narrow(buffer.dims)?,
        })
    }
}

impl From<&plain::SegmentDescription> for proto::Segment {
    fn from(segment: &plain::SegmentDescription) -> Self {
        let body = match &segment.body {
            plain::SegmentBody::Bpu(bpu) => proto::segment::Body::Bpu(proto::BpuSegment {
                program_section: index(bpu.program_section),
                constants_section: bpu.constants_section.map(index),
                workspace_bytes: bpu.workspace_bytes as u64,
            }),
            plain::SegmentBody::Cpu(cpu) => proto::segment::Body::Cpu(proto::CpuSegment {
                ir_section: index(cpu.ir_section),
                object_section: cpu.object_section.map(index),
                entry: cpu.entry.clone(),
            }),
        };
        Self {
            name: segment.name.clone(),
            inputs: indices(&segment.inputs),
            outputs: indices(&segment.outputs),
            body: Some(body),
        }
    }
}

impl TryFrom<proto::Segment> for plain::SegmentDescription {
    type Error = HbmError;

    fn try_from(segment: proto::Segment) -> Result<Self, HbmError> {
        let body = match segment.body {
            Some(proto::segment::Body::Bpu(bpu)) => plain::SegmentBody::Bpu(plain::BpuSegment {
                program_section: bpu.program_section as usize,
                constants_section: bpu.constants_section.map(|section| section as usize),
                workspace_bytes: size(bpu.workspace_bytes)?,
            }),
            Some(proto::segment::Body::Cpu(cpu)) => plain::SegmentBody::Cpu(plain::CpuSegment {
                ir_section: cpu.ir_section as usize,
                object_section: cpu.object_section.map(|section| section as usize),
                entry: cpu.entry,
            }),
            None => {
                let detail = format!("segment {:?} is neither bpu nor cpu", segment.name);
                return Err(HbmError::broken(ManifestRule::ManifestSegment, detail));
            }
        };
        Ok(Self { name: segment.name, inputs: unsigned(segment.inputs), outputs: unsigned(segment.outputs), body })
    }
}

impl From<&plain::Layer> for proto::Layer {
    fn from(layer: &plain::Layer) -> Self {
        Self {
            name: layer.name.clone(),
            operator_type: layer.operator_type.clone(),
            segment: index(layer.segment),
            origins: layer.origins.clone(),
            operations: layer.operations,
        }
    }
}

impl From<proto::Layer> for plain::Layer {
    fn from(layer: proto::Layer) -> Self {
        Self {
            name: layer.name,
            operator_type: layer.operator_type,
            segment: layer.segment as usize,
            origins: layer.origins,
            operations: layer.operations,
        }
    }
}
