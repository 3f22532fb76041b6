//! Copying columns that are not neighbours in memory into a panel where they are.

use hb_dialects::ElementType;
use inkwell::values::{IntValue, PointerValue};

use super::super::error::Error;
use super::super::kernel::Affine;
use super::arithmetic::vector;
use super::contraction::{Columns, Product};

impl<'ctx> Product<'_, '_, 'ctx> {
    /// The operand's elements of these columns, depth by depth, each row of the panel as wide as a tile. What lies beyond
    /// the last column is left as it is: those sums are thrown away.
    pub fn pack_panel(&self, axes: &[IntValue<'ctx>], columns: &Columns<'ctx>) -> Result<(), Error> {
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
                self.copy_line((operand, from), to, (low, high), step)
            })
        })
    }

    /// Copies `from + position * step` to `to + position` for all positions of a range.
    fn copy_line(
        &self,
        (operand, from): (PointerValue<'ctx>, IntValue<'ctx>),
        to: IntValue<'ctx>,
        (low, high): (IntValue<'ctx>, IntValue<'ctx>),
        step: i64,
    ) -> Result<(), Error> {
        let (code, scratch, lanes) = (self.code, self.arguments.scratch, self.plan.lanes);
        if !(1..=2).contains(&step) {
            return code.for_range(low, high, 1, &mut |position| {
                let value = code.load(ElementType::F32, operand, self.add(from, self.times(position, step)?)?)?;
                code.store(ElementType::F32, scratch, self.add(to, position)?, value)
            });
        }
        code.for_overlapping_vectors(lanes, low, high, &mut |position, mask| {
            let at = self.add(from, self.times(position, step)?)?;
            let value = match step {
                1 => code.load_vector(operand, at, lanes, mask)?,
                _ => vector(code.load_every_second(operand, at, lanes, mask)?)?,
            };
            // Lines are copied in order: what a short one writes beyond its end, the next one overwrites.
            code.store_vector(scratch, self.add(to, position)?, value, None)
        })
    }
}
