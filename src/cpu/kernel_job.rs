//! A step of a run that is a kernel, and who does it.

use super::jit::Entry;
use crate::team::TeamRun;

/// A step that is a kernel.
pub(super) struct KernelJob {
    pub entry: Entry,
    pub units: usize,
    pub is_worth_splitting: bool,
    /// The output's address, then the operands'.
    pub table: Vec<*mut u8>,
}

// SAFETY: the addresses are of tensors that outlive the run, and are written before and between runs only, by their owner.
unsafe impl Send for KernelJob {}
// SAFETY: as above; threads that share a job write disjoint elements.
unsafe impl Sync for KernelJob {}

impl KernelJob {
    /// With helpers where it is split.
    pub(super) fn run(&self, run: &mut TeamRun<'_>, scratch: ThreadScratch) {
        let parts = if self.is_worth_splitting { run.parts(self.units) } else { 1 };
        run.share(parts, &|part, thread| self.do_part(part, parts, scratch.of(thread)));
    }

    /// Does one of `parts` equal parts.
    fn do_part(&self, part: usize, parts: usize, scratch: *mut u8) {
        let bound = |part: usize| (self.units * part / parts) as i64;
        // SAFETY: every load of the kernel was proven to stay inside its tensor (`Graph::verify_compute`), the table holds
        // tensors of the kernel's sizes, and the arena keeps them apart (`memory::plan`).
        unsafe { (self.entry)(self.table.as_ptr(), bound(part), bound(part + 1), scratch) };
    }
}

/// Scratch memory of the threads of a run, the leader's first.
#[derive(Clone, Copy)]
pub(super) struct ThreadScratch {
    pub start: *mut u8,
    /// Of each thread.
    pub bytes: usize,
}

// SAFETY: each thread uses its own part.
unsafe impl Sync for ThreadScratch {}

impl ThreadScratch {
    fn of(&self, thread: usize) -> *mut u8 {
        self.start.wrapping_add(thread * self.bytes)
    }
}
