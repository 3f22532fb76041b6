//! Proposal of Faster R-CNN: anchors are moved as the network says, and the best that do not overlap are regions.

use super::super::builder::{Blob, LayerBuilder, known, shown};
use super::super::proto::ProposalParameter;
use super::Built;
use super::elementwise::float;

/// Corners of the anchors around a point, by ratio, then by scale. Sizes count pixels: a box from 0 to 15 is 16 wide.
fn anchors(parameter: &ProposalParameter) -> Vec<[f32; 4]> {
    let base = parameter.base_size() as f32;
    let centre = 0.5 * (base - 1.0);
    let or = |given: &[f32], default: &[f32]| if given.is_empty() { default.to_vec() } else { given.to_vec() };
    let (ratios, scales) = (or(&parameter.ratio, &[0.5, 1.0, 2.0]), or(&parameter.scale, &[8.0, 16.0, 32.0]));
    let mut anchors = Vec::with_capacity(ratios.len() * scales.len());
    for ratio in ratios {
        let width = (base * base / ratio).sqrt().round();
        let height = (width * ratio).round();
        for scale in &scales {
            let (x, y) = (0.5 * (width * scale - 1.0), 0.5 * (height * scale - 1.0));
            anchors.push([centre - x, centre - y, centre + x, centre + y]);
        }
    }
    anchors
}

/// Centres and sizes of the anchors of all points, by row, column and anchor: `[count, 2]` each.
fn moved_anchors(
    b: &mut LayerBuilder<'_>,
    anchors: &[[f32; 4]],
    [rows, columns]: [usize; 2],
    stride: u32,
) -> Result<[Blob; 2], String> {
    let count = rows.checked_mul(columns).and_then(|points| points.checked_mul(anchors.len()));
    let count = count.ok_or("it has too many anchors")?;
    b.budget(count.saturating_mul(4))?;
    let (mut centres, mut sizes) = (Vec::with_capacity(count * 2), Vec::with_capacity(count * 2));
    for row in 0..rows {
        for column in 0..columns {
            let (x, y) = (column as f32 * stride as f32, row as f32 * stride as f32);
            for [left, top, right, bottom] in anchors {
                let (left, top, right, bottom) = (left + x, top + y, right + x, bottom + y);
                let (width, height) = (right - left + 1.0, bottom - top + 1.0);
                sizes.extend([width, height]);
                centres.extend([left + 0.5 * width, top + 0.5 * height]);
            }
        }
    }
    Ok([b.floats("anchor_centres", &[count, 2], &centres)?, b.floats("anchor_sizes", &[count, 2], &sizes)?])
}

/// Values of `im_info` at these places: `[1, places]`.
fn of_image(b: &mut LayerBuilder<'_>, information: &Blob, places: &[i64]) -> Result<Blob, String> {
    let indices = b.integers("places", places);
    b.gather(information, &indices, 1)
}

/// Regions `[found, 5]`: the image (0), then corners; and, as a second top, their scores.
pub fn proposal(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.proposal_param.clone().unwrap_or_default();
    let anchors = anchors(&parameter);
    let (scores, deltas, information) = (b.bottom(0)?, b.bottom(1)?, b.bottom(2)?);
    let (count, rows, columns) = (anchors.len(), scores.size(2)?, scores.size(3)?);
    if scores.shape != known(&[1, 2 * count, rows, columns]) || deltas.shape != known(&[1, 4 * count, rows, columns]) {
        return Err(format!(
            "{count} anchors need bottoms of [1, {}, rows, columns] and [1, {}, rows, columns], they have the shapes {} and {}",
            2 * count,
            4 * count,
            shown(&scores.shape),
            shown(&deltas.shape)
        ));
    }
    let facts = information.count_from(0)?;
    if !(3..=4).contains(&facts) {
        return Err(format!("its third bottom has {facts} values, it holds height, width and scale of the image"));
    }
    let information = b.reshape(&information, known(&[1, facts]))?;
    let [centres, sizes] = moved_anchors(b, &anchors, [rows, columns], parameter.feat_stride())?;
    let all = centres.size(0)?;
    // By row, column and anchor.
    let foreground = b.slice(&scores, 1, count, count)?;
    let foreground = b.transpose(&foreground, &[0, 2, 3, 1])?;
    let foreground = b.reshape(&foreground, known(&[all]))?;
    let deltas = b.reshape(&deltas, known(&[count, 4, rows, columns]))?;
    let deltas = b.transpose(&deltas, &[2, 3, 0, 1])?;
    let deltas = b.reshape(&deltas, known(&[all, 4]))?;
    let corners = corners(b, &deltas, &centres, &sizes, &information)?;
    let scores = without_small(b, &parameter, &corners, &foreground, (&information, facts))?;
    let most = all.min(parameter.pre_nms_topn() as usize);
    if most == 0 || parameter.post_nms_topn() == 0 {
        return Err("pre_nms_topn and post_nms_topn must be above 0".to_owned());
    }
    let [scores, positions] = b.top_k(&scores, most, 0, true)?;
    let corners = b.gather(&corners, &positions, 0)?;
    // A box from 0 to 15 is 16 wide: with the last pixel its end is 16.
    let last = b.floats("last_pixel", &[4], &[0.0, 0.0, 1.0, 1.0])?;
    let boxes = b.binary("Add", &corners, &last)?;
    let boxes = b.reshape(&boxes, known(&[1, most, 4]))?;
    let list = b.reshape(&scores, known(&[1, 1, most]))?;
    let limit = b.integers("post_nms_topn", &[i64::from(parameter.post_nms_topn())]);
    let overlap = b.floats("nms_thresh", &[1], &[parameter.nms_thresh()])?;
    let selected = b.node("NonMaxSuppression", &[&boxes, &list, &limit, &overlap], &[], vec![None, Some(3)])?;
    let (image, chosen) = (b.slice(&selected, 1, 0, 1)?, b.slice(&selected, 1, 2, 1)?);
    let chosen = b.squeeze(&chosen, 1)?;
    let corners = b.gather(&corners, &chosen, 0)?;
    let image = float(b, &image)?;
    let mut tops = vec![b.concat(&[&image, &corners], 1)?];
    if b.layer.parameters.top.len() > 1 {
        let scores = b.gather(&scores, &chosen, 0)?;
        tops.push(b.unsqueeze(&scores, &[1])?);
    }
    Ok(tops)
}

/// The anchors, moved, and cut to the image: `[all, 4]`.
fn corners(
    b: &mut LayerBuilder<'_>,
    deltas: &Blob,
    centres: &Blob,
    sizes: &Blob,
    information: &Blob,
) -> Result<Blob, String> {
    let (shift, growth) = (b.slice(deltas, 1, 0, 2)?, b.slice(deltas, 1, 2, 2)?);
    let moved = b.binary("Mul", &shift, sizes)?;
    let centre = b.binary("Add", &moved, centres)?;
    let factor = b.unary("Exp", &growth, &[])?;
    let size = b.binary("Mul", &factor, sizes)?;
    let half = b.scalar("half", 0.5);
    let reach = b.binary("Mul", &size, &half)?;
    let (low, high) = (b.binary("Sub", &centre, &reach)?, b.binary("Add", &centre, &reach)?);
    let corners = b.concat(&[&low, &high], 1)?;
    let extent = of_image(b, information, &[1, 0, 1, 0])?;
    let (one, zero) = (b.scalar("one", 1.0), b.scalar("zero", 0.0));
    let end = b.binary("Sub", &extent, &one)?;
    let below = b.binary("Min", &corners, &end)?;
    b.binary("Max", &below, &zero)
}

/// The scores, 0 for boxes that are smaller than `min_size` in the image before it was scaled.
fn without_small(
    b: &mut LayerBuilder<'_>,
    parameter: &ProposalParameter,
    corners: &Blob,
    scores: &Blob,
    (information, facts): (&Blob, usize),
) -> Result<Blob, String> {
    let (low, high) = (b.slice(corners, 1, 0, 2)?, b.slice(corners, 1, 2, 2)?);
    let one = b.scalar("one", 1.0);
    let size = b.binary("Sub", &high, &low)?;
    let size = b.binary("Add", &size, &one)?;
    let last = facts as i64 - 1;
    let scale = of_image(b, information, &[last, 2])?;
    let least = b.scalar("min_size", parameter.min_size() as f32);
    let least = b.binary("Mul", &scale, &least)?;
    let fits = b.binary("GreaterOrEqual", &size, &least)?;
    let fits = float(b, &fits)?;
    let fits = b.reduce("ReduceMin", &fits, &[1], false)?;
    b.binary("Mul", scores, &fits)
}
