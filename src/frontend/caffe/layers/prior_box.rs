//! PriorBox: the boxes that a detector starts from. They follow from shapes alone, so they are a constant.

use super::super::builder::LayerBuilder;
use super::super::proto::PriorBoxParameter;
use super::Built;

/// Ratios that differ by less are the same, as in SSD.
const SAME_RATIO: f32 = 1e-6;

/// 1, and the others with their reciprocals when asked for.
fn ratios(parameter: &PriorBoxParameter) -> Result<Vec<f32>, String> {
    let mut ratios = vec![1.0_f32];
    for &ratio in &parameter.aspect_ratio {
        if ratio.is_nan() || ratio <= 0.0 {
            return Err(format!("aspect_ratio {ratio} is not above 0"));
        }
        if ratios.iter().any(|known| (known - ratio).abs() < SAME_RATIO) {
            continue;
        }
        ratios.push(ratio);
        if parameter.flip() {
            ratios.push(1.0 / ratio);
        }
    }
    Ok(ratios)
}

/// Width and height of each box around a point, in the order of SSD.
fn extents(parameter: &PriorBoxParameter) -> Result<Vec<[f32; 2]>, String> {
    if parameter.min_size.is_empty() {
        return Err("min_size is missing".to_owned());
    }
    if !parameter.max_size.is_empty() && parameter.max_size.len() != parameter.min_size.len() {
        return Err("there must be as many max_size as min_size".to_owned());
    }
    let ratios = ratios(parameter)?;
    let mut extents = Vec::new();
    for (index, &small) in parameter.min_size.iter().enumerate() {
        extents.push([small, small]);
        if let Some(&large) = parameter.max_size.get(index) {
            if large <= small {
                return Err(format!("max_size {large} is not above min_size {small}"));
            }
            extents.push([(small * large).sqrt(); 2]);
        }
        for ratio in ratios.iter().filter(|ratio| (**ratio - 1.0).abs() >= SAME_RATIO) {
            let root = ratio.sqrt();
            extents.push([small * root, small / root]);
        }
    }
    Ok(extents)
}

/// Rows and columns of the image, and the distances of the points in it.
fn image(parameter: &PriorBoxParameter, layer: [usize; 2], data: [usize; 2]) -> Result<([f32; 2], [f32; 2]), String> {
    let size = match (parameter.img_size, parameter.img_h, parameter.img_w) {
        (Some(size), None, None) => [size as usize; 2],
        (None, Some(rows), Some(columns)) => [rows as usize, columns as usize],
        (None, None, None) => data,
        _ => return Err("img_size, or both img_h and img_w may be given".to_owned()),
    };
    let [rows, columns] = size.map(|size| size as f32);
    let [layer_rows, layer_columns] = layer.map(|size| size as f32);
    let step = match (parameter.step, parameter.step_h, parameter.step_w) {
        (Some(step), None, None) => [step; 2],
        (None, Some(down), Some(right)) => [down, right],
        (None, None, None) => [rows / layer_rows, columns / layer_columns],
        _ => return Err("step, or both step_h and step_w may be given".to_owned()),
    };
    // A step of 0 counts as none.
    let [down, right] = step;
    let step = if down == 0.0 || right == 0.0 { [rows / layer_rows, columns / layer_columns] } else { step };
    Ok(([rows, columns], step))
}

/// Corners of all boxes, then the variances of all their corners: `[1, 2, rows * columns * boxes * 4]`.
pub fn prior_box(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.prior_box_param.clone().unwrap_or_default();
    let (layer, data) = (b.bottom(0)?, b.bottom(1)?);
    if layer.rank() != 4 || data.rank() != 4 {
        return Err("its bottoms must be images of four dimensions".to_owned());
    }
    let [rows, columns] = [layer.size(2)?, layer.size(3)?];
    let extents = extents(&parameter)?;
    let ([image_rows, image_columns], [down, right]) =
        image(&parameter, [rows, columns], [data.size(2)?, data.size(3)?])?;
    let variance = match parameter.variance.as_slice() {
        [] => [0.1; 4],
        [one] => [*one; 4],
        several => <[f32; 4]>::try_from(several).map_err(|_| "variance has 1 or 4 values".to_owned())?,
    };
    if variance.iter().any(|value| value.is_nan() || *value <= 0.0) {
        return Err("a variance is not above 0".to_owned());
    }
    let count = rows.checked_mul(columns).and_then(|points| points.checked_mul(extents.len() * 4));
    let count = count.ok_or("it makes too many boxes")?;
    b.budget(count.saturating_mul(2))?;
    let mut values = Vec::with_capacity(count * 2);
    for row in 0..rows {
        for column in 0..columns {
            let x = (column as f32 + parameter.offset()) * right;
            let y = (row as f32 + parameter.offset()) * down;
            for [width, height] in &extents {
                values.push((x - width / 2.0) / image_columns);
                values.push((y - height / 2.0) / image_rows);
                values.push((x + width / 2.0) / image_columns);
                values.push((y + height / 2.0) / image_rows);
            }
        }
    }
    if parameter.clip() {
        values.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
    }
    values.extend(variance.iter().copied().cycle().take(count));
    Ok(vec![b.floats("priors", &[1, 2, count], &values)?])
}
