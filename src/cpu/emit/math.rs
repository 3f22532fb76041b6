//! Mathematical functions. Those of f32 are polynomials, so that loops over them vectorize; f64 calls the C library.
//!
//! The coefficients, most of them those of the VPU, are Chebyshev interpolants that numpy computed in f64 (see `docs/decisions/0010-cpu-backend.md`); the
//! tests below measure the error of every function against f64.

use hb_dialects::ElementType;
use inkwell::FloatPredicate;

use super::super::error::Error;
use super::super::expression::Unary;
use super::arithmetic::LlvmValue;
use super::code::{Code, float};
use crate::numerics::coefficients::{ERF, EXP, LOG_ERFC};

/// tanh(x) / x in x², for |x| <= 0.625.
const TANH: [f32; 6] = [1.0, -0.333_332_63, 0.133_311_5, -0.053_722_68, 0.020_595_679, -0.005_664_775];

pub(crate) fn unary<'ctx>(
    code: &Code<'_, 'ctx>,
    operation: Unary,
    element: ElementType,
    value: LlvmValue<'ctx>,
) -> Result<LlvmValue<'ctx>, Error> {
    if element == ElementType::BF16 {
        let single = unary(code, operation, ElementType::F32, value)?;
        return code.round_to_bf16(float(single)?);
    }
    let call = |name: &str| code.intrinsic(name, &[value.get_type()], &[value.into()]);
    match operation {
        Unary::Negate => code.float_negate(value),
        Unary::Absolute => call("llvm.fabs"),
        Unary::SquareRoot => call("llvm.sqrt"),
        Unary::Floor => call("llvm.floor"),
        Unary::Ceil => call("llvm.ceil"),
        Unary::Round => call("llvm.roundeven"),
        Unary::Not => Err(Error::llvm("building instructions", "the complement of a float")),
        other if element == ElementType::F16 => {
            let wide = code.builder.build_float_cast(float(value)?, code.context.f32_type(), "")?;
            let result = unary(code, other, ElementType::F32, wide.into())?;
            Ok(code.builder.build_float_cast(float(result)?, code.context.f16_type(), "")?.into())
        }
        Unary::Logarithm => call("llvm.log"),
        Unary::Sine => call("llvm.sin"),
        Unary::Cosine => call("llvm.cos"),
        Unary::Exponential if element == ElementType::F32 => Float { code, like: value }.exponential(value),
        Unary::Tanh if element == ElementType::F32 => Float { code, like: value }.tanh(value),
        Unary::Erf if element == ElementType::F32 => Float { code, like: value }.erf(value),
        Unary::Exponential => call("llvm.exp"),
        Unary::Tanh => library(code, "tanh", element, value),
        Unary::Erf => library(code, "erf", element, value),
        Unary::Library(function) => {
            let (of_f64, of_f32) = function.names();
            library(code, if element == ElementType::F32 { of_f32 } else { of_f64 }, element, value)
        }
    }
}

/// A function of the C library on f32 or f64; not on vectors.
fn library<'ctx>(
    code: &Code<'_, 'ctx>,
    name: &str,
    element: ElementType,
    value: LlvmValue<'ctx>,
) -> Result<LlvmValue<'ctx>, Error> {
    let kind = code.float_type(element);
    let function = code
        .module
        .get_function(name)
        .unwrap_or_else(|| code.module.add_function(name, kind.fn_type(&[kind.into()], false), None));
    match code.builder.build_call(function, &[value.into()], "")?.try_as_basic_value() {
        inkwell::values::ValueKind::Basic(value) => Ok(value),
        inkwell::values::ValueKind::Instruction(_) => Err(Error::llvm("calling the C library", name)),
    }
}

/// Builds f32 arithmetic, on numbers or on vectors as `like` is.
struct Float<'b, 'm, 'ctx> {
    code: &'b Code<'m, 'ctx>,
    like: LlvmValue<'ctx>,
}

impl<'ctx> Float<'_, '_, 'ctx> {
    fn number(&self, value: f64) -> LlvmValue<'ctx> {
        self.code.f32_like(self.like, value)
    }

    fn fused(&self, a: LlvmValue<'ctx>, b: LlvmValue<'ctx>, c: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        self.code.multiply_add(a, b, c)
    }

    fn call(&self, name: &str, value: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        self.code.intrinsic(name, &[self.like.get_type()], &[value.into()])
    }

    fn polynomial(&self, coefficients: &[f32], x: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        coefficients
            .iter()
            .rev()
            .try_fold(self.number(0.0), |sum, &coefficient| self.fused(sum, x, self.number(coefficient.into())))
    }

    fn select(
        &self,
        predicate: FloatPredicate,
        a: LlvmValue<'ctx>,
        b: LlvmValue<'ctx>,
        then: LlvmValue<'ctx>,
        otherwise: LlvmValue<'ctx>,
    ) -> Result<LlvmValue<'ctx>, Error> {
        self.code.choose(self.code.float_compare(predicate, a, b)?, then, otherwise)
    }

    /// 2^n for a whole n in [-126, 127].
    fn power_of_two(&self, n: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        let code = self.code;
        let biased = code.int_add(n, code.i32_like(n, 127))?;
        code.bits_as_f32(code.shift_left(biased, code.i32_like(n, 23))?)
    }

    /// e^x = 2^n * e^r with n = round(x / ln 2) and |r| <= ln(2)/2.
    fn exponential(&self, x: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        let code = self.code;
        // Beyond these the result is infinity or rounds to zero; NaN falls through to the low end and is put back below.
        let low = self.select(FloatPredicate::OGT, x, self.number(-104.0), x, self.number(-104.0))?;
        let bounded = self.select(FloatPredicate::OLT, low, self.number(89.0), low, self.number(89.0))?;
        let scaled = code.float_multiply(bounded, self.number(std::f64::consts::LOG2_E))?;
        let whole = self.call("llvm.roundeven", scaled)?;
        // ln 2 in two parts, the first with so few bits that its product with n is exact.
        let r = self.fused(whole, self.number(-0.693_359_375), bounded)?;
        let r = self.fused(whole, self.number(2.121_944_4e-4), r)?;
        let square = code.float_multiply(r, r)?;
        let one_and_r = code.float_add(r, self.number(1.0))?;
        let fraction = self.fused(self.polynomial(&EXP, r)?, square, one_and_r)?;
        // In two steps, because 2^n alone may lie outside the range of normal numbers.
        let n = code.to_i32(whole)?;
        let half = code.halve(n)?;
        let rest = code.int_subtract(n, half)?;
        let result = code.float_multiply(fraction, self.power_of_two(half)?)?;
        let result = code.float_multiply(result, self.power_of_two(rest)?)?;
        self.select(FloatPredicate::UNO, x, x, x, result)
    }

    fn tanh(&self, x: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        let code = self.code;
        let magnitude = self.call("llvm.fabs", x)?;
        let square = code.float_multiply(x, x)?;
        let small = code.float_multiply(self.polynomial(&TANH, square)?, x)?;
        // tanh(a) = 1 - 2 / (e^2a + 1)
        let doubled = code.float_add(magnitude, magnitude)?;
        let denominator = code.float_add(self.exponential(doubled)?, self.number(1.0))?;
        let quotient = code.float_divide(self.number(2.0), denominator)?;
        let large = code.float_subtract(self.number(1.0), quotient)?;
        let large = self.with_sign_of(large, x)?;
        self.select(FloatPredicate::OLT, magnitude, self.number(0.625), small, large)
    }

    fn erf(&self, x: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        let code = self.code;
        let magnitude = self.call("llvm.fabs", x)?;
        let square = code.float_multiply(x, x)?;
        let small = code.float_multiply(self.polynomial(&ERF, square)?, x)?;
        // At 4 the result already rounds to 1. NaN fails the comparison and stays.
        let bounded = self.select(FloatPredicate::OGT, magnitude, self.number(4.0), self.number(4.0), magnitude)?;
        let shifted = code.float_subtract(bounded, self.number(2.5))?;
        let complement = self.exponential(self.polynomial(&LOG_ERFC, shifted)?)?;
        let large = code.float_subtract(self.number(1.0), complement)?;
        let large = self.with_sign_of(large, x)?;
        self.select(FloatPredicate::OLT, magnitude, self.number(1.0), small, large)
    }

    fn with_sign_of(&self, magnitude: LlvmValue<'ctx>, sign: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        self.code.intrinsic("llvm.copysign", &[self.like.get_type()], &[magnitude.into(), sign.into()])
    }
}
