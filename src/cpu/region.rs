//! Branches and loops: routines with graphs inside.

use std::sync::Arc;

use hb_runtime::board::{CompiledBody, TensorFacts};
use hb_runtime::routines::{Body, Branch, Region, Repeat};
use hb_runtime::{Array, Fault};

use super::error::Error;
use super::executable::{Executable, ExecutableOptions, Observe};
use super::graph::{ExpressionGraph, GraphTensor};
use super::interpret::interpret;
use super::routine::{BoardCall, Callable};
use super::work::{Work, work_of_graph};

/// The graph of a region. Its inputs and outputs are values, then the sizes of those whose sizes are known only when running.
#[derive(Clone)]
pub(crate) struct RegionGraph {
    graph: ExpressionGraph,
    executable: Option<Arc<Executable>>,
}

impl std::fmt::Debug for RegionGraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegionGraph").field("graph", &self.graph).finish()
    }
}

impl Body for RegionGraph {
    fn run(&self, inputs: &[&Array]) -> Result<Vec<Array>, Fault> {
        let outputs = match &self.executable {
            Some(executable) => executable.run(inputs),
            None => interpret(&self.graph, inputs),
        };
        outputs.map_err(|error| Fault::Inner(Box::new(error)))
    }
}

/// A region of a graph; `values` of the graph's outputs are values, the others sizes.
pub(crate) fn region_of(graph: ExpressionGraph, values: usize) -> Region<RegionGraph> {
    let mut next = values;
    let sizes = graph.outputs.iter().take(values).filter_map(|id| graph.tensor(*id)).map(|tensor| {
        if tensor.sizes.is_none() {
            return Err(tensor.shape.clone());
        }
        next += 1;
        Ok(next - 1)
    });
    let sizes = sizes.collect();
    Region { body: RegionGraph { graph, executable: None }, sizes }
}

impl RegionGraph {
    /// What running it once takes.
    fn work(&self) -> Work {
        work_of_graph(&self.graph)
    }

    fn compiled(&self, options: &ExecutableOptions) -> Result<RegionGraph, Error> {
        // Values inside are not shown to observers: they exist once per iteration, or not at all.
        let options = ExecutableOptions { observe: Observe::Nothing, ..options.clone() };
        let executable = Executable::compile(self.graph.clone(), options)?;
        Ok(RegionGraph { executable: Some(Arc::new(executable)), ..self.clone() })
    }
}

impl Callable for Branch<RegionGraph> {
    fn board_call(
        &self,
        results: Vec<TensorFacts>,
        operands: Vec<TensorFacts>,
        compile: &mut dyn FnMut(&ExpressionGraph) -> Result<CompiledBody, Error>,
    ) -> Result<BoardCall, Error> {
        let then = self.then.with(|body| compile(&body.graph))?;
        let otherwise = self.otherwise.with(|body| compile(&body.graph))?;
        BoardCall::of(Branch { then, otherwise, bounded: self.bounded.clone() }, results, operands)
    }

    fn compiled(&self, options: &ExecutableOptions) -> Result<Option<Arc<dyn Callable>>, Error> {
        let then = self.then.with(|body| body.compiled(options))?;
        let otherwise = self.otherwise.with(|body| body.compiled(options))?;
        Ok(Some(Arc::new(Branch { then, otherwise, bounded: self.bounded.clone() })))
    }

    /// That of the longer one.
    fn work(&self, operands: &[&GraphTensor], results: &[&GraphTensor]) -> Work {
        let both = [self.then.body.work(), self.otherwise.body.work()];
        let longer = both.into_iter().max_by_key(|work| (work.operations, work.bytes));
        longer.unwrap_or_default().and(Work::of_elements(operands.iter().chain(results).copied()))
    }

    /// A branch may hold a loop.
    fn may_fold(&self) -> bool {
        false
    }
}

/// The same loop around another body.
fn around<B>(repeat: &Repeat<RegionGraph>, body: Region<B>) -> Repeat<B> {
    let Repeat { carried, bounded_values, bounded, .. } = repeat;
    Repeat { body, carried: *carried, bounded_values: bounded_values.clone(), bounded: bounded.clone() }
}

impl Callable for Repeat<RegionGraph> {
    fn board_call(
        &self,
        results: Vec<TensorFacts>,
        operands: Vec<TensorFacts>,
        compile: &mut dyn FnMut(&ExpressionGraph) -> Result<CompiledBody, Error>,
    ) -> Result<BoardCall, Error> {
        BoardCall::of(around(self, self.body.with(|body| compile(&body.graph))?), results, operands)
    }

    fn compiled(&self, options: &ExecutableOptions) -> Result<Option<Arc<dyn Callable>>, Error> {
        Ok(Some(Arc::new(around(self, self.body.with(|body| body.compiled(options))?))))
    }

    /// As often as its results have room for; once where it gives no parts.
    fn work(&self, operands: &[&GraphTensor], results: &[&GraphTensor]) -> Work {
        let parts = results.iter().skip(self.carried).filter_map(|part| part.shape.first());
        let trips = parts.max().map_or(1, |&trips| trips as u64);
        self.body.body.work().times(trips).and(Work::of_elements(operands.iter().chain(results).copied()))
    }

    /// Nobody knows how long a loop takes before it ends.
    fn may_fold(&self) -> bool {
        false
    }
}
