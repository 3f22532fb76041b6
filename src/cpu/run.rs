//! A run of a network: step by step, and forked where several shall go on from the same step.

use hb_runtime::array::{ALIGNMENT, byte_count};
use hb_runtime::{Array, ArrayView, ResultView};

use super::error::Error;
use super::executable::{Executable, Memory, Observe};
use super::expression::GraphTensorId;
use super::graph::GraphTensor;
use super::interpret::check_indices;
use super::kernel_job::ThreadScratch;
use super::prepare::{Code, ExecutionStep, TensorPlace};
use super::routine::fault_at;

/// Is told of each value that is observed as soon as it is there.
pub(super) type Watch<'w> = dyn FnMut(GraphTensorId, &Tensors<'_>) + 'w;
/// Is told of the node of each step, and how long it took.
pub(super) type Timer<'t> = dyn FnMut(&str, std::time::Duration) + 't;

/// A run in progress.
pub(super) struct Run<'e> {
    tensors: Tensors<'e>,
    outputs: Vec<Array>,
    memory: Memory,
    /// How many steps are done, and how many of them are kernels.
    done: usize,
    done_kernels: usize,
}

impl<'e> Run<'e> {
    /// Before the first step.
    pub(super) fn start(executable: &'e Executable, inputs: &'e [&'e Array]) -> Result<Self, Error> {
        executable.check_inputs(inputs)?;
        Self::on(executable, inputs.iter().map(|array| array.as_ptr().cast_mut()).collect())
    }

    fn on(executable: &'e Executable, inputs: Vec<*mut u8>) -> Result<Self, Error> {
        let prepared = &executable.prepared;
        let mut outputs = Vec::new();
        for (id, &is_filled) in prepared.graph.outputs.iter().zip(&executable.filled_outputs) {
            if let Some(tensor) = prepared.graph.tensor(*id) {
                let new = if is_filled { Array::unwritten } else { Array::zeros };
                outputs.push(new(tensor.element, &tensor.shape).map_err(|error| error.of_tensor(&tensor.name))?);
            }
        }
        let mut memory = executable.take_memory()?;
        let pointers = Pointers {
            inputs,
            outputs: outputs.iter_mut().map(Array::as_mut_ptr).collect(),
            constants: prepared.constants.iter().map(|array| array.as_ptr().cast_mut()).collect(),
            arena: memory.arena.as_mut_ptr(),
        };
        let steps = executable.kernel_steps.iter().filter_map(|step| prepared.steps.get(*step));
        for (job, step) in memory.jobs.iter_mut().zip(steps) {
            let tensors = step.results.iter().take(1).chain(&step.operands);
            for (slot, (_, place)) in job.table.iter_mut().zip(tensors) {
                *slot = pointers.at(*place).unwrap_or(std::ptr::null_mut());
            }
        }
        Ok(Self { tensors: Tensors { executable, pointers }, outputs, memory, done: 0, done_kernels: 0 })
    }

    /// Tells `watch` of the inputs.
    pub(super) fn show_inputs(&self, watch: &mut Watch<'_>) {
        let executable = self.tensors.executable;
        if executable.options.observe != Observe::Nothing {
            executable.prepared.graph.inputs.iter().for_each(|id| watch(*id, &self.tensors));
        }
    }

    /// Does the steps before number `end` that are not done yet.
    pub(super) fn advance(&mut self, end: usize, watch: &mut Watch<'_>, timer: &mut Timer<'_>) -> Result<(), Error> {
        let Self { tensors, memory: Memory { arena, jobs, team }, done, done_kernels, .. } = self;
        let executable = tensors.executable;
        let scratch = executable.prepared.arena.next_multiple_of(ALIGNMENT);
        let scratch = ThreadScratch { start: arena.as_mut_ptr().wrapping_add(scratch), bytes: executable.scratch };
        let mut threads = team.open();
        for step in executable.prepared.steps.get(*done..end).unwrap_or_default() {
            let start = std::time::Instant::now();
            tensors.step(step, || {
                if let Some(job) = jobs.get(*done_kernels) {
                    job.run(&mut threads, scratch);
                }
                *done_kernels += 1;
            })?;
            timer(&step.node, start.elapsed());
            step.completes.iter().for_each(|id| watch(*id, tensors));
            *done += 1;
        }
        Ok(())
    }

    /// How many steps are done.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Another run of the same inputs that is as far as this one, by an executable whose steps up to there do the same.
    ///
    /// # Errors
    /// When its inputs or outputs are others, or there is no memory.
    pub(super) fn fork_on<'o>(&self, executable: &'o Executable) -> Result<Run<'o>, Error>
    where
        'e: 'o,
    {
        let Tensors { executable: own, pointers } = &self.tensors;
        if !executable.is_like(own) {
            return Err(Error::invalid("run", "cannot go on by a network with other inputs or outputs"));
        }
        let mut fork = Run::on(executable, pointers.inputs.clone())?;
        (fork.done, fork.done_kernels) = (self.done, self.done_kernels);
        let to = &fork.tensors.pointers;
        let arena = own.prepared.arena.min(executable.prepared.arena);
        // SAFETY: both arenas have at least so many bytes, and are allocations of their own.
        unsafe { std::ptr::copy_nonoverlapping(pointers.arena, to.arena, arena) };
        let outputs = pointers.outputs.iter().zip(&to.outputs).zip(&self.outputs);
        for ((from, to), output) in outputs {
            let bytes = byte_count("", output.element(), output.shape())?;
            // SAFETY: as above, of two outputs of one shape. What nobody has written yet is copied without being looked at.
            unsafe { std::ptr::copy_nonoverlapping(*from, *to, bytes) };
        }
        Ok(fork)
    }

    /// Does what is left; gives the outputs.
    pub(super) fn finish(mut self, watch: &mut Watch<'_>, timer: &mut Timer<'_>) -> Result<Vec<Array>, Error> {
        let executable = self.tensors.executable;
        let result = self.advance(executable.prepared.steps.len(), watch, timer);
        self.tensors.copy_outputs();
        executable.give_back(self.memory);
        result?;
        for (output, _) in self.outputs.iter_mut().zip(&executable.filled_outputs).filter(|(_, is_filled)| **is_filled)
        {
            // SAFETY: `filled_outputs` says that every element of it was written.
            unsafe { output.assume_written() };
        }
        Ok(self.outputs)
    }
}

/// The tensors of a run.
pub(super) struct Tensors<'e> {
    executable: &'e Executable,
    pointers: Pointers,
}

impl Tensors<'_> {
    /// Where a tensor is; none where it need not exist.
    fn place(&self, id: GraphTensorId) -> Option<TensorPlace> {
        self.executable.prepared.places.get(self.executable.prepared.graph.storage(id).0).copied().flatten()
    }

    fn view<'a>(&'a self, id: GraphTensorId) -> Option<ArrayView<'a>> {
        self.view_at(id, self.place(id)?)
    }

    fn view_at<'a>(&'a self, id: GraphTensorId, place: TensorPlace) -> Option<ArrayView<'a>> {
        let tensor = self.executable.prepared.graph.tensor(id)?;
        let bytes = byte_count(&tensor.name, tensor.element, &tensor.shape).ok()?;
        // SAFETY: the place holds the tensor's bytes, and nothing writes them while the view is looked at.
        let bytes = unsafe { std::slice::from_raw_parts(self.pointers.at(place)?, bytes) };
        Some(ArrayView { element: tensor.element, shape: &tensor.shape, bytes })
    }

    fn result_at<'a>(&'a self, id: GraphTensorId, place: TensorPlace) -> Option<ResultView<'a>> {
        let tensor = self.executable.prepared.graph.tensor(id)?;
        let bytes = byte_count(&tensor.name, tensor.element, &tensor.shape).ok()?;
        // SAFETY: the place holds the tensor's bytes; a call's results are memory of their own (`ExpressionGraph::push_call`), which is
        // apart from that of its operands, and nobody else touches it during the step. Between steps nobody touches any memory.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.pointers.at(place)?, bytes) };
        Some(ResultView { element: tensor.element, shape: &tensor.shape, bytes })
    }

    /// A value that is shown as it is. Of one whose size is known only when the network runs the rest of its memory would be shown, too, which has no
    /// meaning.
    fn shown(&self, id: GraphTensorId) -> Option<&GraphTensor> {
        self.executable.prepared.graph.tensor(id).filter(|tensor| tensor.sizes.is_none())
    }

    pub(super) fn observe(&self, id: GraphTensorId, observer: &mut dyn FnMut(&str, ArrayView<'_>)) {
        if let (Some(tensor), Some(view)) = (self.shown(id), self.view(id)) {
            observer(&tensor.name, view);
        }
    }

    pub(super) fn alter(&self, id: GraphTensorId, alter: &mut dyn FnMut(&str, ResultView<'_>)) {
        let place = self.place(id).filter(|place| matches!(place, TensorPlace::Output(_) | TensorPlace::Arena(_)));
        if let (Some(tensor), Some(place)) = (self.shown(id), place)
            && let Some(view) = self.result_at(id, place)
        {
            alter(&tensor.name, view);
        }
    }

    /// Outputs that are not written in place: constants, inputs, and values that are an output twice.
    fn copy_outputs(&self) {
        for (position, id) in self.executable.prepared.graph.outputs.iter().enumerate() {
            let Some(place) = self.place(*id) else { continue };
            if let (true, Some(view), Some(to)) = (
                place != TensorPlace::Output(position),
                self.view(*id),
                self.pointers.at(TensorPlace::Output(position)),
            ) {
                // SAFETY: the output array has the view's size, and is another allocation.
                unsafe { std::ptr::copy_nonoverlapping(view.bytes.as_ptr(), to, view.bytes.len()) };
            }
        }
    }

    /// `kernel` does the next kernel.
    fn step(&self, step: &ExecutionStep, kernel: impl FnOnce()) -> Result<(), Error> {
        for check in &step.checks {
            let read = |id| match self.view(id) {
                Some(view) => Ok(view.to_array()?),
                None => Err(Error::invalid(&step.node, "lost a tensor")),
            };
            check_indices(&self.executable.prepared.graph, &step.node, check, &read)?;
        }
        match &step.code {
            Code::Kernel(_) => {
                kernel();
                Ok(())
            }
            Code::Routine(routine) => {
                let operands = step.operands.iter().map(|(id, place)| self.view_at(*id, *place));
                let results = step.results.iter().map(|(id, place)| self.result_at(*id, *place));
                let operands: Option<Vec<ArrayView<'_>>> = operands.collect();
                let results: Option<Vec<ResultView<'_>>> = results.collect();
                let (Some(operands), Some(mut results)) = (operands, results) else {
                    return Err(Error::invalid(&step.node, "lost a tensor"));
                };
                routine.run(&operands, &mut results).map_err(|fault| fault_at(fault, &step.node))
            }
        }
    }
}

/// Where the tensors of one run are.
struct Pointers {
    inputs: Vec<*mut u8>,
    outputs: Vec<*mut u8>,
    constants: Vec<*mut u8>,
    arena: *mut u8,
}

// SAFETY: what they point to belongs to the run, or is borrowed for as long as it lives and not written.
unsafe impl Send for Pointers {}

impl Pointers {
    fn at(&self, place: TensorPlace) -> Option<*mut u8> {
        match place {
            TensorPlace::Input(n) => self.inputs.get(n).copied(),
            TensorPlace::Output(n) => self.outputs.get(n).copied(),
            TensorPlace::Constant(n) => self.constants.get(n).copied(),
            TensorPlace::Arena(offset) => Some(self.arena.wrapping_add(offset)),
        }
    }
}
