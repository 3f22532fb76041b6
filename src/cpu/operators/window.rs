//! Convolution and pooling: windows that slide over padded inputs.

use std::ops::Range;

use hb_dialects::ElementType;
use hb_dialects::hfloat::{self, attributes};
use hb_runtime::{Array, Scalar};

use super::super::error::Error;
use super::super::expression::{Expression, GraphTensorId, accumulator, axis, constant, index, select};
use super::super::graph::Combiner;
use super::node::{OperatorNode, Results, axes, initial, wide};

/// One spatial dimension of a window operator.
#[derive(Clone, Copy, Debug)]
struct WindowLoops {
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    begin: usize,
    end: usize,
}

impl WindowLoops {
    /// The size of the input with its padding, and beyond that as far as the last window reaches (`ceil_mode`).
    fn padded(&self) -> usize {
        let reach = self.output.saturating_sub(1) * self.stride + (self.kernel - 1) * self.dilation + 1;
        (self.input + self.begin + self.end).max(reach)
    }

    /// Where in the input the first cell of the window at `position` lies that is no padding.
    fn first_place(&self, position: Expression) -> Expression {
        let begin = position * self.stride as i64 - self.begin as i64;
        let place = if self.begin == 0 {
            begin
        } else {
            select(begin.clone().less(index(0)), begin.clone().modulo(self.dilation as i64), begin)
        };
        place.clamp(0, (self.input as i64 - 1).max(0))
    }

    /// How many cells of the window at `position` lie in `low..high` of the padded input.
    fn cells(&self, position: usize, low: usize, high: usize) -> usize {
        (0..self.kernel).filter(|k| (low..high).contains(&(position * self.stride + k * self.dilation))).count()
    }
}

/// The windows of a node over the spatial dimensions of its input.
fn windows(node: &OperatorNode) -> Result<Vec<WindowLoops>, Error> {
    let resolved = hfloat::SlidingWindow::of(node.operation).map_err(|reason| node.invalid(reason))?;
    let (input, output) = (node.shape(node.operand(0)?)?, node.result_shape()?);
    let mut windows = Vec::new();
    for (d, &kernel) in resolved.kernel.iter().enumerate() {
        let at = |values: &[u64]| values.get(d).and_then(|value| usize::try_from(*value).ok()).unwrap_or(1);
        let outer = |shape: &[usize]| shape.get(d + 2).copied().ok_or_else(|| node.invalid("its ranks do not agree"));
        windows.push(WindowLoops {
            input: outer(&input)?,
            output: outer(&output)?,
            kernel: usize::try_from(kernel).unwrap_or(1),
            stride: at(&resolved.strides),
            dilation: at(&resolved.dilations),
            begin: at(&resolved.pads_begin),
            end: at(&resolved.pads_end),
        });
    }
    Ok(windows)
}

/// The input with `value` around it, so that windows need no tests; the input itself when nothing is added.
fn padded(
    node: &mut OperatorNode,
    input: GraphTensorId,
    windows: &[WindowLoops],
    value: Scalar,
) -> Result<GraphTensorId, Error> {
    let borders: Vec<(usize, usize)> = windows.iter().map(|window| (window.begin, window.padded())).collect();
    surrounded(node, input, &borders, value)
}

/// The input with `value` around it: for each spatial dimension how many cells come first, and the size that results.
pub(super) fn surrounded(
    node: &mut OperatorNode,
    input: GraphTensorId,
    borders: &[(usize, usize)],
    value: Scalar,
) -> Result<GraphTensorId, Error> {
    let (shape, element) = (node.shape(input)?, node.element(input)?);
    let outer = shape.iter().take(2).copied();
    let extents: Vec<usize> = outer.chain(borders.iter().map(|border| border.1)).collect();
    if extents == shape {
        return Ok(input);
    }
    let output = node.temporary(element, &extents)?;
    node.fill_region(output, vec![0; extents.len()], &extents, constant(element, value))?;
    let offset = [0, 0].into_iter().chain(borders.iter().map(|border| border.0)).collect();
    let body = node.graph.load(input, axes(0, shape.len()));
    node.fill_region(output, offset, &shape, body)?;
    Ok(output)
}

/// Where in the padded input the cell `kernel` of the window at `output` lies.
fn cells(windows: &[WindowLoops], output: usize, kernel: usize) -> impl Iterator<Item = Expression> {
    windows
        .iter()
        .enumerate()
        .map(move |(d, window)| axis(output + d) * window.stride as i64 + axis(kernel + d) * window.dilation as i64)
}

/// ONNX Conv-11. `x` is [N, C, D...], `w` is [M, C/group, K...].
pub(super) fn conv(node: &mut OperatorNode) -> Results {
    let (input, weight) = (node.operand(0)?, node.operand(1)?);
    let (shape, weight_shape) = (node.shape(input)?, node.shape(weight)?);
    let group = usize::try_from(attributes::group(node.operation)?).unwrap_or(0);
    let kernel: Vec<usize> = weight_shape.iter().skip(2).copied().collect();
    let windows = windows(node)?;
    let (Some(&channels), Some(&maps), Some(&each)) = (shape.get(1), weight_shape.first(), weight_shape.get(1)) else {
        return Err(node.invalid("its operands have no channels"));
    };
    if group == 0 || each.checked_mul(group) != Some(channels) || !maps.is_multiple_of(group) {
        let reason = format!("{channels} channels in {group} groups do not fit weights of shape {weight_shape:?}");
        return Err(node.invalid(reason));
    }
    let rank = windows.len();
    let products = Products {
        input: padded(node, input, &windows, Scalar::Integer(0))?,
        weight,
        bias: node.optional_operand(2),
        cells: &|output, kernel| cells(&windows, output, kernel).collect(),
        weight_at: &|channels, kernel| {
            let mut at = vec![channels.map.clone(), channels.in_group.clone()];
            at.extend(axes(kernel, rank));
            at
        },
    };
    let shape = node.result_shape()?;
    let groups = Groups { group, channels, maps, kernel: &kernel };
    let Some(extents) = groups.grouped(&shape) else {
        let output = node.result_tensor()?;
        groups.sum(node, &products, output)?;
        return Ok(vec![output]);
    };
    let output = node.temporary(node.result_element()?, &extents)?;
    groups.sum(node, &products, output)?;
    Ok(vec![node.graph.add_view(&node.name, output, &shape)?])
}

/// A sum of products over groups of channels: `channels` of the input, `maps` of the result.
pub(super) struct Groups<'k> {
    pub group: usize,
    pub channels: usize,
    pub maps: usize,
    pub kernel: &'k [usize],
}

/// Where a product stands among the channels, as expressions of the axes.
pub(super) struct Channels {
    /// Channel of the input, and the same counted in its group.
    pub channel: Expression,
    pub in_group: Expression,
    /// Channel of the result, and the same counted in its group.
    pub map: Expression,
    pub map_in_group: Expression,
}

/// What is multiplied and summed.
pub(super) struct Products<'p> {
    /// Padded.
    pub input: GraphTensorId,
    pub weight: GraphTensorId,
    /// One for each map.
    pub bias: Option<GraphTensorId>,
    /// Where in the input the kernel cell whose axes begin at the second argument lies for the element whose spatial axes begin at the first.
    pub cells: &'p dyn Fn(usize, usize) -> Vec<Expression>,
    /// The position of the weight of a kernel cell whose axes begin at the argument.
    pub weight_at: &'p dyn Fn(&Channels, usize) -> Vec<Expression>,
}

impl Groups<'_> {
    /// The result's dimensions `[N, group, M/group, D...]`, where several channels or maps are a group; else it is `[N, M, D...]`, the same memory.
    pub(super) fn grouped(&self, shape: &[usize]) -> Option<Vec<usize>> {
        let is_depthwise = self.channels == self.group && self.maps == self.channels;
        let (outer, spatial) = shape.split_at_checked(2)?;
        let outer = [*outer.first()?, self.group, self.maps / self.group];
        (self.group > 1 && !is_depthwise).then(|| outer.into_iter().chain(spatial.iter().copied()).collect())
    }

    /// Fills `output`, whose dimensions are as [`Groups::grouped`] says: Σ weight * input, plus bias, activated.
    pub(super) fn sum(
        &self,
        node: &mut OperatorNode,
        products: &Products<'_>,
        output: GraphTensorId,
    ) -> Result<(), Error> {
        let (each, each_map) = (self.channels / self.group, self.maps / self.group);
        let over: Vec<usize> = std::iter::once(each).chain(self.kernel.iter().copied()).collect();
        let rank = node.shape(output)?.len();
        let places = if rank > self.kernel.len() + 2 {
            Channels {
                channel: axis(1) * each as i64 + axis(rank),
                in_group: axis(rank),
                map: axis(1) * each_map as i64 + axis(2),
                map_in_group: axis(2),
            }
        } else if self.group == 1 {
            Channels { channel: axis(rank), in_group: axis(rank), map: axis(1), map_in_group: axis(1) }
        } else {
            Channels { channel: axis(1), in_group: axis(rank), map: axis(1), map_in_group: index(0) }
        };
        let mut at = vec![axis(0), places.channel.clone()];
        at.extend((products.cells)(rank - self.kernel.len(), rank + 1));
        let weight_at = (products.weight_at)(&places, rank + 1);
        let body = wide(node.graph.load(products.weight, weight_at)) * wide(node.graph.load(products.input, at));
        let mut finish = accumulator(body.element());
        if let Some(bias) = products.bias {
            finish = finish + wide(node.graph.load(bias, vec![places.map]));
        }
        let finish = node.activate(finish)?.cast(node.result_element()?);
        node.reduce_into(output, &over, Combiner::SumOfProducts, body, finish)
    }
}

/// Whether windows have so many more cells than lines along each of their dimensions that one pass along each takes less time, though what
/// lies between the passes is written and read again: those of 5x5 have, those of 3x3 and 4x4 have not.
fn takes_passes(windows: &[WindowLoops]) -> bool {
    let sizes = || windows.iter().map(|window| window.kernel);
    sizes().fold(1, usize::saturating_mul) >= 2 * sizes().fold(0, usize::saturating_add) && windows.len() > 1
}

/// ONNX MaxPool-12: padding never wins. The largest cell of a large window is found along one dimension after the other.
pub(super) fn max_pool(node: &mut OperatorNode) -> Results {
    let windows = windows(node)?;
    let (rank, input) = (windows.len(), node.operand(0)?);
    let element = node.element(input)?;
    let mut from = padded(node, input, &windows, initial(Combiner::Maximum, element))?;
    let each = if takes_passes(&windows) { 1 } else { rank.max(1) };
    for dimensions in (0..rank).step_by(each).map(|first| first..first + each) {
        let mut extents = node.shape(from)?;
        for (extent, window) in extents.iter_mut().skip(2).zip(&windows).take(dimensions.end) {
            *extent = window.output;
        }
        let to = if dimensions.end == rank { node.result_tensor()? } else { node.temporary(element, &extents)? };
        largest_cells(node, (from, to), &windows, dimensions)?;
        from = to;
    }
    Ok(vec![from])
}

/// The largest cells of windows along some of the spatial dimensions; along the others each line stays.
fn largest_cells(
    node: &mut OperatorNode,
    (from, to): (GraphTensorId, GraphTensorId),
    windows: &[WindowLoops],
    dimensions: Range<usize>,
) -> Result<(), Error> {
    let (rank, element) = (windows.len() + 2, node.element(from)?);
    let mut at = axes(0, rank);
    let searched = windows.iter().enumerate().skip(dimensions.start).take(dimensions.len());
    for (number, (d, window)) in searched.clone().enumerate() {
        if let Some(place) = at.get_mut(2 + d) {
            *place = axis(2 + d) * window.stride as i64 + axis(rank + number) * window.dilation as i64;
        }
    }
    let over: Vec<usize> = searched.map(|(_, window)| window.kernel).collect();
    let body = node.graph.load(from, at);
    node.reduce_into(to, &over, Combiner::Maximum, body, accumulator(element))
}

/// The positions of the maxima: the maximum of each window first, then the first element in row order that equals it.
pub(super) fn max_pool_indices(node: &mut OperatorNode) -> Results {
    let windows = windows(node)?;
    let kernel: Vec<usize> = windows.iter().map(|window| window.kernel).collect();
    let input = node.operand(0)?;
    let (shape, element) = (node.shape(input)?, node.element(input)?);
    let lowest = initial(Combiner::Maximum, element);
    let padded = padded(node, input, &windows, lowest)?;
    let rank = windows.len();
    let mut at = axes(0, 2);
    at.extend(cells(&windows, 2, 2 + rank));
    let x = wide(node.graph.load(padded, at));
    let is_number = x.clone().equal(x.clone());
    let number = if x.element().is_float() { select(is_number, x.clone(), constant(x.element(), lowest)) } else { x };
    let extents = node.result_shape()?;
    let largest = node.temporary(number.element(), &extents)?;
    node.reduce_into(largest, &kernel, Combiner::Maximum, number.clone(), accumulator(number.element()))?;
    // Where in the image a cell lies, and where the first cell of the window that is no padding does.
    let places: Vec<Expression> =
        cells(&windows, 2, 2 + rank).zip(&windows).map(|(cell, window)| cell - window.begin as i64).collect();
    let firsts: Vec<Expression> =
        windows.iter().enumerate().map(|(d, window)| window.first_place(axis(2 + d))).collect();
    let sizes: Vec<usize> = windows.iter().map(|window| window.input).collect();
    let mut holds = number.clone().equal(node.graph.load(largest, axes(0, extents.len())));
    for (place, window) in places.iter().zip(&windows) {
        if window.padded() > window.input {
            let inside = index(0).less_or_equal(place.clone()).and(place.clone().less(index(window.input as i64)));
            holds = holds.and(inside);
        }
    }
    let area = sizes.iter().try_fold(1i64, |area, size| area.checked_mul(i64::try_from(*size).ok()?));
    let area = area.ok_or_else(|| node.invalid("has images of more elements than an index can number"))?;
    let body = select(holds, flat(&places, &sizes), index(area));
    let mut found = accumulator(ElementType::I64);
    if number.element().is_float() {
        let mut at = axes(0, 2);
        at.extend(firsts.iter().cloned());
        let first = wide(node.graph.load(input, at));
        found = select(first.clone().equal(first), found, flat(&firsts, &sizes));
    }
    // An image without elements has no window.
    let found = found.clamp(0, (area - 1).max(0));
    let found = if attributes::storage_order(node.operation)? { by_columns(&found, &sizes, area) } else { found };
    let channels = shape.get(1).copied().unwrap_or(0) as i64;
    let output = node.result_tensor()?;
    let finish = (axis(0) * channels + axis(1)) * area + found;
    node.reduce_into(output, &kernel, Combiner::Minimum, body, finish)?;
    Ok(vec![output])
}

/// The number of a place, row by row.
fn flat(places: &[Expression], sizes: &[usize]) -> Expression {
    places.iter().zip(sizes).fold(index(0), |number, (place, size)| number * *size as i64 + place.clone())
}

/// The number of a place column by column, of that row by row; `area` is the product of the sizes.
fn by_columns(number: &Expression, sizes: &[usize], area: i64) -> Expression {
    let (mut result, mut rows) = (index(0), area);
    let mut columns = 1;
    for size in sizes.iter().map(|size| (*size).max(1) as i64) {
        rows /= size;
        result = result + number.clone().floor_divide(rows.max(1)).modulo(size) * columns;
        columns *= size;
    }
    result
}

/// How many cells an average counts is a table along each dimension, and a few bytes of a file can ask for any size.
const MOST_COUNTS: usize = 1 << 22;

/// ONNX AveragePool-19. The divisor is the number of cells that count: those of the input, with `count_include_pad` also
/// those of the padding, but never those that only `ceil_mode` adds.
pub(super) fn average_pool(node: &mut OperatorNode) -> Results {
    let windows = windows(node)?;
    let kernel: Vec<usize> = windows.iter().map(|window| window.kernel).collect();
    let with_padding = attributes::count_include_pad(node.operation)?;
    let input = node.operand(0)?;
    if !node.element(input)?.is_float() {
        return Err(node.unsupported(format!("an average of {}", node.element(input)?)));
    }
    let padded = padded(node, input, &windows, Scalar::Integer(0))?;
    let mut at = axes(0, 2);
    at.extend(cells(&windows, 2, 2 + windows.len()));
    let body = wide(node.graph.load(padded, at));
    let mut divisor = constant(body.element(), Scalar::Integer(1));
    for (d, window) in windows.iter().enumerate() {
        let inside = (window.begin, window.begin + window.input);
        let (low, high) = if with_padding { (0, inside.1 + window.end) } else { inside };
        if window.output > MOST_COUNTS {
            let reason = format!("an average at {} places along a dimension; at most {MOST_COUNTS} are", window.output);
            return Err(node.unsupported(reason));
        }
        let counts: Vec<f64> = (0..window.output).map(|position| window.cells(position, low, high) as f64).collect();
        let first = counts.first().copied().unwrap_or(1.0);
        let count = if counts.iter().all(|count| *count == first) {
            divisor.like(first)
        } else {
            let counts = node.constant(Array::from_values(&[counts.len()], &counts)?)?;
            node.graph.load(counts, vec![axis(2 + d)]).cast(body.element())
        };
        divisor = divisor * count;
    }
    let finish = (accumulator(body.element()) / divisor).cast(node.result_element()?);
    let output = node.result_tensor()?;
    node.reduce_into(output, &kernel, Combiner::Sum, body, finish)?;
    Ok(vec![output])
}

/// ONNX GlobalAveragePool-1.
pub(super) fn global_average_pool(node: &mut OperatorNode) -> Results {
    let input = node.operand(0)?;
    let shape = node.shape(input)?;
    let over: Vec<usize> = shape.iter().skip(2).copied().collect();
    let mut at = axes(0, 2);
    at.extend(axes(shape.len(), over.len()));
    let body = wide(node.graph.load(input, at));
    let count = over.iter().product::<usize>() as f64;
    let total = accumulator(body.element());
    let finish = (total.clone() / total.like(count)).cast(node.result_element()?);
    let output = node.result_tensor()?;
    node.reduce_into(output, &over, Combiner::Sum, body, finish)?;
    Ok(vec![output])
}
