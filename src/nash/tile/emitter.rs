//! Collects instructions and gives each its waits.

use super::super::hazard::{Touch, Tracker};
use super::super::isa::{self, Access, DdrView, Engine, Instruction, Operation, RANK, Space, View, Wait};

/// Why instructions could not be written for a tile. All but the first two are faults of the tiler, caught before they do harm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum EmitError {
    #[error("an address or a stride is outside of what an instruction can hold")]
    Address,
    #[error("more than {limit} instructions are needed")]
    TooMany { limit: usize },
    #[error("operand {0} of the operator does not exist")]
    Operand(usize),
    #[error("tile {tile} needs {needed} bytes for operand {operand}, planned were {planned}")]
    Footprint { tile: String, operand: usize, needed: u64, planned: u64 },
    #[error("the plan does not suit the operator: {0}")]
    Plan(String),
}

/// No program may be longer. A plan from a file with tiles of one cell should be an error rather than a full memory.
pub const MAX_INSTRUCTIONS: usize = 1 << 21;

/// Takes instructions in an order that is right one after the other, and gives each its waits.
#[derive(Default)]
pub struct Emitter {
    instructions: Vec<Instruction>,
    tracker: Tracker<{ Engine::COUNT }>,
    source: u32,
}

impl Emitter {
    /// Following instructions belong to the node with this index in the program's names.
    pub fn set_source(&mut self, source: u32) {
        self.source = source;
    }

    /// Appends an instruction.
    pub fn push(&mut self, operation: impl Into<Operation>) -> Result<(), EmitError> {
        if self.instructions.len() >= MAX_INSTRUCTIONS {
            return Err(EmitError::TooMany { limit: MAX_INSTRUCTIONS });
        }
        let operation = operation.into();
        // What nothing writes orders nothing.
        let constant = |access: &Access| matches!(access.space, Space::Ddr(region) if !region.is_writable());
        let touches: Vec<Touch> = operation.accesses().iter().filter(|access| !constant(access)).map(touch).collect();
        let waits = self.tracker.issue(operation.engine().index(), &touches);
        let waits = waits
            .into_iter()
            .filter_map(|(engine, count)| Engine::ALL.get(engine).map(|&engine| Wait { engine, count }))
            .collect();
        self.instructions.push(Instruction { waits, source: self.source, operation });
        Ok(())
    }

    /// Every instruction, in order.
    pub fn finish(self) -> Vec<Instruction> {
        self.instructions
    }
}

/// Sizes as an instruction holds them: rank [`RANK`], ones in front.
pub fn shape6(sizes: &[usize]) -> Result<[u32; RANK], EmitError> {
    let mut shape = [1; RANK];
    let front = RANK.checked_sub(sizes.len()).ok_or(EmitError::Address)?;
    for (entry, &size) in shape.iter_mut().skip(front).zip(sizes) {
        *entry = u32::try_from(size).map_err(|_| EmitError::Address)?;
    }
    Ok(shape)
}

/// A view of rank [`RANK`] from the innermost strides, zeros in front.
pub fn view6(address: u32, strides: &[i32]) -> Result<View, EmitError> {
    let mut all = [0; RANK];
    let front = RANK.checked_sub(strides.len()).ok_or(EmitError::Address)?;
    all.iter_mut().skip(front).zip(strides).for_each(|(entry, &stride)| *entry = stride);
    Ok(View::new(address, all))
}

/// As [`view6`], of DDR.
pub fn ddr_view(region: isa::MemoryRegion, offset: u64, strides: &[i64]) -> Result<DdrView, EmitError> {
    let mut all = [0; RANK];
    let front = RANK.checked_sub(strides.len()).ok_or(EmitError::Address)?;
    all.iter_mut().skip(front).zip(strides).for_each(|(entry, &stride)| *entry = stride);
    Ok(DdrView { region, offset, strides: all })
}

/// L1M strides from byte strides.
pub fn local_strides(strides: &[i64]) -> Result<Vec<i32>, EmitError> {
    strides.iter().map(|&stride| i32::try_from(stride).map_err(|_| EmitError::Address)).collect()
}

/// An access as the hazard tracker sees it: the interval from its first to its last byte. Gaps count as touched, which may
/// order more than needed, never less.
fn touch(access: &Access) -> Touch {
    let bound = |value: i128| u64::try_from(value.max(0)).unwrap_or(u64::MAX);
    let space = match access.space {
        Space::L1m => 0,
        Space::Ddr(isa::MemoryRegion::Constants) => 1,
        Space::Ddr(isa::MemoryRegion::Workspace) => 2,
        Space::Ddr(isa::MemoryRegion::Input(index)) => 0x1_0000 + u32::from(index),
        Space::Ddr(isa::MemoryRegion::Output(index)) => 0x2_0000 + u32::from(index),
    };
    Touch { space, start: bound(access.region.base), end: bound(access.region.end()), write: access.write }
}
