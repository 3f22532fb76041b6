//! ONNX NonMaxSuppression-11.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use super::{actual_sizes, clear, number, operand, result, values, write_sizes};
use crate::array::{ArrayView, ResultView};
use crate::{Fault, Routine};
use serde::{Deserialize, Serialize};

/// Operands: boxes `[batches, n, 4]`, scores `[batches, classes, n]`, the number of boxes per class, the threshold of the overlap,
/// the threshold of scores or an empty tensor, then the sizes of those in `bounded`. Results: batch, class and box of each selected box, and
/// the sizes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NonMaxSuppression {
    /// Whether a box is its centre and size, not two corners.
    pub center_point_box: bool,
    /// The operands whose sizes are known only when running.
    pub bounded: Vec<usize>,
}

impl Routine for NonMaxSuppression {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        clear(results);
        let (boxes, scores) = (values::<f32>(operands, 0)?, values::<f32>(operands, 1)?);
        let (&[_, room, _], &[_, classes, lane_length]) = (operand(operands, 0)?.shape, operand(operands, 1)?.shape)
        else {
            return Err(Fault::Reason("has boxes or scores that are not of rank 3".to_owned()));
        };
        let (box_sizes, score_sizes) =
            (actual_sizes(operands, 0, &self.bounded)?, actual_sizes(operands, 1, &self.bounded)?);
        let (&[box_batches, box_count, _], &[batches, own_classes, count]) =
            (box_sizes.as_slice(), score_sizes.as_slice())
        else {
            return Err(Fault::Reason("has boxes or scores of which not all sizes are known".to_owned()));
        };
        if (box_batches, box_count) != (batches, count) {
            let reason = format!(
                "has boxes of {box_sizes:?} and scores of {score_sizes:?}; they must be [b, n, 4] and [b, c, n]"
            );
            return Err(Fault::Reason(reason));
        }
        let most = usize::try_from(number::<i64>(operands, 2)?.unwrap_or(0)).unwrap_or(0);
        let overlap = number::<f32>(operands, 3)?.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&overlap) {
            return Err(Fault::Reason(format!("has an iou_threshold of {overlap}; it must be from 0 to 1")));
        }
        let least = number::<f32>(operands, 4)?;
        let mut selected = 0;
        if count > 0 && most > 0 {
            let lanes = (0..batches).flat_map(|batch| (0..own_classes).map(move |class| (batch, class)));
            for (batch, class) in lanes {
                let lane = (batch * classes + class) * lane_length;
                let scores = scores.get(lane..lane + count).unwrap_or_default();
                let boxes = boxes.get(batch * room * 4..(batch * room + count) * 4).unwrap_or_default();
                let boxes: Vec<Box> = boxes.chunks_exact(4).map(|numbers| self.corners(numbers)).collect();
                for index in select(&boxes, scores, most, overlap, least) {
                    let row = [batch as i64, class as i64, index as i64];
                    let rows = result(results, 0)?.values::<i64>()?;
                    rows.iter_mut().skip(selected * 3).zip(row).for_each(|(to, from)| *to = from);
                    selected += 1;
                }
            }
        }
        write_sizes(results, 1, &[selected, 3])
    }
}

/// The lower and the upper corner.
struct Box {
    low: [f32; 2],
    high: [f32; 2],
}

impl NonMaxSuppression {
    /// `[x, y, width, height]` of the centre, or two opposite corners `[y1, x1, y2, x2]` in any order.
    fn corners(&self, numbers: &[f32]) -> Box {
        let at = |index: usize| numbers.get(index).copied().unwrap_or(0.0);
        let axis =
            |a: f32, b: f32| if self.center_point_box { (a - b / 2.0, a + b / 2.0) } else { (a.min(b), a.max(b)) };
        let ((low_0, high_0), (low_1, high_1)) = (axis(at(0), at(2)), axis(at(1), at(3)));
        Box { low: [low_0, low_1], high: [high_0, high_1] }
    }
}

impl Box {
    fn area(&self) -> f32 {
        (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])
    }

    /// Whether intersection over union is above the threshold. Boxes without area overlap nothing.
    fn overlaps(&self, other: &Box, threshold: f32) -> bool {
        let side = |d: usize| self.high[d].min(other.high[d]) - self.low[d].max(other.low[d]);
        let (width, height) = (side(0), side(1));
        if width <= 0.0 || height <= 0.0 {
            return false;
        }
        let intersection = width * height;
        let (own, others) = (self.area(), other.area());
        let union = own + others - intersection;
        own > 0.0 && others > 0.0 && union > 0.0 && intersection / union > threshold
    }
}

/// Boxes of one class in the order of their scores; of equal scores the first.
fn select(boxes: &[Box], scores: &[f32], most: usize, overlap: f32, least: Option<f32>) -> Vec<usize> {
    let counts = |score: f32| least.is_none_or(|least| score > least);
    let mut order: Vec<usize> = (0..scores.len().min(boxes.len())).filter(|&index| counts(scores[index])).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let mut selected: Vec<usize> = Vec::new();
    for index in order {
        if selected.len() >= most {
            break;
        }
        if !selected.iter().any(|&other| boxes[index].overlaps(&boxes[other], overlap)) {
            selected.push(index);
        }
    }
    selected
}
