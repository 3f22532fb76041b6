//! `hb-translate`: formats outside of MLIR to MLIR and back.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser};

use super::configuration::{Configuration, Environment, Problems, shape_option};
use super::package::{self, Compilation, PackageError};
use crate::files::{FileError, print, write_atomically};
use crate::frontend::mlir::{self, MlirFileError};
use crate::frontend::onnx::{self, ImportOptions, OnnxError};
use crate::frontend::{ModelFiles, ModelSource, SourceError};
use crate::hbm::{Hbm, HbmError, SegmentBody};
use crate::nash::disassemble::disassemble;
use crate::nash::encode::{DecodeError, decode};
use melior::Context;
use melior::ir::OperationRef;

/// Translates between MLIR and other formats.
///
/// Exactly one direction must be chosen. `-` reads standard input, or writes standard output, which is the default.
#[derive(Debug, Parser)]
#[command(name = "hb-translate", version)]
struct Command {
    #[command(flatten)]
    direction: Direction,
    /// File to read
    input: PathBuf,
    /// File to write
    #[arg(short, long, default_value = "-")]
    output: PathBuf,
    /// Write MLIR as bytecode instead of text
    #[arg(long)]
    emit_bytecode: bool,
    /// Shape of an input whose dimensions are dynamic (repeatable); a dynamic first dimension is 1 unless given
    #[arg(long, value_name = "NAME=1x3x224x224", value_parser = input_shape, conflicts_with_all = ["export_onnx", "emit_hbm", "disassemble_hbm"])]
    input_shape: Vec<(String, Vec<usize>)>,
    /// With --import-onnx: operators on integers as hb_compile compiles them, on reals between quantization and dequantization
    #[arg(long, requires = "import_onnx")]
    for_compilation: bool,
    /// With --import-caffe: the prototxt
    #[arg(long, value_name = "FILE", requires = "import_caffe")]
    proto: Option<PathBuf>,
    /// With --emit-hbm: the configuration of hb_compile whose names and parameters the .hbm keeps
    #[arg(short, long, value_name = "FILE", requires = "emit_hbm")]
    config: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Direction {
    /// ONNX (opset 1 to 27) to hfloat
    #[arg(long)]
    import_onnx: bool,
    /// The weights of a Caffe network (.caffemodel), with --proto, to hfloat
    #[arg(long, requires = "proto")]
    import_caffe: bool,
    /// hfloat, float or quantized, to ONNX
    #[arg(long)]
    export_onnx: bool,
    /// Programs of the machine (nash) to .hbm
    #[arg(long)]
    emit_hbm: bool,
    /// .hbm to the text of its programs
    #[arg(long)]
    disassemble_hbm: bool,
}

#[derive(Debug, thiserror::Error)]
enum TranslateError {
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Mlir(#[from] MlirFileError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Hbm(#[from] HbmError),
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error("the configuration has problems:\n{0}")]
    Configuration(#[from] Problems),
    #[error("segment '{segment}': {source}")]
    Program { segment: String, source: DecodeError },
    #[error("standard input or output: {0}")]
    Stream(#[from] std::io::Error),
}

/// Runs the command; 0: done, 1: the input is at fault, 2: wrong usage.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match Command::try_parse_from(arguments) {
        Ok(command) => command,
        Err(error) => {
            // Help and version are no errors, and go to standard output.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hb-translate: error: {error}");
            ExitCode::from(1)
        }
    }
}

fn run(command: &Command) -> Result<(), TranslateError> {
    if command.direction.disassemble_hbm {
        let hbm = match stream(&command.input)? {
            Some(bytes) => Hbm::from_bytes(bytes)?,
            None => Hbm::open(&command.input)?,
        };
        return write(&command.output, disassemble_hbm(&hbm)?.as_bytes());
    }
    let context = crate::pipeline::context();
    let bytes = if command.direction.import_onnx || command.direction.import_caffe {
        let input_shapes: BTreeMap<_, _> = command.input_shape.iter().cloned().collect();
        let source = match stream(&command.input)? {
            Some(bytes) if command.direction.import_onnx => {
                ModelSource::Onnx(Box::new(onnx::from_bytes(bytes.into(), None)?))
            }
            _ => ModelSource::load(&ModelFiles { model: command.input.clone(), proto: command.proto.clone() })?,
        };
        let source = if command.for_compilation { source.for_compilation() } else { source };
        let module = source.import(&context, &ImportOptions { input_shapes })?;
        if command.emit_bytecode {
            mlir::bytecode(module.as_operation())?
        } else {
            mlir::text(module.as_operation())?.into_bytes()
        }
    } else {
        let module = match stream(&command.input)? {
            Some(bytes) => mlir::parse(&context, &bytes, "<stdin>")?,
            None => mlir::read(&context, &command.input)?,
        };
        if command.direction.emit_hbm {
            emit_hbm(&context, module.as_operation(), command)?
        } else {
            onnx::to_bytes(&onnx::export(module.as_operation())?)?
        }
    };
    write(&command.output, &bytes)
}

fn write(output: &Path, bytes: &[u8]) -> Result<(), TranslateError> {
    if output == Path::new("-") {
        print(bytes)?;
    } else {
        write_atomically(output, bytes)?;
    }
    Ok(())
}

fn emit_hbm(context: &Context, module: OperationRef<'_, '_>, command: &Command) -> Result<Vec<u8>, TranslateError> {
    let Some(file) = &command.config else {
        let name = command.input.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let compilation = Compilation { model_name: name.clone(), prefix: &name, ..Compilation::default() };
        return Ok(package::package(context, module, &compilation)?);
    };
    let configuration = Configuration::read(file, &Environment::of_this_machine())?;
    Ok(package::package(context, module, &Compilation::of(&configuration))?)
}

/// Every program of a file, each under the name of its segment.
fn disassemble_hbm(hbm: &Hbm) -> Result<String, TranslateError> {
    let mut text = String::new();
    for segment in &hbm.manifest().segments {
        let SegmentBody::Bpu(body) = &segment.body else { continue };
        let program = decode(hbm.section(body.program_section))
            .map_err(|source| TranslateError::Program { segment: segment.name.clone(), source })?;
        text.push_str(&format!("segment {:?}\n{}", segment.name, disassemble(&program)));
    }
    Ok(text)
}

/// Standard input, if that is what `path` says.
fn stream(path: &Path) -> Result<Option<Vec<u8>>, std::io::Error> {
    if path != Path::new("-") {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// `NAME=1x3x224x224`; the name may contain `=`.
fn input_shape(text: &str) -> Result<(String, Vec<usize>), String> {
    let (name, shape) = text.rsplit_once('=').ok_or("it must be NAME=SHAPE")?;
    let sizes = shape_option(shape)?;
    Ok((name.to_owned(), sizes.into_iter().map(|size| size as usize).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_inputs() {
        assert_eq!(input_shape("a=b=1x3"), Ok(("a=b".to_owned(), vec![1, 3])));
        assert!(input_shape("a").is_err());
        assert!(input_shape("a=1x").is_err());
        assert!(input_shape("a=0x1").is_err());
        assert!(input_shape("a=-1").is_err());
    }

    #[test]
    fn one_direction_must_be_chosen() {
        assert!(Command::try_parse_from(["hb-translate", "x"]).is_err());
        assert!(Command::try_parse_from(["hb-translate", "--import-onnx", "--export-onnx", "x"]).is_err());
        assert!(Command::try_parse_from(["hb-translate", "--import-onnx", "x"]).is_ok());
    }
}
