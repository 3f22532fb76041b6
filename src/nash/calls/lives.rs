//! What lives in local memory between two instructions, from the bytes that instructions touch.
//!
//! What a load brings need not be kept over a cut where it can be loaded again: where nothing writes its source, or over its bytes, before it
//! is used for the last time, and all that is read of it is read of it alone. Constants are of that kind, and most inputs.

use std::collections::BTreeMap;

use super::super::isa::{Access, Instruction, MemoryRegion, Operation, Space};
use super::bytes::ByteSet;

/// A load that can be issued again.
#[derive(Clone, Debug)]
pub struct Reload {
    /// Of the load in the program.
    pub position: usize,
    /// Of the instructions that read what it brings, with the place of the access among theirs; in order.
    uses: Vec<(usize, usize)>,
}

impl Reload {
    /// The first use from `first` on and before `end`.
    pub fn used_in(&self, first: usize, end: usize) -> Option<usize> {
        let from = self.uses.partition_point(|(position, _)| *position < first);
        self.uses.get(from).map(|(position, _)| *position).filter(|position| *position < end)
    }
}

/// What lives in a program.
pub struct Lives<'a> {
    instructions: &'a [Instruction],
    /// Bytes of local memory.
    space: u64,
    /// In order.
    pub reloads: Vec<Reload>,
    /// Per instruction, a bit for each access that reads what can be loaded again.
    again: Vec<u32>,
}

/// Bytes of local memory that a load brought, in [`Finder::loaded`] by their start.
#[derive(Clone, Copy)]
struct Loaded {
    end: u64,
    load: usize,
    /// All that the load brought is still there, and its source.
    intact: bool,
}

/// Looks for loads that can be issued again.
#[derive(Default)]
struct Finder {
    loaded: BTreeMap<u64, Loaded>,
    /// None once one is found to be read otherwise.
    found: Vec<Option<Reload>>,
    sources: Vec<(MemoryRegion, u64, u64)>,
}

impl Finder {
    fn overlapping(&self, start: u64, end: u64) -> Vec<(u64, Loaded)> {
        let before = self.loaded.range(..start).next_back().filter(|(_, loaded)| loaded.end > start);
        before.into_iter().chain(self.loaded.range(start..end.max(start))).map(|(&at, &loaded)| (at, loaded)).collect()
    }

    fn read(&mut self, access: &Access, (position, index): (usize, usize)) {
        let (start, end) = access.bounds();
        for (at, loaded) in self.overlapping(start, end) {
            let alone = loaded.intact && at <= start && end <= loaded.end;
            match self.found.get_mut(loaded.load) {
                Some(Some(reload)) if alone => reload.uses.push((position, index)),
                Some(reload) => *reload = None,
                None => {}
            }
        }
    }

    fn write(&mut self, access: &Access) {
        let (start, end) = access.bounds();
        let dense = access.region.dimensions.is_empty();
        for (at, mut loaded) in self.overlapping(start, end) {
            loaded.intact = false;
            self.loaded.remove(&at);
            if !dense {
                self.loaded.insert(at, loaded);
                continue;
            }
            if at < start {
                self.loaded.insert(at, Loaded { end: start, ..loaded });
            }
            if loaded.end > end {
                self.loaded.insert(end, loaded);
            }
        }
    }

    fn store(&mut self, region: MemoryRegion, access: &Access) {
        let (start, end) = access.bounds();
        let touched = |source: &(MemoryRegion, u64, u64)| source.0 == region && source.1 < end && start < source.2;
        for loaded in self.loaded.values_mut().filter(|loaded| self.sources.get(loaded.load).is_some_and(touched)) {
            loaded.intact = false;
        }
    }

    fn load(&mut self, position: usize, accesses: &[Access]) {
        let (Some(from), Some(to)) =
            (accesses.iter().find(|access| !access.write), accesses.iter().find(|access| access.write))
        else {
            return;
        };
        let (Space::Ddr(region), true) = (from.space, to.region.dimensions.is_empty()) else { return };
        let ((start, end), (source, source_end)) = (to.bounds(), from.bounds());
        self.loaded.insert(start, Loaded { end, load: self.found.len(), intact: true });
        self.found.push(Some(Reload { position, uses: Vec::new() }));
        self.sources.push((region, source, source_end));
    }
}

impl<'a> Lives<'a> {
    /// Looks at a program that is one function call, in `space` bytes of local memory.
    pub fn new(instructions: &'a [Instruction], space: u64) -> Self {
        let mut finder = Finder::default();
        for (position, instruction) in instructions.iter().enumerate() {
            let accesses = instruction.accesses();
            let local = |access: &&Access| access.space == Space::L1m;
            for (index, access) in accesses.iter().enumerate().filter(|(_, access)| local(access) && !access.write) {
                finder.read(access, (position, index));
            }
            for access in accesses.iter().filter(|access| access.write) {
                match access.space {
                    Space::L1m => finder.write(access),
                    Space::Ddr(region) => finder.store(region, access),
                }
            }
            if matches!(instruction.operation, Operation::Load(_)) {
                finder.load(position, &accesses);
            }
        }
        let reloads: Vec<Reload> = finder.found.into_iter().flatten().collect();
        let mut again = vec![0; instructions.len()];
        for &(position, index) in reloads.iter().flat_map(|reload| &reload.uses) {
            if let Some(bits) = again.get_mut(position) {
                *bits |= 1u32.checked_shl(index as u32).unwrap_or(0);
            }
        }
        Self { instructions, space, reloads, again }
    }

    /// No bytes of local memory.
    pub fn nothing(&self) -> ByteSet {
        ByteSet::new(self.space)
    }

    /// What lives before an instruction, from what lives behind it.
    pub fn step_back(&self, position: usize, live: &mut ByteSet) {
        let accesses = self.local_accesses(position);
        accesses.iter().filter(|(_, access)| access.write).for_each(|(_, access)| live.set(&access.region, false));
        let again = self.again.get(position).copied().unwrap_or(0);
        let kept = |index: usize| again.checked_shr(index as u32).unwrap_or(0) & 1 == 0;
        for (_, access) in accesses.iter().filter(|(index, access)| !access.write && kept(*index)) {
            live.set(&access.region, true);
        }
    }

    /// Takes in what an instruction writes.
    pub fn write(&self, position: usize, written: &mut ByteSet) {
        let accesses = self.local_accesses(position);
        accesses.iter().filter(|(_, access)| access.write).for_each(|(_, access)| written.set(&access.region, true));
    }

    fn local_accesses(&self, position: usize) -> Vec<(usize, Access)> {
        let accesses = self.instructions.get(position).map(Instruction::accesses).unwrap_or_default();
        accesses.into_iter().enumerate().filter(|(_, access)| access.space == Space::L1m).collect()
    }

    /// Before each instruction, and at the end: bytes that live, and their runs.
    pub fn sizes(&self) -> Vec<(u64, u64)> {
        let mut live = self.nothing();
        let mut sizes = vec![(0, 0); self.instructions.len() + 1];
        for position in (0..self.instructions.len()).rev() {
            self.step_back(position, &mut live);
            if let Some(size) = sizes.get_mut(position) {
                *size = live.size();
            }
        }
        sizes
    }

    /// What lives before each of these positions, which rise.
    pub fn at(&self, positions: &[usize]) -> Vec<ByteSet> {
        let mut live = self.nothing();
        let mut all = Vec::with_capacity(positions.len());
        let mut end = self.instructions.len();
        for &wanted in positions.iter().rev() {
            (wanted..end).rev().for_each(|position| self.step_back(position, &mut live));
            end = wanted;
            all.push(live.clone());
        }
        all.reverse();
        all
    }
}
