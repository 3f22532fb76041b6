//! Homes of tensors: which bytes of which memory.
//!
//! A reshape renames the bytes of its operand, so tensors share *storages*. A storage lies in an input, in the constants, in an
//! output, in the workspace, or stays in L1M (*resident*).

use super::super::allocate::{Buffer, allocate};
use super::super::isa::Region;
use super::super::tile::machine::Machine;
use super::super::tile::{Memory, Placement};
use super::LowerError;
use super::constants::Image;
use super::plan::Resident;
use crate::bpu::model::{Operator, Segment, Tensor, TensorId};

/// Start of every tensor in the workspace.
const ALIGNMENT: u64 = 64;

/// A run of bytes that one or more tensors name.
#[derive(Clone, Debug)]
struct Place {
    /// The tensor that named it first.
    tensor: usize,
    bytes: u64,
    /// Nodes between which its contents matter.
    first: usize,
    last: usize,
    memory: Option<Memory>,
}

pub struct Storage {
    places: Vec<Place>,
    /// Per tensor, its place.
    of_tensor: Vec<Option<usize>>,
    /// (tensor, output) that must be copied at the end.
    copies: Vec<(TensorId, usize)>,
    workspace: u64,
}

/// Dense size of a tensor.
pub fn byte_count(tensor: &Tensor) -> Result<u64, LowerError> {
    let bytes = tensor.byte_count().map(|bytes| bytes as u64).filter(|&bytes| bytes <= i64::MAX as u64);
    bytes.ok_or_else(|| LowerError::Malformed(format!("tensor '{}' is too large to address", tensor.name)))
}

fn region_index(index: usize) -> Result<u16, LowerError> {
    u16::try_from(index)
        .map_err(|_| LowerError::Malformed(format!("there are more than {} inputs or outputs", u16::MAX)))
}

impl Storage {
    /// Gives every tensor a home.
    pub fn new(
        segment: &Segment,
        machine: &Machine,
        residents: &[Resident],
        image: &mut Image,
    ) -> Result<Self, LowerError> {
        let mut storage = Self::places(segment)?;
        for tensor in 0..segment.tensors.len() {
            if let (Some(data), Some(place)) = (segment.tensors[tensor].data.as_deref(), storage.place_mut(tensor)) {
                // Weights are added where they are used, in the order their operator wants.
                place.memory = Some(image.add(data));
            }
        }
        for resident in residents {
            let place = storage.place_mut(resident.tensor).filter(|place| place.memory.is_none());
            let place =
                place.ok_or_else(|| LowerError::Plan(format!("tensor {} cannot stay in L1M", resident.tensor)))?;
            place.memory = Some(Memory::Local { address: resident.address });
        }
        debug_assert!(machine.alignment > 0);
        storage.allocate_workspace()?;
        Ok(storage)
    }

    /// Inputs, outputs and aliases; everything else has no memory yet.
    fn places(segment: &Segment) -> Result<Self, LowerError> {
        let mut storage =
            Self { places: Vec::new(), of_tensor: vec![None; segment.tensors.len()], copies: Vec::new(), workspace: 0 };
        for (index, id) in segment.inputs.iter().enumerate() {
            let memory = Memory::Ddr { region: Region::Input(region_index(index)?), offset: 0 };
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
            }
            for id in &node.outputs {
                match (&node.operator, node.inputs.first()) {
                    (Operator::Reshape, Some(source)) => {
                        let place = storage.of_tensor.get(source.0).copied().flatten();
                        storage.name(*id, place)?;
                    }
                    _ => storage.create(segment, *id, time, None)?,
                }
            }
        }
        storage.pin_outputs(segment)?;
        Ok(storage)
    }

    fn pin_outputs(&mut self, segment: &Segment) -> Result<(), LowerError> {
        for (index, id) in segment.outputs.iter().enumerate() {
            let constant = segment.tensor(*id).is_some_and(|tensor| tensor.data.is_some());
            let region = Region::Output(region_index(index)?);
            let end = segment.nodes.len();
            let place = self.place_mut(id.0);
            let place = place.ok_or_else(|| LowerError::Malformed(format!("output {index} is never made")))?;
            let root_constant = segment.tensors.get(place.tensor).is_some_and(|tensor| tensor.data.is_some());
            place.last = end;
            if place.memory.is_none() && !constant && !root_constant {
                place.memory = Some(Memory::Ddr { region, offset: 0 });
            } else {
                self.copies.push((*id, index));
            }
        }
        Ok(())
    }

    fn create(
        &mut self,
        segment: &Segment,
        id: TensorId,
        time: usize,
        memory: Option<Memory>,
    ) -> Result<(), LowerError> {
        let tensor = segment.tensor(id).ok_or_else(|| LowerError::Malformed(format!("there is no tensor {}", id.0)))?;
        let place = Place { tensor: id.0, bytes: byte_count(tensor)?, first: time, last: time, memory };
        self.places.push(place);
        self.name(id, Some(self.places.len() - 1))
    }

    fn name(&mut self, id: TensorId, place: Option<usize>) -> Result<(), LowerError> {
        match self.of_tensor.get_mut(id.0) {
            Some(entry) if entry.is_none() && place.is_some() => {
                *entry = place;
                Ok(())
            }
            _ => Err(LowerError::Malformed(format!("tensor {} does not exist or is made twice", id.0))),
        }
    }

    fn place_mut(&mut self, tensor: usize) -> Option<&mut Place> {
        let place = self.of_tensor.get(tensor).copied().flatten()?;
        self.places.get_mut(place)
    }

    fn allocate_workspace(&mut self) -> Result<(), LowerError> {
        let homeless = || self.places.iter().enumerate().filter(|(_, place)| place.memory.is_none());
        let buffers: Vec<Buffer> = homeless()
            .map(|(_, place)| Buffer { bytes: place.bytes, alignment: ALIGNMENT, first: place.first, last: place.last })
            .collect();
        let indices: Vec<usize> = homeless().map(|(index, _)| index).collect();
        let solution = allocate(&buffers, i64::MAX as u64)?;
        for (index, offset) in indices.into_iter().zip(solution.addresses) {
            if let Some(place) = self.places.get_mut(index) {
                place.memory = Some(Memory::Ddr { region: Region::Workspace, offset });
            }
        }
        self.workspace = solution.bytes;
        Ok(())
    }

    /// Where a tensor lives, in its own shape.
    pub fn placement(&self, segment: &Segment, id: TensorId) -> Result<Placement, LowerError> {
        let place = self.of_tensor.get(id.0).copied().flatten().and_then(|place| self.places.get(place));
        match (segment.tensor(id), place.and_then(|place| place.memory)) {
            (Some(tensor), Some(memory)) => Ok(Placement::dense(memory, &tensor.shape, tensor.element.bytes())),
            _ => Err(LowerError::Malformed(format!("tensor {} has no home", id.0))),
        }
    }

    /// The output region in its tensor's shape.
    pub fn output_placement(&self, segment: &Segment, output: usize) -> Result<Placement, LowerError> {
        let tensor = segment.outputs.get(output).and_then(|id| segment.tensor(*id));
        let tensor = tensor.ok_or_else(|| LowerError::Malformed(format!("there is no output {output}")))?;
        let memory = Memory::Ddr { region: Region::Output(region_index(output)?), offset: 0 };
        Ok(Placement::dense(memory, &tensor.shape, tensor.element.bytes()))
    }

    /// Outputs that are inputs, constants or other outputs under another name.
    pub fn output_copies(&self) -> Vec<(TensorId, usize)> {
        self.copies.clone()
    }

    pub fn workspace_bytes(&self) -> u64 {
        self.workspace
    }
}

/// Which tensors stay in L1M.
pub fn choose_residents(_segment: &Segment, _machine: &Machine) -> Result<Vec<Resident>, LowerError> {
    Ok(Vec::new())
}

/// Checks residents that may come from a file; returns the first L1M byte behind them.
pub fn check_residents(_segment: &Segment, machine: &Machine, residents: &[Resident]) -> Result<u64, LowerError> {
    let end = residents.iter().map(|resident| resident.address.saturating_add(resident.bytes)).max().unwrap_or(0);
    if end > machine.l1m_bytes {
        return Err(LowerError::Plan(format!("resident tensors end at {end}, L1M has {} bytes", machine.l1m_bytes)));
    }
    Ok(end)
}
