//! One operation being defined: its operands as tensors, its attributes, its results.

use std::sync::Arc;

use hb_dialects::ElementType;
use hb_dialects::hfloat::attributes;
use hb_dialects::ir::TensorType;
use hb_runtime::{Array, Scalar};
use melior::ir::OperationRef;

use super::super::error::Error;
use super::super::expression::{Expression, GraphTensorId, axis, select};
use super::super::graph::{Call, Combiner, Compute, ExpressionGraph, GraphTensor, Reduction};
use super::super::routine::Callable;

/// An operation with its surroundings.
pub(crate) struct OperatorNode<'g, 'c, 'a> {
    pub graph: &'g mut ExpressionGraph,
    pub operation: OperationRef<'c, 'a>,
    /// The node's name in the user's network.
    pub name: String,
    pub operands: Vec<GraphTensorId>,
    pub results: Vec<TensorType>,
}

/// What defining an operator gives: one tensor per result.
pub(crate) type Results = Result<Vec<GraphTensorId>, Error>;

impl OperatorNode<'_, '_, '_> {
    pub(crate) fn unsupported(&self, reason: impl Into<String>) -> Error {
        Error::unsupported(&self.name, reason)
    }

    pub(crate) fn invalid(&self, reason: impl Into<String>) -> Error {
        Error::invalid(&self.name, reason)
    }

    pub(crate) fn operand(&self, index: usize) -> Result<GraphTensorId, Error> {
        self.operands.get(index).copied().ok_or_else(|| self.invalid(format!("has no operand {index}")))
    }

    pub(crate) fn optional_operand(&self, index: usize) -> Option<GraphTensorId> {
        self.operands.get(index).copied()
    }

    pub(crate) fn tensor(&self, id: GraphTensorId) -> Result<&GraphTensor, Error> {
        self.graph.tensor(id).ok_or_else(|| self.invalid("uses a tensor that is not in the graph"))
    }

    pub(crate) fn shape(&self, id: GraphTensorId) -> Result<Vec<usize>, Error> {
        Ok(self.tensor(id)?.shape.clone())
    }

    pub(crate) fn element(&self, id: GraphTensorId) -> Result<ElementType, Error> {
        Ok(self.tensor(id)?.element)
    }

    /// The operands whose sizes are known only when running.
    pub(crate) fn bounded_operands(&self) -> Vec<usize> {
        let is_bounded = |id: &GraphTensorId| self.graph.tensor(*id).is_some_and(|tensor| tensor.sizes.is_some());
        (0..self.operands.len()).filter(|&index| self.operands.get(index).is_some_and(is_bounded)).collect()
    }

    /// The integers of an operand that must be known now, because they shape the code.
    pub(crate) fn constant_integers(&self, index: usize, what: &str) -> Result<Vec<i64>, Error> {
        let tensor = self.tensor(self.operand(index)?)?;
        let data = tensor.data.as_ref();
        data.map(|data| data.to_i64()).ok_or_else(|| self.unsupported(format!("its {what} are not constant")))
    }

    fn result(&self) -> Result<&TensorType, Error> {
        self.results.first().ok_or_else(|| self.invalid("has no result"))
    }

    /// The result's shape; the largest where it is known only when running.
    pub(crate) fn result_shape(&self) -> Result<Vec<usize>, Error> {
        self.result()?.bound_shape().ok_or_else(|| {
            self.unsupported("the shape of its result is not known; give the sizes of the network's inputs")
        })
    }

    pub(crate) fn result_element(&self) -> Result<ElementType, Error> {
        Ok(self.result()?.element.storage())
    }

    /// A tensor without a name: it exists only inside this node.
    pub(crate) fn temporary(&mut self, element: ElementType, shape: &[usize]) -> Result<GraphTensorId, Error> {
        let added = self.graph.add_tensor("", element, shape);
        added.map_err(|error| self.named(error))
    }

    /// What is too large inside of a node has its name.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::TooLarge { tensor, shape, reason } if tensor.is_empty() => {
                Error::TooLarge { tensor: self.name.clone(), shape, reason }
            }
            other => other,
        }
    }

    /// The tensor of the node's result.
    pub(crate) fn result_tensor(&mut self) -> Result<GraphTensorId, Error> {
        let (element, shape) = (self.result_element()?, self.result_shape()?);
        self.graph.add_tensor(&self.name, element, &shape)
    }

    /// The name of a result: the node's, further ones with their number.
    pub(crate) fn result_name(&self, number: usize) -> String {
        if number == 0 { self.name.clone() } else { format!("{}#{number}", self.name) }
    }

    /// Lets a routine fill the results from the operands; see [`OperatorNode::call_on`].
    pub(crate) fn call(&mut self, routine: impl Callable + 'static) -> Results {
        self.call_on(routine, self.operands.clone(), None)
    }

    /// Lets a routine fill the results, of `element` instead of their own if it is given. It gets the operands, then the sizes of
    /// those whose sizes are known only when running; it gives the results, then the sizes of such ones.
    pub(crate) fn call_on(
        &mut self,
        routine: impl Callable + 'static,
        mut operands: Vec<GraphTensorId>,
        element: Option<ElementType>,
    ) -> Results {
        let sizes = operands.iter().filter_map(|id| self.graph.tensor(*id)?.sizes).collect::<Vec<GraphTensorId>>();
        operands.extend(sizes);
        let (mut results, mut sizes) = (Vec::new(), Vec::new());
        for (number, r#type) in self.results.clone().into_iter().enumerate() {
            let shape = r#type.bound_shape().ok_or_else(|| {
                self.unsupported("the shape of its result is not known; give the sizes of the network's inputs")
            })?;
            let own = r#type.element.storage();
            let name = if element.is_none() || element == Some(own) { self.result_name(number) } else { String::new() };
            let id = self.graph.add_tensor(&name, element.unwrap_or(own), &shape)?;
            if r#type.is_bounded() {
                let actual = self.temporary(ElementType::I64, &[shape.len()])?;
                self.graph.set_sizes(id, actual);
                sizes.push(actual);
            }
            results.push(id);
        }
        self.push_call(routine, operands, results.iter().chain(&sizes).copied().collect())?;
        Ok(results)
    }

    pub(crate) fn push_call(
        &mut self,
        routine: impl Callable + 'static,
        operands: Vec<GraphTensorId>,
        results: Vec<GraphTensorId>,
    ) -> Result<(), Error> {
        self.graph.push_call(Call { node: self.name.clone(), routine: Arc::new(routine), operands, results })
    }

    /// An array that the operator needs beside its operands.
    pub(crate) fn constant(&mut self, array: Array) -> Result<GraphTensorId, Error> {
        self.graph.add_constant("", Arc::new(array))
    }

    /// Fills the result point by point.
    pub(crate) fn fill_result(&mut self, body: Expression) -> Results {
        let shape = self.result_shape()?;
        let element = self.result_element()?;
        let output = self.graph.add_elementwise(&self.name, &self.name, &shape, body.cast(element))?;
        Ok(vec![output])
    }

    /// As `fill_result`; where the result's sizes are known only when running, operand `sizes` holds them.
    pub(crate) fn fill_sized(&mut self, body: Expression, sizes: usize) -> Results {
        let filled = self.fill_result(body)?;
        if self.result()?.is_bounded() {
            let sizes = self.operand(sizes)?;
            filled.iter().for_each(|output| self.graph.set_sizes(*output, sizes));
        }
        Ok(filled)
    }

    /// Fills a temporary point by point.
    pub(crate) fn fill(&mut self, shape: &[usize], body: Expression) -> Result<GraphTensorId, Error> {
        let filled = self.graph.add_elementwise(&self.name, "", shape, body);
        filled.map_err(|error| self.named(error))
    }

    /// The matrices in the last two dimensions, columns first.
    pub(crate) fn turned(&mut self, matrices: GraphTensorId) -> Result<GraphTensorId, Error> {
        let mut shape = self.shape(matrices)?;
        let mut at = axes(0, shape.len());
        if let ([.., rows, columns], [.., row, column]) = (shape.as_mut_slice(), at.as_mut_slice()) {
            std::mem::swap(rows, columns);
            std::mem::swap(row, column);
        }
        let value = self.graph.load(matrices, at);
        self.fill(&shape, value)
    }

    /// Fills part of a tensor.
    pub(crate) fn fill_region(
        &mut self,
        output: GraphTensorId,
        offset: Vec<usize>,
        extents: &[usize],
        body: Expression,
    ) -> Result<(), Error> {
        let mut compute = Compute::elementwise(&self.name, output, extents, body);
        compute.offset = offset;
        self.graph.push(compute)
    }

    /// Reduces `body` over axes numbered after those of `output`.
    pub(crate) fn reduce_into(
        &mut self,
        output: GraphTensorId,
        over: &[usize],
        combiner: Combiner,
        body: Expression,
        finish: Expression,
    ) -> Result<(), Error> {
        let shape = self.shape(output)?;
        let initial = initial(combiner, body.element());
        let mut compute = Compute::elementwise(&self.name, output, &shape, body);
        compute.reduction = Some(Reduction { extents: over.to_vec(), combiner, initial, finish });
        self.graph.push(compute)
    }

    /// The element of an operand at the axes of the result, broadcast as numpy does, wide enough to compute with.
    pub(crate) fn broadcast(&self, index: usize) -> Result<Expression, Error> {
        let rank = self.result_shape()?.len();
        Ok(wide(self.graph.load_broadcast(self.operand(index)?, rank)))
    }

    /// The operand's memory as the result's shape.
    pub(crate) fn view(&mut self) -> Results {
        let (operand, shape) = (self.operand(0)?, self.result_shape()?);
        Ok(vec![self.graph.add_view(&self.name, operand, &shape)?])
    }

    /// Applies the node's fused activation, if it has one.
    pub(crate) fn activate(&self, value: Expression) -> Result<Expression, Error> {
        let Some((lower, upper)) = attributes::activation(self.operation)? else { return Ok(value) };
        let mut value = value;
        if lower != f64::NEG_INFINITY {
            value = at_least(value, lower);
        }
        if upper != f64::INFINITY {
            value = select(value.like(upper).less(value.clone()), value.like(upper), value);
        }
        Ok(value)
    }
}

/// `max(value, bound)` that keeps NaN, in the form that is one instruction.
pub(crate) fn at_least(value: Expression, bound: f64) -> Expression {
    select(value.clone().less(value.like(bound)), value.like(bound), value)
}

/// Arithmetic on floats of 16 bits happens in f32 and is rounded once, as onnxruntime does.
pub(crate) fn wide(value: Expression) -> Expression {
    if matches!(value.element(), ElementType::F16 | ElementType::BF16) { value.cast(ElementType::F32) } else { value }
}

/// The axes `first..first + count`.
pub(crate) fn axes(first: usize, count: usize) -> Vec<Expression> {
    (first..first + count).map(axis).collect()
}

/// The neutral element of a combiner.
pub(crate) fn initial(combiner: Combiner, element: ElementType) -> Scalar {
    let (low, high) = element.integer_range().unwrap_or_default();
    match combiner {
        Combiner::Sum | Combiner::SumOfProducts => Scalar::Integer(0),
        Combiner::Product => Scalar::Integer(1),
        Combiner::Maximum if element.is_float() => Scalar::Float(f64::NEG_INFINITY),
        Combiner::Minimum if element.is_float() => Scalar::Float(f64::INFINITY),
        Combiner::Maximum => Scalar::Integer(low),
        Combiner::Minimum => Scalar::Integer(high),
    }
    .cast(element)
}
