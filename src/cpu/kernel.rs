//! A computation made ready for emission: flat memory, unit axes gone, neighbouring axes merged.
//!
//! Two computations that differ only in *which* tensors they touch give equal kernels, so a network's repeated layers are
//! compiled once.

use hb_dialects::ElementType;
use hb_runtime::Scalar;

use super::contraction::Contraction;
use super::error::Error;
use super::expression::{Expression, ExpressionKind, GraphTensorId, axis, index, load};
use super::graph::{Combiner, Compute, ExpressionGraph};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kernel {
    /// The elements of the operands. A load of `GraphTensorId(n)` reads operand `n` at one flat index.
    pub operands: Vec<ElementType>,
    pub output: ElementType,
    /// Output axes; at least one.
    pub extents: Vec<usize>,
    pub body: Expression,
    pub reduction: Option<KernelReduction>,
    /// The flat index written, from the output axes.
    pub store: Expression,
    /// How it is blocked, when it is a matrix product.
    pub contraction: Option<Contraction>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KernelReduction {
    pub extents: Vec<usize>,
    pub combiner: Combiner,
    pub initial: Scalar,
    pub finish: Expression,
}

/// `constant + Σ coefficients[d] * Axis(d)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Affine {
    pub constant: i64,
    pub coefficients: Vec<i64>,
}

impl Affine {
    /// The affine form over `rank` axes, or `None` if the expression has none.
    pub(crate) fn of(expression: &Expression, rank: usize) -> Option<Affine> {
        use super::expression::Binary::{Add, Multiply, Subtract};
        let of = |expression: &Expression| Affine::of(expression, rank);
        match expression.kind() {
            ExpressionKind::Axis(number) => {
                let mut coefficients = vec![0; rank];
                *coefficients.get_mut(*number)? = 1;
                Some(Affine { constant: 0, coefficients })
            }
            ExpressionKind::Constant(_) => {
                Some(Affine { constant: expression.as_integer()?, coefficients: vec![0; rank] })
            }
            ExpressionKind::Binary(Add, a, b) => of(a)?.combine(&of(b)?, 1),
            ExpressionKind::Binary(Subtract, a, b) => of(a)?.combine(&of(b)?, -1),
            ExpressionKind::Binary(Multiply, a, b) => match (a.as_integer(), b.as_integer()) {
                (Some(factor), _) => of(b)?.scale(factor),
                (_, Some(factor)) => of(a)?.scale(factor),
                _ => None,
            },
            _ => None,
        }
    }

    fn scale(&self, factor: i64) -> Option<Affine> {
        let coefficients: Option<Vec<i64>> = self.coefficients.iter().map(|c| c.checked_mul(factor)).collect();
        Some(Affine { constant: self.constant.checked_mul(factor)?, coefficients: coefficients? })
    }

    fn combine(&self, other: &Affine, sign: i64) -> Option<Affine> {
        let other = other.scale(sign)?;
        let sums = self.coefficients.iter().zip(&other.coefficients).map(|(a, b)| a.checked_add(*b));
        let coefficients: Option<Vec<i64>> = sums.collect();
        Some(Affine { constant: self.constant.checked_add(other.constant)?, coefficients: coefficients? })
    }

    pub(crate) fn coefficient(&self, axis: usize) -> i64 {
        self.coefficients.get(axis).copied().unwrap_or(0)
    }

    pub(crate) fn expression(&self) -> Expression {
        let terms = self.coefficients.iter().enumerate().filter(|(_, c)| **c != 0);
        terms.fold(index(self.constant), |sum, (d, c)| sum + axis(d) * *c)
    }
}

/// The flat position of `indices` in a row-major tensor.
fn flatten(indices: &[Expression], shape: &[usize]) -> Expression {
    indices.iter().zip(shape).fold(index(0), |sum, (position, &size)| {
        // Sizes were bounded when the tensor was added, so this fits.
        sum * i64::try_from(size).unwrap_or(i64::MAX) + position.clone()
    })
}

impl Kernel {
    /// The kernel of a computation, and the tensors it takes as operands.
    pub(crate) fn new(graph: &ExpressionGraph, compute: &Compute) -> Result<(Kernel, Vec<GraphTensorId>), Error> {
        let operands = compute.operands();
        let shape_of = |id: GraphTensorId| graph.tensor(id).map_or(&[][..], |tensor| &tensor.shape);
        let flat = |expression: &Expression| flat_loads(expression, &operands, &shape_of);
        let at: Vec<Expression> = compute
            .offset
            .iter()
            .enumerate()
            .map(|(d, &offset)| axis(d) + i64::try_from(offset).unwrap_or(0))
            .collect();
        let elements = operands.iter().filter_map(|id| graph.tensor(*id)).map(|tensor| tensor.element);
        let kernel = Kernel {
            operands: elements.collect(),
            output: compute.stored().element(),
            extents: compute.extents.clone(),
            body: flat(&compute.body),
            reduction: compute.reduction.as_ref().map(|reduction| KernelReduction {
                extents: reduction.extents.clone(),
                combiner: reduction.combiner,
                initial: reduction.initial,
                finish: flat(&reduction.finish),
            }),
            store: flatten(&at, shape_of(compute.output)),
            contraction: None,
        };
        Ok((kernel.without_unit_axes().with_merged_axes(), operands))
    }

    pub(crate) fn rank(&self) -> usize {
        self.extents.len() + self.reduction.as_ref().map_or(0, |reduction| reduction.extents.len())
    }

    pub(crate) fn all_extents(&self) -> Vec<usize> {
        let reduced = self.reduction.iter().flat_map(|reduction| reduction.extents.iter());
        self.extents.iter().chain(reduced).copied().collect()
    }

    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        [&self.body, &self.store].into_iter().chain(self.reduction.iter().map(|reduction| &reduction.finish))
    }

    /// Rebuilds every expression. `groups[g]` are the old axes that become axis `g`.
    fn renumbered(&self, groups: &[Vec<usize>], replace: &mut dyn FnMut(&Expression) -> Expression) -> Kernel {
        let extents = self.all_extents();
        let extent = |group: &Vec<usize>| group.iter().filter_map(|d| extents.get(*d)).product::<usize>();
        let outer = groups.iter().filter(|group| group.iter().all(|d| *d < self.extents.len()));
        let inner = groups.iter().filter(|group| group.iter().any(|d| *d >= self.extents.len()));
        Kernel {
            operands: self.operands.clone(),
            output: self.output,
            extents: outer.map(extent).collect(),
            body: replace(&self.body),
            reduction: self.reduction.as_ref().map(|reduction| KernelReduction {
                extents: inner.map(extent).collect(),
                combiner: reduction.combiner,
                initial: reduction.initial,
                finish: replace(&reduction.finish),
            }),
            store: replace(&self.store),
            contraction: None,
        }
    }

    fn without_unit_axes(self) -> Kernel {
        let extents = self.all_extents();
        let kept: Vec<usize> = (0..extents.len()).filter(|d| extents.get(*d) != Some(&1)).collect();
        let axes: Vec<Expression> =
            (0..extents.len()).map(|d| kept.iter().position(|k| *k == d).map_or(index(0), axis)).collect();
        let groups: Vec<Vec<usize>> = kept.into_iter().map(|d| vec![d]).collect();
        self.renumbered(&groups, &mut |expression| expression.with_axes(&axes))
    }

    /// Axes that every access walks like one longer axis become one: elementwise code on any rank is a single loop.
    fn with_merged_axes(self) -> Kernel {
        let (extents, rank) = (self.all_extents(), self.rank());
        let sites = Sites::of(&self, rank);
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for d in 0..rank {
            let joins = d > 0 && d != self.extents.len() && sites.mergeable(d - 1, d, &extents);
            match groups.last_mut() {
                Some(group) if joins => group.push(d),
                _ => groups.push(vec![d]),
            }
        }
        let mut merge = |expression: &Expression| expression.rewrite(&mut |node| merge_node(node, &groups, rank));
        // The store is an index itself, not a load of one.
        let store = Affine::of(&self.store, rank).map(|affine| merged(&affine, &groups).expression());
        let mut kernel = self.renumbered(&groups, &mut merge);
        if let Some(store) = store {
            kernel.store = store;
        }
        if kernel.extents.is_empty() {
            kernel.extents.push(1);
            let shifted: Vec<Expression> = (0..kernel.rank()).map(|d| axis(d + 1)).collect();
            kernel.body = kernel.body.with_axes(&shifted);
        }
        kernel
    }
}

fn flat_loads<'a>(
    expression: &Expression,
    operands: &[GraphTensorId],
    shape_of: &dyn Fn(GraphTensorId) -> &'a [usize],
) -> Expression {
    expression.rewrite(&mut |node| match node.kind() {
        ExpressionKind::Load { tensor, indices } => {
            let position = operands.iter().position(|id| id == tensor).unwrap_or(0);
            let indices: Vec<Expression> = indices.iter().map(|index| flat_loads(index, operands, shape_of)).collect();
            Some(load(GraphTensorId(position), node.element(), vec![flatten(&indices, shape_of(*tensor))]))
        }
        _ => None,
    })
}

fn merged(affine: &Affine, groups: &[Vec<usize>]) -> Affine {
    let last = |group: &Vec<usize>| group.last().map_or(0, |d| affine.coefficient(*d));
    Affine { constant: affine.constant, coefficients: groups.iter().map(last).collect() }
}

fn merge_node(node: &Expression, groups: &[Vec<usize>], rank: usize) -> Option<Expression> {
    match node.kind() {
        ExpressionKind::Axis(number) => groups.iter().position(|group| group.contains(number)).map(axis),
        ExpressionKind::Load { tensor, indices } => match indices.as_slice() {
            [position] => {
                let position = match Affine::of(position, rank) {
                    Some(affine) => merged(&affine, groups).expression(),
                    None => position.rewrite(&mut |node| merge_node(node, groups, rank)),
                };
                Some(load(*tensor, node.element(), vec![position]))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Everything in a kernel that depends on its axes.
struct Sites {
    affine: Vec<Affine>,
    /// Axes whose position itself is a value, or that enter an index in another than an affine way.
    pinned: Vec<bool>,
}

impl Sites {
    fn of(kernel: &Kernel, rank: usize) -> Sites {
        let mut sites = Sites { affine: Vec::new(), pinned: vec![false; rank] };
        let store = &kernel.store;
        match Affine::of(store, rank) {
            Some(affine) => sites.affine.push(affine),
            None => sites.collect(store, rank),
        }
        kernel
            .expressions()
            .filter(|expression| !std::ptr::eq(*expression, store))
            .for_each(|e| sites.collect(e, rank));
        sites
    }

    fn collect(&mut self, expression: &Expression, rank: usize) {
        expression.rewrite(&mut |node| match node.kind() {
            ExpressionKind::Axis(number) => {
                if let Some(pinned) = self.pinned.get_mut(*number) {
                    *pinned = true;
                }
                None
            }
            ExpressionKind::Load { indices, .. } => {
                let affine: Option<Vec<Affine>> = indices.iter().map(|index| Affine::of(index, rank)).collect();
                self.affine.extend(affine.clone().into_iter().flatten());
                affine.map(|_| node.clone())
            }
            _ => None,
        });
    }

    fn mergeable(&self, outer: usize, inner: usize, extents: &[usize]) -> bool {
        let extent = extents.get(inner).and_then(|extent| i64::try_from(*extent).ok());
        let free = |axis: usize| self.pinned.get(axis) == Some(&false);
        let walks_on = |affine: &Affine| {
            extent.and_then(|extent| affine.coefficient(inner).checked_mul(extent)) == Some(affine.coefficient(outer))
        };
        free(outer) && free(inner) && self.affine.iter().all(walks_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel_of(shape: &[usize], body: impl Fn(&ExpressionGraph, GraphTensorId) -> Expression) -> Kernel {
        let mut graph = ExpressionGraph::default();
        let x = graph.add_input("x", ElementType::F32, shape).unwrap();
        let y = graph.add_tensor("y", ElementType::F32, shape).unwrap();
        let compute = Compute::elementwise("n", y, shape, body(&graph, x));
        graph.verify_compute(&compute).unwrap();
        Kernel::new(&graph, &compute).unwrap().0
    }

    #[test]
    fn elementwise_kernels_are_one_loop() {
        let kernel = kernel_of(&[2, 1, 3, 4], |graph, x| graph.load_broadcast(x, 4) * 2);
        assert_eq!(kernel.extents, vec![24]);
    }

    #[test]
    fn a_flipped_axis_stays_apart() {
        let kernel = kernel_of(&[2, 3, 4], |graph, x| graph.load(x, vec![axis(0), axis(1), axis(2) * -1 + 3]));
        assert_eq!(kernel.extents, vec![6, 4]);
    }

    #[test]
    fn an_axis_used_as_a_value_stays_apart() {
        let kernel = kernel_of(&[2, 3, 4], |graph, x| graph.load_broadcast(x, 3) + axis(2).cast(ElementType::F32));
        assert_eq!(kernel.extents, vec![6, 4]);
    }

    #[test]
    fn scalars_have_one_point() {
        assert_eq!(kernel_of(&[1, 1], |graph, x| graph.load_broadcast(x, 2)).extents, vec![1]);
    }
}
