//! A compiled network that runs in this process.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use hb_dialects::ElementType;
use hb_runtime::array::{ALIGNMENT, AlignedBytes};
use hb_runtime::{Array, ArrayView, ResultView};
use inkwell::context::Context;
use rayon::prelude::*;

use super::emit::{self, Work};
use super::error::Error;
use super::expression::GraphTensorId;
use super::graph::{Action, Compute, ExpressionGraph};
use super::jit::{Entry, Jit};
use super::kernel::Kernel;
use super::kernel_cache::{Compiled, KernelCache};
use super::kernel_job::KernelJob;
use super::prepare::{Code, ExecutionStep, PreparedGraph, TensorPlace, prepare};
use super::run::{Run, Tensors, Timer, Watch};
use super::target::{CpuTarget, Effort};
use crate::team::Team;

/// Which intermediate values `run_with_observer` delivers. What is observed is not fused away, so it costs time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Observe {
    /// No value; everything may be fused.
    #[default]
    Nothing,
    /// Every named value.
    Everything,
    /// The values of these names.
    Names(HashSet<String>),
}

/// How code is made.
#[derive(Clone, Debug, Default)]
pub struct ExecutableOptions {
    /// Which values a run gives beside the outputs.
    pub observe: Observe,
    /// Run every kernel on the calling thread, for callers that run many samples in parallel.
    pub single_threaded: bool,
    /// Compile quickly to code that is slower, for networks that run a few times only.
    pub quick: bool,
    /// Kernels that may be there already, and are afterwards.
    pub kernels: Option<Arc<KernelCache>>,
}

/// A network compiled for this machine. `run` may be called from several threads at once.
pub struct Executable {
    pub(super) prepared: PreparedGraph,
    /// The steps that are kernels, in order: the jobs of a team.
    pub(super) kernel_steps: Vec<usize>,
    entries: Vec<Entry>,
    works: Vec<Work>,
    pub(super) scratch: usize,
    /// By output, whether every element is written by kernels or copied, so that its memory may hold anything before.
    pub(super) filled_outputs: Vec<bool>,
    pub(super) options: ExecutableOptions,
    /// Memory of earlier runs, for later ones: a run allocates only its outputs.
    memories: Mutex<Vec<Memory>>,
    /// Owns the code behind `entries`.
    _code: Vec<Arc<Jit>>,
}

/// Kernels that share a module. Few, so that all cores have something to optimize.
const KERNELS_PER_MODULE: usize = 4;
/// Up to this many scalar operations, a hundred runs of a kernel take less time than optimizing it.
const WORTH_OPTIMIZING: usize = 1 << 18;
/// Below this many scalar operations a kernel is not worth waking another thread.
const WORTH_SPLITTING: usize = 10_000;

/// What one run needs and a later one can use again.
pub(super) struct Memory {
    pub arena: AlignedBytes,
    pub jobs: Vec<KernelJob>,
    pub team: Arc<Team>,
}

impl Executable {
    /// Prepares constants, fuses, plans memory and makes code.
    ///
    /// # Errors
    /// When a computation might leave its tensors, or code cannot be made.
    pub fn compile(graph: ExpressionGraph, options: ExecutableOptions) -> Result<Executable, Error> {
        let graph = fold_constants(graph)?;
        Executable::compile_folded(graph, options)
    }

    fn compile_folded(graph: ExpressionGraph, options: ExecutableOptions) -> Result<Executable, Error> {
        let kept = observed(&graph, &options.observe);
        let target = CpuTarget::host()?;
        let mut prepared = prepare(graph, &kept, &target)?;
        for step in &mut prepared.steps {
            if let Code::Routine(routine) = &step.code
                && let Some(compiled) = routine.compiled(&options)?
            {
                step.code = Code::Routine(compiled);
            }
        }
        let steps = prepared.steps.iter().enumerate();
        let kernel_steps =
            steps.filter(|(_, step)| matches!(step.code, Code::Kernel(_))).map(|(number, _)| number).collect();
        let compiled = compile_kernels(&prepared.kernels, &options, &target)?;
        let (entries, mut code): (Vec<Entry>, Vec<Arc<Jit>>) =
            compiled.into_iter().map(|kernel| (kernel.entry, kernel.code)).unzip();
        code.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let works: Vec<Work> = prepared.kernels.iter().map(emit::work).collect();
        let scratch = works.iter().map(|work| work.scratch.next_multiple_of(ALIGNMENT)).max().unwrap_or(0);
        let filled_outputs = filled_outputs(&prepared);
        let memories = Mutex::new(Vec::new());
        Ok(Executable {
            prepared,
            kernel_steps,
            entries,
            works,
            scratch,
            filled_outputs,
            options,
            memories,
            _code: code,
        })
    }

    /// Whether inputs and outputs are those of another network, and what writes the outputs writes as much of them.
    pub(super) fn is_like(&self, other: &Executable) -> bool {
        self.inputs().eq(other.inputs())
            && self.outputs().eq(other.outputs())
            && self.filled_outputs == other.filled_outputs
    }

    /// How many steps, from the first on, do the same at the same places as those of another network: what is in memory after these is the same
    /// in both. A routine counts as another.
    pub(super) fn steps_in_common(&self, other: &Executable) -> usize {
        let (own, others) = (&self.prepared, &other.prepared);
        let is_same =
            |(&(_, one), &(_, two)): (&(GraphTensorId, TensorPlace), &(GraphTensorId, TensorPlace))| match (one, two) {
                (TensorPlace::Constant(one), TensorPlace::Constant(two)) => {
                    own.constants.get(one) == others.constants.get(two)
                }
                _ => one == two,
            };
        let are_same = |one: &[_], two: &[_]| one.len() == two.len() && one.iter().zip(two).all(is_same);
        let does_the_same = |(one, two): &(&ExecutionStep, &ExecutionStep)| {
            let (Code::Kernel(kernel), Code::Kernel(others_kernel)) = (&one.code, &two.code) else { return false };
            are_same(&one.results, &two.results)
                && are_same(&one.operands, &two.operands)
                && one.checks.is_empty()
                && own.kernels.get(*kernel) == others.kernels.get(*others_kernel)
        };
        own.steps.iter().zip(&others.steps).take_while(does_the_same).count()
    }

    /// Runs the network on arrays of the inputs' types and shapes, in order.
    pub fn run(&self, inputs: &[&Array]) -> Result<Vec<Array>, Error> {
        self.run_with_observer(inputs, &mut |_, _| {})
    }

    /// As `run`, but gives the node and time of every kernel, in order of execution. Fused nodes count as the last of them.
    pub fn profile(&self, inputs: &[&Array]) -> Result<Vec<(String, std::time::Duration)>, Error> {
        let mut times = Vec::new();
        self.execute(inputs, &mut |_, _| {}, &mut |node, time| times.push((node.to_string(), time)))?;
        Ok(times)
    }

    /// As `run`; calls `observer` with the name and value of every input and every value that `ExecutableOptions::observe` selects,
    /// in order of execution.
    pub fn run_with_observer(
        &self,
        inputs: &[&Array],
        observer: &mut dyn FnMut(&str, ArrayView<'_>),
    ) -> Result<Vec<Array>, Error> {
        let mut watch = |id, tensors: &Tensors<'_>| tensors.observe(id, observer);
        self.execute(inputs, &mut watch, &mut |_, _| {})
    }

    /// As `run`; calls `alter` with the name and value of every value that `ExecutableOptions::observe` selects, save inputs and
    /// constants, before anything reads it: readers see what it becomes. Another form of the same memory, such as a reshaped value, is not told
    /// apart from it: whoever reads either sees it.
    pub fn run_altered(
        &self,
        inputs: &[&Array],
        alter: &mut dyn FnMut(&str, ResultView<'_>),
    ) -> Result<Vec<Array>, Error> {
        let mut watch = |id, tensors: &Tensors<'_>| tensors.alter(id, alter);
        self.execute(inputs, &mut watch, &mut |_, _| {})
    }

    /// `watch` is given every input, and every value that is observed as soon as it is there.
    fn execute(&self, inputs: &[&Array], watch: &mut Watch<'_>, timer: &mut Timer<'_>) -> Result<Vec<Array>, Error> {
        let run = Run::start(self, inputs)?;
        run.show_inputs(watch);
        run.finish(watch, timer)
    }

    /// The step that computes each value that is observed, by name; the first one of several.
    pub(super) fn steps_of_values(&self) -> HashMap<&str, usize> {
        let mut steps = HashMap::new();
        for (number, step) in self.prepared.steps.iter().enumerate() {
            for tensor in step.completes.iter().filter_map(|id| self.prepared.graph.tensor(*id)) {
                steps.entry(tensor.name.as_str()).or_insert(number);
            }
        }
        steps
    }

    /// The names, elements and shapes of the inputs.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, ElementType, &[usize])> {
        self.describe(&self.prepared.graph.inputs)
    }

    /// The names, elements and shapes of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, ElementType, &[usize])> {
        self.describe(&self.prepared.graph.outputs)
    }

    fn describe<'a>(&'a self, ids: &'a [GraphTensorId]) -> impl Iterator<Item = (&'a str, ElementType, &'a [usize])> {
        let tensors = ids.iter().filter_map(|id| self.prepared.graph.tensor(*id));
        tensors.map(|tensor| (tensor.name.as_str(), tensor.element, tensor.shape.as_slice()))
    }

    pub(super) fn check_inputs(&self, inputs: &[&Array]) -> Result<(), Error> {
        let expected = &self.prepared.graph.inputs;
        if inputs.len() != expected.len() {
            let reason = format!("{} arrays given, but the network has {} inputs", inputs.len(), expected.len());
            return Err(Error::Input { name: String::new(), reason });
        }
        for (array, (name, element, shape)) in inputs.iter().zip(self.inputs()) {
            if array.element() != element || array.shape() != shape {
                let reason = format!("given {} {:?}, but it is {element} {shape:?}", array.element(), array.shape());
                return Err(Error::Input { name: name.to_string(), reason });
            }
        }
        Ok(())
    }

    /// Memory for a run, of an earlier one where there is such.
    pub(super) fn take_memory(&self) -> Result<Memory, Error> {
        if let Some(old) = self.memories.lock().ok().and_then(|mut memories| memories.pop()) {
            return Ok(old);
        }
        let threads = if self.options.single_threaded { 1 } else { rayon::current_num_threads().max(1) };
        let arena = self.prepared.arena.next_multiple_of(ALIGNMENT);
        let bytes = self.scratch.checked_mul(threads).and_then(|scratch| scratch.checked_add(arena));
        let bytes = bytes.and_then(AlignedBytes::zeroed).ok_or_else(|| Error::TooLarge {
            tensor: "all intermediate tensors".to_string(),
            shape: Vec::new(),
            reason: format!("there are no {} bytes of memory; run smaller inputs", self.prepared.arena),
        });
        let bytes = bytes?;
        let mut jobs = Vec::new();
        for step in &self.prepared.steps {
            let Code::Kernel(kernel) = step.code else { continue };
            let missing = || Error::invalid(&step.node, "lost its code");
            let entry = *self.entries.get(kernel).ok_or_else(missing)?;
            let work = self.works.get(kernel).ok_or_else(missing)?;
            jobs.push(KernelJob {
                entry,
                units: work.units,
                is_worth_splitting: work.units.saturating_mul(work.cost) >= WORTH_SPLITTING,
                table: vec![std::ptr::null_mut(); step.operands.len() + 1],
            });
        }
        Ok(Memory { arena: bytes, jobs, team: Team::new(threads - 1) })
    }

    /// Keeps memory for a later run.
    pub(super) fn give_back(&self, memory: Memory) {
        if let Ok(mut memories) = self.memories.lock() {
            memories.push(memory);
        }
    }
}

fn kernel_name(number: usize) -> String {
    format!("kernel_{number}")
}

/// The code of every kernel: from the cache, or compiled now on all threads.
fn compile_kernels(
    kernels: &[Kernel],
    options: &ExecutableOptions,
    target: &CpuTarget,
) -> Result<Vec<Compiled>, Error> {
    let cache = options.kernels.as_deref();
    let known = |kernel: &Kernel| cache.and_then(|cache| cache.get(kernel));
    let mut compiled: Vec<Option<Compiled>> = kernels.iter().map(known).collect();
    let missing: Vec<(usize, &Kernel)> =
        kernels.iter().enumerate().filter(|(n, _)| matches!(compiled.get(*n), Some(None))).collect();
    if missing.is_empty() {
        return Ok(compiled.into_iter().flatten().collect());
    }
    let code = Arc::new(Jit::link(&emit_kernels(&missing, options.quick, target)?)?);
    for (n, kernel) in missing {
        let new = Compiled { entry: code.entry(&kernel_name(n))?, code: Arc::clone(&code) };
        if let Some(cache) = cache {
            cache.insert(kernel.clone(), new.clone());
        }
        if let Some(slot) = compiled.get_mut(n) {
            *slot = Some(new);
        }
    }
    Ok(compiled.into_iter().flatten().collect())
}

/// The kernels, each with its number, as object files: modules of kernels that need the same optimization, on all threads.
fn emit_kernels(kernels: &[(usize, &Kernel)], quick: bool, target: &CpuTarget) -> Result<Vec<Vec<u8>>, Error> {
    let mut modules: Vec<(Vec<(usize, &Kernel)>, Effort)> = Vec::new();
    // The slow ones first: what is left at the end is short.
    for effort in [Effort::Vectorize, Effort::Tidy, Effort::Little] {
        let own: Vec<(usize, &Kernel)> =
            kernels.iter().copied().filter(|(_, kernel)| effort_for(kernel, quick, target) == effort).collect();
        modules.extend(own.chunks(KERNELS_PER_MODULE).map(|kernels| (kernels.to_vec(), effort)));
    }
    modules.into_par_iter().map(|(kernels, effort)| emit_module(&kernels, target, effort)).collect()
}

/// What making a kernel's code is worth.
fn effort_for(kernel: &Kernel, quick: bool, target: &CpuTarget) -> Effort {
    let work = emit::work(kernel);
    match quick {
        true if work.units.saturating_mul(work.cost) <= WORTH_OPTIMIZING => Effort::Little,
        true => Effort::Tidy,
        false if emit::is_vectorized(kernel, target) => Effort::Tidy,
        false => Effort::Vectorize,
    }
}

/// One module with these kernels, as an object file.
fn emit_module(kernels: &[(usize, &Kernel)], target: &CpuTarget, effort: Effort) -> Result<Vec<u8>, Error> {
    let context = Context::create();
    let module = context.create_module("hb");
    for (number, kernel) in kernels {
        emit::emit(&context, &module, &kernel_name(*number), kernel, target)?;
    }
    target.assemble(&module, effort)
}

/// By output, whether every element is copied, or written by kernels. Routines are given slices, which must hold values before.
fn filled_outputs(prepared: &PreparedGraph) -> Vec<bool> {
    let graph = &prepared.graph;
    let mut writers: HashMap<GraphTensorId, Vec<&Action>> = HashMap::new();
    for action in &graph.actions {
        let storages: HashSet<GraphTensorId> = action.results().iter().map(|result| graph.storage(*result)).collect();
        storages.into_iter().for_each(|storage| writers.entry(storage).or_default().push(action));
    }
    let is_filled = |(position, id): (usize, &GraphTensorId)| {
        let storage = graph.storage(*id);
        let Some(place) = prepared.places.get(storage.0).copied().flatten() else { return false };
        if place != TensorPlace::Output(position) {
            return true;
        }
        let boxes = writers.get(&storage).into_iter().flatten().map(|action| match action {
            Action::Compute(compute) => Some(compute),
            Action::Call(_) => None,
        });
        let boxes: Option<Vec<&Compute>> = boxes.collect();
        let shape = graph.tensor(storage).map(|tensor| tensor.shape.as_slice());
        boxes.zip(shape).is_some_and(|(boxes, shape)| fill(&boxes, shape))
    };
    graph.outputs.iter().enumerate().map(is_filled).collect()
}

/// More parts of a tensor are not compared with each other.
const MOST_PARTS: usize = 100;

/// Whether computations write every element of a tensor: one of them does, or they are apart and as many elements as it has.
fn fill(parts: &[&Compute], shape: &[usize]) -> bool {
    let count = |sizes: &[usize]| sizes.iter().fold(1, |count: usize, size| count.saturating_mul(*size));
    let all = count(shape);
    if parts.iter().any(|part| count(&part.extents) == all) {
        return true;
    }
    let are_apart = |a: &Compute, b: &Compute| {
        let dimensions = a.offset.iter().zip(&a.extents).zip(b.offset.iter().zip(&b.extents));
        let in_order = |from: &usize, size: &usize, next: &usize| from.saturating_add(*size) <= *next;
        a.output == b.output
            && dimensions.into_iter().any(|((a, a_size), (b, b_size))| in_order(a, a_size, b) || in_order(b, b_size, a))
    };
    let pairs = || parts.iter().enumerate().flat_map(|(number, a)| parts.iter().skip(number + 1).map(move |b| (a, b)));
    parts.len() <= MOST_PARTS
        && parts.iter().fold(0, |sum: usize, part| sum.saturating_add(count(&part.extents))) == all
        && pairs().all(|(a, b)| are_apart(a, b))
}

/// The values that must exist because they are observed.
fn observed(graph: &ExpressionGraph, observe: &Observe) -> HashSet<GraphTensorId> {
    let wanted = |name: &str| match observe {
        Observe::Nothing => false,
        Observe::Everything => !name.is_empty(),
        Observe::Names(names) => names.contains(name),
    };
    let tensors = graph.tensors.iter().enumerate();
    tensors
        .filter(|(_, tensor)| tensor.data.is_none() && wanted(&tensor.name))
        .map(|(position, _)| GraphTensorId(position))
        .collect()
}

/// The tensors that differ from run to run.
pub(super) fn varying(graph: &ExpressionGraph) -> HashSet<GraphTensorId> {
    let mut varying: HashSet<GraphTensorId> = graph.inputs.iter().copied().collect();
    for action in &graph.actions {
        let varies = |id: &GraphTensorId| varying.contains(&graph.storage(*id));
        let folds = match action {
            Action::Compute(_) => true,
            Action::Call(call) => call.routine.may_fold(),
        };
        if !folds || action.operands().iter().any(varies) {
            varying.extend(action.results());
        }
    }
    varying
}

/// Computes, once and for all, what depends on constants only.
pub(crate) fn fold_constants(mut graph: ExpressionGraph) -> Result<ExpressionGraph, Error> {
    let varying = varying(&graph);
    let is_constant = |action: &Action| action.results().iter().all(|id| !varying.contains(id));
    let (constant, rest): (Vec<Action>, Vec<Action>) =
        std::mem::take(&mut graph.actions).into_iter().partition(is_constant);
    graph.actions = rest;
    if constant.is_empty() {
        return Ok(graph);
    }
    let mut known: Vec<GraphTensorId> = constant.iter().flat_map(|action| action.results()).copied().collect();
    known.sort();
    known.dedup();
    let tensors = graph.tensors.clone();
    let part = ExpressionGraph { tensors, actions: constant, inputs: Vec::new(), outputs: known.clone() };
    let values = Executable::compile_folded(part, ExecutableOptions::default())?.run(&[])?;
    for (id, value) in known.into_iter().zip(values) {
        if let Some(tensor) = graph.tensors.get_mut(id.0) {
            tensor.data = Some(Arc::new(value));
        }
    }
    // Views of what is now constant are constants, too.
    for position in 0..graph.tensors.len() {
        let Some(tensor) = graph.tensors.get(position) else { continue };
        let Some(data) = tensor.view_of.and_then(|of| graph.tensor(of)).and_then(|of| of.data.clone()) else {
            continue;
        };
        let data = data.as_ref().clone().reshaped(&tensor.shape.clone())?;
        if let Some(tensor) = graph.tensors.get_mut(position) {
            (tensor.data, tensor.view_of) = (Some(Arc::new(data)), None);
        }
    }
    Ok(graph)
}
