//! Where a segment is cut into groups: dynamic programming over its nodes, by an estimate of time and of traffic with DDR.
//!
//! The estimate decides what is worth a look; whether it is worth having, the program's own time says.

use std::collections::{HashMap, HashSet};

use super::super::isa::{Engine, MemoryRegion, Runs};
use super::super::tile::{OperandRole, TileMemory};
use super::plan::{Lag, NodeGroup};
use super::stripes::{Members, Rows, lags, rows_after};

/// No group is longer, so that the work grows with the number of nodes.
const LONGEST: usize = 64;
/// Stripes that are tried.
pub const PIECES: [usize; 12] = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96];
/// What is smaller than this part of local memory mostly finds a place there.
const SMALL: u64 = 8;
/// Part of local memory that a group may fill: holes between what comes and goes take the rest.
const FILLED: f64 = 0.8;
/// Of what is hidden behind something longer, this much shows.
const SHOWN: f64 = 0.1;

/// What groups are made for.
#[derive(Clone, Copy)]
pub struct Cutting {
    /// Bytes of local memory that there are for them.
    pub memory: u64,
    /// Cycles that an engine loses in each stripe because it waits for another. Nobody knows how much of it other work hides.
    pub wait: f64,
    /// How far nodes are apart.
    pub lag: Lag,
}

/// The groups that the estimate finds best.
pub fn cut(rows: &Rows<'_>, nodes: usize, cutting: Cutting) -> Vec<NodeGroup> {
    let cuts = Cuts::new(rows, nodes, cutting);
    let mut best = vec![Prefix { cost: f64::INFINITY, first: 0, pieces: None }; nodes + 1];
    relax(&mut best, 0, Prefix { cost: 0.0, first: 0, pieces: None });
    for first in 0..nodes {
        let so_far = best.get(first).map_or(f64::INFINITY, |prefix| prefix.cost);
        relax(&mut best, first + 1, Prefix { cost: so_far + cuts.alone(first), first, pieces: None });
        let mut fewest = 0;
        for end in first + 2..=nodes.min(first + LONGEST) {
            if !rows.can_be_member(end - 1) || !rows.can_be_member(first) {
                break;
            }
            if let Some((cost, pieces)) = cuts.group(first, end, &mut fewest) {
                relax(&mut best, end, Prefix { cost: so_far + cost, first, pieces: Some(pieces) });
            }
        }
    }
    let (mut groups, mut end) = (Vec::new(), nodes);
    while let Some(&Prefix { first, pieces, .. }) = best.get(end).filter(|_| end > 0) {
        groups.extend(pieces.map(|pieces| NodeGroup { first, end, pieces, lag: cutting.lag }));
        end = first;
    }
    groups.reverse();
    groups
}

/// The first nodes of a segment, as cheap as they can be.
#[derive(Clone, Copy)]
struct Prefix {
    cost: f64,
    /// Where the last group begins, and its stripes; none for a node on its own.
    first: usize,
    pieces: Option<usize>,
}

fn relax(best: &mut [Prefix], end: usize, by: Prefix) {
    if let Some(known) = best.get_mut(end).filter(|known| by.cost < known.cost) {
        *known = by;
    }
}

struct Cuts<'a> {
    rows: &'a Rows<'a>,
    memory: u64,
    wait: f64,
    lag: Lag,
    /// Per node, bytes of what is small and lives then.
    passing: Vec<u64>,
    alone: Vec<Option<Alone>>,
}

/// A node on its own.
struct Alone {
    cycles: f64,
    /// The storages that it reads.
    reads: Vec<usize>,
    /// That of its result.
    makes: usize,
    /// Bytes that its tiles move themselves.
    boxes: u64,
}

impl Alone {
    fn storages(&self) -> impl Iterator<Item = usize> + '_ {
        self.reads.iter().copied().chain([self.makes])
    }
}

impl<'a> Cuts<'a> {
    fn new(rows: &'a Rows<'a>, nodes: usize, Cutting { memory, wait, lag }: Cutting) -> Self {
        let mut cuts = Self { rows, memory, wait, lag, passing: vec![0; nodes], alone: Vec::with_capacity(nodes) };
        let mut seen = HashSet::new();
        let mut makers: HashMap<usize, Engine> = HashMap::new();
        for node in 0..nodes {
            let alone = rows.member(node).map(|(member, steps)| {
                let reads: Vec<usize> = member.needs(steps, 0, member.rows).iter().map(|span| span.storage).collect();
                let waits = reads.iter().filter_map(|read| makers.get(read)).any(|&engine| engine != member.engine);
                makers.insert(member.storage, member.engine);
                let cycles = member.cycles(steps, rows.target, 0, member.rows) as f64;
                Alone {
                    cycles: if waits { cycles + wait } else { cycles },
                    reads,
                    makes: member.storage,
                    boxes: member.boxes(steps, 0, member.rows),
                }
            });
            for storage in alone.iter().flat_map(Alone::storages) {
                if seen.insert(storage)
                    && let Some((bytes, (from, to))) = rows.storage(storage)
                    && cuts.is_small(bytes)
                {
                    cuts.passing.iter_mut().take(to + 1).skip(from).for_each(|passing| *passing += bytes);
                }
            }
            cuts.alone.push(alone);
        }
        cuts
    }

    fn is_small(&self, bytes: u64) -> bool {
        bytes <= self.memory / SMALL
    }

    /// The cycles that a storage takes on its way from or to DDR, where it goes there.
    fn transfer(&self, storage: usize) -> f64 {
        let Some((bytes, _)) = self.rows.storage(storage) else { return 0.0 };
        if self.is_small(bytes) { 0.0 } else { self.port(bytes) }
    }

    fn port(&self, bytes: u64) -> f64 {
        self.rows.target.port_cycles(Runs { count: 1, bytes: bytes.into() }) as f64
    }

    fn alone(&self, node: usize) -> f64 {
        match self.alone.get(node) {
            Some(Some(alone)) => {
                let moved: f64 = alone.storages().map(|storage| self.transfer(storage)).sum();
                together(alone.cycles, moved + self.port(alone.boxes))
            }
            _ => 0.0,
        }
    }

    /// The cost of nodes `first..end` as a group and its number of stripes; none where it gains nothing or does not fit. `fewest` is the
    /// position in [`PIECES`] of the fewest stripes that may fit.
    fn group(&self, first: usize, end: usize, fewest: &mut usize) -> Option<(f64, usize)> {
        let members = self.rows.members(first, end)?;
        let leaves = |storage: usize| self.rows.leaves((first, end), storage);
        // What leaves need at least not be read again.
        let nodes = self.alone.get(first..end)?;
        let read = |storage: usize| nodes.iter().flatten().any(|alone| alone.reads.contains(&storage));
        let gains = |storage: usize| self.transfer(storage) > 0.0 && (!leaves(storage) || read(storage));
        if !members.iter().any(|(member, _)| gains(member.storage)) {
            return None;
        }
        let mut best: Option<(f64, usize)> = None;
        for (index, &pieces) in PIECES.iter().enumerate().skip(*fewest) {
            match self.striped(&members, &leaves, (first, end), pieces) {
                Some(cost) => {
                    if best.is_some_and(|(least, _)| cost >= least) {
                        break;
                    }
                    best = Some((cost, pieces));
                }
                None if best.is_none() => *fewest = index,
                None => break,
            }
        }
        best
    }

    /// The cost of a group in so many stripes, by one in the middle; none where it does not fit.
    fn striped(
        &self,
        members: &Members<'_>,
        leaves: &dyn Fn(usize) -> bool,
        (first, end): (usize, usize),
        pieces: usize,
    ) -> Option<f64> {
        let middle = pieces / 2;
        let before = rows_after(members, leaves, (middle - 1, pieces));
        let after = rows_after(members, leaves, (middle, pieces));
        let lags = lags(members, self.lag);
        let mut engines = [0.0f64; Engine::COUNT];
        let (mut traffic, mut weights, mut boxes) = (0.0, 0u64, 0u64);
        // Per storage: the lowest byte needed, the end of what is there, the moment of the maker and of the last reader.
        let mut windows: HashMap<usize, (u64, u64, usize, usize)> = HashMap::new();
        for (((member, steps), (&from, &to)), &lag) in members.iter().zip(before.iter().zip(&after)).zip(&lags) {
            let whole = to <= from;
            // What has no row in the middle stripe is made at once.
            let (from, to, times) = if whole { (0, member.rows, 1) } else { (from, to, pieces) };
            let cycles = member.cycles(steps, self.rows.target, from, to) as f64;
            engines[member.engine.index()] += cycles * times as f64;
            for span in member.needs(steps, from, to) {
                let outside = !members.iter().any(|(other, _)| other.storage == span.storage);
                let window = windows.entry(span.storage).or_insert((span.low, span.high, lag, lag));
                if outside && window.3 == lag && window.0 == span.low {
                    traffic += self.transfer(span.storage);
                }
                *window = (window.0.min(span.low), window.1.max(span.high), window.2.min(lag), window.3.max(lag));
            }
            let own = member.boxes(steps, from, to);
            traffic += self.port(own) * times as f64;
            boxes += own;
            weights += constants(steps);
            if member.stores {
                continue;
            }
            let high = to as u64 * member.unit;
            windows.insert(member.storage, (from as u64 * member.unit, high, lag, lag));
            if leaves(member.storage) {
                traffic += self.transfer(member.storage);
            }
        }
        // A box is on its way while the next one is worked on.
        let mut taken = weights + 2 * boxes;
        for (low, high, from, to) in windows.values() {
            taken = taken.saturating_add((high - low).saturating_mul((to - from + 2) as u64));
        }
        let passing = self.passing.get(first..end)?.iter().max().copied().unwrap_or(0);
        if (taken.saturating_add(passing)) as f64 > FILLED * self.memory as f64 {
            return None;
        }
        let longest = engines.iter().copied().fold(0.0, f64::max);
        // Engines hand on to each other all at the same time.
        let handed = lags.iter().max().copied().unwrap_or(0);
        let waits = if handed == 0 { 0 } else { pieces + handed };
        let compute = longest + self.wait * waits as f64;
        let fill = engines.iter().sum::<f64>() / pieces as f64;
        Some(together(compute, traffic + self.port(weights)) + fill)
    }
}

/// Time of what runs beside each other.
fn together(compute: f64, traffic: f64) -> f64 {
    compute.max(traffic) + SHOWN * compute.min(traffic)
}

/// Bytes of constants that forms read.
fn constants(steps: &super::Steps) -> u64 {
    let operands = steps.iter().flat_map(|step| step.operands());
    let bytes = operands.filter_map(|operand| match &operand.role {
        OperandRole::Read(placement)
            if matches!(placement.memory, TileMemory::Ddr { region: MemoryRegion::Constants, .. }) =>
        {
            u64::try_from(super::super::tile::product(&placement.shape, placement.element_bytes)).ok()
        }
        _ => None,
    });
    bytes.sum()
}
