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
//! `workspace` has that many bytes and is aligned to 64, each input and output to its element and at least to 4. Constants are data of the object. The
//! function returns 0, or n where the node `NAME_nodes[n - 1]` failed: its values are out of their range, or there is no memory for
//! it. Only nodes that are routines (TopK and its like) look; other data-dependent indices are clamped to their tensor.
//!
//! The code calls functions of the C library alone: `exp`, `pow` and their like, `memcpy` and its like, and, where there are routines,
//! `aligned_alloc`, `free` and `abort`. The object holds the code of its routines.

use std::collections::HashSet;
use std::sync::Arc;

use hb_runtime::Array;
use hb_runtime::array::ALIGNMENT;
use hb_runtime::board::{CompiledBody, TensorFacts};
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
use super::routine::Callable;
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
        builder.add_node_names(name, &function.nodes);
        function.value.set_linkage(Linkage::External);
        let machine = target.optimize(&module, Effort::Vectorize)?;
        if !function.nodes.is_empty() {
            link_runtime(&context, &module, &machine)?;
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
            emit::emit(self.context, self.module, &kernel_name(name, number), kernel, self.target)?;
        }
        let scratch = works.iter().map(|work| work.scratch).max().unwrap_or(0);
        let arena = prepared.arena.next_multiple_of(ALIGNMENT);
        let function = self.add_driver(name, &prepared, &works, arena)?;
        Ok((function, arena + scratch))
    }

    /// The names of nodes as an array of strings that the object exports.
    fn add_node_names(&self, name: &str, nodes: &[String]) {
        let strings = nodes.iter().map(|node| {
            let text = self.context.const_string(node.as_bytes(), true);
            self.constant(&format!("{name}.node"), text).as_pointer_value()
        });
        let pointers: Vec<PointerValue<'ctx>> = strings.collect();
        let pointers = self.context.ptr_type(AddressSpace::default()).const_array(&pointers);
        let exported = self.module.add_global(pointers.get_type(), None, &format!("{name}_nodes"));
        exported.set_constant(true);
        exported.set_initializer(&pointers);
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

    /// The function: every step in order, each kernel over all of its work. Only the network's own is exported in the end.
    fn add_driver(
        &self,
        name: &str,
        prepared: &PreparedGraph,
        works: &[Work],
        arena: usize,
    ) -> Result<NetworkFunction<'ctx>, Error> {
        let pointer = self.context.ptr_type(AddressSpace::default());
        let r#type = self.context.i32_type().fn_type(&[pointer.into(); 3], false);
        let function = self.module.add_function(name, r#type, Some(Linkage::Internal));
        self.target.annotate(self.context, function);
        let code = Code::new(self.context, self.module, function)?;
        let (Some(BasicValueEnum::PointerValue(inputs)), Some(BasicValueEnum::PointerValue(outputs)), Some(workspace)) =
            (function.get_nth_param(0), function.get_nth_param(1), function.get_nth_param(2))
        else {
            return Err(missing());
        };
        let workspace = workspace.into_pointer_value();
        let longest = prepared.steps.iter().map(|step| step.operands.len() + step.results.len()).max().unwrap_or(1);
        let tensors = code.stack(pointer.into(), longest)?;
        let scratch = code.at(self.context.i8_type(), workspace, code.size(arena))?;
        let constants = self.add_constants(name, &prepared.constants);
        let mut driver =
            Driver { object: self, name, code, inputs, outputs, workspace, constants, tensors, nodes: Vec::new() };
        for (number, step) in prepared.steps.iter().enumerate() {
            driver.store_addresses(step)?;
            match &step.code {
                StepCode::Kernel(kernel) => {
                    let units = works.get(*kernel).ok_or_else(missing)?.units;
                    driver.run_kernel(*kernel, units, scratch)?;
                }
                StepCode::Routine(routine) => {
                    let failed = driver.call_routine(number, &prepared.graph, step, routine.as_ref())?;
                    driver.stop_if(failed, &step.node)?;
                }
            }
        }
        driver.code.builder.build_return(Some(&self.context.i32_type().const_zero()))?;
        Ok(NetworkFunction { value: function, nodes: driver.nodes })
    }
}

fn missing() -> Error {
    Error::llvm("building the driver", "a parameter or kernel is missing")
}

fn kernel_name(network: &str, number: usize) -> String {
    format!("{network}.kernel_{number}")
}

/// The function of a network in the making.
struct Driver<'a, 'ctx> {
    object: &'a ObjectBuilder<'a, 'ctx>,
    name: &'a str,
    code: Code<'a, 'ctx>,
    inputs: PointerValue<'ctx>,
    outputs: PointerValue<'ctx>,
    workspace: PointerValue<'ctx>,
    constants: Vec<PointerValue<'ctx>>,
    /// Where the addresses of a step's results and operands are.
    tensors: PointerValue<'ctx>,
    /// The nodes that may fail so far.
    nodes: Vec<String>,
}

impl<'ctx> Driver<'_, 'ctx> {
    fn address(&self, place: TensorPlace) -> Result<PointerValue<'ctx>, Error> {
        let (table, position) = match place {
            TensorPlace::Input(n) => (self.inputs, n),
            TensorPlace::Output(n) => (self.outputs, n),
            TensorPlace::Constant(n) => return self.constants.get(n).copied().ok_or_else(missing),
            TensorPlace::Arena(offset) => {
                return self.code.at(self.object.context.i8_type(), self.workspace, self.code.size(offset));
            }
        };
        let pointer = self.object.context.ptr_type(AddressSpace::default());
        let slot = self.code.at(pointer, table, self.code.size(position))?;
        match self.code.builder.build_load(pointer, slot, "")? {
            BasicValueEnum::PointerValue(pointer) => Ok(pointer),
            _ => Err(missing()),
        }
    }

    fn store_addresses(&self, step: &ExecutionStep) -> Result<(), Error> {
        let pointer = self.object.context.ptr_type(AddressSpace::default());
        for (position, (_, place)) in step.results.iter().chain(&step.operands).enumerate() {
            let slot = self.code.at(pointer, self.tensors, self.code.size(position))?;
            self.code.builder.build_store(slot, self.address(*place)?)?;
        }
        Ok(())
    }

    fn run_kernel(&self, number: usize, units: usize, scratch: PointerValue<'ctx>) -> Result<(), Error> {
        let kernel = self.object.module.get_function(&kernel_name(self.name, number)).ok_or_else(missing)?;
        kernel.set_linkage(Linkage::Internal);
        let (first, end) = (self.code.int(0), self.code.size(units));
        let arguments = [self.tensors.into(), first.into(), end.into(), scratch.into()];
        self.code.builder.build_call(kernel, &arguments, "")?;
        Ok(())
    }

    /// Calls the routine of this step; whether it failed.
    fn call_routine(
        &self,
        number: usize,
        graph: &ExpressionGraph,
        step: &ExecutionStep,
        routine: &dyn Callable,
    ) -> Result<IntValue<'ctx>, Error> {
        let mut regions = Vec::new();
        let mut compile = |inner: &ExpressionGraph| {
            let name = format!("{}.region_{number}_{}", self.name, regions.len());
            let (function, workspace_bytes) = self.object.add_network(inner.clone(), &name)?;
            regions.push(function.value.as_global_value().as_pointer_value());
            Ok(CompiledBody::new(facts(inner, inner.outputs.iter(), &step.node)?, workspace_bytes))
        };
        let ids = |tensors: &[(GraphTensorId, TensorPlace)]| tensors.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        let results = facts(graph, ids(&step.results).iter(), &step.node)?;
        let operands = facts(graph, ids(&step.operands).iter(), &step.node)?;
        let call = routine.board_call(results, operands, &mut compile)?;

        let ObjectBuilder { context, module, .. } = self.object;
        let pointer = context.ptr_type(AddressSpace::default());
        let description = context.const_string(&call.description, false);
        let description = self.object.constant(&format!("{}.description", self.name), description);
        let regions = self.object.constant(&format!("{}.regions", self.name), pointer.const_array(&regions));
        let parameters = [pointer.into(), pointer.into(), context.i64_type().into(), pointer.into()];
        let r#type = context.i32_type().fn_type(&parameters, false);
        let function = module.get_function(call.symbol);
        let function = function.unwrap_or_else(|| module.add_function(call.symbol, r#type, None));
        let arguments = [
            self.tensors.into(),
            description.as_pointer_value().into(),
            self.code.size(call.description.len()).into(),
            regions.as_pointer_value().into(),
        ];
        let called = self.code.builder.build_call(function, &arguments, "")?;
        let ValueKind::Basic(BasicValueEnum::IntValue(result)) = called.try_as_basic_value() else {
            return Err(Error::llvm("building the driver", "a routine gives no number"));
        };
        let zero = context.i32_type().const_zero();
        Ok(self.code.builder.build_int_compare(IntPredicate::NE, result, zero, "")?)
    }

    /// Returns the number of this node where it failed.
    fn stop_if(&mut self, failed: IntValue<'ctx>, node: &str) -> Result<(), Error> {
        self.nodes.push(node.to_owned());
        let (context, code) = (self.object.context, &self.code);
        let stop = context.append_basic_block(code.function, "stop");
        let next = context.append_basic_block(code.function, "next");
        code.builder.build_conditional_branch(failed, stop, next)?;
        code.builder.position_at_end(stop);
        code.builder.build_return(Some(&context.i32_type().const_int(self.nodes.len() as u64, false)))?;
        code.builder.position_at_end(next);
        Ok(())
    }
}

/// Element types and sizes of tensors.
fn facts<'i>(
    graph: &ExpressionGraph,
    ids: impl Iterator<Item = &'i GraphTensorId>,
    node: &str,
) -> Result<Vec<TensorFacts>, Error> {
    let facts = ids.map(|id| {
        let tensor = graph.tensor(*id).ok_or_else(|| Error::invalid(node, "lost a tensor"))?;
        Ok((tensor.element, tensor.shape.clone()))
    });
    facts.collect()
}
