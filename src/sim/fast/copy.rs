//! LOAD, STORE and DTE.

use crate::nash::isa::{Copy, Fill, RANK};
use crate::sim::machine::Fault;

use super::walk::{Walk, WalkLayout, outside};

/// Copies elements of `bytes` bytes from one memory to another.
pub(super) fn between(
    shape: &[u32; RANK],
    bytes: u8,
    source: (&[u8], WalkLayout),
    destination: (&mut [u8], WalkLayout),
) -> Result<(), Fault> {
    let walk = Walk::new(shape, [source.1, destination.1])?;
    let (from, to) = (source.0, destination.0);
    match bytes {
        1 => lines::<1>(&walk, from, to),
        2 => lines::<2>(&walk, from, to),
        4 => lines::<4>(&walk, from, to),
        8 => lines::<8>(&walk, from, to),
        _ => Err(format!("elements have {bytes} bytes")),
    }
}

fn lines<const BYTES: usize>(walk: &Walk<2>, from: &[u8], to: &mut [u8]) -> Result<(), Fault> {
    let (planes, rows, row_steps) = walk.planes();
    if walk.is_contiguous(BYTES) {
        let length = walk.length.checked_mul(BYTES).ok_or_else(outside)?;
        // Of short lines, calls would take longer than copying.
        return match length {
            1 => planes.for_each(|starts| copy_each::<1>(from, to, starts, row_steps, rows)),
            2 => planes.for_each(|starts| copy_each::<2>(from, to, starts, row_steps, rows)),
            3 => planes.for_each(|starts| copy_each::<3>(from, to, starts, row_steps, rows)),
            4 => planes.for_each(|starts| copy_each::<4>(from, to, starts, row_steps, rows)),
            _ => walk.for_each(|[source, destination]| {
                let source = from.get(source..source.checked_add(length)?)?;
                to.get_mut(destination..destination.checked_add(length)?)?.copy_from_slice(source);
                Some(())
            }),
        };
    }
    // The order of copies does not matter; long loops are faster than short ones.
    let (outer, inner) = ((rows, row_steps), (walk.length, walk.steps));
    let (outer, inner) = if rows > walk.length { (inner, outer) } else { (outer, inner) };
    planes.for_each(|starts| {
        (0..outer.0)
            .try_for_each(|index| copy_each::<BYTES>(from, to, moved(starts, outer.1, index)?, inner.1, inner.0))
    })
}

/// Two places, moved on by some steps.
fn moved(starts: [usize; 2], steps: [i64; 2], index: usize) -> Option<[usize; 2]> {
    let index = i64::try_from(index).ok()?;
    let place = |start: usize, step: i64| {
        usize::try_from(i64::try_from(start).ok()?.checked_add(step.checked_mul(index)?)?).ok()
    };
    Some([place(starts[0], steps[0])?, place(starts[1], steps[1])?])
}

/// Copies `count` runs of `BYTES` bytes.
fn copy_each<const BYTES: usize>(
    from: &[u8],
    to: &mut [u8],
    starts: [usize; 2],
    steps: [i64; 2],
    count: usize,
) -> Option<()> {
    let forward = |step: i64| usize::try_from(step).ok().filter(|step| *step >= BYTES);
    let (Some(source_step), Some(step)) = (forward(steps[0]), forward(steps[1])) else {
        return (0..count).try_for_each(|index| {
            let [source, destination] = moved(starts, steps, index)?;
            *to.get_mut(destination..)?.first_chunk_mut()? = *from.get(source..)?.first_chunk::<BYTES>()?;
            Some(())
        });
    };
    let range = |start: usize, step: usize| {
        let length = count.checked_sub(1)?.checked_mul(step)?.checked_add(BYTES)?;
        Some(start..start.checked_add(length)?)
    };
    let from = from.get(range(starts[0], source_step)?)?;
    let places = to.get_mut(range(starts[1], step)?)?.chunks_mut(step);
    let put = |place: &mut [u8], element: &[u8; BYTES]| place.first_chunk_mut().map(|place| *place = *element);
    if source_step == BYTES {
        return places.zip(from.as_chunks().0).try_for_each(|(place, element)| put(place, element));
    }
    places.zip(from.chunks(source_step)).try_for_each(|(place, element)| put(place, element.first_chunk()?))
}

/// A copy within one memory; validation has kept what is read and what is written apart.
pub(super) fn within(memory: &mut [u8], o: &Copy) -> Result<(), Fault> {
    let (source, destination) = (WalkLayout::from(&o.source), WalkLayout::from(&o.destination));
    let spans = source.span(&o.shape, o.element_bytes.into()).zip(destination.span(&o.shape, o.element_bytes.into()));
    let (read, written) = spans.ok_or_else(outside)?;
    let split = |at: i64| usize::try_from(at).map_err(|_| outside());
    if read.end <= written.start {
        let (from, to) = memory.split_at_mut_checked(split(written.start)?).ok_or_else(outside)?;
        return between(&o.shape, o.element_bytes, (from, source), (to, destination.within(written.start)));
    }
    if written.end <= read.start {
        let (to, from) = memory.split_at_mut_checked(split(read.start)?).ok_or_else(outside)?;
        return between(&o.shape, o.element_bytes, (from, source.within(read.start)), (to, destination));
    }
    let walk = Walk::new(&o.shape, [source, destination])?;
    match o.element_bytes {
        1 => interleaved::<1>(&walk, memory),
        2 => interleaved::<2>(&walk, memory),
        4 => interleaved::<4>(&walk, memory),
        8 => interleaved::<8>(&walk, memory),
        bytes => Err(format!("elements have {bytes} bytes")),
    }
}

/// A copy between places of which none can be cut off from the others.
fn interleaved<const BYTES: usize>(walk: &Walk<2>, memory: &mut [u8]) -> Result<(), Fault> {
    if walk.is_contiguous(BYTES) {
        let length = walk.length.checked_mul(BYTES).ok_or_else(outside)?;
        return walk.for_each(|[source, destination]| {
            let source = source..source.checked_add(length)?;
            let fits = source.end <= memory.len() && destination.checked_add(length)? <= memory.len();
            fits.then(|| memory.copy_within(source, destination))
        });
    }
    walk.for_each(|[source, destination]| {
        let mut at = [i64::try_from(source).ok()?, i64::try_from(destination).ok()?];
        for _ in 0..walk.length {
            let (source, destination) = (usize::try_from(at[0]).ok()?, usize::try_from(at[1]).ok()?);
            let element = *memory.get(source..)?.first_chunk::<BYTES>()?;
            *memory.get_mut(destination..)?.first_chunk_mut::<BYTES>()? = element;
            at = [at[0].checked_add(walk.steps[0])?, at[1].checked_add(walk.steps[1])?];
        }
        Some(())
    })
}

pub(super) fn fill(memory: &mut [u8], o: &Fill) -> Result<(), Fault> {
    let walk = Walk::new(&o.shape, [WalkLayout::from(&o.destination)])?;
    let value = o.value.to_le_bytes();
    let bytes = usize::from(o.element_bytes);
    let element = value.get(..bytes).ok_or("an element has more than 4 bytes")?;
    let same = element.iter().all(|byte| Some(byte) == element.first());
    walk.for_each(|[start]| {
        if walk.steps[0] == i64::from(o.element_bytes) {
            let line = memory.get_mut(start..start.checked_add(walk.length.checked_mul(bytes)?)?)?;
            match element.first() {
                Some(byte) if same => line.fill(*byte),
                _ => line.chunks_exact_mut(bytes).for_each(|place| place.copy_from_slice(element)),
            }
            return Some(());
        }
        let mut at = i64::try_from(start).ok()?;
        for _ in 0..walk.length {
            let start = usize::try_from(at).ok()?;
            memory.get_mut(start..start.checked_add(bytes)?)?.copy_from_slice(element);
            at = at.checked_add(walk.steps[0])?;
        }
        Some(())
    })
}
