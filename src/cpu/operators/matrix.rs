//! Matrix products.

use hb_dialects::ElementType;
use hb_dialects::hfloat::attributes;

use super::super::error::Error;
use super::super::expression::{Expression, accumulator, axis, index};
use super::super::graph::Combiner;
use super::node::{OperatorNode, Results, axes, wide};

/// ONNX Gemm-13: alpha * A' * B' + beta * C.
pub(super) fn gemm(node: &mut OperatorNode) -> Results {
    let (a, b) = (node.operand(0)?, node.operand(1)?);
    let (alpha, beta) = (attributes::alpha(node.operation)?, attributes::beta(node.operation)?);
    let (transposed_a, transposed_b) = (attributes::trans_a(node.operation)?, attributes::trans_b(node.operation)?);
    let left = node.shape(a)?;
    let depth = left.get(usize::from(!transposed_a)).copied().unwrap_or(0);
    // Sums run side by side in vectors where the columns of B do. A constant B is turned only once.
    let (b, transposed_b) = match transposed_b && node.tensor(b)?.data.is_some() {
        true => (node.turned(b)?, false),
        false => (b, transposed_b),
    };
    let a_at = if transposed_a { vec![axis(2), axis(0)] } else { vec![axis(0), axis(2)] };
    let b_at = if transposed_b { vec![axis(1), axis(2)] } else { vec![axis(2), axis(1)] };
    let body = wide(node.graph.load(a, a_at)) * wide(node.graph.load(b, b_at));
    let total = accumulator(body.element());
    let mut finish = scaled(node, total, alpha)?;
    if let Some(c) = node.optional_operand(2) {
        let c = wide(node.graph.load_broadcast(c, 2));
        finish = finish + scaled(node, c, beta)?;
    }
    let finish = node.activate(finish)?.cast(node.result_element()?);
    let output = node.result_tensor()?;
    node.reduce_into(output, &[depth], Combiner::SumOfProducts, body, finish)?;
    Ok(vec![output])
}

fn scaled(node: &OperatorNode, value: Expression, factor: f64) -> Result<Expression, Error> {
    match value.element() {
        _ if factor == 1.0 => Ok(value),
        element if element.is_float() => Ok(value.clone() * value.like(factor)),
        element => Err(node.unsupported(format!("a factor of {factor} for a matrix product of {element}"))),
    }
}

/// ONNX MatMul-13, as numpy.matmul: leading dimensions broadcast; a rank-1 operand is a row on the left, a column on the right.
pub(super) fn mat_mul(node: &mut OperatorNode) -> Results {
    let (a, b) = (node.operand(0)?, node.operand(1)?);
    let (left, right) = (node.shape(a)?, node.shape(b)?);
    let shape = node.result_shape()?;
    let depth = left.last().copied().unwrap_or(0);
    let (rows, columns) = (usize::from(left.len() > 1), usize::from(right.len() > 1));
    let Some(batch) = shape.len().checked_sub(rows + columns) else {
        return Err(node.invalid("its operands have too few dimensions"));
    };
    let k = axis(shape.len());
    let leading = |sizes: &[usize], matrix: usize| -> Vec<Expression> {
        let count = sizes.len().saturating_sub(matrix);
        let outer = sizes.iter().take(count).enumerate();
        outer.map(|(d, &size)| if size == 1 { index(0) } else { axis(batch - count.min(batch) + d) }).collect()
    };
    let mut a_at = leading(&left, 1 + rows);
    a_at.extend(axes(batch, rows));
    a_at.push(k.clone());
    let mut b_at = leading(&right, 1 + columns);
    b_at.push(k);
    b_at.extend(axes(batch + rows, columns));
    let element = node.result_element()?;
    let load = |id, at| wide(node.graph.load(id, at));
    let body = load(a, a_at) * load(b, b_at);
    if element == ElementType::Bool {
        return Err(node.unsupported("a matrix product of bool"));
    }
    let finish = node.activate(accumulator(body.element()))?.cast(element);
    let output = node.result_tensor()?;
    node.reduce_into(output, &[depth], Combiner::SumOfProducts, body, finish)?;
    Ok(vec![output])
}
