//! Pooling over regions: ROIPooling of Fast R-CNN and PSROIPooling of R-FCN.

use super::super::builder::{Blob, LayerBuilder, ints, known, shown};
use super::Built;
use super::elementwise::cast;
use crate::frontend::onnx::model::Attribute;
use crate::frontend::onnx::tensor::Tensor;
use hb_dialects::ElementType;

/// The features, and regions `[regions, 5]`: image, left, top, right, bottom.
fn bottoms(b: &LayerBuilder<'_>) -> Result<(Blob, Blob), String> {
    let ((features, _), regions) = (b.image()?, b.bottom(1)?);
    // Regions may have dimensions of 1 behind them.
    let is_list = regions.rank() >= 2 && regions.size(1)? == 5 && regions.count_from(1)? == 5;
    if !is_list {
        return Err(format!("its second bottom has the shape {}, regions are [regions, 5]", shown(&regions.shape)));
    }
    Ok((features, regions))
}

fn regions_of(b: &mut LayerBuilder<'_>, regions: &Blob) -> Result<Blob, String> {
    let count = regions.shape.first().copied().flatten();
    if regions.rank() == 2 { Ok(regions.clone()) } else { b.reshape(regions, vec![count, Some(5)]) }
}

/// Maxima over the bins of each region: `[regions, channels, pooled_h, pooled_w]`.
pub fn roi_pooling(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.roi_pooling_param.unwrap_or_default();
    let pooled = [parameter.pooled_h(), parameter.pooled_w()].map(|size| size as usize);
    if pooled.contains(&0) {
        return Err("pooled_h or pooled_w is missing or 0".to_owned());
    }
    let (features, regions) = bottoms(b)?;
    let regions = regions_of(b, &regions)?;
    let first = [regions.shape.first().copied().flatten(), features.shape.get(1).copied().flatten()];
    let shape = first.into_iter().chain(pooled.map(Some)).collect();
    let attributes = [("pooled_shape", ints(pooled)), ("spatial_scale", Attribute::Float(parameter.spatial_scale()))];
    Ok(vec![b.node("MaxRoiPool", &[&features, &regions], &attributes, shape)?])
}

/// The nearest whole number, halves away from 0, as C rounds.
fn rounded(b: &mut LayerBuilder<'_>, x: &Blob) -> Result<Blob, String> {
    let half = b.scalar("half", 0.5);
    let (sign, size) = (b.unary("Sign", x, &[])?, b.unary("Abs", x, &[])?);
    let sum = b.binary("Add", &size, &half)?;
    let whole = b.unary("Floor", &sum, &[])?;
    b.binary("Mul", &whole, &sign)
}

/// First and last edge of each bin of one dimension, INT64 `[regions, bins]`, within the features.
fn edges(
    b: &mut LayerBuilder<'_>,
    start: &Blob,
    end: &Blob,
    (bins, limit): (usize, usize),
) -> Result<[Blob; 2], String> {
    let (least, count) = (b.scalar("least", 0.1), b.scalar("bins", bins as f32));
    let extent = b.binary("Sub", end, start)?;
    let extent = b.binary("Max", &extent, &least)?;
    let size = b.binary("Div", &extent, &count)?;
    let (zero, most) = (b.scalar("zero", 0.0), b.scalar("most", limit as f32));
    let mut edges = Vec::new();
    for (part, first, direction) in [("first", 0, "Floor"), ("last", 1, "Ceil")] {
        let numbers: Vec<f32> = (first..first + bins).map(|bin| bin as f32).collect();
        let numbers = b.floats(part, &[1, bins], &numbers)?;
        let offset = b.binary("Mul", &numbers, &size)?;
        let edge = b.binary("Add", &offset, start)?;
        let edge = b.unary(direction, &edge, &[])?;
        let edge = b.node("Clip", &[&edge, &zero, &most], &[], edge.shape.clone())?;
        edges.push(cast(b, &edge, ElementType::I64)?);
    }
    <[Blob; 2]>::try_from(edges).map_err(|_| "a bin has two edges".to_owned())
}

/// Means over the bins of each region, each bin of channels of its own: `[regions, output_dim, group_size, group_size]`.
///
/// The sum of a bin is a sum and difference of four sums from the corner of the image, kept in double: exact to more than FLOAT holds.
pub fn psroi_pooling(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.psroi_pooling_param.unwrap_or_default();
    let size = |name: &str, value: Option<i32>| {
        usize::try_from(value.unwrap_or(0))
            .ok()
            .filter(|size| *size > 0)
            .ok_or_else(|| format!("{name} is missing or not positive"))
    };
    let (bins, depth) = (size("group_size", parameter.group_size)?, size("output_dim", parameter.output_dim)?);
    let scale = parameter.spatial_scale.ok_or("spatial_scale is missing")?;
    let (features, regions) = bottoms(b)?;
    let (channels, rows, columns) = (features.size(1)?, features.size(2)?, features.size(3)?);
    let wanted = bins.checked_mul(bins).and_then(|area| area.checked_mul(depth));
    if wanted != Some(channels) {
        return Err(format!(
            "output_dim {depth} and group_size {bins} do not make the {channels} channels of its bottom"
        ));
    }
    let regions = regions_of(b, &regions)?;
    let places = b.slice(&regions, 1, 1, 4)?;
    let places = rounded(b, &places)?;
    let scale = b.scalar("spatial_scale", scale);
    let last = b.floats("last_pixel", &[4], &[0.0, 0.0, 1.0, 1.0])?;
    let places = b.binary("Add", &places, &last)?;
    let places = b.binary("Mul", &places, &scale)?;
    let mut side = Vec::new();
    for index in 0..4 {
        side.push(b.slice(&places, 1, index, 1)?);
    }
    let [left, top, right, bottom] = <[Blob; 4]>::try_from(side).map_err(|_| "a region has four sides".to_owned())?;
    let vertical = edges(b, &top, &bottom, (bins, rows))?;
    let horizontal = edges(b, &left, &right, (bins, columns))?;
    let vertical = each(b, vertical, &[1, 3])?;
    let horizontal = each(b, horizontal, &[1, 2])?;
    let image = b.slice(&regions, 1, 0, 1)?;
    let image = cast(b, &image, ElementType::I64)?;
    let image = b.unsqueeze(&image, &[2, 3])?;
    let plane = planes(b, &image, [depth, bins, channels], (rows + 1) * (columns + 1))?;
    let sums = sums(b, &features)?;
    let [first_row, last_row] = &vertical;
    let [first_column, last_column] = &horizontal;
    let width = scalar(b, "width", columns as i64 + 1)?;
    let mut corner = |row: &Blob, column: &Blob| -> Result<Blob, String> {
        let row = b.binary("Mul", row, &width)?;
        let place = b.binary("Add", &row, column)?;
        let index = b.binary("Add", &plane, &place)?;
        b.gather(&sums, &index, 0)
    };
    let (whole, above) = (corner(last_row, last_column)?, corner(first_row, last_column)?);
    let (beside, both) = (corner(last_row, first_column)?, corner(first_row, first_column)?);
    let sum = b.binary("Sub", &whole, &above)?;
    let sum = b.binary("Sub", &sum, &beside)?;
    let sum = b.binary("Add", &sum, &both)?;
    let area = area(b, &vertical, &horizontal)?;
    let mean = b.binary("Div", &sum, &area)?;
    // A bin without a pixel is 0: the four sums are the same.
    Ok(vec![cast(b, &mean, ElementType::F32)?])
}

/// Both with dimensions of 1 at these places.
fn each(b: &mut LayerBuilder<'_>, [first, last]: [Blob; 2], axes: &[usize]) -> Result<[Blob; 2], String> {
    Ok([b.unsqueeze(&first, axes)?, b.unsqueeze(&last, axes)?])
}

fn scalar(b: &mut LayerBuilder<'_>, part: &str, value: i64) -> Result<Blob, String> {
    let tensor = Tensor::from_i64s(&[value]).reshaped(Vec::new())?;
    Ok(b.constant(part, tensor))
}

/// Where the sums of the channel of each bin begin: `[regions, depth, bins, bins]`.
fn planes(
    b: &mut LayerBuilder<'_>,
    image: &Blob,
    [depth, bins, channels]: [usize; 3],
    area: usize,
) -> Result<Blob, String> {
    b.budget(channels)?;
    let numbers: Vec<i64> = (0..channels as i64).collect();
    let numbers = Tensor::from_i64s(&numbers).reshaped(vec![1, depth, bins, bins])?;
    let numbers = b.constant("channels", numbers);
    let (channels, area) = (scalar(b, "channel_count", channels as i64)?, scalar(b, "area", area as i64)?);
    let start = b.binary("Mul", image, &channels)?;
    let channel = b.binary("Add", &start, &numbers)?;
    b.binary("Mul", &channel, &area)
}

/// For each channel the sums of all that is above and left of each corner of pixels, DOUBLE, as one list.
fn sums(b: &mut LayerBuilder<'_>, features: &Blob) -> Result<Blob, String> {
    let (images, channels) = (features.size(0)?, features.size(1)?);
    let (rows, columns) = (features.size(2)? + 1, features.size(3)? + 1);
    let pads = b.integers("pads", &[0, 0, 1, 1, 0, 0, 0, 0]);
    let mut sums = b.node("Pad", &[features, &pads], &[], known(&[images, channels, rows, columns]))?;
    sums = cast(b, &sums, ElementType::F64)?;
    for axis in [2, 3] {
        let axis = scalar(b, "axis", axis)?;
        sums = b.node("CumSum", &[&sums, &axis], &[], sums.shape.clone())?;
    }
    let count = sums.count_from(0)?;
    b.reshape(&sums, known(&[count]))
}

/// Pixels of each bin, 1 at least: DOUBLE `[regions, 1, bins, bins]`.
fn area(b: &mut LayerBuilder<'_>, vertical: &[Blob; 2], horizontal: &[Blob; 2]) -> Result<Blob, String> {
    let one = scalar(b, "one", 1)?;
    let mut extents = Vec::new();
    for [first, last] in [vertical, horizontal] {
        extents.push(b.binary("Sub", last, first)?);
    }
    let [height, width] = <[Blob; 2]>::try_from(extents).map_err(|_| "an area has two sides".to_owned())?;
    let area = b.binary("Mul", &height, &width)?;
    let area = b.binary("Max", &area, &one)?;
    cast(b, &area, ElementType::F64)
}
