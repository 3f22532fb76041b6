//! From a graph to kernels, steps and addresses: everything but machine code.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::contraction::Contraction;
use super::error::Error;
use super::expression::GraphTensorId;
use super::fuse::fuse;
use super::graph::{Action, ExpressionGraph, RunCheck};
use super::kernel::Kernel;
use super::memory::{ScratchBuffer, plan};
use super::routine::Callable;
use super::target::CpuTarget;
use hb_runtime::Array;
use hb_runtime::array::byte_count;

/// Where a tensor's bytes are while a network runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TensorPlace {
    Input(usize),
    Output(usize),
    Constant(usize),
    /// At this offset of the arena.
    Arena(usize),
}

/// What a step does to its tensors.
#[derive(Clone, Debug)]
pub(crate) enum Code {
    /// The kernel with this number.
    Kernel(usize),
    Routine(Arc<dyn Callable>),
}

/// One action, with the places of its tensors.
#[derive(Clone, Debug)]
pub(crate) struct ExecutionStep {
    pub node: String,
    pub code: Code,
    /// What it writes: one tensor for a kernel.
    pub results: Vec<(GraphTensorId, TensorPlace)>,
    pub operands: Vec<(GraphTensorId, TensorPlace)>,
    pub checks: Vec<RunCheck>,
    /// Values that are complete when this step is done.
    pub completes: Vec<GraphTensorId>,
}

/// A network ready for code generation.
pub(crate) struct PreparedGraph {
    pub graph: ExpressionGraph,
    pub kernels: Vec<Kernel>,
    pub steps: Vec<ExecutionStep>,
    pub constants: Vec<Arc<Array>>,
    pub arena: usize,
    /// By tensor.
    pub places: Vec<Option<TensorPlace>>,
}

pub(crate) fn prepare(
    mut graph: ExpressionGraph,
    kept: &HashSet<GraphTensorId>,
    target: &CpuTarget,
) -> Result<PreparedGraph, Error> {
    remove_dead(&mut graph, kept);
    fuse(&mut graph, kept);
    let mut kernels = Kernels::default();
    let mut computed = Vec::new();
    let mut packed = HashMap::new();
    let mut readers = forget_unread(&mut graph);
    for action in std::mem::take(&mut graph.actions) {
        computed.push(match &action {
            Action::Compute(compute) => {
                let (mut kernel, mut operands) = Kernel::new(&graph, compute)?;
                let read = operands.clone();
                block(&mut graph, &mut kernel, &mut operands, &mut packed, target)?;
                for id in read.into_iter().filter(|id| !operands.contains(id)) {
                    readers.gone(&mut graph, id);
                }
                (Code::Kernel(kernels.intern(kernel)), operands)
            }
            Action::Call(call) => (Code::Routine(call.routine.clone()), call.operands.clone()),
        });
        graph.actions.push(action);
    }
    let read: Vec<Vec<GraphTensorId>> = computed.iter().map(|(_, operands)| operands.clone()).collect();
    let Placed { places, constants, arena } = place(&graph, &read)?;
    let lookup = |id: GraphTensorId, node: &str| {
        let place = places.get(graph.storage(id).0).copied().flatten();
        place.map(|place| (id, place)).ok_or_else(|| Error::invalid(node, "reads a tensor that nothing writes"))
    };
    let mut steps = Vec::new();
    for (action, (code, operands)) in graph.actions.iter().zip(computed) {
        let node = action.node();
        let found = |ids: &[GraphTensorId]| ids.iter().map(|id| lookup(*id, node)).collect::<Result<Vec<_>, Error>>();
        steps.push(ExecutionStep {
            node: node.to_string(),
            code,
            results: found(action.results())?,
            operands: found(&operands)?,
            checks: action.checks().to_vec(),
            completes: Vec::new(),
        });
    }
    complete(&graph, kept, &mut steps);
    Ok(PreparedGraph { graph, kernels: kernels.list, steps, constants, arena, places })
}

/// Drops computations whose result nobody reads.
pub(crate) fn remove_dead(graph: &mut ExpressionGraph, kept: &HashSet<GraphTensorId>) {
    let mut needed: HashSet<GraphTensorId> = graph.outputs.iter().chain(kept).map(|id| graph.storage(*id)).collect();
    let mut alive: Vec<Action> = Vec::new();
    for action in std::mem::take(&mut graph.actions).into_iter().rev() {
        if action.results().iter().any(|id| needed.contains(id)) {
            let checked = action.checks().iter().flat_map(|check| check.tensors());
            needed.extend(action.operands().into_iter().chain(checked).map(|id| graph.storage(id)));
            alive.push(action);
        }
    }
    alive.reverse();
    graph.actions = alive;
}

/// How many readers each constant has when the network runs.
struct ConstantReaders(HashMap<GraphTensorId, usize>);

impl ConstantReaders {
    /// One reader reads what was made of the constant instead. Without the last of them the graph lets go of it.
    fn gone(&mut self, graph: &mut ExpressionGraph, id: GraphTensorId) {
        if let Some(count) = self.0.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                graph.forget_data(id);
            }
        }
    }
}

/// Lets go of the constants that nothing reads, such as those that casts were computed of, and counts the readers of the others.
fn forget_unread(graph: &mut ExpressionGraph) -> ConstantReaders {
    let mut readers: HashMap<GraphTensorId, usize> = HashMap::new();
    let checked = graph.actions.iter().flat_map(|action| action.checks().iter().flat_map(|check| check.tensors()));
    let read = graph.actions.iter().flat_map(|action| action.operands());
    for id in read.chain(checked).chain(graph.outputs.iter().copied()) {
        *readers.entry(id).or_default() += 1;
    }
    for position in 0..graph.tensors.len() {
        if !readers.contains_key(&GraphTensorId(position)) {
            graph.forget_data(GraphTensorId(position));
        }
    }
    ConstantReaders(readers)
}

/// Weights, and all that decides how they are packed.
type Packing = (GraphTensorId, Contraction, Vec<usize>);

/// Decides how a matrix product is blocked, and packs its constant operand.
fn block(
    graph: &mut ExpressionGraph,
    kernel: &mut Kernel,
    operands: &mut [GraphTensorId],
    packed: &mut HashMap<Packing, GraphTensorId>,
    target: &CpuTarget,
) -> Result<(), Error> {
    let data = |operand: usize| {
        let id = operands.get(operand)?;
        graph.tensor(*id)?.data.clone()
    };
    let Some(plan) = Contraction::of(kernel, &|operand| data(operand).is_some(), target) else { return Ok(()) };
    if let (true, Some(array), Some(&id)) = (plan.packed, data(plan.a), operands.get(plan.a)) {
        // Two computations may share weights; they share the packed ones only if they pack alike.
        let key = (id, plan.clone(), kernel.all_extents());
        let id = match packed.get(&key) {
            Some(id) => *id,
            None => {
                let id = graph.add_constant("", Arc::new(plan.pack(kernel, &array)?))?;
                packed.insert(key, id);
                id
            }
        };
        if let Some(operand) = operands.get_mut(plan.a) {
            *operand = id;
        }
    }
    kernel.contraction = Some(plan);
    Ok(())
}

#[derive(Default)]
struct Kernels {
    list: Vec<Kernel>,
    known: HashMap<Kernel, usize>,
}

impl Kernels {
    /// Equal kernels get one number.
    fn intern(&mut self, kernel: Kernel) -> usize {
        let position = *self.known.entry(kernel.clone()).or_insert(self.list.len());
        if position == self.list.len() {
            self.list.push(kernel);
        }
        position
    }
}

struct Placed {
    /// By tensor.
    places: Vec<Option<TensorPlace>>,
    constants: Vec<Arc<Array>>,
    arena: usize,
}

/// Addresses for inputs, outputs, constants and everything between.
fn place(graph: &ExpressionGraph, read: &[Vec<GraphTensorId>]) -> Result<Placed, Error> {
    let mut places: Vec<Option<TensorPlace>> = vec![None; graph.tensors.len()];
    let mut constants = Vec::new();
    let set = |id: GraphTensorId, place: TensorPlace, places: &mut Vec<Option<TensorPlace>>| {
        if let Some(slot @ None) = places.get_mut(id.0) {
            *slot = Some(place);
        }
    };
    // Only constants that something reads: what was packed or folded need not stay in memory.
    let checked = graph.actions.iter().flat_map(|action| action.checks().iter().flat_map(|check| check.tensors()));
    for id in &read.iter().flatten().copied().chain(checked).chain(graph.outputs.iter().copied()).collect::<Vec<_>>() {
        if let (Some(data), Some(None)) = (graph.tensor(*id).and_then(|tensor| tensor.data.as_ref()), places.get(id.0))
        {
            set(*id, TensorPlace::Constant(constants.len()), &mut places);
            constants.push(data.clone());
        }
    }
    graph.inputs.iter().enumerate().for_each(|(n, id)| set(*id, TensorPlace::Input(n), &mut places));
    graph.outputs.iter().enumerate().for_each(|(n, id)| set(graph.storage(*id), TensorPlace::Output(n), &mut places));
    let mut lives: HashMap<GraphTensorId, (usize, usize)> = HashMap::new();
    let mut order = Vec::new();
    for (step, (action, read)) in graph.actions.iter().zip(read).enumerate() {
        let checked = action.checks().iter().flat_map(|check| check.tensors());
        let written = action.results().iter().copied();
        for id in read.iter().copied().chain(checked).chain(written).map(|id| graph.storage(id)) {
            if places.get(id.0) == Some(&None) {
                let life = lives.entry(id).or_insert_with(|| {
                    order.push(id);
                    (step, step)
                });
                life.1 = step;
            }
        }
    }
    let mut buffers = Vec::new();
    for id in &order {
        let (Some(tensor), Some(&(first, last))) = (graph.tensor(*id), lives.get(id)) else { continue };
        buffers.push(ScratchBuffer { bytes: byte_count(&tensor.name, tensor.element, &tensor.shape)?, first, last });
    }
    let too_large = || Error::TooLarge {
        tensor: "all intermediate tensors".to_string(),
        shape: Vec::new(),
        reason: "together they do not fit this machine's address space".to_string(),
    };
    let plan = plan(&buffers).ok_or_else(too_large)?;
    order.iter().zip(&plan.offsets).for_each(|(id, offset)| set(*id, TensorPlace::Arena(*offset), &mut places));
    Ok(Placed { places, constants, arena: plan.bytes })
}

/// Notes after which step each kept value, or view of one, can be looked at.
fn complete(graph: &ExpressionGraph, kept: &HashSet<GraphTensorId>, steps: &mut [ExecutionStep]) {
    let mut last: HashMap<GraphTensorId, usize> = HashMap::new();
    for (step, action) in graph.actions.iter().enumerate() {
        last.extend(action.results().iter().map(|id| (*id, step)));
    }
    let mut kept: Vec<GraphTensorId> = kept.iter().copied().collect();
    kept.sort();
    for id in kept {
        if let Some(step) = last.get(&graph.storage(id)).and_then(|step| steps.get_mut(*step)) {
            step.completes.push(id);
        }
    }
}
