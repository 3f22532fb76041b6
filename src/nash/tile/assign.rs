//! Decides tile sizes: as large as the allocator admits, then the cheapest by an estimate of cycles.
//!
//! The search starts from one tile for everything, halves what costs least until it fits, and then climbs: halve, double, or
//! trade one axis against another while the estimate falls. "Does it fit?" is always asked of the allocator itself.

use super::super::allocate::AllocationError;
use super::super::isa::MemoryRegion;
use super::apply::{TileLayout, Tiling};
use super::{TileMemory, TileOperand, Tiled};
use crate::target::Target;

/// Why an operator has no tiles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum AssignError {
    #[error("its smallest tile needs {needed} bytes of L1M, {capacity} are available")]
    TooSmall { needed: u64, capacity: u64 },
    #[error(transparent)]
    Allocation(AllocationError),
}

/// Finds a tiling that fits in `capacity` bytes.
pub fn assign(operator: &dyn Tiled, target: &Target, capacity: u64) -> Result<Tiling, AssignError> {
    let mut best: Option<(f64, Tiling)> = None;
    let mut failure = None;
    for slots in [2, 1] {
        for order in operator.orders() {
            match search(operator, target, capacity, order, slots) {
                Ok((cost, tiling)) => {
                    if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                        best = Some((cost, tiling));
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        if let Some((_, tiling)) = best {
            return Ok(tiling);
        }
    }
    Err(failure.unwrap_or(AssignError::TooSmall { needed: 0, capacity }))
}

/// How much L1M a tiling takes, or would take.
fn bytes(operator: &dyn Tiled, tiling: &Tiling, target: &Target, capacity: u64) -> Result<u64, AssignError> {
    match TileLayout::new(operator, tiling, target.l1m_alignment(), capacity) {
        Ok(layout) => Ok(layout.bytes),
        Err(AllocationError::DoesNotFit { needed, .. }) => Ok(needed),
        // Addresses past 64 bits: larger than any memory.
        Err(AllocationError::Range { .. }) => Ok(u64::MAX),
        Err(error) => Err(AssignError::Allocation(error)),
    }
}

fn search(
    operator: &dyn Tiled,
    target: &Target,
    capacity: u64,
    order: Vec<usize>,
    slots: usize,
) -> Result<(f64, Tiling), AssignError> {
    let tile = operator.axes().iter().map(|axis| axis.size.max(1)).collect();
    let mut tiling = Tiling { tile, order, slots, whole: false };
    let mut used = bytes(operator, &tiling, target, capacity)?;
    while used > capacity {
        let mut best: Option<(f64, u64, Tiling)> = None;
        for axis in 0..tiling.tile.len() {
            let Some(candidate) = resized(operator, &tiling, &[(axis, false)]) else { continue };
            let needed = bytes(operator, &candidate, target, capacity)?;
            // Cheap to have, or saves much: the product weighs one against the other.
            let score = estimate(operator, &candidate, target) * (needed as f64 / used as f64);
            if best.as_ref().is_none_or(|(least, _, _)| score < *least) {
                best = Some((score, needed, candidate));
            }
        }
        let Some((_, needed, candidate)) = best else {
            return Err(AssignError::TooSmall { needed: used, capacity });
        };
        (tiling, used) = (candidate, needed);
    }
    climb(operator, target, capacity, tiling)
}

/// At most this many improvements; each is at least one part in a thousand.
const STEPS: usize = 48;

fn climb(
    operator: &dyn Tiled,
    target: &Target,
    capacity: u64,
    mut tiling: Tiling,
) -> Result<(f64, Tiling), AssignError> {
    let mut cost = estimate(operator, &tiling, target);
    for _ in 0..STEPS {
        let mut best: Option<(f64, Tiling)> = None;
        for changes in changes(tiling.tile.len()) {
            let Some(candidate) = resized(operator, &tiling, &changes) else { continue };
            let candidate_cost = estimate(operator, &candidate, target);
            let least = best.as_ref().map_or(cost * 0.999, |(least, _)| *least);
            if candidate_cost < least && bytes(operator, &candidate, target, capacity)? <= capacity {
                best = Some((candidate_cost, candidate));
            }
        }
        let Some((better, candidate)) = best else { break };
        (cost, tiling) = (better, candidate);
    }
    Ok((cost, tiling))
}

/// Every single change, then every trade: (axis, whether it grows).
fn changes(axes: usize) -> impl Iterator<Item = Vec<(usize, bool)>> {
    let single = (0..axes).flat_map(|axis| [vec![(axis, false)], vec![(axis, true)]]);
    let trades = (0..axes).flat_map(move |shrinks| {
        (0..axes).filter(move |&grows| grows != shrinks).map(move |grows| vec![(shrinks, false), (grows, true)])
    });
    single.chain(trades)
}

/// The tiling with some axes doubled or halved; none when nothing changes or the operator cannot do it.
fn resized(operator: &dyn Tiled, tiling: &Tiling, changes: &[(usize, bool)]) -> Option<Tiling> {
    let mut resized = tiling.clone();
    for &(axis, grows) in changes {
        let (axis, tile) = (operator.axes().get(axis)?, resized.tile.get_mut(axis)?);
        let before = *tile;
        let next = if grows { before.saturating_mul(2) } else { before.div_ceil(2) };
        let rounded = if next >= axis.granule { next.next_multiple_of(axis.granule) } else { next };
        *tile = if !grows && rounded >= before { next } else { rounded }.min(axis.size.max(1));
        if *tile == before {
            return None;
        }
    }
    operator.legal(&resized.tile).then_some(resized)
}

/// How much of the first load of a constant delays its operator: it depends on nothing, so mostly it runs while earlier
/// operators compute.
const NOT_AHEAD: f64 = 0.1;

/// About how many cycles the operator takes: the longer of transfers and computation, plus what cannot overlap at both ends.
pub fn estimate(operator: &dyn Tiled, tiling: &Tiling, target: &Target) -> f64 {
    let trips = tiling.trips(operator);
    let tiles: f64 = trips.iter().map(|&trips| trips as f64).product();
    // LOAD and STORE share the way to DDR; before the first load and after the last tile nothing runs beside it.
    let (mut transfers, mut ends) = (0.0, 0.0);
    for operand in operator.operands() {
        let Some((once, all)) = transfer(operator, operand, tiling, &trips, target) else { continue };
        let ahead = matches!(
            operand.placement().map(|placement| placement.memory),
            Some(TileMemory::Ddr { region: MemoryRegion::Constants, .. })
        );
        ends += if ahead { once * NOT_AHEAD } else { once };
        transfers += all;
    }
    let one = operator.cycles(target, &tiling.tile) as f64;
    ends + one + f64::max(transfers, one * tiles)
}

/// Cycles to move an operand's box once, and as often as the loops ask for it.
fn transfer(
    operator: &dyn Tiled,
    operand: &TileOperand,
    tiling: &Tiling,
    trips: &[usize],
    target: &Target,
) -> Option<(f64, f64)> {
    let placement = operand.placement().filter(|placement| !placement.is_local())?;
    let shape = operand.footprint(&tiling.tile);
    let setup = target.ddr.setup_cycles.value as f64;
    let once = target.port_cycles(placement.runs_in_memory(&shape)) as f64;
    // Loops inside of the innermost one that the operand follows find its box unchanged.
    let turning = |axis: &usize| trips.get(*axis).is_some_and(|&trips| trips > 1) && operand.follows(*axis);
    let depth = tiling.order.iter().rposition(turning).map_or(0, |position| position + 1);
    let (mut times, mut share) = (1.0, 1.0);
    for &axis in tiling.order.iter().take(depth) {
        let (Some(&trips), Some(&tile), Some(loop_)) =
            (trips.get(axis), tiling.tile.get(axis), operator.axes().get(axis))
        else {
            continue;
        };
        times *= trips as f64;
        // The last tile of an axis may be smaller: count the bytes, not the boxes.
        share *= if operand.follows(axis) { loop_.size as f64 / tile as f64 } else { trips as f64 };
    }
    Some((once + setup, once * share + setup * times))
}
