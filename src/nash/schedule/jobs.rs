//! Load jobs: runs of constants that one instruction loads.

use super::super::tile::emitter::{LocalPage, PageId};

/// Constants are joined up to so many bytes: a transfer's set-up then takes little beside it, and the memory is soon free again.
const MOST_JOINED: u64 = 64 << 10;
/// Constants smaller than this are not worth a load of their own.
const SMALL: u64 = 16 << 10;
/// No job becomes larger than this.
const LARGEST: u64 = 256 << 10;
/// More lies between neighbours of a job only where they do not follow each other.
const MOST_BETWEEN: u64 = 64;

/// Pages that one instruction fills, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// In order; one, or several that lie behind each other in the constants.
    pub pages: Vec<PageId>,
    /// From the first byte of the first to the end of the last.
    pub bytes: u64,
    /// Where it is needed first, and last.
    pub first: usize,
    pub last: usize,
    /// Its bytes are stored.
    pub stored: bool,
    /// The first draft that its load may stand before; none where it is no load.
    pub earliest: Option<usize>,
    /// Its bytes of the constants.
    constants: Option<(u64, u64)>,
}

impl Job {
    fn of(id: PageId, page: &LocalPage) -> Job {
        Job {
            pages: vec![id],
            bytes: page.bytes,
            first: page.first,
            last: page.last,
            stored: page.stored,
            earliest: page.load.as_ref().map(|load| load.earliest),
            constants: page.load.as_ref().and_then(|load| load.constants),
        }
    }

    /// Takes another page in, where it follows in the constants.
    fn join(&mut self, id: PageId, page: &LocalPage) -> bool {
        let (Some((start, end)), Some((next, next_end))) =
            (self.constants, page.load.as_ref().and_then(|load| load.constants))
        else {
            return false;
        };
        let small = (next_end - next).min(end - start) < SMALL;
        let limit = if small { LARGEST } else { MOST_JOINED };
        if next < end || next - end >= MOST_BETWEEN || next_end - start > limit {
            return false;
        }
        self.pages.push(id);
        self.bytes = next_end - start;
        self.constants = Some((start, next_end));
        self.last = self.last.max(page.last);
        true
    }
}

/// Every page in its job, in the order of need.
pub fn jobs(pages: &[LocalPage]) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::with_capacity(pages.len());
    // The latest job of constants.
    let mut open: Option<usize> = None;
    for (id, page) in pages.iter().enumerate() {
        if page.load.as_ref().is_none_or(|load| load.constants.is_none()) {
            jobs.push(Job::of(id, page));
        } else if !open.and_then(|open| jobs.get_mut(open)).is_some_and(|job| job.join(id, page)) {
            open = Some(jobs.len());
            jobs.push(Job::of(id, page));
        }
    }
    jobs
}
