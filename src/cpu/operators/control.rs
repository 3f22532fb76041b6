//! Branches and loops: graphs inside of a routine.

use hb_dialects::hfloat::{self, region_block};
use hb_dialects::ir::TensorType;
use hb_runtime::routines::{Branch, Region, Repeat};

use super::super::error::Error;
use super::super::region::{RegionGraph, region_of};
use super::graph_of_block;
use super::node::{OperatorNode, Results};

fn region(node: &OperatorNode, index: usize) -> Result<Region<RegionGraph>, Error> {
    let block = region_block(node.operation, index).map_err(|reason| node.invalid(reason))?;
    let (graph, values) = graph_of_block(block, &node.name, &[], None)?;
    Ok(region_of(graph, values))
}

fn bounded<'a>(types: impl Iterator<Item = &'a TensorType>) -> Vec<usize> {
    types.enumerate().filter(|(_, r#type)| r#type.is_bounded()).map(|(index, _)| index).collect()
}

/// ONNX If-21.
pub(super) fn branch(node: &mut OperatorNode) -> Results {
    let (then, otherwise) = (region(node, 0)?, region(node, 1)?);
    let bounded = bounded(node.results.iter());
    node.call(Branch { then, otherwise, bounded })
}

/// ONNX Loop-21.
pub(super) fn repeat(node: &mut OperatorNode) -> Results {
    let carried = hfloat::carried_count(node.operation).map_err(|reason| node.invalid(reason))?;
    let body = region(node, 0)?;
    let values = node.operands.iter().skip(2).enumerate();
    let bounded_values = values.filter(|(_, id)| node.graph.tensor(**id).is_some_and(|tensor| tensor.sizes.is_some()));
    let bounded_values = bounded_values.map(|(index, _)| index).collect();
    let bounded = bounded(node.results.iter());
    node.call(Repeat { body, carried, bounded_values, bounded })
}
