//! TAE: puts the operands of a convolution in the order that kernels want, unless they are.
//!
//! Indexing below is into slices whose sizes follow from the instruction's shapes, which validation has checked.

use crate::nash::isa::{Convolution, View};
use crate::sim::machine::Fault;
use crate::team::TeamRun;

use super::kernel::{Level, STEP};
use super::pack::{self, Parameters, Weights, gather};
use super::rows::{Job, Tile};
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
    zeros: Vec<u8>,
}

/// What was known of an instruction before it ran.
#[derive(Default)]
pub(super) struct Prepared {
    /// Nothing needs what it does.
    pub idle: bool,
    pub weights: Option<std::sync::Arc<Weights>>,
    pub parameters: Option<Parameters>,
}

/// Whether this convolution is for the kernels.
pub(super) fn is_supported(o: &Convolution) -> bool {
    pack::is_worth_packing(o)
}

pub(super) fn convolution(
    team: &mut TeamRun<'_>,
    memory: &mut [u8],
    level: Level,
    scratch: &mut Scratch,
    o: &Convolution,
    prepared: &Prepared,
) -> Result<(), Fault> {
    let Scratch { weights, parameters, starts, input, output, sums, zeros } = scratch;
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
    let input_bytes = o.input_element.bytes();
    let cell = o.input_shape[3] as usize * input_bytes as usize;
    // Only int8 has zero points.
    zeros.clear();
    zeros.resize(cell.next_multiple_of(STEP), o.zero_points[0] as u8);
    let has_gaps = o.input.strides[3] != input_bytes as i32 && o.input_shape[3] > 1;
    let gathered = has_gaps || !o.depthwise && !cell.is_multiple_of(STEP);
    let in_place =
        output_range(o).filter(|range| gathered || !overlaps(range, &span(&o.input, &o.input_shape, input_bytes)));
    let element = o.output_element.bytes();
    let shape = [0, 1, 2].map(|axis| o.output_shape[axis] as usize);
    let job = |input, step| Job { o, level, input, weights, starts, parameters, accumulate, step, shape };
    let cell = if gathered { gather(memory, &o.input, &o.input_shape, input_bytes, input)? } else { cell };
    let size = [o.input_shape[1], o.input_shape[2]].map(i64::from);
    let tile = |bytes, start, strides| Tile { bytes, start, strides, size, cell, zeros: &zeros[..cell] };
    let packed = || {
        let [_, rows, columns, _] = o.input_shape.map(i64::from);
        let column = cell as i64;
        tile(input.as_slice(), 0, [rows * columns * column, columns * column, column])
    };
    let strides = [o.input.strides[0], o.input.strides[1], o.input.strides[2]].map(i64::from);
    let Some(range) = in_place else {
        let cells: usize = o.output_shape.iter().map(|size| *size as usize).product();
        output.clear();
        output.resize(cells * element as usize, 0);
        let view = View::contiguous(0, o.output_shape, element);
        let tile = if gathered { packed() } else { tile(memory, o.input.address.into(), strides) };
        job(tile, view.strides[2] as usize).run(team, output, view.strides[1] as usize, view.strides[0] as usize);
        return pack::scatter(output, element, memory, &o.output, &o.output_shape);
    };
    // The input lies before or after the output.
    let (before, rest) = memory.split_at_mut_checked(range.start).ok_or_else(outside)?;
    let (results, after) = rest.split_at_mut_checked(range.len()).ok_or_else(outside)?;
    let address = o.input.address as usize;
    let input = if gathered {
        packed()
    } else if address < range.start {
        tile(before, address as i64, strides)
    } else {
        tile(after, address as i64 - range.end as i64, strides)
    };
    job(input, o.output.strides[2] as usize).run(
        team,
        results,
        o.output.strides[1] as usize,
        o.output.strides[0] as usize,
    );
    Ok(())
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

/// The bytes of the output where its rows follow one another, so that they can be handed out to threads.
fn output_range(o: &Convolution) -> Option<std::ops::Range<usize>> {
    let [images, rows, columns, channels] = o.output_shape.map(i64::from);
    let [image, row, column, channel] = o.output.strides.map(i64::from);
    let bytes = i64::from(o.output_element.bytes());
    let cell = channels * bytes;
    let in_order = (channels == 1 || channel == bytes)
        && (columns == 1 || column >= cell)
        && (rows == 1 || row >= (columns - 1) * column.max(0) + cell)
        && (images == 1 || image >= rows * row && image % row.max(1) == 0);
    let range = span(&o.output, &o.output_shape, o.output_element.bytes());
    (in_order && row >= 0 && column >= 0)
        .then_some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}
