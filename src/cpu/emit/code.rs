//! Small tools over the inkwell builder: loops, memory, intrinsics, types.

use hb_dialects::ElementType;
use inkwell::FloatPredicate;
use inkwell::basic_block::BasicBlock;
use inkwell::builder::Builder;
use inkwell::context::Context;
use inkwell::intrinsics::Intrinsic;
use inkwell::module::Module;
use inkwell::types::{BasicType, BasicTypeEnum, FloatType, IntType, VectorType};
use inkwell::values::{
    BasicMetadataValueEnum, BasicValue, BasicValueEnum, FloatValue, FunctionValue, IntValue, PointerValue, ValueKind,
    VectorValue,
};

use super::super::error::Error;
use super::arithmetic::vector;

/// A function under construction.
pub(crate) struct Code<'a, 'ctx> {
    pub context: &'ctx Context,
    pub module: &'a Module<'ctx>,
    pub builder: Builder<'ctx>,
    pub function: FunctionValue<'ctx>,
    /// The first block; stack slots go here, so that loops do not grow the stack.
    entry: BasicBlock<'ctx>,
}

impl<'a, 'ctx> Code<'a, 'ctx> {
    pub(crate) fn new(
        context: &'ctx Context,
        module: &'a Module<'ctx>,
        function: FunctionValue<'ctx>,
    ) -> Result<Self, Error> {
        let builder = context.create_builder();
        let entry = context.append_basic_block(function, "entry");
        let start = context.append_basic_block(function, "start");
        builder.position_at_end(entry);
        builder.build_unconditional_branch(start)?;
        builder.position_at_end(start);
        Ok(Code { context, module, builder, function, entry })
    }

    pub(crate) fn int(&self, value: i64) -> IntValue<'ctx> {
        self.context.i64_type().const_int(value as u64, true)
    }

    pub(crate) fn size(&self, value: usize) -> IntValue<'ctx> {
        self.context.i64_type().const_int(value as u64, false)
    }

    /// The type of an element in registers: bool is i1, bfloat16 the f32 of the same value.
    pub(crate) fn register_type(&self, element: ElementType) -> BasicTypeEnum<'ctx> {
        match element {
            ElementType::Bool => self.context.bool_type().into(),
            ElementType::BF16 => self.context.f32_type().into(),
            other => self.memory_type(other),
        }
    }

    /// The type of an element in memory: bool is a byte, bfloat16 its 16 bits.
    pub(crate) fn memory_type(&self, element: ElementType) -> BasicTypeEnum<'ctx> {
        match element {
            ElementType::BF16 => self.context.i16_type().into(),
            float if float.is_float() => self.float_type(float).into(),
            integer => self.int_type(integer).into(),
        }
    }

    /// The type of an integer, or of a bool's byte.
    pub(crate) fn int_type(&self, element: ElementType) -> IntType<'ctx> {
        match element.bytes() {
            1 => self.context.i8_type(),
            2 => self.context.i16_type(),
            4 => self.context.i32_type(),
            _ => self.context.i64_type(),
        }
    }

    /// The type of a float in registers.
    pub(crate) fn float_type(&self, element: ElementType) -> FloatType<'ctx> {
        match element {
            ElementType::F64 => self.context.f64_type(),
            ElementType::F16 => self.context.f16_type(),
            _ => self.context.f32_type(),
        }
    }

    /// A stack slot for `count` values.
    pub(crate) fn stack(&self, kind: BasicTypeEnum<'ctx>, count: usize) -> Result<PointerValue<'ctx>, Error> {
        let here = self.builder.get_insert_block();
        match self.entry.get_terminator() {
            Some(terminator) => self.builder.position_before(&terminator),
            None => self.builder.position_at_end(self.entry),
        }
        let slot = self.builder.build_array_alloca(kind, self.size(count), "")?;
        if let Some(instruction) = slot.as_instruction_value() {
            instruction.set_alignment(64).map_err(|error| Error::llvm("aligning a stack slot", error))?;
        }
        if let Some(here) = here {
            self.builder.position_at_end(here);
        }
        Ok(slot)
    }

    /// The address of element `position`.
    pub(crate) fn at<T: BasicType<'ctx>>(
        &self,
        kind: T,
        base: PointerValue<'ctx>,
        position: IntValue<'ctx>,
    ) -> Result<PointerValue<'ctx>, Error> {
        // SAFETY: only builds the instruction. That the position is inside was proven by `range::verify`.
        Ok(unsafe { self.builder.build_in_bounds_gep(kind, base, &[position], "") }?)
    }

    pub(crate) fn load(
        &self,
        element: ElementType,
        base: PointerValue<'ctx>,
        position: IntValue<'ctx>,
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        let kind = self.memory_type(element);
        let value = self.builder.build_load(kind, self.at(kind, base, position)?, "")?;
        match element {
            ElementType::Bool => {
                let zero = self.context.i8_type().const_zero();
                Ok(self.builder.build_int_compare(inkwell::IntPredicate::NE, int(value)?, zero, "")?.into())
            }
            ElementType::BF16 => self.widen_bf16(int(value)?),
            _ => Ok(value),
        }
    }

    pub(crate) fn store(
        &self,
        element: ElementType,
        base: PointerValue<'ctx>,
        position: IntValue<'ctx>,
        value: BasicValueEnum<'ctx>,
    ) -> Result<(), Error> {
        let kind = self.memory_type(element);
        let value = match element {
            ElementType::Bool => self.builder.build_int_z_extend(int(value)?, self.context.i8_type(), "")?.into(),
            ElementType::BF16 => self.bf16_bits(float(value)?)?.into(),
            _ => value,
        };
        self.builder.build_store(self.at(kind, base, position)?, value)?;
        Ok(())
    }

    /// The f32 of the 16 bits of a bfloat16: they are its upper half.
    fn widen_bf16(&self, bits: IntValue<'ctx>) -> Result<BasicValueEnum<'ctx>, Error> {
        let kind = self.context.i32_type();
        let wide = self.builder.build_int_z_extend(bits, kind, "")?;
        let wide = self.builder.build_left_shift(wide, kind.const_int(16, false), "")?;
        Ok(self.builder.build_bit_cast(wide, self.context.f32_type(), "")?)
    }

    /// The bits of a bfloat16 whose f32 this is.
    fn bf16_bits(&self, value: FloatValue<'ctx>) -> Result<IntValue<'ctx>, Error> {
        let kind = self.context.i32_type();
        let bits = int(self.builder.build_bit_cast(value, kind, "")?)?;
        let upper = self.builder.build_right_shift(bits, kind.const_int(16, false), false, "")?;
        Ok(self.builder.build_int_truncate(upper, self.context.i16_type(), "")?)
    }

    /// An f32 rounded to the nearest bfloat16, ties to even, and still an f32. Integer arithmetic, because not every target
    /// has an instruction for it.
    pub(crate) fn round_to_bf16(&self, value: FloatValue<'ctx>) -> Result<BasicValueEnum<'ctx>, Error> {
        let builder = &self.builder;
        let number = |number: u64| self.context.i32_type().const_int(number, false);
        let bits = int(builder.build_bit_cast(value, self.context.i32_type(), "")?)?;
        let odd = builder.build_and(builder.build_right_shift(bits, number(16), false, "")?, number(1), "")?;
        let half = builder.build_int_add(odd, number(0x7fff), "")?;
        let rounded = builder.build_int_add(bits, half, "")?;
        // A NaN stays one: adding could carry it to infinity or zero.
        let quiet = builder.build_or(bits, number(0x0040_0000), "")?;
        let nan = builder.build_float_compare(FloatPredicate::UNO, value, value, "")?;
        let chosen = int(builder.build_select(nan, quiet, rounded, "")?)?;
        let upper = builder.build_and(chosen, number(0xffff_0000), "")?;
        Ok(builder.build_bit_cast(upper, self.context.f32_type(), "")?)
    }

    /// The type of `lanes` f32.
    pub(crate) fn f32_vector(&self, lanes: usize) -> VectorType<'ctx> {
        self.context.f32_type().vec_type(lanes as u32)
    }

    /// `lanes` neighbouring f32; zero, and not touched in memory, where the mask is unset.
    pub(crate) fn load_vector(
        &self,
        base: PointerValue<'ctx>,
        position: IntValue<'ctx>,
        lanes: usize,
        mask: Option<VectorValue<'ctx>>,
    ) -> Result<VectorValue<'ctx>, Error> {
        let (kind, at) = (self.f32_vector(lanes), self.at(self.context.f32_type(), base, position)?);
        let Some(mask) = mask else {
            let value = self.builder.build_load(kind, at, "")?;
            if let Some(instruction) = value.as_instruction_value() {
                instruction.set_alignment(4).map_err(|error| Error::llvm("aligning a load", error))?;
            }
            return vector(value);
        };
        let arguments = [at.into(), mask.into(), kind.const_zero().into()];
        vector(self.intrinsic("llvm.masked.load", &[kind.into(), at.get_type().into()], &arguments)?)
    }

    /// Stores where the mask is set.
    pub(crate) fn store_vector(
        &self,
        base: PointerValue<'ctx>,
        position: IntValue<'ctx>,
        value: VectorValue<'ctx>,
        mask: Option<VectorValue<'ctx>>,
    ) -> Result<(), Error> {
        let at = self.at(self.context.f32_type(), base, position)?;
        let Some(mask) = mask else {
            let store = self.builder.build_store(at, value)?;
            return store.set_alignment(4).map_err(|error| Error::llvm("aligning a store", error));
        };
        let kinds = [value.get_type().into(), at.get_type().into()];
        let found = Intrinsic::find("llvm.masked.store").and_then(|found| found.get_declaration(self.module, &kinds));
        let function = found.ok_or_else(|| Error::llvm("calling an intrinsic", "this LLVM has no masked store"))?;
        self.builder.build_call(function, &[value.into(), at.into(), mask.into()], "")?;
        Ok(())
    }

    /// `for i in from..to step by step`; `body` may add blocks, but must end where control falls through.
    pub(crate) fn for_range(
        &self,
        from: IntValue<'ctx>,
        to: IntValue<'ctx>,
        step: i64,
        body: &mut dyn FnMut(IntValue<'ctx>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let block = |name| self.context.append_basic_block(self.function, name);
        let (head, inside, after) = (block("head"), block("body"), block("after"));
        let Some(before) = self.builder.get_insert_block() else {
            return Err(Error::llvm("building a loop", "no insertion point"));
        };
        self.builder.build_unconditional_branch(head)?;
        self.builder.position_at_end(head);
        let counter = self.builder.build_phi(self.context.i64_type(), "")?;
        let position = int(counter.as_basic_value())?;
        let more = self.builder.build_int_compare(inkwell::IntPredicate::SLT, position, to, "")?;
        self.builder.build_conditional_branch(more, inside, after)?;
        self.builder.position_at_end(inside);
        body(position)?;
        let next = self.builder.build_int_nsw_add(position, self.int(step), "")?;
        if let Some(latch) = self.builder.get_insert_block() {
            counter.add_incoming(&[(&from, before), (&next, latch)]);
        }
        self.builder.build_unconditional_branch(head)?;
        self.builder.position_at_end(after);
        Ok(())
    }

    /// Nested loops over a box; `body` gets the positions.
    pub(crate) fn for_box(
        &self,
        extents: &[usize],
        body: &mut dyn FnMut(&[IntValue<'ctx>]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.nest(extents, &mut Vec::new(), body)
    }

    fn nest(
        &self,
        extents: &[usize],
        outer: &mut Vec<IntValue<'ctx>>,
        body: &mut dyn FnMut(&[IntValue<'ctx>]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match extents.split_first() {
            None => body(outer),
            Some((&extent, rest)) => self.for_range(self.int(0), self.size(extent), 1, &mut |position| {
                outer.push(position);
                let result = self.nest(rest, outer, body);
                outer.pop();
                result
            }),
        }
    }

    /// Calls an LLVM intrinsic overloaded on `kinds`.
    pub(crate) fn intrinsic(
        &self,
        name: &str,
        kinds: &[BasicTypeEnum<'ctx>],
        arguments: &[BasicMetadataValueEnum<'ctx>],
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        let missing = || Error::llvm("calling an intrinsic", format!("{name} is not known to this LLVM"));
        let function =
            Intrinsic::find(name).and_then(|found| found.get_declaration(self.module, kinds)).ok_or_else(missing)?;
        match self.builder.build_call(function, arguments, "")?.try_as_basic_value() {
            ValueKind::Basic(value) => Ok(value),
            ValueKind::Instruction(_) => Err(Error::llvm("calling an intrinsic", format!("{name} gives no value"))),
        }
    }

    /// The vector itself, which is computed before anything that is loaded behind it: LLVM's scheduler would load so much early that sums leave
    /// their registers. For x86, whose vector registers are `x`.
    pub(crate) fn before_further_loads(&self, vector: VectorValue<'ctx>) -> Result<VectorValue<'ctx>, Error> {
        let kind = vector.get_type();
        let function = kind.fn_type(&[kind.into()], false);
        // No instruction; it reads and gives the vector in a register, and may change memory.
        let nothing =
            self.context.create_inline_asm(function, String::new(), "=x,0,~{memory}".into(), true, false, None, false);
        let call = self.builder.build_indirect_call(function, nothing, &[vector.into()], "")?;
        match call.try_as_basic_value() {
            ValueKind::Basic(BasicValueEnum::VectorValue(value)) => Ok(value),
            _ => Err(mixed()),
        }
    }

    /// `a * b + c`, rounded once where the machine can.
    pub(crate) fn multiply_add(
        &self,
        a: BasicValueEnum<'ctx>,
        b: BasicValueEnum<'ctx>,
        c: BasicValueEnum<'ctx>,
    ) -> Result<BasicValueEnum<'ctx>, Error> {
        self.intrinsic("llvm.fmuladd", &[c.get_type()], &[a.into(), b.into(), c.into()])
    }
}

pub(super) fn mixed() -> Error {
    Error::llvm("building instructions", "an expression mixes types")
}

pub(crate) fn int(value: BasicValueEnum<'_>) -> Result<IntValue<'_>, Error> {
    match value {
        BasicValueEnum::IntValue(value) => Ok(value),
        _ => Err(mixed()),
    }
}

pub(crate) fn float(value: BasicValueEnum<'_>) -> Result<FloatValue<'_>, Error> {
    match value {
        BasicValueEnum::FloatValue(value) => Ok(value),
        _ => Err(mixed()),
    }
}
