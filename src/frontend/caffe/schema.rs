//! The names, numbers and kinds of the fields of `caffe.proto`, by which text is read.

include!(concat!(env!("OUT_DIR"), "/caffe_text.rs"));

/// A message of the schema.
pub struct Message {
    /// As the schema calls it.
    pub name: &'static str,
    /// In the order of the schema.
    pub fields: &'static [SchemaField],
}

impl Message {
    /// The message that every file is.
    pub fn net() -> Option<&'static Self> {
        MESSAGES.iter().find(|message| message.name == "NetParameter")
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static SchemaField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether nothing that it holds is looked at.
    pub fn is_training_only(&self) -> bool {
        self.name == "TrainingOnly"
    }
}

/// A field of a message.
pub struct SchemaField {
    /// As text writes it.
    pub name: &'static str,
    /// As bytes write it.
    pub number: u32,
    /// Whether it may be given more than once.
    pub repeated: bool,
    /// What it holds.
    pub kind: Kind,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of protobuf")]
pub enum Kind {
    Double,
    Float,
    Int64,
    Int32,
    UInt32,
    Bool,
    Text,
    Bytes,
    /// The index in [`MESSAGES`].
    Message(usize),
    /// The index in [`ENUMERATIONS`].
    Enumeration(usize),
}
