//! Brings drafts into their final order and gives each its waits.

use super::super::hazard::{Touch, Tracker};
use super::super::isa::{Access, Engine, Instruction, Load, MemoryRegion, Operation, RANK, Space, Wait};
use super::super::tile::emitter::{Draft, EmitError, LocalPage, ddr_view, view6};
use super::Stay;

/// The program for drafts whose pages have these stays, which were checked.
pub fn order(drafts: Vec<Draft>, pages: &[LocalPage], stays: &[Stay]) -> Result<Vec<Instruction>, EmitError> {
    // By draft: before which other it is issued.
    let mut moved: Vec<usize> = (0..drafts.len()).collect();
    let mut loads = vec![false; drafts.len()];
    let mut drafts: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
    let mut leader: Option<(&LocalPage, &Stay)> = None;
    for (page, stay) in pages.iter().zip(stays) {
        let Some(load) = &page.load else { continue };
        if !stay.joined {
            if let (Some(entry), Some(loads)) = (moved.get_mut(page.first), loads.get_mut(page.first)) {
                (*entry, *loads) = (stay.begins, true);
            }
            leader = load.constants.map(|_| (page, stay)).or(leader);
        } else if let Some(first) = leader {
            extend(&mut drafts, first, page)?;
        }
    }
    let mut sorted: Vec<(usize, bool, Draft)> = Vec::with_capacity(drafts.len());
    for ((draft, &before), &loads) in drafts.into_iter().zip(&moved).zip(&loads) {
        sorted.extend(draft.map(|draft| (before, !loads, draft)));
    }
    // Loads that begin before the same draft stay in the order of need, and come before it.
    sorted.sort_by_key(|&(before, stays, _)| (before, stays));
    Ok(with_waits(sorted.into_iter().map(|(_, _, draft)| draft).collect()))
}

/// Instructions in this order, each with the waits that follow from the bytes it touches.
pub fn with_waits(drafts: Vec<Draft>) -> Vec<Instruction> {
    let mut tracker = Tracker::<{ Engine::COUNT }>::default();
    drafts.into_iter().map(|draft| issue(&mut tracker, draft)).collect()
}

/// Lets the load of a job's first page bring another one, too.
fn extend(drafts: &mut [Option<Draft>], (first, stay): (&LocalPage, &Stay), page: &LocalPage) -> Result<(), EmitError> {
    let constants = |page: &LocalPage| page.load.as_ref().and_then(|load| load.constants);
    let (Some((start, _)), Some((_, end))) = (constants(first), constants(page)) else {
        return Err(EmitError::Address);
    };
    if let Some(own) = drafts.get_mut(page.first) {
        *own = None;
    }
    let bytes = u32::try_from(end.saturating_sub(start)).map_err(|_| EmitError::Address)?;
    let address = u32::try_from(stay.address).map_err(|_| EmitError::Address)?;
    let mut shape = [1; RANK];
    shape[RANK - 1] = bytes;
    let load = Load {
        shape,
        element_bytes: 1,
        source: ddr_view(MemoryRegion::Constants, start, &[1])?,
        destination: view6(address, &[1])?,
    };
    if let Some(Some(draft)) = drafts.get_mut(first.first) {
        draft.operation = load.into();
    }
    Ok(())
}

fn issue(tracker: &mut Tracker<{ Engine::COUNT }>, Draft { source, operation }: Draft) -> Instruction {
    let waits = tracker.issue(operation.engine().index(), &touches(&operation));
    let waits = waits
        .into_iter()
        .filter_map(|(engine, count)| Engine::ALL.get(engine).map(|&engine| Wait { engine, count }))
        .collect();
    Instruction { waits, source, operation }
}

fn touches(operation: &Operation) -> Vec<Touch> {
    // What nothing writes orders nothing.
    let constant = |access: &Access| matches!(access.space, Space::Ddr(region) if !region.is_writable());
    operation.accesses().iter().filter(|access| !constant(access)).map(touch).collect()
}

/// An access as the hazard tracker sees it: the interval from its first to its last byte. Gaps count as touched, which may
/// order more than needed, never less.
fn touch(access: &Access) -> Touch {
    let bound = |value: i128| u64::try_from(value.max(0)).unwrap_or(u64::MAX);
    let space = match access.space {
        Space::L1m => 0,
        Space::Ddr(MemoryRegion::Constants) => 1,
        Space::Ddr(MemoryRegion::Workspace) => 2,
        Space::Ddr(MemoryRegion::Input(index)) => 0x1_0000 + u32::from(index),
        Space::Ddr(MemoryRegion::Output(index)) => 0x2_0000 + u32::from(index),
    };
    Touch { space, start: bound(access.region.base), end: bound(access.region.end()), write: access.write }
}
