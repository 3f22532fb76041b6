//! Reductions over axes.

use hb_dialects::ElementType;
use hb_dialects::hfloat::{self, attributes};
use hb_runtime::Scalar;
use hb_runtime::routines::{Cumulative, Joined};

use super::super::error::Error;
use super::super::expression::{Binary, Expression, GraphTensorId, Unary, accumulator, axis, constant, index, select};
use super::super::graph::Combiner;
use super::node::{OperatorNode, Results, axes, initial, wide};
use super::sizes;

pub(super) fn sum(node: &mut OperatorNode) -> Results {
    reduce(node, Combiner::Sum, |x| x, |sum, _| sum)
}

pub(super) fn mean(node: &mut OperatorNode) -> Results {
    reduce(node, Combiner::Sum, |x| x, |sum, count| sum / count)
}

pub(super) fn product(node: &mut OperatorNode) -> Results {
    reduce(node, Combiner::Product, |x| x, |value, _| value)
}

pub(super) fn maximum(node: &mut OperatorNode) -> Results {
    reduce(node, Combiner::Maximum, |x| x, |value, _| value)
}

pub(super) fn minimum(node: &mut OperatorNode) -> Results {
    reduce(node, Combiner::Minimum, |x| x, |value, _| value)
}

pub(super) fn l1(node: &mut OperatorNode) -> Results {
    reduce(node, Combiner::Sum, |x| x.unary(Unary::Absolute), |sum, _| sum)
}

pub(super) fn l2(node: &mut OperatorNode) -> Results {
    reduce(node, Combiner::Sum, |x| square(real(x)), |sum, _| sum.square_root())
}

pub(super) fn log_sum(node: &mut OperatorNode) -> Results {
    reduce(node, Combiner::Sum, real, |sum, _| sum.unary(Unary::Logarithm))
}

pub(super) fn sum_square(node: &mut OperatorNode) -> Results {
    reduce(node, Combiner::Sum, square, |sum, _| sum)
}

pub(super) fn arg_max(node: &mut OperatorNode) -> Results {
    arg(node, Combiner::Maximum)
}

pub(super) fn arg_min(node: &mut OperatorNode) -> Results {
    arg(node, Combiner::Minimum)
}

fn square(x: Expression) -> Expression {
    x.clone() * x
}

/// Integers as f64.
fn real(x: Expression) -> Expression {
    if x.element().is_float() { x } else { x.cast(ElementType::F64) }
}

/// What a reduction runs over.
struct Frame {
    input: GraphTensorId,
    /// Per dimension of the input, whether it is reduced.
    reduced: Vec<bool>,
    /// The sizes of the reduced dimensions.
    over: Vec<usize>,
    /// The dimensions of the input that those of the result come from; `None` for a 1 that is left of a reduced one.
    kept: Vec<Option<usize>>,
}

impl Frame {
    fn new(node: &OperatorNode, reduced: Vec<bool>, keepdims: bool) -> Result<Frame, Error> {
        let input = node.operand(0)?;
        let shape = node.shape(input)?;
        let over = shape.iter().zip(&reduced).filter(|(_, reduced)| **reduced).map(|(size, _)| *size).collect();
        let dimensions = reduced.iter().enumerate().filter(|(_, reduced)| keepdims || !**reduced);
        let kept = dimensions.map(|(d, reduced)| if *reduced { None } else { Some(d) }).collect();
        Ok(Frame { input, reduced, over, kept })
    }

    fn of(node: &OperatorNode) -> Result<Frame, Error> {
        let reduced = hfloat::reduced_dimensions(node.operation).map_err(|reason| node.invalid(reason))?;
        let reduced = reduced.ok_or_else(|| node.unsupported("its axes are not constant"))?;
        Frame::new(node, reduced, attributes::keepdims(node.operation)?)
    }

    /// The element of the input at the axes of the result, and at axes after those where it is reduced.
    fn load(&self, node: &OperatorNode) -> Expression {
        let mut inner = self.kept.len()..;
        let at = self.reduced.iter().enumerate().map(|(d, reduced)| {
            let own = self.kept.iter().position(|kept| *kept == Some(d));
            match (own, *reduced) {
                (Some(position), false) => axis(position),
                _ => inner.next().map_or(index(0), axis),
            }
        });
        wide(node.graph.load(self.input, at.collect()))
    }

    /// The reduced dimensions whose sizes are known only when running: their axis in the loops, and their size.
    fn unknown(&self, node: &OperatorNode) -> Vec<(Expression, Expression)> {
        let reduced = self.reduced.iter().enumerate().filter(|(_, reduced)| **reduced).map(|(d, _)| d);
        let size = |d| Some(node.graph.load(sizes::of_unknown(node, 0, d)?, vec![index(d as i64)]));
        reduced.enumerate().filter_map(|(n, d)| Some((axis(self.kept.len() + n), size(d)?))).collect()
    }

    /// A value that goes into the reduction, with what changes nothing in its place where the input has no element.
    fn guarded(&self, node: &OperatorNode, value: Expression, combiner: Combiner) -> Expression {
        let nothing = constant(value.element(), initial(combiner, value.element()));
        let guard =
            |value: Expression, (axis, size): (Expression, Expression)| select(axis.less(size), value, nothing.clone());
        self.unknown(node).into_iter().fold(value, guard)
    }

    /// How many elements go into one of the result, as numbers of the type of `like`.
    fn count(&self, node: &OperatorNode, like: &Expression) -> Expression {
        let reduced = self.reduced.iter().enumerate().filter(|(_, reduced)| **reduced).map(|(d, _)| d);
        let is_known = |d: &usize| sizes::of_unknown(node, 0, *d).is_none();
        let known = reduced.zip(&self.over).filter(|(d, _)| is_known(d)).map(|(_, size)| *size).product::<usize>();
        let unknown = self.unknown(node).into_iter().map(|(_, size)| size.cast(like.element()));
        unknown.fold(like.like(known as f64), |count, size| count * size)
    }
}

/// `finish` gets the combined value and the number of elements that went into it.
fn reduce(
    node: &mut OperatorNode,
    combiner: Combiner,
    body: fn(Expression) -> Expression,
    finish: fn(Expression, Expression) -> Expression,
) -> Results {
    let frame = Frame::of(node)?;
    let body = frame.guarded(node, body(frame.load(node)), combiner);
    let combined = accumulator(body.element());
    let count = frame.count(node, &combined);
    let finish = finish(combined, count).cast(node.result_element()?);
    let output = node.result_tensor()?;
    node.reduce_into(output, &frame.over, combiner, body, finish)?;
    Ok(vec![output])
}

/// log(sum(exp(x - m))) + m, where m is the maximum; 0 instead of an infinite one.
pub(super) fn log_sum_exp(node: &mut OperatorNode) -> Results {
    let frame = Frame::of(node)?;
    let x = real(frame.load(node));
    let shape = node.result_shape()?;
    let maximum = node.temporary(x.element(), &shape)?;
    let found = accumulator(x.element());
    let finite = found.clone().unary(Unary::Absolute).less(x.like(f64::INFINITY));
    let found = select(finite, found.clone(), found.like(0.0));
    let body = frame.guarded(node, x.clone(), Combiner::Maximum);
    node.reduce_into(maximum, &frame.over, Combiner::Maximum, body, found)?;
    let maximum = node.graph.load(maximum, axes(0, shape.len()));
    let body = frame.guarded(node, (x - maximum.clone()).exponential(), Combiner::Sum);
    let finish = (accumulator(body.element()).unary(Unary::Logarithm) + maximum).cast(node.result_element()?);
    let output = node.result_tensor()?;
    node.reduce_into(output, &frame.over, Combiner::Sum, body, finish)?;
    Ok(vec![output])
}

/// The extreme value first, then the first or last position that holds it.
fn arg(node: &mut OperatorNode, combiner: Combiner) -> Results {
    let rank = node.shape(node.operand(0)?)?.len();
    let along = attributes::axis(node.operation)?;
    let along = hfloat::normalize_axis(along, rank).map_err(|reason| node.invalid(reason))?;
    let keepdims = attributes::keepdims(node.operation)?;
    let frame = Frame::new(node, (0..rank).map(|d| d == along).collect(), keepdims)?;
    let x = frame.load(node);
    let shape = node.result_shape()?;
    let extreme = node.temporary(x.element(), &shape)?;
    node.reduce_into(extreme, &frame.over, combiner, x.clone(), accumulator(x.element()))?;
    let holds = x.clone().equal(node.graph.load(extreme, axes(0, shape.len())));
    // A NaN is the extreme value of a row that has one, as in numpy, and equals nothing, itself included.
    let is_number = x.clone().equal(x.clone());
    let holds = if x.element().is_float() { is_number.unary(Unary::Not).binary(Binary::Or, holds) } else { holds };
    let position = axis(shape.len());
    let last = attributes::select_last_index(node.operation)?;
    let size = frame.over.first().map_or(0, |size| *size as i64);
    // Never chosen, where there is an element.
    let (combiner, outside) = if last { (Combiner::Maximum, 0) } else { (Combiner::Minimum, size) };
    let body = select(holds, position, constant(ElementType::I64, Scalar::Integer(outside.into())));
    let found = accumulator(ElementType::I64);
    let finish = select(found.clone().less(index(size)), found, index(0));
    let output = node.result_tensor()?;
    node.reduce_into(output, &frame.over, combiner, body, finish)?;
    Ok(vec![output])
}

/// ONNX GlobalMaxPool-1.
pub(super) fn global_max_pool(node: &mut OperatorNode) -> Results {
    let rank = node.shape(node.operand(0)?)?.len();
    let frame = Frame::new(node, (0..rank).map(|d| d >= 2).collect(), true)?;
    let body = frame.load(node);
    let output = node.result_tensor()?;
    let finish = accumulator(body.element()).cast(node.result_element()?);
    node.reduce_into(output, &frame.over, Combiner::Maximum, body, finish)?;
    Ok(vec![output])
}

/// ONNX CumSum-14 and CumProd-26.
pub(super) fn cumulative(node: &mut OperatorNode, joined: Joined) -> Results {
    let (exclusive, reverse) = (attributes::exclusive(node.operation)?, attributes::reverse(node.operation)?);
    node.call(Cumulative { joined, exclusive, reverse })
}
