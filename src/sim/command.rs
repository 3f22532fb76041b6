//! The command `hb_sim`. Exit status: 0 done; 1 model or data are at fault; 2 wrong usage.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde_json::json;

mod perf;

use super::infer::{InferReport, InferRequest, infer};
use super::open::{Detail, OpenOptions, open};
use crate::files::print;
use perf::PerfArguments;
#[cfg(test)]
pub(super) use perf::perf_text;

/// Runs models and predicts their speed on the target.
#[derive(Parser)]
#[command(name = "hb_sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a model on arrays and write its outputs as .npy files.
    Infer(InferArguments),
    /// Predict latency, frames per second, memory traffic and the time of each engine. Needs no data.
    Perf(PerfArguments),
}

#[derive(Args)]
#[command(after_help = "Example: hb_sim infer model.hbm --input data=images/ --output-dir results\n\n\
    An array must have the model's shape. Its type must be the model's, or convert without loss (float64 holding only values that \
    float32 has, for example). Results appear together when all samples are done; a failed run writes none.")]
struct InferArguments {
    /// The model: a compiled .hbm, or a network (.onnx, .caffemodel, .mlir, .bc).
    model: PathBuf,
    /// The data of an input: a .npy file, or a folder of which every .npy is one sample, in sorted order. Give it once per input;
    /// a model with one input may leave out NAME=. A single file beside folders serves every sample.
    #[arg(long = "input", value_name = "NAME=FILE_OR_DIR")]
    inputs: Vec<String>,
    /// Each output goes to DIR/NAME.npy, with `_` for `/`, `\` and `:` in NAME. Given folders, results are stacked along a new first axis.
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// The network description that belongs to a .caffemodel.
    #[arg(long, value_name = "FILE")]
    proto: Option<PathBuf>,
    /// Samples that run at the same time; 0 for one per core. With 1, a sample uses all cores where it can.
    #[arg(long, default_value_t = 0, value_name = "N")]
    jobs: usize,
    /// Look for races between engines, bytes read or overwritten without an event that orders it, and compute with the scalar
    /// definitions instead of the fast kernels, whose results are the same. Slow.
    #[arg(long)]
    check_races: bool,
    /// Print what was done as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command with the arguments of a process, the program's name first.
pub fn command(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result = match &arguments.command {
        Command::Infer(arguments) => run_infer(arguments),
        Command::Perf(arguments) => perf::run(arguments),
    };
    match result.and_then(|text| Ok(print(&text)?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hb_sim: {error}");
            ExitCode::from(1)
        }
    }
}

fn run_infer(arguments: &InferArguments) -> Result<String, Box<dyn Error>> {
    let detail = if arguments.check_races { Detail::Races } else { Detail::Outputs };
    let options = OpenOptions { proto: arguments.proto.as_deref(), detail };
    let model = open(&arguments.model, &options)?;
    let request = InferRequest { inputs: &arguments.inputs, output_dir: &arguments.output_dir, jobs: arguments.jobs };
    let report = infer(model.executor.as_ref(), &request)?;
    if !arguments.json {
        return Ok(infer_text(&report, arguments.check_races));
    }
    let mut value = serde_json::to_value(&report)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("model".into(), json!(arguments.model));
        fields.insert("model_kind".into(), json!(model.kind));
        fields.insert("march".into(), json!(model.march));
        fields.insert("races".into(), json!(if arguments.check_races { "none found" } else { "not checked" }));
    }
    Ok(format!("{value:#}\n"))
}

fn infer_text(report: &InferReport, check_races: bool) -> String {
    let mut text = format!("{} sample(s) in {:.3} s\n", report.samples, report.elapsed_seconds);
    for output in &report.outputs {
        let shape: Vec<String> = output.shape.iter().map(usize::to_string).collect();
        text += &format!("{}: {} {} -> {}\n", output.name, output.element_type, shape.join("x"), output.path.display());
    }
    if let Some(latency) = report.predicted_latency_us {
        text += &format!("predicted latency: {latency:.3} us\n");
    }
    if check_races {
        text += "races: none found\n";
    }
    text
}
