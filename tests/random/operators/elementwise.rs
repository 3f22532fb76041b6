//! Functions of elements, with and without broadcasting.

use super::Draft;
use crate::network::{Generator, Known};
use hb::frontend::onnx::model::Attribute;
use hb_dialects::ElementType;
use hb_dialects::hfloat::Op;
use hb_dialects::registry::{OnnxForm, OnnxOperator};

fn op(operator: &OnnxOperator) -> Option<Op> {
    match operator.form {
        OnnxForm::Op(op) => Some(op),
        OnnxForm::Composite(_) => None,
    }
}

/// `x * clip(x + 3, 0, 6) / 6` in some order, or nearly so: a pass knows it.
fn spelled_out(generator: &mut Generator) -> Option<Draft> {
    let x = generator.value(Known::is_float)?;
    let number = |generator: &mut Generator, value: f32| {
        let value = if generator.chance(10) { value + 0.25 } else { value };
        generator.constant(ElementType::F32, &[], value, value)
    };
    let (three, zero, six) = (number(generator, 3.0), number(generator, 0.0), number(generator, 6.0));
    let sum = generator.add_draft(Op::Add, Draft::of(&[&three, &x.name]))?;
    let clip = if generator.opset >= 11 { Draft::of(&[&sum.name, &zero, &six]) } else { return None };
    let gate = generator.add_draft(Op::Clip, clip)?;
    if generator.rng.bool() {
        let product = generator.add_draft(Op::Mul, Draft::of(&[&gate.name, &x.name]))?;
        generator.add_draft(Op::Div, Draft::of(&[&product.name, &six]))?;
        return Some(Draft::of(&[&product.name, &six]));
    }
    let gate = generator.add_draft(Op::Div, Draft::of(&[&gate.name, &six]))?;
    let product = generator.add_draft(Op::Mul, Draft::of(&[&x.name, &gate.name]))?;
    Some(Draft::of(&[&product.name, &three]))
}

/// Those whose function is not defined everywhere mostly get what it is defined for.
pub fn unary(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = match op(operator) {
        Some(Op::Not) => truth(generator, None)?,
        Some(Op::Log | Op::Sqrt | Op::Acos | Op::Asin | Op::Atanh) => within_one(generator)?,
        Some(Op::Acosh) => {
            let x = within_one(generator)?;
            let one = generator.constant(ElementType::F32, &[], 1.0, 3.0);
            generator.add_draft(Op::Add, Draft::of(&[&x.name, &one]))?
        }
        _ => generator.any()?,
    };
    Some(Draft::of(&[&x.name]))
}

/// A value in (0, 1).
fn within_one(generator: &mut Generator) -> Option<Known> {
    let is_within = |known: &Known| known.is_float() && known.array.to_f64().iter().all(|x| *x > 0.0 && *x < 1.0);
    if let Some(known) = generator.value(is_within).filter(|_| generator.rng.bool()) {
        return Some(known);
    }
    let x = generator.value(Known::is_float)?;
    generator.add_draft(Op::Sigmoid, Draft::of(&[&x.name]))
}

/// Truth values that broadcast with the shape, if there is one.
fn truth(generator: &mut Generator, shape: Option<&[usize]>) -> Option<Known> {
    let fits = |known: &Known| {
        known.array.element() == ElementType::Bool && shape.is_none_or(|shape| fits_together(known.shape(), shape))
    };
    if let Some(known) = generator.value(fits).filter(|_| generator.rng.bool()) {
        return Some(known);
    }
    let x =
        generator.value(|known| known.is_float() && shape.is_none_or(|shape| fits_together(known.shape(), shape)))?;
    let bound = generator.constant(ElementType::F32, &[], -0.5, 0.5);
    generator.add_draft(Op::Less, Draft::of(&[&x.name, &bound]))
}

fn fits_together(a: &[usize], b: &[usize]) -> bool {
    a.iter().rev().zip(b.iter().rev()).all(|(a, b)| a == b || *a == 1 || *b == 1)
}

/// A shape that broadcasts with another, in either direction.
fn partner_shape(generator: &mut Generator, shape: &[usize]) -> Vec<usize> {
    let mut partner: Vec<usize> = shape
        .iter()
        .map(|&size| match generator.rng.u8(0..8) {
            0..=2 => 1,
            3 if size == 1 => generator.rng.usize(1..=3),
            _ => size,
        })
        .collect();
    match generator.rng.u8(0..6) {
        0 => partner = Vec::new(),
        1 | 2 => {
            let first = generator.rng.usize(0..=partner.len());
            partner.drain(..first);
        }
        3 if partner.len() < 5 => partner.insert(0, generator.rng.usize(1..=2)),
        _ => {}
    }
    partner
}

/// A value or constant of the element type that broadcasts with the shape; constants are in the range.
fn partner(generator: &mut Generator, element: ElementType, shape: &[usize], low: f32, high: f32) -> String {
    if generator.chance(45) {
        let fits = |known: &Known| known.array.element() == element && fits_together(known.shape(), shape);
        if let Some(known) = generator.value(fits) {
            return known.name;
        }
    }
    let shape = partner_shape(generator, shape);
    generator.constant(element, &shape, low, high)
}

fn broadcast_operands(generator: &mut Generator, operator: &OnnxOperator, first: &Known) -> Option<Vec<String>> {
    let count = operator.inputs_at(generator.opset)?;
    let most = count.most.min(4);
    let count = generator.rng.usize(count.least.min(most)..=most);
    let (low, high) = match op(operator) {
        // Divisors are not near 0.
        Some(Op::Div) if generator.rng.bool() => (-4.0, -0.5),
        Some(Op::Div) => (0.5, 4.0),
        _ => (-2.0, 2.0),
    };
    let mut operands = vec![first.name.clone()];
    for _ in 1..count {
        operands.push(partner(generator, first.array.element(), first.shape(), low, high));
    }
    if generator.rng.bool() {
        generator.rng.shuffle(&mut operands);
    }
    Some(operands)
}

pub fn broadcast(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    if op(operator) == Some(Op::Mul) && generator.chance(10) {
        return spelled_out(generator);
    }
    let logic = matches!(op(operator), Some(Op::And | Op::Or | Op::Xor));
    let first = if logic { truth(generator, None)? } else { generator.any()? };
    Some(Draft { inputs: broadcast_operands(generator, operator, &first)?, ..Draft::default() })
}

pub fn cast(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.any()?;
    let to = *generator.rng.choice(&ElementType::ALL)?;
    let mut draft = Draft::of(&[&x.name]);
    draft.set("to", Attribute::Int(to.onnx_code().into()));
    Some(draft)
}

pub fn clip(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.any()?;
    let mut draft = Draft::of(&[&x.name]);
    for (index, (name, low, high)) in [("min", -2.0, 0.5), ("max", 0.5, 6.0)].into_iter().enumerate() {
        if generator.chance(30) {
            continue;
        }
        if operator.attribute_at(name, generator.opset).is_some() {
            draft.set(name, Attribute::Float(generator.real(low, high)));
        } else {
            let bound = generator.constant(x.array.element(), &[], low, high);
            draft.put(index + 1, bound);
        }
    }
    Some(draft)
}

pub fn p_relu(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(Known::is_float)?;
    let slope: Vec<usize> = x.shape().iter().map(|&size| if generator.rng.bool() { size } else { 1 }).collect();
    let first = generator.rng.usize(0..=slope.len());
    let slope = generator.constant(ElementType::F32, &slope[first..], -0.5, 1.5);
    Some(Draft::of(&[&x.name, &slope]))
}

pub fn pow(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.any()?;
    let other = generator.opset >= 12 && generator.chance(20);
    let element = if other { ElementType::I64 } else { x.array.element() };
    let whole = x.array.to_f64().iter().any(|value| *value < 0.0) || !element.is_float();
    let shape = if generator.rng.bool() { Vec::new() } else { partner_shape(generator, x.shape()) };
    let exponent = if whole {
        let exponent = generator.rng.usize(0..=3) as f32;
        generator.constant(element, &shape, exponent, exponent)
    } else {
        generator.constant(element, &shape, -1.0, 3.0)
    };
    Some(Draft::of(&[&x.name, &exponent]))
}

pub fn r#where(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.any()?;
    let condition = truth(generator, Some(x.shape()))?;
    let other = partner(generator, x.array.element(), x.shape(), -2.0, 2.0);
    let (a, b) = if generator.rng.bool() { (&x.name, &other) } else { (&other, &x.name) };
    Some(Draft::of(&[&condition.name, a, b]))
}

pub fn dropout(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(Known::is_float)?;
    let mut draft = Draft::of(&[&x.name]);
    if operator.attribute_at("ratio", generator.opset).is_some() {
        draft.set("ratio", Attribute::Float(generator.real(0.0, 0.75)));
    } else if generator.rng.bool() {
        let ratio = generator.constant(ElementType::F32, &[], 0.0, 0.75);
        draft.put(1, ratio);
    }
    Some(draft)
}
