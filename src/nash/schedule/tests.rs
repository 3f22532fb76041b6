//! Laws of stays: whatever is placed passes the check, and the check finds what is planted.

use proptest::prelude::*;

use super::check::StayError;
use super::*;
use crate::nash::allocate::AllocationError;
use crate::nash::tile::emitter::{LocalPage, PageLoad};

const SPACE: u64 = 4096;
const ALIGNMENT: u64 = 16;

/// A page that is in use in drafts `first..=last`.
fn page(bytes: u64, first: usize, last: usize, load: Option<PageLoad>) -> LocalPage {
    LocalPage { bytes, slot: 0, first, last, stored: false, load }
}

fn constants(start: u64, first: usize, last: usize) -> LocalPage {
    page(64, first, last, Some(PageLoad { earliest: 0, constants: Some((start, start + 64)) }))
}

fn stay(address: u64, begins: usize, joined: bool) -> Stay {
    Stay { address, begins, joined }
}

proptest! {
    #[test]
    fn what_is_placed_passes_the_check(
        raw in prop::collection::vec((1u64..900, 0usize..4, 0usize..9, 0u8..4, 0usize..40), 1..60),
        fixed in prop::collection::vec((0u64..16, 0usize..40, 0usize..40), 0..3),
        loads in 0usize..50, stores in 0usize..6,
    ) {
        let (mut first, mut offset) = (0, 0u64);
        let mut pages = Vec::new();
        for (bytes, later, length, kind, earliest) in raw {
            first += later;
            let load = match kind {
                0 => None,
                1 => Some(PageLoad { earliest: earliest.min(first), constants: None }),
                _ => Some(PageLoad { earliest: 0, constants: Some((offset, offset + bytes)) }),
            };
            offset = (offset + bytes).next_multiple_of(64);
            pages.push(LocalPage { stored: kind == 0, ..page(bytes, first, first + length, load) });
            // A draft touches one new page at most.
            first += 1;
        }
        let settled: Vec<Settled> = fixed
            .iter()
            .map(|&(slot, first, length)| {
                (LiveBuffer { bytes: 64, alignment: ALIGNMENT, first, last: first + length }, slot * 64)
            })
            .collect();
        prop_assume!(check(&[], &[], &settled, SPACE, ALIGNMENT).is_ok());
        let Ok(stays) = place(&pages, &settled, SPACE, ALIGNMENT, Lead { loads, stores }) else { return Ok(()) };
        prop_assert_eq!(check(&pages, &stays, &settled, SPACE, ALIGNMENT), Ok(()));
    }
}

#[test]
fn a_load_begins_when_its_bytes_are_free() {
    let load = || Some(PageLoad { earliest: 2, constants: None });
    let pages = [page(2048, 0, 3, None), page(2048, 0, 9, None), page(2048, 8, 9, load())];
    let stays = place(&pages, &[], SPACE, ALIGNMENT, Lead { loads: 99, stores: 0 }).unwrap();
    assert_eq!((stays[2].begins, stays[2].address), (4, stays[0].address));
    let small = [page(1024, 0, 3, None), page(2048, 8, 9, load())];
    let stays = place(&small, &[], SPACE, ALIGNMENT, Lead { loads: 99, stores: 0 }).unwrap();
    assert_eq!(stays[1].begins, 2, "not before what it loads is stored");
}

#[test]
fn neighbours_are_loaded_together() {
    let pages = [constants(0, 0, 1), constants(64, 2, 3), constants(4096, 4, 5)];
    let stays = place(&pages, &[], SPACE, ALIGNMENT, Lead { loads: 99, stores: 0 }).unwrap();
    assert_eq!(stays.iter().map(|stay| stay.joined).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(stays[1].address, stays[0].address + 64);
}

#[test]
fn the_check_finds_what_is_planted() {
    let checked = |pages: &[LocalPage], stays: &[Stay]| check(pages, stays, &[], SPACE, ALIGNMENT).unwrap_err();
    let pages = [page(64, 0, 4, None), page(64, 2, 6, None)];
    let overlap = checked(&pages, &[stay(0, 0, false), stay(48, 2, false)]);
    assert_eq!(overlap, StayError::Allocation(AllocationError::Overlap { first: 0, second: 1 }));
    assert!(matches!(checked(&pages, &[stay(0, 0, false)]), StayError::Count { .. }));
    assert!(matches!(checked(&pages, &[stay(0, 0, false), stay(64, 1, false)]), StayError::Moment { page: 1, .. }));
    let loads = [constants(0, 0, 1), constants(128, 2, 3)];
    let joined = checked(&loads, &[stay(0, 0, false), stay(64, 0, true)]);
    assert_eq!(joined, StayError::Joined { page: 1 });
    // The gap between the two belongs to the load.
    assert_eq!(check(&loads, &[stay(0, 0, false), stay(128, 0, true)], &[], SPACE, ALIGNMENT), Ok(()));
    let late = [page(64, 3, 4, Some(PageLoad { earliest: 2, constants: None }))];
    assert!(matches!(checked(&late, &[stay(0, 1, false)]), StayError::Moment { earliest: 2, .. }));
}
