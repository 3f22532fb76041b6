//! Where a program is cut: the cuts that cost least, each function call below a limit.
//!
//! A shortest path over positions between instructions, by an estimate: what the instructions take in the program as it is, and for each
//! cut a start and what lives there, stored and loaded. The program that it gives is timed; where a function call is over the limit, the
//! estimate is held to less.

use std::collections::HashMap;

use super::super::isa::{Operation, Program, Runs};
use super::super::timing::{Span, time};
use super::cut::cut;
use super::lives::Lives;
use crate::target::Target;

/// Percent of the limit that the estimate may reach at first: mostly it is too high, since not all that lives is stored in one function call and
/// loaded in the next.
const SHARES: [u64; 4] = [140, 125, 110, 100];
/// Programs that are timed at most to learn where the estimate is too low.
const ROUNDS: usize = 32;
/// Into so many parts the limit is divided; of each part of the program that long, the cheapest position is looked at. More where that is not
/// enough.
const PARTS: [u64; 2] = [64, 1024];

/// Why a program cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// Of the instruction for which there is no room.
    pub position: usize,
    /// What a function call of it alone takes, about.
    pub cycles: u64,
}

/// Start and end of each function call, without what it takes to start, from the engines and times of a program's instructions.
pub fn call_spans(instructions: impl Iterator<Item = (bool, Span)>) -> Vec<Span> {
    let (mut yields, mut end) = (Vec::new(), 0);
    for (is_yield, span) in instructions {
        end = end.max(span.end);
        if is_yield {
            yields.push(span);
        }
    }
    let starts = std::iter::once(0).chain(yields.iter().map(|span| span.end));
    let ends = yields.iter().map(|span| span.start).chain([end]);
    starts.zip(ends).map(|(start, end)| Span { start, end }).collect()
}

/// Positions at which function calls begin that each take at most `limit` cycles with their start; none where one is enough.
///
/// # Errors
/// When an instruction is too long for any.
pub fn choose(program: &Program, target: &Target, limit: u64) -> Result<Vec<usize>, TooLong> {
    // Both sides of a yield wait for it.
    let start = target.run_overhead_cycles().saturating_add(2 * target.wait_cycles.value);
    let Ok(timing) = time(program, target) else { return Ok(Vec::new()) };
    if timing.cycles().saturating_add(target.run_overhead_cycles()) <= limit {
        return Ok(Vec::new());
    }
    let lives = Lives::new(&program.instructions, target.l1m_bytes());
    let transfers = lives.sizes().into_iter().map(|(bytes, runs)| {
        let setup = runs.saturating_mul(target.ddr.setup_cycles.value);
        setup.saturating_add(target.port_cycles(Runs { count: 1, bytes: bytes.into() }))
    });
    let ends = timing.spans.iter().scan(0u64, |latest, span| {
        *latest = (*latest).max(span.end);
        Some(*latest)
    });
    let done = std::iter::once(0).chain(ends).collect();
    let mut path = Path { done, transfers: transfers.collect(), start, more: HashMap::new() };
    let mut blocked = None;
    for parts in PARTS {
        let positions = path.positions(limit, parts);
        for share in SHARES.into_iter().chain(std::iter::repeat_n(100, ROUNDS)) {
            let cuts = match path.shortest(&positions, limit / 100 * share) {
                Ok(cuts) => cuts,
                Err(position) => {
                    blocked = Some(position);
                    break;
                }
            };
            let calls = call_cycles(program, &cuts, target);
            if calls.iter().all(|&cycles| cycles <= limit) {
                return Ok(cuts);
            }
            if share == 100 {
                path.learn(&cuts, &calls);
            }
        }
    }
    path.more.clear();
    let alone = |position: usize| path.estimate(position, position + 1);
    let worst = (0..program.instructions.len()).max_by_key(|&position| alone(position)).unwrap_or(0);
    let position = blocked.filter(|&position| alone(position) > limit).unwrap_or(worst);
    Err(TooLong { position, cycles: alone(position) })
}

/// The time of each function call, its start included.
fn call_cycles(program: &Program, cuts: &[usize], target: &Target) -> Vec<u64> {
    let program = cut(program, cuts, String::new(), target.l1m_bytes());
    let Ok(timing) = time(&program, target) else { return vec![u64::MAX] };
    let is_yield = program.instructions.iter().map(|instruction| matches!(instruction.operation, Operation::Yield(_)));
    let calls = call_spans(is_yield.zip(timing.spans.iter().copied()));
    let start = target.run_overhead_cycles();
    calls.iter().map(|span| span.end.saturating_sub(span.start).saturating_add(start)).collect()
}

/// What the estimate goes by.
struct Path {
    /// Per position, when all before it is done in the program as it is.
    done: Vec<u64>,
    /// Per position, what it takes to store what lives there, or to load it.
    transfers: Vec<u64>,
    /// Of a function call.
    start: u64,
    /// By how much a function call from a position takes longer than the rest says, as far as that is known.
    more: HashMap<usize, u64>,
}

impl Path {
    fn of(all: &[u64], position: usize) -> u64 {
        all.get(position).copied().unwrap_or(0)
    }

    /// The time of a function call.
    fn estimate(&self, first: usize, end: usize) -> u64 {
        let work = Self::of(&self.done, end).saturating_sub(Self::of(&self.done, first));
        let moved = Self::of(&self.transfers, first).saturating_add(Self::of(&self.transfers, end));
        let more = self.more.get(&first).copied().unwrap_or(0);
        self.start.saturating_add(work).saturating_add(moved).saturating_add(more)
    }

    /// Takes over what function calls between cuts really take, where that is longer.
    fn learn(&mut self, cuts: &[usize], calls: &[u64]) {
        let last = self.done.len().saturating_sub(1);
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        for ((first, end), &cycles) in starts.zip(cuts.iter().copied().chain([last])).zip(calls) {
            let more = cycles.saturating_sub(self.estimate(first, end));
            *self.more.entry(first).or_default() += more;
        }
    }

    /// Positions worth a look, the first and the last among them.
    fn positions(&self, limit: u64, parts: u64) -> Vec<usize> {
        let length = (limit / parts).max(1);
        let last = self.done.len().saturating_sub(1);
        let mut positions = vec![0];
        let mut part = None;
        for position in 1..last {
            let own = Self::of(&self.done, position) / length;
            match positions.last_mut() {
                Some(best) if part == Some(own) => {
                    if Self::of(&self.transfers, position) < Self::of(&self.transfers, *best) {
                        *best = position;
                    }
                }
                _ => positions.push(position),
            }
            part = Some(own);
        }
        positions.push(last);
        positions
    }

    /// The cuts among these positions that cost least; the position behind which there is none where there are none.
    fn shortest(&self, positions: &[usize], allowed: u64) -> Result<Vec<usize>, usize> {
        // Per position: what it costs to come there, and from where.
        let mut best: Vec<Option<(u64, usize)>> = vec![None; positions.len()];
        let mut furthest = 0;
        for (to, &end) in positions.iter().enumerate() {
            if to == 0 {
                if let Some(first) = best.first_mut() {
                    *first = Some((0, 0));
                }
                continue;
            }
            for (from, &first) in positions.iter().enumerate().take(to).rev() {
                let work = Self::of(&self.done, end).saturating_sub(Self::of(&self.done, first));
                if work > allowed {
                    break;
                }
                let Some((cost, _)) = best.get(from).copied().flatten() else { continue };
                if self.estimate(first, end) > allowed {
                    continue;
                }
                let cost = cost + self.start + 2 * Self::of(&self.transfers, end);
                if let Some(known) = best.get_mut(to)
                    && known.is_none_or(|(least, _)| cost < least)
                {
                    *known = Some((cost, from));
                }
            }
            if best.get(to).is_some_and(Option::is_some) {
                furthest = end;
            }
        }
        let mut cuts = Vec::new();
        let mut at = positions.len().saturating_sub(1);
        while at > 0 {
            let Some(Some((_, from))) = best.get(at) else { return Err(furthest) };
            at = *from;
            if at > 0 {
                cuts.extend(positions.get(at));
            }
        }
        cuts.reverse();
        Ok(cuts)
    }
}
