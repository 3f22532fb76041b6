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
        let mut folded = self.begun(image_channels);
        for row in self.composed(conversion, offset_channels) {
            let left = folded.add(&row, self.result_scale);
            // What the channels do not hold; inside of the image it is exact.
            folded.add_bias(row.bias + left.offsets.iter().sum::<f64>());
        }
        folded
    }

    /// As [`Self::folded`], of a layer whose weights of 16 bits are the sum of those of two: what the rounding of the first leaves is the second's,
    /// as it was before.
    pub fn folded_in_parts(
        [high, low]: [&Self; 2],
        conversion: &ImageConversion,
        offset_channels: bool,
        image_channels: usize,
    ) -> [FoldedFilters; 2] {
        let mut folded = [high.begun(image_channels), low.begun(image_channels)];
        let [first, second] = &mut folded;
        let rows = high.composed(conversion, offset_channels).into_iter();
        for (row, fine) in rows.zip(low.composed(conversion, offset_channels)) {
            let left = first.add(&row, high.result_scale);
            first.add_bias(row.bias);
            let fine = fine.and(&left);
            let left = second.add(&fine, low.result_scale);
            second.add_bias(fine.bias + left.offsets.iter().sum::<f64>());
        }
        folded
    }

    fn begun(&self, image_channels: usize) -> FoldedFilters {
        FoldedFilters {
            filters: Self { weights: Vec::new(), channels: image_channels, bias: Vec::new(), ..*self },
            scales: Vec::new(),
        }
    }

    /// The rows over the colours of the deployed image, in real numbers.
    fn composed(&self, conversion: &ImageConversion, offset_channels: bool) -> Vec<ComposedRow> {
        let colours = conversion.matrix.first().map_or(0, Vec::len);
        let size = self.channels * self.cells;
        let row = |(row, bias): (&[f64], &f64)| {
            let weight = |channel: usize, cell: usize| row.get(channel * self.cells + cell).copied().unwrap_or(0.0);
            let sum = |factor: &dyn Fn(usize) -> f64, cell: usize| -> f64 {
                (0..self.channels).map(|channel| weight(channel, cell) * factor(channel)).sum()
            };
            let entry = |channel: usize, colour: usize| {
                conversion.matrix.get(channel).and_then(|row| row.get(colour)).copied().unwrap_or(0.0)
            };
            let cells = || 0..self.cells;
            let weights = (0..colours)
                .flat_map(|colour| cells().map(move |cell| (colour, cell)))
                .map(|(colour, cell)| sum(&|channel| entry(channel, colour), cell))
                .collect();
            let offset = |channel: usize| conversion.offset.get(channel).copied().unwrap_or(0.0);
            let offsets: Vec<f64> = cells().map(|cell| sum(&offset, cell)).collect();
            let total: f64 = offsets.iter().sum();
            let reach = bias.abs() + total.abs();
            match offset_channels {
                true => ComposedRow { weights, offsets, bias: *bias, reach },
                false => ComposedRow { weights, offsets: vec![0.0; self.cells], bias: bias + total, reach },
            }
        };
        self.weights.chunks(size.max(1)).zip(&self.bias).map(row).collect()
    }
}

/// An output channel over the colours of the deployed image.
struct ComposedRow {
    /// Colour after colour, cell after cell.
    weights: Vec<f64>,
    /// What further channels add, by cell; zeros where nothing is padded.
    offsets: Vec<f64>,
    bias: f64,
    /// The largest magnitude that comes together in the bias.
    reach: f64,
}

impl ComposedRow {
    /// With what the rounding of another row left.
    fn and(mut self, left: &Left) -> Self {
        self.weights.iter_mut().zip(&left.weights).for_each(|(weight, left)| *weight += left);
        self.offsets.iter_mut().zip(&left.offsets).for_each(|(offset, left)| *offset += left);
        self.reach += left.offsets.iter().map(|left| left.abs()).sum::<f64>();
        self
    }
}

/// What rounding left of a row.
struct Left {
    weights: Vec<f64>,
    offsets: Vec<f64>,
}

impl FoldedFilters {
    /// Adds a row on a grid of its own; its bias is for the caller to add.
    fn add(&mut self, row: &ComposedRow, result_scale: Option<f64>) -> Left {
        let scale = scale_of(&row.weights, &row.offsets, least_weight_scale(STEP, result_scale, row.reach));
        let colours: Vec<f64> = row.weights.iter().map(|weight| nearest(weight / scale) * scale).collect();
        let [coarse, fine] = OFFSET_CHANNELS.map(f64::from);
        let steps: Vec<f64> = row.offsets.iter().map(|offset| (offset / scale).round()).collect();
        let coarse_steps: Vec<f64> = steps.iter().map(|steps| (steps / coarse).round()).collect();
        let fine_steps = steps.iter().zip(&coarse_steps).map(|(all, coarse_part)| (all - coarse_part * coarse) / fine);
        let left = |values: &[f64], kept: &mut dyn Iterator<Item = f64>| {
            values.iter().zip(kept).map(|(value, kept)| value - kept).collect()
        };
        let left = Left {
            weights: left(&row.weights, &mut colours.iter().copied()),
            offsets: left(&row.offsets, &mut steps.iter().map(|steps| steps * scale)),
        };
        let width = self.filters.channels * self.filters.cells;
        let channels = coarse_steps.iter().copied().chain(fine_steps).map(|steps| steps * scale);
        let values = colours.iter().copied().chain(channels).chain(std::iter::repeat(0.0)).take(width);
        self.filters.weights.extend(values);
        self.scales.push(scale);
        left
    }

    fn add_bias(&mut self, bias: f64) {
        self.filters.bias.push(bias);
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

    /// A layer of 16 bits is two of 8: folded together they miss what was meant by half a step of the finer grid, folded apart by half of the coarser.
    #[test]
    fn parts_of_a_layer_stay_as_fine_as_their_sum() {
        let conversion = conversion(103.7, &[0.0171, 0.0175, 0.0174]);
        let wanted = [0.731, -0.299, 0.113, -0.017, 0.577, 0.301];
        let step = f64::from((0.731 / 127.0) as f32);
        let high: Vec<f64> = wanted.iter().map(|weight| (weight / step).round() * step).collect();
        let low: Vec<f64> = wanted.iter().zip(&high).map(|(weight, high)| weight - high).collect();
        let [high, low] = [filters(&high, 2), Filters { bias: vec![0.0], ..filters(&low, 2) }];
        for offset_channels in [false, true] {
            let [first, second] = Filters::folded_in_parts([&high, &low], &conversion, offset_channels, 5);
            assert!(second.scales[0] * 100.0 < first.scales[0], "{first:?} {second:?}");
            let sum: Vec<f64> =
                first.filters.weights.iter().zip(&second.filters.weights).map(|(high, low)| high + low).collect();
            for (index, weight) in wanted.iter().enumerate() {
                let exact = weight * conversion.matrix[index / 2][index / 2];
                assert!((sum[index] - exact).abs() <= second.scales[0], "{index}: {} is {exact}", sum[index]);
            }
            // A sample of one value everywhere: the mean maps to zero, and the bias stays.
            let bias = first.filters.bias[0] + second.filters.bias[0];
            let offset: f64 = (0..2).map(|cell| sum[6 + cell] * -128.0 + sum[8 + cell]).sum();
            let channels: f64 = (0..6).map(|index| sum[index] * (103.7 - 128.0)).sum();
            let found = bias + channels + if offset_channels { offset } else { 0.0 };
            assert!((found - 0.5).abs() < 6.0 * 128.0 * second.scales[0], "{found}");
        }
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
