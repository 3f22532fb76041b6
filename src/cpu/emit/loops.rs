//! Kernels as plain loop nests. Loops over f32 are vectors from the start where they can be; LLVM vectorizes others, but none in which
//! that would change the order of a sum.

use hb_dialects::ElementType;
use inkwell::types::BasicTypeEnum;
use inkwell::values::{BasicValueEnum, IntValue, PointerValue, VectorValue};

use super::super::error::Error;
use super::super::expression::{Binary, Expression, ExpressionKind, axis, index};
use super::super::graph::{ACCUMULATORS, Combiner, LONGEST_CHAIN, combine_halves};
use super::super::kernel::{Affine, Kernel, KernelReduction};
use super::super::target::CpuTarget;
use super::arithmetic::vector;
use super::code::Code;
use super::value::{self, Lanes, Leaves};
use super::{Arguments, Work, interleaved};

/// Outputs whose accumulators are kept side by side when the output axis is the contiguous one.
const LANES: usize = 128;
/// Outputs whose sums run side by side when each of them is one chain of additions.
const CHAINS: usize = 8;
/// The same where they are the lanes of vectors. Of one axis, a unit of work is as many.
const CHAINS_IN_LANES: usize = 64;
/// Accumulators of a long row whose largest or smallest element is searched: in several vectors, so that one does not wait for the other.
const EXTREMES_IN_LANES: usize = 64;
/// Enough units to keep any number of cores busy.
const UNITS: usize = 64;

/// How a reduction is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Every point of the reduction is written out.
    Unrolled,
    /// One accumulator for each of a few outputs, loops over the reduction.
    Chains,
    /// Several accumulators for one output, loops over the reduction.
    Split,
    /// A row of outputs along the last axis, inside the reduction's loops.
    Lanes,
}

/// How many leading axes are spread over units. The last axis stays a loop if there is another, and so do two that are interleaved.
fn unit_axes(kernel: &Kernel) -> usize {
    let mut axes = 1;
    let units = |axes: usize| kernel.extents.iter().take(axes).product::<usize>();
    let inner = if interleaved::bodies(kernel).is_some() { 2 } else { 1 };
    while axes + inner < kernel.extents.len() && units(axes) < UNITS {
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
    let cost = inner.saturating_mul(size.max(1));
    match kernel.extents.as_slice() {
        &[extent] if chained(kernel).is_some() => Work {
            units: extent.div_ceil(CHAINS_IN_LANES),
            cost: cost.saturating_mul(CHAINS_IN_LANES.min(extent)),
            scratch: 0,
        },
        extents => Work { units: extents.iter().take(axes).product(), cost, scratch: 0 },
    }
}

/// How many points along the last axis are computed at once, if several can be.
fn lanes(kernel: &Kernel, target: &CpuTarget) -> Option<usize> {
    let (rank, last) = (kernel.rank(), kernel.extents.len().checked_sub(1)?);
    let short = kernel.reduction.as_ref().is_none_or(|reduction| {
        order(kernel, reduction) == Order::Unrolled && value::is_vectorizable(&reduction.finish, last, rank)
    });
    let vectorized = short && stores_in_a_row(kernel) && value::is_vectorizable(&kernel.body, last, rank);
    vectorized.then_some(target.lanes)
}

pub(crate) fn is_vectorized(kernel: &Kernel, target: &CpuTarget) -> bool {
    let split =
        |reduction: &KernelReduction| order(kernel, reduction) == Order::Split && splits_in_lanes(kernel, reduction);
    let reduction = kernel.reduction.as_ref();
    lanes(kernel, target).is_some()
        || interleaved::bodies(kernel).is_some()
        || reduction.is_some_and(split)
        || chain_lanes(kernel, target).is_some()
}

/// The reduction whose chains run side by side along the last output axis.
fn chained(kernel: &Kernel) -> Option<&KernelReduction> {
    kernel.reduction.as_ref().filter(|reduction| {
        order(kernel, reduction) == Order::Chains && reduction.combiner.fused_factors(&kernel.body).is_some()
    })
}

/// How many of these chains are a vector, if they can be.
fn chain_lanes(kernel: &Kernel, target: &CpuTarget) -> Option<usize> {
    let reduction = chained(kernel)?;
    let last = kernel.extents.len().checked_sub(1)?;
    let vectorized = value::is_vectorizable(&kernel.body, last, kernel.rank())
        && value::is_vectorizable(&reduction.finish, last, kernel.rank());
    (vectorized && stores_in_a_row(kernel)).then_some(target.lanes)
}

/// Whether neighbouring points of the last output axis are neighbouring f32.
pub(super) fn stores_in_a_row(kernel: &Kernel) -> bool {
    let last = kernel.extents.len().saturating_sub(1);
    kernel.output == ElementType::F32
        && Affine::of(&kernel.store, kernel.rank()).is_some_and(|affine| affine.coefficient(last) == 1)
}

/// Whether the accumulators of an output can be the lanes of a vector.
fn splits_in_lanes(kernel: &Kernel, reduction: &KernelReduction) -> bool {
    let rank = kernel.rank();
    let turns = match reduction.extents.as_slice() {
        [_] => true,
        // The turns of the accumulators go on from one line to the next.
        [.., last] => last.is_multiple_of(ACCUMULATORS),
        [] => false,
    };
    turns && value::is_vectorizable(&kernel.body, rank.saturating_sub(1), rank)
}

pub(crate) fn emit<'ctx>(
    code: &Code<'_, 'ctx>,
    kernel: &Kernel,
    arguments: &Arguments<'ctx>,
    target: &CpuTarget,
) -> Result<(), Error> {
    let outer = unit_axes(kernel);
    let (lanes, chain_lanes) = (lanes(kernel, target), chain_lanes(kernel, target));
    let interleaved = interleaved::bodies(kernel).map(|bodies| (bodies, target.lanes));
    let nest = Nest { code, kernel, arguments, extents: kernel.all_extents(), lanes, chain_lanes, interleaved };
    if let (Some(lanes), 1) = (nest.lanes, kernel.extents.len()) {
        return nest.vectors(lanes, &mut Vec::new(), arguments.begin, arguments.end);
    }
    if let (Some(reduction), &[extent]) = (chained(kernel), kernel.extents.as_slice()) {
        let position = |unit| code.builder.build_int_nsw_mul(unit, code.size(CHAINS_IN_LANES), "");
        let (from, to) = (position(arguments.begin)?, position(arguments.end)?);
        let to = code.intrinsic("llvm.smin", &[to.get_type().into()], &[to.into(), code.size(extent).into()])?;
        return nest.chains(reduction, &[], from, super::code::int(to)?);
    }
    code.for_range(arguments.begin, arguments.end, 1, &mut |unit| {
        let mut axes = nest.decode(unit, outer)?;
        nest.inner(&mut axes)
    })
}

pub(super) struct Nest<'b, 'm, 'ctx> {
    pub code: &'b Code<'m, 'ctx>,
    pub kernel: &'b Kernel,
    pub arguments: &'b Arguments<'ctx>,
    extents: Vec<usize>,
    lanes: Option<usize>,
    chain_lanes: Option<usize>,
    /// Bodies by element of the last axis, and lanes along the one before.
    interleaved: Option<(Vec<Expression>, usize)>,
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
        if let (Some((bodies, lanes)), 2) = (&self.interleaved, open) {
            return interleaved::emit(self, bodies, *lanes, axes);
        }
        let Some(&extent) = self.kernel.extents.get(axes.len()) else { return self.point(order, axes) };
        if let (Some(lanes), 1) = (self.lanes, open) {
            return self.vectors(lanes, axes, self.code.int(0), self.code.size(extent));
        }
        if let (Some(reduction), 1) = (chained(self.kernel), open) {
            return self.chains(reduction, axes, self.code.int(0), self.code.size(extent));
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
        self.code.for_overlapping_vectors(lanes, from, to, &mut |position, mask| {
            axes.push(position);
            let lanes = Some(Lanes { axis: axes.len() - 1, count: lanes, mask });
            let value = match &self.kernel.reduction {
                Some(reduction) => self.unrolled(reduction, axes, lanes)?,
                None => value::emit(self.code, &self.kernel.body, &Leaves { lanes, ..self.leaves(axes, None) })?,
            };
            let stored = self.store(axes, value, lanes);
            axes.pop();
            stored
        })
    }

    pub(super) fn leaves<'b>(
        &'b self,
        axes: &'b [IntValue<'ctx>],
        accumulator: Option<BasicValueEnum<'ctx>>,
    ) -> Leaves<'b, 'ctx> {
        Leaves { operands: &self.arguments.operands, axes, extents: &self.extents, accumulator, lanes: None }
    }

    fn store(
        &self,
        axes: &[IntValue<'ctx>],
        value: BasicValueEnum<'ctx>,
        lanes: Option<Lanes<'ctx>>,
    ) -> Result<(), Error> {
        let position = value::emit_index(self.code, &self.kernel.store, &self.leaves(axes, None))?;
        match lanes {
            Some(lanes) => self.code.store_vector(self.arguments.output, position, vector(value)?, lanes.mask),
            None => self.code.store(self.kernel.output, self.arguments.output, position, value),
        }
    }

    /// One output element.
    fn point(&self, order: Option<Order>, axes: &mut Vec<IntValue<'ctx>>) -> Result<(), Error> {
        let value = match (&self.kernel.reduction, order) {
            (Some(reduction), Some(Order::Unrolled)) => self.unrolled(reduction, axes, None)?,
            (Some(reduction), Some(Order::Split)) => self.split(reduction, axes)?,
            (Some(reduction), _) => return self.side_by_side(reduction, std::slice::from_ref(axes), None),
            (None, _) => value::emit(self.code, &self.kernel.body, &self.leaves(axes, None))?,
        };
        self.store(axes, value, None)
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
            total = self.accumulate(reduction, total, &body, &Leaves { lanes, ..self.leaves(axes, None) })?;
        }
        value::emit(self.code, &reduction.finish, &Leaves { lanes, ..self.leaves(axes, Some(total)) })
    }

    /// The points `from..to` of the last axis, several at a time: one chain of additions alone would wait for each of them.
    fn chains(
        &self,
        reduction: &KernelReduction,
        axes: &[IntValue<'ctx>],
        from: IntValue<'ctx>,
        to: IntValue<'ctx>,
    ) -> Result<(), Error> {
        let builder = &self.code.builder;
        let (step, count) = match self.chain_lanes {
            Some(lanes) => (lanes, CHAINS_IN_LANES / lanes),
            None => (1, CHAINS),
        };
        let side_by_side = |count: usize, start: IntValue<'ctx>, mask: Option<VectorValue<'ctx>>| {
            let point = |number: usize| -> Result<Vec<IntValue<'ctx>>, Error> {
                let position = builder.build_int_nsw_add(start, self.code.size(number * step), "")?;
                Ok(axes.iter().copied().chain([position]).collect())
            };
            let lanes = self.chain_lanes.map(|count| Lanes { axis: axes.len(), count, mask });
            self.side_by_side(reduction, &(0..count).map(point).collect::<Result<Vec<_>, _>>()?, lanes)
        };
        let size = self.code.size(step * count);
        let rest = builder.build_int_signed_rem(builder.build_int_nsw_sub(to, from, "")?, size, "")?;
        let whole = builder.build_int_nsw_sub(to, rest, "")?;
        self.code.for_range(from, whole, (step * count) as i64, &mut |start| side_by_side(count, start, None))?;
        match self.chain_lanes {
            Some(lanes) => {
                self.code.for_overlapping_vectors(lanes, whole, to, &mut |start, mask| side_by_side(1, start, mask))
            }
            None => self.code.for_range(whole, to, 1, &mut |start| side_by_side(1, start, None)),
        }
    }

    /// Several output elements, or vectors of them, with one accumulator each.
    fn side_by_side(
        &self,
        reduction: &KernelReduction,
        points: &[Vec<IntValue<'ctx>>],
        lanes: Option<Lanes<'ctx>>,
    ) -> Result<(), Error> {
        let mut initial = self.initial(reduction);
        if let Some(lanes) = lanes {
            initial = self.code.splat(initial, lanes.count)?;
        }
        let kind = initial.get_type();
        let mut slots = Vec::new();
        for _ in points {
            // Becomes a register; a slot is only the simplest way to write it.
            let slot = self.code.stack(kind, 1)?;
            self.code.builder.build_store(slot, initial)?;
            slots.push(slot);
        }
        self.code.for_box(&reduction.extents, &mut |inner| {
            points.iter().zip(&slots).try_for_each(|(axes, slot)| {
                let all: Vec<IntValue<'ctx>> = axes.iter().chain(inner).copied().collect();
                let leaves = Leaves { lanes, ..self.leaves(&all, None) };
                self.accumulate_at(reduction, (kind, *slot), &self.kernel.body, &leaves)
            })
        })?;
        points.iter().zip(&slots).try_for_each(|(axes, slot)| {
            let total = self.code.builder.build_load(kind, *slot, "")?;
            let leaves = Leaves { lanes, ..self.leaves(axes, Some(total)) };
            self.store(axes, value::emit(self.code, &reduction.finish, &leaves)?, lanes)
        })
    }

    /// One output element with several accumulators.
    fn split(&self, reduction: &KernelReduction, axes: &[IntValue<'ctx>]) -> Result<BasicValueEnum<'ctx>, Error> {
        let total = match splits_in_lanes(self.kernel, reduction) {
            true => self.split_in_lanes(reduction, axes)?,
            false => self.split_in_memory(reduction, axes)?,
        };
        value::emit(self.code, &reduction.finish, &self.leaves(axes, Some(total)))
    }

    /// The accumulators as the lanes of a vector.
    fn split_in_lanes(
        &self,
        reduction: &KernelReduction,
        axes: &[IntValue<'ctx>],
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        let (code, builder) = (self.code, &self.code.builder);
        let Some((&extent, outer)) = reduction.extents.split_last() else { return Ok(self.initial(reduction)) };
        let count =
            if is_extremum(reduction) && extent >= 2 * EXTREMES_IN_LANES { EXTREMES_IN_LANES } else { ACCUMULATORS };
        let kind = code.f32_vector(count).into();
        let slot = code.stack(kind, 1)?;
        builder.build_store(slot, code.splat(self.initial(reduction), count)?)?;
        code.for_box(outer, &mut |outer| {
            code.for_vectors(count, code.int(0), code.size(extent), &mut |position, mask| {
                let all: Vec<IntValue<'ctx>> = axes.iter().chain(outer).chain([&position]).copied().collect();
                let lanes = Some(Lanes { axis: all.len() - 1, count, mask });
                let total = builder.build_load(kind, slot, "")?;
                let leaves = Leaves { lanes, ..self.leaves(&all, None) };
                let mut next = self.accumulate(reduction, total, &self.kernel.body, &leaves)?;
                if let Some(mask) = mask {
                    next = code.choose(mask.into(), next, total)?;
                }
                builder.build_store(slot, next)?;
                Ok(())
            })
        })?;
        let mut totals = vector(builder.build_load(kind, slot, "")?)?;
        while totals.get_type().get_size() > 1 {
            let [lower, upper] = code.halves(totals)?;
            totals = vector(self.combine(reduction, lower.into(), upper.into())?)?;
        }
        Ok(builder.build_extract_element(totals, code.context.i32_type().const_zero(), "")?)
    }

    /// The accumulators in memory, where the body cannot be computed for neighbouring points at once.
    fn split_in_memory(
        &self,
        reduction: &KernelReduction,
        axes: &[IntValue<'ctx>],
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        let code = self.code;
        let kind = code.register_type(self.kernel.body.element());
        let slots = code.stack(kind, ACCUMULATORS)?;
        for number in 0..ACCUMULATORS {
            code.builder.build_store(code.at(kind, slots, code.size(number))?, self.initial(reduction))?;
        }
        code.for_box(&reduction.extents, &mut |inner| {
            let all: Vec<IntValue<'ctx>> = axes.iter().chain(inner).copied().collect();
            let slot = code.at(kind, slots, self.turn(reduction, inner, ACCUMULATORS)?)?;
            self.accumulate_at(reduction, (kind, slot), &self.kernel.body, &self.leaves(&all, None))
        })?;
        self.total(reduction, slots, ACCUMULATORS, &|number| Ok(code.size(number)))
    }

    /// The number of the accumulator whose turn it is at a point of the reduction.
    fn turn(
        &self,
        reduction: &KernelReduction,
        inner: &[IntValue<'ctx>],
        accumulators: usize,
    ) -> Result<IntValue<'ctx>, Error> {
        let builder = &self.code.builder;
        let mut number = self.code.int(0);
        for (position, extent) in inner.iter().zip(&reduction.extents) {
            number = builder.build_int_nsw_mul(number, self.code.size(*extent), "")?;
            number = builder.build_int_nsw_add(number, *position, "")?;
        }
        Ok(builder.build_int_unsigned_rem(number, self.code.size(accumulators), "")?)
    }

    /// What accumulators in memory come to; `at` says where each of them is.
    fn total(
        &self,
        reduction: &KernelReduction,
        slots: PointerValue<'ctx>,
        accumulators: usize,
        at: &dyn Fn(usize) -> Result<IntValue<'ctx>, Error>,
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        let kind = self.code.register_type(self.kernel.body.element());
        let load = |number: usize| -> Result<_, Error> {
            Ok(self.code.builder.build_load(kind, self.code.at(kind, slots, at(number)?)?, "")?)
        };
        let totals = (0..accumulators).map(load).collect::<Result<Vec<_>, _>>()?;
        let total = combine_halves(totals, &mut |a, b| self.combine(reduction, a, b))?;
        Ok(total.unwrap_or(self.initial(reduction)))
    }

    fn lanes(&self, reduction: &KernelReduction, axes: &mut Vec<IntValue<'ctx>>) -> Result<(), Error> {
        let (code, builder) = (self.code, &self.code.builder);
        let element = self.kernel.body.element();
        let accumulators = reduction.combiner.accumulators(element, points(reduction));
        let extent = self.kernel.extents.last().copied().unwrap_or(1);
        let lanes = extent.min(LANES);
        let kind = code.register_type(element);
        let slots = code.stack(kind, lanes * accumulators)?;
        let slot_of = |number: IntValue<'ctx>, lane: IntValue<'ctx>| -> Result<IntValue<'ctx>, Error> {
            Ok(builder.build_int_nsw_add(builder.build_int_nsw_mul(number, code.size(lanes), "")?, lane, "")?)
        };
        code.for_range(code.int(0), code.size(extent), lanes as i64, &mut |start| {
            let left = builder.build_int_sub(code.size(extent), start, "")?;
            let count = match extent.is_multiple_of(lanes) {
                true => code.size(lanes),
                false => super::code::int(code.intrinsic(
                    "llvm.smin",
                    &[left.get_type().into()],
                    &[left.into(), code.size(lanes).into()],
                )?)?,
            };
            let each = |body: &mut dyn FnMut(IntValue<'ctx>, IntValue<'ctx>) -> Result<(), Error>| {
                code.for_range(code.int(0), count, 1, &mut |lane| {
                    body(lane, builder.build_int_nsw_add(start, lane, "")?)
                })
            };
            code.for_range(code.int(0), code.size(lanes * accumulators), 1, &mut |slot| {
                Ok(builder.build_store(code.at(kind, slots, slot)?, self.initial(reduction)).map(|_| ())?)
            })?;
            code.for_box(&reduction.extents, &mut |inner| {
                let number = self.turn(reduction, inner, accumulators)?;
                each(&mut |lane, position| {
                    let all: Vec<IntValue<'ctx>> = axes.iter().chain([&position]).chain(inner).copied().collect();
                    let slot = code.at(kind, slots, slot_of(number, lane)?)?;
                    self.accumulate_at(reduction, (kind, slot), &self.kernel.body, &self.leaves(&all, None))
                })
            })?;
            each(&mut |lane, position| {
                let total = self.total(reduction, slots, accumulators, &|number| slot_of(code.size(number), lane))?;
                let all: Vec<IntValue<'ctx>> = axes.iter().chain([&position]).copied().collect();
                let value = value::emit(code, &reduction.finish, &self.leaves(&all, Some(total)))?;
                self.store(&all, value, None)
            })
        })
    }

    /// An accumulator with the value of the body at one more point.
    fn accumulate(
        &self,
        reduction: &KernelReduction,
        total: BasicValueEnum<'ctx>,
        body: &Expression,
        leaves: &Leaves<'_, 'ctx>,
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        match reduction.combiner.fused_factors(body) {
            Some((a, b)) => {
                self.code.multiply_add(value::emit(self.code, a, leaves)?, value::emit(self.code, b, leaves)?, total)
            }
            None => self.combine(reduction, total, value::emit(self.code, body, leaves)?),
        }
    }

    /// The same with an accumulator in memory.
    fn accumulate_at(
        &self,
        reduction: &KernelReduction,
        (kind, slot): (BasicTypeEnum<'ctx>, PointerValue<'ctx>),
        body: &Expression,
        leaves: &Leaves<'_, 'ctx>,
    ) -> Result<(), Error> {
        let total = self.code.builder.build_load(kind, slot, "")?;
        self.code.builder.build_store(slot, self.accumulate(reduction, total, body, leaves)?)?;
        Ok(())
    }

    fn combine(
        &self,
        reduction: &KernelReduction,
        total: BasicValueEnum<'ctx>,
        next: BasicValueEnum<'ctx>,
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        let element = self.kernel.body.element();
        let operation = match (element, reduction.combiner.operation()) {
            (ElementType::Bool, Binary::Add | Binary::Maximum) => Binary::Or,
            (ElementType::Bool, _) => Binary::And,
            (_, operation) => operation,
        };
        value::binary(self.code, operation, element, total, next)
    }
}

fn points(reduction: &KernelReduction) -> usize {
    reduction.extents.iter().fold(1, |product, extent| product.saturating_mul(*extent))
}

/// Whether the result is one of the values, which any order finds.
fn is_extremum(reduction: &KernelReduction) -> bool {
    matches!(reduction.combiner, Combiner::Maximum | Combiner::Minimum)
}

/// Whether short rows have a largest or smallest element each: in lanes along the row, where the rows cannot be lanes.
fn is_extremum_of_rows(kernel: &Kernel, reduction: &KernelReduction) -> bool {
    let (rank, last) = (kernel.rank(), kernel.extents.len().saturating_sub(1));
    is_extremum(reduction)
        && (ACCUMULATORS..=LONGEST_CHAIN).contains(&points(reduction))
        && !value::is_vectorizable(&kernel.body, last, rank)
        && splits_in_lanes(kernel, reduction)
}

fn order(kernel: &Kernel, reduction: &KernelReduction) -> Order {
    let points = points(reduction);
    if is_extremum_of_rows(kernel, reduction) {
        return Order::Split;
    }
    if points <= LONGEST_CHAIN && points.saturating_mul(kernel.body.size() as usize) <= 4096 {
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
    if !contiguous(along_reduction) && wide && contiguous(along_output) {
        return Order::Lanes;
    }
    match reduction.combiner.accumulators(kernel.body.element(), points) {
        1 => Order::Chains,
        _ => Order::Split,
    }
}
