//! Operators that compare positions or values: Trilu, EyeLike, OneHot, IsNaN, IsInf; and CastLike, Size, BitShift.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::compose::Composer;
use hb_dialects::ElementType;

/// Keeps what is on one side of a diagonal of the last two dimensions.
pub(super) fn compose_trilu(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let rank = c.rank(&x)?;
    let Some(row_axis) = rank.checked_sub(2) else { return Err(c.fault(format!("has an input of rank {rank}"))) };
    let k = match c.optional(1) {
        Some(k) => k,
        None => c.vector(&[0])?,
    };
    let (rows, columns) = (c.positions(&x, row_axis)?, c.positions(&x, row_axis + 1)?);
    let diagonal = c.make("Add", &[&rows, &k])?;
    let is_kept = match c.int("upper") {
        Some(0) => c.make("LessOrEqual", &[&columns, &diagonal])?,
        _ => c.make("GreaterOrEqual", &[&columns, &diagonal])?,
    };
    let zero = c.like(&x, 0.0)?;
    let result = c.make("Where", &[&is_kept, &x, &zero])?;
    c.give(&[&result])
}

pub(super) fn compose_eye_like(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    if c.rank(&x)? != 2 {
        return Err(c.fault(format!("has an input of rank {}, it must be 2", c.rank(&x)?)));
    }
    let element = match c.element_attribute("dtype")? {
        Some(element) => element,
        None => c.element(&x)?,
    };
    let k = c.int("k").unwrap_or(0);
    let k = c.vector(&[k])?;
    let (rows, columns) = (c.positions(&x, 0)?, c.positions(&x, 1)?);
    let diagonal = c.make("Add", &[&rows, &k])?;
    let is_one = c.make("Equal", &[&diagonal, &columns])?;
    let result = c.cast(&is_one, element)?;
    c.give(&[&result])
}

/// The second of `values` at the index along a new axis, the first elsewhere. An index outside of its range is nowhere.
pub(super) fn compose_one_hot(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (indices, depth, values) = (c.input(0)?, c.input(1)?, c.input(2)?);
    let rank = c.rank(&indices)? + 1;
    let axis = c.int("axis").unwrap_or(-1);
    let axis = hb_dialects::hfloat::normalize_axis(axis, rank).map_err(|reason| c.fault(reason))?;
    let indices = c.cast(&indices, ElementType::I64)?;
    let depth = c.cast(&depth, ElementType::I64)?;
    let depth = c.reshape(&depth, &[1])?;
    let zero = c.vector(&[0])?;
    let is_negative = c.make("Less", &[&indices, &zero])?;
    let from_the_end = c.make("Add", &[&indices, &depth])?;
    let indices = c.make("Where", &[&is_negative, &from_the_end, &indices])?;
    let indices = if c.rank(&indices)? < rank { c.unsqueeze(&indices, &[axis as i64])? } else { indices };
    let positions = c.count_to(&depth)?;
    let positions = c.along(&positions, axis, rank)?;
    let is_hot = c.make("Equal", &[&indices, &positions])?;
    let [off, on] = [0, 1].map(|place| c.slice(&values, 0, (place, place + 1, 1)));
    let result = c.make("Where", &[&is_hot, &on?, &off?])?;
    c.give(&[&result])
}

/// Only NaN differs from itself.
pub(super) fn compose_is_nan(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let is_number = c.make("Equal", &[&x, &x])?;
    let result = c.make("Not", &[&is_number])?;
    c.give(&[&result])
}

pub(super) fn compose_is_inf(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let is_asked = |name: &str| c.int(name).unwrap_or(1) != 0;
    let (negative, positive) = (is_asked("detect_negative"), is_asked("detect_positive"));
    let largest = c.like(&x, f64::INFINITY)?;
    let result = match (negative, positive) {
        (true, true) => {
            let magnitude = c.make("Abs", &[&x])?;
            c.make("Equal", &[&magnitude, &largest])?
        }
        (false, true) => c.make("Equal", &[&x, &largest])?,
        (true, false) => {
            let lowest = c.like(&x, f64::NEG_INFINITY)?;
            c.make("Equal", &[&x, &lowest])?
        }
        // Nothing is less than itself.
        (false, false) => c.make("Less", &[&x, &x])?,
    };
    c.give(&[&result])
}

pub(super) fn compose_cast_like(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let element = c.element(&c.input(1)?)?;
    let result = c.cast(&c.input(0)?, element)?;
    c.give(&[&result])
}

pub(super) fn compose_size(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let shape = c.make("Shape", &[&c.input(0)?])?;
    let result = c.reduce("ReduceProd", &shape, &[], false)?;
    c.give(&[&result])
}

/// A shift is a product with, or a quotient by, a power of two, which is 0 in an element type that it does not fit; and a quotient by 0 is 0.
pub(super) fn compose_bit_shift(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (x, amount) = (c.input(0)?, c.input(1)?);
    let element = c.element(&x)?;
    if element.is_signed() || element.is_float() {
        return Err(c.fault(format!("shifts {element}; ONNX defines it for unsigned integers")));
    }
    let bytes: Vec<u8> = (0..=64u32).flat_map(|bit| 1u64.checked_shl(bit).unwrap_or(0).to_le_bytes()).collect();
    let powers = super::super::tensor::Tensor::new(ElementType::U64, vec![65], bytes.into());
    let powers = powers.map_err(|reason| c.fault(reason))?;
    let powers = c.tensor(powers)?;
    let amount = c.cast(&amount, ElementType::U64)?;
    let most = c.scalar(ElementType::U64, 64.0)?;
    let amount = c.make("Min", &[&amount, &most])?;
    let amount = c.cast(&amount, ElementType::I64)?;
    let power = c.gather(&powers, &amount, 0)?;
    let power = c.cast(&power, element)?;
    let operator = if c.text("direction").as_deref() == Some("LEFT") { "Mul" } else { "Div" };
    let result = c.make(operator, &[&x, &power])?;
    c.give(&[&result])
}

/// What is missing to the number whose bits are all set.
pub(super) fn compose_bitwise_not(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let element = c.element(&x)?;
    let all = if element.is_signed() { -1.0 } else { u64::MAX as f64 };
    let all = c.scalar(element, all)?;
    let result = c.make("Sub", &[&all, &x])?;
    c.give(&[&result])
}

/// The mask of Dropout in inference: everything is kept.
pub(super) fn everything_is_kept(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let shape = c.make("Shape", &[&x])?;
    let kept = c.values(ElementType::Bool, &[1], &[1.0])?;
    let mask = c.make("Expand", &[&kept, &shape])?;
    c.give(&[&x, &mask])
}

/// Maxima or minima of truth values are those of 0 and 1.
pub(super) fn extreme_of_bool(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let numbers = c.cast(&c.input(0)?, ElementType::U8)?;
    let axes = match (c.ints("axes"), c.optional(1)) {
        (_, Some(axes)) => axes,
        (axes, None) => c.vector(&axes.unwrap_or_default())?,
    };
    let attributes = c.attributes(&["keepdims", "noop_with_empty_axes"]);
    let operator = c.operator().to_owned();
    let numbers = c.make_with(&operator, &[&numbers, &axes], attributes)?;
    let result = c.cast(&numbers, ElementType::Bool)?;
    c.give(&[&result])
}
