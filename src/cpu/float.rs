//! Networks of `hfloat` and `quant` operations, compiled for this machine.

use hb_dialects::ElementType;
use hb_dialects::names::{input_names, output_names};
use melior::ir::OperationRef;

use super::array::Array;
use super::error::Error;
use super::executable::{ArrayView, Executable, Options};
use super::operators::graph_of;

/// A compiled network. `run` may be called from several threads at once.
pub struct FloatExecutable {
    executable: Executable,
    output_names: Vec<String>,
}

impl FloatExecutable {
    /// Compiles a `func.func` or `cpu.segment` of `hfloat`, `quant.qcast` and `quant.dcast` operations with static shapes.
    ///
    /// # Errors
    /// When an operation or type is not supported, naming the node, or a shape is not known.
    pub fn compile(function: OperationRef<'_, '_>, options: Options) -> Result<FloatExecutable, Error> {
        let graph = graph_of(function, &input_names(function))?;
        Ok(FloatExecutable { executable: Executable::compile(graph, options)?, output_names: output_names(function) })
    }

    /// The outputs for these inputs, which must have the network's types and shapes, in order.
    ///
    /// # Errors
    /// When an input does not fit, or an index in a tensor is out of range.
    pub fn run(&self, inputs: &[&Array]) -> Result<Vec<Array>, Error> {
        self.executable.run(inputs)
    }

    /// As `run`; calls `observer` with the name and value of every input and of every intermediate value that the options
    /// selected, in order of execution. A value is named after the node that makes it; an input by its own name.
    ///
    /// # Errors
    /// As `run`.
    pub fn run_with_observer(
        &self,
        inputs: &[&Array],
        observer: &mut dyn FnMut(&str, ArrayView<'_>),
    ) -> Result<Vec<Array>, Error> {
        self.executable.run_with_observer(inputs, observer)
    }

    /// As `run`, but gives the node and time of every kernel, in order of execution. Fused nodes count as the last of them.
    ///
    /// # Errors
    /// As `run`.
    pub fn profile(&self, inputs: &[&Array]) -> Result<Vec<(String, std::time::Duration)>, Error> {
        self.executable.profile(inputs)
    }

    /// Names, elements and shapes of the inputs.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, ElementType, &[usize])> {
        self.executable.inputs()
    }

    /// Names, elements and shapes of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, ElementType, &[usize])> {
        let names = self.output_names.iter().map(String::as_str);
        let named = names.map(Some).chain(std::iter::repeat(None));
        self.executable
            .outputs()
            .zip(named)
            .map(|((node, element, shape), name)| (name.unwrap_or(node), element, shape))
    }
}
