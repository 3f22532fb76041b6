//! Operations that sort and select: how much they give may be known only when the network runs.

use super::{attributes, limits::upper_bound, normalize_axis, operands::*};
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
    let mut result = dimensions.clone();
    if let Some(k) = constant_integers(operation, 1)? {
        let k = k.first().and_then(|&k| u64::try_from(k).ok()).ok_or("has a negative k")?;
        if let Some(size) = dimensions[axis].filter(|&size| size < k) {
            return Err(format!("takes {k} of {size} elements"));
        }
        result[axis] = Some(k);
        return both(TensorType::with_dimensions(input.element, Some(result)));
    }
    let limit = upper_bound(operation.operand_at(1).map_err(|error| error.to_string())?);
    let limit = limit.and_then(|limit| u64::try_from(limit).ok());
    let bounds: Option<Vec<u64>> = dimensions.iter().copied().collect();
    let Some(mut bounds) = bounds else {
        result[axis] = None;
        return both(TensorType::with_dimensions(input.element, Some(result)));
    };
    bounds[axis] = limit.map_or(bounds[axis], |limit| limit.min(bounds[axis]));
    let unknown: Vec<bool> = (0..bounds.len()).map(|d| d == axis).collect();
    both(TensorType::bounded(input.element, &bounds, &unknown))
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
    let (Some(boxes), Some(scores)) = (boxes.dimensions, scores.dimensions) else {
        return one(ElementType::I64, Some(vec![None, Some(3)]));
    };
    let ([batches, count, four], [score_batches, classes, score_count]) = (boxes.as_slice(), scores.as_slice()) else {
        return Err("has boxes or scores that are not of rank 3".into());
    };
    let fits = |a: &Option<u64>, b: &Option<u64>| a.is_none() || b.is_none() || a == b;
    if four.is_some_and(|four| four != 4) || !fits(batches, score_batches) || !fits(count, score_count) {
        return Err(format!("has boxes of {boxes:?} and scores of {scores:?}; they must be [b, n, 4] and [b, c, n]"));
    }
    let (Some(batches), Some(classes), Some(count)) = (batches.or(*score_batches), *classes, count.or(*score_count))
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
