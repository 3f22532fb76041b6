//! Live ranges in, addresses out. Knows nothing of tensors, tiles or MLIR.
//!
//! Greedy: buffers by falling size, each at the lowest address where it overlaps no placed buffer that lives at the same time.
//! Every answer goes through [`verify`] before it is returned.

use serde::{Deserialize, Serialize};

/// A block of bytes needed during `first..=last` (any monotone clock, e.g. node numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveBuffer {
    /// Its size.
    pub bytes: u64,
    /// A power of two.
    pub alignment: u64,
    /// The first step in which it is in use.
    pub first: usize,
    /// The last step in which it is in use.
    pub last: usize,
}

impl LiveBuffer {
    fn lives_with(&self, other: &LiveBuffer) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Where every buffer went, in the order the buffers were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solution {
    /// Of each buffer, in their order.
    pub addresses: Vec<u64>,
    /// One past the highest byte used.
    pub bytes: u64,
}

/// Why buffers have no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum AllocationError {
    #[error("buffers need {needed} bytes where {capacity} are available")]
    DoesNotFit { needed: u64, capacity: u64 },
    #[error("buffer {buffer} has alignment {alignment}, which is not a power of two")]
    Alignment { buffer: usize, alignment: u64 },
    #[error("buffer {buffer} ends before it starts, or its address overflows")]
    Range { buffer: usize },
    #[error("allocation is wrong: buffers {first} and {second} live at the same time and overlap")]
    Overlap { first: usize, second: usize },
    #[error("allocation is wrong: {0}")]
    Wrong(String),
}

/// Places `buffers` in `0..capacity`.
///
/// # Errors
/// [`AllocationError::DoesNotFit`] says how many bytes this method would need; a cleverer one may need fewer.
pub fn allocate(buffers: &[LiveBuffer], capacity: u64) -> Result<Solution, AllocationError> {
    let mut order: Vec<(usize, &LiveBuffer)> = buffers.iter().enumerate().collect();
    for &(index, buffer) in &order {
        if !buffer.alignment.is_power_of_two() {
            return Err(AllocationError::Alignment { buffer: index, alignment: buffer.alignment });
        }
    }
    order.sort_by_key(|&(index, buffer)| (std::cmp::Reverse(buffer.bytes), buffer.first, index));

    // Placed buffers, by rising address.
    let mut placed: Vec<(u64, &LiveBuffer)> = Vec::with_capacity(buffers.len());
    let mut solution = Solution { addresses: vec![0; buffers.len()], bytes: 0 };
    for (index, buffer) in order {
        let address = lowest(index, buffer, &placed)?;
        insert(&mut placed, address, buffer);
        solution.bytes = solution.bytes.max(end(index, address, buffer.bytes)?);
        if let Some(entry) = solution.addresses.get_mut(index) {
            *entry = address;
        }
    }
    if solution.bytes > capacity {
        return Err(AllocationError::DoesNotFit { needed: solution.bytes, capacity });
    }
    verify(buffers, capacity, &solution)?;
    Ok(solution)
}

/// The lowest address where `buffer` overlaps no placed buffer that lives at the same time. `placed` is sorted by address.
fn lowest(index: usize, buffer: &LiveBuffer, placed: &[(u64, &LiveBuffer)]) -> Result<u64, AllocationError> {
    let mut address = 0u64;
    for &(start, other) in placed {
        if !buffer.lives_with(other) {
            continue;
        }
        if end(index, address, buffer.bytes)? <= start {
            break;
        }
        let behind = end(index, start, other.bytes)?;
        address = address.max(align(index, behind, buffer.alignment)?);
    }
    Ok(address)
}

fn insert<'a>(placed: &mut Vec<(u64, &'a LiveBuffer)>, address: u64, buffer: &'a LiveBuffer) {
    let slot = placed.partition_point(|&(start, _)| start <= address);
    placed.insert(slot, (address, buffer));
}

/// Takes the buffers in the given order and places each that still fits in `0..capacity`; the others get none.
pub fn allocate_some(buffers: &[LiveBuffer], capacity: u64) -> Result<Vec<Option<u64>>, AllocationError> {
    let mut placed: Vec<(u64, &LiveBuffer)> = Vec::new();
    let mut addresses = Vec::with_capacity(buffers.len());
    for (index, buffer) in buffers.iter().enumerate() {
        if !buffer.alignment.is_power_of_two() {
            return Err(AllocationError::Alignment { buffer: index, alignment: buffer.alignment });
        }
        let address = lowest(index, buffer, &placed)?;
        let fits = end(index, address, buffer.bytes)? <= capacity;
        if fits {
            insert(&mut placed, address, buffer);
        }
        addresses.push(fits.then_some(address));
    }
    let chosen: Vec<LiveBuffer> = placed.iter().map(|&(_, buffer)| *buffer).collect();
    let solution = Solution { addresses: placed.iter().map(|&(address, _)| address).collect(), bytes: capacity };
    verify(&chosen, capacity, &solution)?;
    Ok(addresses)
}

/// Checks a solution from the definition alone: aligned, inside, and no two living buffers overlap.
pub fn verify(buffers: &[LiveBuffer], capacity: u64, solution: &Solution) -> Result<(), AllocationError> {
    if buffers.len() != solution.addresses.len() {
        let text = format!("{} addresses for {} buffers", solution.addresses.len(), buffers.len());
        return Err(AllocationError::Wrong(text));
    }
    let mut ranges = Vec::with_capacity(buffers.len());
    for (index, (buffer, &address)) in buffers.iter().zip(&solution.addresses).enumerate() {
        if buffer.last < buffer.first {
            return Err(AllocationError::Range { buffer: index });
        }
        if !address.is_multiple_of(buffer.alignment.max(1)) {
            return Err(AllocationError::Wrong(format!("buffer {index} is not aligned to {}", buffer.alignment)));
        }
        let end = end(index, address, buffer.bytes)?;
        if end > capacity || end > solution.bytes {
            return Err(AllocationError::Wrong(format!("buffer {index} ends at {end} of {capacity} bytes")));
        }
        if buffer.bytes > 0 {
            ranges.push((address, end, index, buffer));
        }
    }
    ranges.sort_by_key(|range| (range.0, range.2));
    for (position, (_, end, first, buffer)) in ranges.iter().enumerate() {
        let behind = ranges.get(position + 1..).unwrap_or_default();
        for (_, _, second, other) in behind.iter().take_while(|range| range.0 < *end) {
            if buffer.lives_with(other) {
                return Err(AllocationError::Overlap { first: *first, second: *second });
            }
        }
    }
    Ok(())
}

/// `value` rounded up to a multiple of the power of two `alignment`.
fn align(buffer: usize, value: u64, alignment: u64) -> Result<u64, AllocationError> {
    value.checked_next_multiple_of(alignment).ok_or(AllocationError::Range { buffer })
}

fn end(buffer: usize, address: u64, bytes: u64) -> Result<u64, AllocationError> {
    address.checked_add(bytes).ok_or(AllocationError::Range { buffer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn buffer(bytes: u64, first: usize, last: usize) -> LiveBuffer {
        LiveBuffer { bytes, alignment: 16, first, last }
    }

    #[test]
    fn buffers_that_never_meet_share_an_address() {
        let solution = allocate(&[buffer(100, 0, 1), buffer(100, 2, 3)], 100).unwrap();
        assert_eq!(solution.addresses, [0, 0]);
    }

    #[test]
    fn a_small_buffer_fills_the_hole() {
        // The middle buffer dies first; the last one, smaller, takes its place.
        let buffers = [buffer(64, 0, 9), buffer(48, 0, 3), buffer(32, 0, 9), buffer(48, 4, 9)];
        let solution = allocate(&buffers, 1 << 10).unwrap();
        assert_eq!(solution.bytes, 64 + 48 + 32);
    }

    #[test]
    fn too_much_says_how_much() {
        let error = allocate(&[buffer(64, 0, 1), buffer(64, 1, 2)], 127).unwrap_err();
        assert_eq!(error, AllocationError::DoesNotFit { needed: 128, capacity: 127 });
    }

    #[test]
    fn verify_finds_a_planted_overlap() {
        let buffers = [buffer(64, 0, 1), buffer(64, 1, 2)];
        let wrong = Solution { addresses: vec![0, 48], bytes: 112 };
        assert_eq!(verify(&buffers, 1 << 10, &wrong), Err(AllocationError::Overlap { first: 0, second: 1 }));
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let buffers = [buffer(64, 0, 4), buffer(64, 2, 3), buffer(32, 4, 9)];
        assert_eq!(allocate_some(&buffers, 100).unwrap(), [Some(0), None, Some(64)]);
    }

    proptest! {
        #[test]
        fn every_answer_verifies_and_uses_at_most_the_sum(
            raw in proptest::collection::vec((0u64..300, 0u32..7, 0usize..20, 0usize..6), 0..40)
        ) {
            let buffers: Vec<LiveBuffer> = raw
                .iter()
                .map(|&(bytes, shift, first, length)| LiveBuffer { bytes, alignment: 1 << shift, first, last: first + length })
                .collect();
            let solution = allocate(&buffers, u64::MAX).unwrap();
            prop_assert_eq!(verify(&buffers, u64::MAX, &solution), Ok(()));
            let sum: u64 = buffers.iter().map(|buffer| buffer.bytes + buffer.alignment).sum();
            prop_assert!(solution.bytes <= sum);
            let peak = (0..30)
                .map(|time| buffers.iter().filter(|b| b.first <= time && time <= b.last).map(|b| b.bytes).sum::<u64>())
                .max();
            prop_assert!(Some(solution.bytes) >= peak);
        }
    }
}
