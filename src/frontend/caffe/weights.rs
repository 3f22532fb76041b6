//! The weights of a `.caffemodel`, by the names of its layers.

use super::error::CaffeError;
use super::proto::{BlobProto, WeightsNet};
use crate::frontend::onnx::tensor::{Tensor, element_count};
use crate::frontend::wire::{self, Schema, WireField};
use crate::wording::quoted;
use half::f16;
use hb_dialects::ElementType;
use prost::Message;
use prost::bytes::Bytes;
use std::collections::HashMap;

/// Size of the file; protobuf allows no more.
pub const MAX_FILE: u64 = 2 << 30;

/// The blobs of layers; each is FLOAT, in the order of the layer.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    layers: HashMap<String, Vec<Tensor>>,
    /// The names in the order of the file, which is the one in which Caffe copies them.
    order: Vec<String>,
}

/// Messages of a `.caffemodel` that contain messages or lists.
#[derive(Clone, Copy)]
enum WireMessage {
    Net,
    Layer,
    OldLayer,
    OldestLayer,
    Blob,
    Shape,
}

impl Schema for WireMessage {
    fn field(self, number: u64) -> WireField<Self> {
        let inner = match (self, number) {
            (Self::Net, 2) => Self::OldLayer,
            (Self::Net, 100) => Self::Layer,
            (Self::OldLayer, 1) => Self::OldestLayer,
            (Self::Layer, 7) | (Self::OldLayer, 6) | (Self::OldestLayer, 50) => Self::Blob,
            (Self::Blob, 7) => Self::Shape,
            (Self::Shape, 1) => return WireField::Packed,
            _ => return WireField::Text,
        };
        WireField::Message(inner)
    }
}

impl Weights {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// When they are no such file, or a blob has not as many values as its shape says.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, CaffeError> {
        let malformed = |reason: String| CaffeError::Malformed { reason };
        if bytes.is_empty() {
            return Err(malformed("the file is empty".to_owned()));
        }
        wire::check(&bytes, WireMessage::Net).map_err(malformed)?;
        let net = WeightsNet::decode(bytes).map_err(|error| malformed(error.to_string()))?;
        let mut weights = Self::default();
        for mut layer in net.layers {
            let inner = layer.layer.take().unwrap_or_default();
            let name = layer.name.or(inner.name).unwrap_or_default();
            weights.add(name, if layer.blobs.is_empty() { inner.blobs } else { layer.blobs })?;
        }
        for layer in net.layer {
            weights.add(layer.name.unwrap_or_default(), layer.blobs)?;
        }
        if weights.layers.is_empty() {
            return Err(malformed("it holds no weights".to_owned()));
        }
        Ok(weights)
    }

    fn add(&mut self, name: String, blobs: Vec<BlobProto>) -> Result<(), CaffeError> {
        if blobs.is_empty() {
            return Ok(());
        }
        let read = |(index, blob)| {
            tensor(blob).map_err(|reason| CaffeError::Weights {
                reason: format!("blob {index} of layer {}: {reason}", quoted(&name)),
            })
        };
        let tensors = blobs.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        if let Some(before) = self.layers.get(&name) {
            // Caffe copies one after the other into each layer of that name: the last one stays.
            if *before != tensors {
                tracing::warn!(
                    "the .caffemodel has layer {} twice, with other weights; the last ones count, as in Caffe",
                    quoted(&name)
                );
            }
            self.order.retain(|known| *known != name);
        }
        self.layers.insert(name.clone(), tensors);
        self.order.push(name);
        Ok(())
    }

    /// The blobs of a layer, none when the file has no layer of this name.
    pub fn of(&self, layer: &str) -> Option<&[Tensor]> {
        self.layers.get(layer).map(Vec::as_slice)
    }

    /// The names of all layers that have blobs, in the order of the file.
    pub fn layers(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }
}

/// The shape that a blob says: the new way, or the old one with four numbers.
fn shape(blob: &BlobProto) -> Result<Option<Vec<usize>>, String> {
    let is_old = [blob.num, blob.channels, blob.height, blob.width].iter().any(Option::is_some);
    let sizes: Vec<i64> = match &blob.shape {
        Some(shape) => shape.dim.clone(),
        None if is_old => [blob.num(), blob.channels(), blob.height(), blob.width()].map(i64::from).to_vec(),
        None => return Ok(None),
    };
    let size = |size: &i64| usize::try_from(*size).map_err(|_| format!("its size {size} is negative"));
    sizes.iter().map(size).collect::<Result<_, _>>().map(Some)
}

fn tensor(blob: BlobProto) -> Result<Tensor, String> {
    let shape = shape(&blob)?;
    let values = values(blob)?;
    let shape = shape.unwrap_or_else(|| vec![values.len() / 4]);
    let count = element_count(&shape)?;
    if values.is_empty() && count > 0 {
        return Err(format!("it has the shape {shape:?} and no values"));
    }
    Tensor::new(ElementType::F32, shape, values)
}

/// Little-endian FLOAT, of whatever the file holds.
fn values(blob: BlobProto) -> Result<Bytes, String> {
    let bytes = |values: &mut dyn Iterator<Item = f32>| values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>().into();
    if !blob.data.is_empty() {
        return Ok(bytes(&mut blob.data.into_iter()));
    }
    if !blob.double_data.is_empty() {
        return Ok(bytes(&mut blob.double_data.into_iter().map(|value| value as f32)));
    }
    let raw = blob.raw_data.clone().unwrap_or_default();
    if raw.is_empty() {
        return Ok(Bytes::new());
    }
    match blob.raw_data_type {
        Some(0) => Ok(bytes(&mut raw.as_chunks().0.iter().map(|chunk| f64::from_le_bytes(*chunk) as f32))),
        Some(1) => Ok(raw),
        Some(2) => Ok(bytes(&mut raw.as_chunks().0.iter().map(|chunk| f16::from_le_bytes(*chunk).to_f32()))),
        other => Err(format!("raw values of type {} are not supported", other.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::{BlobShape, WeightsLayer, WeightsV0Layer, WeightsV1Layer};
    use super::*;

    fn read(net: &WeightsNet) -> Result<Weights, String> {
        Weights::from_bytes(net.encode_to_vec().into()).map_err(|error| error.to_string())
    }

    fn layer(name: &str, blob: BlobProto) -> WeightsNet {
        let layer = WeightsLayer { name: Some(name.to_owned()), blobs: vec![blob] };
        WeightsNet { layer: vec![layer], layers: vec![] }
    }

    #[test]
    fn every_version_and_form_of_numbers_is_read() {
        let old =
            BlobProto { num: Some(1), channels: Some(1), height: Some(2), width: Some(1), ..BlobProto::default() };
        let shaped = |dim: &[i64]| BlobProto { shape: Some(BlobShape { dim: dim.to_vec() }), ..BlobProto::default() };
        let net = WeightsNet {
            layer: vec![WeightsLayer {
                name: Some("new".into()),
                blobs: vec![
                    BlobProto { data: vec![1.0, 2.0], ..shaped(&[2]) },
                    BlobProto {
                        raw_data_type: Some(2),
                        raw_data: Some(vec![0, 0x3c, 0, 0xc0].into()),
                        ..shaped(&[1, 2])
                    },
                    BlobProto { double_data: vec![0.5], ..BlobProto::default() },
                ],
            }],
            layers: vec![
                WeightsV1Layer {
                    name: Some("old".into()),
                    blobs: vec![BlobProto { data: vec![3.0, 4.0], ..old.clone() }],
                    layer: None,
                },
                WeightsV1Layer {
                    layer: Some(WeightsV0Layer {
                        name: Some("oldest".into()),
                        blobs: vec![BlobProto { data: vec![5.0, 6.0], ..old }],
                    }),
                    ..WeightsV1Layer::default()
                },
            ],
        };
        let weights = read(&net).unwrap();
        let new = weights.of("new").unwrap();
        assert_eq!(new[0], Tensor::from_f32s(&[1.0, 2.0]));
        assert_eq!(new[1], Tensor::from_f32s(&[1.0, -2.0]).reshaped(vec![1, 2]).unwrap());
        assert_eq!(new[2], Tensor::from_f32s(&[0.5]));
        assert_eq!(weights.of("old").unwrap()[0].shape(), [1, 1, 2, 1]);
        assert_eq!(
            weights.of("oldest").unwrap()[0],
            Tensor::from_f32s(&[5.0, 6.0]).reshaped(vec![1, 1, 2, 1]).unwrap()
        );
        assert_eq!(weights.layers().collect::<Vec<_>>(), ["old", "oldest", "new"]);
        assert!(weights.of("none").is_none());
    }

    #[test]
    fn shapes_are_not_trusted() {
        let blob = |dim: &[i64], data: Vec<f32>| BlobProto {
            shape: Some(BlobShape { dim: dim.to_vec() }),
            data,
            ..BlobProto::default()
        };
        for (blob, part) in [
            (blob(&[1 << 40, 1 << 40], vec![1.0]), "too many elements"),
            (blob(&[3], vec![1.0]), "needs 12 bytes, 4 are given"),
            (blob(&[-1], vec![1.0]), "negative"),
            (blob(&[1 << 30], vec![]), "no values"),
            (BlobProto { raw_data: Some(vec![1].into()), ..BlobProto::default() }, "are not supported"),
        ] {
            let message = read(&layer("conv", blob)).unwrap_err();
            assert!(message.contains(part) && message.contains("layer 'conv'"), "{message}");
        }
        assert!(read(&WeightsNet::default()).unwrap_err().contains("empty"));
        assert!(Weights::from_bytes(Bytes::from_static(b"garbage")).is_err());
    }
}
