//! Sizes that are known only when the network runs: from operands to results.

use hb_dialects::ElementType;
use hb_dialects::hfloat::{self, Op, Source};
use hb_dialects::ir::OperationAttributes;

use super::super::error::Error;
use super::super::expression::{GraphTensorId, axis};
use super::super::graph::ExpressionGraph;
use super::super::routines::SameSizes;
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
    let sources = hfloat::size_sources(node.operation).map_err(|reason| node.invalid(reason))?;
    let (Some(sources), [result]) = (sources, tensors) else {
        return Err(
            node.unsupported("the size of its operand is known only when the network runs, which it cannot take")
        );
    };
    let shape = node.shape(*result)?;
    let mut sizes: Vec<GraphTensorId> = Vec::new();
    let mut all = Vec::new();
    for (dimension, sources) in sources.iter().enumerate() {
        let mut places = Vec::new();
        for &(operand, position) in sources.iter().filter(|source| is_unknown(node, **source)) {
            let id = node.operand(operand).ok().and_then(|id| of(id, node.graph));
            let id = id.ok_or_else(|| node.invalid("lost the sizes of an operand"))?;
            let number = sizes.iter().position(|known| *known == id).unwrap_or_else(|| {
                sizes.push(id);
                sizes.len() - 1
            });
            if !places.contains(&(number, position)) {
                places.push((number, position));
            }
        }
        let known = shape.get(dimension).and_then(|size| i64::try_from(*size).ok()).unwrap_or(0);
        all.push(if places.is_empty() { Err(known) } else { Ok(places) });
    }
    let actual = match sizes.as_slice() {
        // All sizes are those of one operand, in order.
        &[only] if is_same(node, only, &all)? => only,
        _ => {
            let actual = node.temporary(ElementType::I64, &[shape.len()])?;
            node.push_call(SameSizes { sources: all }, sizes, vec![actual])?;
            actual
        }
    };
    node.graph.set_sizes(*result, actual);
    Ok(())
}

fn is_unknown(node: &OperatorNode, (operand, dimension): Source) -> bool {
    let r#type = node.operation.operand_at(operand).ok();
    let r#type = r#type.and_then(|value| {
        use melior::ir::ValueLike;
        hb_dialects::ir::TensorType::from_type(value.r#type()).ok()
    });
    r#type.and_then(|r#type| Some(r#type.dimensions?.get(dimension)?.is_none())).unwrap_or(false)
}

fn is_same(node: &OperatorNode, sizes: GraphTensorId, all: &[Result<Vec<(usize, usize)>, i64>]) -> Result<bool, Error> {
    let same = all.iter().enumerate().all(|(dimension, source)| match source {
        Ok(places) => places.as_slice() == [(0, dimension)],
        Err(_) => false,
    });
    Ok(same && node.shape(sizes)? == [all.len()])
}
