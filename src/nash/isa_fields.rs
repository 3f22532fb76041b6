//! How the fields of an instruction are written as bytes, as text and as numbers.

use hb_dialects::nash::Op;
use thiserror::Error;

use super::isa::{BpuElement, Clamp, Count, DdrView, Engine, MemoryRegion, View, Window};
use super::isa_numbers::{FieldKind, Numbers};

/// One row of an instruction's field table.
#[derive(Clone, Debug)]
pub struct FieldRow {
    /// The field's name in the text of programs.
    pub name: &'static str,
    /// Its size in the encoding.
    pub bytes: usize,
    /// The byte layout, in words.
    pub layout: String,
    /// A sentence for `docs/nash-isa.md`.
    pub meaning: &'static str,
}

/// One instruction as documentation shows it.
#[derive(Clone, Debug)]
pub struct OperationTable {
    /// Its number in the encoding.
    pub opcode: u16,
    /// Its operation in the `nash` dialect.
    pub op: Op,
    /// Where it runs.
    pub engine: Engine,
    /// A sentence for `docs/nash-isa.md`.
    pub about: &'static str,
    /// In the order of the encoding.
    pub fields: Vec<FieldRow>,
}

impl OperationTable {
    /// Its name in the text of programs.
    pub fn mnemonic(&self) -> &'static str {
        self.op.definition().mnemonic()
    }
}

/// Why bytes are not a program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum DecodeError {
    #[error("the file ends at byte {at}, where {needed} more bytes of {what} should follow")]
    Truncated { at: usize, needed: usize, what: &'static str },
    #[error("not a nash program: it begins with {found:02x?} and not with \"NASH\"")]
    Magic { found: [u8; 4] },
    #[error(
        "version {major}.{minor} of the instruction set; this reader knows {known_major}.0 to {known_major}.{known_minor}"
    )]
    Version { major: u16, minor: u16, known_major: u16, known_minor: u16 },
    #[error("unknown opcode {opcode:#06x}")]
    UnknownOpcode { opcode: u16 },
    #[error("byte {at}: {value} is not a valid {what}")]
    BadValue { at: usize, value: u64, what: &'static str },
    #[error("byte {at}: a name is not UTF-8")]
    Name { at: usize },
    #[error("{count} {what} cannot fit in the {left} bytes that are left")]
    TooMany { count: u64, what: &'static str, left: usize },
    #[error("{left} bytes follow the end of the program")]
    Trailing { left: usize },
    #[error("instruction {index}: {error}")]
    Instruction { index: usize, error: Box<DecodeError> },
}

/// A cursor over untrusted bytes.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A cursor at the first byte.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// The offset of the next byte.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(count);
        let Some(taken) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            return Err(DecodeError::Truncated { at: self.at, needed: count, what });
        };
        self.at += count;
        Ok(taken)
    }

    /// The next bytes as an array.
    pub fn array<const COUNT: usize>(&mut self, what: &'static str) -> Result<[u8; COUNT], DecodeError> {
        let mut array = [0; COUNT];
        array.copy_from_slice(self.take(COUNT, what)?);
        Ok(array)
    }
}

/// A type that a field can have: its bytes, its text, its description.
pub trait Field: Sized {
    /// Size in the encoding; the same for every value.
    const BYTES: usize;
    /// The byte layout in words, for the documentation.
    fn layout() -> String;
    fn write(&self, out: &mut Vec<u8>);
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
    /// As the disassembly shows it.
    fn text(&self) -> String;

    /// What its numbers mean.
    const KIND: FieldKind;
    /// Appends its numbers.
    fn put(&self, numbers: &mut Vec<i64>);
    fn take(numbers: &mut Numbers<'_>) -> Result<Self, String>;

    /// All numbers of the field; `None` where it is absent.
    fn numbers(&self) -> Option<Vec<i64>> {
        let mut numbers = Vec::new();
        self.put(&mut numbers);
        Some(numbers)
    }

    /// The field of these numbers.
    ///
    /// # Errors
    /// When it must not be absent, the numbers are too few or too many, or one is out of range.
    fn from_numbers(numbers: Option<&[i64]>) -> Result<Self, String> {
        let mut numbers = Numbers::new(numbers.ok_or("is missing")?);
        let field = Self::take(&mut numbers)?;
        numbers.finish().map(|()| field)
    }
}

macro_rules! number_field {
    ($($type:ident)*) => { $(
        impl Field for $type {
            const BYTES: usize = size_of::<$type>();
            fn layout() -> String {
                stringify!($type).to_string()
            }
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok($type::from_le_bytes(reader.array(stringify!($type))?))
            }
            fn text(&self) -> String {
                format!("{self:?}")
            }
            number_field!(@numbers $type);
        }
    )* };
    (@numbers f32) => {
        const KIND: FieldKind = FieldKind::Float;
        fn put(&self, numbers: &mut Vec<i64>) {
            numbers.push(i64::from(self.to_bits()));
        }
        fn take(numbers: &mut Numbers<'_>) -> Result<Self, String> {
            numbers.next_as().map(f32::from_bits)
        }
    };
    (@numbers $type:ident) => {
        const KIND: FieldKind = FieldKind::Integer;
        fn put(&self, numbers: &mut Vec<i64>) {
            // An offset beyond i64 is in no region, nor is the greatest i64.
            numbers.push(i64::try_from(*self).unwrap_or(i64::MAX));
        }
        fn take(numbers: &mut Numbers<'_>) -> Result<Self, String> {
            numbers.next_as()
        }
    };
}

number_field!(u8 u16 u32 u64 i32 i64 f32);

impl Field for bool {
    const BYTES: usize = 1;
    fn layout() -> String {
        "u8: 0 no, 1 yes".to_string()
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn read(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
        let at = reader.at();
        match u8::read(reader)? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(DecodeError::BadValue { at, value: u64::from(value), what: "flag (0 or 1)" }),
        }
    }
    fn text(&self) -> String {
        self.to_string()
    }
    const KIND: FieldKind = FieldKind::Flag;
    fn put(&self, numbers: &mut Vec<i64>) {
        numbers.push(i64::from(*self));
    }
    fn take(numbers: &mut Numbers<'_>) -> Result<bool, String> {
        numbers.next_number().map(|number| number != 0)
    }
    fn numbers(&self) -> Option<Vec<i64>> {
        self.then(|| vec![1])
    }
    fn from_numbers(numbers: Option<&[i64]>) -> Result<bool, String> {
        Ok(numbers.is_some())
    }
}

impl<T: Field + Copy + Default, const COUNT: usize> Field for [T; COUNT] {
    const BYTES: usize = T::BYTES * COUNT;
    fn layout() -> String {
        format!("{COUNT} x {}", T::layout())
    }
    fn write(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|element| element.write(out));
    }
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut array = [T::default(); COUNT];
        for element in &mut array {
            *element = T::read(reader)?;
        }
        Ok(array)
    }
    fn text(&self) -> String {
        let parts: Vec<String> = self.iter().map(Field::text).collect();
        format!("[{}]", parts.join(", "))
    }
    const KIND: FieldKind = FieldKind::Integers;
    fn put(&self, numbers: &mut Vec<i64>) {
        self.iter().for_each(|element| element.put(numbers));
    }
    fn take(numbers: &mut Numbers<'_>) -> Result<Self, String> {
        let mut array = [T::default(); COUNT];
        for element in &mut array {
            *element = T::take(numbers)?;
        }
        Ok(array)
    }
}

impl<T: Field> Field for Option<T> {
    const BYTES: usize = 1 + T::BYTES;
    fn layout() -> String {
        format!("u8: 0 absent (zeros follow), 1 present; then {}", T::layout())
    }
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        match self {
            Some(value) => value.write(out),
            None => out.resize(out.len() + T::BYTES, 0),
        }
    }
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if bool::read(reader)? {
            return T::read(reader).map(Some);
        }
        let at = reader.at();
        let padding = reader.take(T::BYTES, "an absent field")?;
        // One program has one encoding: two files with equal meaning are equal bytes.
        match padding.iter().find(|byte| **byte != 0) {
            None => Ok(None),
            Some(byte) => {
                Err(DecodeError::BadValue { at, value: u64::from(*byte), what: "filler of an absent field (0)" })
            }
        }
    }
    fn text(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_string(), Field::text)
    }
    const KIND: FieldKind = T::KIND;
    fn put(&self, numbers: &mut Vec<i64>) {
        self.iter().for_each(|value| value.put(numbers));
    }
    fn take(numbers: &mut Numbers<'_>) -> Result<Self, String> {
        T::take(numbers).map(Some)
    }
    fn numbers(&self) -> Option<Vec<i64>> {
        self.as_ref().and_then(Field::numbers)
    }
    fn from_numbers(numbers: Option<&[i64]>) -> Result<Self, String> {
        numbers.map(|numbers| T::from_numbers(Some(numbers))).transpose()
    }
}

impl Field for BpuElement {
    const BYTES: usize = 1;
    fn layout() -> String {
        "u8: 0 i8, 1 i16, 2 i32, 3 f32".to_string()
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let value = u8::read(reader)?;
        let found = BpuElement::OF_INSTRUCTIONS.into_iter().find(|element| *element as u8 == value);
        found.ok_or(DecodeError::BadValue { at, value: u64::from(value), what: "element type" })
    }
    fn text(&self) -> String {
        self.to_string()
    }
    const KIND: FieldKind = FieldKind::Element;
    fn put(&self, numbers: &mut Vec<i64>) {
        numbers.push(*self as i64);
    }
    fn take(numbers: &mut Numbers<'_>) -> Result<Self, String> {
        let number = numbers.next_number()?;
        let found = BpuElement::OF_INSTRUCTIONS.into_iter().find(|element| *element as i64 == number);
        found.ok_or_else(|| format!("has {number}, which is no element type"))
    }
}

impl Field for MemoryRegion {
    const BYTES: usize = 4;
    fn layout() -> String {
        "u16: 0 input, 1 output, 2 constants, 3 workspace; u16: index".to_string()
    }
    fn write(&self, out: &mut Vec<u8>) {
        let (kind, index) = self.kind_and_index();
        kind.write(out);
        index.write(out);
    }
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let (kind, index) = (u16::read(reader)?, u16::read(reader)?);
        let value = u64::from(kind) | u64::from(index) << 16;
        MemoryRegion::of(kind, index).ok_or(DecodeError::BadValue { at, value, what: "region" })
    }
    fn text(&self) -> String {
        self.to_string()
    }
    // Only ever a part of a view.
    const KIND: FieldKind = FieldKind::Integers;
    fn put(&self, numbers: &mut Vec<i64>) {
        let (kind, index) = self.kind_and_index();
        numbers.extend([i64::from(kind), i64::from(index)]);
    }
    fn take(numbers: &mut Numbers<'_>) -> Result<Self, String> {
        let (kind, index) = (numbers.next_as()?, numbers.next_as()?);
        MemoryRegion::of(kind, index).ok_or_else(|| format!("has region {kind} of index {index}, which there is not"))
    }
}

impl MemoryRegion {
    fn kind_and_index(self) -> (u16, u16) {
        match self {
            MemoryRegion::Input(index) => (0, index),
            MemoryRegion::Output(index) => (1, index),
            MemoryRegion::Constants => (2, 0),
            MemoryRegion::Workspace => (3, 0),
        }
    }

    fn of(kind: u16, index: u16) -> Option<MemoryRegion> {
        match (kind, index) {
            (0, index) => Some(MemoryRegion::Input(index)),
            (1, index) => Some(MemoryRegion::Output(index)),
            (2, 0) => Some(MemoryRegion::Constants),
            (3, 0) => Some(MemoryRegion::Workspace),
            _ => None,
        }
    }
}

/// Fields that are structs of fields.
macro_rules! struct_field {
    ($($type:ident $(<$($parameter:ident)*>)? { $($field:ident),* } $text:expr;)*) => { $(
        impl $(<$(const $parameter: usize)*>)? Field for $type $(<$($parameter)*>)? {
            const BYTES: usize = struct_field!(@bytes $type $(<$($parameter)*>)?);
            fn layout() -> String {
                let parts: Vec<String> = struct_field!(@layouts $type $(<$($parameter)*>)?);
                parts.join("; ")
            }
            fn write(&self, out: &mut Vec<u8>) {
                $( self.$field.write(out); )*
            }
            fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok($type { $( $field: Field::read(reader)?, )* })
            }
            fn text(&self) -> String {
                let show: fn(&Self) -> String = $text;
                show(self)
            }
            const KIND: FieldKind = FieldKind::$type;
            fn put(&self, numbers: &mut Vec<i64>) {
                $( self.$field.put(numbers); )*
            }
            fn take(numbers: &mut Numbers<'_>) -> Result<Self, String> {
                Ok($type { $( $field: Field::take(numbers)?, )* })
            }
        }
    )* };
    (@bytes View<$d:ident>) => { 4 + 4 * $d };
    (@layouts View<$d:ident>) => { vec!["address u32".to_string(), format!("strides {d} x i32", d = $d)] };
    (@bytes DdrView) => { 4 + 8 + 8 * super::isa::RANK };
    (@layouts DdrView) => {
        vec![format!("region ({})", MemoryRegion::layout()), "offset u64".to_string(), format!("strides {} x i64", super::isa::RANK)]
    };
    (@bytes Window) => { 32 };
    (@layouts Window) => {
        vec!["kernel 2 x u32".to_string(), "strides 2 x u32".to_string(), "dilations 2 x u32".to_string(), "pads 2 x i32".to_string()]
    };
    (@bytes Count) => { 40 + 12 };
    (@layouts Count) => {
        vec![
            "kernel 2 x u32".to_string(), "pads 2 x i32".to_string(), "extent 2 x u32".to_string(),
            "minimum 2 x u32".to_string(), "shape 2 x u32".to_string(), format!("table ({})", View::<2>::layout()),
        ]
    };
    (@bytes Clamp) => { 8 };
    (@layouts Clamp) => { vec!["low i32".to_string(), "high i32".to_string()] };
}

struct_field! {
    View<DIMENSIONS> { address, strides } |view| format!("@{:#x}{}", view.address, view.strides.text());
    DdrView { region, offset, strides } |view| format!("{}+{:#x}{}", view.region, view.offset, view.strides.text());
    Window { kernel, strides, dilations, pads } |window| format!(
        "{{kernel={} strides={} dilations={} pads={}}}",
        window.kernel.text(), window.strides.text(), window.dilations.text(), window.pads.text()
    );
    Count { kernel, pads, extent, minimum, shape, table } |count| format!(
        "{{kernel={} pads={} extent={} minimum={} shape={} table={}}}",
        count.kernel.text(), count.pads.text(), count.extent.text(), count.minimum.text(), count.shape.text(), count.table.text()
    );
    Clamp { low, high } |clamp| format!("{}..{}", clamp.low, clamp.high);
}
