//! Constants, and what moves elements without changing them.

use super::{Draft, of_rank, word};
use crate::network::{Generator, Known, tensor};
use hb::cpu::Array;
use hb::frontend::onnx::model::Attribute;
use hb_dialects::ElementType;
use hb_dialects::registry::{OnnxKind, OnnxOperator};

/// A constant that is read as a value: what depends on it alone folds.
pub fn constant(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let shape = generator.shape(generator.rng.clone().usize(0..=4));
    let array = generator.array(ElementType::F32, &shape, -2.0, 2.0);
    let mut draft = Draft::default();
    let scalar = operator.attribute_at("value_float", generator.opset).filter(|_| generator.chance(30));
    match scalar {
        Some(row) => draft.set(row.name, Attribute::Float(generator.real(-2.0, 2.0))),
        None => draft.set("value", Attribute::Tensor(tensor(&array))),
    }
    Some(draft)
}

pub fn constant_of_shape(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let rank = generator.rng.usize(1..=4);
    let shape: Vec<i64> = generator.shape(rank).iter().map(|&size| size as i64).collect();
    let mut draft = Draft { inputs: vec![generator.integers(&shape)], ..Draft::default() };
    if generator.chance(80) {
        let element = if generator.chance(70) { ElementType::F32 } else { *generator.rng.choice(&ElementType::ALL)? };
        let value = generator.array(element, &[1], -2.0, 2.0);
        draft.set("value", Attribute::Tensor(tensor(&value)));
    }
    Some(draft)
}

pub fn shape(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known| known.rank() > 0)?;
    let mut draft = Draft::of(&[&x.name]);
    for name in ["start", "end"] {
        if operator.attribute_at(name, generator.opset).is_some() && generator.chance(30) {
            draft.set(name, Attribute::Int(generator.rng.i64(-6..=6)));
        }
    }
    Some(draft)
}

pub fn range(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let element = *generator.rng.choice(&[ElementType::F32, ElementType::I64, ElementType::I32])?;
    let start = generator.constant(element, &[], -3.0, 3.0);
    let (limit, delta) = if generator.rng.bool() { ((4.0, 12.0), (1.0, 3.0)) } else { ((-12.0, -4.0), (-3.0, -1.0)) };
    let limit = generator.constant(element, &[], limit.0, limit.1);
    let delta = generator.constant(element, &[], delta.0, delta.1);
    Some(Draft::of(&[&start, &limit, &delta]))
}

pub fn concat(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known| known.rank() > 0)?;
    let axis = generator.axis(x.rank());
    let at = axis.rem_euclid(x.rank() as i64) as usize;
    let mut inputs = vec![x.name.clone()];
    for _ in 0..generator.rng.usize(0..=3) {
        let fits = |known: &Known| {
            let same = known.shape().iter().zip(x.shape()).enumerate().all(|(axis, (a, b))| axis == at || a == b);
            same && known.rank() == x.rank() && known.array.element() == x.array.element()
        };
        let other = match generator.value(fits).filter(|_| generator.chance(70)) {
            Some(known) => known.name,
            None => {
                let mut shape = x.shape().to_vec();
                shape[at] = generator.size();
                generator.constant(x.array.element(), &shape, -2.0, 2.0)
            }
        };
        inputs.push(other);
    }
    generator.rng.shuffle(&mut inputs);
    let mut draft = Draft { inputs, ..Draft::default() };
    draft.set("axis", Attribute::Int(axis));
    Some(draft)
}

pub fn slice(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known| known.rank() > 0)?;
    let axes = generator.axes(x.rank());
    let attributes = operator.attribute_at("starts", generator.opset).is_some();
    let axes: Vec<i64> =
        if attributes { axes.iter().map(|axis| axis.rem_euclid(x.rank() as i64)).collect() } else { axes };
    let (mut starts, mut ends, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for axis in &axes {
        let size = x.shape()[axis.rem_euclid(x.rank() as i64) as usize] as i64;
        let from = generator.rng.i64(0..size);
        let to = generator.rng.i64(from + 1..=size);
        let backward = !attributes && generator.chance(25);
        let (start, end) = if backward { (to - 1, from - 1) } else { (from, to) };
        // As numbers from behind, or beyond the end.
        let start = if generator.chance(30) { start - size } else { start };
        let end = match (backward, generator.rng.u8(0..4)) {
            (false, 0) if end < size => end - size,
            (false, 1) if end == size => i64::MAX,
            (true, _) if end < 0 => end - size - generator.rng.i64(0..3),
            _ => end,
        };
        let step = if !attributes && generator.chance(40) { generator.rng.i64(1..=3) } else { 1 };
        starts.push(start);
        ends.push(end);
        steps.push(if backward { -step } else { step });
    }
    let mut draft = Draft::of(&[&x.name]);
    draft.ints(generator, operator, "starts", 1, &starts);
    draft.ints(generator, operator, "ends", 2, &ends);
    draft.ints(generator, operator, "axes", 3, &axes);
    if !attributes && (steps.iter().any(|step| *step != 1) || generator.rng.bool()) {
        let steps = generator.integers(&steps);
        draft.put(4, steps);
    }
    Some(draft)
}

pub fn pad(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = of_rank(generator, 1..=5)?;
    let mut draft = Draft::of(&[&x.name]);
    let row = operator.attribute_at("mode", generator.opset)?;
    let words: &[&str] =
        if let OnnxKind::Choice(words) = row.kind { words } else { &["constant", "reflect", "edge", "wrap"] };
    let mode = *generator.rng.choice(words)?;
    draft.set("mode", word(mode));
    let named = operator.inputs_at(generator.opset)?.most >= 4 && generator.chance(50);
    let axes: Vec<i64> = if named { generator.axes(x.rank()) } else { (0..x.rank() as i64).collect() };
    let inner = generator.chance(80);
    let amounts: Vec<i64> = axes
        .iter()
        .chain(&axes)
        .map(|axis| {
            let axis = axis.rem_euclid(x.rank() as i64) as usize;
            let size = x.shape()[axis] as i64;
            let outer = inner && axis + 2 < x.rank();
            match generator.rng.u8(0..10) {
                _ if outer => 0,
                0 if size > 3 => -1,
                1..=3 => 0,
                _ => generator.rng.i64(0..=if mode == "reflect" { (size - 1).min(3) } else { size.min(3) }),
            }
        })
        .collect();
    draft.ints(generator, operator, "pads", 1, &amounts);
    if operator.attribute_at("value", generator.opset).is_some() {
        if generator.chance(40) {
            draft.set("value", Attribute::Float(generator.real(-2.0, 2.0)));
        }
    } else if generator.chance(40) {
        let value = generator.constant(ElementType::F32, &[], -2.0, 2.0);
        draft.put(2, value);
    }
    if named {
        let axes = generator.integers(&axes);
        draft.put(3, axes);
    }
    Some(draft)
}

pub fn flatten(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.any()?;
    let mut draft = Draft::of(&[&x.name]);
    let rank = x.rank() as i64;
    let low = if generator.opset >= 11 { -rank } else { 0 };
    draft.set("axis", Attribute::Int(generator.rng.i64(low..=rank)));
    Some(draft)
}

pub fn reshape(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.any()?;
    let mut rest = x.array.len();
    let mut shape: Vec<i64> = Vec::new();
    for _ in 0..generator.rng.usize(0..=3) {
        let part = super::statistics::divisor(generator, rest);
        rest /= part;
        shape.push(part as i64);
    }
    shape.push(rest as i64);
    generator.rng.shuffle(&mut shape);
    if generator.rng.bool() {
        let at = generator.rng.usize(0..shape.len());
        shape[at] = -1;
    }
    // 0 is the size of the input there.
    for (wanted, &size) in shape.iter_mut().zip(x.shape()) {
        if *wanted == size as i64 && generator.chance(30) {
            *wanted = 0;
        }
    }
    let shape = generator.integers(&shape);
    let mut draft = Draft::of(&[&x.name, &shape]);
    draft.set("allowzero", Attribute::Int(0));
    if generator.opset < 14 {
        draft.attributes.clear();
    }
    Some(draft)
}

pub fn unsqueeze(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known| known.rank() <= 4)?;
    let more = generator.rng.usize(1..=(6 - x.rank()).min(2));
    let rank = x.rank() + more;
    let mut axes: Vec<i64> = (0..rank as i64).collect();
    generator.rng.shuffle(&mut axes);
    axes.truncate(more);
    if generator.opset >= 11 && generator.rng.bool() {
        axes.iter_mut().for_each(|axis| *axis -= rank as i64);
    }
    let mut draft = Draft::of(&[&x.name]);
    draft.ints(generator, operator, "axes", 1, &axes);
    Some(draft)
}

pub fn squeeze(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known| known.shape().contains(&1))?;
    let mut draft = Draft::of(&[&x.name]);
    if generator.chance(75) {
        let ones: Vec<usize> = (0..x.rank()).filter(|axis| x.shape()[*axis] == 1).collect();
        let count = generator.rng.usize(1..=ones.len());
        let behind = if generator.opset >= 11 && generator.rng.bool() { x.rank() as i64 } else { 0 };
        let mut axes: Vec<i64> = ones.iter().map(|&axis| axis as i64 - behind).collect();
        generator.rng.shuffle(&mut axes);
        axes.truncate(count);
        draft.ints(generator, operator, "axes", 1, &axes);
    }
    Some(draft)
}

pub fn transpose(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.any()?;
    let mut draft = Draft::of(&[&x.name]);
    if generator.chance(80) {
        let mut order: Vec<i64> = (0..x.rank() as i64).collect();
        generator.rng.shuffle(&mut order);
        draft.set("perm", Attribute::Ints(order));
    }
    Some(draft)
}

pub fn split(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known| known.shape().iter().any(|size| *size > 1))?;
    let axis = generator.axis(x.rank());
    let size = x.shape()[axis.rem_euclid(x.rank() as i64) as usize];
    let parts = generator.rng.usize(1..=size.min(4));
    let mut draft = Draft::of(&[&x.name]);
    draft.set("axis", Attribute::Int(axis));
    draft.outputs = parts;
    let counted = operator.attribute_at("num_outputs", generator.opset);
    if let Some(row) = counted.filter(|_| generator.rng.bool()) {
        draft.set(row.name, Attribute::Int(parts as i64));
    } else if counted.is_some() || !size.is_multiple_of(parts) || generator.rng.bool() {
        let mut cuts: Vec<usize> = (1..size).collect();
        generator.rng.shuffle(&mut cuts);
        cuts.truncate(parts - 1);
        cuts.extend([0, size]);
        cuts.sort_unstable();
        let sizes: Vec<i64> = cuts.windows(2).map(|pair| (pair[1] - pair[0]) as i64).collect();
        draft.ints(generator, operator, "split", 1, &sizes);
    }
    Some(draft)
}

pub fn expand(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.any()?;
    let mut shape: Vec<i64> = x
        .shape()
        .iter()
        .map(|&size| match size {
            1 => generator.rng.i64(1..=4),
            _ if generator.rng.bool() => 1,
            size => size as i64,
        })
        .collect();
    match generator.rng.u8(0..3) {
        0 if x.rank() < 5 => shape.insert(0, generator.rng.i64(1..=3)),
        1 => {
            shape.drain(..generator.rng.usize(0..=shape.len()));
        }
        _ => {}
    }
    let shape = generator.integers(&shape);
    Some(Draft::of(&[&x.name, &shape]))
}

pub fn tile(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known| known.rank() > 0)?;
    let repeats: Vec<i64> =
        (0..x.rank()).map(|_| if generator.rng.bool() { 1 } else { generator.rng.i64(1..=3) }).collect();
    let repeats = generator.integers(&repeats);
    Some(Draft::of(&[&x.name, &repeats]))
}

pub fn depth_to_space(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let block = generator.rng.usize(1..=3);
    let channels = block * block * generator.rng.usize(1..=3);
    let shape = [generator.rng.usize(1..=2), channels, generator.rng.usize(1..=7), generator.rng.usize(1..=7)];
    let x = generator.float(|shape| shape.len() == 4 && shape[1].is_multiple_of(block * block), &shape)?;
    let mut draft = Draft::of(&[&x.name]);
    draft.set("blocksize", Attribute::Int(block as i64));
    Some(draft)
}

pub fn space_to_depth(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let block = generator.rng.usize(1..=3);
    let shape = [1, generator.size(), block * generator.rng.usize(1..=4), block * generator.rng.usize(1..=4)];
    let fits = |shape: &[usize]| shape.len() == 4 && shape[2].is_multiple_of(block) && shape[3].is_multiple_of(block);
    let x = generator.float(fits, &shape)?;
    let mut draft = Draft::of(&[&x.name]);
    draft.set("blocksize", Attribute::Int(block as i64));
    Some(draft)
}

/// By constant indices, from the front or from behind, or by those that a node computes.
pub fn gather(generator: &mut Generator, _: &'static OnnxOperator) -> Option<Draft> {
    let x = generator.value(|known| known.rank() > 0)?;
    let axis = generator.axis(x.rank());
    let size = x.shape()[axis.rem_euclid(x.rank() as i64) as usize] as i64;
    let inside = |known: &Known| {
        let integers = matches!(known.array.element(), ElementType::I64 | ElementType::I32);
        integers && known.rank() < 3 && known.array.to_i64().iter().all(|index| (-size..size).contains(index))
    };
    let indices = match generator.value(inside).filter(|_| generator.chance(30)) {
        Some(known) => known.name,
        None => {
            let shape = generator.shape(generator.rng.clone().usize(0..=2));
            let low = if generator.opset >= 11 { -size } else { 0 };
            let count = shape.iter().product::<usize>();
            let values: Vec<i64> = (0..count).map(|_| generator.rng.i64(low..size)).collect();
            let array = if generator.rng.bool() {
                Array::from_values(&shape, &values).unwrap()
            } else {
                Array::from_values(&shape, &values.iter().map(|&index| index as i32).collect::<Vec<_>>()).unwrap()
            };
            generator.initializer(array)
        }
    };
    let mut draft = Draft::of(&[&x.name, &indices]);
    draft.set("axis", Attribute::Int(axis));
    Some(draft)
}
