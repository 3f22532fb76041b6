//! Memory for results that several threads write at the same time.

use std::marker::PhantomData;
use std::ops::Range;

/// Bytes of results; every thread writes those of its own cells and channels.
#[derive(Clone, Copy)]
pub struct Results<'a> {
    start: *mut u8,
    length: usize,
    lent: PhantomData<&'a mut [u8]>,
}

// SAFETY: who makes results promises that no byte is written by two threads at the same time, and nothing else is done with them.
unsafe impl Send for Results<'_> {}
// SAFETY: as above.
unsafe impl Sync for Results<'_> {}

impl<'a> Results<'a> {
    /// # Safety
    /// No byte is written by two threads at the same time.
    pub unsafe fn new(bytes: &'a mut [u8]) -> Results<'a> {
        Results { start: bytes.as_mut_ptr(), length: bytes.len(), lent: PhantomData }
    }

    /// Lets a function write some bytes.
    ///
    /// # Panics
    /// When they are not there.
    pub fn write(&self, range: Range<usize>, write: impl FnOnce(&mut [u8])) {
        assert!(range.start <= range.end && range.end <= self.length, "a place for each result");
        // SAFETY: the bytes are there, and nobody else writes them now; nobody reads any.
        write(unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) });
    }

    /// Whether there are `bytes` bytes from `start` on.
    pub fn has(&self, start: usize, bytes: usize) -> bool {
        start.checked_add(bytes).is_some_and(|end| end <= self.length)
    }

    /// Where the bytes from `start` on are.
    #[cfg(target_arch = "x86_64")]
    pub fn pointer(&self, start: usize) -> *mut u8 {
        self.start.wrapping_add(start)
    }
}
