//! What a network makes of its inputs first: a normalization of its own, which says what its samples look like.

use hb_dialects::ElementType;
use hb_dialects::hfloat::Op;
use hb_dialects::ir::{self, IrError};
use hb_dialects::names::input_names;
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// `x * scale + offset` for each of a few channels, or for all alike.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnNormalization {
    /// The name of the input.
    pub input: String,
    /// `(scale, offset)`; one of each channel that constants tell apart.
    pub channels: Vec<(f64, f64)>,
}

impl OwnNormalization {
    /// The range of what it makes of values in a range.
    pub fn range(&self, least: f64, most: f64) -> (f64, f64) {
        let ends = self.channels.iter().flat_map(|(scale, offset)| [least, most].map(|end| end * scale + offset));
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), end| (least.min(end), most.max(end)))
    }
}

/// A normalization has at most so many constants: more are no normalization, but a part of the network.
const MOST_CHANNELS: usize = 64;

/// The inputs that sums, differences, products and quotients with constants alone read first.
///
/// # Errors
/// When a constant cannot be read.
pub fn own_normalizations(function: OperationRef<'_, '_>) -> Result<Vec<OwnNormalization>, IrError> {
    let arguments = ir::body(function).map(ir::arguments).unwrap_or_default();
    let mut found = Vec::new();
    for (input, argument) in input_names(function).into_iter().zip(arguments) {
        if let Some(channels) = normalization(argument)? {
            found.push(OwnNormalization { input, channels });
        }
    }
    Ok(found)
}

fn normalization<'a>(mut value: Value<'a, 'a>) -> Result<Option<Vec<(f64, f64)>>, IrError> {
    let mut channels: Option<Vec<(f64, f64)>> = None;
    loop {
        let [reader] = ir::users(value).into_iter().collect::<Vec<_>>()[..] else { return Ok(channels) };
        let Some(op) = Op::of(reader) else { return Ok(channels) };
        let Some(result) = ir::results(reader).into_iter().next() else { return Ok(channels) };
        if matches!(op, Op::Cast | Op::Identity | Op::Transpose) {
            value = result;
            continue;
        }
        if !matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Div) {
            return Ok(channels);
        }
        let (Ok(left), Ok(right)) = (reader.operand(0), reader.operand(1)) else { return Ok(channels) };
        let first = left.to_raw().ptr == value.to_raw().ptr;
        let Some(constant) = ir::constant_of(if first { right } else { left }) else { return Ok(channels) };
        let count = constant.r#type.elements().unwrap_or(0);
        if constant.r#type.element != ElementType::F32
            || !(1..=MOST_CHANNELS).contains(&count)
            || (op == Op::Div && !first)
        {
            return Ok(channels);
        }
        let numbers: Vec<f64> = constant.f32s()?.iter().map(|number| f64::from(*number)).collect();
        let before = channels.clone().unwrap_or_else(|| vec![(1.0, 0.0)]);
        // Of other channels nothing can be said.
        if before.len() != numbers.len() && before.len() != 1 && numbers.len() != 1 {
            return Ok(channels);
        }
        let count = before.len().max(numbers.len());
        let next = (0..count).map(|channel| {
            let (scale, offset) = before[channel % before.len()];
            let number = numbers[channel % numbers.len()];
            match (op, first) {
                (Op::Add, _) => (scale, offset + number),
                (Op::Sub, true) => (scale, offset - number),
                (Op::Sub, false) => (-scale, number - offset),
                (Op::Mul, _) => (scale * number, offset * number),
                _ => (scale / number, offset / number),
            }
        });
        channels = Some(next.collect());
        value = result;
    }
}
