//! Images of a camera: from planes of bytes in DDR to pixels of int8, channel beside channel.
//!
//! A table makes a byte the integer that it stands for (and leaves integers as they are); the views of the same instruction put it in its place, and repeat what
//! covers several pixels.

use super::super::isa::{Engine, Fill, Lookup, View};
use super::super::tile::emitter::{EmitError, Emitter, shape6, view6};
use super::super::tile::{Axis, Bound, TileDimension, TileOperand, TilePlacement, TileStep, Tiled, product};
use super::{Builder, LowerError, Steps, unsupported};
use crate::bpu::model::{BpuElement, BpuNode};
use crate::numerics::centred;
use crate::target::Target;

/// Positions in [`Form::operands`]: the planes come behind.
const TABLE: usize = 0;
const IMAGE: usize = 1;
const FIRST_PLANE: usize = 2;

/// The loops go over blocks of pixels, which are what an element of the last plane covers.
struct Form {
    axes: Vec<Axis>,
    operands: Vec<TileOperand>,
    /// Channels of each plane.
    planes: Vec<usize>,
    constants: Vec<i8>,
}

/// What the table makes of an element of a plane, seen as int8.
fn table(element: BpuElement) -> Vec<u8> {
    let integer = |seen: i8| if element == BpuElement::U8 { centred(seen as u8) } else { seen };
    (i8::MIN..=i8::MAX).map(|seen| integer(seen) as u8).collect()
}

/// `[N, H, W, C]` as `[N, H / block, block, W / block, block, C]`.
fn blocks(image: &TilePlacement, block: usize) -> Option<TilePlacement> {
    let (&[n, h, w, c], &[batch, row, column, channel]) = (image.shape.as_slice(), image.strides.as_slice()) else {
        return None;
    };
    let step = i64::try_from(block).ok()?;
    Some(TilePlacement {
        shape: vec![n, h / block, block, w / block, block, c],
        strides: vec![batch, row.checked_mul(step)?, row, column.checked_mul(step)?, column, channel],
        ..image.clone()
    })
}

pub fn lower(builder: &mut Builder<'_>, node: &BpuNode, constants: &[i8]) -> Result<Steps, LowerError> {
    let no_image = || unsupported(node, "its tensors are no images");
    let (image, image_at) = builder.output(node)?;
    let &[batch, height, width, channels] = image.shape.as_slice() else { return Err(no_image()) };
    let block = node.inputs.len().max(1);
    let dimensions = |block: usize, channels: usize| {
        let pixels = || TileDimension::Fixed(block);
        let loops = [TileDimension::Axis(0), TileDimension::Axis(1), pixels(), TileDimension::Axis(2), pixels()];
        loops.into_iter().chain([TileDimension::Fixed(channels)]).collect::<Vec<_>>()
    };
    let element = builder.input(node, 0)?.0.element;
    let table = table(element);
    let memory = builder.image.add(table.as_slice());
    let mut operands = vec![
        TileOperand::read(TilePlacement::dense(memory, &[table.len()], 1), vec![TileDimension::Fixed(table.len())]),
        TileOperand::write(blocks(&image_at, block).ok_or_else(no_image)?, dimensions(block, channels)),
    ];
    let mut planes = Vec::new();
    for index in 0..node.inputs.len() {
        let (plane, plane_at) = builder.input(node, index)?;
        if plane.element != element {
            return Err(unsupported(node, "its planes have different element types"));
        }
        // Pixels of a block that have elements of their own in this plane.
        let own = plane.shape.get(1).map_or(1, |rows| rows * block / height.max(1)).max(1);
        let channels = plane.shape.last().copied().unwrap_or(1);
        operands.push(TileOperand::read(blocks(&plane_at, own).ok_or_else(no_image)?, dimensions(own, channels)));
        planes.push(channels);
    }
    let axes = vec![Axis::new("batch", batch), Axis::new("row", height / block), Axis::new("column", width / block)];
    Ok(vec![Box::new(Form { axes, operands, planes, constants: constants.to_vec() })])
}

impl Form {
    /// A view of some channels of the image, from one on.
    fn channels(image: &Bound, first: usize) -> Result<View, EmitError> {
        let step = i64::try_from(first).ok().and_then(|first| first.checked_mul(i64::from(image.stride(5))));
        let address = step.and_then(|step| u32::try_from(i64::from(image.address) + step).ok());
        view6(address.ok_or(EmitError::Address)?, &image.strides)
    }

    /// Constants as parts that one instruction each fills in: as many channels as an element has bytes.
    fn parts(&self) -> Vec<&[i8]> {
        match self.constants.len() {
            2 | 4 => vec![&self.constants],
            _ => self.constants.chunks(1).collect(),
        }
    }
}

impl Tiled for Form {
    fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn operands(&self) -> &[TileOperand] {
        &self.operands
    }

    fn engine(&self) -> Engine {
        Engine::Vae
    }

    fn cycles(&self, target: &Target, tile: &[usize]) -> u64 {
        let pixels = self.operands.get(IMAGE).map(|image| image.footprint(tile)).unwrap_or_default();
        let pixels = product(pixels.get(..5).unwrap_or_default(), 1);
        let looked_up =
            self.planes.iter().map(|&channels| target.vector_cycles(pixels.saturating_mul(channels as u128)));
        let filled = self.parts().len() as u64 * target.layout_cycles(pixels, pixels);
        // Both engines work at once.
        looked_up.fold(0, u64::saturating_add).max(filled).max(1)
    }

    fn emit(&self, step: &TileStep<'_>, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        let (table, image) = (step.operand(TABLE)?, step.operand(IMAGE)?);
        let pixels = image.region.shape();
        let shape = |channels: usize| shape6(&pixels.iter().take(5).copied().chain([channels]).collect::<Vec<_>>());
        let mut first = self.planes.iter().sum();
        for constants in self.parts() {
            let value = constants.iter().rev().fold(0u32, |value, &byte| value << 8 | u32::from(byte as u8));
            let element_bytes = u8::try_from(constants.len()).map_err(|_| EmitError::Address)?;
            emitter.push(Fill {
                shape: shape(1)?,
                element_bytes,
                value,
                destination: Self::channels(image, first)?,
            })?;
            first += constants.len();
        }
        first = 0;
        for (index, &channels) in self.planes.iter().enumerate() {
            let plane = step.operand(FIRST_PLANE + index)?;
            let repeated =
                |dimension: usize| plane.region.axis(dimension).len() == 1 && pixels.get(dimension) != Some(&1);
            let strides: Vec<i32> =
                (0..6).map(|dimension| if repeated(dimension) { 0 } else { plane.stride(dimension) }).collect();
            emitter.push(Lookup {
                shape: shape(channels)?,
                input: view6(plane.address, &strides)?,
                table: View::new(table.address, [table.stride(0)]),
                output: Self::channels(image, first)?,
            })?;
            first += channels;
        }
        Ok(())
    }
}
