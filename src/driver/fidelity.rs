//! The end of a compilation: the `.hbm` computes what the quantized network says
//! (`docs/decisions/0040-compiled-is-quantized.md`).
//!
//! The quantized network is cut at every value: each node gets the operands that the compiled network has there, so that no
//! difference spreads and the node at fault is the one that differs.

use super::compare::{NodeFacts, network, run_segments};
use super::compile::{NetworkStages, StageError};
use super::configuration::MOST_ELEMENTS;
use crate::bpu::interpreter;
use crate::bpu::lower::Placement;
use crate::bpu::model::Segment;
use crate::cpu::{Array, FloatExecutable};
use crate::hbm::{Hbm, SegmentBody, SegmentDescription};
use crate::nash::lower;
use crate::numerics::RegionOfInterest;
use crate::quant::calibrate::NodeValues;
use crate::quant::cut::{Allowed, Cut, F32_ROUNDING, cut};
use crate::sim::bpu_segment::BpuRunner;
use crate::sim::executor::ExecutionError;
use crate::sim::regions::regions;
use crate::sim::segmented::in_region;
use crate::target::Target;
use hb_dialects::ElementType;
use hb_dialects::ir::{self, Element, OperationAttributes, TensorType};
use hb_dialects::names::{BATCH, input_names, output_names};
use melior::ir::{BlockLike, Module, OperationRef, ValueLike, operation::OperationLike};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

/// How the compiled network differs from the quantized one.
#[derive(Debug, thiserror::Error)]
pub enum FidelityError {
    #[error(
        "node '{node}': the compiled network computes {found} for element {index}, the quantized network {expected} from the \
         same operands; rounding allows a difference of {allowed:e}. The compiler is at fault: report it with the model, and run the \
         node on the CPU until it is mended"
    )]
    Node { node: String, index: usize, found: f32, expected: f32, allowed: f64 },
    #[error(
        "node '{node}': the program of segment '{segment}' computes other bytes than the bpu level says. The compiler is at fault: \
         report it with the model, and run the node on the CPU until it is mended"
    )]
    Program { node: String, segment: String },
    #[error(
        "output '{output}': sample {sample} of a batch gives other values than alone. The compiler is at fault: report it with the \
         model, and leave input_batch out until it is mended"
    )]
    Batch { output: String, sample: usize },
    #[error(
        "the .hbm has {found} segments of the BPU, the network {expected}. The compiler is at fault: report it with the model"
    )]
    Segments { found: usize, expected: usize },
}

impl NetworkStages<'_> {
    /// Cuts the quantized network, and compares each of its nodes with the value that the compiled network computed for it from the
    /// same operands. `sample` holds the inputs, `computed` the values by node.
    ///
    /// # Errors
    /// [`FidelityError::Node`] names the first node in the order of the network that differs by more than rounding allows.
    pub(super) fn check_nodes(
        &self,
        quantized: Module<'_>,
        facts: &[NodeFacts],
        (sample, mut computed): (Vec<Array>, NodeValues),
    ) -> Result<(), StageError> {
        let on_bpu: HashMap<&str, bool> =
            facts.iter().map(|fact| (fact.name.as_str(), fact.placement == Placement::Bpu)).collect();
        let function = network(quantized.as_operation())?;
        let (mut found, mut allowed) = (Vec::new(), Vec::new());
        for Cut { node, value, allowed: rounding } in cut(function, &computed, &on_bpu)? {
            let shape = TensorType::from_type(value.r#type())?.static_shape()?;
            found.push(Array::from_values(&shape, &computed.remove(&node).unwrap_or_default())?);
            allowed.push((node, rounding));
        }
        // Observed as the quantized network was, so that its kernels serve again.
        let executable = FloatExecutable::compile(function, self.executable_options())?;
        let inputs: Vec<&Array> = sample.iter().chain(&found).collect();
        let expected = executable.run(&inputs)?;
        for ((node, rounding), (found, expected)) in allowed.into_iter().zip(found.iter().zip(&expected)) {
            let (found, expected) = (found.values().unwrap_or_default(), expected.values().unwrap_or_default());
            compare_values(node, found, expected, rounding)?;
        }
        Ok(())
    }
}

/// Runs the programs of a `.hbm` in the simulator on what the segments of its `bpu` level are given: they must give the same bytes.
pub(super) struct ProgramCheck<'x> {
    target: &'x Target,
    count: usize,
    programs: Receiver<(String, Result<BpuRunner, ExecutionError>)>,
    seen: usize,
    outcome: Result<(), StageError>,
}

impl<'x> ProgramCheck<'x> {
    /// Makes the programs ready in a thread of their own, while the segments before them run.
    pub(super) fn new(hbm: &Arc<Hbm>, target: &'x Target) -> Self {
        // One is ready while the one before it runs.
        let (ready, programs) = sync_channel(0);
        let (hbm, own_target) = (Arc::clone(hbm), target.clone());
        let count = bpu_programs(&hbm).count();
        // Without a thread, nothing comes of it, and that is an error there.
        let _ = std::thread::Builder::new().spawn(move || {
            for program in bpu_programs(&hbm) {
                let runner = BpuRunner::new(&hbm, program, &own_target, false);
                // Nobody waits any more where something else failed.
                if ready.send((program.name.clone(), runner)).is_err() {
                    break;
                }
            }
        });
        Self { target, count, programs, seen: 0, outcome: Ok(()) }
    }

    /// Checks the program of the next segment of the BPU, which was given `inputs` and gave `outputs`.
    pub(super) fn see(&mut self, segment: &Segment, inputs: &[&[u8]], outputs: &[Vec<u8>]) {
        if self.outcome.is_ok() && self.seen < self.count {
            self.outcome = match self.programs.recv() {
                Ok((name, runner)) => runner
                    .map_err(StageError::from)
                    .and_then(|runner| check_program(&runner, name, self.target, (segment, inputs, outputs))),
                Err(_) => Err(ExecutionError("the simulator was not made ready".into()).into()),
            };
        }
        self.seen += 1;
    }

    /// # Errors
    /// [`FidelityError::Program`] names the first node that differs.
    pub(super) fn finish(self) -> Result<(), StageError> {
        self.outcome?;
        let (found, expected) = (self.count, self.seen);
        if found == expected { Ok(()) } else { Err(FidelityError::Segments { found, expected }.into()) }
    }
}

/// The segments of a `.hbm` that run on the BPU.
fn bpu_programs(hbm: &Hbm) -> impl Iterator<Item = &SegmentDescription> {
    hbm.manifest().segments.iter().filter(|segment| matches!(segment.body, SegmentBody::Bpu(_)))
}

/// The bytes of the deployed inputs: the sample where it has their types and sizes, as often as they take it, elsewhere bytes of all values.
/// Programs must agree with their segments on any data.
pub(super) fn deployed_sample(
    function: OperationRef<'_, '_>,
    (own, sample): (OperationRef<'_, '_>, &[Array]),
) -> Result<Vec<Vec<u8>>, StageError> {
    let own = input_names(own);
    let arguments = ir::body(function).map(ir::arguments).unwrap_or_default();
    let regions = regions(function).map_err(ExecutionError)?;
    let mut inputs: Vec<Vec<u8>> = Vec::new();
    let shapes: Vec<Vec<usize>> = arguments
        .iter()
        .map(|argument| TensorType::from_type(argument.r#type())?.static_shape())
        .collect::<Result<_, _>>()?;
    for (index, (argument, name)) in arguments.into_iter().zip(input_names(function)).enumerate() {
        let picture = regions.iter().find(|(_, region)| *region == index).and_then(|(plane, _)| shapes.get(*plane));
        if let Some(&[_, height, width, _]) = picture.map(Vec::as_slice) {
            inputs.push(made_up_region(height, width).to_bytes());
            continue;
        }
        let r#type = TensorType::from_type(argument.r#type())?;
        let (element, shape) = (r#type.element.storage(), r#type.static_shape()?);
        let count = shape.iter().try_fold(1usize, |count, size| count.checked_mul(*size));
        let count = count.filter(|count| *count as u64 <= MOST_ELEMENTS).ok_or_else(|| {
            let reason = format!("input '{name}': a sample of shape {shape:?} has more than {MOST_ELEMENTS} elements");
            ExecutionError(reason)
        })?;
        let bytes = count * element.bytes();
        let named = own.iter().position(|own| *own == name).and_then(|index| sample.get(index));
        // Each sample of a batch is of the only input, whatever it is called.
        let given = named.or(sample.first().filter(|_| sample.len() == 1));
        let fits = |array: &&Array| {
            let size = array.as_bytes().len();
            r#type.element == Element::Plain(array.element()) && size > 0 && bytes.is_multiple_of(size)
        };
        inputs.push(match given.filter(fits) {
            Some(array) => array.as_bytes().repeat(bytes / array.as_bytes().len()),
            None => made_up(element, count),
        });
    }
    Ok(inputs)
}

/// A region inside of a picture, of other sizes than most networks have.
fn made_up_region(height: usize, width: usize) -> RegionOfInterest {
    let [height, width] = [height, width].map(|size| i32::try_from(size).unwrap_or(i32::MAX));
    RegionOfInterest { left: width / 7, top: height / 9, right: width - width / 5, bottom: height - height / 11 }
}

/// Data where there is no sample: bytes of all values, reals from -4 to 4, and of wider integers 0 and 1, which are valid indices of nearly
/// everything.
fn made_up(element: ElementType, count: usize) -> Vec<u8> {
    // A step of 97 visits every byte and repeats at no usual row length.
    let bytes = (0..count).map(|position| (position * 97 % 256) as u8);
    match element {
        ElementType::F32 => bytes.flat_map(|byte| ((f32::from(byte) - 128.0) / 32.0).to_le_bytes()).collect(),
        _ if element.bytes() == 1 && element != ElementType::Bool => bytes.collect(),
        _ => {
            let one = |byte: u8| std::iter::once(byte & 1).chain(std::iter::repeat(0)).take(element.bytes());
            bytes.flat_map(one).collect()
        }
    }
}

/// Runs the segments of a batch on samples that differ, and compares the first and the last one with what the segments of one sample
/// give.
///
/// # Errors
/// [`FidelityError::Batch`] names the output that differs.
pub(super) fn check_batch(
    one: OperationRef<'_, '_>,
    batch: OperationRef<'_, '_>,
    sample: &[Array],
) -> Result<(), StageError> {
    let [sample] = sample else { return Ok(()) };
    let [shapes, batch_shapes] = [output_shapes(one)?, output_shapes(batch)?];
    let samples = batch.optional_integer(BATCH)?.and_then(|samples| usize::try_from(samples).ok()).unwrap_or(1);
    let turned = |places: usize| {
        let mut bytes = sample.as_bytes().to_vec();
        let places = places * sample.element().bytes() % bytes.len().max(1);
        bytes.rotate_left(places);
        bytes
    };
    let all = (0..samples).flat_map(turned).collect::<Vec<u8>>();
    let together = run_segments(batch, &[&all], &mut |_, _, _| {})?;
    for number in [0, samples - 1] {
        let alone = run_segments(one, &[&turned(number)], &mut |_, _, _| {})?;
        for (index, output) in output_names(one).into_iter().enumerate() {
            let (Some(shape), Some(batch_shape)) = (shapes.get(index), batch_shapes.get(index)) else { continue };
            let (Some(alone), Some(together)) = (alone.outputs.get(index), together.outputs.get(index)) else {
                continue;
            };
            // The same output for all samples, where it does not depend on them.
            let found = match shape.iter().zip(batch_shape).position(|(one, all)| one != all) {
                Some(axis) => part_of(together, shape, (axis, samples, number)),
                None => together.clone(),
            };
            if !found.iter().map(|value| value.to_bits()).eq(alone.iter().map(|value| value.to_bits())) {
                return Err(FidelityError::Batch { output, sample: number }.into());
            }
        }
    }
    Ok(())
}

fn output_shapes(function: OperationRef<'_, '_>) -> Result<Vec<Vec<usize>>, StageError> {
    let end = ir::body(function).and_then(|block| block.terminator());
    let Some(end) = end else { return Ok(Vec::new()) };
    let shapes =
        end.operands().map(|value| Ok(TensorType::from_type(value.r#type())?.bound_shape().unwrap_or_default()));
    shapes.collect()
}

/// What a sample has of the values of a batch, in which it is of this shape and the samples are along `axis`.
fn part_of(values: &[f32], shape: &[usize], (axis, samples, number): (usize, usize, usize)) -> Vec<f32> {
    let size = shape.iter().skip(axis).product::<usize>().max(1);
    values.chunks(size * samples).flat_map(|all| all.chunks(size).nth(number).unwrap_or_default()).copied().collect()
}

/// The inputs of a segment as the regions of its program hold them.
fn padded<'i>(segment: &Segment, inputs: &[&'i [u8]], target: &Target) -> Result<Vec<Cow<'i, [u8]>>, StageError> {
    let tensors = segment.inputs.iter().filter_map(|id| segment.tensor(*id));
    tensors.zip(inputs).map(|(tensor, bytes)| Ok(in_region(&lower::port(tensor, target)?, bytes)?)).collect()
}

fn check_program(
    runner: &BpuRunner,
    name: String,
    target: &Target,
    (segment, inputs, outputs): (&Segment, &[&[u8]], &[Vec<u8>]),
) -> Result<(), StageError> {
    let regions = padded(segment, inputs, target)?;
    let regions: Vec<&[u8]> = regions.iter().map(AsRef::as_ref).collect();
    let (found, _) = runner.run(&regions)?;
    if found == outputs {
        return Ok(());
    }
    let wrong = found.iter().zip(outputs).position(|(found, expected)| found != expected).unwrap_or(0);
    let output = segment.outputs.get(wrong);
    let last = segment.nodes.iter().find(|node| output.is_some_and(|output| node.outputs.contains(output)));
    let node = first_wrong_node(segment, inputs, target).or_else(|| last.map(|node| node.name.clone()));
    Err(FidelityError::Program { node: node.unwrap_or_default(), segment: name }.into())
}

/// The first node whose result differs when the segment is lowered with all of its results as outputs.
fn first_wrong_node(segment: &Segment, inputs: &[&[u8]], target: &Target) -> Option<String> {
    let mut open = segment.clone();
    open.outputs = open.nodes.iter().flat_map(|node| node.outputs.iter().copied()).collect();
    let expected = interpreter::run(&open, inputs).ok()?;
    let lowered = lower::lower(&open, target, lower::Effort::O0.into()).ok()?;
    let runner = BpuRunner::from_program(lowered.program, lowered.constants.into_owned(), target, false).ok()?;
    let regions = padded(segment, inputs, target).ok()?;
    let (found, _) = runner.run(&regions.iter().map(AsRef::as_ref).collect::<Vec<_>>()).ok()?;
    let names = open.nodes.iter().map(|node| &node.name);
    names
        .zip(found.iter().zip(&expected))
        .find(|(_, (found, expected))| found != expected)
        .map(|(name, _)| name.clone())
}

/// Compares a node's values. The same infinity and two that are no number are the same.
fn compare_values(node: String, found: &[f32], expected: &[f32], allowed: Allowed) -> Result<(), FidelityError> {
    let largest = expected.iter().filter(|value| value.is_finite()).fold(0f32, |most, value| most.max(value.abs()));
    let allowed = allowed.distance + allowed.share * f64::from(largest);
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let distance = (f64::from(found) - f64::from(expected)).abs();
        // The results themselves are rounded to f32.
        let near = distance <= allowed + 4.0 * F32_ROUNDING * f64::from(expected.abs());
        if !(near || found == expected || (found.is_nan() && expected.is_nan())) {
            return Err(FidelityError::Node { node, index, found, expected, allowed });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::compare::{bytes_of, node_facts};
    use super::super::compile::Stages;
    use super::super::configuration::{Configuration, Environment};
    use super::super::package::{Compilation, package};
    use super::super::progress::{Console, Verbosity};
    use super::*;
    use crate::pipeline;
    use crate::quant::cut::CPU_TOLERANCE;
    use melior::Context;

    /// Two convolutions of the same value, one behind an operation that quantization leaves to floats; the weights of the last
    /// are 0.5 and WEIGHT.
    fn text(between: &str, result: &str, weight: &str) -> String {
        format!(
            r#"
func.func @main(%x: tensor<1x2x4x4xf32> {{hfloat.name = "x"}}) -> (tensor<1x2x4x4xf32> {{hfloat.name = "d"}}, tensor<{result}> {{hfloat.name = "c"}}) {{
  %w = hfloat.constant dense<[[[[0.5]], [[-0.25]]], [[[1.0]], [[0.75]]]]> : tensor<2x2x1x1xf32>
  %v = hfloat.constant dense<[[[[0.5]], [[{weight}]]], [[[-1.0]], [[0.25]]]]> : tensor<2x2x1x1xf32>
  %a = hfloat.conv %x, %w {{strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}} : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32> loc("a")
  %d = hfloat.conv %a, %v {{strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}} : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32> loc("d")
  {between}
  %c = hfloat.conv %b, %v {{strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}} : (tensor<{result}>, tensor<2x2x1x1xf32>) -> tensor<{result}> loc("c")
  return %d, %c : tensor<1x2x4x4xf32>, tensor<{result}>
}}"#
        )
    }

    const PAD: &str = r#"%pads = hfloat.constant dense<[0, 0, 1, 1, 0, 0, 1, 1]> : tensor<8xi64>
  %value = hfloat.constant dense<1.5> : tensor<f32>
  %all = hfloat.constant dense<[0, 1, 2, 3]> : tensor<4xi64>
  %b = hfloat.pad %a, %pads, %value, %all : (tensor<1x2x4x4xf32>, tensor<8xi64>, tensor<f32>, tensor<4xi64>) -> tensor<1x2x6x6xf32> loc("b")"#;

    const CUBIC: &str = r#"%none = hfloat.constant dense<> : tensor<0xf32>
  %sizes = hfloat.constant dense<[1, 2, 8, 8]> : tensor<4xi64>
  %b = hfloat.resize %a, %none, %none, %sizes {mode = "cubic", coordinate_transformation_mode = "half_pixel"} : (tensor<1x2x4x4xf32>, tensor<0xf32>, tensor<0xf32>, tensor<4xi64>) -> tensor<1x2x8x8xf32> loc("b")"#;

    fn configuration() -> Configuration {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/digits");
        Configuration::read(&folder.join("config.yaml"), &Environment::of_this_machine()).unwrap()
    }

    fn sample() -> Vec<Array> {
        let values: Vec<f32> = (0..32).map(|i| ((i * 37 % 65) as f32 - 32.0) / 16.0).collect();
        vec![Array::from_values(&[1, 2, 4, 4], &values).unwrap()]
    }

    /// The QDQ form with thresholds of 2.
    fn quantized<'c>(context: &'c Context, text: &str) -> Module<'c> {
        let mut module = crate::frontend::mlir::parse(context, text.as_bytes(), "test").unwrap();
        pipeline::run(context, &mut module, "hfloat-to-qdq{default=2.0}").unwrap();
        module
    }

    /// What a compilation ends with that makes `compiled` of the network `text`.
    fn check(context: &Context, text: &str, compiled: &str) -> Result<(), String> {
        check_quantized(context, quantized(context, text), quantized(context, compiled))
    }

    fn check_quantized(context: &Context, qdq: Module<'_>, mut module: Module<'_>) -> Result<(), String> {
        let (configuration, console) = (configuration(), Console::new(Verbosity::Quiet));
        let target = Target::named("nash-e").unwrap();
        let stages = Stages::all(&console);
        let checked = NetworkStages::new(context, &configuration, &target, &stages);
        pipeline::run(context, &mut module, "qdq-to-placed").unwrap();
        let facts = node_facts(network(module.as_operation()).unwrap());
        pipeline::run(context, &mut module, "placed-to-bpu").unwrap();
        let function = network(module.as_operation()).unwrap();
        let computed = run_segments(function, &bytes_of(&sample()), &mut |_, _, _| {}).unwrap();
        checked.check_nodes(qdq, &facts, (sample(), computed.nodes)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_form_that_is_lowered_wrongly_is_found_at_its_node() {
        let context = pipeline::context();
        // A pad with 1.5 that becomes one with zeros, and another interpolation than the one that is asked for.
        let zeros = PAD.replace("dense<1.5>", "dense<0.0>");
        let linear = CUBIC.replace("\"cubic\"", "\"linear\"");
        for (right, wrong, result) in [(PAD, zeros, "1x2x6x6xf32"), (CUBIC, linear, "1x2x8x8xf32")] {
            let (right, wrong) = (text(right, result, "2.0"), text(&wrong, result, "2.0"));
            check(&context, &right, &right).unwrap();
            check(&context, &wrong, &wrong).unwrap();
            let error = check(&context, &right, &wrong).unwrap_err();
            assert!(error.starts_with("node 'b': the compiled network computes"), "{error}");
        }
    }

    /// Its casts stay, so that what it gives its readers is rounded in both.
    #[test]
    fn a_quantized_node_that_only_the_cpu_can_run_is_compared() {
        let text = r#"
func.func @main(%x: tensor<1x2x4x4xf32> {hfloat.name = "x"}) -> (tensor<1x2x4x4xf32> {hfloat.name = "y"}) {
  %w = hfloat.constant dense<[[[[0.5]], [[-0.25]]], [[[1.0e-14]], [[0.0]]]]> : tensor<2x2x1x1xf32>
  %wq = quant.qcast %w : tensor<2x2x1x1xf32> to tensor<2x2x1x1x!quant.uniform<i8:f32:0, {0.01, 1.0e-16}>>
  %wd = quant.dcast %wq : tensor<2x2x1x1x!quant.uniform<i8:f32:0, {0.01, 1.0e-16}>> to tensor<2x2x1x1xf32>
  %xq = quant.qcast %x : tensor<1x2x4x4xf32> to tensor<1x2x4x4x!quant.uniform<i8:f32, 0.03>>
  %xd = quant.dcast %xq : tensor<1x2x4x4x!quant.uniform<i8:f32, 0.03>> to tensor<1x2x4x4xf32>
  %c = hfloat.conv %xd, %wd {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32> loc("c")
  %cq = quant.qcast %c : tensor<1x2x4x4xf32> to tensor<1x2x4x4x!quant.uniform<i8:f32, 0.05>>
  %cd = quant.dcast %cq : tensor<1x2x4x4x!quant.uniform<i8:f32, 0.05>> to tensor<1x2x4x4xf32>
  return %cd : tensor<1x2x4x4xf32>
}"#;
        let context = pipeline::context();
        let module = || crate::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
        check_quantized(&context, module(), module()).unwrap();
    }

    #[test]
    fn a_program_that_computes_something_else_is_found_at_its_node() {
        let context = pipeline::context();
        let target = Target::named("nash-e").unwrap();
        let bpu = |weight: &str| {
            let mut module = quantized(&context, &text(PAD, "1x2x6x6xf32", weight));
            pipeline::run(&context, &mut module, "qdq-to-bpu").unwrap();
            module
        };
        let configuration = configuration();
        let (module, other) = (bpu("2.0"), bpu("-2.0"));
        let function = network(module.as_operation()).unwrap();
        for (compiled, fault) in [(&module, None), (&other, Some("node 'd"))] {
            let mut programs = ir::copy_module(compiled).unwrap();
            pipeline::run(&context, &mut programs, "bpu-to-nash{march=nash-e}").unwrap();
            let bytes = package(&context, programs.as_operation(), &Compilation::of(&configuration)).unwrap();
            let hbm = Hbm::from_bytes(bytes).unwrap();
            let mut programs = ProgramCheck::new(&Arc::new(hbm), &target);
            run_segments(function, &bytes_of(&sample()), &mut |segment, inputs, outputs| {
                programs.see(segment, inputs, outputs);
            })
            .unwrap();
            let outcome = programs.finish().map_err(|error| error.to_string());
            match fault {
                None => outcome.unwrap(),
                Some(fault) => assert!(outcome.as_ref().is_err_and(|error| error.starts_with(fault)), "{outcome:?}"),
            }
        }
    }

    #[test]
    fn only_rounding_passes() {
        let distance = |distance| Allowed { distance, share: 0.0 };
        let share = |share| Allowed { distance: 0.0, share };
        let node = || "n".to_owned();
        let compare =
            |found: &[f32], expected: &[f32], allowed| compare_values(node(), found, expected, allowed).is_ok();
        assert!(compare(&[1.0, 2.5], &[1.0, 2.0], distance(0.5)));
        assert!(!compare(&[1.0, 2.6], &[1.0, 2.0], distance(0.5)));
        assert!(compare(&[1.0, 4096.5], &[1.0, 4096.0], share(CPU_TOLERANCE)));
        assert!(!compare(&[1.0, 4098.0], &[1.0, 4096.0], share(CPU_TOLERANCE)));
        assert!(compare(&[f32::NAN, f32::INFINITY], &[f32::NAN, f32::INFINITY], distance(0.0)));
        assert!(!compare(&[f32::NAN], &[0.0], distance(1e9)));
        assert!(!compare(&[f32::INFINITY], &[0.0], share(1.0)));
    }
}
