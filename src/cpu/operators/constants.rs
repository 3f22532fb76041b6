//! Operators whose result is known from types and attributes.

use std::sync::Arc;

use hb_dialects::hfloat::attributes;
use hb_dialects::ir::elements_of;
use hb_runtime::Array;
use melior::ir::operation::OperationLike;

use super::super::expression::{axis, constant};
use super::node::{OperatorNode, Results};

fn value(node: &OperatorNode) -> Result<Array, super::Error> {
    let attribute = node.operation.attribute("value").map_err(|_| node.invalid("has no value"))?;
    let elements = elements_of(attribute).ok_or_else(|| node.invalid("the bytes of its value are missing"))?;
    super::array_of(&elements).map_err(|error| node.unsupported(error.to_string()))
}

pub(super) fn constant_tensor(node: &mut OperatorNode) -> Results {
    let array = value(node)?;
    Ok(vec![node.graph.add_constant(&node.name, Arc::new(array))?])
}

pub(super) fn constant_of_shape(node: &mut OperatorNode) -> Results {
    let value = value(node)?;
    let scalar = value.get(0).ok_or_else(|| node.invalid("its value is empty"))?;
    node.fill_sized(constant(value.element(), scalar), 0)
}

pub(super) fn shape(node: &mut OperatorNode) -> Results {
    let operand = node.operand(0)?;
    let input = node.shape(operand)?;
    let rank = input.len() as i64;
    let bound = |value: i64| (if value < 0 { value + rank } else { value }).clamp(0, rank) as usize;
    let start = bound(attributes::start(node.operation)?);
    let end = bound(attributes::end(node.operation)?.unwrap_or(rank));
    if let Some(actual) = node.tensor(operand)?.sizes {
        let value = node.graph.load(actual, vec![axis(0) + start as i64]);
        return node.fill_result(value);
    }
    let sizes: Vec<i64> = input.iter().take(end).skip(start).map(|&size| size as i64).collect();
    let array = Array::from_values(&[sizes.len()], &sizes)?;
    Ok(vec![node.graph.add_constant(&node.name, Arc::new(array))?])
}
