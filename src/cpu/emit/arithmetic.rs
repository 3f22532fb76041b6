//! Arithmetic on numbers and on vectors of them alike, so that an expression is emitted for one point or for several at once.

use inkwell::types::{BasicTypeEnum, VectorType};
use inkwell::values::{BasicValue, BasicValueEnum, IntValue, PointerValue, VectorValue};
use inkwell::{FloatPredicate, IntPredicate};

use super::super::error::Error;
use super::code::{Code, int, mixed};

pub(crate) type LlvmValue<'ctx> = BasicValueEnum<'ctx>;

pub(crate) fn vector(value: LlvmValue<'_>) -> Result<VectorValue<'_>, Error> {
    match value {
        LlvmValue::VectorValue(value) => Ok(value),
        _ => Err(mixed()),
    }
}

macro_rules! float_operations {
    ($($name:ident => $build:ident),*) => { $(
        pub(crate) fn $name(&self, a: LlvmValue<'ctx>, b: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
            match (a, b) {
                (LlvmValue::FloatValue(a), LlvmValue::FloatValue(b)) => Ok(self.builder.$build(a, b, "")?.into()),
                (LlvmValue::VectorValue(a), LlvmValue::VectorValue(b)) => Ok(self.builder.$build(a, b, "")?.into()),
                _ => Err(mixed()),
            }
        }
    )* };
}

macro_rules! int_operations {
    ($($name:ident => $build:ident),*) => { $(
        pub(crate) fn $name(&self, a: LlvmValue<'ctx>, b: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
            match (a, b) {
                (LlvmValue::IntValue(a), LlvmValue::IntValue(b)) => Ok(self.builder.$build(a, b, "")?.into()),
                (LlvmValue::VectorValue(a), LlvmValue::VectorValue(b)) => Ok(self.builder.$build(a, b, "")?.into()),
                _ => Err(mixed()),
            }
        }
    )* };
}

impl<'ctx> Code<'_, 'ctx> {
    float_operations!(float_add => build_float_add, float_subtract => build_float_sub,
        float_multiply => build_float_mul, float_divide => build_float_div, float_remainder => build_float_rem);
    int_operations!(int_add => build_int_add, int_subtract => build_int_sub, shift_left => build_left_shift,
        bit_and => build_and, bit_or => build_or, bit_xor => build_xor);

    pub(crate) fn float_negate(&self, a: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        match a {
            LlvmValue::FloatValue(a) => Ok(self.builder.build_float_neg(a, "")?.into()),
            LlvmValue::VectorValue(a) => Ok(self.builder.build_float_neg(a, "")?.into()),
            _ => Err(mixed()),
        }
    }

    pub(crate) fn bit_not(&self, a: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        match a {
            LlvmValue::IntValue(a) => Ok(self.builder.build_not(a, "")?.into()),
            LlvmValue::VectorValue(a) => Ok(self.builder.build_not(a, "")?.into()),
            _ => Err(mixed()),
        }
    }

    pub(crate) fn float_compare(
        &self,
        predicate: FloatPredicate,
        a: LlvmValue<'ctx>,
        b: LlvmValue<'ctx>,
    ) -> Result<LlvmValue<'ctx>, Error> {
        match (a, b) {
            (LlvmValue::FloatValue(a), LlvmValue::FloatValue(b)) => {
                Ok(self.builder.build_float_compare(predicate, a, b, "")?.into())
            }
            (LlvmValue::VectorValue(a), LlvmValue::VectorValue(b)) => {
                Ok(self.builder.build_float_compare(predicate, a, b, "")?.into())
            }
            _ => Err(mixed()),
        }
    }

    pub(crate) fn choose(
        &self,
        condition: LlvmValue<'ctx>,
        then: LlvmValue<'ctx>,
        otherwise: LlvmValue<'ctx>,
    ) -> Result<LlvmValue<'ctx>, Error> {
        match condition {
            LlvmValue::IntValue(condition) => Ok(self.builder.build_select(condition, then, otherwise, "")?),
            LlvmValue::VectorValue(condition) => Ok(self.builder.build_select(condition, then, otherwise, "")?),
            _ => Err(mixed()),
        }
    }

    /// The nearest i32 towards zero; poison when there is none.
    pub(crate) fn to_i32(&self, a: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        let kind = self.context.i32_type();
        match a {
            LlvmValue::FloatValue(a) => Ok(self.builder.build_float_to_signed_int(a, kind, "")?.into()),
            LlvmValue::VectorValue(a) => {
                let kind = kind.vec_type(a.get_type().get_size());
                Ok(self.builder.build_float_to_signed_int(a, kind, "")?.into())
            }
            _ => Err(mixed()),
        }
    }

    /// Half of an i32, rounded down.
    pub(crate) fn halve(&self, a: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        let one = self.i32_like(a, 1);
        match (a, one) {
            (LlvmValue::IntValue(a), LlvmValue::IntValue(one)) => {
                Ok(self.builder.build_right_shift(a, one, true, "")?.into())
            }
            (LlvmValue::VectorValue(a), LlvmValue::VectorValue(one)) => {
                Ok(self.builder.build_right_shift(a, one, true, "")?.into())
            }
            _ => Err(mixed()),
        }
    }

    /// The same bits as f32.
    pub(crate) fn bits_as_f32(&self, a: LlvmValue<'ctx>) -> Result<LlvmValue<'ctx>, Error> {
        let kind = self.context.f32_type();
        let kind: BasicTypeEnum<'ctx> = match a {
            LlvmValue::VectorValue(a) => kind.vec_type(a.get_type().get_size()).into(),
            _ => kind.into(),
        };
        Ok(self.builder.build_bit_cast(a, kind, "")?)
    }

    /// The number as an f32, or as a vector of them when `like` is one.
    pub(crate) fn f32_like(&self, like: LlvmValue<'ctx>, number: f64) -> LlvmValue<'ctx> {
        let number = self.context.f32_type().const_float(number);
        match like {
            LlvmValue::VectorValue(like) => repeated(number, like.get_type().get_size()),
            _ => number.into(),
        }
    }

    pub(crate) fn i32_like(&self, like: LlvmValue<'ctx>, number: i64) -> LlvmValue<'ctx> {
        let number = self.context.i32_type().const_int(number as u64, true);
        match like {
            LlvmValue::VectorValue(like) => repeated(number, like.get_type().get_size()),
            _ => number.into(),
        }
    }

    /// A vector of equal elements.
    pub(crate) fn splat(&self, scalar: LlvmValue<'ctx>, lanes: usize) -> Result<LlvmValue<'ctx>, Error> {
        let index = self.context.i32_type();
        let kind = vector_of(scalar.get_type(), lanes as u32)?;
        let single = self.builder.build_insert_element(kind.get_poison(), scalar, index.const_zero(), "")?;
        let mask = index.vec_type(lanes as u32).const_zero();
        Ok(self.builder.build_shuffle_vector(single, kind.get_poison(), mask, "")?.into())
    }

    /// Lane `n` is set where `from + n` is less than `high`; both are i64.
    fn lanes_below(
        &self,
        lanes: usize,
        from: IntValue<'ctx>,
        high: IntValue<'ctx>,
    ) -> Result<VectorValue<'ctx>, Error> {
        let numbers: Vec<_> = (0..lanes).map(|lane| self.size(lane)).collect();
        let positions = VectorType::const_vector(&numbers);
        let positions = self.builder.build_int_add(positions, vector(self.splat(from.into(), lanes)?)?, "")?;
        let high = vector(self.splat(high.into(), lanes)?)?;
        Ok(self.builder.build_int_compare(IntPredicate::SLT, positions, high, "")?)
    }

    /// The f32 at every second position, from as many lanes as the mask sets. Reads nothing beyond the last of them.
    pub(crate) fn load_every_second(
        &self,
        base: PointerValue<'ctx>,
        position: IntValue<'ctx>,
        lanes: usize,
        mask: Option<VectorValue<'ctx>>,
    ) -> Result<LlvmValue<'ctx>, Error> {
        let number = |lane: usize| self.context.i32_type().const_int(lane as u64, false);
        let mut halves = Vec::new();
        for half in 0..2 {
            let at = self.builder.build_int_nsw_add(position, self.size(half * lanes), "")?;
            let mask = match mask {
                // Element `2 * n` is needed where lane `n` is; the odd ones follow it, except for the very last.
                Some(mask) => {
                    let numbers: Vec<_> = (0..lanes).map(|lane| number((half * lanes + lane) / 2)).collect();
                    let spread =
                        self.builder.build_shuffle_vector(mask, mask, VectorType::const_vector(&numbers), "")?;
                    let kind = self.context.bool_type();
                    let bits: Vec<_> = (0..lanes).map(|lane| kind.const_int(1 - (lane as u64 % 2), false)).collect();
                    Some(self.builder.build_and(spread, VectorType::const_vector(&bits), "")?)
                }
                None if half == 0 => None,
                None => Some(self.first_lanes(lanes, lanes - 1)),
            };
            halves.push(self.load_vector(base, at, lanes, mask)?);
        }
        let &[low, high] = halves.as_slice() else { return Err(mixed()) };
        let numbers: Vec<_> = (0..lanes).map(|lane| number(2 * lane)).collect();
        Ok(self.builder.build_shuffle_vector(low, high, VectorType::const_vector(&numbers), "")?.into())
    }

    /// Calls `body` with the first of every `lanes` positions of `from..to`, and with a mask where fewer are left.
    pub(crate) fn for_vectors(
        &self,
        lanes: usize,
        from: IntValue<'ctx>,
        to: IntValue<'ctx>,
        body: &mut dyn FnMut(IntValue<'ctx>, Option<VectorValue<'ctx>>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let count = self.builder.build_int_nsw_sub(to, from, "")?;
        let rest = self.builder.build_int_signed_rem(count, self.size(lanes), "")?;
        let whole = self.builder.build_int_nsw_sub(to, rest, "")?;
        self.for_range(from, whole, lanes as i64, &mut |position| body(position, None))?;
        if rest.get_zero_extended_constant() == Some(0) {
            return Ok(());
        }
        self.for_range(whole, to, lanes as i64, &mut |position| {
            let mask = match rest.get_zero_extended_constant() {
                Some(rest) => self.first_lanes(lanes, rest as usize),
                None => self.lanes_below(lanes, position, to)?,
            };
            body(position, Some(mask))
        })
    }

    /// The same where a position may be seen twice: the last vector begins as early as it must to be a whole one, because many processors store
    /// a part of a vector slowly. A mask is only where all positions are fewer than a vector.
    pub(crate) fn for_overlapping_vectors(
        &self,
        lanes: usize,
        from: IntValue<'ctx>,
        to: IntValue<'ctx>,
        body: &mut dyn FnMut(IntValue<'ctx>, Option<VectorValue<'ctx>>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let count = self.builder.build_int_nsw_sub(to, from, "")?;
        let known = count.get_zero_extended_constant();
        if known.is_some_and(|count| count < lanes as u64 || count.is_multiple_of(lanes as u64)) {
            return self.for_vectors(lanes, from, to, body);
        }
        let last = self.builder.build_int_nsw_sub(to, self.size(lanes), "")?;
        let is_short = self.builder.build_int_compare(IntPredicate::SLT, count, self.size(lanes), "")?;
        let whole = int(self.builder.build_select(is_short, from, to, "")?)?;
        self.for_range(from, whole, lanes as i64, &mut |position| {
            body(int(self.intrinsic("llvm.smin", &[last.get_type().into()], &[position.into(), last.into()])?)?, None)
        })?;
        if known.is_some() {
            return Ok(());
        }
        self.for_range(whole, to, lanes as i64, &mut |position| {
            body(position, Some(self.lanes_below(lanes, position, to)?))
        })
    }

    /// The lower and the upper half of a vector.
    pub(crate) fn halves(&self, value: VectorValue<'ctx>) -> Result<[VectorValue<'ctx>; 2], Error> {
        let half = value.get_type().get_size() / 2;
        let part = |first: u32| {
            let numbers: Vec<_> =
                (first..first + half).map(|lane| self.context.i32_type().const_int(lane.into(), false)).collect();
            self.builder.build_shuffle_vector(value, value, VectorType::const_vector(&numbers), "")
        };
        Ok([part(0)?, part(half)?])
    }

    /// A mask of the first `count` lanes.
    pub(crate) fn first_lanes(&self, lanes: usize, count: usize) -> VectorValue<'ctx> {
        let kind = self.context.bool_type();
        let bits: Vec<_> = (0..lanes).map(|lane| kind.const_int(u64::from(lane < count), false)).collect();
        VectorType::const_vector(&bits)
    }
}

fn repeated<'ctx, V: BasicValue<'ctx> + Copy>(value: V, lanes: u32) -> LlvmValue<'ctx> {
    VectorType::const_vector(&vec![value; lanes as usize]).into()
}

fn vector_of(kind: BasicTypeEnum<'_>, lanes: u32) -> Result<VectorType<'_>, Error> {
    match kind {
        BasicTypeEnum::FloatType(kind) => Ok(kind.vec_type(lanes)),
        BasicTypeEnum::IntType(kind) => Ok(kind.vec_type(lanes)),
        _ => Err(mixed()),
    }
}
