//! Panels: copies of the input cells that some output rows of a convolution see, with the cells of the padding, in the order in which the
//! kernels want them.
//!
//! A copy costs little beside the products that it is for, as every cell meets all output channels or several kernel cells. Kernels then need
//! no care for borders, gaps and signs, and run through long rows of neighbours.
//!
//! Indexing below is into slices whose sizes follow from the instruction's shapes, which validation has checked, and `merge` for joined ones.

use crate::nash::isa::{Convolution, Window};

use super::depthwise::TapOrder;
use super::kernel::{DenseCell, Level, STEP, TapColumns, Taps, WindowRuns, lanes};

/// The most bytes of a panel of one output row.
const LARGEST: usize = 16 << 20;

/// The input tile: cells whose channels are neighbours.
pub(super) struct Tile<'a> {
    pub bytes: &'a [u8],
    pub start: i64,
    /// From one image, row, column to the next.
    pub strides: [i64; 3],
    /// Rows and columns.
    pub size: [i64; 2],
    /// Bytes of a cell.
    pub cell: usize,
}

/// The rows of a panel, or its columns.
#[derive(Clone, Copy, Debug)]
struct Axis {
    kernel: usize,
    dilation: usize,
    stride: usize,
    pad: i64,
    /// Output cells.
    outputs: usize,
    /// Whether there is a copy for every kernel cell, which holds what this one meets, because that is less than all from the first to the last.
    is_separate: bool,
}

impl Axis {
    fn new(window: &Window, axis: usize, outputs: usize) -> Axis {
        let [kernel, stride, dilation] =
            [window.kernel, window.strides, window.dilations].map(|pair| pair[axis] as usize);
        let pad = i64::from(window.pads[axis]);
        let mut new = Axis { kernel, dilation, stride, pad, outputs, is_separate: false };
        let all = new.cells();
        new.is_separate = new.kernel.saturating_mul(outputs) < all;
        new
    }

    /// Cells of the panel.
    fn cells(&self) -> usize {
        if self.is_separate {
            return self.kernel.saturating_mul(self.outputs);
        }
        let reach = (self.kernel - 1).saturating_mul(self.dilation);
        (self.outputs - 1).saturating_mul(self.stride).saturating_add(reach).saturating_add(1)
    }

    /// Cells of the panel from the window of an output cell to that of the next, and from a kernel cell to the next.
    fn steps(&self) -> [usize; 2] {
        if self.is_separate { [1, self.outputs] } else { [self.stride, self.dilation] }
    }

    /// The copies: the first cell of each in the input, for output cells from `output` on; then the cells of each and their distance in the input.
    fn parts(&self, output: usize) -> (impl Iterator<Item = i64>, usize, i64) {
        let first = output as i64 * self.stride as i64 - self.pad;
        let (parts, length, step) =
            if self.is_separate { (self.kernel, self.outputs, self.stride) } else { (1, self.cells(), 1) };
        let dilation = self.dilation as i64;
        ((0..parts).map(move |part| first + part as i64 * dilation), length, step as i64)
    }
}

/// How many cells of a kernel row meet neighbours: all, or one.
pub(super) fn cells_per_run(o: &Convolution) -> usize {
    let columns = Axis::new(&o.window, 1, o.output_shape[2] as usize);
    if !columns.is_separate && (columns.dilation == 1 || columns.kernel == 1) { columns.kernel } else { 1 }
}

/// Whether a panel of an output row is not too large.
pub(super) fn is_possible(o: &Convolution) -> bool {
    let cell = o.input_shape[3] as usize * o.input_element.bytes() as usize;
    PanelLayout::new(o, cell, 1).bytes() <= LARGEST
}

/// How panels of a convolution are laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct PanelLayout {
    rows: Axis,
    columns: Axis,
    /// Bytes.
    cell: usize,
}

impl PanelLayout {
    /// For `rows` output rows at most.
    pub fn new(o: &Convolution, cell: usize, rows: usize) -> PanelLayout {
        let columns = Axis::new(&o.window, 1, o.output_shape[2] as usize);
        PanelLayout { rows: Axis::new(&o.window, 0, rows), columns, cell }
    }

    fn row_bytes(&self) -> usize {
        self.columns.cells().saturating_mul(self.cell)
    }

    /// Of a panel. Behind its cells there are some that the last step of a run may reach.
    pub fn bytes(&self) -> usize {
        self.rows.cells().saturating_mul(self.row_bytes()).saturating_add(STEP)
    }

    /// Where kernel cells are in every window of a depthwise convolution.
    pub fn taps(&self, order: &TapOrder) -> Taps {
        let [rows, columns] = [&self.rows, &self.columns].map(Axis::steps);
        let [row, column] = [rows[1] * self.row_bytes(), columns[1] * self.cell];
        let starts = order.cells().map(|(j, i)| j * row + i * column);
        match order.column() {
            Some(length) if !self.columns.is_separate => {
                let rows: Vec<usize> = starts.take(length).collect();
                let [stride, dilation] = columns;
                Taps::in_columns(
                    &rows,
                    TapColumns { count: self.columns.kernel, steps: length / STEP, dilation, stride, cell: self.cell },
                )
            }
            _ => Taps::new(starts.collect()),
        }
    }

    /// Bytes from the window of an output cell to that of the next one in its row.
    pub fn step(&self) -> usize {
        self.columns.steps()[0] * self.cell
    }

    /// What every window is.
    pub fn runs(&self, o: &Convolution) -> WindowRuns {
        let run = cells_per_run(o);
        let [row, column] = [self.rows.steps()[1] * self.row_bytes(), self.columns.steps()[1] * self.cell];
        let starts = (0..self.rows.kernel)
            .flat_map(|j| (0..self.columns.kernel).step_by(run).map(move |i| j * row + i * column))
            .collect();
        WindowRuns::new(starts, run * self.cell)
    }
}

/// What a panel is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PanelRows {
    pub image: usize,
    /// The first output row, and how many there are.
    pub first: usize,
    pub count: usize,
}

/// A panel.
#[derive(Default)]
pub(super) struct Panel {
    bytes: Vec<u8>,
    /// The output cells that it is for, row by row.
    cells: Vec<DenseCell>,
    holds: Option<PanelRows>,
}

impl Panel {
    /// The input cells and the output cells.
    pub fn parts(&self) -> (&[u8], &[DenseCell]) {
        (&self.bytes, &self.cells)
    }

    /// Before it is used for another convolution.
    pub fn forget(&mut self) {
        self.holds = None;
    }

    /// Brings in what some output rows need, unless it is there. The result of output row y and column x goes to `y · places[0] + x · places[1]` behind `place`.
    pub fn fill(
        &mut self,
        layout: &PanelLayout,
        source: &PanelSource<'_>,
        rows: PanelRows,
        place: usize,
        places: [usize; 2],
    ) {
        if self.holds == Some(rows) {
            return;
        }
        self.holds = Some(rows);
        let (row_bytes, size) = (layout.row_bytes(), layout.bytes());
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
        let (parts, length, step) = layout.rows.parts(rows.first);
        // The last rows of an image may be fewer.
        let missing = layout.rows.outputs.saturating_sub(rows.count) * layout.rows.steps()[0];
        let needed = length.saturating_sub(missing);
        for (part, first) in parts.enumerate() {
            let lines = self.bytes[part * length * row_bytes..].chunks_exact_mut(row_bytes.max(1));
            for (index, line) in lines.take(needed).enumerate() {
                source.row(layout, rows.image, first + index as i64 * step, line);
            }
        }
        let windows = [layout.rows.steps()[0] * row_bytes, layout.step()];
        self.cells.clear();
        for y in 0..rows.count {
            let (window, place) = (y * windows[0], place + y * places[0]);
            let cell = |x: usize| DenseCell { window: window + x * windows[1], place: place + x * places[1] };
            self.cells.extend((0..layout.columns.outputs).map(cell));
        }
    }
}

/// What panels are made of.
pub(super) struct PanelSource<'a> {
    pub level: Level,
    pub tile: Tile<'a>,
    /// The byte of cells outside of the tile.
    pub zero: u8,
    /// What is added to every byte: 128 or nothing.
    pub offset: u8,
}

impl PanelSource<'_> {
    /// Copies what a row of the input has for a row of a panel.
    fn row(&self, layout: &PanelLayout, image: usize, row: i64, line: &mut [u8]) {
        let tile = &self.tile;
        if !(0..tile.size[0]).contains(&row) {
            return line.fill(self.zero ^ self.offset);
        }
        let start = tile.start + image as i64 * tile.strides[0] + row * tile.strides[1];
        let (parts, length, step) = layout.columns.parts(0);
        for (first, line) in parts.zip(line.chunks_exact_mut((length * layout.cell).max(1))) {
            self.columns(start, first, step, line);
        }
    }

    /// Copies the cells from column `first` on, `step` columns apart, of the row that begins at byte `start`.
    fn columns(&self, start: i64, first: i64, step: i64, line: &mut [u8]) {
        let (cell, count) = (self.tile.cell, (line.len() / self.tile.cell.max(1)) as i64);
        let limit = |column: i64| ((column - first + step - 1).div_euclid(step)).clamp(0, count);
        let (from, to) = (limit(0), limit(self.tile.size[1]));
        let zero = self.zero ^ self.offset;
        line[..from as usize * cell].fill(zero);
        line[to.max(from) as usize * cell..].fill(zero);
        if from >= to {
            return;
        }
        let column = self.tile.strides[2];
        let begin = (start + (first + from * step) * column) as usize;
        // Columns follow one another, unless there is one.
        let distance = if to - from == 1 { cell } else { (step * column) as usize };
        let bytes = &self.tile.bytes[begin..][..(to - from - 1) as usize * distance + cell];
        lanes::copy_cells(
            self.level,
            bytes,
            distance,
            cell,
            self.offset,
            &mut line[from as usize * cell..to as usize * cell],
        );
    }
}
