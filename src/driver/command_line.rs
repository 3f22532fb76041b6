//! The command line of `hb_compile`.

use super::commands::equivalent_commands;
use super::compile::{CompileError, Stage, Stages, compile, inputs, load_model, model_inputs};
use super::configuration::{
    Configuration, Environment, FastPerf, Problems, Severity, Status, WORKING_DIR, configuration_text, is_shape,
    known_marches, printable,
};
use super::log::Log;
use super::progress::{Console, Verbosity};
use crate::files::write_atomically;
use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Done.
pub const DONE: u8 = 0;
/// The input or the configuration is at fault, or the model cannot be compiled.
pub const AT_FAULT: u8 = 1;
/// The command was used wrongly.
pub const WRONG_USAGE: u8 = 2;

/// Where fast-perf mode keeps its configuration and results, below the current directory.
const FAST_PERF_FOLDER: &str = ".fast_perf";

const EXAMPLES: &str = "\
Examples:
  Compile as a configuration file says (docs/configuration.md lists its parameters):
      hb_compile --config mobilenet.yaml

  Estimate how fast a model will be, without calibration data:
      hb_compile --fast-perf --model mobilenet.onnx --march nash-e

  The same, for a model with dimensions that are open:
      hb_compile --fast-perf -m detector.onnx --march nash-m -i image 1x3x224x224 -i scale 1x2

  Only quantize, to look at the quantized ONNX model in the working directory:
      hb_compile -c mobilenet.yaml --stop-after quantize

  See which passes run:
      hb_compile -c mobilenet.yaml --print-pipeline

The log goes to hb_compile.log, here and in the working directory.
Exit status: 0 done; 1 model or configuration at fault; 2 wrong usage.";

/// Compiles a trained network into a .hbm file for the BPU.
#[derive(Debug, Parser)]
#[command(name = "hb_compile", version, after_help = EXAMPLES)]
pub struct CommandLine {
    /// The configuration file (YAML) that says what to compile and how
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Compile --model for speed with built-in settings; its results mean nothing, its latency does
    #[arg(long)]
    fast_perf: bool,

    /// With --fast-perf: the model (ONNX)
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// With --fast-perf: the prototxt of a Caffe model (not supported yet)
    #[arg(long, value_name = "FILE")]
    proto: Option<PathBuf>,

    /// With --fast-perf: the target, nash-e for J6E and nash-m for J6M
    #[arg(long, value_name = "MARCH", value_parser = PossibleValuesParser::new(crate::target::Target::names()))]
    march: Option<String>,

    /// With --fast-perf: the shape of an input, such as `-i image 1x3x224x224`; once per input, needed for open dimensions
    #[arg(short, long, num_args = 2, value_names = ["NAME", "SHAPE"], action = clap::ArgAction::Append)]
    input_shape: Vec<String>,

    /// End after this stage; its files are in the working directory
    #[arg(long, value_name = "STAGE")]
    stop_after: Option<Stage>,

    /// Print the hb-translate and hb-opt commands that make the same .hbm from the files that a compilation left, and compile nothing
    #[arg(long)]
    print_pipeline: bool,

    /// Show warnings and errors only
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,

    /// Show everything that the log file holds
    #[arg(short, long)]
    verbose: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Config(PathBuf),
    FastPerf { options: FastPerf, proto: Option<PathBuf> },
}

impl CommandLine {
    fn wrong(message: impl std::fmt::Display) -> clap::Error {
        Self::command().error(ErrorKind::ArgumentConflict, message)
    }

    /// The mode that the options ask for, or how they contradict each other.
    fn mode(&self) -> Result<Mode, clap::Error> {
        if self.fast_perf {
            return self.fast_perf_mode();
        }
        let Some(config) = &self.config else {
            return Err(Self::wrong(match self.model {
                Some(_) => {
                    "--model needs --fast-perf (and --march); to compile for use, name the model in a --config file"
                }
                None => "give --config FILE, or --fast-perf --model FILE --march MARCH",
            }));
        };
        let given =
            [("--model", self.model.is_some()), ("--proto", self.proto.is_some()), ("--march", self.march.is_some())];
        if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
            return Err(Self::wrong(format!("{option} goes with --fast-perf; with --config the file says it")));
        }
        Ok(Mode::Config(config.clone()))
    }

    fn fast_perf_mode(&self) -> Result<Mode, clap::Error> {
        if self.config.is_some() {
            return Err(Self::wrong("--fast-perf has a built-in configuration; leave out --config, or --fast-perf"));
        }
        let Some(model) = &self.model else {
            return Err(Self::wrong("--fast-perf needs --model FILE"));
        };
        let Some(march) = &self.march else {
            return Err(Self::wrong(format!("--fast-perf needs --march, one of {}", known_marches().join(", "))));
        };
        let mut shapes: Vec<(String, String)> = Vec::new();
        for pair in self.input_shape.chunks(2) {
            let [name, shape] = pair else { continue };
            if !is_shape(shape) {
                let example = "give positive sizes separated by x, such as 1x3x224x224";
                return Err(Self::wrong(format!("--input-shape {name}: '{shape}' is not a shape; {example}")));
            }
            shapes.push((name.clone(), shape.clone()));
        }
        let options = FastPerf { model: model.clone(), march: march.clone(), shapes };
        Ok(Mode::FastPerf { options, proto: self.proto.clone() })
    }

    fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// Runs `hb_compile` with the arguments of a process (the first is the program), and gives its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let (command_line, mode) =
        match CommandLine::try_parse_from(arguments).and_then(|line| line.mode().map(|mode| (line, mode))) {
            Ok(parsed) => parsed,
            Err(error) => {
                // Help and version come as errors too, and belong on standard output. Nothing can be done if nobody reads.
                let _ = error.print();
                return if error.use_stderr() { WRONG_USAGE } else { DONE };
            }
        };
    let console = Console::new(command_line.verbosity());
    let log = match Log::start(Path::new("."), &console) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("error: {error}");
            return AT_FAULT;
        }
    };
    tracing::info!("hb_compile {}", env!("CARGO_PKG_VERSION"));
    if command_line.config.is_some() && !command_line.input_shape.is_empty() {
        tracing::warn!(
            "--input-shape has an effect only with --fast-perf; input_shape of the configuration says it here"
        );
    }
    let outcome = work(&command_line, &mode, &console);
    let status = match &outcome {
        Ok(_) => DONE,
        Err(error) => {
            report(error);
            AT_FAULT
        }
    };
    finish(&log, outcome.ok().as_ref(), status)
}

fn finish(log: &Log, configuration: Option<&Configuration>, status: u8) -> u8 {
    let folder = configuration.map(|configuration| configuration.get(&WORKING_DIR));
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        return status;
    };
    tracing::info!("results are in '{}'", printable(&folder.display().to_string()));
    match log.copy_to(folder) {
        Ok(()) => status,
        Err(error) => {
            tracing::error!("{error}");
            AT_FAULT
        }
    }
}

fn work(command_line: &CommandLine, mode: &Mode, console: &Console) -> Result<Configuration, CompileError> {
    let environment = Environment::of_this_machine();
    let configuration = match mode {
        Mode::Config(file) => Configuration::read(file, &environment)?,
        Mode::FastPerf { proto: Some(_), .. } => {
            return Err(fault(
                "--proto: Caffe models are known to the manual, not supported yet; convert the model to ONNX",
            ));
        }
        Mode::FastPerf { options, proto: None } => fast_perf_configuration(options, &environment)?,
    };
    for problem in &configuration.warnings {
        tracing::warn!("{problem}");
    }
    log_parameters(&configuration);
    if command_line.print_pipeline {
        let (declared, inputs) = inputs(&configuration)?;
        let hbm = configuration.output_path(".hbm");
        println!("{}", equivalent_commands(&configuration, &declared, &inputs, &hbm));
        return Ok(configuration);
    }
    // The pool of the process; one that is there already is as good, since results do not depend on it.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(configuration.threads()).build_global();
    compile(&configuration, &Stages { console, stop_after: command_line.stop_after })?;
    Ok(configuration)
}

fn fault(message: impl Into<String>) -> CompileError {
    CompileError::Options(message.into())
}

fn fast_perf_configuration(options: &FastPerf, environment: &Environment) -> Result<Configuration, CompileError> {
    let model = load_model(&options.model)?;
    let inputs = model_inputs(&model);
    let text = configuration_text(options, &inputs).map_err(|error| fault(error.to_string()))?;
    let folder = Path::new(FAST_PERF_FOLDER);
    std::fs::create_dir_all(folder).map_err(|error| {
        fault(format!("the folder '{FAST_PERF_FOLDER}' cannot be made: {error}; run where you may write"))
    })?;
    let file = folder.join("hb_compile.yaml");
    write_atomically(&file, text.as_bytes()).map_err(|error| fault(error.to_string()))?;
    tracing::info!(
        "fast-perf: the configuration is in '{}'; its thresholds are those of random data: latency counts, outputs do not",
        file.display()
    );
    Ok(Configuration::read(&file, environment)?)
}

fn log_parameters(configuration: &Configuration) {
    for parameter in &configuration.parameters {
        let (row, effective) = (parameter.parameter, printable(&parameter.effective));
        match &parameter.given {
            Some(_) if row.status == Status::NotYet => {
                tracing::info!("{}: {effective} (nothing else is supported yet)", row.path());
            }
            Some(_) => tracing::info!("{}: {effective}", row.path()),
            None => tracing::debug!("{}: {effective} (default)", row.path()),
        }
    }
    tracing::info!("parallel jobs: {}", configuration.threads());
}

/// Problems go one to a line, and warnings among them are not called errors.
fn report(error: &CompileError) {
    match error {
        CompileError::Configuration(problems) => report_problems(problems),
        // Some errors are lists of several lines.
        other => {
            let lines: Vec<String> = other.to_string().lines().map(printable).collect();
            tracing::error!("{}", lines.join("\n"));
        }
    }
}

fn report_problems(problems: &Problems) {
    let errors = problems.0.iter().filter(|problem| problem.severity == Severity::Error).count();
    tracing::error!("the configuration has {errors} problem(s):\n{problems}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(arguments: &[&str]) -> Result<Mode, String> {
        let all = std::iter::once("hb_compile").chain(arguments.iter().copied());
        let parsed = CommandLine::try_parse_from(all).and_then(|line| line.mode());
        parsed.map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(arguments: &[&str], fragment: &str) {
        let message = mode(arguments).expect_err("wrong usage");
        assert!(message.contains(fragment), "{message} holds {fragment}");
    }

    #[test]
    fn the_definition_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn both_modes_of_the_manual() {
        assert_eq!(mode(&["--config", "a.yaml"]), Ok(Mode::Config("a.yaml".into())));
        assert_eq!(mode(&["-c", "a.yaml", "--stop-after", "quantize", "-q"]), Ok(Mode::Config("a.yaml".into())));
        let options = FastPerf {
            model: "m.onnx".into(),
            march: "nash-e".into(),
            shapes: vec![("input_1".into(), "1x3x224x224".into()), ("input_2".into(), "1x8".into())],
        };
        let arguments = "--fast-perf --model m.onnx --march nash-e --input-shape input_1 1x3x224x224 -i input_2 1x8";
        let arguments: Vec<&str> = arguments.split(' ').collect();
        assert_eq!(mode(&arguments), Ok(Mode::FastPerf { options, proto: None }));
    }

    #[test]
    fn wrong_usage() {
        refused(&[], "give --config FILE");
        refused(&["-m", "m.onnx", "--march", "nash-e"], "--model needs --fast-perf");
        refused(&["--fast-perf", "-c", "a.yaml"], "leave out --config");
        refused(&["--fast-perf", "-m", "m.onnx"], "needs --march, one of nash-e");
        refused(&["--fast-perf", "--march", "nash-e"], "needs --model");
        refused(&["-c", "a.yaml", "--march", "nash-e"], "--march goes with --fast-perf");
        refused(&["-c", "a.yaml", "-m", "b"], "--model goes with --fast-perf");
        refused(&["--fast-perf", "-m", "m", "--march", "nash-x"], "nash-x");
        refused(&["--fast-perf", "-m", "m", "--march", "nash-e", "-i", "a", "1x?"], "'1x?' is not a shape");
        refused(&["--fast-perf", "-m", "m", "--march", "nash-e", "-i", "a"], "2 values");
        refused(
            &["-c", "a.yaml", "--stop-after", "nowhere"],
            "import, optimize, calibrate, quantize, place, lower, compile",
        );
        refused(&["-c", "a.yaml", "-q", "-v"], "cannot be used with");
    }
}
