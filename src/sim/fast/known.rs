//! What of a program does not depend on data: found once, by following the constants through L1M.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::nash::isa::{Access, Convolution, MemoryRegion, Operation, Space, StridedRegion};
use crate::sim::machine::{Fault, Machine, SimError, zeros};

use super::convolution::{Prepared, is_supported};
use super::copy;
use super::kernel::Level;
use super::merge::{HandedOn, Joiner, KnownConvolution, Limits, Part};
use super::pack::{PackingKey, Weights};
use super::walk::WalkLayout;

/// Packed parameters of a convolution take so many times as much memory at most.
const PARAMETERS_PACKED: usize = 3;
/// How much memory packed weights may take, per byte of constants; then the rest is packed in every run.
const BYTES_PER_CONSTANT: usize = 8;
/// What they may take in any case.
const SMALL: usize = 16 << 20;

/// L1M as far as it does not depend on data, at one point of a run.
struct Known {
    l1m: Vec<u8>,
    /// 1 for each byte that is known.
    known: Vec<u8>,
}

impl Known {
    fn mark(&mut self, access: &Access, known: u8) {
        for (start, end) in access.region.intervals() {
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            if let Some(bytes) = range.and_then(|(start, end)| self.known.get_mut(start..end)) {
                bytes.fill(known);
            }
        }
    }

    /// Whether it has weights and parameters of a convolution that touches this.
    fn has_constants_of(&self, accesses: &[Access]) -> bool {
        accesses.iter().filter(|access| is_constant(access)).all(|access| self.has(access))
    }

    fn has(&self, access: &Access) -> bool {
        access.region.intervals().all(|(start, end)| {
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            range.and_then(|(start, end)| self.known.get(start..end)).is_some_and(|bytes| !bytes.contains(&0))
        })
    }
}

/// The bytes of L1M that a run reads before it has written them: those that must be as a new machine's.
struct Unwritten {
    /// 1 for each byte that is written.
    written: Vec<u8>,
    /// 1 for each byte that was read before.
    read: Vec<u8>,
}

impl Unwritten {
    fn follow(&mut self, access: &Access) {
        for (start, end) in access.region.intervals() {
            let Some((start, end)) = usize::try_from(start).ok().zip(usize::try_from(end).ok()) else { continue };
            let Some(written) = self.written.get_mut(start..end) else { continue };
            if access.write {
                written.fill(1);
            } else if written.contains(&0)
                && let Some(read) = self.read.get_mut(start..end)
            {
                read.iter_mut().zip(written).for_each(|(read, written)| *read |= 1 - *written);
            }
        }
    }

    fn ranges(&self) -> Vec<Range<usize>> {
        let mut start = 0;
        let runs = self.read.chunk_by(|a, b| a == b).map(|run| {
            start += run.len();
            (run.contains(&1), start - run.len()..start)
        });
        runs.filter(|(is_read, _)| *is_read).map(|(_, range)| range).collect()
    }
}

/// Loads of constants at most that are followed; what is loaded before them counts as needed.
const FOLLOWED: usize = 256;

/// Loads of constants, to find those whose bytes are only read as known operands: they need not be executed.
#[derive(Default)]
struct Loads {
    /// Those of which nothing has needed a byte yet, and not all are overwritten.
    live: VecDeque<Followed>,
    /// Positions of those that are not needed.
    idle: Vec<usize>,
}

/// A load on the way through a program.
struct Followed {
    position: usize,
    /// The bytes that nothing has overwritten.
    left: Vec<StridedRegion>,
}

impl Loads {
    fn read(&mut self, bytes: &StridedRegion) {
        self.live.retain(|load| !load.left.iter().any(|piece| piece.overlaps(bytes)));
    }

    /// What has gaps overwrites nothing here: then a byte counts as loaded for longer, and a load as needed too often at worst.
    fn write(&mut self, bytes: &StridedRegion) {
        if !bytes.dimensions.is_empty() {
            return;
        }
        let idle = &mut self.idle;
        self.live.retain_mut(|Followed { position, left }| {
            if left.iter().any(|piece| piece.base < bytes.end() && bytes.base < piece.end()) {
                *left = left.iter().flat_map(|piece| without(piece, bytes)).collect();
            }
            if left.is_empty() {
                idle.push(*position);
            }
            !left.is_empty()
        });
    }

    /// Positions of those that are not needed.
    fn idle(self) -> HashSet<usize> {
        self.idle.into_iter().chain(self.live.into_iter().map(|load| load.position)).collect()
    }

    fn load(&mut self, position: usize, bytes: StridedRegion) {
        if self.live.len() == FOLLOWED {
            self.live.pop_front();
        }
        self.live.push_back(Followed { position, left: vec![bytes] });
    }
}

/// The parts of a piece that a region without gaps does not hold. A piece with gaps stays whole unless all of it is held.
fn without(piece: &StridedRegion, bytes: &StridedRegion) -> Vec<StridedRegion> {
    let (start, end) = (piece.base, piece.end());
    if bytes.base <= start && end <= bytes.end() {
        return Vec::new();
    }
    if !piece.dimensions.is_empty() {
        return vec![piece.clone()];
    }
    let parts = [(start, end.min(bytes.base)), (start.max(bytes.end()), end)].into_iter();
    let run = |(start, end): (i128, i128)| {
        let bytes = u64::try_from(end - start).ok().filter(|bytes| *bytes > 0)?;
        Some(StridedRegion { base: start, bytes, dimensions: Vec::new() })
    };
    parts.filter_map(run).collect()
}

/// An instruction to execute.
pub(super) struct Step {
    /// In the program; of several that were joined, the first, or the last where sums were handed on.
    pub position: usize,
    /// The convolution to execute instead of the instruction.
    pub convolution: Option<Convolution>,
    pub prepared: Prepared,
}

/// What is known before any run.
pub(super) struct KnownProgram {
    /// In the order of execution.
    pub steps: Vec<Step>,
    /// The bytes of L1M that are read before they are written.
    pub unwritten: Vec<Range<usize>>,
}

/// Follows a program with its constants.
pub(super) fn prepare(machine: &Machine<'_>, constants: &[u8], level: Level) -> Result<KnownProgram, SimError> {
    let program = machine.program();
    let bytes = machine.target().l1m_bytes();
    let mut l1m = Known { l1m: zeros("l1m", bytes)?, known: zeros("l1m", bytes)? };
    let mut unwritten = Unwritten { written: zeros("l1m", bytes)?, read: zeros("l1m", bytes)? };
    let mut handed_on = HandedOn::new(l1m.l1m.len());
    let room = constants.len().saturating_mul(BYTES_PER_CONSTANT).max(SMALL);
    let (mut kept, mut loads) = (Kept::new(room), Loads::default());
    let mut parts = Vec::with_capacity(program.instructions.len());
    for &position in machine.order() {
        let Some(instruction) = program.instructions.get(position) else { continue };
        let mut accesses = instruction.accesses();
        accesses.retain(|access| access.space == Space::L1m);
        let fault = |reason| machine.fault(position, reason);
        let mut convolution = None;
        match &instruction.operation {
            Operation::Load(o) if o.source.region == MemoryRegion::Constants => {
                let from = WalkLayout::try_from(&o.source).map_err(fault)?;
                let to = (l1m.l1m.as_mut_slice(), WalkLayout::from(&o.destination));
                copy::between(&o.shape, o.element_bytes, (constants, from), to).map_err(fault)?;
            }
            Operation::Convolution(o) if is_supported(o) && kept.room > 0 && l1m.has_constants_of(&accesses) => {
                let known = KnownConvolution::read(&l1m.l1m, o).map_err(fault)?;
                // A broken parameter is found here, where it is known which instruction it belongs to.
                known.packed_parameters().map_err(fault)?;
                convolution = Some(kept.convolution(known));
                accesses.retain(|access| !is_constant(access));
            }
            _ => {}
        }
        let from_constants =
            matches!(&instruction.operation, Operation::Load(o) if o.source.region == MemoryRegion::Constants);
        let is_sums = convolution.as_ref().is_some_and(|known| known.parameters.is_none());
        let mut sums = None;
        for access in &accesses {
            unwritten.follow(access);
            sums = handed_on.follow(position, access, is_sums).or(sums);
            if !access.write {
                loads.read(&access.region);
                continue;
            }
            l1m.mark(access, from_constants.into());
            loads.write(&access.region);
            if from_constants {
                loads.load(position, access.region.clone());
            }
        }
        parts.push(Part { position, convolution, accesses, sums });
    }
    // What parts of joined convolutions had goes as they are joined.
    drop(kept);
    let idle = loads.idle();
    let mut packed = HashSet::new();
    let limits = Limits { elements: bytes, weights: room };
    let mut joiner = Joiner::new(&handed_on, limits);
    parts.into_iter().filter(|part| !idle.contains(&part.position)).for_each(|part| joiner.take(part));
    let steps = joiner.finish().into_iter().map(|part| {
        let position = part.position;
        step(part, level, &mut packed).map_err(|reason| machine.fault(position, reason))
    });
    Ok(KnownProgram { steps: steps.collect::<Result<_, SimError>>()?, unwritten: unwritten.ranges() })
}

/// `packed` has weights that are used more than once once.
fn step(part: Part, level: Level, packed: &mut HashSet<Arc<Weights>>) -> Result<Step, Fault> {
    let position = part.position;
    let Some(known) = part.convolution else {
        return Ok(Step { position, convolution: None, prepared: Prepared::default() });
    };
    let mut weights = Weights::default();
    weights.pack(level, &known.weights, &known.o)?;
    let weights = match packed.get(&weights) {
        Some(same) => same.clone(),
        None => Arc::new(weights),
    };
    packed.insert(weights.clone());
    let prepared = Prepared { weights: Some(weights), parameters: known.packed_parameters()? };
    Ok(Step { position, convolution: Some(known.o), prepared })
}

/// Whether this operand is replaced by what is known of it.
fn is_constant(access: &Access) -> bool {
    ["weights", "parameters"].contains(&access.operand)
}

/// Constants that are used more than once are kept once.
struct Kept {
    constants: HashSet<Arc<Vec<u8>>>,
    /// Of what is packed: which weights, and what their packing depends on.
    packed: HashSet<(*const Vec<u8>, PackingKey)>,
    /// Bytes that may still be packed.
    room: usize,
}

impl Kept {
    fn new(room: usize) -> Kept {
        Kept { constants: HashSet::new(), packed: HashSet::new(), room }
    }

    fn convolution(&mut self, known: KnownConvolution) -> KnownConvolution {
        let (weights, parameters) = (self.constant(known.weights), known.parameters.map(|bytes| self.constant(bytes)));
        let key = PackingKey::new(&known.o);
        let packed = if self.packed.insert((Arc::as_ptr(&weights), key)) { key.bytes() } else { 0 };
        let more = parameters.as_ref().map_or(0, |bytes| PARAMETERS_PACKED * bytes.len());
        self.room = self.room.saturating_sub(packed.saturating_add(more));
        KnownConvolution { weights, parameters, ..known }
    }

    fn constant(&mut self, bytes: Arc<Vec<u8>>) -> Arc<Vec<u8>> {
        if let Some(kept) = self.constants.get(&bytes) {
            return kept.clone();
        }
        self.constants.insert(bytes.clone());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(start: i128, end: i128) -> StridedRegion {
        StridedRegion { base: start, bytes: (end - start) as u64, dimensions: Vec::new() }
    }

    #[test]
    fn a_load_is_idle_once_all_of_it_is_overwritten_unread() {
        let mut loads = Loads::default();
        loads.load(3, bytes(0, 100));
        loads.load(4, bytes(200, 300));
        // In pieces, and in any order.
        loads.write(&bytes(60, 120));
        loads.write(&bytes(0, 20));
        loads.read(&bytes(70, 90));
        assert!(loads.idle.is_empty());
        loads.write(&bytes(10, 60));
        assert_eq!(loads.idle, [3]);
        // One byte that is still there is read.
        loads.write(&bytes(200, 250));
        loads.read(&bytes(249, 251));
        assert!(loads.live.is_empty() && loads.idle == [3]);
    }

    #[test]
    fn what_is_read_before_it_is_written_is_found() {
        let mut unwritten = Unwritten { written: vec![0; 100], read: vec![0; 100] };
        let mut follow = |write: bool, region: StridedRegion| {
            unwritten.follow(&Access { space: Space::L1m, write, operand: "x", region });
        };
        follow(true, StridedRegion { base: 0, bytes: 8, dimensions: vec![(4, 16)] });
        follow(false, bytes(50, 60));
        follow(false, bytes(0, 10));
        follow(true, bytes(5, 70));
        follow(false, bytes(8, 72));
        assert_eq!(unwritten.ranges(), [8..10, 56..60, 70..72]);
    }

    #[test]
    fn what_has_gaps_is_overwritten_as_a_whole_only() {
        let rows = StridedRegion { base: 0, bytes: 8, dimensions: vec![(4, 16)] };
        assert_eq!(without(&rows, &bytes(0, 40)), std::slice::from_ref(&rows));
        assert!(without(&rows, &bytes(0, 56)).is_empty());
        assert_eq!(without(&bytes(0, 56), &bytes(8, 16)), [bytes(0, 8), bytes(16, 56)]);
    }
}
