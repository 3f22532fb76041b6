//! Constants are quantized once: the ONNX model and the segments hold the same integers.

use super::{nested, numbers, run_pass};
use hb::bpu::{mlir, model};
use hb::frontend::onnx;
use hb_dialects::ir::{self, OperationAttributes};

const OUT: usize = 8;
const DEPTH: usize = 27;

/// A convolution and a Gemm whose weights have magnitudes up to `magnitude`, with biases in [-1, 1].
fn network(magnitude: f32) -> String {
    let tensor = |seed: usize, shape: &[usize], magnitude: f32| {
        let values: Vec<f32> = numbers(seed, shape.iter().product()).iter().map(|value| value * magnitude).collect();
        let r#type = shape.iter().map(|size| format!("{size}x")).collect::<String>();
        format!("hfloat.constant dense<{}> : tensor<{type}f32>", nested(shape, &values))
    };
    format!(
        "func.func @main(%x: tensor<1x3x3x3xf32>) -> tensor<1x{OUT}xf32> {{
           %w = {} loc(\"weight\")
           %b = {} loc(\"bias\")
           %0 = hfloat.conv %x, %w, %b {{strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}}
             : (tensor<1x3x3x3xf32>, tensor<{OUT}x3x3x3xf32>, tensor<{OUT}xf32>) -> tensor<1x{OUT}x1x1xf32> loc(\"conv\")
           %1 = hfloat.flatten %0 {{axis = 1 : si64}} : (tensor<1x{OUT}x1x1xf32>) -> tensor<1x{OUT}xf32> loc(\"flat\")
           %m = {} loc(\"matrix\")
           %c = {} loc(\"row\")
           %2 = hfloat.gemm %1, %m, %c : (tensor<1x{OUT}xf32>, tensor<{OUT}x{OUT}xf32>, tensor<{OUT}xf32>) -> tensor<1x{OUT}xf32>
             loc(\"gemm\")
           return %2 : tensor<1x{OUT}xf32>
         }}",
        tensor(0, &[OUT, 3, 3, 3], magnitude),
        tensor(1, &[OUT], 1.0),
        tensor(2, &[OUT, OUT], magnitude),
        tensor(3, &[OUT], 1.0),
    )
}

/// The values of biases, in the order of the network, and their scales.
fn biases(segment: &model::Segment) -> Vec<Vec<i64>> {
    let biases = segment.tensors.iter().filter(|tensor| tensor.element == model::BpuElement::I32);
    let biases = biases.filter_map(|tensor| tensor.data.as_ref());
    biases.map(|data| data.as_chunks::<4>().0.iter().map(|q| i32::from_le_bytes(*q).into()).collect()).collect()
}

#[test]
fn biases_of_the_exported_model_are_those_of_the_segments() {
    // Scales of the accumulator of about 1e-5 to 1e-9: at the last ones biases have up to 2^30 steps, more than f32 tells apart.
    for (threshold, magnitude) in [(1.27, 0.127), (0.0127, 0.0127), (0.0127, 0.00127), (0.00127, 0.00127)] {
        let context = hb::pipeline::context();
        let module = hb::frontend::mlir::parse(&context, network(magnitude).as_bytes(), "test").unwrap();
        let function = ir::function_named(module.as_operation(), "main").unwrap();
        let range = |name: &str| Some(if name == "gemm" { 2.0 } else { threshold });
        hb::quant::assign_thresholds(function, range).unwrap();
        run_pass(function, "quant-insert-casts");
        let exported = onnx::export(module.as_operation()).unwrap();
        let integers =
            exported.graph.initializers.iter().filter(|(_, tensor)| tensor.element() == hb_dialects::ElementType::I32);
        let integers: Vec<Vec<i64>> = integers.map(|(_, tensor)| tensor.to_i64s().unwrap()).collect();
        for argument in ["bpu-assign-placement", "bpu-form-segments", "bpu-verify"] {
            run_pass(function, argument);
        }
        let operations = ir::operations(ir::body(function).unwrap());
        let segments: Vec<_> = operations.iter().filter(|o| o.operation_name() == "bpu.segment").collect();
        let [segment] = segments[..] else { panic!("{}", module.as_operation()) };
        let own = biases(&mlir::from_mlir(*segment).unwrap());
        assert_eq!(own, integers);
        assert_eq!(own.iter().map(Vec::len).collect::<Vec<_>>(), [OUT, OUT]);
        // On paper: each is its real value over the product of the scales, which is rounded to f32 once.
        let s_x = f64::from((threshold / 127.0) as f32);
        let weights = numbers(0, OUT * DEPTH);
        for ((bias, &q), weights) in numbers(1, OUT).iter().zip(&own[0]).zip(weights.chunks(DEPTH)) {
            let largest = weights.iter().fold(0f32, |largest, weight| largest.max((weight * magnitude).abs()));
            let s_w = f64::from((f64::from(largest) / 127.0) as f32);
            let expected = f64::from(*bias) / f64::from((s_x * s_w) as f32);
            if expected.abs() < f64::from(1 << 29) {
                assert_eq!(q, expected.round_ties_even() as i64, "{threshold} {magnitude}");
            }
        }
    }
}
