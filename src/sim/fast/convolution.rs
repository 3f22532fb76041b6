//! TAE: puts the operands of a convolution in the order that kernels want, unless they are.
//!
//! Indexing below is into slices whose sizes follow from the instruction's shapes, which validation has checked, and `merge` for joined ones.

use std::sync::Mutex;

use crate::nash::isa::{BpuElement, Convolution, View};
use crate::numerics::Destination;
use crate::sim::machine::Fault;
use crate::team::TeamRun;

use super::dense::DenseJob;
use super::depthwise::DepthwiseJob;
use super::kernel::{Level, lanes};
use super::pack::{self, Parameters, Weights};
use super::panel::{self, Panel, PanelSource, Tile};
use super::walk::outside;

/// Memory that convolutions use besides L1M; kept between instructions, so that running allocates nothing.
#[derive(Default)]
pub(super) struct Scratch {
    weights: Weights,
    parameters: Parameters,
    starts: Vec<i32>,
    input: Vec<u8>,
    output: Vec<u8>,
    sums: Vec<i32>,
    /// One for each thread.
    panels: Vec<Mutex<Panel>>,
}

/// What was known of an instruction before it ran.
#[derive(Default)]
pub(super) struct Prepared {
    pub weights: Option<std::sync::Arc<Weights>>,
    pub parameters: Option<Parameters>,
}

/// Whether this convolution is for the kernels.
pub(super) fn is_supported(o: &Convolution) -> bool {
    pack::is_worth_packing(o) && panel::is_possible(o)
}

pub(super) fn convolution(
    team: &mut TeamRun<'_>,
    memory: &mut [u8],
    level: Level,
    scratch: &mut Scratch,
    o: &Convolution,
    prepared: &Prepared,
) -> Result<(), Fault> {
    let Scratch { weights, parameters, starts, input, output, sums, panels } = scratch;
    let weights = match &prepared.weights {
        Some(weights) => &**weights,
        None => {
            weights.pack(level, memory, o)?;
            &*weights
        }
    };
    let parameters = match (&o.parameters, &prepared.parameters) {
        (None, _) => None,
        (Some(_), Some(known)) => Some(known),
        (Some(view), None) => {
            parameters.read(memory, view, o.output_shape[3])?;
            Some(&*parameters)
        }
    };
    let accumulate = match &o.accumulate {
        Some(view) => {
            pack::read_sums(level, memory, view, &o.output_shape, sums)?;
            Some(&**sums)
        }
        None => None,
    };
    starts.clone_from(&weights.starts);
    if let Some(parameters) = parameters {
        starts.iter_mut().zip(&parameters.bias).for_each(|(start, bias)| *start = start.wrapping_add(*bias));
    }
    let cell = o.input_shape[3] as usize * o.input_element.bytes() as usize;
    panels.resize_with(team.threads().max(panels.len()), Mutex::default);
    let operands = Operands { o, level, weights, starts, parameters, accumulate, panels };
    let input_range = span(&o.input, &o.input_shape, o.input_element.bytes());
    let is_gathered = has_gaps(o);
    let in_place = output_range(o).filter(|range| is_gathered || !overlaps(range, &input_range));
    let size = [o.input_shape[1], o.input_shape[2]].map(i64::from);
    let tile = |bytes, start, strides| Tile { bytes, start, strides, size, cell };
    let strides = [o.input.strides[0], o.input.strides[1], o.input.strides[2]].map(i64::from);
    if is_gathered {
        pack::gather(memory, &o.input, &o.input_shape, o.input_element.bytes(), input)?;
    }
    let packed = || {
        let [_, rows, columns, _] = o.input_shape.map(i64::from);
        let column = cell as i64;
        tile(input.as_slice(), 0, [rows * columns * column, columns * column, column])
    };
    let Some(range) = in_place else {
        let element = o.output_element.bytes();
        let cells: usize = o.output_shape.iter().map(|size| *size as usize).product();
        output.resize(output.len().max(cells * element as usize), 0);
        let output = &mut output[..cells * element as usize];
        let view = View::contiguous(0, o.output_shape, element);
        let tile = if is_gathered { packed() } else { tile(memory, o.input.address.into(), strides) };
        operands.run(team, tile, output, &view);
        return pack::scatter(output, element, memory, &o.output, &o.output_shape);
    };
    // The input lies before or after the output.
    let (before, rest) = memory.split_at_mut_checked(range.start).ok_or_else(outside)?;
    let (results, after) = rest.split_at_mut_checked(range.len()).ok_or_else(outside)?;
    let address = o.input.address as usize;
    let input = if is_gathered {
        packed()
    } else if address < range.start {
        tile(before, address as i64, strides)
    } else {
        tile(after, address as i64 - range.end as i64, strides)
    };
    operands.run(team, input, results, &o.output);
    Ok(())
}

/// What a convolution needs besides input and output.
struct Operands<'a> {
    o: &'a Convolution,
    level: Level,
    weights: &'a Weights,
    starts: &'a [i32],
    parameters: Option<&'a Parameters>,
    accumulate: Option<&'a [i32]>,
    panels: &'a [Mutex<Panel>],
}

impl Operands<'_> {
    /// Computes the results, which lie as a view says whose first byte is the first of them.
    fn run(&self, team: &mut TeamRun<'_>, tile: Tile<'_>, results: &mut [u8], view: &View<4>) {
        let Operands { o, level, weights, starts, parameters, accumulate, panels } = *self;
        let [image, row, column, _] = view.strides.map(|stride| stride as usize);
        // Only int8 has zero points.
        let source =
            PanelSource { level, tile, zero: o.zero_points[0] as u8, offset: level.offset(pack::input(o)) as u8 };
        let strides = [image, row, column];
        let job = ConvolutionJob { o, level, source, weights, starts, parameters, accumulate, strides };
        if o.depthwise {
            return DepthwiseJob(job).run(team, panels, results);
        }
        DenseJob(job).run(team, panels, results);
    }
}

/// A convolution with all that its tasks share.
pub(super) struct ConvolutionJob<'a> {
    pub o: &'a Convolution,
    pub level: Level,
    pub source: PanelSource<'a>,
    pub weights: &'a Weights,
    /// What the sums of each output channel begin with; padded.
    pub starts: &'a [i32],
    pub parameters: Option<&'a Parameters>,
    /// Sums of earlier parts, without gaps.
    pub accumulate: Option<&'a [i32]>,
    /// Bytes from one image, row, column of the output to the next.
    pub strides: [usize; 3],
}

impl ConvolutionJob<'_> {
    /// Where rescaled sums go.
    pub fn destination(&self) -> Destination {
        Destination { zero_point: self.o.zero_points[1], clamp: self.o.clamp }
    }

    /// Writes finished sums as elements of the output.
    pub fn write(&self, sums: &[i32], results: &mut [u8]) {
        match self.o.output_element {
            BpuElement::I8 | BpuElement::U8 => lanes::narrow_i8(self.level, sums, results),
            BpuElement::I16 | BpuElement::F16 => lanes::narrow_i16(self.level, sums, results.as_chunks_mut().0),
            BpuElement::I32 | BpuElement::F32 => lanes::write_words(self.level, sums, results.as_chunks_mut().0),
        }
    }
}

/// Whether kernels cannot take the input as it lies in memory.
fn has_gaps(o: &Convolution) -> bool {
    let [_, _, columns, channels] = o.input_shape.map(i64::from);
    let bytes = i64::from(o.input_element.bytes());
    let [_, _, column, channel] = o.input.strides.map(i64::from);
    channel != bytes && channels > 1 || columns > 1 && column < channels * bytes
}

/// First byte to one past the last one that a view covers.
fn span(view: &View<4>, shape: &[u32; 4], bytes: u32) -> std::ops::Range<i64> {
    let (mut start, mut end) = (i64::from(view.address), i64::from(view.address) + i64::from(bytes));
    for (size, stride) in shape.iter().zip(view.strides) {
        let reach = (i64::from(*size) - 1) * i64::from(stride);
        (start, end) = (start + reach.min(0), end + reach.max(0));
    }
    start..end
}

fn overlaps(a: &std::ops::Range<usize>, b: &std::ops::Range<i64>) -> bool {
    (a.start as i64) < b.end && b.start < a.end as i64
}

/// The bytes of the output where its images, rows and columns each lie behind the one before, so that threads can have parts of it.
fn output_range(o: &Convolution) -> Option<std::ops::Range<usize>> {
    let [images, rows, columns, channels] = o.output_shape.map(i64::from);
    let [image, row, column, channel] = o.output.strides.map(i64::from);
    let bytes = i64::from(o.output_element.bytes());
    let cell = channels * bytes;
    let of_row = (columns - 1) * column.max(0) + cell;
    let of_image = (rows - 1) * row.max(0) + of_row;
    let in_order = (channels == 1 || channel == bytes)
        && (columns == 1 || column >= cell)
        && (rows == 1 || row >= of_row)
        && (images == 1 || image >= of_image);
    let range = span(&o.output, &o.output_shape, o.output_element.bytes());
    (in_order && row >= 0 && column >= 0)
        .then_some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}
