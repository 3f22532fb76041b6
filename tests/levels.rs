//! Networks through every level: float, QDQ on the CPU backend, `bpu` in the interpreter, `nash` in the simulator.
//!
//! Thresholds are measured on the inputs of the test. QDQ and `bpu` may differ by one step of the result where f32 sums and exact
//! integers round to different sides; `bpu` and `nash` must agree to the bit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hb::bpu::{interpreter, mlir, model};
use hb::cpu::{Array, Element, FloatExecutable, Observe, Options};
use hb::nash::lower::{Machine, lower};
use hb::sim::machine::Machine as Simulator;
use hb::target::Target;
use hb_dialects::{
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
    (known.run)(function, &pass::Options::default()).unwrap_or_else(|failure| panic!("{argument}: {failure:?}"));
}

/// The largest magnitude of every value of a float network.
fn measure(function: OperationRef<'_, '_>, inputs: &[Array]) -> BTreeMap<String, f64> {
    let options = Options { observe: Observe::Everything, single_threaded: true };
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
        let lowered = lower(&segment, &Machine::from(&target)).unwrap();
        let simulator = Simulator::new(&lowered.program, &target).unwrap();
        simulator.check_races().unwrap();
        assert!(simulator.run(inputs, &lowered.constants).unwrap() == expected, "{overrides:?}");
    }
    expected
}

fn run_cpu(operation: OperationRef<'_, '_>, inputs: &[&[u8]]) -> Vec<Vec<u8>> {
    let executable = FloatExecutable::compile(operation, Options::default()).unwrap();
    let arrays: Vec<Array> = operation
        .operands()
        .zip(inputs)
        .map(|(operand, bytes)| {
            let r#type = TensorType::from_type(operand.r#type()).unwrap();
            let element = if r#type.element == ir::Element::I64 { Element::I64 } else { Element::F32 };
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
    if r#type.element == ir::Element::I64 {
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
/// segments it must become; a share of at most `may_differ` of the outputs may be `steps` steps away from the QDQ network's.
fn check(text: &str, scale_of: &str, segments: &[&str], steps: f64, may_differ: f64) {
    let text = with_constants(text).replace("SAME_3X3", SAME_3X3).replace("POINT", POINT);
    let context = hb::pipeline::context();
    let module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    for argument in ["hfloat-infer-shapes", "hfloat-fuse-scales", "hfloat-fuse-activations", "hfloat-verify"] {
        run_pass(function, argument);
    }
    let arguments = ir::arguments(ir::body(function).unwrap()).into_iter();
    let inputs: Vec<Array> = arguments
        .enumerate()
        .map(|(seed, argument)| input(seed, &TensorType::from_type(argument.r#type()).unwrap()))
        .collect();
    let thresholds = measure(function, &inputs);
    hb::quant::assign_thresholds(function, |name| thresholds.get(name).copied()).unwrap();
    run_pass(function, "quant-insert-casts");
    assert!(module.as_operation().verify());
    let quantized = FloatExecutable::compile(function, Options::default()).unwrap();
    let expected = quantized.run(&inputs.iter().collect::<Vec<_>>()).unwrap();
    for argument in ["bpu-assign-placement", "bpu-form-segments", "bpu-verify"] {
        run_pass(function, argument);
    }
    assert!(module.as_operation().verify());
    let (found, kinds) = run_segments(function, &inputs);
    assert_eq!(kinds, segments, "{}", module.as_operation());
    assert_eq!(found.len(), expected.len());
    let step = thresholds[scale_of] / 127.0;
    for (found, expected) in found.iter().zip(&expected) {
        let (found, expected) = (floats(found), expected.values::<f32>().unwrap());
        assert_eq!(found.len(), expected.len());
        let distances: Vec<f64> = found.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs()) / step).collect();
        let farthest = distances.iter().fold(0f64, |farthest, distance| farthest.max(*distance));
        let differ = distances.iter().filter(|distance| **distance > 1e-3).count() as f64 / distances.len() as f64;
        assert!(farthest <= steps + 1e-3, "{farthest} steps away\n{found:?}\n{expected:?}");
        assert!(differ <= may_differ, "a share of {differ} differs");
        assert!(expected.iter().any(|value| *value != expected[0]), "the test shows nothing: all outputs are equal");
    }
}

#[test]
fn convolution_with_relu() {
    let text = "func.func @main(%x: tensor<1x3x9x7xf32>) -> tensor<*xf32> {
        %w = @(5x3x3x3) loc(\"w\")
        %b = @(5) loc(\"b\")
        %0 = hfloat.conv %x, %w, %b {SAME_3X3} : (tensor<1x3x9x7xf32>, tensor<5x3x3x3xf32>, tensor<5xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.relu %0 : (tensor<*xf32>) -> tensor<*xf32> loc(\"Relu_1\")
        return %1 : tensor<*xf32>
    }";
    check(text, "Conv_0", &["bpu"], 1.0, 0.01);
}

#[test]
fn depthwise_grouped_and_dilated_convolutions() {
    let text = "func.func @main(%x: tensor<2x4x11x10xf32>) -> tensor<*xf32> {
        %w0 = @(4x1x3x3) loc(\"w0\")
        %w1 = @(6x2x3x2) loc(\"w1\")
        %b1 = @(6) loc(\"b1\")
        %0 = hfloat.conv %x, %w0 {strides = array<i64: 2, 1>, pads = array<i64: 1, 0, 0, 1>, dilations = array<i64: 1, 1>, group = 4 : si64}
            : (tensor<2x4x11x10xf32>, tensor<4x1x3x3xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.conv %0, %w1, %b1 {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 2, 3>, group = 2 : si64}
            : (tensor<*xf32>, tensor<6x2x3x2xf32>, tensor<6xf32>) -> tensor<*xf32> loc(\"Conv_1\")
        return %1 : tensor<*xf32>
    }";
    check(text, "Conv_1", &["bpu"], 2.0, 0.02);
}

#[test]
fn convolution_of_one_dimension() {
    let text = "func.func @main(%x: tensor<1x3x20xf32>) -> tensor<*xf32> {
        %w = @(4x3x3) loc(\"w\")
        %0 = hfloat.conv %x, %w {strides = array<i64: 2>, pads = array<i64: 1, 0>, dilations = array<i64: 1>}
            : (tensor<1x3x20xf32>, tensor<4x3x3xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.max_pool %0 {kernel_shape = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
            : (tensor<*xf32>) -> tensor<*xf32> loc(\"MaxPool_1\")
        return %1 : tensor<*xf32>
    }";
    check(text, "Conv_0", &["bpu"], 1.0, 0.02);
}

#[test]
fn matrix_products() {
    let text = "func.func @main(%x: tensor<3x8xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
        %w0 = @(6x8) loc(\"w0\")
        %b0 = @(6) loc(\"b0\")
        %w1 = @(8x6) loc(\"w1\")
        %0 = hfloat.gemm %x, %w0, %b0 {transB = true} : (tensor<3x8xf32>, tensor<6x8xf32>, tensor<6xf32>) -> tensor<*xf32> loc(\"Gemm_0\")
        %1 = hfloat.gemm %x, %w1 : (tensor<3x8xf32>, tensor<8x6xf32>) -> tensor<*xf32> loc(\"Gemm_1\")
        return %0, %1 : tensor<*xf32>, tensor<*xf32>
    }";
    // Steps are those of the first; the scales of the two are near each other.
    check(text, "Gemm_0", &["bpu"], 1.5, 0.05);
}

#[test]
fn gemm_after_images() {
    let text = "func.func @main(%x: tensor<2x3x4x4xf32>) -> tensor<*xf32> {
        %w0 = @(4x3x3x3) loc(\"w0\")
        %w1 = @(64x10) loc(\"w1\")
        %b1 = @(10) loc(\"b1\")
        %0 = hfloat.conv %x, %w0 {SAME_3X3} : (tensor<2x3x4x4xf32>, tensor<4x3x3x3xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.flatten %0 : (tensor<*xf32>) -> tensor<*xf32> loc(\"Flatten_1\")
        %2 = hfloat.gemm %1, %w1, %b1 {alpha = 0.5 : f32, beta = 3.0 : f32} : (tensor<*xf32>, tensor<64x10xf32>, tensor<10xf32>) -> tensor<*xf32> loc(\"Gemm_2\")
        return %2 : tensor<*xf32>
    }";
    check(text, "Gemm_2", &["bpu"], 1.0, 0.1);
}

#[test]
fn products_of_two_activations() {
    let text = "func.func @main(%q: tensor<2x5x8xf32>, %k: tensor<2x6x8xf32>) -> tensor<*xf32> {
        %0 = hfloat.transpose %k {perm = array<i64: 0, 2, 1>} : (tensor<2x6x8xf32>) -> tensor<*xf32> loc(\"Transpose_0\")
        %1 = hfloat.mat_mul %q, %0 : (tensor<2x5x8xf32>, tensor<*xf32>) -> tensor<*xf32> loc(\"MatMul_1\")
        return %1 : tensor<*xf32>
    }";
    check(text, "MatMul_1", &["bpu"], 1.0, 0.02);
}

#[test]
fn sums_and_products_broadcast() {
    let text = "func.func @main(%x: tensor<1x3x6x5xf32>, %y: tensor<5xf32>) -> tensor<*xf32> {
        %w = @(3x3x1x1) loc(\"w\")
        %c = @(3x1x1) loc(\"c\")
        %s = @() loc(\"s\")
        %0 = hfloat.conv %x, %w {POINT} : (tensor<1x3x6x5xf32>, tensor<3x3x1x1xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.add %0, %x : (tensor<*xf32>, tensor<1x3x6x5xf32>) -> tensor<*xf32> loc(\"Add_1\")
        %2 = hfloat.add %1, %y : (tensor<*xf32>, tensor<5xf32>) -> tensor<*xf32> loc(\"Add_2\")
        %3 = hfloat.relu %2 : (tensor<*xf32>) -> tensor<*xf32> loc(\"Relu_3\")
        %4 = hfloat.mul %3, %c : (tensor<*xf32>, tensor<3x1x1xf32>) -> tensor<*xf32> loc(\"Mul_4\")
        %5 = hfloat.add %4, %s : (tensor<*xf32>, tensor<f32>) -> tensor<*xf32> loc(\"Add_5\")
        return %5 : tensor<*xf32>
    }";
    check(text, "Add_5", &["bpu"], 2.0, 0.05);
}

#[test]
fn squeeze_and_excite() {
    let text = "func.func @main(%x: tensor<1x4x5x5xf32>) -> tensor<*xf32> {
        %w = @(4x4x1x1) loc(\"w\")
        %0 = hfloat.global_average_pool %x : (tensor<1x4x5x5xf32>) -> tensor<*xf32> loc(\"Pool_0\")
        %1 = hfloat.conv %0, %w {POINT} : (tensor<*xf32>, tensor<4x4x1x1xf32>) -> tensor<*xf32> loc(\"Conv_1\")
        %2 = hfloat.mul %x, %1 : (tensor<1x4x5x5xf32>, tensor<*xf32>) -> tensor<*xf32> loc(\"Mul_2\")
        return %2 : tensor<*xf32>
    }";
    check(text, "Mul_2", &["bpu"], 2.0, 0.05);
}

#[test]
fn pools() {
    let text = "func.func @main(%x: tensor<1x3x9x8xf32>) -> tensor<*xf32> {
        %0 = hfloat.max_pool %x {kernel_shape = array<i64: 3, 2>, strides = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 1>, dilations = array<i64: 1, 1>}
            : (tensor<1x3x9x8xf32>) -> tensor<*xf32> loc(\"MaxPool_0\")
        %1 = hfloat.average_pool %0 {kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
            : (tensor<*xf32>) -> tensor<*xf32> loc(\"AveragePool_1\")
        %2 = hfloat.average_pool %1 {kernel_shape = array<i64: 2, 3>, strides = array<i64: 2, 1>, pads = array<i64: 1, 1, 0, 1>, dilations = array<i64: 1, 1>, count_include_pad = true}
            : (tensor<*xf32>) -> tensor<*xf32> loc(\"AveragePool_2\")
        %3 = hfloat.max_pool %2 {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, ceil_mode = true}
            : (tensor<*xf32>) -> tensor<*xf32> loc(\"MaxPool_3\")
        return %3 : tensor<*xf32>
    }";
    check(text, "AveragePool_2", &["bpu"], 1.0, 0.05);
}

#[test]
fn concatenation_of_different_scales() {
    let text = "func.func @main(%x: tensor<1x3x5x4xf32>) -> tensor<*xf32> {
        %w0 = @(2x3x1x1) loc(\"w0\")
        %w1 = @(5x3x3x3) loc(\"w1\")
        %0 = hfloat.conv %x, %w0 {POINT} : (tensor<1x3x5x4xf32>, tensor<2x3x1x1xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.conv %x, %w1 {SAME_3X3} : (tensor<1x3x5x4xf32>, tensor<5x3x3x3xf32>) -> tensor<*xf32> loc(\"Conv_1\")
        %2 = hfloat.concat %0, %1, %x {axis = -3 : si64} : (tensor<*xf32>, tensor<*xf32>, tensor<1x3x5x4xf32>) -> tensor<*xf32> loc(\"Concat_2\")
        return %2 : tensor<*xf32>
    }";
    check(text, "Concat_2", &["bpu"], 1.0, 0.02);
}

#[test]
fn layout_alone_is_exact_behind_one_convolution() {
    let text = "func.func @main(%x: tensor<1x4x6x5xf32>) -> tensor<*xf32> {
        %w = @(6x4x1x1) loc(\"w\")
        %shape = hfloat.constant dense<[2, -1, 5]> : tensor<3xi64> loc(\"shape\")
        %starts = hfloat.constant dense<[-1, 1]> : tensor<2xi64> loc(\"starts\")
        %ends = hfloat.constant dense<[-100, 17]> : tensor<2xi64> loc(\"ends\")
        %axes = hfloat.constant dense<[2, 1]> : tensor<2xi64> loc(\"axes\")
        %steps = hfloat.constant dense<[-2, 3]> : tensor<2xi64> loc(\"steps\")
        %pads = hfloat.constant dense<[0, 1, 0, 0, 0, 2]> : tensor<6xi64> loc(\"pads\")
        %all = hfloat.constant dense<[0, 1, 2]> : tensor<3xi64> loc(\"all\")
        %zero = hfloat.constant dense<0.0> : tensor<f32> loc(\"zero\")
        %indices = hfloat.constant dense<[[3, -1], [0, 0]]> : tensor<2x2xi64> loc(\"indices\")
        %new = hfloat.constant dense<[0]> : tensor<1xi64> loc(\"new\")
        %0 = hfloat.conv %x, %w {POINT} : (tensor<1x4x6x5xf32>, tensor<6x4x1x1xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.transpose %0 {perm = array<i64: 0, 3, 1, 2>} : (tensor<*xf32>) -> tensor<*xf32> loc(\"Transpose_1\")
        %2 = hfloat.reshape %1, %shape : (tensor<*xf32>, tensor<3xi64>) -> tensor<*xf32> loc(\"Reshape_2\")
        %3 = hfloat.slice %2, %starts, %ends, %axes, %steps
            : (tensor<*xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<*xf32> loc(\"Slice_3\")
        %4 = hfloat.pad %3, %pads, %zero, %all : (tensor<*xf32>, tensor<6xi64>, tensor<f32>, tensor<3xi64>) -> tensor<*xf32> loc(\"Pad_4\")
        %5 = hfloat.gather %4, %indices {axis = 1 : si64} : (tensor<*xf32>, tensor<2x2xi64>) -> tensor<*xf32> loc(\"Gather_5\")
        %6 = hfloat.unsqueeze %5, %new : (tensor<*xf32>, tensor<1xi64>) -> tensor<*xf32> loc(\"Unsqueeze_6\")
        return %6 : tensor<*xf32>
    }";
    check(text, "Conv_0", &["bpu"], 1.0, 0.02);
}

#[test]
fn slices_and_borders_of_images() {
    let text = "func.func @main(%x: tensor<1x4x6x6xf32>) -> tensor<*xf32> {
        %w = @(4x4x1x1) loc(\"w\")
        %starts = hfloat.constant dense<[1, 4]> : tensor<2xi64> loc(\"starts\")
        %ends = hfloat.constant dense<[4, -7]> : tensor<2xi64> loc(\"ends\")
        %axes = hfloat.constant dense<[1, 3]> : tensor<2xi64> loc(\"axes\")
        %steps = hfloat.constant dense<[1, -1]> : tensor<2xi64> loc(\"steps\")
        %pads = hfloat.constant dense<[1, 2, 2, 1]> : tensor<4xi64> loc(\"pads\")
        %plane = hfloat.constant dense<[2, 3]> : tensor<2xi64> loc(\"plane\")
        %zero = hfloat.constant dense<0.0> : tensor<f32> loc(\"zero\")
        %0 = hfloat.conv %x, %w {POINT} : (tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.slice %0, %starts, %ends, %axes, %steps
            : (tensor<*xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<*xf32> loc(\"Slice_1\")
        %2 = hfloat.pad %1, %pads, %zero, %plane {mode = #hfloat.pad_mode<reflect>}
            : (tensor<*xf32>, tensor<4xi64>, tensor<f32>, tensor<2xi64>) -> tensor<*xf32> loc(\"Pad_2\")
        %3 = hfloat.pad %2, %pads, %zero, %plane {mode = #hfloat.pad_mode<edge>}
            : (tensor<*xf32>, tensor<4xi64>, tensor<f32>, tensor<2xi64>) -> tensor<*xf32> loc(\"Pad_3\")
        return %3 : tensor<*xf32>
    }";
    check(text, "Conv_0", &["bpu"], 1.0, 0.02);
}

#[test]
fn softmax_runs_on_the_cpu_between_two_programs() {
    let text = "func.func @main(%x: tensor<1x3x4x4xf32>) -> tensor<*xf32> {
        %w0 = @(4x3x3x3) loc(\"w0\")
        %w1 = @(2x4x1x1) loc(\"w1\")
        %0 = hfloat.conv %x, %w0 {SAME_3X3} : (tensor<1x3x4x4xf32>, tensor<4x3x3x3xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.softmax %0 {axis = 1 : si64} : (tensor<*xf32>) -> tensor<*xf32> loc(\"Softmax_1\")
        %2 = hfloat.conv %1, %w1 {POINT} : (tensor<*xf32>, tensor<2x4x1x1xf32>) -> tensor<*xf32> loc(\"Conv_2\")
        return %2 : tensor<*xf32>
    }";
    check(text, "Conv_2", &["bpu", "cpu", "bpu"], 2.0, 0.05);
}

#[test]
fn a_value_of_the_first_program_is_read_by_the_second() {
    let text = "func.func @main(%x: tensor<1x3x4x4xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
        %w0 = @(3x3x3x3) loc(\"w0\")
        %0 = hfloat.conv %x, %w0 {SAME_3X3} : (tensor<1x3x4x4xf32>, tensor<3x3x3x3xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.softmax %0 {axis = 1 : si64} : (tensor<*xf32>) -> tensor<*xf32> loc(\"Softmax_1\")
        %2 = hfloat.mul %0, %1 : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32> loc(\"Mul_2\")
        return %2, %0 : tensor<*xf32>, tensor<*xf32>
    }";
    // Steps are those of the first result; those of the second are about as large.
    check(text, "Mul_2", &["bpu", "cpu", "bpu"], 2.0, 0.05);
}

/// `func.func @main(inputs) -> outputs { lines; return returned }`, where `$` is a tensor of unknown shape and
/// the value that a line gives is the name of its node.
fn network(inputs: &str, returned: &str, lines: &[&str]) -> String {
    let unknown = vec!["tensor<*xf32>"; returned.split(',').count()].join(", ");
    let mut text = format!("func.func @main({inputs}) -> ({unknown}) {{\n");
    for line in lines {
        let name = line.trim_start_matches('%').split([' ', ':']).next().unwrap();
        text.push_str(&format!("{} loc(\"{name}\")\n", line.replace('$', "tensor<*xf32>")));
    }
    text + &format!("return {returned} : {unknown}\n}}")
}

fn check_network(
    inputs: &str,
    returned: &str,
    lines: &[&str],
    scale_of: &str,
    segments: &[&str],
    (steps, may_differ): (f64, f64),
) {
    check(&network(inputs, returned, lines), scale_of, segments, steps, may_differ);
}

#[test]
fn products_with_batches_and_vectors() {
    check_network(
        "%x: tensor<2x1x4x6xf32>, %y: tensor<3x6x5xf32>",
        "%p",
        &[
            "%v = @(5)",
            "%l = @(3x4)",
            "%m = hfloat.mat_mul %x, %y : (tensor<2x1x4x6xf32>, tensor<3x6x5xf32>) -> $",
            "%n = hfloat.mat_mul %l, %m : (tensor<3x4xf32>, $) -> $",
            "%p = hfloat.mat_mul %n, %v : ($, tensor<5xf32>) -> $",
        ],
        "p",
        &["bpu"],
        (2.0, 0.1),
    );
}

#[test]
fn forms_of_gemm() {
    check_network(
        "%x: tensor<6x4xf32>, %y: tensor<5x6xf32>",
        "%c",
        &[
            "%w = @(6x5)",
            "%row = @(1x5)",
            "%one = @()",
            "%a = hfloat.gemm %x, %w, %row {transA = true} : (tensor<6x4xf32>, tensor<6x5xf32>, tensor<1x5xf32>) -> $",
            "%b = hfloat.gemm %x, %y {transA = true, transB = true} : (tensor<6x4xf32>, tensor<5x6xf32>) -> $",
            "%d = hfloat.gemm %x, %w, %one {transA = true} : (tensor<6x4xf32>, tensor<6x5xf32>, tensor<f32>) -> $",
            "%e = hfloat.add %a, %b : ($, $) -> $",
            "%c = hfloat.add %e, %d : ($, $) -> $",
        ],
        "c",
        &["bpu"],
        (2.0, 0.2),
    );
}

#[test]
fn a_bias_of_several_rows_goes_to_the_cpu() {
    check_network(
        "%x: tensor<4x6xf32>",
        "%a",
        &[
            "%w = @(6x5)",
            "%rows = @(4x5)",
            "%a = hfloat.gemm %x, %w, %rows : (tensor<4x6xf32>, tensor<6x5xf32>, tensor<4x5xf32>) -> $",
        ],
        "a",
        &["cpu"],
        (0.0, 0.0),
    );
    check_network(
        "%x: tensor<4x6xf32>",
        "%a",
        &[
            "%w = @(6x5)",
            "%column = @(4x1)",
            "%a = hfloat.gemm %x, %w, %column : (tensor<4x6xf32>, tensor<6x5xf32>, tensor<4x1xf32>) -> $",
        ],
        "a",
        &["cpu"],
        (0.0, 0.0),
    );
}

#[test]
fn automatic_padding_and_bounded_activations() {
    check_network(
        "%x: tensor<1x3x7x8xf32>",
        "%c",
        &[
            "%w = @(4x3x3x2)",
            "%v = @(4x1x4x4)",
            "%a = hfloat.conv %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, \
             auto_pad = #hfloat.auto_pad<SAME_UPPER>, activation = #hfloat.clamp<-0.25 : f64, 1.5 : f64>} : (tensor<1x3x7x8xf32>, tensor<4x3x3x2xf32>) -> $",
            "%b = hfloat.conv %a, %v {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, \
             group = 4 : si64, auto_pad = #hfloat.auto_pad<SAME_LOWER>} : ($, tensor<4x1x4x4xf32>) -> $",
            "%c = hfloat.average_pool %b {kernel_shape = array<i64: 3, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, \
             dilations = array<i64: 1, 1>, auto_pad = #hfloat.auto_pad<SAME_UPPER>} : ($) -> $",
        ],
        "c",
        &["bpu"],
        (2.0, 0.2),
    );
}

#[test]
fn windows_past_the_border() {
    check_network(
        "%x: tensor<2x3x8x7xf32>",
        "%b, %c",
        &[
            "%a = hfloat.max_pool %x {kernel_shape = array<i64: 2, 3>, strides = array<i64: 3, 2>, pads = array<i64: 0, 1, 1, 0>, \
             dilations = array<i64: 2, 1>, ceil_mode = true} : (tensor<2x3x8x7xf32>) -> $",
            "%b = hfloat.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 3, 2>, pads = array<i64: 0, 0, 0, 0>, \
             dilations = array<i64: 1, 1>, ceil_mode = true} : (tensor<2x3x8x7xf32>) -> $",
            "%c = hfloat.relu %a : ($) -> $",
        ],
        "b",
        &["bpu"],
        (3.0, 0.05),
    );
}

#[test]
fn relus_that_nothing_takes_over() {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%d, %b",
        &[
            "%w = @(3x3x1x1)",
            "%a = hfloat.relu %x : (tensor<1x3x4x4xf32>) -> $",
            "%b = hfloat.conv %a, %w {POINT} : ($, tensor<3x3x1x1xf32>) -> $",
            "%c = hfloat.relu %b : ($) -> $",
            "%d = hfloat.concat %c, %b, %b {axis = 1 : si64} : ($, $, $) -> $",
        ],
        "d",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn signals_of_one_dimension_in_both_layouts() {
    check_network(
        "%x: tensor<2x3x10xf32>",
        "%e",
        &[
            "%w = @(3x3x3)",
            "%a = hfloat.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 1, 1>, dilations = array<i64: 1>} : (tensor<2x3x10xf32>, tensor<3x3x3xf32>) -> $",
            "%b = hfloat.concat %a, %x {axis = 1 : si64} : ($, tensor<2x3x10xf32>) -> $",
            "%c = hfloat.relu %a : ($) -> $",
            "%d = hfloat.average_pool %b {kernel_shape = array<i64: 3>, strides = array<i64: 1>, pads = array<i64: 1, 1>, dilations = array<i64: 1>} : ($) -> $",
            "%e = hfloat.concat %d, %c {axis = -2 : si64} : ($, $) -> $",
        ],
        "e",
        &["bpu"],
        (2.0, 0.1),
    );
}

#[test]
fn reshapes_of_images() {
    check_network(
        "%x: tensor<2x3x4x5xf32>",
        "%g",
        &[
            "%w = @(6x3x1x1)",
            "%s = hfloat.constant dense<[0, -1, 2, 5]> : tensor<4xi64>",
            "%i = hfloat.constant dense<-2> : tensor<i64>",
            "%n = hfloat.constant dense<[1, -1]> : tensor<2xi64>",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<2x3x4x5xf32>, tensor<6x3x1x1xf32>) -> $",
            "%b = hfloat.reshape %a, %s : ($, tensor<4xi64>) -> $",
            "%c = hfloat.transpose %b {perm = array<i64: 3, 0, 2, 1>} : ($) -> $",
            "%d = hfloat.gather %c, %i {axis = -2 : si64} : ($, tensor<i64>) -> $",
            "%e = hfloat.unsqueeze %d, %n : ($, tensor<2xi64>) -> $",
            "%f = hfloat.flatten %e {axis = -2 : si64} : ($) -> $",
            "%g = hfloat.flatten %f {axis = 0 : si64} : ($) -> $",
        ],
        "a",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn permutations_of_what_a_convolution_gives() {
    for permutation in ["0, 1, 2, 3", "0, 2, 3, 1", "0, 3, 1, 2", "1, 0, 3, 2", "3, 2, 1, 0", "2, 0, 3, 1"] {
        let transpose = format!("%b = hfloat.transpose %a {{perm = array<i64: {permutation}>}} : ($) -> $");
        check_network(
            "%x: tensor<2x3x4x5xf32>",
            "%b",
            &[
                "%w = @(6x3x1x1)",
                "%a = hfloat.conv %x, %w {POINT} : (tensor<2x3x4x5xf32>, tensor<6x3x1x1xf32>) -> $",
                &transpose,
            ],
            "a",
            &["bpu"],
            (1.0, 0.01),
        );
    }
}

#[test]
fn borders_that_are_cut_off() {
    check_network(
        "%x: tensor<1x3x6x6xf32>",
        "%b",
        &[
            "%w = @(3x3x1x1)",
            "%pads = hfloat.constant dense<[0, 0, -1, 2, 0, 0, 1, -3]> : tensor<8xi64>",
            "%zero = hfloat.constant dense<0.0> : tensor<f32>",
            "%all = hfloat.constant dense<[0, 1, 2, 3]> : tensor<4xi64>",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x6x6xf32>, tensor<3x3x1x1xf32>) -> $",
            "%b = hfloat.pad %a, %pads, %zero, %all : ($, tensor<8xi64>, tensor<f32>, tensor<4xi64>) -> $",
        ],
        "a",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn indices_that_are_fed_go_to_the_cpu() {
    check_network(
        "%x: tensor<1x3x4x4xf32>, %i: tensor<3xi64>",
        "%c",
        &[
            "%w = @(2x3x1x1)",
            "%v = @(2x2x1x1)",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<2x3x1x1xf32>) -> $",
            "%b = hfloat.gather %a, %i {axis = 2 : si64} : ($, tensor<3xi64>) -> $",
            "%c = hfloat.conv %b, %v {POINT} : ($, tensor<2x2x1x1xf32>) -> $",
        ],
        "c",
        &["bpu", "cpu", "bpu"],
        (2.0, 0.1),
    );
}

#[test]
fn volumes_go_to_the_cpu() {
    check_network(
        "%x: tensor<1x2x3x4x4xf32>",
        "%b",
        &[
            "%w = @(2x2x2x2x2)",
            "%a = hfloat.conv %x, %w {strides = array<i64: 1, 1, 1>, pads = array<i64: 0, 0, 0, 0, 0, 0>, dilations = array<i64: 1, 1, 1>} : (tensor<1x2x3x4x4xf32>, tensor<2x2x2x2x2xf32>) -> $",
            "%b = hfloat.relu %a : ($) -> $",
        ],
        "a",
        &["cpu"],
        (0.0, 0.0),
    );
}

#[test]
fn a_branch_on_the_cpu_beside_one_on_the_bpu() {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%e, %b, %b",
        &[
            "%w = @(3x3x1x1)",
            "%a = hfloat.softmax %x {axis = 1 : si64} : (tensor<1x3x4x4xf32>) -> $",
            "%b = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
            "%c = hfloat.add %a, %b : ($, $) -> $",
            "%d = hfloat.softmax %c {axis = 3 : si64} : ($) -> $",
            "%e = hfloat.mul %d, %x : ($, tensor<1x3x4x4xf32>) -> $",
        ],
        "e",
        &["bpu", "cpu", "bpu", "cpu", "bpu"],
        (6.0, 0.2),
    );
}

#[test]
fn an_input_that_is_an_output_too() {
    let text = "func.func @main(%x: tensor<2x3xf32>) -> (tensor<*xf32>, tensor<2x3xf32>) {
        %a = hfloat.add %x, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<*xf32> loc(\"a\")
        return %a, %x : tensor<*xf32>, tensor<2x3xf32>
    }";
    check(text, "a", &["bpu"], 1.0, 0.0);
}

#[test]
fn constants_as_operands() {
    check_network(
        "%x: tensor<2x3xf32>",
        "%d",
        &[
            "%c = @(1x3)",
            "%k = @(2x2)",
            "%a = hfloat.add %c, %x : (tensor<1x3xf32>, tensor<2x3xf32>) -> $",
            "%b = hfloat.concat %a, %k {axis = 1 : si64} : ($, tensor<2x2xf32>) -> $",
            "%d = hfloat.mul %b, %b : ($, $) -> $",
        ],
        "d",
        &["bpu", "cpu", "bpu"],
        (2.0, 0.2),
    );
}

#[test]
fn what_the_cpu_gives_is_moved_by_the_bpu() {
    check_network(
        "%x: tensor<2x6xf32>",
        "%d, %e",
        &[
            "%s = hfloat.constant dense<[3, -1]> : tensor<2xi64>",
            "%k = @(3x4)",
            "%a = hfloat.softmax %x : (tensor<2x6xf32>) -> $",
            "%b = hfloat.reshape %a, %s : ($, tensor<2xi64>) -> $",
            "%d = hfloat.add %b, %k : ($, tensor<3x4xf32>) -> $",
            "%e = hfloat.transpose %b {perm = array<i64: 1, 0>} : ($) -> $",
        ],
        "d",
        &["cpu", "bpu"],
        (1.0, 0.1),
    );
}

#[test]
fn a_channel_of_zeros_and_a_large_bias() {
    check_network(
        "%x: tensor<1x2x3x3xf32>",
        "%a",
        &[
            "%w = hfloat.constant dense<[[[[0.0]], [[0.0]]], [[[0.5]], [[-1.0]]], [[[1.0e-3]], [[2.0e-3]]]]> : tensor<3x2x1x1xf32>",
            "%b = hfloat.constant dense<[2.0, -0.5, 1.5]> : tensor<3xf32>",
            "%a = hfloat.conv %x, %w, %b {POINT} : (tensor<1x2x3x3xf32>, tensor<3x2x1x1xf32>, tensor<3xf32>) -> $",
        ],
        "a",
        &["bpu"],
        (1.0, 0.05),
    );
}
