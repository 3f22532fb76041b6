//! Walks the protobuf encoding of a model before it is decoded.
//!
//! A decoded message takes up to a few hundred bytes where an empty one takes two in the file, and a packed number eight
//! where the file has one. The walk bounds both, and the depth of nesting, so that a small hostile file cannot take all
//! memory or the whole stack.

use super::error::OnnxError;

/// Nested messages; a subgraph takes three levels, so that If inside If and so on goes 20 levels deep.
const MAX_DEPTH: usize = 64;
/// Messages and strings of the whole file. Large models have some 100 000 nodes with about 20 of these each.
const MAX_ITEMS: usize = 8_000_000;
/// Bytes of numbers of variable length (one byte each in the worst case).
const MAX_PACKED: usize = 512 << 20;

/// Messages of the schema that contain messages or lists.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Tensor,
    SparseTensor,
    /// Holds nothing that grows.
    Leaf,
}

/// What a length-delimited field of a message is.
enum Field {
    Message(Message),
    Packed,
    Text,
}

/// Field numbers as in `onnx.proto`.
fn field(message: Message, number: u64) -> Field {
    use Field::{Packed, Text};
    let inner = match (message, number) {
        (Message::Model, 7) => Message::Graph,
        (Message::Model, 8 | 14 | 25) => Message::Leaf,
        (Message::Graph, 1) => Message::Node,
        (Message::Graph, 5) => Message::Tensor,
        (Message::Graph, 11..=13) => Message::ValueInfo,
        (Message::Graph, 15) => Message::SparseTensor,
        (Message::Node, 5) => Message::Attribute,
        (Message::Attribute, 5) => Message::Tensor,
        (Message::Attribute, 6) => Message::Graph,
        (Message::Attribute, 8) => return Packed,
        (Message::ValueInfo, 2) => Message::Type,
        (Message::Type, 1) => Message::TensorType,
        (Message::TensorType, 2) => Message::Shape,
        (Message::Shape, 1) => Message::Leaf,
        (Message::Tensor, 1 | 5 | 7 | 11) => return Packed,
        (Message::Tensor, 3 | 13) => Message::Leaf,
        (Message::SparseTensor, 1) => Message::Tensor,
        _ => return Text,
    };
    Field::Message(inner)
}

#[derive(Default)]
struct Walk {
    items: usize,
    packed: usize,
}

/// Checks the limits; the encoding itself is checked where the walk needs it, the rest by the decoder.
pub fn check(bytes: &[u8]) -> Result<(), OnnxError> {
    Walk::default().message(bytes, Message::Model, 0)
}

impl Walk {
    fn message(&mut self, mut bytes: &[u8], kind: Message, depth: usize) -> Result<(), OnnxError> {
        if depth > MAX_DEPTH {
            return Err(OnnxError::malformed(format!("messages are nested deeper than {MAX_DEPTH}")));
        }
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            match key & 7 {
                0 => {
                    varint(&mut bytes)?;
                    // Numbers of a list that is not packed: two bytes or more in the file.
                    self.pack(1)?;
                }
                1 => skip(&mut bytes, 8)?,
                2 => {
                    let length = varint(&mut bytes)?;
                    let content = take(&mut bytes, length)?;
                    self.count()?;
                    match field(kind, key >> 3) {
                        Field::Message(inner) => self.message(content, inner, depth + 1)?,
                        Field::Packed => self.pack(content.len())?,
                        Field::Text => {}
                    }
                }
                5 => skip(&mut bytes, 4)?,
                other => {
                    return Err(OnnxError::malformed(format!("wire type {other} is not used by ONNX")));
                }
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), OnnxError> {
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err(OnnxError::malformed(format!("more than {MAX_ITEMS} messages and strings")));
        }
        Ok(())
    }

    fn pack(&mut self, bytes: usize) -> Result<(), OnnxError> {
        self.packed = self.packed.saturating_add(bytes);
        if self.packed > MAX_PACKED {
            return Err(OnnxError::malformed(format!(
                "more than {MAX_PACKED} bytes of encoded numbers; store tensors as raw_data"
            )));
        }
        Ok(())
    }
}

fn truncated() -> OnnxError {
    OnnxError::malformed("it ends in the middle of a field")
}

fn varint(bytes: &mut &[u8]) -> Result<u64, OnnxError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or_else(truncated)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(OnnxError::malformed("a number takes more than ten bytes"))
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8], OnnxError> {
    let length = usize::try_from(length).map_err(|_| truncated())?;
    let (content, rest) = bytes.split_at_checked(length).ok_or_else(truncated)?;
    *bytes = rest;
    Ok(content)
}

fn skip(bytes: &mut &[u8], length: u64) -> Result<(), OnnxError> {
    take(bytes, length).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `inner` as field `number` of a message.
    fn wrap(number: u8, inner: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = inner.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(inner);
        bytes
    }

    #[test]
    fn nested_subgraphs_are_bounded() {
        let mut graph = Vec::new();
        for _ in 0..20 {
            graph = wrap(1, &wrap(5, &wrap(6, &graph)));
        }
        assert!(check(&wrap(7, &graph)).is_ok());
        for _ in 0..2 {
            graph = wrap(1, &wrap(5, &wrap(6, &graph)));
        }
        let message = check(&wrap(7, &graph)).unwrap_err().to_string();
        assert!(message.contains("nested deeper than 64"), "{message}");
    }

    #[test]
    fn many_empty_messages_are_bounded() {
        let nodes = [0x0a, 0x00].repeat(MAX_ITEMS);
        let message = check(&wrap(7, &nodes)).unwrap_err().to_string();
        assert!(message.contains("more than 8000000 messages"), "{message}");
    }

    #[test]
    fn lengths_beyond_the_end_are_errors() {
        assert!(check(&[0x3a, 0x05, 0x00]).is_err());
        assert!(check(&[0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).is_err());
        assert!(check(&[0x80; 11]).is_err());
        assert!(check(&[]).is_ok());
    }
}
