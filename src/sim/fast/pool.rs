//! AAE: every output cell joins the input cells of its window, some channels at a time.

use crate::nash::isa::{AveragePool, BpuElement, Count, MaxPool, View, Window, valid_taps};
use crate::numerics::{Clamp, Destination, Multiplier};
use crate::sim::machine::Fault;

use super::kernel::{Level, lanes};
use super::walk::{CHUNK, Line, chunks, outside};

/// What both kinds of pool have.
struct Pool<'a> {
    input_shape: &'a [u32; 4],
    output_shape: &'a [u32; 4],
    window: &'a Window,
    input: (&'a View<4>, BpuElement),
    /// From which the cells of the input count.
    zero_point: i32,
    accumulate: Option<(&'a View<4>, BpuElement)>,
    output: (&'a View<4>, BpuElement),
    /// The result of no cells.
    neutral: i32,
}

/// The channels of a cell of a tile.
fn line((view, element): (&View<4>, BpuElement), image: u32, row: u32, column: u32) -> Option<Line> {
    let [images, rows, columns, step] = view.strides.map(i64::from);
    let start =
        i64::from(view.address) + i64::from(image) * images + i64::from(row) * rows + i64::from(column) * columns;
    Some(Line { start: usize::try_from(start).ok()?, step, element })
}

/// The input rows or columns of the tile that a window covers.
fn covered(window: &Window, axis: usize, position: u32, extent: u32) -> impl Iterator<Item = u32> + use<> {
    let start = i64::from(position) * i64::from(window.strides[axis]) - i64::from(window.pads[axis]);
    let dilation = i64::from(window.dilations[axis]);
    let (first, end) = valid_taps(start, window.dilations[axis], window.kernel[axis], extent);
    // A valid tap lies in the tile.
    (first..end).map(move |tap| (start + i64::from(tap) * dilation) as u32)
}

impl Pool<'_> {
    /// The maximum where elements are bytes and channels neighbours.
    fn maximum_of_bytes(&self, memory: &mut [u8], level: Level) -> Option<()> {
        let [images, rows, columns, channels] = *self.output_shape;
        let bytes = channels as usize;
        let cells = (0..images).flat_map(|image| (0..rows).flat_map(move |y| (0..columns).map(move |x| (image, y, x))));
        let mut results = vec![0; bytes];
        for (image, y, x) in cells {
            results.fill(self.neutral as u8);
            for row in covered(self.window, 0, y, self.input_shape[1]) {
                for column in covered(self.window, 1, x, self.input_shape[2]) {
                    let start = line(self.input, image, row, column)?.start;
                    lanes::maximum_i8(level, &mut results, memory.get(start..start.checked_add(bytes)?)?);
                }
            }
            let start = line(self.output, image, y, x)?.start;
            memory.get_mut(start..start.checked_add(bytes)?)?.copy_from_slice(&results);
        }
        Some(())
    }

    fn run(
        &self,
        memory: &mut [u8],
        level: Level,
        join: impl Fn(&mut [i32], &[i32]),
        finish: impl Fn(u32, u32, &mut [i32]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let [images, rows, columns, channels] = *self.output_shape;
        let (mut results, mut values) = ([0; CHUNK], [0; CHUNK]);
        let mut fault = None;
        let mut cell = |image, y, x| {
            let output = line(self.output, image, y, x)?;
            chunks(channels as usize, |first, count| {
                let (results, values) = (&mut results[..count], &mut values[..count]);
                match self.accumulate {
                    Some(operand) => line(operand, image, y, x)?.read(level, memory, first, results)?,
                    None => results.fill(self.neutral),
                }
                for row in covered(self.window, 0, y, self.input_shape[1]) {
                    for column in covered(self.window, 1, x, self.input_shape[2]) {
                        line(self.input, image, row, column)?.read(level, memory, first, values)?;
                        if self.zero_point != 0 {
                            lanes::subtract(level, values, self.zero_point);
                        }
                        join(results, values);
                    }
                }
                if let Err(reason) = finish(y, x, results) {
                    fault = Some(reason);
                    return None;
                }
                output.write(level, memory, first, results)
            })
        };
        let mut cells =
            (0..images).flat_map(|image| (0..rows).flat_map(move |y| (0..columns).map(move |x| (image, y, x))));
        match cells.try_for_each(|(image, y, x)| cell(image, y, x)) {
            Some(()) => Ok(()),
            None => Err(fault.unwrap_or_else(outside)),
        }
    }
}

pub(super) fn max_pool(memory: &mut [u8], level: Level, o: &MaxPool) -> Result<(), Fault> {
    let pool = Pool {
        input_shape: &o.input_shape,
        output_shape: &o.output_shape,
        window: &o.window,
        input: (&o.input, o.element),
        // A maximum keeps integers as they are.
        zero_point: 0,
        accumulate: o.accumulate.as_ref().map(|view| (view, o.element)),
        output: (&o.output, o.element),
        neutral: if o.element == BpuElement::I8 { Clamp::I8.low } else { Clamp::I16.low },
    };
    let are_neighbours = o.output_shape[3] == 1 || [o.input.strides[3], o.output.strides[3]] == [1; 2];
    if o.element == BpuElement::I8 && o.accumulate.is_none() && are_neighbours {
        return pool.maximum_of_bytes(memory, level).ok_or_else(outside);
    }
    pool.run(memory, level, |a, b| lanes::maximum(level, a, b), |_, _, _| Ok(()))
}

pub(super) fn average_pool(memory: &mut [u8], level: Level, o: &AveragePool) -> Result<(), Fault> {
    let pool = Pool {
        input_shape: &o.input_shape,
        output_shape: &o.output_shape,
        window: &o.window,
        input: (&o.input, o.input_element),
        zero_point: o.zero_points[0],
        accumulate: o.accumulate.as_ref().map(|view| (view, BpuElement::I32)),
        output: (&o.output, o.output_element),
        neutral: 0,
    };
    let table = o.count.as_ref().map(|count| read_table(memory, level, count)).transpose()?;
    let to = Destination { zero_point: o.zero_points[1], clamp: o.clamp };
    let join = |a: &mut [i32], b: &[i32]| lanes::sum(level, a, b);
    pool.run(memory, level, join, |y, x, sums| {
        let (Some(count), Some(table)) = (&o.count, &table) else { return Ok(()) };
        let [rows, columns] = [count.cells(&o.window, 0, y), count.cells(&o.window, 1, x)];
        if rows == 0 || columns == 0 {
            sums.fill(to.apply(0));
            return Ok(());
        }
        // Validation: every count has an entry.
        let entry =
            (rows - u64::from(count.minimum[0])) * u64::from(count.shape[1]) + columns - u64::from(count.minimum[1]);
        let multiplier = table.get(entry as usize).ok_or_else(outside)?;
        if !multiplier.is_normal() {
            return Err(format!("the multiplier for {rows} x {columns} cells is not normal"));
        }
        lanes::rescale(level, sums, *multiplier, to);
        Ok(())
    })
}

fn read_table(memory: &[u8], level: Level, count: &Count) -> Result<Vec<Multiplier>, Fault> {
    let mut table = Vec::new();
    for row in 0..count.shape[0] {
        for column in 0..count.shape[1] {
            let [rows, columns] = count.table.strides.map(i64::from);
            let start = i64::from(count.table.address) + i64::from(row) * rows + i64::from(column) * columns;
            let line =
                Line { start: usize::try_from(start).map_err(|_| outside())?, step: 4, element: BpuElement::I32 };
            let mut words = [0; 2];
            line.read(level, memory, 0, &mut words).ok_or_else(outside)?;
            table.push(Multiplier { mantissa: words[0], shift: words[1] as u32 });
        }
    }
    Ok(table)
}
