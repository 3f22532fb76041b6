//! AAE. Indexing is into packed vectors, whose sizes follow from the shapes that index them.

use crate::nash::isa::{AveragePool, BpuElement, Count, MaxPool, View, Window, valid_taps};
use crate::numerics::{self, Clamp, Destination, Multiplier};

use super::memory::{Fault, read, write};

pub(super) fn max_pool(l1m: &mut [u8], o: &MaxPool) -> Result<(), Fault> {
    let lowest = if o.element == BpuElement::I8 { Clamp::I8.low } else { Clamp::I16.low };
    let input = read(l1m, &o.input, &o.input_shape, o.element)?;
    let mut output = initial(l1m, &o.accumulate, &o.output_shape, o.element, lowest)?;
    slide(&input, &o.input_shape, &mut output, &o.output_shape, &o.window, numerics::maximum);
    write(l1m, &o.output, &o.output_shape, o.element, &output)
}

pub(super) fn average_pool(l1m: &mut [u8], o: &AveragePool) -> Result<(), Fault> {
    let mut input = read(l1m, &o.input, &o.input_shape, o.input_element)?;
    input.iter_mut().for_each(|cell| *cell -= o.zero_points[0]);
    let mut sums = initial(l1m, &o.accumulate, &o.output_shape, BpuElement::I32, 0)?;
    slide(&input, &o.input_shape, &mut sums, &o.output_shape, &o.window, i32::wrapping_add);
    if let Some(count) = &o.count {
        average(l1m, o, count, &mut sums)?;
    }
    write(l1m, &o.output, &o.output_shape, o.output_element, &sums)
}

/// What earlier parts of the window left, or the neutral value.
fn initial(
    l1m: &[u8],
    accumulate: &Option<View<4>>,
    shape: &[u32; 4],
    element: BpuElement,
    neutral: i32,
) -> Result<Vec<i32>, Fault> {
    match accumulate {
        Some(view) => read(l1m, view, shape, element),
        None => Ok(vec![neutral; shape.iter().map(|size| *size as usize).product()]),
    }
}

/// Joins every output cell with the input cells of its window.
fn slide(
    input: &[i32],
    input_shape: &[u32; 4],
    output: &mut [i32],
    output_shape: &[u32; 4],
    window: &Window,
    join: impl Fn(i32, i32) -> i32,
) {
    let [_, rows, columns, channels] = input_shape.map(|size| size as usize);
    let [_, output_rows, output_columns, _] = output_shape.map(|size| size as usize);
    for (index, cell) in output.chunks_mut(channels).enumerate() {
        let (image, y, x) =
            (index / (output_rows * output_columns), index / output_columns % output_rows, index % output_columns);
        for row in covered(window, 0, y, input_shape[1]) {
            for column in covered(window, 1, x, input_shape[2]) {
                let start = ((image * rows + row) * columns + column) * channels;
                let cells = &input[start..start + channels];
                cell.iter_mut().zip(cells).for_each(|(result, value)| *result = join(*result, *value));
            }
        }
    }
}

/// The input rows or columns of the tile that a window covers.
fn covered(window: &Window, axis: usize, position: usize, extent: u32) -> impl Iterator<Item = usize> {
    let start = position as i64 * i64::from(window.strides[axis]) - i64::from(window.pads[axis]);
    let dilation = i64::from(window.dilations[axis]);
    let (first, end) = valid_taps(start, window.dilations[axis], window.kernel[axis], extent);
    (first..end).map(move |tap| (start + i64::from(tap) * dilation) as usize)
}

/// Turns sums into averages.
fn average(l1m: &[u8], o: &AveragePool, count: &Count, sums: &mut [i32]) -> Result<(), Fault> {
    let words = read_table(l1m, count)?;
    let [_, rows, columns, channels] = o.output_shape;
    let to = Destination { zero_point: o.zero_points[1], clamp: o.clamp };
    let width = count.shape[1] as usize;
    // Validation: every count has an entry.
    let index = |axis, position| (count.cells(&o.window, axis, position) - u64::from(count.minimum[axis])) as usize;
    let cells = |axis, position| count.cells(&o.window, axis, position);
    for (place, cell) in sums.chunks_mut(channels as usize).enumerate() {
        let (y, x) = ((place / columns as usize) as u32 % rows, place as u32 % columns);
        if cells(0, y) == 0 || cells(1, x) == 0 {
            cell.fill(to.apply(0));
            continue;
        }
        let multiplier = words[index(0, y) * width + index(1, x)];
        if !multiplier.is_normal() {
            return Err(format!("the multiplier for {} x {} cells is not normal", cells(0, y), cells(1, x)));
        }
        cell.iter_mut().for_each(|sum| *sum = numerics::average(*sum, multiplier, to));
    }
    Ok(())
}

fn read_table(l1m: &[u8], count: &Count) -> Result<Vec<Multiplier>, Fault> {
    let [rows, columns] = count.table.strides;
    let words = View::new(count.table.address, [rows, columns, 4]);
    let words = read(l1m, &words, &[count.shape[0], count.shape[1], 2], BpuElement::I32)?;
    Ok(words.as_chunks::<2>().0.iter().map(|&[mantissa, shift]| Multiplier { mantissa, shift: shift as u32 }).collect())
}
