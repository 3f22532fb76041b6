//! Weights and parameters of convolutions, in the order in which the kernels read them.

use crate::nash::isa::{Convolution, ElementType, View};
use crate::numerics::Multiplier;
use crate::sim::machine::Fault;

use super::kernel::lanes::{Channels, below_half};
use super::kernel::{BLOCK, DEPTHWISE_GROUP, DenseWeights, LANES, Level, STEP, depthwise_position};
use super::walk::{Layout, Line, Walk, outside, tile_shape};

/// Packed weights up to this size may consist of filler mostly.
const SMALL: usize = 1 << 20;
/// How much larger than the weights packed ones may be beyond that.
const FILLER: usize = 4;

/// Weights of one convolution, padded with zeros to whole blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Weights {
    data: Vec<u8>,
    /// Dense: bytes per kernel cell of a block. Depthwise: 0.
    tap_stride: usize,
    block_stride: usize,
    /// What the sums of each output channel begin with, so that the offset of inputs cancels out; padded.
    pub starts: Vec<i32>,
}

/// Sizes of packed weights.
struct Sizes {
    outputs: usize,
    taps: usize,
    inputs: usize,
    tap_stride: usize,
    block_stride: usize,
    blocks: usize,
    block: usize,
}

impl Sizes {
    fn new(o: &Convolution) -> Sizes {
        let [outputs, rows, columns, inputs] = o.weights_shape().map(|size| size as usize);
        let taps = rows * columns;
        let (block, tap_stride) = if o.depthwise { (LANES, 0) } else { (BLOCK, BLOCK * inputs.next_multiple_of(STEP)) };
        let block_stride = if o.depthwise { taps.div_ceil(STEP) * DEPTHWISE_GROUP } else { taps * tap_stride };
        Sizes { outputs, taps, inputs, tap_stride, block_stride, blocks: outputs.div_ceil(block), block }
    }

    fn bytes(&self) -> usize {
        self.blocks * self.block_stride
    }
}

/// Whether packing pays off: not where blocks would hold filler mostly.
pub(super) fn is_worth_packing(o: &Convolution) -> bool {
    let sizes = Sizes::new(o);
    sizes.bytes() <= SMALL.max(FILLER * sizes.outputs * sizes.taps * sizes.inputs)
}

impl Weights {
    /// Replaces the contents by the weights of a convolution.
    pub fn pack(&mut self, level: Level, memory: &[u8], o: &Convolution) -> Result<(), Fault> {
        let sizes = Sizes::new(o);
        self.data.clear();
        self.data.resize(sizes.bytes(), 0);
        self.starts.clear();
        self.starts.resize(sizes.blocks * sizes.block, 0);
        (self.tap_stride, self.block_stride) = (sizes.tap_stride, sizes.block_stride);
        let steps = o.weights.strides.map(i64::from);
        for output in 0..sizes.outputs {
            let block = output / sizes.block * sizes.block_stride;
            for tap in 0..sizes.taps {
                let columns = o.window.kernel[1] as usize;
                let index = [output, tap / columns, tap % columns, 0];
                let distance: i64 = index.iter().zip(steps).map(|(index, step)| *index as i64 * step).sum();
                let start = usize::try_from(i64::from(o.weights.address) + distance).map_err(|_| outside())?;
                let line = Line { start, step: steps[3], element: ElementType::I8 };
                for input in 0..sizes.inputs {
                    let weight = *memory.get(line.byte(input).ok_or_else(outside)?).ok_or_else(outside)?;
                    let place = if o.depthwise {
                        tap / STEP * DEPTHWISE_GROUP + depthwise_position(output % LANES, tap % STEP)
                    } else {
                        tap * sizes.tap_stride + (input / STEP * BLOCK + output % BLOCK) * STEP + input % STEP
                    };
                    self.data[block + place] = weight;
                    let offset = i32::from(weight as i8).wrapping_mul(level.offset());
                    self.starts[output] = self.starts[output].wrapping_sub(offset);
                }
            }
        }
        Ok(())
    }

    pub fn bytes(&self) -> usize {
        self.data.len() + self.starts.len() * size_of::<i32>()
    }

    /// Dense weights of the blocks from `block` on and the kernel cells from `tap` on.
    pub fn dense(&self, block: usize, tap: usize) -> DenseWeights<'_> {
        let data = &self.data[block * self.block_stride + tap * self.tap_stride..];
        DenseWeights { data, block_stride: self.block_stride, tap_stride: self.tap_stride }
    }

    /// Depthwise weights of a block of [`LANES`] channels and the kernel cells from `tap` on, a multiple of [`STEP`].
    pub fn depthwise(&self, block: usize, tap: usize) -> &[u8] {
        let end = (block + 1) * self.block_stride;
        &self.data[block * self.block_stride + tap / STEP * DEPTHWISE_GROUP..end]
    }
}

/// Bias and multiplier per output channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    bias: Vec<i32>,
    mantissa: Vec<i32>,
    shift: Vec<u32>,
    below_half: Vec<i64>,
    scale: Vec<f32>,
}

impl Parameters {
    /// Replaces the contents by `channels` parameters of 12 bytes each.
    pub fn read(&mut self, memory: &[u8], view: &View<1>, channels: u32) -> Result<(), Fault> {
        self.bias.clear();
        self.mantissa.clear();
        self.shift.clear();
        self.below_half.clear();
        self.scale.clear();
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
            self.scale.push(multiplier.to_real() as f32);
        }
        Ok(())
    }

    pub fn bytes(&self) -> usize {
        self.bias.len() * (4 * size_of::<i32>() + size_of::<i64>())
    }

    /// Those of `count` output channels from `first` on.
    pub fn from(&self, first: usize, count: usize) -> Channels<'_> {
        let range = first..first + count;
        Channels {
            bias: &self.bias[range.clone()],
            mantissa: &self.mantissa[range.clone()],
            shift: &self.shift[range.clone()],
            below_half: &self.below_half[range.clone()],
            scale: &self.scale[range],
        }
    }
}

/// Copies an input tile of bytes without gaps, its channels padded with zeros to a multiple of [`STEP`]. Gives the channels.
pub(super) fn gather(memory: &[u8], view: &View<4>, shape: &[u32; 4], to: &mut Vec<u8>) -> Result<usize, Fault> {
    let channels = shape[3] as usize;
    let padded = channels.next_multiple_of(STEP);
    let cells: usize = shape[..3].iter().map(|size| *size as usize).product();
    to.clear();
    to.resize(cells * padded, 0);
    let strides = [shape[1] as usize * shape[2] as usize * padded, shape[2] as usize * padded, padded, 1];
    let packed = strides.map(i32::try_from);
    let [Ok(a), Ok(b), Ok(c), Ok(d)] = packed else { return Err("an operand is too large".to_string()) };
    let packed = View::new(0, [a, b, c, d]);
    super::copy::between(&tile_shape(*shape), 1, (memory, Layout::from(view)), (to, Layout::from(&packed)))?;
    Ok(padded)
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
    super::copy::between(&tile_shape(*shape), bytes, (packed, Layout::from(&from)), (memory, Layout::from(view)))
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
    let walk = Walk::new(&tile_shape(*shape), [Layout::from(view)])?;
    let mut lines = sums.chunks_exact_mut(walk.length);
    walk.for_each(|[start]| {
        let line = Line { start, step: walk.steps[0], element: ElementType::I32 };
        line.read(level, memory, 0, lines.next()?)
    })
}
