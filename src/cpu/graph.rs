//! A network as tensors and the computations that fill them, in order of execution.

use std::sync::Arc;

use hb_dialects::ElementType;
use hb_runtime::array::byte_count;
use hb_runtime::{Array, Scalar};

use super::error::Error;
use super::expression::{Binary, Expression, ExpressionKind, GraphTensorId, axis, load};
use super::range;
use super::routine::Callable;

/// A tensor: a value with a static shape.
#[derive(Clone, Debug)]
pub struct GraphTensor {
    /// The value's name in the network.
    pub name: String,
    /// How each element is stored.
    pub element: ElementType,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// The value, when it is known at compile time.
    pub data: Option<Arc<Array>>,
    /// This tensor is that one's memory under another shape (Reshape, Flatten, Identity).
    pub view_of: Option<GraphTensorId>,
    /// When sizes are known only when the network runs: the tensor of i64 that holds them. `shape` has room for the largest ones,
    /// elements outside of the actual sizes have no meaning.
    pub sizes: Option<GraphTensorId>,
}

/// How the values of a reduction are combined, in the order of `docs/numerics.md`, section 11: that of floats must not depend on how the
/// reduction is emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combiner {
    /// a + b
    Sum,
    /// a + b where b is a product, which is not rounded by itself: convolutions and matrix products.
    SumOfProducts,
    /// a * b
    Product,
    /// The larger; NaN if one is.
    Maximum,
    /// The smaller; NaN if one is.
    Minimum,
}

/// Reductions of floats over more points than this have [`ACCUMULATORS`].
pub(crate) const LONGEST_CHAIN: usize = 64;
/// Accumulators of a long reduction of floats. They take turns; in the end, the upper half is combined with the lower one until one is left.
pub(crate) const ACCUMULATORS: usize = 16;

impl Combiner {
    /// How two values become one.
    pub(crate) fn operation(self) -> Binary {
        match self {
            Combiner::Sum | Combiner::SumOfProducts => Binary::Add,
            Combiner::Product => Binary::Multiply,
            Combiner::Maximum => Binary::Maximum,
            Combiner::Minimum => Binary::Minimum,
        }
    }

    /// How many accumulators a reduction over so many points has.
    pub(crate) fn accumulators(self, element: ElementType, points: usize) -> usize {
        let split = element.is_float() && self != Combiner::SumOfProducts && points > LONGEST_CHAIN;
        if split { ACCUMULATORS } else { 1 }
    }

    /// The factors of a product that is added with one rounding.
    pub(crate) fn fused_factors(self, body: &Expression) -> Option<(&Expression, &Expression)> {
        match body.kind() {
            ExpressionKind::Binary(Binary::Multiply, a, b)
                if self == Combiner::SumOfProducts && matches!(body.element(), ElementType::F32 | ElementType::F64) =>
            {
                Some((a, b))
            }
            _ => None,
        }
    }
}

/// One of several accumulators: the upper half is combined with the lower one until one is left.
pub(crate) fn combine_halves<T, E>(
    mut accumulators: Vec<T>,
    combine: &mut dyn FnMut(T, T) -> Result<T, E>,
) -> Result<Option<T>, E> {
    while accumulators.len() > 1 {
        let upper = accumulators.split_off(accumulators.len() / 2);
        accumulators = accumulators.into_iter().zip(upper).map(|(a, b)| combine(a, b)).collect::<Result<_, _>>()?;
    }
    Ok(accumulators.pop())
}

/// The body is evaluated for every point of `extents` and combined, starting from `initial`.
#[derive(Clone, Debug)]
pub struct Reduction {
    /// The extents of the reduction axes; they are numbered after the output axes.
    pub extents: Vec<usize>,
    /// How two values become one.
    pub combiner: Combiner,
    /// What the combination starts from.
    pub initial: Scalar,
    /// What is stored, from `Accumulator` and the output axes. The accumulator has the element of the body.
    pub finish: Expression,
}

/// One computation: fills `output[offset + axes]` for all axes below `extents`.
#[derive(Clone, Debug)]
pub struct Compute {
    /// The node this comes from.
    pub node: String,
    /// The tensor that is written.
    pub output: GraphTensorId,
    /// Where in the output the written region begins.
    pub offset: Vec<usize>,
    /// Iterations of each loop, outermost first.
    pub extents: Vec<usize>,
    /// One value for each iteration.
    pub body: Expression,
    /// How iterations of inner loops become one value; none where each is stored.
    pub reduction: Option<Reduction>,
    /// Checked before the computation runs, because the indices are data.
    pub checks: Vec<RunCheck>,
}

/// One call: a whole routine fills the results from the operands.
#[derive(Clone, Debug)]
pub struct Call {
    /// The node this comes from.
    pub node: String,
    /// What fills the results.
    pub routine: Arc<dyn Callable>,
    /// What it reads, in its order.
    pub operands: Vec<GraphTensorId>,
    /// Tensors of their own memory, each filled as a whole.
    pub results: Vec<GraphTensorId>,
}

/// What a network does in one step.
#[derive(Clone, Debug)]
pub enum Action {
    /// Loops over an expression.
    Compute(Compute),
    /// A routine.
    Call(Call),
}

/// Every value of `tensor` must lie in `low..=high`.
#[derive(Clone, Copy, Debug)]
pub struct RunCheck {
    /// The tensor of indices.
    pub tensor: GraphTensorId,
    /// Those of the tensor, where they are known only when the network runs.
    pub sizes: Option<GraphTensorId>,
    /// The smallest index that is allowed.
    pub low: i64,
    /// The largest index that is allowed.
    pub high: i64,
    /// Where the size of what they choose from is known only when the network runs: a tensor of sizes, and the position in it. Then indices
    /// are from minus that size to one below it.
    pub along: Option<(GraphTensorId, usize)>,
}

impl RunCheck {
    /// The tensors that it reads.
    pub(crate) fn tensors(self) -> impl Iterator<Item = GraphTensorId> {
        std::iter::once(self.tensor).chain(self.sizes).chain(self.along.map(|(sizes, _)| sizes))
    }
}

/// Computations and calls in an order in which they can be done.
#[derive(Clone, Debug, Default)]
pub struct ExpressionGraph {
    /// By [`GraphTensorId`].
    pub tensors: Vec<GraphTensor>,
    /// In the order of execution.
    pub actions: Vec<Action>,
    /// What a run is given.
    pub inputs: Vec<GraphTensorId>,
    /// What a run gives.
    pub outputs: Vec<GraphTensorId>,
}

impl Compute {
    /// A computation of a whole tensor without reduction.
    pub fn elementwise(node: &str, output: GraphTensorId, extents: &[usize], body: Expression) -> Compute {
        Compute {
            node: node.to_string(),
            output,
            offset: vec![0; extents.len()],
            extents: extents.to_vec(),
            body,
            reduction: None,
            checks: Vec::new(),
        }
    }

    /// Output extents, then reduction extents.
    pub(crate) fn all_extents(&self) -> Vec<usize> {
        let reduced = self.reduction.iter().flat_map(|reduction| reduction.extents.iter());
        self.extents.iter().chain(reduced).copied().collect()
    }

    /// The expressions: the body, and the finish of a reduction.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        std::iter::once(&self.body).chain(self.reduction.iter().map(|reduction| &reduction.finish))
    }

    /// What is finally stored.
    pub(crate) fn stored(&self) -> &Expression {
        self.reduction.as_ref().map_or(&self.body, |reduction| &reduction.finish)
    }

    /// The tensors read, each once, in order of first use.
    pub(crate) fn operands(&self) -> Vec<GraphTensorId> {
        let mut operands = Vec::new();
        for expression in self.expressions() {
            expression.walk(&mut |node| {
                if let ExpressionKind::Load { tensor, .. } = node.kind()
                    && !operands.contains(tensor)
                {
                    operands.push(*tensor);
                }
            });
        }
        operands
    }
}

impl Action {
    /// The node this comes from.
    pub fn node(&self) -> &str {
        match self {
            Action::Compute(compute) => &compute.node,
            Action::Call(call) => &call.node,
        }
    }

    /// The tensors read, but those that are only checked.
    pub(crate) fn operands(&self) -> Vec<GraphTensorId> {
        match self {
            Action::Compute(compute) => compute.operands(),
            Action::Call(call) => call.operands.clone(),
        }
    }

    /// The tensors written.
    pub(crate) fn results(&self) -> &[GraphTensorId] {
        match self {
            Action::Compute(compute) => std::slice::from_ref(&compute.output),
            Action::Call(call) => &call.results,
        }
    }

    pub(crate) fn checks(&self) -> &[RunCheck] {
        match self {
            Action::Compute(compute) => &compute.checks,
            Action::Call(_) => &[],
        }
    }
}

impl ExpressionGraph {
    /// The tensor of this number; none where there is none.
    pub fn tensor(&self, id: GraphTensorId) -> Option<&GraphTensor> {
        self.tensors.get(id.0)
    }

    fn add(&mut self, tensor: GraphTensor) -> Result<GraphTensorId, Error> {
        byte_count(&tensor.name, tensor.element, &tensor.shape)?;
        self.tensors.push(tensor);
        Ok(GraphTensorId(self.tensors.len() - 1))
    }

    /// A tensor that some computation will fill.
    pub fn add_tensor(&mut self, name: &str, element: ElementType, shape: &[usize]) -> Result<GraphTensorId, Error> {
        self.add(GraphTensor {
            name: name.to_string(),
            element,
            shape: shape.to_vec(),
            data: None,
            view_of: None,
            sizes: None,
        })
    }

    /// A tensor that a run is given.
    pub fn add_input(&mut self, name: &str, element: ElementType, shape: &[usize]) -> Result<GraphTensorId, Error> {
        let id = self.add_tensor(name, element, shape)?;
        self.inputs.push(id);
        Ok(id)
    }

    /// A tensor that is known.
    pub fn add_constant(&mut self, name: &str, data: Arc<Array>) -> Result<GraphTensorId, Error> {
        let (element, shape) = (data.element(), data.shape().to_vec());
        self.add(GraphTensor { name: name.to_string(), element, shape, data: Some(data), view_of: None, sizes: None })
    }

    /// Gives up the data of a constant that nothing will read.
    pub(crate) fn forget_data(&mut self, id: GraphTensorId) {
        if let Some(tensor) = self.tensors.get_mut(id.0) {
            tensor.data = None;
        }
    }

    /// The memory of `of` under another shape with as many elements.
    pub fn add_view(&mut self, name: &str, of: GraphTensorId, shape: &[usize]) -> Result<GraphTensorId, Error> {
        let source = self.tensor(of).ok_or_else(|| Error::invalid(name, "views a tensor that is not in the graph"))?;
        let element = source.element;
        if byte_count(name, element, &source.shape)? != byte_count(name, element, shape)? {
            let reason = format!("cannot view shape {:?} as {shape:?}: the number of elements differs", source.shape);
            return Err(Error::invalid(name, reason));
        }
        let data = source.data.clone();
        let data = data.map(|data| data.as_ref().clone().reshaped(shape).map(Arc::new)).transpose()?;
        let view_of = if data.is_some() { None } else { Some(of) };
        self.add(GraphTensor { name: name.to_string(), element, shape: shape.to_vec(), data, view_of, sizes: None })
    }

    /// Says that the sizes of a tensor are known only when the network runs, and are in `sizes` then.
    pub(crate) fn set_sizes(&mut self, id: GraphTensorId, sizes: GraphTensorId) {
        if let Some(tensor) = self.tensors.get_mut(id.0) {
            tensor.sizes = Some(sizes);
        }
    }

    /// The tensor whose memory `id` is.
    pub(crate) fn storage(&self, id: GraphTensorId) -> GraphTensorId {
        let mut id = id;
        // Views point backwards only (checked by `verify`), so this ends.
        while let Some(of) = self.tensor(id).and_then(|tensor| tensor.view_of) {
            id = of;
        }
        id
    }

    /// The element of `tensor` at the given indices.
    pub fn load(&self, tensor: GraphTensorId, indices: Vec<Expression>) -> Expression {
        let element = self.tensor(tensor).map_or(ElementType::F32, |tensor| tensor.element);
        load(tensor, element, indices)
    }

    /// The element of `tensor` that numpy broadcasting puts at the axes of an output of rank `rank`.
    pub fn load_broadcast(&self, tensor: GraphTensorId, rank: usize) -> Expression {
        let shape = self.tensor(tensor).map_or(&[][..], |tensor| &tensor.shape);
        let skipped = rank.saturating_sub(shape.len());
        let indices = shape
            .iter()
            .enumerate()
            .map(|(d, &extent)| if extent == 1 { super::expression::index(0) } else { axis(d + skipped) });
        self.load(tensor, indices.collect())
    }

    /// Appends a computation.
    ///
    /// # Errors
    /// When it does not fit its tensors.
    pub fn push(&mut self, compute: Compute) -> Result<(), Error> {
        self.verify_compute(&compute)?;
        self.actions.push(Action::Compute(compute));
        Ok(())
    }

    /// Appends a call. The routine relies on the elements and shapes that its definition made.
    pub fn push_call(&mut self, call: Call) -> Result<(), Error> {
        for id in &call.operands {
            self.tensor(*id).ok_or_else(|| Error::invalid(&call.node, "reads a tensor that is not in the graph"))?;
        }
        for id in &call.results {
            self.own_memory(&call.node, *id)?;
        }
        self.actions.push(Action::Call(call));
        Ok(())
    }

    /// A tensor that an action may write.
    fn own_memory(&self, node: &str, id: GraphTensorId) -> Result<&GraphTensor, Error> {
        let tensor = self.tensor(id).ok_or_else(|| Error::invalid(node, "writes a tensor that is not in the graph"))?;
        if tensor.view_of.is_some() || tensor.data.is_some() || self.inputs.contains(&id) {
            return Err(Error::invalid(node, format!("writes '{}', which is not its own memory", tensor.name)));
        }
        Ok(tensor)
    }

    /// A new tensor with the stored element of `body` at every point.
    pub fn add_elementwise(
        &mut self,
        node: &str,
        name: &str,
        shape: &[usize],
        body: Expression,
    ) -> Result<GraphTensorId, Error> {
        let output = self.add_tensor(name, body.element(), shape)?;
        self.push(Compute::elementwise(node, output, shape, body))?;
        Ok(output)
    }

    /// Types agree, regions fit, and every load is proven to stay inside its tensor: emitted code has no checks of its own.
    pub(crate) fn verify_compute(&self, compute: &Compute) -> Result<(), Error> {
        let fail = |reason: String| Err(Error::invalid(&compute.node, reason));
        let output = self.own_memory(&compute.node, compute.output)?;
        let rank = output.shape.len();
        let fits = |d: usize| match (compute.offset.get(d), compute.extents.get(d), output.shape.get(d)) {
            (Some(offset), Some(extent), Some(size)) => offset.checked_add(*extent).is_some_and(|end| end <= *size),
            _ => false,
        };
        if compute.offset.len() != rank || compute.extents.len() != rank || !(0..rank).all(fits) {
            let (offset, extents) = (&compute.offset, &compute.extents);
            return fail(format!("writes {extents:?} at {offset:?} of shape {:?}", output.shape));
        }
        if compute.stored().element() != output.element {
            let stored = compute.stored().element();
            return fail(format!("stores {stored} into '{}', which holds {}", output.name, output.element));
        }
        let extents = compute.all_extents();
        let body_element = compute.body.element();
        if compute.extents.contains(&0) {
            return Ok(());
        }
        if !extents.contains(&0) {
            range::verify(self, &compute.node, &compute.body, &extents, None)?;
        }
        if let Some(reduction) = &compute.reduction {
            range::verify(self, &compute.node, &reduction.finish, &compute.extents, Some(body_element))?;
        }
        Ok(())
    }
}
