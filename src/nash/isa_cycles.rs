//! How long an instruction takes, by the numbers of the target. `docs/nash-isa.md` lists the formulas.

use crate::target::Target;

use super::isa::{Convolution, DdrView, Engine, Operation, RANK, StridedRegion, View, Window};

/// What an instruction costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Cycles that its engine is busy, without the DDR transfer. At least 1.
    pub engine_cycles: u64,
    /// Cycles that it holds the DDR port, which LOAD and STORE share. 0 for the other engines.
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

impl Operation {
    /// The cost on a target; the data does not matter.
    pub fn cost(&self, target: &Target) -> Cost {
        match self {
            Operation::Load(o) => transfer(target, &o.source, &o.shape, o.element_bytes),
            Operation::Store(o) => transfer(target, &o.destination, &o.shape, o.element_bytes),
            _ => Cost { engine_cycles: self.engine_cycles(target).max(1), ddr_cycles: 0, ddr_bytes: 0 },
        }
    }

    fn engine_cycles(&self, target: &Target) -> u64 {
        let setup = match self.engine() {
            Engine::Load | Engine::Store => target.ddr.setup_cycles.value,
            Engine::Tae => target.tae.setup_cycles.value,
            Engine::Vae => target.vae.setup_cycles.value,
            Engine::Aae => target.aae.setup_cycles.value,
            Engine::Dte => target.dte.setup_cycles.value,
            Engine::Vpu => target.vpu.setup_cycles.value,
        };
        narrow(self.work(target)).saturating_add(setup)
    }

    /// Cycles without the set-up.
    fn work(&self, target: &Target) -> u128 {
        let vae = |shape: &[u32], widest: u32| {
            (product(shape) * u128::from(widest)).div_ceil(target.vae.bytes_per_cycle.value.into())
        };
        let aae = |shape: &[u32], window: &Window, bytes: u32| {
            let cells = product(shape).saturating_mul(product(&window.kernel)).saturating_mul(bytes.into());
            cells.div_ceil(target.aae.bytes_per_cycle.value.into())
        };
        let vpu = |shape: &[u32]| product(shape).div_ceil(target.vpu.elements_per_cycle.value.into());
        match self {
            Operation::Load(_) | Operation::Store(_) => 0,
            Operation::Convolution(o) => convolution(target, o),
            Operation::Add(o) => {
                vae(&o.shape, widest(&[o.a_element.bytes(), o.b_element.bytes(), o.output_element.bytes()]))
            }
            Operation::Mul(o) => {
                vae(&o.shape, widest(&[o.a_element.bytes(), o.b_element.bytes(), o.output_element.bytes()]))
            }
            Operation::Requantize(o) => vae(&o.shape, widest(&[o.input_element.bytes(), o.output_element.bytes()])),
            Operation::Lookup(o) => vae(&o.shape, 1),
            Operation::Curve(o) => vae(&o.shape, widest(&[o.input_element.bytes(), o.output_element.bytes()])),
            Operation::MaxPool(o) => aae(&o.output_shape, &o.window, o.element.bytes()),
            Operation::AveragePool(o) => aae(&o.output_shape, &o.window, o.input_element.bytes()),
            Operation::Copy(o) => layout(target, &o.shape, o.element_bytes, &[&o.source, &o.destination]),
            Operation::Fill(o) => layout(target, &o.shape, o.element_bytes, &[&o.destination]),
            Operation::Quantize(o) => vpu(&o.shape),
            Operation::Dequantize(o) => vpu(&o.shape),
        }
    }
}

/// The array works on blocks of input channels x output channels x pixels; a part of a block costs as much as a whole one.
fn convolution(target: &Target, o: &Convolution) -> u128 {
    let blocks = |size: u128, side: u64| size.div_ceil(u128::from(side));
    let [batch, rows, columns, channels] = o.output_shape;
    let input_channels = if o.depthwise { 1 } else { o.input_shape[3] };
    let passes = if o.input_element.bytes() > 1 { target.tae.int16_passes.value } else { 1 };
    [
        blocks(input_channels.into(), target.tae.input_channels.value),
        blocks(channels.into(), target.tae.output_channels.value),
        blocks(product(&[batch, rows, columns]), target.tae.pixels.value),
        product(&o.window.kernel),
        u128::from(passes),
    ]
    .into_iter()
    .fold(1, u128::saturating_mul)
}

/// Bytes or contiguous runs, whichever takes longer.
fn layout(target: &Target, shape: &[u32; RANK], element_bytes: u8, views: &[&View]) -> u128 {
    let runs = views.iter().filter_map(|view| run_count(shape, &view.strides.map(i64::from), element_bytes)).max();
    let bytes = product(shape).saturating_mul(element_bytes.into());
    let by_runs = runs.unwrap_or(0).div_ceil(target.dte.runs_per_cycle.value.into());
    by_runs.max(bytes.div_ceil(target.dte.bytes_per_cycle.value.into()))
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
    let runs = bytes.div_ceil(u128::from(region.bytes.max(1)));
    let burst = u128::from(target.ddr.burst_bytes.value);
    let moved = runs.saturating_mul(u128::from(region.bytes).div_ceil(burst).saturating_mul(burst));
    Cost { engine_cycles, ddr_cycles: target.ddr_cycles(moved), ddr_bytes: narrow(bytes) }
}

fn pairs(view: &DdrView, shape: &[u32; RANK]) -> impl Iterator<Item = (u64, i64)> {
    let strides = view.strides;
    shape.map(u64::from).into_iter().zip(strides)
}

fn product(sizes: &[u32]) -> u128 {
    sizes.iter().fold(1, |product: u128, size| product.saturating_mul(u128::from(*size)))
}

fn widest(bytes: &[u32]) -> u32 {
    bytes.iter().copied().max().unwrap_or(1)
}

fn narrow(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
