//! What every kind of model looks like to the commands that run it.

use crate::cpu::Array;
use crate::frontend::onnx::model::{MadeOf, Model, Node};
use crate::hbm::{Layer, Manifest, TensorQuantization};
use hb_dialects::ir::{self, IrError, OperationAttributes, Origin, TensorType};
use hb_dialects::{ElementType, hfloat};
use melior::ir::{BlockLike, OperationRef, ValueLike, operation::OperationLike};
use std::collections::{HashMap, HashSet};

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
    /// Inner layers by name.
    pub layers: HashMap<String, LayerOrigin>,
    /// The layers that give outputs of other names, by output.
    pub makers: HashMap<String, String>,
    /// Whether the layers are those of a lowering, which gives equal parts of a node equal names.
    pub is_lowered: bool,
    /// Of outputs that were made for a look at inner layers, and are none of the network: the node whose value each is.
    pub shown_layers: Vec<Option<String>>,
}

/// What an inner layer is in the user's network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerOrigin {
    /// Its operator, as its level calls it.
    pub operator: String,
    /// The nodes of the user's network that went into it, in the order in which they ran.
    pub nodes: Vec<String>,
    /// The node whose result it gives; none where it is a part of one.
    pub result_of: Option<String>,
}

impl LayerOrigin {
    fn new(operator: String, origin: Origin) -> Self {
        Self { operator, result_of: origin.result_node().map(str::to_owned), nodes: origin.nodes }
    }

    /// Of a node of an ONNX model.
    fn of_node(node: &Node) -> Self {
        let MadeOf { nodes, result_of } = node.made_of.clone().unwrap_or_else(|| MadeOf::itself(&node.name));
        Self { operator: node.operator.clone(), nodes, result_of }
    }

    fn of_operation(operation: OperationRef<'_, '_>) -> Self {
        let onnx = hfloat::Op::of(operation).map(|op| op.onnx().name.to_owned());
        Self::new(onnx.unwrap_or_else(|| operation.operation_name()), operation.origin())
    }
}

impl Meaning {
    /// Of a function of any level.
    ///
    /// # Errors
    /// When the type of a result cannot be read.
    pub fn of(function: OperationRef<'_, '_>) -> Result<Self, IrError> {
        let mut layers = HashMap::new();
        let block = ir::body(function);
        for operation in block.map(ir::operations).unwrap_or_default() {
            let inner = ir::body(operation).map(ir::operations).unwrap_or_default();
            // Constants are no layers, and may be called like one.
            for operation in
                inner.into_iter().chain([operation]).filter(|operation| !hfloat::Op::Constant.is(*operation))
            {
                layers.insert(operation.node(), LayerOrigin::of_operation(operation));
            }
        }
        let results: Vec<_> =
            block.and_then(|block| block.terminator()).map(|end| end.operands().collect()).unwrap_or_default();
        let quantization =
            |value: &melior::ir::Value<'_, '_>| Ok(TensorQuantization::of(&TensorType::from_type(value.r#type())?));
        let outputs = results.iter().map(quantization).collect::<Result<_, IrError>>()?;
        Ok(Self { outputs, layers, ..Self::default() })
    }

    /// Of a `.hbm`.
    pub fn of_manifest(manifest: &Manifest) -> Self {
        let of = |layer: &Layer| {
            let origin = Origin { name: layer.name.clone(), nodes: layer.origins.clone() };
            LayerOrigin::new(layer.operator_type.clone(), origin)
        };
        Self {
            outputs: manifest.outputs.iter().map(|output| output.quantization.clone()).collect(),
            channels_last: manifest.outputs.iter().map(|output| output.layout == "NHWC").collect(),
            layers: manifest.layers.iter().map(|layer| (layer.name.clone(), of(layer))).collect(),
            makers: HashMap::new(),
            is_lowered: true,
            shown_layers: manifest.outputs.iter().map(|output| output.layer.clone()).collect(),
        }
    }

    /// Of a network of ONNX, or what a Caffe network is as one.
    pub fn of_model(model: &Model) -> Self {
        let layers = model.graph.nodes.iter().map(|node| (node.name.clone(), LayerOrigin::of_node(node)));
        let first = |node: &Node| Some((node.outputs.first()?.clone(), node.name.clone()));
        let mut makers: HashMap<String, String> = model.graph.nodes.iter().filter_map(first).collect();
        let outputs: HashSet<&String> = model.graph.outputs.iter().map(|output| &output.name).collect();
        makers.retain(|name, _| outputs.contains(name));
        Self { layers: layers.collect(), makers, ..Self::default() }
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
