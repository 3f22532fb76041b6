//! `quant-scale-channels`: what `per_channel` asks for, a range for each channel of a feature map.
//!
//! Integers of one tensor have one scale. A scale per channel is carried by the weights on both sides: those that compute a channel make it as large as
//! the largest one, those that read it take that back (decision 0057).

use super::{
    calibrate::{CalibrationError, Samples, in_parallel},
    info::QuantInfo,
};
use crate::cpu::FloatExecutable;
use crate::float::ChannelPair;
use crate::numerics::largest_magnitude;
use hb_dialects::{
    hfloat::Op,
    ir::{self, OperationAttributes, TensorType},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, ValueLike};
use std::collections::BTreeMap;

/// The pass.
pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-scale-channels",
    summary: "Give each channel of a feature map a range of its own",
    description: "Reads `{prefix}_quant_info.json`. For each convolution that its `channel_ranges` name, channel by channel in the order in which they compute: the weights and the bias that compute a channel are scaled up so that all channels use the scale of the tensor alike, and the weights of the convolution that reads them are scaled down. A depthwise reader takes any factor up to 16, because its weights have a scale per channel; for others the factor is the square root that balances channels and weights. A name that is no such convolution is an error.",
    anchor: "func.func",
    options: &[OptionDefinition { name: "info", default: "", description: "`{prefix}_quant_info.json`" }],
    run,
};

/// The largest magnitude of each channel, by the name of the convolution that computes them.
pub type ChannelRanges = BTreeMap<String, Vec<f64>>;

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let Some(path) = options.file("info") else {
        return Err(PassFailure::Message("give the file of what was decided as the option info".into()));
    };
    let failed = |reason: String| PassFailure::Message(format!("{}: {reason}", path.display()));
    let info = QuantInfo::read(&path).map_err(failed)?;
    scale_channels(function, &info.channel_ranges)
}

/// The convolutions whose channels can have ranges of their own, with the shape of their results.
fn scalable<'c: 'a, 'a>(
    function: OperationRef<'c, 'a>,
) -> Result<Vec<(OperationRef<'c, 'a>, Vec<usize>)>, PassFailure> {
    let mut found = Vec::new();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        let result = ir::results(operation).into_iter().next().filter(|_| Op::Conv.is(operation));
        if let Some(result) = result
            && ChannelPair::of(operation)?.is_some()
        {
            found.push((operation, TensorType::from_type(result.r#type())?.static_shape()?));
        }
    }
    Ok(found)
}

/// Scales the channels of a network.
///
/// # Errors
/// When a name is that of no convolution whose channels can have ranges of their own, or constants cannot be read or made.
pub fn scale_channels(function: OperationRef<'_, '_>, ranges: &ChannelRanges) -> Result<(), PassFailure> {
    let mut scaled = 0;
    // Scaling the channels of one makes the weights of its reader others, not the ranges of what that computes.
    for (operation, _) in scalable(function)? {
        if let (Some(ranges), Some(pair)) = (ranges.get(&operation.node()), ChannelPair::of(operation)?) {
            if ranges.len() != pair.channels() {
                let (count, channels) = (ranges.len(), pair.channels());
                let reason = format!("node '{}': {count} ranges for {channels} channels", operation.node());
                return Err(PassFailure::Message(reason));
            }
            pair.balance(ranges)?;
            scaled += 1;
        }
    }
    if scaled == ranges.len() {
        return Ok(());
    }
    let known: Vec<String> = scalable(function)?.into_iter().map(|(operation, _)| operation.node()).collect();
    let unknown = ranges.keys().filter(|name| !known.contains(name)).map(String::as_str);
    let names = unknown.collect::<Vec<_>>().join(", ");
    Err(PassFailure::Message(format!("these are no convolutions whose channels can have ranges of their own: {names}")))
}

/// Measures the channels that can have ranges of their own, over all samples. `executable` runs the network with its values observed.
///
/// # Errors
/// When a sample cannot be read or run, or attributes cannot be read.
pub fn channel_ranges(
    function: OperationRef<'_, '_>,
    executable: &FloatExecutable,
    samples: &Samples<'_>,
) -> Result<ChannelRanges, CalibrationError> {
    let shapes = scalable(function)?.into_iter().map(|(operation, shape)| (operation.node(), shape));
    let shapes: BTreeMap<String, Vec<usize>> = shapes.collect();
    let measure = |indices: &mut dyn Iterator<Item = usize>| {
        let mut ranges = ChannelRanges::new();
        for index in indices {
            let inputs = (samples.read)(executable, index)?;
            executable.run_with_observer(&inputs.iter().collect::<Vec<_>>(), &mut |name, view| {
                let (Some(values), Some(shape)) = (view.values::<f32>(), shapes.get(name)) else { return };
                let &[_, channels, ..] = shape.as_slice() else { return };
                let inner = shape.iter().skip(2).product::<usize>().max(1);
                let known = ranges.entry(name.to_owned()).or_insert_with(|| vec![0.0; channels]);
                for (position, values) in values.chunks(inner).enumerate() {
                    if let Some(largest) = known.get_mut(position % channels.max(1)) {
                        *largest = largest.max(f64::from(largest_magnitude(values)));
                    }
                }
            })?;
        }
        Ok(ranges)
    };
    let indices: Vec<usize> = (0..samples.count).collect();
    let mut parts = in_parallel(&indices, samples.jobs, measure)?.into_iter();
    let mut all = parts.next().unwrap_or_default();
    for (name, ranges) in parts.flatten() {
        match all.get_mut(&name) {
            Some(known) => known.iter_mut().zip(ranges).for_each(|(known, other)| *known = known.max(other)),
            None => {
                all.insert(name, ranges);
            }
        }
    }
    Ok(all)
}
