//! Decides the order of nodes, homes, groups, tilings and stays.
//!
//! Each level looks at more plans than the one before, and the objective chooses among all that were seen: so a higher level is never worse,
//! and neither is a larger weight on what it weighs. What a plan costs, the machine's own timing says.

use super::super::calls::{TooLong, choose};
use super::super::isa::Program;
use super::super::schedule::{Lead, NoRoom, Settled, Stay, place, room};
use super::super::timing::time;
use super::cuts::{Cutting, cut};
use super::emit::{Drawing, Recorded, apply};
use super::moves::improve;
use super::order::{memory_order, ordered};
use super::storage::Storage;
use super::stripes::Rows;
use super::tilings::{KnownTilings, tiled};
use super::{Effort, Lag, LowerError, LoweringPlan, NodeGroup, Objective, check, label, operations};
use crate::bpu::model::Segment;
use crate::target::Target;
use rayon::prelude::*;

/// Decides the order of nodes, homes, groups, tilings and stays.
///
/// # Errors
/// When an operator has no instruction form, or not even its smallest tile fits.
pub fn assign(segment: &Segment, target: &Target, objective: Objective) -> Result<LoweringPlan, LowerError> {
    check(segment)?;
    let mut front = Front::default();
    let least = one_by_one(segment, target, &mut front)?;
    if objective.level >= Effort::O1 && !front.reaches(least) {
        let mut orders = vec![Vec::new(), memory_order(segment)];
        orders.retain(|order| order.is_empty() || !order.is_sorted());
        for order in orders {
            search(segment, target, order, objective.level, &mut front)?;
        }
    }
    let plan = front.choose(objective).ok_or_else(|| LowerError::Malformed("no plan was found".to_owned()))?;
    if objective.call_us == 0 { Ok(plan) } else { in_calls(segment, target, plan, objective.call_us) }
}

/// The plan with function calls that take at most so many microseconds each.
fn in_calls(segment: &Segment, target: &Target, plan: LoweringPlan, limit: u64) -> Result<LoweringPlan, LowerError> {
    let lowered = apply(segment, target, plan)?;
    match choose(&lowered.program, target, target.cycles_in(limit)) {
        Ok(calls) => Ok(LoweringPlan { calls, ..lowered.plan }),
        Err(TooLong { position, cycles }) => {
            let source = lowered.program.instructions.get(position).map_or(0, |instruction| instruction.source);
            let (node, operator) = label(&*ordered(segment, &lowered.plan.order)?, source as usize);
            let microseconds = (target.seconds(cycles) * 1e6) as u64;
            Err(LowerError::TooLong { node, operator, microseconds, limit })
        }
    }
}

/// For what groups are made: sixteenths of local memory, whether engines wait for each other in each stripe, and how far nodes are apart.
const CUTTINGS: [(u64, bool, Lag); 6] = [
    (16, true, Lag::NEAR),
    (16, false, Lag::NEAR),
    (12, false, Lag::NEAR),
    (8, false, Lag::NEAR),
    (16, true, Lag::WIDE),
    (16, false, Lag::WIDE),
];
/// Sixteenths of local memory that tensors may stay in beside them.
const RESIDENTS: [u64; 4] = [16, 12, 8, 0];

/// Looks at plans with groups, for nodes in this order.
fn search(
    segment: &Segment,
    target: &Target,
    order: Vec<usize>,
    level: Effort,
    front: &mut Front,
) -> Result<(), LowerError> {
    let segment = &*ordered(segment, &order)?;
    let rows = Rows::new(segment, target)?;
    let search = GroupSearch { segment, rows: &rows, order, tilings: KnownTilings::default() };
    let cut = |&(share, waits, lag): &(u64, bool, Lag)| {
        let wait = if waits { target.wait_cycles.value as f64 } else { 0.0 };
        cut(&rows, segment.nodes.len(), Cutting { memory: target.l1m_bytes() / 16 * share, wait, lag })
    };
    let mut cuts: Vec<Vec<NodeGroup>> = Vec::new();
    for groups in CUTTINGS.par_iter().map(cut).collect::<Vec<_>>() {
        if !groups.is_empty() && !cuts.contains(&groups) {
            cuts.push(groups);
        }
    }
    let Some((first, others)) = cuts.split_first() else { return Ok(()) };
    let capacities = RESIDENTS.map(|residents| target.l1m_bytes() / 16 * residents);
    let of_first = capacities.par_iter().map(|&capacity| search.seen(first, capacity));
    let mut best = Best::default();
    of_first.collect::<Vec<_>>().into_iter().for_each(|seen| best.take(seen, front));
    // What stays beside the first groups tells what stays beside others.
    let capacities = best.found.as_ref().map_or(capacities.to_vec(), |(_, _, capacity)| vec![*capacity]);
    let of_others = others
        .par_iter()
        .flat_map_iter(|groups| capacities.iter().map(|&capacity| search.seen(groups, capacity)).collect::<Vec<_>>());
    of_others.collect::<Vec<_>>().into_iter().for_each(|seen| best.take(seen, front));
    let Some((cycles, groups, capacity)) = best.found else { return Ok(()) };
    search.all_leads(&groups, capacity, front);
    if level == Effort::O2 {
        let groups = improve(&search, (groups, capacity), cycles, front);
        search.all_leads(&groups, capacity, front);
    }
    Ok(())
}

/// Groups, the bytes that tensors may stay in beside them, and the plan that comes of both where one does.
struct Seen<'g> {
    groups: &'g [NodeGroup],
    capacity: u64,
    priced: Option<Priced>,
}

/// The best of what was seen, in the order in which it is taken.
#[derive(Default)]
struct Best {
    /// Its cycles, groups, and bytes for what stays.
    found: Option<(u64, Vec<NodeGroup>, u64)>,
}

impl Best {
    fn take(&mut self, Seen { groups, capacity, priced }: Seen<'_>, front: &mut Front) {
        let Some(priced) = priced else { return };
        if self.found.as_ref().is_none_or(|(least, ..)| priced.cycles < *least) {
            self.found = Some((priced.cycles, groups.to_vec(), capacity));
        }
        front.add(priced);
    }
}

/// A segment whose groups are sought.
pub struct GroupSearch<'a> {
    pub segment: &'a Segment,
    pub rows: &'a Rows<'a>,
    order: Vec<usize>,
    tilings: KnownTilings,
}

impl GroupSearch<'_> {
    /// A plan with these groups, and tensors that stay in so many bytes; none where it does not fit.
    pub fn price(&self, groups: &[NodeGroup], capacity: u64) -> Option<Priced> {
        let (drawing, plan, recorded) = self.draw(groups, capacity)?;
        placed(&drawing, &plan, &recorded).next()
    }

    fn seen<'g>(&self, groups: &'g [NodeGroup], capacity: u64) -> Seen<'g> {
        Seen { groups, capacity, priced: self.price(groups, capacity) }
    }

    /// As [`GroupSearch::price`], for every lead.
    fn all_leads(&self, groups: &[NodeGroup], capacity: u64, front: &mut Front) {
        if let Some((drawing, plan, recorded)) = self.draw(groups, capacity) {
            placed(&drawing, &plan, &recorded).for_each(|priced| front.add(priced));
        }
    }

    fn draw(&self, groups: &[NodeGroup], capacity: u64) -> Option<(Drawing<'_>, LoweringPlan, Recorded)> {
        let target = self.rows.target;
        let mut residents = Storage::choose_residents(self.segment, target, groups, capacity).ok()?;
        for _ in 0..REPAIRS {
            let drawn = tiled(self.segment, target, Some(self.rows), groups, residents, &self.tilings);
            let (drawing, mut plan) = drawn.ok()?;
            let recorded = drawing.record(&plan.nodes).ok()?;
            match room(&recorded.pages, &recorded.settled, target.l1m_bytes(), target.l1m_alignment()) {
                Ok(()) => return Some((drawing, LoweringPlan { order: self.order.clone(), ..plan }, recorded)),
                Err(missing) => {
                    plan.residents.remove(in_the_way(&recorded.settled, missing)?);
                    residents = plan.residents;
                }
            }
        }
        None
    }
}

/// So many tensors at most give up their stay in local memory for a plan, one after the other.
const REPAIRS: usize = 16;

/// The tensor that leaves local memory for a page without room: the smallest that is large enough, or the largest.
fn in_the_way(settled: &[Settled], missing: NoRoom) -> Option<usize> {
    let alive = settled
        .iter()
        .enumerate()
        .filter(|(_, (buffer, _))| buffer.first <= missing.draft && missing.draft <= buffer.last);
    let cost =
        |(_, (buffer, _)): &(usize, &Settled)| (buffer.bytes < missing.bytes, buffer.bytes.abs_diff(missing.bytes));
    alive.min_by_key(cost).map(|(index, _)| index)
}

/// A plan and what it costs.
pub struct Priced {
    pub plan: LoweringPlan,
    /// From the first instruction to the last.
    pub cycles: u64,
    /// Cycles of the port that the bytes take which it moves.
    pub transfers: u64,
    /// Instructions.
    pub length: usize,
}

/// Plans of which none is better than another in both time and bytes.
#[derive(Default)]
pub struct Front(Vec<Priced>);

impl Front {
    /// Takes a plan in, where it is better than all others in something.
    pub fn add(&mut self, priced: Priced) {
        let beaten = |by: &Priced, it: &Priced| by.cycles <= it.cycles && by.transfers <= it.transfers;
        if self.0.iter().all(|other| !beaten(other, &priced)) {
            self.0.retain(|other| !beaten(&priced, other));
            self.0.push(priced);
        }
    }

    /// Whether one plan is as good as two percent more than these cycles, and one more than these transfers, which none can beat.
    fn reaches(&self, least: Least) -> bool {
        let near =
            |value: u64, least: u64, percent: u64| value.saturating_mul(100) <= least.saturating_mul(100 + percent);
        self.0.iter().any(|priced| {
            near(priced.cycles + least.overhead, least.cycles + least.overhead, 2)
                && near(priced.transfers, least.transfers, 1)
        })
    }

    /// The plan that costs least. Time always has some weight: nobody waits half as long again for a handful of bytes.
    pub fn choose(self, objective: Objective) -> Option<LoweringPlan> {
        let weight = u128::from(objective.latency.clamp(1, 100));
        let cost = |priced: &Priced| {
            let (time, traffic) = (u128::from(priced.cycles), u128::from(priced.transfers));
            let mixed = weight * time + (100 - weight) * traffic;
            // Among equals, what has no weight decides.
            (mixed, if weight >= 50 { traffic } else { time })
        };
        self.0.into_iter().min_by_key(cost).map(|priced| priced.plan)
    }
}

/// What no plan can beat.
#[derive(Clone, Copy, Debug)]
struct Least {
    cycles: u64,
    transfers: u64,
    /// The fixed cost of a run, which is a part of what its time is compared with.
    overhead: u64,
}

/// How far loads run ahead: mostly the further the better, but what is far ahead delays what is needed now. And how long what is stored stays:
/// about one stripe of a group.
const LEADS: [Lead; 3] =
    [Lead { loads: 512, stores: 24 }, Lead { loads: 512, stores: 0 }, Lead { loads: 32, stores: 0 }];

/// Plans of operators one after the other, and what no plan can beat.
fn one_by_one(segment: &Segment, target: &Target, front: &mut Front) -> Result<Least, LowerError> {
    // The rest is for tiles of what does not stay.
    let residents = Storage::choose_residents(segment, target, &[], target.l1m_bytes() / 4 * 3)?;
    let (drawing, plan) = tiled(segment, target, None, &[], residents, &KnownTilings::default())?;
    let recorded = drawing.record(&plan.nodes)?;
    let work: u64 = segment.nodes.iter().map(|node| operations(segment, node)).fold(0, u64::saturating_add);
    let seconds = work as f64 / 2.0 / target.peak_macs_per_second() as f64;
    let transfers = target.ddr_cycles(drawing.builder.compulsory_bytes()?.into());
    let compute = (seconds * target.clock_hz.value as f64) as u64;
    let least = Least { cycles: compute.max(transfers), transfers, overhead: target.run_overhead_cycles() };
    for priced in placed(&drawing, &plan, &recorded) {
        front.add(priced);
        if front.reaches(least) {
            return Ok(least);
        }
    }
    // What the slots of the tilings give always fits.
    let in_slots = recorded.pages.iter().map(|page| Stay { address: page.slot, begins: page.first, joined: false });
    front.add(price(&drawing, LoweringPlan { stays: in_slots.collect(), ..plan }, &recorded)?);
    Ok(least)
}

/// The plan with stays for every lead; where some page finds no room there are none.
fn placed<'p>(
    drawing: &'p Drawing<'p>,
    plan: &'p LoweringPlan,
    recorded: &'p Recorded,
) -> impl Iterator<Item = Priced> + 'p {
    let target = drawing.builder.target;
    LEADS.iter().filter_map(move |&lead| {
        let (space, alignment) = (target.l1m_bytes(), target.l1m_alignment());
        let stays = place(&recorded.pages, &recorded.settled, space, alignment, lead).ok()?;
        price(drawing, LoweringPlan { stays, ..plan.clone() }, recorded).ok()
    })
}

/// What a plan costs, as the machine runs it.
fn price(drawing: &Drawing<'_>, plan: LoweringPlan, recorded: &Recorded) -> Result<Priced, LowerError> {
    let target = drawing.builder.target;
    let instructions = drawing.instructions(&plan, recorded)?;
    let bytes = instructions.iter().map(|instruction| instruction.operation.cost(target).ddr_bytes);
    let bytes = bytes.fold(0, u64::saturating_add);
    let program = Program { instructions, ..Program::default() };
    let timing = time(&program, target).map_err(|blocked| {
        LowerError::Malformed(format!("instruction {} of its program could never start", blocked.position))
    })?;
    let length = program.instructions.len();
    Ok(Priced { plan, cycles: timing.cycles(), transfers: target.ddr_cycles(bytes.into()), length })
}

/// The plan with these groups, however good; none where it does not fit.
#[cfg(test)]
pub fn grouped(segment: &Segment, rows: &Rows<'_>, groups: &[NodeGroup], capacity: u64) -> Option<LoweringPlan> {
    let search = GroupSearch { segment, rows, order: Vec::new(), tilings: KnownTilings::default() };
    search.price(groups, capacity).map(|priced| priced.plan)
}
