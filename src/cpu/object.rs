//! A network as an AArch64 object file for the board.
//!
//! The object exports one function, which runs the network on the calling thread and allocates nothing:
//!
//! ```c
//! void NAME(void *const *inputs, void *const *outputs, void *workspace);
//! extern const uint64_t NAME_workspace_bytes;
//! ```
//!
//! `workspace` has that many bytes and is aligned to 64. Constants are data of the object. The code calls `exp`, `pow` and
//! their like from the C library when the network needs them, and nothing else. Data-dependent indices are clamped to their
//! tensor, because there is nobody to report an error to.

use std::collections::HashSet;
use std::sync::Arc;

use inkwell::AddressSpace;
use inkwell::context::Context;
use inkwell::module::{Linkage, Module};
use inkwell::values::PointerValue;
use melior::ir::OperationRef;

use super::array::{ALIGNMENT, Array};
use super::emit::code::Code;
use super::emit::{self, Work};
use super::error::Error;
use super::executable::fold_constants;
use super::graph::Graph;
use super::operators::graph_of;
use super::prepare::{Place, Prepared, prepare};
use super::target::{Effort, Target};

/// A compiled network for the board.
pub struct BoardObject {
    /// An ELF relocatable file.
    pub object: Vec<u8>,
    /// What the object exports as `NAME_workspace_bytes`.
    pub workspace_bytes: usize,
}

impl BoardObject {
    /// Compiles a `func.func` or `cpu.segment`; the exported function has this name.
    ///
    /// # Errors
    /// As [`super::FloatExecutable::compile`].
    pub fn compile(function: OperationRef<'_, '_>, name: &str) -> Result<BoardObject, Error> {
        BoardObject::of_graph(graph_of(function, &[])?, name, &Target::board())
    }

    pub(crate) fn of_graph(graph: Graph, name: &str, target: &Target) -> Result<BoardObject, Error> {
        let graph = fold_constants(graph)?;
        if graph.outputs.iter().any(|id| is_copied(&graph, *id)) {
            return Err(Error::unsupported(name, "an output is an input, a constant, or another output"));
        }
        let prepared = prepare(graph, &HashSet::new(), target)?;
        let context = Context::create();
        let module = context.create_module("hb");
        let works: Vec<Work> = prepared.kernels.iter().map(emit::work).collect();
        for (number, kernel) in prepared.kernels.iter().enumerate() {
            emit::emit(&context, &module, &format!("{name}.kernel_{number}"), kernel, target)?;
        }
        let scratch = works.iter().map(|work| work.scratch).max().unwrap_or(0);
        let arena = prepared.arena.next_multiple_of(ALIGNMENT);
        emit_driver(&context, &module, name, &prepared, &works, arena, target)?;
        let workspace_bytes = arena + scratch;
        let bytes = context.i64_type().const_int(workspace_bytes as u64, false);
        let exported = module.add_global(context.i64_type(), None, &format!("{name}_workspace_bytes"));
        exported.set_constant(true);
        exported.set_initializer(&bytes);
        let object = target.assemble(&module, Effort::Vectorize)?;
        Ok(BoardObject { object, workspace_bytes })
    }
}

/// An output that no computation writes in place.
fn is_copied(graph: &Graph, id: super::expression::TensorId) -> bool {
    let storage = graph.storage(id);
    let twice = graph.outputs.iter().filter(|other| graph.storage(**other) == storage).count() > 1;
    twice || graph.inputs.contains(&storage) || graph.tensor(storage).is_none_or(|tensor| tensor.data.is_some())
}

/// The constants as data of the object, in order.
fn emit_constants<'ctx>(
    context: &'ctx Context,
    module: &Module<'ctx>,
    name: &str,
    constants: &[Arc<Array>],
) -> Vec<PointerValue<'ctx>> {
    let emit = |(number, array): (usize, &Arc<Array>)| {
        let bytes = context.const_string(array.as_bytes(), false);
        let global = module.add_global(bytes.get_type(), None, &format!("{name}.constant_{number}"));
        global.set_constant(true);
        global.set_linkage(Linkage::Internal);
        global.set_alignment(ALIGNMENT as u32);
        global.set_initializer(&bytes);
        global.as_pointer_value()
    };
    constants.iter().enumerate().map(emit).collect()
}

/// The exported function: every kernel in order, each over all of its work.
fn emit_driver<'ctx>(
    context: &'ctx Context,
    module: &Module<'ctx>,
    name: &str,
    prepared: &Prepared,
    works: &[Work],
    arena: usize,
    target: &Target,
) -> Result<(), Error> {
    let pointer = context.ptr_type(AddressSpace::default());
    let function = module.add_function(name, context.void_type().fn_type(&[pointer.into(); 3], false), None);
    target.annotate(context, function);
    let code = Code::new(context, module, function)?;
    let missing = || Error::llvm("building the driver", "a parameter or kernel is missing");
    let parameter = |number: u32| match function.get_nth_param(number) {
        Some(inkwell::values::BasicValueEnum::PointerValue(pointer)) => Ok(pointer),
        _ => Err(missing()),
    };
    let workspace = parameter(2)?;
    let constants = emit_constants(context, module, name, &prepared.constants);
    let at = |place: Place| -> Result<PointerValue<'ctx>, Error> {
        let (table, position) = match place {
            Place::Input(n) => (parameter(0)?, n),
            Place::Output(n) => (parameter(1)?, n),
            Place::Constant(n) => return constants.get(n).copied().ok_or_else(missing),
            Place::Arena(offset) => return code.at(context.i8_type(), workspace, code.size(offset)),
        };
        let slot = code.at(pointer, table, code.size(position))?;
        match code.builder.build_load(pointer, slot, "")? {
            inkwell::values::BasicValueEnum::PointerValue(pointer) => Ok(pointer),
            _ => Err(missing()),
        }
    };
    let longest = prepared.steps.iter().map(|step| step.operands.len() + 1).max().unwrap_or(1);
    let table = code.stack(pointer.into(), longest)?;
    let scratch = code.at(context.i8_type(), workspace, code.size(arena))?;
    for step in &prepared.steps {
        for (position, place) in std::iter::once(&step.output).chain(&step.operands).enumerate() {
            code.builder.build_store(code.at(pointer, table, code.size(position))?, at(*place)?)?;
        }
        let kernel = module.get_function(&format!("{name}.kernel_{}", step.kernel)).ok_or_else(missing)?;
        let units = works.get(step.kernel).ok_or_else(missing)?.units;
        code.builder.build_call(
            kernel,
            &[table.into(), code.int(0).into(), code.size(units).into(), scratch.into()],
            "",
        )?;
    }
    code.builder.build_return(None)?;
    Ok(())
}
