//! Evaluates computations directly from their expressions: slow, and the meaning that emitted code must have.

use std::collections::HashMap;

use hb_dialects::ElementType;
use hb_runtime::{Array, ArrayView, ResultView, Scalar};

use super::error::Error;
use super::expression::{Binary, Comparison, Expression, ExpressionKind, GraphTensorId, Unary, floor_divide_wide};
use super::graph::{Action, Call, Compute, ExpressionGraph, Reduction, combine_halves};
use super::routine::fault_at;

/// Runs a graph on its inputs and returns its outputs, in order.
pub fn interpret(graph: &ExpressionGraph, inputs: &[&Array]) -> Result<Vec<Array>, Error> {
    let mut values: HashMap<GraphTensorId, Array> = HashMap::new();
    for (position, id) in graph.inputs.iter().enumerate() {
        let input = inputs.get(position).ok_or_else(|| Error::Input {
            name: position.to_string(),
            reason: format!("{} arrays given for {} inputs", inputs.len(), graph.inputs.len()),
        })?;
        values.insert(*id, (*input).clone());
    }
    for action in &graph.actions {
        match action {
            Action::Compute(compute) => run(graph, compute, &mut values)?,
            Action::Call(call) => run_call(graph, call, &mut values)?,
        }
    }
    let output = |id: &GraphTensorId| {
        let shape = graph.tensor(*id).map_or(&[][..], |tensor| &tensor.shape);
        read(graph, &values, *id).cloned().and_then(|value| Ok(value.reshaped(shape)?))
    };
    graph.outputs.iter().map(output).collect()
}

fn read<'a>(
    graph: &'a ExpressionGraph,
    values: &'a HashMap<GraphTensorId, Array>,
    id: GraphTensorId,
) -> Result<&'a Array, Error> {
    let storage = graph.storage(id);
    let data = graph.tensor(storage).and_then(|tensor| tensor.data.as_deref());
    data.or_else(|| values.get(&storage)).ok_or_else(|| Error::invalid("", "reads a tensor before it is written"))
}

fn run(graph: &ExpressionGraph, compute: &Compute, values: &mut HashMap<GraphTensorId, Array>) -> Result<(), Error> {
    for check in &compute.checks {
        check_indices(graph, &compute.node, check, &|id| read(graph, values, id).cloned())?;
    }
    let Some(tensor) = graph.tensor(compute.output) else {
        return Err(Error::invalid(&compute.node, "writes a tensor that is not in the graph"));
    };
    let mut result = match values.remove(&compute.output) {
        Some(array) => array,
        None => Array::zeros(tensor.element, &tensor.shape).map_err(|error| error.of_tensor(&tensor.name))?,
    };
    let evaluation = Evaluation { graph, values, node: &compute.node };
    for_each_point(&compute.extents, &mut |axes| {
        let value = match &compute.reduction {
            None => evaluation.value(&compute.body, axes, None)?,
            Some(reduction) => evaluation.reduce(&compute.body, reduction, axes)?,
        };
        let at = axes.iter().zip(&compute.offset).zip(&tensor.shape);
        let position =
            at.fold(0usize, |sum, ((axis, offset), size)| sum * size + usize::try_from(*axis).unwrap_or(0) + offset);
        result.set(position, value);
        Ok(())
    })?;
    values.insert(compute.output, result);
    Ok(())
}

fn run_call(graph: &ExpressionGraph, call: &Call, values: &mut HashMap<GraphTensorId, Array>) -> Result<(), Error> {
    let missing = || Error::invalid(&call.node, "uses a tensor that is not in the graph");
    let mut results = Vec::new();
    for id in &call.results {
        let tensor = graph.tensor(*id).ok_or_else(missing)?;
        results.push(Array::zeros(tensor.element, &tensor.shape)?);
    }
    let mut operands = Vec::new();
    for id in &call.operands {
        let tensor = graph.tensor(*id).ok_or_else(missing)?;
        let bytes = read(graph, values, *id)?.as_bytes();
        operands.push(ArrayView { element: tensor.element, shape: &tensor.shape, bytes });
    }
    let mut views: Vec<ResultView<'_>> = results.iter_mut().map(ResultView::of).collect();
    call.routine.run(&operands, &mut views).map_err(|fault| fault_at(fault, &call.node))?;
    values.extend(call.results.iter().copied().zip(results));
    Ok(())
}

pub(crate) fn check_indices(
    graph: &ExpressionGraph,
    node: &str,
    check: &super::graph::RunCheck,
    read: &dyn Fn(GraphTensorId) -> Result<Array, Error>,
) -> Result<(), Error> {
    let array = match check.sizes {
        Some(sizes) => read(check.tensor)?.cropped(&read(sizes)?.to_sizes())?,
        None => read(check.tensor)?,
    };
    let (low, high) = match check.along {
        Some((sizes, position)) => {
            let size = read(sizes)?.to_i64().get(position).copied().unwrap_or(0);
            (-size, size - 1)
        }
        None => (check.low, check.high),
    };
    match array.to_i64().into_iter().find(|index| *index < low || *index > high) {
        None => Ok(()),
        Some(index) => Err(Error::IndexOutOfRange {
            node: node.to_string(),
            tensor: graph.tensor(check.tensor).map(|tensor| tensor.name.clone()).unwrap_or_default(),
            index,
            low,
            high,
        }),
    }
}

/// Calls `visit` for every point of a box, the last axis fastest.
fn for_each_point(extents: &[usize], visit: &mut dyn FnMut(&mut Vec<i64>) -> Result<(), Error>) -> Result<(), Error> {
    if extents.contains(&0) {
        return Ok(());
    }
    let mut point = vec![0i64; extents.len()];
    loop {
        visit(&mut point)?;
        let mut axis = extents.len();
        loop {
            if axis == 0 {
                return Ok(());
            }
            axis -= 1;
            let (Some(position), Some(extent)) = (point.get_mut(axis), extents.get(axis)) else { return Ok(()) };
            *position += 1;
            if usize::try_from(*position).is_ok_and(|position| position < *extent) {
                break;
            }
            *position = 0;
        }
    }
}

struct Evaluation<'a> {
    graph: &'a ExpressionGraph,
    values: &'a HashMap<GraphTensorId, Array>,
    node: &'a str,
}

impl Evaluation<'_> {
    fn reduce(&self, body: &Expression, reduction: &Reduction, axes: &[i64]) -> Result<Scalar, Error> {
        let (element, combiner) = (body.element(), reduction.combiner);
        let initial = reduction.initial.cast(element);
        let points = reduction.extents.iter().product();
        let mut totals = vec![initial; combiner.accumulators(element, points)];
        let mut all = axes.to_vec();
        let mut turn = 0;
        for_each_point(&reduction.extents, &mut |reduced| {
            all.truncate(axes.len());
            all.extend_from_slice(reduced);
            let count = totals.len();
            if let Some(total) = totals.get_mut(turn % count) {
                *total = match combiner.fused_factors(body) {
                    Some((a, b)) => {
                        multiply_add(element, self.value(a, &all, None)?, self.value(b, &all, None)?, *total)
                    }
                    None => binary(combiner.operation(), *total, self.value(body, &all, None)?).cast(element),
                };
            }
            turn += 1;
            Ok(())
        })?;
        let total =
            combine_halves(totals, &mut |a, b| Ok::<_, Error>(binary(combiner.operation(), a, b).cast(element)))?;
        self.value(&reduction.finish, axes, Some(total.unwrap_or(initial)))
    }

    fn value(&self, expression: &Expression, axes: &[i64], accumulator: Option<Scalar>) -> Result<Scalar, Error> {
        let of = |expression: &Expression| self.value(expression, axes, accumulator);
        let value = match expression.kind() {
            ExpressionKind::Axis(number) => Scalar::Integer(axes.get(*number).copied().unwrap_or(0).into()),
            ExpressionKind::Accumulator => accumulator.unwrap_or(Scalar::Float(0.0)),
            ExpressionKind::Constant(value) => *value,
            ExpressionKind::Load { tensor, indices } => return self.load(*tensor, indices, axes, accumulator),
            ExpressionKind::Unary(operation, a) => unary(*operation, of(a)?),
            ExpressionKind::Binary(operation, a, b) => binary(*operation, of(a)?, of(b)?),
            ExpressionKind::Compare(comparison, a, b) => Scalar::Boolean(compare(*comparison, of(a)?, of(b)?)),
            ExpressionKind::Select(condition, a, b) => return if of(condition)?.as_bool() { of(a) } else { of(b) },
            ExpressionKind::Cast(a) => of(a)?,
        };
        Ok(value.cast(expression.element()))
    }

    fn load(
        &self,
        id: GraphTensorId,
        indices: &[Expression],
        axes: &[i64],
        accumulator: Option<Scalar>,
    ) -> Result<Scalar, Error> {
        let array = read(self.graph, self.values, id)?;
        let shape = self.graph.tensor(id).map_or(&[][..], |tensor| &tensor.shape);
        let mut position = Some(0usize);
        for (index, &size) in indices.iter().zip(shape) {
            let index =
                usize::try_from(self.value(index, axes, accumulator)?.as_i64()).ok().filter(|index| *index < size);
            position = position
                .and_then(|sum| sum.checked_mul(size))
                .zip(index)
                .and_then(|(sum, index)| sum.checked_add(index));
        }
        position
            .and_then(|position| array.get(position))
            .ok_or_else(|| Error::invalid(self.node, "an index is out of range"))
    }
}

/// `a * b + c` with one rounding.
fn multiply_add(element: ElementType, a: Scalar, b: Scalar, c: Scalar) -> Scalar {
    let [a, b, c] = [a, b, c].map(Scalar::as_f64);
    Scalar::Float(match element {
        ElementType::F32 => f64::from((a as f32).mul_add(b as f32, c as f32)),
        _ => a.mul_add(b, c),
    })
}

fn unary(operation: Unary, a: Scalar) -> Scalar {
    match (operation, a) {
        (Unary::Not, a) => Scalar::Boolean(!a.as_bool()),
        (Unary::Negate, Scalar::Integer(a)) => Scalar::Integer(a.wrapping_neg()),
        (Unary::Absolute, Scalar::Integer(a)) => Scalar::Integer(a.wrapping_abs()),
        (_, a) => Scalar::Float(unary_float(operation, a.as_f64())),
    }
}

/// Of floats, with `libm`, which gives the same on every machine.
pub(super) fn unary_float(operation: Unary, a: f64) -> f64 {
    match operation {
        Unary::Negate => -a,
        Unary::Absolute => a.abs(),
        Unary::Exponential => libm::exp(a),
        Unary::Logarithm => libm::log(a),
        Unary::SquareRoot => a.sqrt(),
        Unary::Tanh => libm::tanh(a),
        Unary::Erf => libm::erf(a),
        Unary::Sine => libm::sin(a),
        Unary::Cosine => libm::cos(a),
        Unary::Floor => a.floor(),
        Unary::Ceil => a.ceil(),
        Unary::Round => a.round_ties_even(),
        Unary::Not => a,
        Unary::Library(function) => function.evaluate(a),
    }
}

fn binary(operation: Binary, a: Scalar, b: Scalar) -> Scalar {
    match (a, b) {
        (Scalar::Float(a), Scalar::Float(b)) => Scalar::Float(binary_float(operation, a, b)),
        (Scalar::Boolean(a), Scalar::Boolean(b)) => Scalar::Boolean(match operation {
            Binary::And | Binary::Multiply | Binary::Minimum => a && b,
            Binary::Xor => a != b,
            _ => a || b,
        }),
        (a, b) => Scalar::Integer(binary_integer(operation, a.as_integer(), b.as_integer())),
    }
}

pub(super) fn binary_float(operation: Binary, a: f64, b: f64) -> f64 {
    match operation {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::Remainder => libm::fmod(a, b),
        Binary::Power => libm::pow(a, b),
        Binary::Maximum | Binary::Minimum if a.is_nan() || b.is_nan() => f64::NAN,
        Binary::Maximum => a.max(b),
        Binary::Minimum => a.min(b),
        Binary::FloorDivide | Binary::Modulo | Binary::And | Binary::Or | Binary::Xor => f64::NAN,
    }
}

/// In more bits than any element has: the cast that follows wraps.
fn binary_integer(operation: Binary, a: i128, b: i128) -> i128 {
    match operation {
        Binary::Add => a.wrapping_add(b),
        Binary::Subtract => a.wrapping_sub(b),
        Binary::Multiply => a.wrapping_mul(b),
        Binary::Divide => a.checked_div(b).unwrap_or(0),
        Binary::Remainder => a.checked_rem(b).unwrap_or(0),
        Binary::FloorDivide => floor_divide_wide(a, b).unwrap_or(0),
        Binary::Modulo if b == 0 => 0,
        Binary::Modulo => floor_divide_wide(a, b).map_or(0, |quotient| a.wrapping_sub(quotient.wrapping_mul(b))),
        Binary::Maximum => a.max(b),
        Binary::Minimum => a.min(b),
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
        Binary::Power => integer_power(a, b),
    }
}

/// `a` to the `b`, wrapping; a negative exponent gives what truncating the real result gives.
fn integer_power(a: i128, b: i128) -> i128 {
    match (u32::try_from(b), a) {
        (Ok(exponent), _) => a.wrapping_pow(exponent),
        (Err(_), 1) => 1,
        (Err(_), -1) => {
            if b % 2 == 0 {
                1
            } else {
                -1
            }
        }
        (Err(_), _) => 0,
    }
}

fn compare(comparison: Comparison, a: Scalar, b: Scalar) -> bool {
    if let (Scalar::Float(a), Scalar::Float(b)) = (a, b) {
        return match comparison {
            Comparison::Less => a < b,
            Comparison::LessOrEqual => a <= b,
            Comparison::Equal => a == b,
        };
    }
    let (a, b) = (a.as_integer(), b.as_integer());
    match comparison {
        Comparison::Less => a < b,
        Comparison::LessOrEqual => a <= b,
        Comparison::Equal => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::super::expression::axis;
    use super::*;

    #[test]
    fn elements_of_a_reversed_sum() {
        let mut graph = ExpressionGraph::default();
        let x = graph.add_input("x", ElementType::F32, &[2, 3]).unwrap();
        let reversed = graph.load(x, vec![axis(0), axis(1) * -1 + 2]);
        let y = graph.add_elementwise("n", "y", &[2, 3], graph.load(x, vec![axis(0), axis(1)]) + reversed).unwrap();
        graph.outputs.push(y);
        let input = Array::from_values(&[2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 7.0]).unwrap();
        let outputs = interpret(&graph, &[&input]).unwrap();
        assert_eq!(outputs[0].values::<f32>().unwrap(), &[4.0, 4.0, 4.0, 11.0, 10.0, 11.0]);
    }

    #[test]
    fn loads_outside_are_refused() {
        let mut graph = ExpressionGraph::default();
        let x = graph.add_input("x", ElementType::F32, &[3]).unwrap();
        let body = graph.load(x, vec![axis(0) + 1]);
        let error = graph.add_elementwise("shift", "y", &[3], body).unwrap_err().to_string();
        assert!(error.contains("shift") && error.contains("1..=3"), "{error}");
    }
}
