//! Operators that only move elements: all of them are copies between strided views.

use super::super::tile::TilePlacement;
use super::super::tile::copy::{Copy, Fill};
use super::super::tile::emitter::EmitError;
use super::super::tile::view::{KeptRows, collapse};
use super::{Builder, LowerError, Steps, unsupported};
use crate::bpu::model::{BpuNode, Operator, PadMode};

pub fn lower(builder: &mut Builder<'_>, node: &BpuNode) -> Result<Steps, LowerError> {
    let (_, y_at) = builder.output(node)?;
    let rows = builder.kept_rows(node);
    let fail = |error: EmitError| unsupported(node, error.to_string());
    match &node.operator {
        // The storage of the result is the storage of the operand.
        Operator::Reshape => Ok(Vec::new()),
        Operator::Concat { axis } => {
            let mut steps = Steps::new();
            let mut at = 0;
            for index in 0..node.inputs.len() {
                let (x, x_at) = builder.input(node, index)?;
                let mut starts = vec![0; x.shape.len()];
                if let Some(start) = starts.get_mut(*axis) {
                    *start = at;
                }
                at += x.shape.get(*axis).copied().unwrap_or(0);
                let part = y_at.slice(&starts, &vec![1; x.shape.len()], &x.shape).map_err(fail)?;
                // What is made in its part of the result is there already.
                if !is_same(&x_at, &part) {
                    steps.push(Box::new(copy(x_at, part, rows).map_err(fail)?));
                }
            }
            Ok(steps)
        }
        Operator::Slice { starts, steps, sizes } => {
            let (_, x_at) = builder.input(node, 0)?;
            let steps: Vec<i64> = steps.iter().map(|&step| step as i64).collect();
            let source = x_at.slice(starts, &steps, sizes).map_err(fail)?;
            Ok(vec![Box::new(copy(source, y_at, rows).map_err(fail)?)])
        }
        Operator::Transpose { permutation } => {
            let (_, x_at) = builder.input(node, 0)?;
            let source = x_at.transpose(permutation).map_err(fail)?;
            Ok(vec![Box::new(copy(source, y_at, rows).map_err(fail)?)])
        }
        Operator::Pad { before, after, mode } => {
            let (_, x_at) = builder.input(node, 0)?;
            match mode {
                PadMode::Constant(value) => constant_pad(&x_at, &y_at, before, *value, rows).map_err(fail),
                PadMode::Edge | PadMode::Reflect => {
                    let reflect = matches!(mode, PadMode::Reflect);
                    mirrored_pad(&x_at, &y_at, [before, after], reflect, rows).map_err(fail)
                }
            }
        }
        _ => Err(unsupported(node, "it is not a layout operator")),
    }
}

/// Whether two views are the same bytes: where a dimension has one index, its stride says nothing.
fn is_same(left: &TilePlacement, right: &TilePlacement) -> bool {
    let strides = left.strides.iter().zip(&right.strides).zip(&left.shape);
    left.memory == right.memory
        && left.shape == right.shape
        && strides.into_iter().all(|((left, right), size)| *size == 1 || left == right)
}

/// A copy with as few dimensions as the two views allow; the rows stay.
pub fn copy(source: TilePlacement, destination: TilePlacement, rows: KeptRows) -> Result<Copy, EmitError> {
    if source.shape != destination.shape {
        return Copy::new(source, destination);
    }
    let mut views = [source, destination];
    collapse(&mut views, rows);
    let [source, destination] = views;
    Copy::new(source, destination)
}

/// The operand in the middle, boxes of the value around it.
fn constant_pad(
    x: &TilePlacement,
    y: &TilePlacement,
    before: &[usize],
    value: i32,
    rows: KeptRows,
) -> Result<Steps, EmitError> {
    let ones = vec![1; y.shape.len()];
    let mut steps: Steps = vec![Box::new(copy(x.clone(), y.slice(before, &ones, &x.shape)?, rows)?)];
    // Axis by axis: in front and behind, within the operand's range of the axes before and the whole of those after.
    let (mut starts, mut sizes) = (vec![0; y.shape.len()], y.shape.clone());
    for (axis, (&padding, &size)) in before.iter().zip(&x.shape).enumerate() {
        let whole = y.shape.get(axis).copied().unwrap_or(0);
        let behind = padding + size;
        for (start, length) in [(0, padding), (behind, whole.saturating_sub(behind))] {
            if length > 0 {
                let (mut starts, mut sizes) = (starts.clone(), sizes.clone());
                set(&mut starts, axis, start);
                set(&mut sizes, axis, length);
                let mut part = [y.slice(&starts, &ones, &sizes)?];
                collapse(&mut part, rows);
                let [part] = part;
                steps.push(Box::new(Fill::new(part, value as u32)));
            }
        }
        set(&mut starts, axis, padding);
        set(&mut sizes, axis, size);
    }
    Ok(steps)
}

fn set(values: &mut [usize], index: usize, value: usize) {
    if let Some(entry) = values.get_mut(index) {
        *entry = value;
    }
}

/// A part of one dimension: cells from `output` on are cells from `input` on, `step` apart.
#[derive(Clone, Copy)]
struct Part {
    output: usize,
    length: usize,
    input: usize,
    step: i64,
}

/// Every combination of in front, middle and behind of each dimension is one copy, backwards or of one cell where padded.
fn mirrored_pad(
    x: &TilePlacement,
    y: &TilePlacement,
    [before, after]: [&[usize]; 2],
    reflect: bool,
    rows: KeptRows,
) -> Result<Steps, EmitError> {
    let mut boxes: Vec<Vec<Part>> = vec![Vec::new()];
    for ((&size, &front), &back) in x.shape.iter().zip(before).zip(after) {
        let last = size.saturating_sub(1);
        let (step, first, second) = if reflect { (-1, front, last.saturating_sub(1)) } else { (0, 0, last) };
        let parts = [
            Part { output: 0, length: front, input: first, step },
            Part { output: front, length: size, input: 0, step: 1 },
            Part { output: front + size, length: back, input: second, step },
        ];
        let parts = || parts.into_iter().filter(|part| part.length > 0);
        boxes = boxes
            .into_iter()
            .flat_map(|head| parts().map(move |part| head.iter().copied().chain([part]).collect::<Vec<Part>>()))
            .collect();
    }
    let ones = vec![1; y.shape.len()];
    let pick = |parts: &[Part], field: fn(&Part) -> usize| parts.iter().map(field).collect::<Vec<usize>>();
    let mut steps = Steps::new();
    for parts in boxes {
        let sizes = pick(&parts, |part| part.length);
        let walk: Vec<i64> = parts.iter().map(|part| part.step).collect();
        let source = x.slice(&pick(&parts, |part| part.input), &walk, &sizes)?;
        let destination = y.slice(&pick(&parts, |part| part.output), &ones, &sizes)?;
        steps.push(Box::new(copy(source, destination, rows)?));
    }
    Ok(steps)
}
