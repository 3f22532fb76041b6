//! `hfloat-equalize-channels`: channels that share one scale get ranges of one size.

use super::fuse_scales::{constant_before, scale_channels};
use hb_dialects::{
    ElementType,
    hfloat::{Op, attributes},
    ir::{self, Constant, OperationAttributes, TensorType, attribute},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// The attribute of a convolution that took over a normalization: the mean of each channel of its result, then the deviations.
pub const STATISTICS: &str = "hfloat.channel_statistics";

/// A channel reaches about this many deviations from its mean.
const REACH: f64 = 4.0;

/// Channels are scaled by at most this much in either direction: one that is nearly always zero stays so.
const LARGEST_FACTOR: f64 = 16.0;

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-equalize-channels",
    summary: "Balance the ranges of channels between two convolutions",
    description: "A `conv` that took a normalization over knows how far each channel of its result reaches. Where one `conv` reads it, \
nothing or a relu stands between, and one of both is depthwise, each channel is scaled up by a factor and the weights that read it are scaled down by the same: the \
network computes the same, but in int8 with one scale for all channels the small ones keep more of their bits. A depthwise reader takes \
any factor, because its weights have a scale per channel; for others the factor is the square root that balances channels and weights.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    for operation in ir::operations(block) {
        if !Op::Conv.is(operation) || !operation.has_attribute(STATISTICS) {
            continue;
        }
        let statistics = operation.attribute(STATISTICS).ok().and_then(attribute::float_elements).unwrap_or_default();
        ir::remove_attribute(operation, STATISTICS);
        let (means, deviations) = statistics.split_at(statistics.len() / 2);
        equalize(operation, means, deviations)?;
    }
    Ok(())
}

/// The constant f32 weights of a convolution.
fn weights<'v>(operation: OperationRef<'_, '_>) -> Result<Option<(Constant<'v>, Vec<usize>)>, PassFailure> {
    let Some(constant) = ir::constant_of(operation.operand_at(1)?) else { return Ok(None) };
    let shape = constant.r#type.static_shape()?;
    Ok((constant.r#type.element == ElementType::F32).then_some((constant, shape)))
}

/// How far a channel reaches, which with a relu counts only upwards.
fn range(mean: f64, deviation: f64, relu: bool) -> f64 {
    (if relu { mean } else { mean.abs() } + REACH * deviation).max(0.0)
}

fn equalize(producer: OperationRef<'_, '_>, means: &[f64], deviations: &[f64]) -> Result<(), PassFailure> {
    let has_relu = attributes::activation(producer)?.is_some();
    let ranges: Vec<f64> = means.iter().zip(deviations).map(|(&mean, &own)| range(mean, own, has_relu)).collect();
    match ChannelPair::of(producer)? {
        // Elsewhere channels of one tensor hardly differ.
        Some(pair) if pair.has_depthwise() => pair.balance(&ranges),
        _ => Ok(()),
    }
}

/// Two convolutions with nothing or a relu between them, where nothing else reads the channels between.
pub(crate) struct ChannelPair<'c, 'a, 'v> {
    producer: OperationRef<'c, 'a>,
    weight: Constant<'v>,
    bias: Option<Constant<'v>>,
    reader: OperationRef<'c, 'a>,
    reading: Constant<'v>,
    shapes: [Vec<usize>; 2],
    group: usize,
}

impl<'c: 'a, 'a> ChannelPair<'c, 'a, '_> {
    /// The pair that a convolution begins.
    ///
    /// # Errors
    /// When attributes or types cannot be read.
    pub fn of(producer: OperationRef<'c, 'a>) -> Result<Option<Self>, PassFailure> {
        let homogeneous = matches!(attributes::activation(producer)?, None | Some((0.0, f64::INFINITY)));
        let Some(result) = ir::results(producer).into_iter().next() else { return Ok(None) };
        let users = ir::users(result);
        let &[reader] = users.as_slice() else { return Ok(None) };
        let reads_it = reader.operand(0).is_ok_and(|operand| operand.to_raw().ptr == result.to_raw().ptr);
        if !homogeneous || !reads_it || !Op::Conv.is(reader) {
            return Ok(None);
        }
        let (Some((weight, shape)), Some((reading, reading_shape))) = (weights(producer)?, weights(reader)?) else {
            return Ok(None);
        };
        let (Some(&channels), Some(&depth)) = (shape.first(), reading_shape.get(1)) else { return Ok(None) };
        let group = usize::try_from(attributes::group(reader)?).unwrap_or(1).max(1);
        let bias = match producer.operand(2) {
            Ok(bias) => match ir::constant_of(bias) {
                Some(bias) if bias.r#type.element == ElementType::F32 && bias.r#type.elements() == Some(channels) => {
                    Some(bias)
                }
                _ => return Ok(None),
            },
            Err(_) => None,
        };
        let shapes = [shape, reading_shape];
        Ok((depth * group == channels).then_some(Self { producer, weight, bias, reader, reading, shapes, group }))
    }

    /// How many channels there are between.
    pub fn channels(&self) -> usize {
        self.shapes[0].first().copied().unwrap_or_default()
    }

    fn has_depthwise(&self) -> bool {
        self.shapes.iter().any(|shape| shape.get(1) == Some(&1))
    }

    /// Scales channels of these ranges, so that they use one scale alike, and the weights that read them the other way.
    ///
    /// # Errors
    /// When constants cannot be read or made.
    pub fn balance(&self, ranges: &[f64]) -> Result<(), PassFailure> {
        if ranges.len() != self.channels() || ranges.iter().any(|range| !range.is_finite()) {
            return Ok(());
        }
        let read = Reader { shape: &self.shapes[1], group: self.group };
        let reading = self.reading.f32s()?;
        let factors = read.factors(ranges, &reading);
        let scaled = scale_channels(self.producer, &self.weight, &factors)?;
        if let Some(bias) = &self.bias {
            let values = bias.f32s()?;
            let biases = values.iter().zip(&factors).map(|(&bias, factor)| (f64::from(bias) * factor) as f32);
            give(self.producer, 2, &bias.r#type, &biases.collect::<Vec<f32>>())?;
        }
        let factor = |index| factors.get(read.channel(index)).copied().unwrap_or(1.0);
        let read = reading.iter().enumerate().map(|(index, &value)| (f64::from(value) / factor(index)) as f32);
        let read: Vec<f32> = read.collect();
        give(self.producer, 1, &self.weight.r#type, &scaled)?;
        give(self.reader, 1, &self.reading.r#type, &read)
    }
}

/// The weights of the convolution that reads the channels.
struct Reader<'s> {
    shape: &'s [usize],
    group: usize,
}

impl Reader<'_> {
    /// The channel that a weight reads.
    fn channel(&self, index: usize) -> usize {
        let inner: usize = self.shape.iter().skip(2).product::<usize>().max(1);
        let depth = self.shape.get(1).copied().unwrap_or(1).max(1);
        let per_group = (self.shape.first().copied().unwrap_or(1) / self.group).max(1);
        index / (inner * depth) / per_group * depth + index / inner % depth
    }

    /// By how much each channel grows.
    fn factors(&self, ranges: &[f64], weights: &[f32]) -> Vec<f64> {
        let depthwise = self.shape.get(1) == Some(&1);
        let mut largest = vec![0f64; ranges.len()];
        for (i, &weight) in weights.iter().enumerate() {
            if let Some(largest) = largest.get_mut(self.channel(i)) {
                *largest = largest.max(f64::from(weight.abs()));
            }
        }
        let wanted: Vec<f64> = ranges
            .iter()
            .zip(&largest)
            .map(|(&range, &weight)| match (range > 0.0, weight > 0.0) {
                (true, _) if depthwise => 1.0 / range,
                (true, true) => (weight / range).sqrt(),
                _ => 0.0,
            })
            .collect();
        // The largest channel keeps its range.
        let top = ranges.iter().zip(&wanted).map(|(range, factor)| range * factor).fold(0.0, f64::max);
        let before = ranges.iter().copied().fold(0.0, f64::max);
        if top <= 0.0 || before <= 0.0 {
            return vec![1.0; ranges.len()];
        }
        let clamp = |factor: f64| match factor > 0.0 {
            true => (factor * before / top).clamp(1.0 / LARGEST_FACTOR, LARGEST_FACTOR),
            false => 1.0,
        };
        wanted.into_iter().map(clamp).collect()
    }
}

/// Gives an operation another constant.
fn give(operation: OperationRef<'_, '_>, index: usize, r#type: &TensorType, values: &[f32]) -> Result<(), PassFailure> {
    let suffix = if index == 1 { "weight" } else { "bias" };
    let value: Value<'_, '_> = constant_before(operation, suffix, r#type, values)?;
    ir::set_operand(operation, index, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depthwise_readers_take_any_factor() {
        let reader = Reader { shape: &[3, 1, 1, 1], group: 3 };
        // Ranges 8, 2 and 0.1 become 8, 8 and, because factors end at 16, 1.6.
        assert_eq!(reader.factors(&[8.0, 2.0, 0.1], &[1.0, 1.0, 1.0]), [1.0, 4.0, 16.0]);
        // Nothing is known of a channel that is always zero.
        assert_eq!(reader.factors(&[8.0, 0.0, 2.0], &[1.0, 1.0, 1.0]), [1.0, 1.0, 4.0]);
    }

    #[test]
    fn other_readers_share_the_factor() {
        let reader = Reader { shape: &[2, 2, 1, 1], group: 1 };
        // Channel 1 has a sixteenth of the range and four times the weight: it grows by sqrt(16 * 4).
        let factors = reader.factors(&[16.0, 1.0], &[1.0, 4.0, 0.5, 2.0]);
        assert_eq!(factors, [1.0, 8.0]);
        assert_eq!([0, 1, 2, 3].map(|i| reader.channel(i)), [0, 1, 0, 1]);
        let grouped = Reader { shape: &[4, 2, 1, 1], group: 2 };
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(|i| grouped.channel(i)), [0, 1, 0, 1, 2, 3, 2, 3]);
    }
}
