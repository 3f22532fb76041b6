//! Blocked matrix products: a panel of columns is copied side by side, then register tiles of rows run over it.

use inkwell::types::VectorType;
use inkwell::values::{BasicValueEnum, IntValue, PointerValue, VectorValue};

use super::super::contraction::Contraction;
use super::super::element::Element;
use super::super::error::Error;
use super::super::kernel::{Affine, Kernel};
use super::code::{Code, int};
use super::value::{self, Leaves};
use super::{Arguments, Work};

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
) -> Result<(), Error> {
    let vector = code.context.f32_type().vec_type(plan.lanes as u32);
    let tile = code.stack(code.context.f32_type().into(), plan.tile_rows * plan.tile_columns())?;
    let mut sums = Vec::new();
    for _ in 0..plan.tile_rows * plan.tile_vectors {
        sums.push(code.stack(vector.into(), 1)?);
    }
    let product = Product { code, kernel, plan, arguments, extents: kernel.all_extents(), vector, tile, sums };
    code.for_range(arguments.begin, arguments.end, 1, &mut |unit| product.unit(unit))
}

struct Product<'b, 'm, 'ctx> {
    code: &'b Code<'m, 'ctx>,
    kernel: &'b Kernel,
    plan: &'b Contraction,
    arguments: &'b Arguments<'ctx>,
    extents: Vec<usize>,
    vector: VectorType<'ctx>,
    /// The finished sums of a register tile.
    tile: PointerValue<'ctx>,
    /// The running sums: slots that become registers.
    sums: Vec<PointerValue<'ctx>>,
}

/// Where a unit's columns begin and end.
struct Columns<'ctx> {
    begin: IntValue<'ctx>,
    end: IntValue<'ctx>,
}

impl<'ctx> Product<'_, '_, 'ctx> {
    fn operand(&self, number: usize) -> Result<PointerValue<'ctx>, Error> {
        self.arguments
            .operands
            .get(number)
            .copied()
            .ok_or_else(|| Error::llvm("building a product", "an operand is missing"))
    }

    fn split(&self, value: IntValue<'ctx>, by: usize) -> Result<(IntValue<'ctx>, IntValue<'ctx>), Error> {
        let by = self.code.size(by);
        let quotient = self.code.builder.build_int_unsigned_div(value, by, "")?;
        Ok((quotient, self.code.builder.build_int_unsigned_rem(value, by, "")?))
    }

    fn smaller(&self, a: IntValue<'ctx>, b: IntValue<'ctx>) -> Result<IntValue<'ctx>, Error> {
        int(self.code.intrinsic("llvm.smin", &[a.get_type().into()], &[a.into(), b.into()])?)
    }

    fn larger(&self, a: IntValue<'ctx>, b: IntValue<'ctx>) -> Result<IntValue<'ctx>, Error> {
        int(self.code.intrinsic("llvm.smax", &[a.get_type().into()], &[a.into(), b.into()])?)
    }

    fn add(&self, a: IntValue<'ctx>, b: IntValue<'ctx>) -> Result<IntValue<'ctx>, Error> {
        Ok(self.code.builder.build_int_nsw_add(a, b, "")?)
    }

    fn subtract(&self, a: IntValue<'ctx>, b: IntValue<'ctx>) -> Result<IntValue<'ctx>, Error> {
        Ok(self.code.builder.build_int_nsw_sub(a, b, "")?)
    }

    fn times(&self, a: IntValue<'ctx>, factor: i64) -> Result<IntValue<'ctx>, Error> {
        Ok(self.code.builder.build_int_nsw_mul(a, self.code.int(factor), "")?)
    }

    /// One column tile with one part of the rows, at one point of the outer axes.
    fn unit(&self, unit: IntValue<'ctx>) -> Result<(), Error> {
        let (plan, kernel) = (self.plan, self.kernel);
        let splits = plan.row_splits(kernel);
        let (rest, part) = self.split(unit, splits)?;
        let (mut rest, tile) = self.split(rest, plan.column_tiles(kernel))?;
        let mut axes = vec![self.code.int(0); kernel.extents.len()];
        for &axis in plan.outer.iter().rev() {
            let (quotient, position) = self.split(rest, kernel.extents.get(axis).copied().unwrap_or(1))?;
            if let Some(slot) = axes.get_mut(axis) {
                *slot = position;
            }
            rest = quotient;
        }
        let begin = self.times(tile, plan.tile_columns() as i64)?;
        let end =
            self.smaller(self.add(begin, self.code.size(plan.tile_columns()))?, self.code.size(plan.width(kernel)))?;
        let columns = Columns { begin, end };
        self.pack_panel(&axes, &columns)?;
        let each = plan.row_blocks(kernel).div_ceil(splits);
        let first = self.times(part, each as i64)?;
        let last = self.smaller(self.add(first, self.code.size(each))?, self.code.size(plan.row_blocks(kernel)))?;
        self.code.for_range(first, last, 1, &mut |block| {
            self.multiply(&axes, block)?;
            self.finish(&axes, block, &columns)
        })
    }

    /// Calls `body` for each run of columns in a line of the innermost axis: its position along the outer column axis (0 if
    /// there is none), and the first and last position of the innermost axis. What `body` gets last is the column at 0.
    fn for_lines(
        &self,
        columns: &Columns<'ctx>,
        body: &mut dyn FnMut(IntValue<'ctx>, IntValue<'ctx>, IntValue<'ctx>, IntValue<'ctx>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let [_, inner] = self.plan.columns.as_slice() else {
            return body(self.code.int(0), columns.begin, columns.end, self.subtract(self.code.int(0), columns.begin)?);
        };
        let width = self.kernel.extents.get(*inner).copied().unwrap_or(1);
        let first = self.split(columns.begin, width)?.0;
        let last = self.add(self.split(self.subtract(columns.end, self.code.int(1))?, width)?.0, self.code.int(1))?;
        self.code.for_range(first, last, 1, &mut |line| {
            let start = self.times(line, width as i64)?;
            let from = self.larger(self.subtract(columns.begin, start)?, self.code.int(0))?;
            let to = self.smaller(self.subtract(columns.end, start)?, self.code.size(width))?;
            body(line, from, to, self.subtract(start, columns.begin)?)
        })
    }

    /// The flat index of an affine access where some axes are fixed.
    fn offset(&self, access: &Affine, axes: &[(usize, IntValue<'ctx>)]) -> Result<IntValue<'ctx>, Error> {
        axes.iter().try_fold(self.code.int(access.constant), |sum, (axis, position)| {
            let coefficient = access.coefficient(*axis);
            if coefficient == 0 { Ok(sum) } else { self.add(sum, self.times(*position, coefficient)?) }
        })
    }

    /// The operand's elements of these columns, depth by depth, each row of the panel as wide as a tile.
    fn pack_panel(&self, axes: &[IntValue<'ctx>], columns: &Columns<'ctx>) -> Result<(), Error> {
        let (plan, code) = (self.plan, self.code);
        let reduced: Vec<usize> =
            self.kernel.reduction.iter().flat_map(|reduction| reduction.extents.clone()).collect();
        let operand = self.operand(plan.b)?;
        let fixed: Vec<(usize, IntValue<'ctx>)> =
            plan.outer.iter().filter_map(|d| axes.get(*d).map(|axis| (*d, *axis))).collect();
        let base = self.offset(&plan.b_at, &fixed)?;
        let step = plan.b_at.coefficient(plan.columns.last().copied().unwrap_or(0));
        let line_step =
            if plan.columns.len() == 2 { plan.b_at.coefficient(plan.columns.first().copied().unwrap_or(0)) } else { 0 };
        code.for_box(&reduced, &mut |point| {
            let depth = point.iter().zip(&reduced).try_fold(code.int(0), |sum, (position, extent)| {
                self.add(self.times(sum, *extent as i64)?, *position)
            })?;
            let row = self.times(depth, plan.tile_columns() as i64)?;
            let first = self.kernel.extents.len();
            let at: Vec<(usize, IntValue<'ctx>)> =
                point.iter().enumerate().map(|(d, position)| (first + d, *position)).collect();
            let from = self.add(base, self.offset(&Affine { constant: 0, ..plan.b_at.clone() }, &at)?)?;
            self.for_lines(columns, &mut |line, low, high, column| {
                let from = self.add(from, self.times(line, line_step)?)?;
                let to = self.add(row, column)?;
                code.for_range(low, high, 1, &mut |position| {
                    let value = code.load(Element::F32, operand, self.add(from, self.times(position, step)?)?)?;
                    code.store(Element::F32, self.arguments.scratch, self.add(to, position)?, value)
                })
            })?;
            // The rest of the last tile is computed, too, and thrown away: zeros keep it cheap.
            let used = self.subtract(columns.end, columns.begin)?;
            code.for_range(used, code.size(plan.tile_columns()), 1, &mut |position| {
                let zero = code.context.f32_type().const_zero().into();
                code.store(Element::F32, self.arguments.scratch, self.add(row, position)?, zero)
            })
        })
    }

    /// The sums of one register tile over the whole depth, left in `tile`.
    fn multiply(&self, axes: &[IntValue<'ctx>], block: IntValue<'ctx>) -> Result<(), Error> {
        let (plan, code, builder) = (self.plan, self.code, &self.code.builder);
        let depth = plan.depth(self.kernel);
        for sum in &self.sums {
            builder.build_store(*sum, self.vector.const_zero())?;
        }
        let operand = self.operand(plan.a)?;
        let rows = self.row_starts(axes, block)?;
        let stride = if plan.packed { plan.tile_rows as i64 } else { plan.a_at.coefficient(self.kernel.extents.len()) };
        code.for_range(code.int(0), code.size(depth), 1, &mut |k| {
            let panel = self.times(k, plan.tile_columns() as i64)?;
            let mut columns = Vec::new();
            for vector in 0..plan.tile_vectors {
                columns
                    .push(self.load_vector(self.arguments.scratch, self.add(panel, code.size(vector * plan.lanes))?)?);
            }
            let along = self.times(k, stride)?;
            for (row, sums) in rows.iter().zip(self.sums.chunks(plan.tile_vectors)) {
                let scalar = code.load(Element::F32, operand, self.add(*row, along)?)?;
                let factor = self.broadcast(scalar)?;
                for (slot, column) in sums.iter().zip(&columns) {
                    let sum = builder.build_load(self.vector, *slot, "")?;
                    let sum = code.intrinsic(
                        "llvm.fmuladd",
                        &[self.vector.into()],
                        &[factor.into(), (*column).into(), sum.into()],
                    )?;
                    builder.build_store(*slot, sum)?;
                }
            }
            Ok(())
        })?;
        for (number, slot) in self.sums.iter().enumerate() {
            let sum = builder.build_load(self.vector, *slot, "")?;
            let at = code.at(code.context.f32_type(), self.tile, code.size(number * plan.lanes))?;
            builder.build_store(at, sum)?;
        }
        Ok(())
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

    fn load_vector(&self, base: PointerValue<'ctx>, position: IntValue<'ctx>) -> Result<VectorValue<'ctx>, Error> {
        let at = self.code.at(self.code.context.f32_type(), base, position)?;
        vector(self.code.builder.build_load(self.vector, at, "")?)
    }

    fn broadcast(&self, scalar: BasicValueEnum<'ctx>) -> Result<VectorValue<'ctx>, Error> {
        let builder = &self.code.builder;
        let index = self.code.context.i32_type();
        let single = builder.build_insert_element(self.vector.get_poison(), scalar, index.const_zero(), "")?;
        let mask = index.vec_type(self.plan.lanes as u32).const_zero();
        Ok(builder.build_shuffle_vector(single, self.vector.get_poison(), mask, "")?)
    }

    /// Ends the sums of a tile as the kernel says, and stores what lies inside the output.
    fn finish(&self, axes: &[IntValue<'ctx>], block: IntValue<'ctx>, columns: &Columns<'ctx>) -> Result<(), Error> {
        let (plan, code) = (self.plan, self.code);
        let Some(reduction) = &self.kernel.reduction else { return Ok(()) };
        let first = self.times(block, plan.tile_rows as i64)?;
        let left = self.subtract(code.size(plan.rows(self.kernel)), first)?;
        let rows = self.smaller(left, code.size(plan.tile_rows))?;
        let mut axes = axes.to_vec();
        code.for_range(code.int(0), rows, 1, &mut |row| {
            set(&mut axes, Some(&plan.row), self.add(first, row)?);
            let sums = self.times(row, plan.tile_columns() as i64)?;
            self.for_lines(columns, &mut |line, low, high, column| {
                if plan.columns.len() == 2 {
                    set(&mut axes, plan.columns.first(), line);
                }
                let sums = self.add(sums, column)?;
                code.for_range(low, high, 1, &mut |position| {
                    set(&mut axes, plan.columns.last(), position);
                    let sum = code.load(Element::F32, self.tile, self.add(sums, position)?)?;
                    let leaves = |accumulator| Leaves {
                        operands: &self.arguments.operands,
                        axes: &axes,
                        extents: &self.extents,
                        accumulator,
                    };
                    let result = value::emit(code, &reduction.finish, &leaves(Some(sum)))?;
                    let position = value::emit_index(code, &self.kernel.store, &leaves(None))?;
                    code.store(self.kernel.output, self.arguments.output, position, result)
                })
            })
        })
    }
}

fn set<'ctx>(axes: &mut [IntValue<'ctx>], axis: Option<&usize>, value: IntValue<'ctx>) {
    if let Some(slot) = axis.and_then(|axis| axes.get_mut(*axis)) {
        *slot = value;
    }
}

fn vector(value: BasicValueEnum<'_>) -> Result<VectorValue<'_>, Error> {
    match value {
        BasicValueEnum::VectorValue(value) => Ok(value),
        _ => Err(Error::llvm("building a product", "a vector is none")),
    }
}
