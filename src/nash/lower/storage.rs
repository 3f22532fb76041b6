//! Homes of tensors: which bytes of which memory.
//!
//! A reshape renames the bytes of its operand, and what is joined is made in its part of the result (`joined`), so
//! tensors share *storages*. A storage lies in an input, in the constants, in an output, in the workspace, or stays in L1M (*resident*).

use super::super::allocate::{LiveBuffer, Solution, allocate, allocate_some, verify};
use super::super::isa::MemoryRegion;
use super::super::tile::view::strides_in_order;
use super::super::tile::{TileMemory, TilePlacement, dense_strides};
use super::LowerError;
use super::constants::Image;
use super::joined::{JoinedPart, joined_parts};
use super::plan::{NodeGroup, Resident};
use super::turned::row_dimensions;
use crate::bpu::model::{BpuElement, BpuTensor, Operator, Segment, TensorId};
use crate::target::Target;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Start of every tensor in the workspace.
pub const ALIGNMENT: u64 = 64;

/// A run of bytes that one or more tensors name.
#[derive(Clone, Debug)]
struct Place {
    /// The tensor that named it first.
    tensor: usize,
    bytes: u64,
    /// Nodes between which its contents matter.
    first: usize,
    last: usize,
    /// How often a node reads it.
    reads: u64,
    /// Its bytes are part of the constants, from when it is first asked for.
    constant: bool,
    /// Only nodes of one group know it: there is never more of it than the rows that are needed.
    inner: bool,
    /// As `first` and `last`, whatever the groups are.
    nodes: (usize, usize),
    memory: Option<TileMemory>,
}

impl Place {
    /// Whether it wants a home and has none.
    fn is_free(&self) -> bool {
        self.memory.is_none() && !self.constant && !self.inner
    }

    /// What it takes of L1M when it stays there.
    fn buffer(&self, target: &Target) -> LiveBuffer {
        LiveBuffer { bytes: self.bytes, alignment: target.l1m_alignment(), first: self.first, last: self.last }
    }
}

/// An output that is a copy of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct OutputCopy {
    pub tensor: TensorId,
    pub output: usize,
    /// The node that makes the tensor.
    pub node: Option<usize>,
}

/// The memory so many bytes behind another.
fn behind(memory: TileMemory, bytes: u64) -> TileMemory {
    match memory {
        TileMemory::Paged { storage, offset } => TileMemory::Paged { storage, offset: offset + bytes },
        TileMemory::Ddr { region, offset } => TileMemory::Ddr { region, offset: offset + bytes },
        TileMemory::Local { address } => TileMemory::Local { address: address + bytes },
    }
}

pub struct Storage {
    /// By the number of the tensor that named it first: so a storage has the same number whatever the groups are.
    places: BTreeMap<usize, Place>,
    /// Per tensor, its place and how far behind its start the tensor begins.
    of_tensor: Vec<Option<(usize, u64)>>,
    /// Outputs that are made elsewhere first.
    copies: Vec<OutputCopy>,
    workspace: u64,
    /// Per tensor, the dimension of its rows where that is not its outermost.
    turned: Vec<Option<usize>>,
    /// Bytes between neighbours of tensors with gaps: inputs, and parts of what is joined.
    strides: HashMap<TensorId, Vec<i64>>,
    /// Tensors that stay in L1M, with their addresses.
    residents: Vec<(LiveBuffer, u64)>,
    /// The largest part of L1M that no resident takes, at each moment at which there is one.
    pools: Vec<(u64, u64)>,
}

/// Whether a tensor is so small that it mostly finds room in local memory.
pub fn is_small(tensor: &BpuTensor, target: &Target) -> bool {
    tensor.byte_count().is_some_and(|bytes| bytes as u64 <= target.l1m_bytes() / 16)
}

/// Whether a node joins pieces that are shorter than a burst, in something small: then it is put together in local memory.
fn is_scattered(segment: &Segment, node: usize, target: &Target) -> bool {
    let Some(node) = segment.nodes.get(node) else { return false };
    let Operator::Concat { axis } = &node.operator else { return false };
    let tensor = |id: &TensorId| segment.tensor(*id);
    let small = node.outputs.first().and_then(tensor).is_some_and(|joined| is_small(joined, target));
    let piece = |part: &BpuTensor| {
        let whole = part.shape.get(*axis..).unwrap_or_default().iter().product::<usize>();
        (whole as u64).saturating_mul(part.element.bytes().into())
    };
    let one = |part: &BpuTensor| part.shape.iter().take(*axis).all(|&size| size == 1);
    small && node.inputs.iter().filter_map(tensor).any(|part| !one(part) && piece(part) < target.ddr.burst_bytes.value)
}

/// The largest part of L1M that none of these buffers takes, moment by moment until the last of them is gone.
fn pools(buffers: &[(LiveBuffer, u64)], target: &Target) -> Vec<(u64, u64)> {
    let mut coming: Vec<&(LiveBuffer, u64)> = buffers.iter().collect();
    coming.sort_by_key(|(buffer, _)| Reverse(buffer.first));
    let moments = buffers.iter().map(|(buffer, _)| buffer.last.saturating_add(1)).max().unwrap_or(0);
    // By rising address.
    let mut alive: Vec<&(LiveBuffer, u64)> = Vec::new();
    let place = |&&(buffer, address): &&(LiveBuffer, u64)| (address, buffer.bytes);
    let mut pools = Vec::with_capacity(moments);
    for time in 0..moments {
        alive.retain(|(buffer, _)| buffer.last >= time);
        while let Some(next) = coming.pop_if(|(buffer, _)| buffer.first <= time) {
            alive.insert(alive.partition_point(|known| place(known) < place(&next)), next);
        }
        let taken = alive.iter().map(|&&(buffer, address)| (address, address + buffer.bytes));
        let (mut best, mut free) = ((0, 0), 0u64);
        for (start, end) in taken.chain([(target.l1m_bytes(), target.l1m_bytes())]) {
            if start.saturating_sub(free) > best.1 - best.0 {
                best = (free, start);
            }
            free = free.max(end).next_multiple_of(target.l1m_alignment().max(1));
        }
        pools.push(best);
    }
    pools
}

/// Dense size of a tensor.
pub fn byte_count(tensor: &BpuTensor) -> Result<u64, LowerError> {
    let bytes = tensor.byte_count().map(|bytes| bytes as u64).filter(|&bytes| bytes <= i64::MAX as u64);
    bytes.ok_or_else(|| LowerError::Malformed(format!("tensor '{}' is too large to address", tensor.name)))
}

/// Channels of the planes that a camera writes, whose rows begin at multiples of a number of bytes: luma and pairs of chroma.
const MOST_PLANE_CHANNELS: usize = 2;

/// Bytes between neighbours of an input or output as its user sees it: without gaps, but for the rows of a camera's planes.
pub fn port_strides(tensor: &BpuTensor, target: &Target) -> Vec<i64> {
    let mut strides = dense_strides(&tensor.shape, tensor.element.bytes() as usize);
    if tensor.element == BpuElement::U8
        && let (&[_, rows, columns, channels], [batch, row, ..]) = (tensor.shape.as_slice(), strides.as_mut_slice())
        && channels <= MOST_PLANE_CHANNELS
    {
        // Sizes of a tensor that was verified: 2 GiB at most.
        *row = (columns * channels).next_multiple_of(target.ddr.stride_alignment.value.max(1) as usize) as i64;
        *batch = row.saturating_mul(rows as i64);
    }
    strides
}

/// Bytes of the region of an input or output.
pub fn port_bytes(tensor: &BpuTensor, strides: &[i64]) -> Result<u64, LowerError> {
    byte_count(tensor)?;
    let whole = tensor
        .shape
        .first()
        .zip(strides.first())
        .and_then(|(&size, stride)| stride.unsigned_abs().checked_mul(size as u64));
    Ok(whole.unwrap_or(u64::from(tensor.element.bytes())))
}

fn region_index(index: usize) -> Result<u16, LowerError> {
    u16::try_from(index)
        .map_err(|_| LowerError::Malformed(format!("there are more than {} inputs or outputs", u16::MAX)))
}

impl Storage {
    /// Gives every tensor a home, but for constants, which [`Storage::keep`] puts into theirs when they are asked for.
    pub fn new(
        segment: &Segment,
        target: &Target,
        residents: &[Resident],
        groups: &[NodeGroup],
    ) -> Result<Self, LowerError> {
        let mut storage = Self::places(segment, target, groups)?;
        storage.gather(groups);
        for id in &segment.inputs {
            if let Some(tensor) = segment.tensor(*id) {
                storage.strides.insert(*id, port_strides(tensor, target));
            }
        }
        storage.settle(target, residents)?;
        storage.allocate_workspace()?;
        Ok(storage)
    }

    /// What only one group knows needs no home; what others know too lives as long as the group does.
    fn gather(&mut self, groups: &[NodeGroup]) {
        for place in self.places.values_mut() {
            place.nodes = (place.first, place.last);
            let of = |node: usize| NodeGroup::of(groups, node);
            let (first, last) = (of(place.first), of(place.last));
            place.inner = place.is_free() && first.is_some() && first == last;
            place.first = first.map_or(place.first, |group| group.first);
            place.last = last.map_or(place.last, |group| group.end - 1);
        }
    }

    /// The storage of a tensor as a group sees it that has it in parts: its number and where in it the tensor begins. None for what is
    /// in local memory as a whole, for constants, and for inputs with gaps; and for inputs and outputs whose rows are boxes.
    pub fn paged(&self, segment: &Segment, id: TensorId) -> Option<TilePlacement> {
        let (storage, offset) = self.of_tensor.get(id.0).copied().flatten()?;
        let place = self.places.get(&storage)?;
        let whole = place.constant || matches!(place.memory, Some(TileMemory::Local { .. }));
        let tensor = segment.tensor(id)?;
        let bytes = tensor.element.bytes() as usize;
        let dense = TilePlacement::dense(TileMemory::Paged { storage, offset }, &tensor.shape, bytes);
        if let Some(rows) = self.row_dimension(id) {
            let order: Vec<usize> =
                std::iter::once(rows).chain((0..tensor.shape.len()).filter(|&other| other != rows)).collect();
            return place
                .inner
                .then(|| TilePlacement { strides: strides_in_order(&tensor.shape, &order, bytes), ..dense });
        }
        let gaps = self.strides.get(&id).is_some_and(|strides| *strides != dense.strides);
        (!whole && !gaps).then_some(dense)
    }

    /// The dimension of a tensor's rows where that is not its outermost.
    pub fn row_dimension(&self, id: TensorId) -> Option<usize> {
        self.turned.get(id.0).copied().flatten()
    }

    /// Whether a tensor's rows are not outermost, and it is neither an input nor an output.
    pub fn is_turned_inside(&self, id: TensorId) -> bool {
        let place = self.number(id).and_then(|number| self.places.get(&number));
        self.row_dimension(id).is_some() && place.is_some_and(|place| place.inner || place.is_free())
    }

    /// The storage that a tensor lies in.
    pub fn number(&self, id: TensorId) -> Option<usize> {
        self.of_tensor.get(id.0).copied().flatten().map(|(storage, _)| storage)
    }

    /// Size of a storage, and where in DDR it lies, if it does.
    pub fn home(&self, storage: usize) -> Option<(u64, Option<(MemoryRegion, u64)>)> {
        let place = self.places.get(&storage)?;
        let ddr = match place.memory {
            Some(TileMemory::Ddr { region, offset }) => Some((region, offset)),
            _ => None,
        };
        Some((place.bytes, ddr))
    }

    /// The nodes between which a storage matters.
    pub fn life(&self, storage: usize) -> Option<(usize, usize)> {
        self.places.get(&storage).map(|place| place.nodes)
    }

    /// Whether a storage is in local memory as a whole.
    pub fn stays(&self, storage: usize) -> bool {
        self.places.get(&storage).is_some_and(|place| matches!(place.memory, Some(TileMemory::Local { .. })))
    }

    /// Puts a constant into the image, if it is not there. So constants lie in the order of their first use, and neighbours can be
    /// loaded together.
    pub fn keep(&mut self, segment: &Segment, id: TensorId, image: &mut Image) {
        let Some(place) = self.place_mut(id.0).filter(|place| place.constant && place.memory.is_none()) else { return };
        if let Some(data) = segment.tensors.get(place.tensor).and_then(|tensor| tensor.data.clone()) {
            place.memory = Some(image.add(data));
        }
    }

    /// Gives residents their addresses. They may come from a file, so all that is relied on is checked.
    fn settle(&mut self, target: &Target, residents: &[Resident]) -> Result<(), LowerError> {
        let mut buffers = Vec::with_capacity(residents.len());
        for resident in residents {
            let place = self.place_mut(resident.tensor);
            let free = |place: &&mut Place| place.is_free() && place.bytes == resident.bytes;
            let place = place.filter(free);
            let place =
                place.ok_or_else(|| LowerError::Plan(format!("tensor {} cannot stay in L1M", resident.tensor)))?;
            place.memory = Some(TileMemory::Local { address: resident.address });
            buffers.push(place.buffer(target));
        }
        let addresses = residents.iter().map(|resident| resident.address).collect();
        let solution = Solution { addresses, bytes: target.l1m_bytes() };
        verify(&buffers, target.l1m_bytes(), &solution)?;
        self.residents = buffers.into_iter().zip(solution.addresses).collect();
        self.pools = pools(&self.residents, target);
        Ok(())
    }

    /// The largest part of L1M that no resident tensor takes while node `time` runs: first byte and one past the last.
    pub fn pool(&self, target: &Target, time: usize) -> (u64, u64) {
        self.pools.get(time).copied().unwrap_or((0, target.l1m_bytes()))
    }

    /// The residents in positions of drafts: `times` has the first draft of every node, and the end.
    pub fn settled(&self, times: &[usize]) -> Vec<(LiveBuffer, u64)> {
        let end = times.last().copied().unwrap_or(0);
        let begin = |time: usize| times.get(time).copied().unwrap_or(end);
        let settled = self.residents.iter().map(|&(buffer, address)| {
            let first = begin(buffer.first);
            let last = begin(buffer.last.saturating_add(1)).saturating_sub(1).max(first);
            (LiveBuffer { first, last, ..buffer }, address)
        });
        settled.collect()
    }

    /// The residents that live while node `time` runs, the largest first.
    pub fn residents_at(&self, time: usize) -> Vec<usize> {
        let alive = |buffer: &LiveBuffer| buffer.first <= time && time <= buffer.last;
        let mut indices: Vec<usize> = (0..self.residents.len()).collect();
        indices.retain(|&index| self.residents.get(index).is_some_and(|(buffer, _)| alive(buffer)));
        indices.sort_by_key(|&index| std::cmp::Reverse(self.residents.get(index).map(|(buffer, _)| buffer.bytes)));
        indices
    }

    /// Intermediate results that may stay in L1M from producer to last consumer, in `capacity` bytes of it.
    ///
    /// Each saves its bytes once to DDR and as often back as it is read; the shorter it lives, the less it is in the way.
    pub fn choose_residents(
        segment: &Segment,
        target: &Target,
        groups: &[NodeGroup],
        capacity: u64,
    ) -> Result<Vec<Resident>, LowerError> {
        let mut storage = Self::places(segment, target, groups)?;
        storage.gather(groups);
        let mut candidates: Vec<&Place> = storage.places.values().collect();
        candidates.retain(|place| place.is_free() && place.bytes <= capacity);
        let mut best: (u64, Vec<Resident>) = (0, Vec::new());
        // Which order packs best depends on the network; trying all costs little.
        let orders: [fn(&Place) -> [u64; 2]; 3] = [
            |place| [(place.last - place.first) as u64, place.bytes],
            |place| [u64::MAX - place.bytes, place.first as u64],
            |place| [place.first as u64, place.bytes],
        ];
        for order in orders {
            candidates.sort_by_key(|place| (order(place), place.tensor));
            let buffers: Vec<LiveBuffer> = candidates.iter().map(|place| place.buffer(target)).collect();
            let addresses = allocate_some(&buffers, capacity)?;
            let placed = candidates.iter().zip(addresses).filter_map(|(place, address)| Some((*place, address?)));
            let placed: Vec<(&Place, u64)> = placed.collect();
            let saved = placed.iter().map(|(place, _)| place.bytes.saturating_mul(place.reads + 1)).sum();
            if saved > best.0 {
                let resident =
                    |&(place, address): &(&Place, u64)| Resident { tensor: place.tensor, address, bytes: place.bytes };
                best = (saved, placed.iter().map(resident).collect());
            }
        }
        Ok(best.1)
    }

    /// Inputs, outputs and aliases; everything else has no memory yet.
    fn places(segment: &Segment, target: &Target, groups: &[NodeGroup]) -> Result<Self, LowerError> {
        let parts = joined_parts(segment, target, groups);
        let whole: HashSet<TensorId> = parts.values().map(|part| part.joined).collect();
        let mut storage = Self {
            places: BTreeMap::new(),
            of_tensor: vec![None; segment.tensors.len()],
            copies: Vec::new(),
            workspace: 0,
            turned: row_dimensions(segment),
            strides: HashMap::new(),
            residents: Vec::new(),
            pools: Vec::new(),
        };
        for (index, id) in segment.inputs.iter().enumerate() {
            let memory = TileMemory::Ddr { region: MemoryRegion::Input(region_index(index)?), offset: 0 };
            storage.create(segment, *id, 0, Some(memory))?;
        }
        for (index, tensor) in segment.tensors.iter().enumerate() {
            if tensor.data.is_some() {
                storage.create(segment, TensorId(index), 0, None)?;
            }
        }
        for (time, node) in segment.nodes.iter().enumerate() {
            for id in &node.inputs {
                let place = storage.place_mut(id.0).ok_or_else(|| {
                    LowerError::Malformed(format!("node '{}' reads tensor {} before it is made", node.name, id.0))
                })?;
                place.last = time;
                place.reads += 1;
            }
            for id in &node.outputs {
                if let (Operator::Reshape, Some(source)) = (&node.operator, node.inputs.first()) {
                    let place = storage.of_tensor.get(source.0).copied().flatten();
                    storage.name(*id, place)?;
                } else if storage.of_tensor.get(id.0).copied().flatten().is_none() {
                    storage.create_part(segment, (*id, time), &parts)?;
                } else if !whole.contains(id) {
                    return Err(LowerError::Malformed(format!("tensor {} is made twice", id.0)));
                }
            }
        }
        storage.pin_outputs(segment, target)?;
        Ok(storage)
    }

    /// Outputs are made where they belong, but for those that would be stored in tiny pieces, and for second names.
    fn pin_outputs(&mut self, segment: &Segment, target: &Target) -> Result<(), LowerError> {
        let mut makers = HashMap::new();
        for (index, node) in segment.nodes.iter().enumerate() {
            makers.extend(node.outputs.iter().map(|&id| (id, index)));
        }
        for (index, id) in segment.outputs.iter().enumerate() {
            let constant = segment.tensor(*id).is_some_and(|tensor| tensor.data.is_some());
            let region = MemoryRegion::Output(region_index(index)?);
            let maker = makers.get(id).copied();
            let scattered = maker.is_some_and(|node| is_scattered(segment, node, target));
            let end = segment.nodes.len();
            let place = self.place_mut(id.0);
            let place = place.ok_or_else(|| LowerError::Malformed(format!("output {index} is never made")))?;
            place.last = end;
            if place.memory.is_none() && !constant && !place.constant && !scattered {
                place.memory = Some(TileMemory::Ddr { region, offset: 0 });
            } else {
                place.reads += 1;
                self.copies.push(OutputCopy { tensor: *id, output: index, node: maker });
            }
        }
        Ok(())
    }

    fn create(
        &mut self,
        segment: &Segment,
        id: TensorId,
        time: usize,
        memory: Option<TileMemory>,
    ) -> Result<(), LowerError> {
        let tensor = segment.tensor(id).ok_or_else(|| LowerError::Malformed(format!("there is no tensor {}", id.0)))?;
        let place = Place {
            tensor: id.0,
            bytes: byte_count(tensor)?,
            first: time,
            last: time,
            reads: 0,
            constant: tensor.data.is_some(),
            inner: false,
            nodes: (time, time),
            memory,
        };
        self.places.insert(id.0, place);
        self.name(id, Some((id.0, 0)))
    }

    /// The home of what a node makes: its own, or a part of what it is joined to, whose home is there from its first part on.
    fn create_part(
        &mut self,
        segment: &Segment,
        (id, time): (TensorId, usize),
        parts: &HashMap<TensorId, JoinedPart>,
    ) -> Result<(), LowerError> {
        // What is joined may itself be a part.
        let mut homeless = vec![id];
        while let Some(part) = homeless.last().and_then(|last| parts.get(last))
            && self.of_tensor.get(part.joined.0).copied().flatten().is_none()
        {
            homeless.push(part.joined);
        }
        for id in homeless.into_iter().rev() {
            match parts.get(&id) {
                None => self.create(segment, id, time, None)?,
                Some(part) => self.create_within(segment, id, part)?,
            }
        }
        Ok(())
    }

    /// The home of a part of what has one.
    fn create_within(&mut self, segment: &Segment, id: TensorId, part: &JoinedPart) -> Result<(), LowerError> {
        let home = self.of_tensor.get(part.joined.0).copied().flatten();
        let dense = |id| segment.tensor(id).map(|tensor| dense_strides(&tensor.shape, tensor.element.bytes() as usize));
        let strides = self.strides.get(&part.joined).cloned().or(dense(part.joined)).unwrap_or_default();
        let step = strides.get(part.axis).map_or(0, |stride| stride.unsigned_abs());
        let start = step.saturating_mul(part.index as u64);
        let sizes = segment.tensor(id).map(|tensor| tensor.shape.as_slice()).unwrap_or_default();
        let own = dense(id).unwrap_or_default();
        if sizes.iter().zip(strides.iter().zip(&own)).any(|(size, (stride, own))| *size > 1 && stride != own) {
            self.strides.insert(id, strides);
        }
        self.name(id, home.map(|(place, offset)| (place, offset.saturating_add(start))))
    }

    fn name(&mut self, id: TensorId, place: Option<(usize, u64)>) -> Result<(), LowerError> {
        match self.of_tensor.get_mut(id.0) {
            Some(entry) if entry.is_none() && place.is_some() => {
                *entry = place;
                Ok(())
            }
            _ => Err(LowerError::Malformed(format!("tensor {} does not exist or is made twice", id.0))),
        }
    }

    fn place_mut(&mut self, tensor: usize) -> Option<&mut Place> {
        let (place, _) = self.of_tensor.get(tensor).copied().flatten()?;
        self.places.get_mut(&place)
    }

    fn allocate_workspace(&mut self) -> Result<(), LowerError> {
        let homeless = || self.places.iter().filter(|(_, place)| place.is_free());
        let buffers: Vec<LiveBuffer> = homeless()
            .map(|(_, place)| LiveBuffer {
                bytes: place.bytes,
                alignment: ALIGNMENT,
                first: place.first,
                last: place.last,
            })
            .collect();
        let indices: Vec<usize> = homeless().map(|(index, _)| *index).collect();
        let solution = allocate(&buffers, i64::MAX as u64)?;
        for (index, offset) in indices.into_iter().zip(solution.addresses) {
            if let Some(place) = self.places.get_mut(&index) {
                place.memory = Some(TileMemory::Ddr { region: MemoryRegion::Workspace, offset });
            }
        }
        self.workspace = solution.bytes;
        Ok(())
    }

    /// Where a tensor lives, in its own shape.
    pub fn placement(&self, segment: &Segment, id: TensorId) -> Result<TilePlacement, LowerError> {
        let home = self.of_tensor.get(id.0).copied().flatten();
        let memory = home.and_then(|(place, start)| Some(behind(self.places.get(&place)?.memory?, start)));
        match (segment.tensor(id), memory) {
            (Some(tensor), Some(memory)) => {
                let dense = TilePlacement::dense(memory, &tensor.shape, tensor.element.bytes() as usize);
                let strides = self.strides.get(&id).unwrap_or(&dense.strides).clone();
                Ok(TilePlacement { strides, ..dense })
            }
            _ => Err(LowerError::Malformed(format!("tensor {} has no home", id.0))),
        }
    }

    /// The output region in its tensor's shape.
    pub fn output_placement(&self, segment: &Segment, output: usize) -> Result<TilePlacement, LowerError> {
        let tensor = segment.outputs.get(output).and_then(|id| segment.tensor(*id));
        let tensor = tensor.ok_or_else(|| LowerError::Malformed(format!("there is no output {output}")))?;
        let memory = TileMemory::Ddr { region: MemoryRegion::Output(region_index(output)?), offset: 0 };
        Ok(TilePlacement::dense(memory, &tensor.shape, tensor.element.bytes() as usize))
    }

    /// Outputs that are inputs, constants or other outputs under another name.
    pub fn output_copies(&self) -> Vec<OutputCopy> {
        self.copies.clone()
    }

    pub fn workspace_bytes(&self) -> u64 {
        self.workspace
    }
}
