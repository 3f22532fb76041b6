//! The instruction set of the machine, as plain data.
//!
//! `docs/nash-isa.md` explains it; the vendor's instruction set is not public, this one is our own. Eight engines each take
//! instructions from a queue of their own, in order. Nothing orders two engines but the [`Wait`]s that an instruction carries.
//! Operands lie in the local memory L1M; only `load`, `store` and `aae.roi_resize`, which reads what a region says, see DDR.
//!
//! The instructions themselves, with every field, are declared once, in `isa_operations`.

use std::fmt;
use std::str::FromStr;

pub use super::isa_access::{Access, CURVE_PIECE_BYTES, REGION_NUMBERS, Space, StridedRegion, whole};
pub use super::isa_cycles::{Alignment, Cost, Products, Runs};
pub use super::isa_numbers::FieldKind;
pub use super::isa_operations::*;
pub use super::isa_program::{RowOperand, RowProgram};
pub use super::isa_validate::{ValidateError, valid_taps};
pub use crate::bpu::model::BpuElement;
pub use crate::numerics::Clamp;

/// The number of dimensions of a general [`View`].
pub const RANK: usize = 6;

/// A part of the machine that executes instructions from its own in-order queue.
///
/// The number is the one in the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Engine {
    /// DMA from DDR to L1M.
    Load = 0,
    /// DMA from L1M to DDR.
    Store = 1,
    /// The matrix engine.
    Tae = 2,
    /// The vector engine: elementwise arithmetic and tables.
    Vae = 3,
    /// The pooling engine; it also resizes regions of pictures.
    Aae = 4,
    /// The layout engine: copies within L1M.
    Dte = 5,
    /// The float engine.
    Vpu = 6,
    /// The scalar engine: it ends function calls.
    Spu = 7,
}

impl Engine {
    /// How many there are.
    pub const COUNT: usize = 8;
    /// By their numbers.
    pub const ALL: [Engine; Engine::COUNT] =
        [Engine::Load, Engine::Store, Engine::Tae, Engine::Vae, Engine::Aae, Engine::Dte, Engine::Vpu, Engine::Spu];

    /// The position in [`Engine::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// As the text of programs spells it.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Load => "load",
            Engine::Store => "store",
            Engine::Tae => "tae",
            Engine::Vae => "vae",
            Engine::Aae => "aae",
            Engine::Dte => "dte",
            Engine::Vpu => "vpu",
            Engine::Spu => "spu",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Engine, String> {
        let found = Engine::ALL.into_iter().find(|engine| engine.name() == name);
        found.ok_or_else(|| format!("unknown engine '{name}'; known: load, store, tae, vae, aae, dte, vpu, spu"))
    }
}

/// "Start only when `engine` has completed at least `count` of its instructions."
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wait {
    /// Whose instructions are counted.
    pub engine: Engine,
    /// How many must have completed since the beginning of the run.
    pub count: u32,
}

/// Where in L1M an operand lies: element `[i0, i1, ...]` begins at byte `address + Σ i_k · strides[k]`.
///
/// The sizes belong to the instruction, because its operands share them. Stride 0 broadcasts (never on an operand that is
/// written); a negative stride walks backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View<const DIMENSIONS: usize = RANK> {
    /// Byte address in L1M of the element whose indices are all 0.
    pub address: u32,
    /// Bytes between neighbours, per dimension, outermost first.
    pub strides: [i32; DIMENSIONS],
}

impl<const DIMENSIONS: usize> View<DIMENSIONS> {
    /// Element 0 lies at `address`; `strides` are in bytes.
    pub fn new(address: u32, strides: [i32; DIMENSIONS]) -> Self {
        View { address, strides }
    }

    /// Row-major strides without gaps for `shape`. Sizes whose strides leave `i32` give 0, which validation refuses.
    pub fn contiguous(address: u32, shape: [u32; DIMENSIONS], element_bytes: u32) -> Self {
        let mut strides = [0; DIMENSIONS];
        let mut step = u64::from(element_bytes);
        for (stride, size) in strides.iter_mut().zip(shape).rev() {
            *stride = i32::try_from(step).unwrap_or(0);
            step = step.saturating_mul(u64::from(size));
        }
        View { address, strides }
    }
}

/// A part of DDR that the program may touch. Sizes are in [`Program`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemoryRegion {
    /// The program's n-th input tensor; read only.
    Input(u16),
    /// The program's n-th output tensor.
    Output(u16),
    /// Weights, parameters and tables; read only.
    Constants,
    /// Scratch memory whose contents do not survive a run.
    Workspace,
}

impl MemoryRegion {
    /// Whether instructions may write there.
    pub fn is_writable(self) -> bool {
        matches!(self, MemoryRegion::Output(_) | MemoryRegion::Workspace)
    }
}

impl fmt::Display for MemoryRegion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryRegion::Input(index) => write!(formatter, "input{index}"),
            MemoryRegion::Output(index) => write!(formatter, "output{index}"),
            MemoryRegion::Constants => formatter.write_str("constants"),
            MemoryRegion::Workspace => formatter.write_str("workspace"),
        }
    }
}

/// A view of DDR: as [`View`], with the region it lies in and an offset from that region's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DdrView {
    /// The part of DDR.
    pub region: MemoryRegion,
    /// Byte offset in the region of the element whose indices are all 0.
    pub offset: u64,
    /// Bytes between neighbours, per dimension, outermost first.
    pub strides: [i64; RANK],
}

/// A window that slides over rows and columns, for convolutions and pools.
///
/// Output cell (y, x), kernel cell (j, i) meets input cell
/// `(y · strides[0] + j · dilations[0] − pads[0], x · strides[1] + i · dilations[1] − pads[1])`.
/// Where that lies outside of the input *tile*, the cell is virtual padding: the zero point for a convolution, absent for a pool.
/// Each pair is (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns.
    pub kernel: [u32; 2],
    /// Input cells between neighbouring output cells.
    pub strides: [u32; 2],
    /// Input cells between neighbouring kernel cells.
    pub dilations: [u32; 2],
    /// Cells before the tile, top and left. Negative where the first window begins inside the tile.
    pub pads: [i32; 2],
}

/// How an average pool counts the cells of its *whole* window, even where the instruction sums only a part of it.
///
/// Output row y covers `rows(y)` = the number of j in 0..`kernel[0]` with
/// `0 <= y · strides[0] + j · dilations[0] − pads[0] < extent[0]`, columns likewise; strides and dilations are the [`Window`]'s.
/// The sum is rescaled by entry `[rows(y) − minimum[0], columns(x) − minimum[1]]` of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Count {
    /// Rows and columns of the whole window.
    pub kernel: [u32; 2],
    /// Cells before the region, top and left.
    pub pads: [i32; 2],
    /// Rows and columns of the region whose cells count (with the padding when it is counted).
    pub extent: [u32; 2],
    /// The counts of the first table row and column.
    pub minimum: [u32; 2],
    /// The sizes of the table.
    pub shape: [u32; 2],
    /// Entries of 8 bytes: mantissa i32, shift u32 (0, 0 where no cell counts).
    pub table: View<2>,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq)]
pub struct Instruction {
    /// All must hold before it starts.
    pub waits: Vec<Wait>,
    /// Index into [`Program::names`]: the node that it belongs to, for reports.
    pub source: u32,
    /// What it does.
    pub operation: Operation,
}

impl Instruction {
    /// The queue that it goes through.
    pub fn engine(&self) -> Engine {
        self.operation.engine()
    }

    /// The bytes that it may read and write. See [`Access`].
    pub fn accesses(&self) -> Vec<Access> {
        self.operation.accesses()
    }
}

/// A program: what one segment of a network does in one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// Size in bytes of each input region.
    pub inputs: Vec<u64>,
    /// Size in bytes of each output region.
    pub outputs: Vec<u64>,
    /// Size in bytes of the constants.
    pub constants: u64,
    /// Size in bytes of the workspace.
    pub workspace: u64,
    /// In the order the compiler made them. The queue of an engine is its subsequence, and the counts of a [`Wait`] count in it.
    pub instructions: Vec<Instruction>,
    /// Node names for reports.
    pub names: Vec<String>,
}

impl Program {
    /// The size in bytes of a region, or `None` where the program has no such region.
    pub fn region_bytes(&self, region: MemoryRegion) -> Option<u64> {
        match region {
            MemoryRegion::Input(index) => self.inputs.get(usize::from(index)).copied(),
            MemoryRegion::Output(index) => self.outputs.get(usize::from(index)).copied(),
            MemoryRegion::Constants => Some(self.constants),
            MemoryRegion::Workspace => Some(self.workspace),
        }
    }

    /// The name of the node that an instruction belongs to.
    pub fn source_name(&self, instruction: &Instruction) -> &str {
        usize::try_from(instruction.source).ok().and_then(|index| self.names.get(index)).map_or("?", String::as_str)
    }

    /// Positions in [`Program::instructions`] of each engine's queue, by [`Engine::index`].
    pub fn queues(&self) -> [Vec<usize>; Engine::COUNT] {
        let mut queues: [Vec<usize>; Engine::COUNT] = Default::default();
        for (position, instruction) in self.instructions.iter().enumerate() {
            if let Some(queue) = queues.get_mut(instruction.engine().index()) {
                queue.push(position);
            }
        }
        queues
    }
}
