//! Operations that multiply an activation by constant weights, seen alike: in each group, rows of weights times columns of input.

use super::{
    rules::{QuantizedRole, rule_of},
    thresholds::value_name,
};
use hb_dialects::{
    ElementType,
    hfloat::{Op, SlidingWindow, attributes},
    ir::{self, Constant, IrError, OperationAttributes, TensorType},
    names::OVER_STEPS,
};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};
use ndarray::{Array3, ArrayView3};

/// A convolution, transposed convolution, Gemm or MatMul with constant f32 weights.
#[derive(Debug, Clone)]
pub struct LinearLayer {
    /// Its node.
    pub node: String,
    /// The name of the value that it reads.
    pub input: String,
    /// What the layer is called over all steps, where it belongs to a step of a recurrent layer: those of one name have the same weights.
    pub over_steps: Option<String>,
    /// Groups of input channels; 1 for a matrix product.
    pub groups: usize,
    /// Sums that a group computes for a column.
    pub rows: usize,
    /// Products of a sum: the length of a column.
    pub terms: usize,
    order: Order,
    columns: Columns,
}

/// Where the weight of a row and a term is, and which scale the row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Row after row; each has its scale.
    Rows,
    /// Term after term, each with all rows of its group; `kernel` rows after one another share a scale, and so do the rows of all groups.
    Terms { kernel: usize },
}

/// What a column of input is.
#[derive(Debug, Clone)]
enum Columns {
    /// The cells that a window sees, channel by channel.
    Windows { input: Vec<usize>, window: SlidingWindow },
    /// The channels of a cell, for an input `[batch, channels, cells]`.
    Cells { batch: usize, cells: usize },
}

impl LinearLayer {
    /// A product of `x`, `[1, terms]`, by a matrix.
    #[cfg(test)]
    pub(super) fn gemm(terms: usize) -> Self {
        let columns = Columns::Cells { batch: 1, cells: 1 };
        let (node, input) = ("gemm".into(), "x".into());
        Self { node, input, over_steps: None, groups: 1, rows: 1, terms, order: Order::Rows, columns }
    }

    /// The layer that an operation is; none for another operation, for weights that are no constant or are not quantized.
    ///
    /// # Errors
    /// When its attributes or types cannot be read.
    pub fn of(function: OperationRef<'_, '_>, operation: OperationRef<'_, '_>) -> Result<Option<Self>, IrError> {
        let Some(weight) = weights_of(operation)? else { return Ok(None) };
        let shape = weight.r#type.static_shape()?;
        let input = operation.operand_at(0)?;
        let sizes = TensorType::from_type(input.r#type())?.static_shape()?;
        let inner: usize = shape.iter().skip(2).product();
        // The columns of a MatMul's input are its last dimension.
        let axis = if Op::MatMul.is(operation) { sizes.len().saturating_sub(1) } else { 1 };
        let (&[first, second, ..], Some((leading, &[channels, ref cells @ ..]))) =
            (shape.as_slice(), sizes.split_at_checked(axis))
        else {
            return Ok(None);
        };
        let cells = Columns::Cells { batch: leading.iter().product(), cells: cells.iter().product() };
        let group = || attributes::group(operation).map(|group| usize::try_from(group).unwrap_or(1).max(1));
        let (groups, rows, terms, order, columns) = match Op::of(operation) {
            Some(Op::Conv) => {
                let Ok(window) = SlidingWindow::of(operation) else { return Ok(None) };
                let group = group()?;
                (group, first / group, second * inner, Order::Rows, Columns::Windows { input: sizes, window })
            }
            Some(Op::ConvTranspose) => {
                let group = group()?;
                (group, second * inner, first / group, Order::Terms { kernel: inner.max(1) }, cells)
            }
            Some(Op::Gemm) if attributes::trans_a(operation)? => return Ok(None),
            Some(Op::Gemm) if attributes::trans_b(operation)? => (1, first, second, Order::Rows, cells),
            Some(Op::Gemm | Op::MatMul) => (1, second, first, Order::Terms { kernel: 1 }, cells),
            _ => return Ok(None),
        };
        // What a group reads of the channels.
        let read = match columns {
            Columns::Windows { .. } => terms.checked_div(inner),
            Columns::Cells { .. } => Some(terms),
        };
        if rows == 0 || terms == 0 || read.and_then(|read| read.checked_mul(groups)) != Some(channels) {
            return Ok(None);
        }
        let (node, input) = (operation.node(), value_name(function, input));
        let over_steps = operation.string(OVER_STEPS).ok();
        Ok(Some(Self { node, input, over_steps, groups, rows, terms, order, columns }))
    }

    /// What is one for all layers with the weights of this one.
    pub fn weights_name(&self) -> &str {
        self.over_steps.as_ref().unwrap_or(&self.node)
    }

    /// Its weights, or what belongs to each of them, by group, row and term.
    ///
    /// # Errors
    /// When there are not as many as its sizes say.
    pub fn by_row<'w, T>(&self, weights: &'w [T]) -> Result<ArrayView3<'w, T>, IrError> {
        let view = match self.order {
            Order::Rows => ArrayView3::from_shape((self.groups, self.rows, self.terms), weights),
            Order::Terms { .. } => ArrayView3::from_shape((self.groups, self.terms, self.rows), weights)
                .map(|terms| terms.permuted_axes([0, 2, 1])),
        };
        view.map_err(|error| IrError::Constant { node: self.node.clone(), reason: error.to_string() })
    }

    /// What [`LinearLayer::by_row`] shows, an array in row-major order, in the order of the weights.
    pub fn in_order<T: Clone>(&self, by_row: Array3<T>) -> Vec<T> {
        match self.order {
            Order::Rows => by_row.into_raw_vec_and_offset().0,
            Order::Terms { .. } => by_row.permuted_axes([0, 2, 1]).iter().cloned().collect(),
        }
    }

    /// Which scale a row of a group has.
    pub fn scale(&self, group: usize, row: usize) -> usize {
        match self.order {
            Order::Rows => group * self.rows + row,
            // Groups of one channel each have their own scales.
            Order::Terms { kernel } if self.rows == kernel && self.terms == 1 => group,
            Order::Terms { kernel } => row / kernel,
        }
    }

    /// The output channel that a row of a group belongs to: the place of its bias.
    pub fn channel(&self, group: usize, row: usize) -> usize {
        match self.order {
            Order::Rows => group * self.rows + row,
            Order::Terms { kernel } => (group * self.rows + row) / kernel,
        }
    }

    /// How many output channels it has.
    pub fn channels(&self) -> usize {
        self.channel(self.groups - 1, self.rows - 1) + 1
    }

    /// How many scales the weights have.
    pub fn scales(&self) -> usize {
        (0..self.groups).map(|group| self.scale(group, self.rows - 1) + 1).max().unwrap_or(0)
    }

    /// Columns that one input has.
    pub fn positions(&self) -> usize {
        match &self.columns {
            Columns::Windows { input, window } => {
                let cells = window.output.iter().map(|&size| size as usize).product::<usize>();
                input.first().copied().unwrap_or(0) * cells
            }
            Columns::Cells { batch, cells } => batch * cells,
        }
    }

    /// The products that it computes.
    pub fn products(&self) -> u64 {
        (self.positions() * self.groups * self.rows * self.terms) as u64
    }

    /// Writes the numbers of the columns at `positions` side by side: a line of them for each term, those of group after group.
    pub fn columns(&self, values: &[f32], positions: &[usize], lines: &mut [f32]) {
        let mut lines = lines.chunks_exact_mut(positions.len().max(1));
        match &self.columns {
            Columns::Windows { input, window } => window_columns(input, window, values, positions, lines),
            Columns::Cells { cells, .. } => {
                let length = self.groups * self.terms;
                let image = |position: usize| position / cells.max(&1) * length * cells + position % cells.max(&1);
                let first: Vec<usize> = positions.iter().map(|&position| image(position)).collect();
                (0..length).zip(&mut lines).for_each(|(place, line)| gather(values, place * cells, &first, line));
            }
        }
    }
}

/// No cell: the padding.
const OUTSIDE: usize = usize::MAX;

/// The values at `offset` behind these cells; 0 outside.
fn gather(values: &[f32], offset: usize, cells: &[usize], line: &mut [f32]) {
    for (number, &cell) in line.iter_mut().zip(cells) {
        *number = values.get(cell.saturating_add(offset)).copied().unwrap_or(0.0);
    }
}

/// The cells of the input under windows, a line for each channel and cell of the window.
fn window_columns<'l>(
    input: &[usize],
    window: &SlidingWindow,
    values: &[f32],
    positions: &[usize],
    lines: impl Iterator<Item = &'l mut [f32]>,
) {
    let mut lines: Vec<&mut [f32]> = lines.collect();
    let spatial = input.get(2..).unwrap_or_default();
    let plane: usize = spatial.iter().product();
    let channels = input.get(1).copied().unwrap_or(0);
    let kernel: usize = window.kernel.iter().map(|&size| size as usize).product();
    let starts: Vec<(usize, Vec<i64>)> = positions.iter().map(|&position| window_start(window, position)).collect();
    for offset in 0..kernel {
        let cell = |(image, start): &(usize, Vec<i64>)| {
            cell_of(spatial, window, start, offset).map_or(OUTSIDE, |cell| image * channels * plane + cell)
        };
        let cells: Vec<usize> = starts.iter().map(cell).collect();
        let own = lines.iter_mut().skip(offset).step_by(kernel.max(1));
        own.take(channels).enumerate().for_each(|(channel, line)| gather(values, channel * plane, &cells, line));
    }
}

/// The cell of a plane that is cell `offset` of a window which starts here; none in the padding.
fn cell_of(spatial: &[usize], window: &SlidingWindow, start: &[i64], offset: usize) -> Option<usize> {
    let (mut rest, mut cell, mut stride) = (offset, 0usize, 1usize);
    for (i, &size) in spatial.iter().enumerate().rev() {
        let width = window.kernel.get(i).map_or(1, |&width| width.max(1) as usize);
        let dilation = window.dilations.get(i).map_or(1, |&dilation| dilation as i64);
        let at = start.get(i).copied().unwrap_or(0) + (rest % width) as i64 * dilation;
        rest /= width;
        cell += usize::try_from(at).ok().filter(|&at| at < size)? * stride;
        stride *= size;
    }
    Some(cell)
}

/// The image of the batch that a position of the result lies in, and where its window starts; in the padding that is negative.
fn window_start(window: &SlidingWindow, position: usize) -> (usize, Vec<i64>) {
    let mut rest = position;
    let mut start = Vec::with_capacity(window.output.len());
    for ((&size, &stride), &pad) in window.output.iter().zip(&window.strides).zip(&window.pads_begin).rev() {
        let size = size.max(1) as usize;
        start.push((rest % size) as i64 * stride as i64 - pad as i64);
        rest /= size;
    }
    start.reverse();
    (rest, start)
}

/// The constant f32 weights of an operation that gives each of their channels a scale.
///
/// # Errors
/// When its attributes cannot be read.
pub fn weights_of<'v>(operation: OperationRef<'_, '_>) -> Result<Option<Constant<'v>>, IrError> {
    let Some(rule) = rule_of(operation)? else { return Ok(None) };
    if operation.operand_count() < 2 || !matches!(rule.role(operation, 1)?, QuantizedRole::Weight { .. }) {
        return Ok(None);
    }
    Ok(ir::constant_of(operation.operand_at(1)?).filter(|constant| constant.r#type.element == ElementType::F32))
}
