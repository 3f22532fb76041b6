//! Kernels whose last axis is a few elements long, as of an image that is doubled: vectors lie along the axis before it, one for each element
//! of the last, and are stored interleaved.

use inkwell::types::VectorType;
use inkwell::values::{IntValue, VectorValue};

use super::super::error::Error;
use super::super::expression::{Expression, axis, index};
use super::super::kernel::{Affine, Kernel};
use super::arithmetic::vector;
use super::code::Code;
use super::loops::{Nest, stores_in_a_row};
use super::value::{self, Lanes};

/// The longest last axis.
const LONGEST: usize = 4;

/// For each element of the last axis the body there, if the kernel is such a one.
pub(super) fn bodies(kernel: &Kernel) -> Option<Vec<Expression>> {
    let &[_, .., length, count] = kernel.extents.as_slice() else { return None };
    let (rank, along) = (kernel.rank(), kernel.extents.len() - 2);
    let fits = kernel.reduction.is_none() && (2..=LONGEST).contains(&count) && length > count;
    let in_rows = || Some(Affine::of(&kernel.store, rank)?.coefficient(along) == count as i64);
    if !fits || !stores_in_a_row(kernel) || in_rows() != Some(true) {
        return None;
    }
    let body = |element: usize| {
        let outer = (0..=along).map(axis);
        let body = kernel.body.with_axes(&outer.chain([index(element as i64)]).collect::<Vec<_>>());
        value::is_vectorizable(&body, along, rank).then_some(body)
    };
    (0..count).map(body).collect()
}

/// All points of the last two axes; `axes` are the positions along those before.
pub(super) fn emit<'ctx>(
    nest: &Nest<'_, '_, 'ctx>,
    bodies: &[Expression],
    lanes: usize,
    axes: &[IntValue<'ctx>],
) -> Result<(), Error> {
    let code = nest.code;
    let length = nest.kernel.extents.get(axes.len()).copied().unwrap_or(0);
    code.for_vectors(lanes, code.int(0), code.size(length), &mut |position, mask| {
        let axes: Vec<IntValue<'ctx>> = axes.iter().copied().chain([position, code.int(0)]).collect();
        let lanes = Lanes { axis: axes.len() - 2, count: lanes, mask };
        let leaves = value::Leaves { lanes: Some(lanes), ..nest.leaves(&axes, None) };
        let values = bodies.iter().map(|body| vector(value::emit(code, body, &leaves)?));
        let values = values.collect::<Result<Vec<_>, Error>>()?;
        let mask = mask.map(|mask| interleaved(code, &vec![mask; bodies.len()])).transpose()?;
        let first = value::emit_index(code, &nest.kernel.store, &nest.leaves(&axes, None))?;
        code.store_vector(nest.arguments.output, first, interleaved(code, &values)?, mask)
    })
}

/// The first elements of all vectors, then the second ones, and so on.
fn interleaved<'ctx>(code: &Code<'_, 'ctx>, vectors: &[VectorValue<'ctx>]) -> Result<VectorValue<'ctx>, Error> {
    let number = |lane: usize| code.context.i32_type().const_int(lane as u64, false);
    let shuffled = |a, b, lanes: &mut dyn Iterator<Item = usize>| {
        let lanes: Vec<_> = lanes.map(number).collect();
        code.builder.build_shuffle_vector(a, b, VectorType::const_vector(&lanes), "")
    };
    let missing = || Error::llvm("building instructions", "no vectors to interleave");
    let (&first, rest) = vectors.split_first().ok_or_else(missing)?;
    let lanes = first.get_type().get_size() as usize;
    let mut all = first;
    for (so_far, &next) in (1..).zip(rest) {
        // Both operands of a shuffle are as long; lanes beyond the vector repeat it, and nobody reads them.
        let wide = shuffled(next, next, &mut (0..so_far * lanes).map(|lane| lane % lanes))?;
        all = shuffled(all, wide, &mut (0..(so_far + 1) * lanes))?;
    }
    let count = vectors.len();
    Ok(shuffled(all, all, &mut (0..count * lanes).map(|place| (place % count) * lanes + place / count))?)
}
