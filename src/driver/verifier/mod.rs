//! `hb_verifier`: two or three forms of a network on the same data, output by output and layer by layer.

mod inputs;
mod layers;
mod measure;
mod models;
mod report;

use crate::files::print;
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

const EXPLANATION: &str = "\
Examples:
  The compiled model against the float model, in CI:
      hb_verifier -m model.onnx,model_output/model.hbm -i image=sample.npy --min-cosine 0.99

  The stored quantized model and the compiled one must agree to the byte:
      hb_verifier -m model_output/model_quantized_model.bc,model_output/model.hbm -i sample.npy --json

  Models whose inputs differ: give each form of the data; a model takes what fits its type and shape:
      hb_verifier -m float.onnx,nv12.hbm -i image=rgb.npy -i image_y=y.npy -i image_uv=uv.npy

What is measured, for each pair of models and each output that both have:
  cosine, mean     of the angle between the two, the lowest over the samples, and the mean of them; of fewer than 8 values
                   1 - |a - b|^2 / (|a|^2 + |b|^2), which falls where their lengths differ, too
  worst part       of the slices that have a range of their own, such as scores beside boxes, the one of the lowest mean cosine
  SQNR             signal over error in dB, the first model being the signal
  max abs, max rel the largest |a - b|, and the largest |a - b| / max(|a|, |b|)
  bytes            how many bytes differ, where both store the same type
Integers with a scale are compared as the numbers that they mean. Layers are compared where both models carry them: .onnx, .caffemodel, .mlir and .bc do,
a .hbm that was compiled with layer_out_dump does; the first sample is for them, and every sample for one that is an output of the other model. They are paired by the node of the network whose result they are: a layer that is made of several is the last of them.
Exit status: 0 done; 1 a model or the data is at fault, or with --min-cosine a cosine is below it or an output was not compared; 2 wrong usage.";

/// Compares two or three forms of a network (.onnx, .caffemodel, .bc, .mlir, .hbm) on the same data.
#[derive(Debug, Parser)]
#[command(name = "hb_verifier", version, after_help = EXPLANATION)]
struct Arguments {
    /// The models, such as `float.onnx,model.hbm`; the others are measured against the first, and the third against the second
    #[arg(short, long, value_name = "A,B[,C]", value_delimiter = ',', required = true)]
    model: Vec<PathBuf>,

    /// The prototxt of the .caffemodel among the models
    #[arg(short, long, value_name = "FILE")]
    proto: Option<PathBuf>,

    /// The data of an input: a .npy file, or a folder of which every .npy is one sample; NAME= may be left out where a model has one
    /// input
    #[arg(short, long, value_name = "NAME=FILE", required = true)]
    input: Vec<String>,

    /// Print everything as JSON, every layer too
    #[arg(long)]
    json: bool,

    /// End with status 1 when the cosine of an output or of its worst slice is lower than this, there is none, or an output was not
    /// compared
    #[arg(long, value_name = "X")]
    min_cosine: Option<f64>,
}

/// Why models could not be compared.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum VerifierError {
    #[error(transparent)]
    Open(#[from] crate::sim::open::OpenError),
    #[error("{model}: {source}")]
    Input { model: String, source: Box<crate::sim::inputs::InputError> },
    #[error("{model}: sample {sample}: {source}")]
    Run { model: String, sample: usize, source: crate::sim::executor::ExecutionError },
    #[error("{model}: {reason}")]
    Model { model: String, reason: String },
    #[error("-i gives {first} sample(s) to {first_model} and {second} to {second_model}; all need the same number")]
    Samples { first_model: String, first: usize, second_model: String, second: usize },
    #[error("-i {argument} is used by no model: each takes another file for that input")]
    Unused { argument: String },
    #[error("{first} and {second} have no output of the same name, and no layer: {names}")]
    NoCommonOutput { first: String, second: String, names: String },
    #[error(
        "output '{output}': {first} gives shape {first_shape:?}, {second} gives {second_shape:?}, which cannot be compared. Where the network itself \
         chooses how many there are (NonMaxSuppression, TopK), rounding may choose one more or less: judge such models by their results on data with \
         labels. Where one of the two was compiled with input_batch, its sample holds as many images, one behind the other along the first axis"
    )]
    Shape { output: String, first: String, first_shape: Vec<usize>, second: String, second_shape: Vec<usize> },
}

/// The command `hb_verifier` with the arguments of a process, the program's name first.
pub fn command(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments).and_then(checked) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result = match run(&arguments) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("hb_verifier: {error}");
            return ExitCode::from(1);
        }
    };
    let text = if arguments.json { format!("{:#}\n", result.to_json()) } else { result.to_text() };
    if let Err(error) = print(&text) {
        eprintln!("hb_verifier: {error}");
        return ExitCode::from(1);
    }
    for failure in result.failures() {
        eprintln!("hb_verifier: {failure}");
    }
    ExitCode::from(u8::from(!result.failures().is_empty()))
}

fn checked(arguments: Arguments) -> Result<Arguments, clap::Error> {
    use clap::CommandFactory;
    let wrong = |message: String| Arguments::command().error(clap::error::ErrorKind::ValueValidation, message);
    if !(2..=3).contains(&arguments.model.len()) {
        return Err(wrong(format!("--model takes two or three models, {} are given", arguments.model.len())));
    }
    let is_caffe =
        |path: &PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("caffemodel"));
    if let Some(proto) = arguments.proto.as_ref().filter(|_| !arguments.model.iter().any(is_caffe)) {
        let proto = proto.display();
        return Err(wrong(format!(
            "--proto {proto} belongs to a .caffemodel, and none of the models is one; leave it out"
        )));
    }
    match arguments.min_cosine {
        Some(least) if !(-1.0..=1.0).contains(&least) => {
            Err(wrong(format!("--min-cosine {least} is no cosine; give a number from -1 to 1")))
        }
        _ => Ok(arguments),
    }
}

fn run(arguments: &Arguments) -> Result<report::ComparisonReport, VerifierError> {
    let open = |path: &PathBuf| models::ComparedModel::open(path, arguments.proto.as_deref());
    let models = arguments.model.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let bound = inputs::bind(&models, &arguments.input)?;
    let samples = bound.samples;
    let mut report = report::ComparisonReport::new(&models, samples, arguments.min_cosine);
    for sample in 0..samples {
        let runs = models.iter().zip(&bound.models).map(|(model, inputs)| {
            let arrays = inputs
                .load(sample)
                .map_err(|source| VerifierError::Input { model: model.name(), source: Box::new(source) })?;
            model.run(&arrays, sample)
        });
        let runs = runs.collect::<Result<Vec<_>, _>>()?;
        report.add(&models, &runs)?;
        // Layers are for finding a fault, and one sample finds it; those that are outputs of another model are judged.
        if sample == 0 || report.judges_layers() {
            let layers = models.iter().zip(&bound.models).zip(&runs).map(|((model, inputs), outputs)| {
                let arrays = inputs
                    .load(sample)
                    .map_err(|source| VerifierError::Input { model: model.name(), source: Box::new(source) })?;
                model.layers(&arrays, outputs, sample)
            });
            report.add_layers(&models, &layers.collect::<Result<Vec<_>, _>>()?, sample)?;
        }
    }
    Ok(report)
}
