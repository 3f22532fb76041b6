//! Generates the Rust structs of our protobuf schemas. protox parses them in Rust, so no protoc has to be installed.

/// Every schema of the project, one per line; a new one is one more line here.
const SCHEMAS: &[&str] = &["src/frontend/onnx/onnx.proto", "src/hbm/manifest.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    for schema in SCHEMAS {
        println!("cargo::rerun-if-changed={schema}");
    }
    let descriptors = protox::compile(SCHEMAS, ["."])?;
    prost_build::Config::new()
        // Weights are views of the file's bytes, not copies.
        .bytes([".onnx.TensorProto.raw_data"])
        .compile_fds(descriptors)?;
    Ok(())
}
