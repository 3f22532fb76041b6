//! Proof that an expression is well typed and that its loads stay inside their tensors, by interval arithmetic.

use hb_dialects::ElementType;
use hb_runtime::Scalar;

use super::error::Error;
use super::expression::{Binary, Expression, ExpressionKind, Unary};
use super::graph::ExpressionGraph;

/// The values an i64 expression can take, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueRange {
    pub low: i64,
    pub high: i64,
}

const ANY: ValueRange = ValueRange { low: i64::MIN, high: i64::MAX };

/// The range of an i64 expression when axis `d` runs over `0..extents[d]`.
pub(crate) fn range(expression: &Expression, extents: &[usize]) -> ValueRange {
    match expression.kind() {
        ExpressionKind::Axis(number) => match extents.get(*number) {
            Some(&extent) => ValueRange { low: 0, high: i64::try_from(extent.saturating_sub(1)).unwrap_or(i64::MAX) },
            None => ANY,
        },
        ExpressionKind::Constant(Scalar::Integer(value)) => {
            i64::try_from(*value).map_or(ANY, |value| ValueRange { low: value, high: value })
        }
        ExpressionKind::Binary(operation, a, b) => binary(*operation, range(a, extents), range(b, extents)),
        ExpressionKind::Select(_, a, b) => {
            let (a, b) = (range(a, extents), range(b, extents));
            ValueRange { low: a.low.min(b.low), high: a.high.max(b.high) }
        }
        ExpressionKind::Unary(Unary::Negate, a) => {
            binary(Binary::Subtract, ValueRange { low: 0, high: 0 }, range(a, extents))
        }
        ExpressionKind::Unary(Unary::Absolute, a) => {
            let a = range(a, extents);
            let reach = a.low.checked_abs().zip(a.high.checked_abs()).map(|(low, high)| low.max(high));
            ValueRange { low: 0, high: reach.unwrap_or(i64::MAX) }
        }
        _ => ANY,
    }
}

fn binary(operation: Binary, a: ValueRange, b: ValueRange) -> ValueRange {
    let corners = |f: fn(i64, i64) -> Option<i64>| {
        let values = [f(a.low, b.low), f(a.low, b.high), f(a.high, b.low), f(a.high, b.high)];
        let values: Option<Vec<i64>> = values.into_iter().collect();
        let ends = values.and_then(|values| values.iter().min().copied().zip(values.iter().max().copied()));
        // Overflow at an end means wrapping somewhere inside.
        ends.map_or(ANY, |(low, high)| ValueRange { low, high })
    };
    match operation {
        Binary::Add => corners(i64::checked_add),
        Binary::Subtract => corners(i64::checked_sub),
        Binary::Multiply => corners(i64::checked_mul),
        Binary::FloorDivide if b.low > 0 => corners(super::expression::floor_divide),
        Binary::Divide if b.low > 0 => corners(i64::checked_div),
        Binary::Modulo if b.low > 0 && a.low >= 0 && a.high < b.low => a,
        Binary::Modulo if b.low > 0 => ValueRange { low: 0, high: b.high - 1 },
        Binary::Maximum => ValueRange { low: a.low.max(b.low), high: a.high.max(b.high) },
        Binary::Minimum => ValueRange { low: a.low.min(b.low), high: a.high.min(b.high) },
        _ => ANY,
    }
}

/// Types agree and every load is inside its tensor. `accumulator` is its element, inside a `finish`.
pub(crate) fn verify(
    graph: &ExpressionGraph,
    node: &str,
    expression: &Expression,
    extents: &[usize],
    accumulator: Option<ElementType>,
) -> Result<(), Error> {
    let mut result = Ok(());
    expression.walk(&mut |part| {
        if result.is_ok() {
            result = verify_node(graph, part, extents, accumulator).map_err(|reason| Error::invalid(node, reason));
        }
    });
    result
}

fn verify_node(
    graph: &ExpressionGraph,
    part: &Expression,
    extents: &[usize],
    accumulator: Option<ElementType>,
) -> Result<(), String> {
    let same = |a: &Expression, b: &Expression| {
        if a.element() == b.element() { Ok(()) } else { Err(format!("mixes {} and {}", a.element(), b.element())) }
    };
    match part.kind() {
        ExpressionKind::Axis(number) if *number >= extents.len() => {
            Err(format!("uses axis {number} of {}", extents.len()))
        }
        ExpressionKind::Accumulator if accumulator != Some(part.element()) => {
            Err("uses an accumulator it does not have".to_string())
        }
        ExpressionKind::Load { tensor, indices } => verify_load(graph, part, *tensor, indices, extents),
        ExpressionKind::Binary(operation, a, b) => {
            let logical = matches!(operation, Binary::And | Binary::Or | Binary::Xor);
            let integer = matches!(operation, Binary::FloorDivide | Binary::Modulo);
            let wrong = match a.element() {
                ElementType::Bool => !logical,
                float if float.is_float() => logical || integer,
                _ => false,
            };
            if wrong {
                return Err(format!("{operation:?} is not defined for {}", a.element()));
            }
            same(a, b)
        }
        ExpressionKind::Compare(_, a, b) => same(a, b),
        ExpressionKind::Select(condition, a, b) => {
            if condition.element() != ElementType::Bool {
                return Err(format!("selects by a {}", condition.element()));
            }
            same(a, b)
        }
        ExpressionKind::Unary(operation, a) => {
            let element = a.element();
            let defined = match operation {
                Unary::Not => element == ElementType::Bool,
                Unary::Negate | Unary::Absolute => element != ElementType::Bool,
                _ => element.is_float(),
            };
            if defined { Ok(()) } else { Err(format!("{operation:?} is not defined for {element}")) }
        }
        _ => Ok(()),
    }
}

fn verify_load(
    graph: &ExpressionGraph,
    part: &Expression,
    id: super::expression::GraphTensorId,
    indices: &[Expression],
    extents: &[usize],
) -> Result<(), String> {
    let tensor = graph.tensor(id).ok_or("reads a tensor that is not in the graph")?;
    if tensor.element != part.element() || tensor.shape.len() != indices.len() {
        let (rank, element) = (tensor.shape.len(), tensor.element);
        return Err(format!(
            "reads '{}' ({element}, rank {rank}) as {} of rank {}",
            tensor.name,
            part.element(),
            indices.len()
        ));
    }
    for (dimension, (index, &size)) in indices.iter().zip(&tensor.shape).enumerate() {
        let range = range(index, extents);
        let inside = index.element() == ElementType::I64
            && range.low >= 0
            && usize::try_from(range.high).is_ok_and(|high| high < size);
        if !inside {
            let (low, high) = (range.low, range.high);
            return Err(format!(
                "reads '{}' at {low}..={high} along axis {dimension}, which has {size} elements",
                tensor.name
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::expression::{axis, index};
    use super::*;

    #[test]
    fn ranges() {
        let extents = [4, 10];
        let at = |expression: Expression| {
            let range = range(&expression, &extents);
            (range.low, range.high)
        };
        assert_eq!(at(axis(0) * 10 + axis(1)), (0, 39));
        assert_eq!(at(axis(1) * 2 - 3), (-3, 15));
        assert_eq!(at((axis(1) * 2 - 3).clamp(0, 5)), (0, 5));
        assert_eq!(at((axis(0) * 10 + axis(1)).floor_divide(8)), (0, 4));
        assert_eq!(at((axis(0) * 10 + axis(1)).modulo(8)), (0, 7));
        assert_eq!(at(index(i64::MAX) + axis(0)), (i64::MIN, i64::MAX));
    }
}
