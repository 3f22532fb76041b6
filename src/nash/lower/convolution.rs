//! Convolutions: dense, grouped, depthwise.

use super::super::isa::{self, Clamp, Convolution as Instruction, Engine, Products, View};
use super::super::region::RegionWindow;
use super::super::tile::emitter::{EmitError, Emitter};
use super::super::tile::{Axis, Bound, TileDimension, TileMemory, TileOperand, TilePlacement, TileStep, Tiled};
use super::constants::{integers, parameter};
use super::pool::sliding;
use super::{Builder, LowerError, Steps, limits, scale, unsupported};
use crate::bpu::model::{BpuElement, BpuNode, BpuTensor, Convolution};
use crate::numerics::Multiplier;
use crate::target::Target;

const BATCH: usize = 0;
const GROUP: usize = 1;
const ROW: usize = 2;
const COLUMN: usize = 3;
/// Output channel within a group.
const OUTPUT: usize = 4;
const KERNEL_ROW: usize = 5;
const KERNEL_COLUMN: usize = 6;
/// Input channel within a group.
const INPUT: usize = 7;

/// Positions in [`Form::operands`].
const X: usize = 0;
/// Before the weights, as in the constants: so they are loaded together with the first of these.
const PARAMETERS: usize = 1;
const WEIGHTS: usize = 2;
const SUMS: usize = 3;
const Y: usize = 4;

/// A convolution by its loops. Splitting kernel or input channels makes partial sums.
struct Form {
    axes: Vec<Axis>,
    operands: Vec<TileOperand>,
    depthwise: bool,
    /// Rows, columns.
    windows: [RegionWindow; 2],
    sizes: [usize; 2],
    input_channels: usize,
    output_channels: usize,
    input_element: BpuElement,
    output_element: BpuElement,
    /// Of input and output.
    zero_points: [i32; 2],
    clamp: Clamp,
}

/// The parameter blocks of all output channels, as a constant of shape [O, 3] of 32-bit words.
pub fn parameters(
    builder: &mut Builder<'_>,
    node: &BpuNode,
    [x, w, y]: [&BpuTensor; 3],
    bias: Option<&BpuTensor>,
    channels: usize,
) -> Result<TileMemory, LowerError> {
    let mut biases = bias.and_then(|bias| bias.data.as_deref()).map(|data| integers(data).collect::<Vec<i32>>());
    if bias.is_some() && biases.is_none() {
        return Err(unsupported(node, "its bias is not a constant"));
    }
    let x_scale = scale(node, x)?;
    let mut bytes = Vec::with_capacity(channels.saturating_mul(12));
    for channel in 0..channels {
        let multiplier = if y.element == BpuElement::I32 {
            // The result is the accumulator itself.
            Multiplier::ONE
        } else {
            let w_scale = w.scale.of_channel(channel);
            let w_scale = w_scale.ok_or_else(|| unsupported(node, format!("weight channel {channel} has no scale")))?;
            Multiplier::of_product(x_scale, w_scale, scale(node, y)?)
                .map_err(|error| unsupported(node, format!("output channel {channel}: {error}")))?
        };
        let bias = biases.as_mut().map_or(Some(0), |biases| biases.get(channel).copied());
        let bias = bias.ok_or_else(|| unsupported(node, format!("its bias has no value for channel {channel}")))?;
        bytes.extend(parameter(bias, multiplier));
    }
    Ok(builder.image.add(bytes.as_slice()))
}

pub fn lower(builder: &mut Builder<'_>, node: &BpuNode, convolution: &Convolution) -> Result<Steps, LowerError> {
    let ((x, x_at), (y, y_at)) = (builder.input(node, 0)?, builder.output(node)?);
    let w = builder.operand(node, 1)?;
    let bias = node.inputs.get(2).map(|&id| builder.tensor(id)).transpose()?;
    let (&[_, height, width, channels], &[filters, kernel_rows, kernel_columns, depth], &[batch, rows, columns, _]) =
        (x.shape.as_slice(), w.shape.as_slice(), y.shape.as_slice())
    else {
        return Err(unsupported(node, "input, weights and result must have rank 4"));
    };
    if w.element != BpuElement::I8 {
        return Err(unsupported(node, format!("the matrix engine takes i8 weights, not {}", w.element)));
    }
    let group = convolution.group.max(1);
    let parameters = parameters(builder, node, [x, w, y], bias, filters)?;
    let (_, w_at) = builder.input(node, 1)?;
    let depthwise = group == channels && group == filters && group > 1;
    let (groups, outputs) = if depthwise { (1, filters) } else { (group, filters / group) };
    let lanes = builder.lanes();
    let window = |axis: usize| RegionWindow {
        stride: convolution.strides[axis],
        dilation: convolution.dilations[axis],
        pad_before: convolution.pads[axis],
    };
    let windows = [window(0), window(1)];
    let slide = |axis: usize, output, tap, size| TileDimension::Window { output, tap, window: windows[axis], size };
    let channel = |inner, per_group| {
        if depthwise { TileDimension::Axis(OUTPUT) } else { TileDimension::Grouped { group: GROUP, inner, per_group } }
    };
    let filter = channel(OUTPUT, outputs);
    let result =
        vec![TileDimension::Axis(BATCH), TileDimension::Axis(ROW), TileDimension::Axis(COLUMN), filter.clone()];
    let input = vec![
        TileDimension::Axis(BATCH),
        slide(0, ROW, KERNEL_ROW, height),
        slide(1, COLUMN, KERNEL_COLUMN, width),
        channel(INPUT, depth),
    ];
    let weights = vec![
        filter.clone(),
        TileDimension::Axis(KERNEL_ROW),
        TileDimension::Axis(KERNEL_COLUMN),
        TileDimension::Axis(INPUT),
    ];
    let operands = vec![
        TileOperand::read(x_at, input),
        TileOperand::read(TilePlacement::dense(parameters, &[filters, 3], 4), vec![filter, TileDimension::Fixed(3)]),
        TileOperand::read(w_at, weights),
        TileOperand::accumulator(4, result.clone()),
        TileOperand::write(y_at, result),
    ];
    let axes = vec![
        Axis::new("batch", batch),
        Axis::new("group", groups),
        Axis::new("row", rows),
        Axis::new("column", columns),
        Axis::new("output channel", outputs).granule(lanes.output),
        Axis::reduction("kernel row", kernel_rows),
        Axis::reduction("kernel column", kernel_columns),
        Axis::reduction("input channel", depth).granule(lanes.input),
    ];
    Ok(vec![Box::new(Form {
        axes,
        operands,
        depthwise,
        windows,
        sizes: [height, width],
        input_channels: depth,
        output_channels: outputs,
        input_element: x.element,
        output_element: y.element,
        zero_points: [x, y].map(|tensor| tensor.scale.zero_point()),
        clamp: limits(node, y)?,
    })])
}

/// Moves a view along its channels.
fn from_channel(bound: &Bound, dimension: usize, channel: usize) -> Result<isa::View<4>, EmitError> {
    let mut view = bound.view4();
    let step = i64::try_from(channel).ok().and_then(|channel| channel.checked_mul(i64::from(bound.stride(dimension))));
    let address = step.and_then(|step| u32::try_from(i64::from(view.address) + step).ok());
    view.address = address.ok_or(EmitError::Address)?;
    Ok(view)
}

/// The zero points of an instruction that makes results, or only sums, which have none.
pub fn partial([input, output]: [i32; 2], last: bool) -> [i32; 2] {
    [input, if last { output } else { 0 }]
}

impl Form {
    /// One instruction for the group-th group of the tile.
    fn group(&self, step: &TileStep<'_>, group: usize) -> Result<Instruction, EmitError> {
        let (x, y) = (step.operand(X)?, step.operand(Y)?);
        let (input_channels, output_channels) = if self.depthwise {
            (step.tile.axis(OUTPUT).len(), step.tile.axis(OUTPUT).len())
        } else {
            (step.tile.axis(INPUT).len(), step.tile.axis(OUTPUT).len())
        };
        let with = |mut shape: [u32; 4], channels: usize| {
            shape[3] = u32::try_from(channels).map_err(|_| EmitError::Address)?;
            Ok::<_, EmitError>(shape)
        };
        let first_output = group * self.output_channels;
        let sums = step.operand(SUMS)?;
        let parameters = step.operand(PARAMETERS)?;
        let skip = i64::try_from(first_output).map_err(|_| EmitError::Address)? * i64::from(parameters.stride(0));
        let parameters_at = u32::try_from(i64::from(parameters.address) + skip).map_err(|_| EmitError::Address)?;
        let output = if step.last { y } else { sums };
        let sums_view = from_channel(sums, 3, first_output)?;
        Ok(Instruction {
            depthwise: self.depthwise,
            input_shape: with(x.shape4(), input_channels)?,
            output_shape: with(y.shape4(), output_channels)?,
            window: sliding(step, &self.windows, &self.sizes, [(ROW, KERNEL_ROW), (COLUMN, KERNEL_COLUMN)])?,
            input_element: self.input_element,
            input: from_channel(x, 3, group * self.input_channels)?,
            weights: from_channel(step.operand(WEIGHTS)?, 0, first_output)?,
            accumulate: (!step.first).then_some(sums_view),
            parameters: step.last.then(|| View::new(parameters_at, [parameters.stride(0)])),
            output_element: if step.last { self.output_element } else { BpuElement::I32 },
            zero_points: partial(self.zero_points, step.last),
            clamp: self.clamp,
            output: from_channel(output, 3, first_output)?,
        })
    }
}

impl Tiled for Form {
    fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn operands(&self) -> &[TileOperand] {
        &self.operands
    }

    fn orders(&self) -> Vec<Vec<usize>> {
        let reduction = [KERNEL_ROW, KERNEL_COLUMN, INPUT];
        // The input stays while the weights pass by, and the other way round.
        let input_stays = [BATCH, ROW, COLUMN, GROUP, OUTPUT];
        let weights_stay = [GROUP, OUTPUT, BATCH, ROW, COLUMN];
        [input_stays, weights_stay].iter().map(|outer| outer.iter().chain(&reduction).copied().collect()).collect()
    }

    fn legal(&self, tile: &[usize]) -> bool {
        let size = |axis: usize| tile.get(axis).copied().unwrap_or(1);
        size(GROUP) <= 1 || (size(OUTPUT) == self.output_channels && size(INPUT) == self.input_channels)
    }

    fn engine(&self) -> Engine {
        Engine::Tae
    }

    fn cycles(&self, target: &Target, tile: &[usize]) -> u64 {
        let size = |axis: usize| tile.get(axis).copied().unwrap_or(1);
        let products =
            |axes: &[usize]| axes.iter().fold(1u128, |product, &axis| product.saturating_mul(size(axis) as u128));
        let group = target.convolution_cycles(&Products {
            input_channels: size(INPUT) as u128,
            output_channels: size(OUTPUT) as u128,
            pixels: products(&[BATCH, ROW, COLUMN]),
            taps: products(&[KERNEL_ROW, KERNEL_COLUMN]),
            is_wide: self.input_element != BpuElement::I8,
        });
        group.saturating_mul(size(GROUP) as u64)
    }

    fn emit(&self, step: &TileStep<'_>, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        // The views begin at the tile's first group.
        (0..step.tile.axis(GROUP).len()).try_for_each(|group| emitter.push(self.group(step, group)?))
    }
}
