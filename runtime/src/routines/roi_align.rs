//! ONNX RoiAlign-22.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use super::{clear, integers, operand, reals, result, values, write_reals, write_sizes};
use crate::array::{ArrayView, ResultView};
use crate::{Fault, Routine};
use serde::{Deserialize, Serialize};

/// Operands: the input `[N, C, H, W]`, regions `[regions, 4]`, the sample of each, and sizes of those two where they are known only when
/// running. Results: `[regions, C, rows, columns]`, and its sizes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RoiAlign {
    /// Whether a bin is its largest share, not its mean.
    pub is_maximum: bool,
    /// Whether coordinates are those of pixel centres.
    pub half_pixel: bool,
    /// Points in each direction of a bin; 0: one for each pixel.
    pub sampling_ratio: usize,
    /// From the regions' coordinates to the input's.
    pub spatial_scale: f32,
}

/// Points of all bins of a region.
const MOST_POINTS: usize = 1 << 24;

/// A point between four pixels, each with its share.
type Point = [(usize, f64); 4];

impl Routine for RoiAlign {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        clear(results);
        let (&[samples, channels, height, width], &[_, _, rows, columns]) =
            (operand(operands, 0)?.shape, result(results, 0)?.shape)
        else {
            return Err(Fault::Reason("has an input or a result that is not of rank 4".to_owned()));
        };
        let (input, regions, batches) = (reals(operands, 0)?, reals(operands, 1)?, integers(operands, 2)?);
        let actual = match operands.get(3) {
            Some(_) => values::<i64>(operands, 3)?.first().and_then(|count| usize::try_from(*count).ok()),
            None => Some(batches.len()),
        };
        let count = actual.unwrap_or(0).min(batches.len());
        let mut output = Vec::new();
        for (region, batch) in regions.chunks_exact(4).zip(&batches).take(count) {
            let batch = usize::try_from(*batch).ok().filter(|batch| *batch < samples);
            let batch = batch.ok_or_else(|| Fault::Reason(format!("has a region of a sample beyond {samples}")))?;
            let bins = self.bins(region, [rows, columns], [height, width])?;
            for channel in 0..channels {
                let start = (batch * channels + channel) * height * width;
                let image = input.get(start..start + height * width).unwrap_or_default();
                output.extend(bins.iter().map(|points| self.joined(points, image)));
            }
        }
        write_reals(result(results, 0)?, output);
        write_sizes(results, 1, &[count, channels, rows, columns])
    }
}

impl RoiAlign {
    /// The points of each bin of a region: left, top, right, bottom.
    fn bins(&self, region: &[f64], [rows, columns]: [usize; 2], size: [usize; 2]) -> Result<Vec<Vec<Point>>, Fault> {
        let offset = if self.half_pixel { 0.5 } else { 0.0 };
        let side = |place: usize| region.get(place).map_or(0.0, |value| value * f64::from(self.spatial_scale) - offset);
        let axis = |first: usize, bins: usize| -> Result<(f64, f64, usize), Fault> {
            let (start, mut extent) = (side(first), side(first + 2) - side(first));
            if !self.half_pixel {
                extent = extent.max(1.0);
            }
            let bin = extent / bins as f64;
            let points = if self.sampling_ratio > 0 { self.sampling_ratio as f64 } else { libm::ceil(bin).max(0.0) };
            if !bin.is_finite() || points > MOST_POINTS as f64 {
                return Err(Fault::Reason(format!("has a region of {extent} pixels")));
            }
            Ok((start, bin, points as usize))
        };
        let ((top, bin_height, down), (left, bin_width, across)) = (axis(1, rows)?, axis(0, columns)?);
        let points = [down, across, rows, columns].iter().try_fold(1usize, |points, count| points.checked_mul(*count));
        if points.is_none_or(|points| points > MOST_POINTS) {
            return Err(Fault::Reason(format!("has a region of more than {MOST_POINTS} points")));
        }
        let mut bins = Vec::with_capacity(rows * columns);
        for bin in 0..rows * columns {
            let (row, column) = ((bin / columns) as f64, (bin % columns) as f64);
            let at = |start: f64, bin: f64, number: f64, point: usize, count: usize| {
                start + number * bin + (point as f64 + 0.5) * bin / count as f64
            };
            let points = (0..down * across).map(|point| {
                let y = at(top, bin_height, row, point / across, down);
                let x = at(left, bin_width, column, point % across, across);
                interpolated(y, x, size)
            });
            bins.push(points.collect());
        }
        Ok(bins)
    }

    fn joined(&self, points: &[Point], image: &[f64]) -> f64 {
        let share = |&(place, weight): &(usize, f64)| image.get(place).map_or(0.0, |value| value * weight);
        let shares = points.iter().flatten().map(share);
        if self.is_maximum {
            shares.reduce(f64::max).unwrap_or(0.0)
        } else {
            shares.sum::<f64>() / points.len().max(1) as f64
        }
    }
}

/// The four pixels around a point; more than one pixel outside of the image there is nothing.
fn interpolated(y: f64, x: f64, [height, width]: [usize; 2]) -> Point {
    if !(-1.0..=height as f64).contains(&y) || !(-1.0..=width as f64).contains(&x) {
        return [(0, 0.0); 4];
    }
    let axis = |place: f64, size: usize| {
        let place = place.max(0.0).min(size as f64 - 1.0);
        let first = place as usize;
        (first, (first + 1).min(size.saturating_sub(1)), place - libm::floor(place))
    };
    let ((above, below, down), (left, right, across)) = (axis(y, height), axis(x, width));
    let at = |row: usize, column: usize, weight: f64| (row * width + column, weight);
    [
        at(above, left, (1.0 - down) * (1.0 - across)),
        at(above, right, (1.0 - down) * across),
        at(below, left, down * (1.0 - across)),
        at(below, right, down * across),
    ]
}
