//! The ways from a value to the Softmaxes that alone read it, through what moves elements or adds to them.

use super::thresholds::value_name;
use crate::bpu::model::row_major_strides;
use hb_dialects::{
    ElementType,
    hfloat::{Op, attributes, normalize_axis},
    ir::{self, IrError, OperationAttributes, TensorType},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// A value with more ways than this is none that only Softmaxes read.
const MOST_PATHS: usize = 256;
/// Nor is one with a longer way: each value of a long chain is looked at.
const MOST_STEPS: usize = 64;

/// So far below the largest of its row a Softmax gives 0: e^-104 is less than half the least float32.
pub(super) const GIVES_NOTHING: f32 = 104.0;

/// A row whose largest element is below this may be masked as a whole, as padding is. Distances are as low.
pub(super) const ALL_MASKED: f32 = -8192.0;

/// A way from a value to a Softmax.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SoftmaxPath {
    /// From the value on.
    pub(super) steps: Vec<Step>,
    /// What the Softmax reads.
    pub(super) input: String,
    pub(super) rows: SoftmaxRows,
}

/// How the rows of a Softmax lie in what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SoftmaxRows {
    pub(super) length: usize,
    /// From one element of a row to the next.
    pub(super) stride: usize,
}

/// One operation on the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// How many elements it reads.
    pub(super) elements: usize,
    /// The sizes of its result, and how far apart the elements are in the operand that belong to neighbours in the result.
    pub(super) sizes: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) change: Change,
}

/// What an operation does to the elements.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// They stay what they are, or are bounded.
    None,
    /// What another operand holds is added.
    Plus(Addend),
    /// What another operand holds is taken away.
    Minus(Addend),
    /// They become so many times as large: a positive number.
    Times(f32),
}

/// The other operand of a sum.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Addend {
    Constant(AddendRange),
    /// The name of a value.
    Value(String),
}

/// The ways from a value to all that reads it; none where something else than a Softmax does in the end.
///
/// # Errors
/// When types or attributes cannot be read.
pub(super) fn softmax_paths<'c: 'a, 'a>(
    function: OperationRef<'c, 'a>,
    value: Value<'c, 'a>,
) -> Result<Option<Vec<SoftmaxPath>>, IrError> {
    let (mut waiting, mut paths) = (vec![(value, Vec::new())], Vec::new());
    while let Some((value, mut steps)) = waiting.pop() {
        let readers = ir::users(value);
        let ways = waiting.len() + paths.len() + readers.len();
        if readers.is_empty() || ways > MOST_PATHS || steps.len() > MOST_STEPS {
            return Ok(None);
        }
        let last = readers.len() - 1;
        for (number, reader) in readers.into_iter().enumerate() {
            let mut steps = if number == last { std::mem::take(&mut steps) } else { steps.clone() };
            if Op::Softmax.is(reader) {
                let Some(rows) = rows_of(value, attributes::axis(reader)?)? else { return Ok(None) };
                paths.push(SoftmaxPath { steps, input: value_name(function, value), rows });
                continue;
            }
            let (Some(step), &[result]) = (step_of(function, reader, value)?, ir::results(reader).as_slice()) else {
                return Ok(None);
            };
            steps.push(step);
            waiting.push((result, steps));
        }
    }
    Ok(Some(paths))
}

fn rows_of(value: Value<'_, '_>, axis: i64) -> Result<Option<SoftmaxRows>, IrError> {
    let Some(shape) = shape_of(value)? else { return Ok(None) };
    let axis = normalize_axis(axis, shape.len()).ok();
    let Some([length, inner @ ..]) = axis.and_then(|axis| shape.get(axis..)) else { return Ok(None) };
    Ok(Some(SoftmaxRows { length: *length, stride: inner.iter().product() }))
}

fn shape_of(value: Value<'_, '_>) -> Result<Option<Vec<usize>>, IrError> {
    Ok(TensorType::from_type(value.r#type())?.static_shape().ok())
}

/// What an operation does on the way from one of its operands to its result; none where it is no such operation.
fn step_of<'c: 'a, 'a>(
    function: OperationRef<'c, 'a>,
    reader: OperationRef<'c, 'a>,
    value: Value<'c, 'a>,
) -> Result<Option<Step>, IrError> {
    let places: Vec<usize> =
        reader.operands().enumerate().filter(|(_, operand)| *operand == value).map(|(index, _)| index).collect();
    let (&[place], &[result]) = (places.as_slice(), ir::results(reader).as_slice()) else { return Ok(None) };
    let (Some(from), Some(to)) = (shape_of(value)?, shape_of(result)?) else { return Ok(None) };
    let other = || addend(function, reader, 1 - place.min(1));
    let has_clamp = attributes::activation(reader)?.is_some();
    let (strides, change) = match (Op::of(reader), place) {
        (Some(Op::Reshape | Op::Flatten | Op::Squeeze | Op::Unsqueeze | Op::Identity | Op::Clip), 0) => {
            (row_major_strides(&to), Change::None)
        }
        (Some(Op::Transpose), 0) => {
            let own = row_major_strides(&from);
            let of = |axis: &i64| usize::try_from(*axis).ok().and_then(|axis| own.get(axis).copied());
            match attributes::perm(reader)?.iter().map(of).collect() {
                Some(strides) => (strides, Change::None),
                None => return Ok(None),
            }
        }
        (Some(Op::Expand), 0) | (Some(Op::Where), 1 | 2) => (broadcast(&from, &to), Change::None),
        (Some(Op::Add), 0 | 1) if !has_clamp => (broadcast(&from, &to), Change::Plus(other()?)),
        (Some(Op::Sub), 0) if !has_clamp => (broadcast(&from, &to), Change::Minus(other()?)),
        (Some(Op::Mul), 0 | 1) if !has_clamp => match other()? {
            Addend::Constant(AddendRange { least, greatest, .. })
                if least == greatest && least.is_normal() && least > 0.0 =>
            {
                (broadcast(&from, &to), Change::Times(least))
            }
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(Step { elements: from.iter().product(), sizes: to, strides, change }))
}

/// What stands at another place of a sum.
fn addend(function: OperationRef<'_, '_>, reader: OperationRef<'_, '_>, index: usize) -> Result<Addend, IrError> {
    let other = reader.operand_at(index)?;
    let constant = ir::constant_of(other).filter(|constant| constant.r#type.element == ElementType::F32);
    Ok(match constant {
        Some(constant) => Addend::Constant(AddendRange::of(&constant.f32s()?)),
        None => Addend::Value(value_name(function, other)),
    })
}

/// What is known of the numbers that are added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AddendRange {
    pub(super) least: f32,
    pub(super) greatest: f32,
    /// Whether some are so large that they mask, added or taken away, and all others change a score by little.
    pub(super) is_mask: bool,
}

impl AddendRange {
    pub(super) fn of(values: &[f32]) -> Self {
        let (least, greatest) = ends(values);
        let masks = |value: &f32| value.abs() > -ALL_MASKED;
        let is_small = |value: &f32| value.abs() < GIVES_NOTHING;
        let is_mask = values.iter().any(masks)
            && values.iter().any(is_small)
            && values.iter().all(|value| masks(value) || is_small(value));
        Self { least, greatest, is_mask }
    }
}

/// The least and the greatest number.
pub(super) fn ends<'v>(values: impl IntoIterator<Item = &'v f32>) -> (f32, f32) {
    values
        .into_iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, greatest), value| (least.min(*value), greatest.max(*value)))
}

/// The strides of a tensor of shape `from` that is read in the shape `to`: 0 where it repeats.
fn broadcast(from: &[usize], to: &[usize]) -> Vec<usize> {
    let own = row_major_strides(from);
    let mut strides = vec![0; to.len()];
    for (stride, (size, own)) in strides.iter_mut().rev().zip(from.iter().zip(own).rev()) {
        *stride = if *size == 1 { 0 } else { own };
    }
    strides
}
