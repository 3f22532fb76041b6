//! Proves that stays do not disturb each other, from the definition alone: a decision may come from a file.

use super::super::allocate::{AllocationError, LiveBuffer, Solution, verify};
use super::super::tile::emitter::LocalPage;
use super::{Settled, Stay};

/// What is wrong with a decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum StayError {
    #[error("it has {stays} stays for {pages} pages")]
    Count { stays: usize, pages: usize },
    #[error("page {page} begins before draft {begins}, where it can only from {earliest} to {latest}")]
    Moment { page: usize, begins: usize, earliest: usize, latest: usize },
    #[error("page {page} is joined to constants that it does not follow")]
    Joined { page: usize },
    #[error(transparent)]
    Allocation(#[from] AllocationError),
}

/// Checks that each page begins when it may, and that no two that live at the same time share a byte of `space`, nor with what is settled.
pub fn check(
    pages: &[LocalPage],
    stays: &[Stay],
    settled: &[Settled],
    space: u64,
    alignment: u64,
) -> Result<(), StayError> {
    if pages.len() != stays.len() {
        return Err(StayError::Count { stays: stays.len(), pages: pages.len() });
    }
    let (mut buffers, mut addresses): (Vec<LiveBuffer>, Vec<u64>) = settled.iter().copied().unzip();
    // The latest load of constants: its buffer, and the first byte and the end of what it loads.
    let mut job: Option<(usize, u64, u64)> = None;
    for (index, (page, stay)) in pages.iter().zip(stays).enumerate() {
        let constants = page.load.as_ref().and_then(|load| load.constants);
        if stay.joined {
            let (Some((buffer, start, end)), Some(own)) = (job, constants) else {
                return Err(StayError::Joined { page: index });
            };
            let (Some(first), Some(&address)) = (buffers.get_mut(buffer), addresses.get(buffer)) else {
                return Err(StayError::Joined { page: index });
            };
            let follows = own.0 >= end && stay.address.checked_sub(address) == own.0.checked_sub(start);
            if !follows || stay.begins != first.first || stay.begins > page.first {
                return Err(StayError::Joined { page: index });
            }
            first.bytes = own.1 - start;
            first.last = first.last.max(page.last);
            job = Some((buffer, start, own.1));
            continue;
        }
        let earliest = page.load.as_ref().map_or(page.first, |load| load.earliest.min(page.first));
        if stay.begins < earliest || stay.begins > page.first {
            let (begins, latest) = (stay.begins, page.first);
            return Err(StayError::Moment { page: index, begins, earliest, latest });
        }
        if let Some((start, end)) = constants {
            job = Some((buffers.len(), start, end));
        }
        buffers.push(LiveBuffer { bytes: page.bytes, alignment, first: stay.begins, last: page.last });
        addresses.push(stay.address);
    }
    Ok(verify(&buffers, space, &Solution { addresses, bytes: space })?)
}
