//! Kernels as plain loop nests. Loops over f32 without a long sum are vectors from the start; LLVM vectorizes others.

use hb_dialects::ElementType;
use inkwell::values::{BasicValueEnum, IntValue};

use super::super::error::Error;
use super::super::expression::{Expression, ExpressionKind, axis, index};
use super::super::graph::Combiner;
use super::super::kernel::{Affine, Kernel, KernelReduction};
use super::super::target::CpuTarget;
use super::arithmetic::vector;
use super::code::{Code, float};
use super::value::{self, Lanes, Leaves};
use super::{Arguments, Work};

/// Reductions of at most this many points are written out: 3x3 windows, not 7x7 planes.
const UNROLLED: usize = 64;
/// Accumulators kept side by side when the output axis is the contiguous one.
const LANES: usize = 128;
/// Enough units to keep any number of cores busy.
const UNITS: usize = 64;

/// How a reduction is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// One accumulator; every point of the reduction is written out.
    Unrolled,
    /// One accumulator, loops over the reduction.
    Inner,
    /// A row of accumulators along the last output axis, inside the reduction's loops.
    Lanes,
}

/// How many leading axes are spread over units. The last axis stays a loop if there is another.
fn unit_axes(kernel: &Kernel) -> usize {
    let mut axes = 1;
    let units = |axes: usize| kernel.extents.iter().take(axes).product::<usize>();
    while axes + 1 < kernel.extents.len() && units(axes) < UNITS {
        axes += 1;
    }
    axes
}

pub(crate) fn work(kernel: &Kernel) -> Work {
    let axes = unit_axes(kernel);
    let inner = kernel.all_extents().iter().skip(axes).fold(1usize, |product, extent| product.saturating_mul(*extent));
    let mut size = 0usize;
    kernel.body.walk(&mut |node| {
        size += usize::from(!matches!(node.kind(), ExpressionKind::Axis(_) | ExpressionKind::Constant(_)))
    });
    Work { units: kernel.extents.iter().take(axes).product(), cost: inner.saturating_mul(size.max(1)), scratch: 0 }
}

/// How many points along the last axis are computed at once, if several can be.
fn lanes(kernel: &Kernel, target: &CpuTarget) -> Option<usize> {
    let (rank, last) = (kernel.rank(), kernel.extents.len().checked_sub(1)?);
    let stores = Affine::of(&kernel.store, rank).is_some_and(|affine| affine.coefficient(last) == 1);
    let short = kernel.reduction.as_ref().is_none_or(|reduction| {
        order(kernel, reduction) == Order::Unrolled && value::is_vectorizable(&reduction.finish, last, rank)
    });
    let vectorized =
        short && kernel.output == ElementType::F32 && stores && value::is_vectorizable(&kernel.body, last, rank);
    vectorized.then_some(target.lanes)
}

pub(crate) fn is_vectorized(kernel: &Kernel, target: &CpuTarget) -> bool {
    lanes(kernel, target).is_some()
}

pub(crate) fn emit<'ctx>(
    code: &Code<'_, 'ctx>,
    kernel: &Kernel,
    arguments: &Arguments<'ctx>,
    target: &CpuTarget,
) -> Result<(), Error> {
    let outer = unit_axes(kernel);
    let nest = Nest { code, kernel, arguments, extents: kernel.all_extents(), lanes: lanes(kernel, target) };
    if let (Some(lanes), 1) = (nest.lanes, kernel.extents.len()) {
        return nest.vectors(lanes, &mut Vec::new(), arguments.begin, arguments.end);
    }
    code.for_range(arguments.begin, arguments.end, 1, &mut |unit| {
        let mut axes = nest.decode(unit, outer)?;
        nest.inner(&mut axes)
    })
}

struct Nest<'b, 'm, 'ctx> {
    code: &'b Code<'m, 'ctx>,
    kernel: &'b Kernel,
    arguments: &'b Arguments<'ctx>,
    extents: Vec<usize>,
    lanes: Option<usize>,
}

impl<'ctx> Nest<'_, '_, 'ctx> {
    /// The positions along the leading axes that a unit stands for.
    fn decode(&self, unit: IntValue<'ctx>, count: usize) -> Result<Vec<IntValue<'ctx>>, Error> {
        let mut axes = vec![unit; count];
        let mut rest = unit;
        for d in (1..count).rev() {
            let extent = self.code.size(self.kernel.extents.get(d).copied().unwrap_or(1));
            if let Some(axis) = axes.get_mut(d) {
                *axis = self.code.builder.build_int_unsigned_rem(rest, extent, "")?;
            }
            rest = self.code.builder.build_int_unsigned_div(rest, extent, "")?;
        }
        if let Some(first) = axes.first_mut() {
            *first = rest;
        }
        Ok(axes)
    }

    /// Loops over the output axes that are still open.
    fn inner(&self, axes: &mut Vec<IntValue<'ctx>>) -> Result<(), Error> {
        let order = self.kernel.reduction.as_ref().map(|reduction| order(self.kernel, reduction));
        let open = self.kernel.extents.len() - axes.len();
        if let (Some(reduction), Some(Order::Lanes), 1) = (&self.kernel.reduction, order, open) {
            return self.lanes(reduction, axes);
        }
        let Some(&extent) = self.kernel.extents.get(axes.len()) else { return self.point(order, axes) };
        if let (Some(lanes), 1) = (self.lanes, open) {
            return self.vectors(lanes, axes, self.code.int(0), self.code.size(extent));
        }
        self.code.for_range(self.code.int(0), self.code.size(extent), 1, &mut |position| {
            axes.push(position);
            let result = self.inner(axes);
            axes.pop();
            result
        })
    }

    /// The points `from..to` of the last axis.
    fn vectors(
        &self,
        lanes: usize,
        axes: &mut Vec<IntValue<'ctx>>,
        from: IntValue<'ctx>,
        to: IntValue<'ctx>,
    ) -> Result<(), Error> {
        self.code.for_vectors(lanes, from, to, &mut |position, mask| {
            axes.push(position);
            let lanes = Some(Lanes { axis: axes.len() - 1, count: lanes, mask });
            let value = match &self.kernel.reduction {
                Some(reduction) => self.unrolled(reduction, axes, lanes)?,
                None => value::emit(self.code, &self.kernel.body, &Leaves { lanes, ..self.leaves(axes, None) })?,
            };
            let position = value::emit_index(self.code, &self.kernel.store, &self.leaves(axes, None))?;
            axes.pop();
            self.code.store_vector(self.arguments.output, position, vector(value)?, mask)
        })
    }

    fn leaves<'b>(&'b self, axes: &'b [IntValue<'ctx>], accumulator: Option<BasicValueEnum<'ctx>>) -> Leaves<'b, 'ctx> {
        Leaves { operands: &self.arguments.operands, axes, extents: &self.extents, accumulator, lanes: None }
    }

    fn store(&self, axes: &[IntValue<'ctx>], value: BasicValueEnum<'ctx>) -> Result<(), Error> {
        let position = value::emit_index(self.code, &self.kernel.store, &self.leaves(axes, None))?;
        self.code.store(self.kernel.output, self.arguments.output, position, value)
    }

    /// One output element.
    fn point(&self, order: Option<Order>, axes: &mut Vec<IntValue<'ctx>>) -> Result<(), Error> {
        let value = match (&self.kernel.reduction, order) {
            (Some(reduction), Some(Order::Unrolled)) => self.unrolled(reduction, axes, None)?,
            (Some(reduction), _) => self.reduced(reduction, axes)?,
            (None, _) => value::emit(self.code, &self.kernel.body, &self.leaves(axes, None))?,
        };
        self.store(axes, value)
    }

    fn initial(&self, reduction: &KernelReduction) -> BasicValueEnum<'ctx> {
        value::constant(self.code, self.kernel.body.element(), reduction.initial)
    }

    fn unrolled(
        &self,
        reduction: &KernelReduction,
        axes: &[IntValue<'ctx>],
        lanes: Option<Lanes<'ctx>>,
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        let mut total = self.initial(reduction);
        if let Some(lanes) = lanes {
            total = self.code.splat(total, lanes.count)?;
        }
        let outer: Vec<Expression> = (0..self.kernel.extents.len()).map(axis).collect();
        for point in 0..reduction.extents.iter().product::<usize>() {
            let mut rest = point;
            let mut inner = Vec::new();
            for &extent in reduction.extents.iter().rev() {
                inner.push(index((rest % extent) as i64));
                rest /= extent;
            }
            let all: Vec<Expression> = outer.iter().cloned().chain(inner.into_iter().rev()).collect();
            let body = self.kernel.body.with_axes(&all);
            let next = value::emit(self.code, &body, &Leaves { lanes, ..self.leaves(axes, None) })?;
            total = self.combine(reduction, total, next, false)?;
        }
        value::emit(self.code, &reduction.finish, &Leaves { lanes, ..self.leaves(axes, Some(total)) })
    }

    fn reduced(&self, reduction: &KernelReduction, axes: &[IntValue<'ctx>]) -> Result<BasicValueEnum<'ctx>, Error> {
        let element = self.kernel.body.element();
        let kind = self.code.register_type(element);
        // Becomes a register; a slot is only the simplest way to write it.
        let slot = self.code.stack(kind, 1)?;
        self.code.builder.build_store(slot, self.initial(reduction))?;
        self.code.for_box(&reduction.extents, &mut |inner| {
            let all: Vec<IntValue<'ctx>> = axes.iter().chain(inner).copied().collect();
            let next = value::emit(self.code, &self.kernel.body, &self.leaves(&all, None))?;
            let total = self.code.builder.build_load(kind, slot, "")?;
            self.code.builder.build_store(slot, self.combine(reduction, total, next, true)?)?;
            Ok(())
        })?;
        let total = self.code.builder.build_load(kind, slot, "")?;
        value::emit(self.code, &reduction.finish, &self.leaves(axes, Some(total)))
    }

    fn lanes(&self, reduction: &KernelReduction, axes: &mut Vec<IntValue<'ctx>>) -> Result<(), Error> {
        let extent = self.kernel.extents.last().copied().unwrap_or(1);
        let lanes = extent.min(LANES);
        let kind = self.code.register_type(self.kernel.body.element());
        let slots = self.code.stack(kind, lanes)?;
        self.code.for_range(self.code.int(0), self.code.size(extent), lanes as i64, &mut |start| {
            let left = self.code.builder.build_int_sub(self.code.size(extent), start, "")?;
            let count = match extent.is_multiple_of(lanes) {
                true => self.code.size(lanes),
                false => super::code::int(self.code.intrinsic(
                    "llvm.smin",
                    &[left.get_type().into()],
                    &[left.into(), self.code.size(lanes).into()],
                )?)?,
            };
            let each = |body: &mut dyn FnMut(IntValue<'ctx>, IntValue<'ctx>) -> Result<(), Error>| {
                self.code.for_range(self.code.int(0), count, 1, &mut |lane| {
                    body(lane, self.code.builder.build_int_nsw_add(start, lane, "")?)
                })
            };
            each(&mut |lane, _| {
                Ok(self
                    .code
                    .builder
                    .build_store(self.code.at(kind, slots, lane)?, self.initial(reduction))
                    .map(|_| ())?)
            })?;
            self.code.for_box(&reduction.extents, &mut |inner| {
                each(&mut |lane, position| {
                    let all: Vec<IntValue<'ctx>> = axes.iter().chain([&position]).chain(inner).copied().collect();
                    let next = value::emit(self.code, &self.kernel.body, &self.leaves(&all, None))?;
                    let slot = self.code.at(kind, slots, lane)?;
                    let total = self.code.builder.build_load(kind, slot, "")?;
                    self.code.builder.build_store(slot, self.combine(reduction, total, next, false)?)?;
                    Ok(())
                })
            })?;
            each(&mut |lane, position| {
                let total = self.code.builder.build_load(kind, self.code.at(kind, slots, lane)?, "")?;
                let all: Vec<IntValue<'ctx>> = axes.iter().chain([&position]).copied().collect();
                let value = value::emit(self.code, &reduction.finish, &self.leaves(&all, Some(total)))?;
                self.store(&all, value)
            })
        })
    }

    fn combine(
        &self,
        reduction: &KernelReduction,
        total: BasicValueEnum<'ctx>,
        next: BasicValueEnum<'ctx>,
        reorder: bool,
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        use super::super::expression::Binary;
        let operation = match reduction.combiner {
            Combiner::Sum => Binary::Add,
            Combiner::Product => Binary::Multiply,
            Combiner::Maximum => Binary::Maximum,
            Combiner::Minimum => Binary::Minimum,
        };
        let element = self.kernel.body.element();
        let operation = match (element, operation) {
            (ElementType::Bool, Binary::Add | Binary::Maximum) => Binary::Or,
            (ElementType::Bool, _) => Binary::And,
            (_, operation) => operation,
        };
        let combined = value::binary(self.code, operation, element, total, next)?;
        if reorder && element.is_float() && matches!(operation, Binary::Add | Binary::Multiply) {
            return Ok(self.code.reassociate(float(combined)?).into());
        }
        Ok(combined)
    }
}

fn order(kernel: &Kernel, reduction: &KernelReduction) -> Order {
    let points: usize = reduction.extents.iter().fold(1, |product: usize, extent| product.saturating_mul(*extent));
    if points <= UNROLLED && points.saturating_mul(kernel.body.size() as usize) <= 4096 {
        return Order::Unrolled;
    }
    let rank = kernel.rank();
    let (along_output, along_reduction) = (kernel.extents.len().saturating_sub(1), rank.saturating_sub(1));
    let contiguous = |axis: usize| {
        let mut all = true;
        kernel.body.walk(&mut |node| {
            if let ExpressionKind::Load { indices, .. } = node.kind() {
                let affine: Option<Vec<Affine>> = indices.iter().map(|index| Affine::of(index, rank)).collect();
                all &= affine
                    .is_some_and(|affine| affine.iter().all(|affine| (0..=1).contains(&affine.coefficient(axis))));
            }
        });
        all
    };
    let wide = kernel.extents.len() > 1 && kernel.extents.last().is_some_and(|extent| *extent >= 8);
    if !contiguous(along_reduction) && wide && contiguous(along_output) { Order::Lanes } else { Order::Inner }
}
