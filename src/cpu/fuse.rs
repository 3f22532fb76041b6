//! Fusion: an elementwise computation joins the one that reads it or the reduction that it finishes.

use std::collections::{HashMap, HashSet};

use super::expression::{Binary, Expression, ExpressionKind, GraphTensorId};
use super::graph::{Action, Combiner, Compute, ExpressionGraph};

/// Fused expressions stay below this many nodes, so that a chain of thousands becomes a few kernels and time stays linear.
const LARGEST: u32 = 300;

/// Rewrites the graph so that values outside `kept` need not exist in memory.
pub(crate) fn fuse(graph: &mut ExpressionGraph, kept: &HashSet<GraphTensorId>) {
    let actions = std::mem::take(&mut graph.actions);
    let mut state = State::new(graph, &actions, kept);
    for action in actions {
        match action {
            Action::Compute(compute) => {
                let fused = state.absorb(graph, compute);
                state.append(fused);
            }
            call @ Action::Call(_) => state.slots.push(Some(call)),
        }
    }
    graph.actions = state.slots.into_iter().flatten().collect();
}

struct State {
    /// The actions so far; a slot is emptied when another has taken its computation in.
    slots: Vec<Option<Action>>,
    /// The one slot that writes a tensor as a whole.
    writer: HashMap<GraphTensorId, usize>,
    /// Tensors that must exist: outputs, observed ones, those with views, those written in parts, those of calls.
    kept: HashSet<GraphTensorId>,
    /// How many computations read a tensor.
    readers: HashMap<GraphTensorId, usize>,
}

impl State {
    fn new(graph: &ExpressionGraph, actions: &[Action], kept: &HashSet<GraphTensorId>) -> State {
        let mut kept: HashSet<GraphTensorId> = kept.iter().map(|id| graph.storage(*id)).collect();
        kept.extend(graph.outputs.iter().map(|id| graph.storage(*id)));
        kept.extend(graph.tensors.iter().filter_map(|tensor| tensor.view_of));
        let (mut readers, mut written) = (HashMap::new(), HashSet::new());
        for action in actions {
            action.operands().into_iter().for_each(|id| *readers.entry(id).or_insert(0) += 1);
            kept.extend(action.checks().iter().flat_map(|check| check.tensors()));
            if let Action::Call(call) = action {
                kept.extend(call.operands.iter().chain(&call.results));
            }
            kept.extend(action.results().iter().filter(|id| !written.insert(**id)));
        }
        State { slots: Vec::new(), writer: HashMap::new(), kept, readers }
    }

    fn append(&mut self, compute: Compute) {
        self.writer.insert(compute.output, self.slots.len());
        self.slots.push(Some(Action::Compute(compute)));
    }

    /// Takes in every producer that may be taken in.
    fn absorb(&mut self, graph: &ExpressionGraph, mut compute: Compute) -> Compute {
        loop {
            let operands = compute.operands();
            let candidate = |id: &GraphTensorId| {
                let slot = *self.writer.get(id)?;
                let alone = self.readers.get(id) == Some(&1) && !self.kept.contains(id);
                let Some(Action::Compute(producer)) = self.slots.get(slot)?.as_ref().filter(|_| alone) else {
                    return None;
                };
                let fused = inline(graph, producer, &compute).or_else(|| finish(graph, producer, &compute))?;
                Some((slot, fused))
            };
            let Some((slot, fused)) = operands.iter().rev().find_map(candidate) else { return compute };
            let taken = self.slots.get_mut(slot).and_then(Option::take);
            // A tensor that both read has one reader less now.
            for id in taken.iter().flat_map(|producer| producer.operands()) {
                if operands.contains(&id)
                    && let Some(count) = self.readers.get_mut(&id)
                {
                    *count -= 1;
                }
            }
            compute = fused;
        }
    }
}

fn writes_all(graph: &ExpressionGraph, compute: &Compute) -> bool {
    graph.tensor(compute.output).is_some_and(|tensor| tensor.shape == compute.extents)
}

/// The consumer with the producer's body in place of the loads of its output.
fn inline(graph: &ExpressionGraph, producer: &Compute, consumer: &Compute) -> Option<Compute> {
    if producer.reduction.is_some() || !writes_all(graph, producer) || is_sum_of_products(consumer) {
        return None;
    }
    let mut loads = 0u32;
    for expression in consumer.expressions() {
        expression.walk(&mut |node| loads += u32::from(loads_from(node, producer.output).is_some()));
    }
    let size = consumer.body.size().saturating_add(producer.body.size().saturating_mul(loads));
    let points = |extents: Vec<usize>| extents.iter().fold(1usize, |product, extent| product.saturating_mul(*extent));
    let repeated = loads > 1 || points(consumer.all_extents()) > points(producer.all_extents());
    if size > LARGEST || (repeated && !is_cheap(&producer.body)) {
        return None;
    }
    let mut fused = consumer.clone();
    fused.body = substitute(&consumer.body, producer);
    if let Some(reduction) = &mut fused.reduction {
        reduction.finish = substitute(&reduction.finish, producer);
    }
    fused.checks.extend(producer.checks.iter().copied());
    Some(fused)
}

fn loads_from(node: &Expression, id: GraphTensorId) -> Option<&[Expression]> {
    match node.kind() {
        ExpressionKind::Load { tensor, indices } if *tensor == id => Some(indices),
        _ => None,
    }
}

fn substitute(expression: &Expression, producer: &Compute) -> Expression {
    expression.rewrite(&mut |node| {
        let indices: Vec<Expression> =
            loads_from(node, producer.output)?.iter().map(|index| substitute(index, producer)).collect();
        Some(producer.body.with_axes(&indices))
    })
}

/// Worth computing again rather than storing: at most one load and a little plain arithmetic.
fn is_cheap(body: &Expression) -> bool {
    let (mut loads, mut costly) = (0, false);
    body.walk(&mut |node| match node.kind() {
        ExpressionKind::Load { .. } => loads += 1,
        ExpressionKind::Unary(operation, _) => {
            use super::expression::Unary::{Absolute, Negate, Not};
            costly |= !matches!(operation, Negate | Absolute | Not);
        }
        ExpressionKind::Binary(operation, a, _) => {
            let division = matches!(
                operation,
                Binary::Divide | Binary::FloorDivide | Binary::Modulo | Binary::Remainder | Binary::Power
            );
            costly |= division || (a.element().is_float() && matches!(operation, Binary::Maximum | Binary::Minimum));
        }
        _ => {}
    });
    loads <= 1 && !costly && body.size() <= 24
}

/// Convolutions and matrix products, which have an emission of their own that wants plain loads.
fn is_sum_of_products(compute: &Compute) -> bool {
    compute.reduction.as_ref().is_some_and(|reduction| reduction.combiner == Combiner::SumOfProducts)
}

/// The producing reduction with the consumer's body as its end.
fn finish(graph: &ExpressionGraph, producer: &Compute, consumer: &Compute) -> Option<Compute> {
    let reduction = producer.reduction.as_ref()?;
    if consumer.reduction.is_some() || !writes_all(graph, producer) || producer.extents != consumer.extents {
        return None;
    }
    let mut identical = true;
    consumer.body.walk(&mut |node| {
        if let Some(indices) = loads_from(node, producer.output) {
            let same = |(d, index): (usize, &Expression)| {
                matches!(index.kind(), ExpressionKind::Axis(number) if *number == d)
                    || (index.as_integer() == Some(0) && producer.extents.get(d) == Some(&1))
            };
            identical &= indices.iter().enumerate().all(same);
        }
    });
    let body = consumer.body.rewrite(&mut |node| loads_from(node, producer.output).map(|_| reduction.finish.clone()));
    if !identical || body.size() > LARGEST {
        return None;
    }
    let mut fused = producer.clone();
    if let Some(reduction) = &mut fused.reduction {
        reduction.finish = body;
    }
    fused.node = consumer.node.clone();
    fused.output = consumer.output;
    fused.offset = consumer.offset.clone();
    fused.checks.extend(consumer.checks.iter().copied());
    Some(fused)
}

#[cfg(test)]
mod tests {
    use super::super::expression::{accumulator, axis};
    use super::super::graph::Reduction;
    use super::super::interpret::interpret;
    use super::*;
    use hb_dialects::ElementType;
    use hb_runtime::Scalar;
    use hb_runtime::array::Array;

    /// y = relu(sum over k of x[i, k]) * 3, with x doubled before.
    fn network() -> ExpressionGraph {
        let mut graph = ExpressionGraph::default();
        let x = graph.add_input("x", ElementType::F32, &[2, 3]).unwrap();
        let doubled = graph.add_elementwise("double", "doubled", &[2, 3], graph.load_broadcast(x, 2) * 2).unwrap();
        let sum = graph.add_tensor("sum", ElementType::F32, &[2]).unwrap();
        let mut compute = Compute::elementwise("sum", sum, &[2], graph.load(doubled, vec![axis(0), axis(1)]));
        let finish = accumulator(ElementType::F32);
        let initial = Scalar::Float(0.0);
        compute.reduction = Some(Reduction { extents: vec![3], combiner: Combiner::Sum, initial, finish });
        graph.push(compute).unwrap();
        let relu = graph.load_broadcast(sum, 1);
        let relu = graph.add_elementwise("relu", "relu", &[2], relu.clone().maximum(relu.like(0.0))).unwrap();
        let y = graph.add_elementwise("mul", "y", &[2], graph.load_broadcast(relu, 1) * 3).unwrap();
        graph.outputs.push(y);
        graph
    }

    #[test]
    fn a_chain_becomes_one_computation_with_the_same_value() {
        let input = Array::from_values(&[2, 3], &[1.0f32, 2.0, 3.0, -4.0, 1.0, 1.0]).unwrap();
        let mut graph = network();
        fuse(&mut graph, &HashSet::new());
        assert_eq!(graph.actions.len(), 1);
        assert_eq!(interpret(&graph, &[&input]).unwrap()[0].values::<f32>().unwrap(), &[36.0, 0.0]);
    }

    #[test]
    fn kept_values_stay() {
        let mut graph = network();
        let kept = graph.tensors.iter().position(|tensor| tensor.name == "relu").map(GraphTensorId);
        fuse(&mut graph, &kept.into_iter().collect());
        assert_eq!(graph.actions.iter().map(Action::node).collect::<Vec<_>>(), ["relu", "mul"]);
    }
}
