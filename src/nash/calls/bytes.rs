//! A set of bytes of local memory that knows its size and its number of runs.

use super::super::isa::StridedRegion;

/// Bits of a word.
const BITS: u64 = u64::BITS as u64;

/// Bytes of a memory.
#[derive(Clone, Debug, Default)]
pub struct ByteSet {
    words: Vec<u64>,
    bytes: u64,
    runs: u64,
}

impl ByteSet {
    /// None of `bytes` bytes.
    pub fn new(bytes: u64) -> Self {
        Self { words: vec![0; usize::try_from(bytes.div_ceil(BITS)).unwrap_or(0)], bytes: 0, runs: 0 }
    }

    /// How many bytes it has, and in how many runs.
    pub fn size(&self) -> (u64, u64) {
        (self.bytes, self.runs)
    }

    /// Takes bytes in, or out; those beyond the memory are none.
    pub fn set(&mut self, region: &StridedRegion, inside: bool) {
        let end = i128::from(self.words.len() as u64 * BITS);
        region.visit_within(0, end, &mut |start, end| {
            if let (Ok(start), Ok(end)) = (u64::try_from(start), u64::try_from(end)) {
                self.set_run(start, end, inside);
            }
        });
    }

    fn set_run(&mut self, start: u64, end: u64, inside: bool) {
        let (first, last) = (start / BITS, end.div_ceil(BITS));
        for index in first..last {
            let from = start.max(index * BITS) - index * BITS;
            let to = end.min((index + 1) * BITS) - index * BITS;
            let mask = (u64::MAX >> (BITS - (to - from))) << from;
            self.change(index as usize, |word| if inside { word | mask } else { word & !mask });
        }
    }

    fn change(&mut self, index: usize, change: impl FnOnce(u64) -> u64) {
        let Some(&before) = self.words.get(index) else { return };
        let after = change(before);
        if before == after {
            return;
        }
        let runs = self.starts(index) + self.starts(index + 1);
        if let Some(word) = self.words.get_mut(index) {
            *word = after;
        }
        self.runs = self.runs + self.starts(index) + self.starts(index + 1) - runs;
        self.bytes = self.bytes + u64::from(after.count_ones()) - u64::from(before.count_ones());
    }

    /// How many runs begin in a word.
    fn starts(&self, index: usize) -> u64 {
        let word = self.words.get(index).copied().unwrap_or(0);
        let before = index.checked_sub(1).and_then(|index| self.words.get(index)).copied().unwrap_or(0);
        u64::from((word & !(word << 1 | before >> (BITS - 1))).count_ones())
    }

    /// The runs of what two sets have in common.
    pub fn common_runs(&self, other: &ByteSet) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for (index, (one, two)) in self.words.iter().zip(&other.words).enumerate() {
            let (mut word, base) = (one & two, index as u64 * BITS);
            while word != 0 {
                let from = u64::from(word.trailing_zeros());
                let length = u64::from((!(word >> from)).trailing_zeros()).min(BITS - from);
                match runs.last_mut() {
                    Some((_, end)) if *end == base + from => *end += length,
                    _ => runs.push((base + from, base + from + length)),
                }
                word &= !((u64::MAX >> (BITS - length)) << from);
            }
        }
        runs
    }

    /// Its runs.
    pub fn all_runs(&self) -> Vec<(u64, u64)> {
        self.common_runs(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn runs_of(bytes: &BTreeSet<u64>) -> Vec<(u64, u64)> {
        let starts = bytes.iter().copied().filter(|byte| *byte == 0 || !bytes.contains(&(byte - 1)));
        starts.map(|start| (start, (start..).find(|byte| !bytes.contains(byte)).unwrap())).collect()
    }

    proptest! {
        #[test]
        fn as_a_set_of_single_bytes(
            changes in prop::collection::vec((0i128..300, 1u64..90, 1u64..5, 1i64..70, any::<bool>()), 0..20),
        ) {
            let (mut set, mut all) = (ByteSet::new(256), ByteSet::new(256));
            all.set(&StridedRegion::new(0, 256, []).unwrap(), true);
            let mut expected = BTreeSet::new();
            for (base, run, count, stride, inside) in changes {
                let region = StridedRegion::new(base, run, [(count, stride)]).unwrap();
                set.set(&region, inside);
                for byte in region.intervals().flat_map(|(start, end)| start..end).filter(|byte| *byte < 256) {
                    if inside { expected.insert(byte as u64); } else { expected.remove(&(byte as u64)); }
                }
                let runs = runs_of(&expected);
                prop_assert_eq!(set.size(), (expected.len() as u64, runs.len() as u64));
                prop_assert_eq!(set.common_runs(&all), runs);
            }
        }
    }
}
