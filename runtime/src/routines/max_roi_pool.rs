//! ONNX MaxRoiPool-22.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use crate::ElementType;
use serde::{Deserialize, Serialize};

use super::{operand, result, values, write_sizes};
use crate::array::{ArrayElement, ArrayView, ResultView};
use crate::{Fault, Routine};

/// Operands: the input `[N, C, H, W]`, regions `[regions, 5]`, and their sizes where those are known only when running. Results: the
/// maxima `[regions, C, rows, columns]`, and the sizes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct MaxRoiPool {
    /// From the regions' coordinates to the input's.
    pub spatial_scale: f32,
}

impl Routine for MaxRoiPool {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        match operand(operands, 0)?.element {
            ElementType::F32 => self.pool::<f32>(operands, results),
            ElementType::F64 => self.pool::<f64>(operands, results),
            other => Err(Fault::Reason(format!("does not take elements of type {other}"))),
        }
    }
}

/// First and last row or column of each bin, within the input; the same where it holds nothing.
fn bins(first: f64, last: f64, count: usize, limit: usize) -> Vec<(usize, usize)> {
    let extent = ((last - first + 1.0).max(1.0) / count as f64) as f32;
    let clamped = |edge: f32| (f64::from(edge) + first).clamp(0.0, limit as f64) as usize;
    (0..count)
        .map(|bin| (clamped(libm::floorf(bin as f32 * extent)), clamped(libm::ceilf((bin + 1) as f32 * extent))))
        .collect()
}

impl MaxRoiPool {
    fn pool<T: ArrayElement + PartialOrd + Default + Into<f64>>(
        &self,
        operands: &[ArrayView<'_>],
        results: &mut [ResultView<'_>],
    ) -> Result<(), Fault> {
        super::clear(results);
        let (input, regions) = (values::<T>(operands, 0)?, values::<T>(operands, 1)?);
        let (&[samples, channels, height, width], &[_, _, rows, columns]) =
            (operand(operands, 0)?.shape, result(results, 0)?.shape)
        else {
            return Err(Fault::Reason("has an input or a result that is not of rank 4".to_owned()));
        };
        let most = regions.len() / 5;
        let actual = match operands.get(2) {
            Some(_) => values::<i64>(operands, 2)?.first().and_then(|count| usize::try_from(*count).ok()),
            None => Some(most),
        };
        let count = actual.unwrap_or(0).min(most);
        let plane = height * width;
        let pooled = result(results, 0)?.values::<T>()?;
        for (index, region) in regions.chunks_exact(5).take(count).enumerate() {
            let at = |place: usize| region.get(place).map_or(0.0, |value| (*value).into());
            let side = |place| libm::round(at(place) * f64::from(self.spatial_scale));
            let sample = at(0);
            if !(0.0..samples as f64).contains(&sample) {
                return Err(Fault::Reason(format!("has a region {index} of sample {sample}, there are {samples}")));
            }
            let (vertical, horizontal) = (bins(side(2), side(4), rows, height), bins(side(1), side(3), columns, width));
            for channel in 0..channels {
                let start = (sample as usize * channels + channel) * plane;
                let data = input.get(start..start + plane).unwrap_or_default();
                let to = ((index * channels) + channel) * rows * columns;
                let bins = vertical.iter().flat_map(|row| horizontal.iter().map(move |column| (*row, *column)));
                for (place, ((top, bottom), (left, right))) in pooled.iter_mut().skip(to).zip(bins) {
                    let lines = data.chunks_exact(width.max(1)).take(bottom).skip(top);
                    let inside = lines.flat_map(|line| line.get(left..right).unwrap_or_default());
                    let larger = |largest: T, value: &T| if *value > largest { *value } else { largest };
                    *place = inside.copied().reduce(|largest, value| larger(largest, &value)).unwrap_or_default();
                }
            }
        }
        write_sizes(results, 1, &[count, channels, rows, columns])
    }
}
