//! Sums of products as blocked matrix products: convolution, Gemm and MatMul alike.
//!
//! A kernel `Σ_k a[row, k] * b[k, column]` is recognised from how its two loads depend on the axes; nothing says "this is a
//! convolution". Where neighbouring columns are neighbours in `b`, register tiles read it in place: a stride-1 convolution
//! over a padded image has such columns when the padding between two lines counts as columns, too, whose sums are thrown
//! away. Else `b` is copied panel by panel into contiguous memory. `a` is packed at compile time when it is constant.

use hb_dialects::ElementType;
use hb_runtime::Array;
use rayon::prelude::*;

use super::error::Error;
use super::expression::{Binary, Expression, ExpressionKind, GraphTensorId};
use super::graph::Combiner;
use super::kernel::{Affine, Kernel};
use super::target::CpuTarget;

/// How a kernel is blocked. Axes are numbered as in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Contraction {
    /// The operand that varies with rows and is broadcast over columns.
    pub a: usize,
    /// The operand that varies with columns.
    pub b: usize,
    pub a_at: Affine,
    pub b_at: Affine,
    pub row: usize,
    /// The trailing output axes, walked as one: one or two.
    pub columns: Vec<usize>,
    /// The output axes that are neither.
    pub outer: Vec<usize>,
    /// Whether `a` is the packed array of `pack`.
    pub packed: bool,
    /// Whether `b` is read in place; else it is copied into a panel.
    pub direct: bool,
    /// How many columns lie between the beginnings of two lines of the innermost axis; at least its extent.
    pub pitch: usize,
    /// Rows of a register tile.
    pub tile_rows: usize,
    /// Vectors of columns in a register tile.
    pub tile_vectors: usize,
    /// Elements per vector.
    pub lanes: usize,
    /// Whether products stay in the order in which they are written: what is loaded early has no register beside the sums.
    pub in_order: bool,
}

/// Fewer rows read every column too few times to pay for copying it.
const FEWEST_ROWS: usize = 4;
/// Panels are never larger than this; longer sums use plain loops.
const LARGEST_PANEL: usize = 32 << 20;
/// Bytes of rows that stay in the cache next to a core.
const CACHED_ROWS: usize = 512 << 10;

impl Contraction {
    /// The blocking of a kernel, if it is a sum of products of that form. `constant` says which operands are constant.
    pub(crate) fn of(kernel: &Kernel, constant: &dyn Fn(usize) -> bool, target: &CpuTarget) -> Option<Contraction> {
        let reduction = kernel.reduction.as_ref()?;
        if reduction.combiner != Combiner::SumOfProducts
            || kernel.body.element() != ElementType::F32
            || kernel.all_extents().contains(&0)
        {
            return None;
        }
        let ExpressionKind::Binary(Binary::Multiply, left, right) = kernel.body.kind() else { return None };
        let (left, right) = (load_of(left, kernel.rank())?, load_of(right, kernel.rank())?);
        let last = kernel.extents.len().checked_sub(1)?;
        let ((a, a_at), (b, b_at)) = match (left.1.coefficient(last), right.1.coefficient(last)) {
            (0, c) if c != 0 => (left, right),
            (c, 0) if c != 0 => (right, left),
            _ => return None,
        };
        if Affine::of(&kernel.store, kernel.rank())?.coefficient(last) != 1 || a == b {
            return None;
        }
        let mut reads_a = false;
        reduction
            .finish
            .walk(&mut |node| reads_a |= matches!(node.kind(), ExpressionKind::Load { tensor, .. } if tensor.0 == a));
        if reads_a {
            // Packing would change what the finish reads.
            return None;
        }
        let extent = |axis: usize| kernel.extents.get(axis).copied().unwrap_or(1);
        let rows = (0..last).filter(|d| b_at.coefficient(*d) == 0 && a_at.coefficient(*d) != 0);
        let row = rows.max_by_key(|d| (extent(*d), *d)).filter(|d| extent(*d) >= FEWEST_ROWS)?;
        let second = last.checked_sub(1).filter(|d| *d > row && a_at.coefficient(*d) == 0);
        let columns: Vec<usize> = second.into_iter().chain([last]).collect();
        let outer = (0..last).filter(|d| *d != row && !columns.contains(d)).collect();
        let packed = constant(a);
        // Without packing, `a` is walked with one stride.
        if !packed && reduction.extents.len() != 1 {
            return None;
        }
        let line = extent(last);
        let pitch = match columns.as_slice() {
            [first, _] => usize::try_from(b_at.coefficient(*first)).unwrap_or(0),
            _ => line,
        };
        let lines: usize = columns.iter().take(columns.len() - 1).map(|d| extent(*d)).product();
        let spread = pitch.saturating_mul(lines.saturating_sub(1)).saturating_add(line);
        let direct = b_at.coefficient(last) == 1 && pitch >= line && !wastes(spread, lines * line, target.lanes);
        let (pitch, width) = if direct { (pitch, spread) } else { (line, lines * line) };
        let (tile_vectors, tile_rows) = tile(extent(row), width, target);
        let lanes = target.lanes;
        let in_order = target.registers < 32;
        let found = Contraction {
            a,
            b,
            a_at,
            b_at,
            row,
            columns,
            outer,
            packed,
            direct,
            pitch,
            tile_rows,
            tile_vectors,
            lanes,
            in_order,
        };
        (found.panel_bytes(kernel) <= LARGEST_PANEL).then_some(found)
    }

    pub(crate) fn tile_columns(&self) -> usize {
        self.tile_vectors * self.lanes
    }

    /// The length of the sum.
    pub(crate) fn depth(&self, kernel: &Kernel) -> usize {
        kernel.reduction.iter().flat_map(|reduction| reduction.extents.iter()).product()
    }

    /// Copies may write one vector more than a panel has.
    pub(crate) fn panel_bytes(&self, kernel: &Kernel) -> usize {
        let columns = self.depth(kernel).saturating_mul(self.tile_columns()).saturating_add(self.lanes);
        if self.direct { 0 } else { columns.saturating_mul(4) }
    }

    pub(crate) fn rows(&self, kernel: &Kernel) -> usize {
        kernel.extents.get(self.row).copied().unwrap_or(1)
    }

    pub(crate) fn row_blocks(&self, kernel: &Kernel) -> usize {
        self.rows(kernel).div_ceil(self.tile_rows)
    }

    /// The number of columns, with those between lines.
    pub(crate) fn width(&self, kernel: &Kernel) -> usize {
        let extent = |d: &usize| kernel.extents.get(*d).copied().unwrap_or(1);
        let line = self.columns.last().map_or(1, extent);
        let lines = if self.columns.len() == 2 { self.columns.first().map_or(1, extent) } else { 1 };
        self.pitch * (lines - 1) + line
    }

    pub(crate) fn column_tiles(&self, kernel: &Kernel) -> usize {
        self.width(kernel).div_ceil(self.tile_columns())
    }

    /// The columns of the last tile when it is narrower than the others, else 0.
    pub(crate) fn last_columns(&self, kernel: &Kernel) -> usize {
        self.width(kernel) % self.tile_columns()
    }

    /// Into how many parts the rows are split: so that small images keep several cores busy, and so that the rows of a part
    /// stay in the cache while all columns pass.
    pub(crate) fn row_splits(&self, kernel: &Kernel) -> usize {
        let outer: usize = self.outer.iter().filter_map(|d| kernel.extents.get(*d)).product();
        let tiles = self.column_tiles(kernel);
        let units = outer.saturating_mul(tiles).max(1);
        let bytes = self.rows(kernel).saturating_mul(self.depth(kernel)).saturating_mul(4);
        let cached = if self.direct && tiles > 1 { bytes.div_ceil(CACHED_ROWS) } else { 1 };
        // Every part copies the panel again, so it must have several blocks to use it for.
        let (wanted, blocks) = if self.direct { (8, 1) } else { (4, 8) };
        usize::div_ceil(wanted, units).max(cached).min(self.row_blocks(kernel) / blocks).max(1)
    }

    /// The outer axes along which `a` varies, with the packed array's stride along each.
    pub(crate) fn packed_strides(&self, kernel: &Kernel) -> Vec<(usize, usize)> {
        let mut stride = self.row_blocks(kernel) * self.depth(kernel) * self.tile_rows;
        let mut strides = Vec::new();
        for &axis in self.outer.iter().rev().filter(|axis| self.a_at.coefficient(**axis) != 0) {
            strides.push((axis, stride));
            stride *= kernel.extents.get(axis).copied().unwrap_or(1);
        }
        strides.reverse();
        strides
    }

    /// `a` as [outer axes..., row block, depth, row of the block]; missing rows are zero.
    pub(crate) fn pack(&self, kernel: &Kernel, a: &Array) -> Result<Array, Error> {
        let lost = || Error::llvm("packing a constant", "it is not f32 or too short");
        let source = a.values::<f32>().ok_or_else(lost)?;
        let strides = self.packed_strides(kernel);
        let outer: Vec<usize> =
            strides.iter().map(|(axis, _)| kernel.extents.get(*axis).copied().unwrap_or(1)).collect();
        let (rows, depth, tile) = (self.rows(kernel), self.depth(kernel), self.tile_rows);
        let block = self.row_blocks(kernel) * depth * tile;
        let mut packed = Array::zeros(ElementType::F32, &[outer.iter().product::<usize>() * block])?;
        let depths = offsets(kernel.reduction.iter().flat_map(|reduction| reduction.extents.iter().copied()), |d| {
            self.a_at.coefficient(kernel.extents.len() + d)
        });
        let starts =
            offsets(outer.iter().copied(), |d| strides.get(d).map_or(0, |(axis, _)| self.a_at.coefficient(*axis)));
        let target = packed.values_mut::<f32>().ok_or_else(lost)?;
        for (target, start) in target.chunks_exact_mut(block.max(1)).zip(&starts) {
            target.par_chunks_exact_mut(depth * tile).enumerate().try_for_each(|(number, target)| {
                for (row, lane) in (number * tile..rows.min((number + 1) * tile)).enumerate() {
                    let from = self.a_at.constant + start + self.a_at.coefficient(self.row) * lane as i64;
                    for (slot, offset) in target.iter_mut().skip(row).step_by(tile).zip(&depths) {
                        let position = usize::try_from(from + offset).map_err(|_| lost())?;
                        *slot = *source.get(position).ok_or_else(lost)?;
                    }
                }
                Ok::<(), Error>(())
            })?;
        }
        Ok(packed)
    }
}

/// Whether reading in place computes far more vectors than there are results.
fn wastes(spread: usize, columns: usize, lanes: usize) -> bool {
    let (spread, columns) = (spread.div_ceil(lanes), columns.div_ceil(lanes));
    spread.saturating_mul(2) > columns.saturating_mul(3)
}

/// The offset of every point of a box, the last axis fastest.
fn offsets(extents: impl Iterator<Item = usize>, coefficient: impl Fn(usize) -> i64) -> Vec<i64> {
    extents.enumerate().fold(vec![0], |offsets, (d, extent)| {
        let coefficient = coefficient(d);
        offsets
            .iter()
            .flat_map(|offset| (0..extent as i64).map(move |position| offset + position * coefficient))
            .collect()
    })
}

fn load_of(expression: &Expression, rank: usize) -> Option<(usize, Affine)> {
    match expression.kind() {
        ExpressionKind::Load { tensor: GraphTensorId(operand), indices }
            if expression.element() == ElementType::F32 =>
        {
            Some((*operand, Affine::of(indices.first()?, rank)?))
        }
        _ => None,
    }
}

/// Vectors and rows of the register tile that wastes least on this matrix.
fn tile(rows: usize, width: usize, target: &CpuTarget) -> (usize, usize) {
    let candidates: &[(usize, usize)] = match target.registers {
        32.. => &[(3, 8), (4, 6), (2, 12), (2, 8), (1, 16)],
        // Twelve sums would leave too few of sixteen registers for what is multiplied and for what ends the sums: LLVM keeps some in memory then.
        _ => &[(2, 4), (3, 3), (1, 8)],
    };
    let cost = |&(vectors, tile_rows): &(usize, usize)| {
        // Per step of the sum: multiplications, or loads of vectors and of broadcast scalars, whichever are more.
        let step = |vectors: usize| if vectors == 0 { 0 } else { (vectors * tile_rows).max(vectors + tile_rows + 2) };
        let columns = vectors * target.lanes;
        let tiles = (width / columns) * step(vectors) + step((width % columns).div_ceil(target.lanes));
        rows.div_ceil(tile_rows) * tiles
    };
    candidates.iter().min_by_key(|candidate| cost(candidate)).copied().unwrap_or((1, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_fit_the_matrix() {
        let wide = CpuTarget { lanes: 16, registers: 32, ..CpuTarget::board() };
        assert_eq!(tile(64, 48 * 100, &wide), (3, 8));
        // A tile of eight rows would waste four of sixteen.
        assert_eq!(12 % tile(12, 48, &wide).1, 0);
    }

    #[test]
    fn padding_between_lines_may_be_computed_too() {
        // 56 lines of 58 instead of 56; 7 of 9 need as many vectors; 3 of 30 need three times as many.
        assert!(!wastes(58 * 55 + 56, 56 * 56, 16) && !wastes(9 * 6 + 7, 49, 16) && wastes(30 * 29 + 3, 90, 16));
    }

    #[test]
    fn offsets_count_like_an_odometer() {
        assert_eq!(offsets([2, 3].into_iter(), |d| [10, 1][d]), [0, 1, 2, 10, 11, 12]);
        assert_eq!(offsets([].into_iter(), |_| 1), [0]);
    }
}
