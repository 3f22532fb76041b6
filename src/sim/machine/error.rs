//! What can go wrong when a program runs.

use std::fmt;

use thiserror::Error;

use crate::nash::isa::{Engine, Program, ValidateError, Wait};
use crate::nash::timing::Deadlock;

/// An instruction as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Position in [`Program::instructions`].
    pub position: usize,
    /// As `docs/nash-isa.md` calls it.
    pub mnemonic: &'static str,
    /// Where it runs.
    pub engine: Engine,
    /// 1 for the engine's first instruction: the number that waits count.
    pub count: u32,
    /// The node it belongs to.
    pub source: String,
}

impl Actor {
    pub(super) fn new(program: &Program, position: usize, count: u32) -> Option<Actor> {
        let instruction = program.instructions.get(position)?;
        Some(Actor {
            position,
            mnemonic: instruction.operation.mnemonic(),
            engine: instruction.engine(),
            count,
            source: program.source_name(instruction).to_string(),
        })
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Actor { position, mnemonic, engine, count, source } = self;
        write!(formatter, "instruction {position} ({mnemonic}, {engine}#{count}, of {source})")
    }
}

/// Why a program does not run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum SimError {
    #[error(transparent)]
    Invalid(#[from] ValidateError),
    #[error("deadlock: {actor} waits for {} instructions of {}, of which only {completed} can ever complete", wait.count, wait.engine)]
    Deadlock { actor: Box<Actor>, wait: Wait, completed: u32 },
    #[error(
        "race on bytes {start:#x} to {end:#x} of {space}: {first} {first_verb} them and {second} {second_verb} them, and no wait orders the two"
    )]
    Race {
        space: String,
        start: u64,
        end: u64,
        first: Box<Actor>,
        first_verb: &'static str,
        second: Box<Actor>,
        second_verb: &'static str,
    },
    #[error("{actor} reads bytes {start:#x} to {end:#x} of {space}, which nothing wrote")]
    Unwritten { space: String, start: u64, end: u64, actor: Box<Actor> },
    #[error("{region} has {expected} bytes, {found} were given")]
    RegionSize { region: String, expected: u64, found: u64 },
    #[error("the program has {expected} inputs, {found} were given")]
    InputCount { expected: usize, found: usize },
    #[error("no memory for the {bytes} bytes of {region}")]
    NoMemory { region: String, bytes: u64 },
    #[error("instruction {position} ({mnemonic}, of {source_name}): {reason}")]
    Execution { position: usize, mnemonic: &'static str, source_name: String, reason: String },
}

impl SimError {
    /// Names the blocked instruction.
    pub(super) fn deadlock(program: &Program, blocked: Deadlock) -> SimError {
        let Deadlock { position, count, wait, completed } = blocked;
        match Actor::new(program, position, count) {
            Some(actor) => SimError::Deadlock { actor: Box::new(actor), wait, completed },
            None => SimError::Execution {
                position,
                mnemonic: "",
                source_name: String::new(),
                reason: "it can never start".to_owned(),
            },
        }
    }
}
