//! How far the levels are apart: runs a sample at the float, the quant and the bpu level and compares every node.

use super::tables::{NodeRow, OutputRow};
use crate::bpu::{self, lower::Placement, model::Segment};
use crate::cpu::{Array, ArrayView, Error as CpuError, FloatExecutable};
use crate::float::readers_behind_casts;
use crate::numerics::threshold_of_affine;
use crate::quant::calibrate::{NodeValues, Values, floats as array_floats};
use crate::quant::judge::cosine;
use crate::quant::requests::Kinds;
use crate::sim::{
    executor::ExecutionError,
    segmented::{Observed, SegmentedNetwork},
};
use hb_dialects::hfloat::Op;
use hb_dialects::ir::{self, Element, OperationAttributes, Origin, Quantized, Scale, TensorType};
use hb_dialects::names::{FUNCTION, output_names};
use hb_dialects::quant;
use hb_dialects::registry::ResultScale;
use melior::ir::operation::OperationLike;
use melior::ir::{OperationRef, Value, ValueLike};
use rayon::prelude::*;
use std::collections::HashSet;
use std::thread::JoinHandle;

/// Why levels could not be compared.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum CompareError {
    #[error(transparent)]
    Cpu(#[from] CpuError),
    #[error(transparent)]
    Segments(#[from] ExecutionError),
    #[error("the levels cannot be compared: {0}")]
    Network(String),
}

fn floats(view: &ArrayView<'_>) -> Option<Vec<f32>> {
    view.values::<f32>().map(<[f32]>::to_vec)
}

/// Runs a float or QDQ network that was compiled with everything observed.
///
/// # Errors
/// When the inputs do not fit.
pub fn run_float(executable: &FloatExecutable, inputs: &[Array]) -> Result<Values, CompareError> {
    let mut nodes = NodeValues::new();
    let outputs = executable.run_with_observer(&inputs.iter().collect::<Vec<_>>(), &mut |name, view| {
        if let Some(values) = floats(&view) {
            nodes.insert(name.to_owned(), values);
        }
    })?;
    Ok(Values { nodes, outputs: outputs.iter().map(array_floats).collect() })
}

/// A run in a thread of its own.
#[derive(Debug)]
pub struct BackgroundRun(JoinHandle<Result<Values, CompareError>>);

impl BackgroundRun {
    /// As [`run_float`], which begins now.
    pub fn of(executable: FloatExecutable, inputs: Vec<Array>) -> Self {
        Self(std::thread::spawn(move || run_float(&executable, &inputs)))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// As [`run_float`].
    pub fn values(self) -> Result<Values, CompareError> {
        let ended_early = |_| CompareError::Network("the thread that runs the quantized network ended early".into());
        self.0.join().map_err(ended_early)?
    }
}

/// The bytes of arrays.
pub fn bytes_of(arrays: &[Array]) -> Vec<&[u8]> {
    arrays.iter().map(Array::as_bytes).collect()
}

/// Is shown a segment of the BPU, the bytes that it was given and those that it gave.
pub type SegmentObserver<'a> = dyn FnMut(&Segment, &[&[u8]], &[Vec<u8>]) + 'a;

/// Runs a function of segments on the bytes of its inputs: those of the BPU by the reference interpreter, those of the CPU by the CPU
/// backend. `see` is shown each segment of the BPU with what it was given and gave.
///
/// # Errors
/// When a segment does not hold together.
pub fn run_segments(
    function: OperationRef<'_, '_>,
    inputs: &[&[u8]],
    see: &mut SegmentObserver<'_>,
) -> Result<Values, CompareError> {
    let network = SegmentedNetwork::observed(function)?;
    let mut nodes = NodeValues::new();
    let outputs = network.run_with_observer(inputs, &mut |observed| {
        observed.layers(&mut |node, reals| {
            nodes.insert(node.to_owned(), reals);
        });
        if let Observed::Segment { segment, inputs, outputs } = observed {
            see(segment, inputs, outputs);
        }
    })?;
    Ok(Values { nodes, outputs: outputs.iter().map(array_floats).collect() })
}

/// What the report needs to know of a node, taken before the network is cut into segments.
#[derive(Debug, Clone)]
pub struct NodeFacts {
    /// The node.
    pub name: String,
    /// The nodes of the user's network that went into it.
    pub origins: Vec<String>,
    /// The nodes of the user's network inside of it, where it is a branch or a loop.
    pub inner_nodes: Vec<String>,
    /// As ONNX calls it.
    pub operator: String,
    /// Where it runs, and why.
    pub placement: Placement,
    /// Largest magnitude that its result holds; none where it is not quantized.
    pub threshold: Option<f64>,
    /// The integers of its result on the BPU; none where it keeps its 32-bit sums.
    pub integers: Option<Quantized>,
    /// Of its result, such as `int8`.
    pub output_data_type: String,
    /// Of a node on the CPU, where values come from the BPU or go there.
    pub crossings: Vec<Crossing>,
}

/// A neighbour on the other processor, which pays for the way: the BPU converts the values from or to integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    /// The neighbour on the BPU.
    pub node: String,
    /// How many values cross.
    pub values: usize,
    /// Whether they come from the BPU.
    pub from_bpu: bool,
}

/// Where the values of an operation come from the BPU or go there, through casts.
fn crossings(operation: OperationRef<'_, '_>) -> Vec<Crossing> {
    let on_bpu = |node: OperationRef<'_, '_>| bpu::lower::placement_of(node) == Some(Placement::Bpu);
    let values = |value: Value<'_, '_>| {
        TensorType::from_type(value.r#type()).ok().and_then(|r#type| r#type.elements()).unwrap_or(0)
    };
    let mut crossings: Vec<Crossing> = Vec::new();
    for operand in operation.operands().collect::<Vec<_>>() {
        if let Some(source) = source(operand).filter(|source| on_bpu(*source)) {
            crossings.push(Crossing { node: source.node(), values: values(operand), from_bpu: true });
        }
    }
    for result in ir::results(operation) {
        for reader in readers_behind_casts(result).into_iter().filter(|reader| on_bpu(*reader)) {
            crossings.push(Crossing { node: reader.node(), values: values(result), from_bpu: false });
        }
    }
    crossings
}

/// The operation that computes a value, through casts.
fn source<'c, 'a>(value: Value<'c, 'a>) -> Option<OperationRef<'c, 'a>> {
    let operation = ir::defining_operation(value)?;
    if quant::Op::is_cast(operation) { source(operation.operand(0).ok()?) } else { Some(operation) }
}

/// The user's nodes that went into the operations of a network that compute, each once.
pub fn user_nodes(function: OperationRef<'_, '_>) -> Vec<String> {
    let operations = ir::body(function).map(ir::operations).unwrap_or_default().into_iter();
    let computing = operations.filter(|operation| Op::of(*operation).is_some_and(|op| op != Op::Constant));
    let mut seen = HashSet::new();
    computing.flat_map(|operation| operation.origin().nodes).filter(|node| seen.insert(node.clone())).collect()
}

/// The operators of the user's nodes, by the names of the nodes.
pub fn kinds(function: OperationRef<'_, '_>) -> Kinds {
    let mut kinds = Kinds::new();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if let Some(op) = Op::of(operation).filter(|op| *op != Op::Constant) {
            for node in operation.origin().nodes {
                kinds.entry(node).or_insert_with(|| op.onnx().name.to_owned());
            }
        }
    }
    kinds
}

/// The nodes of a QDQ function whose placement was assigned.
pub fn node_facts(function: OperationRef<'_, '_>) -> Vec<NodeFacts> {
    let mut facts = Vec::new();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if let (Some(op), Some(placement)) = (Op::of(operation), bpu::lower::placement_of(operation)) {
            let Origin { name, nodes: origins } = operation.origin();
            let is_on_bpu = placement == Placement::Bpu;
            facts.push(NodeFacts {
                name,
                origins,
                inner_nodes: ir::inner_nodes(operation),
                operator: op.onnx().name.to_owned(),
                output_data_type: output_data_type(operation, &placement),
                crossings: if placement == Placement::Bpu { Vec::new() } else { crossings(operation) },
                placement,
                threshold: threshold(operation),
                integers: cast_of_result(operation).and_then(integers).filter(|_| is_on_bpu),
            });
        }
    }
    facts
}

/// What the cast that a node's result goes through makes of it.
fn cast_of_result(operation: OperationRef<'_, '_>) -> Option<Element> {
    let readers = ir::results(operation).into_iter().flat_map(ir::users);
    let cast = readers.filter(|reader| quant::Op::is_quantize(*reader)).flat_map(ir::results).next()?;
    Some(TensorType::from_type(cast.r#type()).ok()?.element)
}

fn integers(element: Element) -> Option<Quantized> {
    match element {
        Element::Quantized(quantized) => Some(quantized),
        Element::Plain(_) => None,
    }
}

/// How the result of a node leaves it: as its cast makes it, without one the 32-bit sums or what the node itself gives.
fn output_data_type(operation: OperationRef<'_, '_>, placement: &Placement) -> String {
    let own = || {
        let result = ir::results(operation).into_iter().next();
        let r#type = result.and_then(|result| TensorType::from_type(result.r#type()).ok());
        r#type.map_or_else(|| "-".to_owned(), |r#type| r#type.element.storage().name().to_owned())
    };
    if *placement != Placement::Bpu {
        return own();
    }
    let sums = Op::of(operation).and_then(Op::quantization).is_some_and(|own| own.result == ResultScale::OwnOrExact);
    match cast_of_result(operation) {
        Some(Element::Quantized(quantized)) => format!("int{}", quantized.bits),
        Some(Element::Plain(element)) => element.name().to_owned(),
        None if sums => "int32".to_owned(),
        None => own(),
    }
}

/// The largest magnitude that a node's result holds: what was measured of it, or of the value whose scale it has.
fn threshold(operation: OperationRef<'_, '_>) -> Option<f64> {
    if matches!(cast_of_result(operation), Some(Element::Plain(_))) {
        return None;
    }
    let measured = operation.float(crate::quant::THRESHOLD).ok();
    measured.or_else(|| match cast_of_result(operation).and_then(integers)? {
        Quantized { bits, scale: Scale::PerTensor(affine) } => Some(threshold_of_affine(affine, bits)),
        _ => None,
    })
}

/// The per-node table.
pub fn node_rows(facts: &[NodeFacts], float: &Values, calibrated: &Values, quantized: &Values) -> Vec<NodeRow> {
    let against = |name: &str, other: &Values| {
        float.nodes.get(name).zip(other.nodes.get(name)).and_then(|(left, right)| cosine(left, right))
    };
    facts
        .par_iter()
        .map(|fact| {
            let on_bpu = fact.placement == Placement::Bpu;
            NodeRow {
                node: fact.name.clone(),
                node_type: fact.operator.clone(),
                origins: fact.origins.clone(),
                on: if on_bpu { "BPU" } else { "CPU" }.to_owned(),
                threshold: fact.threshold,
                calibrated_cosine: against(&fact.name, calibrated),
                quantized_cosine: against(&fact.name, quantized),
                output_data_type: fact.output_data_type.clone(),
            }
        })
        .collect()
}

/// The per-output table.
pub fn output_rows(
    function: OperationRef<'_, '_>,
    float: &Values,
    calibrated: &Values,
    quantized: &Values,
) -> Vec<OutputRow> {
    let against = |index: usize, other: &Values| {
        float.outputs.get(index).zip(other.outputs.get(index)).and_then(|(left, right)| cosine(left, right))
    };
    output_names(function)
        .into_iter()
        .enumerate()
        .map(|(index, tensor_name)| OutputRow {
            tensor_name,
            calibrated_cosine: against(index, calibrated),
            quantized_cosine: against(index, quantized),
        })
        .collect()
}

/// The network of a module.
///
/// # Errors
/// When there is none.
pub fn network<'c, 'a>(module: OperationRef<'c, 'a>) -> Result<OperationRef<'c, 'a>, CompareError> {
    ir::function_named(module, FUNCTION)
        .ok_or_else(|| CompareError::Network(format!("there is no function @{FUNCTION}")))
}
