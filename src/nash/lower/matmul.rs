//! Matrix products: one 1x1 convolution per batch.
//!
//! Row m of the first operand is pixel m with K channels; column n of the second one is output channel n. The weights' view
//! walks the [K, N] operand by columns, so no transposition is needed.
//!
//! A constant matrix with a band, as those of interpolations are, takes of the other operand what its band needs: so a resized image is made
//! in stripes, and multiplications with zero are left out.

use super::super::isa::{self, Clamp, Convolution, Engine, Products, View};
use super::super::region::{Extent, Region, Tiles};
use super::super::tile::emitter::{EmitError, Emitter};
use super::super::tile::{Axis, Bound, TileDimension, TileOperand, TilePlacement, TileStep, Tiled};
use super::convolution::{parameters, partial};
use super::{Builder, LowerError, Steps, limits, unsupported};
use crate::bpu::model::{self, BpuElement, BpuNode, BpuTensor};
use crate::target::Target;
use std::sync::Arc;

const A: usize = 0;
const B: usize = 1;
const PARAMETERS: usize = 2;
const SUMS: usize = 3;
const Y: usize = 4;

struct Form {
    /// Batch axes, then rows, columns, and the shared dimension where no band says what of it is needed.
    axes: Vec<Axis>,
    operands: Vec<TileOperand>,
    batch_rank: usize,
    input_element: BpuElement,
    output_element: BpuElement,
    /// Of the first operand, whose rows are pixels, and the result.
    zero_points: [i32; 2],
    clamp: Clamp,
}

pub fn lower(builder: &mut Builder<'_>, node: &BpuNode, _clamp: Option<model::Clamp>) -> Result<Steps, LowerError> {
    let ((a, a_at), (b, b_at), (y, y_at)) = (builder.input(node, 0)?, builder.input(node, 1)?, builder.output(node)?);
    let ([.., rows, shared], [.., columns]) = (a.shape.as_slice(), b.shape.as_slice()) else {
        return Err(unsupported(node, "both operands must have at least rank 2"));
    };
    if b.element != BpuElement::I8 {
        return Err(unsupported(
            node,
            format!("the matrix engine takes an i8 second operand, not {}; swap or requantize it", b.element),
        ));
    }
    let batch_rank = y.shape.len().saturating_sub(2);
    let batch = y.shape.get(..batch_rank).unwrap_or_default().to_vec();
    let parameter = parameters(builder, node, [a, b, y], None, 1)?;
    let (row, column, inner) = (batch_rank, batch_rank + 1, batch_rank + 2);
    let band = |output, ranges| TileDimension::Table { output, ranges };
    let reduced = row_band(a)
        .map(|ranges| band(row, ranges))
        .or_else(|| column_band(b).map(|ranges| band(column, ranges)))
        .unwrap_or(TileDimension::Axis(inner));
    let operand = |at: TilePlacement, matrix: [(usize, TileDimension); 2]| -> Result<TileOperand, LowerError> {
        let mut shape = batch.clone();
        shape.extend(matrix.iter().map(|(size, _)| size));
        let spread = at.broadcast(&shape).map_err(|error| unsupported(node, error.to_string()))?;
        let (placement, mut dimensions) = spread.unrepeated();
        for (dimension, (_, follows)) in dimensions.iter_mut().skip(batch_rank).zip(matrix) {
            *dimension = follows;
        }
        Ok(TileOperand::read(placement, dimensions))
    };
    let mut result: Vec<TileDimension> = (0..batch_rank).map(TileDimension::Axis).collect();
    result.extend([TileDimension::Axis(row), TileDimension::Axis(column)]);
    let operands = vec![
        operand(a_at, [(*rows, TileDimension::Axis(row)), (*shared, reduced.clone())])?,
        operand(b_at, [(*shared, reduced.clone()), (*columns, TileDimension::Axis(column))])?,
        TileOperand::read(TilePlacement::dense(parameter, &[3], 4), vec![TileDimension::Fixed(3)]),
        TileOperand::accumulator(4, result.clone()),
        TileOperand::write(y_at, result),
    ];
    let lanes = builder.lanes();
    let mut axes: Vec<Axis> = batch.iter().map(|&size| Axis::new("batch", size)).collect();
    axes.extend([Axis::new("row", *rows), Axis::new("column", *columns).granule(lanes.output)]);
    if reduced == TileDimension::Axis(inner) {
        axes.push(Axis::reduction("shared", *shared).granule(lanes.input));
    }
    Ok(vec![Box::new(Form {
        axes,
        operands,
        batch_rank,
        input_element: a.element,
        output_element: y.element,
        zero_points: [a, y].map(|tensor| tensor.scale.zero_point()),
        clamp: limits(node, y)?,
    })])
}

/// Per row of a constant matrix, the columns that are not zero, where these are few.
fn row_band(matrix: &BpuTensor) -> Option<Arc<[Extent]>> {
    let (rows, columns, is_other) = constant_matrix(matrix)?;
    narrow_band((rows, columns), |row, column| is_other(row * columns + column))
}

/// Per column of a constant matrix, the rows that are not zero, where these are few.
fn column_band(matrix: &BpuTensor) -> Option<Arc<[Extent]>> {
    let (rows, columns, is_other) = constant_matrix(matrix)?;
    narrow_band((columns, rows), |column, row| is_other(row * columns + column))
}

/// Rows, columns, and what says of a place whether its value is another than zero, of a tensor with one matrix. Nothing is read before it is asked
/// for: most constants have no band, which their first line shows.
fn constant_matrix(tensor: &BpuTensor) -> Option<(usize, usize, impl Fn(usize) -> bool + '_)> {
    let (&[ref batch @ .., rows, columns], Some(data)) = (tensor.shape.as_slice(), &tensor.data) else { return None };
    let zero = tensor.scale.zero_point().to_le_bytes();
    let bytes = tensor.element.bytes() as usize;
    let value = move |place: usize| data.get(place * bytes..(place + 1) * bytes);
    let is_other = move |place: usize| value(place).is_some_and(|value| zero.get(..bytes) != Some(value));
    batch.iter().all(|&size| size == 1).then_some((rows, columns, is_other))
}

/// Per line, from the first value that is not zero to the last; none where some line has half of its values between these.
fn narrow_band((lines, length): (usize, usize), is_other: impl Fn(usize, usize) -> bool) -> Option<Arc<[Extent]>> {
    let mut ranges: Vec<Extent> = Vec::with_capacity(lines);
    for line in 0..lines {
        let is_other = |&at: &usize| is_other(line, at);
        // A line of zeros needs one value, which may be any: one that is there already.
        let first = (0..length).find(is_other).or_else(|| ranges.last().map(|range| range.start)).unwrap_or(0);
        let last = (0..length).rfind(is_other).unwrap_or(first);
        let range = Extent::new(first, last + 1);
        if range.len().saturating_mul(2) > length {
            return None;
        }
        ranges.push(range);
    }
    Some(ranges.into())
}

/// The address of one batch's matrix in an operand's box; a repeated batch is there once.
fn matrix(bound: &Bound, batch: &[usize]) -> Result<u32, EmitError> {
    let mut address = i64::from(bound.address);
    for (dimension, &index) in batch.iter().enumerate() {
        if bound.region.axis(dimension).len() > 1 {
            address += i64::try_from(index).map_err(|_| EmitError::Address)? * i64::from(bound.stride(dimension));
        }
    }
    u32::try_from(address).map_err(|_| EmitError::Address)
}

impl Form {
    fn batch(&self, step: &TileStep<'_>, batch: &[usize]) -> Result<Convolution, EmitError> {
        let (row, column) = (self.batch_rank, self.batch_rank + 1);
        let narrow = |axis: usize| u32::try_from(step.tile.axis(axis).len()).map_err(|_| EmitError::Address);
        let (rows, columns, shared) = (narrow(row)?, narrow(column)?, step.operand(A)?.size(column));
        let pixels = |index: usize| {
            let bound = step.operand(index)?;
            let strides = [0, bound.stride(row), 0, bound.stride(row + 1)];
            Ok::<_, EmitError>(View::new(matrix(bound, batch)?, strides))
        };
        let (sums, b, parameters) = (pixels(SUMS)?, step.operand(B)?, step.operand(PARAMETERS)?);
        Ok(Convolution {
            depthwise: false,
            input_shape: [1, rows, 1, shared],
            output_shape: [1, rows, 1, columns],
            window: isa::Window { kernel: [1; 2], strides: [1; 2], dilations: [1; 2], pads: [0; 2] },
            input_element: self.input_element,
            input: pixels(A)?,
            weights: View::new(matrix(b, batch)?, [b.stride(row + 1), 0, 0, b.stride(row)]),
            accumulate: (!step.first).then_some(sums),
            // One block for all output channels.
            parameters: step.last.then(|| View::new(parameters.address, [0])),
            output_element: if step.last { self.output_element } else { BpuElement::I32 },
            zero_points: partial(self.zero_points, step.last),
            clamp: self.clamp,
            output: if step.last { pixels(Y)? } else { sums },
        })
    }
}

impl Tiled for Form {
    fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn operands(&self) -> &[TileOperand] {
        &self.operands
    }

    fn orders(&self) -> Vec<Vec<usize>> {
        let (row, column) = (self.batch_rank, self.batch_rank + 1);
        let reduced = column + 1..self.axes.len();
        let order = |matrix: [usize; 2]| (0..self.batch_rank).chain(matrix).chain(reduced.clone()).collect();
        vec![order([row, column]), order([column, row])]
    }

    fn engine(&self) -> Engine {
        Engine::Tae
    }

    fn cycles(&self, target: &Target, tile: &[usize]) -> u64 {
        let size = |axis: usize| tile.get(axis).copied().unwrap_or(1);
        let shared = self.operands.get(A).and_then(|a| a.footprint(tile).last().copied()).unwrap_or(1);
        let matrix = target.convolution_cycles(&Products {
            input_channels: shared as u128,
            output_channels: size(self.batch_rank + 1) as u128,
            pixels: size(self.batch_rank) as u128,
            taps: 1,
            is_wide: self.input_element != BpuElement::I8,
        });
        (0..self.batch_rank).fold(matrix, |cycles, axis| cycles.saturating_mul(size(axis) as u64))
    }

    fn emit(&self, step: &TileStep<'_>, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        let mut sizes = step.tile.shape();
        sizes.truncate(self.batch_rank);
        let (single, order) = (vec![1; self.batch_rank], (0..self.batch_rank).collect::<Vec<_>>());
        let batches = Tiles::new(&sizes, &single, &order).map(|batch: Region| batch.starts());
        batches.into_iter().try_for_each(|batch| emitter.push(self.batch(step, &batch)?))
    }
}
