// A layer whose weights have 16 bits is the sum of two: the weights rounded to int8, and what that leaves.
// RUN: hb-opt %s --quant-split-weights=info=%S/Inputs/wide-weights.json --mlir-print-debuginfo | FileCheck %s
// RUN: not hb-opt %s --quant-split-weights=info=%S/Inputs/wide-weights-unknown.json 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not hb-opt %s --quant-split-weights 2>&1 | FileCheck %s --check-prefix=NONE

// UNKNOWN: 'Conv_9'{{.*}}shall have 16 bits, but no layer with constant weights has this name
// NONE: give the file of what was decided as the option info

// The scales are 1 and 2: 127 / 127 and 254 / 127. The bias is added once, and the sum takes the activation.
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<1x2x4x4xf32> {hfloat.name = "image"}) -> tensor<1x2x4x4xf32> {
  // CHECK-DAG: %[[HIGH:.*]] = hfloat.constant dense<{{\[\[\[\[}}1.270000e+02]], {{\[\[}}2.000000e+00]]], {{\[\[\[}}1.000000e+01]], {{\[\[}}-2.540000e+02]]]]>
  // CHECK-DAG: %[[LOW:.*]] = hfloat.constant dense<{{\[\[\[\[}}0.000000e+00]], {{\[\[}}5.000000e-01]]], {{\[\[\[}}7.500000e-01]], {{\[\[}}0.000000e+00]]]]>
  %w = hfloat.constant dense<[[[[127.0]], [[2.5]]], [[[10.75]], [[-254.0]]]]> : tensor<2x2x1x1xf32> loc("w")
  %b = hfloat.constant dense<[1.0, 2.0]> : tensor<2xf32> loc("b")
  // CHECK-DAG: %[[A:.*]] = hfloat.conv %[[X:.*]], %[[HIGH]], %{{.*}} loc(#[[HIGH_NAME:.*]])
  // CHECK-DAG: %[[B:.*]] = hfloat.conv %[[X]], %[[LOW]] {{.*}} loc(#[[LOW_NAME:.*]])
  // CHECK: hfloat.add %[[A]], %[[B]] {activation = #hfloat.clamp<{{.*}}>, hfloat.sum_of_parts}
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>,
      activation = #hfloat.clamp<0.0 : f64, 6.0 : f64>}
      : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32> loc("Conv_0")
  return %0 : tensor<1x2x4x4xf32>
}
// CHECK-DAG: #[[HIGH_NAME]] = loc({{.*}}Conv_0/high
// CHECK-DAG: #[[LOW_NAME]] = loc({{.*}}Conv_0/low
