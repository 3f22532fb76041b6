//! How long an instruction takes, by the numbers of the target. `docs/nash-isa.md` lists the formulas.
//!
//! They stand here once, as functions of an instruction's size: the tiler asks them before there are instructions, the simulator of
//! those that it runs.

use crate::numerics::VectorCost;
use crate::target::Target;

use super::isa::{BpuElement, Convolution, DdrView, Operation, RANK, RoiResize, StridedRegion, View, Window};

/// What an instruction costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Cycles that its engine is busy, without the DDR transfer. At least 1.
    pub engine_cycles: u64,
    /// Cycles that it holds the DDR port, which all instructions share that reach DDR. 0 for the others.
    pub ddr_cycles: u64,
    /// Bytes moved from or to DDR.
    pub ddr_bytes: u64,
}

impl Cost {
    /// Cycles from start to end when the DDR port is free.
    pub fn cycles(&self) -> u64 {
        self.engine_cycles.saturating_add(self.ddr_cycles)
    }
}

/// The size of a convolution without groups, or of a matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Products {
    /// That each sum runs over; 1 where each output channel has its own.
    pub input_channels: u128,
    /// Sums of a cell.
    pub output_channels: u128,
    /// Cells: batch times rows times columns.
    pub pixels: u128,
    /// Cells of the kernel.
    pub taps: u128,
    /// Whether activations are wider than int8.
    pub is_wide: bool,
}

/// The contiguous pieces of a tensor, or of a box of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs {
    /// How many there are.
    pub count: u128,
    /// The bytes of each.
    pub bytes: u128,
}

impl Runs {
    /// What is read of a plane of these rows, columns and channels for some rows of a resized region of it. Which part that is shows only with
    /// the region: at the most two rows, in their whole length, for each of them.
    pub fn of_region([rows, columns, channels]: [u128; 3], resized_rows: u128) -> Runs {
        Runs { count: rows.min(resized_rows.saturating_mul(2)), bytes: columns.saturating_mul(channels) }
    }
}

/// Cycles of instructions by their size, set-up included; at least 1.
impl Target {
    /// The matrix engine works on blocks of input channels x output channels x pixels; a part of a block costs as much as a whole one.
    pub fn convolution_cycles(&self, size: &Products) -> u64 {
        let blocks = |size: u128, side: u64| size.div_ceil(u128::from(side));
        let passes = if size.is_wide { self.tae.int16_passes.value } else { 1 };
        let work = [
            blocks(size.input_channels, self.tae.input_channels.value),
            blocks(size.output_channels, self.tae.output_channels.value),
            blocks(size.pixels, self.tae.pixels.value),
            size.taps,
            u128::from(passes),
        ];
        with_setup(work.into_iter().fold(1, u128::saturating_mul), self.tae.setup_cycles.value)
    }

    /// The vector engine, by the bytes of the widest operand.
    pub fn vector_cycles(&self, bytes: u128) -> u64 {
        with_setup(bytes.div_ceil(self.vae.bytes_per_cycle.value.into()), self.vae.setup_cycles.value)
    }

    /// The pooling engine, by the bytes of the cells of all windows.
    pub fn pool_cycles(&self, bytes: u128) -> u64 {
        with_setup(bytes.div_ceil(self.aae.bytes_per_cycle.value.into()), self.aae.setup_cycles.value)
    }

    /// The pooling engine where it resizes a region, without the port: by the bytes of the result, each of four cells.
    pub fn resize_cycles(&self, bytes: u128) -> u64 {
        self.pool_cycles(bytes.saturating_mul(4))
    }

    /// The layout engine, by bytes or contiguous runs, whichever takes longer; runs on the side that has more of them.
    pub fn layout_cycles(&self, bytes: u128, runs: u128) -> u64 {
        let by_runs = runs.div_ceil(self.dte.runs_per_cycle.value.into());
        let by_bytes = bytes.div_ceil(self.dte.bytes_per_cycle.value.into());
        with_setup(by_runs.max(by_bytes), self.dte.setup_cycles.value)
    }

    /// The float engine, by elements.
    pub fn float_cycles(&self, elements: u128) -> u64 {
        with_setup(elements.div_ceil(self.vpu.elements_per_cycle.value.into()), self.vpu.setup_cycles.value)
    }

    /// The float engine where it runs a program: every step is one pass or several over all elements.
    pub fn program_cycles(&self, elements: u128, cost: VectorCost) -> u64 {
        let passes = |count: u32, each: u64| u128::from(count).saturating_mul(each.into());
        let passes = u128::from(cost.simple)
            .saturating_add(passes(cost.divisions, self.vpu.division_passes.value))
            .saturating_add(passes(cost.functions, self.vpu.function_passes.value));
        self.float_cycles(elements.saturating_mul(passes))
    }

    /// The DDR port, without the set-up: every run costs whole bursts.
    pub fn port_cycles(&self, runs: Runs) -> u64 {
        let burst = u128::from(self.ddr.burst_bytes.value);
        self.ddr_cycles(runs.count.saturating_mul(runs.bytes.div_ceil(burst).saturating_mul(burst)))
    }

    /// LOAD or STORE with a free port.
    pub fn transfer_cycles(&self, runs: Runs) -> u64 {
        with_setup(self.port_cycles(runs).into(), self.ddr.setup_cycles.value)
    }
}

fn with_setup(work: u128, setup: u64) -> u64 {
    narrow(work).saturating_add(setup).max(1)
}

impl Operation {
    /// The cost on a target; the data does not matter.
    pub fn cost(&self, target: &Target) -> Cost {
        let bytes = |shape: &[u32], each: u32| product(shape).saturating_mul(each.into());
        let widest = |shape: &[u32], elements: &[u32]| bytes(shape, elements.iter().copied().max().unwrap_or(1));
        let windows = |shape: &[u32], window: &Window, each| product(&window.kernel).saturating_mul(bytes(shape, each));
        let engine_cycles = match self {
            Operation::Load(o) => return transfer(target, &o.source, &o.shape, o.element_bytes),
            Operation::Store(o) => return transfer(target, &o.destination, &o.shape, o.element_bytes),
            Operation::Convolution(o) => target.convolution_cycles(&products(o)),
            Operation::Add(o) => target
                .vector_cycles(widest(&o.shape, &[o.a_element, o.b_element, o.output_element].map(BpuElement::bytes))),
            Operation::Mul(o) => target
                .vector_cycles(widest(&o.shape, &[o.a_element, o.b_element, o.output_element].map(BpuElement::bytes))),
            Operation::PRelu(o) => {
                let elements = [o.input_element, o.slope_element, o.output_element];
                target.vector_cycles(widest(&o.shape, &elements.map(BpuElement::bytes)))
            }
            Operation::Requantize(o) => {
                target.vector_cycles(widest(&o.shape, &[o.input_element, o.output_element].map(BpuElement::bytes)))
            }
            Operation::Lookup(o) => target.vector_cycles(product(&o.shape)),
            Operation::Curve(o) => {
                target.vector_cycles(widest(&o.shape, &[o.input_element, o.output_element].map(BpuElement::bytes)))
            }
            Operation::MaxPool(o) => target.pool_cycles(windows(&o.output_shape, &o.window, o.element.bytes())),
            Operation::AveragePool(o) => {
                target.pool_cycles(windows(&o.output_shape, &o.window, o.input_element.bytes()))
            }
            Operation::RoiResize(o) => return roi_resize(target, o),
            Operation::Copy(o) => {
                let runs = most_runs(&o.shape, o.element_bytes, &[&o.source, &o.destination]);
                target.layout_cycles(bytes(&o.shape, o.element_bytes.into()), runs)
            }
            Operation::Fill(o) => {
                let runs = most_runs(&o.shape, o.element_bytes, &[&o.destination]);
                target.layout_cycles(bytes(&o.shape, o.element_bytes.into()), runs)
            }
            Operation::Quantize(o) => target.float_cycles(product(&o.shape)),
            Operation::Run(o) => target.program_cycles(product(&o.shape), VectorCost::of(&o.program.steps)),
            // One pass normalizes, one quantizes.
            Operation::Normalize(o) => target.float_cycles(product(&o.shape)).saturating_mul(2),
            Operation::Dequantize(o) => target.float_cycles(product(&o.shape)),
            // A function call starts as a run does.
            Operation::Yield(_) => target.run_overhead_cycles().max(1),
        };
        Cost { engine_cycles, ddr_cycles: 0, ddr_bytes: 0 }
    }
}

/// What an instruction works on, as its engine counts it, and what it takes the time of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// What the sizes below are.
    pub of: &'static [&'static str],
    /// The sizes.
    pub before: Vec<u128>,
    /// The sizes in whole blocks of the engine, or bursts of DDR.
    pub after: Vec<u128>,
    /// What the engine works for them, without set-up.
    pub cycles: u64,
}

impl Alignment {
    /// The share of the work that is padding, from 0 to 1.
    pub fn padding(&self) -> f64 {
        let product = |sizes: &[u128]| sizes.iter().fold(1.0, |product, size| product * *size as f64);
        let after = product(&self.after);
        if after > 0.0 { 1.0 - product(&self.before) / after } else { 0.0 }
    }

    /// Cycles that the padding takes.
    pub fn padding_cycles(&self) -> f64 {
        self.cycles as f64 * self.padding()
    }
}

impl Operation {
    /// How the size of its work is rounded up on a target, where whole blocks or bursts cost time: in the matrix engine, in the layout engine
    /// and in transfers. Engines of plain lanes lose less than a cycle, for which there is none.
    pub fn alignment(&self, target: &Target) -> Option<Alignment> {
        let bytes = |shape: &[u32], each: u8| product(shape).saturating_mul(each.into());
        let moved = |before: u128, work: u64, each: u64| Alignment {
            of: &["bytes"],
            before: vec![before],
            after: vec![before.max(u128::from(work) * u128::from(each))],
            cycles: work,
        };
        let cost = self.cost(target);
        let layout = |before: u128| {
            let work = cost.engine_cycles.saturating_sub(target.dte.setup_cycles.value);
            moved(before, work, target.dte.bytes_per_cycle.value)
        };
        Some(match self {
            Operation::Load(_) | Operation::Store(_) => {
                let each = target.ddr.bytes_per_second.value as f64 / target.clock_hz.value as f64;
                let after = (cost.ddr_cycles as f64 * each) as u128;
                let before = u128::from(cost.ddr_bytes);
                Alignment {
                    of: &["bytes"],
                    before: vec![before],
                    after: vec![before.max(after)],
                    cycles: cost.ddr_cycles,
                }
            }
            Operation::Convolution(o) => {
                let size = products(o);
                let blocks = |size: u128, side: u64| size.next_multiple_of(u128::from(side.max(1)));
                Alignment {
                    of: &["input channels", "output channels", "pixels", "kernel cells"],
                    before: vec![size.input_channels, size.output_channels, size.pixels, size.taps],
                    after: vec![
                        blocks(size.input_channels, target.tae.input_channels.value),
                        blocks(size.output_channels, target.tae.output_channels.value),
                        blocks(size.pixels, target.tae.pixels.value),
                        size.taps,
                    ],
                    cycles: cost.engine_cycles.saturating_sub(target.tae.setup_cycles.value),
                }
            }
            Operation::Copy(o) => layout(bytes(&o.shape, o.element_bytes)),
            Operation::Fill(o) => layout(bytes(&o.shape, o.element_bytes)),
            Operation::MaxPool(_)
            | Operation::AveragePool(_)
            | Operation::Add(_)
            | Operation::Mul(_)
            | Operation::PRelu(_)
            | Operation::Requantize(_)
            | Operation::Lookup(_)
            | Operation::Curve(_)
            | Operation::Quantize(_)
            | Operation::Normalize(_)
            | Operation::Run(_)
            | Operation::RoiResize(_)
            | Operation::Dequantize(_)
            | Operation::Yield(_) => return None,
        })
    }
}

fn products(o: &Convolution) -> Products {
    let [batch, rows, columns, channels] = o.output_shape;
    Products {
        input_channels: if o.depthwise { 1 } else { o.input_shape[3].into() },
        output_channels: channels.into(),
        pixels: product(&[batch, rows, columns]),
        taps: product(&o.window.kernel),
        is_wide: o.input_element.bytes() > 1,
    }
}

/// The runs of the view that has most of them.
fn most_runs(shape: &[u32; RANK], element_bytes: u8, views: &[&View]) -> u128 {
    let runs = views.iter().filter_map(|view| run_count(shape, &view.strides.map(i64::from), element_bytes));
    runs.max().unwrap_or(0)
}

/// How many contiguous pieces an engine meets that walks the elements in order of the shape; repeats count.
fn run_count(shape: &[u32; RANK], strides: &[i64; RANK], element_bytes: u8) -> Option<u128> {
    let mut contiguous = i128::from(element_bytes);
    let mut dimensions = shape.iter().zip(strides).rev().filter(|(size, _)| **size != 1).peekable();
    while let Some((size, _)) = dimensions.next_if(|(_, stride)| i128::from(**stride) == contiguous) {
        contiguous = contiguous.checked_mul(i128::from(*size))?;
    }
    Some(dimensions.fold(1, |runs: u128, (size, _)| runs.saturating_mul(u128::from(*size))))
}

/// A DMA transfer: every contiguous run in DDR costs whole bursts.
fn transfer(target: &Target, view: &DdrView, shape: &[u32; RANK], element_bytes: u8) -> Cost {
    let bytes = product(shape).saturating_mul(element_bytes.into());
    let engine_cycles = target.ddr.setup_cycles.value.max(1);
    let Some(region) = StridedRegion::new(0, element_bytes.into(), pairs(view, shape)) else {
        return Cost { engine_cycles, ddr_cycles: 0, ddr_bytes: 0 };
    };
    let run = u128::from(region.bytes.max(1));
    let ddr_cycles = target.port_cycles(Runs { count: bytes.div_ceil(run), bytes: run });
    Cost { engine_cycles, ddr_cycles, ddr_bytes: narrow(bytes) }
}

fn roi_resize(target: &Target, o: &RoiResize) -> Cost {
    let read = Runs::of_region(o.plane_shape.map(u128::from), o.output_shape[0].into());
    Cost {
        engine_cycles: target.resize_cycles(product(&o.output_shape)),
        ddr_cycles: target.port_cycles(read),
        ddr_bytes: narrow(read.count.saturating_mul(read.bytes)),
    }
}

fn pairs(view: &DdrView, shape: &[u32; RANK]) -> impl Iterator<Item = (u64, i64)> {
    let strides = view.strides;
    shape.map(u64::from).into_iter().zip(strides)
}

fn product(sizes: &[u32]) -> u128 {
    sizes.iter().fold(1, |product: u128, size| product.saturating_mul(u128::from(*size)))
}

fn narrow(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
