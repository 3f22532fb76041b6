//! Dense convolutions: output cells by output channels, in tasks for all threads.
//!
//! Indexing below is into slices whose sizes follow from the instruction's shapes, which validation has checked, and `merge` for joined ones.

use std::sync::{Mutex, PoisonError};

use crate::nash::isa::BpuElement;
use crate::team::TeamRun;

use super::convolution::ConvolutionJob;
use super::kernel::{
    self, BLOCK, BLOCKS, Begin, DenseCell, DenseFinish, DenseInputs, PIXELS, Results, Sums, WindowRuns, lanes,
};
use super::panel::{Panel, PanelLayout, PanelRows};

/// Multiply-accumulates from which threads pay off. Tests have little memory, and yet several tasks.
const PARALLEL_FROM: usize = if cfg!(test) { 1 << 9 } else { 1 << 19 };
/// Bytes of a panel to aim at: with some weights it stays in the second cache.
const PANEL: usize = if cfg!(test) { 1 << 8 } else { 256 << 10 };
/// Weights up to this size stay in the second cache while rows go by; of larger ones every thread had better have its own.
const FEW_WEIGHTS: usize = if cfg!(test) { 1 << 9 } else { 256 << 10 };
/// Tasks for each thread, so that one that was held up leaves its share to the others.
const TASKS_PER_THREAD: usize = 4;
/// Output cells that a task has at least, where rows are cut.
const CELLS: usize = if cfg!(test) { 1 } else { 4 * PIXELS };

/// A dense convolution with all that its tasks share.
pub(super) struct DenseJob<'a>(pub ConvolutionJob<'a>);

/// How a convolution is cut into tasks.
struct Tasks {
    /// Output rows of a task.
    rows: usize,
    /// Tasks with rows of the same image.
    chunks: usize,
    /// Tasks with the same rows, each for some groups of blocks of output channels.
    splits: usize,
    /// Blocks of a group.
    together: usize,
    groups: usize,
}

/// What tasks need besides the convolution.
struct Shared<'a> {
    tasks: Tasks,
    layout: PanelLayout,
    runs: WindowRuns,
    results: Results<'a>,
}

/// What one call of a kernel computes.
#[derive(Clone, Copy)]
struct Place {
    /// The first block of output channels, and how many there are at most.
    block: usize,
    blocks: usize,
    /// Of the first cell, counted through the output.
    number: usize,
}

impl DenseJob<'_> {
    /// Computes everything. There is a panel for each thread.
    pub fn run(&self, team: &mut TeamRun<'_>, panels: &[Mutex<Panel>], results: &mut [u8]) {
        let [images, rows, columns, outputs] = self.0.o.output_shape.map(|size| size as usize);
        let [kernel_rows, kernel_columns] = self.0.o.window.kernel.map(|size| size as usize);
        let products =
            images * rows * columns * outputs * kernel_rows * kernel_columns * self.0.o.input_shape[3] as usize;
        let is_parallel = products >= PARALLEL_FROM && team.threads() > 1;
        let tasks = self.cut(if is_parallel { team.threads() * TASKS_PER_THREAD } else { 1 });
        let layout = PanelLayout::new(self.0.o, self.0.source.tile.cell, tasks.rows);
        let count = images * tasks.chunks * tasks.splits;
        panels.iter().for_each(|panel| panel.lock().unwrap_or_else(PoisonError::into_inner).forget());
        // SAFETY: no two tasks have the same cell and channel, and validation has found that no two of their results share a byte.
        let results = unsafe { Results::new(results) };
        let shared = Shared { tasks, layout, runs: layout.runs(self.0.o), results };
        let job = |task: usize, thread: usize| {
            if let Some(panel) = panels.get(thread) {
                self.task(&shared, task, &mut panel.lock().unwrap_or_else(PoisonError::into_inner));
            }
        };
        if is_parallel {
            team.share(count, &job);
        } else {
            (0..count).for_each(|task| job(task, 0));
        }
    }

    /// Into about as many tasks as are wanted. Many weights had better be read by few tasks each, else rows by few.
    fn cut(&self, wanted: usize) -> Tasks {
        let [images, rows, columns, outputs] = self.0.o.output_shape.map(|size| size as usize);
        let blocks = outputs.div_ceil(BLOCK);
        // Blocks in equal groups.
        let together = blocks.div_ceil(blocks.div_ceil(BLOCKS));
        let groups = blocks.div_ceil(together);
        let mut height = rows;
        while height > 1 && PanelLayout::new(self.0.o, self.0.source.tile.cell, height).bytes() > PANEL {
            height = height.div_ceil(2);
        }
        if self.0.weights.bytes() <= FEW_WEIGHTS {
            height = height.min((images * rows).div_ceil(wanted).max(CELLS.div_ceil(columns)));
        }
        let chunks = rows.div_ceil(height);
        let splits = wanted.div_ceil(images * chunks).min(groups);
        Tasks { rows: height, chunks, splits, together, groups }
    }

    fn task(&self, shared: &Shared<'_>, task: usize, panel: &mut Panel) {
        let Tasks { rows, chunks, splits, together, groups } = shared.tasks;
        let (chunk, split) = (task / splits, task % splits);
        let (image, first) = (chunk / chunks, chunk % chunks * rows);
        let [_, all_rows, columns, _] = self.0.o.output_shape.map(|size| size as usize);
        let rows = PanelRows { image, first, count: rows.min(all_rows - first) };
        let [image_step, row_step, column_step] = self.0.strides;
        let place = image * image_step + first * row_step;
        panel.fill(&shared.layout, &self.0.source, rows, place, [row_step, column_step]);
        let (bytes, cells) = panel.parts();
        let number = (image * all_rows + first) * columns;
        let mut sums: Sums = [[0; BLOCKS * BLOCK]; PIXELS];
        for group in groups * split / splits..groups * (split + 1) / splits {
            for (index, cells) in cells.chunks(PIXELS).enumerate() {
                let inputs = DenseInputs { panel: bytes, cells, runs: &shared.runs };
                let place = Place { block: group * together, blocks: together, number: number + index * PIXELS };
                self.cells(inputs, place, &mut sums, shared.results);
            }
        }
    }

    /// Computes some cells for some blocks of output channels.
    fn cells(&self, inputs: DenseInputs<'_>, place: Place, sums: &mut Sums, results: Results<'_>) {
        let Place { block, blocks, number } = place;
        let outputs = self.0.o.output_shape[3] as usize;
        let first = block * BLOCK;
        let channels = (blocks * BLOCK).min(outputs - first);
        let mut begin = Begin::At(&self.0.starts[first..]);
        if let Some(earlier) = self.0.accumulate {
            for (index, sums) in sums.iter_mut().enumerate().take(inputs.cells.len()) {
                let sums = &mut sums[..channels];
                sums.copy_from_slice(&self.0.starts[first..][..channels]);
                lanes::sum(self.0.level, sums, &earlier[(number + index) * outputs + first..][..channels]);
            }
            begin = Begin::There;
        }
        let finish = self.0.parameters.filter(|_| self.0.o.output_element == BpuElement::I8).map(|parameters| {
            DenseFinish { channels: parameters.from(first, channels), to: self.0.destination(), results, offset: first }
        });
        let blocks = channels.div_ceil(BLOCK);
        if !kernel::dense(self.0.level, inputs, self.0.weights.dense(block), blocks, (begin, sums), finish) {
            self.end(inputs.cells, first, channels, sums, results);
        }
    }

    /// Turns sums of some cells, `channels` from output channel `first` on, into results and writes them.
    fn end(&self, cells: &[DenseCell], first: usize, channels: usize, sums: &mut Sums, results: Results<'_>) {
        let bytes = self.0.o.output_element.bytes() as usize;
        if let Some(parameters) = self.0.parameters {
            let sums = sums[..cells.len()].as_flattened_mut();
            lanes::finish(self.0.level, sums, BLOCKS * BLOCK, parameters.from(first, channels), self.0.destination());
        }
        for (cell, sums) in cells.iter().zip(sums.iter()) {
            let place = cell.place + first * bytes;
            results.write(place..place + channels * bytes, |results| self.0.write(sums, results));
        }
    }
}
