//! Every `hfloat` operator as computations, found by the operation's name.
//!
//! To add an operator: write its definition in the file of its family and add it to that file's table. An elementwise one
//! is a formula, a reduction a body and a combiner, a layout operator an index map.

mod constants;
mod control;
mod conv_transpose;
mod elementwise;
mod functions;
mod layout;
mod matrix;
mod node;
mod normalize;
mod quantize;
mod rearrange;
mod recurrent;
mod reduce;
mod resize;
mod select;
mod sizes;
mod statistics;
mod window;

use std::collections::HashMap;
use std::sync::Arc;

use hb_dialects::ElementType;
use hb_dialects::ir::{Constant, OperationAttributes, TensorType, body, operations, results};
use melior::ir::operation::OperationLike;
use melior::ir::{BlockRef, OperationRef, Value, ValueLike};

use super::array::Array;
use super::error::Error;
use super::expression::TensorId;
use super::graph::{Action, Graph};
pub(super) use functions::formula;
use hb_dialects::hfloat::{Op, OpKind, YIELD};
use node::{Node, Results};

/// An operation's name, and how its results are computed.
type Definition = (&'static str, fn(&mut Node) -> Results);

const FAMILIES: &[&[Definition]] = &[
    constants::OPERATORS,
    control::OPERATORS,
    conv_transpose::OPERATORS,
    elementwise::OPERATORS,
    layout::OPERATORS,
    matrix::OPERATORS,
    normalize::OPERATORS,
    quantize::OPERATORS,
    rearrange::OPERATORS,
    recurrent::OPERATORS,
    resize::OPERATORS,
    select::OPERATORS,
    statistics::OPERATORS,
    reduce::OPERATORS,
    window::OPERATORS,
];

/// Whether the CPU backend knows an operation of this name.
pub fn is_supported(operation: &str) -> bool {
    definition(operation).is_some()
}

fn definition(operation: &str) -> Option<fn(&mut Node) -> Results> {
    if let Some(OpKind::Scalar(_)) = Op::named(operation).map(Op::kind) {
        return Some(functions::define);
    }
    FAMILIES.iter().flat_map(|family| family.iter()).find(|(name, _)| *name == operation).map(|(_, define)| *define)
}

/// The graph of a function, or of a `cpu.segment`: anything with one block of operations that ends in a return or a yield. Also
/// how many of its outputs are values; see [`graph_of_block`].
///
/// Values are named after the nodes that make them; a node's further results are `name#1`, `name#2`. Inputs are named by
/// `input_names`, in order.
pub(crate) fn graph_of(parent: OperationRef<'_, '_>, input_names: &[String]) -> Result<(Graph, usize), Error> {
    let name = parent.node();
    let block = body(parent).ok_or_else(|| Error::invalid(&name, "has no body"))?;
    graph_of_block(block, &name, input_names)
}

/// The graph of a block. Its inputs and outputs are values, then the sizes of those whose sizes are known only when running; the
/// number tells how many outputs are values.
pub(crate) fn graph_of_block(
    block: BlockRef<'_, '_>,
    name: &str,
    input_names: &[String],
) -> Result<(Graph, usize), Error> {
    let mut graph = Graph::default();
    let mut values: HashMap<*const std::ffi::c_void, TensorId> = HashMap::new();
    let mut bounded = Vec::new();
    for (position, argument) in hb_dialects::ir::arguments(block).into_iter().enumerate() {
        let input = input_names.get(position).cloned().unwrap_or_else(|| format!("input_{position}"));
        let r#type = TensorType::from_type(argument.r#type())?;
        let (element, shape) = plain(&input, &r#type)?;
        let id = graph.add_input(&input, element, &shape)?;
        if r#type.is_bounded() {
            bounded.push((id, shape.len()));
        }
        values.insert(key(argument), id);
    }
    for (id, rank) in bounded {
        let sizes = graph.add_input("", ElementType::I64, &[rank])?;
        graph.set_sizes(id, sizes);
    }
    let operands = |operation: OperationRef<'_, '_>, values: &HashMap<*const std::ffi::c_void, TensorId>| {
        let find = |value: Value<'_, '_>| {
            let reason = "uses a value from outside of its function or segment";
            values.get(&key(value)).copied().ok_or_else(|| Error::invalid(&operation.node(), reason))
        };
        operation.operands().map(find).collect::<Result<Vec<TensorId>, Error>>()
    };
    for operation in operations(block) {
        let operation_name = operation.operation_name();
        if matches!(operation_name.as_str(), "func.return" | "cpu.yield" | YIELD) {
            graph.outputs = operands(operation, &values)?;
            let count = graph.outputs.len();
            sizes::add_outputs(&mut graph, name)?;
            return Ok((graph, count));
        }
        let operands = operands(operation, &values)?;
        let tensors = define(&mut graph, operation, operands)?;
        let found = results(operation);
        if tensors.len() != found.len() {
            return Err(Error::unsupported(&operation.node(), format!("{operation_name} has {} results", found.len())));
        }
        for (tensor, value) in tensors.into_iter().zip(found) {
            check_result(&graph, operation, tensor, value)?;
            values.insert(key(value), tensor);
        }
    }
    Err(Error::invalid(name, "its body does not end in func.return or a yield"))
}

fn key(value: Value<'_, '_>) -> *const std::ffi::c_void {
    value.to_raw().ptr
}

/// The element and shape of a tensor whose shape is known, or how large it can be.
fn plain(name: &str, r#type: &TensorType) -> Result<(ElementType, Vec<usize>), Error> {
    let unknown = || Error::unsupported(name, "its shape is not known; give the sizes of the network's inputs");
    Ok((r#type.element.storage(), r#type.bound_shape().ok_or_else(unknown)?))
}

fn define(graph: &mut Graph, operation: OperationRef<'_, '_>, operands: Vec<TensorId>) -> Results {
    let (name, operation_name) = (operation.node(), operation.operation_name());
    let Some(define) = definition(&operation_name) else {
        return Err(Error::unsupported(&name, format!("the CPU backend has no definition of {operation_name}")));
    };
    let types: Result<Vec<TensorType>, _> =
        results(operation).into_iter().map(|value| TensorType::from_type(value.r#type())).collect();
    let mut node = Node { graph, operation, name, operands, results: types? };
    let tensors = define(&mut node)?;
    sizes::complete(&mut node, &tensors)?;
    Ok(tensors)
}

/// What was defined has the type that the operation says.
fn check_result(
    graph: &Graph,
    operation: OperationRef<'_, '_>,
    id: TensorId,
    value: Value<'_, '_>,
) -> Result<(), Error> {
    let node = operation.node();
    let r#type = TensorType::from_type(value.r#type())?;
    let (element, shape) = plain(&node, &r#type)?;
    match graph.tensor(id) {
        Some(tensor) if tensor.sizes.is_some() != r#type.is_bounded() => {
            let reason =
                format!("{} does not follow sizes that are known only when running", operation.operation_name());
            Err(Error::unsupported(&node, reason))
        }
        Some(tensor) if tensor.element == element && tensor.shape == shape => Ok(()),
        Some(tensor) => {
            let found = format!("{} {:?}", tensor.element, tensor.shape);
            Err(Error::invalid(&node, format!("computes {found}, but its type says {element} {shape:?}")))
        }
        None => Err(Error::invalid(&node, "gives a tensor that is not in the graph")),
    }
}

/// The array of a constant. A quantized one is its stored integers.
pub fn array_of(constant: &Constant<'_>) -> Result<Array, Error> {
    let (element, shape) = plain("", &constant.r#type)?;
    Array::from_bytes(element, &shape, &constant.bytes)
}

/// The constant of an array.
pub fn constant_of(array: &Array) -> Constant<'static> {
    let r#type = TensorType::new(array.element(), array.shape());
    Constant { r#type, bytes: std::borrow::Cow::Owned(array.as_bytes().to_vec()) }
}

/// Beyond this many computed points, compiling is faster than interpreting.
const INTERPRETED: usize = 30_000;

/// The results of one operation whose operands are constants.
///
/// # Errors
/// When the operator is not supported, or a result has no static shape.
pub fn fold(operation: OperationRef<'_, '_>, operands: &[&Array]) -> Result<Vec<Array>, Error> {
    let mut graph = Graph::default();
    let mut ids = Vec::new();
    for operand in operands {
        ids.push(graph.add_constant("", Arc::new((*operand).clone()))?);
    }
    graph.outputs = define(&mut graph, operation, ids)?;
    let points = |action: &Action| match action {
        Action::Compute(compute) => {
            compute.all_extents().iter().fold(1usize, |product, extent| product.saturating_mul(*extent))
        }
        // The same code either way.
        Action::Call(_) => 0,
    };
    let total = graph.actions.iter().fold(0usize, |sum, action| sum.saturating_add(points(action)));
    if total <= INTERPRETED {
        super::interpret(&graph, &[])
    } else {
        super::Executable::compile(graph, super::Options::default())?.run(&[])
    }
}
