//! The time of cpu segments on the board, by the target's numbers of its CPU.

use super::executor::ExecutionError;
use super::network::work_of_segment;
use super::perf::CpuStep;
use crate::cpu::Work;
use crate::hbm::{CpuSegment, Hbm, SegmentDescription};
use crate::target::Target;

/// The steps of a cpu segment in order, each after the one before.
///
/// # Errors
/// When the segment's IR cannot be read or holds what the CPU backend cannot run.
pub(super) fn cpu_steps(
    hbm: &Hbm,
    segment: &SegmentDescription,
    body: &CpuSegment,
    target: &Target,
) -> Result<Vec<CpuStep>, ExecutionError> {
    let steps = work_of_segment(hbm.section(body.ir_section), &segment.name, &body.entry)?;
    let step = |(node, work): (String, Work)| CpuStep { microseconds: step_microseconds(&work, target), node };
    Ok(steps.into_iter().map(step).collect())
}

/// A step takes the longer of computing and moving, and a call.
pub(super) fn step_microseconds(work: &Work, target: &Target) -> f64 {
    let cpu = &target.cpu;
    let operations = work.operations as f64
        + work.divisions as f64 * cpu.division_operations.value as f64
        + work.functions as f64 * cpu.function_operations.value as f64;
    let computing = operations / cpu.operations_per_cycle.value as f64 / cpu.clock_hz.value as f64;
    let moving = work.bytes as f64 / cpu.bytes_per_second.value as f64;
    1e6 * computing.max(moving) + 1e-3 * cpu.step_nanoseconds.value as f64
}

/// What it takes until one kind of processor has what the other kind made: `bytes` of it.
pub(super) fn crossing_microseconds(bytes: u64, target: &Target) -> f64 {
    let cpu = &target.cpu;
    1e-3 * cpu.crossing_nanoseconds.value as f64 + 1e6 * bytes as f64 / cpu.bytes_per_second.value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_by_hand() {
        let overrides = [
            ("cpu.clock_hz", "1000000000"),
            ("cpu.operations_per_cycle", "2"),
            ("cpu.division_operations", "3"),
            ("cpu.function_operations", "5"),
            ("cpu.bytes_per_second", "1000000000"),
            ("cpu.step_nanoseconds", "250"),
            ("cpu.crossing_nanoseconds", "7000"),
        ];
        let target = Target::named_with_overrides("nash-e", &overrides).unwrap();
        let work = Work { operations: 1000, divisions: 1000, functions: 1000, bytes: 2000 };
        // 9000 operations at two per nanosecond; 2000 bytes at one per nanosecond.
        assert!((step_microseconds(&work, &target) - 4.75).abs() < 1e-9);
        assert!((step_microseconds(&Work { bytes: 9000, ..work }, &target) - 9.25).abs() < 1e-9);
        assert!((crossing_microseconds(3000, &target) - 10.0).abs() < 1e-9);
    }
}
