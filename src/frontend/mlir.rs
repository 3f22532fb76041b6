//! MLIR files, text or bytecode, of any level.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use melior::Context;
use melior::ir::operation::{OperationLike, OperationPrintingFlags};
use melior::ir::{Module, OperationRef};
use mlir_sys::{
    MlirStringRef, mlirBytecodeWriterConfigCreate, mlirBytecodeWriterConfigDestroy, mlirModuleCreateParse,
    mlirOperationWriteBytecodeWithConfig,
};

/// Why an MLIR file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MlirFileError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// What MLIR says, with line and column.
    #[error("{name} is not valid MLIR: {reason}")]
    Invalid { name: String, reason: String },
    #[error("MLIR refused to print the module: {reason}")]
    Print { reason: String },
}

/// Reads and verifies a file, text or bytecode.
pub fn read<'c>(context: &'c Context, path: &Path) -> Result<Module<'c>, MlirFileError> {
    let bytes = std::fs::read(path).map_err(|source| MlirFileError::Read { path: path.to_owned(), source })?;
    parse(context, &bytes, &path.display().to_string())
}

/// Parses and verifies text or bytecode; `name` is what errors call it.
pub fn parse<'c>(context: &'c Context, bytes: &[u8], name: &str) -> Result<Module<'c>, MlirFileError> {
    let messages = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&messages);
    let handler = context.attach_diagnostic_handler(move |diagnostic| {
        sink.borrow_mut().push(format!("{}: {diagnostic}", diagnostic.location()));
        true
    });
    let aligned = Aligned::new(bytes);
    let source = MlirStringRef { data: aligned.0.as_ptr().cast(), length: bytes.len() };
    // SAFETY: the bytes outlive the call, and the module owns what it needs of them.
    let module = unsafe { Module::from_option_raw(mlirModuleCreateParse(context.to_raw(), source)) };
    let valid = module.as_ref().is_some_and(|module| module.as_operation().verify());
    context.detach_diagnostic_handler(handler);
    module.filter(|_| valid).ok_or_else(|| {
        let reason = messages.borrow().join("\n");
        MlirFileError::Invalid { name: name.to_owned(), reason }
    })
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
    Ok(bytes)
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
    fn errors_say_where() {
        let context = hb_dialects::context();
        let reason = parse(&context, b"func.func @main(", "broken.mlir").unwrap_err().to_string();
        assert!(reason.starts_with("broken.mlir is not valid MLIR: "), "{reason}");
        assert!(reason.contains(":1:"), "{reason}");
        assert!(parse(&context, b"ML\xefR\x06garbage", "bytes").is_err());
    }
}
