//! When each instruction starts and ends.
//!
//! An instruction starts when its engine is free and its waits hold. What reaches DDR then needs its engine's set-up and the DDR
//! port, which all share: it serves one instruction at a time, in the order in which they start.

use crate::nash::isa::{Instruction, Program};
use crate::target::Target;

use super::error::{Actor, SimError};

/// From the cycle in which an instruction starts to the first in which its successor may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// In cycles.
    pub start: u64,
    /// In cycles.
    pub end: u64,
}

/// The result: all that does not depend on data.
pub(super) struct Schedule {
    /// By position in the program.
    pub spans: Vec<Span>,
    /// Positions in an order that respects queues and waits: by start.
    pub order: Vec<usize>,
}

impl Schedule {
    pub fn cycles(&self) -> u64 {
        self.spans.iter().map(|span| span.end).max().unwrap_or(0)
    }
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
pub(super) fn schedule(program: &Program, target: &Target) -> Result<Schedule, SimError> {
    let mut queues: Vec<Queue> =
        program.queues().into_iter().map(|positions| Queue { positions, ends: Vec::new() }).collect();
    let total = program.instructions.len();
    let mut schedule = Schedule { spans: vec![Span::default(); total], order: Vec::with_capacity(total) };
    let mut port_free_at = 0;
    while schedule.order.len() < total {
        let Some((start, engine, position)) = next(program, &queues) else {
            return Err(deadlock(program, &queues));
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
        if let Some(span) = schedule.spans.get_mut(position) {
            *span = Span { start, end };
        }
        schedule.order.push(position);
    }
    Ok(schedule)
}

/// The head of a queue that starts first: start, engine, position.
fn next(program: &Program, queues: &[Queue]) -> Option<(u64, usize, usize)> {
    let candidates = queues.iter().enumerate().filter_map(|(engine, queue)| {
        let position = queue.head()?;
        let start = start(program.instructions.get(position)?, queue, queues)?;
        Some((start, engine, position))
    });
    candidates.min()
}

/// When the head of a queue can start, if that is known yet.
fn start(instruction: &Instruction, queue: &Queue, queues: &[Queue]) -> Option<u64> {
    instruction.waits.iter().try_fold(queue.free_at(), |start, wait| {
        Some(start.max(queues.get(wait.engine.index())?.completes(wait.count)?))
    })
}

/// Names the blocked instruction that comes first in the program.
fn deadlock(program: &Program, queues: &[Queue]) -> SimError {
    let blocked = queues.iter().filter_map(|queue| {
        let position = queue.head()?;
        let instruction = program.instructions.get(position)?;
        let unmet = |wait: &&crate::nash::isa::Wait| {
            queues.get(wait.engine.index()).is_none_or(|queue| queue.completes(wait.count).is_none())
        };
        let wait = *instruction.waits.iter().find(unmet)?;
        let completed = queues.get(wait.engine.index()).map_or(0, |queue| queue.ends.len() as u32);
        let actor = Box::new(Actor::new(program, position, queue.ends.len() as u32 + 1)?);
        Some((position, SimError::Deadlock { actor, wait, completed }))
    });
    match blocked.min_by_key(|blocked| blocked.0) {
        Some((_, error)) => error,
        // Every head that cannot start has an unmet wait.
        None => SimError::Execution {
            position: 0,
            mnemonic: "",
            source_name: String::new(),
            reason: "no instruction can start".to_string(),
        },
    }
}
