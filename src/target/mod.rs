//! Reads `targets/*.yaml`, the only source of hardware numbers.
//!
//! A number is a [`Number`]: its value, where it comes from and why. The built-in targets are found by name with
//! [`Target::named`]; tests and `hb-opt` change fields by dotted path with [`Target::with_overrides`].

mod chips;
mod read;

use serde::{Deserialize, Serialize};

pub use chips::{Chips, NamedTarget, named_target};
pub use read::TargetError;

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberSource {
    /// The vendor's documents say so.
    Published,
    /// Derived from latencies that the vendor published; the note says which.
    Fitted,
    /// Not public; a choice of our own.
    Chosen,
}

/// A number of the hardware and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// In the unit of its field.
    pub value: u64,
    /// Where it comes from.
    pub source: NumberSource,
    /// Why it is what it is; never empty.
    pub note: String,
}

/// A machine to compile for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name that `march` gives, such as `nash-e`.
    pub name: String,
    /// What it stands for, in a sentence.
    pub description: String,
    /// Cycles per second of every engine.
    pub clock_hz: Number,
    /// Time that every run costs, whatever it does.
    pub run_overhead_nanoseconds: Number,
    /// Cycles from the end of an instruction until another engine sees it.
    pub wait_cycles: Number,
    /// Where operands of instructions lie.
    pub local_memory: LocalMemory,
    /// Where inputs, outputs and constants lie.
    pub ddr: Ddr,
    /// Convolutions and matrix products.
    pub tae: Tae,
    /// Elementwise integers, tables, curves.
    pub vae: Vae,
    /// Pools.
    pub aae: Aae,
    /// Copies within local memory.
    pub dte: Dte,
    /// Between f32 and integers.
    pub vpu: Vpu,
    /// The CPU beside it.
    pub cpu: Cpu,
}

/// L1M, the memory that the engines work in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalMemory {
    /// Its size.
    pub bytes: Number,
    /// Allocations begin at multiples of this many bytes. A power of two.
    pub alignment: Number,
}

/// The memory that LOAD and STORE reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ddr {
    /// Shared by LOAD and STORE.
    pub bytes_per_second: Number,
    /// Every contiguous run of a strided transfer costs a multiple of this.
    pub burst_bytes: Number,
    /// Cycles from the start of a transfer to its first byte.
    pub setup_cycles: Number,
    /// Rows of tensors at the border of a model are padded to a multiple of this many bytes where a format asks for it.
    pub stride_alignment: Number,
}

/// The matrix engine: an array of `input_channels` x `output_channels` x `pixels` multipliers; what does not fill it is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tae {
    /// Input channels at once.
    pub input_channels: Number,
    /// Output channels at once.
    pub output_channels: Number,
    /// Output cells (rows times columns) at once.
    pub pixels: Number,
    /// Passes of int16 activations with int8 weights.
    pub int16_passes: Number,
    /// Cycles before the first result of an instruction.
    pub setup_cycles: Number,
}

/// The vector engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vae {
    /// Bytes of the widest operand.
    pub bytes_per_cycle: Number,
    /// Cycles before the first result of an instruction.
    pub setup_cycles: Number,
}

/// The pooling engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aae {
    /// Bytes of window cells.
    pub bytes_per_cycle: Number,
    /// Cycles before the first result of an instruction.
    pub setup_cycles: Number,
}

/// The layout engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dte {
    /// Bytes copied.
    pub bytes_per_cycle: Number,
    /// Contiguous runs, on the side that has more of them.
    pub runs_per_cycle: Number,
    /// Cycles before the first result of an instruction.
    pub setup_cycles: Number,
}

/// The float engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vpu {
    /// Elements converted, or computed by one simple operation.
    pub elements_per_cycle: Number,
    /// Passes of a division or a square root in a program.
    pub division_passes: Number,
    /// Passes of a function in a program that is a polynomial: exponential, logarithm, tanh, erf.
    pub function_passes: Number,
    /// Cycles before the first result of an instruction.
    pub setup_cycles: Number,
}

/// The CPU of the board, as the segments see it that run there: one core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cpu {
    /// Cycles per second.
    pub clock_hz: Number,
    /// Simple operations on f32.
    pub operations_per_cycle: Number,
    /// Simple operations that a division or a square root takes the time of.
    pub division_operations: Number,
    /// Simple operations that an exponential or another such function takes the time of.
    pub function_operations: Number,
    /// Read and written.
    pub bytes_per_second: Number,
    /// What each step takes beside its work.
    pub step_nanoseconds: Number,
    /// From the end of a segment on one kind of processor to the start of one on the other, beside what its start takes.
    pub crossing_nanoseconds: Number,
}

impl Target {
    /// Bytes of L1M.
    pub fn l1m_bytes(&self) -> u64 {
        self.local_memory.bytes.value
    }

    /// Alignment of allocations in L1M, in bytes.
    pub fn l1m_alignment(&self) -> u64 {
        self.local_memory.alignment.value
    }

    /// Multiply-accumulates per second at int8 when the array is full.
    pub fn peak_macs_per_second(&self) -> u64 {
        let array = self.tae.input_channels.value * self.tae.output_channels.value * self.tae.pixels.value;
        array.saturating_mul(self.clock_hz.value)
    }

    /// Cycles of the fixed cost of a run, rounded up.
    pub fn run_overhead_cycles(&self) -> u64 {
        let product = u128::from(self.run_overhead_nanoseconds.value) * u128::from(self.clock_hz.value);
        u64::try_from(product.div_ceil(1_000_000_000)).unwrap_or(u64::MAX)
    }

    /// Cycles to move this many bytes to or from DDR, rounded up.
    pub fn ddr_cycles(&self, bytes: u128) -> u64 {
        let product = bytes.saturating_mul(u128::from(self.clock_hz.value));
        u64::try_from(product.div_ceil(u128::from(self.ddr.bytes_per_second.value))).unwrap_or(u64::MAX)
    }

    /// Whole cycles in this many microseconds.
    pub fn cycles_in(&self, microseconds: u64) -> u64 {
        let product = u128::from(microseconds) * u128::from(self.clock_hz.value);
        u64::try_from(product / 1_000_000).unwrap_or(u64::MAX)
    }

    /// Seconds that this many cycles take.
    pub fn seconds(&self, cycles: u64) -> f64 {
        cycles as f64 / self.clock_hz.value as f64
    }
}
