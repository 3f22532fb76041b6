//! The first stage: a file becomes hfloat, with the shapes and outputs that the configuration asks for.

use super::compare;
use super::compile::{CompileError, Stage, StageError};
use super::configuration::{CheckedInput, Configuration, ModelFacts, ModelInput, ModelNode, declared_shape};
use super::editing;
use super::log::tell_names;
use crate::float::frozen_sizes::frozen_sizes;
use crate::frontend::caffe::CaffeError;
use crate::frontend::onnx::model::{Attribute, Graph, Model, Value};
use crate::frontend::onnx::{ImportOptions, OnnxError};
use crate::frontend::{ModelFiles, ModelSource, SourceError};
use crate::pipeline;
use hb_dialects::{hfloat::has_faults, ir};
use melior::{Context, ir::Module};
use std::path::Path;

/// The inputs that a model declares, as the configuration is checked against them.
pub fn model_inputs(model: &Model) -> Vec<ModelInput> {
    let input = |input: &Value| ModelInput {
        name: input.name.clone(),
        // The reader refuses inputs without a type; one without a rank fits no configuration.
        shape: input.sizes().into_iter().map(|size| size.and_then(|size| u64::try_from(size).ok())).collect(),
        element: input.element.map_or_else(|| "unknown".to_owned(), |element| element.onnx_name().to_lowercase()),
    };
    model.graph.inputs.iter().map(input).collect()
}

/// What a configuration is checked against.
pub fn model_facts(model: &Model) -> ModelFacts {
    let mut nodes = Vec::new();
    add_nodes(&model.graph, None, &mut nodes);
    ModelFacts { inputs: model_inputs(model), nodes }
}

/// Adds the nodes of a graph, and those of the graphs that they hold. `holder` is the node of the model that holds this one.
fn add_nodes(graph: &Graph, holder: Option<&str>, nodes: &mut Vec<ModelNode>) {
    for node in &graph.nodes {
        nodes.push(ModelNode {
            inputs: Some(node.inputs.len()),
            outputs: node.outputs.iter().filter(|output| !output.is_empty()).cloned().collect(),
            name_in_file: node.name_in_file.clone(),
            holder: holder.map(str::to_owned),
            ..ModelNode::new(&node.name, &node.operator)
        });
        let own = format!("'{}' ({})", node.name, node.operator);
        for (_, attribute) in &node.attributes {
            if let Attribute::Graph(graph) = attribute {
                add_nodes(graph, Some(holder.unwrap_or(&own)), nodes);
            }
        }
    }
}

/// Tells how nodes are called whose name in the file something else has.
fn tell_renamed(nodes: &[ModelNode]) {
    let renamed = |node: &ModelNode| Some(format!("{} (the file: {})", node.name, node.name_in_file.as_ref()?));
    let renamed: Vec<String> = nodes.iter().filter_map(renamed).collect();
    if !renamed.is_empty() {
        tell_names("nodes with the name of an input or of another node are called", &renamed);
    }
}

/// Reads an ONNX or Caffe model; every message names the file.
pub(super) fn load_model(files: &ModelFiles) -> Result<ModelSource, CompileError> {
    let path = files.model.display();
    ModelSource::load(files).map_err(|error| {
        CompileError::Options(match error {
            SourceError::Onnx(error @ (OnnxError::Read { .. } | OnnxError::FileTooLarge { .. })) => error.to_string(),
            SourceError::Onnx(error) => {
                let kind = of_another_kind(&files.model).map_or_else(|| error.to_string(), str::to_owned);
                format!("{path}: {kind}")
            }
            SourceError::Caffe(error @ (CaffeError::Malformed { .. } | CaffeError::Weights { .. })) => {
                format!("{path}: {error}")
            }
            SourceError::Caffe(error) => error.to_string(),
            error @ SourceError::OnnxWithProto(_) => error.to_string(),
        })
    })
}

/// What a file that is no ONNX model is by its name, and what to do with it.
fn of_another_kind(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "bc" | "mlir" => {
            Some("it is a stored model, not ONNX; name its configuration, too: hb_compile -c CONFIG -m MODEL")
        }
        "hbm" => Some("it is compiled already; hb_model_info shows it, hb_sim runs it"),
        "caffemodel" => {
            Some("it holds the weights of a Caffe network; name its prototxt, too: --proto FILE, or prototxt")
        }
        "prototxt" => {
            Some("it is the structure of a Caffe network; it goes with --proto, and the .caffemodel with --model")
        }
        _ => None,
    }
}

/// The shapes that the importer gives the inputs.
pub fn import_options(inputs: &[CheckedInput]) -> ImportOptions {
    let sizes =
        |input: &CheckedInput| input.shape.iter().map(|size| usize::try_from(*size).unwrap_or(usize::MAX)).collect();
    ImportOptions { input_shapes: inputs.iter().map(|input| (input.name.clone(), sizes(input))).collect() }
}

/// A network and its inputs, as the file and the configuration say.
pub(super) struct Imported<'c> {
    /// As the file says it.
    pub(super) original: Module<'c>,
    /// With the outputs that the configuration asks for.
    pub(super) module: Module<'c>,
    /// All that the file declares.
    declared: Vec<CheckedInput>,
    /// Those that the outputs need.
    pub(super) inputs: Vec<CheckedInput>,
    /// What the configuration changes of shapes that the file fixes.
    pub(super) reshaped: Reshaped,
}

/// The shape of an input, as messages show it.
fn sizes(input: &CheckedInput) -> String {
    input.shape.iter().map(u64::to_string).collect::<Vec<_>>().join("x")
}

/// Inputs to which the configuration gives another shape than the file.
#[derive(Default)]
pub(super) struct Reshaped(Vec<String>);

impl Reshaped {
    /// Says what is other, and what becomes of sizes that the file leaves open.
    fn of(declared: &[ModelInput], inputs: &[CheckedInput]) -> Self {
        let differs = |input: &&CheckedInput, model: &ModelInput| {
            model.name == input.name
                && model.shape.iter().zip(&input.shape).any(|(fixed, size)| fixed.is_some_and(|fixed| fixed != *size))
        };
        let changed =
            inputs.iter().filter_map(|input| Some((input, declared.iter().find(|model| differs(&input, model))?)));
        let text = |(input, model): (&CheckedInput, &ModelInput)| {
            format!(
                "input_shape makes input '{}' {}, the model says {}",
                input.name,
                sizes(input),
                declared_shape(&model.shape)
            )
        };
        for input in inputs {
            let open = |model: &&ModelInput| model.name == input.name && model.shape.contains(&None);
            if let Some(model) = declared.iter().find(open) {
                let open = declared_shape(&model.shape);
                tracing::info!("input '{}' is {}: the model leaves {open} open", input.name, sizes(input));
            }
        }
        let reshaped = Self(changed.map(text).collect());
        for change in &reshaped.0 {
            tracing::info!("{change}: all shapes are inferred anew");
        }
        reshaped
    }

    /// An error of a stage that infers shapes, with what may have caused it.
    pub(super) fn explain<T, E: Into<StageError>>(&self, outcome: Result<T, E>) -> Result<T, StageError> {
        outcome.map_err(|error| {
            let error = error.into();
            match self.0.as_slice() {
                [] => error,
                changes => {
                    let changes = changes.join("; ");
                    format!("{error}\n{changes}. What is named does not fit that; leave input_shape out, or export the model for it").into()
                }
            }
        })
    }
}

/// Only shapes, and what is constant because of them.
const INFER_SHAPES: &str = "func.func(hfloat-infer-shapes)";

/// An input with the sizes of the file, where it fixes them.
fn as_declared(input: &CheckedInput, model: &[ModelInput]) -> CheckedInput {
    let fixed =
        model.iter().find(|model| model.name == input.name).map(|model| model.shape.as_slice()).unwrap_or_default();
    let size = |(index, size): (usize, &u64)| fixed.get(index).copied().flatten().unwrap_or(*size);
    CheckedInput { shape: input.shape.iter().enumerate().map(size).collect(), ..input.clone() }
}

impl<'c> Imported<'c> {
    pub(super) fn read(context: &'c Context, configuration: &Configuration) -> Result<Self, StageError> {
        let source = load_model(&configuration.model_files())?;
        let facts = model_facts(&*source.model()?);
        let declared = configuration.check_against(&facts).map_err(CompileError::from)?;
        tell_renamed(&facts.nodes);
        let reshaped = Reshaped::of(&facts.inputs, &declared);
        let source = source.for_compilation();
        let as_declared = (!reshaped.0.is_empty()).then(|| source.clone());
        let mut original = reshaped.explain(source.import(context, &import_options(&declared)))?;
        if ir::body(compare::network(original.as_operation())?).is_some_and(has_faults) {
            // Only the branches that are taken can be written.
            reshaped.explain(pipeline::run(context, &mut original, INFER_SHAPES))?;
        }
        let imported = Self { reshaped, ..Self::of(context, configuration, original, declared)? };
        if let Some(source) = as_declared {
            imported.tell_frozen_sizes(context, (source, &facts.inputs))?;
        }
        Ok(imported)
    }

    /// Tells which constant sizes do not follow the shapes of the configuration. `source` is the network, `model` its inputs as the file has them.
    ///
    /// # Errors
    /// When types or constants of the network cannot be read.
    fn tell_frozen_sizes(
        &self,
        context: &Context,
        (source, model): (ModelSource, &[ModelInput]),
    ) -> Result<(), StageError> {
        let own = self.declared.iter().map(|input| as_declared(input, model)).collect::<Vec<_>>();
        let (Ok(mut before), mut after) =
            (source.import(context, &import_options(&own)), ir::copy_module(&self.module)?)
        else {
            return Ok(());
        };
        // What does not fit at all is an error of the next stage.
        if [&mut before, &mut after].into_iter().any(|module| pipeline::run(context, module, INFER_SHAPES).is_err()) {
            return Ok(());
        }
        let [before, after] = [&before, &after].map(|module| compare::network(module.as_operation()));
        for frozen in frozen_sizes(before?, after?)? {
            tracing::warn!("input_shape: {frozen}; export the model for these shapes if that is not what it means");
        }
        Ok(())
    }

    /// Of a network as a file holds it, and all inputs that it declares.
    pub(super) fn of(
        context: &'c Context,
        configuration: &Configuration,
        original: Module<'c>,
        declared: Vec<CheckedInput>,
    ) -> Result<Self, StageError> {
        let mut module = ir::copy_module(&original)?;
        let inputs = editing::set_outputs(context, configuration, &mut module, declared.clone())?;
        Ok(Self { original, module, declared, inputs, reshaped: Reshaped::default() })
    }
}

/// The inputs that the model of `configuration` declares, and those that its outputs need.
pub(super) fn inputs(configuration: &Configuration) -> Result<(Vec<CheckedInput>, Vec<CheckedInput>), CompileError> {
    let context = crate::pipeline::context();
    let failed = |source: StageError| match source.downcast::<CompileError>() {
        Ok(error) => *error,
        Err(source) => CompileError::Stage { stage: Stage::Import, source },
    };
    let imported = Imported::read(&context, configuration).map_err(failed)?;
    Ok((imported.declared, imported.inputs))
}
