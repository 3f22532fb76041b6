//! Protobuf's text format: text becomes the bytes of the same message, which prost decodes.
//!
//! prost knows no text. What stands in the text is checked against the schema of `caffe.proto` (names, kinds, numbers in range, what may
//! be given once), so each fault has its line and column. A message that is nested deeper or holds more than any network needs is refused
//! before it takes memory or stack.

use super::schema::{ENUMERATIONS, Kind, MESSAGES, Message, SchemaField};
use super::tokens::{Position, TextFault, Token, Tokens, shortened};
use crate::wording::{hint, quoted};
use prost::encoding::{WireType, encode_key, encode_varint};
use std::collections::HashSet;

/// Messages inside of messages.
const MAX_DEPTH: usize = 32;
/// Values of the whole file; the largest known networks have some 50 000.
const MAX_VALUES: usize = 4_000_000;
/// Faults that are collected before reading ends.
const MAX_FAULTS: usize = 100;

/// A text, read.
#[derive(Debug, Default)]
pub struct TextMessage {
    /// The same in protobuf's binary format.
    pub bytes: Vec<u8>,
    /// Where the layers begin, in the order of the file: `layer` and `layers` by themselves.
    pub layers: Vec<Position>,
    /// Where the layers of the old form begin.
    pub old_layers: Vec<Position>,
    /// Fields of a layer, or of the network, that no version of the schema has: nothing reads them.
    pub unknown: Vec<TextFault>,
}

/// Reads a network.
///
/// # Errors
/// All faults, in the order of the text; after one of the syntax nothing is read.
pub fn parse(text: &str) -> Result<TextMessage, Vec<TextFault>> {
    let fault = |reason: &str| vec![TextFault { position: Position { line: 1, column: 1 }, reason: reason.to_owned() }];
    let net = Message::net().ok_or_else(|| fault("there is no schema"))?;
    let mut reader =
        Reader { tokens: Tokens::new(text), ahead: None, values: 0, faults: Vec::new(), read: TextMessage::default() };
    let mut bytes = Vec::new();
    if let Err(fault) = reader.fields(net, &mut bytes, &Scope { depth: 0, end: Token::End, holder: None }) {
        reader.faults.push(fault);
    }
    if reader.faults.is_empty() { Ok(TextMessage { bytes, ..reader.read }) } else { Err(reader.faults) }
}

struct Reader<'t> {
    tokens: Tokens<'t>,
    ahead: Option<(Token<'t>, Position)>,
    values: usize,
    faults: Vec<TextFault>,
    read: TextMessage,
}

/// Where fields are read.
struct Scope {
    depth: usize,
    /// What closes it.
    end: Token<'static>,
    /// The field that it is the value of.
    holder: Option<&'static str>,
}

/// A scalar as the text has it.
enum Scalar<'t> {
    Word { negative: bool, word: &'t str },
    Number { negative: bool, text: &'t str },
    Text(Vec<u8>),
}

fn fault(position: Position, reason: impl Into<String>) -> TextFault {
    TextFault { position, reason: reason.into() }
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Token<'t>, Position), TextFault> {
        match self.ahead.take() {
            Some(token) => Ok(token),
            None => self.tokens.next_token(),
        }
    }

    fn peek(&mut self) -> Result<&(Token<'t>, Position), TextFault> {
        let next = self.next()?;
        Ok(self.ahead.insert(next))
    }

    /// Takes the sign if it is next.
    fn skip(&mut self, sign: char) -> Result<bool, TextFault> {
        let found = self.peek()?.0 == Token::Sign(sign);
        if found {
            self.ahead = None;
        }
        Ok(found)
    }

    /// A fault that does not keep the rest from being read.
    fn note(&mut self, found: TextFault) -> Result<(), TextFault> {
        if self.faults.len() >= MAX_FAULTS {
            return Err(found);
        }
        self.faults.push(found);
        Ok(())
    }

    /// Reads fields up to the end of their message.
    fn fields(&mut self, message: &'static Message, bytes: &mut Vec<u8>, scope: &Scope) -> Result<(), TextFault> {
        let mut given = HashSet::new();
        loop {
            let (token, position) = self.next()?;
            let name = match token {
                token if token == scope.end => return Ok(()),
                Token::Word(name) => name,
                Token::Sign('[') => return Err(fault(position, "extensions in brackets are not part of Caffe")),
                Token::End => {
                    let holder = scope.holder.unwrap_or_default();
                    return Err(fault(
                        position,
                        format!("the file ends inside of {holder}; a closing bracket is missing"),
                    ));
                }
                other => return Err(fault(position, format!("the name of a field is expected, not {other}"))),
            };
            match message.field(name) {
                Some(field) => {
                    if !field.repeated && !given.insert(field.number) {
                        self.note(fault(position, format!("{name} is given twice")))?;
                    }
                    self.field(field, position, bytes, scope.depth)?;
                }
                None => self.unknown_field(message, name, position, scope)?,
            }
            if !self.skip(';')? {
                self.skip(',')?;
            }
        }
    }

    /// What no version of the schema has may be passed over in a layer; among the parameters of a layer it may change results.
    fn unknown_field(
        &mut self,
        message: &Message,
        name: &str,
        position: Position,
        scope: &Scope,
    ) -> Result<(), TextFault> {
        let ignored = message.is_training_only();
        if !ignored {
            let name = shortened(name);
            let optional = matches!(message.name, "NetParameter" | "LayerParameter" | "V1LayerParameter");
            let holder = scope.holder.unwrap_or("the network");
            let is_affordable = self.read.unknown.len() < MAX_FAULTS;
            let fields = message.fields.iter().filter(|_| is_affordable).map(|field| field.name);
            let hint = hint(&name, fields);
            let reason = format!("{holder} has no field {} that is known", quoted(&name));
            if optional {
                self.read.unknown.push(fault(position, reason + &hint));
            } else {
                self.note(fault(position, format!("{reason}; remove it if it changes no result{hint}")))?;
            }
        }
        let has_colon = self.skip(':')?;
        self.skip_value(has_colon, scope.depth)
    }

    fn count(&mut self, position: Position) -> Result<(), TextFault> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(fault(position, format!("more than {MAX_VALUES} values")));
        }
        Ok(())
    }

    /// Passes over a value of a field that nobody knows.
    fn skip_value(&mut self, has_colon: bool, depth: usize) -> Result<(), TextFault> {
        let (token, position) = self.next()?;
        self.count(position)?;
        if depth >= MAX_DEPTH {
            return Err(too_deep(position));
        }
        let close = match token {
            Token::Sign('{') => '}',
            Token::Sign('<') => '>',
            Token::Sign('[') => ']',
            Token::Sign('-') if has_colon => return self.skip_value(true, depth + 1),
            Token::Word(_) | Token::Number(_) if has_colon => return Ok(()),
            Token::Text(_) if has_colon => {
                while matches!(self.peek()?.0, Token::Text(_)) {
                    self.ahead = None;
                }
                return Ok(());
            }
            other => return Err(fault(position, format!("a value is expected, not {other}"))),
        };
        while !self.skip(close)? {
            if close == ']' {
                self.skip_value(true, depth + 1)?;
            } else {
                let (token, position) = self.next()?;
                if !matches!(token, Token::Word(_)) {
                    return Err(fault(position, format!("the name of a field is expected, not {token}")));
                }
                let has_colon = self.skip(':')?;
                self.skip_value(has_colon, depth + 1)?;
            }
            if !self.skip(';')? {
                self.skip(',')?;
            }
        }
        Ok(())
    }

    /// The value of a field, or the list of its values.
    fn field(
        &mut self,
        field: &'static SchemaField,
        position: Position,
        bytes: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), TextFault> {
        let has_colon = self.skip(':')?;
        if !has_colon && !matches!(field.kind, Kind::Message(_)) {
            let (token, place) = self.next()?;
            return Err(fault(place, format!("a colon is expected behind {}, not {token}", field.name)));
        }
        if !(has_colon && self.skip('[')?) {
            return self.value(field, position, bytes, depth);
        }
        if !field.repeated {
            self.note(fault(position, format!("{} takes one value, not a list", field.name)))?;
        }
        if self.skip(']')? {
            return Ok(());
        }
        loop {
            self.value(field, position, bytes, depth)?;
            if self.skip(']')? {
                return Ok(());
            }
            if !self.skip(',')? {
                let (token, place) = self.next()?;
                return Err(fault(place, format!("a comma or ']' is expected in the list, not {token}")));
            }
        }
    }

    fn value(
        &mut self,
        field: &'static SchemaField,
        name: Position,
        bytes: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), TextFault> {
        let position = self.peek()?.1;
        self.count(position)?;
        if let Kind::Message(index) = field.kind {
            return self.message(field, index, name, bytes, depth);
        }
        let scalar = self.scalar()?;
        if let Err(reason) = encode(field, &scalar, bytes) {
            self.note(fault(position, format!("{}: {reason}", field.name)))?;
        }
        Ok(())
    }

    fn message(
        &mut self,
        field: &'static SchemaField,
        index: usize,
        name: Position,
        bytes: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), TextFault> {
        let (open, position) = self.next()?;
        let end = match open {
            Token::Sign('{') => Token::Sign('}'),
            Token::Sign('<') => Token::Sign('>'),
            other => {
                return Err(fault(position, format!("{} is a message: '{{' is expected, not {other}", field.name)));
            }
        };
        if depth >= MAX_DEPTH {
            return Err(too_deep(position));
        }
        let message = MESSAGES.get(index).ok_or_else(|| fault(position, "there is no schema of it"))?;
        match message.name {
            "LayerParameter" => self.read.layers.push(name),
            "V1LayerParameter" => self.read.old_layers.push(name),
            _ => {}
        }
        let mut inner = Vec::new();
        self.fields(message, &mut inner, &Scope { depth: depth + 1, end, holder: Some(field.name) })?;
        encode_key(field.number, WireType::LengthDelimited, bytes);
        encode_varint(inner.len() as u64, bytes);
        bytes.append(&mut inner);
        Ok(())
    }

    fn scalar(&mut self) -> Result<Scalar<'t>, TextFault> {
        let negative = self.skip('-')?;
        let (token, position) = self.next()?;
        match token {
            Token::Word(word) => Ok(Scalar::Word { negative, word }),
            Token::Number(text) => Ok(Scalar::Number { negative, text }),
            Token::Text(mut bytes) if !negative => {
                // Texts that stand beside each other are one.
                while let (Token::Text(_), _) = self.peek()? {
                    if let (Token::Text(more), _) = self.next()? {
                        bytes.extend(more);
                    }
                }
                Ok(Scalar::Text(bytes))
            }
            other => Err(fault(position, format!("a value is expected, not {other}"))),
        }
    }
}

fn too_deep(position: Position) -> TextFault {
    fault(position, format!("messages are nested deeper than {MAX_DEPTH}"))
}

impl Scalar<'_> {
    fn shown(&self) -> String {
        match self {
            Self::Word { negative, word: text } | Self::Number { negative, text } => {
                format!("'{}{}'", if *negative { "-" } else { "" }, shortened(text))
            }
            Self::Text(bytes) => format!("{:?}", shortened(&String::from_utf8_lossy(bytes))),
        }
    }

    /// A whole number: decimal, hexadecimal or octal.
    fn integer(&self) -> Option<i128> {
        let Self::Number { negative, text } = self else { return None };
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let value = match digits {
            Some(digits) => i128::from(u64::from_str_radix(digits, 16).ok()?),
            None if text.len() > 1 && text.starts_with('0') => i128::from(u64::from_str_radix(text, 8).ok()?),
            None => i128::from(text.parse::<u64>().ok()?),
        };
        Some(if *negative { -value } else { value })
    }

    fn float(&self) -> Option<f64> {
        let (negative, value) = match self {
            Self::Number { negative, text } => {
                let digits = text.strip_suffix(['f', 'F']).filter(|_| !text.starts_with("0x")).unwrap_or(text);
                let value = match self.integer() {
                    // A hexadecimal or octal number; the sign is that of the whole.
                    Some(value) if digits.starts_with("0x") || digits.starts_with("0X") => value.unsigned_abs() as f64,
                    _ => digits.parse().ok()?,
                };
                (negative, value)
            }
            Self::Word { negative, word } => match word.to_ascii_lowercase().as_str() {
                "inf" | "infinity" => (negative, f64::INFINITY),
                "nan" => (negative, f64::NAN),
                _ => return None,
            },
            Self::Text(_) => return None,
        };
        Some(if *negative { -value } else { value })
    }

    fn boolean(&self) -> Option<bool> {
        match self {
            Self::Word { negative: false, word: "true" | "True" | "t" } => Some(true),
            Self::Word { negative: false, word: "false" | "False" | "f" } => Some(false),
            _ => match self.integer()? {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
        }
    }
}

/// Appends a field with its value.
fn encode(field: &SchemaField, scalar: &Scalar<'_>, bytes: &mut Vec<u8>) -> Result<(), String> {
    let expected = |what: &str| format!("{what} is expected, not {}", scalar.shown());
    let within = |low: i64, high: i64| -> Result<u64, String> {
        let value = scalar.integer().ok_or_else(|| expected("a whole number"))?;
        let fits = (i128::from(low)..=i128::from(high)).contains(&value);
        // Negative numbers are sign extended, as protobuf does.
        if fits { Ok(value as i64 as u64) } else { Err(format!("{value} is not between {low} and {high}")) }
    };
    let varint = match field.kind {
        Kind::Float | Kind::Double => {
            let value = scalar.float().ok_or_else(|| expected("a number"))?;
            if field.kind == Kind::Float {
                encode_key(field.number, WireType::ThirtyTwoBit, bytes);
                bytes.extend((value as f32).to_le_bytes());
            } else {
                encode_key(field.number, WireType::SixtyFourBit, bytes);
                bytes.extend(value.to_le_bytes());
            }
            return Ok(());
        }
        Kind::Text | Kind::Bytes => {
            let Scalar::Text(text) = scalar else { return Err(expected("a text in quotes")) };
            if field.kind == Kind::Text && std::str::from_utf8(text).is_err() {
                return Err(format!("{} is not UTF-8", scalar.shown()));
            }
            encode_key(field.number, WireType::LengthDelimited, bytes);
            encode_varint(text.len() as u64, bytes);
            bytes.extend(text);
            return Ok(());
        }
        Kind::Message(_) => return Err(expected("a message")),
        Kind::Int64 => within(i64::MIN, i64::MAX)?,
        Kind::Int32 => within(i32::MIN.into(), i32::MAX.into())?,
        Kind::UInt32 => within(0, u32::MAX.into())?,
        Kind::Bool => scalar.boolean().ok_or_else(|| expected("true or false"))?.into(),
        Kind::Enumeration(index) => {
            let words = ENUMERATIONS.get(index).copied().unwrap_or_default();
            let found = words.iter().find(|(name, number)| match scalar {
                Scalar::Word { negative: false, word } => word == name,
                _ => scalar.integer() == Some((*number).into()),
            });
            let (_, number) = found.ok_or_else(|| {
                let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
                format!("{} is none of {}", scalar.shown(), names.join(", "))
            })?;
            i64::from(*number) as u64
        }
    };
    encode_key(field.number, WireType::Varint, bytes);
    encode_varint(varint, bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::proto::{NetParameter, pooling_parameter::PoolMethod};
    use super::*;
    use prost::Message as _;

    fn net(text: &str) -> NetParameter {
        NetParameter::decode(parse(text).unwrap().bytes.as_slice()).unwrap()
    }

    fn faults(text: &str) -> Vec<String> {
        parse(text).unwrap_err().iter().map(TextFault::to_string).collect()
    }

    #[test]
    fn every_form_of_a_value_is_read() {
        let net = net(r#"
            name: "a" 'b'  # a comment
            input_dim: [0x10, 010, 3]; input_dim: 4,
            layer < name: "\303\274" type: "Power" power_param: { power: -.5 scale: 1e-2f, shift: -inf } >
            layer { convolution_param { pad: 1 pad: 2 bias_term: f kernel_size: [ ] } pooling_param { pool: AVE } }
            layer { pooling_param { pool: 1 global_pooling: true } transform_param { what: { ever: -1 [ ] : 2 } } }
        "#
        .replace("[ ] : 2", "list: [-1, 2]")
        .as_str());
        assert_eq!(net.name(), "ab");
        assert_eq!(net.input_dim, [16, 8, 3, 4]);
        let power = net.layer[0].power_param.unwrap();
        assert_eq!((net.layer[0].name(), power.power(), power.scale()), ("ü", -0.5, 0.01));
        assert_eq!(power.shift(), f32::NEG_INFINITY);
        let convolution = net.layer[1].convolution_param.clone().unwrap();
        assert_eq!((convolution.pad.as_slice(), convolution.bias_term()), ([1, 2].as_slice(), false));
        assert_eq!(net.layer[1].pooling_param.unwrap().pool(), PoolMethod::Ave);
        assert_eq!(net.layer[2].pooling_param.unwrap().pool(), PoolMethod::Ave);
        // Defaults are those of the schema.
        assert_eq!(net.layer[2].pooling_param.unwrap().stride(), 1);
        assert_eq!(convolution.group(), 1);
    }

    #[test]
    fn layers_know_their_lines() {
        let read = parse("layer {}\nlayers {}\n  layer { }").unwrap();
        let lines = |positions: &[Position]| positions.iter().map(Position::to_string).collect::<Vec<_>>();
        assert_eq!(
            (lines(&read.layers), lines(&read.old_layers)),
            (vec!["1:1".to_owned(), "3:3".into()], vec!["2:1".into()])
        );
    }

    #[test]
    fn faults_have_lines_and_columns_and_all_are_told() {
        assert_eq!(
            faults(
                "name: 3\nlayer {\n  pooling_param { pool: SUM stride: -1 kernel: 2 }\n name: \"\\377\" name: \"b\" }"
            ),
            [
                "1:7: name: a text in quotes is expected, not '3'",
                "3:25: pool: 'SUM' is none of MAX, AVE, STOCHASTIC",
                "3:37: stride: -1 is not between 0 and 4294967295",
                "3:40: pooling_param has no field 'kernel' that is known; remove it if it changes no result; did you mean 'kernel_h'?",
                "4:8: name: \"\u{fffd}\" is not UTF-8",
                "4:15: name is given twice",
            ]
        );
        assert_eq!(faults("layer {\n"), ["2:1: the file ends inside of layer; a closing bracket is missing"]);
        assert_eq!(faults("layer: 3"), ["1:8: layer is a message: '{' is expected, not '3'"]);
        assert_eq!(faults("name \"x\""), ["1:6: a colon is expected behind name, not \"x\""]);
        assert_eq!(faults("}"), ["1:1: the name of a field is expected, not '}'"]);
    }

    #[test]
    fn what_a_layer_has_besides_is_noted() {
        let read = parse("layer { name: \"a\" quantize { bits: 8 } }\nfoo: \"bar\" 'baz'").unwrap();
        let unknown: Vec<_> = read.unknown.iter().map(TextFault::to_string).collect();
        assert_eq!(
            unknown,
            ["1:19: layer has no field 'quantize' that is known", "2:1: the network has no field 'foo' that is known"]
        );
    }

    #[test]
    fn depth_and_size_are_bounded() {
        for text in
            ["x { ".repeat(100_000), format!("x: {}", "[".repeat(100_000)), format!("x: {}1", "-".repeat(100_000))]
        {
            assert!(faults(&text).iter().any(|fault| fault.contains("nested deeper")), "{}", &text[..8]);
        }
        let many = faults(&format!("input_dim: [{}1]", "1,".repeat(MAX_VALUES)));
        assert!(many[0].contains("more than 4000000 values"), "{many:?}");
    }
}
