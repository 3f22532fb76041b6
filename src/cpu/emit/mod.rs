//! Kernels to LLVM IR.
//!
//! A kernel becomes `void name(ptr table, i64 begin, i64 end, ptr scratch)`: `table` holds the output's address and then the
//! operands', and the function does units `begin..end` of the work. Units are independent and their results do not depend
//! on how they are split, so any number of threads gives the same bits.

mod arithmetic;
pub(crate) mod code;
mod contraction;
mod finish;
mod interleaved;
mod loops;
mod math;
mod panel;
mod value;

use inkwell::AddressSpace;
use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::context::Context;
use inkwell::module::{Linkage, Module};
use inkwell::types::BasicMetadataTypeEnum;
use inkwell::values::{BasicMetadataValueEnum, BasicValueEnum, FunctionValue, IntValue, PointerValue};

use super::error::Error;
use super::kernel::Kernel;
use super::target::CpuTarget;
use code::Code;

/// How a kernel's work splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub units: usize,
    /// Scalar operations per unit, roughly.
    pub cost: usize,
    /// Bytes of scratch memory that every running thread needs.
    pub scratch: usize,
}

/// What a function works with that computes units of a kernel: one parameter for each.
pub(crate) struct Arguments<'ctx> {
    pub output: PointerValue<'ctx>,
    pub operands: Vec<PointerValue<'ctx>>,
    pub scratch: PointerValue<'ctx>,
    pub begin: IntValue<'ctx>,
    pub end: IntValue<'ctx>,
    /// Further positions.
    pub positions: Vec<IntValue<'ctx>>,
}

impl<'ctx> Arguments<'ctx> {
    /// The parameters of a function that `declare_body` made.
    fn of(body: FunctionValue<'ctx>, operands: usize) -> Result<Self, Error> {
        let missing = || Error::llvm("declaring a kernel", "a parameter is missing");
        let pointer = |n: usize| match body.get_nth_param(n as u32) {
            Some(BasicValueEnum::PointerValue(pointer)) => Ok(pointer),
            _ => Err(missing()),
        };
        let integer = |n: usize| match body.get_nth_param(n as u32) {
            Some(BasicValueEnum::IntValue(value)) => Ok(value),
            _ => Err(missing()),
        };
        Ok(Arguments {
            output: pointer(0)?,
            operands: (1..=operands).map(pointer).collect::<Result<_, Error>>()?,
            scratch: pointer(operands + 1)?,
            begin: integer(operands + 2)?,
            end: integer(operands + 3)?,
            positions: (operands + 4..body.count_params() as usize).map(integer).collect::<Result<_, Error>>()?,
        })
    }
}

pub(crate) fn work(kernel: &Kernel) -> Work {
    match &kernel.contraction {
        Some(plan) => contraction::work(kernel, plan),
        None => loops::work(kernel),
    }
}

/// Whether the kernel is emitted as vectors, so that the optimizer need not look for them.
pub(crate) fn is_vectorized(kernel: &Kernel, target: &CpuTarget) -> bool {
    match &kernel.contraction {
        Some(plan) => finish::is_vectorized(kernel, plan),
        None => loops::is_vectorized(kernel, target),
    }
}

/// Adds the kernel's function to the module.
pub(crate) fn emit<'ctx>(
    context: &'ctx Context,
    module: &Module<'ctx>,
    name: &str,
    kernel: &Kernel,
    target: &CpuTarget,
) -> Result<(), Error> {
    let count = kernel.operands.len();
    let body = declare_body((context, module), &format!("{name}.body"), (count, 0), target);
    let code = Code::new(context, module, body)?;
    let arguments = Arguments::of(body, count)?;
    match &kernel.contraction {
        Some(plan) => contraction::emit(&code, kernel, plan, &arguments, target)?,
        None => loops::emit(&code, kernel, &arguments, target)?,
    }
    code.builder.build_return(None)?;
    emit_entry(context, module, name, body, count, target)
}

/// The function with one parameter per tensor, none of which alias: that is what lets loops vectorize without run-time tests. `positions` are those
/// beside begin and end.
fn declare_body<'ctx>(
    (context, module): (&'ctx Context, &Module<'ctx>),
    name: &str,
    (operands, positions): (usize, usize),
    target: &CpuTarget,
) -> FunctionValue<'ctx> {
    let (pointer, integer) = (context.ptr_type(AddressSpace::default()), context.i64_type());
    let mut parameters = vec![pointer.into(); operands + 2];
    parameters.extend(vec![BasicMetadataTypeEnum::from(integer); positions + 2]);
    let kind = context.void_type().fn_type(&parameters, false);
    let function = module.add_function(name, kind, Some(Linkage::Internal));
    let attribute = |name: &str, value| context.create_enum_attribute(Attribute::get_named_enum_kind_id(name), value);
    for parameter in 0..operands as u32 + 2 {
        function.add_attribute(AttributeLoc::Param(parameter), attribute("noalias", 0));
        function.add_attribute(AttributeLoc::Param(parameter), attribute("align", 4));
    }
    // Inlining it would lose the parameters' noalias.
    function.add_attribute(AttributeLoc::Function, attribute("noinline", 0));
    target.annotate(context, function);
    function
}

fn emit_entry<'ctx>(
    context: &'ctx Context,
    module: &Module<'ctx>,
    name: &str,
    body: FunctionValue<'ctx>,
    operands: usize,
    target: &CpuTarget,
) -> Result<(), Error> {
    let (pointer, integer) = (context.ptr_type(AddressSpace::default()), context.i64_type());
    let parameters = [pointer.into(), integer.into(), integer.into(), pointer.into()];
    let entry = module.add_function(name, context.void_type().fn_type(&parameters, false), None);
    target.annotate(context, entry);
    let code = Code::new(context, module, entry)?;
    let (Some(table), Some(begin), Some(end), Some(scratch)) =
        (entry.get_nth_param(0), entry.get_nth_param(1), entry.get_nth_param(2), entry.get_nth_param(3))
    else {
        return Err(Error::llvm("declaring a kernel", "a parameter is missing"));
    };
    let BasicValueEnum::PointerValue(table) = table else {
        return Err(Error::llvm("declaring a kernel", "a parameter has the wrong type"));
    };
    let mut arguments: Vec<BasicMetadataValueEnum<'ctx>> = Vec::new();
    for operand in 0..=operands {
        let address = code.at(pointer, table, code.size(operand))?;
        arguments.push(code.builder.build_load(pointer, address, "")?.into());
    }
    for value in [scratch, begin, end] {
        arguments.push(value.into());
    }
    code.builder.build_call(body, &arguments, "")?;
    code.builder.build_return(None)?;
    Ok(())
}
