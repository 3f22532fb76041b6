//! Products of matrices.

use super::Draft;
use crate::network::Generator;
use hb::frontend::onnx::model::Attribute;
use hb_dialects::ElementType;
use hb_dialects::registry::OnnxOperator;

/// Weights that keep sums of so many terms in the range of their inputs.
pub fn weights(generator: &mut Generator, shape: &[usize], terms: usize) -> String {
    let range = 1.5 / (terms.max(1) as f32).sqrt();
    if !generator.chance(20) || shape.len() < 2 {
        return generator.constant(ElementType::F32, shape, -range, range);
    }
    // Channels of very different magnitudes, and channels of zeros.
    let mut array = generator.array(ElementType::F32, shape, -range, range);
    let inner: usize = shape[1..].iter().product();
    for channel in array.values_mut::<f32>().unwrap().chunks_mut(inner) {
        let factor = match generator.rng.u8(0..8) {
            0 => 0.0,
            exponent => 10f32.powf(1.0 - generator.rng.f32() * f32::from(exponent)),
        };
        channel.iter_mut().for_each(|value| *value *= factor);
    }
    generator.initializer(array)
}

pub fn gemm(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let a = super::of_rank(generator, 2..=2)?;
    let (transpose_a, transpose_b) = (generator.chance(25), generator.chance(40));
    let (m, k) = if transpose_a { (a.shape()[1], a.shape()[0]) } else { (a.shape()[0], a.shape()[1]) };
    let n = generator.size();
    let shape = if transpose_b { [n, k] } else { [k, n] };
    let other = generator.value(|known| known.is_float() && known.shape() == shape);
    let b = match other.filter(|_| generator.rng.bool()) {
        Some(known) => known.name,
        None => weights(generator, &shape, k),
    };
    let mut draft = Draft::of(&[&a.name, &b]);
    draft.set("transA", Attribute::Int(transpose_a.into()));
    draft.set("transB", Attribute::Int(transpose_b.into()));
    if operator.inputs_at(generator.opset)?.least > 2 || generator.chance(60) {
        let shapes = [vec![n], vec![m, n], vec![1, n], vec![m, 1], vec![1], vec![]];
        let shape = generator.rng.choice(&shapes)?.clone();
        let c = generator.constant(ElementType::F32, &shape, -1.0, 1.0);
        draft.put(2, c);
    }
    Some(draft)
}

/// Batches of either side may be missing or 1.
fn batch(generator: &mut Generator, batch: &[usize]) -> Vec<usize> {
    let mut batch: Vec<usize> = batch.iter().map(|&size| if generator.chance(30) { 1 } else { size }).collect();
    if generator.rng.bool() {
        batch.drain(..generator.rng.usize(0..=batch.len()));
    }
    batch
}

pub fn mat_mul(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let a = super::of_rank(generator, 1..=5)?;
    let shape = a.shape().to_vec();
    // What it is multiplied with: a value, or a constant on either side.
    let fits = |known: &crate::network::Known| {
        let own = known.shape();
        known.is_float() && own.len() >= 2 && shape.len() >= 2 && own[own.len() - 2] == shape[shape.len() - 1]
    };
    if let Some(b) = generator.value(fits).filter(|_| generator.chance(40)) {
        return Some(Draft::of(&[&a.name, &b.name]));
    }
    let n = generator.size();
    if generator.chance(75) {
        let k = shape[shape.len() - 1];
        let mut other = batch(generator, &shape[..shape.len().saturating_sub(2)]);
        other.push(k);
        if generator.chance(85) {
            other.push(n);
        } else {
            other = vec![k];
        }
        let b = weights(generator, &other, k);
        return Some(Draft::of(&[&a.name, &b]));
    }
    let k = if shape.len() == 1 { shape[0] } else { shape[shape.len() - 2] };
    let mut other = batch(generator, &shape[..shape.len().saturating_sub(2)]);
    other.extend([n, k]);
    let b = weights(generator, &other, k);
    Some(Draft::of(&[&b, &a.name]))
}
