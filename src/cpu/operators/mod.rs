//! Every `hfloat` operator as computations.
//!
//! To add an operator: write its definition in the file of its family and name it in [`structured`]. An elementwise one
//! is a formula, a reduction a body and a combiner, a layout operator an index map.

mod constants;
mod control;
mod conv_transpose;
mod elementwise;
mod functions;
mod indexed;
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

use hb_dialects::hfloat::{self, Op, OpKind, StructuredOp};
use hb_dialects::ir::{Constant, OperationAttributes, TensorType, address, body, operations, results};
use hb_dialects::{ElementType, cpu, names};
use hb_runtime::Array;
use hb_runtime::routines::{BitCast, Det, Joined};
use melior::ir::operation::OperationLike;
use melior::ir::{BlockRef, OperationRef, Value, ValueLike};

use super::error::Error;
use super::expression::{Binary, Expression, GraphTensorId};
use super::graph::{Action, ExpressionGraph};
use elementwise::binary;
pub(super) use functions::formula;
use node::{OperatorNode, Results};
pub(crate) use recurrent::recurrence_of;

/// How the results of an operation are computed.
type Definition = fn(&mut OperatorNode) -> Results;

/// That of an operation; none where it is of a dialect that the CPU backend does not run.
fn definition(operation: OperationRef<'_, '_>) -> Option<Definition> {
    match Op::of(operation).map(Op::kind) {
        Some(OpKind::Scalar(_)) => Some(functions::define),
        Some(OpKind::Structured(op)) => Some(structured(op)),
        None => quantize::definition(operation),
    }
}

/// That of an operation that is more than a scalar function.
fn structured(op: StructuredOp) -> Definition {
    match op {
        StructuredOp::Constant => constants::constant_tensor,
        StructuredOp::ConstantOfShape => constants::constant_of_shape,
        StructuredOp::Shape => constants::shape,
        StructuredOp::If => control::branch,
        StructuredOp::Loop => control::repeat,
        StructuredOp::ConvTranspose => conv_transpose::conv_transpose,
        StructuredOp::Clip => elementwise::clip,
        StructuredOp::Add => |node| binary(node, |a, b| a + b),
        StructuredOp::Div => |node| binary(node, |a, b| a / b),
        StructuredOp::Max => |node| binary(node, Expression::maximum),
        StructuredOp::Min => |node| binary(node, Expression::minimum),
        StructuredOp::Mul => |node| binary(node, |a, b| a * b),
        StructuredOp::Sub => |node| binary(node, |a, b| a - b),
        StructuredOp::PRelu => elementwise::p_relu,
        StructuredOp::Pow => elementwise::pow,
        StructuredOp::And => |node| binary(node, Expression::and),
        StructuredOp::Not => elementwise::not,
        StructuredOp::Or => |node| binary(node, |a, b| a.binary(Binary::Or, b)),
        StructuredOp::BitwiseAnd => |node| binary(node, Expression::and),
        StructuredOp::BitwiseOr => |node| binary(node, |a, b| a.binary(Binary::Or, b)),
        StructuredOp::BitwiseXor => |node| binary(node, |a, b| a.binary(Binary::Xor, b)),
        StructuredOp::Mod => elementwise::remainder,
        StructuredOp::Xor => |node| binary(node, |a, b| a.binary(Binary::Xor, b)),
        StructuredOp::Equal => |node| binary(node, Expression::equal),
        StructuredOp::Greater => |node| binary(node, |a, b| b.less(a)),
        StructuredOp::GreaterOrEqual => |node| binary(node, |a, b| b.less_or_equal(a)),
        StructuredOp::Less => |node| binary(node, Expression::less),
        StructuredOp::LessOrEqual => |node| binary(node, Expression::less_or_equal),
        StructuredOp::Where => elementwise::r#where,
        StructuredOp::Range => elementwise::range,
        StructuredOp::Cast => elementwise::cast,
        StructuredOp::QuantizeLinear => quantize::quantize_linear,
        StructuredOp::DequantizeLinear => quantize::dequantize_linear,
        StructuredOp::BatchNormalization => elementwise::batch_normalization,
        StructuredOp::Identity
        | StructuredOp::Flatten
        | StructuredOp::Reshape
        | StructuredOp::Squeeze
        | StructuredOp::Unsqueeze => |node| node.view(),
        StructuredOp::Transpose => layout::transpose,
        StructuredOp::Concat => layout::concat,
        StructuredOp::Slice => layout::slice,
        StructuredOp::Pad => layout::pad,
        StructuredOp::Gather => layout::gather,
        StructuredOp::GatherElements => layout::gather_elements,
        StructuredOp::GatherNd => indexed::gather_nd,
        StructuredOp::ScatterElements => indexed::scatter_elements,
        StructuredOp::ScatterNd => indexed::scatter_nd,
        StructuredOp::BitCast => |node| node.call(BitCast),
        StructuredOp::GridSample => indexed::grid_sample,
        StructuredOp::Gemm => matrix::gemm,
        StructuredOp::MatMul => matrix::mat_mul,
        StructuredOp::Softmax => normalize::softmax,
        StructuredOp::Split => rearrange::split,
        StructuredOp::Expand => rearrange::expand,
        StructuredOp::Tile => rearrange::tile,
        StructuredOp::DepthToSpace => rearrange::depth_to_space,
        StructuredOp::SpaceToDepth => rearrange::space_to_depth,
        StructuredOp::Lstm | StructuredOp::Gru | StructuredOp::Rnn => recurrent::recurrent,
        StructuredOp::ReduceL1 => reduce::l1,
        StructuredOp::ReduceL2 => reduce::l2,
        StructuredOp::ReduceLogSum => reduce::log_sum,
        StructuredOp::ReduceLogSumExp => reduce::log_sum_exp,
        StructuredOp::ReduceMax => reduce::maximum,
        StructuredOp::ReduceMean => reduce::mean,
        StructuredOp::ReduceMin => reduce::minimum,
        StructuredOp::ReduceProd => reduce::product,
        StructuredOp::ReduceSum => reduce::sum,
        StructuredOp::ReduceSumSquare => reduce::sum_square,
        StructuredOp::ArgMax => reduce::arg_max,
        StructuredOp::ArgMin => reduce::arg_min,
        StructuredOp::GlobalMaxPool => reduce::global_max_pool,
        StructuredOp::Resize => resize::resize,
        StructuredOp::CumSum => |node| reduce::cumulative(node, Joined::Sum),
        StructuredOp::CumProd => |node| reduce::cumulative(node, Joined::Product),
        StructuredOp::Det => |node| node.call(Det),
        StructuredOp::TopK => select::top_k,
        StructuredOp::NonZero => select::non_zero,
        StructuredOp::Unique => select::unique,
        StructuredOp::RoiAlign => select::roi_align,
        StructuredOp::MaxRoiPool => select::max_roi_pool,
        StructuredOp::NonMaxSuppression => select::non_max_suppression,
        StructuredOp::GroupNormalization => statistics::group_normalization,
        StructuredOp::InstanceNormalization => statistics::instance_normalization,
        StructuredOp::LayerNormalization => statistics::layer_normalization,
        StructuredOp::Lrn => statistics::lrn,
        StructuredOp::Conv => window::conv,
        StructuredOp::MaxPool => window::max_pool,
        StructuredOp::MaxPoolIndices => window::max_pool_indices,
        StructuredOp::AveragePool => window::average_pool,
        StructuredOp::GlobalAveragePool => window::global_average_pool,
    }
}

/// The graph of a function, or of a `cpu.segment`: anything with one block of operations that ends in a return or a yield. Also
/// how many of its outputs are values; see [`graph_of_block`].
///
/// Values are named after the nodes that make them; a node's further results are `name#1`, `name#2`. Inputs are named by
/// `input_names`, in order.
pub(crate) fn graph_of(
    parent: OperationRef<'_, '_>,
    input_names: &[String],
) -> Result<(ExpressionGraph, usize), Error> {
    let name = parent.node();
    let block = body(parent).ok_or_else(|| Error::invalid(&name, "has no body"))?;
    graph_of_block(block, &name, input_names, None)
}

/// As [`graph_of`], with these values of the function as the outputs.
pub(crate) fn graph_of_values(
    parent: OperationRef<'_, '_>,
    input_names: &[String],
    shown: &[Value<'_, '_>],
) -> Result<(ExpressionGraph, usize), Error> {
    let name = parent.node();
    let block = body(parent).ok_or_else(|| Error::invalid(&name, "has no body"))?;
    graph_of_block(block, &name, input_names, Some(shown))
}

/// The graph of a block. Its inputs and outputs are values, then the sizes of those whose sizes are known only when running; the
/// number tells how many outputs are values: those that its end gives, or `shown`.
pub(crate) fn graph_of_block(
    block: BlockRef<'_, '_>,
    name: &str,
    input_names: &[String],
    shown: Option<&[Value<'_, '_>]>,
) -> Result<(ExpressionGraph, usize), Error> {
    let mut graph = ExpressionGraph::default();
    let mut values: HashMap<usize, GraphTensorId> = HashMap::new();
    let mut bounded = Vec::new();
    for (position, argument) in hb_dialects::ir::arguments(block).into_iter().enumerate() {
        let input = input_names.get(position).cloned().unwrap_or_else(|| format!("input_{position}"));
        let r#type = TensorType::from_type(argument.r#type())?;
        let (element, shape) = plain(&input, &r#type)?;
        let id = graph.add_input(&input, element, &shape)?;
        if r#type.is_bounded() {
            bounded.push((id, shape.len()));
        }
        values.insert(address(argument), id);
    }
    for (id, rank) in bounded {
        let sizes = graph.add_input("", ElementType::I64, &[rank])?;
        graph.set_sizes(id, sizes);
    }
    let find = |name: &str, value: Value<'_, '_>, values: &HashMap<usize, GraphTensorId>| {
        let reason = "uses a value from outside of its function or segment";
        values.get(&address(value)).copied().ok_or_else(|| Error::invalid(name, reason))
    };
    let operands = |operation: OperationRef<'_, '_>, values: &HashMap<usize, GraphTensorId>| {
        let node = operation.node();
        operation.operands().map(|value| find(&node, value, values)).collect::<Result<Vec<GraphTensorId>, Error>>()
    };
    for operation in operations(block) {
        if ends_block(operation) {
            graph.outputs = match shown {
                None => operands(operation, &values)?,
                Some(shown) => shown.iter().map(|value| find(name, *value, &values)).collect::<Result<_, _>>()?,
            };
            let count = graph.outputs.len();
            sizes::add_outputs(&mut graph, name)?;
            return Ok((graph, count));
        }
        let operands = operands(operation, &values)?;
        let tensors = define(&mut graph, operation, operands)?;
        let found = results(operation);
        if tensors.len() != found.len() {
            let reason = format!("{} has {} results", operation.operation_name(), found.len());
            return Err(Error::unsupported(&operation.node(), reason));
        }
        for (tensor, value) in tensors.into_iter().zip(found) {
            check_result(&graph, operation, tensor, value)?;
            values.insert(address(value), tensor);
        }
    }
    Err(Error::invalid(name, "its body does not end in func.return or a yield"))
}

/// Whether an operation ends a function, a `cpu.segment` or a region and gives its results.
fn ends_block(operation: OperationRef<'_, '_>) -> bool {
    let name = operation.operation_name();
    name == names::RETURN || name == hfloat::YIELD || cpu::Op::of(operation) == Some(cpu::Op::Yield)
}

/// The element and shape of a tensor whose shape is known, or how large it can be.
fn plain(name: &str, r#type: &TensorType) -> Result<(ElementType, Vec<usize>), Error> {
    let unknown = || Error::unsupported(name, "its shape is not known; give the sizes of the network's inputs");
    Ok((r#type.element.storage(), r#type.bound_shape().ok_or_else(unknown)?))
}

fn define(graph: &mut ExpressionGraph, operation: OperationRef<'_, '_>, operands: Vec<GraphTensorId>) -> Results {
    let name = operation.node();
    let Some(define) = definition(operation) else {
        let operation_name = operation.operation_name();
        return Err(Error::unsupported(&name, format!("the CPU backend has no definition of {operation_name}")));
    };
    let types: Result<Vec<TensorType>, _> =
        results(operation).into_iter().map(|value| TensorType::from_type(value.r#type())).collect();
    let mut node = OperatorNode { graph, operation, name, operands, results: types? };
    let tensors = define(&mut node)?;
    sizes::complete(&mut node, &tensors)?;
    Ok(tensors)
}

/// What was defined has the type that the operation says.
fn check_result(
    graph: &ExpressionGraph,
    operation: OperationRef<'_, '_>,
    id: GraphTensorId,
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
    Ok(match constant.owner() {
        Some(bytes) => Array::of_shared(element, &shape, bytes)?,
        None => Array::from_bytes(element, &shape, &constant.bytes)?,
    })
}

/// The constant of an array.
pub fn constant_of(array: &Array) -> Constant<'static> {
    let r#type = TensorType::new(array.element(), array.shape());
    Constant { r#type, bytes: std::borrow::Cow::Owned(array.as_bytes().to_vec()) }
}

/// The graph of one operation. Its inputs are the operands, in order, but for those that `known` gives.
///
/// # Errors
/// When the operator is not supported, or a type has no static shape.
pub fn operation_graph(
    operation: OperationRef<'_, '_>,
    known: impl Fn(usize) -> Option<Array>,
) -> Result<ExpressionGraph, Error> {
    let mut graph = ExpressionGraph::default();
    let mut ids = Vec::new();
    for (index, operand) in operation.operands().enumerate() {
        let r#type = TensorType::from_type(operand.r#type())?;
        let (element, shape) = plain(&operation.node(), &r#type)?;
        let input = graph.add_input("", element, &shape)?;
        ids.push(match known(index) {
            Some(array) => graph.add_constant("", Arc::new(array))?,
            None => input,
        });
    }
    graph.outputs = define(&mut graph, operation, ids)?;
    Ok(graph)
}

/// Beyond this many computed points, compiling is faster than interpreting.
const INTERPRETED: usize = 30_000;

/// The results of one operation whose operands are constants, in their actual sizes.
///
/// # Errors
/// When the operator is not supported, or the shape of a result has no bounds.
pub fn fold(operation: OperationRef<'_, '_>, operands: &[&Array]) -> Result<Vec<Array>, Error> {
    let mut graph = ExpressionGraph::default();
    let mut ids = Vec::new();
    for operand in operands {
        ids.push(graph.add_constant("", Arc::new((*operand).clone()))?);
    }
    graph.outputs = define(&mut graph, operation, ids)?;
    let has_sizes = |id: &GraphTensorId| graph.tensor(*id).is_some_and(|tensor| tensor.sizes.is_some());
    let have_sizes: Vec<bool> = graph.outputs.iter().map(has_sizes).collect();
    sizes::add_outputs(&mut graph, &operation.node())?;
    let points = |action: &Action| match action {
        Action::Compute(compute) => {
            compute.all_extents().iter().fold(1usize, |product, extent| product.saturating_mul(*extent))
        }
        // The same code either way.
        Action::Call(_) => 0,
    };
    let total = graph.actions.iter().fold(0usize, |sum, action| sum.saturating_add(points(action)));
    let mut results = if total <= INTERPRETED {
        super::interpret(&graph, &[])?
    } else {
        super::Executable::compile(graph, super::ExecutableOptions::default())?.run(&[])?
    };
    let mut sizes = results.split_off(have_sizes.len().min(results.len())).into_iter();
    let actual = |(result, has_sizes): (Array, bool)| match has_sizes.then(|| sizes.next()).flatten() {
        Some(sizes) => Ok(result.cropped(&sizes.to_sizes())?),
        None => Ok(result),
    };
    results.into_iter().zip(have_sizes).map(actual).collect()
}
