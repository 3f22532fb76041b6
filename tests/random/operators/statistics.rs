//! Normalizations and reductions.

use super::{Draft, of_rank};
use crate::network::{Generator, Known};
use hb::cpu::Array;
use hb::frontend::onnx::model::Attribute;
use hb_dialects::ElementType;
use hb_dialects::registry::OnnxOperator;

/// A parameter of a normalization.
fn parameter(generator: &mut Generator, shape: &[usize]) -> String {
    let low = if generator.rng.bool() { 0.25 } else { -1.5 };
    generator.constant(ElementType::F32, shape, low, 2.0)
}

pub fn batch_normalization(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 2..=5)?;
    let channels = [x.shape()[1]];
    let mut inputs = vec![x.name];
    for _ in 0..3 {
        inputs.push(parameter(generator, &channels));
    }
    inputs.push(generator.constant(ElementType::F32, &channels, 0.25, 3.0));
    Some(Draft { inputs, ..Draft::default() })
}

pub fn instance_normalization(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 3..=5)?;
    let channels = [x.shape()[1]];
    let (scale, bias) = (parameter(generator, &channels), parameter(generator, &channels));
    Some(Draft::of(&[&x.name, &scale, &bias]))
}

pub fn divisor(generator: &mut Generator, of: usize) -> usize {
    let divisors: Vec<usize> = (1..=of).filter(|divisor| of.is_multiple_of(*divisor)).collect();
    *generator.rng.choice(&divisors).unwrap()
}

pub fn group_normalization(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 3..=5)?;
    let groups = divisor(generator, x.shape()[1]);
    let parameters = [if generator.opset < 21 { groups } else { x.shape()[1] }];
    let (scale, bias) = (parameter(generator, &parameters), parameter(generator, &parameters));
    let mut draft = Draft::of(&[&x.name, &scale, &bias]);
    draft.set("num_groups", Attribute::Int(groups as i64));
    Some(draft)
}

pub fn layer_normalization(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 1..=5)?;
    let rank = x.rank();
    let axis = if generator.chance(60) { rank as i64 - 1 } else { generator.rng.usize(0..rank) as i64 };
    let normalized = x.shape()[axis as usize..].to_vec();
    let scale = parameter(generator, &normalized);
    let mut draft = Draft::of(&[&x.name, &scale]);
    if generator.chance(70) {
        let bias = parameter(generator, &normalized);
        draft.put(2, bias);
    }
    draft.set("axis", Attribute::Int(if generator.rng.bool() { axis - rank as i64 } else { axis }));
    Some(draft)
}

pub fn lrn(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 3..=4)?;
    let mut draft = Draft::of(&[&x.name]);
    draft.set("size", Attribute::Int(generator.rng.i64(1..=7)));
    draft.set("bias", Attribute::Float(generator.real(0.5, 2.0)));
    draft.set("alpha", Attribute::Float(generator.real(0.0, 1.0)));
    Some(draft)
}

pub fn softmax(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 1..=5)?;
    let mut draft = Draft::of(&[&x.name]);
    if generator.chance(80) {
        draft.set("axis", Attribute::Int(generator.axis(x.rank())));
    }
    Some(draft)
}

pub fn position_of_extreme(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known: &Known| known.rank() > 0)?;
    let mut draft = Draft::of(&[&x.name]);
    draft.set("axis", Attribute::Int(generator.axis(x.rank())));
    Some(draft)
}

pub fn reduce(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.any()?;
    let mut draft = Draft::of(&[&x.name]);
    if x.rank() > 0 && generator.chance(85) {
        let axes = generator.axes(x.rank());
        draft.ints(generator, operator, "axes", 1, &axes);
    }
    Some(draft)
}

/// Two results: the largest or smallest elements along an axis, and where they were.
pub fn top_k(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known| known.rank() > 0 && known.array.element() == ElementType::F32)?;
    let axis = generator.axis(x.rank());
    let size = x.shape()[axis.rem_euclid(x.rank() as i64) as usize];
    let k = generator.rng.i64(1..=size as i64);
    let mut draft = Draft::of(&[&x.name]);
    match operator.attribute_at("k", generator.opset) {
        Some(_) => draft.set("k", Attribute::Int(k)),
        None => draft.inputs.push(generator.integers(&[k])),
    }
    draft.set("axis", Attribute::Int(axis));
    draft.outputs = 2;
    Some(draft)
}

/// The axis is an input.
pub fn cum_sum(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known| known.rank() > 0)?;
    let axis = generator.axis(x.rank());
    let axis = generator.initializer(Array::from_values(&[], &[axis]).unwrap());
    Some(Draft::of(&[&x.name, &axis]))
}
