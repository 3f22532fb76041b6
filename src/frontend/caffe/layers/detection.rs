//! DetectionOutput of SSD: boxes are decoded, those that overlap a better one of their class go, and the best of an image stay.

use super::super::builder::{Blob, LayerBuilder, known, shown};
use super::super::proto::{CodeType, DetectionOutputParameter};
use super::Built;
use super::elementwise::float;
use crate::frontend::onnx::tensor::Tensor;
use crate::wording::quoted;
use hb_dialects::ElementType;

/// Sizes of what is detected.
struct Sizes {
    images: usize,
    priors: usize,
    classes: usize,
    /// Boxes of a prior: one, or one per class.
    boxes: usize,
    /// The classes besides the background.
    labels: Vec<i64>,
}

/// Image, class, score and corners of each detection: `[1, 1, found, 7]`.
///
/// Until the last step every size is known: what is suppressed is noted, not taken away.
pub fn detection_output(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.detection_output_param.clone().unwrap_or_default();
    let sizes = sizes(b, &parameter)?;
    let boxes = decoded(b, &parameter, &sizes)?;
    let candidates = candidates(b, &parameter, &sizes, &boxes)?;
    let scores = suppressed(b, &parameter, &candidates)?;
    Ok(vec![kept(b, &parameter, &sizes, &candidates, &scores)?])
}

fn sizes(b: &mut LayerBuilder<'_>, parameter: &DetectionOutputParameter) -> Result<Sizes, String> {
    let (location, confidence, priors) = (b.bottom(0)?, b.bottom(1)?, b.bottom(2)?);
    let classes = parameter.num_classes.unwrap_or(0) as usize;
    b.budget(classes)?;
    let background = i64::from(parameter.background_label_id());
    let labels: Vec<i64> = (0..classes as i64).filter(|class| *class != background).collect();
    if labels.is_empty() {
        return Err("num_classes is missing, or there is no class besides the background".to_owned());
    }
    if parameter.nms_param.is_some_and(|nms| nms.eta() != 1.0) {
        return Err("nms_param: eta other than 1 is not supported".to_owned());
    }
    if parameter.save_output_param.is_some() {
        tracing::info!(
            "layer {}: save_output_param is not looked at: no files are written",
            quoted(&b.layer.place.layer)
        );
    }
    if priors.rank() != 3 || priors.size(1)? != 2 || priors.size(0)? != 1 || priors.size(2)? % 4 != 0 {
        return Err(format!("its third bottom has the shape {}, it must be [1, 2, 4 * priors]", shown(&priors.shape)));
    }
    let count = priors.size(2)? / 4;
    let boxes = if parameter.share_location() { 1 } else { classes };
    let images = location.size(0)?;
    let (wanted, scores) = (count.saturating_mul(boxes).saturating_mul(4), count.saturating_mul(classes));
    if location.count_from(1)? != wanted || confidence.size(0)? != images || confidence.count_from(1)? != scores {
        return Err(format!(
            "for {count} priors and {classes} classes its bottoms must hold {wanted} and {scores} values per image, \
             they have the shapes {} and {}",
            shown(&location.shape),
            shown(&confidence.shape)
        ));
    }
    Ok(Sizes { images, priors: count, classes, boxes, labels })
}

/// Corners of all boxes: `[images, priors, boxes, 4]`.
fn decoded(b: &mut LayerBuilder<'_>, parameter: &DetectionOutputParameter, sizes: &Sizes) -> Result<Blob, String> {
    let Sizes { images, priors, boxes, .. } = *sizes;
    let location = b.bottom(0)?;
    let location = b.reshape(&location, known(&[images, priors, boxes, 4]))?;
    let constants = b.bottom(2)?;
    let constants = b.reshape(&constants, known(&[2, priors, 1, 4]))?;
    let prior = b.slice(&constants, 0, 0, 1)?;
    let offsets = if parameter.variance_encoded_in_target() {
        location
    } else {
        let variance = b.slice(&constants, 0, 1, 1)?;
        b.binary("Mul", &location, &variance)?
    };
    if parameter.code_type() == CodeType::Corner {
        return b.binary("Add", &prior, &offsets);
    }
    let (low, high) = (b.slice(&prior, 3, 0, 2)?, b.slice(&prior, 3, 2, 2)?);
    let extent = b.binary("Sub", &high, &low)?;
    if parameter.code_type() == CodeType::CornerSize {
        let twice = b.concat(&[&extent, &extent], 3)?;
        let moved = b.binary("Mul", &offsets, &twice)?;
        return b.binary("Add", &prior, &moved);
    }
    let half = b.scalar("half", 0.5);
    let sum = b.binary("Add", &low, &high)?;
    let centre = b.binary("Mul", &sum, &half)?;
    let (shift, growth) = (b.slice(&offsets, 3, 0, 2)?, b.slice(&offsets, 3, 2, 2)?);
    let moved = b.binary("Mul", &shift, &extent)?;
    let centre = b.binary("Add", &moved, &centre)?;
    let factor = b.unary("Exp", &growth, &[])?;
    let grown = b.binary("Mul", &factor, &extent)?;
    let reach = b.binary("Mul", &grown, &half)?;
    let (low, high) = (b.binary("Sub", &centre, &reach)?, b.binary("Add", &centre, &reach)?);
    b.concat(&[&low, &high], 3)
}

/// The best boxes of each image and class in falling order.
struct Candidates {
    /// Images times classes.
    groups: usize,
    /// Boxes of each group.
    count: usize,
    /// FLOAT `[groups, count]`.
    scores: Blob,
    /// FLOAT `[groups, count, 4]`.
    corners: Blob,
}

/// A constant of INT64.
fn integers(b: &mut LayerBuilder<'_>, part: &str, shape: &[usize], values: &[i64]) -> Result<Blob, String> {
    let tensor = Tensor::from_i64s(values).reshaped(shape.to_vec())?;
    Ok(b.constant(part, tensor))
}

fn candidates(
    b: &mut LayerBuilder<'_>,
    parameter: &DetectionOutputParameter,
    sizes: &Sizes,
    boxes: &Blob,
) -> Result<Candidates, String> {
    let Sizes { images, priors, classes, ref labels, .. } = *sizes;
    let groups = images.checked_mul(labels.len()).ok_or("it has too many classes")?;
    b.budget(groups)?;
    let confidence = b.bottom(1)?;
    let confidence = b.reshape(&confidence, known(&[images, priors, classes]))?;
    let by_class = b.transpose(&confidence, &[0, 2, 1])?;
    let kept = b.integers("labels", labels);
    let by_class = b.gather(&by_class, &kept, 1)?;
    let by_group = b.reshape(&by_class, known(&[groups, priors]))?;
    let nms = parameter.nms_param.unwrap_or_default();
    let count = usize::try_from(nms.top_k.unwrap_or(-1)).map_or(priors, |most| most.min(priors));
    if count == 0 {
        return Err("nms_param: top_k is 0, which leaves no box".to_owned());
    }
    let [scores, positions] = b.top_k(&by_group, count, 1, true)?;
    let corners = corners_of(b, sizes, boxes, &positions)?;
    Ok(Candidates { groups, count, scores, corners })
}

/// The boxes at positions `[groups, count]` among the priors: `[groups, count, 4]`.
fn corners_of(b: &mut LayerBuilder<'_>, sizes: &Sizes, boxes: &Blob, positions: &Blob) -> Result<Blob, String> {
    let Sizes { images, priors, boxes: per_prior, ref labels, .. } = *sizes;
    let of_image = priors.checked_mul(per_prior).ok_or("it has too many boxes")?;
    let count = images.checked_mul(of_image).ok_or("it has too many boxes")?;
    let flat = b.reshape(boxes, known(&[count, 4]))?;
    // Box of a prior p and class c of an image n: (n * priors + p) * boxes + c.
    let class = |label: &i64| if per_prior == 1 { 0 } else { *label };
    let starts: Vec<i64> = (0..images)
        .flat_map(|image| labels.iter().map(move |label| (image * of_image) as i64 + class(label)))
        .collect();
    let starts = integers(b, "starts", &[starts.len(), 1], &starts)?;
    let mut indices = positions.clone();
    if per_prior > 1 {
        let step = integers(b, "step", &[], &[per_prior as i64])?;
        indices = b.binary("Mul", &indices, &step)?;
    }
    let indices = b.binary("Add", &indices, &starts)?;
    b.gather(&flat, &indices, 0)
}

/// The scores `[groups, count]`, minus infinity where the confidence is too small or a better box is overlapped: each box in turn,
/// from the best on, takes away those behind it that it overlaps, unless it was taken away itself.
fn suppressed(
    b: &mut LayerBuilder<'_>,
    parameter: &DetectionOutputParameter,
    candidates: &Candidates,
) -> Result<Blob, String> {
    let Candidates { count, ref scores, ref corners, .. } = *candidates;
    let threshold = parameter.nms_param.unwrap_or_default().nms_threshold();
    if !(0.0..=1.0).contains(&threshold) {
        return Err(format!("nms_threshold is {threshold}, it must be from 0 to 1"));
    }
    let (low, high) = (b.slice(corners, 2, 0, 2)?, b.slice(corners, 2, 2, 2)?);
    let zero = b.scalar("zero", 0.0);
    // A box whose end is before its start has no area.
    let side = b.binary("Sub", &high, &low)?;
    let side = b.binary("Max", &side, &zero)?;
    let area = b.reduce("ReduceProd", &side, &[2], false)?;
    let least = b.scalar("confidence_threshold", parameter.confidence_threshold.unwrap_or(f32::MIN));
    let confident = b.binary("Greater", scores, &least)?;
    b.budget(count)?;
    let numbers: Vec<i64> = (0..count as i64).collect();
    let numbers = integers(b, "numbers", &[1, count], &numbers)?;
    let threshold = b.scalar("nms_threshold", threshold);
    let alive = b.repeat(count, (&confident, ElementType::Bool), |b, number, alive| {
        let at = |b: &mut LayerBuilder<'_>, values: &Blob| {
            let value = b.gather(values, number, 1)?;
            b.unsqueeze(&value, &[1])
        };
        let (own_low, own_high) = (at(b, &low)?, at(b, &high)?);
        let (start, end) = (b.binary("Max", &low, &own_low)?, b.binary("Min", &high, &own_high)?);
        let side = b.binary("Sub", &end, &start)?;
        let side = b.binary("Max", &side, &zero)?;
        let shared = b.reduce("ReduceProd", &side, &[2], false)?;
        let own_area = at(b, &area)?;
        let both = b.binary("Add", &area, &own_area)?;
        let union = b.binary("Sub", &both, &shared)?;
        // Of two boxes without area this is no number, and above nothing.
        let overlap = b.binary("Div", &shared, &union)?;
        let overlaps = b.binary("Greater", &overlap, &threshold)?;
        let behind = b.binary("Greater", &numbers, number)?;
        let own = at(b, alive)?;
        let taken = b.binary("And", &overlaps, &behind)?;
        let taken = b.binary("And", &taken, &own)?;
        let stays = b.unary("Not", &taken, &[])?;
        b.binary("And", alive, &stays)
    })?;
    let nothing = b.scalar("nothing", f32::NEG_INFINITY);
    b.node("Where", &[&alive, scores, &nothing], &[], scores.shape.clone())
}

/// The rows of the result: image, class, score and corners, by image and class, at most `keep_top_k` of an image.
fn kept(
    b: &mut LayerBuilder<'_>,
    parameter: &DetectionOutputParameter,
    sizes: &Sizes,
    candidates: &Candidates,
    scores: &Blob,
) -> Result<Blob, String> {
    let Candidates { groups, count, ref corners, .. } = *candidates;
    let images = sizes.images;
    let of_image = sizes.labels.len().checked_mul(count).ok_or("it has too many boxes")?;
    let scores = b.reshape(scores, known(&[images, of_image]))?;
    let most = usize::try_from(parameter.keep_top_k()).map_or(of_image, |most| most.min(of_image));
    if most == 0 {
        return Err("keep_top_k is 0, which leaves no box".to_owned());
    }
    let [best, positions] = b.top_k(&scores, most, 1, true)?;
    let lowest = b.scalar("lowest", f32::MIN);
    let is_found = b.binary("GreaterOrEqual", &best, &lowest)?;
    // In the order of classes and of scores in each, which is that of the positions; what is not found goes behind them.
    let end = integers(b, "end", &[], &[of_image as i64])?;
    let places = b.node("Where", &[&is_found, &positions, &end], &[], positions.shape.clone())?;
    let [places, _] = b.top_k(&places, most, 1, false)?;
    let is_found = b.binary("Less", &places, &end)?;
    let is_found = float(b, &is_found)?;
    let last = integers(b, "last", &[], &[of_image as i64 - 1])?;
    let places = b.binary("Min", &places, &last)?;
    let starts: Vec<i64> = (0..images).map(|image| (image * of_image) as i64).collect();
    let starts = integers(b, "image_starts", &[images, 1], &starts)?;
    let flat = b.binary("Add", &places, &starts)?;
    let all_scores = b.reshape(&scores, known(&[groups * count]))?;
    let all_corners = b.reshape(corners, known(&[groups * count, 4]))?;
    let (score, corners) = (b.gather(&all_scores, &flat, 0)?, b.gather(&all_corners, &flat, 0)?);
    let width = integers(b, "width", &[], &[count as i64])?;
    let class = b.binary("Div", &places, &width)?;
    let labels: Vec<f32> = sizes.labels.iter().map(|label| *label as f32).collect();
    let labels = b.floats("label_values", &[labels.len()], &labels)?;
    let label = b.gather(&labels, &class, 0)?;
    b.budget(images.saturating_mul(most))?;
    let numbers: Vec<f32> = (0..images).flat_map(|image| std::iter::repeat_n(image as f32, most)).collect();
    let image = b.floats("image_numbers", &[images, most], &numbers)?;
    let mut columns = Vec::new();
    for value in [&image, &label, &score] {
        columns.push(b.unsqueeze(value, &[2])?);
    }
    columns.push(corners);
    let rows = b.concat(&columns.iter().collect::<Vec<_>>(), 2)?;
    let rows = b.reshape(&rows, known(&[images * most, 7]))?;
    let is_found = b.reshape(&is_found, known(&[images * most]))?;
    found(b, images, &rows, &is_found)
}

/// The rows that are found; where there is none, one row of -1 for each image, as Caffe writes it.
fn found(b: &mut LayerBuilder<'_>, images: usize, rows: &Blob, is_found: &Blob) -> Result<Blob, String> {
    b.budget(images.saturating_mul(8))?;
    let nothing: Vec<f32> = (0..images).flat_map(|image| [image as f32, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]).collect();
    let nothing = b.floats("rows_of_nothing", &[images, 7], &nothing)?;
    let all = b.concat(&[rows, &nothing], 0)?;
    let any = b.reduce("ReduceMax", is_found, &[0], true)?;
    let half = b.floats("halves", &[images], &vec![0.5; images])?;
    let is_nothing = b.binary("Less", &any, &half)?;
    let is_nothing = float(b, &is_nothing)?;
    let chosen = b.concat(&[is_found, &is_nothing], 0)?;
    let places = b.node("NonZero", &[&chosen], &[], vec![Some(1), None])?;
    let places = b.squeeze(&places, 0)?;
    let rows = b.gather(&all, &places, 0)?;
    b.unsqueeze(&rows, &[0, 1])
}
