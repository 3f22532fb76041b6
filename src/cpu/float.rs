//! Networks of `hfloat` and `quant` operations, compiled for this machine.

use hb_dialects::ElementType;
use hb_dialects::names::{input_names, output_names};
use hb_runtime::{Array, ArrayView, ResultView};
use melior::ir::{OperationRef, Value};
use std::collections::HashMap;

use super::error::Error;
use super::executable::{Executable, ExecutableOptions};
use super::graph::ExpressionGraph;
use super::operators::{graph_of, graph_of_values};
use super::run::{Run, Tensors};

/// A compiled network. `run` may be called from several threads at once.
///
/// A value whose size is known only when running is stored with room for the largest one, and its sizes beside it: what is stored
/// are the values, then the sizes of such ones, i64 each.
pub struct FloatExecutable {
    executable: Executable,
    input_names: Vec<String>,
    output_names: Vec<String>,
    /// For each value that it gives, which of the stored outputs holds its sizes.
    output_sizes: Vec<Option<usize>>,
}

impl FloatExecutable {
    /// Compiles a `func.func` or `cpu.segment` of `hfloat`, `quant.qcast` and `quant.dcast` operations with static shapes.
    ///
    /// # Errors
    /// When an operation or type is not supported, naming the node, or a shape is not known.
    pub fn compile(function: OperationRef<'_, '_>, options: ExecutableOptions) -> Result<FloatExecutable, Error> {
        let input_names = input_names(function);
        let graph = graph_of(function, &input_names)?;
        Self::of_graph(graph, (input_names, output_names(function)), options)
    }

    /// As `compile`, but the outputs are these values of the function, under these names.
    ///
    /// # Errors
    /// As `compile`.
    pub fn compile_values(
        function: OperationRef<'_, '_>,
        values: &[(String, Value<'_, '_>)],
        options: ExecutableOptions,
    ) -> Result<FloatExecutable, Error> {
        let input_names = input_names(function);
        let (names, values): (Vec<String>, Vec<Value<'_, '_>>) = values.iter().cloned().unzip();
        let graph = graph_of_values(function, &input_names, &values)?;
        Self::of_graph(graph, (input_names, names), options)
    }

    fn of_graph(
        (graph, values): (ExpressionGraph, usize),
        (input_names, output_names): (Vec<String>, Vec<String>),
        options: ExecutableOptions,
    ) -> Result<FloatExecutable, Error> {
        let mut next = values;
        let bounded = |id| graph.tensor(id).is_some_and(|tensor| tensor.sizes.is_some());
        let output_sizes = graph.outputs.iter().take(values).map(|id| {
            bounded(*id).then(|| {
                next += 1;
                next - 1
            })
        });
        let output_sizes = output_sizes.collect();
        Ok(FloatExecutable {
            executable: Executable::compile(graph, options)?,
            input_names,
            output_names,
            output_sizes,
        })
    }

    /// The outputs for these inputs, which must be as [`FloatExecutable::stored_inputs`] says, in order. Outputs have their actual
    /// sizes.
    ///
    /// # Errors
    /// When an input does not fit, or an index in a tensor is out of range.
    pub fn run(&self, inputs: &[&Array]) -> Result<Vec<Array>, Error> {
        self.run_with_observer(inputs, &mut |_, _| {})
    }

    /// As `run`, but outputs are as they are stored.
    ///
    /// # Errors
    /// As `run`.
    pub fn run_stored(
        &self,
        inputs: &[&Array],
        observer: &mut dyn FnMut(&str, ArrayView<'_>),
    ) -> Result<Vec<Array>, Error> {
        self.executable.run_with_observer(inputs, observer)
    }

    /// As `run`; calls `observer` with the name and value of every input and of every intermediate value that the options
    /// selected, in order of execution, but those whose size is known only now. A value is named after the node that makes it; an input by its own name.
    ///
    /// # Errors
    /// As `run`.
    pub fn run_with_observer(
        &self,
        inputs: &[&Array],
        observer: &mut dyn FnMut(&str, ArrayView<'_>),
    ) -> Result<Vec<Array>, Error> {
        let stored = self.run_stored(inputs, observer)?;
        self.with_actual_sizes(stored)
    }

    fn with_actual_sizes(&self, mut stored: Vec<Array>) -> Result<Vec<Array>, Error> {
        let sizes = stored.split_off(self.output_sizes.len().min(stored.len()));
        let first = self.output_sizes.len();
        let actual = |(value, position): (Array, &Option<usize>)| match position.and_then(|n| sizes.get(n - first)) {
            Some(sizes) => Ok(value.cropped(&sizes.to_sizes())?),
            None => Ok(value),
        };
        stored.into_iter().zip(&self.output_sizes).map(actual).collect()
    }

    /// As `run`; calls `alter` with the name and the values of every f32 value that the options selected, save inputs, before anything reads
    /// it: readers see what it becomes.
    ///
    /// # Errors
    /// As `run`.
    pub fn run_altered(&self, inputs: &[&Array], alter: &mut dyn FnMut(&str, &mut [f32])) -> Result<Vec<Array>, Error> {
        let stored = self.executable.run_altered(inputs, &mut on_floats(alter))?;
        self.with_actual_sizes(stored)
    }

    /// A run before its first step, for several that go on from where it is.
    ///
    /// # Errors
    /// When an input does not fit, or there is no memory.
    pub fn progress<'e>(&'e self, inputs: &'e [&'e Array]) -> Result<FloatProgress<'e>, Error> {
        Ok(FloatProgress { executable: self, run: Run::start(&self.executable, inputs)? })
    }

    /// This network as one that begins as another does, as far as that is so.
    pub fn variant_of<'v>(&'v self, original: &'v FloatExecutable) -> FloatVariant<'v> {
        let steps_in_common = self.executable.steps_in_common(&original.executable);
        FloatVariant { executable: self, original, steps_in_common }
    }

    /// The step that computes each value that the options selected, by name: the first one of several. Inputs and constants have none.
    pub fn steps_of_values(&self) -> HashMap<&str, usize> {
        self.executable.steps_of_values()
    }

    /// As `run`, but gives the node and time of every kernel, in order of execution. Fused nodes count as the last of them.
    ///
    /// # Errors
    /// As `run`.
    pub fn profile(&self, inputs: &[&Array]) -> Result<Vec<(String, std::time::Duration)>, Error> {
        self.executable.profile(inputs)
    }

    /// Names, elements and shapes of the inputs; the largest ones where sizes are known only when running.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, ElementType, &[usize])> {
        self.executable.inputs().take(self.input_names.len())
    }

    /// Names, elements and shapes of the outputs; the largest ones where sizes are known only when running.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, ElementType, &[usize])> {
        self.stored_outputs().take(self.output_sizes.len())
    }

    /// As `inputs`, then the sizes of those that are known only when running.
    pub fn stored_inputs(&self) -> impl Iterator<Item = (&str, ElementType, &[usize])> {
        self.executable.inputs()
    }

    /// As `outputs`, then the sizes of those that are known only when running.
    pub fn stored_outputs(&self) -> impl Iterator<Item = (&str, ElementType, &[usize])> {
        let names = self.output_names.iter().map(String::as_str);
        let named = names.map(Some).chain(std::iter::repeat(None));
        self.executable
            .outputs()
            .zip(named)
            .map(|((node, element, shape), name)| (name.unwrap_or(node), element, shape))
    }
}

/// A network that begins as another one does.
pub struct FloatVariant<'v> {
    executable: &'v FloatExecutable,
    original: &'v FloatExecutable,
    steps_in_common: usize,
}

impl FloatVariant<'_> {
    /// How many steps both have in common, from the first on.
    pub fn steps_in_common(&self) -> usize {
        self.steps_in_common
    }
}

/// A run that stands before a step. What comes later is run as often as is wanted.
pub struct FloatProgress<'e> {
    executable: &'e FloatExecutable,
    run: Run<'e>,
}

impl FloatProgress<'_> {
    /// Does the steps before one.
    ///
    /// # Errors
    /// When an index in a tensor is out of range.
    pub fn advance(&mut self, step: usize) -> Result<(), Error> {
        self.run.advance(step, &mut |_, _| {}, &mut |_, _| {})
    }

    /// As [`FloatExecutable::run_altered`] from here on: values of earlier steps stay as they are, and are not shown.
    ///
    /// # Errors
    /// As [`FloatExecutable::run`].
    pub fn run_altered(&self, alter: &mut dyn FnMut(&str, &mut [f32])) -> Result<Vec<Array>, Error> {
        self.finish_on(self.executable, alter)
    }

    /// As `run_altered`, by a network that is the same up to here.
    ///
    /// # Errors
    /// As `run_altered`; or when it is no variant of this network, or another before this step.
    pub fn run_variant(
        &self,
        FloatVariant { executable, original, steps_in_common }: &FloatVariant<'_>,
        alter: &mut dyn FnMut(&str, &mut [f32]),
    ) -> Result<Vec<Array>, Error> {
        if !std::ptr::eq(*original, self.executable) || *steps_in_common < self.run.done() {
            return Err(Error::invalid("variant", "begins in another way than the network whose run it shall go on"));
        }
        self.finish_on(executable, alter)
    }

    fn finish_on(
        &self,
        executable: &FloatExecutable,
        alter: &mut dyn FnMut(&str, &mut [f32]),
    ) -> Result<Vec<Array>, Error> {
        let mut alter = on_floats(alter);
        let mut watch = |id, tensors: &Tensors<'_>| tensors.alter(id, &mut alter);
        let fork = self.run.fork_on(&executable.executable)?;
        executable.with_actual_sizes(fork.finish(&mut watch, &mut |_, _| {})?)
    }
}

/// Shows the values that are f32.
fn on_floats<'a>(alter: &'a mut dyn FnMut(&str, &mut [f32])) -> impl FnMut(&str, ResultView<'_>) + 'a {
    |name, mut view| {
        if let Ok(values) = view.values::<f32>() {
            alter(name, values);
        }
    }
}
