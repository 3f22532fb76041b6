//! Sizes that are known only when the network runs: from operands to results.

use hb_dialects::ElementType;
use hb_dialects::hfloat::{self, Op, ResultSize, Source};
use hb_dialects::ir::OperationAttributes;
use hb_runtime::routines::{SameSizes, Size};

use super::super::error::Error;
use super::super::expression::{GraphTensorId, axis};
use super::super::graph::ExpressionGraph;
use super::node::OperatorNode;

/// Appends the sizes of outputs to the outputs.
pub(super) fn add_outputs(graph: &mut ExpressionGraph, node: &str) -> Result<(), Error> {
    for id in graph.outputs.clone() {
        let Some(sizes) = graph.tensor(id).and_then(|tensor| tensor.sizes) else { continue };
        // A copy: sizes may belong to several values, outputs may not.
        let rank = graph.tensor(sizes).map_or(0, |tensor| tensor.shape.iter().product());
        let body = graph.load(sizes, vec![axis(0)]);
        let copy = graph.add_elementwise(node, "", &[rank], body)?;
        graph.outputs.push(copy);
    }
    Ok(())
}

/// Gives the one result of an operator the sizes that follow from those of its operands, if it has not said them itself.
pub(super) fn complete(node: &mut OperatorNode, tensors: &[GraphTensorId]) -> Result<(), Error> {
    let of = |id: GraphTensorId, graph: &ExpressionGraph| graph.tensor(id).and_then(|tensor| tensor.sizes);
    if Op::of(node.operation).is_some_and(hfloat::says_sizes)
        || !node.operands.iter().any(|id| of(*id, node.graph).is_some())
    {
        return Ok(());
    }
    let sizes = hfloat::size_sources(node.operation).map_err(|reason| node.invalid(reason))?;
    let (Some(result_sizes), [result]) = (sizes, tensors) else {
        return Err(
            node.unsupported("the size of its operand is known only when the network runs, which it cannot take")
        );
    };
    let shape = node.shape(*result)?;
    if node.results.first().is_some_and(|r#type| !r#type.is_bounded()) {
        return Ok(());
    }
    let mut sizes: Vec<GraphTensorId> = Vec::new();
    let mut all = Vec::new();
    for (dimension, result_size) in result_sizes.iter().enumerate() {
        let mut places = Vec::new();
        for &(operand, position) in result_size.sources().iter().filter(|source| is_unknown(node, **source)) {
            let id = node.operand(operand).ok().and_then(|id| of(id, node.graph));
            let id = id.ok_or_else(|| node.invalid("lost the sizes of an operand"))?;
            let number = sizes.iter().position(|known| *known == id).unwrap_or_else(|| {
                sizes.push(id);
                sizes.len() - 1
            });
            places.push((number, position));
        }
        all.push(match result_size {
            _ if places.is_empty() => Size::Known(number(shape.get(dimension).copied())),
            ResultSize::Same(_) => {
                places.dedup();
                Size::Same(places)
            }
            ResultSize::AtMost(_, most) => match places.first() {
                Some(&place) => Size::AtMost(place, i64::try_from(*most).unwrap_or(i64::MAX)),
                None => Size::Known(number(shape.get(dimension).copied())),
            },
            ResultSize::Sum(sources) => {
                let known = sources.iter().filter(|source| !is_unknown(node, **source));
                let known = known.map(|&(operand, position)| size_of(node, operand, position));
                Size::Sum(places, known.sum::<Result<i64, Error>>()?)
            }
        });
    }
    let actual = match sizes.as_slice() {
        // All sizes are those of one operand, in order.
        &[only] if is_same(node, only, &all)? => only,
        _ => {
            let actual = node.temporary(ElementType::I64, &[shape.len()])?;
            node.push_call(SameSizes { sizes: all }, sizes, vec![actual])?;
            actual
        }
    };
    node.graph.set_sizes(*result, actual);
    Ok(())
}

fn number(size: Option<usize>) -> i64 {
    size.and_then(|size| i64::try_from(size).ok()).unwrap_or(0)
}

fn size_of(node: &OperatorNode, operand: usize, dimension: usize) -> Result<i64, Error> {
    Ok(number(node.shape(node.operand(operand)?)?.get(dimension).copied()))
}

/// The tensor that holds the sizes of an operand, if that of this dimension is known only when running.
pub(super) fn of_unknown(node: &OperatorNode, operand: usize, dimension: usize) -> Option<GraphTensorId> {
    let sizes = node.graph.tensor(node.operand(operand).ok()?)?.sizes?;
    is_unknown(node, (operand, dimension)).then_some(sizes)
}

fn is_unknown(node: &OperatorNode, (operand, dimension): Source) -> bool {
    let r#type = node.operation.operand_at(operand).ok();
    let r#type = r#type.and_then(|value| {
        use melior::ir::ValueLike;
        hb_dialects::ir::TensorType::from_type(value.r#type()).ok()
    });
    r#type.and_then(|r#type| Some(r#type.dimensions?.get(dimension)?.is_none())).unwrap_or(false)
}

fn is_same(node: &OperatorNode, sizes: GraphTensorId, all: &[Size]) -> Result<bool, Error> {
    let same = all.iter().enumerate().all(|(dimension, size)| *size == Size::Same(vec![(0, dimension)]));
    Ok(same && node.shape(sizes)? == [all.len()])
}
