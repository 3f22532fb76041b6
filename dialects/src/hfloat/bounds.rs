//! Values whose sizes are known only when the network runs, up to bounds: which operations take them, and what becomes of the sizes.

use super::{
    Op, OpKind, ShapeRule, attributes,
    control::MOST_ELEMENTS,
    layout::axes_of,
    operands::{constant_integers, operand_type},
    unsqueeze_axes,
};
use crate::ir::TensorType;
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};

/// Why an operation cannot take an operand.
pub(super) const UNKNOWN_SIZE: &str = "has an operand whose size is known only when the network runs, which it cannot take; let the \
                                       network end before it, or take a fixed number of elements with TopK";

/// An operand's dimension: its number, and the dimension's.
pub type Source = (usize, usize);

/// The size of a dimension of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultSize {
    /// That of each of these, which are equal; what the operation says where there are none.
    Same(Vec<Source>),
    /// All of these together.
    Sum(Vec<Source>),
    /// The smaller of this and a number.
    AtMost(Source, u64),
}

impl ResultSize {
    /// The dimensions of operands that it depends on.
    pub fn sources(&self) -> &[Source] {
        match self {
            Self::Same(sources) | Self::Sum(sources) => sources,
            Self::AtMost(source, _) => std::slice::from_ref(source),
        }
    }
}

/// For each dimension of an operation's one result, what its size is. `None` when the operation does something with its operands'
/// unknown sizes that has no form: reduces over them, for example.
///
/// # Errors
/// When operands do not fit the operation.
pub fn size_sources(operation: OperationRef<'_, '_>) -> Result<Option<Vec<ResultSize>>, String> {
    let types: Vec<TensorType> =
        (0..operation.operand_count()).map(|index| operand_type(operation, index)).collect::<Result<_, _>>()?;
    let Some(sources) = sources(operation, &types)? else { return Ok(None) };
    let mut sizes: Vec<ResultSize> = sources.into_iter().map(ResultSize::Same).collect();
    let mut consumed = Vec::new();
    match Op::of(operation).map(Op::shape_rule) {
        Some(ShapeRule::Concat) => {
            let axis = attributes::axis(operation).map_err(|error| error.to_string())?;
            let axis = super::normalize_axis(axis, sizes.len())?;
            if let Some(size) = sizes.get_mut(axis) {
                *size = ResultSize::Sum(size.sources().to_vec());
            }
        }
        // Indices are compared with the size.
        Some(ShapeRule::Gather) => consumed.push((0, super::gather_axis(operation)?)),
        Some(ShapeRule::Slice) => cut_sizes(operation, &mut sizes)?,
        // As many updates as there are indices, which is compared when the network runs.
        Some(ShapeRule::ScatterNd) => consumed.extend([(1, 0), (2, 0)]),
        // What lies beyond the actual size does not count.
        Some(ShapeRule::Reduce) => {
            let reduced = super::reduced_dimensions(operation)?.unwrap_or_default();
            consumed.extend(reduced.iter().enumerate().filter(|(_, reduced)| **reduced).map(|(d, _)| (0, d)));
        }
        _ => {}
    }
    Ok(covers(&types, &sizes, &consumed).then_some(sizes))
}

/// Gives the axes of a Slice that begin at the first element and go on one by one their sizes: as many as there are, up to the end.
fn cut_sizes(operation: OperationRef<'_, '_>, sizes: &mut [ResultSize]) -> Result<(), String> {
    let integers = |index| constant_integers(operation, index);
    let (Some(starts), Some(ends), Some(axes), Some(steps)) = (integers(1)?, integers(2)?, integers(3)?, integers(4)?)
    else {
        return Ok(());
    };
    let rank = sizes.len();
    for (((start, end), axis), step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let axis = super::normalize_axis(*axis, rank)?;
        if let (0, 1, Ok(end), Some(size)) = (*start, *step, u64::try_from(*end), sizes.get_mut(axis)) {
            *size = ResultSize::AtMost((0, axis), end);
        }
    }
    Ok(())
}

/// The dimension of the result of a Reshape that is the one unknown size of its operand: rows are laid out one after the other, and a row keeps its elements.
fn reshaped_rows(operation: OperationRef<'_, '_>, input: &TensorType) -> Result<Option<Vec<Vec<Source>>>, String> {
    let (Some(sizes), Some(dimensions)) = (constant_integers(operation, 1)?, &input.dimensions) else {
        return Ok(None);
    };
    let keeps_zero = attributes::allowzero(operation).map_err(|error| error.to_string())?;
    let copied = |(d, size): (usize, &i64)| match *size {
        0 if !keeps_zero => dimensions.get(d).copied().flatten(),
        size => u64::try_from(size).ok(),
    };
    let result: Vec<Option<u64>> = sizes.iter().enumerate().map(copied).collect();
    let rows = |sizes: &[Option<u64>]| {
        let unknown = sizes.iter().position(Option::is_none)?;
        let (before, behind) = (sizes.get(..unknown)?, sizes.get(unknown + 1..)?);
        let length = behind.iter().try_fold(1u64, |all, size| all.checked_mul((*size)?))?;
        before.iter().all(|size| *size == Some(1)).then_some((unknown, length))
    };
    Ok(match (rows(dimensions), rows(&result)) {
        (Some((from, length)), Some((to, own))) if length == own && length > 0 => {
            Some((0..result.len()).map(|d| if d == to { vec![(0, from)] } else { Vec::new() }).collect())
        }
        _ => None,
    })
}

/// For each dimension of the result, the dimensions of operands that its size depends on.
fn sources(operation: OperationRef<'_, '_>, types: &[TensorType]) -> Result<Option<Vec<Vec<Source>>>, String> {
    let ranks: Option<Vec<usize>> = types.iter().map(|r#type| r#type.rank().ok()).collect();
    let Some(ranks) = ranks else { return Ok(None) };
    let rank = ranks.first().copied().unwrap_or(0);
    let all = |rank: usize| (0..rank).map(|dimension| vec![(0, dimension)]).collect::<Vec<Vec<Source>>>();
    // Samples are the first dimension, and what becomes of one does not depend on the others.
    let samples =
        |rank: usize| all(rank).into_iter().map(|of| of.into_iter().filter(|(_, d)| *d == 0).collect()).collect();
    let text = |error: crate::ir::IrError| error.to_string();
    let op = Op::of(operation).ok_or("is no operation of hfloat")?;
    let sources = match op.shape_rule() {
        ShapeRule::Cast | ShapeRule::Identity | ShapeRule::QuantizeLinear | ShapeRule::DequantizeLinear => {
            Some(all(rank))
        }
        ShapeRule::Transpose => {
            let permutation = attributes::perm(operation).map_err(|error| error.to_string())?;
            Some(permutation.iter().map(|&dimension| vec![(0, dimension as usize)]).collect())
        }
        ShapeRule::Unsqueeze => unsqueeze_axes(operation)?.map(|axes| {
            let mut kept = all(rank).into_iter();
            (0..rank + axes.len())
                .map(|d| if axes.contains(&d) { Vec::new() } else { kept.next().unwrap_or_default() })
                .collect()
        }),
        ShapeRule::Squeeze if operation.operand_count() > 1 => axes_of(operation, 1, rank)?
            .map(|axes| all(rank).into_iter().enumerate().filter(|(d, _)| !axes.contains(d)).map(|(_, s)| s).collect()),
        ShapeRule::Slice => axes_of(operation, 3, rank)?.map(|axes| {
            let kept = |(d, source)| if axes.contains(&d) { Vec::new() } else { source };
            all(rank).into_iter().enumerate().map(kept).collect()
        }),
        ShapeRule::Gather => {
            let axis = super::gather_axis(operation)?;
            let mut sources = all(rank);
            let taken = (0..ranks.get(1).copied().unwrap_or(0)).map(|dimension| vec![(1, dimension)]);
            sources.splice(axis..axis + 1, taken);
            Some(sources)
        }
        ShapeRule::Concat => {
            let axis = super::normalize_axis(attributes::axis(operation).map_err(text)?, rank)?;
            let joint = |d: usize| (0..types.len()).map(|operand| (operand, d)).collect::<Vec<Source>>();
            // Beside the axis a size that is known only when running meets others of that kind: a known one it may not be.
            let disagree = |d: usize| {
                let is_known = |operand: usize| size_of(types, operand, d).is_some();
                let is_unknown = |(operand, r#type): (usize, &TensorType)| r#type.is_bounded() && !is_known(operand);
                (0..types.len()).any(is_known) && types.iter().enumerate().any(is_unknown)
            };
            (0..rank).all(|d| d == axis || !disagree(d)).then(|| (0..rank).map(joint).collect())
        }
        // Whoever has rows of indices of which nobody knows how many there are has as many updates.
        ShapeRule::ScatterNd => {
            let rank_of = |operand: usize| ranks.get(operand).copied().unwrap_or(0);
            let is_rows = |operand| (0..rank_of(operand)).all(|d| (d == 0) == size_of(types, operand, d).is_none());
            // Indices of rank 1 are one row: of them it would be the depth that nobody knows.
            let are_rows = rank_of(1) > 1 && rank_of(2) > 0 && (1..3).all(is_rows);
            let is_known = types.first().is_some_and(|data| !data.is_bounded());
            (are_rows && is_known).then(|| all(rank))
        }
        ShapeRule::GatherNd => gathered_slices(operation, types, &ranks)?,
        ShapeRule::MatMul if rank > 1 && ranks.get(1) == Some(&2) => {
            Some(all(rank).into_iter().map(|of| of.into_iter().filter(|(_, d)| *d + 1 < rank).collect()).collect())
        }
        ShapeRule::Reduce => {
            let keeps = attributes::keepdims(operation).map_err(text)?;
            let result = |reduced: Vec<bool>| {
                let dimensions = all(rank).into_iter().zip(reduced).filter(|(_, reduced)| keeps || !reduced);
                dimensions.map(|(source, reduced)| if reduced { Vec::new() } else { source }).collect()
            };
            super::reduced_dimensions(operation)?.map(result)
        }
        ShapeRule::Reshape => match types.first() {
            Some(input) => reshaped_rows(operation, input)?,
            None => None,
        },
        ShapeRule::Conv
        | ShapeRule::ConvTranspose
        | ShapeRule::GlobalPool
        | ShapeRule::Pool
        | ShapeRule::PoolIndices => Some(samples(rank)),
        ShapeRule::BatchNormalization => Some(all(rank)),
        // One row of the result for each region.
        ShapeRule::MaxRoiPool => Some(vec![vec![(1, 0)], Vec::new(), Vec::new(), Vec::new()]),
        // As many regions as numbers of images: where the one is known only when running, the other is, too.
        ShapeRule::RoiAlign => (size_of(types, 1, 0).is_some() == size_of(types, 2, 0).is_some())
            .then(|| vec![vec![(1, 0), (2, 0)], Vec::new(), Vec::new(), Vec::new()]),
        ShapeRule::Flatten if attributes::axis(operation).map_err(text)? == 1 => Some(samples(2)),
        ShapeRule::Gemm if !attributes::trans_a(operation).map_err(text)? => Some(samples(2)),
        ShapeRule::Softmax => {
            let axis = super::normalize_axis(attributes::axis(operation).map_err(text)?, rank)?;
            let kept = |(d, source)| if d == axis { Vec::new() } else { source };
            Some(all(rank).into_iter().enumerate().map(kept).collect())
        }
        ShapeRule::Unary if matches!(op.kind(), OpKind::Scalar(_)) => pointwise(types, &ranks),
        ShapeRule::Broadcast
        | ShapeRule::Integers
        | ShapeRule::Clip
        | ShapeRule::Comparison
        | ShapeRule::PRelu
        | ShapeRule::Pow
        | ShapeRule::Where => pointwise(types, &ranks),
        ShapeRule::BitCast
        | ShapeRule::Constant
        | ShapeRule::ConstantOfShape
        | ShapeRule::DepthToSpace
        | ShapeRule::Det
        | ShapeRule::Expand
        | ShapeRule::Flatten
        | ShapeRule::GatherElements
        | ShapeRule::Gemm
        | ShapeRule::GridSample
        | ShapeRule::GroupNormalization
        | ShapeRule::If
        | ShapeRule::InstanceNormalization
        | ShapeRule::LayerNormalization
        | ShapeRule::Loop
        | ShapeRule::Lrn
        | ShapeRule::MatMul
        | ShapeRule::NonMaxSuppression
        | ShapeRule::NonZero
        | ShapeRule::Pad
        | ShapeRule::PositionOfExtreme
        | ShapeRule::Range
        | ShapeRule::Recurrent
        | ShapeRule::Resize
        | ShapeRule::ScatterElements
        | ShapeRule::Shape
        | ShapeRule::SpaceToDepth
        | ShapeRule::Split
        | ShapeRule::Squeeze
        | ShapeRule::Tile
        | ShapeRule::TopK
        | ShapeRule::Unary
        | ShapeRule::Unique => None,
    };
    Ok(sources)
}

/// One slice of the data for each row of the indices, of which nobody knows how many there are.
fn gathered_slices(
    operation: OperationRef<'_, '_>,
    types: &[TensorType],
    ranks: &[usize],
) -> Result<Option<Vec<Vec<Source>>>, String> {
    let batch_dims = attributes::batch_dims(operation).map_err(|error| error.to_string())?;
    let (&[data, indices], Some(last)) = (ranks, ranks.get(1).and_then(|rank| rank.checked_sub(1))) else {
        return Ok(None);
    };
    let Some(depth) = size_of(types, 1, last).and_then(|depth| usize::try_from(depth).ok()) else { return Ok(None) };
    let are_rows = (1..indices).all(|d| size_of(types, 1, d).is_some());
    let rows = (0..last).map(|d| vec![(1, d)]);
    Ok((batch_dims == 0 && are_rows && depth <= data)
        .then(|| rows.chain((depth..data).map(|d| vec![(0, d)])).collect()))
}

/// numpy's broadcasting, where an unknown size meets only sizes of 1 and other unknown ones.
fn pointwise(types: &[TensorType], ranks: &[usize]) -> Option<Vec<Vec<Source>>> {
    let rank = ranks.iter().copied().max().unwrap_or(0);
    (0..rank)
        .map(|d| {
            let at = |operand: usize| Some((operand, (d + ranks.get(operand)?).checked_sub(rank)?));
            let all: Vec<Source> = (0..types.len()).filter_map(at).collect();
            let size = |&(operand, dimension): &Source| size_of(types, operand, dimension);
            let unknown: Vec<Source> = all.iter().copied().filter(|source| size(source).is_none()).collect();
            let fits = unknown.is_empty() || all.iter().all(|source| size(source).is_none_or(|size| size == 1));
            let widest = || all.iter().copied().find(|source| size(source) != Some(1)).into_iter().collect();
            fits.then(|| if unknown.is_empty() { widest() } else { unknown })
        })
        .collect()
}

fn size_of(types: &[TensorType], operand: usize, dimension: usize) -> Option<u64> {
    types.get(operand)?.dimensions.as_ref()?.get(dimension).copied().flatten()
}

/// Whether every unknown size of an operand has its place in the result, or is one that the operation makes use of itself.
fn covers(types: &[TensorType], sizes: &[ResultSize], consumed: &[Source]) -> bool {
    types.iter().enumerate().filter(|(_, r#type)| r#type.is_bounded()).all(|(operand, r#type)| {
        let unknown = r#type.dimensions.iter().flatten().enumerate().filter(|(_, size)| size.is_none());
        let kept = |source: Source| sizes.iter().any(|size| size.sources().contains(&source));
        unknown.into_iter().all(|(d, _)| consumed.contains(&(operand, d)) || kept((operand, d)))
    })
}

/// Whether an operation has a value whose size is known only when the network runs.
pub fn has_unknown_sizes(operation: OperationRef<'_, '_>) -> bool {
    let mut values = operation.operands().chain(crate::ir::results(operation));
    values.any(|value| TensorType::from_type(value.r#type()).is_ok_and(|r#type| r#type.is_bounded()))
}

/// Whether an operation says itself what becomes of the sizes of its operands.
pub fn says_sizes(op: Op) -> bool {
    matches!(op, Op::Shape | Op::If | Op::Loop | Op::TopK | Op::NonMaxSuppression | Op::Expand | Op::ConstantOfShape)
}

/// Gives the unknown sizes of the result the bounds of the operands' sizes that they are.
///
/// # Errors
/// When an operand's sizes are known only when running, and the operation cannot take that.
pub(super) fn complete(operation: OperationRef<'_, '_>, op: Op, types: &mut [TensorType]) -> Result<(), String> {
    let mut operands = Vec::new();
    for index in 0..operation.operand_count() {
        operands.push(operand_type(operation, index)?);
    }
    if says_sizes(op) || !operands.iter().any(TensorType::is_bounded) {
        return Ok(());
    }
    let unsupported = || Err(UNKNOWN_SIZE.to_owned());
    let (Some(sizes), [result]) = (size_sources(operation)?, types) else { return unsupported() };
    let Some(dimensions) = &result.dimensions else { return Ok(()) };
    let bound = |&(operand, dimension): &Source| {
        operands.get(operand).and_then(|r#type| r#type.bound_shape()?.get(dimension).map(|&size| size as u64))
    };
    let largest = |size: &ResultSize| match size {
        ResultSize::Same(sources) => sources.iter().filter_map(bound).min(),
        ResultSize::Sum(sources) => sources
            .iter()
            .map(bound)
            .try_fold(0u64, |sum, size| sum.checked_add(size?))
            .filter(|sum| *sum <= MOST_ELEMENTS),
        ResultSize::AtMost(source, most) => bound(source).map(|size| size.min(*most)),
    };
    let bounds: Option<Vec<u64>> =
        dimensions.iter().zip(&sizes).map(|(size, source)| size.or_else(|| largest(source))).collect();
    let Some(bounds) = bounds.filter(|bounds| bounds.len() == dimensions.len()) else { return unsupported() };
    let unknown: Vec<bool> = dimensions.iter().map(Option::is_none).collect();
    *result = TensorType::bounded(result.element.clone(), &bounds, &unknown);
    Ok(())
}
