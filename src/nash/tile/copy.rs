//! Moving and filling boxes: what all layout operators come down to.

use super::super::isa::{Copy as CopyOperation, Engine, Fill as FillOperation, Load, Store};
use super::apply::element_bytes;
use super::emitter::{EmitError, Emitter, ddr_view, shape6, view6};
use super::{Axis, TileDimension, TileMemory, TileOperand, TilePlacement, TileStep, Tiled, product};
use crate::target::Target;

/// Copies every element of one view to the same index of another of the same shape.
///
/// Between DDR and L1M a tile is one DMA instruction. From DDR to DDR it passes through a slot; when the order of the elements
/// changes, the layout engine reorders it there, because DMA wants long runs of bytes on both sides.
pub struct Copy {
    source: TilePlacement,
    destination: TilePlacement,
    axes: Vec<Axis>,
    operands: Vec<TileOperand>,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The source's slot (or home) is stored as it is.
    Store,
    /// Loaded to the destination's home.
    Load,
    /// Reordered or moved within L1M.
    Local,
}

impl Copy {
    /// Both views must have the same shape and element size.
    pub fn new(source: TilePlacement, destination: TilePlacement) -> Result<Self, EmitError> {
        if source.shape != destination.shape || source.element_bytes != destination.element_bytes {
            return Err(EmitError::Plan(format!(
                "copy from shape {:?} of {} bytes to shape {:?} of {} bytes",
                source.shape, source.element_bytes, destination.shape, destination.element_bytes
            )));
        }
        let dimensions: Vec<TileDimension> = (0..source.shape.len()).map(TileDimension::Axis).collect();
        let read = || TileOperand::read(source.clone(), dimensions.clone());
        let write = || TileOperand::write(destination.clone(), dimensions.clone());
        let reorders = innermost(&source) != innermost(&destination);
        let (way, operands) = match (source.is_local(), destination.is_local()) {
            (_, false) if !reorders => (Way::Store, vec![read()]),
            (false, true) if !reorders => (Way::Load, vec![write()]),
            _ => (Way::Local, vec![read(), write()]),
        };
        let axes = source.shape.iter().map(|&size| Axis::new("copy", size)).collect();
        Ok(Self { source, destination, axes, operands, way })
    }
}

/// The dimension whose neighbours are closest in memory.
fn innermost(placement: &TilePlacement) -> Option<usize> {
    let moving = placement
        .shape
        .iter()
        .zip(&placement.strides)
        .enumerate()
        .filter(|(_, (size, stride))| **size > 1 && **stride != 0);
    moving.min_by_key(|(_, (_, stride))| stride.unsigned_abs()).map(|(dimension, _)| dimension)
}

impl Tiled for Copy {
    fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn operands(&self) -> &[TileOperand] {
        &self.operands
    }

    fn unlisted(&self) -> Option<&TilePlacement> {
        match self.way {
            Way::Store => Some(&self.destination),
            Way::Load => Some(&self.source),
            Way::Local => None,
        }
    }

    fn engine(&self) -> Engine {
        match self.way {
            Way::Store => Engine::Store,
            Way::Load => Engine::Load,
            Way::Local => Engine::Dte,
        }
    }

    fn cycles(&self, target: &Target, tile: &[usize]) -> u64 {
        let ([from, to], bytes) = ([self.source.runs(tile), self.destination.runs(tile)], self.source.element_bytes);
        match self.way {
            // The operand that is not listed: its transfer is the tile's work.
            Way::Store => target.transfer_cycles(to),
            Way::Load => target.transfer_cycles(from),
            Way::Local => target.layout_cycles(product(tile, bytes), from.count.max(to.count)),
        }
    }

    fn emit(&self, step: &TileStep<'_>, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        let (sizes, starts) = (step.tile.shape(), step.tile.starts());
        if step.tile.is_empty() {
            return Ok(());
        }
        let (shape, bytes) = (shape6(&sizes)?, element_bytes(&self.source)?);
        let bound = step.operand(0)?;
        let view = view6(bound.address, &bound.strides)?;
        match self.way {
            Way::Store => match self.destination.at(&starts)? {
                TileMemory::Ddr { region, offset } => {
                    let destination = ddr_view(region, offset, &self.destination.strides)?;
                    emitter.push(Store { shape, element_bytes: bytes, source: view, destination })
                }
                TileMemory::Local { .. } | TileMemory::Paged { .. } => Err(EmitError::Address),
            },
            Way::Load => match self.source.at(&starts)? {
                TileMemory::Ddr { region, offset } => {
                    let source = ddr_view(region, offset, &self.source.strides)?;
                    emitter.push(Load { shape, element_bytes: bytes, source, destination: view })
                }
                TileMemory::Local { .. } | TileMemory::Paged { .. } => Err(EmitError::Address),
            },
            Way::Local => {
                let target = step.operand(1)?;
                let destination = view6(target.address, &target.strides)?;
                emitter.push(CopyOperation { shape, element_bytes: bytes, source: view, destination })
            }
        }
    }
}

/// Writes one value to every element of a view.
pub struct Fill {
    value: u32,
    axes: Vec<Axis>,
    operands: Vec<TileOperand>,
}

impl Fill {
    /// `value` holds the element's bits; elements have 1, 2 or 4 bytes.
    pub fn new(destination: TilePlacement, value: u32) -> Self {
        let axes = destination.shape.iter().map(|&size| Axis::new("fill", size)).collect();
        let dimensions = (0..destination.shape.len()).map(TileDimension::Axis).collect();
        Self { value, axes, operands: vec![TileOperand::write(destination, dimensions)] }
    }
}

impl Tiled for Fill {
    fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn operands(&self) -> &[TileOperand] {
        &self.operands
    }

    fn engine(&self) -> Engine {
        Engine::Dte
    }

    fn cycles(&self, target: &Target, tile: &[usize]) -> u64 {
        let placement = self.operands.first().and_then(TileOperand::placement);
        placement.map_or(1, |at| target.layout_cycles(product(tile, at.element_bytes), at.runs(tile).count))
    }

    fn emit(&self, step: &TileStep<'_>, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        let bound = step.operand(0)?;
        let bytes = self.operands.first().map_or(1, TileOperand::element_bytes);
        emitter.push(FillOperation {
            shape: shape6(&bound.region.shape())?,
            element_bytes: u8::try_from(bytes).map_err(|_| EmitError::Address)?,
            value: self.value,
            destination: view6(bound.address, &bound.strides)?,
        })
    }
}
