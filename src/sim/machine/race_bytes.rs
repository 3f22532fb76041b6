//! The accesses to a part of a memory that still matter, byte by byte: for parts where accesses are interleaved so finely that
//! there would be a record for every few bytes.

use super::race::{Conflict, History, Visitor, check_history};

/// What was decided about a history for the current access.
#[derive(Clone, Copy, Default)]
struct Decision {
    /// The access; 0 for none.
    access: u64,
    /// The history after it.
    next: u32,
}

/// Every byte has the number of a history.
pub(super) struct RaceBytes {
    start: u64,
    numbers: Vec<u32>,
    /// The first one is that of bytes that were never touched.
    histories: Vec<History>,
    decisions: Vec<Decision>,
    /// Counts accesses.
    access: u64,
    /// How many histories there may be before those without bytes are given up.
    limit: usize,
}

impl RaceBytes {
    pub fn new(start: u64, bytes: usize) -> RaceBytes {
        let (histories, decisions) = (vec![History::default()], vec![Decision::default()]);
        RaceBytes { start, numbers: vec![0; bytes], histories, decisions, access: 0, limit: bytes / 4 }
    }

    /// Calls to [`RaceBytes::visit`] from here on belong to another access.
    pub fn begin_access(&mut self) {
        self.access += 1;
        if self.histories.len() > self.limit {
            self.give_up_unused();
        }
    }

    /// Visits `start..end`. Gives the first bytes there that it reads and nobody wrote.
    pub fn visit(
        &mut self,
        start: u64,
        end: u64,
        write: bool,
        visitor: &Visitor,
    ) -> Result<Option<(u64, u64)>, Conflict> {
        let mut gap = None;
        let mut at = (start - self.start) as usize;
        let last = ((end - self.start) as usize).min(self.numbers.len());
        while let Some(&number) = self.numbers.get(at).filter(|_| at < last) {
            let rest = self.numbers.get(at..last).unwrap_or_default();
            let length = rest.iter().position(|other| *other != number).unwrap_or(rest.len());
            let range = (self.start + at as u64, self.start + (at + length) as u64);
            let history = self.histories.get(number as usize).copied().unwrap_or_default();
            if !write && !history.is_written() {
                gap = gap.or(Some(range));
            }
            let next = self.decide(number, &history, range, write, visitor)?;
            if let Some(numbers) = self.numbers.get_mut(at..at + length) {
                numbers.fill(next);
            }
            at += length;
        }
        Ok(gap)
    }

    /// The history after the current access of bytes with another one.
    fn decide(
        &mut self,
        number: u32,
        history: &History,
        (start, end): (u64, u64),
        write: bool,
        visitor: &Visitor,
    ) -> Result<u32, Conflict> {
        let known = self.decisions.get(number as usize).copied().unwrap_or_default();
        if known.access == self.access {
            return Ok(known.next);
        }
        check_history(start, end, history, write, visitor)?;
        let next = self.histories.len() as u32;
        self.histories.push(history.after(write, visitor));
        // Runs of one access do not overlap; should they, then what it did once needs nothing more.
        self.decisions.push(Decision { access: self.access, next });
        if let Some(decision) = self.decisions.get_mut(number as usize) {
            *decision = Decision { access: self.access, next };
        }
        Ok(next)
    }

    /// Numbers the histories anew that bytes have.
    fn give_up_unused(&mut self) {
        let mut places = vec![None; self.histories.len()];
        let mut histories = vec![History::default()];
        if let Some(first) = places.first_mut() {
            *first = Some(0);
        }
        for number in &mut self.numbers {
            if let (Some(place), Some(history)) =
                (places.get_mut(*number as usize), self.histories.get(*number as usize))
            {
                *number = *place.get_or_insert_with(|| {
                    histories.push(*history);
                    histories.len() as u32 - 1
                });
            }
        }
        // Those to come cost more than this did.
        self.limit = histories.len() + self.numbers.len() / 4;
        self.decisions = vec![Decision::default(); histories.len()];
        self.histories = histories;
    }
}
