//! Where intermediate tensors live: one arena, planned before anything runs.

use std::collections::BTreeMap;

use hb_runtime::array::ALIGNMENT;

/// A buffer and the steps between which it must keep its contents, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScratchBuffer {
    pub bytes: usize,
    pub first: usize,
    pub last: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemoryPlan {
    /// One offset per buffer.
    pub offsets: Vec<usize>,
    /// The size of the arena.
    pub bytes: usize,
}

/// Free blocks by offset; neighbours are always joined.
#[derive(Default)]
struct FreeList {
    blocks: BTreeMap<usize, usize>,
    end: usize,
}

impl FreeList {
    /// The smallest block that is large enough, else the end of the arena.
    fn take(&mut self, bytes: usize) -> Option<usize> {
        let best =
            self.blocks.iter().filter(|(_, size)| **size >= bytes).min_by_key(|(offset, size)| (**size, **offset));
        if let Some((&offset, &size)) = best {
            self.blocks.remove(&offset);
            if size > bytes {
                self.blocks.insert(offset + bytes, size - bytes);
            }
            return Some(offset);
        }
        // A free block at the very end grows.
        let tail = self
            .blocks
            .last_key_value()
            .filter(|(offset, size)| **offset + **size == self.end)
            .map(|(offset, _)| *offset);
        let offset = tail.unwrap_or(self.end);
        self.end = offset.checked_add(bytes)?;
        if let Some(tail) = tail {
            self.blocks.remove(&tail);
        }
        Some(offset)
    }

    fn give(&mut self, mut offset: usize, mut bytes: usize) {
        if let Some((&before, &size)) = self.blocks.range(..offset).next_back()
            && before + size == offset
        {
            self.blocks.remove(&before);
            (offset, bytes) = (before, size + bytes);
        }
        if let Some(after) = self.blocks.remove(&(offset + bytes)) {
            bytes += after;
        }
        self.blocks.insert(offset, bytes);
    }
}

/// Offsets such that buffers that live at the same time do not overlap; `None` if the arena would exceed the address space.
pub(crate) fn plan(buffers: &[ScratchBuffer]) -> Option<MemoryPlan> {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    // Larger first within a step, so that small ones fill the gaps.
    order.sort_by_key(|&b| buffers.get(b).map(|buffer| (buffer.first, std::cmp::Reverse(buffer.bytes), b)));
    let mut offsets = vec![0; buffers.len()];
    let mut free = FreeList::default();
    let mut live: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for b in order {
        let Some(buffer) = buffers.get(b) else { continue };
        while let Some(ended) = live.first_entry().filter(|entry| *entry.key() < buffer.first) {
            ended.remove().into_iter().for_each(|(offset, bytes)| free.give(offset, bytes));
        }
        let bytes = buffer.bytes.max(1).checked_next_multiple_of(ALIGNMENT)?;
        let offset = free.take(bytes)?;
        if let Some(slot) = offsets.get_mut(b) {
            *slot = offset;
        }
        live.entry(buffer.last.max(buffer.first)).or_default().push((offset, bytes));
    }
    Some(MemoryPlan { offsets, bytes: free.end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_chain_needs_two_buffers() {
        let buffers: Vec<ScratchBuffer> =
            (0..10).map(|step| ScratchBuffer { bytes: 64, first: step, last: step + 1 }).collect();
        assert_eq!(plan(&buffers).unwrap().bytes, 128);
    }

    proptest! {
        #[test]
        fn live_buffers_never_overlap(raw in proptest::collection::vec((0usize..500, 0usize..20, 0usize..6), 0..40)) {
            let buffers: Vec<ScratchBuffer> =
                raw.iter().map(|&(bytes, first, length)| ScratchBuffer { bytes, first, last: first + length }).collect();
            let plan = plan(&buffers).unwrap();
            for (i, a) in buffers.iter().enumerate() {
                prop_assert!(plan.offsets[i] + a.bytes <= plan.bytes && plan.offsets[i].is_multiple_of(ALIGNMENT));
                for (j, b) in buffers.iter().enumerate().skip(i + 1) {
                    let together = a.first <= b.last && b.first <= a.last;
                    let apart = plan.offsets[i] + a.bytes <= plan.offsets[j] || plan.offsets[j] + b.bytes <= plan.offsets[i];
                    prop_assert!(!together || apart || a.bytes == 0 || b.bytes == 0);
                }
            }
        }
    }
}
