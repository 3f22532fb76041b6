//! MLIR files, text or bytecode, of any level.
//!
//! MLIR's reader of bytecode trusts what it reads: a flipped bit can end the process. So bytecode that is written here carries its SHA-256
//! where the format has a text for the producer's name, and only bytecode with the right one is read (`docs/decisions/0031-bytecode.md`).

use std::path::{Path, PathBuf};

use crate::diagnostics;
use hb_dialects::ir::{self, attribute};
use melior::Context;
use melior::ir::attribute::DictionaryAttribute;
use melior::ir::operation::{OperationLike, OperationPrintingFlags};
use melior::ir::{Attribute, Identifier, Module, OperationRef};
use mlir_sys::{
    MlirStringRef, mlirBytecodeWriterConfigCreate, mlirBytecodeWriterConfigDestroy, mlirModuleCreateParse,
    mlirOperationWriteBytecodeWithConfig,
};
use sha2::{Digest, Sha256};

/// Why an MLIR file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum MlirFileError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "{name} is bytecode {0}; MLIR's reader of bytecode would not survive a broken file, so give what hb wrote, or the text that \
         hb-opt prints of it", if *.damaged { "that was changed after hb wrote it" } else { "that hb did not write" }
    )]
    Checksum { name: String, damaged: bool },
    #[error("{name} nests more than {LARGEST_DEPTH} brackets into each other")]
    Depth { name: String },
    /// What MLIR says, with line and column.
    #[error("{name} is not valid MLIR: {reason}")]
    Invalid { name: String, reason: String },
    #[error("MLIR refused to print the module: {reason}")]
    Print { reason: String },
}

/// Notes texts by their names in a module: an array of dictionaries, the attribute `name`.
pub fn attach_texts(context: &Context, module: &Module<'_>, name: &str, rows: Vec<Vec<(&str, &str)>>) {
    let row = |fields: Vec<(&str, &str)>| -> Attribute<'_> {
        let field = |(name, text)| (Identifier::new(context, name), attribute::string(context, text));
        DictionaryAttribute::new(context, &fields.into_iter().map(field).collect::<Vec<_>>()).into()
    };
    let rows: Vec<Attribute<'_>> = rows.into_iter().map(row).collect();
    ir::set_attribute(module.as_operation(), name, attribute::array(context, &rows));
}

/// Reads and verifies a file, text or bytecode.
pub fn read<'c>(context: &'c Context, path: &Path) -> Result<Module<'c>, MlirFileError> {
    let bytes = std::fs::read(path).map_err(|source| MlirFileError::Read { path: path.to_owned(), source })?;
    parse(context, &bytes, &path.display().to_string())
}

/// Parses and verifies text or bytecode; `name` is what errors call it.
pub fn parse<'c>(context: &'c Context, bytes: &[u8], name: &str) -> Result<Module<'c>, MlirFileError> {
    if bytes.starts_with(MAGIC) {
        check(bytes).map_err(|damaged| MlirFileError::Checksum { name: name.to_owned(), damaged })?;
    } else if depth(bytes) > LARGEST_DEPTH {
        return Err(MlirFileError::Depth { name: name.to_owned() });
    }
    let aligned = Aligned::new(bytes);
    let source = MlirStringRef { data: aligned.0.as_ptr().cast(), length: bytes.len() };
    let (module, reports) = diagnostics::collect(context, || {
        // SAFETY: the bytes outlive the call, and the module owns what it needs of them.
        let module = unsafe { Module::from_option_raw(mlirModuleCreateParse(context.to_raw(), source)) };
        module.filter(|module| module.as_operation().verify())
    });
    module.ok_or_else(|| {
        let lines = reports.iter().map(|report| format!("{}: {}", report.location, report.message));
        MlirFileError::Invalid { name: name.to_owned(), reason: lines.collect::<Vec<_>>().join("\n") }
    })
}

/// How bytecode begins.
const MAGIC: &[u8] = b"ML\xefR";
/// Stands before the checksum in the producer's name.
const MARK: &[u8] = b" hb-sha256:";
/// What a checksum adds to the producer's name. It keeps the alignment of every section.
const MARK_BYTES: usize = 2 * 64;
/// MLIR's reader of text calls itself for each bracket.
const LARGEST_DEPTH: usize = 500;

/// The parts of bytecode: magic and version, the producer's name, and what is behind its zero.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // The version's length is in the trailing zeros of its first byte.
    let version = bytes.get(MAGIC.len())?.trailing_zeros() as usize + 1;
    let (head, rest) = bytes.split_at_checked(MAGIC.len() + version)?;
    let end = rest.iter().position(|&byte| byte == 0)?;
    Some((head, rest.get(..end)?, rest.get(end..)?))
}

fn checksum((head, producer, rest): (&[u8], &[u8], &[u8])) -> String {
    let mut hash = Sha256::new();
    for part in [head, producer, rest] {
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a checksum into bytecode that MLIR wrote.
fn with_checksum(bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, producer, rest) = parts(bytes)?;
    let mut mark = [MARK, checksum((head, producer, rest)).as_bytes()].concat();
    mark.resize(MARK_BYTES, b' ');
    Some([head, producer, &mark, rest].concat())
}

/// Whether bytecode has its checksum; if not, whether it has another one.
fn check(bytes: &[u8]) -> Result<(), bool> {
    let (head, name, rest) = parts(bytes).ok_or(false)?;
    let at = name.len().checked_sub(MARK_BYTES).ok_or(false)?;
    let (producer, mark) = name.split_at(at);
    let text = mark.strip_prefix(MARK).ok_or(false)?;
    if text.trim_ascii_end() == checksum((head, producer, rest)).as_bytes() { Ok(()) } else { Err(true) }
}

/// How deep the brackets of a text are nested, those in its strings too; that many levels are never needed.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let mut before = 0;
    for &byte in text {
        match byte {
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            // The head of an arrow closes nothing.
            b'>' if before == b'-' => {}
            b')' | b']' | b'}' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        before = byte;
    }
    deepest
}

/// A copy of bytes at an address that bytecode demands: that of the most aligned section, which holds the weights.
struct Aligned(Vec<Line>);

#[repr(C, align(64))]
struct Line([u8; 64]);

impl Aligned {
    fn new(bytes: &[u8]) -> Self {
        let lines = bytes.chunks(64).map(|chunk| {
            let mut line = Line([0; 64]);
            for (to, from) in line.0.iter_mut().zip(chunk) {
                *to = *from;
            }
            line
        });
        Self(lines.collect())
    }
}

/// Text with the names of nodes (`loc("...")`) and the constants.
pub fn text(operation: OperationRef<'_, '_>) -> Result<String, MlirFileError> {
    let flags = OperationPrintingFlags::new().enable_debug_info(true, false);
    operation.to_string_with_flags(flags).map_err(|error| MlirFileError::Print { reason: error.to_string() })
}

/// Bytecode: everything that the text has, smaller and faster.
pub fn bytecode(operation: OperationRef<'_, '_>) -> Result<Vec<u8>, MlirFileError> {
    unsafe extern "C" fn append(part: MlirStringRef, bytes: *mut std::ffi::c_void) {
        if part.length > 0 {
            // SAFETY: MLIR hands out a readable part, and our pointer to the bytes below.
            unsafe {
                let part = std::slice::from_raw_parts(part.data.cast::<u8>(), part.length);
                (*bytes.cast::<Vec<u8>>()).extend_from_slice(part);
            }
        }
    }
    let mut bytes: Vec<u8> = Vec::new();
    // SAFETY: the operation is alive; the callback gets the bytes, which outlive the call.
    let failed = unsafe {
        let config = mlirBytecodeWriterConfigCreate();
        let result = mlirOperationWriteBytecodeWithConfig(
            operation.to_raw(),
            config,
            Some(append),
            std::ptr::from_mut(&mut bytes).cast(),
        );
        mlirBytecodeWriterConfigDestroy(config);
        result.value == 0
    };
    if failed {
        return Err(MlirFileError::Print { reason: "its bytecode cannot be written".to_owned() });
    }
    with_checksum(&bytes).ok_or_else(|| MlirFileError::Print { reason: "its bytecode has no producer".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"func.func @main(%arg0: tensor<2xf32>) -> tensor<2xf32> {
        %0 = hfloat.relu %arg0 : (tensor<2xf32>) -> tensor<2xf32> loc("Relu_7")
        return %0 : tensor<2xf32>
    }"#;

    #[test]
    fn text_and_bytecode_are_read_back_with_names() {
        let context = hb_dialects::context();
        let module = parse(&context, TEXT.as_bytes(), "test").unwrap();
        let printed = text(module.as_operation()).unwrap();
        assert!(printed.contains("loc(\"Relu_7\")"), "{printed}");
        let bytes = bytecode(module.as_operation()).unwrap();
        let again = parse(&context, &bytes, "test").unwrap();
        assert_eq!(text(again.as_operation()).unwrap(), printed);
        assert_eq!(bytecode(again.as_operation()).unwrap(), bytes);
    }

    #[test]
    fn messages_quote_bytes_that_are_no_text() {
        let context = hb_dialects::context();
        let error = parse(&context, b"func.func @main() { \"\xff\xfe\"() : () -> () }", "test").unwrap_err();
        assert!(error.to_string().starts_with("test is not valid MLIR: "), "{error}");
    }

    /// Weights lie out of line; bytecode aligns them, and every address that bytes are read at must do.
    #[test]
    fn bytecode_with_weights_is_read_from_any_address() {
        let context = hb_dialects::context();
        let values = (0..40).map(|value| format!("{value}.5")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "func.func @main() -> tensor<40xf32> {{
               %0 = hfloat.constant dense<[{values}]> : tensor<40xf32>
               return %0 : tensor<40xf32>
             }}"
        );
        let module = parse(&context, text.as_bytes(), "test").unwrap();
        let model = crate::frontend::onnx::export(module.as_operation()).unwrap();
        let module = crate::frontend::onnx::import(&context, model, &Default::default()).unwrap();
        let printed = super::text(module.as_operation()).unwrap();
        assert!(printed.contains("dense_resource"), "{printed}");
        let bytes = bytecode(module.as_operation()).unwrap();
        for shift in 0..65 {
            let shifted = [vec![0; shift], bytes.clone()].concat();
            let again = parse(&hb_dialects::context(), &shifted[shift..], "test").map(|_| ());
            assert!(again.is_ok(), "{shift}: {again:?}");
        }
        let fresh = hb_dialects::context();
        let again = parse(&fresh, &bytes, "test").unwrap();
        assert_eq!(super::text(again.as_operation()).unwrap(), printed);
    }

    #[test]
    fn bytecode_that_was_changed_is_refused() {
        let context = hb_dialects::context();
        let module = parse(&context, TEXT.as_bytes(), "test").unwrap();
        let bytes = bytecode(module.as_operation()).unwrap();
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 0x10;
            assert!(parse(&context, &changed, "test").is_err(), "{position}");
            // No bytes at all are the text of a module that is empty.
            assert!(position == 0 || parse(&context, &bytes[..position], "test").is_err(), "{position}");
        }
        let error = parse(&context, &bytes[..bytes.len() - 1], "test").unwrap_err().to_string();
        assert!(error.contains("changed after hb wrote it"), "{error}");
        let foreign: Vec<u8> = [b"ML\xefR\x0dMLIR22\0".as_slice(), &[0; 200]].concat();
        let error = parse(&context, &foreign, "test").unwrap_err().to_string();
        assert!(error.contains("that hb did not write"), "{error}");
    }

    #[test]
    fn deep_text_is_refused() {
        let context = hb_dialects::context();
        for (open, count) in [("[", 1 << 20), ("{", 1000), ("(", 501), ("loc(fused<", 400)] {
            let error = parse(&context, open.repeat(count).as_bytes(), "test").unwrap_err();
            assert!(matches!(error, MlirFileError::Depth { .. }), "{error}");
        }
        assert_eq!(depth(b"() -> (tensor<2xf32>)"), 2);
    }

    #[test]
    fn errors_say_where() {
        let context = hb_dialects::context();
        let reason = parse(&context, b"func.func @main(", "broken.mlir").unwrap_err().to_string();
        assert!(reason.starts_with("broken.mlir is not valid MLIR: "), "{reason}");
        assert!(reason.contains(":1:"), "{reason}");
        assert!(parse(&context, b"ML\xefR\x06garbage", "bytes").is_err());
    }
}
