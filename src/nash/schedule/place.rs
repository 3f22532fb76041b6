//! Where pages lie and from when on: first what must be there while it is needed, then each load as early as there is a hole for it.
//!
//! Loads are taken in the order of need; for a fixed order of instructions nothing is gained by loading a later one first.

use super::hole::{Obstacle, Side, earliest_hole, joined};
use super::jobs::{Job, jobs};
use super::{Settled, Stay};
use crate::nash::tile::emitter::LocalPage;

/// How far loads run ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// A load is issued at most so many drafts before it is needed.
    pub loads: usize,
    /// What is stored keeps its bytes for so many drafts more, so that nobody waits for the store.
    pub stores: usize,
}

/// What has a place.
#[derive(Clone, Copy, Debug)]
struct Placed {
    start: u64,
    end: u64,
    first: usize,
    last: usize,
}

/// A page that finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// The first draft that touches it.
    pub draft: usize,
    /// Its size.
    pub bytes: u64,
}

/// Whether every page finds room while it is needed, and no longer.
pub fn room(pages: &[LocalPage], settled: &[Settled], space: u64, alignment: u64) -> Result<(), NoRoom> {
    let fixed: Vec<Placed> = settled.iter().map(|(buffer, address)| of_settled(buffer, *address)).collect();
    needed(&jobs(pages), &fixed, space, alignment).map(|_| ())
}

/// Gives every page its stay in `space` bytes.
pub fn place(
    pages: &[LocalPage],
    settled: &[Settled],
    space: u64,
    alignment: u64,
    lead: Lead,
) -> Result<Vec<Stay>, NoRoom> {
    let mut jobs = jobs(pages);
    jobs.iter_mut().filter(|job| job.stored).for_each(|job| job.last += lead.stores);
    let fixed: Vec<Placed> = settled.iter().map(|(buffer, address)| of_settled(buffer, *address)).collect();
    let mut placed = needed(&jobs, &fixed, space, alignment)?;
    ahead(&jobs, &fixed, &mut placed, space, alignment, lead);
    let mut stays = vec![Stay { address: 0, begins: 0, joined: false }; pages.len()];
    for (job, place) in jobs.iter().zip(&placed) {
        let start = job.pages.first().and_then(|&page| constants_of(pages, page)).unwrap_or(0);
        for (index, &page) in job.pages.iter().enumerate() {
            let behind = constants_of(pages, page).map_or(0, |own| own - start);
            if let Some(stay) = stays.get_mut(page) {
                *stay = Stay { address: place.start + behind, begins: place.first, joined: index > 0 };
            }
        }
    }
    Ok(stays)
}

fn constants_of(pages: &[LocalPage], page: usize) -> Option<u64> {
    pages.get(page)?.load.as_ref()?.constants.map(|(start, _)| start)
}

fn of_settled(buffer: &super::LiveBuffer, address: u64) -> Placed {
    Placed { start: address, end: address + buffer.bytes, first: buffer.first, last: buffer.last }
}

/// Those of a list that have begun by one moment and not ended before another, in the order of their addresses.
struct Alive<'a> {
    coming: std::iter::Peekable<std::vec::IntoIter<&'a Placed>>,
    alive: Vec<Placed>,
}

impl<'a> Alive<'a> {
    fn new(all: &'a [Placed]) -> Self {
        let mut sorted: Vec<&Placed> = all.iter().collect();
        sorted.sort_by_key(|placed| placed.first);
        Self { coming: sorted.into_iter().peekable(), alive: Vec::new() }
    }

    /// Moves on: both moments rise from call to call.
    fn between(&mut self, from: usize, to: usize) -> &[Placed] {
        while let Some(next) = self.coming.next_if(|next| next.first <= to) {
            let position = self.alive.partition_point(|other| other.start < next.start);
            self.alive.insert(position, *next);
        }
        self.alive.retain(|placed| placed.last >= from);
        &self.alive
    }
}

/// What is in the way of a job: of what is in the order of addresses, and of some others.
fn in_the_way<'p>(
    sorted: &'p [Placed],
    others: impl Iterator<Item = &'p Placed>,
    job: &Job,
    gone: impl Fn(&Placed) -> Option<usize>,
) -> Vec<Obstacle> {
    let mut others: Vec<&Placed> = others.collect();
    others.sort_by_key(|placed| placed.start);
    let mut others = others.into_iter().peekable();
    let mut sorted = sorted.iter().peekable();
    let next = std::iter::from_fn(|| match (sorted.peek(), others.peek()) {
        (Some(one), Some(other)) if one.start <= other.start => sorted.next(),
        (Some(_), None) => sorted.next(),
        _ => others.next(),
    });
    let met = next.filter(|placed| placed.first <= job.last);
    joined(met.map(|placed| Obstacle { start: placed.start, end: placed.end, gone: gone(placed) }))
}

/// What is in use for more drafts stays long.
const SHORT: usize = 64;

/// Places for all jobs while they are needed, in that order, each as low as can be.
fn needed(jobs: &[Job], fixed: &[Placed], space: u64, alignment: u64) -> Result<Vec<Placed>, NoRoom> {
    let (mut fixed, mut alive) = (Alive::new(fixed), Vec::<Placed>::new());
    let mut placed = Vec::with_capacity(jobs.len());
    let mut furthest = 0;
    for job in jobs {
        furthest = furthest.max(job.last);
        alive.retain(|other| other.last >= job.first);
        let obstacles = in_the_way(fixed.between(job.first, furthest), alive.iter(), job, |_| None);
        // What stays long goes to the other end, so that it leaves no gaps between what comes and goes.
        let side = if job.last - job.first > SHORT { Side::High } else { Side::Low };
        let hole = earliest_hole(&obstacles, (job.bytes, alignment), (space, side), 0);
        let (_, start) = hole.ok_or(NoRoom { draft: job.first, bytes: job.bytes })?;
        let place = Placed { start, end: start + job.bytes, first: job.first, last: job.last };
        alive.push(place);
        placed.push(place);
    }
    Ok(placed)
}

/// Moves each load to the place where it can begin first.
fn ahead(jobs: &[Job], fixed: &[Placed], placed: &mut [Placed], space: u64, alignment: u64, lead: Lead) {
    let (mut fixed, mut window) = (Alive::new(fixed), Vec::<usize>::new());
    let (mut next, mut furthest) = (0, 0);
    for (index, job) in jobs.iter().enumerate() {
        let horizon = job.first.saturating_sub(lead.loads);
        furthest = furthest.max(job.last);
        while jobs.get(next).is_some_and(|next| next.first <= furthest) {
            window.push(next);
            next += 1;
        }
        window.retain(|&other| placed.get(other).is_some_and(|other| other.last >= horizon));
        let Some(earliest) = job.earliest.filter(|&earliest| earliest < job.first) else { continue };
        let others = window.iter().filter(|&&other| other != index).filter_map(|&other| placed.get(other));
        let gone = |other: &Placed| (other.last < job.first).then_some(other.last + 1);
        let obstacles = in_the_way(fixed.between(horizon, furthest), others, job, gone);
        let hole = earliest_hole(&obstacles, (job.bytes, alignment), (space, Side::Low), earliest.max(horizon));
        if let (Some((begins, start)), Some(place)) = (hole, placed.get_mut(index))
            && begins <= job.first
        {
            *place = Placed { start, end: start + job.bytes, first: begins, last: job.last };
        }
    }
}
