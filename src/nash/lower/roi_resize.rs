//! Regions of a camera's planes: the pooling engine reads them from DDR itself, because which cells it needs shows only when it runs.

use super::super::isa::{DdrView, Engine, RoiResize, Runs, View};
use super::super::tile::emitter::{EmitError, Emitter, ddr_view};
use super::super::tile::{Axis, TileDimension, TileMemory, TileOperand, TilePlacement, TileStep, Tiled, product};
use super::{Builder, LowerError, Steps, unsupported};
use crate::bpu::model::BpuNode;
use crate::target::Target;

struct Form {
    axes: Vec<Axis>,
    /// The result.
    operands: Vec<TileOperand>,
    /// Rows, columns and channels of the plane.
    plane_shape: [usize; 3],
    plane: DdrView,
    region: DdrView,
    block: usize,
    size: [usize; 2],
}

pub fn lower(builder: &mut Builder<'_>, node: &BpuNode, block: usize, size: [usize; 2]) -> Result<Steps, LowerError> {
    let (plane, plane_at) = builder.input(node, 0)?;
    let (_, region_at) = builder.input(node, 1)?;
    let (_, output_at) = builder.output(node)?;
    let &[_, height, width, channels] = plane.shape.as_slice() else {
        return Err(unsupported(node, "its plane is no image"));
    };
    let outside = |placement: &TilePlacement| match placement.memory {
        TileMemory::Ddr { region, offset } => {
            ddr_view(region, offset, &placement.strides).map_err(|error| unsupported(node, error.to_string()))
        }
        TileMemory::Local { .. } | TileMemory::Paged { .. } => {
            Err(unsupported(node, "its plane and its region must be inputs of the segment"))
        }
    };
    let axes = vec![Axis::new("row", size[0]), Axis::new("column", size[1])];
    let dimensions =
        vec![TileDimension::Fixed(1), TileDimension::Axis(0), TileDimension::Axis(1), TileDimension::Fixed(channels)];
    Ok(vec![Box::new(Form {
        axes,
        operands: vec![TileOperand::write(output_at, dimensions)],
        plane_shape: [height, width, channels],
        plane: outside(&plane_at)?,
        region: outside(&region_at)?,
        block,
        size,
    })])
}

fn narrow<const COUNT: usize>(sizes: [usize; COUNT]) -> Result<[u32; COUNT], EmitError> {
    let mut narrow = [0; COUNT];
    for (narrow, size) in narrow.iter_mut().zip(sizes) {
        *narrow = u32::try_from(size).map_err(|_| EmitError::Address)?;
    }
    Ok(narrow)
}

impl Tiled for Form {
    fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn operands(&self) -> &[TileOperand] {
        &self.operands
    }

    fn engine(&self) -> Engine {
        Engine::Aae
    }

    fn cycles(&self, target: &Target, tile: &[usize]) -> u64 {
        let [_, _, channels] = self.plane_shape;
        let rows = tile.first().copied().unwrap_or(1);
        let read = Runs::of_region(self.plane_shape.map(|size| size as u128), rows as u128);
        target.resize_cycles(product(tile, channels)).saturating_add(target.port_cycles(read))
    }

    fn emit(&self, step: &TileStep<'_>, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        let output = step.operand(0)?;
        let [_, rows, columns, channels] = output.shape4();
        let (row, column) = (step.tile.axis(0), step.tile.axis(1));
        emitter.push(RoiResize {
            plane_shape: narrow(self.plane_shape)?,
            plane: self.plane,
            region: self.region,
            block: u32::try_from(self.block).map_err(|_| EmitError::Address)?,
            size: narrow(self.size)?,
            start: narrow([row.start, column.start])?,
            output_shape: [rows, columns, channels],
            output: View::new(output.address, [output.stride(1), output.stride(2), output.stride(3)]),
        })
    }
}
