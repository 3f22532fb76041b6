// Every value of the user's network that a segment computes becomes an output under the name of its node: integers as they are stored.
// RUN: hb-opt %s --bpu-expose-layers | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-SAME: -> (tensor<1x2x2x4xf32> {hfloat.name = "y"}, tensor<1x2x2x4x!quant.uniform<i8:f32, 5.000000e-01>> {hfloat.layer = "Relu_0", hfloat.layout = "NHWC", hfloat.name = "Relu_0"}, tensor<1x2x2x4xf32> {hfloat.layer = "Softmax_0", hfloat.name = "Softmax_0"})
// CHECK: %[[B:.*]]:2 = bpu.segment
// CHECK: %[[R:.*]] = bpu.requantize
// CHECK: %[[D:.*]] = bpu.dequantize
// CHECK: bpu.yield %[[D]], %[[R]]
// CHECK: %[[S:.*]] = cpu.segment(%[[B]]#0)
// CHECK: return %[[S]], %[[B]]#1, %[[S]]
!half = !quant.uniform<i8:f32, 0.5>
func.func @main(%x: tensor<1x2x2x4xf32> {hfloat.name = "x"}) -> (tensor<1x2x2x4xf32> {hfloat.name = "y"}) {
  %0 = bpu.segment(%x) {
  ^bb0(%input: tensor<1x2x2x4xf32>):
    %1 = bpu.quantize %input : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4x!half> loc("q")
    %2 = bpu.requantize %1 : (tensor<1x2x2x4x!half>) -> tensor<1x2x2x4x!half> loc(fused<["Relu_0", "channels_last"]>["r"])
    %3 = bpu.dequantize %2 : (tensor<1x2x2x4x!half>) -> tensor<1x2x2x4xf32> loc("d")
    bpu.yield %3 : tensor<1x2x2x4xf32>
  } : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  %4 = cpu.segment(%0) {
  ^bb0(%input: tensor<1x2x2x4xf32>):
    %5 = hfloat.softmax %input {axis = 1 : si64} : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32> loc("Softmax_0")
    cpu.yield %5 : tensor<1x2x2x4xf32>
  } : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  return %4 : tensor<1x2x2x4xf32>
}

// What no node of the user's network computes is no layer: an input that is prepared.
// CHECK-LABEL: func.func @prepared
// CHECK-SAME: -> (tensor<1x2x2x4xf32> {hfloat.name = "y"}, tensor<1x2x2x4x!quant.uniform<i8:f32, 5.000000e-01>> {hfloat.layer = "Relu_0", hfloat.layout = "NHWC", hfloat.name = "Relu_0"})
func.func @prepared(%x: tensor<1x2x2x4xf32> {hfloat.name = "x"}) -> (tensor<1x2x2x4xf32> {hfloat.name = "y"}) {
  %0 = bpu.segment(%x) {
  ^bb0(%input: tensor<1x2x2x4xf32>):
    %1 = bpu.quantize %input : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4x!half> loc(fused<["x/prepare", "channels_last"]>[fused<"x/prepare">[unknown]])
    %2 = bpu.requantize %1 : (tensor<1x2x2x4x!half>) -> tensor<1x2x2x4x!half> loc(fused<["Relu_0", "channels_last"]>["r"])
    %3 = bpu.dequantize %2 : (tensor<1x2x2x4x!half>) -> tensor<1x2x2x4xf32> loc("d")
    bpu.yield %3 : tensor<1x2x2x4xf32>
  } : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  return %0 : tensor<1x2x2x4xf32>
}
