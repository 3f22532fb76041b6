//! Depthwise convolutions: output rows in tasks for all threads, neighbouring cells of some channels at a time.
//!
//! Indexing below is into slices whose sizes follow from the instruction's shapes, which validation has checked, and `merge` for joined ones.

use std::sync::{Mutex, PoisonError};

use crate::nash::isa::BpuElement;
use crate::team::TeamRun;

use super::convolution::ConvolutionJob;
use super::kernel::{self, DepthwiseInputs, Finish, Input, LANES, Results, Taps, lanes};
use super::panel::{Panel, PanelLayout, PanelRows};

/// Multiply-accumulates from which threads pay off. Tests have little memory, and yet several tasks.
const PARALLEL_FROM: usize = if cfg!(test) { 1 << 7 } else { 1 << 15 };
/// Bytes of a panel to aim at.
const PANEL: usize = if cfg!(test) { 1 << 8 } else { 128 << 10 };
/// Tasks for each thread, so that one that was held up leaves its share to the others.
const TASKS_PER_THREAD: usize = 4;

/// The order of the kernel cells of depthwise weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TapOrder {
    kernel: [usize; 2],
    per_step: usize,
    /// Whether they go column by column, whole steps in each; else row by row.
    in_columns: bool,
}

impl TapOrder {
    /// Column by column where that takes not many more steps: then neighbouring output cells share what is read for a column.
    pub fn new(input: Input, kernel: [u32; 2]) -> TapOrder {
        let (kernel, per_step) = (kernel.map(|size| size as usize), input.per_step());
        let steps = |taps: usize| taps.div_ceil(per_step);
        let in_columns = kernel[1] * steps(kernel[0]) <= steps(kernel[0] * kernel[1]) * 3 / 2;
        TapOrder { kernel, per_step, in_columns }
    }

    /// Kernel cells of a column with those that fill up its steps, where they go column by column.
    pub fn column(&self) -> Option<usize> {
        self.in_columns.then(|| self.kernel[0].next_multiple_of(self.per_step))
    }

    /// How many there are, with those that fill up steps.
    pub fn len(&self) -> usize {
        let [rows, columns] = self.kernel;
        self.column().map_or((rows * columns).next_multiple_of(self.per_step), |column| columns * column)
    }

    /// The place of a kernel cell, counted row by row.
    pub fn place(&self, tap: usize) -> usize {
        self.column().map_or(tap, |column| tap % self.kernel[1] * column + tap / self.kernel[1])
    }

    /// Row and column of each; the first one where there is none.
    pub fn cells(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut cells = vec![(0, 0); self.len()];
        let columns = self.kernel[1];
        for tap in 0..self.kernel[0] * columns {
            if let Some(cell) = cells.get_mut(self.place(tap)) {
                *cell = (tap / columns, tap % columns);
            }
        }
        cells.into_iter()
    }
}

/// A depthwise convolution with all that its rows share.
pub(super) struct DepthwiseJob<'a>(pub ConvolutionJob<'a>);

/// What tasks need besides the convolution.
struct Shared<'a> {
    /// Output rows of a task, and tasks of an image.
    rows: usize,
    chunks: usize,
    layout: PanelLayout,
    taps: Taps,
    results: Results<'a>,
}

/// Neighbouring output cells.
#[derive(Clone, Copy)]
struct Cells {
    /// The first one, counted through the output.
    number: usize,
    count: usize,
}

impl DepthwiseJob<'_> {
    /// Computes everything. There is a panel for each thread.
    pub fn run(&self, team: &mut TeamRun<'_>, panels: &[Mutex<Panel>], results: &mut [u8]) {
        let [images, rows, columns, channels] = self.0.o.output_shape.map(|size| size as usize);
        let order = TapOrder::new(self.0.weights.input, self.0.o.window.kernel);
        let is_parallel = images * rows * columns * channels * order.len() >= PARALLEL_FROM && team.threads() > 1;
        let height = self.height(if is_parallel { team.threads() * TASKS_PER_THREAD } else { 1 });
        let layout = PanelLayout::new(self.0.o, self.0.source.tile.cell, height);
        panels.iter().for_each(|panel| panel.lock().unwrap_or_else(PoisonError::into_inner).forget());
        // SAFETY: no two tasks have the same row, and rows lie one behind the other.
        let results = unsafe { Results::new(results) };
        let shared = Shared { rows: height, chunks: rows.div_ceil(height), layout, taps: layout.taps(&order), results };
        let job = |task: usize, thread: usize| {
            if let Some(panel) = panels.get(thread) {
                self.task(&shared, task, &mut panel.lock().unwrap_or_else(PoisonError::into_inner));
            }
        };
        let tasks = images * shared.chunks;
        if is_parallel {
            team.share(tasks, &job);
        } else {
            (0..tasks).for_each(|task| job(task, 0));
        }
    }

    /// Output rows of a task, for about as many tasks as are wanted. Rows of windows that overlap had better stay together.
    fn height(&self, wanted: usize) -> usize {
        let [images, rows, ..] = self.0.o.output_shape.map(|size| size as usize);
        let mut height = (images * rows).div_ceil(wanted).max(2).min(rows);
        while height > 1 && PanelLayout::new(self.0.o, self.0.source.tile.cell, height).bytes() > PANEL {
            height = height.div_ceil(2);
        }
        height
    }

    fn task(&self, shared: &Shared<'_>, task: usize, panel: &mut Panel) {
        let (image, first) = (task / shared.chunks, task % shared.chunks * shared.rows);
        let [_, rows, columns, channels] = self.0.o.output_shape.map(|size| size as usize);
        let wanted = PanelRows { image, first, count: shared.rows.min(rows - first) };
        let [image_step, row_step, column_step] = self.0.strides;
        let place = image * image_step + first * row_step;
        panel.fill(&shared.layout, &self.0.source, wanted, place, [row_step, column_step]);
        let (panel, cells) = panel.parts();
        let bytes = channels * self.0.o.output_element.bytes() as usize;
        for (row, cells) in cells.chunks(columns).enumerate() {
            let number = (image * rows + first + row) * columns;
            for (run, cells) in cells.chunks(shared.taps.cells()).enumerate() {
                let ([begin, ..], count) = (cells, cells.len()) else { continue };
                let inputs =
                    DepthwiseInputs { panel, window: begin.window, step: shared.layout.step(), taps: &shared.taps };
                let end = begin.place + (count - 1) * column_step + bytes;
                let cells = Cells { number: number + run * shared.taps.cells(), count };
                shared.results.write(begin.place..end, |results| self.cells(inputs, cells, results));
            }
        }
    }

    /// Computes neighbouring cells.
    fn cells(&self, inputs: DepthwiseInputs<'_>, cells: Cells, results: &mut [u8]) {
        let outputs = self.0.o.output_shape[3] as usize;
        let together = self.0.weights.input == Input::I8 && self.0.accumulate.is_none();
        for first in (0..outputs).step_by(LANES) {
            let channels = LANES.min(outputs - first);
            let weights = self.0.weights.depthwise(first, channels);
            let left = match self.finish_i8(first, channels).filter(|_| together) {
                Some(finish) => {
                    let starts = &self.0.starts[first..first + channels];
                    kernel::depthwise_i8(
                        self.0.level,
                        inputs,
                        cells.count,
                        weights,
                        starts,
                        finish,
                        &mut results[first..],
                    )
                }
                None => u64::MAX,
            };
            for index in (0..cells.count).filter(|index| left >> index & 1 != 0) {
                let mut sums = [0; LANES];
                self.begin(cells.number + index, first, &mut sums[..channels]);
                kernel::depthwise(self.0.level, inputs, index, weights, &mut sums);
                self.end(index, first, channels, &mut sums, results);
            }
        }
    }

    /// What the sums of an output cell begin with, from output channel `first` on.
    fn begin(&self, number: usize, first: usize, sums: &mut [i32]) {
        sums.copy_from_slice(&self.0.starts[first..first + sums.len()]);
        if let Some(earlier) = self.0.accumulate {
            let cell = number * self.0.o.output_shape[3] as usize + first;
            lanes::sum(self.0.level, sums, &earlier[cell..][..sums.len()]);
        }
    }

    /// How sums of some output channels become results, where these are int8.
    fn finish_i8(&self, first: usize, channels: usize) -> Option<Finish<'_>> {
        let parameters = self.0.parameters.filter(|_| self.0.o.output_element == BpuElement::I8)?;
        Some(Finish { channels: parameters.from(first, channels), to: self.0.destination(), step: self.0.strides[2] })
    }

    /// Turns the sums of a cell, `channels` from output channel `first` on, into results and writes them.
    fn end(&self, cell: usize, first: usize, channels: usize, sums: &mut [i32; LANES], results: &mut [u8]) {
        let bytes = self.0.o.output_element.bytes() as usize;
        let results = &mut results[cell * self.0.strides[2] + first * bytes..];
        if let Some(finish) = self.finish_i8(first, channels) {
            return kernel::finish_i8(self.0.level, sums, LANES, finish, results);
        }
        if let Some(parameters) = self.0.parameters {
            lanes::finish(self.0.level, sums, LANES, parameters.from(first, channels), self.0.destination());
        }
        let results = &mut results[..channels * bytes];
        self.0.write(sums, results)
    }
}
