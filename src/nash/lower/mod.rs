//! `bpu` to `nash`: a segment to a program.
//!
//! First every tensor gets a home (`storage`), every operator its tiled form (one file per family), then every
//! tiled form a tiling ([`assign`]); the result of the deciding half is a [`LoweringPlan`], plain data that can be written to a file and
//! read back. [`apply`] emits the program for a plan.

#[cfg(test)]
mod band_tests;
#[cfg(test)]
mod border_tests;
#[cfg(test)]
mod call_tests;
mod camera;
mod constants;
mod convolution;
mod cuts;
mod decide;
mod elementwise;
mod emit;
mod joined;
#[cfg(test)]
mod joined_tests;
#[cfg(test)]
mod latency_tests;
mod layout;
mod matmul;
#[cfg(test)]
mod mode_tests;
mod moves;
mod order;
mod plan;
#[cfg(test)]
mod plan_tests;
mod pool;
mod roi_resize;
mod storage;
mod stripes;
#[cfg(test)]
mod tests;
mod tilings;
mod turned;
mod vector;

use super::allocate::AllocationError;
use super::calls::cut;
use super::isa::{Instruction, Program};
use super::tile::emitter::EmitError;
use super::tile::view::KeptRows;
use super::tile::{TilePlacement, Tiled};
use crate::bpu::constraints::{Known, explain};
use crate::bpu::model::{BpuElement, BpuNode, BpuTensor, Clamp, Operator, Segment, TensorId, TensorScale};
use crate::target::{Number, Target};
use constants::Image;
pub use decide::assign;
pub use emit::apply;
use hb_dialects::ir::Origin;
pub use plan::{Lag, LoweringPlan, NodeGroup, NodePlan, Resident};
use std::borrow::Cow;
use std::collections::HashMap;
use storage::{OutputCopy, Storage};

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
    #[error(
        "node '{node}' ({operator}): no function call of at most {limit} us has room for an instruction of it, which takes about {microseconds} \
         us with what it needs; allow more time, or run the node on the CPU"
    )]
    TooLong { node: String, operator: &'static str, microseconds: u64, limit: u64 },
}

impl LowerError {
    /// The node at fault, when it is one.
    pub fn node(&self) -> Option<&str> {
        match self {
            LowerError::Unsupported { node, .. }
            | LowerError::DoesNotFit { node, .. }
            | LowerError::Emit { node, .. }
            | LowerError::TooLong { node, .. } => Some(node),
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

/// How much is tried for a faster program. Each level keeps the plan of the one before where it finds nothing better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Operators one after the other; loads run ahead as far as there is room.
    O0,
    /// Groups of operators in stripes, too.
    O1,
    /// And changes of groups, as long as they help.
    #[default]
    O2,
}

impl Effort {
    /// From the least to the most.
    pub const ALL: [Effort; 3] = [Effort::O0, Effort::O1, Effort::O2];
}

impl std::str::FromStr for Effort {
    type Err = String;

    fn from_str(name: &str) -> Result<Effort, String> {
        let found = Effort::ALL.into_iter().find(|level| format!("{level:?}") == name);
        found.ok_or_else(|| format!("'{name}' is no level of optimization; there are O0, O1 and O2"))
    }
}

/// What is made small, and how hard that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    /// How much is tried.
    pub level: Effort,
    /// The weight of time, of 100; the rest is that of the bytes that pass the DDR port.
    pub latency: u32,
    /// The longest time of a function call in microseconds; 0 is no limit.
    pub call_us: u64,
}

impl From<Effort> for Objective {
    /// As fast as that level gives.
    fn from(level: Effort) -> Self {
        Self { level, latency: 100, call_us: 0 }
    }
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
pub fn lower(segment: &Segment, target: &Target, objective: Objective) -> Result<Lowered<'static>, LowerError> {
    apply(segment, target, assign(segment, target, objective)?)
}

/// The instruction forms of one node, in order. An alias has none.
pub(super) type Steps = Vec<Box<dyn Tiled>>;

/// What is done for one node.
struct Work {
    /// Whose instructions they are; the number of nodes for outputs that no node makes.
    node: usize,
    /// When it happens, for the lives of tensors.
    time: usize,
    /// It copies a result to an output, and is no part of its node.
    is_copy: bool,
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
    /// The node at hand belongs to a group.
    grouped: bool,
}

impl<'a> Builder<'a> {
    fn new(
        segment: &'a Segment,
        target: &'a Target,
        residents: &[Resident],
        groups: &[NodeGroup],
    ) -> Result<Self, LowerError> {
        let storage = Storage::new(segment, target, residents, groups)?;
        Ok(Self { segment, target, storage, image: Image::default(), grouped: false })
    }

    /// Which dimension of the result of a node must stay one of its own.
    fn kept_rows(&self, node: &BpuNode) -> KeptRows {
        match node.outputs.first().and_then(|id| self.storage.row_dimension(*id)) {
            _ if !self.grouped => KeptRows::Nothing,
            Some(dimension) => KeptRows::Dimension(dimension),
            None => KeptRows::First,
        }
    }

    /// The side of the matrix engine's array, as tiles should be multiples of it.
    fn lanes(&self) -> Lanes {
        let lanes = |number: &Number| usize::try_from(number.value).unwrap_or(usize::MAX);
        Lanes { input: lanes(&self.target.tae.input_channels), output: lanes(&self.target.tae.output_channels) }
    }

    fn tensor(&self, id: TensorId) -> Result<&'a BpuTensor, LowerError> {
        self.segment.tensor(id).ok_or_else(|| LowerError::Malformed(format!("there is no tensor {}", id.0)))
    }

    /// Where a tensor lives.
    fn placement(&mut self, id: TensorId) -> Result<TilePlacement, LowerError> {
        self.storage.keep(self.segment, id, &mut self.image);
        let paged = self.storage.paged(self.segment, id).filter(|_| self.grouped);
        paged.map_or_else(|| self.storage.placement(self.segment, id), Ok)
    }

    /// The n-th operand of a node.
    fn operand(&self, node: &BpuNode, index: usize) -> Result<&'a BpuTensor, LowerError> {
        self.tensor(operand(node, index)?)
    }

    /// The n-th operand of a node and its home.
    fn input(&mut self, node: &BpuNode, index: usize) -> Result<(&'a BpuTensor, TilePlacement), LowerError> {
        let id = operand(node, index)?;
        Ok((self.tensor(id)?, self.placement(id)?))
    }

    /// The result of a node and its home.
    fn output(&mut self, node: &BpuNode) -> Result<(&'a BpuTensor, TilePlacement), LowerError> {
        let [id] = node.outputs.as_slice() else {
            return Err(unsupported(node, format!("it has {} results, not 1", node.outputs.len())));
        };
        Ok((self.tensor(*id)?, self.placement(*id)?))
    }

    /// Bytes that every program loads or stores at least: constants, inputs and outputs.
    fn compulsory_bytes(&self) -> Result<u64, LowerError> {
        let mut bytes = self.image.bytes();
        for &id in self.segment.inputs.iter().chain(&self.segment.outputs) {
            bytes = bytes.saturating_add(port(self.tensor(id)?, self.target)?.1);
        }
        Ok(bytes)
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

    /// Everything the program does, in order: outputs that are copies follow the nodes that make them, and their group.
    fn all_steps(&mut self, groups: &[NodeGroup]) -> Result<Vec<Work>, LowerError> {
        let segment = self.segment;
        let end = segment.nodes.len();
        let mut all = Vec::with_capacity(end);
        let mut copies: HashMap<usize, Vec<OutputCopy>> = HashMap::new();
        for copy in self.storage.output_copies() {
            let group = copy.node.and_then(|node| NodeGroup::of(groups, node));
            let time = group.map_or(copy.node.unwrap_or(end), |group| group.end - 1);
            copies.entry(time).or_default().push(copy);
        }
        for (index, node) in segment.nodes.iter().enumerate() {
            self.grouped = NodeGroup::of(groups, index).is_some();
            all.push(Work { node: index, time: index, is_copy: false, steps: self.steps(node)? });
            self.grouped = false;
            self.copy_outputs(copies.remove(&index).unwrap_or_default(), index, &mut all)?;
        }
        self.copy_outputs(copies.remove(&end).unwrap_or_default(), end, &mut all)?;
        Ok(all)
    }

    fn copy_outputs(&mut self, copies: Vec<OutputCopy>, time: usize, all: &mut Vec<Work>) -> Result<(), LowerError> {
        for OutputCopy { tensor, output, node } in copies {
            let destination = self.storage.output_placement(self.segment, output)?;
            let source = self.placement(tensor)?;
            let copy = layout::copy(source, destination, KeptRows::Nothing)
                .map_err(|error| LowerError::Malformed(format!("output {output}: {error}")))?;
            let node = node.unwrap_or(self.segment.nodes.len());
            all.push(Work { node, time, is_copy: true, steps: vec![Box::new(copy)] });
        }
        Ok(())
    }
}

fn operand(node: &BpuNode, index: usize) -> Result<TensorId, LowerError> {
    let id = node.inputs.get(index).copied();
    id.ok_or_else(|| unsupported(node, format!("operand {index} is missing")))
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

/// Name and operator of a node; outputs that no node makes belong to the segment itself.
fn label(segment: &Segment, index: usize) -> (String, &'static str) {
    match segment.nodes.get(index) {
        Some(node) => (node.name.clone(), node.operator.name()),
        None => (Origin::without_node(&segment.name).part("outputs").name, "copy"),
    }
}

fn finish(
    segment: &Segment,
    builder: Builder<'_>,
    instructions: Vec<Instruction>,
    plan: LoweringPlan,
) -> Result<Lowered<'static>, LowerError> {
    let port = |id: &TensorId| port(builder.tensor(*id)?, builder.target);
    let inputs = segment.inputs.iter().map(port).collect::<Result<Vec<_>, _>>()?;
    let outputs = segment.outputs.iter().map(port).collect::<Result<Vec<_>, _>>()?;
    let (inputs, input_bytes) = inputs.into_iter().unzip();
    let (outputs, output_bytes) = outputs.into_iter().unzip();
    let all = 0..=segment.nodes.len();
    let (names, mut layers): (Vec<_>, Vec<_>) =
        all.map(|index| (label(segment, index).0, layer(segment, index))).unzip();
    let constants = builder.image.finish();
    let program = Program {
        inputs: input_bytes,
        outputs: output_bytes,
        constants: constants.len() as u64,
        workspace: builder.storage.workspace_bytes(),
        instructions,
        names,
    };
    let program = if plan.calls.is_empty() {
        program
    } else {
        layers.push(LoweredLayer::default());
        let name = Origin::without_node(&segment.name).part("function_calls").name;
        cut(&program, &plan.calls, name, builder.target.l1m_bytes())
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
