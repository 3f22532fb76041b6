//! Which bytes an instruction reads and writes.
//!
//! The sets are exact for written operands. A read operand is its whole view, even where strides of a window skip cells of it:
//! the hardware may fetch them.

use std::fmt;

use super::isa::{Count, DdrView, MemoryRegion, Operation, RANK, View};

/// A memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Local memory.
    L1m,
    /// A region of DDR.
    Ddr(MemoryRegion),
}

impl fmt::Display for Space {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Space::L1m => formatter.write_str("l1m"),
            Space::Ddr(region) => region.fmt(formatter),
        }
    }
}

/// A set of bytes: a run of `bytes` bytes at `base + Σ i_k · strides[k]` for every index below `sizes`.
///
/// Always in normal form: sizes above 1, strides positive and falling, neighbouring runs merged. Rank 0 is one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StridedRegion {
    /// First byte. 128 bits, because an unchecked instruction may place it anywhere, even below 0.
    pub base: i128,
    /// Length of a run.
    pub bytes: u64,
    /// (size, stride), outermost first.
    pub dimensions: Vec<(u64, u64)>,
}

impl StridedRegion {
    /// The bytes of `run`-byte elements at `base`, for `(size, stride)` pairs in any order. `None` when a size is 0.
    pub fn new(base: i128, run: u64, pairs: impl IntoIterator<Item = (u64, i64)>) -> Option<StridedRegion> {
        let mut base = base;
        let mut dimensions: Vec<(u64, u64)> = Vec::new();
        for (size, stride) in pairs {
            if size == 0 {
                return None;
            }
            if stride < 0 {
                base += i128::from(size - 1) * i128::from(stride);
            }
            if size > 1 && stride != 0 {
                dimensions.push((size, stride.unsigned_abs()));
            }
        }
        dimensions.sort_by_key(|dimension| std::cmp::Reverse(dimension.1));
        let mut region = StridedRegion { base, bytes: run, dimensions };
        region.merge();
        Some(region)
    }

    /// Joins dimensions that continue each other.
    fn merge(&mut self) {
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(self.dimensions.len());
        for &(size, stride) in self.dimensions.iter().rev() {
            match merged.last_mut() {
                // The run itself grows while the innermost stride does not leave a gap.
                None if stride <= self.bytes => self.bytes = stride.saturating_mul(size - 1).saturating_add(self.bytes),
                Some(last) if last.1.checked_mul(last.0) == Some(stride) => last.0 = last.0.saturating_mul(size),
                _ => merged.push((size, stride)),
            }
        }
        merged.reverse();
        self.dimensions = merged;
    }

    /// One past the last byte.
    pub fn end(&self) -> i128 {
        let reach = |&(size, stride): &(u64, u64)| i128::from(size - 1) * i128::from(stride);
        self.base + self.dimensions.iter().map(reach).sum::<i128>() + i128::from(self.bytes)
    }

    /// How many runs there are.
    pub fn runs(&self) -> u128 {
        self.dimensions.iter().fold(1, |runs: u128, dimension| runs.saturating_mul(u128::from(dimension.0)))
    }

    /// Sum of the lengths of the runs.
    pub fn total_bytes(&self) -> u128 {
        self.runs().saturating_mul(u128::from(self.bytes))
    }

    /// The runs as (first byte, one past the last), outermost dimension slowest.
    pub fn intervals(&self) -> impl Iterator<Item = (i128, i128)> + '_ {
        let mut index = vec![0u64; self.dimensions.len()];
        let mut next = Some(self.base);
        std::iter::from_fn(move || {
            let start = next?;
            next = advance(&mut index, &self.dimensions, start);
            Some((start, start + i128::from(self.bytes)))
        })
    }

    /// The parts of the runs that lie in `low..high`, without a look at the runs that do not.
    pub fn visit_within(&self, low: i128, high: i128, visit: &mut dyn FnMut(i128, i128)) {
        visit_runs(&self.dimensions, self.base, self.bytes, (low, high), visit);
    }

    /// Whether the two sets share a byte. Exact.
    pub fn overlaps(&self, other: &StridedRegion) -> bool {
        if self.base >= other.end() || other.base >= self.end() {
            return false;
        }
        if self.dimensions.is_empty() && other.dimensions.is_empty() {
            return true;
        }
        // The region with fewer runs asks the other, which answers by descending into its dimensions.
        let (few, many) = if self.runs() <= other.runs() { (self, other) } else { (other, self) };
        few.intervals().any(|(start, end)| touches(&many.dimensions, many.bytes, start - many.base, end - many.base))
    }
}

fn visit_runs(
    dimensions: &[(u64, u64)],
    base: i128,
    bytes: u64,
    (low, high): (i128, i128),
    visit: &mut dyn FnMut(i128, i128),
) {
    let Some((&(size, stride), inner)) = dimensions.split_first() else {
        let (start, end) = (base.max(low), (base + i128::from(bytes)).min(high));
        if start < end {
            visit(start, end);
        }
        return;
    };
    let reach = inner.iter().map(|&(size, stride)| i128::from(size - 1) * i128::from(stride)).sum::<i128>();
    // Index i begins at base + i · stride and ends `reach + bytes` later.
    let stride = i128::from(stride);
    let first = (low - base - reach - i128::from(bytes)).div_euclid(stride) + 1;
    let last = (high - base - 1).div_euclid(stride);
    for index in first.max(0)..=last.min(i128::from(size) - 1) {
        visit_runs(inner, base + index * stride, bytes, (low, high), visit);
    }
}

/// Whether no two elements of `run` bytes at these `(size, stride)` pairs share a byte. Exact for nested strides, cautious
/// (false) for interleaved ones.
pub fn is_injective(run: u64, pairs: impl IntoIterator<Item = (u64, i64)>) -> bool {
    let mut dimensions: Vec<(u64, u64)> =
        pairs.into_iter().filter(|pair| pair.0 > 1).map(|(size, stride)| (size, stride.unsigned_abs())).collect();
    dimensions.sort_by_key(|dimension| dimension.1);
    let mut span = u128::from(run);
    for (size, stride) in dimensions {
        if u128::from(stride) < span {
            return false;
        }
        span += u128::from(size - 1) * u128::from(stride);
    }
    true
}

/// Moves a multi-index on by one and returns the new position, or `None` past the end.
fn advance(index: &mut [u64], dimensions: &[(u64, u64)], position: i128) -> Option<i128> {
    let mut position = position;
    for (place, &(size, stride)) in index.iter_mut().zip(dimensions).rev() {
        *place += 1;
        if *place < size {
            return Some(position + i128::from(stride));
        }
        position -= i128::from(size - 1) * i128::from(stride);
        *place = 0;
    }
    None
}

/// Whether the region at 0 with these dimensions has a byte in `start..end`.
fn touches(dimensions: &[(u64, u64)], bytes: u64, start: i128, end: i128) -> bool {
    let Some((&(size, stride), inner)) = dimensions.split_first() else {
        return start < i128::from(bytes) && end > 0;
    };
    let reach: i128 = inner.iter().map(|&(size, stride)| i128::from(size - 1) * i128::from(stride)).sum();
    let (stride, span) = (i128::from(stride), reach + i128::from(bytes));
    // Index i occupies at most i·stride .. i·stride + span.
    let first = ((start - span).div_euclid(stride) + 1).max(0);
    let last = (end - 1).div_euclid(stride).min(i128::from(size) - 1);
    (first..=last).any(|index| touches(inner, bytes, start - index * stride, end - index * stride))
}

/// One operand of an instruction as a set of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where.
    pub space: Space,
    /// Whether the bytes are written; else they are read.
    pub write: bool,
    /// The name of the instruction's field.
    pub operand: &'static str,
    /// Which bytes.
    pub region: StridedRegion,
}

impl Access {
    /// The first byte and the first one behind the last, within 64 bits: what lies between may be strided over.
    pub fn bounds(&self) -> (u64, u64) {
        let bound = |value: i128| u64::try_from(value.max(0)).unwrap_or(u64::MAX);
        (bound(self.region.base), bound(self.region.end()))
    }
}

/// Collects accesses; an operand without elements touches nothing.
struct Collector(Vec<Access>);

impl Collector {
    fn push(&mut self, space: Space, write: bool, operand: &'static str, region: Option<StridedRegion>) {
        if let Some(region) = region {
            self.0.push(Access { space, write, operand, region });
        }
    }

    fn view<const D: usize>(
        &mut self,
        write: bool,
        operand: &'static str,
        view: &View<D>,
        shape: &[u32; D],
        bytes: u32,
    ) {
        self.push(Space::L1m, write, operand, view.region(shape, bytes));
    }

    fn read<const D: usize>(&mut self, operand: &'static str, view: &View<D>, shape: &[u32; D], bytes: u32) {
        self.view(false, operand, view, shape, bytes);
    }

    fn write<const D: usize>(&mut self, operand: &'static str, view: &View<D>, shape: &[u32; D], bytes: u32) {
        self.view(true, operand, view, shape, bytes);
    }

    fn ddr(&mut self, write: bool, operand: &'static str, view: &DdrView, shape: &[u32; RANK], bytes: u32) {
        self.push(Space::Ddr(view.region), write, operand, view.bytes(shape, bytes));
    }

    fn count(&mut self, count: &Option<Count>) {
        if let Some(count) = count {
            self.read("count", &count.table, &count.shape, COUNT_ENTRY_BYTES);
        }
    }
}

/// Bytes of one entry of an average pool's table: mantissa i32, shift u32.
pub const COUNT_ENTRY_BYTES: u32 = 8;

/// Numbers of a region of interest.
pub const REGION_NUMBERS: u32 = 4;

/// Sizes of rank [`RANK`], ones in front.
pub fn whole([rows, columns, channels]: [u32; 3]) -> [u32; RANK] {
    [1, 1, 1, rows, columns, channels]
}

/// Bytes of one output channel's parameters of a convolution: bias i32, mantissa i32, shift u32.
pub const PARAMETER_BYTES: u32 = 12;

/// Entries (of one byte) of a lookup table.
pub const LOOKUP_ENTRIES: u32 = 256;

/// Bytes of one piece of a curve: start i16, three coefficients i64.
pub const CURVE_PIECE_BYTES: u32 = 26;

impl<const D: usize> View<D> {
    /// The bytes of this view for a shape. `None` when a size is 0.
    pub fn region(&self, shape: &[u32; D], element_bytes: u32) -> Option<StridedRegion> {
        let pairs = shape.iter().zip(&self.strides).map(|(&size, &stride)| (u64::from(size), i64::from(stride)));
        StridedRegion::new(i128::from(self.address), u64::from(element_bytes), pairs)
    }
}

impl DdrView {
    /// The bytes of this view, relative to its region, for a shape. `None` when a size is 0.
    pub fn bytes(&self, shape: &[u32; RANK], element_bytes: u32) -> Option<StridedRegion> {
        let pairs = shape.iter().zip(&self.strides).map(|(&size, &stride)| (u64::from(size), stride));
        StridedRegion::new(i128::from(self.offset), u64::from(element_bytes), pairs)
    }
}

impl Operation {
    /// The operands as sets of bytes: reads first, then the one that is written.
    pub fn accesses(&self) -> Vec<Access> {
        let mut all = Collector(Vec::with_capacity(5));
        match self {
            Operation::Load(o) => {
                all.ddr(false, "source", &o.source, &o.shape, o.element_bytes.into());
                all.write("destination", &o.destination, &o.shape, o.element_bytes.into());
            }
            Operation::Store(o) => {
                all.read("source", &o.source, &o.shape, o.element_bytes.into());
                all.ddr(true, "destination", &o.destination, &o.shape, o.element_bytes.into());
            }
            Operation::Convolution(o) => {
                all.read("input", &o.input, &o.input_shape, o.input_element.bytes());
                all.read("weights", &o.weights, &o.weights_shape(), 1);
                if let Some(accumulate) = &o.accumulate {
                    all.read("accumulate", accumulate, &o.output_shape, 4);
                }
                if let Some(parameters) = &o.parameters {
                    all.read("parameters", parameters, &[o.output_shape[3]], PARAMETER_BYTES);
                }
                all.write("output", &o.output, &o.output_shape, o.output_element.bytes());
            }
            Operation::Add(o) => {
                all.read("a", &o.a, &o.shape, o.a_element.bytes());
                all.read("b", &o.b, &o.shape, o.b_element.bytes());
                all.write("output", &o.output, &o.shape, o.output_element.bytes());
            }
            Operation::Mul(o) => {
                all.read("a", &o.a, &o.shape, o.a_element.bytes());
                all.read("b", &o.b, &o.shape, o.b_element.bytes());
                all.write("output", &o.output, &o.shape, o.output_element.bytes());
            }
            Operation::PRelu(o) => {
                all.read("input", &o.input, &o.shape, o.input_element.bytes());
                all.read("slope", &o.slope, &o.shape, o.slope_element.bytes());
                all.write("output", &o.output, &o.shape, o.output_element.bytes());
            }
            Operation::Requantize(o) => {
                all.read("input", &o.input, &o.shape, o.input_element.bytes());
                all.write("output", &o.output, &o.shape, o.output_element.bytes());
            }
            Operation::Lookup(o) => {
                all.read("input", &o.input, &o.shape, 1);
                all.read("table", &o.table, &[LOOKUP_ENTRIES], 1);
                all.write("output", &o.output, &o.shape, 1);
            }
            Operation::Curve(o) => {
                all.read("input", &o.input, &o.shape, o.input_element.bytes());
                all.read("table", &o.table, &[o.pieces], CURVE_PIECE_BYTES);
                all.write("output", &o.output, &o.shape, o.output_element.bytes());
            }
            Operation::MaxPool(o) => {
                all.read("input", &o.input, &o.input_shape, o.element.bytes());
                if let Some(accumulate) = &o.accumulate {
                    all.read("accumulate", accumulate, &o.output_shape, o.element.bytes());
                }
                all.write("output", &o.output, &o.output_shape, o.element.bytes());
            }
            Operation::AveragePool(o) => {
                all.read("input", &o.input, &o.input_shape, o.input_element.bytes());
                if let Some(accumulate) = &o.accumulate {
                    all.read("accumulate", accumulate, &o.output_shape, 4);
                }
                all.count(&o.count);
                all.write("output", &o.output, &o.output_shape, o.output_element.bytes());
            }
            Operation::RoiResize(o) => {
                // Which cells is known only with the region: it may be any.
                all.ddr(false, "plane", &o.plane, &whole(o.plane_shape), 1);
                all.ddr(false, "region", &o.region, &whole([1, 1, REGION_NUMBERS]), 4);
                all.write("output", &o.output, &o.output_shape, 1);
            }
            // What is lost counts as written: so nothing passes it.
            Operation::Yield(o) => all.write("bytes", &View::new(0, [1]), &[o.bytes], 1),
            Operation::Copy(o) => {
                all.read("source", &o.source, &o.shape, o.element_bytes.into());
                all.write("destination", &o.destination, &o.shape, o.element_bytes.into());
            }
            Operation::Fill(o) => all.write("destination", &o.destination, &o.shape, o.element_bytes.into()),
            Operation::Quantize(o) => {
                all.read("input", &o.input, &o.shape, 4);
                all.write("output", &o.output, &o.shape, o.output_element.bytes());
            }
            Operation::Run(o) => {
                for ((name, view), operand) in o.operands().into_iter().zip(&o.program.operands) {
                    if let Some(view) = view {
                        all.read(name, view, &o.shape, operand.element.bytes());
                    }
                }
                all.write("output", &o.output, &o.output_shape(), o.output_element.bytes());
            }
            Operation::Normalize(o) => {
                all.read("means", &o.means, &o.shape, 4);
                all.read("factors", &o.factors, &o.shape, 4);
                all.read("input", &o.input, &o.shape, 4);
                all.write("output", &o.output, &o.shape, o.output_element.bytes());
            }
            Operation::Dequantize(o) => {
                all.read("input", &o.input, &o.shape, o.input_element.bytes());
                if let Some(scales) = &o.scales {
                    all.read("scales", scales, &o.shape, 4);
                }
                all.write("output", &o.output, &o.shape, 4);
            }
        }
        all.0
    }
}

impl super::isa::Convolution {
    /// Sizes of the weights: output channels, kernel rows, kernel columns, input channels (1 when depthwise).
    pub fn weights_shape(&self) -> [u32; 4] {
        let [rows, columns] = self.window.kernel;
        [self.output_shape[3], rows, columns, if self.depthwise { 1 } else { self.input_shape[3] }]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bytes_of(base: i128, run: u64, pairs: &[(u64, i64)]) -> BTreeSet<i128> {
        let mut starts = vec![base];
        for &(size, stride) in pairs {
            let step = |start: &i128| (0..size).map(|i| start + i128::from(i) * i128::from(stride)).collect::<Vec<_>>();
            starts = starts.iter().flat_map(step).collect();
        }
        starts.iter().flat_map(|start| (0..run).map(move |i| start + i128::from(i))).collect()
    }

    #[test]
    fn contiguous_dimensions_become_one_run() {
        let region = StridedRegion::new(64, 2, [(4, 48), (3, 16), (8, 2)]).unwrap();
        assert_eq!(region, StridedRegion { base: 64, bytes: 192, dimensions: vec![] });
    }

    #[test]
    fn a_channel_slice_keeps_one_run_per_pixel() {
        let region = StridedRegion::new(0, 1, [(5, 640), (10, 64), (16, 1)]).unwrap();
        assert_eq!(region, StridedRegion { base: 0, bytes: 16, dimensions: vec![(50, 64)] });
        assert_eq!(region.end(), 49 * 64 + 16);
    }

    proptest! {
        #[test]
        fn normal_form_keeps_the_bytes(
            base in 0i128..100, run in 1u64..5,
            pairs in prop::collection::vec((1u64..5, -20i64..20), 0..4),
        ) {
            let region = StridedRegion::new(base, run, pairs.clone()).unwrap();
            let expected = bytes_of(base, run, &pairs);
            let found: BTreeSet<i128> = region.intervals().flat_map(|(start, end)| start..end).collect();
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(region.base, *expected.first().unwrap());
            prop_assert_eq!(region.end(), expected.last().unwrap() + 1);
            if is_injective(run, pairs.clone()) {
                let elements: u64 = pairs.iter().map(|pair| pair.0).product();
                prop_assert_eq!((run * elements) as usize, expected.len());
            }
        }

        #[test]
        fn a_part_has_the_bytes_that_lie_in_it(
            base in -50i128..100, run in 1u64..5, low in -60i128..150, size in 0i128..60,
            pairs in prop::collection::vec((1u64..5, -20i64..20), 0..4),
        ) {
            let region = StridedRegion::new(base, run, pairs.clone()).unwrap();
            let mut found = BTreeSet::new();
            region.visit_within(low, low + size, &mut |start, end| found.extend(start..end));
            let expected: BTreeSet<i128> =
                bytes_of(base, run, &pairs).into_iter().filter(|byte| (low..low + size).contains(byte)).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn overlap_is_exact(
            base in 0i128..60, run in 1u64..4, other_run in 1u64..4,
            pairs in prop::collection::vec((1u64..5, -20i64..20), 0..4),
            other in prop::collection::vec((1u64..5, -20i64..20), 0..4),
        ) {
            let one = StridedRegion::new(base, run, pairs.clone()).unwrap();
            let two = StridedRegion::new(30, other_run, other.clone()).unwrap();
            let shared = !bytes_of(base, run, &pairs).is_disjoint(&bytes_of(30, other_run, &other));
            prop_assert_eq!(one.overlaps(&two), shared);
            prop_assert_eq!(two.overlaps(&one), shared);
        }
    }
}
