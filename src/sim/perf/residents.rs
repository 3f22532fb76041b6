//! What lives in local memory: bytes from the instruction that writes them to the last one that reads them.

use std::collections::BTreeMap;

use crate::nash::isa::{Instruction, Space};
use crate::nash::timing::Span;

/// Bytes of local memory that live for a time. Cycles count from the start of the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LivingBytes {
    /// Who wrote them: index into [`super::BpuTimeline::names`].
    pub source: usize,
    /// First byte.
    pub first: u64,
    /// First byte behind them.
    pub end: u64,
    /// When they begin to be written.
    pub from: u64,
    /// When they have been read for the last time; written, where nobody reads them.
    pub until: u64,
}

/// The residents of a program, in the order of their end; `spans` are the times of its instructions.
///
/// A strided operand counts as all bytes from its first to its last: what several instructions write interleaved is of the last of them.
pub fn residents(instructions: &[Instruction], spans: &[Span]) -> Vec<LivingBytes> {
    let mut memory = Memory::default();
    for (instruction, span) in instructions.iter().zip(spans) {
        let accesses = instruction.operation.accesses();
        let of =
            |write: bool| accesses.iter().filter(move |access| access.space == Space::L1m && access.write == write);
        for access in of(false) {
            let (first, end) = access.bounds();
            memory.read(first, end, span.end);
        }
        for access in of(true) {
            let (first, end) = access.bounds();
            let source = instruction.source as usize;
            memory.write(LivingBytes { source, first, end, from: span.start, until: span.end });
        }
    }
    memory.gone.extend(memory.living.into_values());
    memory.gone.sort_by_key(|resident| (resident.until, resident.first));
    memory.gone
}

#[derive(Default)]
struct Memory {
    /// By first byte; none overlap.
    living: BTreeMap<u64, LivingBytes>,
    gone: Vec<LivingBytes>,
}

impl Memory {
    fn overlapping(&self, first: u64, end: u64) -> Vec<u64> {
        let before = self.living.range(..first).next_back().filter(|(_, resident)| resident.end > first);
        before.into_iter().chain(self.living.range(first..end.max(first))).map(|(&at, _)| at).collect()
    }

    fn read(&mut self, first: u64, end: u64, when: u64) {
        for at in self.overlapping(first, end) {
            if let Some(resident) = self.living.get_mut(&at) {
                resident.until = resident.until.max(when);
            }
        }
    }

    fn write(&mut self, new: LivingBytes) {
        if new.first >= new.end {
            return;
        }
        for at in self.overlapping(new.first, new.end) {
            let Some(old) = self.living.remove(&at) else { continue };
            // What is not written over goes on living.
            if old.first < new.first {
                self.living.insert(old.first, LivingBytes { end: new.first, ..old });
            }
            if old.end > new.end {
                self.living.insert(new.end, LivingBytes { first: new.end, ..old });
            }
            self.gone.push(LivingBytes { first: old.first.max(new.first), end: old.end.min(new.end), ..old });
        }
        self.living.insert(new.first, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident(source: usize, (first, end): (u64, u64), (from, until): (u64, u64)) -> LivingBytes {
        LivingBytes { source, first, end, from, until }
    }

    #[test]
    fn bytes_live_until_they_are_read_for_the_last_time() {
        let mut memory = Memory::default();
        memory.write(resident(0, (0, 100), (0, 10)));
        memory.read(20, 30, 15);
        // Over the middle: both ends stay, and the part that is gone lived until the read.
        memory.write(resident(1, (40, 60), (20, 25)));
        assert_eq!(memory.gone, [resident(0, (40, 60), (0, 15))]);
        memory.read(0, 45, 30);
        memory.read(90, 200, 50);
        let living: Vec<LivingBytes> = memory.living.into_values().collect();
        let expected =
            [resident(0, (0, 40), (0, 30)), resident(1, (40, 60), (20, 30)), resident(0, (60, 100), (0, 50))];
        assert_eq!(living, expected);
    }

    #[test]
    fn a_program_that_loads_computes_and_stores() {
        let hbm = crate::hbm::Hbm::from_bytes(crate::sim::tests::model(2)).unwrap();
        let target = crate::target::Target::named("nash-e").unwrap();
        let segment = hbm.manifest().segments.first().unwrap();
        let timeline = crate::sim::bpu_segment::timeline(&hbm, segment, &target).unwrap();
        // What was loaded lives until it is negated, the result until it is stored.
        let end_of = |engine| timeline.activities.iter().rev().find(|activity| activity.engine == engine).unwrap().end;
        use crate::nash::isa::Engine;
        assert_eq!(timeline.residents.last().unwrap().until, end_of(Engine::Store));
        assert!(
            timeline.residents.iter().all(|resident| resident.from < resident.until && resident.first < resident.end)
        );
        assert!(timeline.residents.iter().any(|resident| resident.from == 0 && resident.until > end_of(Engine::Load)));
    }
}
