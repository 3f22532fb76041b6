//! Compiles the wire schemas of the project to Rust (protox parses them, so that no `protoc` has to be installed).

use std::error::Error;

/// Folder and file of every schema. Each becomes `$OUT_DIR/<package>.rs`.
const SCHEMAS: &[(&str, &str)] = &[("src/frontend/onnx", "onnx.proto")];

fn main() -> Result<(), Box<dyn Error>> {
    for (folder, file) in SCHEMAS {
        println!("cargo::rerun-if-changed={folder}/{file}");
        prost_build::Config::new()
            // Weights are views of the file's bytes, not copies.
            .bytes([".onnx.TensorProto.raw_data"])
            .compile_fds(protox::compile([file], [folder])?)?;
    }
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
