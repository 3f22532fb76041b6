//! Changes of groups: each is judged by the time of the program that it gives.

use super::cuts::PIECES;
use super::decide::{Front, GroupSearch, Priced};
use super::plan::{Lag, NodeGroup};
use rayon::prelude::*;

/// About so many instructions are made in all, so that large programs take no longer than small ones.
const INSTRUCTIONS: usize = 150_000;
/// No more plans than this are looked at.
const MOST_PLANS: usize = 96;

/// What was looked at.
#[derive(Default)]
struct Seen {
    plans: usize,
    instructions: usize,
}

impl Seen {
    fn is_enough(&self) -> bool {
        self.instructions >= INSTRUCTIONS || self.plans >= MOST_PLANS
    }
}

/// Climbs from groups and the room for what stays beside them, as long as something helps and the budget lasts; gives the best groups.
pub fn improve(
    search: &GroupSearch<'_>,
    start: (Vec<NodeGroup>, u64),
    cycles: u64,
    front: &mut Front,
) -> Vec<NodeGroup> {
    let nodes = search.segment.nodes.len();
    let ((mut groups, capacity), mut least) = (start, cycles);
    let mut seen = Seen::default();
    // Neighbours of what was changed last are looked at first.
    let mut at = 0;
    let mut without = 0;
    while without < groups.len().max(1) && !seen.is_enough() {
        match first_better(search, &changes(&groups, at, nodes), (capacity, least), &mut seen, front) {
            Some((changed, cycles)) => {
                (groups, least, without) = (changed, cycles, 0);
                at = at.min(groups.len().saturating_sub(1));
            }
            None => {
                without += 1;
                at = (at + 1) % groups.len().max(1);
            }
        }
    }
    groups
}

/// The first of these groups whose program takes less, with its cycles. Two are looked at side by side; what comes of the second counts only where the first
/// is no better, as if it had been looked at then.
fn first_better(
    search: &GroupSearch<'_>,
    all: &[Vec<NodeGroup>],
    (capacity, least): (u64, u64),
    seen: &mut Seen,
    front: &mut Front,
) -> Option<(Vec<NodeGroup>, u64)> {
    for some in all.chunks(2) {
        let priced: Vec<Option<Priced>> = some.par_iter().map(|groups| search.price(groups, capacity)).collect();
        for (groups, found) in some.iter().zip(priced) {
            seen.plans += 1;
            let Some(found) = found else { continue };
            seen.instructions += found.length;
            let cycles = found.cycles;
            front.add(found);
            if cycles < least {
                return Some((groups.clone(), cycles));
            }
            if seen.is_enough() {
                return None;
            }
        }
    }
    None
}

/// The groups with one change near the n-th: more or fewer stripes, another lag, another border, joined with the next, in two, or gone.
fn changes(groups: &[NodeGroup], at: usize, nodes: usize) -> Vec<Vec<NodeGroup>> {
    let Some(&NodeGroup { first, end, pieces, lag }) = groups.get(at) else { return Vec::new() };
    let before = at.checked_sub(1).and_then(|before| groups.get(before)).map_or(0, |group| group.end);
    let after = groups.get(at + 1).map_or(nodes, |group| group.first);
    let mut all = Vec::new();
    let mut with = |new: &[NodeGroup], takes: usize| {
        if new.iter().all(|group| group.first < group.end) {
            let rest = groups.get(at + takes..).unwrap_or_default();
            all.push(groups.iter().take(at).chain(new).chain(rest).cloned().collect());
        }
    };
    let position = PIECES.iter().position(|&known| known >= pieces).unwrap_or(0);
    for other in [position + 1, position.wrapping_sub(1), position + 2, position.wrapping_sub(2)] {
        if let Some(&pieces) = PIECES.get(other) {
            with(&[NodeGroup { first, end, pieces, lag }], 1);
        }
    }
    let other = if lag == Lag::default() { Lag::WIDE } else { Lag::default() };
    with(&[NodeGroup { first, end, pieces, lag: other }], 1);
    if let Some(next) = groups.get(at + 1) {
        with(&[NodeGroup { first, end: next.end, pieces: pieces.max(next.pieces), lag }], 2);
    }
    for (first, end) in [(first, end + 1), (first, end.wrapping_sub(1)), (first.wrapping_sub(1), end), (first + 1, end)]
    {
        if first >= before && end <= after {
            with(&[NodeGroup { first, end, pieces, lag }], 1);
        }
    }
    let middle = first + (end - first) / 2;
    with(&[NodeGroup { first, end: middle, pieces, lag }, NodeGroup { first: middle, end, pieces, lag }], 1);
    with(&[], 1);
    all
}
