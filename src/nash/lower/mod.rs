//! `bpu` to `nash`: a segment to a program.
//!
//! First every tensor gets a home (`storage`), every operator its tiled form (one file per family), then every
//! tiled form a tiling ([`assign`]); the result of the deciding half is a [`LoweringPlan`], plain data that can be written to a file and
//! read back. [`apply`] emits the program for a plan.

mod camera;
mod constants;
mod convolution;
mod elementwise;
#[cfg(test)]
mod latency_tests;
mod layout;
mod matmul;
mod plan;
mod pool;
mod roi_resize;
mod storage;
#[cfg(test)]
mod tests;
mod vector;

use super::allocate::AllocationError;
use super::isa::Program;
use super::tile::apply::{TileLayout, Tiling, apply as apply_tiling};
use super::tile::assign::{AssignError, assign as assign_tiling, estimate};
use super::tile::emitter::{EmitError, Emitter};
use super::tile::{TilePlacement, Tiled};
use crate::bpu::constraints::{Known, explain};
use crate::bpu::model::{BpuElement, BpuNode, BpuTensor, Clamp, Operator, Segment, TensorId, TensorScale};
use crate::target::{Number, Target};
use constants::Image;
use hb_dialects::ir::Origin;
pub use plan::{LoweringPlan, NodePlan, Resident};
use std::borrow::Cow;
use storage::Storage;

/// Why a segment cannot be lowered. Every message names the node.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum LowerError {
    #[error("node '{node}' ({operator}) cannot be lowered: {reason}")]
    Unsupported { node: String, operator: &'static str, reason: String },
    #[error(
        "node '{node}' ({operator}) does not fit: its smallest tile needs {needed} bytes of L1M, {capacity} are available; \
         compile for a target with more local memory or run the node on the CPU"
    )]
    DoesNotFit { node: String, operator: &'static str, needed: u64, capacity: u64 },
    #[error("node '{node}' ({operator}): {error}")]
    Emit { node: String, operator: &'static str, error: EmitError },
    #[error("memory plan: {0}")]
    Allocation(#[from] AllocationError),
    #[error("the segment is not well formed: {0}")]
    Malformed(String),
    #[error("the plan does not belong to this segment: {0}")]
    Plan(String),
}

impl LowerError {
    /// The node at fault, when it is one.
    pub fn node(&self) -> Option<&str> {
        match self {
            LowerError::Unsupported { node, .. }
            | LowerError::DoesNotFit { node, .. }
            | LowerError::Emit { node, .. } => Some(node),
            LowerError::Allocation(_) | LowerError::Malformed(_) | LowerError::Plan(_) => None,
        }
    }
}

/// An input or output of the program as its user sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Unique in the program.
    pub name: String,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// How each element is stored.
    pub element: BpuElement,
    /// What integers mean.
    pub scale: TensorScale,
    /// Bytes between neighbours, per dimension.
    pub strides: Vec<u64>,
}

/// What a name of a program stands for in reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoweredLayer {
    /// The operator of the node; empty for copies to outputs, which belong to no node.
    pub operator: String,
    /// The nodes of the user's network that went into it.
    pub origins: Vec<String>,
    /// Multiplications and additions of a convolution or product; 0 for others.
    pub operations: u64,
}

/// A program with everything its loader needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Lowered<'a> {
    /// The instructions.
    pub program: Program,
    /// Contents of the constants region.
    pub constants: Cow<'a, [u8]>,
    /// Of each name of the program; empty where that is not known.
    pub layers: Vec<LoweredLayer>,
    /// In the order of the input regions.
    pub inputs: Vec<Port>,
    /// In the order of the output regions.
    pub outputs: Vec<Port>,
    /// The decisions behind it.
    pub plan: LoweringPlan,
}

/// Decides and emits.
///
/// # Errors
/// When an operator has no instruction form, when not even its smallest tile fits, or the segment contradicts itself.
pub fn lower(segment: &Segment, target: &Target) -> Result<Lowered<'static>, LowerError> {
    let plan = assign(segment, target)?;
    apply(segment, target, plan)
}

/// The instruction forms of one node, in order. An alias has none.
pub(super) type Steps = Vec<Box<dyn Tiled>>;

/// What is done for one node.
struct Work {
    /// Whose instructions they are; the number of nodes for outputs that no node makes.
    node: usize,
    /// When it happens, for the lives of tensors.
    time: usize,
    steps: Steps,
}

/// Channels that the matrix engine takes at once.
struct Lanes {
    input: usize,
    output: usize,
}

/// What the families of operators build on: where tensors are, and the constants image to add to.
pub(super) struct Builder<'a> {
    segment: &'a Segment,
    target: &'a Target,
    storage: Storage,
    image: Image,
}

impl<'a> Builder<'a> {
    fn new(segment: &'a Segment, target: &'a Target, residents: &[Resident]) -> Result<Self, LowerError> {
        let mut image = Image::default();
        let storage = Storage::new(segment, target, residents, &mut image)?;
        Ok(Self { segment, target, storage, image })
    }

    /// The side of the matrix engine's array, as tiles should be multiples of it.
    fn lanes(&self) -> Lanes {
        let lanes = |number: &Number| usize::try_from(number.value).unwrap_or(usize::MAX);
        Lanes { input: lanes(&self.target.tae.input_channels), output: lanes(&self.target.tae.output_channels) }
    }

    fn tensor(&self, id: TensorId) -> Result<&'a BpuTensor, LowerError> {
        self.segment.tensor(id).ok_or_else(|| LowerError::Malformed(format!("there is no tensor {}", id.0)))
    }

    /// The n-th operand of a node and its home.
    fn input(&self, node: &BpuNode, index: usize) -> Result<(&'a BpuTensor, TilePlacement), LowerError> {
        let id = node.inputs.get(index);
        let id = *id.ok_or_else(|| unsupported(node, format!("operand {index} is missing")))?;
        Ok((self.tensor(id)?, self.storage.placement(self.segment, id)?))
    }

    /// The result of a node and its home.
    fn output(&self, node: &BpuNode) -> Result<(&'a BpuTensor, TilePlacement), LowerError> {
        let [id] = node.outputs.as_slice() else {
            return Err(unsupported(node, format!("it has {} results, not 1", node.outputs.len())));
        };
        Ok((self.tensor(*id)?, self.storage.placement(self.segment, *id)?))
    }

    fn steps(&mut self, node: &BpuNode) -> Result<Steps, LowerError> {
        use crate::bpu::model::Operator;
        match &node.operator {
            Operator::Convolution(convolution) => convolution::lower(self, node, convolution),
            Operator::MatMul { clamp } => matmul::lower(self, node, *clamp),
            Operator::Add { .. }
            | Operator::Sub { .. }
            | Operator::Mul { .. }
            | Operator::PRelu { .. }
            | Operator::Lookup { .. }
            | Operator::Curve { .. }
            | Operator::Requantize { .. }
            | Operator::Quantize
            | Operator::Normalize { .. }
            | Operator::Dequantize => elementwise::lower(self, node),
            Operator::Vector { axes, program } => vector::lower(self, node, axes, program),
            Operator::MaxPool(pool) => pool::lower_max(self, node, pool),
            Operator::AveragePool(pool) => pool::lower_average(self, node, pool),
            Operator::CameraImage { constants } => camera::lower(self, node, constants),
            Operator::RoiResize { block, size } => roi_resize::lower(self, node, *block, *size),
            Operator::Concat { .. }
            | Operator::Slice { .. }
            | Operator::Pad { .. }
            | Operator::Transpose { .. }
            | Operator::Reshape => layout::lower(self, node),
        }
    }

    /// Everything the program does, in order.
    fn all_steps(&mut self) -> Result<Vec<Work>, LowerError> {
        let segment = self.segment;
        let mut all = Vec::with_capacity(segment.nodes.len());
        for (index, node) in segment.nodes.iter().enumerate() {
            all.push(Work { node: index, time: index, steps: self.steps(node)? });
        }
        let end = segment.nodes.len();
        for (tensor, output) in self.storage.output_copies() {
            let destination = self.storage.output_placement(segment, output)?;
            let source = self.storage.placement(segment, tensor)?;
            let producer = segment.nodes.iter().position(|node| node.outputs.contains(&tensor));
            let copy = layout::copy(source, destination)
                .map_err(|error| LowerError::Malformed(format!("output {output}: {error}")))?;
            all.push(Work { node: producer.unwrap_or(end), time: end, steps: vec![Box::new(copy)] });
        }
        Ok(all)
    }
}

/// A message about a node.
pub(super) fn unsupported(node: &BpuNode, reason: impl Into<String>) -> LowerError {
    LowerError::Unsupported { node: node.name.clone(), operator: node.operator.name(), reason: reason.into() }
}

/// The limits of a result: the fused activation's, within its type's.
pub(super) fn limits(node: &BpuNode, output: &BpuTensor) -> Result<super::isa::Clamp, LowerError> {
    let range = output.element.range().unwrap_or(Clamp::I32);
    let clamp = node.operator.clamp().map_or(range, |clamp| clamp.intersect(range));
    if clamp.is_empty() {
        return Err(unsupported(node, format!("its clamp {}..{} allows no value", clamp.low, clamp.high)));
    }
    Ok(super::isa::Clamp { low: clamp.low, high: clamp.high })
}

/// The one scale of a tensor.
pub(super) fn scale(node: &BpuNode, tensor: &BpuTensor) -> Result<f64, LowerError> {
    tensor
        .scale
        .per_tensor()
        .map(|affine| affine.scale)
        .ok_or_else(|| unsupported(node, format!("tensor '{}' needs one scale for all its elements", tensor.name)))
}

/// Checks that the segment is one that the instructions can express exactly.
fn check(segment: &Segment) -> Result<(), LowerError> {
    segment.verify().map_err(|error| LowerError::Malformed(error.to_string()))?;
    for node in &segment.nodes {
        explain(segment, node, Known::Values).map_err(|sentences| unsupported(node, sentences.join(" ")))?;
    }
    Ok(())
}

/// Decides homes and tilings.
pub fn assign(segment: &Segment, target: &Target) -> Result<LoweringPlan, LowerError> {
    check(segment)?;
    // The rest is for tiles of what does not stay.
    let capacity = target.l1m_bytes() / 4 * 3;
    let mut residents = Storage::choose_residents(segment, target, capacity)?;
    loop {
        let mut builder = Builder::new(segment, target, &residents)?;
        match assign_nodes(&mut builder) {
            Ok(nodes) => return Ok(LoweringPlan { residents, nodes }),
            Err((time, error)) => {
                // Residents take what a node needs: the largest of them goes to DDR.
                let Some(&largest) = builder.storage.residents_at(time).first() else { return Err(error) };
                residents.remove(largest);
            }
        }
    }
}

/// Tilings of all nodes; an error comes with the time of the node that does not fit.
fn assign_nodes(builder: &mut Builder<'_>) -> Result<Vec<NodePlan>, (usize, LowerError)> {
    let all = builder.all_steps().map_err(|error| (usize::MAX, error))?;
    let mut nodes = Vec::with_capacity(all.len());
    for work in all {
        let (start, end) = builder.storage.pool(builder.target, work.time);
        let mut tilings = Vec::with_capacity(work.steps.len());
        for step in &work.steps {
            let tiling = assign_step(step.as_ref(), builder.target, end - start);
            tilings.push(tiling.map_err(|error| (work.time, failure(builder.segment, work.node, error)))?);
        }
        nodes.push(NodePlan { node: label(builder.segment, work.node).0, tilings });
    }
    Ok(nodes)
}

/// Half of the room, when that costs next to nothing, lets the next operator's loads run ahead in the other half.
fn assign_step(step: &dyn Tiled, target: &Target, capacity: u64) -> Result<Tiling, AssignError> {
    let whole = assign_tiling(step, target, capacity)?;
    let Ok(half) = assign_tiling(step, target, capacity / 2) else { return Ok(whole) };
    let cheap = half.slots >= whole.slots && estimate(step, &half, target) <= 1.05 * estimate(step, &whole, target);
    Ok(if cheap { half } else { whole })
}

fn failure(segment: &Segment, node: usize, error: AssignError) -> LowerError {
    let (node, operator) = label(segment, node);
    match error {
        AssignError::TooSmall { needed, capacity } => LowerError::DoesNotFit { node, operator, needed, capacity },
        AssignError::Allocation(error) => LowerError::Allocation(error),
    }
}

/// Name and operator of a node; outputs that no node makes belong to the segment itself.
fn label(segment: &Segment, index: usize) -> (String, &'static str) {
    match segment.nodes.get(index) {
        Some(node) => (node.name.clone(), node.operator.name()),
        None => (Origin::without_node(&segment.name).part("outputs").name, "copy"),
    }
}

/// Emits the program for a plan. The plan may come from a file: it is checked against the segment.
pub fn apply(segment: &Segment, target: &Target, plan: LoweringPlan) -> Result<Lowered<'static>, LowerError> {
    check(segment)?;
    let mut builder = Builder::new(segment, target, &plan.residents)?;
    let all = builder.all_steps()?;
    if all.len() != plan.nodes.len() {
        return Err(LowerError::Plan(format!("it has {} entries for {} nodes", plan.nodes.len(), all.len())));
    }
    let mut emitter = Emitter::default();
    let mut cursor = 0u64;
    for (work, entry) in all.iter().zip(&plan.nodes) {
        let (name, operator) = label(segment, work.node);
        if entry.node != name || entry.tilings.len() != work.steps.len() {
            return Err(LowerError::Plan(format!("entry '{}' stands where node '{name}' does", entry.node)));
        }
        emitter.set_source(u32::try_from(work.node).unwrap_or(u32::MAX));
        let (start, end) = builder.storage.pool(target, work.time);
        for (step, tiling) in work.steps.iter().zip(&entry.tilings) {
            let fail = |error| LowerError::Emit { node: name.clone(), operator, error };
            tiling.check(step.as_ref()).map_err(fail)?;
            let layout = TileLayout::new(step.as_ref(), tiling, target.l1m_alignment(), end - start)
                .map_err(|error| fail(EmitError::Plan(error.to_string())))?;
            // The next operator starts behind this one when there is room, so that its first loads need not wait.
            if cursor < start || cursor.saturating_add(layout.bytes) > end {
                cursor = start;
            }
            apply_tiling(step.as_ref(), tiling, &layout, cursor, &mut emitter).map_err(fail)?;
            cursor = (cursor + layout.bytes).next_multiple_of(target.l1m_alignment().max(1));
        }
    }
    finish(segment, builder, emitter, plan)
}

fn finish(
    segment: &Segment,
    builder: Builder<'_>,
    emitter: Emitter,
    plan: LoweringPlan,
) -> Result<Lowered<'static>, LowerError> {
    let port = |id: &TensorId| port(builder.tensor(*id)?, builder.target);
    let inputs = segment.inputs.iter().map(port).collect::<Result<Vec<_>, _>>()?;
    let outputs = segment.outputs.iter().map(port).collect::<Result<Vec<_>, _>>()?;
    let (inputs, input_bytes) = inputs.into_iter().unzip();
    let (outputs, output_bytes) = outputs.into_iter().unzip();
    let all = 0..=segment.nodes.len();
    let (names, layers) = all.map(|index| (label(segment, index).0, layer(segment, index))).unzip();
    let constants = builder.image.finish();
    let program = Program {
        inputs: input_bytes,
        outputs: output_bytes,
        constants: constants.len() as u64,
        workspace: builder.storage.workspace_bytes(),
        instructions: emitter.finish(),
        names,
    };
    Ok(Lowered { program, constants: constants.into(), layers, inputs, outputs, plan })
}

/// How the user of a program sees an input or output of it, and the bytes of its region.
///
/// # Errors
/// When the tensor is too large to address.
pub fn port(tensor: &BpuTensor, target: &Target) -> Result<(Port, u64), LowerError> {
    let strides = storage::port_strides(tensor, target);
    let bytes = storage::port_bytes(tensor, &strides)?;
    let port = Port {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        element: tensor.element,
        scale: tensor.scale.clone(),
        strides: strides.iter().map(|stride| stride.unsigned_abs()).collect(),
    };
    Ok((port, bytes))
}

fn layer(segment: &Segment, index: usize) -> LoweredLayer {
    let Some(node) = segment.nodes.get(index) else { return LoweredLayer::default() };
    LoweredLayer {
        operator: node.operator.name().to_owned(),
        origins: node.origins.clone(),
        operations: operations(segment, node),
    }
}

/// Twice the multiply-accumulates of a convolution or product.
fn operations(segment: &Segment, node: &BpuNode) -> u64 {
    let shape = |id: Option<&TensorId>| {
        id.and_then(|id| segment.tensor(*id)).map(|tensor| tensor.shape.as_slice()).unwrap_or_default()
    };
    let count = |sizes: &[usize]| sizes.iter().fold(1u64, |count, &size| count.saturating_mul(size as u64));
    let depth = match &node.operator {
        Operator::Convolution(_) => count(shape(node.inputs.get(1)).get(1..).unwrap_or_default()),
        Operator::MatMul { .. } => shape(node.inputs.first()).last().map_or(0, |&size| size as u64),
        _ => 0,
    };
    count(shape(node.outputs.first())).saturating_mul(depth).saturating_mul(2)
}
