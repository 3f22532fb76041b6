//! ONNX GridSample-22.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::{operand, reals, result, write_reals};
use crate::array::{ArrayView, ResultView};
use crate::{Fault, Routine};
use serde::{Deserialize, Serialize};

/// What a place between pixels is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interpolation {
    /// The nearest pixel.
    Nearest,
    /// Between the two around it, in each dimension.
    Linear,
    /// Between four, in each dimension.
    Cubic,
}

/// What lies outside of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outside {
    /// Zeros.
    Zeros,
    /// The pixel at the border.
    Border,
    /// The image, mirrored.
    Reflection,
}

/// Operands: the input `[N, C, D1, ..., Dk]`, and the grid `[N, E1, ..., Ek, k]`. Result: `[N, C, E1, ..., Ek]`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GridSample {
    /// What a place between pixels is.
    pub interpolation: Interpolation,
    /// What lies outside of the image.
    pub outside: Outside,
    /// Whether -1 and 1 are the centres of the outermost pixels, not their edges.
    pub align_corners: bool,
}

impl Routine for GridSample {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let shape = operand(operands, 0)?.shape;
        let &[samples, channels, ref sizes @ ..] = shape else {
            return Err(Fault::Reason(format!("has an input of rank {}", shape.len())));
        };
        let (input, grid) = (reals(operands, 0)?, reals(operands, 1)?);
        let plane = sizes.iter().product::<usize>();
        let rank = sizes.len().max(1);
        let places = grid.len() / (samples * rank).max(1);
        let mut output = vec![0.0; samples * channels * places];
        for (index, coordinates) in grid.chunks_exact(rank).enumerate() {
            let taps = self.taps(coordinates, sizes);
            let (sample, place) = (index / places.max(1), index % places.max(1));
            for channel in 0..channels {
                let image = (sample * channels + channel) * plane;
                let value = |&(offset, weight): &(usize, f64)| input.get(image + offset).map_or(0.0, |x| x * weight);
                if let Some(slot) = output.get_mut((sample * channels + channel) * places + place) {
                    *slot = taps.iter().map(value).sum();
                }
            }
        }
        write_reals(result(results, 0)?, output);
        Ok(())
    }
}

impl GridSample {
    /// The pixels that a place is a sum of, with their weights. `coordinates` are those of the innermost dimension first.
    fn taps(&self, coordinates: &[f64], sizes: &[usize]) -> Vec<(usize, f64)> {
        let mut taps = vec![(0, 1.0)];
        for (coordinate, &size) in coordinates.iter().rev().zip(sizes) {
            let along = self.taps_along(*coordinate, size);
            taps = taps
                .iter()
                .flat_map(|(offset, weight)| {
                    along.iter().map(move |(place, own)| (offset * size + place, weight * own))
                })
                .collect();
        }
        taps
    }

    fn taps_along(&self, coordinate: f64, size: usize) -> Vec<(usize, f64)> {
        let last = size as f64 - 1.0;
        // Places are f32: where halves are rounded, or an edge is hit, it matters.
        let place = if self.align_corners {
            (coordinate + 1.0) / 2.0 * last
        } else {
            ((coordinate + 1.0) * size as f64 - 1.0) / 2.0
        };
        let place = f64::from(place as f32);
        let place = if self.interpolation == Interpolation::Nearest { libm::roundeven(place) } else { place };
        let (low, high) = if self.align_corners { (0.0, last) } else { (-0.5, last + 0.5) };
        let place = match self.outside {
            Outside::Border if !(low..=high).contains(&place) => place.max(0.0).min(last),
            Outside::Reflection => reflected(place, low, high),
            _ => place,
        };
        if !place.is_finite() {
            return Vec::new();
        }
        let first = libm::floor(place);
        let share = place - first;
        let weights: Vec<(f64, f64)> = match self.interpolation {
            // What reflection leaves between pixels belongs to the one before.
            Interpolation::Nearest => vec![(libm::trunc(place), 1.0)],
            Interpolation::Linear => vec![(first, 1.0 - share), (first + 1.0, share)],
            Interpolation::Cubic => (0..4).map(|tap| (first - 1.0 + f64::from(tap), cubic(share, tap))).collect(),
        };
        weights
            .into_iter()
            .filter_map(|(place, weight)| Some((self.pixel(place, size, (low, high))?, weight)))
            .collect()
    }

    /// The pixel that stands for one that may lie outside.
    fn pixel(&self, place: f64, size: usize, (low, high): (f64, f64)) -> Option<usize> {
        let last = size as f64 - 1.0;
        let inside = match self.outside {
            Outside::Zeros => Some(place).filter(|place| (0.0..=last).contains(place)),
            Outside::Border => Some(place.max(0.0).min(last)),
            Outside::Reflection => Some(libm::trunc(reflected(place, low, high)).max(0.0).min(last)),
        };
        inside.filter(|_| size > 0).map(|place| place as usize)
    }
}

/// Mirrored at both ends until it lies between them.
fn reflected(place: f64, low: f64, high: f64) -> f64 {
    let range = high - low;
    if (low..=high).contains(&place) || range <= 0.0 {
        return place.max(low).min(high);
    }
    let beyond = if place < low { low - place } else { place - high };
    let (turns, rest) = (libm::floor(beyond / range), beyond % range);
    if (turns % 2.0 == 0.0) == (place < low) { low + rest } else { high - rest }
}

/// The weights of cubic convolution with a = -0.75, of the pixels from the one before to two behind.
fn cubic(share: f64, tap: i32) -> f64 {
    const A: f64 = -0.75;
    let distance = (share + 1.0 - f64::from(tap)).abs();
    if distance <= 1.0 {
        ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
    } else {
        ((A * distance - 5.0 * A) * distance + 8.0 * A) * distance - 4.0 * A
    }
}
