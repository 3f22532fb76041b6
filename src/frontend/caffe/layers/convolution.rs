//! Convolution, Deconvolution and their depthwise forms.

use super::super::builder::{Blob, LayerBuilder, Size, ints};
use super::super::proto::ConvolutionParameter;
use super::Built;
use crate::frontend::onnx::model::Attribute;

/// How a convolution walks: a value for each spatial dimension.
struct Window {
    kernel: Vec<usize>,
    pads: Vec<usize>,
    strides: Vec<usize>,
    dilations: Vec<usize>,
}

/// What one field says for each spatial dimension: nothing, one value for all, or as many values.
fn per_axis(
    name: &str,
    values: &[u32],
    pair: Option<[u32; 2]>,
    count: usize,
    default: u32,
) -> Result<Vec<usize>, String> {
    let values: Vec<u32> = match (pair, values) {
        (Some(_), [_, ..]) => {
            return Err(format!("{name} is given twice: for all dimensions, and for rows and columns"));
        }
        (Some(_), []) if count != 2 => {
            return Err(format!("{name} is given for rows and columns, the bottom has {count} spatial dimensions"));
        }
        (Some(pair), []) => pair.to_vec(),
        (None, []) => vec![default; count],
        (None, [one]) => vec![*one; count],
        (None, several) if several.len() == count => several.to_vec(),
        (None, several) => {
            return Err(format!("{name} has {} values, the bottom has {count} spatial dimensions", several.len()));
        }
    };
    Ok(values.into_iter().map(|value| value as usize).collect())
}

/// Rows and columns, when one of them is given.
fn pair(h: Option<u32>, w: Option<u32>, default: u32) -> Option<[u32; 2]> {
    (h.is_some() || w.is_some()).then(|| [h.unwrap_or(default), w.unwrap_or(default)])
}

impl Window {
    fn of(parameter: &ConvolutionParameter, spatial: usize) -> Result<Self, String> {
        let dilation: Vec<u32> = match (parameter.dilation.as_slice(), parameter.hole) {
            ([], Some(hole)) => vec![hole],
            (given, None) => given.to_vec(),
            _ => return Err("dilation and hole say the same; keep dilation".to_owned()),
        };
        let kernel = per_axis(
            "kernel_size",
            &parameter.kernel_size,
            pair(parameter.kernel_h, parameter.kernel_w, 0),
            spatial,
            0,
        )?;
        let window = Self {
            kernel,
            pads: per_axis("pad", &parameter.pad, pair(parameter.pad_h, parameter.pad_w, 0), spatial, 0)?,
            strides: per_axis(
                "stride",
                &parameter.stride,
                pair(parameter.stride_h, parameter.stride_w, 1),
                spatial,
                1,
            )?,
            dilations: per_axis("dilation", &dilation, None, spatial, 1)?,
        };
        for (name, values) in
            [("kernel_size", &window.kernel), ("stride", &window.strides), ("dilation", &window.dilations)]
        {
            if values.contains(&0) {
                return Err(format!("{name} is missing or 0"));
            }
        }
        Ok(window)
    }

    /// The size that this makes of one.
    fn size(&self, axis: usize, size: usize, transposed: bool) -> Result<usize, String> {
        let at = |values: &[usize]| values.get(axis).copied().unwrap_or(1) as i128;
        let (kernel, pad, stride) = (at(&self.kernel), at(&self.pads), at(&self.strides));
        let extent = at(&self.dilations) * (kernel - 1) + 1;
        let size = size as i128;
        let result = if transposed {
            stride * (size - 1) + extent - 2 * pad
        } else if size + 2 * pad < extent {
            0
        } else {
            (size + 2 * pad - extent) / stride + 1
        };
        usize::try_from(result).ok().filter(|result| *result > 0).ok_or_else(|| {
            format!(
                "a kernel that covers {extent} and {pad} of padding leave nothing of the {size} of dimension {}",
                axis + 2
            )
        })
    }

    fn attributes(&self, group: usize) -> Vec<(&'static str, Attribute)> {
        vec![
            ("kernel_shape", ints(self.kernel.iter().copied())),
            ("pads", ints(self.pads.iter().chain(&self.pads).copied())),
            ("strides", ints(self.strides.iter().copied())),
            ("dilations", ints(self.dilations.iter().copied())),
            ("group", Attribute::Int(group as i64)),
        ]
    }
}

/// Convolution: each bottom by itself, all with the same weights.
pub fn convolution(b: &mut LayerBuilder<'_>) -> Built {
    all(b, false, false)
}

/// Convolution with one group per channel, whether the file says `group` or not.
pub fn depthwise(b: &mut LayerBuilder<'_>) -> Built {
    all(b, false, true)
}

/// Deconvolution.
pub fn deconvolution(b: &mut LayerBuilder<'_>) -> Built {
    all(b, true, false)
}

/// Deconvolution with one group per channel.
pub fn depthwise_deconvolution(b: &mut LayerBuilder<'_>) -> Built {
    all(b, true, true)
}

fn all(b: &mut LayerBuilder<'_>, transposed: bool, depthwise: bool) -> Built {
    let parameter = b.layer.parameters.convolution_param.clone().unwrap_or_default();
    let mut tops = Vec::new();
    let mut shared: Option<(usize, Vec<Blob>)> = None;
    for index in 0..b.bottoms.len() {
        let x = b.bottom(index)?;
        if x.rank() < 3 || x.axis(parameter.axis())? != 1 {
            return Err("convolutions run over dimensions behind the channels, which are dimension 1".to_owned());
        }
        let channels = x.size(1)?;
        let window = Window::of(&parameter, x.rank() - 2)?;
        let group = match parameter.group.map(|group| group as usize) {
            Some(group) if depthwise && group != 1 && group != channels => {
                return Err(format!("group is {group}, a depthwise layer of {channels} channels has as many"));
            }
            _ if depthwise => channels,
            group => group.unwrap_or(1),
        };
        let count = parameter.num_output.unwrap_or(0) as usize;
        if count == 0 {
            return Err("num_output is missing or 0".to_owned());
        }
        if group == 0 || !channels.is_multiple_of(group) || !count.is_multiple_of(group) {
            return Err(format!("group {group} divides not both the {channels} channels and num_output {count}"));
        }
        let weights = match &shared {
            Some((known, weights)) if *known == channels => weights.clone(),
            Some((known, _)) => return Err(format!("its bottoms have {known} and {channels} channels")),
            None => weights(b, &parameter, &window, [channels, count, group], transposed)?,
        };
        let mut shape: Vec<Size> = vec![x.shape.first().copied().flatten(), Some(count)];
        for axis in 2..x.rank() {
            shape.push(Some(window.size(axis - 2, x.size(axis)?, transposed)?));
        }
        let operator = if transposed { "ConvTranspose" } else { "Conv" };
        let inputs: Vec<&Blob> = [&x].into_iter().chain(&weights).collect();
        tops.push(b.node(operator, &inputs, &window.attributes(group), shape)?);
        shared = Some((channels, weights));
    }
    Ok(tops)
}

/// Weight and bias.
fn weights(
    b: &mut LayerBuilder<'_>,
    parameter: &ConvolutionParameter,
    window: &Window,
    [channels, count, group]: [usize; 3],
    transposed: bool,
) -> Result<Vec<Blob>, String> {
    let (outer, inner) = if transposed { (channels, count / group) } else { (count, channels / group) };
    let shape: Vec<usize> = [outer, inner].into_iter().chain(window.kernel.iter().copied()).collect();
    let mut weights = vec![b.weight_blob("weight", 0, &shape)?];
    if parameter.bias_term() {
        weights.push(b.weight_blob("bias", 1, &[count])?);
    }
    Ok(weights)
}
