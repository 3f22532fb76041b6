//! Walks the protobuf encoding of a model (ONNX, Caffe) before it is decoded.
//!
//! A decoded message takes up to a few hundred bytes where an empty one takes two in the file, and a packed number eight
//! where the file has one. The walk bounds both, and the depth of nesting, so that a small hostile file cannot take all
//! memory or the whole stack.

/// Nested messages; a subgraph takes three levels, so that If inside If and so on goes 20 levels deep.
const MAX_DEPTH: usize = 64;
/// Messages and strings of the whole file. Large models have some 100 000 nodes with about 20 of these each.
const MAX_ITEMS: usize = 8_000_000;
/// Bytes of numbers of variable length (one byte each in the worst case).
const MAX_PACKED: usize = 512 << 20;

/// A message of a schema, as far as it contains messages or lists.
pub trait Schema: Copy {
    /// What the field of this number is.
    fn field(self, number: u64) -> WireField<Self>;
}

/// What a length-delimited field of a message is.
pub enum WireField<M> {
    /// Such a message.
    Message(M),
    /// A list of numbers of variable length.
    Packed,
    /// Text, bytes, or a list of numbers that take as much in memory as in the file.
    Text,
}

#[derive(Default)]
struct Walk {
    items: usize,
    packed: usize,
}

/// Checks the limits; the encoding itself is checked where the walk needs it, the rest by the decoder.
///
/// # Errors
/// What is wrong with the file, for a person.
pub fn check<M: Schema>(bytes: &[u8], file: M) -> Result<(), String> {
    Walk::default().message(bytes, file, 0)
}

impl Walk {
    fn message<M: Schema>(&mut self, mut bytes: &[u8], kind: M, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("messages are nested deeper than {MAX_DEPTH}"));
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
                    match kind.field(key >> 3) {
                        WireField::Message(inner) => self.message(content, inner, depth + 1)?,
                        WireField::Packed => self.pack(content.len())?,
                        WireField::Text => {}
                    }
                }
                5 => skip(&mut bytes, 4)?,
                other => {
                    return Err(format!("wire type {other} is not known"));
                }
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), String> {
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err(format!("more than {MAX_ITEMS} messages and strings"));
        }
        Ok(())
    }

    fn pack(&mut self, bytes: usize) -> Result<(), String> {
        self.packed = self.packed.saturating_add(bytes);
        if self.packed > MAX_PACKED {
            return Err(format!("more than {MAX_PACKED} bytes of encoded numbers; store tensors as raw_data"));
        }
        Ok(())
    }
}

fn truncated() -> String {
    "it ends in the middle of a field".to_owned()
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or_else(truncated)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number takes more than ten bytes".to_owned())
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8], String> {
    let length = usize::try_from(length).map_err(|_| truncated())?;
    let (content, rest) = bytes.split_at_checked(length).ok_or_else(truncated)?;
    *bytes = rest;
    Ok(content)
}

fn skip(bytes: &mut &[u8], length: u64) -> Result<(), String> {
    take(bytes, length).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::onnx::WireMessage;

    fn check(bytes: &[u8]) -> Result<(), String> {
        super::check(bytes, WireMessage::Model)
    }

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
