//! Programs of the float engine. Tiles are whole rows, of which there may be one; where nothing is combined, any elements.

use super::super::isa::{self, BpuElement, Engine, RowOperand, RowProgram, View};
use super::super::tile::emitter::{EmitError, Emitter, shape6};
use super::super::tile::view::{KeptRows, collapse};
use super::super::tile::{Axis, TileDimension, TileOperand, TilePlacement, TileStep, Tiled, product};
use super::{Builder, LowerError, Steps, elementwise::view, scale, unsupported};
use crate::bpu::model::{BpuNode, BpuTensor, VectorProgram, vector_frame};
use crate::numerics::VectorCost;
use crate::target::Target;

struct Form {
    program: RowProgram,
    axes: Vec<Axis>,
    /// Sizes of the dimensions of a row, behind those of the axes.
    row: Vec<usize>,
    /// What is read, what is written.
    operands: Vec<TileOperand>,
    output_element: BpuElement,
    output_scale: f32,
    output_zero_point: i32,
    reduced: bool,
}

/// What a step of a tensor's integers is worth; 1 for reals.
fn step(node: &BpuNode, tensor: &BpuTensor) -> Result<f32, LowerError> {
    if tensor.element.is_real() { Ok(1.0) } else { Ok(scale(node, tensor)? as f32) }
}

pub fn lower(
    builder: &mut Builder<'_>,
    node: &BpuNode,
    axes: &[usize],
    program: &VectorProgram,
) -> Result<Steps, LowerError> {
    let (output, output_at) = builder.output(node)?;
    let (mut tensors, mut placements) = (Vec::new(), Vec::new());
    for index in 0..node.inputs.len() {
        let (tensor, placement) = builder.input(node, index)?;
        tensors.push(tensor);
        placements.push(placement);
    }
    placements.push(output_at);
    let shapes: Vec<&[usize]> = tensors.iter().map(|tensor| tensor.shape.as_slice()).collect();
    let frame = vector_frame(&shapes, axes).map_err(|reason| unsupported(node, reason))?;
    // Where nothing is combined, every element may be a row of its own.
    let along: &[usize] = if program.reduces() { axes } else { &[] };
    let outer: Vec<usize> = (0..frame.shape.len()).filter(|axis| !along.contains(axis)).collect();
    let (mut of_rows, mut in_rows) = (Vec::new(), Vec::new());
    for placement in placements {
        let whole = placement.broadcast(&frame.shape);
        let part = |axes: &[usize]| whole.clone().and_then(|whole| whole.transpose(axes));
        of_rows.push(part(&outer).map_err(|error| unsupported(node, error.to_string()))?);
        in_rows.push(part(along).map_err(|error| unsupported(node, error.to_string()))?);
    }
    let rows = match builder.kept_rows(node) {
        KeptRows::Dimension(dimension) => {
            let position = outer.iter().position(|own| *own == dimension);
            position.map_or(KeptRows::Nothing, KeptRows::Dimension)
        }
        rows => rows,
    };
    collapse(&mut of_rows, rows);
    collapse(&mut in_rows, KeptRows::Nothing);
    let mut sizes = of_rows.first().map(|view| view.shape.clone()).unwrap_or_default();
    let row = in_rows.first().map(|view| view.shape.clone()).unwrap_or_default();
    if sizes.is_empty() {
        // One row: a loop that runs once.
        sizes.push(1);
        for view in &mut of_rows {
            view.shape.push(1);
            view.strides.push(0);
        }
    }
    let mut operands = Vec::with_capacity(of_rows.len());
    let last = of_rows.len().saturating_sub(1);
    for (index, (mut view, within)) in of_rows.into_iter().zip(in_rows).enumerate() {
        view.shape.extend(within.shape);
        view.strides.extend(within.strides);
        let (placement, dimensions) = followed(view, sizes.len());
        operands.push(if index == last {
            TileOperand::write(placement, dimensions)
        } else {
            TileOperand::read(placement, dimensions)
        });
    }
    let operand = |tensor: &&BpuTensor| {
        let zero_point = tensor.scale.zero_point();
        Ok(RowOperand { element: tensor.element, scale: step(node, tensor)?, zero_point })
    };
    let types = tensors.iter().map(operand).collect::<Result<Vec<RowOperand>, LowerError>>()?;
    Ok(vec![Box::new(Form {
        program: RowProgram { operands: types, steps: program.steps().to_vec() },
        axes: sizes.iter().map(|&size| Axis::new("row", size)).collect(),
        row,
        operands,
        output_element: output.element,
        output_scale: step(node, output)?,
        output_zero_point: output.scale.zero_point(),
        reduced: program.reduces() && output.shape != frame.shape,
    })])
}

/// How the dimensions of a view follow the first `axes` loops; those of a row are there as a whole.
fn followed(view: TilePlacement, axes: usize) -> (TilePlacement, Vec<TileDimension>) {
    let (placement, dimensions) = view.unrepeated();
    let sizes = placement.shape.clone();
    let dimensions = dimensions.into_iter().zip(sizes).enumerate();
    let dimensions =
        dimensions.map(|(axis, (dimension, size))| if axis < axes { dimension } else { TileDimension::Fixed(size) });
    (placement, dimensions.collect())
}

impl Tiled for Form {
    fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn operands(&self) -> &[TileOperand] {
        &self.operands
    }

    fn engine(&self) -> Engine {
        Engine::Vpu
    }

    fn cycles(&self, target: &Target, tile: &[usize]) -> u64 {
        let elements = product(tile, 1).saturating_mul(product(&self.row, 1));
        target.program_cycles(elements, VectorCost::of(&self.program.steps))
    }

    fn emit(&self, step: &TileStep<'_>, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        let mut sizes = step.tile.shape();
        sizes.extend_from_slice(&self.row);
        let last = self.operands.len().saturating_sub(1);
        let operand = |index: usize| -> Result<Option<View>, EmitError> {
            if index < last { view(step.operand(index)?, &sizes).map(Some) } else { Ok(None) }
        };
        emitter.push(isa::Run {
            shape: shape6(&sizes)?,
            row_dimensions: u32::try_from(self.row.len()).map_err(|_| EmitError::Address)?,
            program: self.program.clone(),
            operand0: operand(0)?,
            operand1: operand(1)?,
            operand2: operand(2)?,
            operand3: operand(3)?,
            operand4: operand(4)?,
            operand5: operand(5)?,
            output_element: self.output_element,
            output_scale: self.output_scale,
            output_zero_point: self.output_zero_point,
            reduced: self.reduced,
            output: view(step.operand(last)?, &sizes)?,
        })
    }
}
