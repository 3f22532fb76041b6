//! Generates the Rust structs of our protobuf schemas (protox parses them in Rust, so no protoc has to be installed), and compiles
//! `runtime/` for the board.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What the board's CPU runs, as Rust names it.
const BOARD: &str = "aarch64-unknown-linux-gnu";
/// The LLVM that `hb` links to, which reads what rustc makes for the board.
const LLVM: u32 = 22;

/// Every schema of the project, one per line; a new one is one more line here.
const SCHEMAS: &[&str] = &["src/frontend/caffe/caffe.proto", "src/frontend/onnx/onnx.proto", "src/hbm/manifest.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    board_runtime()?;
    for schema in SCHEMAS {
        println!("cargo::rerun-if-changed={schema}");
    }
    let text_schema = text_schema()?;
    std::fs::write(format!("{}/caffe_text.rs", env::var("OUT_DIR")?), text_schema)?;
    let descriptors = protox::compile(SCHEMAS, ["."])?;
    prost_build::Config::new()
        // Weights are views of the file's bytes, not copies.
        .bytes([".onnx.TensorProto.raw_data", ".caffe.BlobProto.raw_data"])
        .compile_fds(descriptors)?;
    Ok(())
}

/// The routines of `runtime/` as bitcode for the board, with what they need of Rust's libraries, in `runtime.bc`.
fn board_runtime() -> Result<(), Box<dyn std::error::Error>> {
    for changed in ["runtime", "Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={changed}");
    }
    let version = Command::new(env::var("RUSTC")?).arg("-vV").output()?;
    let version = String::from_utf8(version.stdout)?;
    let line = |key: &str| version.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("unknown");
    let (release, llvm) = (line("release: "), line("LLVM version: "));
    if llvm.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_none_or(|major| major > LLVM) {
        return Err(format!("rustc {release} has LLVM {llvm}, whose bitcode LLVM {LLVM} may not read").into());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Beside the folders of the profiles (`target/debug/build/hb-…/out`), one for all of them: it is the same for each, and the build that
    // runs this holds the lock of its own.
    let folder = out.ancestors().nth(4).unwrap_or(&out).join(format!("board-{release}"));
    let bitcode = folder.join("runtime.bc");
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo.args(["rustc", "--quiet", "--package", "hb-runtime", "--profile", "board", "--crate-type", "staticlib"]);
    cargo.args(["--target", BOARD, "--locked", "--target-dir"]).arg(&folder);
    cargo.arg("--").arg(format!("--emit=llvm-bc={}", bitcode.display()));
    // What is said of this machine's code is not meant for the board's.
    cargo.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", "--cfg=board").env("CARGO_INCREMENTAL", "0");
    cargo.env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    if !cargo.status()?.success() {
        return Err(format!(
            "runtime/ cannot be compiled for the board. Is Rust's library for it there? `rustup target add {BOARD}` adds it to rustc {release}"
        )
        .into());
    }
    fs::copy(&bitcode, out.join("runtime.bc"))
        .map_err(|error| format!("{}: {error}; remove {}", bitcode.display(), folder.display()))?;
    Ok(())
}

/// The messages and enumerations of Caffe as a Rust table, which text is read by (`src/frontend/caffe/text.rs`).
fn text_schema() -> Result<String, Box<dyn std::error::Error>> {
    let file = protox::compile(["src/frontend/caffe/caffe.proto"], ["."])?.file.remove(0);
    let outer = file.enum_type.iter().map(|outer| (format!(".caffe.{}", outer.name()), outer));
    let inner = file.message_type.iter().flat_map(|message| {
        message.enum_type.iter().map(|inner| (format!(".caffe.{}.{}", message.name(), inner.name()), inner))
    });
    let enumerations: Vec<_> = outer.chain(inner).collect();
    let message_names: Vec<String> =
        file.message_type.iter().map(|message| format!(".caffe.{}", message.name())).collect();
    let enumeration_names: Vec<String> = enumerations.iter().map(|(name, _)| name.clone()).collect();
    let mut text = String::from("/// Every message of the schema.\npub static MESSAGES: &[Message] = &[\n");
    for message in &file.message_type {
        writeln!(text, "    Message {{ name: {:?}, fields: &[", message.name())?;
        for field in &message.field {
            let index =
                |names: &[String]| names.iter().position(|name| name == field.type_name()).ok_or("no such type");
            // The numbers of FieldDescriptorProto.Type.
            let kind = match field.r#type.unwrap_or_default() {
                1 => "Double".to_owned(),
                2 => "Float".to_owned(),
                3 => "Int64".to_owned(),
                5 => "Int32".to_owned(),
                8 => "Bool".to_owned(),
                9 => "Text".to_owned(),
                11 => format!("Message({})", index(&message_names)?),
                12 => "Bytes".to_owned(),
                13 => "UInt32".to_owned(),
                14 => format!("Enumeration({})", index(&enumeration_names)?),
                other => return Err(format!("fields of type {other} are not read from text").into()),
            };
            let (name, number, repeated) = (field.name(), field.number(), field.label == Some(3));
            writeln!(
                text,
                "        SchemaField {{ name: {name:?}, number: {number}, repeated: {repeated}, kind: Kind::{kind} }},"
            )?;
        }
        text.push_str("    ] },\n");
    }
    text.push_str("];\n\n/// Every enumeration of the schema: its words with their numbers.\n");
    text.push_str("pub static ENUMERATIONS: &[&[(&str, i32)]] = &[\n");
    for (_, enumeration) in &enumerations {
        let words = enumeration.value.iter().map(|word| format!("({:?}, {})", word.name(), word.number()));
        writeln!(text, "    &[{}],", words.collect::<Vec<_>>().join(", "))?;
    }
    text.push_str("];\n");
    Ok(text)
}
