//! ONNX models, opset 1 to 27 of the default domain.
//!
//! A file passes these stages, each of which checks what the next relies on:
//!
//! ```text
//!  file ──wire──> proto ──read──> Model ──check──> Model, sorted ──normalize──> Model of opset 27 ──import──> hfloat
//! ```
//!
//! * `wire` (shared with Caffe) bounds depth and number of messages before anything is allocated for them;
//! * `read` turns protobuf messages into [`model::Model`]: every tensor becomes little-endian bytes of a checked length,
//!   external data is read from inside the model's folder only, and functions of the model are put in place of their calls;
//! * `check` gives every node a unique name, sorts nodes topologically, and rejects graphs with undefined, doubly defined
//!   or unproduced values;
//! * [`normalize`] brings every node to the form of opset 27 with the table in [`operators`].
//! * [`import`] builds one `hfloat` operation per node.
//!
//! Back: [`export`] makes a [`model::Model`] of `hfloat` and quantized functions, [`write`] makes that a file.

mod check;
mod error;
mod export;
mod export_quantized;
mod export_regions;
mod file_buffer;
mod functions;
mod import;
mod import_regions;
pub mod integer_operators;
mod made_of;
pub mod model;
pub mod normalize;
pub mod operators;
mod proto;
mod read;
pub mod tensor;
mod tensor_data;
mod wire_schema;
mod write;

pub use error::{OnnxError, UnsupportedOperator};
pub use export::{EXPORT_OPSET, export};
pub use import::{ImportOptions, import, import_file};
use read::is_default_domain;
pub use read::{from_bytes, load, tensor_from_bytes};
pub(super) use wire_schema::WireMessage;
pub use write::{ModelFile, save, to_bytes};
