//! What each instruction does to memory.

use crate::nash::isa::{
    Copy, Fill, Load, MemoryRegion, Operation, Program, REGION_NUMBERS, RoiResize, Store, Yield, whole,
};
use crate::numerics::{self, RegionOfInterest};

use super::memory::{BytePlace, Fault};
use super::{SimError, convolution, elementwise, pool, vector};

/// DDR during a run.
pub(in crate::sim) struct Regions<'a> {
    inputs: &'a [&'a [u8]],
    constants: &'a [u8],
    workspace: Vec<u8>,
    pub outputs: Vec<Vec<u8>>,
}

impl<'a> Regions<'a> {
    /// The workspace and the outputs begin as zeros.
    pub fn new(program: &Program, inputs: &'a [&'a [u8]], constants: &'a [u8]) -> Result<Regions<'a>, SimError> {
        if inputs.len() != program.inputs.len() {
            return Err(SimError::InputCount { expected: program.inputs.len(), found: inputs.len() });
        }
        for (index, (input, bytes)) in inputs.iter().zip(&program.inputs).enumerate() {
            same_size(|| format!("input{index}"), *bytes, input.len())?;
        }
        same_size(|| "constants".to_string(), program.constants, constants.len())?;
        let outputs = program.outputs.iter().enumerate();
        let outputs =
            outputs.map(|(index, bytes)| zeros(&format!("output{index}"), *bytes)).collect::<Result<_, _>>()?;
        Ok(Regions { inputs, constants, workspace: zeros("workspace", program.workspace)?, outputs })
    }

    pub fn readable(&self, region: MemoryRegion) -> Result<&[u8], Fault> {
        let memory = match region {
            MemoryRegion::Input(index) => self.inputs.get(usize::from(index)).copied(),
            MemoryRegion::Output(index) => self.outputs.get(usize::from(index)).map(Vec::as_slice),
            MemoryRegion::Constants => Some(self.constants),
            MemoryRegion::Workspace => Some(self.workspace.as_slice()),
        };
        memory.ok_or_else(|| format!("the program has no {region}"))
    }

    pub fn writable(&mut self, region: MemoryRegion) -> Result<&mut [u8], Fault> {
        let memory = match region {
            MemoryRegion::Output(index) => self.outputs.get_mut(usize::from(index)),
            MemoryRegion::Workspace => Some(&mut self.workspace),
            MemoryRegion::Input(_) | MemoryRegion::Constants => None,
        };
        memory.map(Vec::as_mut_slice).ok_or_else(|| format!("{region} cannot be written"))
    }
}

/// Executes one instruction.
pub(super) fn execute(l1m: &mut [u8], regions: &mut Regions<'_>, operation: &Operation) -> Result<(), Fault> {
    match operation {
        Operation::Load(o) => load(l1m, regions, o),
        Operation::Store(o) => store(l1m, regions, o),
        Operation::RoiResize(o) => roi_resize(l1m, regions, o),
        _ => in_l1m(l1m, operation),
    }
}

/// Executes one instruction that does not reach DDR.
pub(super) fn in_l1m(l1m: &mut [u8], operation: &Operation) -> Result<(), Fault> {
    match operation {
        Operation::Load(_) | Operation::Store(_) | Operation::RoiResize(_) => Err("it needs DDR".to_string()),
        Operation::Convolution(o) => convolution::convolution(l1m, o),
        Operation::Add(o) => elementwise::add(l1m, o),
        Operation::Mul(o) => elementwise::mul(l1m, o),
        Operation::PRelu(o) => elementwise::p_relu(l1m, o),
        Operation::Requantize(o) => elementwise::requantize(l1m, o),
        Operation::Lookup(o) => elementwise::lookup(l1m, o),
        Operation::Curve(o) => elementwise::curve(l1m, o),
        Operation::MaxPool(o) => pool::max_pool(l1m, o),
        Operation::AveragePool(o) => pool::average_pool(l1m, o),
        Operation::Copy(o) => copy(l1m, o),
        Operation::Fill(o) => fill(l1m, o),
        Operation::Quantize(o) => elementwise::quantize(l1m, o),
        Operation::Normalize(o) => elementwise::normalize(l1m, o),
        Operation::Run(o) => vector::run(l1m, o),
        Operation::Dequantize(o) => elementwise::dequantize(l1m, o),
        Operation::Yield(o) => lose(l1m, o),
    }
}

fn load(l1m: &mut [u8], regions: &Regions<'_>, o: &Load) -> Result<(), Fault> {
    let memory = regions.readable(o.source.region)?;
    let packed = BytePlace::in_ddr(&o.source, &o.shape, o.element_bytes.into())?.pack(memory)?;
    BytePlace::new(&o.destination, &o.shape, o.element_bytes.into())?.unpack(&packed, l1m)
}

fn store(l1m: &[u8], regions: &mut Regions<'_>, o: &Store) -> Result<(), Fault> {
    let memory = regions.writable(o.destination.region)?;
    let packed = BytePlace::new(&o.source, &o.shape, o.element_bytes.into())?.pack(l1m)?;
    BytePlace::in_ddr(&o.destination, &o.shape, o.element_bytes.into())?.unpack(&packed, memory)
}

/// Reads the cells that the region asks for, and no others.
pub(in crate::sim) fn roi_resize(l1m: &mut [u8], regions: &Regions<'_>, o: &RoiResize) -> Result<(), Fault> {
    let numbers = BytePlace::in_ddr(&o.region, &whole([1, 1, REGION_NUMBERS]), 4)?;
    let numbers = numbers.pack(regions.readable(o.region.region)?)?;
    let region = RegionOfInterest::from_bytes(&numbers).ok_or("the region has not four numbers")?;
    let ([rows, columns, _], block) = (o.plane_shape.map(|size| size as usize), o.block as usize);
    region.check([rows * block, columns * block])?;
    let resize = numerics::RoiResize { region, block, size: o.size.map(|size| size as usize) };
    let memory = regions.readable(o.plane.region)?;
    let [.., row_step, column_step, channel_step] = o.plane.strides;
    let byte = |row: usize, column: usize, channel: usize| {
        let steps = [(row, row_step), (column, column_step), (channel, channel_step)];
        let at = steps
            .into_iter()
            .fold(i128::from(o.plane.offset), |at, (index, step)| at + index as i128 * i128::from(step));
        memory.get(usize::try_from(at).ok()?).copied()
    };
    let [rows, columns, channels] = o.output_shape.map(|size| size as usize);
    let [first_row, first_column] = o.start.map(|start| start as usize);
    let place = BytePlace::new(&o.output, &o.output_shape, 1)?;
    let mut packed = Vec::new();
    packed
        .try_reserve_exact(place.total_bytes())
        .map_err(|_| format!("no memory for {} bytes", place.total_bytes()))?;
    for row in first_row..first_row + rows {
        for column in first_column..first_column + columns {
            for channel in 0..channels {
                let cell = resize.cell([row, column], |row, column| byte(row, column, channel));
                packed.push(cell.ok_or("an operand lies outside of its memory")? as u8);
            }
        }
    }
    place.unpack(&packed, l1m)
}

fn copy(l1m: &mut [u8], o: &Copy) -> Result<(), Fault> {
    let packed = BytePlace::new(&o.source, &o.shape, o.element_bytes.into())?.pack(l1m)?;
    BytePlace::new(&o.destination, &o.shape, o.element_bytes.into())?.unpack(&packed, l1m)
}

fn fill(l1m: &mut [u8], o: &Fill) -> Result<(), Fault> {
    let place = BytePlace::new(&o.destination, &o.shape, o.element_bytes.into())?;
    let value = o.value.to_le_bytes();
    let element = value.get(..usize::from(o.element_bytes)).ok_or("an element has more than 4 bytes")?;
    let packed: Vec<u8> = element.iter().copied().cycle().take(place.total_bytes()).collect();
    place.unpack(&packed, l1m)
}

/// What L1M holds once something else may have run.
const LOST: u8 = 0xa5;

/// Puts nothing in particular where a function call has left something.
pub(in crate::sim) fn lose(l1m: &mut [u8], o: &Yield) -> Result<(), Fault> {
    let lost = usize::try_from(o.bytes).ok().and_then(|bytes| l1m.get_mut(..bytes));
    lost.ok_or("it loses more bytes than there are")?.fill(LOST);
    Ok(())
}

fn same_size(region: impl Fn() -> String, expected: u64, found: usize) -> Result<(), SimError> {
    if usize::try_from(expected) == Ok(found) {
        return Ok(());
    }
    Err(SimError::RegionSize { region: region(), expected, found: found as u64 })
}

/// Zeroed memory of a size that a file asked for: its absence is an error, not an abort.
///
/// Asking first and allocating then keeps pages that the program never touches from being touched by zeroing them.
pub(in crate::sim) fn zeros(region: &str, bytes: u64) -> Result<Vec<u8>, SimError> {
    let none = || SimError::NoMemory { region: region.to_string(), bytes };
    let size = usize::try_from(bytes).map_err(|_| none())?;
    Vec::<u8>::new().try_reserve_exact(size).map_err(|_| none())?;
    Ok(vec![0; size])
}
