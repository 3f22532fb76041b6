//! Weights and parameters of convolutions, in the order in which the kernels read them.

use crate::nash::isa::{BpuElement, Convolution, View};
use crate::numerics::Multiplier;
use crate::sim::machine::Fault;

use super::depthwise::TapOrder;
use super::kernel::lanes::{ChannelLanes, below_half};
use super::kernel::{
    BLOCK, DEPTHWISE_GROUP, DenseWeights, DepthwiseWeights, Input, LANES, Level, STEP, depthwise_position,
};
use super::panel::cells_per_run;
use super::walk::{Line, Walk, WalkLayout, outside, tile_shape};

/// Packed weights up to this size may consist of filler mostly.
const SMALL: usize = 1 << 20;
/// How much larger than the weights packed ones may be beyond that.
const FILLER: usize = 4;

/// Weights of one convolution, padded with zeros to whole blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Weights {
    /// Of the convolution; weights have its size.
    pub input: Input,
    data: Vec<u8>,
    block_stride: usize,
    /// What the sums of each output channel begin with, so that the zero point and the offset of inputs cancel out; padded.
    pub starts: Vec<i32>,
}

/// What the packing of weights depends on besides their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PackingKey {
    sizes: Sizes,
    zero_point: i32,
}

impl PackingKey {
    pub fn new(o: &Convolution) -> PackingKey {
        PackingKey { sizes: Sizes::new(o), zero_point: o.zero_points[0] }
    }

    /// Of packed weights.
    pub fn bytes(&self) -> usize {
        self.sizes.bytes()
    }
}

/// Sizes of packed weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sizes {
    input: Input,
    outputs: usize,
    taps: usize,
    inputs: usize,
    order: TapOrder,
    /// Dense: kernel cells in a run. Depthwise: 0.
    run: usize,
    /// Dense: bytes per run of a block. Depthwise: 0.
    run_stride: usize,
    block_stride: usize,
    blocks: usize,
    block: usize,
}

impl Sizes {
    fn new(o: &Convolution) -> Sizes {
        let [outputs, rows, columns, inputs] = o.weights_shape().map(|size| size as usize);
        let taps = rows * columns;
        let input = input(o);
        let run = if o.depthwise { 0 } else { cells_per_run(o) };
        let order = TapOrder::new(input, o.window.kernel);
        let run_stride = BLOCK * (run * inputs * input.bytes()).next_multiple_of(STEP);
        let (block, block_stride) = if o.depthwise {
            (LANES, order.len() / input.per_step() * DEPTHWISE_GROUP)
        } else {
            (BLOCK, taps / run * run_stride)
        };
        Sizes {
            input,
            outputs,
            taps,
            inputs,
            order,
            run,
            run_stride,
            block_stride,
            blocks: outputs.div_ceil(block),
            block,
        }
    }

    /// Where the weight of an output channel, kernel cell and input channel is in its block.
    fn place(&self, output: usize, tap: usize, input: usize) -> usize {
        let per_step = self.input.per_step();
        if self.block == LANES {
            let tap = self.order.place(tap);
            return tap / per_step * DEPTHWISE_GROUP + depthwise_position(self.input, output % LANES, tap % per_step);
        }
        let input = self.before_in_run(tap) + input;
        let step = input / per_step * BLOCK + output % BLOCK;
        tap / self.run * self.run_stride + step * STEP + input % per_step * self.input.bytes()
    }

    /// Weights of the same run and output channel before those of a kernel cell.
    fn before_in_run(&self, tap: usize) -> usize {
        tap % self.run.max(1) * self.inputs
    }

    fn bytes(&self) -> usize {
        self.blocks * self.block_stride
    }
}

/// What the kernels call its inputs.
pub(super) fn input(o: &Convolution) -> Input {
    if o.input_element == BpuElement::I16 { Input::I16 } else { Input::I8 }
}

/// Whether packing pays off: not where blocks would hold filler mostly.
pub(super) fn is_worth_packing(o: &Convolution) -> bool {
    let sizes = Sizes::new(o);
    sizes.bytes() <= SMALL.max(FILLER * sizes.input.bytes() * sizes.outputs * sizes.taps * sizes.inputs)
}

impl Weights {
    /// Replaces the contents by the weights of a convolution.
    pub fn pack(&mut self, level: Level, memory: &[u8], o: &Convolution) -> Result<(), Fault> {
        let sizes = Sizes::new(o);
        self.data.clear();
        self.data.resize(sizes.bytes(), 0);
        self.starts.clear();
        self.starts.resize(sizes.blocks * sizes.block, 0);
        (self.input, self.block_stride) = (sizes.input, sizes.block_stride);
        let offset = level.offset(sizes.input) + o.zero_points[0];
        let steps = o.weights.strides.map(i64::from);
        for output in 0..sizes.outputs {
            let block = output / sizes.block * sizes.block_stride;
            for tap in 0..sizes.taps {
                let columns = o.window.kernel[1] as usize;
                let index = [output, tap / columns, tap % columns, 0];
                let distance: i64 = index.iter().zip(steps).map(|(index, step)| *index as i64 * step).sum();
                let start = usize::try_from(i64::from(o.weights.address) + distance).map_err(|_| outside())?;
                let line = Line { start, step: steps[3], element: BpuElement::I8 };
                if let (Input::I8, 1, Some(weights)) =
                    (sizes.input, line.step, memory.get(start..start.saturating_add(sizes.inputs)))
                    && sizes.before_in_run(tap).is_multiple_of(sizes.input.per_step())
                {
                    self.pack_line(&sizes, (block, output, tap), weights, offset);
                    continue;
                }
                for input in 0..sizes.inputs {
                    let weight = *memory.get(line.byte(input).ok_or_else(outside)?).ok_or_else(outside)?;
                    let place = block + sizes.place(output, tap, input);
                    let bytes = i16::from(weight as i8).to_le_bytes();
                    self.data[place..][..sizes.input.bytes()].copy_from_slice(&bytes[..sizes.input.bytes()]);
                    let added = i32::from(weight as i8).wrapping_mul(offset);
                    self.starts[output] = self.starts[output].wrapping_sub(added);
                }
            }
        }
        Ok(())
    }

    /// Packs the int8 weights of a kernel cell that lie one after the other, a step of them at a time.
    fn pack_line(&mut self, sizes: &Sizes, (block, output, tap): (usize, usize, usize), weights: &[u8], offset: i32) {
        let per_step = sizes.input.per_step();
        for (step, weights) in weights.chunks(per_step).enumerate() {
            let place = block + sizes.place(output, tap, step * per_step);
            self.data[place..][..weights.len()].copy_from_slice(weights);
        }
        let sum = weights.iter().fold(0i32, |sum, &weight| sum.wrapping_add(i32::from(weight as i8)));
        self.starts[output] = self.starts[output].wrapping_sub(sum.wrapping_mul(offset));
    }

    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Dense weights of the blocks from `block` on.
    pub fn dense(&self, block: usize) -> DenseWeights<'_> {
        let data = &self.data[block * self.block_stride..];
        DenseWeights { input: self.input, data, block_stride: self.block_stride }
    }

    /// Depthwise weights of `count` channels from `first`, the start of a block, on.
    pub fn depthwise(&self, first: usize, count: usize) -> DepthwiseWeights<'_> {
        let data = &self.data[first / LANES * self.block_stride..][..self.block_stride];
        DepthwiseWeights { input: self.input, data, first, count }
    }
}

/// Bias and multiplier per output channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    pub bias: Vec<i32>,
    mantissa: Vec<i32>,
    shift: Vec<u32>,
    below_half: Vec<i64>,
    scale: Vec<f32>,
    /// The largest scale.
    largest: f32,
}

impl Parameters {
    /// Replaces the contents by `channels` parameters of 12 bytes each.
    pub fn read(&mut self, memory: &[u8], view: &View<1>, channels: u32) -> Result<(), Fault> {
        self.bias.clear();
        self.mantissa.clear();
        self.shift.clear();
        self.below_half.clear();
        self.scale.clear();
        self.largest = 0.0;
        for channel in 0..channels {
            let start = i64::from(view.address) + i64::from(channel) * i64::from(view.strides[0]);
            let words = usize::try_from(start).ok().and_then(|start| memory.get(start..)?.first_chunk::<12>());
            let words = words.ok_or_else(outside)?.as_chunks::<4>().0;
            let [bias, mantissa, shift] = [0, 1, 2].map(|index| i32::from_le_bytes(words[index]));
            let multiplier = Multiplier { mantissa, shift: shift as u32 };
            if !multiplier.is_normal() {
                return Err(format!("the multiplier of output channel {channel} is not normal"));
            }
            self.bias.push(bias);
            self.mantissa.push(mantissa);
            self.shift.push(multiplier.shift);
            self.below_half.push(below_half(multiplier.shift));
            let scale = multiplier.to_real() as f32;
            self.scale.push(scale);
            self.largest = self.largest.max(scale);
        }
        Ok(())
    }

    /// Those of `count` output channels from `first` on.
    pub fn from(&self, first: usize, count: usize) -> ChannelLanes<'_> {
        let range = first..first + count;
        ChannelLanes {
            mantissa: &self.mantissa[range.clone()],
            shift: &self.shift[range.clone()],
            below_half: &self.below_half[range.clone()],
            scale: &self.scale[range],
            is_small: self.largest <= 0.5,
        }
    }
}

/// Copies an input tile without gaps.
pub(super) fn gather(
    memory: &[u8],
    view: &View<4>,
    shape: &[u32; 4],
    element: u32,
    to: &mut Vec<u8>,
) -> Result<(), Fault> {
    let bytes = shape.iter().map(|size| *size as usize).product::<usize>() * element as usize;
    to.clear();
    to.resize(bytes, 0);
    let packed = View::contiguous(0, *shape, element);
    // Inputs have 1 or 2 bytes.
    let (from, to) = ((memory, WalkLayout::from(view)), (to.as_mut_slice(), WalkLayout::from(&packed)));
    super::copy::between(&tile_shape(*shape), element as u8, from, to)
}

/// Copies a tile of results without gaps to its places.
pub(super) fn scatter(
    packed: &[u8],
    element: u32,
    memory: &mut [u8],
    view: &View<4>,
    shape: &[u32; 4],
) -> Result<(), Fault> {
    let from = View::contiguous(0, *shape, element);
    // Results have 1, 2 or 4 bytes.
    let bytes = element as u8;
    super::copy::between(
        &tile_shape(*shape),
        bytes,
        (packed, WalkLayout::from(&from)),
        (memory, WalkLayout::from(view)),
    )
}

/// Reads sums of earlier parts, without gaps.
pub(super) fn read_sums(
    level: Level,
    memory: &[u8],
    view: &View<4>,
    shape: &[u32; 4],
    sums: &mut Vec<i32>,
) -> Result<(), Fault> {
    let count: usize = shape.iter().map(|size| *size as usize).product();
    sums.clear();
    sums.resize(count, 0);
    let walk = Walk::new(&tile_shape(*shape), [WalkLayout::from(view)])?;
    let mut lines = sums.chunks_exact_mut(walk.length);
    walk.for_each(|[start]| {
        let line = Line { start, step: walk.steps[0], element: BpuElement::I32 };
        line.read(level, memory, 0, lines.next()?)
    })
}
