//! The stages of a compilation, in order, and what goes wrong in them.

use super::accuracy;
use super::compare::{self, BackgroundRun, NodeFacts};
use super::configuration::{
    CALIBRATION_TYPE, CalibrationType, CheckedInput, Configuration, INPUT_LAYOUT_TRAIN, INPUT_SPACE_AND_RANGE,
    INPUT_TYPE_RT, INPUT_TYPE_TRAIN, LAYER_OUT_DUMP, MARCH, MEAN_VALUE, Problems, SCALE_VALUE, WORKING_DIR, counted,
};
use super::editing;
use super::fidelity::{self, ProgramCheck};
use super::import::{Imported, Reshaped};
use super::log::tell_names;
use super::outcome::CompilationOutcome;
use super::placement::optimize;
use super::progress::Console;
use super::quantize::Reference;
use super::samples::SampleFiles;
use super::{package, provenance, tables};
use crate::bpu::lower::border;
use crate::cpu::{Array, Error as CpuError, ExecutableOptions, FloatExecutable, KernelCache, Observe};
use crate::files::FileSet;
use crate::float::preprocessing::{self, Preprocessing};
use crate::frontend::mlir;
use crate::frontend::onnx::{self, ModelFile};
use crate::hbm::Hbm;
use crate::pipeline::{self, on_functions};
use crate::quant::{
    calibrate::{CalibrationError, Values},
    evidence::Calibrated,
    requests::Kinds,
    selections::judged_values,
};
use crate::target::Target;
use hb_dialects::ir;
use melior::{
    Context,
    ir::{Module, OperationRef},
};
use std::cell::OnceCell;
use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
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
    /// In their order.
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
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum CompileError {
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
    /// Where progress is shown.
    pub console: &'a Console,
    /// The last stage to run; none for all.
    pub stop_after: Option<Stage>,
    /// The stored model that is compiled in place of that of the configuration.
    pub stored: Option<&'a Path>,
}

impl<'a> Stages<'a> {
    /// All of them, on the model of the configuration.
    pub fn all(console: &'a Console) -> Self {
        Self { console, stop_after: None, stored: None }
    }
}

impl Stages<'_> {
    /// Results, none of which takes the place of what is read.
    pub fn beside_what_is_read(&self, configuration: &Configuration) -> FileSet {
        let stored = self.stored.map(Path::to_owned);
        FileSet::beside(&configuration.files_read().into_iter().chain(stored).collect::<Vec<_>>())
    }

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

/// Named pipelines. `qdq-to-bpu` is the two after it; between them stands what runs where.
pub(super) const OPTIMIZE: &str = "hfloat-optimize";
pub(super) const QDQ_TO_BPU: &str = "qdq-to-bpu";
/// See `src/pipeline.rs`.
pub(super) const BPU_TO_NASH: &str = "bpu-to-nash";
pub(super) const EXPOSE_LAYERS: &str = "bpu-expose-layers";
const QDQ_TO_PLACED: &str = "qdq-to-placed";
const PLACED_TO_BPU: &str = "placed-to-bpu";

/// What a stage gives when something fails.
pub(super) type StageError = Box<dyn std::error::Error + Send + Sync>;

/// Compiles the model of `configuration` into its `working_dir`, up to the stage asked for.
pub fn compile(configuration: &Configuration, stages: &Stages<'_>) -> Result<CompilationOutcome, CompileError> {
    let context = crate::pipeline::context();
    let target = Target::named(configuration.get(&MARCH).as_str())
        .map_err(|source| CompileError::Stage { stage: Stage::Import, source: source.into() })?;
    working_folder(configuration)?;
    let imported = stages.run(Stage::Import, || Imported::read(&context, configuration))?;
    compile_network(&context, &target, configuration, stages, imported)
}

/// Makes `working_dir`.
pub(super) fn working_folder(configuration: &Configuration) -> Result<(), CompileError> {
    let folder = configuration.get(&WORKING_DIR);
    std::fs::create_dir_all(folder).map_err(|error| {
        let what = format!("'{}' cannot be made: {error}", folder.display());
        Problems(vec![configuration.problem(&WORKING_DIR, what, "give a folder that you may write to")]).into()
    })
}

/// Takes a network of floats through the stages after import.
pub(super) fn compile_network<'c>(
    context: &'c Context,
    target: &Target,
    configuration: &Configuration,
    stages: &Stages<'_>,
    Imported { original, mut module, inputs, reshaped, .. }: Imported<'c>,
) -> Result<CompilationOutcome, CompileError> {
    let function = compare::network(module.as_operation());
    let (nodes, kinds) =
        function.map(|function| (compare::user_nodes(function), compare::kinds(function))).unwrap_or_default();
    let network =
        NetworkStages { nodes, kinds, reshaped, ..NetworkStages::new(context, configuration, target, stages) };
    // Everything is written at the end, so that a failed compilation leaves no half of a result.
    let mut files = stages.beside_what_is_read(configuration);
    network.write_model(&original, "_original_float_model.onnx", &mut files)?;
    drop(original);
    let mut outcome = CompilationOutcome::default();
    if let Some(reference) = network.float_stages(&mut module, &inputs, &mut files)? {
        network.integer_stages(module, &inputs, &mut files, reference, &mut outcome)?;
    }
    outcome.last_stage = stages.stop_after.or(Some(Stage::Compile));
    outcome.files = files.paths();
    files.commit().map_err(|error| CompileError::Stage { stage: Stage::Compile, source: error.into() })?;
    Ok(outcome)
}

/// A network on its way through the stages.
pub(super) struct NetworkStages<'a> {
    pub(super) context: &'a Context,
    pub(super) configuration: &'a Configuration,
    pub(super) target: &'a Target,
    pub(super) stages: &'a Stages<'a>,
    /// What the user's model has.
    nodes: Vec<String>,
    /// Their operators.
    pub(super) kinds: Kinds,
    reshaped: Reshaped,
    /// The code of the float network serves its QDQ form, too.
    kernels: Arc<KernelCache>,
    /// The folders of samples, once they were looked into.
    pub(super) opened: OnceCell<SampleFiles>,
}

impl<'a> NetworkStages<'a> {
    pub(super) fn new(
        context: &'a Context,
        configuration: &'a Configuration,
        target: &'a Target,
        stages: &'a Stages<'a>,
    ) -> Self {
        Self {
            context,
            configuration,
            target,
            stages,
            nodes: Vec::new(),
            kinds: Kinds::default(),
            reshaped: Reshaped::default(),
            kernels: Arc::default(),
            opened: OnceCell::new(),
        }
    }
}

impl NetworkStages<'_> {
    /// A network for a few samples side by side, with every value observed.
    pub(super) fn observed(&self, function: OperationRef<'_, '_>) -> Result<FloatExecutable, CpuError> {
        FloatExecutable::compile(function, self.side_by_side())
    }

    /// As `observed`, but where its outputs follow from selections it gives what these read.
    pub(super) fn judged(&self, function: OperationRef<'_, '_>) -> Result<FloatExecutable, CalibrationError> {
        Ok(match judged_values(function)? {
            Some(values) => FloatExecutable::compile_values(function, &values, self.side_by_side())?,
            None => self.observed(function)?,
        })
    }

    /// How networks are made that run several samples at a time. A search runs them hundreds of times.
    fn side_by_side(&self) -> ExecutableOptions {
        let (single_threaded, quick) = (self.configuration.threads() > 1, self.wanted_cosine().is_none());
        ExecutableOptions { single_threaded, quick, ..self.executable_options() }
    }

    /// How networks are made for a few runs, each on all threads.
    pub(super) fn executable_options(&self) -> ExecutableOptions {
        ExecutableOptions {
            observe: Observe::Everything,
            quick: true,
            kernels: Some(Arc::clone(&self.kernels)),
            ..ExecutableOptions::default()
        }
    }

    /// Import to calibrate; `None` when the compilation is to end there.
    fn float_stages(
        &self,
        module: &mut Module<'_>,
        inputs: &[CheckedInput],
        files: &mut FileSet,
    ) -> Result<Option<Reference>, CompileError> {
        let stages = self.stages;
        if stages.ends_after(Stage::Import) {
            return Ok(None);
        }
        stages.run(Stage::Optimize, || -> Result<(), StageError> {
            self.reshaped.explain(pipeline::run(self.context, module, &optimize(self.configuration)))?;
            self.report_recurrences(module)?;
            self.place_requested(module)
        })?;
        self.keep_resources(&[module]);
        self.write_model(module, "_optimized_float_model.onnx", files)?;
        if stages.ends_after(Stage::Optimize) {
            return Ok(None);
        }
        let reference = stages.run(Stage::Calibrate, || self.calibrate(module, inputs, files))?;
        self.write_model(module, "_calibrated_model.onnx", files)?;
        if stages.ends_after(Stage::Calibrate) {
            let info = reference.calibrated.info().map_err(StageError::from);
            let staged = info.and_then(|info| self.stage_info(info, files));
            staged.map_err(|source| CompileError::Stage { stage: Stage::Calibrate, source })?;
            return Ok(None);
        }
        Ok(Some(reference))
    }

    /// Quantize to compile, or to the stage asked for. What it comes to is noted in `outcome`.
    fn integer_stages(
        &self,
        mut module: Module<'_>,
        inputs: &[CheckedInput],
        files: &mut FileSet,
        reference: Reference,
        outcome: &mut CompilationOutcome,
    ) -> Result<(), CompileError> {
        let stages = self.stages;
        let (run, judgement) = stages.run(Stage::Quantize, || self.quantize(&mut module, &reference, files))?;
        outcome.judgement = judgement;
        let Reference { sample, calibrated: Calibrated { first: float, .. }, .. } = reference;
        self.write_model(&module, "_ptq_model.onnx", files)?;
        if stages.ends_after(Stage::Quantize) {
            return Ok(());
        }
        let qdq = ir::copy_module(&module);
        let qdq = qdq.map_err(|error| CompileError::Stage { stage: Stage::Place, source: error.into() })?;
        let Placed { facts, segments, bytecode } = stages.run(Stage::Place, || self.place(&mut module, inputs))?;
        self.report_placement(&facts);
        let staged = files.stage_behind(&self.configuration.output_path("_quantized_model.bc"), move |file| {
            file.write_all(&bytecode)
        });
        staged.map_err(|error| CompileError::Stage { stage: Stage::Place, source: error.into() })?;
        outcome.nodes = facts;
        if stages.ends_after(Stage::Place) {
            return Ok(());
        }
        let lower = self.configuration.pass(BPU_TO_NASH, &[]);
        stages.run(Stage::Lower, || pipeline::run(self.context, &mut module, &lower))?;
        if stages.ends_after(Stage::Lower) {
            return Ok(());
        }
        let levels = Levels { qdq, segments };
        stages.run(Stage::Compile, || -> Result<(), StageError> {
            let compilation = package::Compilation::of(self.configuration);
            let hbm = package::package(self.context, module.as_operation(), &compilation)?;
            drop(module);
            self.report(levels, files, hbm, (sample, float, run), outcome)
        })
    }

    /// Names the nodes that no row of the report will be made from, beside those that were removed from `deployed` because somebody asked
    /// for it.
    fn report_vanished(&self, facts: &[NodeFacts], deployed: OperationRef<'_, '_>) {
        let removed = border::removed(deployed);
        let left = facts.iter().flat_map(|fact| &fact.origins).chain(removed.iter().map(|node| &node.name));
        let left: HashSet<&String> = left.collect();
        let vanished: Vec<&str> = self.nodes.iter().filter(|node| !left.contains(node)).map(String::as_str).collect();
        if !vanished.is_empty() {
            let count = counted(vanished.len(), "node");
            tell_names(&format!("{count} with nothing left to compute when the model runs"), &vanished);
        }
    }

    /// Turns the QDQ form into segments.
    fn place<'c>(&self, module: &mut Module<'c>, inputs: &[CheckedInput]) -> Result<Placed<'c>, StageError> {
        let configuration = self.configuration;
        let mut own = ir::copy_module(module)?;
        let batched = self.batched(module)?;
        let by_name = editing::removes_by_name(configuration);
        // With further outputs the segments are others, too.
        let dumps = *configuration.get(&LAYER_OUT_DUMP);
        let mut differs = by_name || dumps || batched.is_some() || inputs.iter().any(changes);
        if differs {
            pipeline::run(self.context, &mut own, QDQ_TO_BPU)?;
        }
        if by_name {
            editing::check_removed_names(configuration, &self.nodes, compare::network(own.as_operation())?)?;
        }
        let passes = editing::deploying_passes(configuration, inputs);
        pipeline::run(self.context, module, &passes.join(","))?;
        pipeline::run(self.context, module, &editing::removing(configuration, QDQ_TO_PLACED))?;
        let placed = compare::network(module.as_operation())?;
        let (facts, removable) = (compare::node_facts(placed), border::removable(placed));
        editing::run_removing(self.context, configuration, module, PLACED_TO_BPU)?;
        // Before samples are separated: what can be removed is named as in the network of one sample.
        editing::report(configuration, compare::network(module.as_operation())?, removable);
        if let Some(passes) = editing::separating_passes(configuration) {
            pipeline::run(self.context, module, &passes)?;
        }
        provenance::attach(self.context, module, configuration);
        let bytecode = mlir::bytecode(module.as_operation())?;
        let function = compare::network(module.as_operation())?;
        self.report_vanished(&facts, function);
        if !differs && !border::removed(function).is_empty() {
            differs = true;
            pipeline::run(self.context, &mut own, QDQ_TO_BPU)?;
        }
        expose_layers(self.context, module, configuration)?;
        let deployed = ir::copy_module(module)?;
        let (own, deployed) = if differs { (own, Some(deployed)) } else { (deployed, None) };
        Ok(Placed { facts, segments: Segments { own, batched, deployed }, bytecode })
    }

    /// The segments of as many samples as are deployed at once; none for one.
    fn batched<'c>(&self, module: &Module<'c>) -> Result<Option<Module<'c>>, StageError> {
        let Some(pass) = editing::set_batch_pass(self.configuration) else { return Ok(None) };
        let mut batched = ir::copy_module(module)?;
        pipeline::run(self.context, &mut batched, &format!("{pass},{QDQ_TO_BPU}"))?;
        Ok(Some(batched))
    }

    /// Frees the constants that only former forms of the network had. `modules` are all those that are still there.
    pub(super) fn keep_resources(&self, modules: &[&Module<'_>]) {
        let operations: Vec<_> = modules.iter().map(|module| module.as_operation()).collect();
        // SAFETY: the stages hold no constants beside those of these modules, and one thread uses the context.
        unsafe { ir::keep_resources(self.context, &operations) };
    }

    fn stage_file(&self, files: &mut FileSet, ending: &str, bytes: &[u8]) -> Result<(), CompileError> {
        let staged = files.stage(&self.configuration.output_path(ending), bytes);
        staged.map_err(|error| CompileError::Stage { stage: Stage::Compile, source: error.into() })
    }

    fn write_model(&self, module: &Module<'_>, ending: &str, files: &mut FileSet) -> Result<(), CompileError> {
        let model = onnx::export(module.as_operation()).and_then(|model| ModelFile::of(&model));
        let model = model.map_err(|error| CompileError::Stage { stage: Stage::Import, source: error.into() })?;
        let staged = files.stage_behind(&self.configuration.output_path(ending), move |file| model.write_to(file));
        staged.map_err(|error| CompileError::Stage { stage: Stage::Compile, source: error.into() })
    }

    /// Compares the levels, predicts the performance, and stages what the last stage writes.
    fn report(
        &self,
        levels: Levels<'_>,
        files: &mut FileSet,
        hbm: Vec<u8>,
        (sample, float, run): (Vec<Array>, Values, BackgroundRun),
        outcome: &mut CompilationOutcome,
    ) -> Result<(), StageError> {
        let hbm = Arc::new(Hbm::from_bytes(hbm)?);
        // Written while it is compared; it appears only if that finds nothing.
        let written = Arc::clone(&hbm);
        files.stage_behind(&self.configuration.output_path(".hbm"), move |file| file.write_all(written.bytes()))?;
        let Levels { qdq, segments } = levels;
        let function = compare::network(segments.own.as_operation())?;
        let mut programs = ProgramCheck::new(&hbm, self.target);
        let quantized =
            compare::run_segments(function, &compare::bytes_of(&sample), &mut |segment, inputs, outputs| {
                if segments.deployed.is_none() {
                    programs.see(segment, inputs, outputs);
                }
            })?;
        let calibrated = run.values()?;
        outcome.rows = compare::node_rows(&outcome.nodes, &float, &calibrated, &quantized);
        outcome.outputs = compare::output_rows(function, &float, &calibrated, &quantized);
        tracing::debug!("nodes, compared on one sample:\n{}", tables::node_table(&outcome.rows));
        let compared_on = match *self.configuration.get(&CALIBRATION_TYPE) {
            CalibrationType::Skip => "random numbers, which say nothing of the accuracy on real data",
            _ => "one sample",
        };
        tracing::info!("outputs, compared on {compared_on}:\n{}", tables::output_table(&outcome.outputs));
        let levels = accuracy::Levels { float: &float, calibrated: &calibrated, quantized: &quantized };
        let judgement = outcome.judgement.as_ref();
        let accuracy = accuracy::accuracy(&outcome.nodes, &outcome.rows, &outcome.outputs, levels, judgement);
        self.stage_file(files, "_accuracy.json", (serde_json::to_string_pretty(&accuracy)? + "\n").as_bytes())?;
        // The values of all nodes of a large network are much memory, and what follows needs more.
        drop((float, calibrated));
        self.stage_file(files, "_node_info.csv", tables::node_csv(&outcome.rows).as_bytes())?;
        if let Some(batched) = &segments.batched {
            fidelity::check_batch(function, compare::network(batched.as_operation())?, &sample)?;
        }
        if let Some(deployed) = &segments.deployed {
            let deployed = compare::network(deployed.as_operation())?;
            let inputs = fidelity::deployed_sample(deployed, (function, &sample))?;
            let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            compare::run_segments(deployed, &inputs, &mut |segment, inputs, outputs| {
                programs.see(segment, inputs, outputs);
            })?;
        }
        programs.finish()?;
        drop(segments);
        self.keep_resources(&[&qdq]);
        self.check_nodes(qdq, &outcome.nodes, (sample, quantized.nodes))?;
        outcome.prediction = Some(self.predict(&hbm, Some(&accuracy), files)?);
        Ok(())
    }
}

/// What the stage place makes.
struct Placed<'c> {
    facts: Vec<NodeFacts>,
    segments: Segments<'c>,
    /// The segments as they are stored.
    bytecode: Vec<u8>,
}

/// Makes inner layers outputs of a network of segments, where `layer_out_dump` asks for it.
pub(super) fn expose_layers(
    context: &Context,
    module: &mut Module<'_>,
    configuration: &Configuration,
) -> Result<(), StageError> {
    if *configuration.get(&LAYER_OUT_DUMP) {
        pipeline::run(context, module, &on_functions(EXPOSE_LAYERS))?;
    }
    Ok(())
}

/// The last levels of a network.
struct Levels<'c> {
    /// The quantized network with its own inputs.
    qdq: Module<'c>,
    /// What it becomes.
    segments: Segments<'c>,
}

/// The networks of segments that a quantized network becomes.
struct Segments<'c> {
    /// With its own inputs and outputs, for one sample.
    own: Module<'c>,
    /// The same for as many samples as the deployed network takes, where it takes several.
    batched: Option<Module<'c>>,
    /// The segments of the deployed network, where it has other inputs or outputs.
    deployed: Option<Module<'c>>,
}

/// The pass that says how the data of a deployed input becomes the network's input.
pub(super) fn assign_preprocessing_pass(input: &CheckedInput) -> String {
    on_functions(&input.pass(preprocessing::PASS_NAME))
}

/// Whether the deployed input is another than the network's own.
fn changes(input: &CheckedInput) -> bool {
    let preprocessing = Preprocessing {
        type_rt: *input.get(&INPUT_TYPE_RT),
        type_train: *input.get(&INPUT_TYPE_TRAIN),
        space_and_range: *input.get(&INPUT_SPACE_AND_RANGE),
        resized: input.resized,
        layout: *input.get(&INPUT_LAYOUT_TRAIN),
        mean: input.per_channel(&MEAN_VALUE),
        scale: input.per_channel(&SCALE_VALUE),
    };
    preprocessing.changes_input()
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
        let stages = Stages { stop_after: Some(Stage::Place), ..Stages::all(&console) };
        let plain = stages.run(Stage::Lower, || Err::<(), _>("Conv_3: too large")).expect_err("fails");
        assert_eq!(plain.to_string(), "lower: Conv_3: too large");
        let own = stages.run(Stage::Lower, || Err::<(), _>(CompileError::Options("x".into()))).expect_err("fails");
        assert_eq!(own.to_string(), "x");
        assert_eq!(stages.run(Stage::Import, || Ok::<_, CompileError>(7)).expect("runs"), 7);
        assert!(stages.ends_after(Stage::Place) && !stages.ends_after(Stage::Lower));
    }
}
