//! Functions that normalize along an axis: several computations each.

use hb_dialects::hfloat::attributes;

use super::super::expression::{Expression, accumulator, axis, index};
use super::super::graph::Combiner;
use super::node::{OperatorNode, Results, axes, wide};

/// ONNX Softmax-13: exp(x - max) / sum(exp(x - max)).
pub(super) fn softmax(node: &mut OperatorNode) -> Results {
    let input = node.operand(0)?;
    let shape = node.shape(input)?;
    let rank = shape.len();
    let along = attributes::axis(node.operation)?;
    let along = if along < 0 { along + rank as i64 } else { along };
    let Some((along, &size)) = usize::try_from(along).ok().and_then(|along| Some((along, shape.get(along)?))) else {
        return Err(node.invalid(format!("its axis is outside a tensor of rank {rank}")));
    };
    let reduced: Vec<usize> = shape.iter().enumerate().map(|(d, &size)| if d == along { 1 } else { size }).collect();
    let with = |position: Expression| -> Vec<Expression> {
        axes(0, rank)
            .into_iter()
            .enumerate()
            .map(|(d, axis)| if d == along { position.clone() } else { axis })
            .collect()
    };
    let x = wide(node.graph.load(input, with(axis(rank))));
    let element = x.element();
    let maximum = node.temporary(element, &reduced)?;
    node.reduce_into(maximum, &[size], Combiner::Maximum, x, accumulator(element))?;
    let shifted = node.broadcast(0)? - node.graph.load(maximum, with(index(0)));
    let powers = node.fill(&shape, shifted.exponential())?;
    let total = node.temporary(element, &reduced)?;
    let power = node.graph.load(powers, with(axis(rank)));
    node.reduce_into(total, &[size], Combiner::Sum, power, accumulator(element))?;
    let value = node.graph.load(powers, axes(0, rank)) / node.graph.load(total, with(index(0)));
    node.fill_result(value)
}
