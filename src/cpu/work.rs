//! What a network costs on a CPU: operations and bytes of its steps, from the same definition that becomes code.
//!
//! Loads that index tensors are not counted, nor is the arithmetic of indices: loops keep it out of their way. Constants are made before a run.

use std::collections::HashSet;

use melior::ir::OperationRef;

use super::error::Error;
use super::executable::varying;
use super::expression::{Binary, Expression, ExpressionKind, GraphTensorId, Unary};
use super::fuse::fuse;
use super::graph::{Action, Call, Compute, ExpressionGraph, GraphTensor};
use super::operators::graph_of;
use super::prepare::remove_dead;

/// What a computation takes, whatever computes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Additions, multiplications, comparisons and the like.
    pub operations: u64,
    /// Divisions and square roots.
    pub divisions: u64,
    /// Exponentials and other functions that are series of operations.
    pub functions: u64,
    /// Read and written, each tensor once.
    pub bytes: u64,
}

impl Work {
    /// So often.
    #[must_use]
    pub fn times(self, count: u64) -> Work {
        Work {
            operations: self.operations.saturating_mul(count),
            divisions: self.divisions.saturating_mul(count),
            functions: self.functions.saturating_mul(count),
            bytes: self.bytes.saturating_mul(count),
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Work) -> Work {
        Work {
            operations: self.operations.saturating_add(other.operations),
            divisions: self.divisions.saturating_add(other.divisions),
            functions: self.functions.saturating_add(other.functions),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// One operation for each element of some tensors, which are read or written.
    pub(crate) fn of_elements<'a>(tensors: impl Iterator<Item = &'a GraphTensor>) -> Work {
        let each = tensors.map(|tensor| Work {
            operations: count(&tensor.shape),
            bytes: count(&tensor.shape).saturating_mul(tensor.element.bytes() as u64),
            ..Work::default()
        });
        each.fold(Work::default(), Work::and)
    }
}

/// The steps of a `func.func` or `cpu.segment` in order, each with the node that it is of, the last one where several are fused.
///
/// # Errors
/// As [`super::FloatExecutable::compile`].
pub fn work(function: OperationRef<'_, '_>) -> Result<Vec<(String, Work)>, Error> {
    Ok(steps(graph_of(function, &[])?.0))
}

/// All steps of a graph together.
pub(crate) fn work_of_graph(graph: &ExpressionGraph) -> Work {
    steps(graph.clone()).into_iter().map(|(_, work)| work).fold(Work::default(), Work::and)
}

fn steps(mut graph: ExpressionGraph) -> Vec<(String, Work)> {
    let varying = varying(&graph);
    graph.actions.retain(|action| action.results().iter().any(|id| varying.contains(id)));
    remove_dead(&mut graph, &HashSet::new());
    fuse(&mut graph, &HashSet::new());
    let work = |action: &Action| match action {
        Action::Compute(compute) => work_of_compute(&graph, compute),
        Action::Call(call) => work_of_call(&graph, call),
    };
    graph.actions.iter().map(|action| (action.node().to_owned(), work(action))).collect()
}

fn count(sizes: &[usize]) -> u64 {
    sizes.iter().fold(1, |count, &size| count.saturating_mul(size as u64))
}

fn work_of_compute(graph: &ExpressionGraph, compute: &Compute) -> Work {
    let (points, cells) = (count(&compute.all_extents()), count(&compute.extents));
    let mut work = of_expression(&compute.body).times(points);
    if let Some(reduction) = &compute.reduction {
        // Each point is combined with those before.
        work.operations = work.operations.saturating_add(points);
        work = work.and(of_expression(&reduction.finish).times(cells));
    }
    let read = |id: GraphTensorId| {
        let tensor = graph.tensor(id);
        tensor.map_or(0, |tensor| count(&tensor.shape).min(points).saturating_mul(tensor.element.bytes() as u64))
    };
    let written = cells.saturating_mul(compute.stored().element().bytes() as u64);
    work.bytes = compute.operands().into_iter().map(read).fold(written, u64::saturating_add);
    work
}

fn work_of_call(graph: &ExpressionGraph, call: &Call) -> Work {
    let of = |ids: &[GraphTensorId]| ids.iter().filter_map(|id| graph.tensor(*id)).collect::<Vec<&GraphTensor>>();
    call.routine.work(&of(&call.operands), &of(&call.results))
}

/// One evaluation, without bytes.
fn of_expression(expression: &Expression) -> Work {
    let one = Work { operations: 1, ..Work::default() };
    let division = Work { divisions: 1, ..Work::default() };
    let function = Work { functions: 1, ..Work::default() };
    match expression.kind() {
        ExpressionKind::Axis(_)
        | ExpressionKind::Accumulator
        | ExpressionKind::Constant(_)
        | ExpressionKind::Load { .. } => Work::default(),
        ExpressionKind::Unary(unary, x) => of_expression(x).and(match unary {
            Unary::SquareRoot => division,
            Unary::Exponential
            | Unary::Logarithm
            | Unary::Tanh
            | Unary::Erf
            | Unary::Sine
            | Unary::Cosine
            | Unary::Library(_) => function,
            Unary::Negate | Unary::Absolute | Unary::Floor | Unary::Ceil | Unary::Round | Unary::Not => one,
        }),
        ExpressionKind::Binary(binary, a, b) => of_expression(a).and(of_expression(b)).and(match binary {
            Binary::Divide | Binary::FloorDivide | Binary::Modulo | Binary::Remainder => division,
            // An exponential of a logarithm.
            Binary::Power => function.times(2),
            _ => one,
        }),
        ExpressionKind::Compare(_, a, b) => of_expression(a).and(of_expression(b)).and(one),
        ExpressionKind::Select(condition, a, b) => {
            of_expression(condition).and(of_expression(a)).and(of_expression(b)).and(one)
        }
        ExpressionKind::Cast(x) => of_expression(x).and(one),
    }
}

#[cfg(test)]
mod tests {
    use hb_dialects::ElementType;

    use super::super::expression::axis;
    use super::super::graph::{Combiner, Reduction};
    use super::*;
    use hb_runtime::Scalar;

    /// y = relu(x w), x of 4 x 8 and w of 8 x 16.
    fn product() -> ExpressionGraph {
        let mut graph = ExpressionGraph::default();
        let x = graph.add_input("x", ElementType::F32, &[4, 8]).unwrap();
        let w = graph.add_input("w", ElementType::F32, &[8, 16]).unwrap();
        let y = graph.add_tensor("y", ElementType::F32, &[4, 16]).unwrap();
        let body = graph.load(x, vec![axis(0), axis(2)]) * graph.load(w, vec![axis(2), axis(1)]);
        let sum = super::super::expression::accumulator(ElementType::F32);
        let reduction =
            Reduction { extents: vec![8], combiner: Combiner::SumOfProducts, initial: Scalar::Float(0.0), finish: sum };
        let compute = Compute { reduction: Some(reduction), ..Compute::elementwise("product", y, &[4, 16], body) };
        graph.push(compute).unwrap();
        let body = graph.load_broadcast(y, 2);
        let zero = body.like(0.0);
        let z = graph.add_elementwise("relu", "z", &[4, 16], body.maximum(zero)).unwrap();
        graph.outputs.push(z);
        graph
    }

    #[test]
    fn a_product_counts_its_multiplications_and_additions() {
        let steps = steps(product());
        let bytes = 4 * (4 * 8 + 8 * 16 + 4 * 16);
        let expected = Work { operations: 2 * 4 * 8 * 16 + 4 * 16, bytes, ..Work::default() };
        assert_eq!(steps, [("relu".to_owned(), expected)]);
    }

    #[test]
    fn functions_and_divisions_are_apart() {
        let mut graph = ExpressionGraph::default();
        let x = graph.add_input("x", ElementType::F32, &[10]).unwrap();
        let load = graph.load_broadcast(x, 1);
        let one = load.like(1.0);
        // 1 / (1 + e^-x)
        let body = one.clone() / (one + (-load).exponential());
        let y = graph.add_elementwise("sigmoid", "y", &[10], body).unwrap();
        graph.outputs.push(y);
        let expected = Work { operations: 20, divisions: 10, functions: 10, bytes: 80 };
        assert_eq!(steps(graph), [("sigmoid".to_owned(), expected)]);
    }
}
