// The QDQ form becomes segments.
// RUN: hb-opt %s --bpu-assign-placement --bpu-form-segments --bpu-verify | FileCheck %s
// RUN: not hb-opt %s --bpu-form-segments 2>&1 | FileCheck %s --check-prefix=UNPLACED

// UNPLACED: node 'Conv_0': has no placement; run bpu-assign-placement first

!half = !quant.uniform<i8:f32, 0.5>
!quarter = !quant.uniform<i8:f32, 0.25>
!weight = !quant.uniform<i8:f32:0, {0.5, 1.0}>
!bias = !quant.uniform<i32:f32:0, {0.25, 0.5}>

// NCHW becomes NHWC, OIHW becomes OHWI, the integers of weights are their values over their scales, the activation is a clamp.
// Between two convolutions there is no transpose.
// CHECK-LABEL: func.func @convolutions
// CHECK-SAME: (%[[X:[a-z0-9]+]]: tensor<1x1x2x3xf32>)
func.func @convolutions(%x: tensor<1x1x2x3xf32>) -> tensor<1x2x2x3xf32> {
  // CHECK-NEXT: %[[Y:.*]] = bpu.segment(%[[X]]) {
  // CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<1x1x2x3xf32>):
  // CHECK-DAG: %[[W:.*]] = bpu.constant dense<{{\[\[\[\[}}4]]], {{\[\[\[}}-3]]]]> : tensor<2x1x1x1xi8> -> tensor<2x1x1x1x!quant.uniform<i8:f32:0, {5.000000e-01,1.000000e+00}>>
  // CHECK-DAG: %[[B:.*]] = bpu.constant dense<[4, -6]> : tensor<2xi32> -> tensor<2xi32>
  // CHECK-DAG: %[[V:.*]] = bpu.constant dense<{{\[\[\[\[}}2, 4]]], {{\[\[\[}}3, 4]]]]> : tensor<2x1x1x2xi8> -> tensor<2x1x1x2x!quant.uniform<i8:f32:0, {5.000000e-01,1.000000e+00}>>
  // CHECK: %[[Q:.*]] = bpu.quantize %[[A]]
  // CHECK-NEXT: %[[T:.*]] = bpu.reshape %[[Q]] : (tensor<1x1x2x3x!quant.uniform<i8:f32, 5.000000e-01>>) -> tensor<1x2x3x1x!quant.uniform<i8:f32, 5.000000e-01>>
  // CHECK-NEXT: %[[C:.*]] = bpu.conv2d %[[T]], %[[W]], %[[B]] {clamp_max = 24 : i64, clamp_min = 0 : i64, {{.*}}pads = array<i64: 0, 0, 0, 0>{{.*}}-> tensor<1x2x3x2x!quant.uniform<i8:f32, 2.500000e-01>>
  // CHECK-NEXT: %[[D:.*]] = bpu.conv2d %[[C]], %[[V]]
  // CHECK-NEXT: %[[N:.*]] = bpu.transpose %[[D]] {permutation = array<i64: 0, 3, 1, 2>}
  // CHECK-NEXT: %[[F:.*]] = bpu.dequantize %[[N]]
  // CHECK-NEXT: bpu.yield %[[F]]
  // CHECK: return %[[Y]]
  %q = quant.qcast %x : tensor<1x1x2x3xf32> to tensor<1x1x2x3x!half>
  %d = quant.dcast %q : tensor<1x1x2x3x!half> to tensor<1x1x2x3xf32>
  %w = hfloat.constant dense<[[[[2.0]]], [[[-3.0]]]]> : tensor<2x1x1x1xf32> loc("w")
  %wq = quant.qcast %w : tensor<2x1x1x1xf32> to tensor<2x1x1x1x!weight>
  %wd = quant.dcast %wq : tensor<2x1x1x1x!weight> to tensor<2x1x1x1xf32>
  %b = hfloat.constant dense<[1.0, -3.0]> : tensor<2xf32> loc("b")
  %bq = quant.qcast %b : tensor<2xf32> to tensor<2x!bias>
  %bd = quant.dcast %bq : tensor<2x!bias> to tensor<2xf32>
  %0 = hfloat.conv %d, %wd, %bd {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, activation = #hfloat.clamp<0.0 : f64, 6.0 : f64>}
      : (tensor<1x1x2x3xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x2x3xf32> loc("Conv_0")
  %r = quant.qcast %0 : tensor<1x2x2x3xf32> to tensor<1x2x2x3x!quarter>
  %s = quant.dcast %r : tensor<1x2x2x3x!quarter> to tensor<1x2x2x3xf32>
  %v = hfloat.constant dense<[[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]]]> : tensor<2x2x1x1xf32> loc("v")
  %vq = quant.qcast %v : tensor<2x2x1x1xf32> to tensor<2x2x1x1x!weight>
  %vd = quant.dcast %vq : tensor<2x2x1x1x!weight> to tensor<2x2x1x1xf32>
  %1 = hfloat.conv %s, %vd {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x2x3xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x2x3xf32> loc("Conv_1")
  %t = quant.qcast %1 : tensor<1x2x2x3xf32> to tensor<1x2x2x3x!half>
  %u = quant.dcast %t : tensor<1x2x2x3x!half> to tensor<1x2x2x3xf32>
  return %u : tensor<1x2x2x3xf32>
}

// An LRN between two sums: three segments. What the first gives to the third stays quantized, what it gives to the CPU is f32.
// CHECK-LABEL: func.func @around_the_cpu
// CHECK-SAME: (%[[X:[a-z0-9]+]]: tensor<2x4xf32>)
func.func @around_the_cpu(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // CHECK-NEXT: %[[FIRST:.*]]:2 = bpu.segment(%[[X]]) {
  // CHECK: bpu.add
  // CHECK: bpu.yield {{.*}} : tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01>>, tensor<2x4xf32>
  // CHECK: %[[SECOND:.*]] = cpu.segment(%[[FIRST]]#1) {
  // CHECK: hfloat.lrn
  // CHECK: %[[THIRD:.*]] = bpu.segment(
  // CHECK-SAME: %[[FIRST]]#0
  // CHECK-DAG: bpu.quantize
  // CHECK: bpu.add
  // CHECK: return %[[THIRD]]
  %q = quant.qcast %x : tensor<2x4xf32> to tensor<2x4x!half>
  %d = quant.dcast %q : tensor<2x4x!half> to tensor<2x4xf32>
  %0 = hfloat.add %d, %d : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32> loc("Add_0")
  %r = quant.qcast %0 : tensor<2x4xf32> to tensor<2x4x!half>
  %s = quant.dcast %r : tensor<2x4x!half> to tensor<2x4xf32>
  %1 = hfloat.lrn %s {size = 3 : si64} : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("LRN_1")
  %t = quant.qcast %1 : tensor<2x4xf32> to tensor<2x4x!quarter>
  %u = quant.dcast %t : tensor<2x4x!quarter> to tensor<2x4xf32>
  %2 = hfloat.add %u, %s : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32> loc("Add_2")
  %v = quant.qcast %2 : tensor<2x4xf32> to tensor<2x4x!half>
  %y = quant.dcast %v : tensor<2x4x!half> to tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// A network that is float throughout is one segment of the CPU, with its constants inside.
// CHECK-LABEL: func.func @float
// CHECK-NEXT: %[[Y:.*]] = cpu.segment(
// CHECK-NEXT: ^bb0
// CHECK-DAG: hfloat.constant
// CHECK: hfloat.reshape
// CHECK: cpu.yield
// CHECK: return %[[Y]]
func.func @float(%x: tensor<2x2xf32>) -> tensor<4xf32> {
  %s = hfloat.constant dense<[4]> : tensor<1xi64> loc("s")
  %0 = hfloat.lrn %x {size = 3 : si64} : (tensor<2x2xf32>) -> tensor<2x2xf32> loc("LRN_0")
  %1 = hfloat.reshape %0, %s : (tensor<2x2xf32>, tensor<1xi64>) -> tensor<4xf32> loc("Reshape_1")
  return %1 : tensor<4xf32>
}
