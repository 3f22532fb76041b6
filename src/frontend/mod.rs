//! From a file of a training framework to `hfloat`, and back.

pub mod mlir;
pub mod onnx;
