//! Transposed convolution. Elements of the result whose positions leave the same remainder by the stride, a phase, are a convolution of the
//! input as it is with some cells of the kernel, so that no zeros between elements are multiplied.

use hb_dialects::hfloat::{TransposedWindow, attributes};
use hb_runtime::Scalar;

use super::super::error::Error;
use super::super::expression::{Expression, GraphTensorId, axis, constant};
use super::node::{OperatorNode, Results, axes, wide};
use super::window::{Groups, Products, surrounded};
use std::collections::BTreeMap;

/// More convolutions than that have no form: each is a few steps of the graph.
const MOST_CONVOLUTIONS: usize = 1024;

/// One spatial dimension.
struct Dimension {
    input: usize,
    output: usize,
    stride: usize,
    /// Those that the result has.
    phases: usize,
    /// All phases, in order.
    runs: Vec<Run>,
}

/// Neighbouring phases that read the same cells of the input.
struct Run {
    first: usize,
    count: usize,
    /// Of the first phase. The others take the next cell of the kernel each, and the same of the input.
    taps: Vec<Tap>,
}

/// A cell of the kernel, and the cell of the input that is multiplied with it for the first element of a phase; for the next one it is the next.
#[derive(Clone, Copy, PartialEq)]
struct Tap {
    input: i64,
    kernel: i64,
}

impl Dimension {
    /// How many elements a phase has; the last one may lie beyond the result.
    fn length(&self) -> usize {
        self.output.div_ceil(self.stride)
    }

    /// How many zeros stand before the input, and its size with them and with those behind it.
    fn border(&self) -> (usize, usize) {
        let taps = || self.runs.iter().flat_map(|run| &run.taps).map(|tap| tap.input);
        let before = taps().min().map_or(0, |first| usize::try_from(-first).unwrap_or(0));
        let end = taps().max().map_or(0, |last| usize::try_from(last + self.length() as i64).unwrap_or(0));
        (before, before + self.input.max(end))
    }
}

/// The phases of a dimension, where `output + begin = input * stride + kernel * dilation`.
fn runs(phases: usize, stride: i64, kernel: usize, dilation: i64, begin: i64) -> Vec<Run> {
    // A stride can be far longer than the kernel: cells are asked for their phase, not phases for their cells.
    let mut reached: BTreeMap<usize, Vec<Tap>> = BTreeMap::new();
    for kernel in (0..kernel as i64).rev() {
        let phase = (kernel * dilation - begin).rem_euclid(stride);
        let input = (phase + begin - kernel * dilation) / stride;
        reached.entry(phase as usize).or_default().push(Tap { input, kernel });
    }
    let mut runs: Vec<Run> = Vec::new();
    let mut next = 0;
    for (first, taps) in reached.into_iter().filter(|(first, _)| *first < phases) {
        if first > next {
            runs.push(Run { first: next, count: first - next, taps: Vec::new() });
        }
        next = first + 1;
        match runs.last_mut() {
            Some(run) if follows(run, &taps) => run.count += 1,
            _ => runs.push(Run { first, count: 1, taps }),
        }
    }
    if next < phases {
        runs.push(Run { first: next, count: phases - next, taps: Vec::new() });
    }
    runs
}

fn follows(run: &Run, taps: &[Tap]) -> bool {
    run.taps.iter().map(|tap| Tap { kernel: tap.kernel + run.count as i64, ..*tap }).eq(taps.iter().copied())
}

fn dimensions(node: &OperatorNode) -> Result<Vec<Dimension>, Error> {
    let window = TransposedWindow::of(node.operation).map_err(|reason| node.invalid(reason))?;
    let shape = node.shape(node.operand(0)?)?;
    let sizes = shape.iter().skip(2).zip(&window.output).zip(&window.kernel);
    let steps = window.strides.iter().zip(&window.dilations).zip(&window.pads_begin);
    let small = |value: u64| match u32::try_from(value) {
        Ok(value) => Ok(value as usize),
        Err(_) => Err(node.invalid("has sizes or steps that are too large")),
    };
    sizes
        .zip(steps)
        .map(|(((&input, &output), &kernel), ((&stride, &dilation), &begin))| {
            let (output, stride) = (small(output)?, small(stride)?);
            let phases = stride.min(output);
            let runs = runs(phases, stride as i64, small(kernel)?, small(dilation)? as i64, small(begin)? as i64);
            Ok(Dimension { input, output, stride, phases, runs })
        })
        .collect()
}

/// Every choice of one run for each dimension.
fn choices(dimensions: &[Dimension]) -> Vec<Vec<&Run>> {
    let mut choices = vec![Vec::new()];
    for dimension in dimensions {
        let with =
            |choice: &Vec<_>| dimension.runs.iter().map(|run| [choice.as_slice(), &[run]].concat()).collect::<Vec<_>>();
        choices = choices.iter().flat_map(with).collect();
    }
    choices
}

/// ONNX ConvTranspose-11. `x` is [N, C, D...], `w` is [C, M/group, K...].
pub(super) fn conv_transpose(node: &mut OperatorNode) -> Results {
    let shape = node.shape(node.operand(0)?)?;
    let weight = node.shape(node.operand(1)?)?;
    let group = usize::try_from(attributes::group(node.operation)?).unwrap_or(0);
    let (Some(&channels), Some(&depth), Some(&each)) = (shape.get(1), weight.first(), weight.get(1)) else {
        return Err(node.invalid("its operands have no channels"));
    };
    if group == 0 || depth != channels || !channels.is_multiple_of(group) {
        let reason = format!("{channels} channels in {group} groups do not fit weights of shape {weight:?}");
        return Err(node.invalid(reason));
    }
    let dimensions = dimensions(node)?;
    let parts: usize = dimensions.iter().map(|dimension| dimension.runs.len()).product();
    if parts > MOST_CONVOLUTIONS {
        return Err(node.unsupported(format!("strides and dilations that make {parts} convolutions")));
    }
    let borders: Vec<(usize, usize)> = dimensions.iter().map(Dimension::border).collect();
    let input = surrounded(node, node.operand(0)?, &borders, Scalar::Integer(0))?;
    let transposed = Transposed { group, channels, maps: each * group, dimensions, borders, input };
    let stacked = transposed.stacked(node)?;
    transposed.interleaved(node, stacked)
}

struct Transposed {
    group: usize,
    channels: usize,
    maps: usize,
    dimensions: Vec<Dimension>,
    /// Of the input: zeros before it, and its size with zeros.
    borders: Vec<(usize, usize)>,
    /// With these zeros.
    input: GraphTensorId,
}

impl Transposed {
    /// N, M and then these sizes.
    fn shape(&self, node: &OperatorNode, sizes: impl IntoIterator<Item = usize>) -> Result<Vec<usize>, Error> {
        let samples = node.result_shape()?.first().copied().unwrap_or(1);
        Ok([samples, self.maps].into_iter().chain(sizes).collect())
    }

    fn lengths(&self) -> impl Iterator<Item = usize> {
        self.dimensions.iter().map(Dimension::length)
    }

    /// All phases, one after the other: `[N, M, phases..., lengths...]`.
    fn stacked(&self, node: &mut OperatorNode) -> Result<GraphTensorId, Error> {
        let choices = choices(&self.dimensions);
        if let [all] = choices.as_slice() {
            return self.convolution(node, all);
        }
        let phases = self.dimensions.iter().map(|dimension| dimension.phases);
        let shape = self.shape(node, phases.chain(self.lengths()))?;
        let stacked = node.temporary(node.result_element()?, &shape)?;
        for choice in choices {
            let part = self.convolution(node, &choice)?;
            let mut offset = vec![0; shape.len()];
            offset.iter_mut().skip(2).zip(&choice).for_each(|(offset, run)| *offset = run.first);
            let extents = node.shape(part)?;
            let body = node.graph.load(part, axes(0, extents.len()));
            node.fill_region(stacked, offset, &extents, body)?;
        }
        Ok(stacked)
    }

    /// The phases of these runs: `[N, M, counts..., lengths...]`.
    fn convolution(&self, node: &mut OperatorNode, runs: &[&Run]) -> Result<GraphTensorId, Error> {
        let counts: Vec<usize> = runs.iter().map(|run| run.count).collect();
        let result = self.shape(node, counts.iter().copied().chain(self.lengths()))?;
        if runs.iter().any(|run| run.taps.is_empty()) {
            return self.without_products(node, &result);
        }
        // The phases are maps of their own, beside each other.
        let each: usize = counts.iter().product();
        let kernel: Vec<usize> = runs.iter().map(|run| run.taps.len()).collect();
        let groups = Groups { group: self.group, channels: self.channels, maps: self.maps * each, kernel: &kernel };
        let rank = runs.len();
        let products = Products {
            input: self.input,
            weight: self.weights(node, runs, &kernel)?,
            bias: self.biases(node, each)?,
            cells: &|output, kernel| {
                let at = |(d, (run, border)): (usize, (&&Run, &(usize, usize)))| {
                    let (first, step) = line(run.taps.iter().map(|tap| tap.input));
                    axis(output + d) + axis(kernel + d) * step + (first + border.0 as i64)
                };
                runs.iter().zip(&self.borders).enumerate().map(at).collect()
            },
            weight_at: &|channels, kernel| {
                let mut at = vec![channels.channel.clone(), channels.map_in_group.clone()];
                at.extend(axes(kernel, rank));
                at
            },
        };
        let mut shape: Vec<usize> = result.iter().take(1).copied().chain([self.maps * each]).collect();
        shape.extend(self.lengths());
        let extents = groups.grouped(&shape).unwrap_or(shape);
        let output = node.temporary(node.result_element()?, &extents)?;
        groups.sum(node, &products, output)?;
        node.graph.add_view("", output, &result)
    }

    /// The weights of these runs: `[C, M/group * counts, taps...]`.
    fn weights(&self, node: &mut OperatorNode, runs: &[&Run], taps: &[usize]) -> Result<GraphTensorId, Error> {
        let (rank, maps) = (runs.len(), self.maps / self.group);
        let counts = || runs.iter().map(|run| run.count);
        let extents: Vec<usize> =
            [self.channels, maps].into_iter().chain(counts()).chain(taps.iter().copied()).collect();
        let mut at = axes(0, 2);
        at.extend(runs.iter().enumerate().map(|(d, run)| {
            let (first, step) = line(run.taps.iter().map(|tap| tap.kernel));
            axis(2 + d) + axis(2 + rank + d) * step + first
        }));
        let value = node.graph.load(node.operand(1)?, at);
        let filled = node.fill(&extents, value)?;
        let shape = [self.channels, maps * counts().product::<usize>()];
        let shape: Vec<usize> = shape.into_iter().chain(taps.iter().copied()).collect();
        node.graph.add_view("", filled, &shape)
    }

    /// The bias of every map, `each` times.
    fn biases(&self, node: &mut OperatorNode, each: usize) -> Result<Option<GraphTensorId>, Error> {
        let Some(bias) = node.optional_operand(2) else { return Ok(None) };
        let value = node.graph.load(bias, vec![axis(0)]);
        let filled = node.fill(&[self.maps, each], value)?;
        node.graph.add_view("", filled, &[self.maps * each]).map(Some)
    }

    /// Phases that no cell of the kernel reaches have the bias alone.
    fn without_products(&self, node: &mut OperatorNode, shape: &[usize]) -> Result<GraphTensorId, Error> {
        let element = node.result_element()?;
        let value = match node.optional_operand(2) {
            Some(bias) => wide(node.graph.load(bias, vec![axis(1)])),
            None => wide(constant(element, Scalar::Integer(0))),
        };
        let value = node.activate(value)?.cast(element);
        node.fill(shape, value)
    }

    /// The node's result from `[N, M, phases..., lengths...]`.
    fn interleaved(&self, node: &mut OperatorNode, stacked: GraphTensorId) -> Results {
        let rank = self.dimensions.len();
        let pairs = self.dimensions.iter().flat_map(|dimension| [dimension.length(), dimension.phases]);
        let extents = self.shape(node, pairs)?;
        let at = |d: usize| -> Expression { axis(2 + 2 * (d % rank) + usize::from(d < rank)) };
        let at: Vec<Expression> = axes(0, 2).into_iter().chain((0..2 * rank).map(at)).collect();
        let value = node.graph.load(stacked, at);
        let filled = node.fill(&extents, value)?;
        let sizes = self.dimensions.iter().map(|dimension| dimension.length() * dimension.phases);
        let (whole, result) = (self.shape(node, sizes)?, node.result_shape()?);
        if whole == result {
            return Ok(vec![node.graph.add_view(&node.name, filled, &result)?]);
        }
        let whole = node.graph.add_view("", filled, &whole)?;
        let value = node.graph.load(whole, axes(0, result.len()));
        node.fill_result(value)
    }
}

/// The first of evenly spaced values, and the distance from one to the next.
fn line(mut values: impl Iterator<Item = i64>) -> (i64, i64) {
    let first = values.next().unwrap_or(0);
    (first, values.next().map_or(0, |second| second - first))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every phase by itself: which cells of the kernel reach it, and from where.
    #[test]
    fn phases_have_the_cells_that_reach_them() {
        for (stride, kernel, dilation, begin) in windows(5, 6, 4, 4) {
            for phases in 1..=stride {
                let runs = runs(phases, stride as i64, kernel, dilation, begin);
                let of_run = |run: &Run, number: usize| -> Vec<(i64, i64)> {
                    run.taps.iter().map(|tap| (tap.input, tap.kernel + number as i64)).collect()
                };
                let found = runs
                    .iter()
                    .flat_map(|run| (0..run.count).map(move |number| (run.first + number, of_run(run, number))));
                let expected = (0..phases).map(|phase| {
                    let reaches = |cell: &i64| (phase as i64 + begin - cell * dilation) % stride as i64 == 0;
                    let input = |cell: i64| (phase as i64 + begin - cell * dilation) / stride as i64;
                    (
                        phase,
                        (0..kernel as i64).rev().filter(reaches).map(|cell| (input(cell), cell)).collect::<Vec<_>>(),
                    )
                });
                assert!(found.eq(expected), "{stride} {kernel} {dilation} {begin}");
            }
        }
    }

    /// All windows up to these sizes.
    fn windows(
        stride: usize,
        kernel: usize,
        dilation: i64,
        begin: i64,
    ) -> impl Iterator<Item = (usize, usize, i64, i64)> {
        let sizes = (1..=stride).flat_map(move |stride| (1..=kernel).map(move |kernel| (stride, kernel)));
        let steps = move || (1..=dilation).flat_map(move |dilation| (0..=begin).map(move |begin| (dilation, begin)));
        sizes.flat_map(move |(stride, kernel)| steps().map(move |(dilation, begin)| (stride, kernel, dilation, begin)))
    }

    #[test]
    fn a_stride_far_beyond_the_kernel_has_few_runs() {
        let runs = runs(1 << 40, 1 << 40, 3, 1, 0);
        let shapes: Vec<(usize, usize, usize)> =
            runs.iter().map(|run| (run.first, run.count, run.taps.len())).collect();
        assert_eq!(shapes, [(0, 3, 1), (3, (1 << 40) - 3, 0)]);
    }
}
