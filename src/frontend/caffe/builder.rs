//! What the layers of Caffe are made of: nodes of ONNX, each with the shape of its result.

use super::network::CaffeLayer;
use crate::frontend::onnx::model::{Attribute, Dimension, Graph, MadeOf, Node, Value};
use crate::frontend::onnx::tensor::{Tensor, element_count};
use hb_dialects::ElementType;
use hb_dialects::ir::{Names, Origin};

/// A size; none when it is only known when the network runs.
pub type Size = Option<usize>;

/// A value of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its name in the graph.
    pub value: String,
    /// Its sizes, outermost first.
    pub shape: Vec<Size>,
}

impl Blob {
    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The size of a dimension that must be known.
    pub fn size(&self, axis: usize) -> Result<usize, String> {
        let size =
            self.shape.get(axis).ok_or_else(|| format!("its bottom has no dimension {axis}, only {}", self.rank()))?;
        size.ok_or_else(|| format!("the size of dimension {axis} of its bottom must be known before it runs"))
    }

    /// All sizes, where each must be known.
    pub fn sizes(&self) -> Result<Vec<usize>, String> {
        (0..self.rank()).map(|axis| self.size(axis)).collect()
    }

    /// The number of elements of the dimensions from `axis` on.
    pub fn count_from(&self, axis: usize) -> Result<usize, String> {
        (axis..self.rank()).try_fold(1_usize, |count, axis| {
            count.checked_mul(self.size(axis)?).ok_or_else(|| "its bottom has too many elements".to_owned())
        })
    }

    /// A dimension that a parameter names, from the end when it is negative.
    pub fn axis(&self, axis: i32) -> Result<usize, String> {
        let rank = self.rank();
        let wrapped = if axis < 0 { i64::from(axis) + rank as i64 } else { i64::from(axis) };
        usize::try_from(wrapped)
            .ok()
            .filter(|axis| *axis < rank)
            .ok_or_else(|| format!("axis {axis} is no dimension of its bottom, which has {rank}"))
    }
}

/// Sizes as messages show them.
pub fn shown(shape: &[Size]) -> String {
    let sizes: Vec<_> = shape.iter().map(|size| size.map_or("?".to_owned(), |size| size.to_string())).collect();
    format!("[{}]", sizes.join(", "))
}

/// The shape that all sizes are known of.
pub fn known(sizes: &[usize]) -> Vec<Size> {
    sizes.iter().copied().map(Some).collect()
}

/// INTS of sizes.
pub fn ints(values: impl IntoIterator<Item = usize>) -> Attribute {
    Attribute::Ints(values.into_iter().map(|value| value as i64).collect())
}

/// Nodes of one network; constants of more values than this have no network that needs them.
const MAX_NODES: usize = 2_000_000;
/// Values of constants that are made here: priors, and weights of a network without a `.caffemodel`.
const MAX_MADE: usize = 1 << 28;

/// What all layers append to.
#[derive(Debug, Default)]
pub struct Building {
    /// The graph so far.
    pub graph: Graph,
    /// Taken by layers, blobs and what was made.
    pub names: Names,
    /// Values of constants that no file gave.
    made: usize,
}

/// Appends the nodes of one layer.
pub struct LayerBuilder<'b> {
    building: &'b mut Building,
    /// The layer at hand.
    pub layer: &'b CaffeLayer,
    /// Its node.
    name: String,
    /// Its bottoms.
    pub bottoms: Vec<Blob>,
    has_weights: bool,
    /// Where its nodes begin.
    start: usize,
}

impl<'b> LayerBuilder<'b> {
    /// Of a layer whose node is called `name`.
    pub fn new(
        building: &'b mut Building,
        layer: &'b CaffeLayer,
        name: String,
        bottoms: Vec<Blob>,
        has_weights: bool,
    ) -> Self {
        let start = building.graph.nodes.len();
        Self { building, layer, name, bottoms, has_weights, start }
    }

    /// The bottom of this number.
    pub fn bottom(&self, index: usize) -> Result<Blob, String> {
        self.bottoms.get(index).cloned().ok_or_else(|| format!("its bottom {index} is missing"))
    }

    /// The first bottom, which has the dimensions of images: samples, channels, rows, columns.
    pub fn image(&self) -> Result<(Blob, [usize; 3]), String> {
        let bottom = self.bottom(0)?;
        if bottom.rank() != 4 {
            return Err(format!("its bottom has the shape {}, four dimensions are needed", shown(&bottom.shape)));
        }
        let sizes = [bottom.size(1)?, bottom.size(2)?, bottom.size(3)?];
        Ok((bottom, sizes))
    }

    fn derived(&mut self, part: &str) -> String {
        self.building.names.derive(&Origin::from(self.name.as_str()), part).name
    }

    /// Appends a node with several results.
    pub fn nodes(
        &mut self,
        operator: &str,
        inputs: &[&Blob],
        attributes: &[(&str, Attribute)],
        shapes: Vec<Vec<Size>>,
    ) -> Result<Vec<Blob>, String> {
        for shape in &shapes {
            element_count(&shape.iter().flatten().copied().collect::<Vec<_>>())?;
        }
        if self.building.graph.nodes.len() >= MAX_NODES {
            return Err(format!("the network becomes more than {MAX_NODES} operations"));
        }
        let name = self.derived(&operator.to_lowercase());
        let outputs: Vec<String> = match shapes.len() {
            1 => vec![name.clone()],
            count => (0..count).map(|index| self.derived(&format!("{}_{index}", operator.to_lowercase()))).collect(),
        };
        let mut node = Node::new(&name, operator, &[], &[]);
        node.made_of = Some(MadeOf::part_of(std::slice::from_ref(&self.name)));
        node.inputs = inputs.iter().map(|input| input.value.clone()).collect();
        node.outputs.clone_from(&outputs);
        for (key, value) in attributes {
            node.set_attribute(key, value.clone());
        }
        self.building.graph.nodes.push(node);
        Ok(outputs.into_iter().zip(shapes).map(|(value, shape)| Blob { value, shape }).collect())
    }

    /// Appends a node with one result.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&Blob],
        attributes: &[(&str, Attribute)],
        shape: Vec<Size>,
    ) -> Result<Blob, String> {
        let results = self.nodes(operator, inputs, attributes, vec![shape])?;
        results.into_iter().next().ok_or_else(|| format!("{operator} has no result"))
    }

    /// A function of each element.
    pub fn unary(&mut self, operator: &str, x: &Blob, attributes: &[(&str, Attribute)]) -> Result<Blob, String> {
        self.node(operator, &[x], attributes, x.shape.clone())
    }

    /// An operator of two values with the broadcasting of ONNX.
    pub fn binary(&mut self, operator: &str, a: &Blob, b: &Blob) -> Result<Blob, String> {
        let rank = a.rank().max(b.rank());
        let at = |blob: &Blob, axis: usize| match (axis + blob.rank()).checked_sub(rank) {
            Some(own) => blob.shape.get(own).copied().unwrap_or(Some(1)),
            None => Some(1),
        };
        let size = |axis| match (at(a, axis), at(b, axis)) {
            (Some(1), other) | (other, Some(1)) => Ok(other),
            (None, other) | (other, None) => Ok(other),
            (Some(a), Some(b)) if a == b => Ok(Some(a)),
            _ => Err(format!("the shapes {} and {} do not go together", shown(&a.shape), shown(&b.shape))),
        };
        let shape = (0..rank).map(size).collect::<Result<Vec<_>, _>>()?;
        self.node(operator, &[a, b], &[], shape)
    }

    /// A constant.
    pub fn constant(&mut self, part: &str, tensor: Tensor) -> Blob {
        let value = self.derived(part);
        let shape = known(tensor.shape());
        self.building.graph.initializers.push((value.clone(), tensor));
        Blob { value, shape }
    }

    /// A constant of whole numbers, such as a shape.
    pub fn integers(&mut self, part: &str, values: &[i64]) -> Blob {
        self.constant(part, Tensor::from_i64s(values))
    }

    /// A constant of this shape.
    pub fn floats(&mut self, part: &str, shape: &[usize], values: &[f32]) -> Result<Blob, String> {
        let tensor = Tensor::from_f32s(values).reshaped(shape.to_vec())?;
        Ok(self.constant(part, tensor))
    }

    /// A constant of one value.
    pub fn scalar(&mut self, part: &str, value: f32) -> Blob {
        self.constant(part, Tensor::scalar(ElementType::F32, value))
    }

    /// Counts values that a constant is made of, so that a small file cannot take all memory.
    pub fn budget(&mut self, values: usize) -> Result<(), String> {
        self.building.made = self.building.made.saturating_add(values);
        if self.building.made > MAX_MADE {
            return Err(format!("the network makes constants of more than {MAX_MADE} values"));
        }
        Ok(())
    }

    /// The weights of this number, in the shape that the layer gives them. Sizes of 1 may stand elsewhere in the file, as in the old form
    /// of four sizes.
    pub fn weight(&mut self, index: usize, shape: &[usize]) -> Result<Tensor, String> {
        let count = element_count(shape)?;
        if !self.has_weights {
            self.budget(count)?;
            return Tensor::new(ElementType::F32, shape.to_vec(), vec![0; count * 4].into());
        }
        let Some(blob) = self.layer.blobs.get(index) else {
            let (there, meant) = (self.layer.blobs.len(), &self.layer.meant);
            return Err(format!(
                "it needs weights of the shape {shape:?} as its blob {index}; the .caffemodel has {there} blob(s) under its name{meant}"
            ));
        };
        let without_ones = |sizes: &[usize]| sizes.iter().copied().filter(|size| *size != 1).collect::<Vec<_>>();
        if without_ones(blob.shape()) != without_ones(shape) {
            return Err(format!(
                "its blob {index} in the .caffemodel has the shape {:?}, the layer needs {shape:?}",
                blob.shape()
            ));
        }
        blob.reshaped(shape.to_vec())
    }

    /// Their values.
    pub fn weight_values(&mut self, index: usize, shape: &[usize]) -> Result<Vec<f32>, String> {
        let tensor = self.weight(index, shape)?;
        Ok(tensor.data().as_chunks().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
    }

    /// The same as a value of the graph.
    pub fn weight_blob(&mut self, part: &str, index: usize, shape: &[usize]) -> Result<Blob, String> {
        let tensor = self.weight(index, shape)?;
        Ok(self.constant(part, tensor))
    }

    /// The same elements in another shape, of which at most one size is not known.
    pub fn reshape(&mut self, x: &Blob, shape: Vec<Size>) -> Result<Blob, String> {
        if x.shape == shape {
            return Ok(x.clone());
        }
        if shape.iter().filter(|size| size.is_none()).count() > 1 {
            return Err(format!("it makes the shape {} with two sizes that are not known", shown(&shape)));
        }
        let sizes: Vec<i64> = shape.iter().map(|size| size.map_or(-1, |size| size as i64)).collect();
        let target = self.integers("shape", &sizes);
        self.node("Reshape", &[x, &target], &[], shape)
    }

    /// The dimensions in another order.
    pub fn transpose(&mut self, x: &Blob, order: &[usize]) -> Result<Blob, String> {
        let shape = order.iter().map(|axis| x.shape.get(*axis).copied().flatten()).collect();
        self.node("Transpose", &[x], &[("perm", ints(order.iter().copied()))], shape)
    }

    /// What lies along one dimension from `start` on, `size` of it.
    pub fn slice(&mut self, x: &Blob, axis: usize, start: usize, size: usize) -> Result<Blob, String> {
        let mut shape = x.shape.clone();
        if let Some(place) = shape.get_mut(axis) {
            *place = Some(size);
        }
        let [from, to, along] = [("start", start), ("end", start + size), ("axis", axis)]
            .map(|(part, value)| self.integers(part, &[value as i64]));
        self.node("Slice", &[x, &from, &to, &along], &[], shape)
    }

    /// Values one after the other along a dimension.
    pub fn concat(&mut self, parts: &[&Blob], axis: usize) -> Result<Blob, String> {
        let first = parts.first().ok_or("it has no bottom")?;
        let mut shape = first.shape.clone();
        let mut sum = Some(0_usize);
        for part in parts {
            let others = |shape: &[Size]| {
                shape.iter().enumerate().filter(|(own, _)| *own != axis).map(|(_, size)| *size).collect::<Vec<_>>()
            };
            if part.rank() != first.rank() || others(&part.shape) != others(&first.shape) {
                let (first, part) = (shown(&first.shape), shown(&part.shape));
                return Err(format!("the shapes {first} and {part} differ in other dimensions than {axis}"));
            }
            let size = part.shape.get(axis).copied().flatten();
            sum = sum.zip(size).and_then(|(sum, size)| sum.checked_add(size));
        }
        if let Some(place) = shape.get_mut(axis) {
            *place = sum;
        }
        self.node("Concat", parts, &[("axis", Attribute::Int(axis as i64))], shape)
    }

    /// A reduction over dimensions, which stay with the size 1 or go.
    pub fn reduce(&mut self, operator: &str, x: &Blob, axes: &[usize], keep: bool) -> Result<Blob, String> {
        let shape = x.shape.iter().enumerate().filter_map(|(axis, size)| match axes.contains(&axis) {
            true => keep.then_some(Some(1)),
            false => Some(*size),
        });
        let shape = shape.collect();
        let along = self.integers("axes", &axes.iter().map(|axis| *axis as i64).collect::<Vec<_>>());
        self.node(operator, &[x, &along], &[("keepdims", Attribute::Int(keep.into()))], shape)
    }

    /// Runs `body` so many times; it makes a value anew from what it was and the number of the iteration, INT64 of no dimension. `element` is
    /// the element type of the value.
    pub fn repeat(
        &mut self,
        count: usize,
        (value, element): (&Blob, ElementType),
        body: impl FnOnce(&mut Self, &Blob, &Blob) -> Result<Blob, String>,
    ) -> Result<Blob, String> {
        let iteration = Blob { value: self.derived("iteration"), shape: Vec::new() };
        let condition = Blob { value: self.derived("condition"), shape: Vec::new() };
        let inside = Blob { value: self.derived("before"), shape: value.shape.clone() };
        let outer = std::mem::take(&mut self.building.graph.nodes);
        let built = body(self, &iteration, &inside).and_then(|after| {
            let proceed = self.node("Identity", &[&condition], &[], Vec::new())?;
            Ok([proceed, after])
        });
        let nodes = std::mem::replace(&mut self.building.graph.nodes, outer);
        let [proceed, after] = built?;
        let port = |blob: Blob, element| {
            let sizes = blob.shape.iter().map(|size| size.map_or(Dimension::Named(String::new()), Dimension::Fixed));
            Value { name: blob.value, element: Some(element), shape: Some(sizes.collect()) }
        };
        let graph = Graph {
            name: self.derived("body"),
            nodes,
            inputs: vec![port(iteration, ElementType::I64), port(condition, ElementType::Bool), port(inside, element)],
            outputs: vec![port(proceed, ElementType::Bool), port(after, element)],
            ..Graph::default()
        };
        let trips = self.constant("trips", Tensor::from_i64s(&[count as i64]).reshaped(Vec::new())?);
        let none = Blob { value: String::new(), shape: Vec::new() };
        let body = [("body", Attribute::Graph(Box::new(graph)))];
        self.node("Loop", &[&trips, &none, value], &body, value.shape.clone())
    }

    /// Dimensions of 1 at these places of the result.
    pub fn unsqueeze(&mut self, x: &Blob, axes: &[usize]) -> Result<Blob, String> {
        let mut kept = x.shape.iter();
        let size = |axis| if axes.contains(&axis) { Some(1) } else { kept.next().copied().flatten() };
        let shape = (0..x.rank() + axes.len()).map(size).collect();
        let places = self.integers("axes", &axes.iter().map(|axis| *axis as i64).collect::<Vec<_>>());
        self.node("Unsqueeze", &[x, &places], &[], shape)
    }

    /// The same without a dimension, which is 1.
    pub fn squeeze(&mut self, x: &Blob, axis: usize) -> Result<Blob, String> {
        let mut shape = x.shape.clone();
        if axis < shape.len() {
            shape.remove(axis);
        }
        let place = self.integers("axes", &[axis as i64]);
        self.node("Squeeze", &[x, &place], &[], shape)
    }

    /// What INT64 indices say along a dimension, which their dimensions replace.
    pub fn gather(&mut self, x: &Blob, indices: &Blob, axis: usize) -> Result<Blob, String> {
        let mut shape = x.shape.clone();
        if axis < shape.len() {
            shape.splice(axis..=axis, indices.shape.iter().copied());
        }
        self.node("Gather", &[x, indices], &[("axis", Attribute::Int(axis as i64))], shape)
    }

    /// The largest or smallest values along a dimension in order, and their positions.
    pub fn top_k(&mut self, x: &Blob, count: usize, axis: usize, largest: bool) -> Result<[Blob; 2], String> {
        let mut shape = x.shape.clone();
        if let Some(place) = shape.get_mut(axis) {
            *place = Some(count);
        }
        let k = self.integers("k", &[count as i64]);
        let attributes = [("axis", Attribute::Int(axis as i64)), ("largest", Attribute::Int(largest.into()))];
        let found = self.nodes("TopK", &[x, &k], &attributes, vec![shape.clone(), shape])?;
        <[Blob; 2]>::try_from(found).map_err(|_| "TopK has two results".to_owned())
    }

    /// Makes the results the tops of the layer, under these names; what the layer only passes on gets a node.
    pub fn finish(mut self, mut results: Vec<Blob>, tops: &[String]) -> Result<Vec<Blob>, String> {
        for index in 0..results.len() {
            let Some(result) = results.get(index).cloned() else { continue };
            let is_own = self.own_nodes().iter().any(|node| node.outputs.contains(&result.value));
            let is_twice = results.iter().take(index).any(|other| other.value == result.value);
            if (!is_own || is_twice)
                && let Some(place) = results.get_mut(index)
            {
                *place = self.node("Identity", &[&result], &[], result.shape.clone())?;
            }
        }
        for (index, (result, top)) in results.iter_mut().zip(tops).enumerate() {
            let layer = self.name.clone();
            let nodes = self.building.graph.nodes.get_mut(self.start..).unwrap_or_default();
            for node in nodes.iter_mut() {
                if index == 0 && node.outputs.contains(&result.value) {
                    node.name.clone_from(&layer);
                    node.made_of = None;
                }
                for name in node.inputs.iter_mut().chain(&mut node.outputs).filter(|name| **name == result.value) {
                    name.clone_from(top);
                }
            }
            result.value.clone_from(top);
        }
        Ok(results)
    }

    fn own_nodes(&self) -> &[Node] {
        self.building.graph.nodes.get(self.start..).unwrap_or_default()
    }
}
