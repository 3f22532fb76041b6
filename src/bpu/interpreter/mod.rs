//! The reference interpreter: runs a [`Segment`] on concrete arrays, straight from `docs/numerics.md`.
//!
//! It is plain on purpose: loops over output cells, one function per operator, all arithmetic from [`crate::numerics`]. What it
//! computes is right by definition; the simulator is compared with it byte by byte. Arrays are dense, row-major,
//! little-endian bytes of the tensors' shapes.

mod camera;
mod convolution;
mod elementwise;
mod movement;
mod pool;
#[cfg(test)]
mod tests;
mod values;
mod vector;

use std::borrow::Cow;

use super::model::{BpuNode, BpuTensor, ModelError, Operator, Segment, TensorId};
use values::OperandBytes;

/// Why a segment cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InterpretError {
    /// The segment breaks a rule of the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Not as many arrays as the segment has inputs.
    #[error("the segment has {expected} inputs but {found} arrays were given")]
    InputCount {
        /// Inputs of the segment.
        expected: usize,
        /// Arrays given.
        found: usize,
    },
    /// An array that does not fill its tensor.
    #[error("input `{name}` takes {expected} bytes but {found} were given")]
    InputSize {
        /// Name of the input.
        name: String,
        /// Bytes of its shape.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A node whose arithmetic is not defined.
    #[error("node `{node}`: {message}")]
    Node {
        /// Name of the node.
        node: String,
        /// Why, in one sentence.
        message: String,
    },
}

/// Runs the segment: one array per input, in order, gives one array per output, in order.
///
/// # Errors
/// When the segment is malformed, an array has the wrong size, or a node's arithmetic is undefined (a ratio of scales
/// without multiplier, an accumulator that could overflow).
pub fn run(segment: &Segment, inputs: &[&[u8]]) -> Result<Vec<Vec<u8>>, InterpretError> {
    run_with(segment, inputs, |_, _, _| {})
}

/// As [`run`], showing each node, its result tensor and the result's bytes to `observe` as soon as they are computed.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    segment: &Segment,
    inputs: &[&[u8]],
    mut observe: impl FnMut(&BpuNode, &BpuTensor, &[u8]),
) -> Result<Vec<Vec<u8>>, InterpretError> {
    segment.verify()?;
    let mut values = feed(segment, inputs)?;
    let last_use = last_uses(segment);
    for (position, node) in segment.nodes.iter().enumerate() {
        let error = |message: String| InterpretError::Node { node: node.name.clone(), message };
        let (output, bytes) = evaluate_node(segment, &values, node).map_err(error)?;
        observe(node, &segment.tensors[output.0], &bytes);
        values[output.0] = Some(Cow::Owned(bytes));
        for id in node.inputs.iter().chain(&node.outputs) {
            if last_use[id.0] <= position {
                values[id.0] = None;
            }
        }
    }
    let value = |id: &TensorId| values[id.0].as_deref().map(<[u8]>::to_vec).unwrap_or_default();
    Ok(segment.outputs.iter().map(value).collect())
}

type Values<'a> = Vec<Option<Cow<'a, [u8]>>>;

/// Constants and inputs in their places.
fn feed<'a>(segment: &'a Segment, inputs: &[&'a [u8]]) -> Result<Values<'a>, InterpretError> {
    if inputs.len() != segment.inputs.len() {
        return Err(InterpretError::InputCount { expected: segment.inputs.len(), found: inputs.len() });
    }
    let mut values: Values = segment.tensors.iter().map(|tensor| tensor.data.as_deref().map(Cow::Borrowed)).collect();
    for (id, bytes) in segment.inputs.iter().zip(inputs) {
        let tensor = &segment.tensors[id.0];
        let expected = tensor.byte_count().unwrap_or(usize::MAX);
        if bytes.len() != expected {
            return Err(InterpretError::InputSize { name: tensor.name.clone(), expected, found: bytes.len() });
        }
        values[id.0] = Some(Cow::Borrowed(bytes));
    }
    Ok(values)
}

/// For each tensor the position of the last node that reads it; outputs live on, and what nobody reads dies at once.
fn last_uses(segment: &Segment) -> Vec<usize> {
    let mut last = vec![0; segment.tensors.len()];
    for (position, node) in segment.nodes.iter().enumerate() {
        for id in &node.inputs {
            last[id.0] = position;
        }
    }
    for id in &segment.outputs {
        last[id.0] = usize::MAX;
    }
    last
}

fn evaluate_node(segment: &Segment, values: &Values, node: &BpuNode) -> Result<(TensorId, Vec<u8>), String> {
    let operands = node
        .inputs
        .iter()
        .map(|id| match (segment.tensor(*id), values.get(id.0).and_then(Option::as_deref)) {
            (Some(tensor), Some(bytes)) => Ok(OperandBytes { tensor, bytes }),
            _ => Err(format!("operand {} has no value", id.0)),
        })
        .collect::<Result<Vec<_>, _>>()?;
    match node.outputs[..] {
        [id] => Ok((id, evaluate(&node.operator, &operands, &segment.tensors[id.0])?)),
        _ => Err("there is not exactly one result".to_owned()),
    }
}

/// The bytes of an operator's result. Operands and result have passed [`Segment::verify`].
fn evaluate(operator: &Operator, operands: &[OperandBytes], output: &BpuTensor) -> Result<Vec<u8>, String> {
    let one = || operator.exactly::<_, 1>(operands);
    let two = || operator.exactly::<_, 2>(operands);
    match operator {
        Operator::Convolution(attributes) => match operands {
            [x, w, rest @ ..] => convolution::convolution(attributes, *x, *w, rest.first().copied(), output),
            _ => Err(operator.miscounted(operands.len())),
        },
        Operator::MatMul { clamp } => two().and_then(|&[a, b]| convolution::matmul(*clamp, a, b, output)),
        Operator::Add { clamp } => two().and_then(|&[a, b]| elementwise::add(*clamp, a, b, output)),
        Operator::Sub { clamp } => two().and_then(|&[a, b]| elementwise::sub(*clamp, a, b, output)),
        Operator::Mul { clamp } => two().and_then(|&[a, b]| elementwise::mul(*clamp, a, b, output)),
        Operator::PRelu { clamp } => two().and_then(|&[x, slope]| elementwise::p_relu(*clamp, x, slope, output)),
        Operator::MaxPool(pool) => one().map(|&[x]| pool::max_pool(pool, x, output)),
        Operator::AveragePool(pool) => one().and_then(|&[x]| pool::average_pool(pool, x, output)),
        Operator::Lookup { table } => one().map(|&[x]| elementwise::lookup(table, x)),
        Operator::Curve { curve } => one().map(|&[x]| elementwise::curve(curve, x, output)),
        Operator::Requantize { clamp } => one().and_then(|&[x]| elementwise::requantize(*clamp, x, output)),
        Operator::Quantize => one().and_then(|&[x]| elementwise::quantize(x, output)),
        Operator::Normalize { axis, mean, factor } => {
            one().and_then(|&[x]| elementwise::normalize(*axis, mean, factor, x, output))
        }
        Operator::Vector { axes, program } => vector::run(program, axes, operands, output),
        Operator::Dequantize => one().and_then(|&[x]| elementwise::dequantize(x)),
        Operator::CameraImage { constants } => camera::image(constants, operands, output),
        Operator::RoiResize { block, size } => {
            two().and_then(|&[plane, region]| camera::roi_resize(*block, *size, plane, region, output))
        }
        Operator::Concat { axis } => movement::concat(*axis, operands),
        Operator::Slice { starts, steps, .. } => one().and_then(|&[x]| movement::slice(starts, steps, x, output)),
        Operator::Pad { before, mode, .. } => one().and_then(|&[x]| movement::pad(before, *mode, x, output)),
        Operator::Transpose { permutation } => one().and_then(|&[x]| movement::transpose(permutation, x)),
        Operator::Reshape => one().map(|[x]| x.bytes.to_vec()),
    }
}
