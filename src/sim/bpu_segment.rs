//! A program of a `.hbm` or of the nash level, checked, ready for the machine.

use super::executor::ExecutionError;
use super::fast::FastProgram;
use super::machine::{Machine, SimError};
use super::perf::{Activity, BpuTimeline, groups, residents};
use super::runner::buffers;
use crate::hbm::{Hbm, SegmentBody, SegmentDescription};
use crate::nash::calls::{call_spans, uncut};
use crate::nash::encode::decode;
use crate::nash::isa::{Engine, Program};
use crate::target::Target;

/// The program of a segment with the constants that it loads.
pub struct BpuRunner {
    body: Body,
    /// Time on the target.
    microseconds: f64,
}

enum Body {
    Fast(Box<FastProgram>),
    /// By the scalar definitions.
    Checked {
        machine: Box<Machine<'static>>,
        constants: Vec<u8>,
    },
}

fn failed(error: impl ToString) -> ExecutionError {
    ExecutionError(error.to_string())
}

/// Decodes a segment's program and checks it against the target and against the buffers that the segment binds. The program,
/// ready to run, and its constants.
fn machine(
    hbm: &Hbm,
    segment: &SegmentDescription,
    target: &Target,
) -> Result<(Machine<'static>, Vec<u8>), ExecutionError> {
    let SegmentBody::Bpu(body) = &segment.body else {
        return Err(failed("it is not a bpu segment"));
    };
    let program = decode(hbm.section(body.program_section)).map_err(failed)?;
    for (what, indices, regions) in
        [("input", &segment.inputs, &program.inputs), ("output", &segment.outputs, &program.outputs)]
    {
        let bound: Vec<u64> = buffers(hbm.manifest(), indices).iter().map(|buffer| buffer.bytes as u64).collect();
        if bound != *regions {
            let detail = format!("its {what} buffers have {bound:?} bytes, its program takes {regions:?}");
            return Err(failed(detail));
        }
    }
    if program.workspace != body.workspace_bytes as u64 {
        let (file, program) = (body.workspace_bytes, program.workspace);
        return Err(failed(format!("its workspace has {file} bytes, its program takes {program}")));
    }
    let constants = body.constants_section.map(|section| hbm.section(section).to_vec()).unwrap_or_default();
    if program.constants != constants.len() as u64 {
        let (file, program) = (constants.len(), program.constants);
        return Err(failed(format!("its constants have {file} bytes, its program takes {program}")));
    }
    let machine = Machine::owning(program, target.clone()).map_err(failed)?;
    Ok((machine, constants))
}

impl BpuRunner {
    /// Makes a segment ready to run. With `check_races` it also looks for races, which depend on the program alone, so once is
    /// enough; runs then follow the scalar definitions instead of the fast kernels.
    pub fn new(
        hbm: &Hbm,
        segment: &SegmentDescription,
        target: &Target,
        check_races: bool,
    ) -> Result<Self, ExecutionError> {
        let (machine, constants) = machine(hbm, segment, target)?;
        Self::of(machine, constants, check_races)
    }

    /// As [`BpuRunner::new`], for a program and its constants.
    pub fn from_program(
        program: Program,
        constants: Vec<u8>,
        target: &Target,
        check_races: bool,
    ) -> Result<Self, ExecutionError> {
        Self::of(Machine::owning(program, target.clone()).map_err(failed)?, constants, check_races)
    }

    fn of(machine: Machine<'static>, constants: Vec<u8>, check_races: bool) -> Result<Self, ExecutionError> {
        let microseconds = machine.report().seconds * 1e6;
        let body = if check_races {
            machine.check_races().map_err(failed)?;
            Body::Checked { machine: Box::new(machine), constants }
        } else {
            Body::Fast(Box::new(FastProgram::new(machine, constants).map_err(failed)?))
        };
        Ok(Self { body, microseconds })
    }

    /// The time of a run on the target.
    pub fn microseconds(&self) -> f64 {
        self.microseconds
    }

    /// Runs the program once: the bytes of its outputs, and the microseconds that the target would take.
    pub fn run(&self, inputs: &[&[u8]]) -> Result<(Vec<Vec<u8>>, f64), ExecutionError> {
        let outputs: Result<_, SimError> = match &self.body {
            Body::Fast(executable) => executable.run(inputs),
            Body::Checked { machine, constants } => machine.run(inputs, constants),
        };
        Ok((outputs.map_err(failed)?, self.microseconds))
    }
}

/// Cycles of a program, and the bytes that it moves.
fn without_cuts(program: &Program, target: &Target) -> Result<(u64, u64), ExecutionError> {
    let report = Machine::new(program, target).map_err(failed)?.report();
    Ok((report.cycles, report.ddr_bytes_loaded.saturating_add(report.ddr_bytes_stored)))
}

/// When each instruction of a segment works.
pub fn timeline(hbm: &Hbm, segment: &SegmentDescription, target: &Target) -> Result<BpuTimeline, ExecutionError> {
    let (machine, _) = machine(hbm, segment, target)?;
    let (program, report) = (machine.program(), machine.report());
    let activities = program.instructions.iter().zip(&report.spans).map(|(instruction, span)| {
        let engine = instruction.engine();
        let bytes = instruction.operation.cost(target).ddr_bytes;
        Activity {
            engine,
            source: instruction.source as usize,
            start: span.start,
            end: span.end,
            loaded: if engine == Engine::Store { 0 } else { bytes },
            stored: if engine == Engine::Store { bytes } else { 0 },
        }
    });
    let activities: Vec<Activity> = activities.collect();
    let engines = program.instructions.iter().map(|instruction| instruction.engine() == Engine::Spu);
    Ok(BpuTimeline {
        names: program.names.clone(),
        groups: groups(&activities),
        activities,
        residents: residents(&program.instructions, &report.spans),
        cycles: report.cycles,
        calls: call_spans(engines.zip(report.spans.iter().copied())),
        uncut: uncut(program).map(|uncut| without_cuts(&uncut, target)).transpose()?,
    })
}
