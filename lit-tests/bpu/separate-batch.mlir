// Each of two samples becomes an input of its own.
// RUN: hb-opt %s --split-input-file --bpu-separate-batch --bpu-verify | FileCheck %s

!half = !quant.uniform<i8:f32, 0.5>

// Reals are quantized sample by sample; the CPU joins them as they are.
// CHECK-LABEL: func.func @reals
// CHECK-SAME: (%[[A:.*]]: tensor<1x2x2x4xf32> {hfloat.name = "x_0"}{{.*}}, %[[B:.*]]: tensor<1x2x2x4xf32> {hfloat.name = "x_1"}
// CHECK: bpu.segment(%[[A]], %[[B]])
// CHECK-NEXT: ^bb0(%[[P:.*]]: tensor<1x2x2x4xf32>{{.*}}, %[[Q:.*]]: tensor<1x2x2x4xf32>
// CHECK-NEXT: %[[PI:.*]] = bpu.quantize %[[P]] : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4x!quant.uniform<i8:f32, 5.000000e-01>>
// CHECK-NEXT: %[[QI:.*]] = bpu.quantize %[[Q]]
// CHECK-NEXT: %[[J:.*]] = bpu.concat %[[PI]], %[[QI]] {axis = 0 : i64}
// CHECK-NEXT: bpu.dequantize %[[J]]
// CHECK: cpu.segment(%[[A]], %[[B]])
// CHECK-NEXT: ^bb0(%[[P:.*]]: tensor<1x2x2x4xf32>{{.*}}, %[[Q:.*]]: tensor<1x2x2x4xf32>
// CHECK-NEXT: %[[J:.*]] = hfloat.concat %[[P]], %[[Q]] {axis = 0 : si64}
// CHECK-NEXT: hfloat.softmax %[[J]]
func.func @reals(%x: tensor<2x2x2x4xf32> {hfloat.name = "x"}) -> (tensor<2x2x2x4xf32>, tensor<2x2x2x4xf32>)
    attributes {hfloat.batch = 2 : i64} {
  %0 = bpu.segment(%x) {
  ^bb0(%input: tensor<2x2x2x4xf32>):
    %1 = bpu.quantize %input : (tensor<2x2x2x4xf32>) -> tensor<2x2x2x4x!half> loc("Relu_0/quantize")
    %2 = bpu.dequantize %1 : (tensor<2x2x2x4x!half>) -> tensor<2x2x2x4xf32> loc("Relu_0/dequantize")
    bpu.yield %2 : tensor<2x2x2x4xf32>
  } : (tensor<2x2x2x4xf32>) -> tensor<2x2x2x4xf32>
  %4 = cpu.segment(%x) {
  ^bb0(%input: tensor<2x2x2x4xf32>):
    %5 = hfloat.softmax %input {axis = 1 : si64} : (tensor<2x2x2x4xf32>) -> tensor<2x2x2x4xf32> loc("Softmax_0")
    cpu.yield %5 : tensor<2x2x2x4xf32>
  } : (tensor<2x2x2x4xf32>) -> tensor<2x2x2x4xf32>
  return %0, %4 : tensor<2x2x2x4xf32>, tensor<2x2x2x4xf32>
}

// -----

// Feature maps are normalized sample by sample: the numbers of channels are the same for all.
// CHECK-LABEL: func.func @normalized
// CHECK-NEXT: bpu.segment
// CHECK-NEXT: ^bb0(%[[P:.*]]: tensor<1x2x2x4xf32>{{.*}}, %[[Q:.*]]: tensor<1x2x2x4xf32>
// CHECK-NEXT: %[[PI:.*]] = bpu.normalize %[[P]] {axis = 1 : i64, factor = array<f64: 2.000000e+00, 1.000000e+00>, mean = array<f64: 1.000000e+00, 0.000000e+00>}
// CHECK-SAME: (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4x!quant.uniform<i8:f32, 5.000000e-01>>
// CHECK-NEXT: %[[QI:.*]] = bpu.normalize %[[Q]]
// CHECK-NEXT: bpu.concat %[[PI]], %[[QI]] {axis = 0 : i64}
!integers = !quant.uniform<i8:f32, 0.5>
func.func @normalized(%x: tensor<2x2x2x4xf32> {hfloat.name = "x"}) -> tensor<2x2x2x4xf32> attributes {hfloat.batch = 2 : i64} {
  %0 = bpu.segment(%x) {
  ^bb0(%input: tensor<2x2x2x4xf32>):
    %1 = bpu.normalize %input {axis = 1 : i64, mean = array<f64: 1.0, 0.0>, factor = array<f64: 2.0, 1.0>}
      : (tensor<2x2x2x4xf32>) -> tensor<2x2x2x4x!integers> loc("x/preprocess/normalize")
    %2 = bpu.dequantize %1 : (tensor<2x2x2x4x!integers>) -> tensor<2x2x2x4xf32> loc("Relu_0/dequantize")
    bpu.yield %2 : tensor<2x2x2x4xf32>
  } : (tensor<2x2x2x4xf32>) -> tensor<2x2x2x4xf32>
  return %0 : tensor<2x2x2x4xf32>
}

// -----

// The planes of an image stay side by side.
// CHECK-LABEL: func.func @images
// CHECK-SAME: (%[[YA:.*]]: tensor<1x2x4x1xui8> {hfloat.layout = "NHWC", hfloat.name = "x_0_y"}
// CHECK-SAME: %[[CA:.*]]: tensor<1x1x2x2xui8> {hfloat.layout = "NHWC", hfloat.name = "x_0_uv"}
// CHECK-SAME: %[[YB:.*]]: tensor<1x2x4x1xui8> {hfloat.layout = "NHWC", hfloat.name = "x_1_y"}
// CHECK-SAME: %[[CB:.*]]: tensor<1x1x2x2xui8> {hfloat.layout = "NHWC", hfloat.name = "x_1_uv"}
// CHECK: %[[IA:.*]] = bpu.camera_image %{{.*}}, %{{.*}} {constants = array<i8: -128, 1>}
// CHECK-SAME: (tensor<1x2x4x1xui8>, tensor<1x1x2x2xui8>) -> tensor<1x2x4x5x
// CHECK-NEXT: %[[IB:.*]] = bpu.camera_image %{{.*}}, %{{.*}} {constants = array<i8: -128, 1>}
// CHECK-NEXT: bpu.concat %[[IA]], %[[IB]] {axis = 0 : i64}
!image = !quant.uniform<i8:f32, 1.0>
func.func @images(%y: tensor<2x2x4x1xui8> {hfloat.layout = "NHWC", hfloat.name = "x_y"}, %uv: tensor<2x1x2x2xui8> {hfloat.layout = "NHWC", hfloat.name = "x_uv"})
    -> tensor<2x2x4x5xf32> attributes {hfloat.batch = 2 : i64} {
  %0 = bpu.segment(%y, %uv) {
  ^bb0(%a: tensor<2x2x4x1xui8>, %b: tensor<2x1x2x2xui8>):
    %1 = bpu.camera_image %a, %b {constants = array<i8: -128, 1>}
      : (tensor<2x2x4x1xui8>, tensor<2x1x2x2xui8>) -> tensor<2x2x4x5x!image> loc("x/preprocess/image")
    %2 = bpu.dequantize %1 : (tensor<2x2x4x5x!image>) -> tensor<2x2x4x5xf32> loc("Relu_0/dequantize")
    bpu.yield %2 : tensor<2x2x4x5xf32>
  } : (tensor<2x2x4x1xui8>, tensor<2x1x2x2xui8>) -> tensor<2x2x4x5xf32>
  return %0 : tensor<2x2x4x5xf32>
}
