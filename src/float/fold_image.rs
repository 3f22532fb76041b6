//! A convolution of a normalized image as one of the bytes of a camera: the conversion becomes a part of its weights and of its bias.

use super::image_conversion::ImageConversion;
use crate::numerics::{largest_integer, least_weight_scale};

/// What a step of the integers of an image is.
pub(super) const STEP: f64 = 1.0;
/// Bits of weights.
pub(super) const WEIGHT_BITS: u32 = 8;
/// What further channels of an image hold where an offset must not reach into the padding: an offset is a multiple of the first and
/// what is left of the second, as fine as the sums are.
pub(super) const OFFSET_CHANNELS: [i8; 2] = [-128, 1];
/// The least number of steps that the largest weight may have: fewer would waste half of the integers.
const LEAST_STEPS: u32 = 64;

/// Weights `[M, C, kernel cells]` of a convolution, with what it adds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filters {
    /// Row after row: output channel, input channel, cell of the kernel.
    pub weights: Vec<f64>,
    /// Output channels.
    pub rows: usize,
    /// Input channels.
    pub channels: usize,
    /// Cells of the kernel.
    pub cells: usize,
    /// One for each output channel.
    pub bias: Vec<f64>,
    /// Of the integers that the result becomes.
    pub result_scale: Option<f64>,
}

/// Filters whose weights are int8 multiples of a scale for each output channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FoldedFilters {
    /// On the grids of `scales`, with as many input channels as the image has.
    pub filters: Filters,
    /// f32 numbers, one for each output channel.
    pub scales: Vec<f64>,
}

impl Filters {
    /// The filters of the conversion itself: an image of 1x1 cells.
    pub fn of_conversion(conversion: &ImageConversion, result_scale: Option<f64>) -> Self {
        let rows = conversion.offset.len();
        let identity = (0..rows * rows).map(|index| if index % (rows + 1) == 0 { 1.0 } else { 0.0 }).collect();
        Self { weights: identity, rows, channels: rows, cells: 1, bias: vec![0.0; rows], result_scale }
    }

    /// The same sums over the deployed image. With `offset_channels`, the image has [`OFFSET_CHANNELS`] and the padding of the
    /// convolution is 0 in the normalized image; without, nothing is padded and offsets go into the bias.
    pub fn folded(&self, conversion: &ImageConversion, offset_channels: bool, image_channels: usize) -> FoldedFilters {
        let mut folded = FoldedFilters {
            filters: Filters { weights: Vec::new(), channels: image_channels, bias: Vec::new(), ..*self },
            scales: Vec::new(),
        };
        let colours = conversion.matrix.first().map_or(0, Vec::len);
        let size = self.channels * self.cells;
        for (row, bias) in self.weights.chunks(size.max(1)).zip(&self.bias) {
            let weight = |channel: usize, cell: usize| row.get(channel * self.cells + cell).copied().unwrap_or(0.0);
            let sum = |factor: &dyn Fn(usize) -> f64, cell: usize| -> f64 {
                (0..self.channels).map(|channel| weight(channel, cell) * factor(channel)).sum()
            };
            let entry = |channel: usize, colour: usize| {
                conversion.matrix.get(channel).and_then(|row| row.get(colour)).copied().unwrap_or(0.0)
            };
            let cells = || 0..self.cells;
            let composed: Vec<f64> = (0..colours)
                .flat_map(|colour| cells().map(move |cell| (colour, cell)))
                .map(|(colour, cell)| sum(&|channel| entry(channel, colour), cell))
                .collect();
            let offset = |channel: usize| conversion.offset.get(channel).copied().unwrap_or(0.0);
            let offsets: Vec<f64> = cells().map(|cell| sum(&offset, cell)).collect();
            let total: f64 = offsets.iter().sum();
            let in_channels = if offset_channels { offsets } else { vec![0.0; self.cells] };
            let least = least_weight_scale(STEP, self.result_scale, bias.abs() + total.abs());
            let scale = scale_of(&composed, &in_channels, least);
            let mut values: Vec<f64> = composed.iter().map(|weight| nearest(weight / scale) * scale).collect();
            let [coarse, fine] = OFFSET_CHANNELS.map(f64::from);
            let steps: Vec<f64> = in_channels.iter().map(|offset| (offset / scale).round()).collect();
            let coarse_steps: Vec<f64> = steps.iter().map(|steps| (steps / coarse).round()).collect();
            values.extend(coarse_steps.iter().map(|steps| steps * scale));
            values.extend(
                steps.iter().zip(&coarse_steps).map(|(all, coarse_part)| (all - coarse_part * coarse) / fine * scale),
            );
            values.resize(image_channels * self.cells, 0.0);
            folded.filters.weights.extend(values);
            // What the channels do not hold; inside of the image it is exact.
            folded.filters.bias.push(bias + total - steps.iter().sum::<f64>() * scale);
            folded.scales.push(scale);
        }
        folded
    }
}

fn nearest(value: f64) -> f64 {
    let largest = largest_integer(WEIGHT_BITS);
    value.round_ties_even().clamp(-largest, largest)
}

/// The scale, an f32 number of at least `least`, whose multiples are nearest to the weights; offsets must be multiples of what channels
/// can hold.
fn scale_of(weights: &[f64], offsets: &[f64], least: f64) -> f64 {
    let magnitude = |values: &[f64]| values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let largest = magnitude(weights);
    let [coarse, _] = OFFSET_CHANNELS.map(f64::from);
    // The largest weight of the coarse channel.
    let least = least.max(magnitude(offsets) / (largest_integer(WEIGHT_BITS) * coarse.abs()));
    let narrow = |scale: f64| f64::from(scale as f32);
    let error = |scale: f64| {
        weights
            .iter()
            .map(|weight| (weight / scale - nearest(weight / scale)) * scale)
            .map(|left| left * left)
            .sum::<f64>()
    };
    let most = largest_integer(WEIGHT_BITS) as u32;
    let candidates = (LEAST_STEPS..=most).rev().map(|steps| narrow(largest / f64::from(steps)));
    let candidates = candidates.filter(|scale| scale.is_normal() && *scale >= least);
    let best =
        candidates.map(|scale| (error(scale), scale)).reduce(|best, next| if next.0 < best.0 { next } else { best });
    match best {
        Some((_, scale)) => scale,
        None if narrow(least).is_normal() => narrow(least),
        // Any scale is exact for zeros.
        None => narrow(1.0 / largest_integer(WEIGHT_BITS)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::preprocessing::{InputType, Layout, Preprocessing, SpaceAndRange};
    use super::*;

    fn conversion(mean: f64, scale: &[f64]) -> ImageConversion {
        let preprocessing = Preprocessing {
            type_rt: InputType::Rgb,
            type_train: InputType::Rgb,
            space_and_range: SpaceAndRange::Regular,
            resized: false,
            layout: Layout::Nchw,
            mean: vec![mean],
            scale: scale.to_vec(),
        };
        ImageConversion::of(&preprocessing).unwrap()
    }

    fn filters(weights: &[f64], cells: usize) -> Filters {
        Filters { weights: weights.to_vec(), rows: 1, channels: 3, cells, bias: vec![0.5], result_scale: None }
    }

    /// On paper: mean 126 leaves 2 of the byte around 0, which a scale of 0.5 makes 1 per channel.
    #[test]
    fn offsets_go_into_the_bias_or_into_channels() {
        let conversion = conversion(126.0, &[0.5]);
        let filters = filters(&[127.0, 2.0, -4.0], 1);
        let folded = filters.folded(&conversion, false, 3);
        assert_eq!(folded.filters.weights, [63.5, 1.0, -2.0]);
        assert_eq!((folded.filters.bias, folded.scales), (vec![0.5 + 125.0], vec![0.5]));
        let folded = filters.folded(&conversion, true, 5);
        // 125 = 250 steps of 0.5 = -2 of -128 and -6 of 1.
        assert_eq!(folded.filters.weights, [63.5, 1.0, -2.0, -1.0, -3.0]);
        assert_eq!(folded.filters.bias, [0.5]);
    }

    #[test]
    fn weights_that_lie_on_a_grid_stay_on_it() {
        let weights: Vec<f64> = [90.0, -7.0, 31.0].iter().map(|steps| steps * f64::from(0.013f32)).collect();
        let folded = filters(&weights, 1).folded(&conversion(128.0, &[0.25]), false, 3);
        let steps: Vec<f64> = folded.filters.weights.iter().map(|weight| weight / folded.scales[0]).collect();
        assert_eq!(steps.iter().map(|steps| steps.round()).collect::<Vec<_>>(), [90.0, -7.0, 31.0]);
    }

    #[test]
    fn weights_of_next_to_nothing_have_a_scale_that_the_machine_can_multiply_by() {
        let dead = Filters { result_scale: Some(0.05), ..filters(&[1e-12; 3], 1) };
        let folded = dead.folded(&conversion(128.0, &[0.01]), false, 3);
        assert!(folded.scales[0] / 0.05 > 0.5f64.powi(32), "{folded:?}");
        // The bias of 0.5 stays below 2^30 steps.
        assert!(0.5 / folded.scales[0] <= f64::from(1u32 << 30), "{folded:?}");
        assert_eq!(folded.filters.weights, [0.0; 3]);
    }

    #[test]
    fn a_large_offset_widens_the_scale_and_zeros_have_one() {
        let folded = filters(&[1.0, 1.0, 1.0], 1).folded(&conversion(-1e6, &[1.0]), true, 5);
        let offset = folded.filters.weights[3] * -128.0 + folded.filters.weights[4];
        assert!((offset - 3.0 * 1_000_128.0).abs() <= folded.scales[0], "{folded:?}");
        assert!(folded.filters.weights.iter().all(|weight| (weight / folded.scales[0]).abs() < 127.5));
        let zeros = filters(&[0.0; 3], 1).folded(&conversion(128.0, &[1.0]), true, 5);
        assert!(zeros.scales[0] > 0.0 && zeros.filters.weights.iter().all(|weight| *weight == 0.0));
    }
}
