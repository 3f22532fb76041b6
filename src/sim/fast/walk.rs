//! Several operands of one shape, walked together.

use crate::nash::isa::{BpuElement, DdrView, RANK, View};
use crate::sim::machine::Fault;

use super::kernel::{Level, lanes};

/// Where elements lie in a memory: the byte of the first one, and bytes between neighbours.
#[derive(Clone, Copy)]
pub(super) struct WalkLayout {
    start: i64,
    strides: [i64; RANK],
}

impl From<&View> for WalkLayout {
    fn from(view: &View) -> WalkLayout {
        WalkLayout { start: view.address.into(), strides: view.strides.map(i64::from) }
    }
}

impl From<&View<4>> for WalkLayout {
    fn from(view: &View<4>) -> WalkLayout {
        let [a, b, c, d] = view.strides.map(i64::from);
        WalkLayout { start: view.address.into(), strides: [0, 0, a, b, c, d] }
    }
}

impl TryFrom<&DdrView> for WalkLayout {
    type Error = Fault;

    fn try_from(view: &DdrView) -> Result<WalkLayout, Fault> {
        let start = i64::try_from(view.offset).map_err(|_| outside())?;
        Ok(WalkLayout { start, strides: view.strides })
    }
}

impl WalkLayout {
    /// First byte to one past the last one of elements of `bytes` bytes.
    pub fn span(&self, shape: &[u32; RANK], bytes: usize) -> Option<std::ops::Range<i64>> {
        let (mut first, mut last) = (self.start, self.start);
        for (size, stride) in shape.iter().zip(self.strides) {
            let reach = i64::from(*size).checked_sub(1)?.checked_mul(stride)?;
            (first, last) = (first.checked_add(reach.min(0))?, last.checked_add(reach.max(0))?);
        }
        Some(first..last.checked_add(i64::try_from(bytes).ok()?)?)
    }

    /// The same elements in a part of the memory that begins at byte `start`.
    pub fn within(self, start: i64) -> WalkLayout {
        WalkLayout { start: self.start.saturating_sub(start), ..self }
    }
}

/// The shape of a tile as that of a general view.
pub(super) fn tile_shape([a, b, c, d]: [u32; 4]) -> [u32; RANK] {
    [1, 1, a, b, c, d]
}

pub(super) fn outside() -> Fault {
    "an operand lies outside of its memory".to_string()
}

/// Lines of elements: dimensions that all operands continue alike are joined, and the innermost is one line.
pub(super) struct Walk<const OPERANDS: usize> {
    starts: [i64; OPERANDS],
    /// Outer dimensions, outermost first; the first `rank` count.
    sizes: [u32; RANK],
    strides: [[i64; OPERANDS]; RANK],
    rank: usize,
    /// Elements of a line.
    pub length: usize,
    /// Bytes between neighbours of a line, per operand.
    pub steps: [i64; OPERANDS],
}

impl<const OPERANDS: usize> Walk<OPERANDS> {
    /// `shape` has no 0.
    pub fn new(shape: &[u32; RANK], operands: [WalkLayout; OPERANDS]) -> Result<Self, Fault> {
        let (mut sizes, mut strides, mut rank) = ([1u32; RANK], [[0; OPERANDS]; RANK], 0usize);
        for (axis, &size) in shape.iter().enumerate().filter(|(_, size)| **size != 1) {
            let here = operands.map(|operand| operand.strides[axis]);
            let continues = |outer: &[i64; OPERANDS]| {
                outer.iter().zip(here).all(|(outer, inner)| inner.checked_mul(size.into()) == Some(*outer))
            };
            let joined = rank.checked_sub(1).filter(|last| continues(&strides[*last]));
            match joined.and_then(|last| Some((last, sizes[last].checked_mul(size)?))) {
                Some((last, product)) => (sizes[last], strides[last]) = (product, here),
                None => {
                    (sizes[rank], strides[rank]) = (size, here);
                    rank += 1;
                }
            }
        }
        let rank = rank.saturating_sub(1);
        let length = usize::try_from(sizes[rank]).map_err(|_| outside())?;
        let steps = strides[rank];
        Ok(Walk { starts: operands.map(|operand| operand.start), sizes, strides, rank, length, steps })
    }

    /// Whether lines of elements of `bytes` bytes have no gaps, in no operand.
    pub fn is_contiguous(&self, bytes: usize) -> bool {
        self.length == 1 || self.steps.iter().all(|step| usize::try_from(*step) == Ok(bytes))
    }

    /// The first byte per operand, where there is one line.
    pub fn only_line(&self) -> Option<[usize; OPERANDS]> {
        let mut starts = [0; OPERANDS];
        for (start, at) in starts.iter_mut().zip(self.starts) {
            *start = usize::try_from(at).ok()?;
        }
        (self.rank == 0).then_some(starts)
    }

    /// Neighbouring lines together: a walk that visits the first line of each plane, the lines of a plane, and the bytes from one to
    /// the next per operand.
    pub fn planes(&self) -> (Self, usize, [i64; OPERANDS]) {
        match self.rank.checked_sub(1) {
            Some(rank) => (Walk { rank, ..*self }, self.sizes[rank] as usize, self.strides[rank]),
            None => (Walk { ..*self }, 1, [0; OPERANDS]),
        }
    }

    /// Visits every line: the first byte per operand.
    pub fn for_each(&self, mut visit: impl FnMut([usize; OPERANDS]) -> Option<()>) -> Result<(), Fault> {
        let mut index = [0u32; RANK];
        let mut at = self.starts;
        loop {
            let mut bytes = [0; OPERANDS];
            for (byte, at) in bytes.iter_mut().zip(at) {
                *byte = usize::try_from(at).map_err(|_| outside())?;
            }
            visit(bytes).ok_or_else(outside)?;
            let mut axis = self.rank;
            loop {
                let Some(outer) = axis.checked_sub(1) else { return Ok(()) };
                axis = outer;
                index[axis] += 1;
                let last = index[axis] == self.sizes[axis];
                let steps = if last { 1 - i64::from(self.sizes[axis]) } else { 1 };
                for (at, stride) in at.iter_mut().zip(self.strides[axis]) {
                    *at =
                        stride.checked_mul(steps).and_then(|distance| at.checked_add(distance)).ok_or_else(outside)?;
                }
                if !last {
                    break;
                }
                index[axis] = 0;
            }
        }
    }
}

/// Elements that are converted at once.
pub(super) const CHUNK: usize = 512;

/// Calls `visit` with the first element and the number of elements of each part of a line.
pub(super) fn chunks(length: usize, mut visit: impl FnMut(usize, usize) -> Option<()>) -> Option<()> {
    (0..length).step_by(CHUNK).try_for_each(|first| visit(first, CHUNK.min(length - first)))
}

/// A line of elements in a memory, `step` bytes apart.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub start: usize,
    pub step: i64,
    pub element: BpuElement,
}

impl Line {
    /// The byte of the element with an index.
    pub fn byte(&self, index: usize) -> Option<usize> {
        let distance = i64::try_from(index).ok()?.checked_mul(self.step)?;
        usize::try_from(i64::try_from(self.start).ok()?.checked_add(distance)?).ok()
    }

    /// The bytes of neighbouring elements, unless there are gaps.
    fn contiguous(&self, first: usize, count: usize) -> Option<std::ops::Range<usize>> {
        let bytes = self.element.bytes();
        let start = (self.step == i64::from(bytes)).then(|| self.byte(first)).flatten()?;
        Some(start..start.checked_add(count.checked_mul(bytes as usize)?)?)
    }

    /// Reads the elements from `first` on; reals as bits.
    pub fn read(&self, level: Level, memory: &[u8], first: usize, values: &mut [i32]) -> Option<()> {
        if let Some(range) = self.contiguous(first, values.len()) {
            let bytes = memory.get(range)?;
            match self.element {
                BpuElement::I8 | BpuElement::U8 => lanes::widen_i8(level, bytes, values),
                BpuElement::I16 | BpuElement::F16 => lanes::widen_i16(level, bytes.as_chunks().0, values),
                BpuElement::I32 | BpuElement::F32 => lanes::read_words(level, bytes.as_chunks().0, values),
            }
            return Some(());
        }
        if self.step == 0 {
            values.fill(read_element(memory, self.start, self.element)?);
            return Some(());
        }
        for (index, value) in values.iter_mut().enumerate() {
            *value = read_element(memory, self.byte(first + index)?, self.element)?;
        }
        Some(())
    }

    /// Writes the elements from `first` on.
    pub fn write(&self, level: Level, memory: &mut [u8], first: usize, values: &[i32]) -> Option<()> {
        if let Some(range) = self.contiguous(first, values.len()) {
            let bytes = memory.get_mut(range)?;
            match self.element {
                BpuElement::I8 | BpuElement::U8 => lanes::narrow_i8(level, values, bytes),
                BpuElement::I16 | BpuElement::F16 => lanes::narrow_i16(level, values, bytes.as_chunks_mut().0),
                BpuElement::I32 | BpuElement::F32 => lanes::write_words(level, values, bytes.as_chunks_mut().0),
            }
            return Some(());
        }
        for (index, value) in values.iter().enumerate() {
            let start = self.byte(first + index)?;
            let bytes = value.to_le_bytes();
            let bytes = bytes.get(..self.element.bytes() as usize)?;
            memory.get_mut(start..start.checked_add(bytes.len())?)?.copy_from_slice(bytes);
        }
        Some(())
    }
}

fn read_element(memory: &[u8], start: usize, element: BpuElement) -> Option<i32> {
    let rest = memory.get(start..)?;
    Some(match element {
        BpuElement::I8 | BpuElement::U8 => i32::from(*rest.first()? as i8),
        BpuElement::I16 | BpuElement::F16 => i16::from_le_bytes(*rest.first_chunk()?).into(),
        BpuElement::I32 | BpuElement::F32 => i32::from_le_bytes(*rest.first_chunk()?),
    })
}
