//! A stored model compiled anew: from `{prefix}_quantized_model.bc` straight to the `.hbm`, from hfloat as from ONNX.

use super::compare::{self, NodeFacts, run_segments};
use super::compile::{
    BPU_TO_NASH, CompileError, NetworkStages, Stage, StageError, Stages, compile_network, expose_layers, working_folder,
};
use super::configuration::{
    CheckedInput, Configuration, INPUT_SHAPE, MARCH, ModelFacts, ModelInput, ModelNode, Problems, declared_shape,
};
use super::fidelity::{ProgramCheck, deployed_sample};
use super::import::Imported;
use super::outcome::CompilationOutcome;
use super::run::fault;
use super::{package, provenance};
use crate::bpu::lower::Placement;
use crate::frontend::mlir;
use crate::hbm::{Hbm, SegmentBody};
use crate::nash::mlir::PROGRAM;
use crate::pipeline;
use crate::sim::segmented::is_segmented;
use crate::target::Target;
use hb_dialects::hfloat::Op;
use hb_dialects::ir::{self, OperationAttributes, Origin, TensorType};
use hb_dialects::names::input_names;
use hb_dialects::quant;
use melior::ir::{Module, OperationRef, ValueLike};
use std::path::Path;
use std::sync::Arc;

/// What a stored model holds.
enum Level {
    /// A network of floats.
    Float,
    /// Segments.
    Bpu,
}

/// Compiles the stored model at `path` as `configuration` says.
///
/// # Errors
/// When it is none that hb wrote, or cannot be compiled.
pub(super) fn recompile(
    configuration: &Configuration,
    path: &Path,
    stages: &Stages<'_>,
) -> Result<CompilationOutcome, CompileError> {
    let context = pipeline::context();
    let target = Target::named(configuration.get(&MARCH).as_str())
        .map_err(|source| CompileError::Stage { stage: Stage::Import, source: source.into() })?;
    working_folder(configuration)?;
    let module = stages.run(Stage::Import, || mlir::read(&context, path))?;
    let function =
        compare::network(module.as_operation()).map_err(|error| fault(format!("{}: {error}", path.display())))?;
    let level = level(function).map_err(|reason| fault(format!("{}: {reason}", path.display())))?;
    match level {
        Level::Float => {
            let facts = ModelFacts { inputs: inputs_of(function)?, nodes: nodes_of(function) };
            let inputs = configuration.check_against(&facts)?;
            check_shapes(configuration, &facts.inputs, &inputs)?;
            let source = |source| CompileError::Stage { stage: Stage::Import, source };
            let imported = Imported::of(&context, configuration, module, inputs).map_err(source)?;
            compile_network(&context, &target, configuration, stages, imported)
        }
        Level::Bpu => {
            let network = NetworkStages::new(&context, configuration, &target, stages);
            network.compile_stored(module, path)
        }
    }
}

fn level(function: OperationRef<'_, '_>) -> Result<Level, String> {
    let operations = ir::body(function).map(ir::operations).unwrap_or_default();
    if operations.iter().any(|operation| operation.operation_name() == PROGRAM) {
        return Err("it holds programs already; hb-translate --emit-hbm makes a .hbm of them".into());
    }
    if is_segmented(function) {
        return Ok(Level::Bpu);
    }
    if operations.iter().any(|operation| quant::Op::is_cast(*operation)) {
        return Err("it is the QDQ form, which has no calibration data; give {prefix}_quantized_model.bc".into());
    }
    Ok(Level::Float)
}

/// The inputs of a function, as a model declares them.
fn inputs_of(function: OperationRef<'_, '_>) -> Result<Vec<ModelInput>, CompileError> {
    let arguments = ir::body(function).map(ir::arguments).unwrap_or_default();
    let input = |(name, argument): (String, melior::ir::Value<'_, '_>)| {
        let r#type = TensorType::from_type(argument.r#type()).map_err(|error| fault(error.to_string()))?;
        let shape = r#type.static_shape().map_err(|error| fault(error.to_string()))?;
        Ok(ModelInput {
            name,
            shape: shape.into_iter().map(|size| Some(size as u64)).collect(),
            element: r#type.element.storage().onnx_name().to_lowercase(),
        })
    };
    input_names(function).into_iter().zip(arguments).map(input).collect()
}

/// The shapes of a stored network stay: what the importer made of them is in its constants.
fn check_shapes(
    configuration: &Configuration,
    stored: &[ModelInput],
    inputs: &[CheckedInput],
) -> Result<(), CompileError> {
    let differs = |(stored, input): &(&ModelInput, &CheckedInput)| {
        !stored.shape.iter().copied().eq(input.shape.iter().copied().map(Some))
    };
    let problem = |(stored, _): (&ModelInput, &CheckedInput)| {
        let what = format!("input '{}' of the stored model is {}", stored.name, declared_shape(&stored.shape));
        configuration.problem(&INPUT_SHAPE, what, "compile the ONNX model anew to change it")
    };
    let problems: Vec<_> = stored.iter().zip(inputs).filter(differs).map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems).into()) }
}

/// The nodes of a function, and those that went into them.
fn nodes_of(function: OperationRef<'_, '_>) -> Vec<ModelNode> {
    let mut nodes = Vec::new();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if let Some(op) = Op::of(operation).filter(|op| *op != Op::Constant) {
            let operator = op.onnx().name.to_owned();
            let Origin { name, nodes: origins } = operation.origin();
            let node = |name: String| ModelNode::new(&name, &operator);
            nodes.extend([name].into_iter().chain(origins).map(node));
        }
    }
    nodes
}

impl NetworkStages<'_> {
    /// Segments to the `.hbm`.
    fn compile_stored(&self, mut module: Module<'_>, path: &Path) -> Result<CompilationOutcome, CompileError> {
        if let Some(last) = self.stages.stop_after.filter(|last| *last < Stage::Lower) {
            return Err(fault(format!(
                "--skip or --stop-after cannot be used with -m {}: the run would end after {last}, but the stored model is past that, and only \
                 lower and compile are left; leave the option out, or give --stop-after lower",
                path.display()
            )));
        }
        let made_with = provenance::parameters(module.as_operation());
        if made_with.is_empty() {
            tracing::warn!("{}: it does not say with which parameters it was made", path.display());
        }
        let (parameters, notes) = provenance::settled(self.configuration, &made_with);
        for note in &notes {
            tracing::warn!("{}", note.without_severity());
        }
        let mut outcome = CompilationOutcome { last_stage: self.stages.stop_after, ..CompilationOutcome::default() };
        let segments = self.stages.run(Stage::Lower, || -> Result<_, StageError> {
            expose_layers(self.context, &mut module, self.configuration)?;
            let segments = ir::copy_module(&module)?;
            pipeline::run(self.context, &mut module, &self.configuration.pass(BPU_TO_NASH, &[]))?;
            Ok(segments)
        })?;
        if self.stages.ends_after(Stage::Lower) {
            return Ok(outcome);
        }
        let mut files = self.stages.beside_what_is_read(self.configuration);
        self.stages.run(Stage::Compile, || -> Result<(), StageError> {
            let compilation =
                package::Compilation { parameters: &parameters, ..package::Compilation::of(self.configuration) };
            let bytes = package::package(self.context, module.as_operation(), &compilation)?;
            drop(module);
            files.stage(&self.configuration.output_path(".hbm"), &bytes)?;
            let hbm = Arc::new(Hbm::from_bytes(bytes)?);
            let function = compare::network(segments.as_operation())?;
            let inputs = deployed_sample(function, (function, &[]))?;
            let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            let mut programs = ProgramCheck::new(&hbm, self.target);
            run_segments(function, &inputs, &mut |segment, inputs, outputs| programs.see(segment, inputs, outputs))?;
            programs.finish()?;
            outcome.nodes = nodes(&hbm);
            outcome.prediction = Some(self.predict(&hbm, None, &mut files)?);
            Ok(())
        })?;
        outcome.last_stage = Some(Stage::Compile);
        outcome.files = files.paths();
        files.commit().map_err(|error| CompileError::Stage { stage: Stage::Compile, source: error.into() })?;
        Ok(outcome)
    }
}

/// The layers of a `.hbm`; why one is on the CPU was decided when the model was quantized.
fn nodes(hbm: &Hbm) -> Vec<NodeFacts> {
    let manifest = hbm.manifest();
    let fact = |layer: &crate::hbm::Layer| {
        let body = manifest.segments.get(layer.segment).map(|segment| &segment.body);
        let placement = match body {
            Some(SegmentBody::Bpu(_)) => Placement::Bpu,
            _ => Placement::Cpu { reason: "It was placed there when the model was quantized.".into() },
        };
        let output_data_type = String::new();
        NodeFacts {
            name: layer.name.clone(),
            origins: layer.origins.clone(),
            inner_nodes: Vec::new(),
            operator: layer.operator_type.clone(),
            placement,
            threshold: None,
            integers: None,
            output_data_type,
            crossings: Vec::new(),
        }
    };
    manifest.layers.iter().map(fact).collect()
}
