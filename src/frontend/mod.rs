//! From a file of a training framework to `hfloat`, and back.

pub mod caffe;
pub mod mlir;
pub mod onnx;
mod source;
mod wire;

pub use source::{ModelFiles, ModelSource, SourceError};
