//! Runs programs fast: what `hb_sim infer` does unless it looks for races.
//!
//! Results are those of [`Machine::run`], the definition, to the byte. Everything that does not depend on data happens once per
//! program: validation, the order of execution, finding the weights and parameters that come from the constants, putting together again the
//! convolutions that were cut into parts, and putting weights in the order in which the kernels read them. Runs share all this and may go in
//! parallel; a run uses threads that are idle for parts of its convolutions.

mod convolution;
mod copy;
mod curve;
mod dense;
mod depthwise;
mod elementwise;
pub mod kernel;
mod known;
mod lines;
mod merge;
mod pack;
mod panel;
mod pool;
mod vector;
mod walk;

use std::sync::{Arc, Mutex, PoisonError};

use crate::nash::isa::{Convolution, Load, Operation, Store};
use crate::team::{Team, TeamRun};

use super::machine::{Fault, Machine, Regions, SimError, lose, roi_resize, zeros};
use convolution::{Prepared, Scratch};
use kernel::Level;
use known::{KnownProgram, Step};
use walk::WalkLayout;

/// A program with its constants, ready to run.
pub struct FastProgram {
    machine: Machine<'static>,
    constants: Vec<u8>,
    level: Level,
    known: KnownProgram,
    /// Memories that no run uses now.
    memories: Mutex<Vec<Memory>>,
}

/// What a run needs besides its inputs and outputs.
struct Memory {
    l1m: Vec<u8>,
    scratch: Scratch,
    team: Arc<Team>,
}

impl FastProgram {
    /// Prepares a program for the fastest kernels of this processor.
    ///
    /// # Errors
    /// When the constants have another size than the program's, or a parameter in them is out of range.
    pub fn new(machine: Machine<'static>, constants: Vec<u8>) -> Result<FastProgram, SimError> {
        FastProgram::for_level(machine, constants, Level::best())
    }

    /// As [`FastProgram::new`], for kernels of one level.
    ///
    /// # Errors
    /// As [`FastProgram::new`].
    pub fn for_level(machine: Machine<'static>, constants: Vec<u8>, level: Level) -> Result<FastProgram, SimError> {
        let known = known::prepare(&machine, &constants, level)?;
        Ok(FastProgram { machine, constants, level, known, memories: Mutex::default() })
    }

    /// How many convolutions with known weights there are, those that were put together counted once.
    #[cfg(test)]
    pub fn convolutions(&self) -> usize {
        self.known.steps.iter().filter(|step| step.convolution.is_some()).count()
    }

    /// The program on its target.
    pub fn machine(&self) -> &Machine<'static> {
        &self.machine
    }

    /// Executes the program on data, one slice per input region. Gives the output regions.
    ///
    /// # Errors
    /// As [`Machine::run`].
    pub fn run(&self, inputs: &[&[u8]]) -> Result<Vec<Vec<u8>>, SimError> {
        let program = self.machine.program();
        let mut regions = Regions::new(program, inputs, &self.constants)?;
        let old = self.memories.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = match old {
            Some(old) => old,
            None => self.new_memory()?,
        };
        for range in &self.known.unwritten {
            memory.l1m.get_mut(range.clone()).unwrap_or_default().fill(0);
        }
        let team = memory.team.clone();
        self.execute_all(&mut team.open(), &mut memory, &mut regions)?;
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        Ok(regions.outputs)
    }

    fn new_memory(&self) -> Result<Memory, SimError> {
        let l1m = zeros("l1m", self.machine.target().l1m_bytes())?;
        Ok(Memory { l1m, scratch: Scratch::default(), team: Team::new(rayon::current_num_threads().saturating_sub(1)) })
    }

    fn execute_all(
        &self,
        run: &mut TeamRun<'_>,
        memory: &mut Memory,
        regions: &mut Regions<'_>,
    ) -> Result<(), SimError> {
        let program = self.machine.program();
        for Step { position, convolution, prepared } in &self.known.steps {
            let done = match (convolution, program.instructions.get(*position)) {
                (Some(o), _) => self.convolution(run, memory, o, prepared),
                (None, Some(instruction)) => self.execute(run, memory, regions, &instruction.operation),
                (None, None) => continue,
            };
            done.map_err(|reason| self.machine.fault(*position, reason))?;
        }
        Ok(())
    }

    fn convolution(
        &self,
        run: &mut TeamRun<'_>,
        memory: &mut Memory,
        o: &Convolution,
        prepared: &Prepared,
    ) -> Result<(), Fault> {
        convolution::convolution(run, &mut memory.l1m, self.level, &mut memory.scratch, o, prepared)
    }

    fn execute(
        &self,
        run: &mut TeamRun<'_>,
        memory: &mut Memory,
        regions: &mut Regions<'_>,
        operation: &Operation,
    ) -> Result<(), Fault> {
        let (level, l1m) = (self.level, memory.l1m.as_mut_slice());
        match operation {
            Operation::Load(o) => load(l1m, regions, o),
            Operation::Store(o) => store(l1m, regions, o),
            Operation::Convolution(o) if convolution::is_supported(o) => {
                self.convolution(run, memory, o, &Prepared::default())
            }
            Operation::Convolution(_) => Machine::execute_in_l1m(l1m, operation),
            Operation::Add(o) => elementwise::add((run, level), l1m, o),
            Operation::Mul(o) => elementwise::mul((run, level), l1m, o),
            Operation::PRelu(o) => elementwise::p_relu((run, level), l1m, o),
            Operation::Requantize(o) => elementwise::requantize((run, level), l1m, o),
            Operation::Lookup(o) => elementwise::lookup((run, level), l1m, o),
            Operation::Curve(o) => curve::curve((run, level), l1m, o),
            Operation::MaxPool(o) => pool::max_pool(l1m, level, o),
            Operation::AveragePool(o) => pool::average_pool(l1m, level, o),
            Operation::RoiResize(o) => roi_resize(l1m, regions, o),
            Operation::Copy(o) => copy::within(l1m, o),
            Operation::Fill(o) => copy::fill(l1m, o),
            Operation::Quantize(o) => elementwise::quantize((run, level), l1m, o),
            Operation::Normalize(o) => elementwise::normalize((run, level), l1m, o),
            Operation::Run(o) => vector::run(l1m, level, o),
            Operation::Dequantize(o) => elementwise::dequantize((run, level), l1m, o),
            Operation::Yield(o) => lose(l1m, o),
        }
    }
}

fn load(l1m: &mut [u8], regions: &Regions<'_>, o: &Load) -> Result<(), Fault> {
    let source = regions.readable(o.source.region)?;
    let (from, to) = (WalkLayout::try_from(&o.source)?, WalkLayout::from(&o.destination));
    copy::between(&o.shape, o.element_bytes, (source, from), (l1m, to))
}

fn store(l1m: &[u8], regions: &mut Regions<'_>, o: &Store) -> Result<(), Fault> {
    let (from, to) = (WalkLayout::from(&o.source), WalkLayout::try_from(&o.destination)?);
    let destination = regions.writable(o.destination.region)?;
    copy::between(&o.shape, o.element_bytes, (l1m, from), (destination, to))
}

#[cfg(test)]
mod tests;
