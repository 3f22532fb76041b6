//! The stages of a compilation, in order, and what goes wrong in them.

use super::configuration::{CheckedInput, Configuration, ModelInput, Problems};
use super::progress::Console;
use crate::frontend::onnx::model::{Dimension, Model, Value};
use crate::frontend::onnx::{self, ImportOptions};
use std::fmt;
use std::time::Instant;

/// A stage of a compilation. `--stop-after` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Stage {
    /// The model becomes hfloat.
    Import,
    /// hfloat is simplified and fused.
    Optimize,
    /// Value ranges are found from samples.
    Calibrate,
    /// hfloat becomes quant.
    Quantize,
    /// What runs on the BPU and what on the CPU is decided; quant becomes bpu.
    Place,
    /// bpu becomes nash.
    Lower,
    /// nash becomes a .hbm, with its reports.
    Compile,
}

impl Stage {
    pub const ALL: [Self; 7] =
        [Self::Import, Self::Optimize, Self::Calibrate, Self::Quantize, Self::Place, Self::Lower, Self::Compile];

    /// The name that the command line and the log use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Optimize => "optimize",
            Self::Calibrate => "calibrate",
            Self::Quantize => "quantize",
            Self::Place => "place",
            Self::Lower => "lower",
            Self::Compile => "compile",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a compilation ended early.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("{0} is not wired yet; this build of hb cannot compile models")]
    NotWired(&'static str),
    /// The options of the command line do not fit the model; the text says how.
    #[error("{0}")]
    Options(String),
    /// Printed one problem to a line, each with its place.
    #[error("{0}")]
    Configuration(#[from] Problems),
    /// The error of a stage names the node or file at fault itself.
    #[error("{stage}: {source}")]
    Stage { stage: Stage, source: Box<dyn std::error::Error + Send + Sync> },
}

/// Runs stages with their lines in the log.
#[derive(Debug)]
pub struct Stages<'a> {
    pub console: &'a Console,
    pub stop_after: Option<Stage>,
}

impl Stages<'_> {
    /// Runs one stage between its lines in the log.
    pub fn run<T, E>(&self, stage: Stage, work: impl FnOnce() -> Result<T, E>) -> Result<T, CompileError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        tracing::info!("{stage}: start");
        let start = Instant::now();
        let outcome = work();
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(result) => {
                tracing::info!("{stage}: done in {seconds:.2} s");
                Ok(result)
            }
            Err(source) => {
                tracing::debug!("{stage}: failed after {seconds:.2} s");
                let source = source.into();
                // An error that says all by itself is not wrapped again.
                match source.downcast::<CompileError>() {
                    Ok(error) => Err(*error),
                    Err(source) => Err(CompileError::Stage { stage, source }),
                }
            }
        }
    }

    /// Whether the compilation is to end after `stage`.
    pub fn ends_after(&self, stage: Stage) -> bool {
        self.stop_after == Some(stage)
    }
}

/// The inputs that a model declares, as the configuration is checked against them.
pub fn model_inputs(model: &Model) -> Vec<ModelInput> {
    let size = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => u64::try_from(*size).ok(),
        Dimension::Named(_) => None,
    };
    let input = |input: &Value| ModelInput {
        name: input.name.clone(),
        // The reader refuses inputs without a type; one without a rank fits no configuration.
        shape: input.shape.iter().flatten().map(size).collect(),
        element: input.element.map_or_else(|| "unknown".to_owned(), |element| element.name().to_lowercase()),
    };
    model.graph.inputs.iter().map(input).collect()
}

/// The shapes that the importer gives the inputs.
pub fn import_options(inputs: &[CheckedInput]) -> ImportOptions {
    let sizes =
        |input: &CheckedInput| input.shape.iter().map(|size| usize::try_from(*size).unwrap_or(usize::MAX)).collect();
    ImportOptions { input_shapes: inputs.iter().map(|input| (input.name.clone(), sizes(input))).collect() }
}

/// Compiles the model of `configuration` into its `working_dir`, up to the stage asked for.
pub fn compile(configuration: &Configuration, stages: &Stages<'_>) -> Result<(), CompileError> {
    let context = crate::pipeline::context();
    let _module = stages.run(Stage::Import, || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        let model = onnx::load(&configuration.onnx_model)?;
        let inputs = configuration.check_against(&model_inputs(&model)).map_err(CompileError::from)?;
        Ok(onnx::import(&context, model, &import_options(&inputs))?)
    })?;
    std::fs::create_dir_all(&configuration.working_dir).map_err(|error| {
        let what = format!("'{}' cannot be made: {error}", configuration.working_dir.display());
        Problems(vec![configuration.problem("working_dir", what, "give a folder that you may write to")])
    })?;
    if stages.ends_after(Stage::Import) {
        return Ok(());
    }
    Err(CompileError::NotWired("the stages after import"))
}

/// The hb-opt command that does what [`compile`] does with the network between import and the .hbm.
pub fn hb_opt_command(_configuration: &Configuration) -> Result<String, CompileError> {
    Err(CompileError::NotWired("printing the pipeline"))
}

#[cfg(test)]
mod tests {
    use super::super::progress::Verbosity;
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn names_are_those_of_the_command_line() {
        for stage in Stage::ALL {
            assert_eq!(stage.to_possible_value().expect("a value").get_name(), stage.name());
        }
    }

    #[test]
    fn errors_are_wrapped_once() {
        let console = Console::new(Verbosity::Quiet);
        let stages = Stages { console: &console, stop_after: Some(Stage::Place) };
        let plain = stages.run(Stage::Lower, || Err::<(), _>("Conv_3: too large")).expect_err("fails");
        assert_eq!(plain.to_string(), "lower: Conv_3: too large");
        let own = stages.run(Stage::Lower, || Err::<(), _>(CompileError::NotWired("x"))).expect_err("fails");
        assert!(matches!(own, CompileError::NotWired("x")));
        assert_eq!(stages.run(Stage::Import, || Ok::<_, CompileError>(7)).expect("runs"), 7);
        assert!(stages.ends_after(Stage::Place) && !stages.ends_after(Stage::Lower));
    }
}
