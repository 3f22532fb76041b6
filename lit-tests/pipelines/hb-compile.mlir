// Everything between import and the .hbm: what is quantized becomes a program, the rest a segment of the CPU.
// RUN: hb-opt %s --pass-pipeline='builtin.module(hb-compile{march=nash-e default=63.5})' | FileCheck %s
// RUN: hb-opt %s --pass-pipeline='builtin.module(hfloat-optimize,hfloat-to-qdq{default=63.5},qdq-to-bpu,bpu-to-nash{march=nash-e})' | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:[a-z0-9]+]]: tensor<1x1x4x4xf32>{{.*}}) -> tensor<1x2x4x4xf32>
// CHECK-NOT: hfloat.conv
// CHECK: %[[A:.*]] = nash.program(%[[X]]) on "nash-e"
// CHECK: nash.vpu.quantize
// CHECK: nash.tae.convolution
// CHECK: nash.vpu.dequantize
// CHECK: nash.store.copy
// CHECK: %[[B:.*]] = cpu.segment(%[[A]]) {
// CHECK: hfloat.lrn
// CHECK: return %[[B]]
func.func @main(%x: tensor<1x1x4x4xf32>) -> tensor<*xf32> {
  %w = hfloat.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32> loc("weight")
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>) -> tensor<*xf32> loc("Conv_0")
  %1 = hfloat.relu %0 : (tensor<*xf32>) -> tensor<*xf32> loc("Relu_1")
  %2 = hfloat.lrn %1 {size = 3 : si64} : (tensor<*xf32>) -> tensor<*xf32> loc("LRN_2")
  return %2 : tensor<*xf32>
}
