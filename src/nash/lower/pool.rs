//! Pools. A window that does not fit in L1M is walked in parts that hand on a maximum or a sum.

use super::super::isa::{self, Clamp, Count, Engine, View};
use super::super::region::{Extent, RegionWindow};
use super::super::tile::emitter::{EmitError, Emitter};
use super::super::tile::{Axis, TileDimension, TileOperand, TilePlacement, TileStep, Tiled, product};
use super::constants::count_entry;
use super::convolution::partial;
use super::{Builder, LowerError, Steps, limits, scale, unsupported};
use crate::bpu::model::{AveragePool, BpuElement, BpuNode, BpuTensor, MaxPool, average_pool_counts};
use crate::numerics::average_multiplier;
use crate::target::Target;

const BATCH: usize = 0;
const ROW: usize = 1;
const COLUMN: usize = 2;
const CHANNEL: usize = 3;
const KERNEL_ROW: usize = 4;
const KERNEL_COLUMN: usize = 5;

/// What is done with the cells of a window.
enum Kind {
    /// Operands: x, y.
    Maximum,
    /// Operands: x, sums, table, y. The table begins with the counts `minimum`.
    Average { kernel: [u32; 2], pads: [usize; 2], extent: [u32; 2], minimum: [u32; 2] },
}

struct Form {
    kind: Kind,
    axes: Vec<Axis>,
    operands: Vec<TileOperand>,
    windows: [RegionWindow; 2],
    sizes: [usize; 2],
    input_element: BpuElement,
    output_element: BpuElement,
    /// Of input and output.
    zero_points: [i32; 2],
    clamp: Clamp,
}

/// The loops of a pool and how its input and output follow them.
struct Frame {
    axes: Vec<Axis>,
    input: Vec<TileDimension>,
    output: Vec<TileDimension>,
    windows: [RegionWindow; 2],
    sizes: [usize; 2],
}

fn frame(
    node: &BpuNode,
    [x, y]: [&BpuTensor; 2],
    kernel: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
    pads: [usize; 4],
) -> Result<Frame, LowerError> {
    let (&[batch, height, width, channels], &[_, rows, columns, _]) = (x.shape.as_slice(), y.shape.as_slice()) else {
        return Err(unsupported(node, "input and result must have rank 4"));
    };
    let [kernel_rows, kernel_columns] = kernel;
    let window =
        |axis: usize| RegionWindow { stride: strides[axis], dilation: dilations[axis], pad_before: pads[axis] };
    let windows = [window(0), window(1)];
    let slide = |axis: usize, output, tap, size| TileDimension::Window { output, tap, window: windows[axis], size };
    Ok(Frame {
        axes: vec![
            Axis::new("batch", batch),
            Axis::new("row", rows),
            Axis::new("column", columns),
            Axis::new("channel", channels),
            Axis::reduction("kernel row", kernel_rows),
            Axis::reduction("kernel column", kernel_columns),
        ],
        input: vec![
            TileDimension::Axis(BATCH),
            slide(0, ROW, KERNEL_ROW, height),
            slide(1, COLUMN, KERNEL_COLUMN, width),
            TileDimension::Axis(CHANNEL),
        ],
        output: [BATCH, ROW, COLUMN, CHANNEL].map(TileDimension::Axis).to_vec(),
        windows,
        sizes: [height, width],
    })
}

pub fn lower_max(builder: &mut Builder<'_>, node: &BpuNode, pool: &MaxPool) -> Result<Steps, LowerError> {
    let ((x, x_at), (y, y_at)) = (builder.input(node, 0)?, builder.output(node)?);
    let frame = frame(node, [x, y], pool.kernel, pool.strides, pool.dilations, pool.pads)?;
    Ok(vec![Box::new(Form {
        kind: Kind::Maximum,
        axes: frame.axes,
        operands: vec![TileOperand::read(x_at, frame.input), TileOperand::write(y_at, frame.output)],
        windows: frame.windows,
        sizes: frame.sizes,
        input_element: x.element,
        output_element: y.element,
        zero_points: [x, y].map(|tensor| tensor.scale.zero_point()),
        clamp: limits(node, y)?,
    })])
}

/// A table has an entry for each pair of counts between the least and the greatest; more would not be sensible.
const MAX_TABLE_ENTRIES: usize = 1 << 20;

pub fn lower_average(builder: &mut Builder<'_>, node: &BpuNode, pool: &AveragePool) -> Result<Steps, LowerError> {
    let ((x, x_at), (y, y_at)) = (builder.input(node, 0)?, builder.output(node)?);
    let frame = frame(node, [x, y], pool.kernel, pool.strides, [1, 1], pool.pads)?;
    let counts = if pool.count_include_pad {
        // Every window counts whole.
        pool.kernel.map(|size| vec![size])
    } else {
        average_pool_counts(&x.shape, pool).map_err(|error| unsupported(node, error.0))?
    };
    let lowest = counts.each_ref().map(|counts| counts.iter().copied().min().unwrap_or(1));
    let highest = counts.each_ref().map(|counts| counts.iter().copied().max().unwrap_or(1));
    let shape = [highest[0] - lowest[0] + 1, highest[1] - lowest[1] + 1];
    if shape[0].saturating_mul(shape[1]) > MAX_TABLE_ENTRIES {
        return Err(unsupported(node, format!("its windows have {} x {} different sizes", shape[0], shape[1])));
    }
    let (x_scale, y_scale) = (scale(node, x)?, scale(node, y)?);
    let mut table = Vec::new();
    for rows in lowest[0]..=highest[0] {
        for columns in lowest[1]..=highest[1] {
            let count = rows.checked_mul(columns).and_then(|count| u32::try_from(count).ok());
            let count = count.ok_or_else(|| unsupported(node, "its window has more than 2^32 cells"))?;
            let multiplier = average_multiplier(x_scale, y_scale, count)
                .map_err(|error| unsupported(node, format!("average of {count} cells: {error}")))?;
            table.extend(count_entry(multiplier));
        }
    }
    let table = TilePlacement::dense(builder.image.add(table.as_slice()), &shape, 8);
    let narrow = |sizes: [usize; 2]| -> Result<[u32; 2], LowerError> {
        let fail = |_| unsupported(node, "a size of its window or input does not fit 32 bits");
        Ok([u32::try_from(sizes[0]).map_err(fail)?, u32::try_from(sizes[1]).map_err(fail)?])
    };
    let (pads, extent) = if pool.count_include_pad {
        // Counted from the first window on, with a region that no window leaves.
        let reach = |axis: usize| {
            let outputs = y.shape.get(axis + 1).copied().unwrap_or(1);
            outputs.saturating_mul(pool.strides[axis]).saturating_add(pool.kernel[axis])
        };
        ([0; 2], [reach(0), reach(1)])
    } else {
        ([pool.pads[0], pool.pads[1]], frame.sizes)
    };
    let kind = Kind::Average { kernel: narrow(pool.kernel)?, pads, extent: narrow(extent)?, minimum: narrow(lowest)? };
    // A tile needs the entries of the counts that its windows have.
    let entries = |axis: usize, output: usize| {
        let size = frame.axes.get(output).map_or(1, |axis| axis.size);
        // One count stands for all outputs when padding counts too.
        let count =
            |cell: usize| counts[axis].get(cell).or(counts[axis].first()).map_or(0, |count| count - lowest[axis]);
        let ranges = (0..size).map(count).map(|entry| Extent::new(entry, entry + 1)).collect();
        TileDimension::Table { output, ranges }
    };
    let operands = vec![
        TileOperand::read(x_at, frame.input),
        TileOperand::accumulator(4, frame.output.clone()),
        TileOperand::read(table, vec![entries(0, ROW), entries(1, COLUMN)]),
        TileOperand::write(y_at, frame.output),
    ];
    Ok(vec![Box::new(Form {
        kind,
        axes: frame.axes,
        operands,
        windows: frame.windows,
        sizes: frame.sizes,
        input_element: x.element,
        output_element: y.element,
        zero_points: [x, y].map(|tensor| tensor.scale.zero_point()),
        clamp: limits(node, y)?,
    })])
}

impl Form {
    /// How the window slides over the tile.
    fn window(&self, step: &TileStep<'_>) -> Result<isa::Window, EmitError> {
        sliding(step, &self.windows, &self.sizes, [(ROW, KERNEL_ROW), (COLUMN, KERNEL_COLUMN)])
    }
}

/// The window of an instruction for a tile: `loops` are (output, tap) of rows and columns.
pub fn sliding(
    step: &TileStep<'_>,
    windows: &[RegionWindow; 2],
    sizes: &[usize; 2],
    loops: [(usize, usize); 2],
) -> Result<isa::Window, EmitError> {
    let mut result = isa::Window { kernel: [1; 2], strides: [1; 2], dilations: [1; 2], pads: [0; 2] };
    let narrow = |value: usize| u32::try_from(value).map_err(|_| EmitError::Address);
    for (axis, ((output, tap), window)) in loops.into_iter().zip(windows).enumerate() {
        let taps = step.tile.axis(tap);
        let halo = window.backward(step.tile.axis(output), taps, sizes[axis]);
        result.kernel[axis] = narrow(taps.len())?;
        result.strides[axis] = narrow(window.stride)?;
        result.dilations[axis] = narrow(window.dilation)?;
        result.pads[axis] = i32::try_from(halo.pad_before).map_err(|_| EmitError::Address)?;
    }
    Ok(result)
}

impl Tiled for Form {
    fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn operands(&self) -> &[TileOperand] {
        &self.operands
    }

    fn engine(&self) -> Engine {
        Engine::Aae
    }

    fn cycles(&self, target: &Target, tile: &[usize]) -> u64 {
        // Every cell of every window.
        target.pool_cycles(product(tile, self.input_element.bytes() as usize))
    }

    fn emit(&self, step: &TileStep<'_>, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        let x = step.operand(0)?;
        let y = step.operand(self.operands.len().saturating_sub(1))?;
        let window = self.window(step)?;
        match &self.kind {
            Kind::Maximum => emitter.push(isa::MaxPool {
                input_shape: x.shape4(),
                output_shape: y.shape4(),
                window,
                element: self.output_element,
                input: x.view4(),
                accumulate: (!step.first).then(|| y.view4()),
                output: y.view4(),
            }),
            Kind::Average { kernel, pads, extent, minimum } => {
                let (sums, table) = (step.operand(1)?, step.operand(2)?);
                let mut shifted = [0i32; 2];
                for (axis, (entry, loop_)) in shifted.iter_mut().zip([ROW, COLUMN]).enumerate() {
                    let start = step.tile.axis(loop_).start.checked_mul(self.windows[axis].stride);
                    let start = start.and_then(|start| i64::try_from(start).ok()).ok_or(EmitError::Address)?;
                    let pad = i64::try_from(pads[axis]).map_err(|_| EmitError::Address)?;
                    *entry = i32::try_from(pad - start).map_err(|_| EmitError::Address)?;
                }
                let mut first = *minimum;
                for (axis, entry) in first.iter_mut().enumerate() {
                    let skipped = u32::try_from(table.region.axis(axis).start).map_err(|_| EmitError::Address)?;
                    *entry = entry.checked_add(skipped).ok_or(EmitError::Address)?;
                }
                let count = Count {
                    kernel: *kernel,
                    pads: shifted,
                    extent: *extent,
                    minimum: first,
                    shape: [table.size(0), table.size(1)],
                    table: View::new(table.address, [table.stride(0), table.stride(1)]),
                };
                emitter.push(isa::AveragePool {
                    input_shape: x.shape4(),
                    output_shape: y.shape4(),
                    window,
                    input_element: self.input_element,
                    input: x.view4(),
                    accumulate: (!step.first).then(|| sums.view4()),
                    count: step.last.then_some(count),
                    output_element: if step.last { self.output_element } else { BpuElement::I32 },
                    zero_points: partial(self.zero_points, step.last),
                    clamp: self.clamp,
                    output: if step.last { y.view4() } else { sums.view4() },
                })
            }
        }
    }
}
