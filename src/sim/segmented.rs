//! Networks of segments. `bpu.segment`s run in the reference interpreter, `nash.program`s in the simulator, `cpu.segment`s on the CPU
//! backend.
//!
//! The simulator of the compiled model must agree with the interpreter to the byte.

use std::borrow::Cow;
use std::collections::HashMap;

use hb_dialects::ElementType;
use hb_dialects::ir::{self, OperationAttributes, TensorType};
use hb_dialects::names::{input_names, output_names};

use melior::ir::operation::OperationLike;
use melior::ir::{OperationRef, Value, ValueLike};

use super::bpu_segment::BpuRunner;
use super::executor::{ExecutionError, LayerObserver, ModelExecutor, Outcome, TensorSpecification};
use super::regions::{Pictures, regions};
use super::runner::for_each_run;
use crate::bpu::interpreter;
use crate::bpu::mlir::from_mlir;
use crate::bpu::model::{BpuNode, BpuTensor, Segment};
use crate::bpu::reals::reals;
use crate::cpu::{self, Array, ArrayView, ExecutableOptions, FloatExecutable, Observe};
use crate::nash::lower::Port;
use crate::nash::mlir::{PROGRAM, march_of, program_from_mlir};
use crate::nash::tile::dense_strides;

const BPU_SEGMENT: &str = hb_dialects::bpu::Op::Segment.name();
const CPU_SEGMENT: &str = hb_dialects::cpu::Op::Segment.name();

fn failed(error: impl ToString) -> ExecutionError {
    ExecutionError(error.to_string())
}

enum Body {
    Bpu(Box<Segment>),
    Program(Box<SegmentProgram>),
    Cpu(Box<FloatExecutable>),
}

/// A program and where its regions hold its tensors.
struct SegmentProgram {
    runner: BpuRunner,
    inputs: Vec<(Port, u64)>,
    outputs: Vec<Port>,
}

impl SegmentProgram {
    fn new(operation: OperationRef<'_, '_>, check_races: bool) -> Result<(Self, String), ExecutionError> {
        let march = march_of(operation).map_err(failed)?;
        let target = march.target().map_err(failed)?;
        let lowered = program_from_mlir(operation).map_err(failed)?;
        let inputs = lowered.inputs.into_iter().zip(lowered.program.inputs.clone()).collect();
        let runner = BpuRunner::from_program(lowered.program, lowered.constants.into_owned(), &target, check_races)?;
        Ok((Self { runner, inputs, outputs: lowered.outputs }, march.name))
    }

    /// Dense tensors in, dense tensors out.
    fn run(&self, inputs: &[&[u8]]) -> Result<Vec<Vec<u8>>, ExecutionError> {
        let regions = self.inputs.iter().zip(inputs).map(|(port, dense)| in_region(port, dense));
        let regions = regions.collect::<Result<Vec<_>, ExecutionError>>()?;
        let (outputs, _) = self.runner.run(&regions.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
        let dense = self.outputs.iter().zip(outputs).map(|(port, region)| {
            let mut dense = Vec::new();
            for_each_piece(port, |strided, _, size| {
                dense.extend_from_slice(region.get(strided..strided + size)?);
                Some(())
            })?;
            Ok(dense)
        });
        dense.collect()
    }
}

/// The bytes of a program's region that holds a dense tensor.
///
/// # Errors
/// When the tensor does not fit the region.
pub fn in_region<'i>((port, bytes): &(Port, u64), dense: &'i [u8]) -> Result<Cow<'i, [u8]>, ExecutionError> {
    let strides = dense_strides(&port.shape, port.element.bytes() as usize);
    let without_gaps = port.strides.iter().zip(&strides).all(|(stride, dense)| *stride == dense.unsigned_abs());
    if without_gaps && *bytes == dense.len() as u64 {
        return Ok(Cow::Borrowed(dense));
    }
    let mut region = zeros(*bytes)?;
    for_each_piece(port, |strided, start, size| {
        region.get_mut(strided..strided + size)?.copy_from_slice(dense.get(start..start + size)?);
        Some(())
    })?;
    Ok(Cow::Owned(region))
}

/// Calls `copy(offset in the region, dense offset, bytes)` for the pieces of a tensor.
fn for_each_piece(port: &Port, mut copy: impl FnMut(usize, usize, usize) -> Option<()>) -> Result<(), ExecutionError> {
    let strides: Option<Vec<usize>> = port.strides.iter().map(|stride| usize::try_from(*stride).ok()).collect();
    let outside = || failed(format!("tensor '{}' does not fit its region", port.name));
    let mut done = true;
    for_each_run(&port.shape, &strides.ok_or_else(outside)?, port.element.bytes() as usize, |strided, dense, size| {
        done = done && copy(strided, dense, size).is_some();
    });
    if done { Ok(()) } else { Err(outside()) }
}

/// Zeroed memory of a size that a file asked for: its absence is an error, not an abort.
fn zeros(bytes: u64) -> Result<Vec<u8>, ExecutionError> {
    let none = |_| failed(format!("no memory for a region of {bytes} bytes"));
    let size = usize::try_from(bytes).map_err(|_| failed(format!("no memory for a region of {bytes} bytes")))?;
    let mut memory = Vec::new();
    memory.try_reserve_exact(size).map_err(none)?;
    memory.resize(size, 0);
    Ok(memory)
}

/// A segment and the values that it reads and makes, as indices into [`SegmentedNetwork::types`].
struct Step {
    name: String,
    body: Body,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

/// A value inside a segment, shown to an observer as soon as it is computed.
pub enum Observed<'a> {
    /// The result of a node of a `bpu.segment`, as the bytes of its tensor.
    Bpu {
        /// The segment that it is in.
        segment: &'a Segment,
        /// The node that computes it.
        node: &'a BpuNode,
        /// Its type and shape.
        tensor: &'a BpuTensor,
        /// Its elements in row-major order, little-endian.
        bytes: &'a [u8],
    },
    /// What a whole `bpu.segment` was given and gave.
    Segment {
        /// The segment.
        segment: &'a Segment,
        /// The bytes of its inputs, in order.
        inputs: &'a [&'a [u8]],
        /// The bytes of its outputs, in order.
        outputs: &'a [Vec<u8>],
    },
    /// The value that a node of a `cpu.segment` computes.
    Cpu {
        /// The name of the node.
        node: &'a str,
        /// What it computes.
        value: ArrayView<'a>,
    },
}

/// A network whose function consists of segments.
pub struct SegmentedNetwork {
    inputs: Vec<TensorSpecification>,
    pictures: Pictures,
    outputs: Vec<String>,
    steps: Vec<Step>,
    /// Of every value at the level of the function; the arguments come first. Sizes that are known only when running are values, too.
    types: Vec<(ElementType, Vec<usize>)>,
    /// The value that holds another's sizes.
    sizes: HashMap<usize, usize>,
    returned: Vec<usize>,
    /// The machine that the programs are made for; none when there are no programs.
    march: Option<String>,
    /// Microseconds that the programs take on it.
    latency: Option<f64>,
}

/// Whether a function holds segments, so that [`SegmentedNetwork::new`] takes it.
pub fn is_segmented(function: OperationRef<'_, '_>) -> bool {
    ir::body(function).is_some_and(|block| ir::operations(block).into_iter().any(is_segment))
}

fn is_segment(operation: OperationRef<'_, '_>) -> bool {
    matches!(operation.operation_name().as_str(), BPU_SEGMENT | PROGRAM | CPU_SEGMENT)
}

/// Quantized values are what stores them; of sizes that are known only when running, the largest ones.
fn type_of(value: Value<'_, '_>) -> Result<(ElementType, Vec<usize>), ExecutionError> {
    let tensor = TensorType::from_type(value.r#type()).map_err(failed)?;
    let shape = tensor.bound_shape().map_or_else(|| tensor.static_shape(), Ok);
    Ok((tensor.element.storage(), shape.map_err(failed)?))
}

impl SegmentedNetwork {
    /// Reads and compiles the segments of a function; what the network needs of the IR is copied.
    ///
    /// # Errors
    /// When a segment does not hold together, or something stands beside segments.
    pub fn new(function: OperationRef<'_, '_>) -> Result<Self, ExecutionError> {
        Self::compile(function, &ExecutableOptions::default(), false)
    }

    /// As [`Self::new`]; programs are checked for races and run by the scalar definitions.
    ///
    /// # Errors
    /// As [`Self::new`], or when a program has a race.
    pub fn checked(function: OperationRef<'_, '_>) -> Result<Self, ExecutionError> {
        Self::compile(function, &ExecutableOptions::default(), true)
    }

    /// The machine that the programs of the network are made for; none when it has no programs.
    pub fn march(&self) -> Option<&str> {
        self.march.as_deref()
    }

    /// As [`Self::new`], for a few runs; [`Self::run_with_observer`] then also shows the values inside of `cpu.segment`s.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn observed(function: OperationRef<'_, '_>) -> Result<Self, ExecutionError> {
        let observe = Observe::Everything;
        Self::compile(function, &ExecutableOptions { observe, quick: true, ..ExecutableOptions::default() }, false)
    }

    fn compile(
        function: OperationRef<'_, '_>,
        options: &ExecutableOptions,
        check_races: bool,
    ) -> Result<Self, ExecutionError> {
        let block = ir::body(function).ok_or_else(|| failed("the function has no body"))?;
        let mut types = Vec::new();
        let mut indices: HashMap<usize, usize> = HashMap::new();
        let mut inputs = Vec::new();
        for (name, argument) in input_names(function).into_iter().zip(ir::arguments(block)) {
            let (element_type, dims) = type_of(argument)?;
            inputs.push(TensorSpecification { name, element_type, dims: dims.iter().copied().map(Some).collect() });
            indices.insert(ir::address(argument), types.len());
            types.push((element_type, dims));
        }
        let pictures = Pictures::new(regions(function).map_err(failed)?, &mut inputs);
        let (mut steps, mut returned) = (Vec::new(), Vec::new());
        let (mut march, mut latency) = (None, None);
        let mut sizes: HashMap<usize, usize> = HashMap::new();
        let with_sizes = |values: &[usize], sizes: &HashMap<usize, usize>| -> Vec<usize> {
            values.iter().chain(values.iter().filter_map(|value| sizes.get(value))).copied().collect()
        };
        for operation in ir::operations(block) {
            let kind = operation.operation_name();
            let operands: Option<Vec<usize>> =
                operation.operands().map(|operand| indices.get(&ir::address(operand)).copied()).collect();
            let operands = operands.ok_or_else(|| failed(format!("{kind} reads a value that no segment makes")))?;
            if kind == "func.return" {
                returned = operands;
                continue;
            }
            let name = format!("{kind} {} {:?}", steps.len(), operation.node());
            let located = |error: String| failed(format!("{name}: {error}"));
            let body = match kind.as_str() {
                BPU_SEGMENT => Body::Bpu(Box::new(from_mlir(operation).map_err(|error| located(error.to_string()))?)),
                PROGRAM => {
                    let (program, name) =
                        SegmentProgram::new(operation, check_races).map_err(|error| located(error.to_string()))?;
                    latency = Some(latency.unwrap_or(0.0) + program.runner.microseconds());
                    march = Some(name);
                    Body::Program(Box::new(program))
                }
                CPU_SEGMENT => Body::Cpu(Box::new(
                    FloatExecutable::compile(operation, options.clone()).map_err(|error| located(error.to_string()))?,
                )),
                _ => return Err(failed(format!("{kind} stands beside segments; it belongs into one"))),
            };
            let mut outputs = Vec::new();
            for result in ir::results(operation) {
                indices.insert(ir::address(result), types.len());
                outputs.push(types.len());
                types.push(type_of(result)?);
                if TensorType::from_type(result.r#type()).map_err(failed)?.is_bounded() {
                    let rank = types.last().map_or(0, |(_, dims)| dims.len());
                    sizes.insert(types.len() - 1, types.len());
                    types.push((ElementType::I64, vec![rank]));
                }
            }
            let (inputs, outputs) = (with_sizes(&operands, &sizes), with_sizes(&outputs, &sizes));
            steps.push(Step { name, body, inputs, outputs });
        }
        Ok(Self { inputs, pictures, outputs: output_names(function), steps, types, sizes, returned, march, latency })
    }

    /// The bytes of every value at the level of the function.
    fn values(&self, inputs: &[&[u8]], observe: &mut dyn FnMut(Observed<'_>)) -> Result<Vec<Vec<u8>>, ExecutionError> {
        let mut values: Vec<Vec<u8>> = inputs.iter().map(|bytes| bytes.to_vec()).collect();
        values.resize(self.types.len(), Vec::new());
        for step in &self.steps {
            let located = |error: String| failed(format!("{}: {error}", step.name));
            let given: Vec<&[u8]> =
                step.inputs.iter().filter_map(|index| values.get(*index)).map(Vec::as_slice).collect();
            let results = match &step.body {
                Body::Bpu(segment) => {
                    let outputs = interpreter::run_with(segment, &given, |node, tensor, bytes| {
                        observe(Observed::Bpu { segment, node, tensor, bytes });
                    });
                    let outputs = outputs.map_err(|error| located(error.to_string()))?;
                    observe(Observed::Segment { segment, inputs: &given, outputs: &outputs });
                    outputs
                }
                Body::Program(program) => program.run(&given).map_err(|error| located(error.to_string()))?,
                Body::Cpu(executable) => {
                    run_cpu(executable, &given, observe).map_err(|error| located(error.to_string()))?
                }
            };
            for (index, result) in step.outputs.iter().zip(results) {
                if let Some(slot) = values.get_mut(*index) {
                    *slot = result;
                }
            }
        }
        Ok(values)
    }

    /// Runs the network on the bytes of its inputs, pictures in their largest size, and shows what its segments compute. The outputs, in order.
    ///
    /// # Errors
    /// When the inputs do not fit, or a segment fails.
    pub fn run_with_observer(
        &self,
        inputs: &[&[u8]],
        observe: &mut dyn FnMut(Observed<'_>),
    ) -> Result<Vec<Array>, ExecutionError> {
        if inputs.len() != self.inputs.len() {
            return Err(failed(format!("{} inputs are given, the network has {}", inputs.len(), self.inputs.len())));
        }
        let values = self.values(inputs, observe)?;
        let output = |index: &usize| {
            let (Some((element_type, dims)), Some(bytes)) = (self.types.get(*index), values.get(*index)) else {
                return Err(failed("an output has no value"));
            };
            let stored = Array::from_bytes(*element_type, dims, bytes).map_err(failed)?;
            match self.sizes.get(index).and_then(|index| values.get(*index)) {
                Some(sizes) => actual(&stored, sizes),
                None => Ok(stored),
            }
        };
        self.returned.iter().map(output).collect()
    }
}

/// The part of a stored value that its sizes, i64 each, say.
fn actual(stored: &Array, sizes: &[u8]) -> Result<Array, ExecutionError> {
    let (sizes, _) = sizes.as_chunks::<8>();
    let within = |(&dim, bytes): (&usize, &[u8; 8])| {
        usize::try_from(i64::from_le_bytes(*bytes)).ok().filter(|size| *size <= dim)
    };
    let shape = stored.shape();
    let dims: Option<Vec<usize>> = shape.iter().zip(sizes).map(within).collect();
    let dims =
        dims.ok_or_else(|| failed(format!("an output has more than the {shape:?} elements that it may have")))?;
    stored.cropped(&dims).map_err(failed)
}

fn run_cpu(
    executable: &FloatExecutable,
    inputs: &[&[u8]],
    observe: &mut dyn FnMut(Observed<'_>),
) -> Result<Vec<Vec<u8>>, cpu::Error> {
    let arrays: Vec<Array> = executable
        .stored_inputs()
        .zip(inputs)
        .map(|((_, element, shape), bytes)| Array::from_bytes(element, shape, bytes))
        .collect::<Result<_, _>>()?;
    let results = executable.run_stored(&arrays.iter().collect::<Vec<_>>(), &mut |node, value| {
        observe(Observed::Cpu { node, value });
    })?;
    Ok(results.iter().map(|array| array.as_bytes().to_vec()).collect())
}

impl ModelExecutor for SegmentedNetwork {
    fn inputs(&self) -> &[TensorSpecification] {
        &self.inputs
    }

    fn outputs(&self) -> &[String] {
        &self.outputs
    }

    fn run(&self, inputs: &[Array]) -> Result<Outcome, ExecutionError> {
        let inputs = self.pictures.fit(&self.inputs, inputs)?;
        let inputs: Vec<&[u8]> = inputs.iter().map(|array| array.as_bytes()).collect();
        Ok(Outcome { outputs: self.run_with_observer(&inputs, &mut |_| {})?, latency: self.latency })
    }

    fn run_observed(&self, inputs: &[Array], see: &mut LayerObserver<'_>) -> Result<Outcome, ExecutionError> {
        let inputs = self.pictures.fit(&self.inputs, inputs)?;
        let inputs: Vec<&[u8]> = inputs.iter().map(|array| array.as_bytes()).collect();
        let outputs = self.run_with_observer(&inputs, &mut |observed| observed.layers(see))?;
        Ok(Outcome { outputs, latency: self.latency })
    }
}

impl Observed<'_> {
    /// Shows the values of the user's network that this is.
    pub fn layers(&self, see: &mut LayerObserver<'_>) {
        match self {
            Observed::Bpu { segment, node, tensor, bytes } => {
                for value in segment.values.iter().filter(|value| node.outputs.contains(&value.tensor)) {
                    if let Some(reals) = reals(tensor, value.layout, bytes) {
                        see(&value.node, reals);
                    }
                }
            }
            Observed::Cpu { node, value } => {
                if let Some(values) = value.values::<f32>() {
                    see(node, values.to_vec());
                }
            }
            Observed::Segment { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::open::{Detail, OpenOptions, open};
    use super::*;

    /// To steps of 0.5, from there to steps of 0.25, back to floats, and on the CPU the negative ones to 0.
    const NETWORK: &str = r#"
!half = !quant.uniform<i8:f32, 0.5>
!quarter = !quant.uniform<i8:f32, 0.25>
func.func @main(%x: tensor<1x4xf32> {hfloat.name = "x"}) -> (tensor<1x4xf32> {hfloat.name = "y"}) {
  %0 = bpu.segment(%x) {
  ^bb0(%input: tensor<1x4xf32>):
    %1 = bpu.quantize %input : (tensor<1x4xf32>) -> tensor<1x4x!half>
    %2 = bpu.requantize %1 : (tensor<1x4x!half>) -> tensor<1x4x!quarter>
    bpu.yield %2 : tensor<1x4x!quarter>
  } : (tensor<1x4xf32>) -> tensor<1x4x!quarter>
  %3 = bpu.segment(%0) {
  ^bb0(%input: tensor<1x4x!quarter>):
    %4 = bpu.dequantize %input : (tensor<1x4x!quarter>) -> tensor<1x4xf32>
    bpu.yield %4 : tensor<1x4xf32>
  } : (tensor<1x4x!quarter>) -> tensor<1x4xf32>
  %5 = cpu.segment(%3) {
  ^bb0(%input: tensor<1x4xf32>):
    %6 = hfloat.relu %input : (tensor<1x4xf32>) -> tensor<1x4xf32>
    cpu.yield %6 : tensor<1x4xf32>
  } : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %5 : tensor<1x4xf32>
}"#;

    /// A copy through L1M whose output region has 8 bytes from element to element, and half of it on the CPU.
    const PROGRAM_NETWORK: &str = r#"
func.func @main(%x: tensor<1x4xf32> {hfloat.name = "x"}) -> (tensor<1x4xf32> {hfloat.name = "y"}) {
  %0 = nash.program(%x) on "nash-e" inputs [#nash.port<"x", 16, [16, 4]>] outputs [#nash.port<"y", 32, [32, 8]>] workspace 0 names ["n"] {
    nash.load.copy node 0 shape [1, 1, 1, 1, 1, 4] element_bytes 4 source <input 0 + 0, [0, 0, 0, 0, 0, 4]> destination <64, [0, 0, 0, 0, 0, 4]>
    nash.store.copy node 0 WAIT shape [1, 1, 1, 1, 1, 4] element_bytes 4 source <64, [0, 0, 0, 0, 0, 4]> destination <output 0 + 0, [0, 0, 0, 0, 0, 8]>
  } : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = cpu.segment(%0) {
  ^bb0(%input: tensor<1x4xf32>):
    %2 = hfloat.relu %input : (tensor<1x4xf32>) -> tensor<1x4xf32>
    cpu.yield %2 : tensor<1x4xf32>
  } : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}"#;

    #[test]
    fn programs_run_beside_segments_and_are_checked_for_races() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.mlir");
        let races = OpenOptions { detail: Detail::Races, ..OpenOptions::default() };
        std::fs::write(&path, PROGRAM_NETWORK.replace("WAIT", "wait [load 1]")).unwrap();
        for options in [OpenOptions::default(), races] {
            let model = open(&path, &options).unwrap();
            assert_eq!(model.march.as_deref(), Some("nash-e"));
            let floats = |values: [f32; 4]| Array::from_values(&[1, 4], &values).unwrap();
            let outcome = model.executor.run(&[floats([1.5, -2.0, 0.75, 40.0])]).unwrap();
            assert_eq!(outcome.outputs, [floats([1.5, 0.0, 0.75, 40.0])]);
            // Starting a run alone takes 50 us.
            assert!(outcome.latency.is_some_and(|latency| latency > 50.0), "{:?}", outcome.latency);
        }
        std::fs::write(&path, PROGRAM_NETWORK.replace("WAIT", "")).unwrap();
        let error = open(&path, &races).err().unwrap().to_string();
        assert!(error.contains("race") && error.contains("store.copy"), "{error}");
        std::fs::write(&path, NETWORK).unwrap();
        let error = open(&path, &races).err().unwrap().to_string();
        assert!(error.contains("--check-races needs"), "{error}");
    }

    #[test]
    fn segments_run_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.mlir");
        std::fs::write(&path, NETWORK).unwrap();
        let model = open(&path, &OpenOptions::default()).unwrap();
        assert_eq!(model.executor.outputs(), ["y"]);
        let floats = |values: [f32; 4]| Array::from_values(&[1, 4], &values).unwrap();
        let outcome = model.executor.run(&[floats([1.5, -2.0, 0.75, 40.0])]).unwrap();
        // 0.75 is one and a half steps of 0.5: to even, 2 steps. 40 saturates at 127 steps of 0.25.
        assert_eq!(outcome.outputs, [floats([1.5, 0.0, 1.0, 31.75])]);
    }
}
