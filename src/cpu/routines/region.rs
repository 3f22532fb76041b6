//! The graph of a region, and how values get into it and out of it.

use std::sync::Arc;

use super::super::array::{Array, copy_box};
use super::super::error::Error;
use super::super::executable::{ArrayView, Executable, ExecutableOptions, Observe};
use super::super::graph::ExpressionGraph;
use super::super::interpret::interpret;
use super::super::routine::{Fault, ResultView};
use super::super::work::{Work, work_of_graph};

/// A graph inside of a routine. Its inputs and outputs are values, then the sizes of those whose sizes are known only when running.
#[derive(Clone)]
pub(crate) struct Region {
    graph: ExpressionGraph,
    /// For each value that it gives: which of its outputs holds the sizes, or what they are.
    sizes: Vec<Result<usize, Vec<usize>>>,
    executable: Option<Arc<Executable>>,
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region").field("graph", &self.graph).finish()
    }
}

/// What a region gave: values with room for their largest sizes, and their sizes.
pub(crate) struct Given {
    pub array: Array,
    pub sizes: Vec<usize>,
}

impl Region {
    /// `values` of the graph's outputs are values, the others sizes.
    pub(crate) fn new(graph: ExpressionGraph, values: usize) -> Region {
        let mut next = values;
        let sizes = graph.outputs.iter().take(values).filter_map(|id| graph.tensor(*id)).map(|tensor| {
            if tensor.sizes.is_none() {
                return Err(tensor.shape.clone());
            }
            next += 1;
            Ok(next - 1)
        });
        let sizes = sizes.collect();
        Region { graph, sizes, executable: None }
    }

    /// What running it once takes.
    pub(crate) fn work(&self) -> Work {
        work_of_graph(&self.graph)
    }

    pub(crate) fn compiled(&self, options: &ExecutableOptions) -> Result<Region, Error> {
        // Values inside are not shown to observers: they exist once per iteration, or not at all.
        let options = ExecutableOptions { observe: Observe::Nothing, ..options.clone() };
        let executable = Executable::compile(self.graph.clone(), options)?;
        Ok(Region { executable: Some(Arc::new(executable)), ..self.clone() })
    }

    pub(crate) fn run(&self, inputs: &[&Array]) -> Result<Vec<Given>, Fault> {
        let outputs = match &self.executable {
            Some(executable) => executable.run(inputs)?,
            None => interpret(&self.graph, inputs)?,
        };
        let sizes: Vec<Vec<usize>> = self
            .sizes
            .iter()
            .map(|sizes| match sizes {
                Err(known) => known.clone(),
                Ok(index) => outputs.get(*index).map(Array::to_sizes).unwrap_or_default(),
            })
            .collect();
        Ok(outputs.into_iter().zip(sizes).map(|(array, sizes)| Given { array, sizes }).collect())
    }
}

/// A value into the memory of a result, which has at least as much room.
pub(crate) fn store(from: &Given, result: &mut ResultView<'_>) {
    if from.array.shape() == result.shape && from.array.as_bytes().len() == result.bytes.len() {
        result.bytes.copy_from_slice(from.array.as_bytes());
    } else {
        result.bytes.fill(0);
        copy_box(&from.array, &from.sizes, result.shape, result.bytes);
    }
}

/// The operands of a call as arrays.
pub(crate) fn arrays(views: &[ArrayView<'_>]) -> Result<Vec<Array>, Error> {
    views.iter().map(ArrayView::to_array).collect()
}
