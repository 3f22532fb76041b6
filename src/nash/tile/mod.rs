//! The contract between an operator and the tiler.
//!
//! An operator says which loops it has ([`Axis`]), which tensors it touches and how a tile of the loops maps to a box of each
//! ([`TileOperand`], [`TileDimension`]), and how one tile is computed ([`Tiled::emit`]). Everything else follows from that:
//! the bytes a tile takes in L1M, what must be loaded again when a loop advances, double buffering, loads, stores and waits.
//! [`assign`] decides tile sizes as plain data; [`apply`] emits instructions for a decision.

pub mod apply;
pub mod assign;
pub mod copy;
pub mod emitter;
pub mod view;

use std::sync::Arc;

use super::isa::{self, Engine, Runs};
use super::region::{Extent, Region, RegionWindow};
use crate::target::Target;
use emitter::{EmitError, Emitter};
use view::ordered;

/// One loop of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// For messages.
    pub name: &'static str,
    /// Iterations in all.
    pub size: usize,
    /// Tile sizes that are multiples of this keep the engine's lanes full.
    pub granule: usize,
    /// Tiles along this axis add to the same result.
    pub reduction: bool,
}

impl Axis {
    /// A loop whose iterations write different results.
    pub fn new(name: &'static str, size: usize) -> Self {
        Self { name, size, granule: 1, reduction: false }
    }

    /// A loop whose iterations add to one result.
    pub fn reduction(name: &'static str, size: usize) -> Self {
        Self { reduction: true, ..Self::new(name, size) }
    }

    /// With tiles that are multiples of `granule`, but for the last.
    pub fn granule(self, granule: usize) -> Self {
        Self { granule: granule.max(1), ..self }
    }
}

/// How one dimension of an operand follows the loops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TileDimension {
    /// The same range as the loop.
    Axis(usize),
    /// All of `0..size`, whatever the tile.
    Fixed(usize),
    /// What a window over this dimension of `size` cells reads.
    Window {
        /// The loop over output cells.
        output: usize,
        /// The loop over kernel cells.
        tap: usize,
        /// How the two meet an input cell.
        window: RegionWindow,
        /// Input cells.
        size: usize,
    },
    /// Channel `group * per_group + inner`. A legal tile covers one group, or all inner channels of some.
    Grouped {
        /// The loop over groups.
        group: usize,
        /// The loop over the channels of a group.
        inner: usize,
        /// Channels of a group.
        per_group: usize,
    },
    /// By a property of the output cells: cell `i` needs the range `ranges[i]`, a tile what reaches over those of all of its cells.
    Table {
        /// The loop over output cells.
        output: usize,
        /// One for each output cell.
        ranges: Arc<[Extent]>,
    },
}

impl TileDimension {
    /// The range behind a tile.
    pub fn backward(&self, tile: &Region) -> Extent {
        match *self {
            TileDimension::Axis(axis) => tile.axis(axis),
            TileDimension::Fixed(size) => Extent::whole(size),
            TileDimension::Window { output, tap, window, size } => {
                window.backward(tile.axis(output), tile.axis(tap), size).input
            }
            TileDimension::Grouped { group, inner, per_group } => {
                let (group, inner) = (tile.axis(group), tile.axis(inner));
                Extent::new(group.start * per_group + inner.start, (group.end.max(1) - 1) * per_group + inner.end)
            }
            TileDimension::Table { output, ref ranges } => {
                let cells = tile.axis(output);
                hull(ranges.get(cells.start..cells.end).unwrap_or_default())
            }
        }
    }

    /// The longest range behind any tile of these sizes.
    fn longest(&self, tile: &[usize]) -> usize {
        let size_of = |axis: usize| tile.get(axis).copied().unwrap_or(1);
        match *self {
            TileDimension::Axis(axis) => size_of(axis),
            TileDimension::Fixed(size) => size,
            TileDimension::Window { output, tap, window, size } => {
                let reach = (size_of(output) - 1) * window.stride + (size_of(tap) - 1) * window.dilation + 1;
                reach.min(size)
            }
            TileDimension::Grouped { group, inner, per_group } => (size_of(group) - 1) * per_group + size_of(inner),
            TileDimension::Table { output, ref ranges } => {
                ranges.chunks(size_of(output).max(1)).map(|cells| hull(cells).len()).max().unwrap_or(0)
            }
        }
    }

    /// Whether the range changes when the loop `axis` advances.
    fn follows(&self, axis: usize) -> bool {
        match *self {
            TileDimension::Axis(own) => own == axis,
            TileDimension::Fixed(_) => false,
            TileDimension::Window { output, tap, .. } => output == axis || tap == axis,
            TileDimension::Grouped { group, inner, .. } => group == axis || inner == axis,
            TileDimension::Table { output, .. } => output == axis,
        }
    }
}

/// From the least start to the greatest end.
fn hull(ranges: &[Extent]) -> Extent {
    let start = ranges.iter().map(|range| range.start).min().unwrap_or(0);
    Extent::new(start, ranges.iter().map(|range| range.end).max().unwrap_or(0))
}

/// Which memory a tensor's bytes are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileMemory {
    /// In DDR, from where each tile is loaded or to where it is stored.
    Ddr {
        /// The part of DDR.
        region: isa::MemoryRegion,
        /// Of the first element, in bytes from the region's start.
        offset: u64,
    },
    /// Resident in L1M at this byte address.
    Local {
        /// Of the first element.
        address: u64,
    },
    /// In L1M, a part at a time: the emitter knows which bytes of it are where.
    Paged {
        /// The run of bytes that it is a part of, by its number.
        storage: usize,
        /// Of the first element, in bytes from the start of the storage.
        offset: u64,
    },
}

/// A tensor, or a strided view of one, at its home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TilePlacement {
    /// Where it lies.
    pub memory: TileMemory,
    /// Sizes of the whole tensor.
    pub shape: Vec<usize>,
    /// Bytes between neighbours, per dimension.
    pub strides: Vec<i64>,
    /// 1, 2, 4 or 8.
    pub element_bytes: usize,
}

impl TilePlacement {
    /// A tensor in row-major order without gaps.
    pub fn dense(memory: TileMemory, shape: &[usize], element_bytes: usize) -> Self {
        Self { memory, shape: shape.to_vec(), strides: dense_strides(shape, element_bytes), element_bytes }
    }

    /// Whether instructions find it in local memory, without a load.
    pub fn is_local(&self) -> bool {
        matches!(self.memory, TileMemory::Local { .. } | TileMemory::Paged { .. })
    }

    /// First byte of a box, and the end, from the start of the storage; none where it is not paged.
    pub fn span(&self, region: &Region) -> Option<(u64, u64)> {
        let TileMemory::Paged { offset, .. } = self.at(&region.starts()).ok()? else { return None };
        let (mut low, mut high) = (offset, offset.checked_add(self.element_bytes as u64)?);
        for (extent, &stride) in region.0.iter().zip(&self.strides) {
            let reach = stride.unsigned_abs().checked_mul(extent.len().checked_sub(1)? as u64)?;
            if stride < 0 {
                low = low.checked_sub(reach)?;
            } else {
                high = high.checked_add(reach)?;
            }
        }
        Some((low, high))
    }

    /// The same bytes from element `starts` on. Fails when that lies before the region's first byte.
    pub fn at(&self, starts: &[usize]) -> Result<TileMemory, EmitError> {
        let mut delta = 0i64;
        for (&start, &stride) in starts.iter().zip(&self.strides) {
            let step = i64::try_from(start).ok().and_then(|start| start.checked_mul(stride));
            delta = step.and_then(|step| delta.checked_add(step)).ok_or(EmitError::Address)?;
        }
        let moved = |base: u64| base.checked_add_signed(delta).ok_or(EmitError::Address);
        Ok(match self.memory {
            TileMemory::Ddr { region, offset } => TileMemory::Ddr { region, offset: moved(offset)? },
            TileMemory::Local { address } => TileMemory::Local { address: moved(address)? },
            TileMemory::Paged { storage, offset } => TileMemory::Paged { storage, offset: moved(offset)? },
        })
    }
}

impl TilePlacement {
    /// The contiguous pieces of a box of these sizes in the order in which it is moved.
    pub fn runs_in_memory(&self, sizes: &[usize]) -> Runs {
        let order = self.order();
        let moved = Self {
            memory: self.memory,
            shape: ordered(&self.shape, &order),
            strides: ordered(&self.strides, &order),
            element_bytes: self.element_bytes,
        };
        moved.runs(&ordered(sizes, &order))
    }

    /// The contiguous pieces of a box of these sizes in the order of its dimensions: trailing dimensions that are whole, and the first that is not, make up one.
    pub fn runs(&self, sizes: &[usize]) -> Runs {
        let mut bytes = self.element_bytes as u128;
        for (&size, (&whole, &stride)) in sizes.iter().zip(self.shape.iter().zip(&self.strides)).rev() {
            if size > 1 && i128::from(stride) != bytes as i128 {
                break;
            }
            bytes = bytes.saturating_mul(size as u128);
            if size != whole {
                break;
            }
        }
        Runs { count: product(sizes, self.element_bytes).div_ceil(bytes.max(1)), bytes }
    }
}

/// Bytes of a box of these sizes, or windows, or products: whatever there is so much of for each cell.
pub fn product(sizes: &[usize], each: usize) -> u128 {
    sizes.iter().fold(each as u128, |product, &size| product.saturating_mul(size as u128))
}

/// Row-major strides in bytes, without gaps.
pub fn dense_strides(shape: &[usize], element_bytes: usize) -> Vec<i64> {
    let mut strides = vec![0i64; shape.len()];
    let mut step = element_bytes as i64;
    for (stride, &size) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        step = step.saturating_mul(size.max(1) as i64);
    }
    strides
}

/// What an operand is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperandRole {
    /// Brought in from the placement before the tile is computed.
    Read(TilePlacement),
    /// Result; brought to the placement after the last reduction step of the tile.
    Write(TilePlacement),
    /// Partial results, kept over the reduction steps of a tile. Takes no memory when no reduction axis is split.
    Accumulator {
        /// The size of one partial result.
        element_bytes: usize,
    },
}

/// One tensor of an operator, by the loops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileOperand {
    /// What the instructions do with it.
    pub role: OperandRole,
    /// How each of its dimensions follows the loops.
    pub dimensions: Vec<TileDimension>,
}

impl TileOperand {
    /// An operand that is read.
    pub fn read(placement: TilePlacement, dimensions: Vec<TileDimension>) -> Self {
        Self { role: OperandRole::Read(placement), dimensions }
    }

    /// An operand that is written.
    pub fn write(placement: TilePlacement, dimensions: Vec<TileDimension>) -> Self {
        Self { role: OperandRole::Write(placement), dimensions }
    }

    /// Partial sums, which exist only in local memory.
    pub fn accumulator(element_bytes: usize, dimensions: Vec<TileDimension>) -> Self {
        Self { role: OperandRole::Accumulator { element_bytes }, dimensions }
    }

    /// The size of one element.
    pub fn element_bytes(&self) -> usize {
        match &self.role {
            OperandRole::Read(placement) | OperandRole::Write(placement) => placement.element_bytes,
            OperandRole::Accumulator { element_bytes } => *element_bytes,
        }
    }

    /// Where its tensor lives; none for an accumulator.
    pub fn placement(&self) -> Option<&TilePlacement> {
        match &self.role {
            OperandRole::Read(placement) | OperandRole::Write(placement) => Some(placement),
            OperandRole::Accumulator { .. } => None,
        }
    }

    /// The box of the operand behind a tile of the loops.
    pub fn backward(&self, tile: &Region) -> Region {
        Region(self.dimensions.iter().map(|dimension| dimension.backward(tile)).collect())
    }

    /// Sizes that no box behind a tile of these sizes exceeds.
    pub fn footprint(&self, tile: &[usize]) -> Vec<usize> {
        self.dimensions.iter().map(|dimension| dimension.longest(tile)).collect()
    }

    /// Whether the box changes when the loop `axis` advances.
    pub fn follows(&self, axis: usize) -> bool {
        self.dimensions.iter().any(|dimension| dimension.follows(axis))
    }
}

/// An operand's box in L1M, as an instruction sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Of its first element, in local memory.
    pub address: u32,
    /// Bytes between neighbours, per dimension of the operand.
    pub strides: Vec<i32>,
    /// Which part of the operand it is.
    pub region: Region,
}

impl Bound {
    /// Elements along a dimension.
    pub fn size(&self, dimension: usize) -> u32 {
        u32::try_from(self.region.axis(dimension).len()).unwrap_or(u32::MAX)
    }

    /// Sizes of a rank-4 operand.
    pub fn shape4(&self) -> [u32; 4] {
        std::array::from_fn(|dimension| self.size(dimension))
    }

    /// The view of a rank-4 operand.
    pub fn view4(&self) -> isa::View<4> {
        isa::View::new(self.address, std::array::from_fn(|dimension| self.stride(dimension)))
    }

    /// Bytes between neighbours along a dimension.
    pub fn stride(&self, dimension: usize) -> i32 {
        self.strides.get(dimension).copied().unwrap_or(0)
    }
}

/// One tile to compute.
pub struct TileStep<'a> {
    /// Iterations of each loop.
    pub tile: &'a Region,
    /// Per operand, in the operator's order. An accumulator that is not needed is bound to nothing (address 0).
    pub operands: &'a [Bound],
    /// No earlier tile added to the same result.
    pub first: bool,
    /// No later tile adds to the same result.
    pub last: bool,
}

impl TileStep<'_> {
    /// The tile of an operand.
    ///
    /// # Errors
    /// When there is no such operand.
    pub fn operand(&self, index: usize) -> Result<&Bound, EmitError> {
        self.operands.get(index).ok_or(EmitError::Operand(index))
    }
}

/// An operator that can be computed tile by tile.
pub trait Tiled: Send + Sync {
    /// The loops. A tile is a box of their sizes.
    fn axes(&self) -> &[Axis];

    /// What it reads and writes.
    fn operands(&self) -> &[TileOperand];

    /// A view whose transfer is the work of the tiles themselves, so that it is no operand; most have none.
    fn unlisted(&self) -> Option<&TilePlacement> {
        None
    }

    /// Loop orders worth trying, outermost first; reduction axes must come last.
    fn orders(&self) -> Vec<Vec<usize>> {
        vec![(0..self.axes().len()).collect()]
    }

    /// Whether tiles of these sizes can be computed at all.
    fn legal(&self, _tile: &[usize]) -> bool {
        true
    }

    /// Where most of its instructions run.
    fn engine(&self) -> Engine;

    /// The cycles of the instructions for one tile of these sizes: what [`Target`] says of instructions of their sizes.
    fn cycles(&self, target: &Target, tile: &[usize]) -> u64;

    /// Emits what computes one tile: operands are in L1M, loads and stores are not its business.
    fn emit(&self, step: &TileStep<'_>, emitter: &mut Emitter<'_>) -> Result<(), EmitError>;
}
