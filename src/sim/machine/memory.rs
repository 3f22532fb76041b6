//! Strided bytes to packed ones and back.
//!
//! Validation has put every view inside of its memory; a view that is not is reported all the same, never a panic.

use crate::nash::isa::{BpuElement, DdrView, RANK, View};

/// Why an operand could not be reached; becomes part of a [`super::SimError`].
pub(in crate::sim) type Fault = String;

/// Where the elements of an operand lie.
pub(super) struct BytePlace {
    base: i64,
    /// (size, stride) of what is not contiguous, outermost first.
    dimensions: Vec<(u64, i64)>,
    /// Bytes of one contiguous run.
    run: usize,
    /// Bytes of all runs, repeats included.
    total: usize,
}

impl BytePlace {
    pub fn new<const D: usize>(view: &View<D>, shape: &[u32; D], element_bytes: u32) -> Result<BytePlace, Fault> {
        let pairs = shape.iter().zip(&view.strides).map(|(size, stride)| (u64::from(*size), i64::from(*stride)));
        BytePlace::from_pairs(view.address.into(), pairs.collect(), element_bytes)
    }

    pub fn in_ddr(view: &DdrView, shape: &[u32; RANK], element_bytes: u32) -> Result<BytePlace, Fault> {
        let pairs = shape.iter().zip(&view.strides).map(|(size, stride)| (u64::from(*size), *stride));
        BytePlace::from_pairs(view.offset, pairs.collect(), element_bytes)
    }

    fn from_pairs(base: u64, mut dimensions: Vec<(u64, i64)>, element_bytes: u32) -> Result<BytePlace, Fault> {
        let too_large = || "an operand is too large".to_string();
        let mut run = i64::from(element_bytes);
        dimensions.retain(|(size, _)| *size != 1);
        while let Some((size, _)) = dimensions.pop_if(|(_, stride)| *stride == run) {
            run = i64::try_from(size).ok().and_then(|size| run.checked_mul(size)).ok_or_else(too_large)?;
        }
        let run = usize::try_from(run).map_err(|_| too_large())?;
        let total = dimensions.iter().try_fold(run, |total, (size, _)| total.checked_mul(usize::try_from(*size).ok()?));
        let base = i64::try_from(base).map_err(|_| too_large())?;
        Ok(BytePlace { base, dimensions, run, total: total.ok_or_else(too_large)? })
    }

    /// Size of all elements together.
    pub fn total_bytes(&self) -> usize {
        self.total
    }

    /// Calls `visit` with the first byte of every run, in row-major order.
    fn for_each_run(&self, mut visit: impl FnMut(usize) -> Option<()>) -> Result<(), Fault> {
        walk(&self.dimensions, self.base, &mut visit).ok_or_else(|| "an operand lies outside of its memory".to_string())
    }

    /// The elements without gaps, in row-major order.
    pub fn pack(&self, memory: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut packed = Vec::new();
        packed.try_reserve_exact(self.total).map_err(|_| format!("no memory for {} bytes", self.total))?;
        self.for_each_run(|start| {
            packed.extend_from_slice(memory.get(start..start.checked_add(self.run)?)?);
            Some(())
        })?;
        Ok(packed)
    }

    /// Puts packed elements into their places.
    pub fn unpack(&self, packed: &[u8], memory: &mut [u8]) -> Result<(), Fault> {
        let mut runs = packed.chunks_exact(self.run.max(1));
        self.for_each_run(|start| {
            memory.get_mut(start..start.checked_add(self.run)?)?.copy_from_slice(runs.next()?);
            Some(())
        })
    }
}

fn walk(dimensions: &[(u64, i64)], start: i64, visit: &mut impl FnMut(usize) -> Option<()>) -> Option<()> {
    match dimensions {
        [] => visit(usize::try_from(start).ok()?),
        [(size, stride)] => {
            let mut at = start;
            for _ in 0..*size {
                visit(usize::try_from(at).ok()?)?;
                at = at.checked_add(*stride)?;
            }
            Some(())
        }
        [(size, stride), inner @ ..] => {
            let mut at = start;
            for _ in 0..*size {
                walk(inner, at, visit)?;
                at = at.checked_add(*stride)?;
            }
            Some(())
        }
    }
}

/// The integers of an operand, in row-major order. f32 gives the bits.
pub(super) fn read<const D: usize>(
    memory: &[u8],
    view: &View<D>,
    shape: &[u32; D],
    element: BpuElement,
) -> Result<Vec<i32>, Fault> {
    let packed = BytePlace::new(view, shape, element.bytes())?.pack(memory)?;
    Ok(decode(&packed, element))
}

/// Writes integers (reals: bits) to an operand. Values are in the range of the element type.
pub(super) fn write<const D: usize>(
    memory: &mut [u8],
    view: &View<D>,
    shape: &[u32; D],
    element: BpuElement,
    values: &[i32],
) -> Result<(), Fault> {
    BytePlace::new(view, shape, element.bytes())?.unpack(&encode(values, element), memory)
}

pub(super) fn decode(packed: &[u8], element: BpuElement) -> Vec<i32> {
    match element {
        BpuElement::I8 | BpuElement::U8 => packed.iter().map(|byte| i32::from(*byte as i8)).collect(),
        BpuElement::I16 | BpuElement::F16 => {
            words::<2>(packed).map(|word| i32::from(i16::from_le_bytes(word))).collect()
        }
        BpuElement::I32 | BpuElement::F32 => words::<4>(packed).map(i32::from_le_bytes).collect(),
    }
}

fn encode(values: &[i32], element: BpuElement) -> Vec<u8> {
    match element {
        BpuElement::I8 | BpuElement::U8 => values.iter().map(|value| *value as u8).collect(),
        BpuElement::I16 | BpuElement::F16 => values.iter().flat_map(|value| (*value as i16).to_le_bytes()).collect(),
        BpuElement::I32 | BpuElement::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

fn words<const BYTES: usize>(packed: &[u8]) -> impl Iterator<Item = [u8; BYTES]> + '_ {
    packed.as_chunks::<BYTES>().0.iter().copied()
}
