//! Finds accesses that nothing orders.
//!
//! Instruction A happens before B when both are in one queue and A comes first, or when B, or something before B in this
//! sense, waits for A or for something after A in A's queue. Per instruction that is a vector clock: how many instructions of
//! each engine are certainly complete when it starts. For every byte we remember the last write and, per engine, the last
//! read since. An access to a byte must happen after the write, a write after those reads too.
//!
//! Instructions are visited in an order that extends happens-before, so of two unordered accesses the later visited one
//! finds the record of the other, or the record of a third one in between with which it is unordered as well.

use rayon::prelude::*;
use std::collections::BTreeMap;

use crate::nash::isa::{Access, Engine, Program, Space};

use super::error::{Actor, SimError};
use super::race_bytes::RaceBytes;

/// Per engine, how many instructions are complete.
type Clock = [u32; Engine::COUNT];

/// The accesses to some bytes that still matter. Counts are 1 for an engine's first instruction.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct History {
    pub write: Option<(Engine, u32)>,
    /// 0 for none.
    pub reads: Clock,
}

impl History {
    /// Whether anything in particular was written: what the scalar engine writes is lost.
    pub fn is_written(&self) -> bool {
        self.write.is_some_and(|(engine, _)| engine != Engine::Spu)
    }

    /// What it becomes by an access.
    pub fn after(&self, write: bool, visitor: &Visitor) -> History {
        if write {
            return History { write: Some((visitor.engine, visitor.count)), reads: [0; Engine::COUNT] };
        }
        let mut history = *self;
        history.reads[visitor.engine.index()] = visitor.count;
        history
    }
}

/// A run of bytes with one history.
#[derive(Clone, Copy)]
struct Record {
    end: u64,
    history: History,
}

/// The visiting instruction.
#[derive(Clone, Copy)]
pub(super) struct Visitor {
    engine: Engine,
    count: u32,
    /// What is complete when it starts.
    before: Clock,
}

impl Visitor {
    fn is_after(&self, engine: Engine, count: u32) -> bool {
        engine == self.engine || self.before[engine.index()] >= count
    }
}

/// The other party of a race.
pub(super) struct Conflict {
    start: u64,
    end: u64,
    engine: Engine,
    count: u32,
    wrote: bool,
}

/// The bytes of a part of one memory as runs. Records do not overlap; bytes without one were never touched.
#[derive(Default)]
struct Runs {
    records: BTreeMap<u64, Record>,
}

/// The bytes of a part of one memory.
enum Shadow {
    Runs(Runs),
    Bytes(RaceBytes),
}

/// A part is kept byte by byte when accesses have more runs in it than this, on average: so many cost about as much as the bytes
/// of a part.
const MANY_RUNS: u128 = 128;

/// A read of bytes that were never written, unless the writer comes yet.
struct Unwritten {
    space: Space,
    start: u64,
    end: u64,
    /// Place in the order of visits.
    visit: usize,
}

/// An access, and its place in the order of visits.
type Visit = (usize, Access);

/// Memories are looked at in parts of this size, because interleaved accesses leave a record for every few bytes.
const PART: u64 = 1 << 18;
/// The most parts of one memory.
const MOST_PARTS: u64 = 1 << 10;

/// Visits all instructions in `order`, which must respect queues and waits.
pub(super) fn check(program: &Program, order: &[usize]) -> Result<(), SimError> {
    check_with(program, order, MANY_RUNS)
}

/// As [`check`], with another number of runs from which a part is kept byte by byte.
pub(super) fn check_with(program: &Program, order: &[usize], many_runs: u128) -> Result<(), SimError> {
    let visitors = visitors(program, order);
    let mut unwritten: Option<Unwritten> = None;
    for (space, visits) in visits(program, &visitors) {
        let parts: Vec<_> = parts(&visits).into_iter().collect();
        let check = |(part, members): &((u64, u64), Vec<usize>)| {
            let shadow = Shadow::new(&visits, members, *part, many_runs);
            check_part(program, &visitors, &visits, members, *part, shadow)
        };
        // What is reported must not depend on which thread is first.
        let checked: Vec<_> = parts.par_iter().map(check).collect();
        for found in checked {
            let found = found?;
            let earlier = |found: &Unwritten| unwritten.as_ref().is_none_or(|known| found.visit < known.visit);
            let found = found.map(|(visit, start, end)| Unwritten { space, start, end, visit });
            if let Some(found) = found.filter(earlier) {
                unwritten = Some(found);
            }
        }
    }
    let actor = |found: &Unwritten| {
        let (position, visitor) = visitors.get(found.visit)?;
        Actor::new(program, *position, visitor.count)
    };
    match unwritten.and_then(|found| Some((actor(&found)?, found))) {
        None => Ok(()),
        Some((actor, Unwritten { space, start, end, .. })) => {
            Err(SimError::Unwritten { space: space.to_string(), start, end, actor: Box::new(actor) })
        }
    }
}

/// Every instruction in the order of visits: its position, and what is complete when it starts.
fn visitors(program: &Program, order: &[usize]) -> Vec<(usize, Visitor)> {
    let mut after: [Vec<Clock>; Engine::COUNT] = Default::default();
    let mut visitors = Vec::with_capacity(order.len());
    for &position in order {
        let Some(instruction) = program.instructions.get(position) else { continue };
        let engine = instruction.engine();
        let count = after[engine.index()].len() as u32 + 1;
        let mut before = after[engine.index()].last().copied().unwrap_or_default();
        for wait in &instruction.waits {
            let complete = (wait.count as usize).checked_sub(1).and_then(|index| after[wait.engine.index()].get(index));
            complete.into_iter().for_each(|clock| join(&mut before, clock));
        }
        visitors.push((position, Visitor { engine, count, before }));
        before[engine.index()] = count;
        after[engine.index()].push(before);
    }
    visitors
}

/// The accesses to every memory that anything writes.
fn visits(program: &Program, visitors: &[(usize, Visitor)]) -> BTreeMap<Space, Vec<Visit>> {
    let mut visits: BTreeMap<Space, Vec<Visit>> = BTreeMap::new();
    for (visit, (position, _)) in visitors.iter().enumerate() {
        let accesses = program.instructions.get(*position).map(|instruction| instruction.accesses());
        // Reads come first in `accesses`: an instruction in place does not conflict with itself.
        for access in accesses.into_iter().flatten() {
            if !matches!(access.space, Space::Ddr(region) if !region.is_writable()) {
                visits.entry(access.space).or_default().push((visit, access));
            }
        }
    }
    visits
}

/// Cuts a memory into parts; gives each with the indices of the accesses that may touch it.
fn parts(visits: &[Visit]) -> BTreeMap<(u64, u64), Vec<usize>> {
    // Validation put every access inside of the memory.
    let bounds = |access: &Access| {
        let (start, end) = (u64::try_from(access.region.base), u64::try_from(access.region.end()));
        start.ok().zip(end.ok()).filter(|(start, end)| start < end)
    };
    let end = visits.iter().filter_map(|(_, access)| bounds(access)).map(|(_, end)| end).max().unwrap_or(0);
    let size = PART.max(end.div_ceil(MOST_PARTS));
    let mut parts: BTreeMap<(u64, u64), Vec<usize>> = BTreeMap::new();
    for (index, (_, access)) in visits.iter().enumerate() {
        let Some((start, end)) = bounds(access) else { continue };
        for part in start / size..=(end - 1) / size {
            parts.entry((part * size, (part + 1) * size)).or_default().push(index);
        }
    }
    parts
}

/// Visits a part of a memory. Gives the first bytes that are read and that nobody wrote: the visit, start and end.
fn check_part(
    program: &Program,
    visitors: &[(usize, Visitor)],
    visits: &[Visit],
    members: &[usize],
    part: (u64, u64),
    mut shadow: Shadow,
) -> Result<Option<(usize, u64, u64)>, SimError> {
    let mut unwritten = None;
    for (visit, access) in members.iter().filter_map(|index| visits.get(*index)) {
        let Some((position, visitor)) = visitors.get(*visit) else { continue };
        let gap = shadow
            .visit_all(access, visitor, part)
            .map_err(|conflict| race(program, access, *position, visitor, &conflict))?;
        unwritten = unwritten.or(gap.map(|(start, end)| (*visit, start, end)));
    }
    Ok(unwritten)
}

fn join(clock: &mut Clock, other: &Clock) {
    clock.iter_mut().zip(other).for_each(|(mine, theirs)| *mine = (*mine).max(*theirs));
}

fn race(program: &Program, access: &Access, position: usize, visitor: &Visitor, conflict: &Conflict) -> SimError {
    let verb = |write: bool| if write { "writes" } else { "reads" };
    let queues = program.queues();
    let other = queues[conflict.engine.index()].get(conflict.count as usize - 1).copied().unwrap_or_default();
    let actors = Actor::new(program, other, conflict.count).zip(Actor::new(program, position, visitor.count));
    match actors {
        Some((first, second)) => SimError::Race {
            space: access.space.to_string(),
            start: conflict.start,
            end: conflict.end,
            first: Box::new(first),
            first_verb: verb(conflict.wrote),
            second: Box::new(second),
            second_verb: verb(access.write),
        },
        None => SimError::Execution {
            position,
            mnemonic: "",
            source_name: String::new(),
            reason: format!("race with instruction {} of {}", conflict.count, conflict.engine),
        },
    }
}

/// About how many runs of an access lie in a part.
fn runs_in(access: &Access, (low, high): (u64, u64)) -> u128 {
    let (start, end) = (access.region.base.max(low.into()), access.region.end().min(high.into()));
    let all = (access.region.end() - access.region.base).unsigned_abs().max(1);
    let inside = (end - start).max(0).unsigned_abs();
    access.region.runs().min(u128::from(u64::MAX)) * inside.min(all) / all + 1
}

impl Shadow {
    fn new(visits: &[Visit], members: &[usize], part: (u64, u64), many_runs: u128) -> Shadow {
        let (mut runs, mut end) = (0u128, part.0);
        for (_, access) in members.iter().filter_map(|index| visits.get(*index)) {
            runs = runs.saturating_add(runs_in(access, part));
            end = end.max(u64::try_from(access.region.end()).unwrap_or(u64::MAX).min(part.1));
        }
        // Larger parts are those of huge memories, where bytes would take too much of ours.
        if runs > many_runs.saturating_mul(members.len() as u128) && part.1 - part.0 <= PART {
            Shadow::Bytes(RaceBytes::new(part.0, (end - part.0) as usize))
        } else {
            Shadow::Runs(Runs::default())
        }
    }

    /// Visits the runs of an access in `part`. Gives the first bytes there that it reads and nobody wrote.
    fn visit_all(
        &mut self,
        access: &Access,
        visitor: &Visitor,
        part: (u64, u64),
    ) -> Result<Option<(u64, u64)>, Conflict> {
        if let Shadow::Bytes(bytes) = self {
            bytes.begin_access();
        }
        let mut outcome = Ok(None);
        access.region.visit_within(part.0.into(), part.1.into(), &mut |start, end| {
            // Parts lie in 64 bits.
            let (Ok(start), Ok(end)) = (u64::try_from(start), u64::try_from(end)) else { return };
            if let Ok(gap) = outcome {
                let found = match self {
                    Shadow::Runs(runs) => runs.visit(start, end, access.write, visitor),
                    Shadow::Bytes(bytes) => bytes.visit(start, end, access.write, visitor),
                };
                outcome = found.map(|found| gap.or(found));
            }
        });
        outcome
    }
}

impl Runs {
    fn visit(&mut self, start: u64, end: u64, write: bool, visitor: &Visitor) -> Result<Option<(u64, u64)>, Conflict> {
        self.split(start);
        self.split(end);
        let old: Vec<(u64, Record)> = self.records.range(start..end).map(|(start, record)| (*start, *record)).collect();
        for (start, record) in &old {
            check_history(*start, record.end, &record.history, write, visitor)?;
            self.records.remove(start);
        }
        let untouched = History::default();
        if write {
            self.insert(start, Record { end, history: untouched.after(true, visitor) });
            return Ok(None);
        }
        let mut gap = None;
        let mut at = start;
        for (start, Record { end, history }) in old {
            if !history.is_written() || at < start {
                gap = gap.or(Some(if at < start { (at, start) } else { (start, end) }));
            }
            if at < start {
                self.insert(at, Record { end: start, history: untouched.after(false, visitor) });
            }
            at = end;
            self.insert(start, Record { end, history: history.after(false, visitor) });
        }
        if at < end {
            gap = gap.or(Some((at, end)));
            self.insert(at, Record { end, history: untouched.after(false, visitor) });
        }
        Ok(gap)
    }

    /// Makes `at` a border between records.
    fn split(&mut self, at: u64) {
        if let Some((_, record)) = self.records.range_mut(..at).next_back()
            && record.end > at
        {
            let rest = *record;
            record.end = at;
            self.records.insert(at, rest);
        }
    }

    /// Adds a record, as part of its left neighbour when the two say the same.
    fn insert(&mut self, start: u64, record: Record) {
        if let Some((_, left)) = self.records.range_mut(..start).next_back()
            && left.end == start
            && left.history == record.history
        {
            left.end = record.end;
        } else {
            self.records.insert(start, record);
        }
    }
}

/// Whether an access to `start..end` comes after those that it must not meet.
pub(super) fn check_history(
    start: u64,
    end: u64,
    history: &History,
    write: bool,
    visitor: &Visitor,
) -> Result<(), Conflict> {
    let conflict = |engine, count, wrote| Conflict { start, end, engine, count, wrote };
    if let Some((engine, count)) = history.write
        && !visitor.is_after(engine, count)
    {
        return Err(conflict(engine, count, true));
    }
    if write {
        for engine in Engine::ALL {
            let count = history.reads[engine.index()];
            if count > 0 && !visitor.is_after(engine, count) {
                return Err(conflict(engine, count, false));
            }
        }
    }
    Ok(())
}
