//! Runs a [`Program`]: results, time and races.
//!
//! Time and order depend on the program and the target, not on data. So [`Machine::new`] validates and schedules once,
//! [`Machine::check_races`] looks at the bytes that instructions touch, and [`Machine::run`] computes, as often as there are
//! samples. All three work on `&self`; runs may go in parallel.

mod convolution;
mod elementwise;
mod error;
mod execute;
mod memory;
mod pool;
mod race;
mod race_bytes;
mod vector;

use std::borrow::Cow;

use crate::nash::isa::{Engine, Operation, Program};
use crate::nash::timing::{Timing, time};
use crate::target::Target;

pub use crate::nash::timing::Span;
pub(super) use elementwise::{full_range, read_curve, slope_multipliers};
pub use error::{Actor, SimError};
pub(super) use execute::{Regions, lose, roi_resize, zeros};
pub(super) use memory::Fault;
pub(super) use vector::{program as vector_program, row_length};

/// A program on a target, ready to run.
pub struct Machine<'a> {
    program: Cow<'a, Program>,
    target: Cow<'a, Target>,
    schedule: Timing,
}

/// What a run costs.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// From the start of the first instruction to the end of the last one.
    pub cycles: u64,
    /// The fixed cost of a run, before the first instruction.
    pub overhead_cycles: u64,
    /// Cycles in which each engine works, by [`Engine::index`]; waiting for the DDR port is not work.
    pub busy_cycles: [u64; Engine::COUNT],
    /// Read from DDR.
    pub ddr_bytes_loaded: u64,
    /// Written to DDR.
    pub ddr_bytes_stored: u64,
    /// Start and end of each instruction, in the order of [`Program::instructions`], counted from the first start.
    pub spans: Vec<Span>,
    /// Per name of [`Program::names`], the cycles in which each engine works for it.
    pub source_cycles: Vec<[u64; Engine::COUNT]>,
    /// Time of a run, overhead included.
    pub seconds: f64,
}

impl<'a> Machine<'a> {
    /// Validates and schedules.
    ///
    /// # Errors
    /// When the program is not valid for the target, or an instruction can never start.
    pub fn new(program: &'a Program, target: &'a Target) -> Result<Machine<'a>, SimError> {
        Machine::of(Cow::Borrowed(program), Cow::Borrowed(target))
    }

    /// As [`Machine::new`], for a program that the machine keeps.
    ///
    /// # Errors
    /// As [`Machine::new`].
    pub fn owning(program: Program, target: Target) -> Result<Machine<'static>, SimError> {
        Machine::of(Cow::Owned(program), Cow::Owned(target))
    }

    fn of<'b>(program: Cow<'b, Program>, target: Cow<'b, Target>) -> Result<Machine<'b>, SimError> {
        program.validate(&target)?;
        let schedule = time(&program, &target).map_err(|blocked| SimError::deadlock(&program, blocked))?;
        Ok(Machine { program, target, schedule })
    }

    /// What it runs.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The hardware whose numbers it goes by.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Positions of the instructions in an order that respects queues and waits.
    pub(super) fn order(&self) -> &[usize] {
        &self.schedule.order
    }

    /// Why the instruction at a position failed.
    pub(super) fn fault(&self, position: usize, reason: Fault) -> SimError {
        let instruction = self.program.instructions.get(position);
        SimError::Execution {
            position,
            mnemonic: instruction.map_or("", |instruction| instruction.operation.mnemonic()),
            source_name: instruction.map_or("", |instruction| self.program.source_name(instruction)).to_string(),
            reason,
        }
    }

    /// Predicted time. Needs no data.
    pub fn report(&self) -> RunReport {
        let (program, target) = (&*self.program, &*self.target);
        let (cycles, overhead_cycles) = (self.schedule.cycles(), target.run_overhead_cycles());
        let mut report = RunReport {
            cycles,
            overhead_cycles,
            busy_cycles: [0; Engine::COUNT],
            ddr_bytes_loaded: 0,
            ddr_bytes_stored: 0,
            spans: self.schedule.spans.clone(),
            source_cycles: vec![[0; Engine::COUNT]; program.names.len()],
            seconds: target.seconds(cycles.saturating_add(overhead_cycles)),
        };
        for instruction in &program.instructions {
            let (cost, engine) = (instruction.operation.cost(target), instruction.engine());
            report.busy_cycles[engine.index()] += cost.cycles();
            if let Some(source) = report.source_cycles.get_mut(instruction.source as usize) {
                source[engine.index()] += cost.cycles();
            }
            match engine {
                Engine::Store => report.ddr_bytes_stored += cost.ddr_bytes,
                _ => report.ddr_bytes_loaded += cost.ddr_bytes,
            }
        }
        report
    }

    /// Looks for bytes that two instructions touch, one of them writing, without an order between the two, and for bytes
    /// that are read and never written.
    ///
    /// # Errors
    /// At the first such bytes; names both instructions.
    pub fn check_races(&self) -> Result<(), SimError> {
        race::check(&self.program, &self.schedule.order)
    }

    /// Executes the program on data, by the scalar definitions: one slice per input region, and the constants. Gives the
    /// output regions.
    ///
    /// L1M and the workspace begin as zeros; a program without races and without reads of unwritten bytes cannot tell.
    ///
    /// # Errors
    /// When a slice has another size than its region, memory for the workspace is not to be had, or a parameter that
    /// lies in the data is out of range.
    pub fn run(&self, inputs: &[&[u8]], constants: &[u8]) -> Result<Vec<Vec<u8>>, SimError> {
        let mut regions = Regions::new(&self.program, inputs, constants)?;
        let mut l1m = zeros("l1m", self.target.l1m_bytes())?;
        for &position in &self.schedule.order {
            let Some(instruction) = self.program.instructions.get(position) else { continue };
            let done = execute::execute(&mut l1m, &mut regions, &instruction.operation);
            done.map_err(|reason| self.fault(position, reason))?;
        }
        Ok(regions.outputs)
    }

    /// Executes one instruction that does not reach DDR.
    pub(super) fn execute_in_l1m(l1m: &mut [u8], operation: &Operation) -> Result<(), Fault> {
        execute::in_l1m(l1m, operation)
    }
}

#[cfg(test)]
pub(super) mod tests;
