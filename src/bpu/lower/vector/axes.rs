//! Which axes of the computations of an operation are the same: the frame over which its program runs.
//!
//! The dimensions of the frame are those of the largest tensor, cut where another view of as many elements is cut. The axes of each computation and
//! the dimensions of each tensor then follow from where elements are loaded and stored.

use crate::cpu::ExpressionGraph;
use crate::cpu::expression::{Expression, ExpressionKind, GraphTensorId};
use crate::cpu::graph::{Action, Compute};
use std::collections::HashMap;

/// Dimensions of the frame, in the order in which elements follow one another.
pub type Dims = Vec<usize>;

/// What a program runs over.
#[derive(Debug)]
pub struct Frame {
    /// Sizes, outermost first; each above 1.
    pub sizes: Vec<usize>,
    /// Whether elements along a dimension are combined.
    pub reduced: Vec<bool>,
}

impl Frame {
    /// The dimensions of the frame behind each dimension of a shape, whose elements follow one another as `dims`; none where they do not fit.
    pub fn split(&self, dims: &[usize], shape: &[usize]) -> Option<Vec<Dims>> {
        let mut rest = dims.iter().copied();
        let mut split = Vec::with_capacity(shape.len());
        for &size in shape {
            let (mut own, mut product) = (Dims::new(), 1usize);
            while product < size {
                let dim = rest.next()?;
                product = product.checked_mul(*self.sizes.get(dim)?)?;
                own.push(dim);
            }
            if product != size {
                return None;
            }
            split.push(own);
        }
        rest.next().is_none().then_some(split)
    }
}

/// What is known of each axis or dimension.
type Known = Vec<Option<Dims>>;

/// The frame of a graph, and how axes and dimensions follow it.
pub struct Axes<'g> {
    graph: &'g ExpressionGraph,
    /// The computations, in order.
    pub computes: Vec<&'g Compute>,
    pub frame: Frame,
    tensors: HashMap<GraphTensorId, Known>,
    /// By computation.
    axes: Vec<Known>,
    changed: bool,
}

const ELSEWHERE: &str = "it reads elements at other places than that of its result, which the VPU cannot do";

impl<'g> Axes<'g> {
    /// Finds the axes of a graph.
    ///
    /// # Errors
    /// Why the graph is not maps of elements and reductions along the same axes.
    pub fn of(graph: &'g ExpressionGraph) -> Result<Self, String> {
        let mut computes = Vec::new();
        for action in &graph.actions {
            match action {
                Action::Compute(compute) if compute.checks.is_empty() && fills_all(graph, compute) => {
                    computes.push(compute);
                }
                Action::Compute(_) => return Err(ELSEWHERE.into()),
                Action::Call(_) => return Err("it is no function of elements, which is what the VPU computes".into()),
            }
        }
        let (seed, sizes) = seed(graph, &computes)?;
        let frame = Frame { reduced: vec![false; sizes.len()], sizes };
        let unknown = |sizes: &[usize]| sizes.iter().map(|size| (*size == 1).then(Dims::new)).collect::<Known>();
        let tensors = (0..graph.tensors.len()).map(GraphTensorId);
        let tensors = tensors.map(|id| (id, unknown(&shape(graph, id)))).collect();
        let axes = computes.iter().map(|compute| unknown(&compute.all_extents())).collect();
        let mut axes = Axes { graph, computes, frame, tensors, axes, changed: true };
        let all: Dims = (0..axes.frame.sizes.len()).collect();
        let dims = axes.frame.split(&all, &shape(graph, seed)).ok_or(ELSEWHERE)?;
        axes.tensors.insert(seed, dims.into_iter().map(Some).collect());
        while std::mem::take(&mut axes.changed) {
            axes.follow()?;
        }
        axes.mark_reduced()?;
        Ok(axes)
    }

    /// The dimensions of a tensor.
    ///
    /// # Errors
    /// When they are not known.
    pub fn tensor(&self, id: GraphTensorId) -> Result<Vec<Dims>, String> {
        let known = self.tensors.get(&id).into_iter().flatten().cloned().collect::<Option<Vec<Dims>>>();
        known.ok_or_else(|| "its parts have no axes in common".into())
    }

    /// The dimensions behind an axis of a computation; none where they are not known.
    pub fn axis(&self, compute: usize, axis: usize) -> Option<Dims> {
        self.axes.get(compute)?.get(axis)?.clone()
    }

    /// Whether a computation combines more than one element.
    pub fn combines(&self, compute: usize) -> bool {
        let outer = self.computes.get(compute).map_or(0, |compute| compute.extents.len());
        let reduced = self.axes.get(compute).into_iter().flatten().skip(outer);
        reduced.flatten().any(|dims| !dims.is_empty())
    }

    /// Takes what is known of one axis or dimension to another.
    fn join(&mut self, compute: usize, axis: usize, tensor: GraphTensorId, dimension: usize) -> Result<(), String> {
        let (Some(axis), Some(dimension)) = (
            self.axes.get_mut(compute).and_then(|axes| axes.get_mut(axis)),
            self.tensors.get_mut(&tensor).and_then(|dims| dims.get_mut(dimension)),
        ) else {
            return Err(ELSEWHERE.into());
        };
        match (axis.clone(), dimension.clone()) {
            (Some(a), Some(b)) if a != b => return Err(ELSEWHERE.into()),
            (Some(known), None) => (*dimension, self.changed) = (Some(known), true),
            (None, Some(known)) => (*axis, self.changed) = (Some(known), true),
            _ => {}
        }
        Ok(())
    }

    fn follow(&mut self) -> Result<(), String> {
        for (number, compute) in self.computes.clone().into_iter().enumerate() {
            for axis in 0..compute.extents.len() {
                self.join(number, axis, compute.output, axis)?;
            }
            let mut loads: Vec<(GraphTensorId, Vec<Expression>)> = Vec::new();
            for expression in
                std::iter::once(&compute.body).chain(compute.reduction.iter().map(|reduction| &reduction.finish))
            {
                expression.walk(&mut |node| {
                    if let ExpressionKind::Load { tensor, indices } = node.kind() {
                        loads.push((*tensor, indices.clone()));
                    }
                });
            }
            let extents = compute.all_extents();
            for (tensor, indices) in loads {
                let sizes = shape(self.graph, tensor);
                for (dimension, (index, size)) in indices.iter().zip(&sizes).enumerate() {
                    match index.kind() {
                        _ if *size == 1 => {}
                        ExpressionKind::Axis(axis) if extents.get(*axis) == Some(size) => {
                            self.join(number, *axis, tensor, dimension)?;
                        }
                        _ => return Err(ELSEWHERE.into()),
                    }
                }
            }
        }
        let graph = self.graph;
        for id in (0..graph.tensors.len()).map(GraphTensorId) {
            if let Some(of) = graph.tensor(id).and_then(|tensor| tensor.view_of) {
                self.same_memory(of, id)?;
                self.same_memory(id, of)?;
            }
        }
        Ok(())
    }

    /// Takes what is known of one view of memory to another.
    fn same_memory(&mut self, from: GraphTensorId, to: GraphTensorId) -> Result<(), String> {
        let known = self.tensors.get(&from).into_iter().flatten().cloned().collect::<Option<Vec<Dims>>>();
        let Some(known) = known else { return Ok(()) };
        let split = self.frame.split(&known.concat(), &shape(self.graph, to)).ok_or(ELSEWHERE)?;
        let split: Known = split.into_iter().map(Some).collect();
        match self.tensors.get(&to) {
            Some(own) if *own == split => Ok(()),
            Some(own) if own.iter().zip(&split).any(|(own, other)| own.is_some() && own != other) => {
                Err(ELSEWHERE.into())
            }
            _ => {
                self.tensors.insert(to, split);
                self.changed = true;
                Ok(())
            }
        }
    }

    /// All reductions must be along the same axes: the elements of a row.
    fn mark_reduced(&mut self) -> Result<(), String> {
        let mut row: Option<Vec<bool>> = None;
        for (number, compute) in self.computes.iter().enumerate() {
            let Some(known) =
                self.axes.get(number).and_then(|axes| axes.iter().cloned().collect::<Option<Vec<Dims>>>())
            else {
                return Err("its parts have no axes in common".into());
            };
            if !self.combines(number) {
                continue;
            }
            let along: Dims = known.into_iter().skip(compute.extents.len()).flatten().collect();
            let marks: Vec<bool> = (0..self.frame.sizes.len()).map(|dim| along.contains(&dim)).collect();
            match &row {
                Some(row) if *row != marks => {
                    return Err(
                        "it combines elements along different axes, and a program of the VPU has rows of one kind"
                            .into(),
                    );
                }
                _ => row = Some(marks),
            }
        }
        if let Some(row) = row {
            self.frame.reduced = row;
        }
        Ok(())
    }
}

fn shape(graph: &ExpressionGraph, id: GraphTensorId) -> Vec<usize> {
    graph.tensor(id).map(|tensor| tensor.shape.clone()).unwrap_or_default()
}

fn fills_all(graph: &ExpressionGraph, compute: &Compute) -> bool {
    compute.offset.iter().all(|offset| *offset == 0) && shape(graph, compute.output) == compute.extents
}

/// The first of the largest tensors, and the sizes of its dimensions, cut where others of its size are cut.
fn seed(graph: &ExpressionGraph, computes: &[&Compute]) -> Result<(GraphTensorId, Vec<usize>), String> {
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    // What no computation touches does not count.
    let mut touched: Vec<GraphTensorId> = computes.iter().flat_map(|compute| compute.operands()).collect();
    touched.extend(computes.iter().map(|compute| compute.output));
    let views = (0..graph.tensors.len()).map(GraphTensorId);
    let views = views.filter(|id| graph.tensor(*id).is_some_and(|tensor| tensor.view_of.is_some()));
    touched.extend(views);
    let largest = touched.iter().map(|id| count(&shape(graph, *id))).max().unwrap_or(0);
    let of_size = |id: &&GraphTensorId| count(&shape(graph, **id)) == largest;
    let seed = *touched.iter().find(of_size).ok_or("it computes nothing")?;
    let mut cuts = vec![1];
    for id in touched.iter().filter(of_size) {
        let mut suffix = 1;
        for size in shape(graph, *id).into_iter().rev() {
            suffix *= size;
            cuts.push(suffix);
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut sizes = Vec::new();
    for pair in cuts.windows(2) {
        let &[inner, outer] = pair else { continue };
        if inner == 0 || outer % inner != 0 {
            return Err(ELSEWHERE.into());
        }
        sizes.push(outer / inner);
    }
    sizes.reverse();
    Ok((seed, sizes))
}
