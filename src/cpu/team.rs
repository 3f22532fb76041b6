//! The threads of one run: a leader that goes through the steps, and helpers that take parts of the larger ones.
//!
//! Helpers are jobs of rayon's pool, so that callers who run samples in parallel on it do not oversubscribe: a helper that
//! finds no free thread comes late or never, and the leader does the work alone. A helper waits awake between steps, because
//! a step often takes less time than waking a thread, and leaves when nothing comes for a while. Nothing here allocates but the
//! invitation of a helper.

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use super::jit::Entry;

/// Looks at what it waits for this often before a helper leaves, or the leader sleeps. Neither yields instead: on a busy
/// machine who yields comes back last, who slept comes back first.
const LOOKS: usize = 8000;
/// The same of a helper between two runs: a run of few steps takes less time than waking a thread.
const LOOKS_BETWEEN_RUNS: usize = 50_000;
const LONGEST_SLEEP: Duration = Duration::from_micros(500);
/// One bit each in a word.
const MOST_HELPERS: usize = 64;

/// A step: a kernel, its tensors, and how far its work has come.
pub(crate) struct TeamJob {
    entry: Entry,
    units: usize,
    chunks: usize,
    /// The output's address, then the operands'.
    table: UnsafeCell<Vec<*mut u8>>,
    taken: AtomicUsize,
    done: AtomicUsize,
}

impl TeamJob {
    /// The work is split into at most `chunks` parts.
    pub(crate) fn new(entry: Entry, units: usize, chunks: usize, tensors: usize) -> TeamJob {
        let table = UnsafeCell::new(vec![std::ptr::null_mut(); tensors]);
        let (taken, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        TeamJob { entry, units, chunks: chunks.clamp(1, units.max(1)), table, taken, done }
    }
}

/// The steps of a run, and who works on them. Between runs it is closed: only its owner touches it then.
pub(crate) struct Team {
    jobs: Vec<TeamJob>,
    scratch: *mut u8,
    /// Bytes of scratch memory for each thread; the leader's come first.
    scratch_bytes: usize,
    helpers: usize,
    closed: AtomicBool,
    /// Helpers that may be looking at the jobs.
    active: AtomicUsize,
    /// Helpers that were called and have not left.
    invited: AtomicUsize,
    /// The number of the step that is being worked on, from 1; 0 before the first.
    current: AtomicUsize,
    /// The parts of the scratch memory that helpers use.
    slots: AtomicU64,
    leader: UnsafeCell<Option<Thread>>,
    /// Whether the leader wants to be woken.
    sleeping: AtomicBool,
}

// SAFETY: while the team is open nobody changes the tables; chunks are handed out once by atomic counters, write disjoint
// elements, and have scratch memory of their own by `slots`. While it is closed only the owner of the run's memory has access.
unsafe impl Send for Team {}
// SAFETY: as above.
unsafe impl Sync for Team {}

impl Team {
    /// `scratch` must have `scratch_bytes` for the leader and as many for each helper.
    pub(crate) fn new(jobs: Vec<TeamJob>, scratch: *mut u8, scratch_bytes: usize, helpers: usize) -> Team {
        Team {
            jobs,
            scratch,
            scratch_bytes,
            helpers: helpers.min(MOST_HELPERS),
            closed: AtomicBool::new(true),
            active: AtomicUsize::new(0),
            invited: AtomicUsize::new(0),
            current: AtomicUsize::new(0),
            slots: AtomicU64::new(0),
            leader: UnsafeCell::new(None),
            sleeping: AtomicBool::new(false),
        }
    }

    /// Starts a run whose steps use these tensors: `address(step, position)` is the output for position 0, then the operands.
    ///
    /// # Safety
    /// The team belongs to the caller and is closed. The addresses are valid for the kernels until the `TeamRun` is dropped.
    pub(crate) unsafe fn open(self: &Arc<Team>, address: &dyn Fn(usize, usize) -> *mut u8) -> TeamRun<'_> {
        for (step, job) in self.jobs.iter().enumerate() {
            // SAFETY: the team is closed and nobody is active, so nobody else looks at the tables.
            let table = unsafe { &mut *job.table.get() };
            table.iter_mut().enumerate().for_each(|(position, slot)| *slot = address(step, position));
            job.taken.store(0, Ordering::Relaxed);
            job.done.store(0, Ordering::Relaxed);
        }
        // SAFETY: as above.
        unsafe { *self.leader.get() = Some(std::thread::current()) };
        self.current.store(0, Ordering::Relaxed);
        self.closed.store(false, Ordering::SeqCst);
        TeamRun(self)
    }

    /// Does chunks of a job until all are taken.
    fn work(&self, job: &TeamJob, thread: usize) {
        let scratch = self.scratch.wrapping_add(thread * self.scratch_bytes);
        // SAFETY: nobody writes the table while the team is open.
        let table = unsafe { (*job.table.get()).as_ptr() };
        let bound = |chunk: usize| (job.units * chunk / job.chunks) as i64;
        loop {
            let chunk = job.taken.fetch_add(1, Ordering::Relaxed);
            if chunk >= job.chunks {
                return;
            }
            // SAFETY: every load of the kernel was proven to stay inside its tensor (`Graph::verify_compute`), the table holds
            // tensors of the kernel's sizes, and the arena keeps them apart (`memory::plan`).
            unsafe { (job.entry)(table, bound(chunk), bound(chunk + 1), scratch) };
            job.done.fetch_add(1, Ordering::SeqCst);
            if thread > 0 {
                self.wake_leader();
            }
        }
    }

    /// For helpers that are counted in `active`.
    fn wake_leader(&self) {
        if self.sleeping.load(Ordering::SeqCst) {
            // SAFETY: the leader writes it only while nobody is active.
            unsafe { (*self.leader.get()).as_ref() }.inspect(|leader| leader.unpark());
        }
    }

    /// The leader's: until `is_over`, which helpers make true before they call `wake_leader`.
    fn wait(&self, is_over: impl Fn() -> bool) {
        for _ in 0..LOOKS {
            if is_over() {
                return;
            }
            std::hint::spin_loop();
        }
        self.sleeping.store(true, Ordering::SeqCst);
        while !is_over() {
            // The last helper to leave wakes nobody, hence the limit.
            std::thread::park_timeout(LONGEST_SLEEP);
        }
        self.sleeping.store(false, Ordering::SeqCst);
    }

    /// What a helper does, from its invitation until it leaves: it stays for further runs if it was of use in the last one.
    fn help(&self) {
        while self.help_with_run() && self.is_open_soon() {}
        self.invited.fetch_sub(1, Ordering::SeqCst);
    }

    /// For helpers that are not counted in `active`.
    fn is_open_soon(&self) -> bool {
        (0..LOOKS_BETWEEN_RUNS).any(|_| {
            std::hint::spin_loop();
            !self.closed.load(Ordering::SeqCst)
        })
    }

    /// Whether it worked until the run was over.
    fn help_with_run(&self) -> bool {
        let mut was_of_use = false;
        self.active.fetch_add(1, Ordering::SeqCst);
        let free = |slots: u64| (slots != u64::MAX).then(|| slots | (slots + 1));
        if let Ok(slots) = self.slots.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free) {
            let slot = slots.trailing_ones();
            if (slot as usize) < self.helpers {
                was_of_use = self.help_with_steps(slot as usize + 1);
            }
            self.slots.fetch_and(!(1 << slot), Ordering::SeqCst);
        }
        self.active.fetch_sub(1, Ordering::SeqCst);
        was_of_use
    }

    /// Whether it worked, and the run was over before it had waited in vain.
    fn help_with_steps(&self, thread: usize) -> bool {
        let (mut last, mut waited) = (0, 0);
        while !self.closed.load(Ordering::SeqCst) {
            if waited >= LOOKS {
                return false;
            }
            let current = self.current.load(Ordering::Acquire);
            match current.checked_sub(1).and_then(|step| self.jobs.get(step)) {
                Some(job) if current != last => {
                    self.work(job, thread);
                    (last, waited) = (current, 0);
                }
                _ => {
                    waited += 1;
                    std::hint::spin_loop();
                }
            }
        }
        last > 0
    }
}

/// An open team; dropping it closes the team and waits until all helpers are gone.
pub(crate) struct TeamRun<'a>(&'a Arc<Team>);

impl TeamRun<'_> {
    /// Does a step, with helpers where it is split.
    pub(crate) fn step(&self, step: usize) {
        let team = self.0;
        let Some(job) = team.jobs.get(step) else { return };
        if job.chunks == 1 {
            return team.work(job, 0);
        }
        team.current.store(step + 1, Ordering::Release);
        while team.invited.load(Ordering::SeqCst) < team.helpers {
            team.invited.fetch_add(1, Ordering::SeqCst);
            let team = Arc::clone(team);
            rayon::spawn(move || team.help());
        }
        team.work(job, 0);
        team.wait(|| job.done.load(Ordering::SeqCst) >= job.chunks);
    }
}

impl Drop for TeamRun<'_> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.wait(|| self.0.active.load(Ordering::SeqCst) == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds one to every element of its range; the table's first entry is the vector.
    unsafe extern "C" fn increment(table: *const *mut u8, begin: i64, end: i64, _scratch: *mut u8) {
        for position in begin..end {
            unsafe { *(*table).cast::<u32>().add(position as usize) += 1 };
        }
    }

    #[test]
    fn every_unit_is_done_once_and_steps_follow_each_other() {
        let mut values = vec![0u32; 1000];
        let jobs = (0..50).map(|step| TeamJob::new(increment, 1000, 1 + step % 9, 1)).collect();
        let team = Arc::new(Team::new(jobs, std::ptr::null_mut(), 0, 3));
        for run in 1..=20u32 {
            let address = values.as_mut_ptr().cast();
            let open = unsafe { team.open(&|_, _| address) };
            (0..50).for_each(|step| open.step(step));
            drop(open);
            assert!(values.iter().all(|value| *value == run * 50), "{run}");
        }
    }
}
