//! Changes of groups: each is judged by the time of the program that it gives.

use super::cuts::PIECES;
use super::decide::{Front, GroupSearch};
use super::plan::{Lag, NodeGroup};

/// About so many instructions are made in all, so that large programs take no longer than small ones.
const INSTRUCTIONS: usize = 150_000;
/// No more plans than this are looked at.
const MOST_PLANS: usize = 96;

/// Climbs from groups and the room for what stays beside them, as long as something helps and the budget lasts; gives the best groups.
pub fn improve(
    search: &GroupSearch<'_>,
    start: (Vec<NodeGroup>, u64),
    cycles: u64,
    front: &mut Front,
) -> Vec<NodeGroup> {
    let nodes = search.segment.nodes.len();
    let ((mut groups, capacity), mut least) = (start, cycles);
    let (mut spent, mut seen) = (0, 0);
    // Neighbours of what was changed last are looked at first.
    let mut at = 0;
    let mut without = 0;
    while without < groups.len().max(1) && spent < INSTRUCTIONS && seen < MOST_PLANS {
        let mut better = None;
        for changed in changes(&groups, at, nodes) {
            let Some(found) = search.price(&changed, capacity) else {
                seen += 1;
                continue;
            };
            seen += 1;
            spent += found.length;
            let cycles = found.cycles;
            front.add(found);
            if cycles < least {
                better = Some((changed, cycles));
                break;
            }
            if spent >= INSTRUCTIONS || seen >= MOST_PLANS {
                break;
            }
        }
        match better {
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
