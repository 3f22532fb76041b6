//! What every kind of model looks like to the commands that run it.

use crate::cpu::Array;
use crate::hbm::{Manifest, TensorQuantization};
use hb_dialects::ElementType;
use hb_dialects::ir::{self, IrError, OperationAttributes, TensorType};
use melior::ir::{BlockLike, OperationRef, ValueLike, operation::OperationLike};
use std::collections::HashMap;

/// An input of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpecification {
    /// As the model calls it.
    pub name: String,
    /// What an array for it must hold.
    pub element_type: ElementType,
    /// `None` where the size follows from the data given.
    pub dims: Vec<Option<usize>>,
}

impl TensorSpecification {
    /// Whether an array of shape `dims` may be given for this tensor.
    pub fn accepts(&self, dims: &[usize]) -> bool {
        self.dims.len() == dims.len()
            && self.dims.iter().zip(dims).all(|(expected, dim)| expected.is_none_or(|expected| expected == *dim))
    }

    /// The shape as messages show it: `1x3x?x?`.
    pub fn shape(&self) -> String {
        let dims: Vec<String> =
            self.dims.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string())).collect();
        if dims.is_empty() { "scalar".to_owned() } else { dims.join("x") }
    }
}

/// Results of one run.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// In the order of [`ModelExecutor::outputs`].
    pub outputs: Vec<Array>,
    /// Predicted latency on the target in microseconds, where the model is compiled for one.
    pub latency: Option<f64>,
}

/// A run that failed. The message names the node or segment, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ExecutionError(pub String);

/// Is shown what an inner layer computes: the name of its node in the user's network, and its value as reals in the order of that
/// network.
pub type LayerObserver<'a> = dyn FnMut(&str, Vec<f32>) + 'a;

/// What is known of a network beside its values.
#[derive(Debug, Clone, Default)]
pub struct Meaning {
    /// What the integers of each output mean, in order; none where it is not quantized.
    pub outputs: Vec<Option<TensorQuantization>>,
    /// Which outputs have their channels last, although the network has them first.
    pub channels_last: Vec<bool>,
    /// By inner layer, the nodes of the user's network that went into it; not of one that is such a node itself.
    pub nodes: HashMap<String, Vec<String>>,
}

impl Meaning {
    /// Of a function of any level.
    ///
    /// # Errors
    /// When the type of a result cannot be read.
    pub fn of(function: OperationRef<'_, '_>) -> Result<Self, IrError> {
        let mut nodes = HashMap::new();
        let block = ir::body(function);
        for operation in block.map(ir::operations).unwrap_or_default() {
            let inner = ir::body(operation).map(ir::operations).unwrap_or_default();
            for origin in inner.into_iter().chain([operation]).map(|operation| operation.origin()) {
                nodes.insert(origin.name, origin.nodes);
            }
        }
        let results: Vec<_> =
            block.and_then(|block| block.terminator()).map(|end| end.operands().collect()).unwrap_or_default();
        let quantization =
            |value: &melior::ir::Value<'_, '_>| Ok(TensorQuantization::of(&TensorType::from_type(value.r#type())?));
        let outputs = results.iter().map(quantization).collect::<Result<_, IrError>>()?;
        Ok(Self { outputs, channels_last: Vec::new(), nodes })
    }

    /// Of a `.hbm`.
    pub fn of_manifest(manifest: &Manifest) -> Self {
        Self {
            outputs: manifest.outputs.iter().map(|output| output.quantization.clone()).collect(),
            channels_last: manifest.outputs.iter().map(|output| output.layout == "NHWC").collect(),
            nodes: manifest.layers.iter().map(|layer| (layer.name.clone(), layer.origins.clone())).collect(),
        }
    }
}

/// A model that can be run. One executor serves all threads.
pub trait ModelExecutor: Send + Sync {
    /// What must be given, in order.
    fn inputs(&self) -> &[TensorSpecification];

    /// Names, in the order of the results of [`ModelExecutor::run`].
    fn outputs(&self) -> &[String];

    /// Does now what the first run with inputs like these would do once: compiling for their shapes, for example.
    ///
    /// # Errors
    /// When such inputs cannot be run.
    fn prepare(&self, _inputs: &[Array]) -> Result<(), ExecutionError> {
        Ok(())
    }

    /// `inputs` are in the order of [`ModelExecutor::inputs`], of the types and shapes that these accept.
    fn run(&self, inputs: &[Array]) -> Result<Outcome, ExecutionError>;

    /// As [`ModelExecutor::run`], and shows what inner layers compute, in their order, where the model was opened for it.
    ///
    /// # Errors
    /// As [`ModelExecutor::run`].
    fn run_observed(&self, inputs: &[Array], _see: &mut LayerObserver<'_>) -> Result<Outcome, ExecutionError> {
        self.run(inputs)
    }
}
