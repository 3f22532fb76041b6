//! The modes of `hb_compile`: what is read, what is compiled, and what the console says of it in the end.

use super::command_line::{AT_FAULT, CommandLine, DONE, Mode};
use super::commands::equivalent_commands;
use super::compile::{CompileError, Stage, Stages, compile};
use super::configuration::{
    CALIBRATION_TYPE, CalibrationType, Configuration, Environment, FastPerf, INPUT_LAYOUT_TRAIN, INPUT_NAME,
    INPUT_SHAPE, INPUT_TYPE_RT, INPUT_TYPE_TRAIN, InputSettings, InputType, Problems, Purpose, Severity, Status,
    WORKING_DIR, Word, configuration_text,
};
use super::import::{inputs, load_model, model_facts, model_inputs};
use super::log::{Log, tell_lines};
use super::outcome::{CompilationOutcome, failure_json};
use super::progress::Console;
use super::{check, recompile};
use crate::files::{print, write_atomically};
use crate::frontend::ModelFiles;
use crate::frontend::onnx::model::Model;
use crate::wording::printable;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Does what the command line asks for, with a log; gives the exit status.
pub(super) fn run(command_line: &CommandLine, mode: &Mode) -> u8 {
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
            "--input-shape has an effect only with --fast-perf or the check of a --model; input_shape of the configuration says it here"
        );
    }
    let (configuration, aside) = match configured(command_line, mode) {
        Ok(configured) => configured,
        Err(error) => return failed(command_line, &log, &error),
    };
    let (text, status) = match work(command_line, mode, &configuration, &console) {
        Ok(Some(mut outcome)) => {
            outcome.is_aside = aside.is_some();
            tracing::info!("{}", outcome.last_line(&configuration));
            let short = command_line.min_cosine.and_then(|wanted| outcome.falls_short(wanted, &configuration));
            let errors: Vec<String> = short.into_iter().collect();
            for message in &errors {
                tracing::error!("{message}");
            }
            let status = finish(&log, &configuration).max(if errors.is_empty() { DONE } else { AT_FAULT });
            (outcome.to_json(&configuration, &log.warnings(), &errors), status)
        }
        Ok(None) => return finish(&log, &configuration),
        Err(error) => {
            let status = failed(command_line, &log, &error);
            // The log beside earlier results is theirs, unless this one has no other place.
            if log.is_aside {
                finish(&log, &configuration);
            }
            return status;
        }
    };
    print_json(command_line, &text).max(status)
}

/// Tells what stopped a run.
fn failed(command_line: &CommandLine, log: &Log, error: &CompileError) -> u8 {
    report(error);
    print_json(command_line, &failure_json(error, &log.warnings()));
    AT_FAULT
}

fn print_json(command_line: &CommandLine, text: &serde_json::Value) -> u8 {
    if command_line.json
        && let Err(error) = print(format!("{text:#}\n"))
    {
        tracing::error!("{error}");
        return AT_FAULT;
    }
    DONE
}

/// Copies the log to the results.
fn finish(log: &Log, configuration: &Configuration) -> u8 {
    let folder = configuration.get(&WORKING_DIR);
    if !folder.is_dir() {
        return DONE;
    }
    match log.copy_to(folder) {
        Ok(()) => DONE,
        Err(error) => {
            tracing::error!("{error}");
            AT_FAULT
        }
    }
}

/// Reads the configuration, or makes it, then perhaps with the folder that goes when the run ends.
fn configured(command_line: &CommandLine, mode: &Mode) -> Result<(Configuration, Option<TempDir>), CompileError> {
    let environment = Environment::of_this_machine();
    let mut aside = None;
    let configuration = match mode {
        Mode::Recompile { config, .. } => Configuration::read_for_stored_model(config, &environment)?,
        Mode::Config(file) => {
            let load = |files: &ModelFiles| Some(model_facts(&*load_model(files).ok()?.model().ok()?));
            Configuration::read_with_model(file, &environment, &load)?
        }
        Mode::BuiltIn(options) => {
            let (file, folder) = built_in_file(options)?;
            aside = folder;
            let configuration = Configuration::read(&file, &environment)?;
            if options.purpose == Purpose::Speed {
                tell_lines(&configuration.inputs.iter().map(guessed).collect::<Vec<_>>(), "inputs");
            }
            configuration
        }
    };
    check_min_cosine(command_line, &configuration)?;
    for problem in &configuration.warnings {
        tracing::warn!("{}", problem.without_severity());
    }
    log_parameters(&configuration);
    Ok((configuration, aside))
}

/// Compiles. Nothing comes of it where only the pipeline is printed.
fn work(
    command_line: &CommandLine,
    mode: &Mode,
    configuration: &Configuration,
    console: &Console,
) -> Result<Option<CompilationOutcome>, CompileError> {
    if command_line.print_pipeline {
        let (declared, inputs) = inputs(configuration)?;
        let hbm = configuration.output_path(".hbm");
        print(format!("{}\n", equivalent_commands(configuration, &declared, &inputs, &hbm)))
            .map_err(|error| fault(error.to_string()))?;
        return Ok(None);
    }
    // The pool of the process; one that is there already is as good, since results do not depend on it.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(configuration.threads()).build_global();
    let stored = match mode {
        Mode::Recompile { model, .. } => Some(model.as_path()),
        Mode::Config(_) | Mode::BuiltIn(_) => None,
    };
    let stages = Stages { console, stop_after: command_line.last_stage(), stored };
    let outcome = match stored {
        Some(model) => recompile::recompile(configuration, model, &stages),
        None => compile(configuration, &stages),
    };
    let written = outcome.as_ref().map(|outcome| outcome.files.as_slice()).unwrap_or_default();
    for ending in [".hbm", "_advice.json"] {
        warn_of_earlier(&configuration.output_path(ending), written);
    }
    let mut outcome = outcome?;
    if let Mode::BuiltIn(options) = mode {
        outcome.purpose = Some(options.purpose);
        check::show(&outcome);
    }
    Ok(Some(outcome))
}

/// `--min-cosine` needs samples, and outputs to judge by them.
fn check_min_cosine(command_line: &CommandLine, configuration: &Configuration) -> Result<(), CompileError> {
    if command_line.min_cosine.is_none() {
        return Ok(());
    }
    if *configuration.get(&CALIBRATION_TYPE) == CalibrationType::Skip {
        return Err(fault(
            "--min-cosine: with calibration_type skip the samples are random numbers, which judge nothing",
        ));
    }
    match command_line.last_stage().filter(|stage| *stage < Stage::Quantize) {
        Some(stage) => {
            Err(fault(format!("--min-cosine: nothing is judged before the stage quantize, and {stage} is the last")))
        }
        None => Ok(()),
    }
}

/// A result that is where this run's would be must not be taken for it.
fn warn_of_earlier(result: &Path, written: &[PathBuf]) {
    if result.exists() && !written.iter().any(|path| path == result) {
        tracing::warn!("'{}' is the result of an earlier run, not of this one", result.display());
    }
}

pub(super) fn fault(message: impl Into<String>) -> CompileError {
    CompileError::Options(message.into())
}

/// Writes the built-in configuration of a model into its folder. A check only wants to know: where that folder cannot be written, another
/// one serves, which is gone when it is dropped.
fn built_in_file(options: &FastPerf) -> Result<(PathBuf, Option<TempDir>), CompileError> {
    let source = load_model(&options.files)?;
    let model = source.model().map_err(|error| fault(error.to_string()))?;
    let (what, name) = (options.purpose.name(), options.purpose.folder());
    match (writable(Path::new(name)), options.purpose) {
        (Ok(()), _) => {
            let file = write_built_in(options, &model, Path::new(name))?;
            tracing::info!(
                "{what}: the configuration is in '{}'; its thresholds are those of random data: latency counts, outputs do not",
                file.display()
            );
            Ok((file, None))
        }
        (Err(obstacle), Purpose::Speed) => Err(fault(format!(
            "{what}: its results go to the folder '{name}' of the current one, which cannot be written: {obstacle}; run it in a folder that \
             you may write to, or compile with --config, whose working_dir says where results go"
        ))),
        (Err(obstacle), Purpose::Check) => {
            let aside = tempfile::tempdir()
                .map_err(|error| fault(format!("{what}: there is no folder that files can be written to: {error}")))?;
            let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let proto = options.files.proto.as_ref().map(absolute);
            let files = ModelFiles { model: absolute(&options.files.model), proto };
            let file = write_built_in(&FastPerf { files, ..options.clone() }, &model, aside.path())?;
            tracing::warn!("{what}: '{name}' cannot be written: {obstacle}; no files of it are kept");
            Ok((file, Some(aside)))
        }
    }
}

/// Writes the built-in configuration of a model into `folder`; gives its path.
fn write_built_in(options: &FastPerf, model: &Model, folder: &Path) -> Result<PathBuf, CompileError> {
    let text = configuration_text(options, &model_inputs(model))
        .map_err(|error| check::obstacles(model, &error.to_string()))?;
    let file = folder.join("hb_compile.yaml");
    write_atomically(&file, text.as_bytes()).map_err(|error| fault(error.to_string()))?;
    Ok(file)
}

/// Makes a folder, and sees whether files can be made in it.
fn writable(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(drop)
}

/// What an input is taken for, which the predicted latency is of.
fn guessed(input: &InputSettings) -> String {
    let (name, shape) = (input.get(&INPUT_NAME), input.get(&INPUT_SHAPE));
    let (name, shape) = (name.as_deref().unwrap_or_default(), shape.as_deref().unwrap_or_default());
    let shape = shape.iter().map(u64::to_string).collect::<Vec<_>>().join("x");
    let (train, runtime) = (*input.get(&INPUT_TYPE_TRAIN), *input.get(&INPUT_TYPE_RT));
    let taken = match runtime {
        InputType::Featuremap => "a featuremap".to_owned(),
        _ => format!(
            "an image: {} at run time, trained on {} in {}",
            runtime.word(),
            train.word(),
            input.get(&INPUT_LAYOUT_TRAIN).word()
        ),
    };
    format!("input '{name}' ({shape}) is taken for {taken}")
}

/// The list is long, so it is for the file; the console is told how many were given.
fn log_parameters(configuration: &Configuration) {
    for parameter in &configuration.parameters {
        let (row, effective) = (parameter.parameter, printable(&parameter.effective));
        match &parameter.given {
            Some(_) if row.status == Status::NotYet => {
                tracing::debug!("{}: {effective} (nothing else is supported yet)", row.path());
            }
            Some(_) => tracing::debug!("{}: {effective}", row.path()),
            None => {
                let later = row.later.map_or_else(String::new, |otherwise| format!("; in later releases {otherwise}"));
                tracing::debug!("{}: {effective} (default{later})", row.path());
            }
        }
    }
    let given = configuration.parameters.iter().filter(|parameter| parameter.given.is_some()).count();
    let (file, all, threads) =
        (printable(&configuration.file.display().to_string()), configuration.parameters.len(), configuration.threads());
    tracing::info!("configuration '{file}': {given} of {all} parameters given, {threads} parallel job(s)");
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
