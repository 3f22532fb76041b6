//! The threads of one run: a leader that goes through the steps, and helpers that take parts of the larger ones.
//!
//! Helpers are jobs of rayon's pool, so that callers who run samples in parallel on it do not oversubscribe: a helper that
//! finds no free thread comes late or never, and the leader does the work alone. A helper waits awake between steps and between
//! runs, because many a step takes less time than waking a thread, and leaves when nothing comes for a while, or the pool has other
//! work. Nothing here allocates but the invitation of a helper.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// A leader that waits for the last parts of a job for longer than this sleeps. It does not yield: on a busy machine who yields comes back
/// last, who slept comes back first.
const PATIENCE_OF_LEADERS: Duration = Duration::from_micros(300);
/// A helper that finds nothing to do for longer than this leaves, in a run and between two: a thread that is woken often begins behind
/// the one that woke it, on the same processor, and is of no use for milliseconds.
const PATIENCE_OF_HELPERS: Duration = Duration::from_millis(1);
/// How often who waits looks before it looks at the clock.
const LOOKS: usize = 64;
const LONGEST_SLEEP: Duration = Duration::from_micros(500);
/// One bit each in a word.
const MOST_HELPERS: usize = 64;
/// Parts for each thread, so that one that was held up leaves its share to the others.
const PARTS_PER_THREAD: usize = 4;

/// Invitations, of all teams, that no thread has taken up yet.
static INVITATIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread is a helper already: of one team, while it looked for other work of the pool between two runs.
    static IS_HELPER: Cell<bool> = const { Cell::new(false) };
}

/// What is done in parts: by the number of the part, and by that of the thread, of which the leader is 0.
type Job<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// One word: how many parts a job has, and how many of them are taken.
#[derive(Clone, Copy)]
struct TakenParts {
    parts: u32,
    taken: u32,
}

impl TakenParts {
    fn of(word: u64) -> TakenParts {
        TakenParts { parts: (word >> 32) as u32, taken: word as u32 }
    }

    fn word(self) -> u64 {
        u64::from(self.parts) << 32 | u64::from(self.taken)
    }
}

/// There is no run.
const CLOSED: u8 = 0;
/// A run begins or ends.
const CHANGING: u8 = 1;
/// There is a run.
const OPEN: u8 = 2;

/// A leader's helpers, of one run after the other. Between runs it is closed.
pub(crate) struct Team {
    helpers: usize,
    /// [`CLOSED`], [`CHANGING`] or [`OPEN`].
    state: AtomicU8,
    /// Helpers that may be looking at the job.
    active: AtomicUsize,
    /// Helpers that were called and have not left.
    invited: AtomicUsize,
    /// The numbers of the threads, less one, that helpers have.
    numbers: AtomicU64,
    /// [`TakenParts`] of the current job.
    taken: AtomicU64,
    /// Parts of the current job that are done.
    done: AtomicUsize,
    /// The current job. Only the leader writes it, while no part is to be had and all that were taken are done.
    job: UnsafeCell<Option<*const Job<'static>>>,
    /// Written by the leader while nobody is active.
    leader: UnsafeCell<Option<Thread>>,
    /// Whether the leader wants to be woken.
    sleeping: AtomicBool,
    /// What a helper panicked with, for the leader.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: a helper reads `job` after it has taken a part, and the leader writes it after all parts were done; a helper reads `leader`
// while it counts as active in an open run, and it is written between runs. What they point to is `Sync`.
unsafe impl Send for Team {}
// SAFETY: as above.
unsafe impl Sync for Team {}

impl Team {
    /// A leader and `helpers` helpers at most.
    pub(crate) fn new(helpers: usize) -> Arc<Team> {
        Arc::new(Team {
            helpers: helpers.min(MOST_HELPERS),
            state: AtomicU8::new(CLOSED),
            active: AtomicUsize::new(0),
            invited: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            done: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            leader: UnsafeCell::new(None),
            sleeping: AtomicBool::new(false),
            panic: Mutex::new(None),
        })
    }

    /// Starts a run that this thread leads. While there is another one, it has no helpers.
    pub(crate) fn open(self: &Arc<Team>) -> TeamRun<'_> {
        if self.state.compare_exchange(CLOSED, CHANGING, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return TeamRun { team: self, helpers: 0, is_leader: false };
        }
        // SAFETY: helpers read it in open runs only, and those of the last one are gone.
        unsafe { *self.leader.get() = Some(std::thread::current()) };
        self.state.store(OPEN, Ordering::SeqCst);
        TeamRun { team: self, helpers: self.helpers, is_leader: true }
    }

    fn is_open(&self) -> bool {
        self.state.load(Ordering::SeqCst) == OPEN
    }

    /// The number of a part that nobody else has, if there is one.
    fn take_part(&self) -> Option<usize> {
        let free = |word| {
            let now = TakenParts::of(word);
            (now.taken < now.parts).then(|| TakenParts { taken: now.taken + 1, ..now }.word())
        };
        let word = self.taken.fetch_update(Ordering::Acquire, Ordering::Relaxed, free).ok()?;
        Some(TakenParts::of(word).taken as usize)
    }

    /// Does a part, if there is one that nobody else has.
    fn do_part(&self, thread: usize) -> bool {
        let Some(number) = self.take_part() else { return false };
        let _part = PartGuard { team: self, thread };
        // SAFETY: a part was taken, so nobody writes the job before it is done.
        let Some(job) = (unsafe { *self.job.get() }) else { return false };
        // SAFETY: the leader waits for the part, so the job still exists.
        let run = || unsafe { (*job)(number, thread) };
        if thread == 0 {
            run();
        } else if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        true
    }

    /// For helpers that are active.
    fn wake_leader(&self) {
        if self.sleeping.load(Ordering::SeqCst) {
            // SAFETY: the leader writes it only while nobody is active.
            unsafe { (*self.leader.get()).as_ref() }.inspect(|leader| leader.unpark());
        }
    }

    /// The leader's: until `is_over`, which helpers make true before they call `wake_leader`.
    fn wait(&self, is_over: impl Fn() -> bool) {
        if looks_for(PATIENCE_OF_LEADERS, &is_over) {
            return;
        }
        self.sleeping.store(true, Ordering::SeqCst);
        while !is_over() {
            // The last helper to leave wakes nobody, hence the limit.
            std::thread::park_timeout(LONGEST_SLEEP);
        }
        self.sleeping.store(false, Ordering::SeqCst);
    }

    /// What a helper does, from its invitation until it leaves. It stays for further runs, also if it came too late for this one: then
    /// it is on the leader's processor, and only while it waits there does the system move it to another one.
    fn help(&self) {
        INVITATIONS.fetch_sub(1, Ordering::SeqCst);
        let stays = !IS_HELPER.replace(true);
        loop {
            while self.help_with_run() && stays && self.is_open_soon() {}
            self.invited.fetch_sub(1, Ordering::SeqCst);
            if !(stays && self.is_counted_on()) {
                break;
            }
        }
        IS_HELPER.set(!stays);
    }

    /// Whether a job began while this helper was on its way out, whose leader called nobody else for that; then it counts as called again.
    fn is_counted_on(&self) -> bool {
        let TakenParts { parts, taken } = TakenParts::of(self.taken.load(Ordering::SeqCst));
        let again = |invited| (invited < self.helpers).then_some(invited + 1);
        taken < parts && self.invited.fetch_update(Ordering::SeqCst, Ordering::SeqCst, again).is_ok()
    }

    /// For helpers that are not active. Whoever else has work for this thread comes first.
    fn is_open_soon(&self) -> bool {
        let (mut is_wanted, mut looks) = (false, 0);
        let found = looks_for(PATIENCE_OF_HELPERS, || {
            looks += 1;
            is_wanted = INVITATIONS.load(Ordering::SeqCst) > 0 || looks % LOOKS == 0 && self.has_worked_for_others();
            is_wanted || self.is_open()
        });
        found && !is_wanted
    }

    /// Does what else the pool has to do, if it has. That may be a run of this very team, and long: so others may be invited meanwhile.
    fn has_worked_for_others(&self) -> bool {
        self.invited.fetch_sub(1, Ordering::SeqCst);
        let worked = rayon::yield_now() == Some(rayon::Yield::Executed);
        self.invited.fetch_add(1, Ordering::SeqCst);
        worked
    }

    /// Whether the run was over before it had waited in vain.
    fn help_with_run(&self) -> bool {
        let _active = ActiveGuard::new(self);
        let Some(thread) = ThreadNumber::new(self) else { return false };
        self.help_as(thread.number as usize + 1)
    }

    fn help_as(&self, thread: usize) -> bool {
        loop {
            let mut works = false;
            let in_time = looks_for(PATIENCE_OF_HELPERS, || {
                works = self.do_part(thread);
                works || !self.is_open()
            });
            if !works {
                return in_time;
            }
        }
    }
}

/// Whether something becomes true within a time.
fn looks_for(time: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        for _ in 0..LOOKS {
            if is_true() {
                return true;
            }
            std::hint::spin_loop();
        }
        if begin.elapsed() > time {
            return false;
        }
    }
}

/// Counts a helper as active until it is dropped, be it by a panic.
struct ActiveGuard<'a>(&'a Team);

impl<'a> ActiveGuard<'a> {
    fn new(team: &'a Team) -> ActiveGuard<'a> {
        team.active.fetch_add(1, Ordering::SeqCst);
        ActiveGuard(team)
    }
}

impl Drop for ActiveGuard<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The number of a helper among the threads of a run, less one, until it is dropped.
struct ThreadNumber<'a> {
    team: &'a Team,
    number: u32,
}

impl<'a> ThreadNumber<'a> {
    /// The least that is free; none where there are as many helpers as the team has.
    fn new(team: &'a Team) -> Option<ThreadNumber<'a>> {
        let free = |numbers: u64| ((numbers.trailing_ones() as usize) < team.helpers).then(|| numbers | (numbers + 1));
        let numbers = team.numbers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free).ok()?;
        Some(ThreadNumber { team, number: numbers.trailing_ones() })
    }
}

impl Drop for ThreadNumber<'_> {
    fn drop(&mut self) {
        self.team.numbers.fetch_and(!(1 << self.number), Ordering::SeqCst);
    }
}

/// Counts a part as done when it is dropped, be it by a panic.
struct PartGuard<'a> {
    team: &'a Team,
    thread: usize,
}

impl Drop for PartGuard<'_> {
    fn drop(&mut self) {
        self.team.done.fetch_add(1, Ordering::SeqCst);
        if self.thread > 0 {
            self.team.wake_leader();
        }
    }
}

/// A run. It cannot be copied, so its jobs follow one another. Dropping it closes the team and waits until all helpers are gone.
pub(crate) struct TeamRun<'a> {
    team: &'a Arc<Team>,
    helpers: usize,
    is_leader: bool,
}

impl TeamRun<'_> {
    /// The leader and its helpers: numbers of threads are less.
    pub(crate) fn threads(&self) -> usize {
        self.helpers + 1
    }

    /// How many parts to make of so many equal pieces of work.
    pub(crate) fn parts(&self, pieces: usize) -> usize {
        pieces.min((self.helpers + 1) * PARTS_PER_THREAD)
    }

    /// Does all parts of a job, with helpers where there are several. Two parts may be done at the same time, by threads of different
    /// numbers, the largest of which is that of helpers.
    pub(crate) fn share<'j>(&mut self, parts: usize, job: &'j Job<'j>) {
        let team = self.team;
        let shared = u32::try_from(parts).ok().filter(|_| parts > 1 && self.helpers > 0);
        let Some(number) = shared else { return (0..parts).for_each(|part| job(part, 0)) };
        *team.panic.lock().unwrap_or_else(PoisonError::into_inner) = None;
        team.done.store(0, Ordering::SeqCst);
        // SAFETY: the job is no longer used when this function ends: all parts are waited for, also when one panics.
        let job: &Job<'static> = unsafe { std::mem::transmute::<&'j Job<'j>, &Job<'static>>(job) };
        // SAFETY: all parts of the last job are done, so nobody reads it.
        unsafe { *team.job.get() = Some(job) };
        let shared = SharedJob { team, parts };
        team.taken.store(TakenParts { parts: number, taken: 0 }.word(), Ordering::SeqCst);
        while team.invited.load(Ordering::SeqCst) < team.helpers {
            team.invited.fetch_add(1, Ordering::SeqCst);
            INVITATIONS.fetch_add(1, Ordering::SeqCst);
            let team = Arc::clone(team);
            rayon::spawn(move || team.help());
        }
        while team.do_part(0) {}
        drop(shared);
        let panic = team.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Calls `each` with the number and bytes of all rows, which are `row` bytes apart; the last may be cut off.
    pub(crate) fn for_each_row(&mut self, bytes: &mut [u8], row: usize, each: impl Fn(usize, &mut [u8]) + Sync) {
        let (length, row) = (bytes.len(), row.max(1));
        let rows = length.div_ceil(row);
        let parts = self.parts(rows);
        let start = Start(bytes.as_mut_ptr());
        self.share(parts, &|part: usize, _| {
            for index in rows * part / parts..rows * (part + 1) / parts {
                let at = index * row;
                // SAFETY: the row lies in the bytes, which the caller has lent, and no other part has it.
                each(index, unsafe { std::slice::from_raw_parts_mut(start.at(at), row.min(length - at)) });
            }
        });
    }
}

impl Drop for TeamRun<'_> {
    fn drop(&mut self) {
        if self.is_leader {
            self.team.state.store(CHANGING, Ordering::SeqCst);
            self.team.wait(|| self.team.active.load(Ordering::SeqCst) == 0);
            self.team.state.store(CLOSED, Ordering::SeqCst);
        }
    }
}

/// Waits for the parts of a job when it is dropped.
struct SharedJob<'a> {
    team: &'a Team,
    parts: usize,
}

impl Drop for SharedJob<'_> {
    fn drop(&mut self) {
        // There are some left after a panic only. Nobody needs them.
        while self.team.take_part().is_some() {
            self.team.done.fetch_add(1, Ordering::SeqCst);
        }
        self.team.wait(|| self.team.done.load(Ordering::SeqCst) >= self.parts);
    }
}

/// Where rows begin.
#[derive(Clone, Copy)]
struct Start(*mut u8);

// SAFETY: parts write rows that are apart.
unsafe impl Send for Start {}
// SAFETY: as above.
unsafe impl Sync for Start {}

impl Start {
    fn at(self, offset: usize) -> *mut u8 {
        self.0.wrapping_add(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_done_once_and_jobs_follow_one_another() {
        for helpers in 0..4 {
            let team = Team::new(helpers);
            for rows in (1..30).chain([1000]) {
                let mut bytes = vec![0; rows * 5 - 2];
                let mut run = team.open();
                assert_eq!(team.open().helpers, 0, "two leaders");
                for _ in 0..100 {
                    run.for_each_row(&mut bytes, 5, |index, row| {
                        assert!(row.len() == 5 || index + 1 == rows && row.len() == 3);
                        row.iter_mut().for_each(|byte| *byte += 1 + index as u8 % 2);
                    });
                }
                let right = |at: usize| 100 * (1 + (at / 5) as u8 % 2);
                assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == right(at)), "{helpers} {rows}");
            }
        }
    }

    #[test]
    fn no_two_parts_are_done_by_one_thread_at_once() {
        let team = Team::new(3);
        let busy = [const { AtomicBool::new(false) }; 4];
        for _ in 0..50 {
            let mut run = team.open();
            (0..20).for_each(|parts| {
                run.share(parts, &|_, thread| {
                    assert!(!busy[thread].swap(true, Ordering::SeqCst));
                    std::hint::black_box((0..1000).sum::<u64>());
                    busy[thread].store(false, Ordering::SeqCst);
                });
            });
        }
    }

    /// A run whose first part waits for a helper.
    fn helped(team: &Arc<Team>) {
        let is_there = AtomicBool::new(false);
        team.open().share(8, &|_, thread| match thread {
            0 => assert!(looks_for(Duration::from_secs(60), || is_there.load(Ordering::SeqCst)), "no helper came"),
            _ => is_there.store(true, Ordering::SeqCst),
        });
    }

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn helpers_come_to_every_run_of_teams_that_take_turns() {
        let pool = pool(2);
        let teams = [Team::new(1), Team::new(1), Team::new(1)];
        pool.install(|| (0..60).for_each(|run| helped(&teams[run % 3])));
    }

    /// Who waits for the next run may become its leader, and so leaves the place of a helper to the other thread.
    #[test]
    fn helpers_come_whichever_thread_leads() {
        let pool = pool(2);
        let team = Team::new(1);
        (0..200).for_each(|_| pool.install(|| (0..3).for_each(|_| helped(&team))));
    }

    #[test]
    fn leaders_of_a_pool_of_any_size_end() {
        use rayon::prelude::*;
        for threads in 1..=4 {
            pool(threads).install(|| {
                (0..200).into_par_iter().for_each(|_| {
                    let team = Team::new(3);
                    for _ in 0..5 {
                        let done = AtomicUsize::new(0);
                        team.open().share(10, &|_, _| {
                            done.fetch_add(1, Ordering::SeqCst);
                        });
                        assert_eq!(done.into_inner(), 10);
                    }
                });
            });
        }
    }

    #[test]
    fn a_panic_of_anybody_ends_the_run_only() {
        let pool = pool(2);
        let team = Team::new(1);
        let part = |panics: &(dyn Fn(usize, usize) -> bool + Sync)| {
            pool.install(|| {
                catch_unwind(AssertUnwindSafe(|| {
                    team.open().share(64, &|part, thread| assert!(!panics(part, thread), "on purpose"));
                }))
            })
        };
        for number in [0, 20, 63] {
            assert!(part(&|part, _| part == number).is_err());
        }
        assert!(part(&|_, _| true).is_err());
        assert!(part(&|_, _| false).is_ok());
        // The helper's alone.
        let is_there = AtomicBool::new(false);
        let helper = part(&|_, thread| {
            is_there.fetch_or(thread > 0, Ordering::SeqCst);
            looks_for(Duration::from_secs(60), || is_there.load(Ordering::SeqCst));
            thread > 0
        });
        assert!(helper.is_err());
        pool.install(|| helped(&team));
    }
}
