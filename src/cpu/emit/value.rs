//! Scalar expressions to LLVM values.

use std::collections::HashMap;

use hb_dialects::ElementType;
use hb_runtime::Scalar;
use inkwell::values::{BasicValueEnum, FloatValue, IntValue, PointerValue, VectorValue};
use inkwell::{FloatPredicate, IntPredicate};

use super::super::error::Error;
use super::super::expression::{Binary, Comparison, Expression, ExpressionKind, GraphTensorId, Unary};
use super::super::kernel::Affine;
use super::super::range;
use super::code::{Code, float, int};

/// What an expression's leaves stand for at one place in the code.
pub(crate) struct Leaves<'b, 'ctx> {
    pub operands: &'b [PointerValue<'ctx>],
    pub axes: &'b [IntValue<'ctx>],
    /// The extents of the axes, to prove that an index is not negative.
    pub extents: &'b [usize],
    pub accumulator: Option<BasicValueEnum<'ctx>>,
    /// When given, the expression is computed for several points at once; it must be `is_vectorizable`.
    pub lanes: Option<Lanes<'ctx>>,
}

/// Neighbouring points along an axis, the first at the axis' position.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<'ctx> {
    pub axis: usize,
    pub count: usize,
    /// The points that exist; all when there is none.
    pub mask: Option<VectorValue<'ctx>>,
}

/// Whether `emit` can compute this for several points along `axis` at once. Loads step by at most two elements.
pub(crate) fn is_vectorizable(expression: &Expression, axis: usize, rank: usize) -> bool {
    let steps = |expression: &Expression| {
        Affine::of(expression, rank).is_some_and(|affine| matches!(affine.coefficient(axis), 0..=2))
    };
    let all = |parts: &[&Expression]| parts.iter().all(|part| is_vectorizable(part, axis, rank));
    let float = expression.element() == ElementType::F32;
    match expression.kind() {
        ExpressionKind::Accumulator | ExpressionKind::Constant(_) => float,
        ExpressionKind::Load { indices, .. } => float && indices.iter().all(steps),
        ExpressionKind::Unary(Unary::Logarithm | Unary::Sine | Unary::Cosine | Unary::Library(_), _)
        | ExpressionKind::Binary(Binary::Power, ..) => false,
        ExpressionKind::Unary(Unary::Not, a) => all(&[a]),
        ExpressionKind::Unary(_, a) => float && all(&[a]),
        ExpressionKind::Binary(_, a, b) => (float || expression.element() == ElementType::Bool) && all(&[a, b]),
        ExpressionKind::Compare(_, a, b) => a.element() == ElementType::F32 && all(&[a, b]),
        ExpressionKind::Select(condition, a, b) => float && all(&[condition, a, b]),
        ExpressionKind::Axis(_) | ExpressionKind::Cast(_) => false,
    }
}

/// Emits `expression` at the builder's position; parts that are shared are computed once.
pub(crate) fn emit<'ctx>(
    code: &Code<'_, 'ctx>,
    expression: &Expression,
    leaves: &Leaves<'_, 'ctx>,
) -> Result<BasicValueEnum<'ctx>, Error> {
    ValueEmitter { code, leaves, done: HashMap::new() }.emit(expression)
}

/// Emits an i64 expression.
pub(crate) fn emit_index<'ctx>(
    code: &Code<'_, 'ctx>,
    expression: &Expression,
    leaves: &Leaves<'_, 'ctx>,
) -> Result<IntValue<'ctx>, Error> {
    int(emit(code, expression, leaves)?)
}

struct ValueEmitter<'b, 'm, 'ctx> {
    code: &'b Code<'m, 'ctx>,
    leaves: &'b Leaves<'b, 'ctx>,
    done: HashMap<*const ExpressionKind, BasicValueEnum<'ctx>>,
}

impl<'ctx> ValueEmitter<'_, '_, 'ctx> {
    fn emit(&mut self, expression: &Expression) -> Result<BasicValueEnum<'ctx>, Error> {
        // The expression outlives the emitter, so the address of its kind names it.
        let key: *const ExpressionKind = expression.kind();
        if let Some(value) = self.done.get(&key) {
            return Ok(*value);
        }
        let value = self.emit_new(expression)?;
        self.done.insert(key, value);
        Ok(value)
    }

    fn emit_new(&mut self, expression: &Expression) -> Result<BasicValueEnum<'ctx>, Error> {
        let element = expression.element();
        let missing = |what: &str| Error::llvm("building instructions", format!("an expression without {what}"));
        match expression.kind() {
            ExpressionKind::Axis(number) => {
                self.leaves.axes.get(*number).map(|axis| (*axis).into()).ok_or_else(|| missing("its axis"))
            }
            ExpressionKind::Accumulator => self.leaves.accumulator.ok_or_else(|| missing("an accumulator")),
            ExpressionKind::Constant(value) => match &self.leaves.lanes {
                Some(lanes) => self.code.splat(constant(self.code, element, *value), lanes.count),
                None => Ok(constant(self.code, element, *value)),
            },
            ExpressionKind::Load { tensor: GraphTensorId(operand), indices } => {
                let base = *self.leaves.operands.get(*operand).ok_or_else(|| missing("its operand"))?;
                let index = indices.first().ok_or_else(|| missing("an index"))?;
                match &self.leaves.lanes {
                    Some(lanes) => self.load_lanes(base, index, lanes),
                    None => {
                        let index = int(self.emit(index)?)?;
                        self.code.load(element, base, index)
                    }
                }
            }
            ExpressionKind::Unary(operation, a) => {
                let value = self.emit(a)?;
                unary(self.code, *operation, element, value)
            }
            ExpressionKind::Binary(operation, a, b) => {
                let (left, right) = (self.emit(a)?, self.emit(b)?);
                if element == ElementType::I64 && matches!(operation, Binary::FloorDivide | Binary::Modulo) {
                    return self.divide_index(*operation, (a, int(left)?), (b, int(right)?));
                }
                binary(self.code, *operation, element, left, right)
            }
            ExpressionKind::Compare(comparison, a, b) => {
                let (left, right) = (self.emit(a)?, self.emit(b)?);
                compare(self.code, *comparison, a.element(), left, right)
            }
            ExpressionKind::Select(condition, a, b) => {
                let (condition, a, b) = (self.emit(condition)?, self.emit(a)?, self.emit(b)?);
                self.code.choose(condition, a, b)
            }
            ExpressionKind::Cast(a) => {
                let value = self.emit(a)?;
                cast(self.code, a.element(), element, value)
            }
        }
    }

    /// The f32 at `index` for neighbouring points.
    fn load_lanes(
        &self,
        base: PointerValue<'ctx>,
        index: &Expression,
        lanes: &Lanes<'ctx>,
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        let rank = self.leaves.axes.len();
        let missing = || Error::llvm("building instructions", "an index that is not affine");
        let affine = Affine::of(index, rank).ok_or_else(missing)?;
        let position = emit_index(self.code, index, &Leaves { lanes: None, ..*self.leaves })?;
        match affine.coefficient(lanes.axis) {
            0 => self.code.splat(self.code.load(ElementType::F32, base, position)?, lanes.count),
            1 => self.code.load_vector(base, position, lanes.count, lanes.mask).map(Into::into),
            2 => self.code.load_every_second(base, position, lanes.count, lanes.mask),
            _ => Err(missing()),
        }
    }

    /// Most index divisions have a dividend that is never negative and a constant divisor: then they are unsigned and cheap.
    fn divide_index(
        &self,
        operation: Binary,
        a: (&Expression, IntValue<'ctx>),
        b: (&Expression, IntValue<'ctx>),
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        let unsigned =
            range::range(a.0, self.leaves.extents).low >= 0 && range::range(b.0, self.leaves.extents).low > 0;
        if !unsigned {
            return binary_int(self.code, operation, ElementType::I64, a.1, b.1).map(Into::into);
        }
        let builder = &self.code.builder;
        Ok(match operation {
            Binary::Modulo => builder.build_int_unsigned_rem(a.1, b.1, "")?.into(),
            _ => builder.build_int_unsigned_div(a.1, b.1, "")?.into(),
        })
    }
}

pub(crate) fn constant<'ctx>(code: &Code<'_, 'ctx>, element: ElementType, value: Scalar) -> BasicValueEnum<'ctx> {
    match element {
        ElementType::Bool => code.context.bool_type().const_int(u64::from(value.as_bool()), false).into(),
        float if float.is_float() => code.float_type(float).const_float(value.as_f64()).into(),
        integer => {
            // Two's complement: the low bits are the value, whatever the sign.
            code.int_type(integer).const_int(value.as_integer() as u64, integer.is_signed()).into()
        }
    }
}

fn unary<'ctx>(
    code: &Code<'_, 'ctx>,
    operation: Unary,
    element: ElementType,
    value: BasicValueEnum<'ctx>,
) -> Result<BasicValueEnum<'ctx>, Error> {
    if element.is_float() {
        return super::math::unary(code, operation, element, value);
    }
    if operation == Unary::Not {
        return code.bit_not(value);
    }
    let value = int(value)?;
    Ok(match operation {
        Unary::Negate => code.builder.build_int_neg(value, "")?.into(),
        Unary::Absolute if !element.is_signed() => value.into(),
        Unary::Absolute => {
            let wraps = code.context.bool_type().const_zero();
            code.intrinsic("llvm.abs", &[value.get_type().into()], &[value.into(), wraps.into()])?
        }
        _ => return Err(Error::llvm("building instructions", format!("{operation:?} of {element}"))),
    })
}

/// `a op b`, both of `element`.
pub(crate) fn binary<'ctx>(
    code: &Code<'_, 'ctx>,
    operation: Binary,
    element: ElementType,
    a: BasicValueEnum<'ctx>,
    b: BasicValueEnum<'ctx>,
) -> Result<BasicValueEnum<'ctx>, Error> {
    if element == ElementType::BF16 {
        let single = binary_float(code, operation, ElementType::F32, a, b)?;
        code.round_to_bf16(float(single)?)
    } else if element.is_float() {
        binary_float(code, operation, element, a, b)
    } else if element == ElementType::Bool && matches!(operation, Binary::And | Binary::Or | Binary::Xor) {
        match operation {
            Binary::And => code.bit_and(a, b),
            Binary::Or => code.bit_or(a, b),
            _ => code.bit_xor(a, b),
        }
    } else {
        binary_int(code, operation, element, int(a)?, int(b)?).map(Into::into)
    }
}

fn binary_float<'ctx>(
    code: &Code<'_, 'ctx>,
    operation: Binary,
    element: ElementType,
    a: BasicValueEnum<'ctx>,
    b: BasicValueEnum<'ctx>,
) -> Result<BasicValueEnum<'ctx>, Error> {
    let call = |name: &str| code.intrinsic(name, &[a.get_type()], &[a.into(), b.into()]);
    match operation {
        Binary::Add => code.float_add(a, b),
        Binary::Subtract => code.float_subtract(a, b),
        Binary::Multiply => code.float_multiply(a, b),
        Binary::Divide => code.float_divide(a, b),
        Binary::Remainder => code.float_remainder(a, b),
        Binary::Maximum => call("llvm.maximum"),
        Binary::Minimum => call("llvm.minimum"),
        Binary::Power => call("llvm.pow"),
        other => Err(Error::llvm("building instructions", format!("{other:?} of {element}"))),
    }
}

fn binary_int<'ctx>(
    code: &Code<'_, 'ctx>,
    operation: Binary,
    element: ElementType,
    a: IntValue<'ctx>,
    b: IntValue<'ctx>,
) -> Result<IntValue<'ctx>, Error> {
    let builder = &code.builder;
    let unsigned = !element.is_signed();
    let call = |name: &str| int(code.intrinsic(name, &[a.get_type().into()], &[a.into(), b.into()])?);
    Ok(match operation {
        // Index arithmetic was proven not to leave its range, but data arithmetic wraps: no flags here.
        Binary::Add => builder.build_int_add(a, b, "")?,
        Binary::Subtract => builder.build_int_sub(a, b, "")?,
        Binary::Multiply => builder.build_int_mul(a, b, "")?,
        Binary::Divide | Binary::FloorDivide | Binary::Modulo | Binary::Remainder => {
            return divide(code, operation, unsigned, a, b);
        }
        Binary::Maximum => call(if unsigned { "llvm.umax" } else { "llvm.smax" })?,
        Binary::Minimum => call(if unsigned { "llvm.umin" } else { "llvm.smin" })?,
        Binary::And => builder.build_and(a, b, "")?,
        Binary::Or => builder.build_or(a, b, "")?,
        Binary::Xor => builder.build_xor(a, b, "")?,
        Binary::Power => return Err(Error::llvm("building instructions", "an integer power; cast to f64 instead")),
    })
}

/// Division that gives zero for a zero divisor, and wraps for the smallest integer by -1, instead of trapping.
fn divide<'ctx>(
    code: &Code<'_, 'ctx>,
    operation: Binary,
    unsigned: bool,
    a: IntValue<'ctx>,
    b: IntValue<'ctx>,
) -> Result<IntValue<'ctx>, Error> {
    let builder = &code.builder;
    let kind = a.get_type();
    let (zero, one) = (kind.const_zero(), kind.const_int(1, false));
    let by_zero = builder.build_int_compare(IntPredicate::EQ, b, zero, "")?;
    let pick = |condition, then: IntValue<'ctx>, otherwise: IntValue<'ctx>| {
        int(builder.build_select(condition, then, otherwise, "")?)
    };
    if unsigned {
        let divisor = pick(by_zero, one, b)?;
        let result = match operation {
            Binary::Modulo | Binary::Remainder => builder.build_int_unsigned_rem(a, divisor, "")?,
            _ => builder.build_int_unsigned_div(a, divisor, "")?,
        };
        return pick(by_zero, zero, result);
    }
    let by_minus_one = builder.build_int_compare(IntPredicate::EQ, b, kind.const_all_ones(), "")?;
    let divisor = pick(builder.build_or(by_zero, by_minus_one, "")?, one, b)?;
    let (quotient, rest) =
        (builder.build_int_signed_div(a, divisor, "")?, builder.build_int_signed_rem(a, divisor, "")?);
    let nonzero = builder.build_int_compare(IntPredicate::NE, rest, zero, "")?;
    let signs = builder.build_xor(rest, divisor, "")?;
    let differ = builder.build_int_compare(IntPredicate::SLT, signs, zero, "")?;
    let correct = builder.build_and(nonzero, differ, "")?;
    let (general, minus_one) = match operation {
        Binary::Divide => (quotient, builder.build_int_neg(a, "")?),
        Binary::FloorDivide => {
            (pick(correct, builder.build_int_sub(quotient, one, "")?, quotient)?, builder.build_int_neg(a, "")?)
        }
        Binary::Remainder => (rest, zero),
        _ => (pick(correct, builder.build_int_add(rest, divisor, "")?, rest)?, zero),
    };
    pick(by_zero, zero, pick(by_minus_one, minus_one, general)?)
}

fn compare<'ctx>(
    code: &Code<'_, 'ctx>,
    comparison: Comparison,
    element: ElementType,
    a: BasicValueEnum<'ctx>,
    b: BasicValueEnum<'ctx>,
) -> Result<BasicValueEnum<'ctx>, Error> {
    if element.is_float() {
        let predicate = match comparison {
            Comparison::Less => FloatPredicate::OLT,
            Comparison::LessOrEqual => FloatPredicate::OLE,
            Comparison::Equal => FloatPredicate::OEQ,
        };
        return code.float_compare(predicate, a, b);
    }
    let unsigned = !element.is_signed();
    let predicate = match (comparison, unsigned) {
        (Comparison::Less, false) => IntPredicate::SLT,
        (Comparison::Less, true) => IntPredicate::ULT,
        (Comparison::LessOrEqual, false) => IntPredicate::SLE,
        (Comparison::LessOrEqual, true) => IntPredicate::ULE,
        (Comparison::Equal, _) => IntPredicate::EQ,
    };
    Ok(code.builder.build_int_compare(predicate, int(a)?, int(b)?, "")?.into())
}

/// The integer towards zero, the nearest that there is, 0 for NaN. LLVM has an intrinsic for it, which makes no vectors.
fn saturated<'ctx>(
    code: &Code<'_, 'ctx>,
    from: ElementType,
    to: ElementType,
    value: FloatValue<'ctx>,
) -> Result<IntValue<'ctx>, Error> {
    let builder = &code.builder;
    let (kind, single) = (code.int_type(to), code.float_type(from));
    let bits = kind.get_bit_width() - u32::from(to.is_signed());
    // The largest float that is not above the largest integer, and what the integer is.
    let (significant, greatest) = match from {
        ElementType::F64 => (53, f64::MAX),
        ElementType::F16 => (11, 65504.0),
        _ => (24, f64::from(f32::MAX)),
    };
    let high = (f64::from(bits).exp2() - f64::from(bits.saturating_sub(significant)).exp2()).min(greatest);
    let low = if to.is_signed() { (-f64::from(bits).exp2()).max(-greatest) } else { 0.0 };
    let (high, low) = (single.const_float(high), single.const_float(low));
    let largest = u64::MAX >> (64 - bits);
    let smallest = if to.is_signed() { largest + 1 } else { 0 };
    let choose = |condition, then: FloatValue<'ctx>, otherwise: FloatValue<'ctx>| {
        float(builder.build_select(condition, then, otherwise, "")?)
    };
    let above = builder.build_float_compare(FloatPredicate::OGT, value, high, "")?;
    let below = builder.build_float_compare(FloatPredicate::OLT, value, low, "")?;
    let is_nan = builder.build_float_compare(FloatPredicate::UNO, value, value, "")?;
    // Beyond its bounds the conversion may be anything.
    let bounded = choose(below, low, choose(above, high, choose(is_nan, single.const_zero(), value)?)?)?;
    let inside = match to.is_signed() {
        true => builder.build_float_to_signed_int(bounded, kind, "")?,
        false => builder.build_float_to_unsigned_int(bounded, kind, "")?,
    };
    let limited = builder.build_select(above, kind.const_int(largest, false), inside, "")?;
    int(builder.build_select(below, kind.const_int(smallest, false), int(limited)?, "")?)
}

/// ONNX Cast; see [`Scalar::cast`].
pub(crate) fn cast<'ctx>(
    code: &Code<'_, 'ctx>,
    from: ElementType,
    to: ElementType,
    value: BasicValueEnum<'ctx>,
) -> Result<BasicValueEnum<'ctx>, Error> {
    let builder = &code.builder;
    Ok(match (from.is_float(), to) {
        (true, ElementType::Bool) => {
            let zero = code.float_type(from).const_zero();
            builder.build_float_compare(FloatPredicate::UNE, float(value)?, zero, "")?.into()
        }
        (false, ElementType::Bool) => {
            let value = int(value)?;
            builder.build_int_compare(IntPredicate::NE, value, value.get_type().const_zero(), "")?.into()
        }
        (true, ElementType::BF16) => {
            code.round_to_bf16(builder.build_float_cast(float(value)?, code.context.f32_type(), "")?)?
        }
        (false, ElementType::BF16) => {
            let single = cast(code, from, ElementType::F32, value)?;
            code.round_to_bf16(float(single)?)?
        }
        (true, to) if to.is_float() => builder.build_float_cast(float(value)?, code.float_type(to), "")?.into(),
        (false, to) if to.is_float() => {
            let kind = code.float_type(to);
            match !from.is_signed() {
                true => builder.build_unsigned_int_to_float(int(value)?, kind, "")?.into(),
                false => builder.build_signed_int_to_float(int(value)?, kind, "")?.into(),
            }
        }
        (true, to) => saturated(code, from, to, float(value)?)?.into(),
        (false, to) => {
            let target = code.int_type(to);
            let value = int(value)?;
            let (have, want) = (value.get_type().get_bit_width(), target.get_bit_width());
            if have > want {
                builder.build_int_truncate(value, target, "")?.into()
            } else if have == want {
                value.into()
            } else if !from.is_signed() {
                builder.build_int_z_extend(value, target, "")?.into()
            } else {
                builder.build_int_s_extend(value, target, "")?.into()
            }
        }
    })
}
