//! Convolutions, pools and resampling.

use super::{Draft, matrix::weights, of_rank, statistics::divisor, word};
use crate::network::{Generator, Known};
use hb::cpu::Array;
use hb::frontend::onnx::model::Attribute;
use hb_dialects::ElementType;
use hb_dialects::registry::{OnnxKind, OnnxOperator};

/// Whether padding is said by a rule instead of numbers.
fn auto_pad(generator: &mut Generator, operator: &OnnxOperator, draft: &mut Draft) -> bool {
    if let Some(OnnxKind::Choice(words)) = operator.attribute_at("auto_pad", generator.opset).map(|row| row.kind)
        && generator.chance(25)
    {
        let chosen = *generator.rng.choice(words).unwrap();
        draft.set("auto_pad", word(chosen));
        return chosen != "NOTSET";
    }
    draft.set("auto_pad", word("NOTSET"));
    false
}

/// The sizes of a window on so many spatial dimensions, its attributes set.
fn window(generator: &mut Generator, operator: &OnnxOperator, draft: &mut Draft, spatial: &[usize]) -> Vec<usize> {
    let kernel: Vec<usize> = spatial
        .iter()
        .map(|&size| generator.rng.usize(1..=size.clamp(1, if spatial.len() > 2 { 2 } else { 4 })))
        .collect();
    let small = |generator: &mut Generator, percent: u8, most: i64| {
        if generator.chance(percent) { generator.rng.i64(1..=most) } else { 1 }
    };
    let ints = |values: Vec<i64>| Attribute::Ints(values);
    if operator.attribute_at("dilations", generator.opset).is_some() && generator.chance(40) {
        let dilations = kernel.iter().map(|_| small(generator, 40, 3)).collect();
        draft.set("dilations", ints(dilations));
    }
    if generator.chance(70) {
        let strides = kernel.iter().map(|_| small(generator, 50, 3)).collect();
        draft.set("strides", ints(strides));
    }
    if !auto_pad(generator, operator, draft) && generator.chance(70) {
        let pads =
            kernel.iter().chain(&kernel).map(|&kernel| generator.rng.i64(0..=(kernel as i64 - 1).min(2))).collect();
        draft.set("pads", ints(pads));
    }
    kernel
}

fn sizes(values: &[usize]) -> Attribute {
    Attribute::Ints(values.iter().map(|&value| value as i64).collect())
}

fn groups(generator: &mut Generator, channels: usize) -> usize {
    match generator.rng.u8(0..6) {
        0..=2 => 1,
        3 | 4 => channels,
        _ => divisor(generator, channels),
    }
}

/// A bias, an absent one, or one that is left out by an empty name.
fn bias(generator: &mut Generator, draft: &mut Draft, channels: usize) {
    match generator.rng.u8(0..4) {
        0 => {}
        1 => draft.put(2, String::new()),
        _ => {
            let bias = generator.constant(ElementType::F32, &[channels], -1.0, 1.0);
            draft.put(2, bias);
        }
    }
}

pub fn conv(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 3..=5)?;
    let (channels, spatial) = (x.shape()[1], &x.shape()[2..]);
    let group = groups(generator, channels);
    let filters = group * generator.rng.usize(1..=(24 / group).clamp(1, 9));
    let mut draft = Draft::default();
    let kernel = window(generator, operator, &mut draft, spatial);
    let shape = [&[filters, channels / group], kernel.as_slice()].concat();
    let weight = match generator.value(|known| known.is_float() && known.shape() == shape) {
        Some(known) if generator.rng.bool() => known.name,
        _ => weights(generator, &shape, shape[1..].iter().product()),
    };
    draft.inputs = vec![x.name, weight];
    bias(generator, &mut draft, filters);
    draft.set("group", Attribute::Int(group as i64));
    if generator.rng.bool() {
        draft.set("kernel_shape", sizes(&kernel));
    }
    Some(draft)
}

pub fn conv_transpose(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 3..=5)?;
    let (channels, spatial) = (x.shape()[1], &x.shape()[2..]);
    let group = groups(generator, channels);
    let filters = generator.rng.usize(1..=4);
    let mut draft = Draft::default();
    let kernel = window(generator, operator, &mut draft, spatial);
    let shape = [&[channels, filters], kernel.as_slice()].concat();
    let weight = weights(generator, &shape, channels / group * kernel.iter().product::<usize>());
    draft.inputs = vec![x.name.clone(), weight];
    bias(generator, &mut draft, group * filters);
    draft.set("group", Attribute::Int(group as i64));
    if generator.chance(25) {
        let padding = kernel.iter().map(|_| generator.rng.i64(0..=1)).collect();
        draft.set("output_padding", Attribute::Ints(padding));
    } else if generator.chance(15) {
        let shape = spatial.iter().map(|&size| (size + generator.rng.usize(0..=3)) as i64).collect();
        draft.set("output_shape", Attribute::Ints(shape));
    }
    Some(draft)
}

pub fn pool(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 3..=5)?;
    let mut draft = Draft::of(&[&x.name]);
    let kernel = window(generator, operator, &mut draft, &x.shape()[2..]);
    draft.set("kernel_shape", sizes(&kernel));
    Some(draft)
}

pub fn pool_indices(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    Some(Draft { outputs: 2, ..pool(generator, operator)? })
}

pub fn global_pool(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 3..=5)?;
    Some(Draft::of(&[&x.name]))
}

/// Scales per axis; images mostly keep batch and channels.
fn scales(generator: &mut Generator, shape: &[usize], factors: &[f32]) -> Vec<f32> {
    let outer = if generator.chance(85) { shape.len().saturating_sub(2) } else { 0 };
    let same = *generator.rng.choice(factors).unwrap();
    let each = generator.rng.bool();
    (0..shape.len())
        .map(|axis| match axis < outer {
            true => 1.0,
            false if each => *generator.rng.choice(factors).unwrap(),
            false => same,
        })
        .collect()
}

fn floats(generator: &mut Generator, values: &[f32]) -> String {
    generator.initializer(Array::from_values(&[values.len()], values).unwrap())
}

fn resized(generator: &mut Generator) -> Option<Known> {
    let shape = generator.shape(4);
    if generator.chance(85) { generator.float(|shape| shape.len() == 4, &shape) } else { of_rank(generator, 1..=5) }
}

pub fn upsample(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = resized(generator)?;
    let values = scales(generator, x.shape(), &[1.0, 2.0, 3.0, 1.5]);
    let mut draft = Draft::of(&[&x.name]);
    if operator.attribute_at("scales", generator.opset).is_some() {
        draft.set("scales", Attribute::Floats(values));
    } else {
        let scales = floats(generator, &values);
        draft.put(1, scales);
    }
    if generator.rng.bool() {
        draft.set("mode", word(generator.rng.choice(["nearest", "linear"])?));
    }
    Some(draft)
}

pub fn resize(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = resized(generator)?;
    let mut draft = Draft::of(&[&x.name]);
    let factors = [1.0, 2.0, 2.0, 3.0, 0.5, 1.5, 0.7, 4.0];
    let values = scales(generator, x.shape(), &factors);
    if operator.inputs_at(generator.opset)?.most < 3 {
        let scales = floats(generator, &values);
        draft.put(1, scales);
        return Some(draft);
    }
    // From opset 18 on the axes that change may be named.
    let mut axes: Vec<usize> = (0..x.rank()).collect();
    if operator.attribute_at("axes", generator.opset).is_some() && generator.chance(40) {
        axes.retain(|&axis| values[axis] != 1.0 || generator.rng.bool());
        draft.set("axes", sizes(&axes));
    }
    let values: Vec<f32> = axes.iter().map(|&axis| values[axis]).collect();
    if generator.chance(70) {
        let scales = floats(generator, &values);
        draft.put(2, scales);
    } else {
        let wanted: Vec<i64> =
            axes.iter().zip(&values).map(|(&axis, scale)| (x.shape()[axis] as f32 * scale).ceil() as i64).collect();
        let sizes = generator.integers(&wanted);
        draft.put(3, sizes);
    }
    if generator.chance(15) {
        let starts = (0..axes.len()).map(|_| generator.real(0.0, 0.25)).collect::<Vec<_>>();
        let ends = (0..axes.len()).map(|_| generator.real(0.75, 1.0)).collect::<Vec<_>>();
        let region = floats(generator, &[starts, ends].concat());
        draft.put(1, region);
        draft.set("coordinate_transformation_mode", word("tf_crop_and_resize"));
    }
    Some(draft)
}
