//! Operations that sort and select: how much they give may be known only when the network runs.

use super::{Dimensions, attributes, limits::upper_bound, normalize_axis, operands::*};
use crate::{
    ElementType,
    ir::{OperationAttributes, TensorType},
};
use melior::ir::OperationRef;

/// The axis of an `hfloat.top_k`, as a position.
///
/// # Errors
/// When the rank is unknown or has no such axis.
pub fn top_k_axis(operation: OperationRef<'_, '_>) -> Result<usize, String> {
    let rank = operand_type(operation, 0)?.rank().map_err(|error| error.to_string())?;
    normalize_axis(attributes::axis(operation).map_err(|error| error.to_string())?, rank)
}

pub(super) fn top_k(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (input, k) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    if k.elements().is_some_and(|count| count != 1) {
        return Err("has a k that is not one number".into());
    }
    let both = |dimensions: TensorType| {
        let indices = TensorType { element: ElementType::I64.into(), ..dimensions.clone() };
        Ok(vec![dimensions, indices])
    };
    let Some(dimensions) = &input.dimensions else { return both(TensorType::unranked(input.element)) };
    let axis = top_k_axis(operation)?;
    let constant = match constant_integers(operation, 1)? {
        Some(k) => Some(k.first().and_then(|&k| u64::try_from(k).ok()).ok_or("has a negative k")?),
        None => None,
    };
    let mut sizes = dimensions.clone();
    sizes[axis] = constant;
    let Some(mut bounds) = largest_sizes(&input).into_iter().flatten().collect::<Option<Vec<u64>>>() else {
        return both(TensorType::with_dimensions(input.element, Some(sizes)));
    };
    if let Some(k) = constant.filter(|&k| k > bounds[axis]) {
        return Err(format!("takes {k} of {} elements", bounds[axis]));
    }
    let limit = upper_bound(operation.operand_at(1).map_err(|error| error.to_string())?);
    let limit = constant.or(limit.and_then(|limit| u64::try_from(limit).ok()));
    bounds[axis] = limit.map_or(bounds[axis], |limit| limit.min(bounds[axis]));
    let unknown: Vec<bool> = sizes.iter().map(Option::is_none).collect();
    both(TensorType::bounded(input.element, &bounds, &unknown))
}

/// The sizes of a tensor, and the largest ones where they are known only when running.
fn largest_sizes(r#type: &TensorType) -> Dimensions {
    let bounds = r#type.bounds.as_ref().map(|bounds| bounds.iter().copied().map(Some).collect());
    bounds.or_else(|| r#type.dimensions.clone())
}

pub(super) fn non_zero(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let rank = input.dimensions.as_ref().map(|dimensions| dimensions.len() as u64);
    match (input.elements(), rank) {
        // Of a scalar: no rows, as ONNX says; numpy gives one.
        (Some(count), Some(rank)) => {
            Ok(vec![TensorType::bounded(ElementType::I64, &[rank, count as u64], &[false, true])])
        }
        _ => one(ElementType::I64, Some(vec![rank, None])),
    }
}

pub(super) fn max_roi_pool(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (input, rois) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    same_element(&input, &rois, "input and rois")?;
    if !matches!(input.element.plain(), Some(ElementType::F32 | ElementType::F64)) {
        return Err(format!("has an input of {}; float32 and float64 are supported", input.element));
    }
    let pooled = attributes::pooled_shape(operation).map_err(|error| error.to_string())?;
    let size = |size: &i64| u64::try_from(*size).ok().filter(|size| *size > 0);
    let Some(&[rows, columns]) = pooled.iter().map(size).collect::<Option<Vec<_>>>().as_deref() else {
        return Err(format!("has a 'pooled_shape' of {pooled:?}; it is two positive numbers"));
    };
    let scale = attributes::spatial_scale(operation).map_err(|error| error.to_string())?;
    if !scale.is_finite() {
        return Err(format!("has a 'spatial_scale' of {scale}; it must be finite"));
    }
    let count = match rois.dimensions.as_deref() {
        None => None,
        Some(&[count, five]) if five.is_none_or(|five| five == 5) => count,
        Some(other) => return Err(format!("has rois of {other:?}; they must be [regions, 5]")),
    };
    let channels = match input.dimensions.as_deref() {
        None => None,
        Some(&[_, channels, _, _]) => channels,
        Some(other) => return Err(format!("has an input of rank {}; it needs 4", other.len())),
    };
    one(input.element, Some(vec![count, channels, Some(rows), Some(columns)]))
}

pub(super) fn non_max_suppression(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (boxes, scores) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    same_element(&boxes, &scores, "boxes and scores")?;
    if boxes.element != ElementType::F32 {
        return Err(format!("has boxes of {}; ONNX defines it for float32", boxes.element));
    }
    for (index, name) in [(2, "max_output_boxes_per_class"), (3, "iou_threshold"), (4, "score_threshold")] {
        let r#type = operand_type(operation, index)?;
        let most = r#type.elements().unwrap_or(1);
        if most > 1 || (most == 0 && index != 4) {
            return Err(format!("has a '{name}' of {most} elements; it is one number"));
        }
    }
    let (Some(most_boxes), Some(most_scores)) = (largest_sizes(&boxes), largest_sizes(&scores)) else {
        return one(ElementType::I64, Some(vec![None, Some(3)]));
    };
    let (boxes, scores) = (boxes.dimensions.unwrap_or_default(), scores.dimensions.unwrap_or_default());
    let fits = |a: &Option<u64>, b: &Option<u64>| a.is_none() || b.is_none() || a == b;
    let is_fit = match (boxes.as_slice(), scores.as_slice()) {
        ([batches, count, four], [score_batches, _, score_count]) => {
            four.is_none_or(|four| four == 4) && fits(batches, score_batches) && fits(count, score_count)
        }
        _ => return Err("has boxes or scores that are not of rank 3".into()),
    };
    if !is_fit {
        return Err(format!("has boxes of {boxes:?} and scores of {scores:?}; they must be [b, n, 4] and [b, c, n]"));
    }
    let ([batches, count, _], [score_batches, classes, score_count]) = (most_boxes.as_slice(), most_scores.as_slice())
    else {
        return one(ElementType::I64, Some(vec![None, Some(3)]));
    };
    let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
    let (Some(batches), Some(classes), Some(count)) =
        (least(*batches, *score_batches), *classes, least(*count, *score_count))
    else {
        return one(ElementType::I64, Some(vec![None, Some(3)]));
    };
    let most = upper_bound(operation.operand_at(2).map_err(|error| error.to_string())?);
    let most = most.map_or(count, |most| count.min(u64::try_from(most).unwrap_or(0)));
    let total = batches.checked_mul(classes).and_then(|total| total.checked_mul(most));
    let total = total.filter(|&total| total <= 1 << 40).ok_or("has a result that is too large")?;
    Ok(vec![TensorType::bounded(ElementType::I64, &[total, 3], &[true, false])])
}

pub(super) fn roi_align(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (input, rois, samples) =
        (operand_type(operation, 0)?, operand_type(operation, 1)?, operand_type(operation, 2)?);
    same_element(&input, &rois, "input and rois")?;
    let text = |error: crate::ir::IrError| error.to_string();
    let (rows, columns) =
        (attributes::output_height(operation).map_err(text)?, attributes::output_width(operation).map_err(text)?);
    let (rows, columns) = match (u64::try_from(rows), u64::try_from(columns)) {
        (Ok(rows), Ok(columns)) if rows > 0 && columns > 0 => (rows, columns),
        _ => return Err(format!("has a result of {rows} by {columns}")),
    };
    let count = match (rois.dimensions.as_deref(), samples.dimensions.as_deref()) {
        (Some(&[count, four]), Some(&[also])) if four.is_none_or(|four| four == 4) => {
            if matches!((count, also), (Some(count), Some(also)) if count != also) {
                return Err("has rois and batch_indices of different lengths".into());
            }
            count.or(also)
        }
        (None, _) | (_, None) => None,
        (Some(rois), Some(samples)) => {
            return Err(format!(
                "has rois of {rois:?} and batch_indices of {samples:?}; they must be [regions, 4] and [regions]"
            ));
        }
    };
    let channels = match input.dimensions.as_deref() {
        None => None,
        Some(&[_, channels, _, _]) => channels,
        Some(other) => return Err(format!("has an input of rank {}; it needs 4", other.len())),
    };
    one(input.element, Some(vec![count, channels, Some(rows), Some(columns)]))
}

/// How many there are is known only when the network runs.
pub(super) fn unique(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let Some(shape) = input.shape().filter(|_| !input.is_bounded()) else {
        let unknown = || TensorType::with_dimensions(ElementType::I64, Some(vec![None]));
        return Ok(vec![TensorType::unranked(input.element), unknown(), unknown(), unknown()]);
    };
    let axis = attributes::axis(operation).map_err(|error| error.to_string())?;
    let axis = normalize_axis(axis, shape.len())?;
    let sizes: Vec<u64> = shape.iter().map(|size| *size as u64).collect();
    let along: Vec<bool> = (0..shape.len()).map(|d| d == axis).collect();
    let count = sizes.get(axis).copied().unwrap_or(0);
    let few = || TensorType::bounded(ElementType::I64, &[count], &[true]);
    let all = TensorType::with_dimensions(ElementType::I64, Some(vec![Some(count)]));
    Ok(vec![TensorType::bounded(input.element, &sizes, &along), few(), all, few()])
}
