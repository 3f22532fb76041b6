//! LOAD, STORE and DTE.

use crate::nash::isa::{Copy, Fill, RANK};
use crate::sim::machine::Fault;

use super::walk::{Layout, Walk, outside};

/// Copies elements of `bytes` bytes from one memory to another.
pub(super) fn between(
    shape: &[u32; RANK],
    bytes: u8,
    source: (&[u8], Layout),
    destination: (&mut [u8], Layout),
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
    if walk.is_contiguous(BYTES) {
        let length = walk.length.checked_mul(BYTES).ok_or_else(outside)?;
        return walk.for_each(|[source, destination]| {
            let source = from.get(source..source.checked_add(length)?)?;
            to.get_mut(destination..destination.checked_add(length)?)?.copy_from_slice(source);
            Some(())
        });
    }
    walk.for_each(|[source, destination]| {
        let mut at = [i64::try_from(source).ok()?, i64::try_from(destination).ok()?];
        for _ in 0..walk.length {
            let (source, destination) = (usize::try_from(at[0]).ok()?, usize::try_from(at[1]).ok()?);
            let element = *from.get(source..)?.first_chunk::<BYTES>()?;
            *to.get_mut(destination..)?.first_chunk_mut::<BYTES>()? = element;
            at = [at[0].checked_add(walk.steps[0])?, at[1].checked_add(walk.steps[1])?];
        }
        Some(())
    })
}

/// A copy within one memory; validation has kept what is read and what is written apart.
pub(super) fn within(memory: &mut [u8], o: &Copy) -> Result<(), Fault> {
    let walk = Walk::new(&o.shape, [Layout::from(&o.source), Layout::from(&o.destination)])?;
    match o.element_bytes {
        1 => lines_within::<1>(&walk, memory),
        2 => lines_within::<2>(&walk, memory),
        4 => lines_within::<4>(&walk, memory),
        8 => lines_within::<8>(&walk, memory),
        bytes => Err(format!("elements have {bytes} bytes")),
    }
}

fn lines_within<const BYTES: usize>(walk: &Walk<2>, memory: &mut [u8]) -> Result<(), Fault> {
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
    let walk = Walk::new(&o.shape, [Layout::from(&o.destination)])?;
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
