//! Keeps threads awake between the parallel parts of a run.
//!
//! A parallel part takes some ten microseconds, and so does waking a thread that sleeps. Threads of a pool fall asleep when they
//! find no work for a few microseconds. So while a run is the only one, one task looks for work all the time; it occupies one
//! thread that would be idle, which takes the parts that the run hands out.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Runs of this process, of all programs.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// A thread that has found no work for this long goes to sleep after all. This also keeps two threads from waiting for one another:
/// whatever a thread waits for while it looks for work here, it goes on waiting for afterwards.
const PATIENCE: Duration = Duration::from_millis(1);

/// Counts a run until it is dropped.
struct Running;

impl Running {
    /// Whether it is the only one.
    fn begin() -> (Running, bool) {
        (Running, RUNNING.fetch_add(1, Ordering::Relaxed) == 0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sets a flag when it is dropped, be it by a panic.
struct Finally<'a>(&'a AtomicBool);

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs something that hands out work, while another thread of the pool, if there is an idle one, stays awake.
pub(super) fn while_running<Outcome: Send>(run: impl FnOnce() -> Outcome + Send) -> Outcome {
    let (_running, alone) = Running::begin();
    let owner = rayon::current_thread_index();
    if !alone || owner.is_none() || rayon::current_num_threads() == 1 {
        return run();
    }
    let done = AtomicBool::new(false);
    rayon::in_place_scope(|scope| {
        let _finally = Finally(&done);
        scope.spawn(|_| {
            if rayon::current_thread_index() != owner {
                look_for_work(&done);
            }
        });
        run()
    })
}

fn look_for_work(done: &AtomicBool) {
    let mut since = Instant::now();
    while !done.load(Ordering::Acquire) && RUNNING.load(Ordering::Relaxed) == 1 {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            since = Instant::now();
        } else if since.elapsed() > PATIENCE {
            return;
        }
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn runs_end_on_any_number_of_threads_alone_and_together() {
        let sum = |to: u64| while_running(|| (0..to).into_par_iter().map(|value| value * 2).sum::<u64>());
        assert_eq!(sum(1000), 999_000);
        for threads in 1..=4 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for _ in 0..50 {
                assert_eq!(pool.install(|| sum(1000)), 999_000);
            }
            let all = pool.install(|| (1..200u64).into_par_iter().map(sum).collect::<Vec<_>>());
            assert_eq!(all, (1..200).map(|to| to * (to - 1)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_in_a_run_ends_it() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let caught = pool.install(|| std::panic::catch_unwind(|| while_running(|| panic!("on purpose"))));
        assert!(caught.is_err());
    }
}
