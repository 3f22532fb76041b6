//! Blocked matrix products: register tiles of rows run over columns that lie side by side.

use hb_dialects::ElementType;
use inkwell::types::VectorType;
use inkwell::values::{IntValue, PointerValue, VectorValue};

use super::super::contraction::Contraction;
use super::super::error::Error;
use super::super::kernel::{Affine, Kernel};
use super::super::target::CpuTarget;
use super::arithmetic::vector;
use super::code::{Code, int};
use super::{Arguments, Work};

/// At most this many steps of the sum are written out: the windows of a 3x3 convolution.
const UNROLLED: usize = 9;

pub(crate) fn work(kernel: &Kernel, plan: &Contraction) -> Work {
    let outer: usize = plan.outer.iter().filter_map(|d| kernel.extents.get(*d)).product();
    let rows = plan.row_blocks(kernel).div_ceil(plan.row_splits(kernel)) * plan.tile_rows;
    Work {
        units: outer * plan.column_tiles(kernel) * plan.row_splits(kernel),
        cost: rows.saturating_mul(plan.tile_columns()).saturating_mul(plan.depth(kernel)) / 8,
        scratch: plan.panel_bytes(kernel),
    }
}

pub(crate) fn emit<'ctx>(
    code: &Code<'_, 'ctx>,
    kernel: &Kernel,
    plan: &Contraction,
    arguments: &Arguments<'ctx>,
    target: &CpuTarget,
) -> Result<(), Error> {
    let vector = code.f32_vector(plan.lanes);
    let tile = code.stack(code.context.f32_type().into(), plan.tile_rows * plan.tile_columns())?;
    let mut sums = Vec::new();
    for _ in 0..plan.tile_rows * plan.tile_vectors {
        sums.push(code.stack(vector.into(), 1)?);
    }
    let (extents, steps) = (kernel.all_extents(), Steps::of(kernel));
    let (extents, steps) = (extents.as_slice(), &steps);
    let product = Product { code, kernel, plan, target, arguments, extents, steps, vector, tile, sums };
    code.for_range(arguments.begin, arguments.end, 1, &mut |unit| product.unit(unit))
}

/// The sum's steps: loops, and in the innermost of them some steps written out.
pub(super) struct Steps {
    /// The iterations along each reduction axis, and by how much its position grows.
    loops: Vec<(usize, i64)>,
    /// Positions along all reduction axes, relative to the loops'.
    taps: Vec<Vec<i64>>,
}

impl Steps {
    fn of(kernel: &Kernel) -> Steps {
        let extents: Vec<usize> = kernel.reduction.iter().flat_map(|reduction| reduction.extents.clone()).collect();
        let mut loops: Vec<(usize, i64)> = extents.iter().map(|extent| (*extent, 1)).collect();
        let mut taps: Vec<Vec<i64>> = vec![vec![0; extents.len()]];
        for (d, extent) in extents.iter().enumerate().rev() {
            let whole = taps.len().saturating_mul(*extent) <= UNROLLED;
            let part = (2..=4).rev().find(|part| extent.is_multiple_of(*part)).unwrap_or(1);
            let count = match whole {
                true => *extent,
                false if taps.len() == 1 => part,
                false => break,
            };
            if let Some(slot) = loops.get_mut(d) {
                *slot = (extent / count, count as i64);
            }
            let repeat = |position: usize| {
                let mut moved = taps.clone();
                moved.iter_mut().filter_map(|tap| tap.get_mut(d)).for_each(|slot| *slot = position as i64);
                moved
            };
            taps = (0..count).flat_map(repeat).collect();
            if !whole {
                break;
            }
        }
        Steps { loops, taps }
    }
}

pub(super) struct Product<'b, 'm, 'ctx> {
    pub code: &'b Code<'m, 'ctx>,
    pub kernel: &'b Kernel,
    pub plan: &'b Contraction,
    pub target: &'b CpuTarget,
    pub arguments: &'b Arguments<'ctx>,
    pub extents: &'b [usize],
    pub steps: &'b Steps,
    pub vector: VectorType<'ctx>,
    /// The finished sums of a register tile.
    pub tile: PointerValue<'ctx>,
    /// The running sums: slots that become registers.
    pub sums: Vec<PointerValue<'ctx>>,
}

/// The columns of one tile.
pub(super) struct Columns<'ctx> {
    pub begin: IntValue<'ctx>,
    pub end: IntValue<'ctx>,
    /// As many vectors hold them.
    pub vectors: usize,
    /// How many lanes of the last vector are columns.
    pub lanes: usize,
}

impl<'ctx> Product<'_, '_, 'ctx> {
    pub fn operand(&self, number: usize) -> Result<PointerValue<'ctx>, Error> {
        self.arguments
            .operands
            .get(number)
            .copied()
            .ok_or_else(|| Error::llvm("building a product", "an operand is missing"))
    }

    pub fn split(&self, value: IntValue<'ctx>, by: usize) -> Result<(IntValue<'ctx>, IntValue<'ctx>), Error> {
        let by = self.code.size(by);
        let quotient = self.code.builder.build_int_unsigned_div(value, by, "")?;
        Ok((quotient, self.code.builder.build_int_unsigned_rem(value, by, "")?))
    }

    pub fn smaller(&self, a: IntValue<'ctx>, b: IntValue<'ctx>) -> Result<IntValue<'ctx>, Error> {
        int(self.code.intrinsic("llvm.smin", &[a.get_type().into()], &[a.into(), b.into()])?)
    }

    pub fn larger(&self, a: IntValue<'ctx>, b: IntValue<'ctx>) -> Result<IntValue<'ctx>, Error> {
        int(self.code.intrinsic("llvm.smax", &[a.get_type().into()], &[a.into(), b.into()])?)
    }

    pub fn add(&self, a: IntValue<'ctx>, b: IntValue<'ctx>) -> Result<IntValue<'ctx>, Error> {
        Ok(self.code.builder.build_int_nsw_add(a, b, "")?)
    }

    pub fn subtract(&self, a: IntValue<'ctx>, b: IntValue<'ctx>) -> Result<IntValue<'ctx>, Error> {
        Ok(self.code.builder.build_int_nsw_sub(a, b, "")?)
    }

    pub fn times(&self, a: IntValue<'ctx>, factor: i64) -> Result<IntValue<'ctx>, Error> {
        Ok(self.code.builder.build_int_nsw_mul(a, self.code.int(factor), "")?)
    }

    /// One column tile with one part of the rows, at one point of the outer axes. Neighbouring units share rows.
    fn unit(&self, unit: IntValue<'ctx>) -> Result<(), Error> {
        let (plan, kernel, code) = (self.plan, self.kernel, self.code);
        let (splits, tiles) = (plan.row_splits(kernel), plan.column_tiles(kernel));
        let (rest, tile) = self.split(unit, tiles)?;
        let (mut rest, part) = self.split(rest, splits)?;
        let mut axes = vec![code.int(0); kernel.extents.len()];
        for &axis in plan.outer.iter().rev() {
            let (quotient, position) = self.split(rest, kernel.extents.get(axis).copied().unwrap_or(1))?;
            if let Some(slot) = axes.get_mut(axis) {
                *slot = position;
            }
            rest = quotient;
        }
        let each = plan.row_blocks(kernel).div_ceil(splits);
        let first = self.times(part, each as i64)?;
        let last = self.smaller(self.add(first, code.size(each))?, code.size(plan.row_blocks(kernel)))?;
        let begin = self.times(tile, plan.tile_columns() as i64)?;
        let end = self.smaller(self.add(begin, code.size(plan.tile_columns()))?, code.size(plan.width(kernel)))?;
        let wide = Columns { begin, end, vectors: plan.tile_vectors, lanes: plan.lanes };
        let rest = plan.last_columns(kernel);
        let lanes = if rest.is_multiple_of(plan.lanes) { plan.lanes } else { rest % plan.lanes };
        let narrow = Columns { begin, end, vectors: rest.div_ceil(plan.lanes), lanes };
        if rest == 0 {
            return self.tile(&axes, first, last, &wide);
        }
        if tiles == 1 {
            return self.tile(&axes, first, last, &narrow);
        }
        // Both forms are loops that run once or never.
        let full = self.smaller(self.subtract(code.size(tiles - 1), tile)?, code.int(1))?;
        code.for_range(code.int(0), full, 1, &mut |_| self.tile(&axes, first, last, &wide))?;
        code.for_range(full, code.int(1), 1, &mut |_| self.tile(&axes, first, last, &narrow))
    }

    fn tile(
        &self,
        axes: &[IntValue<'ctx>],
        first: IntValue<'ctx>,
        last: IntValue<'ctx>,
        columns: &Columns<'ctx>,
    ) -> Result<(), Error> {
        if !self.plan.direct {
            self.pack_panel(axes, columns)?;
        }
        self.code.for_range(first, last, 1, &mut |block| {
            self.multiply(axes, block, columns)?;
            self.finish(axes, block, columns)
        })
    }

    /// Calls `body` for each run of columns in a line of the innermost axis: its position along the outer column axis (0 if
    /// there is none), and the first and last position of the innermost axis. What `body` gets last is the column at 0.
    pub fn for_lines(
        &self,
        columns: &Columns<'ctx>,
        body: &mut dyn FnMut(IntValue<'ctx>, IntValue<'ctx>, IntValue<'ctx>, IntValue<'ctx>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let [_, inner] = self.plan.columns.as_slice() else {
            return body(self.code.int(0), columns.begin, columns.end, self.subtract(self.code.int(0), columns.begin)?);
        };
        let (width, pitch) = (self.kernel.extents.get(*inner).copied().unwrap_or(1), self.plan.pitch);
        let first = self.split(columns.begin, pitch)?.0;
        let last = self.add(self.split(self.subtract(columns.end, self.code.int(1))?, pitch)?.0, self.code.int(1))?;
        self.code.for_range(first, last, 1, &mut |line| {
            let start = self.times(line, pitch as i64)?;
            let from = self.larger(self.subtract(columns.begin, start)?, self.code.int(0))?;
            let to = self.smaller(self.subtract(columns.end, start)?, self.code.size(width))?;
            body(line, from, to, self.subtract(start, columns.begin)?)
        })
    }

    /// The flat index of an affine access where some axes are fixed.
    pub fn offset(&self, access: &Affine, axes: &[(usize, IntValue<'ctx>)]) -> Result<IntValue<'ctx>, Error> {
        axes.iter().try_fold(self.code.int(access.constant), |sum, (axis, position)| {
            let coefficient = access.coefficient(*axis);
            if coefficient == 0 { Ok(sum) } else { self.add(sum, self.times(*position, coefficient)?) }
        })
    }

    /// Where the columns begin, and by how much a step along each reduction axis moves them.
    fn columns_at(
        &self,
        axes: &[IntValue<'ctx>],
        columns: &Columns<'ctx>,
    ) -> Result<(PointerValue<'ctx>, IntValue<'ctx>, Vec<i64>), Error> {
        let (plan, first) = (self.plan, self.kernel.extents.len());
        if !plan.direct {
            let strides = self.linear(plan.tile_columns() as i64);
            return Ok((self.arguments.scratch, self.code.int(0), strides));
        }
        let outer: Vec<(usize, IntValue<'ctx>)> =
            plan.outer.iter().filter_map(|d| axes.get(*d).map(|axis| (*d, *axis))).collect();
        let base = self.add(self.offset(&plan.b_at, &outer)?, columns.begin)?;
        let strides = (first..self.extents.len()).map(|d| plan.b_at.coefficient(d)).collect();
        Ok((self.operand(plan.b)?, base, strides))
    }

    /// The strides of the reduction axes when their points lie one after the other, `each` apart.
    fn linear(&self, each: i64) -> Vec<i64> {
        let mut stride = each;
        let mut strides = Vec::new();
        for extent in self.extents.iter().skip(self.kernel.extents.len()).rev() {
            strides.push(stride);
            stride = stride.saturating_mul(*extent as i64);
        }
        strides.reverse();
        strides
    }

    /// The sums of one register tile over the whole depth, left in `tile`.
    fn multiply(&self, axes: &[IntValue<'ctx>], block: IntValue<'ctx>, columns: &Columns<'ctx>) -> Result<(), Error> {
        let (plan, code, builder) = (self.plan, self.code, &self.code.builder);
        for slot in self.sums.iter() {
            builder.build_store(*slot, self.vector.const_zero())?;
        }
        let rows = self.row_starts(axes, block)?;
        let row_strides = match plan.packed {
            true => self.linear(plan.tile_rows as i64),
            false => vec![plan.a_at.coefficient(self.kernel.extents.len())],
        };
        let (operand, (panel, begin, strides)) = (self.operand(plan.a)?, self.columns_at(axes, columns)?);
        let loops: Vec<usize> = self.steps.loops.iter().map(|(count, _)| *count).collect();
        code.for_box(&loops, &mut |point| {
            let moved = |from: IntValue<'ctx>, strides: &[i64]| {
                let axes = point.iter().zip(&self.steps.loops).zip(strides);
                axes.filter(|((_, (count, _)), _)| *count > 1).try_fold(from, |sum, ((position, (_, step)), stride)| {
                    self.add(sum, self.times(*position, step * stride)?)
                })
            };
            let (begin, along) = (moved(begin, &strides)?, moved(code.int(0), &row_strides)?);
            for tap in &self.steps.taps {
                let by = |strides: &[i64]| tap.iter().zip(strides).map(|(position, stride)| position * stride).sum();
                let at = self.add(begin, code.int(by(&strides)))?;
                let step = self.add(along, code.int(by(&row_strides)))?;
                self.accumulate((operand, &rows, step), (panel, at), columns)?;
            }
            Ok(())
        })?;
        for (number, slot) in self.sums.iter().enumerate() {
            let sum = vector(builder.build_load(self.vector, *slot, "")?)?;
            code.store_vector(self.tile, code.size(number * plan.lanes), sum, None)?;
        }
        Ok(())
    }

    /// One step of the sums: `rows` times `columns`.
    fn accumulate(
        &self,
        (operand, rows, step): (PointerValue<'ctx>, &[IntValue<'ctx>], IntValue<'ctx>),
        (panel, at): (PointerValue<'ctx>, IntValue<'ctx>),
        columns: &Columns<'ctx>,
    ) -> Result<(), Error> {
        let (plan, code, builder) = (self.plan, self.code, &self.code.builder);
        let mut vectors = Vec::new();
        for number in 0..columns.vectors {
            let mask = self.mask(columns, number).filter(|_| plan.direct);
            vectors.push(code.load_vector(panel, self.add(at, code.size(number * plan.lanes))?, plan.lanes, mask)?);
        }
        for (row, sums) in rows.iter().zip(self.sums.chunks(plan.tile_vectors)) {
            let scalar = code.load(ElementType::F32, operand, self.add(*row, step)?)?;
            let factor = code.splat(scalar, plan.lanes)?;
            for (slot, column) in sums.iter().zip(&vectors) {
                let sum = builder.build_load(self.vector, *slot, "")?;
                let sum = vector(code.multiply_add(factor, (*column).into(), sum)?)?;
                builder.build_store(*slot, if plan.in_order { code.before_further_loads(sum)? } else { sum })?;
            }
        }
        Ok(())
    }

    /// The lanes of a vector that are columns, when not all are.
    pub fn mask(&self, columns: &Columns<'ctx>, number: usize) -> Option<VectorValue<'ctx>> {
        let partial = number + 1 == columns.vectors && columns.lanes < self.plan.lanes;
        partial.then(|| self.code.first_lanes(self.plan.lanes, columns.lanes))
    }

    /// Where each row of a block begins in `a`.
    fn row_starts(&self, axes: &[IntValue<'ctx>], block: IntValue<'ctx>) -> Result<Vec<IntValue<'ctx>>, Error> {
        let (plan, code) = (self.plan, self.code);
        let at = |d: usize| axes.get(d).copied().unwrap_or(code.int(0));
        if plan.packed {
            let size = plan.depth(self.kernel) * plan.tile_rows;
            let mut start = self.times(block, size as i64)?;
            for (axis, stride) in plan.packed_strides(self.kernel) {
                start = self.add(start, self.times(at(axis), stride as i64)?)?;
            }
            return (0..plan.tile_rows).map(|row| self.add(start, code.size(row))).collect();
        }
        let fixed: Vec<(usize, IntValue<'ctx>)> = plan.outer.iter().map(|d| (*d, at(*d))).collect();
        let base = self.offset(&plan.a_at, &fixed)?;
        let first = self.times(block, plan.tile_rows as i64)?;
        let row = |number: usize| {
            // Rows beyond the last repeat it; nobody looks at their sums.
            let row = self.smaller(self.add(first, code.size(number))?, code.size(plan.rows(self.kernel) - 1))?;
            self.add(base, self.times(row, plan.a_at.coefficient(plan.row))?)
        };
        (0..plan.tile_rows).map(row).collect()
    }
}

pub(super) fn set<'ctx>(axes: &mut [IntValue<'ctx>], axis: Option<&usize>, value: IntValue<'ctx>) {
    if let Some(slot) = axis.and_then(|axis| axes.get_mut(*axis)) {
        *slot = value;
    }
}
