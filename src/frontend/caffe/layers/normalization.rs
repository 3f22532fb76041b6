//! Layers that scale: by constants, by statistics, by neighbours.

use super::super::builder::{Blob, LayerBuilder, Size, ints, known, shown};
use super::super::proto::lrn_parameter::NormRegion;
use super::Built;
use crate::frontend::onnx::model::Attribute;

/// Mean and variance of each channel become 0 and 1: those of the file, or those of the batch.
pub fn batch_norm(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.batch_norm_param.unwrap_or_default();
    let x = b.bottom(0)?;
    let channels = if x.rank() == 1 { 1 } else { x.size(1)? };
    if !parameter.use_global_stats.unwrap_or(true) {
        return of_the_batch(b, &x, parameter.eps());
    }
    let mean = b.weight_values(0, &[channels])?;
    let variance = b.weight_values(1, &[channels])?;
    let factor = b.weight_values(2, &[1])?.first().copied().unwrap_or_default();
    // The file holds sums, and by what to divide them.
    let factor = if factor == 0.0 { 0.0 } else { 1.0 / factor };
    let scaled = |values: Vec<f32>| values.into_iter().map(|value| value * factor).collect::<Vec<_>>();
    let scale = b.floats("scale", &[channels], &vec![1.0; channels])?;
    let bias = b.floats("bias", &[channels], &vec![0.0; channels])?;
    let mean = b.floats("mean", &[channels], &scaled(mean))?;
    let variance = b.floats("variance", &[channels], &scaled(variance))?;
    let inputs = [&x, &scale, &bias, &mean, &variance];
    Ok(vec![b.node(
        "BatchNormalization",
        &inputs,
        &[("epsilon", Attribute::Float(parameter.eps()))],
        x.shape.clone(),
    )?])
}

fn of_the_batch(b: &mut LayerBuilder<'_>, x: &Blob, epsilon: f32) -> Built {
    let axes: Vec<usize> = (0..x.rank()).filter(|axis| *axis != 1).collect();
    let (centred, variance) = centred(b, x, &axes)?;
    let epsilon = b.scalar("epsilon", epsilon);
    let sum = b.binary("Add", &variance, &epsilon)?;
    let deviation = b.unary("Sqrt", &sum, &[])?;
    Ok(vec![b.binary("Div", &centred, &deviation)?])
}

/// What is left without the mean, and the variance.
fn centred(b: &mut LayerBuilder<'_>, x: &Blob, axes: &[usize]) -> Result<(Blob, Blob), String> {
    let mean = b.reduce("ReduceMean", x, axes, true)?;
    let centred = b.binary("Sub", x, &mean)?;
    let square = b.binary("Mul", &centred, &centred)?;
    let variance = b.reduce("ReduceMean", &square, axes, true)?;
    Ok((centred, variance))
}

/// Mean 0, and deviation 1 when asked for, of each channel or of each sample.
pub fn mvn(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.mvn_param.unwrap_or_default();
    let (x, _) = b.image()?;
    let axes: &[usize] = if parameter.across_channels() { &[1, 2, 3] } else { &[2, 3] };
    if !parameter.normalize_variance() {
        let mean = b.reduce("ReduceMean", &x, axes, true)?;
        return Ok(vec![b.binary("Sub", &x, &mean)?]);
    }
    let (centred, variance) = centred(b, &x, axes)?;
    let root = b.unary("Sqrt", &variance, &[])?;
    let epsilon = b.scalar("epsilon", parameter.eps());
    let deviation = b.binary("Add", &root, &epsilon)?;
    Ok(vec![b.binary("Div", &centred, &deviation)?])
}

/// The dimensions of a constant of Scale or Bias: `count` of them from an axis on, all of them for -1.
fn covered(x: &Blob, axis: i32, count: i32) -> Result<(usize, Vec<usize>), String> {
    // A constant of one value lies nowhere.
    let start = if count == 0 { 0 } else { x.axis(axis)? };
    let end = if count < 0 { x.rank() } else { start.saturating_add(count as usize) };
    let sizes: Result<Vec<usize>, String> = (start..end).map(|axis| x.size(axis)).collect();
    let sizes = sizes.map_err(|_| format!("num_axes {count} from axis {axis} on is not within {}", shown(&x.shape)))?;
    Ok((start, sizes))
}

/// The second bottom, or a blob of the file, so that it lies along the dimensions that it covers.
fn second(b: &mut LayerBuilder<'_>, x: &Blob, part: &str, axis: i32, count: i32) -> Result<Blob, String> {
    let (start, sizes) = if b.bottoms.len() > 1 {
        let other = b.bottom(1)?;
        let start = if other.rank() == 0 { 0 } else { x.axis(axis)? };
        if x.shape.get(start..start + other.rank()) != Some(other.shape.as_slice()) {
            let (x, other) = (shown(&x.shape), shown(&other.shape));
            return Err(format!(
                "the second bottom has the shape {other}, which is not that of {x} from axis {start} on"
            ));
        }
        (start, other.shape)
    } else {
        let (start, sizes) = covered(x, axis, count)?;
        (start, known(&sizes))
    };
    let behind = x.rank() - start - sizes.len();
    let shape: Vec<Size> = sizes.into_iter().chain(std::iter::repeat_n(Some(1), behind)).collect();
    if b.bottoms.len() > 1 {
        let other = b.bottom(1)?;
        return b.reshape(&other, shape);
    }
    let shape = Blob { value: String::new(), shape }.sizes()?;
    b.weight_blob(part, 0, &shape)
}

/// Times a constant or the second bottom, and plus a constant when asked for.
pub fn scale(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.scale_param.clone().unwrap_or_default();
    let x = b.bottom(0)?;
    let factor = second(b, &x, "scale", parameter.axis(), parameter.num_axes())?;
    let product = b.binary("Mul", &x, &factor)?;
    if !parameter.bias_term() {
        return Ok(vec![product]);
    }
    let index = usize::from(b.bottoms.len() == 1);
    let shape = factor.sizes()?;
    let bias = b.weight_blob("bias", index, &shape)?;
    Ok(vec![b.binary("Add", &product, &bias)?])
}

/// Plus a constant or the second bottom.
pub fn bias(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.bias_param.clone().unwrap_or_default();
    let x = b.bottom(0)?;
    let term = second(b, &x, "bias", parameter.axis(), parameter.num_axes())?;
    Ok(vec![b.binary("Add", &x, &term)?])
}

/// Divided by a power of the squares around: of the channels beside, or of the pixels around.
pub fn lrn(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.lrn_param.unwrap_or_default();
    let size = parameter.local_size() as usize;
    if size.is_multiple_of(2) {
        return Err(format!("local_size is {size}, it must be odd"));
    }
    let (x, _) = b.image()?;
    if parameter.norm_region() == NormRegion::AcrossChannels {
        let attributes = [
            ("size", Attribute::Int(size as i64)),
            ("alpha", Attribute::Float(parameter.alpha())),
            ("beta", Attribute::Float(parameter.beta())),
            ("bias", Attribute::Float(parameter.k())),
        ];
        return Ok(vec![b.unary("LRN", &x, &attributes)?]);
    }
    // Within a channel Caffe takes 1 for k.
    if parameter.k.is_some_and(|k| k != 1.0) {
        return Err("k has no meaning within a channel, where Caffe takes 1; remove it".to_owned());
    }
    let square = b.binary("Mul", &x, &x)?;
    let attributes = [
        ("kernel_shape", ints([size, size])),
        ("pads", ints([size / 2; 4])),
        ("strides", ints([1, 1])),
        ("count_include_pad", Attribute::Int(1)),
    ];
    let mean = b.node("AveragePool", &[&square], &attributes, x.shape.clone())?;
    let (alpha, one, exponent) =
        (b.scalar("alpha", parameter.alpha()), b.scalar("one", 1.0), b.scalar("beta", -parameter.beta()));
    let scaled = b.binary("Mul", &mean, &alpha)?;
    let sum = b.binary("Add", &scaled, &one)?;
    let factor = b.binary("Pow", &sum, &exponent)?;
    Ok(vec![b.binary("Mul", &x, &factor)?])
}

/// Divided by the root of the sum of squares of each pixel or of each sample, times constants of the file.
pub fn normalize(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.norm_param.clone().unwrap_or_default();
    let (x, [channels, ..]) = b.image()?;
    let axes: &[usize] = if parameter.across_spatial() { &[1, 2, 3] } else { &[1] };
    let squares = b.reduce("ReduceSumSquare", &x, axes, true)?;
    let epsilon = b.scalar("epsilon", parameter.eps());
    let sum = b.binary("Add", &squares, &epsilon)?;
    let norm = b.unary("Sqrt", &sum, &[])?;
    let normal = b.binary("Div", &x, &norm)?;
    let shape: &[usize] = if parameter.channel_shared() { &[1] } else { &[channels, 1, 1] };
    let scale = b.weight_blob("scale", 0, shape)?;
    Ok(vec![b.binary("Mul", &normal, &scale)?])
}

/// Softmax along one dimension.
pub fn softmax(b: &mut LayerBuilder<'_>) -> Built {
    let x = b.bottom(0)?;
    let axis = x.axis(b.layer.parameters.softmax_param.unwrap_or_default().axis())?;
    Ok(vec![b.unary("Softmax", &x, &[("axis", Attribute::Int(axis as i64))])?])
}
