//! Caffe networks: a `.prototxt` that says the structure, and a `.caffemodel` that holds the weights.
//!
//! ```text
//!  .prototxt ──text──> proto ──upgrade──> CaffeNetwork ──layers──> Model of ONNX ──import──> hfloat
//!                   .caffemodel ──weights──┘
//! ```
//!
//! * [`text`] reads protobuf's text format by the schema in `caffe.proto`; every fault has line and column;
//! * `upgrade` makes layers of today of the forms of 2013 and 2014;
//! * [`network`] takes the layers of the test phase and gives them their weights, by name;
//! * [`layers`] is the table of all types of layers: what each becomes, exactly by Caffe's rules. A layer becomes nodes of ONNX, so that all
//!   that follows (import, export, quantization) knows nothing of Caffe.
//!
//! Nothing that a file says is trusted: sizes, depth and numbers are bounded before memory is taken for them.

mod builder;
mod convert;
mod error;
pub mod layers;
pub mod network;
mod proto;
pub mod schema;
pub mod text;
pub mod tokens;
mod upgrade;
mod weights;

pub use convert::InputShapes;
pub use error::{CaffeError, LayerPlace};
pub use network::{CaffeNetwork, from_bytes, load};
