//! Networks through every level: float, QDQ on the CPU backend, `bpu` in the interpreter, `nash` in the simulator.
//!
//! Thresholds are measured on the inputs of the test. QDQ and `bpu` may differ by one step of the result where f32 sums and exact
//! integers round to different sides; `bpu` and `nash` must agree to the bit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod constants;
mod edges;
mod float16;
mod forms;
mod functions;
mod int16;
mod networks;
mod placement;
mod random;
mod rearranging;
mod resampling;
mod sensitivity;
mod vector;
mod windows;

use hb::bpu::{interpreter, mlir, model};
use hb::cpu::{Array, ExecutableOptions, FloatExecutable, Observe};
use hb::nash::lower::{Effort, lower};
use hb::sim::fast::FastProgram;
use hb::sim::machine::Machine as Simulator;
use hb::target::Target;
use hb_dialects::{
    ElementType,
    ir::{self, OperationAttributes, TensorType},
    pass::{self, PassDefinition},
};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};
use std::collections::{BTreeMap, HashMap};

/// The window of most convolutions here.
const SAME_3X3: &str = "strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>";
const POINT: &str = "strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>";

/// Numbers in [-1, 1] that repeat for a seed (xorshift).
fn numbers(seed: usize, count: usize) -> Vec<f32> {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32 / (1u64 << 23) as f32) - 1.0
        })
        .collect()
}

/// `dense<...>` of a shape, nested as MLIR wants it.
fn nested(shape: &[usize], values: &[f32]) -> String {
    match shape.split_first() {
        None => format!("{:?}", f64::from(values[0])),
        Some((&size, rest)) => {
            let inner = values.len() / size;
            let parts: Vec<String> = values.chunks(inner).map(|part| nested(rest, part)).collect();
            format!("[{}]", parts.join(", "))
        }
    }
}

/// Replaces each `@(2x3)` by a constant of that shape.
fn with_constants(text: &str) -> String {
    let mut parts = text.split("@(");
    let mut result = parts.next().unwrap().to_owned();
    for (seed, part) in parts.enumerate() {
        let (size, rest) = part.split_once(')').unwrap();
        let shape: Vec<usize> =
            size.split('x').filter(|size| !size.is_empty()).map(|size| size.parse().unwrap()).collect();
        let values = numbers(seed + 100, shape.iter().product());
        let r#type = shape.iter().map(|size| format!("{size}x")).collect::<String>();
        result.push_str(&format!("hfloat.constant dense<{}> : tensor<{type}f32>{rest}", nested(&shape, &values)));
    }
    result
}

fn run_pass(function: OperationRef<'_, '_>, argument: &str) {
    let known: &PassDefinition = hb::pipeline::passes().find(|pass| pass.argument == argument).expect(argument);
    (known.run)(function, &pass::PassOptions::default()).unwrap_or_else(|failure| panic!("{argument}: {failure:?}"));
}

/// The largest magnitude of every value of a float network.
fn measure(function: OperationRef<'_, '_>, inputs: &[Array]) -> BTreeMap<String, f64> {
    let options =
        ExecutableOptions { observe: Observe::Everything, single_threaded: true, ..ExecutableOptions::default() };
    let executable = FloatExecutable::compile(function, options).unwrap();
    let mut largest = BTreeMap::new();
    let inputs: Vec<&Array> = inputs.iter().collect();
    executable
        .run_with_observer(&inputs, &mut |name, view| {
            if let Some(values) = view.values::<f32>() {
                let found = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
                largest.insert(name.to_owned(), f64::from(found));
            }
        })
        .unwrap();
    largest
}

/// Runs a segment in the interpreter, and on simulators of two machines, which must give the same bytes.
fn run_bpu(operation: OperationRef<'_, '_>, inputs: &[&[u8]]) -> Vec<Vec<u8>> {
    let segment: model::Segment = mlir::from_mlir(operation).unwrap();
    let expected = interpreter::run(&segment, inputs).unwrap();
    for overrides in [&[][..], &[("local_memory.bytes", "16384")]] {
        let target = Target::named_with_overrides("nash-e", overrides).unwrap();
        let lowered = lower(&segment, &target, Effort::O2.into()).unwrap();
        let simulator = Simulator::new(&lowered.program, &target).unwrap();
        simulator.check_races().unwrap();
        assert!(simulator.run(inputs, &lowered.constants).unwrap() == expected, "{overrides:?}");
        let machine = Simulator::owning(lowered.program, target).unwrap();
        let fast = FastProgram::new(machine, lowered.constants.into_owned()).unwrap();
        assert!(fast.run(inputs).unwrap() == expected, "fast, {overrides:?}");
    }
    expected
}

fn run_cpu(operation: OperationRef<'_, '_>, inputs: &[&[u8]]) -> Vec<Vec<u8>> {
    let executable = FloatExecutable::compile(operation, ExecutableOptions::default()).unwrap();
    let arrays: Vec<Array> = operation
        .operands()
        .zip(inputs)
        .map(|(operand, bytes)| {
            let r#type = TensorType::from_type(operand.r#type()).unwrap();
            let element = if r#type.element == ElementType::I64 { ElementType::I64 } else { ElementType::F32 };
            Array::from_bytes(element, &r#type.static_shape().unwrap(), bytes).unwrap()
        })
        .collect();
    let outputs = executable.run(&arrays.iter().collect::<Vec<_>>()).unwrap();
    outputs.iter().map(|array| array.as_bytes().to_vec()).collect()
}

/// What is fed: reals in [-2.5, 2.5], or the integers 0, 1, 0, 1...
fn input(seed: usize, r#type: &TensorType) -> Array {
    let shape = r#type.static_shape().unwrap();
    let count = shape.iter().product();
    if r#type.element == ElementType::I64 {
        return Array::from_values(&shape, &(0..count).map(|i| (i % 2) as i64).collect::<Vec<_>>()).unwrap();
    }
    Array::from_values(&shape, &numbers(seed, count).iter().map(|value| value * 2.5).collect::<Vec<_>>()).unwrap()
}

/// Runs a function that holds only segments; the outputs, and which kinds of segments ran.
fn run_segments(function: OperationRef<'_, '_>, inputs: &[Array]) -> (Vec<Vec<u8>>, Vec<String>) {
    let block = ir::body(function).unwrap();
    let key = |value: melior::ir::Value<'_, '_>| value.to_raw().ptr as usize;
    let arguments = ir::arguments(block).into_iter().map(key);
    let mut values: HashMap<usize, Vec<u8>> =
        arguments.zip(inputs).map(|(argument, array)| (argument, array.as_bytes().to_vec())).collect();
    let mut kinds = Vec::new();
    for operation in ir::operations(block) {
        let operands: Vec<&[u8]> = operation.operands().map(|operand| values[&key(operand)].as_slice()).collect();
        let name = operation.operation_name();
        let outputs = match name.as_str() {
            "bpu.segment" => run_bpu(operation, &operands),
            "cpu.segment" => run_cpu(operation, &operands),
            _ => return (operands.iter().map(|bytes| bytes.to_vec()).collect(), kinds),
        };
        kinds.push(name[..3].to_owned());
        for (result, bytes) in ir::results(operation).into_iter().zip(outputs) {
            values.insert(key(result), bytes);
        }
    }
    panic!("the function does not return");
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Takes a network through the levels. `scale_of` names the value that has the scale of the outputs; `segments` are the kinds of
/// segments it must become, where that is known; a share of at most `may_differ` of the outputs may be `steps` steps away from the QDQ network's.
fn check(text: &str, scale_of: &str, segments: Option<&[&str]>, steps: f64, may_differ: f64) {
    check_rewritten(text, scale_of, segments, (steps, may_differ), 127.0, &|text| text);
    let unchanged = |text| text;
    check_ranges(text, scale_of, segments, (steps, may_differ), 127.0, (&unchanged, &with_zero_point));
}

/// A range that shows as much of both signs, with a zero point that depends on the name.
fn with_zero_point(name: &str, threshold: f64) -> hb::quant::ThresholdRange {
    let number = name.bytes().fold(7u32, |number, byte| number.wrapping_mul(31).wrapping_add(byte.into()));
    let zero_point = (number % 121) as i32 - 60;
    let [below, above] = [-128, 127].map(|end| f64::from(zero_point.abs_diff(end)));
    // The threshold is what the longer side shows.
    hb::quant::ThresholdRange { zero_point, ..(threshold * below.max(above) / below.min(above)).into() }
}

/// What becomes of a value of that name and largest magnitude.
type RangeOf<'r> = &'r dyn Fn(&str, f64) -> hb::quant::ThresholdRange;

/// As [`check`], with the text of the QDQ form rewritten; thresholds have so many steps.
fn check_rewritten(
    text: &str,
    scale_of: &str,
    segments: Option<&[&str]>,
    (steps, may_differ): (f64, f64),
    steps_of_threshold: f64,
    rewrite: &dyn Fn(String) -> String,
) {
    let bounds = (steps, may_differ);
    check_ranges(text, scale_of, segments, bounds, steps_of_threshold, (rewrite, &|_, threshold| threshold.into()));
}

/// As [`check_rewritten`], with ranges that need not be those of int8.
fn check_ranges(
    text: &str,
    scale_of: &str,
    segments: Option<&[&str]>,
    (steps, may_differ): (f64, f64),
    steps_of_threshold: f64,
    (rewrite, range): (&dyn Fn(String) -> String, RangeOf<'_>),
) {
    let text = with_constants(text).replace("SAME_3X3", SAME_3X3).replace("POINT", POINT);
    let context = hb::pipeline::context();
    let module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    for argument in [
        "hfloat-infer-shapes",
        "hfloat-expand-splits",
        "hfloat-forward-slices",
        "hfloat-fuse-functions",
        "hfloat-fuse-normalizations",
        "hfloat-fuse-scales",
        "hfloat-fuse-activations",
        "hfloat-equalize-channels",
        "hfloat-flush-weights",
        "hfloat-verify",
    ] {
        run_pass(function, argument);
    }
    let arguments = ir::arguments(ir::body(function).unwrap()).into_iter();
    let inputs: Vec<Array> = arguments
        .enumerate()
        .map(|(seed, argument)| input(seed, &TensorType::from_type(argument.r#type()).unwrap()))
        .collect();
    let thresholds = measure(function, &inputs);
    hb::quant::assign_thresholds(function, |name| thresholds.get(name).map(|&threshold| range(name, threshold)))
        .unwrap();
    run_pass(function, "quant-insert-casts");
    let text = rewrite(module.as_operation().to_string());
    let module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    assert!(module.as_operation().verify());
    let quantized = FloatExecutable::compile(function, ExecutableOptions::default()).unwrap();
    let expected = quantized.run(&inputs.iter().collect::<Vec<_>>()).unwrap();
    for argument in ["bpu-assign-placement", "bpu-form-segments", "bpu-verify"] {
        run_pass(function, argument);
    }
    assert!(module.as_operation().verify());
    let (found, kinds) = run_segments(function, &inputs);
    if let Some(segments) = segments {
        assert_eq!(kinds, segments, "{}", module.as_operation());
    }
    assert_eq!(found.len(), expected.len());
    // An operator that another took over has no value of its own any more.
    let largest = |array: &Array| array.to_f64().iter().fold(0f64, |largest, value| largest.max(value.abs()));
    let threshold = thresholds.get(scale_of).copied().unwrap_or_else(|| largest(&expected[0]));
    let step = match range(scale_of, threshold) {
        own if own.zero_point != 0 => own.affine().scale,
        _ => threshold / steps_of_threshold,
    };
    for (found, expected) in found.iter().zip(&expected) {
        let (found, expected) = (floats(found), expected.values::<f32>().unwrap());
        assert_eq!(found.len(), expected.len());
        let distances: Vec<f64> = found.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs()) / step).collect();
        let farthest = distances.iter().fold(0f64, |farthest, distance| farthest.max(*distance));
        let differ = distances.iter().filter(|distance| **distance > 1e-3).count() as f64 / distances.len() as f64;
        assert!(farthest <= steps + 1e-3, "{farthest} steps away\n{found:?}\n{expected:?}");
        assert!(differ <= may_differ, "a share of {differ} differs");
        let shows = segments.is_none() || expected.iter().any(|value| *value != expected[0]);
        assert!(shows, "the test shows nothing: all outputs are equal");
    }
}

/// A line of a function with the value that it gives as the name of its node.
fn named(line: &str) -> String {
    let name = line.trim_start_matches('%').split([' ', ':']).next().unwrap();
    format!("{line} loc(\"{name}\")\n")
}
