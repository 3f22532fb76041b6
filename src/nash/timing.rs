//! When each instruction starts and ends.
//!
//! An instruction starts when its engine is free and its waits hold; another engine sees the end of an instruction some cycles later. What reaches DDR then needs its engine's set-up and the DDR
//! port, which all share: it serves one instruction at a time, in the order in which they start.

use super::isa::{Instruction, Program, Wait};
use crate::target::Target;

/// From the cycle in which an instruction starts to the first in which its successor may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// In cycles.
    pub start: u64,
    /// In cycles.
    pub end: u64,
}

/// All that does not depend on data.
pub struct Timing {
    /// By position in the program.
    pub spans: Vec<Span>,
    /// Positions in an order that respects queues and waits: by start.
    pub order: Vec<usize>,
}

impl Timing {
    /// From the first start to the last end.
    pub fn cycles(&self) -> u64 {
        self.spans.iter().map(|span| span.end).max().unwrap_or(0)
    }
}

/// An instruction that can never start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// Position in the program.
    pub position: usize,
    /// Its number in its engine's queue, from 1.
    pub count: u32,
    /// What never holds.
    pub wait: Wait,
    /// How many instructions of that engine can complete.
    pub completed: u32,
}

/// One engine on its way through its queue.
#[derive(Default)]
struct Queue {
    positions: Vec<usize>,
    /// End of each instruction that was scheduled; rises.
    ends: Vec<u64>,
}

impl Queue {
    fn head(&self) -> Option<usize> {
        self.positions.get(self.ends.len()).copied()
    }

    fn free_at(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// When `count` instructions are complete, if that is known yet.
    fn completes(&self, count: u32) -> Option<u64> {
        match count.checked_sub(1) {
            None => Some(0),
            Some(index) => self.ends.get(index as usize).copied(),
        }
    }
}

/// Always takes the instruction that can start first. What is not yet known to be able to start depends on one that is, and
/// therefore starts later: so starts come in rising order.
///
/// # Errors
/// The blocked instruction that comes first in the program.
pub fn time(program: &Program, target: &Target) -> Result<Timing, Deadlock> {
    let mut queues: Vec<Queue> =
        program.queues().into_iter().map(|positions| Queue { positions, ends: Vec::new() }).collect();
    let total = program.instructions.len();
    let mut timing = Timing { spans: vec![Span::default(); total], order: Vec::with_capacity(total) };
    let mut port_free_at = 0;
    while timing.order.len() < total {
        let Some((start, engine, position)) = next(program, &queues, target.wait_cycles.value) else {
            match deadlock(program, &queues) {
                Some(deadlock) => return Err(deadlock),
                None => break,
            }
        };
        let (Some(queue), Some(instruction)) = (queues.get_mut(engine), program.instructions.get(position)) else {
            break;
        };
        let cost = instruction.operation.cost(target);
        let ready = start.saturating_add(cost.engine_cycles);
        let end = if cost.ddr_bytes > 0 {
            port_free_at = ready.max(port_free_at).saturating_add(cost.ddr_cycles);
            port_free_at
        } else {
            ready
        };
        queue.ends.push(end);
        if let Some(span) = timing.spans.get_mut(position) {
            *span = Span { start, end };
        }
        timing.order.push(position);
    }
    Ok(timing)
}

/// The head of a queue that starts first: start, engine, position.
fn next(program: &Program, queues: &[Queue], delay: u64) -> Option<(u64, usize, usize)> {
    let candidates = queues.iter().enumerate().filter_map(|(engine, queue)| {
        let position = queue.head()?;
        let start = start(program.instructions.get(position)?, queue, queues, delay)?;
        Some((start, engine, position))
    });
    candidates.min()
}

/// When the head of a queue can start, if that is known yet.
fn start(instruction: &Instruction, queue: &Queue, queues: &[Queue], delay: u64) -> Option<u64> {
    let own = instruction.engine();
    instruction.waits.iter().try_fold(queue.free_at(), |start, wait| {
        let complete = queues.get(wait.engine.index())?.completes(wait.count)?;
        let delay = if wait.engine == own || wait.count == 0 { 0 } else { delay };
        Some(start.max(complete.saturating_add(delay)))
    })
}

/// The blocked instruction that comes first in the program. Every head that cannot start has an unmet wait.
fn deadlock(program: &Program, queues: &[Queue]) -> Option<Deadlock> {
    let blocked = queues.iter().filter_map(|queue| {
        let position = queue.head()?;
        let of = |wait: &Wait| queues.get(wait.engine.index());
        let unmet = |wait: &&Wait| of(wait).is_none_or(|queue| queue.completes(wait.count).is_none());
        let wait = *program.instructions.get(position)?.waits.iter().find(unmet)?;
        let completed = of(&wait).map_or(0, |queue| queue.ends.len() as u32);
        Some(Deadlock { position, count: queue.ends.len() as u32 + 1, wait, completed })
    });
    blocked.min_by_key(|blocked| blocked.position)
}
