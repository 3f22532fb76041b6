//! Groups in stripes: which rows each node makes when, and which bytes of what it reads are needed for them.
//!
//! A row of a node's result is the part of its first dimension with more than one index; rows lie behind each other. Which bytes of an
//! operand some rows need follows from [`TileDimension::backward`], so windows, strides and slices need no case of their own. Inputs and
//! outputs of the program whose rows are not outermost are moved as boxes, by the tiles themselves.

use std::collections::{BTreeMap, HashMap};

use super::super::isa::{Engine, MemoryRegion};
use super::super::region::{Extent, Region};
use super::super::tile::{OperandRole, TileDimension, TileMemory, TileOperand, TilePlacement, Tiled};
use super::storage::Storage;
use super::{Builder, Lag, LowerError, NodeGroup, Steps};
use crate::bpu::model::{BpuNode, Segment, TensorId};
use crate::target::Target;

/// A node of a group.
pub struct Member {
    /// Its index in the segment.
    pub node: usize,
    /// What it makes.
    pub storage: usize,
    /// Its tiles store what they make in DDR themselves.
    pub stores: bool,
    /// Bytes of a row.
    pub unit: u64,
    pub rows: usize,
    /// Where most of its instructions run.
    pub engine: Engine,
    parts: Vec<Part>,
}

/// The rows that one instruction form of a node makes.
struct Part {
    /// The loop over them; none where there is but one.
    axis: Option<usize>,
    first: usize,
    count: usize,
}

/// Bytes of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub storage: usize,
    pub low: u64,
    pub high: u64,
}

impl Member {
    /// A node with its forms, where its rows can be made one after the other; none for others.
    fn new(builder: &Builder<'_>, index: usize, node: &BpuNode, steps: &Steps) -> Option<Member> {
        let [id] = node.outputs.as_slice() else { return None };
        let member = match builder.storage.paged(builder.segment, *id) {
            Some(placement) => Member::paged(builder, index, &placement, steps)?,
            None => Member::storing(builder, index, *id, steps)?,
        };
        let legal = |step: &dyn Tiled, part: &Part| {
            part.tile(step, part.first, part.first + 1).is_some_and(|tile| step.legal(&tile.shape()))
        };
        steps.iter().zip(&member.parts).all(|(step, part)| legal(step.as_ref(), part)).then_some(member)
    }

    /// One whose result is in local memory, row behind row.
    fn paged(builder: &Builder<'_>, node: usize, placement: &TilePlacement, steps: &Steps) -> Option<Member> {
        let TileMemory::Paged { storage, offset: 0 } = placement.memory else { return None };
        let (bytes, _) = builder.storage.home(storage)?;
        let sized = placement.shape.iter().zip(&placement.strides).filter(|(size, _)| **size > 1);
        let (&rows, &unit) = sized.max_by_key(|(_, stride)| **stride)?;
        let unit = u64::try_from(unit).ok().filter(|&unit| unit > 0)?;
        // All of the storage is the work of one node.
        if unit.checked_mul(rows as u64)? != bytes || steps.is_empty() {
            return None;
        }
        let (unit, rows) = blocks(steps, unit, rows)?;
        let parts = steps.iter().map(|step| Part::new(step.as_ref(), storage, unit)).collect::<Option<Vec<Part>>>()?;
        Some(Member { node, storage, stores: false, unit, rows, engine: steps.first()?.engine(), parts })
    }

    /// One whose result is an output of the program that is stored as boxes of rows.
    fn storing(builder: &Builder<'_>, node: usize, id: TensorId, steps: &Steps) -> Option<Member> {
        let dimension = builder.storage.row_dimension(id)?;
        let placement = builder.storage.placement(builder.segment, id).ok()?;
        let storage = builder.storage.number(id)?;
        let (bytes, home) = builder.storage.home(storage)?;
        let (&rows, &stride) = (placement.shape.get(dimension)?, placement.strides.get(dimension)?);
        let ([step], true) = (steps.as_slice(), home.is_some()) else { return None };
        let parts = vec![Part::boxes(step.as_ref(), (rows, stride))?];
        Some(Member { node, storage, stores: true, unit: bytes / rows as u64, rows, engine: step.engine(), parts })
    }

    /// The tile of each form for rows `from..to`; none where it has no part in them.
    pub fn tiles<'s>(
        &'s self,
        steps: &'s Steps,
        from: usize,
        to: usize,
    ) -> impl Iterator<Item = (usize, &'s dyn Tiled, Region)> + 's {
        let parts = steps.iter().zip(&self.parts).enumerate();
        parts.filter_map(move |(index, (step, part))| {
            part.tile(step.as_ref(), from, to).map(|tile| (index, step.as_ref(), tile))
        })
    }

    /// What rows `from..to` need of storages.
    pub fn needs(&self, steps: &Steps, from: usize, to: usize) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for (_, step, tile) in self.tiles(steps, from, to) {
            for operand in step.operands() {
                let Some(span) = span(operand, &tile) else { continue };
                match spans.iter_mut().find(|known| known.storage == span.storage) {
                    Some(known) => {
                        (known.low, known.high) = (known.low.min(span.low), known.high.max(span.high));
                    }
                    None => spans.push(span),
                }
            }
        }
        spans
    }

    /// Whether it reads rows of a storage again for the rows behind the middle, as windows do for all.
    fn keeps(&self, steps: &Steps, storage: usize) -> bool {
        let of = |from: usize, to: usize| self.needs(steps, from, to).into_iter().find(|span| span.storage == storage);
        let half = self.rows / 2;
        of(0, half).zip(of(half, self.rows)).is_some_and(|(first, second)| second.low < first.high)
    }

    /// Bytes that tiles for rows `from..to` load or store themselves, but for constants.
    pub fn boxes(&self, steps: &Steps, from: usize, to: usize) -> u64 {
        let mut bytes = 0u64;
        for (_, step, tile) in self.tiles(steps, from, to) {
            for operand in step.operands() {
                if let Some(TileMemory::Ddr { region, .. }) = operand.placement().map(|placement| placement.memory)
                    && region != MemoryRegion::Constants
                {
                    let elements = operand.backward(&tile).elements() as u64;
                    bytes = bytes.saturating_add(elements.saturating_mul(operand.element_bytes() as u64));
                }
            }
        }
        bytes
    }

    /// Cycles of the instructions for rows `from..to`.
    pub fn cycles(&self, steps: &Steps, target: &Target, from: usize, to: usize) -> u64 {
        self.tiles(steps, from, to).map(|(_, step, tile)| step.cycles(target, &tile.shape())).sum()
    }

    /// The first row behind `bytes` of the result.
    fn rows_for(&self, bytes: u64) -> usize {
        usize::try_from(bytes.div_ceil(self.unit)).unwrap_or(usize::MAX).min(self.rows)
    }
}

/// Rows that a form makes only together count as one.
fn blocks(steps: &Steps, unit: u64, rows: usize) -> Option<(u64, usize)> {
    let outermost = |step: &dyn Tiled| {
        let mut written = step.operands().iter().filter_map(|operand| match &operand.role {
            OperandRole::Write(placement) => Some(placement),
            _ => None,
        });
        let placement = written.next()?;
        let sized = placement.shape.iter().zip(&placement.strides).filter(|(size, _)| **size > 1);
        sized.filter_map(|(_, &stride)| u64::try_from(stride).ok()).max()
    };
    let block = steps.iter().filter_map(|step| outermost(step.as_ref())).max().unwrap_or(unit).max(unit) / unit;
    let block = usize::try_from(block).ok()?;
    rows.is_multiple_of(block).then_some((unit * block as u64, rows / block))
}

/// What a tile reads of a storage.
fn span(operand: &TileOperand, tile: &Region) -> Option<Span> {
    let OperandRole::Read(placement) = &operand.role else { return None };
    let TileMemory::Paged { storage, .. } = placement.memory else { return None };
    let (low, high) = placement.span(&operand.backward(tile))?;
    Some(Span { storage, low, high })
}

impl Part {
    /// Rows of so many bytes between neighbours, in DDR.
    fn boxes(step: &dyn Tiled, (rows, between): (usize, i64)) -> Option<Part> {
        let mut written = step.operands().iter().filter_map(|operand| match &operand.role {
            OperandRole::Write(placement) => Some((placement, &operand.dimensions)),
            _ => None,
        });
        let (Some((placement, dimensions)), None) = (written.next(), written.next()) else { return None };
        let mut sized = dimensions.iter().zip(&placement.shape).zip(&placement.strides);
        let ((dimension, _), _) = sized.find(|((_, size), stride)| **size == rows && **stride == between)?;
        let TileDimension::Axis(axis) = *dimension else { return None };
        (!step.axes().get(axis)?.reduction).then_some(Part { axis: Some(axis), first: 0, count: rows })
    }

    fn new(step: &dyn Tiled, storage: usize, unit: u64) -> Option<Part> {
        let mut written = step.operands().iter().filter_map(|operand| match &operand.role {
            OperandRole::Write(placement) => Some((placement, &operand.dimensions)),
            _ => None,
        });
        let (Some((placement, dimensions)), None) = (written.next(), written.next()) else { return None };
        let TileMemory::Paged { storage: own, offset } = placement.memory else { return None };
        if own != storage {
            return None;
        }
        let first = usize::try_from(offset / unit).ok()?;
        let mut within = offset % unit + placement.element_bytes as u64;
        let (mut axis, mut count) = (None, 1);
        for ((dimension, &size), &stride) in dimensions.iter().zip(&placement.shape).zip(&placement.strides) {
            let stride = u64::try_from(stride).ok()?;
            if size > 1 && stride == unit {
                let TileDimension::Axis(index) = *dimension else { return None };
                // One tile covers all reductions, and the rows in any number.
                if axis.is_some() || step.axes().get(index)?.reduction {
                    return None;
                }
                (axis, count) = (Some(index), size);
            } else {
                within = within.checked_add(stride.checked_mul(size.checked_sub(1)? as u64)?)?;
            }
        }
        // Everything else lies within a row.
        (within <= unit).then_some(Part { axis, first, count })
    }

    fn tile(&self, step: &dyn Tiled, from: usize, to: usize) -> Option<Region> {
        let (from, to) = (from.max(self.first), to.min(self.first + self.count));
        if from >= to {
            return None;
        }
        let mut tile = Region(step.axes().iter().map(|axis| Extent::whole(axis.size)).collect());
        if let Some(extent) = self.axis.and_then(|axis| tile.0.get_mut(axis)) {
            *extent = Extent::new(from - self.first, to - self.first);
        }
        Some(tile)
    }
}

/// The nodes of a group in order, with their forms.
pub type Members<'s> = [(&'s Member, &'s Steps)];

/// Which rows exist after a stripe: for each member so many of its first ones.
pub fn rows_after(
    members: &Members<'_>,
    leaves: &dyn Fn(usize) -> bool,
    (stripe, pieces): (usize, usize),
) -> Vec<usize> {
    let mut needed: HashMap<usize, u64> = HashMap::new();
    let mut rows = vec![0; members.len()];
    for ((member, steps), rows) in members.iter().zip(&mut rows).rev() {
        let mut own = needed.get(&member.storage).map_or(0, |&bytes| member.rows_for(bytes));
        if leaves(member.storage) {
            // Rows in equal parts; the last stripe has what is left.
            own = own.max(member.rows * (stripe + 1) / pieces.max(1));
        }
        *rows = own;
        if own > 0 {
            for span in member.needs(steps, 0, own) {
                let high = needed.entry(span.storage).or_default();
                *high = span.high.max(*high);
            }
        }
    }
    rows
}

/// A group in all its stripes.
pub struct Stripes {
    /// Per member, the rows that exist after each stripe.
    rows: Vec<Vec<usize>>,
    /// Per storage, the lowest byte that is needed from each stripe on.
    low: BTreeMap<usize, Vec<u64>>,
    /// Per storage that the group only reads, the end of what each stripe needs.
    high: BTreeMap<usize, Vec<u64>>,
    /// Per member, by how many stripes it comes later than the first.
    lags: Vec<usize>,
    pieces: usize,
}

/// By how many stripes each member is behind.
pub fn lags(members: &Members<'_>, between: Lag) -> Vec<usize> {
    let mut made: HashMap<usize, (usize, Engine)> = HashMap::new();
    let mut lags = Vec::with_capacity(members.len());
    for (member, steps) in members {
        let needs = member.needs(steps, 0, member.rows);
        let before = needs.iter().filter_map(|span| Some((span.storage, made.get(&span.storage)?)));
        let behind = before.map(|(storage, &(lag, engine))| match () {
            () if engine != member.engine => lag + between.handed,
            () if between.kept > 0 && member.keeps(steps, storage) => lag + between.kept,
            () => lag,
        });
        let lag = behind.max().unwrap_or(0);
        made.insert(member.storage, (lag, member.engine));
        lags.push(lag);
    }
    lags
}

impl Stripes {
    /// `leaves` says of a storage whether something outside of the group needs it.
    pub fn new(members: &Members<'_>, leaves: &dyn Fn(usize) -> bool, (pieces, lag): (usize, Lag)) -> Stripes {
        let mut rows = vec![Vec::with_capacity(pieces); members.len()];
        for stripe in 0..pieces {
            for (all, now) in rows.iter_mut().zip(rows_after(members, leaves, (stripe, pieces))) {
                all.push(now);
            }
        }
        let (mut low, mut high) = (BTreeMap::new(), BTreeMap::<usize, Vec<u64>>::new());
        for ((member, steps), rows) in members.iter().zip(&rows) {
            let mut from = 0;
            let mut own: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
            for (stripe, &to) in rows.iter().enumerate() {
                for span in if to > from { member.needs(steps, from, to) } else { Vec::new() } {
                    let entry = |all: &mut Vec<u64>, value: u64, keep: fn(u64, u64) -> u64| {
                        if let Some(entry) = all.get_mut(stripe) {
                            *entry = keep(*entry, value);
                        }
                    };
                    entry(own.entry(span.storage).or_insert(vec![u64::MAX; pieces]), span.low, u64::min);
                    entry(high.entry(span.storage).or_insert(vec![0; pieces]), span.high, u64::max);
                }
                from = to.max(from);
            }
            for (storage, own) in own {
                let all: &mut Vec<u64> = low.entry(storage).or_insert(vec![u64::MAX; pieces]);
                all.iter_mut().zip(own).for_each(|(all, own)| *all = (*all).min(own));
            }
        }
        for all in low.values_mut() {
            let mut least = u64::MAX;
            for entry in all.iter_mut().rev() {
                least = least.min(*entry);
                *entry = least;
            }
        }
        for all in high.values_mut() {
            let mut most = 0;
            for entry in all.iter_mut() {
                most = most.max(*entry);
                *entry = most;
            }
        }
        Stripes { rows, low, high, lags: lags(members, lag), pieces }
    }

    /// (member, stripe) in the order of the program.
    pub fn order(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let last = self.lags.iter().max().copied().unwrap_or(0);
        (0..self.pieces + last).flat_map(move |moment| {
            let due = move |(member, &lag): (usize, &usize)| {
                moment.checked_sub(lag).filter(|&stripe| stripe < self.pieces).map(|stripe| (member, stripe))
            };
            self.lags.iter().enumerate().filter_map(due)
        })
    }

    /// The rows that a member makes in a stripe.
    pub fn rows(&self, member: usize, stripe: usize) -> (usize, usize) {
        let after = |stripe: usize| self.rows.get(member).and_then(|rows| rows.get(stripe)).copied().unwrap_or(0);
        let before = stripe.checked_sub(1).map_or(0, after);
        (before, after(stripe).max(before))
    }

    /// The first byte of a storage that is needed from a stripe on; none where nothing is.
    pub fn low(&self, storage: usize, stripe: usize) -> Option<u64> {
        self.low.get(&storage)?.get(stripe).copied().filter(|&low| low != u64::MAX)
    }

    /// The end of what is needed up to a stripe, of a storage that comes from outside.
    pub fn high(&self, storage: usize, stripe: usize) -> u64 {
        self.high.get(&storage).and_then(|all| all.get(stripe)).copied().unwrap_or(0)
    }
}

/// Every node of a segment as a member of a group, where it can be one.
pub struct Rows<'a> {
    storage: Storage,
    nodes: Vec<Option<(Member, Steps)>>,
    /// Per node, the first and the last that know what it reads or makes by rows that are not outermost: one group has all of them.
    together: Vec<Option<(usize, usize)>>,
    /// Nodes that rename what others make, and do nothing.
    silent: Vec<bool>,
    pub target: &'a Target,
}

impl<'a> Rows<'a> {
    /// Looks at each node as if all were one group.
    pub fn new(segment: &'a Segment, target: &'a Target) -> Result<Rows<'a>, LowerError> {
        let all = [NodeGroup { first: 0, end: segment.nodes.len(), pieces: 1, lag: Lag::default() }];
        let mut builder = Builder::new(segment, target, &[], &all)?;
        builder.grouped = true;
        let (mut nodes, mut silent, mut together) = (Vec::new(), Vec::new(), Vec::new());
        for (index, node) in segment.nodes.iter().enumerate() {
            let storage = &builder.storage;
            let turned = node.inputs.iter().chain(&node.outputs).filter(|id| storage.is_turned_inside(**id));
            let lives = turned.filter_map(|id| storage.life(storage.number(*id)?));
            together.push(lives.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1))));
            // What has no form here has one outside of groups.
            let steps = builder.steps(node).unwrap_or_default();
            silent.push(steps.is_empty());
            nodes.push(Member::new(&builder, index, node, &steps).map(|member| (member, steps)));
        }
        Ok(Rows { storage: builder.storage, nodes, together, silent, target })
    }

    /// A node as a member of some group.
    pub fn member(&self, node: usize) -> Option<(&Member, &Steps)> {
        self.nodes.get(node)?.as_ref().map(|(member, steps)| (member, steps))
    }

    /// Whether a node can be in a group.
    pub fn can_be_member(&self, node: usize) -> bool {
        self.member(node).is_some() || self.silent.get(node) == Some(&true)
    }

    /// The members of a group; none where one of its nodes cannot be one, or not without others.
    pub fn members(&self, first: usize, end: usize) -> Option<Vec<(&Member, &Steps)>> {
        let apart = |together: &Option<(usize, usize)>| together.is_some_and(|(from, to)| from < first || to >= end);
        if self.together.get(first..end)?.iter().any(apart) {
            return None;
        }
        let mut members = Vec::with_capacity(end - first);
        for (node, silent) in self.nodes.get(first..end)?.iter().zip(self.silent.get(first..end)?) {
            match node {
                Some((member, steps)) => members.push((member, steps)),
                None if *silent => {}
                None => return None,
            }
        }
        Some(members)
    }

    /// Whether something outside of nodes `first..end` needs a storage.
    pub fn leaves(&self, (first, end): (usize, usize), storage: usize) -> bool {
        self.storage.home(storage).is_some_and(|(_, ddr)| ddr.is_some())
            || self.storage.life(storage).is_none_or(|(from, to)| from < first || to >= end)
    }

    /// Size of a storage, and the nodes between which it matters.
    pub fn storage(&self, storage: usize) -> Option<(u64, (usize, usize))> {
        Some((self.storage.home(storage)?.0, self.storage.life(storage)?))
    }
}
