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
//! their like from the C library when the network needs them, and for routines (TopK and its like) functions of the board's
//! runtime, which this project does not have: [`BoardObject::functions`] names them. Data-dependent indices are clamped to their
//! tensor, because there is nobody to report an error to.

use std::collections::{BTreeSet, HashSet};
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
use super::graph::ExpressionGraph;
use super::operators::graph_of;
use super::prepare::{Code as StepCode, ExecutionStep, PreparedGraph, TensorPlace, prepare};
use super::routine::{BoardCode, Routine};
use super::target::{CpuTarget, Effort};

/// A compiled network for the board.
pub struct BoardObject {
    /// An ELF relocatable file.
    pub object: Vec<u8>,
    /// What the object exports as `NAME_workspace_bytes`.
    pub workspace_bytes: usize,
    /// Functions of the board's runtime that it calls: `void NAME(void *const *tensors, const int64_t *description)`, see
    /// `docs/decisions/0035-routines-and-regions.md`.
    pub functions: Vec<&'static str>,
}

impl BoardObject {
    /// Compiles a `func.func` or `cpu.segment`; the exported function has this name.
    ///
    /// # Errors
    /// As [`super::FloatExecutable::compile`].
    pub fn compile(function: OperationRef<'_, '_>, name: &str) -> Result<BoardObject, Error> {
        BoardObject::of_graph(graph_of(function, &[])?.0, name, &CpuTarget::board())
    }

    pub(crate) fn of_graph(graph: ExpressionGraph, name: &str, target: &CpuTarget) -> Result<BoardObject, Error> {
        let graph = with_own_outputs(fold_constants(graph)?, name)?;
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
        let routines = prepared.steps.iter().filter_map(|step| match &step.code {
            StepCode::Routine(routine) => Some(routine.board_code()),
            StepCode::Kernel(_) => None,
        });
        let symbols = routines.filter_map(|code| match code {
            BoardCode::Function { symbol, .. } => Some(symbol),
            BoardCode::Absent(_) => None,
        });
        let functions = symbols.collect::<BTreeSet<_>>().into_iter().collect();
        Ok(BoardObject { object, workspace_bytes, functions })
    }
}

/// Gives each output memory that a computation writes: one that is an input, a constant or another output becomes a copy of it.
fn with_own_outputs(mut graph: ExpressionGraph, name: &str) -> Result<ExpressionGraph, Error> {
    for place in 0..graph.outputs.len() {
        let Some(id) = graph.outputs.get(place).copied().filter(|id| is_copied(&graph, *id)) else { continue };
        let tensor = graph.tensor(id).cloned().ok_or_else(|| Error::invalid(name, "lost an output"))?;
        let body = graph.load_broadcast(id, tensor.shape.len());
        let copy = graph.add_elementwise(name, &tensor.name, &tensor.shape, body)?;
        if let Some(sizes) = tensor.sizes {
            graph.set_sizes(copy, sizes);
        }
        if let Some(output) = graph.outputs.get_mut(place) {
            *output = copy;
        }
    }
    Ok(graph)
}

/// An output that no computation writes in place.
fn is_copied(graph: &ExpressionGraph, id: super::expression::GraphTensorId) -> bool {
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

/// The function of the board's runtime that a step calls, and the numbers that describe its tensors: how many results and
/// operands there are; of each the element's number, the rank and the sizes; then the routine's parameters.
fn board_function(
    graph: &ExpressionGraph,
    step: &ExecutionStep,
    routine: &dyn Routine,
) -> Result<(&'static str, Vec<i64>), Error> {
    let (symbol, parameters) = match routine.board_code() {
        BoardCode::Function { symbol, parameters } => (symbol, parameters),
        BoardCode::Absent(reason) => return Err(Error::unsupported(&step.node, reason)),
    };
    let number = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    let mut description = vec![number(step.results.len()), number(step.operands.len())];
    for (id, _) in step.results.iter().chain(&step.operands) {
        let tensor = graph.tensor(*id).ok_or_else(|| Error::invalid(&step.node, "lost a tensor"))?;
        description.push(i64::from(tensor.element.onnx_code()));
        description.push(number(tensor.shape.len()));
        description.extend(tensor.shape.iter().map(|size| number(*size)));
    }
    description.extend(parameters);
    Ok((symbol, description))
}

fn emit_description<'ctx>(
    context: &'ctx Context,
    module: &Module<'ctx>,
    name: &str,
    description: &[i64],
) -> PointerValue<'ctx> {
    let integer = context.i64_type();
    let values: Vec<_> = description.iter().map(|value| integer.const_int(*value as u64, true)).collect();
    let array = integer.const_array(&values);
    let global = module.add_global(array.get_type(), None, &format!("{name}.description"));
    global.set_constant(true);
    global.set_linkage(Linkage::Internal);
    global.set_initializer(&array);
    global.as_pointer_value()
}

/// The exported function: every kernel in order, each over all of its work.
fn emit_driver<'ctx>(
    context: &'ctx Context,
    module: &Module<'ctx>,
    name: &str,
    prepared: &PreparedGraph,
    works: &[Work],
    arena: usize,
    target: &CpuTarget,
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
    let at = |place: TensorPlace| -> Result<PointerValue<'ctx>, Error> {
        let (table, position) = match place {
            TensorPlace::Input(n) => (parameter(0)?, n),
            TensorPlace::Output(n) => (parameter(1)?, n),
            TensorPlace::Constant(n) => return constants.get(n).copied().ok_or_else(missing),
            TensorPlace::Arena(offset) => return code.at(context.i8_type(), workspace, code.size(offset)),
        };
        let slot = code.at(pointer, table, code.size(position))?;
        match code.builder.build_load(pointer, slot, "")? {
            inkwell::values::BasicValueEnum::PointerValue(pointer) => Ok(pointer),
            _ => Err(missing()),
        }
    };
    let longest = prepared.steps.iter().map(|step| step.operands.len() + step.results.len()).max().unwrap_or(1);
    let table = code.stack(pointer.into(), longest)?;
    let scratch = code.at(context.i8_type(), workspace, code.size(arena))?;
    for step in &prepared.steps {
        for (position, (_, place)) in step.results.iter().chain(&step.operands).enumerate() {
            code.builder.build_store(code.at(pointer, table, code.size(position))?, at(*place)?)?;
        }
        match &step.code {
            StepCode::Kernel(number) => {
                let kernel = module.get_function(&format!("{name}.kernel_{number}")).ok_or_else(missing)?;
                let units = works.get(*number).ok_or_else(missing)?.units;
                let range = [code.int(0).into(), code.size(units).into()];
                code.builder.build_call(kernel, &[table.into(), range[0], range[1], scratch.into()], "")?;
            }
            StepCode::Routine(routine) => {
                let (symbol, description) = board_function(&prepared.graph, step, routine.as_ref())?;
                let r#type = context.void_type().fn_type(&[pointer.into(); 2], false);
                let function = module.get_function(symbol).unwrap_or_else(|| module.add_function(symbol, r#type, None));
                let description = emit_description(context, module, name, &description);
                code.builder.build_call(function, &[table.into(), description.into()], "")?;
            }
        }
    }
    code.builder.build_return(None)?;
    Ok(())
}
