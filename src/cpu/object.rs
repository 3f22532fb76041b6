//! A network as an AArch64 object file for the board.
//!
//! The object exports one function, which runs the network on the calling thread:
//!
//! ```c
//! int32_t NAME(void *const *inputs, void *const *outputs, void *workspace);
//! extern const uint64_t NAME_workspace_bytes;
//! extern const char *const NAME_nodes[];
//! ```
//!
//! `workspace` has that many bytes and is aligned to 64. Constants are data of the object. The function returns 0, or n where the values of
//! the node `NAME_nodes[n - 1]` are out of their range: only nodes that are routines (TopK and its like) look. Other data-dependent indices are
//! clamped to their tensor. The code calls `exp`, `pow` and their like of the C library when the network needs them; routines
//! call its `aligned_alloc`, `free` and `abort`. Nothing else is needed: the object holds the code of its routines.

use std::collections::HashSet;
use std::sync::Arc;

use hb_runtime::array::{ALIGNMENT, Array};
use hb_runtime::board::TensorFacts;
use inkwell::context::Context;
use inkwell::module::{Linkage, Module};
use inkwell::values::{ArrayValue, BasicValueEnum, FunctionValue, GlobalValue, IntValue, PointerValue, ValueKind};
use inkwell::{AddressSpace, IntPredicate};
use melior::ir::OperationRef;

use super::board_runtime::link_runtime;
use super::emit::code::Code;
use super::emit::{self, Work};
use super::error::Error;
use super::executable::fold_constants;
use super::expression::GraphTensorId;
use super::graph::ExpressionGraph;
use super::operators::graph_of;
use super::prepare::{Code as StepCode, ExecutionStep, PreparedGraph, TensorPlace, prepare};
use super::routine::{Callable, CompiledGraph};
use super::target::{CpuTarget, Effort, object_of};

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
        BoardObject::of_graph(graph_of(function, &[])?.0, name, &CpuTarget::board())
    }

    pub(crate) fn of_graph(graph: ExpressionGraph, name: &str, target: &CpuTarget) -> Result<BoardObject, Error> {
        let context = Context::create();
        let module = context.create_module("hb");
        let builder = ObjectBuilder { context: &context, module: &module, target };
        let (function, workspace_bytes) = builder.add_network(graph, name)?;
        let bytes = context.i64_type().const_int(workspace_bytes as u64, false);
        let exported = module.add_global(context.i64_type(), None, &format!("{name}_workspace_bytes"));
        exported.set_constant(true);
        exported.set_initializer(&bytes);
        let nodes = builder.add_node_names(name, &function.nodes);
        let machine = target.optimize(&module, Effort::Vectorize)?;
        if !function.nodes.is_empty() {
            link_runtime(&context, &module, &machine, &[function.value.as_global_value(), exported, nodes])?;
        }
        let object = object_of(&machine, &module)?;
        Ok(BoardObject { object, workspace_bytes })
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
fn is_copied(graph: &ExpressionGraph, id: GraphTensorId) -> bool {
    let storage = graph.storage(id);
    let twice = graph.outputs.iter().filter(|other| graph.storage(**other) == storage).count() > 1;
    twice || graph.inputs.contains(&storage) || graph.tensor(storage).is_none_or(|tensor| tensor.data.is_some())
}

/// A network that became a function.
struct NetworkFunction<'ctx> {
    value: FunctionValue<'ctx>,
    /// The nodes that may fail, in the order of what the function returns.
    nodes: Vec<String>,
}

/// An object in the making.
struct ObjectBuilder<'a, 'ctx> {
    context: &'ctx Context,
    module: &'a Module<'ctx>,
    target: &'a CpuTarget,
}

impl<'ctx> ObjectBuilder<'_, 'ctx> {
    /// A function that runs the network, and the bytes of its workspace.
    fn add_network(&self, graph: ExpressionGraph, name: &str) -> Result<(NetworkFunction<'ctx>, usize), Error> {
        let graph = with_own_outputs(fold_constants(graph)?, name)?;
        let prepared = prepare(graph, &HashSet::new(), self.target)?;
        let works: Vec<Work> = prepared.kernels.iter().map(emit::work).collect();
        for (number, kernel) in prepared.kernels.iter().enumerate() {
            emit::emit(self.context, self.module, &format!("{name}.kernel_{number}"), kernel, self.target)?;
        }
        let scratch = works.iter().map(|work| work.scratch).max().unwrap_or(0);
        let arena = prepared.arena.next_multiple_of(ALIGNMENT);
        let function = self.add_driver(name, &prepared, &works, arena)?;
        Ok((function, arena + scratch))
    }

    /// The names of nodes as an array of strings that the object exports.
    fn add_node_names(&self, name: &str, nodes: &[String]) -> GlobalValue<'ctx> {
        let strings = nodes.iter().map(|node| {
            let text = self.context.const_string(node.as_bytes(), true);
            self.constant(&format!("{name}.node"), text).as_pointer_value()
        });
        let pointers: Vec<PointerValue<'ctx>> = strings.collect();
        let pointers = self.context.ptr_type(AddressSpace::default()).const_array(&pointers);
        let exported = self.module.add_global(pointers.get_type(), None, &format!("{name}_nodes"));
        exported.set_constant(true);
        exported.set_initializer(&pointers);
        exported
    }

    /// Data of the object.
    fn constant(&self, name: &str, value: ArrayValue<'ctx>) -> GlobalValue<'ctx> {
        let global = self.module.add_global(value.get_type(), None, name);
        global.set_constant(true);
        global.set_linkage(Linkage::Internal);
        global.set_initializer(&value);
        global
    }

    /// The constants as data of the object, in order.
    fn add_constants(&self, name: &str, constants: &[Arc<Array>]) -> Vec<PointerValue<'ctx>> {
        let add = |(number, array): (usize, &Arc<Array>)| {
            let bytes = self.context.const_string(array.as_bytes(), false);
            let global = self.constant(&format!("{name}.constant_{number}"), bytes);
            global.set_alignment(ALIGNMENT as u32);
            global.as_pointer_value()
        };
        constants.iter().enumerate().map(add).collect()
    }

    /// Calls a routine; whether it failed.
    fn call_routine(
        &self,
        code: &Code<'_, 'ctx>,
        (name, number): (&str, usize),
        (graph, step, routine): (&ExpressionGraph, &ExecutionStep, &dyn Callable),
        tensors: PointerValue<'ctx>,
    ) -> Result<IntValue<'ctx>, Error> {
        let facts = |tensors: &[(GraphTensorId, TensorPlace)]| {
            let facts = tensors.iter().map(|(id, _)| {
                let tensor = graph.tensor(*id).ok_or_else(|| Error::invalid(&step.node, "lost a tensor"))?;
                Ok((tensor.element, tensor.shape.clone()))
            });
            facts.collect::<Result<Vec<TensorFacts>, Error>>()
        };
        let mut regions = Vec::new();
        let mut compile = |graph: &ExpressionGraph| {
            let outputs = graph.outputs.iter().filter_map(|id| graph.tensor(*id));
            let outputs = outputs.map(|tensor| (tensor.element, tensor.shape.clone())).collect();
            let (function, workspace_bytes) =
                self.add_network(graph.clone(), &format!("{name}.region_{number}_{}", regions.len()))?;
            regions.push(function.value.as_global_value().as_pointer_value());
            Ok(CompiledGraph { outputs, workspace_bytes, function: None })
        };
        let call = routine.board_call(facts(&step.results)?, facts(&step.operands)?, &mut compile)?;
        let description = self.context.const_string(&call.description, false);
        let description = self.constant(&format!("{name}.description"), description).as_pointer_value();
        let pointer = self.context.ptr_type(AddressSpace::default());
        let regions = self.constant(&format!("{name}.regions"), pointer.const_array(&regions)).as_pointer_value();
        let parameters = [pointer.into(), pointer.into(), self.context.i64_type().into(), pointer.into()];
        let r#type = self.context.i32_type().fn_type(&parameters, false);
        let function = self.module.get_function(call.symbol);
        let function = function.unwrap_or_else(|| self.module.add_function(call.symbol, r#type, None));
        let bytes = code.size(call.description.len());
        let called = code.builder.build_call(
            function,
            &[tensors.into(), description.into(), bytes.into(), regions.into()],
            "",
        )?;
        match called.try_as_basic_value() {
            ValueKind::Basic(BasicValueEnum::IntValue(result)) => {
                let zero = self.context.i32_type().const_zero();
                Ok(code.builder.build_int_compare(IntPredicate::NE, result, zero, "")?)
            }
            _ => Err(Error::llvm("building the driver", "a routine gives no number")),
        }
    }

    /// The function: every step in order, each kernel over all of its work.
    fn add_driver(
        &self,
        name: &str,
        prepared: &PreparedGraph,
        works: &[Work],
        arena: usize,
    ) -> Result<NetworkFunction<'ctx>, Error> {
        let pointer = self.context.ptr_type(AddressSpace::default());
        let result = self.context.i32_type();
        let function = self.module.add_function(name, result.fn_type(&[pointer.into(); 3], false), None);
        self.target.annotate(self.context, function);
        let code = Code::new(self.context, self.module, function)?;
        let missing = || Error::llvm("building the driver", "a parameter or kernel is missing");
        let parameter = |number: u32| match function.get_nth_param(number) {
            Some(BasicValueEnum::PointerValue(pointer)) => Ok(pointer),
            _ => Err(missing()),
        };
        let workspace = parameter(2)?;
        let constants = self.add_constants(name, &prepared.constants);
        let at = |place: TensorPlace| -> Result<PointerValue<'ctx>, Error> {
            let (table, position) = match place {
                TensorPlace::Input(n) => (parameter(0)?, n),
                TensorPlace::Output(n) => (parameter(1)?, n),
                TensorPlace::Constant(n) => return constants.get(n).copied().ok_or_else(missing),
                TensorPlace::Arena(offset) => return code.at(self.context.i8_type(), workspace, code.size(offset)),
            };
            let slot = code.at(pointer, table, code.size(position))?;
            match code.builder.build_load(pointer, slot, "")? {
                BasicValueEnum::PointerValue(pointer) => Ok(pointer),
                _ => Err(missing()),
            }
        };
        let longest = prepared.steps.iter().map(|step| step.operands.len() + step.results.len()).max().unwrap_or(1);
        let table = code.stack(pointer.into(), longest)?;
        let scratch = code.at(self.context.i8_type(), workspace, code.size(arena))?;
        let mut nodes = Vec::new();
        for (position, step) in prepared.steps.iter().enumerate() {
            for (position, (_, place)) in step.results.iter().chain(&step.operands).enumerate() {
                code.builder.build_store(code.at(pointer, table, code.size(position))?, at(*place)?)?;
            }
            match &step.code {
                StepCode::Kernel(number) => {
                    let kernel = self.module.get_function(&format!("{name}.kernel_{number}")).ok_or_else(missing)?;
                    let units = works.get(*number).ok_or_else(missing)?.units;
                    let range = [code.int(0).into(), code.size(units).into()];
                    code.builder.build_call(kernel, &[table.into(), range[0], range[1], scratch.into()], "")?;
                }
                StepCode::Routine(routine) => {
                    let step = (&prepared.graph, step, routine.as_ref());
                    nodes.push(step.1.node.clone());
                    let failed = self.call_routine(&code, (name, position), step, table)?;
                    let stop = self.context.append_basic_block(function, "stop");
                    let next = self.context.append_basic_block(function, "next");
                    code.builder.build_conditional_branch(failed, stop, next)?;
                    code.builder.position_at_end(stop);
                    code.builder.build_return(Some(&result.const_int(nodes.len() as u64, false)))?;
                    code.builder.position_at_end(next);
                }
            }
        }
        code.builder.build_return(Some(&result.const_zero()))?;
        Ok(NetworkFunction { value: function, nodes })
    }
}
