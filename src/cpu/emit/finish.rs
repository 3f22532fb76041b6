//! The end of a register tile: what the kernel makes of each sum, and where it is stored.

use hb_dialects::ElementType;
use inkwell::values::{BasicMetadataValueEnum, FunctionValue, IntValue};

use super::super::contraction::Contraction;
use super::super::error::Error;
use super::super::expression::{Expression, ExpressionKind};
use super::super::kernel::{Affine, Kernel};
use super::arithmetic::vector;
use super::code::Code;
use super::contraction::{Columns, Product, set};
use super::value::{self, Lanes, Leaves};
use super::{Arguments, declare_body};

/// Whether several columns can be ended at once.
pub(super) fn is_vectorized(kernel: &Kernel, plan: &Contraction) -> bool {
    let inner = plan.columns.last().copied().unwrap_or(0);
    let finish = kernel.reduction.as_ref().map(|reduction| &reduction.finish);
    kernel.output == ElementType::F32
        && finish.is_some_and(|finish| value::is_vectorizable(finish, inner, kernel.extents.len()))
}

impl<'ctx> Product<'_, '_, 'ctx> {
    /// Ends the sums of a tile in a function of its own. Inside of the loops that make sums, LLVM would keep the constants of an activation in
    /// registers meanwhile, and sums in memory: that made a convolution with SiLU take 1.7 times as long.
    pub fn finish(&self, axes: &[IntValue<'ctx>], block: IntValue<'ctx>, columns: &Columns<'ctx>) -> Result<(), Error> {
        let function = self.finish_function(columns)?;
        let outer = self.plan.outer.iter().filter_map(|axis| axes.get(*axis).copied());
        let pointers = std::iter::once(self.arguments.output).chain(self.arguments.operands.iter().copied());
        let pointers = pointers.chain([self.tile]).map(BasicMetadataValueEnum::from);
        let positions = [columns.begin, columns.end, block].into_iter().chain(outer).map(BasicMetadataValueEnum::from);
        self.code.builder.build_call(function, &pointers.chain(positions).collect::<Vec<_>>(), "")?;
        Ok(())
    }

    /// Its scratch are the sums, its begin and end those of the columns; the positions are the block and those along the outer axes.
    fn finish_function(&self, columns: &Columns<'ctx>) -> Result<FunctionValue<'ctx>, Error> {
        let (plan, count) = (self.plan, self.arguments.operands.len());
        let name = format!("{}.finish", self.code.function.get_name().to_string_lossy());
        let (context, module) = (self.code.context, self.code.module);
        let function = declare_body((context, module), &name, (count, 1 + plan.outer.len()), self.target);
        let (code, arguments) = (Code::new(context, module, function)?, Arguments::of(function, count)?);
        let inner = Product { code: &code, arguments: &arguments, tile: arguments.scratch, sums: Vec::new(), ..*self };
        let positions = arguments.positions.split_first();
        let (block, outer) = positions.ok_or_else(|| Error::llvm("building a product", "a position is missing"))?;
        let mut axes = vec![code.int(0); self.kernel.extents.len()];
        plan.outer.iter().zip(outer).for_each(|(axis, position)| set(&mut axes, Some(axis), *position));
        let columns = Columns { begin: arguments.begin, end: arguments.end, ..*columns };
        inner.finish_tile(&mut axes, *block, &columns)?;
        code.builder.build_return(None)?;
        Ok(function)
    }

    /// Ends sums as the kernel says, and stores what lies inside the output.
    fn finish_tile(
        &self,
        axes: &mut [IntValue<'ctx>],
        block: IntValue<'ctx>,
        columns: &Columns<'ctx>,
    ) -> Result<(), Error> {
        let (plan, code) = (self.plan, self.code);
        let Some(reduction) = &self.kernel.reduction else { return Ok(()) };
        let inner = plan.columns.last().copied().unwrap_or(0);
        let vectorized = is_vectorized(self.kernel, plan);
        let flat = vectorized && self.is_flat(&reduction.finish);
        let first = self.times(block, plan.tile_rows as i64)?;
        let left = self.subtract(code.size(plan.rows(self.kernel)), first)?;
        let rows = self.smaller(left, code.size(plan.tile_rows))?;
        code.for_range(code.int(0), rows, 1, &mut |row| {
            set(axes, Some(&plan.row), self.add(first, row)?);
            let sums = self.times(row, plan.tile_columns() as i64)?;
            if flat {
                return self.finish_flat(axes, sums, columns);
            }
            self.for_lines(columns, &mut |line, low, high, column| {
                if plan.columns.len() == 2 {
                    set(axes, plan.columns.first(), line);
                }
                let sums = self.add(sums, column)?;
                if vectorized {
                    return code.for_overlapping_vectors(plan.lanes, low, high, &mut |position, mask| {
                        set(axes, plan.columns.last(), position);
                        let lanes = Lanes { axis: inner, count: plan.lanes, mask };
                        self.finish_vector(axes, self.add(sums, position)?, lanes)
                    });
                }
                code.for_range(low, high, 1, &mut |position| {
                    set(axes, plan.columns.last(), position);
                    self.finish_one(axes, self.add(sums, position)?)
                })
            })
        })
    }

    /// Whether every access walks the columns, line after line, as if they were one axis.
    fn is_flat(&self, finish: &Expression) -> bool {
        let [outer, inner] = self.plan.columns.as_slice() else { return true };
        let (rank, line) = (self.kernel.extents.len(), self.kernel.extents.get(*inner).copied().unwrap_or(1));
        if self.plan.pitch != line {
            return false;
        }
        let walks_on = |index: &Expression| {
            Affine::of(index, rank).is_some_and(|affine| {
                affine.coefficient(*inner).checked_mul(line as i64) == Some(affine.coefficient(*outer))
            })
        };
        let mut flat = walks_on(&self.kernel.store);
        finish.walk(&mut |node| {
            if let ExpressionKind::Load { indices, .. } = node.kind() {
                flat &= indices.iter().all(walks_on);
            }
        });
        flat
    }

    fn finish_flat(
        &self,
        axes: &mut [IntValue<'ctx>],
        sums: IntValue<'ctx>,
        columns: &Columns<'ctx>,
    ) -> Result<(), Error> {
        let (plan, code) = (self.plan, self.code);
        let axis = plan.columns.last().copied().unwrap_or(0);
        for number in 0..columns.vectors {
            let column = code.size(number * plan.lanes);
            set(axes, plan.columns.last(), self.add(columns.begin, column)?);
            let lanes = Lanes { axis, count: plan.lanes, mask: self.mask(columns, number) };
            self.finish_vector(axes, self.add(sums, column)?, lanes)?;
        }
        Ok(())
    }

    fn finish_vector(&self, axes: &[IntValue<'ctx>], sum: IntValue<'ctx>, lanes: Lanes<'ctx>) -> Result<(), Error> {
        let (code, Some(reduction)) = (self.code, &self.kernel.reduction) else { return Ok(()) };
        let (operands, extents) = (&self.arguments.operands, self.extents);
        let sum = code.load_vector(self.tile, sum, lanes.count, lanes.mask)?;
        let leaves = Leaves { operands, axes, extents, accumulator: Some(sum.into()), lanes: Some(lanes) };
        let result = vector(value::emit(code, &reduction.finish, &leaves)?)?;
        let leaves = Leaves { operands, axes, extents, accumulator: None, lanes: None };
        let position = value::emit_index(code, &self.kernel.store, &leaves)?;
        code.store_vector(self.arguments.output, position, result, lanes.mask)
    }

    fn finish_one(&self, axes: &[IntValue<'ctx>], sum: IntValue<'ctx>) -> Result<(), Error> {
        let (code, Some(reduction)) = (self.code, &self.kernel.reduction) else { return Ok(()) };
        let (operands, extents) = (&self.arguments.operands, self.extents);
        let sum = code.load(ElementType::F32, self.tile, sum)?;
        let leaves = |accumulator| Leaves { operands, axes, extents, accumulator, lanes: None };
        let result = value::emit(code, &reduction.finish, &leaves(Some(sum)))?;
        let position = value::emit_index(code, &self.kernel.store, &leaves(None))?;
        code.store(self.kernel.output, self.arguments.output, position, result)
    }
}
