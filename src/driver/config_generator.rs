//! The command line of `hb_config_generator`.

use super::command_line::{AT_FAULT, DONE, WRONG_USAGE};
use super::configuration::{ConfigurationExtent, generated, march_of};
use super::import::{load_model, model_inputs};
use crate::files::{print, write_atomically};
use crate::frontend::ModelFiles;
use crate::wording::printable;
use clap::Parser;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  The parameters that must be given, filled from a model:
      hb_config_generator --simple --model mobilenet.onnx --march nash-e

  Every parameter, with its explanation:
      hb_config_generator --full -m mobilenet.onnx

Exit status: 0 done; 1 the model cannot be read, or the file cannot be written; 2 wrong usage.";

/// Writes a configuration file for hb_compile into the current directory.
#[derive(Debug, Parser)]
#[command(name = "hb_config_generator", version, after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("extent").args(["simple", "full"]).required(true))]
struct GeneratorCommandLine {
    /// Write simple_compile_config.yaml: what must be given, and what nearly everyone gives
    #[arg(short, long)]
    simple: bool,

    /// Write full_compile_config.yaml: every parameter, with its explanation
    #[arg(short, long)]
    full: bool,

    /// The model (ONNX, or a .caffemodel with --proto) to fill names, shapes and kinds of inputs from
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// With --model: the prototxt of a Caffe model
    #[arg(short, long, value_name = "FILE", requires = "model")]
    proto: Option<PathBuf>,

    /// The target
    #[arg(long, value_name = "MARCH", default_value = "nash-e", value_parser = march_of)]
    march: String,
}

/// Runs `hb_config_generator` with the arguments of a process (the first is the program), and gives its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let command_line = match GeneratorCommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line,
        Err(error) => {
            // Help and version come as errors too, and belong on standard output. Nothing can be done if nobody reads.
            let _ = error.print();
            return if error.use_stderr() { WRONG_USAGE } else { DONE };
        }
    };
    let told = |file: &str| {
        let text = format!("wrote {file}; correct it, then run hb_compile --config {file}\n");
        print(text).map_err(|error| error.to_string())
    };
    match generate(&command_line).and_then(told) {
        Ok(()) => DONE,
        Err(error) => {
            eprintln!("error: {}", printable(&error));
            AT_FAULT
        }
    }
}

fn generate(command_line: &GeneratorCommandLine) -> Result<&'static str, String> {
    let inputs = match &command_line.model {
        Some(path) => {
            let files = ModelFiles { model: path.clone(), proto: command_line.proto.clone() };
            let source = load_model(&files).map_err(|error| error.to_string())?;
            let inputs = model_inputs(&*source.model().map_err(|error| error.to_string())?);
            Some((files, inputs))
        }
        None => None,
    };
    let extent = if command_line.simple { ConfigurationExtent::Simple } else { ConfigurationExtent::Full };
    let model = inputs.as_ref().map(|(files, inputs)| (files, inputs.as_slice()));
    let text = generated(extent, model, &command_line.march).map_err(|error| error.to_string())?;
    let file = extent.file();
    if Path::new(file).exists() {
        return Err(format!("{file} exists, and may hold somebody's work; rename or remove it"));
    }
    write_atomically(Path::new(file), text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(file)
}
