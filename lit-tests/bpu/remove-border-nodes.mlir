// Nodes next to inputs and outputs, before and after the network is cut into segments.
// RUN: hb-opt %s --pass-pipeline='builtin.module(qdq-to-bpu{types=Quantize,Transpose,Dequantize,Cast,Reshape,Softmax})' | FileCheck %s --check-prefixes=CHECK,ALL
// RUN: hb-opt %s --pass-pipeline='builtin.module(qdq-to-bpu{types=Quantize,Dequantize})' | FileCheck %s --check-prefixes=CHECK,INTEGERS
// RUN: hb-opt %s --pass-pipeline='builtin.module(qdq-to-bpu{types=Transpose,Softmax})' | FileCheck %s --check-prefixes=CHECK,NODES
// RUN: hb-opt %s --pass-pipeline='builtin.module(qdq-to-bpu{types=Softmax names=Transpose_0})' | FileCheck %s --check-prefixes=CHECK,NAMES
// RUN: hb-opt %s --pass-pipeline='builtin.module(qdq-to-bpu{types=Dequantize,Softmax})' | FileCheck %s --check-prefixes=CHECK,SUMS
// RUN: not hb-opt %s --pass-pipeline='builtin.module(qdq-to-bpu{types=Relu})' 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not hb-opt %s --pass-pipeline='builtin.module(qdq-to-bpu{names=Conv_1,Transpose_0,Transpose_9})' 2>&1 | FileCheck %s --check-prefix=NAME

// TYPE: types: 'Relu' is none of Quantize, Transpose, Dequantize, Cast, Reshape, Softmax
// NAME: node 'Conv_1' cannot be removed: it became part of a bpu.conv2d; what can be removed is Quantize, Transpose, Dequantize, Cast, Reshape, Softmax next to an input or output of the model
// NAME-NEXT: node 'Transpose_9' cannot be removed: nothing of that name is left to compute in the compiled network

!half = !quant.uniform<i8:f32, 0.5>
!weight = !quant.uniform<i8:f32:0, {0.5, 1.0, 0.25}>

// An input in NHWC, a convolution whose sums of products stay exact, a softmax. The scales of the sums are 0.5 times those of the weights.
// CHECK-LABEL: func.func @main
// All of it: the integers of an image in NHWC, as it lies in memory, and the sums, in NHWC as well.
// ALL-SAME: (%[[X:.*]]: tensor<1x4x6x2x!quant.uniform<i8:f32, 5.000000e-01>> {hfloat.layout = "NHWC", hfloat.name = "x"})
// ALL-SAME: -> (tensor<1x4x6x3x!quant.uniform<i32:f32:3, {2.500000e-01,5.000000e-01,1.250000e-01}>> {hfloat.layout = "NHWC", hfloat.name = "y"})
// ALL: %[[S:.*]] = bpu.segment(%[[X]]) {
// ALL-NEXT: ^bb0(%[[B:.*]]: tensor<1x4x6x2x!quant.uniform<i8:f32, 5.000000e-01>>):
// ALL-NOT: bpu.quantize
// ALL: %[[C:.*]] = bpu.conv2d %[[B]],
// ALL-NEXT: bpu.yield %[[C]]
// ALL: return %[[S]]

// Only integers: the softmax reads reals, so the output stays. The user's transpose keeps its input in NHWC.
// INTEGERS-SAME: (%[[X:.*]]: tensor<1x4x6x2x!quant.uniform<i8:f32, 5.000000e-01>> {hfloat.layout = "NHWC", hfloat.name = "x"}) -> (tensor<1x3x4x6xf32> {hfloat.name = "y"})
// INTEGERS: bpu.dequantize
// INTEGERS: bpu.vector

// The transpose is the user's: then comes an input in NCHW. The softmax is gone, and with it the program of the float engine.
// NODES-SAME: (%[[X:.*]]: tensor<1x2x4x6xf32> {hfloat.layout = "NCHW", hfloat.name = "x"}) -> (tensor<1x4x6x3xf32> {hfloat.layout = "NHWC", hfloat.name = "y"})
// NODES: bpu.quantize
// NODES-NOT: bpu.vector

// The sums without the transpose that follows them: their scales go along with the channels.
// SUMS-SAME: -> (tensor<1x3x4x6x!quant.uniform<i32:f32:1, {2.500000e-01,5.000000e-01,1.250000e-01}>> {hfloat.name = "y"})
// SUMS: %[[C:.*]] = bpu.conv2d
// SUMS-NEXT: %[[T:.*]] = bpu.transpose %[[C]]
// SUMS-NEXT: bpu.yield %[[T]]

// Names win: the softmax stays.
// NAMES-SAME: (%[[X:.*]]: tensor<1x2x4x6xf32> {hfloat.layout = "NCHW", hfloat.name = "x"}) -> (tensor<1x3x4x6xf32> {hfloat.name = "y"})
// NAMES: bpu.vector
func.func @main(%x: tensor<1x4x6x2xf32> {hfloat.layout = "NHWC", hfloat.name = "x"}) -> (tensor<1x3x4x6xf32> {hfloat.name = "y"}) {
  %q = quant.qcast %x : tensor<1x4x6x2xf32> to tensor<1x4x6x2x!half>
  %d = quant.dcast %q : tensor<1x4x6x2x!half> to tensor<1x4x6x2xf32>
  %0 = hfloat.transpose %d {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x4x6x2xf32>) -> tensor<1x2x4x6xf32> loc("Transpose_0")
  %r = quant.qcast %0 : tensor<1x2x4x6xf32> to tensor<1x2x4x6x!half>
  %s = quant.dcast %r : tensor<1x2x4x6x!half> to tensor<1x2x4x6xf32>
  %w = hfloat.constant dense<[[[[2.0]], [[1.0]]], [[[-3.0]], [[2.0]]], [[[0.5]], [[0.25]]]]> : tensor<3x2x1x1xf32> loc("w")
  %wq = quant.qcast %w : tensor<3x2x1x1xf32> to tensor<3x2x1x1x!weight>
  %wd = quant.dcast %wq : tensor<3x2x1x1x!weight> to tensor<3x2x1x1xf32>
  %1 = hfloat.conv %s, %wd {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x4x6xf32>, tensor<3x2x1x1xf32>) -> tensor<1x3x4x6xf32> loc("Conv_1")
  %2 = hfloat.softmax %1 {axis = 1 : si64} : (tensor<1x3x4x6xf32>) -> tensor<1x3x4x6xf32> loc("Softmax_2")
  return %2 : tensor<1x3x4x6xf32>
}
