//! Puts together again what a program has cut to suit the hardware: convolutions in parts, by input channels with sums that are handed on, by
//! output channels, by rows and by columns.
//!
//! A part waits until an instruction comes that touches what it reads or writes; the parts that wait together are joined where they
//! make one convolution. Sums that are handed on are then never written: only the next part would have read them.
//!
//! Validation looks at the instructions of a program, not at what they make together. That writes no byte twice, because no part does and none that waits touches
//! what another one does; its sizes are looked at here.

use std::ops::Range;
use std::sync::Arc;

use crate::nash::isa::{Access, BpuElement, Convolution, Operation, Space, StridedRegion, View};
use crate::sim::machine::Fault;

use super::convolution::is_supported;
use super::copy;
use super::pack::Parameters;
use super::walk::{WalkLayout, outside, tile_shape};

/// Parts that wait at most.
const WAITING: usize = 16;
/// Runs of bytes that are compared one by one at most.
const RUNS: u128 = 1 << 16;
/// Bytes of the parameters of an output channel.
const PARAMETERS: usize = 12;

/// A convolution with its weights and parameters. The views of these are into the bytes here, without gaps.
#[derive(Clone)]
pub(super) struct KnownConvolution {
    pub o: Convolution,
    /// By output channel, kernel row, kernel column, input channel.
    pub weights: Arc<Vec<u8>>,
    pub parameters: Option<Arc<Vec<u8>>>,
}

impl KnownConvolution {
    /// Reads weights and parameters from memory.
    pub fn read(memory: &[u8], o: &Convolution) -> Result<KnownConvolution, Fault> {
        let shape = o.weights_shape();
        let mut weights = vec![0; shape.iter().map(|size| *size as usize).product()];
        let packed = View::contiguous(0, shape, 1);
        let (from, to) = (WalkLayout::from(&o.weights), WalkLayout::from(&packed));
        copy::between(&tile_shape(shape), 1, (memory, from), (&mut weights, to))?;
        let parameters = o.parameters.as_ref().map(|view| {
            let start = |channel: u32| {
                let start = i64::from(view.address) + i64::from(channel) * i64::from(view.strides[0]);
                usize::try_from(start).map_err(|_| outside())
            };
            let channels = (0..o.output_shape[3]).map(|channel| {
                let place = start(channel)?;
                memory.get(place..).and_then(|rest| rest.first_chunk::<PARAMETERS>()).ok_or_else(outside)
            });
            channels.map(|bytes| bytes.copied()).collect::<Result<Vec<_>, Fault>>().map(|bytes| bytes.concat())
        });
        let parameters = parameters.transpose()?.map(Arc::new);
        Ok(KnownConvolution::new(o.clone(), Arc::new(weights), parameters))
    }

    fn new(o: Convolution, weights: Arc<Vec<u8>>, parameters: Option<Arc<Vec<u8>>>) -> KnownConvolution {
        let weights_view = View::contiguous(0, o.weights_shape(), 1);
        let parameters_view = parameters.as_ref().map(|_| View::new(0, [PARAMETERS as i32]));
        KnownConvolution {
            o: Convolution { weights: weights_view, parameters: parameters_view, ..o },
            weights,
            parameters,
        }
    }

    /// The parameters as kernels want them.
    pub fn packed_parameters(&self) -> Result<Option<Parameters>, Fault> {
        let Some((view, bytes)) = self.o.parameters.as_ref().zip(self.parameters.as_ref()) else { return Ok(None) };
        let mut parameters = Parameters::default();
        parameters.read(bytes, view, self.o.output_shape[3])?;
        Ok(Some(parameters))
    }

    /// What a run touches in L1M.
    fn accesses(&self) -> Vec<Access> {
        let mut accesses = Operation::from(self.o.clone()).accesses();
        accesses.retain(|access| !["weights", "parameters"].contains(&access.operand));
        accesses
    }

    /// One that replaces this one and `next`, which comes behind it, if they are parts of one.
    fn joined(&self, next: &KnownConvolution, limits: &mut Limits) -> Option<KnownConvolution> {
        let is_whole = |part: &KnownConvolution| part.o.accumulate.is_none() && part.parameters.is_some();
        if !is_whole(self) || !is_whole(next) || self.common() != next.common() {
            return None;
        }
        self.with_outputs_of(next, limits)
            .or_else(|| self.with_cells_of(next, 0, limits))
            .or_else(|| self.with_cells_of(next, 1, limits))
    }

    /// What all parts of a convolution that ends have in common.
    fn common(&self) -> impl PartialEq + use<> {
        let o = &self.o;
        let (window, elements) =
            ((o.window.kernel, o.window.strides, o.window.dilations), (o.input_element, o.output_element));
        let views = (o.input.strides, o.output.strides, o.input_shape[0]);
        (o.depthwise, window, elements, o.zero_points, o.clamp, views)
    }

    /// As [`KnownConvolution::joined`], of neighbouring output channels.
    fn with_outputs_of(&self, next: &KnownConvolution, limits: &mut Limits) -> Option<KnownConvolution> {
        let (a, b) = (&self.o, &next.o);
        let outputs = a.output_shape[3];
        let (input, shape) = if a.depthwise {
            (moved(&a.input, 3, outputs)?, with_size(a.input_shape, 3, b.input_shape[3]))
        } else {
            (a.input, a.input_shape)
        };
        let follows = b.output == moved(&a.output, 3, outputs)?
            && b.input == input
            && b.input_shape == shape
            && a.window.pads == b.window.pads
            && b.output_shape == with_size(a.output_shape, 3, b.output_shape[3]);
        if !follows {
            return None;
        }
        let mut o = a.clone();
        o.output_shape[3] = outputs.checked_add(b.output_shape[3])?;
        if o.depthwise {
            o.input_shape[3] = o.output_shape[3];
        }
        limits.take(&o, self.weights_beside(next))?;
        let both = |a: &[u8], b: &[u8]| Arc::new([a, b].concat());
        let parameters = self.parameters.as_ref().zip(next.parameters.as_ref()).map(|(a, b)| both(a, b));
        Some(KnownConvolution::new(o, both(&self.weights, &next.weights), parameters))
    }

    /// As [`KnownConvolution::joined`], of neighbouring rows (axis 0) or columns (axis 1) of the output.
    fn with_cells_of(&self, next: &KnownConvolution, axis: usize, limits: &mut Limits) -> Option<KnownConvolution> {
        let (a, b) = (&self.o, &next.o);
        let (dimension, other) = (axis + 1, 1 - axis);
        let outputs = a.output_shape[dimension];
        let follows = b.output == moved(&a.output, dimension, outputs)?
            && b.output_shape == with_size(a.output_shape, dimension, b.output_shape[dimension])
            && b.input_shape == with_size(a.input_shape, dimension, b.input_shape[dimension])
            && a.window.pads[other] == b.window.pads[other]
            && self.weights == next.weights
            && self.parameters == next.parameters;
        let distance = i64::from(b.input.address) - i64::from(a.input.address);
        let step = i64::from(a.input.strides[dimension]);
        // Input cells from the beginning of one tile to that of the next.
        let first = distance.checked_div(step).filter(|first| *first >= 0 && first * step == distance)?;
        let end = first + i64::from(b.input_shape[dimension]);
        let [pad_a, pad_b] = [a, b].map(|part| i64::from(part.window.pads[axis]));
        let stride = i64::from(a.window.strides[axis]);
        if !follows || i64::from(outputs) * stride - pad_a != first - pad_b {
            return None;
        }
        // A cell that one part does not see must be none that the whole has.
        let reach = i64::from(a.window.kernel[axis] - 1) * i64::from(a.window.dilations[axis]);
        let last_of_a = i64::from(outputs - 1) * stride - pad_a + reach;
        let sees_same =
            (last_of_a + 1).min(end) <= i64::from(a.input_shape[dimension]) && (first - pad_b).max(0) >= first;
        if !sees_same || end < i64::from(a.input_shape[dimension]) {
            return None;
        }
        let mut o = a.clone();
        o.output_shape[dimension] = outputs.checked_add(b.output_shape[dimension])?;
        o.input_shape[dimension] = u32::try_from(end).ok()?;
        limits.take(&o, 0)?;
        Some(KnownConvolution::new(o, self.weights.clone(), self.parameters.clone()))
    }

    /// One that replaces this one and `next`, which takes its sums and adds those of the following input channels.
    fn with_inputs_of(&self, next: &KnownConvolution, limits: &mut Limits) -> Option<KnownConvolution> {
        let (a, b) = (&self.o, &next.o);
        let inputs = a.input_shape[3];
        let follows = !a.depthwise
            && !b.depthwise
            && a.output_element == BpuElement::I32
            && a.parameters.is_none()
            && b.accumulate == Some(a.output)
            && b.output_shape == a.output_shape
            && b.window == a.window
            && b.input_element == a.input_element
            && b.zero_points[0] == a.zero_points[0]
            && b.input == moved(&a.input, 3, inputs)?
            && b.input_shape == with_size(a.input_shape, 3, b.input_shape[3]);
        if !follows {
            return None;
        }
        let mut o = b.clone();
        (o.input, o.accumulate) = (a.input, a.accumulate);
        o.input_shape[3] = inputs.checked_add(b.input_shape[3])?;
        limits.take(&o, self.weights_beside(next))?;
        let cells = |part: &KnownConvolution| part.o.input_shape[3] as usize;
        let both = self.weights.chunks_exact(cells(self)).zip(next.weights.chunks_exact(cells(next)));
        let weights = both.flat_map(|(a, b)| [a, b]).collect::<Vec<_>>().concat();
        Some(KnownConvolution::new(o, Arc::new(weights), next.parameters.clone()))
    }

    /// The bytes of weights that there are more of when those of this one and of `next` are joined: what others have, too, stays.
    fn weights_beside(&self, next: &KnownConvolution) -> usize {
        let goes = |part: &KnownConvolution| if Arc::strong_count(&part.weights) == 1 { part.weights.len() } else { 0 };
        (self.weights.len() + next.weights.len()).saturating_sub(goes(self) + goes(next))
    }
}

/// How large joined convolutions may be. A program repeats what it has for nothing, so that their sizes do not follow from its own.
pub(super) struct Limits {
    /// Elements of an input or output: as many as L1M has bytes, as in an instruction.
    pub elements: u64,
    /// Bytes of weights that may still come about.
    pub weights: usize,
}

impl Limits {
    /// Counts a convolution that comes about with so many bytes of weights more; none where it would be too large.
    fn take(&mut self, o: &Convolution, weights: usize) -> Option<()> {
        let product =
            |sizes: &[u32]| sizes.iter().try_fold(1u64, |product, size| product.checked_mul(u64::from(*size)));
        let fits = |sizes: &[u32]| product(sizes).is_some_and(|elements| elements <= self.elements);
        // Views of weights count in 32 bits.
        let is_viewed = product(&o.weights_shape()).is_some_and(|bytes| i32::try_from(bytes).is_ok());
        if !(fits(&o.input_shape) && fits(&o.output_shape) && is_viewed && is_supported(o)) {
            return None;
        }
        self.weights = self.weights.checked_sub(weights)?;
        Some(())
    }
}

/// The view behind so many elements of a dimension.
fn moved(view: &View<4>, dimension: usize, elements: u32) -> Option<View<4>> {
    let distance = i64::from(view.strides[dimension]) * i64::from(elements);
    Some(View { address: u32::try_from(i64::from(view.address) + distance).ok()?, ..*view })
}

fn with_size(mut shape: [u32; 4], dimension: usize, size: u32) -> [u32; 4] {
    shape[dimension] = size;
    shape
}

/// Who reads the sums that convolutions hand on: found by following a program through L1M.
pub(super) struct HandedOn {
    /// Of every byte, the sums that it belongs to, counted from 1.
    owners: Vec<u32>,
    /// All others belong to none.
    used: Range<usize>,
    /// Of all sums, the position of the only instruction that reads them, as the sums that it goes on from.
    readers: Vec<Reader>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Nobody,
    One(usize),
    Many,
}

/// Sums that a convolution hands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SumsNumber(u32);

impl HandedOn {
    /// For so many bytes of L1M.
    pub fn new(bytes: usize) -> HandedOn {
        HandedOn { owners: vec![0; bytes], used: 0..0, readers: Vec::new() }
    }

    /// Follows an access of the instruction at a position. `is_sums` says that it writes sums, which are then given a number.
    pub fn follow(&mut self, position: usize, access: &Access, is_sums: bool) -> Option<SumsNumber> {
        let mut number = 0;
        if access.write && is_sums {
            self.readers.push(Reader::Nobody);
            number = u32::try_from(self.readers.len()).ok()?;
        }
        for (start, end) in access.region.intervals() {
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            let Some((start, end)) = range else { continue };
            if number > 0 {
                let used = if self.used.is_empty() { start..end } else { self.used.clone() };
                self.used = used.start.min(start)..used.end.max(end);
            }
            let range = start.max(self.used.start)..end.min(self.used.end);
            let Some(owners) = self.owners.get_mut(range) else { continue };
            if access.write {
                owners.fill(number);
                continue;
            }
            if owners.iter().fold(0, |all, owner| all | owner) == 0 {
                continue;
            }
            for owner in owners.chunk_by(|a, b| a == b).filter_map(|run| run.first()) {
                let reader = owner.checked_sub(1).and_then(|index| self.readers.get_mut(index as usize));
                if let Some(reader) = reader {
                    let is_same = *reader == Reader::Nobody || *reader == Reader::One(position);
                    *reader =
                        if is_same && access.operand == "accumulate" { Reader::One(position) } else { Reader::Many };
                }
            }
        }
        (number > 0).then_some(SumsNumber(number))
    }

    fn is_for(&self, sums: SumsNumber, position: usize) -> bool {
        let reader = sums.0.checked_sub(1).and_then(|index| self.readers.get(index as usize));
        reader == Some(&Reader::One(position))
    }
}

/// Whether two sets of bytes overlap, or both have too many runs to look.
fn may_overlap(a: &StridedRegion, b: &StridedRegion) -> bool {
    a.base < b.end() && b.base < a.end() && (a.runs().min(b.runs()) > RUNS || a.overlaps(b))
}

/// An instruction that has to be executed.
pub(super) struct Part {
    pub position: usize,
    pub convolution: Option<KnownConvolution>,
    /// What it touches in L1M.
    pub accesses: Vec<Access>,
    /// The sums that it hands on.
    pub sums: Option<SumsNumber>,
}

impl Part {
    fn touches(&self, other: &Part) -> bool {
        let pairs = self.accesses.iter().flat_map(|a| other.accesses.iter().map(move |b| (a, b)));
        pairs.into_iter().any(|(a, b)| (a.write || b.write) && may_overlap(&a.region, &b.region))
    }

    fn replaced_by(&self, convolution: KnownConvolution, sums: Option<SumsNumber>) -> Part {
        let mut accesses = convolution.accesses();
        accesses.retain(|access| access.space == Space::L1m);
        Part { position: self.position, convolution: Some(convolution), accesses, sums }
    }

    fn joined(&self, next: &Part, limits: &mut Limits) -> Option<Part> {
        let joined = self.convolution.as_ref()?.joined(next.convolution.as_ref()?, limits)?;
        Some(self.replaced_by(joined, None))
    }
}

/// Joins the parts of a program as they come.
pub(super) struct Joiner<'a> {
    handed_on: &'a HandedOn,
    /// Convolutions of which none touches what another one does.
    waiting: Vec<Part>,
    done: Vec<Part>,
    limits: Limits,
}

impl<'a> Joiner<'a> {
    pub fn new(handed_on: &'a HandedOn, limits: Limits) -> Joiner<'a> {
        Joiner { handed_on, waiting: Vec::new(), done: Vec::new(), limits }
    }

    /// Takes the next instruction.
    pub fn take(&mut self, part: Part) {
        if let Some((index, joined)) = self.continued(&part) {
            if let Some(waiting) = self.waiting.get_mut(index) {
                *waiting = joined;
            }
            return self.join();
        }
        if self.waiting.len() >= WAITING || self.waiting.iter().any(|waiting| waiting.touches(&part)) {
            self.release();
        }
        if part.convolution.is_none() {
            return self.done.push(part);
        }
        self.waiting.push(part);
        self.join();
    }

    /// The instructions that are left, in the order in which they can be executed.
    pub fn finish(mut self) -> Vec<Part> {
        self.release();
        self.done
    }

    /// The part that goes on from sums of one that waits, together with it.
    fn continued(&mut self, part: &Part) -> Option<(usize, Part)> {
        let next = part.convolution.as_ref()?;
        next.o.accumulate?;
        let is_for = |waiting: &Part| waiting.sums.is_some_and(|sums| self.handed_on.is_for(sums, part.position));
        let index = self.waiting.iter().position(is_for)?;
        let others = self.waiting.iter().enumerate().filter(|(other, _)| *other != index);
        if others.map(|(_, other)| other).any(|other| other.touches(part)) {
            return None;
        }
        let first = self.waiting.get(index)?;
        let joined = first.convolution.as_ref()?.with_inputs_of(next, &mut self.limits)?;
        Some((index, part.replaced_by(joined, part.sums)))
    }

    /// Joins neighbours among those that wait, as long as it goes.
    fn join(&mut self) {
        let mut index = 0;
        while let Some([first, next, ..]) = self.waiting.get(index..) {
            let Some(joined) = first.joined(next, &mut self.limits) else {
                index += 1;
                continue;
            };
            self.waiting.remove(index + 1);
            if let Some(first) = self.waiting.get_mut(index) {
                *first = joined;
            }
            // It may go on from the one before.
            index = index.saturating_sub(1);
        }
    }

    /// Those that wait need not wait any longer.
    fn release(&mut self) {
        self.done.append(&mut self.waiting);
    }
}

#[cfg(test)]
mod tests;
