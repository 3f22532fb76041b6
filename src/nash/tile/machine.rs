//! The numbers of a target that tiling looks at.

use crate::target::{Number, Target};

/// See `targets/*.yaml` for where they come from. Cycles are of the one clock of all engines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Bytes of L1M.
    pub l1m_bytes: u64,
    /// Alignment of buffers in L1M; a power of two.
    pub alignment: u64,
    /// LOAD and STORE together.
    pub ddr_bytes_per_cycle: f64,
    /// A run of contiguous bytes costs a multiple of this.
    pub burst_bytes: f64,
    /// Cycles before the first byte of a transfer.
    pub ddr_setup: f64,
    /// The matrix engine's array.
    pub tae_input_channels: usize,
    /// Output channels at once.
    pub tae_output_channels: usize,
    /// Output cells at once.
    pub tae_pixels: usize,
    /// Passes of int16 activations.
    pub tae_int16_passes: f64,
    /// Cycles before the first result.
    pub tae_setup: f64,
    /// Of the widest operand.
    pub vae_bytes_per_cycle: f64,
    /// Cycles before the first result.
    pub vae_setup: f64,
    /// Of window cells.
    pub aae_bytes_per_cycle: f64,
    /// Cycles before the first result.
    pub aae_setup: f64,
    /// Copied.
    pub dte_bytes_per_cycle: f64,
    /// Contiguous runs, on the side that has more of them.
    pub dte_runs_per_cycle: f64,
    /// Cycles before the first result.
    pub dte_setup: f64,
    /// Converted.
    pub vpu_elements_per_cycle: f64,
    /// Cycles before the first result.
    pub vpu_setup: f64,
}

impl From<&Target> for Machine {
    fn from(target: &Target) -> Self {
        let real = |number: &Number| number.value as f64;
        // A size of 0 would divide; no target has one.
        let lanes = |number: &Number| usize::try_from(number.value).unwrap_or(usize::MAX).max(1);
        Self {
            l1m_bytes: target.l1m_bytes(),
            alignment: target.l1m_alignment(),
            ddr_bytes_per_cycle: real(&target.ddr.bytes_per_second) / real(&target.clock_hz),
            burst_bytes: real(&target.ddr.burst_bytes),
            ddr_setup: real(&target.ddr.setup_cycles),
            tae_input_channels: lanes(&target.tae.input_channels),
            tae_output_channels: lanes(&target.tae.output_channels),
            tae_pixels: lanes(&target.tae.pixels),
            tae_int16_passes: real(&target.tae.int16_passes),
            tae_setup: real(&target.tae.setup_cycles),
            vae_bytes_per_cycle: real(&target.vae.bytes_per_cycle),
            vae_setup: real(&target.vae.setup_cycles),
            aae_bytes_per_cycle: real(&target.aae.bytes_per_cycle),
            aae_setup: real(&target.aae.setup_cycles),
            dte_bytes_per_cycle: real(&target.dte.bytes_per_cycle),
            dte_runs_per_cycle: real(&target.dte.runs_per_cycle),
            dte_setup: real(&target.dte.setup_cycles),
            vpu_elements_per_cycle: real(&target.vpu.elements_per_cycle),
            vpu_setup: real(&target.vpu.setup_cycles),
        }
    }
}
