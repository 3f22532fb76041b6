//! Finds which instructions must wait for which, from the bytes they touch.
//!
//! Instructions are issued one by one in an order that is right when executed sequentially. Each engine runs its own in order,
//! nothing else orders two engines. For every byte the tracker remembers the last write and the reads since; an instruction that
//! touches the byte depends on them (read after write, write after read, write after write). A dependency that follows from
//! the engine's own order or from another wait is left out: every issued instruction has a vector clock, the number of
//! instructions of each engine that are certainly complete when it is complete.

use std::collections::BTreeMap;

/// Bytes `start..end` of memory `space`, touched by one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The memory, by any number that is its own.
    pub space: u32,
    /// First byte.
    pub start: u64,
    /// First byte behind it.
    pub end: u64,
    /// Whether the bytes are written; else they are read.
    pub write: bool,
}

/// Per engine, how many of its instructions are complete.
pub type Clock<const ENGINES: usize> = [u32; ENGINES];

/// What is known of a run of bytes that were all touched by the same instructions.
#[derive(Clone, Copy, Debug)]
struct History<const ENGINES: usize> {
    end: u64,
    /// The last write: engine and the engine's count when it is complete.
    write: Option<(usize, u32)>,
    /// Reads since the last write, per engine; 0 for none.
    reads: Clock<ENGINES>,
}

/// Runs of bytes by their start; they never overlap. Bytes outside every run were never touched.
type Runs<const ENGINES: usize> = BTreeMap<u64, History<ENGINES>>;

/// The accesses so far, by the engine that made them.
pub struct Tracker<const ENGINES: usize> {
    spaces: BTreeMap<u32, Runs<ENGINES>>,
    /// Per engine, the clock at the completion of each of its instructions.
    clocks: [Vec<Clock<ENGINES>>; ENGINES],
}

impl<const ENGINES: usize> Default for Tracker<ENGINES> {
    fn default() -> Self {
        Self { spaces: BTreeMap::new(), clocks: std::array::from_fn(|_| Vec::new()) }
    }
}

impl<const ENGINES: usize> Tracker<ENGINES> {
    /// Adds the next instruction of `engine` (below `ENGINES`); returns its waits as (engine, count), at most one per engine.
    pub fn issue(&mut self, engine: usize, touches: &[Touch]) -> Vec<(usize, u32)> {
        let mut needed: Clock<ENGINES> = [0; ENGINES];
        for touch in touches {
            self.depend(touch, &mut needed);
        }
        let (waits, clock) = self.order(engine, &needed);
        let count = clock.get(engine).copied().unwrap_or(0);
        if let Some(clocks) = self.clocks.get_mut(engine) {
            clocks.push(clock);
        }
        // Reads first: an instruction that reads and writes the same bytes leaves a write behind.
        for touch in touches.iter().filter(|touch| !touch.write).chain(touches.iter().filter(|touch| touch.write)) {
            self.record(touch, engine, count);
        }
        waits
    }

    /// Raises `needed` to cover everything that `touch` conflicts with.
    fn depend(&self, touch: &Touch, needed: &mut Clock<ENGINES>) {
        let Some(runs) = self.spaces.get(&touch.space).filter(|_| touch.start < touch.end) else { return };
        let before = runs.range(..touch.start).next_back().filter(|(_, run)| run.end > touch.start);
        for (_, run) in before.into_iter().chain(runs.range(touch.start..touch.end)) {
            if let Some((engine, count)) = run.write {
                raise(needed, engine, count);
            }
            if touch.write {
                for (engine, &count) in run.reads.iter().enumerate() {
                    raise(needed, engine, count);
                }
            }
        }
    }

    /// The waits that `needed` asks for beyond what is known already, and the clock at completion.
    fn order(&self, engine: usize, needed: &Clock<ENGINES>) -> (Vec<(usize, u32)>, Clock<ENGINES>) {
        let mut known = self.clocks.get(engine).and_then(|clocks| clocks.last()).copied().unwrap_or([0; ENGINES]);
        let own = known.get(engine).copied().unwrap_or(0);
        let wanted: Vec<(usize, u32, Clock<ENGINES>)> = needed
            .iter()
            .enumerate()
            .filter(|&(other, &count)| other != engine && count > known.get(other).copied().unwrap_or(0))
            .map(|(other, &count)| (other, count, self.completion(other, count)))
            .collect();
        let mut waits = Vec::with_capacity(wanted.len());
        for (other, count, clock) in &wanted {
            // Clocks are distinct points of one partial order, so two wants can never imply each other.
            let implied = wanted
                .iter()
                .any(|(via, _, through)| via != other && through.get(*other).copied().unwrap_or(0) >= *count);
            if !implied {
                waits.push((*other, *count));
            }
            for (entry, &value) in known.iter_mut().zip(clock) {
                *entry = (*entry).max(value);
            }
        }
        raise(&mut known, engine, own + 1);
        (waits, known)
    }

    fn completion(&self, engine: usize, count: u32) -> Clock<ENGINES> {
        let clocks = self.clocks.get(engine);
        clocks.and_then(|clocks| clocks.get(count as usize - 1)).copied().unwrap_or([0; ENGINES])
    }

    fn record(&mut self, touch: &Touch, engine: usize, count: u32) {
        if touch.start >= touch.end {
            return;
        }
        let runs = self.spaces.entry(touch.space).or_default();
        split(runs, touch.start);
        split(runs, touch.end);
        if touch.write {
            let inside: Vec<u64> = runs.range(touch.start..touch.end).map(|(&start, _)| start).collect();
            for start in inside {
                runs.remove(&start);
            }
            let history = History { end: touch.end, write: Some((engine, count)), reads: [0; ENGINES] };
            runs.insert(touch.start, history);
            return;
        }
        let mut gaps = Vec::new();
        let mut at = touch.start;
        for (&start, run) in runs.range_mut(touch.start..touch.end) {
            if at < start {
                gaps.push((at, start));
            }
            raise(&mut run.reads, engine, count);
            at = run.end;
        }
        if at < touch.end {
            gaps.push((at, touch.end));
        }
        for (start, end) in gaps {
            let mut reads = [0; ENGINES];
            raise(&mut reads, engine, count);
            runs.insert(start, History { end, write: None, reads });
        }
    }
}

fn raise<const ENGINES: usize>(clock: &mut Clock<ENGINES>, engine: usize, count: u32) {
    if let Some(entry) = clock.get_mut(engine) {
        *entry = (*entry).max(count);
    }
}

/// Makes `at` a border between runs.
fn split<const ENGINES: usize>(runs: &mut Runs<ENGINES>, at: u64) {
    let Some((_, run)) = runs.range_mut(..at).next_back() else { return };
    if run.end > at {
        let tail = *run;
        run.end = at;
        runs.insert(at, tail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(start: u64, end: u64) -> Touch {
        Touch { space: 0, start, end, write: false }
    }

    fn write(start: u64, end: u64) -> Touch {
        Touch { space: 0, start, end, write: true }
    }

    #[test]
    fn the_three_hazards() {
        let mut tracker = Tracker::<3>::default();
        assert!(tracker.issue(0, &[write(0, 8)]).is_empty());
        assert_eq!(tracker.issue(1, &[read(4, 6), write(8, 16)]), [(0, 1)]); // read after write
        assert_eq!(tracker.issue(0, &[write(0, 5)]), [(1, 1)]); // write after read
        assert_eq!(tracker.issue(2, &[write(12, 20)]), [(1, 1)]); // write after write
        assert!(tracker.issue(2, &[Touch { space: 1, ..write(0, 99) }]).is_empty());
    }

    #[test]
    fn what_follows_is_not_waited_for() {
        let mut tracker = Tracker::<3>::default();
        tracker.issue(0, &[write(0, 8)]);
        tracker.issue(1, &[read(0, 8), write(8, 16)]);
        // Engine 1's first instruction waited for engine 0's: waiting for engine 1 is enough.
        assert_eq!(tracker.issue(2, &[read(0, 16)]), [(1, 1)]);
        // And the engine's own order carries it on.
        assert!(tracker.issue(2, &[read(0, 16)]).is_empty());
    }

    /// Reachability over waits and queues, by definition.
    fn reaches(from: usize, to: usize, edges: &[Vec<usize>]) -> bool {
        from == to || edges[to].iter().any(|&before| before >= from && reaches(from, before, edges))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Every conflicting pair is ordered, and no wait can be left out.
        #[test]
        fn waits_are_enough_and_none_is_spare(
            raw in proptest::collection::vec(
                (0usize..3, proptest::collection::vec((0u64..12, 1u64..5, any::<bool>()), 1..3)), 1..14)
        ) {
            let mut tracker = Tracker::<3>::default();
            let program: Vec<(usize, Vec<Touch>)> = raw.iter().map(|(engine, touches)| {
                (*engine, touches.iter().map(|&(start, length, write)| Touch { space: 0, start, end: start + length, write }).collect())
            }).collect();
            let mut queues = vec![Vec::new(); 3];
            let mut edges: Vec<Vec<usize>> = Vec::new();
            for (index, (engine, touches)) in program.iter().enumerate() {
                let waits = tracker.issue(*engine, touches);
                let mut before: Vec<usize> = waits.iter().map(|&(other, count)| queues[other][count as usize - 1]).collect();
                before.extend(queues[*engine].last().copied());
                queues[*engine].push(index);
                edges.push(before);
            }
            let conflict = |a: usize, b: usize| program[a].1.iter().any(|x| program[b].1.iter().any(|y| {
                (x.write || y.write) && x.start < y.end && y.start < x.end
            }));
            for b in 0..program.len() {
                for a in 0..b {
                    prop_assert!(!conflict(a, b) || reaches(a, b, &edges), "{} and {} are not ordered", a, b);
                }
                for skipped in 0..edges[b].len() {
                    let target = edges[b][skipped];
                    if program[target].0 == program[b].0 {
                        continue;
                    }
                    let mut fewer = edges.clone();
                    fewer[b].remove(skipped);
                    let spare = (0..b).all(|a| !conflict(a, b) || reaches(a, b, &fewer));
                    prop_assert!(!spare, "{} need not wait for {}", b, target);
                }
            }
        }
    }
}
